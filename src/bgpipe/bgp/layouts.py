"""How values are laid out: what the octets of an attribute consist of, and what that is in JSON.

A layout is a tree of `Layout` nodes. The tables of bgp/attributes.py are made of them; bgp/encoding.py turns JSON into
octets by them, and _layouts.pyx octets into JSON. So each form stands in one place, both ways.

A value that its layout does not fit is hex; TLVs are told apart first, so that each is hex or not by itself.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# Kinds of nodes; the compiled core has the same numbers.
NUMBER = 0  # in decimal
NAME = 1  # a number that has a name; a plain number where it has none
FLAGS = 2  # a letter for each bit that has one, the others as a decimal number behind them
CONSTANT = 3  # bits that are always the same; has no text
WORD = 4  # a name that is always the same
LABEL = 5  # 24 bits, an MPLS label (the upper 20) or a VNI (all): two keys of a record, of which reading takes either
IPV4 = 6
IPV6 = 7
ADDRESS = 8  # IPv4 or IPv6, by how many octets are left
MAC = 9
FAMILY = 10  # AFI and SAFI
OCTETS = 11  # in hex: so many bits, or all that are left
TEXT = 12  # UTF-8, all octets that are left; in hex where it is none. In a record alone: a TLV's value "0x.." is hex
RECORD = 13  # fields, one behind the other
OPTIONAL = 14  # a field that is there if octets are left
EACH = 15  # as many as there are octets for
COUNTED = 16  # a number, and as many
SIZED = 17  # a number, and a field of as many octets
TLVS = 18  # type, length, value: as many as there are octets for
EITHER = 19  # the first of some layouts that fits all octets that are left


class Layout:
    """A node. bits: width of a number, or of the number in front; of TLVs, that of their types.

    length: of TLVs, the bits of their lengths, 0 for those of RFC 9012 section 2 (8, and 16 from type 128 on). whole:
    whether the number of SIZED and TLVS counts the octets in front of the value, too.
    """

    __slots__ = ("bits", "kind", "length", "more", "nodes", "whole")

    def __init__(
        self, kind: int, bits: int = 0, more: Any = None, nodes: Any = (), length: int = 0, whole: bool = False
    ) -> None:
        self.kind = kind
        self.bits = bits
        self.more = more
        self.nodes: tuple[Layout, ...] = tuple(nodes)
        self.length = length
        self.whole = whole


def uint(bits: int) -> Layout:
    return Layout(NUMBER, bits)


def named(bits: int, names: Mapping[int, str]) -> Layout:
    return Layout(NAME, bits, names)


def flags(bits: int, **letters: int) -> Layout:
    return Layout(FLAGS, bits, letters)


def constant(bits: int, value: int = 0) -> Layout:
    return Layout(CONSTANT, bits, value)


def word(bits: int, value: int, name: str) -> Layout:
    return Layout(WORD, bits, (value, name))


def octets(count: int = 0) -> Layout:
    """0: all that are left."""
    return Layout(OCTETS, 8 * count)


label = Layout(LABEL, 24)
ipv4 = Layout(IPV4)
ipv6 = Layout(IPV6)
address = Layout(ADDRESS)
mac = Layout(MAC)
family = Layout(FAMILY)
text = Layout(TEXT)


def record(**fields: Layout) -> Layout:
    """An object; constants among the fields have no key in it."""
    keys = tuple(None if node.kind == CONSTANT else key for key, node in fields.items())
    return Layout(RECORD, more=keys, nodes=fields.values())


def bare(*nodes: Layout) -> Layout:
    """One field that is the value itself, among constants."""
    return Layout(RECORD, nodes=nodes)


def optional(node: Layout) -> Layout:
    return Layout(OPTIONAL, nodes=(node,))


def each(node: Layout) -> Layout:
    return Layout(EACH, nodes=(node,))


def counted(bits: int, node: Layout) -> Layout:
    return Layout(COUNTED, bits, nodes=(node,))


def sized(bits: int, node: Layout, whole: bool = False) -> Layout:
    return Layout(SIZED, bits, nodes=(node,), whole=whole)


def tlvs(
    bits: int,
    length: int,
    names: Mapping[int, str],
    layouts: Mapping[int, Layout],
    *,
    others: Layout | None = None,
    whole: bool = False,
) -> Layout:
    """names: of types; layouts: of values, by type; others: of all other types, None for hex."""
    return Layout(TLVS, bits, (names, layouts, others), length=length, whole=whole)


def either(*nodes: Layout) -> Layout:
    return Layout(EITHER, nodes=nodes)
