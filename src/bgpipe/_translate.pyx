# cython: language_level=3
"""Messages for a peer, as its session wants them: AS numbers of two or four octets (RFC 6793), path ids (RFC 7911), and no longer than
it takes them (RFC 8654).

What is in the right context already leaves as the very bytes that it is (RawEncoder). Any other UPDATE is taken apart in a room of the
encoder's own, and put together in what is sent, or divided by its prefixes. The batch stays as it is.
"""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from bgpipe._as_path cimport AS_TRANS, as4_counts, begin_path, join_as4, path_t
from bgpipe._check cimport check, family, message_error, nlri_size
from bgpipe._codec cimport Batch, Buffer, RawEncoder
from bgpipe._message cimport CTX_AS2, CTX_EXTENDED, STATUS_OK, STATUS_UNKNOWN, TYPE_UPDATE, attr_t, ctx_t, has_addpath, msg_t
from bgpipe._edit cimport (
    AGGREGATOR, AROUND, AS4_AGGREGATOR, AS4_PATH, AS_PATH, HEADER_LEN, LONGEST, LONGEST_ATTRS, LONGEST_EXTENDED, MP_REACH, MP_UNREACH,
    division_t, mp_t, next_attr, part, part_t, piece_t, pieces_t, put_divided, put_head, put_part, put_wide, split_mp,
)
from bgpipe._wire cimport be16, be32, put16, put32

from bgpipe.errors import InputError

cdef enum:
    PATH_ID = 0                             # of what came without one; RFC 7911 section 3 gives no number a meaning
    CONFEDERATION = 3                       # RFC 5065 section 3: this type of segment, and the one above
    TRANSITIVE = 0xC0                       # flags of AS4_PATH and AS4_AGGREGATOR (RFC 6793 section 3)

cdef enum:                                  # why a message is left out
    UNPARSED
    NO_LAYOUT
    TOO_LONG
    TOO_LONG_FOR_ANY


# ---- values -----------------------------------------------------------------------------------------------------------------
cdef uint32_t narrow_path(const uint8_t* p, uint32_t n, uint8_t* out) noexcept nogil:
    # AS_PATH in two octets.
    cdef const uint8_t* end = p + n
    cdef uint8_t* start = out
    cdef uint32_t i, number
    while p < end:
        out[0] = p[0]
        out[1] = p[1]
        out += 2
        for i in range(p[1]):
            number = be32(p + 2 + 4 * i)
            put16(out, <uint16_t>(number if number <= 0xFFFF else AS_TRANS))
            out += 2
        p += 2 + 4 * p[1]
    return <uint32_t>(out - start)


cdef bint needs_as4(part_t path) noexcept nogil:
    # Whether AS_PATH loses something in two octets that AS4_PATH can tell: that has no segments of a confederation.
    cdef const uint8_t* p = path.p
    cdef const uint8_t* end = p + path.len
    cdef uint32_t i
    while p < end:
        for i in range(p[1] if p[0] < CONFEDERATION else 0):
            if be16(p + 2 + 4 * i):
                return True
        p += 2 + 4 * p[1]
    return False


cdef bint put_nlri(uint16_t afi, uint8_t safi, part_t* nlri, ctx_t was, ctx_t ctx, uint8_t** out) noexcept nogil:
    # The same prefixes with a path id each, or without; in `out` where they change. False: the layout of the family is not known.
    cdef uint32_t index = family(afi, safi)
    cdef bint had = has_addpath(was, index)
    cdef const uint8_t* p = nlri.p
    cdef const uint8_t* end = p + nlri.len
    cdef uint8_t* o = out[0]
    cdef uint32_t size
    if had == has_addpath(ctx, index) or p == end:
        return True
    while p < end:
        size = nlri_size(afi, safi, p, <uint32_t>(end - p), had)
        if size == 0:
            return False
        if had:
            o = put_part(o, part(p + 4, size - 4))
        else:
            put32(o, PATH_ID)
            o = put_part(o + 4, part(p, size))
        p += size
    nlri[0] = part(out[0], o - out[0])
    out[0] = o
    return True


cdef uint8_t* put_attr(uint8_t* out, uint8_t flags, uint8_t code, uint32_t n) noexcept nogil:
    # An attribute whose value stands at out + 4 already.
    cdef uint32_t head = put_head(out, flags, code, n)
    if head != 4:
        memmove(out + head, out + 4, n)
    return out + head + n


cdef struct paths_t:                        # what AS numbers stand in
    part_t path, as4_path, aggregator, as4_aggregator


cdef paths_t find_paths(const uint8_t* p, const uint8_t* end) noexcept nogil:
    cdef paths_t found
    cdef attr_t a
    memset(&found, 0, sizeof(found))
    while p < end:
        p = next_attr(p, &a)
        if a.code == AS_PATH:
            found.path = part(a.value, a.length)
        elif a.code == AGGREGATOR:
            found.aggregator = part(a.value, a.length)
        elif a.code == AS4_PATH:
            found.as4_path = part(a.value, a.length)
        elif a.code == AS4_AGGREGATOR:
            found.as4_aggregator = part(a.value, a.length)
    return found


cdef uint8_t* narrow_attrs(const uint8_t* p, const uint8_t* end, uint8_t* out, division_t* d) noexcept nogil:
    # Attributes for who takes AS numbers of two octets (RFC 6793 section 4.2.2). Who sends those of four puts no others beside them; if
    # there are any, they go (section 6).
    cdef paths_t found = find_paths(p, end)
    cdef const uint8_t* behind
    cdef bint path = needs_as4(found.path)
    cdef bint aggregator = found.aggregator.p != NULL and be16(found.aggregator.p) != 0
    cdef path_t plain
    cdef attr_t a
    a.code = 255
    while True:
        behind = next_attr(p, &a) if p < end else NULL
        if path and (behind == NULL or a.code > AS4_PATH):
            path = False
            begin_path(&plain, found.path.p, <uint32_t>found.path.len, 4)
            out = put_attr(out, TRANSITIVE, AS4_PATH, put_wide(&plain, False, out + 4))
        if aggregator and (behind == NULL or a.code > AS4_AGGREGATOR):
            aggregator = False
            put_part(out + 4, found.aggregator)
            out = put_attr(out, TRANSITIVE, AS4_AGGREGATOR, 8)
        if behind == NULL:
            return out
        if a.code == AS_PATH:
            out = put_attr(out, a.flags, AS_PATH, narrow_path(a.value, a.length, out + 4))
        elif a.code == AGGREGATOR:
            put16(out + 4, AS_TRANS if be16(a.value) else be16(a.value + 2))
            memcpy(out + 6, a.value + 4, 4)
            out = put_attr(out, a.flags, AGGREGATOR, 6)
        elif a.code != AS4_PATH and a.code != AS4_AGGREGATOR:
            out = put_other(out, p, behind, &a, d)
        p = behind


cdef uint8_t* widen_attrs(const uint8_t* p, const uint8_t* end, uint8_t* out, division_t* d) noexcept nogil:
    # Attributes for who takes AS numbers of four octets (RFC 6793 section 4.2.3). NULL: the path gets longer than an attribute may be.
    cdef paths_t found = find_paths(p, end)
    cdef bint hidden = found.aggregator.p != NULL and be16(found.aggregator.p) == AS_TRANS
    cdef bint counts = as4_counts(found.aggregator.p, <uint32_t>found.aggregator.len, found.as4_aggregator.p != NULL)
    cdef const uint8_t* behind
    cdef uint32_t size
    cdef path_t whole
    cdef attr_t a
    while p < end:
        behind = next_attr(p, &a)
        if a.code == AS_PATH:
            begin_path(&whole, a.value, a.length, 2)
            if counts:
                join_as4(&whole, found.as4_path.p, <uint32_t>found.as4_path.len)
            size = put_wide(&whole, True, out + 4)
            if size > LONGEST_ATTRS:
                return NULL
            out = put_attr(out, a.flags, AS_PATH, size)
        elif a.code == AGGREGATOR:
            if hidden and found.as4_aggregator.p != NULL:
                put_part(out + 4, found.as4_aggregator)
            else:
                put32(out + 4, be16(a.value))
                memcpy(out + 8, a.value + 2, 4)
            out = put_attr(out, a.flags, AGGREGATOR, 8)
        elif a.code != AS4_PATH and a.code != AS4_AGGREGATOR:
            out = put_other(out, p, behind, &a, d)
        p = behind
    return out


cdef uint8_t* same_attrs(const uint8_t* p, const uint8_t* end, uint8_t* out, division_t* d) noexcept nogil:
    cdef const uint8_t* behind
    cdef attr_t a
    while p < end:
        behind = next_attr(p, &a)
        out = put_other(out, p, behind, &a, d)
        p = behind
    return out


cdef inline uint8_t* put_other(uint8_t* out, const uint8_t* p, const uint8_t* behind, const attr_t* a, division_t* d) noexcept nogil:
    # An attribute without AS numbers. Those with prefixes stand apart from the rest.
    if a.code != MP_REACH and a.code != MP_UNREACH:
        return put_part(out, part(p, behind - p))
    split_mp(a, &d.mp[d.mps])
    d.mp[d.mps].place = out - d.base.p
    d.mps += 1
    return out


# ---- messages ---------------------------------------------------------------------------------------------------------------
cdef bint take_apart(const msg_t* m, ctx_t ctx, uint8_t* room, division_t* d) noexcept nogil:
    # An UPDATE that parses, in parts, as they have to be in `ctx`. room: 8 octets for each of the message, and 128 more. False: there
    # are prefixes of which nobody knows where the next one begins.
    cdef const uint8_t* attrs = m.wire + HEADER_LEN + 4 + be16(m.wire + HEADER_LEN)
    cdef const uint8_t* reach = attrs + be16(attrs - 2)
    cdef uint8_t* prefixes = room + 3 * m.len + 128                         # AS numbers double; a path id and the shortest prefix are five octets
    cdef uint8_t* out = room
    cdef uint32_t i
    cdef mp_t* mp
    memset(d, 0, sizeof(division_t))
    d.ctx = ctx
    d.header = m.wire
    d.withdrawn = part(m.wire + HEADER_LEN + 2, attrs - 2 - (m.wire + HEADER_LEN + 2))
    d.nlri = part(reach, m.wire + m.len - reach)
    d.base.p = room
    if not (m.ctx ^ ctx) & CTX_AS2:
        out = same_attrs(attrs, reach, room, d)
    elif ctx & CTX_AS2:
        out = narrow_attrs(attrs, reach, room, d)
    else:
        out = widen_attrs(attrs, reach, room, d)
    d.base.len = out - room if out != NULL else LONGEST_ATTRS               # with these there can be no message
    for i in range(d.mps):
        mp = &d.mp[i]
        if not put_nlri(be16(mp.front.p), mp.front.p[2], &mp.nlri, m.ctx, ctx, &prefixes):
            return False
    put_nlri(1, 1, &d.withdrawn, m.ctx, ctx, &prefixes)
    put_nlri(1, 1, &d.nlri, m.ctx, ctx, &prefixes)
    return True


cdef int put_whole(const division_t* d, size_t limit, Buffer out) except -1 nogil:
    # One message of all parts, if it is not too long; returns whether it was not.
    cdef size_t size = AROUND + d.withdrawn.len + d.base.len + d.nlri.len
    cdef size_t value, at = 0
    cdef uint32_t i
    cdef uint8_t* start
    cdef uint8_t* attrs
    cdef uint8_t* p
    for i in range(d.mps):
        value = d.mp[i].front.len + d.mp[i].nlri.len
        size += 3 + value + (value > 255 or d.mp[i].flags & 0x10 != 0)
    if size > limit:
        return 0
    out.reserve(size)
    start = p = out.data + out.len
    p = put_part(p, part(d.header, HEADER_LEN))
    put16(start + 16, <uint16_t>size)
    put16(p, <uint16_t>d.withdrawn.len)
    p = put_part(p + 2, d.withdrawn) + 2
    attrs = p
    for i in range(d.mps):
        p = put_part(p, part(d.base.p + at, d.mp[i].place - at))
        at = d.mp[i].place
        p += put_head(p, d.mp[i].flags, d.mp[i].code, <uint32_t>(d.mp[i].front.len + d.mp[i].nlri.len))
        p = put_part(put_part(p, d.mp[i].front), d.mp[i].nlri)
    p = put_part(p, part(d.base.p + at, d.base.len - at))
    put16(attrs - 2, <uint16_t>(p - attrs))
    put_part(p, d.nlri)
    out.len += size
    return 1


@cython.final
cdef class PeerEncoder(RawEncoder):
    """Batches -> BGP messages for one peer, in the context that it has agreed on."""

    cdef Buffer room

    def __init__(self, context=None, **options):
        super().__init__(**options)
        self.context = context
        self.room = Buffer()

    @property
    def context(self):
        return self.ctx if self.bound else None

    @context.setter
    def context(self, context):
        self.bound = context is not None
        self.ctx = context or 0
        self.limit = LONGEST if self.bound and not self.ctx & CTX_EXTENDED else LONGEST_EXTENDED

    cdef int put_other(self, const msg_t* message, Buffer out) except -1 nogil:
        cdef msg_t m = message[0]           # what is found out about it is not for the batch: this may run more than once
        cdef division_t d
        cdef bint other = (m.ctx ^ self.ctx) & ~<ctx_t>CTX_EXTENDED != 0
        if m.type != TYPE_UPDATE or not other and m.len <= self.limit:
            if m.len > self.limit:
                return self.leave_out(&m, TOO_LONG)
            out.append(m.wire, m.len)
            self.written += 1
            return 0
        if m.status == STATUS_UNKNOWN:
            check(&m, NULL)
        if m.status > STATUS_OK:
            return self.leave_out(&m, UNPARSED)
        self.room.reserve(8 * m.len + 128)
        if not take_apart(&m, self.ctx, self.room.data, &d):
            return self.leave_out(&m, NO_LAYOUT)
        if put_whole(&d, self.limit, out):
            self.written += 1
            return 0
        d.limit = self.limit
        d.withdraws = True
        return self.divide(&m, &d, out)

    cdef int divide(self, msg_t* m, division_t* d, Buffer out) except -1 with gil:
        cdef Batch parts = Batch()
        cdef pieces_t pieces
        cdef const piece_t* piece
        pieces.first = pieces.last = NULL
        parts.add_copy(m)
        put_divided(parts, &pieces, d)
        if d.made:
            out.append(parts.msgs.wire, parts.msgs.len)
        piece = pieces.first
        while piece != NULL:
            out.append(piece.wire, piece.len)
            piece = piece.next
        self.written += d.made
        if d.lost or not d.made:
            self.leave_out(m, TOO_LONG_FOR_ANY)
        return 0

    cdef int leave_out(self, msg_t* m, uint8_t why) except -1 with gil:
        what = f"message {m.seq}"
        if why == UNPARSED:
            text = f"{what} is left out: the peer wants it in another form, and it does not parse: {message_error(m)}"
        elif why == NO_LAYOUT:
            text = f"{what} is left out: of prefixes of its family it is not known where path identifiers belong"
        elif why == TOO_LONG:
            text = f"{what}, of type {m.type} and {m.len} octets, is left out: the peer takes {self.limit}"
        else:
            text = f"prefixes of message {m.seq} are withdrawn: with their attributes they take more than {self.limit} octets"
        return self.skip(InputError(text))
