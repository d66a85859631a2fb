"""NOTIFICATION messages: names of codes, the text of a Cease (RFC 4271 section 4.5, RFC 9003)."""

from __future__ import annotations

from bgpipe._attributes import at, expected, number, unhex
from bgpipe.errors import FieldError
from bgpipe.names import NOTIFICATIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CEASE = 6
ADMIN_SHUTDOWN = 2
ADMIN_RESET = 4
OUT_OF_RESOURCES = 8

NOTIFY_KEYS = ("code", "subcode", "name", "data", "text")
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


def encode_text(text: str) -> bytes:
    """RFC 9003 section 2: a length octet and up to 255 octets of UTF-8."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise expected(text, "text without lone surrogates") from None
    if len(encoded) > 255:
        raise FieldError(f"{len(encoded)} octets, expected 255 at most")
    return bytes((len(encoded),)) + encoded


def parse_text(code: int, subcode: int, data: bytes) -> str | None:
    """The text in the data of a Cease, or None if there is none."""
    if not takes_text(code, subcode) or not data or data[0] != len(data) - 1:
        return None
    try:
        return data[1:].decode()
    except UnicodeDecodeError:
        return None


def encode_notification(data: Any) -> bytes:
    """Body of {"code", "subcode", "name", "data", "text"} (RFC 4271 section 4.5).

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
    if data.get("data") is not None:
        return bytes((code, subcode)) + at("data", unhex, data["data"])
    if data.get("text") is None:
        return bytes((code, subcode))
    text = data["text"]
    if not isinstance(text, str):
        raise expected(text, "text").under("text")
    if not takes_text(code, subcode):
        problem = f"a text goes with shutdown and reset (RFC 9003), not with {name(code, subcode)}"
        raise FieldError(problem).under("text")
    return bytes((code, subcode)) + at("text", encode_text, text)


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
