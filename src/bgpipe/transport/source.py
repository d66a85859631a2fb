"""Byte sources of the stages read and stdin: files, pipes, devices and URLs, decompressed on the way.

Synchronous and without an event loop: the loop-free driver calls readinto() from its worker threads, one at a
time, under a lock. Every wait and every decompression releases the GIL.
"""

from __future__ import annotations

import os
from io import FileIO

from bgpipe.errors import BgpipeError, InputError, StageError
from bgpipe.transport import compression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from bgpipe.transport.compression import Decoder

    FileId = tuple[int, int]  # st_dev, st_ino

    class Raw(Protocol):
        """Bytes as they are stored.

        label: what messages call them. name: what their format is guessed by. file: as that of Source.
        """

        label: str
        name: str
        position: int
        size: int | None
        file: FileId | None

        def readinto(self, buffer: memoryview, /) -> int: ...

        def rewind(self) -> bool:
            """Go back to the first byte; False where that cannot be."""
            ...

        def interrupt(self) -> None:
            """Have waits for input, now and later ones, raise Interrupted. From any thread and signal handler."""
            ...

        def close(self) -> None: ...


class Interrupted(BgpipeError):
    """A wait for input was broken off by interrupt()."""


def open_source(path: str, decompress: str = "auto", *, threads: int = 1) -> Source:
    """Open a file, pipe or device, an http or https URL, or "-", standard input.

    decompress: "auto", "none" or one of compression.FORMATS. "auto" goes by the first bytes, whatever the
        name says, since archives are often misnamed; the first read settles it: opening never waits for data.
    threads: how many threads decompression may keep busy.
    Raises StageError where there is nothing to open.
    """
    if path.lower().startswith(("http://", "https://")):
        from bgpipe.transport.http import HttpInput

        return Source(HttpInput(path), decompress, threads)
    return Source(FileInput(path), decompress, threads)


class FileInput:
    """A file, pipe or device as it is, or standard input.

    size: bytes that are left to read, None where that is not known.
    """

    __slots__ = ("_file", "_start", "_wake", "file", "label", "name", "position", "size")

    def __init__(self, path: str) -> None:
        self.label, self.name = ("standard input", "") if path == "-" else (path, path.rpartition("/")[2])
        self._wake: tuple[int, int] | None = None  # a pipe that breaks off waits for input
        try:
            self._file = FileIO(0, closefd=False) if path == "-" else FileIO(path, opener=_open)
            fd = self._file.fileno()
            self.file = regular_file(fd)
            self._start = os.lseek(fd, 0, os.SEEK_CUR) if self.file is not None else 0
            self.size = max(os.fstat(fd).st_size - self._start, 0) if self.file is not None else None
            if self.file is None:
                self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            raise StageError(f"cannot read {self.label}: {explain(error)}") from None
        self.position = 0

    def readinto(self, buffer: memoryview) -> int:
        try:
            if self._wake is not None:
                self._wait(self._wake[0])
            while (count := self._file.readinto(buffer)) is None:
                assert self._wake is not None  # reading a regular file never would block
                self._wait(self._wake[0])
        except OSError as error:
            raise StageError(f"cannot read {self.label}: {explain(error)}") from None
        self.position += count
        return count

    def interrupt(self) -> None:
        if self._wake is not None:
            os.write(self._wake[1], b"x")

    def _wait(self, wake: int) -> None:
        import select

        waiting = select.poll()
        waiting.register(self._file, select.POLLIN)
        waiting.register(wake, select.POLLIN)
        if any(fd == wake for fd, _ in waiting.poll()):
            raise Interrupted(f"reading {self.label} was broken off")

    def rewind(self) -> bool:
        if self.size is None:
            return False
        self._file.seek(self._start)
        self.position = 0
        return True

    def close(self) -> None:
        self._file.close()
        if self._wake is not None:
            wake, self._wake = self._wake, None
            os.close(wake[0])
            os.close(wake[1])


def _open(path: str, flags: int) -> int:
    # A named pipe without a writer opens at once, too: it is waited for where that can be broken off.
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


class Source:
    """Decompressed bytes, in order.

    name: the file's name, for guessing the format, after redirects; "" for standard input.
    head: the first bytes, up to 16 and once they have been read.
    """

    def __init__(self, raw: Raw, decompress: str = "auto", threads: int = 1) -> None:
        self._raw = raw
        self._decompress = decompress
        self._threads = threads
        self._decoder: Decoder | None = None
        self._format = "none"
        self._given = 0  # decompressed bytes taken from the decoder
        self._ahead = memoryview(b"")  # decompressed, not yet handed out
        self._failure: BgpipeError | None = None
        self.head = b""

    @property
    def name(self) -> str:
        return self._raw.name

    @property
    def file(self) -> FileId | None:
        """Which regular file it is, whatever its name; None for a pipe, a device or a URL."""
        return self._raw.file

    @property
    def raw_pos(self) -> int:
        """Bytes consumed so far, as they are stored."""
        return self._raw.position

    @property
    def raw_size(self) -> int | None:
        """Bytes there are, as they are stored; None where that is not known."""
        return self._raw.size

    def readinto(self, buffer: memoryview) -> int:
        """Fill buffer, or a part of it, and return how many bytes; 0 at the end.

        Raises InputError where a compressed stream is cut short or damaged, StageError where reading fails;
        either only after everything in front of it has been handed out.
        """
        if self._ahead:
            count = min(len(buffer), len(self._ahead))
            buffer[:count] = self._ahead[:count]
            self._ahead = self._ahead[count:]
            return count
        return self._pull(buffer)

    def peek(self, size: int) -> bytes:
        """The next size bytes, without consuming them; fewer at the end, or in front of damage."""
        if len(self._ahead) < size:
            ahead = bytearray(size)
            filled = len(self._ahead)
            ahead[:filled] = self._ahead
            try:
                while filled < size and (count := self._pull(memoryview(ahead)[filled:])):
                    filled += count
            except BgpipeError as error:
                self._failure = error
            self._ahead = memoryview(ahead)[:filled]
        return bytes(self._ahead[:size])

    def blank(self, mark: bytes) -> None:
        """Where it begins with these bytes, give spaces in their place: offsets stay what they are."""
        if self.peek(len(mark)) == mark:
            self._ahead[: len(mark)] = b" " * len(mark)

    def interrupt(self) -> None:
        """Have reads that wait for input, now and later ones, raise Interrupted. From any thread and signal handler."""
        self._raw.interrupt()

    def close(self) -> None:
        if isinstance(self._decoder, compression.Pieces):
            self._decoder.close()
        self._raw.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _pull(self, buffer: memoryview) -> int:
        if self._failure is not None:
            raise self._failure
        try:
            decoder = self._decoder
            if decoder is None:
                decoder = self._decoder = self._start()
            count = decoder.readinto(buffer)
            if not count and not self._raw.position and self._format != "none":
                raise compression.Damage(cut=True)  # even a stream of nothing takes some bytes
        except compression.Damage as damage:
            count = damage.written
            if damage.lost and self._retrace(self._given + count):
                return count or self._pull(buffer)
            self._failure = self._explain(damage, self._given + count)
            if not count:
                raise self._failure from None
        except BgpipeError as error:
            self._failure = error
            raise
        if len(self.head) < 16:
            self.head += bytes(buffer[: min(count, 16 - len(self.head))])
        self._given += count
        return count

    def _start(self) -> Decoder:
        """Find out the compression from the first bytes, and put these back in front."""
        name = self._decompress
        source: compression.Input = self._raw
        if name == "auto":
            head = b""
            found = ""
            first = memoryview(bytearray(compression.MAGIC_SIZE))
            while not found and len(head) < len(first) and (count := self._raw.readinto(first[len(head) :])):
                head = bytes(first[: len(head) + count])
                found = compression.by_content(head)
            # Too short to tell: if the name says that it is compressed, it was cut in its first bytes.
            name = found or compression.by_name(self._raw.name)
            if not self._raw.rewind():
                source = _Headed(head, self._raw)
        self._format = name
        return source if name == "none" else compression.decoder(name, source, self._threads)

    def _retrace(self, given: int) -> bool:
        """Go over it again with a decoder that gets nearer to the damage. False if that cannot be."""
        if not self._raw.rewind():
            return False
        decoder = compression.careful_decoder(self._format, self._raw, given)
        scratch = memoryview(bytearray(1 << 16))
        skipped = 0
        try:
            while skipped < given:
                count = decoder.readinto(scratch[: given - skipped])
                if not count:
                    return False
                skipped += count
        except compression.Damage:
            return False
        self._decoder = decoder
        self._given = given
        return True

    def _explain(self, damage: compression.Damage, offset: int) -> BgpipeError:
        if isinstance(damage.__cause__, BgpipeError):
            return damage.__cause__
        kind, label = compression.NOUNS[self._format], self._raw.label
        position = self._raw.position if damage.position is None else damage.position
        if isinstance(damage, compression.TooLarge):
            message = f"the {kind} stream of {label} takes {damage}; unpack it with the {kind} command"
        elif damage.cut:
            message = f"{kind} stream is cut short at byte {position} of {label}"
        elif str(damage) != compression.NO_MAGIC:
            message = f"{kind} stream is damaged before byte {position} of {label}: {damage}"
        elif offset:
            message = f"{kind} stream ends before byte {position} of {label}, but something else follows"
        else:
            message = f"{label} is not a {kind} file"
            found = compression.by_content(self._first_bytes())
            if found in compression.FORMATS:
                message += f"; it looks like {compression.NOUNS[found]}"
        return InputError(message, offset=offset)


    def _first_bytes(self) -> bytes:
        """As they are stored; none where there is no going back."""
        return compression.read(self._raw, compression.MAGIC_SIZE) if self._raw.rewind() else b""


class _Headed:
    """An input whose first bytes were taken off it to look at them."""

    __slots__ = ("_head", "_raw")

    def __init__(self, head: bytes, raw: Raw) -> None:
        self._head = head
        self._raw = raw

    def readinto(self, buffer: memoryview) -> int:
        if not self._head:
            return self._raw.readinto(buffer)
        count = min(len(buffer), len(self._head))
        buffer[:count] = self._head[:count]
        self._head = self._head[count:]
        return count


def regular_file(file: int | str) -> FileId | None:
    """Which file an open descriptor or a path leads to, if that is a regular one. Raises OSError."""
    import stat

    status = os.stat(file)  # noqa: PTH116
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def explain(error: Exception) -> str:
    """Why a system call failed, in a few words."""
    reason = getattr(error, "strerror", None) or str(error)
    return str(reason[:1].lower() + reason[1:])
