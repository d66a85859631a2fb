"""Pipelines of many sessions: `listen --multi` and `--reconnect`, with real connections."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from live import KEEPALIVE, NO_EXTENDED, Clock, Live, Remote, Server, dial, free_port, open_message, run, update

from bgpipe._view import Msg
from bgpipe.bgp import watch
from bgpipe.bgp.causes import Cause, message
from bgpipe.bgp.timers import Timers
from bgpipe.errors import StageError, UsageError
from bgpipe.pipeline import service
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.events import Event
from bgpipe.stages import exec as exec_stage
from bgpipe.stages.exec import Exec
from bgpipe.stages.metrics import Metrics
from bgpipe.transport import backoff, tcp

LEFT_OPEN = open_message(65001, 1, capabilities=NO_EXTENDED)
RIGHT_OPEN = open_message(65002, 2, capabilities=NO_EXTENDED)
CLIENT_OPEN = open_message(65001, 1, capabilities=[(1, b"\0\1\0\1"), (65, (65001).to_bytes(4))])
ATTRIBUTES = bytes.fromhex("40010100400200400304c0000201")


def announce(number: int) -> bytes:
    """An UPDATE that announces 10.0.number.0/24."""
    return message(2, b"\0\0" + len(ATTRIBUTES).to_bytes(2) + ATTRIBUTES + bytes((24, 10, 0, number)))


def cause(octets: bytes) -> str:
    """What the NOTIFICATION says that these are, with nothing behind it."""
    assert octets[18] == 3, octets
    assert int.from_bytes(octets[16:18]) == len(octets)
    return str(Cause.parse(octets[19:]))


async def establish(left: Remote, right: Remote) -> None:
    left.send(LEFT_OPEN)
    assert await right.message() == LEFT_OPEN
    right.send(RIGHT_OPEN, KEEPALIVE)
    assert await left.message() == RIGHT_OPEN
    left.send(KEEPALIVE)
    assert await right.message() == KEEPALIVE
    assert await left.message() == KEEPALIVE


class Many:
    """A proxy for many clients, and what is behind it."""

    def __init__(self, server: Server, between: tuple[str, ...], options: tuple[str, ...]) -> None:
        self.server = server
        self.port = free_port()
        words = [word for stage in between for word in (*stage.split(), "--")]
        place = f"127.0.0.1:{self.port}"
        ends = ["listen", "--multi", *options, place], ["connect", "--wait", "listen", f"127.0.0.1:{server.port}"]
        self.live = Live("--", *ends[0], "--", *words, *ends[1])
        self._lock = asyncio.Lock()

    @property
    def sessions(self) -> list[Pipeline]:
        driver = self.live.pipe.driver
        assert isinstance(driver, service.Service)
        return list(driver.sessions.values())

    async def client(self) -> tuple[Remote, Remote]:
        """Another client, with a session that is up, and the connection of ours that it is for."""
        async with self._lock:
            left = await dial(self.port)
            right = await self.server.accept()
        await establish(left, right)
        return left, right

    async def sessions_are(self, count: int) -> None:
        while len(self.sessions) != count:
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def many(*between: str, options: tuple[str, ...] = ()) -> AsyncIterator[Many]:
    async with Server() as server:
        found = Many(server, between, options)
        yield found
        await found.live.stop()


def address(remote: Remote) -> str:
    host, port = remote.writer.get_extra_info("sockname")[:2]
    return f"{host}:{port}"


def programs(pattern: str) -> int:
    """How many children of ours run this, or have ended and were not waited for."""
    pids = [pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids]
    return sum(not command or pattern.encode() in command for command in commands)


class TestPrograms:
    def test_each_session_has_its_own(self) -> None:
        """One that dies is started again for its session alone, and all end with theirs."""

        async def test() -> None:
            async with many("exec --restart -LR -A sed -u s/unique-for-this-test//") as all_of_them:
                clients = [await all_of_them.client() for _ in range(5)]
                assert programs("unique-for-this-test") == 5
                for number, (left, right) in enumerate(clients):
                    left.send(announce(number))
                    assert await right.message() == announce(number)
                stages = [session.stage("exec") for session in all_of_them.sessions]
                victim = stages[2]
                assert isinstance(victim, Exec)
                assert victim._process is not None
                victim._process.end(signal.SIGKILL)
                await all_of_them.live.until("exec/restart")
                for number, (left, right) in enumerate(clients):
                    left.send(announce(number + 10))
                    assert await right.message() == announce(number + 10)
                assert programs("unique-for-this-test") == 5
                for left, right in clients[:3]:
                    left.close()
                    right.close()
                await all_of_them.sessions_are(2)
                assert programs("unique-for-this-test") == 2
            assert programs("unique-for-this-test") == 0
            for left, right in clients:
                left.close()
                right.close()
                await left.writer.wait_closed()
                await right.writer.wait_closed()

        run(asyncio.sleep(0))  # libuv opens a pipe, once in a process
        before = {file.name for file in Path("/proc/self/fd").iterdir()}
        run(test())
        assert {file.name for file in Path("/proc/self/fd").iterdir()} <= before


class TestMulti:
    def test_to_each_its_own(self, tmp_path: Path) -> None:
        """Sessions of their own, with one file that tells whose each message was."""
        path = tmp_path / "all.json"

        async def test() -> list[str]:
            async with many(f"write -LR {path}") as all_of_them:
                clients = [await all_of_them.client() for _ in range(5)]
                for number, (left, right) in enumerate(clients):
                    left.send(announce(number))
                    right.send(update(number))
                for number, (left, right) in enumerate(clients):
                    assert await right.message() == announce(number)
                    assert await left.message() == update(number)
                return [address(left) for left, _ in clients]

        peers = run(test())
        messages = [json.loads(line) for line in path.read_text().splitlines()]
        assert {msg[5]["listen/remote"] for msg in messages} == set(peers)
        for peer in peers:
            kinds = [msg[:4:3] for msg in messages if msg[5]["listen/remote"] == peer]
            hellos = [["R", "OPEN"], ["L", "OPEN"], ["L", "KEEPALIVE"], ["R", "KEEPALIVE"]]
            assert kinds[:4] == hellos
            assert sorted(kinds[4:]) == [["L", "UPDATE"], ["R", "UPDATE"]]

    def test_the_end_of_one_is_not_that_of_others(self) -> None:
        async def test() -> None:
            async with many() as all_of_them:
                (bad, bad_right), (left, right) = [await all_of_them.client() for _ in range(2)]
                bad.send(b"x" * 30)
                assert cause(await bad.rest()).startswith("MESSAGE_HEADER_ERROR")
                assert cause(await bad_right.rest()).startswith("CEASE/ADMIN_RESET")
                await all_of_them.sessions_are(1)
                left.send(update(1))
                assert await right.message() == update(1)
                await all_of_them.client()
                assert await all_of_them.live.stop() is None

        run(test())

    def test_a_failed_stage_closes_both_sides(self, tmp_path: Path) -> None:
        script = tmp_path / "fails.py"
        script.write_text("def process(msg):\n    if msg.type == 'UPDATE': raise ValueError('no')\n    return msg\n")

        async def test() -> None:
            async with many(f"python --on-error stop {script}") as all_of_them:
                failed, other = await all_of_them.client(), await all_of_them.client()
                failed[0].send(update(1))
                for remote in failed:
                    assert "CEASE/ADMIN_RESET: bgpipe: stopped by process()" in cause(await remote.rest())
                other[1].send(update(1))
                assert await other[0].message() == update(1)

        run(test())

    def test_what_a_handler_raises_ends_its_session(self, capfd: pytest.CaptureFixture[str]) -> None:
        async def test() -> None:
            port = free_port()
            pipe = Pipeline(["listen", "--multi", f"127.0.0.1:{port}", "--", "speaker", "--asn", "65002"])

            @pipe.on_event("OPEN")
            def fails(event: Event) -> None:
                if event.peer == unlucky:
                    raise ZeroDivisionError

            task = asyncio.ensure_future(pipe.run())
            remote, other = await dial(port), await dial(port)
            unlucky = address(remote)
            remote.send(CLIENT_OPEN)
            with contextlib.suppress(ConnectionError):
                await remote.rest()
            await other.establish(CLIENT_OPEN)
            pipe.end()
            await task

        run(test())
        assert "ZeroDivisionError" in capfd.readouterr().err

    def test_who_comes_and_goes_silences_nobody(
        self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Sessions that are up have lines in the log of their own, whatever the others have used up."""
        monkeypatch.setattr(service, "_LINES", 5)

        async def test() -> None:
            port = free_port()
            pipe = Pipeline(["listen", "--multi", f"127.0.0.1:{port}", "--", "speaker", "--asn", "65002"])
            task = asyncio.ensure_future(pipe.run())
            good = await dial(port)
            await good.establish(CLIENT_OPEN)
            driver = pipe.driver
            assert isinstance(driver, service.Service)
            for number in range(2, 10):
                noise = await dial(port)
                noise.close()
                while driver._begun < number or len(driver.sessions) > 1:
                    await asyncio.sleep(0.001)
            capfd.readouterr()
            good.send(b"x" * 30)
            await good.rest()
            good.close()
            while driver.sessions:
                await asyncio.sleep(0.001)
            assert f"{address(good)}: stage 1 (listen): " in capfd.readouterr().err
            pipe.end()
            await task

        run(test())
        assert "more lines of sessions were left out" in capfd.readouterr().err

    def test_no_more_than(self) -> None:
        async def test() -> None:
            async with many(options=("--max-sessions", "2")) as all_of_them:
                first, _ = [await all_of_them.client() for _ in range(2)]
                refused = await dial(all_of_them.port)
                refused.send(LEFT_OPEN)
                assert cause(await refused.rest()) == "CEASE/OUT_OF_RESOURCES"
                refused.close()
                first[0].close()
                await all_of_them.sessions_are(1)
                await all_of_them.client()

        run(test())

    def test_no_more_than_of_one_address(self) -> None:
        async def test() -> None:
            async with many(options=("--max-sessions-per-peer", "2")) as all_of_them:
                first, _ = [await all_of_them.client() for _ in range(2)]
                refused = await dial(all_of_them.port)
                assert cause(await refused.rest()) == "CEASE/OUT_OF_RESOURCES"
                refused.close()
                other = await dial(all_of_them.port, local_addr=("127.0.0.2", 0))
                await establish(other, await all_of_them.server.accept())
                first[0].close()
                await all_of_them.sessions_are(2)
                await all_of_them.client()

        run(test())

    def test_a_program_that_stays(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where both routers have gone, one that neither ends nor says anything does not keep the session."""
        monkeypatch.setattr(exec_stage, "STAY_S", 0.0)
        script = tmp_path / "stays"
        script.write_text("#!/bin/sh\ntrap '' TERM\ncat\nwhile true; do sleep 0.1; done\n")
        script.chmod(0o755)

        async def test() -> None:
            async with many(f"exec -LR {script}") as all_of_them:
                left, right = await all_of_them.client()
                left.send(announce(1))
                assert await right.message() == announce(1)
                left.close()
                right.close()
                await all_of_them.sessions_are(0)

        run(test())

    def test_stopped(self, tmp_path: Path) -> None:
        """All get a Cease behind what was on its way, and what was written is complete."""
        path = tmp_path / "all.json"

        async def test() -> None:
            async with many(f"write {path}") as all_of_them:
                clients = [await all_of_them.client() for _ in range(3)]
                for left, _ in clients:
                    left.send(update(7))
                for _, right in clients:
                    assert await right.message() == update(7)
                all_of_them.live.pipe.end()
                for remote in (remote for pair in clients for remote in pair):
                    assert cause(await remote.rest()) == "CEASE/ADMIN_SHUTDOWN: bgpipe was stopped"
                    remote.close()
                assert await all_of_them.live.task is None
                assert all_of_them.live.pipe.exit_code == 0

        run(test())
        assert sum(json.loads(line)[3] == "UPDATE" for line in path.read_text().splitlines()) == 3

    def test_cancelled(self) -> None:
        async def test() -> None:
            async with many() as all_of_them:
                left, _ = await all_of_them.client()
                all_of_them.live.task.cancel()
                assert cause(await left.rest()) == "CEASE/ADMIN_SHUTDOWN: bgpipe was stopped"
                left.close()
                with pytest.raises(asyncio.CancelledError):
                    await all_of_them.live.task
                all_of_them.live.task = asyncio.ensure_future(asyncio.sleep(0))

        run(test())

    def test_counters_are_sums(self) -> None:
        async def test() -> None:
            async with many("metrics -LR") as all_of_them:
                clients = [await all_of_them.client() for _ in range(3)]
                for left, right in clients:
                    left.send(announce(1), announce(2))
                    assert await right.message() == announce(1)
                    assert await right.message() == announce(2)
                assert [session.counts for session in all_of_them.sessions] == [(4, 2)] * 3
                assert {session.peer for session in all_of_them.sessions} == {address(left) for left, _ in clients}
                metrics = all_of_them.live.pipe.stage("metrics")
                assert isinstance(metrics, Metrics)
                assert metrics.messages["R", "UPDATE"] == 6
                assert metrics.messages["L", "OPEN"] == 3

        run(test())

    def test_sessions_that_routers_refuse_have_failed(self, capfd: pytest.CaptureFixture[str]) -> None:
        """A Cease is no failure; the process goes on in any case."""

        async def test() -> None:
            async with many() as all_of_them:
                all_of_them.live.pipe.log._least = 1
                for reason in (Cause(3, 10), Cause(6, 7), Cause(2, 2)):
                    left, right = await all_of_them.client()
                    right.send(reason.wire)
                    assert cause(await left.rest()) == str(reason)
                    left.close()
                    right.close()
                    await all_of_them.sessions_are(0)
                assert await all_of_them.live.stop() is None

        run(test())
        assert "3 sessions, 2 of them failed; 0 clients refused" in capfd.readouterr().err

    def test_two_outputs_of_a_kind(self, tmp_path: Path) -> None:
        """They need no names, no more than in a pipeline of one session."""
        paths = [tmp_path / "a.json", tmp_path / "b.json"]

        async def test() -> None:
            async with many(f"write -LR {paths[0]}", f"write -LR {paths[1]}", "metrics", "metrics") as all_of_them:
                left, right = await all_of_them.client()
                left.close()
                right.close()
                await all_of_them.sessions_are(0)

        run(test())
        assert paths[0].read_text() == paths[1].read_text() != ""

    def test_functions_and_events(self) -> None:
        """Those of a program are called for all sessions, and can tell them apart."""

        async def test() -> None:
            async with many() as all_of_them:
                pipe = all_of_them.live.pipe
                left, _ = await all_of_them.client()
                with pytest.raises(RuntimeError, match="runs already"):
                    pipe.on_message(lambda msg: msg)
                peers = [event.peer for event in all_of_them.live.events if event.name == "ESTABLISHED"]
                assert peers == [address(left)]

        run(test())

    def test_on_message(self) -> None:
        async def test() -> None:
            seen: list[str | None] = []
            port = free_port()
            pipe = Pipeline(["-l", "disabled", "--", "listen", "--multi", f"127.0.0.1:{port}", "--", "speaker", "--asn", "65002"])

            @pipe.on_message("prefix ~ 10.0.0.0/16", direction="R")
            def look(msg: Msg) -> Msg:
                seen.append(msg.tags.get("listen/remote"))
                return msg

            task = asyncio.ensure_future(pipe.run())
            remotes = [await dial(port) for _ in range(2)]
            for remote in remotes:
                await remote.establish(CLIENT_OPEN)
                remote.send(update(1), announce(1))
            while len(seen) < 2:
                await asyncio.sleep(0.005)
            assert sorted(map(str, seen)) == sorted(map(address, remotes))
            pipe.end()
            await task

        run(test())

    def test_state_of_scripts(self, tmp_path: Path) -> None:
        """Each session runs the file anew; what it imports is there once."""
        (tmp_path / "together_with_all.py").write_text("count = 0\n")
        script = tmp_path / "counts.py"
        script.write_text(
            "import together_with_all as shared\n"
            "mine = 0\n"
            "def process(msg):\n"
            "    global mine\n"
            "    mine += 1\n"
            "    shared.count += 1\n"
            "    msg.tags['counts'] = f'{mine} {shared.count}'\n"
            "    return msg\n"
        )
        path = tmp_path / "all.json"

        async def test() -> None:
            async with many(f"python -R --if update {script}", f"write {path}") as all_of_them:
                for _ in range(2):
                    left, right = await all_of_them.client()
                    left.send(update(1), update(2))
                    assert await right.message() == update(1)
                    assert await right.message() == update(2)

        run(test())
        tags = [json.loads(line)[5] for line in path.read_text().splitlines()]
        assert [tag["counts"] for tag in tags if "counts" in tag] == ["1 1", "2 2", "1 3", "2 4"]

    def test_a_program_for_each(self, tmp_path: Path) -> None:
        """exec runs one for each session, and they come and go with these."""

        async def test() -> None:
            async with many("exec -LR cat") as all_of_them:
                for _ in range(2):
                    left, right = await all_of_them.client()
                    left.send(announce(1))
                    assert await right.message() == announce(1)
                    left.close()
                    await all_of_them.sessions_are(0)
                bus = all_of_them.live.pipe._bus
                assert len(bus._handlers["bgpipe/STOP"]) == 1  # those of sessions went with them

        run(test())

    @pytest.mark.parametrize(("scope", "passed"), [("pipeline", [1, 1]), ("process", [1, 0])])
    def test_limits(self, scope: str, passed: list[int]) -> None:
        """A session counts its own prefixes, unless all are to share the count; what one counted goes with it."""

        async def test() -> None:
            async with many(f"limit --block 1 --scope {scope}") as all_of_them:
                clients = [await all_of_them.client() for _ in range(2)]
                for number, (left, _) in enumerate(clients):
                    left.send(announce(number), KEEPALIVE)
                for number, (_, right) in enumerate(clients):
                    if passed[number]:
                        assert await right.message() == announce(number)
                    assert await right.message() == KEEPALIVE
                for left, _ in clients:
                    left.close()
                await all_of_them.sessions_are(0)
                left, right = await all_of_them.client()
                left.send(announce(7))
                assert await right.message() == announce(7)

        run(test())

    def test_an_output_that_fails_ends_all(self) -> None:
        async def test() -> None:
            async with many("write /dev/full") as all_of_them:
                left = await dial(all_of_them.port)
                left.send(LEFT_OPEN)
                assert "cannot write /dev/full" in str(await all_of_them.live.task)
                assert all_of_them.live.pipe.exit_code == 1
                assert "CEASE/ADMIN_RESET: bgpipe: cannot write /dev/full" in cause(await left.rest())

        run(test())

    def test_an_output_that_cannot_be_opened(self, tmp_path: Path) -> None:
        async def test() -> None:
            async with many(f"write --create {tmp_path}") as all_of_them:
                assert isinstance(await all_of_them.live.task, StageError)

        run(test())

    def test_a_port_that_is_taken(self) -> None:
        async def test() -> None:
            async with Server() as server:
                failure = await Live("listen", "--multi", f"127.0.0.1:{server.port}", "--", "speaker").task
                assert "cannot listen" in str(failure)

        run(test())

    def test_kill_ends_all(self) -> None:
        async def test() -> None:
            port = free_port()
            words = ["--kill", "ESTABLISHED", "listen", "--multi", f"127.0.0.1:{port}", "--", "speaker", "--asn", "65002"]
            live = Live(*words)
            other, remote = await dial(port), await dial(port)
            remote.send(CLIENT_OPEN, KEEPALIVE)
            assert "killed by event ESTABLISHED" in str(await live.task)
            assert "killed by event" in cause(await other.rest())

        run(test())

    def test_who_says_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever connects and sends no OPEN is told so after a while."""
        monkeypatch.setattr(watch, "MARGIN_S", 0.0)

        async def test() -> None:
            async with many(options=("--open-timeout", "10ms")) as all_of_them:
                silent = await dial(all_of_them.port)
                assert cause(await silent.rest()) == "HOLD_TIMER_EXPIRED"
                await all_of_them.sessions_are(0)

        run(test())

    @pytest.mark.parametrize("wait", [(), ("--wait", "listen")])
    @pytest.mark.parametrize("hello", [b"", LEFT_OPEN])
    def test_who_waits_for_a_router_that_is_down(
        self, wait: tuple[str, ...], hello: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A client does not wait for ever for what we try to connect to; nor do we, when it has gone."""
        monkeypatch.setattr(watch, "MARGIN_S", 0.0)
        monkeypatch.setattr(watch, "OPEN_HOLD_S", 0.01)
        monkeypatch.setitem(Timers.__init__.__kwdefaults__, "hold_s", 0.01)

        async def test() -> None:
            port = free_port()
            ends = [f"127.0.0.1:{port}", "--", "connect", "--retry", *wait, f"127.0.0.1:{free_port()}"]
            live = Live("listen", "--multi", "--open-timeout", "10ms", *ends)
            remote = await dial(port)
            remote.send(hello)
            assert cause(await remote.rest()) == "HOLD_TIMER_EXPIRED"
            remote.close()
            left = await dial(port)
            left.close()
            driver = live.pipe.driver
            assert isinstance(driver, service.Service)
            while live.names.count("STOP") < 2 or driver.sessions:
                await asyncio.sleep(0.005)
            assert await live.stop() is None

        run(test())

    @pytest.mark.parametrize("wait", [(), ("--wait", "listen")])
    @pytest.mark.parametrize("hello", [b"", LEFT_OPEN])
    @pytest.mark.parametrize("end", [Remote.close, Remote.reset])
    def test_who_does_not_wait_for_a_router_that_is_down(
        self, wait: tuple[str, ...], hello: bytes, end: Callable[[Remote], None]
    ) -> None:
        """A client that has gone has no session, whatever it has said."""

        async def test() -> None:
            port = free_port()
            ends = [f"127.0.0.1:{port}", "--", "connect", "--retry", *wait, f"127.0.0.1:{free_port()}"]
            live = Live("listen", "--multi", "--closed-timeout", "10ms", *ends)
            for number in range(1, 4):
                remote = await dial(port)
                remote.send(hello)
                await remote.writer.drain()
                if wait:
                    while live.names.count("listen/START") < number:
                        await asyncio.sleep(0.001)
                end(remote)
            driver = live.pipe.driver
            assert isinstance(driver, service.Service)
            while driver._begun < 3 or driver.sessions:
                await asyncio.sleep(0.005)
            assert await live.stop() is None

        run(test())

    def test_what_is_said_of_a_router_that_is_down(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(watch, "MARGIN_S", 0.0)
        monkeypatch.setitem(Timers.__init__.__kwdefaults__, "hold_s", 0.01)

        async def test() -> None:
            port = free_port()
            live = Live("listen", f"127.0.0.1:{port}", "--", "connect", "--retry", f"127.0.0.1:{free_port()}")
            remote = await dial(port)
            assert cause(await remote.rest()) == "HOLD_TIMER_EXPIRED"
            remote.close()
            assert "there is no session with the left after 0.01 s" in str(await live.task)

        run(test())

    def test_it_goes_on_for_others_whose_peer_left_early(self, tmp_path: Path) -> None:
        """Who leaves while we still try to reach the other side takes its session along, and nothing else."""

        async def test() -> None:
            port = free_port()
            ends = [f"127.0.0.1:{port}", "--", "connect", "--retry", "--wait", "listen", f"127.0.0.1:{free_port()}"]
            live = Live("listen", "--multi", *ends)
            remotes = [await dial(port) for _ in range(3)]
            while live.names.count("listen/START") < 3:
                await asyncio.sleep(0.005)
            driver = live.pipe.driver
            assert isinstance(driver, service.Service)
            for remote in remotes[1:]:
                remote.close()
            while len(driver.sessions) > 1:
                await asyncio.sleep(0.005)
            assert await live.stop() is None

        run(test())

    def test_no_descriptors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Accepting pauses while there are none; sessions that are there go on."""
        monkeypatch.setattr(tcp, "_PAUSE_S", 0.001)
        accept, tries = Clock.sock_accept, []

        async def fails(self: Clock, listening: socket.socket) -> Any:
            tries.append(1)
            if 2 <= len(tries) < 6:
                raise OSError(errno.EMFILE, "Too many open files")
            if len(tries) == 6:
                raise OSError(errno.ECONNABORTED, "Software caused connection abort")
            return await accept(self, listening)

        monkeypatch.setattr(Clock, "sock_accept", fails, raising=False)

        async def test() -> None:
            async with many() as all_of_them:
                await all_of_them.client()
                left, right = await all_of_them.client()
                left.send(update(1))
                assert await right.message() == update(1)

        run(test())
        assert len(tries) > 6

    @pytest.mark.parametrize(
        ("command", "problem"),
        [
            ("listen --multi :1 -- listen :2", "cannot listen as well"),
            ("listen --multi :1 -- connect --reconnect x", "--reconnect has no use with --multi"),
            ("listen --multi --reconnect :1", "exclude each other"),
            ("listen --multi --timeout 3s :1", "there is no --timeout"),
            ("-i listen --multi :1", "but one standard input"),
            ("-- read - -- connect --reconnect x", "but one standard input"),
            ("listen --max-sessions-per-peer 1 :1", "--max-sessions-per-peer is for --multi"),
            ("listen --max-sessions -1 :1", "a whole number from 0"),
            ("listen --multi :1 -- pipe x -- connect y", "all of them would use this one"),
        ],
    )
    def test_usage(self, command: str, problem: str) -> None:
        with pytest.raises(UsageError, match=problem):
            Pipeline(command)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_S", 0.001)
    monkeypatch.setattr(backoff, "LONGEST_S", 0.01)


@pytest.mark.usefixtures("at_once")
class TestReconnect:
    def test_a_speaker(self, tmp_path: Path) -> None:
        """However a session ends, another one begins, and is sent all again; one file has them all."""
        path = tmp_path / "replayed.raw"
        path.write_bytes(announce(1) + announce(2))
        out = tmp_path / "all.json"

        async def test() -> None:
            async with Server() as server:
                speaker = ["speaker", "--active", "--asn", "65002", "--", "read", "--wait", "ESTABLISHED", str(path)]
                words = [*speaker, "--", "write", str(out), "--", "connect", "--reconnect", f"127.0.0.1:{server.port}"]
                live = Live("--", *words)
                for end in ("close", "notification", "garbage", "reset"):
                    remote = await server.accept()
                    await remote.establish(CLIENT_OPEN)
                    assert await remote.message() == announce(1)
                    assert await remote.message() == announce(2)
                    if end == "reset":
                        remote.reset()
                        continue
                    if end != "close":
                        remote.send(Cause(6, 2).wire if end == "notification" else b"x" * 20)
                    remote.close()
                last = await server.accept()
                await last.establish(CLIENT_OPEN)
                assert await live.stop() is None
                assert live.pipe.exit_code == 0
                last.close()

        run(test())
        kinds = [json.loads(line)[3] for line in out.read_text().splitlines()]
        assert kinds.count("OPEN") == 5
        assert kinds.count("UPDATE") >= 8

    def test_nobody_is_there_at_first(self) -> None:
        async def test() -> None:
            port = free_port()
            live = Live("speaker", "--active", "--asn", "1", "--", "connect", "--reconnect", f"127.0.0.1:{port}")
            await asyncio.sleep(0.02)
            server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", port)
            await live.until("connect/START")
            server.close()
            assert await live.stop() is None

        run(test())

    def test_it_gives_up(self) -> None:
        async def test() -> None:
            words = ["connect", "--reconnect", "--retry-max", "2", f"127.0.0.1:{free_port()}"]
            live = Live("speaker", "--active", "--asn", "1", "--", *words)
            assert "connection refused" in str(await live.task)
            assert live.pipe.exit_code == 1

        run(test())

    def test_between_two(self) -> None:
        """Where one end is lost, so is the other, and both are made anew."""

        async def test() -> None:
            async with Server() as server:
                port = free_port()
                ends = ["listen", f"127.0.0.1:{port}"], ["connect", "--wait", "listen", "--reconnect", f"127.0.0.1:{server.port}"]
                live = Live("--", *ends[0], "--", *ends[1])
                for number in range(3):
                    left = await dial(port)
                    right = await server.accept()
                    await establish(left, right)
                    left.send(update(number))
                    assert await right.message() == update(number)
                    (left if number % 2 else right).close()
                    assert await (right if number % 2 else left).rest() == b""
                    (right if number % 2 else left).close()
                assert await live.stop() is None

        run(test())

    def test_a_peer_that_left_early(self) -> None:
        """It goes on though one peer left before the other one was there."""

        async def test() -> None:
            port = free_port()
            ends = [f"127.0.0.1:{port}", "--", "connect", "--reconnect", "--wait", "listen", f"127.0.0.1:{free_port()}"]
            live = Live("listen", *ends)
            for number in range(1, 4):
                remote = await dial(port)
                while live.names.count("listen/START") < number:
                    await asyncio.sleep(0.001)
                remote.close()
            assert await live.stop() is None

        run(test())

    def test_listen_again(self) -> None:
        async def test() -> None:
            port = free_port()
            live = Live("listen", "--reconnect", f"127.0.0.1:{port}", "--", "speaker", "--asn", "65002")
            for number in range(3):
                while live.names.count("listen/PREPARE") <= number:
                    await asyncio.sleep(0.005)
                remote = await dial(port)
                await remote.establish(CLIENT_OPEN)
                remote.close()
            assert await live.stop() is None

        run(test())

    def test_who_comes_meanwhile_waits(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        """The port is ours between two sessions, too; who has left by then has none."""
        monkeypatch.setattr(backoff, "FIRST_S", 0.01)

        async def test() -> None:
            port = free_port()
            live = Live("listen", "--reconnect", f"127.0.0.1:{port}", "--", "speaker", "--asn", "65002")
            live.pipe.log._least = 1
            first = await dial(port)
            await first.establish(CLIENT_OPEN)
            with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
                socket.create_server(("127.0.0.1", port))
            impatient = await dial(port)
            impatient.send(CLIENT_OPEN)
            impatient.writer.write_eof()
            second = await dial(port)
            second.send(CLIENT_OPEN)
            first.close()
            assert (await second.message())[18] == 1
            with contextlib.suppress(ConnectionResetError):  # nobody has read what it said
                assert await impatient.rest() == b""
            second.close()
            impatient.close()
            assert await live.stop() is None
            with socket.create_server(("127.0.0.1", port)):
                pass

        run(test())
        said = capfd.readouterr().err
        assert said.count("has left before its turn") == 1
        assert said.count("listening on") == 1

    def test_strangers_do_not_have_a_listener_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever connects and leaves, the next client is taken at once."""
        monkeypatch.setattr(backoff, "FIRST_S", 1000.0)

        async def test() -> None:
            port = free_port()
            live = Live("listen", "--reconnect", f"127.0.0.1:{port}", "--", "speaker", "--asn", "65002")
            for _ in range(3):
                stranger = await dial(port)
                stranger.reset()
            remote = await dial(port)
            await remote.establish(CLIENT_OPEN)
            remote.close()
            assert await live.stop() is None

        run(test())

    def test_one_end_cannot_be_reached(self) -> None:
        """It may be there for the next session, though there was none yet."""

        async def test() -> None:
            port, other = free_port(), free_port()
            live = Live("listen", "--reconnect", f"127.0.0.1:{port}", "--", "connect", f"127.0.0.1:{other}")
            while live.names.count("connect/PREPARE") < 3:
                await asyncio.sleep(0.001)
            accepted: asyncio.Queue[Remote] = asyncio.Queue()
            server = await asyncio.start_server(
                lambda reader, writer: accepted.put_nowait(Remote(reader, writer)), "127.0.0.1", other
            )
            left = await dial(port)
            await establish(left, await accepted.get())
            left.close()
            server.close()
            assert await live.stop() is None

        run(test())

    def test_what_stays_wrong_ends_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No later try would be better: --retry does not try again either."""

        def refused(*_: object) -> None:
            raise StageError("TCP-MD5: not permitted")

        monkeypatch.setattr(tcp, "set_md5", refused)

        async def test() -> None:
            words = ["connect", "--reconnect", "--md5", "key", f"127.0.0.1:{free_port()}"]
            live = Live("speaker", "--active", "--asn", "1", "--", *words)
            assert "not permitted" in str(await live.task)

        run(test())

    def test_a_stage_that_ends_the_pipeline_ends_all(self) -> None:
        async def test() -> None:
            async with Server() as server:
                words = ["connect", "--reconnect", f"127.0.0.1:{server.port}"]
                live = Live("--", "speaker", "--active", "--asn", "65002", "--", "head", "-L", "-n", "3", "--", *words)
                remote = await server.accept()
                await remote.establish(CLIENT_OPEN)
                remote.send(update(1))
                assert await live.task is None
                remote.close()

        run(test())


class TestProcess:
    """The command, as an operator runs it."""

    COUNT = 300

    async def start(self, *words: str, **options: Any) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bgpipe", *words, stdout=pipe, stderr=pipe, **options
        )

    def test_hundreds_of_sessions(self) -> None:
        """A few hundred at once, each with its messages; SIGTERM ends them all with a Cease, and the exit code is 0."""

        async def client(port: int, number: int) -> Remote:
            remote = await dial(port)
            await remote.establish(CLIENT_OPEN)
            remote.send(announce(number % 256), announce(number % 256))
            return remote

        async def test() -> None:
            port = free_port()
            place = f"127.0.0.1:{port}"
            process = await self.start("-l", "warn", "-o", "--", "listen", "--multi", place, "--", "speaker", "--asn", "65002")
            assert process.stdout is not None
            output = asyncio.ensure_future(process.stdout.read())
            remotes = []
            for first in range(0, self.COUNT, 50):
                remotes += await asyncio.gather(*(client(port, first + i) for i in range(50)))
            entries = {name: len(list(Path(f"/proc/{process.pid}", name).iterdir())) for name in ("fd", "task")}
            assert entries["fd"] < self.COUNT + 50
            assert entries["task"] < 20
            process.send_signal(signal.SIGTERM)
            for remote in remotes:
                assert cause(await remote.rest()) == "CEASE/ADMIN_SHUTDOWN: bgpipe was stopped"
                remote.close()
            assert await process.wait() == 0
            messages = [json.loads(line) for line in (await output).splitlines()]
            seen = [msg[5]["listen/remote"] for msg in messages if msg[3] == "UPDATE"]
            assert sorted(seen) == sorted(2 * [address(remote) for remote in remotes])

        run(test())

    def test_an_end_that_does_not_wait(self, tmp_path: Path) -> None:
        """A signal is obeyed though an output is not read, and a stage does not come to an end."""
        script = tmp_path / "waits.py"
        script.write_text("import asyncio\nasync def process(msg):\n    await asyncio.sleep(1000)\n")
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)

        async def test() -> None:
            reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
            port = free_port()
            words = ["listen", "--multi", f"127.0.0.1:{port}", "--", "write", str(fifo), "--", "python", str(script)]
            process = await self.start("--", *words, "--", "speaker", "--asn", "65002")
            remotes = [await dial(port) for _ in range(3)]
            for remote in remotes:
                remote.send(CLIENT_OPEN)
            await asyncio.sleep(0.1)
            process.terminate()
            _, log = await process.communicate()
            assert process.returncode == 0, log
            for remote in remotes:
                remote.close()
            os.close(reader)

        run(test())

    def test_an_output_that_nobody_reads(self) -> None:
        """Sessions that wait for it are cut off; that is a failure of the output, and no bug."""

        async def test() -> None:
            port = free_port()
            reading, writing = os.pipe()
            words = ["-o", "--", "listen", "--multi", f"127.0.0.1:{port}", "--", "speaker", "--asn", "65002"]
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bgpipe", *words, stdout=writing, stderr=asyncio.subprocess.PIPE
            )
            os.close(writing)
            remote = await dial(port)
            await remote.establish(CLIENT_OPEN)
            with contextlib.suppress(TimeoutError):
                while True:
                    remote.send(announce(1) * 1000)
                    await asyncio.wait_for(remote.writer.drain(), 1)
            process.terminate()
            _, log = await process.communicate()
            assert b"cut off" in log
            assert b"Traceback" not in log
            assert process.returncode == 1
            remote.reset()
            os.close(reading)

        run(test())

    def test_the_second_signal(self, tmp_path: Path) -> None:
        """It ends the programs of all sessions, too."""
        script = tmp_path / "stays"
        script.write_text(f"#!/bin/sh\necho $$ >> {tmp_path}/pids\nexec sleep 1000\n")
        script.chmod(0o755)
        pids = tmp_path / "pids"

        async def test() -> None:
            port = free_port()
            words = ["listen", "--multi", f"127.0.0.1:{port}", "--", "exec", "-LR", str(script), "--", "speaker", "--asn", "65002"]
            process = await self.start("--", *words)
            remotes = [await dial(port) for _ in range(3)]
            while not pids.exists() or pids.read_text().count("\n") < 3:
                await asyncio.sleep(0.005)
            programs = [os.pidfd_open(int(pid)) for pid in pids.read_text().split()]
            process.terminate()
            assert process.stderr is not None
            while b"stopping" not in await process.stderr.readline():
                pass
            process.terminate()
            await process.communicate()
            assert process.returncode == 1
            loop = asyncio.get_running_loop()
            for program in programs:
                ended = loop.create_future()
                loop.add_reader(program, ended.set_result, None)
                await ended
                loop.remove_reader(program)
                os.close(program)
            for remote in remotes:
                remote.close()

        run(test())

    def test_descriptors_that_run_out(self) -> None:
        """Who comes when there are none waits; when one leaves, the next is let in."""

        def few() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

        async def test() -> None:
            port = free_port()
            place = f"127.0.0.1:{port}"
            words = ["--", "listen", "--multi", place, "--", "write", "/dev/null", "--", "speaker", "--asn", "65002"]
            process = await self.start(*words, preexec_fn=few)
            remotes = [await dial(port) for _ in range(60)]
            waiting = [asyncio.ensure_future(remote.establish(CLIENT_OPEN)) for remote in remotes]
            assert process.stderr is not None
            while b"nobody is let in for now: too many open files" not in await process.stderr.readline():
                pass
            for remote, established in zip(remotes, waiting, strict=True):
                await established
                remote.close()
            process.terminate()
            await process.communicate()
            assert process.returncode == 0

        run(test())


def test_what_cannot_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    async def test() -> None:
        words = ["listen", "--multi", f"127.0.0.1:{free_port()}", "--", "read", "--wait", "ESTABLISHED", str(tmp_path / "x")]
        live = Live("--", *words, "--", "speaker", "--asn", "1")
        assert str(await live.task) == f"cannot read {tmp_path / 'x'}: no such file or directory"

    run(test())
