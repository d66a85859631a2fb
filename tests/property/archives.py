"""MRT archives (RFC 6396): records of all types that are read, and some that are not, and damaged ones."""

from __future__ import annotations

import struct
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from property import strategies as bgp
from property.strategies import be16, be32, counted, octets

SESSION_SUBTYPES = {1: (2, False), 4: (4, False), 6: (2, False), 7: (4, False)}
SESSION_SUBTYPES |= {8: (2, True), 9: (4, True), 10: (2, True), 11: (4, True)}


class Record(NamedTuple):
    kind: int
    subtype: int
    body: bytes

    def at(self, seconds: int) -> bytes:
        return struct.pack(">IHHI", seconds, self.kind, self.subtype, len(self.body)) + self.body


# Addresses and AS numbers of few peers, so that they meet again; all zeros among them.
ipv4s = st.sampled_from([bytes(4), bytes.fromhex("c0000201"), bytes.fromhex("c0000202")])
ipv6s = st.sampled_from([bytes(16), bytes.fromhex("20010db8" + "00" * 11 + "01")])
asns = st.sampled_from([0, 64500, 65535])
long_asns = st.sampled_from([0, 64500, 4200000000])
microseconds = st.sampled_from([0, 1, 1000, 999000, 999999]).map(be32)


@st.composite
def ends(draw: DrawFn, as_size: int) -> bytes:
    """Both ends of a session."""
    afi = draw(st.sampled_from([1, 1, 1, 2, 2, 3]))
    ips = ipv4s if afi == 1 else ipv6s
    numbers = b"".join(draw(asns if as_size == 2 else long_asns).to_bytes(as_size, "big") for _ in range(2))
    return numbers + be16(draw(st.sampled_from([0, 0, 7]))) + be16(afi) + draw(ips) + draw(ips)


@st.composite
def session_records(draw: DrawFn) -> Record:
    """BGP4MP and BGP4MP_ET: messages, one in ten of them not framed by its header, and state changes."""
    kind = draw(st.sampled_from([16, 17]))
    subtype = draw(st.sampled_from([*SESSION_SUBTYPES, *SESSION_SUBTYPES, 0, 5, 3, 12]))
    as_size, addpath = SESSION_SUBTYPES.get(subtype, (4 if subtype == 5 else 2, False))
    wire = draw(bgp.messages(as_size, addpath) | bgp.mutated(as_size, addpath))
    if draw(st.integers(0, 9)) == 0:
        wire = draw(st.sampled_from([b"\xfe" + wire[1:], wire + b"\0", wire[:-1], wire[:17], b""]))
    if subtype in (0, 5):
        wire = bytes(draw(st.sampled_from([4, 4, 4, 3])))
    fraction = draw(microseconds) if kind == 17 else b""
    return Record(kind, subtype, fraction + draw(ends(as_size)) + wire)


@st.composite
def legacy_records(draw: DrawFn) -> Record:
    """Type 5 (RFC 6396 appendix B.2)."""
    subtype = draw(st.sampled_from([1, 1, 1, 2, 3, 4, 5, 6, 7]))
    wire = draw({5: bgp.opens, 6: bgp.notifications, 7: bgp.keepalives}.get(subtype, bgp.updates(2, False)))
    end = st.builds(lambda asn, ip: be16(asn) + ip, asns, ipv4s)
    return Record(5, subtype, draw(end) + draw(end) + wire[19:])


def blobs(as_size: int) -> SearchStrategy[bytes]:
    origin = b"\x40\x01\x01\x00"
    path = b"\x40\x02" + counted(b"\x02\x01" + (65).to_bytes(as_size, "big"))
    common = st.sampled_from([b"", origin, origin + path, origin + b"\x40\x03\x04\xc0\x00\x02\x01"])
    few = st.sampled_from([1, 2, 3, 4, 7, 8, 16])
    return common | st.lists(few, max_size=4, unique=True).flatmap(lambda codes: blob(codes, as_size))


def blob(codes: list[int], as_size: int) -> SearchStrategy[bytes]:
    return st.tuples(*(bgp.attributes(code, as_size, False) for code in codes)).map(b"".join)


nexthops = st.one_of(ipv4s, ipv6s, ipv6s.map(lambda ip: ip + ip), st.just(b""), st.binary(max_size=24))


@st.composite
def route_blobs(draw: DrawFn, as_size: int, afi: int) -> bytes:
    """Attributes of a route, with MP_REACH in short, in full or not at all."""
    attributes = draw(blobs(as_size))
    nexthop = draw(nexthops)
    form = draw(st.sampled_from(["none", "none", "short", "full"]))
    if form == "none":
        return attributes
    value = counted(nexthop)
    if form == "full":
        value = be16(afi) + bytes([draw(st.sampled_from([1, 1, 2]))]) + value + b"\0"
    reach = b"\x80\x0e" + counted(value)
    return reach + attributes if draw(st.booleans()) else attributes + reach


def few_prefixes(afi: int) -> SearchStrategy[bytes]:
    return st.sampled_from(["00", "08 0a", "18 c00002", "20 c0000201"]).map(bytes.fromhex) | bgp.prefixes(
        afi, False, exact=False
    )


@st.composite
def old_ribs(draw: DrawFn) -> Record:
    """TABLE_DUMP (RFC 6396 section 4.2)."""
    subtype = draw(st.sampled_from([1, 1, 2, 2, 3, 4, 5]))
    size, as_size = (16 if subtype in (2, 4) else 4), (4 if subtype in (3, 4) else 2)
    ips = ipv4s if size == 4 else ipv6s
    bits = draw(
        st.sampled_from([0, 7, 8, 24, 8 * size, 8 * size + 1] if draw(st.integers(0, 9)) == 0 else [0, 7, 8, 24])
    )
    attributes = draw(route_blobs(as_size, 1 if size == 4 else 2))
    body = bytes(4) + draw(bgp.ipv4s if size == 4 else bgp.ipv6s) + bytes([bits]) + bytes(5) + draw(ips)
    body += draw(asns).to_bytes(as_size, "big") + be16(len(attributes)) + attributes
    return Record(12, subtype, body)


@st.composite
def entries(draw: DrawFn) -> Record:
    """BGP4MP_ENTRY, of the drafts before RFC 6396."""
    afi, safi = draw(st.sampled_from([(1, 1), (1, 2), (2, 1), (2, 2), (1, 128)]))
    prefix = draw(few_prefixes(afi))
    attributes = draw(route_blobs(2, afi))
    body = draw(ends(2)) + bytes(8) + be16(afi) + bytes([safi]) + counted(draw(nexthops)) + prefix
    return Record(16, 2, body + be16(len(attributes)) + attributes)


peers = st.one_of(
    st.builds(lambda asn, ip: b"\0" + bytes(4) + ip + be16(asn), asns, ipv4s),
    st.builds(lambda asn, ip: b"\2" + bytes(4) + ip + be32(asn), long_asns, ipv4s),
    st.builds(lambda asn, ip: b"\3" + bytes(4) + ip + be32(asn), long_asns, ipv6s),
)


@st.composite
def index_tables(draw: DrawFn) -> Record:
    found = draw(st.lists(peers, min_size=2, max_size=4))
    name = draw(st.sampled_from([b"", b"view"]))
    tail = draw(st.sampled_from([b""] * 19 + [b"\0"]))
    return Record(13, 1, bytes(4) + be16(len(name)) + name + be16(len(found)) + b"".join(found) + tail)


RIB_FAMILIES = {2: (1, 1), 3: (1, 2), 4: (2, 1), 5: (2, 2), 8: (1, 1), 9: (1, 2), 10: (2, 1), 11: (2, 2)}
# NLRI of other families: VPN, labelled, EVPN, flow rules, VPLS, BGP-LS, MUP, route target; and one that nobody knows.
GENERIC = {
    (1, 128): "68 0001810000fdf20000000f0a",
    (1, 4): "20 0001810a",
    (25, 70): "03 03 010203",
    (1, 133): "03 01080a",
    (25, 65): "0003 010203",
    (16388, 71): "0001 0002 0102",
    (1, 85): "01 0001 02 0102",
    (1, 132): "60 0000fde80002fde800000064",
    (1, 1): "08 0a",
    (2, 2): "08 20",
    (1, 200): "01 01",
}


@st.composite
def ribs(draw: DrawFn, usual: int = 0) -> Record:
    """TABLE_DUMP_V2 with routes of one prefix (RFC 6396 sections 4.3.2 to 4.3.4, RFC 8050 section 4).

    usual: a subtype that most are of; then most routes have the same attributes, too, so that they are bundled.
    """
    subtype = draw(st.sampled_from([*RIB_FAMILIES, *[usual] * 40 * (usual > 0), 6, 12, 7]))
    if subtype in RIB_FAMILIES:
        afi, safi = RIB_FAMILIES[subtype]
        head = draw(few_prefixes(afi))
    else:
        afi, safi = draw(st.sampled_from(sorted(GENERIC)))
        path_id = be32(draw(octets)) if subtype == 12 else b""
        head = be16(afi) + bytes([safi]) + path_id + bytes.fromhex(GENERIC[afi, safi])
    count = draw(st.integers(0, 4))
    body = bytes(4) + head + be16(count)
    for _ in range(count):
        index = draw(st.sampled_from([0, 0, 0, 0, 0, 1, 1, 2, 3]))
        path_id = be32(draw(st.integers(0, 2))) if 8 <= subtype <= 11 else b""
        same = usual and draw(st.integers(0, 4))
        attributes = b"\x40\x01\x01\x00\x40\x03\x04\xc0\x00\x02\x01" if same else draw(route_blobs(4, afi))
        body += be16(index) + bytes(4) + path_id + be16(len(attributes)) + attributes
    return Record(13, subtype, body + draw(st.sampled_from([b""] * 19 + [b"\0"])))


others = st.builds(Record, st.sampled_from([0, 1, 11, 32, 48]), octets, st.binary(min_size=1, max_size=20))


@st.composite
def archives(draw: DrawFn) -> bytes:
    """Some records in order of time; the last may be cut short."""
    session = st.one_of(session_records(), session_records(), others, legacy_records())
    rib = st.one_of(ribs(), index_tables(), old_ribs(), entries())
    kind = draw(st.sampled_from(["session", "table", "rib", "old", "mixed"]))
    usual = draw(st.sampled_from(sorted(RIB_FAMILIES)))
    choices = {
        "session": session,
        "table": ribs(usual),
        "rib": ribs(),
        "old": old_ribs() | entries(),
        "mixed": rib | session,
    }
    found = draw(st.lists(choices[kind], min_size=1, max_size=8))
    if kind in ("table", "rib", "mixed") and draw(st.integers(0, 9)):
        found.insert(0, draw(index_tables()))
    seconds = draw(st.sampled_from([0, 1, 1015887600, 0xFFFFFFF0]))
    data = b"".join(record.at(seconds + number) for number, record in enumerate(found))
    return data[: len(data) - draw(st.integers(1, 12))] if draw(st.integers(0, 9)) == 0 else data
