"""Flow specification rules (RFC 8955, RFC 8956), JSON-shaped values -> bytes. The other way round is _flowspec.pyx.

A rule is an object of components: {"DST": "192.0.2.0/24", "PROTO": [{"op": "==", "val": 17}],
"FRAG": [{"op": "ANY", "len": 1, "val": "0x2"}]}; with "rd" in front for the VPN families.
"""

from __future__ import annotations

from functools import partial

from bgpipe._attributes import at, expected, number, pack_address
from bgpipe.errors import FieldError
from bgpipe.names import FLOW_BITMASK, FLOW_COMPONENTS, FLOW_NUMERIC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DST, SRC, TCP_FLAGS, FRAG, LABEL = 1, 2, 9, 12, 13
PREFIXES = frozenset((DST, SRC))
BITMASKS = frozenset((TCP_FLAGS, FRAG))
IPV6 = 2
LAST, AND = 0x80, 0x40  # RFC 8955 section 4.2.1.1
LONGEST = 0xFFF  # RFC 8955 section 4.1

COMPONENT_NUMBERS = {name: code for code, name in FLOW_COMPONENTS.items()}
NUMERIC_NUMBERS = {name: code for code, name in FLOW_NUMERIC.items()}
BITMASK_NUMBERS = {name: code for code, name in FLOW_BITMASK.items()}
LEAST_SIZES = ((0x100, 1), (0x10000, 2), (0x1_0000_0000, 4), (0x1_0000_0000_0000_0000, 8))


def encode_rule(rule: dict[str, Any], afi: int) -> bytes:
    """The components of a rule, in ascending order (RFC 8955 section 4.2), with neither length nor route distinguisher.

    afi: 1 or 2. FieldError.
    """
    found: dict[int, bytes] = {}
    for key, value in rule.items():
        code = COMPONENT_NUMBERS.get(str(key).upper().replace("-", "_"))
        if code is None or (code == LABEL and afi != IPV6):
            known = [name for name, number in COMPONENT_NUMBERS.items() if number != LABEL or afi == IPV6]
            raise expected(key, ", ".join(known))
        if code in found:
            raise FieldError("given twice").under(key)
        found[code] = bytes((code,)) + at(key, partial(_component, code, afi), value)
    return b"".join(found[code] for code in sorted(found))


def rule_length(size: int) -> bytes:
    """RFC 8955 section 4.1: one octet below 240, else two. FieldError above 4095."""
    if size > LONGEST:
        raise FieldError(f"a rule of {size} octets, expected {LONGEST} at most")
    return bytes((size,)) if size < 0xF0 else (0xF000 | size).to_bytes(2)


def _component(code: int, afi: int, value: Any) -> bytes:
    if code in PREFIXES:
        return _prefix6(value) if afi == IPV6 else _prefix4(value)
    return _operators(value, code in BITMASKS)


def _prefix4(value: Any) -> bytes:
    address, length = _split(value, 32)
    octets = pack_address(address, 32)
    if int.from_bytes(octets) << length & 0xFFFFFFFF:
        raise expected(value, f"no bits behind the first {length}")
    return bytes((length,)) + octets[: (length + 7) // 8]


def _prefix6(value: Any) -> bytes:
    """RFC 8956 section 3.1: "2001:db8::/32", or "::12:0:0/64-96" for bits 64 to 95 alone."""
    offset = 0
    text = value
    if isinstance(value, str) and "-" in value:
        address, _, bits = value.partition("/")
        first, _, last = bits.partition("-")
        offset = number(first, 127, "an offset")
        text = f"{address}/{last}"
    address, length = _split(text, 128)
    if offset and offset >= length:
        raise expected(value, "an offset below the length")
    pattern = int.from_bytes(pack_address(address, 128))
    if pattern >> (128 - offset) or pattern << length & ((1 << 128) - 1):
        raise expected(value, f"no bits but {offset} to {length - 1}" if length else "no bits")
    size = (length - offset + 7) // 8
    bits128 = pattern << offset & ((1 << 128) - 1)
    return bytes((length, offset)) + bits128.to_bytes(16)[:size]


def _split(value: Any, most: int) -> tuple[str, int]:
    if isinstance(value, str):
        address, slash, length = value.partition("/")
        if slash:
            return address, number(length, most, "a prefix length")
    raise expected(value, 'a prefix such as "192.0.2.0/24"' if most == 32 else 'a prefix such as "2001:db8::/32"')


def _operators(value: Any, bitmask: bool) -> bytes:
    """Operators and values; a bare number stands for equality, or for any of the bits."""
    items = value if isinstance(value, list) else [value]
    if not items:
        raise expected(value, "one test or more")
    out = bytearray()
    for i, item in enumerate(items):
        out += at(i, partial(_operator, bitmask, i == len(items) - 1), item)
    return bytes(out)


def _operator(bitmask: bool, last: bool, item: Any) -> bytes:
    if not isinstance(item, dict):
        item = {"val": item}
    for key in item:
        if key not in ("and", "op", "len", "val"):
            raise expected(key, "and, op, len or val")
    op = at("op", _bitmask if bitmask else _numeric, item.get("op"))
    if item.get("and") not in (None, True, False):
        raise expected(item["and"], "true or false").under("and")
    value = at("val", lambda given: number(given, 0xFFFF_FFFF_FFFF_FFFF, "a number"), item.get("val"))
    least = next(size for above, size in LEAST_SIZES if value < above)
    size = item.get("len") or least
    if type(size) is not int or size not in (1, 2, 4, 8) or size < least:
        raise expected(size, f"octets of the value: 1, 2, 4 or 8, {least} at least").under("len")
    op |= (size.bit_length() - 1) << 4 | (AND if item.get("and") else 0) | (LAST if last else 0)
    return bytes((op,)) + value.to_bytes(size)


def _numeric(op: Any) -> int:
    name = "==" if op is None else str(op).lower() if isinstance(op, (bool, str)) else op
    if name == "=":
        name = "=="
    if not isinstance(name, str) or name not in NUMERIC_NUMBERS:
        raise expected(op, ", ".join(NUMERIC_NUMBERS))
    return NUMERIC_NUMBERS[name]


def _bitmask(op: Any) -> int:
    name = "ANY" if op is None else op.upper().replace("_", "-") if isinstance(op, str) else op
    if not isinstance(name, str) or name not in BITMASK_NUMBERS:
        raise expected(op, ", ".join(BITMASK_NUMBERS))
    return BITMASK_NUMBERS[name]
