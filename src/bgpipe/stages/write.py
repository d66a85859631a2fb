"""write: messages to a file."""

from __future__ import annotations

import time

from bgpipe import formats
from bgpipe.errors import StageError, UsageError
from bgpipe.formats import records
from bgpipe.pipeline.events import LostEvent
from bgpipe.pipeline.log import Throttle
from bgpipe.pipeline.options import DURATION, TEXT, Kind, argument, choice, duration, option
from bgpipe.pipeline.stage import STOPPED, StageOptions
from bgpipe.stages.messages import (
    AUTO_WRITTEN,
    PATH,
    WRITTEN_FORMATS,
    MessageWriter,
    WriterOptions,
    check_target,
    inputs,
)
from bgpipe.transport.compression import FORMATS as COMPRESSIONS
from bgpipe.transport.compression import NOUNS, by_name
from bgpipe.transport.rotation import SHORTEST_S, RotatingSink
from bgpipe.transport.sink import DiskFull, Remains, Sink, open_sink
from bgpipe.transport.timepath import expand_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bgpipe._codec import Buffer

_LATE_S = 0.05
_LOOK_S = 0.1  # how often to look whether there is room again
_TELL_S = 1.0  # how often an event may tell of messages that are lost
_WARN_S = 60.0
_LONGER_S = 10.0  # how long a pause goes on once the pipeline is to end, if it was no signal that said so


def _period(text: str) -> float:
    value_s = DURATION.read(text)
    if value_s < SHORTEST_S:
        raise ValueError(f"a duration of at least {SHORTEST_S}s")
    return float(value_s)


PERIOD = Kind("D", _period, show=DURATION.show)


class WriteOptions(WriterOptions):
    """Options of write."""

    format: str = option(
        "--format", f"{WRITTEN_FORMATS}; auto: by the name, else json", kind=AUTO_WRITTEN, default="auto"
    )
    append: bool = option("--append", "write behind what the file holds")
    create: bool = option("--create", "fail if the file exists")
    compress: str = option(
        "--compress",
        "gz, bzip2, zstd, xz, lz4 or none; auto: by the name",
        kind=choice("HOW", "auto", *COMPRESSIONS, "none"),
        default="auto",
    )
    every_s: float = option("--every", "begin a new file each full period of the clock", kind=PERIOD, default=0.0)
    time_format: str = option(
        "--time-format", "what $TIME in PATH stands for, as in Go or strftime", kind=TEXT, default="20060102.1504"
    )
    on_full: str = option(
        "--on-full",
        "when the disk is full: pause until there is room, drop messages until then, or stop; auto: drop between two "
        "peers, else pause",
        kind=choice("HOW", "auto", "pause", "drop", "stop"),
        default="auto",
    )
    path: str = argument("PATH", "file, or - for standard output", kind=PATH)


class Write(MessageWriter):
    """Writes a file."""

    command = "write"
    summary = "write messages to a file"
    text = (
        "Writes messages to PATH; they also stay on their way. The file appears under its name when it is complete, "
        "its folders are made, and no empty file is left. A device, pipe or socket is written to as it is. In PATH, "
        "$TIME and ${FORMAT} stand for the time in UTC at which the file is begun; with --every, PATH must hold one."
    )
    options_class = WriteOptions
    options: WriteOptions
    events = ("lost",)
    lost = 0  # messages, since the disk was full
    _rotating: RotatingSink | None = None
    _again: Callable[[], object] | None = None  # what has to get through before anything else, since the disk is full
    _full = ""  # what was said of that last
    _gave_up = False  # nothing more is written
    _ended_it = False  # and that has ended the pipeline
    _hurried = False
    _ending_s = 0.0  # since when the pipeline is to end
    _seen_lost = 0  # of those, what the sink has said
    _untold = 0
    _told_lost_s = 0.0

    def attach(self) -> None:
        options = self.options
        self.place = "standard output" if options.path == "-" else options.path
        if options.append and options.create:
            raise self.error("--append and --create exclude each other")
        if self.form not in formats.WRITTEN:
            raise self.error(f"{self.form} is not built yet; --format writes another one under this name")
        if "://" in options.path:
            raise self.error(f"{options.path} is a URL: those can be read, not written")
        try:
            path = self.path_at(0.0)
            if options.every_s and path == self.path_at(options.every_s):
                raise UsageError("with --every, PATH must hold a time that differs from file to file, such as $TIME")
        except UsageError as error:
            raise self.error(str(error)) from None
        check_target(self)

    def path_at(self, time_s: float) -> str:
        """PATH with this time in it. Raises UsageError."""
        return expand_path(self.options.path, time_s, self.options.time_format)

    def target(self) -> str:
        return "" if self.options.path == "-" else self.path_at(0.0)

    @property
    def form(self) -> str:
        if self.options.format == "auto":
            return formats.by_name(self.options.path.rpartition("/")[2]) or "json"
        return self.options.format

    def writes(self) -> str:
        compress = self.options.compress
        if compress == "auto":
            compress = by_name(self.options.path)
        return f"{self.form}{'' if compress == 'none' else f' ({NOUNS[compress]})'} to {self.place}"

    def open(self) -> Sink | RotatingSink:
        options = self.options
        now_s = time.time()
        remains = Remains(
            records.whole(self.form),
            lambda text: self.pipe.log.warn(text, self),
            options.compress,
            records.counts(self.form),
        )
        if not options.every_s:
            return open_sink(
                self.path_at(now_s),
                compress=options.compress,
                append=options.append,
                create=options.create,
                threads=self.pipe.threads,
                inputs=inputs(self.pipe),
                given_up=lambda: self.pipe.ending,
                remains=remains,
            )
        sink = RotatingSink(
            options.path,
            options.every_s,
            now_s,
            time_format=options.time_format,
            compress=options.compress,
            append=options.append,
            create=options.create,
            threads=self.pipe.threads,
            inputs=lambda: inputs(self.pipe),
            remains=remains,
        )
        self._sink = self._rotating = sink  # so that it is let go of where there is no timer
        self._next_s = sink.next_s
        self._rotate_at(sink.next_s, now_s)
        return sink

    # ---- on the clock ------------------------------------------------------------------------------------------

    def turn(self) -> Callable[[], None] | None:
        if self._rotating is None or (now_s := time.time()) < self._next_s:
            return None
        self._next_s = now_s - now_s % self.options.every_s + self.options.every_s
        return lambda: self._rotate(now_s)

    def _rotate_at(self, next_s: float, now_s: float) -> None:
        """Begin the next file on time, though nothing may come to be written then.

        A moment late: who brings messages turns to the next file as the clock does, and this is to come behind them.
        """

        def rotate() -> None:
            if self.state == STOPPED:
                return
            self._rotate(next_s)
            now_s = time.time()
            self._rotate_at(max(next_s, now_s - now_s % self.options.every_s) + self.options.every_s, now_s)

        self.pipe.call_later(self, max(next_s - now_s, 0.0) + _LATE_S, rotate)

    def _rotate(self, now_s: float) -> None:
        sink = self._rotating
        if sink is not None and not self._gave_up:
            self._do(lambda: sink.rotate(now_s))
            self._begin()

    # ---- when the disk is full ---------------------------------------------------------------------------------

    @property
    def _on_full(self) -> str:
        how = self.options.on_full
        if how == "auto":
            peers = sum(stage.live and stage.consumes for stage in self.pipe.stages)
            how = "drop" if peers > 1 else "pause"
        return how

    def prepare(self) -> None:
        super().prepare()
        self._told = Throttle(self.pipe.log, "times the disk was full", self)

    def write(self, data: Buffer) -> None:
        sink = self._sink
        if sink is None:
            return
        if self._has_room():
            if self._repeats is not None:
                self._repeats.take_out(data)
            view = memoryview(data)
            self._do(lambda: sink.write(view, data.messages), sink.retry)
        else:
            self._lose(data.messages)

    def finish(self) -> None:
        self._skipped.close()
        sink = self._sink
        if sink is None:
            return
        unread = ", and the input was not read any further" if self._ended_it else ""  # by what came before the end
        if self._has_room():
            self._do(sink.finish)
        if self._again is not None:
            self._give_up()
        sink.finish()
        self._see_lost()
        self._tell_lost()
        self._told.close()
        if self._gave_up and self._on_full != "drop":
            raise StageError(f"{self._full}: {self.lost} messages are lost{unread}")
        if self.lost:
            self.pipe.log.warn(f"{self.lost} messages are lost", self)

    def abort(self) -> None:
        self._hurried = True
        super().abort()

    def _do(self, work: Callable[[], object], again: Callable[[], object] | None = None) -> None:
        """Do what takes room on the disk, or as --on-full says. again: what goes on with it, if not the same."""
        try:
            work()
        except DiskFull as error:
            how = self._on_full
            self._again, self._full = again or work, str(error)
            self._since_s = self._looked_s = self._warned_s = time.monotonic()
            if how == "stop":
                self._give_up()
                self._ended_it = not self.pipe.ending
                self.pipe.end()
                return
            waits = "messages wait" if how == "pause" else "messages are dropped"
            self._told.count(f"{error}; until then {waits}")
            while how == "pause" and self._again is not None and not self._goes_on():
                if self._is_hurried():
                    self._give_up()
                else:
                    time.sleep(_LOOK_S)

    def _is_hurried(self) -> bool:
        """Whether the end waits for nothing more than it takes."""
        pipe = self.pipe
        if self._hurried or pipe.signalled:
            return True
        if not pipe.ending or pipe.by_itself:
            return False
        now_s = time.monotonic()
        self._ending_s = self._ending_s or now_s
        return now_s - self._ending_s > _LONGER_S

    def _has_room(self) -> bool:
        """Whether something may be written. Looks now and then whether that is so again."""
        if self._again is None:
            return not self._gave_up
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_S:
            return False
        self._looked_s = now_s
        return self._goes_on()

    def _goes_on(self) -> bool:
        """Try once more."""
        assert self._again is not None
        try:
            self._again()
        except DiskFull as error:
            self._full = str(error)
            now_s = time.monotonic()
            if now_s - self._warned_s >= _WARN_S:
                self._warned_s = now_s
                lost = f", {self.lost} messages are lost" if self.lost else ""
                self.pipe.log.warn(f"{error}; for {duration(round(now_s - self._since_s))} now{lost}", self)
            if self._untold:
                self._tell_lost(_TELL_S)
            return False
        self._again = None
        self._see_lost()
        self._tell_lost()
        if not self._told.silent:
            lost = f"; {self.lost} messages are lost in all" if self.lost else ""
            waited = duration(round(time.monotonic() - self._since_s, 1))
            self.pipe.log.info(f"there is room again after {waited}{lost}", self)
        return True

    def _give_up(self) -> None:
        """What has no room is lost. The file holds what has got there; nothing more comes to it."""
        assert self._sink is not None
        self._gave_up, self._again = True, None
        self._sink.cut()
        self._see_lost()

    def _see_lost(self) -> None:
        """Count what is not in the file after all."""
        assert self._sink is not None
        seen, self._seen_lost = self._seen_lost, self._sink.lost
        self._lose(self._seen_lost - seen)

    def _lose(self, count: int) -> None:
        self.lost += count
        self._untold += count
        self._begin()

    def _begin(self) -> None:
        """What follows is to be read without what was written before."""
        if self._repeats is not None:
            self._repeats.restart()

    def _tell_lost(self, each_s: float = 0.0) -> None:
        now_s = time.monotonic()
        if self._untold and now_s - self._told_lost_s >= each_s and self.pipe.driver is not None:
            self._told_lost_s = now_s
            count, self._untold = self._untold, 0
            self.pipe.driver.emit(LostEvent(self, count))

    @classmethod
    def uses_standard(cls, options: StageOptions) -> bool:
        return isinstance(options, WriteOptions) and options.path == "-"
