"""Sources: files, pipes and devices, plain and compressed, whole, cut short and damaged."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from bgpipe.errors import BgpipeError, InputError, StageError
from bgpipe.transport.source import Source, open_source

_random = random.Random(1)
TEXT = b"".join(b"%d 192.0.2.%d/32 64500 %d\n" % (n, n % 251, _random.getrandbits(32)) for n in range(40000))

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "zst": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
    "lz4": lambda data: lz4.frame.compress(data, content_checksum=True, block_linked=False),
}
NOUN = {"gz": "gzip", "bz2": "bzip2", "xz": "xz", "zst": "zstd", "lz4": "lz4"}
FORMATS = list(PACK)
# Threads are for bzip2; the others take no notice.
JOBS = [*((suffix, 1) for suffix in PACK), ("bz2", 2)]


def drain(source: Source, size: int = 65536) -> bytes:
    """All that a source gives, read in pieces of at most size bytes."""
    buffer = memoryview(bytearray(size))
    result = bytearray()
    while count := source.readinto(buffer):
        result += buffer[:count]
    return bytes(result)


def drain_to_error(source: Source, size: int = 65536) -> tuple[bytes, BgpipeError]:
    """What a source gives in front of an error, and that error, which stays."""
    buffer = memoryview(bytearray(size))
    result = bytearray()
    with pytest.raises(BgpipeError) as caught:
        while count := source.readinto(buffer):
            result += buffer[:count]
    with pytest.raises(BgpipeError):
        source.readinto(buffer)
    return bytes(result), caught.value


def agreeing(data: bytes) -> int:
    """How many bytes data begins with that TEXT begins with too."""
    pairs = enumerate(zip(data, TEXT, strict=False))
    return next((place for place, (ours, theirs) in pairs if ours != theirs), min(len(data), len(TEXT)))


def test_plain_file(tmp_path: Path) -> None:
    path = tmp_path / "updates.mrt"
    path.write_bytes(TEXT)
    with open_source(str(path)) as source:
        assert (source.name, source.raw_pos, source.raw_size) == ("updates.mrt", 0, len(TEXT))
        assert source.peek(7) == TEXT[:7]
        assert drain(source, 1000) == TEXT
        assert source.raw_pos == len(TEXT)


def test_peek_does_not_consume(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"0123456789"))
    with open_source(str(path)) as source:
        assert source.peek(4) == b"0123"
        assert source.peek(2) == b"01"
        assert source.peek(8) == b"01234567"
        buffer = memoryview(bytearray(3))
        assert (source.readinto(buffer), bytes(buffer)) == (3, b"012")
        assert source.peek(100) == b"3456789"
        assert drain(source) == b"3456789"
        assert source.peek(1) == b""


def test_peek_stops_in_front_of_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"0123456789")[:-3])
    with open_source(str(path)) as source:
        assert source.peek(100) == b"0123456789"
        given, error = drain_to_error(source)
    assert given == b"0123456789"
    assert "cut short" in str(error)


@pytest.mark.parametrize(("suffix", "threads"), JOBS)
def test_many_streams_with_zeros_between_and_behind(tmp_path: Path, suffix: str, threads: int) -> None:
    pack = PACK[suffix]
    path = tmp_path / "name-says-nothing"
    parts = pack(TEXT[:100]), pack(b""), pack(TEXT[100:200]), bytes(8), pack(TEXT[200:]), bytes(4096)
    path.write_bytes(b"".join(parts))
    with open_source(str(path), threads=threads) as source:
        assert source.peek(150) == TEXT[:150]
        assert drain(source, 777) == TEXT
        assert source.raw_pos == source.raw_size


@pytest.mark.parametrize("suffix", FORMATS)
def test_content_beats_the_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"plain.{suffix}"
    path.write_bytes(TEXT)
    with open_source(str(path)) as source:
        assert drain(source) == TEXT
    path = tmp_path / "other.gz"
    path.write_bytes(PACK[suffix](TEXT))
    with open_source(str(path)) as source:
        assert drain(source) == TEXT


def test_mrt_files_that_begin_like_something_else(tmp_path: Path) -> None:
    """Each begins with a time that is also a magic, or the first half of one."""
    for number, head in enumerate((b"BZh9\x00\x10", b"\x50\x2a\x4d\x18\x00\x10", b"BZh91AY&S\x00")):
        path = tmp_path / f"{number}.mrt"
        path.write_bytes(head + TEXT)
        with open_source(str(path)) as source:
            assert drain(source) == head + TEXT


@pytest.mark.parametrize("size", [4, 256])
def test_zstd_that_begins_with_a_skippable_frame(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.zst"
    path.write_bytes(b"\x50\x2a\x4d\x18" + size.to_bytes(4, "little") + bytes(size) + zstandard.compress(TEXT))
    with open_source(str(path)) as source:
        assert drain(source) == TEXT


def test_window_that_takes_too_much_memory(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    (tmp_path / "x.zst").write_bytes(stream.compress(TEXT) + stream.flush())
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}]
    (tmp_path / "x.xz").write_bytes(lzma.compress(TEXT, filters=filters))
    largest = {"zst": "a window of 256 MiB, and 128 is the most", "xz": "a dictionary of 128 MiB or more"}
    for suffix, what in largest.items():
        kind = NOUN[suffix]
        with open_source(f"{tmp_path}/x.{suffix}") as source:
            given, error = drain_to_error(source)
        assert given == b""
        assert str(error) == f"the {kind} stream of {tmp_path}/x.{suffix} takes {what}; unpack it with the {kind} command"


def test_decompression_by_order(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(TEXT))
    with open_source(str(path), "none") as source:
        assert drain(source) == path.read_bytes()
    with open_source(str(path), "gz") as source:
        assert drain(source) == TEXT
    for name in ("bzip2", "zstd", "xz", "lz4"):
        with open_source(str(path), name) as source, pytest.raises(InputError, match=f"is not a {name} file"):
            drain(source)
    path.write_bytes(TEXT)
    with open_source(str(path), "gz") as source, pytest.raises(InputError, match="is not a gzip file"):
        drain(source)


@pytest.mark.parametrize(("suffix", "threads"), JOBS)
@pytest.mark.parametrize("cut", [0, 1, 3, 5, 17, 1000, 50000, -9, -1])
def test_cut_short(tmp_path: Path, suffix: str, threads: int, cut: int) -> None:
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(PACK[suffix](TEXT)[:cut])
    with open_source(str(path), threads=threads) as source:
        given, error = drain_to_error(source, 4096)
    assert TEXT.startswith(given)
    assert str(error) == f"{NOUN[suffix]} stream is cut short at byte {path.stat().st_size} of {path}"
    assert isinstance(error, InputError)
    assert error.offset == len(given)
    if cut == -1 and suffix != "bz2":
        assert len(given) == len(TEXT)
    elif cut == 50000:
        # All that these bytes hold; of a bzip2 block or an lz4 block that is cut nothing is known.
        assert len(given) > len(TEXT) * 50000 / len(PACK[suffix](TEXT)) - 150000


@pytest.mark.parametrize(("suffix", "threads"), JOBS)
@pytest.mark.parametrize("buffer", [4096, 1 << 20])
def test_garbage_behind_the_end(tmp_path: Path, suffix: str, threads: int, buffer: int) -> None:
    data = PACK[suffix](TEXT)
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(data + b"but this is not part of it")
    with open_source(str(path), threads=threads) as source:
        given, error = drain_to_error(source, buffer)
    assert given == TEXT
    assert f"{NOUN[suffix]} stream ends before byte" in str(error)
    assert "something else follows" in str(error)


@pytest.mark.parametrize(("suffix", "threads"), JOBS)
@pytest.mark.parametrize("buffer", [4096, 1 << 20])
def test_damage(tmp_path: Path, suffix: str, threads: int, buffer: int) -> None:
    """Whatever is hit, what comes out in front is right, at least up to the block that was hit."""
    data = PACK[suffix](TEXT)
    path = tmp_path / f"x.{suffix}"
    for place in range(30, len(data), len(data) // 9):
        damaged = bytearray(data)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        with open_source(str(path), threads=threads) as source:
            given, error = drain_to_error(source, buffer)
        assert str(error).startswith((f"{NOUN[suffix]} stream is damaged", f"{NOUN[suffix]} stream is cut"))
        assert isinstance(error, InputError)
        assert error.offset == len(given)
        assert agreeing(given) >= place / len(data) * len(TEXT) - 200000
        if suffix == "bz2":
            assert agreeing(given) == len(given)


def test_damage_to_the_last_byte(tmp_path: Path) -> None:
    """What zlib gets out of a damaged member byte by byte is what we give."""
    import zlib

    data = bytearray(gzip.compress(TEXT))
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    path = tmp_path / "x.gz"
    path.write_bytes(data)
    inflate = zlib.decompressobj(31)
    expected = bytearray()
    with pytest.raises(zlib.error):
        for place in range(len(data)):
            rest = bytes(data[place : place + 1])
            while piece := inflate.decompress(rest, 1):
                expected += piece
                rest = inflate.unconsumed_tail
    for buffer in (100, 10000, 10_000_000):
        with open_source(str(path)) as source:
            assert drain_to_error(source, buffer)[0] == bytes(expected)


@pytest.mark.parametrize(("suffix", "threads"), JOBS)
def test_bomb_takes_little_memory(tmp_path: Path, suffix: str, threads: int) -> None:
    """300 MB of zeros, in a process of its own, whose peak is measured."""
    path = tmp_path / f"bomb.{suffix}"
    path.write_bytes(PACK[suffix](bytes(10_000_000)) * 30)
    code = """
import resource, sys
from bgpipe.transport.source import open_source
buffer, total = memoryview(bytearray(1 << 18)), 0
with open_source(sys.argv[1], threads=int(sys.argv[2])) as source:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while count := source.readinto(buffer):
        total += count
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(total, after - before)
"""
    command = [sys.executable, "-c", code, str(path), str(threads)]
    total, kib = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    assert int(total) == 300_000_000
    assert int(kib) < 40 << 10


@pytest.mark.parametrize(("suffix", "threads"), [("plain", 1), *JOBS])
def test_fifo(tmp_path: Path, suffix: str, threads: int) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    data = PACK[suffix](TEXT) if suffix != "plain" else TEXT

    def feed() -> None:
        with open(path, "wb", 0) as fifo:
            for place in range(0, 100, 3):  # a magic that comes in parts
                fifo.write(data[place : min(place + 3, 100)])
            fifo.write(data[100:])

    writer = threading.Thread(target=feed)
    writer.start()
    with open_source(str(path), threads=threads) as source:
        assert source.raw_size is None
        assert drain(source) == TEXT
        assert source.raw_pos == len(data)
    writer.join()


def test_opening_a_fifo_does_not_wait_for_data(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    with open_source(str(path)) as source:
        os.write(writer, b"[")  # no format begins like this, so it need not wait for more
        assert source.peek(1) == b"["
    os.close(writer)


@pytest.mark.parametrize("suffix", FORMATS)
def test_damage_in_a_fifo(tmp_path: Path, suffix: str) -> None:
    """It cannot be gone over again, so up to one buffer in front of the damage may be lost."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    data = bytearray(PACK[suffix](TEXT))
    data[len(data) // 2] ^= 0xFF
    writer = threading.Thread(target=lambda: path.write_bytes(data))
    writer.start()
    with open_source(str(path)) as source:
        given, error = drain_to_error(source, 4096)
        drain(Source(source._raw, "none"))
    writer.join()
    assert agreeing(given) > len(TEXT) // 2 - 400000
    assert f"{NOUN[suffix]} stream is" in str(error)


def test_standard_input() -> None:
    code = """
import os, sys
from bgpipe.transport.source import open_source
with open_source("-") as source:
    buffer = memoryview(bytearray(100))
    while count := source.readinto(buffer):
        os.write(1, buffer[:count])
    print(source.name, source.raw_size, file=sys.stderr)
os.fstat(0)
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, input=gzip.compress(b"hello"), capture_output=True, check=True)
    assert (result.stdout, result.stderr) == (b"hello", b" None\n")


def test_standard_input_from_the_middle_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"skip" + gzip.compress(b"hello"))
    code = """
import os
from bgpipe.transport.source import open_source
with open_source("-") as source:
    assert source.raw_size == os.fstat(0).st_size - 4
    os.write(1, source.peek(100))
    assert source.raw_pos == source.raw_size
"""
    with open(path, "rb", 0) as file:
        file.seek(4)
        result = subprocess.run([sys.executable, "-c", code], stdin=file, capture_output=True, check=True)
    assert result.stdout == b"hello"


def test_descriptor_that_does_not_block(tmp_path: Path) -> None:
    code = """
import os
from bgpipe.transport.source import open_source
os.set_blocking(0, False)
with open_source("-") as source:
    os.write(1, b"ready")
    os.write(1, source.peek(100))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as job:
        assert job.stdin is not None
        assert job.stdout is not None
        assert os.read(job.stdout.fileno(), 5) == b"ready"
        job.stdin.write(b"hello")
        job.stdin.close()
        assert job.stdout.read() == b"hello"
    assert job.returncode == 0


def test_device() -> None:
    with open_source("/dev/null") as source:
        assert drain(source) == b""
    with open_source("/dev/zero") as source:
        assert source.peek(5000) == bytes(5000)


def test_empty_plain_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.mrt"
    path.write_bytes(b"")
    with open_source(str(path)) as source:
        assert source.peek(10) == b""
        assert drain(source) == b""


def test_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"cannot read .*none: no such file or directory"):
        open_source(str(tmp_path / "none"))
    with pytest.raises(StageError, match="is a directory"):
        open_source(str(tmp_path))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StageError, match="not a directory"):
        open_source(str(tmp_path / "file" / "x"))
    with pytest.raises(StageError, match="null"):
        open_source("nul\0in path")


def test_reading_fails() -> None:
    """The memory of a process is a file whose first page cannot be read."""
    with open_source("/proc/self/mem") as source:
        given, error = drain_to_error(source)
    assert (given, type(error)) == (b"", StageError)
    assert str(error) == "cannot read /proc/self/mem: input/output error"


def test_imports_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(TEXT))
    code = """
import sys
before = set(sys.modules)
from bgpipe.transport.sink import open_sink
from bgpipe.transport.source import open_source
buffer = memoryview(bytearray(1 << 16))
sink = open_sink(sys.argv[2])
with open_source(sys.argv[1]) as source:
    while count := source.readinto(buffer):
        sink.write(buffer[:count])
sink.finish()
print(*sorted(name for name in set(sys.modules) - before if not name.startswith(("bgpipe", "isal"))))
"""
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n" + code]
    command += [str(path), str(tmp_path / "y.gz")]
    result = subprocess.run(command, capture_output=True, check=True, text=True)
    light = {"_abc", "_collections_abc", "abc", "_stat", "errno", "fcntl", "genericpath", "os", "os.path"}
    assert set(result.stdout.split()) <= light | {"__future__", "posixpath", "stat"}
    assert gzip.decompress((tmp_path / "y.gz").read_bytes()) == TEXT
