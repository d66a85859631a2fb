# cython: language_level=3
"""Values of extended communities <-> text, by the forms of bgp/communities.py. Those of route targets, which are nearly all that there
are, have code of their own (_json.pyx, _json_update.pyx)."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport strlen, strncmp
from bgpipe._json_text cimport kept, kept_names, name_of, names_t, put_hex_number, put_ipv4, put_mac, put_number, put_text, put_number64
from bgpipe._scan cimport take_ipv4, take_number

from bgpipe.bgp import communities

cdef extern from *:
    int clz64 "__builtin_clzll"(uint64_t v) noexcept nogil

cdef enum:                          # kinds of parts, as bgp/communities.py has them
    NUMBER = 0
    ZERO = 1
    ADDRESS = 2
    MAC = 3
    NAME = 4
    WORD = 5
    RATE = 6

cdef enum:
    MOST_PARTS = 4
    MOST_FORMS = 2
    MOST_TYPES = 32


cdef struct part_t:
    uint8_t kind
    uint8_t bits
    uint32_t value                  # of a word
    const char* word
    names_t names


cdef struct form_t:
    uint32_t count
    part_t parts[MOST_PARTS]


cdef struct type_t:
    uint32_t kind
    uint32_t count
    form_t forms[MOST_FORMS]


cdef type_t TYPES[MOST_TYPES]
cdef uint32_t TYPE_COUNT


cdef int fill_tables() except -1:
    global TYPE_COUNT
    cdef part_t* to
    for code in communities.FORMS:
        if communities.shape_of(code) != 4:
            continue
        forms = communities.forms_of(code)
        if TYPE_COUNT == MOST_TYPES or len(forms) > MOST_FORMS or max([len(form) for form in forms]) > MOST_PARTS:
            raise ImportError("communities.py has outgrown the tables of _communities.pyx")
        TYPES[TYPE_COUNT].kind = code
        TYPES[TYPE_COUNT].count = len(forms)
        for i, form in enumerate(forms):
            TYPES[TYPE_COUNT].forms[<uint8_t>i].count = len(form)
            for j, (kind, bits, more) in enumerate(form):
                to = &TYPES[TYPE_COUNT].forms[<uint8_t>i].parts[<uint8_t>j]
                to.kind = kind
                to.bits = bits
                if kind == NAME:
                    to.names = kept_names(more)
                elif kind == WORD:
                    to.value = more[0]
                    to.word = kept(more[1])
        TYPE_COUNT += 1
    return 0


fill_tables()


cdef const type_t* find(uint32_t kind) noexcept nogil:
    cdef uint32_t i
    for i in range(TYPE_COUNT):
        if TYPES[i].kind == kind:
            return &TYPES[i]
    return NULL


# ---- rates ------------------------------------------------------------------------------------------------------------

cdef bint whole_rate(uint32_t bits, uint64_t* out) noexcept nogil:
    # Whether an IEEE float of 32 bits is a whole number below 2^64: that has a text of its own.
    cdef int exponent = <int>(bits >> 23) - 150         # of its lowest bit; a sign makes it too large
    cdef uint64_t mantissa = bits & 0x7FFFFF | 0x800000
    if bits == 0:
        out[0] = 0
    elif exponent < -23 or exponent > 40:
        return False
    elif exponent >= 0:
        out[0] = mantissa << exponent
    else:
        out[0] = mantissa >> -exponent
        return out[0] << -exponent == mantissa
    return True


cdef bint rate_bits(uint64_t rate, uint64_t* out) noexcept nogil:
    # The float that is this very number; False if there is none.
    cdef int exponent
    cdef uint64_t mantissa
    if rate == 0:
        out[0] = 0
        return True
    exponent = 40 - clz64(rate)
    mantissa = rate >> exponent if exponent >= 0 else rate << -exponent
    if exponent > 0 and mantissa << exponent != rate:
        return False
    out[0] = <uint64_t>(exponent + 150) << 23 | (mantissa & 0x7FFFFF)
    return True


# ---- to text ------------------------------------------------------------------------------------------------------------

cdef uint8_t* put_parts(uint8_t* out, const form_t* form, uint64_t six) noexcept nogil:
    # NULL if they do not fit this form.
    cdef uint32_t left = 48
    cdef uint32_t i
    cdef uint64_t v
    cdef const part_t* part
    cdef const char* name
    for i in range(form.count):
        part = &form.parts[i]
        left -= part.bits
        v = (six >> left) & ((<uint64_t>1 << part.bits) - 1)
        if part.kind == ZERO:
            if v:
                return NULL
            continue
        if part.kind == NUMBER:
            out = put_number(out, <uint32_t>v)
        elif part.kind == ADDRESS:
            out = put_ipv4(out, <uint32_t>v)
        elif part.kind == MAC:
            out = put_mac(out, v)
        elif part.kind == NAME:
            name = name_of(&part.names, <uint32_t>v)
            out = put_text(out, name) if name != NULL else put_number(out, <uint32_t>v)
        elif part.kind == WORD:
            if v != part.value:
                return NULL
            out = put_text(out, part.word)
        elif whole_rate(<uint32_t>v, &v):
            out = put_number64(out, v)
        else:
            return NULL
        out[0] = 0x3A
        out += 1
    return out - 1


cdef uint8_t* put_form(uint8_t* out, uint32_t kind, uint64_t six) noexcept nogil:
    cdef const type_t* found = find(kind)
    cdef uint8_t* end
    cdef uint32_t i
    for i in range(found.count if found != NULL else 0):
        end = put_parts(out, &found.forms[i], six)
        if end != NULL:
            return end
    return put_hex_number(out, six)


# ---- from text ------------------------------------------------------------------------------------------------------------

cdef const uint8_t* take_word(const uint8_t* p, const char* word) noexcept nogil:
    cdef size_t n = strlen(word)
    return p + n if strncmp(<const char*>p, word, n) == 0 else NULL


cdef inline const uint8_t* take_digits(const uint8_t* p, uint64_t* out) noexcept nogil:
    # Two hex digits, in lower case
    cdef uint32_t i, c
    for i in range(2):
        c = p[i]
        if 0x30 <= c <= 0x39:
            c -= 0x30
        elif 0x61 <= c <= 0x66:
            c -= 0x57
        else:
            return NULL
        out[0] = out[0] << 4 | c
    return p + 2


cdef const uint8_t* take_mac(const uint8_t* p, uint64_t* out) noexcept nogil:
    cdef uint64_t octet
    cdef const uint8_t* end
    cdef uint32_t i
    out[0] = 0
    for i in range(6):
        octet = 0
        end = take_digits(p, &octet)
        if end == NULL or (i < 5 and end[0] != 0x3A):
            return NULL
        out[0] = out[0] << 8 | octet
        p = end + 1
    return p - 1


cdef const uint8_t* take_named(const uint8_t* p, const names_t* names, uint64_t* out) noexcept nogil:
    # A name that a quote or colon follows, or the number of none.
    cdef const uint8_t* end
    cdef uint32_t i
    for i in range(names.count):
        end = take_word(p, names.names[i].name)
        if end != NULL and (end[0] == 0x22 or end[0] == 0x3A):
            out[0] = names.names[i].number
            return end
    return take_number(p, out)


cdef const uint8_t* take_parts(const uint8_t* p, const form_t* form, uint64_t* six) noexcept nogil:
    cdef uint64_t v
    cdef uint32_t i, address
    cdef bint first = True
    cdef const part_t* part
    six[0] = 0
    for i in range(form.count):
        part = &form.parts[i]
        v = 0
        if part.kind != ZERO:
            if not first:
                if p[0] != 0x3A:
                    return NULL
                p += 1
            first = False
        if part.kind == NUMBER:
            p = take_number(p, &v)
        elif part.kind == ADDRESS:
            address = 0
            p = take_ipv4(p, &address)
            v = address
        elif part.kind == MAC:
            p = take_mac(p, &v)
        elif part.kind == NAME:
            p = take_named(p, &part.names, &v)
        elif part.kind == WORD:
            p = take_word(p, part.word)
            v = part.value
        elif part.kind == RATE:
            p = take_number(p, &v)
            if p != NULL and not rate_bits(v, &v):
                return NULL
        if p == NULL or v >> part.bits:
            return NULL
        six[0] = six[0] << part.bits | v
    return p if p[0] == 0x22 else NULL


cdef const uint8_t* take_form(const uint8_t* p, uint32_t kind, uint64_t* six) noexcept nogil:
    cdef const type_t* found = find(kind)
    cdef const uint8_t* end
    cdef uint32_t i
    for i in range(found.count if found != NULL else 0):
        end = take_parts(p, &found.forms[i], six)
        if end != NULL:
            return end
    return NULL
