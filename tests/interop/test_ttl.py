"""TTL security (RFC 5082): with each daemon that has it, and with one that is too far away."""

from __future__ import annotations

import pytest

from interop.between import LEFT_ASN, RIGHT_ASN, exchanged, proxy
from interop.daemons import DAEMONS, Bird, Daemon, ExaBgp, Frr
from interop.routes import standing
from interop.test_speaker import ASN, EXPECTED, PEER_ASN, WAYS, speak
from interop.world import PATIENCE_S, US, World, until

SECURE = ("--ttl", "255", "--ttl-min", "255")


@pytest.mark.parametrize(("us", "active"), WAYS)
@pytest.mark.parametrize("cls", [pytest.param(cls, marks=[] if cls is Bird else pytest.mark.long, id=cls.name) for cls in DAEMONS])
def test_speaker(world: World, cls: type[Daemon], active: bool, us: str) -> None:
    daemon = cls(world, 0, PEER_ASN)
    options = SECURE if cls.answers_ttl or not active else SECURE[:2]
    bgpipe = speak(world, daemon, active=active, options=options, peer=us, ttl_security=True)
    until(lambda: daemon.rib == EXPECTED, f"{daemon.name} has our routes")
    own = set(daemon.own)  # to a neighbour, some announce next hops of their own choice
    until(lambda: {route.prefix for route in standing(bgpipe.messages(), "L" if active else "R")} == own, "we have its routes")
    assert bgpipe.stop() == 0


@pytest.mark.needs("bird", "frr")
@pytest.mark.long
def test_proxy(world: World) -> None:
    left, right = Bird(world, 0, LEFT_ASN), Frr(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True, ttl_security=True)
    bgpipe = proxy(world, right, listen=SECURE, connect=SECURE)
    left.start(RIGHT_ASN, passive=False, ttl_security=True)
    exchanged(left, right)
    assert bgpipe.stop() == 0


@pytest.mark.needs("bird")
@pytest.mark.long
def test_a_daemon_that_connects_from_too_far_away(world: World) -> None:
    bgpipe = world.bgpipe("--", "listen", "--ttl-min", "255", f"{US}:179", "--", "speaker", "--asn", str(ASN))
    until(lambda: "listening" in bgpipe.log(), "we listen")
    Bird(world, 0, PEER_ASN).start(ASN, passive=False)
    until(lambda: "nobody has connected yet; --ttl-min: the kernel has dropped" in bgpipe.log(), "a warning")
    assert "with a lower TTL (nstat -az TcpExtTCPMinTTLDrop)" in bgpipe.log()
    assert "is connected" not in bgpipe.log()


@pytest.mark.needs("exabgp")
@pytest.mark.long
def test_a_daemon_that_is_too_far_away(world: World) -> None:
    right = ExaBgp(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True)
    until(lambda: "LISTEN" in world.run("ss", "-tln"), "it runs")
    connect = ["connect", "--ttl-min", "255", "--timeout", "3s", "--bind", US, right.address]
    bgpipe = world.bgpipe("--", "speaker", "--active", "--asn", str(LEFT_ASN), "--", *connect)
    assert bgpipe.popen.wait(PATIENCE_S) == 1
    assert "no answer within 3 s; --ttl-min: the kernel has dropped" in bgpipe.log()


@pytest.mark.needs("bird")
@pytest.mark.long
def test_a_daemon_that_we_are_too_far_away_from(world: World) -> None:
    """It takes nothing without --ttl 255, and counts that."""
    bgpipe = world.bgpipe("--", "listen", f"{US}:179", "--", "speaker", "--asn", str(ASN))
    until(lambda: "listening" in bgpipe.log(), "we listen")
    daemon = Bird(world, 0, PEER_ASN)
    daemon.start(ASN, passive=False, ttl_security=True)
    until(lambda: int(world.run("nstat", "-az", "TcpExtTCPMinTTLDrop").split()[-2]) > 0, "our answers are dropped")
    assert "ESTABLISHED" not in bgpipe.log()
