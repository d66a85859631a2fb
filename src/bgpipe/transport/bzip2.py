"""Parallel bzip2 decompression, a block at a time, of anything that streams.

A bzip2 file is a string of bits: a stream is a header, blocks of up to 900 kB that stand alone, and a
checksum over theirs; each block and the end open with a magic of 48 bits, at any bit. This module finds the
magics, and lets threads decompress the blocks: ordinary ones by _bunzip2, others with the standard library.

Against rapidgzip it reads pipes and URLs too, keeps to a few MiB whatever a block expands to (there: 300 MiB),
checks every checksum, and knows where damage is.
"""

from __future__ import annotations

from _queue import SimpleQueue
from bz2 import BZ2Decompressor
from collections import deque
from threading import Lock, Thread

from bgpipe._bunzip2 import Decoder
from bgpipe.errors import BgpipeError
from bgpipe.transport.compression import CHUNK, NO_MAGIC, Damage, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from bgpipe._bunzip2 import Runs
    from bgpipe.transport.compression import Input

_BLOCK = 0x314159265359
_END = 0x177245385090
_STEP = 1 << 21  # of output at a time: nearly always the whole block
_LONGEST = 10_000_000  # bits of a block, compressed: 900 kB that do not compress, and tables


class _Block:
    """A block to decompress: its bits, and then what became of them.

    first, size: bits in data. end: the bit of the input behind it. last: the stream's checksum, behind its last block.
    """

    __slots__ = ("data", "done", "end", "error", "first", "last", "piece", "rest", "size")

    def __init__(self, data: bytes, first: int, size: int, end: int, last: int | None) -> None:
        self.data = data
        self.first = first
        self.size = size
        self.end = end
        self.last = last
        self.done = Lock()
        self.done.acquire()
        self.piece = b""
        self.rest: Runs | _Library | None = None  # has more than the first piece
        self.error = ""

    @property
    def bits(self) -> int:
        return int.from_bytes(self.data, "big") >> (8 * len(self.data) - self.first - self.size) & (1 << self.size) - 1

    @property
    def checksum(self) -> int:
        return int.from_bytes(self.data[:11], "big") >> (88 - self.first - 80) & 0xFFFFFFFF

    def run(self, decoder: Decoder) -> None:
        try:
            found: Runs | _Library = decoder.decode(self.data, self.first, self.size) or _Library(self)
            self.piece = found.read(_STEP)
            if not found.eof:
                self.rest = found
        except EOFError:
            self.error = "a block ends too early"
        except Exception:
            self.error = "a block does not decompress to what its checksum says"
        finally:
            self.done.release()

    def pieces(self) -> Iterator[bytes]:
        if self.error:
            raise Damage(self.error, position=self.end + 7 >> 3)
        yield self.piece
        while self.rest is not None and not self.rest.eof:
            try:
                yield self.rest.read(_STEP)
            except (OSError, EOFError):
                self.error = "a block does not decompress to what its checksum says"
                raise Damage(self.error, position=self.end + 7 >> 3) from None

    def joined(self, behind: _Block) -> _Block:
        """This block and the one behind it as one: once in some 35 TB a block holds the magic by chance."""
        size = self.size + behind.size
        bits = (self.bits << behind.size | behind.bits) << -size % 8
        block = _Block(bits.to_bytes((size + 7) // 8, "big"), 0, size, behind.end, behind.last)
        block.run(Decoder())
        return block


class _Library:
    """What the standard library makes of a block, with the face of Runs. EOFError where it ends too early."""

    def __init__(self, block: _Block) -> None:
        size = block.size + 80
        padding = -size % 8
        # The checksum over a single block is that block's.
        bits = (block.bits << 80 | _END << 32 | block.checksum) << padding
        self._data = b"BZh9" + bits.to_bytes((size + padding) // 8, "big")
        self._stream = BZ2Decompressor()

    @property
    def eof(self) -> bool:
        return self._stream.eof

    def read(self, limit: int) -> bytes:
        piece = self._stream.decompress(self._data, limit)
        self._data = b""
        if self._stream.needs_input and not self._stream.eof:
            raise EOFError
        return piece


def blocks(source: Input, threads: int) -> Generator[bytes, None, None]:
    """What source decompresses to; up to threads blocks are decompressed at the same time.

    Yields b"" in front of waits for input. Raises Damage, and what source raises, behind all the blocks in front of it.
    """
    jobs: SimpleQueue[_Block | None] = SimpleQueue()
    workers: list[Thread] = []
    pending: deque[_Block] = deque()
    split = _split(source)
    failure: BgpipeError | Damage | None = None
    mine = Decoder() if threads <= 1 else None
    combined = 0
    more = True

    def work() -> None:
        decoder = Decoder()
        while (job := jobs.get()) is not None:
            job.run(decoder)

    try:
        while True:
            if more:
                yield b""
            while more and len(pending) < 2 * threads:
                try:
                    block = next(split)
                except StopIteration:
                    more = False
                    break
                except (BgpipeError, Damage) as error:
                    failure = error
                    more = False
                    break
                pending.append(block)
                if threads > 1:
                    jobs.put(block)
                    if len(workers) < threads:
                        workers.append(Thread(target=work, name="bunzip2", daemon=True))
                        workers[-1].start()
            if not pending:
                if failure is not None:
                    raise failure
                return
            block = pending.popleft()
            if mine is not None:
                block.run(mine)
            block.done.acquire()
            if block.error and pending:
                joined = block.joined(pending[0])
                if not joined.error:
                    pending.popleft()
                    block = joined
            yield from block.pieces()
            combined = (combined << 1 | combined >> 31) & 0xFFFFFFFF ^ block.checksum
            if block.last is not None:
                if combined != block.last:
                    raise Damage("a stream's checksum does not match", position=block.end + 87 >> 3)
                combined = 0
    finally:
        for _ in workers:
            jobs.put(None)


def _split(source: Input) -> Iterator[_Block]:
    """Find the blocks. Raises Damage where the bits are not bzip2's."""
    data = b""  # the input from byte start on
    start = 0
    marks: deque[int] = deque()  # the bits at which blocks begin
    ended = False

    def grow() -> bool:
        nonlocal data, ended
        chunk = read(source, CHUNK)
        ended = not chunk
        known = len(data)
        data += chunk
        marks.extend(start * 8 + mark for mark in _find(data, _BLOCK_NEEDLES, known))
        return not ended

    def at_hand(end: int) -> bool:
        while (start + len(data)) * 8 < end:
            if not grow():
                return False
        return True

    def bits(begin: int, size: int) -> int:
        first, behind = (begin >> 3) - start, (begin + size + 7 >> 3) - start
        return int.from_bytes(data[first:behind], "big") >> (-(begin + size) % 8) & (1 << size) - 1

    def block_end(begin: int) -> int:
        while marks and marks[0] <= begin:
            marks.popleft()
        while not marks and not ended and (start + len(data)) * 8 - begin < _LONGEST:
            grow()
        limit = marks[0] if marks else (start + len(data)) * 8
        # An end is looked for only where one is due: in front of a header, and where no block follows.
        if marks and (limit % 8 or not _is_header(data[(limit >> 3) - start - 4 : (limit >> 3) - start])):
            return limit
        first = begin >> 3
        for mark in _find(data[first - start : (limit + 7 >> 3) - start], _END_NEEDLES, 0):
            if first * 8 + mark > begin:
                return first * 8 + mark
        if marks:
            return limit
        raise Damage("a block does not end", cut=ended)

    while True:
        at = start * 8
        if not at_hand(at + 32):
            raise Damage(cut=b"BZh".startswith(data[:3]))
        if not _is_header(data[:4]):
            raise Damage(NO_MAGIC, position=start)
        at += 32
        empty = True
        while True:
            if not at_hand(at + 80):
                raise Damage(cut=True)
            magic = bits(at, 48)
            if magic == _END:
                break
            if magic != _BLOCK:
                raise Damage("neither a block nor an end begins where one should", position=(at >> 3) + 6)
            empty = False
            end = block_end(at)
            last = bits(end + 48, 32) if at_hand(end + 80) and bits(end, 48) == _END else None
            yield _Block(data[(at >> 3) - start : (end + 7 >> 3) - start], at % 8, end - at, end, last)
            at = end
            data, start = data[(at >> 3) - start :], at >> 3
        if empty and bits(at + 48, 32):
            raise Damage("a stream's checksum does not match", position=(at >> 3) + 11)
        end = at + 87 >> 3
        data, start = data[end - start :], end
        while True:  # over zeros, to the next stream
            size = len(data)
            data = data.lstrip(b"\0")
            start += size - len(data)
            if data or not grow():
                break
        if not data:
            return


def _is_header(data: bytes) -> bool:
    return data[:3] == b"BZh" and b"1" <= data[3:] <= b"9"


def _needles(magic: int) -> list[tuple[int, bytes, bytes]]:
    """For each bit of a byte at which magic can begin: that bit, the bytes it lies in, and the whole ones."""
    patterns = [(shift, (magic << (8 - shift) % 8).to_bytes(7 if shift else 6, "big")) for shift in range(8)]
    return [(shift, pattern, pattern[1:6] if shift else pattern) for shift, pattern in patterns]


_BLOCK_NEEDLES = _needles(_BLOCK)
_END_NEEDLES = _needles(_END)


def _find(data: bytes, needles: list[tuple[int, bytes, bytes]], known: int) -> list[int]:
    """The bits at which a magic begins, in order, save those that lie in the first known bytes altogether."""
    found = []
    for shift, pattern, needle in needles:
        lead = 1 if shift else 0
        place = data.find(needle, max(known - len(pattern) + 1, 0) + lead)
        while place >= 0:
            first = place - lead
            if not shift or (
                data[first] & 0xFF >> shift == pattern[0]
                and data[first + 6 : first + 7]
                and data[first + 6] >> (8 - shift) == pattern[6] >> (8 - shift)
            ):
                found.append(first * 8 + shift)
            place = data.find(needle, place + 1)
    return sorted(found)
