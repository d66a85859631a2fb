"""Values of attributes that are made of TLVs, numbers and addresses: octets, and the JSON that they are.

Written by hand from the RFCs, but for those with the name of the project whose tests have them.
"""

from __future__ import annotations

from typing import Any

V6 = "2001 0db8 0000 0000 0000 0000 0000 0001"


def tlv(kind: str, value: str, length: int = 2) -> str:
    return f"{kind} {len(bytes.fromhex(value)):0{2 * length}x} {value}"


def tunnel(kind: str, *sub: str) -> str:
    return tlv(kind, " ".join(sub))


def subs(*entries: tuple[Any, Any], kind: Any = "GENEVE") -> list[Any]:
    return [{"type": kind, "value": [{"type": name, "value": value} for name, value in entries]}]


def label(three: int) -> dict[str, int]:
    return {"label": three >> 4, "vni": three}


def pmsi(kind: Any, three: int = 0, flags: str = "", **more: Any) -> dict[str, Any]:
    return {"flags": flags, "type": kind} | label(three) | more


def sid(behavior: Any, **more: Any) -> dict[str, Any]:
    return {"sid": "2001:db8::1", "flags": "", "behavior": behavior} | more


STRUCTURE = {
    "block": 40,
    "node": 24,
    "function": 16,
    "argument": 0,
    "transposition_length": 16,
    "transposition_offset": 64,
}
SID = f"00 {V6} 00 0013 00"
HEADLESS = {"block": 40, "node": 24, "function": 16, "argument": 0}

# Name, flags and type of the attribute, its value, and that in JSON.
PMSI_TUNNELS: list[tuple[str, str, Any]] = [
    ("without information", "00 00 000000", pmsi("NO_TUNNEL")),
    ("of RSVP-TE", "01 01 000640 c0000201 0000 0005 00000007", pmsi("RSVP_TE_P2MP", 1600, "L", id={"extended_tunnel": "192.0.2.1", "tunnel": 5, "p2mp": 7})),
    ("of RSVP-TE and IPv6", f"00 01 000640 {V6} 0000 0005 00000007", pmsi("RSVP_TE_P2MP", 1600, id={"extended_tunnel": "2001:db8::1", "tunnel": 5, "p2mp": 7})),
    ("of RSVP-TE with reserved bits", "00 01 000640 c0000201 0001 0005 00000007", pmsi("RSVP_TE_P2MP", 1600, id="0xc00002010001000500000007")),
    ("of mLDP", "00 02 000000 06 0001 04 c0000201 0007 01 0004 00000064", pmsi("MLDP_P2MP", id={"fec": 6, "root": "192.0.2.1", "opaque": "0x01000400000064"})),
    ("of mLDP and IPv6", f"00 07 000000 07 0002 10 {V6} 0000", pmsi("MLDP_MP2MP", id={"fec": 7, "root": "2001:db8::1", "opaque": "0x"})),
    ("of mLDP with a tail", "00 02 000000 06 0001 04 c0000201 0000 00", pmsi("MLDP_P2MP", id="0x06000104c0000201000000")),
    ("of PIM-SSM", "00 03 000000 c0000201 e8000001", pmsi("PIM_SSM", id={"source": "192.0.2.1", "group": "232.0.0.1"})),
    ("of PIM-SM and IPv6", f"00 04 000000 {V6} {V6}", pmsi("PIM_SM", id={"source": "2001:db8::1", "group": "2001:db8::1"})),
    ("of ingress replication and VXLAN", "00 06 002710 c0000201", pmsi("INGRESS_REPLICATION", 10000, id="192.0.2.1")),
    ("of ingress replication without an address", "00 06 002710", pmsi("INGRESS_REPLICATION", 10000)),
    ("of ingress replication with half an address", "00 06 002710 c000", pmsi("INGRESS_REPLICATION", 10000, id="0xc000")),
    ("of assisted replication", "1a 0a 000011 c0000201", pmsi("ASSISTED_REPLICATION", 17, "U24", id="192.0.2.1")),
    ("of BIER", "40 0b 000011 05 0010 c0000201", pmsi("BIER", 17, "E", id={"subdomain": 5, "bfr": 16, "prefix": "192.0.2.1"})),
    ("without a name", "80 63 000011 0102", pmsi(99, 17, "128", id="0x0102")),
    ("of zebra-rs", "00 06 000226 00000000", pmsi("INGRESS_REPLICATION", 550, id="0.0.0.0")),
]
TUNNELS: list[tuple[str, str, Any]] = [
    ("without sub-TLVs", "0013 0000", [{"type": "GENEVE", "value": []}]),
    ("of ExaBGP", "000f00240c060000000000640d06100005dc01008000110009060000000000010106000003e81100", subs(
        ("PREFERENCE", {"flags": "", "preference": 100}),
        ("BINDING_SID", {"flags": "16", "label": 24000, "tc": 0, "s": 1, "ttl": 0}),
        ("SEGMENT_LIST", [
            {"type": "WEIGHT", "value": {"flags": "", "weight": 1}},
            {"type": "A", "value": {"flags": "", "entry": {"label": 16001, "tc": 0, "s": 1, "ttl": 0}}},
        ]), kind="SR_POLICY")),
    ("of two types", tunnel("0002", "01 04 00000007") + tunnel("0063"), [*subs(("ENCAPSULATION", 7), kind="GRE"), {"type": 99, "value": []}]),
    ("of L2TPv3", tunnel("0001", "01 05 00000007 ff"), subs(("ENCAPSULATION", {"session": 7, "cookie": "0xff"}), kind="L2TPV3")),
    ("of VXLAN", tunnel("0008", "01 0c c0 002710 001122334455 0000"), subs(("ENCAPSULATION", {"flags": "VM", "vni": 10000, "mac": "00:11:22:33:44:55"}), kind="VXLAN")),
    ("of NVGRE with reserved bits", tunnel("0009", "01 0c c0 002710 001122334455 0001"), subs(("ENCAPSULATION", "0xc00027100011223344550001"), kind="NVGRE")),
    ("of MPLS in GRE", tunnel("000b", "01 04 00000007"), subs(("ENCAPSULATION", 7), kind="MPLS_IN_GRE")),
    ("with an encapsulation that has none", tunnel("0013", "01 01 07"), subs(("ENCAPSULATION", "0x07"))),
    ("with numbers", tunnel("0013", "02 02 0800", "05 02 0018", "07 01 2e", "08 02 17c1", "09 01 01"), subs(
        ("PROTOCOL_TYPE", 2048), ("LOAD_BALANCING_BLOCK", 24), ("DS_FIELD", 46), ("UDP_DESTINATION_PORT", 6081), ("EMBEDDED_LABEL", 1))),
    ("with a number too short", tunnel("0013", "08 01 17"), subs(("UDP_DESTINATION_PORT", "0x17"))),
    ("with values of no octets", tunnel("0013", "08 00", "63 00", "0a 00", "80 0000"), subs(
        ("UDP_DESTINATION_PORT", True), (99, True), ("MPLS_LABEL_STACK", []), ("SEGMENT_LIST", True))),
    ("with colors", tunnel("0013", "04 08 030b 0000 00000064", "04 08 030b 4000 00000064", "04 08 030c 0000 00000064"), subs(
        ("COLOR", 100), ("COLOR", {"flags": "16384", "color": 100}), ("COLOR", "0x030c000000000064"))),
    ("with endpoints", tunnel("0013", "06 0a 00000000 0001 c0000201", f"06 16 00000000 0002 {V6}", "06 06 00000000 0000", "06 0a 00000001 0001 c0000201"), subs(
        ("EGRESS_ENDPOINT", "192.0.2.1"), ("EGRESS_ENDPOINT", "2001:db8::1"), ("EGRESS_ENDPOINT", "0x000000000000"), ("EGRESS_ENDPOINT", "0x000000010001c0000201"))),
    ("with a label stack", tunnel("0013", "0a 08 000640ff 00065101"), subs(
        ("MPLS_LABEL_STACK", [{"label": 100, "tc": 0, "s": 0, "ttl": 255}, {"label": 101, "tc": 0, "s": 1, "ttl": 1}]))),
    ("with half a label stack", tunnel("0013", "0a 02 0006"), subs(("MPLS_LABEL_STACK", "0x0006"))),
    ("with a prefix SID", tunnel("0013", "0b 0a 01 0007 00 0000 00000005"), subs(("PREFIX_SID", [{"type": "LABEL_INDEX", "value": 5}]))),
    ("of a policy", tunnel("000f", "0d 02 8000", f"0d 12 4000 {V6}", "0d 03 800000", "0e 03 000001", "0f 02 0700", "10 04 00000705"), subs(
        ("BINDING_SID", {"flags": "S"}), ("BINDING_SID", {"flags": "I", "sid": "2001:db8::1"}), ("BINDING_SID", "0x800000"),
        ("ENLP", {"flags": "", "enlp": 1}), ("PRIORITY", {"priority": 7}), ("SPI_SI", {"spi": 7, "si": 5}), kind="SR_POLICY")),
    ("of a policy over SRv6", tunnel("000f", f"14 12 e000 {V6}", f"14 1a 0000 {V6} 0013 0000 28181000"), subs(
        ("SRV6_BINDING_SID", {"flags": "SIB", "sid": "2001:db8::1"}),
        ("SRV6_BINDING_SID", {"flags": "", "sid": "2001:db8::1", "structure": {"behavior": "END_DT4"} | HEADLESS}), kind="SR_POLICY")),
    ("with segments of SRv6", tunnel("000f", f"80 0031 00 0d 12 c000 {V6} 0d 1a 3000 {V6} 0047 0000 28181000"), subs(
        ("SEGMENT_LIST", [
            {"type": "B", "value": {"flags": "VA", "sid": "2001:db8::1"}},
            {"type": "B", "value": {"flags": "SB", "sid": "2001:db8::1", "structure": {"behavior": 71} | HEADLESS}},
        ]), kind="SR_POLICY")),
    ("with a segment list cut short", tunnel("000f", "80 0003 00 09 06"), subs(("SEGMENT_LIST", "0x000906"), kind="SR_POLICY")),
    ("with names", tunnel("000f", "82 0003 00 6131", "81 0005 00 0a c3a9 22", "82 0002 00 ff", "82 0003 00 3078", "82 0001 00", "82 0003 01 6131"), subs(
        ("POLICY_NAME", {"name": "a1"}), ("CANDIDATE_PATH_NAME", {"name": '\né"'}), ("POLICY_NAME", {"name": "0xff"}),
        ("POLICY_NAME", {"name": "0x3078"}), ("POLICY_NAME", {"name": ""}), ("POLICY_NAME", "0x016131"), kind="SR_POLICY")),
    ("cut short", "0013 0001", "0x00130001"),
    ("with a sub-TLV cut short", "0013 0002 08 02", [{"type": "GENEVE", "value": "0x0802"}]),
]
PREFIX_SIDS: list[tuple[str, str, Any]] = [
    ("of GoBGP", "05 0022 00 01 001e 00 20010db8000100010000000000000000 00 0047 00 01 0006 401810000000", [
        {"type": "SRV6_L3_SERVICE", "value": [{"type": "SID_INFORMATION", "value": {
            "sid": "2001:db8:1:1::", "flags": "", "behavior": 71,
            "tlvs": [{"type": "SID_STRUCTURE", "value": STRUCTURE | {"block": 64, "transposition_length": 0, "transposition_offset": 0}}]}}]}]),
    ("of ExaBGP", "01 0007 00 0000 0000012c 03 000e 0000 0c3500 001000 0f4240 001388", [
        {"type": "LABEL_INDEX", "value": 300},
        {"type": "ORIGINATOR_SRGB", "value": {"flags": "", "ranges": [{"base": 800000, "size": 4096}, {"base": 1000000, "size": 5000}]}}]),
    ("with flags", "01 0007 00 0100 00000005", [{"type": "LABEL_INDEX", "value": {"flags": "256", "index": 5}}]),
    ("with reserved bits", "01 0007 01 0000 00000005", [{"type": "LABEL_INDEX", "value": "0x01000000000005"}]),
    ("with half a range", "03 0005 0000 0c3500", [{"type": "ORIGINATOR_SRGB", "value": "0x00000c3500"}]),
    ("for layer 2", f"06 0019 00 01 0015 {SID}", [
        {"type": "SRV6_L2_SERVICE", "value": [{"type": "SID_INFORMATION", "value": sid("END_DT4")}]}]),
    ("with a structure", f"05 0022 00 01 001e {SID} 01 0006 281810001040", [
        {"type": "SRV6_L3_SERVICE", "value": [{"type": "SID_INFORMATION", "value": sid("END_DT4", tlvs=[{"type": "SID_STRUCTURE", "value": STRUCTURE}])}]}]),
    ("with a structure cut short (GoBGP)", f"05 0022 00 01 001e {SID} 01 0005 281810001040", [
        {"type": "SRV6_L3_SERVICE", "value": [{"type": "SID_INFORMATION", "value": "0x" + bytes.fromhex(f"{SID} 01 0005 281810001040").hex()}]}]),
    ("with others", "05 0004 00 02 0000 02 0001 07", [
        {"type": "SRV6_L3_SERVICE", "value": [{"type": 2, "value": True}]}, {"type": 2, "value": "0x07"}]),
    ("cut short", "01 0007 00 0000 000000", "0x010007000000000000"),
]
ROUTE = "40 01 01 00 40 02 06 02 01 0000fde9 c0 10 08 0002 fde8 00000001 c0 63 00"
ROUTE_ATTRS = {
    "ORIGIN": {"flags": "T", "value": "IGP"},
    "ASPATH": {"flags": "T", "value": [65001]},
    "EXT_COMMUNITY": {"flags": "OT", "value": [{"type": "TARGET", "value": "65000:1"}]},
    "ATTR_99": {"flags": "OT", "value": True},
}
SKI = "ab4d910f55cae71a215ef3cafe3acc45b5eec154"
OTHERS: list[tuple[str, str, str, Any]] = [
    ("AIGP", "80 1a", "01 000b 0000000000000001", 1),
    ("AIGP of the largest metric", "80 1a", "01 000b ffffffffffffffff", 2**64 - 1),
    ("AIGP with another TLV", "80 1a", "01 000b 0000000000000001 02 0004 ff", [{"type": "AIGP", "value": 1}, {"type": 2, "value": "0xff"}]),
    ("AIGP of the wrong length", "80 1a", "01 0007 00000001", [{"type": "AIGP", "value": "0x00000001"}]),
    ("AIGP with a length that is too small", "80 1a", "01 0002", "0x010002"),
    ("AIGP cut short", "80 1a", "01 000b 00000000000001", "0x01000b00000000000001"),
    ("PE_DISTING", "c0 1b", "c0000201 000640 c0000202 000650", [{"pe": "192.0.2.1"} | label(1600), {"pe": "192.0.2.2"} | label(1616)]),
    ("PE_DISTING of IPv6", "c0 1b", f"{V6} 000640", [{"pe": "2001:db8::1"} | label(1600)]),
    ("PE_DISTING of odd length", "c0 1b", "c0000201 0006", "0xc00002010006"),
    ("BGPSEC_PATH of routecore", "80 21", f"0008 01 00 0000fbf0 001d 01 {SKI} 0004 30460221", {
        "path": [{"pcount": 1, "flags": "", "asn": 64496}],
        "signatures": [{"algorithm": 1, "segments": [{"ski": f"0x{SKI}", "signature": "0x30460221"}]}]}),
    ("BGPSEC_PATH in a confederation", "80 21", "0008 01 80 0000fbf0", {"path": [{"pcount": 1, "flags": "C", "asn": 64496}], "signatures": []}),
    ("BGPSEC_PATH cut short", "80 21", "0008 01 80 0000fb", "0x000801800000fb"),
    ("DPATH", "c0 24", "02 0000000a 0002 80 0000000b 0003 46 01 0000000c 0004 00", [
        [{"asn": 10, "id": 2, "safi": "MPLS_VPN"}, {"asn": 11, "id": 3, "safi": "EVPNS"}], [{"asn": 12, "id": 4, "safi": 0}]]),
    ("DPATH cut short", "c0 24", "02 0000000a 0002 80", "0x020000000a000280"),
    ("BFD_DISCRIMINATOR", "c0 26", "01 00000005", {"mode": "P2MP", "discriminator": 5}),
    ("BFD_DISCRIMINATOR with a source", "c0 26", "01 00000005 01 04 c0000201", {"mode": "P2MP", "discriminator": 5, "tlvs": [{"type": "SOURCE", "value": "192.0.2.1"}]}),
    ("BFD_DISCRIMINATOR of another mode", "c0 26", "b0 00000005 02 00", {"mode": 176, "discriminator": 5, "tlvs": [{"type": 2, "value": True}]}),
    ("BFD_DISCRIMINATOR cut short", "c0 26", "01 000000", "0x01000000"),
    ("RCA", "c0 27", "0001 01 04 c0000201 0001 0001 ff", {"af": "IPV4/UNICAST", "nexthop": "192.0.2.1", "capabilities": [{"type": 1, "value": "0xff"}]}),
    ("RCA cut short", "c0 27", "0001 01 04 c00002", "0x00010104c00002"),
    ("IPV6_EXT_COMMUNITY", "c0 19", f"0002 {V6} 0064 4002 {V6} ffff", [
        {"type": "TARGET", "value": "2001:db8::1:100"}, {"type": "TARGET", "value": "2001:db8::1:65535", "nontransitive": True}]),
    ("IPV6_EXT_COMMUNITY without a name", "c0 19", f"4063 {V6} 0000", [{"type": "0x4063", "value": "2001:db8::1:0", "nontransitive": True}]),
    ("IPV6_EXT_COMMUNITY of ExaBGP", "c0 19", "000c2a020b800000000100000000000000010000", [{"type": "FLOW_REDIRECT_NH", "value": "2a02:b80:0:1::1:0"}]),
    ("IPV6_EXT_COMMUNITY cut short", "c0 19", "0002 2001", "0x00022001"),
    ("SET", "c0 80", f"0000fde8 {ROUTE}", {"asn": 65000, "attrs": ROUTE_ATTRS}),
    ("SET of nothing", "c0 80", "0000fde8", {"asn": 65000, "attrs": {}}),
    ("SET with values that do not parse", "c0 80", "0000fde8 400102 0000 c08004 00000001 500200 02 0100", {
        "asn": 65000,
        "attrs": {
            "ORIGIN": {"flags": "T", "value": "0x0000"},
            "SET": {"flags": "OT", "value": "0x00000001"},
            "ASPATH": {"flags": "TX", "value": "0x0100"},
        }}),
    ("SET with one of them twice", "c0 80", "0000fde8 40010100 40010100", "0x0000fde84001010040010100"),
    ("SET with an attribute cut short", "c0 80", "0000fde8 40010200", "0x0000fde840010200"),
    ("SET with half an AS number", "c0 80", "0000fd", "0x0000fd"),
]
VALUES: list[tuple[str, str, str, Any]] = [
    *((f"PMSI_TUNNEL {name}", "c0 16", wire, value) for name, wire, value in PMSI_TUNNELS),
    *((f"TUNNEL {name}", "c0 17", wire, value) for name, wire, value in TUNNELS),
    *((f"PREFIX_SID {name}", "c0 28", wire, value) for name, wire, value in PREFIX_SIDS),
    *OTHERS,
    *((f"{name} without a value", head, "", True) for name, head in (("PMSI_TUNNEL", "c0 16"), ("TUNNEL", "c0 17"), ("SET", "c0 80"), ("AIGP", "80 1a"))),
]
