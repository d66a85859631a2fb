"""Archives from Python: read() and write()."""

from __future__ import annotations

import os

from bgpipe import formats
from bgpipe._codec import Batch, Buffer, type_mask
from bgpipe._view import Msg
from bgpipe.errors import BgpipeError, InputError, UsageError
from bgpipe.transport.sink import open_sink
from bgpipe.transport.source import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bgpipe._match import Program
    from bgpipe.filters import Filter


_BOTH = 3  # directions, as bits


def read(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002
    decompress: str = "auto",
    types: str | int | Iterable[str | int] | None = None,
    filter: str | Filter | None = None,  # noqa: A002
    pardon: bool = False,
    recover: bool = False,
    guess_asn: bool = False,
    guess_addpath: bool = True,
    tags: bool = False,
    all: bool = False,  # noqa: A002
    on_skip: Callable[[InputError], object] | None = None,
    threads: int = 1,
) -> Reader:
    """Read the messages of a file, named pipe, http or https URL, or "-", standard input.

    format: "json", "raw", "mrt", "bmp", "obmp", "exa", or "auto", by the name, else by the content.
    decompress: "gz", "bzip2", "zstd", "xz", "lz4", "none", or "auto", by the content.
    types: the message type wanted, by name ("UPDATE", RFC 4271 section 4.1) or number, or several; None: all.
    filter: only messages that match it come out, such as "as_origin == 15169" (docs/filters.md).
    pardon: skip what does not parse and call on_skip with the InputError, instead of failing there.
    recover: MRT, BMP: find the next record behind damage, and call on_skip with what was lost.
    guess_asn: MRT, BMP: find out per peer whether AS numbers take 2 or 4 bytes (RFC 6793).
    guess_addpath: MRT, BMP: find out whose prefixes carry path ids that nothing declares (RFC 7911).
    tags: BMP: tag messages with PEER_ID, PEER_RD, PEER_TYPE and RIB, too (docs/formats.md).
    all: BMP: also OPENs and NOTIFICATIONs of peers, and mirrored messages.
    threads: how many threads decompression may keep busy.

    Raises StageError where there is nothing to open, UsageError (FilterError) where an option makes no sense.
    """
    if format != "auto" and format not in formats.FORMATS:
        raise UsageError(f"format {format!r}: expected auto, {', '.join(formats.FORMATS)}")
    options: dict[str, object] = {"pardon": pardon, "on_skip": on_skip, "types": mask(types)}
    of_records = {"recover": recover, "guess_asn": guess_asn, "guess_addpath": guess_addpath}
    of_bmp = {"peer_tags": tags, "everything": all}
    program = None
    if filter is not None:
        from bgpipe.filters import Filter

        program = (filter if isinstance(filter, Filter) else Filter(filter)).program
    return Reader(os.fspath(path), format, decompress, threads, of_records, of_bmp, options, program)


class Reader:
    """Messages of a file, in order.

    What was read before damage comes first; then InputError says where and why the rest cannot be read.
    name: the file's name. skipped: records left out by pardon or recover.
    """

    def __init__(
        self,
        path: str,
        form: str,
        decompress: str,
        threads: int,
        of_records: dict[str, bool],
        of_bmp: dict[str, bool],
        options: dict[str, object],
        program: Program | None = None,
    ) -> None:
        self._program = program
        self._source = open_source(path, decompress, threads=threads)
        try:
            form = formats.resolve(form, self._source, path)
        except BgpipeError:
            self._source.close()
            raise
        if form in ("mrt", "bmp", "obmp"):
            options |= of_records
        if form in ("bmp", "obmp"):
            options |= of_bmp
        self.name = self._source.name
        self._form = form
        self._decoder = formats.decoder(form, **options)

    @property
    def skipped(self) -> int:
        return self._decoder.skipped

    def batches(self) -> Iterator[Batch]:
        """The messages in bundles as they were read: what to hand to Writer.write, and the fast way to all else.

        What the filter keeps out is in them, dropped: iterating and writing leave it away.
        Raises InputError, StageError: see above.
        """
        right = left = 1
        while (batch := self._decoder.read(self._source)) is not None:
            right, left = batch.number(right, left)
            if self._program is not None:
                self._program.keep(batch, _BOTH)
            yield batch
            if batch.error is not None:
                if isinstance(batch.error, InputError) and right == left == 1:
                    formats.suspect(batch.error, self._form, self._source)
                raise batch.error

    def __iter__(self) -> Iterator[Msg]:
        """The messages one by one. Raises InputError, StageError: see above."""
        for batch in self.batches():
            yield from batch

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def write(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002
    compress: str = "auto",
    append: bool = False,
    create: bool = False,
    types: str | int | Iterable[str | int] | None = None,
) -> Writer:
    """Write messages to a file, named pipe or device, or "-", standard output.

    format: "json", "raw", "mrt", "bmp", "obmp", "exa", "bgpdump", or "auto", by the name, else json.
    compress: "gz", "bzip2", "zstd", "xz", "lz4", "none", or "auto", by the name.
    append: write behind what the file holds. create: fail if it exists. types: as for read().

    Raises StageError where it cannot be opened, UsageError where an option makes no sense.
    """
    path = os.fspath(path)
    if format == "auto":
        format = formats.by_name(path.rpartition("/")[2]) or "json"  # noqa: A001
    if format not in formats.WRITTEN:
        raise UsageError(f"format {format!r}: expected auto, {', '.join(formats.WRITTEN)}")
    return Writer(path, format, compress, append, create, mask(types))


class Writer:
    """A file that is being written. It appears under its name when it is closed, complete; close it, or use `with`.

    Where the block of a `with` raises, no file comes to be.
    """

    def __init__(self, path: str, form: str, compress: str, append: bool, create: bool, types: int) -> None:
        self._sink = open_sink(path, compress=compress, append=append, create=create)
        self._encoder = formats.encoder(form, types=types)
        self._encoder.part = 1 << 20
        self._repeats = formats.repeats(form)
        self._buffer = Buffer()

    @property
    def written(self) -> int:
        """Messages written."""
        return self._encoder.written

    def write(self, messages: Batch | Msg) -> None:
        """Write a message, or those of a batch that are not dropped. StageError: it cannot be written.

        A batch goes at once, a message costs some microseconds. TypeError: it is neither.
        """
        if not isinstance(messages, (Batch, Msg)):
            raise TypeError(f"expected a Msg or a Batch to write, not {messages!r:.60}")
        batch = messages if isinstance(messages, Batch) else messages.copy().batch
        self._buffer.clear()
        self._encoder.encode(batch, self._buffer)
        self._put()
        while self._encoder.unfinished:
            self._buffer.clear()
            self._encoder.go_on(batch, self._buffer)
            self._put()

    def _put(self) -> None:
        if self._repeats is not None:
            self._repeats.take_out(self._buffer)
        self._sink.write(memoryview(self._buffer))

    def close(self) -> None:
        """Complete the file. StageError: it cannot be; then there is none, unless the disk is full (DiskFull).

        Once there is room again, close() goes on; abort() gives the file up.
        """
        self._sink.finish()

    def abort(self) -> None:
        """Give the file up."""
        self._sink.abort()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self.abort()


def mask(types: str | int | Iterable[str | int] | None) -> int:
    """Bit mask of a message type by name or number, or of several; of all for None, as Decoder.types. UsageError."""
    if types is None:
        return 0xFFFFFFFF
    from bgpipe.stages.messages import type_number

    kinds = (types,) if isinstance(types, str) or not hasattr(types, "__iter__") else types
    try:
        return type_mask(type_number(str(kind)) for kind in kinds)
    except ValueError as error:
        raise UsageError(f"types: expected {error}") from None
