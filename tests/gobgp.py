"""GoBGP: its daemon on 127.0.0.1 with one neighbor, whoever tests; families and commands that it knows."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

import oracle
from bgpipe import Msg
from bgpipe.bgp.messages import Open

ASN, PEER = 65002, 65001  # its number, and ours
CONFIGURATION = """
[global.config]
as = {asn}
router-id = "192.0.2.2"
port = {port}
local-address-list = ["127.0.0.1"]
[[neighbors]]
[neighbors.config]
neighbor-address = "127.0.0.1"
peer-as = {peer}
[neighbors.transport.config]
passive-mode = true
"""

# Ours: its name in the configuration, and that of its commands.
FAMILIES = {
    "IPV4/UNICAST": ("ipv4-unicast", "ipv4"),
    "IPV4/MPLS": ("ipv4-labelled-unicast", "ipv4-mpls"),
    "IPV6/MPLS": ("ipv6-labelled-unicast", "ipv6-mpls"),
    "IPV4/MPLS_VPN": ("l3vpn-ipv4-unicast", "vpnv4"),
    "IPV6/MPLS_VPN": ("l3vpn-ipv6-unicast", "vpnv6"),
    "L2VPN/EVPNS": ("l2vpn-evpn", "evpn"),
    "IPV4/ROUTE_TARGET": ("rtc", "rtc"),
    "IPV4/FLOWSPEC": ("ipv4-flowspec", "ipv4-flowspec"),
    "IPV6/FLOWSPEC": ("ipv6-flowspec", "ipv6-flowspec"),
    "IPV4/L3VPN_FLOWSPEC": ("l3vpn-ipv4-flowspec", "ipv4-l3vpn-flowspec"),
    "IPV6/L3VPN_FLOWSPEC": ("l3vpn-ipv6-flowspec", "ipv6-l3vpn-flowspec"),
}

# ---- commands ---------------------------------------------------------------------------------------------------------

ROUTE = {"rd": "65000:1", "etag": 100}
ESI_1 = {"esi": "00:11:22:33:44:55:66:77:88:99"}
VXLAN = {"type": "ENCAPSULATION", "value": "VXLAN"}
TARGET = {"type": "TARGET", "value": "65000:2"}
SINGLE = {"esi": "00:00:00:00:00:00:00:00:00:00"}
VNI_200 = {"labels": ["0x0000c8"]}  # it puts numbers into all three octets of a label of EVPN
# Family, its words; the NLRI and attributes that it makes of them, as we have them.
COMMANDS: list[tuple[str, str, Any, Any]] = [
    ("IPV4/MPLS", "10.1.0.0/16 100", {"prefix": "10.1.0.0/16", "labels": [100]}, {}),
    ("IPV6/MPLS", "2001:db8:1::/48 101/102", {"prefix": "2001:db8:1::/48", "labels": [101, 102]}, {}),
    (
        "IPV4/MPLS_VPN",
        "10.2.0.0/16 label 100 rd 65000:1 rt 65000:2 med 5 community 65001:1,no-export large-community 1:2:3 aggregator 65000:192.0.2.9",
        {"rd": "65000:1", "prefix": "10.2.0.0/16", "labels": [100]},
        {
            "EXT_COMMUNITY": [TARGET],
            "MED": 5,
            "COMMUNITY": ["65001:1", "65535:65281"],
            "LARGE_COMMUNITY": ["1:2:3"],
            "AGGREGATOR": {"asn": 65000, "addr": "192.0.2.9"},
        },
    ),
    (
        "IPV6/MPLS_VPN",
        "2001:db8:2::/48 label 100 rd 192.0.2.1:7 rt 192.0.2.1:2",
        {"rd": "192.0.2.1:7", "prefix": "2001:db8:2::/48", "labels": [100]},
        {"EXT_COMMUNITY": [{"type": "IP4_TARGET", "value": "192.0.2.1:2"}]},
    ),
    (
        "IPV4/MPLS_VPN",
        "10.3.0.0/16 label 100 rd 1.4464:1 rt 1.4464:2",
        {"rd": "70000:1", "prefix": "10.3.0.0/16", "labels": [100]},
        {"EXT_COMMUNITY": [{"type": "AS4_TARGET", "value": "70000:2"}]},
    ),
    (
        "L2VPN/EVPNS",
        "a-d esi ARBITRARY 11:22:33:44:55:66:77:88:99 etag 100 label 200 rd 65000:1 rt 65000:2 encap vxlan esi-label 320",
        {"type": "ETHERNET_AD"} | ROUTE | ESI_1 | VNI_200,
        {"EXT_COMMUNITY": [TARGET, VXLAN, {"type": "ESI_LABEL", "value": "ALL_ACTIVE:20"}]},
    ),
    (
        "L2VPN/EVPNS",
        "macadv aa:bb:cc:dd:ee:00 2001:db8::1 esi single-homed etag 100 label 200,300 rd 65000:1 encap nvgre",
        {"type": "MAC_IP", "mac": "aa:bb:cc:dd:ee:00", "ip": "2001:db8::1", "labels": ["0x0000c8", "0x00012c"]} | ROUTE | SINGLE,
        {"EXT_COMMUNITY": [{"type": "ENCAPSULATION", "value": "NVGRE"}]},
    ),
    (
        "L2VPN/EVPNS",
        "macadv aa:bb:cc:dd:ee:01 0.0.0.0 esi single-homed etag 100 label 200 rd 65000:1",
        {"type": "MAC_IP", "mac": "aa:bb:cc:dd:ee:01"} | ROUTE | SINGLE | VNI_200,
        {},
    ),
    (
        "L2VPN/EVPNS",
        "multicast 10.0.0.1 etag 100 rd 65000:1 encap vxlan pmsi ingress-repl leaf-info-required 160 192.0.2.1",
        {"type": "INCLUSIVE_MULTICAST", "originator": "10.0.0.1"} | ROUTE,
        {
            "EXT_COMMUNITY": [VXLAN],
            "PMSI_TUNNEL": {"flags": "L", "type": "INGRESS_REPLICATION", "label": 10, "vni": 160, "id": "192.0.2.1"},
        },
    ),
    (
        "L2VPN/EVPNS",
        "esi 10.0.0.1 esi MSTP aa:bb:cc:dd:ee:ff 100 rd 65000:1 rt 65000:2 encap l2tpv3",
        {"type": "ETHERNET_SEGMENT", "rd": "65000:1", "esi": "02:aa:bb:cc:dd:ee:ff:00:64:00", "originator": "10.0.0.1"},
        {"EXT_COMMUNITY": [TARGET, {"type": "ENCAPSULATION", "value": "L2TPV3"}, {"type": "ES_IMPORT", "value": "aa:bb:cc:dd:ee:ff"}]},
    ),
    (
        "L2VPN/EVPNS",
        "prefix 10.9.0.0/16 gw 10.0.0.1 esi ARBITRARY 11:22:33:44:55:66:77:88:99 etag 100 label 200 rd 65000:1 encap vxlan "
        "router-mac 11:22:33:44:55:66",
        {"type": "IP_PREFIX", "prefix": "10.9.0.0/16", "gateway": "10.0.0.1"} | ROUTE | ESI_1 | VNI_200,
        {"EXT_COMMUNITY": [VXLAN, {"type": "ROUTERS_MAC", "value": "11:22:33:44:55:66"}]},
    ),
    (
        "L2VPN/EVPNS",
        "prefix 2001:db8:9::/48 etag 100 rd 65000:1 encap geneve",
        {"type": "IP_PREFIX", "prefix": "2001:db8:9::/48", "gateway": "::", "labels": ["0x000000"]} | ROUTE | SINGLE,
        {"EXT_COMMUNITY": [{"type": "ENCAPSULATION", "value": "GENEVE"}]},
    ),
    (
        "IPV4/FLOWSPEC",
        "match destination 10.0.0.0/24 source 10.1.0.0/16 protocol tcp udp port ==80 &<=90 destination-port >1000 source-port !=5 "
        "icmp-type ==8 icmp-code ==0 tcp-flags =S !A packet-length >=100&<=200 dscp ==46 fragment is-fragment !dont-fragment "
        "then rate-limit 100 as 65000 action sample-terminal mark 46 redirect 65000:7",
        {
            "DST": "10.0.0.0/24",
            "SRC": "10.1.0.0/16",
            "PROTO": [{"op": "==", "val": 6}, {"op": "==", "val": 17}],
            "PORT": [{"op": "==", "val": 80}, {"and": True, "op": "<=", "val": 90}],
            "PORT_DST": [{"op": ">", "val": 1000}],
            "PORT_SRC": [{"op": "!=", "val": 5}],
            "ICMP_TYPE": [{"op": "==", "val": 8}],
            "ICMP_CODE": [{"op": "==", "val": 0}],
            "TCP_FLAGS": [{"op": "ALL", "len": 1, "val": "0x2"}, {"op": "NONE", "len": 1, "val": "0x10"}],
            "PKTLEN": [{"op": ">=", "val": 100}, {"and": True, "op": "<=", "val": 200}],
            "DSCP": [{"op": "==", "val": 46}],
            "FRAG": [{"op": "ANY", "len": 1, "val": "0x2"}, {"op": "NONE", "len": 1, "val": "0x1"}],
        },
        {
            "EXT_COMMUNITY": [
                {"type": "FLOW_RATE_BYTES", "value": f"0x{65000 << 32 | 0x42C80000:x}"},
                {"type": "FLOW_ACTION", "value": "0x3"},
                {"type": "FLOW_DSCP", "value": "0x2e"},
                {"type": "FLOW_REDIRECT_AS2", "value": "65000:7"},
            ]
        },
    ),
    (
        "IPV4/FLOWSPEC",
        "match destination 10.0.1.0/24 then discard redirect 1.4464:7",
        {"DST": "10.0.1.0/24"},
        {"EXT_COMMUNITY": [{"type": "FLOW_RATE_BYTES", "value": "0x0"}, {"type": "FLOW_REDIRECT_AS4", "value": "70000:7"}]},
    ),
    (
        "IPV4/FLOWSPEC",
        "match destination 10.0.2.0/24 then redirect 192.0.2.1:7 action sample",
        {"DST": "10.0.2.0/24"},
        {"EXT_COMMUNITY": [{"type": "FLOW_REDIRECT_IP4", "value": "192.0.2.1:7"}, {"type": "FLOW_ACTION", "value": "0x2"}]},
    ),
    (
        "IPV6/FLOWSPEC",
        "match destination 2001:db8::/32 source 2001:db8:1::/48 0 label ==100000 then redirect 2001:db8::1:7",
        {"DST": "2001:db8::/32", "SRC": "2001:db8:1::/48", "LABEL": [{"op": "==", "val": 100000}]},
        # Its type is of a draft; RFC 8956 section 6.1 has 0x000d.
        {"IPV6_EXT_COMMUNITY": [{"type": "0x800b", "value": "2001:db8::1:7"}]},
    ),
    (
        "IPV4/L3VPN_FLOWSPEC",
        "rd 65000:1 match destination 10.0.0.0/24 then discard rt 65000:2",
        {"rd": "65000:1", "DST": "10.0.0.0/24"},
        {"EXT_COMMUNITY": [{"type": "FLOW_RATE_BYTES", "value": "0x0"}, TARGET]},
    ),
    (
        "IPV6/L3VPN_FLOWSPEC",
        "rd 1.4464:1 match destination 2001:db8::/32 then action terminal rt 65000:2",
        {"rd": "70000:1", "DST": "2001:db8::/32"},
        {"EXT_COMMUNITY": [{"type": "FLOW_ACTION", "value": "0x1"}, TARGET]},
    ),
]

# ---- the daemon -------------------------------------------------------------------------------------------------------


def needed() -> pytest.MarkDecorator:
    there = shutil.which("gobgpd") and shutil.which("gobgp")
    return pytest.mark.skipif(not there, reason="GoBGP is not installed")


def family(name: str) -> str:
    """The part of the neighbor's configuration that has a family, by GoBGP's name for it."""
    return f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "{name}"\n'


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def connected(port: int) -> socket.socket:
    """To a daemon that is about to listen."""
    for _ in range(300):
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        time.sleep(0.1)
    raise AssertionError("the daemon does not listen")


class Daemon:
    """A context manager. folder: where its configuration goes; neighbor: what that has more of the neighbor."""

    def __init__(self, folder: Path, neighbor: str) -> None:
        self.port, self.api = free_port(), free_port()
        path = folder / "gobgp.toml"
        path.write_text(CONFIGURATION.format(asn=ASN, peer=PEER, port=self.port) + neighbor)
        words = ["gobgpd", "-f", str(path), "--api-hosts", f"127.0.0.1:{self.api}", "--pprof-disable"]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.connection: socket.socket | None = None

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.connection is not None:
            self.connection.close()
        self.process.terminate()
        self.process.wait()

    def establish(self, capabilities: dict[str, Any]) -> Open:
        """Set up a session, offering these; its own OPEN."""
        self.connection = connected(self.port)
        self.send(Open(asn=PEER, id="192.0.2.1", capabilities=capabilities).msg)
        theirs = self.receive().open
        assert theirs is not None
        self.connection.sendall(oracle.with_header(oracle.KEEPALIVE, b""))
        assert self.receive().type == "KEEPALIVE"
        return theirs

    def send(self, msg: Msg) -> None:
        assert self.connection is not None
        self.connection.sendall(msg.wire)

    def receive(self) -> Msg:
        """Its next message."""
        head = self._octets(19)
        return Msg(head + self._octets(int.from_bytes(head[16:18]) - 19))

    def _octets(self, count: int) -> bytes:
        assert self.connection is not None
        found = b""
        while len(found) < count:
            part = self.connection.recv(count - len(found))
            assert part, "gobgpd has gone"
            found += part
        return found

    def ask(self, *words: str) -> Any:
        """What its command line tool answers, as JSON."""
        return json.loads(self.run(*words, "-j") or "null")

    def run(self, *words: str) -> str:
        command = ["gobgp", "-u", "127.0.0.1", "-p", str(self.api), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    def received(self, family: str, count: int) -> dict[str, Any]:
        """Its paths of a family from us, by the name of the route, when there are so many. A family as its command has it."""
        for _ in range(100):
            found: dict[str, Any] = self.ask("neighbor", "127.0.0.1", "adj-in", "-a", family)
            if sum(map(len, found.values())) >= count:
                break
            time.sleep(0.1)
        assert sum(map(len, found.values())) == count, family
        return found
