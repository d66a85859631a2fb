# cython: language_level=3
"""Capabilities as JSON. The rules and the code are in _json_capabilities.pyx."""

from libc.stdint cimport uint8_t, uint32_t

cdef struct capabilities_t:
    const uint8_t* at[512]      # code, length, value of each
    uint32_t count

# What is in p[:n], behind those that are there already; False if it does not parse or they are too many.
cdef bint find_capabilities(capabilities_t* found, const uint8_t* p, uint32_t n) noexcept nogil
# {"AS4":65000,...}: the object of capabilities by name, of one at least. `in_order`: whether reading it again gives them in their order.
cdef uint8_t* put_capabilities(uint8_t* out, const capabilities_t* found, bint* in_order) noexcept nogil
# The name of a type of filters (RFC 5291 section 4), or NULL
cdef const char* orf_name(uint8_t code) noexcept nogil
# `name`, or the number where it is NULL; without quotes
cdef uint8_t* put_name(uint8_t* out, const char* name, uint32_t number) noexcept nogil
