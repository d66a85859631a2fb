# cython: language_level=3
"""Counters of the stage metrics."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t, uint64_t
from bgpipe._codec cimport Batch, MSG_LEFT, MSG_UNSEEN, msg_t


@cython.final
cdef class Counters:
    """Messages by direction and type, and those that match rules. Several threads may add at once: none lets go of the GIL."""

    cdef uint64_t counts[2][256]
    cdef list matched

    def __init__(self, rules=0):
        self.matched = [0] * rules

    def add(self, Batch batch not None, uint32_t directions, list matches):
        """Count the messages of these directions that a stage gets to see. matches: for each rule an octet a message."""
        cdef msg_t* m
        cdef bytes rule
        cdef const char* match
        cdef uint32_t i, k, n
        for m in batch.msgs[:batch.n]:
            if not m.flags & MSG_UNSEEN and (directions >> (m.flags & MSG_LEFT)) & 1:
                self.counts[m.flags & MSG_LEFT][m.type] += 1
        for k, rule in enumerate(matches):
            if PyBytes_GET_SIZE(rule) < batch.n:
                raise ValueError(f"matches of {len(rule)} messages, for a batch of {batch.n}")
            match = PyBytes_AS_STRING(rule)
            n = 0
            for i in range(batch.n):
                m = batch.msgs + i
                n += match[i] and not m.flags & MSG_UNSEEN and (directions >> (m.flags & MSG_LEFT)) & 1
            self.matched[k] += n

    def messages(self):
        """Messages by ("R" or "L", number of the type), those that there were."""
        cdef int left, kind
        return {
            ("L" if left else "R", kind): self.counts[left][kind]
            for left in range(2) for kind in range(256) if self.counts[left][kind]
        }

    def matches(self):
        """Messages that matched, a number for each rule."""
        return tuple(self.matched)
