"""read: messages from a file, a pipe, a device, or a URL."""

from __future__ import annotations

import os

from bgpipe.errors import RecordError, StageError
from bgpipe.pipeline.events import StageEvent
from bgpipe.pipeline.options import argument, choice, option
from bgpipe.pipeline.stage import StageOptions
from bgpipe.stages.messages import AUTO_FORMAT, PATH, READ_FORMATS, MessageReader, ReaderOptions
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


class PeerChange(StageEvent):
    """A peer of a router that sends BMP came up or went down (RFC 7854 sections 4.9 and 4.10).

    tags: those of its messages, with all that BMP has of it. reason: why it went down, "" where it came up.
    """

    __slots__ = ("reason", "tags")

    def __init__(self, stage: Stage, name: str, tags: dict[str, str], reason: str) -> None:
        super().__init__(stage, name)
        self.tags = tags
        self.reason = reason

    def describe(self) -> str:
        text = f"{self.tags['PEER_IP']}, AS {self.tags['PEER_AS']}"
        return f"{text}: {self.reason}" if self.reason else text


class ReadOptions(ReaderOptions):
    """Options of read."""

    format: str = option(
        "--format",
        f"{READ_FORMATS}; auto: by the name, else by the content",
        kind=AUTO_FORMAT,
        default="auto",
    )
    decompress: str = option(
        "--decompress",
        "gz, bzip2, zstd, xz, lz4 or none; auto: by the content",
        kind=choice("HOW", "auto", *COMPRESSIONS, "none"),
        default="auto",
    )
    recover: bool = option("--recover", "mrt, bmp, obmp: find the next record behind damage, report the bytes lost")
    tags: bool = option("--tags", "bmp, obmp: tag messages with PEER_ID, PEER_RD, PEER_TYPE and RIB, too")
    all: bool = option("--all", "bmp, obmp: also OPENs and NOTIFICATIONs of peers, and mirrored messages")
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
    events = ("state_change", "peer_up", "peer_down")
    _state_changes = 0  # those that events tell of, or will once their batch is out
    _progress: Progress | None = None

    def attach(self) -> None:
        options = self.options
        if options.recover and options.format not in ("auto", "mrt", "bmp", "obmp"):
            raise self.error("--recover is for the formats mrt, bmp and obmp")
        for name, given in (("--tags", options.tags), ("--all", options.all)):
            if given and options.format not in ("auto", "bmp", "obmp"):
                raise self.error(f"{name} is for the formats bmp and obmp")
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
        changes = self._changes() if batch is not None else []
        if batch is not None and changes:
            # Behind its messages, and in front of those of batches that may have been read already.
            batch.completion = lambda _: self._tell(changes)
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

    def _changes(self) -> list[StageEvent]:
        """What has happened to sessions, as far as the decoder has read, since it was asked last."""
        decoder = self._decoder
        before = self._state_changes
        self._state_changes = getattr(decoder, "state_changes", 0)
        count = self._state_changes - before
        events: list[StageEvent] = [StateChanges(self, count)] if count else []
        if getattr(decoder, "events", None):
            events += [PeerChange(self, *change) for change in decoder.take_events()]  # type: ignore[union-attr]
        return events

    def _tell(self, events: list[StageEvent]) -> None:
        for event in events:
            self.pipe.emit(event)

    def finish(self) -> None:
        self._tell(self._changes())  # behind the last message
        super().finish()

    def abort(self) -> None:
        if self._progress is not None:
            self._progress.close()
        unknown = getattr(self._decoder, "unknown", 0)
        if unknown:
            self.pipe.log.info(f"{unknown} records hold neither messages nor routes", self)
        kinds = getattr(self._decoder, "kinds", {})
        if kinds:
            counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in kinds.items())
            self.pipe.log.info(f"BMP messages: {counts}", self)
        untold = getattr(self._decoder, "events_lost", 0)
        if untold:
            self.pipe.log.warn(f"{untold} more peers came up or went down, without events: too many in a row", self)
        lost = getattr(self._decoder, "lost_bytes", 0)
        if lost:
            self.pipe.log.warn(f"{lost} bytes of the input are lost in all", self)
        super().abort()

    def decoder_options(self, form: str) -> dict[str, Any]:
        options = self.options
        if form in ("bmp", "obmp"):
            return {"recover": options.recover, "peer_tags": options.tags, "everything": options.all}
        return {"recover": options.recover} if form == "mrt" else {}

    @classmethod
    def uses_standard(cls, options: StageOptions) -> bool:
        return isinstance(options, ReadOptions) and options.path == "-"
