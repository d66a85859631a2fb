# cython: language_level=3
"""JSON -> wire: lines of text to batches of messages.

The native reader of the two (_lines.pyx) knows the spelling that our own writer prints: compact, keys in a fixed order, no escapes.

A message is made in a draft (_json_update.pxd), then copied to the batch's arena. `take_...` functions return the place behind what
they read, or NULL where it is not what they know.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset
from bgpipe._check cimport family
from bgpipe._codec cimport Batch, now_ns, pack_pairs
from bgpipe._lines cimport LineDecoder
from bgpipe._message cimport (
    CTX_ADDPATH_SHIFT, CTX_AS2, MSG_LEFT, TYPE_KEEPALIVE, TYPE_NOTIFICATION, TYPE_OPEN, TYPE_ROUTE_REFRESH, TYPE_UPDATE, ctx_t, msg_t,
    peer_t, wanted_type,
)
from bgpipe._json_update cimport HEADER_LEN, MAX_MESSAGE, WORK_SIZE, take_bytes_text, take_typed_update
from bgpipe._scan cimport le32, le64, literal, take_number
from bgpipe._wire cimport put16

from bgpipe.errors import InputError, JsonError

cdef enum:
    MAX_LINE = 2 << 20             # 65535 octets of tests of flags in flows take 25 characters each, MAX_TAGS 6 each
    MAX_TAGS = 1 << 16             # octets of a message's tags, with five for each
    PLAIN_LINE = 1 << 16           # longer ones are looked at before Python makes objects of them
    MAX_VALUES = 145000            # tests of flags in flows are four in two octets; and one for each five octets of tags
    MAX_NESTS = 66000              # one an octet at most: {"length":0}, [] of DPATH

# ---- around the data -------------------------------------------------------------------------------------------------------

cdef int64_t days(int64_t year, int64_t month, int64_t day) noexcept nogil:
    # Since 1970 in the Gregorian calendar, years beginning in March.
    if month <= 2:
        year -= 1
        month += 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469


cdef const uint8_t* take_digits(const uint8_t* p, uint32_t count, uint64_t* out) noexcept nogil:
    cdef uint32_t i
    out[0] = 0
    for i in range(count):
        if p[i] ^ 0x30 > 9:
            return NULL
        out[0] = out[0] * 10 + (p[i] ^ 0x30)
    return p + count


cdef bint read_second(const uint8_t* p, int64_t* out) noexcept nogil:
    # YYYY-MM-DDTHH:MM:SS and a point, of 1970 to 2261: an int64 of nanoseconds ends in 2262.
    cdef uint64_t number[6]
    cdef uint32_t i, length
    cdef const uint8_t* separators = <const uint8_t*>b"--T::."
    for i in range(6):
        p = take_digits(p, 4 if i == 0 else 2, &number[i])
        if p == NULL or p[0] != separators[i]:
            return False
        p += 1
    if number[0] < 1970 or number[0] > 2261 or number[1] < 1 or number[1] > 12:
        return False
    length = 31 if number[1] in (1, 3, 5, 7, 8, 10, 12) else 30
    if number[1] == 2:
        length = 29 if number[0] % 4 == 0 and (number[0] % 100 != 0 or number[0] % 400 == 0) else 28
    if number[2] < 1 or number[2] > length or number[3] > 23 or number[4] > 59 or number[5] > 59:
        return False
    out[0] = days(number[0], number[1], number[2]) * 86400 + number[3] * 3600 + number[4] * 60 + number[5]
    return True


cdef const uint8_t* take_time(reader_t* r, const uint8_t* p) noexcept nogil:
    cdef uint64_t fraction
    cdef uint32_t word
    cdef const uint8_t* q
    if not (le64(p) == r.second_text[0] and le64(p + 8) == r.second_text[1] and le64(p + 12) == r.second_text[2]):
        if not read_second(p, &r.second):
            return NULL
        r.second_text[0] = le64(p)
        r.second_text[1] = le64(p + 8)
        r.second_text[2] = le64(p + 12)
    q = p + 23
    word = le32(p + 20) ^ 0x30303030
    if word & 0xFFF0F0F0ULL == 0x12000000 and (word + 0x060606) & 0xF0F0F0 == 0:  # three digits and the quote
        fraction = ((word & 0xFF) * 100 + (word >> 8 & 0xFF) * 10 + (word >> 16 & 0xFF)) * 1000000
    else:
        q = take_digits(p + 20, 6, &fraction)
        if q == NULL:
            return NULL
        fraction *= 1000
    r.time = r.second * 1000000000 + <int64_t>fraction
    return q


cdef bint take_line(reader_t* r, const uint8_t* p, const uint8_t* end) noexcept nogil:
    # One line; *end is its line feed or a copy of one. True: the message is in the draft, all of the line understood but `meta`.
    cdef uint8_t* out
    r.meta = NULL
    if literal(p, b'["R",'):
        r.flags = 0
    elif literal(p, b'["L",'):
        r.flags = MSG_LEFT
    else:
        return False
    p = take_number(p + 5, &r.seq)
    if p == NULL or p[0] != c"," or p[1] != c'"':
        return False
    p = take_time(r, p + 2)
    if p == NULL:
        return False
    r.draft.ctx = 0
    r.draft.reach_len = 0
    if literal(p, b'","UPDATE",{'):
        r.type = TYPE_UPDATE
        p = take_typed_update(&r.draft, p + 12)
    elif literal(p, b'","KEEPALIVE",null'):
        r.type = TYPE_KEEPALIVE
        r.draft.wire_len = HEADER_LEN
        p += 18
    else:
        if literal(p, b'","UPDATE","0x'):
            r.type = TYPE_UPDATE
            p += 11
        elif literal(p, b'","REFRESH","0x'):
            r.type = TYPE_ROUTE_REFRESH
            p += 12
        elif literal(p, b'","OPEN","0x'):
            r.type = TYPE_OPEN
            p += 9
        elif literal(p, b'","NOTIFY","0x'):
            r.type = TYPE_NOTIFICATION
            p += 11
        elif literal(p, b'","KEEPALIVE","0x'):
            r.type = TYPE_KEEPALIVE
            p += 14
        else:
            return False
        out = r.draft.wire + HEADER_LEN
        p = take_bytes_text(p, &out, r.draft.wire + MAX_MESSAGE, MAX_MESSAGE)
        r.draft.wire_len = <uint32_t>(out - r.draft.wire)
    # The lenient reader's keys of peers begin with a zero octet.
    if p == NULL or p[0] != c"," or p[1] == 0 or end[-1] != c"]" or end - p < 3:
        return False
    put16(r.draft.wire + 16, <uint16_t>(r.draft.wire_len + r.draft.reach_len))
    r.draft.wire[18] = r.type
    r.meta = p + 1
    r.meta_len = <uint32_t>(end - p - 2)
    return True


cdef dict plain_tags(const uint8_t* p, uint32_t n):
    """An object of strings without white space and escapes, or null; None for anything else, and for what may be too much."""
    cdef const uint8_t* end = p + n
    cdef const uint8_t* text[2]
    cdef Py_ssize_t size[2]
    cdef int i
    cdef dict tags = {}
    if n == 4 and memcmp(p, b"null", 4) == 0 or n == 2 and memcmp(p, b"{}", 2) == 0:
        return tags
    if n == 0 or n > MAX_TAGS or p[0] != c"{":
        return None
    p += 1
    while True:
        for i in range(2):
            if end - p < 3 or p[0] != c'"':
                return None
            p += 1
            text[i] = p
            while p < end and p[0] >= c" " and p[0] != c'"' and p[0] != c"\\":
                p += 1
            if end - p < 2 or p[0] != c'"' or (i == 0 and p[1] != c":"):
                return None
            size[i] = p - text[i]
            p += 2
        try:
            tags[text[0][:size[0]].decode()] = text[1][:size[1]].decode()
        except UnicodeDecodeError:
            return None
        if p[-1] == c",":
            continue
        return tags if p[-1] == c"}" and p == end else None


cdef bint crowded(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Whether a line of JSON has more arrays, objects or values than any message: what Python makes of them takes far more bytes."""
    cdef const uint8_t* end = p + n
    cdef uint32_t values = 0, nests = 0
    cdef bint within = False
    while p < end:
        if p[0] == c'"':
            within = not within
        elif within:
            p += p[0] == c"\\"
        elif p[0] == c",":
            values += 1
        elif p[0] == c"[" or p[0] == c"{":
            nests += 1
        p += 1
    return values > MAX_VALUES or nests > MAX_NESTS


# ---- the decoder ----------------------------------------------------------------------------------------------------------

cdef class JsonDecoder(LineDecoder):
    """JSON lines -> batches, one message a line.

    native: False leaves every line to the lenient reader in Python (for tests). fallbacks: lines that the native reader
    did not understand.
    """

    def __cinit__(self, *args, **options):
        self.longest = MAX_LINE
        self.error_type = JsonError
        self.reader.draft.wire = <uint8_t*>malloc(WORK_SIZE)
        self.reader.draft.reach = <uint8_t*>malloc(WORK_SIZE)
        if self.reader.draft.wire == NULL or self.reader.draft.reach == NULL:
            raise MemoryError()
        memset(self.reader.draft.wire, 0xFF, 16)
        # The words of a second overlap: no text is these.
        self.reader.second_text[2] = 1

    def __dealloc__(self):
        free(self.reader.draft.wire)
        free(self.reader.draft.reach)

    cdef bint take(self, const uint8_t* p, const uint8_t* end) noexcept nogil:
        return take_line(&self.reader, p, end)

    cdef int deliver(self, Batch b) except -1 nogil:
        """Add the message that the native reader made to `b`. 0: its meta was never seen before."""
        cdef reader_t* r = &self.reader
        cdef const peer_t* peer
        cdef msg_t* m
        cdef uint8_t* wire
        cdef uint32_t wire_len = r.draft.wire_len, reach_len = r.draft.reach_len
        # Where AS number and address stand in most lines, which tells peers apart well enough, and cheaper than a hash of it all.
        cdef uint64_t word = le64(r.meta + 12) ^ le64(r.meta + 34) ^ le64(r.meta + r.meta_len - 16)
        cdef uint32_t slot = <uint32_t>((word * 0x9E3779B97F4A7C15ULL) >> 56)
        peer = r.recent[slot]
        if peer == NULL or peer.key_len != r.meta_len or memcmp(peer.key, r.meta, r.meta_len) != 0:
            peer = self.peers.get(r.meta, r.meta_len)
            if peer == NULL:
                return 0
            r.recent[slot] = peer
        if not wanted_type(self.types, r.type):
            return 1
        wire = b.alloc(wire_len + reach_len)
        memcpy(wire, r.draft.wire, wire_len)
        if reach_len:
            memcpy(wire + wire_len, r.draft.reach, reach_len)
        m = b.add()
        m.wire = wire
        m.len = wire_len + reach_len
        m.time = r.time
        m.seq = r.seq
        m.peer = peer
        m.ctx = r.draft.ctx
        m.flags = r.flags
        m.type = r.type
        self.mark(m)
        return 1

    cdef bint settle(self, Batch b) except -1:
        """Intern the tags of the line that the native reader has just read. False: they are not plain text."""
        tags = plain_tags(self.reader.meta, self.reader.meta_len)
        if tags is None:
            return False
        self.intern(b, self.reader.meta, self.reader.meta_len, tags)
        return True

    cdef void forget_peers(self) noexcept:
        memset(self.reader.recent, 0, sizeof(self.reader.recent))

    cdef int lenient(self, Batch b, const uint8_t* p, Py_ssize_t n, uint64_t offset) except -1:
        """Decode one line in Python: JSON of any spelling, or what is no message."""
        cdef msg_t* m
        cdef const peer_t* peer
        cdef bytes line = PyBytes_FromStringAndSize(<const char*>p, n)
        cdef bytes key, wire
        if self.parse is None:
            from bgpipe.formats.json import parse_line
            self.parse = parse_line
        if self.native and self.reader.meta == NULL:
            self.fallbacks += 1
        try:
            if n > PLAIN_LINE and crowded(p, n):
                raise JsonError("more values than a message can have")
            found = self.parse(line)
            if found is None:
                return 0
            direction, seq, time_ns, wire, as_size, addpath, tags = found
            # A key that starts with a zero octet is none that the native reader looks up.
            key = b"\0" + pack_pairs(tags)
            if len(key) > MAX_TAGS:
                raise JsonError(f"$[5]: tags of {len(key)} octets, expected {MAX_TAGS} at most")
            if self.native and self.reader.meta != NULL:
                key = PyBytes_FromStringAndSize(<const char*>self.reader.meta, self.reader.meta_len)
            peer = self.intern(b, <const uint8_t*>PyBytes_AS_STRING(key), <uint32_t>PyBytes_GET_SIZE(key), tags)
        except InputError as e:
            return self.damaged(b, f": {e}", offset)
        if not wanted_type(self.types, wire[18]):
            return 0
        m = self.put(b, wire)
        m.time = now_ns() if time_ns is None else time_ns
        m.seq = seq
        m.peer = peer
        m.ctx = CTX_AS2 if as_size == 2 else 0
        for afi, safi in addpath:
            m.ctx |= <ctx_t>1 << (CTX_ADDPATH_SHIFT + family(afi, safi))
        m.flags = self.direction if direction is None else MSG_LEFT if direction == "L" else 0
        self.mark(m)
        return 0
