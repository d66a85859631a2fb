"""Sources: files and pipes, plain and compressed, whole, cut short and damaged."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest

from bgpipe.errors import InputError, StageError
from bgpipe.transport.source import Source, open_source

TEXT = b"".join(b"%d 192.0.2.%d/32 64500 65000\n" % (n, n % 251) for n in range(20000))


def drain(source: Source, size: int = 65536) -> bytes:
    """All that a source gives, read in pieces of at most size bytes."""
    buffer = memoryview(bytearray(size))
    result = bytearray()
    while count := source.readinto(buffer):
        result += buffer[:count]
    return bytes(result)


def drain_to_error(source: Source, size: int = 65536) -> tuple[bytes, str]:
    """What a source gives in front of an InputError, and what that says."""
    buffer = memoryview(bytearray(size))
    result = bytearray()
    with pytest.raises(InputError) as caught:
        while count := source.readinto(buffer):
            result += buffer[:count]
    with pytest.raises(InputError):
        source.readinto(buffer)
    return bytes(result), str(caught.value)


def test_plain_file(tmp_path: Path) -> None:
    path = tmp_path / "updates.mrt"
    path.write_bytes(TEXT)
    with open_source(str(path)) as source:
        assert (source.name, source.raw_pos, source.raw_size) == ("updates.mrt", 0, len(TEXT))
        assert source.peek(7) == TEXT[:7]
        assert drain(source, 1000) == TEXT
        assert source.raw_pos == len(TEXT)


def test_gzip_of_many_members_and_zero_padding(tmp_path: Path) -> None:
    path = tmp_path / "misnamed.mrt"
    path.write_bytes(gzip.compress(TEXT[:100]) + gzip.compress(b"") + gzip.compress(TEXT[100:]) + bytes(512))
    with open_source(str(path)) as source:
        assert source.peek(200) == TEXT[:200]
        assert drain(source, 777) == TEXT


def test_plain_content_beats_the_name(tmp_path: Path) -> None:
    path = tmp_path / "plain.gz"
    path.write_bytes(TEXT)
    with open_source(str(path)) as source:
        assert drain(source) == TEXT


@pytest.mark.parametrize("cut", [0, 1, 5, 17, 1000, -9, -1])
def test_cut_gzip(tmp_path: Path, cut: int) -> None:
    data = gzip.compress(TEXT)
    path = tmp_path / "cut.gz"
    path.write_bytes(data[:cut])
    whole = len(data[:cut])
    with open_source(str(path)) as source:
        given, message = drain_to_error(source, 4096)
    assert TEXT.startswith(given)
    assert cut > -9 or len(given) == len(TEXT)
    assert message == f"gzip stream is cut short at byte {whole} of {path}"


def test_fifo(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(gzip.compress(TEXT)))
    writer.start()
    with open_source(str(path)) as source:
        assert source.raw_size is None
        assert drain(source) == TEXT
    writer.join()


def test_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no such file or directory"):
        open_source(str(tmp_path / "none"))
    with pytest.raises(StageError, match="is a directory"):
        open_source(str(tmp_path))
