"""Who is held up, who is kept alive meanwhile, and how it all ends: peers and outputs that do not take what they are given."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hostile.test_proxy import cease, meet, reset
from live import KEEPALIVE, Live, Remote, Server, dial, free_port, open_message, proxy, run, update

from bgpipe.bgp.causes import message
from bgpipe.pipeline.stage import Output
from bgpipe.stages.peer import Peer

CAPABILITIES = ((1, b"\0\1\0\1"), (65, b"\0\0\xfd\xe9"))
STOPPED = message(3, b"\6\2\x12bgpipe was stopped")


def deaf(remote: Remote) -> None:
    """It reads nothing any more."""
    remote.reader._transport.pause_reading()  # type: ignore[attr-defined]


def hears(remote: Remote) -> None:
    remote.reader._transport.resume_reading()  # type: ignore[attr-defined]
    remote.reader._paused = False  # type: ignore[attr-defined]


def peers(live: Live) -> list[Peer]:
    return [stage for stage in live.pipe.stages if isinstance(stage, Peer)]


async def fill(live: Live, sender: Remote, number: int = 0) -> bytes:
    """Send until nothing is taken any more."""
    sent = bytearray()
    while not (any(peer.blocked for peer in peers(live)) and sender.writer.transport.get_write_buffer_size() > 1 << 20):
        piece = b"".join(update(number + i, 3000) for i in range(20))
        number += 20
        sender.send(piece)
        sent += piece
        await asyncio.sleep(0)
        assert len(sent) < 100 << 20, "somebody takes all of it"
    return bytes(sent)


def stuck(live: Live) -> Output:
    """Have the output of the pipeline that is no peer take nothing more, from here on."""
    (output,) = (stage for stage in live.pipe.stages if isinstance(stage, Output) and not isinstance(stage, Peer))
    output.blocked = True
    return output


def free(live: Live, output: Output) -> None:
    output.blocked = False
    live.pipe.room()


# ---- who waits, and who does not --------------------------------------------------------------------------------------


def test_both_directions_blocked() -> None:
    """Each sender is stopped; later all of it arrives, in order."""

    async def test() -> None:
        async with proxy() as (live, left, right):
            await meet(left, right)
            deaf(left)
            deaf(right)
            rightward, leftward = await fill(live, left), await fill(live, right)
            for peer in peers(live):
                assert peer._connection is not None and peer._connection.unsent < 1 << 20
            left.writer.write_eof()
            right.writer.write_eof()
            hears(left)
            hears(right)
            assert await asyncio.gather(left.rest(), right.rest()) == [leftward, rightward]
            assert await live.task is None

    run(test())


def test_both_peers_are_kept_while_an_output_is_stuck(tmp_path: Path) -> None:
    """They go on, and get KEEPALIVEs of ours: nothing of theirs is read. Later all of it arrives, in order."""

    async def test() -> None:
        async with proxy(f"write -LR {tmp_path / 'x.raw'}") as (live, left, right):
            await meet(left, right)
            output = stuck(live)
            for number in range(3):  # the reading ends with the first one that has to wait
                left.send(update(number))
                right.send(update(number + 10))
                await asyncio.sleep(0.02)
            for _ in range(12):  # six minutes
                await live.later(30)
                assert await left.message() == KEEPALIVE
                assert await right.message() == KEEPALIVE
            free(live, output)
            for number in range(3):
                assert await right.message() == update(number)
                assert await left.message() == update(number + 10)
            left.close()
            right.close()
            assert await live.task is None

    run(test())


def test_a_speaker_while_an_output_is_stuck(tmp_path: Path) -> None:
    """Neither of the two takes the other one for dead."""

    async def test() -> None:
        async with Server() as server:
            stages = ["speaker", "--active", "--asn", "65055", "--", "write", "-LR", str(tmp_path / "x.raw"), "--"]
            live = Live("--", *stages, "connect", f"127.0.0.1:{server.port}")
            remote = await server.accept()
            await remote.establish(open_message(65001, capabilities=CAPABILITIES))
            await live.until("ESTABLISHED")
            output = stuck(live)
            for number in range(3):
                remote.send(update(number))
                await asyncio.sleep(0.02)
            for _ in range(12):
                await live.later(30)
                assert await remote.message() == KEEPALIVE
            free(live, output)
            await live.until("UPDATE")
            await live.later(80)  # from now on it has to be heard of again
            assert await remote.message() == KEEPALIVE
            await live.later(11)
            while (wire := await remote.message()) == KEEPALIVE:
                pass
            assert wire == message(3, b"\4\0")
            remote.close()
            await live.task

    run(test())


def test_send_hold_timer_rfc_9687() -> None:
    """A peer that takes nothing for eight minutes is given up, whatever it says itself; the other one is told."""

    async def test() -> None:
        async with proxy() as (live, left, right):
            await meet(left, right)
            deaf(right)
            await fill(live, left)
            for _ in range(9):
                await live.later(50)
                right.send(KEEPALIVE)  # it lives
                assert await left.message() == KEEPALIVE
            await live.later(31)
            assert await left.rest() == cease("SEND_HOLD_TIMER_EXPIRED: the right has stopped reading")
            left.reset()
            assert "SEND_HOLD_TIMER_EXPIRED" in str(await live.task)
            hears(right)
            with contextlib.suppress(ConnectionResetError):
                assert not (await right.rest()).endswith(KEEPALIVE)
            right.close()

    run(test())


def test_a_little_at_a_time_is_no_silence() -> None:
    """The send hold timer starts anew whenever something is taken."""

    async def test() -> None:
        async with proxy() as (live, left, right):
            await meet(left, right)
            deaf(right)
            sent = await fill(live, left)
            got = b""
            for _ in range(12):  # ten minutes
                await live.later(50)
                left.send(KEEPALIVE)
                sent += KEEPALIVE
                right.send(KEEPALIVE)
                assert await left.message() == KEEPALIVE
                hears(right)
                got += await right.reader.readexactly(len(sent) // 16)
                deaf(right)
            hears(right)
            got += await right.reader.readexactly(len(sent) - len(got))
            assert got == sent
            await live.stop()

    run(test())


# ---- the end ----------------------------------------------------------------------------------------------------------


def test_who_comes_when_the_other_one_has_gone() -> None:
    """It does not wait for ever for somebody to talk to."""

    async def test() -> None:
        async with Server() as server:
            port = free_port()
            live = Live(
                *("--", "listen", f"127.0.0.1:{port}", "--"),
                *("connect", "--wait", "listen/STOP", f"127.0.0.1:{server.port}"),
            )
            (await dial(port)).close()
            failure = await live.task
            assert failure is None

    run(test())


def test_trying_ends_with_the_other_side() -> None:
    async def test() -> None:
        port = free_port()
        live = Live(
            *("--", "listen", f"127.0.0.1:{port}", "--"),
            *("connect", "--wait", "listen", "--retry", f"127.0.0.1:{free_port()}"),
        )
        left = await dial(port)
        await live.until("listen/START")
        left.close()
        assert await live.task is None

    run(test())


def test_a_reset_closes_both_connections() -> None:
    """They do not stay open until the garbage collector finds them."""

    async def test() -> None:
        async with proxy() as (live, left, right):
            await meet(left, right)
            reset(left)
            assert await right.rest() == b""
            right.close()
            await live.task
            for peer in peers(live):
                assert peer._connection is not None and peer._connection.gone.done()

    run(test())


@contextlib.asynccontextmanager
async def process(*words: str) -> AsyncIterator[subprocess.Popen[bytes]]:
    found = subprocess.Popen([sys.executable, "-m", "bgpipe", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield found
    finally:
        found.kill()
        await asyncio.to_thread(found.communicate)


async def stop(found: subprocess.Popen[bytes]) -> None:
    """SIGTERM ends it, with exit code 0 and no traceback."""
    found.send_signal(signal.SIGTERM)
    _, said = await asyncio.to_thread(found.communicate)
    assert found.returncode == 0, said.decode()
    assert b"Traceback" not in said


def test_sigterm_tells_both() -> None:
    async def test() -> None:
        async with Server() as server:
            port = free_port()
            place = f"127.0.0.1:{server.port}"
            async with process("--", "listen", f"127.0.0.1:{port}", "--", "connect", "--wait", "listen", place) as found:
                left = await dial(port)
                right = await server.accept()
                await meet(left, right)
                stopping = asyncio.ensure_future(stop(found))
                assert await left.rest() == STOPPED
                assert await right.rest() == STOPPED
                left.close()
                right.close()
                await stopping

    run(test())


@pytest.mark.parametrize("trickle", [False, True])
def test_sigterm_with_a_peer_that_does_not_read(trickle: bool) -> None:
    """Or so slowly that it would take minutes. The other one gets its Cease."""

    async def test() -> None:
        async with Server() as server:
            port = free_port()
            place = f"127.0.0.1:{server.port}"
            async with process("--", "listen", f"127.0.0.1:{port}", "--", "connect", "--wait", "listen", place) as found:
                left = await dial(port)
                right = await server.accept()
                await meet(left, right)
                deaf(right)
                for number in range(300):
                    left.send(update(number, 3000) * 20)
                    await asyncio.sleep(0)
                await asyncio.sleep(0.2)
                stopping = asyncio.ensure_future(stop(found))
                if trickle:
                    hears(right)
                    with contextlib.suppress(ConnectionResetError):
                        while await right.reader.read(60_000):
                            await asyncio.sleep(0.02)
                assert await left.rest() == STOPPED
                left.close()
                await stopping
                right.reset()

    run(test())


@pytest.mark.parametrize(
    "words",
    [
        "listen 127.0.0.1:{free}",
        "listen 127.0.0.1:{free} -- connect --wait listen 127.0.0.1:{port}",
        "connect --retry 127.0.0.1:{free}",
        "speaker --active --asn 65001 -- connect --retry 127.0.0.1:{free}",
        "listen --multi 127.0.0.1:{free} -- connect --wait listen 127.0.0.1:{port}",
    ],
)
def test_sigterm_before_there_is_a_connection(words: str) -> None:
    async def test() -> None:
        async with Server() as server, process("--", *words.format(free=free_port(), port=server.port).split()) as found:
            assert found.stderr is not None
            await asyncio.to_thread(found.stderr.readline)
            await stop(found)

    run(test())


def test_sigterm_amid_connecting() -> None:
    """Nobody answers: the queue of whoever listens there is full."""

    async def test() -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(0)
            place = listening.getsockname()
            waiting = [socket.socket() for _ in range(3)]
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(place)
            async with process("-e", "all", "--", "connect", f"127.0.0.1:{place[1]}") as found:
                assert found.stderr is not None
                await asyncio.to_thread(found.stderr.readline)
                await asyncio.sleep(0.3)
                await stop(found)
            for one in waiting:
                one.close()

    run(test())


@pytest.mark.parametrize("active", [True, False])
def test_sigterm_while_waiting_for_the_open(active: bool) -> None:
    async def test() -> None:
        async with Server() as server:
            words = ["--active", "--asn", "65055"] if active else []
            async with process("--", "speaker", *words, "--", "connect", f"127.0.0.1:{server.port}") as found:
                remote = await server.accept()
                if active:
                    assert (await remote.message())[18] == 1
                else:
                    assert found.stderr is not None
                    await asyncio.to_thread(found.stderr.readline)
                    await asyncio.sleep(0.1)
                stopping = asyncio.ensure_future(stop(found))
                assert await remote.rest() == STOPPED
                remote.close()
                await stopping

    run(test())
