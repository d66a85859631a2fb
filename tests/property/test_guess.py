"""What records do not say of a peer's messages is found out as the twin does it, and never against a peer in good order."""

from __future__ import annotations

import json
import struct
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

import oracle
from bgpipe._codec import Buffer
from bgpipe._json import JsonEncoder
from bgpipe._mrt import MrtDecoder
from conversion import Message, batches, parse_lines
from oracle_guess import Guesser
from property import strategies as bgp
from property.archives import Record, archives
from property.strategies import be16, be32, counted

slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def core_read(data: bytes, asn: bool, addpath: bool, block_size: int = 1 << 18) -> list[Message]:
    decoder = MrtDecoder(pardon=True, guess_asn=asn, guess_addpath=addpath, block_size=block_size)
    encoder, out, following = JsonEncoder(), Buffer(), (1, 1)
    for batch in batches(decoder, data):
        following = batch.number(*following)
        encoder.encode(batch, out)
    return parse_lines(bytes(out))


def oracle_read(data: bytes, asn: bool, addpath: bool) -> list[Message]:
    return [message for record in oracle.read_mrt(data, True, Guesser(asn, addpath)) for message in record.messages]


@slow
@given(data=archives(), asn=st.booleans(), addpath=st.booleans())
def test_as_the_twin_does_it(data: bytes, asn: bool, addpath: bool) -> None:
    """Any archive, well formed or not; the form of the input does not matter."""
    expected = [json.dumps(message) for message in oracle_read(data, asn, addpath)]
    for block_size in (64, 1 << 18):
        assert [json.dumps(message) for message in core_read(data, asn, addpath, block_size)] == expected


class Peer(NamedTuple):
    """as_size: of its messages. declared: what its records say. ids: from where its path ids are, or None."""

    number: int
    as_size: int
    declared: int
    ids: int | None


peers = st.lists(
    st.tuples(st.sampled_from([2, 4]), st.sampled_from([2, 4]), st.sampled_from([None, None, 1, 1000, 65536, 1 << 24, 3 << 30])),
    min_size=1,
    max_size=4,
).map(lambda found: [Peer(number, *peer) for number, peer in enumerate(found)])


@st.composite
def lists(draw: DrawFn, afi: int, ids: int | None) -> bytes:
    """Prefixes as routers in good order send them: each once, no host bits."""
    found = draw(st.lists(bgp.prefixes(afi, False), min_size=1, max_size=5, unique=True))
    if ids is None:
        return b"".join(found)
    return b"".join(be32(ids + draw(st.integers(0, 999))) + prefix for prefix in found)


@st.composite
def updates(draw: DrawFn, peer: Peer) -> bytes:
    path = b"\x02\x02" + (65001).to_bytes(peer.as_size, "big") + (65002).to_bytes(peer.as_size, "big")
    attributes = b"\x40\x01\x01\x00" + b"\x40\x02" + counted(path)
    withdrawn = announced = b""
    kind = draw(st.sampled_from(["reach", "reach", "unreach", "mp_reach", "mp_unreach", "end of rib"]))
    if kind == "reach":
        announced = draw(lists(1, peer.ids))
    elif kind == "unreach":
        withdrawn = draw(lists(1, peer.ids))
        attributes = b""
    elif kind == "mp_reach":
        attributes += b"\x80\x0e" + counted(b"\0\2\1\x10" + bytes(16) + b"\0" + draw(lists(2, peer.ids)))
    elif kind == "mp_unreach":
        attributes = b"\x80\x0f" + counted(b"\0\2\1" + draw(lists(2, peer.ids)))
    else:
        attributes = draw(st.sampled_from([b"", b"\x80\x0f\x03\0\2\1"]))
    return bgp.message(2, be16(len(withdrawn)) + withdrawn + be16(len(attributes)) + attributes + announced)


def record(peer: Peer, wire: bytes) -> bytes:
    ends = (65001 + peer.number).to_bytes(peer.declared, "big") + bytes(peer.declared)
    ends += struct.pack(">HHI", 0, 1, 0xC0000201 + peer.number) + bytes(4)
    return Record(16, 4 if peer.declared == 4 else 1, ends + wire).at(1_600_000_000)


@st.composite
def feeds(draw: DrawFn) -> list[tuple[Peer, bytes]]:
    """Messages of several peers, mixed."""
    found = draw(peers)
    count = draw(st.integers(1, 30))
    chosen = [draw(st.sampled_from(found)) for _ in range(count)]
    return [(peer, draw(updates(peer))) for peer in chosen]


@slow
@given(feed=feeds())
def test_peers_in_good_order(feed: list[tuple[Peer, bytes]]) -> None:
    """Nothing is ever guessed of a peer without path ids. Those with small ones are read right from their first message on.

    With others, what is read at all with path ids is read right; and the length of AS numbers is where an UPDATE has a path.
    """
    data = b"".join(record(peer, wire) for peer, wire in feed)
    for (peer, wire), message in zip(feed, core_read(data, True, True), strict=True):
        right = oracle.decode_message(wire, peer.as_size, peer.ids is not None)[1]
        plain = oracle.decode_message(wire, peer.as_size, False)[1]
        has_path = not isinstance(right, dict) or "ASPATH" in right.get("attrs", {})
        expected = right if peer.ids is None or "ADDPATH" in message[5] or peer.ids < 65536 - 999 else plain
        if has_path:
            assert message[4] == expected
        assert ("ADDPATH" in message[5]) <= (peer.ids is not None)
        assert ("AS_SIZE" in message[5]) <= (peer.as_size != peer.declared)


@slow
@given(feed=feeds(), junk=st.lists(st.tuples(st.integers(0, 29), bgp.mutated(4, False)), max_size=6))
def test_what_is_settled_stays(feed: list[tuple[Peer, bytes]], junk: list[tuple[int, bytes]]) -> None:
    """A peer whose first messages can have no path ids: none are found, whatever does not parse follows."""
    peer = Peer(0, 4, 4, None)
    first = bgp.message(2, be16(0) + be16(0) + bytes.fromhex("18c00002"))
    first6 = b"\x80\x0f" + counted(b"\0\2\1" + bytes.fromhex("3020010db80001"))
    wires = [first, bgp.message(2, be16(0) + be16(len(first6)) + first6)] + [wire for of, wire in feed if of.ids is None]
    for at, wire in junk:
        if wire[18] == 2:
            wires.insert(2 + at, wire)
    data = b"".join(record(peer, wire) for wire in wires)
    for message in core_read(data, False, True):
        assert "ADDPATH" not in message[5]
