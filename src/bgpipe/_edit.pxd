# cython: language_level=3
"""UPDATEs in parts, and dividing those that are too long; the code is in _edit.pyx."""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy
from bgpipe._as_path cimport path_t
from bgpipe._codec cimport Batch
from bgpipe._message cimport attr_t, ctx_t

cdef enum:
    HEADER_LEN = 19
    AROUND = HEADER_LEN + 4                 # header, and the lengths of withdrawn routes and path attributes
    LONGEST = 4096                          # RFC 4271 section 4.1
    LONGEST_EXTENDED = 65535                # RFC 8654
    LONGEST_ATTRS = 65535

cdef enum:
    AS_PATH = 2
    AGGREGATOR = 7
    MP_REACH = 14
    MP_UNREACH = 15
    AS4_PATH = 17
    AS4_AGGREGATOR = 18

cdef struct part_t:
    const uint8_t* p
    size_t len

cdef inline part_t part(const uint8_t* p, size_t n) noexcept nogil:
    cdef part_t made
    made.p = p
    made.len = n
    return made

cdef inline uint8_t* put_part(uint8_t* out, part_t what) noexcept nogil:
    if what.len:
        memcpy(out, what.p, what.len)
    return out + what.len

cdef struct mp_t:                           # MP_REACH or MP_UNREACH
    uint8_t code, flags
    size_t place                            # among the other attributes: octets in front of it
    part_t front                            # of its value, what stands in front of the prefixes
    part_t nlri

cdef inline void split_mp(const attr_t* a, mp_t* mp) noexcept nogil:
    # An attribute that parses; its place is for the caller to set.
    cdef size_t front = 5 + a.value[3] if a.code == MP_REACH else 3
    mp.code = a.code
    mp.flags = a.flags
    mp.front = part(a.value, front)
    mp.nlri = part(a.value + front, a.length - front)

cdef struct division_t:                     # an UPDATE in parts, to be divided into messages of `limit` octets
    uint32_t index                          # of the message in its batch
    uint32_t limit
    ctx_t ctx                               # tells which prefixes have path ids
    const uint8_t* header
    part_t withdrawn
    part_t base                             # attributes without MP_REACH and MP_UNREACH: what is announced goes with these
    part_t nlri
    mp_t mp[2]                              # in their order
    uint32_t mps
    bint withdraws                          # what does not fit is withdrawn (RFC 8654 section 4)
    uint32_t made                           # messages so far
    bint lost                               # prefixes did not fit

cdef struct piece_t:                        # what a message has become besides itself
    piece_t* next
    const uint8_t* wire                     # a further message, in the arena; NULL: prefixes of this one do not fit into any
    uint32_t len
    uint32_t index                          # of the message

cdef struct pieces_t:                       # in the order of the messages
    piece_t* first
    piece_t* last

# Put message d.index of the batch in parts into as many messages as it takes: itself, and `pieces`; none made: it is as it was.
cdef int put_divided(Batch b, pieces_t* pieces, division_t* d) except -1 nogil
# The attribute at p, which parses; returns the place behind it.
cdef const uint8_t* next_attr(const uint8_t* p, attr_t* a) noexcept nogil
# The header of an attribute with a value of n octets; returns its own.
cdef uint32_t put_head(uint8_t* out, uint8_t flags, uint8_t code, uint32_t n) noexcept nogil
# What is left of a path, in AS numbers of four octets. confederations: with their segments, as AS_PATH has them; else as AS4_PATH is to
# be. Returns its octets.
cdef uint32_t put_wide(path_t* path, bint confederations, uint8_t* out) noexcept nogil
