"""ROUTE-REFRESH messages: from their readable form to octets and back (RFC 2918, RFC 7313, RFC 5291, RFC 5292).

    {"af": "IPV4/UNICAST", "subtype": "REQUEST",
     "when": "IMMEDIATE", "orfs": [{"type": "ADDRESS_PREFIX", "entries": [..]}]}
"""

from __future__ import annotations

from bgpipe._attributes import Prefix, at, decode_prefixes, expected, family_name, lookup, number, parse_family, unhex
from bgpipe.errors import FieldError
from bgpipe.names import ORF_ACTIONS, ORF_MATCHES, ORF_REFRESHES, ORF_TYPES, REFRESH_SUBTYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIXED_SIZE = 4  # AFI, subtype, SAFI
PREFIX_TYPES = (64, 128)
ACTION_REMOVE_ALL = 2
REMOVE_ALL = {"action": ORF_ACTIONS[ACTION_REMOVE_ALL]}

REFRESH_KEYS = ("af", "subtype", "when", "orfs", "data")
ORF_KEYS = ("type", "entries", "data")
ENTRY_KEYS = ("action", "match", "seq", "min", "max", "prefix")

SUBTYPE_NUMBERS = {name: code for code, name in REFRESH_SUBTYPES.items()}
WHEN_NUMBERS = {name: code for code, name in ORF_REFRESHES.items()}
TYPE_NUMBERS = {name: code for code, name in ORF_TYPES.items()}
ACTION_NUMBERS = {name: code for code, name in ORF_ACTIONS.items()}
MATCH_NUMBERS = {name: code for code, name in ORF_MATCHES.items()}


def encode_refresh(data: Any) -> bytes:
    """Body of {"af", "subtype"} (RFC 2918 section 3, RFC 7313 section 3.2) with "when" and "orfs" (RFC 5291 section 4).

    In place of "when" and "orfs", "data" are the octets behind the family.
    """
    fields = _object(data, REFRESH_KEYS)
    afi, safi = at("af", parse_family, fields.get("af"))
    subtype = encode_subtype(fields.get("subtype") or 0)
    head = bytes((afi >> 8, afi & 255, subtype, safi))
    if fields.get("data") is not None:
        return head + at("data", unhex, fields["data"])
    return head + encode_filters(afi, fields.get("when"), fields.get("orfs"))


def parse_refresh(body: bytes) -> dict[str, Any]:
    """The readable form of four octets or more."""
    data: dict[str, Any] = {
        "af": family_name(int.from_bytes(body[:2]), body[3]),
        "subtype": REFRESH_SUBTYPES.get(body[2], body[2]),
    }
    if len(body) > FIXED_SIZE:
        data |= parse_filters(int.from_bytes(body[:2]), body[FIXED_SIZE:]) or {"data": "0x" + body[FIXED_SIZE:].hex()}
    return data


def encode_subtype(value: Any) -> int:
    return _named("subtype", value, SUBTYPE_NUMBERS, 255)


def encode_filters(afi: int, when: Any, orfs: Any) -> bytes:
    """When to refresh, and type, length and entries of each filter; nothing where both are None. FieldError."""
    if when is None and not orfs:
        return b""
    octet = _named("when", "IMMEDIATE" if when is None else when, WHEN_NUMBERS, 255)
    return octet.to_bytes(1) + at("orfs", lambda value: _each(value, lambda orf: _orf(afi, orf)), orfs or [])


def parse_filters(afi: int, data: bytes) -> dict[str, Any] | None:
    """{"when", "orfs"} of what stands behind the family; None if it does not parse."""
    result: dict[str, Any] = {"when": ORF_REFRESHES.get(data[0], data[0])}
    orfs = []
    start = 1
    while start < len(data):
        first = start + 3
        end = first + int.from_bytes(data[start + 1 : first])
        if first > len(data) or end > len(data):
            return None
        kind, octets = data[start], data[first:end]
        entries = _parse_entries(afi, octets) if kind in PREFIX_TYPES and afi in (1, 2) else None
        form = {"data": "0x" + octets.hex()} if entries is None else {"entries": entries}
        orfs.append({"type": ORF_TYPES.get(kind, kind), **form})
        start = end
    return result | {"orfs": orfs} if orfs else result


def _orf(afi: int, value: Any) -> bytes:
    fields = _object(value, ORF_KEYS)
    kind = _named("type", fields.get("type"), TYPE_NUMBERS, 255)
    if fields.get("data") is not None:
        octets = at("data", unhex, fields["data"])
    elif kind not in PREFIX_TYPES:
        raise expected(None, f'"0x..", as {ORF_TYPES.get(kind, kind)} has no other form').under("data")
    else:
        entries = fields.get("entries") or []
        octets = at("entries", lambda given: _each(given, lambda entry: _entry(afi, entry)), entries)
    if len(octets) > 0xFFFF:
        raise FieldError(f"{len(octets)} octets, expected 65535 at most")
    return kind.to_bytes(1) + len(octets).to_bytes(2) + octets


def _entry(afi: int, value: Any) -> bytes:
    """RFC 5291 section 4: action and match; RFC 5292 section 2: sequence number, least and greatest length, prefix."""
    fields = _object(value, ENTRY_KEYS)
    action = _named("action", fields.get("action"), ACTION_NUMBERS, ACTION_REMOVE_ALL)
    if action == ACTION_REMOVE_ALL:
        return bytes((action << 6,))
    match = _named("match", "PERMIT" if fields.get("match") is None else fields["match"], MATCH_NUMBERS, 1)
    sequence = at("seq", lambda given: number(given, 0xFFFFFFFF, "a sequence number"), fields.get("seq") or 0)
    lengths = bytes(
        at(key, lambda given: number(given, 255, "a prefix length"), fields.get(key) or 0) for key in ("min", "max")
    )
    prefix = at("prefix", lambda given: _prefix(afi, given), fields.get("prefix"))
    return bytes((action << 6 | match << 5,)) + sequence.to_bytes(4) + lengths + prefix


def _prefix(afi: int, value: Any) -> bytes:
    prefix = Prefix(value)
    if prefix.afi != afi or prefix.path_id is not None:
        raise expected(value, "a prefix of the family, without a path id")
    return bytes((prefix.length,)) + prefix.packed[: (prefix.length + 7) // 8]


def _parse_entries(afi: int, data: bytes) -> list[dict[str, Any]] | None:
    """None for what is not exactly as _entry makes it, and for REMOVE_ALL twice in a row."""
    entries: list[dict[str, Any]] = []
    start = 0
    while start < len(data):
        action = data[start] >> 6
        if data[start] == ACTION_REMOVE_ALL << 6 and entries[-1:] != [REMOVE_ALL]:
            entries.append({**REMOVE_ALL})
            start += 1
            continue
        if action >= ACTION_REMOVE_ALL or data[start] & 0x1F or start + 8 > len(data):
            return None
        end = start + 8 + (data[start + 7] + 7) // 8
        prefix = _parse_prefix(afi, data[start + 7 : end])
        if prefix is None:
            return None
        fields = {
            "action": ORF_ACTIONS[action],
            "match": ORF_MATCHES[data[start] >> 5 & 1],
            "seq": int.from_bytes(data[start + 1 : start + 5]),
            "min": data[start + 5],
            "max": data[start + 6],
            "prefix": str(prefix),
        }
        entries.append(fields)
        start = end
    return entries


def _parse_prefix(afi: int, octets: bytes) -> Prefix | None:
    try:
        (prefix,) = decode_prefixes(octets, afi)
        return prefix if _prefix(afi, prefix) == octets else None
    except FieldError:
        return None


def _named(key: str, value: Any, numbers: dict[str, int], maximum: int) -> int:
    return at(key, lambda given: lookup(given, numbers, maximum, ", ".join(numbers)), value)


def _object(value: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise expected(value, "an object of " + ", ".join(keys))
    for key in value:
        if key not in keys:
            raise expected(key, ", ".join(keys))
    return value


def _each(value: Any, encode: Any) -> bytes:
    """The octets of each item of a list."""
    if not isinstance(value, (list, tuple)):
        raise expected(value, "a list")
    return b"".join(at(i, encode, item) for i, item in enumerate(value))
