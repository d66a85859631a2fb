"""JSON -> octets, by the layouts of bgp/layouts.py."""

from __future__ import annotations

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
    """Bits, from the highest on."""

    __slots__ = ("bits", "value")

    def __init__(self) -> None:
        self.value = 0
        self.bits = 0

    def number(self, value: int, bits: int) -> None:
        self.value = self.value << bits | value
        self.bits += bits

    def octets(self, octets: bytes) -> None:
        self.number(int.from_bytes(octets), 8 * len(octets))

    def done(self) -> bytes:
        return self.value.to_bytes(self.bits // 8)


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
        names = {name: code for code, name in layout.more.items()}
        out.number(lookup(value, names, (1 << bits) - 1, "one of " + ", ".join(names) + " or a number"), bits)
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
    names, layouts, others = layout.more
    if not isinstance(tlv, dict) or set(tlv) != {"type", "value"}:
        raise expected(tlv, 'an object of "type" and "value"')
    numbers = {name: code for code, name in names.items()}
    try:
        kind = lookup(tlv["type"], numbers, (1 << layout.bits) - 1, "one of " + ", ".join(numbers) + " or a number")
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
            errors.append((error.path != "", inner.bits, error))
    raise max(errors, key=lambda entry: entry[:2])[2]


def parse_flags(value: Any, letters: Mapping[str, int], bits: int) -> int:
    """Letters, and the other bits as a decimal number behind them; or a number for all of them."""
    if isinstance(value, str):
        upper = value.upper()
        named = upper.rstrip("0123456789")
        if all(letter in letters for letter in named):
            found = int(upper[len(named) :] or 0)
            for letter in named:
                found |= letters[letter]
            if not found >> bits:
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
