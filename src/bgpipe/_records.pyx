# cython: language_level=3
"""Decoders of records (MRT, BMP): framing, what becomes of damage, and of what records do not say of a peer.

`scan` frames whole records without the GIL. Where one is damaged, it stops there and `frame` decides: end the input, skip the
record (`pardon`), or search the next plausible one (`recover`).
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset
from bgpipe._codec cimport Batch, Decoder, PeerTable, next_table, unpack_pairs
from bgpipe._guess cimport guess_addpath, guess_as_size, guess_t, tag_of_families
from bgpipe._json_text cimport put_address
from bgpipe._message cimport CTX_ADDPATH_SHIFT, CTX_AS2, ctx_t, msg_t, peer_t

cdef enum:
    MAX_LOST = 1000             # ranges remembered


cdef class RecordDecoder(Decoder):
    """Records -> batches.

    Options of `Decoder`, and: recover: behind damage, go on with the next plausible record; `lost` tells what was passed over.
    guess_asn, guess_addpath: find out for the messages of a peer how long AS numbers are, and which prefixes carry path ids,
    where records do not say so (_guess.pyx). Tags AS_SIZE and ADDPATH tell of it.
    """

    def __cinit__(self, *args, **options):
        self.lost = []

    def __dealloc__(self):
        free(self.guesses)

    def __init__(self, *, bint recover=False, bint guess_asn=False, bint guess_addpath=False, **options):
        super().__init__(**options)
        self.recover = recover
        self.guess_asn = guess_asn
        self.guess_addpath = guess_addpath

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

    cdef void forget_peers(self) noexcept nogil:
        pass

    cdef PeerTable table_with_room(self, Batch b):
        if self.peers.full():
            self.forget_peers()
            if self.guesses != NULL:        # of none even no octets may be set
                memset(self.guesses, 0, self.guesses_n * sizeof(guess_t))
            self.peers = next_table(self.peers, b)
        return self.peers

    # ---- what records do not say ------------------------------------------------------------------------------------

    cdef int more_guesses(self, uint32_t n) except -1 nogil:
        cdef guess_t* guesses = <guess_t*>realloc(self.guesses, n * sizeof(guess_t))
        if guesses == NULL:
            with gil:
                raise MemoryError()
        memset(guesses + self.guesses_n, 0, (n - self.guesses_n) * sizeof(guess_t))
        self.guesses = guesses
        self.guesses_n = n
        return 0

    cdef void forget(self, const peer_t* peer) noexcept nogil:
        if GUESSES * peer.index < self.guesses_n:
            memset(&self.guesses[GUESSES * peer.index], 0, GUESSES * sizeof(guess_t))

    cdef int look(self, Batch b, msg_t* m, guess_t* g) except -1 nogil:
        cdef ctx_t families = 0
        cdef uint32_t as_size = 0
        if self.guess_addpath:
            families = guess_addpath(g, m.wire, m.len, m.ctx, self.doubts)
        if self.guess_asn:
            as_size = guess_as_size(g, m.wire, m.len, m.ctx)
            if as_size == (2 if m.ctx & CTX_AS2 else 4):
                as_size = 0
        if families or as_size:
            m.ctx ^= families
            if as_size:
                m.ctx ^= CTX_AS2
            m.peer = self.told(b, m, families, as_size)
        return 0

    cdef const peer_t* told(self, Batch b, const msg_t* m, ctx_t families, uint32_t as_size) except NULL nogil:
        # The peer with tags that say what was found out. It has its record beside the other one: no header of a peer is as long.
        cdef uint8_t key[64]
        cdef const peer_t* peer = m.peer
        cdef const peer_t* found
        memcpy(key, peer.key, peer.key_len)
        key[peer.key_len] = <uint8_t>(families >> CTX_ADDPATH_SHIFT)
        key[peer.key_len + 1] = <uint8_t>as_size
        found = self.peers.get(key, peer.key_len + 2)
        if found == NULL:
            with gil:
                found = self.tell(b, m, key, peer.key_len + 2, families, as_size)
        return found

    cdef const peer_t* tell(self, Batch b, const msg_t* m, const uint8_t* key, uint32_t key_len, ctx_t families,
                            uint32_t as_size) except NULL:
        cdef const peer_t* peer = m.peer
        cdef PeerTable before = self.peers, table
        cdef peer_t* found
        cdef bytes said
        tags = unpack_pairs(peer.pairs, peer.pairs_len)
        if families:
            tags["ADDPATH"] = f"guessed {tag_of_families(families, m.ctx)}"
        if as_size:
            tags["AS_SIZE"] = f"guessed {as_size}"
        table = self.table_with_room(b)
        found = table.add(key, key_len, tags)
        found.view = peer.view
        found.up = peer.up
        found.up_len = peer.up_len
        if peer.up != NULL and table is not before:
            said = PyBytes_FromStringAndSize(<const char*>peer.up, peer.up_len)
            own_up(table, found, said)
        return found


cdef str address_text(const uint8_t* p, uint32_t n):
    cdef uint8_t text[64]
    return PyBytes_FromStringAndSize(<const char*>text, put_address(text, p, n) - text).decode("ascii")


cdef int own_up(PeerTable table, peer_t* peer, bytes said) except -1:
    table.owned.append(said)
    table.bytes_used += PyBytes_GET_SIZE(said)
    peer.up = <const uint8_t*>PyBytes_AS_STRING(said)
    peer.up_len = <uint32_t>PyBytes_GET_SIZE(said)
    return 0
