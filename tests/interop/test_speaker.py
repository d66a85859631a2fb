"""speaker against each daemon: it connects, and is connected to; routes go both ways, whole."""

from __future__ import annotations

from typing import Any

import pytest

from interop.daemons import DAEMONS, FAMILIES, Daemon, ExaBgp
from interop.routes import Route, standing
from interop.world import US, US6, Process, World, until

ASN, PEER_ASN = 65055, 4_200_000_001

OURS = """
{"reach":["10.99.1.0/24"],"attrs":{"ORIGIN":"IGP","ASPATH":[65055],"NEXTHOP":"10.9.0.1","COMMUNITY":["65055:1"]}}
{"reach":["10.99.2.0/24","10.99.3.0/24"],"attrs":{"ORIGIN":"IGP","ASPATH":[65055,4200000009],"NEXTHOP":"10.9.0.1"}}
{"unreach":["10.99.3.0/24"]}
{"attrs":{"ORIGIN":"IGP","ASPATH":[65055],"MP_REACH":{"af":"IPV6/UNICAST","nexthop":"2001:db8:9::1","prefixes":["2001:db8:99::/48"]},\
"LARGE_COMMUNITY":["4200000009:1:2","65055:3:4"]}}
"""
EXPECTED = {
    Route("10.99.1.0/24", "65055", US, ("65055:1",)),
    Route("10.99.2.0/24", "65055 4200000009", US),
    Route("2001:db8:99::/48", "65055", US6, (), ("4200000009:1:2", "65055:3:4")),
}

# Address of ours that a session is with, and whether we connect.
WAYS = [
    pytest.param(US, True, id="active-ipv4", marks=pytest.mark.long),
    pytest.param(US, False, id="passive-ipv4"),
    pytest.param(US6, True, id="active-ipv6"),
    pytest.param(US6, False, id="passive-ipv6", marks=pytest.mark.long),
]
EACH = [pytest.param(cls, id=cls.name) for cls in DAEMONS]


def speak(
    world: World, daemon: Daemon, *, active: bool, options: tuple[str, ...] = (), stage: str = "", **peering: Any
) -> Process:
    """A session of speaker with a daemon, and our routes for it. options: of connect or listen. stage: behind speaker."""
    routes = world.folder / "ours.json"
    routes.write_text(OURS)
    us = peering.get("peer", US)
    read = ["--wait", "ESTABLISHED", str(routes), "--"]
    if active:
        daemon.start(ASN, passive=True, **peering)
        speaker = ["speaker", "--active", "--asn", str(ASN), "--id", US, "--"]
        connect = ["connect", "--retry", "--bind", us, *options, daemon.peering.local]
        between = [*stage.split(), "--"] if stage else []
        return world.bgpipe("-o", "--", *speaker, *between, "read", *read, *connect)
    listen = ["listen", *options, f"[{us}]:179" if ":" in us else f"{us}:179", "--", "read", "-L"]
    process = world.bgpipe("-o", "--", *listen, *read, "speaker", "--asn", str(ASN), "--id", US)
    until(lambda: "listening" in process.log(), "we listen")
    daemon.start(ASN, passive=False, **peering)
    return process


def offer(messages: list[Any], direction: str) -> Any:
    """The OPEN of a direction."""
    return next(message[4] for message in messages if message[0] == direction and message[3] == "OPEN")


@pytest.mark.parametrize("cls", EACH)
@pytest.mark.parametrize("active", [True, pytest.param(False, marks=pytest.mark.long)], ids=["active", "passive"])
def test_speaker(world: World, cls: type[Daemon], active: bool) -> None:
    daemon = cls(world, 0, PEER_ASN)
    bgpipe = speak(world, daemon, active=active)
    theirs, ours = ("L", "R") if active else ("R", "L")
    until(lambda: daemon.rib == EXPECTED, f"{daemon.name} has our routes")
    until(lambda: standing(bgpipe.messages(), theirs) == daemon.announces(), f"we have those of {daemon.name}")
    daemon.announce()
    until(lambda: standing(bgpipe.messages(), theirs) == daemon.announces(extra=True), "its announcements")
    daemon.withdraw()
    until(lambda: standing(bgpipe.messages(), theirs) == daemon.announces(), "its withdrawals")

    offered = offer(bgpipe.messages(), theirs)
    assert offered["asn"] == 23456
    assert offered["caps"]["AS4"] == PEER_ASN
    assert offered["caps"]["ROUTE_REFRESH"] is True
    assert set(FAMILIES) <= set(offered["caps"]["MP"])
    assert offer(bgpipe.messages(), ours)["caps"]["AS4"] == ASN
    assert daemon.heard() == {"AS4", "ROUTE_REFRESH", *FAMILIES}
    assert f"AS {PEER_ASN}" in bgpipe.log()
    assert bgpipe.stop() == 0
    assert "PARSE" not in bgpipe.log()
    until(lambda: not daemon.rib or cls is ExaBgp, f"{daemon.name} has heard that we left")
