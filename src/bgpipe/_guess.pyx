# cython: language_level=3
"""What records (MRT, BMP) do not say of a peer's messages: whether prefixes carry path ids (RFC 7911), and how long AS numbers are (RFC 6793).

Both are the same for all messages of a session, so that what one of them shows holds for those behind it. What is found out
depends on the messages up to this one, in their order, and on nothing else: not on how the input is cut into blocks, nor on threads.

Path ids. A list of prefixes is read both ways. Of a session without path ids, nearly each list reads so and not otherwise:
most have a length that leaves something over, or host bits are set. The first such list settles it, and nothing
of that family is looked at any more; nor, where all that was found is settled, at rarer families beside it (`is_settled`). A list that does read with path ids, to its last octet and without host bits, is a sign of
them if it does not read without, or has the default route twice then: the zeros of path ids below 65536. Neither can have come
through a session without path ids in good order. One such list is enough where all path ids are that small. Others are not,
and a list of zeros alone can be a senseless withdrawal: it takes VOTES of these. What could be both says nothing, and reads as the
family is known to; as long as nothing is known, as the record says. Host bits alone say nothing: there are routers that send them.

A list that reads without path ids alone, where they were found before, ends the guess.

Routers that send BMP declare the path ids of a session for all of its RIBs, and there are some that have none behind the policy.
A list of these that reads without path ids alone shows it, until one comes that reads with them alone.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset
from bgpipe._check cimport check_attr, family
from bgpipe._message cimport (
    CTX_ADDPATH_SHIFT, CTX_AS2, FAMILY_IPV4_UNICAST, FAMILY_IPV6_UNICAST, attr_t, ctx_t, has_addpath, next_attr,
)
from bgpipe._wire cimport be16, be32

from bgpipe.names import AFIS, SAFIS

cdef enum:
    HEADER_LEN = 19             # of a BGP message
    SMALL = 0x10000             # a path id below it begins with two octets of zeros
    VOTES = 4
    AGAINST = 4                 # messages in a row that read with the other AS size alone, before that is believed

cdef enum:                      # what a list of prefixes says, a bit each
    EITHER = 1                  # reads both ways
    PLAIN = 2                   # reads without path ids alone
    NEITHER = 4
    WEAK = 8                    # signs of path ids
    STRONG = 16

cdef struct reading_t:
    bint parses                 # to the last octet
    bint host_bits              # are set somewhere
    bint large                  # path ids, one at least
    uint32_t defaults           # prefixes of no bits


cdef void read_list(const uint8_t* p, uint32_t n, uint32_t most, bint ids, reading_t* r) noexcept nogil:
    cdef const uint8_t* end = p + n
    cdef uint32_t bits, octets
    memset(r, 0, sizeof(reading_t))
    while p < end:
        if ids:
            if end - p < 5:
                return
            r.large |= be32(p) >= SMALL
            p += 4
        bits = p[0]
        octets = (bits + 7) >> 3
        if bits > most or end - p < 1 + <int>octets:
            return
        p += 1 + octets
        r.defaults += bits == 0
        r.host_bits |= bits & 7 != 0 and <uint8_t>(p[-1] << (bits & 7)) != 0
    r.parses = True


cdef uint8_t look(const uint8_t* p, uint32_t n, uint32_t most) noexcept nogil:
    cdef reading_t plain, ids
    cdef uint32_t i
    read_list(p, n, most, True, &ids)
    read_list(p, n, most, False, &plain)
    if not ids.parses or ids.host_bits:
        return PLAIN if plain.parses and not plain.host_bits and plain.defaults < 2 else NEITHER
    if plain.parses and plain.defaults < 2:
        return NEITHER if plain.host_bits else EITHER
    if ids.large:
        return WEAK
    for i in range(n):
        if p[i]:
            return STRONG
    return WEAK


cdef ctx_t guess_addpath(guess_t* g, const uint8_t* wire, uint32_t n, ctx_t ctx, bint doubts) noexcept nogil:
    cdef uint8_t seen[GUESSED_FAMILIES]
    cdef const uint8_t* p = wire + HEADER_LEN
    cdef const uint8_t* end = wire + n
    cdef const uint8_t* unreach
    cdef const uint8_t* stop
    cdef uint32_t unreach_len, f, head
    cdef attr_t a
    cdef ctx_t found = 0
    if end - p < 4 or be16(p) > end - p - 4:
        return 0
    unreach_len = be16(p)
    unreach = p + 2
    p = unreach + unreach_len
    if be16(p) > end - p - 2:
        return 0
    stop = p + 2 + be16(p)
    p += 2
    if is_settled(g, wire, n):
        return 0
    memset(seen, 0, sizeof(seen))
    if is_open(g, FAMILY_IPV4_UNICAST, ctx, doubts):
        if unreach_len:
            seen[FAMILY_IPV4_UNICAST] |= look(unreach, unreach_len, 32)
        if stop < end:
            seen[FAMILY_IPV4_UNICAST] |= look(stop, <uint32_t>(end - stop), 32)
    while next_attr(&p, stop, &a):
        if (a.code == 14 and a.length > 5) or (a.code == 15 and a.length > 3):
            f = family(be16(a.value), a.value[2])
            head = 5 + a.value[3] if a.code == 14 else 3
            if f < GUESSED_FAMILIES and head < a.length and is_open(g, f, ctx, doubts):
                seen[f] |= look(a.value + head, a.length - head, 32 if f < FAMILY_IPV6_UNICAST else 128)
    if stop - p >= 3:
        return 0
    for f in range(<uint32_t>GUESSED_FAMILIES):
        if seen[f] and has_addpath(ctx, f):
            doubt(g, f, seen[f])
        elif seen[f]:
            judge(g, f, seen[f])
        if seen[f] and ((g.missing if has_addpath(ctx, f) else g.ids) >> f) & 1:
            found |= <ctx_t>1 << (CTX_ADDPATH_SHIFT + f)
    return found


cdef inline bint is_open(const guess_t* g, uint32_t f, ctx_t ctx, bint doubts) noexcept nogil:
    # Whether there is something to find out of a family.
    if has_addpath(ctx, f):
        return doubts and not (g.kept >> f) & 1
    return not (g.plain >> f) & 1


cdef void doubt(guess_t* g, uint32_t f, uint8_t seen) noexcept nogil:
    # The same as judge(), where path ids are declared.
    if seen & NEITHER or (seen & PLAIN and seen & (WEAK | STRONG)):
        return
    if seen & PLAIN:
        g.missing |= 1 << f
    elif seen & (WEAK | STRONG):
        g.kept |= 1 << f
        g.missing &= ~(1 << f)


cdef void judge(guess_t* g, uint32_t f, uint8_t seen) noexcept nogil:
    # What the lists of a family in one message say together.
    if seen & PLAIN:
        g.plain |= 1 << f
        g.ids &= ~(1 << f)
    elif seen & NEITHER or (g.ids >> f) & 1:
        return
    elif seen & STRONG:
        g.ids |= 1 << f
    elif seen & WEAK:
        g.votes[f] += 1
        if g.votes[f] == VOTES:
            g.ids |= 1 << f


cdef uint32_t guess_as_size(guess_t* g, const uint8_t* wire, uint32_t n, ctx_t ctx) noexcept nogil:
    cdef uint32_t declared = 2 if ctx & CTX_AS2 else 4
    cdef uint32_t alone = 2 if reads_better(wire, n, CTX_AS2) else 4 if reads_better(wire, n, 0) else 0
    if alone and alone != g.as_size:
        g.against += 1
        if g.as_size == 0 or g.against == AGAINST:
            g.as_size = <uint8_t>alone
            g.against = 0
    elif alone:
        g.against = 0
    return g.as_size if g.as_size else declared


cdef bint reads_better(const uint8_t* wire, uint32_t n, ctx_t other) noexcept nogil:
    cdef const uint8_t* p = wire + HEADER_LEN
    cdef const uint8_t* end = wire + n
    cdef attr_t a
    if end - p < 4 or be16(p) > end - p - 4:
        return False
    p += 2 + be16(p)
    if be16(p) > end - p - 2:
        return False
    end = p + 2 + be16(p)
    p += 2
    while next_attr(&p, end, &a):
        if a.code == 2:
            return not check_attr(2, a.value, a.length, other ^ CTX_AS2) and check_attr(2, a.value, a.length, other)
    return False


cdef str tag_of_families(ctx_t families, ctx_t ctx):
    cdef uint32_t f
    return ",".join([
        f"{'' if has_addpath(ctx, f) else 'not '}{AFIS[1 + f // 2]}/{SAFIS[1 + f % 2]}"
        for f in range(<uint32_t>GUESSED_FAMILIES) if has_addpath(families, f)
    ])
