"""Flow routes of ExaBGP (RFC 8955, RFC 8956): components that match, and actions, which are extended communities."""

from __future__ import annotations

from bgpipe._attributes import expected, pack_address
from bgpipe.formats.exa.attributes import EXT_COMMUNITIES, Given, take
from bgpipe.formats.exa.communities import (
    COPY_TO_NEXT_HOP,
    REDIRECT_TO_NEXT_HOP,
    action,
    interface_set,
    mark,
    rate,
    redirect,
    to_next_hop,
)
from bgpipe.formats.exa.words import number_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bgpipe.formats.exa.attributes import Setting
    from bgpipe.formats.exa.words import Words

    Rule = dict[str, Any]

IPV6_EXT_COMMUNITIES = 25

PROTOCOLS = {
    "icmp": 1,
    "igmp": 2,
    "tcp": 6,
    "egp": 8,
    "udp": 17,
    "rsvp": 46,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmp6": 58,
    "ospf": 89,
    "ipip": 94,
    "pim": 103,
    "sctp": 132,
}  # IANA "Protocol Numbers"
ICMP_TYPES = {
    "echo-reply": 0,
    "unreachable": 3,
    "source-quench": 4,
    "redirect": 5,
    "echo-request": 8,
    "router-advertisement": 9,
    "router-solicit": 10,
    "time-exceeded": 11,
    "parameter-problem": 12,
    "timestamp": 13,
    "timestamp-reply": 14,
    "info-request": 15,
    "info-reply": 16,
    "mask-request": 17,
    "mask-reply": 18,
    "traceroute": 30,
}  # IANA "ICMP Type Numbers"
ICMP_CODES = {
    "network-unreachable": 0,
    "host-unreachable": 1,
    "protocol-unreachable": 2,
    "port-unreachable": 3,
    "fragmentation-needed": 4,
    "source-route-failed": 5,
    "destination-network-unknown": 6,
    "destination-host-unknown": 7,
    "source-host-isolated": 8,
    "destination-network-prohibited": 9,
    "destination-host-prohibited": 10,
    "network-unreachable-for-tos": 11,
    "host-unreachable-for-tos": 12,
    "communication-prohibited-by-filtering": 13,
    "host-precedence-violation": 14,
    "precedence-cutoff-in-effect": 15,
}  # IANA "Code Fields" of types 3 and 9
TCP_FLAGS = {
    "fin": 1,
    "syn": 2,
    "rst": 4,
    "push": 8,
    "ack": 16,
    "urg": 32,
    "urgent": 32,
    "ece": 64,
    "cwr": 128,
    "ns": 256,
}  # RFC 9293 section 3.1
FRAGMENTS = {
    "not-a-fragment": 0,
    "dont-fragment": 1,
    "is-fragment": 2,
    "first-fragment": 4,
    "last-fragment": 8,
}  # RFC 8955 section 4.2.2.12

_NONE: dict[str, int] = {}
# Word -> (component in the JSON form, names of values, the most that a value may be).
_NUMERIC = {
    "protocol": ("PROTO", PROTOCOLS, 0xFF),
    "next-header": ("PROTO", PROTOCOLS, 0xFF),
    "port": ("PORT", _NONE, 0xFFFF),
    "destination-port": ("PORT_DST", _NONE, 0xFFFF),
    "source-port": ("PORT_SRC", _NONE, 0xFFFF),
    "icmp-type": ("ICMP_TYPE", ICMP_TYPES, 0xFF),
    "icmp-code": ("ICMP_CODE", ICMP_CODES, 0xFF),
    "packet-length": ("PKTLEN", _NONE, 0xFFFF),
    "dscp": ("DSCP", _NONE, 0x3F),
    "traffic-class": ("DSCP", _NONE, 0xFF),
    "flow-label": ("LABEL", _NONE, 0xFFFFF),
}
_BITMASKS = {"tcp-flags": ("TCP_FLAGS", TCP_FLAGS, 0xFFFF), "fragment": ("FRAG", FRAGMENTS, 0xFF)}
_PREFIXES = {
    "destination": "DST",
    "destination-ipv4": "DST",
    "destination-ipv6": "DST",
    "source": "SRC",
    "source-ipv4": "SRC",
    "source-ipv6": "SRC",
}
IPV6_WORDS = ("next-header", "traffic-class", "flow-label")
# Longest first, so that none hides another.
_COMPARISONS = {"!=": "!=", ">=": ">=", "<=": "<=", "=": "==", ">": ">", "<": "<"}
_TESTS = {"!=": "NOT-ALL", "!": "NONE", "=": "ALL"}
MOST_TESTS = 4096  # of a component: no rule is longer (RFC 8955 section 4.1)


def flow(words: Words, given: Given) -> tuple[Rule, int]:
    """A rule in its JSON form and its AFI, of `destination 10.0.0.0/8 protocol =tcp discard`."""
    rule: Rule = {}
    more, version = _words_of(rule)
    take(words, given, more)
    return _finished(rule, given), 2 if version else 1


def flow_block(words: Words, given: Given) -> tuple[Rule, int]:
    """The same of `[NAME] { match { destination 10.0.0.0/8; ... } then { discard; } }`, or of words without braces."""
    rule: Rule = {}
    more, version = _words_of(rule)
    if words.word != "{" and words.word in (*more, "rd", "route-distinguisher", "next-hop"):
        take(words, given, more)
        return _finished(rule, given), 2 if version else 1
    if words.word != "{":
        words.take()
    words.want("{")
    while not words.skip("}"):
        if words.word in ("match", "then", "scope"):
            words.take()
            words.want("{")
            while not words.skip("}"):
                _statement(words, given, more)
            words.skip(";")
        else:
            _statement(words, given, more)
    words.skip(";")
    return _finished(rule, given), 2 if version else 1


def _statement(words: Words, given: Given, more: dict[str, Setting]) -> None:
    take(words, given, more)
    if not words.skip(";") and words.word != "}":
        raise words.unexpected('";" or "}"')


def _finished(rule: Rule, given: Given) -> Rule:
    return rule if given.rd is None else {"rd": given.rd} | rule


def _words_of(rule: Rule) -> tuple[dict[str, Setting], list[str]]:
    """The words of flow routes, which add to `rule`; and those that were met which IPv6 alone has."""
    version: list[str] = []

    def prefix(word: str) -> Setting:
        def parse(words: Words, given: Given) -> None:
            text = words.value(_prefix)
            if ":" in text:
                version.append(word)
            if _PREFIXES[word] in rule:
                raise words.wrong(f"{word} is there already, expected once")
            rule[_PREFIXES[word]] = text

        return parse

    def tests(word: str, operators: dict[str, str], usual: str) -> Setting:
        component, names, most = (_NUMERIC | _BITMASKS)[word]

        def parse(words: Words, given: Given) -> None:
            if word in IPV6_WORDS:
                version.append(word)
            found = rule.setdefault(component, [])
            parts = words.values(lambda text: _tests(text, operators, usual, names, most))
            found += [test for part in parts for test in part]
            if len(found) > MOST_TESTS:
                raise words.wrong(f"{len(found)} tests, expected {MOST_TESTS} at most")

        return parse

    components = {word: prefix(word) for word in _PREFIXES}
    components |= {word: tests(word, _COMPARISONS, "==") for word in _NUMERIC}
    components |= {word: tests(word, _TESTS, "ANY") for word in _BITMASKS}
    return components | ACTIONS, version


def _prefix(word: str) -> str:
    """`10.0.0.0/8`, `2001:db8::/32`, or with an offset `::12:0:0/96/64`, which is `::12:0:0/64-96` in JSON."""
    address, slash, bits = word.partition("/")
    packed = pack_address(address)
    length, _, offset = bits.partition("/")
    most = 8 * len(packed)
    size = number_of(length, most, "a prefix length") if slash else most
    start = number_of(offset, most, "an offset") if offset else 0
    return f"{address}/{start}-{size}" if start else f"{address}/{size}"


def _tests(text: str, operators: dict[str, str], usual: str, names: dict[str, int], most: int) -> list[dict[str, Any]]:
    """`>8080&<8088`: tests, all of which have to be met."""
    if not text:
        raise expected(text, "a value")
    found: list[dict[str, Any]] = []
    for part in text.split("&"):
        test: dict[str, Any] = {"op": usual, "val": 0}
        if usual == "==" and part.lower() in ("true", "false"):
            test["op"] = part.lower()
        else:
            sign = next((sign for sign in operators if part.startswith(sign)), "")
            value = _named(part[len(sign) :], names, most)
            test = {"op": operators.get(sign, usual), "val": value if usual == "==" else f"{value:#x}"}
        found.append({"and": True, **test} if found else test)
    return found


def _named(text: str, names: dict[str, int], most: int) -> int:
    """A number, or names of bits or values, several with a plus between them."""
    value = 0
    for part in text.split("+"):
        name = part.lower()
        value |= names[name] if name in names else number_of(part, most, ", ".join(names) or "a number")
    return value


# ---- components as text ----------------------------------------------------------------------------------------------

# Component in the JSON form -> word; that of IPv6 where it has another one.
_WORDS = {name: word for word, (name, _, _) in reversed((_NUMERIC | _BITMASKS).items()) if word not in IPV6_WORDS}
_WORDS6 = _WORDS | {name: word for word, (name, _, _) in _NUMERIC.items() if word in IPV6_WORDS}
_SIGNS = {op: sign for signs in (_COMPARISONS, _TESTS) for sign, op in signs.items()} | {"ANY": ""}
_MOST = {name: most for name, _, most in _NUMERIC.values()}
_BITS = {
    name: {bit: word for word, bit in reversed(bits.items()) if bit} for name, bits, _ in _BITMASKS.values()
}


def component_text(name: str, value: Any, afi: int) -> str | None:
    """The words of a component in its JSON form; None where it has none, or they would not make the same octets."""
    if name in ("DST", "SRC"):
        word = "destination" if name == "DST" else "source"
        address, _, bits = value.partition("/")
        start, offset, length = bits.partition("-")
        return f"{word} {address}/{length}/{start}" if offset else f"{word} {value}" + "/0" * (afi == 2)
    known = (_WORDS if afi == 1 else _WORDS6).get(name)
    if known is None:
        return None
    tests: list[str] = []
    for test in value:
        text = _test_text(name, test, 0x3F if known == "dscp" else _MOST.get(name, 0))
        if text is None:
            return None
        if test.get("and") and tests:
            tests[-1] += f"&{text}"
        elif test.get("and"):
            return None
        else:
            tests.append(text)
    return f"{known} {tests[0]}" if len(tests) == 1 else f"{known} [ {' '.join(tests)} ]"


def _test_text(name: str, test: dict[str, Any], most: int) -> str | None:
    sign = _SIGNS.get(test["op"])
    value = int(test["val"], 16) if isinstance(test["val"], str) else test["val"]
    least = next(size for size in (1, 2, 4, 8) if value < 1 << 8 * size)
    if sign is None or test.get("len", least) != least:
        return None
    names = _BITS.get(name)
    if names is None:
        return f"{sign}{value}" if value <= most else None
    parts = [word for bit, word in sorted(names.items()) if value & bit]
    if not parts or value != sum(bit for bit in names if value & bit):
        return None
    return sign + "+".join(parts)


# ---- actions ---------------------------------------------------------------------------------------------------------


def _accept(words: Words, given: Given) -> None:
    pass


def _community(parse: Callable[[str], bytes]) -> Setting:
    def add(words: Words, given: Given) -> None:
        given.put(EXT_COMMUNITIES, 0xC0, words.value(parse))

    return add


def _fixed(octets: bytes) -> Setting:
    def add(words: Words, given: Given) -> None:
        given.put(EXT_COMMUNITIES, 0xC0, octets)

    return add


def _redirect(words: Words, given: Given) -> None:
    """To a VRF, `65000:1`, or to an address, which is then the next hop."""
    if words.word.count(":") == 1:
        given.put(EXT_COMMUNITIES, 0xC0, words.value(lambda word: redirect(word.split(":"))))
    else:
        _hop(words, given, REDIRECT_TO_NEXT_HOP)


def _copy(words: Words, given: Given) -> None:
    _hop(words, given, COPY_TO_NEXT_HOP)


def _hop(words: Words, given: Given, octets: bytes) -> None:
    given.hop = words.word
    words.value(pack_address)
    given.put(EXT_COMMUNITIES, 0xC0, octets)


def _to_next_hop(words: Words, given: Given) -> None:
    """draft-ietf-idr-flowspec-redirect-ip section 4: an IPv6 address is an extended community of 20 octets."""
    if ":" in words.word:
        address = words.value(lambda word: pack_address(word, 128))
        given.put(IPV6_EXT_COMMUNITIES, 0xC0, b"\x00\x0c" + address + b"\0\0")
    else:
        given.put(EXT_COMMUNITIES, 0xC0, words.value(to_next_hop))


def _interface_set(words: Words, given: Given) -> None:
    for octets in words.values(_interface):
        given.put(EXT_COMMUNITIES, 0xC0, octets)


def _interface(word: str) -> bytes:
    parts = word.split(":")
    if len(parts) != 4:
        raise expected(word, '"transitive:input:65000:1"')
    return interface_set(parts)


ACTIONS: dict[str, Setting] = {
    "accept": _accept,
    "discard": _fixed(rate(["0"])),
    "rate-limit": _community(lambda word: rate([word])),
    "redirect": _redirect,
    "redirect-to-nexthop": _fixed(REDIRECT_TO_NEXT_HOP),
    "redirect-to-nexthop-ietf": _to_next_hop,
    "copy": _copy,
    "mark": _community(mark),
    "action": _community(action),
    "interface-set": _interface_set,
}
