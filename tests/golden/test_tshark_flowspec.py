"""Made rules of flow specification against tshark's dissector: components, operators and values as its fields have them.

What it does not read is not asked of it: values of four and eight octets (it takes eight of each), parts of IPv6 addresses with an
offset, and flow labels. Where DSCP is tested it shows the operators as those of bits.
"""

from __future__ import annotations

from typing import Any

import pytest

import tshark
from bgpipe import Update, names
from chance import Chance
from oracle_flowspec import operation

pytestmark = tshark.needed()

Rule = dict[str, Any]
FLOW = "bgp.flowspec_nlri"
RD = "bgp.flowspec_route_distinguisher"
PREFIXES = {
    ("DST", 1): f"{FLOW}.dst_prefix_filter",
    ("SRC", 1): f"{FLOW}.src_prefix_filter",
    ("DST", 2): f"{FLOW}.dst_ipv6_pref",
    ("SRC", 2): f"{FLOW}.src_ipv6_pref",
}
VALUES = {1: f"{FLOW}.dec_val_8", 2: f"{FLOW}.dec_val_16"}
BITS = {"TCP_FLAGS": f"{FLOW}.val_tcp.flags", "FRAG": f"{FLOW}.val_frag"}
DSCP = f"{FLOW}.val_dsfield"
DISTINGUISHERS = [f"{RD}_type", f"{RD}_admin_as_num_2", f"{RD}_asnum_4"]
FIELDS = [
    f"{FLOW}.filter_type",
    f"{FLOW}.opflags",
    *PREFIXES.values(),
    *VALUES.values(),
    *BITS.values(),
    DSCP,
    *DISTINGUISHERS,
]
NUMBERS = {name: code for code, name in names.FLOW_COMPONENTS.items()}
FAMILIES = ["IPV4/FLOWSPEC", "IPV6/FLOWSPEC", "IPV4/L3VPN_FLOWSPEC", "IPV6/L3VPN_FLOWSPEC"]


def expected(rules: list[Rule], afi: int) -> tshark.Packet:
    found: tshark.Packet = {field: [] for field in FIELDS}
    for made in rules:
        if "rd" in made:
            asn, _, number = made["rd"].partition(":")
            for field, part in zip(DISTINGUISHERS, ("0", asn, f"0x{int(number):08x}"), strict=True):
                found[field].append(part)
        for name, value in made.items():
            if name == "rd":
                continue
            found[f"{FLOW}.filter_type"].append(str(NUMBERS[name]))
            if name in ("DST", "SRC"):
                found[PREFIXES[name, afi]].append(value.partition("/")[0])
                continue
            for test in value:
                octet, octets = operation(test, name in BITS, test is value[-1])
                found[f"{FLOW}.opflags"].append(f"0x{octet:02x}")
                field = DSCP if name == "DSCP" else BITS.get(name) or VALUES[len(octets)]
                found[field].append(str(int.from_bytes(octets)) if field in VALUES.values() else f"0x{octets.hex()}")
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_each_field(family: str) -> None:
    chance = Chance(family)
    messages, wanted = [], []
    for _ in range(60):
        rules = [made for made in (chance.rule(family) for _ in range(3)) if made.keys() - {"rd"}]
        view = Update(mp_reach={"af": family, "rules": rules}, origin="IGP")
        assert view.mp_reach is not None
        assert view.mp_reach.nlri == rules
        messages.append(view.msg.wire)
        wanted.append(expected(rules, 1 if family.startswith("IPV4") else 2))
    for wire, said, packet in zip(messages, wanted, tshark.dissect(messages, FIELDS), strict=True):
        assert packet == said, wire.hex()
