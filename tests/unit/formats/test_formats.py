"""Which format a file is in."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
import zstandard
from lines import lines

from bgpipe.errors import InputError, JsonError
from bgpipe.files import read
from bgpipe.formats import by_content, by_name, resolve
from bgpipe.pipeline.engine import Pipeline
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
        ("x.exa.gz", "exa"),
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
        (b"# comment\n\n[1]", "json"),
        (b"announce route ", "exa"),
        (b"\xef\xbb\xbf withdraw route ", "exa"),
        (b"# comment\n# another\nneighbor 192.0.2.1 ", "exa"),
        (b"announced", ""),
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
        assert source.peek(1000) == lines(100).encode()[:1000]


def test_a_slow_pipe_is_waited_for_no_longer_than_needed(tmp_path: Path) -> None:
    """More than 16 bytes only where white space comes first."""
    heads = {"mrt": MRT[:16], "raw": b"\xff" * 16, "json": lines(1).encode()[:16], "": b" " * 30 + b"hello"}
    for expected, head in heads.items():
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        with open_source(str(fifo)) as source:
            writer = os.open(fifo, os.O_WRONLY)
            os.write(writer, head)
            if expected:
                assert resolve("auto", source, "x") == expected
            os.close(writer)
            if not expected:
                with pytest.raises(InputError, match="cannot tell the format"):
                    resolve("auto", source, "x")
        fifo.unlink()


@pytest.mark.parametrize("form", ["auto", "json"])
def test_byte_order_mark(form: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    for text in ("", "\n", "  \n" * 20, "# hello\n"):
        path.write_bytes(b"\xef\xbb\xbf" + text.encode() + lines(2).encode())
        with read(path, format=form) as reader:
            assert [message.seq for message in reader] == [1, 2]
    path.write_bytes(b"\xef\xbb\xbf" + lines(1).encode() + b"[nonsense\n")
    with read(path, format=form) as reader, pytest.raises(JsonError) as caught:
        list(reader)
    assert (caught.value.offset, caught.value.record) == (3 + len(lines(1)), 2)
    path.write_bytes(b"\xef\xbb\xbf")
    assert list(read(path, format=form)) == []


@pytest.mark.parametrize(
    ("data", "form", "hint"),
    [
        (gzip.compress(lines(9).encode()), "json", "it looks like gzip, which `read` unpacks"),
        (zstandard.compress(lines(9).encode()), "mrt", "it looks like zstd, which `read` unpacks"),
        (lines(9).encode(), "mrt", "it looks like json: --format json"),
        (b"\xff" * 16 + b"\0\x13\x04", "mrt", "it looks like raw: --format raw"),
        (MRT * 2, "raw", "it looks like mrt: --format mrt"),
        (MRT * 2, "json", "it looks like mrt: --format mrt"),
        (b"[nonsense\n", "json", ""),
        (b"hello\n", "raw", ""),
        (lines(1).encode() + MRT, "json", ""),
    ],
)
def test_what_it_looks_like(
    data: bytes, form: str, hint: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with read(path, format=form, decompress="none") as reader, pytest.raises(InputError) as caught:
        list(reader)
    assert ("it looks like" in str(caught.value)) == bool(hint)
    assert str(caught.value).endswith(hint)
    Pipeline(["read", "--format", form, "--decompress", "none", str(path), "--", "write", str(tmp_path / "y")]).execute()
    assert capfd.readouterr().err == f"bgpipe: stage 1 (read): {caught.value}\n"


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
