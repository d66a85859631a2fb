from typing import Any, Final

EVPN_LAYOUTS: Final[dict[int, str]]
"""Fields of each EVPN route type that has a typed form, a letter a field; see _nlri.pyx."""
MCAST_VPN_LAYOUTS: Final[dict[int, str]]
"""The same for MCAST-VPN."""

def decode_nlri(afi: int, safi: int, data: bytes, addpath: bool) -> list[dict[str, Any]] | None:
    """NLRI of a family that has other than plain prefixes, as in JSON (docs/json.md).

    addpath: whether each has a path id in front (RFC 7911 section 3).
    None where the family or its octets have no typed form.
    """
