# cython: language_level=3
"""JSON of an UPDATE -> wire, as our own writer spells it.

`take_...` functions return the place behind what they read, or NULL where it is not what they know. `at` is where they write, and
moves on; `stop` is as far as a message can reach. Before an item is written, they see that `at` is not behind `stop`: from there on
the work buffer has room for any one item (ROOM), which is written unchecked.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset
from cpython.bytes cimport PyBytes_AS_STRING
from bgpipe._communities cimport take_form
from bgpipe._message cimport (
    CTX_ADDPATH_SHIFT, CTX_AS2, FAMILY_IPV4_MULTICAST, FAMILY_IPV4_UNICAST, FAMILY_IPV6_MULTICAST, FAMILY_IPV6_UNICAST, ctx_t,
)
from bgpipe._scan cimport le64, literal, put128, take_hex, take_ipv4, take_ipv6, take_number, take_octets, u128
from bgpipe._wire cimport put16, put32

from bgpipe import names
from bgpipe.bgp import communities

# ---- names ------------------------------------------------------------------------------------------------------------

cdef enum:
    NAME_WORDS = 4
    NAME_SLOTS = 256
    MAX_LABELS = 64                # a free one behind the last included
    MAX_LABEL = 24

# A name and what always follows it, to be compared as words: text & mask == name.
cdef struct name_t:
    uint64_t text[NAME_WORDS]
    uint64_t mask[NAME_WORDS]
    uint32_t size                  # 0: free slot
    uint32_t code

# Open addressing by the first word. What follows a name is fixed, so that word is always the same.
cdef struct names_t:
    name_t slot[NAME_SLOTS]

cdef struct label_t:
    uint8_t text[MAX_LABEL]
    uint32_t size
    uint32_t code

cdef enum:                         # shape_of of bgp/communities.py
    SHAPE_AS2 = 1
    SHAPE_IP4
    SHAPE_AS4

cdef names_t ATTRIBUTES            # attribute name, up to the first flag
cdef uint8_t EXT_SHAPES[65536]     # by type and subtype, the nontransitive bit taken off
cdef names_t EXT_COMMUNITIES       # type of an extended community, up to the first byte of its value
cdef label_t AFIS[MAX_LABELS]
cdef label_t SAFIS[MAX_LABELS]


cdef inline uint32_t name_slot(uint64_t word) noexcept nogil:
    return <uint32_t>((word * 0x9E3779B97F4A7C15ULL) >> 56)


cdef int fill_names(names_t* table, dict numbers, bytes follows) except -1:
    cdef uint32_t i
    cdef name_t* slot
    cdef bytes key
    for code, name in numbers.items():
        key = name.encode() + follows
        size = len(key)
        i = name_slot(int.from_bytes(key[:8], "little"))
        while table.slot[i].size:
            i = (i + 1) % NAME_SLOTS
        slot = &table.slot[i]
        slot.size = size
        slot.code = code
        if not 8 <= size <= 8 * NAME_WORDS:
            raise ImportError(f"names.py: {name} does not fit the tables of _json_update.pyx")
        memcpy(slot.text, PyBytes_AS_STRING(key), size)
        memset(slot.mask, 0xFF, size)
    return 0


cdef int fill_labels(label_t* table, dict numbers) except -1:
    cdef bytes text
    for i, (code, name) in enumerate(numbers.items()):
        text = name.encode()
        if i >= MAX_LABELS - 1 or len(text) > MAX_LABEL:
            raise ImportError(f"names.py: {name} does not fit the tables of _json_update.pyx")
        table[i].size = len(text)
        table[i].code = code
        memcpy(table[i].text, PyBytes_AS_STRING(text), len(text))
    return 0


cdef int fill_shapes() except -1:
    for code in [*range(len(communities.FAMILIES) << 8), *communities.FORMS]:
        EXT_SHAPES[<uint16_t>code] = communities.shape_of(code)
    return 0


fill_shapes()
fill_names(&ATTRIBUTES, names.ATTRIBUTES, b'":{"flags":"')
fill_names(&EXT_COMMUNITIES, names.EXT_COMMUNITIES, b'","value":"')
fill_labels(AFIS, names.AFIS)
fill_labels(SAFIS, names.SAFIS)


cdef inline const uint8_t* take_name(const names_t* table, const uint8_t* p, uint32_t* code) noexcept nogil:
    cdef uint64_t word = le64(p)
    cdef uint32_t i = name_slot(word)
    cdef const name_t* slot
    while True:
        slot = &table.slot[i]
        if slot.size == 0:
            return NULL
        if word == slot.text[0] and (
            (le64(p + 8) & slot.mask[1]) ^ slot.text[1]
            | (le64(p + 16) & slot.mask[2]) ^ slot.text[2]
            | (le64(p + 24) & slot.mask[3]) ^ slot.text[3]
        ) == 0:
            code[0] = slot.code
            return p + slot.size
        i = (i + 1) % NAME_SLOTS


cdef const uint8_t* take_label(const label_t* table, const uint8_t* p, uint8_t stop, uint32_t* code) noexcept nogil:
    # A name and the byte behind it.
    cdef uint32_t n = 0, i = 0
    while p[n] != stop:
        if n == MAX_LABEL or p[n] == c"\n":
            return NULL
        n += 1
    while table[i].size:
        if table[i].size == n and equal(table[i].text, p, n):
            code[0] = table[i].code
            return p + n + 1
        i += 1
    return NULL


cdef inline bint equal(const uint8_t* a, const uint8_t* b, size_t n) noexcept nogil:
    cdef size_t i
    for i in range(n):
        if a[i] != b[i]:
            return False
    return True


# ---- prefixes ------------------------------------------------------------------------------------------------------------

cdef inline const uint8_t* take_length(const uint8_t* p, uint32_t* out) noexcept nogil:
    # "/N" and the quote behind it.
    cdef uint32_t n, digit
    n = p[1] ^ 0x30
    if p[0] != c"/" or n > 9:
        return NULL
    p += 2
    if p[0] != c'"':
        digit = p[0] ^ 0x30
        if digit > 9 or n == 0:
            return NULL
        n = n * 10 + digit
        p += 1
        if p[0] != c'"':
            digit = p[0] ^ 0x30
            if digit > 9:
                return NULL
            n = n * 10 + digit
            p += 1
            if p[0] != c'"':
                return NULL
    out[0] = n
    return p + 1


cdef inline const uint8_t* take_path_id(const uint8_t* p, uint8_t* out) noexcept nogil:
    # "#N#" (RFC 7911 section 3)
    cdef uint64_t id
    if p[0] != c"#":
        return NULL
    p = take_number(p + 1, &id)
    if p == NULL or p[0] != c"#" or id > 0xFFFFFFFFULL:
        return NULL
    put32(out, <uint32_t>id)
    return p + 1


cdef inline const uint8_t* take_prefixes(
    draft_t* d, const uint8_t* p, uint8_t** at, const uint8_t* stop, uint32_t bits, uint32_t index
) noexcept nogil:
    """Prefixes from behind the opening bracket to behind the closing one; at least one. All of them with path ids, or none.

    Written at `at`, which moves on; index: of the family. One with bits set behind its length is left to others.
    """
    cdef uint8_t* out = at[0]
    cdef bint addpath = p[0] == c'"' and p[1] == c"#"
    cdef uint32_t address, length
    cdef u128 wide
    while True:
        if out > stop or p[0] != c'"':
            return NULL
        p += 1
        if addpath:
            p = take_path_id(p, out)
            if p == NULL:
                return NULL
            out += 4
        if bits == 32:
            p = take_ipv4(p, &address)
            if p == NULL:
                return NULL
            p = take_length(p, &length)
            if p == NULL or length > 32 or address & <uint32_t>(0xFFFFFFFFULL >> length):
                return NULL
            put32(out + 1, address)
        else:
            p = take_ipv6(p, &wide)
            if p == NULL:
                return NULL
            p = take_length(p, &length)
            if p == NULL or length > 128 or (length < 128 and wide << length != 0):
                return NULL
            put128(out + 1, wide)
        out[0] = <uint8_t>length
        out += 1 + ((length + 7) >> 3)
        p += 1
        if p[-1] == c",":
            continue
        if p[-1] == c"]":
            break
        return NULL
    if addpath:
        d.addpath |= <ctx_t>1 << (CTX_ADDPATH_SHIFT + index)
    else:
        d.plain |= <ctx_t>1 << (CTX_ADDPATH_SHIFT + index)
    at[0] = out
    return p


cdef const uint8_t* take_prefixes4(draft_t* d, const uint8_t* p, uint8_t** at, const uint8_t* stop, uint32_t index) noexcept nogil:
    return take_prefixes(d, p, at, stop, 32, index)


cdef const uint8_t* take_prefixes6(draft_t* d, const uint8_t* p, uint8_t** at, const uint8_t* stop, uint32_t index) noexcept nogil:
    return take_prefixes(d, p, at, stop, 128, index)


# ---- attribute values --------------------------------------------------------------------------------------------------
# Each from its first byte to behind its last; `at` is where it is written, and moves on.

cdef const uint8_t* take_numbers(
    draft_t* d, const uint8_t* p, uint8_t** at, const uint8_t* stop, bint as2, uint32_t most, uint32_t* count
) noexcept nogil:
    # AS numbers and the commas between them, `most` at most; stops behind the last digit.
    cdef uint8_t* out = at[0]
    cdef uint64_t asn
    cdef uint32_t n = 0
    while True:
        p = take_number(p, &asn)
        if p == NULL or asn > 0xFFFFFFFFULL or out > stop:
            return NULL
        if as2:
            if asn > 0xFFFF:
                d.wide = True
                return NULL
            put16(out, <uint16_t>asn)
            out += 2
        else:
            put32(out, <uint32_t>asn)
            out += 4
        n += 1
        if n == most or p[0] != c"," or p[1] ^ 0x30 > 9:
            break
        p += 1
    count[0] = n
    at[0] = out
    return p


cdef const uint8_t* take_as_path(
    draft_t* d, const uint8_t* p, uint8_t** at, const uint8_t* stop, bint as2, const uint8_t* cuts
) noexcept nogil:
    """AS_PATH (RFC 4271 section 4.3, RFC 5065 section 3). cuts: the numbers of "segments", or NULL: plain numbers in a row
    are one AS_SEQUENCE, or several of 255 and a last one."""
    cdef uint8_t* out
    cdef uint64_t most = 255
    cdef uint32_t n = 0
    if p[0] != c"[":
        return NULL
    p += 1
    if p[0] == c"]":
        return p + 1 if cuts == NULL else NULL
    while True:
        out = at[0]
        at[0] = out + 2
        if p[0] ^ 0x30 <= 9:
            if cuts != NULL:
                cuts = take_number(cuts, &most)
                if cuts == NULL or most == 0 or most > 255:
                    return NULL
                if cuts[0] == c",":
                    cuts += 1
            out[0] = 2
            p = take_numbers(d, p, at, stop, as2, <uint32_t>most, &n)
            if p == NULL or (cuts != NULL and n != most):
                return NULL
        elif p[0] == c"[":
            out[0] = 1
            p = take_numbers(d, p + 1, at, stop, as2, 255, &n)
            if p == NULL or p[0] != c"]":
                return NULL
            p += 1
        else:
            if literal(p, b'{"confed_seq":['):
                out[0] = 3
                p += 15
            elif literal(p, b'{"confed_set":['):
                out[0] = 4
                p += 15
            else:
                return NULL
            p = take_numbers(d, p, at, stop, as2, 255, &n)
            if p == NULL or p[0] != c"]" or p[1] != c"}":
                return NULL
            p += 2
        out[1] = <uint8_t>n
        p += 1
        if p[-1] == c",":
            continue
        if p[-1] == c"]":
            break
        return NULL
    if cuts != NULL and (cuts[0] != c"]" or cuts[-1] == c","):
        return NULL
    return p


cdef const uint8_t* take_communities(const uint8_t* p, uint8_t** at, const uint8_t* stop) noexcept nogil:
    # RFC 1997: "a:b"
    cdef uint8_t* out = at[0]
    cdef uint64_t a, b
    if p[0] != c"[":
        return NULL
    while True:
        p += 1
        if p[0] != c'"' or out > stop:
            return NULL
        p = take_number(p + 1, &a)
        if p == NULL or p[0] != c":":
            return NULL
        p = take_number(p + 1, &b)
        if p == NULL or p[0] != c'"' or a | b > 0xFFFF:
            return NULL
        put32(out, <uint32_t>(a << 16 | b))
        out += 4
        p += 1
        if p[0] != c",":
            break
    at[0] = out
    return p + 1 if p[0] == c"]" else NULL


cdef const uint8_t* take_large_communities(const uint8_t* p, uint8_t** at, const uint8_t* stop) noexcept nogil:
    # RFC 8092 section 3: "a:b:c"
    cdef uint8_t* out = at[0]
    cdef uint64_t a, b, c
    if p[0] != c"[":
        return NULL
    while True:
        p += 1
        if p[0] != c'"' or out > stop:
            return NULL
        p = take_number(p + 1, &a)
        if p == NULL or p[0] != c":":
            return NULL
        p = take_number(p + 1, &b)
        if p == NULL or p[0] != c":":
            return NULL
        p = take_number(p + 1, &c)
        if p == NULL or p[0] != c'"' or a | b | c > 0xFFFFFFFFULL:
            return NULL
        put32(out, <uint32_t>a)
        put32(out + 4, <uint32_t>b)
        put32(out + 8, <uint32_t>c)
        out += 12
        p += 1
        if p[0] != c",":
            break
    at[0] = out
    return p + 1 if p[0] == c"]" else NULL


cdef const uint8_t* take_ext_communities(const uint8_t* p, uint8_t** at, const uint8_t* stop) noexcept nogil:
    # RFC 4360, RFC 5668: {"type","value","nontransitive"}.
    cdef uint8_t* out = at[0]
    cdef uint64_t a, b, kind
    cdef uint32_t code, shape, address
    cdef bint named
    if p[0] != c"[":
        return NULL
    while True:
        p += 1
        if out > stop or not literal(p, b'{"type":"'):
            return NULL
        p += 9
        if p[0] == c"0":
            if p[1] != c"x":
                return NULL
            p = take_hex(p + 2, &kind)
            if p == NULL or kind > 0xFFFF or not literal(p, b'","value":"'):
                return NULL
            code = <uint32_t>kind
            named = False
            p += 11
        else:
            named = True
            p = take_name(&EXT_COMMUNITIES, p, &code)
            if p == NULL:
                return NULL
        if p[0] == c"0" and p[1] == c"x":
            p = take_hex(p + 2, &a)
            if p == NULL or a >> 48:
                return NULL
            put16(out + 2, <uint16_t>(a >> 32))
            put32(out + 4, <uint32_t>a)
        else:
            shape = EXT_SHAPES[code & ~0x4000]
            if shape == SHAPE_AS2 or shape == SHAPE_AS4:
                p = take_number(p, &a)
                if p == NULL or p[0] != c":":
                    return NULL
                p = take_number(p + 1, &b)
                if p == NULL:
                    return NULL
                if shape == SHAPE_AS2:
                    if a > 0xFFFF or b > 0xFFFFFFFFULL:
                        return NULL
                    put16(out + 2, <uint16_t>a)
                    put32(out + 4, <uint32_t>b)
                else:
                    if a > 0xFFFFFFFFULL or b > 0xFFFF:
                        return NULL
                    put32(out + 2, <uint32_t>a)
                    put16(out + 6, <uint16_t>b)
            elif shape == SHAPE_IP4:
                p = take_ipv4(p, &address)
                if p == NULL or p[0] != c":":
                    return NULL
                p = take_number(p + 1, &b)
                if p == NULL or b > 0xFFFF:
                    return NULL
                put32(out + 2, address)
                put16(out + 6, <uint16_t>b)
            elif named:
                p = take_form(p, code & ~0x4000, &a)
                if p == NULL:
                    return NULL
                put16(out + 2, <uint16_t>(a >> 32))
                put32(out + 4, <uint32_t>a)
            else:
                return NULL
        if p[0] != c'"':
            return NULL
        p += 1
        if p[0] == c",":
            if not literal(p, b',"nontransitive":true'):
                return NULL
            p += 21
            code |= 0x4000
        if p[0] != c"}":
            return NULL
        put16(out, <uint16_t>code)
        out += 8
        p += 1
        if p[0] != c",":
            break
    at[0] = out
    return p + 1 if p[0] == c"]" else NULL


cdef const uint8_t* take_cluster_list(const uint8_t* p, uint8_t** at, const uint8_t* stop) noexcept nogil:
    # RFC 4456 section 8
    cdef uint8_t* out = at[0]
    cdef uint32_t id
    if p[0] != c"[":
        return NULL
    while True:
        p += 1
        if p[0] != c'"' or out > stop:
            return NULL
        p = take_ipv4(p + 1, &id)
        if p == NULL or p[0] != c'"':
            return NULL
        put32(out, id)
        out += 4
        p += 1
        if p[0] != c",":
            break
    at[0] = out
    return p + 1 if p[0] == c"]" else NULL


cdef inline const uint8_t* take_address(const uint8_t* p, uint8_t** at) noexcept nogil:
    cdef uint32_t address
    if p[0] != c'"':
        return NULL
    p = take_ipv4(p + 1, &address)
    if p == NULL or p[0] != c'"':
        return NULL
    put32(at[0], address)
    at[0] += 4
    return p + 1


cdef const uint8_t* take_aggregator(draft_t* d, const uint8_t* p, uint8_t** at, bint as2) noexcept nogil:
    # RFC 4271 section 5.1.7, RFC 6793 section 3
    cdef uint64_t asn
    if not literal(p, b'{"asn":'):
        return NULL
    p = take_number(p + 7, &asn)
    if p == NULL or asn > 0xFFFFFFFFULL or p[0] != c",":
        return NULL
    p += 2 if p[1] == c" " else 1
    if not literal(p, b'"addr":'):
        return NULL
    if as2:
        if asn > 0xFFFF:
            d.wide = True
            return NULL
        put16(at[0], <uint16_t>asn)
        at[0] += 2
    else:
        put32(at[0], <uint32_t>asn)
        at[0] += 4
    p = take_address(p + 7, at)
    return p + 1 if p != NULL and p[0] == c"}" else NULL


cdef const uint8_t* take_bytes_text(const uint8_t* p, uint8_t** at, const uint8_t* stop, size_t most) noexcept nogil:
    # "0x..", or "" for no bytes
    cdef size_t size
    if p[0] != c'"':
        return NULL
    if p[1] == c'"':
        return p + 2
    if p[1] != c"0" or p[2] != c"x" or at[0] > stop:
        return NULL
    if most > <size_t>(stop - at[0]):
        most = stop - at[0]
    p = take_octets(p + 3, at[0], most, &size)
    if p == NULL or p[0] != c'"':
        return NULL
    at[0] += size
    return p + 1


cdef const uint8_t* take_mp(draft_t* d, const uint8_t* p, uint8_t** at, const uint8_t* stop, bint reach) noexcept nogil:
    # RFC 4760 sections 3 and 4, RFC 2545 section 3, RFC 8950 section 4
    cdef uint8_t* out = at[0]
    cdef uint8_t* size = out + 3
    cdef const uint8_t* q
    cdef uint32_t afi, safi, address
    cdef u128 wide
    if not literal(p, b'{"af":"'):
        return NULL
    p += 7
    if literal(p, b'IPV6/UNICAST",'):
        afi = 2
        safi = 1
        p += 14
    elif literal(p, b'IPV4/UNICAST",'):
        afi = 1
        safi = 1
        p += 14
    else:
        p = take_label(AFIS, p, c"/", &afi)
        if p == NULL:
            return NULL
        p = take_label(SAFIS, p, c'"', &safi)
        if p == NULL or p[0] != c",":
            return NULL
        p += 1
    put16(out, <uint16_t>afi)
    out[2] = <uint8_t>safi
    if reach and literal(p, b'"nexthop":"'):
        if afi > 2 or safi > 2:
            return NULL
        out += 4
        p += 11
        q = take_ipv4(p, &address) if afi == 1 else NULL
        if q != NULL:
            p = q
            put32(out, address)
            out += 4
        else:
            p = take_ipv6(p, &wide)
            if p == NULL:
                return NULL
            put128(out, wide)
            out += 16
            if literal(p, b'","link-local":"'):
                p = take_ipv6(p + 16, &wide)
                if p == NULL:
                    return NULL
                put128(out, wide)
                out += 16
        size[0] = <uint8_t>(out - size - 1)
        out[0] = 0
        out += 1
        if not literal(p, b'","prefixes":['):
            return NULL
        p += 14
    elif literal(p, b'"prefixes":['):
        if afi > 2 or safi > 2:
            return NULL
        out += 3
        if reach:
            put16(out, 0)
            out += 2
        p += 12
    else:
        out += 3
        if reach:
            if not literal(p, b'"nh":'):
                return NULL
            out += 1
            p = take_bytes_text(p + 5, &out, stop, 255)
            if p == NULL or p[0] != c",":
                return NULL
            p += 1
            size[0] = <uint8_t>(out - size - 1)
            out[0] = 0
            out += 1
        if not literal(p, b'"data":'):
            return NULL
        p = take_bytes_text(p + 7, &out, stop, MAX_MESSAGE)
        if p == NULL or p[0] != c"}":
            return NULL
        at[0] = out
        return p + 1
    if p[0] == c"]":
        p += 1
    elif afi == 1:
        p = take_prefixes4(d, p, &out, stop, FAMILY_IPV4_UNICAST if safi == 1 else FAMILY_IPV4_MULTICAST)
    else:
        p = take_prefixes6(d, p, &out, stop, FAMILY_IPV6_UNICAST if safi == 1 else FAMILY_IPV6_MULTICAST)
    if p == NULL or p[0] != c"}":
        return NULL
    at[0] = out
    return p + 1


cdef inline const uint8_t* take_value(
    draft_t* d, const uint8_t* p, uint8_t** at, const uint8_t* stop, uint32_t code, bint as2
) noexcept nogil:
    cdef uint64_t number
    cdef uint8_t* start
    cdef const uint8_t* q
    if p[0] == c'"' and p[1] == c"0" and p[2] == c"x":
        return take_bytes_text(p, at, stop, MAX_MESSAGE)
    if literal(p, b"true"):
        return p + 4
    if code == 1:  # ORIGIN
        if literal(p, b'"IGP"'):
            at[0][0] = 0
            p += 5
        elif literal(p, b'"EGP"'):
            at[0][0] = 1
            p += 5
        elif literal(p, b'"INCOMPLETE"'):
            at[0][0] = 2
            p += 12
        else:
            return NULL
        at[0] += 1
        return p
    if code == 2 or code == 17:  # AS_PATH, AS4_PATH
        as2 = as2 and code == 2
        q = p
        start = at[0]
        p = take_as_path(d, p, at, stop, as2, NULL)
        if p != NULL and p[0] == c"," and literal(p, b',"segments":['):
            at[0] = start
            q = take_as_path(d, q, at, stop, as2, p + 13)
            if q != p:
                return NULL
            p += 13
            while p[0] != c"]":
                p += 1
            p += 1
        return p
    if code == 3 or code == 9:  # NEXT_HOP, ORIGINATOR_ID
        return take_address(p, at)
    if code == 4 or code == 5 or code == 35:  # MULTI_EXIT_DISC, LOCAL_PREF, OTC
        p = take_number(p, &number)
        if p == NULL or number > 0xFFFFFFFFULL:
            return NULL
        put32(at[0], <uint32_t>number)
        at[0] += 4
        return p
    if code == 8:
        return take_communities(p, at, stop)
    if code == 14:
        return take_mp(d, p, at, stop, True)
    if code == 15:
        return take_mp(d, p, at, stop, False)
    if code == 7 or code == 18:
        return take_aggregator(d, p, at, as2 and code == 7)
    if code == 16:
        return take_ext_communities(p, at, stop)
    if code == 32:
        return take_large_communities(p, at, stop)
    if code == 10:
        return take_cluster_list(p, at, stop)
    return NULL


# ---- the whole of it ---------------------------------------------------------------------------------------------------

cdef const uint8_t* take_flags(const uint8_t* p, uint32_t* out) noexcept nogil:
    # Letters in this order, the low four bits as a number behind them.
    cdef uint32_t flags, hit
    cdef uint64_t number
    hit = p[0] == c"O"
    flags = hit << 7
    p += hit
    hit = p[0] == c"T"
    flags |= hit << 6
    p += hit
    hit = p[0] == c"P"
    flags |= hit << 5
    p += hit
    hit = p[0] == c"X"
    flags |= hit << 4
    p += hit
    if p[0] != c'"':
        p = take_number(p, &number)
        if p == NULL or number == 0 or number > 15:
            return NULL
        flags |= <uint32_t>number
    out[0] = flags
    return p


cdef const uint8_t* take_attributes(draft_t* d, const uint8_t* p, uint8_t** at, bint as2) noexcept nogil:
    """The attributes from behind the opening brace to behind the closing one."""
    cdef uint8_t* out = at[0]
    cdef uint8_t* value
    cdef uint8_t* end
    cdef const uint8_t* stop = d.wire + MAX_MESSAGE
    cdef const uint8_t* q
    cdef uint64_t seen_high[4]
    cdef uint64_t seen = 0                 # codes below 64
    cdef uint64_t number
    cdef uint32_t code = 0, flags, hit
    cdef size_t size
    memset(seen_high, 0, sizeof(seen_high))
    while True:
        if out > stop or p[0] != c'"':
            return NULL
        if literal(p, b'"ORIGIN":{"flags":"T","value":"IGP"},') and seen == 0:
            put32(out, 0x40010100)
            out += 4
            p += 37
            seen = 2
            continue
        p += 1
        q = take_name(&ATTRIBUTES, p, &code)
        if q == NULL:
            if not literal(p, b"ATTR_"):
                return NULL
            q = take_number(p + 5, &number)
            if q == NULL or number > 255 or not literal(q, b'":{"flags":"'):
                return NULL
            code = <uint32_t>number
            q += 12
        p = q
        if code < 64:
            number = <uint64_t>1 << code
            if seen & number:
                return NULL
            seen |= number
        else:
            if (seen_high[code >> 6] >> (code & 63)) & 1:
                return NULL
            seen_high[code >> 6] |= <uint64_t>1 << (code & 63)
        hit = 0
        if literal(p, b'T","value":'):
            flags = 0x40
            p += 11
        elif literal(p, b'OT","value":'):
            flags = 0xC0
            p += 12
        elif literal(p, b'O","value":'):
            flags = 0x80
            p += 11
        else:
            p = take_flags(p, &flags)
            if p == NULL or not literal(p, b'","value":'):
                return NULL
            p += 10
            hit = (flags >> 4) & 1
        value = out + 3 + hit
        end = value
        p = take_value(d, p, &end, stop, code, as2)
        if p == NULL or p[0] != c"}":
            return NULL
        p += 1
        size = end - value
        if size > MAX_MESSAGE:
            return NULL
        if size > 255 and not hit:
            memmove(value + 1, value, size)
            flags |= 0x10
            end += 1
        out[0] = <uint8_t>flags
        out[1] = <uint8_t>code
        if flags & 0x10:
            put16(out + 2, <uint16_t>size)
        else:
            out[2] = <uint8_t>size
        out = end
        p += 1
        if p[-1] == c",":
            continue
        if p[-1] == c"}":
            break
        return NULL
    at[0] = out
    return p


cdef const uint8_t* take_update(draft_t* d, const uint8_t* p, bint as2, bint* said_as2) noexcept nogil:
    """The body of an UPDATE from behind the opening brace to behind the closing one."""
    cdef const uint8_t* stop = d.wire + MAX_MESSAGE
    cdef uint8_t* out = d.reach
    cdef uint8_t* start
    d.addpath = 0
    d.plain = 0
    d.wide = False
    said_as2[0] = False
    if literal(p, b'"reach":['):
        p = take_prefixes4(d, p + 9, &out, d.reach + MAX_MESSAGE, FAMILY_IPV4_UNICAST)
        if p == NULL:
            return NULL
        if p[0] == c",":
            p += 1
        elif p[0] != c"}":
            return NULL
    d.reach_len = <uint32_t>(out - d.reach)
    out = d.wire + HEADER_LEN + 2
    if literal(p, b'"unreach":['):
        p = take_prefixes4(d, p + 11, &out, stop, FAMILY_IPV4_UNICAST)
        if p == NULL:
            return NULL
        if p[0] == c",":
            p += 1
        elif p[0] != c"}":
            return NULL
    put16(d.wire + HEADER_LEN, <uint16_t>(out - d.wire - HEADER_LEN - 2))
    start = out + 2
    if literal(p, b'"attrs":{'):
        if start > stop:
            return NULL
        out = start
        p = take_attributes(d, p + 9, &out, as2)
        if p == NULL:
            return NULL
        if p[0] == c",":
            p += 1
        elif p[0] != c"}":
            return NULL
    else:
        out = start
    put16(start - 2, <uint16_t>(out - start))
    if literal(p, b'"as_size":2'):
        said_as2[0] = True
        p += 11
    if p[0] != c"}" or p[-1] == c",":
        return NULL
    d.wire_len = <uint32_t>(out - d.wire)
    if d.wire_len + d.reach_len > MAX_MESSAGE or d.addpath & d.plain:
        return NULL
    d.ctx = d.addpath | (CTX_AS2 if said_as2[0] else 0)
    return p + 1


cdef const uint8_t* take_typed_update(draft_t* d, const uint8_t* p) noexcept nogil:
    # What the AS size is, the text says last. The guess is right but where the peers of a mixed feed take turns.
    cdef bint said
    cdef const uint8_t* q = take_update(d, p, d.as2, &said)
    if q == NULL:
        if not d.wide:
            return NULL
    elif said == d.as2:
        return q
    d.as2 = not d.as2
    q = take_update(d, p, d.as2, &said)
    return q if said == d.as2 else NULL
