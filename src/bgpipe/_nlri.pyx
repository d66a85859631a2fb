# cython: language_level=3
"""NLRI of families other than plain prefixes, wire -> JSON: labelled, VPN, EVPN, MCAST-VPN, route targets, flows (docs/json.md).

The rules of _json.pyx hold: what has no typed form that gives the same octets again is NULL. The routes of EVPN and MCAST-VPN say their
type and length, so that one that has none is hex by itself: `"value"`. How it is all read back is in bgp/nlri.py.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from bgpipe._check cimport labels_size, nlri_size
from bgpipe._flowspec cimport put_rule
from bgpipe._json_text cimport TEXT_MORE, TEXT_OCTET, kept, lit, put_address, put_hex, put_ipv4, put_number, put_text
from bgpipe._wire cimport be16, be32, be64, cursor, cursor_t, left, take_bytes, take_u8, take_u32

from bgpipe import names

cdef enum:
    VPN = 128                               # SAFIs
    VPN_MULTICAST = 129
    LABELLED = 4
    MCAST_VPN = 5
    EVPN = 70
    ROUTE_TARGET = 132
    FLOWSPEC = 133
    L3VPN_FLOWSPEC = 134
    MOST_TYPES = 12

# What stands in a route, a letter a field (put_field): r RD, e ESI, t Ethernet tag, a source AS, m MAC address and its length, i IP address,
# o originating router, each behind its length, O the same up to the end, s multicast source and group, k the route that a leaf answers, p IP
# prefix and gateway, l labels up to the end, g region, w maximum response time behind four octets of zero, f flags.
EVPN_LAYOUTS = {                            # RFC 7432 section 7, RFC 9136 section 3, RFC 9251 section 9, RFC 9572 section 3
    1: "retl", 2: "retmil", 3: "rto", 4: "reo", 5: "retpl", 6: "rtsof", 7: "retsof", 8: "retsowf", 9: "rtg", 10: "rtso", 11: "ko",
}
MCAST_VPN_LAYOUTS = {1: "rO", 2: "ra", 3: "rsO", 4: "kO", 5: "rs", 6: "ras", 7: "ras"}    # RFC 6514 section 4

cdef struct route_t:
    const char* name                        # NULL: not known
    const char* layout

cdef route_t EVPN_ROUTES[MOST_TYPES]
cdef route_t MCAST_VPN_ROUTES[MOST_TYPES]


cdef int fill_routes(route_t* routes, dict route_names, dict layouts) except -1:
    if max(route_names) >= MOST_TYPES:
        raise ImportError("names.py has outgrown the tables of _nlri.pyx")
    for code, name in route_names.items():
        routes[<uint32_t>code].name = kept(name)
        routes[<uint32_t>code].layout = kept(layouts[code])
    return 0


fill_routes(EVPN_ROUTES, names.EVPN_ROUTES, EVPN_LAYOUTS)
fill_routes(MCAST_VPN_ROUTES, names.MCAST_VPN_ROUTES, MCAST_VPN_LAYOUTS)


cdef bint typed_family(uint16_t afi, uint8_t safi) noexcept nogil:
    if afi == 1 or afi == 2:
        return (safi == LABELLED or safi == VPN or safi == VPN_MULTICAST or safi == MCAST_VPN or safi == FLOWSPEC
                or safi == L3VPN_FLOWSPEC or afi == 1 and safi == ROUTE_TARGET)
    return afi == 25 and safi == EVPN


# ---- fields ---------------------------------------------------------------------------------------------------------------
# A `put_` of a field writes ',"name":value'.

cdef uint8_t* put_key(uint8_t* out, const char* key) noexcept nogil:
    out = lit(out, b',"', 2)
    return lit(put_text(out, key), b'":', 2)


cdef uint8_t* put_octets(uint8_t* out, const char* key, const uint8_t* p, uint32_t n) noexcept nogil:
    return put_hex(put_key(out, key), p, n)


cdef uint8_t* put_count(uint8_t* out, const char* key, uint32_t value) noexcept nogil:
    return put_number(put_key(out, key), value)


cdef uint8_t* put_assigned(uint8_t* out, const char* key, uint32_t kind, const uint8_t* p) noexcept nogil:
    # The 8 octets of a route distinguisher (RFC 4364 section 4.2) or route target (RFC 4360 section 4): who assigned it, and what number.
    # kind: its type; above 2 there is none.
    if kind > 2:
        return put_octets(out, key, p, 8)
    out = put_key(out, key)
    out[0] = 0x22
    out += 1
    if kind == 0:
        out = put_number(out, be16(p + 2))
    elif kind == 1:
        out = put_ipv4(out, be32(p + 2))
    else:
        if be32(p + 2) <= 0xFFFF:
            out = lit(out, b"2:", 2)
        out = put_number(out, be32(p + 2))
    out[0] = 0x3A
    out = put_number(out + 1, be32(p + 4) if kind == 0 else be16(p + 6))
    out[0] = 0x22
    return out + 1


cdef uint8_t* put_distinguisher(uint8_t* out, const uint8_t* p) noexcept nogil:
    return put_assigned(out, b"rd", be16(p), p)


cdef uint8_t* put_colons(uint8_t* out, const char* key, const uint8_t* p, uint32_t n) noexcept nogil:
    # "00:11:22": a MAC address, an Ethernet segment identifier
    cdef const char* digits = b"0123456789abcdef"
    cdef uint32_t i
    out = put_key(out, key)
    out[0] = 0x22
    for i in range(n):
        out[1] = digits[p[i] >> 4]
        out[2] = digits[p[i] & 15]
        out[3] = 0x3A
        out += 3
    out[0] = 0x22
    return out + 1


cdef uint8_t* put_labels(uint8_t* out, const uint8_t* p, uint32_t n, uint32_t stack) noexcept nogil:
    # RFC 8277 section 2, in stacks of so many octets. What has other bits set than a label alone, and S on the last of its stack, is its
    # three octets.
    cdef uint32_t i
    out = put_key(out, b"labels")
    out[0] = 0x5B
    out += 1
    for i from 0 <= i < n by 3:
        if p[i + 2] & 15 == ((i + 3) % stack == 0):
            out = put_number(out, <uint32_t>p[i] << 12 | <uint32_t>p[i + 1] << 4 | p[i + 2] >> 4)
        else:
            out = put_hex(out, p + i, 3)
        out[0] = 0x2C
        out += 1
    out[-1] = 0x5D
    return out


cdef uint8_t* put_prefix(uint8_t* out, const uint8_t* p, uint32_t bits, uint32_t width) noexcept nogil:
    # NULL where bits are set behind its length, or there are more than an address of `width` octets has.
    cdef uint8_t address[16]
    cdef uint32_t octets = (bits + 7) >> 3
    if octets > width or bits & 7 and <uint8_t>(p[octets - 1] << (bits & 7)):
        return NULL
    memset(address, 0, 16)
    memcpy(address, p, octets)
    out = put_key(out, b"prefix")
    out[0] = 0x22
    out = put_address(out + 1, address, width)
    out[0] = 0x2F
    out = put_number(out + 1, bits)
    out[0] = 0x22
    return out + 1


cdef uint8_t* put_network(uint8_t* out, const uint8_t* p, uint32_t bits, uint32_t width) noexcept nogil:
    # The same where all octets of the address are there (RFC 9136 section 3.1).
    cdef uint32_t i
    for i in range((bits + 7) >> 3, width):
        if p[i]:
            return NULL
    return put_prefix(out, p, bits, width)


cdef uint8_t* put_ip(uint8_t* out, const char* key, const uint8_t* p, uint32_t n) noexcept nogil:
    # NULL if it is no address.
    if n != 4 and n != 16:
        return NULL
    out = put_key(out, key)
    out[0] = 0x22
    out = put_address(out + 1, p, n)
    out[0] = 0x22
    return out + 1


cdef uint8_t* put_sized_ip(uint8_t* out, const char* key, cursor_t* c) noexcept nogil:
    # An address behind its length in bits; nothing where that is 0.
    cdef uint8_t bits
    cdef const uint8_t* address
    if not take_u8(c, &bits) or bits & 7 or not take_bytes(c, bits >> 3, &address):
        return NULL
    return put_ip(out, key, address, bits >> 3) if bits else out


# ---- routes ---------------------------------------------------------------------------------------------------------------
# Each writes its fields, the comma in front included.

cdef uint8_t* put_labelled(uint8_t* out, uint16_t afi, uint8_t safi, const uint8_t* p) noexcept nogil:
    # RFC 8277 section 2, RFC 4364 section 4.3.4, RFC 4659 section 3, RFC 6514 section 10. A length at p, and all octets that it wants.
    cdef uint32_t bits = p[0]
    cdef uint32_t distinguisher = 0 if safi == LABELLED else 64
    cdef uint32_t labels
    if bits < distinguisher:
        return NULL
    labels = 0 if safi == VPN_MULTICAST else labels_size(p + 1, (bits - distinguisher) >> 3)
    p += 1 + labels
    if labels == 0 and safi != VPN_MULTICAST:
        return NULL
    if distinguisher:
        out = put_distinguisher(out, p)
    out = put_prefix(out, p + (distinguisher >> 3), bits - distinguisher - 8 * labels, 4 if afi == 1 else 16)
    return put_labels(out, p - labels, labels, labels) if out != NULL and labels else out


cdef uint8_t* put_route_target(uint8_t* out, const uint8_t* p) noexcept nogil:
    # RFC 4684 section 4: as much of origin AS and route target as its length at p has.
    cdef uint32_t bits = p[0]
    cdef uint32_t octets = (bits + 7) >> 3
    if bits and bits < 32 or bits > 96:
        return NULL
    if bits:
        out = put_count(out, b"origin", be32(p + 1))
    if bits == 96:
        return put_assigned(out, b"target", p[5] if p[6] == 2 else 3, p + 5)
    if octets > 4:
        out = put_octets(out, b"target", p + 5, octets - 4)
    return put_count(out, b"length", bits)


cdef uint8_t* put_field(uint8_t* out, char field, cursor_t* c) noexcept nogil:
    # A field of a route; NULL where it is not what it should be. LAYOUTS has their letters.
    cdef const uint8_t* p
    cdef uint32_t number
    cdef uint32_t n = <uint32_t>left(c)
    cdef uint8_t octet
    if field == c"r":
        return put_distinguisher(out, p) if take_bytes(c, 8, &p) else NULL
    if field == c"e":
        return put_colons(out, b"esi", p, 10) if take_bytes(c, 10, &p) else NULL
    if field == c"t":
        return put_count(out, b"etag", number) if take_u32(c, &number) else NULL
    if field == c"a":
        return put_count(out, b"source_as", number) if take_u32(c, &number) else NULL
    if field == c"m":
        return put_colons(out, b"mac", p, 6) if take_u8(c, &octet) and octet == 48 and take_bytes(c, 6, &p) else NULL
    if field == c"i":
        return put_sized_ip(out, b"ip", c)
    if field == c"s":
        out = put_sized_ip(out, b"source", c)
        return put_sized_ip(out, b"group", c) if out != NULL else NULL
    if field == c"o":
        return put_sized_ip(out, b"originator", c)
    if field == c"O":
        return put_ip(out, b"originator", p, n) if take_bytes(c, n, &p) else NULL
    if field == c"k":
        return put_octets(out, b"route_key", p, 2 + p[1]) if n >= 2 and take_bytes(c, 2 + c.p[1], &p) else NULL
    if field == c"p":
        n = 16 if n > 12 else 4
        if not (take_u8(c, &octet) and take_bytes(c, 2 * n, &p)):
            return NULL
        out = put_network(out, p, octet, n)
        return put_ip(out, b"gateway", p + n, n) if out != NULL else NULL
    if field == c"l":
        return put_labels(out, p, n, 3) if (n == 3 or n == 6) and take_bytes(c, n, &p) else NULL
    if field == c"g":
        return put_octets(out, b"region", p, 8) if take_bytes(c, 8, &p) else NULL
    if field == c"w":
        return put_count(out, b"max_response", octet) if take_u32(c, &number) and number == 0 and take_u8(c, &octet) else NULL
    return put_count(out, b"flags", octet) if take_u8(c, &octet) else NULL


cdef uint8_t* put_fields(uint8_t* out, const char* layout, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef cursor_t c = cursor(p, n)
    while layout[0]:
        out = put_field(out, layout[0], &c)
        if out == NULL:
            return NULL
        layout += 1
    return out if left(&c) == 0 else NULL


cdef uint8_t* put_route(uint8_t* out, const route_t* routes, const uint8_t* p) noexcept nogil:
    # Type, length and value at p (RFC 7432 section 7, RFC 6514 section 4), to the last octet of it. A name stands with fields alone: for two
    # octets it would be too much text.
    cdef const route_t* route = &routes[p[0]] if p[0] < MOST_TYPES else &routes[0]
    cdef uint8_t* typed
    out = put_key(out, b"type")
    if route.name != NULL:
        out[0] = 0x22
        typed = put_text(out + 1, route.name)
        typed[0] = 0x22
        typed = put_fields(typed + 1, route.layout, p + 2, p[1])
        if typed != NULL:
            return typed
    return put_octets(put_number(out, p[0]), b"value", p + 2, p[1])


cdef uint8_t* put_flow(uint8_t* out, uint16_t afi, uint8_t safi, const uint8_t* p, uint32_t size) noexcept nogil:
    # RFC 8955 sections 4.1 and 8: a length, of two octets only where one is not enough, for VPNs a route distinguisher, components.
    cdef const uint8_t* end = p + size
    cdef bint two = p[0] >= 0xF0
    p += 2 if two else 1
    if two and end - p < 0xF0:
        return NULL
    if safi == L3VPN_FLOWSPEC:
        if end - p < 8:
            return NULL
        out = put_distinguisher(out, p)
        p += 8
    return put_rule(out, p, end, afi)


# ---- families -------------------------------------------------------------------------------------------------------------

cdef uint8_t* put_nlri(uint8_t* out, uint16_t afi, uint8_t safi, const uint8_t* p, uint32_t n, bint addpath) noexcept nogil:
    cdef const uint8_t* end = p + n
    cdef uint8_t* start
    cdef uint32_t size
    out = put_key(out, b"rules" if safi == FLOWSPEC or safi == L3VPN_FLOWSPEC else b"nlri")
    out[0] = 0x5B
    out += 1
    while p < end:
        size = nlri_size(afi, safi, p, <uint32_t>(end - p), addpath)
        if size == 0:
            return NULL
        start = out
        if addpath:
            out = put_count(out, b"path_id", be32(p))
            p += 4
            size -= 4
        if safi == FLOWSPEC or safi == L3VPN_FLOWSPEC:
            out = put_flow(out, afi, safi, p, size)
        elif safi == EVPN:
            out = put_route(out, EVPN_ROUTES, p)
        elif safi == MCAST_VPN:
            out = put_route(out, MCAST_VPN_ROUTES, p)
        elif safi == ROUTE_TARGET:
            out = put_route_target(out, p)
        else:
            out = put_labelled(out, afi, safi, p)
        if out == NULL:
            return NULL
        out += out == start                 # a flow without components
        start[0] = 0x7B                     # where the first field's comma is
        out = lit(out, b"},", 2)
        p += size
    out -= n != 0
    out[0] = 0x5D
    return out + 1


cdef uint8_t* put_next_hop(uint8_t* out, uint8_t safi, const uint8_t* p, uint32_t n) noexcept nogil:
    # RFC 4760 section 3, RFC 2545 section 3, RFC 8950 section 4; those of VPNs stand behind a route distinguisher of zero (RFC 4364 section
    # 4.3.2, RFC 4659 section 3.2.1).
    cdef bint vpn = safi == VPN or safi == VPN_MULTICAST
    cdef uint32_t skip = 8 if vpn else 0
    cdef uint32_t size = 4 if n == skip + 4 else 16
    cdef bint both = n == 2 * (skip + 16)
    if n == 0:
        return out
    if not (n == skip + size or both) or vpn and (be64(p) != 0 or both and be64(p + 24) != 0):
        return put_octets(out, b"nh", p, n)
    out = put_ip(out, b"nexthop", p + skip, size)
    return put_ip(out, b"link-local", p + n - 16, 16) if both else out


def decode_nlri(uint16_t afi, uint8_t safi, bytes data not None, bint addpath):
    """See _nlri.pyi."""
    cdef Py_ssize_t n = len(data)
    cdef const uint8_t* p = <const uint8_t*><const char*>data
    cdef uint8_t* text
    cdef uint8_t* end
    if not typed_family(afi, safi) or n > 0xFFFF:
        return None
    text = <uint8_t*>malloc(TEXT_OCTET * n + TEXT_MORE)
    if text == NULL:
        raise MemoryError()
    try:
        end = put_nlri(text, afi, safi, p, <uint32_t>n, addpath)
        if end == NULL:
            return None
        from json import loads

        return loads(b"{" + (<char*>text + 1)[:end - text - 1] + b"}").popitem()[1]
    finally:
        free(text)
