"""bgpipe between two daemons: they have a session with each other, and we see all of it."""

from __future__ import annotations

import itertools
import signal

import pytest

from interop.daemons import DAEMONS, Bird, Daemon, ExaBgp, Frr, GoBgp
from interop.world import US, Process, World, announced, until

LEFT_ASN, RIGHT_ASN = 65001, 4_200_000_002
PAIRS = [
    pytest.param(left, right, id=f"{left.name}-{right.name}", marks=[] if (left, right) == (Bird, ExaBgp) else pytest.mark.long)
    for left, right in itertools.permutations(DAEMONS, 2)
]


def between(world: World, left: Daemon, right: Daemon, *stages: str, key: str = "", log: tuple[str, ...] = ("-o",)) -> Process:
    """left connects to us, and we to right."""
    options = ["--md5", key] if key else []
    return world.bgpipe(
        *(*log, "--", "listen", f"{US}:179", "--", *stages),
        *("connect", "--wait", "listen", "--retry", "--bind", US, *options, right.address),
    )


def exchanged(left: Daemon, right: Daemon) -> None:
    until(lambda: left.routes() >= set(right.own), f"{left.name} has the routes of {right.name}")
    until(lambda: right.routes() >= set(left.own), f"{right.name} has the routes of {left.name}")


@pytest.mark.parametrize(("left_cls", "right_cls"), PAIRS)
def test_pair(world: World, left_cls: type[Daemon], right_cls: type[Daemon]) -> None:
    """Announcements and withdrawals of IPv4 and IPv6 with communities, both ways; then the proxy ends, in good order."""
    left, right = left_cls(world, 0, LEFT_ASN), right_cls(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True)
    bgpipe = between(world, left, right)
    until(lambda: "listening" in bgpipe.log(), "we listen")
    left.start(RIGHT_ASN, passive=False)
    exchanged(left, right)

    left.announce()
    until(lambda: left.extra in right.routes(), "an announcement goes through")
    left.withdraw()
    until(lambda: left.extra not in right.routes(), "a withdrawal goes through")

    messages = bgpipe.messages()
    assert announced(messages, "R") >= set(left.own)
    assert announced(messages, "L") >= set(right.own)
    for direction, asn in (("R", LEFT_ASN), ("L", RIGHT_ASN)):
        texts = [str(message) for message in messages if message[0] == direction]
        assert any(f"'{asn & 0xFFFF}:7'" in text for text in texts), "its community"
        assert any(f"'{asn}:1:2'" in text for text in texts) or direction == "L", "its large community"
    assert "PARSE" not in bgpipe.log()
    assert f"AS {LEFT_ASN} and AS {RIGHT_ASN}" in bgpipe.log()
    assert bgpipe.stop() == 0


def test_md5_on_one_side(world: World) -> None:
    """The left knows of no key, the right asks for one."""
    left, right = Bird(world, 0, LEFT_ASN), Frr(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True, password="secret")
    bgpipe = between(world, left, right, key="secret")
    until(lambda: "listening" in bgpipe.log(), "we listen")
    left.start(RIGHT_ASN, passive=False)
    exchanged(left, right)
    assert bgpipe.stop() == 0


@pytest.mark.long
def test_md5_with_another_key(world: World) -> None:
    """It never comes up, and the log says where to look."""
    right = GoBgp(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True, password="secret")
    until(lambda: right.control("neighbor"), "it runs")
    connect = ["connect", "--md5", "another", "--timeout", "3s", "--bind", US, right.address]
    bgpipe = world.bgpipe("--", "speaker", "--active", "--asn", str(LEFT_ASN), "--", *connect)
    assert bgpipe.popen.wait() == 1
    assert "no answer within 3 s" in bgpipe.log()
    assert "TcpExtTCPMD5" in bgpipe.log()


@pytest.mark.long
def test_a_router_that_goes_away(world: World) -> None:
    """Killed without a word: the other one notices as it would have without us, and all of it can begin anew."""
    left, right = Bird(world, 0, LEFT_ASN), Frr(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True)
    for _ in range(2):
        bgpipe = between(world, left, right)
        until(lambda log=bgpipe.log: "listening" in log(), "we listen")
        left.start(RIGHT_ASN, passive=False)
        exchanged(left, right)
        left.process.stop(signal.SIGKILL)
        assert bgpipe.popen.wait(20) in (0, 1)
        until(lambda: not right.routes(), "the routes are gone")


@pytest.mark.long
def test_the_proxy_is_killed(world: World) -> None:
    """Both routers see their connections break, keep the routes a while (RFC 4724), and meet again through the next one."""
    left, right = Bird(world, 0, LEFT_ASN), Frr(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True)
    bgpipe = between(world, left, right)
    until(lambda: "listening" in bgpipe.log(), "we listen")
    left.start(RIGHT_ASN, passive=False)
    exchanged(left, right)
    bgpipe.stop(signal.SIGKILL)
    bgpipe = between(world, left, right)
    until(lambda: "ESTABLISHED" in bgpipe.log(), "another session")
    left.announce()
    until(lambda: left.extra in right.routes(), "an announcement goes through")
    assert bgpipe.stop() == 0
