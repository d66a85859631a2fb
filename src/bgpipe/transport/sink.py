"""Byte sinks of the stages write and stdout: files that appear when complete, devices, pipes.

A new file grows as PATH.tmp, locked against a second writer; finish() makes it durable and gives it its name.
With append, bytes go to the end of the file in place, durable after finish(), and abort() cuts them off again;
meanwhile PATH.tmp notes where they begin. What a crashed run left behind holds no lock: see Remains.

Where the disk is full, nothing is lost that was written so far: DiskFull says so, and what did not get out waits.
So that a compressed file can be cut to what was good, it gets a member, stream or frame of its own each MEMBER octets:
when nothing more has room, the last one is written anew. Some file systems find out at fsync alone that there is no
room; what they have kept of the file then is known only when it has been read.

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

    from bgpipe.formats.records import Whole
    from bgpipe.transport.compression import Encoder
    from bgpipe.transport.source import FileId

    Buffer = bytes | bytearray | memoryview

MEMBER = 8 << 20  # octets before compression; files get half a percent larger
_TEMPORARY = ".tmp"
_ASIDE = ".partial"
_NOTE = b"bgpipe appends behind octet "
_CHUNK = 1 << 20
_MARK = 1 << 20  # octets of a file between two places where it may be cut
_LONGEST = 16 << 20  # what is longer is no record of ours
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOOK_AGAIN_S = 0.05  # whether a named pipe has a reader by now


class DiskFull(StageError):
    """There is no room for all of what was to be written. The same call again, or retry(), goes on where it stopped."""


class Remains:
    """What is done with that which a run left behind that did not come to its end: nothing is overwritten.

    A new file that was not complete becomes PATH.partial, or PATH.partial.2 and so on. Of what was appended, what is
    whole stays.

    whole: of bytes of the file, how many make up whole records (formats.records); what is behind them is cut off.
    counts: whether a record is a message. tell: gets a line on what was done.
    """

    def __init__(
        self,
        whole: Whole | None = None,
        tell: Callable[[str], None] = lambda text: None,
        compress: str = "auto",
        counts: bool = True,
    ) -> None:
        self.whole = whole
        self.counts = counts
        self._tell = tell
        self._compress = compress

    def see_to(self, path: str, fd: int) -> None:
        """fd: PATH.tmp, locked. Raises OSError, and StageError where it is not what a run left behind."""
        if os.path.lexists(path) and os.path.samestat(os.fstat(fd), os.lstat(path)):
            os.unlink(path + _TEMPORARY)  # noqa: PTH108 - it was complete, and had got its name
            return
        _refuse_foreign(fd, path + _TEMPORARY)
        size = os.fstat(fd).st_size
        note = os.pread(fd, 64, 0)
        if note.startswith(_NOTE):
            begin = note[len(_NOTE) :].strip()
            if begin.isdigit():
                self._mend(path, int(begin))
            os.unlink(path + _TEMPORARY)  # noqa: PTH108
        elif size:
            cut = self._cut(fd, 0, path)
            aside = _aside(path)
            os.rename(path + _TEMPORARY, aside)  # noqa: PTH104
            self._tell(f"{path}{_TEMPORARY} was left behind by a run that did not end: it is now {aside}{cut}")

    def _mend(self, path: str, begin: int) -> None:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return
        try:
            size = os.fstat(fd).st_size
            if size <= begin:
                return
            if self._is_compressed(path):
                if not _unpacks(fd, begin):
                    aside = _aside(path)
                    _copy(fd, begin, aside)
                    os.ftruncate(fd, begin)
                    os.fsync(fd)
                    what = f"{size - begin} octets, which a run appended that did not end, are now in {aside}"
                    self._tell(f"{path}: the last {what}")
            elif cut := self._cut(fd, begin, path):
                os.fsync(fd)
                self._tell(f"{path}: a run that appended did not end{cut}")
        finally:
            os.close(fd)

    def _cut(self, fd: int, begin: int, path: str) -> str:
        """Cut off what is no whole record. Returns what to tell of that."""
        if self.whole is None or self._is_compressed(path):
            return ""
        place, data = begin, b""
        while len(data) < _LONGEST and (more := os.pread(fd, _CHUNK, place + len(data))):
            data += more
            octets, _ = self.whole(data)
            place += octets
            data = data[octets:]
        if not data or len(data) >= _LONGEST:
            return ""
        os.ftruncate(fd, place)
        return f", without the {len(data)} octets of a message at its end that is not whole"

    def _is_compressed(self, path: str) -> bool:
        return (compression.by_name(path) if self._compress == "auto" else self._compress) != "none"


def see_to_remains(path: str, remains: Remains) -> None:
    """See to what is left behind of this path, if nobody writes there."""
    try:
        fd = os.open(path + _TEMPORARY, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                _lock(fd, path)
                if os.path.samestat(os.fstat(fd), os.lstat(path + _TEMPORARY)):
                    remains.see_to(path, fd)
        finally:
            os.close(fd)
    except (OSError, StageError):
        pass


def _aside(path: str) -> str:
    number = 1
    while os.path.lexists(name := f"{path}{_ASIDE}" + (f".{number}" if number > 1 else "")):
        number += 1
    return name


class _Part:
    """A file from some place on, to its end or that of the part, for a decoder."""

    def __init__(self, fd: int, place: int, end: int = 1 << 62) -> None:
        self._fd = fd
        self._place = place
        self._end = end

    def readinto(self, buffer: memoryview) -> int:
        data = os.pread(self._fd, min(len(buffer), self._end - self._place), self._place)
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


def _unpacks(fd: int, begin: int) -> bool:
    """Whether what is in a file from there on is a whole compressed stream, or several."""
    name = compression.by_content(os.pread(fd, compression.MAGIC_SIZE, begin))
    if name not in compression.FORMATS:
        return False
    decoder = compression.decoder(name, _Part(fd, begin), 1)
    scratch = memoryview(bytearray(_CHUNK))
    try:
        while decoder.readinto(scratch):
            pass
    except compression.Damage:
        return False
    return True


def _copy(fd: int, begin: int, path: str) -> None:
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, stat.S_IMODE(os.fstat(fd).st_mode))
    try:
        while data := os.pread(fd, _CHUNK, begin):
            begin += os.write(target, data)
        os.fsync(target)
    except BaseException:
        os.unlink(path)  # noqa: PTH108
        raise
    finally:
        os.close(target)


def open_sink(
    path: str,
    *,
    compress: str = "auto",
    append: bool = False,
    create: bool = False,
    threads: int = 1,
    inputs: Collection[FileId | None] = (),
    given_up: Callable[[], bool] = lambda: False,
    remains: Remains | None = None,
) -> Sink:
    """Open a file for writing, or a device, pipe or socket, or "-" for standard output.

    compress: "auto" (by the name), "none" or one of compression.FORMATS.
    append: write behind what the file holds; a compressed one gets a member, stream or frame of its own.
    create: fail if path exists, now or when the file is complete.
    threads: how many threads compression may keep busy.
    inputs: the files that are being read (Source.file).
    given_up: asked now and then while a named pipe has no reader; Interrupted is raised once it says so.
    remains: what is done with that which a run left behind.
    Missing folders are made; through a symbolic link, the file it points to is replaced. Raises StageError.
    """
    remains = remains or Remains(compress=compress)
    output = _Output("standard output", 1)
    try:
        if path != "-":
            output = _open(path, append, create, inputs, given_up, remains)
        file = regular_file(output.fd)
        _refuse_input(file, output.label, inputs)
    except OSError as error:
        output.close()
        if error.errno in _FULL:
            raise DiskFull(f"cannot write {path}: {_reason(error)}") from None
        _fail(path if path != "-" else output.label, error)
    except BaseException:
        output.close()
        raise
    compress = compression.by_name(path) if compress == "auto" else compress
    return Sink(path, output, file, compress, threads, remains.whole if remains.counts else None)


class Sink:
    """Bytes go in; where they end up, and compressed how, was settled at opening.

    path: as it was opened. file: which regular file the bytes go to, None where it is none.
    bytes_written: what was written to the file, compressed, and without what the compressor still holds.
    lost: messages that it was given and that are not in the file, since the disk was full.
    """

    def __init__(
        self,
        path: str,
        output: _Output,
        file: FileId | None,
        compress: str,
        threads: int,
        whole: Whole | None = None,
    ) -> None:
        self.path = path
        self.file = file
        self.bytes_written = 0
        self.lost = 0
        self._output = output
        self._compress = compress
        self._threads = threads
        self._count = whole
        self._encoder: Encoder | None = None
        self._unflushed = False
        self._unfinished = 0  # octets of the member that is being compressed, before compression
        self._whole_bytes = self._kept = 0  # of bytes_written, those that make a file which is whole; messages in them
        self._open = 0  # messages behind these
        self._marks = [(0, 0)]  # what these two were, now and then
        self._doubted = False  # fsync found no room
        self._waiting: bytes = b""  # what is being written, where the disk is full; it began behind so many bytes
        self._waiting_at = 0

    def write(self, buffer: Buffer, messages: int = 0) -> None:
        """Write all of buffer, so many messages. Raises StageError; ClosedOutput where nobody reads any more.

        DiskFull: retry() comes next.
        """
        if self._output.fd < 0:
            raise StageError(f"cannot write {self._output.label}: it is closed already")
        if not len(buffer):
            return
        self._open += messages
        if self._compress == "none":
            self._put(buffer)
            self._whole()
            return
        if self._encoder is None:
            self._encoder = compression.encoder(self._compress, self._threads)
        self._unflushed = True
        self._unfinished += len(buffer)
        self._put(self._encoder.compress(buffer))
        if self._unfinished >= MEMBER and self.file is not None:
            self._end_member()

    def retry(self) -> None:
        """Write what waits since the disk was full. Raises as write()."""
        if self._waiting:
            self._write(memoryview(self._waiting)[self.bytes_written - self._waiting_at :])
            self._waiting = b""
            if self._encoder is None:
                self._whole()

    def cut(self) -> None:
        """Give up what waits, and complete the file: it ends behind the last message that is whole. Raises StageError.

        In a compressed file, what got there of the last member is written anew, as one that has an end. Where messages
        cannot be counted, what is not whole goes altogether.
        """
        behind = self.bytes_written - self._whole_bytes
        plain = self._compress == "none"
        data = self._waiting[:behind] if plain else self._unpack(behind)
        octets, messages = self._count(data) if self._count is not None else (0, 0)
        self._encoder, self._waiting = None, b""
        try:
            self._shorten(behind - octets if plain else behind)
            while octets and not plain:
                encoder = compression.encoder(self._compress, 1)
                try:
                    self._write(encoder.compress(data[:octets]) + encoder.finish())
                    break
                except DiskFull:
                    self._shorten(self.bytes_written - self._whole_bytes)
                    octets, messages = self._count(data[: octets // 2]) if self._count is not None else (0, 0)
            self.lost += self._open - messages
            self._open = messages
            self._whole()
            self._complete()
        except OSError as error:
            self.abort()
            _fail(self._output.label, error)

    def _complete(self) -> None:
        """Complete the file with what has room on the disk. Raises OSError."""
        while True:
            try:
                self._sync()
                self._output.finish(self.bytes_written > 0)
                return
            except OSError as error:
                if error.errno not in _FULL or not self.bytes_written:
                    raise
            if self._output.durable and self._output.named:
                self._output.close()
                return
            self._retreat(self._marks[(len(self._marks) - 1) // 2])

    def _retreat(self, mark: tuple[int, int]) -> None:
        """Cut off what is behind a mark."""
        octets, messages = mark
        self._shorten(self.bytes_written - octets)
        self.lost += self._kept - messages
        self._whole_bytes, self._kept = mark
        self._marks = [mark for mark in self._marks if mark[0] <= octets]

    def _sync(self) -> None:
        """Make durable what was written, or, where fsync has said before that it is not, what is there. OSError."""
        if not self.bytes_written:
            return
        try:
            self._output.sync()
            while self._doubted and (mark := self._last_good()) != (self._whole_bytes, self._kept):
                self._retreat(mark)
                self._output.sync()
        except OSError as error:
            self._doubted = self._doubted or error.errno in _FULL
            raise
        self._doubted = False

    def _last_good(self) -> tuple[int, int]:
        """The last mark, or else the end, up to which the file is what was written."""
        end = self._whole_bytes, self._kept
        if self._count is None:
            return end
        file = os.fstat(self._output.fd).st_size - self.bytes_written
        last = self._marks[0]
        for mark in (*self._marks[1:], end):
            if mark != last and self._found(file + last[0], file + mark[0]) != mark[1] - last[1]:
                break
            last = mark
        return last

    def _found(self, begin: int, end: int) -> int:
        """How many messages are in a part of the file; -1 where it is damaged."""
        assert self._count is not None
        part: compression.Input = _Part(self._output.fd, begin, end)
        reader = part if self._compress == "none" else compression.decoder(self._compress, part, 1)
        scratch = memoryview(bytearray(_CHUNK))
        data, found = b"", 0
        try:
            while len(data) < _LONGEST and (size := reader.readinto(scratch)):
                data += scratch[:size]
                octets, messages = self._count(data)
                data = data[octets:]
                found += messages
        except compression.Damage:
            return -1
        return found

    def _shorten(self, count: int) -> None:
        if count:
            os.ftruncate(self._output.fd, os.fstat(self._output.fd).st_size - count)
            os.lseek(self._output.fd, 0, os.SEEK_END)
            self.bytes_written -= count

    def _unpack(self, behind: int) -> bytes:
        """What is good of the last bytes of the file, so many, decompressed."""
        if not behind:
            return b""
        rest = _Part(self._output.fd, os.fstat(self._output.fd).st_size - behind)
        decoder = compression.decoder(self._compress, rest, 1)
        scratch = memoryview(bytearray(_CHUNK))
        data = bytearray()
        try:
            while size := decoder.readinto(scratch):
                data += scratch[:size]
        except compression.Damage as damage:
            data += scratch[: damage.written]
        return bytes(data)

    def flush(self) -> None:
        """Hand on what the compressor holds. Each call costs some compression. Raises as write()."""
        if self._encoder is not None and self._unflushed:
            self._unflushed = False
            self._put(self._encoder.sync())

    def finish(self) -> None:
        """Complete the file, durably, and give it its name; where nothing was written no file comes to be.

        Nothing happens where it is closed already. Raises StageError, after which there is nothing to abort();
        DiskFull: it can be called again.
        """
        if self._output.fd < 0:
            return
        try:
            self.retry()
            if self._encoder is not None:
                self._end_member()
            self._sync()
            self._output.finish(self.bytes_written > 0)
        except DiskFull:
            raise
        except OSError as error:
            if error.errno in _FULL and self.file is not None:
                raise DiskFull(f"cannot write {self._output.label}: {_reason(error)}") from None
            self.abort()
            _fail(self._output.label, error)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Give up: remove the temporary file, or what was appended. What a pipe or device got stays there."""
        self._encoder = None
        self._waiting = b""
        if self._output.fd < 0:
            return
        try:
            self._output.discard()
        except OSError as error:
            raise StageError(f"cannot clean up {self._output.label}: {_reason(error)}") from None
        finally:
            self._output.close()

    def _end_member(self) -> None:
        assert self._encoder is not None
        data, self._encoder, self._unfinished = self._encoder.finish(), None, 0
        self._put(data)
        self._whole()

    def _whole(self) -> None:
        self._whole_bytes, self._kept, self._open = self.bytes_written, self._kept + self._open, 0
        if self._whole_bytes - self._marks[-1][0] >= _MARK:
            self._marks.append((self._whole_bytes, self._kept))

    def _put(self, data: Buffer) -> None:
        begin = self.bytes_written
        try:
            self._write(data)
        except DiskFull:
            self._waiting, self._waiting_at = bytes(data), begin
            raise

    def _write(self, data: Buffer) -> None:
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
                if error.errno in _FULL and self.file is not None:
                    raise DiskFull(f"cannot write {self._output.label}: {_reason(error)}") from None
                _fail(self._output.label, error)
            self.bytes_written += count
            view = view[count:]


class _Output:
    """Where a sink's bytes go: here a device, pipe or socket, which has them as soon as they are written.

    label: what messages call it. fd: negative once closed. durable: what was written is. named: it has its name.
    Methods raise OSError; after one, sync() and finish() may be called again.
    """

    durable = False
    named = True

    def __init__(self, label: str, fd: int) -> None:
        self.label = label
        self.fd = fd

    def sync(self) -> None:
        """Make durable what was written."""

    def finish(self, used: bool) -> None:
        """Complete it and close it, behind sync(). used: whether anything was written."""
        self.close()

    def discard(self) -> None:
        """Undo what was written, where that can be; fd stays open."""

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd > 2:
            try:
                os.close(fd)
            except OSError:
                if not self.durable:  # else it has nothing more to tell
                    raise


class _File(_Output):
    """A regular file."""

    def sync(self) -> None:
        self.durable = False
        os.fsync(self.fd)
        self.durable = True


class _Appended(_File):
    """The end of a file, in place."""

    def __init__(self, path: str, inputs: Collection[FileId | None], remains: Remains) -> None:
        self._note = -1
        made = not os.path.exists(path)  # noqa: PTH110
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        super().__init__(path, os.open(path, flags, 0o666))
        try:
            _lock(self.fd, path)
            _refuse_input(regular_file(self.fd), path, inputs)
            # Where a file may be written, but none made beside it, it has to do without the note.
            try:
                self._note = _open_temporary(path, inputs, remains)
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG):
                    raise
            self._size = os.fstat(self.fd).st_size
            self._made = made and not self._size
            if self._note >= 0:
                os.write(self._note, _NOTE + b"%d\n" % self._size)
                os.fsync(self._note)
                _sync_folder(path)
        except BaseException:
            self._forget()
            self.close()
            raise

    def finish(self, used: bool) -> None:
        if used:
            self._forget()
        else:
            self.discard()
        self.close()

    def discard(self) -> None:
        if self._made:
            os.unlink(self.label)  # noqa: PTH108
        elif os.fstat(self.fd).st_size > self._size:
            os.ftruncate(self.fd, self._size)
        self._forget()

    def _forget(self) -> None:
        note, self._note = self._note, -1
        if note >= 0:
            try:
                if os.path.lexists(self.label + _TEMPORARY):
                    os.unlink(self.label + _TEMPORARY)  # noqa: PTH108
            finally:
                os.close(note)


class _Replacing(_File):
    """A new file, under its temporary name until it is complete."""

    named = False

    def __init__(
        self,
        label: str,
        path: str,
        create: bool,
        mode: int,
        inputs: Collection[FileId | None],
        remains: Remains,
    ) -> None:
        self._path = path
        self._temporary = path + _TEMPORARY
        self._create = create
        # What it replaces may be private, and so it has to be from the start.
        super().__init__(label, _open_temporary(path, inputs, remains, mode or 0o666))
        if mode:
            os.fchmod(self.fd, stat.S_IMODE(os.fstat(self.fd).st_mode & mode))

    def finish(self, used: bool) -> None:
        if used:
            if not self.named:
                if self._create:
                    _rename_new(self._temporary, self._path)
                else:
                    os.rename(self._temporary, self._path)  # noqa: PTH104
                self.named = True
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
    path: str,
    append: bool,
    create: bool,
    inputs: Collection[FileId | None],
    given_up: Callable[[], bool],
    remains: Remains,
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
    if append:
        return _Appended(target, inputs, remains)
    return _Replacing(path, target, create, mode, inputs, remains)


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


def _refuse_foreign(fd: int, path: str) -> None:
    """In a folder where others may put files, refuse what they have prepared: they could change it later, or it may be
    another name of some file of ours. The owner of the folder can do that in any case.
    """
    found = os.fstat(fd)
    if found.st_uid not in (os.geteuid(), os.stat(os.path.dirname(path) or ".").st_uid):  # noqa: PTH116, PTH120
        raise StageError(f"cannot write {path}: it belongs to another user; remove it")
    if found.st_nlink > 1:
        raise StageError(f"cannot write {path}: the file has another name as well; remove this one")


def _open_temporary(target: str, inputs: Collection[FileId | None], remains: Remains, mode: int = 0o666) -> int:
    path = target + _TEMPORARY
    while True:
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        made = True
        try:
            fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, (mode & 0o666) | stat.S_IRUSR | stat.S_IWUSR)
        except FileExistsError:
            made = False
            try:
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    raise StageError(f"cannot write {path}: it exists and is not a regular file; remove it") from None
                fd = os.open(path, flags)
            except FileNotFoundError:
                continue
        try:
            _lock(fd, path)
            if os.path.lexists(path) and os.path.samestat(os.fstat(fd), os.lstat(path)):
                _refuse_input(regular_file(fd), path, inputs)
                if not os.fstat(fd).st_size:
                    if not made:
                        _refuse_foreign(fd, path)
                    return fd
                remains.see_to(target, fd)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # it has another name now, or its writer completed or removed it before we locked it


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
