"""Lines as `bgpdump -m` has them: what each attribute looks like, odd messages, which of the forms; and bgpdump itself says so."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest

from bgpipe._bgpdump import BgpdumpEncoder
from bgpipe._codec import Buffer, Decoder, RawDecoder
from bgpipe._json_reader import JsonDecoder
from bgpipe._mrt import MrtDecoder, MrtEncoder
from bgpipe.errors import InputError

TIME = 1_600_000_000


def ip(text: str) -> bytes:
    return ip_address(text).packed


def prefix(text: str, path_id: int | None = None) -> bytes:
    address, bits = text.split("/")
    return (b"" if path_id is None else struct.pack(">I", path_id)) + bytes([int(bits)]) + ip(address)[: (int(bits) + 7) // 8]


def attribute(code: int, value: bytes, flags: int = 0x40) -> bytes:
    return bytes([flags, code, len(value)]) + value


def update(attrs: bytes = b"", reach: bytes = b"", unreach: bytes = b"") -> bytes:
    body = struct.pack(">H", len(unreach)) + unreach + struct.pack(">H", len(attrs)) + attrs + reach
    return b"\xff" * 16 + struct.pack(">HB", 19 + len(body), 2) + body


def mp_reach(afi: int, hop: bytes, nlri: bytes, safi: int = 1) -> bytes:
    return attribute(14, struct.pack(">HBB", afi, safi, len(hop)) + hop + b"\0" + nlri, 0x80)


def mp_unreach(afi: int, nlri: bytes, safi: int = 1) -> bytes:
    return attribute(15, struct.pack(">HB", afi, safi) + nlri, 0x80)


def segment(kind: int, *asns: int, size: int = 4) -> bytes:
    return bytes([kind, len(asns)]) + b"".join(asn.to_bytes(size, "big") for asn in asns)


def path(*segments: bytes) -> bytes:
    return attribute(2, b"".join(segments))


def path4(*segments: bytes) -> bytes:
    return attribute(17, b"".join(segments), 0xC0)


def two(kind: int, *asns: int) -> bytes:
    return segment(kind, *asns, size=2)


def aggregator(asn: bytes, address: str, code: int = 7) -> bytes:
    return attribute(code, asn + ip(address), 0xC0)


SET, SEQUENCE, CONFED_SEQUENCE, CONFED_SET = 1, 2, 3, 4
TRANS = 23456  # RFC 6793 section 9
ORIGIN = attribute(1, b"\0")
HOP = attribute(3, ip("192.0.2.1"))
PATH = path(segment(SEQUENCE, 65001, 65536))
USUAL = ORIGIN + PATH + HOP
TEN = prefix("10.0.0.0/8")
V6 = prefix("2001:db8:1::/48")
HOP6 = ip("2001:db8::9")
START = "BGP4MP|1600000000|A|192.0.2.1|65001|"
GONE = "BGP4MP|1600000000|W|192.0.2.1|65001|"
AS4, AS2, AS4_LOCAL, AS4_ADDPATH, AS2_ADDPATH = 4, 1, 7, 9, 8


def peer_header(size: int, peer: str = "192.0.2.1", asn: int = 65001) -> bytes:
    ends = ip(peer) + bytes(len(ip(peer)))
    return asn.to_bytes(size, "big") + bytes(size) + struct.pack(">HH", 0, 1 if len(ip(peer)) == 4 else 2) + ends


def record(kind: int, subtype: int, body: bytes) -> bytes:
    return struct.pack(">IHHI", TIME, kind, subtype, len(body)) + body


class Case(NamedTuple):
    """An UPDATE, the lines that it makes, and in a record of which subtype of BGP4MP. alike: bgpdump has the same lines."""

    name: str
    wire: bytes
    lines: list[str]
    subtype: int = AS4
    alike: bool = True

    @property
    def mrt(self) -> bytes:
        return record(16, self.subtype, peer_header(2 if self.subtype in (AS2, AS2_ADDPATH) else 4) + self.wire)


def one(name: str, attrs: bytes, rest: str, alike: bool = True) -> Case:
    """One prefix with these attributes."""
    return Case(name, update(attrs, TEN), [START + "10.0.0.0/8|" + rest], AS4, alike)


def old(name: str, attrs: bytes, path: str, aggregator: str = "", alike: bool = True) -> Case:
    """AS numbers of 2 octets."""
    line = f"{START}10.0.0.0/8|{path}|IGP|192.0.2.1|0|0||NAG|{aggregator}|"
    return Case(name, update(ORIGIN + attrs + HOP, TEN), [line], AS2, alike)


def of_ipv6(text: str, shown: str) -> Case:
    """An IPv6 prefix and next hop of this address."""
    wire = update(ORIGIN + PATH + mp_reach(2, ip(text), prefix(text + "/128")))
    return Case(f"IPv6 {text}", wire, [f"{START}{shown}/128|65001 65536|IGP|{shown}|0|0||NAG||"])


REST = "65001 65536|IGP|192.0.2.1|0|0||NAG||"
REST6 = "65001 65536|IGP|2001:db8::9|0|0||NAG||"
COMMUNITIES = "ffffff01 ffffff02 ffffff03 ffffff04 ffff029a 00010002 00000000 ffffffff"
CASES = [
    one("all that every route has", USUAL, REST),
    Case("withdrawn first, RFC 4271 before RFC 4760",
         update(ORIGIN + PATH + HOP + mp_reach(2, HOP6, V6) + mp_unreach(2, prefix("2001:db8:3::/48")), TEN + prefix("11.0.0.0/8"), prefix("12.0.0.0/8")),
         [GONE + "12.0.0.0/8", GONE + "2001:db8:3::/48", START + "10.0.0.0/8|" + REST, START + "11.0.0.0/8|" + REST, START + "2001:db8:1::/48|" + REST6]),
    Case("IPv4 in MP_REACH", update(ORIGIN + PATH + mp_reach(1, ip("192.0.2.1"), TEN)), [START + "10.0.0.0/8|" + REST]),
    Case("RFC 8950", update(USUAL + mp_reach(1, HOP6, TEN)), [START + "10.0.0.0/8|" + REST6]),
    Case("link-local too", update(ORIGIN + PATH + mp_reach(2, HOP6 + ip("fe80::1"), V6)), [START + "2001:db8:1::/48|" + REST6]),
    Case("multicast", update(ORIGIN + PATH + mp_reach(2, HOP6, V6, 2) + mp_unreach(1, TEN, 2)), [GONE + "10.0.0.0/8", START + "2001:db8:1::/48|" + REST6]),
    Case("another family has no lines", update(USUAL + mp_reach(1, bytes(12), bytes.fromhex("680001810000fdf20000000f0a"), 128), TEN), [START + "10.0.0.0/8|" + REST]),
    Case("End-of-RIB", update(), []),
    Case("no next hop in MP_REACH", update(ORIGIN + PATH + mp_reach(2, b"", V6)), [START + "2001:db8:1::/48|65001 65536|IGP|255.255.255.255|0|0||NAG||"], AS4, False),
    one("no attributes", b"", "|INCOMPLETE|255.255.255.255|0|0||NAG||"),
    one("no origin", PATH + HOP, "65001 65536|INCOMPLETE|192.0.2.1|0|0||NAG||"),
    one("empty path", attribute(1, b"\1") + path() + HOP, "|EGP|192.0.2.1|0|0||NAG||"),
    one("origin incomplete", attribute(1, b"\2") + PATH + HOP, "65001 65536|INCOMPLETE|192.0.2.1|0|0||NAG||"),
    one("an origin that there is not", attribute(1, b"\3") + PATH + HOP, "65001 65536|INCOMPLETE|192.0.2.1|0|0||NAG||"),
    one("sets and confederations",
        ORIGIN + path(segment(CONFED_SEQUENCE, 1, 2), segment(CONFED_SET, 3, 4), segment(SET, 7, 8), segment(SEQUENCE, 9), segment(SEQUENCE, 10)) + HOP,
        "(1 2) [3,4] {7,8} 9 10|IGP|192.0.2.1|0|0||NAG||"),
    one("a path that does not parse", ORIGIN + path(segment(5, 1)) + HOP, "! Error !|IGP|192.0.2.1|0|0||NAG||"),
    one("MED and LOCAL_PREF", USUAL + attribute(4, b"\xff" * 4, 0x80) + attribute(5, b"\0\0\0\x64"), "65001 65536|IGP|192.0.2.1|100|4294967295||NAG||"),
    one("aggregated", USUAL + attribute(6, b"") + aggregator(b"\0\1\0\0", "10.0.0.1"), "65001 65536|IGP|192.0.2.1|0|0||AG|65536 10.0.0.1|"),
    one("an aggregator that does not parse", USUAL + aggregator(b"\0\1", "10.0.0.1"), REST, False),
    one("communities", USUAL + attribute(8, bytes.fromhex(COMMUNITIES), 0xC0),
        "65001 65536|IGP|192.0.2.1|0|0|no-export no-advertise local-AS 65535:65284 65535:666 1:2 0:0 65535:65535|NAG||"),
    one("no large nor extended communities", USUAL + attribute(16, bytes(8), 0xC0) + attribute(32, bytes(12), 0xC0), REST),
    Case("an attribute twice", update(USUAL + ORIGIN, TEN), [], AS4, False),
    Case("host bits", update(USUAL, bytes.fromhex("0d0a09")), [START + "10.9.0.0/13|" + REST]),
    Case("a prefix that is cut short", update(USUAL, TEN + b"\x20\x0a"), [], AS4, False),
    Case("a prefix of 33 bits", update(USUAL, bytes.fromhex("210a09090900")), [], AS4, False),
    old("AS4_PATH as long as AS_PATH", path(two(SEQUENCE, 65001, TRANS)) + path4(segment(SEQUENCE, 65001, 4200000000)), "65001 4200000000"),
    old("a shorter one", path(two(SEQUENCE, 65001, TRANS, 7)) + path4(segment(SEQUENCE, 4200000000, 7)), "65001 4200000000 7"),
    old("a longer one", path(two(SEQUENCE, TRANS, 7)) + path4(segment(SEQUENCE, 1, 2, 3)), "23456 7"),
    old("a set counts as one", path(two(SEQUENCE, 65001, TRANS), two(SET, TRANS, 5)) + path4(segment(SET, 4200000001, 5)), "65001 23456 {4200000001,5}"),
    old("confederations do not", path(two(CONFED_SEQUENCE, 65001, 64999), two(SEQUENCE, TRANS, 9)) + path4(segment(SEQUENCE, 4200000000, 9)),
        "(65001 64999) 4200000000 9"),
    old("cut inside the second segment", path(two(SEQUENCE, 1, 2, 3), two(SEQUENCE, TRANS, 9)) + path4(segment(SEQUENCE, 10)), "1 2 3 23456 10", alike=False),
    old("confederations in AS4_PATH", path(two(SEQUENCE, 8, TRANS)) + path4(segment(CONFED_SEQUENCE, 1), segment(SEQUENCE, 4200000000)), "8 4200000000", alike=False),
    old("a confederation behind a sequence that is cut", path(two(SEQUENCE, 7, 8, TRANS), two(CONFED_SEQUENCE, 1)) + path4(segment(SEQUENCE, 8, 4200000000)), "7 8 4200000000", alike=False),
    old("an AS4_PATH that does not parse", path(two(SEQUENCE, 8, TRANS)) + path4(b"\2\1\0"), "8 23456", alike=False),
    old("AS4_AGGREGATOR", path(two(SEQUENCE, TRANS)) + path4(segment(SEQUENCE, 4200000000)) + aggregator(b"\x5b\xa0", "10.0.0.1") + aggregator(b"\xfa\x56\xea\0", "10.0.0.2", 18),
        "4200000000", "4200000000 10.0.0.2"),
    old("void, both of them", path(two(SEQUENCE, TRANS)) + path4(segment(SEQUENCE, 4200000000)) + aggregator(b"\0\7", "10.0.0.1") + aggregator(b"\xfa\x56\xea\0", "10.0.0.2", 18),
        "23456", "7 10.0.0.1"),
    one("AS4_PATH beside long numbers", ORIGIN + path(segment(SEQUENCE, 1, TRANS)) + HOP + path4(segment(SEQUENCE, 4200000000)), "1 23456|IGP|192.0.2.1|0|0||NAG||"),
    one("an attribute past the end, behind one that is wrong", attribute(1, b"\x09") + PATH + HOP + b"\xc0\x08\xc8\0\1\0\1", "65001 65536|INCOMPLETE|192.0.2.1|0|0||NAG||"),
    Case("path ids", update(ORIGIN + PATH + HOP, prefix("10.0.0.0/8", 7), prefix("12.0.0.0/8", 4294967295)),
         ["BGP4MP_AP|1600000000|W|192.0.2.1|65001|12.0.0.0/8|4294967295", "BGP4MP_AP|1600000000|A|192.0.2.1|65001|10.0.0.0/8|7|" + REST], AS4_ADDPATH),
    Case("path ids, 2 octets", update(ORIGIN + path(two(SEQUENCE, 65001)) + mp_reach(2, HOP6, prefix("2001:db8:1::/48", 0))),
         ["BGP4MP_AP|1600000000|A|192.0.2.1|65001|2001:db8:1::/48|0|65001|IGP|2001:db8::9|0|0||NAG||"], AS2_ADDPATH),
    Case("sent by the collector", update(USUAL, TEN), ["BGP4MP_LOCAL|1600000000|A|192.0.2.1|65001|10.0.0.0/8|" + REST], AS4_LOCAL),
    of_ipv6("2001:db8:0:1:1:1:1:1", "2001:db8::1:1:1:1:1"),
    of_ipv6("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
    of_ipv6("1:0:0:2:0:0:3:0", "1::2:0:0:3:0"),
    of_ipv6("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6"),
    of_ipv6("1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7::"),
    of_ipv6("0:2:3:4:5:6:7:8", "::2:3:4:5:6:7:8"),
    of_ipv6("::", "::"),
    of_ipv6("::1", "::1"),
    of_ipv6("::1:2", "::0.1.0.2"),
    of_ipv6("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
    of_ipv6("::fffe:1.2.3.4", "::fffe:102:304"),
    of_ipv6("::ffff:0:1.2.3.4", "::ffff:0:102:304"),
]


def encode(decoder: Decoder, data: bytes, encoder: BgpdumpEncoder | None = None) -> list[str]:
    encoder = encoder or BgpdumpEncoder()
    source, out = io.BytesIO(data), Buffer()
    while (batch := decoder.read(source)) is not None:
        assert batch.error is None
        encoder.encode(batch, out)
    assert out.messages == bytes(out).count(b"\n")
    return bytes(out).decode().splitlines()


def bgpdump(data: bytes, folder: Path) -> list[str]:
    if shutil.which("bgpdump") is None:
        pytest.skip("bgpdump is not installed")
    file = folder / "in.mrt"
    file.write_bytes(data)
    done = subprocess.run(["bgpdump", "-q", "-m", str(file)], capture_output=True, check=False, timeout=60)
    return done.stdout.decode("latin-1").splitlines() if done.returncode == 0 else ["it aborts"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_lines(case: Case) -> None:
    assert encode(MrtDecoder(), case.mrt) == case.lines


def test_bgpdump_has_the_same_lines(tmp_path: Path) -> None:
    """All cases that are to be alike in one file, and of the others each by itself: it does differ."""
    alike = [case for case in CASES if case.alike]
    assert bgpdump(b"".join(case.mrt for case in alike), tmp_path) == [line for case in alike for line in case.lines]
    for case in CASES:
        assert case.alike or bgpdump(case.mrt, tmp_path) != case.lines, case.name


def test_time_in_microseconds() -> None:
    data = record(17, AS4, struct.pack(">I", 42) + peer_header(4) + update(USUAL, TEN))
    assert encode(MrtDecoder(), data) == [f"BGP4MP_ET|1600000000.000042|A|192.0.2.1|65001|10.0.0.0/8|{REST}"]


def routes(subtype: int, prefix: bytes, attrs: bytes, path_id: bytes = b"") -> bytes:
    """A RIB of one peer (RFC 6396 section 4.3)."""
    peers = bytes(6) + b"\0\1\2" + bytes(4) + ip("192.0.2.1") + struct.pack(">I", 65001)
    entry = struct.pack(">HI", 0, TIME - 9) + path_id + struct.pack(">H", len(attrs)) + attrs
    return record(13, 1, peers) + record(13, subtype, bytes(4) + prefix + b"\0\1" + entry)


def test_routes_of_ribs() -> None:
    lines = encode(MrtDecoder(), routes(2, TEN, USUAL))
    assert lines == ["TABLE_DUMP2|1600000000|B|192.0.2.1|65001|10.0.0.0/8|" + REST]
    lines = encode(MrtDecoder(), routes(8, TEN, USUAL, b"\0\0\0\5"))
    assert lines == ["TABLE_DUMP2_AP|1600000000|B|192.0.2.1|65001|10.0.0.0/8|5|" + REST]
    attrs = ORIGIN + path(two(SEQUENCE, 65001)) + HOP
    body = bytes(4) + ip("10.0.0.0") + b"\x08\1" + bytes(4) + ip("192.0.2.1") + b"\xfd\xe9" + struct.pack(">H", len(attrs)) + attrs
    lines = encode(MrtDecoder(), record(12, 1, body))
    assert lines == ["TABLE_DUMP|1600000000|B|192.0.2.1|65001|10.0.0.0/8|65001|IGP|192.0.2.1|0|0||NAG||"]


def test_other_sources() -> None:
    """The peer is that of the tags; one that is not known is written as zeros, as in MRT."""
    line = b'["L",1,"2020-09-13T12:26:40.500","UPDATE",{"reach":["10.0.0.0/8"]},{"PEER_IP":"2001:db8::1","PEER_AS":"4200000000"}]\n'
    shown = "10.0.0.0/8||INCOMPLETE|255.255.255.255|0|0||NAG||"
    assert encode(JsonDecoder(), line) == [f"BGP4MP_ET|1600000000.500000|A|2001:db8::1|4200000000|{shown}"]
    (bare,) = encode(RawDecoder(), update(b"", TEN))
    assert bare.split("|", 3)[3] == f"0.0.0.0|0|{shown}"


def test_messages_without_prefixes() -> None:
    """OPEN, NOTIFICATION, KEEPALIVE have no lines; nor has what does not parse, which counts as failed."""
    wires = [b"\xff" * 16 + struct.pack(">HB", 19 + len(body), kind) + body for kind, body in ((4, b""), (3, b"\6\2"), (2, b"\0\7\0\0"))]
    batch = RawDecoder().read(io.BytesIO(b"".join(wires)))
    out = Buffer()
    assert batch is not None
    BgpdumpEncoder().encode(batch, out)
    assert bytes(out) == b""
    assert batch.failed == 1


def test_in_parts() -> None:
    """A part ends behind the message with which it is long enough; what does not parse counts at once, since it is asked for then."""
    wires = [update(USUAL, TEN), b"\xff" * 16 + struct.pack(">HB", 23, 2) + b"\0\7\0\0", update(USUAL, TEN + TEN)]
    whole, part = Buffer(), Buffer()
    for out, size in ((whole, 0), (part, 1)):
        batch = RawDecoder().read(io.BytesIO(b"".join(wires * 3)))
        assert batch is not None
        encoder, parts = BgpdumpEncoder(), 0
        encoder.part = size
        encoder.encode(batch, out)
        assert batch.failed == 3
        while encoder.unfinished:
            before = len(out)
            encoder.go_on(batch, out)
            parts += len(out) > before
        assert (encoder.written, out.messages, batch.failed) == (9, 9, 3)
        assert parts == (5 if size else 0)
    said, in_parts = ([text.split(b"|")[2:] for text in bytes(out).splitlines()] for out in (whole, part))  # without the time
    assert said == in_parts


def test_a_message_of_too_many_lines() -> None:
    """Each line repeats all attributes: few octets could ask for any amount of text."""
    attrs = ORIGIN + bytes([0x50, 2]) + struct.pack(">H", 24 * 1022) + (b"\2\xff" + b"\xff" * 1020) * 24 + HOP
    skipped: list[InputError] = []
    encoder = BgpdumpEncoder(on_skip=skipped.append)
    lines = encode(RawDecoder(), update(attrs, bytes(30_000)) + update(USUAL, TEN), encoder)
    assert len(lines) == 1
    assert encoder.skipped == 1
    assert "more than 8 MiB of lines" in str(skipped[0])


def test_what_is_written_as_mrt_has_the_same_lines(tmp_path: Path) -> None:
    """bgpdump says of our MRT what we say ourselves."""
    messages = [["R", n, "2020-09-13T12:26:40.5", "UPDATE", {"reach": [f"10.{n}.0.0/16"], "unreach": ["11.0.0.0/8"]}] for n in range(50)]
    data = "".join(str([*message, {"PEER_IP": f"192.0.2.{n % 5}"}]).replace("'", '"') + "\n" for n, message in enumerate(messages)).encode()
    mrt, source, decoder = Buffer(), io.BytesIO(data), JsonDecoder()
    while (batch := decoder.read(source)) is not None:
        MrtEncoder().encode(batch, mrt)
    assert bgpdump(bytes(mrt), tmp_path) == encode(JsonDecoder(), data)
