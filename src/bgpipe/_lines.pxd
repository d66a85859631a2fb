# cython: language_level=3
"""Lines of text -> batches: what the readers of such formats share. The code is in _lines.pyx."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from bgpipe._codec cimport Batch, Decoder
from bgpipe._message cimport ACTION_DROP, CTX_EXTENDED, MSG_ACCEPTED, MSG_DROPPED, msg_t, peer_t

cdef enum:
    STANDARD_MESSAGE = 4096        # RFC 4271 section 4.1; longer ones are extended (RFC 8654)

# A subclass gives take(), deliver() and lenient(), and sets `longest` and `error_type`.
cdef class LineDecoder(Decoder):
    cdef uint8_t* line           # owned: a line that ends too near to the end of its block, with room behind it
    cdef Py_ssize_t line_cap
    cdef Py_ssize_t scanned      # bytes at the start of the next block known to hold no line end
    cdef Py_ssize_t longest      # octets of a line; longer ones are damage
    cdef bint discard            # pardon: within a line that is too long
    cdef object error_type       # of InputError: what damage is
    cdef public bint native
    cdef readonly uint64_t fallbacks
    cdef int run(self, Batch b, const uint8_t* p, Py_ssize_t n, bint eof, Py_ssize_t* at, Py_ssize_t* size) except -1 nogil
    # The native reader. One line; *end is its line feed or a copy of one, and SLACK bytes behind it (_scan.pxd) may be read.
    # False: it is not one of those that are known, and lenient() gets it.
    cdef bint take(self, const uint8_t* p, const uint8_t* end) noexcept nogil
    # What take() made, into `b`. 0: that needs Python first, which is settle().
    cdef int deliver(self, Batch b) except -1 nogil
    # False: it cannot be, and lenient() gets the line.
    cdef bint settle(self, Batch b) except -1
    # One line in Python, `offset` octets into the stream.
    cdef int lenient(self, Batch b, const uint8_t* p, Py_ssize_t n, uint64_t offset) except -1
    cdef int damaged(self, Batch b, str problem, uint64_t offset) except -1
    # A message that Python made, at the end of `b`: all but what the line says of it.
    cdef msg_t* put(self, Batch b, bytes wire) except NULL
    # The peer of these tags, interned under this key.
    cdef const peer_t* intern(self, Batch b, const uint8_t* key, uint32_t key_len, dict tags) except NULL
    # Called when another table of peers begins.
    cdef void forget_peers(self) noexcept
    # Called for each message, once its peer and context are set.
    cdef inline void mark(self, msg_t* m) noexcept nogil:
        if m.len > STANDARD_MESSAGE:
            m.ctx |= CTX_EXTENDED
        if m.peer.action and not self.no_tags:
            m.flags |= MSG_DROPPED if m.peer.action == ACTION_DROP else MSG_ACCEPTED
