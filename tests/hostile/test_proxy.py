"""A proxy between a good peer and one that breaks the rules.

What is no BGP message any more ends the session on both sides, and what we cannot read as the two peers do: who sent it
gets the NOTIFICATION of RFC 4271 section 6, the other one a Cease. Everything else is for the two peers to judge, and goes
through as it came.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from live import KEEPALIVE, Live, Remote, Server, dial, free_port, open_message, proxy, run, update

from bgpipe.bgp.causes import Cause, message
from bgpipe.bgp.notifications import encode_text
from bgpipe.errors import StageError
from bgpipe.pipeline.service import Service

MARKER = b"\xff" * 16
CAPABILITIES = ((1, b"\0\1\0\1"),)
LEFT = open_message(65001, 1, capabilities=CAPABILITIES)
RIGHT = open_message(65002, 2, capabilities=CAPABILITIES)
EXTENDED = [open_message(65000 + number, number, capabilities=(*CAPABILITIES, (6, b""))) for number in (1, 2)]
PHASES = ("connected", "one OPEN", "both OPENs", "established")
SIDES = ("left", "right")


async def meet(left: Remote, right: Remote, phase: str = "established", *, opens: list[bytes] | None = None) -> None:
    """Bring a session as far as this."""
    hello = opens or [LEFT, RIGHT]
    if phase == "connected":
        return
    left.send(hello[0])
    assert await right.message() == hello[0]
    if phase == "one OPEN":
        return
    right.send(hello[1])
    assert await left.message() == hello[1]
    if phase == "both OPENs":
        return
    for one, other in ((left, right), (right, left)):
        one.send(KEEPALIVE)
        assert await other.message() == KEEPALIVE


def cease(reason: str) -> bytes:
    """What the peer is told that is not to blame (RFC 4486 subcode 4, RFC 9003)."""
    return message(3, b"\6\4" + encode_text(f"the other side of the proxy: {reason}"))


def reset(remote: Remote) -> None:
    """Close the connection with a RST."""
    remote.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    remote.reset()


@pytest.mark.parametrize(
    ("octets", "body", "name"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "01 01", "CONNECTION_NOT_SYNCHRONIZED: the marker is not all ones"),
        (MARKER + b"\0\x12\4", "01 02 00 12", "BAD_MESSAGE_LENGTH: a message of type 4 with 18 octets"),
        (MARKER + b"\x10\1\2", "01 02 10 01", "BAD_MESSAGE_LENGTH: a message of type 2 with 4097 octets"),
        (MARKER + b"\xff\xff\2", "01 02 ff ff", "BAD_MESSAGE_LENGTH: a message of type 2 with 65535 octets"),
    ],
)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("side", SIDES)
def test_what_is_no_message(side: str, phase: str, octets: bytes, body: str, name: str) -> None:
    async def test() -> None:
        async with proxy() as (live, left, right):
            await live.until("connect/START")
            await meet(left, right, phase)
            bad, good = (left, right) if side == "left" else (right, left)
            before = update(1) if phase == "established" else b""
            bad.send(before + octets)
            assert await bad.rest() == message(3, bytes.fromhex(body))
            assert await good.rest() == before + cease(f"MESSAGE_HEADER_ERROR/{name}")
            left.close()
            right.close()
            assert name in str(await live.task)

    run(test())


@pytest.mark.parametrize(
    "octets",
    [
        message(4, b"x"),  # a KEEPALIVE with a body
        message(0),
        message(77, b"abc"),  # a type that may come to be
        message(2, b"\0\xff\0\0"),
        message(2, b"\0\0\0\4\x40\1\1\3"),
        message(5, b"\0\1\2"),
        message(5, b"\0\1\0\1\1\3\x80\0\0"),
    ],
)
@pytest.mark.parametrize("stage", ["", "metrics", "grep --on-parse-error pass --keep med"])
@pytest.mark.parametrize("phase", PHASES)
def test_what_the_peers_judge(phase: str, octets: bytes, stage: str) -> None:
    """It goes through, and so does what is behind it."""
    agreed = phase in PHASES[2:]
    if octets[18] in (2, 5) and not agreed:
        pytest.skip("see test_routes_before_both_opens")
    behind = update(1) if agreed else KEEPALIVE

    async def test() -> None:
        async with proxy(*([stage] if stage else [])) as (live, left, right):
            await meet(left, right, phase)
            for one, other in ((left, right), (right, left)):
                one.send(octets, behind)
                assert await other.message() == octets
                assert await other.message() == behind
            left.close()
            right.close()
            assert await live.task is None

    run(test())


async def refused(live: Live, bad: Remote, good: Remote, octets: bytes, cause: str) -> None:
    """It is the end: what comes up to it passes, it does not, nor does what is behind it."""
    bad.send(KEEPALIVE, octets, update(1), KEEPALIVE)
    told = await bad.rest()
    assert (told[18], str(Cause.parse(told[19:]))) == (3, cause.partition(":")[0])
    assert await good.rest() == KEEPALIVE + cease(cause)
    bad.close()
    good.close()
    assert cause in str(await live.task)


@pytest.mark.parametrize("octets", [update(1), message(2, b"\0\0\0\0"), message(5, b"\0\1\0\1")])
@pytest.mark.parametrize("stage", ["", "grep -LR keepalive", "python {POLICY}"])
@pytest.mark.parametrize("phase", PHASES[:2])
@pytest.mark.parametrize("side", SIDES)
def test_routes_before_both_opens(side: str, phase: str, stage: str, octets: bytes, tmp_path: Path) -> None:
    """RFC 6608. They would be read in a context that is a guess: what a policy sees is not what the router gets."""
    policy = tmp_path / "policy.py"
    policy.write_text("def check(msg):\n    return msg\n")
    words = stage.format(POLICY=f"-LR {policy}:check")
    state = "OpenConfirm" if side == "left" and phase == "one OPEN" else "OpenSent"
    name = f"FINITE_STATE_MACHINE_ERROR/UNEXPECTED_MESSAGE_IN_{state.upper()}"

    async def test() -> None:
        async with proxy(*([words] if stage else [])) as (live, left, right):
            await live.until("connect/START")
            if "grep" not in stage:
                await meet(left, right, phase)
            elif phase == "one OPEN":
                left.send(LEFT)
            bad, good = (left, right) if side == "left" else (right, left)
            await refused(live, bad, good, octets, f"{name}: a message of type {octets[18]} in {state}")

    run(test())


@pytest.mark.parametrize(
    ("octets", "cause"),
    [
        (message(1, b""), "MESSAGE_HEADER_ERROR/BAD_MESSAGE_LENGTH: an OPEN of 19 octets"),
        (message(1, b"\3" + LEFT[20:]), "OPEN_MESSAGE_ERROR/UNSUPPORTED_VERSION_NUMBER: version 3 of the protocol"),
        (message(1, LEFT[19:] + b"\0"), "OPEN_MESSAGE_ERROR: optional parameters that do not parse"),
        (
            open_message(65001, 1, capabilities=((69, b"\0\1\1\3"), (69, b"\0\1\1\1"))),
            "OPEN_MESSAGE_ERROR: two different values for IPV4/UNICAST in ADD-PATH capabilities",
        ),
    ],
)
@pytest.mark.parametrize("side", SIDES)
def test_an_open_that_two_may_read_differently(side: str, octets: bytes, cause: str) -> None:
    async def test() -> None:
        async with proxy() as (live, left, right):
            await live.until("connect/START")
            bad, good = (left, right) if side == "left" else (right, left)
            await refused(live, bad, good, octets, cause)

    run(test())


@pytest.mark.parametrize(
    ("phase", "state"), [("one OPEN", "OpenConfirm"), ("both OPENs", "Established"), ("established", "Established")]
)
def test_a_second_open(phase: str, state: str) -> None:
    cause = f"FINITE_STATE_MACHINE_ERROR/UNEXPECTED_MESSAGE_IN_{state.upper()}: a message of type 1 in {state}"

    async def test() -> None:
        async with proxy() as (live, left, right):
            await live.until("connect/START")
            await meet(left, right, phase)
            await refused(live, left, right, LEFT, cause)

    run(test())


def test_routes_behind_an_open_of_a_speaker_that_does_not_wait() -> None:
    """It has the other OPEN already: all of its own may come in one piece."""

    async def test() -> None:
        async with proxy() as (_, left, right):
            right.send(RIGHT, KEEPALIVE)
            assert [await left.message(), await left.message()] == [RIGHT, KEEPALIVE]
            left.send(LEFT, KEEPALIVE, update(1))
            assert [await right.message() for _ in range(3)] == [LEFT, KEEPALIVE, update(1)]

    run(test())


def test_extended_messages_rfc_8654() -> None:
    """Where both have said so they go through, up to the greatest length there is."""

    async def test() -> None:
        async with proxy() as (_, left, right):
            await meet(left, right, opens=EXTENDED)
            for size in (4097, 65535):
                wire = message(2, bytes(size - 19))
                left.send(wire)
                assert await right.message() == wire

    run(test())


@pytest.mark.parametrize("body", [b"", b"\6", b"\6\2\xff", b"\6\2\x06\r\n\x1b[2J", bytes(4000)])
def test_a_notification_whatever_it_holds(body: bytes) -> None:
    """The other one gets it, then both connections are closed."""

    async def test() -> None:
        async with proxy() as (live, left, right):
            await meet(left, right)
            left.send(message(3, body), update(1))
            assert await right.rest() == message(3, body)
            assert await left.rest() == b""
            left.close()
            right.close()
            assert (await live.task is None) == (len(body) > 1 and body[0] == 6)

    run(test())


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("side", SIDES)
def test_a_reset(side: str, phase: str) -> None:
    """At any time: the other one is closed, without a NOTIFICATION; nothing hangs."""

    async def test() -> None:
        async with proxy() as (live, left, right):
            await live.until("connect/START")
            await meet(left, right, phase)
            bad, good = (left, right) if side == "left" else (right, left)
            reset(bad)
            assert await good.rest() == b""
            good.close()
            failure = await live.task
            assert failure is None or "broke" in str(failure)

    run(test())


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("side", SIDES)
def test_half_a_connection(side: str, phase: str) -> None:
    """Closed for sending amid a message: what the other one says still arrives."""

    async def test() -> None:
        async with proxy() as (live, left, right):
            await live.until("connect/START")
            await meet(left, right, phase)
            bad, good = (left, right) if side == "left" else (right, left)
            bad.send(MARKER + b"\0\x30\2")
            bad.writer.write_eof()
            assert await good.rest() == b""
            last = update(7) if phase in PHASES[2:] else KEEPALIVE
            good.send(last)
            good.close()
            assert await bad.rest() == last
            bad.close()
            assert await live.task is None

    run(test())


@pytest.mark.parametrize("silent", SIDES)
@pytest.mark.parametrize("phase", PHASES)
def test_silence(phase: str, silent: str) -> None:
    """Nothing for four minutes until hold times are agreed on, then for the hold time, and two seconds more."""

    async def test() -> None:
        async with proxy() as (live, left, right):
            await live.until("connect/START")
            await meet(left, right, phase)
            bad, good = (left, right) if silent == "left" else (right, left)
            limit = 90 if phase in ("both OPENs", "established") else 240
            await live.later(limit)
            good.send(KEEPALIVE)
            assert await bad.message() == KEEPALIVE
            await live.later(2.1)
            assert await bad.rest() == message(3, b"\4\0")
            text = str(Cause.parse((await good.rest())[19:]))
            assert text.startswith("CEASE/ADMIN_RESET: the other side of the proxy: HOLD_TIMER_EXPIRED: ")
            assert silent in text and f"{limit} s" in text
            left.close()
            right.close()
            assert isinstance(await live.task, StageError)

    run(test())


def test_octet_by_octet() -> None:
    async def test() -> None:
        async with proxy(look=True) as (live, left, right):
            right.send(RIGHT)
            assert await left.message() == RIGHT
            said = LEFT + KEEPALIVE + update(1) + message(5, b"\0\1\0\1") + update(2)
            for octet in said:
                left.send(bytes((octet,)))
                await asyncio.sleep(0.001)
            left.writer.write_eof()
            assert await right.rest() == said
            right.close()
            assert await live.task is None
            assert [msg.wire for msg in live.seen] == [RIGHT, LEFT, KEEPALIVE, update(1), message(5, b"\0\1\0\1"), update(2)]

    run(test())


def test_connections_in_great_number() -> None:
    """500 at once, of strangers: they are closed, the log stays short, the one that is wanted gets through."""

    async def test() -> None:
        async with Server() as server:
            port = free_port()
            live = Live(
                *("--", "listen", "--peer", "127.0.0.2", f"127.0.0.1:{port}", "--"),
                *("connect", "--wait", "listen", f"127.0.0.1:{server.port}"),
            )
            first = await dial(port)
            strangers = await asyncio.gather(*(dial(port) for _ in range(499)))
            for count, stranger in enumerate([first, *strangers]):
                if count % 2:
                    reset(stranger)
                else:
                    assert await stranger.rest() == b""
                    stranger.close()
            left = await dial(port, local_addr=("127.0.0.2", 0))
            right = await server.accept()
            await meet(left, right)
            await live.stop()
            left.close()
            right.close()

    run(test())


def test_many_sessions_that_come_and_go() -> None:
    """Of `listen --multi`: some are reset, some say nothing, some nonsense; one goes on, and in the end it is alone."""

    async def test() -> None:
        async with Server() as server:
            port = free_port()
            live = Live(
                *("--", "listen", "--multi", "--max-sessions", "50", f"127.0.0.1:{port}", "--"),
                *("connect", "--wait", "listen", f"127.0.0.1:{server.port}"),
            )
            left = await dial(port)
            right = await server.accept()
            await meet(left, right)
            for attack in range(5):
                crowd = await asyncio.gather(*(dial(port) for _ in range(100)))
                for number, one in enumerate(crowd):
                    if number % 3 == 0:
                        one.send(b"\0" * 100)
                        one.close()
                    elif number % 3 == 1:
                        one.close()
                    else:
                        reset(one)
                left.send(update(attack))
                assert await right.message() == update(attack)
                right.send(update(attack))
                assert await left.message() == update(attack)
            service = live.pipe.driver
            assert isinstance(service, Service)
            while len(service.sessions) > 1:
                await asyncio.sleep(0.01)
            assert not live.task.done()
            live.pipe.end()
            assert await left.rest() == await right.rest() == message(3, b"\6\2\x12bgpipe was stopped")
            left.close()
            right.close()
            await live.task

    run(test())


def test_a_connection_that_is_gone_before_it_is_used() -> None:
    """Scanners of ports do not take the place of the peer."""

    async def test() -> None:
        port = free_port()
        live = Live("listen", f"127.0.0.1:{port}")
        await live.until("listen/PREPARE")
        while True:  # blocking, so that all of it happens before the loop accepts
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            await asyncio.sleep(0.01)
        left = await dial(port)
        await live.until("listen/START")
        await live.stop()
        left.close()

    run(test())


def test_one_that_hurts_does_not_touch_others() -> None:
    """Of two proxies in one process."""

    async def test() -> None:
        async with proxy() as (live, left, right), proxy() as (hurt, bad, good):
            await meet(left, right)
            await meet(bad, good)
            bad.send(b"x" * 100_000)
            good.reader._transport.pause_reading()  # type: ignore[attr-defined]
            assert isinstance(await hurt.task, StageError)
            left.send(update(1))
            assert await right.message() == update(1)
            assert not live.task.done()

    run(test())


# ---- whole processes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "code", "said"),
    [
        (b"\0" * 50, 1, "stage 1 (listen): 127.0.0.1:N: MESSAGE_HEADER_ERROR/CONNECTION_NOT_SYNCHRONIZED"),
        (message(3, b"\6\2\x06\r\n\x1b[2J"), 0, r"stage 1 (listen): the left (127.0.0.1:N) ended the session: CEASE/ADMIN_SHUTDOWN: \r\n\x1b[2J"),
        (b"", 0, "stage 1 (listen): the left (127.0.0.1:N) closed the connection"),
    ],
)
def test_what_the_log_says(octets: bytes, code: int, said: str) -> None:
    """A line that names the peer and the reason, an exit code, no traceback; what peers send does not steer the terminal."""
    port = free_port()

    async def test() -> tuple[int, str]:
        async with Server() as server:
            words = ["--", "listen", f"127.0.0.1:{port}", "--", "connect", "--wait", "listen", f"127.0.0.1:{server.port}"]
            process = subprocess.Popen([sys.executable, "-m", "bgpipe", *words], stderr=subprocess.PIPE)
            try:
                left = await dial(port)
                right = await server.accept()
                await meet(left, right)
                left.send(octets)
                left.writer.write_eof()
                await right.rest()
                right.close()
                await left.rest()
                left.close()
                _, errors = await asyncio.to_thread(process.communicate)
                return process.returncode, errors.decode()
            finally:
                process.kill()
                process.wait()

    found, text = run(test())
    assert found == code
    assert said in re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:N", text)
    assert "Traceback" not in text
    assert "\x1b" not in text

