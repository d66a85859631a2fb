"""What the fuzzers run, a function a target; tests/fuzz/test_replay.py runs the same on known inputs without a fuzzer.

Each takes bytes and returns, or raises where an invariant does not hold: the code under test gives a result or an
InputError, never anything else, whatever the bytes and however they are cut into reads; and what it gives turns
back into the bytes that it came from.
"""

from __future__ import annotations

from bgpipe._codec import Batch, Buffer, Decoder, RawDecoder, RawEncoder
from bgpipe.errors import InputError, MessageError

MARKER = b"\xff" * 16


class Pieces:
    """A source that gives its bytes `size` at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = memoryview(data)
        self._size = size

    def readinto(self, buffer: memoryview) -> int:
        n = min(self._size, len(buffer), len(self._data))
        buffer[:n] = self._data[:n]
        self._data = self._data[n:]
        return n


def batches(decoder: Decoder, source: Pieces) -> tuple[list[Batch], InputError | None]:
    found = []
    while (batch := decoder.read(source)) is not None:
        found.append(batch)
        if batch.error is not None:
            assert isinstance(batch.error, InputError), batch.error
            assert decoder.read(source) is None, "nothing follows an error"
            return found, batch.error
    return found, None


def wire(found: list[Batch]) -> list[bytes]:
    return [batch.wire(i) for batch in found for i in range(len(batch))]


def checked(found: list[Batch]) -> None:
    """The check of each message agrees with the errors that are given for it."""
    for batch in found:
        bad = batch.check()
        failures = batch.failures()
        assert len(failures) == bad
        for index, error in failures:
            assert isinstance(error, MessageError)
            assert error.offset is not None and error.offset <= len(batch.wire(index)), error


def framing(data: bytes) -> None:
    """Raw messages: byte 0 says how, byte 1 in which pieces, the rest is the stream."""
    how, size, stream = data[:1], data[1:2], data[2:]
    flags = how[0] if how else 0

    def decode(piece: int) -> tuple[list[bytes], str, int]:
        decoder = RawDecoder(
            as_size=2 if flags & 1 else 4, addpath=bool(flags & 2), pardon=bool(flags & 4), block_size=64
        )
        found, error = batches(decoder, Pieces(stream, piece))
        checked(found)
        out, encoder = Buffer(), RawEncoder()
        for batch in found:
            encoder.encode(batch, out)
        messages = wire(found)
        assert bytes(out) == b"".join(messages)
        assert error is None or not flags & 4, "what is pardoned is no error"
        return messages, str(error), decoder.skipped

    whole = decode(len(stream) + 1)
    assert whole == decode((size[0] if size else 0) + 1), "the cut of the reads must not matter"
    if not flags & 4:
        assert stream.startswith(b"".join(whole[0]))
