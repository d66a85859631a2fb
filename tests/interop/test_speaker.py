"""speaker against each daemon: it connects, and is connected to; routes go both ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop.daemons import DAEMONS, Bird, Daemon, ExaBgp
from interop.world import US, World, announced, until

ASN, PEER_ASN = 65055, 4_200_000_001

OURS = """
{"reach":["10.99.1.0/24"],"attrs":{"ORIGIN":"IGP","ASPATH":[65055],"NEXTHOP":"10.9.0.1","COMMUNITY":["65055:1"]}}
{"reach":["10.99.2.0/24","10.99.3.0/24"],"attrs":{"ORIGIN":"IGP","ASPATH":[65055,4200000009],"NEXTHOP":"10.9.0.1"}}
{"unreach":["10.99.3.0/24"]}
{"attrs":{"ORIGIN":"IGP","ASPATH":[65055],"MP_REACH":{"af":"IPV6/UNICAST","nexthop":"2001:db8:9::1","prefixes":["2001:db8:99::/48"]}}}
"""

SHORT = (Bird, ExaBgp)
EACH = [pytest.param(cls, marks=[] if cls in SHORT else pytest.mark.long, id=cls.name) for cls in DAEMONS]


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    path = tmp_path / "ours.json"
    path.write_text(OURS)
    return path


@pytest.mark.parametrize("cls", EACH)
@pytest.mark.parametrize("active", [True, False], ids=["active", "passive"])
def test_speaker(world: World, routes: Path, cls: type[Daemon], active: bool) -> None:
    daemon = cls(world, 0, PEER_ASN)
    read = ["--wait", "ESTABLISHED", str(routes), "--"]
    if active:
        daemon.start(ASN, passive=True)
        speaker = ["speaker", "--active", "--asn", str(ASN), "--id", US, "--"]
        connect = ["connect", "--retry", "--bind", US, daemon.address]
        bgpipe = world.bgpipe("-o", "--", *speaker, "read", *read, *connect)
    else:
        listen = ["listen", f"{US}:179", "--", "read", "-L"]
        bgpipe = world.bgpipe("-o", "--", *listen, *read, "speaker", "--asn", str(ASN), "--id", US)
        daemon.start(ASN, passive=False)

    def theirs() -> set[str]:
        return announced(bgpipe.messages(), "L" if active else "R")

    ours = {"10.99.1.0/24", "10.99.2.0/24", "2001:db8:99::/48"}
    until(lambda: daemon.routes() == ours, f"{daemon.name} has our routes")
    until(lambda: theirs() >= set(daemon.own), f"we have those of {daemon.name}")
    daemon.announce()
    until(lambda: daemon.extra in theirs(), "its announcement")
    daemon.withdraw()
    until(lambda: daemon.extra not in theirs(), "its withdrawal")
    assert bgpipe.stop() == 0
    assert "PARSE" not in bgpipe.log()
