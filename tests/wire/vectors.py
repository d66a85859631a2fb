"""Bytes of whole messages and the JSON that they are, one for each rule of the JSON form.

Written by hand from the RFCs. Bytes are hex, spaces in them are for reading.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from wire.attribute_vectors import VALUES
from wire.nlri_vectors import NAMES, NLRI


class Vector(NamedTuple):
    name: str
    kind: int
    body: str
    data: Any
    as_size: int = 4
    addpath: bool = False

    @property
    def wire(self) -> bytes:
        body = bytes.fromhex(self.body)
        return b"\xff" * 16 + (19 + len(body)).to_bytes(2, "big") + bytes([self.kind]) + body


def size(text: str) -> int:
    return len(bytes.fromhex(text))


def update(name: str, attributes: str, attrs: Any, as_size: int = 4, addpath: bool = False) -> Vector:
    """An UPDATE of nothing but attributes."""
    data = {"attrs": attrs} | ({"as_size": 2} if as_size == 2 else {})
    return Vector(name, 2, f"0000 {size(attributes):04x} {attributes}", data, as_size, addpath)


def one(title: str, wire: str, value: Any, as_size: int = 4, addpath: bool = False, **more: Any) -> Vector:
    """An UPDATE of one attribute; `title` begins with the attribute's."""
    letters = ((0x80, "O"), (0x40, "T"), (0x20, "P"), (0x10, "X"))
    flags = "".join(letter for bit, letter in letters if int(wire[:2], 16) & bit)
    return update(title, wire, {title.split()[0]: {"flags": flags, "value": value} | more}, as_size, addpath)


def notify(title: str, body: str, code: int, subcode: int, **more: Any) -> Vector:
    return Vector(title, 3, body, {"code": code, "subcode": subcode} | more)


def opened(title: str, tail: str, **more: Any) -> Vector:
    """An OPEN of AS 65000, hold time 90; `tail` begins with the length of its parameters."""
    head = {"bgp": 4, "asn": 65000, "id": "192.0.2.1", "hold": 90}
    return Vector(title, 1, f"04 fde8 005a c0000201 {tail}", head | more)


def capable(title: str, capabilities: str, **caps: Any) -> Vector:
    """An OPEN in the plain form: one parameter with all capabilities."""
    length = size(capabilities)
    return opened(title, f"{length + 2:02x} 02 {length:02x} {capabilities}", caps=caps)


BARE = [
    Vector("KEEPALIVE", 4, "", None),
    Vector("KEEPALIVE with a body", 4, "00", "0x00"),
    Vector("a type without a name", 9, "0102", "0x0102"),
    Vector("type 255, no body", 255, "", "0x"),
    Vector("type 0", 0, "", "0x"),
]

REQUEST = {"af": "IPV4/UNICAST", "subtype": "REQUEST"}
IMMEDIATE = REQUEST | {"when": "IMMEDIATE"}


def filtered(title: str, orf: str, form: dict[str, Any], body: str = "0001 00 01", **more: Any) -> Vector:
    """A ROUTE-REFRESH with one filter, to be acted on at once."""
    return Vector(title, 5, f"{body} 01 {orf}", IMMEDIATE | more | {"orfs": [form]})


# RFC 2918, RFC 7313; filters: RFC 5291 section 4, RFC 5292 section 2
REFRESHES = [
    Vector("ROUTE-REFRESH", 5, "0001 00 01", REQUEST),
    Vector("the begin of a refresh", 5, "0002 01 80", {"af": "IPV6/MPLS_VPN", "subtype": "BORR"}),
    Vector("the end of a refresh", 5, "0001 02 01", REQUEST | {"subtype": "EORR"}),
    Vector("an unknown subtype", 5, "0001 07 01", REQUEST | {"subtype": 7}),
    Vector("a refresh of a family without names", 5, "00ff 00 fe", {"af": "AFI(255)/SAFI(254)", "subtype": "REQUEST"}),
    Vector("ROUTE-REFRESH without a body", 5, "", "0x"),
    Vector("ROUTE-REFRESH too short", 5, "0001 00", "0x000100"),
    Vector("the begin of a refresh with more behind it", 5, "0001 01 01 01", "0x0001010101"),
    Vector("when to refresh alone", 5, "0001 00 01 02", REQUEST | {"when": "DEFER"}),
    Vector("an unknown when", 5, "0001 00 01 09", REQUEST | {"when": 9}),
    Vector("filters cut short", 5, "0001 00 01 01 4000", REQUEST | {"data": "0x014000"}),
    Vector("entries cut short", 5, "0001 00 01 01 40 0002 80", REQUEST | {"data": "0x0140000280"}),
    filtered("no entries", "40 0000", {"type": "ADDRESS_PREFIX", "entries": []}),
    filtered("all entries removed", "40 0001 80", {"type": "ADDRESS_PREFIX", "entries": [{"action": "REMOVE_ALL"}]}),
    filtered(
        "prefixes",
        "40 0015 00 00000005 00 20 18 c00002 60 ffffffff 19 1e 10 0a01",
        {
            "type": "ADDRESS_PREFIX",
            "entries": [
                {"action": "ADD", "match": "PERMIT", "seq": 5, "min": 0, "max": 32, "prefix": "192.0.2.0/24"},
                {"action": "REMOVE", "match": "DENY", "seq": 4294967295, "min": 25, "max": 30, "prefix": "10.1.0.0/16"},
            ],
        },
    ),
    filtered(
        "prefixes of IPv6, as Cisco had them before RFC 5292",
        "80 000c 20 00000001 00 00 20 20010db8",
        {
            "type": "PRE_ADDRESS_PREFIX",
            "entries": [{"action": "ADD", "match": "DENY", "seq": 1, "min": 0, "max": 0, "prefix": "2001:db8::/32"}],
        },
        body="0002 00 01",
        af="IPV6/UNICAST",
    ),
    filtered(
        "a prefix of another family",
        "40 0001 80",
        {"type": "ADDRESS_PREFIX", "data": "0x80"},
        "0019 00 46",
        af="L2VPN/EVPNS",
    ),
    filtered(
        "a prefix with host bits",
        "40 0009 00 00000000 00 00 07 0b",
        {"type": "ADDRESS_PREFIX", "data": "0x0000000000000007" + "0b"},
    ),
    filtered(
        "a prefix too long",
        "40 000d 00 00000000 00 00 21 0a000000 00",
        {"type": "ADDRESS_PREFIX", "data": "0x00000000000000210a00000000"},
    ),
    filtered(
        "a prefix cut short",
        "40 0009 00 00000000 00 00 18 0a",
        {"type": "ADDRESS_PREFIX", "data": "0x00000000000000180a"},
    ),
    filtered("all entries removed twice", "40 0002 8080", {"type": "ADDRESS_PREFIX", "data": "0x8080"}),
    filtered(
        "all entries removed behind a prefix",
        "40 000b 00 00000000 00 00 09 0a80 80",
        {
            "type": "ADDRESS_PREFIX",
            "entries": [
                {"action": "ADD", "match": "PERMIT", "seq": 0, "min": 0, "max": 0, "prefix": "10.128.0.0/9"},
                {"action": "REMOVE_ALL"},
            ],
        },
    ),
    filtered("reserved bits", "40 0001 81", {"type": "ADDRESS_PREFIX", "data": "0x81"}),
    filtered("an unknown action", "40 0001 c0", {"type": "ADDRESS_PREFIX", "data": "0xc0"}),
    filtered("all entries removed, and a match", "40 0001 a0", {"type": "ADDRESS_PREFIX", "data": "0xa0"}),
    filtered("another type of filter", "41 0002 0102", {"type": "CP_ORF", "data": "0x0102"}),
    filtered("a filter without a name", "63 0000", {"type": 99, "data": "0x"}),
]

SHUTDOWN: dict[str, Any] = {"code": 6, "subcode": 2, "name": "CEASE/ADMIN_SHUTDOWN"}
NOTIFICATIONS = [
    notify("a subcode", "06 07", 6, 7, name="CEASE/CONNECTION_COLLISION_RESOLUTION"),
    notify("no subcode", "04 00", 4, 0, name="HOLD_TIMER_EXPIRED"),
    notify("an unknown subcode", "06 63", 6, 99, name="CEASE"),
    notify("an unknown code", "63 01", 99, 1),
    notify("data", "02 02 fde8", 2, 2, name="OPEN_MESSAGE_ERROR/BAD_PEER_AS", data="0xfde8"),
    notify("a text", "06 02 03 627965", **SHUTDOWN, text="bye"),
    notify("a text with escapes", "06 04 05 22 0a c3a9 5c", 6, 4, name="CEASE/ADMIN_RESET", text='"\né\\'),
    notify("a text cut short", "06 02 04 627965", **SHUTDOWN, data="0x04627965"),
    notify("a text with a tail", "06 02 02 627965", **SHUTDOWN, data="0x02627965"),
    notify("an empty text", "06 02 00", **SHUTDOWN, data="0x00"),
    notify("a text that is not UTF-8", "06 02 01 ff", **SHUTDOWN, data="0x01ff"),
    notify("a text with a surrogate", "06 02 03 eda080", **SHUTDOWN, data="0x03eda080"),
    notify("an overlong text", "06 02 02 c0af", **SHUTDOWN, data="0x02c0af"),
    notify("a text elsewhere", "06 03 03 627965", 6, 3, name="CEASE/PEER_DECONFIGURED", data="0x03627965"),
    notify(
        "a hard reset (RFC 8538)",
        "06 09 06 02 03 627965",
        6,
        9,
        name="CEASE/HARD_RESET",
        reason=SHUTDOWN | {"text": "bye"},
    ),
    notify(
        "a hard reset for an unknown reason",
        "06 09 63 01 00",
        6,
        9,
        name="CEASE/HARD_RESET",
        reason={"code": 99, "subcode": 1, "data": "0x00"},
    ),
    notify("a hard reset without a reason", "06 09", 6, 9, name="CEASE/HARD_RESET"),
    notify("a hard reset with half a reason", "06 09 06", 6, 9, name="CEASE/HARD_RESET", data="0x06"),
    notify(
        "a hard reset within a hard reset",
        "06 09 06 09 06 02",
        6,
        9,
        name="CEASE/HARD_RESET",
        reason={"code": 6, "subcode": 9, "name": "CEASE/HARD_RESET", "data": "0x0602"},
    ),
    notify(
        "too many prefixes (RFC 4486)",
        "06 01 0001 01 000003e8",
        6,
        1,
        name="CEASE/MAXIMUM_PREFIXES_REACHED",
        limit={"af": "IPV4/UNICAST", "prefixes": 1000},
    ),
    notify(
        "too many prefixes, cut short", "06 01 0001 01", 6, 1, name="CEASE/MAXIMUM_PREFIXES_REACHED", data="0x000101"
    ),
    notify("BFD is down (RFC 9384)", "06 0a", 6, 10, name="CEASE/BFD_DOWN"),
    notify("a wrong length", "01 02 1001", 1, 2, name="MESSAGE_HEADER_ERROR/BAD_MESSAGE_LENGTH", length=4097),
    notify("a wrong type", "01 03 09", 1, 3, name="MESSAGE_HEADER_ERROR/BAD_MESSAGE_TYPE", type=9),
    notify("another version", "02 01 0004", 2, 1, name="OPEN_MESSAGE_ERROR/UNSUPPORTED_VERSION_NUMBER", version=4),
    notify(
        "another version, in one octet",
        "02 01 04",
        2,
        1,
        name="OPEN_MESSAGE_ERROR/UNSUPPORTED_VERSION_NUMBER",
        data="0x04",
    ),
    notify(
        "a capability (RFC 5492)",
        "02 07 0104 0001 00 01 4600",
        2,
        7,
        name="OPEN_MESSAGE_ERROR/UNSUPPORTED_CAPABILITY",
        caps={"MP": ["IPV4/UNICAST"], "ENHANCED_ROUTE_REFRESH": True},
    ),
    notify(
        "capabilities in another order",
        "02 07 4600 0200 4600",
        2,
        7,
        name="OPEN_MESSAGE_ERROR/UNSUPPORTED_CAPABILITY",
        data="0x460002004600",
    ),
    notify(
        "a capability cut short (RFC 5492)",
        "02 07 4602 00",
        2,
        7,
        name="OPEN_MESSAGE_ERROR/UNSUPPORTED_CAPABILITY",
        data="0x460200",
    ),
    notify("roles that do not fit (RFC 9234)", "02 0b", 2, 11, name="OPEN_MESSAGE_ERROR/ROLE_MISMATCH"),
    notify(
        "an unexpected message (RFC 6608)",
        "05 01 02",
        5,
        1,
        name="FINITE_STATE_MACHINE_ERROR/UNEXPECTED_MESSAGE_IN_OPENSENT",
        type=2,
    ),
    notify(
        "a refresh of the wrong length (RFC 7313)",
        "07 01 ff",
        7,
        1,
        name="ROUTE_REFRESH_MESSAGE_ERROR/INVALID_MESSAGE_LENGTH",
        data="0xff",
    ),
    notify("the peer does not read (RFC 9687)", "08 00", 8, 0, name="SEND_HOLD_TIMER_EXPIRED"),
    notify("link states are lost (RFC 9815)", "09 00", 9, 0, name="LOSS_OF_LSDB_SYNCHRONIZATION"),
    Vector("NOTIFICATION too short", 3, "06", "0x06"),
    Vector("NOTIFICATION without a body", 3, "", "0x"),
]

IPV4 = "0104 0001 00 01"
IPV6 = "0104 0002 00 01"
UNICAST = ["IPV4/UNICAST", "IPV6/UNICAST"]
OPENS = [
    opened("no parameters", "00"),
    capable("several capabilities", IPV4 + "0200 0600", MP=UNICAST[:1], ROUTE_REFRESH=True, EXTENDED_MESSAGE=True),
    capable("MP twice", IPV4 + IPV6, MP=UNICAST),
    capable("MP twice, once of the wrong length", IPV4 + "0101 00", MP=["IPV4/UNICAST", "0x00"]),
    capable("MP of families without names", "0104 00ff 00 fe", MP=["AFI(255)/SAFI(254)"]),
    capable("MP with a reserved octet", "0104 0001 01 01", MP=["0x00010101"]),
    capable("MP of the wrong length", "0103 0001 00", MP=["0x000100"]),
    capable("MP without a value", "0100", MP=[True]),
    capable("AS4", "4104 0003 0d40", AS4=200000),
    capable("AS4 of the wrong length", "4102 fde8", AS4="0xfde8"),
    capable("AS4 twice", "4104 0000 fde8 4104 0003 0d40", AS4=[65000, 200000]),
    capable("ROLE", "0901 03", ROLE="CUSTOMER"),
    capable("an unknown ROLE", "0901 09", ROLE=9),
    capable("ROLE twice", "0901 03 0901 09", ROLE=["CUSTOMER", 9]),
    capable("ADDPATH", "4508 0001 01 03 0002 01 01", ADDPATH=["IPV4/UNICAST/BIDIR", "IPV6/UNICAST/RECEIVE"]),
    capable("ADDPATH in no direction", "4504 0001 01 00", ADDPATH=["IPV4/UNICAST/0"]),
    capable("ADDPATH of the wrong length", "4503 0001 01", ADDPATH="0x000101"),
    capable(
        "ADDPATH twice", "4504 0001 01 03 4504 0002 01 02", ADDPATH=[["IPV4/UNICAST/BIDIR"], ["IPV6/UNICAST/SEND"]]
    ),
    capable("EXTENDED_NEXTHOP", "0506 0001 0001 0002", EXTENDED_NEXTHOP=["IPV4/UNICAST/IPV6"]),
    capable("EXTENDED_NEXTHOP cut short", "0505 0001 0001 00", EXTENDED_NEXTHOP="0x0001000100"),
    capable("GRACEFUL_RESTART", "4002 0078", GRACEFUL_RESTART={"flags": "", "time": 120, "families": []}),
    capable(
        "GRACEFUL_RESTART with families",
        "400a c078 0001 01 80 0002 01 00",
        GRACEFUL_RESTART={
            "flags": "RN",
            "time": 120,
            "families": [{"af": "IPV4/UNICAST", "flags": "F"}, {"af": "IPV6/UNICAST", "flags": ""}],
        },
    ),
    capable(
        "GRACEFUL_RESTART with other flags", "4002 a078", GRACEFUL_RESTART={"flags": "R2", "time": 120, "families": []}
    ),
    capable(
        "GRACEFUL_RESTART with other family flags",
        "4006 0078 0001 01 81",
        GRACEFUL_RESTART={"flags": "", "time": 120, "families": [{"af": "IPV4/UNICAST", "flags": "F1"}]},
    ),
    capable("GRACEFUL_RESTART cut short", "4005 0078 0001 01", GRACEFUL_RESTART="0x0078000101"),
    capable("LLGR", "4707 0001 01 80 000e10", LLGR=[{"af": "IPV4/UNICAST", "flags": "F", "time": 3600}]),
    capable("LLGR without a value", "4700", LLGR=True),
    capable(
        "LLGR with other flags", "4707 0001 01 40 000e10", LLGR=[{"af": "IPV4/UNICAST", "flags": "64", "time": 3600}]
    ),
    capable("LLGR of the wrong length", "4706 0001 01 80 000e", LLGR="0x00010180000e"),
    capable("FQDN", "4907 02 7231 03 6e6574", FQDN={"host": "r1", "domain": "net"}),
    capable("FQDN without a domain", "4904 02 7231 00", FQDN={"host": "r1", "domain": ""}),
    capable("FQDN with escapes", "4906 04 0a 22 c3a9 00", FQDN={"host": '\n"é', "domain": ""}),
    capable("FQDN that is not UTF-8", "4903 01 ff 00", FQDN="0x01ff00"),
    capable("FQDN with a tail", "4905 02 7231 00 00", FQDN="0x0272310000"),
    capable("PRE_FQDN", "b803 01 61 00", PRE_FQDN={"host": "a", "domain": ""}),
    capable(
        "OUTBOUND_FILTERING (RFC 5291)",
        "030e 0001 00 01 02 4003 8001 0002 00 01 00",
        OUTBOUND_FILTERING=[
            {"af": "IPV4/UNICAST", "orfs": ["ADDRESS_PREFIX/BIDIR", "PRE_ADDRESS_PREFIX/RECEIVE"]},
            {"af": "IPV6/UNICAST", "orfs": []},
        ],
    ),
    capable(
        "PRE_OUTBOUND_FILTERING, type and direction without names",
        "8207 0001 00 01 01 6309",
        PRE_OUTBOUND_FILTERING=[{"af": "IPV4/UNICAST", "orfs": ["99/9"]}],
    ),
    capable("OUTBOUND_FILTERING cut short", "0306 0001 00 01 01 40", OUTBOUND_FILTERING="0x000100010140"),
    capable("OUTBOUND_FILTERING with a reserved octet", "0305 0001 01 01 00", OUTBOUND_FILTERING="0x0001010100"),
    capable("BGPSEC (RFC 8205)", "0703 08 0002", BGPSEC={"version": 0, "direction": "SEND", "afi": "IPV6"}),
    capable(
        "BGPSEC of another version", "0703 f0 0063", BGPSEC={"version": 15, "direction": "RECEIVE", "afi": "AFI(99)"}
    ),
    capable("BGPSEC with bits that are not assigned", "0703 01 0001", BGPSEC="0x010001"),
    capable("BGPSEC of the wrong length", "0702 00 00", BGPSEC="0x0000"),
    capable(
        "MULTIPLE_LABELS (RFC 8277)", "0808 0001 04 03 0002 80 ff", MULTIPLE_LABELS=["IPV4/MPLS/3", "IPV6/MPLS_VPN/255"]
    ),
    capable("MULTIPLE_LABELS cut short", "0803 0001 04", MULTIPLE_LABELS="0x000104"),
    capable("DYNAMIC", "4303 01 46 c8", DYNAMIC=["MP", "ENHANCED_ROUTE_REFRESH", "CAP_200"]),
    capable("DYNAMIC with a code twice", "4302 01 01", DYNAMIC="0x0101"),
    capable("MULTISESSION", "4402 80 01", MULTISESSION={"flags": "G", "sessions": ["MP"]}),
    capable("MULTISESSION with other flags", "4401 81", MULTISESSION={"flags": "G1", "sessions": []}),
    capable("MULTISESSION with a code twice", "4403 00 01 01", MULTISESSION="0x000101"),
    capable("PRE_MULTISESSION", "8301 00", PRE_MULTISESSION={"flags": "", "sessions": []}),
    capable("ROUTING_POLICY", "4804 0001 4b 03", ROUTING_POLICY=["IPV4/ROUTING_POLICY/BIDIR"]),
    capable("VERSION", "4b04 03 312e30", VERSION="1.0"),
    capable("VERSION without text", "4b01 00", VERSION=""),
    capable("VERSION with escapes", "4b05 04 0a 22 c3a9", VERSION='\n"é'),
    capable("VERSION that is not UTF-8", "4b02 01 ff", VERSION="0x01ff"),
    capable("VERSION that reads as hex", "4b04 03 305831", VERSION="0x03305831"),
    capable("VERSION with a tail", "4b03 01 31 00", VERSION="0x013100"),
    capable("VERSION twice", "4b02 01 31 4b02 01 32", VERSION=["1", "2"]),
    capable("PATHS_LIMIT", "4c0a 0001 01 0008 0002 01 ffff", PATHS_LIMIT=["IPV4/UNICAST/8", "IPV6/UNICAST/65535"]),
    capable(
        "PATHS_LIMIT twice", "4c05 0001 01 0008 4c05 0002 01 0001", PATHS_LIMIT=[["IPV4/UNICAST/8"], ["IPV6/UNICAST/1"]]
    ),
    capable("PATHS_LIMIT cut short", "4c04 0001 01 00", PATHS_LIMIT="0x00010100"),
    capable(
        "capabilities without octets",
        "4a00 4d00 b900 0400",
        BFD=True,
        LINK_LOCAL_NEXTHOP=True,
        PRE_OPERATIONAL=True,
        MULTIPLE_ROUTES=True,
    ),
    capable("PRE_ROUTING_POLICY, of two meanings", "8104 0001 4b 03", PRE_ROUTING_POLICY="0x00014b03"),
    capable("a capability without a name", "c802 0102", CAP_200="0x0102"),
    capable("the same twice", "c801 01 c801 02", CAP_200=["0x01", "0x02"]),
    capable("the same twice, one without a value", "c800 c801 02", CAP_200=[True, "0x02"]),
    opened(
        "a parameter for each capability",
        f"0c 02 06 {IPV4} 02 02 0200",
        caps={"MP": UNICAST[:1], "ROUTE_REFRESH": True},
        params="0x02060104000100010202" + "0200",
    ),
    opened(
        "repeated capabilities that are not neighbours",
        f"10 02 0e {IPV4} 0200 {IPV6}",
        caps={"MP": UNICAST, "ROUTE_REFRESH": True},
        params="0x020e0104000100010200010400020001",
    ),
    opened(
        "the extended form where it is not needed (RFC 9072)",
        "ff ff 0005 02 0002 0200",
        caps={"ROUTE_REFRESH": True},
        params="0xff00050200020200",
    ),
    opened(
        "the extended form where it is needed (RFC 9072)",
        f"ff ff 0103 02 0100 c8fe {'00' * 254}",
        caps={"CAP_200": "0x" + "00" * 254},
        params="0xff0103020100c8fe" + "00" * 254,
    ),
    opened("a parameter without capabilities", "02 02 00", params="0x0200"),
    opened("a parameter that is not capabilities", "03 01 01 00", params="0x010100"),
    opened("a parameter cut short", "03 02 02 02", params="0x020202"),
    opened("a capability cut short", "04 02 02 0201", params="0x02020201"),
    Vector("OPEN with a length that is too small", 1, "04 fde8 005a c0000201 00 00", "0x04fde8005ac00002010000"),
    Vector("OPEN with a length that is too large", 1, "04 fde8 005a c0000201 01", "0x04fde8005ac000020101"),
    Vector("OPEN without a length", 1, "04 fde8 005a c0000201", "0x04fde8005ac0000201"),
    Vector("OPEN without a body", 1, "", "0x"),
    Vector("OPEN of another version", 1, "03 0001 0000 00000000 00", {"bgp": 3, "asn": 1, "id": "0.0.0.0", "hold": 0}),
]

ORIGIN = "40 01 01 00"
IGP = {"flags": "T", "value": "IGP"}
TEXTS = ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.128/25", "192.0.2.1/32"]
PREFIXES = "00 08 0a 19 c0000280 20 c0000201"
UPDATES = [
    Vector("End-of-RIB", 2, "0000 0000", {}),
    Vector("End-of-RIB of a 2-byte session", 2, "0000 0000", {"as_size": 2}, 2),
    Vector("UPDATE without its second length", 2, "0000 00", "0x000000"),
    Vector("UPDATE without a body", 2, "", "0x"),
    Vector("announced", 2, f"0000 0004 {ORIGIN} {PREFIXES}", {"reach": TEXTS, "attrs": {"ORIGIN": IGP}}),
    Vector("withdrawn", 2, f"{size(PREFIXES):04x} {PREFIXES} 0000", {"unreach": TEXTS}),
    Vector(
        "both, from a 2-byte session",
        2,
        f"0002 08 0b 0004 {ORIGIN} 08 0a",
        {"reach": ["10.0.0.0/8"], "unreach": ["11.0.0.0/8"], "attrs": {"ORIGIN": IGP}, "as_size": 2},
        2,
    ),
    Vector(
        "both, with path ids",
        2,
        f"0006 00000001 08 0b 0004 {ORIGIN} ffffffff 08 0a",
        {"reach": ["#4294967295#10.0.0.0/8"], "unreach": ["#1#11.0.0.0/8"], "attrs": {"ORIGIN": IGP}},
        addpath=True,
    ),
    Vector("host bits are set", 2, "0000 0000 08 0a 09 0a40", "0x00000000080a090a40"),
    Vector("host bits are set in what is withdrawn", 2, "0003 09 0a01 0000", "0x0003090a010000"),
    Vector("a prefix longer than an address", 2, "0000 0000 21 0a000000 00", "0x00000000210a00000000"),
    Vector("a prefix cut short", 2, "0000 0000 18 0a00", "0x00000000180a00"),
    Vector("withdrawn routes longer than the message", 2, "0003 08 0b 0000", "0x0003080b0000"),
    Vector("attributes longer than the message", 2, "0000 0005 40010100", "0x0000000540010100"),
    Vector("an attribute longer than the attributes", 2, "0000 0004 40010200 00", "0x000000044001020000"),
    Vector("an attribute without a length", 2, "0000 0002 4001", "0x000000024001"),
    Vector("an attribute with half a length", 2, "0000 0003 500100", "0x00000003500100"),
    Vector("the same attribute twice", 2, f"0000 0008 {ORIGIN} {ORIGIN}", "0x00000008" + "40010100" * 2),
]

SEQUENCE = "02 02 0000fde8 00030d40"
LONG = "".join(f"{n:08x}" for n in range(1, 301))
ATTRIBUTES = [
    one("ORIGIN IGP", "40 01 01 00", "IGP"),
    one("ORIGIN EGP", "40 01 01 01", "EGP"),
    one("ORIGIN INCOMPLETE", "40 01 01 02", "INCOMPLETE"),
    one("ORIGIN without a name", "40 01 01 03", "0x03"),
    one("ORIGIN too long", "40 01 02 0000", "0x0000"),
    one("ORIGIN without a value", "40 01 00", True),
    one("ORIGIN with extended length", "50 01 0001 00", "IGP"),
    one("ORIGIN with odd flags", "e0 01 01 00", "IGP"),
    update("low bits in the flags", "cf 08 04 00010002", {"COMMUNITY": {"flags": "OT15", "value": ["1:2"]}}),
    update("nothing but low bits", "01 04 04 00000005", {"MED": {"flags": "1", "value": 5}}),
    update("no flags", "00 04 04 00000005", {"MED": {"flags": "", "value": 5}}),
    one("ASPATH", f"40 02 0a {SEQUENCE}", [65000, 200000]),
    one("ASPATH of nothing", "40 02 00", []),
    one("ASPATH of a 2-byte session", "40 02 06 02 02 fde8 fde9", [65000, 65001], as_size=2),
    one("ASPATH with a set", f"40 02 14 {SEQUENCE} 01 02 00000001 00000002", [65000, 200000, [1, 2]]),
    one(
        "ASPATH with sets side by side",
        "40 02 10 0201 0001 0101 0002 0101 0003 0201 0004",
        [1, [2], [3], 4],
        as_size=2,
    ),
    one(
        "ASPATH of a confederation",
        "40 02 0e 0302 0001 0002 0401 0003 0201 0004",
        [{"confed_seq": [1, 2]}, {"confed_set": [3]}, 4],
        as_size=2,
    ),
    one("ASPATH split oddly", "40 02 0a 0201 0001 0202 0002 0003", [1, 2, 3], as_size=2, segments=[1, 2]),
    one(
        "ASPATH split oddly around a set",
        "40 02 10 0201 0001 0101 0009 0201 0002 0201 0003",
        [1, [9], 2, 3],
        as_size=2,
        segments=[1, 1, 1],
    ),
    one(
        "ASPATH of more than 255 hops",
        f"50 02 04b4 02ff {LONG[: 8 * 255]} 022d {LONG[8 * 255 :]}",
        list(range(1, 301)),
    ),
    one(
        "ASPATH of more than 255 hops, split elsewhere",
        f"50 02 04b4 022d {LONG[: 8 * 45]} 02ff {LONG[8 * 45 :]}",
        list(range(1, 301)),
        segments=[45, 255],
    ),
    one("ASPATH with an empty segment", "40 02 02 0200", "0x0200"),
    one("ASPATH with an unknown segment", "40 02 06 0501 00000001", "0x050100000001"),
    one("ASPATH cut short", "40 02 08 0202 00000001 0000", "0x0202000000010000"),
    one("ASPATH with half a segment header", "40 02 07 0201 00000001 02", "0x02010000000102"),
    one("AS4PATH in a 2-byte session", f"c0 11 0a {SEQUENCE}", [65000, 200000], as_size=2),
    one("AS4PATH of nothing", "c0 11 00", []),
    one("AS4PATH split oddly", "c0 11 0c 0201 00000001 0201 00000002", [1, 2], segments=[1, 1]),
    one("NEXTHOP", "40 03 04 c0000201", "192.0.2.1"),
    one("NEXTHOP of IPv6 length", "40 03 10" + "00" * 16, "0x" + "00" * 16),
    one("MED", "80 04 04 ffffffff", 4294967295),
    one("MED too short", "80 04 03 000001", "0x000001"),
    one("LOCALPREF", "40 05 04 00000064", 100),
    one("AGGREGATE", "40 06 00", True),
    one("AGGREGATE with a value", "40 06 01 00", "0x00"),
    one("AGGREGATOR", "c0 07 08 00030d40 c0000201", {"asn": 200000, "addr": "192.0.2.1"}),
    one("AGGREGATOR of a 2-byte session", "c0 07 06 fde8 c0000201", {"asn": 65000, "addr": "192.0.2.1"}, as_size=2),
    one("AGGREGATOR too long", "c0 07 08 0000fde8 c0000201", "0x0000fde8c0000201", as_size=2),
    one("AGGREGATOR too short", "c0 07 06 fde8 c0000201", "0xfde8c0000201"),
    one("AS4AGGREGATOR", "c0 12 08 00030d40 c0000201", {"asn": 200000, "addr": "192.0.2.1"}, as_size=2),
    one("COMMUNITY", "c0 08 08 fde80001 ffffff01", ["65000:1", "65535:65281"]),
    one("COMMUNITY without a value", "c0 08 00", True),
    one("COMMUNITY cut short", "c0 08 06 fde80001 ffff", "0xfde80001ffff"),
    one("ORIGINATOR", "80 09 04 c0000201", "192.0.2.1"),
    one("CLUSTER_LIST", "80 0a 08 c0000201 c0000202", ["192.0.2.1", "192.0.2.2"]),
    one("CLUSTER_LIST without a value", "80 0a 00", True),
    one("OTC", "c0 23 04 0000fde8", 65000),
    one("LARGE_COMMUNITY", "c0 20 0c 0000fde8 00000001 ffffffff", ["65000:1:4294967295"]),
    one("LARGE_COMMUNITY cut short", "c0 20 08 0000fde8 00000001", "0x0000fde800000001"),
    one("ATTR_200", "c0 c8 02 0102", "0x0102"),
    one("ATTR_201 without a value", "c0 c9 00", True),
    one("ATTR_0", "c0 00 01 00", "0x00"),
]

EXT_COMMUNITIES = [
    ("AS2 TARGET", "0002 fde8 00000001", {"type": "TARGET", "value": "65000:1"}),
    ("AS2 ORIGIN", "0003 fde8 ffffffff", {"type": "ORIGIN", "value": "65000:4294967295"}),
    ("IPv4 TARGET", "0102 c0000201 0001", {"type": "IP4_TARGET", "value": "192.0.2.1:1"}),
    ("IPv4 ORIGIN", "0103 c0000201 ffff", {"type": "IP4_ORIGIN", "value": "192.0.2.1:65535"}),
    ("AS4 TARGET", "0202 00030d40 0001", {"type": "AS4_TARGET", "value": "200000:1"}),
    ("AS4 ORIGIN", "0203 00030d40 0000", {"type": "AS4_ORIGIN", "value": "200000:0"}),
    ("a nontransitive TARGET", "4002 fde8 00000001", {"type": "TARGET", "value": "65000:1", "nontransitive": True}),
    ("another AS2 type", "0005 fde8 00000001", {"type": "OSPF_DOMAIN_ID", "value": "65000:1"}),
    ("another IPv4 type", "0107 c0000201 0001", {"type": "OSPF_ROUTER_ID", "value": "192.0.2.1:1"}),
    ("another AS4 type", "0205 00030d40 0001", {"type": "AS4_OSPF_DOMAIN_ID", "value": "200000:1"}),
    ("an AS2 type without a name", "4011 fde8 00000001", {"type": "0x4011", "value": "65000:1", "nontransitive": True}),
    ("an IPv4 type without a name", "0111 c0000201 0001", {"type": "0x111", "value": "192.0.2.1:1"}),
    ("an AS4 type without a name", "0211 00030d40 0001", {"type": "0x211", "value": "200000:1"}),
    (
        "link bandwidth",
        "4004 fde8 4b189680",
        {"type": "LINK_BANDWIDTH", "value": "65000:10000000", "nontransitive": True},
    ),
    ("link bandwidth of the largest rate", "0004 0000 5f7fffff", {"type": "LINK_BANDWIDTH", "value": "0:18446742974197923840"}),
    ("link bandwidth that is larger", "0004 0000 5f800000", {"type": "LINK_BANDWIDTH", "value": "0x5f800000"}),
    ("link bandwidth of less than an octet", "0004 0000 3f000000", {"type": "LINK_BANDWIDTH", "value": "0x3f000000"}),
    ("link bandwidth of zero", "0004 0001 00000000", {"type": "LINK_BANDWIDTH", "value": "1:0"}),
    ("link bandwidth below zero", "0004 0001 80000000", {"type": "LINK_BANDWIDTH", "value": "0x180000000"}),
    ("color", "030b 0000 00000064", {"type": "COLOR", "value": "100"}),
    ("color-only", "030b 4000 00000064", {"type": "COLOR", "value": "1:100"}),
    ("color with other flags", "030b 2000 00000064", {"type": "COLOR", "value": "0x200000000064"}),
    ("encapsulation", "030c 0000 00000008", {"type": "ENCAPSULATION", "value": "VXLAN"}),
    ("encapsulation without a name", "030c 0000 00000063", {"type": "ENCAPSULATION", "value": "99"}),
    ("encapsulation with reserved bits", "030c 0001 00000008", {"type": "ENCAPSULATION", "value": "0x100000008"}),
    ("OSPF route type", "0306 00000001 0200", {"type": "OSPF_ROUTE_TYPE", "value": "0.0.0.1:2:0"}),
    ("cost", "4301 0180 00000064", {"type": "COST", "value": "1:128:100", "nontransitive": True}),
    ("MAC mobility", "0600 0000 00000002", {"type": "MAC_MOBILITY", "value": "2"}),
    ("MAC mobility with other flags", "0600 0200 00000002", {"type": "MAC_MOBILITY", "value": "0x20000000002"}),
    ("ESI label", "0601 0000 00000640", {"type": "ESI_LABEL", "value": "ALL_ACTIVE:100"}),
    ("ESI label of one active", "0601 0100 00000640", {"type": "ESI_LABEL", "value": "SINGLE_ACTIVE:100"}),
    ("ESI label with a bottom of stack", "0601 0000 00000641", {"type": "ESI_LABEL", "value": "0x641"}),
    ("ES-Import", "0602 0011 22334455", {"type": "ES_IMPORT", "value": "00:11:22:33:44:55"}),
    ("router's MAC", "0603 aabb ccddeeff", {"type": "ROUTERS_MAC", "value": "aa:bb:cc:dd:ee:ff"}),
    ("EVI-RT", "060a 0064 0000000a", {"type": "EVI_RT_TYPE_0", "value": "100:10"}),
    ("layer 2 attributes", "0604 0002 05dc0000", {"type": "LAYER2_ATTRIBUTES", "value": "0x205dc0000"}),
    ("an opaque one", "0303 0000 00000007", {"type": "0x303", "value": "0x7"}),
    ("an opaque zero", "030c 0000 00000000", {"type": "ENCAPSULATION", "value": "0"}),
    (
        "a nontransitive opaque one",
        "4300 0000 00000001",
        {"type": "VALIDATION_STATE", "value": "NOT_FOUND", "nontransitive": True},
    ),
    ("an unknown validation state", "4300 0000 00000003", {"type": "VALIDATION_STATE", "value": "3", "nontransitive": True}),
    ("EVPN", "0600 0100 00000002", {"type": "MAC_MOBILITY", "value": "STICKY:2"}),
    ("redirect to AS2", "8008 fde8 00000001", {"type": "FLOW_REDIRECT_AS2", "value": "65000:1"}),
    ("redirect to IPv4", "8108 c0000201 0001", {"type": "FLOW_REDIRECT_IP4", "value": "192.0.2.1:1"}),
    ("redirect to AS4", "8208 00030d40 0001", {"type": "FLOW_REDIRECT_AS4", "value": "200000:1"}),
    ("flow rate", "8006 0000 3f800000", {"type": "FLOW_RATE_BYTES", "value": "0x3f800000"}),
    ("flow action", "8007 0000 00000003", {"type": "FLOW_ACTION", "value": "0x3"}),
    ("another experimental type", "8002 fde8 00000001", {"type": "0x8002", "value": "0xfde800000001"}),
    ("the largest", "ffff ffff ffffffff", {"type": "0xffff", "value": "0xffffffffffff", "nontransitive": True}),
]
ATTRIBUTES += [one(f"EXT_COMMUNITY {name}", f"c0 10 08 {wire}", [value]) for name, wire, value in EXT_COMMUNITIES]
ATTRIBUTES += [
    one("EXT_COMMUNITY cut short", "c0 10 07 0002fde8000000", "0x0002fde8000000"),
    one("EXT_COMMUNITY without a value", "c0 10 00", True),
]

ATTRIBUTES += [one(name, f"{head} {size(wire):02x} {wire}", value) for name, head, wire, value in VALUES]

LOCAL = "fe80 0000 0000 0000 0000 0000 0000 0001"
GLOBAL = "2001 0db8 0000 0000 0000 0000 0000 0001"
MAPPED = "0000 0000 0000 0000 0000 ffff c000 0201"
V6 = {"af": "IPV6/UNICAST"}
V4 = {"af": "IPV4/UNICAST"}


def reach(name: str, wire: str, value: Any, addpath: bool = False) -> Vector:
    return one(f"MP_REACH {name}", f"80 0e {size(wire):02x} {wire}", value, addpath=addpath)


def unreach(name: str, wire: str, value: Any, addpath: bool = False) -> Vector:
    return one(f"MP_UNREACH {name}", f"80 0f {size(wire):02x} {wire}", value, addpath=addpath)


MULTIPROTOCOL = [
    reach(
        "of IPv6",
        f"0002 01 10 {GLOBAL} 00 20 20010db8",
        V6 | {"nexthop": "2001:db8::1", "prefixes": ["2001:db8::/32"]},
    ),
    reach(
        "with a link-local next hop",
        f"0002 01 20 {GLOBAL} {LOCAL} 00 00",
        V6 | {"nexthop": "2001:db8::1", "link-local": "fe80::1", "prefixes": ["::/0"]},
    ),
    reach(
        "with a mapped next hop",
        f"0002 01 10 {MAPPED} 00 80 {MAPPED}",
        V6 | {"nexthop": "::ffff:192.0.2.1", "prefixes": ["::ffff:192.0.2.1/128"]},
    ),
    reach("with the next hop ::", f"0002 01 10 {'00' * 16} 00", V6 | {"nexthop": "::", "prefixes": []}),
    reach("without a next hop", "0002 01 00 00 00", V6 | {"prefixes": ["::/0"]}),
    reach(
        "of IPv6 with path ids",
        f"0002 01 10 {GLOBAL} 00 0000002a 20 20010db8",
        V6 | {"nexthop": "2001:db8::1", "prefixes": ["#42#2001:db8::/32"]},
        addpath=True,
    ),
    reach(
        "of IPv4",
        "0001 01 04 c0000201 00 08 0a",
        V4 | {"nexthop": "192.0.2.1", "prefixes": ["10.0.0.0/8"]},
    ),
    reach(
        "of IPv4 behind IPv6",
        f"0001 01 10 {GLOBAL} 00 08 0a",
        V4 | {"nexthop": "2001:db8::1", "prefixes": ["10.0.0.0/8"]},
    ),
    reach(
        "of IPv4 behind IPv6 with a link-local next hop",
        f"0001 01 20 {GLOBAL} {LOCAL} 00 08 0a",
        V4 | {"nexthop": "2001:db8::1", "link-local": "fe80::1", "prefixes": ["10.0.0.0/8"]},
    ),
    reach(
        "of IPv4 multicast",
        "0001 02 04 c0000201 00 08 0a",
        {"af": "IPV4/MULTICAST", "nexthop": "192.0.2.1", "prefixes": ["10.0.0.0/8"]},
    ),
    reach(
        "of IPv6 multicast",
        f"0002 02 10 {GLOBAL} 00",
        {"af": "IPV6/MULTICAST", "nexthop": "2001:db8::1", "prefixes": []},
    ),
    reach("of IPv6 behind IPv4", "0002 01 04 c0000201 00", "0x00020104c000020100"),
    reach("with a next hop of 12 bytes", "0001 01 0c" + "00" * 12 + "00", "0x0001010c" + "00" * 13),
    reach("with a reserved octet", "0001 01 04 c0000201 01 08 0a", "0x00010104c000020101080a"),
    reach("with host bits", "0001 01 04 c0000201 00 08 0a 07 0b", "0x00010104c000020100080a070b"),
    reach("with a next hop cut short", "0001 01 04 c00002", "0x00010104c00002"),
    reach("without a reserved octet", "0001 01 04 c0000201", "0x00010104c0000201"),
    reach("too short", "0001", "0x0001"),
    reach("without a value", "", True),
    reach(
        "of a VPN",
        "0001 80 0c 0000000000000000c0000201 00 7005dcb10000fbf30000000f0a0000",
        {
            "af": "IPV4/MPLS_VPN",
            "nexthop": "192.0.2.1",
            "nlri": [{"rd": "64499:15", "prefix": "10.0.0.0/24", "labels": [24011]}],
        },
    ),
    reach("of EVPN without anything", "0019 46 00 00", {"af": "L2VPN/EVPNS", "nlri": []}),
    reach("of no known family", "00ff fe 01 aa 00 bb", {"af": "AFI(255)/SAFI(254)", "nh": "0xaa", "data": "0xbb"}),
    reach("of flow rules", "0001 85 00 00 03 01 08 0a", {"af": "IPV4/FLOWSPEC", "rules": [{"DST": "10.0.0.0/8"}]}),
    reach("of a VPN with a reserved octet", "0001 80 00 01", "0x0001800001"),
    unreach("of IPv6", "0002 01 20 20010db8", V6 | {"prefixes": ["2001:db8::/32"]}),
    unreach("of IPv6 with path ids", "0002 01 00000001 00", V6 | {"prefixes": ["#1#::/0"]}, addpath=True),
    unreach("that ends the RIB", "0002 01", V6 | {"prefixes": []}),
    unreach("of IPv4 multicast", "0001 02 08 0a", {"af": "IPV4/MULTICAST", "prefixes": ["10.0.0.0/8"]}),
    unreach("that ends a VPN's RIB", "0001 80", {"af": "IPV4/MPLS_VPN", "nlri": []}),
    unreach("of a VPN", "0001 80 08 0a", {"af": "IPV4/MPLS_VPN", "data": "0x080a"}),
    unreach("with a prefix cut short", "0002 01 20 2001", "0x000201202001"),
    unreach("too short", "0002", "0x0002"),
    unreach("without a value", "", True),
    one(
        "MP_UNREACH of more than 255 bytes",
        f"90 0f 0102 0002 01 {'08 20' * 127} 00",
        V6 | {"prefixes": ["2000::/8"] * 127 + ["::/0"]},
    ),
    one("MP_UNREACH with extended length", "90 0f 0003 0002 01", V6 | {"prefixes": []}),
    update(
        "attributes in an odd order",
        f"80 04 04 00000005 40 03 04 c0000201 {ORIGIN} 40 02 00",
        {
            "MED": {"flags": "O", "value": 5},
            "NEXTHOP": {"flags": "T", "value": "192.0.2.1"},
            "ORIGIN": IGP,
            "ASPATH": {"flags": "T", "value": []},
        },
    ),
]

# RFC 5952, each as a host route: bytes of the address and its text.
ADDRESSES = [
    ("0000 0000 0000 0000 0000 0000 0000 0000", "::"),
    ("0000 0000 0000 0000 0000 0000 0000 0001", "::1"),
    ("0001 0000 0000 0000 0000 0000 0000 0000", "1::"),
    ("2001 0db8 0000 0001 0001 0001 0001 0001", "2001:db8:0:1:1:1:1:1"),
    ("2001 0000 0000 0001 0000 0000 0000 0001", "2001:0:0:1::1"),
    ("2001 0db8 0000 0000 0001 0000 0000 0001", "2001:db8::1:0:0:1"),
    ("0000 0000 0001 0001 0001 0001 0000 0000", "::1:1:1:1:0:0"),
    ("0001 0001 0001 0001 0001 0001 0000 0000", "1:1:1:1:1:1::"),
    ("0000 0001 0001 0001 0001 0001 0001 0000", "0:1:1:1:1:1:1:0"),
    ("abcd ef01 2345 6789 abcd ef01 2345 6789", "abcd:ef01:2345:6789:abcd:ef01:2345:6789"),
    ("0000 0000 0000 0000 0000 0000 c000 0201", "::c000:201"),
    ("0000 0000 0000 0000 0000 ffff c000 0201", "::ffff:192.0.2.1"),
    ("0064 ff9b 0000 0000 0000 0000 c000 0201", "64:ff9b::c000:201"),
]
MULTIPROTOCOL += [
    unreach(f"of {text}", f"0002 01 80 {wire}", V6 | {"prefixes": [f"{text}/128"]}) for wire, text in ADDRESSES
]

# Next hops of families other than plain prefixes (RFC 4364 section 4.3.2, RFC 4659 section 3.2.1, RFC 8950 section 4, RFC 6515 section 2)
RD0 = "00" * 8
NEXT_HOPS = [
    ("0001 04", "04 c0000201", {"nexthop": "192.0.2.1"}),
    ("0001 04", f"10 {GLOBAL}", {"nexthop": "2001:db8::1"}),
    ("0001 04", f"20 {GLOBAL} {LOCAL}", {"nexthop": "2001:db8::1", "link-local": "fe80::1"}),
    ("0001 04", f"0c {RD0} c0000201", {"nh": "0x0000000000000000c0000201"}),
    ("0001 80", f"0c {RD0} c0000201", {"nexthop": "192.0.2.1"}),
    ("0001 80", f"18 {RD0} {GLOBAL}", {"nexthop": "2001:db8::1"}),
    ("0001 80", f"30 {RD0} {GLOBAL} {RD0} {LOCAL}", {"nexthop": "2001:db8::1", "link-local": "fe80::1"}),
    ("0001 80", "0c 0000000000000001 c0000201", {"nh": "0x0000000000000001c0000201"}),
    ("0001 80", "04 c0000201", {"nh": "0xc0000201"}),
    ("0002 80", f"18 {RD0} {MAPPED}", {"nexthop": "::ffff:192.0.2.1"}),
    ("0002 81", f"18 {RD0} {GLOBAL}", {"nexthop": "2001:db8::1"}),
    ("0002 05", "04 c0000201", {"nexthop": "192.0.2.1"}),
    ("0019 46", "04 c0000201", {"nexthop": "192.0.2.1"}),
    ("0001 84", f"10 {GLOBAL}", {"nexthop": "2001:db8::1"}),
    ("0019 46", "00", {}),
]
OTHER_FAMILIES = [
    reach(f"of {NAMES[family]} by {hop.split()[0]} octets, {i}", f"{family} {hop} 00", {"af": NAMES[family], **value, "nlri": []})
    for i, (family, hop, value) in enumerate(NEXT_HOPS)
]
for item in NLRI:
    octets = "0x" + item.wire.replace(" ", "")
    key = "rules" if "FLOWSPEC" in NAMES[item.family] else "nlri"
    value = {"af": NAMES[item.family]} | ({"data": octets} if item.value is None else {key: [item.value]})
    OTHER_FAMILIES.append(unreach(f"of {NAMES[item.family]}: {item.name}", f"{item.family} {item.wire}", value))
    if item.value is not None:
        twice = [{"path_id": 0} | item.value, {"path_id": 4294967295} | item.value]
        OTHER_FAMILIES.append(
            unreach(
                f"of {NAMES[item.family]} with path ids: {item.name}",
                f"{item.family} 00000000 {item.wire} ffffffff {item.wire}",
                {"af": NAMES[item.family], key: twice},
                addpath=True,
            )
        )

VECTORS = [*BARE, *REFRESHES, *NOTIFICATIONS, *OPENS, *UPDATES, *ATTRIBUTES, *MULTIPROTOCOL, *OTHER_FAMILIES]
