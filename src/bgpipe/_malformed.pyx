# cython: language_level=3
"""What is wrong with an UPDATE, all of it, and what a speaker is to do about each (RFC 7606 and each attribute's own document).

`check` of _check.pyx stops at the first thing that does not parse; here a walk goes on as long as attributes can be told apart, and
finds beside that what parses and is an error all the same: flags that do not fit, what is missing, what is there twice.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from bgpipe._check cimport (
    BAD_FLAGS, BAD_LENGTH, BAD_NEXT_HOP, BAD_NLRI, BAD_PARTS, BAD_SEGMENT, BAD_SERVICE, BAD_VALUE, FINE, FOREIGN, MISSING, OVERRUN,
    PROBLEMS, TWICE, UNRECOGNIZED, ZERO_AS, attr_problem, check, check_prefixes,
)
from bgpipe._codec cimport Batch
from bgpipe._layouts cimport layout_problem
from bgpipe._message cimport (
    CTX_AS2, FAMILY_IPV4_UNICAST, MSG_LEFT, MSG_RIB, MSG_UNSEEN, STATUS_OK, TYPE_UPDATE, attr_t, ctx_t, has_addpath, msg_t, next_attr,
)
from bgpipe._view cimport Msg
from bgpipe._wire cimport be16, be32

from collections import namedtuple

from bgpipe._attributes import USUAL_FLAGS
from bgpipe._view import message_at
from bgpipe.names import ATTRIBUTES

cdef enum:
    HEADER_LEN = 19
    MOST = 64                       # problems that are told of one message

cdef enum:                          # places beside the attribute codes
    WITHDRAWN = 256
    NLRI = 257
    LENGTHS = 258
    WHOLE = 259
    PLACES = 260

cdef enum:                          # what a speaker does, the stronger the higher (RFC 7606 section 2)
    NOTHING = 0
    DISCARD = 1
    WITHDRAW = 2
    RESET = 3

ACTIONS = ("", "attribute-discard", "treat-as-withdraw", "session-reset")
FIELDS = {WITHDRAWN: "withdrawn routes", NLRI: "NLRI", LENGTHS: "lengths", WHOLE: "message"}
WORDS = {
    BAD_LENGTH: "its length is wrong",
    BAD_VALUE: "its value is not defined",
    BAD_SEGMENT: "a path segment is empty, of no known type, or runs past the end",
    BAD_NEXT_HOP: "its next hop has a length that does not go with the family",
    BAD_NLRI: "its NLRI do not end where it ends",
    BAD_PARTS: "its parts do not fit into it",
    BAD_FLAGS: "its flags are not those of its type",
    TWICE: "it is there again",
    MISSING: "it is missing",
    OVERRUN: "it runs past the end of the attributes",
    ZERO_AS: "it has AS number 0",
    FOREIGN: "an external neighbour is not to send it",
    UNRECOGNIZED: "it says that it is well-known, and is not",
    BAD_SERVICE: "it has an SRv6 service and does not parse",
}

# The one table: (where, what) -> (what to do, where that is said). None: any attribute that has no line of its own.
CLASSES = {
    (WHOLE, BAD_LENGTH): (RESET, "RFC 4271 section 6.1"),
    (LENGTHS, OVERRUN): (RESET, "RFC 7606 section 3 a"),
    (WITHDRAWN, BAD_NLRI): (RESET, "RFC 7606 sections 3 i, 5.3"),
    (NLRI, BAD_NLRI): (RESET, "RFC 7606 section 5.3"),
    (None, OVERRUN): (WITHDRAW, "RFC 7606 section 4"),
    (None, TWICE): (DISCARD, "RFC 7606 section 3 g"),
    (None, BAD_FLAGS): (WITHDRAW, "RFC 7606 section 3 c"),
    (None, UNRECOGNIZED): (RESET, "RFC 4271 section 6.3"),
    (1, BAD_LENGTH): (WITHDRAW, "RFC 7606 section 7.1"),
    (1, BAD_VALUE): (WITHDRAW, "RFC 7606 section 7.1"),
    (1, MISSING): (WITHDRAW, "RFC 7606 section 3 d"),
    (2, BAD_SEGMENT): (WITHDRAW, "RFC 7606 section 7.2"),
    (2, ZERO_AS): (WITHDRAW, "RFC 7607 section 2"),
    (2, MISSING): (WITHDRAW, "RFC 7606 section 3 d"),
    (3, BAD_LENGTH): (WITHDRAW, "RFC 7606 section 7.3"),
    (3, MISSING): (WITHDRAW, "RFC 7606 section 3 d"),
    (4, BAD_LENGTH): (WITHDRAW, "RFC 7606 section 7.4"),
    (5, BAD_LENGTH): (WITHDRAW, "RFC 7606 section 7.5"),
    (5, MISSING): (WITHDRAW, "RFC 7606 section 3 d"),
    (5, FOREIGN): (DISCARD, "RFC 7606 section 7.5"),
    (6, BAD_LENGTH): (DISCARD, "RFC 7606 section 7.6"),
    (6, BAD_FLAGS): (DISCARD, "RFC 7606 section 3 f"),
    (7, BAD_LENGTH): (DISCARD, "RFC 7606 section 7.7"),
    (7, BAD_FLAGS): (DISCARD, "RFC 7606 section 3 f"),
    (7, ZERO_AS): (DISCARD, "RFC 7607 section 2"),
    (8, BAD_LENGTH): (WITHDRAW, "RFC 7606 section 7.8"),
    (9, BAD_LENGTH): (WITHDRAW, "RFC 7606 section 7.9"),
    (9, FOREIGN): (DISCARD, "RFC 7606 section 7.9"),
    (10, BAD_LENGTH): (WITHDRAW, "RFC 7606 section 7.10"),
    (10, FOREIGN): (DISCARD, "RFC 7606 section 7.10"),
    (14, BAD_LENGTH): (RESET, "RFC 7606 section 7.11"),
    (14, BAD_NEXT_HOP): (RESET, "RFC 7606 section 7.11"),
    (14, BAD_NLRI): (RESET, "RFC 7606 sections 5.3, 7.11"),
    (14, TWICE): (RESET, "RFC 7606 section 3 g"),
    (15, BAD_LENGTH): (RESET, "RFC 7606 section 7.12"),
    (15, BAD_NLRI): (RESET, "RFC 7606 sections 5.3, 7.12"),
    (15, TWICE): (RESET, "RFC 7606 section 3 g"),
    (16, BAD_LENGTH): (WITHDRAW, "RFC 7606 section 7.14"),
    (17, BAD_SEGMENT): (DISCARD, "RFC 6793 section 6"),
    (17, ZERO_AS): (DISCARD, "RFC 7607 section 2"),
    (18, BAD_LENGTH): (DISCARD, "RFC 6793 section 6"),
    (18, ZERO_AS): (DISCARD, "RFC 7607 section 2"),
    (22, BAD_LENGTH): (WITHDRAW, "RFC 6514 section 5"),
    (23, BAD_PARTS): (WITHDRAW, "RFC 9012 section 13"),
    (24, BAD_LENGTH): (WITHDRAW, "RFC 7606 section 7.13"),
    (25, BAD_LENGTH): (WITHDRAW, "RFC 7606 section 7.15"),
    (26, BAD_PARTS): (DISCARD, "RFC 7311 section 3"),
    (26, BAD_FLAGS): (DISCARD, "RFC 7311 section 3"),
    (27, BAD_LENGTH): (WITHDRAW, "RFC 6514 section 8"),
    (29, BAD_PARTS): (DISCARD, "RFC 9552 section 8.2.2"),
    (32, BAD_LENGTH): (WITHDRAW, "RFC 8092 section 6"),
    (33, BAD_PARTS): (WITHDRAW, "RFC 8205 section 5.2"),
    (35, BAD_LENGTH): (WITHDRAW, "RFC 9234 section 5"),
    (36, BAD_PARTS): (WITHDRAW, "RFC 10039 section 4"),
    (38, BAD_PARTS): (DISCARD, "RFC 9026 section 3.1.6"),
    (40, BAD_PARTS): (DISCARD, "RFC 8669 section 6"),
    (40, BAD_SERVICE): (WITHDRAW, "RFC 9252 section 7"),
    (128, BAD_LENGTH): (WITHDRAW, "RFC 7606 section 7.16"),
    (128, BAD_PARTS): (WITHDRAW, "RFC 7606 section 7.16"),
}

cdef uint8_t ACTION[PLACES][PROBLEMS]
cdef uint8_t USUAL[256]             # flags of the attributes that are known
cdef uint8_t KNOWN[256]


cdef int fill_tables() except -1:
    for (place, problem), (action, _) in CLASSES.items():
        if place is None:
            for code in range(256):
                ACTION[<int>code][<int>problem] = action
    for (place, problem), (action, _) in CLASSES.items():
        if place is not None:
            ACTION[<int>place][<int>problem] = action
    for code in ATTRIBUTES:
        KNOWN[<int>code] = 1
        USUAL[<int>code] = USUAL_FLAGS.get(code, 0xC0)
    return 0


fill_tables()

Malformation = namedtuple("Malformation", "field problem action offset source")
Malformation.__doc__ = """One thing that is wrong with an UPDATE.

field: name of the attribute, or "withdrawn routes", "NLRI", "lengths", "message". problem: in words. action: what a speaker does about it
(RFC 7606 section 2): "session-reset", "treat-as-withdraw", "attribute-discard". offset: in the message, of the attribute's
value; of what would come next, where something is missing. source: where that is said, such as "RFC 7606 section 7.1"."""


# ---- the walk ---------------------------------------------------------------------------------------------------------

cdef struct problem_t:
    uint32_t offset
    uint16_t place                  # attribute code, or WITHDRAWN ...
    uint8_t problem
    uint8_t action


cdef struct found_t:
    problem_t problem[MOST]
    uint32_t count
    uint8_t action                  # the strongest


cdef void put(found_t* found, const msg_t* m, const uint8_t* at, uint32_t place, uint8_t problem) noexcept nogil:
    cdef uint8_t action = ACTION[place][problem]
    if action > found.action:
        found.action = action
    if found.count < MOST:
        found.problem[found.count].offset = <uint32_t>(at - m.wire)
        found.problem[found.count].place = <uint16_t>place
        found.problem[found.count].problem = problem
        found.problem[found.count].action = action
        found.count += 1


cdef bint has_zero_as(const uint8_t* p, uint32_t n, uint32_t as_len) noexcept nogil:
    # A path that parses.
    cdef const uint8_t* end = p + n
    cdef uint32_t i
    while p < end:
        for i in range(p[1]):
            if (be16(p + 2 + 2 * i) if as_len == 2 else be32(p + 2 + 4 * i)) == 0:
                return True
        p += 2 + p[1] * as_len
    return False


cdef inline uint8_t value_problem(uint8_t code, const uint8_t* p, uint32_t n, ctx_t ctx) noexcept nogil:
    cdef uint32_t as_len = 2 if ctx & CTX_AS2 else 4
    cdef uint8_t problem = attr_problem(code, p, n, ctx)
    if problem != FINE:
        return problem
    if code == 2 or code == 17:
        return ZERO_AS if has_zero_as(p, n, as_len if code == 2 else 4) else FINE
    if code == 7 or code == 18:
        return ZERO_AS if (be16(p) if n == 6 else be32(p)) == 0 else FINE
    return rare_problem(code, p, n) if code > 18 else FINE


cdef uint8_t rare_problem(uint8_t code, const uint8_t* p, uint32_t n) noexcept nogil:
    # Of attributes that are carried whatever is in them: `check` has nothing against these.
    cdef uint8_t problem
    if code == 24:                          # TRAFFIC_ENG
        return BAD_LENGTH if n == 0 else FINE
    if code == 25:                          # IPV6_EXT_COMMUNITY
        return BAD_LENGTH if n == 0 or n % 20 else FINE
    if code == 29:                          # BGP_LS
        return FINE if tlvs_end(p, n) else BAD_PARTS
    if code == 128:                         # SET
        return BAD_LENGTH if n < 4 else FINE if attributes_end(p + 4, n - 4) else BAD_PARTS
    if code == 36:                          # DPATH
        return FINE if domains_end(p, n) else BAD_PARTS
    # In a tunnel, a sub-TLV that does not parse counts as one that is not known (RFC 9012 section 13).
    problem = layout_problem(code, p, n, code != 23)
    if problem == BAD_VALUE or problem == FINE or code == 39:
        return FINE                         # octets that are reserved are for later; a draft
    if code == 22 or code == 27:
        return BAD_LENGTH
    return BAD_SERVICE if code == 40 and has_service(p, n) else BAD_PARTS


cdef bint next_hop_fits(const uint8_t* p) noexcept nogil:
    # Whether the next hop of an MP_REACH that parses has a length that its family has: RFC 2545 section 3, RFC 4364 section 4.3.2,
    # RFC 4659 section 3.2.1, RFC 6515 section 2, RFC 7432 section 9.2, RFC 8950 section 3. That of flows is ignored (RFC 8955 section 4).
    cdef uint16_t afi = be16(p)
    cdef uint8_t safi = p[2], n = p[3]
    if (afi == 1 or afi == 2) and (safi == 1 or safi == 2 or safi == 4):
        return n == 16 or n == 32 or (n == 4 and afi == 1)
    if (afi == 1 or afi == 2) and (safi == 128 or safi == 129):
        return n == 24 or n == 48 or (n == 12 and afi == 1)
    if (afi == 25 and safi == 70) or ((afi == 1 or afi == 2) and safi == 5) or (afi == 1 and safi == 132):
        return n == 4 or n == 16 or n == 32
    return True


cdef bint tlvs_end(const uint8_t* p, uint32_t n) noexcept nogil:
    # Whether TLVs, type and length of two octets each, end where p[:n] does.
    cdef uint32_t i = 0
    while i < n:
        if n - i < 4:
            return False
        i += 4 + be16(p + i + 2)
    return i == n


cdef bint domains_end(const uint8_t* p, uint32_t n) noexcept nogil:
    # Whether segments of one domain or more, seven octets each, end where p[:n] does, and there is one.
    cdef uint32_t i = 0
    while i < n:
        if p[i] == 0:
            return False
        i += 1 + 7 * <uint32_t>p[i]
    return n > 0 and i == n


cdef bint attributes_end(const uint8_t* p, uint32_t n) noexcept nogil:
    cdef const uint8_t* end = p + n
    cdef attr_t a
    while next_attr(&p, end, &a):
        pass
    return p == end


cdef bint has_service(const uint8_t* p, uint32_t n) noexcept nogil:
    # An SRv6 L3 or L2 service among the TLVs of a PREFIX_SID (RFC 9252 section 2).
    cdef uint32_t i = 0
    while n >= 3 and i <= n - 3:
        if p[i] == 5 or p[i] == 6:
            return True
        i += 3 + be16(p + i + 1)
    return False


cdef void find(const msg_t* m, uint32_t peer_as, uint32_t local_as, found_t* found) noexcept nogil:
    # The AS numbers of both ends: 0 where not known.
    cdef msg_t copy
    cdef const uint8_t* p = m.wire + HEADER_LEN
    cdef const uint8_t* end = m.wire + m.len
    cdef const uint8_t* stop
    cdef const uint8_t* value
    cdef bint addpath = has_addpath(m.ctx, FAMILY_IPV4_UNICAST)
    cdef bint known = peer_as != 0 and local_as != 0
    cdef bint internal = known and peer_as == local_as
    cdef bint reaches = False, alone = True
    cdef uint64_t seen[4]
    cdef uint32_t n, code
    cdef uint8_t problem
    found.count = 0
    found.action = NOTHING
    if m.type != TYPE_UPDATE:
        copy = m[0]
        if check(&copy, NULL) > STATUS_OK:
            put(found, m, p, WHOLE, BAD_LENGTH)
        return
    if end - p < 2 or be16(p) > end - p - 2:
        put(found, m, p, LENGTHS, OVERRUN)
        return
    n = be16(p)
    p += 2
    if not check_prefixes(p, n, 32, addpath):
        put(found, m, p, WITHDRAWN, BAD_NLRI)
    p += n
    if end - p < 2 or be16(p) > end - p - 2:
        put(found, m, p, LENGTHS, OVERRUN)
        return
    stop = p + 2 + be16(p)
    p += 2
    memset(seen, 0, sizeof(seen))
    while p < stop:
        code = p[1] if stop - p > 1 else 0
        if stop - p < 3 or (p[0] & 0x10 and stop - p < 4):
            put(found, m, p, code, OVERRUN)
            break
        n = be16(p + 2) if p[0] & 0x10 else p[2]
        value = p + (4 if p[0] & 0x10 else 3)
        if n > <uint32_t>(stop - value):
            put(found, m, value, code, OVERRUN)
            break
        if code != 15:
            alone = False
        if (seen[code >> 6] >> (code & 63)) & 1:
            put(found, m, value, code, TWICE)
            p = value + n
            continue
        seen[code >> 6] |= <uint64_t>1 << (code & 63)
        if not KNOWN[code]:
            if not p[0] & 0x80:
                put(found, m, value, code, UNRECOGNIZED)
        elif (p[0] ^ USUAL[code]) & 0xC0:
            put(found, m, value, code, BAD_FLAGS)
        if known and not internal and (code == 5 or code == 9 or code == 10):
            # Discarded, whatever is in it.
            put(found, m, value, code, FOREIGN)
        else:
            problem = value_problem(<uint8_t>code, value, n, m.ctx)
            if problem == FINE and code == 14 and not m.flags & MSG_RIB and not next_hop_fits(value):
                problem = BAD_NEXT_HOP
            if problem != FINE:
                put(found, m, value, code, problem)
        if code == 14:
            reaches = True
        p = value + n
    if not check_prefixes(stop, <uint32_t>(end - stop), 32, addpath):
        put(found, m, stop, NLRI, BAD_NLRI)
    if stop < end or reaches:
        if not seen[0] & 2:
            put(found, m, stop, 1, MISSING)
        if not seen[0] & 4:
            put(found, m, stop, 2, MISSING)
        if stop < end and not seen[0] & 8:
            put(found, m, stop, 3, MISSING)
        if internal and not seen[0] & 32:
            put(found, m, stop, 5, MISSING)
    elif not alone and found.action > DISCARD:
        # Nobody knows whether there were routes that it was to announce (RFC 7606 section 5.2).
        found.action = RESET


# ---- for Python's eyes --------------------------------------------------------------------------------------------------

cdef str place_name(uint32_t place):
    return ATTRIBUTES.get(place) or FIELDS.get(place) or f"ATTR_{place}"


cdef str source_of(uint32_t place, uint8_t problem):
    line = CLASSES.get((place, problem)) or CLASSES.get((None, problem))
    return line[1]


cdef int find_alone(Msg msg, found_t* found) except -1:
    cdef const msg_t* m = msg.record()
    cdef uint32_t ends[2]
    ends[0] = m.peer.peer_as
    ends[1] = m.peer.local_as
    if m.tags != NULL:
        tags = msg.tags
        for i, name in enumerate(("PEER_AS", "LOCAL_AS")):
            value = tags.get(name, "")
            ends[i] = int(value) & 0xFFFFFFFF if len(value) <= 10 and value.isascii() and value.isdigit() else 0
    find(m, ends[0], ends[1], found)
    return 0


def malformations(Msg msg not None):
    """(what is wrong, the strongest action) of a message."""
    cdef found_t found
    cdef uint32_t i
    cdef problem_t* one
    cdef list result = []
    find_alone(msg, &found)
    for i in range(found.count):
        one = &found.problem[i]
        result.append(Malformation(
            place_name(one.place), WORDS[one.problem], ACTIONS[one.action], one.offset, source_of(one.place, one.problem)
        ))
    return tuple(result), ACTIONS[found.action]


def tag_malformed(Batch batch not None, uint32_t directions):
    """Tag the messages of these directions that have something wrong: error/action, the strongest, and error/fields, where."""
    cdef found_t found
    cdef uint32_t i = 0
    cdef msg_t* m
    cdef Msg msg
    while i < batch.n:
        found.count = 0
        with nogil:
            while i < batch.n:
                m = batch.msgs + i
                i += 1
                if m.flags & MSG_UNSEEN or not (directions >> (m.flags & MSG_LEFT)) & 1:
                    continue
                find(m, m.peer.peer_as, m.peer.local_as, &found)
                # Tags of its own may say otherwise who the ends are.
                if found.count or m.tags != NULL:
                    break
            else:
                m = NULL
        if m == NULL:
            return
        msg = message_at(batch, i - 1)
        find_alone(msg, &found)
        if found.count:
            fields = dict.fromkeys([place_name(found.problem[k].place) for k in range(found.count)])
            msg.tags["error/action"] = ACTIONS[found.action]
            msg.tags["error/fields"] = ",".join(fields)
