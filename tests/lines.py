"""Messages as JSON lines, for tests that need some and care little which, and pipelines over them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bgpipe.pipeline.engine import Pipeline

TIME = "2025-01-01T00:00:00.000"


def line(seq: int, direction: str = "R", tags: dict[str, str] | None = None) -> str:
    """An UPDATE that announces a prefix; its sequence number is its AS path."""
    attrs = {
        "ORIGIN": {"flags": "T", "value": "IGP"},
        "ASPATH": {"flags": "T", "value": [seq]},
        "NEXTHOP": {"flags": "T", "value": "192.0.2.1"},
    }
    data = {"reach": ["192.0.2.0/24"], "attrs": attrs}
    return _text([direction, seq, TIME, "UPDATE", data, tags or {}])


def bad_line(seq: int, direction: str = "R") -> str:
    """An UPDATE that does not parse: its withdrawn routes are longer than it is."""
    return _text([direction, seq, TIME, "UPDATE", "0xffff0000", {}])


def lines(count: int, direction: str = "R", first: int = 1) -> str:
    return "".join(line(seq, direction) for seq in range(first, first + count))


def write_lines(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def read_lines(path: Path) -> list[tuple[str, int]]:
    """(direction, sequence number) of each line of a file."""
    return [(message[0], message[1]) for message in map(json.loads, path.read_text().splitlines())]


def right(*numbers: int) -> list[tuple[str, int]]:
    return [("R", number) for number in numbers]


def _text(message: list[Any]) -> str:
    return json.dumps(message, separators=(",", ":")) + "\n"


def run(*words: str | Path) -> Pipeline:
    """A pipeline that has ended, however it did."""
    pipe = Pipeline([str(word) for word in words])
    pipe.execute()
    return pipe
