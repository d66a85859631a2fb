"""Byte sinks of the stages write and stdout: files that appear when complete, devices, pipes.

A new file grows as PATH.tmp, locked against a second writer; finish() makes it durable and gives it its name.
A PATH.tmp that a crashed run left behind holds no lock and is overwritten. With append there is no temporary
file: bytes go to the end of the file in place, durable after finish(), and abort() cuts them off again.

A file that is being read is never written to: its end would run away from who reads it.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from bgpipe.errors import ClosedOutput, StageError
from bgpipe.transport import compression
from bgpipe.transport.source import Interrupted, regular_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import NoReturn

    from bgpipe.transport.compression import Encoder
    from bgpipe.transport.source import FileId

    Buffer = bytes | bytearray | memoryview

_TEMPORARY = ".tmp"
_LOOK_AGAIN_S = 0.05  # whether a named pipe has a reader by now


def open_sink(
    path: str,
    *,
    compress: str = "auto",
    append: bool = False,
    create: bool = False,
    threads: int = 1,
    inputs: Collection[FileId | None] = (),
    given_up: Callable[[], bool] = lambda: False,
) -> Sink:
    """Open a file for writing, or a device, pipe or socket, or "-" for standard output.

    compress: "auto" (by the name), "none" or one of compression.FORMATS.
    append: write behind what the file holds; a compressed one gets a member, stream or frame of its own.
    create: fail if path exists, now or when the file is complete.
    threads: how many threads compression may keep busy.
    inputs: the files that are being read (Source.file).
    given_up: asked now and then while a named pipe has no reader; Interrupted is raised once it says so.
    Missing folders are made; through a symbolic link, the file it points to is replaced. Raises StageError.
    """
    output = _Output("standard output", 1)
    try:
        if path != "-":
            output = _open(path, append, create, inputs, given_up)
        file = regular_file(output.fd)
        _refuse_input(file, output.label, inputs)
    except OSError as error:
        output.close()
        _fail(path if path != "-" else output.label, error)
    except BaseException:
        output.close()
        raise
    return Sink(path, output, file, compression.by_name(path) if compress == "auto" else compress, threads)


class Sink:
    """Bytes go in; where they end up, and compressed how, was settled at opening.

    path: as it was opened. file: which regular file the bytes go to, None where it is none.
    bytes_written: what was written to the file, compressed, and without what the compressor still holds.
    """

    def __init__(self, path: str, output: _Output, file: FileId | None, compress: str, threads: int) -> None:
        self.path = path
        self.file = file
        self.bytes_written = 0
        self._output = output
        self._compress = compress
        self._threads = threads
        self._encoder: Encoder | None = None
        self._unflushed = False

    def write(self, buffer: Buffer) -> None:
        """Write all of buffer. Raises StageError; ClosedOutput where nobody reads any more."""
        if self._output.fd < 0:
            raise StageError(f"cannot write {self._output.label}: it is closed already")
        if not len(buffer):
            return
        if self._compress == "none":
            self._put(buffer)
            return
        if self._encoder is None:
            self._encoder = compression.encoder(self._compress, self._threads)
        self._unflushed = True
        self._put(self._encoder.compress(buffer))

    def flush(self) -> None:
        """Hand on what the compressor holds. Each call costs some compression. Raises as write()."""
        if self._encoder is not None and self._unflushed:
            self._unflushed = False
            self._put(self._encoder.sync())

    def finish(self) -> None:
        """Complete the file, durably, and give it its name; where nothing was written no file comes to be.

        Nothing happens where it is closed already. Raises StageError, after which there is nothing to abort().
        """
        if self._output.fd < 0:
            return
        try:
            if self._encoder is not None:
                self._put(self._encoder.finish())
                self._encoder = None
            self._output.finish(self.bytes_written > 0)
        except OSError as error:
            self.abort()
            _fail(self._output.label, error)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Give up: remove the temporary file, or what was appended. What a pipe or device got stays there."""
        self._encoder = None
        if self._output.fd < 0:
            return
        try:
            self._output.discard()
        except OSError as error:
            raise StageError(f"cannot clean up {self._output.label}: {_reason(error)}") from None
        finally:
            self._output.close()

    def _put(self, data: Buffer) -> None:
        view = memoryview(data)
        fd = self._output.fd
        while view:
            try:
                count = os.write(fd, view)
            except BlockingIOError:  # whoever gave us this descriptor made it non-blocking
                import select

                select.select([], [fd], [])
                continue
            except OSError as error:
                _fail(self._output.label, error)
            self.bytes_written += count
            view = view[count:]


class _Output:
    """Where a sink's bytes go: here a device, pipe or socket, which has them as soon as they are written.

    label: what messages call it. fd: negative once closed. Methods raise OSError.
    """

    def __init__(self, label: str, fd: int) -> None:
        self.label = label
        self.fd = fd

    def finish(self, used: bool) -> None:
        """Complete it and close it. used: whether anything was written."""
        self.close()

    def discard(self) -> None:
        """Undo what was written, where that can be; fd stays open."""

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd > 2:
            os.close(fd)


class _Appended(_Output):
    """The end of a file, in place."""

    def __init__(self, path: str) -> None:
        made = not os.path.exists(path)  # noqa: PTH110
        super().__init__(path, os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666))
        try:
            _lock(self.fd, path)
            self._size = os.fstat(self.fd).st_size
        except BaseException:
            self.close()
            raise
        self._made = made and not self._size

    def finish(self, used: bool) -> None:
        if used:
            os.fsync(self.fd)
        else:
            self.discard()
        self.close()

    def discard(self) -> None:
        if self._made:
            os.unlink(self.label)  # noqa: PTH108
        elif os.fstat(self.fd).st_size > self._size:
            os.ftruncate(self.fd, self._size)


class _Replacing(_Output):
    """A new file, under its temporary name until it is complete."""

    def __init__(
        self, label: str, path: str, create: bool, mode: int, inputs: Collection[FileId | None]
    ) -> None:
        self._path = path
        self._temporary = path + _TEMPORARY
        self._create = create
        super().__init__(label, _open_temporary(self._temporary, inputs))
        if mode:  # what it replaces may be private
            os.fchmod(self.fd, stat.S_IMODE(os.fstat(self.fd).st_mode & mode))

    def finish(self, used: bool) -> None:
        if used:
            os.fsync(self.fd)
            if self._create:
                _rename_new(self._temporary, self._path)
            else:
                os.rename(self._temporary, self._path)  # noqa: PTH104
            _sync_folder(self._path)
        else:
            self.discard()
        # Only now is the lock let go of: until here nobody else may take the temporary name.
        self.close()

    def discard(self) -> None:
        # It is not there if it has its name already, and only the folder could not be synced.
        if os.path.lexists(self._temporary):
            os.unlink(self._temporary)  # noqa: PTH108


def _open(
    path: str, append: bool, create: bool, inputs: Collection[FileId | None], given_up: Callable[[], bool]
) -> _Output:
    if not path or "\0" in path:
        raise StageError(f"cannot write {path!r}: that is no path")
    if create and os.path.lexists(path):
        raise StageError(f"cannot write {path}: it exists already, and --create asks for a new file")
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except FileNotFoundError:
        mode = 0
    if stat.S_ISDIR(mode) or path.endswith("/"):
        raise IsADirectoryError(errno.EISDIR, "")
    if stat.S_ISSOCK(mode):
        return _Output(path, _connect(path))
    # What /dev/stdout and /proc/self/fd/3 lead to is open already: a file beside it would not get there.
    is_open = path.startswith(("/dev/std", "/dev/fd/", "/proc/"))
    if stat.S_ISFIFO(mode) and not is_open:
        return _Output(path, _open_fifo(path, given_up))
    if is_open or (mode and not stat.S_ISREG(mode)):
        return _Output(path, os.open(path, os.O_WRONLY | os.O_CLOEXEC | (os.O_APPEND if append else 0)))
    target = os.path.realpath(path)
    os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
    return _Appended(target) if append else _Replacing(path, target, create, mode, inputs)


def _open_fifo(path: str, given_up: Callable[[], bool]) -> int:
    """Open it once somebody reads it. Waiting in open() could not be broken off from another thread."""
    while True:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        else:
            os.set_blocking(fd, True)
            return fd
        if given_up():
            raise Interrupted(f"waiting for a reader of {path} was broken off")
        time.sleep(_LOOK_AGAIN_S)


def _refuse_input(file: FileId | None, label: str, inputs: Collection[FileId | None]) -> None:
    if file is not None and file in inputs:
        raise StageError(f"cannot write {label}: it is the file that is being read; write to another one")


def _open_temporary(path: str, inputs: Collection[FileId | None]) -> int:
    while True:
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise StageError(f"cannot write {path}: it exists and is not a regular file; remove it")
        except FileNotFoundError:
            pass
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            _lock(fd, path)
            if os.path.lexists(path) and os.path.samestat(os.fstat(fd), os.lstat(path)):
                _refuse_input(regular_file(fd), path, inputs)
                os.ftruncate(fd, 0)
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # its writer completed or removed it between our open() and our lock


def _lock(fd: int, path: str) -> None:
    """Keep other writers away for as long as fd is open. File systems without locks go without."""
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StageError(f"cannot write {path}: another process is writing it") from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            raise


def _rename_new(temporary: str, path: str) -> None:
    """Give the file its name unless that is taken by now."""
    try:
        os.link(temporary, path)
        os.unlink(temporary)  # noqa: PTH108
        return
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        # A file system without hard links: this is as near as one gets.
        if not os.path.lexists(path):
            os.rename(temporary, path)  # noqa: PTH104
            return
    raise StageError(f"cannot write {path}: it has appeared since, and --create asks for a new file")


def _sync_folder(path: str) -> None:
    fd = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # noqa: PTH120
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):  # not all file systems can
            raise
    finally:
        os.close(fd)


def _connect(path: str) -> int:
    import socket

    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection.detach()


_ADVICE = {
    errno.ENOSPC: "no space left on the device; free some, or write elsewhere",
    errno.EDQUOT: "the disk quota is used up; free some space, or write elsewhere",
    errno.EFBIG: "the file would get larger than is allowed; see ulimit -f",
    errno.EROFS: "the file system is read-only; write elsewhere",
    errno.EACCES: "permission denied; check the rights on the file and its folder",
    errno.EPERM: "permission denied; check the rights on the file and its folder",
    errno.ENOTDIR: "a part of the path is not a folder",
    errno.EEXIST: "a part of the path is not a folder",
    errno.EISDIR: "it is a folder; name a file in it",
    errno.ECONNREFUSED: "nobody listens on that socket",
    errno.ENAMETOOLONG: f"the name is too long; while it grows, the file is called that and {_TEMPORARY}",
}


def _reason(error: OSError) -> str:
    return _ADVICE.get(error.errno or 0) or (error.strerror or str(error)).lower()


def _fail(label: str, error: OSError) -> NoReturn:
    if error.errno in (errno.EPIPE, errno.ECONNRESET):
        raise ClosedOutput(f"{label} was closed by its reader") from None
    raise StageError(f"cannot write {label}: {_reason(error)}") from None
