# cython: language_level=3
"""Values of path attributes: prefixes, AS paths, communities. No batch, no session: bytes in, values out, and back."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t


cdef class Prefix:
    cdef uint8_t octets[16]                 # host bits are zero
    cdef readonly uint16_t afi
    cdef readonly uint8_t length
    cdef bint has_path_id
    cdef uint32_t id
    cdef uint32_t width(self) noexcept      # 32 or 128


cdef class ExtCommunity:
    cdef uint8_t raw[8]


# What stands in p[:n], which was checked (check_attr); unpack_prefixes and unpack_segments check it themselves.
cdef str address_text(const uint8_t* p, uint32_t n)                     # n: 4 or 16
cdef list unpack_prefixes(const uint8_t* p, uint32_t n, uint16_t afi, bint addpath)
cdef list unpack_segments(const uint8_t* p, uint32_t n, uint32_t as_size)
cdef list unpack_communities(const uint8_t* p, uint32_t n)
cdef list unpack_large_communities(const uint8_t* p, uint32_t n)
cdef list unpack_ext_communities(const uint8_t* p, uint32_t n)
cdef list unpack_addresses(const uint8_t* p, uint32_t n)
