"""Outputs that block (files, pipes) beside an event loop: each has a thread that writes for it.

What is to be written waits in a queue, small pieces joined. Producers keep it bounded: the stage is `blocked`
when there is much in it, and no more when half of that is written. What comes first is written at once. Then the
thread sleeps a moment, or until it is worth its while: to wake it for each message would hold up the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from functools import partial

from bgpipe._codec import Buffer
from bgpipe.errors import StageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgpipe.pipeline.stage import Output, Stage

FULL = 4 << 20  # octets
LAST_S = 2.0  # how long an output that does not take what is written may hold up the end that a signal asked for
_PIECE = 256 << 10
_SMALL = 64 << 10  # what is longer is worth no copy
_GATHER_S = 0.01
_MOMENT_S = 0.3  # for the write that is under way


class Writer:
    """Writes for one stage. Its methods are called on the loop.

    on_room: called on the loop when the stage is blocked no more. on_error: likewise, with what writing raised; nothing
    more is written then.
    """

    def __init__(
        self, stage: Output, on_room: Callable[[], None], on_error: Callable[[BaseException], None]
    ) -> None:
        self._stage = stage
        self._on_room = on_room
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()
        self._queue: deque[Buffer | Callable[[], None]] = deque()
        self._size = self._messages = 0  # of what waits, or is being written
        self._closed = False  # nothing is added any more
        self._ended = False
        self._whole = True  # nothing was given up
        self._gathering = False  # the thread sleeps, though there may be something to write
        self._changed = threading.Condition()
        threading.Thread(target=self._work, name=f"bgpipe {stage.label}", daemon=True).start()

    def put(self, data: Buffer) -> None:
        """Have these bytes written, behind all that came before."""
        with self._changed:
            if self._closed:
                return
            size = len(data)
            self._messages += data.messages
            last = self._queue[-1] if self._queue else None
            if size > _SMALL:
                self._queue.append(data.take(size))
            elif isinstance(last, Buffer) and len(last) + size <= _PIECE:
                last.extend(data)
            else:
                last = Buffer()
                last.extend(data)
                self._queue.append(last)
            self._size += size
            self._stage.blocked = self._size > FULL
            if not self._gathering or self._size >= _PIECE:
                self._changed.notify()

    def call(self, function: Callable[[], None]) -> None:
        """Call a function in the thread, behind all that came before."""
        with self._changed:
            if not self._closed:
                self._queue.append(function)
                self._changed.notify()

    def when_written(self, function: Callable[[], None]) -> None:
        """Call a function on the loop once all is written that is there by now; never, if that fails."""
        with self._changed:
            if not self._closed:
                self._queue.append(lambda: self._tell(function))
                if not self._gathering:
                    self._changed.notify()
                return
        self._over.add_done_callback(lambda _: function() if self._whole else None)

    async def finish(self, within_s: float | None = None) -> bool:
        """Wait until all is written, and for the thread. Returns whether that came about, within this time if given."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        done, _ = await asyncio.wait((self._over,), timeout=within_s)
        return bool(done)

    def abort(self) -> int:
        """Forget what is not written yet, and wait a moment for the write that is under way. How many messages it is.

        That write counts as long as it is not over, though some of them may get there.
        """
        with self._changed:
            self._closed = True
            queue, messages = [*self._queue], self._messages
            self._whole = self._whole and not self._queue
            self._queue.clear()
            self._changed.notify()
            if self._changed.wait_for(lambda: self._ended, _MOMENT_S):
                messages = sum(item.messages for item in queue if isinstance(item, Buffer))
            return messages

    def _room(self) -> None:
        self._stage.blocked = False
        self._on_room()

    def _end(self, error: BaseException | None) -> None:
        self._over.set_result(None)
        if error is not None:
            self._on_error(error)
        self._room()

    # ---- in the thread -----------------------------------------------------------------------------------------

    def _work(self) -> None:
        failure = None
        try:
            while (item := self._next()) is not None:
                if isinstance(item, Buffer):
                    self._stage.write(item)
                    self._written(item)
                else:
                    item()
                self._gather()
        except BaseException as error:
            failure = error
        with self._changed:
            self._closed = self._ended = True
            self._whole = self._whole and failure is None
            self._queue.clear()
            self._changed.notify()
        self._tell(self._end, failure)

    def _next(self) -> Buffer | Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            return self._queue.popleft() if self._queue else None

    def _gather(self) -> None:
        with self._changed:
            self._gathering = True
            self._changed.wait_for(lambda: self._size >= _PIECE or self._closed, _GATHER_S)
            self._gathering = False

    def _written(self, data: Buffer) -> None:
        with self._changed:
            before, self._size = self._size, self._size - len(data)
            self._messages -= data.messages
        if before >= FULL // 2 > self._size:
            self._tell(self._room)

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: there is nobody to tell
            self._loop.call_soon_threadsafe(function, *arguments)


class Writers:
    """The writers of a driver: one for each stage that has something to write.

    on_room, on_error: as those of Writer; the stage is told.
    """

    def __init__(self, on_room: Callable[[], None], on_error: Callable[[Stage, BaseException], None]) -> None:
        self._on_room = on_room
        self._on_error = on_error
        self._writers: dict[Stage, Writer] = {}

    def of(self, stage: Output) -> Writer:
        """That of this stage; from now on there is one."""
        if stage not in self._writers:
            self._writers[stage] = Writer(stage, self._on_room, lambda error: self._on_error(stage, error))
        return self._writers[stage]

    def put(self, stage: Output, data: Buffer) -> None:
        """Have an output write these bytes, in its thread."""
        writer = self.of(stage)
        if (turn := stage.turn()) is not None:
            writer.call(turn)
        writer.put(data)

    def get(self, stage: Stage) -> Writer | None:
        """That of this stage, if there is one."""
        return self._writers.get(stage)

    def when_written(self, function: Callable[[], None]) -> None:
        """Call a function once all of them have written what is there by now; never, if one fails."""
        waiting = set(self._writers)

        def one(stage: Stage) -> None:
            waiting.discard(stage)
            if not waiting:
                function()

        for stage, writer in self._writers.items():
            writer.when_written(partial(one, stage))
        if not waiting:
            function()

    def finish(self, stage: Stage, within_s: float | None) -> Awaitable[None] | None:
        """Stage.finish(), behind all that is to be written. StageError: not within this time."""
        writer = self._writers.get(stage)
        return stage.finish() if writer is None else self._finish(stage, writer, within_s)

    async def _finish(self, stage: Stage, writer: Writer, within_s: float | None) -> None:
        if not await writer.finish(None if within_s is None else max(0.0, within_s - _MOMENT_S)):
            raise StageError(f"what it has to write is not taken; the rest, {writer.abort()} messages, is given up")
        await asyncio.to_thread(stage.finish)

    def abort(self) -> None:
        for writer in self._writers.values():
            writer.abort()
