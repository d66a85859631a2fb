from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar, final

from bgpipe.errors import FieldError

_T = TypeVar("_T")

FLAG_OPTIONAL: Final[int]
FLAG_TRANSITIVE: Final[int]
FLAG_PARTIAL: Final[int]
FLAG_EXTENDED: Final[int]
USUAL_FLAGS: Final[Mapping[int, int]]

def expected(value: object, what: str) -> FieldError:
    """The FieldError for `value` where `what` was expected."""

def at(step: str | int, parse: Callable[[Any], _T], value: object) -> _T:
    """parse(value), whose FieldError gets `step` in front of its path."""

def number(value: object, maximum: int, what: str) -> int:
    """`value`, an int or decimal or 0x digits, as an int from 0 to `maximum`. FieldError."""

def lookup(value: object, numbers: Mapping[str, int], maximum: int, what: str) -> int:
    """The number of a name (any case), or of a number. FieldError."""

def unhex(value: object) -> bytes:
    """Bytes of "0x.." text; "" is empty. FieldError."""

def items_of(value: object, what: str) -> Sequence[Any]:
    """The items of a list, tuple or other iterable, but not of text or a mapping. FieldError."""

def pack_mac(value: object) -> bytes:
    """A MAC address "00:11:22:33:44:55" as its 6 octets. FieldError."""

def pack_address(value: object, bits: int = 0) -> bytes:
    """An address, as text or as an ipaddress object, as its 4 or 16 octets.

    bits: 32 or 128 where only one will do. FieldError.
    """

def family_name(afi: int, safi: int) -> str:
    """AFI and SAFI as "IPV6/UNICAST"; "AFI(7)/SAFI(9)" where they have no name."""

def parse_family(value: object) -> tuple[int, int]:
    """(AFI, SAFI) of "IPV6/UNICAST", of its numbers "2/1", or of a pair of numbers. FieldError."""

@final
class Prefix:
    """An IPv4 or IPv6 prefix, with a path id (RFC 7911) or without. Immutable.

    prefix: "192.0.2.0/24", "2001:db8::/32", "#42#192.0.2.0/24", an ipaddress network or another Prefix.
    FieldError if it is none, or has bits set behind its length.
    Compares equal to text that stands for the same prefix; `in` takes prefixes and addresses.
    """

    def __init__(self, prefix: object, *, path_id: int | None = None) -> None: ...
    @property
    def afi(self) -> int:
        """1 for IPv4, 2 for IPv6."""
    @property
    def bits(self) -> int:
        """Width of the address: 32 or 128."""
    @property
    def length(self) -> int:
        """Prefix length in bits."""
    @property
    def path_id(self) -> int | None:
        """The path id, or None where the prefix came without (RFC 7911 section 3)."""
    @property
    def address(self) -> str:
        """The network's address as text (RFC 5952)."""
    @property
    def packed(self) -> bytes:
        """The network's address as 4 or 16 octets."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...
    def __lt__(self, other: Prefix) -> bool: ...
    def __le__(self, other: Prefix) -> bool: ...
    def __gt__(self, other: Prefix) -> bool: ...
    def __ge__(self, other: Prefix) -> bool: ...
    def __contains__(self, other: object) -> bool:
        """Whether a prefix or an address lies inside (a prefix holds itself; path ids are not looked at)."""

def decode_prefixes(data: bytes, afi: int, addpath: bool = False) -> list[Prefix]:
    """The prefixes packed in `data` (RFC 4271 section 4.3).

    afi: 1 or 2. FieldError if they do not end where it ends.
    """

def encode_prefixes(values: object, afi: int, safi: int, paths: dict[tuple[int, int], bool]) -> bytes:
    """Prefixes of one family, packed.

    paths: {(AFI, SAFI): whether its prefixes carry path ids}; a family that is not there yet is entered by
    its first prefix. FieldError where a prefix has one and should not, or the other way round.
    """

@final
class ExtCommunity:
    """One extended community (RFC 4360). Immutable.

    community: "TARGET:65000:1", its JSON form {"type", "value", "nontransitive"}, "0x" and 16 hex digits, or 8 octets.
    FieldError. Compares equal to what it could be made of.
    """

    def __init__(self, community: ExtCommunity | str | bytes | Mapping[str, Any]) -> None: ...
    @property
    def octets(self) -> bytes:
        """All 8 octets, type and subtype first."""
    @property
    def type(self) -> str:
        """Name of type and subtype, such as "TARGET"; hex digits where it has none."""
    @property
    def value(self) -> str:
        """ "65000:1" or "192.0.2.1:1" for types of AS and address, else the 6 octets as a number in hex."""
    @property
    def nontransitive(self) -> bool:
        """Whether it stays within an AS (RFC 4360 section 2, the T bit)."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...

def pack_community(value: object) -> bytes:
    """4 octets (RFC 1997) of "65000:1", of a well-known name, or of a number. FieldError."""

def pack_large_community(value: object) -> bytes:
    """12 octets (RFC 8092 section 3) of "65000:1:2". FieldError."""

def pack_ext_community(value: object) -> bytes:
    """8 octets (RFC 4360 section 2) of what ExtCommunity takes. FieldError."""

VPN_SAFIS: Final[tuple[int, ...]]
"""Those whose next hops stand behind a route distinguisher (RFC 4364 section 4.3.2)."""

def encode_mp_nexthop(family: tuple[int, int], nexthop: object, link_local: object) -> bytes:
    """RFC 4760 section 3, RFC 2545 section 3, RFC 8950 section 4: 0, 4, 16 or 32 octets; 12, 24 or 48 for VPNs.

    FieldError.
    """

def encode_mp_nlri(values: object, family: tuple[int, int], paths: dict[tuple[int, int], bool]) -> bytes:
    """NLRI of a family that has other than plain prefixes, packed; paths: see encode_prefixes. FieldError."""

def path_segments(value: object, counts: object = None) -> list[tuple[int, list[int]]]:
    """Segments [(type, [AS number, ...]), ...] of a path as JSON has it.

    A run of bare numbers is an AS_SEQUENCE, an inner list an AS_SET, {"confed_seq": [...]} and
    {"confed_set": [...]} those of RFC 5065. A sequence of more than 255 numbers takes several segments.
    counts: sizes of the AS_SEQUENCE segments, where a path is split in another way; ignored if they do not
    add up to the runs there are.
    """

def encode_segments(segments: Iterable[tuple[int, list[int]]], as_size: int) -> bytes:
    """RFC 4271 section 4.3: type, count, AS numbers of `as_size` bytes. FieldError."""

def decode_segments(data: bytes, as_size: int) -> list[tuple[int, list[int]]]:
    """[(type, [AS number, ...]), ...] of an AS_PATH or AS4_PATH value. FieldError if it does not parse."""

def attribute_code(name: object) -> int:
    """The code of an attribute's name ("ASPATH", "attr_99") or number. FieldError."""

def encode_attribute(
    code: int, value: object, as_size: int, paths: dict[tuple[int, int], bool], segments: object = None
) -> bytes:
    """The octets of one attribute's value.

    value: what the attribute's type wants, bytes or "0x.." for any, True for none. as_size: octets of an AS
    number in AS_PATH and AGGREGATOR, 2 or 4. paths: see encode_prefixes. segments: see path_segments.
    FieldError.
    """

def attribute_octets(code: int, flags: int, value: bytes) -> bytes:
    """Header and value of one attribute (RFC 4271 section 4.3).

    flags: the extended-length bit is set where it must be. FieldError above 65535 octets.
    """
