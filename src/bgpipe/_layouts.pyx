# cython: language_level=3
"""Octets by the layouts of bgp/layouts.py: whether they fit, and their JSON (docs/json.md). The other way is bgp/encoding.py.

Two passes: `fit` tells whether, and what is wrong if not; `put` then writes what fits without looking again. Both read bits from a
cursor that ends where its value ends.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from bgpipe._check cimport BAD_LENGTH, BAD_PARTS, BAD_VALUE, FINE
from bgpipe._json_text cimport (
    kept, kept_names, lit, name_of, names_t, put_address, put_escaped, put_family, put_hex, put_mac, put_number, put_number64,
    put_text,
)

from _thread import allocate_lock

cdef enum:                          # kinds of nodes, as bgp/layouts.py has them
    NUMBER = 0
    NAME = 1
    FLAGS = 2
    CONSTANT = 3
    WORD = 4
    LABEL = 5
    IPV4 = 6
    IPV6 = 7
    ADDRESS = 8
    MAC = 9
    FAMILY = 10
    OCTETS = 11
    TEXT = 12
    RECORD = 13
    OPTIONAL = 14
    EACH = 15
    COUNTED = 16
    SIZED = 17
    TLVS = 18
    EITHER = 19

cdef enum:
    MOST_NODES = 512
    MOST_TYPES = 64                 # of TLVs, with a layout each


cdef struct node_t:
    uint8_t kind
    uint8_t bits
    uint8_t length                  # bits of the lengths of TLVs; 0: 8, and 16 from type 128 on
    bint whole                      # lengths count what stands in front of the value, too
    bint keyed                      # a record that is an object
    uint64_t value                  # of a constant and a word
    const char* key                 # '"flags":' in front of the field of a record
    const char* word
    const char* letters             # of flags, from the highest bit on; a space for a bit without one
    names_t names                   # of a NAME's numbers, of the types of TLVs
    const node_t* others            # layout of TLVs whose type is not among the nodes'
    uint32_t count
    uint32_t* types                 # of the nodes of TLVs
    const node_t** nodes


cdef struct bits_t:                 # a cursor; the octets in front of it are the attribute's header
    const uint8_t* p
    const uint8_t* end
    uint32_t bit                    # bits of p[0] that were taken


# ---- tables, filled once ------------------------------------------------------------------------------------------------

cdef node_t NODES[MOST_NODES]
cdef uint32_t NODE_COUNT
cdef const node_t* BY_CODE[256]
cdef bint FILLED = False
cdef object LOCK = allocate_lock()
cdef list KEEP = []                 # owns arrays that nodes point to


cdef void* room(size_t size) except NULL:
    made = bytearray(size or 1)
    KEEP.append(made)
    return <void*><char*>made


cdef const node_t* compiled(layout, key, dict known) except NULL:
    # The node of a layout that stands under `key`, or under none; the same for the same.
    global NODE_COUNT
    cdef node_t* node
    cdef uint32_t i
    if (id(layout), key) in known:
        return &NODES[<uint32_t>known[id(layout), key]]
    if NODE_COUNT == MOST_NODES:
        raise ImportError("attributes.py has outgrown the tables of _layouts.pyx")
    known[id(layout), key] = NODE_COUNT
    node = &NODES[NODE_COUNT]
    NODE_COUNT += 1
    node.kind = layout.kind
    node.bits = layout.bits
    node.length = layout.length
    node.whole = layout.whole
    if key is not None:
        node.key = kept(f'"{key}":')
    nodes = layout.nodes
    keys = [None] * len(nodes)
    if layout.kind == NAME:
        node.names = kept_names(layout.more)
    elif layout.kind == FLAGS:
        letters = {bit: letter for letter, bit in layout.more.items()}
        node.letters = kept("".join([letters.get(1 << (layout.bits - 1 - i), " ") for i in range(layout.bits)]))
    elif layout.kind == CONSTANT:
        node.value = layout.more
    elif layout.kind == WORD:
        node.value = layout.more[0]
        node.word = kept(layout.more[1])
    elif layout.kind == RECORD and layout.more is not None:
        node.keyed = True
        keys = layout.more
    elif layout.kind == TLVS:
        names, layouts, others = layout.more
        node.names = kept_names(names)
        if others is not None:
            node.others = compiled(others, None, known)
        nodes = layouts.values()
        keys = [None] * len(nodes)
        node.types = <uint32_t*>room(len(nodes) * sizeof(uint32_t))
        for i, code in enumerate(layouts):
            node.types[i] = code
    node.count = len(nodes)
    node.nodes = <const node_t**>room(len(nodes) * sizeof(node_t*))
    for i, (inner, inner_key) in enumerate(zip(nodes, keys)):
        node.nodes[i] = compiled(inner, inner_key, known)
    return node


cdef int fill_tables() except -1:
    # When the first attribute comes that may have a layout: few archives have any, and it takes 4 ms.
    global FILLED
    from bgpipe.bgp.attributes import LAYOUTS

    with LOCK:
        if FILLED:
            return 0
        known = {}
        for code, layout in LAYOUTS.items():
            BY_CODE[<uint8_t>code] = compiled(layout, None, known)
        FILLED = True
    return 0


cdef const node_t* layout_of(uint8_t code) noexcept nogil:
    # NULL: none.
    if not FILLED:
        with gil:
            fill_tables()
    return BY_CODE[code]


# ---- reading --------------------------------------------------------------------------------------------------------------

cdef inline size_t octets_left(const bits_t* c) noexcept nogil:
    # What the fields behind this one share; none of them begins within an octet.
    return <size_t>(c.end - c.p)


cdef bint take(bits_t* c, uint32_t bits, uint64_t* out) noexcept nogil:
    cdef uint64_t v = 0
    cdef uint32_t some
    if 8 * octets_left(c) < c.bit + bits:
        return False
    while bits:
        some = min(bits, 8 - c.bit)
        v = v << some | ((c.p[0] >> (8 - c.bit - some)) & ((1 << some) - 1))
        bits -= some
        c.bit += some
        if c.bit == 8:
            c.bit = 0
            c.p += 1
    out[0] = v
    return True


cdef inline bint skip(bits_t* c, size_t octets) noexcept nogil:
    if octets_left(c) < octets:
        return False
    c.p += octets
    return True


cdef bint take_length(bits_t* c, const node_t* node, uint32_t bits, uint32_t front, bits_t* inner) noexcept nogil:
    # A length of so many bits, and what it tells: `inner`, behind which `c` then is. front: octets in front that are counted.
    cdef uint64_t size
    if not take(c, bits, &size) or (node.whole and size < front):
        return False
    if node.whole:
        size -= front
    inner.p = c.p
    inner.bit = 0
    if not skip(c, size):
        return False
    inner.end = c.p
    return True


cdef bint take_tlv(bits_t* c, const node_t* node, uint32_t* kind, bits_t* value) noexcept nogil:
    cdef uint64_t v
    cdef uint32_t length
    if not take(c, node.bits, &v):
        return False
    kind[0] = <uint32_t>v
    length = node.length if node.length else 8 if v < 128 else 16
    return take_length(c, node, length, (node.bits + length) >> 3, value)


cdef const node_t* value_of(const node_t* node, uint32_t kind) noexcept nogil:
    # The layout of the values of TLVs of a type; NULL: hex.
    cdef uint32_t i
    for i in range(node.count):
        if node.types[i] == kind:
            return node.nodes[i]
    return node.others


# ---- whether they fit ---------------------------------------------------------------------------------------------------------

cdef uint8_t fit(const node_t* node, bits_t* c, bint strict) noexcept nogil:
    # What is wrong with the octets in front of `c`, which then is behind those of the node.
    cdef uint8_t problem = FINE
    cdef uint64_t v = 0
    cdef uint32_t i, kind = 0
    cdef bits_t inner
    cdef const node_t* value
    if node.kind == RECORD:
        for i in range(node.count):
            problem = fit(node.nodes[i], c, strict)
            if problem:
                return problem
        return FINE
    if node.kind == OPTIONAL:
        return fit(node.nodes[0], c, strict) if octets_left(c) else FINE
    if node.kind == EACH:
        while octets_left(c):
            problem = fit(node.nodes[0], c, strict)
            if problem:
                return problem
        return FINE
    if node.kind == COUNTED:
        if not take(c, node.bits, &v):
            return BAD_LENGTH
        while v:
            problem = fit(node.nodes[0], c, strict)
            if problem:
                return problem
            v -= 1
        return FINE
    if node.kind == SIZED:
        if not take_length(c, node, node.bits, node.bits >> 3, &inner):
            return BAD_PARTS
        return fit_whole(node.nodes[0], &inner, strict)
    if node.kind == TLVS:
        while octets_left(c):
            if not take_tlv(c, node, &kind, &inner):
                return BAD_PARTS
            value = value_of(node, kind) if strict else NULL
            if value != NULL:
                problem = fit_whole(value, &inner, True)
                if problem:
                    return problem
        return FINE
    if node.kind == EITHER:
        for i in range(node.count):
            inner = c[0]
            problem = fit_whole(node.nodes[i], &inner, strict)
            if problem == FINE:
                c[0] = inner
                return FINE
        return problem
    if node.kind == ADDRESS:
        return FINE if (octets_left(c) == 4 or octets_left(c) == 16) and skip(c, octets_left(c)) else BAD_LENGTH
    if node.kind == TEXT or node.kind == OCTETS and node.bits == 0:
        skip(c, octets_left(c))
        return FINE
    i = width(node)
    if i > 64:
        return FINE if skip(c, i >> 3) else BAD_LENGTH
    if not take(c, i, &v):
        return BAD_LENGTH
    return BAD_VALUE if (node.kind == CONSTANT or node.kind == WORD) and v != node.value else FINE


cdef uint8_t fit_whole(const node_t* node, bits_t* c, bint strict) noexcept nogil:
    cdef uint8_t problem = fit(node, c, strict)
    return problem if problem or c.p == c.end else BAD_LENGTH


cdef inline uint32_t width(const node_t* node) noexcept nogil:
    # Bits of a node that always has as many
    return 32 if node.kind == IPV4 else 128 if node.kind == IPV6 else 48 if node.kind == MAC else 24 if node.kind == FAMILY else node.bits


# ---- JSON -----------------------------------------------------------------------------------------------------------------------

cdef inline uint8_t* put_quoted(uint8_t* out, const char* text) noexcept nogil:
    out[0] = 0x22
    out = put_text(out + 1, text)
    out[0] = 0x22
    return out + 1


cdef uint8_t* put_named(uint8_t* out, const names_t* names, uint64_t v) noexcept nogil:
    cdef const char* name = name_of(names, <uint32_t>v)
    return put_quoted(out, name) if name != NULL else put_number64(out, v)


cdef uint8_t* put_flags(uint8_t* out, const node_t* node, uint64_t v) noexcept nogil:
    cdef uint64_t others = 0
    cdef uint32_t i
    out[0] = 0x22
    out += 1
    for i in range(node.bits):
        if (v >> (node.bits - 1 - i)) & 1:
            if node.letters[i] == 0x20:
                others |= <uint64_t>1 << (node.bits - 1 - i)
            else:
                out[0] = node.letters[i]
                out += 1
    if others:
        out = put_number64(out, others)
    out[0] = 0x22
    return out + 1


cdef uint8_t* put_characters(uint8_t* out, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef uint8_t* end = NULL
    out[0] = 0x22
    if n < 2 or p[0] != 0x30 or p[1] | 0x20 != 0x78:    # "0x" is where hex begins
        end = put_escaped(out + 1, p, n)
    if end == NULL:
        return put_hex(out, p, n)
    end[0] = 0x22
    return end + 1


cdef uint8_t* put_tlvs(uint8_t* out, const node_t* node, bits_t* c) noexcept nogil:
    cdef const node_t* layout
    cdef bits_t value, rest
    cdef uint32_t kind = 0, size
    while octets_left(c):
        take_tlv(c, node, &kind, &value)
        out = lit(put_named(lit(out, b'{"type":', 8), &node.names, kind), b',"value":', 9)
        layout = value_of(node, kind)
        rest = value
        size = <uint32_t>octets_left(&value)
        if layout != NULL and fit_whole(layout, &rest, False) == FINE:
            out = put(out, layout, &value)
        elif size == 0:
            out = lit(out, b"true", 4)
        else:
            out = put_hex(out, value.p, size)
        out = lit(out, b"},", 2)
    return out


cdef uint8_t* put_record(uint8_t* out, const node_t* node, bits_t* c) noexcept nogil:
    cdef const node_t* field
    cdef uint64_t v = 0
    cdef uint32_t i
    for i in range(node.count):
        field = node.nodes[i]
        if field.kind == CONSTANT:
            take(c, field.bits, &v)
        elif not node.keyed:
            out = put(out, field, c)
        elif field.kind != OPTIONAL or octets_left(c):
            out = put(put_text(out, field.key), field, c)
            out[0] = 0x2C
            out += 1
    return out


cdef uint8_t* put_list(uint8_t* out, const node_t* node, bits_t* c, uint8_t opening) noexcept nogil:
    # What stands between brackets or braces, a comma behind each.
    cdef uint8_t* start = out
    cdef uint64_t v = 0
    out[0] = opening
    out += 1
    if node.kind == RECORD:
        out = put_record(out, node, c)
    elif node.kind == TLVS:
        out = put_tlvs(out, node, c)
    elif node.kind == EACH:
        while octets_left(c):
            out = put(out, node.nodes[0], c)
            out[0] = 0x2C
            out += 1
    else:
        take(c, node.bits, &v)
        while v:
            out = put(out, node.nodes[0], c)
            out[0] = 0x2C
            out += 1
            v -= 1
    if out > start + 1:
        out -= 1
    out[0] = opening + 2
    return out + 1


cdef uint8_t* put(uint8_t* out, const node_t* node, bits_t* c) noexcept nogil:
    # What fits.
    cdef uint64_t v = 0
    cdef uint32_t i, size
    cdef bits_t inner
    if node.kind == RECORD:
        return put_list(out, node, c, 0x7B) if node.keyed else put_record(out, node, c)
    if node.kind == TLVS or node.kind == EACH or node.kind == COUNTED:
        return put_list(out, node, c, 0x5B)
    if node.kind == OPTIONAL:
        return put(out, node.nodes[0], c)
    if node.kind == SIZED:
        take_length(c, node, node.bits, node.bits >> 3, &inner)
        return put(out, node.nodes[0], &inner)
    if node.kind == EITHER:
        for i in range(node.count):
            inner = c[0]
            if fit_whole(node.nodes[i], &inner, False) == FINE:
                return put(out, node.nodes[i], c)
        return out
    if node.kind == TEXT:
        size = <uint32_t>octets_left(c)
        skip(c, size)
        return put_characters(out, c.p - size, size)
    if node.kind == OCTETS:
        size = node.bits >> 3 if node.bits else <uint32_t>octets_left(c)
        skip(c, size)
        return put_hex(out, c.p - size, size)
    if node.kind == IPV4 or node.kind == IPV6 or node.kind == ADDRESS:
        size = 4 if node.kind == IPV4 else 16 if node.kind == IPV6 else <uint32_t>octets_left(c)
        skip(c, size)
        out[0] = 0x22
        out = put_address(out + 1, c.p - size, size)
        out[0] = 0x22
        return out + 1
    take(c, width(node), &v)
    if node.kind == NUMBER:
        return put_number64(out, v)
    if node.kind == NAME:
        return put_named(out, &node.names, v)
    if node.kind == FLAGS:
        return put_flags(out, node, v)
    if node.kind == WORD:
        return put_quoted(out, node.word)
    if node.kind == LABEL:
        return put_number(lit(put_number(out, <uint32_t>(v >> 4)), b',"vni":', 7), <uint32_t>v)
    out[0] = 0x22
    out = put_mac(out + 1, v) if node.kind == MAC else put_family(out + 1, <uint32_t>(v >> 8), <uint8_t>v)
    out[0] = 0x22
    return out + 1


# ---- attributes -----------------------------------------------------------------------------------------------------------------

cdef inline bits_t cursor(const uint8_t* p, uint32_t n) noexcept nogil:
    cdef bits_t c
    c.p = p
    c.end = p + n
    c.bit = 0
    return c


cdef uint8_t layout_problem(uint8_t code, const uint8_t* p, uint32_t n, bint strict) noexcept nogil:
    cdef bits_t c = cursor(p, n)
    cdef const node_t* layout = layout_of(code)
    return fit_whole(layout, &c, strict) if layout != NULL else FINE


cdef uint8_t* put_layout(uint8_t* out, uint8_t code, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef bits_t c = cursor(p, n)
    cdef const node_t* layout
    if n == 0:
        return NULL
    layout = layout_of(code)
    if layout == NULL or layout_problem(code, p, n, False) != FINE:
        return NULL
    return put(out, layout, &c)


def attribute_problem(code, bytes value not None, strict=True):
    """Number of what is wrong with the value of an attribute that has a layout (the problems of _check.pxd); 0 if nothing is."""
    return layout_problem(code, <const uint8_t*><const char*>value, <uint32_t>len(value), strict)
