"""What MRT records do not say: path ids and the length of AS numbers, found out per peer, direction and family."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator

import pytest

from bgpipe._codec import Buffer
from bgpipe._json import JsonEncoder
from bgpipe._mrt import MrtDecoder, MrtEncoder

TIME = 1_600_000_000
AS2, AS4, STATE, AS4_LOCAL, AS4_ADDPATH = 1, 4, 5, 7, 9

# Lists of prefixes. What they are with path ids stands behind them.
PLAIN = "18c00002"  # 192.0.2.0/24, and nothing else
STRONG = "0000000118c00002"  # 1, 192.0.2.0/24
WEAK = "7000000118c00002"  # 0x70000001, 192.0.2.0/24
EITHER = "18c0000218c00003"  # two prefixes; 0x18c00002, 192.0.3.0/24
ZEROS = "0000000000"  # the default route five times; 0, the default route
HOST_BITS = "17c0000100"  # 192.0.1.0/23, and the default route; 0x17c00001, the default route
NEITHER = "2118c00002"


def message(kind: int, body: bytes = b"") -> bytes:
    return b"\xff" * 16 + struct.pack(">HB", 19 + len(body), kind) + body


def attribute(code: int, value: bytes) -> bytes:
    return bytes([0x80, code, len(value)]) + value


def update(attrs: bytes = b"", reach: str = "", unreach: str = "") -> bytes:
    withdrawn = bytes.fromhex(unreach)
    body = struct.pack(">H", len(withdrawn)) + withdrawn + struct.pack(">H", len(attrs)) + attrs
    return message(2, body + bytes.fromhex(reach))


def mp_unreach(afi: int, nlri: str, safi: int = 1) -> bytes:
    return update(attribute(15, struct.pack(">HB", afi, safi) + bytes.fromhex(nlri)))


def mp_reach(nlri: str) -> bytes:
    return update(attribute(14, b"\0\2\1\x10" + bytes(17) + bytes.fromhex(nlri)))


def as_path(size: int, *asns: int) -> bytes:
    """An UPDATE with an AS_PATH of one sequence, or with an empty one."""
    value = bytes([2, len(asns)]) + b"".join(asn.to_bytes(size, "big") for asn in asns) if asns else b""
    return update(attribute(2, value), PLAIN)


def record(wire: bytes, subtype: int = AS4, peer: int = 1) -> bytes:
    size = 2 if subtype == AS2 else 4
    body = (65000 + peer).to_bytes(size, "big") + bytes(size) + struct.pack(">HH", 0, 1) + bytes([192, 0, 2, peer]) + bytes(4) + wire
    return struct.pack(">IHHI", TIME, 16, subtype, len(body)) + body


def read(data: bytes, *, asn: bool = False, addpath: bool = True, block_size: int = 1 << 18) -> list[dict[str, str]]:
    """The tags of the messages, PEER_AS and PEER_IP left out."""
    return [tags for _, tags in messages(data, asn=asn, addpath=addpath, block_size=block_size)]


def messages(data: bytes, *, asn: bool = False, addpath: bool = True, block_size: int = 1 << 18) -> Iterator[tuple[object, dict[str, str]]]:
    decoder = MrtDecoder(guess_asn=asn, guess_addpath=addpath, block_size=block_size)
    encoder, source, out = JsonEncoder(), io.BytesIO(data), Buffer()
    while (batch := decoder.read(source)) is not None:
        assert batch.error is None
        encoder.encode(batch, out)
    for line in bytes(out).splitlines():
        *_, body, tags = json.loads(line)
        yield body, {key: value for key, value in tags.items() if key in ("ADDPATH", "AS_SIZE")}


def found(*lists: str) -> list[bool]:
    """Of which messages, one a list, it is said that their prefixes carry path ids."""
    return [bool(tags) for tags in read(b"".join(record(update(b"", text)) for text in lists))]


def test_one_message_shows_it() -> None:
    data = record(update(b"", STRONG + "0000000218c00003", "00000001080a"))
    assert list(messages(data)) == [
        ({"reach": ["#1#192.0.2.0/24", "#2#192.0.3.0/24"], "unreach": ["#1#10.0.0.0/8"]}, {"ADDPATH": "guessed IPV4/UNICAST"})
    ]
    assert read(data, addpath=False) == [{}]


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ([STRONG], [True]),
        ([EITHER, STRONG, EITHER], [False, True, True]),
        ([PLAIN, STRONG, STRONG, STRONG, STRONG, STRONG], [False] * 6),
        ([STRONG, PLAIN, STRONG, EITHER], [True, False, False, False]),
        ([WEAK, WEAK, EITHER, NEITHER, WEAK, WEAK, EITHER], [False] * 5 + [True, True]),
        ([WEAK, WEAK, PLAIN, WEAK, WEAK, WEAK, WEAK], [False] * 7),
        ([ZEROS, ZEROS, ZEROS, ZEROS], [False, False, False, True]),
        ([ZEROS, STRONG, ZEROS], [False, True, True]),
        ([HOST_BITS] * 9, [False] * 9),
        ([NEITHER] * 9, [False] * 9),
        (["00", "0000", "000000"], [False] * 3),
        ([STRONG, NEITHER, ""], [True, True, False]),
    ],
)
def test_what_lists_say(lists: list[str], expected: list[bool]) -> None:
    assert found(*lists) == expected


def test_lists_of_one_message_are_taken_together() -> None:
    """A withdrawn list that has no path ids speaks for the announced one."""
    assert read(record(update(b"", STRONG, PLAIN))) == [{}]
    assert read(record(update(b"", STRONG, NEITHER))) == [{}]


def test_families_apart() -> None:
    six = "000000013020010db80001"
    tags = read(record(update(b"", PLAIN)) + record(mp_unreach(2, six)) + record(mp_reach(six)) + record(update(b"", STRONG)))
    assert tags == [{}, {"ADDPATH": "guessed IPV6/UNICAST"}, {"ADDPATH": "guessed IPV6/UNICAST"}, {}]
    tags = read(record(update(attribute(15, b"\0\2\1" + bytes.fromhex(six)), STRONG)) + record(mp_unreach(1, STRONG, 2)))
    assert tags == [{"ADDPATH": "guessed IPV4/UNICAST,IPV6/UNICAST"}, {"ADDPATH": "guessed IPV4/MULTICAST"}]
    assert read(record(mp_unreach(1, STRONG, 128)) + record(mp_unreach(25, STRONG, 70))) == [{}, {}]


def test_peers_and_directions_apart() -> None:
    data = record(update(b"", STRONG)) + record(update(b"", EITHER), AS4_LOCAL) + record(update(b"", EITHER), peer=2)
    assert [bool(tags) for tags in read(data + record(update(b"", EITHER)))] == [True, False, False, True]


@pytest.mark.parametrize("between", [record(message(1, bytes.fromhex("04fde900b4c000020100"))), record(message(3, b"\6\2")), record(b"\0\1\0\6", STATE)])
def test_another_session(between: bytes) -> None:
    """Behind an OPEN, a NOTIFICATION or a change of state nothing is known any more."""
    data = record(update(b"", STRONG)) + between + record(update(b"", EITHER)) + record(update(b"", PLAIN))
    assert [bool(tags) for tags in read(data) if tags] == [True]
    assert bool(read(record(update(b"", PLAIN)) + between + record(update(b"", STRONG)))[-1])


def test_what_is_declared() -> None:
    assert read(record(update(b"", STRONG), AS4_ADDPATH)) == [{}]


def test_many_peers_in_small_blocks() -> None:
    """More than fit into one table: those that come again are new. What is told does not depend on how the input is cut."""
    data = b"".join(record(update(b"", STRONG if peer % 2 else PLAIN), peer=peer) for peer in range(1, 250)) * 2
    whole = read(data)
    assert whole == read(data, block_size=64)
    assert [bool(tags) for tags in whole] == [bool(peer % 2) for peer in range(1, 250)] * 2


def test_written_as_declared() -> None:
    """MRT that is written says what was found out."""
    decoder, out = MrtDecoder(guess_addpath=True), Buffer()
    batch = decoder.read(io.BytesIO(record(update(b"", STRONG))))
    assert batch is not None
    MrtEncoder().encode(batch, out)
    assert struct.unpack_from(">HH", bytes(out), 4) == (17, AS4_ADDPATH)


def sizes(*wires: bytes, subtype: int = AS4) -> list[str]:
    return [tags.get("AS_SIZE", "") for tags in read(b"".join(record(wire, subtype) for wire in wires), asn=True, addpath=False)]


def test_length_of_as_numbers() -> None:
    """One path tells; what has none, or could be both, is as those before it; one that is odd does not count."""
    two, four, none = as_path(2, 65001, 65002), as_path(4, 65001), as_path(4)
    assert sizes(none, two, none) == ["", "guessed 2", "guessed 2"]
    assert sizes(two, four, none, subtype=AS2) == ["", "", ""]
    assert sizes(four, none, subtype=AS2) == ["guessed 4", "guessed 4"]
    assert sizes(four, two, two, two, none) == ["", "", "", "", ""]
    assert sizes(four, two, two, two, two, none) == ["", "", "", "", "guessed 2", "guessed 2"]
    assert sizes(four, two, two, four, two, two, two) == [""] * 7
