# cython: language_level=3
"""NLRI and next hops of families other than plain prefixes, wire -> JSON. The rules and the code are in _nlri.pyx."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

# Whether the NLRI of a family have a typed form that is other than plain prefixes.
cdef bint typed_family(uint16_t afi, uint8_t safi) noexcept nogil
# ',"nexthop":"..","link-local":".."' of p[:n], or ',"nh":"0x.."'; nothing for no octets.
cdef uint8_t* put_next_hop(uint8_t* out, uint8_t safi, const uint8_t* p, uint32_t n) noexcept nogil
# ',"nlri":[..]' of a typed family, ',"rules":[..]' of flows; NULL where p[:n] has no typed form.
cdef uint8_t* put_nlri(uint8_t* out, uint16_t afi, uint8_t safi, const uint8_t* p, uint32_t n, bint addpath) noexcept nogil
