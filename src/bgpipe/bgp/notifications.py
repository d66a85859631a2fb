"""NOTIFICATION messages (RFC 4271 section 4.5): names of codes, and what the data say: see `DETAILS`."""

from __future__ import annotations

from bgpipe._attributes import at, expected, family_name, number, parse_family, unhex
from bgpipe.bgp import capabilities
from bgpipe.errors import FieldError
from bgpipe.names import NOTIFICATIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CEASE = 6
ADMIN_SHUTDOWN = 2
ADMIN_RESET = 4
OUT_OF_RESOURCES = 8
HARD_RESET = 9

CODES = {name: code for code, (name, _) in NOTIFICATIONS.items()}


def name(code: int, subcode: int) -> str:
    """ "CEASE/ADMIN_SHUTDOWN"; a number where there is no name; no second part where subcode is 0."""
    known, subcodes = NOTIFICATIONS.get(code, (str(code), {}))
    return known if subcode == 0 else f"{known}/{subcodes.get(subcode) or subcode}"


def parse_name(text: str) -> tuple[int, int]:
    """(code, subcode) of a name as `name` gives it, any case, numbers in place of names allowed."""
    if not isinstance(text, str):
        raise expected(text, 'the name of a NOTIFICATION such as "CEASE/ADMIN_SHUTDOWN"')
    first, _, second = text.upper().replace("-", "_").partition("/")
    code = CODES.get(first)
    if code is None:
        if not first.isdigit():
            raise expected(text, 'the name of a NOTIFICATION such as "CEASE/ADMIN_SHUTDOWN"')
        code = number(first, 255, "a NOTIFICATION code")
    if not second:
        return code, 0
    for subcode, known in NOTIFICATIONS.get(code, ("", {}))[1].items():
        if known == second:
            return code, subcode
    if not second.isdigit():
        raise expected(text, 'the name of a NOTIFICATION such as "CEASE/ADMIN_SHUTDOWN"')
    return code, number(second, 255, "a NOTIFICATION subcode")


def takes_text(code: int, subcode: int) -> bool:
    """Whether the data is a text by RFC 9003: administrative shutdown and reset."""
    return code == CEASE and subcode in (ADMIN_SHUTDOWN, ADMIN_RESET)


# ---- what the data say: an encode_x and a parse_x each ------------------------------------------------------
def encode_text(text: Any) -> bytes:
    """RFC 9003 section 2: a length octet and up to 255 octets of UTF-8."""
    if not isinstance(text, str):
        raise expected(text, "text")
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise expected(text, "text without lone surrogates") from None
    if len(encoded) > 255:
        raise FieldError(f"{len(encoded)} octets, expected 255 at most")
    return bytes((len(encoded),)) + encoded


def parse_text(code: int, subcode: int, data: bytes) -> str | None:
    """The text in the data of a Cease, or None if there is none."""
    return _parse_text(data) if takes_text(code, subcode) else None


def _parse_text(data: bytes) -> str | None:
    if not data or data[0] != len(data) - 1:
        return None
    try:
        return data[1:].decode()
    except UnicodeDecodeError:
        return None


def parse_reason(data: bytes) -> dict[str, Any] | None:
    """RFC 8538 section 3.1: the NOTIFICATION that a Hard Reset stands for; only one level of them."""
    if len(data) < 2:
        return None
    code, subcode, inner = data[0], data[1], data[2:]
    reason: dict[str, Any] = {"code": code, "subcode": subcode}
    if code in NOTIFICATIONS:
        known, subcodes = NOTIFICATIONS[code]
        reason["name"] = f"{known}/{subcodes[subcode]}" if subcode in subcodes else known
    detail = parse_detail(code, subcode, inner) if (code, subcode) != (CEASE, HARD_RESET) else {}
    return reason | (detail or ({"data": "0x" + inner.hex()} if inner else {}))


def encode_limit(value: Any) -> bytes:
    """RFC 4486 section 4: AFI, SAFI and how many prefixes were too many (four octets)."""
    if not isinstance(value, dict):
        raise expected(value, "an object of af, prefixes")
    afi, safi = at("af", parse_family, value.get("af"))
    prefixes = at("prefixes", lambda given: number(given, 0xFFFFFFFF, "a number of prefixes"), value.get("prefixes"))
    return afi.to_bytes(2) + bytes((safi,)) + prefixes.to_bytes(4)


def parse_limit(data: bytes) -> dict[str, Any] | None:
    if len(data) != 7:
        return None
    af = family_name(int.from_bytes(data[:2]), data[2])
    return {"af": af, "prefixes": int.from_bytes(data[3:])}


def encode_caps(value: Any) -> bytes:
    """RFC 5492 section 3: the capabilities that are not supported, as in an OPEN."""
    return b"".join(bytes((code, len(octets))) + octets for code, octets in capabilities.from_object(value))


def parse_caps(data: bytes) -> dict[str, Any] | None:
    found = capabilities.parse_capabilities(data)
    return capabilities.to_object(found) if found and len(found) <= capabilities.MOST_SHOWN else None


def encode_octet(value: Any) -> bytes:
    return number(value, 255, "a message type").to_bytes(1)


def parse_octet(data: bytes) -> int | None:
    return data[0] if len(data) == 1 else None


def encode_short(value: Any) -> bytes:
    return number(value, 0xFFFF, "a number").to_bytes(2)


def parse_short(data: bytes) -> int | None:
    return int.from_bytes(data) if len(data) == 2 else None


def encode_notification(data: Any) -> bytes:
    """Body of {"code", "subcode", "name", "data"} and the keys of DETAILS (RFC 4271 section 4.5).

    A string is what the reference prints: the data alone, an octet a character; it stands for a Cease, the
    usual one to carry any.
    """
    if isinstance(data, str):
        try:
            return bytes((CEASE, 0)) + data.encode("latin-1")
        except UnicodeEncodeError:
            raise expected(data, "characters up to U+00FF, one for each octet of data") from None
    if not isinstance(data, dict):
        raise expected(data, "an object of " + ", ".join(NOTIFY_KEYS))
    for key in data:
        if key not in NOTIFY_KEYS:
            raise expected(key, ", ".join(NOTIFY_KEYS))
    code, subcode = _notification_code(data)
    head = bytes((code, subcode))
    if data.get("data") is not None:
        return head + at("data", unhex, data["data"])
    for key, (places, encode, _) in DETAILS.items():
        if data.get(key) is not None:
            if (code, subcode) not in places:
                fitting = ", ".join(name(*place) for place in places)
                raise FieldError(f"goes with {fitting}, not with {name(code, subcode)}").under(key)
            return head + at(key, encode, data[key])
    return head


# Key -> what it goes with (code, subcode), and how to encode and parse it.
DETAILS: dict[str, tuple[tuple[tuple[int, int], ...], Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "text": (((6, 2), (6, 4)), encode_text, _parse_text),  # RFC 9003
    "reason": (((6, 9),), encode_notification, parse_reason),  # RFC 8538
    "limit": (((6, 1),), encode_limit, parse_limit),  # RFC 4486
    "caps": (((2, 7),), encode_caps, parse_caps),  # RFC 5492
    "version": (((2, 1),), encode_short, parse_short),  # RFC 4271 section 6.2: the one that is spoken
    "length": (((1, 2),), encode_short, parse_short),  # RFC 4271 section 6.1
    "type": (((1, 3), (5, 1), (5, 2), (5, 3)), encode_octet, parse_octet),  # RFC 4271 section 6.1, RFC 6608
}
NOTIFY_KEYS = ("code", "subcode", "name", "data", *DETAILS)
KEYS = {place: key for key, (places, _, _) in DETAILS.items() for place in places}


def parse_detail(code: int, subcode: int, data: bytes) -> dict[str, Any]:
    """What the data say, under its key: {"text": "bye"}; {} where nothing would read back as the same octets."""
    key = KEYS.get((code, subcode))
    if key is None or not data:
        return {}
    _, encode, parse = DETAILS[key]
    value = parse(data)
    return {} if value is None or value == "" or encode(value) != data else {key: value}


def describe(code: int, subcode: int, data: bytes) -> str:
    """For logs: the text, or what a Hard Reset stands for; "" where there is nothing of the kind."""
    if (code, subcode) == (CEASE, HARD_RESET) and len(data) >= 2:
        said = parse_text(data[0], data[1], data[2:])
        return name(data[0], data[1]) + (f": {said}" if said else "")
    return parse_text(code, subcode, data) or ""


# ---- code and subcode --------------------------------------------------------------------------------------
def _notification_code(data: dict[str, Any]) -> tuple[int, int]:
    """Code and subcode: as numbers, else as the name says."""
    code = subcode = None
    key = "code" if _is_name(data.get("code")) else "name"
    if data.get(key) is not None:
        code, subcode = at(key, parse_name, data[key])
    if key == "name" and data.get("code") is not None:
        code = at("code", lambda value: number(value, 255, "a NOTIFICATION code"), data["code"])
    if code is None:
        raise expected(None, "a NOTIFICATION code").under("code")
    if data.get("subcode") is not None:
        subcode = at("subcode", lambda value: number(value, 255, "a NOTIFICATION subcode"), data["subcode"])
    return code, subcode or 0


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and not value.isdigit()
