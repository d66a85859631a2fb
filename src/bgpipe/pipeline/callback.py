"""Functions of users, called with messages on their way: what the stage python and Pipeline.on_message share.

Which messages are meant is found out natively; for these alone there is a Python object and a call. What a function
returns decides what becomes of a message, and so does, where it raises, `on_error`.
"""

from __future__ import annotations

import os
import sys

from bgpipe._calls import Calls, gather
from bgpipe.errors import StageError, UsageError
from bgpipe.pipeline.events import PIPE, StageEvent, is_async, message_label
from bgpipe.pipeline.stage import BOTH, DIRECTION_NAMES, LEFT, RIGHT, Output, Stage, StageOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from types import FrameType
    from typing import Any

    from bgpipe._codec import Batch
    from bgpipe._view import Msg
    from bgpipe.filters import Filter
    from bgpipe.pipeline.engine import Pipeline

FATES = ("pass", "drop", "stop")
_PLACES = 100  # of different failures, so many get a traceback in the log
_PACKAGE = __file__.removesuffix("pipeline/callback.py")
_LIBRARY = os.__file__.removesuffix("os.py")


class CallbackEvent(StageEvent):
    """A function raised an exception, or returned what is no message.

    function: its name. error: the exception. batch, index: the message; for a function that takes batches, the first.
    """

    __slots__ = ("error", "function")
    many = "exceptions"

    def __init__(self, stage: Stage, function: str, error: BaseException, batch: Batch, index: int) -> None:
        super().__init__(stage, "error", batch, index)
        self.function = function
        self.error = error

    def describe(self) -> str:
        assert self.batch is not None
        return f"{_summary(self.function, self.error)}, at {message_label(self.batch, self.index)}"


class Callback:
    """A function and the messages that it is called with.

    batch: it takes a batch at a time. on_error: one of FATES, for a message on which it raises. types: as
    Decoder.types. asynchronous: it was declared with `async def`.
    """

    def __init__(
        self,
        stage: Stage,
        function: Callable[[Any], object],
        *,
        batch: bool = False,
        on_error: str = "pass",
        types: int = 0xFFFFFFFF,
        filter: Filter | None = None,  # noqa: A002
    ) -> None:
        self._stage = stage
        self._function = function
        self._batch = batch
        self._on_error = on_error
        self._types = types
        self._filter = filter
        self.filters = () if filter is None else (filter,)
        self.name: str = getattr(function, "__qualname__", None) or type(function).__name__
        self.asynchronous = is_async(function)
        self._failures: dict[tuple[str, int, str], int] = {}  # how many, by place and kind

    def process(self, batch: Batch, directions: int) -> Batch | Awaitable[Batch | None] | None:
        """What Stage.process is to do."""
        matches = None
        if self._filter is not None:
            with batch:
                matches = self._filter.program.matches(batch)
        calls = Calls(batch, directions, self._types, matches, self._of if self._stage.options.of else None)
        if self.asynchronous:
            return self._process(calls, directions)
        if not self._batch:
            calls.each(self._function, lambda error: self._failed(calls, error))
        elif (chosen := calls.chosen()) is not None:
            try:
                calls.replace(self._function(chosen))
            except BaseException as error:
                self._failed(calls, error)
        return self._finish(calls, directions)

    def _of(self, msg: Msg) -> bool:
        return all(filter_.match(msg) for filter_ in self._stage.options.of)

    async def _process(self, calls: Calls, directions: int) -> Batch | None:
        if not self._batch:
            while (msg := calls.next()) is not None:
                try:
                    calls.settle(await self._call(msg))
                except BaseException as error:
                    calls.restore()
                    if not self._failed(calls, error):
                        break
        elif (chosen := calls.chosen()) is not None:
            try:
                calls.replace(await self._call(chosen))
            except BaseException as error:
                self._failed(calls, error)
        return self._finish(calls, directions)

    async def _call(self, argument: object) -> object:
        result: Any = self._function(argument)
        if hasattr(result, "__aiter__"):
            return [item async for item in result]
        return await result

    def _finish(self, calls: Calls, directions: int) -> Batch | None:
        after = calls.finish()
        for direction, name in ((RIGHT, "R"), (LEFT, "L")):
            turned = [(msg, at) for msg, at in zip(calls.turned, calls.origins, strict=True) if msg.dir == name]
            if turned:
                batch = gather(msg for msg, _ in turned)
                self._stage.pipe.turn(self._stage, direction, batch, [at for _, at in turned])
        return after

    # ---- failures ----------------------------------------------------------------------------------------------

    def _failed(self, calls: Calls, error: BaseException) -> bool:
        """The function raised that. Returns whether to call it again."""
        if not is_failure(error):
            raise error
        pipe, stage = self._stage.pipe, self._stage
        if self._on_error == "drop":
            if self._batch:
                calls.drop_chosen()
            else:
                calls.drop()
        self._log(error)
        batch, index = calls.place()
        pipe.emit(CallbackEvent(stage, self.name, error, batch, index))
        if (self._on_error == "stop" or isinstance(error, SystemExit)) and pipe.cut != index:
            failure = StageError(f"stopped by {_summary(self.name, error)}")
            failure.__cause__ = error
            pipe.fail_at(stage, index, failure)
        # Whatever else ends the pipeline: what is in front of its end is this function's to judge.
        return pipe.cut is None

    def _log(self, error: BaseException) -> None:
        frames = frames_of(error)
        if frames:
            place = (frames[-1][0].f_code.co_filename, frames[-1][1], type(error).__name__)
        else:
            code = getattr(self._function, "__code__", None)
            place = (*((code.co_filename, code.co_firstlineno) if code else ("", 0)), type(error).__name__)
        first = place not in self._failures
        if first and len(self._failures) >= _PLACES:
            place, first = ("other places", 0, "exceptions"), False
        self._failures[place] = self._failures.get(place, 0) + 1
        if first:
            self._stage.pipe.log.error(_summary(self.name, error), self._stage, detail=_detail(frames, place))

    def close(self) -> None:
        """Nothing comes any more: log how often what was logged once has happened."""
        for (filename, line, kind), count in self._failures.items():
            if count > 1:
                where = f" at {filename}:{line}" if line else f" at {filename}" if filename else ""
                self._stage.pipe.log.error(f"{self.name}(): {count} times {kind}{where}", self._stage)
        self._failures.clear()


def is_failure(error: BaseException) -> bool:
    """Whether what a function raised is a failure of its own; else it is on its way to who runs the pipeline.

    Also that something was cancelled which it waited for, and sys.exit(): neither may end the pipeline unseen.
    """
    if isinstance(error, (Exception, SystemExit)):
        return True
    asyncio = sys.modules.get("asyncio")  # nobody else has raised its CancelledError
    if asyncio is None or not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop
        return True
    return task is None or not task.cancelling()


def problem(error: BaseException) -> str:
    """The kind of an exception, and what it says."""
    try:
        text = str(error)
    except Exception as second:
        text = f"(its text cannot be had: {type(second).__name__})"
    return f"{type(error).__name__}{': ' if text else ''}{text}"


def _summary(function: str, error: BaseException) -> str:
    return f"{function}(): {problem(error)}"


def frames_of(error: BaseException) -> list[tuple[FrameType, int]]:
    """The frames that an exception came through with the line in each, outermost first.

    From the first to the last one of the user's own code: there the mistake can be mended.
    """
    found: list[tuple[FrameType, int]] = []
    last = 0
    traceback = error.__traceback__
    while traceback is not None:
        own = _is_own(traceback.tb_frame.f_code.co_filename)
        if found or own:
            found.append((traceback.tb_frame, traceback.tb_lineno))
        if own:
            last = len(found)
        traceback = traceback.tb_next
    return found[:last]


def _is_own(filename: str) -> bool:
    """Whether a file is the user's: neither ours, of which compiled modules know where it was, nor Python's."""
    if filename.startswith(_LIBRARY):
        return "-packages/" in filename and not filename.startswith(_PACKAGE)
    return not filename.startswith((_PACKAGE, "src/bgpipe/", "<frozen "))


def _detail(frames: list[tuple[FrameType, int]], place: tuple[str, int, str]) -> list[str]:
    import linecache

    lines = []
    found = [(frame.f_code.co_filename, at, frame.f_code.co_name) for frame, at in frames] or [(*place[:2], "")]
    for name, number, function in found if place[0] else ():
        lines.append(f'File "{name}", line {number}' + (f", in {function}" if function else ""))
        source = linecache.getline(name, number).strip()
        if source:
            lines.append(f"  {source}")
    return lines


# ---- on_message ----------------------------------------------------------------------------------------------------


class OnMessage(Stage):
    """Where a function of Pipeline.on_message stands: a stage that the command line does not have."""

    command = "on_message"
    looks = True
    emits = True
    together = 1
    events = ("error",)

    def __init__(
        self,
        pipe: Pipeline,
        directions: int,
        places: dict[int, float],
        function: Callable[[Any], object],
        **settings: Any,
    ) -> None:
        options = StageOptions(
            left=bool(directions & LEFT), right=bool(directions & RIGHT), args=False, wait=(), stop=()
        )
        super().__init__(pipe, 0, self.command, options)
        self._callback = Callback(self, function, **settings)
        self.label = f"on_message({self._callback.name})"
        self.directions = directions
        self.places = places
        self.start_on = (f"{PIPE}/START",)
        self.live = self.waits = self._callback.asynchronous

    def filters(self) -> tuple[Filter, ...]:
        return self._callback.filters

    def process(self, batch: Batch, directions: int) -> Batch | Awaitable[Batch | None] | None:
        return self._callback.process(batch, directions)

    def finish(self) -> None:
        self._callback.close()

    def abort(self) -> None:
        self._callback.close()


def subscribe(
    pipe: Pipeline,
    function: Callable[[Any], object],
    filter: str | Filter | None,  # noqa: A002
    direction: str | None,
    types: str | int | Iterable[str | int] | None,
    batch: bool,
    on_error: str,
    before: str | int | None,
) -> OnMessage:
    """Make the stage of Pipeline.on_message; see there."""
    if not callable(function):
        raise UsageError(f"on_message: {function!r} cannot be called")
    if isinstance(function, type):  # what it would return is no message
        raise UsageError(f"on_message: {function.__qualname__} is a class; a function, or a method, is called")
    if on_error not in FATES:
        raise UsageError(f"on_error {on_error!r}: expected {', '.join(FATES)}")
    if direction not in (None, *DIRECTION_NAMES[1:]):
        raise UsageError(f'direction {direction!r}: expected "R", "L" or "LR"')
    if filter is not None:
        from bgpipe.filters import Filter

        filter = filter if isinstance(filter, Filter) else Filter(filter)  # noqa: A001
        filter.compile()  # a mistake of the caller's, and not of the first batch
    from bgpipe.files import mask

    directions = DIRECTION_NAMES.index(direction) if direction else BOTH
    places = {way: _place(pipe, way, before) for way in (RIGHT, LEFT)}
    return OnMessage(
        pipe, directions, places, function, batch=batch, on_error=on_error, types=mask(types), filter=filter
    )


def _place(pipe: Pipeline, direction: int, before: str | int | None) -> float:
    """The rank in front of a stage, or of the first one that brings messages out where there are some."""
    if before is not None:
        return pipe.rank(pipe.stage(before), direction) - 0.5
    entries = [pipe.entry(stage, direction) for stage in pipe.stages if stage.produces and stage.directions & direction]
    outputs = [
        pipe.rank(stage, direction)
        for stage in pipe.stages
        if stage.looks
        and (stage.consumes or (isinstance(stage, Output) and stage.outside))
        and stage.takes(direction)
    ]
    return min((rank for rank in outputs if rank > min(entries, default=0)), default=pipe.count + 1) - 0.5
