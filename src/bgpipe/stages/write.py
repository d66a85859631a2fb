"""write: messages to a file."""

from __future__ import annotations

from bgpipe import formats
from bgpipe.pipeline.options import argument, choice, option
from bgpipe.pipeline.stage import StageOptions
from bgpipe.stages.messages import AUTO_FORMAT, MessageWriter, WriterOptions
from bgpipe.transport.compression import FORMATS as COMPRESSIONS
from bgpipe.transport.sink import Sink, open_sink


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
    path: str = argument("PATH", "file, or - for standard output")


class Write(MessageWriter):
    """Writes a file."""

    command = "write"
    summary = "write messages to a file"
    text = (
        "Writes messages to PATH; they also stay on their way. The file appears under its name when it is complete, "
        "its folders are made, and no empty file is left. A device, pipe or socket is written to as it is."
    )
    options_class = WriteOptions
    options: WriteOptions

    def attach(self) -> None:
        if self.options.append and self.options.create:
            raise self.error("--append and --create exclude each other")
        self.place = "standard output" if self.options.path == "-" else self.options.path

    @property
    def form(self) -> str:
        if self.options.format == "auto":
            return formats.by_name(self.options.path.rpartition("/")[2]) or "json"
        return self.options.format

    def open(self) -> Sink:
        return open_sink(
            self.options.path,
            compress=self.options.compress,
            append=self.options.append,
            create=self.options.create,
        )

    @classmethod
    def uses_standard(cls, options: StageOptions) -> bool:
        return isinstance(options, WriteOptions) and options.path == "-"
