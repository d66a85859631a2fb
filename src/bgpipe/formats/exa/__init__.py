"""ExaBGP text to wire: the commands of its API, as versions 4.2 to 6 know them (docs/formats.md has the table).

The native reader knows the lines that most programs print, and gives every other one to `parse_line`. A command is read
word by word; each word that carries a value is encoded where it stands, so that an error can name the column.
What is made of a command is what ExaBGP sends for it: attributes in the order of their codes, MP_REACH_NLRI last.
"""

from __future__ import annotations

from bgpipe._attributes import (
    Prefix,
    attribute_octets,
    encode_attribute,
    encode_prefixes,
    expected,
    family_name,
    pack_address,
)
from bgpipe.errors import ExaError, FieldError
from bgpipe.formats.exa.attributes import AS_PATH, MP_REACH, MP_UNREACH, NEXT_HOP, ORIGIN, Given, take
from bgpipe.formats.exa.words import Words, prefix_of
from bgpipe.formats.json import LONGEST, ROUTE_REFRESH, UPDATE, families, message
from bgpipe.names import EXA_AFIS, EXA_SAFIS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Family = tuple[int, int]
    Paths = dict[Family, bool]
    Messages = list[tuple[bytes, frozenset[Family]]]

STANDARD_MESSAGE = 4096  # RFC 4271 section 4.1: what is divided to fit, if it can be
MOST_SPLIT = 65536  # prefixes that `split` may make of those of a line
MOST_OCTETS = 1 << 22  # of the messages of a line: attributes are repeated in each
NEIGHBOR = "exa/neighbor"  # the tag that says for which neighbors a command is

IPV4_UNICAST = (1, 1)
UNICAST, MULTICAST, MPLS, MCAST_VPN, VPLS, MUP, MPLS_VPN, FLOW, FLOW_VPN = 1, 2, 4, 5, 65, 85, 128, 133, 134
L2VPN = 25
# Commands to ExaBGP itself that a program may begin with: they are about its answers, and no message.
SILENT = ("enable-ack", "disable-ack", "silence-ack")
SELECTORS = ("local-ip", "local-as", "peer-as", "router-id", "family-allowed")


def parse_line(line: bytes) -> list[tuple[bytes, frozenset[Family], dict[str, str]]]:
    """The messages of one command: none for a blank line, a comment, and what is about answers alone.

    A message is (all its octets, families (AFI, SAFI) whose prefixes carry path ids, tags). Several come of many
    prefixes, as ExaBGP divides them. Raises ExaError with the column, what was read and what was expected.
    """
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError as error:
        raise ExaError(f"column {error.start + 1}: not ASCII", column=error.start + 1) from None
    # Some programs write whole blocks, with line feeds that are two characters.
    words = Words(text.replace("\\n", "  "))
    if not words.word or words.word.startswith("#") or words.word in SILENT:
        return []
    tags = _neighbors(words)
    if words.skip("group"):
        found = _group(words)
    elif words.skip("attributes"):
        given = Given()
        take(words, given)
        found = _attributes_alone(given)
    else:
        found = _command(words, Given())
    if words.word:
        raise words.unexpected("the end of the line")
    return [(wire, paths, tags) for wire, paths in found]


# ---- commands ------------------------------------------------------------------------------------------------------


def _neighbors(words: Words) -> dict[str, str]:
    """The tags for `neighbor A [local-as N ...], neighbor B ...`, or `peer` in version 6, in front of a command."""
    start = words.start
    if words.word not in ("neighbor", "peer"):
        return {}
    while words.word in ("neighbor", "peer", *SELECTORS):
        words.take()
        if words.skip("["):
            while not words.skip("]"):
                if not words.take():
                    raise words.unexpected('"]"')
        elif not words.take():
            raise words.unexpected("a neighbor's address")
        words.skip(",")
    _, _, who = " ".join(words.text[start : words.start].split()).partition(" ")
    return {} if who == "*" else {NEIGHBOR: who}


def _command(words: Words, given: Given) -> Messages:
    """given: what a group has said of all its routes."""
    verb = words.take()
    if verb not in ("announce", "withdraw"):
        raise words.refuse(verb, "announce, withdraw, neighbor, group or a comment")
    announce = verb == "announce"
    kind = words.take()
    if kind == "route":
        return _route(words, announce, given)
    if kind in ("attributes", "attribute"):
        return _bulk(words, announce, given)
    if kind == "flow":
        return _flow_route(words, announce, given)
    if kind == "vpls":
        return _special(words, announce, given, (L2VPN, VPLS))
    if kind == "eor" and announce:
        return _end_of_rib(words)
    if kind == "route-refresh" and announce:
        afi, safi = _family(words, kind)
        return [(message(ROUTE_REFRESH, afi.to_bytes(2) + b"\0" + safi.to_bytes(1)), frozenset())]
    if kind in EXA_AFIS:
        return _of_family(words, announce, given, kind)
    raise words.refuse(kind, "route, attributes, flow, vpls, eor, route-refresh, ipv4, ipv6 or l2vpn")


def _family(words: Words, afi: str = "") -> Family:
    return EXA_AFIS[afi] if afi in EXA_AFIS else words.value(_afi), words.value(_safi)


def _afi(word: str) -> int:
    return _of(word, EXA_AFIS)


def _safi(word: str) -> int:
    return _of(word, EXA_SAFIS)


def _of(word: str, known: dict[str, int]) -> int:
    if word not in known:
        raise expected(word, ", ".join(known))
    return known[word]


def _end_of_rib(words: Words) -> Messages:
    """RFC 4724 section 2."""
    afi, safi = _family(words) if words.word else IPV4_UNICAST
    if (afi, safi) == IPV4_UNICAST:
        return [(_update(), frozenset())]
    return [(_update(attributes={MP_UNREACH: (0x80, _head(afi, safi))}), frozenset())]


def _group(words: Words) -> Messages:
    """`group COMMAND ; COMMAND`: attributes that come first hold for all that follow."""
    base = Given()
    found: Messages = []
    while words.word:
        if words.skip("attributes"):
            base = Given()
            take(words, base)
        else:
            found += _command(words, base.copy())
        if not words.skip(";") and words.word:
            raise words.unexpected('";"')
    return found


def _attributes_alone(given: Given) -> Messages:
    """An UPDATE without routes, which is all that there is to say of some (RFC 4271 section 4.3)."""
    _fill(given, given.hop)
    return [(_update(attributes=given.attributes), frozenset())]


def _route(words: Words, announce: bool, given: Given) -> Messages:
    prefix = words.value(prefix_of)
    take(words, given)
    return _prefixes(words, announce, given, _safi_of(given), [prefix])


def _safi_of(given: Given) -> int:
    return MPLS_VPN if given.rd is not None else MPLS if given.labels is not None else UNICAST


def _bulk(words: Words, announce: bool, given: Given) -> Messages:
    """`attributes ... nlri PREFIX PREFIX ...`."""
    take(words, given)
    words.want("nlri")
    prefixes = [words.value(prefix_of)]
    while words.word and words.word != ";":
        prefixes.append(words.value(prefix_of))
        if prefixes[-1].afi != prefixes[0].afi:
            raise words.refuse(str(prefixes[-1]), f"prefixes of one family, as {prefixes[0]}")
    return _prefixes(words, announce, given, _safi_of(given), prefixes)


def _of_family(words: Words, announce: bool, given: Given, afi: str) -> Messages:
    """`ipv4 unicast PREFIX ...`, and what other families have in place of a prefix."""
    family = _family(words, afi)
    if family in ((1, FLOW), (1, FLOW_VPN), (2, FLOW), (2, FLOW_VPN)):
        return _flow(words, announce, given, family)
    if family in ((1, MCAST_VPN), (2, MCAST_VPN), (1, MUP), (2, MUP), (L2VPN, VPLS)):
        return _special(words, announce, given, family)
    if family[0] > 2 or family[1] not in (UNICAST, MULTICAST, MPLS, MPLS_VPN):
        raise words.wrong(f"ExaBGP has no words for routes of {family_name(*family)}")
    prefix = words.value(prefix_of)
    if prefix.afi != family[0]:
        raise words.refuse(str(prefix), f"a prefix of {family_name(*family)}")
    take(words, given)
    return _prefixes(words, announce, given, family[1], [prefix])


def _divide(words: Words, prefix: Prefix, length: int) -> list[Prefix]:
    """The prefixes of this length that make up another one."""
    if length <= prefix.length:
        return [prefix]
    words.divided += 1 << (length - prefix.length)
    if length > prefix.bits or words.divided > MOST_SPLIT:
        raise words.wrong(f"split of {prefix} into /{length}, expected {MOST_SPLIT} prefixes at most of a line")
    from ipaddress import ip_network

    return [Prefix(str(part)) for part in ip_network(str(prefix)).subnets(new_prefix=length)]


def _prefixes(words: Words, announce: bool, given: Given, safi: int, prefixes: list[Prefix]) -> Messages:
    """Routes of prefixes, plain, labelled (RFC 8277) or of VPNs (RFC 4364)."""
    if given.held and given.watched and announce:
        return []  # it waits for its watchdog
    if given.split:
        prefixes = [part for prefix in prefixes for part in _divide(words, prefix, given.split)]
    afi = prefixes[0].afi
    if safi in (UNICAST, MULTICAST):
        paths: Paths = {}
        plain = [Prefix(prefix, path_id=given.path_id) for prefix in prefixes]
        packed = [encode_prefixes([prefix], afi, safi, paths) for prefix in plain]
        return _messages(words, announce, given, (afi, safi), packed)
    fields: dict[str, Any] = {"labels": given.labels}
    if given.labels is None:
        if announce:
            raise words.unexpected("label")
        fields["labels"] = ["0x800000"]
    if safi == MPLS_VPN:
        if given.rd is None:
            raise words.unexpected("rd")
        fields["rd"] = given.rd
    items = [fields | {"prefix": str(prefix)} for prefix in prefixes]
    return _typed(words, announce, given, (afi, safi), "nlri", items)


def _special(words: Words, announce: bool, given: Given, family: Family) -> Messages:
    """Routes that are told by a word of their own and fields behind it."""
    from bgpipe.formats.exa.routes import mcast_vpn, mup, vpls

    if family[1] == MCAST_VPN:
        fields = mcast_vpn(words)
        take(words, given)
        return _typed(words, announce, given, family, "nlri", [fields])
    if family[1] == VPLS:
        octets = vpls(words, given)
    else:
        octets = mup(words, family[0])
        take(words, given)
    path_id = b"" if given.path_id is None else given.path_id.to_bytes(4)
    return _messages(words, announce, given, family, [path_id + octets])


def _flow(words: Words, announce: bool, given: Given, family: Family) -> Messages:
    """`ipv4 flow COMPONENT ... ACTION ...` (RFC 8955)."""
    from bgpipe.formats.exa.flow import flow

    rule, _ = flow(words, given)
    return _typed(words, announce, given, (family[0], FLOW if given.rd is None else FLOW_VPN), "rules", [rule])


def _flow_route(words: Words, announce: bool, given: Given) -> Messages:
    """`flow route { match { COMPONENT; ... } then { ACTION; ... } }`, or the same without braces."""
    from bgpipe.formats.exa.flow import flow_block

    words.want("route")
    rule, afi = flow_block(words, given)
    return _typed(words, announce, given, (afi, FLOW if given.rd is None else FLOW_VPN), "rules", [rule])


# ---- messages ------------------------------------------------------------------------------------------------------


def _typed(
    words: Words, announce: bool, given: Given, family: Family, key: str, items: list[dict[str, Any]]
) -> Messages:
    """UPDATEs of NLRI in their JSON form. key: under which it stands in MP_REACH and MP_UNREACH."""
    path_id = {} if given.path_id is None else {"path_id": given.path_id}
    af = family_name(*family)
    try:
        packed = [encode_attribute(MP_UNREACH, {"af": af, key: [path_id | item]}, 4, {})[3:] for item in items]
    except FieldError as error:
        raise words.wrong(str(error)) from None
    return _messages(words, announce, given, family, packed)


def _messages(words: Words, announce: bool, given: Given, family: Family, packed: list[bytes]) -> Messages:
    """UPDATEs of NLRI of one family, each as its octets."""
    afi, safi = family
    if announce and given.hop is None and safi not in (FLOW, FLOW_VPN):
        raise words.unexpected("next-hop")
    attributes: dict[int, tuple[int, bytes]] = {}
    if announce or given.grouped:
        _fill(given, (given.hop if announce else given.group_hop) if _in_next_hop(family) else None)
        attributes = given.attributes
    build: Callable[[bytes], bytes]
    if family == IPV4_UNICAST and not announce:
        build = lambda chunk: _update(unreach=chunk, attributes=attributes)  # noqa: E731
    elif family == IPV4_UNICAST and NEXT_HOP in attributes:
        build = lambda chunk: _update(attributes=attributes, reach=chunk)  # noqa: E731
    else:
        code = MP_REACH if announce else MP_UNREACH
        head = _head(afi, safi) + (_next_hop(given.hop, family) if announce else b"")
        build = lambda chunk: _update(attributes=attributes | {code: (0x80, head + chunk)})  # noqa: E731
    paths = families({family: given.path_id is not None})
    found: Messages = []
    try:
        # The length of an attribute takes one octet more where it is long.
        for chunk in _chunks(packed, len(build(b"")) + 1):
            found.append((build(chunk), paths))
            words.made += len(found[-1][0])
            if words.made > MOST_OCTETS:
                raise FieldError(f"messages of more than {MOST_OCTETS} octets of one line, expected several lines")
    except FieldError as error:
        raise words.wrong(str(error)) from None
    return found


def _fill(given: Given, hop: str | None) -> None:
    """What every route has, as ExaBGP fills it in."""
    given.attributes.setdefault(ORIGIN, (0x40, b"\0"))
    given.attributes.setdefault(AS_PATH, (0x40, b""))
    if hop is not None and ":" not in hop:
        given.attributes[NEXT_HOP] = (0x40, pack_address("0.0.0.0" if hop == "self" else hop))


def _in_next_hop(family: Family) -> bool:
    """Whether ExaBGP puts an IPv4 next hop into NEXT_HOP, be it that MP_REACH has it as well."""
    return family == IPV4_UNICAST or family[1] in (MPLS, MPLS_VPN, MCAST_VPN, MUP)


def _next_hop(hop: str | None, family: Family) -> bytes:
    """RFC 4760 section 3: next hop and its length, and a reserved octet."""
    afi, safi = family
    if hop is None:
        return b"\0\0"
    packed = pack_address(("::" if afi == 2 else "0.0.0.0") if hop == "self" else hop)
    if afi == 2 and len(packed) == 4 and safi != MCAST_VPN:
        packed = b"\0" * 10 + b"\xff\xff" + packed  # RFC 4798 section 2
    if safi == MPLS_VPN:
        packed = bytes(8) + packed  # RFC 4364 section 4.3.2
    return bytes((len(packed),)) + packed + b"\0"


def _head(afi: int, safi: int) -> bytes:
    return afi.to_bytes(2) + safi.to_bytes(1)


def _chunks(packed: list[bytes], taken: int) -> Iterator[bytes]:
    """The NLRI in runs that fit behind `taken` octets of a message; a long one (RFC 8654) where one alone takes it."""
    run: list[bytes] = []
    size = taken
    most = STANDARD_MESSAGE if taken + max(map(len, packed)) <= STANDARD_MESSAGE else LONGEST
    for octets in packed:
        if run and size + len(octets) > most:
            yield b"".join(run)
            run, size = [], taken
        run.append(octets)
        size += len(octets)
    yield b"".join(run)


def _update(
    unreach: bytes = b"", attributes: dict[int, tuple[int, bytes]] | None = None, reach: bytes = b""
) -> bytes:
    """RFC 4271 section 4.3. Attributes by their codes, but MP_UNREACH first and MP_REACH last, as ExaBGP has them."""
    given = attributes or {}
    order = sorted(given, key=lambda code: (code == MP_REACH, code != MP_UNREACH, code))
    octets = b"".join(attribute_octets(code, *given[code]) for code in order)
    for part in (unreach, octets):
        if len(part) > 0xFFFF:
            raise FieldError(f"{len(part)} octets, expected 65535 at most")
    return message(UPDATE, b"".join((len(unreach).to_bytes(2), unreach, len(octets).to_bytes(2), octets, reach)))
