"""What stages share that bring messages in or out as bytes: formats, message types, damage, progress."""

from __future__ import annotations

import _thread
import os

from bgpipe import formats
from bgpipe.errors import InputError, StageError
from bgpipe.names import MESSAGE_TYPES
from bgpipe.pipeline.log import Tally
from bgpipe.pipeline.options import Kind, choice, option
from bgpipe.pipeline.stage import BOTH, LEFT, RIGHT, Output, ProducerOptions, Stage, StageOptions
from bgpipe.transport.source import Interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bgpipe._codec import Batch, Buffer, Decoder, Encoder
    from bgpipe.pipeline.engine import Pipeline
    from bgpipe.transport.rotation import RotatingSink
    from bgpipe.transport.sink import Sink
    from bgpipe.transport.source import FileId, Source

ALL_TYPES = 0xFFFFFFFF


def type_number(word: str) -> int:
    """The number of a message type, by name or number (RFC 4271 section 4.1). Raises ValueError."""
    name = word.upper().replace("_", "-")
    for number, known in (*MESSAGE_TYPES.items(), (3, "NOTIFICATION"), (5, "ROUTE-REFRESH")):
        if name == known:
            return number
    if word.isascii() and word.isdigit() and int(word) < 256:
        return int(word)
    raise ValueError(f"message types: {', '.join(MESSAGE_TYPES.values())}, or numbers below 256")


def _types(text: str) -> tuple[int, ...]:
    return tuple(type_number(word) for part in text.split(",") if (word := part.strip()))


def _show_type(number: object) -> str:
    return MESSAGE_TYPES.get(number, str(number)) if isinstance(number, int) else ""


def _path(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("a path")
    return text


PATH = Kind("PATH", _path)
TYPES = Kind("TYPES", _types, many=True, show=_show_type)


def _readable(*known: str) -> Kind:
    """One of these formats, of which each can be read."""
    one_of = choice("FORMAT", *known)

    def read(text: str) -> object:
        if text in formats.WRITTEN and text not in known:
            raise ValueError(f"one of {', '.join(known)}; {text} can be written, not read")
        return one_of.read(text)

    return Kind("FORMAT", read)


def _words(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


READ_FORMATS, WRITTEN_FORMATS = _words(formats.FORMATS), _words(formats.WRITTEN)
FORMAT = _readable(*formats.FORMATS)
AUTO_FORMAT = _readable("auto", *formats.FORMATS)
WRITTEN = choice("FORMAT", *formats.WRITTEN)
AUTO_WRITTEN = choice("FORMAT", "auto", *formats.WRITTEN)


class ReaderOptions(ProducerOptions):
    """Options of stages that read messages."""

    format: str = option("--format", READ_FORMATS, kind=FORMAT, default="json")
    type: tuple[int, ...] = option("--type", "read only messages of these types", kind=TYPES)
    skip: tuple[int, ...] = option("--skip", "do not read messages of these types", kind=TYPES)
    pardon: bool = option("--pardon", "skip input that does not parse, count and log it, instead of failing")
    no_seq: bool = option("--no-seq", "take new sequence numbers, not those of the input")
    no_time: bool = option("--no-time", "take the time now, not that of the input")
    no_tags: bool = option("--no-tags", "leave the tags of the input away")


class WriterOptions(StageOptions):
    """Options of stages that write messages."""

    format: str = option("--format", WRITTEN_FORMATS, kind=WRITTEN, default="json")
    type: tuple[int, ...] = option("--type", "write only messages of these types", kind=TYPES)
    skip: tuple[int, ...] = option("--skip", "do not write messages of these types", kind=TYPES)


def inputs(pipe: Pipeline) -> set[FileId | None]:
    """The files that a pipeline reads."""
    return {stage.file for stage in pipe.stages if isinstance(stage, MessageReader)}


def check_target(stage: Output) -> None:
    """Two stages cannot write one file; devices and pipes may have several writers. Raises UsageError."""
    path = os.path.realpath(stage.target())
    if not stage.target() or not (os.path.isfile(path) or not os.path.exists(path)):  # noqa: PTH110, PTH113
        return
    for other in stage.pipe.stages[: stage.pipe.stages.index(stage)]:
        if isinstance(other, Output) and other.target() and os.path.realpath(other.target()) == path:
            raise stage.error(f"{other.label} writes {stage.target()} already")


def type_mask(only: tuple[int, ...], skip: tuple[int, ...]) -> int:
    """The bit mask of message types that Decoder and Encoder take."""
    from bgpipe._codec import type_mask

    return (type_mask(only) if only else ALL_TYPES) & ~type_mask(skip)


def make_decoder(
    stage: Stage, given: ReaderOptions, form: str, *, on_skip: Callable[[InputError], None], **options: Any
) -> Decoder:
    """What reads messages of a format for a stage, with its options and those of the pipeline."""
    pipe = stage.pipe
    if form == "json":
        options["one_way"] = stage.directions != BOTH
    elif form == "raw" and pipe.options.short_asn:
        options["as_size"] = 2
    if form not in formats.TEXTS:
        options["context"] = pipe.options.caps
    if form in ("mrt", "bmp", "obmp"):
        options["guess_asn"] = pipe.options.guess_asn
        options["guess_addpath"] = not pipe.options.no_guess_addpath
    return formats.decoder(
        form,
        direction="L" if stage.directions == LEFT else "R",
        types=type_mask(given.type, given.skip),
        pardon=given.pardon,
        no_seq=given.no_seq,
        no_time=given.no_time,
        no_tags=given.no_tags,
        on_skip=on_skip,
        **options,
    )


def make_encoder(
    given: ReaderOptions | WriterOptions, form: str, on_skip: Callable[[InputError], None]
) -> Encoder:
    """What writes messages of a format for a stage, of the types that its options ask for."""
    return formats.encoder(form, types=type_mask(given.type, given.skip), on_skip=on_skip)


class MessageReader(Stage):
    """A stage that reads bytes and makes messages of them. A subclass says from where in open()."""

    produces = True
    options: ReaderOptions
    place = ""  # what --explain calls the source
    messages = 0  # read so far
    _source: Source | None = None
    _decoder: Decoder | None = None
    _form = ""  # what _decoder reads
    _misread = False  # which the source does not look like
    _stopping = False

    def open(self) -> Source:
        """The bytes. Raises StageError."""
        raise AssertionError(f"{self.command} does not read")

    def decoder_options(self, form: str) -> dict[str, Any]:
        """What a subclass adds for the decoder of this format."""
        return {}

    def prepare(self) -> None:
        self._skipped = Tally(self.pipe.log, "places in the input skipped", self)
        self.pipe.opening = _thread.get_ident()
        try:
            self._source = self.open()
        finally:
            self.pipe.opening = 0
        for stage in (self.pipe.whole or self.pipe).stages:
            if isinstance(stage, MessageWriter) and stage.file is not None and stage.file == self.file:
                raise StageError(f"cannot read {self.place}: {stage.label} writes to it; read another file")

    @property
    def file(self) -> FileId | None:
        """Which regular file is being read."""
        return self._source.file if self._source is not None else None

    def read(self) -> Batch | None:
        if self._source is None:
            return None
        if self._stopping:
            return self._held_back()
        try:
            if self._decoder is None:
                self._decoder = self._make_decoder(self._source, self.options.format)
            batch = self._decoder.read(self._source)
        except Interrupted:
            return self._held_back()
        if batch is not None:
            self.messages += len(batch)
            if isinstance(batch.error, InputError) and not self.messages:
                self._misread = formats.suspect(batch.error, self._form, self._source)
        return batch

    def _held_back(self) -> Batch | None:
        return self._decoder.flush() if self._decoder is not None else None

    def interrupt(self) -> None:
        self._stopping = True
        if self._source is not None:
            self._source.interrupt()

    def finish(self) -> None:
        self.abort()

    def abort(self) -> None:
        if self._source is not None:
            self._source.close()
            self._skipped.close()

    def reads(self) -> str:
        form = self.options.format
        if form == "auto":
            form = formats.by_name(self.place.rpartition("/")[2]) or "messages"
        return f"{form} from {self.place}"

    def _make_decoder(self, source: Source, form: str) -> Decoder:
        self._form = form = formats.resolve(form, source, self.place)
        return make_decoder(self, self.options, form, on_skip=self._on_skip, **self.decoder_options(form))

    def _on_skip(self, error: InputError) -> None:
        with self.pipe.lock:
            self._skipped.count(f"skipped: {error}")


class MessageWriter(Output):
    """A stage that makes bytes of messages. A subclass says where to in open()."""

    options: WriterOptions
    place = ""  # what --explain calls the sink
    _sink: Sink | RotatingSink | None = None

    def open(self) -> Sink | RotatingSink:
        """Where the bytes go. Raises StageError."""
        raise AssertionError(f"{self.command} does not write")

    @property
    def form(self) -> str:
        """The format to write, one of formats.WRITTEN."""
        return self.options.format

    def takes(self, direction: int) -> bool:
        if self.directions == BOTH and self.first != self.last:
            return direction == (RIGHT if self.last else LEFT)
        return super().takes(direction)

    def prepare(self) -> None:
        self._skipped = Tally(self.pipe.log, "messages could not be written", self)
        self._repeats = formats.repeats(self.form)
        self._sink = self.open()

    @property
    def file(self) -> FileId | None:
        """Which regular file is being written."""
        return self._sink.file if self._sink is not None else None

    def encoder(self) -> Encoder:
        return make_encoder(self.options, self.form, self._on_skip)

    def write(self, data: Buffer) -> None:
        if self._sink is not None:
            if self._repeats is not None:
                self._repeats.take_out(data)
            self._sink.write(memoryview(data))

    def finish(self) -> None:
        self._skipped.close()
        if self._sink is not None:
            self._sink.finish()

    def abort(self) -> None:
        if self._sink is not None:
            self._sink.abort()

    def _on_skip(self, error: InputError) -> None:
        with self.pipe.lock:
            self._skipped.count(f"not written: {error}")

    def writes(self) -> str:
        return f"{self.form} to {self.place}"
