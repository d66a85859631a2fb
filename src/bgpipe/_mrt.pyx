# cython: language_level=3
"""MRT records -> messages and back (RFC 6396, RFC 8050; type 5 by the drafts before them).

`scan` frames whole records without the GIL. The bytes of a BGP4MP message are never copied: it points into the block that
was read. Where a record is damaged, `scan` stops there and `frame` decides: end the input, skip the record (`pardon`), or search
the next plausible one (`recover`).

A record is damaged if it is cut short or impossibly long, if a length inside runs past its end, or if its BGP message has no marker
or another length than the record leaves for it. Whether a message parses behind its header is not asked here: it passes as it came.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from bgpipe._check cimport family
from bgpipe._codec cimport Batch, Buffer, Encoder, index_attrs
from bgpipe._message cimport (
    CTX_ADDPATH_SHIFT, CTX_AS2, CTX_EXTENDED, FAMILY_IPV4_UNICAST, MSG_LOCAL, MSG_RESET, TYPE_KEEPALIVE, TYPE_NOTIFICATION, TYPE_OPEN,
    TYPE_UPDATE, addpath_all, attrs_t, ctx_t, has_addpath, msg_t, peer_t, wanted_type,
)
from bgpipe._records cimport NO, WAIT, YES, RecordDecoder, address_text
from bgpipe._rib cimport DAMAGED, PAUSED, Rib
from bgpipe._wire cimport ASAN, be16, be32, be64, put16, put32

from bgpipe.errors import MrtError

cdef enum:                      # MRT types
    BGP = 5
    TABLE_DUMP = 12
    TABLE_DUMP_V2 = 13
    BGP4MP = 16
    BGP4MP_ET = 17

cdef enum:                      # BGP4MP subtypes, a bit for each (RFC 6396 section 4.4, RFC 8050 section 3)
    BGP4MP_MESSAGES = 0xFD2
    BGP4MP_STATES = 0x021
    BGP4MP_AS4 = 0xAB0
    BGP4MP_LOCAL = 0xCC0
    BGP4MP_ADDPATH = 0xF00
    BGP4MP_SUBTYPES = 12
    BGP4MP_ENTRY = 2
    GEO_PEER_TABLE = 7          # of TABLE_DUMP_V2 (RFC 6397)

cdef enum:
    RECORD_HEADER = 12
    HEADER_LEN = 19             # of a BGP message
    MAX_RECORD = 4 << 20        # a route of each of 65535 peers, or that many peers
    MAX_MESSAGE_RECORD = 1 << 17    # of records that hold one message or one route
    MAX_SEARCHED = 1 << 20      # of a record that a search takes for one
    BODY_SEEN = 80              # octets of a body that a search looks at
    DAY = 86400
    AS_TRANS = 23456            # RFC 6793 section 9

cdef uint64_t ONES = 0xFFFFFFFFFFFFFFFFULL


cdef dict peer_tags(const uint8_t* p, uint32_t n):
    # Tags of a BGP4MP or legacy peer header, each left out where zero.
    cdef uint32_t as_len = 4 if n == 20 or n == 44 else 2
    cdef uint32_t ip_len = 16 if n >= 40 else 4
    cdef bint is_legacy = n == 12
    cdef const uint8_t* peer_ip = p + 2 if is_legacy else p + n - 2 * ip_len
    cdef const uint8_t* local_as = p + 6 if is_legacy else p + as_len
    numbers = {
        "PEER_AS": be16(p) if as_len == 2 else be32(p),
        "PEER_IP": address(peer_ip, ip_len),
        "LOCAL_AS": be16(local_as) if as_len == 2 else be32(local_as),
        "LOCAL_IP": address(p + n - ip_len, ip_len),
        "INTERFACE": 0 if is_legacy else be16(p + 2 * as_len),
    }
    return {name: str(value) for name, value in numbers.items() if value}


cdef str address(const uint8_t* p, uint32_t n):
    # The text of an IP address; empty where it is all zeros.
    cdef uint32_t i
    for i in range(n):
        if p[i]:
            return address_text(p, n)
    return ""


# ---- decoding -----------------------------------------------------------------------------------------------------

@cython.final
cdef class MrtDecoder(RecordDecoder):
    """MRT records -> batches.

    Options of `RecordDecoder`, of which guess_asn and guess_addpath are for BGP4MP records, and: context: bits of ctx_t that BGP4MP
    messages get beside what their records say.
    """

    def __cinit__(self, *args, **options):
        self.rib = Rib()

    def __init__(self, *, ctx_t context=0, **options):
        super().__init__(**options)
        self.context = context

    cdef Py_ssize_t frame(self, Batch b, const uint8_t* p, Py_ssize_t n, bint eof) except -1:
        cdef Py_ssize_t used
        self.rib.own(b)
        self.rib.wanted = wanted_type(self.types, TYPE_UPDATE)
        self.rib.flags = self.direction
        self.rib.sent = 0
        used = RecordDecoder.frame(self, b, p, n, eof)
        self.borrowed |= b.n > self.rib.sent
        return used

    cdef int finish(self, Batch b) except -1:
        self.rib.own(b)
        return self.rib.flush(b)

    cdef object damage(self, const uint8_t* p, Py_ssize_t n, uint64_t offset):
        where = f"MRT record {self.records + 1} at offset {offset}"
        if n < RECORD_HEADER:
            text = f"{where} is cut short: {n} of the {RECORD_HEADER} bytes of its header are there"
        elif self.what == NULL:
            text = f"{where} is cut short: {n} of {RECORD_HEADER + be32(p + 8)} bytes are there"
        else:
            what = self.what.decode()
            text = f"{where} is damaged: {what} (type {be16(p + 4)}, subtype {be16(p + 6)}, length {be32(p + 8)})"
        return MrtError(text, offset=offset, record=self.records + 1)

    cdef Py_ssize_t size_of(self, const uint8_t* p, Py_ssize_t n) noexcept nogil:
        if n < RECORD_HEADER or be32(p + 8) > MAX_RECORD:
            return 0
        return RECORD_HEADER + be32(p + 8)

    cdef Py_ssize_t scan(self, Batch b, const uint8_t* p, Py_ssize_t i, Py_ssize_t n, bint eof) except -1 nogil:
        cdef const uint8_t* r
        cdef uint32_t length, kind, subtype, micro
        cdef int64_t time
        cdef int bad
        self.what = NULL
        while n - i >= RECORD_HEADER:
            r = p + i
            kind = be16(r + 4)
            subtype = be16(r + 6)
            length = be32(r + 8)
            if n - i - RECORD_HEADER < length or length > MAX_RECORD:
                self.what = impossible(r)
                return i
            if self.recover:
                bad = self.swallows(p, i, n, eof)
                if bad:
                    if bad == YES:
                        self.what = "another record begins inside it"
                    return i
            time = <int64_t>be32(r) * 1000000000
            bad = 0
            if kind == BGP4MP or kind == BGP4MP_ET:
                micro = 0
                if kind == BGP4MP_ET:
                    if length < 4:
                        self.what = "no room for its microseconds"
                        return i
                    time += <int64_t>be32(r + RECORD_HEADER) * 1000
                    micro = 4
                bad = bgp4mp(self, b, r + RECORD_HEADER + micro, length - micro, subtype, time)
            elif kind == TABLE_DUMP_V2 and subtype == 1:
                bad = self.stop(self.rib.index_table(b, r + RECORD_HEADER, length))
            elif kind == TABLE_DUMP_V2 and 2 <= subtype <= 12 and subtype != GEO_PEER_TABLE:
                bad = self.stop(self.rib.table_dump_v2(b, r + RECORD_HEADER, length, subtype, time))
            elif kind == TABLE_DUMP and 1 <= subtype <= 4:
                bad = self.stop(self.rib.table_dump(b, r + RECORD_HEADER, length, subtype, time))
            elif kind == BGP:
                bad = legacy(self, b, r + RECORD_HEADER, length, subtype, time)
            else:
                self.what = impossible(r)
                bad = self.what != NULL
                self.unknown += 1 - bad
            if bad:
                return i
            self.records += 1
            i += RECORD_HEADER + length
        return i

    cdef int plausible(self, const uint8_t* p, Py_ssize_t n, bint eof) noexcept nogil:
        return NO if n > 4 and p[4] else plausible(p, n, eof)

    cdef int swallows(self, const uint8_t* p, Py_ssize_t i, Py_ssize_t n, bint eof) noexcept nogil:
        # Whether the record at i, which is all there, was cut short and ends in the next one's bytes: no record can begin
        # behind it, but one does within.
        cdef Py_ssize_t end = i + RECORD_HEADER + be32(p + i + 8)
        cdef Py_ssize_t k
        cdef int answer
        if n - end >= RECORD_HEADER:
            if impossible(p + end) == NULL:
                return NO
        elif not eof:
            return WAIT
        elif n == end:
            return NO
        k = i + 1
        if self.doubt > self.offset + k:
            k = self.doubt - self.offset
        while k < end:
            answer = plausible(p + k, n - k, eof)
            if answer == YES:
                return YES
            if answer == WAIT and not eof:
                self.doubt = self.offset + k
                return WAIT
            k += 1
        return NO

    cdef int stop(self, int why) noexcept nogil:
        # What a method of Rib returned.
        if why == DAMAGED:
            self.what = self.rib.what
        self.paused = why == PAUSED
        return why

    cdef const peer_t* intern(self, Batch b, const uint8_t* key, uint32_t key_len) except NULL:
        cdef const peer_t* peer = self.peers.get(key, key_len)
        if peer != NULL:
            return peer
        return self.table_with_room(b).add(key, key_len, peer_tags(key, key_len))

    cdef void forget_peers(self) noexcept nogil:
        memset(self.cache, 0, sizeof(self.cache))


cdef inline int bgp4mp(MrtDecoder self, Batch b, const uint8_t* p, uint32_t n, uint32_t subtype, int64_t time) except -1 nogil:
    # RFC 6396 sections 4.4 and 4.5, RFC 8050 section 3. Returns 1 for damage.
    cdef uint32_t as4, length, head
    cdef const uint8_t* wire
    cdef msg_t* m
    cdef const peer_t* peer
    if subtype == BGP4MP_ENTRY:
        return self.stop(self.rib.entry(b, p, n, time))
    if subtype >= BGP4MP_SUBTYPES or not ((BGP4MP_MESSAGES | BGP4MP_STATES) >> subtype) & 1:
        if subtype >= BGP4MP_SUBTYPES and self.recover:
            self.what = "its subtype is none of BGP4MP"
            return 1
        self.unknown += 1
        return 0
    as4 = (BGP4MP_AS4 >> subtype) & 1
    head = 12 if as4 else 8
    if n < head:
        self.what = "its peer header is cut short"
        return 1
    if be16(p + head - 2) == 1:
        head += 8
    elif be16(p + head - 2) == 2:
        head += 32
    else:
        self.what = "its peer addresses are neither IPv4 nor IPv6"
        return 1
    if (BGP4MP_STATES >> subtype) & 1:
        if n < head + 4:
            self.what = "its state change is cut short"
            return 1
        self.state_changes += 1
        peer = peer_of(self, b, p, head)
        (<peer_t*>peer).reset = True
        self.forget(peer)
        return 0
    if n < head + HEADER_LEN:
        self.what = "its BGP message is cut short"
        return 1
    wire = p + head
    length = n - head
    if be64(wire) != ONES or be64(wire + 8) != ONES:
        self.what = "the marker of its BGP message is not all ones"
        return 1
    if be16(wire + 16) != length:
        self.what = "its BGP message has another length than the record"
        return 1
    if wire[18] == TYPE_OPEN or wire[18] == TYPE_NOTIFICATION:
        self.forget(peer_of(self, b, p, head))
    if not wanted_type(self.types, wire[18]):
        return 0
    peer = peer_of(self, b, p, head)
    m = b.add()
    m.wire = wire
    m.len = length
    m.type = wire[18]
    m.time = time
    m.peer = peer
    m.ctx = self.context | (0 if as4 else CTX_AS2)
    m.flags = self.direction
    if peer.reset:
        (<peer_t*>peer).reset = False
        m.flags |= MSG_RESET
    if length > 4096:
        m.ctx |= CTX_EXTENDED
    if (BGP4MP_ADDPATH >> subtype) & 1:
        m.ctx |= addpath_all()
    if (BGP4MP_LOCAL >> subtype) & 1:
        m.flags |= MSG_LOCAL
    if m.type == TYPE_UPDATE and (self.guess_addpath or self.guess_asn):
        self.guess(b, m, m.flags & MSG_LOCAL != 0)
    return 0


cdef int legacy(MrtDecoder self, Batch b, const uint8_t* p, uint32_t n, uint32_t subtype, int64_t time) except -1 nogil:
    # Type 5 (RFC 6396 appendix B.2): peer AS and IP, local AS and IP, then a BGP message without its header.
    cdef uint32_t length, size
    cdef uint8_t kind
    cdef uint8_t* wire
    cdef const peer_t* peer
    cdef msg_t* m
    if subtype == 3:
        if n < 10:
            self.what = "its state change is cut short"
            return 1
        self.state_changes += 1
        return 0
    kind = legacy_type(subtype)
    if kind == 0:
        if subtype > 7 and self.recover:
            self.what = "its subtype is none of type BGP"
            return 1
        self.unknown += 1
        return 0
    if n < 12:
        self.what = "its peer header is cut short"
        return 1
    length = n - 12
    if not fits_body(p + 12, length, kind):
        self.what = "its bytes are no BGP message of its subtype"
        return 1
    if not wanted_type(self.types, kind):
        return 0
    size = HEADER_LEN + length
    wire = b.alloc(size)
    memset(wire, 0xFF, 16)
    put16(wire + 16, <uint16_t>size)
    wire[18] = kind
    if length:
        memcpy(wire + HEADER_LEN, p + 12, length)
    peer = peer_of(self, b, p, 12)
    m = b.add()
    m.wire = wire
    m.len = size
    m.type = kind
    m.time = time
    m.peer = peer
    m.ctx = self.context | CTX_AS2
    m.flags = self.direction
    return 0


cdef inline const peer_t* peer_of(MrtDecoder self, Batch b, const uint8_t* key, uint32_t key_len) except NULL nogil:
    cdef uint64_t h = be64(key) ^ be64(key + key_len - 8)
    cdef const peer_t* peer
    if key_len >= 40:
        h ^= be64(key + key_len - 24)
    h = (h * 0x9E3779B97F4A7C15ULL) >> 56
    peer = self.cache[h]
    if peer != NULL and peer.key_len == key_len and same_octets(peer.key, key, key_len):
        return peer
    with gil:
        peer = self.intern(b, key, key_len)
    self.cache[h] = peer
    return peer


cdef inline bint same_octets(const uint8_t* a, const uint8_t* b, uint32_t n) noexcept nogil:
    # memcmp for the few octets of a peer header, 8 at least.
    cdef uint32_t i = 0
    cdef uint64_t apart = be64(a + n - 8) ^ be64(b + n - 8)
    while i + 8 < n:
        apart |= be64(a + i) ^ be64(b + i)
        i += 8
    return apart == 0


cdef const char* impossible(const uint8_t* p) noexcept nogil:
    # What is wrong with a record's header, or NULL. Assigned types: RFC 6396 sections 4 and 5.1, appendix B.
    cdef uint32_t kind = be16(p + 4)
    cdef uint32_t length = be32(p + 8)
    if kind > 13 and kind != BGP4MP and kind != BGP4MP_ET and kind != 32 and kind != 33 and kind != 48 and kind != 49:
        return "its type is none of MRT"
    if length > MAX_RECORD or (length > MAX_MESSAGE_RECORD and (kind == BGP4MP or kind == BGP4MP_ET or kind == BGP)):
        return "its length is impossible"
    if kind == 0 and length == 0 and be32(p) == 0:
        return "its header is all zeros"
    return NULL


cdef uint8_t legacy_type(uint32_t subtype) noexcept nogil:
    # The type of the BGP message in a record of type BGP; 0 if there is none.
    if subtype == 1 or subtype == 2:
        return TYPE_UPDATE
    if subtype == 5:
        return TYPE_OPEN
    if subtype == 6:
        return TYPE_NOTIFICATION
    return TYPE_KEEPALIVE if subtype == 7 else 0


cdef bint fits_body(const uint8_t* p, uint32_t n, uint8_t kind) noexcept nogil:
    # Whether p[:n] can be a BGP message of before RFC 8654, less its header: all there is to tell damage in a legacy record.
    cdef uint32_t withdrawn
    if n > 4096 - HEADER_LEN:
        return False
    if kind == TYPE_KEEPALIVE:
        return n == 0
    if kind == TYPE_NOTIFICATION:
        return n >= 2
    if kind == TYPE_OPEN:
        return n >= 10 and n - 10 == p[9]
    if n < 4:
        return False
    withdrawn = be16(p)
    return withdrawn <= n - 4 and be16(p + 2 + withdrawn) <= n - 4 - withdrawn


# ---- recovering -----------------------------------------------------------------------------------------------------
# A record is plausible if its type, subtype and length are, the first octets of its body are, and what follows is the header of a
# plausible record of the same day, or the end of the input. A BGP4MP message needs no such witness: its marker and its length,
# there twice, are. Each place is looked at in constant time, and no search waits for more than MAX_SEARCHED bytes.

cdef int plausible(const uint8_t* p, Py_ssize_t n, bint eof) noexcept nogil:
    cdef const uint8_t* after
    cdef Py_ssize_t size
    if n < RECORD_HEADER:
        return WAIT
    if not plausible_header(p):
        return NO
    size = RECORD_HEADER + be32(p + 8)
    if n < size and (n < RECORD_HEADER + BODY_SEEN or be16(p + 4) == BGP):
        return WAIT
    if not plausible_body(be16(p + 4), be16(p + 6), p + RECORD_HEADER, be32(p + 8)):
        return NO
    if n >= size and be16(p + 4) >= BGP4MP and (BGP4MP_MESSAGES >> be16(p + 6)) & 1:
        return YES
    if n < size + RECORD_HEADER:
        return YES if eof and n >= size else WAIT
    after = p + size
    if not plausible_header(after):
        return NO
    return YES if be32(after) - be32(p) <= DAY or be32(p) - be32(after) <= DAY else NO


cdef bint plausible_header(const uint8_t* p) noexcept nogil:
    cdef uint32_t kind = be16(p + 4)
    cdef uint32_t subtype = be16(p + 6)
    cdef uint32_t length = be32(p + 8)
    if kind == BGP4MP or kind == BGP4MP_ET:
        return subtype < BGP4MP_SUBTYPES and 16 <= length <= MAX_MESSAGE_RECORD
    if kind == TABLE_DUMP_V2:
        return 1 <= subtype <= 12 and 7 <= length <= MAX_SEARCHED
    if kind == TABLE_DUMP:
        return 1 <= subtype <= 4 and 22 <= length <= MAX_MESSAGE_RECORD
    return kind == BGP and 1 <= subtype <= 7 and 10 <= length <= 12 + 4096


cdef bint plausible_body(uint32_t kind, uint32_t subtype, const uint8_t* p, uint32_t n) noexcept nogil:
    # At least min(n, BODY_SEEN) octets are there, of type BGP all.
    cdef uint32_t head, at
    if kind == BGP4MP_ET:
        p += 4
        n -= 4
    if kind == BGP4MP or kind == BGP4MP_ET:
        head = 12 if (BGP4MP_AS4 >> subtype) & 1 else 8
        if n < head or be16(p + head - 2) == 0 or be16(p + head - 2) > 2:
            return False
        head += 8 if be16(p + head - 2) == 1 else 32
        if (BGP4MP_STATES >> subtype) & 1:
            return n == head + 4
        if not (BGP4MP_MESSAGES >> subtype) & 1:
            return n >= head
        return n >= head + HEADER_LEN and be64(p + head) == ONES and be64(p + head + 8) == ONES and be16(p + head + 16) == n - head
    if kind == TABLE_DUMP:
        head = 22 if subtype & 1 else 46
        at = 8 if subtype & 1 else 20
        if subtype > 2:
            head += 2
        return n >= head and p[at] <= (32 if subtype & 1 else 128) and be16(p + head - 2) == n - head
    if kind == TABLE_DUMP_V2:
        if subtype == 1:
            return n >= 8 and be16(p + 4) <= n - 8
        if subtype == 6 or subtype == 7 or subtype == 12:
            return n >= 8
        at = 5 + ((p[4] + 7) >> 3)
        return p[4] <= (32 if subtype in (2, 3, 8, 9) else 128) and n >= at + 2
    if subtype == 3:
        return n == 10 and 1 <= be16(p + 6) <= 6 and 1 <= be16(p + 8) <= 6
    if subtype == 4:
        return True
    return n >= 12 and fits_body(p + 12, n - 12, legacy_type(subtype))


# ---- encoding -------------------------------------------------------------------------------------------------------

@cython.final
cdef class MrtEncoder(Encoder):
    """Batches -> BGP4MP_ET records (RFC 6396 section 4.5, RFC 8050 section 3).

    The subtype is that of the message: MESSAGE or MESSAGE_AS4 as its AS size is, _LOCAL if it came so, _ADDPATH if its families carry
    path ids, so that its bytes stay what they were. Times are cut to microseconds, and to those that MRT can say: from 1970 to 2106,
    where the microseconds may go on for another hour; an AS over 65535 becomes 23456 in a 2-octet header (RFC 6793); unknown peer
    fields are zero; where the two addresses are of different families, the local one is zero.

    An UPDATE with families that carry path ids next to families that do not has no place in MRT, whose subtype speaks for
    all: it is left out, counted in `skipped`, and on_skip is called with an MrtError.
    """

    cpdef int encode(self, Batch b, Buffer out) except -1:
        cdef msg_t* m
        cdef msg_t* end
        cdef const header_t* header
        cdef uint8_t* p
        cdef uint64_t count = 0, us, second
        cdef uint32_t as4, is_local, length
        cdef int ids
        if b is None or out is None:
            raise TypeError("encode() takes a Batch and a Buffer")
        m = b.msgs
        end = m + b.n
        # Peers live as long as their batch: headers made for one batch say nothing about the next.
        self.epoch += 1
        with nogil:
            while m < end:
                if not self.wanted(m):
                    m += 1
                    continue
                ids = 0
                if m.ctx >> CTX_ADDPATH_SHIFT:
                    ids = path_ids(b, m)
                    if ids > 1:
                        with gil:
                            self.leave_out(m)
                        m += 1
                        continue
                as4 = not m.ctx & CTX_AS2
                is_local = (m.flags & MSG_LOCAL) != 0
                header = self.header_of(m.peer, 4 if as4 else 2)
                if ASAN or out.cap - out.len < 16 + <Py_ssize_t>sizeof(header.data) + m.len:
                    out.reserve(16 + sizeof(header.data) + m.len)
                p = out.data + out.len
                us = <uint64_t>m.time // 1000 if m.time > 0 else 0
                second = min(us // 1000000, 0xFFFFFFFFULL)
                length = 4 + header.len + m.len
                put32(p, <uint32_t>second)
                put16(p + 4, BGP4MP_ET)
                put16(p + 6, <uint16_t>((8 + 2 * is_local if ids else 6 if is_local else 1 + 2 * as4) + as4))
                put32(p + 8, length)
                put32(p + 12, <uint32_t>min(us - second * 1000000, 0xFFFFFFFFULL))
                memcpy(p + 16, header.data, sizeof(header.data))
                memcpy(p + 16 + header.len, m.wire, m.len)
                out.len += RECORD_HEADER + length
                count += 1
                m += 1
        self.written += count
        out.messages += count
        return 0

    cdef const header_t* header_of(self, const peer_t* peer, uint32_t as_len) noexcept nogil:
        cdef header_t* h = &self.cache[(<size_t>peer * 0x9E3779B97F4A7C15ULL) >> 56]
        cdef uint32_t ip_len
        cdef uint8_t* p = h.data
        if h.epoch == self.epoch and h.peer == peer and h.as_len == as_len:
            return h
        h.epoch = self.epoch
        h.peer = peer
        h.as_len = <uint8_t>as_len
        memset(p, 0, sizeof(h.data))
        if as_len == 4:
            put32(p, peer.peer_as)
            put32(p + 4, peer.local_as)
        else:
            put16(p, <uint16_t>(peer.peer_as if peer.peer_as <= 0xFFFF else AS_TRANS))
            put16(p + 2, <uint16_t>(peer.local_as if peer.local_as <= 0xFFFF else AS_TRANS))
        p += 2 * as_len
        ip_len = peer.peer_ip_len if peer.peer_ip_len else peer.local_ip_len if peer.local_ip_len else 4
        put16(p, <uint16_t>peer.ifindex)
        put16(p + 2, 1 if ip_len == 4 else 2)
        if peer.peer_ip_len == ip_len:
            memcpy(p + 4, peer.peer_ip, ip_len)
        if peer.local_ip_len == ip_len:
            memcpy(p + 4 + ip_len, peer.local_ip, ip_len)
        h.len = <uint8_t>(2 * as_len + 4 + 2 * ip_len)
        return h

    cdef int leave_out(self, const msg_t* m) except -1:
        return self.skip(MrtError(f"message {m.seq} mixes families with and without path ids, which no MRT record can say"))


cdef int path_ids(Batch b, msg_t* m) except -1 nogil:
    # Whether the prefixes of a message with some add-path family carry path ids: 0, 1, or 2: some do and some do not.
    # Families shown as hex count where they do: nothing else in the JSON form says it of them.
    cdef attrs_t* index
    cdef uint32_t i
    cdef bint some = False, others = False
    if m.ctx >> CTX_ADDPATH_SHIFT == addpath_all() >> CTX_ADDPATH_SHIFT:
        return 1
    index = index_attrs(b, m)
    if index == NULL:
        return m.type == TYPE_UPDATE and has_addpath(m.ctx, FAMILY_IPV4_UNICAST)
    if index.reach_len or index.unreach_len:
        some = has_addpath(m.ctx, FAMILY_IPV4_UNICAST)
        others = not some
    for i in range(index.count):
        if (index.attr[i].code == 14 or index.attr[i].code == 15) and index.attr[i].length > 3:
            if has_addpath(m.ctx, family(be16(index.attr[i].value), index.attr[i].value[2])):
                some = True
            elif 1 <= be16(index.attr[i].value) <= 2 and 1 <= index.attr[i].value[2] <= 2:
                others = True
    return 2 if some and others else some
