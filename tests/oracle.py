"""A slow, obvious decoder and encoder of BGP messages and MRT files, to test the compiled one against.

It follows the RFCs and the JSON form literally: everything is `bytes` in and plain Python objects out, nothing
is cached, nothing is in place. It shares with the package only the table of names and the error tree.

A message is `[dir, seq, time, type, data, tags]`, as one line of the JSON form.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import oracle_nlri
from bgpipe import names
from bgpipe.errors import MessageError, MrtError

if TYPE_CHECKING:
    from oracle_guess import Guesser

Json = Any
Message = list[Any]
Family = tuple[int, int]
AddPath = bool | frozenset[Family] | set[Family]

MARKER = b"\xff" * 16
IPV4_UNICAST = (1, 1)
OPEN, UPDATE, NOTIFY, KEEPALIVE, REFRESH = 1, 2, 3, 4, 5
MP_REACH, MP_UNREACH, NEXTHOP = 14, 15, 3


def _numbers(table: dict[int, str]) -> dict[str, int]:
    return {name: number for number, name in table.items()}


TYPE_NUMBERS = _numbers(names.MESSAGE_TYPES)
ATTRIBUTE_NUMBERS = _numbers(names.ATTRIBUTES)
CAPABILITY_NUMBERS = _numbers(names.CAPABILITIES)
AFI_NUMBERS = _numbers(names.AFIS)
SAFI_NUMBERS = _numbers(names.SAFIS)
ORIGIN_NUMBERS = _numbers(names.ORIGINS)
ROLE_NUMBERS = _numbers(names.ROLES)
DIRECTION_NUMBERS = _numbers(names.ADDPATH_DIRECTIONS)
ORF_NUMBERS = _numbers(names.ORF_TYPES)
EXT_COMMUNITY_NUMBERS = _numbers(names.EXT_COMMUNITIES)


class Malformed(Exception):
    """What is being decoded has no typed form: its bytes are shown as hex."""


class Reader:
    """Bytes with a position; reading past their end is Malformed."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        if count > self.left():
            raise Malformed(f"{count} bytes wanted, {self.left()} there")
        self.at += count
        return self.data[self.at - count : self.at]

    def rest(self) -> bytes:
        return self.take(self.left())

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def end(self) -> None:
        if self.left():
            raise Malformed(f"{self.left()} bytes too many")


def u8(number: int) -> bytes:
    return number.to_bytes(1, "big")


def u16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def hex_text(data: bytes) -> str:
    return "0x" + data.hex()


def is_hex(value: Json) -> bool:
    return isinstance(value, str) and value.startswith("0x")


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def whole(size: int, value: bytes) -> list[bytes]:
    """Cuts a non-empty value into pieces of `size` bytes."""
    if not value or len(value) % size:
        raise Malformed(f"not a multiple of {size}")
    return [value[i : i + size] for i in range(0, len(value), size)]


# -- Addresses, families, prefixes -----------------------------------------------------------------------------


def ip_text(data: bytes) -> str:
    """4 or 16 bytes as text: RFC 5952, with the dotted form for IPv4-mapped addresses alone."""
    if len(data) == 4:
        return ".".join(str(octet) for octet in data)
    if len(data) != 16:
        raise Malformed(f"an address of {len(data)} bytes")
    if data[:12] == bytes(10) + b"\xff\xff":
        return "::ffff:" + ip_text(data[12:])
    groups = [f"{data[i] << 8 | data[i + 1]:x}" for i in range(0, 16, 2)]
    # RFC 5952 section 4.2: the longest run of two or more zero groups, the first of those that are equally long.
    best, length = 0, 1
    for start in range(8):
        end = start
        while end < 8 and groups[end] == "0":
            end += 1
        if end - start > length:
            best, length = start, end - start
    if length == 1:
        return ":".join(groups)
    return ":".join(groups[:best]) + "::" + ":".join(groups[best + length :])


def ip_bytes(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def family_text(family: Family) -> str:
    afi, safi = family
    return names.AFIS.get(afi, f"AFI({afi})") + "/" + names.SAFIS.get(safi, f"SAFI({safi})")


def family_of(text: str) -> Family:
    afi, safi = text.split("/")
    return named(afi, AFI_NUMBERS, "AFI"), named(safi, SAFI_NUMBERS, "SAFI")


def named(text: str, table: dict[str, int], kind: str) -> int:
    if text in table:
        return table[text]
    return int(text.removeprefix(kind).strip("()"))


def prefix_texts(data: bytes, afi: int, addpath: bool) -> list[str]:
    """NLRI of RFC 4271 section 4.3, of RFC 7911 section 3 with ADD-PATH."""
    reader = Reader(data)
    texts = []
    while reader.left():
        text = ""
        if addpath:
            text = f"#{reader.number(4)}#"
        texts.append(text + prefix_text(reader, afi))
    return texts


def prefix_text(reader: Reader, afi: int) -> str:
    size = 4 if afi == 1 else 16
    bits = reader.number(1)
    if bits > 8 * size:
        raise Malformed(f"a prefix of {bits} bits")
    address = reader.take((bits + 7) // 8).ljust(size, b"\0")
    if int.from_bytes(address, "big") & ((1 << (8 * size - bits)) - 1):
        raise Malformed("host bits are set")
    return f"{ip_text(address)}/{bits}"


def prefix_bytes(text: str) -> bytes:
    head = b""
    if text.startswith("#"):
        _, path_id, text = text.split("#")
        head = u32(int(path_id))
    address, bits = text.split("/")
    return head + u8(int(bits)) + ip_bytes(address)[: (int(bits) + 7) // 8]


def addpath_in(addpath: AddPath, family: Family) -> bool:
    return addpath if isinstance(addpath, bool) else family in addpath


# -- Path attributes -------------------------------------------------------------------------------------------


@dataclass
class Context:
    """What the bytes of an UPDATE depend on: bytes of an AS number, families with ADD-PATH."""

    as_size: int = 4
    addpath: AddPath = False


# RFC 4271 section 4.3 and RFC 5065 section 3
AS_SET, AS_SEQUENCE, CONFED_SEQUENCE, CONFED_SET = 1, 2, 3, 4


def path_json(value: bytes, as_size: int) -> tuple[list[Json], list[int]]:
    """The hops, and how many of them each AS_SEQUENCE segment holds."""
    reader = Reader(value)
    hops: list[Json] = []
    sequences = []
    while reader.left():
        kind, count = reader.take(2)
        if count == 0:
            raise Malformed("a segment without AS numbers")
        asns = [reader.number(as_size) for _ in range(count)]
        if kind == AS_SEQUENCE:
            hops += asns
            sequences.append(count)
        elif kind == AS_SET:
            hops.append(asns)
        elif kind == CONFED_SEQUENCE:
            hops.append({"confed_seq": asns})
        elif kind == CONFED_SET:
            hops.append({"confed_set": asns})
        else:
            raise Malformed(f"a segment of type {kind}")
    return hops, sequences


def path_runs(hops: list[Json]) -> list[list[Json]]:
    """The hops cut at each place where a plain number has a set or confederation beside it."""
    runs: list[list[Json]] = []
    for hop in hops:
        if runs and isinstance(hop, int) and isinstance(runs[-1][0], int):
            runs[-1].append(hop)
        else:
            runs.append([hop])
    return runs


def usual_sequences(hops: list[Json]) -> list[int]:
    """Each run of plain numbers is cut into segments of 255."""
    counts = []
    for run in path_runs(hops):
        if isinstance(run[0], int):
            counts += [len(run[i : i + 255]) for i in range(0, len(run), 255)]
    return counts


def path_bytes(hops: list[Json], as_size: int, sequences: list[int] | None = None) -> bytes:
    """Raises Malformed if `sequences` does not fit the hops."""
    counts = list(usual_sequences(hops) if sequences is None else sequences)
    wire = b""
    for run in path_runs(hops):
        first = run[0]
        if isinstance(first, int):
            while run:
                if not counts or not 0 < counts[0] <= min(255, len(run)):
                    raise Malformed("segments that do not fit the path")
                wire += segment(AS_SEQUENCE, run[: counts[0]], as_size)
                run = run[counts.pop(0) :]
        elif isinstance(first, list):
            wire += segment(AS_SET, first, as_size)
        elif "confed_seq" in first:
            wire += segment(CONFED_SEQUENCE, first["confed_seq"], as_size)
        else:
            wire += segment(CONFED_SET, first["confed_set"], as_size)
    if counts:
        raise Malformed("more segments than the path has")
    return wire


def segment(kind: int, asns: list[int], as_size: int) -> bytes:
    return u8(kind) + u8(len(asns)) + b"".join(asn.to_bytes(as_size, "big") for asn in asns)


def community_text(data: bytes, size: int) -> str:
    return ":".join(str(int.from_bytes(piece, "big")) for piece in whole(size, data))


def community_bytes(text: str, size: int) -> bytes:
    return b"".join(int(part).to_bytes(size, "big") for part in text.split(":"))


NONTRANSITIVE = 0x4000


def ext_community_form(plain: int) -> int:
    """0, 1, 2 for those whose value begins with a 2-byte AS, an IPv4 address, a 4-byte AS; 3 for all others."""
    if plain in oracle_attributes.SPECIAL:
        return 3
    redirects = {0x8008: 0, 0x8108: 1, 0x8208: 2}  # RFC 8955 section 7.4
    return min((redirects | oracle_attributes.EVI_ROUTE_TARGETS).get(plain, plain >> 8), 3)


def ext_community_json(data: bytes) -> Json:
    """RFC 4360; the three families of section 3 and RFC 5668 have a value of two parts."""
    kind, value = int.from_bytes(data[:2], "big"), data[2:]
    plain = kind & ~NONTRANSITIVE
    entry: dict[str, Json] = {"type": names.EXT_COMMUNITIES.get(plain, f"0x{kind:x}")}
    match ext_community_form(plain):
        case 0:
            entry["value"] = f"{int.from_bytes(value[:2], 'big')}:{int.from_bytes(value[2:], 'big')}"
        case 1:
            entry["value"] = f"{ip_text(value[:4])}:{int.from_bytes(value[4:], 'big')}"
        case 2:
            entry["value"] = f"{int.from_bytes(value[:4], 'big')}:{int.from_bytes(value[4:], 'big')}"
        case _:
            text = oracle_attributes.special_text(plain, value)
            entry["value"] = f"0x{int.from_bytes(value, 'big'):x}" if text is None else text
    if kind & NONTRANSITIVE:
        entry["nontransitive"] = True
    return entry


def ext_community_bytes(entry: Json) -> bytes:
    named = entry["type"] in EXT_COMMUNITY_NUMBERS
    kind = EXT_COMMUNITY_NUMBERS[entry["type"]] if named else int(entry["type"], 16)
    if entry.get("nontransitive"):
        kind |= NONTRANSITIVE
    text = entry["value"]
    if is_hex(text):
        return u16(kind) + int(text, 16).to_bytes(6, "big")
    form = ext_community_form(kind & ~NONTRANSITIVE)
    if form == 3:
        return u16(kind) + oracle_attributes.special_bytes(kind & ~NONTRANSITIVE, text)
    left, right = text.split(":")
    match form:
        case 0:
            return u16(kind) + u16(int(left)) + u32(int(right))
        case 1:
            return u16(kind) + ip_bytes(left) + u16(int(right))
        case _:
            return u16(kind) + u32(int(left)) + u16(int(right))


def is_prefix_family(family: Family) -> bool:
    return family[0] in (1, 2) and family[1] in (1, 2)


def mp_reach_json(value: bytes, ctx: Context) -> Json:
    """RFC 4760 section 3, with the next hops of RFC 8950 and, for IPv6, of RFC 2545."""
    reader = Reader(value)
    family = reader.number(2), reader.number(1)
    nexthop = reader.take(reader.number(1))
    if reader.number(1) != 0:
        raise Malformed("the reserved octet is not zero")
    data = reader.rest()
    entry: dict[str, Json] = {"af": family_text(family)}
    if not is_prefix_family(family):
        hop = oracle_nlri.next_hop_json(nexthop, family) if family in oracle_nlri.TYPED else None
        entry |= {"nh": hex_text(nexthop) if nexthop else ""} if hop is None else hop
        return entry | other_nlri_json(data, family, ctx)
    match family[0], len(nexthop):
        case _, 0:
            pass
        case (1, 4) | (_, 16):
            entry["nexthop"] = ip_text(nexthop)
        case _, 32:
            entry["nexthop"] = ip_text(nexthop[:16])
            entry["link-local"] = ip_text(nexthop[16:])
        case _:
            raise Malformed(f"a next hop of {len(nexthop)} bytes")
    entry["prefixes"] = prefix_texts(data, family[0], addpath_in(ctx.addpath, family))
    return entry


def other_nlri_json(data: bytes, family: Family, ctx: Context) -> dict[str, Json]:
    if family in oracle_nlri.TYPED:
        nlri = oracle_nlri.nlri_json(data, family, addpath_in(ctx.addpath, family))
        if nlri is not None:
            return {"rules" if family in oracle_nlri.FLOW else "nlri": nlri}
    return {"data": hex_text(data) if data else ""}


def mp_reach_bytes(entry: Json) -> bytes:
    family = family_of(entry["af"])
    nexthop = unhex(entry["nh"]) if "nh" in entry else oracle_nlri.next_hop_octets(entry, family)
    return u16(family[0]) + u8(family[1]) + u8(len(nexthop)) + nexthop + b"\0" + mp_nlri_bytes(entry, family)


def mp_nlri_bytes(entry: Json, family: Family) -> bytes:
    if "prefixes" in entry:
        return b"".join(map(prefix_bytes, entry["prefixes"]))
    typed = entry.get("nlri", entry.get("rules"))
    return unhex(entry["data"]) if typed is None else oracle_nlri.nlri_octets(typed, family)


def mp_unreach_json(value: bytes, ctx: Context) -> Json:
    """RFC 4760 section 4."""
    reader = Reader(value)
    family = reader.number(2), reader.number(1)
    data = reader.rest()
    if is_prefix_family(family):
        prefixes = prefix_texts(data, family[0], addpath_in(ctx.addpath, family))
        return {"af": family_text(family), "prefixes": prefixes}
    return {"af": family_text(family)} | other_nlri_json(data, family, ctx)


def mp_unreach_bytes(entry: Json) -> bytes:
    family = family_of(entry["af"])
    return u16(family[0]) + u8(family[1]) + mp_nlri_bytes(entry, family)


def fixed(size: int, value: bytes) -> bytes:
    if len(value) != size:
        raise Malformed(f"{len(value)} bytes, not {size}")
    return value


def aggregator_json(value: bytes, as_size: int) -> Json:
    fixed(as_size + 4, value)
    return {"asn": int.from_bytes(value[:as_size], "big"), "addr": ip_text(value[as_size:])}


def aggregator_bytes(value: Json, as_size: int) -> bytes:
    return int(value["asn"]).to_bytes(as_size, "big") + ip_bytes(value["addr"])


def origin_json(value: bytes) -> Json:
    if value[0] not in names.ORIGINS or len(value) != 1:
        raise Malformed("an unknown origin")
    return names.ORIGINS[value[0]]


def attribute_json(code: int, value: bytes, ctx: Context) -> dict[str, Json]:
    """What stands beside the flags: `value`, and `segments` where it takes them.

    Raises Malformed where the value has no typed form.
    """
    if code in (2, 17):
        hops, sequences = path_json(value, 4 if code == 17 else ctx.as_size)
        if sequences == usual_sequences(hops):
            return {"value": hops}
        return {"value": hops, "segments": sequences}
    if not value:
        return {"value": True}
    match code:
        case 1:
            return {"value": origin_json(value)}
        case 3 | 9:
            return {"value": ip_text(fixed(4, value))}
        case 4 | 5 | 35:
            return {"value": int.from_bytes(fixed(4, value), "big")}
        case 7:
            return {"value": aggregator_json(value, ctx.as_size)}
        case 8:
            return {"value": [community_text(piece, 2) for piece in whole(4, value)]}
        case 10:
            return {"value": [ip_text(piece) for piece in whole(4, value)]}
        case 14:
            return {"value": mp_reach_json(value, ctx)}
        case 15:
            return {"value": mp_unreach_json(value, ctx)}
        case 16:
            return {"value": [ext_community_json(piece) for piece in whole(8, value)]}
        case 18:
            return {"value": aggregator_json(value, 4)}
        case 32:
            return {"value": [community_text(piece, 4) for piece in whole(12, value)]}
    return {"value": oracle_attributes.rare_json(code, value, ctx)}


def attribute_bytes(code: int, entry: dict[str, Json], ctx: Context) -> bytes:
    value = entry["value"]
    if value is True:
        return b""
    if is_hex(value):
        return unhex(value)
    match code:
        case 1:
            return u8(ORIGIN_NUMBERS[value])
        case 2 | 17:
            return path_bytes(value, 4 if code == 17 else ctx.as_size, entry.get("segments"))
        case 3 | 9:
            return ip_bytes(value)
        case 4 | 5 | 35:
            return u32(value)
        case 7:
            return aggregator_bytes(value, ctx.as_size)
        case 8:
            return b"".join(community_bytes(text, 2) for text in value)
        case 10:
            return b"".join(map(ip_bytes, value))
        case 14:
            return mp_reach_bytes(value)
        case 15:
            return mp_unreach_bytes(value)
        case 16:
            return b"".join(map(ext_community_bytes, value))
        case 18:
            return aggregator_bytes(value, 4)
        case 32:
            return b"".join(community_bytes(text, 4) for text in value)
    return oracle_attributes.rare_bytes(code, value, ctx)


FLAGS = (("O", 0x80), ("T", 0x40), ("P", 0x20), ("X", 0x10))


def flags_text(flags: int) -> str:
    low = flags & 0x0F
    return "".join(letter for letter, bit in FLAGS if flags & bit) + (str(low) if low else "")


def flags_number(text: str) -> int:
    letters = text.rstrip("0123456789")
    return sum(bit for letter, bit in FLAGS if letter in text) + int(text[len(letters) :] or 0)


def split_attributes(data: bytes) -> list[tuple[int, int, bytes]]:
    """Flags, code and value of each attribute (RFC 4271 section 4.3)."""
    reader = Reader(data)
    found = []
    while reader.left():
        flags, code = reader.take(2)
        size = 2 if flags & 0x10 else 1
        found.append((flags, code, reader.take(reader.number(size))))
    return found


def join_attribute(flags: int, code: int, value: bytes) -> bytes:
    if len(value) > 255:
        flags |= 0x10
    size = 2 if flags & 0x10 else 1
    return u8(flags) + u8(code) + len(value).to_bytes(size, "big") + value


def attribute_name(code: int) -> str:
    return names.ATTRIBUTES.get(code, f"ATTR_{code}")


def typed_if_same(
    value: bytes, decode: Callable[[bytes], dict[str, Json]], encode: Callable[[dict[str, Json]], bytes]
) -> dict[str, Json]:
    """The rule of the JSON form: typed only if encoding it again gives the same bytes, else hex."""
    try:
        entry = decode(value)
    except Malformed:
        entry = {}
    if entry and encode(entry) == value:
        return entry
    return {"value": hex_text(value)}


def attribute_entry(code: int, value: bytes, ctx: Context) -> dict[str, Json]:
    return typed_if_same(
        value, lambda value: attribute_json(code, value, ctx), lambda entry: attribute_bytes(code, entry, ctx)
    )


def attributes_bytes(attrs: Json, ctx: Context) -> bytes:
    data = b""
    for name, entry in attrs.items():
        code = ATTRIBUTE_NUMBERS[name] if name in ATTRIBUTE_NUMBERS else int(name.removeprefix("ATTR_"))
        data += join_attribute(flags_number(entry["flags"]), code, attribute_bytes(code, entry, ctx))
    return data


def update_json(body: bytes, ctx: Context) -> Json:
    reader = Reader(body)
    withdrawn = reader.take(reader.number(2))
    attributes = split_attributes(reader.take(reader.number(2)))
    addpath = addpath_in(ctx.addpath, IPV4_UNICAST)
    reach, unreach = prefix_texts(reader.rest(), 1, addpath), prefix_texts(withdrawn, 1, addpath)
    attrs = {}
    for flags, code, value in attributes:
        name = attribute_name(code)
        if name in attrs:
            raise Malformed(f"{name} comes twice")
        attrs[name] = {"flags": flags_text(flags)} | attribute_entry(code, value, ctx)
    parts: dict[str, Json] = {"reach": reach, "unreach": unreach, "attrs": attrs}
    data = {key: value for key, value in parts.items() if value}
    if ctx.as_size == 2:
        data["as_size"] = 2
    return data


def update_bytes(data: Json, ctx: Context) -> bytes:
    ctx = Context(data.get("as_size", ctx.as_size), ctx.addpath)
    withdrawn = b"".join(map(prefix_bytes, data.get("unreach", [])))
    attributes = attributes_bytes(data.get("attrs", {}), ctx)
    reach = b"".join(map(prefix_bytes, data.get("reach", [])))
    return u16(len(withdrawn)) + withdrawn + u16(len(attributes)) + attributes + reach


# -- OPEN ------------------------------------------------------------------------------------------------------

CAPABILITIES_PARAMETER = 2  # RFC 5492 section 4
EXTENDED_PARAMETERS = 255  # RFC 9072 section 2


def family_json(value: bytes) -> Json:
    """RFC 4760 section 8."""
    if fixed(4, value)[2]:
        raise Malformed("the reserved octet is not zero")
    return family_text((int.from_bytes(value[:2], "big"), value[3]))


def number_text(number: int, table: dict[int, str]) -> str:
    """Its name, or the number where it has none."""
    return table.get(number, str(number))


def text_number(text: str, table: dict[str, int]) -> int:
    return table[text] if text in table else int(text)


def directions_json(value: bytes) -> Json:
    """RFC 7911 section 4, draft-ietf-idr-rpd."""
    entries = []
    for piece in whole(4, value):
        family = family_text((int.from_bytes(piece[:2], "big"), piece[2]))
        entries.append(f"{family}/{number_text(piece[3], names.ADDPATH_DIRECTIONS)}")
    return entries


def direction_bytes(text: str) -> bytes:
    family, direction = text.rsplit("/", 1)
    afi, safi = family_of(family)
    return u16(afi) + u8(safi) + u8(text_number(direction, DIRECTION_NUMBERS))


def counts_json(value: bytes, size: int) -> Json:
    """RFC 8277 section 2.1, draft-abraitis-idr-addpath-paths-limit: a family, and a number of `size` bytes."""
    entries = []
    for piece in whole(3 + size, value):
        family = family_text((int.from_bytes(piece[:2], "big"), piece[2]))
        entries.append(f"{family}/{int.from_bytes(piece[3:], 'big')}")
    return entries


def count_bytes(text: str, size: int) -> bytes:
    family, count = text.rsplit("/", 1)
    afi, safi = family_of(family)
    return u16(afi) + u8(safi) + int(count).to_bytes(size, "big")


def filter_types_json(value: bytes) -> Json:
    """RFC 5291 section 5."""
    reader = Reader(value)
    entries = []
    while reader.left():
        afi, reserved, safi, count = reader.number(2), reader.number(1), reader.number(1), reader.number(1)
        if reserved:
            raise Malformed("the reserved octet is not zero")
        types = []
        for _ in range(count):
            kind, direction = reader.take(2)
            types.append(
                f"{number_text(kind, names.ORF_TYPES)}/{number_text(direction, names.ADDPATH_DIRECTIONS)}"
            )
        entries.append({"af": family_text((afi, safi)), "orfs": types})
    return entries


def filter_types_bytes(entry: Json) -> bytes:
    afi, safi = family_of(entry["af"])
    wire = u16(afi) + u8(0) + u8(safi) + u8(len(entry["orfs"]))
    for text in entry["orfs"]:
        kind, direction = text.split("/")
        wire += u8(text_number(kind, ORF_NUMBERS)) + u8(text_number(direction, DIRECTION_NUMBERS))
    return wire


def afi_text(afi: int) -> str:
    return names.AFIS.get(afi, f"AFI({afi})")


def bgpsec_json(value: bytes) -> Json:
    """RFC 8205 section 2.1."""
    reader = Reader(value)
    first = reader.number(1)
    afi = reader.number(2)
    reader.end()
    if first & 0b111:
        raise Malformed("bits that are not assigned")
    return {"version": first >> 4, "direction": "SEND" if first & 0b1000 else "RECEIVE", "afi": afi_text(afi)}


def bgpsec_bytes(value: Json) -> bytes:
    direction = 0b1000 if value["direction"] == "SEND" else 0
    return u8(value["version"] << 4 | direction) + u16(named(value["afi"], AFI_NUMBERS, "AFI"))


def capability_name(code: int) -> str:
    return names.CAPABILITIES.get(code, f"CAP_{code}")


def capability_code(name: str) -> int:
    return CAPABILITY_NUMBERS[name] if name in CAPABILITY_NUMBERS else int(name.removeprefix("CAP_"))


def codes_json(value: bytes) -> Json:
    """draft-ietf-idr-dynamic-cap section 4: a set of codes."""
    if len(set(value)) < len(value):
        raise Malformed("a code twice")
    return [capability_name(code) for code in value]


def codes_bytes(value: Json) -> bytes:
    return bytes(capability_code(name) for name in value)


def multisession_json(value: bytes) -> Json:
    """draft-ietf-idr-bgp-multisession section 4."""
    return {"flags": flag_letters(value[0], GROUPING), "sessions": codes_json(value[1:])}


def multisession_bytes(value: Json) -> bytes:
    return u8(flag_number(value["flags"], GROUPING)) + codes_bytes(value["sessions"])


def version_json(value: bytes) -> Json:
    """draft-abraitis-bgp-version-capability."""
    reader = Reader(value)
    text = text_json(reader.take(reader.number(1)))
    reader.end()
    if text.lower().startswith("0x"):
        raise Malformed("a text that would read as hex")
    return text


def version_bytes(value: Json) -> bytes:
    text = str(value).encode()
    return u8(len(text)) + text


def nexthops_json(value: bytes) -> Json:
    """RFC 8950 section 4: here a SAFI takes two octets."""
    entries = []
    for piece in whole(6, value):
        afi, safi, nexthop = struct.unpack(">HHH", piece)
        if safi > 255:
            raise Malformed("no such SAFI")
        entries.append(f"{family_text((afi, safi))}/{names.AFIS.get(nexthop, f'AFI({nexthop})')}")
    return entries


def nexthop_bytes(text: str) -> bytes:
    family, nexthop = text.rsplit("/", 1)
    afi, safi = family_of(family)
    return u16(afi) + u16(safi) + u16(named(nexthop, AFI_NUMBERS, "AFI"))


def flag_letters(flags: int, letters: dict[str, int]) -> str:
    """Letters, then the bits that have none as a number."""
    rest = flags & ~sum(letters.values())
    return "".join(letter for letter, bit in letters.items() if flags & bit) + (str(rest) if rest else "")


def flag_number(text: str, letters: dict[str, int]) -> int:
    digits = text.lstrip("".join(letters))
    return sum(bit for letter, bit in letters.items() if letter in text) + int(digits or 0)


RESTART_FLAGS = {"R": 0x8, "N": 0x4}  # RFC 4724 section 3, RFC 8538 section 2
GROUPING = {"G": 0x80}
FORWARDING = {"F": 0x80}


def graceful_restart_json(value: bytes) -> Json:
    """RFC 4724 section 3."""
    reader = Reader(value)
    first = reader.number(2)
    families = []
    while reader.left():
        family = family_text((reader.number(2), reader.number(1)))
        families.append({"af": family, "flags": flag_letters(reader.number(1), FORWARDING)})
    return {"flags": flag_letters(first >> 12, RESTART_FLAGS), "time": first & 0xFFF, "families": families}


def graceful_restart_bytes(value: Json) -> bytes:
    flags = flag_number(value["flags"], RESTART_FLAGS)
    wire = u16(flags << 12 | value["time"])
    for entry in value["families"]:
        wire += long_lived_family(entry)
    return wire


def long_lived_family(entry: Json) -> bytes:
    afi, safi = family_of(entry["af"])
    return u16(afi) + u8(safi) + u8(flag_number(entry["flags"], FORWARDING))


def llgr_json(value: bytes) -> Json:
    """RFC 9494 section 3."""
    entries = []
    for piece in whole(7, value):
        family = family_text((int.from_bytes(piece[:2], "big"), piece[2]))
        entries.append(
            {
                "af": family,
                "flags": flag_letters(piece[3], FORWARDING),
                "time": int.from_bytes(piece[4:], "big"),
            }
        )
    return entries


def text_json(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None


def fqdn_json(value: bytes) -> Json:
    reader = Reader(value)
    host = text_json(reader.take(reader.number(1)))
    domain = text_json(reader.take(reader.number(1)))
    reader.end()
    return {"host": host, "domain": domain}


def fqdn_bytes(value: Json) -> bytes:
    host, domain = str(value["host"]).encode(), str(value["domain"]).encode()
    return u8(len(host)) + host + u8(len(domain)) + domain


def role_json(value: bytes) -> Json:
    """RFC 9234 section 4.1."""
    number = fixed(1, value)[0]
    return names.ROLES.get(number, number)


def capability_json(code: int, value: bytes) -> Json:
    if not value:
        return True
    try:
        match code:
            case 1:
                return family_json(value)
            case 3 | 130:
                return filter_types_json(value)
            case 5:
                return nexthops_json(value)
            case 7:
                return bgpsec_json(value)
            case 8:
                return counts_json(value, 1)
            case 9:
                return role_json(value)
            case 64:
                return graceful_restart_json(value)
            case 65:
                return int.from_bytes(fixed(4, value), "big")
            case 67:
                return codes_json(value)
            case 68 | 131:
                return multisession_json(value)
            case 69 | 72:
                return directions_json(value)
            case 71:
                return llgr_json(value)
            case 73 | 184:
                return fqdn_json(value)
            case 75:
                return version_json(value)
            case 76:
                return counts_json(value, 2)
    except Malformed:
        pass
    return hex_text(value)


def capability_bytes(code: int, value: Json) -> bytes:
    if value is True:
        return b""
    if is_hex(value):
        return unhex(value)
    match code:
        case 1:
            afi, safi = family_of(value)
            return u16(afi) + b"\0" + u8(safi)
        case 3 | 130:
            return b"".join(map(filter_types_bytes, value))
        case 5:
            return b"".join(map(nexthop_bytes, value))
        case 7:
            return bgpsec_bytes(value)
        case 8:
            return b"".join(count_bytes(text, 1) for text in value)
        case 9:
            return u8(ROLE_NUMBERS.get(value, value))
        case 64:
            return graceful_restart_bytes(value)
        case 65:
            return u32(value)
        case 67:
            return codes_bytes(value)
        case 68 | 131:
            return multisession_bytes(value)
        case 69 | 72:
            return b"".join(map(direction_bytes, value))
        case 71:
            return b"".join(long_lived_family(entry) + int(entry["time"]).to_bytes(3, "big") for entry in value)
        case 73 | 184:
            return fqdn_bytes(value)
        case 75:
            return version_bytes(value)
        case 76:
            return b"".join(count_bytes(text, 2) for text in value)
    raise ValueError(f"capability {code} has no typed form")


LISTED = (3, 5, 8, 67, 69, 71, 72, 76, 130)  # capabilities whose one value is an array already


def capability_values(code: int, value: Json) -> list[Json]:
    """The value of each occurrence of a capability, from its one JSON value."""
    if not isinstance(value, list):
        return [value]
    if code in LISTED and not any(is_hex(item) or item is True or isinstance(item, list) for item in value):
        return [value]
    return value


def capabilities_json(found: list[tuple[int, bytes]]) -> Json:
    """Code and value of each, in order of appearance; a code that comes again joins its first."""
    values: dict[int, list[bytes]] = {}
    for code, value in found:
        values.setdefault(code, []).append(value)
    caps: dict[str, Json] = {}
    for code, occurrences in values.items():
        entries = [capability_json(code, value) for value in occurrences]
        name = capability_name(code)
        caps[name] = entries if len(entries) > 1 or code == 1 else entries[0]
    return caps


def capabilities_bytes(caps: Json) -> bytes:
    wire = b""
    for name, entry in caps.items():
        code = capability_code(name)
        for value in capability_values(code, entry):
            data = capability_bytes(code, value)
            wire += u8(code) + u8(len(data)) + data
    return wire


def parameters_bytes(caps: Json) -> bytes:
    """What follows the hold time and identifier: the plain form, of one parameter."""
    data = capabilities_bytes(caps)
    if not data:
        return b"\0"
    if len(data) <= 253:
        return u8(len(data) + 2) + u8(CAPABILITIES_PARAMETER) + u8(len(data)) + data
    parameter = u8(CAPABILITIES_PARAMETER) + u16(len(data)) + data
    return u8(255) + u8(EXTENDED_PARAMETERS) + u16(len(parameter)) + parameter


def is_extended(params: bytes) -> bool:
    """Whether bytes behind the first length octet are the extended form of RFC 9072 section 2."""
    return (
        len(params) >= 3 and params[0] == EXTENDED_PARAMETERS and int.from_bytes(params[1:3], "big") == len(params) - 3
    )


def parameters_json(params: bytes) -> Json:
    """The capabilities in the bytes behind the first length octet. Malformed if there is anything else."""
    size = 1
    reader = Reader(params)
    if is_extended(params):
        reader.take(3)
        size = 2
    found = []
    while reader.left():
        if reader.number(1) != CAPABILITIES_PARAMETER:
            raise Malformed("a parameter that is not capabilities")
        found += capability_list(reader.take(reader.number(size)))
    return capabilities_json(found)


def capability_list(data: bytes) -> list[tuple[int, bytes]]:
    """Code and value of each (RFC 5492 section 4)."""
    reader = Reader(data)
    found = []
    while reader.left():
        code = reader.number(1)
        found.append((code, reader.take(reader.number(1))))
    return found


def open_json(body: bytes) -> Json:
    """RFC 4271 section 4.2."""
    reader = Reader(body)
    data: dict[str, Json] = {"bgp": reader.number(1), "asn": reader.number(2)}
    hold = reader.number(2)
    data["id"] = ip_text(reader.take(4))
    data["hold"] = hold
    length = reader.number(1)
    params = reader.rest()
    if not params:
        return data
    if length == 255 and params[0] == EXTENDED_PARAMETERS and not is_extended(params):
        raise Malformed("the extended length of the optional parameters does not fit")
    if length != (255 if is_extended(params) else len(params)):
        raise Malformed("the length of the optional parameters does not fit")
    try:
        data["caps"] = parameters_json(params)
    except Malformed:
        data["params"] = hex_text(params)
    else:
        if is_extended(params) or parameters_bytes(data["caps"])[1:] != params:
            data["params"] = hex_text(params)
        if not data["caps"]:
            del data["caps"]
    return data


def open_bytes(data: Json) -> bytes:
    wire = u8(data["bgp"]) + u16(data["asn"]) + u16(data["hold"]) + ip_bytes(data["id"])
    if "params" in data:
        params = unhex(data["params"])
        try:
            caps = parameters_json(params)
        except Malformed:
            caps = None
        if "caps" not in data or caps == data["caps"]:
            return wire + u8(255 if is_extended(params) else len(params)) + params
    return wire + parameters_bytes(data.get("caps", {}))


# -- NOTIFICATION ----------------------------------------------------------------------------------------------

SHUTDOWN_TEXTS = {(6, 2), (6, 4)}  # RFC 9003 section 2
HARD_RESET = (6, 9)  # RFC 8538 section 3.1


def notify_json(body: bytes, inner: bool = False) -> Json:
    """inner: it is the data of a Hard Reset."""
    reader = Reader(body)
    code, subcode = reader.number(1), reader.number(1)
    data: dict[str, Json] = {"code": code, "subcode": subcode}
    if code in names.NOTIFICATIONS:
        name, subnames = names.NOTIFICATIONS[code]
        data["name"] = f"{name}/{subnames[subcode]}" if subcode in subnames else name
    rest = reader.rest()
    if not rest:
        return data
    try:
        detail = detail_json(code, subcode, rest, inner)
        if notify_bytes(data | detail) == body:
            return data | detail
    except Malformed:
        pass
    return data | {"data": hex_text(rest)}


def detail_json(code: int, subcode: int, data: bytes, inner: bool) -> dict[str, Json]:
    """What the data say, under its key."""
    reader = Reader(data)
    place = code, subcode
    detail: dict[str, Json] = {}
    if place in SHUTDOWN_TEXTS and len(data) > 1:
        detail = {"text": text_json(reader.take(reader.number(1)))}
    elif place == HARD_RESET and not inner:
        return {"reason": notify_json(data, inner=True)}
    elif place == (6, 1):  # RFC 4486 section 4
        family = reader.number(2), reader.number(1)
        detail = {"limit": {"af": family_text(family), "prefixes": reader.number(4)}}
    elif place == (2, 7):  # RFC 5492 section 3
        return {"caps": capabilities_json(capability_list(data))}
    elif place == (2, 1):  # RFC 4271 section 6.2
        detail = {"version": reader.number(2)}
    elif place == (1, 2):  # RFC 4271 section 6.1
        detail = {"length": reader.number(2)}
    elif place in ((1, 3), (5, 1), (5, 2), (5, 3)):  # RFC 4271 section 6.1, RFC 6608 section 4
        detail = {"type": reader.number(1)}
    reader.end()
    return detail


def notify_bytes(data: Json) -> bytes:
    wire = u8(data["code"]) + u8(data["subcode"])
    if "text" in data:
        text = str(data["text"]).encode()
        return wire + u8(len(text)) + text
    if "reason" in data:
        return wire + notify_bytes(data["reason"])
    if "limit" in data:
        afi, safi = family_of(data["limit"]["af"])
        return wire + u16(afi) + u8(safi) + u32(data["limit"]["prefixes"])
    if "caps" in data:
        return wire + capabilities_bytes(data["caps"])
    for key in "version", "length":
        if key in data:
            return wire + u16(data[key])
    if "type" in data:
        return wire + u8(data["type"])
    return wire + unhex(data.get("data", ""))


# -- ROUTE-REFRESH ---------------------------------------------------------------------------------------------


def refresh_json(body: bytes) -> Json:
    """RFC 2918 section 3, RFC 7313 section 3.2."""
    reader = Reader(body)
    afi, subtype, safi = reader.number(2), reader.number(1), reader.number(1)
    data = {"af": family_text((afi, safi)), "subtype": names.REFRESH_SUBTYPES.get(subtype, subtype)}
    rest = reader.rest()
    if rest and subtype in (1, 2):
        raise Malformed("RFC 7313 section 5")
    if rest:
        try:
            return data | filters_json(rest, afi)
        except Malformed:
            return data | {"data": hex_text(rest)}
    return data


def filters_json(data: bytes, afi: int) -> dict[str, Json]:
    """RFC 5291 section 4."""
    reader = Reader(data)
    when = reader.number(1)
    orfs = []
    while reader.left():
        kind = reader.number(1)
        octets = reader.take(reader.number(2))
        orf: dict[str, Json] = {"type": names.ORF_TYPES.get(kind, kind)}
        try:
            if kind not in (64, 128):
                raise Malformed("a type without a form")
            orfs.append(orf | {"entries": filter_entries(octets, afi)})
        except Malformed:
            orfs.append(orf | {"data": hex_text(octets)})
    result: dict[str, Json] = {"when": names.ORF_REFRESHES.get(when, when)}
    return result | ({"orfs": orfs} if orfs else {})


def filter_entries(data: bytes, afi: int) -> Json:
    """RFC 5291 section 4, RFC 5292 section 2."""
    address_size(afi)
    reader = Reader(data)
    entries: list[Json] = []
    while reader.left():
        first = reader.number(1)
        action, match, rest = first >> 6, first >> 5 & 1, first & 0b11111
        if action == 2 and not match and not rest and entries[-1:] != [{"action": "REMOVE_ALL"}]:
            entries.append({"action": "REMOVE_ALL"})
            continue
        if action > 1 or rest:
            raise Malformed("an unknown action, or reserved bits")
        entry = {"action": ("ADD", "REMOVE")[action], "match": ("PERMIT", "DENY")[match], "seq": reader.number(4)}
        entry |= {"min": reader.number(1), "max": reader.number(1)}
        entries.append(entry | {"prefix": prefix_text(reader, afi)})
    return entries


def refresh_bytes(data: Json) -> bytes:
    afi, safi = family_of(data["af"])
    subtype = _numbers(names.REFRESH_SUBTYPES).get(data["subtype"], data["subtype"])
    wire = u16(afi) + u8(subtype) + u8(safi)
    if "data" in data:
        return wire + unhex(data["data"])
    if "when" in data:
        wire += u8(_numbers(names.ORF_REFRESHES).get(data["when"], data["when"]))
    for orf in data.get("orfs", []):
        octets = b"".join(map(entry_bytes, orf["entries"])) if "entries" in orf else unhex(orf["data"])
        wire += u8(ORF_NUMBERS.get(orf["type"], orf["type"])) + u16(len(octets)) + octets
    return wire


def entry_bytes(entry: Json) -> bytes:
    if entry["action"] == "REMOVE_ALL":
        return b"\x80"
    first = (0x40 if entry["action"] == "REMOVE" else 0) | (0x20 if entry["match"] == "DENY" else 0)
    return u8(first) + u32(entry["seq"]) + u8(entry["min"]) + u8(entry["max"]) + prefix_bytes(entry["prefix"])


# -- Messages --------------------------------------------------------------------------------------------------


def body_json(kind: int, body: bytes, ctx: Context) -> Json:
    if kind == OPEN:
        return open_json(body)
    if kind == UPDATE:
        return update_json(body, ctx)
    if kind == NOTIFY:
        return notify_json(body)
    if kind == REFRESH:
        return refresh_json(body)
    if kind == KEEPALIVE and not body:
        return None
    raise Malformed("shown as hex")


def body_bytes(kind: int, data: Json, ctx: Context) -> bytes:
    if isinstance(data, str):
        return unhex(data)
    if kind == OPEN:
        return open_bytes(data)
    if kind == UPDATE:
        return update_bytes(data, ctx)
    if kind == NOTIFY:
        return notify_bytes(data)
    if kind == REFRESH:
        return refresh_bytes(data)
    if kind == KEEPALIVE and data is None:
        return b""
    raise ValueError(f"type {kind} has no typed form")


def decode_message(wire: bytes, as_size: int = 4, addpath: AddPath = False) -> tuple[str | int, Json]:
    """Type and data of one whole message, header and all (RFC 4271 section 4.1).

    as_size: bytes of an AS number in AS_PATH and AGGREGATOR. addpath: True for all families, or a set of them.
    Raises MessageError if the marker or the length is wrong.
    """
    if wire[:16] != MARKER:
        raise MessageError("the marker is not all ones", code=1, subcode=1, offset=0, field="marker")
    if len(wire) < 19 or int.from_bytes(wire[16:18], "big") != len(wire):
        raise MessageError("the length is wrong", code=1, subcode=2, offset=16, field="length")
    kind, body = wire[18], wire[19:]
    ctx = Context(as_size, addpath)
    data: Json = hex_text(body)
    try:
        typed = body_json(kind, body, ctx)
        if body_bytes(kind, typed, ctx) == body:
            data = typed
    except Malformed:
        pass
    return names.MESSAGE_TYPES.get(kind, kind), data


def encode_message(kind: str | int, data: Json, as_size: int = 4) -> bytes:
    """One whole message from its type and data. as_size holds where the data do not say."""
    number = TYPE_NUMBERS[kind] if isinstance(kind, str) else kind
    return with_header(number, body_bytes(number, data, Context(as_size)))


def with_header(kind: int, body: bytes) -> bytes:
    return MARKER + u16(19 + len(body)) + u8(kind) + body


def time_text(microseconds: int) -> str:
    """Microseconds since 1970 as text: milliseconds, or microseconds where there are any."""
    seconds, part = divmod(microseconds, 1_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{part:06d}" if part % 1000 else f"{text}.{part // 1000:03d}"


def time_microseconds(text: str) -> int:
    seconds, part = text.split(".")
    moment = datetime.strptime(seconds, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000 + int(part.ljust(6, "0"))


# -- MRT, reading (RFC 6396) -----------------------------------------------------------------------------------

LEGACY_BGP, TABLE_DUMP, TABLE_DUMP_V2, BGP4MP, BGP4MP_ET = 5, 12, 13, 16, 17
# What RFC 6396 section 4 and its appendix B assign.
ASSIGNED_TYPES = {*range(14), 16, 17, 32, 33, 48, 49}

# Subtype of BGP4MP -> (bytes of an AS number, ADD-PATH): RFC 6396 section 4.4, RFC 8050 section 3
BGP4MP_LOCAL = (6, 7, 10, 11)
BGP4MP_MESSAGES = {
    1: (2, False),
    4: (4, False),
    6: (2, False),
    7: (4, False),
    8: (2, True),
    9: (4, True),
    10: (2, True),
    11: (4, True),
}
BGP4MP_STATES = {0: 2, 5: 4}  # and bytes of an AS number
BGP4MP_ENTRY = 2

# Subtype of the old type 5 -> type of the message: RFC 6396 appendix B.2.
LEGACY_MESSAGES = {1: UPDATE, 2: UPDATE, 5: OPEN, 6: NOTIFY, 7: KEEPALIVE}

# Subtype of TABLE_DUMP_V2 -> (family, ADD-PATH); the family of the generic ones is in the record.
RIB_SUBTYPES: dict[int, tuple[Family | None, bool]] = {
    2: ((1, 1), False),
    3: ((1, 2), False),
    4: ((2, 1), False),
    5: ((2, 2), False),
    6: (None, False),
    8: ((1, 1), True),
    9: ((1, 2), True),
    10: ((2, 1), True),
    11: ((2, 2), True),
    12: (None, True),
}
PEER_INDEX_TABLE = 1

# Subtype of TABLE_DUMP -> (AFI, bytes of an AS number); 3 and 4 are what RIS wrote before TABLE_DUMP_V2.
TABLE_DUMP_FORMS = {1: (1, 2), 2: (2, 2), 3: (1, 4), 4: (2, 4)}

BUNDLE_LIMIT = 3800


@dataclass
class Record:
    """What became of one MRT record. `number` counts from 1, `offset` is that of its header."""

    number: int
    offset: int
    kind: int
    subtype: int
    messages: list[Message] = field(default_factory=list)
    error: str | None = None


@dataclass
class Peer:
    asn: int
    ip: bytes

    def tags(self) -> dict[str, str]:
        return {"PEER_AS": str(self.asn), "PEER_IP": ip_text(self.ip)}


@dataclass
class Bundle:
    """One peer's neighbouring prefixes of a RIB whose attributes are the same."""

    peer: Peer
    time: int
    as_size: int
    addpath: bool
    attributes: Attributes
    nlri: list[bytes] = field(default_factory=list)
    size: int = 0  # what the message is taken to be long: 64 bytes stand for MP_REACH less its prefixes

    def __post_init__(self) -> None:
        self.size = 19 + 4 + len(self.attributes.rest) + 64

    def key(self) -> tuple[Any, ...]:
        return self.as_size, self.addpath, self.attributes


@dataclass(frozen=True)
class Attributes:
    """Those of a route in a RIB, MP_REACH taken out. `multiprotocol`: whether it is to have one, of that family."""

    rest: bytes
    family: Family
    multiprotocol: bool
    nexthop: bytes


@dataclass
class RibEntry:
    """A route of a peer: `index` is (0, its place in the PEER_INDEX_TABLE) or (1, its place among those named in records)."""

    index: tuple[int, int]
    peer: Peer
    attributes: Attributes
    path_id: bytes = b""


class MrtReader:
    """Keeps what lasts from one record to the next: the sequence number, the peers, the bundles."""

    def __init__(self, guesser: Guesser | None = None) -> None:
        self.guesser = guesser
        self.seq = 0
        self.peers: list[Peer] | None = None
        self.inline_peers: dict[tuple[int, bytes], int] = {}
        self.bundles: dict[tuple[int, int], Bundle] = {}
        self.out: list[Message] = []

    def send(self, microseconds: int, wire: bytes, tags: dict[str, str], as_size: int, addpath: AddPath) -> None:
        kind, data = decode_message(wire, as_size, addpath)
        self.seq += 1
        self.out.append(["R", self.seq, time_text(microseconds), kind, data, tags])

    def record(self, kind: int, subtype: int, seconds: int, body: bytes) -> None:
        """Raises Malformed or MessageError if the record is damaged."""
        reader = Reader(body)
        time = seconds * 1_000_000
        if kind == BGP4MP_ET:
            time += reader.number(4)
        if kind in (BGP4MP, BGP4MP_ET):
            if subtype in BGP4MP_MESSAGES:
                self.bgp4mp_message(reader, time, subtype)
            elif subtype in BGP4MP_STATES:
                self.state_change(reader, BGP4MP_STATES[subtype])
            elif subtype == BGP4MP_ENTRY:
                self.bgp4mp_entry(reader, time)
        elif kind == LEGACY_BGP and subtype in LEGACY_MESSAGES:
            self.legacy_message(reader, time, LEGACY_MESSAGES[subtype])
        elif kind == TABLE_DUMP and subtype in TABLE_DUMP_FORMS:
            self.table_dump(reader, time, *TABLE_DUMP_FORMS[subtype])
        elif kind == TABLE_DUMP_V2:
            if subtype == PEER_INDEX_TABLE:
                self.peer_index_table(reader)
            elif subtype in RIB_SUBTYPES:
                self.rib(reader, time, *RIB_SUBTYPES[subtype])
        elif kind not in ASSIGNED_TYPES:
            raise Malformed(f"MRT type {kind} does not exist")

    def bgp4mp_message(self, reader: Reader, time: int, subtype: int) -> None:
        as_size, declared = BGP4MP_MESSAGES[subtype]
        addpath: AddPath = declared
        start = reader.at
        peer_as, local_as = reader.number(as_size), reader.number(as_size)
        interface = reader.number(2)
        size = address_size(reader.number(2))
        peer_ip, local_ip = reader.take(size), reader.take(size)
        tags = session_tags(peer_as, peer_ip, local_as, local_ip)
        if interface:
            tags["INTERFACE"] = str(interface)
        header, wire = reader.data[start : reader.at], reader.rest()
        if self.guesser is not None:
            decode_message(wire)  # where its header is damaged, nothing is known of it
            as_size, addpath, told = self.guesser.read(header, subtype in BGP4MP_LOCAL, wire, as_size, addpath)
            tags |= told
        self.send(time, wire, tags, as_size, addpath)

    def legacy_message(self, reader: Reader, time: int, kind: int) -> None:
        peer_as, peer_ip = reader.number(2), reader.take(4)
        local_as, local_ip = reader.number(2), reader.take(4)
        body = reader.rest()
        if not fits_legacy(kind, body):
            raise Malformed("not a message of its subtype")
        wire = with_header(kind, body)
        self.send(time, wire, session_tags(peer_as, peer_ip, local_as, local_ip), 2, False)

    def state_change(self, reader: Reader, as_size: int) -> None:
        """RFC 6396 section 4.4.1: there is no message in it."""
        start = reader.at
        reader.take(2 * as_size + 2)
        reader.take(2 * address_size(reader.number(2)))
        header = reader.data[start : reader.at]
        reader.take(4)
        if self.guesser is not None:
            self.guesser.forget(header)

    def inline_peer(self, asn: int, ip: bytes) -> tuple[tuple[int, int], Peer]:
        """A peer that its own record names: numbered in order of first appearance."""
        index = self.inline_peers.setdefault((asn, ip), len(self.inline_peers))
        return (1, index), Peer(asn, ip)

    def bgp4mp_entry(self, reader: Reader, time: int) -> None:
        """The route of the drafts before RFC 6396, as OpenBGPD, the one that writes it, does: local end, then peer."""
        reader.take(2)  # local AS
        peer_as = reader.number(2)
        reader.take(2)  # interface
        size = address_size(reader.number(2))
        reader.take(size)
        peer_ip = reader.take(size)
        reader.take(8)  # view, status, time of last change
        family = reader.number(2), reader.number(1)
        nexthop = reader.take(reader.number(1))
        prefix = take_nlri(reader, family)
        attributes = entry_attributes(reader.take(reader.number(2)), family, nexthop)
        reader.end()
        index, peer = self.inline_peer(peer_as, peer_ip)
        self.route(time, prefix, 2, False, RibEntry(index, peer, attributes))

    def table_dump(self, reader: Reader, time: int, afi: int, as_size: int) -> None:
        """RFC 6396 section 4.2."""
        size = address_size(afi)
        reader.take(4)  # view, sequence number
        address = reader.take(size)
        bits = reader.number(1)
        if bits > 8 * size:
            raise Malformed(f"a prefix of {bits} bits")
        reader.take(5)  # status, originated time
        peer_ip, peer_as = reader.take(size), reader.number(as_size)
        attributes = reader.take(reader.number(2))
        reader.end()
        number = int.from_bytes(address, "big") >> (8 * size - bits) << (8 * size - bits)
        prefix = u8(bits) + number.to_bytes(size, "big")[: (bits + 7) // 8]
        index, peer = self.inline_peer(peer_as, peer_ip)
        entry = RibEntry(index, peer, rib_attributes(attributes, (afi, 1), any_safi=True))
        self.route(time, prefix, as_size, False, entry)

    def peer_index_table(self, reader: Reader) -> None:
        """RFC 6396 section 4.3.1. A damaged one leaves none."""
        self.flush()
        self.peers = None
        reader.take(4)  # collector
        reader.take(reader.number(2))  # view name
        peers = []
        for _ in range(reader.number(2)):
            kind = reader.number(1)
            reader.take(4)  # BGP identifier
            ip = reader.take(16 if kind & 1 else 4)
            peers.append(Peer(reader.number(4 if kind & 2 else 2), ip))
        reader.end()
        self.peers = peers

    def rib(self, reader: Reader, time: int, family: Family | None, addpath: bool) -> None:
        """RFC 6396 sections 4.3.2 to 4.3.4, RFC 8050 section 4: in a generic record the path id stands before the NLRI."""
        if self.peers is None:
            raise Malformed("no PEER_INDEX_TABLE before it")
        reader.take(4)  # sequence number
        shared_id = b""
        generic = family is None
        if family is None:
            family = reader.number(2), reader.number(1)
            shared_id = reader.take(4) if addpath else b""
        prefix = take_nlri(reader, family)
        entries = []
        for _ in range(reader.number(2)):
            index = reader.number(2)
            reader.take(4)  # originated time
            path_id = reader.take(4) if addpath and not generic else shared_id
            entries.append((index, path_id, reader.take(reader.number(2))))
            if index >= len(self.peers):
                raise Malformed(f"there is no peer {index}")
        reader.end()
        for index, path_id, attributes in entries:
            entry = RibEntry((0, index), self.peers[index], rib_attributes(attributes, family), path_id)
            self.route(time, prefix, 4, addpath, entry)

    def route(self, time: int, prefix: bytes, as_size: int, addpath: bool, entry: RibEntry) -> None:
        """Adds a route to its peer's bundle, or starts a new one."""
        nlri = entry.path_id + prefix
        bundle = self.bundles.get(entry.index)
        key = as_size, addpath, entry.attributes
        if bundle is None or bundle.key() != key or bundle.size + len(nlri) > BUNDLE_LIMIT:
            self.flush(entry.index)
            bundle = Bundle(entry.peer, time, as_size, addpath, entry.attributes)
            self.bundles[entry.index] = bundle
        bundle.nlri.append(nlri)
        bundle.size += len(nlri)

    def flush(self, index: tuple[int, int] | None = None) -> None:
        """Sends one peer's bundle, or all in order of the peers."""
        for peer in sorted(self.bundles) if index is None else [index]:
            bundle = self.bundles.pop(peer, None)
            if bundle is not None:
                addpath = frozenset([bundle.attributes.family]) if bundle.addpath else False
                wire = bundle_message(bundle)
                self.send(bundle.time, wire, bundle.peer.tags(), bundle.as_size, addpath)


def fits_legacy(kind: int, body: bytes) -> bool:
    """Whether bytes can be the body of a message: the legacy type has no header that would tell damage."""
    if len(body) > 4096 - 19:  # RFC 4271 section 4.1: there were no longer ones then
        return False
    reader = Reader(body)
    try:
        if kind == KEEPALIVE:
            reader.end()
        elif kind == NOTIFY:
            reader.take(2)
        elif kind == OPEN:
            reader.take(9)
            reader.take(reader.number(1))
            reader.end()
        else:
            reader.take(reader.number(2))
            reader.take(reader.number(2))
    except Malformed:
        return False
    return True


def session_tags(peer_as: int, peer_ip: bytes, local_as: int, local_ip: bytes) -> dict[str, str]:
    tags = {}
    for side, asn, ip in ("PEER", peer_as, peer_ip), ("LOCAL", local_as, local_ip):
        if asn:
            tags[f"{side}_AS"] = str(asn)
        if any(ip):
            tags[f"{side}_IP"] = ip_text(ip)
    return tags


def address_size(afi: int) -> int:
    if afi not in (1, 2):
        raise Malformed(f"addresses of AFI {afi}")
    return 4 if afi == 1 else 16


def take_nlri(reader: Reader, family: Family) -> bytes:
    """The one NLRI of a record, whose family says how long it is."""
    afi, safi = family
    start = reader.at
    if is_prefix_family(family):
        if (bits := reader.number(1)) > 8 * address_size(afi):
            raise Malformed(f"a prefix of {bits} bits")
        reader.take((bits + 7) // 8)
    elif safi in (133, 134):  # flow specifications: RFC 8955 section 4.1
        length = reader.number(1)
        reader.take((length & 0xF) << 8 | reader.number(1) if length >= 0xF0 else length)
    elif family == (25, 65):  # VPLS: RFC 4761 section 3.2.2
        reader.take(reader.number(2))
    elif safi == 5 or family == (25, 70):  # MCAST-VPN, EVPN: type, length (RFC 6514 section 4, RFC 7432 section 7)
        reader.take(1)
        reader.take(reader.number(1))
    elif afi == 16388:  # BGP-LS: type, length (RFC 9552 section 5.2)
        reader.take(2)
        reader.take(reader.number(2))
    elif safi == 85:  # MUP: architecture, type, length
        reader.take(3)
        reader.take(reader.number(1))
    elif safi in (4, 66, 73, 128, 129, 132):  # a length in bits: RFC 8277, RFC 6037, RFC 9830, RFC 4364, RFC 4684
        reader.take((reader.number(1) + 7) // 8)
    else:
        raise Malformed("an NLRI of unknown length")
    return reader.data[start : reader.at]


def rib_attributes(data: bytes, family: Family, any_safi: bool = False) -> Attributes:
    """Takes MP_REACH out of a route's attributes.

    In a RIB it holds the next hop alone (RFC 6396 section 4.3.4); some write all of it. With `any_safi` the record
    does not say the SAFI, and the whole form does. A route without MP_REACH takes its next hop from NEXTHOP.
    """
    rest, plain, found = b"", b"", b""
    multiprotocol = False
    for flags, code, value in split_attributes(data):
        if code != MP_REACH:
            rest += join_attribute(flags, code, value)
            if code == NEXTHOP and len(value) == 4:
                plain = value
            continue
        if multiprotocol:
            raise Malformed("two MP_REACH")
        multiprotocol = True
        if value and value[0] == len(value) - 1:
            found = value[1:]
            continue
        reader = Reader(value)
        if reader.number(2) != family[0]:
            raise Malformed("MP_REACH of another family")
        safi = reader.number(1)
        family = (family[0], safi) if any_safi else family
        found = reader.take(reader.number(1))
    if multiprotocol or family == IPV4_UNICAST:
        return Attributes(rest, family, multiprotocol, found)
    if family[0] != 1 or not plain:
        return Attributes(rest, family, True, b"")
    distinguisher = bytes(8) if family[1] in (128, 129) else b""  # RFC 4364 section 4.3.2
    return Attributes(rest, family, True, distinguisher + plain)


def entry_attributes(data: bytes, family: Family, nexthop: bytes) -> Attributes:
    """Of a BGP4MP_ENTRY, which has the next hop outside: it counts where the attributes have none."""
    found = rib_attributes(data, family)
    codes = {code for _, code, value in split_attributes(data) if code == MP_REACH or len(value) == 4}
    if not nexthop or MP_REACH in codes or (family[0] == 1 and NEXTHOP in codes):
        return found
    if family == IPV4_UNICAST and len(nexthop) == 4:
        return Attributes(data + join_attribute(0x40, NEXTHOP, nexthop), family, False, b"")
    return Attributes(data, family, True, nexthop)


def bundle_message(bundle: Bundle) -> bytes:
    """MP_REACH stands behind all other attributes."""
    attributes, nlri = bundle.attributes.rest, b"".join(bundle.nlri)
    if bundle.attributes.multiprotocol:
        afi, safi = bundle.attributes.family
        nexthop = bundle.attributes.nexthop
        value = u16(afi) + u8(safi) + u8(len(nexthop)) + nexthop + b"\0" + nlri
        attributes += join_attribute(0x80, MP_REACH, value)
        nlri = b""
    return with_header(UPDATE, bytes(2) + u16(len(attributes)) + attributes + nlri)


def read_mrt(data: bytes, pardon: bool = False, guesser: Guesser | None = None) -> Iterator[Record]:
    """Every record in turn. A damaged one has `error` set and no messages; without `pardon` it is the last.

    The messages of a record are those that it completes: a RIB's come when their bundle ends, the last ones
    with a record of type -1 behind all others. guesser: finds out what records do not say.
    """
    state = MrtReader(guesser)
    number, offset = 0, 0
    while offset < len(data):
        number += 1
        header = data[offset : offset + 12]
        if len(header) < 12:
            yield Record(number, offset, -1, -1, error=f"cut short: {len(header)} bytes of its header")
            break
        seconds, kind, subtype, length = struct.unpack(">IHHI", header)
        body = data[offset + 12 : offset + 12 + length]
        record = Record(number, offset, kind, subtype)
        if len(body) < length:
            record.error = f"cut short: {len(body)} of {length} bytes"
            yield record
            break
        state.out = record.messages
        try:
            state.record(kind, subtype, seconds, body)
        except (Malformed, MessageError) as error:
            record.error = str(error)
        yield record
        if record.error and not pardon:
            break
        offset += 12 + length
    last = Record(number + 1, len(data), -1, -1)
    state.out = last.messages
    state.flush()
    yield last


def messages_of(records: Iterable[Record]) -> Iterator[Message]:
    """The messages of all records, then MrtError for the first damaged one if there was any."""
    damage: Record | None = None
    for record in records:
        yield from record.messages
        if record.error is not None and damage is None:
            damage = record
    if damage is not None:
        raise MrtError(
            f"record {damage.number} at offset {damage.offset}: {damage.error}",
            offset=damage.offset,
            record=damage.number,
        )


# -- MRT, writing ----------------------------------------------------------------------------------------------


def has_path_ids(data: Json) -> bool:
    if not isinstance(data, dict):
        return False
    attrs = data.get("attrs", {})
    values = [attrs[name]["value"] for name in ("MP_REACH", "MP_UNREACH") if name in attrs]
    lists = [data.get("reach", []), data.get("unreach", [])]
    lists += [value.get("prefixes", []) for value in values if isinstance(value, dict)]
    others = [entry for value in values if isinstance(value, dict) for entry in value.get("nlri", value.get("rules", []))]
    return any(text.startswith("#") for texts in lists for text in texts) or any("path_id" in entry for entry in others)


def write_mrt(messages: Iterable[Message]) -> bytes:
    """BGP4MP_ET records, MESSAGE or MESSAGE_AS4 as the AS size of each message is."""
    out = b""
    for _, _, time, kind, data, tags in messages:
        tags = tags or {}
        as_size = data.get("as_size", 4) if isinstance(data, dict) else 4
        addpath = has_path_ids(data)
        subtype = next(key for key, form in BGP4MP_MESSAGES.items() if form == (as_size, addpath))
        peer, local = (ip_bytes(tags.get(f"{side}_IP", "0.0.0.0")) for side in ("PEER", "LOCAL"))
        size = max(len(peer), len(local))
        body = int(tags.get("PEER_AS", 0)).to_bytes(as_size, "big")
        body += int(tags.get("LOCAL_AS", 0)).to_bytes(as_size, "big")
        body += u16(int(tags.get("INTERFACE", 0))) + u16(1 if size == 4 else 2)
        body += peer.ljust(size, b"\0") + local.ljust(size, b"\0") + encode_message(kind, data)
        seconds, microseconds = divmod(time_microseconds(time), 1_000_000)
        body = u32(microseconds) + body
        out += struct.pack(">IHHI", seconds, BGP4MP_ET, subtype, len(body)) + body
    return out


# It needs what is above.
import oracle_attributes  # noqa: E402
