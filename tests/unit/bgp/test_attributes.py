"""Attributes that have a layout: what is wrong with what cannot be encoded, and with octets that do not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bgpipe._attributes import encode_attribute
from bgpipe._json import attribute_text
from bgpipe._layouts import attribute_problem
from bgpipe._update import Update
from bgpipe.bgp.attributes import LAYOUTS
from bgpipe.bgp.layouts import TLVS, Layout
from bgpipe.errors import FieldError
from bgpipe.names import ATTRIBUTES, EXT_COMMUNITIES
from wire.attribute_vectors import VALUES

CODES = {name: code for code, name in ATTRIBUTES.items()}
VNI = {"flags": "L", "type": "INGRESS_REPLICATION", "vni": 10000, "id": "192.0.2.1"}
POLICY: dict[str, Any] = {"type": "PREFERENCE", "value": {"flags": "", "preference": 100}}


def encode(name: str, value: Any) -> bytes:
    return encode_attribute(CODES[name], value, 4, {})


@pytest.mark.parametrize(("title", "head", "wire", "value"), VALUES)
def test_python_has_what_json_has(title: str, head: str, wire: str, value: Any) -> None:
    name = title.split()[0]
    octets = bytes.fromhex(wire)
    update = Update(attrs={name: octets})
    typed = value is not True and not (isinstance(value, str) and value.startswith("0x"))
    assert update.attrs[name].value == (value if typed else octets)
    update.attrs[name] = value
    assert update.attrs[name].octets == octets


@pytest.mark.parametrize(
    ("name", "value", "wire"),
    [
        ("AIGP", "0x01", "01"),
        ("AIGP", "7", "01000b0000000000000007"),
        ("PMSI_TUNNEL", VNI, "01 06 002710 c0000201"),
        ("PMSI_TUNNEL", VNI | {"label": 625}, "01 06 002710 c0000201"),
        ("PMSI_TUNNEL", VNI | {"vni": None, "label": 625}, "01 06 002710 c0000201"),
        ("PMSI_TUNNEL", VNI | {"type": 6, "flags": 1}, "01 06 002710 c0000201"),
        ("PMSI_TUNNEL", VNI | {"type": "ingress-replication", "flags": "l"}, "01 06 002710 c0000201"),
        ("PMSI_TUNNEL", VNI | {"id": "0xff"}, "01 06 002710 ff"),
        ("TUNNEL", [{"type": "vxlan", "value": [{"type": 4, "value": "100"}]}], "0008 000a 04 08 030b 0000 00000064"),
        ("TUNNEL", [{"type": 15, "value": [POLICY]}], "000f 0008 0c 06 00 00 00000064"),
        ("TUNNEL", [{"type": 15, "value": "0x0c"}], "000f 0001 0c"),
        ("PREFIX_SID", [{"type": 1, "value": {"flags": 0, "index": 5}}], "01 0007 00 0000 00000005"),
        ("BFD_DISCRIMINATOR", {"mode": 1, "discriminator": 5, "tlvs": None}, "01 00000005"),
        ("IPV6_EXT_COMMUNITY", ["TARGET:2001:db8::1:5"], "0002 20010db8000000000000000000000001 0005"),
        ("SET", {"asn": "65000", "attrs": {"MED": 5}}, "0000fde8 80 04 04 00000005"),
    ],
)
def test_spellings(name: str, value: Any, wire: str) -> None:
    assert encode(name, value) == bytes.fromhex(wire)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("AIGP", -1, "-1, expected a number (0 to 18446744073709551615)"),
        ("AIGP", [{"type": "AIGP", "value": "x"}], '[0].value: "x", expected a number'),
        ("AIGP", [{"type": "AIGP"}], 'expected an object of "type" and "value"'),
        ("PMSI_TUNNEL", VNI | {"label": 5}, "label: label 5 and vni 10000 are not the same 24 bits"),
        ("PMSI_TUNNEL", VNI | {"flags": "Z"}, 'flags: "Z", expected flags: letters of "EFBUL", then a number'),
        ("PMSI_TUNNEL", VNI | {"flags": "9" * 5000}, "flags: "),
        ("PMSI_TUNNEL", VNI | {"id": "nowhere"}, 'id: "nowhere", expected an IP address'),
        ("PMSI_TUNNEL", VNI | {"more": 1}, "expected flags, type, label, id, vni"),
        ("PMSI_TUNNEL", {"flags": "", "type": 0}, "label: null, expected a label"),
        ("TUNNEL", {}, "{}, expected a list of TLVs"),
        ("TUNNEL", [{"type": "X", "value": []}], '[0].type: "X", expected one of L2TPV3'),
        ("TUNNEL", [{"type": 8, "value": [{"type": 4, "value": "red"}]}], '[0].value[0].value: "red", expected a number'),
        ("TUNNEL", [{"type": 8, "value": [{"type": 7, "value": 256}]}], "[0].value[0].value: 256, expected a number (0 to 255)"),
        ("TUNNEL", [{"type": 8, "value": [{"type": 99, "value": 1}]}], "[0].value[0].value: 1, expected true where the value is empty"),
        ("TUNNEL", [{"type": 8, "value": [{"type": 9, "value": "0x" + "00" * 256}]}], "256 octets or items, expected 255 at most"),
        ("TUNNEL", [{"type": 15, "value": [POLICY | {"value": {"flags": ""}}]}], "[0].value[0].value.preference: is missing"),
        ("TUNNEL", [{"type": 15, "value": [{"type": "POLICY_NAME", "value": {"name": "\ud800"}}]}], "name: "),
        ("BGPSEC_PATH", {"path": [], "signatures": [{"algorithm": 1, "segments": [{"ski": "0x00", "signature": "0x"}]}]}, "signatures[0].segments[0].ski: 1 octets, expected 20"),
        ("DPATH", [[{"asn": 1, "id": 1, "safi": 1}] * 256], "[0]: 256 octets or items, expected 255 at most"),
        ("SET", {"asn": 1}, 'expected an object with "asn" and "attrs"'),
        ("SET", {"asn": 1, "attrs": {None: 1}}, "attrs.NoneType: null, expected an attribute"),
        ("SET", {"asn": 1, "attrs": {"MED": "x"}}, 'attrs.MED: "x", expected a number'),
        ("IPV6_EXT_COMMUNITY", ["TARGET:1.2.3.4:1"], 'value: "1.2.3.4", expected an IPv6 address'),
        ("IPV6_EXT_COMMUNITY", [{"type": "TARGET", "value": 1}], '[0].value: 1, expected "address:number"'),
    ],
)  # fmt: skip
def test_errors(name: str, value: Any, problem: str) -> None:
    with pytest.raises(FieldError) as caught:
        encode(name, value)
    assert problem in str(caught.value)


FINE, BAD_LENGTH, BAD_VALUE, BAD_PARTS = 0, 1, 2, 6  # of _check.pxd


@pytest.mark.parametrize(
    ("name", "wire", "strict", "loose"),
    [
        ("AIGP", "01000b0000000000000007", FINE, FINE),
        ("AIGP", "0100070000000a", BAD_LENGTH, FINE),
        ("AIGP", "01000b00000000000000", BAD_PARTS, BAD_PARTS),
        ("PMSI_TUNNEL", "0006002710", FINE, FINE),
        ("PMSI_TUNNEL", "000600", BAD_LENGTH, BAD_LENGTH),
        ("TUNNEL", "0013 0003 08 01 17", BAD_LENGTH, FINE),
        ("TUNNEL", "000f 0008 0c 06 00 01 00000064", BAD_VALUE, FINE),
        ("TUNNEL", "0013 0002 08 02", BAD_PARTS, FINE),
        ("TUNNEL", "0013 0003 08 02", BAD_PARTS, BAD_PARTS),
        ("PREFIX_SID", "01 0006 00 0000 000000", BAD_LENGTH, FINE),
        ("DPATH", "02 0000000a 0002 80", BAD_LENGTH, BAD_LENGTH),
        ("BGPSEC_PATH", "0001", BAD_PARTS, BAD_PARTS),
        ("ORIGIN", "07", FINE, FINE),
    ],
)
def test_problems(name: str, wire: str, strict: int, loose: int) -> None:
    octets = bytes.fromhex(wire)
    assert attribute_problem(CODES[name], octets) == strict
    assert attribute_problem(CODES[name], octets, strict=False) == loose


def layouts(node: Layout) -> list[Layout]:
    inner = [*node.nodes]
    if node.kind == TLVS:
        inner += [layout for layout in (*node.more[1].values(), node.more[2]) if layout is not None]
    return [node, *(found for one in inner for found in layouts(one))]


def test_names_of_tlvs_fit_the_room_for_text() -> None:
    """A TLV without octets takes two on the wire, for which the writer has 48 of text."""
    for layout in LAYOUTS.values():
        for node in layouts(layout):
            for name in node.more[0].values() if node.kind == TLVS else ():
                assert len(f'{{"type":"{name}","value":true}},') <= 48


def test_no_community_takes_more_text_than_there_is_room_for() -> None:
    for kind in EXT_COMMUNITIES:
        for six in (b"\xff" * 6, b"\0\0\xff\xff\xff\xff", b"\xff\xff\x5f\x7f\xff\xff", b"\1\0\0\xff\xff\xf0"):
            text = attribute_text(16, (kind | 0x4000).to_bytes(2) + six)
            assert text is not None
            assert len(text) <= 8 * 24
            assert json.loads(text)
