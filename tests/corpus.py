"""Finds and reads the corpus of real data.

It is the folder that BGPIPE_CORPUS names, or ../shared/data beside the repository. Tests that need it are
skipped where there is none, but fail in CI, where it must be there.
"""

from __future__ import annotations

import bz2
import gzip
import os
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def find() -> Path | None:
    folder = Path(os.environ.get("BGPIPE_CORPUS") or REPOSITORY.parent / "shared" / "data")
    return folder if (folder / "mrt").is_dir() else None


def folder() -> Path:
    """The corpus; skips the test if there is none, fails it in CI."""
    found = find()
    if found is not None:
        return found
    reason = "no corpus: set BGPIPE_CORPUS, or put it at ../shared/data"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def read(path: Path) -> bytes:
    """The content of a file, decompressed by its name."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".bz2":
        return bz2.decompress(path.read_bytes())
    return path.read_bytes()


def start_of_mrt(data: bytes, limit: int) -> bytes:
    """As many whole MRT records as fit into `limit` bytes."""
    at = 0
    while at + 12 <= len(data):
        size = 12 + int.from_bytes(data[at + 8 : at + 12], "big")
        if at + size > limit:
            return data[:at]
        at += size
    return data


class WireMessage(NamedTuple):
    source: str
    wire: bytes


def messages() -> list[WireMessage]:
    """The whole BGP messages of other implementations' tests."""
    rows = (folder() / "bgp" / "messages.tsv").read_text().splitlines()[1:]
    found = [WireMessage(row.split("\t")[0], bytes.fromhex(row.split("\t")[4])) for row in rows]
    rows = (folder() / "exabgp" / "pairs.tsv").read_text().splitlines()[1:]
    return found + [WireMessage(row.split("\t")[0], bytes.fromhex(row.split("\t")[1])) for row in rows]


def names(subfolder: str) -> list[str]:
    """Names of the files in a folder of the corpus, for parametrizing.

    Where there is no corpus, one name that is no file: its test then calls folder(), which skips or fails.
    """
    found = find()
    return sorted(path.name for path in (found / subfolder).iterdir()) if found else ["no corpus"]


def golden_names() -> list[str]:
    """Names of the files that the reference's output is there for."""
    found = [name.removesuffix(".json.gz") for name in names("golden") if name.endswith(".json.gz")]
    return found or ["no corpus"]
