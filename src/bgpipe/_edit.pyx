# cython: language_level=3, nonecheck=True
"""Edits of UPDATEs on the wire: a plan made of options once, run over whole batches.

A message that a plan changes is put together in a scratch room, attribute by attribute, and copied into the batch's arena; what the
plan does not name keeps its octets, its flags and its place. A message that gets too long is divided by its prefixes.

Nothing is remembered by attribute bytes: of the messages of real archives 1.5% have those of the one before, 7% those of one of 64
before, and looking costs the others more.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

from bgpipe._as_path cimport AS_SEQUENCE, AS_TRANS, as_number, begin_path, join_as4, next_segment, path_t, segment_t
from bgpipe._check cimport check, family, nlri_size
from bgpipe._codec cimport Batch
from bgpipe._message cimport (
    CTX_AS2, CTX_EXTENDED, FAMILY_IPV4_UNICAST, MSG_DROPPED, MSG_EDITED, MSG_EXTRA, MSG_LEFT, MSG_REPORTED, MSG_UNSEEN, STATUS_OK,
    STATUS_UNKNOWN, TYPE_UPDATE, attr_t, ctx_t, has_addpath, msg_t,
)
from bgpipe._wire cimport be16, be32, put16, put32

cdef extern from *:
    int ctz64 "__builtin_ctzll"(uint64_t v) noexcept nogil

cdef enum:
    EXTENDED = 0x10                         # attribute flag: two octets of length
    SAME = -1                               # the value stays what it is

cdef enum:
    NEXT_HOP = 3
    MED = 4
    LOCAL_PREF = 5
    COMMUNITIES = 8
    EXT_COMMUNITIES = 16
    LARGE_COMMUNITIES = 32

cdef struct values_t:                       # what becomes of an attribute that is a list of values of one width
    const uint8_t* add
    const uint8_t* drop
    uint32_t add_len, drop_len
    uint32_t width
    bint drop_all

cdef struct hop_t:                          # a next hop to set; none if len is 0
    uint8_t octets[32]
    uint8_t len

cdef struct room_t:                         # where a message is put together; owned by the call that edits a batch
    uint8_t* attrs
    uint8_t* value
    uint8_t* path


cdef inline uint64_t bit(uint32_t code) noexcept nogil:
    return <uint64_t>1 << code


cdef inline uint8_t usual_flags(uint8_t code) noexcept nogil:
    # Well-known (RFC 4271 section 5.1), MULTI_EXIT_DISC, or optional transitive.
    return 0x40 if code <= LOCAL_PREF and code != MED else 0x80 if code == MED else 0xC0


# ---- values -----------------------------------------------------------------------------------------------------------------
cdef bint holds(const uint8_t* p, uint32_t n, const uint8_t* value, uint32_t width) noexcept nogil:
    cdef uint32_t i
    for i from 0 <= i < n by width:
        if be32(p + i) == be32(value) and (width == 4 or memcmp(p + i + 4, value + 4, width - 4) == 0):
            return True
    return False


cdef int64_t edit_values(const values_t* v, const uint8_t* p, uint32_t n, uint8_t* out) noexcept nogil:
    # Dropping beats adding; what is there already is not added again.
    cdef uint32_t i
    cdef uint32_t size = 0
    if v.drop_all:
        return 0
    if v.drop_len:
        for i from 0 <= i < n by v.width:
            if not holds(v.drop, v.drop_len, p + i, v.width):
                memcpy(out + size, p + i, v.width)
                size += v.width
    else:
        memcpy(out, p, n)
        size = n
    for i from 0 <= i < v.add_len by v.width:
        if not holds(out, size, v.add + i, v.width):
            memcpy(out + size, v.add + i, v.width)
            size += v.width
    if size == n and memcmp(out, p, n) == 0:
        return SAME
    return size


cdef int64_t edit_mp(const hop_t* hop, const uint8_t* p, uint32_t n, uint8_t* out) noexcept nogil:
    # RFC 4760 section 3, RFC 2545 section 3. A link-local address is that of the router which is the next hop no more.
    cdef uint32_t behind = 4 + p[3]
    if (p[3] == hop.len or p[3] == 2 * 16 and hop.len == 16) and memcmp(p + 4, hop.octets, hop.len) == 0:
        return SAME
    memcpy(out, p, 3)
    out[3] = hop.len
    memcpy(out + 4, hop.octets, hop.len)
    memcpy(out + 4 + hop.len, p + behind, n - behind)
    return 4 + hop.len + n - behind


cdef uint8_t* put_asns(uint8_t* out, const uint32_t* asns, uint32_t count, uint32_t as_len) noexcept nogil:
    cdef uint32_t i
    for i in range(count):
        if as_len == 4:
            put32(out, asns[i])
        else:
            put16(out, <uint16_t>(asns[i] if asns[i] <= 0xFFFF else AS_TRANS))
        out += as_len
    return out


cdef uint32_t prepend_path(
    const uint8_t* p, uint32_t n, uint32_t as_len, const uint32_t* asns, uint32_t count, uint8_t* out
) noexcept nogil:
    # RFC 4271 section 5.1.2: they join the first segment if that is a sequence, up to 255; the rest begin a new one.
    cdef uint8_t* start = out
    cdef uint32_t held = p[1] if n and p[0] == AS_SEQUENCE else 0
    cdef uint32_t joining = min(count, 255 - held) if held else 0
    cdef uint32_t beginning = count - joining
    if beginning:
        out[0] = AS_SEQUENCE
        out[1] = <uint8_t>beginning
        out = put_asns(out + 2, asns, beginning, as_len)
    if held:
        out[0] = AS_SEQUENCE
        out[1] = <uint8_t>(held + joining)
        out = put_asns(out + 2, asns + beginning, joining, as_len)
        p += 2
        n -= 2
    memcpy(out, p, n)
    return <uint32_t>(out + n - start)


cdef uint32_t put_wide(path_t* path, bint confederations, uint8_t* out) noexcept nogil:
    cdef uint8_t* start = out
    cdef segment_t s
    cdef uint32_t i
    while next_segment(path, &s):
        if confederations or s.kind <= AS_SEQUENCE:
            out[0] = <uint8_t>s.kind
            out[1] = <uint8_t>s.count
            out += 2
            for i in range(s.count):
                put32(out, as_number(&s, i))
                out += 4
    return <uint32_t>(out - start)


# ---- division ---------------------------------------------------------------------------------------------------------------
cdef const uint8_t* next_attr(const uint8_t* p, attr_t* a) noexcept nogil:
    a.flags = p[0]
    a.code = p[1]
    if p[0] & EXTENDED:
        a.length = be16(p + 2)
        a.value = p + 4
    else:
        a.length = p[2]
        a.value = p + 3
    return a.value + a.length


cdef uint32_t put_head(uint8_t* out, uint8_t flags, uint8_t code, uint32_t n) noexcept nogil:
    if n > 255:
        flags |= EXTENDED
    out[0] = flags
    out[1] = code
    if flags & EXTENDED:
        put16(out + 2, <uint16_t>n)
        return 4
    out[2] = <uint8_t>n
    return 3


cdef int put_message(
    Batch b, pieces_t* pieces, division_t* d, part_t withdrawn, const part_t* attrs, uint32_t count, part_t reach
) except -1 nogil:
    # One of the messages that another becomes; the first takes its place.
    cdef uint32_t i, size
    cdef size_t attrs_len = 0
    cdef uint8_t* out
    cdef uint8_t* p
    cdef piece_t* piece
    for i in range(count):
        attrs_len += attrs[i].len
    size = <uint32_t>(AROUND + withdrawn.len + attrs_len + reach.len)
    p = out = b.alloc(size)
    p = put_part(p, part(d.header, HEADER_LEN))
    put16(out + 16, <uint16_t>size)
    put16(p, <uint16_t>withdrawn.len)
    p = put_part(p + 2, withdrawn)
    put16(p, <uint16_t>attrs_len)
    p += 2
    for i in range(count):
        p = put_part(p, attrs[i])
    put_part(p, reach)
    if d.made == 0:
        replace(b.msgs + d.index, out, size)
    else:
        piece = note(b, pieces, d.index)
        piece.wire = out
        piece.len = size
    d.made += 1
    return 0


cdef inline void replace(msg_t* m, const uint8_t* wire, uint32_t size) noexcept nogil:
    m.wire = wire
    m.len = size
    m.attrs = NULL
    m.flags |= MSG_EDITED


cdef piece_t* note(Batch b, pieces_t* pieces, uint32_t index) except NULL nogil:
    cdef piece_t* piece = <piece_t*>b.alloc(sizeof(piece_t))
    memset(piece, 0, sizeof(piece_t))
    piece.index = index
    if pieces.last == NULL:
        pieces.first = piece
    else:
        pieces.last.next = piece
    pieces.last = piece
    return piece


cdef int put_prefixes(Batch b, pieces_t* pieces, division_t* d, const mp_t* mp, part_t nlri, bint announced) except -1 nogil:
    # As many prefixes a message as fit. mp: MP_REACH or MP_UNREACH, for what they stand in, or NULL.
    cdef uint16_t afi = be16(mp.front.p) if mp != NULL else 1
    cdef uint8_t safi = mp.front.p[2] if mp != NULL else 1
    cdef bint addpath = has_addpath(d.ctx, family(afi, safi))
    cdef int64_t room = <int64_t>d.limit - AROUND
    cdef const uint8_t* end = nlri.p + nlri.len
    cdef const uint8_t* start = nlri.p
    cdef const uint8_t* lost = NULL                                         # from here on, prefixes that do not fit
    cdef const uint8_t* p = nlri.p
    cdef uint32_t size
    if mp != NULL:
        room -= 4 + <int64_t>mp.front.len
    if announced:
        room -= <int64_t>d.base.len
    while p < end:
        size = nlri_size(afi, safi, p, <uint32_t>(end - p), addpath)
        if size == 0:
            size = <uint32_t>(end - p)
        if p + size - start > room:
            put_chunk(b, pieces, d, mp, part(start, p - start), announced)
            start = p
        if size > room:
            d.lost = True
            lost = p if lost == NULL else lost
            start = p + size
        elif lost != NULL:
            put_lost(b, pieces, d, mp, part(lost, p - lost), announced)
            lost = NULL
        p += size
    if lost != NULL:
        return put_lost(b, pieces, d, mp, part(lost, p - lost), announced)
    return put_chunk(b, pieces, d, mp, part(start, p - start), announced)


cdef int put_lost(Batch b, pieces_t* pieces, division_t* d, const mp_t* mp, part_t nlri, bint announced) except -1 nogil:
    cdef mp_t away
    if not (announced and d.withdraws):
        return 0
    if mp == NULL:
        return put_prefixes(b, pieces, d, NULL, nlri, False)
    away = mp[0]
    away.code = MP_UNREACH
    away.flags = 0x80
    away.front.len = 3
    return put_prefixes(b, pieces, d, &away, nlri, False)


cdef int put_chunk(Batch b, pieces_t* pieces, division_t* d, const mp_t* mp, part_t nlri, bint announced) except -1 nogil:
    cdef uint8_t head[4]
    cdef part_t attrs[5]
    cdef part_t nothing = part(NULL, 0)
    if nlri.len == 0:
        return 0
    if mp == NULL:
        attrs[0] = d.base
        return put_message(b, pieces, d, nothing, attrs, 1, nlri) if announced else put_message(b, pieces, d, nlri, attrs, 0, nothing)
    attrs[0] = part(d.base.p, mp.place)
    attrs[1] = part(head, put_head(head, mp.flags, mp.code, <uint32_t>(mp.front.len + nlri.len)))
    attrs[2] = mp.front
    attrs[3] = nlri
    attrs[4] = part(d.base.p + mp.place, d.base.len - mp.place)
    if announced:
        return put_message(b, pieces, d, nothing, attrs, 5, nothing)
    return put_message(b, pieces, d, nothing, attrs + 1, 3, nothing)


cdef int put_divided(Batch b, pieces_t* pieces, division_t* d) except -1 nogil:
    # What is withdrawn first, since a prefix that is announced too is to stay (RFC 4271 section 4.3).
    cdef uint8_t head[4]
    cdef part_t attrs[3]
    cdef mp_t* away = NULL
    cdef mp_t* reach = NULL
    cdef uint32_t i
    for i in range(d.mps):
        if d.mp[i].code == MP_REACH:
            reach = &d.mp[i]
        elif d.mp[i].nlri.len:  # without prefixes it would become an End-of-RIB marker (RFC 4724 section 2)
            away = &d.mp[i]
    if away != NULL and AROUND + d.withdrawn.len + 4 + away.front.len + away.nlri.len <= d.limit:
        attrs[0] = part(head, put_head(head, away.flags, MP_UNREACH, <uint32_t>(away.front.len + away.nlri.len)))
        attrs[1] = away.front
        attrs[2] = away.nlri
        put_message(b, pieces, d, d.withdrawn, attrs, 3, part(NULL, 0))
    else:
        put_prefixes(b, pieces, d, NULL, d.withdrawn, False)
        if away != NULL:
            put_prefixes(b, pieces, d, away, away.nlri, False)
    if reach != NULL:
        put_prefixes(b, pieces, d, reach, reach.nlri, True)
    return put_prefixes(b, pieces, d, NULL, d.nlri, True)


cdef int divide(Batch b, pieces_t* pieces, uint32_t index, uint32_t limit, part_t attrs, bint fit, uint8_t* base) except -1 nogil:
    # Make a message that is too long with these attributes into several. fit: whether there can be a message that has them all. base:
    # room for the attributes.
    cdef msg_t* m = b.msgs + index
    cdef division_t d
    cdef attr_t a
    cdef const uint8_t* p = attrs.p
    cdef const uint8_t* behind
    cdef const uint8_t* end = attrs.p + attrs.len
    memset(&d, 0, sizeof(d))
    d.index = index
    d.limit = limit
    d.ctx = m.ctx
    d.header = m.wire
    d.base.p = base
    while p < end:
        behind = next_attr(p, &a)
        if a.code == MP_REACH or a.code == MP_UNREACH:
            split_mp(&a, &d.mp[d.mps])
            d.mp[d.mps].place = d.base.len
            d.mps += 1
        else:
            memcpy(base + d.base.len, p, behind - p)
            d.base.len += behind - p
        p = behind
    if not fit:
        d.base.len = LONGEST_ATTRS
    p = m.wire + HEADER_LEN
    d.withdrawn = part(p + 2, be16(p))
    p += 2 + d.withdrawn.len
    p += 2 + be16(p)
    d.nlri = part(p, m.wire + m.len - p)
    put_divided(b, pieces, &d)
    if d.made == 0:
        m.flags |= MSG_DROPPED
    if d.lost:
        note(b, pieces, index)
    return 0


# ---- messages ---------------------------------------------------------------------------------------------------------------
@cython.final
cdef class Editor:
    """What is to become of UPDATEs that announce something."""

    cdef values_t com, ext, large
    cdef hop_t hop4[2]                      # by direction: R, L
    cdef hop_t hop6[2]
    cdef uint64_t drop[4]                   # attribute codes to leave out
    cdef uint64_t touch                     # codes below 64 whose value may become another
    cdef uint64_t insert                    # of them, those to put in where they are missing
    cdef uint8_t med[4]
    cdef uint8_t local_pref[4]
    cdef uint32_t prepend[255]
    cdef uint32_t prepend_len
    cdef bint wide                          # an AS number to prepend takes four octets
    cdef size_t more                        # octets that a message may grow by
    cdef object owned                       # what the pointers above point into

    def __cinit__(
        self, *, hop4=(b"", b""), hop6=(b"", b""), add=None, drop=None, med=None, local_pref=None, prepend=(), drop_attrs=()
    ):
        self.owned = []
        for direction in range(2):
            set_hop(&self.hop4[direction], hop4[direction], (0, 4))
            set_hop(&self.hop6[direction], hop6[direction], (0, 16, 32))
        if any(hop4):
            self.touch |= bit(NEXT_HOP)
            self.insert |= bit(NEXT_HOP)
        if any(hop4) or any(hop6):
            self.touch |= bit(MP_REACH)
        self.set_values(COMMUNITIES, &self.com, 4, add or {}, drop or {})
        self.set_values(EXT_COMMUNITIES, &self.ext, 8, add or {}, drop or {})
        self.set_values(LARGE_COMMUNITIES, &self.large, 12, add or {}, drop or {})
        if med is not None:
            put32(self.med, med)
            self.touch |= bit(MED)
            self.insert |= bit(MED)
        if local_pref is not None:
            put32(self.local_pref, local_pref)
            self.touch |= bit(LOCAL_PREF)
            self.insert |= bit(LOCAL_PREF)
        if len(prepend) > 255:
            raise ValueError("more than 255 AS numbers to prepend")
        for number in prepend:
            self.prepend[self.prepend_len] = number
            self.prepend_len += 1
            self.wide = self.wide or number > 0xFFFF
        if prepend:
            self.touch |= bit(AS_PATH) | (bit(AS4_PATH) if self.wide else 0)
            self.insert |= bit(AS_PATH) | (bit(AS4_PATH) if self.wide else 0)
        for code in drop_attrs:
            if code in (MP_REACH, MP_UNREACH):
                raise ValueError("MP_REACH and MP_UNREACH hold prefixes")
            self.drop[code >> 6] |= bit(code & 63)
        if self.drop[0] & bit(AS_PATH):
            self.touch &= ~bit(AS4_PATH)
            self.insert &= ~bit(AS4_PATH)
        self.insert &= ~self.drop[0]
        self.more = 4096 + self.com.add_len + self.ext.add_len + self.large.add_len

    cdef int set_values(self, uint8_t code, values_t* v, uint32_t width, object add, object drop) except -1:
        cdef bytes added = add.get(code, b"")
        cdef bytes dropped = drop.get(code, b"") or b""
        if len(added) % width or len(dropped) % width:
            raise ValueError(f"values of attribute {code} take {width} octets each")
        v.width = width
        v.drop_all = code in drop and drop[code] is None
        v.drop = <const uint8_t*>PyBytes_AS_STRING(dropped)
        v.drop_len = <uint32_t>PyBytes_GET_SIZE(dropped)
        kept = b"".join([
            value for value in (added[i:i + width] for i in range(0, len(added), width))
            if not v.drop_all and not holds(v.drop, v.drop_len, <const uint8_t*>PyBytes_AS_STRING(value), width)
        ])
        v.add = <const uint8_t*>PyBytes_AS_STRING(kept)
        v.add_len = <uint32_t>PyBytes_GET_SIZE(kept)
        self.owned += (kept, dropped)
        if v.add_len or v.drop_len or v.drop_all:
            self.touch |= bit(code)
        if v.add_len:
            self.insert |= bit(code)
        return 0

    def edit(self, Batch b not None, uint32_t directions, *, bint keep_bad=False):
        """See _edit.pyi."""
        cdef uint32_t i
        cdef msg_t* m
        cdef room_t room
        cdef pieces_t pieces
        cdef size_t value_size = 4 * LONGEST_ATTRS + self.more
        pieces.first = pieces.last = NULL
        room.attrs = <uint8_t*>malloc(3 * value_size)
        if room.attrs == NULL:
            raise MemoryError()
        room.value = room.attrs + value_size
        room.path = room.value + value_size
        try:
            with nogil:
                for i in range(b.n):
                    m = b.msgs + i
                    if m.type != TYPE_UPDATE or m.flags & MSG_UNSEEN or not (directions >> (m.flags & MSG_LEFT)) & 1:
                        continue
                    if m.status == STATUS_UNKNOWN and check(m, NULL) > STATUS_OK:
                        b.failed += 1
                    if m.status == STATUS_OK:
                        self.edit_message(b, i, &room, &pieces)
                    elif not keep_bad:
                        m.flags |= MSG_DROPPED
        finally:
            free(room.attrs)
        return (b, []) if pieces.first == NULL else joined(b, &pieces)

    cdef int edit_message(self, Batch b, uint32_t index, const room_t* room, pieces_t* pieces) except -1 nogil:
        cdef msg_t* m = b.msgs + index
        cdef const uint8_t* attrs = m.wire + HEADER_LEN + 4 + be16(m.wire + HEADER_LEN)
        cdef const uint8_t* reach = attrs + be16(attrs - 2)
        cdef const uint8_t* end = m.wire + m.len
        cdef const uint8_t* p = attrs
        cdef const uint8_t* here
        cdef const uint8_t* kept = attrs                    # from here on, octets that are still to be copied
        cdef const uint8_t* places[64]                      # of attributes to put in
        cdef attr_t a
        cdef part_t path = part(attrs, 0)
        cdef uint8_t* out = room.attrs
        cdef uint8_t* wire
        cdef uint64_t seen = 0
        cdef uint64_t touch = self.touch
        cdef uint64_t missing, codes
        cdef bint announces = reach < end
        cdef bint changed = False
        cdef bint old_aggregator = False                    # one without AS numbers of four octets
        cdef bint void                                      # AS4_PATH and AS4_AGGREGATOR mean nothing
        cdef uint8_t code
        cdef int64_t n
        cdef size_t size
        cdef uint32_t limit = LONGEST_EXTENDED if m.ctx & CTX_EXTENDED or m.len > LONGEST else LONGEST
        while p < reach:
            p = next_attr(p, &a)
            if a.code < 64:
                seen |= bit(a.code)
                if a.code == AS_PATH:
                    path = part(a.value, a.length)
                elif a.code == AGGREGATOR:
                    old_aggregator = be16(a.value) != AS_TRANS
                elif a.code == MP_REACH and a.length > 5 + a.value[3]:
                    announces = True
        if not announces:
            return 0
        if reach == end or self.hop4[m.flags & MSG_LEFT].len == 0:
            touch &= ~bit(NEXT_HOP)
        if not m.ctx & CTX_AS2:
            touch &= ~bit(AS4_PATH)
        # RFC 6793 section 4.2.3. They are not to void the AS4_PATH that we write.
        void = old_aggregator and seen & bit(AS4_AGGREGATOR) and touch & bit(AS4_PATH)
        missing = self.insert & touch & ~seen
        if missing:
            self.find_places(missing, attrs, reach, places)
        p = attrs
        while True:
            codes = missing
            while codes:
                code = <uint8_t>ctz64(codes)
                codes &= codes - 1
                if places[code] != p:
                    continue
                missing &= ~bit(code)
                n = self.edit_value(m, code, p, 0, path, room)
                if n > LONGEST_ATTRS:
                    return divide(b, pieces, index, limit, part(attrs, reach - attrs), False, room.value)
                out = put_part(out, part(kept, p - kept))
                kept = p
                out += put_head(out, usual_flags(code), code, <uint32_t>n)
                out = put_part(out, part(room.value, n))
                changed = True
            if p == reach:
                break
            here = p
            p = next_attr(p, &a)
            n = 0
            if not ((self.drop[a.code >> 6] >> (a.code & 63)) & 1 or void and a.code == AS4_AGGREGATOR):
                if a.code >= 64 or not touch & bit(a.code):
                    continue
                n = self.edit_value(m, a.code, a.value, 0 if void and a.code == AS4_PATH else a.length, path, room)
                if n == SAME:
                    continue
                if n > LONGEST_ATTRS:
                    return divide(b, pieces, index, limit, part(attrs, reach - attrs), False, room.value)
            out = put_part(out, part(kept, here - kept))
            kept = p
            changed = True
            if n:
                out += put_head(out, a.flags, a.code, <uint32_t>n)
                out = put_part(out, part(room.value, n))
        if not changed:
            return 0
        out = put_part(out, part(kept, reach - kept))
        size = (attrs - m.wire) + (out - room.attrs) + (end - reach)
        if size > limit:
            return divide(b, pieces, index, limit, part(room.attrs, out - room.attrs), True, room.value)
        wire = b.alloc(size)
        put_part(put_part(put_part(wire, part(m.wire, attrs - m.wire)), part(room.attrs, out - room.attrs)), part(reach, end - reach))
        put16(wire + 16, <uint16_t>size)
        put16(wire + (attrs - 2 - m.wire), <uint16_t>(out - room.attrs))
        replace(m, wire, <uint32_t>size)
        return 0

    cdef void find_places(self, uint64_t missing, const uint8_t* p, const uint8_t* end, const uint8_t** places) noexcept nogil:
        # Each goes behind those of lower codes (RFC 4271 section 5: ascending order).
        cdef attr_t a
        cdef uint64_t codes = missing
        while codes:
            places[ctz64(codes)] = p
            codes &= codes - 1
        while p < end:
            p = next_attr(p, &a)
            codes = missing & ~(2 * bit(a.code) - 1) if a.code < 63 else 0
            while codes:
                places[ctz64(codes)] = p
                codes &= codes - 1

    cdef int64_t edit_value(self, const msg_t* m, uint8_t code, const uint8_t* p, uint32_t n, part_t path, const room_t* room) noexcept nogil:
        # What the value p[:n] becomes, in room.value: its octets, 0 if the attribute goes, or SAME. path: the AS_PATH.
        cdef uint32_t size
        cdef path_t whole
        cdef const hop_t* hop
        if code == COMMUNITIES:
            return edit_values(&self.com, p, n, room.value)
        if code == LARGE_COMMUNITIES:
            return edit_values(&self.large, p, n, room.value)
        if code == EXT_COMMUNITIES:
            return edit_values(&self.ext, p, n, room.value)
        if code == MP_REACH:
            hop = &self.hop4[m.flags & MSG_LEFT] if be16(p) == 1 else &self.hop6[m.flags & MSG_LEFT]
            if be16(p) > 2 or p[2] == 0 or p[2] > 2 or hop.len == 0:
                return SAME
            return edit_mp(hop, p, n, room.value)
        if code == AS_PATH:
            return prepend_path(p, n, 2 if m.ctx & CTX_AS2 else 4, self.prepend, self.prepend_len, room.value)
        if code == AS4_PATH:
            begin_path(&whole, path.p, <uint32_t>path.len, 2)
            join_as4(&whole, p, n)
            size = put_wide(&whole, False, room.path)
            return prepend_path(room.path, size, 4, self.prepend, self.prepend_len, room.value)
        if code == MED:
            return set_octets(self.med, p, n, room.value)
        if code == LOCAL_PREF:
            return set_octets(self.local_pref, p, n, room.value)
        return set_octets(self.hop4[m.flags & MSG_LEFT].octets, p, n, room.value)


cdef int64_t set_octets(const uint8_t* value, const uint8_t* p, uint32_t n, uint8_t* out) noexcept nogil:
    # A value of four octets.
    if n == 4 and memcmp(p, value, 4) == 0:
        return SAME
    memcpy(out, value, 4)
    return 4


cdef int set_hop(hop_t* hop, bytes octets, tuple sizes) except -1:
    if len(octets) not in sizes:
        raise ValueError(f"a next hop of {len(octets)} octets")
    hop.len = <uint8_t>len(octets)
    memcpy(hop.octets, PyBytes_AS_STRING(octets), len(octets))
    return 0


cdef tuple joined(Batch b, const pieces_t* pieces):
    # The batch with what its messages have become besides, and the indices of those with prefixes that did not fit.
    cdef const piece_t* piece = pieces.first
    cdef Batch after = b
    cdef uint32_t i, place
    cdef msg_t* m
    short = []
    while piece != NULL and piece.wire == NULL:
        piece = piece.next
    if piece != NULL:
        after = Batch()
        after.keep_batch(b)
    piece = pieces.first
    for i in range(b.n):
        place = i
        if after is not b:
            place = after.n
            after.add_copy(b.msgs + i)
            after.failed += b.msgs[i].status > STATUS_OK and not b.msgs[i].flags & MSG_REPORTED
        while piece != NULL and piece.index == i:
            if piece.wire == NULL:
                short.append(place)
            else:
                m = after.add_copy(b.msgs + i)
                replace(m, piece.wire, piece.len)
                m.flags |= MSG_EXTRA
            piece = piece.next
    return after, short
