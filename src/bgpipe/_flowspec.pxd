# cython: language_level=3
"""Flow specification rules (RFC 8955, RFC 8956), wire -> JSON. The code is in _flowspec.pyx."""

from libc.stdint cimport uint8_t, uint16_t

# The components of one rule, p to `end`: its fields, the comma in front of each included. NULL if it has no typed form.
cdef uint8_t* put_rule(uint8_t* out, const uint8_t* p, const uint8_t* end, uint16_t afi) noexcept nogil
