"""write: messages to a file."""

from __future__ import annotations

import time

from bgpipe import formats
from bgpipe.errors import UsageError
from bgpipe.pipeline.options import DURATION, TEXT, Kind, argument, choice, option
from bgpipe.pipeline.stage import STOPPED, StageOptions
from bgpipe.stages.messages import AUTO_FORMAT, PATH, MessageWriter, WriterOptions, check_target, inputs
from bgpipe.transport.compression import FORMATS as COMPRESSIONS
from bgpipe.transport.compression import NOUNS, by_name
from bgpipe.transport.rotation import SHORTEST_S, RotatingSink
from bgpipe.transport.sink import Sink, open_sink
from bgpipe.transport.timepath import expand_path


def _period(text: str) -> float:
    value_s = DURATION.read(text)
    if value_s < SHORTEST_S:
        raise ValueError(f"a duration of at least {SHORTEST_S}s")
    return float(value_s)


PERIOD = Kind("D", _period, show=DURATION.show)


class WriteOptions(WriterOptions):
    """Options of write."""

    format: str = option("--format", "json, raw or mrt; auto: by the name, else json", kind=AUTO_FORMAT, default="auto")
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

    def attach(self) -> None:
        options = self.options
        self.place = "standard output" if options.path == "-" else options.path
        if options.append and options.create:
            raise self.error("--append and --create exclude each other")
        if self.form not in formats.FORMATS:
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
        if not options.every_s:
            return open_sink(
                self.path_at(now_s),
                compress=options.compress,
                append=options.append,
                create=options.create,
                threads=self.pipe.threads,
                inputs=inputs(self.pipe),
                given_up=lambda: self.pipe.ending,
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
        )
        self._sink = sink  # so that it is let go of where there is no timer
        self._rotate_at(sink, now_s)
        return sink

    def _rotate_at(self, sink: RotatingSink, now_s: float) -> None:
        """Begin the next file on time, though nothing may come to be written then."""

        def rotate() -> None:
            if self.state == STOPPED:
                return
            sink.rotate(time.time())
            self._rotate_at(sink, time.time())

        self.pipe.call_later(self, max(sink.next_s - now_s, 0.001), rotate)

    @classmethod
    def uses_standard(cls, options: StageOptions) -> bool:
        return isinstance(options, WriteOptions) and options.path == "-"
