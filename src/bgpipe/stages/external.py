"""What exec, pipe and websocket share: messages go out of the process as bytes, and others come back.

Without --copy, --read and --write the outside decides: what goes out is taken off the line, and what comes back enters
behind the stage. Nothing passes by such a stage unseen: while the outside is away, messages wait, and where it does not
come back, they are lost with it, counted.
"""

from __future__ import annotations

import asyncio

from bgpipe import formats
from bgpipe.errors import InputError
from bgpipe.formats import records
from bgpipe.pipeline.events import Event, LostEvent
from bgpipe.pipeline.log import Tally
from bgpipe.pipeline.options import option
from bgpipe.pipeline.session import Member
from bgpipe.pipeline.stage import BOTH, LEFT, NEW, RIGHT, STARTING, Output, StageOptions
from bgpipe.stages.messages import READ_FORMATS, TYPES, WRITTEN, ReaderOptions, make_decoder, make_encoder
from bgpipe.transport.pipes import Reader, Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bgpipe._bmp import Repeats
    from bgpipe._codec import Batch, Buffer, Decoder, Encoder
    from bgpipe.pipeline.engine import Pipeline

DRAIN_S = 1.0  # how long the outside may take for a step of its end once the pipeline was told to end
LOOK_S = 0.2  # how often to look whether that has happened
STAY_S = 10.0  # how long the outside may say nothing, nor take anything, once the session that it was for is over


class ExternalOptions(ReaderOptions):
    """Options of stages that exchange messages with the outside."""

    format: str = option(
        "--format", f"{READ_FORMATS}; with --write also bgpdump", kind=WRITTEN, default="json"
    )
    type: tuple[int, ...] = option("--type", "exchange only messages of these types; others pass by", kind=TYPES)
    skip: tuple[int, ...] = option("--skip", "do not exchange messages of these types; they pass by", kind=TYPES)
    copy: bool = option("--copy", "messages go out, and also stay on their way")
    read: bool = option("--read", "only read: no messages go out")
    write: bool = option("--write", "only write, a copy of the messages: nothing is read back")


class External(Output, Member):
    """A stage with somebody outside of the process. A subclass says in run() how the bytes get there and back.

    given, back: messages that went out and came in since somebody was there. lost: those that went out for nothing.
    """

    live = True
    drains = True
    options: ExternalOptions
    events: tuple[str, ...] = ("lost",)
    _passed_by = False

    def __init__(
        self, pipe: Pipeline, number: int, name: str, options: StageOptions, args: tuple[str, ...] = ()
    ) -> None:
        super().__init__(pipe, number, name, options, args)
        given = self.options
        if given.read and (given.write or given.copy):
            raise self.error(f"--read and {'--write' if given.write else '--copy'} exclude each other")
        self.looks = not given.read
        self.produces = not given.write
        if self.produces and given.format not in formats.FORMATS:
            raise self.error(f"the format {given.format} can be written, not read: with --write alone")
        self.diverts = not (given.read or given.write or given.copy)
        self.given = self.back = 0
        self.lost = 0
        self.failure: InputError | None = None  # what came in does not parse
        self._decoders: list[Decoder] = []

    @property
    def runs(self) -> bool:
        return True

    def takes(self, direction: int) -> bool:
        if self.first != self.last and (self.produces or self.directions == BOTH):
            return direction == (RIGHT if self.last else LEFT)
        return super().takes(direction)

    @property
    def full(self) -> bool:
        return self.blocked or (self.state == STARTING and self.diverts and not self.pipe.ending)

    @property
    def swallows(self) -> bool:
        return self.diverts and self._was_there

    @property
    def _was_there(self) -> bool:
        """Whether messages that it cannot take would have been for it."""
        begun = self.state not in (NEW, STARTING) or (self.state == STARTING and self.pipe.ending)
        return begun and not self._passed_by

    def prepare(self) -> Awaitable[None]:
        self.changed = asyncio.Event()  # something happened that run() may have to act on
        self._skipped = Tally(self.pipe.log, "pieces of the input skipped", self)
        self._unwritten = Tally(self.pipe.log, "messages could not be written", self)
        if self.pipe.session is not None:
            self.pipe.session.members.append(self)
        return self.begin()

    def attach(self) -> None:
        self._missed = 0
        if self.looks:
            self.pipe.on_event("STOP")(self._sum_up)

    async def begin(self) -> None:
        """Be ready for run(). StageError."""

    def encoder(self) -> Encoder:
        made = make_encoder(self.options, self.options.format, self._on_unwritten)
        if self.diverts:
            made.types &= formats.says(self.options.format)  # what it has no place for passes by
        return made

    def decoder(self) -> Decoder:
        """For what somebody who has come sends; those of before are done."""
        made = make_decoder(self, self.options, self.options.format, on_skip=self._on_skip)
        self._decoders = [made]
        self.tune()
        return made

    def tune(self) -> None:
        session = self.pipe.session
        if session is not None and self.options.format == "raw" and self.directions != BOTH:
            context = int(session.end(BOTH - self.directions).receive)
            for decoder in self._decoders:
                decoder.ctx = context  # type: ignore[attr-defined]

    def write(self, data: Buffer) -> None:
        self.given += data.messages
        self.send(bytes(data))

    def send(self, data: bytes) -> None:
        """Have these bytes go out, now or as soon as that can be."""
        raise AssertionError(f"{self.command} writes nowhere")

    def took(self, batch: Batch) -> Awaitable[None] | None:
        """What came in goes on its way; what to wait for before there is more."""
        self.back += len(batch)
        if isinstance(batch.error, InputError):
            self.failure, batch.error = batch.error, None
            self.changed.set()
        return self.pipe.push(self, batch) if len(batch) else None

    def room(self) -> None:
        """What was written has left, or can be."""
        self.blocked = False
        self.pipe.room()

    def drain(self, *, passed_by: bool = False) -> None:
        self.drained = True
        self._passed_by = self._passed_by or passed_by
        self.changed.set()
        self.room()

    async def wait(self, within_s: float | None = None) -> bool:
        """Wait until something has changed; whether it did, within this time."""
        try:
            async with asyncio.timeout(within_s):
                await self.changed.wait()
        except TimeoutError:
            return False
        self.changed.clear()
        return True

    @property
    def missing(self) -> int:
        """Messages that went out for nothing, if the outside is gone now."""
        return self.given - self.back if self.diverts else 0

    def part(self) -> None:
        """The outside is gone: what it had been given and not brought back is lost."""
        missing = self.missing
        self.given = self.back = 0
        if missing > 0:
            what = "not come back" if self.diverts else "not been read"
            self.pipe.log.warn(f"{missing} messages had gone out and {what}: they are lost", self)
            self._lose(missing)

    def swallowed(self, count: int) -> None:
        if count:
            if not self._missed:
                self.pipe.log.warn("messages that come now are lost, since nobody is there to take them", self)
            self._missed += count
            self._lose(count)

    def _lose(self, count: int) -> None:
        self.lost += count
        self.pipe.emit(LostEvent(self, count))

    def _sum_up(self, _: Event) -> None:
        if self._missed:
            self.pipe.log.warn(f"{self._missed} messages came when nobody was there any more: they are lost", self)

    def finish(self) -> None:
        self._close()

    def abort(self) -> None:
        self.drained = True
        self._close()
        self.blocked = False

    def _close(self) -> None:
        if hasattr(self, "_skipped"):
            self._skipped.close()
            self._unwritten.close()

    def _on_skip(self, error: InputError) -> None:
        self._skipped.count(f"skipped: {error}")

    def _on_unwritten(self, error: InputError) -> None:
        self._unwritten.count(f"not written: {error}")
        if self.diverts:  # it has been taken off the line
            self._lose(1)


class Piped(External):
    """One whose bytes go through pipes."""

    _reader: Reader | None = None
    _writer: Writer | None = None
    _repeats: Repeats | None = None

    def open(self, writing: int, reading: int, *, holds: bool = False) -> None:
        """Begin with these descriptors: messages are read once that is started. holds: as in Writer."""
        self._repeats = formats.repeats(self.options.format)
        whole = records.whole(self.options.format) if records.counts(self.options.format) else None
        self._writer = Writer(writing, self._written, whole, holds=holds) if self.looks else None
        self._reader = Reader(reading, self.decoder(), self.took, self.changed.set) if self.produces else None

    @property
    def misses(self) -> bool:
        return self._was_there

    @property
    def missing(self) -> int:
        if self.diverts or self._writer is None:
            return super().missing
        return self._writer.count(self._writer.unread)

    def write(self, data: Buffer) -> None:
        if self._repeats is not None:
            self._repeats.take_out(data)
        self.given += data.messages
        self.send(bytes(data), data.messages)

    def send(self, data: bytes, messages: int = 0) -> None:
        if self._writer is not None:
            self._writer.write(data, messages)
            self.blocked = self._writer.full

    def _written(self) -> None:
        if self._writer is not None and not self._writer.full:
            self.room()
        self.changed.set()

    def close(self) -> None:
        """Let go of both pipes at once."""
        writer, reader = self._writer, self._reader
        self._writer = self._reader = None
        if writer is not None:
            writer.abort()
        if reader is not None:
            reader.abort()

    def abort(self) -> None:
        super().abort()
        self.close()
