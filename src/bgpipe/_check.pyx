# cython: language_level=3
"""Whether messages parse, to their last octet, and what is wrong with those that do not.

A status code a message, no Python and no memory on the way; `message_error` makes an exception of it at the edge.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from bgpipe._message cimport (
    CTX_AS2, ERR_ATTRIBUTES_LENGTH, ERR_ATTRIBUTE_HEADER, ERR_ATTRIBUTE_TWICE, ERR_ATTRIBUTE_VALUE, ERR_HEADER, ERR_KEEPALIVE,
    ERR_NLRI, ERR_NOTIFICATION, ERR_OPEN, ERR_ROUTE_REFRESH, ERR_WITHDRAWN, ERR_WITHDRAWN_LENGTH, FAMILY_IPV4_MULTICAST,
    FAMILY_IPV4_UNICAST, FAMILY_IPV6_MULTICAST, FAMILY_IPV6_UNICAST, FAMILY_OTHER, STATUS_OK, TYPE_KEEPALIVE, TYPE_NOTIFICATION,
    TYPE_OPEN, TYPE_ROUTE_REFRESH, TYPE_UPDATE, has_addpath,
)
from bgpipe._wire cimport be16, cursor, cursor_t, take_bytes, take_cursor, take_u8, take_u16

from bgpipe.errors import MessageError
from bgpipe.names import ATTRIBUTES

cdef enum:
    HEADER_LEN = 19


# ---- families -----------------------------------------------------------------------------------------------------

cdef uint32_t family(uint16_t afi, uint8_t safi) noexcept nogil:
    if afi == 1:
        if safi == 1: return FAMILY_IPV4_UNICAST
        if safi == 2: return FAMILY_IPV4_MULTICAST
        if safi == 4: return 4
        if safi == 128: return 6
        if safi == 129: return 8
        if safi == 132: return 10
        if safi == 133: return 11
        if safi == 134: return 13
        if safi == 5: return 15
    elif afi == 2:
        if safi == 1: return FAMILY_IPV6_UNICAST
        if safi == 2: return FAMILY_IPV6_MULTICAST
        if safi == 4: return 5
        if safi == 128: return 7
        if safi == 129: return 9
        if safi == 133: return 12
        if safi == 134: return 14
        if safi == 5: return 16
    elif afi == 25:
        if safi == 65: return 17
        if safi == 70: return 18
    return FAMILY_OTHER


def family_index(afi: int, safi: int) -> int:
    """Index of an address family in a session context (see _message.pxd)."""
    return family(afi, safi)


# ---- checks ---------------------------------------------------------------------------------------------------------------

cdef bint check_prefixes(const uint8_t* p, uint32_t n, uint32_t bits, bint addpath) noexcept nogil:
    cdef const uint8_t* end = p + n
    cdef uint32_t length
    while p < end:
        if addpath:
            if end - p < 5:
                return False
            p += 4
        if p[0] > bits:
            return False
        length = 1 + ((p[0] + 7) >> 3)
        if <uint32_t>(end - p) < length:
            return False
        p += length
    return True


cdef inline uint32_t family_bits(uint16_t afi, uint8_t safi) noexcept nogil:
    # Octet strings of plain prefixes (RFC 4271 section 4.3, RFC 4760 section 5); 0 for families of other NLRI.
    if safi == 1 or safi == 2:
        return 32 if afi == 1 else 128 if afi == 2 else 0
    return 0


cdef uint32_t nlri_size(uint16_t afi, uint8_t safi, const uint8_t* p, uint32_t n, bint addpath) noexcept nogil:
    cdef uint32_t path_id = 4 if addpath else 0
    cdef uint32_t size = 0
    if n <= path_id:
        return 0
    p += path_id
    n -= path_id
    if afi <= 2 and (safi <= 2 or safi == 4 or safi == 73 or safi == 128 or safi == 129 or safi == 132):
        size = 1 + ((<uint32_t>p[0] + 7) >> 3)                              # a length in bits
    elif safi == 133 or safi == 134:                                        # RFC 8955 section 4.1
        size = 1 + p[0] if p[0] < 0xF0 else 2 + (be16(p) & 0xFFF) if n >= 2 else 0
    elif safi == 70 or safi == 5:                                           # RFC 7432 section 7, RFC 6514 section 4
        size = 2 + p[1] if n >= 2 else 0
    elif safi == 65:                                                        # RFC 4761 section 3.2.2
        size = 2 + be16(p) if n >= 2 else 0
    elif safi == 71 or safi == 72:                                          # RFC 9552 section 5.2
        size = 4 + be16(p + 2) if n >= 4 else 0
    return path_id + size if size <= n and size else 0


cdef uint32_t labels_size(const uint8_t* p, uint32_t n) noexcept nogil:
    # RFC 8277 section 2.3: up to the one with the S bit; in a withdrawal, one of 0x800000 (section 2.4) or, as some send it, 0. Where no
    # stack ends, there is one label, whose S bit does not count (section 2.2).
    cdef uint32_t i = 0
    while i + 3 <= n:
        if p[i + 2] & 1 or i == 0 and p[1] | p[2] == 0 and p[0] & 0x7F == 0:
            return i + 3
        i += 3
    return 3 if n >= 3 else 0


cdef bint fits_family(uint16_t afi, uint8_t safi, const uint8_t* p) noexcept nogil:
    # Whether the length in bits of an NLRI at p, which is there to its last octet, can be one of the family (RFC 7606 section 5.3).
    cdef uint32_t bits = p[0]
    cdef uint32_t most = 32 if afi == 1 else 128
    cdef uint32_t distinguisher = 64 if safi == 128 else 0
    if safi == 132:                                                         # RFC 4684 section 4
        return bits == 0 or 32 <= bits <= 96
    if safi == 129:                                                         # RFC 6514 section 10: no label, though some send one
        return 64 <= bits <= 24 + 64 + most
    if bits < 24 + distinguisher:
        return False
    return bits - distinguisher - 8 * labels_size(p + 1, (bits - distinguisher) >> 3) <= most


cdef bint check_nlri(uint16_t afi, uint8_t safi, const uint8_t* p, uint32_t n, bint addpath) noexcept nogil:
    # Whether NLRI of a family that has other than plain prefixes end where p[:n] does; True where it is not known how they do. What is
    # in those that say their type does not count: a type may be new (RFC 7606 section 5.4).
    cdef const uint8_t* end = p + n
    cdef uint32_t size
    cdef bint ip = afi == 1 or afi == 2
    cdef bint bits = ip and (safi == 4 or safi == 128 or safi == 129) or afi == 1 and safi == 132
    if not (bits or ip and (safi == 5 or safi == 133 or safi == 134) or afi == 25 and safi == 70):
        return True
    while p < end:
        size = nlri_size(afi, safi, p, <uint32_t>(end - p), addpath)
        if size == 0 or bits and not fits_family(afi, safi, p + 4 if addpath else p):
            return False
        p += size
    return True


cdef inline uint8_t path_problem(const uint8_t* p, uint32_t n, uint32_t as_len) noexcept nogil:
    # RFC 4271 section 4.3, RFC 5065 section 3, RFC 7606 section 7.2
    cdef const uint8_t* end = p + n
    cdef uint32_t size
    while p < end:
        if end - p < 2 or p[0] - 1 > 3 or p[0] == 0 or p[1] == 0:
            return BAD_SEGMENT
        size = 2 + p[1] * as_len
        if <uint32_t>(end - p) < size:
            return BAD_SEGMENT
        p += size
    return FINE


cdef uint8_t mp_problem(const uint8_t* p, uint32_t n, ctx_t ctx, bint reach) noexcept nogil:
    # RFC 4760 sections 3 and 4, RFC 2545 section 3, RFC 8950 section 4
    cdef cursor_t c = cursor(p, n)
    cdef const uint8_t* next_hop
    cdef uint16_t afi
    cdef uint8_t safi, next_hop_len, reserved
    cdef uint32_t bits
    cdef bint addpath
    if not (take_u16(&c, &afi) and take_u8(&c, &safi)):
        return BAD_LENGTH
    bits = family_bits(afi, safi)
    if reach:
        if not (take_u8(&c, &next_hop_len) and take_bytes(&c, next_hop_len, &next_hop) and take_u8(&c, &reserved)):
            return BAD_LENGTH
        # None at all: a route of a RIB dump that was the router's own.
        if bits and not (next_hop_len == 16 or next_hop_len == 32 or next_hop_len == 0 or (next_hop_len == 4 and afi == 1)):
            return BAD_NEXT_HOP
    addpath = has_addpath(ctx, family(afi, safi))
    if bits:
        return FINE if check_prefixes(c.p, <uint32_t>(c.end - c.p), bits, addpath) else BAD_NLRI
    return FINE if check_nlri(afi, safi, c.p, <uint32_t>(c.end - c.p), addpath) else BAD_NLRI


cdef inline uint8_t length_problem(bint right) noexcept nogil:
    return FINE if right else BAD_LENGTH


cdef uint8_t attr_problem(uint8_t code, const uint8_t* p, uint32_t n, ctx_t ctx) noexcept nogil:
    if code == 1:  # ORIGIN
        return BAD_LENGTH if n != 1 else BAD_VALUE if p[0] > 2 else FINE
    if code == 2:  # AS_PATH
        return path_problem(p, n, 2 if ctx & CTX_AS2 else 4)
    if code == 3 or code == 4 or code == 5 or code == 9:  # NEXT_HOP, MULTI_EXIT_DISC, LOCAL_PREF, ORIGINATOR_ID
        return length_problem(n == 4)
    if code == 6:  # ATOMIC_AGGREGATE
        return length_problem(n == 0)
    if code == 7:  # AGGREGATOR
        return length_problem(n == (6 if ctx & CTX_AS2 else 8))
    if code == 8 or code == 10:  # COMMUNITIES, CLUSTER_LIST
        return length_problem(n > 0 and n % 4 == 0)
    if code == 14:
        return mp_problem(p, n, ctx, True)
    if code == 15:
        return mp_problem(p, n, ctx, False)
    if code == 16:  # EXTENDED COMMUNITIES
        return length_problem(n > 0 and n % 8 == 0)
    if code == 17:  # AS4_PATH
        return path_problem(p, n, 4)
    if code == 18:  # AS4_AGGREGATOR
        return length_problem(n == 8)
    if code == 32:  # LARGE_COMMUNITY
        return length_problem(n > 0 and n % 12 == 0)
    if code == 35:  # OTC
        return length_problem(n == 4)
    return FINE


cdef inline uint8_t fail(msg_t* m, error_t* e, uint8_t status, const uint8_t* at, uint8_t code, uint8_t subcode, uint8_t attr) noexcept nogil:
    m.status = status
    if e != NULL:
        e.status = status
        e.attr = attr
        e.offset = <uint32_t>(at - m.wire)
        e.code = code
        e.subcode = subcode
    return status


cdef uint8_t attr_subcode(uint8_t code) noexcept nogil:
    # RFC 4271 section 6.3
    if code == 1:
        return 6
    if code == 2:
        return 11
    if code == 3:
        return 8
    if code <= 6:
        return 5
    return 9


cdef uint8_t check_update(msg_t* m, error_t* e) noexcept nogil:
    cdef const uint8_t* p = m.wire + HEADER_LEN
    cdef const uint8_t* end = m.wire + m.len
    cdef const uint8_t* stop
    cdef uint64_t seen[4]
    cdef uint32_t n
    cdef uint8_t flags, code
    if end - p < 2 or be16(p) > end - p - 2:
        return fail(m, e, ERR_WITHDRAWN_LENGTH, p, 3, 1, 0)
    n = be16(p)
    p += 2
    if not check_prefixes(p, n, 32, has_addpath(m.ctx, FAMILY_IPV4_UNICAST)):
        return fail(m, e, ERR_WITHDRAWN, p, 3, 10, 0)
    p += n
    if end - p < 2 or be16(p) > end - p - 2:
        return fail(m, e, ERR_ATTRIBUTES_LENGTH, p, 3, 1, 0)
    stop = p + 2 + be16(p)
    p += 2
    memset(seen, 0, sizeof(seen))
    while p < stop:
        if stop - p < 3:
            return fail(m, e, ERR_ATTRIBUTE_HEADER, p, 3, 1, 0)
        flags = p[0]
        code = p[1]
        if flags & 0x10:
            if stop - p < 4:
                return fail(m, e, ERR_ATTRIBUTE_HEADER, p, 3, 1, code)
            n = be16(p + 2)
            p += 4
        else:
            n = p[2]
            p += 3
        if n > <uint32_t>(stop - p):
            return fail(m, e, ERR_ATTRIBUTE_HEADER, p, 3, 1, code)
        if (seen[code >> 6] >> (code & 63)) & 1:
            return fail(m, e, ERR_ATTRIBUTE_TWICE, p, 3, 1, code)
        seen[code >> 6] |= <uint64_t>1 << (code & 63)
        if not check_attr(code, p, n, m.ctx):
            return fail(m, e, ERR_ATTRIBUTE_VALUE, p, 3, attr_subcode(code), code)
        p += n
    if not check_prefixes(p, <uint32_t>(end - p), 32, has_addpath(m.ctx, FAMILY_IPV4_UNICAST)):
        return fail(m, e, ERR_NLRI, p, 3, 10, 0)
    m.status = STATUS_OK
    return STATUS_OK


cdef const uint8_t* check_params(const uint8_t* p, uint32_t n, uint32_t length_octets) noexcept nogil:
    # Optional parameters and the capabilities in them (RFC 4271 section 4.2, RFC 5492 section 4, RFC 9072 section 2): where the one
    # begins that does not parse, or NULL.
    cdef cursor_t c = cursor(p, n)
    cdef cursor_t value
    cdef const uint8_t* start
    cdef const uint8_t* data
    cdef uint8_t kind, small, code
    cdef uint16_t size
    while c.p < c.end:
        start = c.p
        if not take_u8(&c, &kind):
            return start
        if length_octets == 2:
            if not take_u16(&c, &size):
                return start
        else:
            if not take_u8(&c, &small):
                return start
            size = small
        if not take_cursor(&c, size, &value):
            return start
        if kind == 2:
            while value.p < value.end:
                start = value.p
                if not (take_u8(&value, &code) and take_u8(&value, &small) and take_bytes(&value, small, &data)):
                    return start
    return NULL


cdef uint8_t check_open(msg_t* m, error_t* e) noexcept nogil:
    # RFC 4271 section 4.2, RFC 9072 section 2
    cdef const uint8_t* p = m.wire + HEADER_LEN
    cdef uint32_t n = m.len - HEADER_LEN
    cdef const uint8_t* bad
    if n < 10:
        return fail(m, e, ERR_OPEN, p, 1, 2, 0)
    if n >= 13 and p[9] == 255 and p[10] == 255:
        bad = p + 11 if be16(p + 11) != n - 13 else check_params(p + 13, n - 13, 2)
    else:
        bad = p + 9 if p[9] != n - 10 else check_params(p + 10, n - 10, 1)
    if bad != NULL:
        return fail(m, e, ERR_OPEN, bad, 2, 0, 0)
    m.status = STATUS_OK
    return STATUS_OK


cdef uint8_t check_refresh(msg_t* m, error_t* e) noexcept nogil:
    # RFC 2918 section 3, RFC 7313 section 5: the begin and the end of a refresh have nothing behind the family
    cdef const uint8_t* p = m.wire + HEADER_LEN
    cdef uint32_t n = m.len - HEADER_LEN
    if n < 4 or (n > 4 and (p[2] == 1 or p[2] == 2)):
        return fail(m, e, ERR_ROUTE_REFRESH, p, 7, 1, 0)
    m.status = STATUS_OK
    return STATUS_OK


cdef uint8_t check(msg_t* m, error_t* e) noexcept nogil:
    if e != NULL:
        memset(e, 0, sizeof(error_t))
    if m.len < HEADER_LEN:
        return fail(m, e, ERR_HEADER, m.wire, 1, 2, 0)
    if m.type == TYPE_UPDATE:
        return check_update(m, e)
    if m.type == TYPE_OPEN:
        return check_open(m, e)
    if m.type == TYPE_NOTIFICATION and m.len < HEADER_LEN + 2:
        return fail(m, e, ERR_NOTIFICATION, m.wire + HEADER_LEN, 1, 2, 0)
    if m.type == TYPE_KEEPALIVE and m.len != HEADER_LEN:
        return fail(m, e, ERR_KEEPALIVE, m.wire + HEADER_LEN, 1, 2, 0)
    if m.type == TYPE_ROUTE_REFRESH:
        return check_refresh(m, e)
    m.status = STATUS_OK
    return STATUS_OK


cdef object message_error(msg_t* m):
    cdef msg_t copy = m[0]
    cdef error_t e
    check(&copy, &e)
    what = {
        ERR_HEADER: "message header",
        ERR_OPEN: "OPEN",
        ERR_NOTIFICATION: "NOTIFICATION",
        ERR_KEEPALIVE: "KEEPALIVE",
        ERR_ROUTE_REFRESH: "ROUTE-REFRESH",
        ERR_WITHDRAWN_LENGTH: "withdrawn routes length",
        ERR_ATTRIBUTES_LENGTH: "total path attribute length",
        ERR_ATTRIBUTE_HEADER: "path attribute header",
        ERR_ATTRIBUTE_TWICE: "path attribute that is there twice",
        ERR_ATTRIBUTE_VALUE: "path attribute",
        ERR_WITHDRAWN: "withdrawn routes",
        ERR_NLRI: "NLRI",
    }.get(copy.status, "message")
    if copy.status in (ERR_ATTRIBUTE_TWICE, ERR_ATTRIBUTE_VALUE):
        name = ATTRIBUTES.get(e.attr, f"ATTR_{e.attr}")
        return MessageError(
            f"{what} {name} does not parse at octet {e.offset}", code=e.code, subcode=e.subcode, offset=e.offset, field=name
        )
    return MessageError(f"{what} does not parse at octet {e.offset}", code=e.code, subcode=e.subcode, offset=e.offset, field=what)
