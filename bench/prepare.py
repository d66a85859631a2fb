"""Makes the input of the benchmarks, in bench/data, from the corpus of real archives; what is there stays.

    pass.mrt          every update file of the corpus once, some 90,000 messages
    tenth.mrt         the first tenth of that
    updates.mrt       the same again and again until there are 2,000,000 messages; also as .gz, .bz2 and .json
    rib.mrt           the TABLE_DUMP_V2 tables of the corpus, repeated until there are 2,000,000 routes
    ribpass.mrt       those tables once
    messages500.mrt   500 messages of one file
    prefixes.txt      1,000,000 prefixes, for filters: 800,000 of IPv4, the others of IPv6
    updates.bmp, pass.bmp         the UPDATEs of updates.mrt and pass.mrt as BMP
    tenth.pcap                    those of tenth.mrt as BMP in a capture of a TCP connection
    passtwice.mrt, passtwice.bmp, ribtwice.mrt   for instructions.py
"""

from __future__ import annotations

import bz2
import gzip
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = Path(__file__).parent / "data"
MESSAGES = 2_000_000
ROUTES = 2_000_000
UPDATES = [
    "updates.20020722.2238.gz",
    "updates.20070211.0141.gz",
    "updates.20071015.1505.gz",
    "updates.20100227.1600.gz",
    "updates.20100722.2015.gz",
    "updates.20160811.1600.gz",
    "updates.example.bz2",
]
RIBS = ["rib.20140523.0600.aligned.mrt.gz", "rib6.20151101.0600.aligned.mrt.gz"]


def archives() -> Path:
    """Where the real archives of the corpus are, if they are there."""
    return Path(os.environ.get("BGPIPE_CORPUS") or ROOT.parent / "shared" / "data") / "mrt"


def corpus() -> Path:
    folder = archives()
    if not folder.is_dir():
        sys.exit(f"no real archives in {folder}: set BGPIPE_CORPUS to a folder that holds mrt/")
    return folder


def unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    return bz2.decompress(data) if path.suffix == ".bz2" else gzip.decompress(data)


def records(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(start, end, type, subtype) of each MRT record (RFC 6396 section 2)."""
    at = 0
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at + 8 : at + 12])
        yield at, end, int.from_bytes(data[at + 4 : at + 6]), int.from_bytes(data[at + 6 : at + 8])
        at = end


def count_messages(data: bytes) -> int:
    return sum(kind in (16, 17) and subtype in (1, 4) for _, _, kind, subtype in records(data))


def count_routes(data: bytes) -> int:
    routes = 0
    for start, _, kind, subtype in records(data):
        if kind == 13 and subtype != 1:  # not the peer index: sequence number, prefix, number of entries
            at = start + 12 + 4
            at += 1 + (data[at] + 7) // 8
            routes += int.from_bytes(data[at : at + 2])
    return routes


def cut(data: bytes, want: int) -> bytes:
    """The records that hold the first `want` messages."""
    seen = 0
    for start, _, kind, subtype in records(data):
        if seen == want:
            return data[:start]
        seen += kind in (16, 17) and subtype in (1, 4)
    return data


def count_bmp(data: bytes) -> int:
    return sum(data[start + 5] == 0 for start, _ in bmp_messages(data))


def bmp_messages(data: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of each (RFC 7854 section 4.1)."""
    at = 0
    while at < len(data):
        end = at + int.from_bytes(data[at + 1 : at + 5])
        yield at, end
        at = end


def capture(data: bytes) -> bytes:
    """A pcap with BMP messages, each in a segment of its own to TCP port 11019; there are no checksums."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 17, 101)]  # 101: packets begin with IP
    for start, end in bmp_messages(data):
        size = 40 + end - start
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size, 0, 0, 64, 6, 0, b"\xc0\0\2\1", b"\xc0\0\2\2")
        tcp = struct.pack(">HHIIBBHHH", 40000, 11019, 1 + start, 1, 0x50, 0x18, 65535, 0, 0)
        parts += [struct.pack("<IIII", len(parts), 0, size, size), ip, tcp, data[start:end]]
    return b"".join(parts)


def prefixes() -> bytes:
    """What `prefix in file(...)` reads: every /24 of every fifth /16 or so, and as many /48 as are missing."""
    four = (f"{n >> 16}.{n >> 8 & 255}.{n & 255}.0/24" for n in range(1 << 16, 1 << 24) if (n >> 8) % 5 == 0)
    six = (f"2001:{n >> 8 & 0xFFFF:x}:{n & 0xFF:x}::/48" for n in range(200_000))
    listed = [line for line, _ in zip(four, range(800_000), strict=False)]
    return "\n".join([*listed, *six]).encode()


def write(name: str, data: bytes, times: int = 1) -> None:
    path = DATA / name
    if path.exists():
        return
    with open(path.with_name(name + ".new"), "wb") as file:
        for _ in range(times):
            file.write(data)
    path.with_name(name + ".new").rename(path)
    print(f"{path.name}: {path.stat().st_size / 1e6:.0f} MB", file=sys.stderr)


def derive(name: str, original: str, *command: str) -> None:
    """`command` reads `original` and writes `name`."""
    path = DATA / name
    if path.exists():
        return
    with open(DATA / original, "rb") as source, open(path.with_name(name + ".new"), "wb") as sink:
        subprocess.run(command, stdin=source, stdout=sink, check=True)
    path.with_name(name + ".new").rename(path)
    print(f"{path.name}: {path.stat().st_size / 1e6:.0f} MB", file=sys.stderr)


def main() -> None:
    bgpipe = sys.argv[1]  # its path: it makes the JSON
    DATA.mkdir(exist_ok=True)
    folder = corpus()
    updates = b"".join(unpacked(folder / name) for name in UPDATES)
    each = count_messages(updates)
    tenth = cut(updates, each // 10)
    times = -(-MESSAGES // each)
    ribs = b"".join(unpacked(folder / name) for name in RIBS)
    routes = count_routes(ribs)
    rib_times = -(-ROUTES // routes)
    counts = {
        "pass.mrt": each,
        "tenth.mrt": each // 10,
        "updates.mrt": each * times,
        "rib.mrt": routes * rib_times,
        "ribpass.mrt": routes,
        "passtwice.mrt": each * 2,
        "ribtwice.mrt": routes * 2,
        "messages500.mrt": 500,
    }
    write("prefixes.txt", prefixes())
    write("pass.mrt", updates)
    write("tenth.mrt", tenth)
    write("updates.mrt", updates, times)
    write("ribpass.mrt", ribs)
    write("rib.mrt", ribs, rib_times)
    write("messages500.mrt", cut(unpacked(folder / "updates.20160811.1600.gz"), 500))
    write("passtwice.mrt", updates, 2)
    write("ribtwice.mrt", ribs, 2)
    derive("updates.mrt.gz", "updates.mrt", "gzip", "-6")
    derive("updates.mrt.bz2", "updates.mrt", "bzip2", "-9")
    for name in ("updates", "pass", "passtwice"):
        derive(f"{name}.json", f"{name}.mrt", bgpipe, "read", "--format", "mrt", "-", "--", "stdout")
        counts[f"{name}.json"] = counts[f"{name}.mrt"]
    for name in ("updates", "pass", "passtwice", "tenth"):
        command = [bgpipe, "read", "--format", "mrt", "--type", "UPDATE", "-", "--", "stdout", "--format", "bmp"]
        derive(f"{name}.bmp", f"{name}.mrt", *command)
        counts[f"{name}.bmp"] = count_bmp((DATA / f"{name}.bmp").read_bytes())
    write("tenth.pcap", capture((DATA / "tenth.bmp").read_bytes()))
    counts["tenth.pcap"] = counts["tenth.bmp"]
    (DATA / "counts.json").write_text(json.dumps(counts, indent=1))


if __name__ == "__main__":
    main()
