# cython: language_level=3
"""JSON lines -> batches of messages. The code and its theory are in _json_reader.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from bgpipe._codec cimport Batch, Decoder
from bgpipe._message cimport msg_t, peer_t
from bgpipe._json_update cimport draft_t

# State of the native reader between lines, and what it made of the last one.
cdef struct reader_t:
    draft_t draft
    uint64_t second_text[3]      # the text of the last second and its point, as three overlapping words
    int64_t second               # and what it is since 1970
    uint64_t seq
    int64_t time
    uint16_t flags
    uint8_t type
    const uint8_t* meta          # borrowed from the line; NULL where the line is not understood
    uint32_t meta_len
    const peer_t* recent[256]    # of the decoder's table of peers, by a cheap hash of their text

cdef class JsonDecoder(Decoder):
    cdef reader_t reader
    cdef uint8_t* line           # owned: a line that ends too near to the end of its block, with room behind it
    cdef Py_ssize_t line_cap
    cdef Py_ssize_t scanned      # bytes at the start of the next block known to hold no line end
    cdef bint discard            # pardon: within a line that is too long
    cdef object parse            # bgpipe.formats.json.parse_line, once it was needed
    cdef public bint native
    cdef readonly uint64_t fallbacks
    cdef int run(self, Batch b, const uint8_t* p, Py_ssize_t n, bint eof, Py_ssize_t* at, Py_ssize_t* size) except -1 nogil
    cdef int deliver(self, Batch b) except -1 nogil
    cdef int room_for_peer(self, Batch b) except -1
    cdef bint add_peer(self, Batch b) except -1
    cdef int lenient(self, Batch b, const uint8_t* p, Py_ssize_t n, uint64_t offset) except -1
    cdef int damaged(self, Batch b, error) except -1
    cdef void mark(self, msg_t* m) noexcept nogil
