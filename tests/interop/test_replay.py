"""An archive's UPDATEs into a router: it has what the archive leaves standing."""

from __future__ import annotations

from pathlib import Path

import pytest

import bgpipe
import corpus
from interop.daemons import Bird, Daemon, Frr
from interop.world import US, World, until

ASN, ROUTER_ASN = 65055, 65010


def standing(archive: Path, peer: str) -> set[str]:
    """The prefixes that the UPDATEs of one peer leave announced."""
    found: set[str] = set()
    for msg in bgpipe.read(archive, types=["UPDATE"], filter=f'tags[PEER_IP] == "{peer}"'):
        update = msg.update
        assert update is not None
        found -= {str(prefix) for prefix in update.unreach}
        found |= {str(prefix) for prefix in update.reach}
    return found


@pytest.mark.long
@pytest.mark.parametrize("cls", [Bird, Frr], ids=["bird", "frr"])
def test_replay(world: World, cls: type[Daemon]) -> None:
    archive = corpus.folder() / "mrt" / "updates.20160811.1600.gz"
    peers = [msg.tags["PEER_IP"] for msg in bgpipe.read(archive, types=["UPDATE"])]
    peer = max(set(peers), key=peers.count)
    expected = standing(archive, peer)
    assert len(expected) > 100
    router = cls(world, 0, ROUTER_ASN)
    router.own = ()
    read = ["read", "--wait", "ESTABLISHED", "--type", "UPDATE", "--of", f'tags[PEER_IP] == "{peer}"', str(archive)]
    update = ["update", "--nexthop-self"]
    speaker = ["speaker", "--active", "--asn", str(ASN), "--id", US]
    process = world.bgpipe("--", *speaker, "--", *read, "--", *update, "--", "listen", f"{US}:179")
    until(lambda: "listening" in process.log(), "we listen")
    router.start(ASN, passive=False)
    until(lambda: router.routes() == expected, f"{cls.name} has all of it")
    assert process.stop() == 0
