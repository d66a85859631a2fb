"""BMP that GoBGP's daemon sends of a session with us: its OPENs, our routes in each RIB, and how the session ends.

Where the session has agreed on path ids, its UPDATEs have them in front of the policy, and neither behind it nor in its Loc-RIB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import gobgp
import oracle
from bgpipe import SessionContext, Update
from bgpipe.bgp.causes import message
from bgpipe.bgp.messages import Open
from station import Station, decoded

pytestmark = gobgp.needed()

STATION = """
[[bmp-servers]]
[bmp-servers.config]
address = "127.0.0.1"
port = {port}
route-monitoring-policy = "all"
"""
ADD_PATH = "[neighbors.afi-safis.add-paths.config]\nreceive = true\nsend-max = 8\n"
CEASE = message(3, b"\x06\x02\x03bye")
# Prefix, path id, AS path, MED.
ROUTES = [("10.1.0.0/16", 1, [65001, 65100], 5), ("10.1.0.0/16", 2, [65001, 4200000000], 6), ("10.2.0.0/24", 7, [65001], 0)]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "path-ids"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bool, Open, bytes]]:
    """Whether it had path ids, the OPENs of both, and all that came."""
    station = Station()
    station.start()
    neighbor = gobgp.family("ipv4-unicast") + (ADD_PATH if request.param else "") + STATION.format(port=station.port)
    with gobgp.Daemon(tmp_path_factory.mktemp("gobgp"), neighbor) as daemon:
        offered: dict[str, Any] = {"MP": ["IPV4/UNICAST"], "AS4": gobgp.PEER}
        if request.param:
            offered["ADDPATH"] = ["IPV4/UNICAST/BIDIR"]
        theirs = daemon.establish(offered)
        for prefix, path_id, path, med in ROUTES:
            text = f"#{path_id}#{prefix}" if request.param else prefix
            context = SessionContext(addpath=["IPV4/UNICAST"] if request.param else [])
            update = Update(reach=[text], attrs={"ORIGIN": "IGP", "ASPATH": path, "NEXTHOP": "192.0.2.1", "MED": med}, context=context)
            daemon.send(update.msg)
        station.wait_for(peer_up=1, route_monitoring=len(ROUTES))
        assert daemon.connection is not None
        daemon.connection.sendall(CEASE)
        station.wait_for(peer_down=1)
    station.join(60)
    yield request.param, theirs, station.data


def test_session(session: tuple[bool, Open, bytes]) -> None:
    """How it began and ended, and when."""
    has_ids, theirs, data = session
    decoder, messages = decoded(data)
    assert decoder.skipped == 0
    assert {kind: count for kind, count in decoder.kinds.items() if kind != "route_monitoring"} == {"initiation": 1, "peer_up": 1, "peer_down": 1}
    (up, _, _), (down, tags, reason) = decoder.take_events()
    assert (up, down, reason) == ("peer_up", "peer_down", "the peer closed the session with a NOTIFICATION")
    assert (tags["PEER_AS"], tags["PEER_IP"], tags["PEER_ID"]) == (str(gobgp.PEER), "127.0.0.1", "192.0.2.1")
    sent, received, *_, end = messages
    assert sent[3:5] == oracle_message(theirs.msg.wire)
    assert (received[4]["asn"], received[4]["id"], "ADDPATH" in received[4]["caps"]) == (gobgp.PEER, "192.0.2.1", has_ids)
    assert end[3:5] == oracle_message(CEASE)


@pytest.mark.parametrize("rib", ["in-pre", "in-post", "loc"])
def test_routes(rib: str, session: tuple[bool, Open, bytes]) -> None:
    """Path ids are those of the session in front of the policy, and of nothing else, whatever Peer Up says."""
    has_ids, _, data = session
    found, guessed = [], set()
    for *_, kind, update, tags in decoded(data)[1]:
        if kind == "UPDATE" and tags["RIB"] == rib and "reach" in update:
            attrs = {name: entry["value"] for name, entry in update["attrs"].items()}
            assert (attrs["ORIGIN"], attrs["NEXTHOP"]) == ("IGP", "192.0.2.1")
            found += [(prefix, attrs["ASPATH"], attrs["MED"]) for prefix in update["reach"]]
            guessed.add(tags.get("ADDPATH"))
    ids = has_ids and rib == "in-pre"
    expected = [(f"#{path_id}#{prefix}" if ids else prefix, path, med) for prefix, path_id, path, med in ROUTES]
    if rib == "loc" and has_ids:  # the best ones: the second one of the prefix is not, until the first has gone
        assert [route for route in expected if route in found] == expected
    else:
        assert found == expected
    assert guessed == {"guessed not IPV4/UNICAST" if has_ids and rib == "in-post" else None}


def oracle_message(wire: bytes) -> list[Any]:
    return list(oracle.decode_message(wire))
