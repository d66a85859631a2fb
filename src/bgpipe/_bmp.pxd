# cython: language_level=3
"""BMP both ways (RFC 7854, 8671, 9069), bare or in OpenBMP messages. What is special to it stands here."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from bgpipe._codec cimport Batch, Buffer, Encoder
from bgpipe._message cimport ctx_t, msg_t, peer_t
from bgpipe._records cimport RecordDecoder

cdef enum:
    PEER_HEAD = 34                          # octets of a per-peer header less its time
    RECENT = 256

cdef struct offer_t:                        # what an OPEN offers, as far as decoding depends on it
    bint as4, extended
    uint64_t sends, receives                # families with path ids, a bit each

cdef struct recent_t:                       # a per-peer header that was seen, and what its messages get
    const peer_t* peer
    ctx_t ctx
    uint32_t router
    uint32_t epoch
    bint doubtful                           # AS numbers of four octets, it says, but the OPENs agreed on two
    uint8_t head[PEER_HEAD]

# What the OPENs of one peer of one router say, as long as it is up, and then that it is down.
cdef class Session:
    cdef ctx_t from_peer, to_peer           # contexts of Adj-RIB-In and Adj-RIB-Out
    cdef bint short_as                      # its AS numbers take two octets
    cdef uint32_t generation                # how often it came up and went down
    cdef bytes said                         # by its Peer Up message behind the per-peer header; b"": it is down

cdef class BmpDecoder(RecordDecoder):
    cdef bint wrapped                       # in OpenBMP messages
    cdef bint everything                           # messages of other kinds than Route Monitoring, too
    cdef bint peer_tags                     # tags for all of the per-peer header
    cdef ctx_t context                      # of all messages, beside what sessions say
    cdef uint64_t counts[8]                 # BMP messages by type, 7: all others
    cdef readonly list events               # peers that went up and down, until take_events(); bounded
    cdef readonly uint64_t events_lost      # which were too many for that
    cdef dict sessions                      # (router, per-peer header less flags, AS and identifier) -> Session
    cdef size_t session_bytes               # of `said` in all
    cdef dict routers                       # what of an OpenBMP header does not change -> (number, tags)
    cdef dict router_tags
    cdef uint32_t router, next_router
    cdef bytes router_octets                # the key of `routers` that `router` is of; what follows points into it
    cdef const uint8_t* router_key
    cdef uint32_t router_len
    cdef uint8_t router_flag
    cdef size_t router_bytes
    cdef uint32_t inner                     # octets of the BMP messages of an OpenBMP message that earlier batches have
    cdef size_t text                        # of the tags of all messages of the batch under way
    cdef uint32_t epoch                     # of entries of `recent` that hold
    cdef int64_t collected                  # time of the OpenBMP header, ns
    cdef recent_t recent[RECENT]
    # One whole message, or what stands in one. They return 1 for damage.
    cdef bint is_full(self, Batch b) noexcept nogil
    cdef int message(self, Batch b, const uint8_t* p, uint32_t n) except -1 nogil
    cdef int openbmp(self, Batch b, const uint8_t* p, uint32_t head, uint32_t n) except -1 nogil
    cdef int route_monitoring(self, Batch b, const uint8_t* p, uint32_t n) except -1 nogil
    cdef int peer_up(self, Batch b, const uint8_t* p, uint32_t n) except -1 nogil
    cdef int peer_down(self, Batch b, const uint8_t* p, uint32_t n) except -1 nogil
    cdef int route_mirroring(self, Batch b, const uint8_t* p, uint32_t n) except -1 nogil
    cdef int add(self, Batch b, const uint8_t* head, const uint8_t* wire, uint32_t n, bint is_local, bint is_mirrored) except -1 nogil
    cdef const recent_t* peer_of(self, Batch b, const uint8_t* head) except NULL nogil
    cdef int find(self, Batch b, recent_t* r) except -1
    cdef int find_router(self, const uint8_t* p, uint32_t n, uint8_t flag) except -1
    cdef dict tags_of(self, const uint8_t* head)
    cdef Session session_of(self, const uint8_t* head, bint make)
    cdef int came_up(self, const uint8_t* head, const uint8_t* body, uint32_t n, const offer_t* sent, const offer_t* received) except -1
    cdef int say(self, Session session, bytes said) except -1
    cdef int went_down(self, const uint8_t* head, uint8_t reason) except -1
    cdef int closed(self) except -1
    cdef int happened(self, str name, const uint8_t* head, str text) except -1

cdef struct told_t:                         # a peer, and what a station has been told of it
    uint64_t epoch                          # of the encode() call that it was made in
    const peer_t* peer
    const uint8_t* up                       # body of its Peer Up message; NULL: there is to be one first
    const uint8_t* prefix                   # OpenBMP header
    uint64_t families                       # with path ids, as that message has it, a bit each
    uint32_t up_len, prefix_len
    uint8_t head[PEER_HEAD]

cdef class BmpEncoder(Encoder):
    cdef bint wrapped
    cdef uint64_t epoch
    cdef dict prefixes, bodies              # what `recent` points into
    cdef size_t prefix_bytes
    cdef told_t recent[RECENT]
    cdef told_t* told(self, const peer_t* peer) except NULL nogil
    cdef void retract(self, const told_t* t) noexcept nogil
    cdef int introduce(self, Batch b, msg_t* m, told_t* t) except -1
    cdef int find_prefix(self, told_t* t) except -1
    cdef int put(self, Buffer out, const told_t* t, const msg_t* m, uint8_t kind, const uint8_t* body, uint32_t n) except -1 nogil
    cdef int leave_out(self, const msg_t* m) except -1

cdef class Repeats:
    cdef bint wrapped
    cdef bint begun                         # the Initiation message is out
    cdef dict said                          # router and peer -> hash of its Peer Up message; bounded
    cdef bint knows(self, const uint8_t* p, const uint8_t* r) except -1
