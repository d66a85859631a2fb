# cython: language_level=3
"""ExaBGP's text -> wire: lines of its API to batches of messages (docs/formats.md).

The native reader of the two (_lines.pyx) knows plain routes, `announce route PREFIX next-hop ADDRESS ...` with the usual
attributes, and their withdrawal; of all else formats/exa.py makes messages. `take_...` functions return the place behind what they
read, or NULL where it is not what they know; the rules of _scan.pxd hold.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from bgpipe._check cimport family
from bgpipe._codec cimport Batch, no_peer, now_ns, pack_pairs
from bgpipe._lines cimport LineDecoder
from bgpipe._message cimport CTX_ADDPATH_SHIFT, FAMILY_IPV4_UNICAST, FAMILY_IPV6_UNICAST, TYPE_UPDATE, ctx_t, msg_t, wanted_type
from bgpipe._json_update cimport MAX_MESSAGE
from bgpipe._scan cimport ctz64, literal, put128, take_ipv4, take_ipv6, take_number, take_octets, u128
from bgpipe._wire cimport put16, put32

from bgpipe.errors import ExaError, InputError

cdef enum:
    HEADER_LEN = 19
    MAX_LINE = 1 << 19             # 65535 octets of cluster ids take 16 characters for four of them
    PLACE = 16384                  # octets that an attribute may take in here; what is longer is for Python
    MOST = PLACE - 64              # of them, where the next item is looked at
    LAST_CODE = 32                 # the highest code of an attribute that is known in here

# What a line says of its route.
cdef struct route_t:
    uint8_t* values                # owned: PLACE octets for each attribute up to LAST_CODE
    uint32_t sizes[LAST_CODE + 1]  # of these
    uint64_t seen                  # bit n: attribute n was there
    bint withdraw, has_hop, hop_self, has_path_id
    uint32_t bits, hop_bits        # of the addresses: 32 or 128
    uint32_t length, path_id
    uint8_t prefix[16]
    uint8_t hop[16]
    uint8_t* wire                  # owned: the message
    uint32_t wire_len
    ctx_t ctx


# ---- words ---------------------------------------------------------------------------------------------------------------

cdef inline bint blank(uint8_t c) noexcept nogil:
    return c == c" " or c == c"\t" or c == c"\r"


cdef inline const uint8_t* skip(const uint8_t* p) noexcept nogil:
    while blank(p[0]):
        p += 1
    return p


cdef inline const uint8_t* after(const uint8_t* p) noexcept nogil:
    # Behind a word and what parts it from the next one: NULL where the word goes on.
    if p == NULL or not (blank(p[0]) or p[0] == c"\n"):
        return NULL
    return skip(p)


cdef inline const uint8_t* take_u32(const uint8_t* p, uint32_t* out) noexcept nogil:
    cdef uint64_t value = 0
    p = take_number(p, &value)
    if p == NULL or value > 0xFFFFFFFFULL:
        return NULL
    out[0] = <uint32_t>value
    return p


cdef const uint8_t* take_address(const uint8_t* p, uint8_t* out, uint32_t* bits) noexcept nogil:
    # 4 or 16 octets
    cdef uint32_t v4 = 0
    cdef u128 v6 = 0
    cdef const uint8_t* q = take_ipv4(p, &v4)
    if q != NULL and q[0] != c":":
        put32(out, v4)
        bits[0] = 32
        return q
    q = take_ipv6(p, &v6)
    if q != NULL:
        put128(out, v6)
        bits[0] = 128
    return q


cdef bint host_bits(const uint8_t* address, uint32_t bits, uint32_t length) noexcept nogil:
    # Whether any is set behind the prefix.
    cdef uint32_t i = length >> 3
    if length & 7:
        if address[i] & (0xFF >> (length & 7)):
            return True
        i += 1
    while i < bits >> 3:
        if address[i]:
            return True
        i += 1
    return False


cdef const uint8_t* take_prefix(const uint8_t* p, route_t* r) noexcept nogil:
    p = take_address(p, r.prefix, &r.bits)
    if p == NULL:
        return NULL
    r.length = r.bits
    if p[0] == c"/":
        p = take_u32(p + 1, &r.length)
        if p == NULL or r.length > r.bits or host_bits(r.prefix, r.bits, r.length):
            return NULL
    return p


cdef const uint8_t* take_community(const uint8_t* p, uint8_t* out) noexcept nogil:
    cdef uint32_t high = 0, low = 0
    if p[0] >= c"a":
        # Those that the writer knows (_exa.pyx).
        put16(out, 0xFFFF)
        if literal(p, b"no-export-subconfed"):
            put16(out + 2, 0xFF03)
            return p + 19
        if literal(p, b"no-export"):
            put16(out + 2, 0xFF01)
            return p + 9
        if literal(p, b"no-advertise"):
            put16(out + 2, 0xFF02)
            return p + 12
        if literal(p, b"no-peer"):
            put16(out + 2, 0xFF04)
            return p + 7
        if literal(p, b"blackhole"):
            put16(out + 2, 0x029A)
            return p + 9
        return NULL
    p = take_u32(p, &high)
    if p == NULL or p[0] != c":" or high > 0xFFFF:
        return NULL
    p = take_u32(p + 1, &low)
    if p == NULL or low > 0xFFFF:
        return NULL
    put16(out, <uint16_t>high)
    put16(out + 2, <uint16_t>low)
    return p


cdef const uint8_t* take_large_community(const uint8_t* p, uint8_t* out) noexcept nogil:
    cdef uint32_t i, value = 0
    for i in range(3):
        if i:
            if p[0] != c":":
                return NULL
            p += 1
        p = take_u32(p, &value)
        if p == NULL:
            return NULL
        put32(out + 4 * i, value)
    return p


cdef const uint8_t* take_ext_community(const uint8_t* p, uint8_t* out) noexcept nogil:
    # What the writer knows: two types of RFC 4360 with an AS number of two octets, all others as hex.
    cdef uint32_t high = 0, low = 0
    cdef size_t size = 0
    if literal(p, b"0x"):
        p = take_octets(p + 2, out, 8, &size)
        return p if p != NULL and size == 8 else NULL
    if literal(p, b"target:"):
        put16(out, 0x0002)
    elif literal(p, b"origin:"):
        put16(out, 0x0003)
    else:
        return NULL
    p = take_u32(p + 7, &high)
    if p == NULL or p[0] != c":" or high > 0xFFFF:
        return NULL
    p = take_u32(p + 1, &low)
    put16(out + 2, <uint16_t>high)
    put32(out + 4, low)
    return p


cdef const uint8_t* take_cluster(const uint8_t* p, uint8_t* out) noexcept nogil:
    cdef uint32_t value = 0
    p = take_ipv4(p, &value)
    put32(out, value)
    return p


ctypedef const uint8_t* (*item_t)(const uint8_t* p, uint8_t* out) noexcept nogil


cdef const uint8_t* take_items(const uint8_t* p, route_t* r, uint32_t code, uint32_t size, item_t take) noexcept nogil:
    # `[ a b c ]`, or one alone: `size` octets each.
    cdef uint8_t* out = r.values + code * PLACE
    cdef uint32_t n = 0
    if p[0] != c"[":
        r.sizes[code] = size
        return take(p, out)
    p = skip(p + 1)
    while p[0] != c"]":
        if n > MOST:
            return NULL
        p = take(p, out + n)
        n += size
        if p == NULL or not (blank(p[0]) or p[0] == c"]"):
            return NULL
        p = skip(p)
    r.sizes[code] = n
    return p + 1 if n else NULL


cdef const uint8_t* take_path(const uint8_t* p, route_t* r) noexcept nogil:
    # `[ 1 2 ]`, or one number: an AS_SEQUENCE, of segments of 255.
    cdef uint8_t* out = r.values + 2 * PLACE
    cdef uint32_t n = 0, segment = 0, value = 0
    cdef bint list_ = p[0] == c"["
    if list_:
        p = skip(p + 1)
    while p[0] != c"]":
        if n > MOST:
            return NULL
        p = take_u32(p, &value)
        if p == NULL:
            return NULL
        if n == 0 or out[segment + 1] == 255:
            segment = n
            out[n] = 2
            out[n + 1] = 0
            n += 2
        out[segment + 1] += 1
        put32(out + n, value)
        n += 4
        if not list_:
            break
        if not (blank(p[0]) or p[0] == c"]"):
            return NULL
        p = skip(p)
    r.sizes[2] = n
    return p + 1 if list_ else p


cdef const uint8_t* take_number_of(const uint8_t* p, route_t* r, uint32_t code) noexcept nogil:
    cdef uint32_t value = 0
    p = take_u32(p, &value)
    put32(r.values + code * PLACE, value)
    r.sizes[code] = 4
    return p


cdef const uint8_t* take_aggregator(const uint8_t* p, route_t* r) noexcept nogil:
    # `( 65000:192.0.2.1 )`
    cdef uint8_t* out = r.values + 7 * PLACE
    cdef uint32_t value = 0
    if p[0] != c"(":
        return NULL
    p = take_u32(skip(p + 1), &value)
    if p == NULL or p[0] != c":":
        return NULL
    put32(out, value)
    p = take_ipv4(p + 1, &value)
    if p == NULL:
        return NULL
    put32(out + 4, value)
    r.sizes[7] = 8
    p = skip(p)
    return p + 1 if p[0] == c")" else NULL


cdef const uint8_t* take_path_id(const uint8_t* p, route_t* r) noexcept nogil:
    cdef const uint8_t* q = take_ipv4(p, &r.path_id)
    if r.has_path_id:
        return NULL
    r.has_path_id = True
    return q if q != NULL else take_u32(p, &r.path_id)


cdef const uint8_t* take_hop(const uint8_t* p, route_t* r) noexcept nogil:
    if r.has_hop:
        return NULL
    r.has_hop = True
    if literal(p, b"self"):
        r.hop_self = True
        return p + 4
    return take_address(p, r.hop, &r.hop_bits)


cdef const uint8_t* take_attribute(const uint8_t* p, route_t* r) noexcept nogil:
    # A keyword of an attribute and its value, which must not have been there before.
    cdef uint32_t code = 0
    if literal(p, b"as-path "):
        code = 2
        p = take_path(skip(p + 8), r)
    elif literal(p, b"origin "):
        code = 1
        p = skip(p + 7)
        r.sizes[1] = 1
        if literal(p, b"igp"):
            r.values[PLACE] = 0
            p += 3
        elif literal(p, b"incomplete"):
            r.values[PLACE] = 2
            p += 10
        elif literal(p, b"egp"):
            r.values[PLACE] = 1
            p += 3
        else:
            return NULL
    elif literal(p, b"community "):
        code = 8
        p = take_items(skip(p + 10), r, code, 4, take_community)
    elif literal(p, b"med "):
        code = 4
        p = take_number_of(skip(p + 4), r, code)
    elif literal(p, b"local-preference "):
        code = 5
        p = take_number_of(skip(p + 17), r, code)
    elif literal(p, b"large-community "):
        code = 32
        p = take_items(skip(p + 16), r, code, 12, take_large_community)
    elif literal(p, b"extended-community "):
        code = 16
        p = take_items(skip(p + 19), r, code, 8, take_ext_community)
    elif literal(p, b"atomic-aggregate"):
        code = 6
        r.sizes[6] = 0
        p += 16
    elif literal(p, b"aggregator "):
        code = 7
        p = take_aggregator(skip(p + 11), r)
    elif literal(p, b"originator-id "):
        code = 9
        r.sizes[9] = 4
        p = take_cluster(skip(p + 14), r.values + 9 * PLACE)
    elif literal(p, b"cluster-list "):
        code = 10
        p = take_items(skip(p + 13), r, code, 4, take_cluster)
    else:
        return NULL
    if r.seen >> code & 1:
        return NULL
    r.seen |= <uint64_t>1 << code
    return p


# ---- messages -------------------------------------------------------------------------------------------------------------

cdef uint8_t* put_header(uint8_t* out, uint8_t flags, uint8_t code, uint32_t size) noexcept nogil:
    # Of an attribute (RFC 4271 section 4.3).
    out[1] = code
    if size < 256:
        out[0] = flags
        out[2] = <uint8_t>size
        return out + 3
    out[0] = flags | 0x10
    put16(out + 2, <uint16_t>size)
    return out + 4


cdef uint8_t* put_nlri(uint8_t* out, const route_t* r) noexcept nogil:
    cdef uint32_t octets = (r.length + 7) >> 3
    if r.has_path_id:
        put32(out, r.path_id)
        out += 4
    out[0] = <uint8_t>r.length
    memcpy(out + 1, r.prefix, octets)
    return out + 1 + octets


cdef uint8_t* put_family(uint8_t* out, const route_t* r) noexcept nogil:
    put16(out, 1 if r.bits == 32 else 2)
    out[2] = 1
    return out + 3


cdef bint build(route_t* r) noexcept nogil:
    """The UPDATE that formats/exa.py makes of the same; False for what needs more thought."""
    # RFC 4271 section 5, and each attribute's own document.
    cdef const uint8_t* flags = \
        <const uint8_t*>b"\x00\x40\x40\x40\x80\x40\x40\xC0\xC0\x80\x80\x00\x00\x00\x80\x80\xC0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xC0"
    cdef uint8_t* out = r.wire + HEADER_LEN
    cdef uint8_t* attributes
    cdef uint32_t code, nlri = 1 + ((r.length + 7) >> 3) + 4 * r.has_path_id
    cdef bint plain = r.bits == 32 and r.hop_bits == 32
    cdef uint64_t rest
    r.ctx = 0
    if r.has_path_id:
        r.ctx = <ctx_t>1 << (CTX_ADDPATH_SHIFT + (FAMILY_IPV4_UNICAST if r.bits == 32 else FAMILY_IPV6_UNICAST))
    put16(out, 0)
    attributes = out + 2
    out += 4
    if r.withdraw:
        if r.bits == 32:
            put16(out - 4, <uint16_t>nlri)
            out = put_nlri(out - 2, r)
            put16(out, 0)
            out += 2
        else:
            out = put_nlri(put_family(put_header(out, 0x80, 15, 3 + nlri), r), r)
            put16(attributes, <uint16_t>(out - attributes - 2))
    else:
        rest = r.seen
        while rest:
            code = ctz64(rest)
            rest &= rest - 1
            if out - r.wire + r.sizes[code] > MAX_MESSAGE - 128:
                return False
            out = put_header(out, flags[code], <uint8_t>code, r.sizes[code])
            memcpy(out, r.values + code * PLACE, r.sizes[code])
            out += r.sizes[code]
        if plain:
            put16(attributes, <uint16_t>(out - attributes - 2))
            out = put_nlri(out, r)
        else:
            out = put_header(out, 0x80, 14, 5 + (r.hop_bits >> 3) + nlri)
            out = put_family(out, r)
            out[0] = <uint8_t>(r.hop_bits >> 3)
            memcpy(out + 1, r.hop, r.hop_bits >> 3)
            out += 1 + (r.hop_bits >> 3)
            out[0] = 0
            out = put_nlri(out + 1, r)
            put16(attributes, <uint16_t>(out - attributes - 2))
    r.wire_len = <uint32_t>(out - r.wire)
    put16(r.wire + 16, <uint16_t>r.wire_len)
    return True


cdef bint take_line(route_t* r, const uint8_t* p, const uint8_t* end) noexcept nogil:
    # One line; *end is its line feed or a copy of one. True: the message is made.
    cdef const uint8_t* q
    if literal(p, b"announce route "):
        r.withdraw = False
    elif literal(p, b"withdraw route "):
        r.withdraw = True
    else:
        return False
    r.seen = 0
    r.has_hop = r.hop_self = r.has_path_id = False
    p = after(take_prefix(skip(p + 15), r))
    while p != NULL and p[0] != c"\n":
        if literal(p, b"next-hop "):
            q = take_hop(skip(p + 9), r)
        elif literal(p, b"path-information "):
            q = take_path_id(skip(p + 17), r)
        else:
            q = take_attribute(p, r)
        p = after(q)
    if p != end:
        return False
    if r.withdraw:
        return build(r)
    if not r.has_hop:
        return False
    if r.hop_self:
        r.hop_bits = r.bits
        memset(r.hop, 0, 16)
    elif r.bits == 128 and r.hop_bits == 32:
        return False
    if not r.seen >> 1 & 1:
        r.values[PLACE] = 0
        r.sizes[1] = 1
    if not r.seen >> 2 & 1:
        r.sizes[2] = 0
    r.seen |= 6
    if r.bits == 32 and r.hop_bits == 32:
        r.seen |= 8
        memcpy(r.values + 3 * PLACE, r.hop, 4)
        r.sizes[3] = 4
    return build(r)


# ---- the decoder ----------------------------------------------------------------------------------------------------------

cdef class ExaDecoder(LineDecoder):
    """ExaBGP's text -> batches: the messages of one command after the other."""

    cdef route_t route
    cdef object parse               # bgpipe.formats.exa.parse_line, once it was needed

    def __cinit__(self, *args, **options):
        self.longest = MAX_LINE
        self.error_type = ExaError
        self.route.values = <uint8_t*>malloc((LAST_CODE + 1) * PLACE)
        self.route.wire = <uint8_t*>malloc(MAX_MESSAGE)
        if self.route.values == NULL or self.route.wire == NULL:
            raise MemoryError()
        memset(self.route.wire, 0xFF, 16)
        self.route.wire[18] = TYPE_UPDATE

    def __dealloc__(self):
        free(self.route.values)
        free(self.route.wire)

    cdef bint take(self, const uint8_t* p, const uint8_t* end) noexcept nogil:
        return take_line(&self.route, p, end)

    cdef int deliver(self, Batch b) except -1 nogil:
        cdef msg_t* m
        cdef uint8_t* wire
        if not wanted_type(self.types, TYPE_UPDATE):
            return 1
        wire = b.alloc(self.route.wire_len)
        memcpy(wire, self.route.wire, self.route.wire_len)
        m = b.add()
        m.wire = wire
        m.len = self.route.wire_len
        m.type = TYPE_UPDATE
        m.time = now_ns()
        m.peer = no_peer()
        m.ctx = self.route.ctx
        m.flags = self.direction
        self.mark(m)
        return 1

    cdef int lenient(self, Batch b, const uint8_t* p, Py_ssize_t n, uint64_t offset) except -1:
        cdef msg_t* m
        cdef bytes key, wire
        if self.parse is None:
            from bgpipe.formats.exa import parse_line
            self.parse = parse_line
        self.fallbacks += 1
        try:
            found = self.parse(PyBytes_FromStringAndSize(<const char*>p, n))
        except InputError as e:
            return self.damaged(b, f", {e}", offset)
        for wire, addpath, tags in found:
            if not wanted_type(self.types, wire[18]):
                continue
            m = self.put(b, wire)
            m.time = now_ns()
            if tags:
                key = pack_pairs(tags)
                m.peer = self.intern(b, <const uint8_t*>PyBytes_AS_STRING(key), <uint32_t>PyBytes_GET_SIZE(key), tags)
            else:
                m.peer = no_peer()
            for afi, safi in addpath:
                m.ctx |= <ctx_t>1 << (CTX_ADDPATH_SHIFT + family(afi, safi))
            m.flags = self.direction
            self.mark(m)
        return 0
