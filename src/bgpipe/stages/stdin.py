"""stdin: messages from standard input."""

from __future__ import annotations

from bgpipe.pipeline.stage import StageOptions
from bgpipe.stages.messages import MessageReader, ReaderOptions
from bgpipe.transport.source import Source, open_source


class Stdin(MessageReader):
    """Reads standard input."""

    command = "stdin"
    summary = "read messages from standard input"
    text = "Reads messages from standard input. With -LR, each goes the way that its direction says."
    options_class = ReaderOptions
    place = "standard input"

    def open(self) -> Source:
        return open_source("-", "none")

    @classmethod
    def uses_standard(cls, options: StageOptions) -> bool:
        return True
