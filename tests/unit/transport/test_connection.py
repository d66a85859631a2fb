"""Connections: what came before one broke is not lost."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from live import PATIENCE_S, run, update

from bgpipe._codec import Batch, RawDecoder
from bgpipe.bgp.causes import Cause
from bgpipe.transport.connection import Connection


class Waiter:
    """Takes what comes, and waits with the first batch for as long as it is held."""

    def __init__(self, *, holds: bool = False) -> None:
        self.told: list[object] = []
        self.over = asyncio.Event()
        self.free = asyncio.Event() if holds else None

    def came(self, batch: Batch) -> asyncio.Future[bool] | None:
        self.told += [batch.wire(index) for index in range(len(batch))]
        return asyncio.ensure_future(self.free.wait()) if self.free is not None and not self.free.is_set() else None

    def reading(self, on: bool) -> None: ...

    def writing(self, on: bool) -> None: ...

    def eof(self) -> None:
        self.told.append("eof")
        self.over.set()

    def lost(self, error: Exception | None) -> None:
        self.told.append("lost" if error is None else type(error))


@pytest.mark.parametrize("holds", [False, True])
def test_what_came_before_a_write_failed(holds: bool) -> None:
    """A router says why, and resets the connection: we notice when we write, before that was read."""

    async def test() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as server:
            ours = socket.create_connection(server.getsockname())
            theirs, _ = server.accept()
            ours.setblocking(False)
            taker = Waiter(holds=holds)
            connection = Connection(RawDecoder(direction="R"), taker)  # type: ignore[arg-type]
            await loop.create_connection(lambda: connection, sock=ours)
            connection.start()
            theirs.sendall(update(1))
            while not taker.told:
                await asyncio.sleep(0.001)
            farewell = update(2) + Cause(3, 10).wire
            theirs.sendall(farewell)
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            theirs.close()
            connection.write(update(3))  # the loop has had no time to read
            connection.write(update(4))
            await asyncio.sleep(0.01)
            if taker.free is not None:
                assert taker.told[0] == update(1)
                assert "eof" not in taker.told
                taker.free.set()
            await asyncio.wait_for(taker.over.wait(), PATIENCE_S)
            assert [said for said in taker.told if isinstance(said, bytes)] == [update(1), update(2), Cause(3, 10).wire]
            assert taker.told[-1] == "eof"
            assert any(isinstance(said, type) and issubclass(said, OSError) for said in taker.told)

    run(test())


def test_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many batches one read is made of, the loop serves others between them, and nothing is lost or late."""
    monkeypatch.setattr("bgpipe.transport.connection.TURN_S", 0.0)

    async def test() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as server:
            ours = socket.create_connection(server.getsockname())
            theirs, _ = server.accept()
            ours.setblocking(False)
            taker = Waiter()
            decoder = RawDecoder(direction="R")
            decoder.cut = 1 << 2
            connection = Connection(decoder, taker)  # type: ignore[arg-type]
            await loop.create_connection(lambda: connection, sock=ours)
            sent = [update(number) for number in range(200)]
            theirs.sendall(b"".join(sent[:100]))
            more = b"".join(sent[100:])
            connection.start()
            most = before = 0
            while "eof" not in taker.told:
                await asyncio.sleep(0)
                most, before = max(most, len(taker.told) - before), len(taker.told)
                if before >= 50 and more:
                    theirs.sendall(more)
                    theirs.shutdown(socket.SHUT_WR)
                    more = b""
            assert taker.told == [*sent, "eof"]
            assert most <= 2, "the last one, and the end behind it"
            connection.abort()
            theirs.close()
            await connection.gone

    run(test())
