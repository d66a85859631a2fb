"""Prefixes, extended communities, and what the readers and the views share to make octets of values."""

from __future__ import annotations

import ipaddress
import itertools
import pickle
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpipe._attributes import (
    ExtCommunity,
    Prefix,
    decode_prefixes,
    decode_segments,
    encode_attribute,
    encode_prefixes,
    encode_segments,
    family_name,
    pack_address,
    parse_family,
)
from bgpipe.bgp.communities import FORMS
from bgpipe.errors import FieldError

networks = st.one_of(
    st.builds(lambda a, n: ipaddress.ip_network((a, n), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32)),
    st.builds(
        lambda a, n: ipaddress.ip_network((a.to_bytes(16), n), strict=False),
        st.integers(0, 2**128 - 1) | st.integers(0, 2**32) | st.integers(0, 2**32 - 1).map(lambda low: 0xFFFF << 32 | low),
        st.integers(0, 128),
    ),
)
path_ids = st.none() | st.integers(0, 2**32 - 1)


# ---- prefixes


def test_prefix_parts() -> None:
    prefix = Prefix("#42#2001:db8::/32")
    assert (prefix.afi, prefix.bits, prefix.length, prefix.path_id) == (2, 128, 32, 42)
    assert (prefix.address, prefix.packed[:4], len(prefix.packed)) == ("2001:db8::", b"\x20\x01\x0d\xb8", 16)
    assert (str(prefix), repr(prefix)) == ("#42#2001:db8::/32", "Prefix('#42#2001:db8::/32')")
    plain = Prefix("192.0.2.0/24")
    assert (plain.afi, plain.bits, plain.length, plain.path_id, plain.packed) == (1, 32, 24, None, b"\xc0\0\x02\0")
    assert Prefix(plain, path_id=0) == Prefix("#0#192.0.2.0/24")
    assert Prefix(plain) == plain


@given(networks, path_ids)
def test_prefixes_are_those_of_ipaddress(network: ipaddress.IPv4Network | ipaddress.IPv6Network, path_id: int | None) -> None:
    prefix = Prefix(network, path_id=path_id)
    assert prefix.packed == network.network_address.packed
    assert prefix.length == network.prefixlen
    assert prefix.path_id == path_id
    assert ipaddress.ip_network(f"{prefix.address}/{prefix.length}") == network
    again = Prefix(str(prefix))
    assert again == prefix
    assert hash(again) == hash(prefix)
    assert prefix == str(prefix)
    assert pickle.loads(pickle.dumps(prefix)) == prefix


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (0x0102_0304, "::102:304"), (0, "::"), (1, "::1"), (0x1_0000, "::1:0"), (0xFFFF_0102_0304, "::ffff:1.2.3.4"),
        (0x2001_0DB8 << 96 | 1 << 48, "2001:db8:0:0:1::"), (0x2001_0DB8 << 96 | 1 << 48 | 1, "2001:db8::1:0:0:1"),
    ],
)  # fmt: skip
def test_ipv6_text(address: int, text: str) -> None:
    assert Prefix(ipaddress.ip_network((address, 128))).address == text


@given(networks, networks)
def test_prefixes_in_prefixes(
    one: ipaddress.IPv4Network | ipaddress.IPv6Network, other: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> None:
    inside = one.version == other.version and other.subnet_of(one)  # type: ignore[arg-type]
    assert (Prefix(other) in Prefix(one)) == inside
    assert (str(other) in Prefix(one)) == inside
    assert (str(other.network_address) in Prefix(one)) == (other.network_address in one)
    assert Prefix(one) in Prefix(one, path_id=5)


@given(st.lists(networks.flatmap(lambda network: path_ids.map(lambda path_id: Prefix(network, path_id=path_id)))))
def test_order(prefixes: list[Prefix]) -> None:
    def key(prefix: Prefix) -> tuple[int, bytes, int, int]:
        return prefix.afi, prefix.packed, prefix.length, -1 if prefix.path_id is None else prefix.path_id

    assert sorted(prefixes) == sorted(prefixes, key=key)
    for one, other in itertools.pairwise(prefixes):
        assert (one < other) == (key(one) < key(other))
        assert (one <= other) == (key(one) <= key(other))
        assert (one > other) == (key(one) > key(other))
        assert (one >= other) == (key(one) >= key(other))
        assert (one == other) == (key(one) == key(other))


def test_prefixes_and_other_things() -> None:
    prefix = Prefix("10.0.0.0/8")
    assert prefix != 5
    assert prefix != "nonsense"
    for compare in (lambda: prefix < 5, lambda: prefix <= 5, lambda: prefix > 5, lambda: prefix >= 5):  # type: ignore[operator]
        with pytest.raises(TypeError):
            compare()
    with pytest.raises(FieldError):
        "nonsense" in prefix  # noqa: B015
    with pytest.raises(FieldError, match="path id"):
        Prefix("10.0.0.0/8", path_id=2**32)
    with pytest.raises(AttributeError):
        prefix.length = 5  # type: ignore[misc]


@given(st.lists(networks), st.booleans())
def test_packed_prefixes(found: list[ipaddress.IPv4Network | ipaddress.IPv6Network], addpath: bool) -> None:
    for version, afi in ((4, 1), (6, 2)):
        prefixes = [Prefix(n, path_id=7 if addpath else None) for n in found if n.version == version]
        packed = encode_prefixes(prefixes, afi, 1, {})
        assert decode_prefixes(packed, afi, addpath) == prefixes
        assert len(packed) == sum(1 + (p.length + 7) // 8 + 4 * addpath for p in prefixes)


@given(st.binary(max_size=40), st.sampled_from([1, 2]), st.booleans())
def test_any_octets_as_prefixes(octets: bytes, afi: int, addpath: bool) -> None:
    try:
        prefixes = decode_prefixes(octets, afi, addpath)
    except FieldError as error:
        assert "not a prefix" in str(error)
    else:
        # What stands behind a prefix's length is not part of it, and is zero when it is packed again.
        again = encode_prefixes(prefixes, afi, 1, {})
        assert len(again) == len(octets)
        assert decode_prefixes(again, afi, addpath) == prefixes


# ---- families, addresses


@given(st.integers(0, 65535), st.integers(0, 255))
def test_families(afi: int, safi: int) -> None:
    assert parse_family(family_name(afi, safi)) == (afi, safi)
    assert parse_family(f"{afi}/{safi}") == (afi, safi)
    assert parse_family((afi, safi)) == (afi, safi)


@pytest.mark.parametrize("value", ["IPV4", "IPV4/UNICAST/X", "AFI(x)/1", "65536/1", "1/256", "-1/1", (1,), (1, 256), 5])
def test_wrong_families(value: object) -> None:
    with pytest.raises(FieldError):
        parse_family(value)


def test_addresses() -> None:
    assert pack_address(ipaddress.ip_address("192.0.2.1")) == b"\xc0\0\x02\x01"
    assert pack_address("::1") == bytes(15) + b"\x01"
    for value, bits in (("::1", 32), ("1.2.3.4", 128), ("fe80::1%eth0", 0), ("1.2.3", 0), ("é", 0), (b"1.2.3.4", 0)):
        with pytest.raises(FieldError):
            pack_address(value, bits)


# ---- AS paths


segment_lists = st.lists(
    st.tuples(st.integers(1, 4), st.lists(st.integers(0, 65535), min_size=1, max_size=255)), max_size=4
)


@given(segment_lists, st.sampled_from([2, 4]))
def test_segments_round_trip(segments: list[tuple[int, list[int]]], as_size: int) -> None:
    assert decode_segments(encode_segments(segments, as_size), as_size) == segments


@given(st.binary(max_size=60), st.sampled_from([2, 4]))
def test_any_octets_as_segments(octets: bytes, as_size: int) -> None:
    try:
        segments = decode_segments(octets, as_size)
    except FieldError as error:
        assert "not a path segment" in str(error)
    else:
        assert encode_segments(segments, as_size) == octets


# ---- extended communities

FORMED = [kind.to_bytes(2, "big") for kind in FORMS]


def test_ext_community_parts() -> None:
    target = ExtCommunity("TARGET:65000:1")
    assert (target.type, target.value, target.nontransitive) == ("TARGET", "65000:1", False)
    assert target.octets == bytes.fromhex("0002fde800000001")
    assert target == "target:65000:1" == target
    assert target == {"type": "TARGET", "value": "65000:1"}
    assert target == b"\x00\x02\xfd\xe8\0\0\0\x01"
    assert target != "nonsense"
    assert target != 5
    assert repr(target) == "ExtCommunity('TARGET:65000:1')"
    assert pickle.loads(pickle.dumps(target)) == target
    with pytest.raises(FieldError):
        ExtCommunity(b"short")


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("4002fde800000001", "TARGET:65000:1:nontransitive"),
        ("0102c00002010007", "IP4_TARGET:192.0.2.1:7"),
        ("0202000111700007", "AS4_TARGET:70000:7"),
        ("8108c00002010007", "FLOW_REDIRECT_IP4:192.0.2.1:7"),
        ("80080001000111ff", "FLOW_REDIRECT_AS2:1:70143"),
        ("8208000111700007", "FLOW_REDIRECT_AS4:70000:7"),
        ("8006000000000001", "FLOW_RATE_BYTES:0x1"),
        ("4011000500000006", "0x4011:5:6"),
        ("4004fde84cee6b28", "LINK_BANDWIDTH:65000:125000000:nontransitive"),
        ("0004fde83f000000", "LINK_BANDWIDTH:0xfde83f000000"),
        ("4300000000000001", "VALIDATION_STATE:NOT_FOUND:nontransitive"),
        ("4301010200000005", "COST:1:2:5:nontransitive"),
        ("0306000000010200", "OSPF_ROUTE_TYPE:0.0.0.1:2:0"),
        ("030b000000000064", "COLOR:100"),
        ("030b400000000064", "COLOR:1:100"),
        ("030b200000000064", "COLOR:0x200000000064"),
        ("030c000000000008", "ENCAPSULATION:VXLAN"),
        ("030c000000000063", "ENCAPSULATION:99"),
        ("0600010000000005", "MAC_MOBILITY:STICKY:5"),
        ("0600000000000005", "MAC_MOBILITY:5"),
        ("0601010000000640", "ESI_LABEL:SINGLE_ACTIVE:100"),
        ("0601000000000641", "ESI_LABEL:0x641"),
        ("0602001122334455", "ES_IMPORT:00:11:22:33:44:55"),
        ("060bc00002010007", "EVI_RT_TYPE_1:192.0.2.1:7"),
        ("0303000000000001", "0x303:0x1"),
        ("0303001234567890", "0x303:0x1234567890"),
    ],
)
def test_ext_community_text(octets: str, text: str) -> None:
    community = ExtCommunity(bytes.fromhex(octets))
    assert str(community) == text
    assert ExtCommunity(text) == community


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("encapsulation:vxlan", "030c000000000008"),
        ("ENCAPSULATION:8", "030c000000000008"),
        ("MAC_MOBILITY:sticky:5", "0600010000000005"),
        ("ROUTERS_MAC:AA:bb:22:33:44:55", "0603aabb22334455"),
        ("LINK_BANDWIDTH:65000:1.25e8", "0004fde84cee6b28"),
        ("LINK_BANDWIDTH:65000:0.5", "0004fde83f000000"),
        # a type given as a number has the value that its family gives it, as for those who do not know its name
        ("0x4:65000:125000000", "0004fde807735940"),
        ("0x4004:65000:1287568424", "4004fde84cbebc28"),
    ],
)
def test_ext_community_spellings(text: str, octets: str) -> None:
    assert ExtCommunity(text).octets.hex() == octets


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("COLOR:red", 'value: "red", expected a number (0 to 4294967295)'),
        ("COLOR:1:2:3", 'value: "1:2:3", expected "number" or "number:number"'),
        ("ENCAPSULATION:XXX", "expected one of L2TPV3, GRE"),
        ("MAC_MOBILITY:MOVED:5", 'value: "MOVED:5", expected "number" or "STICKY:number"'),
        ("ROUTERS_MAC:00:11", 'value: "00:11", expected a MAC address'),
        ("LINK_BANDWIDTH:65000:fast", 'value: "fast", expected a rate'),
    ],
)
def test_ext_community_errors(text: str, problem: str) -> None:
    with pytest.raises(FieldError, match=re.escape(problem)):
        ExtCommunity(text)


@given(st.binary(min_size=8, max_size=8) | st.builds(bytes.__add__, st.sampled_from(FORMED), st.binary(min_size=6, max_size=6)))
def test_ext_communities_round_trip(octets: bytes) -> None:
    community = ExtCommunity(octets)
    assert ExtCommunity(str(community)).octets == octets
    form = {"type": community.type, "value": community.value, "nontransitive": community.nontransitive}
    assert ExtCommunity(form) == community
    assert hash(ExtCommunity(form)) == hash(community)
    assert encode_attribute(16, [community], 4, {}) == octets


@given(st.integers(0, 65535), st.floats(width=32, allow_nan=False))
def test_flow_rates(asn: int, rate: float) -> None:
    assert encode_attribute(16, [f"FLOW_RATE_BYTES:{asn}:{rate!r}"], 4, {})[2:] == struct.pack("!Hf", asn, rate)
