"""Capabilities of an OPEN message (RFC 5492): values, bytes and the optional parameters that carry them.

A capability is a pair (code, value bytes); a list of such pairs in wire order loses nothing. The readable
form is an object by name, as in the JSON of an OPEN: see `from_object` and `to_object`.
"""

from __future__ import annotations

from bgpipe._attributes import at, expected, family_name, lookup, number, parse_family, unhex
from bgpipe._check import family_index
from bgpipe.errors import FieldError
from bgpipe.names import ADDPATH_DIRECTIONS, AFIS, BGPSEC_DIRECTIONS, CAPABILITIES, ORF_TYPES, ROLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Capability = tuple[int, bytes]

MP = 1
OUTBOUND_FILTERING = 3
EXTENDED_NEXTHOP = 5
EXTENDED_MESSAGE = 6
BGPSEC = 7
MULTIPLE_LABELS = 8
ROLE = 9
GRACEFUL_RESTART = 64
AS4 = 65
DYNAMIC = 67
MULTISESSION = 68
ADDPATH = 69
LLGR = 71
ROUTING_POLICY = 72
FQDN = 73
VERSION = 75
PATHS_LIMIT = 76
PRE_OUTBOUND_FILTERING = 130
PRE_MULTISESSION = 131
PRE_FQDN = 184

PARAMETER_CAPABILITIES = 2  # RFC 5492 section 4
PARAMETER_EXTENDED = 255  # RFC 9072 section 2
MOST_SHOWN = 512  # of one message in JSON: a list of more is hex
LONGEST_PLAIN = 253  # a parameter's header takes two of the 255 octets

NUMBERS = {name: code for code, name in CAPABILITIES.items()}
AFI_NUMBERS = {name: number for number, name in AFIS.items()}
DIRECTION_NUMBERS = {name: number for number, name in ADDPATH_DIRECTIONS.items()}
ROLE_NUMBERS = {name: number for number, name in ROLES.items()}
ORF_NUMBERS = {name: number for number, name in ORF_TYPES.items()}
BGPSEC_NUMBERS = {name: number for number, name in BGPSEC_DIRECTIONS.items()}


def name(code: int) -> str:
    """The name of a capability, "CAP_99" for one without."""
    return CAPABILITIES.get(code) or f"CAP_{code}"


def code_of(text: str | int) -> int:
    """The code of a name ("AS4", "cap_99") or number."""
    if isinstance(text, str) and text[:4].upper() == "CAP_":
        text = text[4:]
    return lookup(text, NUMBERS, 255, "a capability: a name such as ADDPATH, CAP_N or a number")


# ---- values: one parse_x and encode_x each -----------------------------------------------------------------
def encode_mp(value: Any) -> bytes:
    """RFC 4760 section 8: AFI, a reserved octet, SAFI."""
    afi, safi = parse_family(value)
    return bytes((afi >> 8, afi & 255, 0, safi))


def parse_mp(value: bytes) -> str | None:
    if len(value) != 4 or value[2]:
        return None
    return family_name(int.from_bytes(value[:2]), value[3])


def encode_directions(value: Any) -> bytes:
    """RFC 7911 section 4, draft-ietf-idr-rpd: AFI, SAFI, 1 receive, 2 send or 3 both, for each family."""
    return _each(value, _direction)


def _direction(item: Any) -> bytes:
    family, name = _family_and(item, 'a family and direction such as "IPV4/UNICAST/BIDIR"')
    return family + lookup(name, DIRECTION_NUMBERS, 255, "RECEIVE, SEND, BIDIR").to_bytes(1)


def parse_directions(value: bytes) -> list[str] | None:
    if not value or len(value) % 4:
        return None
    return [f"{_family(v)}/{ADDPATH_DIRECTIONS.get(v[3]) or v[3]}" for v in _cut(value, 4)]


def encode_multiple_labels(value: Any) -> bytes:
    """RFC 8277 section 2.1: AFI, SAFI and how many labels a prefix may have, for each family."""
    return _each(value, lambda item: _family_and_number(item, 1, "labels"))


def parse_multiple_labels(value: bytes) -> list[str] | None:
    if not value or len(value) % 4:
        return None
    return [f"{_family(v)}/{v[3]}" for v in _cut(value, 4)]


def encode_paths_limit(value: Any) -> bytes:
    """draft-abraitis-idr-addpath-paths-limit: AFI, SAFI and how many paths a prefix may have, for each family."""
    return _each(value, lambda item: _family_and_number(item, 2, "paths"))


def parse_paths_limit(value: bytes) -> list[str] | None:
    if not value or len(value) % 5:
        return None
    return [f"{_family(v)}/{int.from_bytes(v[3:])}" for v in _cut(value, 5)]


def encode_extended_nexthop(value: Any) -> bytes:
    """RFC 8950 section 4: AFI and SAFI of the routes (two octets each), AFI of the next hop."""
    return _each(value, _nexthop)


def _nexthop(item: Any) -> bytes:
    family, nexthop = _family_and(item, 'a family and next hop such as "IPV4/UNICAST/IPV6"')
    return family[:2] + b"\0" + family[2:] + _afi(nexthop)


def parse_extended_nexthop(value: bytes) -> list[str] | None:
    if not value or len(value) % 6 or any(value[2::6]):
        return None
    return [f"{_family(v[:2] + v[3:4])}/{_afi_name(v[4:])}" for v in _cut(value, 6)]


def encode_orf(value: Any) -> bytes:
    """RFC 5291 section 5: AFI, a reserved octet, SAFI, how many types, and 1 receive, 2 send or 3 both for each."""
    return _each(value, _orf)


def _orf(item: Any) -> bytes:
    fields = _object(item, ("af", "orfs"))
    afi, safi = at("af", parse_family, fields.get("af"))
    types = at("orfs", lambda given: _each(given, _orf_direction), fields.get("orfs") or [])
    if len(types) > 510:
        raise FieldError(f"{len(types) // 2} types, expected 255 at most").under("orfs")
    return afi.to_bytes(2) + bytes((0, safi, len(types) // 2)) + types


def _orf_direction(item: Any) -> bytes:
    name, _, direction = _text(item, 'a type and direction such as "ADDRESS_PREFIX/BIDIR"').partition("/")
    kind = lookup(name, ORF_NUMBERS, 255, "a type of filter: " + ", ".join(ORF_NUMBERS))
    return bytes((kind, lookup(direction, DIRECTION_NUMBERS, 255, "RECEIVE, SEND, BIDIR")))


def parse_orf(value: bytes) -> list[dict[str, Any]] | None:
    result = []
    start = 0
    while start < len(value):
        head = value[start : start + 5]
        end = start + 5 + 2 * (head[4] if len(head) == 5 else 0)
        if len(head) < 5 or head[2] or end > len(value):
            return None
        types = [
            f"{ORF_TYPES.get(v[0]) or v[0]}/{ADDPATH_DIRECTIONS.get(v[1]) or v[1]}"
            for v in _cut(value[start + 5 : end], 2)
        ]
        result.append({"af": _family(head[:2] + head[3:4]), "orfs": types})
        start = end
    return result or None


def encode_bgpsec(value: Any) -> bytes:
    """RFC 8205 section 2.1: version, direction, three bits that are zero; AFI."""
    fields = _object(value, ("version", "direction", "afi"))
    version = at("version", lambda given: number(given, 15, "a version"), fields.get("version", 0))
    direction = at(
        "direction", lambda given: lookup(given, BGPSEC_NUMBERS, 1, "RECEIVE, SEND"), fields.get("direction")
    )
    return bytes((version << 4 | direction << 3,)) + at("afi", _afi, fields.get("afi"))


def parse_bgpsec(value: bytes) -> dict[str, Any] | None:
    if len(value) != 3 or value[0] & 7:
        return None
    direction = BGPSEC_DIRECTIONS[value[0] >> 3 & 1]
    return {"version": value[0] >> 4, "direction": direction, "afi": _afi_name(value[1:])}


def encode_codes(value: Any) -> bytes:
    """draft-ietf-idr-dynamic-cap section 4: the codes of capabilities, an octet each."""
    return _each(value, lambda item: code_of(item).to_bytes(1))


def parse_codes(value: bytes) -> list[str] | None:
    """None where one is there twice: then it is not a set of codes."""
    return [name(code) for code in value] if value and len(set(value)) == len(value) else None


def encode_multisession(value: Any) -> bytes:
    """draft-ietf-idr-bgp-multisession section 4: flags, and the codes of what tells sessions apart."""
    fields = _object(value, ("flags", "sessions"))
    flags = at("flags", lambda given: _flags(given, {"G": 0x80}, 0xFF), fields.get("flags"))
    return flags.to_bytes(1) + at("sessions", encode_codes, fields.get("sessions") or [])


def parse_multisession(value: bytes) -> dict[str, Any] | None:
    sessions = parse_codes(value[1:]) if len(value) > 1 else []
    return None if sessions is None else {"flags": _letters(value[0], {"G": 0x80}), "sessions": sessions}


def encode_role(value: Any) -> bytes:
    """RFC 9234 section 4.1: one octet."""
    return bytes((lookup(value, ROLE_NUMBERS, 255, "a role: " + ", ".join(ROLE_NUMBERS)),))


def parse_role(value: bytes) -> str | int | None:
    return (ROLES.get(value[0]) or value[0]) if len(value) == 1 else None


def encode_as4(value: Any) -> bytes:
    """RFC 6793 section 3: the AS number in four octets."""
    return number(value, 0xFFFFFFFF, "an AS number").to_bytes(4)


def parse_as4(value: bytes) -> int | None:
    return int.from_bytes(value) if len(value) == 4 else None


def encode_fqdn(value: Any) -> bytes:
    """draft-walton-bgp-hostname-capability: host and domain name, each behind its length."""
    fields = _object(value, ("host", "domain"))
    return at("host", _counted, fields.get("host", "")) + at("domain", _counted, fields.get("domain", ""))


def parse_fqdn(value: bytes) -> dict[str, str] | None:
    host_end = 1 + value[0] if value else 0
    if host_end >= len(value) or host_end + 1 + value[host_end] != len(value) or not host_end:
        return None
    try:
        return {"host": value[1:host_end].decode(), "domain": value[host_end + 1 :].decode()}
    except UnicodeDecodeError:
        return None


def encode_version(value: Any) -> bytes:
    """draft-abraitis-bgp-version-capability: what the software calls itself, behind its length."""
    return _counted(value)


def parse_version(value: bytes) -> str | None:
    """None as well for a text that would read as hex digits."""
    if value[0] != len(value) - 1 or value[1:3] in (b"0x", b"0X"):
        return None
    try:
        return value[1:].decode()
    except UnicodeDecodeError:
        return None


def encode_graceful_restart(value: Any) -> bytes:
    """RFC 4724 section 3, RFC 8538 section 2: flags, restart time in seconds; AFI, SAFI, flags a family."""
    fields = _object(value, ("flags", "time", "families"))
    flags = at("flags", lambda given: _flags(given, {"R": 0x8, "N": 0x4}, 0xF), fields.get("flags"))
    time = at("time", lambda given: number(given, 0xFFF, "seconds"), fields.get("time", 0))
    return (flags << 12 | time).to_bytes(2) + at("families", _families, fields.get("families") or [])


def _families(value: Any) -> bytes:
    return _each(value, lambda item: _flagged_family(_object(item, ("af", "flags"))))


def parse_graceful_restart(value: bytes) -> dict[str, Any] | None:
    if len(value) < 2 or (len(value) - 2) % 4:
        return None
    head = int.from_bytes(value[:2])
    families = [{"af": _family(v), "flags": _letters(v[3], {"F": 0x80})} for v in _cut(value[2:], 4)]
    return {"flags": _letters(head >> 12, {"R": 0x8, "N": 0x4}), "time": head & 0xFFF, "families": families}


def encode_llgr(value: Any) -> bytes:
    """RFC 9494 section 3: AFI, SAFI, flags, stale time in seconds (three octets) a family."""
    return _each(value, _long_lived)


def _long_lived(item: Any) -> bytes:
    fields = _object(item, ("af", "flags", "time"))
    time = at("time", lambda given: number(given, 0xFFFFFF, "seconds"), fields.get("time", 0))
    return _flagged_family(fields) + time.to_bytes(3)


def parse_llgr(value: bytes) -> list[dict[str, Any]] | None:
    if not value or len(value) % 7:
        return None
    return [
        {"af": _family(v), "flags": _letters(v[3], {"F": 0x80}), "time": int.from_bytes(v[4:])} for v in _cut(value, 7)
    ]


CODECS: dict[int, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    MP: (encode_mp, parse_mp),
    OUTBOUND_FILTERING: (encode_orf, parse_orf),
    EXTENDED_NEXTHOP: (encode_extended_nexthop, parse_extended_nexthop),
    BGPSEC: (encode_bgpsec, parse_bgpsec),
    MULTIPLE_LABELS: (encode_multiple_labels, parse_multiple_labels),
    ROLE: (encode_role, parse_role),
    GRACEFUL_RESTART: (encode_graceful_restart, parse_graceful_restart),
    AS4: (encode_as4, parse_as4),
    DYNAMIC: (encode_codes, parse_codes),
    MULTISESSION: (encode_multisession, parse_multisession),
    ADDPATH: (encode_directions, parse_directions),
    LLGR: (encode_llgr, parse_llgr),
    ROUTING_POLICY: (encode_directions, parse_directions),
    FQDN: (encode_fqdn, parse_fqdn),
    VERSION: (encode_version, parse_version),
    PATHS_LIMIT: (encode_paths_limit, parse_paths_limit),
    PRE_OUTBOUND_FILTERING: (encode_orf, parse_orf),
    PRE_MULTISESSION: (encode_multisession, parse_multisession),
    PRE_FQDN: (encode_fqdn, parse_fqdn),
}
# Their readable value is itself a list.
LISTS = frozenset(
    (
        *(OUTBOUND_FILTERING, EXTENDED_NEXTHOP, MULTIPLE_LABELS, DYNAMIC, ADDPATH, LLGR, ROUTING_POLICY, PATHS_LIMIT),
        PRE_OUTBOUND_FILTERING,
    )
)


def encode_value(code: int, value: Any) -> bytes:
    """The octets of one capability: of its readable value, bytes or "0x..", or True where there are none."""
    if value is True or value is None:
        return b""
    if isinstance(value, bytes) or (isinstance(value, str) and value[:2] in ("0x", "0X")):
        result = unhex(value)
    elif code in CODECS:
        result = CODECS[code][0](value)
    else:
        raise expected(value, 'true where the value is empty, or hex digits, "0x.."')
    if len(result) > 255:
        raise FieldError(f"{len(result)} octets, expected 255 at most")
    return result


def parse_value(code: int, value: bytes) -> Any:
    """The readable value: typed where encoding it again gives the same octets, else True (empty) or "0x..".

    None of the forms raises: what does not parse is shown as hex.
    """
    if not value:
        return True
    if code in CODECS:
        encode, parse = CODECS[code]
        typed = parse(value)
        if typed is not None and encode(typed) == value:
            return typed
    return "0x" + value.hex()


# ---- all of an OPEN's --------------------------------------------------------------------------------------
def from_object(caps: Any) -> list[Capability]:
    """Capabilities of {"MP": ["IPV4/UNICAST"], "AS4": 65000, "ROUTE_REFRESH": true, ...}, in its order.

    A list stands for a capability given more than once; of MP there is one for each family. FieldError says
    which value is wrong, and where.
    """
    if not isinstance(caps, dict):
        raise expected(caps, "an object of capabilities")
    result: list[Capability] = []
    for key, value in caps.items():
        try:
            code = code_of(key)
            if _repeated(code, value):
                for i, item in enumerate(value):
                    try:
                        result.append((code, encode_value(code, item)))
                    except FieldError as error:
                        raise error.under(i) from None
            else:
                result.append((code, encode_value(code, value)))
        except FieldError as error:
            raise error.under(key) from None
    return result


def _repeated(code: int, value: Any) -> bool:
    if not isinstance(value, list):
        return False
    if code not in LISTS:
        return True
    return any(isinstance(v, list) or v is True or str(v)[:2] in ("0x", "0X") for v in value)


def to_object(capabilities: list[Capability]) -> dict[str, Any]:
    """The readable form, by name, in the order in which each code first appears."""
    values: dict[int, list[Any]] = {}
    for code, value in capabilities:
        values.setdefault(code, []).append(parse_value(code, value))
    return {name(code): found if code == MP or len(found) > 1 else found[0] for code, found in values.items()}


def grouped(capabilities: list[Capability]) -> list[Capability]:
    """The same capabilities in the order that the readable form keeps: those of one code together."""
    order = {code: i for i, code in reversed(list(enumerate(c for c, _ in capabilities)))}
    return sorted(capabilities, key=lambda capability: order[capability[0]])


def context(capabilities: list[Capability]) -> int:
    """The session context (ctx_t of _codec.pxd) of a session on which both ends have agreed on these.

    Families of ADDPATH carry path ids, whichever way (RFC 7911); EXTENDED_MESSAGE is RFC 8654's. AS numbers: 4 octets.
    """
    bits = 0
    for code, value in capabilities:
        if code == EXTENDED_MESSAGE:
            bits |= 2
        elif code == ADDPATH:
            for start in range(0, len(value) - 3, 4):
                bits |= 1 << (8 + family_index(int.from_bytes(value[start : start + 2]), value[start + 2]))
    return bits


def encode_parameters(capabilities: list[Capability]) -> bytes:
    """The optional parameters length and all behind it: one parameter with every capability.

    RFC 5492 section 4. More than 253 octets of them take the extended form of RFC 9072.
    """
    body = b"".join(bytes((code, len(value))) + value for code, value in capabilities)
    if not body:
        return b"\0"
    if len(body) <= LONGEST_PLAIN:
        return bytes((len(body) + 2, PARAMETER_CAPABILITIES, len(body))) + body
    if len(body) + 3 > 0xFFFF:
        raise FieldError(f"{len(body)} octets of capabilities, expected 65532 at most")
    head = bytes((255, PARAMETER_EXTENDED)) + (len(body) + 3).to_bytes(2)
    return head + bytes((PARAMETER_CAPABILITIES,)) + len(body).to_bytes(2) + body


def is_extended(data: bytes) -> bool:
    """Whether `data`, what is behind the optional parameters length, has the extended form of RFC 9072."""
    return len(data) >= 3 and data[0] == PARAMETER_EXTENDED and int.from_bytes(data[1:3]) == len(data) - 3


def parse_parameters(data: bytes) -> tuple[list[Capability], bool] | None:
    """Capabilities of `data`, what is behind the optional parameters length, and whether it is those alone.

    None if it does not parse.
    """
    result: list[Capability] = []
    capabilities_alone = True
    start, width = (3, 2) if is_extended(data) else (0, 1)
    while start < len(data):
        kind = data[start]
        first = start + 1 + width
        start = first + int.from_bytes(data[start + 1 : first])
        if start > len(data):
            return None
        if kind == PARAMETER_CAPABILITIES:
            found = parse_capabilities(data[first:start])
            if found is None:
                return None
            result += found
        else:
            capabilities_alone = False
    return result, capabilities_alone


def parse_capabilities(data: bytes) -> list[Capability] | None:
    """The capabilities in one parameter: code, length, value each. None if it does not parse."""
    result: list[Capability] = []
    start = 0
    while start < len(data):
        if start + 2 > len(data) or start + 2 + data[start + 1] > len(data):
            return None
        end = start + 2 + data[start + 1]
        result.append((data[start], data[start + 2 : end]))
        start = end
    return result


# ---- parts of values ---------------------------------------------------------------------------------------
def _listed(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise expected(value, "a list")
    return list(value)


def _each(value: Any, encode: Callable[[Any], bytes]) -> bytes:
    """The octets of each item of a list."""
    return b"".join(at(i, encode, item) for i, item in enumerate(_listed(value)))


def _cut(value: bytes, size: int) -> list[bytes]:
    """Pieces of `size` octets."""
    return [value[start : start + size] for start in range(0, len(value), size)]


def _counted(value: Any) -> bytes:
    """Text behind its length."""
    try:
        text = _text(value, "text").encode()
    except UnicodeEncodeError:
        raise expected(value, "text without lone surrogates") from None
    if len(text) > 255:
        raise FieldError(f"{len(text)} octets, expected 255 at most")
    return bytes((len(text),)) + text


def _family(octets: bytes) -> str:
    """The name of AFI and SAFI, in three octets."""
    return family_name(int.from_bytes(octets[:2]), octets[2])


def _family_and(item: Any, what: str) -> tuple[bytes, str]:
    """AFI and SAFI in three octets, and what stands behind them."""
    family, _, rest = _text(item, what).rpartition("/")
    afi, safi = parse_family(family)
    return bytes((afi >> 8, afi & 255, safi)), rest


def _family_and_number(item: Any, size: int, unit: str) -> bytes:
    family, count = _family_and(item, f'a family and a number of {unit} such as "IPV4/UNICAST/10"')
    return family + number(count, 256**size - 1, f"a number of {unit}").to_bytes(size)


def _afi(value: Any) -> bytes:
    """The two octets of "IPV6" or "AFI(99)"."""
    if isinstance(value, str) and value[:4].upper() == "AFI(" and value.endswith(")"):
        value = value[4:-1]
    return lookup(value, AFI_NUMBERS, 0xFFFF, "IPV4, IPV6 or the number of an AFI").to_bytes(2)


def _afi_name(octets: bytes) -> str:
    afi = int.from_bytes(octets)
    return AFIS.get(afi) or f"AFI({afi})"


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise expected(value, what)
    return value


def _object(value: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise expected(value, "an object of " + ", ".join(keys))
    for key in value:
        if key not in keys:
            raise expected(key, ", ".join(keys))
    return value


def _flagged_family(fields: dict[str, Any]) -> bytes:
    """AFI, SAFI and flags of an object with "af" and "flags"."""
    afi, safi = at("af", parse_family, fields.get("af"))
    flags = at("flags", lambda given: _flags(given, {"F": 0x80}, 0xFF), fields.get("flags"))
    return bytes((afi >> 8, afi & 255, safi, flags))


def _flags(value: Any, letters: dict[str, int], maximum: int) -> int:
    """Letters of flags, then the other bits as a decimal number."""
    if value is None:
        return 0
    if isinstance(value, int):
        return number(value, maximum, "flags")
    text = _text(value, "flags")
    rest = text.lstrip("".join(letters) + "".join(letters).lower())
    flags = number(rest, maximum, "flags: " + "".join(letters)) if rest else 0
    for letter in text[: len(text) - len(rest)].upper():
        flags |= letters[letter]
    return flags


def _letters(flags: int, letters: dict[str, int]) -> str:
    text = "".join(letter for letter, bit in letters.items() if flags & bit)
    rest = flags & ~sum(letters.values())
    return text + (str(rest) if rest else "")
