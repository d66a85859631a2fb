# cython: language_level=3
"""Filters at work: programs that filters/compiler.py makes, run over the wire bytes of whole batches.

A program is a list of tests, each with the number of the one to go to if it holds and if it does not: what cannot change the
outcome is never looked at. A batch is run without the GIL. Messages at which a regular expression or JSON has to be asked
are put off, and run again with the GIL; what was answered is remembered by the octets that were asked about, in a memo that
one run has to itself.

Messages are looked at as far as the tests need it, each step inside bounds, so that a test may say anything about a message that
does not parse. None of those matches: what would is checked to its last octet first.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset
from bgpipe._as_path cimport (
    AS_SEQUENCE, AS_SET, as4_counts, as_number, begin_path, join_as4, next_segment, path_t, segment_t,
)
from bgpipe._check cimport check, family, labels_size, nlri_size
from bgpipe._codec cimport Batch, hash_bytes
from bgpipe._message cimport (
    CTX_AS2, FAMILY_IPV4_UNICAST, MSG_DROPPED, MSG_HIDDEN, MSG_LEFT, MSG_UNSEEN, STATUS_OK, STATUS_UNKNOWN, TYPE_UPDATE, ctx_t,
    has_addpath, msg_t,
)
from bgpipe._prefixset cimport PrefixSet, has4, has6
from bgpipe._view cimport Msg, view
from bgpipe._wire cimport be16, be32, be64, likely

cdef enum:
    HEADER_LEN = 19
    NO_PLACE = 256
    # What a program decides
    REJECTED = -1
    ACCEPTED = -2
    # What a test says.
    NO = 0
    YES = 1
    ABSENT = 2                              # the message does not have the attribute
    UNSURE = 3                              # Python has to be asked
    UNSEEN = 2                              # of verdicts(): not looked at
    # SAFIs
    LABELLED = 4
    VPN = 128
    VPN_MULTICAST = 129
    # Attribute codes
    ORIGIN = 1
    AS_PATH = 2
    NEXT_HOP = 3
    AGGREGATOR = 7
    MP_REACH = 14
    MP_UNREACH = 15
    AS4_PATH = 17
    AS4_AGGREGATOR = 18

cdef enum:                                  # op_t.code
    TEST_TYPE
    TEST_DIRECTION
    TEST_SEQ
    TEST_TIME
    TEST_FAMILY
    TEST_HAS                                # attribute `which` is there
    TEST_ORIGIN
    TEST_NUMBER                             # 4 octets: MED, LOCAL_PREF, OTC
    TEST_NEXT_HOP
    TEST_PREFIX
    TEST_HOP
    TEST_PATH_LENGTH
    TEST_PATH_HOPS
    TEST_COMMUNITY
    ASK_PATH
    ASK_OCTETS                              # of attribute `which`
    ASK_TAG
    ASK_TIME
    ASK_MESSAGE

cdef enum:                                  # op_t.how
    PRESENT
    EQUAL
    BELOW
    UP_TO
    ABOVE
    FROM
    INSIDE                                  # in a network
    ONE_OF

cdef enum:                                  # op_t.which of prefixes
    REACH = 1
    UNREACH = 2

# What of these compiler.py names.
NAMES = {
    "type": TEST_TYPE, "dir": TEST_DIRECTION, "seq": TEST_SEQ, "time": TEST_TIME, "af": TEST_FAMILY, "has": TEST_HAS, "origin": TEST_ORIGIN,
    "number": TEST_NUMBER, "nexthop": TEST_NEXT_HOP, "prefix": TEST_PREFIX, "hop": TEST_HOP,
    "aspath_len": TEST_PATH_LENGTH, "aspath_hops": TEST_PATH_HOPS, "community": TEST_COMMUNITY, "ask path": ASK_PATH,
    "ask octets": ASK_OCTETS, "ask tag": ASK_TAG, "ask time": ASK_TIME, "ask message": ASK_MESSAGE,
}
# Attributes that a test looks at, where `which` does not say.
WANTED = {
    "af": (MP_REACH, MP_UNREACH), "prefix": (MP_REACH, MP_UNREACH), "nexthop": (MP_REACH, NEXT_HOP),
    **dict.fromkeys(("hop", "aspath_len", "aspath_hops", "ask path"), (AS_PATH, AS4_PATH, AGGREGATOR, AS4_AGGREGATOR)),
}
HOW = {"": PRESENT, "==": EQUAL, "<": BELOW, "<=": UP_TO, ">": ABOVE, ">=": FROM, "~": INSIDE, "in": ONE_OF}
ACCEPT = ACCEPTED
REJECT = REJECTED


# ---- what is remembered of slow tests -------------------------------------------------------------------------------------------
cdef enum:
    MEMO_SLOTS = 1 << 17                    # three quarters at most are taken
    MEMO_KEYS = 8 << 20                     # octets; when either is full, all is forgotten
    MEMO_KEY = 4096                         # longer ones are not remembered


@cython.final
cdef class Memo:
    """Answers by question: the number of the test and the octets that it looks at. Bounded."""

    def __cinit__(self):
        self.slots = <memo_slot_t*>calloc(MEMO_SLOTS, sizeof(memo_slot_t))
        self.keys = <uint8_t*>malloc(MEMO_KEYS)
        self.scratch = <uint8_t*>malloc(MEMO_KEY)
        if self.slots == NULL or self.keys == NULL or self.scratch == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.slots)
        free(self.keys)
        free(self.scratch)

    cdef memo_slot_t* lookup(self) noexcept nogil:
        """The answer to what is in scratch, or the empty slot for it."""
        self.hash = hash_bytes(self.scratch, self.scratch_len)
        return self.probe()

    cdef memo_slot_t* probe(self) noexcept nogil:
        cdef uint64_t h = self.hash
        cdef uint32_t i = <uint32_t>(h >> 32) & (MEMO_SLOTS - 1)
        cdef memo_slot_t* slot
        while True:
            slot = self.slots + i
            if slot.length == 0 or (slot.hash == <uint32_t>h and slot.length == self.scratch_len
                                    and memcmp(self.keys + slot.offset, self.scratch, self.scratch_len) == 0):
                return slot
            i = (i + 1) & (MEMO_SLOTS - 1)

    cdef void remember(self, bint found) noexcept nogil:
        """The answer to what lookup() did not find."""
        cdef memo_slot_t* slot
        if self.used + self.scratch_len > MEMO_KEYS or self.count * 4 > MEMO_SLOTS * 3:
            memset(self.slots, 0, MEMO_SLOTS * sizeof(memo_slot_t))
            self.used = self.count = 0
        slot = self.probe()
        memcpy(self.keys + self.used, self.scratch, self.scratch_len)
        slot.hash = <uint32_t>self.hash
        slot.offset = self.used
        slot.length = <uint16_t>self.scratch_len
        slot.found = found
        self.used += self.scratch_len
        self.count += 1


# ---- looking at a message -------------------------------------------------------------------------------------------------------
cdef struct field_t:
    const uint8_t* p
    uint32_t n

cdef struct look_t:                         # what has been seen of one message
    bint sections, attributes               # looked for
    bint bad                                # they were not there: the message does not parse
    const uint16_t* places                  # Program.places
    uint32_t wanted                         # Program.wanted
    field_t unreach, body, reach            # body: the path attributes
    field_t found[257]                      # attributes by their place, p being NULL where there is none; [NO_PLACE]: others


cdef inline bint find_sections(look_t* l, const msg_t* m) noexcept nogil:
    # RFC 4271 section 4.3
    cdef const uint8_t* p = m.wire + HEADER_LEN
    cdef const uint8_t* end = m.wire + m.len
    if l.sections:
        return not l.bad
    l.sections = True
    l.bad = True
    if end - p < 4:
        return False
    l.unreach.n = be16(p)
    l.unreach.p = p + 2
    if <uint32_t>(end - p) < l.unreach.n + 4:
        return False
    p += 2 + l.unreach.n
    l.body.n = be16(p)
    l.body.p = p + 2
    if <uint32_t>(end - p) < l.body.n + 2:
        return False
    l.reach.p = p + 2 + l.body.n
    l.reach.n = <uint32_t>(end - l.reach.p)
    l.bad = False
    return True


cdef bint find_attributes(look_t* l, const msg_t* m) noexcept nogil:
    cdef const uint16_t* places = l.places
    cdef const uint8_t* p
    cdef const uint8_t* end
    cdef const uint8_t* value
    cdef field_t* f
    cdef uint32_t n
    l.attributes = True
    if not find_sections(l, m):
        return False
    for n in range(l.wanted):
        l.found[n].p = NULL
    p = l.body.p
    end = p + l.body.n
    while p + 3 <= end:
        n = p[2]
        value = p + 3
        if p[0] & 0x10:
            if value == end:
                break
            n = n << 8 | p[3]
            value += 1
        if n > <size_t>(end - value):
            break
        f = l.found + places[p[1]]
        f.p = value
        f.n = n
        p = value + n
    l.bad = p != end
    return not l.bad


cdef inline const field_t* attribute(look_t* l, const msg_t* m, uint8_t code) noexcept nogil:
    """The value of an attribute that the program wants, or NULL."""
    cdef const field_t* f
    if l.bad if l.attributes else not find_attributes(l, m):
        return NULL
    f = l.found + l.places[code]
    return f if f.p != NULL else NULL


# ---- tests ----------------------------------------------------------------------------------------------------------------------
cdef inline bint one_of(const op_t* op, const uint8_t* key) noexcept nogil:
    """Whether op.items, sorted, has the op.width octets of key."""
    cdef uint32_t low = 0, high = op.count, middle
    cdef int order
    while low < high:
        middle = (low + high) >> 1
        order = memcmp(op.items + <size_t>middle * op.width, key, op.width)
        if order == 0:
            return True
        if order < 0:
            low = middle + 1
        else:
            high = middle
    return False


cdef inline bint fits(const op_t* op, uint64_t v) noexcept nogil:
    """Whether a number does: op.items are 8 octets each, most significant first."""
    cdef uint8_t key[8]
    cdef uint32_t i
    if op.how != ONE_OF:
        return op.low <= v <= op.high
    for i in range(8):
        key[i] = <uint8_t>(v >> (56 - 8 * i))
    return one_of(op, key)


cdef inline bint fits6(const op_t* op, uint64_t high, uint64_t low, uint32_t length) noexcept nogil:
    cdef uint32_t bits = length if length < op.bits else op.bits
    if not op.shortest <= length <= op.longest:
        return False
    if bits <= 64:
        return bits == 0 or (high ^ op.high) >> (64 - bits) == 0
    return high == op.high and (low ^ op.low) >> (128 - bits) == 0


cdef inline uint64_t octets_of(const uint8_t* p, uint32_t n) noexcept nogil:
    """The first n of 8 octets, n up to 8, most significant first; no octet behind them is touched."""
    cdef uint64_t v = 0
    cdef uint32_t i
    for i in range(n):
        v |= <uint64_t>p[i] << (56 - 8 * i)
    return v


cdef inline bint next_prefix4(const uint8_t** p, const uint8_t* end, bint addpath, uint32_t* length, uint32_t* address) noexcept nogil:
    """RFC 4271 section 4.3, RFC 7911 section 3; False at the end. What stands in front of p is the message's, too."""
    cdef const uint8_t* at = p[0] + (4 if addpath else 0)
    if at >= end or at[0] > 32:
        return False
    length[0] = at[0]
    at += 1
    p[0] = at + ((length[0] + 7) >> 3)
    if p[0] > end:
        return False
    if likely(end - at >= 4, 1):
        address[0] = be32(at)
    else:
        address[0] = <uint32_t>(<uint64_t>be32(end - 4) << (32 - 8 * (end - at)))
    return True


# Whether one of these prefixes fits; with op.all, whether one does not.
cdef bint some_prefix4(const op_t* op, const uint8_t* p, uint32_t n, bint addpath) noexcept nogil:
    cdef const uint8_t* end = p + n
    cdef uint32_t length, address, shift, least = 32 - op.bits, shortest = op.shortest, longest = op.longest
    cdef uint32_t network = <uint32_t>(op.high >> 32)
    cdef bint want = not op.all
    if op.how == ONE_OF:
        while next_prefix4(&p, end, addpath, &length, &address):
            if has4(op.table, address, length) == want:
                return True
    elif op.family == 4:
        while next_prefix4(&p, end, addpath, &length, &address):
            shift = 32 - length
            if shift < least:
                shift = least
            if (<uint64_t>(address ^ network) >> shift == 0 and shortest <= length <= longest) == want:
                return True
    else:
        return op.all
    return False


cdef bint some_prefix6(const op_t* op, const uint8_t* p, uint32_t n, bint addpath) noexcept nogil:
    cdef const uint8_t* end = p + n
    cdef uint32_t length, size
    cdef uint64_t high, low
    cdef bint fit
    if op.how == INSIDE and op.family != 6:
        return op.all
    while p < end:
        if addpath:
            if end - p < 5:
                break
            p += 4
        length = p[0]
        p += 1
        size = (length + 7) >> 3
        if length > 128 or size > <uint32_t>(end - p):
            break
        high = be64(p) if end - p >= 8 else octets_of(p, size if size < 8 else 8)
        low = octets_of(p + 8, size - 8) if size > 8 else 0
        fit = fits6(op, high, low, length) if op.how == INSIDE else has6(op.table, high, low, length)
        if fit != op.all:
            return True
        p += size
    return False


cdef bint some_inner_prefix(const op_t* op, const msg_t* m, const field_t* f, uint32_t head, bint* seen) noexcept nogil:
    """The same for labelled NLRI and those of VPNs: by the prefix in each."""
    cdef uint8_t plain[8 + 1 + 16]          # length and address, and what some_prefix4 may touch in front of them
    cdef uint16_t afi = be16(f.p)
    cdef uint8_t safi = f.p[2]
    cdef const uint8_t* p = f.p + head
    cdef const uint8_t* end = f.p + f.n
    cdef const uint8_t* inner
    cdef bint addpath = has_addpath(m.ctx, family(afi, safi))
    cdef uint32_t size, bits, skip
    memset(plain, 0, 8)
    while p < end:
        size = nlri_size(afi, safi, p, <uint32_t>(end - p), addpath)
        if size == 0:
            break
        inner = p + 4 if addpath else p
        bits = inner[0]
        p += size
        skip = 0 if safi == LABELLED else 8
        if bits < 8 * skip:
            break
        if safi != VPN_MULTICAST:
            skip += labels_size(inner + 1, (bits >> 3) - skip)
        bits -= 8 * skip
        if bits > (32 if afi == 1 else 128):
            break
        seen[0] = True
        if op.how == PRESENT:
            return True
        plain[8] = <uint8_t>bits
        memcpy(plain + 9, inner + 1 + skip, (bits + 7) >> 3)
        if afi == 1:
            if some_prefix4(op, plain + 8, 1 + ((bits + 7) >> 3), False):
                return True
        elif some_prefix6(op, plain + 8, 1 + ((bits + 7) >> 3), False):
            return True
    return False


cdef inline bint some_mp_prefix(const op_t* op, const msg_t* m, const field_t* f, uint32_t head, bint* seen) noexcept nogil:
    """The same for an MP attribute, whose prefixes begin at `head` (RFC 4760 sections 3 to 5)."""
    cdef uint32_t afi = be16(f.p)
    cdef uint8_t safi = f.p[2]
    cdef bint addpath
    if f.n <= head or not (afi == 1 or afi == 2):
        return False
    if not (safi == 1 or safi == 2):
        return (safi == LABELLED or safi == VPN or safi == VPN_MULTICAST) and some_inner_prefix(op, m, f, head, seen)
    seen[0] = True
    if op.how == PRESENT:
        return True
    addpath = has_addpath(m.ctx, family(afi, f.p[2]))
    if afi == 1:
        return some_prefix4(op, f.p + head, f.n - head, addpath)
    return some_prefix6(op, f.p + head, f.n - head, addpath)


cdef inline bint some_plain_prefix(const op_t* op, const msg_t* m, const field_t* f, bint* seen) noexcept nogil:
    """The same for the fields of RFC 4271 section 4.3."""
    if f.n == 0:
        return False
    seen[0] = True
    return op.how == PRESENT or some_prefix4(op, f.p, f.n, has_addpath(m.ctx, FAMILY_IPV4_UNICAST))


cdef int test_prefix(const op_t* op, look_t* l, const msg_t* m) noexcept nogil:
    cdef const field_t* f
    cdef bint seen = False
    if not find_sections(l, m):
        return ABSENT
    if op.which & REACH:
        if some_plain_prefix(op, m, &l.reach, &seen):
            return not op.all
        f = attribute(l, m, MP_REACH)
        if f != NULL and f.n >= 5 and some_mp_prefix(op, m, f, 5 + f.p[3], &seen):
            return not op.all
    if op.which & UNREACH:
        if some_plain_prefix(op, m, &l.unreach, &seen):
            return not op.all
        f = attribute(l, m, MP_UNREACH)
        if f != NULL and f.n >= 3 and some_mp_prefix(op, m, f, 3, &seen):
            return not op.all
    return op.all if seen else ABSENT


cdef bint vpn_next_hop(const field_t* f) noexcept nogil:
    """Whether MP_REACH has the next hop of a VPN, behind a route distinguisher of zero (RFC 4364 section 4.3.2, RFC 4659 section 3.2.1)."""
    if f.n < 4 or not (f.p[2] == VPN or f.p[2] == VPN_MULTICAST) or not (f.p[3] == 12 or f.p[3] == 24 or f.p[3] == 48):
        return False
    return f.n >= 4 + <uint32_t>f.p[3] and be64(f.p + 4) == 0


cdef int test_next_hop(const op_t* op, look_t* l, const msg_t* m) noexcept nogil:
    cdef const field_t* f = attribute(l, m, MP_REACH)
    cdef const uint8_t* p = NULL
    cdef uint8_t key[17]
    cdef uint32_t n = 0
    cdef int order
    if f != NULL and f.n >= 4 and (f.p[3] == 4 or f.p[3] == 16 or f.p[3] == 32) and f.n >= 4 + <uint32_t>f.p[3]:
        p = f.p + 4
        n = 4 if f.p[3] == 4 else 16
    elif f != NULL and vpn_next_hop(f):
        p = f.p + 12
        n = 4 if f.p[3] == 12 else 16
    else:
        f = attribute(l, m, NEXT_HOP)
        if f != NULL and f.n == 4:
            p = f.p
            n = 4
    if p == NULL:
        return ABSENT
    if op.how == PRESENT:
        return YES
    if n == 16 and be64(p) == 0 and be32(p + 8) == 0xFFFF:  # IPv4-mapped (RFC 4291 section 2.5.5.2)
        p += 12
        n = 4
    memset(key, 0, sizeof(key))
    key[0] = 4 if n == 4 else 6
    memcpy(key + 1, p, n)
    if op.how == ONE_OF:
        return one_of(op, key)
    if op.family != key[0]:
        return NO
    if op.how == INSIDE:
        return <uint64_t>(be32(p) ^ <uint32_t>(op.high >> 32)) >> (32 - op.bits) == 0 if n == 4 else fits6(op, be64(p), be64(p + 8), 128)
    order = memcmp(key, op.items, 17)
    if op.how == EQUAL:
        return order == 0
    if op.how == BELOW:
        return order < 0
    if op.how == UP_TO:
        return order <= 0
    if op.how == ABOVE:
        return order > 0
    return order >= 0


cdef int test_family(const op_t* op, look_t* l, const msg_t* m) noexcept nogil:
    # items: AFI, SAFI and, for each, a mask: 6 octets
    cdef const field_t* f = attribute(l, m, MP_REACH)
    cdef uint32_t afi = 1, safi = 1, i
    cdef const uint8_t* item
    if f == NULL:
        f = attribute(l, m, MP_UNREACH)
    if f != NULL and f.n >= 3:
        afi = be16(f.p)
        safi = f.p[2]
    for i in range(op.count):
        item = op.items + 6 * i
        if (afi ^ be16(item)) & be16(item + 3) == 0 and (safi ^ item[2]) & item[5] == 0:
            return YES
    return NO


cdef int test_community(const op_t* op, look_t* l, const msg_t* m) noexcept nogil:
    cdef const field_t* f = attribute(l, m, op.which)
    cdef uint32_t i = 0
    if f == NULL:
        return ABSENT
    while i + op.width <= f.n:
        if op.how == ONE_OF:
            if one_of(op, f.p + i):
                return YES
        elif memcmp(f.p + i, op.items, op.width) == 0:
            return YES
        i += op.width
    return NO


# ---- paths ----------------------------------------------------------------------------------------------------------------------
cdef struct hops_t:                         # the hops of a path that are left
    path_t path
    const uint8_t* next                     # next member of a sequence
    uint32_t left                           # members of that
    uint32_t size                           # octets of each

cdef inline bint find_path(hops_t* hops, look_t* l, const msg_t* m) noexcept nogil:
    """Whether there is an AS_PATH; then `hops` is in front of its first one (RFC 6793 section 4.2.3)."""
    cdef const field_t* f = attribute(l, m, AS_PATH)
    if f == NULL:
        return False
    begin_path(&hops.path, f.p, f.n, 2 if m.ctx & CTX_AS2 else 4)
    hops.left = 0
    if m.ctx & CTX_AS2:
        find_as4(&hops.path, l, m)
    return True


cdef void find_as4(path_t* path, look_t* l, const msg_t* m) noexcept nogil:
    cdef const field_t* f = attribute(l, m, AS4_PATH)
    cdef const field_t* aggregator
    if f != NULL:
        aggregator = attribute(l, m, AGGREGATOR)
        if aggregator == NULL or as4_counts(aggregator.p, aggregator.n, attribute(l, m, AS4_AGGREGATOR) != NULL):
            join_as4(path, f.p, f.n)


cdef inline bint next_hop(hops_t* hops, segment_t* hop) noexcept nogil:
    """The next one, as a segment: of a sequence each member by itself."""
    while hops.left == 0:
        if not next_segment(&hops.path, hop):
            return False
        if hop.kind == AS_SET:
            return True
        if hop.kind == AS_SEQUENCE:
            hops.next = hop.p
            hops.left = hop.count
            hops.size = hop.size
    hop.p = hops.next
    hop.count = 1
    hop.size = hops.size
    hop.kind = AS_SEQUENCE
    hops.next += hops.size
    hops.left -= 1
    return True


cdef inline bint hop_fits(const op_t* op, const segment_t* hop) noexcept nogil:
    cdef uint32_t i
    for i in range(hop.count):
        if fits(op, as_number(hop, i)):
            return True
    return False


cdef bint same_hop(const segment_t* a, const segment_t* b) noexcept nogil:
    cdef uint32_t i
    if a.count != b.count or a.kind != b.kind:
        return False
    for i in range(a.count):
        if as_number(a, i) != as_number(b, i):
            return False
    return True


cdef uint32_t count_hops(hops_t* hops, bint distinct) noexcept nogil:
    cdef segment_t hop, last
    cdef uint32_t n = 0
    memset(&last, 0, sizeof(last))
    while next_hop(hops, &hop):
        if not distinct or n == 0 or not same_hop(&hop, &last):
            n += 1
        last = hop
    return n


cdef inline bint origin_hop(const path_t* path, segment_t* hop) noexcept nogil:
    """The last hop, the quick way: of a path in one part that is one sequence."""
    cdef const uint8_t* p = path.p
    cdef uint32_t size = path.size
    if path.rest != NULL or path.end - p < 2 or p[0] != AS_SEQUENCE or p[1] == 0 or 2 + p[1] * size != path.end - p:
        return False
    hop.p = path.end - size
    hop.count = 1
    hop.size = size
    return True


cdef int test_hop(const op_t* op, look_t* l, const msg_t* m) noexcept nogil:
    cdef hops_t hops, again
    cdef segment_t hop
    cdef int64_t skip = op.index
    if not find_path(&hops, l, m):
        return ABSENT
    if not op.all:  # any hop
        while next_hop(&hops, &hop):
            if hop_fits(op, &hop):
                return YES
        return NO
    if skip == -1 and origin_hop(&hops.path, &hop):
        return hop_fits(op, &hop)
    if skip < 0:
        again = hops
        skip += count_hops(&again, False)
        if skip < 0:
            return NO
    while next_hop(&hops, &hop):
        if skip == 0:
            return hop_fits(op, &hop)
        skip -= 1
    return NO


cdef bytes path_text(hops_t* hops):
    """Hops joined by commas, sets in brackets."""
    cdef path_t* path = &hops.path
    cdef segment_t hop
    cdef uint32_t i, n
    cdef uint8_t digits[10]
    # Per AS number, ten digits and a comma; per set, which takes two octets more on the wire, two brackets.
    cdef uint8_t* text = <uint8_t*>malloc((path.end - path.p + (path.rest_end - path.rest if path.rest != NULL else 0)) * 6 + 16)
    cdef uint8_t* out = text
    cdef uint32_t asn
    if text == NULL:
        raise MemoryError()
    while next_hop(hops, &hop):
        if hop.kind == AS_SET:
            out[0] = 0x5B
            out += 1
        for i in range(hop.count):
            asn = as_number(&hop, i)
            n = 0
            while n == 0 or asn:
                digits[n] = <uint8_t>(48 + asn % 10)
                asn = asn // 10
                n += 1
            while n:
                n -= 1
                out[0] = digits[n]
                out += 1
            out[0] = 0x2C
            out += 1
        if hop.kind == AS_SET:
            out[-1] = 0x5D
            out[0] = 0x2C
            out += 1
    try:
        return PyBytes_FromStringAndSize(<const char*>text, out - text - 1 if out > text else 0)
    finally:
        free(text)


cdef struct asked_t:                        # what a slow test is asked about: p[:n], and q[:more] behind it
    const uint8_t* p
    const uint8_t* q
    uint32_t n, more
    bint as2
    hops_t* hops                            # not NULL: its text is what the function gets


# ---- tags -----------------------------------------------------------------------------------------------------------------------
cdef struct pair_t:                         # a tag; see peer_t.pairs
    const uint8_t* key
    const uint8_t* value
    uint16_t key_len, value_len
    bint removed


cdef inline bint next_pair(const uint8_t** p, const uint8_t* end, pair_t* pair) noexcept nogil:
    if end - p[0] < 4:
        return False
    memcpy(&pair.key_len, p[0], 2)
    memcpy(&pair.value_len, p[0] + 2, 2)
    pair.key = p[0] + 4
    pair.value = pair.key + pair.key_len
    pair.removed = pair.value_len == 0xFFFF
    if pair.removed:
        pair.value_len = 0
    p[0] = pair.value + pair.value_len
    return True


cdef bint own_pair(const msg_t* m, const uint8_t* key, uint32_t n, pair_t* pair) noexcept nogil:
    """Whether the message says something of its own of that tag."""
    cdef uint32_t size
    cdef const uint8_t* p
    cdef const uint8_t* end
    if m.tags == NULL:
        return False
    memcpy(&size, m.tags, 4)
    p = m.tags + 4
    end = p + size
    while next_pair(&p, end, pair):
        if pair.key_len == n and memcmp(pair.key, key, n) == 0:
            return True
    return False


# ---- programs -------------------------------------------------------------------------------------------------------------------
@cython.final
cdef class Program:
    """What filters/compiler.py makes of a filter. add() and begin() are its; then the program does not change any more."""

    def __cinit__(self):
        self.functions = []
        self.owned = []
        self.memos = []
        self.update = self.other = REJECTED
        for code in range(256):
            self.places[code] = NO_PLACE

    def __dealloc__(self):
        free(self.ops)

    def add(self, str code, int32_t yes, int32_t no, *, str how="", uint8_t which=0, bint invert=False, bint all=False,
            int32_t index=0, function=None, network=None, uint64_t low=0, uint64_t high=0, uint32_t shortest=0, uint32_t longest=128,
            bytes items=None, uint32_t width=0):
        """A test. Returns its number.

        yes, no: the number of the test to go on with, ACCEPT or REJECT. code, how: of NAMES and HOW. network: family, octets
        and length. items: octets, `width` each. function: a PrefixSet, or what answers an "ask" test.
        """
        cdef op_t* op
        cdef op_t* ops
        cdef bytes address
        self.need(yes)
        self.need(no)
        if self.n == self.cap:
            ops = <op_t*>realloc(self.ops, (self.cap * 2 + 8) * sizeof(op_t))
            if ops == NULL:
                raise MemoryError()
            self.ops = ops
            self.cap = self.cap * 2 + 8
        op = self.ops + self.n
        memset(op, 0, sizeof(op_t))
        op.yes, op.no = yes, no
        op.code, op.how = NAMES[code], HOW[how]
        op.which, op.invert, op.all, op.index = which, invert, all, index
        op.low, op.high = low, high
        op.shortest, op.longest = shortest, longest
        op.width = width
        if network is not None:
            op.family, address, op.bits = network
            address += bytes(16 - len(address))
            op.high = be64(<const uint8_t*>PyBytes_AS_STRING(address))
            op.low = be64(<const uint8_t*>PyBytes_AS_STRING(address) + 8)
        if items is not None:
            self.owned.append(items)
            op.items = <const uint8_t*>PyBytes_AS_STRING(items)
            op.count = <uint32_t>(PyBytes_GET_SIZE(items) // width) if width else 0
        if function is not None:
            op.function = <uint32_t>len(self.functions)
            self.functions.append(function)
            if op.code == TEST_PREFIX:
                op.table = &(<PrefixSet?>function).table
            else:
                self.slow = True
        for attribute_code in WANTED.get(code, (which,) if which else ()):
            if self.places[attribute_code] == NO_PLACE:
                self.places[attribute_code] = self.wanted
                self.wanted += 1
        self.n += 1
        return self.n - 1

    def begin(self, int32_t update, int32_t other):
        """Where to begin with an UPDATE, and with other messages: the number of a test, ACCEPT or REJECT."""
        self.need(update)
        self.need(other)
        self.update = update
        self.other = other

    cdef int need(self, int32_t at) except -1:
        # Tests lead to such as were added before them: so a run has an end.
        if not ACCEPTED <= at < <int64_t>self.n:
            raise ValueError(f"there is no test {at}")
        return 0

    cdef int ask(self, const op_t* op, const asked_t* about, Memo memo, bint python) except -1 nogil:
        """The answer of op's function: remembered, or given now if `python`, else UNSURE."""
        cdef memo_slot_t* slot
        cdef uint32_t size = 8 + about.n + about.more, n = about.n | <uint32_t>about.as2 << 31
        cdef bint found
        if size <= MEMO_KEY:
            memcpy(memo.scratch, &op.function, 4)
            memcpy(memo.scratch + 4, &n, 4)
            memcpy(memo.scratch + 8, about.p, about.n)
            if about.more:
                memcpy(memo.scratch + 8 + about.n, about.q, about.more)
            memo.scratch_len = size
            slot = memo.lookup()
            if slot.length:
                return slot.found
        if not python:
            return UNSURE
        with gil:
            if about.hops != NULL:
                argument = path_text(about.hops)
            else:
                argument = PyBytes_FromStringAndSize(<const char*>about.p, about.n)
            found = bool(self.functions[op.function](argument))
        if size <= MEMO_KEY:
            memo.remember(found)
        return found

    cdef int ask_tags(self, const op_t* op, const msg_t* m, Memo memo, bint python) except -1 nogil:
        """items: the key, NULL for any. Of several tags, one has to fit; no function: it is enough to be there."""
        cdef pair_t pair, own
        cdef const uint8_t* p
        cdef const uint8_t* end
        cdef uint32_t size, part
        cdef asked_t about
        cdef int found, result = ABSENT
        for part in range(2):
            if part == 1:
                p = m.peer.pairs
                end = p + m.peer.pairs_len
            elif m.tags != NULL:
                memcpy(&size, m.tags, 4)
                p = m.tags + 4
                end = p + size
            else:
                continue
            while next_pair(&p, end, &pair):
                if op.items != NULL and (pair.key_len != op.width or memcmp(pair.key, op.items, op.width) != 0):
                    continue
                if pair.removed or (part == 1 and own_pair(m, pair.key, pair.key_len, &own)):
                    continue
                if op.how == PRESENT:
                    return YES
                memset(&about, 0, sizeof(about))
                about.p, about.n = pair.value, pair.value_len
                found = self.ask(op, &about, memo, python)
                if found == YES:
                    return YES
                if result != UNSURE:
                    result = found
        return result

    cdef int test(self, const op_t* op, Batch b, uint32_t i, look_t* l, Memo memo, bint python) except -1 nogil:
        """One test of one message, of prefixes excepted: NO, YES, ABSENT or UNSURE."""
        cdef const msg_t* m = b.msgs + i
        cdef const field_t* f
        cdef hops_t hops
        cdef asked_t about
        if op.code == TEST_HOP:
            return test_hop(op, l, m)
        if op.code == TEST_TYPE:
            return fits(op, m.type)
        if op.code == TEST_FAMILY:
            return test_family(op, l, m)
        if op.code == TEST_NEXT_HOP:
            return test_next_hop(op, l, m)
        if op.code == TEST_COMMUNITY:
            return test_community(op, l, m)
        if op.code == TEST_DIRECTION:
            return fits(op, m.flags & MSG_LEFT)
        if op.code == TEST_SEQ:
            return fits(op, m.seq)
        if op.code == TEST_TIME:
            return fits(op, <uint64_t>m.time ^ 1ULL << 63)
        if op.code == TEST_PATH_LENGTH or op.code == TEST_PATH_HOPS:
            if not find_path(&hops, l, m):
                return ABSENT
            return fits(op, count_hops(&hops, op.code == TEST_PATH_HOPS))
        if op.code == ASK_TAG:
            return self.ask_tags(op, m, memo, python)
        if op.code == ASK_PATH:
            if not find_path(&hops, l, m):
                return ABSENT
            memset(&about, 0, sizeof(about))
            about.p, about.n = hops.path.p, <uint32_t>(hops.path.end - hops.path.p)
            if hops.path.rest != NULL:
                about.q, about.more = hops.path.rest, <uint32_t>(hops.path.rest_end - hops.path.rest)
            about.as2 = hops.path.size == 2
            about.hops = &hops
            return self.ask(op, &about, memo, python)
        if op.code == ASK_TIME:
            memset(&about, 0, sizeof(about))
            about.p, about.n = <const uint8_t*>&m.time, 8
            return self.ask(op, &about, memo, python)
        if op.code == ASK_MESSAGE and op.which == 0:
            return self.ask_message(op, b, i) if python else UNSURE
        f = attribute(l, m, op.which)
        if f == NULL:
            return ABSENT
        if op.code == TEST_HAS:
            return YES
        if op.code == TEST_ORIGIN:
            return fits(op, f.p[0]) if f.n else ABSENT
        if op.code == TEST_NUMBER:
            return fits(op, be32(f.p)) if f.n == 4 else ABSENT
        if op.code == ASK_MESSAGE:
            return self.ask_message(op, b, i) if python else UNSURE
        memset(&about, 0, sizeof(about))
        about.p, about.n = f.p, f.n
        return self.ask(op, &about, memo, python)

    cdef int ask_message(self, const op_t* op, Batch b, uint32_t i) except -1 with gil:
        answer = self.functions[op.function](view(b, i))
        return ABSENT if answer is None else YES if answer else NO

    cdef int decide(self, Batch b, uint32_t i, look_t* l, Memo memo, bint python) except -1 nogil:
        """YES, NO, or UNSURE where Python has to be asked."""
        cdef msg_t* m = b.msgs + i
        cdef int32_t at = self.update if m.type == TYPE_UPDATE else self.other
        cdef const op_t* op
        cdef int found
        l.sections = l.attributes = l.bad = False
        while at >= 0:
            op = self.ops + at
            found = test_prefix(op, l, m) if op.code == TEST_PREFIX else self.test(op, b, i, l, memo, python)
            if found == UNSURE:
                return UNSURE
            at = op.yes if found != ABSENT and found != op.invert else op.no
        if l.bad or at == ACCEPTED:
            if m.status == STATUS_UNKNOWN and check(m, NULL) > STATUS_OK:
                b.failed += 1
            return at == ACCEPTED and m.status == STATUS_OK
        return NO

    cdef int run(self, Batch b, uint8_t* out, uint32_t directions=3, uint16_t unseen=0, uint8_t skipped=0) except -1:
        cdef look_t look
        cdef uint32_t i, later = 0
        cdef int found
        cdef const msg_t* m
        cdef Memo memo = self.take_memo()
        look.places, look.wanted = self.places, self.wanted
        try:
            with nogil:
                for i in range(b.n):
                    m = b.msgs + i
                    if m.flags & unseen or not (directions >> (m.flags & MSG_LEFT)) & 1:
                        out[i] = skipped
                    elif m.status > STATUS_OK or (self.update if m.type == TYPE_UPDATE else self.other) == REJECTED:
                        out[i] = NO
                    else:
                        found = self.decide(b, i, &look, memo, False)
                        out[i] = <uint8_t>found
                        later += found == UNSURE
            for i in range(b.n):
                if later == 0:
                    break
                if out[i] == UNSURE:
                    out[i] = <uint8_t>self.decide(b, i, &look, memo, True)
                    later -= 1
        finally:
            if memo is not None:
                self.memos.append(memo)
        return 0

    cdef Memo take_memo(self):
        """A memo for one run, which puts it back; None if there is nothing to remember."""
        if not self.slow:
            return None
        try:
            return self.memos.pop()
        except IndexError:
            return Memo()

    def matches(self, Batch b not None):
        """One octet a message: 1 where it matches, else 0."""
        cdef bytes out = PyBytes_FromStringAndSize(NULL, b.n)
        self.run(b, <uint8_t*>PyBytes_AS_STRING(out))
        return out

    def match(self, Msg msg not None):
        """Whether a message matches."""
        cdef look_t look
        cdef Memo memo
        if msg.record().status > STATUS_OK:
            return False
        memo = self.take_memo()
        look.places, look.wanted = self.places, self.wanted
        try:
            return self.decide(msg.batch, msg.index, &look, memo, True) == YES
        finally:
            if memo is not None:
                self.memos.append(memo)

    def verdicts(self, Batch b not None, uint32_t directions):
        """One octet a message: 1 where it matches, 0 where it does not, 2 where it is not looked at.

        directions: bit 0: R, bit 1: L.
        """
        cdef bytes found = PyBytes_FromStringAndSize(NULL, b.n)
        self.run(b, <uint8_t*>PyBytes_AS_STRING(found), directions, MSG_UNSEEN, UNSEEN)
        return found

    def hide(self, Batch b not None, uint32_t directions):
        """Hide what does not match from the stage that has the batch now. directions: bit 0: R, bit 1: L."""
        cdef bytes found = self.verdicts(b, directions)
        cdef uint32_t i
        for i in range(b.n):
            if (<const uint8_t*>PyBytes_AS_STRING(found))[i] == NO:
                b.msgs[i].flags |= MSG_HIDDEN

    def keep(self, Batch b not None, uint32_t directions, bint invert=False, unparsed=None):
        """Drop what does not match; with invert, what does. Returns what verdicts() does, of before.

        unparsed: whether to drop what does not parse; None: as what does not match.
        """
        cdef bytes found = self.verdicts(b, directions)
        cdef const uint8_t* out = <const uint8_t*>PyBytes_AS_STRING(found)
        cdef uint32_t i
        cdef bint drop, ask = unparsed is not None, drop_unparsed = bool(unparsed)
        cdef msg_t* m
        with nogil:
            for i in range(b.n):
                drop = out[i] == invert
                if not drop and not ask or out[i] == UNSEEN:
                    continue
                m = b.msgs + i
                if ask and out[i] == NO and drop != drop_unparsed:
                    if m.status == STATUS_UNKNOWN and check(m, NULL) > STATUS_OK:
                        b.failed += 1
                    if m.status > STATUS_OK:
                        drop = drop_unparsed
                if drop:
                    m.flags |= MSG_DROPPED
        return found
