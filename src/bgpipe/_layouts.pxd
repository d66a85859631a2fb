# cython: language_level=3
"""Path attributes that have a layout (bgp/attributes.py): whether octets fit it, and their JSON. The code is in _layouts.pyx."""

from libc.stdint cimport uint8_t, uint32_t

# What is wrong with p[:n] as the value of attribute `code`, one of the problems of _check.pxd; FINE, too, where it has no layout.
# strict: TLVs whose values do not fit are problems; else they are not, since each is shown as hex by itself.
cdef uint8_t layout_problem(uint8_t code, const uint8_t* p, uint32_t n, bint strict) noexcept nogil
# The JSON of a value; NULL where the attribute has no layout, or these octets do not fit it.
cdef uint8_t* put_layout(uint8_t* out, uint8_t code, const uint8_t* p, uint32_t n) noexcept nogil
