# cython: language_level=3
"""Counters of the stage metrics.

Counting is what encoding is for others: any thread counts a batch into a buffer, and what is in there is added to the totals when the
batch's turn has come. So a batch that was read ahead, but never got there, does not count.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset
from bgpipe._codec cimport Batch, Buffer, Encoder
from bgpipe._message cimport MSG_LEFT, msg_t

cdef enum:
    TYPES = 256


@cython.final
cdef class CountEncoder(Encoder):
    """Batches -> counts: 2 x 256 of direction and type, then one for each program of a filter, all of 64 bits."""

    cdef tuple programs

    def __init__(self, programs=(), **options):
        super().__init__(**options)
        self.programs = tuple(programs)

    cpdef int encode(self, Batch b, Buffer out) except -1:
        cdef uint64_t counts[2 * TYPES]
        cdef uint64_t count
        cdef uint64_t before = self.written
        cdef const char* match
        cdef bytes matches
        cdef msg_t* m
        cdef uint32_t i
        if b is None or out is None:
            raise TypeError("encode() takes a Batch and a Buffer")
        memset(counts, 0, sizeof(counts))
        for m in b.msgs[:b.n]:
            if self.wanted(m):
                counts[(m.flags & MSG_LEFT) * TYPES + m.type] += 1
                self.written += 1
        if self.written == before:
            return 0
        out.append(counts, sizeof(counts))
        for program in self.programs:
            matches = program.matches(b)
            if PyBytes_GET_SIZE(matches) < b.n:
                raise ValueError(f"matches of {len(matches)} messages, for a batch of {b.n}")
            match = PyBytes_AS_STRING(matches)
            count = 0
            for i in range(b.n):
                count += match[i] and self.wanted(b.msgs + i)
            out.append(&count, sizeof(count))
        return 0


@cython.final
cdef class Counters:
    """Totals of what CountEncoder makes. They may be read while another thread adds to them."""

    cdef uint64_t counts[2 * TYPES]
    cdef tuple matched

    def __init__(self, rules=0):
        self.matched = (0,) * rules

    def add(self, Buffer counts not None):
        """Add what a CountEncoder for as many rules has put into a buffer."""
        cdef uint64_t count
        cdef int i
        if counts.len != <Py_ssize_t>((2 * TYPES + len(self.matched)) * sizeof(uint64_t)):
            raise ValueError(f"{counts.len} octets are no counts of {len(self.matched)} rules")
        for i in range(2 * TYPES):
            memcpy(&count, counts.data + i * sizeof(count), sizeof(count))
            self.counts[i] += count
        matched = []
        for total in self.matched:
            i += 1
            memcpy(&count, counts.data + i * sizeof(count), sizeof(count))
            matched.append(total + count)
        self.matched = tuple(matched)

    def messages(self):
        """Messages by ("R" or "L", number of the type), those that there were."""
        cdef int i
        return {("L" if i >= TYPES else "R", i % TYPES): self.counts[i] for i in range(2 * TYPES) if self.counts[i]}

    def matches(self):
        """Messages that matched, a number for each rule."""
        return self.matched
