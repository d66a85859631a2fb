"""ExaBGP text to wire: the commands of its API, as versions 4.2 to 6 know them (docs/formats.md has the table).

The native reader knows the lines that most programs print, and gives every other one to `parse_line`. A command is read
word by word; each word that carries a value is encoded where it stands, so that an error can name the column.
What is made of a command is what ExaBGP sends for it: attributes in the order of their codes, MP_REACH_NLRI last.
"""

from __future__ import annotations

import re

from bgpipe._attributes import (
    USUAL_FLAGS,
    Prefix,
    attribute_octets,
    encode_attribute,
    encode_prefixes,
    encode_segments,
    expected,
    family_name,
    number,
    pack_address,
    pack_community,
    pack_large_community,
    unhex,
)
from bgpipe.errors import ExaError, FieldError
from bgpipe.formats.json import ROUTE_REFRESH, UPDATE, families, message
from bgpipe.names import EXA_AFIS, EXA_SAFIS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar

    T = TypeVar("T")
    Paths = dict[tuple[int, int], bool]
    Found = tuple[bytes, frozenset[tuple[int, int]], dict[str, str]]

STANDARD_MESSAGE = 4096  # RFC 4271 section 4.1: what is divided to fit; one prefix alone may take more
MOST_ITEMS = 65535  # of a list: a message has no room for more
MOST_SPLIT = 65536  # prefixes that `split` may make of one
NEIGHBOR = "exa/neighbor"  # the tag that says for which neighbors a command is

IPV4_UNICAST = (1, 1)
ORIGIN, AS_PATH, NEXT_HOP, MP_REACH, MP_UNREACH, EXT_COMMUNITIES = 1, 2, 3, 14, 15, 16
COMMUNITIES, AIGP, LARGE_COMMUNITIES, PREFIX_SID = 8, 26, 32, 40
LISTS = (COMMUNITIES, EXT_COMMUNITIES, LARGE_COMMUNITIES)  # attributes that words may add to
UNICAST, MULTICAST, MPLS, MCAST_VPN, VPLS, MUP, MPLS_VPN = 1, 2, 4, 5, 65, 85, 128

# Commands to ExaBGP itself that a program may begin with: they are about its answers, and no message.
SILENT = ("enable-ack", "disable-ack", "silence-ack")
SELECTORS = ("local-ip", "local-as", "peer-as", "router-id", "family-allowed")


class Words:
    """The words of a line, one after the other. word: the one that comes next, "" at the end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._found: Iterator[re.Match[str]] = re.finditer(r"[\[\](){};,]|[^\s\[\](){};,]+", text)
        self._place = self._next = 0
        self.word = ""
        self._step()

    def _step(self) -> None:
        match = next(self._found, None)
        self._place = self._next
        self.word, self._next = (match[0], match.start()) if match else ("", len(self.text))

    def take(self) -> str:
        """The next word. Errors are from now on about it."""
        word = self.word
        self._step()
        return word

    def skip(self, word: str) -> bool:
        """Whether the next word is this one, which is then behind us."""
        if self.word != word:
            return False
        self._step()
        return True

    def want(self, word: str) -> None:
        if not self.skip(word):
            raise self.unexpected(f'"{word}"')

    def unexpected(self, what: str) -> ExaError:
        """The error for the next word, where something else has to stand."""
        return self.refuse(self.take(), what)

    def refuse(self, word: str, what: str) -> ExaError:
        """The error for the word that was taken last, where something else has to stand."""
        return self.wrong(str(expected(word, what)) if word else f"the line ends, expected {what}")

    def wrong(self, problem: str) -> ExaError:
        """The error for the word that was taken last."""
        column = self._place + 1
        return ExaError(f"column {column}: {problem}", column=column)

    def value(self, parse: Callable[[str], T]) -> T:
        """What `parse` makes of the next word."""
        word = self.take()
        try:
            return parse(word)
        except FieldError as error:
            if not word:
                raise self.refuse(word, error.problem.partition(", expected ")[2]) from None
            raise self.wrong(error.problem) from None

    def values(self, parse: Callable[[str], T]) -> list[T]:
        """Of the words in brackets, or of the one that stands alone."""
        if not self.skip("["):
            return [self.value(parse)]
        found: list[T] = []
        while not self.skip("]"):
            if self.skip(",") and found:
                continue
            found.append(self.value(parse))
            if len(found) > MOST_ITEMS:
                raise self.wrong(f"item {len(found)} of a list, expected {MOST_ITEMS} at most")
        if not found:
            raise self.wrong("an empty list, expected one item or more")
        return found


def parse_line(line: bytes) -> list[Found]:
    """The messages of one command: none for a blank line, a comment, and what is about answers alone.

    A message is (all its octets, families (AFI, SAFI) whose prefixes carry path ids, tags). Several come of many
    prefixes, as ExaBGP divides them. Raises ExaError with the column, what was read and what was expected.
    """
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError as error:
        raise ExaError(f"column {error.start + 1}: not ASCII", column=error.start + 1) from None
    words = Words(text)
    if not words.word or words.word.startswith("#") or words.word in SILENT:
        return []
    tags = _neighbors(words)
    if words.skip("group"):
        found = _group(words)
    elif words.skip("attributes"):
        given = Given()
        _take(words, given)
        found = _attributes_alone(words, given)
    else:
        found = _command(words, Given())
    if words.word:
        raise words.unexpected("the end of the line")
    return [(wire, paths, tags) for wire, paths in found]


# ---- commands ------------------------------------------------------------------------------------------------------


class Given:
    """What the words of a command say of its routes.

    attributes: {code: (flags, value)}. hop: next hop, "self" for our own. made: whether attributes came in front, for
    all commands of a group.
    """

    def __init__(self, base: Given | None = None) -> None:
        self.attributes: dict[int, tuple[int, bytes]] = dict(base.attributes) if base else {}
        self.hop: str | None = base.hop if base else None
        self.path_id: int | None = base.path_id if base else None
        self.rd: str | None = base.rd if base else None
        self.labels: list[int] | None = base.labels if base else None
        self.split = 0
        self.watched = self.held = False
        self.made = base is not None


Messages = list[tuple[bytes, frozenset[tuple[int, int]]]]


def _neighbors(words: Words) -> dict[str, str]:
    """The tags for `neighbor A [local-as N ...], neighbor B ...`, or `peer` in version 6, in front of a command."""
    start = words._next
    if words.word not in ("neighbor", "peer"):
        return {}
    while words.word in ("neighbor", "peer", *SELECTORS):
        words.take()
        if words.skip("["):
            while not words.skip("]"):
                if not words.take():
                    raise words.unexpected('"]"')
        elif not words.take():
            raise words.unexpected("a neighbor's address")
        words.skip(",")
    chosen = " ".join(words.text[start : words._next].split())
    _, _, who = chosen.partition(" ")
    return {} if who == "*" else {NEIGHBOR: who}


def _command(words: Words, base: Given) -> Messages:
    verb = words.take()
    if verb not in ("announce", "withdraw"):
        raise words.refuse(verb, "announce, withdraw, neighbor, group or a comment")
    announce = verb == "announce"
    kind = words.take()
    if kind == "route":
        return _route(words, announce, Given(base) if base.attributes or base.hop else Given())
    if kind in ("attributes", "attribute"):
        return _bulk(words, announce)
    if kind == "flow":
        words.want("route")
        raise words.wrong("flow routes are not built yet")
    if kind == "eor" and announce:
        return _end_of_rib(words)
    if kind == "route-refresh" and announce:
        afi, safi = _family(words)
        octets = message(ROUTE_REFRESH, afi.to_bytes(2) + b"\0" + safi.to_bytes(1))
        return [(octets, frozenset())]
    if kind in EXA_AFIS:
        return _of_family(words, announce, EXA_AFIS[kind], Given(base) if base.attributes or base.hop else Given())
    raise words.refuse(kind, "route, attributes, flow, eor, route-refresh, vpls, ipv4, ipv6 or l2vpn")


def _family(words: Words) -> tuple[int, int]:
    return words.value(lambda word: _of(word, EXA_AFIS)), words.value(lambda word: _of(word, EXA_SAFIS))


def _of(word: str, known: dict[str, int]) -> int:
    if word not in known:
        raise expected(word, ", ".join(known))
    return known[word]


def _end_of_rib(words: Words) -> Messages:
    """RFC 4724 section 2."""
    afi, safi = _family(words) if words.word else IPV4_UNICAST
    if (afi, safi) == IPV4_UNICAST:
        return [(_update(), frozenset())]
    return [(_update(attributes={MP_UNREACH: (0x80, _head(afi, safi))}), frozenset())]


def _group(words: Words) -> Messages:
    """`group COMMAND ; COMMAND`: attributes that come first hold for all that follow."""
    base = Given()
    found: Messages = []
    while words.word:
        if words.skip("attributes"):
            base = Given()
            _take(words, base)
        else:
            found += _command(words, base)
        if not words.skip(";") and words.word:
            raise words.unexpected('";"')
    return found


def _attributes_alone(words: Words, given: Given) -> Messages:
    """An UPDATE without routes, which is all that there is to say of some (RFC 4271 section 4.3)."""
    _fill(given)
    if given.hop is not None:
        given.attributes[NEXT_HOP] = (0x40, pack_address(given.hop))
    return [(_update(attributes=given.attributes), frozenset())]


def _route(words: Words, announce: bool, given: Given) -> Messages:
    prefix = words.value(_prefix)
    _take(words, given)
    safi = MPLS_VPN if given.rd is not None else MPLS if given.labels is not None else UNICAST
    return _routes(words, announce, given, safi, [prefix])


def _of_family(words: Words, announce: bool, afi: int, given: Given) -> Messages:
    safi = words.value(lambda word: _of(word, EXA_SAFIS))
    if afi > 2 or safi not in (UNICAST, MULTICAST, MPLS, MPLS_VPN):
        raise words.wrong(f"{family_name(afi, safi)} is not built yet")
    prefix = words.value(_prefix)
    if prefix.afi != afi:
        raise words.refuse(str(prefix), f"a prefix of {family_name(afi, safi)}")
    _take(words, given)
    return _routes(words, announce, given, safi, [prefix])


def _bulk(words: Words, announce: bool) -> Messages:
    """`attributes ... nlri PREFIX PREFIX ...`."""
    given = Given()
    _take(words, given)
    words.want("nlri")
    prefixes = [words.value(_prefix)]
    while words.word and words.word != ";":
        prefixes.append(words.value(_prefix))
        if prefixes[-1].afi != prefixes[0].afi:
            raise words.refuse(str(prefixes[-1]), f"prefixes of one family, as {prefixes[0]}")
    safi = MPLS_VPN if given.rd is not None else MPLS if given.labels is not None else UNICAST
    return _routes(words, announce, given, safi, prefixes)


def _prefix(word: str) -> Prefix:
    if word and "/" not in word:
        word += "/128" if ":" in word else "/32"
    return Prefix(word)


def _divide(words: Words, prefix: Prefix, length: int) -> Iterable[Prefix]:
    """The prefixes of this length that make up another one."""
    if length <= prefix.length:
        return [prefix]
    if length > prefix.bits or length - prefix.length > MOST_SPLIT.bit_length() - 1:
        raise words.wrong(f"split of {prefix} into /{length}, expected {MOST_SPLIT} prefixes at most")
    from ipaddress import ip_network

    return [Prefix(str(part)) for part in ip_network(str(prefix)).subnets(new_prefix=length)]


# ---- messages ------------------------------------------------------------------------------------------------------


def _fill(given: Given) -> None:
    """What every route has, as ExaBGP fills it in."""
    given.attributes.setdefault(ORIGIN, (0x40, b"\0"))
    given.attributes.setdefault(AS_PATH, (0x40, b""))


def _routes(words: Words, announce: bool, given: Given, safi: int, prefixes: list[Prefix]) -> Messages:
    if given.held and given.watched and announce:
        return []  # it waits for its watchdog
    if given.split:
        prefixes = [part for prefix in prefixes for part in _divide(words, prefix, given.split)]
    if safi in (UNICAST, MULTICAST):
        items: list[Any] = [Prefix(prefix, path_id=given.path_id) for prefix in prefixes]
        return _messages(words, announce, given, (prefixes[0].afi, safi), "prefixes", items)
    items = []
    for prefix in prefixes:
        item: dict[str, Any] = {} if given.path_id is None else {"path_id": given.path_id}
        if given.labels is not None or not announce:
            item["labels"] = given.labels if given.labels is not None else ["0x800000"]
        elif safi in (MPLS, MPLS_VPN):
            raise words.unexpected("label")
        if safi == MPLS_VPN:
            if given.rd is None:
                raise words.unexpected("rd")
            item["rd"] = given.rd
        items.append(item | {"prefix": str(prefix)})
    return _messages(words, announce, given, (prefixes[0].afi, safi), "nlri", items)


def _messages(
    words: Words, announce: bool, given: Given, family: tuple[int, int], key: str, items: list[Any]
) -> Messages:
    """UPDATEs of routes of one family. key: of the object that MP_REACH and MP_UNREACH are."""
    paths: Paths = {}
    afi, safi = family
    try:
        hop = _hop(words, given.hop, afi) if announce else None
        if family == IPV4_UNICAST:
            packed = [encode_prefixes([item], afi, safi, paths) for item in items]
        else:
            af = family_name(afi, safi)
            packed = [encode_attribute(MP_UNREACH, {"af": af, key: [item]}, 4, paths)[3:] for item in items]
        if announce or given.made:
            _fill(given)
            if given.hop is not None and _takes_next_hop(family, given.hop):
                given.attributes[NEXT_HOP] = (0x40, pack_address("0.0.0.0" if given.hop == "self" else given.hop))
        attributes = given.attributes if announce or given.made else {}
        build: Callable[[bytes], bytes]
        if family == IPV4_UNICAST and hop is None:
            build = lambda chunk: _update(unreach=chunk, attributes=attributes)  # noqa: E731
        elif family == IPV4_UNICAST and hop is not None and len(hop) == 4:
            build = lambda chunk: _update(attributes=attributes, reach=chunk)  # noqa: E731
        else:
            code, head = MP_UNREACH, _head(afi, safi)
            if hop is not None:
                code = MP_REACH
                head = encode_attribute(code, {"af": family_name(afi, safi), "nexthop": _text(hop)}, 4, {})
            build = lambda chunk: _update(attributes=attributes | {code: (0x80, head + chunk)})  # noqa: E731
        # The length of an attribute takes one octet more where it is long.
        return [(build(chunk), families(paths)) for chunk in _chunks(packed, len(build(b"")) + 1)]
    except FieldError as error:
        raise words.wrong(str(error)) from None


def _takes_next_hop(family: tuple[int, int], hop: str) -> bool:
    """Whether ExaBGP also puts the next hop into NEXT_HOP."""
    return ":" not in hop and family[1] in (UNICAST, MPLS, MPLS_VPN, MCAST_VPN, MUP) and family != (2, UNICAST)


def _hop(words: Words, hop: str | None, afi: int) -> bytes | None:
    if hop is None:
        raise words.unexpected("next-hop")
    if hop == "self":
        return bytes(4 if afi == 1 else 16)
    packed = pack_address(hop)
    return b"\0" * 10 + b"\xff\xff" + packed if afi == 2 and len(packed) == 4 else packed


def _text(packed: bytes) -> str:
    from ipaddress import ip_address

    return str(ip_address(packed))


def _head(afi: int, safi: int) -> bytes:
    return afi.to_bytes(2) + safi.to_bytes(1)


def _chunks(packed: list[bytes], taken: int) -> Iterator[bytes]:
    """The NLRI in runs that fit behind `taken` octets of a message; one that fits nowhere has a message to itself."""
    run: list[bytes] = []
    size = taken
    for octets in packed:
        if run and size + len(octets) > STANDARD_MESSAGE:
            yield b"".join(run)
            run, size = [], taken
        run.append(octets)
        size += len(octets)
    yield b"".join(run)


def _update(
    unreach: bytes = b"", attributes: dict[int, tuple[int, bytes]] | None = None, reach: bytes = b""
) -> bytes:
    """RFC 4271 section 4.3. Attributes by their codes, but MP_UNREACH first and MP_REACH last, as ExaBGP has them."""
    given = attributes or {}
    order = sorted(given, key=lambda code: (code == MP_REACH, code != MP_UNREACH, code))
    octets = b"".join(attribute_octets(code, *given[code]) for code in order)
    for part in (unreach, octets):
        if len(part) > 0xFFFF:
            raise FieldError(f"{len(part)} octets, expected 65535 at most")
    return message(UPDATE, b"".join((len(unreach).to_bytes(2), unreach, len(octets).to_bytes(2), octets, reach)))


# ---- words of a route ----------------------------------------------------------------------------------------------


def _take(words: Words, given: Given) -> None:
    """The words that say something of a route, up to the first that is none of them; each once, lists more often."""
    seen: set[int | str] = set()
    while (word := words.word) and word not in ("nlri", ";"):
        words.take()
        key: int | str = word
        if word in SETTINGS:
            SETTINGS[word](words, given)
        elif word in ATTRIBUTES:
            key, parse = ATTRIBUTES[word]
            value = parse(words)
            if key in LISTS and key in seen:
                value = given.attributes[key][1] + value
            given.attributes[key] = (USUAL_FLAGS[key], value)
        elif word == "attribute":
            key, flags, value = _generic(words)
            given.attributes[key] = (flags, value)
        else:
            raise words.refuse(word, ", ".join((*SETTINGS, *ATTRIBUTES, "attribute")))
        if key in seen and (key not in LISTS or word == "attribute"):
            raise words.wrong(f"{word} is there already, expected once")
        seen.add(key)


def _set_hop(words: Words, given: Given) -> None:
    given.hop = words.value(_hop_text)


def _hop_text(word: str) -> str:
    if word.lower() == "self":
        return "self"
    pack_address(word)
    return word


def _set_path_id(words: Words, given: Given) -> None:
    given.path_id = words.value(_path_id)


def _path_id(word: str) -> int:
    return int.from_bytes(pack_address(word, 32)) if "." in word else _number(word, 0xFFFFFFFF, "a path id")


def _set_rd(words: Words, given: Given) -> None:
    given.rd = words.value(_rd)


def _rd(word: str) -> str:
    """The usual text of a route distinguisher: RFC 4364 section 4.2."""
    first, colon, second = word.partition(":")
    if not colon:
        raise expected(word, 'a route distinguisher such as "65000:1" or "192.0.2.1:1"')
    if "." in first:
        pack_address(first, 32)
        return f"{first}:{_number(second, 0xFFFF, 'a number')}"
    left = _number(first, 0xFFFFFFFF, "an AS number")
    return f"{left}:{_number(second, 0xFFFF if left > 0xFFFF else 0xFFFFFFFF, 'a number')}"


def _set_labels(words: Words, given: Given) -> None:
    given.labels = words.values(lambda word: _number(word, 0xFFFFF, "a label"))


def _set_split(words: Words, given: Given) -> None:
    given.split = words.value(_length)


def _length(word: str) -> int:
    return _number(word.removeprefix("/"), 128, "a prefix length, /24")


def _set_watchdog(words: Words, given: Given) -> None:
    given.watched = True
    _name(words, given)


def _set_held(words: Words, given: Given) -> None:
    given.held = True


def _name(words: Words, given: Given) -> None:
    if not words.take():
        raise words.unexpected("a name")


def _number(word: str, most: int, what: str) -> int:
    """Of decimal digits, or of 0x and hex ones."""
    if not (word.isascii() and (word.isdigit() or word[:2] in ("0x", "0X"))):
        raise expected(word, f"{what} (0 to {most})")
    return number(word, most, what)


def _u32(words: Words) -> bytes:
    return words.value(lambda word: _number(word, 0xFFFFFFFF, "a number")).to_bytes(4)


def _origin(words: Words) -> bytes:
    return words.value(lambda word: encode_attribute(ORIGIN, word if word.isalpha() else {word: 0}, 4, {}))


def _as_number(word: str) -> int:
    """A number, or two with a dot between them (RFC 5396)."""
    high, dot, low = word.removeprefix("AS").partition(".")
    if dot:
        return _number(high, 0xFFFF, "an AS number") << 16 | _number(low, 0xFFFF, "an AS number")
    return _number(high, 0xFFFFFFFF, "an AS number")


def _as_path(words: Words) -> bytes:
    """`[ 1 2 ]`, one number, sets in parentheses or inner brackets, `[ { 1 2 } ]` and `( { 1 } )` of confederations."""
    segments: list[tuple[int, list[int]]] = []
    if words.word not in ("[", "("):
        segments.append((2, [words.value(_as_number)]))
    while words.word in ("[", "("):
        _segments(words, segments, outer=True)
    cut = [
        (kind, members[at : at + 255]) for kind, members in segments for at in range(0, len(members) or 1, 255)
    ]
    return encode_segments([segment for segment in cut if segment[1]], 4)


def _segments(words: Words, segments: list[tuple[int, list[int]]], outer: bool) -> None:
    """What stands between two brackets, put behind `segments`: of RFC 4271 section 4.3 and RFC 5065 section 3."""
    opened = words.take()
    is_set = opened == "(" or not outer
    confederation = words.skip("{")
    members: list[int] = []
    segments.append((1 + (not is_set) if not confederation else 3 + is_set, members))
    while not words.skip("]" if opened == "[" else ")"):
        if words.skip(",") or (confederation and words.skip("}")):
            continue
        if words.word in ("[", "(") and outer:
            _segments(words, segments, outer=False)
            members = []
            segments.append((2, members))
            continue
        members.append(words.value(_as_number))
        if len(members) > MOST_ITEMS:
            raise words.wrong(f"a path of more than {MOST_ITEMS} AS numbers")


def _nothing(words: Words) -> bytes:
    return b""


def _aggregator(words: Words) -> bytes:
    closing = words.skip("(")
    octets = words.value(_aggregator_octets)
    if closing:
        words.want(")")
    return octets


def _aggregator_octets(word: str) -> bytes:
    number_text, colon, address = word.partition(":")
    if not colon:
        raise expected(word, 'an AS number and an address, "65000:192.0.2.1"')
    return _as_number(number_text).to_bytes(4) + pack_address(address, 32)


def _community(word: str) -> bytes:
    """RFC 1997: "65000:1", a number, or a name."""
    if word[:2] in ("0x", "0X") or word.isdigit():
        return _number(word, 0xFFFFFFFF, "a community").to_bytes(4)
    return pack_community("NOPEER" if word.lower() == "no-peer" else word)


def _large_community(word: str) -> bytes:
    if ":" not in word:
        return _number(word, (1 << 96) - 1, "a large community").to_bytes(12)
    return pack_large_community(word)


def _addresses(words: Words) -> bytes:
    return b"".join(words.values(lambda word: pack_address(word, 32)))


def _address(words: Words) -> bytes:
    return words.value(lambda word: pack_address(word, 32))


def _aigp(words: Words) -> bytes:
    """RFC 7311 section 3: one TLV, of type 1 and 11 octets."""
    metric = words.value(lambda word: _number(word, 0xFFFFFFFFFFFFFFFF, "a metric"))
    return b"\x01\x00\x0b" + metric.to_bytes(8)


def _generic(words: Words) -> tuple[int, int, bytes]:
    """`[ 0xCODE 0xFLAGS 0xOCTETS ]`: any attribute."""
    words.want("[")
    code = words.value(lambda word: _hex_octet(word, "the code of an attribute"))
    flags = words.value(lambda word: _hex_octet(word, "the flags of an attribute"))
    octets = words.value(unhex)
    words.want("]")
    if code in (MP_REACH, MP_UNREACH):
        raise words.wrong(f"attribute {code} holds routes, expected them in commands of their own")
    return code, flags, octets


def _hex_octet(word: str, what: str) -> int:
    if word[:2] not in ("0x", "0X"):
        raise expected(word, f"{what} as hex digits, 0x10")
    return number(word, 255, what)


def _extended(words: Words) -> bytes:
    from bgpipe.formats.exa_communities import extended

    if not words.skip("["):
        return extended(words)
    found = b""
    while not words.skip("]"):
        found += extended(words)
        if len(found) > 0xFFFF:
            raise words.wrong("more extended communities than a message holds")
    if not found:
        raise words.wrong("an empty list, expected one item or more")
    return found


ATTRIBUTES: dict[str, tuple[int, Callable[[Words], bytes]]] = {
    "origin": (ORIGIN, _origin),
    "as-path": (AS_PATH, _as_path),
    "med": (4, _u32),
    "local-preference": (5, _u32),
    "atomic-aggregate": (6, _nothing),
    "aggregator": (7, _aggregator),
    "community": (COMMUNITIES, lambda words: b"".join(words.values(_community))),
    "originator-id": (9, _address),
    "cluster-list": (10, _addresses),
    "extended-community": (EXT_COMMUNITIES, _extended),
    "aigp": (AIGP, _aigp),
    "large-community": (LARGE_COMMUNITIES, lambda words: b"".join(words.values(_large_community))),
    "otc": (35, _u32),
}
SETTINGS: dict[str, Callable[[Words, Given], None]] = {
    "next-hop": _set_hop,
    "path-information": _set_path_id,
    "rd": _set_rd,
    "route-distinguisher": _set_rd,
    "label": _set_labels,
    "split": _set_split,
    "watchdog": _set_watchdog,
    "withdraw": _set_held,
    "name": _name,
}
