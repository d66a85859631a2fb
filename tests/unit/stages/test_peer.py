"""connect and listen: what two peers notice of us between them, and what each stage does by itself."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import random
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from types import MappingProxyType

import pytest
from live import (
    KEEPALIVE,
    NO_EXTENDED,
    Live,
    Remote,
    Server,
    dial,
    free_port,
    listening,
    open_message,
    proxy,
    run,
    update,
)

import bgpipe
from bgpipe.bgp.causes import Cause, message
from bgpipe.errors import PassingError, StageError, UsageError
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.log import Log
from bgpipe.pipeline.service import Service
from bgpipe.stages import connect, listen
from bgpipe.stages.peer import Peer
from bgpipe.transport import backoff, tcp

LEFT_OPEN = open_message(65001, 1, capabilities=NO_EXTENDED)
RIGHT_OPEN = open_message(65002, 2, capabilities=NO_EXTENDED)
ESTABLISHING = len(LEFT_OPEN) + len(KEEPALIVE)


async def establish(
    left: Remote, right: Remote, left_open: bytes = LEFT_OPEN, right_open: bytes = RIGHT_OPEN
) -> None:
    left.send(left_open)
    assert await right.message() == left_open
    right.send(right_open, KEEPALIVE)
    assert await left.message() == right_open
    left.send(KEEPALIVE)
    assert await right.message() == KEEPALIVE
    assert await left.message() == KEEPALIVE


def announce(number: int) -> bytes:
    """An UPDATE that announces 10.0.number.0/24."""
    attributes = bytes.fromhex("40010100400200400304c0000201")
    return message(2, b"\0\0" + len(attributes).to_bytes(2) + attributes + bytes((24, 10, 0, number)))


def may_be_transparent() -> bool:
    with socket.socket() as sock:
        try:
            tcp.set_transparent(sock)
        except StageError:
            return False
        return True


def notification(octets: bytes) -> str:
    assert octets[18] == 3
    assert int.from_bytes(octets[16:18]) == len(octets)
    return str(Cause.parse(octets[19:]))


class TestProxy:
    def test_the_very_octets(self) -> None:
        """Whatever comes goes on as it came, however it is cut into pieces."""

        def script(seed: int) -> list[bytes]:
            dice = random.Random(seed)
            hello = [KEEPALIVE, message(2, b"\0\0\0\0"), b"\xff" * 16 + b"\0\x17\x02" + b"\xff\xff\0\0"]
            kinds = [2, 4, 5, 77]
            return hello + [message(dice.choice(kinds), dice.randbytes(dice.randrange(500))) for _ in range(2000)]

        async def send(remote: Remote, octets: bytes) -> None:
            dice = random.Random(1)
            while octets:
                size = dice.choice((1, 18, 19, 20, 100, 5000, 100_000))
                remote.send(octets[:size])
                await remote.writer.drain()
                octets = octets[size:]
            remote.writer.write_eof()

        async def test() -> None:
            async with proxy() as (live, left, right):
                await establish(left, right)
                rightward, leftward = b"".join(script(3)), b"".join(script(4))
                await asyncio.gather(send(left, rightward), send(right, leftward))
                assert await right.rest() == rightward
                assert await left.rest() == leftward
                assert await live.task is None

        run(test())

    def test_half_closed(self) -> None:
        """Who has sent all it has may still be told something."""

        async def test() -> None:
            async with proxy() as (live, left, right):
                await establish(left, right)
                left.writer.write_eof()
                assert await right.rest() == b""
                right.send(update(1))
                right.close()
                assert await left.rest() == update(1)
                assert await live.task is None

        run(test())

    def test_a_notification_is_the_end(self) -> None:
        cause = Cause(6, 2)

        async def test() -> None:
            async with proxy() as (live, left, right):
                await establish(left, right)
                left.send(update(1), cause.wire)
                assert await right.rest() == update(1) + cause.wire
                assert await left.rest() == b""
                assert await live.task is None

        run(test())

    @pytest.mark.parametrize("end", ["left", "right"])
    def test_only_a_cease_is_no_failure(self, end: str) -> None:
        """Who is thrown out by a router for another reason wants to hear of it in the exit code."""

        async def test(cause: Cause) -> StageError | None:
            async with proxy() as (live, left, right):
                await establish(left, right)
                one, other = (left, right) if end == "left" else (right, left)
                one.send(cause.wire)
                assert await other.rest() == cause.wire
                assert await one.rest() == b""
                failure = await live.task
                assert live.pipe.exit_code == (1 if failure is not None else 0)
                assert failure is None or isinstance(failure, StageError)
                return failure

        for code in (1, 2, 3, 4, 5, 7, 8, 99):
            failure = run(test(Cause(code, 1)))
            assert re.fullmatch(rf"the {end} \(127\.0\.0\.1:\d+\) ended the session: {Cause(code, 1)}", str(failure))
        assert run(test(Cause(6, 7))) is None

    def test_a_notification_that_an_error_of_ours_would_hide(self) -> None:
        """A router says why and resets the connection, while we write to it: the other one hears of it all the same."""
        cause = Cause(3, 10)

        async def test() -> None:
            async with proxy() as (live, left, right):
                await establish(left, right)
                stage = live.pipe.stages[-2]
                assert isinstance(stage, Peer) and stage._connection is not None
                stage._connection._read(False)  # as if the loop were busy
                right.send(cause.wire)
                await right.writer.drain()
                right.reset()
                farewell = asyncio.ensure_future(left.rest())
                while not farewell.done():
                    left.send(update(1))
                    await asyncio.sleep(0.01)
                assert await farewell == cause.wire
                assert "UPDATE_MESSAGE_ERROR/INVALID_NETWORK_FIELD" in str(await live.task)

        run(test())

    def test_the_log_tells_who_ended_it(self, capfd: pytest.CaptureFixture[str]) -> None:
        async def test(end: str) -> None:
            async with proxy() as (live, left, right):
                live.pipe.log._least = 1
                await establish(left, right)
                if end == "stop":
                    live.pipe.end()
                else:
                    left.send(*((Cause(6, 4).wire,) if end == "cease" else ()))
                    left.close()
                await asyncio.gather(left.rest(), right.rest())
                right.close()
                await live.task

        lines = {
            "close": "stage 1 (listen): the left (127.0.0.1:N) closed the connection",
            "cease": "stage 1 (listen): the left (127.0.0.1:N) ended the session: CEASE/ADMIN_RESET",
            "stop": "we end the session: CEASE/ADMIN_SHUTDOWN: bgpipe was stopped",
        }
        for end, line in lines.items():
            capfd.readouterr()
            run(test(end))
            said = re.sub(r":\d+\)", ":N)", capfd.readouterr().err).splitlines()
            assert said.count(f"bgpipe: {line}") == 1
            assert not any(other in text for other in lines.values() if other != line for text in said)
            assert re.fullmatch(r"bgpipe: the session is over after .*: \d messages to the right, 2 to the left", said[-1])

    def test_garbage(self) -> None:
        """Who sends it is told so; the other one, that it was not its fault."""

        async def test() -> None:
            async with proxy() as (live, left, right):
                await establish(left, right)
                left.send(update(1), b"x" * 30)
                assert notification(await left.rest()).startswith("MESSAGE_HEADER_ERROR/CONNECTION_NOT_SYNCHRONIZED")
                assert await right.message() == update(1)
                assert "CEASE/ADMIN_RESET: the other side of the proxy: MESSAGE_HEADER" in notification(await right.rest())
                assert "the marker is not all ones" in str(await live.task)

        run(test())

    def test_a_reset_connection(self) -> None:
        async def test() -> None:
            async with proxy() as (live, left, right):
                await establish(left, right)
                left.reset()
                assert await right.rest() == b""  # closed as it would have been without us
                failure = await live.task
                assert failure is None or "broke" in str(failure)

        run(test())

    def test_stopped(self) -> None:
        """Both get a Cease, behind what was on its way."""

        async def test() -> None:
            async with proxy() as (live, left, right):
                await establish(left, right)
                left.send(update(1))
                assert await right.message() == update(1)
                live.pipe.end()
                for remote in (left, right):
                    assert notification(await remote.rest()) == "CEASE/ADMIN_SHUTDOWN: bgpipe was stopped"
                    remote.close()
                assert await live.task is None

        run(test())

    def test_a_peer_that_hangs_does_not_hold_up_the_end(self) -> None:
        async def test() -> None:
            async with proxy() as (live, left, right):
                await establish(left, right)
                await stuff(live, left, right)
                await live.stop()

        run(test())

    def test_a_failed_stage(self, tmp_path: Path) -> None:
        script = tmp_path / "fails.py"
        script.write_text("def process(msg):\n    if msg.type == 'UPDATE': raise ValueError('no')\n    return msg\n")

        async def test() -> None:
            async with proxy(f"python --on-error stop {script}") as (live, left, right):
                await establish(left, right)
                left.send(update(1))
                for remote in (left, right):
                    assert "CEASE/ADMIN_RESET: bgpipe: stopped by process()" in notification(await remote.rest())
                    remote.close()
                assert isinstance(await live.task, StageError)

        run(test())

    def test_a_slow_receiver_stops_the_sender(self) -> None:
        """No more is read than what is bounded; nothing is lost. See `stuff`."""

        async def test() -> None:
            async with proxy() as (live, left, right):
                await establish(left, right)
                sent = await stuff(live, left, right)
                left.writer.write_eof()
                assert await right.rest() == sent
                assert await left.rest() == b""
                assert await live.task is None

        run(test())

    def test_one_way_blocked_the_other_goes_on(self) -> None:
        async def test() -> None:
            async with proxy() as (live, left, right):
                await establish(left, right)
                await stuff(live, left, right)
                right.send(update(5))
                assert await left.message() == update(5)

        run(test())

    def test_stages_between(self) -> None:
        async def test() -> None:
            async with proxy("limit --session 1", "update --add-com 65000:1") as (_, left, right):
                await establish(left, right)
                attributes = bytes.fromhex("40010100400200400304c0000201")
                body = b"\0\0" + len(attributes).to_bytes(2) + attributes + b"\x18\x0a\0\1\x18\x0a\0\2"
                left.send(message(2, body))
                wire = await right.message()
                assert wire.endswith(b"\xfd\xe8\0\1" + b"\x18\x0a\0\1")
                right.send(message(2, body))  # the other way there are no stages
                assert await left.message() == message(2, body)

        run(test())


ABLE = [(1, b"\0\1\0\1"), (65, (65001).to_bytes(4)), (69, b"\0\1\1\3")]
# A stage keeps what the left offers from the right, and promises it more than the right takes.
PROMISES = """
def process(msg):
    if msg.open is not None and msg.dir == "R":
        del msg.open.capabilities["AS4"], msg.open.capabilities["ADDPATH"]
    elif msg.open is not None:
        msg.open.capabilities["EXTENDED_MESSAGE"] = True
    return msg
"""


class TestContexts:
    """Two sessions that have agreed on different things."""

    @staticmethod
    async def establish(left: Remote, right: Remote) -> None:
        left.send(open_message(65001, 1, capabilities=ABLE))
        assert await right.message() == open_message(65001, 1, capabilities=ABLE[:1])
        right.send(open_message(65002, 2, capabilities=[ABLE[0], (65, (65002).to_bytes(4)), ABLE[2]]), KEEPALIVE)
        assert (await left.message())[18] == 1
        left.send(KEEPALIVE)
        assert await right.message() == KEEPALIVE
        assert await left.message() == KEEPALIVE

    @staticmethod
    def routes(path: str, prefixes: str, unreach: str = "") -> bytes:
        attributes = bytes.fromhex("400101004003040a000001" + path)
        withdrawn = bytes.fromhex(unreach)
        body = len(withdrawn).to_bytes(2) + withdrawn + len(attributes).to_bytes(2) + attributes
        return message(2, body + bytes.fromhex(prefixes))

    def test_each_gets_its_own(self, tmp_path: Path) -> None:
        script = tmp_path / "promises.py"
        script.write_text(PROMISES)
        wide = self.routes("40020a0202000100010000fdea", "00000001180a0001" + "00000002180a0002", "00000003180a0003")
        narrow = self.routes("40020602025ba0fdea" + "c0110a0202000100010000fdea", "180a0001180a0002", "180a0003")
        back = self.routes("40020a0202000100010000fdea", "00000000180a0001" + "00000000180a0002", "00000000180a0003")

        async def test() -> None:
            async with proxy(f"python -LR {script}", look=True) as (live, left, right):
                await self.establish(left, right)
                left.send(wide, KEEPALIVE, wide)
                assert [await right.message() for _ in range(3)] == [narrow, KEEPALIVE, narrow]
                right.send(narrow, narrow)
                assert [await left.message() for _ in range(2)] == [back, back]
                updates = [msg.update for msg in live.seen if msg.update is not None]
                assert [str(update.full_as_path) for update in updates] == ["65537 65002"] * 4

        run(test())

    def test_long_messages(self, tmp_path: Path) -> None:
        script = tmp_path / "promises.py"
        script.write_text(PROMISES)
        prefixes = b"".join(b"\0\0\0\1\x20" + number.to_bytes(4) for number in range(4000))

        async def test() -> None:
            async with proxy(f"python -LR {script}") as (_, left, right):
                await self.establish(left, right)
                left.send(message(2, len(prefixes).to_bytes(2) + prefixes + b"\0\0"), KEEPALIVE)
                found = b""
                while (wire := await right.message()) != KEEPALIVE:
                    assert len(wire) <= 4096
                    found += wire[21:-2]
                assert found == b"".join(b"\x20" + number.to_bytes(4) for number in range(4000))

        run(test())


async def stuff(live: Live, left: Remote, right: Remote) -> bytes:
    """Send from the left until nothing goes any more, as the right does not read. Returns what was sent."""
    right.reader._transport.pause_reading()  # type: ignore[attr-defined]
    listening, connecting = (stage for stage in live.pipe.stages if isinstance(stage, Peer))
    sent = bytearray()
    number = 0
    while not (connecting.blocked and left.writer.transport.get_write_buffer_size() > 1 << 20):
        piece = b"".join(update(number + i, 3000) for i in range(20))
        number += 20
        left.send(piece)
        sent += piece
        await asyncio.sleep(0)
        assert len(sent) < 100 << 20, "somebody takes all of it"
    assert connecting._connection is not None
    assert connecting._connection.unsent < 1 << 20
    assert listening.end.timers is not None
    right.reader._transport.resume_reading()  # type: ignore[attr-defined]
    right.reader._paused = False  # type: ignore[attr-defined]
    return bytes(sent)


class TestConnect:
    def test_nobody_listens(self) -> None:
        async def test() -> None:
            failure = await Live("speaker", "--active", "--asn", "1", "connect", f"127.0.0.1:{free_port()}").task
            assert str(failure).startswith("cannot connect: 127.0.0.1:")
            assert str(failure).endswith("connection refused")

        run(test())

    def test_no_such_host(self) -> None:
        async def test() -> None:
            failure = await Live("connect", "no-such-host.invalid").task
            assert str(failure).startswith("cannot find no-such-host.invalid: ")

        run(test())

    def test_retry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(backoff, "FIRST_S", 0.01)

        async def test() -> None:
            port = free_port()
            live = Live("connect", "--retry", f"127.0.0.1:{port}")
            await asyncio.sleep(0.03)
            other = Live("listen", f"127.0.0.1:{port}")
            await other.until("listen/START")
            await live.until("connect/START")
            await live.stop()
            await other.task

        run(test())

    def test_retry_max(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(backoff, "FIRST_S", 0.001)
        tries = []

        async def attempt(self: connect.Connect) -> socket.socket:
            tries.append(1)
            raise PassingError("no")

        monkeypatch.setattr(connect.Connect, "_try", attempt)

        async def test() -> None:
            assert str(await Live("connect", "--retry", "--retry-max", "4", "127.0.0.1").task) == "no"

        run(test())
        assert len(tries) == 4

    def test_bind_and_ttl(self) -> None:
        async def test() -> None:
            async with Server() as server:
                live = Live("connect", "--bind", "127.0.0.9", "--ttl", "7", f"127.0.0.1:{server.port}")
                remote = await server.accept()
                assert remote.writer.get_extra_info("peername")[0] == "127.0.0.9"
                await live.until("connect/START")
                assert live.pipe.values["R_LOCAL"].startswith("127.0.0.9:")
                assert live.pipe.values["R_REMOTE"] == f"127.0.0.1:{server.port}"
                stage = live.pipe.stages[0]
                assert isinstance(stage, Peer) and stage._connection is not None
                sock = stage._connection.transport.get_extra_info("socket")
                assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 7
                await live.stop()

        run(test())

    @pytest.mark.skipif(not may_be_transparent(), reason="it takes the capability CAP_NET_ADMIN")
    def test_where_the_other_peer_wanted_to_go(self) -> None:
        async def test() -> None:
            async with Server() as server:
                port = free_port()
                ends = ["listen", "--transparent", f":{port}"], ["connect", "--transparent", "--wait", "listen"]
                live = Live("--", *ends[0], "--", *ends[1], f"0.0.0.0:{server.port}")
                left = await dial(port, local_addr=("127.0.0.9", 0))
                right = await server.accept()
                assert right.writer.get_extra_info("peername")[0] == "127.0.0.9"
                await live.until("connect/START")
                assert live.pipe.values["R_REMOTE"] == f"127.0.0.1:{server.port}"
                await live.stop()
                left.close()

        run(test())

    @pytest.mark.skipif(not may_be_transparent(), reason="it takes the capability CAP_NET_ADMIN")
    def test_that_is_where_we_listen(self) -> None:
        """Who wants to reach ourselves does not have us connect to ourselves time and again."""

        async def test() -> None:
            port = free_port()
            ends = ["listen", "--transparent", "--multi"], ["connect", "--transparent", "--retry", "--wait", "listen"]
            live = Live("--", *ends[0], f"127.0.0.1:{port}", "--", *ends[1], "0.0.0.0")
            remote = await dial(port)
            remote.send(open_message(65001))
            await remote.rest()
            remote.close()
            driver = live.pipe.driver
            assert isinstance(driver, Service)
            while driver.sessions:
                await asyncio.sleep(0.005)
            assert driver._begun == 2
            assert await live.stop() is None

        run(test())

    @pytest.mark.skipif(not may_be_transparent(), reason="it takes the capability CAP_NET_ADMIN")
    def test_that_nobody_has_told(self) -> None:
        async def test() -> None:
            failure = await Live("connect", "--transparent", "0.0.0.0").task
            assert "where the other peer wanted to go: begin with it, --wait listen" in str(failure)

        run(test())

    def test_what_came_before_the_start_is_not_lost(self) -> None:
        """A peer may speak while other stages are still being prepared."""

        async def test() -> None:
            async with Server() as server:
                port = free_port()
                live = Live("--", "connect", f"127.0.0.1:{server.port}", "--", "listen", f"127.0.0.1:{port}")
                left = await server.accept()
                left.send(LEFT_OPEN, KEEPALIVE)
                await asyncio.sleep(0.02)
                right = await dial(port)
                assert await right.message() == LEFT_OPEN
                assert await right.message() == KEEPALIVE
                await live.stop()

        run(test())

    @pytest.mark.parametrize(
        ("words", "problem"),
        [
            (["connect", "a:b:c"], "is no address"),
            (["connect", ":179"], "the host is missing"),
            (["connect", "--retry-max", "3", "x"], "--retry-max is for --retry"),
            (["connect", "--bind", "nonsense", "x"], "an address of this machine"),
            (["connect", "--md5", "", "x"], "a key of 1 to 80 octets"),
            (["--", "connect", "-L", "x", "--", "write", "y"], "as the first stage it works in direction -R"),
            (["--", "write", "y", "--", "connect", "x", "--", "write", "z"], "must be the first stage or the last"),
            (["listen", "host:1"], "no IP address"),
            (["listen", "--tls", ":1"], "--cert"),
            (["listen", "--key", "x", ":1"], "for --tls"),
            (["listen", "--peer", "x", ":1"], "addresses or prefixes"),
            (["speaker", "--active"], "--asn: "),
            (["speaker", "--hold", "2"], "--hold: "),
            (["speaker", "--id", "0.0.0.0"], "--id: "),
        ],
    )
    def test_usage(self, words: list[str], problem: str) -> None:
        with pytest.raises(UsageError, match=problem):
            Pipeline(words)


class TestListen:
    def test_timeout(self) -> None:
        async def test() -> None:
            failure = await Live("listen", "--timeout", "10ms", f"127.0.0.1:{free_port()}").task
            assert str(failure) == "nobody has connected within 0.01 s"

        run(test())

    def test_a_port_that_is_taken(self) -> None:
        async def test() -> None:
            async with Server() as server:
                failure = await Live("listen", f"127.0.0.1:{server.port}").task
                assert str(failure) == f"cannot listen on 127.0.0.1:{server.port}: address already in use"

        run(test())

    def test_one_peer(self) -> None:
        """Nobody else is taken, before --peer or behind the first one."""

        async def test() -> None:
            port = free_port()
            live = Live("listen", "--peer", "127.0.0.2,192.0.2.0/24", f":{port}")
            stranger = await dial(port)
            assert await stranger.rest() == b""
            peer = await dial(port, local_addr=("127.0.0.2", 0))
            await live.until("listen/START")
            assert live.pipe.values["R_REMOTE"].startswith("127.0.0.2:")  # though it listens for IPv6, too
            assert live.pipe.values["R_LOCAL"] == f"127.0.0.1:{port}"
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            await live.stop()
            peer.close()
            stranger.close()

        run(test())

    def test_stopped_while_waiting(self) -> None:
        async def test() -> None:
            live = Live("listen", f"127.0.0.1:{free_port()}")
            await live.until("listen/PREPARE")
            assert await live.stop() is None

        run(test())


class TestKey:
    """Where the key of --md5 may be, so that it is in no list of processes."""

    def key(self, text: str) -> object:
        stage = Pipeline(["connect", "--md5", text, "192.0.2.1"]).stages[0]
        assert isinstance(stage, connect.Connect)
        return stage.options.md5

    def test_where_it_is(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BGP_KEY", "of the environment")
        path = tmp_path / "key"
        path.write_text("of a file\nnot this\n")
        assert [self.key(text) for text in ("given", "$BGP_KEY", str(path))] == [b"given", b"of the environment", b"of a file"]

    def test_it_is_in_no_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BGP_KEY", "k" * 81)
        path = tmp_path / "key"
        path.write_text("k" * 81)
        for text in ("k" * 81, "$BGP_KEY", str(path)):
            with pytest.raises(UsageError) as caught:
                self.key(text)
            assert str(caught.value) == "stage 1 (connect): --md5: expected a key of 1 to 80 octets, or $VARIABLE or /FILE that has it"

    def test_it_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("BGP_KEY", raising=False)
        with pytest.raises(UsageError, match="--md5: there is no environment variable BGP_KEY"):
            self.key("$BGP_KEY")
        with pytest.raises(UsageError, match=r"--md5: cannot read .*: No such file"):
            self.key(str(tmp_path / "none"))


def has_md5() -> bool:
    with socket.socket() as sock:
        try:
            tcp.set_md5(sock, ipaddress.ip_network("192.0.2.1"), b"key")
        except StageError:
            return False
        return True


@pytest.mark.skipif(not has_md5(), reason="this kernel has no TCP-MD5")
class TestMd5:
    def test_on_both_sides(self) -> None:
        async def test() -> None:
            for address in ("127.0.0.1", "[::1]"):
                place = f"{address}:{free_port()}"
                listening = Live("listen", "--md5", "secret", place, "--", "speaker", "--asn", "1")
                await asyncio.sleep(0.05)
                connecting = Live("speaker", "--active", "--asn", "2", "--", "connect", "--md5", "secret", place)
                await asyncio.gather(listening.until("ESTABLISHED"), connecting.until("ESTABLISHED"))
                await connecting.stop()
                await listening.task

        run(test())

    def test_another_key(self) -> None:
        async def test() -> None:
            port = free_port()
            live = Live("listen", "--md5", "secret", f"127.0.0.1:{port}")
            await listening(port)
            failure = await Live("connect", "--md5", "other", "--timeout", "300ms", f"127.0.0.1:{port}").task
            assert "no answer" in str(failure)
            assert "signed with another key" in str(failure)
            assert "(nstat -az 'TcpExtTCPMD5*')" in str(failure)
            await live.stop()

        run(test())

    def test_a_key_that_only_the_listener_has(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setattr(listen, "_FIRST_S", 0.05)

        async def test() -> None:
            place = f"127.0.0.1:{free_port()}"
            pipe = Pipeline(["-l", "warn", "listen", "--md5", "secret", "--timeout", "300ms", place])
            running = asyncio.ensure_future(pipe.run())
            await asyncio.sleep(0.01)
            failure = await Live("connect", "--timeout", "200ms", place).task
            assert "no answer" in str(failure)
            assert "a peer that wants a TCP-MD5 key drops what is not signed, without a word (--md5)" in str(failure)
            with pytest.raises(StageError, match=r"nobody has connected within 0.3 s; TCP-MD5: .* not signed"):
                await running

        run(test())
        assert "nobody has connected yet; TCP-MD5: the kernel has dropped" in capfd.readouterr().err


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    tool = shutil.which("openssl")
    if tool is None:
        pytest.skip("openssl makes the certificate")
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    path = tmp_path / "cert.pem"
    subprocess.run([tool, *words, "-keyout", path, "-out", tmp_path / "only.pem"], check=True, capture_output=True)
    path.write_text(path.read_text() + (tmp_path / "only.pem").read_text())
    return path


class TestTls:
    def test_a_session(self, certificate: Path) -> None:
        async def test() -> None:
            port = free_port()
            words = ["listen", "--tls", "--cert", str(certificate), f"127.0.0.1:{port}", "--", "speaker", "--asn", "1"]
            listening = Live(*words)
            await asyncio.sleep(0.1)
            place = f"localhost:{port}"
            words = ["connect", "--tls", "--insecure", "--no-ipv6", "--retry", place]
            connecting = Live("speaker", "--active", "--asn", "2", "--", *words)
            await asyncio.gather(listening.until("ESTABLISHED"), connecting.until("ESTABLISHED"))
            await connecting.stop()
            assert await listening.task is None

        run(test())

    def test_a_certificate_that_nobody_vouches_for(self, certificate: Path) -> None:
        async def test() -> None:
            port = free_port()
            listening = Live("listen", "--tls", "--cert", str(certificate), f"127.0.0.1:{port}")
            await asyncio.sleep(0.1)
            failure = await Live("connect", "--tls", "--no-ipv6", f"localhost:{port}").task
            assert re.search(r"127\.0\.0\.1:\d+: nobody known here vouches for the certificate of localhost .*--insecure", str(failure))
            assert await listening.stop() is None

        run(test())

    def test_it_goes_on_listening(self, certificate: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Whoever speaks no TLS is no peer; the next one may be."""

        async def test() -> None:
            port = free_port()
            words = ["listen", "--tls", "--cert", str(certificate), f"127.0.0.1:{port}", "--", "speaker", "--asn", "1"]
            live = Live(*words)
            live.pipe.log._least = 1
            stranger = await dial(port)
            stranger.send(LEFT_OPEN)
            assert await stranger.rest() == b""
            stranger.close()
            connect = ["connect", "--tls", "--insecure", "--no-ipv6", f"localhost:{port}"]
            peer = Live("speaker", "--active", "--asn", "2", "--", *connect)
            await asyncio.gather(live.until("ESTABLISHED"), peer.until("ESTABLISHED"))
            await peer.stop()
            assert await live.task is None

        run(test())
        assert re.search(r"127\.0\.0\.1:\d+ has connected, and that came to nothing: ", capfd.readouterr().err)

    def test_retry(self, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A handshake that fails is a try that failed."""
        monkeypatch.setattr(backoff, "FIRST_S", 0.01)

        async def test() -> None:
            async with Server() as server:
                words = ["connect", "--tls", "--insecure", "--no-ipv6", "--retry", f"localhost:{server.port}"]
                live = Live("speaker", "--active", "--asn", "2", "--", *words)
                for _ in range(3):
                    (await server.accept()).close()
                assert await live.stop() is None

        run(test())

    @pytest.mark.parametrize("says", [None, b"", b"GET / HTTP/1.0\r\n\r\n"])
    def test_strangers_do_not_end_a_listener(
        self, says: bytes | None, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever else than TLS comes (nothing at all, a reset), it goes on."""
        monkeypatch.setattr(backoff, "FIRST_S", 0.001)

        async def test() -> None:
            port = free_port()
            words = ["listen", "--reconnect", "--tls", "--cert", str(certificate), f"127.0.0.1:{port}"]
            live = Live(*words, "--", "speaker", "--asn", "1")
            for _ in range(3):
                stranger = await dial(port)
                if says is None:
                    stranger.reset()
                    continue
                stranger.send(says)
                with contextlib.suppress(ConnectionError):
                    await stranger.writer.drain()
                stranger.close()
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            remote = await dial(port, ssl=context)
            await remote.establish(open_message(65001))
            assert await live.stop() is None
            remote.close()

        run(test())

    def test_a_router_that_does_not_speak_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """--reconnect goes on where it closes the connection amid the handshake, or says something else."""
        monkeypatch.setattr(backoff, "FIRST_S", 0.001)
        monkeypatch.setattr(backoff, "LONGEST_S", 0.01)

        async def test() -> None:
            async with Server() as server:
                words = ["connect", "--tls", "--insecure", "--reconnect", f"127.0.0.1:{server.port}"]
                live = Live("speaker", "--active", "--asn", "1", "--", *words)
                for end in (Remote.close, Remote.reset, Remote.close, Remote.close):
                    remote = await server.accept()
                    remote.send(b"220 ready\r\n")
                    end(remote)
                assert await live.stop() is None

        run(test())

    def test_who_does_not_begin(self, certificate: Path) -> None:
        """The handshake has no more time than the OPEN."""

        async def test() -> None:
            port = free_port()
            options = ["--tls", "--cert", str(certificate), "--open-timeout", "10ms"]
            live = Live("listen", "--multi", *options, f"127.0.0.1:{port}", "--", "speaker", "--asn", "65002")
            silent = await dial(port)
            with contextlib.suppress(ConnectionError):
                assert await silent.rest() == b""
            silent.close()
            assert await live.stop() is None

        run(test())

    def test_many(self, certificate: Path) -> None:
        """Who speaks no TLS has no session, and keeps nobody else from one."""

        async def test() -> None:
            port = free_port()
            words = ["listen", "--multi", "--tls", "--cert", str(certificate), f"127.0.0.1:{port}"]
            listening = Live(*words, "--", "speaker", "--asn", "1")
            stranger = await dial(port)
            stranger.send(LEFT_OPEN)
            assert await stranger.rest() == b""
            stranger.close()
            connect = ["connect", "--tls", "--insecure", "--no-ipv6", f"localhost:{port}"]
            peers = [Live("speaker", "--active", "--asn", str(asn), "--", *connect) for asn in (2, 3)]
            await asyncio.gather(*(peer.until("ESTABLISHED") for peer in peers))
            assert await listening.stop() is None
            assert [await peer.task for peer in peers] == [None, None]

        run(test())


class TestEnds:
    """Who sent a message, and to whom: in MRT always, elsewhere where it is asked for."""

    OPENS = tuple(open_message(asn, capabilities=[(65, asn.to_bytes(4))]) for asn in (65001, 65002))
    FROM_LEFT = MappingProxyType(
        {"PEER_IP": "127.0.0.8", "PEER_AS": "65001", "LOCAL_IP": "127.0.0.1", "LOCAL_AS": "65002"}
    )
    FROM_RIGHT = MappingProxyType(
        {"PEER_IP": "127.0.0.1", "PEER_AS": "65002", "LOCAL_IP": "127.0.0.9", "LOCAL_AS": "65001"}
    )

    def record(self, path: Path, *words: str) -> list[tuple[str, dict[str, str]]]:
        """The kind and the tags of each message of a session, in the file that it was recorded to."""

        async def test() -> None:
            async with Server() as server:
                port = free_port()
                live = Live("--", "listen", *words, f"127.0.0.1:{port}", "--", "tag", "-LR", "--add", "a=b", "--",
                            "write", "-LR", str(path), "--", "connect", "--wait", "listen", "--bind", "127.0.0.9",
                            f"127.0.0.1:{server.port}")  # fmt: skip
                left = await dial(port, local_addr=("127.0.0.8", 0))
                right = await server.accept()
                await establish(left, right, *self.OPENS)
                left.send(update(1))
                assert await right.message() == update(1)
                right.send(update(2))
                assert await left.message() == update(2)
                left.close()
                right.close()
                await live.task

        run(test())
        return [(msg.type, dict(msg.tags)) for msg in bgpipe.read(path)]

    def test_mrt(self, tmp_path: Path) -> None:
        found = self.record(tmp_path / "x.mrt")
        assert [tags for kind, tags in found if kind == "UPDATE"] == [self.FROM_LEFT, self.FROM_RIGHT]
        # Before the OPENs are there, nobody can know the AS numbers.
        assert found[0] == ("OPEN", {"PEER_IP": "127.0.0.8", "LOCAL_IP": "127.0.0.1"})

    def test_json_as_it_was(self, tmp_path: Path) -> None:
        found = self.record(tmp_path / "x.json")  # to the left, the file is in front of the tag
        assert [tags for kind, tags in found if kind == "UPDATE"] == [{"a": "b"}, {}]

    def test_tags(self, tmp_path: Path) -> None:
        found = self.record(tmp_path / "x.json", "--tags")
        expected = [self.FROM_LEFT | {"a": "b"}, self.FROM_RIGHT]
        assert [tags for kind, tags in found if kind == "UPDATE"] == expected

    def test_a_speaker(self, tmp_path: Path) -> None:
        """Of what we say ourselves we are the peer."""
        path = tmp_path / "x.mrt"

        async def test() -> None:
            async with Server() as server:
                live = Live("--", "speaker", "--active", "--asn", "65009", "--", "write", "-LR", str(path), "--",
                            "connect", f"127.0.0.1:{server.port}")  # fmt: skip
                right = await server.accept()
                await right.establish(self.OPENS[1])
                right.send(update(1))
                await live.until("UPDATE")
                right.close()
                await live.task

        run(test())
        address = {"PEER_IP": "127.0.0.1", "LOCAL_IP": "127.0.0.1"}
        found = [(msg.type, dict(msg.tags)) for msg in bgpipe.read(path)]
        assert found[0] == ("OPEN", address)
        assert ("KEEPALIVE", address | {"PEER_AS": "65009", "LOCAL_AS": "65002"}) in found
        assert ("UPDATE", address | {"PEER_AS": "65002", "LOCAL_AS": "65009"}) in found

    def test_limits_do_not_go_by_them(self) -> None:
        """Unless they are tags: --session counts both directions together."""

        async def left_out(*words: str) -> int:
            async with Server() as server:
                port = free_port()
                live = Live("--", "listen", *words, f"127.0.0.1:{port}", "--", "limit", "-LR", "--session", "1", "--",
                            "connect", "--wait", "listen", f"127.0.0.1:{server.port}")  # fmt: skip
                left = await dial(port)
                right = await server.accept()
                await establish(left, right, *self.OPENS)
                left.send(announce(1))
                assert await right.message() == announce(1)
                right.send(announce(2), KEEPALIVE)
                answer = await left.message()
                await live.stop()
                return answer != announce(2)

        assert run(left_out())
        assert not run(left_out("--tags"))


class TestStopped:
    @pytest.mark.parametrize("which", ["speaker", "connect"])
    def test_replayed_and_done(self, which: str, tmp_path: Path) -> None:
        """A member of the session that an event stops ends it in good order, behind all that was sent."""
        end_of_rib = tmp_path / "eor.json"
        end_of_rib.write_text("{}\n")

        async def test() -> None:
            async with Server() as server:
                words = {"speaker": ["speaker", "--active", "--asn", "65009"], "connect": ["connect"]}
                words[which] += ["--stop", "eor/STOP"]
                live = Live("--", *words["speaker"], "--", "@eor", "read", "--wait", "ESTABLISHED", str(end_of_rib), "--",
                            *words["connect"], f"127.0.0.1:{server.port}")  # fmt: skip
                right = await server.accept()
                await right.establish(open_message(65002, capabilities=[(65, (65002).to_bytes(4))]))
                assert await right.message() == message(2, b"\0\0\0\0")
                assert notification(await right.rest()).startswith("CEASE/ADMIN_SHUTDOWN")
                right.close()
                assert await live.task is None
                assert live.pipe.exit_code == 0

        run(test())

    def test_both_routers_are_told(self) -> None:
        async def test() -> None:
            async with proxy() as (live, left, right):
                await establish(left, right)
                assert live.pipe.driver is not None
                live.pipe.driver.interrupt(live.pipe.stage("connect"))
                for remote in (left, right):
                    assert notification(await remote.rest()).startswith("CEASE/ADMIN_SHUTDOWN")
                    remote.close()
                assert await live.task is None

        run(test())


class TestDoubts:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("listen :179 -- limit --session 5", "speaker, connect or listen is missing at the other end"),
            ("listen :179 -- connect --wait ESTABLISHED 192.0.2.1", "it never starts: without it there is no session"),
            ("speaker --active --asn 1 --wait EOR -- connect 192.0.2.1", "it never starts: without it there is no session"),
        ],
    )
    def test_what_cannot_be(self, words: str, expected: str) -> None:
        assert any(expected in text for _, text in Pipeline(words).warnings())

    @pytest.mark.parametrize("producer", ["read --wait ESTABLISHED x", "exec --read --wait ESTABLISHED x"])
    def test_none(self, producer: str) -> None:
        assert Pipeline(f"-o -- speaker --active --asn 1 -- {producer} -- connect 192.0.2.1").warnings() == []

    @pytest.mark.parametrize("address", ["192.0.2.300", "1.2.3.4.5:179"])
    def test_no_address(self, address: str) -> None:
        with pytest.raises(UsageError, match="is no IP address to connect to"):
            Pipeline(["-o", "--", "speaker", "--", "connect", address])


def test_limits_are_told_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        async with proxy("limit --session 1") as (live, left, right):
            await establish(left, right)
            live.pipe.log = Log()
            left.send(*map(announce, range(5)))
            assert await right.message() == announce(0)
            left.send(update(1))
            assert await right.message() == update(1)
            told = capfd.readouterr().err
            assert told.count("over --session") == 1
            assert "over --session, " in told and "so far; --events limit/session tells which" in told

    run(test())


@pytest.mark.parametrize(("options", "warned"), [("", True), ("--nexthop6 2001:db8::1", False)])
def test_next_hops_without_an_address(options: str, warned: bool, capfd: pytest.CaptureFixture[str]) -> None:
    """A session over IPv4 has no IPv6 address for --nexthop-self."""

    async def test() -> None:
        async with proxy(f"update --nexthop-self {options}".strip()) as (live, left, right):
            live.pipe.log = Log()
            await establish(left, right)
            await live.until("ESTABLISHED")
            assert ("IPv6 prefixes keep their next hops, unless --nexthop6" in capfd.readouterr().err) == warned

    run(test())
