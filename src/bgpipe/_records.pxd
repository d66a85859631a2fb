# cython: language_level=3
"""What decoders of records have in common: damage, and what becomes of it. A record says itself how long it is."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from bgpipe._codec cimport Batch, Decoder
from bgpipe._message cimport ctx_t

cdef enum:                      # answers
    NO = 0
    YES = 1
    WAIT = 2                    # more input will tell

cdef class RecordDecoder(Decoder):
    cdef public bint recover                # search the next plausible record behind damage
    cdef readonly uint64_t lost_bytes       # what recovering passed over
    cdef readonly list lost                 # the first of its ranges: (start, end) in the decompressed stream
    cdef const char* what                   # why scan() stopped at a damaged record; NULL: it did not
    cdef object reason                      # the error that started the search under way, or None
    cdef uint64_t lost_from
    # A subclass gives these four.
    # Frames whole records of p[i:n] into b; returns where it stopped: at a record not whole yet, or at damage (self.what).
    cdef Py_ssize_t scan(self, Batch b, const uint8_t* p, Py_ssize_t i, Py_ssize_t n, bint eof) except -1 nogil
    # Octets of the record at p[:n] as its header has it; 0: the header is not there, or that cannot be.
    cdef Py_ssize_t size_of(self, const uint8_t* p, Py_ssize_t n) noexcept nogil
    # Whether a record begins at p[:n]: NO, YES or WAIT. In constant time, and asked for each place of a search.
    cdef int plausible(self, const uint8_t* p, Py_ssize_t n, bint eof) noexcept nogil
    # The RecordError for the record at p[:n]: self.what, or that it is cut short.
    cdef object damage(self, const uint8_t* p, Py_ssize_t n, uint64_t offset)
    cdef Py_ssize_t search(self, const uint8_t* p, Py_ssize_t i, Py_ssize_t n, bint eof, bint* found) noexcept nogil
    cdef int lose(self, uint64_t end) except -1

# Whether the AS_PATH of an UPDATE does not parse in the opposite of `other`, but does in `other`.
cdef bint reads_better(const uint8_t* wire, uint32_t n, ctx_t other) noexcept nogil
