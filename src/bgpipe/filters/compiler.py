"""From what a filter says to a program that runs on wire bytes.

A program is a list of tests, each of which says where to go on if it holds and if it does not. Terms of && and || are
put in the order of what they cost: they have no effects, so that order changes nothing but the time. UPDATEs and other
messages begin at different tests: for the latter, whatever looks at an UPDATE's attributes is decided beforehand.
"""

from __future__ import annotations

import os
from stat import S_ISREG

from bgpipe._attributes import ExtCommunity, attribute_code
from bgpipe._match import ACCEPT, REJECT, Program
from bgpipe._prefixset import PrefixSet
from bgpipe.errors import FilterError
from bgpipe.filters.regex import Pattern
from bgpipe.filters.tree import And, Node, Not, Or, Prefix, PrefixFile, Test, any_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from bgpipe._view import Msg

TYPE_UPDATE = 2
MAX_64 = 2**64 - 1
SIGN = 1 << 63
REACH, UNREACH = 1, 2
# Of all files of prefixes that a filter names: four times the routes of the Internet.
MAX_OCTETS = 128 << 20
MAX_LINES = 5_000_000

NUMBERS = {"med": 4, "local_pref": 5, "otc": 35}
COMMUNITIES = {"community": (8, 4), "ext_community": (16, 8), "large_community": (32, 12)}
SIDES = {"prefix": REACH | UNREACH, "reach": REACH, "unreach": UNREACH}
NEGATIVE = {"!=": "==", "!~": "~"}

# What a test costs, in the order of its kinds; regular expressions come behind all tests on octets, JSON last.
COSTS = {"type": 0, "dir": 0, "seq": 0, "time": 0, "af": 2, "nexthop": 3, "tag": 20, "json": 50, "attr": 50}


def compile_filter(tree: Node, text: str) -> Program:
    """The program of a filter. FilterError where a file of prefixes cannot be used."""
    return Compiler(text).program(tree)


def cost(node: Node) -> int:
    """How late among its neighbours a term is looked at."""
    if isinstance(node, Test):
        if node.operator in ("~", "!~") and node.attribute not in (*SIDES, "nexthop"):
            return 30
        if node.attribute == "aspath":
            return 30 if isinstance(node.value, str) else 5
        return COSTS.get(node.attribute, 4)
    if isinstance(node, Not):
        return cost(node.term)
    return max((cost(term) for term in node.terms), default=0) if isinstance(node, And) else 0


class Compiler:
    """One filter's compilation. text: for errors."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.made = Program()
        self._files: dict[str, PrefixSet] = {}
        self._octets = MAX_OCTETS  # that files may still have
        self._lines = MAX_LINES

    def program(self, tree: Node) -> Program:
        self.made.begin(self.node(tree, ACCEPT, REJECT, True), self.node(tree, ACCEPT, REJECT, False))
        return self.made

    def node(self, node: Node, yes: int, no: int, update: bool) -> int:
        """Compile a term, for UPDATEs or for others, that leads to yes or no. Returns where to begin with it."""
        if not update and not any_type(node):
            return no
        if isinstance(node, Not):
            return self.node(node.term, no, yes, update)
        if isinstance(node, And):
            at = no if isinstance(node, Or) else yes
            for term in sorted(node.terms, key=cost, reverse=True):  # backwards, from where it leads to
                at = self.node(term, yes, at, update) if isinstance(node, Or) else self.node(term, at, no, update)
            return at
        assert isinstance(node, Test)
        return self.test(node, yes, no, update)

    def test(self, test: Test, yes: int, no: int, update: bool) -> int:
        operator = NEGATIVE.get(test.operator, test.operator)
        options: dict[str, Any] = {"invert": test.operator in NEGATIVE}
        attribute, value = test.attribute, test.value
        if attribute in ("type", "dir", "seq", "time") and not operator:
            return yes
        if attribute == "type":
            if update:
                known = TYPE_UPDATE in value if isinstance(value, list) else value == TYPE_UPDATE
                return yes if known != options["invert"] else no
            return self.made.add("type", yes, no, **options, **_numbers(operator, value))
        if attribute == "dir":
            flags = [side == "L" for side in (value if isinstance(value, list) else [value])]
            return self.made.add("dir", yes, no, **options, **_numbers("in", flags))
        if attribute == "seq":
            return self.made.add("seq", yes, no, **options, **_numbers(operator, value))
        if attribute == "time":
            if operator == "~":
                return self.made.add("ask time", yes, no, **options, function=_on(_time_text, _search(value)))
            times = [time + SIGN for time in value] if isinstance(value, list) else value + SIGN  # type: ignore[operator]
            return self.made.add("time", yes, no, **options, **_numbers(operator, times))
        if attribute == "af":
            return self.family(test, yes, no, operator, options)
        if attribute in SIDES:
            return self.prefix(test, yes, no, operator, options)
        if attribute == "nexthop":
            return self.next_hop(test, yes, no, operator, options)
        if attribute == "aspath":
            return self.path(test, yes, no, operator, options)
        if attribute == "tag":
            return self.tag(test, yes, no, operator, options)
        if attribute in ("json", "attr"):
            return self.json(test, yes, no, operator, options)
        if attribute in COMMUNITIES:
            return self.community(test, yes, no, operator, options)
        if attribute in ("aspath_len", "aspath_hops"):
            if not operator:
                return self.made.add("has", yes, no, which=2)
            return self.made.add(attribute, yes, no, **options, **_numbers(operator, value))
        code = 1 if attribute == "origin" else NUMBERS[attribute]
        if not operator:
            return self.made.add("has", yes, no, which=code)
        kind = "origin" if attribute == "origin" else "number"
        return self.made.add(kind, yes, no, which=code, **options, **_numbers(operator, value))

    def family(self, test: Test, yes: int, no: int, operator: str, options: dict[str, Any]) -> int:
        if not operator:
            return yes
        items = b""
        for afi, safi in test.value if isinstance(test.value, list) else [test.value]:  # type: ignore[misc]
            items += (afi or 0).to_bytes(2, "big") + bytes((safi or 0,))
            items += (b"\0\0" if afi is None else b"\xff\xff") + (b"\0" if safi is None else b"\xff")
        return self.made.add("af", yes, no, **options, items=items, width=6)

    def prefix(self, test: Test, yes: int, no: int, operator: str, options: dict[str, Any]) -> int:
        options |= {"which": SIDES[test.attribute], "all": test.index == "*" and operator != ""}
        value = test.value
        if operator == "in":
            return self.made.add("prefix", yes, no, how="in", **options, function=self.prefixes(test))
        if not isinstance(value, Prefix):
            return self.made.add("prefix", yes, no, **options)
        length = value.length
        shortest, longest = {
            "==": (length, length),
            "<": (length + 1, 128),
            "<=": (length, 128),
            ">": (0, length - 1),
            ">=": (0, length),
            "~": (0, 128),
        }[operator]
        if longest < shortest:
            shortest, longest = 129, 128
        network = (value.family, value.packed, length)
        return self.made.add(
            "prefix", yes, no, how="~", **options, network=network, shortest=shortest, longest=longest
        )

    def prefixes(self, test: Test) -> PrefixSet:
        """The set behind `in`. FilterError."""
        if not isinstance(test.value, PrefixFile):
            lines = [f"{_address_text(p.packed)}/{p.length}" for p in test.value]  # type: ignore[attr-defined]
            return PrefixSet("\n".join(lines).encode())
        path = test.value.path
        if path not in self._files:
            shown = path if path.isprintable() else ascii(path)
            try:
                text = self.read(path)
            except OSError as error:
                raise FilterError(f"{shown}: {error.strerror or error}", self.text, test.value.start) from None
            except ValueError as error:
                raise FilterError(f"{shown}: {error}", self.text, test.value.start) from None
            try:
                self._files[path] = PrefixSet(text)
            except ValueError as error:
                # What stands there is not shown: the file may be another than was meant, and a secret.
                what = "expected a prefix such as 192.0.2.0/24 or 2001:db8::/32"
                raise FilterError(f"{shown}, line {error.args[0]}: {what}", self.text, test.value.start) from None
        return self._files[path]

    def read(self, path: str) -> bytes:
        """A file of prefixes. OSError; ValueError: it is none that could be one, or too large."""
        # Opening a pipe would wait for somebody to write to it.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("expected a regular file")
            text = file.read(self._octets + 1) or b""  # None: one of /proc that would have us wait
        self._octets -= len(text)
        self._lines -= text.count(b"\n")
        if self._octets < 0 or self._lines < 0:
            raise ValueError(f"expected {MAX_OCTETS >> 20} MiB and {MAX_LINES} lines at most in the files of a filter")
        return text

    def next_hop(self, test: Test, yes: int, no: int, operator: str, options: dict[str, Any]) -> int:
        value = test.value
        if isinstance(value, Prefix):
            options |= {"network": (value.family, value.packed, value.length), "shortest": 0, "longest": 128}
        elif isinstance(value, list):
            options |= {"items": _sorted(_address_key(address) for address in value), "width": 17}
        elif isinstance(value, bytes):
            options |= {"items": _address_key(value), "width": 17, "network": (4 if len(value) == 4 else 6, value, 0)}
        return self.made.add("nexthop", yes, no, how=operator, **options)

    def path(self, test: Test, yes: int, no: int, operator: str, options: dict[str, Any]) -> int:
        value = test.value
        if not operator:
            if test.index is None:
                return self.made.add("has", yes, no, which=2)
            return self.made.add("hop", yes, no, all=True, index=int(test.index), low=0, high=MAX_64)
        if operator == "~":
            return self.made.add("ask path", yes, no, **options, function=_search(value))
        if isinstance(value, str):
            return self.made.add("ask path", yes, no, **options, function=value.encode().__eq__)
        indexed: dict[str, Any] = {"all": test.index is not None, "index": test.index or 0}
        return self.made.add("hop", yes, no, **options, **indexed, **_numbers(operator, value))

    def community(self, test: Test, yes: int, no: int, operator: str, options: dict[str, Any]) -> int:
        code, width = COMMUNITIES[test.attribute]
        if not operator:
            return self.made.add("has", yes, no, which=code)
        if operator == "~":
            text = {4: _communities_text, 8: _ext_communities_text, 12: _large_communities_text}[width]
            return self.made.add("ask octets", yes, no, **options, which=code, function=_on(text, _search(test.value)))
        values: list[Any] = test.value if isinstance(test.value, list) else [test.value]
        how = "in" if len(values) > 1 else "=="
        return self.made.add(
            "community", yes, no, how=how, **options, which=code, items=_sorted(values), width=width
        )

    def tag(self, test: Test, yes: int, no: int, operator: str, options: dict[str, Any]) -> int:
        if isinstance(test.index, str):
            key = test.index.encode("utf-8", "surrogatepass")
            options |= {"items": key, "width": len(key)}
        if operator == "~":
            options["function"] = _search(test.value)
        elif operator:
            values = test.value if isinstance(test.value, list) else [test.value]
            options["function"] = frozenset(str(v).encode("utf-8", "surrogatepass") for v in values).__contains__
        return self.made.add("ask tag", yes, no, how=operator, **options)

    def json(self, test: Test, yes: int, no: int, operator: str, options: dict[str, Any]) -> int:
        path = str(test.index).split(".")
        if test.attribute == "attr":
            options["which"] = attribute_code(path[0])
            path = ["attrs", path[0], "value", *path[1:]]
        return self.made.add("ask message", yes, no, **options, function=_json_test(path, operator, test.value))


# ---- operands -------------------------------------------------------------------------------------------------------
def _numbers(operator: str, value: Any) -> dict[str, Any]:
    """Options of Program.add() for a comparison of unsigned numbers below 2**64."""
    if operator == "in":
        return {"how": "in", "items": _sorted(int(number).to_bytes(8, "big") for number in value), "width": 8}
    low, high = {
        "==": (value, value),
        "<": (0, value - 1),
        "<=": (0, value),
        ">": (value + 1, MAX_64),
        ">=": (value, MAX_64),
    }[operator]
    if not 0 <= low <= high <= MAX_64:
        low, high = 1, 0
    return {"low": low, "high": high}


def _sorted(items: Iterable[bytes]) -> bytes:
    return b"".join(sorted(set(items)))


def _address_key(packed: bytes) -> bytes:
    return bytes((4 if len(packed) == 4 else 6,)) + packed + bytes(16 - len(packed))


def _address_text(packed: bytes) -> str:
    if len(packed) == 4:
        return ".".join(map(str, packed))
    return ":".join(packed[i : i + 2].hex() for i in range(0, 16, 2))


# ---- what regular expressions look at -------------------------------------------------------------------------------
def _search(pattern: object) -> Callable[[bytes], object]:
    assert isinstance(pattern, Pattern)
    return pattern.search


def _on(text: Callable[[bytes], str], search: Callable[[bytes], object]) -> Callable[[bytes], object]:
    return lambda octets: search(text(octets).encode())


def _communities_text(octets: bytes) -> str:
    parts = (int.from_bytes(octets[i : i + 4], "big") for i in range(0, len(octets) & ~3, 4))
    return ",".join(f'"{part >> 16}:{part & 0xFFFF}"' for part in parts)


def _large_communities_text(octets: bytes) -> str:
    def number(at: int) -> int:
        return int.from_bytes(octets[at : at + 4], "big")

    parts = range(0, len(octets) // 12 * 12, 12)
    return ",".join(f'"{number(at)}:{number(at + 4)}:{number(at + 8)}"' for at in parts)


def _ext_communities_text(octets: bytes) -> str:
    found = []
    for at in range(0, len(octets) & ~7, 8):
        one = ExtCommunity(octets[at : at + 8])
        nontransitive = ',"nontransitive":true' if one.nontransitive else ""
        found.append(f'{{"type":"{one.type}","value":"{one.value}"{nontransitive}}}')
    return ",".join(found)


def _time_text(octets: bytes) -> str:
    from datetime import UTC, datetime, timedelta

    us = int.from_bytes(octets, "little", signed=True) // 1000
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    return when.replace(tzinfo=None).isoformat(timespec="microseconds" if us % 1000 else "milliseconds")


# ---- JSON -----------------------------------------------------------------------------------------------------------
MISSING = object()


def _json_test(path: list[str], operator: str, value: Any) -> Callable[[Msg], bool | None]:
    """What answers a test of a value in the JSON form: None where there is no such value."""
    search = _search(value) if operator == "~" else None
    values = value if isinstance(value, list) else [value]

    def answer(msg: Msg) -> bool | None:
        from json import loads

        found = loads(msg.to_json())[4]
        for step in path:
            if isinstance(found, dict):
                found = found.get(step, MISSING)
            elif isinstance(found, list) and step.isascii() and step.isdigit() and len(step) < 10:
                found = found[int(step)] if int(step) < len(found) else MISSING
            else:
                found = MISSING
            if found is MISSING:
                return None
        if not operator:
            return True
        if search is not None:
            return bool(search(_json_text(found).encode("utf-8", "surrogatepass")))
        if operator in ("==", "in"):
            return any(_json_equal(found, value) for value in values)
        return _json_order(found, operator, value)

    return answer


def _json_equal(found: object, value: object) -> bool:
    if type(found) in (int, float) and type(value) in (int, float):
        return found == value
    return _json_text(found) == _json_text(value)


def _json_order(found: object, operator: str, value: float) -> bool:
    from bgpipe.filters.parser import scalar

    number: Any = scalar(found) if isinstance(found, str) else found
    if type(number) not in (int, float):
        return False
    return bool(
        number < value if operator == "<" else
        number <= value if operator == "<=" else
        number > value if operator == ">" else
        number >= value
    )  # fmt: skip


def _json_text(value: object) -> str:
    from json import dumps

    return value if isinstance(value, str) else dumps(value, separators=(",", ":"), ensure_ascii=False)
