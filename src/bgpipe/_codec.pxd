# cython: language_level=3
"""The batch core as the other compiled modules see it. Contracts stand here; the code is in _codec.pyx."""

from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from bgpipe._message cimport MSG_LEFT, STATUS_OK, attrs_t, ctx_t, msg_t, peer_t

# ---- peers: what the messages of one peer share -----------------------------------------------------------------
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
    cdef readonly uint64_t skipped          # messages that the format cannot say, wholly or in part
    cdef public object on_skip              # called with an InputError for each of them
    cdef uint16_t unwanted                  # flags of the messages to leave out
    cdef public Py_ssize_t part             # octets behind which encode() stops, if there can be many more; 0: not at all
    cdef uint32_t next                      # message of the batch that go_on() begins with, where it is not 0
    cpdef int encode(self, Batch b, Buffer out) except -1
    cpdef int go_on(self, Batch b, Buffer out) except -1
    cdef inline bint wanted(self, const msg_t* m) noexcept nogil:
        if m.flags & self.unwanted:
            return False
        if not (self.directions >> (m.flags & MSG_LEFT)) & 1:
            return False
        return (self.types >> (m.type if m.type < 32 else 0)) & 1
    # Counts a message that the format cannot say, and tells on_skip.
    cdef int skip(self, error) except -1

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

# ---- parsing ------------------------------------------------------------------------------------------------------
# The index of an UPDATE (made in the batch's arena when it is not there yet); NULL if the message does not parse that far,
# m.status then says why.
cdef attrs_t* index_attrs(Batch b, msg_t* m) except? NULL nogil
cdef int64_t now_ns() noexcept nogil
# Packed tags (msg_t.tags without the count); None: removed. InputError for what is too long, or no text.
cdef dict unpack_pairs(const uint8_t* p, uint32_t n)
cdef bytes pack_pairs(dict tags)

# Keyed for each process (SipHash, Python's own for bytes): no input can be made to meet in one slot of a table.
cdef uint64_t hash_bytes(const uint8_t* p, uint32_t n) noexcept nogil
