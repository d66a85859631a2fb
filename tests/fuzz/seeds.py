"""Inputs to start a target's fuzzer from: real messages, and small ones of every kind.

`python seeds.py TARGET FOLDER` writes them into FOLDER; test_replay.py runs them through the target.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from bgpipe._codec import Buffer, RawDecoder
from bgpipe._json import JsonEncoder

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from bgpipe.names import ATTRIBUTES  # noqa: E402
from wire.nlri_vectors import FAMILIES, NLRI  # noqa: E402
from wire.vectors import VECTORS  # noqa: E402

REGRESSIONS = Path(__file__).parent / "regressions"
MARKER = b"\xff" * 16
SPELLINGS = [
    b"",
    b"\n# comment\n  \n[]",
    b'{"reach":["192.0.2.0/24"],"attrs":{"ORIGIN":"IGP","ASPATH":[64496,[64497]],"NEXTHOP":"192.0.2.1"}}',
    b'{"attrs":{"MP_REACH":{"af":"IPV6/UNICAST","nexthop":"2001:db8::1","prefixes":["#7#2001:db8::/32"]}}}\n',
    b'["L",1,"2025-01-01T00:00:00.123456789Z","OPEN",{"bgp":4,"asn":65551,"id":"192.0.2.1","hold":90,"caps":{}},null]',
    b'["R",2,null,"NOTIFY",{"code":6,"subcode":2,"text":"x\\u00e9"},{"ACTION":"DROP","\\ud83d\\ude00":"\\u0000"}]',
    b'["R",3,1735689600.5,"UPDATE","0x0000",{}]\n["R",4,"",9,"0x",{"PEER_IP":"2001:db8::1"}]',
    b'[null,null,null,null,{"COMMUNITY":["64496:1"]},null]',
]

# Each form that capabilities, NOTIFICATIONs and ROUTE-REFRESHs have.
CAPABILITIES = """
010400010001 010100 030900010001024001800382050002000100 0506000100010002 0703080002 080400010403 090103 090109 4002a078
400ac0780001018000020201 41040000fde8 4303014602 44028001 83020001 45080001010300020107 470700010180000e10 480400014b03
490402723100 4b0403312e30 4b0403307831 4c050001010008 b803016100 c8020102
"""
NOTIFICATIONS = """
060203627965 0609060203627965 060906090602 0601000101000003e8 01021001 010309 02010004 02070104000100014600 050102 020b
"""
REFRESHES = """
00010001 00020180 00010001014000150000000005002018c0000260ffffffff191e100a01 000200010280000c200000000100002020010db8
00010001014100020102 0001000101630000
"""

FILTERS = """
update && !(med) || open
(prefix ~ 192.0.2.0/24 && reach[*] <= ::/0) || unreach >= 10.0.0.0/8
prefix in [10.0.0.0/8, 2001:db8::/32, 192.0.2.1] || prefix[*] != 10.0.0.0/8
nh ~ 192.0.2.0/24 || nexthop < 2001:db8::1 || nh in [1.2.3.4,::1]
as_origin == 64500 || aspath[1] > 5 || aspath[-3] in [1,2,0xffff] || !as_peer < 5
aspath ~ "^(64500|[0-9]+),\\\\[" || aspath == "1,[2,3],4" || aspath_len > 4 || aspath_hops != 3
com == 65000:1 || com ~ "65000:[0-9]+\"" || com in [NO_EXPORT,1:2] || com
ext_com == TARGET:65000:1 || ext_com ~ nontransitive || large_com !~ 1:2:3 || com_large == 1:2:3
origin != igp && med >= 100 && local_pref < 5 && otc in [1,2]
tag[PEER_AS] == 64500 || tag ~ ^6 || !tag[x] || tag != y
dir == L && seq > 0 && time < 2023-01-01T12:00:00.5Z && time ~ T12
json[attrs.ASPATH.value.0] >= 1.5 || json[reach.0] ~ 192 || attr[MED] == 5 || attr[ATTR_99]
af == IPV6/UNICAST || af in [ipv4, FLOWSPEC] || ipv4 || type in [open,77]
""".strip().splitlines()


COMMANDS = """
announce route 10.0.0.0/8 next-hop 192.0.2.1 origin egp as-path [ 1 2 4200000000 ] med 5 local-preference 6 atomic-aggregate
announce route 10.0.0.0/8 next-hop self aggregator ( 1:1.2.3.4 ) community [ 1:2 no-export blackhole ] originator-id 1.2.3.4
announce route 2001:db8::/32 next-hop 2001:db8::1 cluster-list [ 1.1.1.1 ] extended-community [ target:1:2 0x0102030405060708 ]
withdraw route 10.0.0.0/8 path-information 0.0.0.5
announce route 10.0.0.0/22 next-hop 192.0.2.1 split /24 large-community [ 1:2:3 ] attribute [ 0x99 0xc0 0x0102 ] aigp 5
announce attributes next-hop 192.0.2.1 as-path [ 1 ( 2 3 ) ] nlri 10.0.0.0/8 11.0.0.0/8
neighbor 192.0.2.1 local-as 5, neighbor 192.0.2.2 announce ipv4 multicast 10.0.0.0/8 next-hop 192.0.2.1 otc 5
group attributes next-hop 192.0.2.1 med 5 ; announce route 10.0.0.0/8 ; withdraw route 11.0.0.0/8
announce eor ipv6 unicast
announce route-refresh ipv4 unicast
announce route 10.0.0.0/8 next-hop 192.0.2.1 rd 65000:1 label [ 1 2 ] bgp-prefix-sid [ 300, [ ( 800000,4096 ) ] ]
announce ipv4 flow destination-ipv4 10.0.0.1/32 protocol [ =tcp =udp ] destination-port >8080&<8088 extended-community rate-limit:0
announce flow route { match { source ::1/128/0; fragment [ first-fragment !is-fragment ]; } then { redirect 65000:1; } }
""".strip().splitlines()


def corpus() -> Path | None:
    """The folder of real data, or None where there is none."""
    folder = Path(os.environ.get("BGPIPE_CORPUS") or ROOT.parent / "shared" / "data")
    return folder if folder.is_dir() else None


def messages() -> Iterator[bytes]:
    """Whole BGP messages: made ones, those of the tests, then those of the corpus."""
    yield MARKER + b"\x00\x13\x04"
    yield MARKER + b"\x00\x17\x02\x00\x00\x00\x00"
    yield MARKER + b"\x00\x17\x05\x00\x01\x00\x01"
    yield MARKER + b"\x00\x15\x03\x06\x02"
    yield MARKER + b"\x00\x1d\x01\x04\xfb\xf0\x00\x5a\xc0\x00\x02\x01\x00"
    for capability in map(bytes.fromhex, CAPABILITIES.split()):
        size = len(capability)
        yield MARKER + bytes((0, 31 + size, 1)) + b"\x04\xfb\xf0\x00\x5a\xc0\x00\x02\x01" + bytes((size + 2, 2, size)) + capability
    for kind, bodies in ((3, NOTIFICATIONS), (5, REFRESHES)):
        for body in map(bytes.fromhex, bodies.split()):
            yield MARKER + bytes((0, 19 + len(body), kind)) + body
    yield from (vector.wire for vector in VECTORS)
    yield from sample_messages()
    folder = corpus()
    if folder is not None:
        for line in (folder / "bgp" / "messages.tsv").read_text("utf-8").splitlines()[1:]:
            yield bytes.fromhex(line.split("\t")[4])


def sample_messages() -> Iterator[bytes]:
    data = (ROOT / "samples" / "session.mrt").read_bytes()
    at = data.find(MARKER)
    while at >= 0:
        length = int.from_bytes(data[at + 16 : at + 18])
        yield data[at : at + length]
        at = data.find(MARKER, at + length)


def of_type(kinds: set[int]) -> Iterator[bytes]:
    return (message for message in messages() if len(message) > 18 and message[18] in kinds)


def path_attributes() -> Iterator[tuple[int, bytes]]:
    """Code and value, one of each code, length and first octets."""
    seen = set[tuple[int, int, bytes]]()
    for message in of_type({2}):
        at = 23 + int.from_bytes(message[19:21])
        end = min(len(message), at + int.from_bytes(message[at - 2 : at]))
        while at + 4 <= end:
            start = at + (4 if message[at] & 0x10 else 3)
            size = int.from_bytes(message[at + 2 : start])
            code, value = message[at + 1], message[start : start + size]
            key = code, size, value[:9]
            if key not in seen and size < 4096:
                seen.add(key)
                yield code, value
            at = start + size


def json_lines() -> Iterator[bytes]:
    """What the writer makes of all messages, one line and several at a time, and spellings that it does not make."""
    made = []
    for message in messages():
        decoder, out = RawDecoder(), Buffer()
        batch = decoder.read(BytesIO(message))
        if batch is not None and batch.error is None:
            JsonEncoder().encode(batch, out)
            made.append(re.sub(rb'"20[^"]*"', b'"2025-01-01T00:00:00.000"', bytes(out), count=1))
    yield from made
    yield from (b"".join(made[i : i + 5]) for i in range(0, len(made), 5))
    yield from (json.dumps(json.loads(line), indent=1).replace("\n", " ").encode() for line in made[::7])
    yield from SPELLINGS


def mrt_records() -> Iterator[bytes]:
    """Records of each type and subtype that the samples and the corpus hold, alone and a few together."""
    files = [(ROOT / "samples" / name).read_bytes() for name in ("session.mrt", "rib.mrt")]
    folder = corpus()
    if folder is not None:
        for path in sorted((folder / "mrt").iterdir()):
            opener = bz2.open if path.suffix == ".bz2" else gzip.open
            with opener(path) as file:
                files.append(file.read(1 << 18))
    for data in files:
        index, at, seen = b"", 0, dict[bytes, int]()
        while at + 12 <= len(data):
            end = at + 12 + int.from_bytes(data[at + 8 : at + 12])
            kind = data[at + 4 : at + 8]
            if kind == b"\0\x0d\0\1":
                index = data[at:end]
            seen[kind] = seen.get(kind, 0) + 1
            if seen[kind] in (1, 2, 5) and end - at < 4096:
                yield (index if kind[:2] == b"\0\x0d" and len(index) < 8192 else b"") + data[at:end]
                if seen[kind] == 5:
                    yield index + data[at : at + 2000]
            at = end


def bmp_streams() -> Iterator[bytes]:
    """A Peer Up message, an UPDATE with path ids and a Peer Down message; then messages of each kind in the corpus."""
    head = bytes(12) + b"\0" * 10 + b"\xc0\0\2\1\0\0\xfd\xe9\1\1\1\1" + bytes(4) + b"\0\0\0\5"
    opening = MARKER + b"\0\x2d\1\4\xfd\xe9\0\xb4\1\1\1\1\x10" + b"\2\6\x41\4\0\0\xfd\xe9" + b"\2\6\x45\4\0\1\1\3"
    update = MARKER + b"\0\x1f\2\0\x08\0\0\0\7\x18\xc0\0\2\0\0"
    told = [(3, bytes(20) + opening * 2), (0, update), (2, b"\3" + MARKER + b"\0\x15\3\6\2"), (6, b"\0\0\0\x1f" + update)]
    told += [(1, b"\0\0\0\1\0\0\0\4\0\0\0\1"), (2, b"\2\0\7"), (0, update)]
    yield b"".join(b"\3" + (48 + len(body)).to_bytes(4) + bytes([kind]) + head + body for kind, body in told)
    yield b"\3\0\0\0\x0e\4\0\1\0\4name" + b"\3\0\0\0\x0c\5\0\1\0\2\0\1" + b"\3\0\0\0\7\x09x"
    folder = corpus()
    for path in sorted((folder / "bmp").iterdir()) if folder is not None else ():
        data, at, seen = path.read_bytes(), 0, dict[int, int]()
        while at < len(data):
            end = at + int.from_bytes(data[at + 1 : at + 5])
            kind = data[at + 5]
            seen[kind] = seen.get(kind, 0) + 1
            if seen[kind] in (1, 2, 5):
                yield data[at:end]
            if seen[kind] == 5:
                yield data[at : at + 2000]
            at = end


def openbmp(data: bytes) -> bytes:
    """A message of OpenBMP's bus around BMP messages."""
    rest = b"\x80\x0c" + bytes(7) + b"\5" + bytes(16) + b"\0\2cc" + bytes(16) + b"\xc0\0\2\1" + bytes(12) + b"\0\2rr" + b"\0\0\0\1"
    return b"OBMP\1\7" + (12 + len(rest)).to_bytes(2) + len(data).to_bytes(4) + rest + data


def bzip2_blocks() -> Iterator[bytes]:
    text = b"".join(messages())
    for data in (b"a", b"ab" * 300, b"\0" * 5000, bytes(range(256)) * 3, text[:3000], text[:20_000:7]):
        packed = bz2.compress(data)
        yield packed[4:-10]  # from the first block's magic to the end's, and up to 7 bits of that


def conversations() -> Iterator[bytes]:
    """Steps of two peers: see `session` in targets.py."""

    def step(kind: int, amount: int, octets: bytes = b"") -> bytes:
        return bytes((kind | amount >> 8 << 2, amount & 255)) + octets

    def says(side: int, *wires: bytes) -> bytes:
        octets = b"".join(wires)
        return step(side, len(octets), octets)

    def wait(seconds: int) -> bytes:
        return step(2, seconds * 16)

    capabilities = b"\x18\2\x16\1\4\0\1\0\1\6\0\x41\4\0\0\xfd\xe9\x45\4\0\1\1\3\2\0"
    opens = [
        MARKER + (28 + len(tail)).to_bytes(2) + b"\1\4" + (65001 + n).to_bytes(2) + b"\0\x1e\xc0\0\2" + bytes((n + 1,)) + tail
        for n, tail in enumerate((capabilities, capabilities))
    ]
    keepalive, end_of_rib = MARKER + b"\0\x13\4", MARKER + b"\0\x17\2\0\0\0\0"
    refresh, cease = MARKER + b"\0\x17\5\0\1\0\1", MARKER + b"\0\x15\3\6\2"
    up = says(0, opens[0]) + says(1, opens[1], keepalive) + says(0, keepalive)
    broken = [b"GET / HTTP/1.1\r\n\r\n", MARKER + b"\0\x12\4", MARKER + b"\x10\1\2", MARKER + b"\xff\xff\2", MARKER + b"\0\x14\4x"]
    for how in range(16):
        yield bytes((how,)) + up + wait(9) + says(0, keepalive) + wait(33)
        yield bytes((how,)) + up + says(0, end_of_rib, refresh, end_of_rib) + says(1, end_of_rib, cease, keepalive)
        yield bytes((how,)) + says(0, opens[0] + keepalive + end_of_rib) + wait(200) + wait(45)
        yield bytes((how,)) + up + step(3, 4 | 2) + wait(12) + step(3, 8) + step(3, 16 | 1) + b"".join(wait(63) for _ in range(9))
        yield bytes((how,)) + up + says(how & 1, broken[how % len(broken)]) + step(3, 32) + wait(60)
    for count, message in enumerate(messages()):
        if len(message) < 4096 and count % 7 == 0:
            yield bytes((count & 15,)) + up + says(count & 1, message, keepalive) + wait(5) + step(3, 32)


def seeds(target: str) -> Iterator[bytes]:
    found = REGRESSIONS / target
    if found.is_dir():
        for path in sorted(found.iterdir()):
            yield path.read_bytes()
    if target == "framing":
        everything = list(messages())
        for how in range(8):
            yield bytes([how, 40]) + b"".join(everything[how::24])
            yield bytes([how, 0]) + everything[how] + b"\xff\xff\x00" + everything[how + 1]
    elif target == "update":
        for message in of_type({2}):
            for how in range(4):
                yield bytes([how]) + message[19:]
    elif target == "nlri":
        for item in NLRI:
            family = int.from_bytes(bytes.fromhex(item.family)[:2]), bytes.fromhex(item.family)[2]
            if family not in FAMILIES:
                continue
            which = FAMILIES.index(family) << 2
            octets = bytes.fromhex(item.wire)
            for hop in (b"\0", b"\4\xc0\0\2\1", b"\x0c" + bytes(8) + b"\xc0\0\2\1", b"\x18" + bytes(24), b"\x30" + bytes(48)):
                yield bytes([which | 1]) + hop + b"\0" + octets + octets
            yield bytes([which]) + octets
            yield bytes([which | 2]) + b"\0\0\0\1" + octets + b"\0\0\0\2" + octets
            yield bytes([which | 2]) + (b"\0\0\0\1" + octets) * 200
    elif target == "attributes":
        codes = sorted(ATTRIBUTES)
        for count, (code, value) in enumerate(path_attributes()):
            which = codes.index(code) if code in codes else code
            for how in (0, 1, 2, 8):
                yield bytes([how | count & 4, which]) + value
    elif target == "edit":
        for count, message in enumerate(of_type({2})):
            for which in range(8):
                yield bytes([count + which & 7, which]) + message[19:]
    elif target == "open":
        for message in of_type({1}):
            yield b"\0" + message[19:]
    elif target == "other":
        for message in of_type({0, *range(3, 256)}):
            yield bytes([message[18], 0]) + message[19:]
    elif target == "view":
        for count, message in enumerate(messages()):
            if len(message) > 18:
                yield bytes([count & 7, count * 37 & 255, message[18]]) + message[19:]
    elif target == "json":
        for count, line in enumerate(json_lines()):
            yield bytes([count & 3, 30]) + line
    elif target == "exa":
        folder = corpus()
        lines = [line.encode() for line in COMMANDS]
        if folder is not None:
            rows = (folder / "exabgp" / "pairs.tsv").read_text("utf-8").splitlines()[1:]
            lines += [row.split("\t")[4].encode() for row in rows]
        for count, line in enumerate(lines):
            yield bytes([count & 3, 30]) + line
        yield bytes([1, 30]) + b"\n".join(lines)
        for count, message in enumerate(of_type({2})):
            yield bytes([4 | count * 8 & 24, 0]) + message[19:]
    elif target == "mrt":
        for count, records in enumerate(mrt_records()):
            yield bytes([count & 31, 40]) + records
    elif target in ("bmp", "obmp"):
        for count, stream in enumerate(bmp_streams()):
            yield bytes([count & 63, 40]) + (stream if target == "bmp" else openbmp(stream) + b"\n" + openbmp(stream))
    elif target == "filters":
        bodies = [message for message in messages() if len(message) > 18]
        for count in range(max(len(bodies), len(FILTERS))):
            message = bodies[count % len(bodies)]
            yield bytes([count & 7, message[18]]) + FILTERS[count % len(FILTERS)].encode() + b"\0" + message[19:]
        yield b"\x08\0# ours\n192.0.2.0/24\r\n\n 2001:db8::/32 # all\n1.2.3.4\n\0::/129\n"
    elif target == "bunzip2":
        for block in bzip2_blocks():
            for over in range(8):
                yield bytes([over << 3]) + block
                yield bytes([over << 3]) + block + b"\x17"
    elif target == "limit":
        everything = [message for message in messages() if len(message) > 18]
        for how in range(0, 128, 2):
            yield bytes([how, how * 37 & 255]) + b"".join(everything[how % 24 :: 24])
        for count, records in enumerate(mrt_records()):
            yield bytes([1 | count * 8 & 127, count * 37 & 255]) + records
    elif target == "session":
        yield from conversations()
    else:
        raise ValueError(target)


def main() -> None:
    target, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds(target):
        (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


if __name__ == "__main__":
    main()
