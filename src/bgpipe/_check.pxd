# cython: language_level=3
"""Whether messages parse, as the other compiled modules ask it. The code is in _check.pyx."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from bgpipe._message cimport ctx_t, error_t, msg_t

# AFI and SAFI -> a number below 56; families that have none of their own share FAMILY_OTHER.
cdef uint32_t family(uint16_t afi, uint8_t safi) noexcept nogil
# Checks a message of any type to its last octet, sets m.status; returns it. `e` may be NULL.
cdef uint8_t check(msg_t* m, error_t* e) noexcept nogil
# One attribute's value: True if it parses (RFC 4271, 4760, ... each attribute's own), whatever its flags.
cdef bint check_attr(uint8_t code, const uint8_t* p, uint32_t n, ctx_t ctx) noexcept nogil
# Packed prefixes of `bits` (32 or 128) at most to the end of p[:n], with path ids or not.
cdef bint check_prefixes(const uint8_t* p, uint32_t n, uint32_t bits, bint addpath) noexcept nogil
# The MessageError that says where a message does not parse.
cdef object message_error(msg_t* m)
# Subcode of RFC 4271 section 6.3 for a value that does not parse.
cdef uint8_t attr_subcode(uint8_t code) noexcept nogil
