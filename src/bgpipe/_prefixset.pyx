# cython: language_level=3
"""Sets of prefixes: what `prefix in file(...)` looks them up in."""

import os

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcpy
from bgpipe._wire cimport be32, be64

cdef extern from "<arpa/inet.h>" nogil:
    enum: AF_INET
    enum: AF_INET6
    int inet_pton(int af, const char* src, void* dst)


@cython.final
cdef class PrefixSet:
    """Prefixes in two tables of open addressing: 12 to 14 octets an IPv4 prefix, 35 to 37 an IPv6 prefix.

    text: one a line; blank lines and what stands behind # do not count, nor do bits behind the length; an address
    without a length stands for itself alone. ValueError(line number) for what is no prefix.
    """

    def __cinit__(self, bytes text not None):
        cdef const uint8_t* p = <const uint8_t*>PyBytes_AS_STRING(text)
        cdef const uint8_t* end = p + PyBytes_GET_SIZE(text)
        cdef uint64_t lines = 1, bad, n4 = 0, n6 = 0, i
        cdef const uint8_t* at = p
        while at < end:
            at = <const uint8_t*>memchr(at, 10, end - at)
            if at == NULL:
                break
            lines += 1
            at += 1
        if lines >= 1 << 31:
            raise MemoryError("more than 2147483647 lines")
        cdef uint64_t* all4 = <uint64_t*>malloc(lines * sizeof(uint64_t))
        cdef prefix6_t* all6 = <prefix6_t*>malloc(lines * sizeof(prefix6_t))  # what is not written to takes no memory
        try:
            if all4 == NULL or all6 == NULL:
                raise MemoryError()
            with nogil:
                bad = scan(p, end, all4, &n4, all6, &n6)
            if bad:
                raise ValueError(bad)
            self.table.seed = int.from_bytes(os.urandom(8), "little")
            self.table.size4 = n4 + n4 // 7 * 3 + 8
            self.table.size6 = n6 + n6 // 7 * 3 + 8
            self.table.slots4 = <uint64_t*>calloc(self.table.size4, sizeof(uint64_t))
            self.table.slots6 = <prefix6_t*>calloc(self.table.size6, sizeof(prefix6_t))
            while 64 * (self.table.hint_mask + 1) < 8 * (n4 + n6):
                self.table.hint_mask = 2 * self.table.hint_mask + 1
            self.table.hints = <uint64_t*>calloc(self.table.hint_mask + 1, sizeof(uint64_t))
            if self.table.slots4 == NULL or self.table.slots6 == NULL or self.table.hints == NULL:
                raise MemoryError()
            with nogil:
                for i in range(n4):
                    self.count += put4(&self.table, all4[i])
                for i in range(n6):
                    self.count += put6(&self.table, all6 + i)
        finally:
            free(all4)
            free(all6)

    def __dealloc__(self):
        free(self.table.slots4)
        free(self.table.slots6)
        free(self.table.hints)

    def __len__(self):
        return self.count

    def __sizeof__(self):
        return self.table.size4 * sizeof(uint64_t) + self.table.size6 * sizeof(prefix6_t) + (self.table.hint_mask + 1) * 8


cdef uint32_t put4(const prefixes_t* t, uint64_t key) noexcept nogil:
    cdef uint64_t h = hash4(t, key)
    cdef uint64_t* slot = find4(t, key, h)
    cdef bint is_new = slot[0] == 0
    t.hints[(h >> 6) & t.hint_mask] |= <uint64_t>1 << (h & 63)
    slot[0] = key
    return is_new


cdef uint32_t put6(const prefixes_t* t, const prefix6_t* key) noexcept nogil:
    cdef uint64_t h = hash6(t, key.high, key.low, key.length)
    cdef prefix6_t* slot = find6(t, key.high, key.low, key.length, h)
    cdef bint is_new = slot.length == 0
    t.hints[(h >> 6) & t.hint_mask] |= <uint64_t>1 << (h & 63)
    slot[0] = key[0]
    return is_new


cdef uint64_t scan(const uint8_t* p, const uint8_t* end, uint64_t* all4, uint64_t* n4, prefix6_t* all6, uint64_t* n6) noexcept nogil:
    """Reads the lines, IPv4 prefixes into all4, IPv6 ones into all6. Returns the number of the line that is none, or 0."""
    cdef const uint8_t* stop
    cdef const uint8_t* last
    cdef const uint8_t* mark
    cdef char word[64]
    cdef uint8_t octets[16]
    cdef uint64_t line = 0
    cdef uint32_t length, digits, bits
    while p < end:
        line += 1
        stop = <const uint8_t*>memchr(p, 10, end - p)
        if stop == NULL:
            stop = end
        last = <const uint8_t*>memchr(p, 35, stop - p)  # '#'
        if last == NULL:
            last = stop
        while p < last and p[0] <= 32:
            p += 1
        while last > p and last[-1] <= 32:
            last -= 1
        if p < last:
            mark = <const uint8_t*>memchr(p, 47, last - p)  # '/'
            if mark == NULL:
                mark = last
            if mark - p >= 64 or memchr(p, 0, mark - p) != NULL:
                return line
            memcpy(word, p, mark - p)
            word[mark - p] = 0
            bits = 128 if memchr(p, 58, mark - p) != NULL else 32  # ':'
            if inet_pton(AF_INET6 if bits == 128 else AF_INET, word, octets) != 1:
                return line
            length = bits
            if mark < last:
                length = digits = 0
                mark += 1
                while mark < last and 48 <= mark[0] <= 57 and digits < 3:
                    length = length * 10 + mark[0] - 48
                    mark += 1
                    digits += 1
                if mark < last or digits == 0 or length > bits:
                    return line
            if bits == 32:
                all4[n4[0]] = <uint64_t>masked32(be32(octets), length) << 8 | (length + 1)
                n4[0] += 1
            else:
                all6[n6[0]].high = masked64(be64(octets), length)
                all6[n6[0]].low = masked64(be64(octets + 8), length - 64) if length > 64 else 0
                all6[n6[0]].length = length + 1
                n6[0] += 1
        p = stop + 1
    return 0
