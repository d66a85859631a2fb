"""Plain routes go through ExaBGP's text and come back: equal routes and attributes, equal bytes of one prefix a message."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from bgpipe._codec import Buffer
from bgpipe._exa import ExaEncoder
from bgpipe._exa_reader import ExaDecoder
from bgpipe._view import Msg, SessionContext, collect
from property.strategies import be16, be32, ipv4s, ipv6s, message, prefixes

# Flags and values as ExaBGP sends them, in the order in which it does.
numbers = st.sampled_from([0, 1, 255, 65535, 65536, 0xFFFFFFFF]) | st.integers(0, 0xFFFFFFFF)
u32s = numbers.map(be32)
communities = st.sampled_from([0xFFFFFF01, 0xFFFFFF02, 0xFFFFFF03, 0xFFFFFF04, 0xFFFF029A, 0xFFFF0000]).map(be32) | u32s
ext_communities = st.builds(
    bytes.__add__, st.sampled_from([b"\0\2", b"\0\3", b"\1\2", b"\x40\2"]) | st.binary(min_size=2, max_size=2),
    st.binary(min_size=6, max_size=6),
)


def some(items: st.SearchStrategy[bytes], most: int = 90) -> st.SearchStrategy[bytes]:
    return st.lists(items, min_size=1, max_size=most).map(b"".join)


@st.composite
def paths(draw: DrawFn) -> bytes:
    """Sequences that are full, as the list of all AS numbers gives them again; or any segments."""
    if draw(st.integers(0, 4)):
        count = draw(st.integers(0, 12) | st.sampled_from([254, 255, 256, 510, 511]))
        asns = [draw(numbers)] * count if count > 12 else [draw(numbers) for _ in range(count)]
        runs = [asns[at : at + 255] for at in range(0, count, 255)]
        return b"".join(bytes((2, len(run))) + b"".join(map(be32, run)) for run in runs)
    segments = draw(st.lists(st.tuples(st.integers(1, 4), st.lists(numbers, min_size=1, max_size=4)), max_size=4))
    return b"".join(bytes((kind, len(asns))) + b"".join(map(be32, asns)) for kind, asns in segments)


VALUES: dict[int, tuple[int, st.SearchStrategy[bytes]]] = {
    4: (0x80, u32s),
    5: (0x40, u32s),
    6: (0x40, st.just(b"")),
    7: (0xC0, st.builds(bytes.__add__, u32s, ipv4s)),
    8: (0xC0, some(communities)),
    9: (0x80, ipv4s),
    10: (0x80, some(ipv4s)),
    16: (0xC0, some(ext_communities)),
    32: (0xC0, some(st.binary(min_size=12, max_size=12))),
    99: (0xE0, st.binary(max_size=300)),
}


def attribute(flags: int, code: int, value: bytes) -> bytes:
    long = len(value) > 255
    return bytes((flags | 0x10 * long, code)) + (be16(len(value)) if long else bytes((len(value),))) + value


@st.composite
def routes(draw: DrawFn, most: int = 1) -> tuple[bytes, bool]:
    """(an UPDATE that announces or withdraws prefixes of one family, whether they carry path ids)."""
    afi = draw(st.sampled_from([1, 1, 2]))
    addpath = draw(st.booleans())
    nlri = b"".join(draw(st.lists(prefixes(afi, addpath), min_size=1, max_size=most)))
    if draw(st.integers(0, 3)) == 0:
        if afi == 1:
            return message(2, be16(len(nlri)) + nlri + be16(0)), addpath
        unreach = attribute(0x80, 15, b"\0\2\1" + nlri)
        return message(2, be16(0) + be16(len(unreach)) + unreach), addpath
    found = [attribute(0x40, 1, bytes((draw(st.integers(0, 2)),))), attribute(0x40, 2, draw(paths()))]
    hop = draw(ipv4s if afi == 1 and draw(st.booleans()) else ipv6s)
    if afi == 1 and len(hop) == 4:
        found.append(attribute(0x40, 3, hop))
    for code in sorted(draw(st.sets(st.sampled_from(list(VALUES)), max_size=5))):
        flags, value = VALUES[code]
        found.append(attribute(flags, code, draw(value)))
    if len(hop) == 16:
        found.append(attribute(0x80, 14, bytes((0, afi, 1, 16)) + hop + b"\0" + nlri))
        nlri = b""
    attributes = b"".join(found)
    return message(2, be16(0) + be16(len(attributes)) + attributes + nlri), addpath


def through(wire: bytes, addpath: bool) -> tuple[list[str], list[Msg], list[Msg]]:
    """(lines, what the native reader makes of them, what the one in Python does)."""
    families = ["IPV4/UNICAST", "IPV6/UNICAST"] if addpath else []
    given_message = Msg(wire, context=SessionContext(addpath=families))
    assert given_message.error is None
    out = Buffer()
    encoder = ExaEncoder()
    encoder.encode(collect([given_message]), out)
    assert encoder.skipped == 0
    read: list[list[Msg]] = []
    for native in (True, False):
        decoder = ExaDecoder()
        decoder.native = native
        found: list[Msg] = []
        source = io.BytesIO(bytes(out))
        while (batch := decoder.read(source)) is not None:
            assert batch.error is None
            found += batch
        read.append(found)
    return bytes(out).decode("ascii").splitlines(), read[0], read[1]


@given(route=routes())
def test_one_prefix_gives_the_same_octets(route: tuple[bytes, bool]) -> None:
    lines, native, python = through(*route)
    assert len(lines) == 1
    assert [m.wire for m in native] == [m.wire for m in python] == [route[0]], lines
    assert native[0].context == python[0].context


def spread(messages: list[Msg]) -> list[Any]:
    """A route each: (prefix, what is said of it)."""
    found = []
    for each in messages:
        data = json.loads(each.to_json())[4]
        attrs = data.get("attrs", {})
        mp = attrs.get("MP_REACH", attrs.get("MP_UNREACH", {})).get("value", {})
        for key in ("reach", "unreach"):
            found += [(key, prefix, attrs) for prefix in data.get(key, [])]
        listed = mp.pop("prefixes", [])
        found += [("mp", prefix, attrs) for prefix in listed]
    return found


@given(route=routes(most=9))
def test_many_prefixes_give_the_same_routes(route: tuple[bytes, bool]) -> None:
    wire, addpath = route
    lines, native, python = through(wire, addpath)
    original = Msg(wire, context=SessionContext(addpath=["IPV4/UNICAST", "IPV6/UNICAST"] if addpath else []))
    assert spread(native) == spread(python) == spread([original])
    assert len(lines) == len(spread([original]))
