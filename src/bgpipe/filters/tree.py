"""What a filter says, as a tree.

    And(terms), Or(terms)      all, any of two or more
    Not(term)
    Test(attribute, index, operator, value)

What a test means:

- On a message without the attribute a comparison is neither true nor false, and does not match. `!=` and `!~` are the
  negation of `==` and `~` on messages that have the attribute. Not(term) is plain negation.
- A test of an attribute outside ANY_TYPE is false on messages that are no UPDATE; so are its negation and any And, Or
  or Not made of such tests alone.
- Where a message has several values (prefixes, hops, communities, tags without a key), one that fits will do. With
  index "*" (prefixes), all have to, and there must be one.
- A message that does not parse matches nothing.

attribute    index       there is one if                         values
type                     always                                  int
af                       always (UPDATE)                         (AFI | None, SAFI | None): that of MP_REACH, else of
                                                                 MP_UNREACH, else IPV4/UNICAST
prefix       None, "*"   a prefix is announced or withdrawn      Prefix: unicast and multicast of IPv4, IPv6, plain,
reach                    a prefix is announced                   labelled and of VPNs; path ids, labels, distinguishers
unreach                  a prefix is withdrawn                   and bits behind the length do not count; IPv4-mapped
                                                                 ones are IPv6. `<`: longer and inside, `>`: shorter and
                                                                 around, `~`: either or equal
nexthop                  MP_REACH has one of 4, 16 or 32 octets, octets; `~` Prefix. IPv4-mapped is IPv4; of two
                         of a VPN 12, 24, 48 behind zeros,       addresses the first. Different families: unequal, no
                         or there is NEXT_HOP, in this order     order
aspath       None, int   there is an AS_PATH; for existence      int: of a set, one member will do; str: the whole, its
                         with an index, that hop                 hops joined by commas, sets in brackets, which is what
                                                                 `~` looks at, too
aspath_len               as aspath                               int: hops; a set is one
aspath_hops              as aspath                               int: hops, less those equal to the one in front
origin                   the attribute is there                  int
med local_pref otc       the attribute is there                  int
community                the attribute is there                  4, 8, 12 octets; `~`: str, over their JSON
ext_community                                                    text, the list without its outer brackets
large_community
tag          None, str   there is a tag; one of that key         str
dir seq      -           always                                  "L" | "R"; int
time                     always                                  int, ns since 1970; `~`: str, over its JSON text
json         str         the path leads somewhere                str | int | float | bool | None
attr         str         the same, below attrs.NAME.value        the same

AS_PATH is that of RFC 6793 section 4.2.3 where AS numbers take two octets; confederation segments are no hops.
json and attr: `==` compares two numbers as numbers, else text: a string's own, the JSON text of anything else, which is
what `~` looks at, too. `<` and its like compare numbers, and strings that would be read as one in a filter; what is
neither has no order, so that they are false.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Value = object

ANY_TYPE = frozenset(("type", "tag", "dir", "seq", "time", "json"))


class Prefix:
    """A network. family: 4 or 6. packed: 4 or 16 octets, nothing set behind `length` bits."""

    __slots__ = ("family", "length", "packed")

    def __init__(self, family: int, packed: bytes, length: int) -> None:
        self.family = family
        self.packed = packed
        self.length = length

    def __repr__(self) -> str:
        return f"Prefix({self.family}, {self.packed!r}, {self.length})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Prefix):
            return NotImplemented
        return (self.family, self.packed, self.length) == (other.family, other.packed, other.length)

    def __hash__(self) -> int:
        return hash((self.family, self.packed, self.length))


class PrefixFile:
    """The prefixes that a file lists, one a line. start: where it stands in the text; it does not count either."""

    __slots__ = ("path", "start")

    def __init__(self, path: str, start: int = 0) -> None:
        self.path = path
        self.start = start

    def __repr__(self) -> str:
        return f"PrefixFile({self.path!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrefixFile) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)


class Node:
    """One part of a filter. start, end: where it stands in the text; they do not count when nodes are compared."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end

    def _parts(self) -> tuple[object, ...]:
        classes = type(self).__mro__[:-2]  # down to this one
        return tuple(getattr(self, name) for cls in classes for name in vars(cls)["__slots__"])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Node) and self._parts() == other._parts()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(part) for part in self._parts())})"


class And(Node):
    """All of its terms."""

    __slots__ = ("terms",)

    def __init__(self, terms: Iterable[Node], start: int = 0, end: int = 0) -> None:
        super().__init__(start, end)
        self.terms: Sequence[Node] = tuple(terms)


class Or(And):
    """Any of its terms."""

    __slots__ = ()


class Not(Node):
    """The opposite of its term."""

    __slots__ = ("term",)

    def __init__(self, term: Node, start: int = 0, end: int = 0) -> None:
        super().__init__(start, end)
        self.term = term


class Test(Node):
    """One comparison.

    operator: "" for existence, or one of == != < <= > >= ~ !~ in; the value of `in` is a list or a PrefixFile.
    """

    __slots__ = ("attribute", "index", "operator", "value")
    __test__ = False  # no test case, whatever pytest makes of the name

    def __init__(
        self,
        attribute: str,
        index: int | str | None = None,
        operator: str = "",
        value: Value = None,
        start: int = 0,
        end: int = 0,
    ) -> None:
        super().__init__(start, end)
        self.attribute = attribute
        self.index = index
        self.operator = operator
        self.value = value


def any_type(node: Node) -> bool:
    """Whether it may match messages that are no UPDATE."""
    if isinstance(node, Test):
        return node.attribute in ANY_TYPE
    if isinstance(node, Not):
        return any_type(node.term)
    return isinstance(node, And) and any(any_type(term) for term in node.terms)
