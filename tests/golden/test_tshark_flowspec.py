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
VALUES = {8: f"{FLOW}.dec_val_8", 16: f"{FLOW}.dec_val_16"}
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
NUMERIC = {{"true": True, "false": False}.get(text, text): code for code, text in names.FLOW_NUMERIC.items()}
BITMASK = {text: code for code, text in names.FLOW_BITMASK.items()}
LARGEST = {"PROTO": 8, "ICMP_TYPE": 8, "ICMP_CODE": 8, "DSCP": 6, "TCP_FLAGS": 8, "FRAG": 4}  # in bits, 16 of all others
FAMILIES = ["IPV4/FLOWSPEC", "IPV6/FLOWSPEC", "IPV4/L3VPN_FLOWSPEC", "IPV6/L3VPN_FLOWSPEC"]


def listed(chance: Chance, name: str) -> list[Rule]:
    operators = BITMASK if name in BITS else NUMERIC
    found = []
    for place in range(chance.randrange(1, 4)):
        value = chance.randrange(2 ** LARGEST.get(name, 16))
        test: Rule = {"and": True} if place and chance.randrange(2) else {}
        test["op"] = chance.choice(list(operators))
        found.append(test | ({"len": 1, "val": f"0x{value:x}"} if name in BITS else {"val": value}))
    return found


def rule(chance: Chance, family: str) -> Rule:
    made: Rule = {"rd": f"{chance.randrange(2**16)}:{chance.randrange(2**32)}"} if "L3VPN" in family else {}
    for name in names.FLOW_COMPONENTS.values():
        if name == "LABEL" or chance.randrange(2):
            continue
        if name in ("DST", "SRC"):
            made[name] = "/".join(map(str, chance.prefix(1 if family.startswith("IPV4") else 2)))
        else:
            made[name] = listed(chance, name)
    return made


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
            for place, test in enumerate(value, 1):
                tested = int(str(test["val"]), 0)
                size = 16 if tested > 255 else 8
                octet = 0x80 * (place == len(value)) | 0x40 * ("and" in test) | (size // 16) << 4
                octet |= (BITMASK if name in BITS else NUMERIC)[test["op"]]
                found[f"{FLOW}.opflags"].append(f"0x{octet:02x}")
                field = DSCP if name == "DSCP" else BITS.get(name) or VALUES[size]
                found[field].append(str(tested) if field in VALUES.values() else f"0x{tested:02x}")
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_each_field(family: str) -> None:
    chance = Chance(family)
    messages, wanted = [], []
    for _ in range(60):
        rules = [made for made in (rule(chance, family) for _ in range(3)) if made.keys() - {"rd"}]
        view = Update(mp_reach={"af": family, "rules": rules}, origin="IGP")
        assert view.mp_reach is not None
        assert view.mp_reach.nlri == rules
        messages.append(view.msg.wire)
        wanted.append(expected(rules, 1 if family.startswith("IPV4") else 2))
    for wire, said, packet in zip(messages, wanted, tshark.dissect(messages, FIELDS), strict=True):
        assert packet == said, wire.hex()
