"""What each line of the language's table means, on real messages: whom each filter takes, and whom it leaves.

Each filter runs as a compiled program and through the tree-walking oracle.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

import filter_oracle
from bgpipe import Filter, Msg, SessionContext
from bgpipe._view import collect
from bgpipe.filters.parser import KINDS
from bgpipe.filters.tree import Test
from filter_oracle import Message


class Real(NamedTuple):
    """wire: what stands behind the marker, in hex. time: s since 1970."""

    wire: str
    as_size: int = 4
    addpath: bool = False
    direction: str = "R"
    time: float = 1400000000
    tags: dict[str, str] = {}  # noqa: RUF012

    def msg(self, seq: int) -> Msg:
        families = ["IPV4/UNICAST", "IPV6/UNICAST"] if self.addpath else []
        context = SessionContext(as_size=self.as_size, addpath=families)
        wire = b"\xff" * 16 + bytes.fromhex(self.wire)
        time = round(self.time * 1000000) * 1000
        return Msg(wire, direction=self.direction, time=time, seq=seq, tags=self.tags, context=context)


RIS = {"PEER_AS": "49463", "PEER_IP": "37.49.236.145"}
ROUTEVIEWS = {"PEER_AS": "6939", "PEER_IP": "2001:504:0:2::6939:1"}

# From archives and from the tests of other implementations, save where it says "made". Sequence numbers count from 1.
REAL = {
    # {reach: [103.213.239.0/24, 103.213.238.0/24, 103.213.237.0/24, 103.213.236.0/24, 192.140.255.0/24], unreach:
    # [205.86.32.0/20], attrs: {ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value: [49463, 174, 2914, 132602,
    # 58655, 9230, 135310]}, NEXTHOP: {flags: T, value: 37.49.236.145}, MED: {flags: O, value: 325}, COMMUNITY:
    # {flags: OT, value: [49463:4004, 174:21000, 174:22013]}}}
    "classic": Real(
        "007102000414cd562000424001010040021e02070000c137000000ae00000b62000205fa0000e51f0000240e0002108e40030425"
        "31ec9180040400000145c0080cc1370fa400ae520800ae55fd1867d5ef1867d5ee1867d5ed1867d5ec18c08cff",
        time=1470931218, tags=RIS,
    ),
    # {reach: [103.169.225.0/24, 103.169.224.0/23], attrs: {ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value:
    # [2914, 9304, 138840, 142354, 142354]}, NEXTHOP: {flags: T, value: 206.126.236.12}, MED: {flags: O, value:
    # 27564}, COMMUNITY: {flags: OT, value: [2914:410, 2914:1405, 2914:2406, 2914:3400]}}}
    "prepended": Real(
        "005d020000003e40010100400216020500000b620000245800021e5800022c1200022c12400304ce7eec0c80040400006bacc008"
        "100b62019a0b62057d0b6209660b620d481867a9e11767a9e0",
        time=1642610701.30398,
    ),
    # {reach: [187.120.32.0/20], attrs: {ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value: [5385, 3356, 4230,
    # 23456]}, NEXTHOP: {flags: T, value: 193.203.0.88}, AS4PATH: {flags: OTP, value: [3356, 4230, 262685]}}, as_size:
    # 2}
    "merged": Real("004402000000294001010040020a020415090d1c10865ba0400304c1cb0058e0110e020300000d1c000010860004021d14bb7820", as_size=2),
    # {reach: [24.223.0.0/18], attrs: {ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value: [1853, 1239, 13659,
    # [13659, 701]]}, NEXTHOP: {flags: T, value: 193.203.0.1}, AGGREGATOR: {flags: OT, value: {asn: 13659, addr:
    # 198.206.239.5}}}, as_size: 2}
    "set": Real("004002000000254001010040020e0203073d04d7355b0102355b02bd400304c1cb0001c00706355bc6ceef051218df00", as_size=2),
    # {reach: [161.53.0.0/16], attrs: {ORIGIN: {flags: T, value: EGP}, ASPATH: {flags: T, value: [5409, 6427, 6461,
    # 3561, 5391, 2108]}, NEXTHOP: {flags: T, value: 195.211.222.254}}, as_size: 2}
    "egp": Real("0036020000001c4001010140020e02061521191b193d0de9150f083c400304c3d3defe10a135", as_size=2),
    # {reach: [192.168.5.0/24], attrs: {ORIGIN: {flags: T, value: INCOMPLETE}, ASPATH: {flags: T, value: []}, NEXTHOP:
    # {flags: T, value: 192.168.6.14}, MED: {flags: O, value: 101}, LOCALPREF: {flags: T, value: 100}}}
    "inner": Real("0037020000001c40010102400200400304c0a8060e800404000000654005040000006418c0a805"),
    # {unreach: [80.0.0.0/8, 65.121.72.0/22], as_size: 2}
    "withdrawn": Real("001d0200060850164179480000", as_size=2, direction="L", tags={"PEER_AS": "20751"}),
    # {attrs: {ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value: [3356, 12702, 16086]}, MED: {flags: O, value:
    # 0}, MP_REACH: {flags: O, value: {af: IPV6/UNICAST, nexthop: 2001:7f8:4:1::d1c:2, link-local:
    # fe80::2d0:3ff:fe99:f400, prefixes: [2001:1a58::/32, 2001:14b8::/32]}}}, as_size: 2}
    "v6": Real(
        "005f02000000484001010040020802030d1c319e3ed680040400000000800e2f00020120200107f800040001000000000d1c0002"
        "fe8000000000000002d003fffe99f400002020011a5820200114b8",
        as_size=2,
    ),
    # {attrs: {MP_UNREACH: {flags: O, value: {af: IPV6/UNICAST, prefixes: [2a10:cc42:1b73::/48]}}, ORIGIN: {flags: T,
    # value: IGP}, ASPATH: {flags: T, value: [6939, 20473]}, MP_REACH: {flags: O, value: {af: IPV6/UNICAST, nexthop:
    # 2001:504:0:2::6939:1, link-local: fe80::224:38ff:fe85:2580, prefixes: [2a10:cc42:11eb::/48]}}}}
    "v6both": Real(
        "0064020000004d800f0a000201302a10cc421b734001010040020a020200001b1b00004ff9800e2c000201202001050400000002"
        "0000000069390001fe80000000000000022438fffe85258000302a10cc4211eb",
        tags=ROUTEVIEWS,
    ),
    # {attrs: {MP_UNREACH: {flags: O, value: {af: IPV6/UNICAST, prefixes: [2001:13f0::/32]}}}}
    "v6withdrawn": Real("0022020000000b800f0800020120200113f0"),
    # {attrs: {ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value: [57695, 60068, 12956, 3356, 20473]},
    # COMMUNITY: {flags: OT, value: [57695:13000, 60068:201, 60068:2006, 60068:2196, 60068:7336]}, MP_REACH: {flags:
    # OX, value: {af: IPV6/UNICAST, nexthop: 2001:504:0:2:0:5:7695:1, prefixes: [2a0e:97c3:506::/48]}},
    # LARGE_COMMUNITY: {flags: OT, value: [20473:0:3021840116]}}}
    "large": Real(
        "007a02000000634001010040021602050000e15f0000eaa40000329c00000d1c00004ff9c00814e15f32c8eaa400c9eaa407d6ea"
        "a40894eaa41ca8900e001c000201102001050400000002000000057695000100302a0e97c30506c0200c00004ff900000000b41d"
        "9ef4",
    ),
    # {reach: [120.28.62.0/24], attrs: {ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value: [8492, 20485,
    # 4775]}, NEXTHOP: {flags: T, value: 85.114.0.217}, COMMUNITY: {flags: OT, value: [8492:1102, 20485:31804]},
    # EXT_COMMUNITY: {flags: OT, value: [{type: TARGET, value: 20485:1}]}}}
    "extended": Real(
        "004d02000000324001010040020e02030000212c00005005000012a7400304557200d9c00808212c044e50057c3cc01008000250"
        "050000000118781c3e",
    ),
    # {attrs: {ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value: [293, 3754, 3756]}, MP_REACH: {flags: OX,
    # value: {af: IPV4/MULTICAST, nexthop: 198.129.33.85, prefixes: [199.109.32.0/24]}}}}
    "multicast": Real("003d02000000264001010040020e02030000012500000eaa00000eac900e000d00010204c68121550018c76d20"),
    # {attrs: {MP_REACH: {flags: OX, value: {af: IPV4/MPLS_VPN, nexthop: 192.168.0.15, nlri: [{rd: 65010:15,
    # prefix: 192.168.7.0/24, labels: [16]}]}}, ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value: []}, LOCALPREF:
    # {flags: T, value: 100}, EXT_COMMUNITY: {flags: OT, value: [{type: TARGET, value: 65000:100}]}, CLUSTER_LIST:
    # {flags: O, value: [192.168.0.10]}, ORIGINATOR: {flags: O, value: 192.168.0.15}}}
    "vpn": Real(
        "0062020000004b900e00200001800c0000000000000000c0a8000f00700001010000fdf20000000fc0a807400101004002004005"
        "0400000064c010080002fde800000064800a04c0a8000a800904c0a8000f",
    ),
    # {attrs: {ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value: []}, LOCALPREF: {flags: T, value: 100},
    # EXT_COMMUNITY: {flags: OT, value: [{type: TARGET, value: 100:100}]}, ORIGINATOR: {flags: O, value: 120.0.2.5},
    # CLUSTER_LIST: {flags: O, value: [120.0.1.1]}, MP_REACH: {flags: OX, value: {af: L2VPN/EVPNS, nh: 0x78000205,
    # data: 0x01190001780002050064000000000000100000050000000049350102210001780002050064000000000000000000000000006430
    # 000c2982c2a900493001}}}}
    "evpn": Real(
        "008902000000724001010040020040050400000064c01008000200640000006480090478000205800a0478000101900e00470019"
        "46047800020500011900017800020500640000000000001000000500000000493501022100017800020500640000000000000000"
        "00000000006430000c2982c2a900493001",
    ),
    # {reach: [10.0.2.0/24], attrs: {ORIGIN: {flags: T, value: IGP}, NEXTHOP: {flags: T, value: 10.0.0.2}, MP_REACH:
    # {flags: T, value: {af: IPV4/UNICAST, nexthop: 255.255.255.255, prefixes: [10.0.1.0/24]}}}}
    "twohops": Real("0036020000001b400101004003040a000002400e0d00010104ffffffff00180a0001180a0002"),
    # {attrs: {ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value: [3333, 2914, 22773]}, COMMUNITY: {flags: OT,
    # value: [2914:410, 2914:1004, 2914:2000, 2914:3000]}, MP_REACH: {flags: O, value: {af: IPV6/UNICAST, nexthop:
    # ::ffff:193.0.0.56, prefixes: [2001:579:1040::/46]}}}}
    "mapped": Real(
        "005e02000000474001010040020e020300000d0500000b62000058f5c008100b62019a0b6203ec0b6207d00b620bb8800e1c0002"
        "011000000000000000000000ffffc1000038002e200105791040",
    ),
    # {}
    "end": Real("00170200000000"),
    # {reach: [#36#10.0.10.0/24], attrs: {ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value: [65015, 65014,
    # 65013, 65012, 65011]}, NEXTHOP: {flags: T, value: 10.0.15.1}, LOCALPREF: {flags: T, value: 100}}}
    "pathid": Real(
        "004a020000002b4001010040021602050000fdf70000fdf60000fdf50000fdf40000fdf34003040a000f01400504000000640000"
        "0024180a000a",
        addpath=True,
    ),
    # {bgp: 4, asn: 8339, id: 195.202.156.93, hold: 180, caps: {MP: [IPV4/UNICAST], PRE_ROUTE_REFRESH: true,
    # ROUTE_REFRESH: true}, params: 0x02060104000100010202800002020200}
    "open": Real("002d0104209300b4c3ca9c5d1002060104000100010202800002020200", tags={"PEER_AS": "12614"}),
    # null
    "keepalive": Real("001304", time=0, tags={"note": ""}),
    # {code: 6, subcode: 4, name: CEASE/ADMIN_RESET}
    "notify": Real("0015030604"),
    # 0x00010001
    "refresh": Real("00170500010001"),
    # {reach: [192.168.0.0/16], attrs: {ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value: [65015]}, LOCALPREF:
    # {flags: T, value: 100}, AGGREGATOR: {flags: OT, value: 0x0000fde8c0a8000f}, ORIGINATOR: {flags: O, value:
    # 192.168.0.15}, CLUSTER_LIST: {flags: O, value: [192.168.0.10]}, NEXTHOP: {flags: T, value: 192.168.0.15}},
    # as_size: 2}
    "brokenvalue": Real(
        "004c0200000032400101004002040201fdf740050400000064c007080000fde8c0a8000f800904c0a8000f800a04c0a8000a4003"
        "04c0a8000f10c0a8",
        as_size=2,
    ),
    # Host bits are set, so that JSON has all of it as hex: NLRI 0.0.0.0/0 twice, 192.0.0.0/2, 64.17.246.0/23.
    "hostbits": Real(
        "004a020000002b4001010040021202040000e15f00000c9700000d1c000068fe400304ce7eecd6c008080c970378e15f32c80000"
        "02d0174011f6",
    ),
    # Its NLRI are cut short.
    "broken": Real("003c02000000214001010040020c02051b6a0ddd3065bc93c7644003040c00013fc008041b0b0d0b0d0b0d0b", as_size=2),
    # Made: {reach: [10.0.0.0/8], ORIGIN IGP, ASPATH [{confed_seq: [65001, 65002]}, 65003], NEXTHOP 192.0.2.1, OTC 65000}
    "confed": Real("003e0200000025400101004002100302 0000fde9 0000fdea 0201 0000fdeb 400304c0000201 c023040000fde8 080a"),
    # Made: {ASPATH [1, 23456], AGGREGATOR of AS 1, AS4PATH [1, 65550], AS4AGGREGATOR of AS 65550}: AS4_PATH is void.
    "as4void": Real(
        "0041020000002a 40020602020001 5ba0 c007060001c0000201 e0110a02020000000100 01000e c012080001000ec0000201",
        as_size=2,
    ),
    # Made: {ASPATH [5], AS4PATH [1, 2]}: the longer AS4_PATH is void.
    "as4long": Real("002b0200000014 40020402010005 e0110a02020000000100000002", as_size=2),
    # Made: {ASPATH [23456], AS4PATH [70000]} between two that know 4-octet numbers: AS4_PATH is void.
    "as4new": Real("00290200000012 400206020100005ba0 e01106020100011170"),
    # Made: a type that nobody assigned.
    "unknown": Real("0015090102"),
    # Made: an OPEN that ends too early.
    "brokenopen": Real("001401 04"),
    # {reach: [74.115.206.0/24], attrs: {ORIGIN: {flags: T, value: IGP}, ASPATH: {flags: T, value: [8447, 15290]},
    # NEXTHOP: {flags: T, value: 193.203.0.21}, COMMUNITY: {flags: OT, value: [1120:1, 65535:65281]}}}
    "noexport": Real("003e02000000234001010040020a0202000020ff00003bba400304c1cb0015c0080804600001ffffff01184a73ce"),
}

UPDATES = """
    classic prepended merged set egp inner withdrawn pathid v6 v6both v6withdrawn large extended multicast vpn evpn
    twohops mapped end hostbits confed as4void as4long as4new noexport
"""
OTHERS = "open keepalive notify refresh unknown"
BROKEN = {"broken", "brokenvalue", "brokenopen"}
EVERY = f"{UPDATES} {OTHERS}"


def less(*names: str) -> str:
    """All UPDATEs that parse, but for these."""
    return " ".join(name for name in UPDATES.split() if name not in " ".join(names).split())


# Filter, whom it takes (of those below), whom it leaves. Of "only" cases all others are left, too.
TYPES = [
    ("update", UPDATES, OTHERS),
    ("open", "open", "keepalive classic"),
    ("keepalive", "keepalive", "open classic"),
    ("notify", "notify", "refresh classic"),
    ("notification", "notify", "refresh"),
    ("refresh", "refresh", "notify unknown"),
    ("ROUTE-REFRESH", "refresh", "notify"),
    ("type == UPDATE", "classic end", "open unknown"),
    ("type = 9", "unknown", "refresh"),
    ("type != UPDATE", OTHERS, UPDATES),
    ("type in [OPEN, NOTIFY]", "open notify", "keepalive classic"),
    ("type", EVERY, ""),
]

FAMILIES = [
    ("af", UPDATES, OTHERS),
    ("ipv4", "classic withdrawn end as4new twohops hostbits", "v6 v6withdrawn multicast vpn evpn open"),
    ("ipv6", "v6 v6both v6withdrawn large mapped", "classic end open"),
    ("af == IPV4/UNICAST", "classic twohops", "multicast vpn v6"),
    ("af == ipv4", "classic multicast vpn", "v6 evpn"),
    ("af == UNICAST", "classic v6", "multicast vpn"),
    ("af == multicast", "multicast", "classic vpn"),
    ("af == 25/70", "evpn", "vpn"),
    ("af != IPV6", "classic evpn vpn", "v6 mapped open"),
    ("af in [IPV4/MPLS_VPN, L2VPN]", "vpn evpn", "classic multicast"),
]

NLRI = [
    ("prefix", "classic withdrawn pathid v6 v6withdrawn multicast vpn hostbits", "evpn end as4new open"),
    ("reach", "classic pathid v6 v6both multicast vpn", "withdrawn v6withdrawn end"),
    ("prefix == 192.168.7.0/24", "vpn", "classic v6 evpn"),
    ("prefix ~ 192.168.0.0/16 && prefix < 192.168.0.0/16", "vpn", "classic v6 evpn"),
    ("prefix[*] ~ 192.168.0.0/16", "vpn", "classic v6 evpn"),
    ("prefix ~ 2001:db8::/32", "", "vpn"),
    ("nexthop == 192.168.0.15", "vpn", "classic evpn"),
    ("unreach", "classic withdrawn v6both v6withdrawn", "prepended v6 vpn end"),
    ("prefix == 205.86.32.0/20", "classic", "prepended withdrawn"),
    ("reach == 205.86.32.0/20", "", "classic"),
    ("unreach == 205.86.32.0/20", "classic", "withdrawn"),
    ("reach == 103.213.237.0/24", "classic", "prepended"),
    ("unreach == 103.213.237.0/24", "", "classic"),
    ("prefix == 10.0.10.0/24", "pathid", "twohops"),
    ("reach == 10.0.1.0/24", "twohops", "pathid confed"),
    ("reach == 10.0.2.0/24", "twohops", "pathid confed"),
    ("prefix == 199.109.32.0/24", "multicast", "classic"),
    ("prefix == 2001:13f0::/32", "v6withdrawn", "v6"),
    ("reach == 2a10:cc42:11eb::/48", "v6both", "large"),
    ("unreach == 2a10:cc42:1b73::/48", "v6both", "v6withdrawn"),
    ("prefix == 192.0.0.0/2", "hostbits", "classic"),
    ("prefix == 64.17.246.0/23", "hostbits", "classic"),
    ("prefix == 0.0.0.0/0", "hostbits", "classic v6"),
    ("prefix == ::/0", "", "hostbits v6"),
    # Not equal: there is one, and none is equal.
    ("prefix != 205.86.32.0/20", "withdrawn v6 hostbits", "classic end open"),
    ("reach != 205.86.32.0/20", "classic prepended", "withdrawn"),
    ("unreach != 80.0.0.0/8", "classic v6withdrawn", "withdrawn prepended"),
    # Overlap, either way.
    ("prefix ~ 103.213.0.0/16", "classic hostbits", "prepended withdrawn v6"),
    ("prefix ~ 103.213.239.7/32", "classic hostbits", "prepended"),
    ("prefix ~ 103.213.238.0/23", "classic", "prepended"),
    ("reach ~ 205.86.0.0/16", "hostbits", "classic"),
    ("unreach ~ 205.86.0.0/16", "classic", "withdrawn hostbits"),
    ("prefix ~ 2001::/16", "v6 v6withdrawn mapped", "v6both classic hostbits"),
    ("prefix ~ 0.0.0.0/0", "classic withdrawn multicast", "v6 v6withdrawn"),
    ("prefix !~ 103.213.0.0/16", "prepended v6 withdrawn vpn", "classic hostbits open"),
    ("unreach !~ 205.86.0.0/16", "withdrawn v6both", "classic prepended"),
    ("reach !~ 103.213.0.0/16", "prepended v6", "classic withdrawn"),
    # More specific and inside, less specific and covering.
    ("prefix < 103.213.236.0/22", "classic", "prepended hostbits"),
    ("prefix < 103.213.236.0/24", "", "classic"),
    ("prefix <= 103.213.236.0/24", "classic", "prepended"),
    ("prefix < 103.169.224.0/23", "prepended", "classic"),
    ("reach < 80.0.0.0/7", "", "withdrawn"),
    ("reach < 103.213.0.0/16", "classic", "prepended withdrawn"),
    ("reach <= 103.213.236.0/24", "classic", "prepended withdrawn"),
    ("unreach < 80.0.0.0/7", "withdrawn", "classic"),
    ("unreach <= 80.0.0.0/8", "withdrawn", "classic"),
    ("prefix <= 2001:1a58::/32", "v6", "v6withdrawn classic"),
    ("prefix > 103.213.237.0/25", "classic hostbits", "prepended"),
    ("prefix > 103.213.237.0/24", "hostbits", "classic"),
    ("prefix >= 103.213.237.0/24", "classic hostbits", "prepended"),
    ("reach > 80.1.0.0/16", "hostbits", "withdrawn"),
    ("unreach >= 80.0.0.0/8", "withdrawn", "classic"),
    ("unreach > 80.0.0.0/8", "", "withdrawn"),
    ("unreach > 205.86.32.0/21", "classic", "withdrawn"),
    ("reach >= 103.169.224.0/23", "prepended", "classic"),
    ("prefix >= 2001:14b8:1::/48", "v6", "v6withdrawn"),
    # All of them.
    ("prefix[*]", "classic withdrawn vpn", "end evpn"),
    ("reach[*] == 10.0.10.0/24", "pathid", "classic"),
    ("reach[*] < 103.213.0.0/16", "", "classic prepended withdrawn"),
    ("reach[*] < 103.169.224.0/22", "prepended", "classic"),
    ("reach[*] <= 103.169.224.0/23", "prepended", "classic"),
    ("reach[*] < 103.169.224.0/23", "", "prepended"),
    ("prefix[*] ~ 2001::/16", "v6 v6withdrawn mapped", "v6both large end"),
    ("prefix[*] ~ 2a10:cc42::/32", "v6both", "large"),
    ("reach[*] ~ 103.213.237.0/24", "", "classic"),
    ("unreach[*] > 80.1.0.0/16", "", "withdrawn"),
    ("unreach[*] >= 205.86.32.0/21", "classic", "withdrawn"),
    ("unreach[*] != 80.0.0.0/8", "withdrawn classic v6both", "prepended"),
    ("unreach[*] != 205.86.32.0/20", "withdrawn", "classic"),
    ("reach[*] !~ 103.213.0.0/16", "classic prepended v6", "withdrawn"),
    ("prefix in [80.0.0.0/8, 2001:13f0::/32]", "withdrawn v6withdrawn", "v6 classic"),
    ("reach in [80.0.0.0/8,10.0.1.0/24]", "twohops", "withdrawn"),
    ("unreach in [80.0.0.0/8]", "withdrawn", "classic"),
    ("prefix[*] in [80.0.0.0/8, 65.121.72.0/22]", "withdrawn", "v6withdrawn classic"),
    ("prefix[*] in [80.0.0.0/8]", "", "withdrawn"),
    ("prefix in [80.0.0.0/9, 80.0.0.0/7]", "", "withdrawn"),
]

NEXT_HOPS = [
    ("nexthop", "classic v6 multicast vpn evpn mapped twohops", "withdrawn v6withdrawn end open as4new"),
    ("nh == 37.49.236.145", "classic", "prepended v6"),
    ("nexthop == 2001:7f8:4:1::d1c:2", "v6", "v6both classic"),
    ("nexthop == fe80::2d0:3ff:fe99:f400", "", "v6"),
    ("nexthop == 198.129.33.85", "multicast", "classic"),
    ("nexthop == 120.0.2.5", "evpn", "vpn"),
    ("nexthop == 255.255.255.255", "twohops", "classic"),
    ("nexthop == 10.0.0.2", "", "twohops"),
    ("nexthop == 193.0.0.56", "mapped", "classic"),
    ("nexthop == ::ffff:193.0.0.56", "mapped", "classic"),
    ("nexthop != 37.49.236.145", "prepended v6 vpn evpn", "classic withdrawn end"),
    ("nexthop < 38.0.0.0", "classic", "prepended v6"),
    ("nexthop < 37.49.236.145", "", "classic"),
    ("nexthop <= 37.49.236.145", "classic", "prepended"),
    ("nexthop > 255.0.0.0", "twohops", "classic v6"),
    ("nexthop > 255.255.255.255", "", "twohops v6"),
    ("nexthop >= 255.255.255.255", "twohops", "v6"),
    ("nexthop >= 2001:504::", "v6 v6both large", "classic mapped withdrawn"),
    ("nexthop < 2001:504:1::", "v6both large", "v6 classic"),
    ("nexthop ~ 37.49.0.0/16", "classic", "prepended"),
    ("nexthop ~ 2001:504::/32", "v6both large", "v6 classic"),
    ("nexthop ~ 0.0.0.0/0", "classic mapped evpn", "v6 withdrawn"),
    ("nexthop ~ ::/0", "v6 large", "mapped classic"),
    ("nexthop !~ 37.49.0.0/16", "prepended v6", "classic withdrawn"),
    ("nexthop in [37.49.236.145, 2001:7f8:4:1::d1c:2]", "classic v6", "prepended"),
]

PATHS = [
    ("aspath", "classic inner vpn as4new", "withdrawn twohops end open"),
    ("as_path == 174", "classic", "prepended inner withdrawn"),
    ("aspath == 701", "set", "egp"),
    ("aspath == 262685", "merged", "classic"),
    ("aspath == 23456", "as4void as4new", "merged as4long"),
    ("aspath == 65550", "", "as4void"),
    ("aspath == 5", "as4long", "as4void"),
    ("aspath == 70000", "", "as4new"),
    ("aspath == 65001", "", "confed"),
    ("aspath == 65003", "confed", "classic"),
    ("aspath != 174", "prepended set inner", "classic withdrawn twohops open"),
    ("aspath < 200", "classic", "prepended inner"),
    ("aspath <= 174", "classic", "prepended inner"),
    ("aspath < 174", "as4void", "classic"),
    ("aspath > 142353", "prepended merged", "classic inner"),
    ("aspath >= 262685", "merged", "prepended"),
    ("aspath in [1, 174, 701]", "classic set as4void", "prepended inner withdrawn"),
    ("aspath[0] == 49463", "classic", "prepended"),
    ("aspath[1] == 174", "classic", "prepended"),
    ("aspath[-1] == 135310", "classic", "prepended"),
    ("aspath[-7] == 49463", "classic", "prepended"),
    ("aspath[3] == 701", "set", "classic"),
    ("aspath[*] == 174", "classic", "prepended"),
    ("aspath[0] == 65003", "confed", "classic"),
    ("aspath[7]", "", "classic"),
    ("aspath[6]", "classic", "prepended inner"),
    ("aspath[-8]", "", "classic"),
    ("aspath[1] != 174", "prepended inner as4long", "classic withdrawn end"),
    ("aspath[2] < 3000", "classic", "prepended inner"),
    ("aspath[2] <= 2914", "classic", "prepended"),
    ("aspath[2] > 2914", "prepended", "classic inner"),
    ("aspath[2] >= 2914", "classic prepended", "v6both"),
    ("aspath[-3] in [132602, 58655]", "classic", "prepended inner"),
    ('aspath == "2914,9304,138840,142354,142354"', "prepended", "classic"),
    ('aspath == "1853,1239,13659,[13659,701]"', "set", "egp"),
    ('aspath == "5385,3356,4230,262685"', "merged", "classic"),
    ('aspath == "2914,9304,138840"', "", "prepended"),
    ('aspath == ""', "inner vpn", "classic withdrawn"),
    ('aspath == "65003"', "confed", "classic"),
    ('aspath != "2914,9304,138840,142354,142354"', "classic inner", "prepended withdrawn"),
    ("aspath ~ ,174,", "classic", "prepended"),
    ("aspath ~ ^2914,", "prepended", "classic"),
    ('aspath ~ "13(04|5310)$"', "classic", "prepended inner"),
    (r"aspath ~ \[13659,701\]$", "set", "egp"),
    ("aspath ~ 262685", "merged", "classic"),
    ("aspath ~ ^$", "inner vpn", "classic withdrawn"),
    ("aspath !~ ,174,", "prepended inner", "classic withdrawn open"),
    ("as_origin == 135310", "classic", "prepended"),
    ("as-origin == 701", "set", "egp"),
    ("as_origin == 13659", "set", "egp"),
    ("as_origin == 262685", "merged", "classic"),
    ("as_origin != 135310", "prepended inner", "classic withdrawn"),
    ("as_origin != 701", "egp", "set"),
    ("as_origin > 142353", "prepended merged", "classic set"),
    ("as_origin in [2108, 135310]", "egp classic", "set inner"),
    ("as_origin", "classic set", "inner withdrawn"),
    ("as_upstream == 9230", "classic", "prepended"),
    ("as_upstream == 142354", "prepended", "classic"),
    ("as_upstream != 9230", "prepended as4long", "classic withdrawn"),
    ("as_upstream", "classic v6both", "as4long inner"),
    ("as_peer == 49463", "classic", "prepended"),
    ("as_peer <= 1853", "set multicast", "classic inner"),
    ("as_peer", "classic confed", "inner withdrawn"),
    ("aspath_len", "classic inner", "withdrawn open"),
    ("aspath_len == 7", "classic", "prepended"),
    ("aspath_len == 5", "prepended large", "classic"),
    ("aspath_len == 4", "merged set", "prepended"),
    ("aspath_len == 1", "confed as4new", "inner"),
    ("aspath_len == 0", "inner vpn", "classic withdrawn"),
    ("aspath_len != 7", "prepended inner", "classic withdrawn"),
    ("aspath_len < 3", "v6both inner as4void", "classic v6 withdrawn"),
    ("aspath_len <= 3", "v6", "merged"),
    ("aspath_len > 6", "classic", "egp"),
    ("aspath_len >= 6", "classic egp", "prepended"),
    ("aspath_len in [5,6]", "prepended egp", "classic"),
    ("aspath_hops", "classic inner", "withdrawn"),
    ("aspath_hops == 4", "prepended merged set", "large"),
    ("aspath_hops == 7", "classic", "prepended"),
    ("aspath_hops != 4", "classic inner", "prepended withdrawn"),
    ("aspath_hops < 5", "prepended", "large"),
    ("aspath_hops <= 4", "prepended", "large"),
    ("aspath_hops > 4", "large", "prepended"),
    ("aspath_hops >= 5", "large", "prepended"),
    ("aspath_hops in [4]", "prepended", "large"),
]

NUMBERS = [
    ("origin", "classic egp", "withdrawn as4new"),
    ("origin == igp", "classic", "egp inner withdrawn"),
    ("origin == i", "classic", "egp inner"),
    ("origin == 0", "classic", "egp inner"),
    ("origin == EGP", "egp", "classic inner"),
    ("origin == e", "egp", "classic inner"),
    ("origin == 1", "egp", "classic inner"),
    ("origin == incomplete", "inner", "classic egp"),
    ("origin == ?", "inner", "classic egp"),
    ("origin == 2", "inner", "classic egp"),
    ("origin != igp", "egp inner", "classic withdrawn"),
    ("origin in [e, incomplete]", "egp inner", "classic"),
    ("med", "classic v6", "merged withdrawn"),
    ("med == 325", "classic", "prepended merged"),
    ("metric == 0x145", "classic", "prepended"),
    ("med != 325", "prepended v6", "classic merged withdrawn"),
    ("med < 325", "inner v6", "classic merged"),
    ("med <= 325", "classic", "prepended merged"),
    ("med > 325", "prepended", "classic merged"),
    ("med >= 325", "classic prepended", "inner"),
    ("med in [0, 325]", "classic v6", "prepended merged"),
    ("local_pref", "inner vpn", "classic withdrawn"),
    ("localpref == 100", "inner vpn", "classic"),
    ("local_pref != 100", "", "inner classic"),
    ("local_pref != 99", "inner vpn", "classic"),
    ("local-pref < 101", "inner", "classic"),
    ("local_pref <= 100", "inner", "classic"),
    ("local_pref > 99", "inner", "classic"),
    ("local_pref >= 101", "", "inner"),
    ("local_pref >= 100", "inner", "classic"),
    ("local_pref in [100]", "inner", "classic"),
    ("otc", "confed", "classic"),
    ("otc == 65000", "confed", "classic"),
    ("only_to_customer != 1", "confed", "classic"),
    ("otc < 65001", "confed", "classic"),
    ("otc <= 64999", "", "confed"),
    ("otc <= 65000", "confed", "classic"),
    ("otc > 65000", "", "confed"),
    ("otc > 64999", "confed", "classic"),
    ("otc >= 65000", "confed", "classic"),
    ("otc in [1,65000]", "confed", "classic"),
]

COMMUNITIES = [
    ("community", "classic mapped hostbits", "inner withdrawn"),
    ("com == 174:21000", "classic", "prepended inner"),
    ("community == 0xae5208", "classic", "prepended"),
    ("com != 174:21000", "prepended", "classic inner withdrawn open"),
    ("com in [1:2, 2914:1405]", "prepended", "classic inner"),
    (r'com ~ "^\"49463:4004\",\"174:"', "classic", "prepended"),
    ("com ~ :34", "prepended", "classic inner"),
    ("com !~ :34", "classic", "prepended inner"),
    ("com == no_export", "noexport", "classic"),
    ("com != NO_EXPORT", "classic", "noexport inner"),
    ("ext_community", "extended vpn evpn", "classic"),
    ("ext_com == TARGET:20485:1", "extended", "vpn classic"),
    ("com_ext == 0x0002500500000001", "extended", "vpn"),
    ("ext_com != target:20485:1", "vpn evpn", "extended classic"),
    ("ext_com in [TARGET:65000:100, TARGET:100:100]", "vpn evpn", "extended classic"),
    (r'ext_com ~ "\"TARGET\",\"value\":\"204"', "extended", "vpn classic"),
    ("ext_com !~ 20485", "vpn", "extended classic"),
    ("large_community", "large", "classic"),
    ("large_com == 20473:0:3021840116", "large", "classic"),
    ("com_large != 20473:0:3021840116", "", "large classic"),
    ("com-large != 1:2:3", "large", "classic"),
    ("large_com in [1:2:3, 20473:0:3021840116]", "large", "classic"),
    ("large_com ~ 20473:0:", "large", "classic"),
    ("large_com !~ 20473:1:", "large", "classic"),
]

OF_EVERY_TYPE = [
    ("tag", "classic withdrawn open keepalive", "prepended notify"),
    ("tag[PEER_AS]", "classic open", "keepalive prepended"),
    ("tag[note]", "keepalive", "classic"),
    ('tag[note] == ""', "keepalive", "classic prepended"),
    ("tag[PEER_AS] == 12614", "open", "classic prepended"),
    ('tags["PEER_AS"] != 12614', "classic withdrawn", "open prepended keepalive"),
    ("tag[PEER_AS] in [6939, 12614]", "open v6both", "classic prepended"),
    ("tag[PEER_IP] ~ :", "v6both", "classic open"),
    ("tag[PEER_IP] !~ :", "classic", "v6both open"),
    ("tag == 6939", "v6both", "classic"),
    ("tag != 6939", "classic open keepalive", "v6both prepended"),
    ("tag ~ ^2001", "v6both", "classic"),
    ("tag !~ ^2001", "classic open", "v6both prepended"),
    ("tag in [6939, 49463]", "classic v6both", "open"),
    ("tag[peer_as] == 12614", "", "open"),
    ("dir == L", "withdrawn", "classic open"),
    ("dir = r", "classic open", "withdrawn"),
    ("dir != L", "classic keepalive", "withdrawn"),
    ("dir in [l]", "withdrawn", "classic"),
    ("dir", EVERY, ""),
    ("seq == 1", "classic", "prepended open"),
    ("seq != 1", "prepended open", "classic"),
    ("seq < 2", "classic", "prepended"),
    ("seq <= 2", "classic prepended", "merged open"),
    ("seq > 2", "merged open", "prepended"),
    ("seq >= 2", "prepended", "classic"),
    ("seq in [1, 3]", "classic merged", "prepended"),
    ("seq", EVERY, ""),
    ("time", EVERY, ""),
    ("time == 2016-08-11T16:00:18", "classic", "prepended"),
    ("time == 1642610701.30398", "prepended", "classic"),
    ("time != 2016-08-11T16:00:18Z", "prepended open", "classic"),
    ("time < 2016-08-11T16:00:19", "classic keepalive", "prepended"),
    ("time <= 2022-01-19T16:45:01.303979", "classic", "prepended"),
    ("time > 2022-01-19T17:45:01.303+01:00", "prepended", "classic"),
    ("time >= 2023-01-01", "", "prepended"),
    ("time >= 2016-08-11T16:00:18", "classic prepended", "keepalive"),
    ("time < 1970-01-02", "keepalive", "classic"),
    ("time ~ T16:", "classic prepended open", "keepalive"),
    (r"time ~ \.303980$", "prepended", "classic"),
    ("time ~ 18.000$", "classic", "prepended"),
    ("time !~ ^2016", "prepended keepalive", "classic"),
    ("time in [2016-08-11T16:00:18, 1970-01-01]", "classic keepalive", "prepended"),
]

JSON = [
    ("json[reach]", "classic pathid", "withdrawn v6 hostbits open"),
    ("json[reach.1]", "classic prepended", "merged"),
    ("json[reach.0] == 187.120.32.0/20", "merged", "classic"),
    ('json[reach.0] == "#36#10.0.10.0/24"', "pathid", "classic"),
    ("json[reach.0] != 187.120.32.0/20", "classic", "merged withdrawn open"),
    ("json[attrs.MED.value] == 325", "classic", "prepended merged"),
    ('json[attrs.MED.value] == "325"', "classic", "prepended"),
    ("json[attrs.MED.value] == 325.0", "classic", "prepended"),
    ("json[attrs.MED.value] != 325", "prepended v6", "classic merged open"),
    ("json[attrs.MED.value] < 100.5", "v6", "inner classic"),
    ("json[attrs.MED.value] <= 101", "inner v6", "classic"),
    ("json[attrs.MED.value] > 324.9", "classic", "inner merged"),
    ("json[attrs.MED.value] >= 325", "classic prepended", "inner"),
    ("json[id] < 5", "", "open classic"),
    ("!json[id] < 5", "open", "classic"),
    ("json[params] > 5", "", "open classic"),
    ("json[attrs.MED.flags] == O", "classic", "merged"),
    ("json[attrs.ASPATH.value.3.1] == 701", "set", "classic"),
    ("json[attrs.ASPATH.value.3]", "set classic", "v6"),
    ('json[attrs.ASPATH.value.3] ~ "^.13659,701.$"', "set", "classic"),
    ("json[attrs.MP_REACH.value.af] == IPV6/UNICAST", "v6 large", "multicast classic"),
    ("json[attrs.MP_REACH.value.af] ~ ^IPV6", "v6", "multicast classic"),
    ("json[attrs.MP_REACH.value.af] !~ ^IPV6", "multicast vpn", "v6 classic open"),
    ("json[attrs.EXT_COMMUNITY.value.0.type] in [TARGET, X]", "extended vpn", "classic"),
    ("json[as_size] == 2", "merged withdrawn", "classic"),
    ("json[hold] == 180", "open", "classic"),
    ("json[caps.ROUTE_REFRESH] == true", "open", "classic"),
    ("json[code] == 6", "notify", "open"),
    ("json[name] == CEASE/ADMIN_RESET", "notify", "open"),
    ("attr[MED]", "classic", "merged open"),
    ("attr[med] == 325", "classic", "prepended merged"),
    ("attr[MED] != 325", "prepended", "classic merged"),
    ("attr[MED] < 325", "inner", "classic merged"),
    ("attr[MED] <= 325", "classic", "prepended"),
    ("attr[MED] > 325", "prepended", "classic"),
    ("attr[MED] >= 325", "classic", "inner"),
    ("attr[MED] in [0, 325]", "classic v6", "prepended"),
    ("attr[ORIGIN] == IGP", "classic", "inner"),
    ("attr[origin] ~ ^I", "classic inner", "egp withdrawn"),
    ("attr[origin] !~ ^IG", "egp inner", "classic withdrawn"),
    ("attr[AGGREGATOR.asn] == 13659", "set", "classic"),
    ("attr[ASPATH.0] == 49463", "classic", "prepended"),
    ("attr[AS4PATH]", "merged as4new", "classic"),
    ("attr[COMMUNITY.1] == 174:21000", "classic", "prepended"),
    ("attr[ATTR_99]", "", "classic"),
]

ABSENT = [
    # Whoever lacks the attribute: a comparison is neither true nor false, its negation in parentheses is.
    ("!med", less("classic prepended inner v6"), "classic v6 open keepalive"),
    ("!(med == 325)", less("classic"), "classic open"),
    ("!med == 325", "prepended v6", "classic merged open"),
    ("!med < 325", "classic prepended", "inner merged open"),
    ("!(med < 325)", less("inner v6"), "inner open"),
    ("!com ~ 174:21", "prepended", "classic inner"),
    ("!(com ~ 174:21)", less("classic"), "classic open"),
    ("!(com != 174:21000)", less("prepended mapped large extended hostbits noexport"), "prepended open"),
    ("!as_origin", "inner withdrawn twohops", "classic open"),
    ("!prefix", "evpn end as4new as4void as4long", "classic vpn open"),
    ("!(unreach ~ 0.0.0.0/0)", less("classic withdrawn"), "classic withdrawn open"),
    ("!unreach ~ 0.0.0.0/0", "v6both v6withdrawn", "classic withdrawn end open"),
    ("!ipv4", "v6 multicast vpn", "classic end open"),
    ("!af", "", EVERY),
    ("!tag", "prepended notify", "classic open"),
    ("!tag[PEER_AS]", "keepalive prepended notify", "classic open"),
    ("!tag[PEER_AS] == 12614", "classic withdrawn", "open keepalive prepended"),
    ("!(tag[PEER_AS] == 12614)", "classic prepended keepalive", "open"),
    ("!update", OTHERS, UPDATES),
    ("!json[hold]", "classic keepalive notify", "open"),
    ("!(json[hold] == 180)", "classic keepalive notify", "open"),
    ("!json[hold] == 180", "", EVERY),
    ("!attr[MED]", "merged withdrawn", "classic open"),
]

TOGETHER = [
    ("med && com", "classic prepended", "inner mapped v6"),
    ("med || com", "classic inner mapped", "merged withdrawn open"),
    ("med && com || otc", "classic confed", "inner mapped"),
    ("otc || med && com", "classic confed", "inner mapped"),
    ("(otc || med) && com", "classic", "confed inner"),
    ("!(med || com)", "merged withdrawn end", "classic inner mapped open keepalive"),
    ("!(med && com)", "merged inner mapped", "classic open"),
    # Of others than UPDATEs nothing is known by tests of UPDATEs, whatever stands around these alone ...
    ("!(!med)", "classic", "merged open"),
    ("!(med == 1 || !(com && !otc))", "", "open keepalive"),
    ("!med || !com", "merged inner mapped", "classic open"),
    # ... while beside others each is false.
    ("open || !med", "open merged", "classic keepalive"),
    ("open && !med", "", "open merged"),
    ("!(open && med)", EVERY, ""),
    ("!(open || med)", "keepalive merged", "open classic"),
    ("!(dir == L && !med)", "classic merged keepalive open", "withdrawn"),
    ("dir == R && !(med || com)", "merged end", "withdrawn open classic"),
    ("!(update && !(prefix || aspath))", less("end") + " open notify", "end"),
    ("type == OPEN || as_origin == 135310", "open classic", "keepalive prepended"),
]

CASES = [
    *TYPES, *FAMILIES, *NLRI, *NEXT_HOPS, *PATHS, *NUMBERS, *COMMUNITIES, *OF_EVERY_TYPE, *JSON, *ABSENT, *TOGETHER
]  # fmt: skip

MESSAGES = {name: real.msg(seq) for seq, (name, real) in enumerate(REAL.items(), 1)}
BATCH = collect(MESSAGES.values())


def by_program(text: str) -> set[str]:
    found = Filter(text).program.matches(BATCH)
    return {name for name, matches in zip(MESSAGES, found, strict=True) if matches}


def by_match(text: str) -> set[str]:
    wanted = Filter(text)
    return {name for name, msg in MESSAGES.items() if wanted.match(msg)}


def by_oracle(text: str) -> set[str]:
    tree = Filter(text).tree
    return {name for name, msg in MESSAGES.items() if filter_oracle.matches(tree, Message.of(msg))}


@pytest.mark.parametrize(("text", "takes", "leaves"), CASES, ids=[text for text, _, _ in CASES])
def test_meaning(text: str, takes: str, leaves: str) -> None:
    found = by_program(text)
    assert set(takes.split()) <= found
    assert not set(leaves.split()) & found
    assert not BROKEN & found
    assert by_match(text) == found
    assert by_oracle(text) == found


OF_ALL_MESSAGES = {("type", ""), ("dir", ""), ("seq", ""), ("time", "")}  # nobody is without


def test_each_comparison_takes_some_and_leaves_some() -> None:
    found: dict[tuple[str, str], tuple[bool, bool]] = {}
    for text, takes, leaves in CASES:
        tree = Filter(text).tree
        if isinstance(tree, Test):
            some, others = found.get((tree.attribute, tree.operator), (False, False))
            found[tree.attribute, tree.operator] = some or bool(takes), others or bool(leaves)
    assert found.keys() == {(name, operator) for name, kind in KINDS.items() for operator in kind.operators}
    assert {case for case, both in found.items() if both != (True, True)} == OF_ALL_MESSAGES


def test_a_file_of_prefixes(tmp_path: Path) -> None:
    path = tmp_path / "prefixes"
    path.write_text("# two\n80.0.0.0/8\n\n2001:13f0::/32 # of IPv6\n")
    text = f"prefix in file({path})"
    assert by_program(text) == by_oracle(text) == by_match(text) == {"withdrawn", "v6withdrawn"}
    assert by_program(f"!({text}) && unreach") == by_oracle(f"!({text}) && unreach") == {"classic", "v6both"}


@pytest.mark.parametrize("text", ["type", "update", "!update", "!(med == 1)", "dir == R", "!(dir == L)", "!tag", "med || !med"])
def test_what_does_not_parse_matches_nothing(text: str) -> None:
    for name in BROKEN:
        assert MESSAGES[name].error is not None
        assert not Filter(text).match(MESSAGES[name])
    assert not by_program(text) & BROKEN


def test_what_a_match_rests_on_is_checked_and_counted() -> None:
    """A filter that says yes has read the message to its last octet."""
    batch = collect(real.msg(1) for real in REAL.values())
    Filter("update || open").program.matches(batch)
    assert batch.failed == len(BROKEN)
    assert {name for name, msg in zip(REAL, batch, strict=True) if msg.error} == BROKEN
