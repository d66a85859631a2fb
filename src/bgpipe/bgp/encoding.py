"""JSON -> octets, by the layouts of bgp/layouts.py."""

from __future__ import annotations

from functools import cache

from bgpipe._attributes import at, expected, items_of, lookup, number, pack_address, pack_mac, parse_family, unhex
from bgpipe.bgp.layouts import (
    ADDRESS,
    CONSTANT,
    COUNTED,
    EACH,
    FAMILY,
    FLAGS,
    IPV4,
    IPV6,
    LABEL,
    MAC,
    NAME,
    NUMBER,
    OCTETS,
    OPTIONAL,
    RECORD,
    SIZED,
    TEXT,
    TLVS,
    WORD,
    Layout,
)
from bgpipe.errors import FieldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Writer:
    """Bits, from the highest on: whole octets, and those of the one that is not full yet."""

    __slots__ = ("_bits", "_rest", "_whole")

    def __init__(self) -> None:
        self._whole = bytearray()
        self._rest = 0
        self._bits = 0

    def __len__(self) -> int:
        """In octets."""
        return len(self._whole)

    def number(self, value: int, bits: int) -> None:
        self._rest = self._rest << bits | value
        self._bits += bits
        if self._bits & 7 == 0:
            self._whole += self._rest.to_bytes(self._bits // 8)
            self._rest = self._bits = 0

    def octets(self, octets: bytes) -> None:
        """Where an octet begins."""
        self._whole += octets

    def done(self) -> bytes:
        return bytes(self._whole)


def encode(layout: Layout, value: Any) -> bytes:
    """The octets of a value. FieldError, with the path of what is wrong."""
    out = Writer()
    write(layout, value, out)
    return out.done()


def write(layout: Layout, value: Any, out: Writer) -> None:
    kind, bits = layout.kind, layout.bits
    if kind == NUMBER:
        out.number(number(value, (1 << bits) - 1, "a number"), bits)
    elif kind == NAME:
        out.number(number_of(layout, value), bits)
    elif kind == WORD:
        code, name = layout.more
        if lookup(value, {name: code}, (1 << bits) - 1, name) != code:
            raise expected(value, name)
        out.number(code, bits)
    elif kind == FLAGS:
        out.number(parse_flags(value, layout.more, bits), bits)
    elif kind in (IPV4, IPV6, ADDRESS):
        out.octets(pack_address(value, {IPV4: 32, IPV6: 128}.get(kind, 0)))
    elif kind == MAC:
        out.octets(pack_mac(value))
    elif kind == FAMILY:
        afi, safi = parse_family(value)
        out.number(afi << 8 | safi, 24)
    elif kind == OCTETS:
        data = unhex(value)
        if bits and 8 * len(data) != bits:
            raise FieldError(f"{len(data)} octets, expected {bits // 8}")
        out.octets(data)
    elif kind == TEXT:
        out.octets(pack_text(value))
    elif kind == RECORD:
        write_record(layout, value, out)
    elif kind == OPTIONAL:
        write(layout.nodes[0], value, out)
    elif kind in (EACH, COUNTED):
        write_each(layout, value, out)
    elif kind == SIZED:
        inner = encode(layout.nodes[0], value)
        write_length(len(inner) + (bits // 8 if layout.whole else 0), bits, out)
        out.octets(inner)
    elif kind == TLVS:
        write_tlvs(layout, value, out)
    else:
        write_either(layout, value, out)


@cache
def names_of(layout: Layout) -> tuple[dict[str, int], str]:
    """Numbers by name of a NAME, or of the types of TLVS; what an error says was expected."""
    numbers = {name: code for code, name in (layout.more[0] if layout.kind == TLVS else layout.more).items()}
    return numbers, "one of " + ", ".join(numbers) + " or a number"


def number_of(layout: Layout, value: Any) -> int:
    """The number that a name stands for."""
    numbers, what = names_of(layout)
    return lookup(value, numbers, (1 << layout.bits) - 1, what)


def write_length(length: int, bits: int, out: Writer) -> None:
    if length >> bits:
        raise FieldError(f"{length} octets or items, expected {(1 << bits) - 1} at most")
    out.number(length, bits)


def write_record(layout: Layout, value: Any, out: Writer) -> None:
    keys = layout.more
    if keys is None:
        for node in layout.nodes:
            if node.kind == CONSTANT:
                out.number(node.more, node.bits)
            else:
                write(node, value, out)
        return
    shown = [key for key in keys if key]
    if "label" in shown and any(node.kind == LABEL for node in layout.nodes):
        shown.append("vni")
    if not isinstance(value, dict):
        raise expected(value, "an object of " + ", ".join(shown))
    for key in value:
        if key not in shown:
            raise expected(key, ", ".join(shown))
    for key, node in zip(keys, layout.nodes, strict=True):
        if key is None:
            out.number(node.more, node.bits)
        elif node.kind == LABEL:
            out.number(label_bits(value), 24)
        elif value.get(key) is None and node.kind == OPTIONAL:
            continue
        else:
            try:
                if key not in value:
                    raise FieldError("is missing")
                write(node, value[key], out)
            except FieldError as error:
                raise error.under(key) from None


def label_bits(fields: Mapping[str, Any]) -> int:
    """24 bits, of {"label"} or {"vni"}, or of both where they say the same."""
    label, vni = fields.get("label"), fields.get("vni")
    if vni is None:
        return at("label", lambda given: number(given, 0xFFFFF, "a label"), label) << 4
    bits = at("vni", lambda given: number(given, 0xFFFFFF, "a VNI"), vni)
    if label is not None and at("label", lambda given: number(given, 0xFFFFF, "a label"), label) != bits >> 4:
        raise FieldError(f"label {label} and vni {vni} are not the same 24 bits, expected one of them").under("label")
    return bits


def write_each(layout: Layout, value: Any, out: Writer) -> None:
    items = list(items_of(value, "items"))
    if layout.kind == COUNTED:
        write_length(len(items), layout.bits, out)
    for i, item in enumerate(items):
        try:
            write(layout.nodes[0], item, out)
        except FieldError as error:
            raise error.under(i) from None


def write_tlvs(layout: Layout, value: Any, out: Writer) -> None:
    for i, item in enumerate(items_of(value, "TLVs")):
        try:
            write_tlv(layout, item, out)
        except FieldError as error:
            raise error.under(i) from None


def write_tlv(layout: Layout, tlv: Any, out: Writer) -> None:
    _, layouts, others = layout.more
    if not isinstance(tlv, dict) or set(tlv) != {"type", "value"}:
        raise expected(tlv, 'an object of "type" and "value"')
    try:
        kind = number_of(layout, tlv["type"])
    except FieldError as error:
        raise error.under("type") from None
    length = layout.length or (8 if kind < 128 else 16)
    value = tlv["value"]
    try:
        if value is True:
            inner = b""
        elif isinstance(value, bytes) or (isinstance(value, str) and value[:2] in ("0x", "0X")):
            inner = unhex(value)
        elif (node := layouts.get(kind, others)) is not None:
            inner = encode(node, value)
        else:
            raise expected(value, 'true where the value is empty, or hex digits, "0x.."')
        out.number(kind, layout.bits)
        write_length(len(inner) + ((layout.bits + length) // 8 if layout.whole else 0), length, out)
    except FieldError as error:
        raise error.under("value") from None
    out.octets(inner)


def write_either(layout: Layout, value: Any, out: Writer) -> None:
    errors = []
    for node in layout.nodes:
        inner = Writer()
        try:
            write(node, value, inner)
            out.octets(inner.done())
            return
        except FieldError as error:
            # The one that got furthest into the value knows best what is wrong with it.
            errors.append((error.path != "", len(inner), error))
    raise max(errors, key=lambda entry: entry[:2])[2]


def parse_flags(value: Any, letters: Mapping[str, int], bits: int) -> int:
    """Letters, and the other bits as a decimal number behind them; or a number for all of them."""
    if isinstance(value, str):
        upper = value.upper()
        given = upper.rstrip("0123456789")
        if all(letter in letters for letter in given):
            found = number(upper[len(given) :] or 0, (1 << bits) - 1, "flags")
            for letter in given:
                found |= letters[letter]
            return found
        raise expected(value, f'flags: letters of "{"".join(letters)}", then a number' if letters else "a number")
    return number(value, (1 << bits) - 1, "flags")


def pack_text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise expected(value, "text")
    if value[:2] in ("0x", "0X"):
        return unhex(value)
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise expected(value, "text without lone surrogates") from None
