"""The attack that limit is for: a million more-specific IPv6 prefixes, spread over many sessions and origins.

Each case runs in a process of its own: prefixes a second of processor time in the stage alone, once when they are new
to it and once when it knows them, and by how much the process has grown when it holds all of them. The messages, and
what handling them takes, are in memory before.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from bgpipe._codec import Batch
from bgpipe._mrt import MrtDecoder
from bgpipe._table import Limiter, RouteTable

PREFIXES = 1_000_000
MARKER = b"\xff" * 16
CASES: dict[str, dict[str, Any]] = {
    "lengths alone": {"max_length": 64},
    "session alone": {"session": PREFIXES},
    "origin alone": {"origin": PREFIXES},
    "block alone": {"block": PREFIXES},
    "all three": {"session": PREFIXES, "origin": PREFIXES, "block": PREFIXES},
    "all three, at their limits": {"session": 1000, "origin": 100, "block": 1000},
}
SPREADS = {
    # title: sessions, origins, /32 blocks, prefixes a message
    "few sessions": (4, 1000, 100, 20),
    "many sessions and origins": (500, 20_000, 2000, 20),
    "one prefix a message": (500, 20_000, 2000, 1),
}


def update(asn: int, origin: int, prefixes: bytes) -> bytes:
    path = b"\x02\x03" + b"".join(n.to_bytes(4) for n in (asn, 64500, origin))
    reach = b"\0\2\1\x10" + bytes.fromhex("20010db8000000000000000000000001") + b"\0" + prefixes
    attrs = b"\x40\1\1\0" + b"\x40\2" + bytes([len(path)]) + path + b"\x90\x0e" + len(reach).to_bytes(2) + reach
    body = b"\0\0" + len(attrs).to_bytes(2) + attrs
    return MARKER + (19 + len(body)).to_bytes(2) + b"\2" + body


def flood(sessions: int, origins: int, blocks: int, each: int) -> Iterator[bytes]:
    """MRT records that announce PREFIXES prefixes of 48 bits, none of them twice."""
    chosen = random.Random(1)
    numbers = list(range(PREFIXES))
    chosen.shuffle(numbers)
    for at in range(0, PREFIXES, each):
        session = chosen.randrange(sessions)
        block = chosen.randrange(blocks)
        prefixes = b""
        for number in numbers[at : at + each]:
            # A block of 32 bits has 65,536 of them.
            prefixes += b"\x30" + (0x2A00_0000_0000 + (number % blocks << 16) + number // blocks).to_bytes(6)
        head = (64512 + session).to_bytes(4) + (64511).to_bytes(4) + b"\0\0\0\1"
        head += (0x0A000000 + session).to_bytes(4) + b"\x0a\xff\xff\xff"
        body = head + update(64512 + session, 100_000 + (session * 31 + block) % origins, prefixes)
        yield b"\0\0\0\1\0\x10\0\4" + len(body).to_bytes(4) + body


def resident() -> int:
    """Bytes of memory that the process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def batches(data: bytes) -> Iterator[Batch]:
    decoder, source = MrtDecoder(), io.BytesIO(data)
    while (batch := decoder.read(source)) is not None:
        batch.check()
        yield batch


def case(spread: str, name: str) -> None:
    data = b"".join(flood(*SPREADS[spread]))
    for batch in batches(data):
        Limiter(RouteTable(), families=4, max_length=64).run(batch)
    before = resident()
    table = RouteTable()
    limiter = Limiter(table, families=4, **CASES[name])
    seconds = 0.0
    for batch in batches(data):
        start = time.thread_time()
        limiter.run(batch)
        seconds += time.thread_time() - start
    grown = resident() - before
    again = 0.0
    for batch in batches(data):
        start = time.thread_time()
        limiter.run(batch)
        again += time.thread_time() - start
    print(seconds, again, grown, len(table))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        case(*arguments.case)
        return
    print("limit, a million IPv6 prefixes   (target: 3 M prefixes/s, 64 MiB)")
    for spread in SPREADS:
        print(f"\n  {spread:30} {'new':>12} {'known':>12} {'held':>10} {'memory':>9}")
        for name in CASES:
            rows = []
            for _ in range(arguments.rounds):
                command = [sys.executable, __file__, "--case", spread, name]
                rows.append([float(word) for word in subprocess.check_output(command).split()])
            new, known, grown, held = (statistics.median(column) for column in zip(*rows, strict=True))
            print(f"  {name:30} {PREFIXES / new / 1e6:8.2f} M/s {PREFIXES / known / 1e6:8.2f} M/s", end="")
            print(f" {held:10.0f} {grown / (1 << 20):5.1f} MiB")


if __name__ == "__main__":
    main()
