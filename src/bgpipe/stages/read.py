"""read: messages from a file, a pipe, a device, or a URL."""

from __future__ import annotations

from bgpipe.pipeline.options import argument, choice, option
from bgpipe.pipeline.stage import StageOptions
from bgpipe.stages.messages import AUTO_FORMAT, MessageReader, ReaderOptions
from bgpipe.transport.compression import FORMATS as COMPRESSIONS
from bgpipe.transport.source import Source, open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ReadOptions(ReaderOptions):
    """Options of read."""

    format: str = option(
        "--format", "json, raw or mrt; auto: by the name, else by the content", kind=AUTO_FORMAT, default="auto"
    )
    decompress: str = option(
        "--decompress",
        "gz, bzip2, zstd, xz, lz4 or none; auto: by the content",
        kind=choice("HOW", "auto", *COMPRESSIONS, "none"),
        default="auto",
    )
    recover: bool = option("--recover", "mrt: find the next record behind damage, and report the bytes lost")
    path: str = argument("PATH", "file, http or https URL, or - for standard input")


class Read(MessageReader):
    """Reads a file."""

    command = "read"
    summary = "read messages from a file or URL"
    text = (
        "Reads messages from PATH, a stream of any size: a file, a named pipe, a URL (http, https), or - for "
        "standard input. With -LR, each goes the way that its direction says."
    )
    options_class = ReadOptions
    options: ReadOptions

    def attach(self) -> None:
        if self.options.recover and self.options.format not in ("auto", "mrt"):
            raise self.error("--recover is for the format mrt")
        self.place = "standard input" if self.options.path == "-" else self.options.path

    def open(self) -> Source:
        return open_source(self.options.path, self.options.decompress, threads=self.pipe.threads)

    def decoder_options(self, form: str) -> dict[str, Any]:
        return {"recover": self.options.recover} if form == "mrt" else {}

    @classmethod
    def uses_standard(cls, options: StageOptions) -> bool:
        return isinstance(options, ReadOptions) and options.path == "-"
