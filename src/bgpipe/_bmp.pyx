# cython: language_level=3
"""BMP messages -> messages (RFC 7854), of Adj-RIB-In, Adj-RIB-Out (RFC 8671) and Loc-RIB (RFC 9069), bare or in OpenBMP messages.

The bytes of a Route Monitoring message are never copied: its UPDATE points into the block that was read. All other kinds are checked
to their last octet and counted. What decoding depends on comes from the OPENs in Peer Up messages, for each peer of each router:
path ids where one end sends and the other receives them. How long AS numbers are, the A flag of each message says by itself.

Where a BMP message is damaged, `scan` stops there and `frame` decides (_records). It is damaged if it is cut short or impossibly
long, if a length inside runs past its end, or if its BGP message has no marker. Whether an UPDATE parses behind its header is not
asked here: it passes as it came.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset
from bgpipe._check cimport check, family
from bgpipe._codec cimport FULL_BATCH, Batch, Buffer, Encoder, hash_bytes, index_attrs, unpack_pairs
from bgpipe._message cimport (
    CTX_ADDPATH_SHIFT, CTX_AS2, CTX_EXTENDED, FAMILY_IPV4_UNICAST, FAMILY_OTHER, MSG_LOCAL, MSG_RESET, STATUS_OK,
    TYPE_NOTIFICATION, TYPE_OPEN, TYPE_UPDATE, VIEW_LOC, VIEW_OUT, VIEW_POST, attrs_t, ctx_t, msg_t, peer_t, wanted_type,
)
from bgpipe._records cimport NO, WAIT, YES, RecordDecoder, address_text, own_up
from bgpipe._guess cimport reads_better
from bgpipe._wire cimport (
    ASAN, be16, be32, be64, cursor, cursor_t, left, put32, take_bytes, take_cursor, take_u8, take_u16, take_u32,
)

from bgpipe.bgp.distinguisher import to_text
from bgpipe.errors import BmpError
from bgpipe.names import MESSAGE_TYPES

cdef extern from "<arpa/inet.h>" nogil:
    enum: AF_INET
    enum: AF_INET6
    int inet_pton(int af, const char* src, void* dst)

cdef enum:                      # BMP message types (RFC 7854 section 4.1)
    ROUTE_MONITORING = 0
    STATISTICS_REPORT = 1
    PEER_DOWN = 2
    PEER_UP = 3
    INITIATION = 4
    TERMINATION = 5
    ROUTE_MIRRORING = 6
    TYPES = 7

cdef enum:
    VERSION = 3
    COMMON = 6                  # octets of the common header
    PER_PEER = 42               # and of the per-peer header behind it
    HEAD = COMMON + PER_PEER
    OPENBMP_FIXED = 12          # of an OpenBMP message, up to its length
    OPENBMP_ROUTER = 22         # where its collector and router begin
    OPENBMP_RAW = 12            # its type for BMP messages
    OPENBMP_IS_IPV6 = 0x40      # flag: the address of the router
    NEWLINE = 10
    HEADER_LEN = 19             # of a BGP message
    MAX_NAME = 1024             # octets of the name of a router or collector
    MAX_RECORD = 1 << 20
    MAX_UPDATE = HEAD + 65535   # of a Route Monitoring message, as a search takes it
    MAX_SESSIONS = 16384        # beyond it, the oldest are forgotten
    MAX_SESSION_BYTES = 2 << 20
    MAX_SAID = 4 << 10          # octets of a Peer Up message that each peer of the session keeps, and is written with
    MAX_ROUTERS = 4096
    MAX_ROUTER_BYTES = 1 << 20
    MAX_EVENTS = 1000           # between two batches

cdef enum:                      # flags of the per-peer header (RFC 7854 section 4.2)
    IS_IPV6 = 0x80              # of a Loc-RIB: that it is filtered (RFC 9069 section 4.2)
    IS_SHORT_AS = 0x20

cdef enum:
    AS_TRANS = 23456            # RFC 6793 section 9
    HOLD_TIME_S = 180           # in OPENs that are made up

cdef uint64_t ONES = 0xFFFFFFFFFFFFFFFFULL
cdef uint64_t KNOWN_FAMILIES = (1ULL << FAMILY_OTHER) - 1

# The bit of each family that has one, and its AFI and SAFI as in a capability.
FAMILIES: list[tuple[int, bytes]] = [
    (index, afi.to_bytes(2) + safi.to_bytes(1))
    for afi in (1, 2, 25, 16388)
    for safi in range(256)
    if (index := family(afi, safi)) != FAMILY_OTHER
]
INITIATION_MESSAGE: bytes = b"\3\0\0\0\x1a\4" b"\0\1\0\6bgpipe" b"\0\2\0\6bgpipe"  # sysDescr and sysName

KINDS: tuple[str, ...] = (
    "route_monitoring", "statistics_report", "peer_down", "peer_up", "initiation", "termination", "route_mirroring", "unknown"
)
DOWN_REASONS: dict[int, str] = {
    1: "the router closed the session with a NOTIFICATION",
    2: "the router closed the session without a NOTIFICATION",
    3: "the peer closed the session with a NOTIFICATION",
    4: "the peer closed the session without a NOTIFICATION",
    5: "the router does not monitor it any more",
    6: "the Loc-RIB is not monitored any more",
}


# ---- decoding -----------------------------------------------------------------------------------------------------

@cython.final
cdef class Session:
    pass


@cython.final
cdef class BmpDecoder(RecordDecoder):
    """BMP messages -> batches.

    Options of `RecordDecoder`, and: openbmp: each is in an OpenBMP message. peer_tags: tags for all that the per-peer header says.
    everything: OPENs of peers that come up, NOTIFICATIONs of those that go down, and mirrored messages, too. context: bits of ctx_t
    that messages get beside what their sessions say.
    """

    def __cinit__(self, *args, **options):
        self.events = []
        self.sessions = {}
        self.routers = {}
        self.router_tags = {}
        self.epoch = 1

    def __init__(self, *, bint openbmp=False, bint peer_tags=False, bint everything=False, ctx_t context=0, **options):
        super().__init__(**options)
        self.wrapped = openbmp
        self.doubts = True
        self.peer_tags = peer_tags
        self.everything = everything
        self.context = context

    @property
    def kinds(self):
        """How many BMP messages of each kind there were, by name."""
        return {KINDS[i]: self.counts[i] for i in range(8) if self.counts[i]}

    def take_events(self):
        """What has happened to peers since it was asked last: (name, tags, text)..., the first 1,000 of them."""
        events, self.events = self.events, []
        return events

    cdef object damage(self, const uint8_t* p, Py_ssize_t n, uint64_t offset):
        cdef uint32_t head = OPENBMP_FIXED if self.wrapped else COMMON
        where = f"{'OpenBMP' if self.wrapped else 'BMP'} message {self.records + 1} at offset {offset}"
        if self.what != NULL:
            text = f"{where} is damaged: {self.what.decode()}"
            if not self.wrapped and n >= COMMON and p[0] == VERSION:
                text += f" (type {p[5]}, length {be32(p + 1)})"
        elif n < head:
            text = f"{where} is cut short: {n} of the {head} bytes of its header are there"
        else:
            text = f"{where} is cut short: {n} of {self.size_of(p, n)} bytes are there"
        return BmpError(text, offset=offset, record=self.records + 1)

    cdef Py_ssize_t size_of(self, const uint8_t* p, Py_ssize_t n) noexcept nogil:
        if self.wrapped:
            return <Py_ssize_t>be16(p + 6) + be32(p + 8) if n >= OPENBMP_FIXED and openbmp_problem(p, n) == NULL else 0
        return be32(p + 1) if n >= COMMON and problem(p, n) == NULL else 0

    cdef int plausible(self, const uint8_t* p, Py_ssize_t n, bint eof) noexcept nogil:
        if self.wrapped:
            return plausible_openbmp(p, n)
        return plausible_message(p, n, eof)

    cdef Py_ssize_t scan(self, Batch b, const uint8_t* p, Py_ssize_t i, Py_ssize_t n, bint eof) except -1 nogil:
        cdef const uint8_t* r
        cdef Py_ssize_t size
        cdef int bad
        self.what = NULL
        while i < n:
            r = p + i
            if self.wrapped and r[0] == NEWLINE:        # what programs that print messages of Kafka put between them
                i += 1
                continue
            self.what = openbmp_problem(r, n - i) if self.wrapped else problem(r, n - i)
            if self.what != NULL:
                return i
            size = self.size_of(r, n - i)
            if size == 0 or n - i < size:
                return i
            if self.wrapped:
                bad = self.openbmp(b, r, be16(r + 6), be32(r + 8))
            else:
                bad = self.message(b, r, <uint32_t>size)
            if self.paused:
                return i
            self.inner = 0
            if bad:
                return i
            self.records += 1
            i += size
            if self.is_full(b):
                self.paused = True
                return i
        return i

    cdef Py_ssize_t frame(self, Batch b, const uint8_t* p, Py_ssize_t n, bint eof) except -1:
        self.text = 0
        return RecordDecoder.frame(self, b, p, n, eof)

    cdef bint is_full(self, Batch b) noexcept nogil:
        # Few octets can ask for many tags: names of routers are long, and each of their messages has them.
        return b.n and (b.full() or self.text > FULL_BATCH)

    cdef int openbmp(self, Batch b, const uint8_t* p, uint32_t head, uint32_t n) except -1 nogil:
        # The message bus of OpenBMP, version 1.7: a header, then BMP messages. Returns 1 for damage. Where the batch is full in front of
        # one of these, it goes on there when it is called again.
        cdef cursor_t c = cursor(p, head)
        cdef const uint8_t* skipped
        cdef const uint8_t* end = p + head + n
        cdef uint16_t size
        cdef uint32_t length
        if p[13] != OPENBMP_RAW:
            self.counts[TYPES] += 1
            return 0
        take_bytes(&c, OPENBMP_ROUTER, &skipped)
        if not (take_bytes(&c, 16, &skipped) and take_u16(&c, &size) and take_bytes(&c, size, &skipped)
                and take_bytes(&c, 32, &skipped) and take_u16(&c, &size) and take_bytes(&c, size, &skipped)
                and take_bytes(&c, 4, &skipped)):
            self.what = "its header is cut short"
            return 1
        self.collected = <int64_t>be32(p + 14) * 1000000000 + <int64_t>be32(p + 18) * 1000
        length = <uint32_t>(c.p - 4 - p) - OPENBMP_ROUTER
        if length != self.router_len or (p[12] & OPENBMP_IS_IPV6) != self.router_flag or memcmp(p + OPENBMP_ROUTER, self.router_key, length) != 0:
            with gil:
                self.find_router(p + OPENBMP_ROUTER, length, p[12] & OPENBMP_IS_IPV6)
        p += head + self.inner
        while p < end:
            if self.is_full(b):
                self.paused = True
                self.inner = <uint32_t>(n - (end - p))
                return 0
            self.what = problem(p, end - p)
            if self.what != NULL:
                return 1
            if end - p < COMMON or be32(p + 1) > end - p:
                self.what = "its BMP message is cut short"
                return 1
            length = be32(p + 1)
            if self.message(b, p, length):
                return 1
            p += length
        return 0

    cdef int find_router(self, const uint8_t* p, uint32_t n, uint8_t flag) except -1:
        # Collector hash, its name, router hash, its address, its group.
        cdef bytes key = bytes((flag,)) + PyBytes_FromStringAndSize(<const char*>p, n)
        cdef uint32_t at = 18 + be16(p + 16)
        cdef const uint8_t* ip = p + at + 16
        found = self.routers.get(key)
        if found is None:
            if len(self.routers) >= MAX_ROUTERS or self.router_bytes > MAX_ROUTER_BYTES:
                self.routers.clear()
                self.router_bytes = 0
            tags = {"COLLECTOR": name_text(p + 18, at - 18), "ROUTER": name_text(p + at + 34, n - at - 34)}
            if not tags["ROUTER"] and not is_zero(ip, 16):
                # An IPv4 address stands in the first four octets; some put it into the last.
                tags["ROUTER"] = address_text(ip, 16) if flag else address_text(ip if be32(ip) else ip + 12, 4)
            self.next_router += 1
            self.router_bytes += 2 * n
            found = self.routers[key] = self.next_router, key, {name: value for name, value in tags.items() if value}
        self.router, self.router_octets, self.router_tags = found
        self.router_key = <const uint8_t*>PyBytes_AS_STRING(self.router_octets) + 1
        self.router_len = n
        self.router_flag = flag
        return 0

    cdef int message(self, Batch b, const uint8_t* p, uint32_t n) except -1 nogil:
        # One whole BMP message, whose common header was looked at. Returns 1 for damage.
        cdef uint8_t kind = p[5]
        cdef int bad = 0
        if kind >= TYPES:
            self.counts[TYPES] += 1
            return 0
        if kind != INITIATION and kind != TERMINATION and n < HEAD:
            self.what = "its per-peer header is cut short"
            return 1
        if kind == ROUTE_MONITORING:
            bad = self.route_monitoring(b, p, n)
        elif kind == STATISTICS_REPORT:
            self.what = statistics_problem(p + HEAD, n - HEAD)
        elif kind == PEER_UP:
            bad = self.peer_up(b, p, n)
        elif kind == PEER_DOWN:
            bad = self.peer_down(b, p, n)
        elif kind == ROUTE_MIRRORING:
            bad = self.route_mirroring(b, p, n)
        else:
            self.what = information_problem(p + COMMON, n - COMMON, kind == TERMINATION)
            if kind == TERMINATION and self.what == NULL:
                with gil:
                    self.closed()
        if bad or self.what != NULL:
            return 1
        self.counts[kind] += 1
        return 0

    cdef int route_monitoring(self, Batch b, const uint8_t* p, uint32_t n) except -1 nogil:
        # RFC 7854 section 4.6: one UPDATE. Some routers put several behind each other.
        cdef const uint8_t* wire = p + HEAD
        cdef const uint8_t* end = p + n
        cdef uint32_t length
        if wire == end:
            self.what = "no BGP message is in it"
            return 1
        while wire < end:
            length = message_length(wire, end)
            if length == 0:
                self.what = "its bytes are no BGP message"
                return 1
            wire += length
        wire = p + HEAD
        while wire < end:
            length = be16(wire + 16)
            self.add(b, p + COMMON, wire, length, False, False)
            wire += length
        return 0

    cdef int add(self, Batch b, const uint8_t* head, const uint8_t* wire, uint32_t n, bint is_local, bint is_mirrored) except -1 nogil:
        # A message of the peer of this per-peer header; its length was checked.
        cdef const recent_t* r
        cdef msg_t* m
        if not wanted_type(self.types, wire[18]):
            return 0
        r = self.peer_of(b, head)
        m = b.add()
        m.wire = wire
        m.len = n
        m.type = wire[18]
        m.time = <int64_t>be32(head + PEER_HEAD) * 1000000000 + <int64_t>be32(head + PEER_HEAD + 4) * 1000
        if m.time == 0:                 # not known (RFC 7854 section 4.2)
            m.time = self.collected
        m.peer = r.peer
        self.text += r.peer.json_len
        m.ctx = r.ctx
        m.flags = self.direction
        if is_local:
            m.flags |= MSG_LOCAL
        if r.peer.reset:
            (<peer_t*>r.peer).reset = False
            m.flags |= MSG_RESET
        if n > 4096:
            m.ctx |= CTX_EXTENDED
        if m.type == TYPE_UPDATE:
            if r.doubtful and not self.guess_asn and reads_better(wire, n, m.ctx ^ CTX_AS2):
                m.ctx ^= CTX_AS2
            if self.guess_addpath or self.guess_asn:
                # What a router mirrors is as it came; of other messages of the same RIB some make their own.
                self.guess(b, m, (r.ctx & CTX_AS2) | 2 * is_mirrored)
        self.borrowed = True
        return 0

    cdef const recent_t* peer_of(self, Batch b, const uint8_t* head) except NULL nogil:
        cdef uint64_t h = be64(head) ^ be64(head + 10) ^ be64(head + 18) ^ be64(head + 26) ^ self.router
        cdef recent_t* r = &self.recent[(h * 0x9E3779B97F4A7C15ULL) >> 56]
        if r.epoch != self.epoch or r.router != self.router or memcmp(r.head, head, PEER_HEAD) != 0:
            memcpy(r.head, head, PEER_HEAD)
            r.router = self.router
            r.epoch = 0
            with gil:
                self.find(b, r)
            r.epoch = self.epoch
        return r

    cdef int find(self, Batch b, recent_t* r) except -1:
        # The peer and the context for the header in r.
        cdef Session session = self.session_of(r.head, False)
        cdef uint8_t key[PEER_HEAD + 8]
        cdef bint is_loc = r.head[0] == VIEW_LOC
        cdef uint32_t generation = 0
        cdef peer_t* peer
        r.ctx = self.context
        r.doubtful = False
        if session is not None:
            generation = session.generation
            r.ctx |= session.to_peer if r.head[1] & VIEW_OUT and not is_loc else session.from_peer
            r.doubtful = session.short_as and not is_loc
        memcpy(key, r.head, PEER_HEAD)
        if not is_loc and key[1] & IS_SHORT_AS:
            r.ctx |= CTX_AS2
            r.doubtful = False
            key[1] &= 0xFF ^ IS_SHORT_AS
        memcpy(key + PEER_HEAD, &self.router, 4)
        memcpy(key + PEER_HEAD + 4, &generation, 4)
        peer = self.peers.get(key, sizeof(key))
        if peer == NULL:
            peer = self.table_with_room(b).add(key, sizeof(key), self.tags_of(key))
            memcpy(peer.view.rd, key + 2, 8)
            memcpy(peer.view.id, key + 30, 4)
            peer.view.kind = key[0]
            peer.view.flags = key[1] & 0x7F
            peer.reset = generation > 0
            if session is not None and 0 < len(session.said) <= MAX_SAID:
                own_up(self.peers, peer, session.said)
        r.peer = peer
        return 0

    cdef void forget_peers(self) noexcept nogil:
        self.epoch += 1

    cdef dict tags_of(self, const uint8_t* head):
        cdef bint is_v6 = head[1] & IS_IPV6
        tags = {"PEER_AS": str(be32(head + 26)), "PEER_IP": address_text(head + 10 if is_v6 else head + 22, 16 if is_v6 else 4)}
        if self.peer_tags:
            tags |= view_tags(head)
        return tags | self.router_tags

    cdef Session session_of(self, const uint8_t* head, bint make):
        # Peers are told apart by type, distinguisher and address (RFC 7854 section 4.2), here also by the router.
        cdef bytes key = self.router.to_bytes(4) + PyBytes_FromStringAndSize(<const char*>head, 1) + PyBytes_FromStringAndSize(<const char*>head + 2, 24)
        cdef Session session = self.sessions.get(key)
        if session is None and make:
            while len(self.sessions) >= MAX_SESSIONS or self.session_bytes > MAX_SESSION_BYTES:
                self.say(self.sessions.pop(next(iter(self.sessions))), b"")
            session = self.sessions[key] = Session()
            session.said = b""
        return session

    cdef int peer_up(self, Batch b, const uint8_t* p, uint32_t n) except -1 nogil:
        # RFC 7854 section 4.10: local address, ports, the OPEN that the router sent and the one that it received, information.
        cdef const uint8_t* end = p + n
        cdef const uint8_t* sent = p + HEAD + 20
        cdef const uint8_t* received
        cdef offer_t ours, theirs
        if n < HEAD + 20 or not read_open(sent, end, &ours):
            self.what = "the OPEN that the router sent does not parse"
            return 1
        received = sent + be16(sent + 16)
        if not read_open(received, end, &theirs):
            self.what = "the OPEN that the router received does not parse"
            return 1
        self.what = information_problem(received + be16(received + 16), end - received - be16(received + 16), False)
        if self.what != NULL:
            return 1
        with gil:
            self.came_up(p + COMMON, p + HEAD, n - HEAD, &ours, &theirs)
        if self.everything:
            self.add(b, p + COMMON, sent, be16(sent + 16), True, False)
            self.add(b, p + COMMON, received, be16(received + 16), False, False)
        return 0

    cdef int came_up(self, const uint8_t* head, const uint8_t* body, uint32_t n, const offer_t* sent, const offer_t* received) except -1:
        cdef Session session = self.session_of(head, True)
        cdef bytes said = PyBytes_FromStringAndSize(<const char*>body, n)
        cdef uint8_t[PEER_HEAD] out
        if session.said == said:                # once more, as when a station has connected anew
            return 0
        self.say(session, said)
        memcpy(out, head, PEER_HEAD)
        out[1] = VIEW_OUT
        session.to_peer = families_of(sent, received, out) << CTX_ADDPATH_SHIFT
        out[1] = 0
        session.from_peer = families_of(sent, received, out) << CTX_ADDPATH_SHIFT
        if sent.extended:                       # who says so takes them (RFC 8654 section 4)
            session.from_peer |= CTX_EXTENDED
        if received.extended:
            session.to_peer |= CTX_EXTENDED
        session.short_as = not (sent.as4 and received.as4)
        self.happened("peer_up", head, "")
        return 0

    cdef int say(self, Session session, bytes said) except -1:
        self.session_bytes += len(said) - len(session.said)
        session.said = said
        session.generation += 1
        return 0

    cdef int peer_down(self, Batch b, const uint8_t* p, uint32_t n) except -1 nogil:
        # RFC 7854 section 4.9, RFC 9069 section 5.3
        cdef const uint8_t* data = p + HEAD + 1
        cdef const uint8_t* end = p + n
        cdef uint8_t reason
        if n < HEAD + 1:
            self.what = "its reason is missing"
            return 1
        reason = p[HEAD]
        if reason == 1 or reason == 3:
            if end - data < HEADER_LEN + 2 or message_length(data, end) != end - data or data[18] != TYPE_NOTIFICATION:
                self.what = "its bytes are no NOTIFICATION"
                return 1
        elif (reason == 2 and end - data != 2) or ((reason == 4 or reason == 5) and data != end):
            self.what = "its length is not that of its reason"
            return 1
        elif reason == 6:
            self.what = information_problem(data, end - data, False)
            if self.what != NULL:
                return 1
        if self.everything and (reason == 1 or reason == 3):
            self.add(b, p + COMMON, data, <uint32_t>(end - data), reason == 1, False)
        with gil:
            self.went_down(p + COMMON, reason)
        return 0

    cdef int went_down(self, const uint8_t* head, uint8_t reason) except -1:
        cdef Session session = self.session_of(head, True)
        self.say(session, b"")
        session.from_peer = session.to_peer = 0
        session.short_as = False
        self.happened("peer_down", head, DOWN_REASONS.get(reason, f"reason {reason}"))
        return 0

    cdef int happened(self, str name, const uint8_t* head, str text) except -1:
        self.epoch += 1
        if len(self.events) < MAX_EVENTS:
            self.events.append((name, self.tags_of(head) | view_tags(head), text))
        else:
            self.events_lost += 1
        return 0

    cdef int closed(self) except -1:
        # The router ends its connection (RFC 7854 section 4.5): what it said of peers holds no more.
        self.epoch += 1
        self.next_router += 1
        self.router = self.next_router
        for key, (_, octets, tags) in self.routers.items():
            if octets is self.router_octets:
                self.routers[key] = self.router, octets, tags
                break
        return 0

    cdef int route_mirroring(self, Batch b, const uint8_t* p, uint32_t n) except -1 nogil:
        # RFC 7854 section 4.7: BGP messages as they came, also those that do not parse; and that some are missing.
        cdef cursor_t c = cursor(p + HEAD, n - HEAD)
        cdef const uint8_t* value
        cdef uint16_t kind, size
        self.what = mirroring_problem(c)
        if self.what != NULL:
            return 1
        while self.everything and take_u16(&c, &kind) and take_u16(&c, &size) and take_bytes(&c, size, &value):
            if kind == 0 and size and message_length(value, value + size) == size:
                self.add(b, p + COMMON, value, size, False, True)
        return 0


# ---- what stands in a message ---------------------------------------------------------------------------------------

cdef const char* problem(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    # What is wrong with the common header of p[:n] (RFC 7854 section 4.1), as far as it is there, or NULL.
    if n >= 1 and p[0] != VERSION:
        return "its version is not 3, the one of RFC 7854"
    if n >= COMMON and (be32(p + 1) < COMMON or be32(p + 1) > MAX_RECORD):
        return "its length is impossible"
    return NULL


cdef const char* openbmp_problem(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    if n >= 5 and p[4] != 1 and be32(p) == 0x4F424D50:
        return "its version is not 1"
    if n >= 4 and be32(p) != 0x4F424D50:
        return "it does not begin with OBMP"
    if n >= OPENBMP_FIXED and (be16(p + 6) < OPENBMP_ROUTER or be32(p + 8) > MAX_RECORD):
        return "its length is impossible"
    return NULL


cdef inline uint32_t message_length(const uint8_t* p, const uint8_t* end) noexcept nogil:
    # Of the BGP message at p; 0: there is none.
    if end - p < HEADER_LEN or be64(p) != ONES or be64(p + 8) != ONES or be16(p + 16) < HEADER_LEN or be16(p + 16) > end - p:
        return 0
    return be16(p + 16)


cdef const char* information_problem(const uint8_t* p, Py_ssize_t n, bint is_termination) noexcept nogil:
    # Information TLVs (RFC 7854 section 4.4), or those of a Termination message (section 4.5).
    cdef cursor_t c = cursor(p, n)
    cdef const uint8_t* value
    cdef uint16_t kind, size
    while c.p < c.end:
        if not (take_u16(&c, &kind) and take_u16(&c, &size) and take_bytes(&c, size, &value)):
            return "its TLVs run past its end"
        if is_termination and kind == 1 and size != 2:
            return "its reason is not of two octets"
    return NULL


cdef const char* mirroring_problem(cursor_t c) noexcept nogil:
    cdef const uint8_t* value
    cdef uint16_t kind, size
    while c.p < c.end:
        if not (take_u16(&c, &kind) and take_u16(&c, &size) and take_bytes(&c, size, &value)):
            return "its TLVs run past its end"
        if kind == 1 and size != 2:
            return "its information is not of two octets"
    return NULL


cdef uint32_t counter_size(uint32_t kind) noexcept nogil:
    # Octets of a counter or gauge (RFC 7854 section 4.8, RFC 8671 section 6.2); 0: not known.
    if kind <= 6 or 11 <= kind <= 13:
        return 4
    if kind == 7 or kind == 8 or kind == 14 or kind == 15:
        return 8
    return 11 if kind == 9 or kind == 10 or kind == 16 or kind == 17 else 0


cdef const char* statistics_problem(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    cdef cursor_t c = cursor(p, n)
    cdef const uint8_t* value
    cdef uint32_t count
    cdef uint16_t kind, size
    if not take_u32(&c, &count):
        return "its count is cut short"
    while c.p < c.end:
        if not (take_u16(&c, &kind) and take_u16(&c, &size) and take_bytes(&c, size, &value)):
            return "its counters run past its end"
        if counter_size(kind) and counter_size(kind) != size:
            return "a counter has another length than its type"
        count -= 1
    if count:
        return "it holds another number of counters than it says"
    return NULL


cdef bint read_open(const uint8_t* wire, const uint8_t* end, offer_t* offer) noexcept nogil:
    # An OPEN at `wire`, checked to its last octet (RFC 4271 section 4.2, RFC 5492, RFC 9072).
    cdef msg_t m
    cdef cursor_t c, value
    cdef uint8_t kind, small
    cdef uint16_t size
    cdef bint is_extended
    offer.as4 = offer.extended = False
    offer.sends = offer.receives = 0
    m.wire = wire
    m.len = message_length(wire, end)
    m.type = TYPE_OPEN
    if m.len == 0 or wire[18] != TYPE_OPEN or check(&m, NULL) != STATUS_OK:
        return False
    is_extended = m.len >= HEADER_LEN + 13 and wire[28] == 255 and wire[29] == 255
    c = cursor(wire + (32 if is_extended else 29), m.len - (32 if is_extended else 29))
    while take_u8(&c, &kind):
        if is_extended:
            if not take_u16(&c, &size):
                return False
        elif take_u8(&c, &small):
            size = small
        else:
            return False
        if not take_cursor(&c, size, &value):
            return False
        if kind == 2:
            read_capabilities(value, offer)
    return True


cdef void read_capabilities(cursor_t c, offer_t* offer) noexcept nogil:
    cdef cursor_t value
    cdef uint8_t code, size, way
    cdef uint64_t bit
    while take_u8(&c, &code) and take_u8(&c, &size) and take_cursor(&c, size, &value):
        if code == 65 and size == 4:
            offer.as4 = True
        elif code == 6:
            offer.extended = True
        elif code == 69:
            while left(&value) >= 4:
                bit = <uint64_t>1 << family(be16(value.p), value.p[2])
                way = value.p[3]
                if way <= 3:
                    offer.receives |= bit * (way & 1)
                    offer.sends |= bit * (way >> 1)
                value.p += 4


cdef bint is_zero(const uint8_t* p, uint32_t n) noexcept nogil:
    cdef uint32_t i
    for i in range(n):
        if p[i]:
            return False
    return True


cdef str name_text(const uint8_t* p, uint32_t n):
    return PyBytes_FromStringAndSize(<const char*>p, min(n, <uint32_t>MAX_NAME)).decode(errors="replace")


cdef dict view_tags(const uint8_t* head):
    # What else a per-peer header tells, each left out where zero, but for the RIB. set_ends() of _codec reads it.
    cdef uint8_t kind = head[0]
    cdef uint8_t flags = head[1]
    tags = {}
    if not is_zero(head + 30, 4):
        tags["PEER_ID"] = address_text(head + 30, 4)
    if not is_zero(head + 2, 8):
        tags["PEER_RD"] = to_text(PyBytes_FromStringAndSize(<const char*>head + 2, 8))
    if kind != 0:
        tags["PEER_TYPE"] = str(kind)
    if kind == VIEW_LOC:
        tags["RIB"] = "loc"
    else:
        tags["RIB"] = ("out" if flags & VIEW_OUT else "in") + ("-post" if flags & VIEW_POST else "-pre")
    return tags


# ---- recovering -----------------------------------------------------------------------------------------------------
# A message is plausible if its version, length, type and peer type are, and what follows is such a header, too, or the end of
# the input. Route Monitoring needs no such witness: its marker and its length, there twice, are. So does OpenBMP: its magic.

cdef int plausible_message(const uint8_t* p, Py_ssize_t n, bint eof) noexcept nogil:
    cdef uint32_t size
    if p[0] != VERSION or (n > 1 and p[1]):
        return NO
    if n < HEAD + HEADER_LEN and not eof:
        return WAIT
    if not plausible_header(p, n):
        return NO
    size = be32(p + 1)
    if p[5] == ROUTE_MONITORING:
        return YES if n >= HEAD + HEADER_LEN and be64(p + HEAD) == ONES and be64(p + HEAD + 8) == ONES and be16(p + HEAD + 16) == size - HEAD else NO
    if n < size:
        return NO if eof else WAIT
    if n - size < COMMON + 1:
        return WAIT if not eof else YES if n == size else NO
    return YES if plausible_header(p + size, n - size) else NO


cdef bint plausible_header(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    cdef uint32_t size
    if n < COMMON or p[0] != VERSION or p[5] >= TYPES:
        return False
    size = be32(p + 1)
    if size > MAX_UPDATE or size < COMMON:
        return False
    if p[5] == INITIATION or p[5] == TERMINATION:
        return True
    return size >= HEAD and n > COMMON and p[COMMON] <= VIEW_LOC


cdef int plausible_openbmp(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    if n < OPENBMP_FIXED:
        return NO if p[0] != 0x4F else WAIT
    return YES if openbmp_problem(p, n) == NULL else NO


# ---- encoding -------------------------------------------------------------------------------------------------------

@cython.final
cdef class BmpEncoder(Encoder):
    """Batches -> BMP messages, with `openbmp` each in an OpenBMP message.

    An UPDATE is a Route Monitoring message, a NOTIFICATION a Peer Down message. In front of the first message of each peer in a batch
    stands a Peer Up message, which says what its routes are to be read with: the one that came, where the messages were BMP and it
    holds for them, else one with OPENs that are made up. So the bytes of each batch can be read by themselves; `Repeats` takes
    out what was said before. Per-peer headers are those that came, or of a Global Instance Peer and Adj-RIB-In, before policy, with
    what the tags of the peer say. Times are cut to microseconds, and to those from 1970 to 2106.

    What BMP has no place for is left out, counted in `skipped`, and on_skip is called with a BmpError: OPENs, KEEPALIVEs and
    ROUTE-REFRESHs, and UPDATEs of a Loc-RIB with AS numbers of two octets.
    """

    def __cinit__(self, *args, **options):
        self.prefixes = {}
        self.bodies = {}

    def __init__(self, *, bint openbmp=False, **options):
        super().__init__(**options)
        self.wrapped = openbmp

    cpdef int encode(self, Batch b, Buffer out) except -1:
        cdef msg_t* m
        cdef msg_t* end
        cdef told_t* t
        cdef uint64_t count = 0
        cdef bint is_update
        if b is None or out is None:
            raise TypeError("encode() takes a Batch and a Buffer")
        m = b.msgs
        end = m + b.n
        # Peers live as long as their batch: what was found for one batch says nothing about the next.
        self.epoch += 1
        if self.prefix_bytes > MAX_ROUTER_BYTES:
            self.prefixes.clear()
            self.prefix_bytes = 0
        if len(self.bodies) > MAX_ROUTERS:
            self.bodies.clear()
        with nogil:
            while m < end:
                is_update = m.type == TYPE_UPDATE
                if not self.wanted(m):
                    m += 1
                    continue
                if not has_place(m):
                    with gil:
                        self.leave_out(m)
                    m += 1
                    continue
                t = self.told(m.peer)
                if t.up == NULL or (is_update and (m.ctx >> CTX_ADDPATH_SHIFT or t.families) and not agrees(b, m, t.families)):
                    with gil:
                        self.introduce(b, m, t)
                    self.retract(t)
                    self.put(out, t, m, PEER_UP, t.up, t.up_len)
                if is_update:
                    self.put(out, t, m, ROUTE_MONITORING, m.wire, m.len)
                else:
                    self.put(out, t, m, PEER_DOWN, m.wire, m.len)
                    t.up = NULL
                    self.retract(t)
                count += 1
                m += 1
        self.written += count
        out.messages += count
        return 0

    cdef int put(self, Buffer out, const told_t* t, const msg_t* m, uint8_t kind, const uint8_t* body, uint32_t n) except -1 nogil:
        # One BMP message.
        cdef uint32_t size = HEAD + (kind == PEER_DOWN) + n
        cdef uint64_t us = <uint64_t>m.time // 1000 if m.time > 0 else 0
        cdef uint64_t second = min(us // 1000000, 0xFFFFFFFFULL)
        cdef uint32_t micro = <uint32_t>min(us - second * 1000000, 0xFFFFFFFFULL)
        cdef uint8_t* p
        if ASAN or out.cap - out.len < <Py_ssize_t>t.prefix_len + size:
            out.reserve(<Py_ssize_t>t.prefix_len + size)
        p = out.data + out.len
        out.len += <Py_ssize_t>t.prefix_len + size
        if t.prefix_len:
            memcpy(p, t.prefix, t.prefix_len)
            put32(p + 8, size)
            put32(p + 14, <uint32_t>second)
            put32(p + 18, micro)
            p += t.prefix_len
        p[0] = VERSION
        put32(p + 1, size)
        p[5] = kind
        memcpy(p + COMMON, t.head, PEER_HEAD)
        if kind == ROUTE_MONITORING:
            if m.ctx & CTX_AS2:
                p[COMMON + 1] |= IS_SHORT_AS
            if m.flags & MSG_LOCAL and t.head[0] != VIEW_LOC:
                p[COMMON + 1] |= VIEW_OUT
        elif t.head[0] != VIEW_LOC:
            p[COMMON + 1] &= IS_IPV6            # all RIBs of a peer come up and go down with it (RFC 8671 section 5)
        put32(p + COMMON + PEER_HEAD, <uint32_t>second)
        put32(p + COMMON + PEER_HEAD + 4, micro)
        p += HEAD
        if kind == PEER_DOWN:
            p[0] = 1 if m.flags & MSG_LOCAL else 3
            p += 1
        memcpy(p, body, n)
        return 0

    cdef told_t* told(self, const peer_t* peer) except NULL nogil:
        cdef told_t* t = &self.recent[(<size_t>peer * 0x9E3779B97F4A7C15ULL) >> 56]
        if t.epoch == self.epoch and t.peer == peer:
            return t
        t.epoch = self.epoch
        t.peer = peer
        t.up = NULL
        t.families = 0
        memset(t.head, 0, PEER_HEAD)
        t.head[0] = peer.view.kind
        t.head[1] = peer.view.flags
        memcpy(t.head + 2, peer.view.rd, 8)
        if peer.peer_ip_len == 16:
            t.head[1] |= IS_IPV6
            memcpy(t.head + 10, peer.peer_ip, 16)
        elif peer.peer_ip_len == 4:
            memcpy(t.head + 22, peer.peer_ip, 4)
        put32(t.head + 26, peer.peer_as)
        memcpy(t.head + 30, peer.view.id, 4)
        t.prefix = NULL
        t.prefix_len = 0
        if self.wrapped:
            with gil:
                self.find_prefix(t)
        return t

    cdef void retract(self, const told_t* t) noexcept nogil:
        # A station has one session for all that comes with this type, distinguisher and address: what it was told of it before holds no more.
        cdef told_t* other
        cdef uint32_t i
        for i in range(<uint32_t>RECENT):
            other = &self.recent[i]
            if other.epoch != self.epoch or other.up == NULL or other == t or other.head[0] != t.head[0] or memcmp(other.head + 2, t.head + 2, 24) != 0:
                continue
            if other.prefix_len != t.prefix_len or (t.prefix_len and memcmp(other.prefix, t.prefix, t.prefix_len) != 0):
                continue
            if t.up == NULL or other.up_len != t.up_len or memcmp(other.up, t.up, t.up_len) != 0:
                other.up = NULL

    cdef int introduce(self, Batch b, msg_t* m, told_t* t) except -1:
        # What the Peer Up message says that is to stand in front of a message.
        cdef const peer_t* peer = t.peer
        cdef uint64_t with_ids = 0, without = 0
        cdef offer_t sent, received
        cdef const uint8_t* wire
        cdef bytes body, local, identifier
        cdef tuple key
        if m.type == TYPE_UPDATE:
            path_families(b, m, &with_ids, &without)
        if t.up == NULL and peer.up != NULL:
            wire = peer.up + 20
            read_open(wire, peer.up + peer.up_len, &sent)
            read_open(wire + be16(wire + 16), peer.up + peer.up_len, &received)
            t.families = families_of(&sent, &received, t.head)
            if not (with_ids & ~t.families or without & t.families):
                t.up = peer.up
                t.up_len = peer.up_len
                return 0
        t.families = ((t.families | m.ctx >> CTX_ADDPATH_SHIFT) & ~without | with_ids) & KNOWN_FAMILIES
        local = PyBytes_FromStringAndSize(<const char*>peer.local_ip, peer.local_ip_len)
        key = PyBytes_FromStringAndSize(<const char*>t.head, PEER_HEAD), local, peer.local_as, t.families
        body = self.bodies.get(key)
        if body is None:
            identifier = PyBytes_FromStringAndSize(<const char*>peer.view.id, 4)
            body = self.bodies[key] = b"".join((
                local.rjust(16, b"\0"), bytes(4), made_open(peer.local_as, bytes(4), t.families), made_open(peer.peer_as, identifier, t.families)
            ))
        t.up = <const uint8_t*>PyBytes_AS_STRING(body)
        t.up_len = <uint32_t>PyBytes_GET_SIZE(body)
        return 0

    cdef int find_prefix(self, told_t* t) except -1:
        # The OpenBMP header of the messages of a peer, with zeros for what differs: version 1.7 of its message bus.
        cdef bytes pairs = PyBytes_FromStringAndSize(<const char*>t.peer.pairs, t.peer.pairs_len)
        cdef bytes header = self.prefixes.get(pairs)
        if header is None:
            header = self.prefixes[pairs] = openbmp_header(unpack_pairs(t.peer.pairs, t.peer.pairs_len))
            self.prefix_bytes += PyBytes_GET_SIZE(pairs) + PyBytes_GET_SIZE(header)
        t.prefix = <const uint8_t*>PyBytes_AS_STRING(header)
        t.prefix_len = <uint32_t>PyBytes_GET_SIZE(header)
        return 0

    cdef int leave_out(self, const msg_t* m) except -1:
        if m.type == TYPE_UPDATE:
            reason = "a Loc-RIB has no AS numbers of two octets (RFC 9069)"
        elif m.type == TYPE_NOTIFICATION:
            reason = "a NOTIFICATION has two octets at least"
        else:
            reason = f"BMP has no place for type {MESSAGE_TYPES.get(m.type, m.type)}"
        return self.skip(BmpError(f"message {m.seq}: {reason}"))


cdef class Repeats:
    """Takes out of what encoders of one stream made what was said there before, and puts an Initiation message in front of it all.

    Other things than that an encoder of this format has made are not to be in the stream.
    """

    def __init__(self, *, bint openbmp=False):
        self.wrapped = openbmp
        self.restart()

    def restart(self):
        """What follows is another stream, or some of this one was lost."""
        self.said = {}
        self.begun = False

    def take_out(self, Buffer data not None):
        """Change what is in `data`, which is the next part of the stream."""
        cdef uint8_t* p = data.data
        cdef uint8_t* end = p + data.len
        cdef uint8_t* to = p
        cdef const uint8_t* r
        cdef uint32_t size
        cdef bint is_known
        if data.exports:
            raise BufferError("somebody looks at this buffer")
        with nogil:
            while p < end:
                r = p + be16(p + 6) if self.wrapped else p
                size = <uint32_t>(r - p) + be32(r + 1)
                is_known = False
                if r[5] == PEER_UP or r[5] == PEER_DOWN:
                    with gil:
                        is_known = self.knows(p, r)
                if not is_known:
                    if to != p:
                        memmove(to, p, size)
                    to += size
                p += size
        data.len = to - data.data
        if not self.begun and data.len and not self.wrapped:
            data.reserve(len(INITIATION_MESSAGE))
            memmove(data.data + len(INITIATION_MESSAGE), data.data, data.len)
            memcpy(data.data, PyBytes_AS_STRING(INITIATION_MESSAGE), len(INITIATION_MESSAGE))
            data.len += len(INITIATION_MESSAGE)
        self.begun = self.begun or data.len > 0

    cdef bint knows(self, const uint8_t* p, const uint8_t* r) except -1:
        # Whether a Peer Up message was there before, and no Peer Down message since.
        cdef bytes router = hash_bytes(p + OPENBMP_ROUTER, <uint32_t>(r - p - OPENBMP_ROUTER)).to_bytes(8) if self.wrapped else b""
        cdef bytes peer = PyBytes_FromStringAndSize(<const char*>r + COMMON, 1) + PyBytes_FromStringAndSize(<const char*>r + COMMON + 2, 24)
        if r[5] == PEER_DOWN:
            self.said.pop(router + peer, None)
            return False
        # AS number and identifier, and then what stands behind the time.
        said = hash_bytes(r + COMMON + 26, 8) ^ hash_bytes(r + HEAD, be32(r + 1) - HEAD)
        if self.said.get(router + peer) == said:
            return True
        if len(self.said) >= MAX_SESSIONS:
            self.said.clear()
        self.said[router + peer] = said
        return False


cdef inline bint has_place(const msg_t* m) noexcept nogil:
    if m.type == TYPE_UPDATE:
        return not (m.ctx & CTX_AS2 and m.peer.view.kind == VIEW_LOC)
    return m.type == TYPE_NOTIFICATION and m.len >= HEADER_LEN + 2


cdef bint agrees(Batch b, msg_t* m, uint64_t families) except -1 nogil:
    # Whether an UPDATE has path ids in these families, and in no others.
    cdef uint64_t with_ids = 0, without = 0
    path_families(b, m, &with_ids, &without)
    return not (with_ids & ~families or without & families)


cdef int path_families(Batch b, msg_t* m, uint64_t* with_ids, uint64_t* without) except -1 nogil:
    # The families of an UPDATE's prefixes, those with path ids apart; without those that have no bit of their own.
    cdef attrs_t* index = index_attrs(b, m)
    cdef uint64_t found = 0
    cdef uint32_t i
    if index == NULL:
        return 0
    if index.reach_len or index.unreach_len:
        found = 1 << FAMILY_IPV4_UNICAST
    for i in range(index.count):
        if (index.attr[i].code == 14 or index.attr[i].code == 15) and index.attr[i].length > 3:
            found |= <uint64_t>1 << family(be16(index.attr[i].value), index.attr[i].value[2])
    found &= KNOWN_FAMILIES
    with_ids[0] = found & (m.ctx >> CTX_ADDPATH_SHIFT)
    without[0] = found & ~(m.ctx >> CTX_ADDPATH_SHIFT)
    return 0


cdef uint64_t families_of(const offer_t* sent, const offer_t* received, const uint8_t* head) noexcept nogil:
    # Those with path ids in messages with this per-peer header.
    if head[0] == VIEW_LOC:
        # Both OPENs are made up (RFC 9069 section 5.3): whatever one of them says of path ids holds for the routes.
        return sent.sends | sent.receives | received.sends | received.receives
    if head[1] & VIEW_OUT:
        return sent.sends & received.receives
    return received.sends & sent.receives


cdef bytes made_open(uint32_t asn, bytes identifier, uint64_t families):
    # An OPEN that offers AS numbers of four octets, IPv4 and IPv6, and path ids of these families both ways.
    offered = [b"\x01\x04\0\1\0\1", b"\x01\x04\0\2\0\1", b"\x06\0", b"\x41\4" + asn.to_bytes(4)]
    pathed = b"".join([octets + b"\3" for bit, octets in FAMILIES if families >> bit & 1])
    if pathed:
        offered.append(bytes((69, len(pathed))) + pathed)
    parameters = b"".join([bytes((2, len(capability))) + capability for capability in offered])
    short = (asn if asn < 1 << 16 else AS_TRANS).to_bytes(2)
    body = b"\4" + short + HOLD_TIME_S.to_bytes(2) + identifier + bytes((len(parameters),)) + parameters
    return b"\xff" * 16 + (HEADER_LEN + len(body)).to_bytes(2) + bytes((TYPE_OPEN,)) + body


cdef bytes openbmp_header(dict tags):
    # With a zero for the length of what follows, and for the time.
    from hashlib import md5

    cdef uint8_t ip[16]
    cdef uint8_t flags = 0x80                   # from a router
    cdef bytes collector = tags.get("COLLECTOR", "").encode()[:MAX_NAME]
    cdef bytes router = tags.get("ROUTER", "").encode()[:MAX_NAME]
    cdef bytes octets, group
    cdef list parts
    octets = bytes(16)
    group = router
    if b"\0" in router:                          # for inet_pton(3) it would end there
        pass
    elif router and inet_pton(AF_INET, PyBytes_AS_STRING(router), ip) == 1:
        octets, group = PyBytes_FromStringAndSize(<const char*>ip, 4).ljust(16, b"\0"), b""
    elif router and inet_pton(AF_INET6, PyBytes_AS_STRING(router), ip) == 1:
        octets, group = PyBytes_FromStringAndSize(<const char*>ip, 16), b""
        flags |= OPENBMP_IS_IPV6
    parts = [
        bytes((flags, OPENBMP_RAW)), bytes(8), md5(collector, usedforsecurity=False).digest(), len(collector).to_bytes(2), collector,
        md5(router + collector, usedforsecurity=False).digest(), octets, len(group).to_bytes(2), group, b"\0\0\0\1",
    ]
    return b"OBMP\1\7" + (OPENBMP_FIXED + sum(map(len, parts))).to_bytes(2) + bytes(4) + b"".join(parts)
