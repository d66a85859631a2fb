"""The session within a live pipeline: its events, contexts, timers, and what peers are sent that no stage made."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from live import KEEPALIVE, Live, Remote, Server, dial, free_port, open_message, proxy, run, update

import bgpipe
import corpus
from bgpipe.bgp import capabilities as caps
from bgpipe.bgp import watch
from bgpipe.bgp.causes import Cause, message
from bgpipe.bgp.events import EndOfRib, EndOfRibs, Established, Opened
from bgpipe.pipeline.session import SessionEvent

MP4, MP6 = (1, b"\0\1\0\1"), (1, b"\0\2\0\1")
END4, END6 = message(2, bytes(4)), message(2, b"\0\0\0\6\x80\x0f\3\0\2\1")


def announce(path: bytes, prefixes: bytes) -> bytes:
    attributes = b"\x40\1\1\0" + b"\x40\2" + bytes((len(path),)) + path + b"\x40\3\4\xc0\0\2\1"
    return message(2, b"\0\0" + len(attributes).to_bytes(2) + attributes + prefixes)


async def meet(left: Remote, right: Remote, *, left_caps: tuple[tuple[int, bytes], ...], right_caps: tuple[tuple[int, bytes], ...], hold: int = 90) -> None:
    left.send(open_message(65001, 1, hold, left_caps))
    assert (await right.message())[18] == 1
    right.send(open_message(65002, 2, hold, right_caps), KEEPALIVE)
    assert (await left.message())[18] == 1
    left.send(KEEPALIVE)
    assert await left.message() == KEEPALIVE
    assert await right.message() == KEEPALIVE


def test_events() -> None:
    async def test() -> None:
        async with proxy() as (live, left, right):
            await meet(left, right, left_caps=(MP4, MP6), right_caps=(MP6, MP4))
            left.send(update(1), END4, update(2), END6, END4, update(3))
            right.send(END6, END4)
            for _ in range(6):
                await right.message()
            await live.until("EOR")
            seen = [event.seen for event in live.events if isinstance(event, SessionEvent)]
            kinds = [type(found).__name__ for found in seen]
            assert kinds[:5] == ["Opened", "Opened", "Alive", "Alive", "Established"]
            assert sorted(kinds[5:]) == sorted(["Updated", "EndOfRib", "EndOfRib", "EndOfRibs"] * 2)
            assert [found.offer.asn for found in seen if isinstance(found, Opened)] == [65001, 65002]
            (established,) = (found for found in seen if isinstance(found, Established))
            assert established.negotiated.families == ("IPV4/UNICAST", "IPV6/UNICAST")
            ribs = [(found.direction, found.family) for found in seen if isinstance(found, EndOfRib)]
            assert sorted(ribs) == sorted((way, f"IPV{number}/UNICAST") for way in "LR" for number in (4, 6))
            assert {found.direction for found in seen if isinstance(found, EndOfRibs)} == {"L", "R"}

    run(test())


def test_how_events_are_told() -> None:
    async def test() -> None:
        async with proxy() as (live, left, right):
            await meet(left, right, left_caps=(MP4,), right_caps=(MP4,))
            left.send(END4)
            await live.until("EOR")
            texts = [f"{event.name} {event.describe()}" for event in live.events if isinstance(event, SessionEvent)]
            assert texts == [
                "OPEN R: AS 65001, id 0.0.0.1, hold time 90 s",
                "OPEN L: AS 65002, id 0.0.0.2, hold time 90 s",
                "ALIVE L",
                "ALIVE R",
                "ESTABLISHED AS 65001 and AS 65002, hold time 90 s, IPV4/UNICAST",
                "UPDATE R",
                "EOR_AF R: IPV4/UNICAST",
                "EOR R",
            ]

    run(test())


def test_kill_at_an_event() -> None:
    """What is behind the message does not get out; the peers are told."""

    async def test() -> None:
        async with proxy() as (live, left, right):
            live.pipe.kill_on("bgpipe/EOR")
            await meet(left, right, left_caps=(MP4,), right_caps=(MP4,))
            left.send(update(1), END4, update(2))
            assert await right.message() == update(1)
            assert "CEASE" in str(Cause.parse((await right.rest())[19:]))
            left.close()
            right.close()
            await live.task
            assert live.pipe.exit_code == 1

    run(test())


@pytest.mark.parametrize("together", [False, True])
def test_contexts(together: bool) -> None:
    """Messages are decoded as both sides agreed, from the first one behind the KEEPALIVE on, though all come in one read."""
    addpath = (caps.ADDPATH, b"\0\1\1\3")
    announced = announce(b"\2\1\xfd\xe9", b"\0\0\0\5\x18\x0a\0\1")  # AS numbers of two octets, a path id

    async def test() -> None:
        async with proxy(look=True) as (live, left, right):
            right.send(open_message(65002, 2, capabilities=(MP4, addpath)))
            assert (await left.message())[18] == 1
            said = [open_message(65001, 1, capabilities=(MP4, addpath)), KEEPALIVE, announced]
            for part in [b"".join(said)] if together else said:
                left.send(part)
                await asyncio.sleep(0.01)
            for expected in said:
                assert await right.message() == expected
            (msg,) = (msg for msg in live.seen if msg.type == "UPDATE")
            assert msg.error is None
            assert msg.context.as_size == 2
            assert msg.context.addpath == {"IPV4/UNICAST"}

    run(test())


def test_a_peer_that_waits_gets_keepalives() -> None:
    """While the other side does not take what it sends, its session is kept by us."""

    async def test() -> None:
        async with proxy() as (live, left, right):
            await meet(left, right, left_caps=(MP4,), right_caps=(MP4,), hold=3)
            session = live.pipe.session
            assert session is not None
            session.watch.right.waiting(True)  # as when a stage on the way has to wait
            session.changed()
            assert await right.message() == KEEPALIVE

    run(test())


def test_a_silent_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MARGIN_S", -2.95)

    async def test() -> None:
        async with proxy() as (live, left, right):
            left.send(open_message(65001, 1, 3, (MP4,)))
            await right.message()
            right.send(open_message(65002, 2, 3, (MP4,)))
            await left.message()
            causes = {str(Cause.parse((await remote.rest())[19:])) for remote in (left, right)}
            left.close()
            right.close()
            assert any(cause == "HOLD_TIMER_EXPIRED" for cause in causes)
            assert "HOLD_TIMER_EXPIRED" in str(await live.task)

    run(test())


def test_next_hop_self() -> None:
    """The address that we have on the connection which messages leave through."""

    async def test() -> None:
        async with Server() as server:
            port = free_port()
            live = Live(
                *("--", "listen", f"127.0.0.1:{port}", "--", "update", "-LR", "--nexthop-self", "--"),
                *("connect", "--wait", "listen", "--bind", "127.0.0.9", f"127.0.0.1:{server.port}"),
            )
            left = await dial(port)
            right = await server.accept()
            await meet(left, right, left_caps=(), right_caps=())
            left.send(announce(b"", b"\x08\x0a"))
            assert (await right.message()).endswith(b"\x7f\0\0\x09\x08\x0a")
            right.send(announce(b"", b"\x08\x0a"))
            assert (await left.message()).endswith(b"\x7f\0\0\1\x08\x0a")
            assert live.pipe.values["L_LOCAL"] == f"127.0.0.1:{port}"
            await live.stop()
            left.close()
            right.close()

    run(test())


# ---- whole processes ------------------------------------------------------------------------------------------------


def start(*words: str | Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bgpipe", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_replay_of_an_archive() -> None:
    """What is in the archive is what a peer gets; SIGTERM ends it in good order."""
    archive = corpus.folder() / "mrt" / "updates.20160811.1600.gz"
    expected = [msg.wire for msg in bgpipe.read(archive, types=["UPDATE"])]
    port = free_port()
    replay = start(
        *("-l", "disabled", "--", "speaker", "--active", "--asn", "65055", "--"),
        *("read", "--type", "UPDATE", "--wait", "ESTABLISHED", archive, "--", "listen", f"127.0.0.1:{port}"),
    )

    async def test() -> None:
        remote = await dial(port)
        await remote.establish(open_message(65001, capabilities=(MP4, MP6, (caps.AS4, b"\0\0\xfd\xe9"))))
        for wire in expected:
            assert await remote.message() == wire
        replay.send_signal(signal.SIGTERM)
        while (wire := await remote.message())[18] != 3:
            assert wire == KEEPALIVE
        assert str(Cause.parse(wire[19:])) == "CEASE/ADMIN_SHUTDOWN: bgpipe was stopped"
        remote.close()

    try:
        run(test())
        assert replay.wait(10) == 0
    finally:
        replay.kill()
        replay.communicate()


def test_memory() -> None:
    """A receiver that does not read does not fill ours with what the sender has for it."""
    port = free_port()

    async def test() -> int:
        async with Server() as server:
            process = start(
                *("-l", "disabled", "--", "listen", f"127.0.0.1:{port}", "--"),
                *("connect", "--wait", "listen", f"127.0.0.1:{server.port}"),
            )
            try:
                left = await dial(port)
                right = await server.accept()
                await meet(left, right, left_caps=(), right_caps=())
                piece = update(1, 4000) * 100
                for _ in range(200):  # 80 MB, of which the kernel takes some
                    left.send(piece)
                    await asyncio.sleep(0)
                await asyncio.sleep(0.5)
                status = Path(f"/proc/{process.pid}/status").read_text()
                left.writer.write_eof()
                assert await right.rest() == 200 * piece
                right.close()
                left.close()
                assert await asyncio.to_thread(process.wait) == 0
            finally:
                process.kill()
                process.communicate()
            return int(status.partition("VmHWM:")[2].split()[0])

    assert run(test()) < 64 << 10
