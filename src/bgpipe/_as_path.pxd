# cython: language_level=3
"""AS paths on the wire (RFC 4271 section 4.3, RFC 5065 section 3), and the one that AS_PATH and AS4_PATH are together.

A speaker whose AS numbers have two octets carries those of four in AS4_PATH (RFC 6793 section 4.2.3): as many hops as AS_PATH has
more than that stay in front of it. Here is what all that look at paths have in common. Values need not have been checked.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from bgpipe._wire cimport be16, be32

cdef enum:                                  # kinds of segments; the first two are hops
    AS_SET = 1
    AS_SEQUENCE = 2
    AS_CONFED_SEQUENCE = 3
    AS_CONFED_SET = 4

cdef enum:
    AS_TRANS = 23456                        # RFC 6793 section 9
    ALL_HOPS = 0x7FFFFFFF                   # more than any path has

cdef struct segment_t:
    const uint8_t* p                        # members
    uint32_t count
    uint32_t size                           # octets of a member
    uint32_t kind

cdef struct path_t:                         # what is in front of its next segment
    const uint8_t* p
    const uint8_t* end
    uint32_t size                           # octets of an AS number
    uint32_t hops                           # how many are left of AS_PATH
    const uint8_t* rest                     # AS4_PATH, until it is begun; NULL where there is none that counts
    const uint8_t* rest_end
    bint plain                              # confederation segments do not count: they are AS4_PATH's


cdef inline uint32_t as_number(const segment_t* s, uint32_t i) noexcept nogil:
    return be16(s.p + 2 * i) if s.size == 2 else be32(s.p + 4 * i)


cdef inline uint32_t path_length(const uint8_t* p, uint32_t n, uint32_t size) noexcept nogil:
    """Hops of one attribute: a set is one (RFC 4271 section 9.1.2.2), confederation segments are none (RFC 5065 section 5.3)."""
    cdef const uint8_t* end = p + n
    cdef uint32_t length = 0
    while end - p >= 2:
        if p[0] == AS_SEQUENCE:
            length += p[1]
        elif p[0] == AS_SET:
            length += 1
        p += 2 + p[1] * size
    return length


cdef inline bint as4_counts(const uint8_t* aggregator, uint32_t n, bint as4_aggregator) noexcept nogil:
    """Whether AS4_PATH means something beside an AGGREGATOR, NULL for none: not where an AS without numbers of four octets aggregated."""
    return aggregator == NULL or n < 2 or be16(aggregator) == AS_TRANS or not as4_aggregator


cdef inline void begin_path(path_t* path, const uint8_t* p, uint32_t n, uint32_t size) noexcept nogil:
    path.p = p
    path.end = p + n
    path.size = size
    path.hops = ALL_HOPS
    path.rest = path.rest_end = NULL
    path.plain = False


cdef inline void join_as4(path_t* path, const uint8_t* as4, uint32_t n) noexcept nogil:
    """Have a path that was just begun, of AS numbers of two octets, go on with this AS4_PATH, if that is not longer than it."""
    cdef uint32_t hops = path_length(path.p, <uint32_t>(path.end - path.p), path.size)
    cdef uint32_t known = path_length(as4, n, 4)
    if known and known <= hops:
        path.hops = hops - known
        path.rest = as4
        path.rest_end = as4 + n


cdef inline bint next_segment(path_t* path, segment_t* s) noexcept nogil:
    """The next one, cut where AS4_PATH begins. Confederation segments stay in front of what stays of AS_PATH, and behind it."""
    cdef const uint8_t* p = path.p
    while True:
        if path.end - p < 2 or (path.hops == 0 and p[0] <= AS_SEQUENCE):
            if path.rest == NULL:
                return False
            p = path.rest
            path.end = path.rest_end
            path.size = 4
            path.hops = ALL_HOPS
            path.rest = NULL
            path.plain = True
            continue
        s.kind = p[0]
        s.count = p[1]
        s.size = path.size
        s.p = p + 2
        if 2 + s.count * s.size > path.end - p:
            return False
        p += 2 + s.count * s.size
        if s.kind == AS_SEQUENCE:
            if s.count > path.hops:
                s.count = path.hops
                p = path.end                # what is behind it is not adjacent to what stays
            path.hops -= s.count
        elif s.kind == AS_SET:
            path.hops -= 1
        elif path.plain:
            continue
        path.p = p
        return True
