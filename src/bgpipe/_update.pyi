"""UPDATE messages as Python sees them."""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from typing import Any, NamedTuple, Self, SupportsIndex, TypeVar, final, overload

from bgpipe._attributes import ExtCommunity, Prefix
from bgpipe._view import Msg, SessionContext

_T = TypeVar("_T")

class Aggregator(NamedTuple):
    """Who formed an aggregate (RFC 4271 section 5.1.7): AS number and address as text."""

    asn: int
    address: str

def attribute_name(code: int) -> str:
    """Name of an attribute, "ATTR_99" for one without."""

class ValueList(MutableSequence[_T]):
    """Prefixes, communities or cluster ids of a message: a list and, for `add`, `discard` and `in`, a set.

    It is the message's: a change is one to the message. What is put in may be text; what does not fit raises FieldError
    (or MessageError, if the message gets too long) and changes nothing. Without a value left, the attribute goes
    (reach and unreach stay, empty).
    """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[_T]: ...
    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> list[_T]: ...
    def __setitem__(self, index: SupportsIndex | slice, value: object) -> None: ...
    def __delitem__(self, index: SupportsIndex | slice) -> None: ...
    def __contains__(self, value: object) -> bool: ...
    def index(self, value: object, *bounds: int) -> int: ...
    def count(self, value: object) -> int: ...
    def insert(self, index: int, value: _T | str) -> None: ...
    def append(self, value: _T | str) -> None: ...
    def extend(self, values: Iterable[_T | str]) -> None: ...
    def remove(self, value: object) -> None: ...
    def clear(self) -> None: ...
    def reverse(self) -> None: ...
    def __iadd__(self, values: Iterable[_T | str]) -> Self: ...
    def add(self, value: _T | str) -> None:
        """Append it unless it is in already."""
    def discard(self, value: object) -> None:
        """Take out every one that equals it; nothing happens if there is none."""
    def __eq__(self, other: object) -> bool: ...

class AsPath:
    """An AS_PATH (RFC 4271 section 4.3, RFC 5065): a message's, or one on its own.

    A sequence of its hops, nearest AS first: an int, or for an AS_SET a tuple of them. Confederation segments are
    no hops.

    path: another one, "1 2 {3,4}", or a list as JSON has it: [1, 2, [3, 4]]. FieldError.
    Compares equal to what it could be made of; where a sequence is cut into segments does not matter.
    """

    def __init__(self, path: AsPath | str | Iterable[Any] = ()) -> None: ...
    @property
    def segments(self) -> list[tuple[str, tuple[int, ...]]]:
        """Segments as they stand: (type name, AS numbers)."""
    @property
    def hops(self) -> tuple[int | tuple[int, ...], ...]:
        """AS numbers from the nearest to the origin; an AS_SET is one hop, a tuple."""
    @property
    def origin(self) -> int | None:
        """The AS that originates the route; None for an empty path and for an AS_SET of several."""
    @property
    def peer(self) -> int | None:
        """The AS next to us; None for an empty path and for an AS_SET of several."""
    def prepend(self, asn: int, count: int = 1) -> None:
        """Put an AS number in front, `count` times (RFC 4271 section 5.1.2). FieldError, MessageError."""
    def __len__(self) -> int:
        """Length of the path in hops (RFC 4271 section 9.1.2.2, RFC 5065 section 5.3)."""
    def __iter__(self) -> Iterator[int | tuple[int, ...]]: ...
    def __getitem__(self, index: int) -> int | tuple[int, ...]: ...
    def __contains__(self, asn: object) -> bool:
        """Whether an AS number is anywhere in it, sets and confederation segments included."""
    def __eq__(self, other: object) -> bool: ...

class MpUnreach:
    """What a message withdraws with MP_UNREACH_NLRI (RFC 4760 section 4)."""

    @property
    def afi(self) -> int:
        """Number of the address family."""
    @property
    def safi(self) -> int:
        """Number of the subsequent address family."""
    @property
    def af(self) -> str:
        """Name of the family, such as "IPV6/UNICAST"."""
    @property
    def prefixes(self) -> ValueList[Prefix]:
        """Prefixes, for IPv4 and IPv6 unicast and multicast; empty for other families, see `data`."""
    @prefixes.setter
    def prefixes(self, value: Iterable[Prefix | str]) -> None: ...
    @property
    def nlri(self) -> list[dict[str, Any]] | None:
        """NLRI of families without plain prefixes, as in JSON (docs/json.md): of flow specification, rules. A new list.

        None for other families (see `prefixes`), and where the octets have no typed form (see `data`).
        Assign the whole list.
        """
    @nlri.setter
    def nlri(self, value: Iterable[Mapping[str, Any]]) -> None: ...
    @property
    def data(self) -> bytes:
        """The octets of the NLRI, for any family."""
    @data.setter
    def data(self, value: bytes) -> None: ...

class MpReach(MpUnreach):
    """What a message announces with MP_REACH_NLRI (RFC 4760 section 3)."""

    @property
    def nh(self) -> bytes:
        """The octets of the next hop, for any family."""
    @nh.setter
    def nh(self, value: bytes) -> None: ...
    @property
    def next_hop(self) -> str | None:
        """The next hop's address as text (RFC 2545, RFC 8950); None where it is no address, see `nh`."""
    @next_hop.setter
    def next_hop(self, value: str) -> None: ...
    @property
    def link_local(self) -> str | None:
        """The link-local address that goes with the next hop (RFC 2545 section 3), or None."""
    @link_local.setter
    def link_local(self, value: str | None) -> None: ...

class Attribute:
    """One path attribute of a message, any type."""

    code: int
    @property
    def name(self) -> str:
        """Its name as in JSON and filters, such as "ASPATH"; "ATTR_99" where it has none."""
    @property
    def flags(self) -> int:
        """The octet of flags (RFC 4271 section 4.3).

        0x80 optional, 0x40 transitive, 0x20 partial, 0x10 extended length.
        """
    @flags.setter
    def flags(self, value: int) -> None: ...
    @property
    def octets(self) -> bytes:
        """Its value as it stands on the wire."""
    @octets.setter
    def octets(self, value: bytes) -> None: ...
    @property
    def value(self) -> Any:
        """Its value as `Update` gives it; bytes where the type is not known. MessageError if it does not parse."""
    @value.setter
    def value(self, value: object) -> None: ...

class Attributes(MutableMapping[str, Any]):
    """Path attributes of a message by name ("MED", "ATTR_99") or code, in the order in which they stand there.

    Looking one up gives an Attribute. Assigning takes what the `Update` attribute of that type takes, bytes or "0x.."
    for any type, or an Attribute, whose flags come with it; otherwise flags stay, and a new attribute gets its usual
    ones.
    """

    def __getitem__(self, key: str | int) -> Attribute: ...
    def __setitem__(self, key: str | int, value: object) -> None: ...
    def __delitem__(self, key: str | int) -> None: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __contains__(self, key: object) -> bool:
        """Whether an attribute is there: by name, or by code. FieldError for what is neither."""

@final
class Update:
    """An UPDATE message (RFC 4271 section 4.3): prefixes and path attributes, to read and to change.

    Values are decoded when looked at. Assigning one, or changing a list or path, encodes that one anew; all others keep
    their octets, flags and order. None takes an attribute out. FieldError: what does not fit. MessageError: a message
    or value that does not parse (code, subcode, field), or that gets too long. Either way nothing has changed.
    A message without anything left announces the end of a table (RFC 4724): drop it instead.

    Update(...) makes a new message, `.msg`:
    announce, withdraw: prefixes of any family, IPv6 ones into MP_REACH and MP_UNREACH. next_hop: an address, or one a
    family. origin: "IGP" where something is announced. attrs: other attributes by name, as `Attributes` takes them.
    direction, time, tags, context: as for `Msg`. The rest: as the attribute of that name.
    """

    def __init__(
        self,
        *,
        announce: Iterable[Prefix | str] = (),
        withdraw: Iterable[Prefix | str] = (),
        next_hop: str | Iterable[str] | None = None,
        as_path: AsPath | str | Iterable[Any] | None = None,
        origin: str | int | None = None,
        med: int | None = None,
        local_pref: int | None = None,
        atomic_aggregate: bool = False,
        aggregator: tuple[int, str] | None = None,
        communities: Iterable[str | int] = (),
        large_communities: Iterable[str] = (),
        ext_communities: Iterable[ExtCommunity | str | Mapping[str, Any]] = (),
        originator_id: str | None = None,
        cluster_list: Iterable[str] = (),
        otc: int | None = None,
        reach: Iterable[Prefix | str] = (),
        unreach: Iterable[Prefix | str] = (),
        mp_reach: Mapping[str, Any] | bytes | None = None,
        mp_unreach: Mapping[str, Any] | bytes | None = None,
        as4_path: AsPath | str | Iterable[Any] | None = None,
        attrs: Mapping[str, object] | None = None,
        direction: str = "R",
        time: int | None = None,
        tags: Mapping[str, str] | None = None,
        context: SessionContext | None = None,
    ) -> None: ...
    @staticmethod
    def of(msg: Msg) -> Update:
        """The view of an UPDATE message."""
    @property
    def msg(self) -> Msg:
        """The message."""
    @property
    def attrs(self) -> Attributes:
        """All path attributes, by name."""
    @property
    def announced(self) -> list[Prefix]:
        """All plain prefixes that it announces: reach and those of MP_REACH. A new list.

        NLRI of other families, such as VPNs, are no plain prefixes: see `mp_reach.nlri`.
        """
    @property
    def withdrawn(self) -> list[Prefix]:
        """All plain prefixes that it withdraws: unreach and those of MP_UNREACH. A new list."""
    @property
    def end_of_rib(self) -> str | None:
        """Name of the family whose End-of-RIB this is (RFC 4724 section 2), or None."""
    @property
    def full_as_path(self) -> AsPath:
        """A new AsPath: AS_PATH, with the numbers of AS4_PATH where its own take 2 octets (RFC 6793 section 4.2.3)."""
    @property
    def reach(self) -> ValueList[Prefix]:
        """IPv4 prefixes that it announces, those in the NLRI field."""
    @reach.setter
    def reach(self, value: Iterable[Prefix | str]) -> None: ...
    @property
    def unreach(self) -> ValueList[Prefix]:
        """IPv4 prefixes that it withdraws, those in the field of withdrawn routes."""
    @unreach.setter
    def unreach(self, value: Iterable[Prefix | str]) -> None: ...
    @property
    def origin(self) -> str | None:
        """ORIGIN (RFC 4271 section 5.1.1): "IGP", "EGP", "INCOMPLETE", or None."""
    @origin.setter
    def origin(self, value: str | int | None) -> None: ...
    @property
    def as_path(self) -> AsPath:
        """AS_PATH as it stands; empty where there is none."""
    @as_path.setter
    def as_path(self, value: AsPath | str | Iterable[Any] | None) -> None: ...
    @property
    def as4_path(self) -> AsPath:
        """AS4_PATH (RFC 6793 section 3) as it stands; empty where there is none."""
    @as4_path.setter
    def as4_path(self, value: AsPath | str | Iterable[Any] | None) -> None: ...
    @property
    def next_hop(self) -> str | None:
        """Address of NEXT_HOP, else that of MP_REACH, as text; None where there is neither."""
    @next_hop.setter
    def next_hop(self, value: str | None) -> None: ...
    @property
    def med(self) -> int | None:
        """MULTI_EXIT_DISC (RFC 4271 section 5.1.4), or None."""
    @med.setter
    def med(self, value: int | None) -> None: ...
    @property
    def local_pref(self) -> int | None:
        """LOCAL_PREF (RFC 4271 section 5.1.5), or None."""
    @local_pref.setter
    def local_pref(self, value: int | None) -> None: ...
    @property
    def atomic_aggregate(self) -> bool:
        """Whether ATOMIC_AGGREGATE is there (RFC 4271 section 5.1.6)."""
    @atomic_aggregate.setter
    def atomic_aggregate(self, value: bool) -> None: ...
    @property
    def aggregator(self) -> Aggregator | None:
        """AGGREGATOR (RFC 4271 section 5.1.7), or None."""
    @aggregator.setter
    def aggregator(self, value: tuple[int, str] | None) -> None: ...
    @property
    def communities(self) -> ValueList[str]:
        """COMMUNITIES (RFC 1997), such as "65000:666"; well-known ones may be put in by name."""
    @communities.setter
    def communities(self, value: Iterable[str | int] | None) -> None: ...
    @property
    def large_communities(self) -> ValueList[str]:
        """LARGE_COMMUNITY (RFC 8092), such as "65000:1:2"."""
    @large_communities.setter
    def large_communities(self, value: Iterable[str] | None) -> None: ...
    @property
    def ext_communities(self) -> ValueList[ExtCommunity]:
        """Extended communities (RFC 4360); "TARGET:65000:1" may be put in."""
    @ext_communities.setter
    def ext_communities(self, value: Iterable[ExtCommunity | str | Mapping[str, Any]] | None) -> None: ...
    @property
    def originator_id(self) -> str | None:
        """ORIGINATOR_ID (RFC 4456 section 8) as text, or None."""
    @originator_id.setter
    def originator_id(self, value: str | None) -> None: ...
    @property
    def cluster_list(self) -> ValueList[str]:
        """CLUSTER_LIST (RFC 4456 section 8): addresses as text."""
    @cluster_list.setter
    def cluster_list(self, value: Iterable[str] | None) -> None: ...
    @property
    def otc(self) -> int | None:
        """Only to Customer (RFC 9234 section 5): an AS number, or None."""
    @otc.setter
    def otc(self, value: int | None) -> None: ...
    @property
    def mp_reach(self) -> MpReach | None:
        """MP_REACH_NLRI (RFC 4760 section 3), or None. Assign its JSON form: {"af", "nexthop", "prefixes"}."""
    @mp_reach.setter
    def mp_reach(self, value: Mapping[str, Any] | bytes | None) -> None: ...
    @property
    def mp_unreach(self) -> MpUnreach | None:
        """MP_UNREACH_NLRI (RFC 4760 section 4), or None. Assign its JSON form: {"af", "prefixes"}."""
    @mp_unreach.setter
    def mp_unreach(self, value: Mapping[str, Any] | bytes | None) -> None: ...
