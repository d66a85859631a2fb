"""The stage websocket: client and server, with each other, with the library `websockets`, and with sockets that misbehave."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import ipaddress
import itertools
import json
import os
import random
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from lines import line, lines, read_lines, right, write_lines
from live import KEEPALIVE, Clock, Live, dial, free_port, open_message, proxy, update
from live import run as in_loop

import bgpipe
import corpus
from bgpipe.cli import main
from bgpipe.errors import BgpipeError, InputError, StageError, UsageError
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.service import raise_limit
from bgpipe.stages import websocket as stage
from bgpipe.stages.websocket import Websocket
from bgpipe.stages.write import Write
from bgpipe.transport import websocket as transport

websockets = pytest.importorskip("websockets")

CYCLES = int(os.environ.get("BGPIPE_FAULTS", "3"))  # `make faults` has a hundred
CLIENTS = int(os.environ.get("BGPIPE_CLIENTS", "300"))  # and thousands of those


@pytest.fixture
def source(tmp_path: Path) -> str:
    return write_lines(tmp_path / "source.json", lines(1000))


def url(port: int, secure: bool = False) -> str:
    return f"ws{'s' * secure}://127.0.0.1:{port}/bgp"


async def server(*words: str, port: int, behind: tuple[str, ...] = (), front: tuple[str, ...] = (), scheme: str = "ws") -> Live:
    """A pipeline with a server, once clients can come."""
    live = Live(*front, "--", "websocket", "--listen", *words, f"{scheme}://127.0.0.1:{port}/bgp", *behind)
    await live.until("websocket/START")
    return live


def lost(live: Live) -> int:
    return sum(event.count for event in live.events if event.name == "lost")  # type: ignore[attr-defined]


def unconfirmed(live: Live) -> int:
    return sum(event.count for event in live.events if event.name == "unconfirmed")  # type: ignore[attr-defined]


async def closing(live: Live, count: int = 1) -> None:
    """Wait until so many of its connections are over."""
    while live.names.count("websocket/disconnected") < count:
        live._news.clear()
        await live._news.wait()


def give(feed: Path, ended: threading.Event) -> int:
    """Messages as fast as they are taken, until that has ended; how many."""
    given = 0
    with feed.open("w") as file:
        while not ended.is_set():
            file.write(lines(50, first=given + 1))
            file.flush()
            given += 50
            time.sleep(0.005)
    return given


def whole_lines(path: Path) -> list[tuple[str, int]]:
    """As read_lines(); the last one may be torn."""
    text = path.read_text()
    path.write_text(text[: text.rfind("\n") + 1])
    return read_lines(path)


async def bgpipe_process(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "bgpipe", "-l", "disabled", "--", *words)


async def written(path: Path, updates: int) -> None:
    """Wait until a file has so many UPDATEs."""
    while not path.exists() or path.read_text().count('"UPDATE"') < updates:
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def their_server(handler: Any, **options: Any) -> AsyncIterator[int]:
    async with websockets.serve(handler, "127.0.0.1", 0, **options) as served:
        yield next(iter(served.sockets)).getsockname()[1]


async def echo(connection: Any) -> None:
    async for data in connection:
        await connection.send(data)


class TestThrough:
    @pytest.mark.parametrize("form", ["json", "mrt", "raw"])
    @pytest.mark.parametrize("words", [[], ["--batch"], ["--compress"], ["--batch", "--compress"]], ids=" ".join)
    def test_from_client_to_server(self, form: str, words: list[str], source: str, tmp_path: Path) -> None:
        async def test() -> None:
            port = free_port()
            taken = await server("--read", "--format", form, *words, port=port, behind=("--", "write", str(tmp_path / "there.raw")))
            sent = Live("--", "read", source, "--", "websocket", "--write", "--format", form, *words, url(port))
            assert await sent.task is None
            await closing(taken)
            assert await taken.stop() is None

        in_loop(test())
        bgpipe.Pipeline(["--", "read", source, "--", "write", str(tmp_path / "direct.raw")]).run_sync()
        assert (tmp_path / "there.raw").read_bytes() == (tmp_path / "direct.raw").read_bytes()

    @pytest.mark.parametrize("form", ["json", "mrt", "raw"])
    def test_from_server_to_client(self, form: str, source: str, tmp_path: Path) -> None:
        """The server ends when all is sent, and the client with it."""

        async def test() -> None:
            port = free_port()
            front = ("--", "read", "--wait", "websocket/connected", source)
            sent = await server("--write", "--format", form, port=port, front=front)
            taken = Live("--", "websocket", "--read", "--format", form, url(port), "--", "write", str(tmp_path / "there.raw"))
            assert await sent.task is None
            assert await taken.task is None

        in_loop(test())
        bgpipe.Pipeline(["--", "read", source, "--", "write", str(tmp_path / "direct.raw")]).run_sync()
        assert (tmp_path / "there.raw").read_bytes() == (tmp_path / "direct.raw").read_bytes()

    @pytest.mark.parametrize("form", ["json", "mrt"])
    def test_the_corpus(self, form: str, tmp_path: Path) -> None:
        """All of a real archive, there and back by way of another program, with times, sequence numbers and tags."""
        archive = corpus.folder() / "mrt" / "updates.20071015.1505.gz"
        words = ["--format", form, "--batch"]

        async def test() -> None:
            async with their_server(echo, max_size=None) as port:
                live = Live("--", "read", str(archive), "--", "websocket", *words, url(port), "--", "write", str(tmp_path / "there.json"))
                assert await live.task is None

        in_loop(test())
        bgpipe.Pipeline(["--", "read", str(archive), "--", "write", str(tmp_path / "direct.json")]).run_sync()
        there, direct = ([msg.copy() for msg in bgpipe.read(tmp_path / name)] for name in ("there.json", "direct.json"))
        assert [msg.wire for msg in there] == [msg.wire for msg in direct]
        assert [msg.time for msg in there] == [msg.time for msg in direct]
        without = [{key: value for key, value in msg.tags.items() if key != "websocket/remote"} for msg in there]
        assert without == [msg.tags for msg in direct]

    def test_there_and_back(self, source: str, target: Path) -> None:
        """It ends by itself, with nothing missing; what comes back says from where."""

        async def test() -> int:
            async with their_server(echo) as port:
                live = Live("--", "read", source, "--", "websocket", url(port), "--", "write", str(target))
                assert await live.task is None
                assert lost(live) == 0
                return port

        port = in_loop(test())
        assert read_lines(target) == right(*range(1, 1001))
        assert {msg.tags["websocket/remote"] for msg in bgpipe.read(target)} == {f"127.0.0.1:{port}"}

    def test_both_directions_at_once(self) -> None:
        """A session between two speakers, by way of somebody far away."""

        async def test() -> None:
            async with their_server(echo) as port, proxy(f"websocket -LR {url(port)}") as (live, left, far):
                rightward = [open_message(65001, 1), KEEPALIVE, *(update(number) for number in range(2000))]
                leftward = [open_message(65002, 2), KEEPALIVE, *(update(number, 300) for number in range(1000))]
                left.send(rightward.pop(0))
                far.send(leftward.pop(0))
                assert (await left.message())[18] == (await far.message())[18] == 1
                left.send(*rightward)
                far.send(*leftward)
                for expected in leftward:
                    assert await left.message() == expected
                for expected in rightward:
                    assert await far.message() == expected
                left.close()
                far.close()
                await live.task

        in_loop(test())


class TestOthers:
    """What other programs send and take."""

    def test_one_message_a_frame(self, source: str) -> None:
        """Binary, and without the newline."""
        got: list[Any] = []

        async def handler(connection: Any) -> None:
            got.extend([data async for data in connection])

        async def test() -> None:
            async with their_server(handler) as port:
                live = Live("--", "read", source, "--", "websocket", "--write", url(port))
                assert await live.task is None

        in_loop(test())
        assert got == [text.encode() for text in lines(1000).splitlines()]

    def test_batch(self, source: str) -> None:
        got: list[bytes] = []

        async def handler(connection: Any) -> None:
            got.extend([data async for data in connection])

        async def test() -> None:
            async with their_server(handler) as port:
                live = Live("--", "read", source, "--", "websocket", "--write", "--batch", url(port))
                assert await live.task is None

        in_loop(test())
        assert 1 < len(got) < 10
        assert max(map(len, got)) <= 64 << 10
        assert b"\n".join(got).decode() + "\n" == lines(1000)

    def test_text_and_several_messages(self, target: Path) -> None:
        """Text frames, frames of several lines, blank ones, fragments, and bare UPDATEs."""

        async def test() -> None:
            port = free_port()
            live = await server("--read", port=port, behind=("--", "write", str(target)))
            async with websockets.connect(url(port)) as client:
                await client.send(line(1))
                await client.send(lines(3, first=2).encode())
                await client.send("")
                await client.send([line(5)[:20], line(5)[20:].strip()])
                await client.send('{"reach": ["192.0.2.0/24"]}')
            await closing(live)
            assert await live.stop() is None

        in_loop(test())
        assert [number for _, number in read_lines(target)][:5] == [1, 2, 3, 4, 5]
        assert len(read_lines(target)) == 6

    def test_each_client_gets_every_message(self, source: str) -> None:
        count = 220

        async def client(port: int) -> list[bytes]:
            async with websockets.connect(url(port), compression=None) as connection:
                return [data async for data in connection]

        async def test() -> None:
            port = free_port()
            source_file = Path(source)
            pipe = source_file.parent / "feed"
            os.mkfifo(pipe)
            live = await server("--write", port=port, front=("--", "pipe", "--read", "--no-seq", str(pipe)))
            clients = [asyncio.ensure_future(client(port)) for _ in range(count)]
            while live.names.count("websocket/connected") < count:
                await asyncio.sleep(0.01)
            text = lines(50)
            with pipe.open("w") as feed:
                feed.write(text)
            while live.pipe.counts[0] < 50:
                await asyncio.sleep(0.01)
            assert await live.stop() is None
            for got in await asyncio.gather(*clients):
                assert b"\n".join(got).decode() + "\n" == text

        in_loop(test())

    def test_pings_are_answered(self) -> None:
        async def test() -> None:
            port = free_port()
            live = await server("--read", port=port, behind=("--", "grep", "type = UPDATE"))
            async with websockets.connect(url(port)) as client:
                await asyncio.wait_for(await client.ping(), 10)
            assert await live.stop() is None

        in_loop(test())

    def test_a_plain_script(self, source: str, tmp_path: Path) -> None:
        """Forty lines of sockets speak the same frames; what they take stays unconfirmed, as they answer no pings."""

        def frames(data: bytes) -> list[bytes]:
            found: dict[int, list[bytes]] = {0x82: [], 0x88: [], 0x89: []}
            while data:
                size, at = data[1], 2
                if size == 126:
                    size, at = int.from_bytes(data[2:4]), 4
                found[data[0]].append(data[at : at + size])
                data = data[at + size :]
            assert found[0x88] == [struct.pack(">H", 1000)]
            return found[0x82]

        def script(port: int) -> list[bytes]:
            with hello(port) as sock:
                data = b""
                while b"\x88\x02" not in data[-4:]:
                    data += sock.recv(1 << 16)
                sock.sendall(b"\x88\x82\0\0\0\0" + data[-2:])
                assert sock.recv(100) == b""
                return frames(data)

        async def test() -> None:
            port = free_port()
            live = await server("--write", port=port, front=("--", "read", "--wait", "websocket/connected", source))
            got = await asyncio.to_thread(script, port)
            assert await live.task is None
            assert got == [text.encode() for text in lines(1000).splitlines()]
            assert (lost(live), unconfirmed(live)) == (0, 1000)

        in_loop(test())

    @pytest.mark.parametrize("cut", [1, 1000])
    def test_a_plain_script_that_sends(self, cut: int, target: Path) -> None:
        """Text and binary, several messages a frame, fragments with pings between; in segments of any length."""
        texts = [line(number).encode() for number in range(1, 8)]
        frames = [masked(0x81, texts[0].rstrip()), masked(0x82, texts[1] + texts[2]), masked(0x82, b"")]
        frames += [masked(0x01, texts[3][:30]), masked(0x89, b"?"), masked(0x00, b""), masked(0x80, texts[3][30:] + texts[4])]
        frames += [masked(0x02, texts[5]), masked(0x80, texts[6].rstrip()), masked(0x88, b"\x03\xe8")]
        data = b"".join(frames)

        def script(port: int) -> bytes:
            with hello(port) as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for start in range(0, len(data), cut):
                    sock.sendall(data[start : start + cut])
                return rest(sock)

        async def test() -> None:
            port = free_port()
            live = await server("--read", port=port, behind=("--", "write", str(target)))
            assert await asyncio.to_thread(script, port) == b"\x8a\x01?\x88\x02\x03\xe8"
            await closing(live)
            assert await live.stop() is None

        in_loop(test())
        assert read_lines(target) == right(*range(1, 8))


def hello(port: int, *headers: str, context: ssl.SSLContext | None = None) -> socket.socket:
    """A client that is in, by hand."""
    sock = socket.create_connection(("127.0.0.1", port), 20)
    if context is not None:
        sock = context.wrap_socket(sock)
    key = base64.b64encode(os.urandom(16)).decode()
    fields = [f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    request = "\r\n".join(["GET /bgp HTTP/1.1", *fields, f"Sec-WebSocket-Key: {key}", *headers, "", ""])
    sock.sendall(request.encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        more = sock.recv(1)
        assert more, answer
        answer += more
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    return sock


def accepted(served: socket.socket) -> socket.socket:
    """A client that is let in, by hand."""
    sock, _ = served.accept()
    asked = b""
    while b"\r\n\r\n" not in asked:
        asked += sock.recv(1)
    key = next(field[18:].strip() for field in asked.split(b"\r\n") if field[:18].lower() == b"sec-websocket-key:")
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    sock.sendall(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    return sock


def masked(first: int, data: bytes) -> bytes:
    """A frame of a client."""
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return bytes([first]) + size + bytes(4) + data


def head(first: int, size: int) -> bytes:
    """Of a client's frame that is long."""
    return bytes([first, 0xFF]) + size.to_bytes(8) + bytes(4)


def resident(pid: int) -> int:
    """KiB of memory that a process has."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS:")))


def rest(sock: socket.socket) -> bytes:
    """All that still comes."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while more := sock.recv(1 << 16):
            data += more
    return data


class TestFaults:
    def test_nobody_is_there(self, source: str) -> None:
        async def test() -> None:
            port = free_port()
            error = await Live("--", "read", source, "--", "websocket", "--write", url(port)).task
            assert str(error) == f"cannot connect to {url(port)}: 127.0.0.1:{port}: connection refused"

        in_loop(test())

    def test_a_daemon_goes_on(self, tmp_path: Path) -> None:
        """Where nobody answers before its first session, it tries again, and has one when somebody does."""

        async def test() -> None:
            port, bgp = free_port(), free_port()
            client = ["websocket", "--write", url(port)]
            live = Live("--", "listen", "--reconnect", f"127.0.0.1:{bgp}", "--", *client, "--", "speaker", "--asn", "65001")
            await asyncio.sleep(0.3)
            assert not live.task.done()
            taken = await server("--read", port=port, behind=("--", "write", str(tmp_path / "there.json")))
            remote = await dial(bgp)
            await remote.establish(open_message(65002))
            remote.send(update(1))
            await taken.until("websocket/connected")
            await written(tmp_path / "there.json.tmp", 1)
            remote.close()
            assert await live.stop() is None
            assert await taken.stop() is None

        in_loop(test())

    @pytest.mark.parametrize("words", [["--cert", "/no/such", "--key", "/no/such"], ["--retry", "--retry-max", "1"]])
    def test_a_daemon_ends(self, words: list[str]) -> None:
        """What stays wrong is told at once."""

        async def test() -> None:
            place = url(free_port(), secure=words[0] == "--cert")
            client = ["websocket", "--write", *words, place]
            live = Live("--", "listen", "--reconnect", f"127.0.0.1:{free_port()}", "--", *client, "--", "speaker", "--asn", "65001")
            assert isinstance(await live.task, StageError)

        in_loop(test())

    def test_a_client_a_session(self, tmp_path: Path) -> None:
        """With --multi, each router's messages come over a connection of their own, in order; one that fails does so alone."""
        count = 5

        async def test() -> None:
            port, bgp = free_port(), free_port()
            live = Live("--", "listen", "--multi", f"127.0.0.1:{bgp}", "--", "websocket", "--write", url(port), "--", "speaker", "--asn", "65001")
            alone = await dial(bgp)
            await alone.rest()  # there is no server yet
            alone.close()
            taken = await server("--read", port=port, behind=("--", "write", str(tmp_path / "there.json")))
            remotes = [await dial(bgp) for _ in range(count)]
            for number, remote in enumerate(remotes):
                await remote.establish(open_message(65002, number + 1))
                remote.send(*(update(number << 8 | index) for index in range(50)))
            await written(tmp_path / "there.json.tmp", count * 50)
            assert taken.names.count("websocket/connected") == count
            for remote in remotes:
                remote.close()
            await closing(taken, count)
            assert await live.stop() is None
            assert await taken.stop() is None

        in_loop(test())
        found: dict[str, list[str]] = {}
        for msg in bgpipe.read(tmp_path / "there.json", filter="type = UPDATE"):
            assert msg.update is not None
            found.setdefault(msg.tags["websocket/remote"], []).append(str(msg.update.unreach[0]))
        assert len(found) == count
        for prefixes in found.values():
            first = int(ipaddress.ip_network(prefixes[0]).network_address)
            assert prefixes == [str(ipaddress.ip_network((first + index, 32))) for index in range(50)]

    def test_retry_max(self, source: str) -> None:
        async def test() -> None:
            words = ["websocket", "--write", "--retry", "--retry-max", "3", url(free_port())]
            error = await Live("--", "read", source, "--", *words).task
            assert "connection refused" in str(error)

        in_loop(test())

    def test_a_silent_server(self, source: str) -> None:
        async def test() -> None:
            with socket.create_server(("127.0.0.1", 0)) as silent:
                words = ["websocket", "--timeout", "200ms", url(silent.getsockname()[1])]
                error = await Live("--", "read", source, "--", *words, "--", "write", "/dev/null").task
                assert "no answer within 0.2 s" in str(error)

        in_loop(test())

    def test_the_far_end_is_lost(self, source: str, target: Path) -> None:
        """Without --retry this is an error; what it had is lost, counted, and does not pass by."""

        async def handler(connection: Any) -> None:
            for _ in range(10):
                await connection.send(await connection.recv())
            connection.transport.abort()

        async def test() -> None:
            async with their_server(handler) as port:
                live = Live("--", "read", source, "--", "websocket", url(port), "--", "write", str(target))
                error = await live.task
                assert isinstance(error, StageError)
                assert str(error) == f"{url(port)}: the connection broke"
                assert lost(live) == 990

        in_loop(test())
        assert read_lines(target) == right(*range(1, 11))

    def test_it_closes_too_early(self, source: str, target: Path) -> None:
        async def handler(connection: Any) -> None:
            await connection.close(1011, "no more room")

        async def test() -> None:
            async with their_server(handler) as port:
                live = Live("--", "read", source, "--", "websocket", url(port), "--", "write", str(target))
                error = await live.task
                assert str(error) == f"{url(port)}: it was closed (code 1011: no more room)"

        in_loop(test())

    def test_nothing_missing_but_what_is_told(self, tmp_path: Path, target: Path) -> None:
        """Connections that break time and again: in = out + lost, exactly."""
        count = 30_000
        source = write_lines(tmp_path / "source.json", lines(count))
        cuts = 0

        async def handler(connection: Any) -> None:
            nonlocal cuts
            for _ in range(1000):
                await connection.send(await connection.recv())
            cuts += 1
            connection.transport.abort()

        async def test() -> int:
            async with their_server(handler) as port:
                live = Live("--", "read", source, "--", "websocket", "--retry", url(port), "--", "write", str(target))
                assert await live.task is None
                return lost(live)

        missing = in_loop(test())
        found = [number for _, number in read_lines(target)]
        assert found == sorted(set(found))
        assert len(found) + missing == count
        assert cuts > 2

    @pytest.mark.parametrize("words", [[], ["--batch"]], ids=" ".join)
    @pytest.mark.parametrize("taker", ["server", "client"])
    def test_kill_9_of_who_takes(self, taker: str, words: list[str], tmp_path: Path) -> None:
        """What its files hold, and what is reported lost, is all there was, but for what it had no time to confirm."""
        feed, port = tmp_path / "feed", free_port()
        os.mkfifo(feed)
        sends, takes = (["--retry"], ["--listen"]) if taker == "server" else (["--listen"], ["--retry"])
        ended = threading.Event()

        async def test() -> tuple[int, int, int]:
            giver = asyncio.ensure_future(asyncio.to_thread(give, feed, ended))
            live = Live("--", "read", "--format", "json", str(feed), "--", "websocket", "--write", *sends, *words, url(port))
            dice = random.Random(5)
            for cycle in range(CYCLES + 1):
                file = tmp_path / f"{cycle:03}.json"
                process = await bgpipe_process("websocket", "--read", *takes, url(port), "--", "write", str(file))
                while live.names.count("websocket/connected") <= cycle:
                    assert process.returncode is None
                    await asyncio.sleep(0.001)
                await asyncio.sleep(dice.uniform(0.0, 0.1))
                if cycle < CYCLES:
                    process.kill()
                    await process.wait()
                    while live.names.count("websocket/disconnected") <= cycle:
                        await asyncio.sleep(0.001)
            ended.set()
            given = await giver
            assert await live.task is None
            if taker == "server":
                process.terminate()
            assert await process.wait() == 0
            return given, lost(live), unconfirmed(live)

        given, missing, unknown = in_loop(test(), patience_s=60.0 + 10 * CYCLES)
        found = [number for path in sorted(tmp_path.glob("*.json*")) for _, number in whole_lines(path)]
        assert found == sorted(set(found))
        assert len(found) + missing <= given <= len(found) + missing + unknown
        assert len(found) > 0
        print(json.dumps({"cycles": CYCLES, "in": given, "out": len(found), "lost": missing, "unconfirmed": unknown}))

    @pytest.mark.parametrize("sender", ["client", "server"])
    def test_kill_9_of_who_sends(self, sender: str, tmp_path: Path, target: Path) -> None:
        """Of each what had come is there, from its first message on, whole and in order."""
        source, port = write_lines(tmp_path / "source.json", lines(50_000)), free_port()
        sends, takes = ([], ["--listen"]) if sender == "client" else (["--listen"], ["--retry"])

        async def test() -> None:
            live = Live("--", "websocket", "--read", *takes, url(port), "--", "write", str(target))
            dice = random.Random(5)
            for cycle in range(CYCLES):
                read = ["read", "--wait", "websocket/connected", "--rate-limit", "5000", source]
                process = await bgpipe_process(*read, "--", "websocket", "--write", *sends, url(port))
                while live.names.count("websocket/connected") <= cycle:
                    assert process.returncode is None
                    await asyncio.sleep(0.001)
                await asyncio.sleep(dice.uniform(0.0, 0.1))
                process.kill()
                await process.wait()
                while live.names.count("websocket/disconnected") <= cycle:
                    await asyncio.sleep(0.001)
            error = await live.stop()
            assert sender == "server" or error is None

        in_loop(test(), patience_s=60.0 + 10 * CYCLES)
        found = [number for _, number in read_lines(target)]
        begins = [place for place, number in enumerate(found) if number == 1]
        for begin, end in itertools.pairwise([*begins, len(found)]):
            assert found[begin:end] == list(range(1, 1 + end - begin))
        assert found[:1] == [1] and len(begins) <= CYCLES
        print(json.dumps({"cycles": CYCLES, "out": len(found)}))

    def test_confirmed_when_it_is_written(self, source: str, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not when it has come."""
        write, gate = Write.write, threading.Event()

        def slowly(self: Write, data: Any) -> None:
            gate.wait(10)
            write(self, data)

        monkeypatch.setattr(Write, "write", slowly)

        async def test() -> None:
            port = free_port()
            live = await server("--read", port=port, behind=("--", "write", str(target)))
            async with websockets.connect(url(port)) as client:
                await (await client.ping("bgpipe abc 0"))
                await client.send(line(1))
                late = await client.ping("bgpipe abc 1")
                await asyncio.sleep(0.05)
                assert not late.done()
                gate.set()
                await late
            await closing(live)
            assert await live.stop() is None

        in_loop(test())

    def test_what_had_arrived_is_told_by_the_next_connection(self, target: Path) -> None:
        """The server takes what had come over the one that broke, and tells how many frames that were."""

        def script(port: int) -> None:
            with hello(port) as first, hello(port) as second:
                first.sendall(masked(0x89, b"bgpipe abc 0") + masked(0x82, line(1).encode()) + masked(0x81, line(2).encode()))
                assert first.recv(100) == b"\x8a\x0cbgpipe abc 0"
                second.sendall(masked(0x89, b"bgpipe abc ?"))
                assert second.recv(14, socket.MSG_WAITALL) + second.recv(14, socket.MSG_WAITALL) == b"\x8a\x0cbgpipe abc 2\x8a\x0cbgpipe abc ?"
                assert rest(first) == b""
                second.sendall(masked(0x89, b"bgpipe xyz ?"))
                assert second.recv(100) == b"\x8a\x0cbgpipe xyz ?"

        async def test() -> None:
            port = free_port()
            live = await server("--read", port=port, behind=("--", "write", str(target)))
            await asyncio.to_thread(script, port)
            await closing(live, 2)
            assert await live.stop() is None

        in_loop(test())
        assert read_lines(target) == right(1, 2)

    @pytest.mark.parametrize("told", [True, False])
    def test_what_had_arrived_is_asked_for(self, told: bool, tmp_path: Path) -> None:
        """A client asks in its next connection; who is no bgpipe answers as to any ping."""
        feed = tmp_path / "feed"
        os.mkfifo(feed)

        def pings(sock: socket.socket) -> bytes:
            head = sock.recv(6, socket.MSG_WAITALL)
            data = sock.recv(head[1] & 0x7F, socket.MSG_WAITALL)
            return bytes(byte ^ head[2 + number % 4] for number, byte in enumerate(data))

        def script(served: socket.socket) -> None:
            with accepted(served) as first:
                name = pings(first).split()[1]
                first.sendall(b"\x8a" + bytes([9 + len(name)]) + b"bgpipe " + name + b" 0")
                with feed.open("w") as file:
                    file.write(lines(10))
                    file.flush()
                    assert first.recv(10)
                    first.close()
                    with accepted(served) as second:
                        while (said := pings(second)) != b"bgpipe %s ?" % name:
                            assert said.startswith(b"bgpipe ")
                        answers = [b"bgpipe %s 7" % name, said] if told else [said]
                        second.sendall(b"".join(b"\x8a" + bytes([len(answer)]) + answer for answer in answers))
                        file.close()
                        assert rest(second)[-8:-6] == b"\x88\x82"

        async def test() -> None:
            with socket.create_server(("127.0.0.1", 0)) as served:
                port = served.getsockname()[1]
                words = ["read", "--format", "json", str(feed), "--", "websocket", "--write", "--retry", url(port)]
                live = Live("--", *words)
                await asyncio.to_thread(script, served)
                assert await live.task is None
            assert (lost(live), unconfirmed(live)) == ((3, 0) if told else (0, 10))

        in_loop(test())

    def test_copies_do_not_wait(self, source: str, target: Path) -> None:
        """With nobody there, messages go on without: they are lost for who is away, and that is told."""

        async def test() -> None:
            live = Live("--", "read", source, "--", "websocket", "--listen", "--write", url(free_port()), "--", "write", str(target))
            assert await live.task is None
            assert lost(live) == 1000

        in_loop(test())
        assert read_lines(target) == right(*range(1, 1001))

    def test_the_log_has_the_sum(self, source: str, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["--", "read", source, "--", "websocket", "--listen", "--write", url(free_port())]) == 0
        assert "1000 messages are lost, all in all" in capfd.readouterr().err

    def test_a_server_waits_for_who_decides(self, source: str, target: Path) -> None:
        async def test() -> None:
            port = free_port()
            live = Live("--", "read", source, "--", "websocket", "--listen", url(port), "--", "write", str(target))
            await live.until("websocket/START")
            async with websockets.connect(url(port)) as client:
                async for data in client:
                    await client.send(data)
            assert await live.task is None
            assert lost(live) == 0

        in_loop(test())
        assert read_lines(target) == right(*range(1, 1001))

    def test_a_slow_client(self, tmp_path: Path) -> None:
        """It is sent away with 1013, and the others get all."""
        count = 150_000
        source = write_lines(tmp_path / "source.json", lines(count))

        async def quick(port: int) -> int:
            got = 0
            async with websockets.connect(url(port), compression=None, max_size=None) as client:
                async for data in client:
                    got += data.count(b"\n") + 1
            return got

        async def test() -> None:
            port, feed = free_port(), tmp_path / "feed"
            os.mkfifo(feed)
            live = await server("--write", "--batch", port=port, front=("--", "pipe", "--read", "--no-seq", str(feed)))
            slow = await asyncio.to_thread(hello, port)
            client = asyncio.ensure_future(quick(port))
            while live.names.count("websocket/connected") < 2:
                await asyncio.sleep(0.01)
            writer = asyncio.ensure_future(asyncio.to_thread(feed.write_text, Path(source).read_text()))
            await live.until("websocket/lost")
            said = await asyncio.to_thread(rest, slow)
            slow.close()
            assert b"\x88\x0a" + struct.pack(">H", 1013) + b"too slow" in said[-20:]
            await writer
            while live.pipe.counts[0] < count:
                await asyncio.sleep(0.01)
            assert await live.stop() is None
            assert await client == count
            assert 0 < lost(live) < count

        in_loop(test())

    def test_who_takes_nothing_of_a_server_that_goes_on(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is looked after still while it may hear why it was sent away; that harms nobody."""
        monkeypatch.setattr(stage, "_TICK_S", 0.05)

        async def test() -> None:
            port, feed = free_port(), tmp_path / "feed"
            os.mkfifo(feed)
            front = ("--", "pipe", "--read", "--no-seq", str(feed))
            live = await server("--write", "--batch", "--timeout", "200ms", port=port, front=front)
            slow = await asyncio.to_thread(hello, port)
            writer = asyncio.ensure_future(asyncio.to_thread(feed.write_text, lines(60_000)))
            await live.until("websocket/lost")
            await closing(live)
            slow.close()
            await writer
            assert await live.stop() is None

        in_loop(test())

    def test_who_takes_nothing(self, tmp_path: Path) -> None:
        """A copy that nobody takes does not hold up the line."""
        source = write_lines(tmp_path / "source.json", lines(60_000))

        async def test() -> None:
            port = free_port()
            words = ("--write", "--timeout", "500ms")
            live = await server(*words, port=port, front=("--", "read", "--wait", "websocket/connected", source))
            slow = await asyncio.to_thread(hello, port)
            assert await live.task is None
            slow.close()
            assert lost(live) > 0

        in_loop(test())

    @pytest.mark.parametrize(
        ("form", "frame", "code", "error"),
        [
            ("json", b"\x81\x85\0\0\0\0hello", 1007, "line 1 at offset 0: not JSON"),
            ("raw", b"\x81\x85\0\0\0\0hello", 1003, "a text frame, though the format is raw"),
            ("raw", b"\x82\x90\0\0\0\0" + 16 * b"\xff", 1007, "frame 1 ends amid a message: 16 octets"),
            ("raw", b"\x82\x93\0\0\0\0" + 19 * b"\xff", 1007, "frame 1 ends amid a message: 19 octets"),
            ("raw", b"\x82\x93\0\0\0\0" + 19 * b"x", 1007, "marker is not all ones"),
            ("mrt", b"\x82\x85\0\0\0\0hello", 1007, "frame 1 ends amid a message: 5 octets"),
            ("json", b"\x82\xff" + (1 << 30).to_bytes(8) + bytes(4), 1009, "exceeds limit"),
            ("json", b"\x81\x82\0\0\0\0\xff\xfe", 1007, "Invalid UTF-8"),
            ("json", b"\x82\x05hello", 1002, ""),
        ],
    )
    def test_what_a_client_sends_is_wrong(
        self, form: str, frame: bytes, code: int, error: str, target: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """It has to go; another one stays."""

        async def test() -> None:
            port = free_port()
            front = ("-l", "info")
            live = await server("--read", "--format", form, port=port, front=front, behind=("--", "write", str(target)))
            good = await asyncio.to_thread(hello, port)
            bad = await asyncio.to_thread(hello, port)
            bad.sendall(frame)
            if code == 1002:  # aiohttp takes what is not masked
                await asyncio.sleep(0.1)
            else:
                said = await asyncio.to_thread(bad.recv, 200)
                bad.close()
                assert said[0] == 0x88 and int.from_bytes(said[2:4]) == code
                await closing(live)
            bad.close()
            assert len(live.pipe.stages[-2]._running) in (1, 2)  # type: ignore[attr-defined]
            good.close()
            assert await live.stop() is None

        in_loop(test())
        assert error in capfd.readouterr().err

    def test_no_sign_of_life(self) -> None:
        """Who is silent is asked, and is gone if he does not answer."""

        async def test() -> None:
            port = free_port()
            loop = asyncio.get_running_loop()
            assert isinstance(loop, Clock)
            live = await server("--read", port=port, behind=("--", "write", "/dev/null"))
            silent = await asyncio.to_thread(hello, port)
            await asyncio.sleep(0.1)
            loop.ahead_s += 31
            assert await asyncio.to_thread(silent.recv, 100) == b"\x89\0"
            silent.sendall(b"\x8a\x80\0\0\0\0")
            await asyncio.sleep(0.1)
            loop.ahead_s += 31
            assert await asyncio.to_thread(silent.recv, 100) == b"\x89\0"
            loop.ahead_s += 31
            assert await asyncio.to_thread(rest, silent) == b""
            silent.close()
            await closing(live)
            assert await live.stop() is None

        in_loop(test())

    def test_pardon(self, target: Path) -> None:
        async def test() -> None:
            port = free_port()
            live = await server("--read", "--pardon", "--format", "raw", port=port, behind=("--", "write", str(target)))
            async with websockets.connect(url(port)) as client:
                await client.send(KEEPALIVE + KEEPALIVE[:10])
                await client.send(KEEPALIVE)
            await closing(live)
            assert await live.stop() is None

        in_loop(test())
        assert len(read_lines(target)) == 2

    def test_what_a_server_sends_is_wrong(self, source: str, target: Path) -> None:
        async def handler(connection: Any) -> None:
            await connection.send(line(1))
            await connection.send("[5]")
            await connection.wait_closed()

        async def test() -> None:
            async with their_server(handler) as port:
                error = await Live("--", "websocket", "--read", "--retry", url(port), "--", "write", str(target)).task
                assert isinstance(error, InputError)
                assert str(error).startswith(f"what {url(port)} sends does not parse: line 2 at offset ")

        in_loop(test())
        assert read_lines(target) == right(1)

    def test_who_takes_his_time(self) -> None:
        """A request that does not end is no reason to wait; neither are many that say nothing."""

        async def test() -> None:
            port = free_port()
            live = await server("--read", "--timeout", "300ms", port=port, behind=("--", "write", "/dev/null"))
            socks = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(200)]
            for sock in socks[::2]:
                sock.sendall(b"GET /bgp HTTP/1.1\r\nHost: x\r\nX-A: ")
            for sock in socks:
                assert await asyncio.to_thread(rest, sock) == b""
                sock.close()
            (await asyncio.to_thread(hello, port)).close()
            assert await live.stop() is None

        in_loop(test())

    @pytest.mark.parametrize("secure", [False, True])
    def test_who_keeps_the_door_busy(self, secure: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Many that say nothing, from one address, do not hold up who comes from another, though they may take their time."""
        monkeypatch.setattr(transport, "_GREETINGS", 20)
        monkeypatch.setattr(transport, "_GRACE_S", 0.1)
        cert, key = certificate(tmp_path) if secure else ("", "")
        words = ["--cert", cert, "--key", key] if secure else []
        context = ssl._create_unverified_context() if secure else None

        async def test() -> None:
            port = free_port()
            scheme = "wss" if secure else "ws"
            live = await server("--read", "--timeout", "1h", *words, port=port, scheme=scheme, behind=("--", "write", "/dev/null"))
            early = socket.create_connection(("127.0.0.1", port), 20, ("127.0.0.2", 0))
            socks = [socket.create_connection(("127.0.0.1", port), 20, ("127.0.0.3", 0)) for _ in range(50)]
            async with websockets.connect(url(port, secure), ssl=context, local_addr=("127.0.0.4", 0)):
                for sock in socks[:30]:
                    assert await asyncio.to_thread(rest, sock) == b""
            early.setblocking(False)
            with pytest.raises(BlockingIOError):
                early.recv(1)
            for sock in (early, *socks):
                sock.close()
            await closing(live)
            assert await live.stop() is None

        in_loop(test())

    @pytest.mark.parametrize("words", [["--listen", "--read"], ["--listen", "--copy"], ["--listen"], ["--read"], []])
    def test_sigterm(self, words: list[str], tmp_path: Path) -> None:
        """It ends soon, whatever the other side does."""
        feed, port = tmp_path / "feed", free_port()
        os.mkfifo(feed)

        async def test() -> None:
            hung = asyncio.Event()

            async def handler(connection: Any) -> None:
                await hung.wait()

            async with their_server(handler, close_timeout=0.1) as far:
                place = url(port) if "--listen" in words else url(far)
                args = ["--", "pipe", "--read", str(feed), "--", "websocket", *words, place, "--", "write", str(tmp_path / "o.json")]
                process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bgpipe", *args, stderr=subprocess.PIPE)
                assert process.stderr is not None
                said = b""
                while b"listening" not in said and b"connected to" not in said:
                    said += await process.stderr.read(1000)
                with feed.open("w") as file:
                    sock = await asyncio.to_thread(hello, port) if "--listen" in words else None
                    file.write(lines(300))
                    file.flush()
                    await asyncio.sleep(0.3)
                    process.send_signal(signal.SIGTERM)
                    async with asyncio.timeout(20):
                        await process.wait()
                said += await process.stderr.read()
                assert b"Traceback" not in said
                if sock is not None:
                    sock.close()
                hung.set()

        in_loop(test())


class TestAttacks:
    """Each is refused, or takes a bounded room, and others are served."""

    @staticmethod
    async def serve(live: Live, port: int) -> None:
        """There is room for who behaves: its message is taken."""
        async with websockets.connect(url(port)) as client:
            await client.send(line(1))
            await (await client.ping("bgpipe abc 1"))
        assert await live.stop() is None

    @pytest.mark.parametrize("words", [["--write"], ["--read"], []], ids=["write", "read", "both"])
    def test_clients_that_do_anything(self, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """In any order, stopping anywhere: the server goes on, and one that is in order is served then."""
        monkeypatch.setattr(stage, "_TICK_S", 0.05)
        port, feed, ended = free_port(), tmp_path / "feed", threading.Event()
        os.mkfifo(feed)
        deeds: list[Callable[[random.Random, socket.socket], object]] = [
            lambda dice, sock: sock.recv(dice.choice([1, 100, 100_000])),
            lambda dice, sock: sock.sendall(masked(0x82, line(1).encode() * dice.choice([1, 10]))),
            lambda dice, sock: sock.sendall(masked(dice.choice([0x02, 0x80]), line(1).encode())[: dice.choice([5, 1000])]),
            lambda dice, sock: sock.sendall(masked(0x89, b"ping") * dice.choice([1, 100])),
            lambda dice, sock: sock.sendall(dice.choice([masked(0x88, b"\x03\xe8"), masked(0x88, b"x"), dice.randbytes(9)])),
            lambda dice, sock: sock.shutdown(dice.choice([socket.SHUT_RD, socket.SHUT_WR])),
            lambda dice, sock: time.sleep(dice.choice([0.0, 0.1, 2.0])),
        ]

        def client(seed: int) -> None:
            dice = random.Random(seed)
            while not ended.is_set():
                with contextlib.suppress(OSError, AssertionError), hello(port) as sock:
                    sock.settimeout(0.1)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, dice.choice([2_000, 200_000]))
                    end = time.monotonic() + dice.choice([0.0, 0.1, 2.0])
                    while time.monotonic() < end:
                        with contextlib.suppress(TimeoutError):
                            dice.choices(deeds, [20, 4, 2, 2, 1, 1, 20])[0](dice, sock)

        def served() -> bool:
            with contextlib.suppress(OSError, AssertionError), hello(port) as sock:
                sock.sendall(masked(0x89, b"ping"))
                return sock.recv(1) != b""
            return False

        def flood() -> None:
            with feed.open("w") as file:
                while not ended.is_set():
                    file.write(lines(1000))

        async def test() -> None:
            front = ("-l", "disabled", "--", "pipe", "--read", "--no-seq", str(feed))
            behind = () if words == ["--write"] else ("--", "write", "/dev/null")
            live = await server(*words, "--timeout", "200ms", port=port, front=front, behind=behind)
            loop, threads = asyncio.get_running_loop(), ThreadPoolExecutor(10)
            others = [loop.run_in_executor(threads, flood), *(loop.run_in_executor(threads, client, seed) for seed in range(8))]
            await asyncio.wait((live.task,), timeout=CYCLES / 5)
            assert not live.task.done(), live.task
            while not await loop.run_in_executor(threads, served):
                pass
            ended.set()
            await asyncio.gather(*others)
            assert await live.stop() is None

        in_loop(test())

    def test_messages_that_are_not_finished(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        """Of all clients together they are bounded: whose is longest goes, and pings between the fragments do not help."""
        monkeypatch.setattr(transport, "_UNFINISHED", 10_000)
        monkeypatch.setattr(transport, "_ALL_UNFINISHED", 100_000)

        async def test() -> None:
            port = free_port()
            live = await server("--read", port=port, front=("-l", "info"), behind=("--", "write", "/dev/null"))
            small = [await asyncio.to_thread(hello, port) for _ in range(10)]
            large = await asyncio.to_thread(hello, port)
            large.sendall(head(0x02, 50_000) + b" " * 50_000 + masked(0x89, b"ping") + head(0x00, 50_000) + b" " * 9_000)
            for sock in small:
                sock.sendall(head(0x82, 30_000) + b" " * 15_000)
            assert await asyncio.to_thread(rest, large) in (b"\x8a\x04ping", b"")
            large.close()
            for number, sock in enumerate(small):
                sock.sendall(b" " * 15_000)
                sock.close()
                await closing(live, number + 2)
            served = next(stage for stage in live.pipe.stages if isinstance(stage, Websocket))._server
            assert served is not None and not served._senders and not served._unfinished
            await self.serve(live, port)

        in_loop(test())
        said = capfd.readouterr().err
        assert "is cut off: 5" in said and "KiB of a message" in said
        assert said.count("is cut off") == 1

    @pytest.mark.parametrize("fragments", [1, 5, 100_000])
    def test_a_long_message(self, fragments: int) -> None:
        """In however many pieces, it ends at 4 MiB; empty ones take nothing."""

        def script(port: int) -> bytes:
            with hello(port) as sock, contextlib.suppress(ConnectionError):
                size = 0 if fragments == 100_000 else (4 << 20) // fragments + 1
                first, more = (head(first, size) + b" " * size for first in (0x02, 0x00))
                for number in range(fragments):
                    sock.sendall(more if number else first)
                if not size:
                    sock.sendall(masked(0x80, line(1).encode()) + masked(0x88, b"\x03\xe8"))
                return rest(sock)
            return b""

        async def test() -> None:
            port = free_port()
            live = await server("--read", port=port, behind=("--", "write", "/dev/null"))
            said = await asyncio.to_thread(script, port)
            code = 1000 if fragments == 100_000 else 1009
            assert said[2:4] in (struct.pack(">H", code), b"")  # unread octets may break the connection before
            await self.serve(live, port)

        in_loop(test())

    def test_a_bomb(self) -> None:
        """64 MiB in 64 KiB, compressed: nothing is unpacked beyond what a frame may have."""

        def script(port: int) -> bytes:
            deflate = zlib.compressobj(9, wbits=-15)
            data = (deflate.compress(bytes(64 << 20)) + deflate.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")
            with hello(port, "Sec-WebSocket-Extensions: permessage-deflate") as sock:
                sock.sendall(head(0xC2, len(data)) + data)
                return rest(sock)

        async def test() -> None:
            port = free_port()
            live = await server("--read", "--compress", port=port, behind=("--", "write", "/dev/null"))
            before = resident(os.getpid())
            said = await asyncio.to_thread(script, port)
            assert said[0] == 0x88 and said[2:4] == struct.pack(">H", 1009)
            assert resident(os.getpid()) - before < 32 << 10
            await self.serve(live, port)

        in_loop(test())

    @pytest.mark.parametrize("words", [b"x", b"bgpipe %s 0", b"bgpipe %s ?"], ids=["any", "frames", "before"])
    def test_pings_whose_answers_nobody_reads(self, words: bytes) -> None:
        """Who does not read is not read either, or answered no more."""

        def script(port: int) -> int:
            with hello(port) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.setblocking(False)
                ping = masked(0x89, words.replace(b"%s", b"a" * 100).ljust(100, b"x"))
                flood, sent, idle = ping * 1000, 0, 0
                while sent < 12 << 20 and idle < 10:
                    try:
                        sent += sock.send(flood[sent % len(ping) :])
                        idle = 0
                    except BlockingIOError:
                        idle += 1
                        time.sleep(0.05)
                    except ConnectionError:
                        break
                return sent

        async def test() -> None:
            port = free_port()
            live = await server("--read", port=port, behind=("--", "write", "/dev/null"))
            before = resident(os.getpid())
            assert await asyncio.to_thread(script, port) > 0
            assert resident(os.getpid()) - before < 32 << 10
            await closing(live)
            await self.serve(live, port)

        in_loop(test())

    def test_long_headers(self) -> None:
        """A megabyte of them is refused while it comes."""

        def script(port: int) -> bytes:
            with socket.create_connection(("127.0.0.1", port), 20) as sock:
                with contextlib.suppress(ConnectionError):
                    sock.sendall(b"GET /bgp HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %0100d\r\n" % (number, 0) for number in range(10_000)))
                return rest(sock)

        async def test() -> None:
            port = free_port()
            live = await server("--read", port=port, behind=("--", "write", "/dev/null"))
            assert (await asyncio.to_thread(script, port))[:13] in (b"HTTP/1.0 400 ", b"")
            await self.serve(live, port)

        in_loop(test())

    def test_a_farewell_that_is_not_meant(self, tmp_path: Path) -> None:
        """Who says goodbye, and then neither reads nor hangs up, is gone two seconds later all the same."""
        feed = tmp_path / "feed"
        os.mkfifo(feed)

        async def test() -> None:
            port = free_port()
            live = await server("--write", port=port, front=("--", "pipe", "--read", "--no-seq", str(feed)))
            sock = await asyncio.to_thread(hello, port)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await live.until("websocket/connected")
            link = next(stage for stage in live.pipe.stages if isinstance(stage, Websocket)).links[0]
            writer = asyncio.ensure_future(asyncio.to_thread(feed.write_text, lines(50_000)))
            while not link.full:
                await asyncio.sleep(0.01)
            sock.sendall(masked(0x88, b"\x03\xe8"))
            await closing(live)
            while link._transport.get_write_buffer_size():
                await asyncio.sleep(0.05)
            sock.close()
            await writer
            assert await live.stop() is None

        in_loop(test())

    def test_a_close_that_is_not_answered(self, target: Path) -> None:
        """The end does not wait for who hears nothing."""

        async def test() -> None:
            port = free_port()
            live = await server("--read", port=port, behind=("--", "write", str(target)))
            with await asyncio.to_thread(hello, port) as sock:
                await live.until("websocket/connected")
                assert await live.stop() is None
                assert await asyncio.to_thread(rest, sock) == b"\x88\x02" + struct.pack(">H", 1001)

        in_loop(test())

    def test_no_more_descriptors(self, tmp_path: Path) -> None:
        """Who comes waits, the log says so once, and it goes on when there are some again."""
        port, clients = free_port(), []
        program = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60)); from bgpipe.cli import main; sys.exit(main())"
        place = ["websocket", "--listen", "--read", url(port), "--", "write", str(tmp_path / "there.json")]

        async def test() -> bytes:
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, "--", *place, stderr=subprocess.PIPE)
            assert process.stderr is not None
            said = b""
            while b"listening" not in said:
                said += await process.stderr.read(1000)
            while b"nobody is let in for now" not in said:
                clients.append(socket.create_connection(("127.0.0.1", port), 20))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.02):
                        said += await process.stderr.read(1000)
            assert 20 < len(clients) < 100
            await asyncio.sleep(1.2)
            for sock in clients:
                sock.close()
            async with websockets.connect(url(port)) as client:
                await client.send(line(1))
            await written(tmp_path / "there.json.tmp", 1)
            process.terminate()
            said += await process.stderr.read()
            assert await process.wait() == 0
            return said

        said = in_loop(test())
        assert said.count(b"nobody is let in for now: Too many open files") + said.count(b"nobody is let in for now: too many open files") == 1
        assert read_lines(tmp_path / "there.json") == right(1)

    @pytest.mark.parametrize("secure", [False, True])
    def test_many_clients(self, secure: bool, tmp_path: Path) -> None:
        """Each gets all, and takes little memory, though nobody reads while it comes: frames are there once for all."""
        port, feed = free_port(), tmp_path / "feed"
        cert, key = certificate(tmp_path) if secure else ("", "")
        place = ["--cert", cert, "--key", key] if secure else []
        enter = partial(hello, context=ssl._create_unverified_context() if secure else None)
        os.mkfifo(feed)
        raise_limit()
        text = lines(200)

        def read(sock: socket.socket) -> int:
            got = b""
            while got.count(b'"UPDATE"') < 200:
                got += sock.recv(1 << 16)
            return len(got)

        async def test() -> int:
            words = ["pipe", "--read", "--no-seq", str(feed), "--", "websocket", "--listen", "--write", "--max-clients", "0", *place, url(port, secure)]
            process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bgpipe", *words, stderr=subprocess.PIPE)
            assert process.stderr is not None
            said = b""
            while b"listening" not in said:
                said += await process.stderr.read(1000)
            drain = asyncio.ensure_future(process.stderr.read())
            socks = [await asyncio.to_thread(enter, port) for _ in range(20)]
            before = resident(process.pid)
            with ThreadPoolExecutor(50) as doors:
                socks += await asyncio.to_thread(lambda: list(doors.map(enter, [port] * CLIENTS)))
            idle = resident(process.pid)
            with feed.open("w") as file:
                file.write(text)
                file.flush()
                assert len(set(await asyncio.to_thread(lambda: [read(sock) for sock in socks]))) == 1
                busy = resident(process.pid)
                for sock in socks:
                    sock.close()
                process.terminate()
            await drain
            assert await process.wait() == 0
            print(json.dumps({"clients": CLIENTS, "TLS": secure, "KiB a client": (idle - before) // CLIENTS, "with messages": (busy - before) // CLIENTS}))
            return busy - before

        assert in_loop(test(), patience_s=60.0 + CLIENTS / 10) < 200 * CLIENTS


class TestWhoMay:
    """Passwords, certificates, and how many."""

    @pytest.mark.parametrize(
        ("path", "headers", "status"),
        [
            ("/bgp", [], 401),
            ("/bgp", ["Authorization: Basic " + base64.b64encode(b"user:wrong").decode()], 401),
            ("/bgp", ["Authorization: \xff\xfe"], 401),
            ("/", ["Authorization: Basic " + base64.b64encode(b"user:secret").decode()], 404),
        ],
    )
    def test_refused(self, path: str, headers: list[str], status: int, capfd: pytest.CaptureFixture[str]) -> None:
        async def test() -> bytes:
            port = free_port()
            live = await server("--read", "--auth", "user:secret", port=port, front=("-l", "info"), behind=("--", "write", "/dev/null"))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            fields = "".join(f"{header}\r\n" for header in headers)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{fields}\r\n".encode("latin-1"))
            answer = await reader.read()
            writer.close()
            assert await live.stop() is None
            return answer

        answer = in_loop(test())
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert (b"WWW-Authenticate: Basic" in answer) == (status == 401)
        said = capfd.readouterr().err
        assert "is refused" in said
        assert "secret" not in said and "wrong:" not in said

    @pytest.mark.parametrize("form", ["plain", "variable", "file", "url"])
    def test_the_password(self, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
        monkeypatch.setenv("ARCHIVE_AUTH", "user:pass:word")
        (tmp_path / "auth").write_text("user:pass:word\n")
        auth = {"plain": "user:pass:word", "variable": "$ARCHIVE_AUTH", "file": str(tmp_path / "auth")}.get(form)

        async def test() -> None:
            port = free_port()
            live = await server("--read", "--auth", "user:pass:word", port=port, behind=("--", "write", str(tmp_path / "o.json")))
            place = url(port) if auth else url(port).replace("127", "user:pass%3Aword@127")
            words = ["--auth", auth] if auth else []
            assert await Live("--", "read", source, "--", "websocket", "--write", *words, place).task is None
            await closing(live)
            assert await live.stop() is None

        in_loop(test())
        assert len(read_lines(tmp_path / "o.json")) == 1000

    def test_a_wrong_password(self, source: str) -> None:
        async def test() -> None:
            port = free_port()
            live = await server("--read", "--auth", "user:secret", port=port, behind=("--", "write", "/dev/null"))
            error = await Live("--", "read", source, "--", "websocket", "--write", "--auth", "user:wrong", url(port)).task
            assert str(error) == f"cannot connect to {url(port)}: the server answers 401: wrong --auth, or none"
            assert await live.stop() is None

        in_loop(test())

    def test_no_secret_is_shown(self, capfd: pytest.CaptureFixture[str]) -> None:
        place = "ws://user:secret@127.0.0.1:1/bgp"
        words = ["--", "read", "x", "--", "websocket", "--write", "--header", "X-Token: secret"]
        assert main(["-n", *words, place]) == 0
        explained = capfd.readouterr().out
        assert "secret" not in explained and "X-Token" in explained
        with pytest.raises(UsageError) as caught:
            Pipeline([*words, "--auth", "secret", place])
        assert "secret" not in str(caught.value)
        with pytest.raises(BgpipeError) as failed:
            Pipeline([*words, place]).run_sync()
        assert "secret" not in str(failed.value)

    def test_redirects_are_not_followed(self, source: str) -> None:
        """What is secret in the request is for one server alone."""

        def process(connection: Any, request: Any) -> Any:
            answer = connection.respond(302, "")
            answer.headers["Location"] = "http://127.0.0.1:1/"
            return answer

        async def test() -> None:
            async with their_server(echo, process_request=process) as port:
                error = await Live("--", "read", source, "--", "websocket", "--write", url(port)).task
                assert "the server redirects to another address" in str(error)

        in_loop(test())

    def test_headers(self, source: str) -> None:
        seen: list[str] = []

        def process(connection: Any, request: Any) -> None:
            seen.append(request.headers["X-Token"])

        async def test() -> None:
            async with their_server(echo, process_request=process) as port:
                words = ["--write", "--header", "X-Token: abc: d", "--header", "X-Other:1"]
                assert await Live("--", "read", source, "--", "websocket", *words, url(port)).task is None

        in_loop(test())
        assert seen == ["abc: d"]

    def test_too_many_clients(self) -> None:
        async def test() -> None:
            port = free_port()
            live = await server("--read", "--max-clients", "2", port=port, behind=("--", "write", "/dev/null"))
            async with websockets.connect(url(port)), websockets.connect(url(port)):
                with pytest.raises(websockets.exceptions.InvalidStatus, match="503"):
                    await websockets.connect(url(port))
            await closing(live, 2)
            async with websockets.connect(url(port)):
                pass
            assert await live.stop() is None

        in_loop(test())


AUTHORITY = """
[ca]
default_ca = own
[own]
new_certs_dir = {folder}
database = {folder}/index
serial = {folder}/serial
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = {names}
basicConstraints = CA:true
"""


def certificate(folder: Path, host: str = "127.0.0.1", until: str = "20491231235959Z") -> tuple[str, str]:
    """Paths of a certificate that is its own authority, and its key."""
    cert, key, request, config = (str(folder / name) for name in ("cert.pem", "cert.key", "request.pem", "config"))
    names = f"{'IP' if host[0].isdigit() else 'DNS'}:{host}"
    Path(config).write_text(AUTHORITY.format(folder=folder, names=names))
    (folder / "index").touch()
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test"]
    sign = ["openssl", "ca", "-batch", "-selfsign", "-rand_serial", "-config", config, "-keyfile", key, "-in", request, "-notext"]
    for words in ([*new, "-keyout", key, "-out", request], [*sign, "-out", cert, "-startdate", "20200101000000Z", "-enddate", until]):
        subprocess.run(words, check=True, capture_output=True)
    return cert, key


class TestTls:
    @pytest.mark.parametrize(
        ("host", "known", "words", "error"),
        [
            ("127.0.0.1", True, [], ""),
            ("127.0.0.1", False, ["--insecure"], ""),
            ("127.0.0.1", False, [], "nobody known here vouches for the certificate of 127.0.0.1"),
            ("example.net", True, [], "the certificate of 127.0.0.1 is for another name"),
        ],
    )
    def test_certificates(
        self, host: str, known: bool, words: list[str], error: str, source: str, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cert, key = certificate(tmp_path, host)
        if known:
            monkeypatch.setenv("SSL_CERT_FILE", cert)

        async def test() -> None:
            port = free_port()
            live = await server("--read", "--cert", cert, "--key", key, port=port, scheme="wss", behind=("--", "write", str(target)))
            found = await Live("--", "read", source, "--", "websocket", "--write", *words, url(port, True)).task
            assert error in str(found) if error else found is None
            if not error:
                await closing(live)
            assert await live.stop() is None

        in_loop(test())
        if not error:
            assert read_lines(target) == right(*range(1, 1001))

    def test_expired(self, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        cert, key = certificate(tmp_path, until="20200102000000Z")
        monkeypatch.setenv("SSL_CERT_FILE", cert)

        async def test() -> None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            async with their_server(echo, ssl=context) as port:
                error = await Live("--", "read", source, "--", "websocket", "--write", url(port, True)).task
                assert "the certificate of 127.0.0.1 has expired" in str(error)

        in_loop(test())

    def test_one_side_without(self, source: str, tmp_path: Path) -> None:
        cert, key = certificate(tmp_path)

        async def test() -> None:
            port, other = free_port(), free_port()
            secure = await server("--read", "--cert", cert, "--key", key, port=port, scheme="wss", behind=("--", "write", "/dev/null"))
            plain = await server("--read", port=other, behind=("--", "write", "/dev/null"))
            for number, with_tls in ((port, False), (other, True)):
                error = await Live("--", "read", source, "--", "websocket", "--write", "--timeout", "3s", url(number, with_tls)).task
                assert isinstance(error, StageError)
            assert await secure.stop() is None
            assert await plain.stop() is None

        in_loop(test())


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["ftp://x/"], "expected ws://HOST"),
        (["example.net:80"], "expected ws://HOST"),
        (["ws://:80/"], "the URL has no host"),
        (["ws://x:99999/"], "not a URL"),
        (["--listen", "wss://0.0.0.0/"], "a server of wss takes --cert and --key"),
        (["--cert", "x", "wss://x/"], "--cert and --key go together"),
        (["--listen", "--retry", "ws://:80/"], "--retry is for clients"),
        (["--listen", "--header", "a: b", "ws://:80/"], "--header is for clients"),
        (["--retry-max", "3", "ws://x/"], "--retry-max is for --retry"),
        (["--insecure", "ws://x/"], "--insecure is for wss"),
        (["--auth", "$NO_SUCH_VARIABLE", "ws://x/"], "there is no environment variable NO_SUCH_VARIABLE"),
        (["--auth", "/no/such/file", "ws://x/"], "cannot read /no/such/file"),
        (["--header", "nothing", "ws://x/"], "expected 'NAME: VALUE'"),
        (["--header", "a: b\r\nc: d", "ws://x/"], "expected 'NAME: VALUE'"),
        (["--read", "--write", "ws://x/"], "--read and --write exclude each other"),
    ],
)
def test_usage(words: list[str], error: str) -> None:
    with pytest.raises(UsageError, match=error.replace("$", r"\$")):
        Pipeline(["--", "read", "x", "--", "websocket", *words])


def test_many_sessions_and_one_port() -> None:
    with pytest.raises(UsageError, match="all of them would use this one"):
        Pipeline(["--", "listen", "--multi", ":1790", "--", "websocket", "--listen", "--write", "ws://:80/", "--", "connect", "192.0.2.1"])


def test_a_password_in_the_clear() -> None:
    pipe = Pipeline(["--", "read", "x", "--", "websocket", "--write", "--auth", "a:b", "ws://192.0.2.1/"])
    assert any("wss:// hides it" in text for _, text in pipe.warnings())


@pytest.mark.parametrize("given", ["http://127.0.0.1:1/a?b", "ws://127.0.0.1:1/a?b", "https://127.0.0.1:1/a?b", "wss://127.0.0.1:1/a?b"])
def test_the_schemes_of_a_web_server_mean_the_same(given: str) -> None:
    stage = Pipeline(["--", "read", "x", "--", "websocket", "--write", given]).stages[1]
    assert isinstance(stage, Websocket)
    assert stage._target == given.replace("http", "ws")


@pytest.mark.parametrize(
    ("words", "doubt"),
    [
        ("--write ws://:80/", "anybody who reaches ws://:80/ gets all messages; --auth asks for a password"),
        ("--read ws://192.0.2.1:80/", "anybody who reaches ws://192.0.2.1:80/ may send messages; --auth asks for a password"),
        ("ws://router.example/", "anybody who reaches ws://router.example/ gets all messages and may send messages; --auth asks for a password"),
        ("--write --auth a:b --cert c --key k wss://:443/", None),
        ("--write ws://127.0.0.2:80/", None),
        ("--write ws://[::1]:80/", None),
        ("--write ws://localhost:80/", None),
    ],
)
def test_a_server_for_anybody(words: str, doubt: str | None) -> None:
    """One warning, where others than who is on this machine can come."""
    found = Pipeline(["--", "read", "x", "--", "websocket", "--listen", *words.split(), "--", "write", "y"]).warnings()
    assert [text for _, text in found if "anybody" in text] == ([doubt] if doubt else [])
