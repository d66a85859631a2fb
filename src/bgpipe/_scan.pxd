# cython: language_level=3
"""Reading text that others sent: numbers, hex, addresses, literals.

No function here is told where the text ends. Instead its caller guarantees two things: a byte that occurs in no
token (a line feed) stands at the end, and at least SLACK bytes behind it may be read. Every function moves only over bytes
that it recognised, none of which is that end, and looks less than SLACK bytes ahead of where it stands.
A function that reads a token returns the place behind it, or NULL where there is none.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from *:
    """
    #include <string.h>
    #include <stdint.h>
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif
    typedef unsigned __int128 bgpipe_u128;
    static inline uint32_t bgpipe_le32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
    static inline uint64_t bgpipe_le64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
    static inline void bgpipe_put128(uint8_t *p, bgpipe_u128 v) {
        uint64_t high = __builtin_bswap64((uint64_t)(v >> 64)), low = __builtin_bswap64((uint64_t)v);
        memcpy(p, &high, 8);
        memcpy(p + 8, &low, 8);
    }
    /* The value of a hex digit, plus 16; 0 for all other bytes. */
    static const uint8_t bgpipe_hex[256] = {
        ['0'] = 16, ['1'] = 17, ['2'] = 18, ['3'] = 19, ['4'] = 20, ['5'] = 21, ['6'] = 22, ['7'] = 23,
        ['8'] = 24, ['9'] = 25, ['a'] = 26, ['b'] = 27, ['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31,
        ['A'] = 26, ['B'] = 27, ['C'] = 28, ['D'] = 29, ['E'] = 30, ['F'] = 31,
    };
    /* The least number of so many digits that does not begin with 0; out of reach where an octet has no such number of digits. */
    static const uint16_t bgpipe_least[20] = {
        999, 0, 10, 100, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999,
    };
    /* The bytes, of four that end with them, that so many digits take. */
    static const uint32_t bgpipe_kept[20] = { 0, 0xFF000000, 0xFFFF0000, 0xFFFFFF00 };
    /* Bit i: p[i] is no decimal digit. */
    static inline uint32_t bgpipe_stops(const uint8_t *p) {
    #ifdef __SSE2__
        __m128i v = _mm_add_epi8(_mm_loadu_si128((const __m128i *)p), _mm_set1_epi8((char)(128 - '0')));
        return (uint32_t)_mm_movemask_epi8(_mm_cmpgt_epi8(v, _mm_set1_epi8(-128 + 9)));
    #else
        uint32_t stops = 0;
        for (int i = 0; i < 16; i++)
            stops |= (uint32_t)((uint8_t)(p[i] - '0') > 9) << i;
        return stops;
    #endif
    }
    #define BGPIPE_LITERAL(p, s) (memcmp((p), (s), __builtin_strlen(s)) == 0)
    """
    ctypedef unsigned long long u128 "bgpipe_u128"
    uint32_t le32 "bgpipe_le32"(const uint8_t* p) noexcept nogil
    uint64_t le64 "bgpipe_le64"(const uint8_t* p) noexcept nogil
    void put128 "bgpipe_put128"(uint8_t* p, u128 v) noexcept nogil
    const uint8_t* HEX "bgpipe_hex"
    const uint16_t* LEAST "bgpipe_least"
    const uint32_t* KEPT "bgpipe_kept"
    uint32_t stops "bgpipe_stops"(const uint8_t* p) noexcept nogil
    int ctz32 "__builtin_ctz"(uint32_t v) noexcept nogil
    int ctz64 "__builtin_ctzll"(uint64_t v) noexcept nogil
    # `s` must be a bytes literal: the comparison becomes one or two loads.
    bint literal "BGPIPE_LITERAL"(const uint8_t* p, const char* s) noexcept nogil

cdef enum:
    SLACK = 64


cdef inline uint64_t not_digits(uint64_t x) noexcept nogil:
    # x: bytes xor "0". The high bit of each byte from the first that is no digit; what is above that one is of no meaning.
    return ((x + 0x7676767676767676ULL) | x) & 0x8080808080808080ULL


cdef inline uint64_t eight_digits(uint64_t x) noexcept nogil:
    # x: eight digits 0..9, one a byte, the first in the lowest.
    x = x * 10 + (x >> 8)
    return <uint32_t>((((x & 0x000000FF000000FFULL) * 0x000F424000000064ULL) + (((x >> 16) & 0x000000FF000000FFULL) * 0x0000271000000001ULL)) >> 32)


cdef inline const uint8_t* take_number(const uint8_t* p, uint64_t* out) noexcept nogil:
    """A decimal number below 10**18, without leading zeros."""
    cdef uint64_t x = le64(p) ^ 0x3030303030303030ULL
    cdef uint64_t stop = not_digits(x)
    cdef uint64_t value
    cdef uint32_t n
    if stop:
        n = <uint32_t>ctz64(stop) >> 3
        if n == 0 or ((x & 0xFF) == 0 and n > 1):
            return NULL
        out[0] = eight_digits(x << (64 - 8 * n))
        return p + n
    if (x & 0xFF) == 0:
        return NULL
    value = eight_digits(x)
    n = 8
    while p[n] ^ 0x30 <= 9:
        if n == 18:
            return NULL
        value = value * 10 + (p[n] ^ 0x30)
        n += 1
    out[0] = value
    return p + n


cdef inline const uint8_t* take_hex(const uint8_t* p, uint64_t* out) noexcept nogil:
    """A number of 1 to 16 hex digits."""
    cdef uint64_t value = 0
    cdef uint32_t n = 0
    while HEX[p[n]]:
        if n == 16:
            return NULL
        value = value << 4 | (HEX[p[n]] & 15)
        n += 1
    if n == 0:
        return NULL
    out[0] = value
    return p + n


cdef inline const uint8_t* take_octets(const uint8_t* p, uint8_t* out, size_t room, size_t* size) noexcept nogil:
    """Pairs of hex digits, at least one pair, at most `room` bytes of them."""
    cdef size_t n = 0
    cdef uint32_t high, low
    while True:
        high = HEX[p[0]]
        if high == 0:
            break
        low = HEX[p[1]]
        if low == 0 or n == room:
            return NULL
        out[n] = <uint8_t>(high << 4 | (low & 15))
        n += 1
        p += 2
    size[0] = n
    if n == 0:
        return NULL
    return p


cdef inline uint64_t octet(const uint8_t* end, uint32_t digits) noexcept nogil:
    # The digits in front of `end`, three at most, as the high bytes of 32 bits.
    return (le32(end - 4) ^ 0x30303030) & KEPT[digits]


cdef inline uint64_t two_octets(uint64_t x) noexcept nogil:
    # x: two of octet() -> their numbers, in 32 bits each.
    return ((x >> 8) & 0xFF000000FFULL) * 100 + ((x >> 16) & 0xFF000000FFULL) * 10 + ((x >> 24) & 0xFF000000FFULL)


cdef inline const uint8_t* take_ipv4(const uint8_t* p, uint32_t* out) noexcept nogil:
    """Four decimal octets without leading zeros. The four bytes in front of `p` must be readable."""
    cdef uint32_t rest = stops(p) | 0xF0000
    cdef uint32_t a, b, c, d
    cdef uint64_t high, low, bad
    a = ctz32(rest)
    rest &= rest - 1
    b = ctz32(rest)
    rest &= rest - 1
    c = ctz32(rest)
    rest &= rest - 1
    d = ctz32(rest)
    high = two_octets(octet(p + a, a) | octet(p + b, b - a - 1) << 32)
    low = two_octets(octet(p + c, c - b - 1) | octet(p + d, d - c - 1) << 32)
    # The sign bits tell of numbers below the least of their length and above 255.
    bad = high - (LEAST[a] | <uint64_t>LEAST[b - a - 1] << 32)
    bad |= low - (LEAST[c - b - 1] | <uint64_t>LEAST[d - c - 1] << 32)
    bad |= 0xFF000000FFULL - high
    bad |= 0xFF000000FFULL - low
    bad = (bad & 0x8000000080000000ULL) | (p[a] ^ c".") | (p[b] ^ c".") | (p[c] ^ c".")
    if bad:
        return NULL
    out[0] = <uint32_t>(high << 24 | high >> 16 | low << 8 | low >> 32)
    return p + d


cdef inline const uint8_t* take_ipv6(const uint8_t* p, u128* out) noexcept nogil:
    """Any text form of RFC 4291 section 2.2, the one with four decimal octets at the end included."""
    cdef u128 value = 0, head = 0
    cdef uint32_t groups = 0, before = 0, a, b, c, d, n, group, address
    cdef bint gap = False
    cdef const uint8_t* q
    if p[0] == c":":
        if p[1] != c":":
            return NULL
        p += 2
        gap = True
        if not HEX[p[0]]:
            out[0] = 0
            return p
    while True:
        a = HEX[p[0]]
        b = HEX[p[1]]
        c = HEX[p[2]]
        d = HEX[p[3]]
        n = <uint32_t>ctz32(~(a >> 4 | (b >> 4) << 1 | (c >> 4) << 2 | (d >> 4) << 3))
        if n == 0:
            return NULL
        group = ((a & 15) << 12 | (b & 15) << 8 | (c & 15) << 4 | (d & 15)) >> (16 - 4 * n)
        if p[n] == c".":
            if groups > 6:
                return NULL
            p = take_ipv4(p, &address)
            if p == NULL:
                return NULL
            value = value << 32 | address
            groups += 2
            break
        p += n
        value = value << 16 | group
        groups += 1
        if p[0] != c":" or groups == 8:
            break
        p += 1
        if p[0] == c":":
            if gap:
                return NULL
            p += 1
            gap = True
            head = value
            before = groups
            value = 0
            if not HEX[p[0]]:
                break
    if gap:
        if groups > 7:
            return NULL
        if before:
            value |= head << (128 - 16 * before)
    elif groups != 8:
        return NULL
    out[0] = value
    return p
