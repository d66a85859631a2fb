"""What hostile input may take of memory: the peak of a whole process over small files that ask for much."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

# 40 is what bgpipe is to stay below; other machines and Pythons take a few more for the same.
LIMIT_MIB = 48

pytestmark = pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="sanitizers take memory of their own")

# Linux counts what a process was before it became another program: something small has to start it.
MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def peak_mib(path: Path, *words: str, form: str = "json") -> float:
    return peak_mib_of("read", *words, str(path), "write", "--format", form, "/dev/null")


def peak_mib_of(*words: str) -> float:
    command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "bgpipe", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    code, kib = done.stdout.split()
    assert code == "0", done.stderr
    return int(kib) / 1024


# ---- MRT -------------------------------------------------------------------------------------------------------------


def record(subtype: int, body: bytes, kind: int = 13) -> bytes:
    return struct.pack(">IHHI", 1_600_000_000, kind, subtype, len(body)) + body


def peers(count: int) -> bytes:
    body = b"".join(bytes((2, 1, 1, 1, 1)) + struct.pack(">II", 10 << 24 | n, 64512 + n) for n in range(count))
    return record(1, bytes(4) + struct.pack(">HH", 0, count) + body)


def routes(values: list[bytes], count: int, first: int = 0) -> bytes:
    """Of `count` peers from `first` on, with the attributes in turn."""
    found = (struct.pack(">HIH", first + n, 0, len(v := values[n % len(values)])) + v for n in range(count))
    return struct.pack(">H", count) + b"".join(found)


def attrs(n: int) -> bytes:
    return b"\x40\1\1\0\x40\2\6\2\1\0\0\xfd\xe9\x40\3\4\1\2\3\4" + b"\xc0\x08\x04\0\1" + struct.pack(">H", n)


def one_long_nlri() -> bytes:
    """A prefix of 60,000 octets in 4,000 routes of one peer: 240 MB of UPDATEs."""
    nlri = struct.pack(">HBHH", 16388, 71, 1, 59_996) + bytes(59_996)
    return peers(1) + record(6, bytes(4) + nlri + struct.pack(">H", 4000) + bytes(8) * 4000)


def many_peers() -> bytes:
    """65,535 of them, whose attributes change with each record."""
    tables = (routes([attrs(k), attrs(k + 1)], 65535) for k in range(3))
    return peers(65535) + b"".join(record(2, bytes(5) + table) for table in tables)


def many_tables_of_peers() -> bytes:
    return b"".join(peers(65535) + record(2, bytes(5) + routes([attrs(1)], 65535)) for _ in range(3))


def long_attributes() -> bytes:
    """Records of 4 MB, of peers with 30 kB of attributes each."""
    values = [b"\xd0\x63" + struct.pack(">H", 30_000) + bytes([k]) * 30_000 for k in range(2)]
    return peers(2600) + b"".join(record(2, bytes(5) + routes(values, 130, 130 * k)) for k in range(20))


def no_attributes() -> bytes:
    """65,535 routes in a record, each an UPDATE."""
    table = struct.pack(">H", 65534) + (bytes(8) + bytes(7) + b"\3\x40\x63\0") * 32767
    return peers(1) + record(2, bytes(5) + table) * 5


def named_peers() -> bytes:
    """TABLE_DUMP, each route of another peer."""

    def one(n: int) -> bytes:
        return record(1, bytes(14) + struct.pack(">IHH", n, n & 0xFFFF, len(attrs(0))) + attrs(0), kind=12)

    return b"".join(map(one, range(100_000)))


def long_unknown_records() -> bytes:
    """4 MiB each, and UPDATEs of the prefix /0 between them, the longest JSON that there is for an octet."""
    body = bytes(2) + struct.pack(">H", len(attrs(0))) + attrs(0)
    update = b"\xff" * 16 + struct.pack(">HB", 4096, 2) + body + bytes(4096 - 19 - len(body))
    message = record(4, struct.pack(">IIHHII", 65001, 65002, 0, 1, 1, 2) + update, kind=16)
    return (record(0, bytes(4 << 20), kind=32) + message * 1100) * 2


@pytest.mark.parametrize(
    "archive",
    [
        one_long_nlri,
        many_peers,
        many_tables_of_peers,
        long_attributes,
        no_attributes,
        named_peers,
        long_unknown_records,
    ],
)
def test_mrt(archive: object, tmp_path: Path) -> None:
    path = tmp_path / "hostile.mrt"
    path.write_bytes(archive())  # type: ignore[operator]
    assert peak_mib(path) < LIMIT_MIB


def test_lines_that_repeat_all_attributes(tmp_path: Path) -> None:
    """4 KiB that ask for 8 MB of text, 2,000 times: 16 GB."""
    values = b"\x40\1\1\0\x40\2\6\2\1\0\0\xfd\xe9\x40\3\4\1\2\3\4" + b"\xd0\x08" + struct.pack(">H", 760) + b"\0\xff\xfe\xff" * 190
    body = bytes(2) + struct.pack(">H", len(values)) + values
    update = b"\xff" * 16 + struct.pack(">HB", 4096, 2) + body + bytes(4096 - 19 - len(body))
    message = record(4, struct.pack(">IIHHII", 65001, 65002, 0, 1, 1, 2) + update, kind=16)
    path = tmp_path / "hostile.mrt"
    path.write_bytes(message * 2000)
    assert peak_mib(path, form="bgpdump") < LIMIT_MIB
    # A live pipeline has an event loop, and 4 MiB and a message that wait for each output.
    program = ["exec", "--write", "--format", "bgpdump", "-A", "sh", "-c", "cat > /dev/null"]
    path.write_bytes(message * 200)
    assert peak_mib_of("read", str(path), "--", *program, "--", "write", "--format", "bgpdump", "/dev/null") < 2 * LIMIT_MIB


# ---- JSON ------------------------------------------------------------------------------------------------------------

HEAD = '["R",1,"2020-01-01T00:00:00.000",'
LONGEST = (5 << 18) - 200


def line(before: str, part: str, after: str, most: int = 1 << 30, longest: int = LONGEST) -> str:
    """Of one part again and again, which may count."""
    parts, size, n = [before], len(before) + len(after), 0
    while size < longest and n < most:
        parts.append(part.replace("%", f"{n:x}"))
        size += len(parts[-1].encode())
        n += 1
    return "".join(parts).rstrip(",") + after + "\n"


@pytest.mark.parametrize(
    "text",
    [
        line("[", "[],", "]"),
        line("[", "[],", "]", longest=15 << 20),
        line("{", '"%":1,', "}", longest=15 << 20),
        line("[", '{"a":1},', "]"),
        line("[", '{"a":1},', "]", 65_000),
        line("[", '"Ā%",', "]", 144_000),
        line("{", '"%":1,', "}"),
        line(HEAD + '"KEEPALIVE",null,{', '"%":"",', "}]", 144_000),
        line(HEAD + '"KEEPALIVE",null,{"a":"😀', "x", '"}]'),
        line(HEAD + '"UPDATE",{"attrs":{"ASPATH":[', "[1],", "]}},{}]", 65_000),
        "{}\n" * 500_000,
        "".join(f'{HEAD}"KEEPALIVE",null,{{"a":"{n}"}}]\n' for n in range(50_000)),
    ],
    ids=["arrays", "16-MiB-of-arrays", "16-MiB-of-keys", "objects", "fewer-objects", "strings", "keys", "tags", "wide", "sets", "messages", "peers"],
)
def test_json(text: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.json"
    path.write_text(text * 4 if text.count("\n") == 1 else text)
    assert peak_mib(path, "--pardon") < LIMIT_MIB


# ---- ExaBGP's text ---------------------------------------------------------------------------------------------------

LONGEST_COMMAND = (1 << 19) - 200
ROUTE = "announce route 10.0.0.0/8 next-hop 192.0.2.1 "


def command(before: str, part: str, after: str = "", longest: int = LONGEST_COMMAND) -> str:
    return line(before, part, after, longest=longest)


@pytest.mark.parametrize(
    "text",
    [
        command(ROUTE + "community [ ", "1:1 ", "]"),
        command(ROUTE + "as-path [ ", "1 ", "]"),
        command(ROUTE + "as-path [ ", "(1)", "]"),
        command(ROUTE + "large-community [ ", "1:1:1 ", "]"),
        command(ROUTE + "cluster-list [ ", "1.1.1.1 ", "]"),
        command(ROUTE + "extended-community [ ", "target:1:1 ", "]"),
        command(ROUTE + "attribute [ 0x63 0xd0 0x", "00", " ]"),
        command("announce attributes next-hop 1.1.1.1 nlri ", "0.0.0.0/0 "),
        command(f"announce attributes next-hop 1.1.1.1 attribute [ 0x63 0xc0 0x{'00' * 4030} ] nlri ", "0.0.0.0/0 "),
        command(f"announce attributes next-hop 1.1.1.1 attribute [ 0x63 0xc0 0x{'00' * 60000} ] nlri ", "0.0.0.0/0 "),
        command("announce attributes next-hop 1.1.1.1 split /24 nlri ", "10.0.0.0/8 "),
        command("neighbor ", "1.1.1.1,neighbor ", ROUTE[:-1]),
        command("group attributes next-hop 1.1.1.1 med 5", ";announce route 0.0.0.0/0"),
        "announce route 0.0.0.0/0 next-hop 1.1.1.1 split /16\n" * 4,
        "".join(f"neighbor 10.{n >> 8}.{n & 255}.1 {ROUTE}\n" for n in range(20_000)),
        "[" * (16 << 20),
        "withdraw route 0.0.0.0/0\n" * 300_000,
    ],
    ids=[
        *("communities", "path", "sets", "large", "clusters", "extended", "octets", "nlri", "long", "longer", "splits", "neighbors", "group", "split"),
        *("peers", "endless", "messages"),
    ],
)
def test_exa(text: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.exa"
    path.write_text(text * 4 if text.count("\n") == 1 else text)
    assert peak_mib(path, "--pardon") < LIMIT_MIB


@pytest.mark.parametrize("octets", [500, 2000, 3500])
def test_lines_of_long_attributes(octets: int, tmp_path: Path) -> None:
    """UPDATEs of 4 KiB with some thousand prefixes: lines for each would take hundreds of megabytes."""
    attribute = b"\xd0\x08" + struct.pack(">H", octets & ~3) + b"\xff\xff\xff\3" * (octets // 4)
    body = bytes(2) + struct.pack(">H", len(attrs(0)[:21] + attribute)) + attrs(0)[:21] + attribute
    update = b"\xff" * 16 + struct.pack(">HB", 4096, 2) + body + bytes(4096 - 19 - len(body))
    path = tmp_path / "hostile.mrt"
    path.write_bytes(record(4, struct.pack(">IIHHII", 65001, 65002, 0, 1, 1, 2) + update, kind=16) * 500)
    assert peak_mib(path, form="exa") < LIMIT_MIB


# ---- BMP -------------------------------------------------------------------------------------------------------------

BGP_MARKER = b"\xff" * 16
END_OF_RIB = BGP_MARKER + b"\0\x17\2" + bytes(4)


def bmp(kind: int, body: bytes) -> bytes:
    return struct.pack(">BIB", 3, 6 + len(body), kind) + body


def per_peer(n: int, flags: int = 0) -> bytes:
    return struct.pack(">BB8s12xIIIII", 0, flags, bytes(8), 10 << 24 | n, 64512 + n, n, 1_600_000_000, 0)


def opening(capabilities: bytes = b"") -> bytes:
    """With extended parameters (RFC 9072), which can be long."""
    parameters = b"\xff\xff" + struct.pack(">H", len(capabilities)) + capabilities
    body = struct.pack(">BHH4s", 4, 65001, 180, b"\1\1\1\1") + parameters
    return BGP_MARKER + struct.pack(">HB", 19 + len(body), 1) + body


def came_up(n: int, ends: bytes = b"", more: bytes = b"") -> bytes:
    return bmp(3, per_peer(n) + bytes(20) + (ends or opening() * 2) + more)


def monitored(n: int, flags: int = 0) -> bytes:
    return bmp(0, per_peer(n, flags) + END_OF_RIB)


def openbmp(data: bytes, collector: bytes = b"cc", router: bytes = b"rr") -> bytes:
    rest = b"\x80\x0c" + bytes(8) + bytes(16) + struct.pack(">H", len(collector)) + collector
    rest += bytes(32) + struct.pack(">H", len(router)) + router + bytes(4)
    return b"OBMP\1\7" + struct.pack(">HI", 12 + len(rest), len(data)) + rest + data


def one_peer_after_the_other() -> bytes:
    """Peers that come up and are never seen again."""
    return b"".join(came_up(n) + monitored(n) for n in range(40_000))


def longest_opens() -> bytes:
    """64 KiB each, with capabilities of a path id for each family."""
    entries = b"".join(struct.pack(">HBB", afi, safi, 3) for afi in range(4) for safi in range(15))
    capabilities = bytes([69, len(entries)]) + entries
    ends = opening(b"".join(b"\2" + struct.pack(">H", len(capabilities)) + capabilities for _ in range(265)))
    return b"".join(came_up(n, ends * 2) + monitored(n) for n in range(300))


def long_information() -> bytes:
    """Peer Up messages of 1 MB, for as many peers as there are, and routes of all of their RIBs."""
    text = struct.pack(">HH", 0, 60_000) + b"\1" * 60_000
    flags = (0, 0x40, 0x10, 0x50)
    return b"".join(came_up(n, more=text * 16) + b"".join(monitored(n, flag) for flag in flags) for n in range(60))


def many_numbers() -> bytes:
    """One session with a Peer Up message of 1 MB, another AS number in each message behind it, and path ids to be found out."""
    up = came_up(0, more=(struct.pack(">HH", 0, 60_000) + bytes(60_000)) * 16)
    update = BGP_MARKER + b"\0\x1f\2" + bytes(4) + b"\0\0\0\1\x18\x0a\0\0"
    head = per_peer(0)
    return up + b"".join(bmp(0, head[:26] + struct.pack(">I", asn) + head[30:] + update) for asn in range(3000))


def up_and_down() -> bytes:
    """One peer, each time another session."""
    return b"".join(came_up(1) + monitored(1) + bmp(2, per_peer(1) + b"\4") for _ in range(20_000))


def long_statistics() -> bytes:
    return (bmp(1, per_peer(1) + struct.pack(">I", 260_000) + b"\0\x63\0\0" * 260_000) + monitored(1)) * 10


def claims() -> bytes:
    """A length that never comes, again and again."""
    return (monitored(1) + struct.pack(">BIB", 3, 1 << 20, 1)) * 20_000


def many_in_one() -> bytes:
    """An OpenBMP message of 1 MB with long names and as many peers as fit."""
    return b"".join(openbmp(b"".join(monitored(15_000 * k + n) for n in range(14_000)), b"\1" * 1024, b"\2" * 1024) for k in range(3))


def many_routers() -> bytes:
    def name(n: int) -> bytes:
        return b"%06d" % n * 170

    return b"".join(openbmp(came_up(n) + monitored(n), name(n), name(n)) for n in range(10_000))


STREAMS = [
    *(one_peer_after_the_other, longest_opens, long_information, many_numbers, up_and_down, long_statistics, claims),
    *(many_in_one, many_routers),
]


@pytest.mark.parametrize(
    ("stream", "form"),
    [*((stream, "json") for stream in STREAMS), (one_peer_after_the_other, "bmp"), (longest_opens, "bmp"), (many_in_one, "bmp"), (many_routers, "obmp")],
)
def test_bmp(stream: object, form: str, tmp_path: Path) -> None:
    data = stream()  # type: ignore[operator]
    path = tmp_path / f"hostile.{'obmp' if data[:4] == b'OBMP' else 'bmp'}"
    path.write_bytes(data)
    assert peak_mib(path, "--tags", "--all", *(["--recover"] if stream is claims else []), form=form) < LIMIT_MIB
