"""BGP messages of every kind as bytes: well-formed ones, odd ones, broken ones.

They are put together octet by octet, without the oracle's encoder, so that they hold what it would never write.
"""

from __future__ import annotations

import struct

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

MARKER = b"\xff" * 16

octets = st.integers(0, 255)
u16s = st.integers(0, 0xFFFF) | st.sampled_from([0, 1, 23456, 64512, 65535])
u32s = st.integers(0, 0xFFFFFFFF) | st.sampled_from([0, 1, 65535, 65536, 4200000000, 0xFFFFFFFF])


def be16(number: int) -> bytes:
    return struct.pack(">H", number)


def be32(number: int) -> bytes:
    return struct.pack(">I", number)


def message(kind: int, body: bytes) -> bytes:
    """A whole message with its header (RFC 4271 section 4.1)."""
    return MARKER + be16(19 + len(body)) + bytes([kind]) + body


def joined(items: SearchStrategy[bytes], least: int = 0, most: int = 4) -> SearchStrategy[bytes]:
    return st.lists(items, min_size=least, max_size=most).map(b"".join)


def asns(as_size: int) -> SearchStrategy[bytes]:
    return u16s.map(be16) if as_size == 2 else u32s.map(be32)


ipv4s = st.binary(min_size=4, max_size=4) | st.sampled_from([bytes(4), b"\xff" * 4, bytes.fromhex("c0000201")])
# Runs of zeros, at every place and of every length, and mapped addresses.
ipv6s = st.one_of(
    st.binary(min_size=16, max_size=16),
    st.lists(st.sampled_from([0, 0, 0, 1, 0x20, 0xFFFF, 0xDB8]), min_size=8, max_size=8).map(
        lambda groups: struct.pack(">8H", *groups)
    ),
    ipv4s.map(lambda ip: bytes(10) + b"\xff\xff" + ip),
    ipv4s.map(lambda ip: bytes(12) + ip),
)


@st.composite
def prefixes(draw: DrawFn, afi: int, addpath: bool, exact: bool = True) -> bytes:
    """One NLRI; if not exact, host bits may be set behind it."""
    size = 4 if afi == 1 else 16
    bits = draw(st.integers(0, 8 * size) | st.sampled_from([0, 8, 24, 8 * size]))
    address = draw(ipv4s if afi == 1 else ipv6s)
    if exact:
        number = int.from_bytes(address, "big") >> (8 * size - bits) << (8 * size - bits)
        address = number.to_bytes(size, "big")
    path_id = draw(u32s.map(be32)) if addpath else b""
    return path_id + bytes([bits]) + address[: (bits + 7) // 8]


def nlri(afi: int, addpath: bool) -> SearchStrategy[bytes]:
    exact = joined(prefixes(afi, addpath), most=6)
    return st.one_of(exact, exact, exact, joined(prefixes(afi, addpath, exact=False), most=3))


@st.composite
def as_paths(draw: DrawFn, as_size: int) -> bytes:
    """Segments of all kinds, some of them split where nobody else would."""
    path = b""
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from([2] * 6 + [1, 1, 3, 4, 5]))
        count = draw(st.integers(1, 5) | st.sampled_from([0, 254, 255]))
        hops = b"".join(draw(asns(as_size)) for _ in range(min(count, 5))) * 51
        path += bytes([kind, count]) + hops[: count * as_size]
    return path


families = st.one_of(
    st.tuples(st.sampled_from([1, 2, 1, 2, 25, 16388, 77]), st.sampled_from([1, 2, 1, 4, 70, 128, 133, 200])),
    st.sampled_from([(1, 4), (2, 4), (1, 128), (2, 128), (1, 129), (2, 129), (1, 5), (2, 5), (25, 70), (25, 70), (1, 132)]),
)


@st.composite
def mp_reach(draw: DrawFn, addpath: bool) -> bytes:
    """RFC 4760 section 3."""
    from property import nlri as other

    afi, safi = draw(families)
    if (afi, safi) in other.FAMILIES and draw(st.integers(0, 9)):
        nexthop = draw(other.next_hops((afi, safi)))
        head = be16(afi) + bytes([safi, len(nexthop)]) + nexthop + bytes([draw(st.sampled_from([0] * 9 + [1]))])
        return head + draw(other.nlri((afi, safi), addpath))
    usual = [4, 16, 32] if afi == 1 else [16, 32]
    length = draw(st.sampled_from([*usual * 4, 0, 4, 12, 24]))
    nexthop = draw(ipv4s) if length == 4 else b"".join(draw(ipv6s) for _ in range(2))[:length]
    reserved = draw(st.sampled_from([0] * 9 + [1]))
    data = draw(nlri(1 if afi == 1 else 2, addpath))
    return be16(afi) + bytes([safi, length]) + nexthop + bytes([reserved]) + data


@st.composite
def mp_unreach(draw: DrawFn, addpath: bool) -> bytes:
    """RFC 4760 section 4."""
    from property import nlri as other

    afi, safi = draw(families)
    if (afi, safi) in other.FAMILIES and draw(st.integers(0, 9)):
        return be16(afi) + bytes([safi]) + draw(other.nlri((afi, safi), addpath))
    return be16(afi) + bytes([safi]) + draw(nlri(1 if afi == 1 else 2, addpath))


EXT_COMMUNITY_TYPES = """
    0002 0003 0102 0103 0202 0203 0005 0107 020a 4002 4004 4102 4203 0303 030c 4300 0600 0800 4800
    8006 8007 8008 8009 800c 8108 8208 c008 c108 c208 c006 c009 8002 8102 ffff
    0004 0301 0306 030b 0601 0602 0603 0604 060a 060b 060c 430c
"""
ext_community_types = st.sampled_from(EXT_COMMUNITY_TYPES.split()).map(bytes.fromhex) | st.binary(
    min_size=2, max_size=2
)
ext_community_values = st.binary(min_size=6, max_size=6) | st.builds(
    lambda head, bits: head.ljust(2, b"\0") + be32(bits),
    st.sampled_from([b"", b"\1", b"\x40", b"\x20", b"\xfd\xe8"]),
    st.integers(0, 300) | u32s | st.sampled_from([0x4CEE6B28, 0x5F000000, 0x3F000000, 0x7F800000, 0x80000000]),
)
ext_communities = st.builds(bytes.__add__, ext_community_types, ext_community_values)


@st.composite
def tlvs(draw: DrawFn, kind_size: int, length_size: int, values: dict[int, SearchStrategy[bytes]], extra: int = 0) -> bytes:
    """Of the types in `values` and of others. length_size 0: that of RFC 9012 section 2; extra: what a length counts more."""
    found = b""
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from([*sorted(values) * 2, 99, 200]))
        value = draw(st.binary(max_size=8) if draw(octets) > 230 else values.get(kind, st.binary(max_size=8)))
        size = length_size or (1 if kind < 128 else 2)
        if len(value) + extra < 256**size:
            found += kind.to_bytes(kind_size, "big") + (len(value) + extra).to_bytes(size, "big") + value
    return found


def parts(*strategies: SearchStrategy[bytes] | bytes) -> SearchStrategy[bytes]:
    """One behind the other."""
    given = [st.just(one) if isinstance(one, bytes) else one for one in strategies]
    return st.tuples(*given).map(b"".join)


def sized(size: int, inner: SearchStrategy[bytes], extra: int = 0) -> SearchStrategy[bytes]:
    return inner.map(lambda value: (len(value) + extra).to_bytes(size, "big") + value)


def fixed(size: int) -> SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


reserved = st.sampled_from([b"\0"] * 9 + [b"\1"])
addresses = ipv4s | ipv6s
pmsi_identifiers = st.one_of(
    st.just(b""),
    addresses,
    parts(ipv4s, ipv4s),
    parts(ipv6s, ipv6s),
    parts(addresses, b"\0\0", fixed(6)),
    parts(fixed(1), b"\0\1\4", ipv4s, sized(2, st.binary(max_size=9))),
    parts(fixed(1), b"\0\2\x10", ipv6s, sized(2, st.binary(max_size=9))),
    parts(fixed(3), addresses),
)
structures = st.just(b"") | parts(fixed(2), reserved, b"\0", fixed(4))
sid_informations = parts(reserved, ipv6s, fixed(3), reserved, tlvs(1, 2, {1: fixed(6)}))
services = parts(reserved, tlvs(1, 2, {1: sid_informations}))
prefix_sids = tlvs(
    1,
    2,
    {
        1: parts(b"\0", st.just(b"\0\0") | fixed(2), fixed(4)),
        3: parts(fixed(2), joined(fixed(6), most=3)),
        5: services,
        6: services,
    },
)
segment_lists = parts(
    reserved,
    tlvs(
        1,
        1,
        {1: parts(fixed(1), reserved, fixed(4)), 9: parts(b"\0\0", fixed(4)), 13: parts(fixed(1), b"\0", ipv6s, structures)},
    ),
)
labels = parts(reserved, st.text(max_size=9).map(str.encode) | st.binary(max_size=5) | st.just(b"0x41"))
sub_tlvs = tlvs(
    1,
    0,
    {
        1: parts(fixed(10), b"\0\0") | fixed(4),
        2: fixed(2),
        4: parts(b"\x03\x0b", st.just(b"\0\0") | fixed(2), fixed(4)),
        6: parts(bytes(5), st.sampled_from([b"\1", b"\2", b"\0"]), addresses | st.just(b"")),
        7: fixed(1),
        10: joined(fixed(4), most=4),
        11: prefix_sids,
        12: parts(b"\x80", reserved, fixed(4)),
        13: parts(fixed(1), reserved, st.just(b"") | fixed(4) | ipv6s),
        14: parts(fixed(1), reserved, fixed(1)),
        15: parts(fixed(1), reserved),
        16: fixed(4),
        20: parts(fixed(1), reserved, ipv6s, structures),
        128: segment_lists,
        129: labels,
        130: labels,
    },
)
signatures = sized(2, parts(fixed(1), joined(parts(fixed(20), sized(2, st.binary(max_size=9))), most=2)), extra=2)


@st.composite
def domain_paths(draw: DrawFn) -> bytes:
    segments = draw(st.lists(st.lists(fixed(7), max_size=3), max_size=3))
    return b"".join(bytes([len(segment)]) + b"".join(segment) for segment in segments)


@st.composite
def attribute_sets(draw: DrawFn) -> bytes:
    """RFC 6368 section 5."""
    codes = draw(st.lists(st.sampled_from([1, 2, 3, 4, 5, 7, 8, 14, 16, 26, 40, 99, 128]), max_size=4, unique=draw(octets) < 240))
    return draw(fixed(4)) + b"".join(draw(attributes(code, 4, False)) for code in codes)


# Code of each attribute that has a typed form -> its usual flags (RFC 4271 section 5).
USUAL_FLAGS = {
    **dict.fromkeys([1, 2, 3, 5, 6], 0x40),
    **dict.fromkeys([4, 9, 10, 14, 15], 0x80),
    **dict.fromkeys([7, 8, 16, 17, 18, 32, 35], 0xC0),
    **dict.fromkeys([26, 33], 0x80),
    **dict.fromkeys([22, 23, 25, 27, 36, 38, 39, 40, 128], 0xC0),
}


def values(code: int, as_size: int, addpath: bool) -> SearchStrategy[bytes]:
    """Well-formed values of an attribute, and some that only its context makes wrong."""
    match code:
        case 1:
            return st.sampled_from([b"\0", b"\1", b"\2", b"\3"])
        case 2:
            return as_paths(as_size)
        case 3 | 9:
            return ipv4s
        case 4 | 5 | 35:
            return u32s.map(be32)
        case 6:
            return st.just(b"")
        case 7:
            return st.builds(bytes.__add__, asns(as_size) | asns(4), ipv4s)
        case 8:
            return joined(st.binary(min_size=4, max_size=4), most=80)
        case 10:
            return joined(ipv4s)
        case 14:
            return mp_reach(addpath)
        case 15:
            return mp_unreach(addpath)
        case 16:
            return joined(ext_communities)
        case 17:
            return as_paths(4)
        case 18:
            return st.builds(bytes.__add__, asns(4), ipv4s)
        case 22:
            return parts(fixed(1), st.sampled_from(range(13)).map(lambda kind: bytes([kind])), fixed(3), pmsi_identifiers)
        case 23:
            return tlvs(2, 2, dict.fromkeys([1, 2, 8, 11, 15], sub_tlvs))
        case 25:
            types = st.sampled_from([b"\0\2", b"\x40\2", b"\0\x0c", b"\x40\x63"]) | fixed(2)
            return joined(parts(types, ipv6s, fixed(2)))
        case 26:
            return parts(b"\1\0\x0b", fixed(8)) | tlvs(1, 2, {1: fixed(8)}, 3)
        case 27:
            return joined(parts(ipv4s, fixed(3))) | joined(parts(ipv6s, fixed(3)))
        case 33:
            return parts(sized(2, joined(fixed(6), most=3), extra=2), joined(signatures, most=2))
        case 36:
            return domain_paths()
        case 38:
            return parts(st.sampled_from([b"\1", b"\2"]), fixed(4), tlvs(1, 1, {1: addresses}))
        case 39:
            return parts(fixed(3), sized(1, addresses), tlvs(2, 2, {1: st.binary(max_size=4)}))
        case 40:
            return prefix_sids
        case 128:
            return attribute_sets()
        case 32:
            return joined(st.builds(lambda *parts: b"".join(map(be32, parts)), u32s, u32s, u32s))
    return st.binary(max_size=20)


@st.composite
def attributes(draw: DrawFn, code: int, as_size: int, addpath: bool) -> bytes:
    """One attribute: mostly as it should be, sometimes with odd flags or of odd length."""
    oddity = draw(st.integers(0, 9))
    value = draw(st.binary(max_size=40)) if oddity == 0 else draw(values(code, as_size, addpath))
    flags = USUAL_FLAGS.get(code, 0xC0) | draw(st.sampled_from([0, 0, 0x10, 0x20]))
    if oddity == 1:
        flags = draw(octets)
    if len(value) > 255:
        flags |= 0x10
    length = be16(len(value)) if flags & 0x10 else bytes([len(value)])
    return bytes([flags, code]) + length + value


@st.composite
def updates(draw: DrawFn, as_size: int, addpath: bool) -> bytes:
    """RFC 4271 section 4.3."""
    codes = st.sampled_from([*sorted(USUAL_FLAGS) * 3, 0, 11, 200, 255])
    chosen = draw(st.lists(codes, max_size=8, unique=draw(st.sampled_from([True] * 9 + [False]))))
    blob = b"".join(draw(attributes(code, as_size, addpath)) for code in chosen)
    withdrawn = draw(joined(prefixes(1, addpath), most=3))
    announced = draw(nlri(1, addpath))
    return message(2, be16(len(withdrawn)) + withdrawn + be16(len(blob)) + blob + announced)


def counted(text: bytes) -> bytes:
    return bytes([len(text)]) + text


texts = (st.text(max_size=12).map(str.encode) | st.binary(max_size=8)).map(counted)
family_flags = st.sampled_from([0, 0x80, 0x80, 1])
flagged_families = st.builds(
    lambda afi, safi, flags: be16(afi) + bytes([safi, flags]),
    st.sampled_from([1, 2]) | u16s,
    st.sampled_from([1, 2]) | octets,
    family_flags,
)

directed = joined(st.builds(lambda family, way: family[:3] + bytes([way]), flagged_families, st.integers(0, 4)))
filter_types = joined(
    st.builds(
        lambda family, spare, types: family[:2] + bytes([spare]) + family[2:3] + bytes([len(types) // 2]) + types,
        flagged_families,
        st.sampled_from([0, 0, 0, 1]),
        joined(st.builds(lambda kind, way: bytes([kind, way]), st.sampled_from([64, 65, 128, 3]), st.integers(0, 4))),
    )
)
codes = st.lists(st.sampled_from([1, 2, 65, 69, 70, 200]) | octets, max_size=4).map(bytes)

# Code of each capability that has a typed form -> its values.
CAPABILITIES = {
    1: st.builds(
        lambda afi, spare, safi: be16(afi) + bytes([spare, safi]),
        st.sampled_from([1, 2]) | u16s,
        st.sampled_from([0, 0, 0, 1]),
        st.sampled_from([1, 2]) | octets,
    ),
    5: joined(
        st.builds(
            lambda afi, safi, nexthop: be16(afi) + be16(safi) + be16(nexthop),
            st.integers(1, 2),
            st.sampled_from([1, 2, 128, 300]),
            u16s,
        )
    ),
    9: st.integers(0, 6).map(lambda role: bytes([role])),
    64: st.builds(
        lambda flags, time, families: be16(flags | time) + families,
        st.sampled_from([0, 0x4000, 0x8000, 0xC000, 0x2000]),
        st.integers(0, 0xFFF),
        joined(flagged_families),
    ),
    65: u32s.map(be32),
    3: filter_types,
    7: st.builds(lambda first, afi: bytes([first]) + be16(afi), st.sampled_from([0, 8, 0x18, 1]), st.integers(1, 3)),
    8: directed,
    67: codes,
    68: st.builds(lambda flags, sessions: bytes([flags]) + sessions, st.sampled_from([0, 0x80, 0x81]), codes),
    69: directed,
    71: joined(st.builds(bytes.__add__, flagged_families, st.binary(min_size=3, max_size=3))),
    72: directed,
    73: st.builds(bytes.__add__, texts, texts),
    75: texts | st.sampled_from([b"\x030x1", b"\x020X", b"\x010"]),
    76: joined(st.builds(lambda family, most: family[:3] + be16(most), flagged_families, u16s)),
    130: filter_types,
    131: st.builds(lambda sessions: b"\0" + sessions, codes),
    184: st.builds(bytes.__add__, texts, texts),
} | dict.fromkeys([2, 6, 70], st.just(b""))


@st.composite
def capabilities(draw: DrawFn) -> bytes:
    code = draw(st.sampled_from([*sorted(CAPABILITIES) * 2, 4, 66, 74, 77, 128, 129, 185, 200]))
    odd = draw(st.integers(0, 9)) == 0
    value: bytes = draw(st.binary(max_size=12) if odd else CAPABILITIES.get(code, st.binary(max_size=12)))
    return bytes([code, len(value)]) + value


@st.composite
def parameters(draw: DrawFn) -> bytes:
    """What follows the identifier: one parameter, one a capability, two, others, or extended (RFC 9072)."""
    found = draw(st.lists(capabilities(), max_size=8))
    form = draw(st.sampled_from(["one", "one", "each", "two", "other"]))
    groups = [b"".join(found)] if found and form == "one" else found
    if form == "two":
        at = draw(st.integers(0, len(found)))
        groups = [b"".join(found[:at]), b"".join(found[at:])]
    kinds = [draw(octets) if form == "other" else 2 for _ in groups]
    extended = draw(st.sampled_from([False] * 5 + [True]))
    if extended or sum(len(group) + 2 for group in groups) > 255:
        blob = b"".join(bytes([kind]) + be16(len(group)) + group for kind, group in zip(kinds, groups, strict=True))
        return b"\xff\xff" + be16(len(blob)) + blob
    blob = b"".join(bytes([kind]) + counted(group) for kind, group in zip(kinds, groups, strict=True))
    return counted(blob)


def opened(version: int, asn: int, hold: int, ip: bytes, params: bytes) -> bytes:
    return message(1, bytes([version]) + be16(asn) + be16(hold) + ip + params)


opens = st.builds(
    opened,
    st.sampled_from([4, 4, 4, 3, 255]),
    u16s,
    u16s,
    ipv4s,
    parameters(),
)

# Code and subcode of each NOTIFICATION whose data have a typed form -> the data.
DETAILS = {
    (1, 2): u16s.map(be16),
    (1, 3): octets.map(lambda kind: bytes([kind])),
    (2, 1): u16s.map(be16),
    (2, 7): joined(capabilities()),
    (5, 2): octets.map(lambda kind: bytes([kind])),
    (6, 1): st.builds(lambda family, most: family[:3] + be32(most), flagged_families, u32s),
    (6, 2): texts,
    (6, 4): texts,
}


@st.composite
def reasons(draw: DrawFn, inner: bool = False) -> bytes:
    """The body of a NOTIFICATION."""
    if draw(st.booleans()):
        place = draw(st.sampled_from(sorted(DETAILS)))
        return bytes(place) + draw(DETAILS[place] | st.binary(max_size=20))
    if draw(st.integers(0, 3)) == 0:
        return b"\x06\x09" + draw(st.binary(max_size=3) if inner else st.binary(max_size=3) | reasons(inner=True))
    codes = draw(st.tuples(st.integers(0, 10) | octets, st.integers(0, 12) | octets))
    return bytes(codes) + draw(st.just(b"") | st.binary(max_size=20) | texts)


notifications = reasons().map(lambda body: message(3, body))


@st.composite
def filter_entries(draw: DrawFn, afi: int) -> bytes:
    """An entry of an address prefix ORF (RFC 5291 section 4, RFC 5292 section 2)."""
    first = draw(st.sampled_from([0, 0, 0x20, 0x40, 0x60, 0x80, 0x80]) | octets)
    if first & 0xC0 == 0x80:
        return bytes([first])
    lengths = draw(st.binary(min_size=2, max_size=2))
    prefix = draw(prefixes(afi, False, exact=draw(st.integers(0, 9)) > 0))
    return bytes([first]) + draw(u32s.map(be32)) + lengths + prefix


@st.composite
def route_refreshes(draw: DrawFn) -> bytes:
    """RFC 2918, RFC 7313, and filters of RFC 5291."""
    afi = draw(st.sampled_from([1, 1, 2, 2, 25]))
    subtype = draw(st.sampled_from([0, 0, 0, 0, 1, 2, 3, 255]))
    body = be16(afi) + bytes([subtype, draw(st.sampled_from([1, 128]) | octets)])
    if draw(st.booleans()):
        body += bytes([draw(st.integers(0, 3))])
        for _ in range(draw(st.integers(0, 3))):
            octets_of = draw(joined(filter_entries(2 if afi == 2 else 1)) | st.binary(max_size=9))
            body += bytes([draw(st.sampled_from([64, 64, 128, 65, 3]))]) + be16(len(octets_of)) + octets_of
    return body


refreshes = (route_refreshes() | st.binary(max_size=8)).map(lambda body: message(5, body))
keepalives = st.sampled_from([message(4, b""), message(4, b""), message(4, b"\0")])
others = st.builds(message, octets.filter(lambda kind: kind not in range(1, 6)), st.binary(max_size=30))


@st.composite
def messages(draw: DrawFn, as_size: int, addpath: bool) -> bytes:
    """Of every type, UPDATEs above all."""
    kinds = [updates(as_size, addpath), opens, notifications, refreshes, keepalives, others]
    return draw(kinds[draw(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5]))])


@st.composite
def mutated(draw: DrawFn, as_size: int, addpath: bool) -> bytes:
    """A message with octets of its body changed, put in or taken out; its header frames it still."""
    wire = draw(messages(as_size, addpath))
    kind, body = wire[18], bytearray(wire[19:])
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(body)))
        match draw(st.integers(0, 3)):
            case 0:
                body[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:
                body[at:at] = draw(st.binary(min_size=1, max_size=3))
            case 2:
                del body[at : at + draw(st.integers(1, 3))]
            case _ if at < len(body):
                body[at] ^= 1 << draw(st.integers(0, 7))
    return message(kind, bytes(body))


contexts = st.tuples(st.sampled_from([4, 4, 2]), st.booleans())


@st.composite
def sessions(draw: DrawFn, most: int = 6) -> tuple[int, bool, list[bytes]]:
    """Bytes of an AS number, ADD-PATH, and messages that came in such a session."""
    as_size, addpath = draw(contexts)
    either = messages(as_size, addpath) | mutated(as_size, addpath)
    return as_size, addpath, draw(st.lists(either, min_size=1, max_size=most))
