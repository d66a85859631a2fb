"""Sinks: files that appear when complete, and everything that is not a file."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from bgpipe.errors import ClosedOutput, StageError
from bgpipe.transport.sink import open_sink


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_file_appears_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "x.json"
    sink = open_sink(str(path))
    sink.write(b"one\n")
    sink.write(memoryview(b"two\n"))
    assert names(path.parent) == ["x.json.tmp"]
    sink.finish()
    assert names(path.parent) == ["x.json"]
    assert path.read_bytes() == b"one\ntwo\n"
    assert sink.bytes_written == 8


def test_abort_and_empty_leave_what_was(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    sink = open_sink(str(path))
    sink.write(b"new")
    sink.abort()
    sink.abort()
    assert (names(tmp_path), path.read_bytes()) == (["x"], b"old")
    open_sink(str(path)).finish()
    open_sink(str(tmp_path / "y.gz")).finish()
    assert (names(tmp_path), path.read_bytes()) == (["x"], b"old")


def test_append(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    for part in (b"one", b"two"):
        sink = open_sink(str(path), append=True)
        sink.write(part)
        sink.finish()
    assert gzip.decompress(path.read_bytes()) == b"onetwo"
    sink = open_sink(str(path), append=True)
    sink.write(b"three")
    sink.flush()
    sink.abort()
    assert gzip.decompress(path.read_bytes()) == b"onetwo"


def test_create(tmp_path: Path) -> None:
    path = tmp_path / "x"
    sink = open_sink(str(path), create=True)
    sink.write(b"1")
    sink.finish()
    with pytest.raises(StageError, match="exists already"):
        open_sink(str(path), create=True)


def test_two_writers(tmp_path: Path) -> None:
    first = open_sink(str(tmp_path / "x"))
    with pytest.raises(StageError, match="another process is writing it"):
        open_sink(str(tmp_path / "x"))
    first.write(b"1")
    first.finish()
    second = open_sink(str(tmp_path / "x"))
    second.write(b"2")
    second.finish()
    assert (tmp_path / "x").read_bytes() == b"2"


def test_left_over_temporary_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "x.tmp").write_bytes(b"long left-over")
    sink = open_sink(str(tmp_path / "x"))
    sink.write(b"1")
    sink.finish()
    assert (names(tmp_path), (tmp_path / "x").read_bytes()) == (["x"], b"1")


def test_symbolic_link_stays(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    sink = open_sink(str(tmp_path / "link"))
    sink.write(b"new")
    sink.finish()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_disk_full() -> None:
    sink = open_sink("/dev/full")
    with pytest.raises(StageError, match="cannot write /dev/full: no space left"):
        sink.write(b"1")


def test_closed_pipe(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sink = open_sink(str(path))
    os.close(reader)
    with pytest.raises(ClosedOutput):
        sink.write(b"1")
    sink.abort()
    assert path.is_fifo()


def test_folder_and_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StageError, match="it is a folder"):
        open_sink(str(tmp_path))
    with pytest.raises(StageError, match="not a folder"):
        open_sink(str(tmp_path / "file" / "x"))
