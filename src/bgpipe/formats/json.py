"""JSON to wire, any spelling: white space, key order, escapes, missing parts, bare values, names in any case.

The native reader knows the spelling that bgpipe writes and gives every other line to `parse_line`, each OPEN,
NOTIFICATION and ROUTE-REFRESH among them, so what this module imports is part of the start-up of most jobs that read
JSON: hence the standard library's json (7 ms; msgspec, faster once it runs, takes 30), and no datetime (2 ms) for the
usual spelling of a time.
"""

from __future__ import annotations

from json import JSONDecodeError, JSONDecoder

from bgpipe._attributes import (
    FLAG_EXTENDED,
    USUAL_FLAGS,
    at,
    attribute_code,
    attribute_octets,
    encode_attribute,
    encode_prefixes,
    expected,
    lookup,
    number,
    unhex,
)
from bgpipe.errors import FieldError, JsonError
from bgpipe.names import MESSAGE_TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Paths = dict[tuple[int, int], bool]
    Line = tuple[str | None, int, int | None, bytes, int, frozenset[tuple[int, int]], dict[str, str]]

MARKER = b"\xff" * 16
LONGEST = 65535  # RFC 8654
OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5
TIME_END_S = 9_214_646_400  # 2262: ns in 64 bits end there

TYPE_NUMBERS = {name: number for number, name in MESSAGE_TYPES.items()}
TYPE_NUMBERS |= {"NOTIFICATION": NOTIFICATION, "ROUTE_REFRESH": ROUTE_REFRESH}
FLAG_BITS = {"O": 0x80, "T": 0x40, "P": 0x20, "X": FLAG_EXTENDED}
FLAGS = {"".join(letter for letter, bit in FLAG_BITS.items() if n & bit): n for n in range(0, 256, 16)}
UPDATE_KEYS = ("reach", "unreach", "attrs", "as_size")


# Control characters within strings are let through.
decode = JSONDecoder(strict=False, parse_constant=float).raw_decode


def parse_line(line: bytes, direction: str | None = None) -> Line | None:
    """One line of JSON as a message.

    direction: "L" or "R" for lines that do not say, or None.
    Returns (direction, sequence or 0, time in ns since 1970 UTC or None, the whole message with its header,
    octets of an AS number in it, families (AFI, SAFI) whose prefixes carry path ids, tags), or None for a
    blank line and a `#` comment. Raises JsonError with the path of what is wrong, `$[4].attrs.MED.value`,
    what was read and what was expected.
    """
    stripped = line.strip()
    if not stripped or stripped.startswith(b"#"):
        return None
    value = load(stripped)
    try:
        if isinstance(value, dict):
            paths: Paths = {}
            body, as_size = encode_update(value, paths)
            return direction, 0, None, message(UPDATE, body), as_size, families(paths), {}
        if not isinstance(value, list):
            raise expected(value, "an array of six: direction, sequence, time, type, data, tags")
        return parse_array(value, direction)
    except RecursionError:
        raise JsonError("$: nested too deeply") from None
    except FieldError as error:
        separator = "." if error.path and not error.path.startswith("[") else ""
        raise JsonError(f"${separator}{error.path}: {error.problem}") from None


def load(data: bytes) -> Any:
    """The value that `data` is the JSON of; no white space around it. Raises JsonError."""
    try:
        text = data.decode()
        value, end = decode(text)
    except UnicodeDecodeError as error:
        raise JsonError(f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise JsonError("not JSON: nested too deeply") from None
    except JSONDecodeError as error:
        problem = error.msg[0].lower() + error.msg[1:]
        raise JsonError(f"not JSON: {problem} at character {error.pos}") from None
    except ValueError as error:
        raise JsonError(f"not JSON: {error}") from None
    if end != len(text):
        raise JsonError(f"not JSON: expected the end at character {end}")
    return value


def parse_array(parts: list[Any], direction: str | None) -> Line:
    """The message of [direction, sequence, time, type, data, tags]; an array may stop early."""
    if len(parts) > 6:
        raise FieldError(f"{len(parts)} parts, expected six: direction, sequence, time, type, data, tags")
    given_direction, seq, time, kind, data, meta = parts + [None] * (6 - len(parts))
    paths: Paths = {}
    return (
        direction if given_direction is None else at(0, parse_direction, given_direction),
        0 if seq is None else at(1, parse_sequence, seq),
        None if time is None else at(2, parse_time, time),
        *parse_message(kind, data, paths),
        families(paths),
        {} if meta is None else at(5, parse_tags, meta),
    )


def parse_message(kind: Any, data: Any, paths: Paths) -> tuple[bytes, int]:
    """(whole message, octets of an AS number) of a type and its data; no type and no data is a KEEPALIVE."""
    if kind is None:
        if data not in (None, "", {}, []):
            raise expected(kind, "a message type: the data is not empty").under(3)
        code = KEEPALIVE
    else:
        code = at(3, parse_type, kind)
    as_size = 4
    try:
        if isinstance(data, str) and (data[:2] in ("0x", "0X") or (not data and code != NOTIFICATION)):
            body = unhex(data)
        elif code == UPDATE:
            body, as_size = encode_update({} if data is None else data, paths)
        elif code == OPEN:
            from bgpipe.bgp.open import encode_open

            body = encode_open(data)
        elif code == NOTIFICATION:
            from bgpipe.bgp.notifications import encode_notification

            body = encode_notification(data)
        elif code == ROUTE_REFRESH and data is not None:
            from bgpipe.bgp.refresh import encode_refresh

            body = encode_refresh(data)
        elif data is None or (code == KEEPALIVE and data in (True, {}, [])):
            body = b""
        else:
            raise expected(data, 'hex digits, "0x.."')
        return message(code, body), as_size
    except FieldError as error:
        raise error.under(4) from None


def message(code: int, body: bytes) -> bytes:
    """`body` behind the header (RFC 4271 section 4.1)."""
    size = len(MARKER) + 3 + len(body)
    if size > LONGEST:
        raise FieldError(f"a message of {size} octets, expected {LONGEST} at most")
    return MARKER + size.to_bytes(2) + bytes((code,)) + body


def families(paths: Paths) -> frozenset[tuple[int, int]]:
    return frozenset(family for family, on in paths.items() if on)


# ---- what stands around the data ---------------------------------------------------------------------------
def parse_direction(value: Any) -> str:
    if not isinstance(value, str) or value.upper() not in ("L", "R"):
        raise expected(value, '"L" or "R"')
    return value.upper()


def parse_sequence(value: Any) -> int:
    return number(value, 0xFFFFFFFFFFFFFFFF, "a sequence number")


def parse_time(value: Any) -> int:
    """ns since 1970 of "2023-01-01T12:00:00.123456" (UTC unless it says otherwise), or of seconds."""
    seconds: int | None = None
    fraction = 0
    if isinstance(value, int) and not isinstance(value, bool):
        seconds = value
    elif isinstance(value, float) and 0 <= value < TIME_END_S:
        seconds, microseconds = divmod(round(value * 1_000_000), 1_000_000)
        fraction = microseconds * 1000
    elif isinstance(value, str):
        head, _, tail = value.strip().replace(",", ".").partition(".")
        zone = tail.lstrip("0123456789")
        fraction = int("0" + tail[: len(tail) - len(zone)][:9].ljust(9, "0"))
        seconds = _seconds(head)
        if seconds is None or zone:
            seconds = _seconds_of_any(head + zone)
    if seconds is None or not 0 <= seconds < TIME_END_S:
        raise expected(value, 'a time from 1970 to 2261 such as "2023-01-01T12:00:00.000"')
    return seconds * 1_000_000_000 + fraction


DAYS_BEFORE_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)


def _seconds(text: str) -> int | None:
    """Since 1970, of YYYY-MM-DDTHH:MM:SS; None for any other spelling."""
    shape = text[4:5] + text[7:8] + text[10:11] + text[13:14] + text[16:17]
    digits = text[0:4] + text[5:7] + text[8:10] + text[11:13] + text[14:16] + text[17:19]
    if len(text) != 19 or shape != "--T::" or not (digits.isascii() and digits.isdigit()):
        return None
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    hour, minute, second = int(digits[8:10]), int(digits[10:12]), int(digits[12:])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 59:
        return None
    if not 1 <= day <= DAYS_BEFORE_MONTH[month] - DAYS_BEFORE_MONTH[month - 1] + (leap and month == 2):
        return None
    leap_days = (year - 1969) // 4 - (year - 1901) // 100 + (year - 1601) // 400 + (leap and month > 2)
    days = (year - 1970) * 365 + leap_days + DAYS_BEFORE_MONTH[month - 1] + day - 1
    return ((days * 24 + hour) * 60 + minute) * 60 + second


def _seconds_of_any(text: str) -> int | None:
    """Since 1970, of what else ISO 8601 allows."""
    from datetime import UTC, datetime

    try:
        time = datetime.fromisoformat(text)
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


def parse_type(value: Any) -> int:
    names = ", ".join(MESSAGE_TYPES.values())
    return lookup(value, TYPE_NUMBERS, 255, f"a message type: {names} or a number")


def parse_tags(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise expected(value, "an object of tags")
    tags = {}
    for key, tag in value.items():
        if isinstance(tag, str):
            tags[key] = tag
        elif isinstance(tag, bool):
            tags[key] = "true" if tag else "false"
        elif isinstance(tag, (int, float)):
            tags[key] = str(tag)
        elif tag is not None:
            raise expected(tag, "text").under(key)
    return tags


# ---- UPDATE ------------------------------------------------------------------------------------------------
def encode_update(data: Any, paths: Paths) -> tuple[bytes, int]:
    """(body, octets of an AS number) of {"reach", "unreach", "attrs", "as_size"} (RFC 4271 section 4.3)."""
    if not isinstance(data, dict):
        raise expected(data, "an object of " + ", ".join(UPDATE_KEYS))
    for key in data:
        if key not in UPDATE_KEYS:
            raise expected(key, ", ".join(UPDATE_KEYS))
    as_size = data.get("as_size")
    if as_size is None:
        as_size = 4
    elif type(as_size) is not int or as_size not in (2, 4):
        raise expected(as_size, "2 or 4").under("as_size")
    given = {key: value for key, value in data.items() if value is not None}
    unreach = at("unreach", lambda value: encode_prefixes(value, 1, 1, paths), given.get("unreach", []))
    attrs = at("attrs", lambda value: encode_attributes(value, as_size, paths), given.get("attrs", {}))
    reach = at("reach", lambda value: encode_prefixes(value, 1, 1, paths), given.get("reach", []))
    for key, octets in (("unreach", unreach), ("attrs", attrs)):
        if len(octets) > 0xFFFF:
            raise FieldError(f"{len(octets)} octets, expected 65535 at most").under(key)
    return b"".join((len(unreach).to_bytes(2), unreach, len(attrs).to_bytes(2), attrs, reach)), as_size


def encode_attributes(attributes: Any, as_size: int, paths: Paths) -> bytes:
    """Attributes in the order given; null leaves one out."""
    if not isinstance(attributes, dict):
        raise expected(attributes, "an object of attributes")
    out = []
    seen = set()
    for key, given in attributes.items():
        if given is None:
            continue
        try:
            code = attribute_code(key)
            if code in seen:
                raise FieldError("given twice, expected each attribute once (RFC 4271 section 5)")
            seen.add(code)
            out.append(encode_one(code, given, as_size, paths))
        except FieldError as error:
            raise error.under(key) from None
    return b"".join(out)


def encode_one(code: int, given: Any, as_size: int, paths: Paths) -> bytes:
    """One attribute of {"flags", "value"}, or of its bare value, which gets its usual flags."""
    flags = USUAL_FLAGS.get(code, 0xC0)
    if not isinstance(given, dict) or not ("value" in given or ("flags" in given and "type" not in given)):
        # PMSI tunnels have flags of their own
        return attribute_octets(code, flags, encode_attribute(code, given, as_size, paths))
    for key in given:
        if key not in ("flags", "value", "segments"):
            raise expected(key, "flags, value or segments")
    text = given.get("flags")
    if text is not None:
        flags = FLAGS[text] if type(text) is str and text in FLAGS else at("flags", parse_flags, text)
    try:
        value = encode_attribute(code, given.get("value", True), as_size, paths, given.get("segments"))
        return attribute_octets(code, flags, value)
    except FieldError as error:
        raise error.under("value") from None


def parse_flags(value: Any) -> int:
    """Letters for the high four bits, the low four as a number behind them."""
    if isinstance(value, int):
        return number(value, 255, "flags")
    if isinstance(value, str):
        letters = value.upper().rstrip("0123456789")
        low = value[len(letters) :]
        if all(letter in FLAG_BITS for letter in letters) and (not low or (len(low) < 3 and int(low) < 16)):
            flags = int(low or 0)
            for letter in letters:
                flags |= FLAG_BITS[letter]
            return flags
    raise expected(value, 'flags: letters of "OTPX", then a number below 16')
