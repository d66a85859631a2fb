# cython: language_level=3
"""Programs of filters, run over batches."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from bgpipe._codec cimport Batch
from bgpipe._message cimport msg_t
from bgpipe._prefixset cimport prefixes_t

cdef struct op_t:                           # one test, and where to go from it
    int32_t yes, no                         # number of the next test, or what is decided
    uint8_t code
    uint8_t how                             # EQUAL ...
    uint8_t which                           # attribute code; REACH | UNREACH; ANY_FAMILY ...
    bint invert                             # != and !~: the other way round where the message has the attribute
    bint all                                # every prefix must fit
    int32_t index                           # hop
    uint32_t function                       # in Program.functions
    uint32_t bits, family                   # a network or address: length, 4 or 6
    uint64_t low, high                      # numbers: least and greatest; networks: the address, left-aligned
    uint32_t shortest, longest              # prefix lengths that fit
    uint32_t width, count                   # items
    const uint8_t* items                    # what is looked for, sorted; owned by Program.owned
    const prefixes_t* table                 # owned by a PrefixSet in Program.functions

cdef struct look_t                          # what has been seen of one message
cdef struct asked_t                         # what a slow test is asked about

# Remembers what slow tests said about which octets. Of one run at a time.
cdef struct memo_slot_t:
    uint32_t hash
    uint32_t offset                         # of the key, in `keys`
    uint16_t length                         # of it; 0: empty
    uint8_t found

cdef class Memo:
    cdef memo_slot_t* slots
    cdef uint8_t* keys
    cdef uint32_t used, count               # octets of `keys`, slots
    cdef uint8_t* scratch                   # the key that is looked up
    cdef uint32_t scratch_len
    cdef uint64_t hash                      # of that
    cdef memo_slot_t* probe(self) noexcept nogil
    cdef memo_slot_t* lookup(self) noexcept nogil
    cdef void remember(self, bint found) noexcept nogil

cdef class Program:
    cdef op_t* ops
    cdef uint32_t n, cap
    cdef int32_t update, other              # where to begin, for UPDATEs and for other types
    cdef bint slow                          # some tests need Python
    cdef list functions, owned, memos
    cdef uint16_t places[256]               # by attribute code: where look_t has it, or NO_PLACE
    cdef uint32_t wanted                    # attributes that have a place
    # out[i] = 1 where message i matches, else 0; `skipped` for other directions, and for messages with a flag of `unseen`.
    # directions: bit 0: R, bit 1: L.
    cdef int run(self, Batch b, uint8_t* out, uint32_t directions=*, uint16_t unseen=*, uint8_t skipped=*) except -1
    cdef int need(self, int32_t at) except -1
    cdef Memo take_memo(self)
    cdef int test(self, const op_t* op, Batch b, uint32_t i, look_t* l, Memo memo, bint python) except -1 nogil
    cdef int ask_message(self, const op_t* op, Batch b, uint32_t i) except -1 with gil
    cdef int decide(self, Batch b, uint32_t i, look_t* l, Memo memo, bint python) except -1 nogil
    cdef int ask(self, const op_t* op, const asked_t* about, Memo memo, bint python) except -1 nogil
    cdef int ask_tags(self, const op_t* op, const msg_t* m, Memo memo, bint python) except -1 nogil
