"""Extended communities as ExaBGP writes them: "target:65000:1", "rate-limit:9600", "action sample-terminal"."""

from __future__ import annotations

from struct import pack

from bgpipe._attributes import expected, number, pack_address, unhex
from bgpipe.errors import FieldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bgpipe.formats.exa.words import Words

TARGET, ORIGIN = 2, 3  # subtypes (RFC 4360 sections 4 and 5)
_SAMPLE, _TERMINAL = 2, 1  # RFC 8955 section 7.3
_DIRECTIONS = {"input": 1, "output": 2, "input-output": 3}  # draft-ietf-idr-flowspec-interfaceset


def extended(words: Words) -> bytes:
    """The 8 octets of one (RFC 4360 section 2), which takes one word or two."""
    name = words.word.partition(":")[0]
    if name in _TWO_WORDS:
        words.take()
        return words.value(_TWO_WORDS[name])
    return words.value(_one)


def _one(word: str) -> bytes:
    if word[:2] in ("0x", "0X"):
        octets = unhex(word)
        if len(octets) != 8:
            raise expected(word, "16 hex digits")
        return octets
    if word in _BARE:
        return _BARE[word]
    name, *parts = word.split(":")
    if len(parts) == 1 and name not in _NAMED:
        name, parts = "target", [name, *parts]
    parse, count = _NAMED.get(name, (None, 0))
    if parse is None:
        raise expected(word, "an extended community: " + ", ".join((*_NAMED, *_BARE, *_TWO_WORDS, "0x and 16 digits")))
    if len(parts) not in (count, count + (name == "rate-limit")):
        raise expected(word, f'"{name}" and {count} parts behind colons')
    return parse(parts)


def _of(first: str, second: str, subtype: int, upper: int = 0) -> bytes:
    """Of an AS number of 2 octets, of an address, or of an AS number of 4 octets: RFC 4360 section 3, RFC 5668.

    upper: 0x80 for the types of RFC 8955.
    """
    if "." in first:
        return bytes((upper | 1, subtype)) + pack_address(first, 32) + _u16(second).to_bytes(2)
    high = number(first.removesuffix("L"), 0xFFFFFFFF, "an AS number")
    if high > 0xFFFF or first.endswith("L"):
        return bytes((upper | 2, subtype)) + high.to_bytes(4) + _u16(second).to_bytes(2)
    low = pack_address(second, 32) if "." in second else _u32(second).to_bytes(4)
    return bytes((upper, subtype)) + high.to_bytes(2) + low


def _u16(text: str) -> int:
    return number(text.removesuffix("L"), 0xFFFF, "a number")


def _u32(text: str) -> int:
    return number(text.removesuffix("L"), 0xFFFFFFFF, "a number")


def _of_as4(subtype: int) -> Callable[[list[str]], bytes]:
    def parse(parts: list[str]) -> bytes:
        return _of(parts[0] if "." in parts[0] else parts[0].removesuffix("L") + "L", parts[1], subtype)

    return parse


def rate(parts: list[str]) -> bytes:
    """RFC 8955 sections 7.1 and 7.2: octets or packets a second, as an IEEE float."""
    if len(parts) == 2 and parts[1] not in ("packets", "bytes"):
        raise expected(parts[1], "packets or bytes")
    try:
        per_second = float(parts[0])
        return (b"\x80\x0c" if parts[1:] == ["packets"] else b"\x80\x06") + pack("!Hf", 0, per_second)
    except (ValueError, OverflowError):
        raise expected(parts[0], "a rate") from None


def redirect(parts: list[str]) -> bytes:
    """RFC 8955 section 7.4: to the VRF of a route target."""
    return _of(parts[0], parts[1], 8, upper=0x80)


def _layer_2_info(parts: list[str]) -> bytes:
    """RFC 4761 section 3.2.4: encapsulation, control flags, MTU, preference."""
    octets = [number(part, 255, "an octet") for part in parts[:2]]
    return b"\x80\x0a" + bytes(octets) + b"".join(_u16(part).to_bytes(2) for part in parts[2:])


def _bandwidth(parts: list[str]) -> bytes:
    """draft-ietf-idr-link-bandwidth: octets a second."""
    try:
        return b"\x40\x04" + pack("!Hf", _u16(parts[0]), float(parts[1]))
    except (ValueError, OverflowError) as error:
        raise error if isinstance(error, FieldError) else expected(parts[1], "a rate") from None


def interface_set(parts: list[str]) -> bytes:
    """draft-ietf-idr-flowspec-interfaceset: "transitive:input:65000:1"."""
    passing, direction, asn, group = parts
    if passing not in ("transitive", "non-transitive"):
        raise expected(passing, "transitive or non-transitive")
    if direction not in _DIRECTIONS:
        raise expected(direction, ", ".join(_DIRECTIONS))
    head = b"\x07\x02" if passing == "transitive" else b"\x47\x02"
    low = number(group, 0x3FFF, "a group of interfaces")
    return head + _u32(asn).to_bytes(4) + (_DIRECTIONS[direction] << 14 | low).to_bytes(2)


def _mup(parts: list[str]) -> bytes:
    """draft-mpmz-bess-mup-safi section 3.2: the direct segment."""
    return b"\x0c\x00" + _u16(parts[0]).to_bytes(2) + _u32(parts[1]).to_bytes(4)


def to_next_hop(word: str) -> bytes:
    """draft-ietf-idr-flowspec-redirect-ip section 4: an address, and no copy."""
    return b"\x01\x0c" + pack_address(word, 32) + b"\0\0"


def action(word: str) -> bytes:
    bits = {"sample": _SAMPLE, "terminal": _TERMINAL, "sample-terminal": _SAMPLE | _TERMINAL}
    if word not in bits:
        raise expected(word, ", ".join(bits))
    return b"\x80\x07" + bytes(5) + bytes((bits[word],))


def mark(word: str) -> bytes:
    """RFC 8955 section 7.5."""
    return b"\x80\x09" + bytes(5) + bytes((number(word, 63, "a DSCP"),))


REDIRECT_TO_NEXT_HOP = b"\x08\x00" + bytes(6)  # draft-simpson-idr-flowspec-redirect
COPY_TO_NEXT_HOP = b"\x08\x00" + bytes(5) + b"\x01"

_BARE = {"redirect-to-nexthop": REDIRECT_TO_NEXT_HOP, "copy-to-nexthop": COPY_TO_NEXT_HOP}
_TWO_WORDS: dict[str, Callable[[str], bytes]] = {
    "redirect-to-nexthop-ietf": to_next_hop,
    "action": action,
    "mark": mark,
}
_NAMED: dict[str, tuple[Callable[[list[str]], bytes], int]] = {
    "target": (lambda parts: _of(parts[0], parts[1], TARGET), 2),
    "origin": (lambda parts: _of(parts[0], parts[1], ORIGIN), 2),
    "target4": (_of_as4(TARGET), 2),
    "origin4": (_of_as4(ORIGIN), 2),
    "redirect": (redirect, 2),
    "l2info": (_layer_2_info, 4),
    "bandwidth": (_bandwidth, 2),
    "rate-limit": (rate, 1),
    "interface-set": (interface_set, 4),
    "mup": (_mup, 2),
}
