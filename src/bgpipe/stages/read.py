"""read: messages from a file, a pipe, a device, or a URL."""

from __future__ import annotations

import os

from bgpipe.errors import RecordError, StageError
from bgpipe.pipeline.events import StageEvent
from bgpipe.pipeline.options import argument, choice, option
from bgpipe.pipeline.stage import StageOptions
from bgpipe.stages.messages import AUTO_FORMAT, PATH, MessageReader, ReaderOptions
from bgpipe.transport.compression import FORMATS as COMPRESSIONS
from bgpipe.transport.source import Source, open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bgpipe._codec import Batch
    from bgpipe.pipeline.stage import Stage
    from bgpipe.transport.progress import Progress


class StateChanges(StageEvent):
    """Sessions of an MRT archive changed state (RFC 6396 section 4.4.1).

    count: how many times, in the batch that went out before.
    """

    __slots__ = ("count",)

    def __init__(self, stage: Stage, count: int) -> None:
        super().__init__(stage, "state_change")
        self.count = count

    def describe(self) -> str:
        return f"{self.count}"


class ReadOptions(ReaderOptions):
    """Options of read."""

    format: str = option(
        "--format", "json, raw, mrt or exa; auto: by the name, else by the content", kind=AUTO_FORMAT, default="auto"
    )
    decompress: str = option(
        "--decompress",
        "gz, bzip2, zstd, xz, lz4 or none; auto: by the content",
        kind=choice("HOW", "auto", *COMPRESSIONS, "none"),
        default="auto",
    )
    recover: bool = option("--recover", "mrt: find the next record behind damage, and report the bytes lost")
    path: str = argument("PATH", "file, http or https URL, or - for standard input", kind=PATH)


class Read(MessageReader):
    """Reads a file."""

    command = "read"
    summary = "read messages from a file or URL"
    text = (
        "Reads messages from PATH, a stream of any size: a file, a named pipe, a URL (http, https), or - for "
        "standard input. With -LR, each goes the way that its direction says. Several such stages read side by side, "
        "and their messages mix; --wait a/STOP starts one when the stage @a is done."
    )
    options_class = ReadOptions
    options: ReadOptions
    events = ("state_change",)
    _state_changes = 0  # those that events tell of, or will once their batch is out
    _progress: Progress | None = None

    def attach(self) -> None:
        if self.options.recover and self.options.format not in ("auto", "mrt"):
            raise self.error("--recover is for the format mrt")
        scheme, separator, _ = self.options.path.partition("://")
        if separator and scheme.lower() not in ("http", "https") and not os.path.exists(self.options.path):  # noqa: PTH110
            raise self.error(f"{self.options.path}: of URLs, http and https can be read; {scheme} is not built yet")
        self.place = "standard input" if self.options.path == "-" else self.options.path

    def foresee(self) -> None:
        path = self.options.path
        if "://" not in path:
            try:
                os.stat(path)  # noqa: PTH116
            except OSError as error:
                raise StageError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None

    def open(self) -> Source:
        source = open_source(self.options.path, self.options.decompress, threads=self.pipe.threads)
        if os.isatty(2) and self.pipe.log.before is None and not self._shares_terminal():
            from bgpipe.transport.progress import open_progress

            self._progress = open_progress(source)
            if self._progress is not None:
                self.pipe.log.before = self._progress.close
        return source

    def read(self) -> Batch | None:
        batch = super().read()
        count = self._new_state_changes() if batch is not None else 0
        if batch is not None and count:
            # Behind its messages, and in front of those of batches that may have been read already.
            batch.completion = lambda _: self.pipe.emit(StateChanges(self, count))
        error = batch.error if batch is not None else None
        hopeless = self._misread or self.options.recover
        if batch is not None and isinstance(error, RecordError) and not (error.cut_short or hopeless):
            text = f"{error}; --recover goes on behind it"
            batch.error = type(error)(text, offset=error.offset, record=error.record)
        return batch

    def _shares_terminal(self) -> bool:
        """Whether messages go to the terminal, which leaves no place for a progress bar."""
        return os.isatty(1) and any(stage.looks and stage.uses_standard(stage.options) for stage in self.pipe.stages)

    def delivered(self) -> None:
        if self._progress is not None:
            self._progress.update(self.messages)

    def _new_state_changes(self) -> int:
        before = self._state_changes
        self._state_changes = getattr(self._decoder, "state_changes", 0)
        return self._state_changes - before

    def finish(self) -> None:
        if count := self._new_state_changes():  # behind the last message
            self.pipe.emit(StateChanges(self, count))
        super().finish()

    def abort(self) -> None:
        if self._progress is not None:
            self._progress.close()
        unknown = getattr(self._decoder, "unknown", 0)
        if unknown:
            self.pipe.log.info(f"{unknown} records hold neither messages nor routes", self)
        lost = getattr(self._decoder, "lost_bytes", 0)
        if lost:
            self.pipe.log.warn(f"{lost} bytes of the input are lost in all", self)
        super().abort()

    def decoder_options(self, form: str) -> dict[str, Any]:
        return {"recover": self.options.recover} if form == "mrt" else {}

    @classmethod
    def uses_standard(cls, options: StageOptions) -> bool:
        return isinstance(options, ReadOptions) and options.path == "-"
