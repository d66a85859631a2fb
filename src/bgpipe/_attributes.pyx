# cython: language_level=3
"""Values of path attributes and their bytes: the one place where either is made from the other in Python's reach.

Every `encode_` takes what Python code would write and what JSON gives (a list, a mapping, text, a number); a value that
cannot be encoded raises FieldError, whose path grows on the way out: only a failure pays for it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy, memset
cimport cython

from bgpipe._as_path cimport AS_CONFED_SEQUENCE, AS_CONFED_SET, AS_SEQUENCE, AS_SET
from bgpipe._wire cimport be16, be32, cursor, cursor_t, left, put16, put32, take_bytes, take_u8, take_u16, take_u32

from bgpipe.bgp.attributes import LAYOUTS
from bgpipe.bgp.communities import ADDRESS, AS2, AS4, IP4, MAC, NAME, NUMBER, RATE, WORD, ZERO, forms_of
from bgpipe.errors import FieldError, hint
from bgpipe.names import (
    AFIS,
    ATTRIBUTES,
    EXT_COMMUNITIES,
    IPV6_EXT_COMMUNITIES,
    ORIGINS,
    SAFIS,
    WELL_KNOWN_COMMUNITIES,
)

cdef extern from "<arpa/inet.h>" nogil:
    int AF_INET
    int AF_INET6
    const char* inet_ntop(int af, const void* src, char* dst, unsigned int size)
    int inet_pton(int af, const char* src, void* dst)

cdef enum:
    LONGEST_SEGMENT = 255

cdef enum:
    ATTR_ORIGIN = 1
    ATTR_AS_PATH = 2
    ATTR_NEXT_HOP = 3
    ATTR_MED = 4
    ATTR_LOCAL_PREF = 5
    ATTR_ATOMIC_AGGREGATE = 6
    ATTR_AGGREGATOR = 7
    ATTR_COMMUNITIES = 8
    ATTR_ORIGINATOR_ID = 9
    ATTR_CLUSTER_LIST = 10
    ATTR_MP_REACH = 14
    ATTR_MP_UNREACH = 15
    ATTR_EXT_COMMUNITIES = 16
    ATTR_AS4_PATH = 17
    ATTR_AS4_AGGREGATOR = 18
    ATTR_IPV6_EXT_COMMUNITIES = 25
    ATTR_LARGE_COMMUNITIES = 32
    ATTR_ONLY_TO_CUSTOMER = 35
    ATTR_SET = 128

AFI_NUMBERS = {name: number for number, name in AFIS.items()}
SAFI_NUMBERS = {name: number for number, name in SAFIS.items()}
ORIGIN_NUMBERS = {name: number for number, name in ORIGINS.items()}
EXT_COMMUNITY_NUMBERS = {name: number for number, name in EXT_COMMUNITIES.items()}
IPV6_EXT_COMMUNITY_NUMBERS = {name: number for number, name in IPV6_EXT_COMMUNITIES.items()}
COMMUNITY_NUMBERS = {name: number for number, name in WELL_KNOWN_COMMUNITIES.items()}


cdef str show(value, int depth):
    # What an error shows of a value, however large that is: some more than the characters that are left of it.
    cdef list parts
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return '"' + value[:60] + '"' if depth == 2 else repr(value[:60])
    if type(value) is bytes:
        return repr(value[:60])
    if type(value) is int:
        return repr(value) if -10**60 < value < 10**60 else f"a number of {value.bit_length()} bits"
    if type(value) is list:
        parts = [show(item, depth - 1) for item in value[:30]] if depth else ["..."]
        return "[" + ", ".join(parts) + "]"
    if type(value) is dict:
        parts = [f"{show(key, 1)}: {show(value[key], depth - 1)}" for key, _ in zip(value, range(30))] if depth else ["..."]
        return "{" + ", ".join(parts) + "}"
    return repr(value)


def expected(value, what):
    """The FieldError for `value` where `what` was expected."""
    shown = show(value, 2)
    shown = shown.encode("unicode_escape").decode()
    if len(shown) > 60:
        shown = shown[:57] + "..."
    return FieldError(f"{shown}, expected {what}")


def at(step, parse, value):
    """parse(value), whose FieldError gets `step` in front of its path."""
    try:
        return parse(value)
    except FieldError as error:
        raise error.under(step) from None


def number(value, maximum, what):
    """`value`, an int or decimal or 0x digits, as an int from 0 to `maximum`."""
    result = value
    if type(value) is str:
        try:
            result = int(value, 0) if value[:2] in ("0x", "0X") else int(value)
        except ValueError:
            result = None
    if type(result) is not int or not 0 <= result <= maximum:
        raise expected(value, f"{what} (0 to {maximum})")
    return result


def lookup(value, numbers, maximum, what):
    """The number of a name (any case), or of a number."""
    if type(value) is str:
        upper = value.upper()
        for name in (value, upper, upper.replace("-", "_")):
            if name in numbers:
                return numbers[name]
    try:
        return number(value, maximum, what)
    except FieldError as error:
        raise FieldError(f"{error}{hint(value, numbers)}") if type(value) is str else error from None


def unhex(value):
    """Bytes of "0x.." text; "" is empty."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if type(value) is str and (value[:2] in ("0x", "0X") or not value):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            pass
    raise expected(value, 'hex digits, "0x" and an even number of them')


def items_of(value, what):
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
        raise expected(value, f"a list of {what}")
    return list(value)


# ---- addresses ----------------------------------------------------------------------------------------------------
# glibc shows ::1.2.3.4 where RFC 5952 section 5 wants that form for well-known prefixes alone.
cdef str address_text(const uint8_t* p, uint32_t n):
    cdef char text[64]
    cdef uint32_t i
    if n == 4:
        inet_ntop(AF_INET, p, text, sizeof(text))
    else:
        i = 0
        while i < 12 and p[i] == 0:
            i += 1
        if i == 12 and be16(p + 12):
            snprintf(text, sizeof(text), b"::%x:%x", <unsigned int>be16(p + 12), <unsigned int>be16(p + 14))
        else:
            inet_ntop(AF_INET6, p, text, sizeof(text))
    return (<bytes>text).decode("ascii")


cdef uint32_t parse_address(str text, uint8_t* out):
    """Octets written: 4, 16, or 0 if it is none."""
    cdef bytes raw
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        return 0
    if b"\0" in raw:
        return 0
    if b":" in raw:
        return 16 if inet_pton(AF_INET6, raw, out) == 1 else 0
    return 4 if inet_pton(AF_INET, raw, out) == 1 else 0


def pack_address(value, bits=0):
    """An address, as text or as an ipaddress object, as its 4 or 16 octets. bits: 32 or 128 where only one will do."""
    cdef uint8_t out[16]
    cdef uint32_t n = 0
    if type(value) is not str and hasattr(value, "packed"):
        value = str(value)
    if type(value) is str:
        n = parse_address(value, out)
    if not n or (bits and n * 8 != bits):
        raise expected(value, {32: "an IPv4 address", 128: "an IPv6 address"}.get(bits, "an IP address"))
    return PyBytes_FromStringAndSize(<char*>out, n)


# ---- address families ---------------------------------------------------------------------------------------------
def family_name(afi, safi):
    """AFI and SAFI as "IPV6/UNICAST"; "AFI(7)/SAFI(9)" where they have no name."""
    return f"{AFIS.get(afi) or f'AFI({afi})'}/{SAFIS.get(safi) or f'SAFI({safi})'}"


cdef int family_part(str text, str kind, dict numbers, int maximum) except -1:
    if text.startswith(kind + "(") and text.endswith(")"):
        text = text[len(kind) + 1:-1]
    elif text in numbers:
        return numbers[text]
    if text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= maximum:
        return int(text)
    return -2


def parse_family(value):
    """(AFI, SAFI) of "IPV6/UNICAST", of its numbers "2/1", or of a pair of numbers."""
    cdef int afi = -2, safi = -2
    if type(value) is str:
        parts = value.upper().split("/")
        if len(parts) == 2:
            afi = family_part(parts[0].strip(), "AFI", AFI_NUMBERS, 65535)
            safi = family_part(parts[1].strip(), "SAFI", SAFI_NUMBERS, 255)
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        return number(value[0], 65535, "an AFI"), number(value[1], 255, "a SAFI")
    if afi < 0 or safi < 0:
        near = ""
        if type(value) is str and "/" in value:
            first, _, second = value.upper().partition("/")
            afis, safis = ([first], SAFI_NUMBERS) if first in AFI_NUMBERS else (AFI_NUMBERS, [second])
            near = hint(value, [f"{one}/{other}" for one in afis for other in safis])
        raise expected(value, f'an address family such as "IPV6/UNICAST"{near}')
    return afi, safi


# ---- prefixes -----------------------------------------------------------------------------------------------------
@cython.final
@cython.freelist(256)
@cython.no_gc
cdef class Prefix:
    """Prefix(prefix, *, path_id=None)
--

    An IPv4 or IPv6 prefix, with a path id (RFC 7911) or without.
    """

    def __init__(self, prefix, *, path_id=None):
        cdef uint32_t n
        text = prefix
        if isinstance(prefix, Prefix):
            memcpy(self.octets, (<Prefix>prefix).octets, 16)
            self.afi = (<Prefix>prefix).afi
            self.length = (<Prefix>prefix).length
            self.has_path_id = (<Prefix>prefix).has_path_id
            self.id = (<Prefix>prefix).id
        else:
            if type(text) is not str and hasattr(text, "prefixlen"):
                text = str(text)
            if type(text) is not str:
                raise expected(prefix, 'a prefix such as "192.0.2.0/24"')
            if text.startswith("#"):
                id_text, _, text = text[1:].partition("#")
                if not (id_text.isascii() and id_text.isdigit()) or len(id_text) > 10 or int(id_text) > 0xFFFFFFFF:
                    raise expected(prefix, 'a path id in front of a prefix, such as "#42#192.0.2.0/24"')
                self.has_path_id = True
                self.id = int(id_text)
            address, slash, length = text.partition("/")
            n = parse_address(address, self.octets)
            if not n or not (length.isascii() and length.isdigit() and len(length) <= 3) or int(length) > n * 8:
                raise expected(prefix, 'a prefix such as "192.0.2.0/24" or "2001:db8::/32"')
            self.afi = 1 if n == 4 else 2
            self.length = int(length)
            if clear_host_bits(self.octets, self.length, n):
                raise expected(prefix, f'no bits set behind the prefix length ("{self}")')
        if path_id is not None:
            self.has_path_id = True
            self.id = number(path_id, 0xFFFFFFFF, "a path id")

    cdef uint32_t width(self) noexcept:
        return 32 if self.afi == 1 else 128

    @property
    def bits(self):
        """Width of the address: 32 or 128."""
        return self.width()

    @property
    def path_id(self):
        """The path id, or None where the prefix came without (RFC 7911 section 3)."""
        return self.id if self.has_path_id else None

    @property
    def address(self):
        """The network's address as text."""
        return address_text(self.octets, self.width() // 8)

    @property
    def packed(self):
        """The network's address as 4 or 16 octets."""
        return PyBytes_FromStringAndSize(<char*>self.octets, self.width() // 8)

    def __str__(self):
        text = f"{self.address}/{self.length}"
        return f"#{self.id}#{text}" if self.has_path_id else text

    def __repr__(self):
        return f"Prefix('{self}')"

    def __hash__(self):
        return hash((self.packed, self.length, self.path_id))

    def __eq__(self, other):
        """Same network, same path id; text is compared as the prefix it stands for."""
        cdef Prefix o
        if type(other) is str:
            try:
                other = Prefix(other)
            except FieldError:
                return False
        if not isinstance(other, Prefix):
            return NotImplemented
        o = <Prefix>other
        return (
            self.afi == o.afi and self.length == o.length and self.has_path_id == o.has_path_id and self.id == o.id
            and memcmp(self.octets, o.octets, 16) == 0
        )

    def __lt__(self, other):
        """Order of IPv4 before IPv6, then address, length and path id."""
        if not isinstance(other, Prefix):
            return NotImplemented
        return self._key() < (<Prefix>other)._key()

    def __le__(self, other):
        if not isinstance(other, Prefix):
            return NotImplemented
        return self._key() <= (<Prefix>other)._key()

    def __gt__(self, other):
        if not isinstance(other, Prefix):
            return NotImplemented
        return self._key() > (<Prefix>other)._key()

    def __ge__(self, other):
        if not isinstance(other, Prefix):
            return NotImplemented
        return self._key() >= (<Prefix>other)._key()

    def _key(self):
        return self.afi, self.packed, self.length, self.has_path_id, self.id

    def __contains__(self, other):
        """Whether a prefix or an address lies inside (a prefix holds itself; path ids are not looked at)."""
        cdef Prefix o
        if not isinstance(other, Prefix):
            text = str(other)
            if "/" not in text:
                text += "/128" if ":" in text else "/32"
            other = Prefix(text)
        o = <Prefix>other
        if self.afi != o.afi or self.length > o.length:
            return False
        cdef uint32_t whole = self.length // 8, rest = self.length % 8
        if memcmp(self.octets, o.octets, whole) != 0:
            return False
        return rest == 0 or (self.octets[whole] ^ o.octets[whole]) >> (8 - rest) == 0

    def __reduce__(self):
        return Prefix, (str(self),)


# Clears what is behind `length`; True if anything was set there.
cdef bint clear_host_bits(uint8_t* octets, uint32_t length, uint32_t n) noexcept:
    cdef uint32_t whole = length // 8
    cdef uint8_t mask
    cdef bint found = False
    if length % 8:
        mask = 0xFF >> (length % 8)
        found = octets[whole] & mask
        octets[whole] &= ~mask
        whole += 1
    while whole < n:
        found |= octets[whole] != 0
        octets[whole] = 0
        whole += 1
    return found


cdef list unpack_prefixes(const uint8_t* p, uint32_t n, uint16_t afi, bint addpath):
    """Prefixes as they stand on the wire (RFC 4271 section 4.3, RFC 7911 section 3)."""
    cdef cursor_t c = cursor(p, n)
    cdef uint32_t width = 32 if afi == 1 else 128
    cdef uint32_t path_id = 0
    cdef uint8_t length = 0
    cdef const uint8_t* octets = NULL
    cdef Prefix prefix
    cdef list result = []
    while left(&c):
        if (addpath and not take_u32(&c, &path_id)) or not take_u8(&c, &length) or length > width \
                or not take_bytes(&c, (length + 7) // 8, &octets):
            raise FieldError(f"octet {n - left(&c)}: not a prefix")
        prefix = Prefix.__new__(Prefix)
        memset(prefix.octets, 0, 16)
        memcpy(prefix.octets, octets, (length + 7) // 8)
        clear_host_bits(prefix.octets, length, 16)
        prefix.afi = afi
        prefix.length = length
        prefix.has_path_id = addpath
        prefix.id = path_id
        result.append(prefix)
    return result


def decode_prefixes(const uint8_t[::1] data not None, afi, addpath=False):
    """The prefixes packed in `data`; afi 1 or 2. FieldError if they do not end where it ends."""
    return unpack_prefixes(&data[0], <uint32_t>data.shape[0], afi, addpath) if data.shape[0] else []


def encode_prefixes(values, afi, safi, paths):
    """Prefixes of one family, packed.

    paths: {(AFI, SAFI): whether its prefixes carry path ids}; a family that is not there yet is entered by its
    first prefix. FieldError where a prefix has one and should not, or the other way round.
    """
    cdef bytearray out = bytearray()
    cdef Prefix prefix
    cdef uint8_t head[5]
    wanted = paths.get((afi, safi))
    for i, value in enumerate(items_of(values, "prefixes")):
        try:
            prefix = value if isinstance(value, Prefix) else Prefix(value)
            if prefix.afi != afi:
                raise expected(value, f"a prefix of {family_name(afi, safi)}")
            if wanted is None:
                wanted = paths[afi, safi] = <bint>prefix.has_path_id
            elif wanted != prefix.has_path_id:
                raise expected(value, f"a prefix {'with' if wanted else 'without'} a path id: "
                                      f"those of {family_name(afi, safi)} have {'one' if wanted else 'none'} here")
        except FieldError as error:
            raise error.under(i) from None
        put32(head, prefix.id)
        head[4] = prefix.length
        out += head[:5] if prefix.has_path_id else head[4:5]
        out += prefix.octets[:(prefix.length + 7) // 8]
    return bytes(out)


# ---- AS_PATH ------------------------------------------------------------------------------------------------------
def as_number(value):
    """A 4-byte AS number."""
    if type(value) is int and 0 <= value <= 0xFFFFFFFF:
        return value
    return number(value, 0xFFFFFFFF, "an AS number")


def as_numbers(values):
    cdef list result = []
    for i, value in enumerate(items_of(values, "AS numbers")):
        try:
            result.append(as_number(value))
        except FieldError as error:
            raise error.under(i) from None
    return result


CONFED = {"confed_seq": AS_CONFED_SEQUENCE, "confed_set": AS_CONFED_SET}


def path_segments(value, counts=None):
    """Segments [(type, [AS number, ...]), ...] of a path as JSON has it.

    A run of bare numbers is an AS_SEQUENCE, an inner list an AS_SET, {"confed_seq": [...]} and {"confed_set": [...]} those of
    RFC 5065. A sequence of more than 255 numbers takes several segments. counts: sizes of the AS_SEQUENCE segments, where a
    path is split in another way; ignored if they do not add up to the runs there are.
    """
    cdef list segments = []
    cdef list run = []
    for i, item in enumerate(items_of(value, "AS numbers")):
        try:
            if type(item) is int or type(item) is str:
                run.append(as_number(item))
                continue
            if isinstance(item, (list, tuple)):
                kind, members = AS_SET, as_numbers(item)
            elif isinstance(item, dict) and len(item) == 1 and next(iter(item)) in CONFED:
                name = next(iter(item))
                kind = CONFED[name]
                members = at(name, as_numbers, item[name])
            else:
                raise expected(item, "an AS number, a list (AS_SET), confed_seq or confed_set")
            if kind != AS_CONFED_SEQUENCE and len(members) > LONGEST_SEGMENT:
                raise FieldError(f"{len(members)} members, expected {LONGEST_SEGMENT} at most")
        except FieldError as error:
            raise error.under(i) from None
        if run:
            segments.append((AS_SEQUENCE, run))
            run = []
        segments.append((kind, members))
    if run:
        segments.append((AS_SEQUENCE, run))
    return cut_as_counted(segments, counts) or cut_in_255s(segments)


cdef list cut_in_255s(list segments):
    cdef list result = []
    for kind, members in segments:
        for start in range(0, len(members) or 1, LONGEST_SEGMENT):
            result.append((kind, members[start:start + LONGEST_SEGMENT]))
    return result


cdef list cut_as_counted(list segments, counts):
    """The segments with each run cut into the sizes that `counts` lists, or None where they do not fit."""
    cdef list result = []
    cdef Py_ssize_t at = 0, start
    if not isinstance(counts, (list, tuple)):
        return None
    for kind, members in segments:
        if kind != AS_SEQUENCE:
            if len(members) > LONGEST_SEGMENT:
                return None
            result.append((kind, members))
            continue
        start = 0
        while start < len(members):
            if at >= len(counts):
                return None
            size = counts[at]
            if type(size) is not int or not 1 <= size <= LONGEST_SEGMENT or start + size > len(members):
                return None
            result.append((kind, members[start:start + size]))
            start += size
            at += 1
    return result if at == len(counts) else None


def encode_segments(segments, as_size):
    """RFC 4271 section 4.3: type, count, AS numbers of `as_size` bytes."""
    cdef bytearray out = bytearray()
    cdef uint8_t four[4]
    cdef bint short = as_size == 2
    for kind, members in segments:
        out.append(kind)
        out.append(len(members))
        for asn in members:
            if short and asn > 0xFFFF:
                raise expected(asn, "an AS number below 65536: they take 2 bytes here")
            put32(four, asn)
            out += four[2:4] if short else four[:4]
    return bytes(out)


cdef list unpack_segments(const uint8_t* p, uint32_t n, uint32_t as_size):
    """[(type, [AS number, ...]), ...] of an AS_PATH or AS4_PATH value. FieldError if it does not parse."""
    cdef list segments = []
    cdef cursor_t c = cursor(p, n)
    cdef uint8_t kind = 0, count = 0
    cdef const uint8_t* members = NULL
    cdef uint32_t i
    while left(&c):
        if not take_u8(&c, &kind) or not take_u8(&c, &count) or not AS_SET <= kind <= AS_CONFED_SET \
                or not take_bytes(&c, count * as_size, &members):
            raise FieldError(f"octet {n - left(&c)}: not a path segment")
        if as_size == 2:
            segments.append((kind, [be16(members + 2 * i) for i in range(count)]))
        else:
            segments.append((kind, [be32(members + 4 * i) for i in range(count)]))
    return segments


def decode_segments(const uint8_t[::1] data not None, as_size):
    """[(type, [AS number, ...]), ...] of an AS_PATH or AS4_PATH value. FieldError if it does not parse."""
    return unpack_segments(&data[0], <uint32_t>data.shape[0], as_size) if data.shape[0] else []


# ---- communities --------------------------------------------------------------------------------------------------
def community_number(value):
    """The 32 bits of "65000:1", of a well-known name (RFC 1997 and others), or of a number."""
    if type(value) is str:
        high, colon, low = value.partition(":")
        if colon and high.isascii() and low.isascii() and high.isdigit() and low.isdigit() \
                and len(high) < 6 and len(low) < 6 and int(high) <= 0xFFFF and int(low) <= 0xFFFF:
            return int(high) << 16 | int(low)
        if not colon and (found := COMMUNITY_NUMBERS.get(value.upper().replace("-", "_"))) is not None:
            return found
    elif type(value) is int and 0 <= value <= 0xFFFFFFFF:
        return value
    raise expected(value, 'a community such as "65000:1" (both parts up to 65535)')


def pack_community(value):
    """RFC 1997: 4 octets."""
    return (<object>community_number(value)).to_bytes(4, "big")


def pack_large_community(value):
    """RFC 8092 section 3: 12 octets of "65000:1:2"."""
    parts = value.split(":") if type(value) is str else value if isinstance(value, (list, tuple)) else ()
    if len(parts) == 3:
        try:
            return b"".join([number(part, 0xFFFFFFFF, "a number").to_bytes(4, "big") for part in parts])
        except FieldError:
            pass
    raise expected(value, 'a large community such as "65000:1:2" (each part up to 4294967295)')


def pack_ext_community(value):
    """RFC 4360 section 2: 8 octets of {"type", "value", "nontransitive"}, of "TARGET:65000:1", or of "0x" and 16 digits."""
    if isinstance(value, ExtCommunity):
        return value.octets
    if type(value) is str and value[:2] in ("0x", "0X") and ":" not in value:
        if len(value) != 18:
            raise expected(value, "16 hex digits")
        return unhex(value)
    return ext_community(*parts_of_community(value, "TARGET:65000:1"))


def pack_ipv6_ext_community(value):
    """RFC 5701 section 2: 20 octets of {"type", "value", "nontransitive"}, or of "TARGET:2001:db8::1:1"."""
    kind, text, nontransitive = parts_of_community(value, "TARGET:2001:db8::1:1")
    kind = at("type", lambda given: lookup(given, IPV6_EXT_COMMUNITY_NUMBERS, 0xFFFF, "the type of a community"), kind)
    if nontransitive:
        kind |= 0x4000
    return kind.to_bytes(2, "big") + at("value", ipv6_ext_community_value, text)


def ipv6_ext_community_value(value):
    address, colon, local = value.rpartition(":") if type(value) is str else ("", "", "")
    if not colon:
        raise expected(value, '"address:number"')
    return pack_address(address, 128) + number(local, 0xFFFF, "a number").to_bytes(2, "big")


def parts_of_community(value, example):
    """(type, value, whether it is nontransitive) of {"type", "value", "nontransitive"}, or of text."""
    if type(value) is str:
        kind, colon, rest = value.partition(":")
        if not colon:
            raise expected(value, f'an extended community such as "{example}"')
        rest, nontransitive, _ = rest.partition(":nontransitive")
        return kind, rest, bool(nontransitive)
    if not isinstance(value, dict):
        raise expected(value, 'an extended community: {"type", "value"}')
    for key in value:
        if key not in ("type", "value", "nontransitive"):
            raise expected(key, "type, value or nontransitive")
    if "type" not in value or "value" not in value:
        raise expected(value, 'an extended community: {"type", "value"}')
    nontransitive = value.get("nontransitive")
    if nontransitive is not None and not isinstance(nontransitive, bool):
        raise expected(nontransitive, "true or false").under("nontransitive")
    return value["type"], value["value"], bool(nontransitive)


def ext_community(kind, value, nontransitive):
    named = type(kind) is str and kind[:2] not in ("0x", "0X")
    kind = at("type", ext_community_type, kind)
    if nontransitive:
        kind |= 0x4000
    try:
        octets = ext_community_value(kind & ~0x4000, value, named)
    except FieldError as error:
        if kind & 0xBF00 == 0 and type(value) is str and ":" in value:
            wider = {0x0200: "AS numbers of 4 octets", 0x0100: "addresses"}
            names = {EXT_COMMUNITIES.get(kind & 0xFF | family): what for family, what in wider.items()}
            error.problem += "".join([f"; {name} is for {what}" for name, what in names.items() if name])
        raise error.under("value") from None
    return kind.to_bytes(2, "big") + octets


def ext_community_type(value):
    return lookup(value, EXT_COMMUNITY_NUMBERS, 0xFFFF, "the type of an extended community such as TARGET")


@cython.final
@cython.freelist(64)
@cython.no_gc
cdef class ExtCommunity:
    """ExtCommunity(community)
--

    One extended community (RFC 4360).
    """

    def __init__(self, community):
        if isinstance(community, (bytes, bytearray, memoryview)):
            packed = bytes(community)
            if len(packed) != 8:
                raise expected(community, "8 octets")
        else:
            packed = pack_ext_community(community)
        memcpy(self.raw, PyBytes_AS_STRING(packed), 8)

    @property
    def octets(self):
        """All 8 octets, type and subtype first."""
        return PyBytes_FromStringAndSize(<char*>self.raw, 8)

    @property
    def type(self):
        """Name of type and subtype, such as "TARGET"; hex digits where it has none."""
        kind = be16(self.raw)
        return EXT_COMMUNITIES.get(kind & ~0x4000) or f"{kind:#x}"

    @property
    def value(self):
        """"65000:1", "192.0.2.1:1", "VXLAN" ...: docs/json.md; the 6 octets as a number in hex where the type has no such form."""
        cdef uint32_t kind = be16(self.raw) & ~0x4000
        forms = forms_of(kind)
        if forms is AS2:
            return f"{be16(self.raw + 2)}:{be32(self.raw + 4)}"
        if forms is IP4:
            return f"{address_text(self.raw + 2, 4)}:{be16(self.raw + 6)}"
        if forms is AS4:
            return f"{be32(self.raw + 2)}:{be16(self.raw + 6)}"
        six = int.from_bytes(self.octets[2:], "big")
        for form in forms:
            text = form_text(form, six)
            if text is not None:
                return text
        return f"{six:#x}"

    @property
    def nontransitive(self):
        """Whether it stays within an AS (RFC 4360 section 2, the T bit)."""
        return self.raw[0] & 0x40 != 0

    def __str__(self):
        text = f"{self.type}:{self.value}"
        return f"{text}:nontransitive" if self.nontransitive and not text.startswith("0x") else text

    def __repr__(self):
        return f"ExtCommunity('{self}')"

    def __hash__(self):
        return hash(self.octets)

    def __eq__(self, other):
        """Same octets; text and mappings are compared as the community they stand for."""
        if not isinstance(other, ExtCommunity):
            if not isinstance(other, (str, dict, bytes)):
                return NotImplemented
            try:
                other = ExtCommunity(other)
            except FieldError:
                return False
        return memcmp(self.raw, (<ExtCommunity>other).raw, 8) == 0

    def __reduce__(self):
        return ExtCommunity, (self.octets,)


def form_text(form, six):
    """Six octets, as a number, in one of the forms of bgp/communities.py; None if it is not made for them."""
    cdef list texts = []
    left = 48
    for kind, bits, more in form:
        left -= bits
        part = six >> left & (1 << bits) - 1
        if kind == NUMBER:
            texts.append(str(part))
        elif kind == ADDRESS:
            texts.append(".".join([str(octet) for octet in part.to_bytes(4, "big")]))
        elif kind == MAC:
            texts.append(part.to_bytes(6, "big").hex(":"))
        elif kind == NAME:
            texts.append(more.get(part) or str(part))
        elif kind == RATE:
            rate = whole_rate(part)
            if rate is None:
                return None
            texts.append(str(rate))
        elif part != (more[0] if kind == WORD else 0):
            return None
        elif kind == WORD:
            texts.append(more[1])
    return ":".join(texts)


def whole_rate(bits):
    """The number that 32 bits are as an IEEE float; None if it is not a whole one below 2^64."""
    exponent = (bits >> 23) - 150                             # of the lowest bit; the sign, where set, makes it too large
    if bits == 0:
        return 0
    if not -23 <= exponent <= 40:
        return None
    mantissa = bits & 0x7FFFFF | 0x800000
    if exponent >= 0:
        return mantissa << exponent
    return mantissa >> -exponent if mantissa & (1 << -exponent) - 1 == 0 else None


def form_number(form, text):
    """The six octets, as a number, that a text stands for; None if it is not of this form."""
    texts = [text] if any([kind == MAC for kind, _, _ in form]) else text.split(":")
    if len(texts) != sum([kind != ZERO for kind, _, _ in form]):
        return None
    texts.reverse()
    six = 0
    for kind, bits, more in form:
        part = 0
        if kind == WORD:
            if texts.pop().upper() != more[1]:
                return None
            part = more[0]
        elif kind == ADDRESS:
            part = int.from_bytes(pack_address(texts.pop(), 32), "big")
        elif kind == MAC:
            part = int.from_bytes(pack_mac(texts.pop()), "big")
        elif kind == RATE:
            part = int.from_bytes(pack_rate(texts.pop()), "big")
        elif kind == NAME:
            names = {name: number for number, name in more.items()}
            part = lookup(texts.pop(), names, (1 << bits) - 1, "one of " + ", ".join(names) + " or a number")
        elif kind == NUMBER:
            part = number(texts.pop(), (1 << bits) - 1, "an AS number" if more == "AS" else "a number")
        six = six << bits | part
    return six


SHOWN = {ADDRESS: "address", MAC: "00:11:22:33:44:55", NAME: "name", RATE: "rate"}


def form_shown(form):
    """What an error says was expected."""
    return '"' + ":".join([more[1] if kind == WORD else more if kind == NUMBER else SHOWN[kind] for kind, _, more in form if kind != ZERO]) + '"'


def pack_mac(value):
    """A MAC address "00:11:22:33:44:55" as its 6 octets."""
    parts = value.split(":") if type(value) is str else ()
    if len(parts) == 6 and all([len(part) == 2 for part in parts]):
        try:
            return bytes.fromhex("".join(parts))
        except ValueError:
            pass
    raise expected(value, "a MAC address such as 00:11:22:33:44:55")


def pack_rate(value):
    """A rate as an IEEE float of 4 octets."""
    from struct import pack
    try:
        return pack("!f", float(value))
    except (ValueError, TypeError, OverflowError):
        raise expected(value, "a rate") from None


def ext_community_value(kind, value, named):
    """The 6 octets behind type and subtype. kind: both of them, the nontransitive bit 0x4000 taken off; named: see forms_of."""
    if type(value) is str and value[:2] in ("0x", "0X"):
        return number(value, 0xFFFFFFFFFFFF, "a number of 48 bits").to_bytes(6, "big")
    forms = forms_of(kind, named)
    if forms:
        for form in forms if type(value) is str else ():
            six = form_number(form, value)
            if six is not None:
                return six.to_bytes(6, "big")
        raise expected(value, " or ".join([form_shown(form) for form in forms]))
    if kind in (0x8006, 0x800C):
        return flow_rate(value)
    if kind == 0x8007:                                        # RFC 8955 section 7.3
        return bytes((0, 0, 0, 0, 0, flags_of(value, {"terminal": 1, "sample": 2})))
    if kind == 0x0800:
        return bytes((0, 0, 0, 0, 0, flags_of(value, {"copy": 1})))
    if kind == 0x8009:                                        # RFC 8955 section 7.5
        return bytes((0, 0, 0, 0, 0, number(value, 63, "a DSCP")))
    return number(value, 0xFFFFFFFFFFFF, "hex digits").to_bytes(6, "big")


def flow_rate(value):
    """RFC 8955 section 7.1: an id of 2 octets, the rate as an IEEE float; "id:rate" or the rate alone."""
    number_id = 0
    rate = value
    if type(value) is str:
        first, colon, rate = value.rpartition(":")
        if colon:
            number_id = number(first, 0xFFFF, "an AS number")
    return number_id.to_bytes(2, "big") + pack_rate(rate)


cdef int flags_of(value, dict bits) except -1:
    cdef int result = 0
    if not isinstance(value, dict):
        raise expected(value, "an object of " + ", ".join(bits))
    for key, on in value.items():
        if key not in bits or on not in (True, False):
            raise expected(key, " or ".join(bits) + ", true or false")
        if on:
            result |= bits[key]
    return result


cdef bytes packed_each(values, pack, str what):
    cdef list parts = []
    for i, value in enumerate(items_of(values, what)):
        try:
            parts.append(pack(value))
        except FieldError as error:
            raise error.under(i) from None
    return b"".join(parts)


cdef list unpack_communities(const uint8_t* p, uint32_t n):
    cdef uint32_t i
    return [f"{be16(p + 4 * i)}:{be16(p + 4 * i + 2)}" for i in range(n // 4)]


cdef list unpack_large_communities(const uint8_t* p, uint32_t n):
    cdef uint32_t i
    return [f"{be32(p + 12 * i)}:{be32(p + 12 * i + 4)}:{be32(p + 12 * i + 8)}" for i in range(n // 12)]


cdef list unpack_ext_communities(const uint8_t* p, uint32_t n):
    cdef uint32_t i
    cdef ExtCommunity community
    cdef list result = []
    for i in range(n // 8):
        community = ExtCommunity.__new__(ExtCommunity)
        memcpy(community.raw, p + 8 * i, 8)
        result.append(community)
    return result


cdef list unpack_addresses(const uint8_t* p, uint32_t n):
    cdef uint32_t i
    return [address_text(p + 4 * i, 4) for i in range(n // 4)]


# ---- MP_REACH_NLRI, MP_UNREACH_NLRI (RFC 4760) --------------------------------------------------------------------
MP_NLRI_KEYS = ("prefixes", "nlri", "rules", "data")
MP_REACH_KEYS = ("af", "nexthop", "link-local", "nh", *MP_NLRI_KEYS)
MP_UNREACH_KEYS = ("af", *MP_NLRI_KEYS)


def encode_mp(code, value, paths):
    """MP_REACH or MP_UNREACH, of {"af", "nexthop" and "link-local" or "nh", "prefixes", "nlri", "rules" or "data"}."""
    known = MP_REACH_KEYS if code == ATTR_MP_REACH else MP_UNREACH_KEYS
    if not isinstance(value, dict):
        raise expected(value, 'an object with "af"')
    given = {key: item for key, item in value.items() if item is not None}
    for key in given:
        if key not in known:
            raise expected(key, ", ".join(known))
    forms = [key for key in MP_NLRI_KEYS if key in given]
    if len(forms) > 1:
        raise FieldError(f"both {forms[0]} and {forms[1]} are given, expected one of them")
    if "nh" in given and ("nexthop" in given or "link-local" in given):
        raise FieldError("both nexthop and nh are given, expected one of them")
    family = at("af", parse_family, given.get("af"))
    if "prefixes" in given:
        nlri = at("prefixes", lambda prefixes: encode_mp_prefixes(prefixes, family, paths), given["prefixes"])
    elif "nlri" in given or "rules" in given:
        nlri = at(forms[0], lambda values: encode_mp_nlri(values, family, paths), given[forms[0]])
    else:
        nlri = at("data", unhex, given.get("data", ""))
    head = family[0].to_bytes(2, "big") + family[1].to_bytes(1, "big")
    if code == ATTR_MP_UNREACH:
        return head + nlri
    if "nh" in given:
        nexthop = at("nh", unhex, given["nh"])
        if len(nexthop) > 255:
            raise FieldError(f"{len(nexthop)} octets, expected 255 at most").under("nh")
    else:
        nexthop = encode_mp_nexthop(family, given.get("nexthop"), given.get("link-local"))
    return head + len(nexthop).to_bytes(1, "big") + nexthop + b"\0" + nlri


def encode_mp_nlri(values, family, paths):
    from bgpipe.bgp.nlri import encode_nlri

    return encode_nlri(values, family, paths)


def encode_mp_prefixes(prefixes, family, paths):
    afi, safi = family
    if afi not in (1, 2) or safi not in (1, 2):
        raise FieldError(f"{family_name(afi, safi)} has no plain prefixes, expected nlri, or hex in data")
    return encode_prefixes(prefixes, afi, safi, paths)


VPN_SAFIS = (128, 129)


def encode_mp_nexthop(family, nexthop, link_local):
    """RFC 4760 section 3, RFC 2545 section 3, RFC 8950 section 4: no octets, an address, or an IPv6 one and its link-local one; each
    behind a route distinguisher of zero where the family is one of VPNs (RFC 4364 section 4.3.2, RFC 4659 section 3.2.1)."""
    afi, safi = family
    distinguisher = bytes(8) if safi in VPN_SAFIS else b""
    if nexthop is None:
        packed = b""
    else:
        packed = distinguisher + at("nexthop", pack_ipv6 if afi == 2 and safi <= 2 else pack_address, nexthop)
    if link_local is None:
        return packed
    if len(packed) != len(distinguisher) + 16:
        raise FieldError("a link-local address goes with an IPv6 next hop").under("link-local")
    return packed + distinguisher + at("link-local", pack_ipv6, link_local)


def pack_ipv6(value):
    return pack_address(value, 128)


# ---- attributes by number -----------------------------------------------------------------------------------------
FLAG_OPTIONAL = 0x80
FLAG_TRANSITIVE = 0x40
FLAG_PARTIAL = 0x20
FLAG_EXTENDED = 0x10

# RFC 4271 section 5 and each attribute's own document; what is not here is optional and transitive.
USUAL_FLAGS = {
    1: 0x40, 2: 0x40, 3: 0x40, 4: 0x80, 5: 0x40, 6: 0x40, 7: 0xC0, 8: 0xC0, 9: 0x80, 10: 0x80, 14: 0x80, 15: 0x80,
    16: 0xC0, 17: 0xC0, 18: 0xC0, 22: 0xC0, 23: 0xC0, 24: 0x80, 25: 0xC0, 26: 0x80, 27: 0xC0, 29: 0x80, 32: 0xC0,
    33: 0x80, 35: 0xC0, 36: 0xC0, 37: 0xC0, 38: 0xC0, 39: 0xC0, 40: 0xC0, 128: 0xC0,
}


ATTRIBUTE_NUMBERS = {name: code for code, name in ATTRIBUTES.items()}


def attribute_code(name):
    """The code of an attribute's name ("ASPATH", "attr_99") or number. FieldError."""
    if type(name) is str and name[:5].upper() == "ATTR_":
        name = name[5:]
    return lookup(name, ATTRIBUTE_NUMBERS, 255, "an attribute: a name such as ASPATH, ATTR_N or a number")


def encode_attribute(code, value, as_size, paths, segments=None):
    """The octets of one attribute's value.

    value: what the attribute's type wants, bytes or "0x.." for any, True for none. as_size: octets of an AS number in
    AS_PATH and AGGREGATOR, 2 or 4. paths: see encode_prefixes. segments: see path_segments.
    """
    if value is True:
        return b""
    if isinstance(value, (bytes, bytearray, memoryview)) or (type(value) is str and value[:2] in ("0x", "0X")):
        return unhex(value)
    if code == ATTR_ORIGIN:
        return bytes((lookup(value, ORIGIN_NUMBERS, 255, "IGP, EGP, INCOMPLETE or a number"),))
    if code == ATTR_AS_PATH:
        return encode_segments(path_segments(value, segments), as_size)
    if code == ATTR_AS4_PATH:
        return encode_segments(path_segments(value, segments), 4)
    if code == ATTR_NEXT_HOP or code == ATTR_ORIGINATOR_ID:
        return pack_address(value, 32)
    if code in (ATTR_MED, ATTR_LOCAL_PREF, ATTR_ONLY_TO_CUSTOMER):
        return number(value, 0xFFFFFFFF, "a number").to_bytes(4, "big")
    if code in (ATTR_AGGREGATOR, ATTR_AS4_AGGREGATOR):
        return encode_aggregator(value, 4 if code == ATTR_AS4_AGGREGATOR else as_size)
    if code == ATTR_COMMUNITIES:
        return packed_each(value, pack_community, 'communities such as "65000:1"')
    if code == ATTR_LARGE_COMMUNITIES:
        return packed_each(value, pack_large_community, 'large communities such as "65000:1:2"')
    if code == ATTR_EXT_COMMUNITIES:
        return packed_each(value, pack_ext_community, "extended communities")
    if code == ATTR_CLUSTER_LIST:
        return packed_each(value, pack_ipv4, "cluster ids")
    if code in (ATTR_MP_REACH, ATTR_MP_UNREACH):
        return encode_mp(code, value, paths)
    if code == ATTR_IPV6_EXT_COMMUNITIES:
        return packed_each(value, pack_ipv6_ext_community, "extended communities")
    if code == ATTR_SET:
        return encode_set(value, paths)
    if code in LAYOUTS:
        from bgpipe.bgp.encoding import encode          # which needs this module
        return encode(LAYOUTS[code], value)
    raise expected(value, "true where the value is empty" if code == ATTR_ATOMIC_AGGREGATE else 'hex digits, "0x.."')


def encode_set(value, paths):
    """RFC 6368 section 5: {"asn", "attrs"}; AS numbers take 4 octets."""
    from bgpipe.formats.json import encode_attributes   # which needs this module
    if not isinstance(value, dict) or set(value) != {"asn", "attrs"}:
        raise expected(value, 'an object with "asn" and "attrs"')
    return at("asn", as_number, value["asn"]).to_bytes(4, "big") + at(
        "attrs", lambda attributes: encode_attributes(attributes, 4, paths), value["attrs"])


def pack_ipv4(value):
    return pack_address(value, 32)


def encode_aggregator(value, as_size):
    """RFC 4271 section 5.1.7, RFC 6793 section 4: {"asn", "addr"} or the pair of them."""
    if isinstance(value, tuple) and len(value) == 2:
        value = {"asn": value[0], "addr": value[1]}
    if not isinstance(value, dict) or set(value) != {"asn", "addr"}:
        raise expected(value, 'an object with "asn" and "addr"')
    largest = 0xFFFF if as_size == 2 else 0xFFFFFFFF
    asn = at("asn", lambda given: number(given, largest, "an AS number"), value["asn"])
    return asn.to_bytes(as_size, "big") + at("addr", pack_ipv4, value["addr"])


def attribute_octets(code, flags, value):
    """Header and value of one attribute (RFC 4271 section 4.3). flags: the extended-length bit is set where it must be."""
    size = len(value)
    if size > 0xFFFF:
        raise FieldError(f"{size} octets, expected 65535 at most")
    if size > 255:
        flags |= FLAG_EXTENDED
    return bytes((flags, code)) + size.to_bytes(2 if flags & FLAG_EXTENDED else 1, "big") + value
