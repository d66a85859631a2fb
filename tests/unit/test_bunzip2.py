"""bzip2 blocks: what the compiled decoder makes of them is what the standard library makes of them."""

from __future__ import annotations

import bz2
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpipe._bunzip2 import Decoder

END = 0x177245385090

noise = random.Random(5)
SAMPLES = {
    "one byte": b"x",
    "two values": b"ab" * 5000,
    "runs of all lengths": b"".join(bytes([n & 255]) * n for n in range(600)),
    "long runs": b"\0" * 5_000_000,
    "all values": bytes(range(256)) * 200,
    "noise": noise.randbytes(200_000),
    "long codes": b"".join(bytes([n]) * 2 ** (n // 2) for n in range(36)),
    "text": b"".join(b"%d is %x, " % (n * n, n) for n in range(40_000)),
}


def block(packed: bytes) -> tuple[bytes, int]:
    """The only block of a stream and its bits."""
    bits = int.from_bytes(packed[4:], "big")
    size = 8 * (len(packed) - 4)
    for padding in range(8):
        if bits >> (32 + padding) & (1 << 48) - 1 == END:
            size -= 80 + padding
            return packed[4:], size
    raise AssertionError("no end")


def read(decoder: Decoder, data: bytes, first: int, size: int, limit: int = 1 << 21) -> bytes | None:
    runs = decoder.decode(data, first, size)
    if runs is None:
        return None
    out = b""
    while not runs.eof:
        out += runs.read(limit)
    return out


@pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES)
def test_as_the_library(data: bytes) -> None:
    data = data[:800_000] if data.strip(b"\0") else data
    packed, size = block(bz2.compress(data))
    decoder = Decoder()
    assert read(decoder, packed, 0, size) == data
    assert read(decoder, packed, 0, size, limit=70_000) == data


@pytest.mark.parametrize("first", range(8))
def test_at_any_bit(first: int) -> None:
    packed, size = block(bz2.compress(SAMPLES["text"][:9000]))
    shifted = (int.from_bytes(packed, "big") << (8 - first)).to_bytes(len(packed) + 1, "big")
    assert read(Decoder(), shifted, first, size) == SAMPLES["text"][:9000]


@given(st.lists(st.tuples(st.binary(max_size=20), st.integers(0, 300))), st.integers(1, 50))
@settings(deadline=None)
def test_anything(pieces: list[tuple[bytes, int]], limit: int) -> None:
    data = b"".join(piece * count for piece, count in pieces)
    if data:
        packed, size = block(bz2.compress(data))
        assert read(Decoder(), packed, 0, size, limit) == data


def changed(at: int, value: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + bytes([value]) + data[at + 1 :]


def test_wrong_checksum() -> None:
    packed, size = block(bz2.compress(b"hello"))
    with pytest.raises(OSError, match="checksum"):
        read(Decoder(), changed(6, packed[6] ^ 1)(packed), 0, size)


@pytest.mark.parametrize("bits", [0, 47, 100, -8, -1, 1, 8])
def test_more_or_less_than_the_block(bits: int) -> None:
    """Where the block is not exactly there, the library has to say what is wrong."""
    packed, size = block(bz2.compress(SAMPLES["text"][:9000]))
    assert Decoder().decode(packed, 0, size + bits if abs(bits) in (1, 8) else bits) is None


def test_randomised_blocks_are_left_to_the_library() -> None:
    packed, size = block(bz2.compress(b"hello"))
    assert Decoder().decode(changed(10, packed[10] | 0x80)(packed), 0, size) is None


def test_bits_that_are_not_there() -> None:
    with pytest.raises(ValueError, match="the bits are not in the bytes"):
        Decoder().decode(b"1AY&SY", 0, 49)
    with pytest.raises(ValueError, match="the bits are not in the bytes"):
        Decoder().decode(b"1AY&SY", 50, 1)


def test_damage_anywhere_gives_nothing_else() -> None:
    """Each bit of a block turned: None, a checksum that does not match, or (a bit that says nothing) the same data."""
    data = SAMPLES["text"][:600]
    packed, size = block(bz2.compress(data))
    decoder = Decoder()
    outcomes = set()
    for bit in range(48, size):
        damaged = changed(bit >> 3, packed[bit >> 3] ^ 0x80 >> (bit & 7))(packed)
        try:
            got = read(decoder, damaged, 0, size)
        except OSError:
            outcomes.add("checksum")
            continue
        outcomes.add("none" if got is None else "same" if got == data else "other")
    assert "other" not in outcomes
    assert {"none", "checksum"} <= outcomes
