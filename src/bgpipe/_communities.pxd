# cython: language_level=3
"""Values of extended communities that are neither hex nor like those of route targets, by bgp/communities.py. The code is in
_communities.pyx."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

# Text of the 48 bits behind a type (the nontransitive bit taken off); in hex where they have no form.
cdef uint8_t* put_form(uint8_t* out, uint32_t kind, uint64_t six) noexcept nogil
# The 48 bits of a text as put_form writes it, without quotes; stops behind it. NULL for any other, hex included.
cdef const uint8_t* take_form(const uint8_t* p, uint32_t kind, uint64_t* six) noexcept nogil
