"""The driver of pipelines without live stages: threads, and no event loop.

A single producer is shared by a team of threads. Each takes {ticket, read} under the lock of the source, does what
is pure by itself, and delivers when its ticket's turn has come: order is kept, and at most one batch a thread is in
memory. The main thread is the team's first; the others join when there is a second block: a small job starts none.

Several producers get a thread each, and one lock for the line.
"""

from __future__ import annotations

import _thread
import time

from bgpipe.errors import BgpipeError, StageError
from bgpipe.pipeline.engine import EXITED, Driver
from bgpipe.pipeline.events import StageEvent
from bgpipe.pipeline.line import Lane, at_once
from bgpipe.pipeline.signals import handlers, restore
from bgpipe.pipeline.stage import RUNNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bgpipe._codec import Batch
    from bgpipe.pipeline.engine import Pipeline
    from bgpipe.pipeline.events import Event
    from bgpipe.pipeline.stage import Stage

_NAP_S = 0.1  # how soon a thread that waits for its rate sees that the pipeline ends


class ThreadDriver(Driver):
    """Runs one pipeline."""

    def __init__(self, pipe: Pipeline) -> None:
        self.pipe = pipe
        self.crash: BaseException | None = None
        self.alone = sum(stage.produces for stage in pipe.stages) == 1
        self._mine: list[Stage] = []
        self._busy = 1  # threads that may still cause events, this one included
        self._idle = _thread.allocate_lock()

    def run(self, *, signals: bool) -> None:
        """Run to the end. Raises what a handler or a bug raised, after cleaning up.

        signals: SIGINT, SIGTERM and SIGHUP end it meanwhile.
        """
        if not signals:
            self._run()
            return
        import _signal  # type: ignore[import-not-found]

        def on_signal(number: int, frame: object) -> None:
            self.pipe.on_signal(number)

        before = handlers()
        try:
            for number in before:
                _signal.signal(number, on_signal)
            self._run()
        finally:
            restore(before)

    def _run(self) -> None:
        pipe = self.pipe
        self._idle.acquire()
        try:
            pipe.begin(self)
            for stage in self._mine:
                self._produce(stage)
        except BaseException as error:
            self.crashed(error)
        self._done()
        self._wait()
        if self.crash is None:
            try:
                pipe.conclude()
                pipe.concluded()
            except BaseException as error:
                self.crash = error
        if self.crash is not None:
            if isinstance(self.crash, SystemExit):
                pipe.log.error(EXITED)
            pipe.abort()
            raise self.crash

    def start(self, group: list[Stage]) -> None:
        pipe = self.pipe
        for stage in group:
            pipe.emit(StageEvent(stage, "PREPARE"))
            if pipe.ending:
                return
            try:
                stage.prepare()
            except BgpipeError as error:
                if not pipe.ending:
                    pipe.fail(stage, error)
                return
            pipe.emit(StageEvent(stage, "READY"))
        if pipe.ending:
            return
        for stage in group:
            stage.state = RUNNING
        for stage in group:
            pipe.emit(StageEvent(stage, "START"))
        for stage in group:
            if not stage.produces:
                continue
            if self.alone:
                self._mine.append(stage)
            else:
                self._busy += 1
                try:
                    _thread.start_new_thread(self._produce_apart, (stage,))
                except RuntimeError as error:
                    self._busy -= 1
                    pipe.fail(stage, StageError(f"no thread for {stage.label}: {error}"))
                    return

    def emit(self, event: Event) -> None:
        self.pipe.emit(event)

    def call_later(self, stage: Stage, delay_s: float, function: Callable[[], None]) -> None:
        try:
            _thread.start_new_thread(self._call_later, (stage, delay_s, function))
        except RuntimeError as error:
            raise StageError(f"no thread to wait in: {error}") from None

    def _call_later(self, stage: Stage, delay_s: float, function: Callable[[], None]) -> None:
        time.sleep(delay_s)  # the process does not wait for such a thread
        with self.pipe.lock:
            try:
                if not self.pipe.closed:
                    function()
            except StageError as error:
                self.pipe.fail(stage, error)
            except BaseException as error:
                self.crashed(error)

    def _produce_apart(self, stage: Stage) -> None:
        try:
            self._produce(stage)
        except BaseException as error:
            self.crashed(error)
        self._done()

    def _produce(self, stage: Stage) -> None:
        team = Team(self, stage, self.pipe.threads if self.alone else 1)
        team.run()
        if self.crash is not None:
            return
        if team.failure is not None and not self.pipe.closed:
            self.pipe.fail(stage, team.failure)
        self.pipe.finish(stage)

    def crashed(self, error: BaseException) -> None:
        self.crash = self.crash or error
        self.pipe.closed = True
        self.pipe.end()

    def _done(self) -> None:
        with self.pipe.lock:
            self._busy -= 1
            if not self._busy:
                self._idle.release()

    def _wait(self) -> None:
        while True:
            try:
                self._idle.acquire()
                return
            except BaseException as error:  # KeyboardInterrupt, where nobody handles the signal
                self.crashed(error)


class Team:
    """The threads that bring the messages of one producer through the pipeline.

    failure: what ended the input, or None.
    """

    def __init__(self, driver: ThreadDriver, stage: Stage, size: int) -> None:
        self.driver = driver
        self.pipe = driver.pipe
        self.stage = stage
        self._first = Lane(driver.pipe, stage, stage.directions)
        self.size = 1 if self._first.paced else size
        self.failure: BgpipeError | None = None
        self._over = False
        self._ticket = 0
        self._source = _thread.allocate_lock()
        self._turns = [_thread.allocate_lock() for _ in range(self.size)]
        for turn in self._turns[1:]:
            turn.acquire()
        self._working: list[_thread.LockType] = []

    def run(self) -> None:
        """Work until the producer has nothing more, or something crashed."""
        try:
            self._work(self._first)
        except BaseException as error:
            self.driver.crashed(error)
        self._over = True
        for done in self._working:
            done.acquire()

    def _work(self, lane: Lane) -> None:
        while True:
            with self._source:
                batch = None if self._over else self._read()
                if batch is None:
                    self._over = True
                    return
                ticket = self._ticket
                self._ticket += 1
                if self.size > 1:
                    self.pipe.number(batch)
            if self.size == 1:
                self._bring(lane, batch)
                continue
            if ticket == 1:
                self._hire()
            carried: Batch | None = None
            try:
                carried = lane.carry(batch)
            finally:
                self._turns[ticket % self.size].acquire()
                try:
                    if carried is not None:
                        with self.pipe.lock:
                            turned = self._deliver(lane, carried, 0)
                        self._bring_all(turned)
                finally:
                    self._turns[(ticket + 1) % self.size].release()

    def _bring(self, lane: Lane, batch: Batch) -> None:
        """Where order needs no turns: a lane alone, or the lock among several. Then what turned back on the way."""
        self._bring_all([(lane, batch, 0)])

    def _bring_all(self, waiting: list[tuple[Lane, Batch, int]]) -> None:
        while waiting:
            lane, batch, turns = waiting.pop(0)
            with self.pipe.lock:
                self.pipe.number(batch)
            for part in lane.parts(batch):
                with self.pipe.lock:
                    waiting += self._deliver(lane, lane.carry(part), turns)
                while (delay_s := lane.delay_s()) > 0:
                    time.sleep(min(delay_s, _NAP_S))

    def _deliver(self, lane: Lane, batch: Batch, turns: int) -> list[tuple[Lane, Batch, int]]:
        after = at_once(lane.deliver(batch))
        if after is not None:
            lane.write(after)
        return self.pipe.turned(turns)

    def _read(self) -> Batch | None:
        try:
            batch = self.stage.read()
        except BgpipeError as error:
            self.failure = error
            return None
        if batch is not None and batch.error is not None:
            self.failure = batch.error
            self._over = True
        return batch

    def _hire(self) -> None:
        for _ in range(self.size - 1):
            done = _thread.allocate_lock()
            done.acquire()
            try:
                _thread.start_new_thread(self._help, (done,))
            except RuntimeError:  # there may be no more: those at work do without
                return
            self._working.append(done)

    def _help(self, done: _thread.LockType) -> None:
        try:
            self._work(Lane(self.pipe, self.stage, self.stage.directions))
        except BaseException as error:
            self.driver.crashed(error)
        self._over = True
        done.release()
