"""The driver of pipelines with live stages: an event loop (uvloop), and threads for what blocks.

Batches come through put(), which brings one after the other through the line, and returns when the outputs have
taken it: while one of them blocks, no producer makes anything new. Stages that know no event loop read, write
and prepare in threads of the loop's executor. All events are told on the loop.
"""

from __future__ import annotations

import asyncio

from bgpipe.errors import BgpipeError, StageError
from bgpipe.pipeline.engine import Driver
from bgpipe.pipeline.events import StageEvent
from bgpipe.pipeline.line import Lane
from bgpipe.pipeline.stage import RUNNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from bgpipe._codec import Batch
    from bgpipe.pipeline.engine import Pipeline
    from bgpipe.pipeline.stage import Stage

_NAP_S = 0.1  # how soon a producer that waits for its rate sees that the pipeline ends


def run(pipe: Pipeline, *, signals: bool) -> None:
    """Run a pipeline in an event loop of its own."""
    import uvloop

    async def main() -> None:
        await LoopDriver(pipe).run(signals=signals)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


class LoopDriver(Driver):
    """Runs one pipeline within the running event loop."""

    def __init__(self, pipe: Pipeline) -> None:
        self.pipe = pipe
        self._loop = asyncio.get_running_loop()
        self._line = asyncio.Lock()
        self._lanes: dict[Stage, Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._running: dict[Stage, asyncio.Task[None]] = {}
        self._putting: set[Stage] = set()
        self._stopping: set[Stage] = set()

    async def run(self, *, signals: bool) -> None:
        """Run to the end. Raises what a handler or a bug raised, after cleaning up."""
        pipe = self.pipe
        if signals:
            from signal import SIGINT, SIGTERM

            self._loop.add_signal_handler(SIGINT, pipe.on_signal)
            self._loop.add_signal_handler(SIGTERM, pipe.on_signal)
        try:
            pipe.begin(self)
            try:
                await self._settle()
            except asyncio.CancelledError:
                pipe.end()
                await self._conclude()
                raise
            await self._conclude()
        except asyncio.CancelledError:
            raise
        except BaseException:
            pipe.abort()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            raise

    async def put(self, stage: Stage, batch: Batch) -> None:
        """Bring what `stage` made through the line. Raises CancelledError, behind it, where the stage is to stop."""
        self._putting.add(stage)
        try:
            waiting = [(self._lanes[stage], batch)]
            while waiting:
                lane, batch = waiting.pop(0)
                async with self._line:
                    self.pipe.number(batch)
                for part in lane.parts(batch):
                    async with self._line:
                        await self._bring(lane, part)
                        waiting += self.pipe.turned()
                    while (delay_s := lane.delay_s()) > 0:
                        await asyncio.sleep(min(delay_s, _NAP_S))
        finally:
            self._putting.discard(stage)
        if stage in self._stopping:
            raise asyncio.CancelledError

    async def _bring(self, lane: Lane, batch: Batch) -> None:
        after = await lane.deliver(lane.carry(batch))
        if after is None:
            return
        for step in lane.outputs:
            if len(step.buffer) and step.stage not in self.pipe.stopping:
                try:
                    if step.outside:
                        await asyncio.to_thread(step.write)
                    else:
                        step.write()
                except StageError as error:
                    self.pipe.fail(step.stage, error)
        lane.complete(after)

    # ---- what the pipeline calls -------------------------------------------------------------------------------

    def start(self, group: list[Stage]) -> None:
        task = self.spawn(self._start(group))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        return task

    def interrupt(self, stage: Stage) -> None:
        if stage.live:
            self._loop.call_soon_threadsafe(self._interrupt, stage)
        else:
            stage.interrupt()

    def ending(self) -> None:
        self._loop.call_soon_threadsafe(self._stop_starting)

    def call_later(self, delay_s: float, function: Callable[[], None]) -> None:
        def now() -> None:
            self.spawn(self._between_batches(function))

        self._loop.call_soon_threadsafe(self._loop.call_later, delay_s, now)

    # ---- tasks -------------------------------------------------------------------------------------------------

    def _interrupt(self, stage: Stage) -> None:
        self._stopping.add(stage)
        if stage in self._running and stage not in self._putting:
            self._running[stage].cancel()

    def _stop_starting(self) -> None:
        """Who is still being prepared need not go on."""
        for task in self._starting:
            task.cancel()

    async def _conclude(self) -> None:
        await self._settle()
        self.pipe.conclude()
        await self._settle()
        self.pipe.concluded()
        await self._settle()

    async def _between_batches(self, function: Callable[[], None]) -> None:
        async with self._line:
            if not self.pipe.closed:
                function()

    async def _settle(self) -> None:
        """Wait until nothing is under way. Raises what a task raised."""
        while self._tasks:
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            self._tasks -= done
            for task in done:
                if not task.cancelled() and (error := task.exception()) is not None:
                    raise error

    async def _start(self, group: list[Stage]) -> None:
        pipe = self.pipe
        await asyncio.gather(*(self._prepare(stage) for stage in group))
        if pipe.ending:
            return
        for stage in group:
            stage.state = RUNNING
            if stage.produces:
                self._lanes[stage] = Lane(pipe, stage, stage.directions)
        for stage in group:
            pipe.emit(StageEvent(stage, "START"))
        for stage in group:
            if stage.produces:
                self._running[stage] = self.spawn(self._produce(stage))

    async def _prepare(self, stage: Stage) -> None:
        pipe = self.pipe
        pipe.emit(StageEvent(stage, "PREPARE"))
        if pipe.ending:
            return
        try:
            waiting: Awaitable[None] | None
            if stage.live:
                waiting = stage.prepare()
            else:
                waiting = await asyncio.to_thread(stage.prepare)
            if waiting is not None:
                await waiting
        except BgpipeError as error:
            if not pipe.ending:
                pipe.fail(stage, error)
        else:
            pipe.emit(StageEvent(stage, "READY"))

    async def _produce(self, stage: Stage) -> None:
        try:
            if stage.live:
                await stage.run()
            else:
                await self._pump(stage)
        except BgpipeError as error:
            self.pipe.fail(stage, error)
        except asyncio.CancelledError:
            if stage not in self._stopping:
                raise
        self.pipe.finish(stage)

    async def _pump(self, stage: Stage) -> None:
        while (batch := await asyncio.to_thread(stage.read)) is not None:
            failure = batch.error
            await self.put(stage, batch)
            if failure is not None and not self.pipe.closed:
                raise failure
