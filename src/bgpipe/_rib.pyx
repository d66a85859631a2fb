# cython: language_level=3
"""Routes of RIB dumps become UPDATEs (RFC 6396 sections 4.2 and 4.3, RFC 8050 section 4).

Each peer has one pending UPDATE. A route joins it if its attribute bytes, MP_REACH left out, and its next hop are the same; else the
pending one is sent and the route starts the next. It is also sent when the message would pass LIMIT, at a new PEER_INDEX_TABLE and
at the end of the input, there in the order of the peers: by index, then those that records name themselves, as they
first appeared. What is pending was copied out of the block it came in, so it can wait over any number of them; when all of
it takes more than MAX_HELD, all is sent. One record can make many thousand UPDATEs of the longest: a full batch is a pause.

Neighbouring routes of one peer mostly have the very same attribute bytes: one comparison finds that, before anything is parsed.

A route's UPDATE has the attributes of the dump in their order. Prefixes of IPv4 unicast without MP_REACH go where RFC 4271 has them;
all others go, with the next hop, into an MP_REACH behind the attributes (RFC 4760 section 3), which in a dump stands
without prefixes, shortened to the next hop, or in full (RFC 6396 section 4.3.4).
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset
from bgpipe._check cimport family
from bgpipe._codec cimport Batch, Buffer, PeerTable, hash_bytes, next_table
from bgpipe._message cimport CTX_ADDPATH_SHIFT, CTX_AS2, CTX_EXTENDED, MSG_RIB, TYPE_UPDATE, ctx_t, msg_t, peer_t
from bgpipe._records cimport address_text
from bgpipe._wire cimport be16, be32, put16, put32

cdef enum:
    HEADER_LEN = 19             # of a BGP message
    LIMIT = 3800                # sent before HEADER_LEN + 4 + attributes + ROOM + prefixes would pass it
    ROOM = 64                   # taken for MP_REACH less its prefixes
    MAX_MESSAGE = 65535         # RFC 8654 section 4
    MAX_PLAIN = 4096            # RFC 4271 section 4.1
    MAX_HELD = 2 << 20          # bytes of pending UPDATEs; beyond it, all are sent
    MAX_NAMED = 16384           # peers named by records; beyond it, all are sent and forgotten
    SHORT = 24                  # prefixes up to this length are copied as if they had it
    IPV4_UNICAST = 0x010101     # as in pending_t.family


cdef inline uint32_t family_code(uint32_t afi, uint32_t safi) noexcept nogil:
    return afi << 16 | safi << 8 | 1


@cython.final
cdef class Rib:
    """The peers of RIB dumps and their pending UPDATEs."""

    def __cinit__(self):
        self.peers = PeerTable()
        self.table = 1
        self.scratch = Buffer(512)

    def __dealloc__(self):
        cdef uint32_t i
        for i in range(self.indexed_n):
            free(self.indexed[i].data)
        for i in range(self.named_n):
            free(self.named[i].data)
        free(self.indexed)
        free(self.named)
        free(self.slots)

    cdef int own(self, Batch b) except -1:
        if self.peers not in b.keep:
            b.keep.append(self.peers)
        return 0

    # ---- records ----------------------------------------------------------------------------------------------------

    cdef int index_table(self, Batch b, const uint8_t* p, uint32_t n) except -1 nogil:
        # PEER_INDEX_TABLE (RFC 6396 section 4.3.1)
        cdef const uint8_t* end = p + n
        cdef uint32_t i, count, as_len, ip_len
        cdef pending_t* e
        if self.flush(b):
            return PAUSED
        for i in range(self.indexed_n):
            self.held -= self.indexed[i].cap
            free(self.indexed[i].data)
        self.indexed_n = 0
        self.has_index = False
        if n < 8 or be16(p + 4) > n - 8:
            self.what = "its peer index table is cut short"
            return DAMAGED
        p += 6 + be16(p + 4)
        count = be16(p)
        p += 2
        if count > self.indexed_cap:
            free(self.indexed)
            self.indexed_cap = 0
            self.indexed = <pending_t*>malloc(count * sizeof(pending_t))
            if self.indexed == NULL:
                with gil:
                    raise MemoryError()
            self.indexed_cap = count
        if count:
            memset(self.indexed, 0, count * sizeof(pending_t))
        self.indexed_n = count
        for i in range(count):
            if end - p < 5:
                self.what = "its peer index table is cut short"
                return DAMAGED
            ip_len = 16 if p[0] & 1 else 4
            as_len = 4 if p[0] & 2 else 2
            if <uint32_t>(end - p) < 5 + ip_len + as_len:
                self.what = "its peer index table is cut short"
                return DAMAGED
            set_key(&self.indexed[i], p + 5 + ip_len, as_len, p + 5, ip_len)
            p += 5 + ip_len + as_len
        if p != end:
            self.what = "its peer index table holds more than its peers"
            return DAMAGED
        self.has_index = True
        return 0

    cdef int table_dump_v2(self, Batch b, const uint8_t* p, uint32_t n, uint32_t subtype, int64_t time) except -1 nogil:
        # RIB_IPV4_UNICAST and the others (RFC 6396 sections 4.3.2 to 4.3.4, RFC 8050 section 4)
        cdef const uint8_t* end = p + n
        cdef uint8_t small[SHORT]
        cdef uint8_t* nlri = small
        cdef uint32_t afi, safi, at = 4, length, ids = 0, count
        cdef bint path_ids = subtype >= 8
        cdef record_t r
        if not self.has_index:
            self.what = "no PEER_INDEX_TABLE is there for its peers"
            return DAMAGED
        if n < 7:
            self.what = "it is too short for a RIB"
            return DAMAGED
        if subtype == 6 or subtype == 12:
            afi = be16(p + 4)
            safi = p[6]
            at = 7
        else:
            afi = 1 if subtype == 2 or subtype == 3 or subtype == 8 or subtype == 9 else 2
            safi = 1 + (subtype & 1)
        if path_ids and at == 7 and n > 11:
            # RFC 8050 section 4.2 has the path id before the NLRI of a generic record; the routers that write such records
            # put it into each entry as in the others. Where the former fits the record, it is that.
            length = nlri_len(afi, safi, p + 11, n - 11)
            if length and n - 11 - length >= 2 and fits(p + 13 + length, end, be16(p + 11 + length), 8):
                ids = 4
                path_ids = False
        length = nlri_len(afi, safi, p + at + ids, n - at - ids)
        if length == 0:
            self.what = "its prefix does not parse"
            return DAMAGED
        if n - at - ids - length < 2:
            self.what = "it is cut short behind its prefix"
            return DAMAGED
        r.family = family_code(afi, safi)
        r.ctx = <ctx_t>1 << (CTX_ADDPATH_SHIFT + family(<uint16_t>afi, <uint8_t>safi)) if path_ids or ids else 0
        r.time = time
        r.any_safi = False
        if 4 + length > SHORT:
            self.scratch.len = 0
            self.scratch.reserve(4 + length)
            nlri = self.scratch.data
        else:
            memset(small, 0, SHORT)
        if path_ids:
            memcpy(nlri + 4, p + at, length)
        else:
            memcpy(nlri, p + at, ids + length)
        p += at + ids + length
        count = be16(p)
        return self.entries(b, &r, p + 2, end, count, nlri, length + (4 if path_ids or ids else 0), path_ids)

    cdef int entries(self, Batch b, const record_t* r, const uint8_t* p, const uint8_t* end, uint32_t count,
                     uint8_t* nlri, uint32_t nlri_len, bint path_ids) except -1 nogil:
        cdef uint32_t head = 12 if path_ids else 8
        cdef uint32_t n, i, first = self.routes_done
        cdef const uint8_t* start = p
        cdef const uint8_t* q = p
        cdef pending_t* e
        cdef int bad
        for i in range(0 if first else count):
            if end - q < <Py_ssize_t>head or <uint32_t>(end - q) - head < be16(q + head - 2):
                self.what = "a route in it is cut short"
                return DAMAGED
            if be16(q) >= self.indexed_n:
                self.what = "a route in it is of a peer that its PEER_INDEX_TABLE does not have"
                return DAMAGED
            q += head + be16(q + head - 2)
        if q != end and first == 0:
            self.what = "it holds more than its routes"
            return DAMAGED
        p += self.route_at
        self.route_at = self.routes_done = 0
        for i in range(first, count):
            e = self.indexed + be16(p)
            n = be16(p + head - 2)
            if path_ids:
                memcpy(nlri, p + 6, 4)
            if self.held > MAX_HELD and self.release(b):
                return self.pause(i, p - start)
            p += head
            if (e.attrs_len == n and e.family == r.family and e.ctx == r.ctx and e.size + nlri_len <= LIMIT
                    and memcmp(e.data, p, n) == 0):
                put(self, e, nlri, nlri_len)
            else:
                bad = self.route(b, e, r, p, n, nlri, nlri_len)
                if bad == PAUSED:
                    return self.pause(i, p - head - start)
                if bad:
                    return bad
            p += n
        return 0

    cdef int pause(self, uint32_t done, Py_ssize_t at) noexcept nogil:
        self.routes_done = done
        self.route_at = <uint32_t>at
        return PAUSED

    cdef int table_dump(self, Batch b, const uint8_t* p, uint32_t n, uint32_t subtype, int64_t time) except -1 nogil:
        # TABLE_DUMP (RFC 6396 section 4.2); the subtype is the AFI. 3 and 4: the same with AS numbers of 4 octets, as bgpdump has them.
        cdef uint32_t ip_len = 4 if subtype == 1 or subtype == 3 else 16
        cdef uint32_t as_len = 2 if subtype <= 2 else 4
        cdef uint32_t head = 12 + 2 * ip_len + as_len
        cdef uint32_t bits, length
        cdef uint8_t nlri[SHORT]
        cdef pending_t* e
        cdef record_t r
        if n < head or be16(p + head - 2) != n - head:
            self.what = "its attributes have another length than the record leaves for them"
            return DAMAGED
        bits = p[4 + ip_len]
        if bits > 8 * ip_len:
            self.what = "its prefix does not parse"
            return DAMAGED
        length = (bits + 7) >> 3
        memset(nlri, 0, SHORT)
        nlri[0] = <uint8_t>bits
        memcpy(nlri + 1, p + 4, length)
        if bits & 7:
            # The whole address is there: what is behind the prefix's length is none of it.
            nlri[length] &= <uint8_t>(0xFF00 >> (bits & 7))
        r.family = family_code(1 if ip_len == 4 else 2, 1)
        r.ctx = CTX_AS2 if as_len == 2 else 0
        r.time = time
        r.any_safi = True
        if self.room_for_peer(b):
            return PAUSED
        e = self.named_peer(p + 10 + 2 * ip_len, as_len, p + 10 + ip_len, ip_len)
        p += head
        n -= head
        if (e.attrs_len == n and e.family == r.family and e.ctx == r.ctx and e.size + 1 + length <= LIMIT
                and memcmp(e.data, p, n) == 0):
            return put(self, e, nlri, 1 + length)
        return self.route(b, e, &r, p, n, nlri, 1 + length)

    cdef int entry(self, Batch b, const uint8_t* p, uint32_t n, int64_t time) except -1 nogil:
        # BGP4MP_ENTRY, of the drafts before RFC 6396: AS numbers (2 octets each), interface, AFI, addresses, view, status, time of
        # last change, AFI, SAFI, next hop, prefix, attributes. Of the two ends the peer is the second, as OpenBGPD, whose
        # `dump table-mp` is where such records come from, has the local one first.
        cdef const uint8_t* end = p + n
        cdef const uint8_t* start = p
        cdef const uint8_t* hop
        cdef const uint8_t* nlri
        cdef uint8_t small[SHORT]
        cdef uint32_t ip_len, hop_len, length, attrs_len
        cdef record_t r
        cdef shape_t s
        cdef pending_t* e
        ip_len = 4 if n >= 8 and be16(p + 6) == 1 else 16
        if n < 8 or be16(p + 6) == 0 or be16(p + 6) > 2 or n < 8 + 2 * ip_len + 12:
            self.what = "its peer header does not parse"
            return DAMAGED
        p += 8 + 2 * ip_len + 8
        r.family = family_code(be16(p), p[2])
        hop_len = p[3]
        hop = p + 4
        if <uint32_t>(end - hop) < hop_len:
            self.what = "its next hop is cut short"
            return DAMAGED
        nlri = hop + hop_len
        length = nlri_len(r.family >> 16, (r.family >> 8) & 0xFF, nlri, <uint32_t>(end - nlri))
        if length == 0:
            self.what = "its prefix does not parse"
            return DAMAGED
        p = nlri + length
        if end - p < 2 or be16(p) != end - p - 2:
            self.what = "its attributes have another length than the record leaves for them"
            return DAMAGED
        attrs_len = be16(p)
        p += 2
        r.ctx = CTX_AS2
        r.time = time
        r.any_safi = False
        self.what = shape(p, attrs_len, &r, &s)
        if self.what != NULL:
            return DAMAGED
        self.scratch.len = 0
        self.scratch.reserve(attrs_len + 5 + hop_len)
        if attrs_len:
            memcpy(self.scratch.data, p, attrs_len)
        if hop_len and s.hop_len == 0 and s.mp_len == 0:
            # Behind the attributes, as in the dumps that have it there.
            if r.family == IPV4_UNICAST and hop_len == 4:
                memcpy(self.scratch.data + attrs_len, b"\x40\x03\x04", 3)
                attrs_len += 3
            else:
                memcpy(self.scratch.data + attrs_len, b"\x90\x0e", 2)
                put16(self.scratch.data + attrs_len + 2, <uint16_t>(1 + hop_len))
                self.scratch.data[attrs_len + 4] = hop_len
                attrs_len += 5
            memcpy(self.scratch.data + attrs_len, hop, hop_len)
            attrs_len += hop_len
        if length <= SHORT:
            memset(small, 0, SHORT)
            memcpy(small, nlri, length)
            nlri = small
        if self.room_for_peer(b):
            return PAUSED
        e = self.named_peer(start + 2, 2, start + 8 + ip_len, ip_len)
        return self.route(b, e, &r, self.scratch.data, attrs_len, nlri, length)

    # ---- pending UPDATEs ----------------------------------------------------------------------------------------------

    cdef int route(self, Batch b, pending_t* e, const record_t* r, const uint8_t* attrs, uint32_t n, const uint8_t* nlri,
                   uint32_t nlri_len) except -1 nogil:
        # A route whose attribute bytes are not those pending, or not in the room that is left. prefixes of up to SHORT
        # octets must have SHORT readable ones.
        cdef shape_t s
        cdef uint32_t rest
        self.what = shape(attrs, n, r, &s)
        if self.what != NULL:
            return DAMAGED
        rest = n - s.mp_len
        if (e.family == s.family and e.ctx == r.ctx and e.size + nlri_len <= LIMIT and same_route(e, attrs, n, &s)):
            return put(self, e, nlri, nlri_len)
        if HEADER_LEN + 4 + rest + nlri_len + (17 + s.hop_len if s.mp else 0) > MAX_MESSAGE:
            self.what = "a route in it fits no BGP message"
            return DAMAGED
        if e.family:
            if b.full():
                return PAUSED
            self.emit(b, e)
        reserve(self, e, 0, n + nlri_len)
        if n:
            memcpy(e.data, attrs, n)
        copy_nlri(e.data + n, nlri, nlri_len)
        e.attrs_len = n
        e.nlri_len = nlri_len
        e.size = HEADER_LEN + 4 + rest + ROOM + nlri_len
        e.family = s.family
        e.ctx = r.ctx
        e.time = r.time
        e.mp_at = s.mp_at
        e.mp_len = s.mp_len
        e.hop_at = s.hop_at
        e.hop_len = s.hop_len
        e.mp = s.mp
        e.zero_rd = s.zero_rd
        return 0

    cdef int emit(self, Batch b, pending_t* e) except -1 nogil:
        cdef uint32_t rest = e.attrs_len - e.mp_len
        cdef uint32_t value = 5 + (8 if e.zero_rd else 0) + e.hop_len + e.nlri_len      # of MP_REACH
        cdef uint32_t attrs = rest + ((4 if value > 255 else 3) + value if e.mp else 0)
        cdef uint32_t size = HEADER_LEN + 4 + attrs + (0 if e.mp else e.nlri_len)
        cdef uint32_t fam = e.family
        cdef uint8_t* wire
        cdef uint8_t* p
        cdef msg_t* m
        e.family = 0
        if not self.wanted:
            return 0
        if e.table != self.table:
            with gil:
                self.intern(b, e)
        wire = b.alloc(size)
        memset(wire, 0xFF, 16)
        put16(wire + 16, <uint16_t>size)
        wire[18] = TYPE_UPDATE
        put16(wire + 19, 0)
        put16(wire + 21, <uint16_t>attrs)
        p = wire + 23
        memcpy(p, e.data, e.attrs_len if e.mp_len == 0 else e.mp_at)
        if e.mp_len:
            memcpy(p + e.mp_at, e.data + e.mp_at + e.mp_len, rest - e.mp_at)
        p += rest
        if e.mp:
            p[1] = 14
            if value > 255:
                p[0] = 0x90
                put16(p + 2, <uint16_t>value)
                p += 4
            else:
                p[0] = 0x80
                p[2] = <uint8_t>value
                p += 3
            put16(p, <uint16_t>(fam >> 16))
            p[2] = <uint8_t>(fam >> 8)
            p[3] = <uint8_t>(e.hop_len + (8 if e.zero_rd else 0))
            p += 4
            if e.zero_rd:
                memset(p, 0, 8)
                p += 8
            memcpy(p, e.data + e.hop_at, e.hop_len)
            p[e.hop_len] = 0
            p += e.hop_len + 1
        memcpy(p, e.data + e.attrs_len, e.nlri_len)
        m = b.add()
        m.wire = wire
        m.len = size
        m.type = TYPE_UPDATE
        m.time = e.time
        m.peer = e.peer
        m.ctx = e.ctx
        m.flags = self.flags | MSG_RIB
        self.sent += 1
        if size > MAX_PLAIN:
            m.ctx |= CTX_EXTENDED
        return 0

    cdef int flush(self, Batch b) except -1 nogil:
        cdef uint32_t i
        for i in range(self.indexed_n):
            if self.indexed[i].family:
                if b.full():
                    return PAUSED
                self.emit(b, &self.indexed[i])
        for i in range(self.named_n):
            if self.named[i].family:
                if b.full():
                    return PAUSED
                self.emit(b, &self.named[i])
        return 0

    cdef int release(self, Batch b) except -1 nogil:
        cdef uint32_t i
        if self.flush(b):
            return PAUSED
        for i in range(self.indexed_n):
            free(self.indexed[i].data)
            self.indexed[i].data = NULL
            self.indexed[i].cap = 0
            self.indexed[i].attrs_len = 0
        for i in range(self.named_n):
            free(self.named[i].data)
            self.named[i].data = NULL
            self.named[i].cap = 0
            self.named[i].attrs_len = 0
        self.held = 0
        return 0

    # ---- peers ----------------------------------------------------------------------------------------------------------

    cdef int intern(self, Batch b, pending_t* e) except -1:
        cdef const peer_t* peer = self.peers.get(e.key, e.key_len)
        if peer == NULL:
            if self.peers.full():
                self.peers = next_table(self.peers, b)
                self.table += 1
            tags = {"PEER_AS": str(be32(e.key)), "PEER_IP": address_text(e.key + 4, e.key_len - 4)}
            peer = self.peers.add(e.key, e.key_len, tags)
        e.peer = peer
        e.table = self.table
        return 0

    cdef int room_for_peer(self, Batch b) except -1 nogil:
        # Before a route of a peer that its record names.
        if self.held > MAX_HELD and self.release(b):
            return PAUSED
        if self.named_n == MAX_NAMED:
            if self.release(b):
                return PAUSED
            self.named_n = 0
            memset(self.slots, 0, (self.mask + 1) * sizeof(uint32_t))
        return 0

    cdef pending_t* named_peer(self, const uint8_t* asn, uint32_t as_len, const uint8_t* ip, uint32_t ip_len) except NULL nogil:
        # The entry of a peer that a record names itself, made if it is new.
        cdef pending_t want
        cdef pending_t* e
        cdef uint32_t i
        set_key(&want, asn, as_len, ip, ip_len)
        if self.last < self.named_n and same_key(&self.named[self.last], &want):
            return &self.named[self.last]
        if self.named_n >= self.named_cap:
            self.grow_named()
        i = hash_key(&want) & self.mask
        while self.slots[i] != 0:
            e = &self.named[self.slots[i] - 1]
            if same_key(e, &want):
                self.last = self.slots[i] - 1
                return e
            i = (i + 1) & self.mask
        self.last = self.named_n
        e = &self.named[self.named_n]
        memset(e, 0, sizeof(pending_t))
        e.key_len = want.key_len
        memcpy(e.key, want.key, sizeof(want.key))
        self.named_n += 1
        self.slots[i] = self.named_n
        return e

    cdef int grow_named(self) except -1 nogil:
        cdef uint32_t cap = self.named_cap * 2 if self.named_cap else 64
        cdef pending_t* named
        cdef uint32_t* slots = <uint32_t*>calloc(2 * cap, sizeof(uint32_t))
        cdef uint32_t i, j
        if slots == NULL:
            with gil:
                raise MemoryError()
        named = <pending_t*>realloc(self.named, cap * sizeof(pending_t))
        if named == NULL:
            free(slots)
            with gil:
                raise MemoryError()
        free(self.slots)
        self.named = named
        self.named_cap = cap
        self.slots = slots
        self.mask = 2 * cap - 1
        for i in range(self.named_n):
            j = hash_key(&named[i]) & self.mask
            while slots[j] != 0:
                j = (j + 1) & self.mask
            slots[j] = i + 1
        return 0


cdef inline int put(Rib self, pending_t* e, const uint8_t* nlri, uint32_t n) except -1 nogil:
    cdef uint32_t used = e.attrs_len + e.nlri_len
    if e.cap < used + n + SHORT:
        reserve(self, e, used, n)
    copy_nlri(e.data + used, nlri, n)
    e.nlri_len += n
    e.size += n
    return 0


cdef inline void copy_nlri(uint8_t* out, const uint8_t* nlri, uint32_t n) noexcept nogil:
    # A copy of fixed size is two instructions; both ends have room for it.
    if n <= SHORT:
        memcpy(out, nlri, SHORT)
    else:
        memcpy(out, nlri, n)


cdef int reserve(Rib self, pending_t* e, uint32_t used, uint32_t more) except -1 nogil:
    # Room for `more` octets behind `used` ones, and for SHORT behind them.
    cdef uint32_t cap = e.cap if e.cap else 256
    cdef uint8_t* data
    while cap < used + more + SHORT:
        cap *= 2
    if cap != e.cap:
        data = <uint8_t*>realloc(e.data, cap)
        if data == NULL:
            with gil:
                raise MemoryError()
        self.held += cap - e.cap
        e.data = data
        e.cap = cap
    return 0


cdef void set_key(pending_t* e, const uint8_t* asn, uint32_t as_len, const uint8_t* ip, uint32_t ip_len) noexcept nogil:
    put32(e.key, be32(asn) if as_len == 4 else be16(asn))
    memcpy(e.key + 4, ip, ip_len)
    e.key_len = <uint8_t>(4 + ip_len)


cdef bint same_key(const pending_t* a, const pending_t* b) noexcept nogil:
    return a.key_len == b.key_len and memcmp(a.key, b.key, a.key_len) == 0


cdef uint32_t hash_key(const pending_t* e) noexcept nogil:
    return <uint32_t>hash_bytes(e.key, e.key_len)


# ---- attributes and prefixes --------------------------------------------------------------------------------------------

cdef const char* shape(const uint8_t* p, uint32_t n, const record_t* r, shape_t* s) noexcept nogil:
    # Finds MP_REACH and the next hop; returns what is wrong, or NULL.
    cdef uint32_t i = 0, head, length, plain_hop = 0, value = 0, value_len = 0
    cdef uint32_t afi = r.family >> 16
    cdef const uint8_t* v
    memset(s, 0, sizeof(shape_t))
    s.family = r.family
    while i < n:
        if n - i < 3:
            return "an attribute in it is cut short"
        head = 4 if p[i] & 0x10 else 3
        if n - i < head:
            return "an attribute in it is cut short"
        length = be16(p + i + 2) if head == 4 else p[i + 2]
        if n - i - head < length:
            return "an attribute in it is cut short"
        if p[i + 1] == 14:
            if s.mp_len:
                return "there are two MP_REACH in one route of it"
            s.mp_at = i
            s.mp_len = head + length
            value = i + head
            value_len = length
        elif p[i + 1] == 3 and length == 4:
            plain_hop = i + head
        i += head + length
    if s.mp_len:
        v = p + value
        s.mp = True
        if value_len >= 1 and v[0] == value_len - 1:
            s.hop_at = value + 1
            s.hop_len = v[0]
        elif value_len >= 4 and be16(v) == afi and v[3] <= value_len - 4:
            s.hop_at = value + 4
            s.hop_len = v[3]
            if r.any_safi:
                s.family = afi << 16 | <uint32_t>v[2] << 8 | 1
        else:
            return "the MP_REACH of a route in it does not parse"
    else:
        s.mp = r.family != IPV4_UNICAST
        if plain_hop and afi == 1:
            s.hop_at = plain_hop
            s.hop_len = 4
            s.zero_rd = s.mp and ((r.family >> 8) & 0xFF) in (128, 129)
    return NULL


cdef bint same_route(const pending_t* e, const uint8_t* p, uint32_t n, const shape_t* s) noexcept nogil:
    # Whether attributes without MP_REACH, and next hop, are those that are pending.
    cdef const uint8_t* a = e.data
    cdef const uint8_t* b = p
    cdef uint32_t a_at = e.mp_at if e.mp_len else e.attrs_len
    cdef uint32_t b_at = s.mp_at if s.mp_len else n
    cdef uint32_t a_skip = e.mp_len, b_skip = s.mp_len
    cdef uint32_t size = e.attrs_len - a_skip
    if e.mp != s.mp or e.zero_rd != s.zero_rd or size != n - b_skip:
        return False
    if e.hop_len != s.hop_len or memcmp(e.data + e.hop_at, p + s.hop_at, s.hop_len) != 0:
        return False
    if a_at > b_at:
        a, b = b, a
        a_at, b_at = b_at, a_at
        a_skip, b_skip = b_skip, a_skip
    # Up to the earlier gap, from there to the later one, and the rest.
    return (
        memcmp(a, b, a_at) == 0
        and memcmp(a + a_at + a_skip, b + a_at, b_at - a_at) == 0
        and memcmp(a + b_at + a_skip, b + b_at + b_skip, size - b_at) == 0
    )


cdef bint fits(const uint8_t* p, const uint8_t* end, uint32_t count, uint32_t head) noexcept nogil:
    # Whether `count` routes with `head` octets before their attributes fill p to end.
    cdef uint32_t i
    for i in range(count):
        if end - p < <Py_ssize_t>head or <uint32_t>(end - p) - head < be16(p + head - 2):
            return False
        p += head + be16(p + head - 2)
    return p == end


cdef uint32_t nlri_len(uint32_t afi, uint32_t safi, const uint8_t* p, uint32_t n) noexcept nogil:
    # Octets of the one NLRI at p; 0 if it does not fit p[:n] or nobody knows where it ends.
    cdef uint32_t length
    if n == 0:
        return 0
    if safi == 133 or safi == 134:              # flow specifications, RFC 8955 section 4.1
        if p[0] < 0xF0:
            length = 1 + p[0]
        else:
            length = 2 + (be16(p) & 0xFFF) if n >= 2 else 0
    elif afi == 25 and safi == 65:              # VPLS, RFC 4761 section 3.2.2
        length = 2 + be16(p) if n >= 2 else 0
    elif safi == 5 or (afi == 25 and safi == 70):   # MCAST-VPN, EVPN: type, length (RFC 6514 section 4, RFC 7432 section 7)
        length = 2 + p[1] if n >= 2 else 0
    elif afi == 16388:                          # BGP-LS: type, length (RFC 9552 section 5.2)
        length = 4 + be16(p + 2) if n >= 4 else 0
    elif safi == 85:                            # MUP: architecture, type, length (draft-ietf-bess-mup-safi)
        length = 4 + p[3] if n >= 4 else 0
    elif (safi == 1 or safi == 2) and (afi == 1 or afi == 2):
        length = 1 + ((p[0] + 7) >> 3) if p[0] <= (32 if afi == 1 else 128) else 0
    elif safi == 4 or safi == 66 or safi == 73 or safi == 128 or safi == 129 or safi == 132:    # a length in bits
        length = 1 + ((p[0] + 7) >> 3)
    else:
        length = 0
    return length if length <= n else 0
