"""Path ids that no record declares, in real archives: who sends some is found out, and of nobody else is it said.

BGPIPE_LIMIT is how much of a file is read, in bytes.
"""

from __future__ import annotations

import io
import os
import struct
from collections import Counter
from collections.abc import Iterator

import pytest

import corpus
import oracle
from bgpipe._codec import Buffer
from bgpipe._json import JsonEncoder
from bgpipe._mrt import MrtDecoder
from conversion import Message, parse_lines

LIMIT = int(os.environ.get("BGPIPE_LIMIT", "2000000"))
UPDATES = [name for name in corpus.names("mrt") if not name.startswith(("torn", "rib", "bview"))]

# File -> peer, family and number of the messages that carry path ids which no record declares.
UNDECLARED = {
    "routeviews.sample.mrt.gz": {("206.126.236.214", "guessed IPV4/UNICAST"): 11},
    "mrtparse.bird_bgp.mrt.gz": {("192.168.0.10", "guessed IPV4/UNICAST"): 6},
    "mrtparse.bird6_bgp.mrt.gz": {("fd02::10", "guessed IPV6/UNICAST"): 6},
}
HEADERS = {1: 2, 4: 4, 6: 2, 7: 4}  # subtypes of BGP4MP that declare no path ids, and octets of an AS number


def start(name: str) -> bytes:
    return corpus.start_of_mrt(corpus.read(corpus.folder() / "mrt" / name), LIMIT)


def lines(data: bytes, *, guess: bool) -> list[bytes]:
    decoder, encoder, source, out, following = MrtDecoder(guess_addpath=guess), JsonEncoder(), io.BytesIO(data), Buffer(), (1, 1)
    while (batch := decoder.read(source)) is not None:
        assert batch.error is None
        following = batch.number(*following)
        encoder.encode(batch, out)
    return bytes(out).splitlines(keepends=True)


def guessed(data: bytes) -> list[Message]:
    """The messages that are read otherwise than the records say."""
    pairs = zip(lines(data, guess=False), lines(data, guess=True), strict=True)
    return parse_lines(b"".join(ours for plain, ours in pairs if plain != ours))


def told(messages: list[Message]) -> Counter[tuple[str, str]]:
    return Counter((message[5]["PEER_IP"], message[5]["ADDPATH"]) for message in messages)


@pytest.mark.parametrize("name", UPDATES)
def test_of_whom_it_is_said(name: str) -> None:
    found = guessed(start(name))
    assert told(found) == UNDECLARED.get(name, {})
    for message in found:
        assert oracle.has_path_ids(message[4])


def records(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Time, type, subtype and body of each."""
    at = 0
    while at < len(data):
        *header, length = struct.unpack_from(">IHHI", data, at)
        yield (*header, data[at + 12 : at + 12 + length])
        at += 12 + length


def packed(time: int, kind: int, subtype: int, body: bytes) -> bytes:
    return struct.pack(">IHHI", time, kind, subtype, len(body)) + body


def split(kind: int, subtype: int, body: bytes) -> tuple[bytes, bytes, bytes]:
    """Microseconds, header and message of a BGP4MP record."""
    at = 4 if kind == 17 else 0
    end = at + 2 * HEADERS[subtype] + 4
    end += 8 if body[end - 1] == 1 else 32
    return body[:at], body[at:end], body[end:]


@pytest.mark.parametrize("name", UPDATES)
def test_each_message_by_itself(name: str) -> None:
    """With a new session in front of each message, it alone says what is known: no message of a peer without path ids looks so."""
    parts = []
    for time, kind, subtype, body in records(start(name)):
        if kind in (16, 17) and subtype in HEADERS:
            _, header, _ = split(kind, subtype, body)
            parts.append(packed(time, 16, 5 if HEADERS[subtype] == 4 else 0, header + b"\0\1\0\6"))
        parts.append(packed(time, kind, subtype, body))
    assert told(guessed(b"".join(parts))) == UNDECLARED.get(name, {})


def with_ids(data: bytes, afi: int, first: int) -> bytes:
    """A list of prefixes with a path id in front of each."""
    entries = []
    reader = oracle.Reader(data)
    while reader.left():
        bits = reader.number(1)
        assert bits <= (32 if afi == 1 else 128)
        entries.append(struct.pack(">IB", first + len(entries) % 3, bits) + reader.take((bits + 7) // 8))
    return b"".join(entries)


def rewritten(wire: bytes, first: int) -> bytes:
    """An UPDATE as a peer sends it that has agreed on path ids for IPv4 and IPv6, unicast and multicast."""
    body = oracle.Reader(wire[19:])
    withdrawn = with_ids(body.take(body.number(2)), 1, first)
    attributes = []
    for flags, code, value in oracle.split_attributes(body.take(body.number(2))):
        head = {14: 5 + value[3], 15: 3}.get(code, 0) if len(value) > 3 else 0
        if head and value[:3] in (b"\0\1\1", b"\0\1\2", b"\0\2\1", b"\0\2\2"):
            value = value[:head] + with_ids(value[head:], value[1], first)
            flags |= 0x10 * (len(value) > 255)
        attributes.append(oracle.join_attribute(flags, code, value))
    blob = b"".join(attributes)
    parts = struct.pack(">H", len(withdrawn)) + withdrawn + struct.pack(">H", len(blob)) + blob
    return oracle.with_header(2, parts + with_ids(body.rest(), 1, first))


@pytest.mark.parametrize("first", [1, 65_000, 70_000, 0xF0000000, 0x18000000], ids=["small", "up to 65535", "above", "random", "like prefixes"])
@pytest.mark.parametrize("name", ["updates.20160811.1600.gz", "updates.20070211.0141.gz", "updates.example.bz2"])
def test_peers_that_were_given_path_ids(name: str, first: int) -> None:
    """Each second peer gets some. Small ones are found at once, others after a while; of the other peers nothing is said.

    Those that all look like prefixes of 24 bits are not found.
    """
    undeclared, declared, chosen = [], [], {}
    for time, kind, subtype, body in records(corpus.start_of_mrt(start(name), 500_000)):
        if kind not in (16, 17) or subtype not in HEADERS:
            continue
        micro, header, wire = split(kind, subtype, body)
        ids = chosen.setdefault(header, len(chosen) % 2 == 0)
        wire = rewritten(wire, first) if ids and wire[18] == 2 else wire
        undeclared.append(packed(time, kind, subtype, micro + header + wire))
        declared.append(packed(time, kind, (8 if subtype < 4 else 9) if ids else subtype, micro + header + wire))
    ours = parse_lines(b"".join(lines(b"".join(undeclared), guess=True)))
    right = parse_lines(b"".join(lines(b"".join(declared), guess=False)))
    wrong = Counter(message[5]["PEER_IP"] for message, expected in zip(ours, right, strict=True) if message[4] != expected[4])
    for message, expected in zip(ours, right, strict=True):
        assert "ADDPATH" not in message[5] or message[4] == expected[4]
    if first == 0x18000000:
        assert wrong
    elif first > 65_000:
        assert sum(wrong.values()) < sum("ADDPATH" in message[5] for message in ours) / 10
    else:
        assert not wrong
