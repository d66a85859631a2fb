"""The compressed formats, both ways: which one it is, and decoders and encoders with one face each.

A decoder pulls compressed bytes from an input and fills the caller's buffer; an encoder turns bytes into
compressed bytes. All of them release the GIL, hold a bounded amount whatever the data expand to, take several
streams back to back with zeros between and behind them, and are imported when used.
"""

from __future__ import annotations

from bgpipe.errors import BgpipeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, Protocol

    class Input(Protocol):
        """Compressed bytes: readinto() returns 0 at the end."""

        def readinto(self, buffer: memoryview, /) -> int: ...

    class Decoder(Protocol):
        def readinto(self, buffer: memoryview, /) -> int:
            """Fill buffer, or a part of it; 0 at the end. Raises Damage, and what the input raises."""
            ...

    class Encoder(Protocol):
        def compress(self, data: bytes | bytearray | memoryview, /) -> bytes: ...

        def sync(self) -> bytes:
            """What is still held back, so that a reader sees all that was written so far."""
            ...

        def finish(self) -> bytes: ...

    class Decompressor(Protocol):
        """What bz2, lzma and lz4 have in common: one stream, and no more output than asked for."""

        @property
        def eof(self) -> bool: ...
        @property
        def needs_input(self) -> bool: ...
        @property
        def unused_data(self) -> bytes | None: ...
        def decompress(self, data: bytes, max_length: int) -> bytes: ...


FORMATS = ("gz", "bzip2", "zstd", "xz", "lz4")
NOUNS = {"gz": "gzip", "bzip2": "bzip2", "zstd": "zstd", "xz": "xz", "lz4": "lz4"}
_SUFFIXES = {".gz": "gz", ".bz2": "bzip2", ".zst": "zstd", ".zstd": "zstd", ".xz": "xz", ".lz4": "lz4"}

_GZIP = b"\x1f\x8b\x08"
_XZ = b"\xfd7zXZ\x00"
_ZSTD = b"\x28\xb5\x2f\xfd"
_LZ4 = b"\x04\x22\x4d\x18"
# "BZh" alone opens an MRT file of 11 April 2005, so the magic of a block, or of the end, has to follow.
_BZIP2_NEXT = (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")
_MAGICS = (
    *((b"BZh%d%b" % (level, magic), "bzip2") for level in range(1, 10) for magic in _BZIP2_NEXT),
    (_GZIP, "gz"),
    (_XZ, "xz"),
    (_ZSTD, "zstd"),
    (_LZ4, "lz4"),
)
_SKIPPABLE = b"\x2a\x4d\x18"  # behind a byte from 0x50 to 0x5f, of zstd: pzstd begins with such a frame
MAGIC_SIZE = 10

NO_MAGIC = "no stream begins there"
CHUNK = 1 << 17  # compressed bytes read at a time
_STEP = 1 << 16  # decompressed bytes asked for at a time, where they come as objects
# What the window or dictionary of a stream may take: that of zstd --long=27, the most that zstd itself unpacks unasked,
# and twice that of xz -9. It cannot be had for less: any of its bytes may be wanted next.
_MEMORY = 1 << 27


class Damage(Exception):
    """A compressed stream that ends too early (cut) or does not decode.

    written: bytes that are good in the buffer which the failed call was given.
    lost: more bytes may be good, which careful_decoder() gets at.
    position: compressed bytes that the damage lies in front of; None for those that were read.
    """

    def __init__(
        self,
        reason: str = "",
        *,
        cut: bool = False,
        written: int = 0,
        lost: bool = False,
        position: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.cut = cut
        self.written = written
        self.lost = lost
        self.position = position


class TooLarge(Damage):
    """Nothing is wrong with the stream, but its window takes more memory than a stream may."""


def by_name(name: str) -> str:
    """The format that a file's name stands for, "none" if for none."""
    dot = name.rfind(".")
    return _SUFFIXES.get(name[dot:].lower(), "none") if dot >= 0 else "none"


def by_content(head: bytes) -> str:
    """The format that the first bytes stand for, "none" if for none, "" if it takes more to tell."""
    unsure = False
    for magic, name in _MAGICS:
        if head.startswith(magic):
            return name
        unsure = unsure or magic.startswith(head)
    if b"\x50" <= head[:1] <= b"\x5f" and head != b"[" and _SKIPPABLE.startswith(head[1:4]):
        # MRT may begin so as well, in 16 seconds from 2012 to 2020; then the high byte of its type follows, a zero.
        return "zstd" if any(head[4:5]) else ""
    return "" if unsure else "none"


def decoder(name: str, source: Input, threads: int) -> Decoder:
    """A decoder of one of FORMATS. threads: how many it may keep busy."""
    if name == "gz":
        return _Gzip(source)
    if name == "bzip2":
        from bgpipe.transport.bzip2 import blocks

        return Pieces(blocks(source, threads))
    return Pieces(_zstd(source) if name == "zstd" else _streams(source, name))


def careful_decoder(name: str, source: Input, given: int) -> Decoder:
    """A decoder for when decoder() said that something was lost, which it gives to the very last byte.

    Beyond the first given bytes, which are known to be good, it is slow.
    """
    return Pieces(_streams(source, name, given))


class _File:
    """What a reader that wants a file object takes for one."""

    __slots__ = ("readinto",)

    def __init__(self, source: Input) -> None:
        self.readinto = source.readinto

    def read(self, size: int) -> bytes:
        data = bytearray(size)
        return bytes(data[: self.readinto(memoryview(data))])


class _Gzip:
    """gzip (RFC 1952), checksums verified."""

    __slots__ = ("_reader",)

    def __init__(self, source: Input) -> None:
        from isal import isal_zlib

        file: Any = _File(source)
        # What igzip.open() is made of, without its imports (17 ms). It inflates straight into the caller's
        # buffer, at 1.2 GB/s; the objects that return bytes reach 1.05.
        self._reader: Any = isal_zlib._GzipReader(file, CHUNK)

    def readinto(self, buffer: memoryview) -> int:
        before = self._reader.tell()
        try:
            return int(self._reader.readinto(buffer))
        except BgpipeError as error:
            raise Damage(written=self._reader.tell() - before) from error
        except EOFError:
            raise Damage(cut=True, written=self._reader.tell() - before) from None
        except Exception as error:
            written = self._reader.tell() - before
            raise Damage(_reason(error), written=written, lost=not isinstance(error, OSError)) from None


class Pieces:
    """A decoder over a generator of decompressed bytes, which yields b"" in front of each wait for input."""

    __slots__ = ("_piece", "_pieces")

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")

    def readinto(self, buffer: memoryview) -> int:
        filled = 0
        try:
            while filled < len(buffer):
                if not self._piece:
                    piece = next(self._pieces, None)
                    if piece is None or (filled and not piece):
                        break
                    self._piece = memoryview(piece)
                count = min(len(self._piece), len(buffer) - filled)
                buffer[filled : filled + count] = self._piece[:count]
                self._piece = self._piece[count:]
                filled += count
        except Damage as damage:
            damage.written = filled
            raise
        return filled

    def close(self) -> None:
        """End what threads the generator has."""
        self._pieces.close()


def _streams(source: Input, name: str, careful_from: int | None = None) -> Generator[bytes, None, None]:
    """The formats whose decompressors look like those of the standard library."""
    new, magic = _decompressor(name)
    chunk = CHUNK if careful_from is None else 256
    given = 0
    data = b""
    first = True
    while True:
        while len(data) < len(magic):
            yield b""
            more = read(source, chunk)
            if not more:
                break
            data += more
            if not first:
                data = data.lstrip(b"\0")
        if not data and not first:
            return
        if not data.startswith(magic):
            raise Damage(NO_MAGIC, cut=magic.startswith(data))
        first = False
        stream = new()
        while not stream.eof:
            if not data and stream.needs_input:
                yield b""
                data = read(source, chunk)
                if not data:
                    raise Damage(cut=True)
            step = _STEP if careful_from is None else max(min(_STEP, careful_from - given), 1)
            try:
                piece = stream.decompress(data, step)
            except Exception as error:
                if "memory usage limit" in str(error).lower():
                    raise TooLarge(f"a dictionary of {_MEMORY >> 20} MiB or more") from None
                raise Damage(_reason(error), lost=step > 1) from None
            data = b""
            if piece:
                given += len(piece)
                yield piece
        data = (stream.unused_data or b"").lstrip(b"\0")


def _decompressor(name: str) -> tuple[Callable[[], Decompressor], bytes]:
    """What decodes one stream of a format, and how that begins."""
    if name == "xz":
        import lzma

        return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY), _XZ
    if name == "lz4":
        import lz4.frame

        return lz4.frame.LZ4FrameDecompressor, _LZ4
    return _Inflate, _GZIP


class _Inflate:
    """A gzip member, byte by byte where asked to: ISA-L decodes ahead, and loses that at damage."""

    __slots__ = ("_stream", "needs_input")

    def __init__(self) -> None:
        import zlib

        self._stream = zlib.decompressobj(31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        piece = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        self.needs_input = not self._stream.unconsumed_tail and len(piece) < max_length
        return piece


def _zstd(source: Input) -> Generator[bytes, None, None]:
    """zstd (RFC 8878), checksums verified.

    It is fed a block at a time, which makes at most 128 KiB. The library's reader does not tell that a stream
    ends too early, and its other decoder returns all that a chunk expands to.
    """
    import zstandard

    data = memoryview(b"")

    def take(size: int) -> Generator[bytes, None, memoryview]:
        nonlocal data
        while len(data) < size:
            yield b""
            more = read(source, CHUNK)
            if not more:
                raise Damage(cut=True)
            data = memoryview(bytes(data) + more)
        taken, data = data[:size], data[size:]
        return taken

    begun = False
    while True:
        while begun:  # over zeros, to the next frame
            data = memoryview(bytes(data).lstrip(b"\0"))
            if data:
                break
            yield b""
            data = memoryview(read(source, CHUNK))
            if not data:
                return
        begun = True
        magic = bytes((yield from take(4)))
        if magic[0] & 0xF0 == 0x50 and magic[1:] == _SKIPPABLE:
            left = int.from_bytes((yield from take(4)), "little")
            while left:
                left -= len((yield from take(min(left, CHUNK))))
            continue
        if magic != _ZSTD:
            raise Damage(NO_MAGIC)
        try:
            header = magic + (yield from take(1))  # which tells how long it is
            header += yield from take(zstandard.frame_header_size(header) - len(header))
            parameters = zstandard.get_frame_parameters(header)
            if parameters.window_size > _MEMORY:
                raise TooLarge(f"a window of {parameters.window_size >> 20} MiB, and {_MEMORY >> 20} is the most")
            frame = zstandard.ZstdDecompressor(max_window_size=_MEMORY).decompressobj()
            frame.decompress(header)
            last = 0
            while not last:
                block = yield from take(3)
                bits = int.from_bytes(block, "little")
                last = bits & 1
                size = 1 if bits >> 1 & 3 == 1 else bits >> 3
                for part in (block, (yield from take(size))):
                    piece = frame.decompress(part) if part else b""  # an empty block may have ended it
                    if piece:
                        yield piece
            if parameters.has_checksum:
                piece = frame.decompress((yield from take(4)))
                if piece:
                    yield piece
        except zstandard.ZstdError as error:
            raise Damage(_reason(error)) from None


def read(source: Input, size: int) -> bytes:
    data = bytearray(size)
    return bytes(memoryview(data)[: source.readinto(memoryview(data))])


def _reason(error: Exception) -> str:
    """What a library says of damage, without its own preface."""
    text = str(error).rpartition(": ")[2].lower().removeprefix("error_")
    if "check" in text:
        return "its checksum does not match"
    return NO_MAGIC if text.startswith("not a gzipped file") else text


def encoder(name: str, threads: int = 1) -> Encoder:
    """An encoder of one of FORMATS, at a level that keeps up with the pipeline.

    threads: how many it may keep busy, where the library can.
    """
    if name == "gz":
        return _GzipEncoder()
    if name == "zstd":
        return _ZstdEncoder(threads)
    return _Restarting(_compressor(name))


class _GzipEncoder:
    __slots__ = ("_stream", "compress")

    def __init__(self) -> None:
        from isal import isal_zlib

        # Level 2 of 0 to 3 is the fastest on MRT and JSON, and within 3% of the size that level 3 reaches.
        self._stream: Any = isal_zlib.compressobj(2, isal_zlib.DEFLATED, 31)
        self.compress: Callable[[Any], bytes] = self._stream.compress

    def sync(self) -> bytes:
        from isal import isal_zlib

        return bytes(self._stream.flush(isal_zlib.Z_SYNC_FLUSH))

    def finish(self) -> bytes:
        return bytes(self._stream.flush())


class _ZstdEncoder:
    __slots__ = ("_stream", "compress")

    def __init__(self, threads: int) -> None:
        import zstandard

        options: dict[str, int] = {"write_checksum": 1}
        if threads > 1:
            # Jobs of the default size take 50 MiB for two threads, these 8; files get 2% larger.
            options |= {"threads": threads, "job_size": 1 << 20}
        parameters = zstandard.ZstdCompressionParameters.from_level(3, **options)
        self._stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        self.compress: Callable[[Any], bytes] = self._stream.compress

    def sync(self) -> bytes:
        import zstandard

        return self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._stream.flush()


class _Restarting:
    """Formats without a flush of their own: sync() ends the stream, and the next byte starts another."""

    __slots__ = ("_new", "_stream")

    def __init__(self, new: Callable[[], Any]) -> None:
        self._new = new
        self._stream: Any = None

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        if self._stream is None:
            self._stream = self._new()
        return bytes(self._stream.compress(data))

    def sync(self) -> bytes:
        stream, self._stream = self._stream, None
        return bytes(stream.flush()) if stream is not None else b""

    finish = sync


def _compressor(name: str) -> Callable[[], Any]:
    if name == "bzip2":
        import bz2

        return bz2.BZ2Compressor
    if name == "xz":
        import lzma

        return lambda: lzma.LZMACompressor(preset=1)  # ten times as fast as the default, files a sixth larger
    return _Lz4Stream


class _Lz4Stream:
    __slots__ = ("_header", "_stream")

    def __init__(self) -> None:
        import lz4.frame

        self._stream = lz4.frame.LZ4FrameCompressor(content_checksum=True)
        self._header = self._stream.begin()

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        header, self._header = self._header, b""
        return bytes(header + self._stream.compress(data))

    def flush(self) -> bytes:
        return bytes(self._header + self._stream.flush())
