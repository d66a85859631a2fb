# cython: language_level=3
"""Capabilities (RFC 5492) as JSON, wherever they stand; bgp/capabilities.py has the other way, and the forms.

The rules of _json.pyx hold: a `put_` function writes at `out`, where there is room, and returns the place behind it, or NULL for
what has no typed form. Capabilities are rare, so that everything here is plain.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from bgpipe._json_text cimport kept, lit, put_afi, put_escaped, put_family, put_hex, put_number, put_text
from bgpipe._wire cimport be16, be32

from bgpipe import names

cdef enum:
    CAP_MP = 1
    CAP_OUTBOUND_FILTERING = 3
    CAP_EXTENDED_NEXTHOP = 5
    CAP_BGPSEC = 7
    CAP_MULTIPLE_LABELS = 8
    CAP_ROLE = 9
    CAP_GRACEFUL_RESTART = 64
    CAP_AS4 = 65
    CAP_DYNAMIC = 67
    CAP_MULTISESSION = 68
    CAP_ADDPATH = 69
    CAP_LLGR = 71
    CAP_ROUTING_POLICY = 72
    CAP_FQDN = 73
    CAP_VERSION = 75
    CAP_PATHS_LIMIT = 76
    CAP_PRE_OUTBOUND_FILTERING = 130
    CAP_PRE_MULTISESSION = 131
    CAP_PRE_FQDN = 184


cdef const char* CAPABILITY_NAMES[256]
cdef const char* ROLE_NAMES[256]
cdef const char* DIRECTION_NAMES[256]
cdef const char* ORF_NAMES[256]
cdef const char* BGPSEC_NAMES[2]


cdef int fill_tables() except -1:
    for code, name in names.CAPABILITIES.items():
        CAPABILITY_NAMES[<uint8_t>code] = kept(name)
    for code, name in names.ROLES.items():
        ROLE_NAMES[<uint8_t>code] = kept(name)
    for code, name in names.ADDPATH_DIRECTIONS.items():
        DIRECTION_NAMES[<uint8_t>code] = kept(name)
    for code, name in names.ORF_TYPES.items():
        ORF_NAMES[<uint8_t>code] = kept(name)
    for code, name in names.BGPSEC_DIRECTIONS.items():
        BGPSEC_NAMES[<uint8_t>code & 1] = kept(name)
    return 0


fill_tables()


# ---- pieces ---------------------------------------------------------------------------------------------------------------

cdef const char* orf_name(uint8_t code) noexcept nogil:
    return ORF_NAMES[code]


cdef uint8_t* put_name(uint8_t* out, const char* name, uint32_t number) noexcept nogil:
    return put_text(out, name) if name != NULL else put_number(out, number)


cdef uint8_t* put_capability_name(uint8_t* out, uint8_t code) noexcept nogil:
    if CAPABILITY_NAMES[code] != NULL:
        return put_text(out, CAPABILITY_NAMES[code])
    return put_number(put_text(out, b"CAP_"), code)


cdef uint8_t* put_flags(uint8_t* out, uint32_t flags, uint32_t bit, const char* letters) noexcept nogil:
    # A letter for `bit` and each one below it, where they are set; then what other bits there are, as a number.
    while letters[0]:
        if flags & bit:
            out[0] = letters[0]
            out += 1
            flags ^= bit
        bit >>= 1
        letters += 1
    return put_number(out, flags) if flags else out


# ---- values ---------------------------------------------------------------------------------------------------------------

cdef uint8_t* put_families(uint8_t* out, uint8_t code, const uint8_t* p, uint32_t n, uint32_t size) noexcept nogil:
    # ["IPV4/UNICAST/..",..]: `size` octets a family, of which what stands behind AFI and SAFI has a form of its own by code.
    cdef const uint8_t* end = p + n
    if n % size:
        return NULL
    out[0] = 0x5B
    out += 1
    while p < end:
        out[0] = 0x22
        if code == CAP_EXTENDED_NEXTHOP:        # RFC 8950 section 4: here a SAFI takes two octets
            if p[2] != 0:
                return NULL
            out = put_family(out + 1, be16(p), p[3])
        else:
            out = put_family(out + 1, be16(p), p[2])
        out[0] = 0x2F
        out += 1
        if code == CAP_EXTENDED_NEXTHOP:
            out = put_afi(out, be16(p + 4))
        elif code == CAP_PATHS_LIMIT:           # draft-abraitis-idr-addpath-paths-limit
            out = put_number(out, be16(p + 3))
        elif code == CAP_MULTIPLE_LABELS:       # RFC 8277 section 2.1
            out = put_number(out, p[3])
        else:                                   # RFC 7911 section 4, draft-ietf-idr-rpd
            out = put_name(out, DIRECTION_NAMES[p[3]], p[3])
        out = lit(out, b'",', 2)
        p += size
    out[-1] = 0x5D
    return out


cdef uint8_t* put_filters(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # RFC 5291 section 5
    cdef const uint8_t* end = p + n
    cdef const uint8_t* stop
    out[0] = 0x5B
    out += 1
    while p < end:
        if end - p < 5 or p[2] != 0 or end - p < 5 + 2 * <uint32_t>p[4]:
            return NULL
        stop = p + 5 + 2 * <uint32_t>p[4]
        out = lit(put_family(lit(out, b'{"af":"', 7), be16(p), p[3]), b'","orfs":[', 10)
        p += 5
        if p == stop:
            out += 1
        while p < stop:
            out[0] = 0x22
            out = put_name(out + 1, ORF_NAMES[p[0]], p[0])
            out[0] = 0x2F
            out = lit(put_name(out + 1, DIRECTION_NAMES[p[1]], p[1]), b'",', 2)
            p += 2
        out = lit(out - 1, b"]},", 3)
    out[-1] = 0x5D
    return out


cdef uint8_t* put_codes(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # draft-ietf-idr-dynamic-cap section 4: codes of capabilities. Each once: as it is a set, and as names take more room than codes.
    cdef uint64_t seen[4]
    cdef uint32_t i
    memset(seen, 0, sizeof(seen))
    out[0] = 0x5B
    out += 1
    if n == 0:
        out += 1
    for i in range(n):
        if (seen[p[i] >> 6] >> (p[i] & 63)) & 1:
            return NULL
        seen[p[i] >> 6] |= <uint64_t>1 << (p[i] & 63)
        out[0] = 0x22
        out = lit(put_capability_name(out + 1, p[i]), b'",', 2)
    out[-1] = 0x5D
    return out


cdef uint8_t* put_restart(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # RFC 4724 section 3, RFC 8538 section 2
    cdef const uint8_t* end = p + n
    if n < 2 or (n - 2) & 3:
        return NULL
    out = put_flags(lit(out, b'{"flags":"', 10), p[0] >> 4, 8, b"RN")
    out = put_number(lit(out, b'","time":', 9), be16(p) & 0x0FFF)
    out = lit(out, b',"families":[', 13)
    p += 2
    if p == end:
        out += 1
    while p < end:
        out = put_family(lit(out, b'{"af":"', 7), be16(p), p[2])
        out = put_flags(lit(out, b'","flags":"', 11), p[3], 0x80, b"F")
        out = lit(out, b'"},', 3)
        p += 4
    return lit(out - 1, b"]}", 2)


cdef uint8_t* put_long_lived(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # RFC 9494 section 3.1
    cdef const uint8_t* end = p + n
    if n % 7:
        return NULL
    out[0] = 0x5B
    out += 1
    while p < end:
        out = put_family(lit(out, b'{"af":"', 7), be16(p), p[2])
        out = put_flags(lit(out, b'","flags":"', 11), p[3], 0x80, b"F")
        out = put_number(lit(out, b'","time":', 9), <uint32_t>p[4] << 16 | be16(p + 5))
        out = lit(out, b"},", 2)
        p += 7
    out[-1] = 0x5D
    return out


cdef uint8_t* put_host(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # draft-walton-bgp-hostname-capability
    cdef uint32_t host = p[0]
    if n < host + 2 or n != host + 2 + p[1 + host]:
        return NULL
    out = put_escaped(lit(out, b'{"host":"', 9), p + 1, host)
    if out == NULL:
        return NULL
    out = put_escaped(lit(out, b'","domain":"', 12), p + 2 + host, p[1 + host])
    return NULL if out == NULL else lit(out, b'"}', 2)


cdef uint8_t* put_version(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # draft-abraitis-bgp-version-capability. A text that begins with 0x would be read as hex digits.
    if p[0] != n - 1 or (n > 2 and p[1] == 0x30 and p[2] | 0x20 == 0x78):
        return NULL
    out[0] = 0x22
    out = put_escaped(out + 1, p + 1, n - 1)
    return NULL if out == NULL else lit(out, b'"', 1)


cdef uint8_t* put_bgpsec(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # RFC 8205 section 2.1
    if n != 3 or p[0] & 7:
        return NULL
    out = put_number(lit(out, b'{"version":', 11), p[0] >> 4)
    out = put_text(lit(out, b',"direction":"', 14), BGPSEC_NAMES[(p[0] >> 3) & 1])
    return lit(put_afi(lit(out, b'","afi":"', 9), be16(p + 1)), b'"}', 2)


cdef uint8_t* put_multisession(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # draft-ietf-idr-bgp-multisession section 4
    out = put_flags(lit(out, b'{"flags":"', 10), p[0], 0x80, b"G")
    out = put_codes(lit(out, b'","sessions":', 13), p + 1, n - 1)
    return NULL if out == NULL else lit(out, b"}", 1)


cdef uint8_t* put_role(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    # RFC 9234 section 4.1
    if n != 1:
        return NULL
    if ROLE_NAMES[p[0]] == NULL:
        return put_number(out, p[0])
    return lit(put_text(lit(out, b'"', 1), ROLE_NAMES[p[0]]), b'"', 1)


cdef uint8_t* put_capability(uint8_t* out, uint8_t code, const uint8_t* p, uint32_t n) noexcept nogil:
    # The typed value of one capability; NULL if it has none.
    if n == 0:
        return lit(out, b"true", 4)
    if code == CAP_MP:          # RFC 4760 section 8
        if n != 4 or p[2] != 0:
            return NULL
        return lit(put_family(lit(out, b'"', 1), be16(p), p[3]), b'"', 1)
    if code == CAP_ADDPATH or code == CAP_ROUTING_POLICY or code == CAP_MULTIPLE_LABELS:
        return put_families(out, code, p, n, 4)
    if code == CAP_PATHS_LIMIT:
        return put_families(out, code, p, n, 5)
    if code == CAP_EXTENDED_NEXTHOP:
        return put_families(out, code, p, n, 6)
    if code == CAP_OUTBOUND_FILTERING or code == CAP_PRE_OUTBOUND_FILTERING:
        return put_filters(out, p, n)
    if code == CAP_BGPSEC:
        return put_bgpsec(out, p, n)
    if code == CAP_ROLE:
        return put_role(out, p, n)
    if code == CAP_GRACEFUL_RESTART:
        return put_restart(out, p, n)
    if code == CAP_AS4:         # RFC 6793 section 3
        return put_number(out, be32(p)) if n == 4 else NULL
    if code == CAP_DYNAMIC:
        return put_codes(out, p, n)
    if code == CAP_MULTISESSION or code == CAP_PRE_MULTISESSION:
        return put_multisession(out, p, n)
    if code == CAP_LLGR:
        return put_long_lived(out, p, n)
    if code == CAP_FQDN or code == CAP_PRE_FQDN:
        return put_host(out, p, n)
    if code == CAP_VERSION:
        return put_version(out, p, n)
    return NULL


cdef uint8_t* put_capability_or_hex(uint8_t* out, const uint8_t* cap) noexcept nogil:
    cdef uint8_t* behind = put_capability(out, cap[0], cap + 2, cap[1])
    return behind if behind != NULL else put_hex(out, cap + 2, cap[1])


# ---- all of them ----------------------------------------------------------------------------------------------------------

cdef bint find_capabilities(capabilities_t* found, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef const uint8_t* end = p + n
    while p < end:
        if end - p < 2 or end - p < 2 + <uint32_t>p[1] or found.count == 512:
            return False
        found.at[found.count] = p
        found.count += 1
        p += 2 + <uint32_t>p[1]
    return True


cdef uint8_t* put_capabilities(uint8_t* out, const capabilities_t* found, bint* in_order) noexcept nogil:
    # Codes in the order in which they first appear. MP is a list however often it is there, others from the second on.
    cdef uint8_t done[256]
    cdef uint8_t code
    cdef uint32_t i, j
    cdef bint listed
    in_order[0] = True
    memset(done, 0, sizeof(done))
    out[0] = 0x7B
    out += 1
    for i in range(found.count):
        code = found.at[i][0]
        if done[code]:
            if found.at[i - 1][0] != code:
                in_order[0] = False
            continue
        done[code] = 1
        listed = code == CAP_MP
        for j in range(i + 1, found.count):
            if found.at[j][0] == code:
                listed = True
        out[0] = 0x22
        out = lit(put_capability_name(out + 1, code), b'":', 2)
        if listed:
            out[0] = 0x5B
            out += 1
        for j in range(i, found.count):
            if found.at[j][0] == code:
                out = put_capability_or_hex(out, found.at[j])
                out[0] = 0x2C
                out += 1
        if listed:
            out = lit(out - 1, b"],", 2)
    out[-1] = 0x7D
    return out
