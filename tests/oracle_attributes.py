"""The oracle's path attributes that are made of TLVs, numbers and addresses, and its extended communities.

Written by hand from the RFCs, a function each way for each form; shares nothing with the layouts of the package.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import oracle
from bgpipe import names
from oracle import Context, Json, Malformed, Reader, hex_text, ip_bytes, ip_text, is_hex, u8, u16, u32, unhex

Decode = Callable[[bytes], Json]
Encode = Callable[[Json], bytes]
Codec = tuple[Decode, Encode]


def number_of(name: Json, table: dict[int, str]) -> int:
    return name if isinstance(name, int) else {text: number for number, text in table.items()}[name]


def name_of(number: int, table: dict[int, str]) -> Json:
    return table.get(number, number)


def letters(octet: int, table: dict[str, int]) -> str:
    """A letter for each bit that has one, from the highest on, then what is left as a decimal number."""
    text = ""
    for letter, bit in sorted(table.items(), key=lambda item: -item[1]):
        if octet & bit:
            text += letter
            octet -= bit
    return text + (str(octet) if octet else "")


def letters_number(text: str, table: dict[str, int]) -> int:
    digits = text.lstrip("".join(table))
    return sum(table[letter] for letter in text[: len(text) - len(digits)]) + int(digits or 0)


# -- TLVs --------------------------------------------------------------------------------------------------------------


def tlvs_json(
    data: bytes, kind_size: int, length_size: int, table: dict[int, str], codecs: Callable[[int], Codec | None], extra: int = 0
) -> list[Json]:
    """length_size 0: that of RFC 9012 section 2. extra: octets in front of the value that the length counts."""
    reader = Reader(data)
    found = []
    while reader.left():
        kind = reader.number(kind_size)
        size = reader.number(length_size or (1 if kind < 128 else 2)) - extra
        if size < 0:
            raise Malformed("a length that is too small")
        found.append({"type": name_of(kind, table), "value": tlv_value(reader.take(size), codecs(kind))})
    return found


def tlv_value(value: bytes, codec: Codec | None) -> Json:
    if codec is not None:
        try:
            return codec[0](value)
        except Malformed:
            pass
    return hex_text(value) if value else True


def tlvs_bytes(
    entries: list[Json],
    kind_size: int,
    length_size: int,
    table: dict[int, str],
    codecs: Callable[[int], Codec | None],
    extra: int = 0,
) -> bytes:
    data = b""
    for entry in entries:
        kind, value = number_of(entry["type"], table), entry["value"]
        codec = codecs(kind)
        if value is True:
            octets = b""
        elif is_hex(value):
            octets = unhex(value)
        else:
            assert codec is not None
            octets = codec[1](value)
        size = length_size or (1 if kind < 128 else 2)
        data += kind.to_bytes(kind_size, "big") + (len(octets) + extra).to_bytes(size, "big") + octets
    return data


def whole(data: bytes, size: int) -> Reader:
    if len(data) != size:
        raise Malformed(f"{len(data)} octets, not {size}")
    return Reader(data)


def number_codec(size: int) -> Codec:
    return lambda data: whole(data, size).number(size), lambda value: int(value).to_bytes(size, "big")


def address_json(data: bytes) -> Json:
    return ip_text(data)


ADDRESS: Codec = (address_json, ip_bytes)


def zero(reader: Reader, size: int) -> None:
    if reader.number(size):
        raise Malformed("reserved octets are not zero")


# -- PMSI_TUNNEL, PE_DISTING (RFC 6514) ------------------------------------------------------------------------------------

PMSI_FLAGS = {"E": 0x40, "F": 0x20, "B": 0x04, "U": 0x02, "L": 0x01}


def label_json(three: int) -> dict[str, Json]:
    return {"label": three >> 4, "vni": three}


def source_and_group_json(data: bytes) -> Json:
    half = len(data) // 2
    if len(data) not in (8, 32):
        raise Malformed("not two addresses")
    return {"source": ip_text(data[:half]), "group": ip_text(data[half:])}


def mldp_json(data: bytes) -> Json:
    """RFC 6388 section 2.2"""
    reader = Reader(data)
    fec, afi, size = reader.number(1), reader.number(2), reader.number(1)
    if (afi, size) not in ((1, 4), (2, 16)):
        raise Malformed("a root of an unknown family")
    root, opaque = reader.take(size), reader.take(reader.number(2))
    reader.end()
    return {"fec": fec, "root": ip_text(root), "opaque": hex_text(opaque)}


def mldp_bytes(value: Json) -> bytes:
    root, opaque = ip_bytes(value["root"]), unhex(value["opaque"])
    return u8(value["fec"]) + u16(1 if len(root) == 4 else 2) + u8(len(root)) + root + u16(len(opaque)) + opaque


def rsvp_json(data: bytes) -> Json:
    """RFC 4875 section 19.1"""
    if len(data) not in (12, 24):
        raise Malformed("neither of IPv4 nor of IPv6")
    reader = Reader(data)
    extended = reader.take(len(data) - 8)
    zero(reader, 2)
    return {"extended_tunnel": ip_text(extended), "tunnel": reader.number(2), "p2mp": reader.number(4)}


def bier_json(data: bytes) -> Json:
    """RFC 8556 section 2.1"""
    reader = Reader(data)
    return {"subdomain": reader.number(1), "bfr": reader.number(2), "prefix": ip_text(reader.rest())}


SOURCE_AND_GROUP: Codec = (source_and_group_json, lambda value: ip_bytes(value["source"]) + ip_bytes(value["group"]))
MLDP: Codec = (mldp_json, mldp_bytes)
TUNNELS: dict[int, Codec] = {
    1: (rsvp_json, lambda v: ip_bytes(v["extended_tunnel"]) + u16(0) + u16(v["tunnel"]) + u32(v["p2mp"])),
    2: MLDP,
    3: SOURCE_AND_GROUP,
    4: SOURCE_AND_GROUP,
    5: SOURCE_AND_GROUP,
    6: ADDRESS,
    7: MLDP,
    10: ADDRESS,
    11: (bier_json, lambda v: u8(v["subdomain"]) + u16(v["bfr"]) + ip_bytes(v["prefix"])),
}


def pmsi_json(data: bytes) -> Json:
    reader = Reader(data)
    flags, kind, three, rest = reader.number(1), reader.number(1), reader.number(3), reader.rest()
    value = {"flags": letters(flags, PMSI_FLAGS), "type": name_of(kind, names.PMSI_TUNNELS)} | label_json(three)
    shown = tlv_value(rest, TUNNELS.get(kind))
    return value if shown is True else value | {"id": shown}


def pmsi_bytes(value: Json) -> bytes:
    kind = number_of(value["type"], names.PMSI_TUNNELS)
    shown = value.get("id", "0x")
    identifier = unhex(shown) if is_hex(shown) else TUNNELS[kind][1](shown)
    return u8(letters_number(value["flags"], PMSI_FLAGS)) + u8(kind) + value["vni"].to_bytes(3, "big") + identifier


def pe_json(data: bytes) -> Json:
    size = 4 if len(data) % 7 == 0 else 16
    pieces = oracle.whole(size + 3, data)
    return [{"pe": ip_text(piece[:size])} | label_json(int.from_bytes(piece[size:], "big")) for piece in pieces]


def pe_bytes(value: Json) -> bytes:
    return b"".join(ip_bytes(entry["pe"]) + entry["vni"].to_bytes(3, "big") for entry in value)


# -- PREFIX_SID (RFC 8669, RFC 9252) ------------------------------------------------------------------------------------------

STRUCTURE = ("block", "node", "function", "argument", "transposition_length", "transposition_offset")


def label_index_json(data: bytes) -> Json:
    reader = whole(data, 7)
    zero(reader, 1)
    flags, index = reader.number(2), reader.number(4)
    return {"flags": letters(flags, {}), "index": index} if flags else index


def label_index_bytes(value: Json) -> bytes:
    if isinstance(value, int):
        return bytes(3) + u32(value)
    return b"\0" + u16(letters_number(value["flags"], {})) + u32(value["index"])


def srgb_json(data: bytes) -> Json:
    reader = Reader(data)
    flags = reader.number(2)
    ranges = []
    while reader.left():
        ranges.append({"base": reader.number(3), "size": reader.number(3)})
    return {"flags": letters(flags, {}), "ranges": ranges}


def srgb_bytes(value: Json) -> bytes:
    ranges = b"".join(r["base"].to_bytes(3, "big") + r["size"].to_bytes(3, "big") for r in value["ranges"])
    return u16(letters_number(value["flags"], {})) + ranges


SID_STRUCTURE: Codec = (
    lambda data: dict(zip(STRUCTURE, whole(data, 6).rest(), strict=True)),
    lambda value: bytes(value[key] for key in STRUCTURE),
)


def sid_information_json(data: bytes) -> Json:
    reader = Reader(data)
    zero(reader, 1)
    value: dict[str, Json] = {"sid": ip_text(reader.take(16)), "flags": letters(reader.number(1), {})}
    value["behavior"] = name_of(reader.number(2), names.SRV6_BEHAVIORS)
    zero(reader, 1)
    if reader.left():
        value["tlvs"] = tlvs_json(reader.rest(), 1, 2, names.SRV6_SID_TLVS, {1: SID_STRUCTURE}.get)
    return value


def sid_information_bytes(value: Json) -> bytes:
    return (
        b"\0"
        + ip_bytes(value["sid"])
        + u8(letters_number(value["flags"], {}))
        + u16(number_of(value["behavior"], names.SRV6_BEHAVIORS))
        + b"\0"
        + tlvs_bytes(value.get("tlvs", []), 1, 2, names.SRV6_SID_TLVS, {1: SID_STRUCTURE}.get)
    )


SIDS = {1: (sid_information_json, sid_information_bytes)}.get


def service_json(data: bytes) -> Json:
    reader = Reader(data)
    zero(reader, 1)
    return tlvs_json(reader.rest(), 1, 2, names.SRV6_SERVICE_TLVS, SIDS)


SERVICE: Codec = (service_json, lambda value: b"\0" + tlvs_bytes(value, 1, 2, names.SRV6_SERVICE_TLVS, SIDS))
PREFIX_SIDS = {1: (label_index_json, label_index_bytes), 3: (srgb_json, srgb_bytes), 5: SERVICE, 6: SERVICE}.get
PREFIX_SID: Codec = (
    lambda data: tlvs_json(data, 1, 2, names.PREFIX_SID_TLVS, PREFIX_SIDS),
    lambda value: tlvs_bytes(value, 1, 2, names.PREFIX_SID_TLVS, PREFIX_SIDS),
)


# -- TUNNEL (RFC 9012, RFC 9830) ---------------------------------------------------------------------------------------------

NETWORK_FLAGS = {"V": 0x80, "M": 0x40}
BINDING_FLAGS = {"S": 0x80, "I": 0x40, "B": 0x20}
SEGMENT_FLAGS = {"V": 0x80, "A": 0x40, "S": 0x20, "B": 0x10}


def color_json(data: bytes) -> Json:
    kind, flags, color = struct.unpack(">HHI", whole(data, 8).rest())
    if kind != 0x030B:
        raise Malformed("not a color")
    return {"flags": letters(flags, {}), "color": color} if flags else color


def color_bytes(value: Json) -> bytes:
    if isinstance(value, int):
        value = {"flags": "", "color": value}
    return struct.pack(">HHI", 0x030B, letters_number(value["flags"], {}), value["color"])


def endpoint_json(data: bytes) -> Json:
    reader = Reader(data)
    zero(reader, 4)
    afi, address = reader.number(2), reader.rest()
    if (afi, len(address)) not in ((1, 4), (2, 16)):
        raise Malformed("an address of another family")
    return ip_text(address)


def endpoint_bytes(value: Json) -> bytes:
    address = ip_bytes(value)
    return u32(0) + u16(1 if len(address) == 4 else 2) + address


def entry_json(word: int) -> dict[str, Json]:
    """RFC 3032 section 2.1"""
    return {"label": word >> 12, "tc": word >> 9 & 7, "s": word >> 8 & 1, "ttl": word & 255}


def entry_bytes(entry: Json) -> bytes:
    return u32(entry["label"] << 12 | entry["tc"] << 9 | entry["s"] << 8 | entry["ttl"])


def stack_json(data: bytes) -> Json:
    if len(data) % 4:
        raise Malformed("not whole entries")
    return [entry_json(word) for (word,) in struct.iter_unpack(">I", data)]


def structure_json(reader: Reader) -> Json:
    """RFC 9830 section 2.4.3"""
    value: dict[str, Json] = {"behavior": name_of(reader.number(2), names.SRV6_BEHAVIORS)}
    zero(reader, 2)
    return value | dict(zip(STRUCTURE[:4], reader.take(4), strict=True))


def structure_bytes(value: Json) -> bytes:
    behavior = number_of(value["behavior"], names.SRV6_BEHAVIORS)
    return u16(behavior) + u16(0) + bytes(value[key] for key in STRUCTURE[:4])


def flagged_json(table: dict[str, int], rest: Callable[[Reader], dict[str, Json]]) -> Decode:
    def decode(data: bytes) -> Json:
        reader = Reader(data)
        flags = reader.number(1)
        zero(reader, 1)
        value = {"flags": letters(flags, table)} | rest(reader)
        reader.end()
        return value

    return decode


def flagged_bytes(table: dict[str, int], rest: Callable[[Json], bytes]) -> Encode:
    return lambda value: u8(letters_number(value["flags"], table)) + b"\0" + rest(value)


def binding_json(reader: Reader) -> dict[str, Json]:
    if not reader.left():
        return {}
    return entry_json(reader.number(4)) if reader.left() == 4 else {"sid": ip_text(reader.rest())}


def binding_bytes(value: Json) -> bytes:
    return entry_bytes(value) if "label" in value else ip_bytes(value["sid"]) if "sid" in value else b""


def sid_json(reader: Reader) -> dict[str, Json]:
    value: dict[str, Json] = {"sid": ip_text(reader.take(16))}
    return value | {"structure": structure_json(reader)} if reader.left() else value


def sid_bytes(value: Json) -> bytes:
    return ip_bytes(value["sid"]) + (structure_bytes(value["structure"]) if "structure" in value else b"")


def number_field(key: str, size: int) -> tuple[Callable[[Reader], dict[str, Json]], Encode]:
    return lambda reader: {key: reader.number(size)}, lambda value: int(value[key]).to_bytes(size, "big")


def flagged(table: dict[str, int], fields: tuple[Callable[[Reader], dict[str, Json]], Encode]) -> Codec:
    return flagged_json(table, fields[0]), flagged_bytes(table, fields[1])


SEGMENTS = {
    1: flagged(SEGMENT_FLAGS, (lambda r: {"entry": entry_json(r.number(4))}, lambda v: entry_bytes(v["entry"]))),
    9: flagged({}, number_field("weight", 4)),
    13: flagged(SEGMENT_FLAGS, (sid_json, sid_bytes)),
}.get


def segments_json(data: bytes) -> Json:
    reader = Reader(data)
    zero(reader, 1)
    return tlvs_json(reader.rest(), 1, 1, names.SEGMENT_TLVS, SEGMENTS)


def name_json(data: bytes) -> Json:
    reader = Reader(data)
    zero(reader, 1)
    octets = reader.rest()
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return {"name": hex_text(octets)}
    return {"name": hex_text(octets) if text.lower().startswith("0x") else text}


def name_bytes(value: Json) -> bytes:
    return b"\0" + (unhex(value["name"]) if is_hex(value["name"]) else value["name"].encode())


def network_json(data: bytes) -> Json:
    reader = whole(data, 12)
    flags, vni, mac = reader.number(1), reader.number(3), reader.take(6)
    zero(reader, 2)
    return {"flags": letters(flags, NETWORK_FLAGS), "vni": vni, "mac": mac.hex(":")}


def network_bytes(value: Json) -> bytes:
    mac = bytes.fromhex(value["mac"].replace(":", ""))
    return u8(letters_number(value["flags"], NETWORK_FLAGS)) + value["vni"].to_bytes(3, "big") + mac + bytes(2)


def l2tp_json(data: bytes) -> Json:
    reader = Reader(data)
    return {"session": reader.number(4), "cookie": hex_text(reader.rest())}


def priority_json(data: bytes) -> Json:
    reader = whole(data, 2)
    value = {"priority": reader.number(1)}
    zero(reader, 1)
    return value


SUB_TLVS: dict[int, Codec] = {
    2: number_codec(2),
    4: (color_json, color_bytes),
    5: number_codec(2),
    6: (endpoint_json, endpoint_bytes),
    7: number_codec(1),
    8: number_codec(2),
    9: number_codec(1),
    10: (stack_json, lambda value: b"".join(map(entry_bytes, value))),
    11: PREFIX_SID,
    12: flagged({}, number_field("preference", 4)),
    13: flagged(BINDING_FLAGS, (binding_json, binding_bytes)),
    14: flagged({}, number_field("enlp", 1)),
    15: (priority_json, lambda value: u8(value["priority"]) + b"\0"),
    16: (
        lambda data: {"spi": int.from_bytes(whole(data, 4).take(3), "big"), "si": data[3]},
        lambda value: value["spi"].to_bytes(3, "big") + u8(value["si"]),
    ),
    20: flagged(BINDING_FLAGS, (sid_json, sid_bytes)),
    128: (segments_json, lambda value: b"\0" + tlvs_bytes(value, 1, 1, names.SEGMENT_TLVS, SEGMENTS)),
    129: (name_json, name_bytes),
    130: (name_json, name_bytes),
}
ENCAPSULATIONS: dict[int, Codec] = {
    1: (l2tp_json, lambda value: u32(value["session"]) + unhex(value["cookie"])),
    2: number_codec(4),
    8: (network_json, network_bytes),
    9: (network_json, network_bytes),
    11: number_codec(4),
}


def tunnel_codec(kind: int) -> Codec:
    def sub(code: int) -> Codec | None:
        return ENCAPSULATIONS.get(kind) if code == 1 else SUB_TLVS.get(code)

    return (
        lambda data: tlvs_json(data, 1, 0, names.TUNNEL_TLVS, sub),
        lambda value: tlvs_bytes(value, 1, 0, names.TUNNEL_TLVS, sub),
    )


# -- others ------------------------------------------------------------------------------------------------------------------


AIGP_METRIC = {1: number_codec(8)}.get


def aigp_json(data: bytes) -> Json:
    """RFC 7311 section 3: the one TLV that everybody sends is its number."""
    if len(data) == 11 and data[:3] == b"\1\0\x0b":
        return int.from_bytes(data[3:], "big")
    return tlvs_json(data, 1, 2, names.AIGP_TLVS, AIGP_METRIC, extra=3)


def aigp_bytes(value: Json) -> bytes:
    if isinstance(value, int):
        return b"\1\0\x0b" + value.to_bytes(8, "big")
    return tlvs_bytes(value, 1, 2, names.AIGP_TLVS, AIGP_METRIC, extra=3)


def block(reader: Reader) -> Reader:
    """RFC 8205 section 3: a length counts its own two octets."""
    size = reader.number(2)
    if size < 2:
        raise Malformed("a length that is too small")
    return Reader(reader.take(size - 2))


def bgpsec_json(data: bytes) -> Json:
    reader = Reader(data)
    inner = block(reader)
    path = []
    while inner.left():
        pcount, flags, asn = inner.number(1), inner.number(1), inner.number(4)
        path.append({"pcount": pcount, "flags": letters(flags, {"C": 0x80}), "asn": asn})
    signatures = []
    while reader.left():
        inner = block(reader)
        entry: dict[str, Json] = {"algorithm": inner.number(1), "segments": []}
        while inner.left():
            ski = hex_text(inner.take(20))
            entry["segments"].append({"ski": ski, "signature": hex_text(inner.take(inner.number(2)))})
        signatures.append(entry)
    return {"path": path, "signatures": signatures}


def bgpsec_bytes(value: Json) -> bytes:
    path = b"".join(
        u8(s["pcount"]) + u8(letters_number(s["flags"], {"C": 0x80})) + u32(s["asn"]) for s in value["path"]
    )
    data = u16(len(path) + 2) + path
    for entry in value["signatures"]:
        inner = u8(entry["algorithm"])
        for s in entry["segments"]:
            signature = unhex(s["signature"])
            inner += unhex(s["ski"]) + u16(len(signature)) + signature
        data += u16(len(inner) + 2) + inner
    return data


def domains_json(data: bytes) -> Json:
    reader = Reader(data)
    segments = []
    while reader.left():
        segment = []
        for _ in range(reader.number(1)):
            asn, number, safi = reader.number(4), reader.number(2), reader.number(1)
            segment.append({"asn": asn, "id": number, "safi": name_of(safi, names.SAFIS)})
        segments.append(segment)
    return segments


def domains_bytes(value: Json) -> bytes:
    data = b""
    for segment in value:
        data += u8(len(segment))
        for domain in segment:
            data += u32(domain["asn"]) + u16(domain["id"]) + u8(number_of(domain["safi"], names.SAFIS))
    return data


BFD_SOURCE = {1: ADDRESS}.get


def bfd_json(data: bytes) -> Json:
    """RFC 9026 section 3.1.6"""
    reader = Reader(data)
    value: dict[str, Json] = {"mode": name_of(reader.number(1), names.BFD_MODES), "discriminator": reader.number(4)}
    if reader.left():
        value["tlvs"] = tlvs_json(reader.rest(), 1, 1, names.BFD_TLVS, BFD_SOURCE)
    return value


def bfd_bytes(value: Json) -> bytes:
    tlvs = tlvs_bytes(value.get("tlvs", []), 1, 1, names.BFD_TLVS, BFD_SOURCE)
    return u8(number_of(value["mode"], names.BFD_MODES)) + u32(value["discriminator"]) + tlvs


def rca_json(data: bytes) -> Json:
    """draft-ietf-idr-entropy-label"""
    reader = Reader(data)
    family = reader.number(2), reader.number(1)
    nexthop = reader.take(reader.number(1))
    capabilities = tlvs_json(reader.rest(), 2, 2, {}, lambda kind: None)
    return {"af": oracle.family_text(family), "nexthop": ip_text(nexthop), "capabilities": capabilities}


def rca_bytes(value: Json) -> bytes:
    afi, safi = oracle.family_of(value["af"])
    nexthop = ip_bytes(value["nexthop"])
    capabilities = tlvs_bytes(value["capabilities"], 2, 2, {}, lambda kind: None)
    return u16(afi) + u8(safi) + u8(len(nexthop)) + nexthop + capabilities


def set_json(data: bytes, ctx: Context) -> Json:
    """RFC 6368 section 5"""
    inner = Context(4, ctx.addpath)
    attrs: dict[str, Json] = {}
    asn = Reader(data).number(4)
    for flags, code, value in oracle.split_attributes(data[4:]):
        name = oracle.attribute_name(code)
        if name in attrs:
            raise Malformed(f"{name} comes twice")
        entry: dict[str, Json] = {"value": hex_text(value) if value else True}
        if code != 128:
            entry = oracle.attribute_entry(code, value, inner)
        attrs[name] = {"flags": oracle.flags_text(flags)} | entry
    return {"asn": asn, "attrs": attrs}


def set_bytes(value: Json, ctx: Context) -> bytes:
    return u32(value["asn"]) + oracle.attributes_bytes(value["attrs"], Context(4, ctx.addpath))


CODECS: dict[int, Codec] = {
    22: (pmsi_json, pmsi_bytes),
    23: (
        lambda data: tlvs_json(data, 2, 2, names.TUNNEL_TYPES, tunnel_codec),
        lambda value: tlvs_bytes(value, 2, 2, names.TUNNEL_TYPES, tunnel_codec),
    ),
    26: (aigp_json, aigp_bytes),
    27: (pe_json, pe_bytes),
    33: (bgpsec_json, bgpsec_bytes),
    36: (domains_json, domains_bytes),
    38: (bfd_json, bfd_bytes),
    39: (rca_json, rca_bytes),
    40: PREFIX_SID,
}


# -- Extended communities ----------------------------------------------------------------------------------------------------


def ipv6_community_json(data: bytes) -> Json:
    """RFC 5701"""
    kind = int.from_bytes(data[:2], "big")
    entry: dict[str, Json] = {
        "type": names.IPV6_EXT_COMMUNITIES.get(kind & ~0x4000, f"0x{kind:x}"),
        "value": f"{ip_text(data[2:18])}:{int.from_bytes(data[18:], 'big')}",
    }
    return entry | {"nontransitive": True} if kind & 0x4000 else entry


def ipv6_community_bytes(entry: Json) -> bytes:
    kind = int(entry["type"], 16) if is_hex(entry["type"]) else number_of(entry["type"], names.IPV6_EXT_COMMUNITIES)
    address, _, number = entry["value"].rpartition(":")
    return u16(kind | (0x4000 if entry.get("nontransitive") else 0)) + ip_bytes(address) + u16(int(number))


def special_text(plain: int, value: bytes) -> str | None:
    """The value of types that are neither "asn:n" nor "ip:n"; None where it stays hex."""
    high, middle, low = struct.unpack(">HHH", value)
    word = middle << 16 | low
    match plain:
        case 0x0004:
            rate = struct.unpack(">f", value[2:])[0]
            whole_rate = rate == rate and 0 <= rate < 2**64 and rate == int(rate) and value[2:] != b"\x80\0\0\0"
            return f"{high}:{int(rate)}" if whole_rate else None
        case 0x0300:
            return str(name_of(value[5], names.VALIDATION_STATES)) if value[:5] == bytes(5) else None
        case 0x0301:
            return f"{value[0]}:{value[1]}:{word}"
        case 0x0306:
            return f"{ip_text(value[:4])}:{value[4]}:{value[5]}"
        case 0x030B:
            if high & 0x3FFF:
                return None
            return f"{high >> 14}:{word}" if high else str(word)
        case 0x030C:
            return str(name_of(low, names.TUNNEL_TYPES)) if value[:4] == bytes(4) else None
        case 0x0600:
            return {0: f"{word}", 0x0100: f"STICKY:{word}"}.get(high)
        case 0x0601:
            mode = {0: "ALL_ACTIVE", 1: "SINGLE_ACTIVE"}.get(value[0])
            return f"{mode}:{word >> 4}" if mode and value[1:3] == b"\0\0" and not word & 15 else None
        case 0x0602 | 0x0603:
            return value.hex(":")
    return None


def special_bytes(plain: int, text: str) -> bytes:
    parts = text.split(":")
    last = parts[-1]
    match plain:
        case 0x0004:
            return struct.pack(">Hf", int(parts[0]), int(last))
        case 0x0300:
            return bytes(5) + u8(number_of(int(last) if last.isdigit() else last, names.VALIDATION_STATES))
        case 0x0301:
            return u8(int(parts[0])) + u8(int(parts[1])) + u32(int(last))
        case 0x0306:
            return ip_bytes(parts[0]) + u8(int(parts[1])) + u8(int(last))
        case 0x030B:
            return u16(int(parts[0]) << 14 if len(parts) == 2 else 0) + u32(int(last))
        case 0x030C:
            return bytes(4) + u16(number_of(int(last) if last.isdigit() else last, names.TUNNEL_TYPES))
        case 0x0600:
            return u16(0x0100 if len(parts) == 2 else 0) + u32(int(last))
        case 0x0601:
            return u8({"ALL_ACTIVE": 0, "SINGLE_ACTIVE": 1}[parts[0]]) + u8(0) + u32(int(last) << 4)
    return bytes.fromhex("".join(parts))


SPECIAL = (0x0004, 0x0300, 0x0301, 0x0306, 0x030B, 0x030C, 0x0600, 0x0601, 0x0602, 0x0603)
EVI_ROUTE_TARGETS = {0x060A: 0, 0x060B: 1, 0x060C: 2}  # RFC 9251 section 9.5: the forms of route targets


def rare_json(code: int, value: bytes, ctx: Context) -> Any:
    """The value of an attribute that is in here; Malformed where it has no typed form."""
    if code == 25:
        return [ipv6_community_json(piece) for piece in oracle.whole(20, value)]
    if code == 128:
        return set_json(value, ctx)
    if code in CODECS:
        return CODECS[code][0](value)
    raise Malformed("an attribute that is shown as hex")


def rare_bytes(code: int, value: Json, ctx: Context) -> bytes:
    if code == 25:
        return b"".join(map(ipv6_community_bytes, value))
    return set_bytes(value, ctx) if code == 128 else CODECS[code][1](value)
