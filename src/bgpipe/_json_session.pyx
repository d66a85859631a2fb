# cython: language_level=3
"""What a session says besides UPDATEs, as JSON: OPEN and NOTIFICATION.

The rules of _json.pyx hold: a `put_` function writes at `out`, where there is room, and returns the place behind it, or NULL for
what has no typed form. These messages are rare, so that everything here is plain.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memset
from bgpipe._check cimport check
from bgpipe._message cimport STATUS_OK, msg_t
from bgpipe._json_text cimport kept, lit, put_afi, put_escaped, put_family, put_hex, put_number, put_text
from bgpipe._wire cimport be16, be32

from bgpipe import names

cdef enum:
    HEADER_LEN = 19


cdef struct notification_t:
    uint8_t code, subcode
    const char* name


cdef const char* CAPABILITY_NAMES[256]
cdef const char* ROLE_NAMES[8]
cdef const char* ADDPATH_NAMES[4]
cdef notification_t NOTIFICATION_NAMES[64]
cdef uint32_t NOTIFICATION_COUNT


cdef int fill_tables() except -1:
    global NOTIFICATION_COUNT
    if sum([1 + len(subcodes) for _, subcodes in names.NOTIFICATIONS.values()]) > 64:
        raise ImportError("names.py has outgrown the tables of _json_session.pyx")
    for code, name in names.CAPABILITIES.items():
        CAPABILITY_NAMES[<uint8_t>code] = kept(name)
    for code, name in names.ROLES.items():
        ROLE_NAMES[<uint8_t>code] = kept(name)
    for code, name in names.ADDPATH_DIRECTIONS.items():
        ADDPATH_NAMES[<uint8_t>code] = kept(name)
    for code, (name, subcodes) in names.NOTIFICATIONS.items():
        for subcode, subname in ((0, None), *subcodes.items()):
            NOTIFICATION_NAMES[NOTIFICATION_COUNT].code = code
            NOTIFICATION_NAMES[NOTIFICATION_COUNT].subcode = subcode
            NOTIFICATION_NAMES[NOTIFICATION_COUNT].name = kept(f"{name}/{subname}" if subname else name)
            NOTIFICATION_COUNT += 1
    return 0


fill_tables()


cdef uint8_t* put_capability(uint8_t* out, uint8_t code, const uint8_t* p, uint32_t n) noexcept nogil:
    # The typed value of one capability; NULL if it has none.
    cdef const uint8_t* end = p + n
    cdef uint32_t host
    if n == 0:
        return lit(out, b"true", 4)
    if code == 5:           # RFC 8950 section 4
        if n % 6:
            return NULL
        out[0] = 0x5B
        out += 1
        while p < end:
            if p[2] != 0:
                return NULL
            out[0] = 0x22
            out = put_family(out + 1, be16(p), p[3])
            out[0] = 0x2F
            out = lit(put_afi(out + 1, be16(p + 4)), b'",', 2)
            p += 6
        out[-1] = 0x5D
        return out
    if code == 9:           # RFC 9234 section 4.1
        if n != 1 or p[0] >= 8 or ROLE_NAMES[p[0]] == NULL:
            return NULL
        out[0] = 0x22
        out = put_text(out + 1, ROLE_NAMES[p[0]])
        out[0] = 0x22
        return out + 1
    if code == 64:          # RFC 4724 section 3, RFC 8538 section 2
        if n < 2 or (n - 2) & 3 or p[0] & 0x30:
            return NULL
        out = lit(out, b'{"flags":"', 10)
        if p[0] & 0x80:
            out[0] = 0x52
            out += 1
        if p[0] & 0x40:
            out[0] = 0x4E
            out += 1
        out = put_number(lit(out, b'","time":', 9), be16(p) & 0x0FFF)
        out = lit(out, b',"families":[', 13)
        p += 2
        if p == end:
            return lit(out, b"]}", 2)
        while p < end:
            if p[3] & 0x7F:
                return NULL
            out = put_family(lit(out, b'{"af":"', 7), be16(p), p[2])
            out = lit(out, b'","flags":"F"},', 15) if p[3] else lit(out, b'","flags":""},', 14)
            p += 4
        out[-1] = 0x5D
        out[0] = 0x7D
        return out + 1
    if code == 65:          # RFC 6793 section 3
        return put_number(out, be32(p)) if n == 4 else NULL
    if code == 69:          # RFC 7911 section 4
        if n & 3:
            return NULL
        out[0] = 0x5B
        out += 1
        while p < end:
            if p[3] == 0 or p[3] > 3:
                return NULL
            out[0] = 0x22
            out = put_family(out + 1, be16(p), p[2])
            out[0] = 0x2F
            out = lit(put_text(out + 1, ADDPATH_NAMES[p[3]]), b'",', 2)
            p += 4
        out[-1] = 0x5D
        return out
    if code == 71:          # RFC 9494 section 3.1
        if n % 7:
            return NULL
        out[0] = 0x5B
        out += 1
        while p < end:
            if p[3] & 0x7F:
                return NULL
            out = put_family(lit(out, b'{"af":"', 7), be16(p), p[2])
            out = lit(out, b'","flags":"F"', 13) if p[3] else lit(out, b'","flags":""', 12)
            out = put_number(lit(out, b',"time":', 8), <uint32_t>p[4] << 16 | be16(p + 5))
            out = lit(out, b"},", 2)
            p += 7
        out[-1] = 0x5D
        return out
    if code == 73:          # draft-walton-bgp-hostname-capability
        host = p[0]
        if n < host + 2 or n != host + 2 + p[1 + host]:
            return NULL
        out = put_escaped(lit(out, b'{"host":"', 9), p + 1, host)
        if out == NULL:
            return NULL
        out = put_escaped(lit(out, b'","domain":"', 12), p + 2 + host, p[1 + host])
        return NULL if out == NULL else lit(out, b'"}', 2)
    return NULL


cdef uint8_t* put_capability_or_hex(uint8_t* out, uint8_t code, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef uint8_t* behind = put_capability(out, code, p, n)
    return behind if behind != NULL else put_hex(out, p, n)


cdef inline bint plain_mp(const uint8_t* cap) noexcept nogil:
    return cap[1] == 4 and cap[4] == 0


cdef uint8_t* put_open(uint8_t* out, msg_t* m) noexcept nogil:
    # RFC 4271 section 4.2. "caps" says the capabilities in the order in which their codes first appear; "params" is there beside it
    # unless that, in one parameter, is what the wire holds (docs/json.md).
    cdef const uint8_t* p = m.wire + HEADER_LEN
    cdef uint32_t n = m.len - HEADER_LEN
    cdef const uint8_t* params
    cdef const uint8_t* end = m.wire + m.len
    cdef const uint8_t* q
    cdef const uint8_t* stop
    cdef const uint8_t* caps[512]
    cdef uint32_t count = 0, i, j, same, octets = 1, containers = 0
    cdef bint plain = True, strange = False, mp
    cdef uint8_t done[256]
    cdef uint8_t code
    if check(m, NULL) != STATUS_OK:
        # Parameters that do not parse are shown as bytes, the rest as what it is.
        if n < 10 or (be16(p + 11) != n - 13 if n >= 13 and p[9] == 255 and p[10] == 255 else p[9] != n - 10):
            return NULL
        strange = True
    out = put_number(lit(out, b'{"bgp":', 7), p[0])
    out = put_number(lit(out, b',"asn":', 7), be16(p + 1))
    out = lit(out, b',"id":"', 7)
    for i in range(4):
        out = put_number(out, p[5 + i])
        out[0] = 0x2E
        out += 1
    out -= 1
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
    while q < end and not strange:
        stop = q + 1 + octets + (be16(q + 1) if octets == 2 else q[1])
        if q[0] != 2:
            strange = True
            break
        containers += 1
        q += 1 + octets
        if q == stop:
            plain = False
        while q < stop:
            if count == 512:
                strange = True
                q = stop
                break
            caps[count] = q
            count += 1
            q += 2 + q[1]
    if strange or count == 0:
        out = put_hex(lit(out, b',"params":', 10), params, <uint32_t>(end - params))
        out[0] = 0x7D
        return out + 1
    plain = plain and containers == 1
    memset(done, 0, sizeof(done))
    out = lit(out, b',"caps":{', 9)
    for i in range(count):
        code = caps[i][0]
        if done[code]:
            # Its place in "caps" is that of its first: in order only if nothing else came in between.
            if caps[i - 1][0] != code:
                plain = False
            continue
        done[code] = 1
        same = 0
        mp = code == 1
        for j in range(i, count):
            if caps[j][0] == code:
                same += 1
                if not plain_mp(caps[j]):
                    mp = False
        out[0] = 0x22
        out += 1
        if CAPABILITY_NAMES[code] != NULL:
            out = put_text(out, CAPABILITY_NAMES[code])
        else:
            out = put_number(put_text(out, b"CAP_"), code)
        out = lit(out, b'":', 2)
        if mp:
            out[0] = 0x5B
            out += 1
            for j in range(i, count):
                if caps[j][0] == code:
                    out[0] = 0x22
                    out = lit(put_family(out + 1, be16(caps[j] + 2), caps[j][5]), b'",', 2)
            out[-1] = 0x5D
        elif same == 1:
            out = put_capability_or_hex(out, code, caps[i] + 2, caps[i][1])
        else:
            out[0] = 0x5B
            out += 1
            for j in range(i, count):
                if caps[j][0] == code:
                    out = put_capability_or_hex(out, code, caps[j] + 2, caps[j][1])
                    out[0] = 0x2C
                    out += 1
            out[-1] = 0x5D
        out[0] = 0x2C
        out += 1
    out[-1] = 0x7D
    if not plain:
        out = put_hex(lit(out, b',"params":', 10), params, <uint32_t>(end - params))
    out[0] = 0x7D
    return out + 1


cdef uint8_t* put_notification(uint8_t* out, msg_t* m) noexcept nogil:
    # RFC 4271 section 4.5; "text" in place of "data" where it is a shutdown communication (RFC 9003 section 2)
    cdef const uint8_t* p = m.wire + HEADER_LEN
    cdef uint32_t n = m.len - HEADER_LEN
    cdef uint32_t i
    cdef const char* name = NULL
    cdef uint8_t* behind
    if n < 2:
        return NULL
    out = put_number(lit(out, b'{"code":', 8), p[0])
    out = put_number(lit(out, b',"subcode":', 11), p[1])
    for i in range(NOTIFICATION_COUNT):
        if NOTIFICATION_NAMES[i].code == p[0] and (NOTIFICATION_NAMES[i].subcode == 0 or NOTIFICATION_NAMES[i].subcode == p[1]):
            name = NOTIFICATION_NAMES[i].name
    if name != NULL:
        out = lit(put_text(lit(out, b',"name":"', 9), name), b'"', 1)
    if n > 2:
        behind = NULL
        if p[0] == 6 and (p[1] == 2 or p[1] == 4) and n > 3 and p[2] == n - 3:
            behind = put_escaped(lit(out, b',"text":"', 9), p + 3, n - 3)
        if behind != NULL:
            out = lit(behind, b'"', 1)
        else:
            out = put_hex(lit(out, b',"data":', 8), p + 2, n - 2)
    out[0] = 0x7D
    return out + 1
