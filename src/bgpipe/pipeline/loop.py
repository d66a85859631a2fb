"""The driver of pipelines with live stages: an event loop (uvloop), and threads for what blocks.

A batch goes through its line at once where nobody has to wait (`push`), else in a task of its own, and its producer
reads on when that is done: while an output has enough to do, nothing new comes to it. Outputs that block have a thread
each (writer.py); stages that know no event loop read and prepare in threads of the loop's executor. All events are
told on the loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial

from bgpipe.errors import BgpipeError, StageError
from bgpipe.pipeline.engine import EXITED, Driver
from bgpipe.pipeline.events import StageEvent
from bgpipe.pipeline.line import Lane, at_once
from bgpipe.pipeline.signals import handlers, restore
from bgpipe.pipeline.stage import RUNNING
from bgpipe.pipeline.writer import LAST_S, Writers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from bgpipe._codec import Batch, Buffer
    from bgpipe.pipeline.engine import Pipeline
    from bgpipe.pipeline.events import Event
    from bgpipe.pipeline.service import Service
    from bgpipe.pipeline.stage import Output, Stage

_NAP_S = 0.1  # how soon a producer that waits for its rate sees that the pipeline ends


def run(pipe: Pipeline, *, signals: bool) -> None:
    """Run a pipeline in an event loop of its own."""
    import uvloop

    before = handlers() if signals else {}

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in before:
            loop.add_signal_handler(number, pipe.on_signal, number)
        await driver(pipe).run()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                runner.run(main())
            except SystemExit:  # it passes by whoever waits for the task
                pipe.log.error(EXITED)
                pipe.abort()
                raise
    finally:
        restore(before)


def driver(pipe: Pipeline) -> LoopDriver | Service:
    """What runs this pipeline within the running event loop."""
    if not pipe.serves:
        return LoopDriver(pipe)
    from bgpipe.pipeline.service import Service

    return Service(pipe)


class LoopDriver(Driver):
    """Runs one pipeline within the running event loop."""

    def __init__(self, pipe: Pipeline) -> None:
        self.pipe = pipe
        self._loop = asyncio.get_running_loop()
        self._line = asyncio.Lock()
        self._lanes: dict[Stage, Lane] = {}
        self._writers = Writers(self.room, self._failed)
        self._going = 0  # batches that wait on their way
        self._quiet = asyncio.Event()
        self._for_room: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._joined: asyncio.Future[None] = self._loop.create_future()  # done when there are more tasks to wait for
        self._running: dict[Stage, asyncio.Task[None]] = {}
        self._putting: set[Stage] = set()
        self._stopping: set[Stage] = set()
        self._given_up: set[asyncio.Task[None]] = set()  # cancelled here; whoever else is cancelled is missed

    async def run(self) -> None:
        """Run to the end. Raises what a handler or a bug raised, after cleaning up."""
        pipe = self.pipe
        try:
            pipe.begin(self)
            try:
                await self._settle()
            except asyncio.CancelledError:
                pipe.end()
                await self._conclude()
                raise
            await self._conclude()
            if pipe.session is not None and pipe.whole is None:
                pipe.session.report()
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._writers.abort()
            pipe.abort()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            raise

    # ---- batches on their way ----------------------------------------------------------------------------------

    def push(self, stage: Stage, batch: Batch) -> Awaitable[None] | None:
        """Bring what `stage` made through the line at once; what to wait for where that cannot be."""
        lane, turns = self._lanes[stage], 0
        turned: deque[tuple[Lane, Batch, int]] = deque()
        while not (lane.waits or lane.divides or lane.paced or lane.full or self._line.locked()):
            self.pipe.number(batch)
            after = at_once(lane.deliver(lane.carry(batch)))
            if after is not None:
                lane.write(after)
            turned += self.pipe.turned(turns)
            if not turned:
                return None
            lane, batch, turns = turned.popleft()
        turned.appendleft((lane, batch, turns))
        return self.spawn(self._go(turned))

    async def put(self, stage: Stage, batch: Batch) -> None:
        """Bring what `stage` made through the line. Raises CancelledError, behind it, where the stage is to stop."""
        self._putting.add(stage)
        try:
            await self._go(deque(((self._lanes[stage], batch, 0),)))
        finally:
            self._putting.discard(stage)
        if stage in self._stopping:
            raise asyncio.CancelledError

    async def _go(self, waiting: deque[tuple[Lane, Batch, int]]) -> None:
        self._going += 1
        session = self.pipe.session
        directions = waiting[0][0].directions
        if session is not None:
            session.waiting(directions, True)
        try:
            while waiting:
                lane, batch, turns = waiting.popleft()
                await self._wait_for_room(lane)
                async with self._line:
                    self.pipe.number(batch)
                for part in lane.parts(batch):
                    async with self._line:
                        after = await lane.deliver(lane.carry(part))
                        if after is not None:
                            for output in lane.write_parts(after):
                                await self._wait_for_room(output)
                        waiting += self.pipe.turned(turns)
                    while (delay_s := lane.delay_s()) > 0:
                        await asyncio.sleep(min(delay_s, _NAP_S))
        finally:
            if session is not None:
                session.waiting(directions, False)
            self._going -= 1
            if not self._going:
                self._quiet.set()

    async def quiet(self, within_s: float) -> None:
        end_s = self._loop.time() + within_s
        await self._wait_quiet(within_s)
        while (stage := self.pipe.first_follower(self._unended())) is not None:
            stage.drain()
            done, _ = await asyncio.wait((self._running[stage],), timeout=max(0.0, end_s - self._loop.time()))
            if not done:
                return
        await self._wait_quiet(max(0.0, end_s - self._loop.time()))

    async def _wait_quiet(self, within_s: float) -> None:
        if self._going:
            self._quiet.clear()
            waiting = asyncio.ensure_future(self._quiet.wait())
            await asyncio.wait((waiting,), timeout=within_s)
            waiting.cancel()

    def _unended(self) -> list[Stage]:
        return [stage for stage, task in self._running.items() if not task.done()]

    async def _wait_for_room(self, lane: Lane | Output) -> None:
        while lane.full and not self.pipe.closed:
            room = self._loop.create_future()
            self._for_room.append(room)
            await room

    def room(self) -> None:
        waiting, self._for_room = self._for_room, []
        for room in waiting:
            if not room.done():
                room.set_result(None)

    def write(self, stage: Output, data: Buffer) -> None:
        if stage.live or not stage.outside:
            stage.write(data)
        else:
            self._writers.put(stage, data)

    def when_written(self, function: Callable[[], None]) -> None:
        whole = self.pipe.whole
        if whole is not None and whole.driver is not None:
            self._writers.when_written(partial(whole.driver.when_written, function))
        else:
            self._writers.when_written(function)

    def emit(self, event: Event) -> None:
        self._loop.call_soon_threadsafe(self.pipe.emit, event)

    def _failed(self, stage: Stage, error: BaseException) -> None:
        if isinstance(error, BgpipeError):
            self.pipe.fail(stage, error)
        else:
            self.spawn(_raise(error))

    # ---- what the pipeline calls -------------------------------------------------------------------------------

    def start(self, group: list[Stage]) -> None:
        task = self.spawn(self._start(group))
        self._starting.add(task)
        if not self._joined.done():
            self._joined.set_result(None)
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

    def call_later(self, stage: Stage, delay_s: float, function: Callable[[], None]) -> None:
        def now() -> None:
            if (writer := self._writers.get(stage)) is not None:
                writer.call(unless_closed)
            else:
                self.spawn(self._between_batches(stage, unless_closed))

        def unless_closed() -> None:
            if not self.pipe.closed:
                function()

        self._loop.call_soon_threadsafe(self._loop.call_later, delay_s, now)

    def finish(self, stage: Stage) -> Awaitable[None] | None:
        return self._writers.finish(stage, LAST_S if self.pipe.signalled else None)

    # ---- tasks -------------------------------------------------------------------------------------------------

    def _interrupt(self, stage: Stage) -> None:
        if stage.drains:
            stage.drain()
            return
        if stage in self._stopping:
            return
        self._stopping.add(stage)
        if stage in self._running and stage not in self._putting:
            self._give_up(self._running[stage])

    def _stop_starting(self) -> None:
        """Who is still being prepared need not go on, nor is it waited for."""
        for task in self._starting:
            self._give_up(task)
        self.room()

    def abort(self) -> None:
        self._stopping.update(self.pipe.stages)
        for task in self._tasks:
            self._give_up(task)

    def _give_up(self, task: asyncio.Task[None]) -> None:
        self._given_up.add(task)
        task.cancel()

    async def _conclude(self) -> None:
        await self._settle()
        self.pipe.conclude()
        await self._settle()
        self.pipe.concluded()
        await self._settle()

    async def _between_batches(self, stage: Stage, function: Callable[[], None]) -> None:
        async with self._line:
            try:
                function()
            except StageError as error:
                self.pipe.fail(stage, error)

    async def _settle(self) -> None:
        """Wait until nothing is under way. Raises what a task raised; RuntimeError where others cancelled one."""
        while self._tasks:
            running = self._unended()
            if self._tasks == {self._running[stage] for stage in running if stage in self.pipe.followers}:
                follower = self.pipe.first_follower(running)
                assert follower is not None
                if not self.pipe.awaits(follower):
                    follower.drain()
            self._joined = self._loop.create_future()
            await asyncio.wait({*self._tasks, self._joined}, return_when=asyncio.FIRST_COMPLETED)
            done = {task for task in self._tasks if task.done()}
            self._tasks -= done
            for task in done:
                if task.cancelled():
                    if task not in self._given_up:
                        raise RuntimeError(f"{task.get_coro()!r:.80} was cancelled, or waited for a task that was")
                elif (error := task.exception()) is not None:
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
            if stage.runs:
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
                self.pipe.fail(stage, StageError("it was cancelled"))
        self.pipe.finish(stage)

    async def _pump(self, stage: Stage) -> None:
        while (batch := await asyncio.to_thread(stage.read)) is not None:
            failure = batch.error
            await self.put(stage, batch)
            if failure is not None and not self.pipe.closed:
                raise failure


async def _raise(error: BaseException) -> None:
    raise error
