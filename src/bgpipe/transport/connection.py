"""A TCP connection on the event loop: octets in, framed to a batch a read; batches out, a joined write each.

Bytes are received into one buffer that all connections of a thread share, and copied by the decoder into a block of
the batch. While whoever takes the batches has to wait with one, nothing is read: the kernel's window closes, and the
other side stops sending. The other way, `writing` says when the other side does not read.

No connection holds the loop for long: behind the batch with which its turn is over (TURN_S), others are served first.

A connection that breaks while something is written may have brought a NOTIFICATION just before, which tells why: what
the kernel still holds then is read like all that came before it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from time import monotonic
from typing import Protocol, cast

from bgpipe.transport import tcp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bgpipe._codec import Batch, Decoder

RECEIVE_SIZE = 256 << 10
TURN_S = 0.002
MOST_UNSENT = 256 << 10  # octets that wait to be sent, beside those of the kernel


class Taker(Protocol):
    """Who has a connection, and is told what happens to it."""

    def came(self, batch: Batch) -> Awaitable[None] | None:
        """The messages of a read; what to wait for before there are more. An `error` of the batch is the end."""

    def reading(self, on: bool) -> None:
        """Whether the connection is read from."""

    def writing(self, on: bool) -> None:
        """Whether the other side takes what is written."""

    def eof(self) -> None:
        """Nothing more comes. Unless the connection is lost, the other side may still read."""

    def lost(self, error: Exception | None) -> None:
        """The connection is gone; not without an error if it was broken off.

        There may be messages yet that had come before; then eof() is told.
        """


class _Shared(threading.local):
    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(RECEIVE_SIZE))


_shared = _Shared()


class Connection(asyncio.BufferedProtocol):
    """One connection. Nothing is read before start().

    decoder: makes the batches. taker: see there. Its transport is made by the loop, with this as the protocol.
    """

    def __init__(self, decoder: Decoder, taker: Taker) -> None:
        self._decoder = decoder
        self._taker = taker
        self._buffer = _shared.buffer
        self._early = b""  # came before start()
        self._started = False
        self._held = False  # a batch is waited for, or the next turn
        self._reading = True
        self._eof = False
        self._silent = False  # the taker knows that nothing more comes
        self._keeps = False  # what the kernel holds when the connection breaks is the other side's octets
        self._stopped = False  # nothing more is taken of what comes
        self._deaf = False  # nor of what has come
        self.gone = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """Read from now on."""
        self._started = True
        self._go_on()

    def stop(self) -> None:
        """Take no more of what comes, but tell when it ends."""
        self._stopped = True
        if not self._held:
            self._read(True)

    def forget(self) -> None:
        """Take no more, not even of what has been read."""
        self._deaf = self._stopped = True

    def write(self, data: bytes | memoryview) -> None:
        """Send this, behind what was written before."""
        if not self.transport.is_closing():
            self.transport.write(data)

    @property
    def left(self) -> bool:
        """Whether the other side has sent its last, or is gone; known also while nothing is read."""
        return self._eof or self.gone.done() or tcp.has_left(self.transport.get_extra_info("socket"))

    @property
    def unsent(self) -> int:
        """Octets that the kernel has not taken yet."""
        return 0 if self.transport.is_closing() else self.transport.get_write_buffer_size()

    def write_eof(self) -> None:
        """Nothing more is written. Over TLS there is no such thing, and the end comes with close()."""
        if not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()

    async def close(self, moment_s: float, most_s: float) -> None:
        """Send what is left, as long as within each moment something of it goes out, at most so long, and close."""
        self._stopped = True
        unsent = self.unsent
        self.transport.close()
        until = asyncio.get_running_loop().time() + most_s
        while not self.gone.done():
            await asyncio.wait((self.gone,), timeout=moment_s)
            before, unsent = unsent, self.transport.get_write_buffer_size()
            if unsent >= before or asyncio.get_running_loop().time() >= until:
                self.transport.abort()

    def abort(self) -> None:
        """Close at once."""
        self._stopped = True
        self.transport.abort()

    # ---- what the loop calls -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self.transport.set_write_buffer_limits(MOST_UNSENT)
        self._keeps = transport.get_extra_info("sslcontext") is None

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._stopped:
            return
        data = self._buffer[:nbytes]
        if not self._started or self._held:  # the loop had begun to read before it could be told not to
            self._early += bytes(data)
            self._read(False)
        else:
            self._bring(self._decoder.feed(data))

    def eof_received(self) -> bool:
        self._eof = True
        if self._started and not self._held:
            self._end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set_result(None)
        self._taker.lost(exc)
        self._eof = True
        if exc is not None and self._keeps and not self._stopped:
            self._early += self._kept()
        if self._stopped:
            self._end()
        elif self._started and not self._held:
            self._go_on()

    def pause_writing(self) -> None:
        self._taker.writing(False)

    def resume_writing(self) -> None:
        self._taker.writing(True)

    # ---- how ---------------------------------------------------------------------------------------------------

    def _bring(self, batch: Batch) -> None:
        until = monotonic() + TURN_S
        while not self._deaf:
            waiting = self._taker.came(batch) if len(batch) or batch.error is not None else None
            if waiting is not None:
                self._held = True
                self._read(False)
                asyncio.ensure_future(waiting).add_done_callback(self._waited)
                return
            if len(batch) and monotonic() >= until:
                self._yield()
                return
            if not self._decoder.paused:
                break
            batch = self._decoder.feed(b"")
        if self._eof:
            self._end()
        elif not self._reading:
            self._read(True)

    def _yield(self) -> None:
        self._held = True
        if self._reading and not self.transport.is_closing():
            self._reading = False  # the taker is not told: this is no more than a moment
            self.transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._held = False
        self._go_on()

    def _waited(self, done: asyncio.Future[None]) -> None:
        self._held = False
        if not done.cancelled() and done.exception() is None:
            self._go_on()

    def _go_on(self) -> None:
        early, self._early = self._early, b""
        self._bring(self._decoder.feed(early))

    def _kept(self) -> bytes:
        """What has come, and was not read: Linux keeps it when the connection breaks."""
        kept = bytearray()
        fd = self.transport.get_extra_info("socket").fileno()
        while True:
            try:
                if not (size := os.readv(fd, [self._buffer])):
                    break
            except OSError:  # nothing more, or the error once more
                break
            kept += self._buffer[:size]
        return bytes(kept)

    def _read(self, on: bool) -> None:
        if on != self._reading and not self.transport.is_closing():
            self._reading = on
            if on:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()
            self._taker.reading(on)

    def _end(self) -> None:
        if not self._silent:
            self._silent = True
            self._taker.eof()
