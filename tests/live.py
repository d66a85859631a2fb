"""Live pipelines in one event loop with peers made for the purpose, over loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from bgpipe._view import Msg
from bgpipe.bgp.causes import KEEPALIVE_MESSAGE, message
from bgpipe.bgp.negotiation import Offer
from bgpipe.bgp.session import CAPABILITIES
from bgpipe.errors import BgpipeError
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.events import Event
from bgpipe.stages.speaker import Speaker

Result = TypeVar("Result")

KEEPALIVE = KEEPALIVE_MESSAGE
PATIENCE_S = 30.0  # for what never happens, if there is a bug
NO_EXTENDED = tuple(pair for pair in CAPABILITIES if pair[0] != 6)


class Clock(uvloop.Loop):  # type: ignore[misc]
    """An event loop whose time can be put forward."""

    ahead_s = 0.0

    def time(self) -> float:
        return float(super().time()) + self.ahead_s


def run(
    work: Coroutine[Any, Any, Result],
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = Clock,
    patience_s: float = PATIENCE_S,
) -> Result:
    async def soon() -> Result:
        return await asyncio.wait_for(work, patience_s)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(soon())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        number: int = sock.getsockname()[1]
        return number


def open_message(asn: int, identifier: int = 7, hold_time: int = 90, capabilities: Iterable[tuple[int, bytes]] = ()) -> bytes:
    return Offer(asn, hold_time, identifier, tuple(capabilities)).wire


def update(number: int, size: int = 0) -> bytes:
    """An UPDATE that withdraws prefixes which have `number` in them; at least `size` octets of them."""
    prefixes = b"\x20" + number.to_bytes(4)
    prefixes *= max(1, size // len(prefixes))
    return message(2, len(prefixes).to_bytes(2) + prefixes + b"\0\0")


class Live:
    """A pipeline that runs as a task. events: what happened. seen: copies of its messages, where it is to `look`."""

    def __init__(self, *words: str, look: bool = False) -> None:
        self.pipe = Pipeline(["-l", "disabled", *words])
        self.seen: list[Msg] = []
        if look:
            self.pipe.on_message(self._look)
        self.events: list[Event] = []
        self._news = asyncio.Event()
        self.pipe.on_event()(self._on_event)
        self.task = asyncio.ensure_future(self._run())

    def _on_event(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    def _look(self, msg: Msg) -> Msg:
        self.seen.append(msg.copy())
        return msg

    async def _run(self) -> BgpipeError | None:
        try:
            await self.pipe.run()
        except BgpipeError as error:
            return error
        return None

    @property
    def names(self) -> list[str]:
        return [event.name if event.source == "bgpipe" else str(event) for event in self.events]

    async def until(self, name: str) -> None:
        while name not in self.names:
            self._news.clear()
            await self._news.wait()

    async def stop(self) -> BgpipeError | None:
        self.pipe.end()
        return await self.task

    async def later(self, seconds: float) -> None:
        """Put the time forward, for all timers of the session."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Clock) and self.pipe.session is not None
        await asyncio.sleep(0.02)  # what is on its way comes before
        loop.ahead_s += seconds
        self.pipe.session.changed()
        for stage in self.pipe.stages:
            if isinstance(stage, Speaker):
                stage._changed.set()


class Remote:
    """The other side of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *messages: bytes) -> None:
        self.writer.write(b"".join(messages))

    async def message(self) -> bytes:
        head = await self.reader.readexactly(19)
        return head + await self.reader.readexactly(int.from_bytes(head[16:18]) - 19)

    async def rest(self) -> bytes:
        """All that comes until the end."""
        return await self.reader.read()

    async def establish(self, hello: bytes) -> None:
        """As a speaker that sends its OPEN at once."""
        self.send(hello)
        assert (await self.message())[18] == 1
        self.send(KEEPALIVE)
        assert await self.message() == KEEPALIVE

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        self.writer.transport.abort()


async def dial(port: int, host: str = "127.0.0.1", **options: Any) -> Remote:
    """Connect as soon as somebody listens there."""
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            return Remote(*await asyncio.open_connection(host, port, **options))
        await asyncio.sleep(0.01)


async def listening(port: int) -> None:
    """Wait until somebody listens there, without a connection."""
    while f"{port:04X} 00000000:0000 0A" not in Path("/proc/net/tcp").read_text():
        await asyncio.sleep(0.01)


class Server:
    """Listens on a port of its own."""

    def __init__(self) -> None:
        self._remotes: asyncio.Queue[Remote] = asyncio.Queue()

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(
            lambda reader, writer: self._remotes.put_nowait(Remote(reader, writer)), "127.0.0.1", 0
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def accept(self) -> Remote:
        return await self._remotes.get()


@contextlib.asynccontextmanager
async def proxy(*stages: str, look: bool = False) -> AsyncIterator[tuple[Live, Remote, Remote]]:
    """listen, these stages, connect: the pipeline, and the two that it is between."""
    async with Server() as server:
        port = free_port()
        between = [word for stage in stages for word in (*stage.split(), "--")]
        ends = ["listen", f"127.0.0.1:{port}"], ["connect", "--wait", "listen", f"127.0.0.1:{server.port}"]
        live = Live("--", *ends[0], "--", *between, *ends[1], look=look)
        left = await dial(port)
        right = await server.accept()
        yield live, left, right
        await live.stop()
        left.close()
        right.close()
