"""stdout: messages to standard output."""

from __future__ import annotations

from bgpipe.pipeline.stage import StageOptions
from bgpipe.stages.messages import MessageWriter, WriterOptions, inputs
from bgpipe.transport.sink import Sink, open_sink


class Stdout(MessageWriter):
    """Writes to standard output."""

    command = "stdout"
    summary = "write messages to standard output"
    text = "Writes messages to standard output; they also stay on their way."
    options_class = WriterOptions
    place = "standard output"

    def open(self) -> Sink:
        return open_sink("-", compress="none", inputs=inputs(self.pipe))

    @classmethod
    def uses_standard(cls, options: StageOptions) -> bool:
        return True
