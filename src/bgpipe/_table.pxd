# cython: language_level=3
"""Routes that sessions have announced, and what they add up to. Contracts stand here; the code is in _table.pyx."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from bgpipe._codec cimport Batch, Buffer
from bgpipe._message cimport attr_t, attrs_t, ctx_t, msg_t, peer_t

# ---- a hash index over records that lie densely elsewhere: linear probing, nothing left behind by what is removed --------
cdef struct slot_t:
    uint32_t hash
    uint32_t at                             # position of the record + 1; 0: free

cdef struct index_t:                        # zeroed: empty
    slot_t* slots
    uint32_t mask
    uint32_t used

# ---- records ------------------------------------------------------------------------------------------------------
cdef enum:                                  # count_t.kind; key
    COUNT_AS = 0                            # an origin: its AS number
    COUNT_AS_SET = 1                        # an origin that is a set of several: their hash
    COUNT_NO_AS = 2                         # the origin of empty paths: 0
    COUNT_IPV4_BLOCK = 3                    # a block of addresses: the first of them, from bit 63 down
    COUNT_IPV6_BLOCK = 4
    COUNT_SESSION = 5                       # hash of what tells it from others

cdef struct count_t:                        # how many routes there are of an origin, in a block, of a session
    uint64_t key                            # free: position of the next free one + 1
    uint32_t kind
    uint32_t n                              # 0: free

cdef enum:                                  # route_t.kind: family index (0 to 3), and
    ROUTE_LEFT = 4
    ROUTE_PATH_ID = 8

cdef struct route_t:                        # 32 bytes
    uint64_t high, low                      # address, left-aligned, without host bits
    uint32_t path_id
    uint8_t kind
    uint8_t length                          # that far they tell one from another
    uint8_t origins                         # that it was seen with, MAX_ORIGINS at most; 0 where they are not counted
    uint8_t spare
    uint32_t origin                         # 1: its position in `counts`; several: position of the first in `more`
    uint32_t block                          # position in `counts`, or NONE

cdef struct more_t:                         # one of several origins of a route
    uint32_t origin                         # position in `counts`
    uint32_t next                           # position in `more`, of a free one + 1

cdef struct name_t:                         # what tells sessions apart; no padding
    uint32_t owner                          # the limiter
    uint32_t peer_as, peer_ip_len
    uint8_t peer_ip[16]

cdef struct session_t:                      # there as long as it has routes
    name_t name
    uint32_t at                             # position in `sessions`
    uint32_t count                          # position in `counts`, or NONE; holds as long as there are routes
    uint64_t count_key
    route_t* routes                         # dense, owned
    uint32_t n, cap
    index_t index

cdef struct prefix_t:                       # a prefix of a message
    const uint8_t* p                        # where it stands, path id included
    const uint8_t* end
    route_t route                           # its key
    uint32_t hash                           # of that, where it was asked for

cdef struct part_t:                         # a list of prefixes of a message
    const uint8_t* p
    const uint8_t* end
    uint32_t kind                           # of its routes
    bint limited                            # its family is one that we look at
    bint cut                                # something was taken out; what stays is kept.data[kept_at:][:kept_n]
    Py_ssize_t kept_at, kept_n

cdef struct origin_t:                       # last hop of a path
    uint64_t key
    uint32_t kind                           # COUNT_AS, COUNT_AS_SET or COUNT_NO_AS
    uint32_t at                             # position in `counts`, or NONE
    uint32_t n
    uint32_t members[255]                   # a set's, sorted

cdef struct block_t:
    uint64_t key
    uint32_t kind                           # COUNT_IPV4_BLOCK or COUNT_IPV6_BLOCK
    uint32_t at                             # position in `counts`, or NONE

cdef struct hit_t:                          # a prefix that was taken out, for those who want to hear of it
    const uint8_t* p
    const uint8_t* end
    uint32_t route_kind
    uint32_t reason                         # bit number in Limiter.wanted
    uint32_t count

cdef enum:
    RECENT_BITS = 14
    SESSION_BITS = 10

# Routes and counts. No locks: whoever shares one among threads holds one around each call.
# reserve() makes room for one more route, and what goes with it, so that records and slots move; only then add_count(), add() and
# add_origin(), which cannot fail.
cdef class RouteTable:
    cdef session_t** sessions
    cdef uint32_t sessions_n, sessions_cap
    cdef index_t session_index
    cdef count_t* counts
    cdef uint32_t counts_n, counts_cap, counts_free     # those in use and free ones; room; first free one + 1
    cdef index_t count_index
    cdef uint32_t* recent                   # positions in `counts` by a cheap hash: whether it is the one, tells the record
    cdef uint32_t recent_bits               # of that hash, RECENT_BITS at most: a small table is to stay small
    cdef more_t* more
    cdef uint32_t more_n, more_cap, more_free
    cdef uint64_t n                         # routes
    cdef int grow_recent(self) except -1 nogil
    cdef session_t* find_session(self, const name_t* name) noexcept nogil
    cdef session_t* add_session(self, const name_t* name) except NULL nogil
    cdef int drop_session(self, session_t* s) noexcept nogil     # with its routes
    cdef uint32_t find_count(self, uint32_t kind, uint64_t key) noexcept nogil
    cdef uint32_t add_count(self, uint32_t kind, uint64_t key) noexcept nogil
    cdef int discount(self, uint32_t at) noexcept nogil
    cdef int reserve(self, session_t* s) except -1 nogil
    cdef int add(self, session_t* s, const route_t* route, uint32_t hash) noexcept nogil
    cdef bint has_origin(self, const route_t* route, uint32_t origin) noexcept nogil
    cdef uint32_t new_more(self, uint32_t origin, uint32_t after) noexcept nogil
    cdef int add_origin(self, route_t* route, uint32_t origin) noexcept nogil
    cdef int discount_route(self, session_t* s, const route_t* route) noexcept nogil
    cdef int remove(self, session_t* s, uint32_t slot) noexcept nogil
    cdef object key(self, uint32_t at)

# What one stage does with a table: its limits, and the messages that pass it.
cdef class Limiter:
    cdef readonly RouteTable table
    cdef uint32_t owner
    cdef uint32_t families                  # bit n: family index n
    cdef uint32_t min_length, max_length
    cdef uint32_t session_limit, origin_limit, block_limit      # ~0: none
    cdef uint32_t ipv4_block, ipv6_block    # lengths
    cdef bint counting, permanent, shared, drop_unparsed
    cdef public uint32_t wanted
    cdef readonly list found
    cdef uint64_t reasons[5]                # announced prefixes taken out
    cdef uint64_t withdrawn                 # and withdrawn ones
    cdef block_t block                      # of the prefix before, in the message under way
    cdef session_t* recent[1 << SESSION_BITS]   # by a cheap hash of the peer; NULL, or one that is there
    cdef const peer_t* peer                 # whose session was asked for last in run(), or NULL
    cdef session_t** peers                  # its place in `recent`
    cdef bint has_origin
    cdef origin_t origin                    # of the message under way, where has_origin
    cdef Buffer kept, hits
    cdef int message(self, Batch b, msg_t* m) except -1 nogil
    cdef int update(self, Batch b, msg_t* m) except -1 nogil
    cdef int place(self, part_t* part, const msg_t* m, uint32_t af, const uint8_t* p, const uint8_t* end) noexcept nogil
    cdef uint8_t* put_part(self, uint8_t* p, const part_t* part) noexcept nogil
    cdef list tell(self)
    cdef session_t* session_of(self, const peer_t* peer, bint make) except? NULL nogil
    cdef session_t** place_of(self, const name_t* name) noexcept nogil
    cdef int reset(self, const peer_t* peer) except -1 nogil
    cdef int end_session(self, session_t* s) noexcept nogil
    cdef int withdraw(self, session_t* s, part_t* part) except -1 nogil
    cdef int announce(self, session_t* s, const msg_t* m, attrs_t* attrs, part_t* part) except -1 nogil
    cdef int judge(self, session_t* s, prefix_t* x, uint32_t* count) except -1 nogil
    cdef int find_block(self, const route_t* route) noexcept nogil
    cdef int keep(self, part_t* part, const prefix_t* prefix, bint keep) except -1 nogil
    cdef int rewrite(self, Batch b, msg_t* m, attrs_t* attrs, part_t* parts) except -1 nogil
