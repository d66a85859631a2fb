"""NLRI of families other than plain prefixes, as bytes: well-formed ones, odd ones, broken ones."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from property.strategies import be16, be32, ipv4s, ipv6s, joined, octets, u16s, u32s

Family = tuple[int, int]

distinguishers = st.one_of(
    st.builds(lambda asn, number: b"\0\0" + be16(asn) + be32(number), u16s, u32s),
    st.builds(lambda ip, number: b"\0\1" + ip + be16(number), ipv4s, u16s),
    st.builds(lambda asn, number: b"\0\2" + be32(asn) + be16(number), u32s, u16s),
    st.binary(min_size=8, max_size=8),
)
targets = st.builds(
    lambda kind, value: kind + value,
    st.sampled_from([b"\0\2", b"\1\2", b"\2\2", b"\0\2", b"\0\3", b"\3\2", b"\x40\2"]),
    st.binary(min_size=6, max_size=6),
)
# Bottom of stack or not, traffic class or not, those of withdrawals.
labels = st.builds(
    lambda number, low: (number << 4 | low).to_bytes(3, "big"),
    st.integers(0, 0xFFFFF),
    st.sampled_from([1, 1, 1, 0, 0, 7]),
) | st.sampled_from([b"\x80\0\0", b"\0\0\0", b"\0\0\1"])
stacks = joined(labels.map(lambda label: label[:2] + bytes([label[2] & 0xFE])), most=2).flatmap(
    lambda inner: labels.map(lambda last: inner + last)
)
esis = st.binary(min_size=10, max_size=10)
anything = st.binary(max_size=40)
addresses = ipv4s | ipv6s
sized = st.one_of(addresses, addresses, st.just(b"")).map(lambda ip: bytes([8 * len(ip)]) + ip)
odd_sizes = st.sampled_from([b"\x08\1", b"\x21" + bytes(5), b"\xff", b"\x30" + bytes(6)])
maybe_sized = st.one_of(sized, sized, sized, sized, sized, odd_sizes)


@st.composite
def network(draw: DrawFn, size: int, odd: bool = True) -> tuple[int, bytes]:
    """Length in bits and all octets of an address; if odd, host bits may be set."""
    address = draw(ipv4s if size == 4 else ipv6s)
    bits = draw(st.integers(0, 8 * size) | st.sampled_from([0, 24, 8 * size]))
    if not odd or draw(st.integers(0, 9)):
        number = int.from_bytes(address, "big") >> (8 * size - bits) << (8 * size - bits)
        address = number.to_bytes(size, "big")
    return bits, address


@st.composite
def labelled(draw: DrawFn, family: Family) -> bytes:
    """RFC 8277 section 2, RFC 4364 section 4.3.4, RFC 6514 section 10."""
    afi, safi = family
    bits, address = draw(network(4 if afi == 1 else 16))
    front = b"" if safi == 129 else draw(stacks)
    front += b"" if safi == 4 else draw(distinguishers)
    length = 8 * len(front) + bits
    if length > 255:
        length, front, bits = 8 * len(front[-11:]) + bits, front[-11:], bits
    data = front + address[: (bits + 7) // 8]
    if not draw(st.integers(0, 20)):
        length = draw(octets)
    return bytes([length]) + data


@st.composite
def route_targets(draw: DrawFn) -> bytes:
    """RFC 4684 section 4."""
    bits = draw(st.sampled_from([0, 32, 64, 96, 96, 96, 95, 33, 40, 16, 104]))
    return bytes([bits]) + (draw(u32s.map(be32)) + draw(targets) + b"\0")[: (bits + 7) // 8]


def put(*parts: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    return st.tuples(*parts).map(b"".join)


word = u32s.map(be32)
octet = octets.map(lambda number: bytes([number]))
flow = put(maybe_sized, maybe_sized)
prefix_route = st.sampled_from([4, 16]).flatmap(
    lambda size: put(
        network(size).map(lambda found: bytes([found[0]]) + found[1]),
        ipv4s if size == 4 else ipv6s,
    )
)
mac = put(st.sampled_from([b"\x30"] * 8 + [b"\x20", b"\x28"]), st.binary(min_size=6, max_size=6))
EVPN: dict[int, SearchStrategy[bytes]] = {
    1: put(distinguishers, esis, word, labels),
    2: put(distinguishers, esis, word, mac, maybe_sized, joined(labels, most=3)),
    3: put(distinguishers, word, maybe_sized),
    4: put(distinguishers, esis, maybe_sized),
    5: put(distinguishers, esis, word, prefix_route, labels),
    6: put(distinguishers, word, flow, maybe_sized, octet),
    7: put(distinguishers, esis, word, flow, maybe_sized, octet),
    8: put(distinguishers, esis, word, flow, maybe_sized, st.sampled_from([bytes(4)] * 5 + [b"\0\0\0\1"]), octet, octet),
    9: put(distinguishers, word, st.binary(min_size=8, max_size=8)),
    10: put(distinguishers, word, flow, maybe_sized),
}
MCAST_VPN: dict[int, SearchStrategy[bytes]] = {
    1: put(distinguishers, addresses),
    2: put(distinguishers, word),
    3: put(distinguishers, flow, addresses),
    5: put(distinguishers, flow),
    6: put(distinguishers, word, flow),
    7: put(distinguishers, word, flow),
}


def typed(kind: int, value: bytes) -> bytes:
    return bytes([kind, len(value)]) + value


def route(table: dict[int, SearchStrategy[bytes]], leaf: int, originator: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    known = st.sampled_from(sorted(table)).flatmap(lambda kind: table[kind].map(lambda value: typed(kind, value)))
    keys = known.filter(lambda key: len(key) < 200)
    leaves = st.builds(lambda key, ip: typed(leaf, key + ip), keys, originator)
    broken = st.builds(typed, octets, anything)
    longer = st.builds(lambda key, more: typed(key[0], key[2:] + more), keys, st.binary(min_size=1, max_size=3))
    return st.one_of(known, known, known, known, leaves, broken, longer)


def operator(bitmask: bool) -> SearchStrategy[bytes]:
    """An operator and its value, not the last one (RFC 8955 section 4.2.1)."""
    bits = st.sampled_from([0, 0, 0, 0x40, 0x40, 0x04 if bitmask else 0x08])
    return st.builds(
        lambda size, more, op, value: bytes([size << 4 | more | op]) + value[: 1 << size],
        *(st.sampled_from([0, 0, 1, 2, 3]), bits, st.integers(0, 3 if bitmask else 7)),
        st.binary(min_size=8, max_size=8) | st.just(bytes(7) + b"\5"),
    )


@st.composite
def operators(draw: DrawFn, bitmask: bool) -> bytes:
    parts = draw(st.lists(operator(bitmask), min_size=1, max_size=3))
    parts[-1] = bytes([parts[-1][0] | 0x80]) + parts[-1][1:]
    return b"".join(parts)


@st.composite
def flow_prefix(draw: DrawFn, afi: int) -> bytes:
    """RFC 8955 section 4.2.2.1, RFC 8956 section 3.1."""
    bits, address = draw(network(4 if afi == 1 else 16))
    if afi == 1:
        return bytes([bits]) + address[: (bits + 7) // 8]
    offset = draw(st.integers(0, bits) | st.just(0))
    rest = int.from_bytes(address, "big") << offset & ((1 << 128) - 1)
    return bytes([bits, offset]) + rest.to_bytes(16, "big")[: (bits - offset + 7) // 8]


@st.composite
def rules(draw: DrawFn, family: Family) -> bytes:
    """A rule behind its length (RFC 8955 section 4): components in order, as a rule."""
    afi, safi = family
    kinds = draw(st.sets(st.integers(1, 13 if afi == 2 else 12), max_size=5).map(sorted))
    if not draw(st.integers(0, 20)):
        kinds = [*kinds, draw(st.integers(0, 20))]
    data = draw(distinguishers) if safi == 134 else b""
    for kind in kinds:
        value = draw(flow_prefix(afi)) if kind in (1, 2) else draw(operators(kind in (9, 12)))
        data += bytes([kind]) + value
    long = len(data) >= 240 or not draw(st.integers(0, 20))
    return (be16(0xF000 | len(data)) if long else bytes([len(data)])) + data


def one(family: Family) -> SearchStrategy[bytes]:
    """One NLRI of a family that has other than plain prefixes."""
    if family == (25, 70):
        return route(EVPN, 11, maybe_sized)
    if family[1] == 5:
        return route(MCAST_VPN, 4, addresses)
    if family[1] in (133, 134):
        return rules(family)
    return route_targets() if family[1] == 132 else labelled(family)


FAMILIES: list[Family] = [
    *((1, 4), (2, 4), (1, 128), (2, 128), (1, 129), (2, 129), (1, 5), (2, 5), (25, 70), (1, 132)),
    *((1, 133), (2, 133), (1, 134), (2, 134)),
]


@st.composite
def nlri(draw: DrawFn, family: Family, addpath: bool) -> bytes:
    """Some NLRI of a family of FAMILIES, cut short now and then."""
    data = b""
    for _ in range(draw(st.integers(0, 4))):
        data += (draw(word) if addpath else b"") + draw(one(family))
    return data if draw(st.integers(0, 15)) else data[: draw(st.integers(0, len(data)))]


@st.composite
def next_hops(draw: DrawFn, family: Family) -> bytes:
    """RFC 4760 section 3, RFC 2545 section 3, RFC 8950 section 4, RFC 4364 section 4.3.2; now and then no such thing."""
    size = draw(st.sampled_from([4, 16, 16, 32, 0, 5]))
    hops = draw(ipv4s) if size == 4 else b"".join(draw(ipv6s) for _ in range(2))[:size]
    if family[1] not in (128, 129) or not draw(st.integers(0, 9)):
        return hops
    distinguisher = draw(st.sampled_from([bytes(8)] * 9 + [bytes(7) + b"\1"]))
    return b"".join(distinguisher + hops[i : i + 16] for i in range(0, len(hops), 16))
