# cython: language_level=3
"""What records do not say of a peer's messages, told by all of them together. The code is in _guess.pyx."""

from libc.stdint cimport uint8_t, uint32_t
from bgpipe._message cimport FAMILY_IPV4_UNICAST, FAMILY_IPV6_UNICAST, ctx_t
from bgpipe._wire cimport be16

cdef enum:
    GUESSED_FAMILIES = 4        # the first ones of family(): IPv4 and IPv6, unicast and multicast

# What is known of one direction of one peer's session. Zeroed: nothing; to be zeroed where another session may begin.
cdef struct guess_t:
    uint8_t plain               # a bit for each family whose prefixes carry no path ids: that is settled
    uint8_t ids                 # a bit for each family whose prefixes carry path ids that nothing declares
    uint8_t kept                # a bit for each family whose path ids are declared, and there: that is settled
    uint8_t missing             # a bit for each family whose path ids are declared, and not there
    uint8_t votes[GUESSED_FAMILIES]     # weak signs of path ids, as long as neither bit is set
    uint8_t as_size             # 2 or 4, or 0: not known yet
    uint8_t against             # messages in a row that read with the other one alone

# Whether there is nothing more to find out of an UPDATE, as far as can be told without a look at its attributes: those with
# prefixes in the fields of RFC 4271 hold IPv4 unicast, all others mostly IPv6 unicast.
cdef inline bint is_settled(const guess_t* g, const uint8_t* wire, uint32_t n) noexcept nogil:
    if g.ids | g.missing or n < 23:
        return False
    if be16(wire + 19) or 23 + <uint32_t>be16(wire + 21) < n:
        return (g.plain | g.kept) & 1 << FAMILY_IPV4_UNICAST
    return (g.plain | g.kept) & 1 << FAMILY_IPV6_UNICAST

# The families of one UPDATE whose prefixes carry path ids though `ctx` does not say so, as bits of ctx_t; where it may say too much
# (`doubts`), those as well that carry none. Looks at it to find out.
cdef ctx_t guess_addpath(guess_t* g, const uint8_t* wire, uint32_t n, ctx_t ctx, bint doubts) noexcept nogil
# How many octets AS numbers take in one UPDATE whose `ctx` may be wrong about it: 2 or 4. Looks at it to find out.
cdef uint32_t guess_as_size(guess_t* g, const uint8_t* wire, uint32_t n, ctx_t ctx) noexcept nogil
# Whether the AS_PATH of an UPDATE does not parse in the opposite of `other`, but does in `other`.
cdef bint reads_better(const uint8_t* wire, uint32_t n, ctx_t other) noexcept nogil
# Values of the tags that say so; `ctx` is that of the message, as it is read then.
cdef str tag_of_families(ctx_t families, ctx_t ctx)
