# cython: language_level=3
"""The smallest pieces of JSON text. The rules and the code are in _json_text.pyx."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef inline uint8_t* lit(uint8_t* out, const char* text, size_t n) noexcept nogil:
    memcpy(out, text, n)
    return out + n

# Octets of JSON that n octets of a message, or of a part of it, take at most: TEXT_OCTET * n + TEXT_MORE. The dearest octets are those of
# tests of flags in flows: 2 on the wire, `{"and":true,"op":"NOT-ALL","len":1,"val":"0xff"},` in JSON, 25 to 1; 18 to 1 for attributes
# of no length, 12 to 1 for the prefix /0; the rest less. See tests/unit/test_json.py.
cdef enum:
    TEXT_OCTET = 26
    TEXT_MORE = 4096

# Names of some numbers, in ascending order.
cdef struct name_t:
    uint32_t number
    const char* name

cdef struct names_t:
    uint32_t count
    name_t* names

# `text` as bytes that live as long as the process.
cdef const char* kept(str text) except NULL
# A table number -> name that lives as long as the process.
cdef names_t kept_names(dict table) except *
# The name of a number, or NULL.
cdef const char* name_of(const names_t* names, uint32_t number) noexcept nogil
cdef uint8_t* put_text(uint8_t* out, const char* text) noexcept nogil
# "0x...", with quotes
cdef uint8_t* put_hex(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil
# "IPV6/UNICAST", without quotes
cdef uint8_t* put_family(uint8_t* out, uint32_t afi, uint8_t safi) noexcept nogil
cdef uint8_t* put_afi(uint8_t* out, uint32_t afi) noexcept nogil
cdef uint8_t* put_number(uint8_t* out, uint32_t v) noexcept nogil
cdef uint8_t* put_number64(uint8_t* out, uint64_t v) noexcept nogil
# "0x1f", without quotes and leading zeros
cdef uint8_t* put_hex_number(uint8_t* out, uint64_t v) noexcept nogil
# "00:11:22:33:44:55" of 48 bits, without quotes
cdef uint8_t* put_mac(uint8_t* out, uint64_t v) noexcept nogil
# UTF-8 that a peer chose, as the inside of a JSON string that stays on one line; NULL if it is not UTF-8 (RFC 3629)
cdef uint8_t* put_escaped(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil
cdef uint8_t* put_ipv4(uint8_t* out, uint32_t v) noexcept nogil
# RFC 5952; dotted only for IPv4-mapped addresses
cdef uint8_t* put_ipv6(uint8_t* out, uint64_t high, uint64_t low) noexcept nogil
# An address of 4 or 16 octets, without quotes
cdef uint8_t* put_address(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil
