"""BMP that FRR's daemon sends of a session with us: routes, what it mirrors of them, statistics, and how the session ends.

It makes the UPDATEs of Route Monitoring itself: with its own AS number in front, and without the path ids that the session has.
What it mirrors is as it came.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live import KEEPALIVE

import gobgp
import oracle
from bgpipe import SessionContext, Update
from bgpipe.bgp.causes import message
from bgpipe.bgp.messages import Open
from station import Station, decoded

PROGRAM = "/usr/lib/frr/bgpd"
MODULES = list(Path("/usr/lib").glob("*/frr/modules/bgpd_bmp.so"))

pytestmark = pytest.mark.skipif(
    not (shutil.which(PROGRAM) and MODULES) or os.getuid() != 0, reason="FRR with its module bmp is not installed, or this is not root"
)

ASN, PEER = 65002, 65001
CONFIGURATION = """
router bgp {asn}
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 neighbor 127.0.0.1 remote-as {peer}
 neighbor 127.0.0.1 passive
 neighbor 127.0.0.1 ebgp-multihop
 address-family ipv4 unicast
  neighbor 127.0.0.1 activate
  neighbor 127.0.0.1 soft-reconfiguration inbound
 exit-address-family
 bmp mirror buffer-limit 100000
 bmp targets station
  bmp mirror
  bmp stats interval 100
  bmp monitor ipv4 unicast pre-policy
  bmp monitor ipv4 unicast post-policy
  bmp connect 127.0.0.1 port {port} min-retry 100 max-retry 500
"""
CEASE = message(3, b"\x06\x02\x03bye")
ROUTES = [("10.1.0.0/16", 1, [65001, 65100]), ("10.2.0.0/24", 7, [65001])]  # prefix, path id, AS path


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "path-ids"])
def session(request: pytest.FixtureRequest) -> Iterator[tuple[bool, bytes]]:
    """Whether it had path ids, and all that came."""
    station, port = Station(), gobgp.free_port()
    station.start()
    with tempfile.TemporaryDirectory() as folder:  # the paths of sockets are short
        config = Path(folder) / "bgpd.conf"
        config.write_text(CONFIGURATION.format(asn=ASN, peer=PEER, port=station.port))
        words = [PROGRAM, "-f", str(config), "-S", "-Z", "-M", "bmp", "-l", "127.0.0.1", "-p", str(port), "-P", "0"]
        words += ["-i", f"{folder}/pid", "--vty_socket", folder]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            station.wait_for(initiation=1)
            capabilities: dict[str, Any] = {"MP": ["IPV4/UNICAST"], "AS4": PEER}
            if request.param:
                capabilities["ADDPATH"] = ["IPV4/UNICAST/BIDIR"]
            with gobgp.connected(port) as connection:
                connection.sendall(Open(asn=PEER, id="192.0.2.1", capabilities=capabilities).msg.wire + KEEPALIVE)
                station.wait_for(peer_up=1)
                context = SessionContext(addpath=["IPV4/UNICAST"] if request.param else [])
                for prefix, path_id, path in ROUTES:
                    text = f"#{path_id}#{prefix}" if request.param else prefix
                    attrs = {"ORIGIN": "IGP", "ASPATH": path, "NEXTHOP": "192.0.2.1"}
                    connection.sendall(Update(reach=[text], attrs=attrs, context=context).msg.wire)
                station.wait_for(route_monitoring=2 * len(ROUTES), route_mirroring=len(ROUTES), statistics_report=1)
                connection.sendall(CEASE)
                station.wait_for(route_mirroring=len(ROUTES) + 1, peer_down=1)
        finally:
            process.terminate()
            process.wait()
    station.join(60)
    yield request.param, station.data


def test_session(session: tuple[bool, bytes]) -> None:
    has_ids, data = session
    decoder, messages = decoded(data)
    assert decoder.skipped == 0
    assert [decoder.kinds[kind] for kind in ("initiation", "peer_up")] == [1, 1]
    sent, received = [message[4] for message in messages if message[3] == "OPEN"]
    assert (sent["asn"], received["asn"], "ADDPATH" in received["caps"]) == (ASN, PEER, has_ids)
    assert list(oracle.decode_message(CEASE)) in [message[3:5] for message in messages]
    assert "peer_down" in [name for name, _, _ in decoder.take_events()]


def routes(data: bytes, rib: str) -> list[tuple[str, tuple[int, ...]]]:
    """Prefix and AS path of what is announced."""
    found = [message for message in decoded(data)[1] if message[3] == "UPDATE" and message[5]["RIB"] == rib]
    return [(prefix, tuple(m[4]["attrs"]["ASPATH"]["value"])) for m in found for prefix in m[4].get("reach", [])]


def test_routes(session: tuple[bool, bytes]) -> None:
    has_ids, data = session
    monitored = {(prefix, (ASN, *path)) for prefix, _, path in ROUTES}
    mirrored = {(f"#{path_id}#{prefix}" if has_ids else prefix, tuple(path)) for prefix, path_id, path in ROUTES}
    assert set(routes(data, "in-post")) == monitored
    assert set(routes(data, "in-pre")) == monitored | mirrored
