"""The lenient reader: what each spelling comes to on the wire, and what is said of a wrong one."""



from __future__ import annotations

import json
import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpipe.errors import JsonError
from bgpipe.formats.json import parse_line

MARKER = b"\xff" * 16


def wire(data: object, kind: object = "UPDATE") -> bytes:
    """The body of a message of this type and data."""
    line = parse_line(json.dumps(["R", 1, None, kind, data]).encode())
    assert line is not None
    message = line[3]
    assert message[:16] == MARKER
    assert int.from_bytes(message[16:18]) == len(message)
    return message[19:]


def attributes(attrs: object, **more: object) -> bytes:
    """The path attributes of an UPDATE."""
    body = wire({"attrs": attrs, **more})
    assert body[:2] == b"\0\0"
    assert int.from_bytes(body[2:4]) == len(body) - 4
    return body[4:]


def error(line: object) -> str:
    raw = line if isinstance(line, bytes) else json.dumps(line).encode()
    with pytest.raises(JsonError) as caught:
        parse_line(raw)
    return str(caught.value)


def wrong(attrs: object, **more: object) -> str:
    text = error({"attrs": attrs, **more})
    assert text.startswith("$.attrs.")
    return text.removeprefix("$.attrs.")


# ---- the array and what stands around the data


def test_nothing_on_the_line() -> None:
    assert parse_line(b"") is None
    assert parse_line(b" \t\r\n") is None
    assert parse_line(b"  # a comment") is None


def test_all_six_parts() -> None:
    line = b'["L",7,"2023-01-02T03:04:05.678","KEEPALIVE",null,{"PEER_AS":"65000","ACTION":"DROP"}]'
    time_ns = 1_672_628_645_678_000_000
    message = MARKER + b"\0\x13\x04"
    assert parse_line(line) == ("L", 7, time_ns, message, 4, frozenset(), {"PEER_AS": "65000", "ACTION": "DROP"})


@pytest.mark.parametrize(
    "line", [b"[]", b'["R"]', b"[null,null,null,null,null,null]", b'[null,0,null,"KEEPALIVE",{}]', b'["R",1,null,4,true]']
)
def test_empty_message_is_a_keepalive(line: bytes) -> None:
    parsed = parse_line(line)
    assert parsed is not None
    assert parsed[3] == MARKER + b"\0\x13\x04"
    assert parsed[2] is None
    assert parsed[6] == {}


def test_direction_that_the_line_does_not_give() -> None:
    for line in (b"[]", b"[null]", b"{}"):
        assert parse_line(line)[0] is None  # type: ignore[index]
        assert parse_line(line, "L")[0] == "L"  # type: ignore[index]
    assert parse_line(b'["r"]', "L")[0] == "R"  # type: ignore[index]


def test_bare_update() -> None:
    parsed = parse_line(b' {"reach": ["192.0.2.0/24"]} \r\n')
    assert parsed is not None
    assert parsed[3] == MARKER + b"\0\x1b\x02" + b"\0\0\0\0\x18\xc0\0\x02"
    assert parse_line(b"{}")[3] == MARKER + b"\0\x17\x02" + b"\0\0\0\0"  # type: ignore[index]


def test_any_json_spelling() -> None:
    plain = b'["R",5,null,"UPDATE",{"reach":["10.0.0.0/8"],"attrs":{"ORIGIN":{"flags":"T","value":"IGP"}}},{"A":"b"}]'
    other = (
        b' [ "R" , 5 , null , "UP\\u0044ATE" , { "attrs" : { "ORIGIN" : { "value" : "\\u0049GP" , "flags" : "T" } } ,'
        b' "reach" : [ "10.0.0.0\\/8" ] } , { "\\u0041" : "b" } ]\r\n'
    )
    assert parse_line(other) == parse_line(plain)


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1970-01-01T00:00:00", 0),
        ("2000-02-29T23:59:59.999999999", 951_868_799_999_999_999),
        ("2000-03-01T00:00:00.5", 951_868_800_500_000_000),
        ("2100-03-01T00:00:00.000", 4_107_542_400_000_000_000),
        ("2023-01-02 03:04:05,25", 1_672_628_645_250_000_000),
        ("2023-01-02T03:04:05.25Z", 1_672_628_645_250_000_000),
        ("2023-01-02T05:04:05.25+02:00", 1_672_628_645_250_000_000),
        ("2023-01-02", 1_672_617_600_000_000_000),
        ("2023-01-02T03:04:05.1234567891", 1_672_628_645_123_456_789),
        (1_672_628_645, 1_672_628_645_000_000_000),
        (1_672_628_645.25, 1_672_628_645_250_000_000),
    ],
)
def test_times(text: object, time_ns: int) -> None:
    parsed = parse_line(json.dumps(["R", 1, text]).encode())
    assert parsed is not None
    assert parsed[2] == time_ns


@given(st.datetimes(datetime(1970, 1, 1), datetime(2261, 12, 31)))
def test_times_are_those_of_the_calendar(moment: datetime) -> None:

    parsed = parse_line(json.dumps(["R", 1, moment.isoformat(timespec="microseconds")]).encode())
    since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    assert parsed is not None
    assert parsed[2] == since // timedelta(microseconds=1) * 1000


@pytest.mark.parametrize(
    "text",
    ["", "now", "2023-02-29T00:00:00", "2023-13-01T00:00:00", "2023-01-01T24:00:00", "1969-12-31T23:59:59", -1, 1e20, True,
     "2262-01-01T00:00:00", "2023-01-01T00:00:00.x", [], "2023-01-01T00:60:00", "2023-01-00T00:00:00", "²023-01-01T00:00:00"],
)  # fmt: skip
def test_wrong_times(text: object) -> None:
    assert error(["R", 1, text]).startswith("$[2]: ")


def test_types() -> None:
    for kind in ("REFRESH", "refresh", "ROUTE_REFRESH", "route-refresh", 5, "5"):
        assert parse_line(json.dumps(["R", 1, None, kind, "0x00010001"]).encode())[3][18:] == b"\x05\0\x01\0\x01"  # type: ignore[index]
    for kind in ("NOTIFY", "NOTIFICATION", "notification", 3):
        assert parse_line(json.dumps(["R", 1, None, kind, "0x0602"]).encode())[3][18:] == b"\x03\x06\x02"  # type: ignore[index]
    assert parse_line(b'["R",1,null,77,"0xAbcd"]')[3][18:] == b"\x4d\xab\xcd"  # type: ignore[index]
    assert parse_line(b'["R",1,null,77]')[3][18:] == b"\x4d"  # type: ignore[index]


@pytest.mark.parametrize("kind", ["OPEN", "UPDATE", "NOTIFY", "KEEPALIVE", "REFRESH", 99])
def test_any_body_as_hex(kind: object) -> None:
    assert wire("0x0123", kind) == b"\x01\x23"
    assert wire("0x", kind) == b""


def test_tags() -> None:
    parsed = parse_line(b'["R",1,null,"KEEPALIVE",null,{"a":"\\u00e9","n":5,"f":1.5,"t":true,"u":false,"gone":null}]')
    assert parsed is not None
    assert parsed[6] == {"a": "é", "n": "5", "f": "1.5", "t": "true", "u": "false"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"[1,2", "not JSON: expecting ',' delimiter at character 4"),
        (b"[1] x", "not JSON: expected the end at character 3"),
        (b"hello", "not JSON: expecting value at character 0"),
        (b'["\xff"]', "not UTF-8 at byte 2"),
        (b"[" * 100_000, "not JSON: nested too deeply"),
        (b"[" + b"1" * 5000 + b"]", "not JSON: "),
        (b"5", "$: 5, expected an array of six: direction, sequence, time, type, data, tags"),
        (b"[1,2,3,4,5,6,7]", "$: 7 parts, expected six: direction, sequence, time, type, data, tags"),
        (b'["X"]', '$[0]: "X", expected "L" or "R"'),
        (b"[5]", '$[0]: 5, expected "L" or "R"'),
        (b'["R",-1]', "$[1]: -1, expected a sequence number (0 to 18446744073709551615)"),
        (b'["R",1.5]', "$[1]: 1.5, expected a sequence number (0 to 18446744073709551615)"),
        (b'["R","x"]', '$[1]: "x", expected a sequence number (0 to 18446744073709551615)'),
        (b'["R",1,null,"FOO"]', '$[3]: "FOO", expected a message type: OPEN, UPDATE, NOTIFY, KEEPALIVE, REFRESH or a number'),
        (b'["R",1,null,256]', "$[3]: 256, expected a message type"),
        (b'["R",1,null,true]', "$[3]: true, expected a message type"),
        (b'["R",1,null,null,{"reach":[]}]', "$[3]: null, expected a message type: the data is not empty"),
        (b'["R",1,null,"KEEPALIVE","0x0"]', '$[4]: "0x0", expected hex digits, "0x" and an even number of them'),
        (b'["R",1,null,"KEEPALIVE",5]', '$[4]: 5, expected hex digits, "0x.."'),
        (b'["R",1,null,"REFRESH",{}]', "$[4].af: null, expected an address family"),
        (b'["R",1,null,9,{}]', '$[4]: {}, expected hex digits, "0x.."'),
        (b'["R",1,null,"UPDATE",[]]', "$[4]: [], expected an object of reach, unreach, attrs, as_size"),
        (b'["R",1,null,"OPEN"]', "$[4]: null, expected an object of bgp, asn, id, hold, caps, params"),
        (b'["R",1,null,"NOTIFY"]', "$[4]: null, expected an object of code, subcode, name, data, text, reason, limit, caps, version, length, type"),
        (b'["R",1,null,"KEEPALIVE",null,[]]', "$[5]: [], expected an object of tags"),
        (b'["R",1,null,"KEEPALIVE",null,{"a":[1]}]', "$[5].a: [1], expected text"),
        (b'{"reech":[]}', '$: "reech", expected reach, unreach, attrs, as_size'),
        (b'{"a\\nb":[]}', '$: "a\\nb", expected reach'),
    ],
)
def test_wrong_lines(line: bytes, message: str) -> None:
    assert error(line).startswith(message)


def test_message_too_long() -> None:
    assert error(["R", 1, None, 9, "0x" + "00" * 65517]) == "$[4]: a message of 65536 octets, expected 65535 at most"
    assert len(wire("0x" + "00" * 65516, 9)) == 65516
    many = [f"10.{i >> 8}.{i & 255}.0/24" for i in range(20_000)]
    assert error({"reach": many}) == "$: a message of 80023 octets, expected 65535 at most"
    assert error({"unreach": many}) == "$.unreach: 80000 octets, expected 65535 at most"
    assert error({"attrs": {"77": "0x" + "00" * 65536}}) == "$.attrs.77: 65536 octets, expected 65535 at most"
    both = {"77": "0x" + "00" * 65000, "78": "0x" + "00" * 1000}
    assert error({"attrs": both}) == "$.attrs: 66008 octets, expected 65535 at most"


# ---- UPDATE


def test_update_in_full() -> None:
    body = wire({"unreach": ["10.0.0.0/8", "0.0.0.0/0"], "attrs": {"ORIGIN": "EGP"}, "reach": ["192.0.2.128/25"]})
    assert body == b"\0\x03\x08\x0a\0" + b"\0\x04\x40\x01\x01\x01" + b"\x19\xc0\0\x02\x80"
    assert wire({"unreach": None, "attrs": None, "reach": None, "as_size": None}) == b"\0\0\0\0"
    assert wire(None) == b"\0\0\0\0"


def test_add_path() -> None:
    parsed = parse_line(b'{"reach":["#42#10.0.0.0/8"],"unreach":["#4294967295#0.0.0.0/0"]}')
    assert parsed is not None
    assert parsed[3][19:] == b"\0\x05\xff\xff\xff\xff\0" + b"\0\0" + b"\0\0\0\x2a\x08\x0a"
    assert parsed[5] == {(1, 1)}
    mixed = {"reach": ["10.0.0.0/8"], "attrs": {"MP_REACH": {"af": "IPV6/UNICAST", "nexthop": "::1", "prefixes": ["#1#::/0"]}}}
    parsed = parse_line(json.dumps(mixed).encode())
    assert parsed is not None
    assert parsed[5] == {(2, 1)}


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"reach": ["10.0.0.0/8", "10.0.0.1/8"]}, '$.reach[1]: "10.0.0.1/8", expected no bits set behind the prefix length ("10.0.0.0/8")'),
        ({"reach": ["10.0.0.0/33"]}, '$.reach[0]: "10.0.0.0/33", expected a prefix such as'),
        ({"reach": ["10.0.0.0/"]}, '$.reach[0]: "10.0.0.0/", expected a prefix such as'),
        ({"reach": ["10.0.0.0"]}, '$.reach[0]: "10.0.0.0", expected a prefix such as'),
        ({"reach": ["10.0.0/24"]}, '$.reach[0]: "10.0.0/24", expected a prefix such as'),
        ({"reach": ["10.0.0.0/²"]}, '$.reach[0]: "10.0.0.0/\\xb2", expected a prefix such as'),
        ({"reach": ["é/8"]}, '$.reach[0]: "\\xe9/8", expected a prefix such as'),
        ({"reach": ["10.0.0.0\0/8"]}, '$.reach[0]: "10.0.0.0\\x00/8", expected a prefix such as'),
        ({"reach": [8]}, '$.reach[0]: 8, expected a prefix such as'),
        ({"reach": ["::/0"]}, '$.reach[0]: "::/0", expected a prefix of IPV4/UNICAST'),
        ({"reach": ["#x#10.0.0.0/8"]}, '$.reach[0]: "#x#10.0.0.0/8", expected a path id in front of a prefix'),
        ({"reach": ["#4294967296#10.0.0.0/8"]}, '$.reach[0]: "#4294967296#10.0.0.0/8", expected a path id'),
        ({"reach": ["#" + "9" * 5000 + "#10.0.0.0/8"]}, '$.reach[0]: "#999'),
        ({"reach": ["#1#10.0.0.0/8", "10.0.0.0/8"]}, '$.reach[1]: "10.0.0.0/8", expected a prefix with a path id'),
        ({"unreach": ["10.0.0.0/8"], "reach": ["#1#10.0.0.0/8"]}, '$.reach[0]: "#1#10.0.0.0/8", expected a prefix without a path id'),
        ({"reach": "10.0.0.0/8"}, '$.reach: "10.0.0.0/8", expected a list of prefixes'),
        ({"as_size": 3}, "$.as_size: 3, expected 2 or 4"),
        ({"as_size": "2"}, '$.as_size: "2", expected 2 or 4'),
        ({"attrs": []}, "$.attrs: [], expected an object of attributes"),
    ],
)  # fmt: skip
def test_wrong_updates(update: object, message: str) -> None:
    assert error(update).startswith(message)


# ---- attributes


@pytest.mark.parametrize(
    ("name", "value", "flags", "code", "octets"),
    [
        ("ORIGIN", "IGP", 0x40, 1, "00"),
        ("origin", "incomplete", 0x40, 1, "02"),
        ("1", 77, 0x40, 1, "4d"),
        ("ASPATH", [], 0x40, 2, ""),
        ("ASPATH", [1, 65536], 0x40, 2, "0202 00000001 00010000"),
        ("ASPATH", ["1", 2, [3, 4], 5], 0x40, 2, "0202 00000001 00000002 0102 00000003 00000004 0201 00000005"),
        ("ASPATH", [{"confed_seq": [1, 2]}, {"confed_set": [3]}], 0x40, 2, "0302 00000001 00000002 0401 00000003"),
        ("ASPATH", [[]], 0x40, 2, "0100"),
        ("NEXTHOP", "192.0.2.1", 0x40, 3, "c0000201"),
        ("MED", 4294967295, 0x80, 4, "ffffffff"),
        ("MED", "7", 0x80, 4, "00000007"),
        ("MED", "0x", 0x80, 4, ""),
        ("LOCALPREF", 100, 0x40, 5, "00000064"),
        ("AGGREGATE", True, 0x40, 6, ""),
        ("AGGREGATE", "0x01", 0x40, 6, "01"),
        ("AGGREGATOR", {"asn": 65000, "addr": "192.0.2.1"}, 0xC0, 7, "0000fde8 c0000201"),
        ("COMMUNITY", ["65000:1", "0:65535"], 0xC0, 8, "fde80001 0000ffff"),
        ("COMMUNITY", ["NO_EXPORT", "no-advertise", "blackhole", 5], 0xC0, 8, "ffffff01 ffffff02 ffff029a 00000005"),
        ("ORIGINATOR", "10.0.0.1", 0x80, 9, "0a000001"),
        ("CLUSTER_LIST", ["10.0.0.1", "10.0.0.2"], 0x80, 10, "0a000001 0a000002"),
        ("AS4PATH", [70000], 0xC0, 17, "0201 00011170"),
        ("AS4AGGREGATOR", {"asn": 70000, "addr": "192.0.2.1"}, 0xC0, 18, "00011170 c0000201"),
        ("LARGE_COMMUNITY", ["1:2:4294967295"], 0xC0, 32, "00000001 00000002 ffffffff"),
        ("LARGE_COMMUNITY", [[1, 2, 3]], 0xC0, 32, "00000001 00000002 00000003"),
        ("OTC", 65000, 0xC0, 35, "0000fde8"),
        ("ATTR_99", "0x0102", 0xC0, 99, "0102"),
        ("attr_99", True, 0xC0, 99, ""),
        ("99", "0xFF", 0xC0, 99, "ff"),
        ("PREFIX_SID", "0x01", 0xC0, 40, "01"),
        ("PMSI_TUNNEL", {"flags": "L", "type": 6, "label": 1, "id": "192.0.2.1"}, 0xC0, 22, "0106000010c0000201"),
    ],
)  # fmt: skip
def test_bare_values_get_the_usual_flags(name: str, value: object, flags: int, code: int, octets: str) -> None:
    packed = bytes.fromhex(octets)
    assert attributes({name: value}) == bytes((flags, code, len(packed))) + packed
    assert attributes({name: {"flags": None, "value": value}}) == bytes((flags, code, len(packed))) + packed


def test_two_octet_as_numbers() -> None:
    path = attributes({"ASPATH": [1, [2]], "AGGREGATOR": {"asn": 3, "addr": "1.2.3.4"}, "AS4PATH": [4]}, as_size=2)
    assert path.hex(" ", 1) == (
        "40 02 08 02 01 00 01 01 01 00 02 c0 07 06 00 03 01 02 03 04 c0 11 06 02 01 00 00 00 04"
    )
    assert wrong({"ASPATH": [65536]}, as_size=2) == "ASPATH: 65536, expected an AS number below 65536: they take 2 bytes here"
    text = wrong({"AGGREGATOR": {"asn": 65536, "addr": "1.2.3.4"}}, as_size=2)
    assert text == "AGGREGATOR.asn: 65536, expected an AS number (0 to 65535)"


@pytest.mark.parametrize(
    ("flags", "header"),
    [
        ("OT", "c0 63 00"), ("to", "c0 63 00"), ("", "00 63 00"), ("OTPX", "f0 63 0000"), ("X", "10 63 0000"), ("T3", "43 63 00"),
        ("15", "0f 63 00"), ("OTPX15", "ff 63 0000"), (0xC0, "c0 63 00"), (16, "10 63 0000"),
    ],
)  # fmt: skip
def test_flags(flags: object, header: str) -> None:
    assert attributes({"ATTR_99": {"flags": flags, "value": True}}) == bytes.fromhex(header)
    assert attributes({"ATTR_99": {"flags": flags}}) == bytes.fromhex(header)


def test_long_values_force_the_extended_length() -> None:
    assert attributes({"ATTR_99": {"flags": "O", "value": "0x" + "ab" * 255}})[:3] == b"\x80\x63\xff"
    assert attributes({"ATTR_99": {"flags": "O", "value": "0x" + "ab" * 256}})[:4] == b"\x90\x63\x01\x00"


def test_null_leaves_an_attribute_out() -> None:
    assert attributes({"MED": None, "ORIGIN": "IGP"}) == b"\x40\x01\x01\0"


def segments(path: object, counts: object = None) -> list[tuple[int, int]]:
    """(type, count) of each segment on the wire."""
    value = attributes({"ASPATH": {"flags": "TX", "value": path, "segments": counts}})[4:]
    found = []
    while value:
        found.append((value[0], value[1]))
        value = value[2 + 4 * value[1] :]
    return found


def test_segments() -> None:
    assert segments(list(range(300))) == [(2, 255), (2, 45)]
    assert segments(list(range(255))) == [(2, 255)]
    assert segments([1, 2, 3], [1, 2]) == [(2, 1), (2, 2)]
    assert segments([1, 2, [3], 4, 5], [1, 1, 2]) == [(2, 1), (2, 1), (1, 1), (2, 2)]
    assert segments([1, {"confed_seq": [1]}, 2], [1, 1]) == [(2, 1), (3, 1), (2, 1)]
    assert segments([{"confed_seq": list(range(300))}]) == [(3, 255), (3, 45)]


@pytest.mark.parametrize("counts", [[1, 1], [1, 1, 1, 1], [4], [3, 0], [0, 3], [1, "2"], [1, 2, 3], "x", {}, [-1, 4]])
def test_segments_of_another_path_are_ignored(counts: object) -> None:
    assert segments([1, 2, 3], counts) == [(2, 3)]


def test_segments_that_run_into_a_set_are_ignored() -> None:
    assert segments([1, [2], 3], [2]) == [(2, 1), (1, 1), (2, 1)]
    assert segments([1, {"confed_seq": list(range(300))}], [1]) == [(2, 1), (3, 255), (3, 45)]


@pytest.mark.parametrize(
    ("community", "octets"),
    [
        ({"type": "TARGET", "value": "65000:4294967295"}, "0002 fde8 ffffffff"),
        ({"type": "target", "value": "65000:1", "nontransitive": True}, "4002 fde8 00000001"),
        ({"type": "ORIGIN", "value": "1:2", "nontransitive": False}, "0003 0001 00000002"),
        ({"type": "IP4_TARGET", "value": "192.0.2.1:7"}, "0102 c0000201 0007"),
        ({"type": "IP4_ORIGIN", "value": "192.0.2.1:7"}, "0103 c0000201 0007"),
        ({"type": "AS4_TARGET", "value": "70000:7"}, "0202 00011170 0007"),
        ({"type": "AS4_ORIGIN", "value": "70000:7"}, "0203 00011170 0007"),
        ({"type": "0x0010", "value": "5:6"}, "0010 0005 00000006"),
        ({"type": "0x4110", "value": "1.2.3.4:6"}, "4110 01020304 0006"),
        ({"type": "0x0210", "value": "70000:6"}, "0210 00011170 0006"),
        ({"type": 0x0002, "value": "5:6"}, "0002 0005 00000006"),
        ({"type": "0x303", "value": "0x1"}, "0303 000000000001"),
        ({"type": "0x4300", "value": "0x0", "nontransitive": True}, "4300 000000000000"),
        ({"type": "0x604", "value": 5}, "0604 000000000005"),
        ({"type": "TARGET", "value": "0xffffffffffff"}, "0002 ffffffffffff"),
        ({"type": "FLOW_RATE_BYTES", "value": 1000}, "8006 0000 447a0000"),
        ({"type": "FLOW_RATE_BYTES", "value": "65000:0.5"}, "8006 fde8 3f000000"),
        ({"type": "FLOW_RATE_PACKETS", "value": 1.5}, "800c 0000 3fc00000"),
        ({"type": "FLOW_ACTION", "value": {"terminal": True, "sample": False}}, "8007 000000000001"),
        ({"type": "FLOW_ACTION", "value": {"sample": True}}, "8007 000000000002"),
        ({"type": "FLOW_REDIRECT_AS2", "value": "65000:1"}, "8008 fde8 00000001"),
        ({"type": "FLOW_REDIRECT_IP4", "value": "1.2.3.4:1"}, "8108 01020304 0001"),
        ({"type": "FLOW_REDIRECT_AS4", "value": "70000:1"}, "8208 00011170 0001"),
        ({"type": "FLOW_REDIRECT_NH", "value": {"copy": True}}, "0800 000000000001"),
        ({"type": "FLOW_DSCP", "value": 63}, "8009 00000000003f"),
        ("TARGET:65000:1", "0002 fde8 00000001"),
        ("0x0002fde800000001", "0002 fde8 00000001"),
    ],
)
def test_extended_communities(community: object, octets: str) -> None:
    assert attributes({"EXT_COMMUNITY": [community]}) == b"\xc0\x10\x08" + bytes.fromhex(octets)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        ({"af": "IPV6/UNICAST", "nexthop": "2001:db8::1", "prefixes": ["2001:db8::/32", "::/0"]},
         "0002 01 10 20010db8000000000000000000000001 00 2020010db8 00"),
        ({"af": "ipv6/multicast", "nexthop": "::1", "link-local": "fe80::1", "prefixes": []},
         "0002 02 20 00000000000000000000000000000001 fe800000000000000000000000000001 00"),
        ({"af": "IPV4/UNICAST", "nexthop": "192.0.2.1", "prefixes": ["10.0.0.0/8"]}, "0001 01 04 c0000201 00 080a"),
        ({"af": "IPV4/MULTICAST", "nexthop": "::2", "prefixes": ["10.0.0.0/8"]},
         "0001 02 10 00000000000000000000000000000002 00 080a"),
        ({"af": "IPV6/UNICAST", "prefixes": ["::/0"]}, "0002 01 00 00 00"),
        ({"af": "2/1", "nexthop": None, "prefixes": None}, "0002 01 00 00"),
        ({"af": "L2VPN/EVPNS", "nh": "0x01020304", "data": "0x0102"}, "0019 46 04 01020304 00 0102"),
        ({"af": "AFI(7)/SAFI(9)", "nh": "", "data": ""}, "0007 09 00 00"),
        ({"af": "IPV4/4OVER6", "nh": "0x", "data": "0x"}, "0001 43 00 00"),
        ({"af": "IPV6/UNICAST", "nh": "0x01", "data": "0x81"}, "0002 01 01 01 00 81"),
    ],
)  # fmt: skip
def test_mp_reach(value: object, octets: str) -> None:
    packed = bytes.fromhex(octets)
    assert attributes({"MP_REACH": value}) == bytes((0x80, 14, len(packed))) + packed


def test_mp_unreach() -> None:
    assert attributes({"MP_UNREACH": {"af": "IPV6/UNICAST", "prefixes": ["::/0"]}}) == bytes.fromhex("80 0f 04 0002 01 00")
    assert attributes({"MP_UNREACH": {"af": "IPV4/FLOWSPEC", "data": "0x0102"}}) == bytes.fromhex("80 0f 05 0001 85 0102")
    assert attributes({"MP_UNREACH": {"af": "IPV6/UNICAST"}}) == bytes.fromhex("80 0f 03 0002 01")


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"FOO": 1}, 'FOO: "FOO", expected an attribute: a name such as ASPATH, ATTR_N or a number (0 to 255)'),
        ({"ATTR_256": 1}, 'ATTR_256: "256", expected an attribute'),
        ({"MED": 1, "4": 2}, "4: given twice, expected each attribute once"),
        ({"MED": {"value": 1, "flag": "O"}}, 'MED: "flag", expected flags, value or segments'),
        ({"MED": {"flags": "Q", "value": 1}}, 'MED.flags: "Q", expected flags: letters of "OTPX", then a number below 16'),
        ({"MED": {"flags": "O16", "value": 1}}, 'MED.flags: "O16", expected flags'),
        ({"MED": {"flags": "3O", "value": 1}}, 'MED.flags: "3O", expected flags'),
        ({"MED": {"flags": 256, "value": 1}}, "MED.flags: 256, expected flags (0 to 255)"),
        ({"MED": {"flags": [], "value": 1}}, "MED.flags: [], expected flags"),
        ({"MED": {"value": None}}, "MED.value: null, expected a number (0 to 4294967295)"),
        ({"MED": {"value": -1}}, "MED.value: -1, expected a number"),
        ({"MED": "0x1"}, 'MED: "0x1", expected hex digits, "0x" and an even number of them'),
        ({"MED": False}, "MED: false, expected a number"),
        ({"ORIGIN": "FOO"}, 'ORIGIN: "FOO", expected IGP, EGP, INCOMPLETE or a number (0 to 255)'),
        ({"NEXTHOP": "::1"}, 'NEXTHOP: "::1", expected an IPv4 address'),
        ({"NEXTHOP": "01.2.3.4"}, 'NEXTHOP: "01.2.3.4", expected an IPv4 address'),
        ({"NEXTHOP": 5}, "NEXTHOP: 5, expected an IPv4 address"),
        ({"AGGREGATE": False}, "AGGREGATE: false, expected true where the value is empty"),
        ({"ATTR_99": 5}, 'ATTR_99: 5, expected hex digits, "0x.."'),
        ({"ASPATH": 5}, "ASPATH: 5, expected a list of AS numbers"),
        ({"ASPATH": "1 2"}, 'ASPATH: "1 2", expected a list of AS numbers'),
        ({"ASPATH": {"value": [1, 2, 4294967296]}}, "ASPATH.value[2]: 4294967296, expected an AS number (0 to 4294967295)"),
        ({"ASPATH": {"value": [1, [2, "x"]]}}, 'ASPATH.value[1][1]: "x", expected an AS number'),
        ({"ASPATH": [{"confed_seq": [1, None]}]}, "ASPATH[0].confed_seq[1]: null, expected an AS number"),
        ({"ASPATH": [{"confed": [1]}]}, "ASPATH[0]: {'confed': [1]}, expected an AS number, a list (AS_SET), confed_seq or confed_set"),
        ({"ASPATH": [True]}, "ASPATH[0]: true, expected an AS number, a list"),
        ({"ASPATH": [list(range(256))]}, "ASPATH[0]: 256 members, expected 255 at most"),
        ({"AGGREGATOR": {"asn": 1}}, "AGGREGATOR: {'asn': 1}, expected an object with \"asn\" and \"addr\""),
        ({"AGGREGATOR": {"asn": "x", "addr": "1.2.3.4"}}, 'AGGREGATOR.asn: "x", expected an AS number'),
        ({"AGGREGATOR": {"asn": 1, "addr": "x"}}, 'AGGREGATOR.addr: "x", expected an IPv4 address'),
        ({"COMMUNITY": "1:2"}, 'COMMUNITY: "1:2", expected a list of communities such as "65000:1"'),
        ({"COMMUNITY": ["1:2", "1:65536"]}, 'COMMUNITY[1]: "1:65536", expected a community such as "65000:1"'),
        ({"COMMUNITY": ["1"]}, 'COMMUNITY[0]: "1", expected a community'),
        ({"COMMUNITY": [4294967296]}, "COMMUNITY[0]: 4294967296, expected a community"),
        ({"COMMUNITY": ["1:²"]}, 'COMMUNITY[0]: "1:\\xb2", expected a community'),
        ({"LARGE_COMMUNITY": ["1:2"]}, 'LARGE_COMMUNITY[0]: "1:2", expected a large community such as "65000:1:2"'),
        ({"LARGE_COMMUNITY": ["1:2:x"]}, 'LARGE_COMMUNITY[0]: "1:2:x", expected a large community'),
        ({"CLUSTER_LIST": ["1.2.3.4", 5]}, "CLUSTER_LIST[1]: 5, expected an IPv4 address"),
        ({"EXT_COMMUNITY": [5]}, 'EXT_COMMUNITY[0]: 5, expected an extended community: {"type", "value"}'),
        ({"EXT_COMMUNITY": ["x"]}, 'EXT_COMMUNITY[0]: "x", expected an extended community such as "TARGET:65000:1"'),
        ({"EXT_COMMUNITY": [{"type": "TARGET"}]}, "EXT_COMMUNITY[0]: {'type': 'TARGET'}, expected an extended community"),
        ({"EXT_COMMUNITY": [{"type": "TARGET", "value": "1:2", "x": 1}]}, 'EXT_COMMUNITY[0]: "x", expected type, value or nontransitive'),
        ({"EXT_COMMUNITY": [{"type": "FOO", "value": "1:2"}]}, 'EXT_COMMUNITY[0].type: "FOO", expected the type of an extended community'),
        ({"EXT_COMMUNITY": [{"type": "TARGET", "value": "1"}]}, 'EXT_COMMUNITY[0].value: "1", expected "AS:number"'),
        ({"EXT_COMMUNITY": [{"type": "TARGET", "value": "70000:1"}]}, 'EXT_COMMUNITY[0].value: "70000", expected an AS number (0 to 65535); AS4_TARGET is for AS numbers of 4 octets; IP4_TARGET is for addresses'),
        ({"EXT_COMMUNITY": [{"type": "DATA_COLLECTION", "value": "70000:1"}]}, 'EXT_COMMUNITY[0].value: "70000", expected an AS number (0 to 65535); AS4_DATA_COLLECTION is for AS numbers of 4 octets'),
        ({"EXT_COMMUNITY": [{"type": "IP4_TARGET", "value": 5}]}, 'EXT_COMMUNITY[0].value: 5, expected "address:number"'),
        ({"EXT_COMMUNITY": [{"type": "TARGET", "value": "1:2", "nontransitive": 1}]}, "EXT_COMMUNITY[0].nontransitive: 1, expected true or false"),
        ({"EXT_COMMUNITY": [{"type": "FLOW_ACTION", "value": 1}]}, "EXT_COMMUNITY[0].value: 1, expected an object of terminal, sample"),
        ({"EXT_COMMUNITY": [{"type": "FLOW_ACTION", "value": {"x": True}}]}, 'EXT_COMMUNITY[0].value: "x", expected terminal or sample'),
        ({"EXT_COMMUNITY": [{"type": "FLOW_DSCP", "value": 64}]}, "EXT_COMMUNITY[0].value: 64, expected a DSCP (0 to 63)"),
        ({"EXT_COMMUNITY": [{"type": "FLOW_RATE_BYTES", "value": "fast"}]}, 'EXT_COMMUNITY[0].value: "fast", expected a rate'),
        ({"EXT_COMMUNITY": [{"type": "0x303", "value": "1:2"}]}, 'EXT_COMMUNITY[0].value: "1:2", expected hex digits'),
        ({"EXT_COMMUNITY": [{"type": "0x303", "value": "0x1000000000000"}]}, 'EXT_COMMUNITY[0].value: "0x1000000000000", expected a number of 48 bits'),
        ({"MP_REACH": []}, 'MP_REACH: [], expected an object with "af"'),
        ({"MP_REACH": {}}, 'MP_REACH.af: null, expected an address family such as "IPV6/UNICAST"'),
        ({"MP_REACH": {"af": "IPV6"}}, 'MP_REACH.af: "IPV6", expected an address family'),
        ({"MP_REACH": {"af": "AFI(65536)/1"}}, 'MP_REACH.af: "AFI(65536)/1", expected an address family'),
        ({"MP_REACH": {"af": "2/1", "x": 1}}, 'MP_REACH: "x", expected af, nexthop, link-local, nh, prefixes, nlri, rules, data'),
        ({"MP_UNREACH": {"af": "2/1", "nexthop": "::1"}}, 'MP_UNREACH: "nexthop", expected af, prefixes, nlri, rules, data'),
        ({"MP_REACH": {"af": "2/1", "prefixes": [], "data": ""}}, "MP_REACH: both prefixes and data are given, expected one of them"),
        ({"MP_REACH": {"af": "2/1", "nexthop": "::", "nh": ""}}, "MP_REACH: both nexthop and nh are given, expected one of them"),
        ({"MP_REACH": {"af": "2/1", "data": "x"}}, 'MP_REACH.data: "x", expected hex digits'),
        ({"MP_REACH": {"af": "2/1", "nh": 5}}, "MP_REACH.nh: 5, expected hex digits"),
        ({"MP_REACH": {"af": "2/1", "nh": "0x" + "00" * 256}}, "MP_REACH.nh: 256 octets, expected 255 at most"),
        ({"MP_REACH": {"af": "1/1", "nexthop": "x"}}, 'MP_REACH.nexthop: "x", expected an IP address'),
        ({"MP_REACH": {"af": "2/1", "nexthop": "1.2.3.4"}}, 'MP_REACH.nexthop: "1.2.3.4", expected an IPv6 address'),
        ({"MP_REACH": {"af": "1/1", "nexthop": "1.2.3.4", "link-local": "fe80::1"}}, "MP_REACH.link-local: a link-local address goes with"),
        ({"MP_REACH": {"af": "2/1", "nexthop": "::1", "link-local": "1.2.3.4"}}, 'MP_REACH.link-local: "1.2.3.4", expected an IPv6 address'),
        ({"MP_REACH": {"af": "2/1", "prefixes": ["10.0.0.0/8"]}}, 'MP_REACH.prefixes[0]: "10.0.0.0/8", expected a prefix of IPV6/UNICAST'),
        ({"MP_REACH": {"af": "IPV4/MPLS_VPN", "prefixes": []}}, "MP_REACH.prefixes: IPV4/MPLS_VPN has no plain prefixes, expected nlri, or hex in data"),
    ],
)  # fmt: skip
def test_wrong_attributes(attrs: dict[str, object], message: str) -> None:
    assert wrong(attrs).startswith(message)


def test_long_values_are_cut_in_messages() -> None:
    assert wrong({"NEXTHOP": "x" * 200}) == 'NEXTHOP: "' + "x" * 56 + "..., expected an IPv4 address"


# ---- OPEN


def opened(**fields: object) -> bytes:
    return wire({"asn": 65000, "id": "192.0.2.1", **fields}, "OPEN")


FIXED = bytes.fromhex("04 fde8 005a c0000201")


def test_open_without_capabilities() -> None:
    assert opened() == FIXED + b"\0"
    assert opened(caps={}) == FIXED + b"\0"
    assert opened(bgp=3, hold=180, id=1) == bytes.fromhex("03 fde8 00b4 00000001 00")


def test_open_with_capabilities_in_order() -> None:
    caps = {"MP": ["IPV4/UNICAST", "IPV6/UNICAST"], "ROUTE_REFRESH": True, "AS4": 65000}
    assert opened(caps=caps) == FIXED + bytes.fromhex("16 02 14 0104 0001 00 01 0104 0002 00 01 0200 4104 0000fde8")


def test_large_as_number() -> None:
    assert opened(asn=70000) == bytes.fromhex("04 5ba0 005a c0000201 08 02 06 4104 00011170")
    assert opened(asn=70000, caps={"AS4": 70000}) == opened(asn=70000)
    assert opened(asn=None, caps={"AS4": 70000}) == opened(asn=70000)
    assert opened(asn=23456, caps={"AS4": 70000}) == opened(asn=70000)
    assert opened(asn=None, caps={"AS4": 65000})[1:3] == b"\xfd\xe8"
    assert opened(asn=65000, caps={"AS4": 70000})[1:3] == b"\xfd\xe8"
    assert opened(asn=70000, caps={"ROLE": "PEER"}).endswith(bytes.fromhex("090104 4104 00011170"))


def test_parameters_win_while_they_carry_the_caps() -> None:
    two = "0x0206010400010001" + "02020200"
    caps = {"MP": ["IPV4/UNICAST"], "ROUTE_REFRESH": True}
    assert opened(caps=caps, params=two) == FIXED + b"\x0c" + bytes.fromhex(two[2:])
    assert opened(params=two) == FIXED + b"\x0c" + bytes.fromhex(two[2:])
    edited = {"MP": ["IPV6/UNICAST"], "ROUTE_REFRESH": True}
    assert opened(caps=edited, params=two) == opened(caps=edited)
    assert opened(caps=edited, params="0x02") == opened(caps=edited)


def test_parameters_whose_capabilities_json_groups() -> None:
    mixed = "0x" + "02060104 00010001 02020200 02060104 00020001".replace(" ", "")
    caps = {"MP": ["IPV4/UNICAST", "IPV6/UNICAST"], "ROUTE_REFRESH": True}
    assert opened(caps=caps, params=mixed) == FIXED + b"\x14" + bytes.fromhex(mixed[2:])


def test_parameters_that_are_not_capabilities() -> None:
    assert opened(params="0x0101aa") == FIXED + b"\x03\x01\x01\xaa"
    assert opened(params="0x") == FIXED + b"\0"
    assert opened(params="0xff") == FIXED + b"\x01\xff"


def test_extended_parameters() -> None:
    many = {f"CAP_{n}": "0x" + "ab" * 100 for n in (200, 201, 202)}
    body = opened(caps=many)
    assert body[9:16] == bytes.fromhex("ff ff 0135 02 0132")
    assert len(body) == 16 + 306
    assert opened(caps=many, params="0x" + body[10:].hex()) == body
    short = "ff0005 02 0002 0200".replace(" ", "")
    assert opened(caps={"ROUTE_REFRESH": True}, params="0x" + short) == FIXED + b"\xff" + bytes.fromhex(short)


def test_wrong_opens() -> None:
    def said(**fields: object) -> str:
        text = error(["R", 1, None, "OPEN", {"asn": 1, "id": "1.2.3.4", **fields}])
        assert text.startswith("$[4]")
        return text.removeprefix("$[4]")

    assert said(x=1) == ': "x", expected bgp, asn, id, hold, caps, params'
    assert said(bgp=256) == ".bgp: 256, expected a version (0 to 255)"
    assert said(hold=65536) == ".hold: 65536, expected seconds (0 to 65535)"
    assert said(asn=None) == ".asn: null, expected an AS number"
    assert said(asn=4294967296) == ".asn: 4294967296, expected an AS number (0 to 4294967295)"
    assert said(asn=70000, caps={"AS4": 70001}) == ".asn: 70000, expected the AS number of the AS4 capability, 70001, or 23456"
    assert said(id=None) == ".id: null, expected an IPv4 address"
    assert said(id="::1") == '.id: "::1", expected an IPv4 address'
    assert said(id=-1) == ".id: -1, expected a BGP identifier (0 to 4294967295)"
    assert said(caps=[]) == ".caps: [], expected an object of capabilities"
    assert said(caps={"MP": ["IPV4"]}) == '.caps.MP[0]: "IPV4", expected an address family such as "IPV6/UNICAST"'
    assert said(params=5) == '.params: 5, expected hex digits, "0x" and an even number of them'
    assert said(params="0x" + "00" * 256).startswith(".params: 256 octets, expected 255 at most")
    many = {f"CAP_{n}": ["0x" + "00" * 255] * 10 for n in range(200, 230)}
    assert said(caps=many) == ".params: 77100 octets of capabilities, expected 65532 at most"


# ---- NOTIFICATION


@pytest.mark.parametrize(
    ("data", "octets"),
    [
        ("", "0600"),
        ("ab\u00ff\n", "0600 6162ff0a"),
        ({"code": 6, "subcode": 2, "name": "CEASE/ADMIN_SHUTDOWN"}, "0602"),
        ({"code": 6, "subcode": 2, "data": "0x00ff"}, "0602 00ff"),
        ({"code": 6, "subcode": 2, "data": "0x00ff", "text": "bye"}, "0602 00ff"),
        ({"code": 6, "subcode": 2, "text": "bye é"}, "0602 06 627965 20 c3a9"),
        ({"code": 6, "subcode": 4, "text": ""}, "0604 00"),
        ({"code": 3, "subcode": 5}, "0305"),
        ({"code": 4}, "0400"),
        ({"code": "3", "subcode": "5"}, "0305"),
        ({"name": "cease/admin-reset"}, "0604"),
        ({"code": "CEASE/ADMIN_RESET"}, "0604"),
        ({"code": "CEASE", "subcode": 9}, "0609"),
        ({"name": "HOLD_TIMER_EXPIRED"}, "0400"),
        ({"name": "CEASE/77"}, "064d"),
        ({"name": "99/7"}, "6307"),
        ({"code": 6, "name": "UPDATE_MESSAGE_ERROR/MALFORMED_AS_PATH", "subcode": 1}, "0601"),
    ],
)
def test_notifications(data: object, octets: str) -> None:
    assert wire(data, "NOTIFY") == bytes.fromhex(octets)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("\u0100", '"\\u0100", expected characters up to U+00FF, one for each octet of data'),
        ({"x": 1}, '"x", expected code, subcode, name, data, text'),
        ({}, ".code: null, expected a NOTIFICATION code"),
        ({"code": 256}, ".code: 256, expected a NOTIFICATION code (0 to 255)"),
        ({"code": 1, "subcode": 256}, ".subcode: 256, expected a NOTIFICATION subcode (0 to 255)"),
        ({"code": "FOO"}, '.code: "FOO", expected the name of a NOTIFICATION such as "CEASE/ADMIN_SHUTDOWN"'),
        ({"name": "CEASE/FOO"}, '.name: "CEASE/FOO", expected the name of a NOTIFICATION'),
        ({"name": "CEASE/256"}, '.name: "256", expected a NOTIFICATION subcode (0 to 255)'),
        ({"name": 5}, ".name: 5, expected the name of a NOTIFICATION"),
        ({"code": 6, "data": "x"}, '.data: "x", expected hex digits'),
        ({"code": 6, "subcode": 2, "text": 5}, ".text: 5, expected text"),
        ({"code": 6, "subcode": 2, "text": "x" * 256}, ".text: 256 octets, expected 255 at most"),
        ({"code": 6, "subcode": 2, "text": "\ud800"}, '.text: "\\ud800", expected text without lone surrogates'),
        ({"code": 6, "subcode": 1, "text": "x"},
         ".text: goes with CEASE/ADMIN_SHUTDOWN, CEASE/ADMIN_RESET, not with CEASE/MAXIMUM_PREFIXES_REACHED"),
        ({"code": 6, "subcode": 9, "reason": {"code": 6, "subcode": 2, "text": 5}}, ".reason.text: 5, expected text"),
        ({"code": 6, "subcode": 9, "reason": 5}, ".reason: 5, expected an object of code, subcode"),
        ({"code": 6, "subcode": 1, "limit": 5}, ".limit: 5, expected an object of af, prefixes"),
        ({"code": 6, "subcode": 1, "limit": {"af": "1/1", "prefixes": -1}}, ".limit.prefixes: -1, expected a number of prefixes"),
        ({"code": 2, "subcode": 7, "caps": {"FOO": 1}}, '.caps.FOO: "FOO", expected a capability'),
        ({"code": 1, "subcode": 2, "length": 65536}, ".length: 65536, expected a number (0 to 65535)"),
        ({"code": 1, "subcode": 3, "type": 256}, ".type: 256, expected a message type (0 to 255)"),
    ],
)  # fmt: skip
def test_wrong_notifications(data: object, message: str) -> None:
    text = error(["R", 1, None, "NOTIFY", data])
    assert text.removeprefix("$[4]").removeprefix(": ").startswith(message)


# ---- whatever comes in


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["0x", "0x00", "1:2", "10.0.0.0/8"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["reach", "attrs", "value", "flags", "ASPATH", "caps", "MP", "af", "code"]), inner),
    max_leaves=12,
)


@given(st.sampled_from(["OPEN", "UPDATE", "NOTIFY", "KEEPALIVE", "REFRESH", 9]), json_values)
def test_a_message_or_a_json_error(kind: object, data: object) -> None:
    try:
        parsed = parse_line(json.dumps(["R", 1, None, kind, data]).encode())
    except JsonError as problem:
        assert str(problem).startswith(("$", "not JSON"))
    else:
        assert parsed is not None
        assert struct.unpack("!H", parsed[3][16:18])[0] == len(parsed[3])


LABELLED = '"MP_REACH":{"af":"IPV4/MPLS","nlri":[{"prefix":"10.0.0.0/8","labels":[%s]}]}'


@pytest.mark.parametrize(
    ("attribute", "item", "problem"),
    [
        (LABELLED, "1", "bits, expected 255 at most"),
        ('"TUNNEL":[%s]', '{"type":1,"value":true}', "octets, expected 65535 at most"),
        ('"PREFIX_SID":[{"type":3,"value":{"flags":"","ranges":[%s]}}]', '{"base":1,"size":1}', "octets or items"),
    ],
)
def test_time_grows_with_the_line_alone(attribute: str, item: str, problem: str) -> None:
    """As long as lines may be: these would take minutes if each item cost as much as those in front of it."""
    many = ",".join([item] * (1_500_000 // len(item)))
    with pytest.raises(JsonError, match=problem):
        parse_line(('{"attrs":{' + attribute % many + "}}").encode())


@given(st.binary())
def test_any_line(line: bytes) -> None:
    try:
        parse_line(line)
    except JsonError as problem:
        assert str(problem)
