"""NLRI of families other than plain prefixes, JSON-shaped values -> bytes. The other way round is _nlri.pyx.

What their fields are called is in docs/json.md. Each `encode_` raises FieldError.
"""

from __future__ import annotations

from bgpipe._attributes import (
    Prefix,
    at,
    expected,
    family_name,
    items_of,
    lookup,
    number,
    pack_address,
    unhex,
)
from bgpipe._nlri import EVPN_LAYOUTS, MCAST_VPN_LAYOUTS
from bgpipe.bgp.flowspec import encode_rule, rule_length
from bgpipe.errors import FieldError
from bgpipe.names import EVPN_ROUTES, MCAST_VPN_ROUTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Family = tuple[int, int]
    Fields = dict[str, Any]

EVPN_NUMBERS = {name: code for code, name in EVPN_ROUTES.items()}
WITHDRAWN = (b"\x80\0\0", b"\0\0\0")  # the one label of a withdrawal (RFC 8277 section 2.4, or as some send it)
MCAST_VPN_NUMBERS = {name: code for code, name in MCAST_VPN_ROUTES.items()}


def encode_nlri(values: object, family: Family, paths: dict[Family, bool]) -> bytes:
    """NLRI of one family, packed. paths: see encode_prefixes."""
    encode = ENCODERS.get(family)
    if encode is None:
        raise FieldError(f"{family_name(*family)} has no typed NLRI, expected hex in data")
    parts = []
    for i, value in enumerate(items_of(values, "NLRI")):
        try:
            fields = {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else None
            if fields is None:
                raise expected(value, f"an object, an NLRI of {family_name(*family)}")
            parts.append(encode_path_id(fields, family, paths))
            parts.append(encode(fields, family))
            if fields:
                raise expected(next(iter(fields)), "fields of this NLRI alone")
        except FieldError as error:
            raise error.under(i) from None
    return b"".join(parts)


def encode_path_id(fields: Fields, family: Family, paths: dict[Family, bool]) -> bytes:
    """RFC 7911 section 3: all NLRI of a family have one, or none."""
    given = fields.pop("path_id", None)
    wanted = paths.setdefault(family, given is not None)
    if wanted != (given is not None):
        which = "without" if wanted else "with"
        raise FieldError(f"{which} a path_id: all NLRI of {family_name(*family)} have one, or none")
    return at("path_id", encode_count(4), given) if wanted else b""


def take(fields: Fields, key: str, encode: Callable[[Any], bytes]) -> bytes:
    """Takes a field that has to be there out of `fields` and encodes it."""
    if fields.get(key) is None:
        raise FieldError(f"no {key} is given")
    return at(key, encode, fields.pop(key))


# ---- fields ---------------------------------------------------------------------------------------------------
def encode_assigned(value: Any, what: str) -> tuple[int, bytes]:
    """Type and 6 octets of "65000:1", "192.0.2.1:1", "70000:1", "2:65000:1" (RFC 4364 section 4.2)."""
    left, colon, right = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    kind, colons, administrator = left.rpartition(":")
    if not colon or (colons and kind not in ("0", "1", "2")) or not right.isascii() or not right.isdigit():
        raise expected(value, f'{what} such as "65000:1"')
    if "." in administrator and kind in ("", "1"):
        return 1, pack_address(administrator, 32) + number(right, 0xFFFF, "an assigned number").to_bytes(2, "big")
    asn = number(administrator, 0xFFFFFFFF, "an AS number")
    if kind == "2" or (not kind and asn > 0xFFFF):
        return 2, asn.to_bytes(4, "big") + number(right, 0xFFFF, "an assigned number").to_bytes(2, "big")
    if kind == "1" or asn > 0xFFFF:
        raise expected(value, f'{what} such as "65000:1"')
    return 0, asn.to_bytes(2, "big") + number(right, 0xFFFFFFFF, "an assigned number").to_bytes(4, "big")


def is_hex(value: Any) -> bool:
    return isinstance(value, str) and value[:2] in ("0x", "0X")


def unhex_sized(value: Any, size: int) -> bytes:
    octets = unhex(value)
    if len(octets) != size:
        raise FieldError(f"{len(octets)} octets, expected {size}")
    return octets


def encode_distinguisher(value: Any) -> bytes:
    """RFC 4364 section 4.2."""
    if is_hex(value):
        return unhex_sized(value, 8)
    kind, octets = encode_assigned(value, "a route distinguisher")
    return kind.to_bytes(2, "big") + octets


def encode_target(value: Any) -> bytes:
    """RFC 4360 section 4, RFC 5668."""
    kind, octets = encode_assigned(value, "a route target")
    return bytes((kind, 2)) + octets


def encode_labels(values: Any, stack: bool = True) -> bytes:
    """RFC 8277 section 2. stack: the last alone has the S bit; else each has."""
    labels = items_of(values, "labels")
    if not labels:
        raise FieldError("no label is given")
    octets = bytearray()
    for i, value in enumerate(labels):
        try:
            if is_hex(value):
                octets += unhex_sized(value, 3)
            else:
                last = not stack or i == len(labels) - 1
                octets += (number(value, 0xFFFFF, "a label") << 4 | last).to_bytes(3, "big")
            if octets in WITHDRAWN and stack and len(labels) > 1:
                raise expected(value, "a label that others may follow: this one stands alone")
        except FieldError as error:
            raise error.under(i) from None
    return bytes(octets)


def encode_colons(size: int) -> Callable[[Any], bytes]:
    def encode(value: Any) -> bytes:
        try:
            octets = bytes.fromhex(value.replace(":", " ")) if isinstance(value, str) else b""
        except ValueError:
            octets = b""
        if len(octets) != size:
            raise expected(value, f"{size} octets in hex with colons between them")
        return octets

    return encode


def encode_count(size: int) -> Callable[[Any], bytes]:
    return lambda value: number(value, (1 << 8 * size) - 1, "a number").to_bytes(size, "big")


def take_sized_ip(fields: Fields, key: str) -> bytes:
    """An address behind its length in bits; 0 where there is none."""
    value = fields.pop(key, None)
    address = b"" if value is None else at(key, pack_address, value)
    return bytes((8 * len(address),)) + address


def encode_route_key(value: Any) -> bytes:
    octets = unhex(value)
    if len(octets) < 2 or len(octets) != 2 + octets[1]:
        raise expected(value, "a route in hex, its type and length in front")
    return octets


def take_network(fields: Fields) -> bytes:
    """IP prefix and gateway of one address family (RFC 9136 section 3.1)."""
    prefix = at("prefix", Prefix, fields.pop("prefix", None))
    gateway = take(fields, "gateway", lambda value: pack_address(value, prefix.bits))
    return bytes((prefix.length,)) + prefix.packed + gateway


def take_letters(fields: Fields, letters: str) -> bytes:
    return b"".join(FIELDS[letter](fields) for letter in letters)


# The letters of _nlri.pyx.
FIELDS: dict[str, Callable[[Fields], bytes]] = {
    "r": lambda fields: take(fields, "rd", encode_distinguisher),
    "e": lambda fields: take(fields, "esi", encode_colons(10)),
    "t": lambda fields: take(fields, "etag", encode_count(4)),
    "a": lambda fields: take(fields, "source_as", encode_count(4)),
    "m": lambda fields: b"\x30" + take(fields, "mac", encode_colons(6)),
    "i": lambda fields: take_sized_ip(fields, "ip"),
    "s": lambda fields: take_sized_ip(fields, "source") + take_sized_ip(fields, "group"),
    "o": lambda fields: take_sized_ip(fields, "originator"),
    "O": lambda fields: take(fields, "originator", pack_address),
    "k": lambda fields: take(fields, "route_key", encode_route_key),
    "p": take_network,
    "l": lambda fields: take(fields, "labels", lambda labels: encode_labels(labels, stack=False)),
    "g": lambda fields: take(fields, "region", lambda value: unhex_sized(value, 8)),
    "w": lambda fields: bytes(4) + take(fields, "max_response", encode_count(1)),
    "f": lambda fields: take(fields, "flags", encode_count(1)),
}


# ---- families -------------------------------------------------------------------------------------------------
def encode_bits(octets: bytes, bits: int) -> bytes:
    """An NLRI behind its length in bits."""
    if bits > 255:
        raise FieldError(f"{bits} bits, expected 255 at most: fewer labels")
    return bytes((bits,)) + octets


def encode_labelled(fields: Fields, family: Family) -> bytes:
    """RFC 8277 section 2, RFC 4364 section 4.3.4, RFC 4659 section 3, RFC 6514 section 10 (no labels)."""
    afi, safi = family
    octets = b"" if safi == 129 else take(fields, "labels", encode_labels)
    if safi != 4:
        octets += take(fields, "rd", encode_distinguisher)
    prefix = at("prefix", Prefix, fields.pop("prefix", None))
    if prefix.afi != afi or prefix.path_id is not None:
        raise expected(str(prefix), f"a prefix of {family_name(afi, 1)}").under("prefix")
    return encode_bits(octets + prefix.packed[: (prefix.length + 7) // 8], 8 * len(octets) + prefix.length)


def encode_route_target(fields: Fields, family: Family) -> bytes:
    """RFC 4684 section 4."""
    length = fields.pop("length", None)
    target = fields.pop("target", None)
    origin = b"" if length == 0 else take(fields, "origin", encode_count(4))
    if target is None:
        octets = origin
    elif is_hex(target):
        octets = origin + at("target", unhex, target)
    else:
        octets = origin + at("target", encode_target, target)
    bits = 8 * len(octets) if length is None else at("length", lambda value: number(value, 96, "a length"), length)
    if bits > 96 or len(octets) != (bits + 7) // 8:
        raise FieldError(f"{len(octets)} octets of origin and target, expected {(min(bits, 96) + 7) // 8}")
    return bytes((bits,)) + octets


def encode_route(numbers: dict[str, int], layouts: dict[int, str]) -> Callable[[Fields, Family], bytes]:
    """Routes that say their type and length (RFC 7432 section 7, RFC 6514 section 4)."""

    def encode(fields: Fields, family: Family) -> bytes:
        kind = at("type", lambda value: lookup(value, numbers, 255, "a route type"), fields.pop("type", None))
        if "value" in fields:
            octets = take(fields, "value", unhex)
        elif kind in layouts:
            octets = take_letters(fields, layouts[kind])
        else:
            raise FieldError(f"no value is given, expected hex for routes of type {kind}")
        if len(octets) > 255:
            raise FieldError(f"{len(octets)} octets, expected 255 at most")
        return bytes((kind, len(octets))) + octets

    return encode


def encode_flow(fields: Fields, family: Family) -> bytes:
    """RFC 8955 sections 4.1 and 8: a length, for VPNs a route distinguisher, components."""
    afi, safi = family
    octets = take(fields, "rd", encode_distinguisher) if safi == 134 else b""
    octets += encode_rule(fields, afi)
    fields.clear()
    return rule_length(len(octets)) + octets


evpn = encode_route(EVPN_NUMBERS, EVPN_LAYOUTS)
mcast_vpn = encode_route(MCAST_VPN_NUMBERS, MCAST_VPN_LAYOUTS)
ENCODERS: dict[Family, Callable[[Fields, Family], bytes]] = {
    **{(afi, safi): encode_labelled for afi in (1, 2) for safi in (4, 128, 129)},
    (1, 5): mcast_vpn,
    (2, 5): mcast_vpn,
    (25, 70): evpn,
    (1, 132): encode_route_target,
    **{(afi, safi): encode_flow for afi in (1, 2) for safi in (133, 134)},
}

