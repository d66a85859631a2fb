"""bgpipe between two daemons: they have a session with each other, and we see all of it."""

from __future__ import annotations

import signal

import pytest

from interop.between import LEFT_ASN, RIGHT_ASN, exchanged, pairs, proxy
from interop.daemons import Bird, Daemon, ExaBgp, Frr, GoBgp, OpenBgpd
from interop.routes import standing
from interop.world import Process, World, until


def passed(bgpipe: Process, daemon: Daemon, other: Daemon, direction: str, *, extra: bool) -> None:
    """What a daemon announces has reached the other one, and our log."""
    routes = daemon.announces(extra=extra)
    until(lambda: other.rib == routes, f"{other.name} has the routes of {daemon.name}")
    until(lambda: standing(bgpipe.messages(), direction) == routes, f"we have logged the routes of {daemon.name}")


@pytest.mark.parametrize(("left_cls", "right_cls"), pairs(lambda left, right: (left, right) == (Bird, ExaBgp)))
def test_pair(world: World, left_cls: type[Daemon], right_cls: type[Daemon]) -> None:
    """IPv4 and IPv6 with communities, AS numbers of four octets, both ways, announced and withdrawn."""
    left, right = left_cls(world, 0, LEFT_ASN), right_cls(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True)
    bgpipe = proxy(world, right)
    left.start(RIGHT_ASN, passive=False)
    exchanged(left, right)
    for daemon, other, direction in ((left, right, "R"), (right, left, "L")):
        daemon.announce()
        passed(bgpipe, daemon, other, direction, extra=True)
        daemon.withdraw()
        passed(bgpipe, daemon, other, direction, extra=False)
    assert "PARSE" not in bgpipe.log()
    assert f"AS {LEFT_ASN} and AS {RIGHT_ASN}" in bgpipe.log()
    assert bgpipe.stop() == 0


@pytest.mark.parametrize(("left_cls", "right_cls"), pairs(lambda left, right: (left, right) == (ExaBgp, Bird)))
def test_path_ids(world: World, left_cls: type[Daemon], right_cls: type[Daemon]) -> None:
    """ADD-PATH (RFC 7911): two paths to one prefix arrive as two."""
    left, right = left_cls(world, 0, LEFT_ASN), right_cls(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True, addpath=True)
    bgpipe = proxy(world, right)
    left.start(RIGHT_ASN, passive=False, addpath=True)
    exchanged(left, right)
    passed(bgpipe, left, right, "R", extra=False)
    passed(bgpipe, right, left, "L", extra=False)
    assert "PARSE" not in bgpipe.log()
    assert bgpipe.stop() == 0


@pytest.mark.needs("bird", "frr")
@pytest.mark.long
def test_a_router_that_goes_away(world: World) -> None:
    """Killed without a word: the other one notices as it would have without us, and all of it can begin anew."""
    left, right = Bird(world, 0, LEFT_ASN), Frr(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True)
    for _ in range(2):
        bgpipe = proxy(world, right)
        left.start(RIGHT_ASN, passive=False)
        exchanged(left, right)
        left.process.stop(signal.SIGKILL)
        assert bgpipe.popen.wait(20) in (0, 1)
        until(lambda: not right.rib, "the routes are gone")


@pytest.mark.needs("bird", "gobgp")
@pytest.mark.long
def test_both_routers_restart(world: World) -> None:
    """One after the other, without a word and with one: the same bgpipe carries each next session."""
    left, right = Bird(world, 0, LEFT_ASN), GoBgp(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True)
    bgpipe = proxy(world, right, listen=("--reconnect",))
    left.start(RIGHT_ASN, passive=False)
    exchanged(left, right)
    left.process.stop(signal.SIGKILL)
    until(lambda: not right.rib, f"{right.name} has lost {left.name}")
    left.start(RIGHT_ASN, passive=False)
    exchanged(left, right)
    right.process.stop()
    right.start(LEFT_ASN, passive=True)
    exchanged(left, right)
    assert bgpipe.log().count("ESTABLISHED") >= 3
    assert bgpipe.stop() == 0


@pytest.mark.needs("bird", "openbgpd")
@pytest.mark.long
def test_a_router_that_is_stopped(world: World) -> None:
    """Its last word reaches the other one, and bgpipe ends in good order."""
    left, right = Bird(world, 0, LEFT_ASN), OpenBgpd(world, 1, RIGHT_ASN)
    for which in (right, left):
        right.start(LEFT_ASN, passive=True)
        bgpipe = proxy(world, right)
        left.start(RIGHT_ASN, passive=False)
        exchanged(left, right)
        which.process.stop()
        assert bgpipe.popen.wait(20) == 0
        assert [message[3] for message in bgpipe.messages()][-1] == "NOTIFY"
        other = left if which is right else right
        until(lambda o=other: not o.rib, "the routes are gone")
        other.process.stop()


@pytest.mark.needs("bird", "frr")
@pytest.mark.long
def test_the_proxy_is_killed(world: World) -> None:
    """Both routers see their connections break, keep the routes a while (RFC 4724), and meet again through the next one."""
    left, right = Bird(world, 0, LEFT_ASN), Frr(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True)
    bgpipe = proxy(world, right)
    left.start(RIGHT_ASN, passive=False)
    exchanged(left, right)
    bgpipe.stop(signal.SIGKILL)
    bgpipe = proxy(world, right)
    until(lambda: "ESTABLISHED" in bgpipe.log(), "another session")
    left.announce()
    until(lambda: right.rib == left.announces(extra=True), "an announcement goes through")
    assert bgpipe.stop() == 0
