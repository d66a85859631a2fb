"""The line of each direction: which stages a producer's messages pass, and bringing batches along them."""

from __future__ import annotations

from bgpipe._codec import Buffer
from bgpipe.errors import StageError
from bgpipe.pipeline.events import ParseEvent
from bgpipe.pipeline.stage import BOTH, LEFT, RIGHT, RUNNING, Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgpipe._codec import Batch, Encoder
    from bgpipe.pipeline.engine import Pipeline
    from bgpipe.pipeline.stage import Stage


def path(pipe: Pipeline, producer: Stage, direction: int) -> list[Stage]:
    """The stages that messages of one direction pass which `producer` makes, in order."""
    entry = pipe.entry(producer, direction)
    stages = [
        stage
        for stage in pipe.stages
        if stage.looks
        and stage.takes(direction)
        and stage is not producer
        and pipe.rank(stage, direction) > entry
    ]
    stages.sort(key=lambda stage: pipe.rank(stage, direction))
    return stages


def route(pipe: Pipeline, producer: Stage) -> list[tuple[Stage, int]]:
    """Where a batch of `producer` goes, with the directions that each stage is to look at.

    A batch may hold messages of both directions. They meet different stages, save the one that may stand at the end
    of both lines: that one sees them together, in the order in which they came.
    """
    ways = [
        [(stage, direction) for stage in path(pipe, producer, direction)]
        for direction in (RIGHT, LEFT)
        if producer.directions & direction
    ]
    if len(ways) == 2 and ways[0] and ways[1] and ways[0][-1][0] is ways[1][-1][0]:
        ways[0].pop()
        ways[1][-1] = (ways[1][-1][0], BOTH)
    return [step for way in ways for step in way]


class Step:
    """A stage on a lane; for an output with this lane's encoder and buffer.

    missed: the stage did not run when the batch came by.
    """

    __slots__ = ("buffer", "directions", "encoder", "missed", "output", "stage")

    def __init__(self, stage: Stage, directions: int) -> None:
        self.stage = stage
        self.directions = directions
        self.missed = False
        self.output: Output | None = None
        if isinstance(stage, Output):
            self.output = stage
            self.encoder: Encoder = stage.encoder()
            self.encoder.directions = directions
            self.encoder.accepted = stage.tap or stage.consumes
            self.buffer = Buffer()

    def run(self, batch: Batch) -> None:
        self.missed = self.stage.state != RUNNING
        if self.output is None:
            if not self.missed:
                self.stage.process(batch, self.directions)
            return
        self.buffer.clear()
        if not self.missed:
            self.encoder.encode(batch, self.buffer)

    def write(self) -> None:
        """Bring out what run() encoded. StageError."""
        if self.output is not None and self.output.state == RUNNING:
            self.output.write(self.buffer)


class Lane:
    """What one thread needs to bring batches of one producer along their route.

    carry() is pure and may run beside that of other lanes; the rest is called in the order of the batches, one at a
    time. Writing comes last: when a message kills or stops the pipeline, nothing behind it got out.

    outputs: the steps that write.
    """

    __slots__ = ("_late", "_pure", "outputs", "pipe", "producer")

    def __init__(self, pipe: Pipeline, producer: Stage) -> None:
        self.pipe = pipe
        self.producer = producer
        steps = [Step(stage, directions) for stage, directions in route(pipe, producer)]
        pure = 0
        while pure < len(steps) and steps[pure].stage.pure:
            pure += 1
        self._pure = steps[:pure]
        self._late = steps[pure:]
        self.outputs = [step for step in steps if step.output is not None]

    def carry(self, batch: Batch) -> None:
        """What may be done out of order."""
        if self.pipe.checks:
            batch.check()
        for step in self._pure:
            step.run(batch)

    def deliver(self, batch: Batch) -> bool:
        """What is done in order; then events of what was found out on the way. False: the batch came too late."""
        pipe = self.pipe
        if pipe.closed or self.producer in pipe.cut_off:
            return False
        pipe.current = self.producer
        for step in self._pure:
            if step.missed:  # it may have started since
                step.run(batch)
        for step in self._late:
            step.run(batch)
            if pipe.cut is not None:
                self._cut(batch, pipe.cut)
        if batch.failed:
            self._report(batch)
        return True

    def write(self, batch: Batch) -> None:
        """Bring out what came of the batch."""
        for step in self.outputs:
            if len(step.buffer) and step.stage not in self.pipe.stopping:
                self._write(step)
        self.complete(batch)

    def complete(self, batch: Batch) -> None:
        """All that came of the batch is written, save what goes to stages that a message of it has stopped."""
        pipe = self.pipe
        pipe.current = None
        if pipe.stopping:
            self._stop(batch)
        if batch.completion is not None:
            batch.completion(batch)
        self.producer.delivered()

    def _write(self, step: Step) -> None:
        try:
            step.write()
        except StageError as error:
            self.pipe.fail(step.stage, error)

    def _report(self, batch: Batch) -> None:
        for index, error in batch.failures():
            self.pipe.emit(ParseEvent(batch, index, error))
            if self.pipe.cut is not None:
                self._cut(batch, self.pipe.cut)
                break

    def _cut(self, batch: Batch, count: int) -> None:
        """A message ended the pipeline or its producer: what is behind it never was."""
        self.pipe.cut = None
        batch.cut(count)
        for step in self.outputs:
            step.run(batch)

    def _stop(self, batch: Batch) -> None:
        """Let each stage have what comes before its end; the longest part first, since the batch is cut for it."""
        pipe = self.pipe
        for stage, count in sorted(pipe.stopping.items(), key=lambda item: -item[1]):
            batch.cut(count)
            for step in self.outputs:
                if step.stage is stage:
                    step.run(batch)
                    self._write(step)
            pipe.finish(stage)
        pipe.stopping.clear()
