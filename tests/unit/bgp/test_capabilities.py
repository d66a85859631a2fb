"""Capabilities: readable values to octets and back, and the parameters that carry them."""



from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpipe.bgp import capabilities
from bgpipe.errors import FieldError


@pytest.mark.parametrize(
    ("name", "value", "octets"),
    [
        ("MP", "IPV4/UNICAST", "0001 00 01"),
        ("MP", "AFI(7)/SAFI(99)", "0007 00 63"),
        ("EXTENDED_NEXTHOP", ["IPV4/UNICAST/IPV6", "IPV4/MPLS_VPN/AFI(9)"], "0001 0001 0002 0001 0080 0009"),
        ("ROLE", "RS-CLIENT", "02"),
        ("ROLE", 77, "4d"),
        ("AS4", 4294967295, "ffffffff"),
        ("ADDPATH", ["IPV4/UNICAST/BIDIR", "IPV6/UNICAST/SEND", "L2VPN/EVPNS/9"], "0001 01 03 0002 01 02 0019 46 09"),
        ("FQDN", {"host": "r1", "domain": ""}, "02 7231 00"),
        ("FQDN", {"host": "", "domain": "é"}, "00 02 c3a9"),
        ("GRACEFUL_RESTART", {"flags": "RN", "time": 120, "families": [{"af": "IPV4/UNICAST", "flags": "F"}]}, "c078 0001 01 80"),
        ("GRACEFUL_RESTART", {"flags": "N1", "time": 4095, "families": []}, "5fff"),
        ("GRACEFUL_RESTART", {"flags": "", "time": 0, "families": [{"af": "IPV6/UNICAST", "flags": "F1"}]}, "0000 0002 01 81"),
        ("LLGR", [{"af": "IPV4/UNICAST", "flags": "F", "time": 16777215}], "0001 01 80 ffffff"),
        ("ROUTE_REFRESH", True, ""),
        ("OUTBOUND_FILTERING", [{"af": "IPV4/UNICAST", "orfs": ["ADDRESS_PREFIX/SEND", "99/9"]}], "0001 00 01 02 4002 6309"),
        ("BGPSEC", {"version": 0, "direction": "SEND", "afi": "IPV6"}, "08 0002"),
        ("MULTIPLE_LABELS", ["IPV4/MPLS/3"], "0001 04 03"),
        ("DYNAMIC", ["MP", "CAP_200"], "01 c8"),
        ("MULTISESSION", {"flags": "G1", "sessions": ["MP"]}, "81 01"),
        ("ROUTING_POLICY", ["IPV4/ROUTING_POLICY/RECEIVE"], "0001 4b 01"),
        ("VERSION", "bgp/1.0", "07 6267702f312e30"),
        ("PATHS_LIMIT", ["IPV4/UNICAST/8"], "0001 01 0008"),
        ("PRE_FQDN", {"host": "a", "domain": "b"}, "01 61 01 62"),
        ("CAP_99", "0x0102", "0102"),
    ],
)  # fmt: skip
def test_readable_values(name: str, value: object, octets: str) -> None:
    packed = bytes.fromhex(octets)
    code = capabilities.code_of(name)
    assert capabilities.encode_value(code, value) == packed
    assert capabilities.parse_value(code, packed) == value
    assert capabilities.name(code) == name


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("MP", "0001 01 01"), ("MP", "0001 00"), ("EXTENDED_NEXTHOP", "0001 0101 0002"), ("EXTENDED_NEXTHOP", "0001"),
        ("ROLE", "0101"), ("AS4", "00"), ("ADDPATH", "0001 01"), ("FQDN", "02 72"), ("FQDN", "01 ff 00"), ("FQDN", "00 00 00"),
        ("FQDN", "00"), ("OUTBOUND_FILTERING", "0001 00 01"), ("OUTBOUND_FILTERING", "0001 00 01 01"),
        ("OUTBOUND_FILTERING", "0001 01 01 00"), ("BGPSEC", "01 0001"), ("BGPSEC", "00"), ("MULTIPLE_LABELS", "0001 04"),
        ("DYNAMIC", "01 01"), ("MULTISESSION", "00 01 01"), ("VERSION", "02 3058"), ("VERSION", "01"), ("VERSION", "01 ff"),
        ("PATHS_LIMIT", "0001 01 00"), ("ROUTING_POLICY", "0001 4b"), ("GRACEFUL_RESTART", "00"), ("GRACEFUL_RESTART", "0000 0001 01"), ("LLGR", "0001 01 80 0000"),
    ],
)  # fmt: skip
def test_what_does_not_parse_is_hex(name: str, octets: str) -> None:
    packed = bytes.fromhex(octets)
    code = capabilities.code_of(name)
    assert capabilities.parse_value(code, packed) == "0x" + packed.hex()
    assert capabilities.encode_value(code, "0x" + packed.hex()) == packed


@pytest.mark.parametrize(
    ("name", "value", "same"),
    [
        ("GRACEFUL_RESTART", {}, {"flags": "", "time": 0, "families": []}),
        ("GRACEFUL_RESTART", {"flags": "nr", "families": None}, {"flags": "RN", "time": 0, "families": []}),
        ("GRACEFUL_RESTART", {"flags": 12}, {"flags": "RN", "time": 0, "families": []}),
        ("LLGR", [{"af": "1/1"}], [{"af": "IPV4/UNICAST", "flags": "", "time": 0}]),
        ("FQDN", {}, {"host": "", "domain": ""}),
        ("ROLE", "rs-client", "RS-CLIENT"),
        ("ROLE", 2, "RS-CLIENT"),
        ("ADDPATH", ["1/1/3"], ["IPV4/UNICAST/BIDIR"]),
        ("EXTENDED_NEXTHOP", ["1/1/2"], ["IPV4/UNICAST/IPV6"]),
        ("MP", "ipv6/unicast", "IPV6/UNICAST"),
        ("OUTBOUND_FILTERING", [{"af": "1/1"}], [{"af": "IPV4/UNICAST", "orfs": []}]),
        ("BGPSEC", {"direction": "send", "afi": 1}, {"version": 0, "direction": "SEND", "afi": "IPV4"}),
        ("DYNAMIC", [1, "cap_2"], ["MP", "ROUTE_REFRESH"]),
        ("MULTISESSION", {}, {"flags": "", "sessions": []}),
        ("ADDPATH", [], True),
        ("ROUTE_REFRESH", None, True),
        ("ROUTE_REFRESH", b"", True),
    ],
)
def test_lenient_values(name: str, value: object, same: object) -> None:
    code = capabilities.code_of(name)
    assert capabilities.parse_value(code, capabilities.encode_value(code, value)) == same


@pytest.mark.parametrize(
    ("caps", "message"),
    [
        ({"FOO": True}, 'FOO: "FOO", expected a capability: a name such as ADDPATH, CAP_N or a number (0 to 255)'),
        ({"ADD_PATH": True}, 'ADD_PATH: "ADD_PATH", expected a capability: a name such as ADDPATH, CAP_N or a number (0 to 255)'),
        ({"CAP_256": True}, 'CAP_256: "256", expected a capability: a name such as ADDPATH, CAP_N or a number (0 to 255)'),
        ({"CAP_99": 5}, 'CAP_99: 5, expected true where the value is empty, or hex digits, "0x.."'),
        ({"CAP_99": "0x" + "00" * 256}, "CAP_99: 256 octets, expected 255 at most"),
        ({"ADDPATH": "IPV4/UNICAST/BIDIR"}, 'ADDPATH: "IPV4/UNICAST/BIDIR", expected a list'),
        ({"ADDPATH": ["IPV4/UNICAST/X"]}, 'ADDPATH[0]: "X", expected RECEIVE, SEND, BIDIR (0 to 255)'),
        ({"ADDPATH": [["IPV4/UNICAST/BIDIR"], [5]]}, 'ADDPATH[1][0]: 5, expected a family and direction such as "IPV4/UNICAST/BIDIR"'),
        ({"EXTENDED_NEXTHOP": ["IPV4/UNICAST/IPV9"]}, 'EXTENDED_NEXTHOP[0]: "IPV9", expected IPV4, IPV6 or the number of an AFI'),
        ({"EXTENDED_NEXTHOP": [5]}, "EXTENDED_NEXTHOP[0]: 5, expected a family and next hop"),
        ({"ROLE": "BOSS"}, 'ROLE: "BOSS", expected a role: PROVIDER, RS, RS-CLIENT, CUSTOMER, PEER (0 to 255)'),
        ({"AS4": [1, "x"]}, 'AS4[1]: "x", expected an AS number'),
        ({"FQDN": "r1"}, 'FQDN: "r1", expected an object of host, domain'),
        ({"FQDN": {"name": "r1"}}, 'FQDN: "name", expected host, domain'),
        ({"FQDN": {"host": 5}}, "FQDN.host: 5, expected text"),
        ({"FQDN": {"host": "x" * 256}}, "FQDN.host: 256 octets, expected 255 at most"),
        ({"FQDN": {"host": "\ud800"}}, 'FQDN.host: "\\ud800", expected text without lone surrogates'),
        ({"GRACEFUL_RESTART": {"flags": "X"}}, 'GRACEFUL_RESTART.flags: "X", expected flags: RN (0 to 15)'),
        ({"GRACEFUL_RESTART": {"flags": []}}, "GRACEFUL_RESTART.flags: [], expected flags"),
        ({"GRACEFUL_RESTART": {"flags": 16}}, "GRACEFUL_RESTART.flags: 16, expected flags (0 to 15)"),
        ({"GRACEFUL_RESTART": {"time": 4096}}, "GRACEFUL_RESTART.time: 4096, expected seconds (0 to 4095)"),
        ({"GRACEFUL_RESTART": {"families": [{"af": "x"}]}}, 'GRACEFUL_RESTART.families[0].af: "x", expected an address family'),
        ({"GRACEFUL_RESTART": {"families": [{"af": "1/1", "flags": "Q"}]}}, 'GRACEFUL_RESTART.families[0].flags: "Q", expected flags: F'),
        ({"LLGR": [{"af": "1/1", "time": 16777216}]}, "LLGR[0].time: 16777216, expected seconds (0 to 16777215)"),
        ({"LLGR": [{"time": 1}]}, "LLGR[0].af: null, expected an address family"),
        ({"OUTBOUND_FILTERING": [{"af": "1/1", "orfs": ["FOO/SEND"]}]}, 'OUTBOUND_FILTERING[0].orfs[0]: "FOO", expected a type of filter'),
        ({"OUTBOUND_FILTERING": [{"af": "1/1", "orfs": ["64/SEND"] * 256}]}, "OUTBOUND_FILTERING[0].orfs: 256 types, expected 255 at most"),
        ({"BGPSEC": {"direction": "X"}}, 'BGPSEC.direction: "X", expected RECEIVE, SEND (0 to 1)'),
        ({"MULTIPLE_LABELS": ["IPV4/MPLS/256"]}, 'MULTIPLE_LABELS[0]: "256", expected a number of labels (0 to 255)'),
        ({"PATHS_LIMIT": ["IPV4/UNICAST"]}, 'PATHS_LIMIT[0]: "IPV4", expected an address family'),
        ({"DYNAMIC": ["FOO"]}, 'DYNAMIC[0]: "FOO", expected a capability: a name such as ADDPATH, CAP_N or a number (0 to 255)'),
        ({"MULTISESSION": {"sessions": 5}}, "MULTISESSION.sessions: 5, expected a list"),
        ({"VERSION": 5}, "VERSION: 5, expected text"),
        ({"LLGR": [5]}, "LLGR[0]: 5, expected an object of af, flags, time"),
    ],
)  # fmt: skip
def test_wrong_values(caps: object, message: str) -> None:
    with pytest.raises(FieldError) as caught:
        capabilities.from_object(caps)
    assert str(caught.value).startswith(message)


def test_repeated_capabilities() -> None:
    caps = {
        "MP": ["IPV4/UNICAST", "0x01"],
        "ADDPATH": [["IPV4/UNICAST/BIDIR"], True],
        "AS4": [1, 2],
        "CAP_99": ["0x01", True],
        "LLGR": ["0x01", "0x02"],
    }
    listed = capabilities.from_object(caps)
    assert [code for code, _ in listed] == [1, 1, 69, 69, 65, 65, 99, 99, 71, 71]
    assert capabilities.to_object(listed) == caps


def test_grouping_keeps_the_order_of_first_appearance() -> None:
    mixed = [(1, b"a"), (2, b""), (1, b"b"), (65, b"c"), (2, b"d")]
    assert capabilities.grouped(mixed) == [(1, b"a"), (1, b"b"), (2, b""), (2, b"d"), (65, b"c")]


def test_parameters_that_do_not_parse() -> None:
    for octets in ("02", "0203 020000", "0201 02", "0203 020201", "0202 0201", "ff0003 02 0001"):
        assert capabilities.parse_parameters(bytes.fromhex(octets)) is None
    assert capabilities.parse_parameters(bytes.fromhex("0101aa 0202 0200")) == ([(2, b"")], False)
    assert capabilities.parse_parameters(b"") == ([], True)


listed = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=20)), max_size=60)


@given(listed)
def test_parameters_round_trip(given_capabilities: list[tuple[int, bytes]]) -> None:
    packed = capabilities.encode_parameters(given_capabilities)
    assert packed[0] == min(len(packed) - 1, 255)
    assert capabilities.parse_parameters(packed[1:]) == (given_capabilities, True)


@given(listed)
def test_readable_form_round_trip(given_capabilities: list[tuple[int, bytes]]) -> None:
    ordered = capabilities.grouped(given_capabilities)
    assert capabilities.from_object(capabilities.to_object(given_capabilities)) == ordered


@given(st.sampled_from(sorted(capabilities.CODECS)), st.binary(max_size=40))
def test_any_octets(code: int, octets: bytes) -> None:
    assert capabilities.encode_value(code, capabilities.parse_value(code, octets)) == octets


@given(st.binary(max_size=60))
def test_any_parameters(octets: bytes) -> None:
    found = capabilities.parse_parameters(octets)
    assert found is None or sum(2 + len(value) for _, value in found[0]) <= len(octets)
