"""Compressing and decompressing again is the identity, in every format, however the bytes are cut up."""

from __future__ import annotations

import bz2
import lzma
import random
from collections.abc import Iterator

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpipe.transport import bzip2, compression


class Pieces:
    """An input that gives its bytes in pieces of the sizes told, over and over."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data = data
        self._sizes = self._cycle(sizes)
        self.place = 0

    def _cycle(self, sizes: list[int]) -> Iterator[int]:
        while True:
            yield from sizes

    def readinto(self, buffer: memoryview) -> int:
        count = min(next(self._sizes), len(buffer), len(self._data) - self.place)
        buffer[:count] = self._data[self.place : self.place + count]
        self.place += count
        return count


def decompress(name: str, data: bytes, inputs: list[int], outputs: list[int], threads: int = 1) -> bytes:
    source = Pieces(data, inputs)
    decoder = compression.decoder(name, source, threads)
    result = bytearray()
    while True:
        for size in outputs:
            buffer = memoryview(bytearray(size))
            count = decoder.readinto(buffer)
            if not count:
                assert source.place == len(data)
                assert decoder.readinto(buffer) == 0
                return bytes(result)
            result += buffer[:count]


sizes = st.lists(st.integers(1, 70_000), min_size=1, max_size=8)
# Parts that compress to nothing, that do not compress, and that look like parts of a stream.
parts = st.lists(
    st.one_of(
        st.binary(max_size=2000),
        st.tuples(st.binary(min_size=1, max_size=20), st.integers(1, 3000)).map(lambda pair: pair[0] * pair[1]),
        st.integers(1, 5).map(lambda seed: random.Random(seed).randbytes(seed * 50_000)),
        st.sampled_from([b"", b"1AY&SY", b"\x17rE8P\x90", b"BZh91AY&SY", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"]),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("name", compression.FORMATS)
@given(parts=parts, inputs=sizes, outputs=sizes, flushes=st.lists(st.booleans(), max_size=6))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_there_and_back(
    name: str, parts: list[bytes], inputs: list[int], outputs: list[int], flushes: list[bool]
) -> None:
    encoder = compression.encoder(name)
    packed = b""
    for number, part in enumerate(parts):
        packed += encoder.compress(part)
        if number < len(flushes) and flushes[number]:
            packed += encoder.sync()
    packed += encoder.finish()
    assert decompress(name, packed, inputs, outputs) == b"".join(parts)


@given(
    streams=st.lists(st.tuples(parts.map(b"".join), st.integers(1, 9), st.integers(0, 20)), min_size=1, max_size=4),
    inputs=sizes,
    outputs=sizes,
    threads=st.integers(1, 3),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_bzip2_streams_at_every_bit(
    streams: list[tuple[bytes, int, int]], inputs: list[int], outputs: list[int], threads: int
) -> None:
    packed = b"".join(bz2.compress(data, level) + bytes(zeros) for data, level, zeros in streams)
    expected = b"".join(data for data, _, _ in streams)
    assert decompress("bzip2", packed, inputs, outputs, threads) == expected


@pytest.mark.parametrize("threads", [1, 2])
def test_bzip2_block_that_holds_the_magic_by_chance(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """Each block comes in two, as if there were a magic in it: together they are right."""
    real = bzip2._split

    def split(source: compression.Input) -> Iterator[bzip2._Block]:
        for block in real(source):
            rest = block.size // 3
            yield bzip2._Block(block.data, block.first, block.size - rest, block.end - rest, None)
            yield bzip2._Block(block.data, block.first + block.size - rest, rest, block.end, block.last)

    monkeypatch.setattr(bzip2, "_split", split)
    data = random.Random(1).randbytes(1_000_000)
    assert decompress("bzip2", bz2.compress(data, 1), [1 << 20], [1 << 20], threads) == data


def test_bzip2_checksum_of_a_stream() -> None:
    packed = bytearray(bz2.compress(random.Random(1).randbytes(300_000), 1))
    packed[-3] ^= 0x10  # which no block's checksum covers
    with pytest.raises(compression.Damage, match="checksum"):
        decompress("bzip2", bytes(packed), [1000], [1000])
    with pytest.raises(compression.Damage, match="checksum"):
        decompress("bzip2", bz2.compress(b"")[:-1] + b"\x01", [1000], [1000])


def test_bzip2_without_an_end_to_its_block() -> None:
    packed = bz2.compress(b"hello")[:10] + random.Random(1).randbytes(4_000_000)
    with pytest.raises(compression.Damage, match="a block does not end"):
        decompress("bzip2", packed, [100_000], [1000])


def test_zstd_skippable_frames_and_frames_without_checksum() -> None:
    skip = b"\x5a\x2a\x4d\x18" + (300_000).to_bytes(4, "little") + bytes(300_000)
    frame = zstandard.ZstdCompressor(level=1).compress(b"hello" * 100_000)
    empty = b"\x50\x2a\x4d\x18" + bytes(4)
    packed = frame + skip + empty + frame + skip
    assert decompress("zstd", packed, [1000], [70_000]) == b"hello" * 200_000


@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("data", [b"", b"hello" * 100_000])
def test_zstd_that_ends_in_an_empty_block(data: bytes, checksum: bool) -> None:
    stream = zstandard.ZstdCompressor(write_checksum=checksum).compressobj()
    packed = stream.compress(data) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) + stream.flush()
    assert packed[-7 if checksum else -3 :][:3] == b"\x01\0\0"
    for size in (1, 1000):
        assert decompress("zstd", packed * 2, [size], [70_000]) == data * 2


def test_largest_windows_that_are_allowed() -> None:
    frame = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    ).compressobj()
    packed = frame.compress(b"hello" * 1000) + frame.flush()
    assert decompress("zstd", packed, [1000], [1000]) == b"hello" * 1000
    packed = lzma.compress(b"hello", preset=9 | lzma.PRESET_EXTREME)
    assert decompress("xz", packed, [1000], [1000]) == b"hello"


def test_window_larger_than_allowed() -> None:
    frame = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    ).compressobj()
    packed = frame.compress(b"hello" * 1000) + frame.flush()
    with pytest.raises(compression.TooLarge, match=r"^a window of 256 MiB, and 128 is the most$"):
        decompress("zstd", packed, [1000], [1000])


def test_dictionary_larger_than_allowed() -> None:
    packed = lzma.compress(b"hello", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}])
    with pytest.raises(compression.TooLarge, match=r"^a dictionary of 128 MiB or more$"):
        decompress("xz", packed, [1000], [1000])


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x28\xb5", ""),
        (b"\x50\x2a\x4d\x18\x04\0\0\0\x01\x02", "zstd"),  # pzstd
        (b"\x5f\x2a\x4d\x18\x01\0\0\0", "zstd"),
        (b"\x50\x2a\x4d", ""),
        (b"\x50", ""),
        (b"[", "none"),
        (b"[\x2a\x4d\x18\x04\0\0\0", "zstd"),
        (b"\x50\x2a\x4d\x18\0\x10\0\x04\0\0", ""),  # MRT of 14 August 2012, or zstd: the name has to tell
        (b"\x60\x2a\x4d\x18\x04", "none"),
        (b"\x50\x2a\x4d\x19\x04", "none"),
        (b"BZh9", ""),
        (b"BZh91AY&SY", "bzip2"),
        (b"", ""),
        (b'["R",1,', "none"),
    ],
)
def test_by_content(head: bytes, expected: str) -> None:
    assert compression.by_content(head) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("updates.20160811.1600.gz", "gz"),
        ("rib.bz2", "bzip2"),
        ("rib.zst", "zstd"),
        ("rib.ZSTD", "zstd"),
        ("rib.xz", "xz"),
        ("rib.lz4", "lz4"),
        ("gz", "none"),
        ("rib.mrt", "none"),
        ("", "none"),
    ],
)
def test_by_name(name: str, expected: str) -> None:
    assert compression.by_name(name) == expected
