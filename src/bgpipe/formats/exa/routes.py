"""Routes of ExaBGP that begin with a word for their kind: multicast VPN, VPLS and mobile user plane."""

from __future__ import annotations

from bgpipe._attributes import expected, pack_address
from bgpipe.bgp.nlri import encode_distinguisher
from bgpipe.formats.exa.attributes import take
from bgpipe.formats.exa.words import number_of, prefix_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bgpipe.formats.exa.attributes import Given, Setting
    from bgpipe.formats.exa.words import Words

# Kind -> (name in the JSON form, words in front of its two addresses).
_MCAST_VPN = {
    "source-ad": ("SOURCE_ACTIVE_AD", "source"),
    "shared-join": ("SHARED_TREE_JOIN", "rp"),
    "source-join": ("SOURCE_TREE_JOIN", "source"),
}


def mcast_vpn(words: Words) -> dict[str, Any]:
    """The fields of `shared-join rp A group A` and others (RFC 6514 section 4); the `rd` is one of those to come."""
    kind = words.take()
    if kind not in _MCAST_VPN:
        raise words.refuse(kind, ", ".join(_MCAST_VPN))
    name, first = _MCAST_VPN[kind]
    fields: dict[str, Any] = {"type": name}
    words.want(first)
    fields["source"] = words.value(_address)
    words.want("group")
    fields["group"] = words.value(_address)
    words.want("rd")
    fields["rd"] = words.take()
    if kind != "source-ad":
        words.want("source-as")
        fields["source_as"] = words.value(lambda word: number_of(word, 0xFFFFFFFF, "an AS number"))
    return fields


def _address(word: str) -> str:
    pack_address(word)
    return word


_VPLS = {"endpoint": 0xFFFF, "offset": 0xFFFF, "size": 0xFFFF, "base": 0xFFFFF}


def vpls(words: Words, given: Given) -> bytes:
    """RFC 4761 section 3.2.2: length, route distinguisher, VE id, block offset and size, label base."""
    fields: dict[str, int] = {}

    def field(name: str) -> Setting:
        def parse(words: Words, given: Given) -> None:
            fields[name] = words.value(lambda word: number_of(word, _VPLS[name], "a number"))

        return parse

    take(words, given, {name: field(name) for name in _VPLS})
    for name in _VPLS:
        if name not in fields:
            raise words.unexpected(name)
    if given.rd is None:
        raise words.unexpected("rd")
    octets = b"".join(fields[name].to_bytes(2) for name in ("endpoint", "offset", "size"))
    octets = encode_distinguisher(given.rd) + octets + (fields["base"] << 4 | 1).to_bytes(3)
    return len(octets).to_bytes(2) + octets


_ARCHITECTURE_3GPP_5G = b"\x01"
_TYPES = {"mup-isd": 1, "mup-dsd": 2, "mup-t1st": 3, "mup-t2st": 4}


def mup(words: Words, afi: int) -> bytes:
    """draft-ietf-bess-mup-safi section 3.1: architecture, type of 2 octets, length."""
    bits = 32 if afi == 1 else 128

    def address() -> bytes:
        return words.value(lambda word: pack_address(word, bits))

    def number(word: str, size: int) -> bytes:
        words.want(word)
        return words.value(lambda text: number_of(text, (1 << 8 * size) - 1, "a number")).to_bytes(size)

    kind = words.take()
    if kind not in _TYPES:
        raise words.refuse(kind, ", ".join(_TYPES))
    place = words.value(_prefix_of(bits)) if kind in ("mup-isd", "mup-t1st") else address()
    words.want("rd")
    octets = words.value(encode_distinguisher)
    if kind == "mup-t2st":
        words.want("teid")
        size, teid = words.value(_teid)
        octets += bytes((bits + size,)) + place + teid
    else:
        octets += place
    if kind == "mup-t1st":
        octets += number("teid", 4) + number("qfi", 1)
        words.want("endpoint")
        octets += bytes((bits,)) + address()
        if words.skip("source"):
            octets += bytes((bits,)) + address()
    return _ARCHITECTURE_3GPP_5G + _TYPES[kind].to_bytes(2) + bytes((len(octets),)) + octets


def _prefix_of(bits: int) -> Callable[[str], bytes]:
    def parse(word: str) -> bytes:
        prefix = prefix_of(word)
        if prefix.bits != bits:
            raise expected(word, f"a prefix of IPv{4 if bits == 32 else 6}")
        return bytes((prefix.length,)) + prefix.packed[: (prefix.length + 7) // 8]

    return parse


def _teid(word: str) -> tuple[int, bytes]:
    """Bits and octets of `12345/32`."""
    teid, slash, length = word.partition("/")
    size = number_of(length, 32, "a length, as in 12345/32") if slash else 32
    return size, number_of(teid, (1 << size) - 1, "an endpoint id").to_bytes((size + 7) // 8)
