"""The words that say something of a route of ExaBGP: its attributes, next hop, labels, and what ExaBGP does with it."""

from __future__ import annotations

from bgpipe._attributes import (
    USUAL_FLAGS,
    encode_attribute,
    encode_segments,
    expected,
    number,
    pack_address,
    pack_community,
    pack_large_community,
    unhex,
)
from bgpipe.errors import FieldError
from bgpipe.formats.exa.communities import extended
from bgpipe.formats.exa.words import number_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bgpipe.formats.exa.words import Words

    Setting = Callable[[Words, "Given"], None]

ORIGIN, AS_PATH, NEXT_HOP, MP_REACH, MP_UNREACH = 1, 2, 3, 14, 15
COMMUNITIES, EXT_COMMUNITIES, AIGP, LARGE_COMMUNITIES, ONLY_TO_CUSTOMER, PREFIX_SID = 8, 16, 26, 32, 35, 40
MOST_NUMBERS = 65535 // 4  # of a path that a message has room for
MOST_SEGMENTS = 2 * 65535 // 6  # likewise, and as many that are empty
ENDS = ("nlri", ";", "}")  # words in front of which those of a route end
LISTS = (COMMUNITIES, EXT_COMMUNITIES, LARGE_COMMUNITIES)  # attributes that words may add to


class Given:
    """What the words of a command say of its routes.

    attributes: {code: (flags, value)}. hop: next hop, "self" for our own. grouped: some of it was said in front, for
    all commands of a group; group_hop: the next hop that was.
    """

    def __init__(self) -> None:
        self.attributes: dict[int, tuple[int, bytes]] = {}
        self.hop: str | None = None
        self.group_hop: str | None = None
        self.path_id: int | None = None
        self.rd: str | None = None
        self.labels: list[int] | None = None
        self.split = 0
        self.watched = self.held = self.grouped = False
        self._said: set[int] = set()

    def copy(self) -> Given:
        """What holds for the next command of a group; it may say otherwise."""
        other = Given()
        other.attributes = dict(self.attributes)
        other.group_hop = self.hop
        other.hop, other.path_id, other.rd, other.labels = self.hop, self.path_id, self.rd, self.labels
        other.grouped = bool(self.attributes)
        return other

    def put(self, code: int, flags: int, value: bytes) -> bool:
        """An attribute, or what is added to one that is a list. False: there is one already."""
        if code in self._said:
            flags, before = self.attributes[code]
            value = before + value
            if len(value) > 0xFFFF:
                raise FieldError(f"{len(value)} octets of attribute {code}, expected 65535 at most")
        self.attributes[code] = (flags, value)
        fresh = code not in self._said
        self._said.add(code)
        return fresh or code in LISTS


def take(words: Words, given: Given, more: Mapping[str, Setting] = {}) -> None:
    """The words that say something of routes, in any order, each once save lists. more: words beside the usual ones."""
    seen: set[str] = set()
    while (word := words.word) and word not in ENDS:
        words.take()
        fresh = word not in seen or word in more
        try:
            if word in more:
                more[word](words, given)
            elif word in SETTINGS:
                SETTINGS[word](words, given)
            elif word in ATTRIBUTES:
                code, parse = ATTRIBUTES[word]
                fresh = given.put(code, USUAL_FLAGS[code], parse(words))
            elif word == "attribute":
                fresh = given.put(*_generic(words))
            else:
                raise words.refuse(word, ", ".join((*more, *SETTINGS, *ATTRIBUTES, "attribute")))
        except FieldError as error:
            raise words.wrong(str(error)) from None
        if not fresh:
            raise words.wrong(f"{word} is there already, expected once")
        seen.add(word)


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
    return int.from_bytes(pack_address(word, 32)) if "." in word else number_of(word, 0xFFFFFFFF, "a path id")


def _set_rd(words: Words, given: Given) -> None:
    given.rd = words.value(_rd)


def _rd(word: str) -> str:
    """The usual text of a route distinguisher: RFC 4364 section 4.2."""
    first, colon, second = word.partition(":")
    if not colon:
        raise expected(word, 'a route distinguisher such as "65000:1" or "192.0.2.1:1"')
    if "." in first:
        pack_address(first, 32)
        return f"{first}:{number_of(second, 0xFFFF, 'a number')}"
    left = number_of(first, 0xFFFFFFFF, "an AS number")
    return f"{left}:{number_of(second, 0xFFFF if left > 0xFFFF else 0xFFFFFFFF, 'a number')}"


def _set_labels(words: Words, given: Given) -> None:
    given.labels = words.values(lambda word: number_of(word, 0xFFFFF, "a label"))


def _set_split(words: Words, given: Given) -> None:
    given.split = words.value(_length)


def _length(word: str) -> int:
    return number_of(word.removeprefix("/"), 128, "a prefix length, /24")


def _set_watchdog(words: Words, given: Given) -> None:
    given.watched = True
    _name(words, given)


def _set_held(words: Words, given: Given) -> None:
    given.held = True


def _name(words: Words, given: Given) -> None:
    if not words.take():
        raise words.unexpected("a name")


def _u32(words: Words) -> bytes:
    return words.value(lambda word: number_of(word, 0xFFFFFFFF, "a number")).to_bytes(4)


def _origin(words: Words) -> bytes:
    return words.value(lambda word: encode_attribute(ORIGIN, word if word.isalpha() else {word: 0}, 4, {}))


def _as_number(word: str) -> int:
    """A number, or two with a dot between them (RFC 5396)."""
    high, dot, low = word.removeprefix("AS").partition(".")
    if dot:
        return number_of(high, 0xFFFF, "an AS number") << 16 | number_of(low, 0xFFFF, "an AS number")
    return number_of(high, 0xFFFFFFFF, "an AS number")


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
        if len(members) > MOST_NUMBERS or len(segments) > MOST_SEGMENTS:
            raise words.wrong("a path that is longer than a message")


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
        return number_of(word, 0xFFFFFFFF, "a community").to_bytes(4)
    return pack_community("NOPEER" if word.lower() == "no-peer" else word)


def _large_community(word: str) -> bytes:
    if ":" not in word:
        return number_of(word, (1 << 96) - 1, "a large community").to_bytes(12)
    return pack_large_community(word)


def _addresses(words: Words) -> bytes:
    return b"".join(words.values(lambda word: pack_address(word, 32)))


def _address(words: Words) -> bytes:
    return words.value(lambda word: pack_address(word, 32))


def _aigp(words: Words) -> bytes:
    """RFC 7311 section 3: one TLV, of type 1 and 11 octets."""
    metric = words.value(lambda word: number_of(word, 0xFFFFFFFFFFFFFFFF, "a metric"))
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


def _prefix_sid(words: Words) -> bytes:
    """`[ INDEX, [ ( BASE, RANGE ) ... ] ]`: label index and originator SRGB (RFC 8669 sections 3.1 and 3.2)."""
    words.want("[")
    index = words.value(lambda word: number_of(word, 0xFFFFFFFF, "a label index"))
    octets = b"\x01\x00\x07\x00\x00\x00" + index.to_bytes(4)
    blocks = b""
    if words.skip(","):
        words.want("[")
        while words.skip("("):
            blocks += words.value(lambda word: number_of(word, 0xFFFFFF, "a label")).to_bytes(3)
            words.want(",")
            blocks += words.value(lambda word: number_of(word, 0xFFFFFF, "a range of labels")).to_bytes(3)
            words.want(")")
            words.skip(",")
            if len(blocks) > 0xFFFF:
                raise words.wrong("more blocks of labels than a message holds")
        words.want("]")
    words.want("]")
    return octets + (b"\x03" + (2 + len(blocks)).to_bytes(2) + b"\0\0" + blocks if blocks else b"")


_SERVICES = {"l3-service": 5, "l2-service": 6}  # RFC 9252 section 2


def _prefix_sid_srv6(words: Words) -> bytes:
    """`( l3-service SID [BEHAVIOR [ 6 LENGTHS ]] )`: RFC 9252 sections 2, 3.1 and 3.2.1."""
    words.want("(")
    service = words.take()
    if service not in _SERVICES:
        raise words.refuse(service, ", ".join(_SERVICES))
    sid = words.value(lambda word: pack_address(word, 128))
    behavior, structure = 0xFFFF, b""
    if words.word != ")":
        behavior = words.value(lambda word: number_of(word, 0xFFFF, "an endpoint behavior"))
    if words.word == "[":
        lengths = words.values(lambda word: number_of(word, 255, "a length in bits"))
        if len(lengths) != 6:
            raise words.wrong(f"{len(lengths)} lengths, expected 6")
        structure = b"\x01\x00\x06" + bytes(lengths)
    words.want(")")
    information = b"\0" + sid + b"\0" + behavior.to_bytes(2) + b"\0" + structure
    information = b"\0\x01" + len(information).to_bytes(2) + information
    return bytes((_SERVICES[service],)) + len(information).to_bytes(2) + information


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
    "otc": (ONLY_TO_CUSTOMER, _u32),
    "bgp-prefix-sid": (PREFIX_SID, _prefix_sid),
    "bgp-prefix-sid-srv6": (PREFIX_SID, _prefix_sid_srv6),
}
SETTINGS: dict[str, Setting] = {
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
