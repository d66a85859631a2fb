"""Which format a file is in."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from lines import lines

from bgpipe.errors import InputError
from bgpipe.formats import PEEK_SIZE, by_content, by_name, resolve
from bgpipe.transport.source import open_source

MRT = bytes.fromhex("5ba0c3f0 0010 0004 00000014") + b"\0" * 20


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.mrt", "mrt"),
        ("x.MRT.GZ", "mrt"),
        ("x.json", "json"),
        ("x.jsonl.zst", "json"),
        ("x.txt", "json"),
        ("x.raw", "raw"),
        ("x.bin.xz", "raw"),
        ("x.bgp.lz4", "raw"),
        ("updates.20251107.2300.gz", "mrt"),
        ("updates.20251107.2300.bz2", "mrt"),
        ("rib.20251107.2200", "mrt"),
        ("bview.20251107.0000.gz", "mrt"),
        ("latest-update.gz", "mrt"),
        ("latest-bview.gz", "mrt"),
        ("updates.20251107.json.zstd", "json"),
        ("updates.1999.gz", ""),
        ("my-updates.20251107.gz", ""),
        ("latest-update.bz2", ""),
        ("x.gz", ""),
        ("x.mrt.old", ""),
        ("mrt", ""),
        ("", ""),
    ],
)
def test_by_name(name: str, expected: str) -> None:
    assert by_name(name) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", "json"),
        (b" \r\n\t", "json"),
        (b'["R",1', "json"),
        (b'\n {"reach"', "json"),
        (b"# comment\n", "json"),
        (b"\xef\xbb\xbf[", "json"),
        (b"\xff" * 16 + b"\0\x13\x04", "raw"),
        (MRT, "mrt"),
        (bytes.fromhex("38000000 0005 0001 00000010"), "mrt"),
        (bytes.fromhex("5b000000 0011 0001 00000010"), "mrt"),  # of 2018: begins with "["
        (bytes.fromhex("5b000000 0012 0001 00000010"), "json"),
        (bytes.fromhex("60000000 0010 0063 00000010"), ""),
        (MRT[:11], "json"),
        (b"\xff" * 15, ""),
        (b"hello", ""),
        (b"\x00", ""),
    ],
)
def test_by_content(head: bytes, expected: str) -> None:
    assert by_content(head) == expected


def test_the_name_goes_first(tmp_path: Path) -> None:
    path = tmp_path / "x.raw"
    path.write_bytes(MRT)
    with open_source(str(path)) as source:
        assert resolve("auto", source, "x") == "raw"


def test_then_the_content_decompressed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(lines(100).encode()))
    with open_source(str(path)) as source:
        assert resolve("auto", source, "x") == "json"
        assert source.peek(PEEK_SIZE) == lines(100).encode()[:PEEK_SIZE]


def test_what_is_given_goes_first_of_all(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.touch()
    with open_source(str(path)) as source:
        assert resolve("mrt", source, "x") == "mrt"


def test_unknown(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"hello")
    with open_source(str(path)) as source, pytest.raises(InputError, match="cannot tell the format of the file"):
        resolve("auto", source, "the file")
