"""Rules of flows as people write them, to octets; the exact form is in tests/wire/nlri_vectors.py."""

from __future__ import annotations

from typing import Any

import pytest

from bgpipe import Msg, Update
from bgpipe.bgp.flowspec import encode_rule, rule_length
from bgpipe.errors import FieldError


@pytest.mark.parametrize(
    ("rule", "octets"),
    [
        ({"proto": 17}, "038111"),
        ({"proto": [6, 17]}, "0301068111"),
        ({"port-dst": {"op": "=", "val": 443}}, "059101bb"),
        ({"PORT": "0x50"}, "048150"),
        ({"pktlen": [{"op": True, "val": 0}]}, "0a8700"),
        ({"pktlen": [{"op": "FALSE", "val": 0}]}, "0a8000"),
        ({"frag": "0x2"}, "0c8002"),
        ({"tcp-flags": [{"op": "not-all", "val": 18}]}, "098312"),
        ({"port": 1, "dst": "10.0.0.0/8"}, "01080a048101"),
        ({"pktlen": {"len": 4, "val": 1}}, "0aa100000001"),
    ],
)
def test_reading_is_lenient(rule: dict[str, Any], octets: str) -> None:
    """Names in any case, numbers for tests of equality or of any of the bits, components in any order."""
    assert encode_rule(rule, 1).hex() == octets


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"DST": "10.0.0.1/8"}, 'DST: "10.0.0.1/8", expected no bits behind the first 8'),
        ({"DST": "10.0.0.0"}, 'DST: "10.0.0.0", expected a prefix such as "192.0.2.0/24"'),
        ({"DST": "2001:db8::/32"}, "DST: "),
        ({"PORT": []}, "PORT: [], expected one test or more"),
        ({"PORT": [{"op": "~", "val": 1}]}, r'PORT[0].op: "~", expected false, ==, >'),
        ({"PORT": [{"val": -1}]}, "PORT[0].val: -1, expected a number"),
        ({"PORT": [{"op": "=="}]}, "PORT[0].val: "),
        ({"PORT": [{"val": 256, "len": 1}]}, "PORT[0].len: 1, expected octets of the value: 1, 2, 4 or 8, 2 at least"),
        ({"PORT": [{"val": 1, "len": 2.0}]}, "PORT[0].len: 2.0, expected octets of the value"),
        ({"PORT": [{"val": 1, "and": 1.5}]}, "PORT[0].and: 1.5, expected true or false"),
        ({"PORT": [{"val": 1, "mask": 1}]}, 'PORT[0]: "mask", expected and, op, len or val'),
        ({"FRAG": [{"op": "==", "val": 1}]}, 'FRAG[0].op: "==", expected ANY, ALL, NONE, NOT-ALL'),
        ({"LABEL": 1}, '"LABEL", expected DST, SRC'),
        ({"COLOR": 1}, '"COLOR", expected DST, SRC'),
        ({"dst": "10.0.0.0/8", "DST": "10.0.0.0/8"}, "DST: given twice"),
    ],
)
def test_errors_say_where(rule: dict[str, Any], error: str) -> None:
    with pytest.raises(FieldError) as caught:
        encode_rule(rule, 1)
    assert str(caught.value).startswith(error)


@pytest.mark.parametrize("text", ["2001:db8::/16", "2001:db8::/48-32", "2001:db8::/32-32", "::1/0", "2001:db8::/16-x", "1::/0-16/"])
def test_ipv6_prefixes_that_are_none(text: str) -> None:
    with pytest.raises(FieldError):
        encode_rule({"DST": text}, 2)


def test_lengths() -> None:
    assert rule_length(239) == b"\xef"
    assert rule_length(240) == b"\xf0\xf0"
    assert rule_length(4095) == b"\xff\xff"
    with pytest.raises(FieldError, match="a rule of 4096 octets, expected 4095 at most"):
        rule_length(4096)


def test_a_long_rule_comes_back() -> None:
    rules = [{"DSCP": [{"op": "==", "val": 1}] * 1000, "FRAG": [{"op": "ANY", "len": 1, "val": "0x2"}]}]
    update = Update(mp_reach={"af": "IPV4/FLOWSPEC", "rules": rules})
    assert update.mp_reach is not None
    assert update.mp_reach.nlri == rules
    assert Msg.from_json(update.msg.to_json()).wire == update.msg.wire


def test_rules_of_a_message_can_be_changed() -> None:
    update = Update(mp_reach={"af": "IPV6/FLOWSPEC", "rules": [{"dst": "2001:db8::/32"}]})
    assert update.mp_reach is not None
    update.mp_reach.nlri = [*update.mp_reach.nlri, {"proto": 58}]
    assert update.mp_reach.nlri == [{"DST": "2001:db8::/32"}, {"PROTO": [{"op": "==", "val": 58}]}]
    with pytest.raises(FieldError, match=r"\[0\]\.dst"):
        update.mp_reach.nlri = [{"dst": "10.0.0.0/8"}]
    assert len(update.mp_reach.nlri) == 2


def test_rules_of_vpns_have_a_route_distinguisher() -> None:
    with pytest.raises(FieldError, match="no rd is given"):
        Update(mp_unreach={"af": "IPV4/L3VPN_FLOWSPEC", "rules": [{"proto": 17}]})
