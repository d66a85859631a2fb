# cython: language_level=3
"""Flow specification rules (RFC 8955, RFC 8956), wire -> JSON (docs/json.md).

The rules of _json.pyx hold. A rule has a typed form where its components are known, in ascending order, and each is as
`bgp/flowspec.py` would write it again.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from bgpipe._json_text cimport kept, lit, put_address, put_hex_number, put_number, put_number64, put_text
from bgpipe._wire cimport be16, be32, be64

from bgpipe import names

cdef enum:
    DST = 1
    SRC = 2
    TCP_FLAGS = 9
    FRAG = 12
    LABEL = 13
    COMPONENTS = 14

cdef enum:                              # an operator (RFC 8955 sections 4.2.1.1, 4.2.1.2)
    LAST = 0x80
    AND = 0x40

cdef const char* NAMES[COMPONENTS]
cdef const char* NUMERIC[8]
cdef const char* BITMASK[4]


cdef int fill_tables() except -1:
    for code, name in names.FLOW_COMPONENTS.items():
        NAMES[<uint8_t>code] = kept(f',"{name}":')
    for code, name in names.FLOW_NUMERIC.items():
        NUMERIC[<uint8_t>code] = kept(name if name in ("true", "false") else f'"{name}"')
    for code, name in names.FLOW_BITMASK.items():
        BITMASK[<uint8_t>code] = kept(f'"{name}"')
    return 0


fill_tables()


cdef uint8_t* put_prefix4(uint8_t* out, const uint8_t** at, const uint8_t* end) noexcept nogil:
    # RFC 8955 section 4.2.2.1: as in an UPDATE
    cdef const uint8_t* p = at[0]
    cdef uint8_t address[4]
    cdef uint32_t bits, octets, i
    if p == end or p[0] > 32:
        return NULL
    bits = p[0]
    octets = (bits + 7) >> 3
    p += 1
    if <uint32_t>(end - p) < octets:
        return NULL
    memset(address, 0, 4)
    for i in range(octets):
        address[i] = p[i]
    if bits & 7 and address[bits >> 3] << (bits & 7) & 0xFF:
        return NULL
    at[0] = p + octets
    out[0] = 0x22
    out = put_address(out + 1, address, 4)
    out[0] = 0x2F
    out = put_number(out + 1, bits)
    out[0] = 0x22
    return out + 1


cdef uint8_t* put_prefix6(uint8_t* out, const uint8_t** at, const uint8_t* end) noexcept nogil:
    # RFC 8956 section 3.1: length, offset, then the bits from the offset on
    cdef const uint8_t* p = at[0]
    cdef uint8_t address[17]
    cdef uint32_t bits, offset, count, octets, i, place, shift
    if end - p < 2 or p[0] > 128:
        return NULL
    bits = p[0]
    offset = p[1]
    if offset and offset >= bits:
        return NULL
    count = bits - offset
    octets = (count + 7) >> 3
    p += 2
    if <uint32_t>(end - p) < octets:
        return NULL
    if count & 7 and p[count >> 3] << (count & 7) & 0xFF:
        return NULL
    memset(address, 0, 17)
    place = offset >> 3
    shift = offset & 7
    for i in range(octets):
        address[place + i] |= p[i] >> shift
        address[place + i + 1] = <uint8_t>(p[i] << (8 - shift)) if shift else 0
    at[0] = p + octets
    out[0] = 0x22
    out = put_address(out + 1, address, 16)
    out[0] = 0x2F
    out += 1
    if offset:
        out = put_number(out, offset)
        out[0] = 0x2D
        out += 1
    out = put_number(out, bits)
    out[0] = 0x22
    return out + 1


cdef uint8_t* put_operators(uint8_t* out, const uint8_t** at, const uint8_t* end, bint bitmask) noexcept nogil:
    cdef const uint8_t* p = at[0]
    cdef uint32_t op, size, least
    cdef uint64_t value
    out[0] = 0x5B
    out += 1
    while True:
        if p == end:
            return NULL
        op = p[0]
        size = 1 << ((op >> 4) & 3)
        p += 1
        if end - p < size or op & (0x0C if bitmask else 0x08):
            return NULL
        value = p[0] if size == 1 else be16(p) if size == 2 else be32(p) if size == 4 else be64(p)
        p += size
        out[0] = 0x7B
        out += 1
        if op & AND:
            out = lit(out, b'"and":true,', 11)
        out = lit(out, b'"op":', 5)
        if bitmask:
            out = put_text(out, BITMASK[op & 3])
            out = put_number(lit(out, b',"len":', 7), size)
            out = put_hex_number(lit(out, b',"val":"', 8), value)
            out[0] = 0x22
            out += 1
        else:
            out = put_text(out, NUMERIC[op & 7])
            least = 1 if value < 0x100 else 2 if value < 0x10000 else 4 if value < 0x100000000ULL else 8
            if size != least:
                out = put_number(lit(out, b',"len":', 7), size)
            out = put_number64(lit(out, b',"val":', 7), value)
        out = lit(out, b"},", 2)
        if op & LAST:
            break
    at[0] = p
    out[-1] = 0x5D
    return out


cdef uint8_t* put_rule(uint8_t* out, const uint8_t* p, const uint8_t* end, uint16_t afi) noexcept nogil:
    cdef uint32_t kind, before = 0
    while p < end:
        kind = p[0]
        if kind <= before or kind >= COMPONENTS or (kind == LABEL and afi != 2):
            return NULL
        before = kind
        p += 1
        out = put_text(out, NAMES[kind])
        if kind == DST or kind == SRC:
            out = put_prefix6(out, &p, end) if afi == 2 else put_prefix4(out, &p, end)
        else:
            out = put_operators(out, &p, end, kind == TCP_FLAGS or kind == FRAG)
        if out == NULL:
            return NULL
    return out
