"""The line of each direction: which stages a producer's messages pass, and bringing batches along them."""

from __future__ import annotations

from itertools import pairwise

from bgpipe._codec import Batch, Buffer
from bgpipe.errors import StageError
from bgpipe.pipeline.events import ParseEvent
from bgpipe.pipeline.stage import BOTH, LEFT, RIGHT, RUNNING, Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Iterable, Iterator
    from typing import Any, TypeVar

    from bgpipe._codec import Encoder
    from bgpipe.pipeline.engine import Pipeline
    from bgpipe.pipeline.rate import Bucket
    from bgpipe.pipeline.stage import Stage

    Result = TypeVar("Result")

_ALL = 0xFFFFFFFF  # more messages than a batch holds
_OPENS = 1 << 1  # as an interest of bgp/watch.py
_PART = 1 << 20  # octets that a batch becomes at once, where the format can make much of little
_SHARE_S = 0.05  # how long what comes at once may have to wait for


def at_once(work: Coroutine[Any, Any, Result]) -> Result:
    """What a coroutine returns that has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    raise AssertionError("waiting takes an event loop")


def path(pipe: Pipeline, producer: Stage, direction: int) -> list[Stage]:
    """The stages that messages of one direction pass which `producer` makes, in order."""
    if producer.produces:
        entry = pipe.entry(producer, direction)
    else:  # what it was given flows the other way, and so what it makes of that comes from there
        entry = pipe.count + 1 - pipe.rank(producer, BOTH - direction)
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


def route(pipe: Pipeline, producer: Stage, directions: int) -> list[tuple[Stage, int]]:
    """Where a batch of `producer` goes, with the directions that each stage is to look at.

    A batch may hold messages of both directions. They meet different stages, or the same in opposite order, save the
    one that may stand at the end of both lines: that one sees them together, in the order in which they came. So does
    the stage that asks for it most.
    """
    right, left = (path(pipe, producer, way) if directions & way else [] for way in (RIGHT, LEFT))
    return _merge(right, left)


def _merge(right: list[Stage], left: list[Stage]) -> list[tuple[Stage, int]]:
    common = [stage for stage in right if stage in left and (stage.together or stage is right[-1] is left[-1])]
    if not common:
        return _apart(right, left)
    stage = max(common, key=lambda stage: stage.together)
    i, j = right.index(stage), left.index(stage)
    return [*_apart(right[:i], left[:j]), (stage, BOTH), *_merge(right[i + 1 :], left[j + 1 :])]


def _apart(right: list[Stage], left: list[Stage]) -> list[tuple[Stage, int]]:
    return [(stage, RIGHT) for stage in right] + [(stage, LEFT) for stage in left]


class Step:
    """A stage on a lane; for an output with this lane's encoder and buffer.

    pure: run() may be called for batches in any order. chooses: messages may skip the stage, by --if or a rate. missed:
    the stage did not run when the batch came by. seen, of an output: the batch as it came by. keeps: stages behind may
    change it, so `seen` is a copy; it is one, too, where messages skip the output, and says which, or go no
    further.
    """

    __slots__ = ("buffer", "chooses", "directions", "encoder", "keeps", "missed", "output", "pure", "seen", "stage")

    def __init__(self, stage: Stage, directions: int) -> None:
        self.stage = stage
        self.directions = directions
        self.missed = False
        self.keeps = False
        self.seen: Batch | None = None
        self.output: Output | None = None
        self.pure = stage.pure and stage.bucket is None
        self.chooses = bool(stage.options.if_) or stage.bucket is not None
        if isinstance(stage, Output):
            self.output = stage
            self.encoder: Encoder = stage.encoder()
            self.encoder.directions = directions
            self.encoder.part = _PART
            self.encoder.accepted = stage.tap or stage.consumes
            self.buffer = Buffer()
            self.keeps = stage.diverts
        elif stage.options.wait or stage.options.stop:
            self.pure = False

    def run(self, batch: Batch) -> Batch | Coroutine[Any, Any, Batch]:
        """Have the stage look at the batch. Returns the one that goes on, or what is to be waited for to have it."""
        stage = self.stage
        self.missed = stage.state != RUNNING or stage.drained
        pipe = stage.pipe
        partly = not self.missed and bool(self.chooses or pipe.started or pipe.stopping) and self._hide(batch)
        if self.output is not None:
            self.seen = batch.part(0, len(batch)) if self.keeps or partly else batch
            self.buffer.clear()
        if self.missed:
            if self.output is not None and self.output.swallows:
                self.output.swallowed(batch.take_off(self.encoder.types, self.directions))
            elif self.output is not None and self.output.misses:
                with batch:
                    self.encoder.encode(batch, self.buffer)
                self.output.swallowed(self.buffer.messages)
                while self.go_on():
                    self.output.swallowed(self.buffer.messages)
                self.buffer.clear()
            return batch
        after = None
        if self.output is not None:
            with batch:
                self.encoder.encode(batch, self.buffer)
            if self.output.diverts:
                batch.take_off(self.encoder.types, self.directions)
        else:
            after = stage.process(batch, self.directions)
        if after is None and not partly:
            return batch
        if after is None or isinstance(after, Batch):
            return self._leave(batch, after, partly)
        return self._wait(batch, after, partly)

    async def _wait(self, batch: Batch, after: Awaitable[Batch | None], partly: bool) -> Batch:
        return self._leave(batch, await after, partly)

    def _leave(self, batch: Batch, after: Batch | None, partly: bool) -> Batch:
        if after is None:
            after = batch
        else:
            hand_over(batch, after)
        if partly:
            after.reveal()
        return after

    def _hide(self, batch: Batch) -> bool:
        """Hide what is to skip the stage. Returns whether there may be such messages."""
        stage = self.stage
        first = stage.pipe.started.get(stage, 0)
        count = stage.pipe.stopping.get(stage, _ALL)
        if first or count < len(batch):
            batch.hide_outside(first, count)
        for filter_ in stage.options.if_:
            with batch:
                filter_.program.hide(batch, self.directions)
        if stage.bucket is not None and not stage.produces:
            if stage.options.rate_sample:
                batch.sample(stage.bucket.available(), self.directions)
            stage.bucket.take(batch.visible(self.directions))
        return bool(self.chooses or first or count < len(batch))

    def go_on(self) -> bool:
        """Have the next part of what an output makes of the batch in the buffer, where it is too much at once."""
        if self.seen is None or not self.encoder.unfinished:
            return False
        self.buffer.clear()
        with self.seen:
            self.encoder.go_on(self.seen, self.buffer)
        return True

    def again(self, after: Batch | None = None, count: int = _ALL) -> None:
        """Run an output once more on what it saw; of it, on what became the first `count` messages of `after`."""
        seen = self.seen
        if seen is None:
            return
        if after is not None:
            seen.cut_like(after, count)
        if self.missed:
            if self.stage.state == RUNNING and not self.stage.drained:  # else it has missed them for good, and knows
                self.run(seen)
        else:  # what skipped it the first time is still hidden there: a second choice would be another one
            self.buffer.clear()
            with seen:
                self.encoder.encode(seen, self.buffer)


def hand_over(batch: Batch, after: Batch) -> None:
    """`after` goes on in place of `batch`."""
    after.completion, batch.completion = batch.completion, None
    after.error, batch.error = batch.error, None


class Lane:
    """What one thread needs to bring batches of one producer along their route.

    carry() is pure and may run beside that of other lanes; the rest is called in the order of the batches, one at a
    time. Writing comes last: when a message kills or stops the pipeline, nothing behind it got out.

    producer: the stage that makes them, or one that looks, and was given messages of the other direction. directions:
    those of the messages. outputs: the steps that write. divides: one of them may write a batch in parts. paced: some
    stage limits the rate; then one lane alone takes a producer's batches, part by part, and waits as long as delay_s()
    says behind each. waits: deliver() may have to.
    """

    __slots__ = (
        *("_bucket", "_late", "_limits", "_of", "_pure", "_share"),
        *("directions", "divides", "outputs", "paced", "pipe", "producer", "waits"),
    )

    def __init__(self, pipe: Pipeline, producer: Stage, directions: int) -> None:
        self.pipe = pipe
        self.producer = producer
        self.directions = directions
        self._bucket = producer.bucket if producer.produces else None
        self._of = [filter_.program for filter_ in producer.options.of]
        steps = [Step(stage, directions) for stage, directions in route(pipe, producer, directions)]
        pure = 0
        while pure < len(steps) and steps[pure].pure and self._bucket is None:
            pure += 1
        self._pure = steps[:pure]
        self._late = steps[pure:]
        self.outputs = [step for step in steps if step.output is not None]
        changing = False
        for step in reversed(steps):
            step.keeps = step.keeps or changing
            changing = changing or step.keeps or (step.output is None and step.stage.changes)
        self.waits = any(step.stage.waits for step in steps)
        self.divides = any(step.encoder.divides for step in self.outputs)
        stages = [producer, *(step.stage for step in steps)]
        self.paced = any(stage.bucket is not None for stage in stages)
        self._limits = [stage.bucket for stage in stages if stage.bucket is not None and stage.options.rate_limit]
        self._share = min((max(1, int(bucket.rate * _SHARE_S)) for bucket in self._limits), default=_ALL)

    @property
    def full(self) -> bool:
        """Whether an output has enough to do with what it has."""
        for step in self.outputs:  # noqa: SIM110 - this is asked for each read of a live pipeline
            if step.output is not None and step.output.full:
                return True
        return False

    def parts(self, batch: Batch) -> Iterable[Batch]:
        """The batch in parts that are small enough for the rates of the line.

        In a session none goes on behind an OPEN: what follows may have to be encoded otherwise.
        """
        ends = {*range(self._share, len(batch), self._share), len(batch)}
        if self.pipe.session is not None:
            ends.update(index + 1 for index in batch.find(_OPENS))
        if len(ends) == 1:
            return (batch,)
        parts = [batch.part(start, end) for start, end in pairwise((0, *sorted(ends)))]
        hand_over(batch, parts[-1])
        return parts

    def delay_s(self) -> float:
        """How long to wait before the next part; not at all once the pipeline ends."""
        if self.pipe.ending:
            return 0.0
        return max((bucket.debt_s() for bucket in self._limits), default=0.0)

    def carry(self, batch: Batch) -> Batch:
        """What may be done out of order. Returns the batch that goes on."""
        if self.pipe.tagger is not None:
            with batch:
                self.pipe.tagger.apply(batch, BOTH)
        if self.pipe.checks:
            with batch:
                batch.check()
        for program in self._of:
            with batch:
                program.keep(batch, BOTH)
        for step in self._pure:
            after = step.run(batch)
            assert isinstance(after, Batch), "who waits is not pure"
            batch = after
        return batch

    async def deliver(self, batch: Batch) -> Batch | None:
        """What is done in order, then events of what was found out on the way.

        Returns the batch that goes on; None if it came too late.
        """
        pipe = self.pipe
        if (pipe.closed and self.producer.produces) or self.producer in pipe.cut_off:
            return None  # what was turned back was in front of the end: pipe.cut_turned()
        pipe.current = self.producer
        if self._bucket is not None:
            self._pace(batch, self._bucket)
        for step in self._pure:
            if step.missed:  # it may have started since
                step.again()
        for step in self._late:
            found = step.run(batch)
            after = found if isinstance(found, Batch) else await found
            if pipe.cut is not None:
                self._cut(after, pipe.cut)
            if after is not batch:
                # At which of its messages a stage was to start or to stop, is not known any more.
                pipe.stopping = dict.fromkeys(pipe.stopping, _ALL)
                pipe.started.clear()
                batch = after
        if batch.failed:
            self._report(batch)
        if pipe.started:
            for step in self.outputs:
                if step.missed:
                    step.again()
        return batch

    def _pace(self, batch: Batch, bucket: Bucket) -> None:
        if self.producer.options.rate_sample:
            batch.sample(bucket.available(), drop=True)
        bucket.take(batch.visible())

    def write(self, batch: Batch) -> None:
        """Bring out what came of the batch."""
        for step in self.outputs:
            if len(step.buffer) and step.stage not in self.pipe.stopping:
                while self._write(step):
                    pass
        self.complete(batch)

    def write_parts(self, batch: Batch) -> Iterator[Output]:
        """The same, with a pause behind each part of what an output writes in parts: until that one has room again."""
        for step in self.outputs:
            if len(step.buffer) and step.stage not in self.pipe.stopping:
                while step.output is not None and self._write(step):
                    yield step.output
        self.complete(batch)

    def complete(self, batch: Batch) -> None:
        """All that came of the batch is written, save what goes to stages that a message of it has stopped."""
        pipe = self.pipe
        pipe.current = None
        if pipe.stopping:
            self._stop(batch)
        pipe.started.clear()
        for step in self.outputs:
            step.seen = None
        if batch.completion is not None:
            batch.completion(batch)
        self.producer.delivered()

    def _write(self, step: Step) -> bool:
        """Bring out what the step has encoded. Returns whether there is another part of it now."""
        output = step.output
        if output is None or output.state != RUNNING or (driver := output.pipe.driver) is None:
            return False
        try:
            driver.write(output, step.buffer)
        except StageError as error:
            self.pipe.fail(step.stage, error)
            return False
        return step.go_on()

    def _report(self, batch: Batch) -> None:
        for index, error in batch.failures():
            self.pipe.emit(ParseEvent(batch, index, error))
            if self.pipe.cut is not None:
                self._cut(batch, self.pipe.cut)
                break

    def _cut(self, batch: Batch, count: int) -> None:
        """A message ended the pipeline or its producer: what is behind it never was."""
        self.pipe.cut = None
        for step in self.outputs:
            step.again(batch, count)
        self.pipe.cut_turned(batch.came(count))
        batch.cut(count)

    def _stop(self, batch: Batch) -> None:
        """Let each stage have what comes before its end; the longest part first, since the batch may be cut for it."""
        pipe = self.pipe
        for stage, count in sorted(pipe.stopping.items(), key=lambda item: -item[1]):
            for step in self.outputs:
                if step.stage is stage:
                    step.again(batch, count)
                    while self._write(step):
                        pass
            pipe.finish(stage)
        pipe.stopping.clear()
