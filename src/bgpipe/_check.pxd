# cython: language_level=3
"""Whether messages parse, as the other compiled modules ask it. The code is in _check.pyx."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from bgpipe._message cimport ctx_t, error_t, msg_t

# AFI and SAFI -> a number below 56; families that have none of their own share FAMILY_OTHER.
cdef uint32_t family(uint16_t afi, uint8_t safi) noexcept nogil
# Checks a message of any type to its last octet, sets m.status; returns it. `e` may be NULL.
cdef uint8_t check(msg_t* m, error_t* e) noexcept nogil
# What is wrong with the value of an attribute, or with an attribute in its message; CLASSES of _check.pyx says what follows from it.
cdef enum:
    FINE = 0
    BAD_LENGTH = 1              # of the value
    BAD_VALUE = 2               # none of those that are defined
    BAD_SEGMENT = 3             # of a path: its type is not defined, it is empty, or it runs past the end
    BAD_NEXT_HOP = 4            # its length is none that goes with the family
    BAD_NLRI = 5                # NLRI that cannot be told apart
    BAD_PARTS = 6               # TLVs or others that do not end where the value does
    BAD_FLAGS = 7               # optional and transitive are not as the attribute's document has them
    TWICE = 8
    MISSING = 9
    OVERRUN = 10                # the header, or the length in it, runs past the end of the attributes
    ZERO_AS = 11                # AS number 0
    FOREIGN = 12                # from an external neighbour, of whom it is not to come
    UNRECOGNIZED = 13           # well-known, it says, but it is not known
    BAD_SERVICE = 14            # a PREFIX_SID with an SRv6 service that does not parse
    PROBLEMS = 15
# What is wrong with one attribute's value (RFC 4271, 4760, ... each attribute's own), whatever its flags; FINE: it parses.
cdef uint8_t attr_problem(uint8_t code, const uint8_t* p, uint32_t n, ctx_t ctx) noexcept nogil
cdef inline bint check_attr(uint8_t code, const uint8_t* p, uint32_t n, ctx_t ctx) noexcept nogil:
    return attr_problem(code, p, n, ctx) == FINE
# Packed prefixes of `bits` (32 or 128) at most to the end of p[:n], with path ids or not.
cdef bint check_prefixes(const uint8_t* p, uint32_t n, uint32_t bits, bint addpath) noexcept nogil
# Octets of the first NLRI of p[:n], its path id included; 0 where those of the family are not known, or it does not end within.
cdef uint32_t nlri_size(uint16_t afi, uint8_t safi, const uint8_t* p, uint32_t n, bint addpath) noexcept nogil
# Octets of the labels (RFC 8277 section 2) that p[:n] begins with, 3 at least; 0 if there are none.
cdef uint32_t labels_size(const uint8_t* p, uint32_t n) noexcept nogil
# The MessageError that says where a message does not parse.
cdef object message_error(msg_t* m)
# Subcode of RFC 4271 section 6.3 for a value that does not parse.
cdef uint8_t attr_subcode(uint8_t code) noexcept nogil
