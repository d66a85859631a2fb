"""OPEN messages: from their readable form to octets (RFC 4271 section 4.2, RFC 6793 section 4.2)."""

from __future__ import annotations

from bgpipe._attributes import at, expected, number, pack_address, unhex
from bgpipe.bgp import capabilities
from bgpipe.errors import FieldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

AS_TRANS = 23456  # RFC 6793 section 9
HOLD_TIME_S = 90
FIXED_SIZE = 10  # octets in front of the optional parameters
OPEN_KEYS = ("bgp", "asn", "id", "hold", "caps", "params")


def encode_open(data: Any) -> bytes:
    """Body of {"bgp", "asn", "id", "hold", "caps", "params"} (RFC 4271 section 4.2).

    asn above 65535 becomes AS_TRANS and goes into the AS4 capability; without asn, that of the capability is
    taken. params, the octets behind the optional parameters length, holds as long as it carries the caps.
    """
    if not isinstance(data, dict):
        raise expected(data, "an object of " + ", ".join(OPEN_KEYS))
    for key in data:
        if key not in OPEN_KEYS:
            raise expected(key, ", ".join(OPEN_KEYS))
    version = at("bgp", lambda value: number(value, 255, "a version"), _given(data, "bgp", 4))
    hold_time = at("hold", lambda value: number(value, 0xFFFF, "seconds"), _given(data, "hold", HOLD_TIME_S))
    caps = None if data.get("caps") is None else at("caps", capabilities.from_object, data["caps"])
    asn, caps = _asn(data.get("asn"), caps)
    identifier = at("id", encode_identifier, data.get("id"))
    parameters = at("params", lambda value: _parameters(value, caps), data.get("params"))
    return b"".join((bytes((version,)), asn.to_bytes(2), hold_time.to_bytes(2), identifier, parameters))


def _given(data: dict[str, Any], key: str, default: Any) -> Any:
    value = data.get(key)
    return default if value is None else value


def _asn(value: Any, caps: list[tuple[int, bytes]] | None) -> tuple[int, list[tuple[int, bytes]] | None]:
    """The two-octet AS number (RFC 6793 section 4.2.2), and the capabilities with AS4 where it needs that."""
    as4 = next((capabilities.parse_as4(v) for code, v in caps or () if code == capabilities.AS4), None)
    asn = as4 if value is None else at("asn", lambda v: number(v, 0xFFFFFFFF, "an AS number"), value)
    if asn is None:
        raise expected(None, "an AS number").under("asn")
    if asn <= 0xFFFF:
        return asn, caps
    if as4 is None:
        caps = [*(caps or ()), (capabilities.AS4, asn.to_bytes(4))]
    elif as4 != asn:
        raise expected(asn, f"the AS number of the AS4 capability, {as4}, or {AS_TRANS}").under("asn")
    return AS_TRANS, caps


def encode_identifier(value: Any) -> bytes:
    """Four octets of an address or a number."""
    if isinstance(value, int):
        return number(value, 0xFFFFFFFF, "a BGP identifier").to_bytes(4)
    return pack_address(value, 32)


def _parameters(params: Any, caps: list[tuple[int, bytes]] | None) -> bytes:
    if params is None:
        return capabilities.encode_parameters(caps or [])
    octets = unhex(params)
    found = capabilities.parse_parameters(octets)
    if caps is not None and (found is None or capabilities.grouped(found[0]) != caps):
        return capabilities.encode_parameters(caps)
    if capabilities.is_extended(octets):
        return b"\xff" + octets
    if len(octets) > 255:
        raise FieldError(f"{len(octets)} octets, expected 255 at most, or the extended form of RFC 9072")
    return bytes((len(octets),)) + octets
