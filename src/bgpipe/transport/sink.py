"""Byte sinks of the stages write and stdout: files that appear when complete, devices, pipes.

A new file grows as PATH.tmp, locked against a second writer; finish() makes it durable and gives it its name.
A PATH.tmp that a crashed run left behind holds no lock and is overwritten. With append there is no temporary
file: bytes go to the end of the file in place, durable after finish(), and abort() cuts them off again.
"""

from __future__ import annotations

import errno
import os
import stat

from bgpipe.errors import ClosedOutput, StageError
from bgpipe.transport import compression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from bgpipe.transport.compression import Encoder


def open_sink(path: str, *, compress: str = "auto", append: bool = False, create: bool = False) -> Sink:
    """Open a file for writing, or a device, pipe or socket, or "-" for standard output.

    compress: "auto" (by the name), "none" or one of compression.FORMATS.
    append: write behind what the file holds; a compressed one gets a member, stream or frame of its own.
    create: fail if path exists, now or when the file is complete.
    Missing folders are made. Raises StageError.
    """
    name = compression.by_name(path) if compress == "auto" else compress
    output: _Output
    if path == "-":
        output = _Direct("standard output", 1)
    else:
        try:
            output = _open(path, append, create)
        except OSError as error:
            _fail(path, error)
    return Sink(output, name)


class Sink:
    """Bytes go in; where they end up, and compressed how, was settled at opening.

    bytes_written: what was written to the file, compressed, and without what the compressor still holds.
    """

    def __init__(self, output: _Output, compress: str) -> None:
        self.bytes_written = 0
        self._output = output
        self._compress = compress
        self._encoder: Encoder | None = None
        self._used = False

    def write(self, buffer: bytes | bytearray | memoryview) -> None:
        """Write all of buffer. Raises StageError; ClosedOutput where nobody reads any more."""
        if not len(buffer):
            return
        if not self._used:
            self._used = True
            if self._compress != "none":
                self._encoder = compression.encoder(self._compress)
        self._put(buffer if self._encoder is None else self._encoder.compress(buffer))

    def flush(self) -> None:
        """Hand on what the compressor holds. Each call costs some compression."""
        if self._encoder is not None:
            self._put(self._encoder.sync())

    def finish(self) -> None:
        """Complete the file, durably, and give it its name. Where nothing was written, no file comes to be.

        Raises StageError, after abort().
        """
        try:
            if self._encoder is not None:
                self._put(self._encoder.finish())
                self._encoder = None
            try:
                self._output.finish(self.bytes_written > 0)
            except OSError as error:
                _fail(self._output.label, error)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Give up: remove the temporary file, or what was appended. What a pipe or device got stays there."""
        self._encoder = None
        self._output.abort()

    def _put(self, data: bytes | bytearray | memoryview) -> None:
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
    """Where a sink's bytes go. finish() may raise OSError; abort() may come at any time, also twice."""

    fd: int
    label: str

    def finish(self, used: bool) -> None:
        raise AssertionError

    def abort(self) -> None:
        raise AssertionError


class _Direct(_Output):
    """A device, pipe, socket or standard output: what is written is out."""

    def __init__(self, label: str, fd: int) -> None:
        self.label = label
        self.fd = fd

    def finish(self, used: bool) -> None:
        self.abort()

    def abort(self) -> None:
        if self.fd > 2:
            os.close(self.fd)
        self.fd = -1


class _Append(_Output):
    """The end of a file, in place."""

    def __init__(self, path: str) -> None:
        self.label = path
        self._made = not os.path.exists(path)  # noqa: PTH110
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        _lock(self.fd, path)
        self._size = os.fstat(self.fd).st_size

    def finish(self, used: bool) -> None:
        if used:
            os.fsync(self.fd)
            os.close(self.fd)
            self.fd = -1
        else:
            self.abort()

    def abort(self) -> None:
        if self.fd < 0:
            return
        if self._made and not self._size:
            os.unlink(self.label)  # noqa: PTH108
        elif os.fstat(self.fd).st_size > self._size:
            os.ftruncate(self.fd, self._size)
        os.close(self.fd)
        self.fd = -1


class _Replace(_Output):
    """A new file, under its temporary name until it is complete."""

    def __init__(self, label: str, path: str, create: bool) -> None:
        self.label = label
        self._path = path
        self._temporary = path + ".tmp"
        self._create = create
        self.fd = _open_temporary(self._temporary)

    def finish(self, used: bool) -> None:
        if not used:
            self.abort()
            return
        os.fsync(self.fd)
        if self._create:
            _rename_new(self._temporary, self._path)
        else:
            os.rename(self._temporary, self._path)  # noqa: PTH104
        # The lock is let go of only now: until here nobody may take the temporary name.
        os.close(self.fd)
        self.fd = -1
        _sync_folder(self._path)

    def abort(self) -> None:
        if self.fd < 0:
            return
        os.unlink(self._temporary)  # noqa: PTH108
        os.close(self.fd)
        self.fd = -1


def _open(path: str, append: bool, create: bool) -> _Output:
    if create and os.path.lexists(path):
        raise StageError(f"cannot write {path}: it exists already, and --create asks for a new file")
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except FileNotFoundError:
        mode = 0
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)  # noqa: PTH103, PTH120
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if stat.S_ISSOCK(mode):
        return _Direct(path, _connect(path))
    if (mode and not stat.S_ISREG(mode)) or path.startswith(("/dev/std", "/dev/fd/", "/proc/")):
        return _Direct(path, os.open(path, os.O_WRONLY | os.O_CLOEXEC))
    if append:
        return _Append(path)
    # Through a symbolic link the file it points to is replaced, and the link stays.
    return _Replace(path, os.path.realpath(path), create)


def _open_temporary(path: str) -> int:
    while True:
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            mode = 0
        if mode and not stat.S_ISREG(mode):
            raise StageError(f"cannot write {path}: it exists and is not a regular file; remove it")
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            _lock(fd, path)
            here, there = os.fstat(fd), os.lstat(path)
            if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
                os.ftruncate(fd, 0)
                return fd
        except FileNotFoundError:
            pass  # its writer was done between our open() and our lock: it is not ours to write
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


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
    except FileExistsError:
        taken = True
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        taken = os.path.lexists(path)  # a file system without hard links: as near as one gets
        if not taken:
            os.rename(temporary, path)  # noqa: PTH104
    else:
        os.unlink(temporary)  # noqa: PTH108
        return
    if taken:
        raise StageError(f"cannot write {path}: it has appeared since, and --create asks for a new file")


def _sync_folder(path: str) -> None:
    fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # noqa: PTH120
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
    errno.EFBIG: "the file would get larger than the limit; raise ulimit -f, or use --every",
    errno.EROFS: "the file system is read-only; write elsewhere",
    errno.EACCES: "permission denied; check the rights on the file and its folder",
    errno.ENOTDIR: "a part of the path is not a folder",
    errno.EEXIST: "a part of the path is not a folder",
    errno.EISDIR: "it is a folder; name a file in it",
    errno.ENXIO: "nobody is reading it",
}


def _fail(label: str, error: OSError) -> NoReturn:
    if error.errno in (errno.EPIPE, errno.ECONNRESET):
        raise ClosedOutput(f"{label} was closed by its reader") from None
    reason = _ADVICE.get(error.errno or 0) or (error.strerror or str(error)).lower()
    raise StageError(f"cannot write {label}: {reason}") from None
