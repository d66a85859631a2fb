# cython: language_level=3
"""The smallest pieces of JSON text: numbers, hex, addresses, names of families, text that peers chose.

What the writers of values that are rare are made of; those that every message has are in _json.pyx, by tables. The rules of
_json.pyx hold: a `put_` function writes at `out`, where there is room, and returns the place behind it, or NULL for what it cannot put.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from bgpipe._wire cimport be32, be64

from bgpipe import names

cdef extern from *:
    """
    static inline void bgpipe_text_store32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
    """
    void store32 "bgpipe_text_store32"(uint8_t* p, uint32_t v) noexcept nogil
    int clz "__builtin_clz"(uint32_t v) noexcept nogil


cdef list KEEP = []                 # owns the bytes that the tables of names point into
cdef const char* SAFI_NAMES[256]
cdef names_t AFI_NAMES
cdef uint16_t HEX2[256]             # two hex digits
cdef uint16_t PAIRS[100]            # two decimal digits
cdef uint32_t OCTETS[256]           # "255."
cdef uint8_t ZERO_RUN[256]          # mask of zero groups (bit 7: first) -> start << 4 | length of the longest run of two or more


cdef const char* kept(str text) except NULL:
    cdef bytes b = text.encode()
    KEEP.append(b)
    return b


cdef names_t kept_names(dict table) except *:
    cdef names_t found
    cdef uint32_t i
    cdef bytearray room = bytearray(len(table) * sizeof(name_t))
    KEEP.append(room)
    found.count = <uint32_t>len(table)
    found.names = <name_t*><char*>room
    for i, number in enumerate(sorted(table)):
        found.names[i].number = number
        found.names[i].name = kept(table[number])
    return found


cdef const char* name_of(const names_t* names, uint32_t number) noexcept nogil:
    cdef uint32_t low = 0, high = names.count, middle
    while low < high:
        middle = (low + high) >> 1
        if names.names[middle].number < number:
            low = middle + 1
        else:
            high = middle
    return names.names[low].name if low < names.count and names.names[low].number == number else NULL


cdef int fill_tables() except -1:
    global AFI_NAMES
    cdef uint32_t i, j, run, best, best_start
    cdef const char* hexdigits = b"0123456789abcdef"
    for code, name in names.SAFIS.items():
        SAFI_NAMES[<uint8_t>code] = kept(name)
    AFI_NAMES = kept_names(names.AFIS)
    for i in range(100):
        PAIRS[i] = 0x30 + i // 10 | (0x30 + i % 10) << 8
    for i in range(256):
        text = f"{i}.".encode()
        OCTETS[i] = int.from_bytes(text, "little")
        HEX2[i] = hexdigits[i >> 4] | <uint16_t>hexdigits[i & 15] << 8
        best = 0
        best_start = 0
        run = 0
        for j in range(8):
            if (i >> (7 - j)) & 1:
                run += 1
                if run > best:
                    best = run
                    best_start = j + 1 - run
            else:
                run = 0
        ZERO_RUN[i] = best_start << 4 | best if best >= 2 else 0
    return 0


fill_tables()


cdef uint8_t* put_text(uint8_t* out, const char* text) noexcept nogil:
    while text[0]:
        out[0] = text[0]
        out += 1
        text += 1
    return out


cdef uint8_t* put_number(uint8_t* out, uint32_t v) noexcept nogil:
    cdef uint8_t* end = out + 1 + (v > 9) + (v > 99) + (v > 999) + (v > 9999)
    cdef uint8_t* p
    if v > 99999:
        end += 1 + (v > 999999) + (v > 9999999) + (v > 99999999) + (v > 999999999)
    p = end
    while v > 99:
        p -= 2
        memcpy(p, &PAIRS[v % 100], 2)
        v = v // 100
    if v > 9:
        memcpy(out, &PAIRS[v], 2)
    else:
        out[0] = <uint8_t>(0x30 + v)
    return end


cdef uint8_t* put_number64(uint8_t* out, uint64_t v) noexcept nogil:
    cdef uint8_t digits[20]
    cdef int n = 0
    while v > 0xFFFFFFFFULL:
        digits[n] = 0x30 + v % 10
        n += 1
        v = v // 10
    out = put_number(out, <uint32_t>v)
    while n > 0:
        n -= 1
        out[0] = digits[n]
        out += 1
    return out


cdef uint8_t* put_hex(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef const char* digits = b"0123456789abcdef"
    cdef uint32_t i
    out = lit(out, b'"0x', 3)
    for i in range(n):
        out[0] = digits[p[i] >> 4]
        out[1] = digits[p[i] & 15]
        out += 2
    out[0] = 0x22
    return out + 1


cdef uint8_t* put_afi(uint8_t* out, uint32_t afi) noexcept nogil:
    cdef const char* name = name_of(&AFI_NAMES, afi)
    if name != NULL:
        return put_text(out, name)
    out = put_number(put_text(out, b"AFI("), afi)
    out[0] = 0x29
    return out + 1


cdef uint8_t* put_family(uint8_t* out, uint32_t afi, uint8_t safi) noexcept nogil:
    out = put_afi(out, afi)
    out[0] = 0x2F
    out += 1
    if SAFI_NAMES[safi] != NULL:
        return put_text(out, SAFI_NAMES[safi])
    out = put_number(put_text(out, b"SAFI("), safi)
    out[0] = 0x29
    return out + 1


cdef uint8_t* put_escape(uint8_t* out, uint32_t c) noexcept nogil:
    # \\uXXXX
    cdef const char* digits = b"0123456789abcdef"
    cdef int i
    out = lit(out, b"\\u", 2)
    for i in range(4):
        out[i] = digits[(c >> (12 - 4 * i)) & 15]
    return out + 4


cdef uint8_t* put_escaped(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # UTF-8 that a peer chose, as the inside of a JSON string that stays on one line; NULL if it is not UTF-8 (RFC 3629).
    cdef const uint8_t* end = p + n
    cdef uint32_t c, more, least
    while p < end:
        c = p[0]
        p += 1
        if c < 0x80:
            if c < 0x20 or c == 0x7F:
                out = put_escape(out, c)
                continue
            if c == 0x22 or c == 0x5C:
                out[0] = 0x5C
                out += 1
            out[0] = <uint8_t>c
            out += 1
            continue
        if c >= 0xF0 and c < 0xF5:
            more = 3
            least = 0x10000
            c &= 7
        elif c >= 0xE0 and c < 0xF0:
            more = 2
            least = 0x800
            c &= 15
        elif c >= 0xC2 and c < 0xE0:
            more = 1
            least = 0x80
            c &= 31
        else:
            return NULL
        if <uint32_t>(end - p) < more:
            return NULL
        memcpy(out, p - 1, more + 1)
        while more > 0:
            if p[0] & 0xC0 != 0x80:
                return NULL
            c = c << 6 | (p[0] & 63)
            p += 1
            more -= 1
            out += 1
        out += 1
        if c < least or c > 0x10FFFF or (c >= 0xD800 and c < 0xE000):
            return NULL
        if (c >= 0x80 and c < 0xA0) or c == 0x2028 or c == 0x2029:
            # Line ends to some readers: escaped (the bytes just copied are two or three).
            out -= 2 if c < 0xA0 else 3
            out = put_escape(out, c)
    return out


# ---- addresses --------------------------------------------------------------------------------------------------------------

cdef uint8_t* put_ipv4(uint8_t* out, uint32_t v) noexcept nogil:
    # Four octets, each with a dot behind it; the last dot is not kept.
    cdef int shift = 24
    cdef uint32_t octet
    while shift >= 0:
        octet = (v >> shift) & 255
        store32(out, OCTETS[octet])
        out += 2 + (octet > 9) + (octet > 99)
        shift -= 8
    return out - 1


cdef inline uint8_t* put_group(uint8_t* out, uint32_t v) noexcept nogil:
    # 16 bits in hex without leading zeros
    cdef uint32_t n = (35 - clz(v | 1)) >> 2
    cdef uint32_t digits = HEX2[v >> 8] | <uint32_t>HEX2[v & 255] << 16
    store32(out, digits >> (32 - 8 * n))
    return out + n


cdef inline uint32_t zero_groups(uint64_t v) noexcept nogil:
    # A bit for each group of 16 that is zero, the first group's the highest of four. Adding 0x7FFF to 15 bits carries into the
    # sixteenth unless they are all zero.
    cdef uint64_t low15 = 0x7FFF7FFF7FFF7FFFULL
    cdef uint64_t zero = ~(((v & low15) + low15) | v | low15)
    return <uint32_t>(((zero >> 15) * 0x0001000200040008ULL) >> 48) & 15


cdef uint8_t* put_ipv6(uint8_t* out, uint64_t high, uint64_t low) noexcept nogil:
    # RFC 5952; dotted only for IPv4-mapped addresses
    cdef uint32_t mask, i, run, start, stop
    cdef uint64_t v
    if high == 0 and low >> 32 == 0xFFFF:
        return put_ipv4(lit(out, b"::ffff:", 7), <uint32_t>low)
    mask = zero_groups(high) << 4 | zero_groups(low)
    run = ZERO_RUN[mask]
    start = run >> 4 if run else 8
    stop = start + (run & 15)
    i = 0
    while i < start:
        v = high if i < 4 else low
        out = put_group(out, <uint32_t>(v >> (48 - 16 * (i & 3))) & 0xFFFF)
        out[0] = 0x3A
        out += 1
        i += 1
    if run == 0:
        return out - 1
    if start == 0:
        out[0] = 0x3A
        out += 1
    out[0] = 0x3A
    out += 1
    i = stop
    while i < 8:
        v = high if i < 4 else low
        out = put_group(out, <uint32_t>(v >> (48 - 16 * (i & 3))) & 0xFFFF)
        out[0] = 0x3A
        out += 1
        i += 1
    return out - 1 if stop < 8 else out


cdef uint8_t* put_address(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    return put_ipv4(out, be32(p)) if n == 4 else put_ipv6(out, be64(p), be64(p + 8))


cdef uint8_t* put_mac(uint8_t* out, uint64_t v) noexcept nogil:
    cdef int shift = 40
    cdef uint32_t digits
    while shift >= 0:
        digits = HEX2[(v >> shift) & 255]
        out[0] = <uint8_t>digits
        out[1] = <uint8_t>(digits >> 8)
        out[2] = 0x3A
        out += 3
        shift -= 8
    return out - 1


cdef uint8_t* put_hex_number(uint8_t* out, uint64_t v) noexcept nogil:
    cdef int shift = 60
    out[0] = 0x30
    out[1] = 0x78
    out += 2
    while shift and not v >> shift:
        shift -= 4
    while shift >= 0:
        out[0] = <uint8_t>(HEX2[(v >> shift) & 15] >> 8)
        out += 1
        shift -= 4
    return out
