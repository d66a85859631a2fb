"""Wire to ExaBGP's text, of families that _exa.pyx leaves to Python: labelled, VPN, multicast VPN and flow routes."""

from __future__ import annotations

import re

from bgpipe._nlri import decode_nlri
from bgpipe.formats.exa.flow import component_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Fields = dict[str, Any]

MPLS, MCAST_VPN, MPLS_VPN, FLOW, FLOW_VPN = 4, 5, 128, 133, 134
_JOINS = {
    "SOURCE_ACTIVE_AD": ("source-ad", "source"),
    "SHARED_TREE_JOIN": ("shared-join", "rp"),
    "SOURCE_TREE_JOIN": ("source-join", "source"),
}
# A rule without its action is another one: IPv6 extended communities (RFC 8956 section 6), and extended communities
# that have no words, since their flags are not the usual ones.
_OTHER_ACTIONS = re.compile(r" attribute \[ 0x(?:10|19) ")
_COMMUNITIES = re.compile(r" ((?:extended-|large-)?community \[[^]]*\])")


def lines(
    afi: int, safi: int, hop: bytes | None, nlri: bytes, addpath: bool, attributes: str, most: int
) -> str | None:
    """A line a route; None where not all of them have words.

    hop: next hop as it is in MP_REACH, None for withdrawals. attributes: their words, a space in front. most: how long
    the text may be.
    """
    routes = decode_nlri(afi, safi, nlri, addpath)
    if routes is None:
        return None
    address = "" if hop is None else _address(hop, safi)
    if address is None:
        return None
    write = _WRITERS.get(safi)
    made: list[str] = []
    size = 0
    for fields in routes:
        text = write(fields, afi, hop is not None, address, attributes) if write is not None else None
        if text is None:
            return None
        size += len(text) + 1
        if size > most:
            return None
        made.append(text + "\n")
    return "".join(made)


def _address(hop: bytes, safi: int) -> str | None:
    """A next hop as text; "" for none; None where it has more to it than an address."""
    from ipaddress import ip_address

    if safi == MPLS_VPN:
        if any(hop[:8]):
            return None
        hop = hop[8:24]
    if not hop:
        return ""
    if len(hop) not in (4, 16, 32):
        return None
    address = ip_address(hop[:16])
    return str(address)


def _next_hop(address: str) -> str:
    return f" next-hop {address}" if address else ""


def _path_id(fields: Fields) -> str:
    path_id = fields.get("path_id")
    return "" if path_id is None else " path-information " + ".".join(map(str, path_id.to_bytes(4)))


def _rd(fields: Fields) -> str | None:
    rd: str | None = fields.get("rd")
    if rd is None:
        return ""
    return None if rd.startswith("0x") or rd.count(":") > 1 else f" rd {rd}"


def _prefix(fields: Fields, afi: int, announce: bool, address: str, attributes: str) -> str | None:
    labels, rd = fields["labels"], _rd(fields)
    if rd is None or (announce and not address):
        return None
    if any(isinstance(label, str) for label in labels):
        if announce or labels != ["0x800000"]:
            return None
        label_text = ""
    else:
        label_text = f" label {labels[0]}" if len(labels) == 1 else f" label [ {' '.join(map(str, labels))} ]"
    if not announce and not rd and not label_text:
        family = f"ipv{4 if afi == 1 else 6} nlri-mpls"
        return f"withdraw {family} {fields['prefix']}{_path_id(fields)}"
    about = f"{_next_hop(address)}{_path_id(fields)}{rd}{label_text}"
    return f"{_verb(announce)} route {fields['prefix']}{about}{attributes if announce else ''}"


def _verb(announce: bool) -> str:
    return "announce" if announce else "withdraw"


def _join(fields: Fields, afi: int, announce: bool, address: str, attributes: str) -> str | None:
    known, rd = _JOINS.get(fields["type"]), _rd(fields)
    if known is None or rd is None or not {"source", "group", "rd"} <= fields.keys() or (announce and not address):
        return None
    kind, first = known
    family = f"ipv{4 if afi == 1 else 6} mcast-vpn"
    text = f"{_verb(announce)} {family} {kind} {first} {fields['source']} group {fields['group']}{rd}"
    if "source_as" in fields:
        text += f" source-as {fields['source_as']}"
    return f"{text}{_next_hop(address)}{_path_id(fields)}{attributes if announce else ''}"


def _flow(fields: Fields, afi: int, announce: bool, address: str, attributes: str) -> str | None:
    """A block, as all versions read it; of attributes they take communities of the three kinds alone."""
    rd = _rd(fields)
    if rd is None or "path_id" in fields or (announce and _OTHER_ACTIONS.search(attributes)):
        return None
    matches = []
    for name, value in fields.items():
        if name != "rd":
            text = component_text(name, value, afi)
            if text is None:
                return None
            matches.append(f"{text};")
    actions = [f"{found};" for found in _COMMUNITIES.findall(attributes)] if announce else []
    head = [f"{word[1:]};" for word in (rd, _next_hop(address)) if word]
    parts = (*head, "match {", *matches, "}", "then {", *(actions or ["accept;"]), "}")
    return f"{_verb(announce)} flow route {{ {' '.join(parts)} }}"


_WRITERS = {MPLS: _prefix, MPLS_VPN: _prefix, MCAST_VPN: _join, FLOW: _flow, FLOW_VPN: _flow}
