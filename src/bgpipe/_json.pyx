# cython: language_level=3
"""Wire -> JSON, in one pass a batch without the GIL (docs/json.md).

Every `put_` function writes at `out` and returns the place behind what it wrote; the room was reserved before (`room`), so that
nothing in here checks it. One that returns NULL met a value whose JSON would not encode to the same bytes again: its caller goes
back to where it began and writes hex. Fixed-size copies write more than they keep: the slack is part of what `room` reserves.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from bgpipe._check cimport check, check_attr, family
from bgpipe._codec cimport Batch, Buffer, Encoder, unpack_pairs
from bgpipe._communities cimport put_form
from bgpipe._json_session cimport put_notification, put_open, put_refresh
from bgpipe._json_text cimport (
    TEXT_MORE, TEXT_OCTET, kept, kept_names, lit, name_of, names_t, put_family, put_hex, put_hex_number, put_ipv6, put_number64, put_text,
)
from bgpipe._layouts cimport put_layout
from bgpipe._message cimport (
    CTX_AS2, FAMILY_IPV4_UNICAST, MSG_LEFT, STATUS_OK, STATUS_UNKNOWN, TYPE_KEEPALIVE, TYPE_NOTIFICATION, TYPE_OPEN,
    TYPE_ROUTE_REFRESH, TYPE_UPDATE, attr_t, ctx_t, has_addpath, msg_t, next_attr,
)
from bgpipe._nlri cimport put_next_hop, put_nlri, typed_family
from bgpipe._wire cimport ASAN, be16, be32, be64, likely

from bgpipe import names
from bgpipe._codec import json_string
from bgpipe.bgp import communities

cdef extern from *:
    """
    static inline void bgpipe_store32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
    static inline void bgpipe_store64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }
    """
    void store32 "bgpipe_store32"(uint8_t* p, uint32_t v) noexcept nogil
    void store64 "bgpipe_store64"(uint8_t* p, uint64_t v) noexcept nogil

cdef enum:
    HEADER_LEN = 19
    HEAD_TEXT = 63
    SET = 128                       # ATTR_SET
    MOST_EXT_KINDS = 128


cdef struct text_t:                 # a short text that is always copied whole
    char text[HEAD_TEXT]
    uint8_t len


# ---- tables, filled once ------------------------------------------------------------------------------------------------

cdef uint64_t DECIMAL[65536]        # digits from the lowest byte on, a comma, and the number of digits in the highest byte
cdef uint64_t OCTET[256]            # "255." likewise
cdef uint64_t PREFIX_END[129]       # '/24",' likewise
cdef text_t HEADS[256 * 16]         # (attribute code, upper flag bits) -> '"NAME":{"flags":"T","value":', made when first used
cdef text_t ORIGINS[3]              # '"ORIGIN":{"flags":"T","value":"IGP"},' ...: every route has one
cdef const char* ATTRIBUTE_NAMES[256]


cdef enum:                          # shape_of of bgp/communities.py
    SHAPE_HEX
    SHAPE_AS2
    SHAPE_IP4
    SHAPE_AS4
    SHAPE_OTHER


cdef struct ext_t:
    text_t head                     # '{"type":"TARGET","value":"'; nothing for types without a name
    uint8_t shape


cdef ext_t EXT_KINDS[MOST_EXT_KINDS]         # the first is the shape of types without a name that have no other
cdef uint8_t EXT_INDEX[65536]       # type and subtype, the nontransitive bit taken off -> its place in EXT_KINDS
cdef names_t IPV6_EXT_NAMES
cdef const char* ORIGIN_NAMES[3]


cdef int fill_tables() except -1:
    cdef uint32_t i, n, d
    cdef uint64_t v
    for i in range(65536):
        v = 0
        n = 0
        d = i
        while True:
            v = (v << 8) | (0x30 + d % 10)
            n += 1
            d = d // 10
            if d == 0:
                break
        DECIMAL[i] = v | <uint64_t>0x2C << (8 * n) | <uint64_t>n << 56
        if i < 256:
            OCTET[i] = v | <uint64_t>0x2E << (8 * n) | <uint64_t>(n + 1) << 56
            if i <= 128:
                PREFIX_END[i] = 0x2F | v << 8 | <uint64_t>0x2C22 << (8 * (n + 1)) | <uint64_t>(n + 3) << 56
    for code, name in names.ATTRIBUTES.items():
        ATTRIBUTE_NAMES[<uint8_t>code] = kept(name)
    for i in range(3):
        ORIGIN_NAMES[i] = kept(names.ORIGINS[i])
        text = b'"ORIGIN":{"flags":"T","value":"%s"},' % names.ORIGINS[i].encode()
        memcpy(ORIGINS[i].text, <const char*>text, len(text))
        ORIGINS[i].len = len(text)
    return 0


cdef int fill_ext_communities() except -1:
    global IPV6_EXT_NAMES
    cdef ext_t* ext
    IPV6_EXT_NAMES = kept_names(names.IPV6_EXT_COMMUNITIES)
    if len(names.EXT_COMMUNITIES) + 1 + len(communities.FAMILIES) > MOST_EXT_KINDS:
        raise ImportError("names.py has outgrown the tables of _json.pyx")
    for index in range(1, len(communities.FAMILIES) + 1):
        EXT_KINDS[index].shape = index
        memset(&EXT_INDEX[(index - 1) << 8], <uint8_t>index, 256)
    for index, (code, name) in enumerate(names.EXT_COMMUNITIES.items(), 1 + len(communities.FAMILIES)):
        ext = &EXT_KINDS[index]
        EXT_INDEX[<uint16_t>code] = index
        text = b'{"type":"%s","value":"' % name.encode()
        if len(text) > HEAD_TEXT:
            raise ImportError(f"names.py: {name} is too long for the tables of _json.pyx")
        memcpy(ext.head.text, <const char*>text, len(text))
        ext.head.len = len(text)
        ext.shape = communities.shape_of(code)
    return 0


fill_tables()
fill_ext_communities()


# ---- small pieces ---------------------------------------------------------------------------------------------------------

cdef inline uint8_t* put16(uint8_t* out, uint32_t v) noexcept nogil:
    # v < 65536
    cdef uint64_t d = DECIMAL[v]
    store64(out, d)
    return out + (d >> 56)


cdef inline uint8_t* put32_comma(uint8_t* out, uint32_t v) noexcept nogil:
    cdef uint64_t d
    if likely(v < 65536, 1):
        d = DECIMAL[v]
        store64(out, d)
        return out + (d >> 56) + 1
    out = put32(out, v)
    out[0] = 0x2C
    return out + 1


cdef inline uint8_t* put4(uint8_t* out, uint32_t v) noexcept nogil:
    # v < 10000, four digits
    store32(out, <uint32_t>(DECIMAL[10000 + v] >> 8))
    return out + 4


cdef inline uint8_t* put32(uint8_t* out, uint32_t v) noexcept nogil:
    cdef uint32_t high
    if likely(v < 65536, 1):
        return put16(out, v)
    high = v // 10000
    if likely(high < 65536, 1):
        return put4(put16(out, high), v % 10000)
    return put4(put4(put16(out, high // 10000), high % 10000), v % 10000)


cdef inline uint8_t* put_hex_or_empty(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    if n == 0:
        out[0] = 0x22
        out[1] = 0x22
        return out + 2
    return put_hex(out, p, n)


cdef inline uint8_t* put_ipv4(uint8_t* out, uint32_t v) noexcept nogil:
    # Four octets, each with a dot behind it; the last dot is not kept.
    cdef uint64_t o = OCTET[v >> 24]
    store64(out, o)
    out += o >> 56
    o = OCTET[(v >> 16) & 255]
    store64(out, o)
    out += o >> 56
    o = OCTET[(v >> 8) & 255]
    store64(out, o)
    out += o >> 56
    o = OCTET[v & 255]
    store64(out, o)
    return out + (o >> 56) - 1


cdef inline uint8_t* put_path_id(uint8_t* out, const uint8_t* p) noexcept nogil:
    out[0] = 0x23
    out = put32(out + 1, be32(p))
    out[0] = 0x23
    return out + 1


# Prefixes, each with a comma behind it. The bytes of a prefix are loaded from their end backwards, so that nothing behind the
# message is touched: what comes with them from in front of it (at least the header of the message) is shifted out.
cdef inline uint8_t* put_prefixes4(uint8_t* out, const uint8_t* p, const uint8_t* end, bint addpath) noexcept nogil:
    cdef uint32_t bits, octets, v
    cdef uint64_t tail
    while p < end:
        out[0] = 0x22
        out += 1
        if addpath:
            if end - p < 5:
                return NULL
            out = put_path_id(out, p)
            p += 4
        bits = p[0]
        octets = (bits + 7) >> 3
        if bits > 32 or end - p < 1 + octets:
            return NULL
        p += 1 + octets
        v = <uint32_t>(<uint64_t>be32(p - 4) << (32 - 8 * octets))
        if <uint32_t>(<uint64_t>v << bits):
            return NULL
        out = put_ipv4(out, v)
        tail = PREFIX_END[bits]
        store64(out, tail)
        out += tail >> 56
    return out


cdef uint8_t* put_prefixes6(uint8_t* out, const uint8_t* p, const uint8_t* end, bint addpath) noexcept nogil:
    cdef uint32_t bits, octets
    cdef uint64_t tail, high, low
    while p < end:
        out[0] = 0x22
        out += 1
        if addpath:
            if end - p < 5:
                return NULL
            out = put_path_id(out, p)
            p += 4
        bits = p[0]
        octets = (bits + 7) >> 3
        if bits > 128 or end - p < 1 + octets:
            return NULL
        p += 1 + octets
        low = 0
        if octets == 0:
            high = 0
        elif octets <= 8:
            high = be64(p - 8) << (64 - 8 * octets)
        else:
            high = be64(p - octets)
            low = be64(p - 8) << (128 - 8 * octets)
        if bits < 64:
            if low or high << bits:
                return NULL
        elif bits < 128 and low << (bits - 64):
            return NULL
        out = put_ipv6(out, high, low)
        tail = PREFIX_END[bits]
        store64(out, tail)
        out += tail >> 56
    return out


# ---- attribute values -------------------------------------------------------------------------------------------------------

cdef uint8_t* put_path(uint8_t* out, const uint8_t* p, uint32_t n, uint32_t as_len) noexcept nogil:
    # AS_PATH (RFC 4271 section 4.3, RFC 5065 section 3), and "segments" where its sequences are not cut into runs of 255.
    cdef const uint8_t* end = p + n
    cdef const uint8_t* q = p
    cdef uint32_t kind, count, i
    cdef uint32_t before = 255          # length of the sequence in front of this one, 255 if there is none
    cdef bint odd = False
    out[0] = 0x5B
    out += 1
    while q < end:
        if end - q < 2:
            return NULL
        kind = q[0]
        count = q[1]
        if count == 0 or <uint32_t>(end - q) < 2 + count * as_len:
            return NULL
        q += 2
        if likely(kind == 2, 1):        # AS_SEQUENCE
            if before != 255:
                odd = True
            before = count
        else:
            before = 255
            if kind == 1:               # AS_SET
                out[0] = 0x5B
                out += 1
            elif kind == 3:
                out = put_text(out, b'{"confed_seq":[')
            elif kind == 4:
                out = put_text(out, b'{"confed_set":[')
            else:
                return NULL
        if likely(as_len == 4, 1):
            for i in range(count):
                out = put32_comma(out, be32(q))
                q += 4
        else:
            for i in range(count):
                out = put32_comma(out, be16(q))
                q += 2
        if kind != 2:
            out[-1] = 0x5D
            if kind > 2:
                out[0] = 0x7D
                out += 1
            out[0] = 0x2C
            out += 1
    out -= n != 0                       # the last comma
    out[0] = 0x5D
    out += 1
    if odd:
        out = put_text(out, b',"segments":[')
        q = p
        while q < end:
            if q[0] == 2:
                out = put16(out, q[1])
                out[0] = 0x2C
                out += 1
            q += 2 + q[1] * as_len
        out[-1] = 0x5D
    return out


cdef inline uint8_t* put_communities(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef const uint8_t* end = p + n
    out[0] = 0x5B
    out += 1
    while p < end:
        out[0] = 0x22
        out = put16(out + 1, be16(p))
        out[0] = 0x3A
        out = put16(out + 1, be16(p + 2))
        out[0] = 0x22
        out[1] = 0x2C
        out += 2
        p += 4
    out[-1] = 0x5D
    return out


cdef uint8_t* put_large_communities(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef const uint8_t* end = p + n
    out[0] = 0x5B
    out += 1
    while p < end:
        out[0] = 0x22
        out = put32(out + 1, be32(p))
        out[0] = 0x3A
        out = put32(out + 1, be32(p + 4))
        out[0] = 0x3A
        out = put32(out + 1, be32(p + 8))
        out[0] = 0x22
        out[1] = 0x2C
        out += 2
        p += 12
    out[-1] = 0x5D
    return out


cdef uint8_t* put_addresses(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef const uint8_t* end = p + n
    out[0] = 0x5B
    out += 1
    while p < end:
        out[0] = 0x22
        out = put_ipv4(out + 1, be32(p))
        out[0] = 0x22
        out[1] = 0x2C
        out += 2
        p += 4
    out[-1] = 0x5D
    return out


cdef uint8_t* put_ext_communities(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # RFC 4360; which types read "asn:n" and "ip:n" is said in names.md
    cdef const uint8_t* end = p + n
    cdef const ext_t* ext
    cdef uint32_t kind
    out[0] = 0x5B
    out += 1
    while p < end:
        kind = be16(p)
        ext = &EXT_KINDS[EXT_INDEX[kind & ~0x4000]]
        if ext.head.len:
            memcpy(out, ext.head.text, HEAD_TEXT + 1)
            out += ext.head.len
        else:
            out = lit(put_hex_number(lit(out, b'{"type":"', 9), kind), b'","value":"', 11)
        if ext.shape == SHAPE_AS2:               # RFC 4360 section 3.1
            out = put16(out, be16(p + 2))
            out[0] = 0x3A
            out = put32(out + 1, be32(p + 4))
        elif ext.shape == SHAPE_IP4:             # RFC 4360 section 3.2
            out = put_ipv4(out, be32(p + 2))
            out[0] = 0x3A
            out = put16(out + 1, be16(p + 6))
        elif ext.shape == SHAPE_AS4:             # RFC 5668 section 2
            out = put32(out, be32(p + 2))
            out[0] = 0x3A
            out = put16(out + 1, be16(p + 6))
        else:
            out = put_form(out, kind & ~0x4000, be64(p) & 0xFFFFFFFFFFFFULL)
        out[0] = 0x22
        out += 1
        if kind & 0x4000:
            out = lit(out, b',"nontransitive":true', 21)
        out[0] = 0x7D
        out[1] = 0x2C
        out += 2
        p += 8
    out[-1] = 0x5D
    return out


cdef uint8_t* put_ipv6_ext_communities(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # RFC 5701 section 2: a type as those of extended communities, an IPv6 address, a number of two octets
    cdef const uint8_t* end = p + n
    cdef const char* name
    cdef uint32_t kind
    out[0] = 0x5B
    out += 1
    while p < end:
        kind = be16(p)
        name = name_of(&IPV6_EXT_NAMES, kind & ~0x4000)
        out = lit(out, b'{"type":"', 9)
        out = put_text(out, name) if name != NULL else put_hex_number(out, kind)
        out = put_address16(lit(out, b'","value":"', 11), p + 2)
        out[0] = 0x3A
        out = put16(out + 1, be16(p + 18))
        out[0] = 0x22
        out += 1
        if kind & 0x4000:
            out = lit(out, b',"nontransitive":true', 21)
        out = lit(out, b"},", 2)
        p += 20
    out[-1] = 0x5D
    return out


cdef inline uint8_t* put_address16(uint8_t* out, const uint8_t* p) noexcept nogil:
    return put_ipv6(out, be64(p), be64(p + 8))


cdef uint8_t* put_mp(uint8_t* out, const uint8_t* p, uint32_t n, ctx_t ctx, bint reach) noexcept nogil:
    # MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 sections 3 and 4)
    cdef const uint8_t* end = p + n
    cdef const uint8_t* next_hop
    cdef uint32_t afi, next_hop_len
    cdef uint8_t safi
    cdef uint8_t* typed
    cdef bint plain
    if n < 3:
        return NULL
    afi = be16(p)
    safi = p[2]
    plain = (safi == 1 or safi == 2) and (afi == 1 or afi == 2)
    if likely(afi == 2 and safi == 1, 1):
        out = lit(out, b'{"af":"IPV6/UNICAST"', 20)
    else:
        out = put_family(put_text(out, b'{"af":"'), afi, safi)
        out[0] = 0x22
        out += 1
    p += 3
    if reach:
        if end - p < 1:
            return NULL
        next_hop_len = p[0]
        next_hop = p + 1
        if end - next_hop < next_hop_len + 1 or next_hop[next_hop_len] != 0:
            return NULL
        p = next_hop + next_hop_len + 1
        if plain and next_hop_len:
            out = lit(out, b',"nexthop":"', 12)
            if next_hop_len == 16:
                out = put_address16(out, next_hop)
            elif next_hop_len == 32:
                out = put_text(put_address16(out, next_hop), b'","link-local":"')
                out = put_address16(out, next_hop + 16)
            elif next_hop_len == 4 and afi == 1:
                out = put_ipv4(out, be32(next_hop))
            else:
                return NULL
            out[0] = 0x22
            out += 1
        elif not plain and typed_family(afi, safi):
            out = put_next_hop(out, safi, next_hop, next_hop_len)
        elif not plain:
            out = put_hex_or_empty(put_text(out, b',"nh":'), next_hop, next_hop_len)
    if not plain:
        n = <uint32_t>(end - p)
        typed = put_nlri(out, afi, safi, p, n, has_addpath(ctx, family(afi, safi))) if typed_family(afi, safi) else NULL
        out = typed if typed != NULL else put_hex_or_empty(put_text(out, b',"data":'), p, n)
        out[0] = 0x7D
        return out + 1
    out = lit(out, b',"prefixes":[', 13)
    if p < end:
        if afi == 1:
            out = put_prefixes4(out, p, end, has_addpath(ctx, family(1, safi)))
        else:
            out = put_prefixes6(out, p, end, has_addpath(ctx, family(2, safi)))
        if out == NULL:
            return NULL
        out -= 1
    return lit(out, b"]}", 2)


cdef uint8_t* put_aggregator(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    out = lit(out, b'{"asn":', 7)
    out = put32(out, be32(p)) if n == 8 else put16(out, be16(p))
    out = put_ipv4(lit(out, b',"addr":"', 9), be32(p + n - 4))
    return lit(out, b'"}', 2)


cdef uint8_t* put_value(uint8_t* out, uint8_t code, const uint8_t* p, uint32_t n, ctx_t ctx) noexcept nogil:
    # The typed value of an attribute; NULL if it has none or these bytes are not what it would encode to.
    if code == 2:
        return put_path(out, p, n, 2 if ctx & CTX_AS2 else 4)
    if code == 1:
        if n != 1 or p[0] > 2:
            return NULL
        out[0] = 0x22
        out = put_text(out + 1, ORIGIN_NAMES[p[0]])
        out[0] = 0x22
        return out + 1
    if code == 3 or code == 9:
        if n != 4:
            return NULL
        out[0] = 0x22
        out = put_ipv4(out + 1, be32(p))
        out[0] = 0x22
        return out + 1
    if code == 14:
        return put_mp(out, p, n, ctx, True)
    if code == 8:
        return put_communities(out, p, n) if n and n & 3 == 0 else NULL
    if code == 4 or code == 5 or code == 35:
        return put32(out, be32(p)) if n == 4 else NULL
    if code == 15:
        return put_mp(out, p, n, ctx, False)
    if code == 7:
        return put_aggregator(out, p, n) if n == (6 if ctx & CTX_AS2 else 8) else NULL
    return put_rare(out, code, p, n, ctx)


cdef uint8_t* put_rare(uint8_t* out, uint8_t code, const uint8_t* p, uint32_t n, ctx_t ctx) noexcept nogil:
    # The same of attributes that few messages have: apart from the others, which then have fewer registers to save.
    if code == 16:
        return put_ext_communities(out, p, n) if n and n & 7 == 0 else NULL
    if code == 32:
        return put_large_communities(out, p, n) if n and n % 12 == 0 else NULL
    if code == 10:
        return put_addresses(out, p, n) if n and n & 3 == 0 else NULL
    if code == 17:
        return put_path(out, p, n, 4)
    if code == 18:
        return put_aggregator(out, p, n) if n == 8 else NULL
    if code == 25:
        return put_ipv6_ext_communities(out, p, n) if n and n % 20 == 0 else NULL
    if code == SET:
        return put_set(out, p, n, ctx)
    return put_layout(out, code, p, n)


cdef uint8_t* put_set(uint8_t* out, const uint8_t* p, uint32_t n, ctx_t ctx) noexcept nogil:
    # ATTR_SET (RFC 6368 section 5): an AS number, and the attributes of a customer's route, in which AS numbers take four octets. One
    # within another is hex.
    cdef const uint8_t* end = p + n
    cdef uint64_t seen[4]
    cdef uint8_t* mark
    cdef attr_t a
    if n < 4:
        return NULL
    memset(seen, 0, sizeof(seen))
    out = lit(put32(lit(out, b'{"asn":', 7), be32(p)), b',"attrs":{', 10)
    p += 4
    while p < end:
        if not next_attr(&p, end, &a) or (seen[a.code >> 6] >> (a.code & 63)) & 1:
            return NULL
        seen[a.code >> 6] |= <uint64_t>1 << (a.code & 63)
        mark = put_head(out, a.code, a.flags)
        out = put_value(mark, a.code, a.value, a.length, ctx & ~<ctx_t>CTX_AS2) if a.code != SET else NULL
        if out == NULL:
            out = put_hex(mark, a.value, a.length) if a.length else lit(mark, b"true", 4)
        out = lit(out, b"},", 2)
    if out[-1] == 0x2C:
        out -= 1
    return lit(out, b"}}", 2)


cdef text_t* make_head(uint8_t code, uint8_t flags) noexcept nogil:
    # Threads may make the same head at the same time: what they copy into its place is the same.
    cdef text_t made
    cdef text_t* head = &HEADS[<uint32_t>code << 4 | flags >> 4]
    cdef uint8_t* out = <uint8_t*>made.text
    memset(&made, 0, sizeof(text_t))
    out[0] = 0x22
    out += 1
    if ATTRIBUTE_NAMES[code] != NULL:
        out = put_text(out, ATTRIBUTE_NAMES[code])
    else:
        out = put16(put_text(out, b"ATTR_"), code)
    out = put_text(out, b'":{"flags":"')
    out = put_flags(out, flags)
    out = put_text(out, b'","value":')
    memcpy(head.text, made.text, HEAD_TEXT)
    head.len = <uint8_t>(out - <uint8_t*>made.text)
    return head


cdef uint8_t* put_flags(uint8_t* out, uint8_t flags) noexcept nogil:
    # The upper four; put_head adds the others.
    if flags & 0x80:
        out[0] = 0x4F
        out += 1
    if flags & 0x40:
        out[0] = 0x54
        out += 1
    if flags & 0x20:
        out[0] = 0x50
        out += 1
    if flags & 0x10:
        out[0] = 0x58
        out += 1
    return out


cdef inline uint8_t* put_head(uint8_t* out, uint8_t code, uint8_t flags) noexcept nogil:
    cdef text_t* head = &HEADS[<uint32_t>code << 4 | flags >> 4]
    if not likely(head.len != 0, 1):
        head = make_head(code, flags)
    memcpy(out, head.text, HEAD_TEXT + 1)
    out += head.len
    if not likely(flags & 0x0F == 0, 1):
        # '","value":' is ten octets long
        out = put_text(put16(out - 10, flags & 0x0F), b'","value":')
    return out


cdef struct clock_t:                # the last time that was put: what is equal is copied
    int64_t second
    int64_t micro
    uint32_t len
    uint8_t text[48]                # ',"2006-01-02T15:04:05.000",'


cdef struct next_hop_t:             # a NEXT_HOP attribute as it was put
    uint32_t address
    uint32_t len
    uint8_t text[56]                # '"NEXTHOP":{"flags":"T","value":"192.0.2.1"},'


cdef struct memo_t:                 # what an encoder remembers: few next hops serve most routes
    clock_t clock
    next_hop_t next_hops[64]


cdef void make_next_hop(next_hop_t* hop, uint32_t address) noexcept nogil:
    cdef uint8_t* out = lit(hop.text, b'"NEXTHOP":{"flags":"T","value":"', 32)
    out = lit(put_ipv4(out, address), b'"},', 3)
    hop.address = address
    hop.len = <uint32_t>(out - hop.text)


cdef inline uint8_t* put_attributes(uint8_t* out, msg_t* m, const uint8_t* p, const uint8_t* end, memo_t* memo) noexcept nogil:
    # NULL if the attributes cannot be told apart (RFC 4271 section 6.3), or one is there twice: JSON objects have no such thing.
    cdef uint64_t seen = 0
    cdef uint64_t seen_high[3]
    cdef uint32_t n
    cdef uint8_t flags, code
    cdef uint8_t* mark
    cdef next_hop_t* hop
    memset(seen_high, 0, sizeof(seen_high))
    while p < end:
        if end - p < 3:
            return NULL
        flags = p[0]
        code = p[1]
        if flags & 0x10:
            if end - p < 4:
                return NULL
            n = be16(p + 2)
            p += 4
        else:
            n = p[2]
            p += 3
        if n > <uint32_t>(end - p):
            return NULL
        if likely(code < 64, 1):
            if (seen >> code) & 1:
                return NULL
            seen |= <uint64_t>1 << code
            if code == 1 and flags == 0x40 and n == 1 and p[0] <= 2:
                memcpy(out, ORIGINS[p[0]].text, HEAD_TEXT + 1)
                out += ORIGINS[p[0]].len
                p += 1
                continue
            if code == 3 and flags == 0x40 and n == 4:
                hop = &memo.next_hops[(be32(p) * 0x9E3779B1U) >> 26]
                if hop.address != be32(p) or hop.len == 0:
                    make_next_hop(hop, be32(p))
                memcpy(out, hop.text, 56)
                out += hop.len
                p += 4
                continue
        else:
            if (seen_high[(code >> 6) - 1] >> (code & 63)) & 1:
                return NULL
            seen_high[(code >> 6) - 1] |= <uint64_t>1 << (code & 63)
        mark = put_head(out, code, flags)
        out = put_value(mark, code, p, n, m.ctx)
        if out == NULL:
            if not check_attr(code, p, n, m.ctx):
                check(m, NULL)
            if n == 0:
                out = lit(mark, b"true", 4)
            else:
                out = put_hex(mark, p, n)
        elif (code | 1) == 15 and p[2] > 2 and not check_attr(code, p, n, m.ctx):
            check(m, NULL)              # NLRI that do not parse are hex by themselves
        out[0] = 0x7D
        out[1] = 0x2C
        out += 2
        p += n
    return out


cdef inline uint8_t* put_update(uint8_t* out, msg_t* m, memo_t* memo) noexcept nogil:
    cdef const uint8_t* p = m.wire + HEADER_LEN
    cdef const uint8_t* end = m.wire + m.len
    cdef const uint8_t* attrs
    cdef const uint8_t* reach
    cdef bint addpath = has_addpath(m.ctx, FAMILY_IPV4_UNICAST)
    cdef uint8_t* start = out
    if end - p < 4 or be16(p) > end - p - 4:
        return NULL
    attrs = p + 2 + be16(p)
    p += 2
    if be16(attrs) > end - attrs - 2:
        return NULL
    reach = attrs + 2 + be16(attrs)
    out[0] = 0x7B
    out += 1
    if reach < end:
        out = put_prefixes4(lit(out, b'"reach":[', 9), reach, end, addpath)
        if out == NULL:
            return NULL
        out[-1] = 0x5D
        out[0] = 0x2C
        out += 1
    if p < attrs:
        out = put_prefixes4(lit(out, b'"unreach":[', 11), p, attrs, addpath)
        if out == NULL:
            return NULL
        out[-1] = 0x5D
        out[0] = 0x2C
        out += 1
    attrs += 2
    if attrs < reach:
        out = put_attributes(lit(out, b'"attrs":{', 9), m, attrs, reach, memo)
        if out == NULL:
            return NULL
        out[-1] = 0x7D
        out[0] = 0x2C
        out += 1
    if m.ctx & CTX_AS2:
        out = lit(out, b'"as_size":2,', 12)
    if out - start == 1:
        out[0] = 0x7D
        return out + 1
    out[-1] = 0x7D
    return out


# ---- whole messages -------------------------------------------------------------------------------------------------------------

cdef int set_clock(clock_t* clock, int64_t second, int64_t micro) noexcept nogil:
    # Days to a civil date: the era of 400 years has 146,097 days; years counted from March, so that the odd day comes last.
    cdef int64_t days, era, day_of_era, year, day_of_year, month, day, rest
    cdef uint8_t* out = clock.text
    if second != clock.second or clock.len == 0:
        days = second // 86400
        rest = second - days * 86400
        if rest < 0:
            rest += 86400
            days -= 1
        days += 719468
        era = (days if days >= 0 else days - 146096) // 146097
        day_of_era = days - era * 146097
        year = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
        day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
        month = (5 * day_of_year + 2) // 153
        day = day_of_year - (153 * month + 2) // 5 + 1
        year += era * 400
        month = month + 3 if month < 10 else month - 9
        if month <= 2:
            year += 1
        out = put4(lit(out, b',"', 2), <uint32_t>year % 10000)
        out[0] = 0x2D
        put4(out + 1, <uint32_t>(month * 100 + day))        # MMDD
        out[5] = out[4]
        out[4] = out[3]
        out[3] = 0x2D
        out[6] = 0x54
        put4(out + 7, <uint32_t>(rest // 3600 * 100 + rest // 60 % 60))
        out[11] = out[10]
        out[10] = out[9]
        out[9] = 0x3A
        out[12] = 0x3A
        out[13] = <uint8_t>(0x30 + rest % 60 // 10)
        out[14] = <uint8_t>(0x30 + rest % 10)
        out[15] = 0x2E
    out = clock.text + 22
    put4(out - 1, <uint32_t>(micro // 1000))                # a fourth digit in front, which is always 0
    out[-1] = 0x2E
    out += 3
    if micro % 1000:
        put4(out - 1, <uint32_t>(micro % 1000 + 1000))
        out[-1] = <uint8_t>(0x30 + micro // 1000 % 10)
        out += 3
    out = lit(out, b'",', 2)
    clock.len = <uint32_t>(out - clock.text)
    clock.second = second
    clock.micro = micro
    return 0


cdef inline uint8_t* put_start(uint8_t* out, const msg_t* m, clock_t* clock) noexcept nogil:
    cdef int64_t second, micro
    out = lit(out, b'["R",', 5)
    if m.flags & MSG_LEFT:
        out[-3] = 0x4C
    out = put32(out, <uint32_t>m.seq) if likely(m.seq <= 0xFFFFFFFFULL, 1) else put_number64(out, m.seq)
    second = m.time // 1000000000
    micro = m.time - second * 1000000000
    if micro < 0:
        micro += 1000000000
        second -= 1
    micro = micro // 1000
    if not likely(second == clock.second and micro == clock.micro and clock.len != 0, 1):
        set_clock(clock, second, micro)
    memcpy(out, clock.text, 48)
    return out + clock.len


cdef uint8_t* put_tags(uint8_t* out, const msg_t* m) except NULL:
    # Tags of one message alone, over those of its peer.
    cdef uint32_t n
    memcpy(&n, m.tags, 4)
    tags = unpack_pairs(m.peer.pairs, m.peer.pairs_len)
    tags.update(unpack_pairs(m.tags + 4, n))
    text = b"{" + b",".join([json_string(k) + b":" + json_string(v) for k, v in tags.items() if v is not None]) + b"}"
    memcpy(out, <const char*>text, len(text))
    return out + len(text)


cdef inline size_t room(const msg_t* m) noexcept nogil:
    # Escaped tags take 6 octets for one.
    cdef size_t n = TEXT_OCTET * <size_t>m.len + TEXT_MORE + m.peer.json_len
    cdef uint32_t tags
    if m.tags != NULL:
        memcpy(&tags, m.tags, 4)
        n += 6 * (<size_t>tags + m.peer.pairs_len)
    return n


cdef inline uint8_t* put_message(uint8_t* out, msg_t* m, memo_t* memo) except NULL nogil:
    cdef uint8_t* mark
    out = put_start(out, m, &memo.clock)
    if likely(m.type == TYPE_UPDATE, 1):
        mark = lit(out, b'"UPDATE",', 9)
        out = put_update(mark, m, memo)
    elif m.type == TYPE_KEEPALIVE:
        mark = lit(out, b'"KEEPALIVE",', 12)
        out = lit(mark, b"null", 4) if m.len == HEADER_LEN else NULL
    elif m.type == TYPE_OPEN:
        mark = lit(out, b'"OPEN",', 7)
        out = put_open(mark, m)
    elif m.type == TYPE_NOTIFICATION:
        mark = lit(out, b'"NOTIFY",', 9)
        out = put_notification(mark, m)
    elif m.type == TYPE_ROUTE_REFRESH:
        mark = lit(out, b'"REFRESH",', 10)
        out = put_refresh(mark, m)
    else:
        mark = put16(out, m.type)
        mark[0] = 0x2C
        mark += 1
        out = NULL
    if not likely(out != NULL, 1):
        check(m, NULL)
        out = put_hex(mark, m.wire + HEADER_LEN, m.len - HEADER_LEN)
    if m.status == STATUS_UNKNOWN:
        m.status = STATUS_OK
    out[0] = 0x2C
    out += 1
    if likely(m.tags == NULL, 1):
        memcpy(out, m.peer.json, m.peer.json_len)
        out += m.peer.json_len
    else:
        with gil:
            out = put_tags(out, m)
    return lit(out, b"]\n", 2)


@cython.final
cdef class JsonEncoder(Encoder):
    """Batches -> JSON, one message a line (docs/json.md)."""

    cdef memo_t memo

    cpdef int encode(self, Batch b, Buffer out) except -1:
        """Append the messages of `b` that are wanted and not dropped to `out`, a line each; messages that do not parse go as hex
        and are counted in `b.failed`."""
        cdef msg_t* m
        cdef msg_t* end
        cdef uint64_t count = 0
        cdef size_t need
        cdef uint8_t known
        if b is None or out is None:
            raise TypeError("encode() takes a Batch and a Buffer")
        m = b.msgs
        end = m + b.n
        with nogil:
            while m < end:
                if self.wanted(m):
                    need = room(m)
                    if ASAN or <size_t>(out.cap - out.len) < need:
                        out.reserve(need)
                    known = m.status
                    out.len = put_message(out.data + out.len, m, &self.memo) - out.data
                    if known == STATUS_UNKNOWN and m.status > STATUS_OK:
                        b.failed += 1
                    count += 1
                m += 1
        self.written += count
        out.messages += count
        return 0


def attribute_text(code, bytes value not None, ctx_t context=0):
    """See _json.pyi."""
    cdef Buffer text = Buffer()
    cdef uint8_t* end
    cdef Py_ssize_t n = len(value)
    text.reserve(TEXT_OCTET * n + TEXT_MORE)
    end = put_rare(text.data, code, <const uint8_t*><const char*>value, <uint32_t>n, context)
    return (<char*>text.data)[:end - text.data].decode() if end != NULL else None
