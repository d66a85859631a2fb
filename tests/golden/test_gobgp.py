"""UPDATEs against GoBGP's daemon: what it reads in those that we make, and what we read in those that it makes.

What it cannot be asked (version 3.10): EVPN routes but 1 to 5 and extended communities of EVPN but the first four, which it takes for
errors; the default of route targets, E-Tree information and tunnels of SR policies, which end it; parts of IPv6 addresses in flows,
which it does not read. MCAST-VPN it does not have.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gobgp
from bgpipe import SessionContext, Update, names
from chance import BITS, Chance
from oracle_flowspec import operation

pytestmark = gobgp.needed()

Json = Any
OTHERS = [family for family in gobgp.FAMILIES if family != "IPV4/UNICAST"]
ROUTES = 12  # of each family


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gobgp.Daemon]:
    neighbor = "".join(gobgp.family(name) for name, _ in gobgp.FAMILIES.values())
    with gobgp.Daemon(tmp_path_factory.mktemp("gobgp"), neighbor) as made:
        made.establish({"MP": list(gobgp.FAMILIES), "AS4": gobgp.PEER})
        yield made


# ---- NLRI that we make -----------------------------------------------------------------------------------------------

ESI = "ESI_ARBITRARY | "  # what it calls an ESI of type 0


def distinguisher(text: str) -> Json:
    head, _, assigned = text.partition(":")
    if "." in head:
        return {"type": 1, "admin": head, "assigned": int(assigned)}
    return {"type": 2 if int(head) > 65535 else 0, "admin": int(head), "assigned": int(assigned)}


def label_field(label: int) -> int:
    """Its labels of EVPN are all 24 bits: behind the label is the end of the stack."""
    return label << 4 | 1


def labelled(chance: Chance, family: str) -> tuple[Json, Json]:
    prefix = "/".join(map(str, chance.prefix(1 if family.startswith("IPV4") else 2)))
    value = {"prefix": prefix, "labels": chance.labels()}
    if family.endswith("VPN"):
        rd = chance.rd()
        return {"rd": rd} | value, value | {"rd": distinguisher(rd)}
    return value, value


def evpn(chance: Chance, _: str) -> tuple[Json, Json]:
    kind, afi = chance.randrange(1, 6), chance.choice([1, 2])
    value: Json = {"type": names.EVPN_ROUTES[kind], "rd": chance.rd()}
    said: Json = {"rd": distinguisher(value["rd"])}
    if kind != 3:
        value["esi"] = f"00:{chance.octets(9)}"
        said["esi"] = ESI + value["esi"][3:]
    if kind != 4:
        value["etag"] = said["etag"] = chance.randrange(2**32)
    labels = [chance.randrange(16, 2**20) for _ in range(chance.choice([1, 2]) if kind == 2 else 1)]
    match kind:
        case 1:
            said["label"] = label_field(labels[0])
        case 2:
            value |= {"mac": chance.octets(6), "ip": chance.ip(afi)}
            said |= {"mac": value["mac"], "ip": value["ip"], "labels": [label_field(label) for label in labels]}
        case 3 | 4:
            value["originator"] = said["ip"] = chance.ip(afi)
        case 5:
            value |= {"prefix": "/".join(map(str, chance.prefix(afi))), "gateway": chance.ip(afi)}
            said |= {"prefix": value["prefix"], "gateway": value["gateway"], "label": label_field(labels[0])}
    if kind in (1, 2, 5):
        value["labels"] = labels
    return value, {"type": kind, "value": said}


def dotted(asn: int) -> str:
    """As it writes AS numbers of four octets in texts."""
    return f"{asn >> 16}.{asn & 0xFFFF}"


def route_target(chance: Chance, _: str) -> tuple[Json, Json]:
    origin, high, low = chance.randrange(2**32), chance.randrange(65536, 2**32), chance.randrange(2**16)
    texts = {f"{low}:{high}": f"{low}:{high}", f"{high}:{low}": f"{dotted(high)}:{low}"}
    texts |= {(text := f"{chance.ip(1)}:{low}"): text}
    target = chance.choice(list(texts))
    return {"origin": origin, "target": target}, {"prefix": f"{origin}:{texts[target]}"}


def rule(chance: Chance, family: str) -> tuple[Json, Json]:
    made = chance.rule(family)
    if family.startswith("IPV6"):
        made["LABEL"] = [{"op": "==", "val": chance.randrange(65536, 2**20)}]
    codes = {name: code for code, name in names.FLOW_COMPONENTS.items()}
    parts: list[Json] = []
    for name, value in made.items():
        if name in ("DST", "SRC"):
            offset = {"offset": 0} if family.startswith("IPV6") else {}
            parts.append({"type": codes[name], "value": {"prefix": value}} | offset)
        elif name != "rd":
            tests = [operation(test, name in BITS, test is value[-1]) for test in value]
            parts.append({"type": codes[name], "value": [{"op": op, "value": int.from_bytes(octets)} for op, octets in tests]})
    return made, {"value": parts} | ({"rd": distinguisher(made["rd"])} if "rd" in made else {})


MAKERS: dict[str, Callable[[Chance, str], tuple[Json, Json]]] = {
    "L2VPN/EVPNS": evpn,
    "IPV4/ROUTE_TARGET": route_target,
    **{family: labelled for family in OTHERS if "MPLS" in family},
    **{family: rule for family in OTHERS if "FLOWSPEC" in family},
}


@pytest.mark.parametrize("family", OTHERS)
def test_nlri_as_gobgp_reads_it(daemon: gobgp.Daemon, family: str) -> None:
    """With next hop, path and communities."""
    chance = Chance(family)
    expected, found = {}, {}
    for number in range(ROUTES):
        nlri, said = MAKERS[family](chance, family)
        flow = "FLOWSPEC" in family
        hop = chance.ip(2 if family.startswith("IPV6") else 1)
        asn, more = chance.randrange(1, 2**32), [chance.randrange(2**32) for _ in range(3)]
        reach = {"af": family, "rules": [nlri]} if flow else {"af": family, "nexthop": hop, "nlri": [nlri]}
        path = [gobgp.PEER, asn]
        lists: Json = {"communities": [f"65001:{number}"], "large_communities": [":".join(map(str, more))]}
        daemon.send(Update(mp_reach=reach, as_path=path, origin="IGP", **lists).msg)
        if flow:
            hop = "::" if family.startswith("IPV6") else "0.0.0.0"
        large = [dict(zip(("ASN", "LocalData1", "LocalData2"), more, strict=True))]
        expected[65001 << 16 | number] = said, path, large, hop
    for routes in daemon.received(gobgp.FAMILIES[family][1], ROUTES).values():
        assert len(routes) == 1
        attrs = {attr["type"]: attr for attr in routes[0]["attrs"]}
        path = [asn for segment in attrs[2]["as_paths"] for asn in segment["asns"]]
        found[attrs[8]["communities"][0]] = routes[0]["nlri"], path, attrs[32]["value"], attrs[14]["nexthop"]
    assert found == expected


ADDPATH = "[neighbors.afi-safis.add-paths.config]\nreceive = true\n"
# Not IPv4 unicast: with that it looks for path ids in the prefixes of flows, too. It has none for route targets.
WITH_PATHS = [family for family in OTHERS if family != "IPV4/ROUTE_TARGET"]


def test_path_ids_as_gobgp_reads_them(tmp_path: Path) -> None:
    """RFC 7911: of each NLRI two paths, in one message."""
    neighbor = "".join(gobgp.family(gobgp.FAMILIES[family][0]) + ADDPATH for family in WITH_PATHS)
    with gobgp.Daemon(tmp_path, neighbor) as daemon:
        offered = [f"{family}/SEND" for family in WITH_PATHS]
        daemon.establish({"MP": WITH_PATHS, "AS4": gobgp.PEER, "ADDPATH": offered})
        for family in WITH_PATHS:
            chance = Chance(f"paths of {family}")
            made = [MAKERS[family](chance, family) for _ in range(3)]
            values = [{"path_id": path_id} | nlri for nlri, _ in made for path_id in (7, 2**32 - 1)]
            hop = chance.ip(2 if family.startswith("IPV6") else 1)
            reach = {"af": family, "rules": values} if "FLOWSPEC" in family else {"af": family, "nexthop": hop, "nlri": values}
            context = SessionContext(addpath=[family])
            daemon.send(Update(mp_reach=reach, as_path=[gobgp.PEER], origin="IGP", context=context).msg)
            found = daemon.received(gobgp.FAMILIES[family][1], len(values))
            said = [path["nlri"] for paths in found.values() for path in paths]
            assert sorted(map(as_text, said)) == sorted(as_text(each) for _, each in made for _ in range(2)), family


def as_text(value: Json) -> str:
    return json.dumps(value, sort_keys=True)


# ---- attributes that we make -----------------------------------------------------------------------------------------


def octets(text: str) -> str:
    """As it has what it does not read: in base 64."""
    return base64.b64encode(bytes.fromhex(text)).decode()


def community(name: str, value: str, said: Json, *, nontransitive: bool = False) -> tuple[str, Json, Json]:
    kind = next(kind for kind, text in names.EXT_COMMUNITIES.items() if text == name)
    ours = {"type": name, "value": value} | ({"nontransitive": True} if nontransitive else {})
    head = {"type": kind >> 8 | 0x40 * nontransitive, "subtype": kind & 0xFF}
    return "EXT_COMMUNITY", [ours], {"type": 16, "value": [head | said]}


def opaque(name: str, value: str) -> tuple[str, Json, Json]:
    """One that it does not read: the octets behind the type."""
    kind = next(kind for kind, text in names.EXT_COMMUNITIES.items() if text == name)
    return community(name, f"0x{int(value, 16):x}", {"value": octets(f"{kind & 0xFF:02x}{value}")})


def ipv6_community(name: str) -> tuple[str, Json, Json]:
    kind = next(kind for kind, text in names.IPV6_EXT_COMMUNITIES.items() if text == name)
    said = {"type": kind >> 8, "subtype": kind & 0xFF, "value": "2001:db8::5:100"}
    return "IPV6_EXT_COMMUNITY", [{"type": name, "value": "2001:db8::5:100"}], {"type": 25, "value": [said]}


def tunnel(kind: str, sub: str, value: Json, said: Json) -> tuple[str, Json, Json]:
    codes = [
        next(code for code, text in table.items() if text == name)
        for table, name in ((names.TUNNEL_TYPES, kind), (names.TUNNEL_TLVS, sub))
    ]
    theirs = {"type": codes[0], "value": [{"type": codes[1]} | said]}
    return "TUNNEL", [{"type": kind, "value": [{"type": sub, "value": value}]}], {"type": 23, "value": [theirs]}


def pmsi(kind: str, identifier: str) -> tuple[str, Json, Json]:
    """It shows labels as the 24 bits that they are in."""
    code = next(code for code, text in names.PMSI_TUNNELS.items() if text == kind)
    said = {"type": 22, "is-leaf-info-required": True, "tunnel-type": code, "label": 10000, "tunnel-id": identifier}
    return "PMSI_TUNNEL", {"flags": "L", "type": kind, "label": 625, "vni": 10000, "id": identifier}, said


STRUCTURE = {"block": 40, "node": 24, "function": 16, "argument": 0, "transposition_length": 16, "transposition_offset": 64}
THEIR_STRUCTURE = {
    "locator_block_length": 40,
    "locator_node_length": 24,
    "function_length": 16,
    "argument_length": 0,
    "transposition_length": 16,
    "transposition_offset": 64,
}
SERVICE = {"sid": "2001:db8::1", "flags": "", "behavior": "END_DT4", "tlvs": [{"type": "SID_STRUCTURE", "value": STRUCTURE}]}
THEIR_SERVICE = {
    "type": 1,
    "sid": octets(ipaddress.ip_address("2001:db8::1").packed.hex()),
    "flags": 0,
    "endpoint_behavior": 19,
    "sub_sub_tlvs": [{"type": 1} | THEIR_STRUCTURE],
}
# Name, our value, and what it says of it.
ATTRIBUTES: list[tuple[str, Json, Json]] = [
    ("AIGP", 2**64 - 1, {"type": 26, "value": [{"type": 1, "metric": 2**64 - 1}]}),
    ("LARGE_COMMUNITY", ["4294967295:1:2"], {"type": 32, "value": [{"ASN": 2**32 - 1, "LocalData1": 1, "LocalData2": 2}]}),
    pmsi("INGRESS_REPLICATION", "192.0.2.1"),
    pmsi("INGRESS_REPLICATION", "2001:db8::1"),
    tunnel("L2TPV3", "ENCAPSULATION", {"session": 7, "cookie": "0x0102"}, {"key": 7, "cookie": octets("0102")}),
    tunnel("GRE", "ENCAPSULATION", 7, {"key": 7, "cookie": None}),
    tunnel("MPLS_IN_GRE", "ENCAPSULATION", 7, {"key": 7, "cookie": None}),
    tunnel("GRE", "PROTOCOL_TYPE", 2048, {"protocol": 2048}),
    tunnel("VXLAN", "COLOR", 100, {"color": 100}),
    tunnel("VXLAN", "EGRESS_ENDPOINT", "192.0.2.1", {"address": "192.0.2.1"}),
    tunnel("VXLAN", "EGRESS_ENDPOINT", "2001:db8::1", {"address": "2001:db8::1"}),
    tunnel("VXLAN", "UDP_DESTINATION_PORT", 4789, {"port": 4789}),
    tunnel("MPLS", "LOAD_BALANCING_BLOCK", 24, {"value": octets("0018")}),
    tunnel("GENEVE", "SPI_SI", {"spi": 7, "si": 5}, {"value": octets("00000705")}),
    (
        "PREFIX_SID",
        [{"type": "SRV6_L3_SERVICE", "value": [{"type": "SID_INFORMATION", "value": SERVICE}]}],
        {"type": 40, "flags": 192, "TLVs": [{"type": 5, "SubTLVs": [THEIR_SERVICE]}]},
    ),
    *map(ipv6_community, names.IPV6_EXT_COMMUNITIES.values()),
    *(
        community(name, text, {"value": text.replace("70000", dotted(70000))})
        for kind, name in names.EXT_COMMUNITIES.items()
        for text in [{0: "65000:4294967295", 1: "192.0.2.1:100", 2: "70000:100"}.get(kind >> 8 & 0x7F, "")]
        if text and name not in ("LINK_BANDWIDTH", "FLOW_RATE_BYTES", "FLOW_ACTION", "FLOW_DSCP", "FLOW_RATE_PACKETS")
        and not name.startswith(("LAYER2", "ETREE"))
    ),
    community("LINK_BANDWIDTH", "65000:125000000", {"asn": 65000, "bandwidth": 125000000}, nontransitive=True),
    community("VALIDATION_STATE", "INVALID", {"value": 2}, nontransitive=True),
    community("COLOR", "100", {"color": 100}),
    community("ENCAPSULATION", "VXLAN", {"tunnel_type": 8}),
    community("DEFAULT_GATEWAY", "0x0", {}),
    community("MAC_MOBILITY", "5", {"sequence": 5, "is_sticky": False}),
    community("MAC_MOBILITY", "STICKY:5", {"sequence": 5, "is_sticky": True}),
    community("ESI_LABEL", "ALL_ACTIVE:100", {"label": 1600, "is_single_active": False}),
    community("ESI_LABEL", "SINGLE_ACTIVE:100", {"label": 1600, "is_single_active": True}),
    community("ES_IMPORT", "00:11:22:33:44:55", {"value": "00:11:22:33:44:55"}),
    community("ROUTERS_MAC", "00:11:22:33:44:55", {"mac": "00:11:22:33:44:55"}),
    community("FLOW_RATE_BYTES", f"0x{65000 << 32 | 0x42C80000:x}", {"as": 65000, "rate": 100}),
    community("FLOW_ACTION", "0x1", {"terminal": True, "sample": False}),
    community("FLOW_ACTION", "0x2", {"terminal": False, "sample": True}),
    community("FLOW_DSCP", "0x2e", {"value": 46}),
    *(opaque(name, "010203040506") for name in ("FLOW_RATE_PACKETS", "FLOW_REDIRECT_NH", "LAYER2_INFO", "PMSI_TUNNEL_FLAGS")),
]
FIRST = {1, 2, 3}  # types of attributes that each of the routes has


def test_attributes_as_gobgp_reads_them(daemon: gobgp.Daemon) -> None:
    for number, (name, value, _) in enumerate(ATTRIBUTES):
        message = Update(announce=[f"10.0.{number}.0/24"], next_hop="192.0.2.9", as_path=[gobgp.PEER], attrs={name: value}).msg
        assert json.loads(message.to_json())[4]["attrs"][name]["value"] == value
        daemon.send(message)
    found = daemon.received("ipv4", len(ATTRIBUTES))
    for number, (name, value, said) in enumerate(ATTRIBUTES):
        attrs = [attr for attr in found[f"10.0.{number}.0/24"][0]["attrs"] if attr["type"] not in FIRST]
        assert attrs == [said], (name, value)


# ---- what it makes ---------------------------------------------------------------------------------------------------

ALWAYS = {"ORIGIN": "INCOMPLETE", "ASPATH": [gobgp.ASN]}
HOPS = {"IPV4": "127.0.0.1", "IPV6": "::ffff:127.0.0.1", "L2VPN": "127.0.0.1"}


def test_what_gobgp_sends(tmp_path: Path) -> None:
    """Without route targets: it would wait for those of a peer that offers them."""
    offered = [family for family in gobgp.FAMILIES if family != "IPV4/ROUTE_TARGET"]
    with gobgp.Daemon(tmp_path, "".join(gobgp.family(gobgp.FAMILIES[family][0]) for family in offered)) as daemon:
        daemon.establish({"MP": offered, "AS4": gobgp.PEER})
        for family, words, nlri, attrs in gobgp.COMMANDS:
            daemon.run("global", "rib", "add", "-a", gobgp.FAMILIES[family][1], *words.split())
            message = daemon.receive()
            shown = json.loads(message.to_json())[4]["attrs"]
            flow = {"rules": [nlri]}
            reach = flow if "FLOWSPEC" in family else {"nexthop": HOPS[family.partition("/")[0]], "nlri": [nlri]}
            expected = ALWAYS | attrs | {"MP_REACH": {"af": family} | reach}
            assert {name: attr["value"] for name, attr in shown.items()} == expected, words
