"""Threads that write for outputs which block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lines import lines
from live import run

from bgpipe import formats
from bgpipe._codec import Buffer
from bgpipe.errors import StageError
from bgpipe.pipeline import writer
from bgpipe.pipeline.stage import Output
from bgpipe.pipeline.writer import Writer


def buffer(data: bytes) -> Buffer:
    out = Buffer()
    out.extend(data)
    return out


def encoded(count: int) -> Buffer:
    """So many messages."""
    out, encoder = Buffer(), formats.encoder("json")
    encoder.encode(formats.decoder("json").feed(lines(count).encode()), out)
    return out


class Sink:
    """An output that writes when `gate` lets it."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.written: list[bytes] = []
        self.rooms = 0
        self.errors: list[BaseException] = []
        self.stage = cast(Output, SimpleNamespace(label="sink", blocked=False, write=self.write))
        self.writer = Writer(self.stage, self.room, self.errors.append)

    def write(self, data: Buffer) -> None:
        self.gate.wait()
        if b"bad" in bytes(data):
            raise StageError("disk full")
        self.written.append(bytes(data))

    def room(self) -> None:
        self.rooms += 1


def with_sink(test: Callable[[Sink], Coroutine[Any, Any, None]]) -> None:
    async def work() -> None:
        sink = Sink()
        try:
            await test(sink)
        finally:
            sink.gate.set()
            await sink.writer.finish()

    run(work())


def test_in_order_and_joined() -> None:
    async def test(sink: Sink) -> None:
        for number in range(1000):
            sink.writer.put(buffer(b"%d " % number))
        sink.gate.set()
        assert await sink.writer.finish()
        assert b"".join(sink.written) == b"".join(b"%d " % number for number in range(1000))
        assert len(sink.written) <= 2

    with_sink(test)


def test_long_pieces_are_not_copied_and_keep_the_order() -> None:
    async def test(sink: Sink) -> None:
        sink.gate.set()
        sent = []
        for number in range(50):
            sent += [b"%d " % number, b"%d" % number * writer._SMALL]
            for data in sent[-2:]:
                given = buffer(data)
                sink.writer.put(given)
                assert len(given) == (0 if len(data) > writer._SMALL else len(data))
            await asyncio.sleep(0)
        assert await sink.writer.finish()
        assert b"".join(sink.written) == b"".join(sent)

    with_sink(test)


def test_gathers_what_comes_little_by_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes first is written at once, the rest when a moment is over; many octets, or the end, do not wait for it."""
    monkeypatch.setattr(writer, "_GATHER_S", 1000)

    async def until(condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0.001)

    async def test(sink: Sink) -> None:
        sink.gate.set()
        sink.writer.put(buffer(b"first"))
        await until(lambda: sink.written == [b"first"] and sink.writer._gathering)
        for number in range(10):
            sink.writer.put(buffer(b"%d" % number))
            await asyncio.sleep(0.001)
        assert len(sink.written) == 1
        sink.writer.put(buffer(b"x" * writer._PIECE))
        await until(lambda: len(sink.written) == 3)
        assert sink.written[1] == b"0123456789"
        sink.writer.put(buffer(b"last"))

    with_sink(test)


def test_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "FULL", 1000)
    monkeypatch.setattr(writer, "_PIECE", 100)

    async def test(sink: Sink) -> None:
        for _ in range(10):
            sink.writer.put(buffer(bytes(100)))
        assert not sink.stage.blocked
        sink.writer.put(buffer(bytes(100)))
        assert sink.stage.blocked
        assert sink.rooms == 0
        sink.gate.set()
        while sink.stage.blocked:
            await asyncio.sleep(0.001)
        assert sink.rooms == 1

    with_sink(test)


def test_an_error() -> None:
    """Nothing behind it is written, and nobody has to wait for room."""

    async def test(sink: Sink) -> None:
        sink.writer.put(buffer(b"good"))
        sink.writer.call(lambda: None)
        sink.writer.put(buffer(b"bad"))
        sink.writer.call(lambda: sink.written.append(b"called"))
        sink.gate.set()
        await sink.writer.finish()
        assert [str(error) for error in sink.errors] == ["disk full"]
        assert sink.written == [b"good"]
        assert sink.rooms
        sink.writer.put(buffer(b"more"))
        assert sink.written == [b"good"]

    with_sink(test)


def test_calls_keep_the_order() -> None:
    async def test(sink: Sink) -> None:
        sink.writer.put(buffer(b"first"))
        sink.writer.call(lambda: sink.written.append(b"between"))
        sink.writer.put(buffer(b"last"))
        sink.gate.set()
        await sink.writer.finish()
        assert sink.written == [b"first", b"between", b"last"]

    with_sink(test)


def test_one_that_does_not_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_MOMENT_S", 0.001)

    async def test(sink: Sink) -> None:
        for count in (3000, 20, 5):
            sink.writer.put(encoded(count))
        assert not await sink.writer.finish(0.01)
        assert sink.writer.abort() == 3025
        sink.gate.set()
        assert await sink.writer.finish()
        assert len(sink.written) == 1

    with_sink(test)


def test_what_is_there_is_written() -> None:
    """Asked for at any time: before the write, behind it, and behind the end."""

    async def test(sink: Sink) -> None:
        seen: list[int] = []

        def look() -> None:
            seen.append(len(b"".join(sink.written)))

        sink.writer.put(buffer(b"one"))
        sink.writer.when_written(look)
        await asyncio.sleep(0.05)
        assert seen == []
        sink.gate.set()
        sink.writer.put(buffer(b"two"))
        sink.writer.when_written(look)
        while len(seen) < 2:
            await asyncio.sleep(0.001)
        assert seen[0] >= 3 and seen[1] == 6
        assert await sink.writer.finish()
        sink.writer.when_written(look)
        await asyncio.sleep(0.01)
        assert seen[2:] == [6]

    with_sink(test)


def test_what_was_given_up_is_never_written() -> None:
    async def test(sink: Sink) -> None:
        seen: list[str] = []
        sink.gate.set()
        sink.writer.put(buffer(b"bad"))
        sink.writer.when_written(lambda: seen.append("at once"))
        await asyncio.sleep(0.05)
        sink.writer.when_written(lambda: seen.append("later"))
        await asyncio.sleep(0.05)
        assert (seen, len(sink.errors)) == ([], 1)

    with_sink(test)
