# cython: language_level=3, nonecheck=True
"""Messages as Python sees them: `Msg`, a view of one record of a batch, its tags, and what its decoding depends on.

A view is made when Python looks and owns nothing but a reference to its batch: the bytes are the batch's. What _update.pyx decodes for
it is kept by slot in `Msg.cache`, for as long as the message's octets are those it was decoded from. An edit writes the whole
message anew into the batch's arena; the record is the last thing to change, so that an edit that fails changes nothing.
"""

from collections.abc import MutableMapping

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport malloc
from libc.string cimport memcpy, memset

from bgpipe._check cimport check, family, message_error
from bgpipe._codec cimport Batch, Buffer, PeerTable, chunk_t, index_attrs, no_peer, now_ns, pack_pairs, unpack_pairs
from bgpipe._message cimport (
    CTX_ADDPATH_SHIFT, CTX_AS2, CTX_EXTENDED, FAMILY_OTHER, MSG_DROPPED, MSG_EDITED, MSG_LEFT, STATUS_OK, STATUS_UNKNOWN,
    TYPE_NOTIFICATION, TYPE_OPEN, TYPE_ROUTE_REFRESH, TYPE_UPDATE, attrs_t, ctx_t, has_addpath, msg_t,
)
from bgpipe._wire cimport be16, put16

from bgpipe._attributes import at, expected, family_name, lookup, parse_family, unhex
from bgpipe.errors import FieldError, InputError, JsonError, MessageError
from bgpipe.names import AFIS, MESSAGE_TYPES, SAFIS

cdef enum:
    HEADER_LEN = 19
    LONGEST = 4096                          # RFC 4271 section 4.1
    LONGEST_EXTENDED = 65535                # RFC 8654

TYPE_NUMBERS = {name: number for number, name in MESSAGE_TYPES.items()}
TYPE_NUMBERS |= {"NOTIFICATION": TYPE_NOTIFICATION, "ROUTE_REFRESH": TYPE_ROUTE_REFRESH}


# ---- session contexts -------------------------------------------------------------------------------------------------------
# Families that have a bit of their own in ctx_t.
FAMILIES = tuple([(afi, safi) for afi in AFIS for safi in SAFIS if family(afi, safi) != FAMILY_OTHER])


@cython.final
@cython.no_gc
cdef class SessionContext:
    """SessionContext(*, as_size=4, addpath=(), extended_messages=False)
--

    What decoding a message depends on. Immutable.
    """

    def __init__(self, *, as_size=4, addpath=(), extended_messages=False):
        if as_size not in (2, 4):
            raise expected(as_size, "2 or 4").under("as_size")
        self.ctx = (CTX_AS2 if as_size == 2 else 0) | (CTX_EXTENDED if extended_messages else 0)
        for item in addpath:
            afi, safi = parse_family(item)
            self.ctx |= <ctx_t>1 << (CTX_ADDPATH_SHIFT + family(afi, safi))

    @property
    def as_size(self):
        """Octets of an AS number: 4 (RFC 6793) or 2."""
        return 2 if self.ctx & CTX_AS2 else 4

    @property
    def extended_messages(self):
        """Messages may have 65535 octets, not 4096 (RFC 8654)."""
        return self.ctx & CTX_EXTENDED != 0

    @property
    def addpath(self):
        """Names of the families whose prefixes carry path ids (RFC 7911)."""
        return frozenset([family_name(afi, safi) for afi, safi in FAMILIES if has_addpath(self.ctx, family(afi, safi))])

    def __int__(self):
        return self.ctx

    def __hash__(self):
        return hash(self.ctx)

    def __eq__(self, other):
        return self.ctx == (<SessionContext>other).ctx if isinstance(other, SessionContext) else NotImplemented

    def __repr__(self):
        return (f"SessionContext(as_size={self.as_size}, addpath={sorted(self.addpath)}, "
                f"extended_messages={self.extended_messages})")


cdef SessionContext context_of(ctx_t ctx):
    cdef SessionContext context = SessionContext.__new__(SessionContext)
    context.ctx = ctx
    return context


def _restore(wire, direction, time, seq, tags, as_size, addpath, extended_messages):
    """What pickle and copy make a message of."""
    context = SessionContext(as_size=as_size, addpath=addpath, extended_messages=extended_messages)
    return Msg(wire, direction=direction, time=time, seq=seq, tags=tags, context=context)


# ---- messages ---------------------------------------------------------------------------------------------------------------
@cython.final
@cython.freelist(256)
@cython.no_gc
cdef class Msg:
    """Msg(wire, *, direction="R", time=None, seq=0, tags=None, context=None)
--

    One BGP message of a batch.
    """

    def __init__(self, wire, *, direction="R", time=None, seq=0, tags=None, context=None):
        cdef bytes octets = bytes(wire)
        cdef msg_t* m
        if not HEADER_LEN <= len(octets) <= LONGEST_EXTENDED or be16(<const uint8_t*>PyBytes_AS_STRING(octets) + 16) != len(octets):
            raise MessageError(f"{len(octets)} octets are no BGP message", code=1, subcode=2, offset=16, field="length")
        self.batch = small_batch(len(octets))
        m = self.batch.msgs
        memcpy(<uint8_t*>m.wire, PyBytes_AS_STRING(octets), len(octets))
        m.len = <uint32_t>len(octets)
        m.type = octets[18]
        m.time = now_ns() if time is None else time
        m.seq = seq
        m.ctx = (<SessionContext?>context).ctx if context is not None else 0
        if m.len > LONGEST:
            m.ctx |= CTX_EXTENDED
        if direction == "L":
            m.flags = MSG_LEFT
        elif direction != "R":
            raise expected(direction, '"L" or "R"').under("direction")
        if tags:
            self.tags = tags

    def __reduce__(self):
        context = self.context
        return _restore, (
            self.wire, self.dir, self.time, self.seq, dict(self.tags), context.as_size, sorted(context.addpath),
            context.extended_messages,
        )

    @staticmethod
    def make(kind, body=b"", **options):
        """A message of this type, by name or number, with this body (RFC 4271 section 4.1). options: as of Msg."""
        cdef bytes octets = at("body", unhex, body)
        code = lookup(kind, TYPE_NUMBERS, 255, "a message type")
        size = HEADER_LEN + len(octets)
        if size > LONGEST_EXTENDED:
            raise too_long(size, LONGEST_EXTENDED)
        return Msg(b"\xff" * 16 + size.to_bytes(2, "big") + bytes((code,)) + octets, **options)

    @staticmethod
    def from_json(line):
        """The message of one line of JSON. JsonError with the path of what is wrong."""
        from bgpipe.formats.json import parse_line
        parsed = parse_line(line.encode() if isinstance(line, str) else bytes(line))
        if parsed is None:
            raise JsonError("no message on the line")
        direction, seq, time, wire, as_size, addpath, tags = parsed
        context = SessionContext(as_size=as_size, addpath=addpath)
        return Msg(wire, direction=direction or "R", time=time, seq=seq, tags=tags, context=context)

    def to_json(self):
        """The JSON form, one line without its end (docs/json.md)."""
        cdef Batch alone = collect((self,))     # its own: another thread may edit the batch meanwhile
        cdef Buffer out = Buffer()
        # Taken for as long as it works: it lets go of the GIL, and remembers the last time and next hops.
        encoder, FACES[0] = face(0), None
        encoder.encode(alone, out)
        FACES[0] = encoder
        return PyBytes_FromStringAndSize(<char*>out.data, out.len - 1).decode()

    def copy(self):
        """The same message in a batch of its own, so that the one it came in can go."""
        return view(collect((self,)), 0)

    cdef msg_t* record(self) except NULL:
        self.batch.settled()
        if self.index >= self.batch.n:
            raise IndexError("the message has been cut off its batch")
        return self.batch.msgs + self.index

    cdef attrs_t* attributes(self) except NULL:
        """The attribute index, or the MessageError that says why there is none."""
        cdef msg_t* m = self.record()
        cdef attrs_t* found = index_attrs(self.batch, m)
        if found == NULL:
            raise message_error(m)
        return found

    cdef object cached(self, int slot):
        return self.cache.get(slot) if self.fresh() else None

    cdef int remember(self, int slot, object value) except -1:
        if not self.fresh():
            self.keep({})
        self.cache[slot] = value
        return 0

    cdef bint fresh(self) except -1:
        """Whether the cache is there and of the octets that the message has now."""
        return self.cache is not None and self.seen == self.record().wire and self.moves == self.batch.moves

    cdef int keep(self, dict cache) except -1:
        """Take a cache as that of the octets that the message has now."""
        self.cache = cache
        self.seen = self.record().wire
        self.moves = self.batch.moves
        return 0

    cdef int put_body(self, bytes body) except -1:
        """Write the message anew, with this body. MessageError if it gets too long. The cache is still that of the old one."""
        cdef msg_t* m = self.record()
        cdef size_t size = HEADER_LEN + PyBytes_GET_SIZE(body)
        cdef uint8_t* wire
        cdef size_t limit = LONGEST_EXTENDED if m.ctx & CTX_EXTENDED or m.len > LONGEST else LONGEST
        if size > limit:
            raise too_long(size, limit)
        wire = self.batch.alloc(size)
        memcpy(wire, m.wire, HEADER_LEN)
        put16(wire + 16, <uint16_t>size)
        memcpy(wire + HEADER_LEN, PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
        m.wire = wire
        m.len = <uint32_t>size
        m.attrs = NULL
        m.status = STATUS_UNKNOWN
        m.flags |= MSG_EDITED
        self.batch.tidy()
        return 0

    @property
    def dir(self):
        """"R" or "L": the direction it travels in."""
        return "L" if self.record().flags & MSG_LEFT else "R"

    @property
    def seq(self):
        """Number in its direction, from 1; 0 where it has none yet."""
        return self.record().seq

    @seq.setter
    def seq(self, uint64_t value):
        self.record().seq = value

    @property
    def time(self):
        """When it came, in ns since 1970 (UTC)."""
        return self.record().time

    @time.setter
    def time(self, value):
        self.record().time = value

    @property
    def datetime(self):
        """When it came, as a datetime in UTC, cut to microseconds."""
        from datetime import UTC, datetime, timedelta
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.record().time // 1000)

    @property
    def type(self):
        """Name of the message type, such as "UPDATE"; digits where it has none."""
        cdef msg_t* m = self.record()
        if m.type == TYPE_UPDATE:
            return "UPDATE"
        return MESSAGE_TYPES.get(m.type) or str(m.type)

    @property
    def type_code(self):
        """Number of the message type (RFC 4271 section 4.1)."""
        return self.record().type

    @property
    def wire(self):
        """All octets, those of the header too."""
        cdef msg_t* m = self.record()
        return PyBytes_FromStringAndSize(<const char*>m.wire, m.len)

    @property
    def body(self):
        """The octets behind the header."""
        cdef msg_t* m = self.record()
        return PyBytes_FromStringAndSize(<const char*>m.wire + HEADER_LEN, m.len - HEADER_LEN)

    @body.setter
    def body(self, value):
        self.put_body(at("body", unhex, value))
        self.cache = None

    @property
    def context(self):
        """What its decoding depends on."""
        return context_of(self.record().ctx)

    @property
    def edited(self):
        """Whether its octets are others than those that came."""
        return self.record().flags & MSG_EDITED != 0

    @property
    def dropped(self):
        """Whether it is out of the pipeline: no stage and no output sees it any more."""
        return self.record().flags & MSG_DROPPED != 0

    @dropped.setter
    def dropped(self, bint value):
        cdef msg_t* m = self.record()
        m.flags = m.flags | MSG_DROPPED if value else m.flags & <uint16_t>~MSG_DROPPED

    @property
    def tags(self):
        """Its tags: text by name, to read and to change."""
        return Tags(self)

    @tags.setter
    def tags(self, value):
        given = dict(value)
        put_tags(self, {**dict.fromkeys(peer_tags(self)), **{key: tag_text(key, tag) for key, tag in given.items()}})

    @property
    def error(self):
        """The MessageError that says why it does not parse, or None if it does."""
        cdef msg_t* m = self.record()
        if m.status == STATUS_UNKNOWN and check(m, NULL) > STATUS_OK:
            self.batch.failed += 1
        return message_error(m) if m.status > STATUS_OK else None

    @property
    def errors(self):
        """All that is wrong with it, a Malformation each, with what a speaker does about it (RFC 7606); () for nearly all."""
        from bgpipe._malformed import malformations
        return malformations(self)[0]

    @property
    def error_action(self):
        """What a speaker does about its errors (RFC 7606 section 2): "session-reset", "treat-as-withdraw", "attribute-discard", ""."""
        from bgpipe._malformed import malformations
        return malformations(self)[1]

    @property
    def update(self):
        """The message as an UPDATE, or None if it is none."""
        return face(TYPE_UPDATE).of(self) if self.record().type == TYPE_UPDATE else None

    @property
    def open(self):
        """The message as an OPEN, or None if it is none."""
        return face(TYPE_OPEN).of(self) if self.record().type == TYPE_OPEN else None

    @property
    def notification(self):
        """The message as a NOTIFICATION, or None if it is none."""
        return face(TYPE_NOTIFICATION).of(self) if self.record().type == TYPE_NOTIFICATION else None

    @property
    def refresh(self):
        """The message as a ROUTE-REFRESH, or None if it is none."""
        return face(TYPE_ROUTE_REFRESH).of(self) if self.record().type == TYPE_ROUTE_REFRESH else None

    def __repr__(self):
        return f"<Msg {self.dir} {self.seq} {self.type}, {self.record().len} octets>"


def too_long(size, limit):
    """The MessageError for a message that does not fit (RFC 4271 section 4.1, RFC 8654)."""
    without = "" if limit == LONGEST_EXTENDED else " without extended messages"
    return MessageError(
        f"the message would have {size} octets, {limit} is the most{without}", code=1, subcode=2, offset=16, field="length"
    )


cdef Msg view(Batch batch, uint32_t index):
    cdef Msg msg = Msg.__new__(Msg)
    msg.batch = batch
    msg.index = index
    return msg


# The class of a message type, and the JSON encoder at 0, imported when first asked for: they stand above this module.
cdef list FACES = [None] * 6


cdef object face(int kind):
    if FACES[kind] is None:
        if kind == TYPE_UPDATE:
            from bgpipe._update import Update as found
        elif kind == TYPE_OPEN:
            from bgpipe.bgp.messages import Open as found
        elif kind == TYPE_NOTIFICATION:
            from bgpipe.bgp.messages import Notification as found
        elif kind == TYPE_ROUTE_REFRESH:
            from bgpipe.bgp.messages import RouteRefresh as found
        else:
            from bgpipe._json import JsonEncoder
            found = JsonEncoder()
        FACES[kind] = found
    return FACES[kind]


cdef Batch small_batch(size_t wire_len):
    """A batch of one zeroed message with room for its octets, and no more memory than that takes."""
    cdef Batch batch = Batch()
    cdef size_t cap = (wire_len + 7) & ~<size_t>7
    cdef chunk_t* chunk
    batch.msgs = <msg_t*>malloc(sizeof(msg_t))
    if batch.msgs == NULL:
        raise MemoryError()
    batch.cap = 1
    chunk = <chunk_t*>malloc(sizeof(chunk_t) + cap)
    if chunk == NULL:
        raise MemoryError()
    chunk.next = NULL
    chunk.cap = cap
    chunk.used = cap
    batch.arena = chunk
    memset(batch.msgs, 0, sizeof(msg_t))
    batch.msgs.wire = <uint8_t*>chunk + sizeof(chunk_t)
    batch.msgs.peer = no_peer()
    batch.n = 1
    return batch


@cython.final
cdef class _Messages:
    cdef Batch batch
    cdef uint32_t at
    cdef uint16_t without

    def __iter__(self):
        return self

    def __next__(self):
        while self.at < self.batch.n:
            self.at += 1
            if not self.batch.msgs[self.at - 1].flags & self.without:
                return view(self.batch, self.at - 1)
        raise StopIteration


def messages(Batch batch not None, *, dropped=False):
    """The messages of a batch in order; dropped: those that were dropped, too."""
    cdef _Messages result = _Messages.__new__(_Messages)
    result.batch = batch
    result.without = 0 if dropped else MSG_DROPPED
    return result


def message_at(Batch batch not None, index):
    """Message `index` of a batch, dropped or not. IndexError."""
    if not 0 <= index < batch.n:
        raise IndexError(index)
    return view(batch, index)


def collect(messages):
    """A new batch with a copy of each message, in this order. It shares the peers, nothing else."""
    cdef list given = list(messages)
    cdef Batch batch
    cdef Msg msg
    cdef msg_t* m
    cdef msg_t copy
    cdef uint32_t tags
    cdef size_t room = 0
    for msg in given:
        m = msg.record()
        room += (m.len + 7) & ~<size_t>7
        if m.tags != NULL:
            memcpy(&tags, m.tags, 4)
            room += (tags + 4 + 7) & ~<size_t>7
    batch = small_batch(room)
    batch.n = 0
    batch.arena.used = 0
    batch.keep = []
    last = None
    for msg in given:
        copy = msg.record()[0]
        own_octets(batch, &copy)
        if msg.batch is not last:
            last = msg.batch
            share_peers(batch, last)
        batch.add_copy(&copy)
    return batch


cdef int own_octets(Batch batch, msg_t* m) except -1:
    cdef uint32_t tags
    cdef uint8_t* p = batch.alloc(m.len)
    memcpy(p, m.wire, m.len)
    m.wire = p
    m.attrs = NULL
    if m.tags != NULL:
        memcpy(&tags, m.tags, 4)
        p = batch.alloc(tags + 4)
        memcpy(p, m.tags, tags + 4)
        m.tags = p
    return 0


cdef int share_peers(Batch batch, Batch other) except -1:
    for owner in other.keep:
        if isinstance(owner, PeerTable) and owner not in batch.keep:
            batch.keep.append(owner)
    return 0


# ---- tags -----------------------------------------------------------------------------------------------------------------
class Tags(MutableMapping):
    """Tags of one message, text by name: those of its peer and its own.

    A change is the message's alone: its own tags stand in front of those that it shares with the other messages of its peer.
    """

    __slots__ = ("_msg",)

    def __init__(self, msg):
        self._msg = msg

    def _all(self):
        tags = peer_tags(self._msg)
        tags.update(own_tags(self._msg))
        return {key: value for key, value in tags.items() if value is not None}

    def __getitem__(self, key):
        return self._all()[key]

    def __setitem__(self, key, value):
        put_tags(self._msg, {**own_tags(self._msg), key: tag_text(key, value)})

    def __delitem__(self, key):
        self._all()[key]
        own = own_tags(self._msg)
        own.pop(key, None)
        if key in peer_tags(self._msg):
            own[key] = None
        put_tags(self._msg, own)

    def __iter__(self):
        return iter(self._all())

    def __len__(self):
        return len(self._all())

    def __repr__(self):
        return f"Tags({self._all()})"


cdef str tag_text(key, value):
    if not isinstance(key, str) or not isinstance(value, str):
        raise expected(value, "text").under(str(key))
    return value


cdef dict peer_tags(Msg msg):
    cdef msg_t* m = msg.record()
    return unpack_pairs(m.peer.pairs, m.peer.pairs_len)


cdef dict own_tags(Msg msg):
    cdef msg_t* m = msg.record()
    cdef uint32_t n
    if m.tags == NULL:
        return {}
    memcpy(&n, m.tags, 4)
    return unpack_pairs(m.tags + 4, n)


cdef int put_tags(Msg msg, dict tags) except -1:
    """The message's own tags, packed as _codec.pxd says (msg_t.tags); None: not that one of the peer's."""
    cdef bytes packed
    cdef uint32_t n
    cdef uint8_t* p
    if not tags:
        msg.record().tags = NULL
        return 0
    try:
        packed = pack_pairs(tags)
    except InputError as error:
        raise FieldError(str(error)) from None
    n = <uint32_t>PyBytes_GET_SIZE(packed)
    msg.batch.settled()
    p = msg.batch.alloc(4 + <size_t>n)
    memcpy(p, &n, 4)
    memcpy(p + 4, PyBytes_AS_STRING(packed), n)
    msg.record().tags = p
    msg.batch.tidy()
    return 0
