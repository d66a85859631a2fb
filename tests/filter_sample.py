"""Some hundred messages of every kind, for tests of filters, and filters whose values occur in them.

The messages are the vectors of tests/wire and real ones of the corpus: of each file, type, AS size, set of attributes,
address families and shape of path a few. `comparisons` are single tests, each with a text that says it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import bgpipe
import corpus
import filter_oracle
import oracle
from bgpipe import Msg, SessionContext, names
from bgpipe.errors import InputError
from bgpipe.filters.tree import Prefix, Test
from filter_oracle import Message
from wire.vectors import VECTORS

LOOKED_AT = 3000  # messages of each file
TAKEN = int(os.environ.get("BGPIPE_MESSAGES", "9"))  # of these
OF_A_KIND = 2 + TAKEN // 10
ANY_FAMILY = [f"{afi}/{safi}" for afi in ("IPV4", "IPV6") for safi in ("UNICAST", "MULTICAST")]


def vectors() -> Iterator[Msg]:
    for number, vector in enumerate(VECTORS):
        context = SessionContext(as_size=vector.as_size, addpath=ANY_FAMILY if vector.addpath else ())
        tags = {"PEER_AS": str(64500 + number % 3), "note": vector.name} if number % 4 else {}
        direction = "RL"[number % 2]
        yield Msg(vector.wire, direction=direction, time=number * 10**16 + 5, seq=number, tags=tags, context=context)


def archive(name: str) -> Iterator[Msg]:
    """The first messages of an MRT archive, up to where it is damaged."""
    with contextlib.suppress(InputError):
        yield from itertools.islice(bgpipe.read(str(corpus.folder() / "mrt" / name)), LOOKED_AT)


def others() -> Iterator[Msg]:
    """Those of other implementations' tests, less what has no right header."""
    for found in corpus.messages():
        if found.wire.startswith(oracle.MARKER) and int.from_bytes(found.wire[16:18], "big") == len(found.wire):
            yield Msg(found.wire, time=10**18, tags={"SRC": found.source})


def kind_of(message: Message) -> object:
    if message.kind != oracle.UPDATE or not message.parses:
        return message.kind, message.parses, isinstance(message.data, str)
    update = message.update
    path = update.path.hops if update.path else []
    return (
        message.as_size,
        bool(message.addpath),
        tuple(sorted(update.attributes)),
        (bool(update.reach), bool(update.unreach), update.family()),
        (any(is_set for is_set, _ in path), len(set(path)) < len(path), not path),
        len(update.prefixes("prefix")) > 1,
    )


def of_each_kind(messages: Iterator[Msg], most: int) -> Iterator[Msg]:
    """A few of each kind that was not there before; small ones, since tests take every message many times."""
    seen: dict[object, int] = {}
    for msg in messages:
        kind = kind_of(Message.of(msg))
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= OF_A_KIND and len(msg.wire) < 1500:
            yield msg
            most -= 1
            if not most:
                return


@cache
def messages() -> tuple[Msg, ...]:
    """Copies, so that no archive stays in memory. They are numbered."""
    sources = [vectors(), of_each_kind(others(), 60), *(of_each_kind(archive(name), TAKEN) for name in corpus.names("mrt"))]
    return tuple(msg.copy() for source in sources for msg in source)


@cache
def read_messages() -> tuple[Message, ...]:
    return tuple(map(Message.of, messages()))


# -- Values that occur -----------------------------------------------------------------------------------------


def some(values: Any, count: int, chance: random.Random) -> list[Any]:
    """`count` of the distinct values."""
    found = sorted(set(values))
    return chance.sample(found, min(count, len(found)))


def prefix_text(network: filter_oracle.Network) -> str:
    return f"{oracle.ip_text(network.address.to_bytes(network.bits // 8, 'big'))}/{network.length}"


def prefix_of(network: filter_oracle.Network) -> Prefix:
    return Prefix(4 if network.bits == 32 else 6, network.address.to_bytes(network.bits // 8, "big"), network.length)


def around(network: filter_oracle.Network, chance: random.Random) -> filter_oracle.Network:
    """Itself, one that covers it, or one inside."""
    packed = network.address.to_bytes(network.bits // 8, "big")
    length = network.length + chance.choice([0, 0, -1, -8, 1, chance.randint(-network.length, 0)])
    return filter_oracle.Network.of(packed, max(0, min(network.bits, length)))


def escaped(pattern: str) -> str:
    """In quotes, as a filter has it."""
    return '"' + pattern.replace("\\", "\\\\").replace('"', '\\"') + '"'


def paths_of(data: oracle.Json, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every path into a JSON value, with what is there."""
    if path:
        yield path, data
    steps = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, inner in steps:
        yield from paths_of(inner, f"{path}.{step}".strip("."))


def pattern_of(text: str, chance: random.Random) -> str:
    """One that is found in the text, of what Python and RE2 read alike."""
    start = chance.randint(0, max(0, len(text) - 1))
    part = re.escape(text[start : start + chance.randint(1, 6)])
    return chance.choice([part, part, "^" + re.escape(text[:3]), re.escape(text[-4:]) + "$", part + ".*[0-9]+", f"({part}|x)"])


class Spelling:
    """Ways to write one test down."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def name(self, *names: str) -> str:
        name = self.chance.choice(names)
        name = name.upper() if self.chance.random() < 0.2 else name
        return name.replace("_", "-") if self.chance.random() < 0.2 else name

    def operator(self, operator: str) -> str:
        spelling = self.chance.choice({"==": ["==", "="], "!=": ["!=", "=!"], "!~": ["!~", "~!"]}.get(operator, [operator]))
        return self.chance.choice([f" {spelling} ", spelling]) if operator != "in" else " in "

    def number(self, value: int) -> str:
        return self.chance.choice([str(value), str(value), hex(value)])


ORDER = ["<", "<=", ">", ">="]
EQUAL = ["==", "!="]
NAMES = {
    "prefix": ["prefix"],
    "reach": ["reach"],
    "unreach": ["unreach"],
    "nexthop": ["nexthop", "nh"],
    "aspath": ["aspath", "as_path"],
    "aspath_len": ["aspath_len"],
    "aspath_hops": ["aspath_hops"],
    "origin": ["origin"],
    "med": ["med", "metric"],
    "local_pref": ["local_pref", "localpref"],
    "otc": ["otc", "only_to_customer"],
    "community": ["community", "com"],
    "ext_community": ["ext_community", "ext_com", "com_ext"],
    "large_community": ["large_community", "large_com", "com_large"],
}
INDEXED = {-1: "as_origin", -2: "as_upstream", 0: "as_peer"}
Comparison = tuple[Test, str]


@cache
def comparisons() -> tuple[Comparison, ...]:
    """Single tests and their texts, some of each attribute."""
    return tuple(Comparisons(read_messages(), 40, random.Random(1)).all())


class Comparisons:
    """Tests with values of these messages, about `count` of each attribute and operator."""

    def __init__(self, messages: Sequence[Message], count: int, chance: random.Random) -> None:
        self.count, self.chance, self.spelling = count, chance, Spelling(chance)
        self.messages = [message for message in messages if message.parses]
        self.updates = [message.update for message in self.messages if message.kind == oracle.UPDATE]

    def all(self) -> Iterator[Comparison]:
        yield from self.of_every_type()
        yield from self.families()
        for attribute in ("prefix", "reach", "unreach"):
            yield from self.networks(attribute)
        yield from self.nexthops()
        yield from self.hops()
        yield from self.paths()
        yield from self.numbers()
        yield from self.communities()
        yield from self.json()

    def some(self, values: Any, share: int = 1) -> list[Any]:
        return some(values, max(2, self.count // share), self.chance)

    def one(self, attribute: str, index: Any, operator: str, value: Any, text: str, name: str = "") -> Comparison:
        """text: the value's, or of a list the values'."""
        written = name or self.spelling.name(*NAMES.get(attribute, [attribute]))
        if operator:
            written += self.spelling.operator(operator) + text
        return Test(attribute, index, operator, value), written

    def listed(self, attribute: str, index: Any, values: list[Any], texts: list[str], name: str = "") -> Comparison:
        return self.one(attribute, index, "in", values, "[" + self.chance.choice([",", ", "]).join(texts) + "]", name)

    def of_every_type(self) -> Iterator[Comparison]:
        for number, name in ((1, "open"), (2, "update"), (3, "notify"), (4, "keepalive"), (5, "refresh")):
            yield Test("type", None, "==", number), self.spelling.name(name)
            yield self.one("type", None, "!=", number, name.upper())
        yield self.one("type", None, "==", 9, "9")
        yield self.listed("type", None, [1, 3], ["OPEN", "notify"])
        for operator, direction in itertools.product(EQUAL, "LR"):
            yield self.one("dir", None, operator, direction, direction)
        for message in self.some_messages(2):
            operator = self.chance.choice([*EQUAL, *ORDER])
            yield self.one("seq", None, operator, message.seq, str(message.seq))
            operator = self.chance.choice([*EQUAL, *ORDER])
            moment = oracle.time_text(message.time // 1000)
            yield self.one("time", None, operator, oracle.time_microseconds(moment) * 1000, moment)
            pattern = pattern_of(moment, self.chance)
            yield self.one("time", None, self.chance.choice(["~", "!~"]), pattern, escaped(pattern))
        yield self.one("tag", None, "", None, "")
        for key, value in self.some({pair for message in self.messages for pair in message.tags.items()}):
            pattern = pattern_of(value, self.chance)
            for name, index in ((f"tag[{key}]", key), ("tag", None), ("tags[other]", "other")):
                operator = self.chance.choice(["", *EQUAL])
                yield self.one("tag", index, operator, value if operator else None, escaped(value), name)
                yield self.one("tag", index, self.chance.choice(["~", "!~"]), pattern, escaped(pattern), name)
                yield self.listed("tag", index, [value, "x"], [escaped(value), "x"], name)

    def some_messages(self, share: int) -> list[Message]:
        return self.chance.sample(self.messages, min(len(self.messages), self.count // share))

    def families(self) -> Iterator[Comparison]:
        yield self.one("af", None, "", None, "")
        yield Test("af", None, "==", (1, 1)), "ipv4"
        yield Test("af", None, "==", (2, 1)), "IPv6"
        for family in self.some({update.family() for update in self.updates}):
            afi, safi = oracle.family_text(family).split("/")
            yield self.one("af", None, self.chance.choice(EQUAL), family, f'"{afi}/{safi}"')
            if afi.isalnum():
                yield self.one("af", None, self.chance.choice(EQUAL), (family[0], None), afi)
            if "(" not in safi and safi not in names.AFIS.values():
                yield self.one("af", None, self.chance.choice(EQUAL), (None, family[1]), safi.lower())

    def networks(self, attribute: str) -> Iterator[Comparison]:
        yield self.one(attribute, None, "", None, "")
        found = self.some({network for update in self.updates for network in update.prefixes(attribute)})
        for network in found:
            index = None
            for operator in [*EQUAL, *ORDER, "~", "!~"]:
                other = around(network, self.chance)
                index = self.chance.choice([None, None, "*"])
                name = self.spelling.name(attribute) + ("[*]" if index else "")
                yield self.one(attribute, index, operator, prefix_of(other), prefix_text(other), name)
            several = [network, *self.chance.sample(found, min(3, len(found)))]
            name = f"{attribute}[*]" if index else attribute
            yield self.listed(attribute, index, list(map(prefix_of, several)), list(map(prefix_text, several)), name)

    def nexthops(self) -> Iterator[Comparison]:
        yield self.one("nexthop", None, "", None, "")
        for packed in self.some({nexthop for update in self.updates if (nexthop := update.nexthop())}):
            text = oracle.ip_text(packed)
            for operator in [*EQUAL, *ORDER]:
                yield self.one("nexthop", None, operator, packed, text)
            network = filter_oracle.Network.of(packed, self.chance.randint(0, 8 * len(packed)))
            yield self.one("nexthop", None, self.chance.choice(["~", "!~"]), prefix_of(network), prefix_text(network))
            yield self.listed("nexthop", None, [packed, bytes(4)], [text, "0.0.0.0"])

    def hops(self) -> Iterator[Comparison]:
        """Tests of AS numbers, at a place or anywhere."""
        pairs = {
            (index - shift, asn)
            for update in self.updates
            if update.path
            for index, (_, hop) in enumerate(update.path.hops)
            for shift in (0, len(update.path.hops))
            for asn in hop
        }
        places: dict[int, list[int]] = {}
        for index, asn in sorted(pairs):
            places.setdefault(index, []).append(asn)
        for index in [-1, -2, 0, *self.some(places)]:
            chosen = self.some(places.get(index, [7]), 4)
            yield self.hop(index, "", None, "")
            for asn in chosen:
                for operator in [*EQUAL, *ORDER]:
                    yield self.hop(index, operator, asn, self.spelling.number(asn))
                    if operator in EQUAL or self.chance.random() < 0.2:
                        yield self.one("aspath", None, operator, asn, str(asn))
                yield self.one("aspath", None, "==", asn, str(asn), "aspath[*]")
            yield self.listed("aspath", index, chosen, list(map(str, chosen)), f"aspath[{index}]")
            yield self.listed("aspath", None, chosen, list(map(str, chosen)))

    def hop(self, index: int, operator: str, asn: int | None, text: str) -> Comparison:
        name = f"{self.spelling.name('aspath', 'as_path')}[{index}]"
        if index in INDEXED and self.chance.random() < 0.6:
            name = self.spelling.name(INDEXED[index])
        return self.one("aspath", index, operator, asn, text, name)

    def paths(self) -> Iterator[Comparison]:
        """Tests of the whole path."""
        yield self.one("aspath", None, "", None, "")
        for text in self.some({update.path.text() for update in self.updates if update.path}):
            yield self.one("aspath", None, self.chance.choice(EQUAL), text, escaped(text))
            pattern = pattern_of(text, self.chance)
            yield self.one("aspath", None, self.chance.choice(["~", "~", "!~"]), pattern, escaped(pattern))
        for attribute in ("aspath_len", "aspath_hops"):
            yield self.one(attribute, None, "", None, "")
            for operator, length in itertools.product([*EQUAL, *ORDER], (0, 1, 3, 4, 7)):
                yield self.one(attribute, None, operator, length, str(length))
            yield self.listed(attribute, None, [2, 5], ["2", "0x5"])

    def numbers(self) -> Iterator[Comparison]:
        for operator, (value, texts) in itertools.product(EQUAL, enumerate(("igp i 0", "egp e 1", "Incomplete ? 2"))):
            for text in texts.split():
                yield self.one("origin", None, operator, value, text)
        for attribute, code in filter_oracle.NUMBERS.items():
            yield self.one(attribute, None, "", None, "")
            if attribute == "origin":
                continue
            octets = {update.attributes[code] for update in self.updates if code in update.attributes}
            for value in self.some(int.from_bytes(value, "big") for value in octets):
                for operator in [*EQUAL, *ORDER]:
                    yield self.one(attribute, None, operator, value, self.spelling.number(value))
                yield self.listed(attribute, None, [0, value], ["0", str(value)])

    def communities(self) -> Iterator[Comparison]:
        for attribute, code in filter_oracle.COMMUNITIES.items():
            size = filter_oracle.PIECES[code]
            yield self.one(attribute, None, "", None, "")
            lists = {update.attributes[code] for update in self.updates if code in update.attributes}
            for packed in self.some(piece for octets in lists for piece in oracle.whole(size, octets)):
                text = self.community_text(attribute, packed)
                for operator in EQUAL:
                    yield self.one(attribute, None, operator, packed, text)
                yield self.listed(attribute, None, [packed, packed], [text, text])
            for octets in self.some(lists):
                pattern = pattern_of(filter_oracle.community_list_text(code, octets), self.chance)
                yield self.one(attribute, None, self.chance.choice(["~", "~", "!~"]), pattern, escaped(pattern))
        yield self.one("community", None, "==", b"\xff\xff\xff\x01", self.chance.choice(["no_export", "NO_EXPORT"]))

    def community_text(self, attribute: str, packed: bytes) -> str:
        if attribute != "ext_community":
            return oracle.community_text(packed, len(packed) // (2 if attribute == "community" else 3))
        shown = oracle.ext_community_json(packed)
        if shown["type"].startswith("0x") or shown["value"].startswith("0x") or "nontransitive" in shown:
            return f"0x{packed.hex()}"
        return f"{shown['type']}:{shown['value']}"

    def json(self) -> Iterator[Comparison]:
        found: dict[str, Any] = {}
        for message in self.messages:
            for path, value in paths_of(message.data):
                found.setdefault(path, value)
        plain = {path for path in found if re.fullmatch(r"[A-Za-z0-9_.-]+", path) and path.count(".") < 6}
        for path in [*self.some(path for path in plain if not path.startswith("attrs.")), *self.some(plain)]:
            yield from self.inside("json", path, found[path])
        values = {path: ".".join([path.split(".")[1], *path.split(".")[3:]]) for path in plain if ".value" in path}
        for path in self.some(values):
            yield from self.inside("attr", values[path], found[path])

    def inside(self, attribute: str, path: str, value: Any) -> Iterator[Comparison]:
        name = f"{attribute}[{path}]"
        yield self.one(attribute, path, "", None, "", name)
        shown = filter_oracle.text(value)
        if len(shown) > 100:
            return
        pattern = pattern_of(shown, self.chance)
        yield self.one(attribute, path, self.chance.choice(["~", "!~"]), pattern, escaped(pattern), name)
        if isinstance(value, dict | list):
            return
        text = escaped(value) if isinstance(value, str) else json.dumps(value)
        yield self.one(attribute, path, self.chance.choice(EQUAL), value, text, name)
        yield self.listed(attribute, path, [value, True], [text, "true"], name)
        if isinstance(value, int) and not isinstance(value, bool):
            for operator in ORDER:
                yield self.one(attribute, path, operator, value, str(value), name)
            yield self.one(attribute, path, ">", value - 0.5, str(value - 0.5), name)
