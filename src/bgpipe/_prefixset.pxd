# cython: language_level=3
"""Sets of prefixes, to look up those of messages."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef struct prefix6_t:
    uint64_t high, low
    uint64_t length                         # + 1; 0: empty

# Two tables of open addressing; never full.
cdef struct prefixes_t:
    uint64_t* slots4                        # address << 8 | length + 1; 0: empty
    prefix6_t* slots6
    uint64_t size4, size6
    uint64_t seed                           # of the hash: no input can be made to meet in one place
    uint64_t* hints                         # a bit for each hash that is in: small enough for the processor's cache
    uint64_t hint_mask

cdef class PrefixSet:
    cdef prefixes_t table
    cdef uint64_t count


cdef inline uint64_t mixed(uint64_t v) noexcept nogil:
    v ^= v >> 32
    v *= 0xD6E8FEB86659FD93ULL
    v ^= v >> 32
    v *= 0xD6E8FEB86659FD93ULL
    return v ^ v >> 32


cdef inline uint64_t spot(uint64_t h, uint64_t size) noexcept nogil:
    return (h >> 32) * size >> 32


cdef inline uint32_t masked32(uint32_t v, uint32_t bits) noexcept nogil:
    return v & <uint32_t>(0xFFFFFFFFULL << (32 - bits))


cdef inline uint64_t masked64(uint64_t v, uint32_t bits) noexcept nogil:
    # What is left of the first `bits` of 64; more than 64 are all.
    return v if bits >= 64 else v & ~(0xFFFFFFFFFFFFFFFFULL >> bits)


cdef inline uint64_t hash4(const prefixes_t* t, uint64_t key) noexcept nogil:
    return mixed(key ^ t.seed)


cdef inline uint64_t hash6(const prefixes_t* t, uint64_t high, uint64_t low, uint64_t length) noexcept nogil:
    return mixed(mixed(high ^ t.seed) ^ low + length)


cdef inline bint hinted(const prefixes_t* t, uint64_t h) noexcept nogil:
    return (t.hints[(h >> 6) & t.hint_mask] >> (h & 63)) & 1


cdef inline uint64_t* find4(const prefixes_t* t, uint64_t key, uint64_t h) noexcept nogil:
    """The slot that has `key`, or the empty one that it would get."""
    cdef uint64_t i = spot(h, t.size4)
    while t.slots4[i] != 0 and t.slots4[i] != key:
        i = i + 1 if i + 1 < t.size4 else 0
    return t.slots4 + i


cdef inline prefix6_t* find6(const prefixes_t* t, uint64_t high, uint64_t low, uint64_t length, uint64_t h) noexcept nogil:
    cdef uint64_t i = spot(h, t.size6)
    cdef prefix6_t* slot = t.slots6 + i
    while slot.length != 0 and (slot.high != high or slot.low != low or slot.length != length):
        i = i + 1 if i + 1 < t.size6 else 0
        slot = t.slots6 + i
    return slot


cdef inline bint has4(const prefixes_t* t, uint32_t address, uint32_t length) noexcept nogil:
    cdef uint64_t key = <uint64_t>masked32(address, length) << 8 | (length + 1)
    cdef uint64_t h = hash4(t, key)
    return hinted(t, h) and find4(t, key, h)[0] != 0


cdef inline bint has6(const prefixes_t* t, uint64_t high, uint64_t low, uint32_t length) noexcept nogil:
    cdef uint64_t h
    high = masked64(high, length)
    low = masked64(low, length - 64) if length > 64 else 0
    h = hash6(t, high, low, length + 1)
    return hinted(t, h) and find6(t, high, low, length + 1, h).length != 0
