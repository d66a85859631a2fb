# cython: language_level=3, nonecheck=True
"""Tags of whole batches. The messages of one peer share their tags, and so what they become is made once a peer."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from bgpipe._codec cimport Batch, PeerTable, next_table, pack_pairs, unpack_pairs
from bgpipe._message cimport MSG_LEFT, MSG_UNSEEN, msg_t, peer_t, view_t

cdef enum:
    RECENT = 256

ENDS = frozenset(("PEER_AS", "PEER_IP", "LOCAL_AS", "LOCAL_IP", "INTERFACE"))
VIEW = frozenset(("PEER_ID", "PEER_RD", "PEER_TYPE", "RIB"))


cdef bytes view_octets(const view_t* view):
    # Nothing for zeros, which most peers have.
    cdef bytes octets = PyBytes_FromStringAndSize(<const char*>view, sizeof(view_t))
    return octets if any(octets) else b""


cdef struct recent_t:
    const peer_t* peer
    const peer_t* tagged
    uint64_t turn                           # the batch that `peer` is kept alive by


@cython.final
cdef class Tagger:
    """What is to become of tags: first some are dropped, then some added."""

    cdef dict add
    cdef set drop
    cdef bint drop_all
    cdef PeerTable peers                    # the new ones, by what the old ones are
    cdef dict known                         # what became of peers with `ends`, and in which table: sessions have few
    cdef recent_t recent[RECENT]
    cdef uint64_t turn                      # batches so far

    def __init__(self, add, drop):
        self.add = dict(add)
        self.drop = set(drop)
        self.drop_all = "*" in self.drop
        self.peers = PeerTable()
        self.known = {}
        pack_pairs(self.add)

    def apply(self, Batch batch not None, uint32_t directions):
        """Change the tags of the messages of these directions that a stage may see."""
        cdef uint32_t i
        cdef msg_t* m
        cdef recent_t* known
        cdef const peer_t* found
        cdef uint64_t turn
        cdef bytes key
        cdef PeerTable peers = self.peers
        # Lanes share the tables under the GIL, but where Python objects are made another one may come in between: so each goes by a turn
        # of its own, and its batch keeps every table that it takes peers from.
        self.turn += 1
        turn = self.turn
        batch.keep.append(peers)
        for i in range(batch.n):
            m = batch.msgs + i
            if m.flags & MSG_UNSEEN or not (directions >> (m.flags & MSG_LEFT)) & 1:
                continue
            known = &self.recent[(<size_t>m.peer * 0x9E3779B97F4A7C15ULL) >> 56]
            if known.peer != m.peer or known.turn != turn:
                found = self.tagged_quiet(peers, m.peer) if m.peer.ends != NULL else NULL
                if found == NULL:
                    key = PyBytes_FromStringAndSize(<const char*>m.peer.pairs, m.peer.pairs_len) + view_octets(&m.peer.view)
                    found = peers.get(<const uint8_t*>PyBytes_AS_STRING(key), <uint32_t>PyBytes_GET_SIZE(key))
                if found == NULL:
                    if peers.full():
                        self.peers = peers = next_table(peers, batch)
                    found = self.tagged(peers, key, m.peer)
                known.tagged = found
                known.peer = m.peer
                known.turn = turn
            m.peer = known.tagged
            if m.tags != NULL:
                self.change_own(batch, m)

    cdef dict changed(self, dict tags):
        if self.drop_all:
            return dict(self.add)
        return {key: value for key, value in tags.items() if key not in self.drop} | self.add

    cdef const peer_t* tagged(self, PeerTable peers, bytes key, const peer_t* peer) except NULL:
        # Which RIB its messages are of stays, unless a tag says something of it, and with it what opened the session.
        cdef bytes said
        tags = self.changed(unpack_pairs(peer.pairs, peer.pairs_len))
        cdef peer_t* found = peers.add(<const uint8_t*>PyBytes_AS_STRING(key), <uint32_t>PyBytes_GET_SIZE(key), tags)
        if VIEW.isdisjoint(tags):
            found.view = peer.view
            if peer.up != NULL:
                said = PyBytes_FromStringAndSize(<const char*>peer.up, peer.up_len)
                peers.owned.append(said)
                peers.bytes_used += peer.up_len
                found.up = <const uint8_t*>PyBytes_AS_STRING(said)
                found.up_len = peer.up_len
        return found

    cdef const peer_t* tagged_quiet(self, PeerTable peers, const peer_t* peer) except? NULL:
        # What a session knows of its ends stays, unless a tag says something of them.
        cdef const peer_t* found
        cdef bytes key = PyBytes_FromStringAndSize(<const char*>peer.key, peer.key_len)
        known = self.known.get(key)
        if known is not None and known[0] is peers:
            return <const peer_t*><size_t>known[1]
        tags = self.changed(unpack_pairs(peer.pairs, peer.pairs_len))
        if not ENDS.isdisjoint(tags):
            return NULL
        found = peers.quiet(tags, unpack_pairs(peer.ends, peer.ends_len))
        self.known[key] = peers, <size_t>found
        return found

    cdef int change_own(self, Batch batch, msg_t* m) except -1:
        # Tags of the message alone would hide those of its new peer.
        cdef uint32_t n
        cdef uint8_t* p
        cdef bytes packed
        memcpy(&n, m.tags, 4)
        own = unpack_pairs(m.tags + 4, n)
        left = {k: v for k, v in own.items() if not (self.drop_all or k in self.drop or k in self.add)}
        if len(left) == len(own):
            return 0
        if not left:
            m.tags = NULL
            return 0
        packed = pack_pairs(left)
        n = <uint32_t>PyBytes_GET_SIZE(packed)
        p = batch.alloc(4 + <size_t>n)
        memcpy(p, &n, 4)
        memcpy(p + 4, PyBytes_AS_STRING(packed), n)
        m.tags = p
        return 0
