"""NLRI of families without plain prefixes against tshark's dissector, in made messages: each field as its tree of the message has it.

Flow specification is in test_tshark_flowspec.py.

What it does not read is not asked of it: labelled default routes and stacks of more than two labels (it takes them for prefixes that
are too long), EVPN routes 8, 9 and 11 (the first it reads as a draft had it), SAFI 129 without labels, parts of route targets and
those of AS numbers of four octets, VPNv6 with a route distinguisher of an AS number of four octets, IPv6 routers of IPv4 MCAST-VPN
routes.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tshark
from bgpipe import Update
from chance import Chance

pytestmark = tshark.needed()

Json = dict[str, Any]
Lines = list[str]
MESSAGES, MOST = 60, 8


def labelled(chance: Chance, afi: int) -> tuple[Json, Lines]:
    address, length = chance.prefix(afi)
    labels = chance.labels()
    between = "" if afi == 1 else ","
    text = ",".join(map(str, labels))
    line = f"Label Stack={text} (bottom){between} IPv{4 if afi == 1 else 6}={address}/{length}"
    return {"prefix": f"{address}/{length}", "labels": labels}, [line]


def vpn(chance: Chance, afi: int) -> tuple[Json, Lines]:
    address, length = chance.prefix(afi)
    rd, labels = chance.rd(types=3 if afi == 1 else 2), chance.labels()
    value = {"rd": rd, "prefix": f"{address}/{length}", "labels": labels}
    stack = ",".join(map(str, labels))
    if afi == 2:
        return value, [f"Label Stack={stack} (bottom) RD={rd}, IPv6={address}/{length}"]
    bits = 24 * len(labels) + 64 + length
    return value, [
        f"Prefix Length: {bits}",
        f"Label Stack: {stack} (bottom)",
        f"Route Distinguisher: {rd}",
        f"MP Reach NLRI IPv4 prefix: {address}",
    ]


EVPN_TITLES = {
    "ETHERNET_AD": "Ethernet AD Route (1)",
    "MAC_IP": "MAC Advertisement Route (2)",
    "INCLUSIVE_MULTICAST": "Inclusive Multicast Route (3)",
    "ETHERNET_SEGMENT": "Ethernet Segment Route (4)",
    "IP_PREFIX": "IP Prefix route (5)",
    "SELECTIVE_MULTICAST": "Selective Multicast Ethernet Tag Route (6)",
    "MEMBERSHIP_REPORT_SYNCH": "IGMP Join Synch Route (7)",
    "S_PMSI_AD": "S-PMSI A-D Route (10)",
}


def evpn(chance: Chance, _: int) -> tuple[Json, Lines]:
    kind = chance.choice(list(EVPN_TITLES))
    value: Json = {"type": kind, "rd": chance.rd()}
    lines = [f"Route Type: {EVPN_TITLES[kind]}", f"Route Distinguisher: ({value['rd']})"]
    afi = chance.choice([1, 2])
    if kind in ("ETHERNET_AD", "MAC_IP", "ETHERNET_SEGMENT", "IP_PREFIX", "MEMBERSHIP_REPORT_SYNCH"):
        value["esi"] = f"00:{chance.octets(9)}"
        lines.append(f"ESI: {value['esi']}")
    if kind != "ETHERNET_SEGMENT":
        value["etag"] = chance.randrange(2**32)
        lines.append(f"Ethernet Tag ID: {value['etag']}")
    if kind == "MAC_IP":
        value |= {"mac": f"00:{chance.octets(5)}", "ip": chance.ip(afi)}
        lines += [f"MAC Address: {value['mac']}", f"IPv{2 + 2 * afi} address: {value['ip']}"]
    if kind in ("INCLUSIVE_MULTICAST", "ETHERNET_SEGMENT"):
        value["originator"] = chance.ip(afi)
        lines.append(f"IPv{2 + 2 * afi} address: {value['originator']}")
    if kind == "IP_PREFIX":
        address, length = chance.prefix(afi)
        value |= {"prefix": f"{address}/{length}", "gateway": chance.ip(afi)}
        version = 2 + 2 * afi
        lines += [f"IP prefix length: {length}", f"IPv{version} address: {address}"]
        lines.append(f"IPv{version} Gateway address: {value['gateway']}")
    if kind in ("SELECTIVE_MULTICAST", "MEMBERSHIP_REPORT_SYNCH", "S_PMSI_AD"):
        value |= {"source": chance.ip(1), "group": chance.ip(1), "originator": chance.ip(1)}
        lines += [f"Multicast Source Address: {value['source']}", f"Multicast Group Address: {value['group']}"]
        lines.append(f"Originator Router Address IPv4: {value['originator']}")
    if kind in ("SELECTIVE_MULTICAST", "MEMBERSHIP_REPORT_SYNCH"):
        value["flags"] = chance.randrange(16)
    if kind in ("ETHERNET_AD", "MAC_IP", "IP_PREFIX"):
        value["labels"] = chance.labels()[: 2 if kind == "MAC_IP" else 1]
        if kind != "IP_PREFIX":
            lines += [f"MPLS Label {i}: {label}" for i, label in enumerate(value["labels"], 1)]
        else:
            lines.append(f"MPLS Label Stack: {value['labels'][0]} (bottom)")
    return value, lines


MVPN_TITLES = {
    "INTRA_AS_I_PMSI_AD": "Intra-AS I-PMSI A-D route (1)",
    "INTER_AS_I_PMSI_AD": "Inter-AS I-PMSI A-D route (2)",
    "S_PMSI_AD": "S-PMSI A-D route (3)",
    "SOURCE_ACTIVE_AD": "Source Active A-D route (5)",
    "SHARED_TREE_JOIN": "Shared Tree Join route (6)",
    "SOURCE_TREE_JOIN": "Source Tree Join route (7)",
}


def mcast_vpn(chance: Chance, afi: int) -> tuple[Json, Lines]:
    kind = chance.choice(list(MVPN_TITLES))
    value: Json = {"type": kind, "rd": chance.rd()}
    lines = [f"Route Type: {MVPN_TITLES[kind]}", f"Route Distinguisher: {value['rd']}"]
    if kind in ("INTER_AS_I_PMSI_AD", "SHARED_TREE_JOIN", "SOURCE_TREE_JOIN"):
        value["source_as"] = chance.randrange(2**32)
        lines.append(f"Source AS: {value['source_as']}")
    if kind in ("S_PMSI_AD", "SOURCE_ACTIVE_AD", "SHARED_TREE_JOIN", "SOURCE_TREE_JOIN"):
        value |= {"source": chance.ip(afi), "group": chance.ip(afi)}
        group = "Multicast Group Address" if afi == 1 else "Group Address"
        lines += [f"Multicast Source Address: {value['source']}", f"{group}: {value['group']}"]
    if kind in ("INTRA_AS_I_PMSI_AD", "S_PMSI_AD"):
        value["originator"] = chance.ip(afi)
        lines.append(f"Originating Router: {value['originator']}")
    return value, lines


def route_target(chance: Chance, _: int) -> tuple[Json, Lines]:
    target = chance.choice([f"{chance.randrange(65536)}:{chance.randrange(65536)}", f"{chance.ip(1)}:{chance.randrange(65536)}"])
    origin = chance.randrange(2**32)
    return {"origin": origin, "target": target}, [f"Originating AS: {origin}", f"Community Prefix: {target}"]


FAMILIES: dict[str, tuple[int, Callable[[Chance, int], tuple[Json, Lines]]]] = {
    "IPV4/MPLS": (1, labelled),
    "IPV6/MPLS": (2, labelled),
    "IPV4/MPLS_VPN": (1, vpn),
    "IPV6/MPLS_VPN": (2, vpn),
    "L2VPN/EVPNS": (25, evpn),
    "IPV4/MCAST_VPN": (1, mcast_vpn),
    "IPV6/MCAST_VPN": (2, mcast_vpn),
    "IPV4/ROUTE_TARGET": (1, route_target),
}


def trees(messages: list[bytes]) -> list[Lines]:
    """What tshark says of each message, line by line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "messages.pcap"
        path.write_bytes(tshark.pcap(messages))
        command = ["tshark", "-r", str(path), "-n", "-V", "-O", "bgp"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [[line.strip() for line in part.splitlines()] for part in text.split("\nFrame ")]


def normal(line: str) -> str:
    """Without the octets that it shows beside a value."""
    line = line.partition(".... = ")[2] or line
    name, colon, value = line.partition(": ")
    if name == "Route Distinguisher" and value.endswith(")"):
        value = value[value.index("(") :]
    return name + colon + value


@pytest.mark.parametrize("family", FAMILIES)
def test_each_field(family: str) -> None:
    afi, make = FAMILIES[family]
    chance = Chance(family)
    messages, expected = [], []
    for _ in range(MESSAGES):
        hop = chance.ip(2 if afi == 2 else chance.choice([1, 2]))
        made = [make(chance, afi) for _ in range(chance.randrange(1, MOST))]
        nlri = [value for value, _ in made]
        view = Update(mp_reach={"af": family, "nexthop": hop, "nlri": nlri}, origin="IGP")
        assert view.mp_reach is not None
        assert view.mp_reach.nlri == nlri
        messages.append(view.msg.wire)
        expected.append([f"IPv{6 if ':' in hop else 4} Address: {hop}", *(line for _, lines in made for line in lines)])
    for lines, found in zip(expected, trees(messages), strict=True):
        shown = [normal(line) for line in found]
        assert not [line for line in shown if "Malformed" in line]
        rest = iter(shown)
        missing = next((line for line in lines if line not in rest), None)
        assert missing is None, (missing, lines, shown)
