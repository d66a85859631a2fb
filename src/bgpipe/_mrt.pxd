# cython: language_level=3
"""MRT both ways (RFC 6396, RFC 8050). The decoder's contract is that of _codec.pxd; what is special to MRT stands here."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from bgpipe._codec cimport Batch, Buffer, Encoder, PeerTable
from bgpipe._guess cimport guess_t
from bgpipe._message cimport ctx_t, msg_t, peer_t
from bgpipe._records cimport RecordDecoder
from bgpipe._rib cimport Rib

cdef enum:
    PEER_CACHE = 256

cdef class MrtDecoder(RecordDecoder):
    cdef public bint guess_asn              # find out how long AS numbers are, whatever records say
    cdef public bint guess_addpath          # find out which prefixes carry path ids that no record declares
    cdef ctx_t context                      # of BGP4MP messages, beside what their records say
    cdef readonly uint64_t state_changes    # STATE_CHANGE records, skipped
    cdef readonly uint64_t unknown          # records of types and subtypes that carry nothing for us, skipped
    cdef Rib rib
    cdef uint64_t doubt                     # where swallows() goes on once there is more input
    cdef const peer_t* cache[PEER_CACHE]    # peers of self.peers by a cheap hash of the record's peer header
    cdef guess_t* guesses                   # of self.peers: at twice their index of what is received, behind it of what is sent
    cdef uint32_t guesses_n
    cdef int swallows(self, const uint8_t* p, Py_ssize_t i, Py_ssize_t n, bint eof) noexcept nogil
    cdef int stop(self, int why) noexcept nogil
    cdef void forget(self, const peer_t* peer) noexcept nogil
    cdef int more_guesses(self, uint32_t n) except -1 nogil
    cdef int guess(self, Batch b, msg_t* m, guess_t* g) except -1 nogil
    cdef const peer_t* told(self, Batch b, const peer_t* peer, ctx_t families, uint32_t as_size) except NULL nogil
    cdef const peer_t* tell(self, Batch b, const peer_t* peer, const uint8_t* key, uint32_t key_len, ctx_t families,
                            uint32_t as_size) except NULL
    cdef PeerTable table_with_room(self, Batch b)
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
