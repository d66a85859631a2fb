# cython: language_level=3
"""MRT both ways (RFC 6396, RFC 8050). The decoder's contract is that of _codec.pxd; what is special to MRT stands here."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from bgpipe._codec cimport Batch, Buffer, Encoder
from bgpipe._message cimport ctx_t, msg_t, peer_t
from bgpipe._records cimport RecordDecoder
from bgpipe._rib cimport Rib

cdef enum:
    PEER_CACHE = 256

cdef class MrtDecoder(RecordDecoder):
    cdef ctx_t context                      # of BGP4MP messages, beside what their records say
    cdef readonly uint64_t state_changes    # STATE_CHANGE records, skipped
    cdef readonly uint64_t unknown          # records of types and subtypes that carry nothing for us, skipped
    cdef Rib rib
    cdef uint64_t doubt                     # where swallows() goes on once there is more input
    cdef const peer_t* cache[PEER_CACHE]    # peers of self.peers by a cheap hash of the record's peer header
    cdef int swallows(self, const uint8_t* p, Py_ssize_t i, Py_ssize_t n, bint eof) noexcept nogil
    cdef int stop(self, int why) noexcept nogil
    cdef const peer_t* intern(self, Batch b, const uint8_t* key, uint32_t key_len) except NULL

cdef struct header_t:                       # the peer header of a BGP4MP record, ready made
    uint64_t epoch                          # of the encode() call that it was made in
    const peer_t* peer
    uint8_t as_len, len
    uint8_t data[44]

cdef class MrtEncoder(Encoder):
    cdef uint64_t epoch
    cdef header_t cache[PEER_CACHE]
    cdef const header_t* header_of(self, const peer_t* peer, uint32_t as_len) noexcept nogil
    cdef int leave_out(self, const msg_t* m) except -1
