"""JSON lines -> wire: the native reader, what it leaves to the lenient one, and what comes out of both."""

from __future__ import annotations

import io
import json
import random
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corpus
from bgpipe._codec import Buffer, RawDecoder
from bgpipe._json import JsonEncoder
from bgpipe._json_reader import JsonDecoder
from bgpipe._mrt import MrtDecoder
from bgpipe.errors import JsonError

HEAD = '["R",1,"2016-08-11T16:00:00.000",'
PEER = '{"PEER_AS":"59689","PEER_IP":"2001:7f8:54::188"}'


@dataclass
class Decoded:
    wires: list[bytes]
    json: bytes
    decoder: JsonDecoder
    error: Exception | None
    skipped: list[str] = field(default_factory=list)


def decode(text: bytes | str, *, native: bool = True, **options: Any) -> Decoded:
    decoder = JsonDecoder(**options)
    decoder.native = native
    source = io.BytesIO(text.encode() if isinstance(text, str) else text)
    out = Buffer()
    encoder = JsonEncoder()
    wires = []
    error = None
    while (batch := decoder.read(source)) is not None:
        wires += [batch.wire(index) for index in range(len(batch))]
        encoder.encode(batch, out)
        error = batch.error
    return Decoded(wires, bytes(out), decoder, error)


def update(data: str, *, head: str = HEAD, meta: str = PEER) -> str:
    return f'{head}"UPDATE",{data},{meta}]\n'


def attribute(text: str) -> str:
    return f'{{"attrs":{{{text}}}}}'


def body(withdrawn: str = "", attributes: bytes = b"", reach: str = "") -> bytes:
    """Body of an UPDATE (RFC 4271 section 4.3)."""
    routes = bytes.fromhex(withdrawn)
    return b"".join((len(routes).to_bytes(2), routes, len(attributes).to_bytes(2), attributes, bytes.fromhex(reach)))


def message(kind: int, data: bytes) -> bytes:
    return b"\xff" * 16 + (19 + len(data)).to_bytes(2) + bytes((kind,)) + data


def attr(flags: int, code: int, value: str | bytes) -> bytes:
    octets = bytes.fromhex(value) if isinstance(value, str) else value
    size = len(octets).to_bytes(2 if flags & 0x10 else 1)
    return bytes((flags, code)) + size + octets


# An attribute as the writer prints it, and on the wire.
ATTRIBUTES = [
    ('"ORIGIN":{"flags":"T","value":"IGP"}', attr(0x40, 1, "00")),
    ('"ORIGIN":{"flags":"TX","value":"EGP"}', attr(0x50, 1, "01")),
    ('"ORIGIN":{"flags":"","value":"INCOMPLETE"}', attr(0, 1, "02")),
    ('"ORIGIN":{"flags":"OTP15","value":"0x07"}', attr(0xEF, 1, "07")),
    ('"ORIGIN":{"flags":"T","value":true}', attr(0x40, 1, "")),
    ('"ASPATH":{"flags":"T","value":[]}', attr(0x40, 2, "")),
    ('"ASPATH":{"flags":"T","value":[0]}', attr(0x40, 2, "0201 00000000")),
    (
        '"ASPATH":{"flags":"T","value":[1,4294967295,[3,4],5]}',
        attr(0x40, 2, "0202 00000001 ffffffff 0102 00000003 00000004 0201 00000005"),
    ),
    (
        '"ASPATH":{"flags":"T","value":[{"confed_seq":[64512]},{"confed_set":[7]}]}',
        attr(0x40, 2, "0301 0000fc00 0401 00000007"),
    ),
    (
        '"ASPATH":{"flags":"T","value":[1,2,3,[4],5],"segments":[1,2,1]}',
        attr(0x40, 2, "0201 00000001 0202 00000002 00000003 0101 00000004 0201 00000005"),
    ),
    ('"NEXTHOP":{"flags":"T","value":"255.0.19.1"}', attr(0x40, 3, "ff001301")),
    ('"MED":{"flags":"O","value":4294967295}', attr(0x80, 4, "ffffffff")),
    ('"LOCALPREF":{"flags":"T","value":0}', attr(0x40, 5, "00000000")),
    ('"AGGREGATE":{"flags":"T","value":true}', attr(0x40, 6, "")),
    (
        '"AGGREGATOR":{"flags":"OT","value":{"asn":65536,"addr":"1.2.3.4"}}',
        attr(0xC0, 7, "00010000 01020304"),
    ),
    ('"COMMUNITY":{"flags":"OT","value":["0:0","65535:65281"]}', attr(0xC0, 8, "00000000 ffffff01")),
    ('"ORIGINATOR":{"flags":"O","value":"10.0.0.1"}', attr(0x80, 9, "0a000001")),
    ('"CLUSTER_LIST":{"flags":"O","value":["0.0.0.1","9.8.7.6"]}', attr(0x80, 10, "00000001 09080706")),
    ('"ATTR_11":{"flags":"O","value":"0x00ff"}', attr(0x80, 11, "00ff")),
    (
        '"MP_REACH":{"flags":"OX","value":{"af":"IPV6/UNICAST","nexthop":"2001:db8::1","prefixes":["::/0","2001:db8:1::/48"]}}',
        attr(0x90, 14, "000201 10 20010db8000000000000000000000001 00 00 3020010db80001"),
    ),
    (
        '"MP_REACH":{"flags":"O","value":{"af":"IPV6/MULTICAST","nexthop":"::ffff:1.2.3.4","link-local":"fe80::1","prefixes":[]}}',
        attr(0x80, 14, "000202 20 00000000000000000000ffff01020304 fe800000000000000000000000000001 00"),
    ),
    (
        '"MP_REACH":{"flags":"O","value":{"af":"IPV4/UNICAST","nexthop":"1:2:3:4:5:6:7:8","prefixes":["10.0.0.0/7"]}}',
        attr(0x80, 14, "000101 10 00010002000300040005000600070008 00 070a"),
    ),
    (
        '"MP_REACH":{"flags":"O","value":{"af":"IPV4/MULTICAST","nexthop":"1.2.3.4","prefixes":["#7#10.0.0.0/8"]}}',
        attr(0x80, 14, "000102 04 01020304 00 00000007 080a"),
    ),
    (
        '"MP_REACH":{"flags":"O","value":{"af":"IPV4/MPLS_VPN","nh":"0x0102","data":"0x03"}}',
        attr(0x80, 14, "000180 02 0102 00 03"),
    ),
    ('"MP_REACH":{"flags":"O","value":{"af":"LS/LS","nh":"","data":""}}', attr(0x80, 14, "400447 00 00")),
    (
        '"MP_UNREACH":{"flags":"O","value":{"af":"IPV6/UNICAST","prefixes":["#1#::1/128","#2#8000::/1"]}}',
        attr(0x80, 15, "000201 00000001 80 00000000000000000000000000000001 00000002 0180"),
    ),
    ('"MP_UNREACH":{"flags":"O","value":{"af":"IPV6/UNICAST","prefixes":[]}}', attr(0x80, 15, "000201")),
    ('"MP_UNREACH":{"flags":"O","value":{"af":"L2VPN/EVPNS","data":"0x00"}}', attr(0x80, 15, "001946 00")),
    (
        '"EXT_COMMUNITY":{"flags":"OT","value":[{"type":"LINK_BANDWIDTH","value":"65000:36028797018963968","nontransitive":true},'
        '{"type":"VALIDATION_STATE","value":"NOT_FOUND","nontransitive":true},{"type":"COST","value":"1:128:100"},'
        '{"type":"OSPF_ROUTE_TYPE","value":"0.0.0.1:2:0"},{"type":"COLOR","value":"100"},{"type":"COLOR","value":"3:100"},'
        '{"type":"ENCAPSULATION","value":"VXLAN_GPE"},{"type":"ENCAPSULATION","value":"VXLAN"},{"type":"ENCAPSULATION","value":"99"},'
        '{"type":"MAC_MOBILITY","value":"4294967295"},{"type":"MAC_MOBILITY","value":"STICKY:0"},'
        '{"type":"ESI_LABEL","value":"SINGLE_ACTIVE:1048575"},{"type":"ROUTERS_MAC","value":"00:11:ab:cd:ef:ff"},'
        '{"type":"EVI_RT_TYPE_1","value":"1.2.3.4:5"},{"type":"LINK_BANDWIDTH","value":"0:0"}]}',
        attr(
            0xC0,
            16,
            "4004 fde8 5b000000  4300 0000 00000001  0301 0180 00000064  0306 00000001 0200  030b 0000 00000064  030b c000 00000064"
            "030c 0000 0000000c  030c 0000 00000008  030c 0000 00000063  0600 0000 ffffffff  0600 0100 00000000"
            "0601 0100 00fffff0  0603 0011 abcdefff  060b 01020304 0005  0004 0000 00000000",
        ),
    ),
    (
        '"EXT_COMMUNITY":{"flags":"OT","value":[{"type":"TARGET","value":"65535:4294967295"},{"type":"IP4_ORIGIN","value":"1.2.3.4:5"},'
        '{"type":"AS4_TARGET","value":"65536:65535","nontransitive":true},{"type":"0x303","value":"0xa"},'
        '{"type":"0x4011","value":"1:2","nontransitive":true},{"type":"FLOW_REDIRECT_IP4","value":"1.2.3.4:5"},{"type":"FLOW_DSCP","value":"0xff0000000000"}]}',
        attr(
            0xC0,
            16,
            "0002 ffff ffffffff  0103 01020304 0005  4202 00010000 ffff  0303 00000000000a"
            "4011 0001 00000002  8108 01020304 0005  8009 ff0000000000",
        ),
    ),
    ('"AS4PATH":{"flags":"OT","value":[1,[2]]}', attr(0xC0, 17, "0201 00000001 0101 00000002")),
    (
        '"AS4AGGREGATOR":{"flags":"OT","value":{"asn":1,"addr":"0.0.0.0"}}',
        attr(0xC0, 18, "00000001 00000000"),
    ),
    ('"BFD_DISCRIMINATOR":{"flags":"OT","value":"0x00"}', attr(0xC0, 38, "00")),
    (
        '"LARGE_COMMUNITY":{"flags":"OT","value":["1:2:4294967295"]}',
        attr(0xC0, 32, "00000001 00000002 ffffffff"),
    ),
    ('"OTC":{"flags":"OT","value":65536}', attr(0xC0, 35, "00010000")),
    ('"ATTR_255":{"flags":"OTX","value":true}', attr(0xD0, 255, "")),
]

# The data of an UPDATE as the writer prints it, and its body on the wire.
UPDATES = [
    ("{}", body()),
    ('{"reach":["192.0.2.0/24","0.0.0.0/0","255.255.255.255/32"]}', body(reach="18c00002 00 20ffffffff")),
    (
        '{"reach":["#42#10.0.0.0/8"],"unreach":["#4294967295#10.128.0.0/9"]}',
        body("ffffffff 090a80", b"", "0000002a 080a"),
    ),
    ('{"unreach":["198.51.100.0/22"],"as_size":2}', body("16c63364")),
    (
        '{"reach":["10.0.0.0/8"],"attrs":{"ASPATH":{"flags":"T","value":[1,65535]},"AGGREGATOR":{"flags":"OT","value":'
        '{"asn":2,"addr":"1.2.3.4"}},"AS4PATH":{"flags":"OT","value":[65536]}},"as_size":2}',
        body(
            "",
            attr(0x40, 2, "0202 0001 ffff") + attr(0xC0, 7, "0002 01020304") + attr(0xC0, 17, "0201 00010000"),
            "080a",
        ),
    ),
    *((f'{{"attrs":{{{text}}}}}', body(attributes=octets)) for text, octets in ATTRIBUTES),
    (
        f'{{"attrs":{{{ATTRIBUTES[0][0]},{ATTRIBUTES[7][0]}}}}}',
        body(attributes=ATTRIBUTES[0][1] + ATTRIBUTES[7][1]),
    ),
    ('"0x0000"', b"\0\0"),
]

OTHERS = [
    ('"KEEPALIVE",null', message(4, b"")),
    ('"KEEPALIVE","0x01"', message(4, b"\1")),
    ('"REFRESH","0x00010001"', message(5, b"\0\1\0\1")),
    ('"OPEN","0x00"', message(1, b"\0")),
    ('"NOTIFY","0x06"', message(3, b"\6")),
]


@pytest.mark.parametrize(("data", "octets"), UPDATES)
def test_update(data: str, octets: bytes) -> None:
    line = update(data)
    got = decode(line)
    assert got.error is None
    assert got.wires == [message(2, octets)]
    assert got.decoder.fallbacks == 0


@pytest.mark.parametrize(("text", "wire"), OTHERS)
def test_other_types(text: str, wire: bytes) -> None:
    got = decode(f"{HEAD}{text},{PEER}]\n")
    assert (got.wires, got.error, got.decoder.fallbacks) == ([wire], None, 0)


@pytest.mark.parametrize(
    "line",
    [
        '["R",1,"2016-08-11T16:00:00.000","KEEPALIVE",null,{}]\n',
        '["L",18446744073709551,"1970-01-01T00:00:00.000","KEEPALIVE",null,{"a":"b"}]\n',
        '["L",0,"2261-12-31T23:59:59.999999","KEEPALIVE",null,{"a":"Zürich","":""}]\n',
        '["R",12345678,"2000-02-29T12:34:56.000001","KEEPALIVE",null,{}]\n',
    ],
)
def test_what_stands_around_the_data(line: str) -> None:
    got = decode(line)
    assert got.error is None
    assert got.json.decode() == line
    assert got.decoder.fallbacks == 0


def test_as_sizes_take_turns() -> None:
    lines = "".join(
        update(f'{{"attrs":{{"ASPATH":{{"flags":"T","value":[1,{asn}]}}}}{size}}}')
        for asn, size in [
            (2, ""),
            (3, ',"as_size":2'),
            (65536, ""),
            (5, ',"as_size":2'),
            (6, ',"as_size":2'),
            (7, ""),
        ]
    )
    got = decode(lines)
    assert got.json.decode() == lines
    assert [len(wire) for wire in got.wires] == [36, 32, 36, 32, 32, 36]


def test_sequence_of_more_than_255() -> None:
    path = ",".join(str(asn) for asn in range(256))
    got = decode(update(f'{{"attrs":{{"ASPATH":{{"flags":"T","value":[{path}]}}}}}}'))
    expected = b"\2\xff" + b"".join(asn.to_bytes(4) for asn in range(255)) + b"\2\1\0\0\0\xff"
    assert got.wires == [message(2, body(attributes=attr(0x50, 2, expected)))]
    assert got.decoder.fallbacks == 0


def test_longest_message() -> None:
    prefixes = 65535 - 19 - 4
    line = update('{"reach":[' + ",".join(['"0.0.0.0/0"'] * prefixes) + "]}")
    got = decode(line)
    assert got.error is None
    assert [len(wire) for wire in got.wires] == [65535]
    assert got.json.decode() == line
    assert got.decoder.fallbacks == 0


def test_blocks_of_any_size_give_the_same() -> None:
    text = "".join(update(data) for data, _ in UPDATES) + update("{}").rstrip("\n")
    whole = decode(text)
    assert whole.error is None
    assert len(whole.wires) == len(UPDATES) + 1
    for size in (64, 100, 1000, 5000):
        assert decode(text, block_size=size).json == whole.json == text.encode() + b"\n"


def test_action_tags() -> None:
    lines = [update("{}", meta=meta) for meta in ('{"ACTION":"DROP"}', '{"ACTION":"ACCEPT"}', '{"ACTION":"other"}')]
    assert decode("".join(lines)).json.decode() == lines[1] + lines[2]
    assert decode("".join(lines), no_tags=True).json.decode() == update("{}", meta="{}") * 3


def test_types() -> None:
    lines = update("{}") + f'{HEAD}"KEEPALIVE",null,{PEER}]\n'
    assert [wire[18] for wire in decode(lines, types=1 << 4).wires] == [4]


def test_more_tags_than_a_table_of_peers_holds() -> None:
    lines = [update("{}", meta=f'{{"PEER_AS":"{number}"}}') for number in range(70_000)]
    got = decode("".join(lines))
    assert got.error is None
    assert got.json.decode() == "".join(lines)
    assert got.decoder.fallbacks == 0


# ---- what the native reader leaves to the lenient one ---------------------------------------------------------------
# A line, and the one that the writer prints for the same message.
OTHER_SPELLINGS = [
    ('[ "R", 1, "2016-08-11T16:00:00.000", "KEEPALIVE", null, {"a": "b"} ]', f'{HEAD}"KEEPALIVE",null,{{"a":"b"}}]'),
    (f'{HEAD}"KEEPALIVE",null,{{"\\u0061":"b"}}]\r', f'{HEAD}"KEEPALIVE",null,{{"a":"b"}}]'),
    (f'{HEAD}"KEEPALIVE",null,null]', f'{HEAD}"KEEPALIVE",null,{{}}]'),
    (f'{HEAD}4,null,{{"a":1}}]', f'{HEAD}"KEEPALIVE",null,{{"a":"1"}}]'),
    (f'{HEAD}"UPDATE",{{"attrs":{{"MED":7}},"reach":["1.2.3.4/32"]}},{{}}]', f'{HEAD}"UPDATE",{{"reach":["1.2.3.4/32"],"attrs":{{"MED":{{"flags":"O","value":7}}}}}},{{}}]'),
    (
        f'{HEAD}"UPDATE",{{"attrs":{{"AGGREGATOR":{{"flags":"OT","value":{{"asn":1, "addr":"1.2.3.4"}}}}}}}},{{}}]',
        f'{HEAD}"UPDATE",{{"attrs":{{"AGGREGATOR":{{"flags":"OT","value":{{"asn":1,"addr":"1.2.3.4"}}}}}}}},{{}}]',
    ),
    (
        f'{HEAD}"UPDATE",{{"reach":["#1#::/0"]}},{{}}]'.replace('"reach":["#1#::/0"]', '"unreach":["#1#10.0.0.0/8"], "as_size": 2'),
        f'{HEAD}"UPDATE",{{"unreach":["#1#10.0.0.0/8"],"as_size":2}},{{}}]',
    ),
    ('["l",7,"2016-08-11T16:00:00Z","OPEN",{"asn":1,"id":"1.2.3.4"},{}]', '["L",7,"2016-08-11T16:00:00.000","OPEN",{"bgp":4,"asn":1,"id":"1.2.3.4","hold":90},{}]'),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), OTHER_SPELLINGS)
def test_other_spellings(line: str, expected: str) -> None:
    got = decode(line)
    assert got.error is None
    assert got.json.decode() == expected + "\n"
    assert decode(line, native=False).json == got.json


def test_blank_lines_comments_and_no_line_end() -> None:
    line = update("{}")
    got = decode(f"\n \r\n# comment\n{line}\n{line}".rstrip("\n"))
    assert (got.error, got.json.decode(), got.decoder.records) == (None, line * 2, 6)


def test_bare_update_takes_direction_and_time_of_its_own() -> None:
    got = decode('{"reach":["10.0.0.0/8"]}\n', direction="L")
    assert got.wires == [message(2, body(reach="080a"))]
    assert got.json.startswith(b'["L",0,"2')


def test_sequence_and_time_of_our_own() -> None:
    got = decode(update("{}"), no_seq=True, no_time=True)
    assert got.json.startswith(b'["R",0,"2')
    assert b"2016" not in got.json


ERRORS = [
    ("[", "not JSON"),
    ('["R",1,"2016-08-11T16:00:00.000","UPDATE",{},{}', "not JSON"),
    (f'{HEAD}"UPDATE",{{"reach":["10.0.0.0/33"]}},{{}}]', "$[4].reach[0]"),
    (f'{HEAD}"UPDATE",{{"reach":["10.0.0.0/8","#1#10.0.0.0/8"]}},{{}}]', "$[4].reach"),
    (f'{HEAD}"UPDATE",{{"attrs":{{"ASPATH":{{"flags":"T","value":[1,2,"x"]}}}}}},{{}}]', "$[4].attrs.ASPATH.value[2]"),
    (f'{HEAD}"UPDATE",{{"attrs":{{"ASPATH":{{"flags":"T","value":[4294967296]}}}}}},{{}}]', "$[4].attrs.ASPATH.value[0]"),
    (f'{HEAD}"UPDATE",{{"attrs":{{"ASPATH":{{"flags":"T","value":[65536]}}}},"as_size":2}},{{}}]', "$[4].attrs.ASPATH"),
    (f'{HEAD}"UPDATE",{{"attrs":{{"MED":{{"flags":"Q","value":1}}}}}},{{}}]', "$[4].attrs.MED.flags"),
    (f'{HEAD}"UPDATE",{{}},{{"a":["b"]}}]', "$[5].a"),
    (f'{HEAD}"UPDATE","0x0",{{}}]', "$[4]"),
    (f'{HEAD}"WHAT",null,{{}}]', "$[3]"),
    ('["X",1,"2016-08-11T16:00:00.000","KEEPALIVE",null,{}]', "$[0]"),
    ('["R",-1,"2016-08-11T16:00:00.000","KEEPALIVE",null,{}]', "$[1]"),
    ('["R",1,"2016-02-30T16:00:00.000","KEEPALIVE",null,{}]', "$[2]"),
    (f'{HEAD}"KEEPALIVE",null,{{}},{{}}]', "six"),
    ("[" * 30_000, "nested too deeply"),
    ("[" * 100_000, "more values"),
    (f'{HEAD}"REFRESH","0x{"00" * 65517}",{{}}]', "65535"),
    (f'{HEAD}"KEEPALIVE",null,{{"a":"{"b" * 65535}"}}]', "tag 'a' is longer than 65534 bytes"),
    (f'{HEAD}"KEEPALIVE",null,{{"a":"{"b" * 40000}","c":"{"d" * 40000}"}}]', "$[5]: tags of 80011 octets, expected 65536 at most"),
    (f'{HEAD}"KEEPALIVE",null,{{"a":"\\ud800"}}]', "tag 'a' has lone surrogates"),
    (f'{HEAD}"KEEPALIVE",null,{{"\\udfff":"a"}}]', "tag '\\udfff' has lone surrogates"),
    ('["R\0",1]', "$[0]"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "where"), ERRORS)
def test_error_says_what_and_where(line: str, where: str) -> None:
    good = update("{}")
    got = decode(f"{good}{good}{line}\n{good}")
    assert got.json.decode() == good * 2
    assert isinstance(got.error, JsonError)
    assert where in str(got.error)
    assert str(got.error).startswith(f"line 3 at offset {2 * len(good)}: ")
    assert (got.error.record, got.error.offset) == (3, 2 * len(good))


def test_text_that_is_not_utf8() -> None:
    got = decode(f'{HEAD}"KEEPALIVE",null,{{"a":"'.encode() + b'\xff"}]\n')
    assert isinstance(got.error, JsonError)
    assert "UTF-8" in str(got.error)


def test_zeros_are_no_time() -> None:
    """Not even in the first line, where no second was read yet."""
    got = decode('["R",1,"' + "\0" * 20 + '000","KEEPALIVE",null,{}]\n')
    assert "$[2]" in str(got.error)
    assert got.wires == []


def test_pardon_skips_and_tells() -> None:
    good = update("{}")
    skipped: list[JsonError] = []
    text = "".join(f"{line}\n{good}" for line, _ in ERRORS)
    got = decode(text, pardon=True, on_skip=skipped.append)
    assert got.error is None
    assert got.json.decode() == good * len(ERRORS)
    assert got.decoder.skipped == len(ERRORS) == len(skipped)
    assert all(where in str(error) for error, (_, where) in zip(skipped, ERRORS, strict=True))


@pytest.mark.parametrize("end", ["", "\n"])
def test_line_that_is_too_long(end: str) -> None:
    good = update("{}")
    long = " " * (2 << 20) + "x"
    got = decode(good + long + end)
    assert got.json.decode() == good
    assert isinstance(got.error, JsonError)
    assert str(got.error) == f"line 2 at offset {len(good)} is longer than 2097152 bytes"
    got = decode(good + long + long + "\n" + good + good + long + end, pardon=True)
    assert (got.error, got.json.decode(), got.decoder.skipped) == (None, good * 3, 2)


def test_longest_line_that_is_written_is_read() -> None:
    """65535 octets of prefixes /0, and of tags all that there may be, each octet escaped."""
    reach = ",".join(['"0.0.0.0/0"'] * (65535 - 23))
    tags = {"a": "\x01" * 65530}
    line = update(f'{{"reach":[{reach}]}}', meta=json.dumps(tags, separators=(",", ":")))
    got = decode(line + update("{}"))
    assert got.error is None
    assert [len(wire) for wire in got.wires] == [65535, 23]
    assert got.json.decode() == line + update("{}")
    assert len(line) < 5 << 18


@pytest.mark.parametrize("depth", [1, 10, 100, 900, 990, 1000, 3000, 30_000])
@pytest.mark.parametrize(
    "around", ["{}", '["R",1,null,{}]', '{{"attrs":{{"MED":{}}}}}', '["R",1,null,"OPEN",{{"caps":{{"AS4":{}}}}}]']
)
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_nesting_of_any_depth_is_one_clear_error(depth: int, around: str, brackets: tuple[str, str]) -> None:
    good = update("{}")
    skipped: list[JsonError] = []
    deep = around.format(brackets[0] * depth + "1" + brackets[1] * depth)
    got = decode(f"{good}{deep}\n{good}", pardon=True, on_skip=skipped.append)
    assert (got.error, got.json.decode()) == (None, good * 2)
    assert len(skipped) == 1
    assert type(skipped[0]) is JsonError
    assert str(skipped[0]).startswith(f"line 2 at offset {len(good)}: ")
    assert len(str(skipped[0])) < 300


@pytest.mark.parametrize("text", ["x" * 1_000_000, "é" * 500_000, "\\n" * 400_000, "9" * 4000, "\\ud800" * 1000])
@pytest.mark.parametrize(
    "around", ['["R","{}"]', '["R",1,"{}"]', '{{"attrs":{{"{}":1}}}}', '{{"attrs":{{"MED":["{}"]}}}}', '{{"{}":1}}']
)
def test_errors_are_short_whatever_they_are_about(text: str, around: str) -> None:
    got = decode(around.format(text) + "\n")
    assert isinstance(got.error, JsonError)
    assert len(str(got.error)) < 300
    assert str(got.error).isprintable()


def test_tags_that_meet_in_one_slot_of_a_plain_hash() -> None:
    """Texts of one hash where each word is folded in by a multiplication: the tags come out right, each its own."""
    mask, golden, factor = (1 << 64) - 1, 0x9E3779B97F4A7C15, 0xFF51AFD7ED558CCD
    plain = frozenset(range(0x20, 0x7F)) - {0x22, 0x5C}
    words, size = [], len('{"a":"12') + 16 + len('34567"}')
    state = golden ^ size
    state = (state ^ int.from_bytes(b'{"a":"12', "big")) * factor & mask
    state ^= state >> 32
    random_words = random.Random(1)
    while len(words) < 50:
        first = bytes(random_words.choices(sorted(plain), k=8))
        after = (state ^ int.from_bytes(first, "big")) * factor & mask
        after ^= after >> 32
        second = (after ^ 0x4142434445464748).to_bytes(8, "big")
        if plain.issuperset(second):
            words.append((first + second).decode())
    metas = [f'{{"a":"12{word}34567"}}' for word in words]
    text = "".join(update("{}", meta=meta) for meta in metas * 2)
    assert decode(text).json.decode() == text


@pytest.mark.parametrize("native", ["'a': 'b'}", "\0\1\0\1\0ab", "\0"])
def test_no_spelling_of_tags_passes_for_what_the_lenient_reader_made(native: str) -> None:
    """Peers are found by the text of their tags, which for those of the lenient reader is none that can be read."""
    known = update(" {}", meta='{"a":"b"}') + update(" {}", meta="{}")
    got = decode(known + update("{}", meta=native))
    assert isinstance(got.error, JsonError)
    assert len(got.wires) == 2


def test_batches_of_short_lines_are_bounded() -> None:
    """256 KiB of two octets a line would be 65,536 messages, which take fifty times that."""
    decoder, source, sizes = JsonDecoder(), io.BytesIO(b"{}\n" * 50_000), []
    while (batch := decoder.read(source)) is not None:
        sizes.append(len(batch))
    assert sum(sizes) == 50_000 == decoder.records
    assert max(sizes) < 16_384


# ---- both readers agree -----------------------------------------------------------------------------------------------
SPELLED = [update(data) for data, _ in UPDATES] + [f"{HEAD}{text},{PEER}]\n" for text, _ in OTHERS]
PIECES = [
    *'",:[]{}/#.0159xeTOPX -\\',
    "::",
    "ffff",
    "255",
    "256",
    "65536",
    "4294967296",
    "0x",
    "null",
    "true",
    "#1#",
    "/32",
]
PIECES += ["/129", '"as_size":2', ',"segments":[1]', ',"nontransitive":true', "\0", "\r", "é", "[]", "{}", '""']


@st.composite
def damaged_lines(draw: st.DrawFn) -> str:
    """A line with some of its text cut out, replaced, or said twice."""
    line = draw(st.sampled_from(SPELLED))[:-1]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(line)))
        until = min(len(line), at + draw(st.integers(0, 12)))
        line = line[:at] + draw(st.sampled_from(["", line[at:until] * 2, *PIECES])) + line[until:]
    return line


def both(text: bytes | str) -> tuple[Decoded, Decoded]:
    """By the native reader and by the lenient one, with what was skipped as damaged."""
    found = []
    for native in (True, False):
        skipped: list[str] = []
        decoded = decode(text, native=native, pardon=True, on_skip=lambda error, to=skipped: to.append(str(error)))
        decoded.skipped = skipped
        found.append(decoded)
    return found[0], found[1]


@settings(max_examples=300, deadline=None)
@given(st.lists(damaged_lines(), min_size=1, max_size=10))
def test_readers_agree_on_damaged_lines(lines: list[str]) -> None:
    native, lenient = both("\n".join(lines))
    # What has no time gets the time now, which is another one for each.
    assert native.wires == lenient.wires
    assert native.skipped == lenient.skipped
    if all(line.startswith(HEAD) for line in lines):
        assert native.json == lenient.json


# An item of a list and what stands around the list.
LISTS = [
    ('"0.0.0.0/0"', '{"reach":[%s]}'),
    ('"1.2.3.4/32"', '{"reach":[%s]}'),
    ('"#1#1.2.3.4/32"', '{"unreach":[%s]}'),
    ("1", '{"attrs":{"ASPATH":{"flags":"T","value":[%s]}}}'),
    ("1", '{"attrs":{"ASPATH":{"flags":"T","value":[%s]}},"as_size":2}'),
    ("[1]", '{"attrs":{"ASPATH":{"flags":"T","value":[%s]}}}'),
    ('{"confed_set":[1]}', '{"attrs":{"AS4PATH":{"flags":"T","value":[%s]}}}'),
    ('"1:2"', '{"attrs":{"COMMUNITY":{"flags":"T","value":[%s]}}}'),
    ('"1:2:3"', '{"attrs":{"LARGE_COMMUNITY":{"flags":"T","value":[%s]}}}'),
    ('"1.2.3.4"', '{"attrs":{"CLUSTER_LIST":{"flags":"T","value":[%s]}}}'),
    ('{"type":"TARGET","value":"1:2"}', '{"attrs":{"EXT_COMMUNITY":{"flags":"T","value":[%s]}}}'),
    ('"#1#::1/128"', '{"attrs":{"MP_UNREACH":{"flags":"O","value":{"af":"IPV6/UNICAST","prefixes":[%s]}}}}'),
]


@pytest.mark.parametrize(("item", "data"), LISTS)
def test_longest_list_and_one_more(item: str, data: str) -> None:
    one = len(decode(update(data % item)).wires[0])
    size: float = len(decode(update(data % f"{item},{item}")).wires[0]) - one
    if item == "1":
        size += 2 / 255  # segments of 255 AS numbers have a header each
    most = int((65535 - one) / size) + 1
    accepted = []
    for count in range(most - 3, most + 4):
        native, lenient = both(update(data % ",".join([item] * count)))
        assert (native.wires, native.skipped) == (lenient.wires, lenient.skipped)
        accepted.append(len(native.wires))
    assert accepted[0] == 1
    assert accepted[-1] == 0


@pytest.mark.parametrize("size", [65511, 65512, 65513, 70000])
def test_longest_hex(size: int) -> None:
    for data in (
        f'"0x{"ab" * (size + 4)}"',
        f'{{"attrs":{{"ATTR_99":{{"flags":"O","value":"0x{"ab" * (size - 4)}"}}}}}}',
    ):
        native, lenient = both(update(data))
        assert (native.wires, native.skipped) == (lenient.wires, lenient.skipped)
        assert len(native.wires) == (size <= 65512)


# ---- real input -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", corpus.golden_names())
def test_readers_agree_on_the_reference(name: str) -> None:
    text = corpus.read(corpus.folder() / "golden" / f"{name}.json.gz")
    native, lenient = both(text)
    assert native.skipped == lenient.skipped == []
    assert native.wires == lenient.wires
    assert native.json == lenient.json
    assert len(native.wires) == text.count(b"\n")


@pytest.mark.parametrize("name", corpus.names("mrt"))
def test_what_the_writer_prints_comes_back_without_python(name: str) -> None:
    source = io.BytesIO(corpus.read(corpus.folder() / "mrt" / name))
    decoder = MrtDecoder(pardon=True)
    encoder = JsonEncoder()
    wires = []
    text = Buffer()
    while (batch := decoder.read(source)) is not None:
        wires += [batch.wire(index) for index in range(len(batch))]
        encoder.encode(batch, text)
    got = decode(bytes(text))
    assert got.error is None
    assert got.wires == wires
    assert got.json == bytes(text)
    others = re.compile(rb'"nlri":|"SET":{"flags":"[A-Z]*","value":{')
    lines = zip(wires, bytes(text).splitlines(), strict=True)
    # OPEN, NOTIFICATION, ROUTE-REFRESH, families without plain prefixes, attributes of attributes
    assert got.decoder.fallbacks == sum(wire[18] in (1, 3, 5) or others.search(line) is not None for wire, line in lines)


def mp_unreach(family: str, nlri: bytes) -> bytes:
    return b"\x90\x0f" + (3 + len(nlri)).to_bytes(2) + bytes.fromhex(family) + nlri


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(
    ("octets", "unit"),
    [
        (mp_unreach("000185", (b"\xff\xfd\x09" + b"\x43\xff" * 2045 + b"\xc3\xff") * 15), '"and":true'),
        (mp_unreach("000185", bytes(65000)), "{}"),
        (mp_unreach("000184", bytes(65000)), '{"length":0}'),
        (mp_unreach("001946", b"\xff\0" * 32500), '"value":"0x"'),
        (b"\xd0\x24" + (65000).to_bytes(2) + bytes(65000), "[]"),
        (b"\xd0\x21" + (65000).to_bytes(2) + b"\0\2" + b"\0\3\1" * 21666, '"segments":[]'),
        (b"\xd0\x28" + (65001).to_bytes(2) + b"\5\0\0" * 21667, "true"),
    ],
    ids=["flags", "rules", "targets", "evpn", "domains", "signatures", "tlvs"],
)
def test_messages_of_the_most_values_come_back(octets: bytes, unit: str, native: bool) -> None:
    """As many lists, objects and values as 65,535 octets can stand for are no attack."""
    wire = message(2, body(attributes=octets))
    batch = RawDecoder(block_size=1 << 17).read(io.BytesIO(wire))
    assert batch is not None
    out = Buffer()
    JsonEncoder().encode(batch, out)
    assert bytes(out).count(unit.encode()) > 20000
    got = decode(bytes(out), native=native)
    assert (got.error, got.wires) == (None, [wire])
