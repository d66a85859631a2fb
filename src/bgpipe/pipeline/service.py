"""A pipeline of many sessions: one for each client of `listen --multi`, or one after the other for `--reconnect`.

Each session has a pipeline of its own, made of the same stages: its own connections, decoders, timers, limits, scripts,
and what becomes of it is nobody else's business. What is the same for all is there once: options and filters with
their tables of prefixes, handlers of events, functions of on_message, and the outputs. Those belong to the pipeline
that was asked for, which carries no messages itself; a session has shares in them (stage.Share), so that a file is one
file with one writer, and holds whole messages of one session behind those of another.

The service is the driver of that pipeline, and each session has a LoopDriver, all in one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections import Counter

from bgpipe.errors import BgpipeError, PassingError, StageError, UsageError
from bgpipe.pipeline.engine import Driver
from bgpipe.pipeline.log import Allowance, Throttle
from bgpipe.pipeline.loop import LoopDriver
from bgpipe.pipeline.stage import RUNNING, STARTING, STOPPED, Output, Stage
from bgpipe.pipeline.writer import Writers
from bgpipe.transport.backoff import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from bgpipe._codec import Buffer
    from bgpipe.pipeline.engine import Pipeline
    from bgpipe.pipeline.events import Event

STEADY_S = 60.0  # a session that was up so long went well: the next one need not wait long
_LINES = 6000  # of all sessions, that a minute may have in the log: who is attacked is not to run out of disk as well
_OWN_LINES = 60  # beside them, of the sessions with one address that are up: nobody else silences these
_MOST_HOSTS = 10_000  # that such lines are counted for
_END_S = 2.6  # how long the end may take that a signal asked for
_FOR_OUTPUTS_S = 0.6  # of it
_CUT_OFF_S = 0.2  # how long sessions may take that are cut off
_FAREWELLS = 100  # clients at once that are told why they are refused


class Gate(Stage):
    """A stage that may let in many clients (multi), each into a session of its own.

    most: how many at once. most_each: and of one address; 0 for any number. client: in the pipeline of a session, whom
    it is for.
    """

    multi = False
    most = most_each = 0
    client: socket.socket | None = None

    def open_gate(self) -> None:
        """Let clients come. StageError."""
        raise AssertionError

    async def admit(self) -> tuple[socket.socket, str]:
        """The next client, and its address with the port."""
        raise AssertionError

    def refuse(self, client: socket.socket) -> Coroutine[Any, Any, None]:
        """Tell a client that there is no room for it, and close the connection."""
        raise AssertionError

    def close_gate(self) -> None:
        """Let nobody in any more."""


def check(pipe: Pipeline) -> None:
    """Whether all stages can be there many times. UsageError."""
    gates = [stage for stage in pipe.stages if isinstance(stage, Gate)]
    for gate in gates:
        if gate.multi and len(gates) > 1:
            raise gate.error("--multi: the other end of each session cannot listen as well")
    many = any(gate.multi for gate in gates)
    for stage in pipe.stages:
        if many and stage.serves and not (isinstance(stage, Gate) and stage.multi):
            raise stage.error("--reconnect has no use with --multi: each client that comes gets a session of its own")
        if many and stage.single:
            raise stage.error("with --multi there are many sessions, and all of them would use this one")
        if stage.produces and stage.uses_standard(stage.options):
            raise stage.error("with --multi and --reconnect there are many sessions, but one standard input")


class Service(Driver):
    """Runs a pipeline of many sessions within the running event loop."""

    def __init__(self, pipe: Pipeline) -> None:
        self.pipe = pipe
        self.sessions: dict[asyncio.Task[None], Pipeline] = {}
        self._loop = asyncio.get_running_loop()
        self._outputs = [stage for stage in pipe.stages if isinstance(stage, Output) and not stage.live]
        self._gate = next((stage for stage in pipe.stages if isinstance(stage, Gate) and stage.multi), None)
        self._writers = Writers(self.room, self._output_failed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._work: asyncio.Task[None] | None = None
        self._crash: BaseException | None = None
        self._until_s: float | None = None  # when it is to be over, in the time of the loop
        self._begun = self._failed = 0
        self._hosts: Counter[str] = Counter()  # how many sessions each has
        self._own_lines: dict[str, Allowance] = {}
        self._refused = Throttle(pipe.log, "clients were refused", self._gate)
        self._lines = Throttle(pipe.log, "lines of sessions were left out", self._gate, _LINES)

    async def run(self) -> None:
        """Run until it is to end, or cannot go on. Raises what a bug raised, after cleaning up."""
        pipe = self.pipe
        pipe.take(self)
        if pipe.commanded:
            raise_limit()
        try:
            await self._run()
        except BaseException:
            self._writers.abort()
            pipe.abort()
            raise
        if self._crash is not None:
            raise self._crash

    async def _run(self) -> None:
        await self._open_outputs()
        cancelled = False
        if not self.pipe.ending:
            self._work = self._loop.create_task(self._serve() if self._gate is not None else self._repeat())
            try:
                await asyncio.wait((self._work,))
            except asyncio.CancelledError:
                cancelled = True
                self._work.cancel()
            if not self._work.cancelled() and self._work.done() and (error := self._work.exception()) is not None:
                self._crash = error
        self.pipe.end()
        while self.sessions:
            done, _ = await asyncio.wait(self.sessions, timeout=self._left_s(_FOR_OUTPUTS_S))
            if not done:
                self.pipe.log.warn(f"{len(self.sessions)} sessions have not ended in time: they are cut off")
                self.abort()
                await asyncio.wait(self.sessions, timeout=_CUT_OFF_S)
                break
        for stage in self._outputs:
            self.pipe.finish(stage)
        while self._tasks:
            await asyncio.wait(self._tasks)
        for throttle in (self._refused, self._lines):
            throttle.close()
        if self._gate is not None and self._begun + self._failed + self._refused.total:
            counts = f"{self._begun} sessions, {self._failed} of them failed; {self._refused.total} clients refused"
            self.pipe.log.info(counts, self._gate)
        if cancelled:
            raise asyncio.CancelledError

    async def _open_outputs(self) -> None:
        for stage in self.pipe.stages:
            try:
                stage.foresee()
            except StageError as error:
                self.pipe.fail(stage, error)
                return
        for stage in self._outputs:
            stage.state = STARTING
            try:
                await asyncio.to_thread(stage.prepare)
            except BgpipeError as error:
                if self.pipe.ending:  # it need not be opened any more
                    stage.state = STOPPED
                    stage.abort()
                else:
                    self.pipe.fail(stage, error)
                return
            stage.state = RUNNING

    # ---- sessions side by side ---------------------------------------------------------------------------------

    async def _serve(self) -> None:
        gate = self._gate
        assert gate is not None
        try:
            gate.open_gate()
        except StageError as error:
            self.pipe.fail(gate, error)
            return
        try:
            while True:
                client, peer = await gate.admit()
                if (problem := self._full(gate, peer)) is not None:
                    self._refused.count(f"{peer} is refused: {problem}")
                    if len(self._tasks) < _FAREWELLS:
                        self.spawn(gate.refuse(client))
                    else:
                        client.close()
                else:
                    self._let_in(gate, client, peer)
        finally:
            gate.close_gate()

    def _full(self, gate: Gate, peer: str) -> str | None:
        """Why this client gets no session, if so."""
        if gate.most and len(self.sessions) >= gate.most:
            return f"there are {gate.most} sessions already (--max-sessions)"
        if gate.most_each and self._hosts[_host(peer)] >= gate.most_each:
            return f"it has {gate.most_each} sessions already (--max-sessions-per-peer)"
        return None

    def _let_in(self, gate: Gate, client: socket.socket, peer: str) -> None:
        host = _host(peer)
        session: Pipeline | None = None

        def admits() -> bool:
            bgp = session.session if session is not None else None
            own = bgp is not None and bgp.established_s is not None and self._lines_of(host).admits()
            return own or self._lines.admits()

        try:
            session = self.pipe.session_of(peer, f"{gate.name}/remote", admits)
        except UsageError as error:
            self.pipe.log.error(f"{peer} gets no session: {error}", gate)
            self._failed += 1
            client.close()
            return
        place = session.stages[self.pipe.stages.index(gate)]
        assert isinstance(place, Gate)
        place.client = client

        def leave(_: asyncio.Task[None]) -> None:
            client.close()
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]

        self._hosts[host] += 1
        self._begin(session).add_done_callback(leave)

    def _lines_of(self, host: str) -> Allowance:
        if host not in self._own_lines:
            if len(self._own_lines) >= _MOST_HOSTS:
                self._own_lines.clear()
            self._own_lines[host] = Allowance(_OWN_LINES)
        return self._own_lines[host]

    # ---- one after the other -----------------------------------------------------------------------------------

    async def _repeat(self) -> None:
        try:
            await self._repeated()
        finally:
            for stage in self.pipe.stages:
                if isinstance(stage, Gate):
                    stage.close_gate()

    async def _repeated(self) -> None:
        backoff = Backoff()
        while not self.pipe.ending:
            try:
                session = self.pipe.session_of(admits=self._lines.admits)
            except UsageError as error:
                self.pipe.log.error(str(error))
                self.pipe.failure, self.pipe.exit_code = error, 1
                return
            await asyncio.wait((self._begin(session),))
            bgp = session.session
            connected = bgp is not None and bgp.connected_s is not None
            if session.failure is not None and not (connected or isinstance(session.failure, PassingError)):
                self.pipe.failure, self.pipe.exit_code = session.failure, 1
                return
            if session.failure is None and not (session.by_itself or (bgp is not None and bgp.given_up)):
                return  # a stage had it end
            if bgp is not None and connected and not any(member.calls for member in bgp.members):
                continue  # it waits for a client: not for the one that was there, but for whoever comes
            since_s = bgp.established_s if bgp is not None else None
            if since_s is not None and self._loop.time() - since_s >= STEADY_S:
                backoff.reset()
            wait_s = backoff.next_s()
            self.pipe.log.info(f"another session begins in {wait_s:.1f} s")
            await asyncio.sleep(wait_s)

    # ---- a session ---------------------------------------------------------------------------------------------

    def _begin(self, session: Pipeline) -> asyncio.Task[None]:
        self._begun += 1
        task = self._loop.create_task(self._session(session))
        self.sessions[task] = session
        task.add_done_callback(self.sessions.pop)
        return task

    async def _session(self, session: Pipeline) -> None:
        driver = LoopDriver(session)
        try:
            await driver.run()
        except Exception as error:  # a handler's, or a bug: not that of the other sessions
            session.failure = StageError(f"{type(error).__name__}: {error}")
            detail = [line for text in traceback.format_exception(error) for line in text.splitlines()]
            session.log.error(str(session.failure), detail=detail)
        self._failed += session.failure is not None
        if session.session is not None:
            session.session.report()

    # ---- what pipelines call -----------------------------------------------------------------------------------

    def ending(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self._work is not None:
            self._work.cancel()
        if self.pipe.signalled and self._until_s is None:
            self._until_s = self._loop.time() + _END_S
        for session in self.sessions.values():
            session.signalled = self.pipe.signalled
            if not session.ending:
                session.end()

    def _left_s(self, without_s: float) -> float | None:
        """How long it may still take; None for any time."""
        return None if self._until_s is None else max(0.0, self._until_s - without_s - self._loop.time())

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._crash = error
            self.pipe.end()

    def call_later(self, stage: Stage, delay_s: float, function: Callable[[], None]) -> None:
        def now() -> None:
            if isinstance(stage, Output) and stage.state == RUNNING:
                self._writers.of(stage).call(function)

        self._loop.call_soon_threadsafe(self._loop.call_later, delay_s, now)

    def write(self, stage: Output, data: Buffer) -> None:
        if stage.outside:
            self._writers.put(stage, data)
        else:
            stage.write(data)

    def when_written(self, function: Callable[[], None]) -> None:
        self._writers.when_written(function)

    def emit(self, event: Event) -> None:
        self._loop.call_soon_threadsafe(self.pipe.emit, event)

    def room(self) -> None:
        for session in self.sessions.values():
            session.room()

    def finish(self, stage: Stage) -> Awaitable[None] | None:
        return self._writers.finish(stage, self._left_s(0))

    def abort(self) -> None:
        for session in self.sessions.values():
            session.abort()

    def _output_failed(self, stage: Stage, error: BaseException) -> None:
        if isinstance(error, BgpipeError):
            self.pipe.fail(stage, error)
        else:
            self._crash = error
            self.pipe.end()


def _host(peer: str) -> str:
    return peer.rpartition(":")[0]


def raise_limit() -> None:
    """Let the process have as many descriptors as it may: each session takes two."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
