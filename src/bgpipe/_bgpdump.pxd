# cython: language_level=3
"""The text of `bgpdump -m`, written only. The code is in _bgpdump.pyx."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from bgpipe._codec cimport Buffer, Encoder
from bgpipe._message cimport msg_t, peer_t

cdef enum:
    PEER_CACHE = 256

cdef struct peer_text_t:                    # a peer as it is in all of its lines: "|192.0.2.1|65001|"
    uint64_t epoch                          # of the encode() call that it was made in
    const peer_t* peer
    uint8_t text[63]
    uint8_t len

cdef class BgpdumpEncoder(Encoder):
    cdef uint64_t epoch
    cdef peer_text_t cache[PEER_CACHE]
    cdef Buffer tail                        # what follows the prefix in a line, for all prefixes of one next hop
    cdef const peer_text_t* peer_text(self, const peer_t* peer) noexcept nogil
    cdef int put_message(self, const msg_t* m, Buffer out) except -1 nogil
    cdef int leave_out(self, const msg_t* m) except -1
