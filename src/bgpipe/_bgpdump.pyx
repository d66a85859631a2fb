# cython: language_level=3
"""Messages -> the text of `bgpdump -m`, a line for each prefix (docs/formats.md).

    BGP4MP|time|W|peer IP|peer AS|prefix
    BGP4MP|time|A|peer IP|peer AS|prefix|AS path|origin|next hop|local pref|MED|communities|AG or NAG|aggregator|

Withdrawn prefixes come first, and in both halves those of RFC 4271 before those of RFC 4760. What bgpdump itself prints for odd
messages was found out by giving them to it, and is held to by tests/golden/test_bgpdump_text.py, which lists the rest.

The lines of a message differ in their prefixes alone: what is in front of them (`head_t`) and behind them (`tail`) is made once.
"""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from bgpipe._as_path cimport (
    AS_CONFED_SEQUENCE, AS_SEQUENCE, AS_SET, AS_TRANS, as4_counts, as_number, begin_path, join_as4, next_segment, path_t, segment_t,
)
from bgpipe._check cimport check, check_attr, family
from bgpipe._codec cimport Batch, Buffer, Encoder
from bgpipe._json_text cimport lit, put_ipv4, put_number
from bgpipe._message cimport (
    CTX_AS2, ERR_ATTRIBUTE_VALUE, FAMILY_IPV4_UNICAST, MSG_LOCAL, MSG_RIB, STATUS_OK, STATUS_UNKNOWN, TYPE_UPDATE, attr_t, ctx_t,
    has_addpath, msg_t, next_attr, peer_t,
)
from bgpipe._wire cimport ASAN, be16, be32, be64

from bgpipe.errors import InputError

cdef enum:
    HEADER_LEN = 19             # of a BGP message
    CODES = 19                  # attributes that lines tell of have codes below
    MAX_TEXT = 8 << 20          # of one message
    MAX_PREFIX = 64             # octets of text: an IPv6 prefix and a path id
    TOO_LONG = -2

cdef const uint8_t* WITHDRAWN = <const uint8_t*>b"\n"    # what follows the prefix there

cdef struct head_t:
    uint32_t len
    uint32_t letter_at          # of A, B or W
    uint8_t text[128]           # "BGP4MP|1600000000|A|192.0.2.1|65001|"

cdef struct section_t:          # prefixes that share all the rest
    const uint8_t* p
    const uint8_t* end
    bint v6, addpath


# ---- small pieces ---------------------------------------------------------------------------------------------------

cdef uint8_t* put_group(uint8_t* out, uint32_t v) noexcept nogil:
    # 16 bits in hex without leading zeros
    cdef int shift = 12
    while shift and not v >> shift:
        shift -= 4
    while shift >= 0:
        out[0] = <uint8_t>b"0123456789abcdef"[(v >> shift) & 15]
        out += 1
        shift -= 4
    return out


cdef uint8_t* put_ipv6(uint8_t* out, uint64_t high, uint64_t low) noexcept nogil:
    # As bgpdump has it: `::` for the longest run of zeros, of one group even, and the dotted end of IPv4 behind six groups of zeros too.
    cdef uint32_t group[8]
    cdef uint32_t i, run = 0, start = 8, length = 0
    for i in range(4):
        group[i] = <uint32_t>(high >> (48 - 16 * i)) & 0xFFFF
        group[4 + i] = <uint32_t>(low >> (48 - 16 * i)) & 0xFFFF
    for i in range(8):
        run = 0 if group[i] else run + 1
        if run > length:
            length = run
            start = i + 1 - run
    i = 0
    while i < 8:
        if i == start:
            out = lit(out, b"::", 2)
            i += length
            if start == 0 and (length == 6 or (length == 5 and group[5] == 0xFFFF)):
                return put_ipv4(out if length == 6 else lit(out, b"ffff:", 5), <uint32_t>low)
            continue
        out = put_group(out, group[i])
        i += 1
        if i < 8 and i != start:
            out[0] = 0x3A
            out += 1
    return out


cdef uint8_t* put_prefix(uint8_t* out, const uint8_t** at, const uint8_t* end, bint v6, bint addpath) noexcept nogil:
    # The prefix at at[0], which goes behind it; NULL if it does not parse. Host bits are shown as they are.
    cdef const uint8_t* p = at[0]
    cdef const uint8_t* path_id = p
    cdef uint32_t bits, octets
    cdef uint64_t high = 0, low = 0
    if addpath:
        if end - p < 5:
            return NULL
        p += 4
    bits = p[0]
    octets = (bits + 7) >> 3
    if bits > <uint32_t>(128 if v6 else 32) or end - p < 1 + octets:
        return NULL
    p += 1 + octets
    # Loaded from their end backwards: what comes along from in front of them, at least the header of the message, is shifted out.
    if not v6:
        out = put_ipv4(out, <uint32_t>(<uint64_t>be32(p - 4) << (32 - 8 * octets)))
    else:
        if octets > 8:
            high = be64(p - octets)
            low = be64(p - 8) << (128 - 8 * octets)
        elif octets:
            high = be64(p - 8) << (64 - 8 * octets)
        out = put_ipv6(out, high, low)
    out[0] = 0x2F
    out = put_number(out + 1, bits)
    if addpath:
        out[0] = 0x7C
        out = put_number(out + 1, be32(path_id))
    at[0] = p
    return out


# ---- attributes -------------------------------------------------------------------------------------------------------

cdef uint8_t* put_path(uint8_t* out, const attr_t* attrs, bint as2) noexcept nogil:
    # AS_PATH, made whole by AS4_PATH where AS numbers have two octets (RFC 6793 section 4.2.3).
    cdef uint8_t* start = out
    cdef path_t path
    cdef segment_t s
    cdef uint32_t i
    if attrs[2].value == NULL:
        return out
    begin_path(&path, attrs[2].value, attrs[2].length, 2 if as2 else 4)
    if as2 and attrs[17].value != NULL and as4_counts(attrs[7].value, attrs[7].length, attrs[18].value != NULL):
        join_as4(&path, attrs[17].value, attrs[17].length)
    while next_segment(&path, &s):
        if s.kind != AS_SEQUENCE:
            out[0] = 0x7B if s.kind == AS_SET else 0x28 if s.kind == AS_CONFED_SEQUENCE else 0x5B
            out += 1
        for i in range(s.count):
            out = put_number(out, as_number(&s, i))
            out[0] = 0x20 if s.kind == AS_SEQUENCE or s.kind == AS_CONFED_SEQUENCE else 0x2C
            out += 1
        if s.kind != AS_SEQUENCE:
            out[-1] = 0x7D if s.kind == AS_SET else 0x29 if s.kind == AS_CONFED_SEQUENCE else 0x5D
            out[0] = 0x20
            out += 1
    return out - (out > start)


cdef uint8_t* put_communities(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # Of the well-known ones, those of RFC 1997 have names.
    cdef const uint8_t* end = p + n
    cdef uint32_t v
    while p < end:
        v = be32(p)
        if v == 0xFFFFFF01U:
            out = lit(out, b"no-export ", 10)
        elif v == 0xFFFFFF02U:
            out = lit(out, b"no-advertise ", 13)
        elif v == 0xFFFFFF03U:
            out = lit(out, b"local-AS ", 9)
        else:
            out = put_number(out, v >> 16)
            out[0] = 0x3A
            out = put_number(out + 1, v & 0xFFFF)
            out[0] = 0x20
            out += 1
        p += 4
    return out - 1


cdef uint8_t* put_aggregator(uint8_t* out, const attr_t* attrs, bint as2) noexcept nogil:
    cdef const uint8_t* p = attrs[7].value
    cdef uint32_t asn
    if p == NULL:
        return out
    asn = be16(p) if as2 else be32(p)
    p += 2 if as2 else 4
    if as2 and asn == AS_TRANS and attrs[18].value != NULL:
        asn = be32(attrs[18].value)
        p = attrs[18].value + 4
    out = put_number(out, asn)
    out[0] = 0x20
    return put_ipv4(out + 1, be32(p))


cdef int make_tail(Buffer tail, const attr_t* attrs, bint broken_path, const uint8_t* hop, uint32_t hop_len, bint as2) except -1 nogil:
    # An AS number of 4 octets takes 11 in text, a community at most 13.
    cdef uint8_t* out
    tail.len = 0
    tail.reserve(256 + 6 * (attrs[2].length + attrs[17].length + attrs[8].length))
    out = tail.data
    out[0] = 0x7C
    out += 1
    if broken_path:
        out = lit(out, b"! Error !", 9)
    else:
        out = put_path(out, attrs, as2)
    if attrs[1].value == NULL or attrs[1].value[0] == 2:
        out = lit(out, b"|INCOMPLETE|", 12)
    else:
        out = lit(out, b"|EGP|" if attrs[1].value[0] else b"|IGP|", 5)
    if hop_len == 4:
        out = put_ipv4(out, be32(hop))
    elif hop_len >= 16:
        out = put_ipv6(out, be64(hop), be64(hop + 8))
    else:
        out = lit(out, b"255.255.255.255", 15)
    out[0] = 0x7C
    out = put_number(out + 1, be32(attrs[5].value) if attrs[5].value != NULL else 0)
    out[0] = 0x7C
    out = put_number(out + 1, be32(attrs[4].value) if attrs[4].value != NULL else 0)
    out[0] = 0x7C
    out += 1
    if attrs[8].value != NULL:
        out = put_communities(out, attrs[8].value, attrs[8].length)
    out = lit(out, b"|AG|", 4) if attrs[6].value != NULL else lit(out, b"|NAG|", 5)
    out = lit(put_aggregator(out, attrs, as2), b"|\n", 2)
    tail.len = out - tail.data
    return 0


# ---- messages -----------------------------------------------------------------------------------------------------------

cdef bint index(const msg_t* m, attr_t* attrs, section_t* unreach, section_t* reach) noexcept nogil:
    # The parts of an UPDATE that parses but for values of attributes. attrs[code]: value NULL where it is not there or does not
    # parse. Returns whether there is an AS_PATH that does not.
    cdef const uint8_t* p = m.wire + HEADER_LEN
    cdef const uint8_t* end = m.wire + m.len
    cdef const uint8_t* stop
    cdef attr_t a
    cdef bint addpath = has_addpath(m.ctx, FAMILY_IPV4_UNICAST)
    cdef bint broken_path = False
    unreach.v6 = reach.v6 = False
    unreach.addpath = reach.addpath = addpath
    unreach.p = p + 2
    p = unreach.end = p + 2 + be16(p)
    stop = p + 2 + be16(p)
    p += 2
    reach.p = stop
    reach.end = end
    memset(attrs, 0, CODES * sizeof(attr_t))
    while next_attr(&p, stop, &a):
        if a.code < CODES:
            if m.status == STATUS_OK or check_attr(a.code, a.value, a.length, m.ctx):
                attrs[a.code] = a
            elif a.code == 2:
                broken_path = True
    return broken_path


cdef bint mp_section(const attr_t* a, bint reach, ctx_t ctx, section_t* s) noexcept nogil:
    # The prefixes of an MP_REACH or MP_UNREACH (RFC 4760 sections 3 and 4); False: they are of a family that has no lines.
    cdef uint32_t afi
    if a.value == NULL:
        return False
    afi = be16(a.value)
    if afi == 0 or afi > 2 or a.value[2] == 0 or a.value[2] > 2:
        return False
    s.p = a.value + (5 + a.value[3] if reach else 3)
    s.end = a.value + a.length
    s.v6 = afi == 2
    s.addpath = has_addpath(ctx, family(<uint16_t>afi, a.value[2]))
    return True


cdef void make_head(head_t* head, const msg_t* m, const peer_text_t* peer, bint addpath) noexcept nogil:
    cdef uint64_t us = <uint64_t>m.time // 1000 if m.time > 0 else 0
    cdef uint64_t second = min(us // 1000000, 0xFFFFFFFFULL)
    cdef uint8_t* out = head.text
    cdef uint32_t micro = <uint32_t>(us - second * 1000000) if us < (<uint64_t>1 << 32) * 1000000 else 0
    cdef uint32_t i
    if m.flags & MSG_RIB:
        micro = 0
        out = lit(out, b"TABLE_DUMP", 10) if m.ctx & CTX_AS2 else lit(out, b"TABLE_DUMP2", 11)
    else:
        out = lit(out, b"BGP4MP_ET", 9) if micro else lit(out, b"BGP4MP", 6)
    if addpath:
        out = lit(out, b"_AP", 3)
    elif m.flags & MSG_LOCAL:
        out = lit(out, b"_LOCAL", 6)
    out[0] = 0x7C
    out = put_number(out + 1, <uint32_t>second)
    if micro:
        out[0] = 0x2E
        for i in range(6):
            out[6 - i] = <uint8_t>(0x30 + micro % 10)
            micro = micro // 10
        out += 7
    out[0] = 0x7C
    head.letter_at = <uint32_t>(out + 1 - head.text)
    memcpy(out + 2, peer.text, peer.len)
    head.len = <uint32_t>(out + 2 + peer.len - head.text)


cdef int put_lines(Buffer out, head_t* head, uint8_t letter, const section_t* s, const uint8_t* tail, uint32_t tail_len,
                   Py_ssize_t most, int count) except -1 nogil:
    # A line for each prefix, as long as out.len is at most `most`. Returns `count` and how many these are, or TOO_LONG.
    cdef const uint8_t* p = s.p
    cdef Py_ssize_t need = <Py_ssize_t>sizeof(head.text) + MAX_PREFIX + tail_len
    cdef uint8_t* q
    head.text[head.letter_at] = letter
    while p < s.end and count != TOO_LONG:
        if ASAN or out.cap - out.len < need:
            out.reserve(need)
        q = out.data + out.len
        memcpy(q, head.text, head.len)
        q = put_prefix(q + head.len, &p, s.end, s.v6, s.addpath)
        if q == NULL:
            break
        memcpy(q, tail, tail_len)
        out.len = q + tail_len - out.data
        count = count + 1 if out.len <= most else TOO_LONG
    return count


@cython.final
cdef class BgpdumpEncoder(Encoder):
    """Batches -> the lines of `bgpdump -m`."""

    divides = True

    def __cinit__(self, *args, **options):
        self.tail = Buffer(1024)

    cpdef int encode(self, Batch b, Buffer out) except -1:
        self.next = 0
        return self.go_on(b, out)

    cpdef int go_on(self, Batch b, Buffer out) except -1:
        cdef msg_t* m
        cdef msg_t* end
        cdef msg_t* rest = NULL
        cdef Py_ssize_t start, most
        cdef uint64_t lines = 0
        cdef int count
        if b is None or out is None:
            raise TypeError("encode() takes a Batch and a Buffer")
        if self.next > b.n:
            raise ValueError("go_on() takes the batch that was given to encode()")
        m = b.msgs + self.next
        end = b.msgs + b.n
        most = out.len + self.part if self.part else 0
        # Peers live as long as their batch: what was made for one batch says nothing about the next.
        self.epoch += 1
        with nogil:
            while m < end:
                if rest == NULL and most and out.len >= most:
                    rest = m
                if m.type == TYPE_UPDATE and self.wanted(m):
                    if m.status == STATUS_UNKNOWN and check(m, NULL) > STATUS_OK:
                        b.failed += 1   # also of what comes in a later part: the batch is asked for it now
                    if rest != NULL:
                        m += 1
                        continue
                    start = out.len
                    # Attributes whose value alone does not parse are left away; anything else may be no route at all.
                    count = self.put_message(m, out) if m.status == STATUS_OK or m.status == ERR_ATTRIBUTE_VALUE else 0
                    if count == TOO_LONG:
                        out.len = start
                        with gil:
                            self.leave_out(m)
                    else:
                        self.written += 1
                        lines += count
                m += 1
        self.next = <uint32_t>(rest - b.msgs) if rest != NULL else 0
        out.messages += lines
        return 0

    cdef int put_message(self, const msg_t* m, Buffer out) except -1 nogil:
        # Its lines; how many, or TOO_LONG.
        cdef attr_t attrs[CODES]
        cdef section_t unreach, reach, mp_unreach, mp_reach
        cdef const peer_text_t* peer = self.peer_text(m.peer)
        cdef uint8_t announced = 0x42 if m.flags & MSG_RIB else 0x41
        cdef Py_ssize_t most = out.len + MAX_TEXT
        cdef bint as2 = m.ctx & CTX_AS2
        cdef bint broken_path = index(m, attrs, &unreach, &reach)
        cdef bint has_mp_reach = mp_section(&attrs[14], True, m.ctx, &mp_reach)
        cdef bint has_mp_unreach = mp_section(&attrs[15], False, m.ctx, &mp_unreach)
        cdef head_t head
        cdef int count = 0
        make_head(&head, m, peer, unreach.addpath)
        count = put_lines(out, &head, 0x57, &unreach, WITHDRAWN, 1, most, count)
        if has_mp_unreach:
            make_head(&head, m, peer, mp_unreach.addpath)
            count = put_lines(out, &head, 0x57, &mp_unreach, WITHDRAWN, 1, most, count)
        if reach.p < reach.end:
            make_head(&head, m, peer, reach.addpath)
            make_tail(self.tail, attrs, broken_path, attrs[3].value, attrs[3].length, as2)
            count = put_lines(out, &head, announced, &reach, self.tail.data, <uint32_t>self.tail.len, most, count)
        if has_mp_reach:
            make_head(&head, m, peer, mp_reach.addpath)
            make_tail(self.tail, attrs, broken_path, attrs[14].value + 4, attrs[14].value[3], as2)
            count = put_lines(out, &head, announced, &mp_reach, self.tail.data, <uint32_t>self.tail.len, most, count)
        return count

    cdef const peer_text_t* peer_text(self, const peer_t* peer) noexcept nogil:
        cdef peer_text_t* t = &self.cache[(<size_t>peer * 0x9E3779B97F4A7C15ULL) >> 56]
        cdef uint8_t* out = t.text
        if t.epoch == self.epoch and t.peer == peer:
            return t
        t.epoch = self.epoch
        t.peer = peer
        out[0] = 0x7C
        out += 1
        if peer.peer_ip_len == 16:
            out = put_ipv6(out, be64(peer.peer_ip), be64(peer.peer_ip + 8))
        elif peer.peer_ip_len == 4:
            out = put_ipv4(out, be32(peer.peer_ip))
        elif peer.local_ip_len == 16:
            out = lit(out, b"::", 2)
        else:
            out = lit(out, b"0.0.0.0", 7)
        out[0] = 0x7C
        out = put_number(out + 1, peer.peer_as)
        out[0] = 0x7C
        t.len = <uint8_t>(out + 1 - t.text)
        return t

    cdef int leave_out(self, const msg_t* m) except -1:
        return self.skip(InputError(f"message {m.seq} has prefixes and attributes for more than {MAX_TEXT >> 20} MiB of lines"))
