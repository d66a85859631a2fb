"""What a stage is: the hooks that a pipeline calls, in which order, and what their failing means."""

from __future__ import annotations

from bgpipe.errors import UsageError
from bgpipe.pipeline.events import StageEvent
from bgpipe.pipeline.options import FILTERS, RATE, TEXT, WORDS, Options, choice, option
from bgpipe.pipeline.rate import Bucket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import ClassVar

    from bgpipe._codec import Batch, Buffer, Encoder
    from bgpipe.filters import Filter
    from bgpipe.pipeline.engine import Pipeline

# Directions, as bit masks: what flows from left to right, from right to left, both.
RIGHT = 1
LEFT = 2
BOTH = 3
DIRECTION_NAMES = ("", "R", "L", "LR")

# States of a stage.
NEW = 0  # waits for the event that it starts on
STARTING = 1
RUNNING = 2
STOPPED = 3


class StageOptions(Options):
    """Options of every stage."""

    left: bool = option("-L --left", "work on messages that flow to the left; with -R as well, on both")
    right: bool = option("-R --right", "work on messages that flow to the right")
    args: bool = option("-A --args", "take all words up to -- as arguments")
    wait: tuple[str, ...] = option("-W --wait", "start on one of these events", kind=WORDS, metavar="EVENTS")
    stop: tuple[str, ...] = option("-S --stop", "stop on one of these events", kind=WORDS, metavar="EVENTS")
    if_: tuple[Filter, ...] = option(
        "-I --if", "messages that do not match this filter skip the stage", kind=FILTERS, default=()
    )
    of: tuple[Filter, ...] = option(
        "-O --of", "messages made by the stage that do not match this filter are dropped", kind=FILTERS, default=()
    )
    rate_limit: float | None = option(
        "--rate-limit", "at most so many messages a second; more have to wait", kind=RATE, default=None
    )
    rate_sample: float | None = option(
        "--rate-sample",
        "at most so many messages a second, any as likely as any other; what is beyond skips the stage, or is dropped "
        "where the stage makes it",
        kind=RATE,
        default=None,
    )


class LookerOptions(StageOptions):
    """Options of stages to which it matters what is in a message."""

    on_parse_error: str = option(
        "--on-parse-error",
        "what becomes of a message that does not parse: drop or pass",
        kind=choice("FATE", "drop", "pass"),
        default="drop",
    )


class ProducerOptions(StageOptions):
    """Options of every stage that makes messages."""

    new: str = option(
        "-N --new",
        "where new messages enter: next or here, behind this stage; first, the start of the line; "
        "last, straight to its output; or behind a stage, by number or @name",
        kind=TEXT,
        default="next",
        metavar="TARGET",
    )


class Stage:
    """One stage of a pipeline.

    The pipeline calls, in this order:

    attach()     once, when all stages exist: check options against each other, subscribe to events. No I/O.
                 UsageError: the command line is wrong.
    prepare()    when the event came that the stage starts on: open, connect. StageError: the pipeline ends.
                 Nothing runs until all stages that start on this event are prepared.
    read()       producers: make the next batch (see there). InputError, StageError: the pipeline ends once what was
                 read before is through.
    process()    stages that look: each batch on its way, while the stage runs. Raises nothing but bugs.
                 It may return another batch that goes on instead, and a live stage an awaitable of that.
    interrupt()  producers: the pipeline wants to end.
    finish()     when nothing comes any more, or the stage is to stop: complete what was begun. StageError: the pipeline
                 ends with exit code 1.
    abort()      in place of finish(), and after it failed: let go of everything. Raises nothing.

    first, last: whether it is that, among the stages that the user gave. tap: added by -i or -o, outside of these.
    Calls never overlap, save interrupt(), read() beside the others, and process() where `pure`.

    command, summary, text: its name, a line and a paragraph of help. usage: the words behind its name.
    produces: makes messages. looks: sees messages on their way. emits: and puts others in. consumes: takes what comes
    out of a line, and so must be first or last. live: needs the event loop. pure: process() may run on any thread, for
    batches in any order.
    together: of a batch with messages of both directions it is to see those of both at once, in their order; among
    several stages the one with the highest number does.
    awaited: those of its events that come from outside, however long that takes: who waits for one keeps it running.
    events: names of events of its own. more_events: how others come to be, for the end of a message.
    extra_arguments: has a use for what -A takes.
    single: works with something of which there is one, so that it cannot be in several pipelines at a time.
    serves: asks for a pipeline for each of many sessions (service.py).
    drains: run() ends by itself behind drain(), and is not cancelled.
    """

    command: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    text: ClassVar[str] = ""
    options_class: ClassVar[type[StageOptions]] = StageOptions
    produces = False
    looks = False
    emits: ClassVar[bool] = False
    consumes: ClassVar[bool] = False
    events: tuple[str, ...] = ()
    awaited: ClassVar[tuple[str, ...]] = ()
    more_events: ClassVar[str] = ""
    extra_arguments: ClassVar[bool] = False
    single = False
    together: ClassVar[int] = 0
    live = False
    pure = False
    drains: ClassVar[bool] = False
    drained = False  # drain() was called, or run() has ended
    waits = False  # process() may return an awaitable
    serves = False
    changes: ClassVar[bool] = True  # process() may change, drop or put in messages
    places: dict[int, float] | None = None  # rank by direction, of a stage that is none of the command line's

    options: StageOptions

    def __init__(
        self, pipe: Pipeline, number: int, name: str, options: StageOptions, args: tuple[str, ...] = ()
    ) -> None:
        self.pipe = pipe
        self.number = number
        self.name = name
        self.options = options
        self.args = args
        self.label = f"stage {number} ({name})" if name == self.command else f"stage {number} ({name}: {self.command})"
        self.first = self.last = self.tap = False
        self.directions = RIGHT
        self.state = NEW
        self.start_on: tuple[str, ...] = ()
        self.stop_on: tuple[str, ...] = ()
        if options.rate_limit and options.rate_sample:
            raise self.error("--rate-limit and --rate-sample exclude each other")
        rate = options.rate_limit or options.rate_sample
        self.bucket = Bucket(rate) if rate else None

    @classmethod
    def uses_standard(cls, options: StageOptions) -> bool:
        """Whether, with these options, it reads standard input or writes standard output."""
        return False

    def default_directions(self) -> int:
        """The directions to work in where neither -L nor -R is given."""
        return LEFT if (self.last if self.produces else self.first) else RIGHT

    @property
    def acts(self) -> bool:
        """Whether it does something that can be seen outside of the pipeline."""
        return self.live or self.emits

    @property
    def runs(self) -> bool:
        """Whether there is a run() to wait for."""
        return self.produces

    def takes(self, direction: int) -> bool:
        """Whether messages of this direction pass here."""
        return bool(self.directions & direction)

    def attach(self) -> None:
        """See above."""

    def prepare(self) -> Awaitable[None] | None:
        """See above. A live stage may return an awaitable."""
        return None

    def foresee(self) -> None:
        """Find out now what prepare() would fail for later, in each of many sessions. StageError."""

    def read(self) -> Batch | None:
        """The next batch, or None when there is nothing more, or after interrupt(). Blocks as long as its source does.

        Called by one thread at a time. If the batch's `error` is set, that ended the input behind its messages.
        """
        raise AssertionError(f"{self.command} makes no messages")

    async def run(self) -> None:
        """In place of read(), for live producers: hand batches to `pipe.put` until there is nothing more.

        Cancelled in place of interrupt(), though never amid put().
        """
        raise AssertionError(f"{self.command} makes no messages")

    def drain(self, *, passed_by: bool = False) -> None:
        """Nothing more is for the stage: let run() end once all that was is dealt with.

        passed_by: there will be messages still, which it was told not to see.
        """

    def delivered(self) -> None:
        """Producers: another batch of theirs has passed the line. Here is where events of theirs belong."""

    def process(self, batch: Batch, directions: int) -> Batch | Awaitable[Batch | None] | None:
        """Look at, change, or drop the messages of these directions, save those with a flag of MSG_UNSEEN.

        Where messages are to be put in, return a batch with all of them, the new ones with MSG_EXTRA, which goes on in
        place of this one; events name messages of the batch that goes on.
        """
        raise AssertionError(f"{self.command} looks at no messages")

    def interrupt(self) -> None:
        """Let read() return soon. Called from any thread, and from signal handlers: takes no locks."""

    def finish(self) -> Awaitable[None] | None:
        """See above. A live stage may return an awaitable."""
        return None

    def abort(self) -> None:
        """See above."""

    def reads(self) -> str:
        """What --explain says it reads; "" for nothing."""
        return ""

    def writes(self) -> str:
        """What --explain says it writes; "" for nothing."""
        return ""

    def doubts(self) -> tuple[str, ...]:
        """What looks like a mistake in its options, for the warnings of the pipeline."""
        return ()

    def filters(self) -> tuple[Filter, ...]:
        """Filters among its arguments."""
        return ()

    def all_filters(self) -> tuple[tuple[str, Filter], ...]:
        """Those, and the ones of its options; each with what messages call it."""
        named = (("--if", self.options.if_), ("--of", self.options.of), ("FILTER", self.filters()))
        return tuple((name, filter_) for name, filters in named for filter_ in filters)

    def emit(self, name: str, batch: Batch | None = None, index: int = -1) -> None:
        """Tell an event of this stage. In process(), only where the stage is not pure: events keep the order."""
        self.pipe.emit(StageEvent(self, name, batch, index))

    def error(self, text: str) -> UsageError:
        """A UsageError that names this stage."""
        return UsageError(f"{self.label}: {text}")


class Output(Stage):
    """A stage that makes bytes of messages, and writes them somewhere.

    Encoding is pure, and runs on whichever thread has the batch, with an encoder and a buffer of its own; write()
    is called with what came of each batch, in order. Where a message ends the pipeline, nothing behind it is written.

    outside: what is written leaves the process, and may have to wait. Of a live stage, write() does not wait: the stage
    is `blocked` while enough is waiting to leave already, and tells the pipeline when there is `room` again.

    diverts: what it takes goes no further on the line. swallows: nor does what it can take no more, since that was to
    be seen there first: swallowed() is told of it. misses: it is told as well of what goes on without it.
    """

    looks = True
    pure = True
    outside = True
    blocked = False
    diverts = False

    @property
    def acts(self) -> bool:
        return self.outside

    @property
    def swallows(self) -> bool:
        """See above."""
        return False

    @property
    def misses(self) -> bool:
        """See above."""
        return False

    @property
    def full(self) -> bool:
        """Whether it is to be waited for before it gets more."""
        return self.blocked

    def swallowed(self, count: int) -> None:
        """So many messages came that it was to have, and could take no more."""

    def target(self) -> str:
        """The path that it is going to write, as far as that is known in attach(); "" for standard output and none."""
        return ""

    def encoder(self) -> Encoder:
        """A new encoder for one thread; the pipeline sets its directions."""
        raise AssertionError(f"{self.command} writes no messages")

    def write(self, data: Buffer) -> None:
        """Take these bytes, now: the buffer will be used again. StageError: the pipeline ends.

        To keep many without a copy, there is data.take().
        """
        raise AssertionError(f"{self.command} writes no messages")

    def turn(self) -> Callable[[], None] | None:
        """Asked when bytes are there to be written: what comes first, in the thread that writes; or None."""
        return None


class Share(Output):
    """What one session of a service has of an output that all of them write to: its encoders.

    owner: the stage of the service's pipeline.
    """

    live = True  # it has nothing to wait for: the owner has

    def __init__(self, pipe: Pipeline, owner: Output) -> None:
        super().__init__(pipe, owner.number, owner.name, owner.options, owner.args)
        self.owner = owner
        self.label = owner.label
        self.first, self.last, self.tap = owner.first, owner.last, owner.tap
        self.directions = owner.directions
        self.events = owner.events
        self.outside = owner.outside

    def takes(self, direction: int) -> bool:
        return self.owner.takes(direction)

    @property
    def full(self) -> bool:
        return self.owner.full

    def encoder(self) -> Encoder:
        return self.owner.encoder()

    def write(self, data: Buffer) -> None:
        if self.owner.state == RUNNING and self.owner.pipe.driver is not None:
            self.owner.pipe.driver.write(self.owner, data)
