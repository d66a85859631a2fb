"""What happens in a pipeline, as typed events on a bus.

An event is named `source/NAME`: source is the stage it comes from, or `bgpipe` for those of the pipeline, which go by
their name alone as well (`ESTABLISHED`, `established`, `pipe.established` and `bgpfix/pipe.ESTABLISHED` are one).
Handlers subscribe to an exact name or to `*`.
"""

from __future__ import annotations

from bgpipe.errors import UsageError, hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, ClassVar

    from bgpipe._codec import Batch
    from bgpipe.errors import MessageError
    from bgpipe.pipeline.stage import Stage

PIPE = "bgpipe"
PIPE_EVENTS = ("START", "STOP", "PARSE", "OPEN", "ALIVE", "UPDATE", "ESTABLISHED", "EOR_AF", "EOR")
_CO_ASYNC = 0x280  # inspect.CO_COROUTINE | CO_ASYNC_GENERATOR
STAGE_EVENTS = ("PREPARE", "READY", "START", "STOP")


class Event:
    """Something happened.

    source: name of the stage it comes from, or PIPE. name: "START", "session", ...
    batch, index: the message that caused it, or None and -1.
    many: what there may be many of, "messages do not parse": the first few are logged, then how many there were.
    peer: where there are many sessions, the address of the peer whose session it is; "" elsewhere.
    """

    __slots__ = ("batch", "index", "name", "peer", "source")
    many: ClassVar[str] = ""

    def __init__(self, source: str, name: str, batch: Batch | None = None, index: int = -1) -> None:
        self.source = source
        self.name = name
        self.batch = batch
        self.index = index
        self.peer = ""

    def __str__(self) -> str:
        return f"{self.source}/{self.name}"

    def describe(self) -> str:
        """What a log line says behind the name; "" for nothing."""
        return ""


class StageEvent(Event):
    """A stage was prepared, started or stopped, or has something of its own to tell (lower case)."""

    __slots__ = ("stage",)

    def __init__(self, stage: Stage, name: str, batch: Batch | None = None, index: int = -1) -> None:
        super().__init__(stage.name, name, batch, index)
        self.stage = stage


class LostEvent(StageEvent):
    """Messages are lost: they found nobody, or no room, where the stage was to bring them.

    count: how many; what a program that had them had dropped on purpose is among them.
    """

    __slots__ = ("count",)

    def __init__(self, stage: Stage, count: int) -> None:
        super().__init__(stage, "lost")
        self.count = count

    def describe(self) -> str:
        return f"{self.count} messages"


class UnconfirmedEvent(StageEvent):
    """Messages have gone out, and whether they have arrived is not to be known any more.

    count: how many.
    """

    __slots__ = ("count",)

    def __init__(self, stage: Stage, count: int) -> None:
        super().__init__(stage, "unconfirmed")
        self.count = count

    def describe(self) -> str:
        return f"{self.count} messages"


class MatchEvent(StageEvent):
    """A message is one that a stage looks for, or is none."""

    __slots__ = ()
    many = "messages"

    def describe(self) -> str:
        assert self.batch is not None
        return message_label(self.batch, self.index)


class ParseEvent(Event):
    """A message does not parse. It stays on its way as it came.

    error: why. errors: all that is wrong with it. action: what a speaker does about that (RFC 7606 section 2).
    wire: its first bytes.
    """

    __slots__ = ("action", "error", "errors", "wire")
    many = "messages do not parse"

    def __init__(self, batch: Batch, index: int, error: MessageError) -> None:
        from bgpipe._malformed import malformations
        from bgpipe._view import message_at

        super().__init__(PIPE, "PARSE", batch, index)
        self.error = error
        self.errors, self.action = malformations(message_at(batch, index))
        self.wire = batch.wire(index)[:64]

    def describe(self) -> str:
        return f"{self.error} ({self.action}): 0x{self.wire.hex()}"


def message_label(batch: Batch, index: int) -> str:
    """A message in the words of a log line: what it takes to find it in an archive."""
    from bgpipe._view import message_at

    msg = message_at(batch, index)
    text = f"message {msg.seq} ({msg.dir}, {msg.type}) of {msg.datetime.replace(tzinfo=None).isoformat()}"
    peer = [f"AS{msg.tags['PEER_AS']}"] if "PEER_AS" in msg.tags else []
    if "PEER_IP" in msg.tags:
        peer.append(msg.tags["PEER_IP"])
    if peer:
        text += f" from {' '.join(peer)}"
    update = msg.update if msg.error is None else None
    if update is None:
        return text
    prefixes = [str(prefix) for prefix in update.announced] + [f"{prefix} withdrawn" for prefix in update.withdrawn]
    more = f" and {len(prefixes) - 1} more" if len(prefixes) > 1 else ""
    return f"{text}: {prefixes[0]}{more}" if prefixes else text


class Bus:
    """Who wants to hear of which events. Handlers run in the order in which they subscribed.

    whole: a bus whose handlers hear of them, too, before all others. asynchronous: whether one of them is a coroutine
    function.
    """

    __slots__ = ("_handlers", "_whole", "asynchronous")

    def __init__(self, whole: Bus | None = None) -> None:
        self._handlers: dict[str, list[Callable[[Event], object]]] = {}
        self._whole = whole
        self.asynchronous: bool = whole is not None and whole.asynchronous

    @property
    def names(self) -> Iterable[str]:
        """What is subscribed to."""
        return {*self._handlers, *(self._whole.names if self._whole is not None else ())}

    def subscribe(self, name: str, handler: Callable[[Event], object]) -> None:
        """Call `handler` on events of this canonical name (see `resolve`), or on all of them for "*"."""
        self._handlers.setdefault(name, []).append(handler)
        self.asynchronous = self.asynchronous or is_async(handler)

    def emit(self, event: Event) -> list[Any]:
        """Call the handlers; what they raise comes out here. Returns the coroutines of those that are asynchronous."""
        found = self._whole.emit(event) if self._whole is not None else []
        results = [handler(event) for name in (str(event), "*") for handler in self._handlers.get(name, ())]
        return found + [result for result in results if hasattr(result, "__await__")]


def is_async(function: object) -> bool:
    """Whether a function, method, partial or callable object was declared with `async def`."""
    while type(function).__name__ == "partial" and hasattr(function, "func"):
        function = function.func
    if not hasattr(function, "__code__") and callable(function):
        function = type(function).__call__
    code = getattr(function, "__code__", None)
    return code is not None and bool(code.co_flags & _CO_ASYNC)


def resolve(words: Iterable[str], stages: Sequence[Stage], alone: Sequence[str]) -> tuple[str, ...]:
    """Canonical names ("bgpipe/EOR", "read/STOP", "*") of events as users write them.

    alone: what the name of a stage stands for by itself. Raises UsageError where there is no such event.
    """
    found: list[str] = []
    for word in words:
        if not isinstance(word, str):
            raise UsageError(f"{word!r} is no name of an event; on_event() takes all of them")
        found += (name for name in _resolve(word, stages, alone) if name not in found)
    return tuple(found)


def _resolve(word: str, stages: Sequence[Stage], alone: Sequence[str]) -> list[str]:
    if word in ("all", "*"):
        return ["*"]
    source, slash, name = word.removeprefix("bgpfix/").rpartition("/")
    if not slash and name.lower().startswith("pipe."):
        source, name = PIPE, name[5:]
    if not source:
        if any(stage.name == name for stage in stages) and not name.isupper():
            return [f"{name}/{event}" for event in alone]
        source = PIPE
    if source == PIPE:
        if name.upper() not in PIPE_EVENTS:
            for stage in stages:
                if name in stage.events:
                    raise UsageError(f"unknown event {word!r}; did you mean {stage.name}/{name}?")
            known = (*PIPE_EVENTS, *(stage.name for stage in stages))
            raise UsageError(f"unknown event {word!r}{hint(word, known)}")
        return [f"{PIPE}/{name.upper()}"]
    named = [stage for stage in stages if stage.name == source]
    own = {event for stage in named for event in stage.events}
    if not named:
        near = hint(source, [stage.name for stage in stages])
        raise UsageError(f"there is no stage {source!r} for the event {word}{near}")
    if name.upper() in STAGE_EVENTS:
        return [f"{source}/{name.upper()}"]
    if name not in own:
        events = (*sorted(own), *STAGE_EVENTS)
        near = hint(name, events).replace("did you mean ", f"did you mean {source}/")
        all_of_them = f"; {source} has {', '.join(events)}{named[0].more_events}"
        raise UsageError(f"unknown event {word!r}{near or all_of_them}")
    return [f"{source}/{name}"]
