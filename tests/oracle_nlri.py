"""NLRI of families other than plain prefixes, slow and obvious: the part of tests/oracle.py for labelled, VPN, EVPN, MCAST-VPN and
route target NLRI, flows (with tests/oracle_flowspec.py), and for the next hops of all of them.

Written from the RFCs, apart from the package, of which it uses the table of names alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import oracle
import oracle_flowspec
from bgpipe import names

Json = Any
Family = tuple[int, int]

LABELLED = {(1, 4), (2, 4)}
VPN = {(1, 128), (2, 128)}
VPN_MULTICAST = {(1, 129), (2, 129)}
MCAST_VPN = {(1, 5), (2, 5)}
EVPN = {(25, 70)}
ROUTE_TARGET = {(1, 132)}
FLOW_VPN = {(1, 134), (2, 134)}
FLOW = {(1, 133), (2, 133)} | FLOW_VPN
TYPED = LABELLED | VPN | VPN_MULTICAST | MCAST_VPN | EVPN | ROUTE_TARGET | FLOW


class Untyped(Exception):
    """These octets are shown as hex."""


class Octets:
    """Octets to take from the front; too few are Untyped."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, count: int) -> bytes:
        if count > len(self.data):
            raise Untyped
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def rest(self) -> bytes:
        return self.take(len(self.data))


def address(data: bytes) -> str:
    try:
        return oracle.ip_text(data)
    except oracle.Malformed:
        raise Untyped from None


# -- Fields ----------------------------------------------------------------------------------------------------


def assigned_text(kind: int, data: bytes) -> str:
    """The three types of RFC 4364 section 4.2, which are those of RFC 4360 sections 3.1 and 3.2 and of RFC 5668, too."""
    if kind == 0:
        return f"{int.from_bytes(data[:2], 'big')}:{int.from_bytes(data[2:], 'big')}"
    if kind == 1:
        return f"{address(data[:4])}:{int.from_bytes(data[4:], 'big')}"
    asn = int.from_bytes(data[:4], "big")
    return f"{'' if asn > 65535 else '2:'}{asn}:{int.from_bytes(data[4:], 'big')}"


def assigned_octets(text: str) -> tuple[int, bytes]:
    parts = text.split(":")
    value = int(parts[-1])
    if "." in parts[0]:
        return 1, oracle.ip_bytes(parts[0]) + value.to_bytes(2, "big")
    if len(parts) == 3 or int(parts[0]) > 65535:
        return 2, int(parts[-2]).to_bytes(4, "big") + value.to_bytes(2, "big")
    return 0, int(parts[0]).to_bytes(2, "big") + value.to_bytes(4, "big")


def rd_json(data: bytes) -> str:
    kind = int.from_bytes(data[:2], "big")
    return assigned_text(kind, data[2:]) if kind < 3 else "0x" + data.hex()


def rd_octets(text: str) -> bytes:
    if text.startswith("0x"):
        return bytes.fromhex(text[2:])
    kind, data = assigned_octets(text)
    return bytes([0, kind]) + data


def label_json(data: bytes, last: bool) -> Json:
    """20 bits of label, 3 of traffic class, 1 for the bottom of the stack (RFC 3032 section 2.1)."""
    number = int.from_bytes(data, "big")
    return number // 16 if number % 16 == (1 if last else 0) else "0x" + data.hex()


def label_octets(value: Json, last: bool) -> bytes:
    if isinstance(value, str):
        return bytes.fromhex(value[2:])
    return (value * 16 + (1 if last else 0)).to_bytes(3, "big")


def stack_json(data: bytes) -> list[Json]:
    pieces = [data[i : i + 3] for i in range(0, len(data), 3)]
    return [label_json(piece, piece_number == len(pieces)) for piece_number, piece in enumerate(pieces, 1)]


def stack_octets(values: list[Json]) -> bytes:
    return b"".join(label_octets(value, i == len(values)) for i, value in enumerate(values, 1))


def take_stack(reader: Octets, spare: int) -> bytes:
    """Labels at the front, in all but `spare` octets: up to one with the S bit or of a withdrawal; one, if no such comes."""
    room = len(reader.data) - spare
    stack = b""
    while len(stack) + 3 <= room:
        stack += reader.data[len(stack) : len(stack) + 3]
        if stack[-1] % 2 or stack in (b"\x80\0\0", b"\0\0\0"):
            return reader.take(len(stack))
    if room < 3:
        raise Untyped
    return reader.take(3)


def prefix_json(bits: int, data: bytes, size: int) -> str:
    """`size`: octets of an address."""
    if bits > 8 * size or len(data) > size:
        raise Untyped
    number = int.from_bytes(data.ljust(size, b"\0"), "big")
    if number % (1 << (8 * size - bits)):
        raise Untyped
    return f"{address(number.to_bytes(size, 'big'))}/{bits}"


def prefix_octets(text: str) -> tuple[int, bytes]:
    ip, bits = text.split("/")
    return int(bits), oracle.ip_bytes(ip)


def colons(data: bytes) -> str:
    return ":".join(f"{octet:02x}" for octet in data)


def uncolons(text: str) -> bytes:
    return bytes(int(part, 16) for part in text.split(":"))


def sized_address(reader: Octets) -> str | None:
    bits = reader.number(1)
    if bits not in (0, 32, 128):
        raise Untyped
    return address(reader.take(bits // 8)) if bits else None


def sized_address_octets(text: str | None) -> bytes:
    data = oracle.ip_bytes(text) if text else b""
    return bytes([8 * len(data)]) + data


def given(**fields: Json) -> dict[str, Json]:
    """Without what is not there."""
    return {key: value for key, value in fields.items() if value is not None}


# -- EVPN: RFC 7432 section 7, RFC 9136 section 3, RFC 9251 section 9, RFC 9572 section 3 -----------------------


def flow_json(reader: Octets) -> dict[str, Json]:
    return given(source=sized_address(reader), group=sized_address(reader))


def flow_octets(route: Json) -> bytes:
    return sized_address_octets(route.get("source")) + sized_address_octets(route.get("group"))


def evpn_labels(data: bytes) -> list[Json]:
    """Each stands by itself."""
    return [label_json(data[i : i + 3], True) for i in range(0, len(data), 3)]


def evpn_label_octets(values: list[Json]) -> bytes:
    return b"".join(label_octets(value, True) for value in values)


def evpn_json(kind: int, data: bytes) -> dict[str, Json]:
    reader = Octets(data)
    route: dict[str, Json] = {}
    if kind == 11:
        head = reader.take(2)
        route["route_key"] = "0x" + (head + reader.take(head[1])).hex()
        route |= given(originator=sized_address(reader))
    else:
        route["rd"] = rd_json(reader.take(8))
        if kind in (1, 2, 4, 5, 7, 8):
            route["esi"] = colons(reader.take(10))
        if kind != 4:
            route["etag"] = reader.number(4)
    if kind == 1:
        route["labels"] = evpn_labels(reader.take(3))
    if kind == 2:
        if reader.number(1) != 48:
            raise Untyped
        route["mac"] = colons(reader.take(6))
        route |= given(ip=sized_address(reader))
        if len(reader.data) not in (3, 6):
            raise Untyped
        route["labels"] = evpn_labels(reader.rest())
    if kind in (3, 4):
        route |= given(originator=sized_address(reader))
    if kind == 5:
        size = {34: 4, 58: 16}.get(len(data))
        if size is None:
            raise Untyped
        bits = reader.number(1)
        route["prefix"] = prefix_json(bits, reader.take(size), size)
        route["gateway"] = address(reader.take(size))
        route["labels"] = evpn_labels(reader.take(3))
    if kind in (6, 7, 8, 10):
        route |= flow_json(reader)
        route |= given(originator=sized_address(reader))
    if kind == 8:
        if reader.number(4):
            raise Untyped
        route["max_response"] = reader.number(1)
    if kind in (6, 7, 8):
        route["flags"] = reader.number(1)
    if kind == 9:
        route["region"] = "0x" + reader.take(8).hex()
    if reader.data:
        raise Untyped
    return route


def evpn_octets(kind: int, route: Json) -> bytes:
    if kind == 11:
        return bytes.fromhex(route["route_key"][2:]) + sized_address_octets(route.get("originator"))
    data = rd_octets(route["rd"])
    if kind in (1, 2, 4, 5, 7, 8):
        data += uncolons(route["esi"])
    if kind != 4:
        data += route["etag"].to_bytes(4, "big")
    originator = sized_address_octets(route.get("originator"))
    match kind:
        case 1:
            data += evpn_label_octets(route["labels"])
        case 2:
            data += b"\x30" + uncolons(route["mac"]) + sized_address_octets(route.get("ip"))
            data += evpn_label_octets(route["labels"])
        case 3 | 4:
            data += originator
        case 5:
            bits, network = prefix_octets(route["prefix"])
            data += bytes([bits]) + network + oracle.ip_bytes(route["gateway"]) + evpn_label_octets(route["labels"])
        case 6 | 7:
            data += flow_octets(route) + originator + bytes([route["flags"]])
        case 8:
            data += flow_octets(route) + originator + bytes([0, 0, 0, 0, route["max_response"], route["flags"]])
        case 9:
            data += bytes.fromhex(route["region"][2:])
        case 10:
            data += flow_octets(route) + originator
    return data


# -- MCAST-VPN: RFC 6514 section 4 -----------------------------------------------------------------------------


def mcast_vpn_json(kind: int, data: bytes) -> dict[str, Json]:
    reader = Octets(data)
    route: dict[str, Json] = {}
    if kind == 4:
        head = reader.take(2)
        route["route_key"] = "0x" + (head + reader.take(head[1])).hex()
    else:
        route["rd"] = rd_json(reader.take(8))
    if kind in (2, 6, 7):
        route["source_as"] = reader.number(4)
    if kind in (3, 5, 6, 7):
        route |= flow_json(reader)
    if kind in (1, 3, 4):
        route["originator"] = address(reader.rest())
    if reader.data:
        raise Untyped
    return route


def mcast_vpn_octets(kind: int, route: Json) -> bytes:
    data = bytes.fromhex(route["route_key"][2:]) if kind == 4 else rd_octets(route["rd"])
    if kind in (2, 6, 7):
        data += route["source_as"].to_bytes(4, "big")
    if kind in (3, 5, 6, 7):
        data += flow_octets(route)
    if kind in (1, 3, 4):
        data += oracle.ip_bytes(route["originator"])
    return data


# -- NLRI that say their type and length -----------------------------------------------------------------------

Typed = tuple[dict[int, str], Callable[[int, bytes], dict[str, Json]], Callable[[int, Json], bytes]]
EVPN_FORMS: Typed = (names.EVPN_ROUTES, evpn_json, evpn_octets)
MCAST_VPN_FORMS: Typed = (names.MCAST_VPN_ROUTES, mcast_vpn_json, mcast_vpn_octets)


def forms(family: Family) -> Typed:
    return EVPN_FORMS if family in EVPN else MCAST_VPN_FORMS


def route_json(reader: Octets, family: Family) -> dict[str, Json]:
    table, decode, _ = forms(family)
    kind, size = reader.number(1), reader.number(1)
    data = reader.take(size)
    untyped = {"type": kind, "value": "0x" + data.hex()}
    if kind not in table:
        return untyped
    try:
        return {"type": table[kind]} | decode(kind, data)
    except Untyped:
        return untyped


def route_octets(route: Json, family: Family) -> bytes:
    table, _, encode = forms(family)
    kind = {name: code for code, name in table.items()}.get(route["type"], route["type"])
    data = bytes.fromhex(route["value"][2:]) if "value" in route else encode(kind, route)
    return bytes([kind, len(data)]) + data


# -- NLRI of a length in bits ----------------------------------------------------------------------------------


def labelled_json(reader: Octets, family: Family) -> dict[str, Json]:
    """RFC 8277 section 2, RFC 4364 section 4.3.4; RFC 6514 section 10, without a label."""
    bits = reader.number(1)
    inner = Octets(reader.take((bits + 7) // 8))
    entry: dict[str, Json] = {}
    stack = b""
    if family not in VPN_MULTICAST:
        # A last octet that is not whole has no label in it.
        spare = (8 if family in VPN else 0) + (1 if bits % 8 else 0)
        stack = take_stack(inner, spare)
        bits -= 8 * len(stack)
    if family not in LABELLED:
        if bits < 64:
            raise Untyped
        entry["rd"] = rd_json(inner.take(8))
        bits -= 64
    entry["prefix"] = prefix_json(bits, inner.rest(), 4 if family[0] == 1 else 16)
    return entry | ({"labels": stack_json(stack)} if stack else {})


def labelled_octets(entry: Json, family: Family) -> bytes:
    data = stack_octets(entry["labels"]) if "labels" in entry else b""
    data += rd_octets(entry["rd"]) if "rd" in entry else b""
    bits, network = prefix_octets(entry["prefix"])
    return bytes([8 * len(data) + bits]) + data + network[: (bits + 7) // 8]


def target_json(reader: Octets, family: Family) -> dict[str, Json]:
    """RFC 4684 section 4."""
    bits = reader.number(1)
    inner = Octets(reader.take((bits + 7) // 8))
    if bits > 96 or 0 < bits < 32:
        raise Untyped
    if bits == 0:
        return {"length": 0}
    entry: dict[str, Json] = {"origin": inner.number(4)}
    target = inner.rest()
    if bits < 96:
        return entry | ({"target": "0x" + target.hex()} if target else {}) | {"length": bits}
    if target[0] < 3 and target[1] == 2:
        return entry | {"target": assigned_text(target[0], target[2:])}
    return entry | {"target": "0x" + target.hex()}


def target_octets(entry: Json, family: Family) -> bytes:
    data = entry["origin"].to_bytes(4, "big") if "origin" in entry else b""
    text = entry.get("target", "0x")
    if text.startswith("0x"):
        data += bytes.fromhex(text[2:])
    else:
        kind, value = assigned_octets(text)
        data += bytes([kind, 2]) + value
    return bytes([entry.get("length", 96)]) + data


# -- Flows -----------------------------------------------------------------------------------------------------


def flow_rule_json(reader: Octets, family: Family) -> dict[str, Json]:
    """RFC 8955 sections 4.1 and 8."""
    size = reader.number(1)
    if size >= 0xF0:
        size = (size & 15) << 8 | reader.number(1)
        if size < 0xF0:
            raise Untyped
    inner = Octets(reader.take(size))
    rule: dict[str, Json] = {"rd": rd_json(inner.take(8))} if family in FLOW_VPN else {}
    try:
        return rule | oracle_flowspec.rule_json(inner.rest(), family[0])
    except ValueError:
        raise Untyped from None


def flow_rule_octets(rule: Json, family: Family) -> bytes:
    data = rd_octets(rule["rd"]) if "rd" in rule else b""
    data += oracle_flowspec.rule_bytes(rule, family[0])
    return (bytes([len(data)]) if len(data) < 0xF0 else (0xF000 | len(data)).to_bytes(2, "big")) + data


# -- Families --------------------------------------------------------------------------------------------------


def nlri_json(data: bytes, family: Family, addpath: bool) -> list[Json] | None:
    """NLRI of a family of TYPED; None where they have no typed form."""
    reader = Octets(data)
    decode = (
        route_json
        if family in EVPN | MCAST_VPN
        else target_json
        if family in ROUTE_TARGET
        else flow_rule_json
        if family in FLOW
        else labelled_json
    )
    result = []
    try:
        while reader.data:
            entry = {"path_id": reader.number(4)} if addpath else {}
            result.append(entry | decode(reader, family))
    except Untyped:
        return None
    return result


def parses(data: bytes, family: Family, addpath: bool) -> bool:
    """Whether NLRI end where `data` does and have lengths that the family can have (RFC 7606 section 5.3).

    True for families of which that is not known.
    """
    reader = Octets(data if family in TYPED else b"")
    try:
        while reader.data:
            if addpath:
                reader.take(4)
            if family in EVPN | MCAST_VPN:
                reader.take(2 + (reader.data + b"\0\0")[1])
            elif family in FLOW:
                first = reader.number(1)
                reader.take(first if first < 0xF0 else (first & 0x0F) << 8 | reader.number(1))
            elif not possible(reader.number(1), reader, family):
                return False
    except Untyped:
        return False
    return True


def inner_prefixes(data: bytes, family: Family, addpath: bool) -> list[tuple[int, bytes]]:
    """Length and octets of the prefix in each labelled NLRI or one of a VPN."""
    reader, found = Octets(data), []
    while reader.data:
        if addpath:
            reader.take(4)
        bits = reader.number(1)
        inner = Octets(reader.take((bits + 7) // 8))
        distinguisher = 0 if family in LABELLED else 8
        if family not in VPN_MULTICAST:
            bits -= 8 * len(take_stack(inner, distinguisher + (1 if bits % 8 else 0)))
        inner.take(distinguisher)
        bits -= 8 * distinguisher
        if bits > (32 if family[0] == 1 else 128):  # what is left of SAFI 129 with a label
            break
        found.append((bits, inner.rest()))
    return found


def possible(bits: int, reader: Octets, family: Family) -> bool:
    """Whether an NLRI, of which `reader` holds what is behind its length, can be that long; takes it."""
    inner = Octets(reader.take((bits + 7) // 8))
    if family in ROUTE_TARGET:
        return bits == 0 or 32 <= bits <= 96
    width = 32 if family[0] == 1 else 128
    if family in VPN_MULTICAST:  # some send a label, though RFC 6514 section 10 has none
        return 64 <= bits <= 88 + width
    distinguisher = 64 if family in VPN else 0
    stack = take_stack(inner, distinguisher // 8 + (1 if bits % 8 else 0))
    return bits - 8 * len(stack) - distinguisher <= width


def nlri_octets(entries: list[Json], family: Family) -> bytes:
    encode = (
        route_octets
        if family in EVPN | MCAST_VPN
        else target_octets
        if family in ROUTE_TARGET
        else flow_rule_octets
        if family in FLOW
        else labelled_octets
    )
    data = b""
    for entry in entries:
        if "path_id" in entry:
            data += entry["path_id"].to_bytes(4, "big")
        data += encode(entry, family)
    return data


def next_hop_json(data: bytes, family: Family) -> dict[str, Json]:
    """RFC 4760 section 3, RFC 2545 section 3, RFC 8950 section 4; of VPNs behind an RD of zero (RFC 4364 section 4.3.2)."""
    if not data:
        return {}
    untyped = {"nh": "0x" + data.hex()}
    if family in VPN | VPN_MULTICAST:
        if len(data) not in (12, 24, 48) or any(data[:8]) or (len(data) == 48 and any(data[24:32])):
            return untyped
        data = data[8:24] + data[32:]
    if len(data) not in (4, 16, 32):
        return untyped
    hops = [data[i : i + 16] for i in range(0, len(data), 16)]
    return dict(zip(("nexthop", "link-local"), map(address, hops), strict=False))


def next_hop_octets(entry: Json, family: Family) -> bytes:
    distinguisher = bytes(8) if family in VPN | VPN_MULTICAST else b""
    hops = [entry[key] for key in ("nexthop", "link-local") if key in entry]
    return b"".join(distinguisher + oracle.ip_bytes(hop) for hop in hops)
