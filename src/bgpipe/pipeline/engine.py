"""A pipeline: its stages, the events between them, how it starts, and how it ends."""

from __future__ import annotations

import _thread
import os
from bisect import bisect_right

from bgpipe.errors import BgpipeError, ClosedOutput, StageError, UsageError, hint
from bgpipe.pipeline import grammar
from bgpipe.pipeline.events import PIPE, Bus, Event, StageEvent, resolve
from bgpipe.pipeline.line import Lane, route
from bgpipe.pipeline.log import Log, Tally
from bgpipe.pipeline.signals import HANGUP
from bgpipe.pipeline.stage import (
    BOTH,
    DIRECTION_NAMES,
    LEFT,
    NEW,
    RIGHT,
    RUNNING,
    STARTING,
    STOPPED,
    Output,
    Share,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
    from typing import Any, TypeVar, overload

    from bgpipe._codec import Batch, Buffer
    from bgpipe._tag import Tagger
    from bgpipe.filters import Filter
    from bgpipe.pipeline.grammar import GlobalOptions, StageSpec
    from bgpipe.pipeline.session import Session
    from bgpipe.pipeline.stage import Stage

    Handler = TypeVar("Handler", bound=Callable[[Any], object])
else:

    def overload(function: object) -> object:
        return function


_ALL = 0xFFFFFFFF  # more messages than a batch holds
SESSION_EVENTS = frozenset(f"{PIPE}/{name}" for name in ("OPEN", "ALIVE", "UPDATE", "ESTABLISHED", "EOR_AF", "EOR"))
_START = f"{PIPE}/START"
_PARSE = f"{PIPE}/PARSE"
_MOST_TURNS = 1000  # by what stages that look put into the other direction, in answer to each other
EXITED = "sys.exit() was called by a handler of events, or in a task: all is dropped"


class Driver:
    """What makes a pipeline go; what the pipeline asks of it."""

    def start(self, group: list[Stage]) -> object:
        """Prepare these stages, all of them before one starts."""
        raise AssertionError

    def interrupt(self, stage: Stage) -> None:
        """Have a producer stop. From any thread."""
        stage.interrupt()

    def ending(self) -> None:
        """The pipeline ends; producers have been told. From any thread."""

    def call_later(self, stage: Stage, delay_s: float, function: Callable[[], None]) -> None:
        """Call a function of a stage after a delay, between two batches, if the pipeline still runs then."""
        raise AssertionError

    def write(self, stage: Output, data: Buffer) -> None:
        """Have an output write these bytes. StageError."""
        if (turn := stage.turn()) is not None:
            turn()
        stage.write(data)

    def when_written(self, function: Callable[[], None]) -> None:
        """Call a function once files and pipes have all that they were given by now; never, if that fails."""
        raise AssertionError("it takes an event loop")

    def emit(self, event: Event) -> None:
        """Tell an event of an output, from the thread in which that writes."""
        raise AssertionError

    def finish(self, stage: Stage) -> Awaitable[None] | None:
        """Stage.finish(), behind all that the stage has still to do. StageError."""
        return stage.finish()

    def spawn(self, work: Coroutine[Any, Any, None]) -> object:
        """Run this beside the rest, and end no sooner than it has."""
        raise AssertionError("it takes an event loop")

    async def put(self, stage: Stage, batch: Batch) -> None:
        """Bring a batch through the line."""
        raise AssertionError("it takes an event loop")

    def push(self, stage: Stage, batch: Batch) -> Awaitable[None] | None:
        """The same, at once where nobody has to wait."""
        raise AssertionError("it takes an event loop")

    def room(self) -> None:
        """An output that was full is so no more."""

    async def quiet(self, within_s: float) -> None:
        """Wait until nothing is on its way, but no longer than this."""

    def abort(self) -> None:
        """Drop what is not the stages' own. Raises nothing."""


class Pipeline:
    """A pipeline, from the words of a command line.

        pipe = bgpipe.Pipeline("read updates.gz -- write updates.json.zst")

        @pipe.on_event("PARSE")
        def bad(event: bgpipe.Event) -> None: print(event)

        pipe.run_sync()         # or, in a coroutine: await pipe.run()

    command: a string, split as a shell would, or a sequence of words. Raises UsageError where it is wrong.

    options: the global ones. stages: all of them, in order. log: where it tells people what happens.
    failure: the error that it ended with, or None. exit_code: 0, or 1 where it failed or was killed.

    One whose stages ask for many sessions (service.py) carries no messages itself: for each session it makes another
    one of the same stages. whole: of such a one, that which it was made of, else None. peer: whose session it is.
    counts: messages that flowed so far, to the right and to the left.
    """

    def __init__(self, command: str | Sequence[str]) -> None:
        if isinstance(command, str):
            import shlex

            command = shlex.split(command)
        options, specs = grammar.parse(command)
        self._compose(options, specs, Log(options.log, options.log_format), Bus())

    def _compose(
        self, options: GlobalOptions, specs: list[StageSpec], log: Log, bus: Bus, whole: Pipeline | None = None
    ) -> None:
        self.options = options
        self.whole = whole
        self.peer = ""
        self.tagger: Tagger | None = None  # marks all messages, where the pipeline is one of many
        self.log = log
        self.threads = self.options.threads or _default_threads()
        self.failure: BgpipeError | None = None
        self.exit_code = 0
        self.commanded = False  # by a command line: there is no program that looks at what its stages have found
        self.ending = False  # no stage starts any more, producers were asked to stop
        self.closed = False  # nothing gets out any more
        self.checks = False  # whether each message is checked, since somebody waits for one that does not parse
        self.cut: int | None = None  # the message at which the batch that is being delivered ends
        self.cut_off: set[Stage] = set()  # producers stopped at a message: what they made behind it is gone
        self.current: Stage | None = None  # the producer whose batch is being delivered
        self.values: dict[str, str] = {}  # what stages found out about their connections: L_LOCAL, R_REMOTE, ...
        self.stopping: dict[Stage, int] = {}  # stages to stop behind that many messages of this batch
        self.started: dict[Stage, int] = {}  # stages that one of its messages started, by the index of that
        self.by_itself = False  # it has ended, and nothing had asked it to
        self._bus = bus
        self.lock = _thread.RLock()
        self.driver: Driver | None = None
        self._next_right = self._next_left = 1
        self._counting = _thread.allocate_lock()
        self._turned: list[tuple[Stage, int, Batch, Sequence[int]]] = []
        self._turned_lanes: dict[tuple[Stage, int], Lane] = {}
        self.opening = 0  # the thread in which a stage opens its source: a signal may break that off
        self.signalled = False
        self._tallies: dict[str, Tally] = {}
        self._heard: set[str] = set()
        self.session: Session | None = None  # where stages speak BGP
        self.followers: list[Stage] = []  # what drains, and is sent something
        self.stages: list[Stage] = []
        self._specs = specs
        self._functions: list[tuple[Any, ...]] = []  # what on_message() was told
        self._build(specs)

    def session_of(self, peer: str = "", tag: str = "", admits: Callable[[], bool] | None = None) -> Pipeline:
        """Another pipeline of the same stages, for one session of a service. UsageError: a script has changed, say.

        What writes is a share in what this one writes; handlers and functions are the same. tag: a key, for the tag
        that has its messages say whose they are. admits: whether the log takes one more line of it.
        """
        session = Pipeline.__new__(Pipeline)
        session._compose(self.options, self._specs, self.log.of(peer, admits), Bus(self._bus), self)
        session.peer = peer
        if tag:
            from bgpipe._tag import Tagger

            session.tagger = Tagger({tag: peer}, ())
        session.checks = session.checks or self.checks
        session._heard |= self._heard
        for given in self._functions:
            session._subscribe(*given)
        return session

    @property
    def serves(self) -> bool:
        """Whether it takes a service to run it, which makes a pipeline for each session."""
        return self.whole is None and any(stage.serves for stage in self.stages)

    @property
    def counts(self) -> tuple[int, int]:
        return self._next_right - 1, self._next_left - 1

    # ---- from words to stages ----------------------------------------------------------------------------------

    def _build(self, specs: list[StageSpec]) -> None:
        options = self.options
        self.count = len(specs)
        first = options.stdin or options.stdin_wait
        last = options.stdout or options.stdout_wait
        if len(specs) == 1 and not first and not last and not specs[0].cls.uses_standard(specs[0].options):
            last = True
        if first:
            self.stages.append(self._tap("stdin", 0, "ESTABLISHED" if options.stdin_wait else ""))
        for spec in specs:
            if (stage := self._share()) is None:
                stage = spec.cls(self, spec.number, spec.name, spec.options, spec.args)
                stage.first = spec.number == 1
                stage.last = spec.number == len(specs)
                given = (RIGHT if spec.options.right else 0) | (LEFT if spec.options.left else 0)
                stage.directions = given or stage.default_directions()
            self.stages.append(stage)
        if last:
            self.stages.append(self._tap("stdout", len(specs) + 1, "EOR" if options.stdout_wait else ""))
        if not self.stages:
            raise UsageError("no stages; bgpipe -h tells which there are")
        if self.whole is None:  # else they are known to be good
            self._check_names()
        self._resolve_events()
        for stage in self.stages:
            if stage.consumes and not (stage.first or stage.last):
                raise stage.error("it must be the first stage or the last one")
            stage.attach()
            for name, filter_ in stage.all_filters():
                try:
                    filter_.compile()
                except UsageError as error:
                    raise stage.error(f"{name}: {error}") from None
        for stage in self.stages:
            if stage.produces:
                for direction in (RIGHT, LEFT):
                    self.entry(stage, direction)
        if self.serves:
            from bgpipe.pipeline.service import check

            check(self)

    def _share(self) -> Stage | None:
        """Of the next stage, where that is an output that all sessions share, the part of this one."""
        owner = self.whole.stages[len(self.stages)] if self.whole is not None else None
        return Share(self, owner) if isinstance(owner, Output) and not owner.live else None

    def _tap(self, command: str, number: int, wait: str) -> Stage:
        """The stage that -i or -o adds: outside of all others, at that end of both lines."""
        if (share := self._share()) is not None:
            return share
        from bgpipe.stages import stage_class

        cls = stage_class(command)
        options = cls.options_class(left=True, right=True, args=False, wait=(wait,) if wait else (), stop=())
        stage = cls(self, number, command, options)
        stage.label = f"--{command}"
        stage.directions = BOTH
        stage.tap = True
        return stage

    def _check_names(self) -> None:
        seen = set()
        for stage in self.stages:
            if stage.name != stage.command:
                if stage.name in seen or stage.name == PIPE:
                    raise stage.error(f"the name @{stage.name} is taken")
                seen.add(stage.name)

    def _resolve_events(self) -> None:
        """Find out what each event list means, now that the names of all stages are known."""

        def names_of(flag: str, words: Sequence[str], *alone: str) -> tuple[str, ...]:
            try:
                return resolve(words, self.stages, alone)
            except UsageError as error:
                raise UsageError(f"{flag}: {error}") from None

        for stage in self.stages:
            try:
                stage.start_on = names_of("--wait", stage.options.wait, "START") or (_START,)
                stage.stop_on = names_of("--stop", stage.options.stop, "STOP")
            except UsageError as error:
                raise stage.error(str(error)) from None
        self._kill_on = names_of("--kill", self.options.kill, "STOP")
        self._log_on = names_of("--events", self.options.events, "START", "STOP", "READY", "PREPARE")
        for names in (self._kill_on, *(stage.start_on + stage.stop_on for stage in self.stages)):
            self.checks = self.checks or _PARSE in names
            self._heard.update(names)
        self._heard.update(self._log_on)

    # ---- the two lines -----------------------------------------------------------------------------------------

    def stage(self, name: str | int) -> Stage:
        """The stage of this name or number, also as "@name". Raises UsageError where there is none, or several."""
        word = str(name).removeprefix("@")
        given = [stage for stage in self.stages if stage.places is None]
        found = [stage for stage in given if stage.name == word] or [
            stage for stage in given if str(stage.number) == word and not stage.tap
        ]
        if not found:
            raise UsageError(f"there is no stage {name!r}{hint(word, [stage.name for stage in given])}")
        if len(found) > 1:
            numbers = ", ".join(str(stage.number) for stage in found)
            raise UsageError(f"stages {numbers} are called {word!r}: take a number")
        return found[0]

    def rank(self, stage: Stage, direction: int) -> float:
        """The place of a stage on the line of this direction, from 0 in the order in which messages pass."""
        if stage.places is not None:
            return stage.places[direction]
        if stage.tap:
            return stage.number
        return stage.number if direction == RIGHT else self.count + 1 - stage.number

    def entry(self, producer: Stage, direction: int) -> float:
        """The rank behind which the messages of a producer enter. Raises UsageError."""
        target = getattr(producer.options, "new", "next")
        if target in ("next", "here"):
            return self.rank(producer, direction)
        if target == "first":
            return 0
        if target == "last":
            return self.count
        for stage in self.stages:
            if not stage.tap and target in (str(stage.number), "@" + stage.name):
                return self.rank(stage, direction)
        raise producer.error(f"--new {target!r}: expected next, here, first, last, or a stage by number or @name")

    def _followers(self) -> list[Stage]:
        return [
            stage
            for stage in self.stages
            if stage.drains
            and any(
                stage in (other for other, _ in route(self, sender, sender.directions))
                for sender in self.stages
                if sender.produces and sender is not stage
            )
        ]

    def awaits(self, follower: Stage) -> bool:
        """Whether a stage is to start on something that is still to happen to this one."""
        names = {f"{follower.name}/{name}" for name in follower.awaited}
        return not self.ending and any(
            stage.state == NEW and stage.produces and not names.isdisjoint(stage.start_on) for stage in self.stages
        )

    def first_follower(self, running: Iterable[Stage]) -> Stage | None:
        """Of those that still run, the one that none of the others sends to; where they go round, the first."""
        left = [stage for stage in self.followers if stage in running]
        for stage in left:
            senders = (other for other in left if other is not stage and other.produces)
            if not any(stage in (seen for seen, _ in route(self, other, other.directions)) for other in senders):
                return stage
        return left[0] if left else None

    def warnings(self) -> list[tuple[Stage, str]]:
        """What looks like a mistake in how the pipeline was put together."""
        found = []
        silent = self._is_silent()
        ways = [(stage, stage.directions) for stage in self.stages if stage.produces]
        for direction in (RIGHT, LEFT):  # who is given messages may send others back
            ways += ((stage, BOTH - direction) for stage in self.stages if stage.emits and stage.directions & direction)
        reached = dict.fromkeys(self.stages, 0)
        for sender, directions in ways:
            for stage, seen in route(self, sender, directions):
                reached[stage] |= seen
        for stage in self.stages:
            if stage.looks and not stage.tap and (text := self._missed(stage, reached[stage])):
                found.append((stage, text))
            if self._speaks(stage) and SESSION_EVENTS.issuperset(stage.start_on):
                names = " or ".join(name.removeprefix(f"{PIPE}/") for name in stage.start_on)
                found.append((stage, f"it never starts: without it there is no session that could tell {names}"))
            if stage.options.if_ and not stage.looks:
                found.append((stage, "--if has no effect: it looks at no messages"))
            if stage.options.of and not (stage.produces or stage.emits):
                found.append((stage, "--of has no effect: it makes no messages"))
            found += ((stage, text) for text in stage.doubts())
            for _, filter_ in stage.all_filters():
                found += ((stage, text) for text in filter_.warnings)
            if stage.produces and not route(self, stage, stage.directions):
                found.append((stage, "no stage looks at its messages: is a stage, or -o, missing?"))
                silent = False
        if silent:
            found.append((self.stages[-1], "nothing leaves this pipeline; -o prints what passes it"))
        return found

    def _speaks(self, stage: Stage) -> bool:
        """Whether there is no session without this stage."""
        if self.session is None:
            return False
        from bgpipe.pipeline.session import Member

        members = [other for other in self.stages if isinstance(other, Member)]
        return stage in members and len(members) <= 2

    def _missed(self, stage: Stage, seen: int) -> str:
        """What to say of a stage that sees messages of these directions alone; "" for nothing.

        That a stage works in both directions where all messages have one is no mistake.
        """
        missed = sum(way for way in (RIGHT, LEFT) if stage.takes(way)) & ~seen
        makers = [other for other in self.stages if other.produces and other.directions & missed and other is not stage]
        if not missed or (seen and not makers):
            return ""
        cure = "is -L, -R or -LR missing?"
        if self._speaks(stage):
            cure = "a speaker, connect or listen is missing at the other end"
        if makers:
            names = " and ".join(maker.label for maker in makers)
            cure = f"those of {names} enter behind it; --new first has them pass all stages"
        return f"no stage sends messages to it in direction {DIRECTION_NAMES[missed]}: {cure}"

    def _is_silent(self) -> bool:
        """Whether nothing comes of a command but an exit code."""
        asked = self._kill_on or any(field.attribute == "events" for field in self.options.changed())
        return self.commanded and not asked and not any(stage.acts for stage in self.stages)

    # ---- events ------------------------------------------------------------------------------------------------

    def kill_on(self, name: str) -> None:
        """End with exit code 1 at an event of this canonical name, as --kill does."""
        self._kill_on = (*self._kill_on, name)
        self._heard.add(name)

    def on_event(self, *names: str) -> Callable[[Handler], Handler]:
        """Have a function called with each event of these names (all events, without names).

        It runs between two batches or within one, and holds the pipeline up as long as it runs.
        """
        subscribed = resolve(names or ("*",), self.stages, ("START", "STOP", "READY", "PREPARE"))
        self.checks = self.checks or _PARSE in subscribed
        self._heard.update(subscribed)

        def subscribe(handler: Handler) -> Handler:
            for name in subscribed:
                self._bus.subscribe(name, handler)
            return handler

        return subscribe

    @overload
    def on_message(self, filter: Handler, /) -> Handler: ...  # noqa: A002

    @overload
    def on_message(  # noqa: F811
        self,
        filter: str | Filter | None = None,  # noqa: A002
        *,
        direction: str | None = None,
        types: str | int | Iterable[str | int] | None = None,
        batch: bool = False,
        on_error: str = "pass",
        before: str | int | None = None,
    ) -> Callable[[Handler], Handler]: ...

    def on_message(  # noqa: F811
        self,
        filter: Any = None,  # noqa: A002
        *,
        direction: str | None = None,
        types: str | int | Iterable[str | int] | None = None,
        batch: bool = False,
        on_error: str = "pass",
        before: str | int | None = None,
    ) -> Any:
        """Have a function called with each message on its way, to look at it, change it, drop it, or put others there.

            @pipe.on_message("as_origin == 65000", direction="R")
            def guard(msg: bgpipe.Msg) -> bgpipe.Msg | None: ...

        filter: what messages have to match; that is found out natively. direction: "R" or "L", else both. types: names
        or numbers of message types. batch: the function gets a Batch of those that came together, not one at a time.
        on_error: what becomes of a message where the function raises: "pass", as it came; "drop"; "stop", and with it
        the pipeline. before: the name or number of the stage that comes behind it; by default it stands in front of
        the first stage that brings messages out. Functions at one place are called in the order in which they came.

        The function returns the message to pass it, None to drop it, or several messages that take its place; it may be
        a coroutine function, and then the pipeline runs in an event loop. docs/library.md tells all of it.
        Raises UsageError, FilterError.
        """

        def add(function: Handler) -> Handler:
            if self.driver is not None:
                raise RuntimeError("the pipeline runs already")
            self._subscribe(function, given, direction, types, batch, on_error, before)
            return function

        if callable(filter):
            given = None
            return add(filter)
        given = filter
        return add

    def _subscribe(self, function: Callable[[Any], object], filter_: str | Filter | None, *given: Any) -> None:
        from bgpipe.pipeline.callback import subscribe

        stage = subscribe(self, function, filter_, *given)
        self.stages.append(stage)
        self._functions.append((function, *(stage.filters() or (None,)), *given))

    def wants(self, name: str) -> bool:
        """Whether anybody wants to hear of this event ("limit/session"): none need be made otherwise."""
        return name in self._heard or "*" in self._heard

    def logs(self, name: str) -> bool:
        """Whether the log tells of this event."""
        return name in self._log_on or "*" in self._log_on

    def emit(self, event: Event) -> None:
        """Log an event, tell the handlers, then do what it starts, stops or kills."""
        with self.lock:
            event.peer = self.peer
            name = str(event)
            if self.logs(name):
                self._log_event(event)
            self._tell(event)
            if name in self._kill_on or "*" in self._kill_on:
                self._kill(event)
            for stage in self.stages:
                if stage.state == RUNNING and (name in stage.stop_on or "*" in stage.stop_on):
                    self._stop(stage, event)
            if not self.ending and self.driver is not None:
                group = [s for s in self.stages if s.state == NEW and (name in s.start_on or "*" in s.start_on)]
                for stage in group:
                    stage.state = STARTING
                    if self.current is not None and event.batch is not None:
                        self.started[stage] = event.index
                if group:
                    self.driver.start(group)

    def _tell(self, event: Event) -> None:
        for result in self._bus.emit(event):
            if self.driver is not None:
                self.driver.spawn(result)

    def _log_event(self, event: Event) -> None:
        stage = event.stage if isinstance(event, StageEvent) else None
        if not event.many:
            self.log.info(event.describe(), stage, event.name)
            return
        name = str(event)
        if name not in self._tallies:
            self._tallies[name] = Tally(self.log, event.many, stage, event.name)
        tally = self._tallies[name]
        tally.count("" if tally.full else event.describe())

    def _kill(self, event: Event) -> None:
        if self.failure is None:
            self.failure = StageError(f"killed by event {event.name if event.source == PIPE else event}")
            self.log.error(str(self.failure))
        self.exit_code = 1
        self.closed = True
        if self.whole is not None:  # the process is to end
            self.whole.failure = self.whole.failure or self.failure
            self.whole.exit_code = 1
            self.whole.end()
        if event.batch is not None:
            self._cut_at(event.index)
        self.end()

    def _stop(self, stage: Stage, event: Event) -> None:
        if not stage.produces or stage.drains:
            if self.current is not None:
                self.stopping.setdefault(stage, event.index + 1 if event.batch is not None else _ALL)
            elif stage not in self.stopping:
                self.finish(stage)
            return
        if event.batch is not None and stage is self.current:
            self._cut_at(event.index + 1)
            self.cut_off.add(stage)
        if self.driver is not None:
            self.driver.interrupt(stage)

    def _cut_at(self, count: int) -> None:
        """The batch ends behind so many messages, if not before: one event may mean several ends."""
        self.cut = count if self.cut is None else min(self.cut, count)

    # ---- running -----------------------------------------------------------------------------------------------

    @property
    def live(self) -> bool:
        """Whether it takes an event loop to run it."""
        return any(stage.live for stage in self.stages) or self._bus.asynchronous

    def run_sync(self, *, signals: bool = False) -> None:
        """Run to the end. Raises StageError or InputError where it failed, once all that was good is out.

        A pipeline of files runs in threads, without an event loop; another one gets a loop of its own.
        signals: as for execute(); from the main thread only.
        """
        self.execute(signals=signals)
        if self.failure is not None:
            raise self.failure

    async def run(self) -> None:
        """The same within a running event loop. Cancelled, it ends in good order first."""
        if self.live:
            from bgpipe.pipeline.loop import driver

            await driver(self).run()
        else:
            import asyncio

            work = asyncio.get_running_loop().run_in_executor(None, self.execute)
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                self.end()
                await work
                raise
        if self.failure is not None:
            raise self.failure

    def execute(self, *, signals: bool = False) -> int:
        """Run to the end, and return the exit code. Failures have been logged then.

        signals: the first SIGINT, SIGTERM or SIGHUP ends it in good order, the second at once. One that was ignored
        stays so where it is SIGHUP. They have the handlers of before in the end.
        """
        if self.live:
            from bgpipe.pipeline.loop import run

            run(self, signals=signals)
        else:
            from bgpipe.pipeline.threads import ThreadDriver

            ThreadDriver(self).run(signals=signals)
        return self.exit_code

    async def put(self, stage: Stage, batch: Batch) -> None:
        """For live producers: bring a batch through the line; returns when there is room for more."""
        assert self.driver is not None
        await self.driver.put(stage, batch)

    def push(self, stage: Stage, batch: Batch) -> Awaitable[None] | None:
        """The same, at once where that can be; else what to wait for before more is read."""
        assert self.driver is not None
        return self.driver.push(stage, batch)

    def room(self) -> None:
        """For live outputs: one that was full is so no more."""
        if self.driver is not None:
            self.driver.room()

    def call_later(self, stage: Stage, delay_s: float, function: Callable[[], None]) -> None:
        """Call a function of a stage after a delay, between two batches, if the pipeline still runs then.

        A StageError that it raises is the stage's. Raises StageError.
        """
        assert self.driver is not None
        self.driver.call_later(stage, delay_s, function)

    def on_signal(self, number: int) -> None:
        """A signal came that is to end it."""
        if self.signalled:
            if number == HANGUP:  # the shell and the kernel may send one each
                return
            self.abort()
            os._exit(1)
        self.signalled = True
        self.log.info("stopping: what was read goes out first; a second SIGINT or SIGTERM ends it at once")
        self.end()
        if self.opening == _thread.get_ident():
            from bgpipe.transport.source import Interrupted

            raise Interrupted("opening was broken off")

    def begin(self, driver: Driver) -> None:
        """For the driver: start the stages that start at once."""
        self.take(driver)
        self.emit(Event(PIPE, "START"))

    def take(self, driver: Driver) -> None:
        """For the driver: it runs the pipeline from now on."""
        if self.driver is not None:
            raise RuntimeError("a pipeline runs once")
        if self.options.explain:
            raise UsageError("--explain asks what a pipeline would do; to run it, leave that out")
        self.driver = driver
        self.followers = self._followers()
        for stage, text in self.warnings() if self.whole is None else ():
            self.log.warn(text, stage)

    def number(self, batch: Batch) -> None:
        """Give sequence numbers to the messages that have none."""
        with self._counting:
            self._next_right, self._next_left = batch.number(self._next_right, self._next_left)

    def turn(self, stage: Stage, direction: int, batch: Batch, origins: Sequence[int] = ()) -> None:
        """For stages that look: have messages enter the line of this direction, behind the stage.

        They wait until the batch that is under way has left its line. origins: for each of them, how many messages of
        that batch had come when it was made (Batch.came), in order: where the batch is cut, those from behind the cut
        go, too. Without origins none does.
        """
        self._turned.append((stage, direction, batch, origins))

    def cut_turned(self, came: int) -> None:
        """Of the batch under way only the first messages are left, so many that came: what others turned back goes."""
        for _, _, batch, origins in self._turned:
            if origins:
                batch.cut(bisect_right(origins, came))

    def turned(self, turns: int) -> list[tuple[Lane, Batch, int]]:
        """For the driver, behind each batch: what is to be brought along which lane next, and how often it has turned.

        turns: how often the batch that got through has. Stages that answer each other without end fail.
        """
        if not self._turned:
            return []
        if turns == _MOST_TURNS:
            stage = self._turned[-1][0]
            self._turned.clear()
            answers = "it and another stage answer each other without end"
            self.fail(stage, StageError(f"messages have turned round {turns} times: {answers}"))
            return []
        found = []
        for stage, direction, batch, _ in self._turned:
            lane = self._turned_lanes.get((stage, direction))
            if lane is None:
                lane = self._turned_lanes[stage, direction] = Lane(self, stage, direction)
            found.append((lane, batch, turns + 1))
        self._turned.clear()
        return found

    def end(self) -> None:
        """Have the producers stop; what they have read goes out. From any thread, and from signal handlers."""
        self.ending = True
        if self.driver is None:
            return
        for stage in self.stages:
            if stage.runs and stage.state == RUNNING and stage not in self.followers:
                self.driver.interrupt(stage)
        self.driver.ending()

    def end_behind(self, count: int) -> None:
        """For a stage that is not pure, in process(): end behind so many messages of the batch that goes on."""
        self.closed = True
        self._cut_at(count)
        self.end()

    def hears(self, stage: Stage, name: str) -> bool:
        """Whether anybody has a use for this event of a stage; if not, no order need be kept for it."""
        event = f"{stage.name}/{name}"
        wanted = {*self._log_on, *self._kill_on, *self._bus.names}
        wanted.update(*(other.start_on + other.stop_on for other in self.stages))
        return not wanted.isdisjoint((event, "*"))

    def fail(self, stage: Stage, error: BgpipeError) -> None:
        """A stage cannot go on: tell it, and end the pipeline."""
        with self.lock:
            quiet = isinstance(error, ClosedOutput) and stage.uses_standard(stage.options)
            if not quiet:
                self.log.error(str(error), stage)
                self.exit_code = 1
                self.failure = self.failure or error
            elif any(other.looks and other.state == RUNNING for other in self.stages if other is not stage):
                self.log.info(f"{error}: what was read until then goes to the other stages", stage)
            was_running = stage.state == RUNNING
            stage.state = STOPPED
            stage.abort()
            if was_running:
                self.emit(StageEvent(stage, "STOP"))
            self.end()

    def fail_at(self, stage: Stage, index: int, error: BgpipeError) -> None:
        """A stage cannot go on with a message of its batch: what is in front of that one gets out, nothing else."""
        self.closed = True
        self._cut_at(index)
        self.fail(stage, error)

    def finish(self, stage: Stage) -> None:
        """Complete what a running stage has begun; it takes no part any more."""
        with self.lock:
            if stage.state != RUNNING:
                return
            if stage.drains and not stage.drained:
                stage.drain(passed_by=True)
                return
            try:
                waiting = self.driver.finish(stage) if self.driver is not None else stage.finish()
            except BgpipeError as error:
                self.fail(stage, error)
                return
            stage.state = STOPPED
            if waiting is not None and self.driver is not None:
                self.driver.spawn(self._finish(stage, waiting))
            else:
                self.emit(StageEvent(stage, "STOP"))

    async def _finish(self, stage: Stage, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except BgpipeError as error:
            self.fail(stage, error)
        self.emit(StageEvent(stage, "STOP"))

    def conclude(self) -> None:
        """For the driver: nothing comes any more. Finish the stages that still run."""
        self.by_itself, self.ending = not self.ending, True
        for stage in self.stages:
            if stage.state == STARTING:
                stage.state = STOPPED
                stage.abort()
            elif stage.state == NEW and self.by_itself and self.whole is None:
                names = " or ".join(name.removeprefix(f"{PIPE}/") for name in stage.start_on)
                self.log.warn(f"never started: {names} did not happen", stage)
            else:
                self.finish(stage)

    def concluded(self) -> None:
        """For the driver: all stages have stopped."""
        self.emit(Event(PIPE, "STOP"))
        for tally in self._tallies.values():
            tally.close()

    def abort(self) -> None:
        """Drop everything: temporary files are removed. Raises nothing."""
        self.closed = True
        self.end()
        for stage in self.stages:
            if stage.state in (STARTING, RUNNING):
                stage.state = STOPPED
                stage.abort()
        if self.driver is not None:
            self.driver.abort()


def _default_threads() -> int:
    wanted = os.environ.get("BGPIPE_THREADS", "")
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
        return min(max(1, int(wanted)), grammar.MOST_THREADS)
    return min(2, len(os.sched_getaffinity(0)))
