"""NLRI of families other than plain prefixes: bytes of one each and the JSON that they are.

Written by hand from the RFCs that are named with them. Bytes are hex, spaces in them are for reading.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Nlri(NamedTuple):
    name: str
    family: str
    """AFI and SAFI in hex."""
    wire: str
    value: Any
    """The NLRI; None where it has no typed form."""


V4_MPLS, V6_MPLS = "0001 04", "0002 04"
V4_VPN, V6_VPN = "0001 80", "0002 80"
V4_VPN_MULTICAST, V6_VPN_MULTICAST = "0001 81", "0002 81"
V4_MVPN, V6_MVPN = "0001 05", "0002 05"
EVPN = "0019 46"
RTC = "0001 84"
V4_FLOW, V6_FLOW = "0001 85", "0002 85"
V4_FLOW_VPN, V6_FLOW_VPN = "0001 86", "0002 86"
NAMES = {
    V4_MPLS: "IPV4/MPLS",
    V6_MPLS: "IPV6/MPLS",
    V4_VPN: "IPV4/MPLS_VPN",
    V6_VPN: "IPV6/MPLS_VPN",
    V4_VPN_MULTICAST: "IPV4/MULTICAST_VPNS",
    V6_VPN_MULTICAST: "IPV6/MULTICAST_VPNS",
    V4_MVPN: "IPV4/MCAST_VPN",
    V6_MVPN: "IPV6/MCAST_VPN",
    EVPN: "L2VPN/EVPNS",
    RTC: "IPV4/ROUTE_TARGET",
    V4_FLOW: "IPV4/FLOWSPEC",
    V6_FLOW: "IPV6/FLOWSPEC",
    V4_FLOW_VPN: "IPV4/L3VPN_FLOWSPEC",
    V6_FLOW_VPN: "IPV6/L3VPN_FLOWSPEC",
}

GLOBAL = "20010db8000000000000000000000001"
RD = "0000 fde8 00000001"
ESI = "00 112233445566778899"
ESI_TEXT = "00:11:22:33:44:55:66:77:88:99"
FLOW4 = "20 0a000001 20 e0000001"
FLOW6 = f"80 {GLOBAL} 80 ff3e0000000000000000000000000001"
BOTH4 = {"source": "10.0.0.1", "group": "224.0.0.1"}
BOTH6 = {"source": "2001:db8::1", "group": "ff3e::1"}

# RFC 8277 section 2
# fmt: off
LABELLED = [
    Nlri("one label", V4_MPLS, "30 000641 0a0000", {"prefix": "10.0.0.0/24", "labels": [100]}),
    Nlri("two labels", V4_MPLS, "38 000640 000c81 0a", {"prefix": "10.0.0.0/8", "labels": [100, 200]}),
    Nlri("the default route", V4_MPLS, "18 fffff1", {"prefix": "0.0.0.0/0", "labels": [1048575]}),
    Nlri("withdrawn", V4_MPLS, "20 800000 0a", {"prefix": "10.0.0.0/8", "labels": ["0x800000"]}),
    Nlri("withdrawn with zero", V4_MPLS, "20 000000 0a", {"prefix": "10.0.0.0/8", "labels": ["0x000000"]}),
    Nlri("explicit null between others", V4_MPLS, "48 000640 000000 000c81", {"prefix": "0.0.0.0/0", "labels": [100, 0, 200]}),
    Nlri("explicit null", V4_MPLS, "20 000001 0a", {"prefix": "10.0.0.0/8", "labels": [0]}),
    Nlri("traffic class", V4_MPLS, "20 00064f 0a", {"prefix": "10.0.0.0/8", "labels": ["0x00064f"]}),
    Nlri("no bottom of stack", V4_MPLS, "20 000640 0a", {"prefix": "10.0.0.0/8", "labels": ["0x000640"]}),
    Nlri("a prefix that is not whole octets", V4_MPLS, "23 000641 0aa0", {"prefix": "10.160.0.0/11", "labels": [100]}),
    Nlri("host bits", V4_MPLS, "23 000641 0aff", None),
    Nlri("an IPv6 prefix", V6_MPLS, "38 000641 20010db8", {"prefix": "2001:db8::/32", "labels": [100]}),
    Nlri("an IPv6 host", V6_MPLS, f"98 000641 {GLOBAL}", {"prefix": "2001:db8::1/128", "labels": [100]}),
]
# RFC 4364 sections 4.2 and 4.3.4, RFC 4659 section 3, RFC 6514 section 10
VPNS = [
    Nlri("RD of type 0", V4_VPN, f"70 000641 {RD} 0a0000", {"rd": "65000:1", "prefix": "10.0.0.0/24", "labels": [100]}),
    Nlri("RD of type 1", V4_VPN, "58 000641 0001 c0000201 0007", {"rd": "192.0.2.1:7", "prefix": "0.0.0.0/0", "labels": [100]}),
    Nlri("RD of type 2", V4_VPN, "58 000641 0002 00011170 0001", {"rd": "70000:1", "prefix": "0.0.0.0/0", "labels": [100]}),
    Nlri("a small AS in type 2", V4_VPN, "58 000641 0002 0000fde8 0001", {"rd": "2:65000:1", "prefix": "0.0.0.0/0", "labels": [100]}),
    Nlri("RD of no known type", V4_VPN, "58 000641 0003 fde800000001", {"rd": "0x0003fde800000001", "prefix": "0.0.0.0/0", "labels": [100]}),
    Nlri("largest numbers", V4_VPN, "58 fffff1 0000 ffff ffffffff", {"rd": "65535:4294967295", "prefix": "0.0.0.0/0", "labels": [1048575]}),
    Nlri("two labels", V4_VPN, f"78 000640 000c81 {RD} 0a", {"rd": "65000:1", "prefix": "10.0.0.0/8", "labels": [100, 200]}),
    Nlri("withdrawn", V4_VPN, f"60 800000 {RD} 0a", {"rd": "65000:1", "prefix": "10.0.0.0/8", "labels": ["0x800000"]}),
    Nlri("an IPv6 prefix", V6_VPN, f"78 000641 {RD} 20010db8", {"rd": "65000:1", "prefix": "2001:db8::/32", "labels": [100]}),
    Nlri("host bits", V6_VPN, f"77 000641 {RD} 20010db9", None),
    Nlri("multicast", V4_VPN_MULTICAST, f"48 {RD} 0a", {"rd": "65000:1", "prefix": "10.0.0.0/8"}),
    Nlri("IPv6 multicast", V6_VPN_MULTICAST, f"60 {RD} 20010db8", {"rd": "65000:1", "prefix": "2001:db8::/32"}),
    Nlri("multicast with a label", V4_VPN_MULTICAST, f"78 000641 {RD} 0a000000", None),
]
# RFC 7432 section 7, RFC 9136 section 3, RFC 9251 section 9, RFC 9572 section 3
EVPNS = [
    Nlri(
        "Ethernet A-D",
        EVPN,
        f"01 19 {RD} {ESI} ffffffff 000641",
        {"type": "ETHERNET_AD", "rd": "65000:1", "esi": ESI_TEXT, "etag": 4294967295, "labels": [100]},
    ),
    Nlri(
        "MAC without an IP",
        EVPN,
        f"02 21 {RD} {ESI} 00000000 30 00aabbccddee 00 000641",
        {"type": "MAC_IP", "rd": "65000:1", "esi": ESI_TEXT, "etag": 0, "mac": "00:aa:bb:cc:dd:ee", "labels": [100]},
    ),
    Nlri(
        "MAC and IP with two labels, one a VNI",
        EVPN,
        f"02 28 {RD} {ESI} 00000000 30 00aabbccddee 20 c0000201 000641 002774",
        {"type": "MAC_IP", "rd": "65000:1", "esi": ESI_TEXT, "etag": 0, "mac": "00:aa:bb:cc:dd:ee", "ip": "192.0.2.1", "labels": [100, "0x002774"]},
    ),
    Nlri(
        "MAC and IPv6",
        EVPN,
        f"02 31 {RD} {ESI} 00000000 30 00aabbccddee 80 {GLOBAL} 000641",
        {"type": "MAC_IP", "rd": "65000:1", "esi": ESI_TEXT, "etag": 0, "mac": "00:aa:bb:cc:dd:ee", "ip": "2001:db8::1", "labels": [100]},
    ),
    Nlri("a MAC of 40 bits", EVPN, f"02 20 {RD} {ESI} 00000000 28 00aabbccdd 00 000641", {"type": 2, "value": f"0x{RD}{ESI}000000002800aabbccdd00000641".replace(" ", "")}),
    Nlri("a MAC without a label", EVPN, f"02 1e {RD} {ESI} 00000000 30 00aabbccddee 00", {"type": 2, "value": f"0x{RD}{ESI}000000003000aabbccddee00".replace(" ", "")}),
    Nlri("inclusive multicast", EVPN, f"03 11 {RD} 00000064 20 c0000201", {"type": "INCLUSIVE_MULTICAST", "rd": "65000:1", "etag": 100, "originator": "192.0.2.1"}),
    Nlri("Ethernet segment", EVPN, f"04 23 {RD} {ESI} 80 {GLOBAL}", {"type": "ETHERNET_SEGMENT", "rd": "65000:1", "esi": ESI_TEXT, "originator": "2001:db8::1"}),
    Nlri(
        "IP prefix",
        EVPN,
        f"05 22 {RD} {ESI} 00000000 18 0a000000 c0000201 000641",
        {"type": "IP_PREFIX", "rd": "65000:1", "esi": ESI_TEXT, "etag": 0, "prefix": "10.0.0.0/24", "gateway": "192.0.2.1", "labels": [100]},
    ),
    Nlri(
        "IPv6 prefix",
        EVPN,
        f"05 3a {RD} {ESI} 00000000 20 20010db8{'00' * 12} {'00' * 16} 000641",
        {"type": "IP_PREFIX", "rd": "65000:1", "esi": ESI_TEXT, "etag": 0, "prefix": "2001:db8::/32", "gateway": "::", "labels": [100]},
    ),
    Nlri(
        "IP prefix with host bits",
        EVPN,
        f"05 22 {RD} {ESI} 00000000 18 0a000001 c0000201 000641",
        {"type": 5, "value": f"0x{RD}{ESI}00000000180a000001c0000201000641".replace(" ", "")},
    ),
    Nlri(
        "selective multicast",
        EVPN,
        f"06 1c {RD} 00000000 {FLOW4} 20 c0000201 05",
        {"type": "SELECTIVE_MULTICAST", "rd": "65000:1", "etag": 0, **BOTH4, "originator": "192.0.2.1", "flags": 5},
    ),
    Nlri(
        "selective multicast of any source",
        EVPN,
        f"06 18 {RD} 00000000 00 20 e0000001 20 c0000201 02",
        {"type": "SELECTIVE_MULTICAST", "rd": "65000:1", "etag": 0, "group": "224.0.0.1", "originator": "192.0.2.1", "flags": 2},
    ),
    Nlri(
        "membership report synch",
        EVPN,
        f"07 3e {RD} {ESI} 00000000 {FLOW6} 20 c0000201 08",
        {"type": "MEMBERSHIP_REPORT_SYNCH", "rd": "65000:1", "esi": ESI_TEXT, "etag": 0, **BOTH6, "originator": "192.0.2.1", "flags": 8},
    ),
    Nlri(
        "leave synch",
        EVPN,
        f"08 2b {RD} {ESI} 00000000 {FLOW4} 20 c0000201 00000000 64 02",
        {"type": "LEAVE_SYNCH", "rd": "65000:1", "esi": ESI_TEXT, "etag": 0, **BOTH4, "originator": "192.0.2.1", "max_response": 100, "flags": 2},
    ),
    Nlri("per-region I-PMSI", EVPN, f"09 14 {RD} 00000000 0009 000000000001", {"type": "PER_REGION_I_PMSI_AD", "rd": "65000:1", "etag": 0, "region": "0x0009000000000001"}),
    Nlri("S-PMSI", EVPN, f"0a 1b {RD} 00000000 {FLOW4} 20 c0000201", {"type": "S_PMSI_AD", "rd": "65000:1", "etag": 0, **BOTH4, "originator": "192.0.2.1"}),
    Nlri(
        "leaf",
        EVPN,
        f"0b 18 03 11 {RD} 00000064 20 c0000201 20 c0000202",
        {"type": "LEAF_AD", "route_key": f"0x0311{RD}0000006420c0000201".replace(" ", ""), "originator": "192.0.2.2"},
    ),
    Nlri("a leaf whose key is cut short", EVPN, "0b 02 03 11", {"type": 11, "value": "0x0311"}),
    Nlri("a type that is not known", EVPN, "ff 03 010203", {"type": 255, "value": "0x010203"}),
    Nlri("a type without anything", EVPN, "00 00", {"type": 0, "value": "0x"}),
    Nlri("a known type without anything", EVPN, "07 00", {"type": 7, "value": "0x"}),
]
# RFC 6514 section 4, RFC 6515 section 2, RFC 6625 section 3
MVPNS = [
    Nlri("intra-AS I-PMSI", V4_MVPN, f"01 0c {RD} c0000201", {"type": "INTRA_AS_I_PMSI_AD", "rd": "65000:1", "originator": "192.0.2.1"}),
    Nlri("intra-AS I-PMSI of an IPv6 router", V4_MVPN, f"01 18 {RD} {GLOBAL}", {"type": "INTRA_AS_I_PMSI_AD", "rd": "65000:1", "originator": "2001:db8::1"}),
    Nlri("inter-AS I-PMSI", V4_MVPN, f"02 0c {RD} 0000fde8", {"type": "INTER_AS_I_PMSI_AD", "rd": "65000:1", "source_as": 65000}),
    Nlri("S-PMSI", V4_MVPN, f"03 16 {RD} {FLOW4} c0000201", {"type": "S_PMSI_AD", "rd": "65000:1", **BOTH4, "originator": "192.0.2.1"}),
    Nlri("S-PMSI with wildcards", V4_MVPN, f"03 0e {RD} 00 00 c0000201", {"type": "S_PMSI_AD", "rd": "65000:1", "originator": "192.0.2.1"}),
    Nlri(
        "leaf",
        V4_MVPN,
        f"04 12 02 0c {RD} 0000fde8 c0000202",
        {"type": "LEAF_AD", "route_key": f"0x020c{RD}0000fde8".replace(" ", ""), "originator": "192.0.2.2"},
    ),
    Nlri("source active", V4_MVPN, f"05 12 {RD} {FLOW4}", {"type": "SOURCE_ACTIVE_AD", "rd": "65000:1", **BOTH4}),
    Nlri("shared tree join", V6_MVPN, f"06 2e {RD} 0000fde8 {FLOW6}", {"type": "SHARED_TREE_JOIN", "rd": "65000:1", "source_as": 65000, **BOTH6}),
    Nlri("source tree join", V4_MVPN, f"07 16 {RD} 0000fde8 {FLOW4}", {"type": "SOURCE_TREE_JOIN", "rd": "65000:1", "source_as": 65000, **BOTH4}),
    Nlri("a source of 24 bits", V4_MVPN, f"05 11 {RD} 18 0a0000 20 e0000001", {"type": 5, "value": f"0x{RD}180a000020e0000001".replace(" ", "")}),
    Nlri("octets behind the last field", V4_MVPN, f"02 0d {RD} 0000fde8 00", {"type": 2, "value": f"0x{RD}0000fde800".replace(" ", "")}),
    Nlri("a type that is not known", V4_MVPN, "08 00", {"type": 8, "value": "0x"}),
]
# RFC 4684 section 4
TARGETS = [
    Nlri("the default", RTC, "00", {"length": 0}),
    Nlri("an AS and all its targets", RTC, "20 0000fde8", {"origin": 65000, "length": 32}),
    Nlri("an AS", RTC, "60 0000fde8 0002 fde8 00000001", {"origin": 65000, "target": "65000:1"}),
    Nlri("an address", RTC, "60 0000fde8 0102 c0000201 0001", {"origin": 65000, "target": "192.0.2.1:1"}),
    Nlri("an AS of four octets", RTC, "60 0000fde8 0202 00011170 0001", {"origin": 65000, "target": "70000:1"}),
    Nlri("another community", RTC, "60 0000fde8 0003 fde8 00000001", {"origin": 65000, "target": "0x0003fde800000001"}),
    Nlri("part of a target", RTC, "40 0000fde8 0002fde8", {"origin": 65000, "target": "0x0002fde8", "length": 64}),
    Nlri("part of an octet", RTC, "3c 0000fde8 0002fde0", {"origin": 65000, "target": "0x0002fde0", "length": 60}),
]
# RFC 8955 section 4: the first three are its examples; RFC 8956 section 3
def is_(value: int) -> dict[str, Any]:
    return {"op": "==", "val": value}


PORTS = [{"op": ">=", "val": 137}, {"and": True, "op": "<=", "val": 139}, is_(8080)]
FLOWS = [
    Nlri("mail to a network", V4_FLOW, "0b 0118c00002 038106 048119", {"DST": "192.0.2.0/24", "PROTO": [is_(6)], "PORT": [is_(25)]}),
    Nlri(
        "ports from one network to another",
        V4_FLOW,
        "12 0118c00002 0218cb0071 040389458b911f90",
        {"DST": "192.0.2.0/24", "SRC": "203.0.113.0/24", "PORT": PORTS},
    ),
    Nlri("fragments to a host", V4_FLOW, "09 0120c0000201 0c8005", {"DST": "192.0.2.1/32", "FRAG": [{"op": "ANY", "len": 1, "val": "0x5"}]}),
    Nlri("each operator on numbers", V4_FLOW, "11 0a 0001 0102 0203 0304 0405 0506 0607 8708", {"PKTLEN": [
        {"op": False, "val": 1}, {"op": "==", "val": 2}, {"op": ">", "val": 3}, {"op": ">=", "val": 4},
        {"op": "<", "val": 5}, {"op": "<=", "val": 6}, {"op": "!=", "val": 7}, {"op": True, "val": 8},
    ]}),
    Nlri("each operator on flags", V4_FLOW, "0a 09 0002 4110 120002 8304", {"TCP_FLAGS": [
        {"op": "ANY", "len": 1, "val": "0x2"}, {"and": True, "op": "ALL", "len": 1, "val": "0x10"},
        {"op": "NONE", "len": 2, "val": "0x2"}, {"op": "NOT-ALL", "len": 1, "val": "0x4"},
    ]}),
    Nlri("values in more octets than they need", V4_FLOW, "12 0a 110001 2100000002 b10000000000000003", {"PKTLEN": [
        {"op": "==", "len": 2, "val": 1}, {"op": "==", "len": 4, "val": 2}, {"op": "==", "len": 8, "val": 3},
    ]}),
    Nlri("values of all sizes", V4_FLOW, "0c 0a 110100 a100010000 0b812e", {"PKTLEN": [is_(256), is_(65536)], "DSCP": [is_(46)]}),
    Nlri("no components", V4_FLOW, "00", {}),
    Nlri("components out of order", V4_FLOW, "06 048119 038106", None),
    Nlri("a component twice", V4_FLOW, "06 038106 038111", None),
    Nlri("an unknown component", V4_FLOW, "03 0e8101", None),
    Nlri("a flow label for IPv4", V4_FLOW, "03 0d8101", None),
    Nlri("a reserved bit of an operator", V4_FLOW, "03 038906", None),
    Nlri("no last operator", V4_FLOW, "03 030106", None),
    Nlri("bits behind the prefix", V4_FLOW, "05 0117c00003", None),
    Nlri("a length in two octets where one does", V4_FLOW, "f003 038106", None),
    Nlri("an IPv6 prefix", V6_FLOW, "07 0120 00 20010db8", {"DST": "2001:db8::/32"}),
    Nlri("a part of an IPv6 prefix", V6_FLOW, "08 016840 123456789a", {"DST": "::1234:5678:9a00:0/64-104"}),
    Nlri("a part that begins within an octet", V6_FLOW, "04 020a04 fc", {"SRC": "fc0::/4-10"}),
    Nlri("an offset behind the length", V6_FLOW, "03 014040", None),
    Nlri("a flow label", V6_FLOW, "06 0d a1000f4240", {"LABEL": [is_(1000000)]}),
    Nlri("in a VPN", V4_FLOW_VPN, f"0b {RD} 038111", {"rd": "65000:1", "PROTO": [is_(17)]}),
    Nlri("in a VPN of IPv6", V6_FLOW_VPN, f"0b {RD} 03813a", {"rd": "65000:1", "PROTO": [is_(58)]}),
    Nlri("in no VPN", V4_FLOW_VPN, "03 038111", None),
]
# fmt: on

FAMILIES = [(1, 4), (2, 4), (1, 128), (2, 128), (1, 129), (2, 129), (1, 5), (2, 5), (25, 70), (1, 132)]
"""AFI and SAFI but of flows, in the order that the fuzzer numbers them in."""
NLRI = [*LABELLED, *VPNS, *EVPNS, *MVPNS, *TARGETS, *FLOWS]
