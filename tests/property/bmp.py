"""BMP streams (RFC 7854, 8671, 9069): messages of all kinds, of few peers, so that they meet again; some are damaged."""

from __future__ import annotations

import struct

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from property import strategies as bgp
from property.strategies import be16, be32

MONITORING, STATISTICS, DOWN, UP, INITIATION, TERMINATION, MIRRORING = range(7)
V, POST, SHORT, OUT = 0x80, 0x40, 0x20, 0x10

addresses = st.sampled_from([bytes(12) + bytes([192, 0, 2, 1]), bytes(16), bytes.fromhex("20010db8" + "00" * 11 + "01")])
distinguishers = st.sampled_from([bytes(8)] * 4 + [bytes.fromhex(rd) for rd in ("0000fde800000001", "0001c00002010001", "0002000100000001", "0003000000000000")])
flags = st.sampled_from([0, 0, 0, POST, SHORT, OUT, OUT | POST, SHORT | POST, V, V | OUT, V | SHORT | POST])
asns = st.sampled_from([0, 65001, 4200000000])
ids = st.sampled_from([bytes(4), b"\1\1\1\1"])
seconds = st.sampled_from([0, 1, 1_700_000_000, 0xFFFFFFFF])
microseconds = st.sampled_from([0, 1, 1000, 999_000, 999_999])

# A peer of a router: type, distinguisher, address, AS number, identifier.
Peer = tuple[int, bytes, bytes, int, bytes]
peers: SearchStrategy[Peer] = st.tuples(st.sampled_from([0, 0, 0, 1, 2, 3, 3]), distinguishers, addresses, asns, ids)


@st.composite
def heads(draw: DrawFn, peer: Peer, most: int = 0xFF) -> bytes:
    """A per-peer header. most: flags that may be set."""
    kind, rd, address, asn, identifier = peer
    return bytes([kind, draw(flags) & most]) + rd + address + be32(asn) + identifier + be32(draw(seconds)) + be32(draw(microseconds))


def framed(kind: int, body: bytes) -> bytes:
    return struct.pack(">BIB", 3, 6 + len(body), kind) + body


@st.composite
def tlvs(draw: DrawFn, kinds: list[int]) -> bytes:
    found = b""
    for _ in range(draw(st.integers(0, 3))):
        value = draw(st.binary(max_size=5))
        found += be16(draw(st.sampled_from(kinds))) + be16(len(value)) + value
    return found


@st.composite
def opens(draw: DrawFn) -> bytes:
    """With AS numbers of four octets or two, and path ids for some families, mostly."""
    if draw(st.integers(0, 4)) == 0:
        return draw(bgp.opens)
    capabilities = b"\2\6\x41\4\0\0\xfd\xe9" if draw(st.integers(0, 3)) else b""
    entries = b"".join(
        be16(afi) + bytes([safi, draw(st.sampled_from([1, 2, 3, 3, 0, 7]))])
        for afi, safi in ((1, 1), (2, 1), (1, 2), (1, 128), (25, 70))
        if draw(st.booleans())
    )
    if entries:
        capabilities += bytes([2, 2 + len(entries), 69, len(entries)]) + entries
    return bgp.opened(4, 65001, 180, b"\1\1\1\1", bytes([len(capabilities)]) + capabilities)


@st.composite
def wires(draw: DrawFn, as_size: int) -> bytes:
    """A BGP message; of UPDATEs some have path ids in all families."""
    context = as_size if draw(st.integers(0, 9)) else 6 - as_size, draw(st.booleans())
    return draw(bgp.updates(*context) | bgp.updates(*context) | bgp.messages(*context) | bgp.mutated(*context))


@st.composite
def monitoring(draw: DrawFn, peer: Peer) -> bytes:
    head = draw(heads(peer))
    found = draw(wires(2 if head[1] & SHORT and peer[0] != 3 else 4))
    if draw(st.integers(0, 9)) == 0:
        found += draw(wires(4))
    return framed(MONITORING, head + found)


@st.composite
def ups(draw: DrawFn, peer: Peer) -> bytes:
    ports = draw(addresses) + be16(179) + be16(40000)
    return framed(UP, draw(heads(peer, V)) + ports + draw(opens()) + draw(opens()) + draw(tlvs([0, 3, 4, 9])))


@st.composite
def downs(draw: DrawFn, peer: Peer) -> bytes:
    reason = draw(st.sampled_from([1, 2, 3, 3, 4, 5, 6, 200]))
    data = {1: bgp.notifications, 3: bgp.notifications, 2: st.just(b"\0\7"), 6: tlvs([3]), 200: st.binary(max_size=3)}
    return framed(DOWN, draw(heads(peer, V)) + bytes([reason]) + draw(data.get(reason, st.just(b""))))


@st.composite
def statistics(draw: DrawFn, peer: Peer) -> bytes:
    kinds = draw(st.lists(st.integers(0, 20), max_size=3))
    sizes = dict.fromkeys((*range(7), 11, 12, 13), 4) | dict.fromkeys((7, 8, 14, 15), 8) | dict.fromkeys((9, 10, 16, 17), 11)
    counters = b"".join(be16(kind) + be16(sizes.get(kind, 3)) + bytes(sizes.get(kind, 3)) for kind in kinds)
    return framed(STATISTICS, draw(heads(peer)) + be32(len(kinds)) + counters)


@st.composite
def mirrored(draw: DrawFn, peer: Peer) -> bytes:
    found = b""
    for _ in range(draw(st.integers(0, 3))):
        value = draw(st.sampled_from([b"\0\1", None, None]))
        kind = 1 if value else draw(st.sampled_from([0, 0, 0, 5]))
        value = value or draw(wires(4) | st.binary(max_size=20))
        found += be16(kind) + be16(len(value)) + value
    return framed(MIRRORING, draw(heads(peer)) + found)


others = st.one_of(
    tlvs([0, 1, 2]).map(lambda data: framed(INITIATION, data)),
    st.sampled_from([b"", b"\0\1\0\2\0\1", b"\0\0\0\3bye"]).map(lambda data: framed(TERMINATION, data)),
    st.binary(max_size=9).map(lambda data: framed(7, data)),
)


@st.composite
def broken(draw: DrawFn, message: bytes) -> bytes:
    """Octets behind the common header are changed, put in or taken out; or the header itself is."""
    body = bytearray(message[6:])
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, max(len(body) - 1, 0)))
        match draw(st.integers(0, 2)):
            case 0:
                body[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:
                body[at:at] = draw(st.binary(min_size=1, max_size=3))
            case _:
                del body[at : at + draw(st.integers(1, 60))]
    made = framed(message[5], bytes(body))
    if draw(st.integers(0, 9)) == 0:
        made = draw(st.sampled_from([b"\2" + made[1:], b"\3\0\0\0\5" + made[5:], b"\3\x7f" + made[2:]]))
    return made


@st.composite
def messages(draw: DrawFn, most: int = 10, damage: bool = True) -> list[bytes]:
    """Of three peers at most."""
    known = draw(st.lists(peers, min_size=1, max_size=3))
    found = []
    for _ in range(draw(st.integers(1, most))):
        peer = draw(st.sampled_from(known))
        kinds = [monitoring, monitoring, monitoring, monitoring, ups, ups, downs, statistics, mirrored]
        which = draw(st.integers(0, len(kinds)))
        message = draw(kinds[which](peer) if which < len(kinds) else others)
        if damage and draw(st.integers(0, 14)) == 0:
            message = draw(broken(message))
        found.append(message)
    return found


@st.composite
def streams(draw: DrawFn, damage: bool = True) -> bytes:
    """The last message may be cut short."""
    data = b"".join(draw(messages(damage=damage)))
    return data[: len(data) - draw(st.integers(1, 60))] if damage and draw(st.integers(0, 9)) == 0 else data


routers = st.tuples(
    st.sampled_from([b"", b"cc", b'\xff"\n']),
    st.sampled_from([bytes(16), b"\xc0\0\2\5" + bytes(12), bytes(12) + b"\xc0\0\2\5", bytes.fromhex("20010db8" + "00" * 12)]),
    st.sampled_from([b"", b"rr", b"192.0.2.9", b"a\0b"]),
    st.sampled_from([0x80, 0x80, 0xC0]),
)


@st.composite
def wrapped(draw: DrawFn, damage: bool = True) -> bytes:
    """OpenBMP messages of two routers, some with several BMP messages, newlines between them."""
    known = draw(st.lists(routers, min_size=1, max_size=2))
    left, data = draw(messages(damage=damage)), b""
    while left:
        count = draw(st.sampled_from([1, 1, 1, 2, 3]))
        body, left = b"".join(left[:count]), left[count:]
        collector, address, name, of = draw(st.sampled_from(known))
        head = bytes([of, draw(st.sampled_from([12] * 9 + [1]))]) + be32(draw(seconds)) + be32(draw(microseconds))
        head += bytes(16) + be16(len(collector)) + collector + bytes(16) + address + be16(len(name)) + name + be32(1)
        size = 12 + len(head) if not damage or draw(st.integers(0, 19)) else draw(st.sampled_from([21, 22, 30, 60]))
        magic = b"OBMP\1\7" if not damage or draw(st.integers(0, 19)) else draw(st.sampled_from([b"OBMP\2\7", b"OBMQ\1\7"]))
        data += magic + be16(size) + be32(len(body)) + head + body + draw(st.sampled_from([b"", b"", b"\n"]))
    return data[: len(data) - draw(st.integers(1, 60))] if damage and draw(st.integers(0, 9)) == 0 else data
