# cython: language_level=3
"""Routes of RIB dumps become UPDATEs: the part of the MRT decoder that remembers what came before."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from bgpipe._codec cimport Batch, Buffer, PeerTable
from bgpipe._message cimport ctx_t, peer_t

cdef struct pending_t:                      # a peer and the UPDATE that is being put together of its routes
    uint8_t* data                           # attribute bytes as they came, then prefixes as they go out; owned
    const peer_t* peer                      # in Rib.peers, if `table` is the number of that one
    ctx_t ctx
    int64_t time                            # ns, of the first record
    uint32_t size                           # what the message is reckoned at: see LIMIT
    uint32_t cap, attrs_len
    uint32_t family                         # AFI << 16 | SAFI << 8 | 1; 0: nothing is pending
    uint32_t table
    uint32_t nlri_len
    uint32_t mp_at, mp_len                  # MP_REACH within the attribute bytes, header included; mp_len 0: there is none
    uint32_t hop_at                         # its next hop likewise
    uint32_t hop_len
    bint mp                                 # the routes go into an MP_REACH
    bint zero_rd                            # with a route distinguisher of zeros before the next hop (RFC 4364 section 4.3.2)
    uint8_t key_len
    uint8_t key[20]                         # AS number (4 octets), address (4 or 16)

cdef struct record_t:                       # what the routes of one record share
    uint32_t family                         # as in pending_t
    ctx_t ctx
    int64_t time
    bint any_safi                           # the SAFI in a full MP_REACH counts

cdef struct shape_t:                        # what the attributes of a route say beyond their bytes
    uint32_t family, mp_at, mp_len, hop_at
    uint32_t hop_len
    bint mp, zero_rd

# Methods that return an int return 0, DAMAGED, which `what` then names, or PAUSED: the batch is full; the same call with
# another one goes on where this one stopped.
cdef enum:
    DAMAGED = 1
    PAUSED = 2

cdef class Rib:
    cdef PeerTable peers
    cdef uint32_t table                     # number of the PeerTable in use, from 1
    cdef bint wanted                        # UPDATEs are: else routes are only checked
    cdef uint16_t flags                     # of the messages
    cdef uint32_t sent                      # UPDATEs, since the owner last set it to 0
    cdef const char* what
    cdef pending_t* indexed                 # by the index of the last PEER_INDEX_TABLE
    cdef uint32_t indexed_n, indexed_cap
    cdef bint has_index
    cdef pending_t* named                   # peers that records name themselves, in order of first appearance
    cdef uint32_t named_n, named_cap, last
    cdef uint32_t* slots                    # hash over `named`: index + 1, 0 where free
    cdef uint32_t mask
    cdef size_t held                        # bytes of all pending_t.data
    cdef uint32_t route_at                  # entries() paused: octets of the routes before the one to go on with
    cdef uint32_t routes_done               # and how many those are; 0: it did not
    cdef Buffer scratch
    cdef int own(self, Batch b) except -1   # batches that messages may go into own the peers
    cdef int index_table(self, Batch b, const uint8_t* p, uint32_t n) except -1 nogil
    cdef int table_dump_v2(self, Batch b, const uint8_t* p, uint32_t n, uint32_t subtype, int64_t time) except -1 nogil
    cdef int table_dump(self, Batch b, const uint8_t* p, uint32_t n, uint32_t subtype, int64_t time) except -1 nogil
    cdef int entry(self, Batch b, const uint8_t* p, uint32_t n, int64_t time) except -1 nogil
    cdef int flush(self, Batch b) except -1 nogil
    cdef int entries(self, Batch b, const record_t* r, const uint8_t* p, const uint8_t* end, uint32_t count,
                     uint8_t* nlri, uint32_t nlri_len, bint path_ids) except -1 nogil
    cdef int route(self, Batch b, pending_t* e, const record_t* r, const uint8_t* attrs, uint32_t n, const uint8_t* nlri,
                   uint32_t nlri_len) except -1 nogil
    cdef int emit(self, Batch b, pending_t* e) except -1 nogil
    cdef int pause(self, uint32_t done, Py_ssize_t at) noexcept nogil
    cdef int intern(self, Batch b, pending_t* e) except -1
    cdef int room_for_peer(self, Batch b) except -1 nogil
    cdef pending_t* named_peer(self, const uint8_t* asn, uint32_t as_len, const uint8_t* ip, uint32_t ip_len) except NULL nogil
    cdef int grow_named(self) except -1 nogil
    cdef int release(self, Batch b) except -1 nogil
