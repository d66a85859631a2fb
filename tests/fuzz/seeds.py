"""Inputs to start a target's fuzzer from: real messages, and small ones of every kind.

`python seeds.py TARGET FOLDER` writes them into FOLDER; test_replay.py runs them through the target.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
REGRESSIONS = Path(__file__).parent / "regressions"
MARKER = b"\xff" * 16


def corpus() -> Path | None:
    """The folder of real data, or None where there is none."""
    folder = Path(os.environ.get("BGPIPE_CORPUS") or ROOT.parent / "shared" / "data")
    return folder if folder.is_dir() else None


def messages() -> Iterator[bytes]:
    """Whole BGP messages: made ones, then those of the corpus."""
    yield MARKER + b"\x00\x13\x04"
    yield MARKER + b"\x00\x17\x02\x00\x00\x00\x00"
    yield MARKER + b"\x00\x17\x05\x00\x01\x00\x01"
    yield MARKER + b"\x00\x15\x03\x06\x02"
    yield MARKER + b"\x00\x1d\x01\x04\xfb\xf0\x00\x5a\xc0\x00\x02\x01\x00"
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
    elif target == "open":
        for message in of_type({1}):
            yield b"\0" + message[19:]
    elif target == "other":
        for message in of_type({0, *range(3, 256)}):
            yield bytes([message[18], 0]) + message[19:]
    else:
        raise ValueError(target)


def main() -> None:
    target, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds(target):
        (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


if __name__ == "__main__":
    main()
