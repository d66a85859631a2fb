# cython: language_level=3
"""Decoders of records (MRT, BMP): framing, and what becomes of damage.

`scan` frames whole records without the GIL. Where one is damaged, it stops there and `frame` decides: end the input, skip the
record (`pardon`), or search the next plausible one (`recover`).
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from bgpipe._check cimport check_attr
from bgpipe._codec cimport Batch, Decoder
from bgpipe._message cimport CTX_AS2, attr_t, ctx_t, next_attr
from bgpipe._wire cimport be16

cdef enum:
    HEADER_LEN = 19             # of a BGP message
    MAX_LOST = 1000             # ranges remembered


cdef class RecordDecoder(Decoder):
    """Records -> batches.

    Options of `Decoder`, and: recover: behind damage, go on with the next plausible record; `lost` tells what was passed over.
    """

    def __cinit__(self, *args, **options):
        self.lost = []

    def __init__(self, *, bint recover=False, **options):
        super().__init__(**options)
        self.recover = recover

    cdef Py_ssize_t frame(self, Batch b, const uint8_t* p, Py_ssize_t n, bint eof) except -1:
        cdef Py_ssize_t i = 0, size
        cdef bint found = False
        while True:
            if self.reason is not None:
                with nogil:
                    i = self.search(p, i, n, eof, &found)
                if not (found or eof):
                    return i
                self.lose(self.offset + i)
                if not found:
                    return i
            with nogil:
                i = self.scan(b, p, i, n, eof)
            if self.paused:
                return i
            size = self.size_of(p + i, n - i)
            if self.what == NULL and (i == n or not eof):
                self.need = size
                return i
            error = self.damage(p + i, n - i, self.offset + i)
            error.cut_short = self.what == NULL
            if self.recover:
                self.reason = error
                self.lost_from = self.offset + i
                i += 1
            elif self.pardon and (self.what == NULL or size):
                if self.what == NULL:
                    size = n - i
                if size > n - i and not eof:
                    self.need = size
                    return i
                self.records += 1
                self.skip(error)
                i += min(size, n - i)
            else:
                b.error = error
                return i

    cdef Py_ssize_t search(self, const uint8_t* p, Py_ssize_t i, Py_ssize_t n, bint eof, bint* found) noexcept nogil:
        # The next plausible record of p[i:n], or where to go on once there is more input.
        cdef int answer
        found[0] = False
        while i < n:
            answer = self.plausible(p + i, n - i, eof)
            if answer == YES or (answer == WAIT and not eof):
                found[0] = answer == YES
                return i
            i += 1
        return i

    cdef int lose(self, uint64_t end) except -1:
        reason = self.reason
        self.reason = None
        self.records += 1
        self.lost_bytes += end - self.lost_from
        if len(self.lost) < MAX_LOST:
            self.lost.append((self.lost_from, end))
        self.skip(type(reason)(f"{reason}; lost bytes {self.lost_from} to {end}", offset=self.lost_from, record=reason.record))
        return 0

    cdef Py_ssize_t scan(self, Batch b, const uint8_t* p, Py_ssize_t i, Py_ssize_t n, bint eof) except -1 nogil:
        with gil:
            raise TypeError("a RecordDecoder is used through its subclasses")

    cdef Py_ssize_t size_of(self, const uint8_t* p, Py_ssize_t n) noexcept nogil:
        return 0

    cdef int plausible(self, const uint8_t* p, Py_ssize_t n, bint eof) noexcept nogil:
        return NO

    cdef object damage(self, const uint8_t* p, Py_ssize_t n, uint64_t offset):
        raise TypeError("a RecordDecoder is used through its subclasses")


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
