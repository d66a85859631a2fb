"""A slow, obvious evaluator of filters, to test the compiled one against.

It walks the tree of a filter for one message, and reads that message with tests/oracle.py and with what stands below.
It shares with the package only the classes of the tree and the table of names.

Every test comes down to a list of values that the message has, or None where it does not have the attribute at all.
"""

from __future__ import annotations

import json
import operator
import pathlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import oracle
import oracle_nlri
from bgpipe import Msg
from bgpipe.filters.tree import And, Not, Or, Prefix, PrefixFile, Test
from oracle import Malformed, Reader

Node = And | Or | Not | Test

ORIGIN, AS_PATH, NEXT_HOP, MED, LOCAL_PREF, AGGREGATOR, COMMUNITY = 1, 2, 3, 4, 5, 7, 8
MP_REACH, MP_UNREACH, EXT_COMMUNITY, AS4_PATH, AS4_AGGREGATOR, LARGE_COMMUNITY, OTC = 14, 15, 16, 17, 18, 32, 35
AS_TRANS = 23456
MAPPED = bytes(10) + b"\xff\xff"  # what makes an IPv4 address one of IPv6 (RFC 4291 section 2.5.5.2)


class Network(NamedTuple):
    """An IPv4 (bits 32) or IPv6 (128) prefix; the address has no bits behind its length."""

    bits: int
    address: int
    length: int

    @classmethod
    def of(cls, packed: bytes, length: int) -> Network:
        bits = 8 * len(packed)
        return cls(bits, int.from_bytes(packed, "big") >> (bits - length) << (bits - length), length)

    def covers(self, other: Network) -> bool:
        """Whether the other one is inside, or equal."""
        if self.bits != other.bits or self.length > other.length:
            return False
        spare = self.bits - self.length
        return self.address >> spare == other.address >> spare


# -- Reading a message -----------------------------------------------------------------------------------------


def networks(data: bytes, afi: int, addpath: bool) -> list[Network]:
    """NLRI of RFC 4271 section 4.3. Bits behind the length are of no account (there, "irrelevant")."""
    size = 4 if afi == 1 else 16
    reader, found = Reader(data), []
    while reader.left():
        if addpath:
            reader.take(4)
        length = reader.number(1)
        if length > 8 * size:
            raise Malformed(f"a prefix of {length} bits")
        found.append(Network.of(reader.take((length + 7) // 8).ljust(size, b"\0"), length))
    return found


@dataclass
class Mp:
    """MP_REACH or MP_UNREACH: RFC 4760 sections 3 and 4."""

    family: oracle.Family
    nexthop: bytes = b""
    prefixes: list[Network] = field(default_factory=list)

    def address(self) -> bytes | None:
        """The next hop's address, the first of two; of VPNs that behind a route distinguisher of zero."""
        if len(self.nexthop) in (4, 16, 32):
            return self.nexthop[:16]
        if self.family[1] in (128, 129) and len(self.nexthop) in (12, 24, 48) and not any(self.nexthop[:8]):
            return self.nexthop[8:24]
        return None


def read_mp(value: bytes, reach: bool, addpath: oracle.AddPath) -> Mp:
    reader = Reader(value)
    family = reader.number(2), reader.number(1)
    nexthop = b""
    if reach:
        nexthop = reader.take(reader.number(1))
        reader.take(1)
    if not oracle.is_prefix_family(family):
        data, path_ids = reader.rest(), oracle.addpath_in(addpath, family)
        if not oracle_nlri.parses(data, family, path_ids):
            raise Malformed("NLRI that cannot be")
        mp = Mp(family, nexthop)
        if family in oracle_nlri.LABELLED | oracle_nlri.VPN | oracle_nlri.VPN_MULTICAST:
            size = 4 if family[0] == 1 else 16
            inner = oracle_nlri.inner_prefixes(data, family, path_ids)
            mp.prefixes = [Network.of(octets.ljust(size, b"\0"), length) for length, octets in inner]
        return mp
    # RFC 2545 section 3, RFC 8950 section 3; none at all in what was made of a RIB
    if len(nexthop) not in ((0, 4, 16, 32) if family[0] == 1 else (0, 16, 32)):
        raise Malformed(f"a next hop of {len(nexthop)} octets")
    return Mp(family, nexthop, networks(reader.rest(), family[0], oracle.addpath_in(addpath, family)))


Hop = tuple[int, ...]  # an AS number, or the members of an AS_SET
AS_SEQUENCE, CONFEDERATION = 2, (3, 4)


class Path(NamedTuple):
    """The hops of an AS_PATH, confederation segments left out (RFC 5065 section 5.3), and whether each is an AS_SET."""

    hops: list[tuple[bool, Hop]]

    @classmethod
    def read(cls, value: bytes, as_size: int) -> Path:
        reader, hops = Reader(value), []
        while reader.left():
            kind, count = reader.take(2)
            if kind not in (1, 2, 3, 4) or count == 0:
                raise Malformed("no such segment")
            asns = [reader.number(as_size) for _ in range(count)]
            if kind == AS_SEQUENCE:
                hops += [(False, (asn,)) for asn in asns]
            elif kind not in CONFEDERATION:
                hops.append((True, tuple(asns)))
        return cls(hops)

    def text(self) -> str:
        return ",".join(str(list(hop)).replace(" ", "") if is_set else str(hop[0]) for is_set, hop in self.hops)

    def without_prepending(self) -> int:
        return sum(1 for i, hop in enumerate(self.hops) if i == 0 or hop != self.hops[i - 1])


# Octets of the values of one size, by attribute (RFC 4271 section 4.3, RFC 4456, RFC 6793, RFC 9234).
SIZES = {ORIGIN: 1, NEXT_HOP: 4, MED: 4, LOCAL_PREF: 4, 6: 0, 9: 4, AS4_AGGREGATOR: 8, OTC: 4}
PIECES = {COMMUNITY: 4, 10: 4, EXT_COMMUNITY: 8, LARGE_COMMUNITY: 12}


class Update:
    """An UPDATE, read from its body. Raises Malformed for whatever RFC 7606 calls malformed."""

    def __init__(self, body: bytes, as_size: int, addpath: oracle.AddPath) -> None:
        reader = Reader(body)
        plain = oracle.addpath_in(addpath, oracle.IPV4_UNICAST)
        self.unreach = networks(reader.take(reader.number(2)), 1, plain)
        self.attributes: dict[int, bytes] = {}
        for _, code, value in oracle.split_attributes(reader.take(reader.number(2))):
            if code in self.attributes:
                raise Malformed("an attribute comes twice")
            self.attributes[code] = value
        self.reach = networks(reader.rest(), 1, plain)
        self.mp_reach, self.mp_unreach = (
            read_mp(self.attributes[code], code == MP_REACH, addpath) if code in self.attributes else None
            for code in (MP_REACH, MP_UNREACH)
        )
        sizes = SIZES | {AGGREGATOR: as_size + 4}
        for code, value in self.attributes.items():
            if code in sizes and len(value) != sizes[code]:
                raise Malformed(f"attribute {code} has {len(value)} octets")
            if code in PIECES and (not value or len(value) % PIECES[code]):
                raise Malformed(f"attribute {code} has {len(value)} octets")
        if self.attributes.get(ORIGIN, b"\0") > b"\2":
            raise Malformed("no such ORIGIN")
        self.path = self.merged_path(as_size)

    def merged_path(self, as_size: int) -> Path | None:
        """RFC 6793 section 4.2.3."""
        new = Path.read(self.attributes[AS4_PATH], 4) if AS4_PATH in self.attributes else None
        if AS_PATH not in self.attributes:
            return None
        path = Path.read(self.attributes[AS_PATH], as_size)
        if as_size == 4 or new is None or len(new.hops) > len(path.hops):
            return path
        aggregator = self.attributes.get(AGGREGATOR, b"")[:2] if AS4_AGGREGATOR in self.attributes else b""
        if aggregator and int.from_bytes(aggregator, "big") != AS_TRANS:
            return path
        return Path(path.hops[: len(path.hops) - len(new.hops)] + new.hops)

    def family(self) -> oracle.Family:
        mp = self.mp_reach or self.mp_unreach
        return mp.family if mp else oracle.IPV4_UNICAST

    def nexthop(self) -> bytes | None:
        """That of MP_REACH if it is an address, with or without a link-local one behind it, else NEXT_HOP."""
        address = self.attributes.get(NEXT_HOP)
        if self.mp_reach:
            address = self.mp_reach.address() or address
        return address.removeprefix(MAPPED) if address else None

    def prefixes(self, which: str) -> list[Network]:
        """`which` is reach, unreach, or prefix for both."""
        announced = self.reach + (self.mp_reach.prefixes if self.mp_reach else [])
        withdrawn = self.unreach + (self.mp_unreach.prefixes if self.mp_unreach else [])
        return {"reach": announced, "unreach": withdrawn, "prefix": announced + withdrawn}[which]


def check_open(body: bytes) -> None:
    """RFC 4271 section 4.2, RFC 5492 section 4, RFC 9072 section 2. Raises Malformed."""
    reader = Reader(body)
    reader.take(9)
    length, params, size = reader.number(1), Reader(reader.rest()), 1
    if length == 255 and params.data[:1] == b"\xff" and params.left() >= 3:
        params.take(1)
        length, size = params.number(2), 2
    if length != params.left():
        raise Malformed("the length of the optional parameters does not fit")
    while params.left():
        kind, value = params.number(1), Reader(params.take(params.number(size)))
        while kind == oracle.CAPABILITIES_PARAMETER and value.left():
            value.take(1)
            value.take(value.number(1))


LEAST = {oracle.NOTIFY: 2, oracle.REFRESH: 4}  # octets of a body: RFC 4271 section 4.5, RFC 2918 section 3


@dataclass
class Message:
    """A message and what its reading depends on. time: ns since 1970."""

    wire: bytes
    as_size: int = 4
    addpath: oracle.AddPath = False
    direction: str = "R"
    seq: int = 1
    time: int = 0
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, msg: Msg) -> Message:
        families = frozenset(oracle.family_of(name) for name in msg.context.addpath)
        return cls(msg.wire, msg.context.as_size, families, msg.dir, msg.seq, msg.time, dict(msg.tags))

    @property
    def kind(self) -> int:
        return self.wire[18]

    @cached_property
    def data(self) -> oracle.Json:
        """Element 4 of the JSON form."""
        return oracle.decode_message(self.wire, self.as_size, self.addpath)[1]

    @cached_property
    def update(self) -> Update:
        return Update(self.wire[19:], self.as_size, self.addpath)

    @cached_property
    def parses(self) -> bool:
        body = self.wire[19:]
        try:
            if self.kind == oracle.UPDATE:
                return self.update is not None
            if self.kind == oracle.OPEN:
                check_open(body)
        except Malformed:
            return False
        if self.kind == oracle.KEEPALIVE:
            return not body
        if self.kind == oracle.REFRESH and body[2:3] in (b"\1", b"\2"):  # RFC 7313 section 5
            return len(body) == 4
        return len(body) >= LEAST.get(self.kind, 0)


# -- The values of an attribute --------------------------------------------------------------------------------

EVERY_TYPE = {"type", "tag", "dir", "seq", "time", "json"}
NUMBERS = {"med": MED, "local_pref": LOCAL_PREF, "otc": OTC, "origin": ORIGIN}
COMMUNITIES = {"community": COMMUNITY, "ext_community": EXT_COMMUNITY, "large_community": LARGE_COMMUNITY}

Values = list[Any] | None


def values(test: Test, message: Message) -> Values:
    match test.attribute:
        case "type":
            return [message.kind]
        case "dir":
            return [message.direction]
        case "seq":
            return [message.seq]
        case "time":
            return [oracle.time_text(message.time // 1000) if is_match(test) else message.time]
        case "tag":
            if test.index is None:
                return list(message.tags.values()) or None
            return [message.tags[test.index]] if test.index in message.tags else None
        case "json":
            return inside(message.data, str(test.index).split("."))
        case "attr":
            name, *rest = str(test.index).split(".")
            return inside(message.data, ["attrs", name, "value", *rest])
        case _:
            return update_values(test, message.update)


def is_match(test: Test) -> bool:
    return test.operator in ("~", "!~")


def inside(data: oracle.Json, path: list[str]) -> Values:
    """The one value that a path leads to."""
    for step in path:
        if isinstance(data, dict) and step in data:
            data = data[step]
        elif isinstance(data, list) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return [data]


def update_values(test: Test, update: Update) -> Values:
    name = test.attribute
    if name in ("prefix", "reach", "unreach"):
        return update.prefixes(name) or None
    if name.startswith("aspath"):
        return None if update.path is None else path_values(test, update.path)
    if name == "af":
        return [update.family()]
    if name == "nexthop":
        nexthop = update.nexthop()
        return None if nexthop is None else [Network.of(nexthop, 8 * len(nexthop))]
    code = (NUMBERS | COMMUNITIES)[name]
    if code not in update.attributes:
        return None
    octets = update.attributes[code]
    if name in NUMBERS:
        return [int.from_bytes(octets, "big")]
    return [community_list_text(code, octets)] if is_match(test) else oracle.whole(PIECES[code], octets)


def community_list_text(code: int, octets: bytes) -> str:
    """The list as JSON, without its brackets."""
    shown = oracle.attribute_json(code, octets, oracle.Context())["value"]
    return json.dumps(shown, separators=(",", ":"))[1:-1]


def path_values(test: Test, path: Path) -> Values:
    if test.attribute == "aspath_len":
        return [len(path.hops)]
    if test.attribute == "aspath_hops":
        return [path.without_prepending()]
    if isinstance(test.index, int):
        try:
            return list(path.hops[test.index][1])
        except IndexError:
            return [] if test.operator == "!=" else None
    if isinstance(test.value, str):
        return [path.text()]
    return [asn for _, hop in path.hops for asn in hop]


# -- Comparing -------------------------------------------------------------------------------------------------

ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def network(value: Prefix) -> Network:
    return Network.of(value.packed, value.length)


def compare_networks(comparison: str, found: Network, wanted: Network) -> bool:
    match comparison:
        case "==":
            return found == wanted
        case "~":
            return found.covers(wanted) or wanted.covers(found)
        case "<":
            return wanted.covers(found) and found != wanted
        case "<=":
            return wanted.covers(found)
        case ">":
            return found.covers(wanted) and found != wanted
        case _:
            return found.covers(wanted)


def compare_nexthops(comparison: str, found: Network, value: bytes | Prefix) -> bool:
    if comparison == "~":
        return network(value).covers(found)
    wanted = Network.of(value, 8 * len(value))
    return found.bits == wanted.bits and ORDER[comparison](found.address, wanted.address)


def number(value: Any) -> float | None:
    return None if isinstance(value, bool | str | list | dict | None) else value


def number_of_text(word: str) -> float | None:
    """A string that reads as a number: as a bare word of a filter does."""
    if not word.isascii() or "_" in word or word[:1] not in "-+.0123456789":
        return None
    for read in (int, float):
        try:
            return read(word)
        except ValueError:
            continue
    return None


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def compare_json(comparison: str, found: Any, wanted: Any) -> bool:
    """Numbers as numbers, for an order also strings that read as numbers, and nothing else; all else as text."""
    if comparison != "==":
        left = number_of_text(found) if isinstance(found, str) else number(found)
        return left is not None and ORDER[comparison](left, wanted)
    left, right = number(found), number(wanted)
    if left is not None and right is not None:
        return left == right
    return text(found) == text(wanted)


def compare(attribute: str, comparison: str, found: Any, wanted: Any) -> bool:
    if comparison == "in":
        if isinstance(wanted, PrefixFile):
            wanted = file_prefixes(wanted.path)
        return any(compare(attribute, "==", found, one) for one in wanted)
    match attribute:
        case "prefix" | "reach" | "unreach":
            return compare_networks(comparison, found, network(wanted))
        case "nexthop":
            return compare_nexthops(comparison, found, wanted)
        case "af":
            return all(want in (None, have) for have, want in zip(found, wanted, strict=True))
    if comparison == "~":
        return re.search(wanted, text(found)) is not None
    if attribute in ("json", "attr"):
        return compare_json(comparison, found, wanted)
    return ORDER[comparison](found, wanted)


def file_prefixes(path: str) -> list[Prefix]:
    """One a line; blank lines and comments are nothing."""
    found = []
    for line in pathlib.Path(path).read_text().splitlines():
        if word := line.partition("#")[0].strip():
            data = oracle.prefix_bytes(word)
            packed = data[1:].ljust(16 if ":" in word else 4, b"\0")
            found.append(Prefix(6 if ":" in word else 4, packed, data[0]))
    return found


# -- Evaluating ------------------------------------------------------------------------------------------------

Holds = Callable[[Test, Message], bool]


def is_update_test(node: Node) -> bool:
    """Whether it has nothing to say about other messages than UPDATEs."""
    if isinstance(node, Test):
        return node.attribute not in EVERY_TYPE
    terms = [node.term] if isinstance(node, Not) else node.terms
    return all(map(is_update_test, terms))


def holds(test: Test, message: Message) -> bool:
    found = values(test, message)
    if found is None:
        return False
    quantifier = all if test.attribute in ("prefix", "reach", "unreach") and test.index == "*" else any
    match test.operator:
        case "":
            return True
        case "!=" | "!~":
            comparison = {"!=": "==", "!~": "~"}[test.operator]
            return not quantifier(compare(test.attribute, comparison, one, test.value) for one in found)
    return quantifier(compare(test.attribute, test.operator, one, test.value) for one in found)


def evaluate(node: Node, message: Message, holds: Holds = holds) -> bool:
    if message.kind != oracle.UPDATE and is_update_test(node):
        return False
    if isinstance(node, Test):
        return holds(node, message)
    if isinstance(node, Not):
        return not evaluate(node.term, message, holds)
    quantifier = any if isinstance(node, Or) else all
    return quantifier(evaluate(term, message, holds) for term in node.terms)


def matches(tree: Node, message: Message, holds: Holds = holds) -> bool:
    """Whether a message matches. One that does not parse matches nothing, and no negation either.

    holds: whether a single test is true of a message; callers may remember.
    """
    return message.parses and evaluate(tree, message, holds)
