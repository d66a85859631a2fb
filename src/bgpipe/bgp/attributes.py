"""Layouts of path attributes whose values are made of numbers, addresses and TLVs; the section of the RFC with each.

`LAYOUTS` is by attribute type. What is not in here either has a form of its own in _attributes.pyx, or is hex.
"""

from __future__ import annotations

from bgpipe.bgp.layouts import (
    Layout,
    address,
    bare,
    constant,
    counted,
    each,
    either,
    family,
    flags,
    ipv4,
    ipv6,
    label,
    mac,
    named,
    octets,
    optional,
    record,
    sized,
    text,
    tlvs,
    uint,
    word,
)
from bgpipe.names import (
    AIGP_TLVS,
    BFD_MODES,
    BFD_TLVS,
    PMSI_TUNNELS,
    PREFIX_SID_TLVS,
    SAFIS,
    SEGMENT_TLVS,
    SRV6_BEHAVIORS,
    SRV6_SERVICE_TLVS,
    SRV6_SID_TLVS,
    TUNNEL_TLVS,
    TUNNEL_TYPES,
)

# ---- PMSI_TUNNEL (RFC 6514 section 5) ------------------------------------------------------------------------------
PMSI_FLAGS = flags(8, E=0x40, F=0x20, B=0x04, U=0x02, L=0x01)  # RFC 7902, RFC 8534, RFC 9574, RFC 6514
SOURCE_AND_GROUP = either(record(source=ipv4, group=ipv4), record(source=ipv6, group=ipv6))
# RFC 6388 section 2.2: type of the FEC element, address family, root, opaque value
MLDP = either(
    record(fec=uint(8), afi=constant(16, 1), size=constant(8, 4), root=ipv4, opaque=sized(16, octets())),
    record(fec=uint(8), afi=constant(16, 2), size=constant(8, 16), root=ipv6, opaque=sized(16, octets())),
)
PMSI_IDENTIFIERS: dict[int, Layout] = {
    1: either(  # RFC 4875 section 19.1, for IPv4 and for IPv6
        record(extended_tunnel=ipv4, reserved=constant(16), tunnel=uint(16), p2mp=uint(32)),
        record(extended_tunnel=ipv6, reserved=constant(16), tunnel=uint(16), p2mp=uint(32)),
    ),
    2: MLDP,
    3: SOURCE_AND_GROUP,
    4: SOURCE_AND_GROUP,
    5: SOURCE_AND_GROUP,
    6: address,
    7: MLDP,
    10: address,  # RFC 9574 section 4
    11: record(subdomain=uint(8), bfr=uint(16), prefix=address),  # RFC 8556 section 2.1
}
PMSI_TUNNEL = either(
    *(
        record(flags=PMSI_FLAGS, type=word(8, code, PMSI_TUNNELS[code]), label=label, id=identifier)
        for code, identifier in PMSI_IDENTIFIERS.items()
    ),
    record(flags=PMSI_FLAGS, type=named(8, PMSI_TUNNELS), label=label, id=optional(octets())),
)

# ---- PREFIX_SID (RFC 8669 section 3, RFC 9252 section 2) -------------------------------------------------------------
SID_STRUCTURE = record(  # RFC 9252 section 3.2.1
    block=uint(8),
    node=uint(8),
    function=uint(8),
    argument=uint(8),
    transposition_length=uint(8),
    transposition_offset=uint(8),
)
SID_INFORMATION = record(  # RFC 9252 section 3.1
    before=constant(8),
    sid=ipv6,
    flags=flags(8),
    behavior=named(16, SRV6_BEHAVIORS),
    behind=constant(8),
    tlvs=optional(tlvs(8, 16, SRV6_SID_TLVS, {1: SID_STRUCTURE})),
)
SRV6_SERVICE = bare(constant(8), tlvs(8, 16, SRV6_SERVICE_TLVS, {1: SID_INFORMATION}))
PREFIX_SID = tlvs(
    8,
    16,
    PREFIX_SID_TLVS,
    {
        1: either(bare(constant(24), uint(32)), record(reserved=constant(8), flags=flags(16), index=uint(32))),
        3: record(flags=flags(16), ranges=each(record(base=uint(24), size=uint(24)))),
        5: SRV6_SERVICE,
        6: SRV6_SERVICE,
    },
)

# ---- TUNNEL (RFC 9012, RFC 9830) -------------------------------------------------------------------------------------
LABEL_ENTRY = record(label=uint(20), tc=uint(3), s=uint(1), ttl=uint(8))  # RFC 3032 section 2.1
SRV6_STRUCTURE = record(  # RFC 9830 section 2.4.3
    behavior=named(16, SRV6_BEHAVIORS),
    reserved=constant(16),
    block=uint(8),
    node=uint(8),
    function=uint(8),
    argument=uint(8),
)
BINDING_FLAGS = flags(8, S=0x80, I=0x40, B=0x20)
SEGMENT_FLAGS = flags(8, V=0x80, A=0x40, S=0x20, B=0x10)
SEGMENTS: dict[int, Layout] = {  # RFC 9830 section 2.4.4
    1: record(flags=SEGMENT_FLAGS, reserved=constant(8), entry=LABEL_ENTRY),
    9: record(flags=flags(8), reserved=constant(8), weight=uint(32)),
    13: record(flags=SEGMENT_FLAGS, reserved=constant(8), sid=ipv6, structure=optional(SRV6_STRUCTURE)),
}
TUNNEL_VALUES: dict[int, Layout] = {
    2: uint(16),  # RFC 9012 section 3.4.1
    4: either(  # RFC 9012 section 3.4.2: a Color extended community
        bare(constant(32, 0x030B0000), uint(32)), record(type=constant(16, 0x030B), flags=flags(16), color=uint(32))
    ),
    5: uint(16),  # RFC 5640 section 4
    6: either(  # RFC 9012 section 3.1
        bare(constant(48, 1), ipv4), bare(constant(48, 2), ipv6)
    ),
    7: uint(8),  # RFC 9012 section 3.3.1
    8: uint(16),  # RFC 9012 section 3.3.2
    9: uint(8),  # RFC 9012 section 3.5
    10: each(LABEL_ENTRY),  # RFC 9012 section 3.6
    11: PREFIX_SID,  # RFC 9012 section 3.7
    12: record(flags=flags(8), reserved=constant(8), preference=uint(32)),  # RFC 9830 section 2.4.1
    13: either(  # RFC 9830 section 2.4.2
        record(flags=BINDING_FLAGS, reserved=constant(8), label=uint(20), tc=uint(3), s=uint(1), ttl=uint(8)),
        record(flags=BINDING_FLAGS, reserved=constant(8), sid=optional(ipv6)),
    ),
    14: record(flags=flags(8), reserved=constant(8), enlp=uint(8)),  # RFC 9830 section 2.4.5
    15: record(priority=uint(8), reserved=constant(8)),  # RFC 9830 section 2.4.6
    16: record(spi=uint(24), si=uint(8)),  # RFC 9015 section 3.1.1
    20: record(flags=BINDING_FLAGS, reserved=constant(8), sid=ipv6, structure=optional(SRV6_STRUCTURE)),
    128: bare(constant(8), tlvs(8, 8, SEGMENT_TLVS, SEGMENTS)),
    129: record(reserved=constant(8), name=text),
    130: record(reserved=constant(8), name=text),
}
VIRTUAL_NETWORK = record(flags=flags(8, V=0x80, M=0x40), vni=uint(24), mac=mac, reserved=constant(16))
ENCAPSULATIONS: dict[int, Layout] = {  # RFC 9012 section 3.2
    1: record(session=uint(32), cookie=octets()),
    2: uint(32),
    8: VIRTUAL_NETWORK,
    9: VIRTUAL_NETWORK,
    11: uint(32),
}
TUNNEL = tlvs(
    16,
    16,
    TUNNEL_TYPES,
    {
        code: tlvs(8, 0, TUNNEL_TLVS, TUNNEL_VALUES | {1: encapsulation})
        for code, encapsulation in ENCAPSULATIONS.items()
    },
    others=tlvs(8, 0, TUNNEL_TLVS, TUNNEL_VALUES),
)

# ---- others ----------------------------------------------------------------------------------------------------------
AIGP = either(  # RFC 7311 section 3
    bare(constant(24, 0x01000B), uint(64)), tlvs(8, 16, AIGP_TLVS, {1: uint(64)}, whole=True)
)
PE_DISTING = either(each(record(pe=ipv4, label=label)), each(record(pe=ipv6, label=label)))  # RFC 6514 section 8
BGPSEC_PATH = record(  # RFC 8205 section 3
    path=sized(16, each(record(pcount=uint(8), flags=flags(8, C=0x80), asn=uint(32))), whole=True),
    signatures=each(
        sized(
            16,
            record(algorithm=uint(8), segments=each(record(ski=octets(20), signature=sized(16, octets())))),
            whole=True,
        )
    ),
)
DPATH = each(counted(8, record(asn=uint(32), id=uint(16), safi=named(8, SAFIS))))  # RFC 10039 section 4
BFD_DISCRIMINATOR = record(  # RFC 9026 section 3.1.6
    mode=named(8, BFD_MODES), discriminator=uint(32), tlvs=optional(tlvs(8, 8, BFD_TLVS, {1: address}))
)
# draft-ietf-idr-nhc section 2
RCA = record(af=family, nexthop=sized(8, address), capabilities=tlvs(16, 16, {}, {}))

LAYOUTS: dict[int, Layout] = {
    22: PMSI_TUNNEL,
    23: TUNNEL,
    26: AIGP,
    27: PE_DISTING,
    33: BGPSEC_PATH,
    36: DPATH,
    38: BFD_DISCRIMINATOR,
    39: RCA,
    40: PREFIX_SID,
}
