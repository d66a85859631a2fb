# cython: language_level=3
"""The batch core as the other compiled modules see it. Contracts stand here; the code is in _codec.pyx."""

from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

# ---- session context: what decoding a message depends on, as one value ------------------------------------------
# Bit 0: AS numbers take 2 bytes (RFC 4271), else 4 (RFC 6793). Bit 1: extended messages (RFC 8654).
# From bit 8: prefixes of family index n carry a path id (RFC 7911), n as family() gives it.
ctypedef uint64_t ctx_t

cdef enum:
    CTX_AS2 = 1
    CTX_EXTENDED = 2
    CTX_ADDPATH_SHIFT = 8
    FAMILY_IPV4_UNICAST = 0
    FAMILY_IPV4_MULTICAST = 1
    FAMILY_IPV6_UNICAST = 2
    FAMILY_IPV6_MULTICAST = 3
    FAMILY_OTHER = 55

cdef inline ctx_t addpath_all() noexcept nogil:
    return ~<ctx_t>0 << CTX_ADDPATH_SHIFT

cdef inline bint has_addpath(ctx_t ctx, uint32_t family) noexcept nogil:
    return (ctx >> (CTX_ADDPATH_SHIFT + family)) & 1

# AFI and SAFI -> a number below 56; families that have none of their own share FAMILY_OTHER.
cdef uint32_t family(uint16_t afi, uint8_t safi) noexcept nogil

# ---- peers: what the messages of one peer share -----------------------------------------------------------------
cdef enum:
    ACTION_NONE = 0
    ACTION_DROP = 1
    ACTION_ACCEPT = 2

cdef struct peer_t:
    uint32_t index
    uint32_t peer_as, local_as, ifindex
    uint8_t peer_ip_len, local_ip_len      # 0, 4 or 16 bytes
    uint8_t action                         # ACTION_*: what an "ACTION" tag of the input asked for
    uint8_t reset                          # the decoder's own: its next message gets MSG_RESET
    uint8_t peer_ip[16]
    uint8_t local_ip[16]
    const uint8_t* json                    # the tags as a JSON object, braces included
    uint32_t json_len
    uint32_t pairs_len
    const uint8_t* pairs                   # the tags: (uint16 key length, uint16 value length, key, value)..., host order, UTF-8
    const uint8_t* ends                    # packed as `pairs`: where the addresses and AS numbers come from that no tags tell of; else NULL
    uint32_t ends_len
    const uint8_t* key                     # what it was interned under
    uint32_t key_len
    uint64_t hash

# Owns its records; they never move and live as long as the table. Bounded: when `full`, a decoder goes on with a new one.
cdef class PeerTable:
    cdef peer_t** slots                    # open addressing, power of two
    cdef uint32_t size, mask
    cdef size_t bytes_used
    cdef object owned                      # list of bytes that the records point into
    cdef peer_t* get(self, const uint8_t* key, uint32_t key_len) noexcept nogil
    cdef peer_t* add(self, const uint8_t* key, uint32_t key_len, dict tags) except NULL
    # The one with these tags, and with addresses and AS numbers that are not among them: MRT alone is to have those.
    cdef peer_t* quiet(self, dict tags, dict ends) except NULL
    cdef bint full(self) noexcept nogil
    cdef int grow(self) except -1

# The peer of messages that have no tags at all; never freed.
cdef const peer_t* no_peer() noexcept nogil

# ---- messages -----------------------------------------------------------------------------------------------------
cdef enum:
    TYPE_OPEN = 1
    TYPE_UPDATE = 2
    TYPE_NOTIFICATION = 3
    TYPE_KEEPALIVE = 4
    TYPE_ROUTE_REFRESH = 5

cdef enum:                                  # msg_t.flags
    MSG_LEFT = 1                            # direction L, else R
    MSG_DROPPED = 2
    MSG_EDITED = 4                          # the wire bytes are not those that came
    MSG_LOCAL = 8                           # from a _LOCAL MRT record (RFC 6396 section 4.4)
    MSG_ACCEPTED = 16                       # past all other stages
    MSG_REPORTED = 32                       # its parse error has been taken by Batch.failures()
    MSG_HIDDEN = 64                         # passes the stage by that has the batch now (--if, --rate-sample)
    MSG_EXTRA = 128                         # put behind another message by a stage: not of the batch that came
    MSG_RESET = 256                         # the session of its peer went down or came up in front of it
    MSG_UNSEEN = MSG_DROPPED | MSG_ACCEPTED | MSG_HIDDEN    # what a stage that looks is to leave alone

cdef enum:                                  # msg_t.status; what is above STATUS_OK does not parse
    STATUS_UNKNOWN = 0                      # nobody has looked yet
    STATUS_OK = 1
    ERR_HEADER = 2                          # marker or length
    ERR_OPEN = 3
    ERR_NOTIFICATION = 4
    ERR_KEEPALIVE = 5
    ERR_ROUTE_REFRESH = 6
    ERR_WITHDRAWN_LENGTH = 7
    ERR_ATTRIBUTES_LENGTH = 8
    ERR_ATTRIBUTE_HEADER = 9
    ERR_ATTRIBUTE_TWICE = 10
    ERR_ATTRIBUTE_VALUE = 11
    ERR_WITHDRAWN = 12
    ERR_NLRI = 13

cdef struct attr_t:                         # one attribute of an UPDATE
    const uint8_t* value
    uint16_t length
    uint8_t code
    uint8_t flags

cdef struct attrs_t:                        # the attribute index, made at most once a message
    const uint8_t* unreach                  # withdrawn routes
    const uint8_t* attrs                    # path attributes
    const uint8_t* reach                    # NLRI
    uint32_t unreach_len, attrs_len, reach_len
    uint32_t count
    attr_t attr[1]                          # `count` of them, in wire order

cdef struct msg_t:                          # 64 bytes, one cache line
    const uint8_t* wire                     # the whole message, its 19 bytes of header included; owned by what Batch.keep or its arena holds
    int64_t time                            # ns since 1970, UTC
    uint64_t seq                            # 0: not numbered yet
    const peer_t* peer                      # never NULL; owned by a PeerTable in Batch.keep
    ctx_t ctx
    const uint8_t* tags                     # tags of this message alone: packed like peer_t.pairs behind a uint32 of their bytes; NULL if none. Same key: these win; an empty value of length 0xFFFF: tag removed
    attrs_t* attrs                          # index, or NULL where not made yet
    uint32_t len                            # bytes of wire
    uint16_t flags
    uint8_t type
    uint8_t status

cdef struct error_t:                        # where a message does not parse; filled at the edge
    uint8_t status
    uint8_t attr                            # attribute code, where it is an attribute
    uint32_t offset                         # from the start of the message
    uint8_t code, subcode                   # RFC 4271 section 6

# Bytes that grow, owned here. Exposes data[:len] through the buffer protocol; while a view is exported it does not move.
cdef class Buffer:
    cdef uint8_t* data
    cdef Py_ssize_t len, cap
    cdef int exports
    cdef readonly uint64_t messages         # that encoders have put here since clear()
    cdef int reserve(self, Py_ssize_t more) except -1 nogil      # room for `more` bytes behind len; MemoryError
    cdef int append(self, const void* p, Py_ssize_t n) except -1 nogil

cdef enum:
    FULL_BATCH = 1 << 20

cdef struct chunk_t:
    chunk_t* next
    size_t cap, used

# A bundle of messages and all that their bytes live in. Handled by one thread at a time.
cdef class Batch:
    cdef msg_t* msgs
    cdef readonly uint32_t n
    cdef uint32_t cap
    cdef chunk_t* arena                     # bump allocator: never moves, freed with the batch
    cdef size_t tidy_at                     # `made` that tidy() waits for; 0: nothing was edited yet
    cdef bint lent                          # messages of other batches point into the arena: nothing in there may move
    cdef uint32_t held                      # for how many, for a while, nothing in there may move: they have copies of records
    cdef uint32_t working                   # kernels that work on it without the GIL (`with batch`)
    cdef unsigned long worker               # their thread; views in all others wait
    cdef uint32_t moves                     # how often tidy() has moved messages
    cdef size_t made                        # bytes of its arena, and of tables of peers that got full while it was made
    cdef list keep                          # what owns the bytes: Buffers, PeerTables, bytes
    cdef readonly uint32_t failed           # messages whose status was set above STATUS_OK and that failures() has not given yet
    cdef public object error                # an InputError or StageError that ended the input behind these messages, or None
    cdef public object completion
    cdef int grow(self) except -1 nogil
    cdef int wait(self) except -1
    # Before anything of the batch is looked at or changed that a kernel in another thread may be working on.
    cdef inline int settled(self) except -1:
        if self.working and self.worker != PyThread_get_thread_ident():
            self.wait()
        return 0
    cdef int reserve(self, uint32_t cap) except -1 nogil         # room for so many messages in all
    # A zeroed record at the end, whose peer the caller sets; earlier pointers may move.
    cdef inline msg_t* add(self) except NULL nogil:
        cdef msg_t* m
        if self.n == self.cap:
            self.grow()
        m = self.msgs + self.n
        self.n += 1
        memset(m, 0, sizeof(msg_t))
        return m
    cdef uint8_t* alloc(self, size_t n) except NULL nogil         # 8-byte aligned, from the arena
    # A copy of another batch's record at the end; its bytes stay where they are: keep_batch().
    cdef inline msg_t* add_copy(self, const msg_t* other) except NULL nogil:
        cdef msg_t* m
        if self.n == self.cap:
            self.grow()
        m = self.msgs + self.n
        self.n += 1
        m[0] = other[0]
        return m
    # Keep all that a copied record of another batch points into.
    cdef int keep_batch(self, Batch other) except -1
    # After an edit: where many edits have left much in the arena that nothing points to any more, that goes, and messages move.
    cdef void tidy(self) noexcept nogil
    # Whether a decoder is to go on in another batch: few bytes of input can ask for many of memory.
    cdef inline bint full(self) noexcept nogil:
        return self.made + self.n * sizeof(msg_t) > FULL_BATCH
    cdef int clear(self) except -1
    cdef void free_arena(self) noexcept

# The table to go on with behind a full one; `b` owns both.
cdef PeerTable next_table(PeerTable full, Batch b)

# Common face of the formats: bytes -> batches. A subclass gives frame(). read() takes one block from the source, behind what was
# left of the block before, and frames it into a new Batch, which owns the block if messages point into it. Where the input ends in damage, the batch holds what
# came before it and Batch.error says what it was; a subclass sets b.error and returns. Where the batch is full, it sets `paused` and
# returns: the next batch goes on in the same block.
cdef class Decoder:
    cdef readonly uint64_t offset           # of p[0] while frame() runs, else of the next byte, in the decompressed stream
    cdef readonly uint64_t records          # records, lines or messages seen
    cdef readonly uint64_t skipped          # of them, skipped as damaged (pardon)
    cdef public uint16_t direction          # MSG_LEFT or 0: where the input does not say
    cdef public bint pardon, no_seq, no_time, no_tags, one_way
    cdef public uint32_t types              # bit n: messages of type n are wanted; bit 0: all other types
    cdef public object on_skip              # called with an InputError for what was skipped
    cdef Buffer block                       # what was read last
    cdef bint borrowed                      # frame() says: a message points into it
    cdef Py_ssize_t at                      # where it goes on in there: a record that is not whole yet, or whatever follows a pause
    cdef Py_ssize_t need                    # bytes of that record, as far as frame() knows, else 0
    cdef readonly bint paused
    cdef bint filling                       # its source has a view of the block
    cdef bint eof                           # nothing follows the block
    cdef bint ended                         # nothing more is read
    cdef bint finished                      # nor is anything held back
    cdef object pending_error               # what ended the input, until the last batch
    cdef PeerTable peers
    cdef Py_ssize_t block_size
    cdef uint32_t usual                     # messages of the last batch: the next one gets room for as many at once
    cpdef Batch read(self, source)
    # Decode what is whole in p[:n] into `b`; return bytes consumed. eof: nothing follows. Damage: set b.error and stop.
    cdef Py_ssize_t frame(self, Batch b, const uint8_t* p, Py_ssize_t n, bint eof) except -1
    cdef bint make_room(self, Batch b, Py_ssize_t room) except -1
    cdef int fill(self, Batch b, source) except -1
    cdef int close(self, Batch b) except -1
    # Called behind the last bytes: what the decoder still holds back goes into `b`. Not 0: that is full, and there is more.
    cdef int finish(self, Batch b) except -1
    # What pardon does with damage: counts it and tells on_skip.
    cdef int skip(self, error) except -1
    cdef int override(self, Batch b) except -1

# Batches -> bytes. A subclass gives encode(); it must look at wanted() for each message.
cdef class Encoder:
    cdef public uint32_t types
    cdef public uint32_t directions         # bit 0: R, bit 1: L
    cdef readonly uint64_t written          # messages
    cdef uint16_t unwanted                  # flags of the messages to leave out
    cpdef int encode(self, Batch b, Buffer out) except -1
    cdef inline bint wanted(self, const msg_t* m) noexcept nogil:
        if m.flags & self.unwanted:
            return False
        if not (self.directions >> (m.flags & MSG_LEFT)) & 1:
            return False
        return (self.types >> (m.type if m.type < 32 else 0)) & 1

# Messages back to back. A subclass may put others in place of some: where it is `bound` to a context, of those of another one, and of
# what is longer than `limit`.
cdef class RawEncoder(Encoder):
    cdef bint bound
    cdef ctx_t ctx
    cdef uint32_t limit
    cdef inline bint passes(self, const msg_t* m) noexcept nogil:
        return self.wanted(m) and m.len <= self.limit and (m.ctx == self.ctx or not self.bound)
    # What leaves in place of a message that is wanted, and does not pass; adds to `written`.
    cdef int put_other(self, const msg_t* m, Buffer out) except -1 nogil
    cdef Py_ssize_t size_of(self, const msg_t* m, const msg_t* end) noexcept nogil

cdef inline bint wanted_type(uint32_t types, uint8_t t) noexcept nogil:
    return (types >> (t if t < 32 else 0)) & 1

# ---- parsing ------------------------------------------------------------------------------------------------------
# The index of an UPDATE (made in the batch's arena when it is not there yet); NULL if the message does not parse that far,
# m.status then says why.
cdef attrs_t* index_attrs(Batch b, msg_t* m) except? NULL nogil
# Checks a message of any type to its last octet, sets m.status; returns it. `e` may be NULL.
cdef uint8_t check(msg_t* m, error_t* e) noexcept nogil
# One attribute's value: True if it parses (RFC 4271, 4760, ... each attribute's own), whatever its flags.
cdef bint check_attr(uint8_t code, const uint8_t* p, uint32_t n, ctx_t ctx) noexcept nogil
# Packed prefixes of `bits` (32 or 128) at most to the end of p[:n], with path ids or not.
cdef bint check_prefixes(const uint8_t* p, uint32_t n, uint32_t bits, bint addpath) noexcept nogil

cdef int64_t now_ns() noexcept nogil
# Packed tags (msg_t.tags without the count); None: removed. InputError for what is too long, or no text.
cdef dict unpack_pairs(const uint8_t* p, uint32_t n)
cdef bytes pack_pairs(dict tags)

# The MessageError that says where a message does not parse.
cdef object message_error(msg_t* m)
# Subcode of RFC 4271 section 6.3 for a value that does not parse.
cdef uint8_t attr_subcode(uint8_t code) noexcept nogil
# Keyed for each process (SipHash, Python's own for bytes): no input can be made to meet in one slot of a table.
cdef uint64_t hash_bytes(const uint8_t* p, uint32_t n) noexcept nogil
