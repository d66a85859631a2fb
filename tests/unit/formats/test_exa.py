"""ExaBGP's text: what its commands mean, what is wrong with a bad one, and how messages are written."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bgpipe._codec import Buffer
from bgpipe._exa import ExaEncoder
from bgpipe._exa_reader import ExaDecoder
from bgpipe._view import Msg, collect
from bgpipe.errors import ExaError
from bgpipe.files import read, write
from bgpipe.formats.exa import parse_line
from bgpipe.formats.records import whole

HOP = "next-hop 192.0.2.1"
ROUTE = f"announce route 10.0.0.0/8 {HOP}"


@dataclass
class Decoded:
    messages: list[Msg]
    decoder: ExaDecoder
    error: Exception | None
    skipped: list[str] = field(default_factory=list)


def decode(text: str | bytes, *, native: bool = True, **options: Any) -> Decoded:
    skipped: list[str] = []
    decoder = ExaDecoder(on_skip=lambda error: skipped.append(str(error)), **options)
    decoder.native = native
    source = io.BytesIO(text.encode() if isinstance(text, str) else text)
    found: list[Msg] = []
    error = None
    while (batch := decoder.read(source)) is not None:
        found += batch
        error = batch.error
    return Decoded(found, decoder, error, skipped)


def encode(messages: list[Msg]) -> list[str]:
    """The lines of messages."""
    out = Buffer()
    ExaEncoder().encode(collect(messages), out)
    return bytes(out).decode("ascii").splitlines()


def attributes(words: str) -> str:
    """The attributes of a route in hex, without ORIGIN, AS_PATH and NEXT_HOP where these are the usual ones."""
    [(wire, _, _)] = parse_line(f"{ROUTE} {words}".encode())
    size = int.from_bytes(wire[21:23])
    return wire[23 : 23 + size].hex().replace("40010100", "").replace("400200", "").replace("400304c0000201", "")


# ---- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "octets"),
    [
        ("", ""),
        ("origin egp", "40010101"),
        ("origin INCOMPLETE", "40010102"),
        ("as-path 65000", "400206" "0201" "0000fde8"),
        ("as-path [ 1 2 ]", "40020a" "0202" "00000001" "00000002"),
        ("as-path [1 2]", "40020a" "0202" "00000001" "00000002"),
        ("as-path [ 1, 2 ]", "40020a" "0202" "00000001" "00000002"),
        ("as-path [ ]", ""),
        ("as-path [ 1.1 AS2 ]", "40020a" "0202" "00010001" "00000002"),
        ("as-path [ 1 ( 2 3 ) ]", "400210" "0201" "00000001" "0102" "00000002" "00000003"),
        ("as-path [ 1 ] ( 2 3 )", "400210" "0201" "00000001" "0102" "00000002" "00000003"),
        ("as-path [ 1 [ 2 ] 3 ]", "400212" "0201" "00000001" "0101" "00000002" "0201" "00000003"),
        ("as-path [ { 1 2 } ] [ 3 ]", "400210" "0302" "00000001" "00000002" "0201" "00000003"),
        ("as-path ( { 1 } )", "400206" "0401" "00000001"),
        ("med 5", "80040400000005"),
        ("med 0x10", "80040400000010"),
        ("local-preference 100", "40050400000064"),
        ("atomic-aggregate", "400600"),
        ("aggregator ( 65000:192.0.2.9 )", "c00708" "0000fde8" "c0000209"),
        ("aggregator (65000:192.0.2.9)", "c00708" "0000fde8" "c0000209"),
        ("aggregator 65000:192.0.2.9", "c00708" "0000fde8" "c0000209"),
        ("community 1:2", "c00804" "00010002"),
        ("community [ 1:2 no-export 0x00030004 5 ]", "c00810" "00010002" "ffffff01" "00030004" "00000005"),
        ("community [1:2] community [3:4]", "c00808" "00010002" "00030004"),
        ("community [ NO_ADVERTISE nopeer no-peer blackhole ]", "c00810" "ffffff02" "ffffff04" "ffffff04" "ffff029a"),
        ("originator-id 192.0.2.7", "800904" "c0000207"),
        ("cluster-list [ 1.1.1.1 2.2.2.2 ]", "800a08" "01010101" "02020202"),
        ("cluster-list 1.1.1.1", "800a04" "01010101"),
        ("extended-community target:65000:1", "c01008" "0002fde800000001"),
        ("extended-community 65000:1", "c01008" "0002fde800000001"),
        ("extended-community [ target:70000:1 target:5L:1 ]", "c01010" "0202000111700001" "0202000000050001"),
        ("extended-community [ target:1.2.3.4:5 origin:1.2.3.4:5 ]", "c01010" "0102010203040005" "0103010203040005"),
        ("extended-community origin:100:0.0.3.232", "c01008" "00030064000003e8"),
        ("extended-community [ target4:5:6 origin4:1.2.3.4:5 ]", "c01010" "0202000000050006" "0103010203040005"),
        ("extended-community [ redirect:5:6 redirect:70000:6 ]", "c01010" "8008000500000006" "8208000111700006"),
        ("extended-community l2info:19:0:1500:111", "c01008" "800a130005dc006f"),
        ("extended-community bandwidth:65000:1", "c01008" "4004fde83f800000"),
        ("extended-community [ rate-limit:1 rate-limit:2:packets ]", "c01010" "800600003f800000" "800c000040000000"),
        ("extended-community [ redirect-to-nexthop copy-to-nexthop ]", "c01010" "0800000000000000" "0800000000000001"),
        ("extended-community [ redirect-to-nexthop-ietf 1.2.3.4 mark 10 ]", "c01010" "010c010203040000" "800900000000000a"),
        ("extended-community action sample-terminal", "c01008" "8007000000000003"),
        ("extended-community interface-set:transitive:output:254:254", "c01008" "0702000000fe80fe"),
        ("extended-community [ mup:10:11 0x0102030405060708 ]", "c01010" "0c00000a0000000b" "0102030405060708"),
        ("aigp 5", "801a0b" "01000b" "0000000000000005"),
        ("large-community [ 1:2:3 4:5:6 ]", "c02018" "000000010000000200000003000000040000000500000006"),
        ("large-community 18446744073709551618", "c0200c" "00000001" "00000000" "00000002"),
        ("otc 65000", "c023040000fde8"),
        ("attribute [ 0x99 0x70 0x0102 ]", "70990002" "0102"),
        ("attribute [0x99 0xC0 0x] attribute [ 0x98 0xc0 0x01 ]", "c0980101" "c09900"),
        ("name x split /8 watchdog dog", ""),
    ],
)
def test_words(words: str, octets: str) -> None:
    assert attributes(words) == octets


COMMON = [
    ROUTE,
    f"{ROUTE} as-path [ 1 2 3 4200000000 ] med 1 origin incomplete",
    f"announce route \t10.0.0.0/8   {HOP}\r",
    "announce route 10.1.2.3 next-hop self",
    "announce route 2001:db8::1 next-hop self",
    f"announce route 0.0.0.0/0 {HOP} path-information 7",
    f"announce route 1.2.3.4/32 path-information 1.2.3.4 {HOP}",
    "announce route ::/0 next-hop 2001:db8::1 community [ 1:2 no-export ] large-community [1:2:3]",
    "announce route 10.0.0.0/9 next-hop 2001:db8::1 local-preference 7",
    f"{ROUTE} extended-community [target:1:2 origin:3:4 0x0102030405060708] atomic-aggregate aggregator (1:1.1.1.1)",
    f"{ROUTE} originator-id 1.2.3.4 cluster-list [ 1.1.1.1 2.2.2.2 ] community no-export-subconfed",
    f"{ROUTE} as-path [ {' '.join(map(str, range(1, 1000)))} ]",
    f"{ROUTE} community [ {' '.join(f'{n}:{n}' for n in range(200))} ]",
    "withdraw route 10.0.0.0/8",
    "withdraw route 10.0.0.0/8 next-hop self med 5",
    "withdraw route 2001:db8::/32 path-information 5",
]


@pytest.mark.parametrize("line", COMMON)
def test_native_reader_agrees(line: str) -> None:
    fast, slow = decode(line + "\n"), decode(line + "\n", native=False)
    assert fast.error is slow.error is None
    assert fast.decoder.fallbacks == 0
    assert slow.decoder.fallbacks == 1
    assert [(m.wire, m.context) for m in fast.messages] == [(m.wire, m.context) for m in slow.messages]
    assert len(fast.messages) == 1
    assert fast.messages[0].error is None


@pytest.mark.parametrize(
    "line",
    [
        "announce route 10.0.0.1/8 next-hop 1.1.1.1",
        "announce route 10.0.0.0/33 next-hop 1.1.1.1",
        "announce route 10.0.0.0/8 next-hop 1.1.1.1 med 4294967296",
        "announce route 10.0.0.0/8 next-hop 1.1.1.1 community [ 65536:1 ]",
        "announce route 10.0.0.0/8 next-hop 1.1.1.1 community [ ]",
        "announce route 10.0.0.0/8 next-hop 1.1.1.1 community [ 1:2",
        "announce route 10.0.0.0/8 next-hop 1.1.1.1 as-path [ 1 2",
        "announce route 10.0.0.0/8 next-hop 1.1.1.1 med 1 med 2",
        "announce route 10.0.0.0/8 next-hop 1.1.1.1 next-hop 1.1.1.1",
        "announce route 10.0.0.0/8 next-hop 1.1.1.1 origin igpx",
        "announce route 10.0.0.0/8 next-hop 1.1.1.1 extended-community 0x01",
        "announce route 10.0.0.0/8",
        "announce route 10.0.0.0/8 next-hop",
        "announce route 10.0.0.0/8 next-hop selfish",
        "announce route 10.0.0.0/8 next-hop 1.1.1.1x",
        "announce route 10.0.0.0/8 next-hop 1.1.1.1\0",
        "announce route",
        "announce",
        "withdraw route",
        "announce route 10.0.0.0/8 next-hop 1.1.1.1 aggregator ( 1:1.1.1.1",
    ],
)
def test_no_reader_takes(line: str) -> None:
    for native in (True, False):
        found = decode(line, native=native)
        assert isinstance(found.error, ExaError), line
        assert not found.messages


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("announce rout 1", 'column 10: "rout", expected route, attributes, flow'),
        ("announce", "column 9: the line ends, expected route"),
        ("anounce route", 'column 1: "anounce", expected announce, withdraw'),
        ("announce route 10.0.0.0/8 nexthop 1.1.1.1", 'column 27: "nexthop", expected next-hop, '),
        ("announce route 10.0.0.0/8 next-hop", "column 35: the line ends, expected an IP address"),
        ("announce route 10.0.0.0/8", "column 26: the line ends, expected next-hop"),
        ("announce route 10.0.0.1/8 next-hop 1.1.1.1", "expected no bits set behind the prefix length"),
        (f"{ROUTE} med x", 'column 50: "x", expected a number (0 to 4294967295)'),
        (f"{ROUTE} community [ 1:2", "column 61: the line ends, expected a community"),
        (f"{ROUTE} med 1 med 2", "med is there already"),
        (f"{ROUTE} next-hop 1.1.1.1", "next-hop is there already"),
        (f"{ROUTE} ; withdraw route 10.0.0.0/8", 'column 46: ";", expected the end of the line'),
        (f"{ROUTE} attribute [ 0x0e 0x80 0x00 ]", "attribute 14 holds routes"),
        (f"{ROUTE} attribute [ 14 0x80 0x00 ]", "as hex digits"),
        (f"{ROUTE} extended-community [ foo:1:2 ]", 'column 67: "foo:1:2", expected an extended community'),
        ("announce route 0.0.0.0/0 next-hop 1.1.1.1 split /24", "65536 prefixes at most"),
        (f"announce attributes {HOP} split /24 nlri 10.0.0.0/8 11.0.0.0/8", "65536 prefixes at most of a line"),
        (f"group attributes {HOP} attribute [ 0x99 0xc0 0x{'00' * 60000} ]" + "; withdraw route ::/0" * 100, "more than 4194304 octets"),
        (f"announce flow route destination 10.0.0.0/8{' discard' * 10000}", "65536 octets of attribute 16"),
        ("announce route #7#10.0.0.0/8 next-hop 1.1.1.1", "expected a prefix, and path-information"),
        (f"announce attributes {HOP} nlri #7#10.0.0.0/8 10.0.0.0/8", "expected a prefix, and path-information"),
        (f"announce attributes {HOP}", "the line ends, expected \"nlri\""),
        (f"announce attributes {HOP} nlri 10.0.0.0/8 ::/0", 'column 56: "::/0", expected prefixes of one family'),
        ("announce eor ipv4 foo", 'column 19: "foo", expected unicast'),
        ("announce route-refresh ipv4", "the line ends, expected unicast"),
        ("announce ipv6 unicast 10.0.0.0/8 next-hop ::1", "expected a prefix of IPV6/UNICAST"),
        ("neighbor", "the line ends, expected a neighbor"),
        ("announce route 10.0.0.0/8 next-hop 1.1.1.1 name caf\xe9", "column 52: not ASCII"),
    ],
)
def test_errors_say_where(line: str, problem: str) -> None:
    with pytest.raises(ExaError) as caught:
        parse_line(line.encode("latin-1"))
    assert problem in str(caught.value)
    assert caught.value.column is not None


def test_nothing_to_say() -> None:
    found = decode("\n# announce route\n   \n  # x\ndisable-ack\n\r\n")
    assert (found.messages, found.error) == ([], None)


def test_pardon_counts_lines_and_says_what_they_were() -> None:
    found = decode(f"{ROUTE}\nshutdown\n{ROUTE}\n", pardon=True)
    assert len(found.messages) == 2
    assert found.decoder.skipped == 1
    assert found.skipped[0].startswith('line 2 at offset 45, column 1: "shutdown", expected announce')


def test_an_error_ends_the_input_behind_what_was_good() -> None:
    found = decode(f"{ROUTE}\nannounce rout\n{ROUTE}\n")
    assert len(found.messages) == 1
    assert isinstance(found.error, ExaError)
    assert (found.error.record, found.error.offset) == (2, 45)


def test_split() -> None:
    found = decode("announce route 10.0.0.0/8 next-hop 1.1.1.1 split /10\n").messages
    assert [str(prefix) for message in found for prefix in message.update.reach] == [  # type: ignore[union-attr]
        "10.0.0.0/10",
        "10.64.0.0/10",
        "10.128.0.0/10",
        "10.192.0.0/10",
    ]


def test_many_prefixes_take_many_messages() -> None:
    found = decode("announce route 10.0.0.0/8 next-hop 1.1.1.1 split /24\n").messages
    assert sum(len(message.update.reach) for message in found) == 65536  # type: ignore[union-attr]
    sizes = [len(message.wire) for message in found]
    assert max(sizes) <= 4096
    assert min(sizes[:-1]) > 4096 - 8


def test_what_waits_for_a_watchdog_is_not_announced() -> None:
    assert decode(f"{ROUTE} watchdog dog withdraw\n").messages == []
    assert len(decode(f"{ROUTE} withdraw\n").messages) == 1


def test_bulk() -> None:
    [message] = decode(f"announce attributes {HOP} med 5 nlri 10.0.0.0/8 11.0.0.0/8\n").messages
    assert message.wire.hex().endswith("080a" "080b")
    [message] = decode("withdraw attributes next-hop 1.1.1.1 nlri 10.0.0.0/8 11.0.0.0/8\n").messages
    assert message.body.hex() == "0004" "080a" "080b" "0000"


def test_a_group_shares_attributes() -> None:
    text = "group attributes next-hop 1.1.1.1 med 5 ; announce route 10.0.0.0/8 ; announce route 11.0.0.0/8 next-hop 2.2.2.2"
    first, second = decode(text).messages
    assert first.update is not None
    assert second.update is not None
    assert (first.update.med, first.update.next_hop) == (5, "1.1.1.1")
    assert (second.update.med, second.update.next_hop) == (5, "2.2.2.2")


def test_neighbors_are_a_tag() -> None:
    text = f"neighbor 192.0.2.7 local-as 65000 {ROUTE}\nneighbor 1.1.1.1, neighbor 2.2.2.2 {ROUTE}\nneighbor * {ROUTE}\n"
    found = decode(text).messages
    assert [dict(message.tags) for message in found] == [
        {"exa/neighbor": "192.0.2.7 local-as 65000"},
        {"exa/neighbor": "1.1.1.1, neighbor 2.2.2.2"},
        {},
    ]


def test_end_of_rib_and_refresh() -> None:
    text = "announce eor\nannounce eor ipv4 unicast\nannounce eor ipv6 unicast\nannounce route-refresh ipv6 unicast\n"
    found = decode(text).messages
    assert [message.body.hex() for message in found] == ["00000000", "00000000", "00000006800f03000201", "00020001"]
    assert [message.type for message in found] == ["UPDATE", "UPDATE", "UPDATE", "REFRESH"]
    assert encode(found) == text.replace("eor\n", "eor ipv4 unicast\n", 1).splitlines()


def test_types_and_direction() -> None:
    text = "announce route-refresh ipv6 unicast\n" + ROUTE
    [message] = decode(text, types=1 << 5, direction="L").messages
    assert (message.type, message.dir) == ("REFRESH", "L")


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_reads_may_end_anywhere(size: int) -> None:
    text = "".join(line + "\n" for line in COMMON).encode()

    class Pieces(io.BytesIO):
        def readinto(self, buffer: Any) -> int:
            return super().readinto(buffer[:size])

    decoder = ExaDecoder(block_size=64)
    source, wires = Pieces(text), []
    while (batch := decoder.read(source)) is not None:
        assert batch.error is None
        wires += [message.wire for message in batch]
    assert wires == [message.wire for message in decode(text).messages]


def test_a_line_without_end() -> None:
    found = decode(b"announce route " + b"1" * 3_000_000, pardon=True)
    assert found.skipped == ["line 1 at offset 0 is longer than 524288 bytes"]


# ---- other families --------------------------------------------------------------------------------------------------


def mp(line: str) -> Any:
    """The value of MP_REACH or MP_UNREACH that comes of a line."""
    [message] = decode(line).messages
    attrs = json.loads(message.to_json())[4]["attrs"]
    return attrs.get("MP_REACH", attrs.get("MP_UNREACH"))["value"]


def test_labelled_and_vpn_routes() -> None:
    found = mp(f"{ROUTE} label 100")
    assert found == {"af": "IPV4/MPLS", "nexthop": "192.0.2.1", "nlri": [{"prefix": "10.0.0.0/8", "labels": [100]}]}
    found = mp("announce ipv6 mpls-vpn 2001:db8::/32 next-hop 192.0.2.1 rd 192.0.2.9:5 label [ 1 2 ] path-information 7")
    assert found["nlri"] == [{"path_id": 7, "rd": "192.0.2.9:5", "prefix": "2001:db8::/32", "labels": [1, 2]}]
    assert found["nexthop"] == "::ffff:192.0.2.1"
    found = mp("withdraw route 10.0.0.0/8 rd 65000:1")
    assert found == {"af": "IPV4/MPLS_VPN", "nlri": [{"rd": "65000:1", "prefix": "10.0.0.0/8", "labels": ["0x800000"]}]}
    found = mp("announce attributes next-hop 1.1.1.1 label 5 nlri 10.0.0.0/8 11.0.0.0/8")
    assert [nlri["prefix"] for nlri in found["nlri"]] == ["10.0.0.0/8", "11.0.0.0/8"]


FLOW = {"DST": "10.0.0.0/8", "PROTO": [{"op": "==", "val": 6}, {"op": "==", "val": 17}]}


@pytest.mark.parametrize(
    "line",
    [
        "announce flow route { match { destination 10.0.0.0/8; protocol [ tcp udp ]; } then { discard; } }",
        "announce flow route name { match { destination-ipv4 10.0.0.0/8; protocol =6; protocol =17 } then { discard; }; };",
        "announce flow route {\\n match {\\n destination 10.0.0.0/8;\\n protocol [ =tcp =udp ];\\n }\\n then {\\n rate-limit 0;\\n }\\n}\\n",
        "announce flow route destination 10.0.0.0/8 protocol [ =tcp =udp ] discard",
        "announce ipv4 flow destination 10.0.0.0/8 protocol [ =tcp =udp ] extended-community [ rate-limit:0 ]",
    ],
)
def test_flow_routes(line: str) -> None:
    [message] = decode(line).messages
    attrs = json.loads(message.to_json())[4]["attrs"]
    assert attrs["MP_REACH"]["value"] == {"af": "IPV4/FLOWSPEC", "rules": [FLOW]}
    assert attributes_of(message)[16].hex() == "8006000000000000"


def attributes_of(message: Msg) -> dict[int, bytes]:
    """Values of attributes by code; none of them long."""
    body, found = message.body, {}
    at, end = 4, 4 + int.from_bytes(message.body[2:4])
    while at < end:
        wide = body[at] >> 4 & 1
        size = int.from_bytes(body[at + 2 : at + 3 + wide])
        found[body[at + 1]] = body[at + 3 + wide : at + 3 + wide + size]
        at += 3 + wide + size
    return found


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("source ::1/128/120 next-header tcp", {"SRC": "::1/120-128", "PROTO": [{"op": "==", "val": 6}]}),
        ("source-port >1024 flow-label 5", {"PORT_SRC": [{"op": ">", "val": 1024}], "LABEL": [{"op": "==", "val": 5}]}),
        ("port >=80&<=88 traffic-class 3", {"PORT": [{"op": ">=", "val": 80}, {"op": "<=", "val": 88, "and": True}]}),
        ("tcp-flags syn+ack&!fin", {"TCP_FLAGS": [{"op": "ANY", "val": "0x12"}, {"op": "NONE", "val": "0x1", "and": True}]}),
        ("fragment [ !=is-fragment =last-fragment ]", {"FRAG": [{"op": "NOT-ALL", "val": "0x2"}, {"op": "ALL", "val": "0x8"}]}),
        ("packet-length !=100 dscp 63", {"PKTLEN": [{"op": "!=", "val": 100}], "DSCP": [{"op": "==", "val": 63}]}),
        ("icmp-type unreachable icmp-code =1", {"ICMP_TYPE": [{"op": "==", "val": 3}], "ICMP_CODE": [{"op": "==", "val": 1}]}),
    ],
)
def test_components(words: str, rule: dict[str, Any]) -> None:
    [found] = mp(f"announce flow route {words} accept")["rules"]
    for name, value in rule.items():
        tests = found[name] if isinstance(value, str) else [{k: v for k, v in test.items() if k != "len"} for test in found[name]]
        assert tests == value


@pytest.mark.parametrize(
    ("words", "octets"),
    [
        ("discard", "8006000000000000"),
        ("rate-limit 9600", "8006000046160000"),
        ("redirect 65000:1", "8008fde800000001"),
        ("redirect 1.2.3.4", "0800000000000000"),
        ("copy 1.2.3.4", "0800000000000001"),
        ("redirect-to-nexthop", "0800000000000000"),
        ("redirect-to-nexthop-ietf 1.2.3.4", "010c010203040000"),
        ("mark 10 action sample", "800900000000000a" "8007000000000002"),
        ("interface-set [ transitive:input:5:6 non-transitive:input-output:7:8 ]", "0702000000054006" "470200000007c008"),
    ],
)
def test_actions(words: str, octets: str) -> None:
    [message] = decode(f"announce flow route destination 10.0.0.0/8 {words}").messages
    assert attributes_of(message)[16].hex() == octets
    hop = mp(f"announce flow route destination 10.0.0.0/8 {words}").get("nexthop")
    assert hop == ("1.2.3.4" if words.split()[0] in ("redirect", "copy") and "1.2.3.4" in words else None)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("announce flow route { match { destination 10.0.0.0/8; } then { discord; } }", 'column 64: "discord", expected'),
        ("announce flow route { match { destination 10.0.0.1/8; } }", "no bits behind"),
        ("announce flow route { match { port >; } }", "expected a number (0 to 65535)"),
        ("announce flow route { match { port 65536; } }", "expected a number (0 to 65535)"),
        ("announce flow route { match { protocol tcq; } }", "expected icmp, igmp"),
        ("announce flow route { match { port 80 }", 'the line ends, expected ";" or "}"'),
        ("announce flow route { match port 80 }", 'column 29: "port", expected "{"'),
        ("announce flow foo", 'expected "route"'),
        ("announce route 10.0.0.0/8 next-hop 1.1.1.1 rd 65000:1", "expected label"),
        ("announce route 10.0.0.0/8 next-hop 1.1.1.1 rd 65000", "expected a route distinguisher"),
        ("announce route 10.0.0.0/8 next-hop 1.1.1.1 label 1048576", "expected a label"),
        ("announce ipv4 mcast-vpn shared-join rp 1.1.1.1", 'expected "group"'),
        ("announce vpls rd 1:1 endpoint 5 next-hop 1.1.1.1", "the line ends, expected offset"),
        ("announce ipv4 mup mup-t2st 1.1.1.1 rd 1:1 teid 4/2", "expected an endpoint id (0 to 3)"),
        ("announce l2vpn evpn x", "ExaBGP has no words for routes of L2VPN/EVPNS"),
    ],
)
def test_errors_of_families_say_where(line: str, problem: str) -> None:
    with pytest.raises(ExaError) as caught:
        parse_line(line.encode())
    assert problem in str(caught.value)


WRITTEN = [
    "announce route 10.0.0.0/8 next-hop 192.0.2.1 label 100 origin igp as-path [ ]",
    "announce route 2001:db8::/32 next-hop 2001:db8::1 path-information 0.0.0.7 rd 65000:1 label [ 1 2 ] origin igp as-path [ 5 ]",
    "withdraw route 10.0.0.0/8 rd 192.0.2.1:5",
    "withdraw ipv4 nlri-mpls 10.0.0.0/8",
    "announce ipv4 mcast-vpn shared-join rp 1.1.1.1 group 239.0.0.1 rd 65000:1 source-as 5 next-hop 192.0.2.1 origin igp as-path [ ]",
    "withdraw ipv6 mcast-vpn source-ad source 2001:db8::1 group ff0e::1 rd 65000:1",
    "announce flow route { match { destination 10.0.0.0/8; protocol [ =6 =17&!=18 ]; } then { accept; } }",
    "announce flow route { rd 65000:1; next-hop 2001:db8::1; match { source ::1/128/120; next-header =6; } then { community [ 1:2 ]; } }",
    "withdraw flow route { match { tcp-flags [ syn+ack !fin ]; fragment =is-fragment; } then { accept; } }",
]


@pytest.mark.parametrize("line", WRITTEN)
def test_routes_of_families_are_written_as_they_are_read(line: str) -> None:
    assert encode(decode(line).messages) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "announce flow route destination 10.0.0.0/8 redirect-to-nexthop-ietf 2001:db8::1",  # the action would be lost
        "announce vpls rd 1:1 endpoint 5 base 6 offset 7 size 8 next-hop 1.1.1.1",
    ],
)
def test_routes_without_words_are_comments(line: str) -> None:
    assert encode(decode(line).messages) == ["# UPDATE, not all of it"]


@pytest.mark.parametrize(("flags", "told"), [("OTP", True), ("O", False), ("T", False), ("OT1", False)])
def test_a_rule_is_not_written_without_its_actions(flags: str, told: bool) -> None:
    """One that discards would be one that accepts."""
    discard = {"flags": flags, "value": [{"type": "0x8006", "value": "0:0"}]}
    reach = {"af": "IPV4/FLOWSPEC", "rules": [{"DST": "10.0.0.0/8"}]}
    (found,) = said(json.dumps({"attrs": {"EXT_COMMUNITY": discard, "MP_REACH": reach}}))
    assert ("0x8006000000000000" in found, found.startswith("#")) == (told, not told)


# ---- writing ---------------------------------------------------------------------------------------------------------


def said(data: str) -> list[str]:
    return encode([Msg.from_json(f'["R",1,"2025-01-01T00:00:00.000","UPDATE",{data},{{}}]')])


def test_a_line_a_prefix_withdrawals_first() -> None:
    attrs = '{"ORIGIN":"IGP","ASPATH":[1,2],"NEXTHOP":"192.0.2.1","MED":5,"LOCALPREF":6,"COMMUNITY":["1:2","NO_EXPORT"]}'
    lines = said(f'{{"reach":["10.0.0.0/8","11.0.0.0/8"],"unreach":["12.0.0.0/8"],"attrs":{attrs}}}')
    words = "next-hop 192.0.2.1 origin igp as-path [ 1 2 ] med 5 local-preference 6 community [ 1:2 no-export ]"
    assert lines == [
        "withdraw route 12.0.0.0/8",
        f"announce route 10.0.0.0/8 {words}",
        f"announce route 11.0.0.0/8 {words}",
    ]


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        ('"AGGREGATE":true', "atomic-aggregate"),
        ('"AGGREGATOR":{"asn":65000,"addr":"1.2.3.4"}', "aggregator ( 65000:1.2.3.4 )"),
        ('"ORIGINATOR":"1.2.3.4"', "originator-id 1.2.3.4"),
        ('"CLUSTER_LIST":["1.2.3.4","5.6.7.8"]', "cluster-list [ 1.2.3.4 5.6.7.8 ]"),
        ('"EXT_COMMUNITY":["TARGET:1:2","ORIGIN:3:4"]', "extended-community [ target:1:2 origin:3:4 ]"),
        ('"EXT_COMMUNITY":["IP4_TARGET:1.2.3.4:5"]', "extended-community [ 0x0102010203040005 ]"),
        ('"LARGE_COMMUNITY":["1:2:3"]', "large-community [ 1:2:3 ]"),
        ('"OTC":5', "attribute [ 0x23 0xc0 0x00000005 ]"),
        ('"ATTR_99":{"flags":"OTPX","value":"0x0102"}', "attribute [ 0x63 0xf0 0x0102 ]"),
        ('"COMMUNITY":{"flags":"OTPX","value":["1:2"]}', "community [ 1:2 ]"),
        ('"COMMUNITY":{"flags":"O","value":["1:2"]}', "attribute [ 0x08 0x80 0x00010002 ]"),
        ('"ASPATH":[1,[2]]', "attribute [ 0x02 0x40 0x02010000000101" "0100000002 ]"),
        ('"ASPATH":[]', "as-path [ ]"),
    ],
)
def test_attributes(attribute: str, words: str) -> None:
    [line] = said(f'{{"reach":["10.0.0.0/8"],"attrs":{{"NEXTHOP":"192.0.2.1",{attribute}}}}}')
    assert line == f"{ROUTE} {words}"


def test_as_numbers_of_two_octets_become_four() -> None:
    lines = said('{"as_size":2,"reach":["10.0.0.0/8"],"attrs":{"ASPATH":[1,[2,3]],"NEXTHOP":"192.0.2.1"}}')
    assert lines == [f"{ROUTE} attribute [ 0x02 0x40 0x020100000001" "01020000000200000003 ]"]
    lines = said('{"as_size":2,"reach":["10.0.0.0/8"],"attrs":{"ASPATH":[1,2],"NEXTHOP":"192.0.2.1"}}')
    assert lines == [f"{ROUTE} as-path [ 1 2 ]"]


def test_other_families() -> None:
    mp = '{"af":"IPV6/UNICAST","nexthop":"2001:db8::1","link-local":"fe80::1","prefixes":["2001:db8::/32"]}'
    assert said(f'{{"attrs":{{"MP_REACH":{mp}}}}}') == ["announce route 2001:db8::/32 next-hop 2001:db8::1"]
    mp = '{"af":"IPV6/MULTICAST","nexthop":"2001:db8::1","prefixes":["#5#2001:db8::/32"]}'
    line = "announce ipv6 multicast 2001:db8::/32 next-hop 2001:db8::1 path-information 0.0.0.5"
    assert said(f'{{"attrs":{{"MP_REACH":{mp}}}}}') == [line]
    assert decode(line).messages[0].wire.hex().endswith("00" "00000005" "20" "20010db8")
    mp = '{"af":"IPV4/UNICAST","prefixes":["#7#10.0.0.0/8"]}'
    assert said(f'{{"attrs":{{"MP_UNREACH":{mp}}}}}') == ["withdraw route 10.0.0.0/8 path-information 0.0.0.7"]


def test_what_has_no_words_is_a_comment_and_counted() -> None:
    opened = Msg.from_json('["R",1,null,"OPEN",{"bgp":4,"asn":1,"id":"1.1.1.1","hold":90,"caps":{}}]')
    closed = Msg.from_json('["R",2,null,"NOTIFY",{"code":6,"subcode":2,"text":" announce route 10.0.0.0/8 next-hop 1.1.1.1"}]')
    broken = Msg.from_json('["R",3,null,"UPDATE","0xffff0000"]')
    without_hop = Msg.from_json('["R",4,null,"UPDATE",{"reach":["10.0.0.0/8"],"attrs":{"ORIGIN":"IGP"}}]')
    unknown = Msg.from_json('["R",5,null,"UPDATE",{"attrs":{"MP_UNREACH":{"af":"LS/LS","data":"0x00"}}}]')
    nothing = Msg.from_json('["R",6,null,"UPDATE",{"attrs":{"ORIGIN":"IGP"}}]')
    other = Msg.make(77, b"announce route 10.0.0.0/8 next-hop 1.1.1.1\n")
    skipped: list[str] = []
    out = Buffer()
    encoder = ExaEncoder(on_skip=lambda error: skipped.append(str(error)))
    batch = collect([opened, Msg.make("KEEPALIVE"), closed, broken, without_hop, unknown, nothing, other])
    encoder.encode(batch, out)
    assert bytes(out).decode().splitlines() == [
        "# OPEN",
        "# KEEPALIVE",
        "# NOTIFICATION 6/2",
        *["# UPDATE, not all of it"] * 4,
        "# message of type 77",
    ]
    assert encoder.skipped == len(skipped) == 4
    assert skipped[0] == "message 3 does not parse"
    assert encoder.written == 8
    assert [index for index, _ in batch.failures()] == [3]


def test_lines_of_hostile_messages_stay_short() -> None:
    """Few octets of prefixes with long attributes: a line for each would take gigabytes."""
    attrs = {"NEXTHOP": "192.0.2.1", "COMMUNITY": ["65535:65535"] * 7000}
    for with_ids in (False, True):
        prefixes = [f"#{n}#0.0.0.0/0" if with_ids else "0.0.0.0/0" for n in range(6000)]
        message = Msg.from_json(json.dumps(["R", 1, None, "UPDATE", {"reach": prefixes, "attrs": attrs}]))
        out = Buffer()
        encoder = ExaEncoder()
        encoder.encode(collect([message]), out)
        assert len(bytes(out)) < 9_000_000
        if not with_ids:
            again = decode(bytes(out))
            assert again.error is None
            assert sum(len(m.update.reach) for m in again.messages) == 6000  # type: ignore[union-attr]
            assert encoder.skipped == 0
        else:
            assert encoder.skipped == 1


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "routes.exa"
    path.write_text(f"{ROUTE}\n")
    [message] = read(path)
    other = tmp_path / "other.exa.gz"
    with write(other) as out:
        out.write(message)
    assert [m.wire for m in read(other)] == [message.wire]
    nameless = tmp_path / "routes"
    nameless.write_text(f"# of mine\n\n{ROUTE}\n")
    assert len(list(read(nameless))) == 1


def test_whole_lines() -> None:
    assert whole("exa")(f"{ROUTE}\nannounce rou".encode()) == (len(ROUTE) + 1, 1)
