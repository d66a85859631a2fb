# cython: language_level=3
"""Routes that sessions have announced, what they add up to, and a limiter that takes out of messages what is over a limit.

A route is a prefix in a session: its direction, address family and path id tell it from others. Each session has its routes in an
array of its own, found through an index by a keyed hash; what they add up to by origin, block and session stands in one array of
counts, to which routes refer by position. So announcing and withdrawing a route take the same few steps whatever there is, and
forgetting a session as many as it has routes. Nothing is kept that no route refers to.
"""

from os import urandom

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, memmove, memset
from bgpipe._attributes cimport unpack_prefixes
from bgpipe._check cimport check, family
from bgpipe._codec cimport Batch, Buffer, hash_bytes, index_attrs
from bgpipe._message cimport (
    CTX_AS2, FAMILY_IPV4_UNICAST, MSG_DROPPED, MSG_EDITED, MSG_LEFT, MSG_RESET, MSG_UNSEEN, STATUS_OK, STATUS_UNKNOWN,
    TYPE_NOTIFICATION, TYPE_OPEN, TYPE_UPDATE, attr_t, attrs_t, ctx_t, has_addpath, msg_t, peer_t,
)
from bgpipe._wire cimport be16, be32, be64, put16, put32

cdef extern from "<stdint.h>" nogil:
    const uint32_t NONE "UINT32_MAX"

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void* p) noexcept nogil

cdef extern from *:
    """
    static inline uint64_t bgpipe_fold(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    """
    uint64_t fold "bgpipe_fold"(uint64_t a, uint64_t b) noexcept nogil

cdef uint64_t MIX = 0x9E3779B97F4A7C15ULL
cdef uint64_t SECRET[4]
SECRET = [int.from_bytes(urandom(8), "little") for _ in range(4)]

cdef enum:
    MAX_ORIGINS = 64                        # of one route: announcing it with ever others would take memory and time without end
    LEAST_SLOTS = 16
    AHEAD = 32                              # prefixes whose place in memory is fetched before the first of them is looked up

cdef enum:                                  # attribute codes
    AS_PATH = 2
    AGGREGATOR = 7
    MP_REACH = 14
    MP_UNREACH = 15
    AS4_PATH = 17
    AS4_AGGREGATOR = 18

cdef enum:
    AS_TRANS = 23456                        # RFC 6793 section 9

cdef enum:                                  # RFC 4271 section 4.3; from 3 on, RFC 5065: no hops
    AS_SET = 1
    AS_SEQUENCE = 2

cdef enum:                                  # reasons, bit numbers; REASONS in their order
    SHORT = 0
    LONG = 1
    SESSION = 2
    ORIGIN = 3
    BLOCK = 4
    FINE = 5

cdef enum:                                  # parts of an UPDATE, in the order in which they count: what is withdrawn gives room
    UNREACH = 0
    UNREACH_MP = 1
    REACH_MP = 2
    REACH = 3
    PARTS = 4

REASONS = ("short", "long", "session", "origin", "block")
COUNTS = ("origin", "origin", "origin", "block", "block", "session")


# ---- the index ----------------------------------------------------------------------------------------------------
cdef int grow_index(index_t* x) except -1 nogil:
    cdef uint32_t size = LEAST_SLOTS if x.slots == NULL else (x.mask + 1) * 2
    cdef slot_t* slots = NULL
    cdef uint32_t i, j
    if size:
        slots = <slot_t*>calloc(size, sizeof(slot_t))
    if slots == NULL:
        with gil:
            raise MemoryError()
    if x.slots != NULL:
        for i in range(x.mask + 1):
            if x.slots[i].at:
                j = x.slots[i].hash & (size - 1)
                while slots[j].at:
                    j = (j + 1) & (size - 1)
                slots[j] = x.slots[i]
    free(x.slots)
    x.slots = slots
    x.mask = size - 1
    return 0


cdef inline int reserve_slots(index_t* x, uint32_t n) except -1 nogil:
    # Three quarters full at most.
    if x.slots == NULL or <uint64_t>(x.used + n) * 4 > <uint64_t>(x.mask + 1) * 3:
        grow_index(x)
    return 0


cdef inline int put(index_t* x, uint32_t hash, uint32_t at) noexcept nogil:
    cdef uint32_t i = hash & x.mask
    while x.slots[i].at:
        i = (i + 1) & x.mask
    x.slots[i].hash = hash
    x.slots[i].at = at + 1
    x.used += 1
    return 0


cdef inline uint32_t slot_of(const index_t* x, uint32_t hash, uint32_t at) noexcept nogil:
    # The slot of a record that is there.
    cdef uint32_t i = hash & x.mask
    while x.slots[i].at != at + 1:
        i = (i + 1) & x.mask
    return i


cdef inline int take(index_t* x, uint32_t i) noexcept nogil:
    # Slots behind a free one move up, so that each can be reached from its place.
    cdef uint32_t j = i
    while True:
        j = (j + 1) & x.mask
        if not x.slots[j].at:
            break
        if ((j - x.slots[j].hash) & x.mask) >= ((j - i) & x.mask):
            x.slots[i] = x.slots[j]
            i = j
    x.slots[i].at = 0
    x.used -= 1
    return 0


cdef inline uint32_t more_room(uint32_t n) except 0 nogil:
    if n >= 1 << 30:
        with gil:
            raise MemoryError()
    return 8 if n < 8 else n * 2


# Pages that were never written to take no memory: doubling costs addresses alone.
cdef inline void* resize(void* p, size_t size) except NULL nogil:
    cdef void* moved = realloc(p, size)
    if moved == NULL:
        with gil:
            raise MemoryError()
    return moved


cdef inline uint32_t hash_of(const void* p, uint32_t n) noexcept nogil:
    return <uint32_t>hash_bytes(<const uint8_t*>p, n)


cdef inline uint32_t route_hash(const route_t* route) noexcept nogil:
    # Who announces routes cannot know which of them collide: the key is secret. Each prefix needs one, so it is not siphash.
    cdef uint64_t rest = <uint64_t>route.path_id << 16 | <uint32_t>route.kind << 8 | route.length
    return <uint32_t>fold(fold(route.high ^ SECRET[0], route.low ^ SECRET[1]) ^ rest ^ SECRET[2], SECRET[3])


# By the fields as they were written: what reads over several of them waits for the stores.
cdef inline bint same_route(const route_t* a, const route_t* b) noexcept nogil:
    return a.high == b.high and a.low == b.low and a.path_id == b.path_id and a.kind == b.kind and a.length == b.length


cdef inline int put_address(route_t* route, const uint8_t* end) noexcept nogil:
    # That of a prefix of an UPDATE, which ends there; in front of it there are 21 octets of the message at least.
    cdef uint32_t octets = (route.length + 7) >> 3
    cdef uint64_t last = be64(end - 8)
    route.high = route.low = 0
    if octets > 8:
        route.high = be64(end - octets)
        route.low = last << (128 - 8 * octets) & ~<uint64_t>0 << (128 - route.length)
    elif octets:
        route.high = last << (64 - 8 * octets) & ~<uint64_t>0 << (64 - route.length)
    return 0


cdef inline uint32_t count_hash(uint32_t kind, uint64_t key) noexcept nogil:
    cdef uint64_t both[2]
    both[0] = key
    both[1] = kind
    return hash_of(both, 16)


cdef inline bint is_count(const count_t* c, uint32_t kind, uint64_t key) noexcept nogil:
    return c.key == key and c.kind == kind and c.n != 0


# ---- routes and counts --------------------------------------------------------------------------------------------
@cython.final
cdef class RouteTable:
    """The routes of sessions, and how many there are by origin, block and session. len(table): routes."""

    def __dealloc__(self):
        while self.sessions_n:
            self.drop_session(self.sessions[self.sessions_n - 1])
        free(self.sessions)
        free(self.session_index.slots)
        free(self.counts)
        free(self.count_index.slots)
        free(self.recent)
        free(self.more)

    def __len__(self):
        return self.n

    cdef session_t* find_session(self, const name_t* name) noexcept nogil:
        cdef index_t* x = &self.session_index
        cdef uint32_t hash, i
        cdef session_t* s
        if not x.used:
            return NULL
        hash = hash_of(name, sizeof(name_t))
        i = hash & x.mask
        while x.slots[i].at:
            s = self.sessions[x.slots[i].at - 1]
            if x.slots[i].hash == hash and memcmp(&s.name, name, sizeof(name_t)) == 0:
                return s
            i = (i + 1) & x.mask
        return NULL

    cdef session_t* add_session(self, const name_t* name) except NULL nogil:
        cdef session_t* s
        reserve_slots(&self.session_index, 1)
        if self.sessions_n == self.sessions_cap:
            self.sessions = <session_t**>resize(self.sessions, more_room(self.sessions_cap) * sizeof(session_t*))
            self.sessions_cap = more_room(self.sessions_cap)
        s = <session_t*>calloc(1, sizeof(session_t))
        if s == NULL:
            with gil:
                raise MemoryError()
        s.name = name[0]
        s.at = self.sessions_n
        s.count = NONE
        self.sessions[s.at] = s
        self.sessions_n += 1
        put(&self.session_index, hash_of(name, sizeof(name_t)), s.at)
        return s

    cdef int drop_session(self, session_t* s) noexcept nogil:
        cdef session_t* last = self.sessions[self.sessions_n - 1]
        cdef uint32_t i
        for i in range(s.n):
            self.discount_route(s, s.routes + i)
        self.n -= s.n
        take(&self.session_index, slot_of(&self.session_index, hash_of(&s.name, sizeof(name_t)), s.at))
        if last != s:
            i = slot_of(&self.session_index, hash_of(&last.name, sizeof(name_t)), last.at)
            self.session_index.slots[i].at = s.at + 1
            self.sessions[s.at] = last
            last.at = s.at
        self.sessions_n -= 1
        free(s.routes)
        free(s.index.slots)
        free(s)
        return 0

    cdef uint32_t find_count(self, uint32_t kind, uint64_t key) noexcept nogil:
        cdef index_t* x = &self.count_index
        cdef uint32_t* recent
        cdef uint32_t hash, i
        if not x.used:
            return NONE
        recent = &self.recent[((key ^ kind) * MIX) >> (64 - self.recent_bits)]
        if recent[0] < self.counts_n and is_count(self.counts + recent[0], kind, key):
            return recent[0]
        hash = count_hash(kind, key)
        i = hash & x.mask
        while x.slots[i].at:
            if x.slots[i].hash == hash and is_count(self.counts + x.slots[i].at - 1, kind, key):
                recent[0] = x.slots[i].at - 1
                return recent[0]
            i = (i + 1) & x.mask
        return NONE

    cdef uint32_t add_count(self, uint32_t kind, uint64_t key) noexcept nogil:
        cdef uint32_t at
        if self.counts_free:
            at = self.counts_free - 1
            self.counts_free = <uint32_t>self.counts[at].key
        else:
            at = self.counts_n
            self.counts_n += 1
        self.counts[at].key = key
        self.counts[at].kind = kind
        self.counts[at].n = 0
        put(&self.count_index, count_hash(kind, key), at)
        return at

    cdef int discount(self, uint32_t at) noexcept nogil:
        cdef count_t* c
        if at == NONE:
            return 0
        c = self.counts + at
        c.n -= 1
        if c.n == 0:
            take(&self.count_index, slot_of(&self.count_index, count_hash(c.kind, c.key), at))
            c.key = self.counts_free
            self.counts_free = at + 1
        return 0

    cdef int reserve(self, session_t* s) except -1 nogil:
        cdef uint32_t i
        if s.n == s.cap:
            s.routes = <route_t*>resize(s.routes, more_room(s.cap) * sizeof(route_t))
            s.cap = more_room(s.cap)
        reserve_slots(&s.index, 1)
        if self.counts_n + 3 > self.counts_cap:
            self.counts = <count_t*>resize(self.counts, more_room(self.counts_cap) * sizeof(count_t))
            self.counts_cap = more_room(self.counts_cap)
            self.grow_recent()
        reserve_slots(&self.count_index, 3)
        if self.more_n + 2 > self.more_cap:
            self.more = <more_t*>resize(self.more, more_room(self.more_cap) * sizeof(more_t))
            self.more_cap = more_room(self.more_cap)
        return 0

    cdef int grow_recent(self) except -1 nogil:
        # Twice as many as there are counts, as long as that is few.
        cdef uint32_t bits = self.recent_bits
        cdef uint32_t* recent
        while bits < RECENT_BITS and (<uint32_t>1 << bits) < 2 * self.counts_cap:
            bits += 1
        if bits == self.recent_bits:
            return 0
        recent = <uint32_t*>calloc(<size_t>1 << bits, sizeof(uint32_t))
        if recent == NULL:
            with gil:
                raise MemoryError()
        free(self.recent)
        self.recent = recent
        self.recent_bits = bits
        return 0

    cdef int add(self, session_t* s, const route_t* route, uint32_t hash) noexcept nogil:
        s.routes[s.n] = route[0]
        put(&s.index, hash, s.n)
        s.n += 1
        self.n += 1
        return 0

    cdef bint has_origin(self, const route_t* route, uint32_t origin) noexcept nogil:
        cdef uint32_t i, at = route.origin
        if route.origins < 2:
            return route.origins == 1 and at == origin
        for i in range(route.origins):
            if self.more[at].origin == origin:
                return True
            at = self.more[at].next
        return False

    cdef uint32_t new_more(self, uint32_t origin, uint32_t after) noexcept nogil:
        cdef uint32_t at
        if self.more_free:
            at = self.more_free - 1
            self.more_free = self.more[at].next
        else:
            at = self.more_n
            self.more_n += 1
        self.more[at].origin = origin
        self.more[at].next = after
        return at

    cdef int add_origin(self, route_t* route, uint32_t origin) noexcept nogil:
        self.counts[origin].n += 1
        if route.origins == 0:
            route.origin = origin
        else:
            if route.origins == 1:
                route.origin = self.new_more(route.origin, 0)
            route.origin = self.new_more(origin, route.origin)
        route.origins += 1
        return 0

    cdef int discount_route(self, session_t* s, const route_t* route) noexcept nogil:
        cdef uint32_t i, after, at = route.origin
        self.discount(s.count)
        self.discount(route.block)
        if route.origins == 1:
            self.discount(at)
        elif route.origins:
            for i in range(route.origins):
                self.discount(self.more[at].origin)
                after = self.more[at].next
                self.more[at].next = self.more_free
                self.more_free = at + 1
                at = after
        return 0

    cdef int remove(self, session_t* s, uint32_t slot) noexcept nogil:
        cdef uint32_t at = s.index.slots[slot].at - 1
        cdef uint32_t last = s.n - 1
        self.discount_route(s, s.routes + at)
        take(&s.index, slot)
        if at != last:
            slot = slot_of(&s.index, route_hash(s.routes + last), last)
            s.index.slots[slot].at = at + 1
            s.routes[at] = s.routes[last]
        s.n = last
        self.n -= 1
        return 0

    def routes(self):
        """All routes: a list of (owner, peer AS, peer address as octets, direction, family index, Prefix, origins)."""
        cdef uint32_t i, j, k, at
        cdef session_t* s
        cdef route_t* r
        cdef uint8_t wire[21]
        found = []
        for i in range(self.sessions_n):
            s = self.sessions[i]
            for j in range(s.n):
                r = s.routes + j
                origins = []
                at = r.origin
                for k in range(r.origins):
                    origins.append(self.key(self.more[at].origin if r.origins > 1 else at))
                    at = self.more[at].next if r.origins > 1 else at
                put32(wire, r.path_id)
                wire[4] = r.length
                put32(wire + 5, r.high >> 32)
                put32(wire + 9, <uint32_t>r.high)
                put32(wire + 13, r.low >> 32)
                put32(wire + 17, <uint32_t>r.low)
                k = 0 if r.kind & ROUTE_PATH_ID else 4
                [prefix] = unpack_prefixes(
                    wire + k, 5 - k + ((r.length + 7) >> 3), 1 if (r.kind & 3) < 2 else 2, k == 0
                )
                found.append((
                    s.name.owner, s.name.peer_as, <bytes>s.name.peer_ip[:s.name.peer_ip_len],
                    "L" if r.kind & ROUTE_LEFT else "R", r.kind & 3, prefix, origins,
                ))
        return found

    def totals(self):
        """All counts: {(what, key): routes}, what being "origin", "block" or "session".

        Keys: an AS number, "set" and a hash, None for an empty path; a block's width and first 64 bits; a hash.
        """
        cdef uint32_t i
        return {
            (COUNTS[self.counts[i].kind], self.key(i)): self.counts[i].n for i in range(self.counts_n) if self.counts[i].n
        }

    cdef object key(self, uint32_t at):
        cdef count_t* c = self.counts + at
        if c.kind == COUNT_AS_SET:
            return "set", c.key
        if c.kind == COUNT_NO_AS:
            return None
        if c.kind == COUNT_IPV4_BLOCK or c.kind == COUNT_IPV6_BLOCK:
            return 32 if c.kind == COUNT_IPV4_BLOCK else 128, c.key
        return c.key


# ---- limits -------------------------------------------------------------------------------------------------------
cdef uint32_t limit(object value):
    return NONE if not value or value >= NONE else value


@cython.final
cdef class Limiter:
    """The limits of one stage, over the routes of a table."""

    def __cinit__(
        self, RouteTable table not None, *, owner=0, families=1, min_length=0, max_length=128, session=0, origin=0, block=0, ipv4_block=16,
        ipv6_block=32, permanent=False, shared=False, drop_unparsed=True,
    ):
        if not (1 <= ipv4_block <= 32 and 1 <= ipv6_block <= 64):
            raise ValueError("blocks have lengths from 1 to 32 (IPv4) and 64 (IPv6)")
        self.kept = Buffer()
        self.hits = Buffer()
        self.found = []
        self.table = table
        self.owner = owner
        self.families = families & 15
        self.min_length = min_length
        self.max_length = max_length
        self.session_limit = limit(session)
        self.origin_limit = limit(origin)
        self.block_limit = limit(block)
        self.ipv4_block = ipv4_block
        self.ipv6_block = ipv6_block
        self.counting = not (self.session_limit == self.origin_limit == self.block_limit == NONE)
        self.permanent = permanent
        self.shared = shared
        self.drop_unparsed = drop_unparsed

    def forget(self):
        """Take the routes that came through this limiter out of the table."""
        cdef uint32_t i = 0
        while i < self.table.sessions_n:
            if self.table.sessions[i].name.owner == self.owner:
                self.end_session(self.table.sessions[i])
            else:
                i += 1

    @property
    def taken_out(self):
        """How many announced prefixes were taken out, for each reason there was: {"long": 3}."""
        return {REASONS[i]: self.reasons[i] for i in range(FINE) if self.reasons[i]}

    @property
    def withdrawals_taken_out(self):
        """How many prefixes were taken out that were withdrawn, and too short or too long."""
        return self.withdrawn

    def run(self, Batch b not None, uint32_t directions=3, uint32_t start=0):
        """Look at the messages from index `start` on; stop behind the first that lost a prefix for a reason of `wanted`.

        Returns the index behind it, or the number of messages. What it lost for such reasons is in `found`.
        """
        cdef uint32_t i = start
        cdef msg_t* m
        self.hits.len = 0
        self.peer = NULL                    # one of another batch may be gone
        with nogil:
            while i < b.n and not self.hits.len:
                m = b.msgs + i
                i += 1
                if (directions >> (m.flags & MSG_LEFT)) & 1:
                    self.message(b, m)
        if self.hits.len or self.found:
            self.found = self.tell()
        return i

    cdef list tell(self):
        cdef hit_t* hit = <hit_t*>self.hits.data
        cdef hit_t* end = <hit_t*>(self.hits.data + self.hits.len)
        cdef uint32_t i
        told = []
        if hit == end:
            return told
        if self.origin.kind == COUNT_AS:
            origin = self.origin.key
        elif self.origin.kind == COUNT_NO_AS:
            origin = None
        else:
            origin = tuple([self.origin.members[i] for i in range(self.origin.n)])
        while hit < end:
            [prefix] = unpack_prefixes(
                hit.p, <uint32_t>(hit.end - hit.p), 1 if (hit.route_kind & 3) < 2 else 2, hit.route_kind & ROUTE_PATH_ID != 0
            )
            told.append((REASONS[hit.reason], prefix, origin, hit.count))
            hit += 1
        return told

    cdef int message(self, Batch b, msg_t* m) except -1 nogil:
        if m.flags & MSG_RESET:
            self.reset(m.peer)
        if not m.flags & MSG_UNSEEN:
            if m.status == STATUS_UNKNOWN and check(m, NULL) > STATUS_OK:
                b.failed += 1
            if m.status > STATUS_OK:
                if self.drop_unparsed:
                    m.flags |= MSG_DROPPED
            elif m.type == TYPE_UPDATE:
                self.update(b, m)
        # Of a message that passes the stage by, too: it begins the session anew for those behind us.
        if (m.type == TYPE_OPEN or m.type == TYPE_NOTIFICATION) and not m.flags & MSG_DROPPED:
            self.reset(m.peer)
        return 0

    cdef int reset(self, const peer_t* peer) except -1 nogil:
        cdef session_t* s
        if not self.permanent:
            s = self.session_of(peer, False)
            if s != NULL:
                self.end_session(s)
        return 0

    cdef session_t* session_of(self, const peer_t* peer, bint make) except? NULL nogil:
        cdef name_t name
        cdef session_t** recent
        if peer == self.peer and self.peers[0] != NULL:
            return self.peers[0]
        memset(&name, 0, sizeof(name))
        name.owner = self.owner
        if peer.ends == NULL:
            name.peer_as = peer.peer_as
            name.peer_ip_len = peer.peer_ip_len
            memcpy(name.peer_ip, peer.peer_ip, peer.peer_ip_len)
        recent = self.place_of(&name)
        if recent[0] == NULL or memcmp(&recent[0].name, &name, sizeof(name)) != 0:
            recent[0] = self.table.find_session(&name)
            if recent[0] == NULL and make:
                recent[0] = self.table.add_session(&name)
                if self.shared:
                    name.owner = 0          # one and the same peer in all pipelines has one limit
                recent[0].count_key = hash_bytes(<const uint8_t*>&name, sizeof(name))
        self.peer = peer
        self.peers = recent
        return recent[0]

    cdef session_t** place_of(self, const name_t* name) noexcept nogil:
        return &self.recent[((be64(name.peer_ip) ^ be64(name.peer_ip + 8) ^ name.peer_as) * MIX) >> (64 - SESSION_BITS)]

    cdef int end_session(self, session_t* s) noexcept nogil:
        cdef session_t** recent = self.place_of(&s.name)
        if recent[0] == s:
            recent[0] = NULL
        self.table.drop_session(s)
        return 0

    cdef int update(self, Batch b, msg_t* m) except -1 nogil:
        cdef part_t parts[PARTS]
        cdef const attr_t* a
        cdef session_t* s = NULL
        cdef int i
        cdef attrs_t* attrs = index_attrs(b, m)
        if attrs == NULL:
            return 0
        memset(parts, 0, sizeof(parts))
        self.place(&parts[UNREACH], m, FAMILY_IPV4_UNICAST, attrs.unreach, attrs.unreach + attrs.unreach_len)
        self.place(&parts[REACH], m, FAMILY_IPV4_UNICAST, attrs.reach, attrs.reach + attrs.reach_len)
        for i in range(<int>attrs.count):
            a = &attrs.attr[i]
            if a.code == MP_REACH:
                self.place(&parts[REACH_MP], m, family(be16(a.value), a.value[2]), a.value + 5 + a.value[3], a.value + a.length)
            elif a.code == MP_UNREACH:
                self.place(&parts[UNREACH_MP], m, family(be16(a.value), a.value[2]), a.value + 3, a.value + a.length)
        self.has_origin = False
        self.block.at = NONE
        self.kept.len = 0
        self.kept.reserve(m.len)
        for i in range(PARTS):
            if not parts[i].limited or parts[i].p == parts[i].end:
                continue
            if self.counting and s == NULL:
                s = self.session_of(m.peer, i > UNREACH_MP)
            if i <= UNREACH_MP:
                self.withdraw(s, &parts[i])
            else:
                self.announce(s, m, attrs, &parts[i])
        if s != NULL and s.n == 0:
            self.end_session(s)
        for i in range(PARTS):
            if parts[i].cut:
                self.rewrite(b, m, attrs, parts)
                break
        return 0

    cdef int place(self, part_t* part, const msg_t* m, uint32_t af, const uint8_t* p, const uint8_t* end) noexcept nogil:
        part.p = p
        part.end = end
        part.limited = af < 4 and (self.families >> af) & 1
        part.kind = af | (ROUTE_LEFT if m.flags & MSG_LEFT else 0) | (ROUTE_PATH_ID if has_addpath(m.ctx, af) else 0)
        return 0

    cdef int withdraw(self, session_t* s, part_t* part) except -1 nogil:
        cdef prefix_t some[AHEAD]
        cdef prefix_t* x
        cdef uint32_t slot
        cdef const uint8_t* p = part.p
        if self.permanent:
            s = NULL
        while p < part.end:
            for x in some[:take_prefixes(part, s, &p, some)]:
                if not self.min_length <= x.route.length <= self.max_length:
                    self.keep(part, x, False)
                    self.withdrawn += 1
                    continue
                self.keep(part, x, True)
                if s != NULL:
                    slot = find_route(s, x)
                    if slot != NONE:
                        self.table.remove(s, slot)
        return 0

    cdef int announce(self, session_t* s, const msg_t* m, attrs_t* attrs, part_t* part) except -1 nogil:
        cdef prefix_t some[AHEAD]
        cdef prefix_t* x
        cdef const uint8_t* p = part.p
        cdef uint32_t n
        cdef hit_t hit
        while p < part.end:
            n = take_prefixes(part, s, &p, some)
            if not self.has_origin and (self.wanted or self.origin_limit != NONE):
                find_origin(attrs, m.ctx, &self.origin)
                self.origin.at = self.table.find_count(self.origin.kind, self.origin.key)
                self.has_origin = True
            for x in some[:n]:
                hit.count = 0
                if x.route.length < self.min_length:
                    hit.reason = SHORT
                elif x.route.length > self.max_length:
                    hit.reason = LONG
                elif s == NULL:
                    hit.reason = FINE
                else:
                    hit.reason = self.judge(s, x, &hit.count)
                self.keep(part, x, hit.reason == FINE)
                if hit.reason == FINE:
                    continue
                self.reasons[hit.reason] += 1
                if (self.wanted >> hit.reason) & 1:
                    hit.p = x.p
                    hit.end = x.end
                    hit.route_kind = part.kind
                    self.hits.append(&hit, sizeof(hit))
        return 0

    cdef int judge(self, session_t* s, prefix_t* x, uint32_t* count) except -1 nogil:
        # FINE, and the route counts; else why not, and how many count there already.
        cdef count_t* counts = self.table.counts
        cdef route_t* route = &x.route
        cdef uint32_t slot = find_route(s, x)
        cdef bint by_origin = self.origin_limit != NONE
        cdef uint32_t at = NONE
        cdef route_t* known
        if slot != NONE:
            at = s.index.slots[slot].at - 1
            known = s.routes + at
            if not by_origin or (self.origin.at != NONE and self.table.has_origin(known, self.origin.at)):
                return FINE
            if known.origins == MAX_ORIGINS:
                count[0] = MAX_ORIGINS
                return ORIGIN
        elif self.session_limit != NONE:
            if s.n == 0:
                s.count = self.table.find_count(COUNT_SESSION, s.count_key)
            if s.count != NONE and counts[s.count].n >= self.session_limit:
                count[0] = counts[s.count].n
                return SESSION
        if by_origin and self.origin.at != NONE and counts[self.origin.at].n >= self.origin_limit:
            count[0] = counts[self.origin.at].n
            return ORIGIN
        if at == NONE and self.block_limit != NONE:
            self.find_block(route)
            if self.block.at != NONE and counts[self.block.at].n >= self.block_limit:
                count[0] = counts[self.block.at].n
                return BLOCK
        self.table.reserve(s)               # slots and records move
        counts = self.table.counts
        if by_origin and self.origin.at == NONE:
            self.origin.at = self.table.add_count(self.origin.kind, self.origin.key)
        if at != NONE:
            self.table.add_origin(s.routes + at, self.origin.at)
            return FINE
        route.block = NONE
        route.origins = 0
        if by_origin:
            self.table.add_origin(route, self.origin.at)
        if self.session_limit != NONE:
            if s.count == NONE:
                s.count = self.table.add_count(COUNT_SESSION, s.count_key)
            counts[s.count].n += 1
        if self.block_limit != NONE:
            if self.block.at == NONE:
                self.block.at = self.table.add_count(self.block.kind, self.block.key)
            route.block = self.block.at
            counts[route.block].n += 1
        self.table.add(s, route, x.hash)
        return FINE

    cdef int find_block(self, const route_t* route) noexcept nogil:
        cdef block_t* block = &self.block
        cdef uint32_t kind = COUNT_IPV4_BLOCK if (route.kind & 3) < 2 else COUNT_IPV6_BLOCK
        cdef uint64_t key = route.high & ~<uint64_t>0 << (64 - (self.ipv4_block if kind == COUNT_IPV4_BLOCK else self.ipv6_block))
        # Neighbours often share one, and nothing leaves the table while a message is announcing.
        if block.at == NONE or block.key != key or block.kind != kind:
            block.kind = kind
            block.key = key
            block.at = self.table.find_count(kind, key)
        return 0

    cdef int keep(self, part_t* part, const prefix_t* prefix, bint keep) except -1 nogil:
        # Up to the first prefix that is taken out, what stays is where it came.
        if not (keep or part.cut):
            part.cut = True
            part.kept_at = self.kept.len
            part.kept_n = prefix.p - part.p
            self.kept.append(part.p, part.kept_n)
        elif keep and part.cut:
            self.kept.append(prefix.p, prefix.end - prefix.p)
            part.kept_n += prefix.end - prefix.p
        return 0

    cdef int rewrite(self, Batch b, msg_t* m, attrs_t* attrs, part_t* parts) except -1 nogil:
        """Leave what stays of each part in a message that lost something.

        A message without any prefix goes: with attributes alone, or an MP_UNREACH_NLRI without prefixes, those behind us could
        take it for an End-of-RIB marker (RFC 4724 section 2). So do multiprotocol attributes without prefixes; and with the last
        route that was announced, its attributes: those that withdraw carry none (RFC 4271 section 4.3).
        """
        cdef uint8_t* out
        cdef uint8_t* p
        cdef uint8_t* attrs_at
        cdef const uint8_t* start
        cdef const attr_t* a
        cdef part_t* part
        cdef int i
        cdef Py_ssize_t head, size
        for i in range(PARTS):
            if not parts[i].cut:
                parts[i].kept_n = parts[i].end - parts[i].p
        if not (parts[UNREACH].kept_n or parts[UNREACH_MP].kept_n or parts[REACH_MP].kept_n or parts[REACH].kept_n):
            m.flags |= MSG_DROPPED
            return 0
        out = b.alloc(m.len)
        memcpy(out, m.wire, 19)
        p = self.put_part(out + 21, &parts[UNREACH])
        put16(out + 19, <uint16_t>(p - out - 21))
        attrs_at = p
        p += 2
        for i in range(<int>attrs.count):
            a = &attrs.attr[i]
            head = 4 if a.flags & 0x10 else 3
            start = a.value - head
            if a.code != MP_REACH and a.code != MP_UNREACH:
                if parts[REACH].kept_n or parts[REACH_MP].kept_n or not (parts[REACH].cut or parts[REACH_MP].cut):
                    memcpy(p, start, head + a.length)
                    p += head + a.length
                continue
            part = &parts[REACH_MP if a.code == MP_REACH else UNREACH_MP]
            if not part.kept_n:
                continue
            size = part.p - start
            memcpy(p, start, size)
            if head == 4:
                put16(p + 2, <uint16_t>(size - head + part.kept_n))
            else:
                p[2] = <uint8_t>(size - head + part.kept_n)
            p = self.put_part(p + size, part)
        put16(attrs_at, <uint16_t>(p - attrs_at - 2))
        p = self.put_part(p, &parts[REACH])
        put16(out + 16, <uint16_t>(p - out))
        m.wire = out
        m.len = <uint32_t>(p - out)
        m.attrs = NULL
        m.flags |= MSG_EDITED
        return 0

    cdef uint8_t* put_part(self, uint8_t* p, const part_t* part) noexcept nogil:
        cdef const uint8_t* kept = part.p
        if part.cut:
            kept = self.kept.data + part.kept_at
        memcpy(p, kept, part.kept_n)
        return p + part.kept_n


cdef uint32_t take_prefixes(const part_t* part, const session_t* s, const uint8_t** at, prefix_t* out) noexcept nogil:
    """The next prefixes of a part, from `at` on, AHEAD at most; how many. Their bytes were checked.

    s: the session in which they are going to be looked up, or NULL: a miss in a cache takes longer than all else.
    """
    cdef const uint8_t* p = at[0]
    cdef prefix_t* x
    cdef uint32_t place, i, n = 0
    while n < AHEAD and p < part.end:
        x = out + n
        n += 1
        x.p = p
        memset(&x.route, 0, sizeof(route_t))
        if part.kind & ROUTE_PATH_ID:
            x.route.path_id = be32(p)
            p += 4
        x.route.kind = <uint8_t>part.kind
        x.route.length = p[0]
        p += 1 + ((p[0] + 7) >> 3)
        x.end = p
        put_address(&x.route, p)
        if s != NULL:
            x.hash = route_hash(&x.route)
            if s.n:
                prefetch(s.index.slots + (x.hash & s.index.mask))
                prefetch(s.routes + s.n)
    if s != NULL and s.n and n > 1:
        for i in range(n):
            place = s.index.slots[out[i].hash & s.index.mask].at
            if place:
                prefetch(s.routes + place - 1)
    at[0] = p
    return n


cdef inline uint32_t find_route(const session_t* s, const prefix_t* x) noexcept nogil:
    # Its slot in s.index, or NONE.
    cdef uint32_t i
    if not s.n:
        return NONE
    i = x.hash & s.index.mask
    while s.index.slots[i].at:
        if s.index.slots[i].hash == x.hash and same_route(s.routes + s.index.slots[i].at - 1, &x.route):
            return i
        i = (i + 1) & s.index.mask
    return NONE


# ---- the origin of a path -----------------------------------------------------------------------------------------
cdef struct hops_t:
    const uint8_t* last                     # members of the last hop
    uint32_t n                              # of them
    uint32_t count                          # hops (RFC 4271 section 9.1.2.2; RFC 5065 section 5.3: confederations are none)


cdef hops_t hops_of(const attr_t* a, uint32_t as_len) noexcept nogil:
    cdef const uint8_t* p = a.value
    cdef hops_t hops
    memset(&hops, 0, sizeof(hops))
    while p < a.value + a.length:
        if p[0] == AS_SET:
            hops.last = p + 2
            hops.n = p[1]
            hops.count += 1
        elif p[0] == AS_SEQUENCE:
            hops.last = p + 2 + (p[1] - 1) * as_len
            hops.n = 1
            hops.count += p[1]
        p += 2 + p[1] * as_len
    return hops


cdef int find_origin(const attrs_t* attrs, ctx_t ctx, origin_t* out) noexcept nogil:
    """The last hop of AS_PATH, with the numbers of AS4_PATH where its own take 2 octets (RFC 6793 section 4.2.3)."""
    cdef uint32_t as_len = 2 if ctx & CTX_AS2 else 4
    cdef uint32_t i, j, asn
    cdef hops_t hops, as4
    cdef bint old_aggregator = False, as4_aggregator = False
    memset(&hops, 0, sizeof(hops))
    memset(&as4, 0, sizeof(as4))
    for i in range(attrs.count):
        if attrs.attr[i].code == AS_PATH:
            hops = hops_of(&attrs.attr[i], as_len)
        elif attrs.attr[i].code == AS4_PATH and as_len == 2:
            as4 = hops_of(&attrs.attr[i], 4)
        elif attrs.attr[i].code == AGGREGATOR:
            old_aggregator = attrs.attr[i].length >= 2 and be16(attrs.attr[i].value) != AS_TRANS
        elif attrs.attr[i].code == AS4_AGGREGATOR:
            as4_aggregator = True
    # Where an AS without 4-octet numbers aggregated, AS4_PATH says nothing of the path any more.
    if as4.count and as4.count <= hops.count and not (old_aggregator and as4_aggregator):
        hops = as4
        as_len = 4
    out.n = 0
    for i in range(hops.n):
        asn = be16(hops.last + 2 * i) if as_len == 2 else be32(hops.last + 4 * i)
        j = out.n
        while j and out.members[j - 1] > asn:
            j -= 1
        if j and out.members[j - 1] == asn:
            continue
        memmove(out.members + j + 1, out.members + j, (out.n - j) * sizeof(uint32_t))
        out.members[j] = asn
        out.n += 1
    if out.n == 0:
        out.kind = COUNT_NO_AS
        out.key = 0
    elif out.n == 1:
        out.kind = COUNT_AS
        out.key = out.members[0]
    else:
        out.kind = COUNT_AS_SET
        out.key = hash_bytes(<const uint8_t*>out.members, out.n * sizeof(uint32_t))
    return 0
