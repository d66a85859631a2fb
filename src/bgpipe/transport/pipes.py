"""Pipes on the event loop: bytes to and from another program, without threads.

A Writer queues what the pipe does not take at once; a Reader hands on what a decoder makes of a read, and reads nothing
while that has to wait. File descriptors are non-blocking, and closed here.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sys
import termios
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgpipe._codec import Batch, Decoder
    from bgpipe.formats.records import Whole

FULL = 256 << 10  # octets that wait to be written, beside those in the pipe
_READ_SIZE = 256 << 10
_PIPE_SIZE = 1 << 20  # what the kernel is asked to hold
_LINE_SIZE = 4 << 10


def widen(fd: int) -> None:
    """Let a pipe hold more than the usual 64 KiB, as far as that is allowed."""
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)


def pending(fd: int) -> int:
    """Octets in a pipe."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)


class Writer:
    """The writing end.

    changed: called when there is room again, when all is written behind close(), and when nobody reads any more.
    whole: what counts messages in what is written; None where that cannot be, and those read in part count as unread.
    holds: hold on to what is in the pipe when it is closed, so that it can be taken back. Who else has it open can
    still read it, and finds its end.
    unsent: octets that wait. broken: nobody reads, and what waited is gone. closed: the pipe is closed.
    """

    def __init__(self, fd: int, changed: Callable[[], None], whole: Whole | None, *, holds: bool = False) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._changed = changed
        self._whole = whole
        self._holds = holds
        self._hold = -1  # what was in the pipe when it was closed can be read here
        self._sent: deque[tuple[bytes, int]] = deque()  # what may be unread yet, with the messages in it
        self._held = 0  # octets of it
        self._written = 0  # octets in all
        self._left = 0  # octets that did not get into the pipe before it was closed
        self._loop = asyncio.get_running_loop()
        self._queue: deque[memoryview] = deque()
        self._ending = False
        self.unsent = 0
        self.broken = False
        self.closed = False

    @property
    def full(self) -> bool:
        """Whether to write no more until there is room."""
        return self.unsent > FULL

    @property
    def unread(self) -> int:
        """Octets that nobody has read, those in the pipe included, as far as we have it open."""
        fd = self._hold if self.closed else self._fd
        return self._left + self.unsent + (pending(fd) if fd >= 0 else 0)

    def count(self, octets: int) -> int:
        """How many messages end within these octets, the last of what was written; no more of them than are unread."""
        self._forget(octets)
        count = sum(messages for _, messages in self._sent)
        if self._held > octets and self._whole is not None:
            count -= self._whole(self._sent[0][0][: self._held - octets])[1]
        return count

    def write(self, data: bytes, messages: int = 0) -> None:
        """Write this behind all that came before."""
        if self._ending or not data:
            return
        self._sent.append((data, messages))
        self._held += len(data)
        self._written += len(data)
        if self.closed:
            self._left += len(data)
            return
        self._queue.append(memoryview(data))
        self.unsent += len(data)
        if len(self._queue) == 1:
            self._write()
            if self._queue:
                self._loop.add_writer(self._fd, self._write_on)
        self._forget(self.unread)

    def close(self) -> None:
        """Close the pipe behind what has been written."""
        self._ending = True
        if not self._queue:
            self._close()

    def abort(self) -> None:
        """Close the pipe at once, and hold on to nothing."""
        self._close()
        if self._hold >= 0:
            os.close(self._hold)
            self._hold = -1

    def take_back(self, *, all_or_nothing: bool = False) -> list[tuple[bytes, int]]:
        """Close the pipe at once. Returns what nobody has read, nor can any more, with the messages in it.

        Messages read in part are there as a whole. What cannot be told apart from what was read is left out, and still
        counts as unread; all_or_nothing: so is all, if anything was read.
        """
        self._close()
        while self._hold >= 0 and (data := os.read(self._hold, _READ_SIZE)):
            self._left += len(data)
        self._forget(self._left)
        seen = self._held - self._left
        if all_or_nothing and self._left < self._written:
            return []
        parts = list(self._sent)
        self._sent.clear()
        self._held = self._left = 0
        if parts and seen:
            data, messages = parts[0]
            if self._whole is None:
                self._sent.append(parts.pop(0))
                self._held = len(data)
                self._left = len(data) - seen
            else:
                start, count = self._whole(data[:seen])
                parts[0] = data[start:], messages - count
        return parts

    def _close(self) -> None:
        if not self.closed:
            self.closed = True
            if self._queue:
                self._loop.remove_writer(self._fd)
            self._queue.clear()
            self._left, self.unsent = self.unsent, 0
            if self._holds:
                with contextlib.suppress(OSError):  # then what is in there counts as read
                    self._hold = os.open(f"/proc/self/fd/{self._fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.close(self._fd)

    def _write_on(self) -> None:
        was_full = self.full
        self._write()
        if self.closed:
            return
        if not self._queue:
            self._loop.remove_writer(self._fd)
            if self._ending:
                self._close()
        if self.closed or (was_full and not self.full):
            self._changed()

    def _forget(self, octets: int) -> None:
        """Keep what has these last octets of what was written."""
        while self._sent and self._held - len(self._sent[0][0]) >= octets:
            self._held -= len(self._sent.popleft()[0])

    def _write(self) -> None:
        try:
            while self._queue:
                first = self._queue[0]
                taken = os.write(self._fd, first)
                self.unsent -= taken
                if taken < len(first):
                    self._queue[0] = first[taken:]
                else:
                    self._queue.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self.broken = True
            self._close()
            self._changed()


class Reader:
    """The reading end.

    take: gets each batch that is not empty, or has an error, which is the last one; it returns what to wait for before
    there are more. changed: called at the end. over: nothing more comes, and all that came was taken. cut: the end was
    amid a message. waits: for what it took last to get on.
    """

    def __init__(
        self,
        fd: int,
        decoder: Decoder,
        take: Callable[[Batch], Awaitable[None] | None],
        changed: Callable[[], None],
    ) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._decoder = decoder
        self._take = take
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._buffer = memoryview(bytearray(_READ_SIZE))
        self._reading = False
        self._closed = False
        self.over = False
        self.cut = False
        self.waits = False

    def start(self) -> None:
        """Read from now on."""
        self._read(True)

    def abort(self) -> None:
        """Read no more."""
        if not self._closed:
            self._read(False)
            self._closed = self.over = True
            os.close(self._fd)
            self._changed()

    def _readable(self) -> None:
        try:
            size = os.readv(self._fd, (self._buffer,))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            size = 0
        self._bring(self._buffer[:size], size == 0)

    def _bring(self, data: memoryview | bytes, eof: bool) -> None:
        while True:
            batch = self._decoder.feed(data, eof)
            bad = batch.error is not None
            waiting = self._take(batch) if len(batch) or bad else None
            if bad:
                self.cut = eof
                self.abort()
                return
            if waiting is not None:
                self.waits = True
                self._read(False)
                asyncio.ensure_future(waiting).add_done_callback(lambda done: self._go_on(done, eof))
                return
            if not self._decoder.paused:
                break
            data = b""
        if eof:
            self.abort()
        else:
            self._read(True)

    def _go_on(self, done: asyncio.Future[None], eof: bool) -> None:
        self.waits = False
        if done.cancelled() or done.exception() is not None:
            self.abort()
        elif self._closed:
            return
        elif self._decoder.paused:
            self._bring(b"", eof)
        elif eof:
            self.abort()
        else:
            self._read(True)

    def _read(self, on: bool) -> None:
        if on != self._reading and not self._closed:
            self._reading = on
            if on:
                self._loop.add_reader(self._fd, self._readable)
            else:
                self._loop.remove_reader(self._fd)


class Lines:
    """A pipe of text: `say` is called with each line, of which it gets the first 4 KiB."""

    def __init__(self, fd: int, say: Callable[[str], None]) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._line = b""
        self._closed = False
        self._loop.add_reader(fd, self._readable)

    def close(self) -> None:
        """Say what is left, and read no more."""
        for _ in range(_PIPE_SIZE // _READ_SIZE):  # and no longer than that: somebody may go on with it
            if not self._closed:
                self._readable()
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            if self._line:
                self._tell(self._line)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._closed = True
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            data, self._line = self._line, b""
            if data:
                self._tell(data)
            return
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._tell(self._line + line)
            self._line = b""
        self._line = (self._line + rest)[:_LINE_SIZE]

    def _tell(self, line: bytes) -> None:
        self._say(line[:_LINE_SIZE].decode("utf-8", "replace").rstrip("\r"))
