"""A proxy that changes what one router offers the other: what the two sides agree on with it is not the same any more."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from interop.between import proxy
from interop.daemons import DAEMONS, Bird, Daemon, ExaBgp, Frr
from interop.routes import Route
from interop.world import World, until

LEFT_ASN, RIGHT_ASN, BETWEEN_ASN = 64601, 64602, 4_200_000_009

CHANGE = """
def change(msg):
    if msg.type == "OPEN":
        {statement}
    return msg
"""
# Each one once on either side.
CIRCLE = [*itertools.pairwise(DAEMONS), (DAEMONS[-1], DAEMONS[0])]
EACH = [
    pytest.param(left, right, id=f"{left.name}-{right.name}", marks=[] if left is ExaBgp else pytest.mark.long)
    for left, right in CIRCLE
]
WAYS = ["R", pytest.param("L", marks=pytest.mark.long)]


def changing(world: World, direction: str, statement: str) -> str:
    """A stage that does this to the capabilities in the OPENs of a direction."""
    path = world.folder / "change.py"
    path.write_text(CHANGE.format(statement=statement))
    return f"python -{direction} {path}:change"


@pytest.mark.parametrize("direction", WAYS)
@pytest.mark.parametrize(("left_cls", "right_cls"), EACH)
def test_without_as4(world: World, left_cls: type[Daemon], right_cls: type[Daemon], direction: str) -> None:
    """One of them takes the other for a speaker of old, with AS numbers of two octets; paths arrive whole (RFC 6793)."""
    left, right = left_cls(world, 0, LEFT_ASN), right_cls(world, 1, RIGHT_ASN)
    right.start(left.asn, passive=True)
    stage = changing(world, direction, "msg.open.capabilities.pop('AS4', None)")
    bgpipe = proxy(world, right, stage, f"update -LR --prepend {BETWEEN_ASN}")
    left.start(right.asn, passive=False)
    for daemon, other in ((left, right), (right, left)):
        routes = {replace(route, path=f"{BETWEEN_ASN} {route.path}") for route in daemon.announces()}
        until(lambda o=other, r=routes: o.rib == r, f"{other.name} has the routes of {daemon.name}")
    opens = {message[0]: message[4]["caps"] for message in bgpipe.messages() if message[3] == "OPEN"}
    assert "AS4" not in opens.pop(direction)
    assert all("AS4" in capabilities for capabilities in opens.values())
    assert bgpipe.stop() == 0


@pytest.mark.parametrize("direction", WAYS)
@pytest.mark.parametrize(("left_cls", "right_cls"), EACH)
def test_without_path_ids(world: World, left_cls: type[Daemon], right_cls: type[Daemon], direction: str) -> None:
    """One of them sends path ids, or waits for them, and the other one does not; of two paths one is left."""
    left, right = left_cls(world, 0, LEFT_ASN), right_cls(world, 1, RIGHT_ASN)
    right.start(left.asn, passive=True, addpath=True)
    bgpipe = proxy(world, right, changing(world, direction, "msg.open.capabilities.pop('ADDPATH', None)"))
    left.start(right.asn, passive=False, addpath=True)

    def arrived(daemon: Daemon, other: Daemon) -> bool:
        rib: set[Route] = other.rib
        return rib <= daemon.announces() and {route.prefix for route in rib} == {*daemon.own, daemon.double} and len(rib) == 4

    for daemon, other in ((left, right), (right, left)):
        until(lambda d=daemon, o=other: arrived(d, o), f"{other.name} has the prefixes of {daemon.name}")
    daemon.announce()
    until(lambda: set(daemon.extra) <= {route.prefix for route in other.rib}, "announcements go through")
    daemon.withdraw()
    until(lambda: arrived(daemon, other), "withdrawals go through")
    assert bgpipe.stop() == 0


@pytest.mark.needs("frr", "bird")
@pytest.mark.long
def test_messages_that_are_too_long(world: World) -> None:
    """FRR is told that BIRD takes extended messages (RFC 8654), and BIRD does not."""
    left, right = Frr(world, 0, LEFT_ASN), Bird(world, 1, RIGHT_ASN)
    left.own = tuple(f"10.{200 + number // 256}.{number % 256}.0/24" for number in range(3000))
    right.start(left.asn, passive=True)
    stage = changing(world, "L", "msg.open.capabilities['EXTENDED_MESSAGE'] = True")
    bgpipe = proxy(world, right, stage)
    left.start(right.asn, passive=False)
    until(lambda: right.rib == left.announces(), "all has arrived")
    assert max(len(message[4].get("reach", ())) for message in bgpipe.messages() if message[3] == "UPDATE") > 1100
    assert bgpipe.stop() == 0
