"""Many sessions in one process: daemons that come and go, and one that is restarted."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from interop.daemons import Bird, ExaBgp, Frr, GoBgp
from interop.routes import Route
from interop.world import US, World, until

ASN = 65055
OURS = '{"reach":["10.99.1.0/24"],"attrs":{"ORIGIN":"IGP","ASPATH":[65055],"NEXTHOP":"10.9.0.1"}}\n'
EXPECTED = {Route("10.99.1.0/24", str(ASN), US)}


@pytest.fixture
def route(tmp_path: Path) -> Path:
    path = tmp_path / "ours.json"
    path.write_text(OURS)
    return path


@pytest.mark.needs("bird", "frr", "gobgp", "exabgp")
@pytest.mark.long
def test_many(world: World, route: Path) -> None:
    """Each gets our route in a session of its own, and keeps it when the others are gone."""
    daemons = [cls(world, number, 65001 + number) for number, cls in enumerate((Bird, Frr, GoBgp, ExaBgp))]
    read = ["read", "-L", "--wait", "ESTABLISHED", str(route)]
    speaker = ["speaker", "--asn", str(ASN), "--id", US]
    bgpipe = world.bgpipe("-o", "--", "listen", "--multi", f"{US}:179", "--", *read, "--", *speaker)
    until(lambda: "listening" in bgpipe.log(), "we listen")
    for daemon in daemons:
        daemon.start(ASN, passive=False)
    for daemon in daemons:
        until(lambda daemon=daemon: daemon.rib == EXPECTED, f"{daemon.name} has our route")
    last = daemons.pop()
    last.process.stop(signal.SIGKILL)
    until(lambda: "the session is over" in bgpipe.log(), "its session is over")
    daemons[0].announce()

    def told(text: str) -> set[str]:
        return {msg[5]["listen/remote"].rpartition(":")[0] for msg in bgpipe.messages() if text in json.dumps(msg)}

    until(lambda: told(daemons[0].extra[0]) == {daemons[0].address}, "an announcement, and whose it is")
    assert all(daemon.rib == EXPECTED for daemon in daemons)
    assert bgpipe.stop() == 0
    until(lambda: not any(daemon.rib for daemon in daemons), "all know that we are gone")


@pytest.mark.needs("bird")
def test_reconnect(world: World, route: Path) -> None:
    """A daemon that is restarted gets our route again."""
    daemon = Bird(world, 0, 65001)
    read = ["read", "--wait", "ESTABLISHED", str(route)]
    speaker = ["speaker", "--active", "--asn", str(ASN), "--id", US]
    connect = ["connect", "--reconnect", "--bind", US, daemon.address]
    bgpipe = world.bgpipe("-o", "--", *speaker, "--", *read, "--", *connect)
    for number in (signal.SIGKILL, signal.SIGTERM):
        daemon.start(ASN, passive=True)
        until(lambda: daemon.rib == EXPECTED, "it has our route")
        daemon.process.stop(number)
    assert bgpipe.stop() == 0
