"""NLRI of families without plain prefixes, as Python gives and takes them."""

from __future__ import annotations

from typing import Any

import pytest

from bgpipe import SessionContext, Update
from bgpipe._attributes import parse_family
from bgpipe._nlri import decode_nlri
from bgpipe.bgp.nlri import encode_nlri
from bgpipe.errors import FieldError
from wire.nlri_vectors import NAMES, NLRI, Nlri

VPN = {"rd": "65000:1", "prefix": "10.0.0.0/24", "labels": [100]}
OTHER = {"rd": "192.0.2.1:7", "prefix": "0.0.0.0/0", "labels": [300, 200]}
MAC = {
    "type": "MAC_IP",
    "rd": "65000:1",
    "esi": "00:00:00:00:00:00:00:00:00:00",
    "etag": 0,
    "mac": "00:aa:bb:cc:dd:ee",
    "labels": [100],
}
MVPN = {"type": "SOURCE_ACTIVE_AD", "rd": "65000:1", "source": "10.0.0.1", "group": "224.0.0.1"}


@pytest.mark.parametrize("item", NLRI, ids=lambda item: f"{NAMES[item.family]} {item.name}")
def test_both_ways(item: Nlri) -> None:
    afi, safi = parse_family(NAMES[item.family])
    octets = bytes.fromhex(item.wire)
    if item.value is None:
        assert decode_nlri(afi, safi, octets, False) is None
        return
    assert decode_nlri(afi, safi, octets, False) == [item.value]
    assert encode_nlri([item.value], (afi, safi), {}) == octets
    twice = [{"path_id": 7} | item.value, {"path_id": 8} | item.value]
    paths: dict[tuple[int, int], bool] = {}
    assert encode_nlri(twice, (afi, safi), paths) == b"\0\0\0\7" + octets + b"\0\0\0\x08" + octets
    assert paths == {(afi, safi): True}
    assert decode_nlri(afi, safi, encode_nlri(twice, (afi, safi), paths), True) == twice


def test_other_families_have_none() -> None:
    assert decode_nlri(1, 1, b"", False) is None
    assert decode_nlri(16388, 71, b"", False) is None
    with pytest.raises(FieldError, match="LS/LS has no typed NLRI, expected hex in data"):
        encode_nlri([], (16388, 71), {})


@pytest.mark.parametrize(
    ("family", "value", "octets"),
    [
        ("IPV4/MPLS_VPN", {"rd": "0:65000:1", "prefix": "0.0.0.0/0", "labels": ["3"]}, "58 000031 0000fde800000001"),
        ("IPV4/MPLS_VPN", {"rd": "1:192.0.2.1:7", "prefix": "0.0.0.0/0", "labels": (3,)}, "58 000031 0001c00002010007"),
        ("L2VPN/EVPNS", {"type": "3", "value": ""}, "03 00"),
        ("L2VPN/EVPNS", {"type": "mac-ip", "value": "0x01"}, "02 01 01"),
        ("L2VPN/EVPNS", MAC | {"ip": None}, "02 21 0000fde800000001 00000000000000000000 00000000 30 00aabbccddee 00 000641"),
        ("IPV4/ROUTE_TARGET", {"origin": 1}, "20 00000001"),
        ("IPV4/ROUTE_TARGET", {"origin": 1, "target": "0x0002"}, "30 00000001 0002"),
    ],
)  # fmt: skip
def test_other_spellings(family: str, value: Any, octets: str) -> None:
    assert encode_nlri([value], parse_family(family), {}) == bytes.fromhex(octets)


@pytest.mark.parametrize(
    ("family", "value", "problem"),
    [
        ("IPV4/MPLS_VPN", "10.0.0.0/24", '[0]: "10.0.0.0/24", expected an object, an NLRI of IPV4/MPLS_VPN'),
        ("IPV4/MPLS_VPN", {"prefix": "10.0.0.0/24", "labels": [1]}, "[0]: no rd is given"),
        ("IPV4/MPLS_VPN", VPN | {"prefix": "2001:db8::/32"}, '[0].prefix: "2001:db8::/32", expected a prefix of IPV4/UNICAST'),
        ("IPV4/MPLS_VPN", VPN | {"prefix": "#1#10.0.0.0/8"}, '[0].prefix: "#1#10.0.0.0/8", expected a prefix of IPV4/UNICAST'),
        ("IPV4/MPLS_VPN", VPN | {"prefix": None}, '[0].prefix: null, expected a prefix such as "192.0.2.0/24"'),
        ("IPV4/MPLS_VPN", VPN | {"rd": "65536:65536"}, '[0].rd: "65536", expected an assigned number (0 to 65535)'),
        ("IPV4/MPLS_VPN", VPN | {"rd": "1"}, '[0].rd: "1", expected a route distinguisher such as "65000:1"'),
        ("IPV4/MPLS_VPN", VPN | {"rd": "3:1:1"}, '[0].rd: "3:1:1", expected a route distinguisher such as "65000:1"'),
        ("IPV4/MPLS_VPN", VPN | {"rd": "0:70000:1"}, '[0].rd: "0:70000:1", expected a route distinguisher such as "65000:1"'),
        ("IPV4/MPLS_VPN", VPN | {"rd": "0x00"}, "[0].rd: 1 octets, expected 8"),
        ("IPV4/MPLS_VPN", VPN | {"labels": []}, "[0].labels: no label is given"),
        ("IPV4/MPLS_VPN", VPN | {"labels": [1048576]}, "[0].labels[0]: 1048576, expected a label (0 to 1048575)"),
        ("IPV4/MPLS_VPN", VPN | {"labels": [1, "0x01"]}, "[0].labels[1]: 1 octets, expected 3"),
        ("IPV4/MPLS_VPN", VPN | {"labels": [0, 1]}, "[0].labels[0]: 0, expected a label that others may follow"),
        ("IPV4/MPLS_VPN", VPN | {"labels": [1] * 20}, "[0]: 568 bits, expected 255 at most: fewer labels"),
        ("IPV4/MPLS_VPN", VPN | {"mac": "x"}, '[0]: "mac", expected fields of this NLRI alone'),
        ("IPV4/MULTICAST_VPNS", VPN, '[0]: "labels", expected fields'),
        ("L2VPN/EVPNS", MAC | {"mac": "00:11"}, '[0].mac: "00:11", expected 6 octets in hex with colons between them'),
        ("L2VPN/EVPNS", MAC | {"mac": b"001122"}, "[0].mac: b'001122', expected 6 octets in hex with colons between them"),
        ("L2VPN/EVPNS", MAC | {"type": "MAC"}, '[0].type: "MAC", expected a route type (0 to 255)'),
        ("L2VPN/EVPNS", MAC | {"type": 12}, "[0]: no value is given, expected hex for routes of type 12"),
        ("L2VPN/EVPNS", MAC | {"etag": -1}, "[0].etag: -1, expected a number (0 to 4294967295)"),
        ("L2VPN/EVPNS", MAC | {"ip": "x"}, '[0].ip: "x", expected an IP address'),
        ("L2VPN/EVPNS", MAC | {"labels": [1] * 80}, "[0]: 270 octets, expected 255 at most"),
        ("L2VPN/EVPNS", {"type": "LEAF_AD", "route_key": "0x0301"}, '[0].route_key: "0x0301", expected a route in hex'),
        ("IPV4/MCAST_VPN", MVPN | {"originator": "::1"}, '[0]: "originator", expected fields'),
        ("IPV4/ROUTE_TARGET", {"origin": 1, "target": "0x0002", "length": 64}, "[0]: 6 octets of origin and target, expected 8"),
        ("IPV4/ROUTE_TARGET", {"origin": 1, "target": "1:1", "length": 97}, "[0].length: 97, expected a length (0 to 96)"),
        ("IPV4/ROUTE_TARGET", {"target": "1:1"}, "[0]: no origin is given"),
    ],
)  # fmt: skip
def test_what_cannot_be(family: str, value: Any, problem: str) -> None:
    with pytest.raises(FieldError) as caught:
        encode_nlri([value], parse_family(family), {})
    assert str(caught.value).startswith(problem)


def test_path_ids_are_for_all_or_none() -> None:
    with pytest.raises(FieldError, match=r"\[1\]: without a path_id: all NLRI of IPV4/MPLS_VPN have one, or none"):
        encode_nlri([VPN | {"path_id": 1}, VPN], (1, 128), {})
    with pytest.raises(FieldError, match=r"\[0\]: with a path_id"):
        encode_nlri([VPN | {"path_id": 1}], (1, 128), {(1, 128): False})


class TestUpdate:
    def test_read_and_assigned(self) -> None:
        view = Update(mp_reach={"af": "IPV4/MPLS_VPN", "nexthop": "192.0.2.1", "nlri": [VPN]}, origin="IGP")
        reach = view.mp_reach
        assert reach is not None
        assert (reach.af, reach.next_hop, reach.link_local, reach.nlri) == ("IPV4/MPLS_VPN", "192.0.2.1", None, [VPN])
        assert (list(reach.prefixes), view.announced, view.next_hop) == ([], [], "192.0.2.1")
        reach.nlri = [OTHER, VPN]
        assert reach.nlri == [OTHER, VPN]
        assert reach.nh == bytes.fromhex("0000000000000000c0000201")
        with pytest.raises(FieldError):
            reach.nlri = [VPN | {"rd": "x"}]
        assert reach.nlri == [OTHER, VPN]

    def test_next_hops_of_vpns(self) -> None:
        """RFC 8950 section 4, RFC 4659 section 3.2.1: 24 and 48 octets."""
        view = Update(mp_reach={"af": "IPV4/MPLS_VPN", "nexthop": "2001:db8::1", "nlri": [VPN]})
        reach = view.mp_reach
        assert reach is not None
        assert len(reach.nh) == 24
        reach.link_local = "fe80::1"
        assert (len(reach.nh), reach.next_hop, reach.link_local) == (48, "2001:db8::1", "fe80::1")
        reach.next_hop = "2001:db8::2"
        assert (len(reach.nh), reach.next_hop, reach.link_local) == (48, "2001:db8::2", "fe80::1")
        reach.link_local = None
        assert (len(reach.nh), reach.next_hop) == (24, "2001:db8::2")
        view.next_hop = "192.0.2.9"
        assert reach.nh == bytes.fromhex("0000000000000000c0000209")
        with pytest.raises(FieldError, match="a link-local address goes with an IPv6 next hop"):
            reach.link_local = "fe80::1"
        reach.nh = bytes.fromhex("0000000000000001c0000209")
        assert (reach.next_hop, reach.nlri) == (None, [VPN])

    def test_path_ids(self) -> None:
        context = SessionContext(addpath=["IPV4/MPLS_VPN"])
        nlri = [VPN | {"path_id": 1}, OTHER | {"path_id": 2}]
        view = Update(mp_unreach={"af": "IPV4/MPLS_VPN", "nlri": nlri}, context=context)
        assert view.mp_unreach is not None
        assert view.mp_unreach.nlri == nlri
        with pytest.raises(FieldError, match="without a path_id"):
            view.mp_unreach.nlri = [VPN]
        plain = Update(mp_unreach={"af": "IPV6/MPLS_VPN", "nlri": []}, context=context)
        assert plain.end_of_rib == "IPV6/MPLS_VPN"

    def test_no_typed_form(self) -> None:
        view = Update(mp_unreach={"af": "IPV4/MPLS", "data": "0x230006410aff"})
        assert view.mp_unreach is not None
        assert view.mp_unreach.nlri is None
        view.mp_unreach.nlri = []
        assert view.end_of_rib == "IPV4/MPLS"
