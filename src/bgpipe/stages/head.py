"""head: the first messages, then the end."""

from __future__ import annotations

from bgpipe.pipeline.options import integer, option
from bgpipe.pipeline.stage import Stage, StageOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgpipe._codec import Batch


class HeadOptions(StageOptions):
    """Options of head."""

    count: int = option("-n --count", "how many messages", kind=integer(1), default=10)


class Head(Stage):
    """Counts messages, and ends the pipeline."""

    command = "head"
    summary = "end the pipeline after some messages"
    text = (
        "Passes so many messages of those that it sees, then ends the pipeline: nothing behind the last one gets "
        "anywhere. With -LR both directions count together."
    )
    options_class = HeadOptions
    options: HeadOptions
    looks = True
    together = 2

    def attach(self) -> None:
        self._left = self.options.count

    def process(self, batch: Batch, directions: int) -> None:
        count = batch.visible(directions)
        if count < self._left:
            self._left -= count
        else:
            self.pipe.end_behind(batch.behind(self._left, directions))
            self._left = 0
