"""BMP and OpenBMP both ways: each message type, contexts of sessions, damage, recovery, and what the encoder writes."""

from __future__ import annotations

import io
import json
import struct
from ipaddress import ip_address
from typing import Any, NamedTuple

import pytest

import corpus
from bgpipe._bmp import BmpDecoder, BmpEncoder, Repeats
from bgpipe._codec import Batch, Buffer
from bgpipe._json import JsonEncoder
from bgpipe._json_reader import JsonDecoder
from bgpipe._mrt import MrtDecoder, MrtEncoder
from bgpipe.errors import BmpError, InputError
from oracle_bmp import BmpReader, read_bmp
from oracle_guess import Guesser

MONITORING, STATISTICS, DOWN, UP, INITIATION, TERMINATION, MIRRORING = range(7)
MARKER = b"\xff" * 16
TIME = 1_700_000_000
IPV6, POST, SHORT_AS, OUT = 0x80, 0x40, 0x20, 0x10
LOC_RIB = 3


# ---- making messages, reading them back -----------------------------------------------------------------------------


def bgp(kind: int, body: bytes = b"") -> bytes:
    return MARKER + struct.pack(">HB", 19 + len(body), kind) + body


def update(reach: bytes = b"\x18\xc0\0\2", path: bytes = b"\2\1\0\0\xfd\xe9") -> bytes:
    attrs = b"\x40\1\1\0\x40\2" + bytes([len(path)]) + path + b"\x40\3\4\xc0\0\2\1"
    return bgp(2, bytes(2) + struct.pack(">H", len(attrs)) + attrs + reach)


def capability(code: int, value: bytes = b"") -> bytes:
    return bytes([2, len(value) + 2, code, len(value)]) + value


def addpath(way: int, afi: int = 1, safi: int = 1) -> bytes:
    return capability(69, struct.pack(">HBB", afi, safi, way))


AS4 = capability(65, b"\0\0\xfd\xe9")


def opening(*capabilities: bytes) -> bytes:
    parameters = b"".join(capabilities)
    return bgp(1, struct.pack(">BHH4sB", 4, 65001, 180, b"\1\1\1\1", len(parameters)) + parameters)


def per_peer(
    *, kind: int = 0, flags: int = 0, rd: bytes = bytes(8), ip: str = "192.0.2.1", asn: int = 65001, micro: int = 5, second: int = TIME
) -> bytes:
    address = ip_address(ip)
    flags |= IPV6 if address.version == 6 else 0
    return struct.pack(">BB8s16sI4sII", kind, flags, rd, address.packed.rjust(16, b"\0"), asn, b"\1\1\1\1", second, micro)


def bmp(kind: int, body: bytes) -> bytes:
    return struct.pack(">BIB", 3, 6 + len(body), kind) + body


def monitoring(wire: bytes, **peer: Any) -> bytes:
    return bmp(MONITORING, per_peer(**peer) + wire)


def up(sent: bytes, received: bytes, more: bytes = b"", **peer: Any) -> bytes:
    return bmp(UP, per_peer(**peer) + bytes(12) + b"\xc0\0\2\2" + struct.pack(">HH", 179, 40000) + sent + received + more)


def down(reason: int, data: bytes = b"", **peer: Any) -> bytes:
    return bmp(DOWN, per_peer(**peer) + bytes([reason]) + data)


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, len(value)) + value


def statistics(*counters: tuple[int, bytes], count: int | None = None) -> bytes:
    body = b"".join(tlv(*counter) for counter in counters)
    return bmp(STATISTICS, per_peer() + struct.pack(">I", len(counters) if count is None else count) + body)


def openbmp(data: bytes, collector: bytes = b"cc", router: bytes = b"rr", ip: bytes = bytes(16), kind: int = 12, flags: int = 0x80) -> bytes:
    rest = bytes([flags, kind]) + struct.pack(">II", TIME + 9, 7) + bytes(16) + struct.pack(">H", len(collector)) + collector
    rest += bytes(16) + ip + struct.pack(">H", len(router)) + router + struct.pack(">I", 1)
    return b"OBMP\1\7" + struct.pack(">HI", 12 + len(rest), len(data)) + rest + data


class Result(NamedTuple):
    decoder: BmpDecoder
    messages: list[Any]
    wires: list[bytes]
    error: object
    skipped: list[InputError]


def read(data: bytes, piece: int = 1 << 16, **options: Any) -> Result:
    skipped: list[InputError] = []
    decoder = BmpDecoder(on_skip=skipped.append, block_size=piece, **options)
    encoder, out, wires, source, error = JsonEncoder(), Buffer(), [], io.BytesIO(data), None
    following = 1, 1
    while (batch := decoder.read(source)) is not None:
        following = batch.number(*following)
        encoder.encode(batch, out)
        wires += [batch.wire(index) for index in range(len(batch))]
        error = batch.error
    return Result(decoder, [json.loads(line) for line in bytes(out).splitlines()], wires, error, skipped)


def write(data: bytes, decoder: Any = None, *, repeats: bool = True, **options: Any) -> tuple[bytes, BmpEncoder]:
    """What is written of BMP messages."""
    encoder, out, source = BmpEncoder(**options), Buffer(), io.BytesIO(data)
    decoder = decoder or BmpDecoder(openbmp=data[:4] == b"OBMP")
    once = Repeats(openbmp=bool(options.get("openbmp")))
    made = b""
    while (batch := decoder.read(source)) is not None:
        assert batch.error is None
        out.clear()
        encoder.encode(batch, out)
        if repeats:
            once.take_out(out)
        made += bytes(out)
    return made, encoder


def split(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 5], "big")
        found.append(data[at : at + size])
        at += size
    return found


def of_kind(data: bytes, kind: int) -> list[bytes]:
    return [message for message in split(data) if message[5] == kind]


# ---- kinds ----------------------------------------------------------------------------------------------------------

COUNTERS = [(kind, bytes(4)) for kind in (*range(7), 11, 12, 13)] + [(kind, bytes(8)) for kind in (7, 8, 14, 15)]
COUNTERS += [(kind, bytes(11)) for kind in (9, 10, 16, 17)] + [(99, b"?")]
NOTIFICATION = bgp(3, b"\6\2")
OTHERS = [
    statistics(),
    statistics(*COUNTERS),
    up(opening(AS4), opening(AS4)),
    up(opening(AS4), opening(AS4), tlv(0, b"text") + tlv(3, b"vrf") + tlv(4, b"label")),
    down(1, NOTIFICATION),
    down(2, b"\0\7"),
    down(3, NOTIFICATION),
    down(4),
    down(5),
    down(6, tlv(3, b"vrf"), kind=LOC_RIB),
    down(200, b"whatever"),
    bmp(INITIATION, tlv(0, b"x") + tlv(1, b"descr") + tlv(2, b"name")),
    bmp(TERMINATION, tlv(0, b"bye") + tlv(1, b"\0\1")),
    bmp(MIRRORING, per_peer() + tlv(0, update()) + tlv(1, b"\0\1") + tlv(0, b"not BGP")),
    bmp(MIRRORING, per_peer()),
    bmp(7, b"of times to come"),
]


def test_route_monitoring() -> None:
    result = read(monitoring(update(), asn=4200000001) + monitoring(update(), ip="2001:db8::1", micro=999999))
    assert result.error is None
    assert result.wires == [update()] * 2
    assert [message[5] for message in result.messages] == [
        {"PEER_AS": "4200000001", "PEER_IP": "192.0.2.1"},
        {"PEER_AS": "65001", "PEER_IP": "2001:db8::1"},
    ]
    assert [message[2] for message in result.messages] == ["2023-11-14T22:13:20.000005", "2023-11-14T22:13:20.999999"]
    assert {message[0] for message in result.messages} == {"R"}


def test_zeros_are_told_of_peers() -> None:
    (message,) = read(monitoring(update(), ip="0.0.0.0", asn=0)).messages
    assert message[5] == {"PEER_AS": "0", "PEER_IP": "0.0.0.0"}


def test_addresses_are_as_in_all_of_the_json() -> None:
    """RFC 5952 section 5: the dotted form is for well-known prefixes alone."""
    peers = [read(monitoring(update(), ip=ip)).messages[0][5]["PEER_IP"] for ip in ("::c000:201", "::ffff:192.0.2.1", "2001:db8:0:1::")]
    assert peers == ["::c000:201", "::ffff:192.0.2.1", "2001:db8:0:1::"]


def test_several_updates_in_one_message() -> None:
    assert read(monitoring(update() + bgp(2, bytes(4)))).wires == [update(), bgp(2, bytes(4))]


@pytest.mark.parametrize("other", OTHERS, ids=range(len(OTHERS)))
def test_other_kinds_are_counted(other: bytes) -> None:
    result = read(monitoring(update()) + other + monitoring(update()))
    assert result.error is None
    assert len(result.messages) == 2
    kinds = ["route_monitoring", "statistics_report", "peer_down", "peer_up", "initiation", "termination", "route_mirroring", "unknown"]
    assert result.decoder.kinds == {"route_monitoring": 2, kinds[other[5]]: 1}
    assert result.decoder.records == 3


def test_events() -> None:
    result = read(up(opening(AS4), opening(AS4), rd=b"\0\0\0\1\0\0\0\2", kind=1) + down(3, NOTIFICATION) + down(9))
    (name, peer, text), (second, _, reason), (_, _, third) = result.decoder.take_events()
    assert (name, text) == ("peer_up", "")
    expected = {"PEER_AS": "65001", "PEER_IP": "192.0.2.1", "PEER_ID": "1.1.1.1", "PEER_RD": "1:2", "PEER_TYPE": "1", "RIB": "in-pre"}
    assert peer == expected
    assert (second, reason, third) == ("peer_down", "the peer closed the session with a NOTIFICATION", "reason 9")
    assert result.decoder.take_events() == []


def test_no_more_events_than_fit_are_kept() -> None:
    decoder = read(down(4) * 1500).decoder
    assert (len(decoder.events), decoder.events_lost) == (1000, 500)


def test_mirrored_octets_that_are_no_message_stay_out() -> None:
    data = bmp(MIRRORING, per_peer() + tlv(0, b"") + tlv(0, MARKER) + tlv(0, update()[:-1]) + tlv(0, update()))
    assert read(data, everything=True).wires == [update()]


def test_nothing_of_damaged_mirroring_comes_out() -> None:
    result = read(bmp(MIRRORING, per_peer() + tlv(0, update()) + b"x") + monitoring(update()), everything=True, pardon=True)
    assert len(result.wires) == result.decoder.skipped == 1


def test_all_messages() -> None:
    sent, received = opening(AS4), opening(AS4, addpath(1))
    data = up(sent, received) + monitoring(update()) + down(1, NOTIFICATION) + OTHERS[-3]
    assert read(data, everything=True).wires == [sent, received, update(), NOTIFICATION, update()]
    assert read(data, everything=True, types=1 << 1).wires == [sent, received]


@pytest.mark.parametrize(
    ("peer", "tags"),
    [
        ({}, {"RIB": "in-pre"}),
        ({"flags": POST}, {"RIB": "in-post"}),
        ({"flags": OUT}, {"RIB": "out-pre"}),
        ({"flags": OUT | POST, "kind": 2}, {"RIB": "out-post", "PEER_TYPE": "2"}),
        ({"kind": LOC_RIB, "ip": "0.0.0.0"}, {"RIB": "loc", "PEER_TYPE": "3", "PEER_IP": "0.0.0.0"}),
        ({"rd": b"\0\1\1\2\3\4\0\5", "kind": 1}, {"RIB": "in-pre", "PEER_TYPE": "1", "PEER_RD": "1.2.3.4:5"}),
        ({"rd": b"\0\2\0\1\0\0\0\5"}, {"RIB": "in-pre", "PEER_RD": "65536:5"}),
        ({"rd": b"\0\2\0\0\0\1\0\5"}, {"RIB": "in-pre", "PEER_RD": "2:1:5"}),
        ({"rd": b"\0\3\0\0\0\1\0\5"}, {"RIB": "in-pre", "PEER_RD": "0x0003000000010005"}),
    ],
)
def test_peer_tags(peer: dict[str, Any], tags: dict[str, str]) -> None:
    data = monitoring(update(), **peer)
    (message,) = read(data, peer_tags=True).messages
    assert message[5] == {"PEER_AS": "65001", "PEER_IP": "192.0.2.1", "PEER_ID": "1.1.1.1"} | tags
    lines = (json.dumps(message, separators=(",", ":")) + "\n").encode()
    assert of_kind(write(lines, JsonDecoder())[0], MONITORING) == [data], "all of the header comes back from JSON"


# ---- sessions -------------------------------------------------------------------------------------------------------

PATHED = update(b"\0\0\0\7\x18\xc0\0\2")


@pytest.mark.parametrize(
    ("sent", "received", "peer", "expected"),
    [
        ([addpath(1)], [addpath(2)], {}, True),
        ([addpath(3)], [addpath(3)], {}, True),
        ([addpath(2)], [addpath(1)], {}, False),
        ([addpath(2)], [addpath(1)], {"flags": OUT}, True),
        ([addpath(1)], [addpath(2)], {"flags": OUT}, False),
        ([addpath(3, 2)], [addpath(3, 2)], {}, False),
        ([addpath(7)], [addpath(7)], {}, False),
        ([], [addpath(2)], {"kind": LOC_RIB}, True),
        ([addpath(3)], [], {}, False),
    ],
)
def test_path_ids(sent: list[bytes], received: list[bytes], peer: dict[str, Any], expected: bool) -> None:
    """RFC 7911 section 4: where one end sends them and the other receives them."""
    data = up(opening(AS4, *sent), opening(AS4, *received), kind=peer.get("kind", 0)) + monitoring(PATHED, **peer)
    (message,) = read(data).messages
    assert ("#7#" in json.dumps(message)) is expected


def test_contexts_are_those_of_a_peer() -> None:
    ends = opening(AS4, addpath(3)), opening(AS4, addpath(3))
    others: list[dict[str, Any]] = [{"ip": "192.0.2.9"}, {"rd": b"\0\0\0\1\0\0\0\1"}, {"kind": 1}]
    data = up(*ends) + monitoring(PATHED) + b"".join(monitoring(update(), **other) for other in others) + monitoring(PATHED, flags=POST)
    assert [message[4]["reach"] for message in read(data).messages] == [["#7#192.0.2.0/24"], *[["192.0.2.0/24"]] * 3, ["#7#192.0.2.0/24"]]


def test_a_peer_that_goes_down_takes_its_context_along() -> None:
    ends = opening(AS4, addpath(3)), opening(AS4, addpath(3))
    data = up(*ends) + monitoring(PATHED) + down(4) + monitoring(update())
    assert [message[4]["reach"] for message in read(data).messages] == [["#7#192.0.2.0/24"], ["192.0.2.0/24"]]


def test_a_router_that_leaves_takes_its_peers_along() -> None:
    ends = opening(AS4, addpath(3)), opening(AS4, addpath(3))
    data = up(*ends) + bmp(TERMINATION, b"") + monitoring(update())
    assert read(data).messages[0][4]["reach"] == ["192.0.2.0/24"]


def test_short_as_numbers() -> None:
    """RFC 7854 section 4.2: the A flag says it, whatever the OPENs agreed on."""
    short = update(path=b"\2\1\xfd\xe9")
    assert read(monitoring(short, flags=SHORT_AS)).messages[0][4]["as_size"] == 2
    assert read(up(opening(AS4), opening(AS4)) + monitoring(short, flags=SHORT_AS)).messages[0][4]["as_size"] == 2
    assert read(up(opening(), opening(AS4)) + monitoring(update())).messages[0][4]["attrs"]["ASPATH"]["value"] == [65001]
    assert read(up(opening(), opening(AS4)) + monitoring(short)).messages[0][4]["as_size"] == 2, "the flag was forgotten"
    assert "as_size" not in read(up(opening(AS4), opening(AS4)) + monitoring(short)).messages[0][4]
    assert read(monitoring(short), guess_asn=True).messages[0][4]["as_size"] == 2


GUESSED = {"ADDPATH": "guessed IPV4/UNICAST"}


def told(data: bytes, **options: Any) -> list[dict[str, str]]:
    """What was found out of each message."""
    options = {"guess_addpath": True} | options
    return [{key: value for key, value in message[5].items() if key in ("ADDPATH", "AS_SIZE")} for message in read(data, **options).messages]


def test_path_ids_that_nothing_declares() -> None:
    """The Peer Up message is missing, or says another thing; each session and each RIB of a peer is for itself."""
    silent = up(opening(AS4), opening(AS4))
    assert told(monitoring(PATHED)) == [GUESSED]
    assert told(silent + monitoring(PATHED)) == [GUESSED]
    assert told(monitoring(PATHED), guess_addpath=False) == [{}]
    assert told(up(opening(AS4, addpath(3)), opening(AS4, addpath(3))) + monitoring(PATHED)) == [{}]
    both = monitoring(bgp(2, bytes(4) + bytes.fromhex("18c0000218c00003")))
    assert told(both + monitoring(PATHED) + both) == [{}, GUESSED, GUESSED]
    assert told(monitoring(PATHED) + silent + both) == [GUESSED, {}]
    assert told(monitoring(PATHED) + down(4) + both) == [GUESSED, {}]
    for other in ({"flags": POST}, {"flags": OUT}, {"ip": "192.0.2.9"}, {"rd": b"\0\0\0\1\0\0\0\1"}, {"kind": LOC_RIB}):
        rest = bmp(MONITORING, per_peer(**other) + bgp(2, bytes(4) + bytes.fromhex("18c0000218c00003")))  # type: ignore[arg-type]
        assert told(monitoring(PATHED) + rest + both) == [GUESSED, {}, GUESSED]
    assert told(openbmp(monitoring(PATHED)) + openbmp(both, router=b"other"), openbmp=True) == [GUESSED, {}]


def test_path_ids_that_are_declared_and_not_there() -> None:
    """As GoBGP has them in Adj-RIB-In behind the policy. Once a list has been read with them alone, it is settled."""
    ends = up(opening(AS4, addpath(3)), opening(AS4, addpath(3)))
    plain, both = monitoring(update(), flags=POST), monitoring(bgp(2, bytes(4) + bytes.fromhex("18c0000218c00003")), flags=POST)
    ids = monitoring(PATHED, flags=POST)
    said = {"ADDPATH": "guessed not IPV4/UNICAST"}
    assert told(ends + both + plain + both) == [{}, said, said]
    assert told(ends + plain + monitoring(PATHED) + both) == [said, {}, said]
    assert told(ends + ids + plain + both) == [{}, {}, {}]
    assert told(ends + plain + ids + both + plain) == [said, {}, {}, {}]
    assert told(ends + plain, guess_addpath=False) == [{}]
    assert [m[4].get("reach") for m in read(ends + plain + monitoring(PATHED), guess_addpath=True).messages] == [
        ["192.0.2.0/24"], ["#7#192.0.2.0/24"]
    ]
    mirrored = bmp(MIRRORING, per_peer(flags=POST) + tlv(0, PATHED))
    assert told(ends + mirrored + plain + mirrored + both, everything=True)[2:] == [{}, said, {}, said], "as FRR does it"
    made, _ = write(ends + plain + monitoring(PATHED) + plain, BmpDecoder(guess_addpath=True))
    assert [m[4]["reach"][0][:3] for m in read(made).messages] == ["192", "#7#", "192"]


def test_path_ids_that_were_found_out_are_declared() -> None:
    data = monitoring(PATHED) + monitoring(update()) + monitoring(PATHED, flags=POST) * 2
    decoder = BmpDecoder(guess_addpath=True)
    made, _ = write(data, decoder)
    assert of_kind(made, MONITORING) == split(data)
    assert read(made).messages == [[*m[:5], {k: v for k, v in m[5].items() if k != "ADDPATH"}] for m in read(data, guess_addpath=True).messages]


def test_length_of_as_numbers_is_that_of_the_peer() -> None:
    """A path that could be both is as those before it."""
    short, four, none = update(path=b"\2\1\xfd\xe9"), update(), update(path=b"")
    said = {"AS_SIZE": "guessed 2"}
    assert told(monitoring(none) + monitoring(short) + monitoring(none) + monitoring(none, ip="192.0.2.9"), guess_asn=True) == [{}, said, said, {}]
    assert told(monitoring(four, flags=SHORT_AS), guess_asn=True) == [{"AS_SIZE": "guessed 4"}]
    assert told(up(opening(), opening(AS4)) + monitoring(short), guess_asn=True) == [said]
    assert told(up(opening(), opening(AS4)) + monitoring(short)) == [{}]


def test_routers_do_not_share_peers() -> None:
    ends = opening(AS4, addpath(3)), opening(AS4, addpath(3))
    data = openbmp(up(*ends)) + openbmp(monitoring(update()), router=b"other") + openbmp(monitoring(PATHED))
    result = read(data, openbmp=True)
    assert [message[4]["reach"] for message in result.messages] == [["192.0.2.0/24"], ["#7#192.0.2.0/24"]]
    assert [message[5]["ROUTER"] for message in result.messages] == ["other", "rr"]


# ---- OpenBMP --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "tags"),
    [
        ({}, {"COLLECTOR": "cc", "ROUTER": "rr"}),
        ({"collector": b"", "router": b""}, {}),
        ({"router": b"", "ip": b"\xc0\0\2\5" + bytes(12)}, {"COLLECTOR": "cc", "ROUTER": "192.0.2.5"}),
        ({"router": b"", "ip": bytes(12) + b"\xc0\0\2\5"}, {"COLLECTOR": "cc", "ROUTER": "192.0.2.5"}),
        ({"router": b"", "ip": b"\x20\1\x0d\xb8" + bytes(12), "flags": 0xC0}, {"COLLECTOR": "cc", "ROUTER": "2001:db8::"}),
        ({"router": b'\xff"\n'}, {"COLLECTOR": "cc", "ROUTER": '\ufffd"\n'}),
    ],
)
def test_openbmp(made: dict[str, Any], tags: dict[str, str]) -> None:
    (message,) = read(openbmp(monitoring(update()), **made), openbmp=True).messages
    assert message[5] == {"PEER_AS": "65001", "PEER_IP": "192.0.2.1"} | tags


def test_openbmp_of_other_kinds_is_counted() -> None:
    result = read(openbmp(b"text", kind=1) + b"\n" + openbmp(monitoring(update()) * 2) + b"\n", openbmp=True)
    assert result.error is None
    assert result.decoder.kinds == {"route_monitoring": 2, "unknown": 1}


def test_a_router_without_a_clock_gets_the_time_of_the_collector() -> None:
    data = monitoring(update(), second=0, micro=0)
    assert read(openbmp(data), openbmp=True).messages[0][2] == "2023-11-14T22:13:29.000007"
    assert read(data).messages[0][2] == "1970-01-01T00:00:00.000"


# ---- damage ---------------------------------------------------------------------------------------------------------

GOOD = monitoring(update())
DAMAGED = [
    (b"\1" + GOOD[1:], "its version is not 3, the one of RFC 7854"),
    (b"\3\0\0\0\5\0", "its length is impossible"),
    (b"\3\xff\0\0\5\0", "its length is impossible"),
    (bmp(MONITORING, bytes(41)), "its per-peer header is cut short"),
    (bmp(MONITORING, per_peer()), "no BGP message is in it"),
    (monitoring(update() + b"x"), "its bytes are no BGP message"),
    (monitoring(b"\0" + update()[1:]), "its bytes are no BGP message"),
    (statistics((0, bytes(4)), count=2), "it holds another number of counters than it says"),
    (statistics((0, bytes(8))), "a counter has another length than its type"),
    (bmp(STATISTICS, per_peer() + b"\0\0\0\1\0\0\0\4\0"), "its counters run past its end"),
    (bmp(STATISTICS, per_peer() + b"\0"), "its count is cut short"),
    (up(opening(), NOTIFICATION), "the OPEN that the router received does not parse"),
    (up(bgp(1, bytes(9)), opening()), "the OPEN that the router sent does not parse"),
    (bmp(UP, per_peer() + bytes(19)), "the OPEN that the router sent does not parse"),
    (up(opening(), opening(), b"\0"), "its TLVs run past its end"),
    (bmp(DOWN, per_peer()), "its reason is missing"),
    (down(1, opening()), "its bytes are no NOTIFICATION"),
    (down(3), "its bytes are no NOTIFICATION"),
    (down(2), "its length is not that of its reason"),
    (down(4, b"x"), "its length is not that of its reason"),
    (down(6, b"x"), "its TLVs run past its end"),
    (bmp(INITIATION, tlv(1, b"x")[:-1]), "its TLVs run past its end"),
    (bmp(TERMINATION, tlv(1, b"x")), "its reason is not of two octets"),
    (bmp(MIRRORING, per_peer() + tlv(1, b"x")), "its information is not of two octets"),
    (bmp(MIRRORING, per_peer() + b"x"), "its TLVs run past its end"),
]


@pytest.mark.parametrize(("bad", "what"), DAMAGED, ids=[str(index) for index in range(len(DAMAGED))])
@pytest.mark.parametrize("piece", [1 << 16, 64])
def test_damage(bad: bytes, what: str, piece: int) -> None:
    result = read(GOOD * 2 + bad + GOOD, piece)
    assert len(result.messages) == 2
    assert isinstance(result.error, BmpError)
    assert (result.error.offset, result.error.record) == (2 * len(GOOD), 3)
    assert str(result.error).startswith(f"BMP message 3 at offset {2 * len(GOOD)} is damaged: {what}")


@pytest.mark.parametrize(("bad", "what"), DAMAGED[3:], ids=[str(index) for index in range(3, len(DAMAGED))])
def test_pardon(bad: bytes, what: str) -> None:
    result = read(GOOD + bad + GOOD, pardon=True)
    assert (len(result.messages), result.error, result.decoder.skipped, result.decoder.records) == (2, None, 1, 3)
    assert what in str(result.skipped[0])


@pytest.mark.parametrize("bad", [bad for bad, _ in DAMAGED])
@pytest.mark.parametrize("piece", [1 << 16, 64])
def test_recover(bad: bytes, piece: int) -> None:
    result = read(GOOD + bad + GOOD * 2, piece, recover=True)
    assert result.error is None
    assert len(result.messages) == 3
    assert result.decoder.lost == [(len(GOOD), len(GOOD) + len(bad))]


def test_cut_short() -> None:
    for size in range(1, len(GOOD)):
        result = read(GOOD + GOOD[:size])
        assert (len(result.messages), getattr(result.error, "cut_short", None)) == (1, True)
        assert "is cut short" in str(result.error)
        assert read(GOOD + GOOD[:size], pardon=True).error is None


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (b"x" + openbmp(GOOD), "it does not begin with OBMP"),
        (b"OBMP\2" + openbmp(GOOD)[5:], "its version is not 1"),
        (b"OBMP\1\7\0\5\0\0\0\0", "its length is impossible"),
        (openbmp(GOOD, collector=b"c" * 9).replace(b"\0\x09ccc", b"\xff\x09ccc"), "its header is cut short"),
        (openbmp(GOOD[:-1]), "its BMP message is cut short"),
        (openbmp(b"\2" + GOOD[1:]), "its version is not 3, the one of RFC 7854"),
        (openbmp(bmp(MONITORING, per_peer())), "no BGP message is in it"),
    ],
)
def test_damaged_openbmp(bad: bytes, what: str) -> None:
    good = openbmp(GOOD)
    result = read(good + bad + good, openbmp=True)
    assert len(result.messages) == 1
    assert str(result.error) == f"OpenBMP message 2 at offset {len(good)} is damaged: {what}"
    assert len(read(good + bad + good, openbmp=True, recover=True).messages) >= 2


def test_a_stream_from_its_middle() -> None:
    data = GOOD[20:] + GOOD * 3
    result = read(data, recover=True)
    assert (len(result.messages), result.decoder.lost) == (3, [(0, len(GOOD) - 20)])


# ---- encoding -------------------------------------------------------------------------------------------------------


def test_peer_up_stands_in_front_of_the_first_message_of_a_peer() -> None:
    data = monitoring(update()) + monitoring(update(), ip="2001:db8::1") + monitoring(update())
    made, encoder = write(data)
    assert [message[5] for message in split(made)] == [INITIATION, UP, MONITORING, UP, MONITORING, MONITORING]
    assert of_kind(made, MONITORING) == split(data)
    assert encoder.written == 3
    again = read(made, everything=True)
    assert again.error is None
    assert again.messages[0][4]["asn"] == 0
    assert again.messages[1][4]["asn"] == 65001


def test_peer_up_is_the_one_that_came() -> None:
    ends = opening(AS4, addpath(3)), opening(AS4, addpath(3), capability(2))
    data = up(*ends) + monitoring(PATHED)
    assert write(data)[0].endswith(data)


def test_path_ids_come_back() -> None:
    line = b'["R",1,"2023-11-14T22:13:20.000","UPDATE",{"reach":["%s192.0.2.0/24"]},{"PEER_AS":"1","PEER_IP":"192.0.2.1"}]\n'
    lines = line % b"#7#" + line % b"" + line % b"" + line % b"#9#"
    made, _ = write(lines, JsonDecoder())
    assert [message[5] for message in split(made)] == [INITIATION, UP, MONITORING, UP, MONITORING, MONITORING, UP, MONITORING]
    assert [message[4]["reach"][0][:3] for message in read(made).messages] == ["#7#", "192", "192", "#9#"]


def test_views_of_a_peer_that_differ() -> None:
    """Adj-RIB-In has path ids behind the policy alone; a station has one session for both, which ends for both."""
    line = b'["R",1,null,"UPDATE",{"reach":["%s192.0.2.0/24"]},{"PEER_AS":"1","PEER_IP":"192.0.2.1","RIB":"%s"}]\n'
    ids, plain = line % (b"#7#", b"in-post"), line % (b"", b"in-pre")
    end = b'["R",1,null,"NOTIFY",{"code":"CEASE","subcode":2},{"PEER_AS":"1","PEER_IP":"192.0.2.1","RIB":"in-pre"}]\n'
    for repeats in (True, False):
        made, _ = write(ids + plain + ids + ids + end + ids, JsonDecoder(), repeats=repeats)
        kinds = [UP, MONITORING, UP, MONITORING, UP, MONITORING, MONITORING, UP, DOWN, UP, MONITORING]
        assert [message[5] for message in split(made)][repeats:] == kinds
        assert [message[4]["reach"][0][:3] for message in read(made).messages] == ["#7#", "192", "#7#", "#7#", "#7#"]


def test_repeats() -> None:
    ends = opening(AS4), opening(AS4)
    part = up(*ends) + monitoring(update())
    data = part + down(4) + part
    out = Buffer()
    out.extend(data * 2)
    once = Repeats()
    once.take_out(out)
    first = bytes(out)
    assert [message[5] for message in split(first)] == [INITIATION, UP, MONITORING, DOWN, UP, MONITORING, MONITORING, DOWN, UP, MONITORING]
    out.clear()
    out.extend(part)
    once.take_out(out)
    assert bytes(out) == monitoring(update())
    once.restart()
    out.clear()
    out.extend(part)
    once.take_out(out)
    assert bytes(out).endswith(part) and len(out) > len(part)


def test_a_notification_is_a_peer_down_message() -> None:
    data = up(opening(AS4), opening(AS4)) + monitoring(update()) + down(3, NOTIFICATION) + down(1, NOTIFICATION)
    made, _ = write(data, BmpDecoder(everything=True, types=1 << 2 | 1 << 3))
    assert of_kind(made, DOWN) == of_kind(data, DOWN)


def test_what_has_no_place_is_left_out() -> None:
    skipped: list[InputError] = []
    lines = b'["R",1,null,"KEEPALIVE"]\n["R",2,null,"OPEN",{"bgp":4,"asn":1,"id":"1.1.1.1","hold":90}]\n["R",3,null,"UPDATE",{}]\n'
    lines += b'["R",4,null,"UPDATE",{"as_size":2},{"PEER_TYPE":"3"}]\n["R",5,null,"NOTIFY","0x"]\n'
    made, encoder = write(lines, JsonDecoder(), on_skip=skipped.append)
    assert (encoder.written, encoder.skipped) == (1, 4)
    assert [str(error) for error in skipped] == [
        "message 1: BMP has no place for type KEEPALIVE",
        "message 2: BMP has no place for type OPEN",
        "message 4: a Loc-RIB has no AS numbers of two octets (RFC 9069)",
        "message 5: a NOTIFICATION has two octets at least",
    ]
    assert len(of_kind(made, MONITORING)) == 1


def test_openbmp_is_written() -> None:
    for router in (b"rr", b"", b"192.0.2.9", b"192.0.2.9\0"):
        data = openbmp(monitoring(update()), router=router, ip=b"\xc0\0\2\5" + bytes(12))
        made, _ = write(data, openbmp=True)
        result = read(made, openbmp=True)
        assert result.messages == read(data, openbmp=True).messages
        assert result.decoder.kinds == {"route_monitoring": 1, "peer_up": 1}


def test_from_mrt_and_back() -> None:
    """An archive as BMP: its routes, times and AS sizes stay what they were."""
    data = corpus.read(corpus.folder() / "mrt" / "updates.20100227.1600.gz")
    made, encoder = write(data, MrtDecoder(types=1 << 2))
    assert encoder.skipped == 0
    back: list[bytes] = []
    out, archive = Buffer(), MrtEncoder()
    source, decoder = io.BytesIO(made), BmpDecoder()
    while (batch := decoder.read(source)) is not None:
        assert batch.error is None
        back += [batch.wire(index) for index in range(len(batch))]
        archive.encode(batch, out)
    expected: list[bytes] = []
    source, mrt = io.BytesIO(data), MrtDecoder(types=1 << 2)
    while (found := mrt.read(source)) is not None:
        expected += [found.wire(index) for index in range(len(found))]
    assert back == expected


@pytest.mark.parametrize("name", corpus.names("bmp"))
def test_route_monitoring_is_written_as_it_came(name: str) -> None:
    data = (corpus.folder() / "bmp" / name).read_bytes()
    assert of_kind(write(data)[0], MONITORING) == of_kind(data, MONITORING)
    lines, out, source = JsonEncoder(), Buffer(), io.BytesIO(data)
    decoder = BmpDecoder(peer_tags=True)
    while (batch := decoder.read(source)) is not None:
        lines.encode(batch, out)
    assert of_kind(write(bytes(out), JsonDecoder())[0], MONITORING) == of_kind(data, MONITORING)


@pytest.mark.parametrize("name", corpus.names("openbmp"))
def test_openbmp_of_the_corpus(name: str) -> None:
    result = read((corpus.folder() / "openbmp" / name).read_bytes(), openbmp=True)
    assert result.error is None
    assert sum(result.decoder.kinds.values()) == 1


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder in ("bmp", "openbmp") for name in corpus.names(folder)])
def test_the_corpus_as_the_oracle_reads_it(folder: str, name: str, everything: bool) -> None:
    data, openbmp = (corpus.folder() / folder / name).read_bytes(), folder == "openbmp"
    ours = read(data, openbmp=openbmp, peer_tags=True, everything=everything, guess_addpath=True)
    reader = BmpReader(peer_tags=True, everything=everything, guesser=Guesser(asn=False, addpath=True, doubts=True))
    records = list(read_bmp(data, reader, openbmp=openbmp))
    assert [record.error for record in records if record.error] == []
    assert ours.messages == [message for record in records for message in record.messages]
    assert (ours.decoder.kinds, ours.decoder.take_events()) == (reader.kinds, reader.events)


def batches(decoder: BmpDecoder, data: bytes) -> list[Batch]:
    found, source = [], io.BytesIO(data)
    while (batch := decoder.read(source)) is not None:
        found.append(batch)
    return found


def test_batches_are_bounded() -> None:
    """Long names for many messages: a batch ends, and the next one goes on, within an OpenBMP message and behind a BMP message."""
    name = b"\1" * 1000
    inner = [monitoring(update(), asn=1 + n % 400) for n in range(1500)]
    bad = openbmp(b"".join(inner[:700]) + GOOD[:-1], router=name)
    data = openbmp(b"".join(inner), router=name) + bad + openbmp(inner[0])
    decoder = BmpDecoder(openbmp=True, pardon=True)
    found = batches(decoder, data)
    assert len(found) > 10
    assert (decoder.records, decoder.skipped) == (3, 1)
    assert [message.tags["PEER_AS"] for batch in found for message in batch] == [str(1 + n % 400) for n in (*range(1500), *range(700), 0)]
    bare = BmpDecoder()
    assert sum(map(len, batches(bare, b"".join(inner) * 20))) == 30_000


def test_the_way_reads_are_cut_does_not_matter() -> None:
    data = b"".join(OTHERS) + GOOD * 3 + down(4) + GOOD
    whole = read(data, everything=True)
    for piece in (64, 65, 100, 1000):
        cut = read(data, piece, everything=True)
        assert (cut.messages, cut.decoder.kinds, cut.decoder.take_events()) == (whole.messages, whole.decoder.kinds, whole.decoder.events)
