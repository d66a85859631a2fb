# cython: language_level=3
"""What a session says besides UPDATEs, as JSON: OPEN, NOTIFICATION and ROUTE-REFRESH.

The rules of _json.pyx hold: a `put_` function writes at `out`, where there is room, and returns the place behind it, or NULL for
what has no typed form. These messages are rare, so that everything here is plain.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from bgpipe._check cimport check, check_prefixes
from bgpipe._json_capabilities cimport capabilities_t, find_capabilities, orf_name, put_capabilities, put_name
from bgpipe._json_text cimport kept, lit, put_address, put_escaped, put_family, put_hex, put_number, put_text
from bgpipe._message cimport STATUS_OK, msg_t
from bgpipe._wire cimport be16, be32

from bgpipe import names

cdef enum:
    HEADER_LEN = 19


cdef struct notification_t:
    uint8_t code, subcode
    const char* name


cdef notification_t NOTIFICATION_NAMES[64]
cdef uint32_t NOTIFICATION_COUNT
cdef const char* SUBTYPE_NAMES[256]
cdef const char* WHEN_NAMES[256]
cdef const char* ACTION_NAMES[4]
cdef const char* MATCH_NAMES[2]


cdef int fill_tables() except -1:
    global NOTIFICATION_COUNT
    if sum([1 + len(subcodes) for _, subcodes in names.NOTIFICATIONS.values()]) > 64:
        raise ImportError("names.py has outgrown the tables of _json_session.pyx")
    for code, (name, subcodes) in names.NOTIFICATIONS.items():
        for subcode, subname in ((0, None), *subcodes.items()):
            NOTIFICATION_NAMES[NOTIFICATION_COUNT].code = code
            NOTIFICATION_NAMES[NOTIFICATION_COUNT].subcode = subcode
            NOTIFICATION_NAMES[NOTIFICATION_COUNT].name = kept(f"{name}/{subname}" if subname else name)
            NOTIFICATION_COUNT += 1
    for code, name in names.REFRESH_SUBTYPES.items():
        SUBTYPE_NAMES[<uint8_t>code] = kept(name)
    for code, name in names.ORF_REFRESHES.items():
        WHEN_NAMES[<uint8_t>code] = kept(name)
    for code, name in names.ORF_ACTIONS.items():
        ACTION_NAMES[<uint8_t>code & 3] = kept(name)
    for code, name in names.ORF_MATCHES.items():
        MATCH_NAMES[<uint8_t>code & 1] = kept(name)
    return 0


fill_tables()


# ---- OPEN -----------------------------------------------------------------------------------------------------------------

cdef uint8_t* put_open(uint8_t* out, msg_t* m) noexcept nogil:
    # RFC 4271 section 4.2. "caps" says the capabilities in the order in which their codes first appear; "params" is there beside it
    # unless that, in one parameter, is what the wire holds (docs/json.md).
    cdef const uint8_t* p = m.wire + HEADER_LEN
    cdef uint32_t n = m.len - HEADER_LEN
    cdef const uint8_t* params
    cdef const uint8_t* end = m.wire + m.len
    cdef const uint8_t* q
    cdef const uint8_t* stop
    cdef capabilities_t found
    cdef uint32_t i, octets = 1, containers = 0
    cdef bint plain = True, strange = False, in_order
    if check(m, NULL) != STATUS_OK:
        # Parameters that do not parse are shown as bytes, the rest as what it is.
        if n < 10 or (be16(p + 11) != n - 13 if n >= 13 and p[9] == 255 and p[10] == 255 else p[9] != n - 10):
            return NULL
        strange = True
    out = put_number(lit(out, b'{"bgp":', 7), p[0])
    out = put_number(lit(out, b',"asn":', 7), be16(p + 1))
    out = put_address(lit(out, b',"id":"', 7), p + 5, 4)
    out = put_number(lit(out, b'","hold":', 9), be16(p + 3))
    params = p + 10
    if n >= 13 and p[9] != 255 and p[10] == 255 and be16(p + 11) == n - 13:
        return NULL                     # "params" would read as the extended form, which this is not
    if n >= 13 and p[9] == 255 and p[10] == 255:
        octets = 2
        plain = False
        q = p + 13
    else:
        q = params
    if params == end:
        out[0] = 0x7D
        return out + 1
    found.count = 0
    while q < end and not strange:
        i = be16(q + 1) if octets == 2 else q[1]
        stop = q + 1 + octets + i
        if q[0] != 2 or not find_capabilities(&found, q + 1 + octets, i):
            strange = True
        elif i == 0:
            plain = False
        containers += 1
        q = stop
    if strange or found.count == 0:
        out = put_hex(lit(out, b',"params":', 10), params, <uint32_t>(end - params))
        out[0] = 0x7D
        return out + 1
    out = put_capabilities(lit(out, b',"caps":', 8), &found, &in_order)
    if not (plain and containers == 1 and in_order):
        out = put_hex(lit(out, b',"params":', 10), params, <uint32_t>(end - params))
    out[0] = 0x7D
    return out + 1


# ---- NOTIFICATION ---------------------------------------------------------------------------------------------------------

cdef uint8_t* put_detail(uint8_t* out, uint8_t code, uint8_t subcode, const uint8_t* p, uint32_t n, bint inner) noexcept nogil:
    # What the data of a NOTIFICATION say, as a key of its own; NULL where they say nothing that reads back as these octets.
    cdef capabilities_t found
    cdef bint in_order
    if code == 6 and (subcode == 2 or subcode == 4):
        if n < 2 or p[0] != n - 1:      # RFC 9003 section 2
            return NULL
        out = put_escaped(lit(out, b',"text":"', 9), p + 1, n - 1)
        return NULL if out == NULL else lit(out, b'"', 1)
    if code == 6 and subcode == 9:      # RFC 8538 section 3.1
        return put_reason(lit(out, b',"reason":', 10), p, n, True) if n >= 2 and not inner else NULL
    if code == 6 and subcode == 1:      # RFC 4486 section 4
        if n != 7:
            return NULL
        out = put_family(lit(out, b',"limit":{"af":"', 16), be16(p), p[2])
        return lit(put_number(lit(out, b'","prefixes":', 13), be32(p + 3)), b"}", 1)
    if code == 1 and subcode == 2 and n == 2:           # RFC 4271 section 6.1
        return put_number(lit(out, b',"length":', 10), be16(p))
    if n == 1 and ((code == 1 and subcode == 3) or (code == 5 and 1 <= subcode <= 3)):      # RFC 4271 section 6.1, RFC 6608 section 4
        return put_number(lit(out, b',"type":', 8), p[0])
    if code == 2 and subcode == 1 and n == 2:           # RFC 4271 section 6.2
        return put_number(lit(out, b',"version":', 11), be16(p))
    if code == 2 and subcode == 7:      # RFC 5492 section 3
        found.count = 0
        if not find_capabilities(&found, p, n):
            return NULL
        out = put_capabilities(lit(out, b',"caps":', 8), &found, &in_order)
        return out if in_order else NULL
    return NULL


cdef uint8_t* put_reason(uint8_t* out, const uint8_t* p, uint32_t n, bint inner) noexcept nogil:
    # RFC 4271 section 4.5, of two octets at least. `inner`: it is the data of a Hard Reset.
    cdef const char* name = NULL
    cdef uint8_t* behind
    cdef uint32_t i
    out = put_number(lit(out, b'{"code":', 8), p[0])
    out = put_number(lit(out, b',"subcode":', 11), p[1])
    for i in range(NOTIFICATION_COUNT):
        if NOTIFICATION_NAMES[i].code == p[0] and (NOTIFICATION_NAMES[i].subcode == 0 or NOTIFICATION_NAMES[i].subcode == p[1]):
            name = NOTIFICATION_NAMES[i].name
    if name != NULL:
        out = lit(put_text(lit(out, b',"name":"', 9), name), b'"', 1)
    if n > 2:
        behind = put_detail(out, p[0], p[1], p + 2, n - 2, inner)
        out = behind if behind != NULL else put_hex(lit(out, b',"data":', 8), p + 2, n - 2)
    out[0] = 0x7D
    return out + 1


cdef uint8_t* put_notification(uint8_t* out, msg_t* m) noexcept nogil:
    if m.len < HEADER_LEN + 2:
        return NULL
    return put_reason(out, m.wire + HEADER_LEN, m.len - HEADER_LEN, False)


# ---- ROUTE-REFRESH --------------------------------------------------------------------------------------------------------

cdef uint8_t* put_named(uint8_t* out, const char* name, uint32_t number) noexcept nogil:
    # "NAME", or the number where it is NULL
    return lit(put_text(lit(out, b'"', 1), name), b'"', 1) if name != NULL else put_number(out, number)


cdef uint8_t* put_prefix_filters(uint8_t* out, const uint8_t* p, uint32_t n, uint32_t bits) noexcept nogil:
    # Entries of an address prefix ORF (RFC 5291 section 4, RFC 5292 section 2). REMOVE_ALL twice in a row, which nobody needs, has no
    # typed form: lines would get too long (docs/json.md), at 24 octets of text for one.
    cdef const uint8_t* end = p + n
    cdef bint removed = False
    cdef uint8_t address[16]
    cdef uint32_t octets
    out[0] = 0x5B
    out += 1
    if p == end:
        out += 1
    while p < end:
        out = lit(out, b'{"action":"', 11)
        if p[0] == 0x80 and not removed:
            removed = True
            out = lit(put_text(out, ACTION_NAMES[2]), b'"},', 3)
            p += 1
            continue
        if p[0] & 0x9F or end - p < 8:
            return NULL
        octets = (p[7] + 7) >> 3
        if end - p < 8 + octets or not check_prefixes(p + 7, 1 + octets, bits, False):
            return NULL
        if p[7] & 7 and p[7 + octets] & (0xFF >> (p[7] & 7)):
            return NULL                 # host bits are set
        memset(address, 0, sizeof(address))
        memcpy(address, p + 8, octets)
        out = put_text(out, ACTION_NAMES[p[0] >> 6])
        out = put_text(lit(out, b'","match":"', 11), MATCH_NAMES[(p[0] >> 5) & 1])
        out = put_number(lit(out, b'","seq":', 8), be32(p + 1))
        out = put_number(lit(out, b',"min":', 7), p[5])
        out = put_number(lit(out, b',"max":', 7), p[6])
        out = put_address(lit(out, b',"prefix":"', 11), address, bits >> 3)
        out[0] = 0x2F
        out = lit(put_number(out + 1, p[7]), b'"},', 3)
        p += 8 + octets
        removed = False
    out[-1] = 0x5D
    return out


cdef bint splits(const uint8_t* p, const uint8_t* end) noexcept nogil:
    # Whether these are the types, lengths and entries of ORFs
    while p < end:
        if end - p < 3 or end - p < 3 + <uint32_t>be16(p + 1):
            return False
        p += 3 + <uint32_t>be16(p + 1)
    return True


cdef uint8_t* put_refresh(uint8_t* out, msg_t* m) noexcept nogil:
    # RFC 2918 section 3, RFC 7313 section 3.2; ORFs: RFC 5291 section 4
    cdef const uint8_t* p = m.wire + HEADER_LEN
    cdef const uint8_t* end = m.wire + m.len
    cdef uint8_t* behind
    cdef uint32_t bits, n
    if check(m, NULL) != STATUS_OK:
        return NULL
    bits = 32 if be16(p) == 1 else 128 if be16(p) == 2 else 0
    out = put_family(lit(out, b'{"af":"', 7), be16(p), p[3])
    out = put_named(lit(out, b'","subtype":', 12), SUBTYPE_NAMES[p[2]], p[2])
    p += 4
    if p < end and not splits(p + 1, end):
        out = put_hex(lit(out, b',"data":', 8), p, <uint32_t>(end - p))
    elif p < end:
        out = put_named(lit(out, b',"when":', 8), WHEN_NAMES[p[0]], p[0])
        p += 1
        if p < end:
            out = lit(out, b',"orfs":[', 9)
        while p < end:
            n = be16(p + 1)
            out = put_named(lit(out, b'{"type":', 8), orf_name(p[0]), p[0])
            behind = NULL
            if bits and (p[0] == 64 or p[0] == 128):
                behind = put_prefix_filters(lit(out, b',"entries":', 11), p + 3, n, bits)
            out = behind if behind != NULL else put_hex(lit(out, b',"data":', 8), p + 3, n)
            p += 3 + n
            out = lit(out, b"},", 2)
            if p == end:
                out[-1] = 0x5D
    out[0] = 0x7D
    return out + 1
