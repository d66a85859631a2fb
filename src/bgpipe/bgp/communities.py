"""The text that extended communities have for a value: what their six octets consist of, by type.

A form is a row of parts, high bits first, whose texts have ":" between them. A value is written in the first of its
type's forms that it fits, so that no two values have one text; what fits none is a number in hex.
"""

from __future__ import annotations

from bgpipe.names import TUNNEL_TYPES, VALIDATION_STATES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Part = tuple[int, int, Any]
    Form = tuple[Part, ...]

# Kinds of parts; the compiled core has the same numbers.
NUMBER = 0  # in decimal
ZERO = 1  # all bits are 0; has no text
ADDRESS = 2  # IPv4
MAC = 3
NAME = 4  # a number that has a name; a plain number where it has none
WORD = 5  # bits that are always the same
RATE = 6  # an IEEE float of 32 bits that is a whole number


def number(bits: int, what: str = "number") -> Part:
    return NUMBER, bits, what


def zero(bits: int) -> Part:
    return ZERO, bits, None


def word(bits: int, value: int, text: str) -> Part:
    return WORD, bits, (value, text)


AS2 = ((number(16, "AS"), number(32)),)  # RFC 4360 section 3.1
IP4 = (((ADDRESS, 32, None), number(16)),)  # RFC 4360 section 3.2
AS4 = ((number(32, "AS"), number(16)),)  # RFC 5668 section 2
MAC_ADDRESS = (((MAC, 48, None),),)

# Type and subtype, the nontransitive bit taken off -> forms, for those that are not what their family says.
FORMS: dict[int, tuple[Form, ...]] = {
    0x8008: AS2,  # RFC 8955 section 7.4
    0x8108: IP4,
    0x8208: AS4,
    # draft-ietf-idr-link-bandwidth: AS number and octets a second
    0x0004: ((number(16, "AS"), (RATE, 32, None)),),
    # RFC 8097 section 2
    0x0300: ((zero(40), (NAME, 8, VALIDATION_STATES)),),
    # draft-ietf-idr-custom-decision: point of insertion, community id, cost
    0x0301: ((number(8), number(8), number(32)),),
    # RFC 4577 section 4.2.6: area, route type, options
    0x0306: (((ADDRESS, 32, None), number(8), number(8)),),
    # RFC 9012 section 4.3; RFC 9256 section 8.8.1: the two bits in front say which next hops are good enough
    0x030B: ((zero(16), number(32)), (number(2), zero(14), number(32))),
    # RFC 9012 section 4.1
    0x030C: ((zero(32), (NAME, 16, TUNNEL_TYPES)),),
    # RFC 7432 section 7.7
    0x0600: ((zero(16), number(32)), (word(8, 1, "STICKY"), zero(8), number(32))),
    # RFC 7432 section 7.5: the label is in the upper 20 of 24 bits
    0x0601: (
        (word(8, 0, "ALL_ACTIVE"), zero(16), number(20), zero(4)),
        (word(8, 1, "SINGLE_ACTIVE"), zero(16), number(20), zero(4)),
    ),
    # RFC 7432 section 7.6, RFC 9135 section 8.1
    0x0602: MAC_ADDRESS,
    0x0603: MAC_ADDRESS,
    # RFC 9251 section 9.5
    0x060A: AS2,
    0x060B: IP4,
    0x060C: AS4,
}
FAMILIES = (AS2, IP4, AS4)  # of types 0x00, 0x01 and 0x02


def forms_of(kind: int, named: bool = True) -> tuple[Form, ...]:
    """Forms of a type and subtype, the nontransitive bit taken off; none where the value is always hex.

    named: False for a type given as a number: its value is then that of its family, as it is for types without a name.
    """
    forms = FORMS.get(kind)
    if forms is not None and (named or forms in FAMILIES):
        return forms
    return FAMILIES[kind >> 8] if kind >> 8 < len(FAMILIES) else ()


def shape_of(kind: int) -> int:
    """What the compiled core goes by: 0 for hex alone, 1 to 3 for the forms of FAMILIES, 4 for others."""
    forms = forms_of(kind)
    for shape, family in enumerate(FAMILIES, 1):
        if forms is family:
            return shape
    return 4 if forms else 0
