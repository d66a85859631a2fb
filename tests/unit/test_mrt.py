"""MRT both ways: each record type, RIB bundling, damage, recovery, and what the encoder writes."""

from __future__ import annotations

import io
import json
import random
import struct
from ipaddress import ip_address
from typing import Any, NamedTuple

import pytest

import corpus
from bgpipe._codec import Batch, Buffer, RawDecoder, type_mask
from bgpipe._json import JsonEncoder
from bgpipe._json_reader import JsonDecoder
from bgpipe._mrt import MrtDecoder, MrtEncoder
from bgpipe.errors import InputError, MrtError, StageError

BGP, TABLE_DUMP, TABLE_DUMP_V2, BGP4MP, BGP4MP_ET = 5, 12, 13, 16, 17
TIME = 1_600_000_000
MARKER = b"\xff" * 16


# ---- making records, reading them back ------------------------------------------------------------------------------


def record(kind: int, subtype: int, body: bytes, time: int = TIME) -> bytes:
    return struct.pack(">IHHI", time, kind, subtype, len(body)) + body


def message(kind: int, body: bytes = b"") -> bytes:
    return MARKER + struct.pack(">HB", 19 + len(body), kind) + body


def ip(text: str) -> bytes:
    return ip_address(text).packed


def peer_header(as_size: int, peer: str = "192.0.2.1", local: str = "192.0.2.2", asns=(65001, 65002), interface=0) -> bytes:
    numbers = b"".join(n.to_bytes(as_size, "big") for n in asns)
    return numbers + struct.pack(">HH", interface, 1 if len(ip(peer)) == 4 else 2) + ip(peer) + ip(local)


def attribute(flags: int, code: int, value: bytes) -> bytes:
    size = struct.pack(">H" if flags & 0x10 else "B", len(value))
    return bytes([flags, code]) + size + value


def prefix(text: str) -> bytes:
    address, bits = text.split("/")
    return bytes([int(bits)]) + ip(address)[: (int(bits) + 7) // 8]


def update(attrs: bytes = b"", reach: bytes = b"", unreach: bytes = b"") -> bytes:
    return message(2, struct.pack(">H", len(unreach)) + unreach + struct.pack(">H", len(attrs)) + attrs + reach)


def mp_reach(afi: int, safi: int, hop: bytes, nlri: bytes) -> bytes:
    value = struct.pack(">HBB", afi, safi, len(hop)) + hop + b"\0" + nlri
    return attribute(0x80 if len(value) < 256 else 0x90, 14, value)


ORIGIN = attribute(0x40, 1, b"\0")
HOP4 = attribute(0x40, 3, ip("192.0.2.1"))
HOP6 = ip("2001:db8::1")
PATH2 = attribute(0x40, 2, bytes.fromhex("0202fde9fdea"))
PATH4 = attribute(0x40, 2, bytes.fromhex("02020000fde90001fdea"))
ATTRS2 = ORIGIN + PATH2 + HOP4
ATTRS4 = ORIGIN + PATH4 + HOP4
KEEPALIVE = message(4)
UPDATE2 = update(ATTRS2, prefix("10.0.0.0/8"))
UPDATE4 = update(ATTRS4, prefix("10.0.0.0/8"))


class Source:
    """Gives `step` bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data, self.step = io.BytesIO(data), step

    def readinto(self, buffer: memoryview) -> int:
        return self.data.readinto(buffer[: self.step])


class Seen(NamedTuple):
    """A message as the encoder writes it."""

    time: int  # microseconds
    subtype: int
    header: bytes
    wire: bytes


class Result(NamedTuple):
    decoder: MrtDecoder
    messages: list[Seen]
    lines: list[Any]
    error: InputError | None
    skips: list[InputError]

    @property
    def wires(self) -> list[bytes]:
        return [seen.wire for seen in self.messages]


def records_of(data: bytes) -> list[tuple[int, int, int, bytes]]:
    found, at = [], 0
    while at < len(data):
        time, kind, subtype, length = struct.unpack_from(">IHHI", data, at)
        found.append((time, kind, subtype, data[at + 12 : at + 12 + length]))
        at += 12 + length
    return found


def parse(data: bytes) -> list[Seen]:
    found = []
    for time, kind, subtype, body in records_of(data):
        assert kind == BGP4MP_ET
        micro, body = int.from_bytes(body[:4], "big"), body[4:]
        at = body.index(MARKER)
        found.append(Seen(time * 1_000_000 + micro, subtype, body[:at], body[at:]))
    return found


def read(data: bytes, step: int = 1 << 30, **options) -> Result:
    skips: list[InputError] = []
    decoder = MrtDecoder(on_skip=skips.append, **options)
    source, mrt, lines = Source(data, step), Buffer(), Buffer()
    encoder, json_encoder = MrtEncoder(), JsonEncoder()
    right = left = 1
    error = None
    while (batch := decoder.read(source)) is not None:
        assert error is None
        right, left = batch.number(right, left)
        encoder.encode(batch, mrt)
        json_encoder.encode(batch, lines)
        error = batch.error
    return Result(decoder, parse(bytes(mrt)), [json.loads(line) for line in bytes(lines).splitlines()], error, skips)


def tags(result: Result) -> list[dict[str, str]]:
    return [line[5] for line in result.lines]


# ---- BGP4MP: RFC 6396 sections 4.4 and 4.5, RFC 8050 section 3 --------------------------------------------------------

SUBTYPES = {1: 2, 4: 4, 6: 2, 7: 4, 8: 2, 9: 4, 10: 2, 11: 4}


@pytest.mark.parametrize("kind", [BGP4MP, BGP4MP_ET])
@pytest.mark.parametrize(("peer", "local"), [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")])
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_message_comes_back_as_it_was(kind: int, peer: str, local: str, subtype: int) -> None:
    header = peer_header(SUBTYPES[subtype], peer, local, interface=7)
    nlri = (b"\0\0\0\x2a" if subtype >= 8 else b"") + prefix("10.0.0.0/8")
    wire = update(ATTRS2 if SUBTYPES[subtype] == 2 else ATTRS4, nlri)
    micro = struct.pack(">I", 123456) if kind == BGP4MP_ET else b""
    result = read(record(kind, subtype, micro + header + wire))
    assert result.error is None
    assert result.messages == [Seen(TIME * 1_000_000 + (123456 if micro else 0), subtype, header, wire)]
    line = result.lines[0]
    assert line[:4] == ["R", 1, "2020-09-13T12:26:40.123456" if micro else "2020-09-13T12:26:40.000", "UPDATE"]
    assert line[4]["reach"] == ["#42#10.0.0.0/8" if subtype >= 8 else "10.0.0.0/8"]
    assert line[4]["attrs"]["ASPATH"]["value"] == [65001, 65002 if SUBTYPES[subtype] == 2 else 130538]
    assert line[5] == {"PEER_AS": "65001", "PEER_IP": peer, "LOCAL_AS": "65002", "LOCAL_IP": local, "INTERFACE": "7"}


def test_tags_are_left_out_where_zero() -> None:
    data = b"".join(
        record(BGP4MP, 4, header + KEEPALIVE)
        for header in [
            peer_header(4, "0.0.0.0", "0.0.0.0", (0, 0)),
            peer_header(4, "::", "2001:db8::2", (0, 65002)),
            peer_header(4, "192.0.2.1", "0.0.0.0", (4_200_000_000, 0)),
        ]
    )
    assert tags(read(data)) == [
        {},
        {"LOCAL_AS": "65002", "LOCAL_IP": "2001:db8::2"},
        {"PEER_AS": "4200000000", "PEER_IP": "192.0.2.1"},
    ]


def test_peers_are_told_apart() -> None:
    """More peers than the decoder's and the encoder's caches have places, in turns."""
    headers = [peer_header(2 + 2 * (n & 1), f"10.0.{n >> 8}.{n & 255}", "0.0.0.0", (n + 1, 0)) for n in range(700)]
    result = read(b"".join(record(BGP4MP, 4 if len(h) == 20 else 1, h + KEEPALIVE) for h in headers * 2))
    assert [seen.header for seen in result.messages] == headers * 2
    assert [t["PEER_AS"] for t in tags(result)] == [str(n + 1) for n in range(700)] * 2


def test_state_changes_are_counted() -> None:
    data = record(BGP4MP, 0, peer_header(2) + b"\0\1\0\2") + record(BGP4MP_ET, 5, bytes(4) + peer_header(4) + b"\0\1\0\2")
    result = read(data + record(BGP4MP, 4, peer_header(4) + KEEPALIVE) + record(BGP, 3, bytes(10)))
    assert result.error is None
    assert (result.decoder.state_changes, result.decoder.records, result.wires) == (3, 4, [KEEPALIVE])


def test_other_records_are_counted() -> None:
    kinds = [(0, 0), (11, 0), (32, 0), (49, 1), (BGP4MP, 3), (BGP4MP, 12), (BGP, 0), (BGP, 4), (TABLE_DUMP_V2, 7), (TABLE_DUMP, 9)]
    result = read(b"".join(record(kind, subtype, b"whatever it is") for kind, subtype in kinds))
    assert result.error is None
    assert (result.decoder.unknown, result.decoder.records) == (len(kinds), len(kinds))


def test_types_are_chosen() -> None:
    data = b"".join(record(BGP4MP, 4, peer_header(4) + wire) for wire in [KEEPALIVE, UPDATE4, message(200, b"x"), UPDATE4])
    assert read(data, types=type_mask([2])).wires == [UPDATE4, UPDATE4]
    assert read(data, types=type_mask([4, 200])).wires == [KEEPALIVE, message(200, b"x")]


def test_no_tags_and_direction() -> None:
    result = read(record(BGP4MP, 4, peer_header(4) + KEEPALIVE), no_tags=True, direction="L")
    assert (result.lines[0][0], tags(result)) == ("L", [{}])


def test_extended_message() -> None:
    """RFC 8654: longer than 4,096 octets."""
    wire = update(unreach=prefix("10.0.0.0/32") * 5000)
    assert read(record(BGP4MP, 4, peer_header(4) + wire)).wires == [wire]


@pytest.mark.parametrize(
    ("subtype", "attrs", "guessed"),
    [
        (1, ATTRS2, 1),
        (1, ATTRS4, 4),
        (4, ATTRS4, 4),
        (4, ATTRS2, 1),
        (1, ORIGIN + attribute(0x40, 2, b"\x02\x02\x00"), 1),  # parses with neither
        (4, ORIGIN, 4),  # no path at all
        (4, ORIGIN + attribute(0x40, 2, bytes.fromhex("0202fde8fde90201fdea")), 4),  # parses with both
        (1, ORIGIN + attribute(0x40, 2, bytes.fromhex("0202fde8fde90201fdea")), 1),
    ],
)
def test_guess_asn(subtype: int, attrs: bytes, guessed: int) -> None:
    data = record(BGP4MP, subtype, peer_header(SUBTYPES[subtype]) + update(attrs, prefix("10.0.0.0/8")))
    assert read(data).messages[0].subtype == subtype
    assert read(data, guess_asn=True).messages[0].subtype == guessed


# ---- type 5: RFC 6396 appendix B.2 ----------------------------------------------------------------------------------

LEGACY_PEER = bytes.fromhex("1521 c3d3defe 316e c1000001")


@pytest.mark.parametrize(
    ("subtype", "wire"),
    [
        (1, UPDATE2),
        (2, UPDATE2),
        (5, message(1, bytes.fromhex("04fde800b40a00000100"))),
        (6, message(3, b"\x06\x02")),
        (7, KEEPALIVE),
    ],
)
def test_legacy(subtype: int, wire: bytes) -> None:
    result = read(record(BGP, subtype, LEGACY_PEER + wire[19:], time=946844090))
    assert result.error is None
    assert result.wires == [wire]
    assert result.messages[0].subtype == 1
    assert tags(result) == [{"PEER_AS": "5409", "PEER_IP": "195.211.222.254", "LOCAL_AS": "12654", "LOCAL_IP": "193.0.0.1"}]


# ---- RIBs: RFC 6396 sections 4.2 and 4.3, RFC 8050 section 4 ------------------------------------------------------------


def index_table(*peers: tuple[int, str], view: bytes = b"view", time: int = TIME) -> bytes:
    body = ip("192.0.2.9") + struct.pack(">H", len(view)) + view + struct.pack(">H", len(peers))
    for asn, address in peers:
        kind = (len(ip(address)) == 16) | (asn > 65535) << 1
        body += bytes([kind]) + bytes(4) + ip(address) + asn.to_bytes(4 if asn > 65535 else 2, "big")
    return record(TABLE_DUMP_V2, 1, body, time)


def route(peer: int, attrs: bytes, path_id: int | None = None) -> bytes:
    number = b"" if path_id is None else struct.pack(">I", path_id)
    return struct.pack(">HI", peer, TIME) + number + struct.pack(">H", len(attrs)) + attrs


def rib(subtype: int, nlri: bytes, *routes: bytes, time: int = TIME) -> bytes:
    return record(TABLE_DUMP_V2, subtype, bytes(4) + nlri + struct.pack(">H", len(routes)) + b"".join(routes), time)


PEERS = index_table((65001, "192.0.2.1"), (4_200_000_000, "2001:db8::2"), (0, "0.0.0.0"))
TAGS = [
    {"PEER_AS": "65001", "PEER_IP": "192.0.2.1"},
    {"PEER_AS": "4200000000", "PEER_IP": "2001:db8::2"},
    {"PEER_AS": "0", "PEER_IP": "0.0.0.0"},
]
P = [prefix(f"10.{n}.0.0/16") for n in range(256)]
OTHER = ORIGIN + PATH4 + attribute(0x40, 3, ip("192.0.2.7"))
SHORT6 = attribute(0x80, 14, b"\x10" + HOP6)
FULL6 = mp_reach(2, 1, HOP6, prefix("2001:db8:ff::/48"))
P6 = [prefix(f"2001:db8:{n}::/48") for n in range(10)]


def test_routes_of_a_peer_are_bundled() -> None:
    data = PEERS + rib(2, P[0], route(0, ATTRS4), route(1, ATTRS4), time=TIME + 1) + rib(2, P[1], route(1, ATTRS4), route(0, ATTRS4))
    result = read(data)
    assert result.error is None
    assert result.wires == [update(ATTRS4, P[0] + P[1])] * 2
    assert [seen.time for seen in result.messages] == [(TIME + 1) * 1_000_000] * 2
    assert [seen.subtype for seen in result.messages] == [4, 4]
    assert tags(result) == TAGS[:2]


def test_other_attributes_send_what_is_pending() -> None:
    data = PEERS + b"".join(
        rib(2, P[n], route(2, ATTRS4), route(0, attrs), time=TIME + n) for n, attrs in enumerate([ATTRS4, ATTRS4, OTHER, b"", ATTRS4])
    )
    result = read(data)
    assert result.wires == [
        update(ATTRS4, P[0] + P[1]),
        update(OTHER, P[2]),
        update(b"", P[3]),
        update(ATTRS4, P[4]),
        update(ATTRS4, b"".join(P[:5])),
    ]
    assert [seen.time - TIME * 1_000_000 for seen in result.messages] == [0, 2_000_000, 3_000_000, 4_000_000, 0]
    assert tags(result) == [TAGS[0]] * 4 + [TAGS[2]]


def test_new_peer_index_table_sends_what_is_pending() -> None:
    data = PEERS + rib(2, P[0], route(2, ATTRS4), route(0, ATTRS4)) + index_table((65009, "192.0.2.8")) + rib(2, P[0], route(0, ATTRS4))
    result = read(data)
    assert result.wires == [update(ATTRS4, P[0])] * 3
    assert tags(result) == [TAGS[0], TAGS[2], {"PEER_AS": "65009", "PEER_IP": "192.0.2.8"}]


def test_bundle_is_sent_before_it_passes_3800() -> None:
    room = 3800 - 19 - 4 - len(ATTRS4) - 64
    hosts = [prefix(f"10.0.{n >> 8}.{n & 255}/32") for n in range(2000)]
    result = read(PEERS + b"".join(rib(2, host, route(0, ATTRS4)) for host in hosts))
    sizes = [len(wire) - 23 - len(ATTRS4) for wire in result.wires]
    assert sizes[0] == sizes[1] == room // 5 * 5
    assert b"".join(wire[23 + len(ATTRS4) :] for wire in result.wires) == b"".join(hosts)


@pytest.mark.parametrize("reach", [SHORT6, FULL6, attribute(0x90, 14, FULL6[3:]), attribute(0x80, 14, FULL6[3:24])])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_mp_reach_is_rebuilt_behind_the_attributes(reach: bytes, place: int) -> None:
    """Short (RFC 6396 section 4.3.4) or in full with any NLRI or none, anywhere."""
    others = [ORIGIN, PATH4]
    attrs = b"".join(others[:place]) + reach + b"".join(others[place:])
    data = PEERS + rib(4, P6[0], route(1, attrs)) + rib(4, P6[1], route(1, ORIGIN + SHORT6 + PATH4)) + rib(4, P6[2], route(1, attrs))
    result = read(data)
    assert result.error is None
    assert result.wires == [update(ORIGIN + PATH4 + mp_reach(2, 1, HOP6, P6[0] + P6[1] + P6[2]))]
    assert tags(result) == [TAGS[1]]


def test_other_next_hop_sends_what_is_pending() -> None:
    hops = [HOP6, HOP6 + ip("fe80::1"), ip("2001:db8::3"), b""]
    data = PEERS + b"".join(
        rib(4, P6[n], route(1, ORIGIN + attribute(0x80, 14, bytes([len(hop)]) + hop))) for n, hop in enumerate(hops)
    )
    assert read(data).wires == [update(ORIGIN + mp_reach(2, 1, hop, P6[n])) for n, hop in enumerate(hops)]


def test_mp_reach_gets_its_extended_length() -> None:
    hosts = [prefix(f"2001:db8::{n:x}/128") for n in range(1, 15)]
    routes = [rib(4, host, route(1, SHORT6)) for host in hosts]
    assert read(PEERS + b"".join(routes[:13])).wires == [update(attribute(0x80, 14, struct.pack(">HBB", 2, 1, 16) + HOP6 + b"\0" + b"".join(hosts[:13])))]
    assert read(PEERS + b"".join(routes)).wires == [update(attribute(0x90, 14, struct.pack(">HBB", 2, 1, 16) + HOP6 + b"\0" + b"".join(hosts)))]


@pytest.mark.parametrize(
    ("subtype", "nlri", "attrs", "expected"),
    [
        (3, P[0], ATTRS4, ATTRS4 + mp_reach(1, 2, ip("192.0.2.1"), P[0])),  # multicast: the next hop of NEXT_HOP
        (3, P[0], ORIGIN, ORIGIN + mp_reach(1, 2, b"", P[0])),
        (5, P6[0], ORIGIN + SHORT6, ORIGIN + mp_reach(2, 2, HOP6, P6[0])),
        (4, P6[0], ORIGIN, ORIGIN + mp_reach(2, 1, b"", P6[0])),  # a router's own route, as BIRD dumps it
        (4, P6[0], ATTRS4, ATTRS4 + mp_reach(2, 1, b"", P6[0])),  # NEXT_HOP is none for IPv6
        (2, P[0], ORIGIN + SHORT6, ORIGIN + mp_reach(1, 1, HOP6, P[0])),  # RFC 8950
    ],
)
def test_family_and_next_hop(subtype: int, nlri: bytes, attrs: bytes, expected: bytes) -> None:
    assert read(PEERS + rib(subtype, nlri, route(0, attrs))).wires == [update(expected)]


def test_families_are_not_bundled() -> None:
    data = PEERS + rib(2, P[0], route(0, ATTRS4)) + rib(3, P[1], route(0, ATTRS4)) + rib(8, P[2], route(0, ATTRS4, 1)) + rib(2, P[3], route(0, ATTRS4))
    result = read(data)
    assert result.wires == [
        update(ATTRS4, P[0]),
        update(ATTRS4 + mp_reach(1, 2, ip("192.0.2.1"), P[1])),
        update(ATTRS4, b"\0\0\0\1" + P[2]),
        update(ATTRS4, P[3]),
    ]
    assert [seen.subtype for seen in result.messages] == [4, 4, 9, 4]


def test_addpath() -> None:
    """RFC 8050 section 4.1."""
    data = (
        PEERS
        + rib(8, P[0], route(0, ATTRS4, 7), route(0, ATTRS4, 8))
        + rib(8, P[1], route(0, ATTRS4, 7))
        + rib(10, P6[0], route(1, SHORT6, 9))
        + rib(11, P6[1], route(1, SHORT6, 9))
    )
    result = read(data)
    nine = b"\0\0\0\x09"
    assert result.wires == [
        update(mp_reach(2, 1, HOP6, nine + P6[0])),
        update(ATTRS4, b"\0\0\0\7" + P[0] + b"\0\0\0\x08" + P[0] + b"\0\0\0\7" + P[1]),
        update(mp_reach(2, 2, HOP6, nine + P6[1])),
    ]
    assert {seen.subtype for seen in result.messages} == {9}
    assert result.lines[1][4]["reach"] == ["#7#10.0.0.0/16", "#8#10.0.0.0/16", "#7#10.1.0.0/16"]


VPN = bytes.fromhex("68 000101 0000fdf20000000f c0a8")  # label, route distinguisher, 192.168.0.0/16
EVPN = bytes.fromhex("02 21") + bytes(33)
FLOW = bytes.fromhex("05 0118c0a800")


@pytest.mark.parametrize(
    ("family", "nlri", "attrs", "expected"),
    [
        ((1, 1), P[0], ATTRS4, update(ATTRS4, P[0])),
        ((2, 1), P6[0], SHORT6, update(mp_reach(2, 1, HOP6, P6[0]))),
        ((1, 128), VPN, ATTRS4, update(ATTRS4 + mp_reach(1, 128, bytes(8) + ip("192.0.2.1"), VPN))),
        ((1, 128), VPN, attribute(0x80, 14, b"\x0c" + bytes(8) + ip("192.0.2.5")), update(mp_reach(1, 128, bytes(8) + ip("192.0.2.5"), VPN))),
        ((25, 70), EVPN, attribute(0x80, 14, b"\x04" + ip("192.0.2.5")), update(mp_reach(25, 70, ip("192.0.2.5"), EVPN))),
        ((1, 133), FLOW, ORIGIN, update(ORIGIN + mp_reach(1, 133, b"", FLOW))),
        ((1, 133), b"\xf1\x2c" + bytes(300), ORIGIN, update(ORIGIN + mp_reach(1, 133, b"", b"\xf1\x2c" + bytes(300)))),
        ((25, 65), b"\0\x11" + bytes(17), ORIGIN, update(ORIGIN + mp_reach(25, 65, b"", b"\0\x11" + bytes(17)))),
        ((16388, 71), b"\0\1\0\2ab", ORIGIN, update(ORIGIN + mp_reach(16388, 71, b"", b"\0\1\0\2ab"))),
        ((1, 85), b"\1\0\1\2ab", ORIGIN, update(ORIGIN + mp_reach(1, 85, b"", b"\1\0\1\2ab"))),
    ],
)
def test_generic(family: tuple[int, int], nlri: bytes, attrs: bytes, expected: bytes) -> None:
    """RFC 6396 section 4.3.3."""
    result = read(PEERS + rib(6, struct.pack(">HB", *family) + nlri, route(0, attrs)))
    assert result.error is None
    assert result.wires == [expected]


@pytest.mark.parametrize("nlri", [VPN, P[0], b"\xf1\x2c" + bytes(300)])
def test_generic_addpath(nlri: bytes) -> None:
    """RFC 8050 section 4.2 has the path id before the NLRI, OpenBGPD and GoBGP have it in each entry."""
    family = (1, 133) if len(nlri) > 300 else (1, 128) if nlri == VPN else (1, 2)
    packed = struct.pack(">HB", *family)
    reach = attribute(0x80, 14, b"\x04" + ip("192.0.2.5"))
    by_rfc = read(PEERS + rib(12, packed + b"\0\0\0\7" + nlri, route(0, reach), route(1, reach)))
    assert by_rfc.error is None
    assert by_rfc.wires == [update(mp_reach(*family, ip("192.0.2.5"), b"\0\0\0\7" + nlri))] * 2
    by_routers = read(PEERS + rib(12, packed + nlri, route(0, reach, 7), route(1, reach, 8)))
    assert by_routers.error is None
    assert by_routers.wires == [update(mp_reach(*family, ip("192.0.2.5"), bytes([0, 0, 0, n]) + nlri)) for n in (7, 8)]
    assert {seen.subtype for seen in by_rfc.messages + by_routers.messages} == {9}


def test_big_attributes_make_an_extended_message() -> None:
    big = attribute(0xD0, 99, bytes(60000))
    data = PEERS + rib(2, P[0], route(0, big)) + rib(2, P[1], route(0, big)) + rib(4, P6[0], route(1, big + SHORT6))
    assert read(data).wires == [update(big, P[0]), update(big, P[1]), update(big + mp_reach(2, 1, HOP6, P6[0]))]


def test_route_that_fits_no_message_is_damage() -> None:
    fits = attribute(0xD0, 99, bytes(65535 - 4 - 23 - len(P[0])))
    assert read(PEERS + rib(2, P[0], route(0, fits))).wires == [update(fits, P[0])]
    result = read(PEERS + rib(2, P[1], route(0, ATTRS4)) + rib(2, P[0], route(0, attribute(0xD0, 99, bytes(65535 - 4)))))
    assert "fits no BGP message" in str(result.error)
    assert result.wires == [update(ATTRS4, P[1])]


def test_many_pending_bytes_are_sent_early() -> None:
    """Memory stays bounded whatever the number of peers: 500 peers with 60 kB of attributes each."""
    big = attribute(0xD0, 99, bytes(60000))
    table = index_table(*((65001, f"10.0.{n >> 8}.{n & 255}") for n in range(500)))
    result = read(table + b"".join(rib(2, P[0], route(n, big)) for n in range(500)))
    assert result.wires == [update(big, P[0])] * 500
    assert [t["PEER_IP"] for t in tags(result)] == [f"10.0.{n >> 8}.{n & 255}" for n in range(500)]


def batches_of(decoder: MrtDecoder, data: bytes, step: int = 1 << 30) -> list[Batch]:
    source, found = Source(data, step), []
    while (batch := decoder.read(source)) is not None:
        found.append(batch)
    return found


def octets(batch: Batch) -> int:
    return sum(len(batch.wire(n)) for n in range(len(batch)))


def test_batches_of_one_record_are_bounded() -> None:
    """A record of some kB that makes MiB of routes goes out in several batches, and nothing of it is lost or twice."""
    label = struct.pack(">HH", 1, 20000) + bytes(20000)  # an NLRI of BGP-LS
    routes = [route(0, attribute(0x40, 5, struct.pack(">I", n))) for n in range(400)]
    data = (
        PEERS + rib(6, struct.pack(">HB", 16388, 71) + label, *routes) + record(BGP4MP, 4, peer_header(4) + KEEPALIVE)
    )
    whole = read(data)
    assert len(whole.wires) == 401
    local_prefs = [line[4]["attrs"]["LOCALPREF"]["value"] for line in whole.lines if line[3] == "UPDATE"]
    assert sorted(local_prefs) == list(range(400))
    for step in (1 << 30, 1000):
        batches = batches_of(MrtDecoder(), data, step)
        assert len(batches) > 5
        assert max(map(octets, batches)) < 2 << 20
        assert [batch.wire(n) for batch in batches for n in range(len(batch))] == whole.wires
    # The record stands there once, however many batches it took.
    decoder = MrtDecoder()
    batches_of(decoder, data)
    assert decoder.records == 3


@pytest.mark.parametrize("behind", [b"", index_table((65009, "192.0.2.8")), b"\0\0\0"])
def test_what_is_pending_goes_out_in_bounded_batches(behind: bytes) -> None:
    """At the end, at damage, and where a new table of peers sends all of it."""
    count = 2000
    peers = [(65001, f"10.0.{n >> 8}.{n & 255}") for n in range(count)]
    routes = [route(n, ATTRS4 + attribute(0xD0, 99, bytes(1500))) for n in range(count)]
    data = index_table(*peers) + b"".join(rib(2, P[k], *routes) for k in range(3)) + behind
    batches = batches_of(MrtDecoder(), data)
    assert sum(map(len, batches)) >= count
    assert max(map(octets, batches)) < 2 << 20
    assert [batch.error is None for batch in batches[:-1]] == [True] * (len(batches) - 1)
    assert (batches[-1].error is None) == (len(behind) != 3)
    seen = [line[4]["reach"] for line in read(data).lines]
    assert sorted(p for reach in seen for p in reach) == sorted(f"10.{k}.0.0/16" for k in range(3) for _ in peers)


class Breaking(Source):
    """Fails behind its bytes."""

    def readinto(self, buffer: memoryview) -> int:
        count = super().readinto(buffer)
        if not count:
            raise StageError("the disk is gone")
        return count


def test_what_is_held_back_comes_out_where_reading_fails() -> None:
    decoder, source = MrtDecoder(), Breaking(PEERS + rib(2, P[0], route(0, ATTRS4), route(1, ATTRS4)), 50)
    batches = []
    while (batch := decoder.read(source)) is not None:
        batches.append(batch)
    assert [batch.wire(n) for batch in batches for n in range(len(batch))] == [update(ATTRS4, P[0])] * 2
    assert [str(batch.error) for batch in batches][-1] == "the disk is gone"
    assert [batch.error for batch in batches][:-1] == [None] * (len(batches) - 1)
    assert decoder.flush() is None


def test_what_is_held_back_comes_out_where_reading_is_given_up() -> None:
    """In bounded parts, and then nothing more is read."""
    count = 1000
    routes = [route(n, ATTRS4 + attribute(0xD0, 99, bytes(1500))) for n in range(count)]
    peers = index_table(*((65001, f"10.0.{n >> 8}.{n & 255}") for n in range(count)))
    data = peers + rib(2, P[0], *routes) + record(BGP4MP, 4, peer_header(4) + KEEPALIVE)
    decoder, source = MrtDecoder(), Source(data + PEERS, 1 << 30)
    first = decoder.read(source)
    parts = []
    while (batch := decoder.flush()) is not None:
        parts.append(batch)
    assert first is not None
    assert decoder.read(source) is None
    assert sum(map(len, [first, *parts])) == count + 1
    assert len(parts) >= 1
    assert max(map(octets, parts)) < 2 << 20


def test_peers_beyond_a_table_of_them() -> None:
    """Each of 9000 peers keeps its own tags, though a table of peers holds fewer."""
    peers = [(65001, f"10.0.{n >> 8}.{n & 255}") for n in range(9000)]
    result = read(index_table(*peers) + rib(2, P[0], *(route(n, ATTRS4) for n in range(9000))))
    assert [t["PEER_IP"] for t in tags(result)] == [ip for _, ip in peers]


def test_update_type_not_wanted() -> None:
    assert read(PEERS + rib(2, P[0], route(0, ATTRS4)), types=type_mask([4])).wires == []


def table_dump(address: str, bits: int, peer: str, asn: int, attrs: bytes, subtype: int = 0) -> bytes:
    afi = subtype or (1 if len(ip(address)) == 4 else 2)
    body = bytes(4) + ip(address) + bytes([bits, 1]) + bytes(4) + ip(peer)
    body += asn.to_bytes(2 if afi <= 2 else 4, "big") + struct.pack(">H", len(attrs)) + attrs
    return record(TABLE_DUMP, afi, body)


def test_table_dump() -> None:
    """RFC 6396 section 4.2; peers in order of first appearance."""
    data = (
        table_dump("10.1.255.255", 17, "192.0.2.9", 65009, ATTRS2)
        + table_dump("10.2.0.0", 16, "192.0.2.1", 65001, ATTRS2)
        + table_dump("2001:db8::", 32, "2001:db8::9", 65001, ORIGIN + mp_reach(2, 1, HOP6, b""))
        + table_dump("0.0.0.0", 0, "192.0.2.9", 65009, ATTRS2)
    )
    result = read(data)
    assert result.error is None
    assert result.wires == [
        update(ATTRS2, prefix("10.1.128.0/17") + b"\0"),
        update(ATTRS2, prefix("10.2.0.0/16")),
        update(ORIGIN + mp_reach(2, 1, HOP6, prefix("2001:db8::/32"))),
    ]
    assert [seen.subtype for seen in result.messages] == [1, 1, 1]
    assert tags(result) == [
        {"PEER_AS": "65009", "PEER_IP": "192.0.2.9"},
        {"PEER_AS": "65001", "PEER_IP": "192.0.2.1"},
        {"PEER_AS": "65001", "PEER_IP": "2001:db8::9"},
    ]


def test_table_dump_of_multicast() -> None:
    """The subtype is the AFI alone; the SAFI is that of MP_REACH."""
    data = table_dump("10.0.0.0", 8, "192.0.2.1", 65001, ORIGIN + mp_reach(1, 2, ip("192.0.2.1"), b"")) + table_dump(
        "10.64.0.0", 10, "192.0.2.1", 65001, ORIGIN + mp_reach(1, 2, ip("192.0.2.1"), b"")
    )
    assert read(data).wires == [update(ORIGIN + mp_reach(1, 2, ip("192.0.2.1"), prefix("10.0.0.0/8") + prefix("10.64.0.0/10")))]


def test_table_dump_with_4_octet_as_numbers() -> None:
    """Subtypes 3 and 4, which bgpdump knows."""
    data = table_dump("10.0.0.0", 8, "192.0.2.1", 4_200_000_000, ATTRS4, 3) + table_dump("2001:db8::", 32, "2001:db8::9", 4_200_000_001, SHORT6, 4)
    result = read(data)
    assert result.wires == [update(ATTRS4, prefix("10.0.0.0/8")), update(mp_reach(2, 1, HOP6, prefix("2001:db8::/32")))]
    assert [seen.subtype for seen in result.messages] == [4, 4]
    assert [t["PEER_AS"] for t in tags(result)] == ["4200000000", "4200000001"]


def test_table_dump_of_many_peers() -> None:
    peers = [f"10.0.{n >> 8}.{n & 255}" for n in range(1000)]
    result = read(b"".join(table_dump("10.0.0.0", 8, peer, 65001, ATTRS2) for peer in peers * 2))
    assert [t["PEER_IP"] for t in tags(result)] == peers
    assert result.wires == [update(ATTRS2, prefix("10.0.0.0/8") * 2)] * 1000


def test_more_peers_than_are_kept() -> None:
    """Beyond 16,384 of them, what is pending is sent and the peers are forgotten; their tags take more than one table."""
    peers = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(17_000)]
    data = b"".join(table_dump("10.0.0.0", 8, peer, 65001, ATTRS2) for peer in peers)
    decoder, source, seen = MrtDecoder(), Source(data, 1 << 30), []
    encoder = JsonEncoder()
    while (batch := decoder.read(source)) is not None:
        out = Buffer()
        encoder.encode(batch, out)
        seen += [json.loads(line)[5]["PEER_IP"] for line in bytes(out).splitlines()]
    assert seen == peers


def entry(nlri: bytes, attrs: bytes, hop: bytes, family: tuple[int, int], ends=("192.0.2.2", "192.0.2.1")) -> bytes:
    body = peer_header(2, ends[0], ends[1], (65002, 65001)) + struct.pack(">HHI", 0, 1, TIME)
    body += struct.pack(">HBB", *family, len(hop)) + hop + nlri + struct.pack(">H", len(attrs)) + attrs
    return record(BGP4MP, 2, body)


@pytest.mark.parametrize(
    ("family", "nlri", "attrs", "hop", "expected"),
    [
        ((1, 1), P[0], ORIGIN + PATH2, ip("192.0.2.1"), update(ATTRS2, P[0])),
        ((1, 1), P[0], ATTRS2, ip("192.0.2.1"), update(ATTRS2, P[0])),
        ((1, 1), P[0], ATTRS2, b"", update(ATTRS2, P[0])),
        ((1, 1), P[0], ORIGIN, HOP6, update(ORIGIN + mp_reach(1, 1, HOP6, P[0]))),
        ((1, 2), P[0], ORIGIN, ip("192.0.2.1"), update(ORIGIN + mp_reach(1, 2, ip("192.0.2.1"), P[0]))),
        ((2, 1), P6[0], ORIGIN, HOP6, update(ORIGIN + mp_reach(2, 1, HOP6, P6[0]))),
        ((2, 1), P6[0], ORIGIN + SHORT6, b"", update(ORIGIN + mp_reach(2, 1, HOP6, P6[0]))),
        ((1, 128), VPN, ORIGIN, bytes(12), update(ORIGIN + mp_reach(1, 128, bytes(12), VPN))),
    ],
)
@pytest.mark.parametrize("ends", [("192.0.2.2", "192.0.2.1"), ("2001:db8::2", "2001:db8::1")])
def test_entry(family, nlri: bytes, attrs: bytes, hop: bytes, expected: bytes, ends) -> None:
    """BGP4MP_ENTRY: the local end first, as OpenBGPD writes it."""
    result = read(entry(nlri, attrs, hop, family, ends))
    assert result.error is None
    assert result.wires == [expected]
    assert result.messages[0].subtype == 1
    assert tags(result) == [{"PEER_AS": "65001", "PEER_IP": ends[1]}]


# ---- damage -----------------------------------------------------------------------------------------------------------

GOOD = record(BGP4MP, 4, peer_header(4) + UPDATE4)
V4 = peer_header(4)


def grown(data: bytes, by: int) -> bytes:
    """The record with `by` more or fewer bytes than it needs."""
    body = data[12:] + bytes(by) if by >= 0 else data[12:by]
    return data[:8] + struct.pack(">I", len(body)) + body


DAMAGED = [
    ("type is none of MRT", record(21, 0, b"")),
    ("type is none of MRT", b"This is a text, and no MRT file.\n" * 3),
    ("length is impossible", struct.pack(">IHHI", TIME, BGP4MP, 4, 1 << 20) + bytes(1000)),
    ("length is impossible", struct.pack(">IHHI", TIME, TABLE_DUMP_V2, 2, (16 << 20) + 1) + bytes(1000)),
    ("no room for its microseconds", record(BGP4MP_ET, 4, b"\0\0\0")),
    ("peer header is cut short", record(BGP4MP, 4, bytes(11))),
    ("peer header is cut short", record(BGP4MP, 1, bytes(7))),
    ("neither IPv4 nor IPv6", record(BGP4MP, 4, V4[:11] + b"\3" + V4[12:] + KEEPALIVE)),
    ("message is cut short", record(BGP4MP, 4, V4 + KEEPALIVE[:18])),
    ("message is cut short", record(BGP4MP, 4, V4[:-1])),
    ("marker", record(BGP4MP, 4, V4 + bytes(16) + KEEPALIVE[16:])),
    ("marker", record(BGP4MP, 4, V4 + b"\xff" * 15 + b"\xfe" + KEEPALIVE[16:])),
    ("another length", grown(GOOD, 1)),
    ("another length", grown(GOOD, -1)),
    ("state change is cut short", record(BGP4MP, 5, V4 + b"\0\1\0")),
    ("state change is cut short", record(BGP, 3, bytes(9))),
    ("peer header is cut short", record(BGP, 7, bytes(11))),
    ("no BGP message of its subtype", record(BGP, 7, bytes(13))),
    ("no BGP message of its subtype", record(BGP, 1, LEGACY_PEER + b"\0\5\0\0")),
    ("no BGP message of its subtype", record(BGP, 1, LEGACY_PEER + b"\0\0\0\1")),
    ("no BGP message of its subtype", record(BGP, 1, LEGACY_PEER + b"\0\0\0")),
    ("no BGP message of its subtype", record(BGP, 1, LEGACY_PEER + bytes(4078))),
    ("no BGP message of its subtype", record(BGP, 5, LEGACY_PEER + bytes(9))),
    ("no BGP message of its subtype", record(BGP, 6, LEGACY_PEER + b"\6")),
    ("no PEER_INDEX_TABLE", rib(2, P[0], route(0, ATTRS4))),
    ("table is cut short", record(TABLE_DUMP_V2, 1, bytes(7))),
    ("table is cut short", record(TABLE_DUMP_V2, 1, bytes(4) + b"\0\2" + bytes(3))),
    ("table is cut short", grown(PEERS, -1)),
    ("more than its peers", grown(PEERS, 1)),
    ("another length", grown(table_dump("10.0.0.0", 8, "192.0.2.1", 1, ATTRS2), 1)),
    ("another length", record(TABLE_DUMP, 2, bytes(45))),
    ("prefix does not parse", table_dump("10.0.0.0", 33, "192.0.2.1", 1, ATTRS2)),
    ("attribute in it is cut short", table_dump("10.0.0.0", 8, "192.0.2.1", 1, ATTRS2[:-1])),
    ("peer header does not parse", record(BGP4MP, 2, bytes(60))),
    ("peer header does not parse", record(BGP4MP, 2, peer_header(2) + bytes(11))),
    ("next hop is cut short", record(BGP4MP, 2, peer_header(2) + bytes(8) + b"\0\1\1\x04\1\1\1")),
    ("prefix does not parse", entry(b"\x21" + bytes(5), ATTRS2, b"", (1, 1))),
    ("prefix does not parse", entry(P[0], ATTRS2, b"", (77, 1))),
    ("another length", grown(entry(P[0], ATTRS2, b"", (1, 1)), 1)),
    ("attribute in it is cut short", entry(P[0], ATTRS2[:-1], b"", (1, 1))),
]

DAMAGED_RIBS = [
    ("too short for a RIB", record(TABLE_DUMP_V2, 2, bytes(6))),
    ("prefix does not parse", rib(2, b"\x21" + bytes(5))),
    ("prefix does not parse", rib(4, b"\x81" + bytes(17))),
    ("prefix does not parse", record(TABLE_DUMP_V2, 2, bytes(4) + b"\x20\x0a\0\0")),
    ("prefix does not parse", rib(6, struct.pack(">HB", 1, 99) + P[0])),
    ("cut short behind its prefix", record(TABLE_DUMP_V2, 2, bytes(4) + P[0])),
    ("cut short behind its prefix", record(TABLE_DUMP_V2, 12, bytes(4) + struct.pack(">HB", 1, 1) + P[0])),
    ("a route in it is cut short", grown(rib(2, P[0], route(0, ATTRS4)), -1)),
    ("a route in it is cut short", grown(rib(8, P[0], route(0, b"", 7)), -1)),
    ("more than its routes", grown(rib(2, P[0], route(0, ATTRS4)), 1)),
    ("does not have", rib(2, P[0], route(3, ATTRS4))),
    ("attribute in it is cut short", rib(2, P[0], route(0, ATTRS4[:-1]))),
    ("attribute in it is cut short", rib(2, P[0], route(0, b"\x50\x01\x00"))),
    ("attribute in it is cut short", rib(2, P[0], route(0, b"\x40"))),
    ("two MP_REACH", rib(4, P6[0], route(0, SHORT6 + SHORT6))),
    ("MP_REACH of a route in it does not parse", rib(4, P6[0], route(0, attribute(0x80, 14, b"")))),
    ("MP_REACH of a route in it does not parse", rib(4, P6[0], route(0, attribute(0x80, 14, b"\x10" + HOP6[1:])))),
    ("MP_REACH of a route in it does not parse", rib(4, P6[0], route(0, mp_reach(1, 1, HOP6, b"")))),
    ("MP_REACH of a route in it does not parse", rib(4, P6[0], route(0, attribute(0x80, 14, b"\0\2\1\x10" + HOP6[1:])))),
]


@pytest.mark.parametrize(("text", "bad"), DAMAGED)
def test_damage_ends_the_input_behind_what_was_good(text: str, bad: bytes) -> None:
    result = read(GOOD * 2 + bad + GOOD)
    assert isinstance(result.error, MrtError)
    assert text in str(result.error)
    assert str(result.error).startswith(f"MRT record 3 at offset {2 * len(GOOD)} ")
    assert (result.error.offset, result.error.record) == (2 * len(GOOD), 3)
    assert result.wires == [UPDATE4] * 2
    assert (result.decoder.records, result.decoder.skipped) == (2, 0)


@pytest.mark.parametrize(("text", "bad"), DAMAGED_RIBS)
def test_damaged_ribs(text: str, bad: bytes) -> None:
    good = PEERS + rib(2, P[9], route(0, OTHER), route(1, OTHER))
    result = read(good + bad + GOOD)
    assert isinstance(result.error, MrtError)
    assert text in str(result.error)
    assert (result.error.offset, result.error.record) == (len(good), 3)
    assert result.wires == [update(OTHER, P[9])] * 2
    pardoned = read(good + bad + GOOD, pardon=True)
    assert pardoned.error is None
    assert sorted(pardoned.wires) == sorted([UPDATE4] + [update(OTHER, P[9])] * 2)
    assert [str(error) for error in pardoned.skips] == [str(result.error)]


@pytest.mark.parametrize(("text", "bad"), [(text, bad) for text, bad in DAMAGED if not text.startswith("length") and bad[4] == 0])
def test_pardon_skips_the_record(text: str, bad: bytes) -> None:
    result = read(GOOD + bad + GOOD, pardon=True)
    assert result.error is None
    assert result.wires == [UPDATE4] * 2
    assert (result.decoder.records, result.decoder.skipped, len(result.skips)) == (3, 1, 1)
    assert text in str(result.skips[0])


def test_pardon_cannot_skip_what_has_no_end() -> None:
    result = read(GOOD + struct.pack(">IHHI", TIME, TABLE_DUMP_V2, 2, 0xFFFFFFFF) + GOOD, pardon=True)
    assert "length is impossible" in str(result.error)
    assert result.wires == [UPDATE4]


@pytest.mark.parametrize("step", [1, 5, 1 << 30])
def test_pardon_waits_for_the_end_of_the_record(step: int) -> None:
    """What is wrong shows in the header already, long before the record is all there."""
    bad = record(21, 0, bytes(1000))
    for cut in (1000, len(bad)):
        result = read(GOOD + bad[:cut], step, block_size=64, pardon=True)
        assert (result.error, result.decoder.skipped, result.wires) == (None, 1, [UPDATE4])
    result = read(GOOD + bad + GOOD, step, block_size=64, pardon=True)
    assert (result.error, result.decoder.skipped, result.wires) == (None, 1, [UPDATE4] * 2)


@pytest.mark.parametrize("step", [1, 5, 1 << 30])
def test_cut_short(step: int) -> None:
    for cut in range(1, len(GOOD)):
        data = GOOD + GOOD[:cut]
        result = read(data, step, block_size=64)
        assert isinstance(result.error, MrtError)
        assert "cut short" in str(result.error)
        assert (result.error.offset, result.error.record) == (len(GOOD), 2)
        assert result.wires == [UPDATE4]
        pardoned = read(data, step, pardon=True)
        assert (pardoned.error, pardoned.decoder.skipped, pardoned.wires) == (None, 1, [UPDATE4])
        recovered = read(data, step, recover=True)
        assert (recovered.error, recovered.decoder.lost, recovered.wires) == (None, [(len(GOOD), len(data))], [UPDATE4])


def test_damaged_index_table_leaves_no_peers() -> None:
    """Routes must not be given to the peers of the table before."""
    result = read(PEERS + grown(PEERS, -1) + rib(2, P[0], route(0, ATTRS4)), pardon=True)
    assert (result.wires, result.decoder.skipped) == ([], 2)


# ---- recovery -----------------------------------------------------------------------------------------------------------

STREAMS = {
    "BGP4MP": [GOOD, record(BGP4MP, 1, peer_header(2, "::", "::1") + UPDATE2), record(BGP4MP, 5, V4 + b"\0\1\0\2")] * 3,
    "BGP4MP_ET": [record(BGP4MP_ET, 4, struct.pack(">I", n) + V4 + UPDATE4) for n in range(9)],
    "type 5": [record(BGP, 1, LEGACY_PEER + UPDATE2[19:]), record(BGP, 7, LEGACY_PEER), record(BGP, 3, b"\0\1" + ip("192.0.2.1") + b"\0\1\0\2")] * 3,
    "TABLE_DUMP": [table_dump("10.0.0.0", 8, f"192.0.2.{n}", 1, ATTRS2) for n in range(4)] + [table_dump("2001:db8::", 32, f"2001:db8::{n}", 1, SHORT6) for n in range(5)],
    "TABLE_DUMP_V2": [PEERS] + [rib(2, P[n], route(0, ATTRS4), route(2, OTHER)) for n in range(4)] + [rib(4, P6[n], route(1, SHORT6)) for n in range(4)],
    "BGP4MP_ENTRY": [entry(P[n], ORIGIN, ip("192.0.2.1"), (1, 1)) for n in range(9)],
}
GARBAGE = {
    "zeros": bytes(100),
    "ones": b"\xff" * 100,
    "text": b"#!/bin/sh\necho oops\n" * 5,
    "noise": random.Random(1).randbytes(3000),
    "half a record": GOOD[:50],
    "a header": struct.pack(">IHHI", TIME, BGP4MP, 4, 300) + b"\0",
    "a record cut in its header": GOOD[:10],
    "a length": struct.pack(">IHHI", TIME, TABLE_DUMP_V2, 2, 0xFFFFFFFF),
}


@pytest.mark.parametrize("step", [7, 1 << 30])
@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("stream", STREAMS)
def test_recover_finds_the_next_record(stream: str, garbage: str, step: int) -> None:
    records, noise = STREAMS[stream], GARBAGE[garbage]
    whole = read(b"".join(records))
    for place in (1, 4, 8, 9):
        before, after = b"".join(records[:place]), b"".join(records[place:])
        result = read(before + noise + after, step, recover=True, block_size=64)
        assert result.error is None
        assert result.wires == whole.wires
        assert tags(result) == tags(whole)
        assert result.decoder.lost == [(len(before), len(before) + len(noise))]
        assert result.decoder.lost_bytes == len(noise)
        assert len(result.skips) == 1
        assert f"lost bytes {len(before)} to {len(before) + len(noise)}" in str(result.skips[0])
        assert (result.skips[0].offset, result.skips[0].record) == (len(before), place + 1)


def test_recover_at_the_start() -> None:
    result = read(b"not an MRT header at all" + GOOD * 2, recover=True)
    assert (result.wires, result.decoder.lost) == ([UPDATE4] * 2, [(0, 24)])


def test_recover_from_many_holes() -> None:
    result = read((GOOD + b"?") * 1500, recover=True)
    assert result.error is None
    assert result.wires == [UPDATE4] * 1500
    assert (result.decoder.lost_bytes, result.decoder.skipped) == (1500, 1500)
    assert len(result.decoder.lost) == 1000
    assert result.decoder.lost[:2] == [(len(GOOD), len(GOOD) + 1), (2 * len(GOOD) + 1, 2 * len(GOOD) + 2)]


def test_recover_from_the_record_that_took_the_next_ones_header() -> None:
    """A record that lost bytes at its end swallows the header behind it."""
    torn = GOOD[:-7]
    result = read(GOOD + torn + GOOD * 2, recover=True)
    assert (result.wires, result.decoder.lost) == ([UPDATE4] * 3, [(len(GOOD), len(GOOD) + len(torn))])


def test_recover_takes_no_record_of_other_days_for_the_next() -> None:
    """A place that looks like a record is none where what follows it is not of the same day."""
    fake = record(BGP, 7, LEGACY_PEER, time=TIME + 10 * 86400)
    assert read(GOOD + b"?" + fake + GOOD, recover=True).wires == [UPDATE4] * 2
    assert read(GOOD + b"?" + fake * 2 + GOOD, recover=True).wires == [UPDATE4] + [KEEPALIVE] * 2 + [UPDATE4]


def test_recover_the_torn_archive() -> None:
    """Twice, a record of the year 2000 lost its end; all others come out."""
    data = corpus.read(corpus.folder() / "mrt" / "torn.updates.20000325.0345.gz")
    result = read(data, recover=True)
    assert result.error is None
    assert result.decoder.lost == [(188, 198), (4554, 4568)]
    assert (len(result.messages), result.decoder.state_changes, result.decoder.records) == (2273, 307, 2582)
    assert all(line[3] in ("UPDATE", "KEEPALIVE") and not isinstance(line[4], str) for line in result.lines)


# ---- blocks -------------------------------------------------------------------------------------------------------------

ALL = b"".join(b"".join(records) for records in STREAMS.values())


@pytest.mark.parametrize("step", [1, 3, 11, 64, 1000])
@pytest.mark.parametrize("block_size", [64, 100, 1 << 16])
def test_blocks_do_not_matter(step: int, block_size: int) -> None:
    whole, pieces = read(ALL), read(ALL, step, block_size=block_size)
    assert whole.error is None
    assert len(whole.messages) > 30
    assert pieces.messages == whole.messages
    assert pieces.lines == whole.lines
    assert pieces.decoder.records == whole.decoder.records


@pytest.mark.parametrize("value", [0, 0x7F, 0x80, 0xFF])
def test_any_octet_may_be_wrong(value: int) -> None:
    """Whatever an octet becomes, the result is messages or an MrtError; recovery ends without one, and keeps the rest."""
    whole = len(read(ALL).messages)
    for at in range(value & 1, len(ALL), 2):
        data = ALL[:at] + bytes([value]) + ALL[at + 1 :]
        result = read(data)
        assert result.error is None or isinstance(result.error, MrtError)
        if at // 2 % 7 == value % 7:
            recovered = read(data, recover=True)
            assert recovered.error is None
            assert len(recovered.messages) >= whole // 2


@pytest.mark.parametrize(
    "name",
    [
        "mrtparse.bird-mrtdump_bgp.mrt.gz",
        "mrtparse.openbgpd_bgp.mrt.gz",
        "routeviews.sample.mrt.gz",
        "updates.20020722.2238.gz",
        "updates.20100722.2015.gz",
        "updates.long_withdrawal.gz",
    ],
)
def test_archive_comes_back_as_it_was(name: str) -> None:
    """All of a message's record but its type: subtype, peer header, BGP message."""
    data = corpus.read(corpus.folder() / "mrt" / name)
    expected = []
    for time, kind, subtype, body in records_of(data):
        if subtype in SUBTYPES:
            micro, body = (int.from_bytes(body[:4], "big"), body[4:]) if kind == BGP4MP_ET else (0, body)
            at = body.index(MARKER)
            expected.append(Seen(time * 1_000_000 + micro, subtype, body[:at], body[at:]))
    result = read(data, step=5000)
    assert result.error is None
    assert result.messages == expected


# ---- encoding -----------------------------------------------------------------------------------------------------------


def encode(batch, **options) -> tuple[MrtEncoder, list[Seen]]:
    encoder, out = MrtEncoder(**options), Buffer()
    encoder.encode(batch, out)
    return encoder, parse(bytes(out))


def from_json(*lines: Any):
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    batch = JsonDecoder().read(Source(data, 1 << 30))
    assert batch is not None and batch.error is None
    return batch


TEXT_TIME = "2020-09-13T12:26:40.123456"


@pytest.mark.parametrize(
    ("meta", "header"),
    [
        ({}, peer_header(4, "0.0.0.0", "0.0.0.0", (0, 0))),
        ({"PEER_AS": "65001", "PEER_IP": "192.0.2.1"}, peer_header(4, "192.0.2.1", "0.0.0.0", (65001, 0))),
        ({"PEER_IP": "2001:db8::1", "LOCAL_IP": "192.0.2.2"}, peer_header(4, "2001:db8::1", "::", (0, 0))),
        ({"PEER_IP": "192.0.2.1", "LOCAL_IP": "2001:db8::2"}, peer_header(4, "192.0.2.1", "0.0.0.0", (0, 0))),
        ({"LOCAL_IP": "2001:db8::2", "LOCAL_AS": "4200000000"}, peer_header(4, "::", "2001:db8::2", (0, 4_200_000_000))),
        ({"INTERFACE": "9", "PEER_IP": "nonsense"}, peer_header(4, "0.0.0.0", "0.0.0.0", (0, 0), 9)),
    ],
)
def test_peer_header_from_tags(meta: dict[str, str], header: bytes) -> None:
    _, seen = encode(from_json(["R", 1, TEXT_TIME, "KEEPALIVE", None, meta]))
    assert seen == [Seen(TIME * 1_000_000 + 123456, 4, header, KEEPALIVE)]


def test_big_as_in_a_2_octet_header() -> None:
    """RFC 6793 section 9: AS_TRANS."""
    meta = {"PEER_AS": "4200000000", "LOCAL_AS": "65536"}
    _, seen = encode(from_json(["R", 1, TEXT_TIME, "UPDATE", {"as_size": 2, "attrs": {"ASPATH": {"value": [1]}}}, meta]))
    assert (seen[0].subtype, seen[0].header) == (1, peer_header(2, "0.0.0.0", "0.0.0.0", (23456, 23456)))


def test_unknown_peer() -> None:
    batch = RawDecoder().read(Source(KEEPALIVE, 1 << 30))
    assert encode(batch)[1][0][1:] == (4, peer_header(4, "0.0.0.0", "0.0.0.0", (0, 0)), KEEPALIVE)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2106-02-07T06:28:15.000", 0xFFFFFFFF * 1_000_000),
        ("2106-02-07T06:28:16.500", 0xFFFFFFFF * 1_000_000 + 1_500_000),
        ("2200-01-01T00:00:00.000", 0xFFFFFFFF * 1_000_000 + 0xFFFFFFFF),
    ],
)
def test_time_that_mrt_can_hardly_say(text: str, time: int) -> None:
    """What 32 bits of seconds cannot hold goes into the microseconds, as far as those reach."""
    assert encode(from_json(["R", 1, text, "KEEPALIVE", None, {}]))[1][0].time == time


def test_directions_and_types() -> None:
    batch = from_json(["R", 1, TEXT_TIME, "KEEPALIVE", None, {}], ["L", 1, TEXT_TIME, "UPDATE", {}, {}])
    assert [seen.wire for seen in encode(batch, directions="R")[1]] == [KEEPALIVE]
    assert [seen.wire for seen in encode(batch, types=type_mask([2]))[1]] == [update()]
    encoder, _ = encode(batch)
    assert encoder.written == 2


def test_mixed_path_ids_cannot_be_said() -> None:
    """RFC 8050 section 3: the subtype speaks for all prefixes of a message."""

    def line(reach: str, more: str) -> list[Any]:
        mp = {"af": "IPV6/UNICAST", "nexthop": "2001:db8::1", "prefixes": [more]}
        return ["R", 5, TEXT_TIME, "UPDATE", {"reach": [reach], "attrs": {"MP_REACH": {"flags": "O", "value": mp}}}, {}]

    lines = [line("#1#10.0.0.0/8", "#2#2001:db8::/32"), line("#1#10.0.0.0/8", "2001:db8::/32"), line("10.0.0.0/8", "2001:db8::/32")]
    skips: list[InputError] = []
    encoder, seen = encode(from_json(*lines), on_skip=skips.append)
    assert [message.subtype for message in seen] == [9, 4]
    assert (encoder.written, encoder.skipped, len(skips)) == (2, 1, 1)
    assert "path ids" in str(skips[0])
