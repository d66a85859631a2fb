# cython: language_level=3
"""OPEN and NOTIFICATION as JSON, names of address families, and the smallest pieces of JSON text."""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy
from bgpipe._codec cimport msg_t

cdef inline uint8_t* lit(uint8_t* out, const char* text, size_t n) noexcept nogil:
    memcpy(out, text, n)
    return out + n

# `text` as bytes that live as long as the process.
cdef const char* kept(str text) except NULL
cdef uint8_t* put_text(uint8_t* out, const char* text) noexcept nogil
# "0x...", with quotes
cdef uint8_t* put_hex(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil
# "IPV6/UNICAST", without quotes
cdef uint8_t* put_family(uint8_t* out, uint32_t afi, uint8_t safi) noexcept nogil
cdef uint8_t* put_open(uint8_t* out, msg_t* m) noexcept nogil
cdef uint8_t* put_notification(uint8_t* out, msg_t* m) noexcept nogil
