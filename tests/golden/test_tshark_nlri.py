"""NLRI of families without plain prefixes against tshark's dissector, in made messages: each field as its tree of the message has it.

Flow specification is in test_tshark_flowspec.py.

What it does not read is not asked of it: labelled default routes and stacks of more than two labels (it takes them for prefixes that
are too long), EVPN routes 8, 9 and 11 (the first it reads as a draft had it), SAFI 129 without labels, parts of route targets and
those of AS numbers of four octets, VPNv6 with a route distinguisher of an AS number of four octets, IPv6 routers of IPv4 MCAST-VPN
routes, IPv4 next hops of IPv6 ones.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bgpipe
import corpus
import tshark
from bgpipe import Msg, Update
from chance import Chance

pytestmark = tshark.needed()

Json = dict[str, Any]
Lines = list[str]
MESSAGES, MOST = 60, 8


# ---- values ----------------------------------------------------------------------------------------------------------


def labelled(chance: Chance, afi: int) -> Json:
    return {"prefix": "/".join(map(str, chance.prefix(afi))), "labels": chance.labels()}


def vpn(chance: Chance, afi: int) -> Json:
    return {"rd": chance.rd(types=3 if afi == 1 else 2)} | labelled(chance, afi)


def evpn(chance: Chance, _: int) -> Json:
    kind = chance.choice(list(EVPN_TITLES))
    value: Json = {"type": kind, "rd": chance.rd()}
    afi = chance.choice([1, 2])
    if kind in ("ETHERNET_AD", "MAC_IP", "ETHERNET_SEGMENT", "IP_PREFIX", "MEMBERSHIP_REPORT_SYNCH"):
        value["esi"] = f"00:{chance.octets(9)}"
    if kind != "ETHERNET_SEGMENT":
        value["etag"] = chance.randrange(2**32)
    if kind == "MAC_IP":
        value |= {"mac": f"00:{chance.octets(5)}", "ip": chance.ip(afi)}
    if kind in ("INCLUSIVE_MULTICAST", "ETHERNET_SEGMENT"):
        value["originator"] = chance.ip(afi)
    if kind == "IP_PREFIX":
        value |= {"prefix": "/".join(map(str, chance.prefix(afi))), "gateway": chance.ip(afi)}
    if kind in ("SELECTIVE_MULTICAST", "MEMBERSHIP_REPORT_SYNCH", "S_PMSI_AD"):
        value |= {"source": chance.ip(1), "group": chance.ip(1), "originator": chance.ip(1)}
    if kind in ("SELECTIVE_MULTICAST", "MEMBERSHIP_REPORT_SYNCH"):
        value["flags"] = chance.randrange(16)
    if kind in ("ETHERNET_AD", "MAC_IP", "IP_PREFIX"):
        value["labels"] = chance.labels()[: 2 if kind == "MAC_IP" else 1]
    return value


def mcast_vpn(chance: Chance, afi: int) -> Json:
    kind = chance.choice(list(MVPN_TITLES))
    value: Json = {"type": kind, "rd": chance.rd()}
    if kind in ("INTER_AS_I_PMSI_AD", "SHARED_TREE_JOIN", "SOURCE_TREE_JOIN"):
        value["source_as"] = chance.randrange(2**32)
    if kind in ("S_PMSI_AD", "SOURCE_ACTIVE_AD", "SHARED_TREE_JOIN", "SOURCE_TREE_JOIN"):
        value |= {"source": chance.ip(afi), "group": chance.ip(afi)}
    if kind in ("INTRA_AS_I_PMSI_AD", "S_PMSI_AD"):
        value["originator"] = chance.ip(afi)
    return value


def route_target(chance: Chance, _: int) -> Json:
    forms = [f"{chance.randrange(65536)}:{chance.randrange(65536)}", f"{chance.ip(1)}:{chance.randrange(65536)}"]
    return {"origin": chance.randrange(2**32), "target": chance.choice(forms)}


# ---- what tshark says of them ----------------------------------------------------------------------------------------


def number(label: int | str) -> int:
    """Without the traffic class and whether it is the last one, which are there where a label is octets."""
    return label if isinstance(label, int) else int(label, 16) >> 4


def stack(labels: list[int | str]) -> str:
    if labels in (["0x800000"], ["0x000000"]):
        return "0 (withdrawn)"
    return ",".join(str(number(label)) for label in labels) + " (bottom)"


def labelled_lines(value: Json, afi: int) -> Lines:
    between = "" if afi == 1 else ","
    return [f"Label Stack={stack(value['labels'])}{between} IPv{4 if afi == 1 else 6}={value['prefix']}"]


def vpn_lines(value: Json, afi: int) -> Lines:
    labels = value["labels"]
    if afi == 2:
        return [f"Label Stack={stack(labels)} RD={value['rd']}, IPv6={value['prefix']}"]
    address, _, length = value["prefix"].partition("/")
    return [
        f"Prefix Length: {24 * len(labels) + 64 + int(length)}",
        f"Label Stack: {stack(labels)}",
        f"Route Distinguisher: {value['rd']}",
        f"NLRI IPv4 prefix: {address}",
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


def evpn_lines(value: Json, _: int) -> Lines:
    kind = value["type"]
    lines = [f"Route Type: {EVPN_TITLES[kind]}", f"Route Distinguisher: ({value['rd']})"]
    if "esi" in value:
        lines.append(f"ESI: {value['esi']}")
    if "etag" in value:
        lines.append(f"Ethernet Tag ID: {value['etag']}")
    if kind == "MAC_IP":
        lines.append(f"MAC Address: {value['mac']}")
    if "source" in value:
        lines += [f"Multicast Source Address: {value['source']}", f"Multicast Group Address: {value['group']}"]
        lines.append(f"Originator Router Address IPv4: {value['originator']}")
    elif address := value.get("ip") or value.get("originator"):
        lines.append(f"IPv{version(address)} address: {address}")
    if kind == "IP_PREFIX":
        address, _, length = value["prefix"].partition("/")
        lines += [f"IP prefix length: {length}", f"IPv{version(address)} address: {address}"]
        lines.append(f"IPv{version(address)} Gateway address: {value['gateway']}")
        lines.append(f"MPLS Label Stack: {stack(value['labels'])}")
    else:
        lines += [f"MPLS Label {i}: {number(label)}" for i, label in enumerate(value.get("labels", ()), 1)]
    return lines


def version(address: str) -> int:
    return 6 if ":" in address else 4


MVPN_TITLES = {
    "INTRA_AS_I_PMSI_AD": "Intra-AS I-PMSI A-D route (1)",
    "INTER_AS_I_PMSI_AD": "Inter-AS I-PMSI A-D route (2)",
    "S_PMSI_AD": "S-PMSI A-D route (3)",
    "SOURCE_ACTIVE_AD": "Source Active A-D route (5)",
    "SHARED_TREE_JOIN": "Shared Tree Join route (6)",
    "SOURCE_TREE_JOIN": "Source Tree Join route (7)",
}


def mcast_vpn_lines(value: Json, afi: int) -> Lines:
    lines = [f"Route Type: {MVPN_TITLES[value['type']]}", f"Route Distinguisher: {value['rd']}"]
    if "source_as" in value:
        lines.append(f"Source AS: {value['source_as']}")
    if "source" in value:
        group = "Multicast Group Address" if afi == 1 else "Group Address"
        lines += [f"Multicast Source Address: {value['source']}", f"{group}: {value['group']}"]
    if "originator" in value:
        lines.append(f"Originating Router: {value['originator']}")
    return lines


def route_target_lines(value: Json, _: int) -> Lines:
    return [f"Originating AS: {value['origin']}", f"Community Prefix: {value['target']}"]


# Address family, what makes a value, and what tshark says of it.
FAMILIES: dict[str, tuple[int, Callable[[Chance, int], Json], Callable[[Json, int], Lines]]] = {
    "IPV4/MPLS": (1, labelled, labelled_lines),
    "IPV6/MPLS": (2, labelled, labelled_lines),
    "IPV4/MPLS_VPN": (1, vpn, vpn_lines),
    "IPV6/MPLS_VPN": (2, vpn, vpn_lines),
    "L2VPN/EVPNS": (25, evpn, evpn_lines),
    "IPV4/MCAST_VPN": (1, mcast_vpn, mcast_vpn_lines),
    "IPV6/MCAST_VPN": (2, mcast_vpn, mcast_vpn_lines),
    "IPV4/ROUTE_TARGET": (1, route_target, route_target_lines),
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
    name, colon, value = line.removeprefix("MP Reach ").removeprefix("MP Unreach ").partition(": ")
    if name == "Route Distinguisher" and value.endswith(")"):
        value = value[value.index("(") :]
    return name + colon + value


def expected(mp: Json) -> Lines:
    """Of MP_REACH or MP_UNREACH."""
    afi, _, lines = FAMILIES[mp["af"]]
    hop = mp.get("nexthop")
    return [*([f"IPv{version(hop)} Address: {hop}"] if hop else []), *(line for nlri in mp["nlri"] for line in lines(nlri, afi))]


def compare(messages: list[bytes], wanted: list[Lines]) -> None:
    for wire, lines, found in zip(messages, wanted, trees(messages), strict=True):
        shown = [normal(line) for line in found]
        assert not [line for line in shown if "Malformed" in line], wire.hex()
        rest = iter(shown)
        missing = next((line for line in lines if line not in rest), None)
        assert missing is None, (missing, lines, shown)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_field(family: str) -> None:
    afi, make, _ = FAMILIES[family]
    chance = Chance(family)
    messages, wanted = [], []
    for _ in range(MESSAGES):
        hop = chance.ip(2 if afi == 2 else chance.choice([1, 2]))
        reach = {"af": family, "nexthop": hop, "nlri": [make(chance, afi) for _ in range(chance.randrange(1, MOST))]}
        view = Update(mp_reach=reach, origin="IGP")
        assert view.mp_reach is not None
        assert view.mp_reach.nlri == reach["nlri"]
        messages.append(view.msg.wire)
        wanted.append(expected(reach))
    compare(messages, wanted)


# ---- messages of others ----------------------------------------------------------------------------------------------


def read_otherwise(mp: Json) -> bool:
    """Whether tshark reads it in its own way; see above."""
    if mp["af"] == "IPV6/MCAST_VPN":
        return "." in mp.get("nexthop", "")
    heads = [nlri["rd"].partition(":")[0] for nlri in mp["nlri"] if mp["af"] == "IPV6/MPLS_VPN"]
    return any(head.isdigit() and int(head) > 65535 for head in heads)


def of_these_families(message: Msg) -> list[Json]:
    """MP_REACH and MP_UNREACH with NLRI of FAMILIES."""
    if message.error is not None or message.update is None or len(message.wire) > 4096:
        return []
    data = json.loads(message.to_json())[4]
    attrs = data.get("attrs", {}) if isinstance(data, dict) else {}
    found = [attrs[name]["value"] for name in ("MP_REACH", "MP_UNREACH") if name in attrs]
    return [mp for mp in found if isinstance(mp, dict) and mp["af"] in FAMILIES and mp.get("nlri")]


def others() -> Iterator[tuple[str, Msg]]:
    """Messages of other implementations' tests, of routers that speak BMP, and of archives."""
    for source, wire in corpus.messages():
        if int.from_bytes(wire[16:18]) == len(wire):
            yield source, Msg(wire)
    for folder in ("bmp", "mrt"):
        for name in corpus.names(folder):
            for message in itertools.islice(bgpipe.read(str(corpus.folder() / folder / name), pardon=True, recover=True), 2000):
                yield name, message


def test_messages_of_others() -> None:
    messages, wanted, sources = [], [], set()
    for source, message in others():
        parts = of_these_families(message)
        if parts and not any(read_otherwise(mp) for mp in parts):
            messages.append(message.wire)
            wanted.append([line for mp in parts for line in expected(mp)])
            sources.add((source, parts[0]["af"]))
    assert len(messages) > 500
    assert {family for _, family in sources} == set(FAMILIES)
    compare(messages, wanted)
