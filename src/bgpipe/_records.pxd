# cython: language_level=3
"""What decoders of records have in common: damage, and what becomes of it; what records do not say of a peer. A record says
itself how long it is."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from bgpipe._codec cimport Batch, Decoder, PeerTable
from bgpipe._guess cimport guess_t, is_settled
from bgpipe._message cimport ctx_t, msg_t, peer_t

cdef enum:
    GUESSES = 4                 # of a peer: its kinds of messages that are each for themselves

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
    cdef public bint guess_asn              # find out how long AS numbers are, whatever records say
    cdef public bint guess_addpath          # find out which prefixes carry path ids that no record declares
    cdef bint doubts                        # and which carry none, though they are declared
    cdef guess_t* guesses                   # of self.peers: from GUESSES times their index on
    cdef uint32_t guesses_n
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
    # The table of peers, a new one where it was full; what a subclass remembers of its peers is to be forgotten then.
    cdef PeerTable table_with_room(self, Batch b)
    cdef void forget_peers(self) noexcept nogil
    # Another session of this peer may begin, to which both ends may have agreed otherwise.
    cdef void forget(self, const peer_t* peer) noexcept nogil
    # Finds out what the record of an UPDATE of self.peers does not say. which: below GUESSES, of messages of which one thing is said.
    cdef inline int guess(self, Batch b, msg_t* m, uint32_t which) except -1 nogil:
        cdef uint32_t at = GUESSES * m.peer.index + which
        if at >= self.guesses_n:
            self.more_guesses(GUESSES * (2 * m.peer.index + 16))
        if self.guess_asn or not is_settled(&self.guesses[at], m.wire, m.len):
            self.look(b, m, &self.guesses[at])
        return 0
    cdef int more_guesses(self, uint32_t n) except -1 nogil
    cdef int look(self, Batch b, msg_t* m, guess_t* g) except -1 nogil
    cdef const peer_t* told(self, Batch b, const msg_t* m, ctx_t families, uint32_t as_size) except NULL nogil
    cdef const peer_t* tell(self, Batch b, const msg_t* m, const uint8_t* key, uint32_t key_len, ctx_t families,
                            uint32_t as_size) except NULL

# The text of an IP address of 4 or 16 octets (RFC 5952; inet_ntop(3) has the dotted form for others than mapped ones, too).
cdef str address_text(const uint8_t* p, uint32_t n)

# A peer of this table has `said` as peer_t.up, which the table owns from now on.
cdef int own_up(PeerTable table, peer_t* peer, bytes said) except -1
