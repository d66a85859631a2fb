"""Wire -> JSON: the spelling of docs/json.md, message by message."""

import io
import json
import struct
import time

import pytest

from bgpipe._codec import Buffer, RawDecoder
from bgpipe._json import JsonEncoder, attribute_text
from wire.nlri_vectors import NLRI

MARKER = b"\xff" * 16


def message(kind: int, body: bytes) -> bytes:
    return MARKER + struct.pack(">HB", 19 + len(body), kind) + body


def update(unreach: bytes = b"", attrs: bytes = b"", reach: bytes = b"") -> bytes:
    return message(2, struct.pack(">H", len(unreach)) + unreach + struct.pack(">H", len(attrs)) + attrs + reach)


def attr(flags: int, code: int, value: bytes) -> bytes:
    if flags & 0x10:
        return struct.pack(">BBH", flags, code, len(value)) + value
    return struct.pack(">BBB", flags, code, len(value)) + value


def lines(wire: bytes, **context) -> list[str]:
    decoder = RawDecoder(**context)
    source = io.BytesIO(wire)
    out = Buffer()
    seq = (1, 1)
    while (batch := decoder.read(source)) is not None:
        assert batch.error is None
        seq = batch.number(*seq)
        JsonEncoder().encode(batch, out)
    return bytes(out).decode().splitlines()


def data(wire: bytes, **context):
    """Element 4, the message's own."""
    (line,) = lines(wire, **context)
    return json.loads(line)[4]


def value(code: int, body: bytes, flags: int = 0xC0, **context):
    (shown,) = data(update(attrs=attr(flags, code, body)), **context)["attrs"].values()
    return shown


def test_the_line():
    (line,) = lines(message(4, b""))
    direction, seq, stamp, kind, body, meta = json.loads(line)
    assert (direction, seq, kind, body, meta) == ("R", 1, "KEEPALIVE", None, {})
    assert stamp[:13] == time.strftime("%Y-%m-%dT%H", time.gmtime())
    assert " " not in line, "compact"


def test_direction_left():
    out = Buffer()
    batch = RawDecoder(direction="L").read(io.BytesIO(message(4, b"")))
    JsonEncoder().encode(batch, out)
    assert bytes(out).startswith(b'["L",0,"')


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        (update(), {}),
        (update(reach=bytes.fromhex("00080a180a0102200a0b0c0d")), {"reach": ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.0/24", "10.11.12.13/32"]}),
        (update(unreach=bytes.fromhex("100a01110a0180")), {"unreach": ["10.1.0.0/16", "10.1.128.0/17"]}),
        # host bits set: not what encoding the prefix would give
        (update(reach=bytes.fromhex("110a0181")), "0x00000000110a0181"),
        (update(unreach=bytes.fromhex("070b")), "0x0002070b0000"),
        # the same attribute twice: an object cannot say that
        (update(attrs=attr(0x40, 1, b"\0") * 2), "0x0000000840010100" + "40010100"),
        (update(attrs=attr(0x80, 200, b"") * 2), "0x0000000680c80080c800"),
        # cut short
        (message(2, b""), "0x"),
        (message(2, b"\0\0\0"), "0x000000"),
        (message(2, b"\0\0\0\4\x40\1\1"), "0x00000004400101"),
        (message(4, b"x"), "0x78"),
        (message(5, b"\0\1\0\1"), {"af": "IPV4/UNICAST", "subtype": "REQUEST"}),
        (message(5, b"\0\1\0"), "0x000100"),
        (message(77, b""), "0x"),
    ],
)
def test_bodies(wire, shown):
    assert data(wire) == shown


def test_types_without_a_name_are_numbers():
    assert json.loads(lines(message(77, b"\1"))[0])[3:5] == [77, "0x01"]


@pytest.mark.parametrize(
    ("code", "body", "shown"),
    [
        (1, b"\0", "IGP"),
        (1, b"\1", "EGP"),
        (1, b"\2", "INCOMPLETE"),
        (1, b"\3", "0x03"),
        (1, b"", True),
        (3, b"\x0a\0\0\1", "10.0.0.1"),
        (3, b"\x0a\0\0", "0x0a0000"),
        (4, b"\xff\xff\xff\xff", 4294967295),
        (5, b"\0\0\0\x64", 100),
        (6, b"", True),
        (6, b"\0", "0x00"),
        (7, bytes.fromhex("0000fde80a000001"), {"asn": 65000, "addr": "10.0.0.1"}),
        (7, bytes.fromhex("fde80a000001"), "0xfde80a000001"),
        (8, bytes.fromhex("fde80001ffffffff"), ["65000:1", "65535:65535"]),
        (8, b"", True),
        (9, b"\x0a\0\0\1", "10.0.0.1"),
        (10, bytes.fromhex("0a0000010a000002"), ["10.0.0.1", "10.0.0.2"]),
        (18, bytes.fromhex("000100000a000001"), {"asn": 65536, "addr": "10.0.0.1"}),
        (32, struct.pack(">III", 4294967295, 0, 65536), ["4294967295:0:65536"]),
        (35, b"\0\1\0\0", 65536),
        (40, b"\1\2", "0x0102"),
        (99, b"\1\2", "0x0102"),
        (99, b"", True),
    ],
)
def test_attribute_values(code, body, shown):
    assert value(code, body)["value"] == shown


@pytest.mark.parametrize("asn", [0, 1, 9, 10, 99, 9999, 10000, 65535, 65536, 99999, 100000, 655359999, 655360000, 4294967295])
def test_every_length_of_number(asn):
    assert value(2, b"\2\1" + struct.pack(">I", asn))["value"] == [asn]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("", {"value": []}),
        ("0202 00000001 00000002", {"value": [1, 2]}),
        ("0201 00000001 0102 00000002 00000003 0201 00000004", {"value": [1, [2, 3], 4]}),
        ("0301 00000001 0401 00000002", {"value": [{"confed_seq": [1]}, {"confed_set": [2]}]}),
        ("0201 00000001 0201 00000002", {"value": [1, 2], "segments": [1, 1]}),
        ("0201 00000001 0101 00000002 0201 00000003 0201 00000004", {"value": [1, [2], 3, 4], "segments": [1, 1, 1]}),
        ("02ff" + "00000001" * 255 + "0201 00000002", {"value": [1] * 255 + [2]}),
        ("0201 00000002 02ff" + "00000001" * 255, {"value": [2] + [1] * 255, "segments": [1, 255]}),
        ("0200", {"value": "0x0200"}),
        ("0501 00000001", {"value": "0x050100000001"}),
        ("0202 00000001", {"value": "0x020200000001"}),
        ("02", {"value": "0x02"}),
    ],
)
def test_paths(body, shown):
    got = value(2, bytes.fromhex(body), flags=0x50)
    assert got.pop("flags") == "TX"
    assert got == shown


def test_as_size():
    wire = update(attrs=attr(0x40, 2, bytes.fromhex("0202fde80001")) + attr(0xC0, 7, bytes.fromhex("fde80a000001")))
    assert data(wire, as_size=2) == {
        "attrs": {
            "ASPATH": {"flags": "T", "value": [65000, 1]},
            "AGGREGATOR": {"flags": "OT", "value": {"asn": 65000, "addr": "10.0.0.1"}},
        },
        "as_size": 2,
    }
    assert data(update(), as_size=2) == {"as_size": 2}


@pytest.mark.parametrize(
    ("flags", "shown"),
    [(0x00, ""), (0x80, "O"), (0x40, "T"), (0x20, "P"), (0x10, "X"), (0xF0, "OTPX"), (0x41, "T1"), (0xFF, "OTPX15")],
)
def test_flags(flags, shown):
    assert value(4, b"\0\0\0\1", flags=flags) == {"flags": shown, "value": 1}
    assert value(1, b"\0", flags=flags) == {"flags": shown, "value": "IGP"}


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("0002fde800000064", {"type": "TARGET", "value": "65000:100"}),
        ("4002fde800000064", {"type": "TARGET", "value": "65000:100", "nontransitive": True}),
        ("01020a0000010064", {"type": "IP4_TARGET", "value": "10.0.0.1:100"}),
        ("0203000100000064", {"type": "AS4_ORIGIN", "value": "65536:100"}),
        ("0010fde800000064", {"type": "VPN_DISTINGUISHER", "value": "65000:100"}),
        ("0011fde800000064", {"type": "0x11", "value": "65000:100"}),
        ("8006000049742400", {"type": "FLOW_RATE_BYTES", "value": "0x49742400"}),
        ("8008fde800000001", {"type": "FLOW_REDIRECT_AS2", "value": "65000:1"}),
        ("81080a0000010001", {"type": "FLOW_REDIRECT_IP4", "value": "10.0.0.1:1"}),
        ("8208000100000001", {"type": "FLOW_REDIRECT_AS4", "value": "65536:1"}),
        ("030b000000000064", {"type": "COLOR", "value": "100"}),
        ("4300000000000002", {"type": "VALIDATION_STATE", "value": "INVALID", "nontransitive": True}),
    ],
)
def test_extended_communities(body, shown):
    assert value(16, bytes.fromhex(body))["value"] == [shown]


V6 = "20010db8000000000000000000000001"
LL = "fe800000000000000000000000000001"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (f"000201 10 {V6} 00", {"af": "IPV6/UNICAST", "nexthop": "2001:db8::1", "prefixes": []}),
        (f"000201 10 {V6} 00 00 2020010db8", {"af": "IPV6/UNICAST", "nexthop": "2001:db8::1", "prefixes": ["::/0", "2001:db8::/32"]}),
        (f"000202 20 {V6}{LL} 00 80{V6}", {"af": "IPV6/MULTICAST", "nexthop": "2001:db8::1", "link-local": "fe80::1", "prefixes": ["2001:db8::1/128"]}),
        ("000101 04 0a000001 00 080a", {"af": "IPV4/UNICAST", "nexthop": "10.0.0.1", "prefixes": ["10.0.0.0/8"]}),
        (f"000101 10 {V6} 00", {"af": "IPV4/UNICAST", "nexthop": "2001:db8::1", "prefixes": []}),
        ("000180 0c 00000000000000000a000001 00 aabb", {"af": "IPV4/MPLS_VPN", "nexthop": "10.0.0.1", "data": "0xaabb"}),
        ("000180 0c 00000000000000010a000001 00", {"af": "IPV4/MPLS_VPN", "nh": "0x00000000000000010a000001", "nlri": []}),
        ("001946 00 00", {"af": "L2VPN/EVPNS", "nlri": []}),
        ("400447 00 00", {"af": "LS/LS", "nh": "", "data": ""}),
        ("0fff 63 00 00", {"af": "AFI(4095)/SAFI(99)", "nh": "", "data": ""}),
        # reserved octet, host bits, impossible next hop, cut short
        (f"000201 10 {V6} 01", None),
        (f"000201 10 {V6} 00 2120010db8c0", None),
        (f"000201 10 {V6} 00 4120010db80000000001", None),
        ("000201 04 0a000001 00", None),
        ("000201 10 0a", None),
        ("0002", None),
    ],
)
def test_mp_reach(body, shown):
    raw = bytes.fromhex(body)
    assert value(14, raw, flags=0x80)["value"] == (shown or "0x" + raw.hex())


def test_mp_unreach():
    assert value(15, bytes.fromhex("0002013020010db80001"))["value"] == {"af": "IPV6/UNICAST", "prefixes": ["2001:db8:1::/48"]}
    assert value(15, bytes.fromhex("001946"))["value"] == {"af": "L2VPN/EVPNS", "nlri": []}


def test_path_ids():
    wire = update(unreach=bytes.fromhex("00000001 180a0001"), reach=bytes.fromhex("ffffffff 080a"))
    assert data(wire, addpath=True) == {"reach": ["#4294967295#10.0.0.0/8"], "unreach": ["#1#10.0.1.0/24"]}
    body = bytes.fromhex(f"000201 10 {V6} 00 0000000720 20010db8")
    assert value(14, body, addpath=True)["value"]["prefixes"] == ["#7#2001:db8::/32"]


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ("0000 0000 0000 0000 0000 0000 0000 0000", "::"),
        ("0000 0000 0000 0000 0000 0000 0000 0001", "::1"),
        ("0001 0000 0000 0000 0000 0000 0000 0000", "1::"),
        ("2001 0db8 0000 0001 0000 0000 0000 0001", "2001:db8:0:1::1"),
        ("2001 0000 0000 0001 0000 0000 0001 0001", "2001::1:0:0:1:1"),
        ("2001 0db8 0000 0001 0001 0001 0001 0001", "2001:db8:0:1:1:1:1:1"),
        ("0000 0000 0000 0000 0000 ffff 0a00 0001", "::ffff:10.0.0.1"),
        ("0000 0000 0000 0000 0000 0000 0a00 0001", "::a00:1"),
        ("ffff ffff ffff ffff ffff ffff ffff ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ],
)
def test_ipv6_text(groups, text):
    body = bytes.fromhex(f"000201 10 {groups} 00")
    assert value(14, body)["value"]["nexthop"] == text


def open_message(params: str) -> bytes:
    raw = bytes.fromhex(params)
    return message(1, bytes.fromhex("04fde800b40a000001") + bytes([len(raw)]) + raw)


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ("", {}),
        ("0206 0104 00010001", {"caps": {"MP": ["IPV4/UNICAST"]}}),
        ("020c 0104 00010001 0104 00020001", {"caps": {"MP": ["IPV4/UNICAST", "IPV6/UNICAST"]}}),
        ("0204 0200 8000", {"caps": {"ROUTE_REFRESH": True, "PRE_ROUTE_REFRESH": True}}),
        ("0206 4104 00010000", {"caps": {"AS4": 65536}}),
        ("0206 4504 00010103", {"caps": {"ADDPATH": ["IPV4/UNICAST/BIDIR"]}}),
        ("0206 4504 00010104", {"caps": {"ADDPATH": ["IPV4/UNICAST/4"]}}),
        ("0208 0506 000100010002", {"caps": {"EXTENDED_NEXTHOP": ["IPV4/UNICAST/IPV6"]}}),
        ("0203 0901 02", {"caps": {"ROLE": "RS-CLIENT"}}),
        ("0203 0901 09", {"caps": {"ROLE": 9}}),
        ("0208 4006 8078 000101 80", {"caps": {"GRACEFUL_RESTART": {"flags": "R", "time": 120, "families": [{"af": "IPV4/UNICAST", "flags": "F"}]}}}),
        ("0209 4707 000101 80 000e10", {"caps": {"LLGR": [{"af": "IPV4/UNICAST", "flags": "F", "time": 3600}]}}),
        ("0207 4905 02 6d22 01 0a", {"caps": {"FQDN": {"host": 'm"', "domain": "\n"}}}),
        ("0206 4904 02 ff22 00", {"caps": {"FQDN": "0x02ff2200"}}),
        ("0203 c801 07", {"caps": {"CAP_200": "0x07"}}),
        ("0206 c801 07 c801 08", {"caps": {"CAP_200": ["0x07", "0x08"]}}),
        # not the plain form: the bytes go along
        ("0202 0200 0202 4600", {"caps": {"ROUTE_REFRESH": True, "ENHANCED_ROUTE_REFRESH": True}, "params": "0x0202020002024600"}),
        ("020e 0104 00010001 0200 0104 00020001", {"caps": {"MP": ["IPV4/UNICAST", "IPV6/UNICAST"], "ROUTE_REFRESH": True}, "params": "0x020e01040001000102000104" + "00020001"}),
        ("0102 0000", {"params": "0x01020000"}),
        ("0200", {"params": "0x0200"}),
    ],
)
def test_open(params, shown):
    assert data(open_message(params)) == {"bgp": 4, "asn": 65000, "id": "10.0.0.1", "hold": 180, **shown}


def test_open_with_extended_parameters():
    # RFC 9072 section 2
    params = bytes.fromhex("ff 0005 02 0002 0200")
    wire = message(1, bytes.fromhex("04fde800b40a000001 ff") + params)
    assert data(wire) == {
        "bgp": 4, "asn": 65000, "id": "10.0.0.1", "hold": 180, "caps": {"ROUTE_REFRESH": True}, "params": "0x" + params.hex(),
    }


def test_open_that_looks_extended_and_is_not():
    wire = open_message("ff000100")
    assert data(wire) == "0x" + wire[19:].hex()


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("0602", {"code": 6, "subcode": 2, "name": "CEASE/ADMIN_SHUTDOWN"}),
        ("0602 03 627965", {"code": 6, "subcode": 2, "name": "CEASE/ADMIN_SHUTDOWN", "text": "bye"}),
        ("0604 03 620a22", {"code": 6, "subcode": 4, "name": "CEASE/ADMIN_RESET", "text": 'b\n"'}),
        ("0602 04 e280a8 78", {"code": 6, "subcode": 2, "name": "CEASE/ADMIN_SHUTDOWN", "text": "\u2028x"}),
        ("0602 02 c328", {"code": 6, "subcode": 2, "name": "CEASE/ADMIN_SHUTDOWN", "data": "0x02c328"}),
        ("0602 03 eda080", {"code": 6, "subcode": 2, "name": "CEASE/ADMIN_SHUTDOWN", "data": "0x03eda080"}),
        ("0602 05 627965", {"code": 6, "subcode": 2, "name": "CEASE/ADMIN_SHUTDOWN", "data": "0x05627965"}),
        ("0602 00", {"code": 6, "subcode": 2, "name": "CEASE/ADMIN_SHUTDOWN", "data": "0x00"}),
        ("0603 03 627965", {"code": 6, "subcode": 3, "name": "CEASE/PEER_DECONFIGURED", "data": "0x03627965"}),
        ("0400", {"code": 4, "subcode": 0, "name": "HOLD_TIMER_EXPIRED"}),
        ("0163", {"code": 1, "subcode": 99, "name": "MESSAGE_HEADER_ERROR"}),
        ("6300", {"code": 99, "subcode": 0}),
        ("06", "0x06"),
    ],
)
def test_notification(body, shown):
    wire = message(3, bytes.fromhex(body))
    assert data(wire) == shown
    assert len(lines(wire)) == 1


def test_failures_are_counted_and_typed_values_are_not():
    good = update(attrs=attr(0x40, 1, b"\0"))
    malformed = update(attrs=attr(0x40, 1, b"\7"))
    odd = update(reach=bytes.fromhex("110a0181"))
    batch = RawDecoder().read(io.BytesIO(good + malformed + odd))
    JsonEncoder().encode(batch, Buffer())
    assert batch.failed == 1
    assert [(i, e.field) for i, e in batch.failures()] == [(1, "ORIGIN")]


def extended(capabilities: bytes) -> bytes:
    """RFC 9072"""
    size = len(capabilities)
    return message(1, bytes(9) + b"\xff\xff" + (size + 3).to_bytes(2) + b"\2" + size.to_bytes(2) + capabilities)


FLOWS = attr(0x90, 15, b"\0\1\x85" + (b"\xff\xfd\x09" + b"\x43\xff" * 2045 + b"\xc3\xff") * 15)


def test_the_longest_value_there_is():
    """A value by itself has as much room for each octet as a message."""
    value = bytes(4) + FLOWS
    text = attribute_text(128, value)
    assert text is not None
    assert 24 * len(value) + 4096 < len(text) <= 26 * len(value) + 4096


def test_the_longest_text_there_is():
    # _json.pyx reserves 26 octets of JSON for one of the wire, and 4096 for a message: what needs most of them.
    worst = [
        update(attrs=b"".join(attr(0xEF, code, b"") for code in range(256))),
        update(attrs=b"".join(attr(0xFF, code, b"") for code in range(256))),
        update(unreach=bytes(30000), reach=bytes(30000)),
        update(attrs=attr(0xD0, 8, b"\xff" * 60000)),
        update(attrs=attr(0xD0, 16, b"\xc2\x08\xff\xff\xff\xff\xff\xff" * 7500)),
        update(attrs=attr(0xD0, 2, b"\3\1\xff\xff\xff\xff" * 10000)),
        update(attrs=FLOWS),
        update(attrs=attr(0xD0, 128, bytes(4) + FLOWS)),
        message(1, bytes(9) + b"\xff\xff\xfd\xe8" + b"".join(b"\x02\x00\xf0" + b"\x46\x00" * 120 for _ in range(267))[:65000]),
        message(1, bytes(9) + b"\xf8\2\xf6" + b"\x45\xf4" + b"\x40\x0f\x4a\3" * 61),
        message(1, bytes(9) + b"\xf9\2\xf7" + b"\x49\xf5\xf3" + b"\n" * 243 + b"\0"),
        message(1, bytes(9) + b"\xf8\2\xf6" + b"\x40\xf2\x80\x78" + b"\x40\x0f\x4a\x80" * 60 + b"\2\0"),
        extended((b"\x40\xfe\0\0" + b"\x40\x0f\x4a\x7f" * 63) * 253),
        extended(b"\x44\2\x7f\x46" * 512),
        message(3, b"\6\2\xf0" + b"\x7f" * 240),
        message(5, b"\0\1\0\1\1" + b"\x80\0\1\x80" * 16000),
        message(5, b"\0\1\0\1\1\x40" + (7223 * 9).to_bytes(2) + (b"\x60" + b"\xff" * 6 + b"\0\x80") * 7223),
    ]
    for wire in worst:
        for as_size in (2, 4):
            (line,) = lines(wire, as_size=as_size)
            assert len(line) <= min(26 * len(wire) + 4096, 2_097_152)  # so long may a line be
    (line,) = lines(update(unreach=b"\xff\xff\xff\xff\0" * 6000), addpath=True)
    assert len(line) <= 26 * 30023 + 4096


@pytest.mark.parametrize("item", NLRI, ids=lambda item: f"{item.family} {item.name}")
def test_room_for_nlri(item):
    """Of one alone over and over, each with a path id or not."""
    for path_id in (b"", b"\xff" * 4):
        nlri = (path_id + bytes.fromhex(item.wire)) * 30
        value_octets = bytes.fromhex(item.family) + nlri * (60000 // len(nlri))
        attrs = b"\x90\x0f" + len(value_octets).to_bytes(2) + value_octets
        wire = b"\xff" * 16 + (23 + len(attrs)).to_bytes(2) + b"\2\0\0" + len(attrs).to_bytes(2) + attrs
        out = Buffer()
        JsonEncoder().encode(RawDecoder(addpath=bool(path_id), block_size=1 << 20).read(io.BytesIO(wire)), out)
        assert len(out) <= 26 * len(wire) + 4096
