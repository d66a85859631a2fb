"""Sessions with each daemon that do not carry routes in the form that they are in."""

from __future__ import annotations

import pytest

from interop.daemons import DAEMONS, Bird, Daemon
from interop.routes import standing
from interop.test_capabilities import changing
from interop.test_speaker import EXPECTED, PEER_ASN, offer, speak
from interop.world import World, until

# How the speaker's OPEN is to be changed.
TWO_OCTETS = "del msg.open.capabilities['AS4']"
PATH_IDS = "msg.open.capabilities['ADDPATH'] = ['IPV4/UNICAST/SEND', 'IPV6/UNICAST/SEND']"
EACH = [pytest.param(cls, marks=[] if cls is Bird else pytest.mark.long, id=cls.name) for cls in DAEMONS]


@pytest.mark.parametrize("cls", EACH)
@pytest.mark.parametrize("change", [TWO_OCTETS, PATH_IDS], ids=["two octets", "path ids"])
def test_another_form(world: World, cls: type[Daemon], change: str) -> None:
    daemon = cls(world, 0, PEER_ASN)
    bgpipe = speak(world, daemon, active=True, stage=changing(world, "R", change), addpath=change == PATH_IDS)
    until(lambda: daemon.rib == EXPECTED, f"{daemon.name} has our routes")
    own = set(daemon.own)
    until(lambda: {route.prefix for route in standing(bgpipe.messages(), "L")} >= own, f"we have those of {daemon.name}")
    if change == PATH_IDS:
        assert {"IPV4/UNICAST/RECEIVE", "IPV4/UNICAST/BIDIR"} & set(offer(bgpipe.messages(), "L")["caps"]["ADDPATH"])
    assert bgpipe.stop() == 0
    assert "PARSE" not in bgpipe.log()
