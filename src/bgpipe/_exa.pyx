# cython: language_level=3
"""Wire -> ExaBGP's text, a line a prefix, without the GIL (docs/formats.md).

The attributes of an UPDATE are put once, then copied behind each of its prefixes. What the words of ExaBGP do not say goes as
`attribute [ 0xCODE 0xFLAGS 0xOCTETS ]`, which every version takes; what no command says is a comment, and counted. Comments
are made of fixed words and numbers alone: ExaBGP looks for its commands anywhere in a line, so nothing that a peer chose may stand there.

Every `put_` function writes at `out` and returns the place behind it; the room was reserved before.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from bgpipe._check cimport check, family
from bgpipe._codec cimport Batch, Buffer, Encoder
from bgpipe._json_text cimport kept, lit, put_address, put_ipv4, put_number, put_text
from bgpipe._message cimport (
    CTX_AS2, FAMILY_IPV4_UNICAST, STATUS_OK, STATUS_UNKNOWN, TYPE_KEEPALIVE, TYPE_NOTIFICATION, TYPE_OPEN, TYPE_ROUTE_REFRESH, TYPE_UPDATE,
    attr_t, ctx_t, has_addpath, msg_t, next_attr,
)
from bgpipe._wire cimport ASAN, be16, be32

from bgpipe import names
from bgpipe.errors import InputError

cdef enum:
    HEADER_LEN = 19
    PIECE = 256                    # more than a line takes besides its attributes
    LISTED = 1024                  # prefixes of one `attributes ... nlri` at most: no longer, nor more, than readers let a line be
    SPREAD = 128                   # how many times longer than a message its lines may be, before they are put together
    UNICAST = 1
    MULTICAST = 2

cdef const char* SAFI_WORDS[256]


cdef int fill_tables() except -1:
    for word, safi in names.EXA_SAFIS.items():
        if SAFI_WORDS[<uint8_t>safi] == NULL:
            SAFI_WORDS[<uint8_t>safi] = kept(word)
    return 0


fill_tables()

# What is not said of a message, and in which words.
cdef enum:
    SAID = 0
    NOT_PARSED = 1
    NO_NEXT_HOP = 2
    NO_ROUTES = 3
    NO_WORDS = 4
    TOO_LONG = 5
    NO_REFRESH = 6

REASONS = {
    NOT_PARSED: "does not parse",
    NO_NEXT_HOP: "has prefixes without a next hop",
    NO_ROUTES: "has attributes and no prefixes",
    NO_WORDS: "has routes of a family that is not written as commands of ExaBGP",
    TOO_LONG: "has too many prefixes for its attributes: its lines would take too much room",
    NO_REFRESH: "is more than a plain request",
}


# ---- attributes ---------------------------------------------------------------------------------------------------------

cdef inline uint8_t* put_octets(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # Hex digits, nothing around them
    cdef const char* digits = b"0123456789abcdef"
    cdef uint32_t i
    for i in range(n):
        out[0] = digits[p[i] >> 4]
        out[1] = digits[p[i] & 15]
        out += 2
    return out


cdef uint8_t* put_generic(uint8_t* out, uint8_t code, uint8_t flags, const uint8_t* p, uint32_t n, ctx_t ctx) noexcept nogil:
    # Any attribute. AS numbers of 2 octets become 4, as they are with everyone who reads this.
    cdef const uint8_t* end = p + n
    cdef uint32_t i
    cdef uint8_t zeros[2]
    zeros[0] = zeros[1] = 0
    out = put_octets(lit(out, b" attribute [ 0x", 15), &code, 1)
    out = put_octets(lit(out, b" 0x", 3), &flags, 1)
    out = lit(out, b" 0x", 3)
    if code == 2 and ctx & CTX_AS2:
        while p < end:
            out = put_octets(out, p, 2)
            for i in range(p[1]):
                out = put_octets(put_octets(out, zeros, 2), p + 2 + 2 * i, 2)
            p += 2 + 2 * p[1]
    elif code == 7 and ctx & CTX_AS2:
        out = put_octets(put_octets(out, zeros, 2), p, n)
    else:
        out = put_octets(out, p, n)
    return lit(out, b" ]", 2)


cdef uint8_t* put_path(uint8_t* out, const uint8_t* p, uint32_t n, uint32_t as_len) noexcept nogil:
    # AS_SEQUENCEs as one list. NULL for sets, which the versions of ExaBGP write in different ways, for confederations, and where a
    # sequence ends before it is full.
    cdef const uint8_t* end = p + n
    cdef uint32_t i, count = 255
    out = lit(out, b" as-path [ ", 11)
    while p < end:
        if p[0] != 2 or count != 255:
            return NULL
        count = p[1]
        p += 2
        for i in range(count):
            out = put_number(out, be32(p) if as_len == 4 else be16(p))
            out[0] = c" "
            out += 1
            p += as_len
    out[0] = c"]"
    return out + 1


cdef uint8_t* put_communities(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef const uint8_t* end = p + n
    cdef uint32_t value
    out = lit(out, b" community [ ", 13)
    while p < end:
        value = be32(p)
        if value == 0xFFFFFF01U:
            out = lit(out, b"no-export", 9)
        elif value == 0xFFFFFF02U:
            out = lit(out, b"no-advertise", 12)
        elif value == 0xFFFFFF03U:
            out = lit(out, b"no-export-subconfed", 19)
        elif value == 0xFFFFFF04U:
            out = lit(out, b"no-peer", 7)
        elif value == 0xFFFF029AU:
            out = lit(out, b"blackhole", 9)
        else:
            out = put_number(out, value >> 16)
            out[0] = c":"
            out = put_number(out + 1, value & 0xFFFF)
        out[0] = c" "
        out += 1
        p += 4
    out[0] = c"]"
    return out + 1


cdef uint8_t* put_large_communities(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef const uint8_t* end = p + n
    out = lit(out, b" large-community [ ", 19)
    while p < end:
        out = put_number(out, be32(p))
        out[0] = c":"
        out = put_number(out + 1, be32(p + 4))
        out[0] = c":"
        out = put_number(out + 1, be32(p + 8))
        out[0] = c" "
        out += 1
        p += 12
    out[0] = c"]"
    return out + 1


cdef uint8_t* put_ext_communities(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # Those that all versions read alike by name (RFC 4360 sections 4 and 5), others as hex.
    cdef const uint8_t* end = p + n
    cdef uint32_t kind
    out = lit(out, b" extended-community [ ", 22)
    while p < end:
        kind = be16(p)
        if kind == 0x0002 or kind == 0x0003:
            out = lit(out, b"target:" if kind == 0x0002 else b"origin:", 7)
            out = put_number(out, be16(p + 2))
            out[0] = c":"
            out = put_number(out + 1, be32(p + 4))
        else:
            out = put_octets(lit(out, b"0x", 2), p, 8)
        out[0] = c" "
        out += 1
        p += 8
    out[0] = c"]"
    return out + 1


cdef uint8_t* put_clusters(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef const uint8_t* end = p + n
    out = lit(out, b" cluster-list [ ", 16)
    while p < end:
        out = put_ipv4(out, be32(p))
        out[0] = c" "
        out += 1
        p += 4
    out[0] = c"]"
    return out + 1


cdef uint8_t* put_words(uint8_t* out, uint8_t code, const uint8_t* p, uint32_t n, ctx_t ctx) noexcept nogil:
    # The attribute in words of all versions; NULL where it has none.
    if code == 1:
        if n != 1 or p[0] > 2:
            return NULL
        return put_text(out, b" origin igp" if p[0] == 0 else b" origin egp" if p[0] == 1 else b" origin incomplete")
    if code == 2:
        return put_path(out, p, n, 2 if ctx & CTX_AS2 else 4)
    if code == 4:
        return put_number(lit(out, b" med ", 5), be32(p)) if n == 4 else NULL
    if code == 5:
        return put_number(lit(out, b" local-preference ", 18), be32(p)) if n == 4 else NULL
    if code == 6:
        return lit(out, b" atomic-aggregate", 17) if n == 0 else NULL
    if code == 7:
        if n != 8 and n != 6:
            return NULL
        out = put_number(lit(out, b" aggregator ( ", 14), be32(p) if n == 8 else be16(p))
        out[0] = c":"
        return lit(put_ipv4(out + 1, be32(p + n - 4)), b" )", 2)
    if code == 8:
        return put_communities(out, p, n) if n and n & 3 == 0 else NULL
    if code == 9:
        return put_ipv4(lit(out, b" originator-id ", 15), be32(p)) if n == 4 else NULL
    if code == 10:
        return put_clusters(out, p, n) if n and n & 3 == 0 else NULL
    if code == 16:
        return put_ext_communities(out, p, n) if n and n & 7 == 0 else NULL
    if code == 32:
        return put_large_communities(out, p, n) if n and n % 12 == 0 else NULL
    return NULL


# ---- routes ---------------------------------------------------------------------------------------------------------------

# Some routes of one family, and what stands in front of and behind each of them.
cdef struct routes_t:
    const uint8_t* p
    const uint8_t* end
    const uint8_t* hop             # NULL for a withdrawal
    const uint8_t* text            # the attributes
    uint32_t text_len, hop_len
    uint32_t afi, safi
    bint addpath


cdef uint8_t* put_start(uint8_t* out, const routes_t* r) noexcept nogil:
    out = put_text(out, b"announce " if r.hop != NULL else b"withdraw ")
    if r.safi == UNICAST:
        return lit(out, b"route ", 6)
    return put_text(out, b"ipv4 multicast " if r.afi == 1 else b"ipv6 multicast ")


cdef const uint8_t* put_prefix(uint8_t** at, const uint8_t* p, const routes_t* r) noexcept nogil:
    # The packed prefix at p, whose path id is behind it; returns the place behind what it read. It was checked before.
    cdef uint8_t address[16]
    cdef uint32_t bits = p[0], octets = (p[0] + 7) >> 3, i
    for i in range(16):
        address[i] = p[1 + i] if i < octets else 0
    if bits & 7:
        address[octets - 1] &= ~(0xFF >> (bits & 7))
    at[0] = put_address(at[0], address, 4 if r.afi == 1 else 16)
    at[0][0] = c"/"
    at[0] = put_number(at[0] + 1, bits)
    return p + 1 + octets


cdef uint8_t* put_hop(uint8_t* out, const routes_t* r) noexcept nogil:
    return put_address(lit(out, b" next-hop ", 10), r.hop, 4 if r.hop_len == 4 else 16)


cdef uint8_t* put_path_id(uint8_t* out, uint32_t path_id) noexcept nogil:
    return put_ipv4(lit(out, b" path-information ", 18), path_id)


cdef uint32_t count_routes(const routes_t* r) noexcept nogil:
    cdef const uint8_t* p = r.p
    cdef uint32_t n = 0
    while p < r.end:
        p += 4 * r.addpath
        p += 1 + ((p[0] + 7) >> 3)
        n += 1
    return n


cdef int put_each(Buffer out, const routes_t* r) except -1 nogil:
    # A line a prefix.
    cdef const uint8_t* p = r.p
    cdef uint8_t* at
    cdef uint32_t path_id = 0
    while p < r.end:
        if ASAN or out.cap - out.len < r.text_len + PIECE:
            out.reserve(r.text_len + PIECE)
        if r.addpath:
            path_id = be32(p)
            p += 4
        at = put_start(out.data + out.len, r)
        p = put_prefix(&at, p, r)
        if r.hop != NULL:
            at = put_hop(at, r)
        if r.addpath:
            at = put_path_id(at, path_id)
        if r.hop != NULL:
            memcpy(at, r.text, r.text_len)
            at += r.text_len
        at[0] = c"\n"
        out.len = at + 1 - out.data
    return 0


cdef int put_together(Buffer out, const routes_t* r, Py_ssize_t most) except -1 nogil:
    # Prefixes in a row with the same path id in one line. Not 0: they take more than `most` octets, and the rest was left out.
    cdef const uint8_t* p = r.p
    cdef Py_ssize_t start = out.len
    cdef uint8_t* at
    cdef uint32_t path_id = 0, n
    while p < r.end:
        if out.len - start + r.text_len > most:
            return TOO_LONG
        out.reserve(r.text_len + PIECE)
        at = put_hop(lit(out.data + out.len, b"announce attributes", 19), r)
        if r.addpath:
            path_id = be32(p)
            at = put_path_id(at, path_id)
        memcpy(at, r.text, r.text_len)
        at = lit(at + r.text_len, b" nlri", 5)
        out.len = at - out.data
        n = 0
        while p < r.end and n < LISTED and (not r.addpath or be32(p) == path_id):
            if ASAN or out.cap - out.len < PIECE:
                out.reserve(PIECE)
            at = out.data + out.len
            at[0] = c" "
            at += 1
            p = put_prefix(&at, p + 4 * r.addpath, r)
            out.len = at - out.data
            n += 1
        out.data[out.len] = c"\n"
        out.len += 1
    return 0


cdef inline Py_ssize_t longest(uint32_t message_len) noexcept nogil:
    # Octets of all lines of a message: few of its own can ask for long ones, over and over.
    return 65536 + SPREAD * <Py_ssize_t>message_len


cdef int put_routes(Buffer out, const routes_t* r, uint32_t message_len) except -1 nogil:
    cdef Py_ssize_t most = longest(message_len)
    if r.hop == NULL or r.safi != UNICAST or count_routes(r) * <Py_ssize_t>(r.text_len + 64) <= most:
        return put_each(out, r)
    return put_together(out, r, most)


# ---- messages -------------------------------------------------------------------------------------------------------------

@cython.final
cdef class ExaEncoder(Encoder):
    """Batches -> ExaBGP's text, a line a prefix (docs/formats.md)."""

    cdef Buffer text                # the attributes of an UPDATE
    cdef object write               # bgpipe.formats.exa.writing.lines, once it was needed

    def __cinit__(self, *args, **options):
        self.text = Buffer()

    cpdef int encode(self, Batch b, Buffer out) except -1:
        """Append the messages of `b` that are wanted and not dropped to `out`, a line a prefix."""
        cdef msg_t* m
        cdef msg_t* end
        cdef uint64_t count = 0
        cdef uint8_t known
        cdef int unsaid
        if b is None or out is None:
            raise TypeError("encode() takes a Batch and a Buffer")
        m = b.msgs
        end = m + b.n
        with nogil:
            while m < end:
                if self.wanted(m):
                    known = m.status
                    if known == STATUS_UNKNOWN:
                        check(m, NULL)
                        b.failed += m.status > STATUS_OK
                    out.reserve(PIECE)
                    if m.status > STATUS_OK:
                        unsaid = NOT_PARSED
                    elif m.type == TYPE_UPDATE:
                        unsaid = self.put_update(m, out)
                    else:
                        unsaid = put_other(m, out)
                    if unsaid:
                        out.reserve(PIECE)
                        put_comment(m, out)
                        with gil:
                            self.leave_out(m, unsaid)
                    count += 1
                m += 1
        self.written += count
        out.messages += count
        return 0

    cdef int leave_out(self, const msg_t* m, int why) except -1:
        return self.skip(InputError(f"message {m.seq} {REASONS[why]}"))

    cdef int put_update(self, const msg_t* m, Buffer out) except -1 nogil:
        """The lines of an UPDATE that parses. Not 0: why not all of it could be said."""
        cdef const uint8_t* p = m.wire + HEADER_LEN
        cdef const uint8_t* end = m.wire + m.len
        cdef const uint8_t* attributes = p + 2 + be16(p)
        cdef const uint8_t* nlri = attributes + 2 + be16(attributes)
        cdef const uint8_t* reach = NULL
        cdef const uint8_t* unreach = NULL
        cdef const uint8_t* hop = NULL
        cdef uint8_t* text
        cdef uint8_t* at
        cdef uint8_t* next
        cdef uint32_t reach_len = 0, unreach_len = 0, usual
        cdef attr_t a
        cdef int unsaid = SAID, found
        cdef routes_t r
        self.text.len = 0
        self.text.reserve(10 * <Py_ssize_t>m.len + 4096)
        text = at = self.text.data
        r.p = p + 2
        r.end = attributes
        p = attributes + 2
        while next_attr(&p, nlri, &a):
            if a.code == 14:
                reach = a.value
                reach_len = a.length
            elif a.code == 15:
                unreach = a.value
                unreach_len = a.length
            elif a.code == 3 and a.length == 4:
                hop = a.value
            else:
                # The words say the usual flags: RFC 4271 section 5, and each attribute's own document. That it passed a router which did
                # not know it (the partial bit) they leave out.
                usual = 0xC0 if a.code in (7, 8, 16, 32) else 0x80 if a.code in (4, 9, 10) else 0x40
                next = put_words(at, a.code, a.value, a.length, m.ctx) if a.flags & 0xCF == usual else NULL
                at = next if next != NULL else put_generic(at, a.code, a.flags, a.value, a.length, m.ctx)
        r.text = text
        r.text_len = <uint32_t>(at - text)
        r.afi = 1
        r.safi = UNICAST
        r.addpath = has_addpath(m.ctx, FAMILY_IPV4_UNICAST)
        r.hop = NULL
        r.hop_len = 4
        if r.p < r.end:
            put_routes(out, &r, m.len)
        elif nlri == end and reach == NULL and unreach == NULL:
            if at != text or hop != NULL:
                return NO_ROUTES
            return put_end_of_rib(out, 1, UNICAST)
        if unreach != NULL:
            if unreach_len == 3 and r.p == r.end and nlri == end and reach == NULL and at == text:
                return put_end_of_rib(out, be16(unreach), unreach[2])
            unsaid = self.put_mp(m, out, r, unreach, unreach + unreach_len, False)
        if nlri < end:
            r.p = nlri
            r.end = end
            r.hop = hop
            found = put_routes(out, &r, m.len) if hop != NULL else NO_NEXT_HOP
            unsaid = unsaid or found
        if reach != NULL:
            found = self.put_mp(m, out, r, reach, reach + reach_len, True)
            unsaid = unsaid or found
        return unsaid

    cdef int put_mp(self, const msg_t* m, Buffer out, routes_t r, const uint8_t* p, const uint8_t* end, bint reach) except -1 nogil:
        """The routes of MP_REACH_NLRI or MP_UNREACH_NLRI (RFC 4760)."""
        r.afi = be16(p)
        r.safi = p[2]
        r.hop = NULL
        p += 3
        if reach:
            r.hop_len = p[0]
            r.hop = p + 1
            p += 2 + r.hop_len
        if p == end:
            return SAID
        r.p = p
        r.end = end
        r.addpath = has_addpath(m.ctx, family(<uint16_t>r.afi, <uint8_t>r.safi))
        if r.afi not in (1, 2) or r.safi not in (UNICAST, MULTICAST):
            with gil:
                return self.put_rare(out, &r, m.len)
        if reach and not (r.hop_len in (16, 32) or (r.hop_len == 4 and r.afi == 1)):
            return NO_NEXT_HOP
        return put_routes(out, &r, m.len)


    cdef int put_rare(self, Buffer out, const routes_t* r, uint32_t message_len) except -1:
        """Routes of families that formats/exa/writing.py knows."""
        if self.write is None:
            from bgpipe.formats.exa.writing import lines
            self.write = lines
        hop = None if r.hop == NULL else PyBytes_FromStringAndSize(<const char*>r.hop, r.hop_len)
        nlri = PyBytes_FromStringAndSize(<const char*>r.p, r.end - r.p)
        words = PyBytes_FromStringAndSize(<const char*>r.text, r.text_len).decode("ascii")
        text = self.write(r.afi, r.safi, hop, nlri, bool(r.addpath), words, longest(message_len))
        if text is None:
            return NO_WORDS
        made = text.encode("ascii")
        out.append(PyBytes_AS_STRING(made), PyBytes_GET_SIZE(made))
        return SAID


cdef int put_end_of_rib(Buffer out, uint32_t afi, uint8_t safi) noexcept nogil:
    # RFC 4724 section 2
    return put_of_family(out, b"announce eor ", afi, safi)


cdef int put_of_family(Buffer out, const char* command, uint32_t afi, uint8_t safi) noexcept nogil:
    cdef uint8_t* at = put_text(out.data + out.len, command)
    if SAFI_WORDS[safi] == NULL or not (afi in (1, 2, 25) or afi == 16388):
        return NO_WORDS
    at = put_text(at, b"ipv4 " if afi == 1 else b"ipv6 " if afi == 2 else b"l2vpn " if afi == 25 else b"bgp-ls ")
    at = put_text(at, SAFI_WORDS[safi])
    at[0] = c"\n"
    out.len = at + 1 - out.data
    return SAID


cdef int put_other(const msg_t* m, Buffer out) noexcept nogil:
    # A message that parses and is no UPDATE. What belongs to a session is a comment.
    if m.type == TYPE_ROUTE_REFRESH:
        if m.len != HEADER_LEN + 4 or m.wire[HEADER_LEN + 2]:
            return NO_REFRESH
        return put_of_family(out, b"announce route-refresh ", be16(m.wire + HEADER_LEN), m.wire[HEADER_LEN + 3])
    put_comment(m, out)
    return SAID


cdef void put_comment(const msg_t* m, Buffer out) noexcept nogil:
    # In a line of its own, which keeps its place; the room is there.
    cdef uint8_t* at = out.data + out.len
    if m.type == TYPE_UPDATE:
        at = put_text(at, b"# UPDATE, not all of it")
    elif m.type == TYPE_OPEN:
        at = put_text(at, b"# OPEN")
    elif m.type == TYPE_KEEPALIVE:
        at = put_text(at, b"# KEEPALIVE")
    elif m.type == TYPE_NOTIFICATION:
        at = put_text(at, b"# NOTIFICATION")
        if m.len >= HEADER_LEN + 2:
            at[0] = c" "
            at = put_number(at + 1, m.wire[HEADER_LEN])
            at[0] = c"/"
            at = put_number(at + 1, m.wire[HEADER_LEN + 1])
    elif m.type == TYPE_ROUTE_REFRESH:
        at = put_text(at, b"# ROUTE-REFRESH")
    else:
        at = put_number(put_text(at, b"# message of type "), m.type)
    at[0] = c"\n"
    out.len = at + 1 - out.data
