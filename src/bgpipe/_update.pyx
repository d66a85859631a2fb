# cython: language_level=3, nonecheck=True
"""UPDATE messages as Python sees them: prefixes and path attributes, decoded when looked at and encoded again when changed.

What is handed out - lists, paths, attributes - holds its message and a slot, never a value: all of them see each edit, and none is part
of a cycle. An edit encodes one slot and copies the rest of the message as it stands: order, flags and extended lengths of
other attributes, too. What cannot be encoded raises FieldError, what does not parse MessageError, and nothing has changed.
"""

from collections import namedtuple
from collections.abc import MutableMapping, MutableSequence
from json import loads

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from bgpipe._attributes cimport (
    Prefix, address_text, unpack_addresses, unpack_communities, unpack_ext_communities, unpack_large_communities, unpack_prefixes,
    unpack_segments,
)
from bgpipe._as_path cimport (
    AS_CONFED_SEQUENCE, AS_SEQUENCE, AS_SET, as4_counts, as_number, begin_path, join_as4, next_segment, path_t, segment_t,
)
from bgpipe._check cimport attr_subcode, check_attr, check_prefixes, family
from bgpipe._message cimport CTX_AS2, FAMILY_IPV4_UNICAST, MSG_EDITED, TYPE_UPDATE, attr_t, attrs_t, ctx_t, has_addpath, msg_t
from bgpipe._view cimport Msg
from bgpipe._wire cimport be16, be32

from bgpipe._attributes import (
    USUAL_FLAGS, VPN_SAFIS, at, attribute_code, attribute_octets, encode_attribute, encode_mp_nexthop, encode_mp_nlri, encode_prefixes,
    encode_segments, expected, family_name, number, path_segments, unhex,
)
from bgpipe._json import attribute_text
from bgpipe._nlri import decode_nlri
from bgpipe._view import FAMILIES
from bgpipe.bgp.attributes import LAYOUTS
from bgpipe.errors import FieldError, MessageError
from bgpipe.names import ATTRIBUTES, ORIGINS

cdef enum:                                  # slots: attribute codes, and
    REACH = 256
    UNREACH = 257

cdef enum:
    ORIGIN = 1
    AS_PATH = 2
    NEXT_HOP = 3
    MED = 4
    LOCAL_PREF = 5
    ATOMIC_AGGREGATE = 6
    AGGREGATOR = 7
    COMMUNITIES = 8
    ORIGINATOR_ID = 9
    CLUSTER_LIST = 10
    MP_REACH = 14
    MP_UNREACH = 15
    EXT_COMMUNITIES = 16
    AS4_PATH = 17
    AS4_AGGREGATOR = 18
    IPV6_EXT_COMMUNITIES = 25
    LARGE_COMMUNITIES = 32
    ONLY_TO_CUSTOMER = 35
    ATTR_SET = 128

Aggregator = namedtuple("Aggregator", "asn address")
Aggregator.__doc__ = "Who formed an aggregate (RFC 4271 section 5.1.7): AS number and address as text."


cdef dict PATH_IDS = {}                     # by context; sessions have few


cdef dict path_ids(ctx_t ctx):
    """Whether NLRI carry path ids, by family, as encode_prefixes wants it. Not to be changed."""
    found = PATH_IDS.get(ctx)
    if found is None:
        if len(PATH_IDS) == 64:
            PATH_IDS.clear()
        found = PATH_IDS[ctx] = {(afi, safi): has_addpath(ctx, family(afi, safi)) for afi, safi in FAMILIES}
    return found


# ---- values by slot -----------------------------------------------------------------------------------------------------------
cdef const attr_t* find(attrs_t* attrs, int code) noexcept:
    cdef uint32_t i
    for i in range(attrs.count):
        if attrs.attr[i].code == code:
            return &attrs.attr[i]
    return NULL


cdef const attr_t* find_checked(Msg msg, int code) except? NULL:
    """The attribute, or NULL without an exception if it is not there. MessageError if its value does not parse."""
    cdef msg_t* m = msg.record()
    cdef const attr_t* a = find(msg.attributes(), code)
    if a != NULL and not check_attr(a.code, a.value, a.length, m.ctx):
        name = attribute_name(code)
        offset = a.value - m.wire
        raise MessageError(
            f"path attribute {name} does not parse at octet {offset}", code=3, subcode=attr_subcode(<uint8_t>code), offset=offset,
            field=name,
        )
    return a


def attribute_name(code):
    """Name of an attribute, "ATTR_99" for one without."""
    return ATTRIBUTES.get(code) or f"ATTR_{code}"


cdef object decoded(Msg msg, int slot):
    """The value in a slot as Python likes it; None where it is not there. Lists are the cache's own: not to be handed out."""
    cdef const attr_t* a
    cdef attrs_t* attrs
    cdef ctx_t ctx
    cdef bint addpath
    value = msg.cached(slot)
    if value is not None:
        return value
    ctx = msg.record().ctx
    attrs = msg.attributes()
    if slot >= REACH:
        addpath = has_addpath(ctx, FAMILY_IPV4_UNICAST)
        if slot == REACH:
            # An attribute that does not parse ended the check of the message in front of these.
            if not check_prefixes(attrs.reach, attrs.reach_len, 32, addpath):
                offset = attrs.reach - msg.record().wire
                raise MessageError(f"NLRI does not parse at octet {offset}", code=3, subcode=10, offset=offset, field="NLRI")
            value = unpack_prefixes(attrs.reach, attrs.reach_len, 1, addpath)
        else:
            value = unpack_prefixes(attrs.unreach, attrs.unreach_len, 1, addpath)
    else:
        a = find_checked(msg, slot)
        if a == NULL:
            return None
        value = decode_value(slot, a.value, a.length, ctx)
    msg.remember(slot, value)
    return value


cdef object decode_value(int code, const uint8_t* p, uint32_t n, ctx_t ctx):
    cdef uint32_t as_size = 2 if ctx & CTX_AS2 else 4
    if code == ORIGIN:
        return ORIGINS[p[0]]
    if code == AS_PATH or code == AS4_PATH:
        return unpack_segments(p, n, 4 if code == AS4_PATH else as_size)
    if code == NEXT_HOP or code == ORIGINATOR_ID:
        return address_text(p, 4)
    if code == MED or code == LOCAL_PREF or code == ONLY_TO_CUSTOMER:
        return be32(p)
    if code == ATOMIC_AGGREGATE:
        return True
    if code == AGGREGATOR or code == AS4_AGGREGATOR:
        return Aggregator(be32(p) if n == 8 else be16(p), address_text(p + n - 4, 4))
    if code == COMMUNITIES:
        return unpack_communities(p, n)
    if code == CLUSTER_LIST:
        return unpack_addresses(p, n)
    if code == EXT_COMMUNITIES:
        return unpack_ext_communities(p, n)
    if code == LARGE_COMMUNITIES:
        return unpack_large_communities(p, n)
    if code == MP_REACH or code == MP_UNREACH:
        return mp_prefixes(code, p, n, ctx)
    octets = PyBytes_FromStringAndSize(<const char*>p, n)
    if not has_json(code):
        return octets
    text = attribute_text(code, octets, ctx)
    return octets if text is None else loads(text)


cdef inline bint has_json(int code):
    """Whether an attribute has values that are given to Python as they are in JSON."""
    return code in LAYOUTS or code == IPV6_EXT_COMMUNITIES or code == ATTR_SET


cdef list mp_prefixes(int code, const uint8_t* p, uint32_t n, ctx_t ctx):
    cdef uint16_t afi = be16(p)
    cdef uint8_t safi = p[2]
    cdef uint32_t head = mp_head(code, p)
    if not plain_family(afi, safi):
        return []
    return unpack_prefixes(p + head, n - head, afi, has_addpath(ctx, family(afi, safi)))


cdef inline bint plain_family(uint16_t afi, uint8_t safi) noexcept:
    return (afi == 1 or afi == 2) and (safi == 1 or safi == 2)


cdef inline uint32_t mp_head(int code, const uint8_t* p) noexcept:
    """Octets in front of the NLRI (RFC 4760 sections 3 and 4)."""
    return 5 + p[3] if code == MP_REACH else 3


cdef object encode_slot(Msg msg, int slot, list values):
    """The octets of a list; None: nothing is left, and the attribute goes."""
    cdef ctx_t ctx = msg.record().ctx
    cdef const attr_t* a
    cdef bytes value
    if slot >= REACH:
        return encode_prefixes(values, 1, 1, path_ids(ctx))
    if slot == MP_REACH or slot == MP_UNREACH:
        a = find_checked(msg, slot)
        if a == NULL:
            raise FieldError(f"no {attribute_name(slot)} to put prefixes into")
        if not plain_family(be16(a.value), a.value[2]):
            raise FieldError(f"{family_name(be16(a.value), a.value[2])} has no plain prefixes: see nlri and data")
        value = PyBytes_FromStringAndSize(<const char*>a.value, mp_head(slot, a.value))
        return value + encode_prefixes(values, be16(a.value), a.value[2], path_ids(ctx)) if values else None
    return encode_attribute(slot, values, 2 if ctx & CTX_AS2 else 4, path_ids(ctx)) if values else None


cdef int put_slot(Msg msg, int slot, object octets, int flags=-1) except -1:
    """Octets in place of those of a field or of an attribute's value; None takes the attribute out.

    flags: -1 for those it has, or, where it is new, its usual ones. What else is in the message stays as it is. The cache knows
    nothing of it yet.
    """
    cdef attrs_t* attrs = msg.attributes()
    cdef const attr_t* a
    cdef const uint8_t* start
    cdef const uint8_t* place
    cdef const uint8_t* behind
    cdef uint32_t i
    cdef bytes head
    if slot == UNREACH:
        head = (<object>len(octets)).to_bytes(2, "big") + octets
        place = attrs.attrs - 2
        msg.put_body(head + PyBytes_FromStringAndSize(<const char*>place, attrs.reach + attrs.reach_len - place))
        return 0
    start = attrs.unreach - 2
    if slot == REACH:
        msg.put_body(PyBytes_FromStringAndSize(<const char*>start, attrs.reach - start) + octets)
        return 0
    # A new attribute goes behind those of lower codes (RFC 4271 section 5: ascending order).
    place = behind = attrs.attrs
    for i in range(attrs.count):
        a = &attrs.attr[i]
        if a.code > slot:
            continue
        behind = a.value + a.length
        place = behind if a.code < slot else a.value - (4 if a.flags & 0x10 else 3)
        if a.code == slot:
            if flags < 0:
                flags = a.flags
            break
    if octets is None:
        if behind == place:
            return 0
        head = b""
    else:
        head = attribute_octets(slot, flags if flags >= 0 else USUAL_FLAGS.get(slot, 0xC0), octets)
    size = attrs.attrs_len - (behind - place) + len(head)
    if size > 0xFFFF:
        raise MessageError(f"path attributes of {size} octets", code=1, subcode=2, field="length")
    msg.put_body(b"".join((
        PyBytes_FromStringAndSize(<const char*>start, attrs.attrs - 2 - start),
        size.to_bytes(2, "big"),
        PyBytes_FromStringAndSize(<const char*>attrs.attrs, place - attrs.attrs),
        head,
        PyBytes_FromStringAndSize(<const char*>behind, attrs.reach + attrs.reach_len - behind),
    )))
    return 0


cdef int change(Msg msg, int slot, object octets, int flags=-1) except -1:
    """put_slot, and a cache that has forgotten this slot alone."""
    cdef dict cache = msg.cache if msg.fresh() else None
    put_slot(msg, slot, octets, flags)
    msg.keep(cache)
    if cache is not None:
        cache.pop(slot, None)
    return 0


cdef int assign(Msg msg, int slot, object value) except -1:
    """Any value that encode_attribute takes; None takes the attribute out."""
    cdef ctx_t ctx = msg.record().ctx
    if value is None:
        change(msg, slot, None)
        return 0
    try:
        octets = encode_attribute(slot, value, 2 if ctx & CTX_AS2 else 4, path_ids(ctx))
    except FieldError as error:
        raise error.under(attribute_name(slot)) from None
    change(msg, slot, octets)
    return 0


# ---- lists ----------------------------------------------------------------------------------------------------------------------
class ValueList(MutableSequence):
    """Prefixes, communities or cluster ids of a message: a list and, for `add`, `discard` and `in`, a set.

    It is the message's: a change is one to the message. What is put in may be text; what does not fit raises FieldError and
    changes nothing. Without a value left, the attribute goes (reach and unreach stay, empty).
    """

    __slots__ = ("_msg", "_slot")

    def __init__(self, msg, slot):
        self._msg = msg
        self._slot = slot

    def _values(self):
        return decoded(self._msg, self._slot) or []

    def _put(self, values):
        octets = encode_slot(self._msg, self._slot, values)
        change(self._msg, self._slot, octets)

    def __len__(self):
        return len(self._values())

    def __iter__(self):
        return iter(tuple(self._values()))

    def __getitem__(self, index):
        return self._values()[index]

    def __setitem__(self, index, value):
        values = list(self._values())
        values[index] = value
        self._put(values)

    def __delitem__(self, index):
        values = list(self._values())
        del values[index]
        self._put(values)

    def __contains__(self, value):
        return self._same(value) in self._values()

    def _same(self, value):
        """The value as it would be decoded; itself if it cannot be in here."""
        try:
            return normal(self._slot, value)
        except FieldError:
            return value

    def index(self, value, *bounds):
        return self._values().index(self._same(value), *bounds)

    def count(self, value):
        return self._values().count(self._same(value))

    def insert(self, index, value):
        values = list(self._values())
        values.insert(index, value)
        self._put(values)

    def extend(self, values):
        self._put([*self._values(), *values])

    def clear(self):
        self._put([])

    def reverse(self):
        self._put(self._values()[::-1])

    def add(self, value):
        """Append it unless it is in already."""
        if value not in self:
            self.append(value)

    def discard(self, value):
        """Take out every one that equals it; nothing happens if there is none."""
        same = self._same(value)
        values = [item for item in self._values() if item != same]
        if len(values) != len(self):
            self._put(values)

    def __eq__(self, other):
        if isinstance(other, ValueList):
            other = other._values()
        return self._values() == list(other) if isinstance(other, (list, tuple)) else NotImplemented

    __hash__ = None

    def __repr__(self):
        return repr(self._values())


cdef object normal(int slot, object value):
    cdef bytes octets
    if slot >= REACH or slot == MP_REACH or slot == MP_UNREACH:
        return value if isinstance(value, Prefix) else Prefix(value)
    octets = encode_attribute(slot, [value], 4, {})
    return decode_value(slot, <const uint8_t*>PyBytes_AS_STRING(octets), <uint32_t>PyBytes_GET_SIZE(octets), 0)[0]


# ---- AS paths ---------------------------------------------------------------------------------------------------------------------
SEGMENT_NAMES = {1: "AS_SET", 2: "AS_SEQUENCE", 3: "AS_CONFED_SEQUENCE", 4: "AS_CONFED_SET"}
BRACKETS = {1: ("{", ",", "}"), 2: ("", " ", ""), 3: ("(", " ", ")"), 4: ("[", ",", "]")}


@cython.final
@cython.freelist(64)
@cython.no_gc
cdef class AsPath:
    """AsPath(path=())
--

    An AS_PATH (RFC 4271 section 4.3, RFC 5065): a message's, or one on its own.

    A sequence of its hops, nearest AS first: an int, or for an AS_SET a tuple of them. Confederation segments are no hops.
    """

    cdef Msg msg                            # whose it is, or None
    cdef int slot
    cdef list own                           # segments of one that is no message's

    def __reduce__(self):
        raise TypeError("an AsPath is a view of its message: keep .hops, or the message")

    def __init__(self, path=()):
        self.own = as_segments(path)

    cdef list parts(self):
        """Segments, (type, [AS number, ...]) each; those of the message are its cache's."""
        if self.msg is None:
            return self.own
        return decoded(self.msg, self.slot) or []

    cdef int put(self, list segments) except -1:
        if self.msg is None:
            self.own = segments
            return 0
        as_size = 2 if self.slot == AS_PATH and self.msg.record().ctx & CTX_AS2 else 4
        try:
            octets = encode_segments(segments, as_size)
        except FieldError as error:
            raise error.under(attribute_name(self.slot)) from None
        change(self.msg, self.slot, octets)
        return 0

    @property
    def segments(self):
        """Segments as they stand: (type name, AS numbers)."""
        return [(SEGMENT_NAMES[kind], tuple(members)) for kind, members in self.parts()]

    @property
    def hops(self):
        """AS numbers from the nearest to the origin; an AS_SET is one hop, a tuple."""
        result = []
        for kind, members in self.parts():
            if kind == AS_SEQUENCE:
                result += members
            elif kind == AS_SET:
                result.append(tuple(members))
        return tuple(result)

    @property
    def origin(self):
        """The AS that originates the route; None for an empty path and for an AS_SET of several."""
        cdef list segments = self.parts()
        cdef Py_ssize_t i = len(segments)
        while i > 0:
            i -= 1
            if segments[i][0] < AS_CONFED_SEQUENCE:
                return end_of(segments[i], -1)
        return None

    @property
    def peer(self):
        """The AS next to us; None for an empty path and for an AS_SET of several."""
        for segment in self.parts():
            if segment[0] < AS_CONFED_SEQUENCE:
                return end_of(segment, 0)
        return None

    def prepend(self, asn, count=1):
        """Put an AS number in front, `count` times (RFC 4271 section 5.1.2)."""
        front = path_segments([asn] * count)
        segments = list(self.parts())
        if front and segments and segments[0][0] == AS_SEQUENCE and len(front[-1][1]) + len(segments[0][1]) <= 255:
            segments[0] = (AS_SEQUENCE, front.pop()[1] + segments[0][1])
        self.put(front + segments)

    def __len__(self):
        return len(self.hops)

    def __iter__(self):
        return iter(self.hops)

    def __getitem__(self, index):
        return self.hops[index]

    def __contains__(self, asn):
        """Whether an AS number is anywhere in it, sets and confederation segments included."""
        return any([asn in members for _, members in self.parts()])

    def __eq__(self, other):
        if not isinstance(other, AsPath):
            if not isinstance(other, (list, tuple, str)):
                return NotImplemented
            try:
                other = AsPath(other)
            except FieldError:
                return False
        return joined(self.parts()) == joined((<AsPath>other).parts())

    __hash__ = None

    def __str__(self):
        """As routers show it: "1 2 {3,4}", confederation segments as "(5 6)" and "[7,8]"."""
        parts = []
        for kind, members in self.parts():
            start, between, end = BRACKETS[kind]
            parts.append(start + between.join([str(asn) for asn in members]) + end)
        return " ".join(parts)

    def __repr__(self):
        return f"AsPath('{self}')"


cdef list as_segments(value):
    if isinstance(value, AsPath):
        return list((<AsPath>value).parts())
    if isinstance(value, str):
        return path_segments(path_of_text(value))
    return path_segments(value)


cdef list joined(list segments):
    """Segments with sequences in a row made one: where a path is cut does not make it another."""
    cdef list result = []
    for kind, members in segments:
        if kind == AS_SEQUENCE and result and result[-1][0] == AS_SEQUENCE:
            result[-1] = (AS_SEQUENCE, result[-1][1] + members)
        else:
            result.append((kind, members))
    return result


def path_of_text(text):
    """The JSON form of "1 2 {3,4} (5 6) [7,8]". FieldError."""
    result = []
    rest = text.strip()
    while rest:
        for kind, (start, _, end) in BRACKETS.items():
            if start and rest.startswith(start):
                inside, found, rest = rest[1:].partition(end)
                if not found:
                    raise expected(text, f'"{end}"')
                members = inside.replace(",", " ").split()
                result.append(members if kind == 1 else {"confed_seq" if kind == 3 else "confed_set": members})
                break
        else:
            first, _, rest = rest.partition(" ")
            result.append(first)
        rest = rest.strip()
    return result


cdef object end_of(segment, int place):
    """The AS number at one end of a segment; None for an AS_SET of several."""
    kind, members = segment
    return members[place] if kind == AS_SEQUENCE or len(members) == 1 else None


cdef AsPath whole_path(Msg msg):
    """A new one: AS_PATH, with the numbers of AS4_PATH where its own take 2 octets. MessageError: one does not parse."""
    cdef AsPath made = AsPath(bound_path(msg, AS_PATH))
    cdef const attr_t* as4_path
    cdef const attr_t* aggregator
    cdef const attr_t* as_path
    cdef path_t path
    cdef segment_t segment
    cdef uint32_t i
    if not made.own or not msg.record().ctx & CTX_AS2:
        return made
    as4_path = find_checked(msg, AS4_PATH)
    aggregator = find_checked(msg, AGGREGATOR)
    if as4_path == NULL or (aggregator != NULL and not as4_counts(
            aggregator.value, aggregator.length, find(msg.attributes(), AS4_AGGREGATOR) != NULL)):
        return made
    as_path = find(msg.attributes(), AS_PATH)
    begin_path(&path, as_path.value, as_path.length, 2)
    join_as4(&path, as4_path.value, as4_path.length)
    if path.rest != NULL:
        made.own = []
        while next_segment(&path, &segment):
            made.own.append((segment.kind, [as_number(&segment, i) for i in range(segment.count)]))
    return made


cdef AsPath bound_path(Msg msg, int slot):
    cdef AsPath path = AsPath.__new__(AsPath)
    path.msg = msg
    path.slot = slot
    return path


# ---- MP_REACH_NLRI, MP_UNREACH_NLRI ---------------------------------------------------------------------------------------------
class MpUnreach:
    """What a message withdraws with MP_UNREACH_NLRI (RFC 4760 section 4)."""

    __slots__ = ("_msg",)
    _slot = MP_UNREACH

    def __init__(self, msg):
        self._msg = msg

    @property
    def afi(self):
        """Number of the address family."""
        return mp_family(self._msg, self._slot)[0]

    @property
    def safi(self):
        """Number of the subsequent address family."""
        return mp_family(self._msg, self._slot)[1]

    @property
    def af(self):
        """Name of the family, such as "IPV6/UNICAST"."""
        return family_name(*mp_family(self._msg, self._slot))

    @property
    def prefixes(self):
        """Prefixes, for IPv4 and IPv6 unicast and multicast; empty for other families, see `data`."""
        return ValueList(self._msg, self._slot)

    @prefixes.setter
    def prefixes(self, value):
        ValueList(self._msg, self._slot)[:] = list(value)

    @property
    def data(self):
        """The octets of the NLRI, for any family."""
        cdef Msg msg = self._msg
        cdef const attr_t* a = mp_attribute(msg, self._slot)
        cdef uint32_t head = mp_head(self._slot, a.value)
        return PyBytes_FromStringAndSize(<const char*>a.value + head, a.length - head)

    @property
    def nlri(self):
        """NLRI of a family that has other than plain prefixes; None where there is no typed form."""
        cdef Msg msg = self._msg
        afi, safi = mp_family(msg, self._slot)
        return decode_nlri(afi, safi, self.data, has_addpath(msg.record().ctx, family(afi, safi)))

    @nlri.setter
    def nlri(self, value):
        cdef Msg msg = self._msg
        self.data = encode_mp_nlri(value, mp_family(msg, self._slot), path_ids(msg.record().ctx))

    @data.setter
    def data(self, value):
        cdef Msg msg = self._msg
        cdef const attr_t* a = mp_attribute(msg, self._slot)
        cdef bytes head = PyBytes_FromStringAndSize(<const char*>a.value, mp_head(self._slot, a.value))
        change(msg, self._slot, head + at("data", unhex, value))

    def __repr__(self):
        return f"<{attribute_name(self._slot)} {self.af}>"


class MpReach(MpUnreach):
    """What a message announces with MP_REACH_NLRI (RFC 4760 section 3)."""

    __slots__ = ()
    _slot = MP_REACH

    @property
    def nh(self):
        """The octets of the next hop, for any family."""
        cdef const attr_t* a = mp_attribute(self._msg, MP_REACH)
        return PyBytes_FromStringAndSize(<const char*>a.value + 4, a.value[3])

    @nh.setter
    def nh(self, value):
        cdef bytes octets = at("nh", unhex, value)
        cdef const attr_t* a = mp_attribute(self._msg, MP_REACH)
        cdef uint32_t behind = 4 + a.value[3]
        if len(octets) > 255:
            raise FieldError(f"{len(octets)} octets, expected 255 at most").under("nh")
        change(self._msg, MP_REACH, b"".join((
            PyBytes_FromStringAndSize(<const char*>a.value, 3),
            (<object>len(octets)).to_bytes(1, "big"),
            octets,
            PyBytes_FromStringAndSize(<const char*>a.value + behind, a.length - behind),
        )))

    @property
    def next_hop(self):
        """The next hop's address as text (RFC 2545, RFC 8950); None where it is no address, see `nh`."""
        return split_next_hop(self.safi, self.nh)[0]

    @next_hop.setter
    def next_hop(self, value):
        octets = encode_mp_nexthop((self.afi, self.safi), value, None)
        link_local = self.link_local
        if link_local is not None and split_next_hop(self.safi, octets + octets)[1] is not None:
            octets = encode_mp_nexthop((self.afi, self.safi), value, link_local)
        self.nh = octets

    @property
    def link_local(self):
        """The link-local address that goes with the next hop (RFC 2545 section 3), or None."""
        return split_next_hop(self.safi, self.nh)[1]

    @link_local.setter
    def link_local(self, value):
        self.nh = encode_mp_nexthop((self.afi, self.safi), self.next_hop, value)


cdef tuple split_next_hop(safi, bytes octets):
    """Addresses of a next hop and of its link-local one as text, None for what is none (see encode_mp_nexthop)."""
    cdef const uint8_t* p = <const uint8_t*>PyBytes_AS_STRING(octets)
    cdef uint32_t n = <uint32_t>len(octets)
    cdef uint32_t skip = 8 if safi in VPN_SAFIS else 0
    if n not in (skip + 4, skip + 16, 2 * (skip + 16)) or octets[:skip].strip(b"\0"):
        return None, None
    if n <= skip + 16:
        return address_text(p + skip, n - skip), None
    if octets[skip + 16:n - 16].strip(b"\0"):
        return None, None
    return address_text(p + skip, 16), address_text(p + n - 16, 16)


cdef const attr_t* mp_attribute(Msg msg, int slot) except NULL:
    cdef const attr_t* a = find_checked(msg, slot)
    if a == NULL:
        raise FieldError(f"the message has no {attribute_name(slot)} any more")
    return a


cdef tuple mp_family(Msg msg, int slot):
    cdef const attr_t* a = mp_attribute(msg, slot)
    return be16(a.value), a.value[2]


# ---- attributes by name -----------------------------------------------------------------------------------------------------------
class Attribute:
    """One path attribute of a message, any type."""

    __slots__ = ("_msg", "code")

    def __init__(self, msg, code):
        self._msg = msg
        self.code = code

    @property
    def name(self):
        """Its name as in JSON and filters, such as "ASPATH"; "ATTR_99" where it has none."""
        return attribute_name(self.code)

    @property
    def flags(self):
        """The octet of flags (RFC 4271 section 4.3): 0x80 optional, 0x40 transitive, 0x20 partial, 0x10 extended length."""
        return existing(self._msg, self.code).flags

    @flags.setter
    def flags(self, value):
        flags = number(value, 255, "flags")
        change(self._msg, self.code, self.octets, flags)

    @property
    def octets(self):
        """Its value as it stands on the wire."""
        cdef const attr_t* a = existing(self._msg, self.code)
        return PyBytes_FromStringAndSize(<const char*>a.value, a.length)

    @octets.setter
    def octets(self, value):
        existing(self._msg, self.code)
        change(self._msg, self.code, at("octets", unhex, value))

    @property
    def value(self):
        """Its value as `Update` gives it, or as JSON does; bytes where it has no such form. MessageError if it does not parse."""
        cdef int code = self.code
        existing(self._msg, code)
        if code == AS_PATH or code == AS4_PATH:
            return bound_path(self._msg, code)
        if code in LISTS:
            return ValueList(self._msg, code)
        if code == MP_REACH:
            return MpReach(self._msg)
        if code == MP_UNREACH:
            return MpUnreach(self._msg)
        return decoded(self._msg, code)

    @value.setter
    def value(self, value):
        Attributes(self._msg)[self.code] = value

    def __repr__(self):
        return f"<{self.name}, flags {self.flags:#04x}, {len(self.octets)} octets>"


LISTS = frozenset((COMMUNITIES, CLUSTER_LIST, EXT_COMMUNITIES, LARGE_COMMUNITIES))


cdef const attr_t* existing(Msg msg, int code) except NULL:
    cdef const attr_t* a = find(msg.attributes(), code)
    if a == NULL:
        raise KeyError(attribute_name(code))
    return a


class Attributes(MutableMapping):
    """Path attributes of a message by name ("MED", "ATTR_99") or code, in the order in which they stand there.

    Assigning takes what the `Update` attribute of that type takes, bytes or "0x.." for any type, or an Attribute, whose flags come
    with it; otherwise flags stay, and a new attribute gets its usual ones.
    """

    __slots__ = ("_msg",)

    def __init__(self, msg):
        self._msg = msg

    def __getitem__(self, key):
        code = code_of(key)
        existing(self._msg, code)
        return Attribute(self._msg, code)

    def __setitem__(self, key, value):
        code = code_of(key)
        if isinstance(value, Attribute):
            change(self._msg, code, value.octets, value.flags)
        elif isinstance(value, AsPath) or (isinstance(value, str) and code in (AS_PATH, AS4_PATH) and value[:2] != "0x"):
            bound_path(self._msg, code).put(as_segments(value))
        elif value is None:
            raise expected(value, "a value (del takes an attribute out)").under(attribute_name(code))
        else:
            assign(self._msg, code, list(value) if isinstance(value, ValueList) else value)

    def __delitem__(self, key):
        code = code_of(key)
        existing(self._msg, code)
        change(self._msg, code, None)

    def __iter__(self):
        cdef Msg msg = self._msg
        cdef attrs_t* attrs = msg.attributes()
        cdef uint32_t i
        return iter([attribute_name(attrs.attr[i].code) for i in range(attrs.count)])

    def __len__(self):
        cdef Msg msg = self._msg
        return msg.attributes().count

    def __contains__(self, key):
        cdef Msg msg = self._msg
        return find(msg.attributes(), code_of(key)) != NULL

    def __repr__(self):
        return f"Attributes({list(self)})"


cdef int code_of(key) except -1:
    return attribute_code(key)


def _update_of(msg):
    """What pickle and copy make an Update of: that of the message's copy."""
    return msg.update


# ---- UPDATE -------------------------------------------------------------------------------------------------------------------------
@cython.final
@cython.freelist(64)
@cython.no_gc
cdef class Update:
    """Update(*, announce=(), withdraw=(), next_hop=None, as_path=None, origin=None, med=None, local_pref=None,
       atomic_aggregate=False, aggregator=None, communities=(), large_communities=(), ext_communities=(),
       originator_id=None, cluster_list=(), otc=None, reach=(), unreach=(), mp_reach=None, mp_unreach=None,
       as4_path=None, attrs=None, direction="R", time=None, tags=None, context=None)
--

    An UPDATE message (RFC 4271 section 4.3): prefixes and path attributes, to read and to change.
    """

    cdef readonly Msg msg

    def __reduce__(self):
        return _update_of, (self.msg,)

    def __init__(self, *, announce=(), withdraw=(), next_hop=None, as_path=None, origin=None, attrs=None, direction="R",
                 time=None, tags=None, context=None, **more):
        self.msg = Msg.make(TYPE_UPDATE, b"\0\0\0\0", direction=direction, time=time, tags=tags, context=context)
        for name in more:
            if name not in FIELDS:
                raise TypeError(f"Update() got an unexpected keyword argument {name!r}")
        if announce:
            self._announce([Prefix(prefix) for prefix in announce], next_hop)
            self.origin = "IGP" if origin is None else origin
            self.as_path = () if as_path is None else as_path
        else:
            for name, value in (("origin", origin), ("as_path", as_path), ("next_hop", next_hop)):
                if value is not None:
                    setattr(self, name, value)
        by_width = {32: [], 128: []}
        for prefix in [Prefix(prefix) for prefix in withdraw]:
            by_width[prefix.bits].append(prefix)
        if by_width[32]:
            self.unreach = by_width[32]
        if by_width[128]:
            self.mp_unreach = {"af": "IPV6/UNICAST", "prefixes": by_width[128]}
        for name, value in more.items():
            setattr(self, name, value)
        if attrs:
            self.attrs.update(attrs)
        self.msg.record().flags &= <uint16_t>~MSG_EDITED

    @staticmethod
    def of(Msg msg not None):
        """The view of an UPDATE message."""
        cdef Update update = Update.__new__(Update)
        update.msg = msg
        return update

    def _announce(self, prefixes, next_hop):
        hops = [next_hop] if isinstance(next_hop, str) or next_hop is None else list(next_hop)
        hop4 = next((hop for hop in hops if hop is not None and ":" not in hop), None)
        hop6 = next((hop for hop in hops if hop is not None and ":" in hop), None)
        prefixes4 = [prefix for prefix in prefixes if prefix.bits == 32]
        prefixes6 = [prefix for prefix in prefixes if prefix.bits == 128]
        if prefixes6:
            self.mp_reach = {"af": "IPV6/UNICAST", "nexthop": hop6 or hop4, "prefixes": prefixes6}
        if prefixes4 and hop6 and not hop4:
            if prefixes6:
                raise expected(next_hop, "an IPv4 address too, for the IPv4 prefixes").under("next_hop")
            self.mp_reach = {"af": "IPV4/UNICAST", "nexthop": hop6, "prefixes": prefixes4}
        elif prefixes4:
            self.reach = prefixes4
            if hop4 is not None:
                assign(self.msg, NEXT_HOP, hop4)

    @property
    def reach(self):
        """IPv4 prefixes that it announces, those in the NLRI field."""
        return ValueList(self.msg, REACH)

    @reach.setter
    def reach(self, value):
        ValueList(self.msg, REACH)._put(list(value))

    @property
    def unreach(self):
        """IPv4 prefixes that it withdraws, those in the field of withdrawn routes."""
        return ValueList(self.msg, UNREACH)

    @unreach.setter
    def unreach(self, value):
        ValueList(self.msg, UNREACH)._put(list(value))

    @property
    def announced(self):
        """All prefixes that it announces: reach and those of MP_REACH. A new list."""
        return list(decoded(self.msg, REACH)) + (decoded(self.msg, MP_REACH) or [])

    @property
    def withdrawn(self):
        """All prefixes that it withdraws: unreach and those of MP_UNREACH. A new list."""
        return list(decoded(self.msg, UNREACH)) + (decoded(self.msg, MP_UNREACH) or [])

    @property
    def end_of_rib(self):
        """Name of the family whose End-of-RIB this is (RFC 4724 section 2), or None."""
        cdef attrs_t* attrs = self.msg.attributes()
        if attrs.unreach_len or attrs.reach_len or attrs.count > 1:
            return None
        if attrs.count == 0:
            return "IPV4/UNICAST"
        if attrs.attr[0].code == MP_UNREACH and attrs.attr[0].length == 3:
            return family_name(be16(attrs.attr[0].value), attrs.attr[0].value[2])
        return None

    @property
    def attrs(self):
        """All path attributes, by name."""
        return Attributes(self.msg)

    @property
    def origin(self):
        """ORIGIN: "IGP", "EGP", "INCOMPLETE", or None."""
        return decoded(self.msg, ORIGIN)

    @origin.setter
    def origin(self, value):
        assign(self.msg, ORIGIN, value)

    @property
    def as_path(self):
        """AS_PATH as it stands, see `AsPath`; empty where there is none."""
        return bound_path(self.msg, AS_PATH)

    @as_path.setter
    def as_path(self, value):
        if value is None:
            assign(self.msg, AS_PATH, None)
        else:
            bound_path(self.msg, AS_PATH).put(as_segments(value))

    @property
    def as4_path(self):
        """AS4_PATH (RFC 6793 section 3) as it stands; empty where there is none."""
        return bound_path(self.msg, AS4_PATH)

    @as4_path.setter
    def as4_path(self, value):
        if value is None:
            assign(self.msg, AS4_PATH, None)
        else:
            bound_path(self.msg, AS4_PATH).put(as_segments(value))

    @property
    def full_as_path(self):
        """A new AsPath: AS_PATH, with the numbers of AS4_PATH where its own take 2 octets (RFC 6793 section 4.2.3)."""
        return whole_path(self.msg)

    @property
    def next_hop(self):
        """Address of NEXT_HOP, else that of MP_REACH, as text; None where there is neither."""
        value = decoded(self.msg, NEXT_HOP)
        if value is None and find(self.msg.attributes(), MP_REACH) != NULL:
            return MpReach(self.msg).next_hop
        return value

    @next_hop.setter
    def next_hop(self, value):
        if value is not None and find(self.msg.attributes(), NEXT_HOP) == NULL and find(self.msg.attributes(), MP_REACH) != NULL:
            MpReach(self.msg).next_hop = value
        else:
            assign(self.msg, NEXT_HOP, value)

    @property
    def med(self):
        """MULTI_EXIT_DISC, or None."""
        return decoded(self.msg, MED)

    @med.setter
    def med(self, value):
        assign(self.msg, MED, value)

    @property
    def local_pref(self):
        """LOCAL_PREF, or None."""
        return decoded(self.msg, LOCAL_PREF)

    @local_pref.setter
    def local_pref(self, value):
        assign(self.msg, LOCAL_PREF, value)

    @property
    def atomic_aggregate(self):
        """Whether ATOMIC_AGGREGATE is there."""
        return find(self.msg.attributes(), ATOMIC_AGGREGATE) != NULL

    @atomic_aggregate.setter
    def atomic_aggregate(self, value):
        assign(self.msg, ATOMIC_AGGREGATE, True if value else None)

    @property
    def aggregator(self):
        """AGGREGATOR: (asn, address), or None."""
        return decoded(self.msg, AGGREGATOR)

    @aggregator.setter
    def aggregator(self, value):
        assign(self.msg, AGGREGATOR, value)

    @property
    def communities(self):
        """COMMUNITIES (RFC 1997), such as "65000:666"."""
        return ValueList(self.msg, COMMUNITIES)

    @communities.setter
    def communities(self, value):
        ValueList(self.msg, COMMUNITIES)._put([] if value is None else list(value))

    @property
    def large_communities(self):
        """LARGE_COMMUNITY (RFC 8092), such as "65000:1:2"."""
        return ValueList(self.msg, LARGE_COMMUNITIES)

    @large_communities.setter
    def large_communities(self, value):
        ValueList(self.msg, LARGE_COMMUNITIES)._put([] if value is None else list(value))

    @property
    def ext_communities(self):
        """Extended communities (RFC 4360): ExtCommunity each."""
        return ValueList(self.msg, EXT_COMMUNITIES)

    @ext_communities.setter
    def ext_communities(self, value):
        ValueList(self.msg, EXT_COMMUNITIES)._put([] if value is None else list(value))

    @property
    def originator_id(self):
        """ORIGINATOR_ID (RFC 4456) as text, or None."""
        return decoded(self.msg, ORIGINATOR_ID)

    @originator_id.setter
    def originator_id(self, value):
        assign(self.msg, ORIGINATOR_ID, value)

    @property
    def cluster_list(self):
        """CLUSTER_LIST (RFC 4456): addresses as text."""
        return ValueList(self.msg, CLUSTER_LIST)

    @cluster_list.setter
    def cluster_list(self, value):
        ValueList(self.msg, CLUSTER_LIST)._put([] if value is None else list(value))

    @property
    def otc(self):
        """Only to Customer (RFC 9234 section 5): an AS number, or None."""
        return decoded(self.msg, ONLY_TO_CUSTOMER)

    @otc.setter
    def otc(self, value):
        assign(self.msg, ONLY_TO_CUSTOMER, value)

    @property
    def mp_reach(self):
        """MP_REACH_NLRI, or None."""
        return MpReach(self.msg) if find(self.msg.attributes(), MP_REACH) != NULL else None

    @mp_reach.setter
    def mp_reach(self, value):
        assign(self.msg, MP_REACH, value)

    @property
    def mp_unreach(self):
        """MP_UNREACH_NLRI, or None."""
        return MpUnreach(self.msg) if find(self.msg.attributes(), MP_UNREACH) != NULL else None

    @mp_unreach.setter
    def mp_unreach(self, value):
        assign(self.msg, MP_UNREACH, value)

    def __repr__(self):
        return f"<Update, {self.msg.record().len} octets>"


FIELDS = frozenset((
    "reach", "unreach", "med", "local_pref", "atomic_aggregate", "aggregator", "communities", "large_communities",
    "ext_communities", "originator_id", "cluster_list", "otc", "mp_reach", "mp_unreach", "as4_path",
))
