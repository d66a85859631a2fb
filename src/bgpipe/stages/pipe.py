"""pipe: messages through a named pipe."""

from __future__ import annotations

import os
import select
import stat

from bgpipe.errors import PassingError, StageError, reason
from bgpipe.pipeline.options import argument
from bgpipe.stages.external import DRAIN_S, LOOK_S, STAY_S, ExternalOptions, Piped
from bgpipe.stages.messages import PATH
from bgpipe.transport.pipes import widen

_WATCH_S = 5.0  # how often to look whether the pipe is still there


class PipeOptions(ExternalOptions):
    """Options of pipe."""

    path: str = argument("PATH", "a named pipe, as mkfifo makes them", kind=PATH)


class Pipe(Piped):
    """Writes to a named pipe, and reads from it."""

    command = "pipe"
    summary = "exchange messages through a named pipe"
    text = (
        "Opens the named pipe PATH for reading and writing, so that programs at its other end may come and go. With "
        "--write, messages go into it and also stay on their way; with --read, those that others write there enter "
        "behind the stage. Without either, messages leave the pipeline there, and what is in the pipe is read, whoever "
        "wrote it: such a program has to take them before we do. There is no end of what comes out of it but that of "
        "bgpipe; before it ends by itself, it waits until what it wrote has been read."
    )
    options_class = PipeOptions
    options: PipeOptions
    single = True
    _fd = -1

    def reads(self) -> str:
        return f"{self.options.format} from {self.options.path}"

    def writes(self) -> str:
        return f"{self.options.format} to {self.options.path}" if self.looks else ""

    async def begin(self) -> None:
        path = self.options.path
        try:
            self._check(os.stat(path))  # noqa: PTH116 - a device may do something when it is opened
            self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            self._check(os.fstat(self._fd))
        except FileNotFoundError:
            raise StageError(f"{path} does not exist; mkfifo {path} makes it") from None
        except PermissionError:
            problem = "permission denied; it takes the right to read and to write"
            raise StageError(f"cannot open {path}: {problem}") from None
        except OSError as error:
            raise StageError(f"cannot open {path}: {reason(error)}") from None
        widen(self._fd)
        self.open(os.dup(self._fd) if self.looks else -1, os.dup(self._fd) if self.produces else -1)

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISFIFO(status.st_mode):
            raise StageError(f"{self.options.path} is no named pipe; `read` and `write` take files and devices")

    @property
    def _unread(self) -> int:
        """Octets that nobody has taken, those in the pipe included."""
        return self._writer.unread if self._writer is not None else 0

    def _let_go(self) -> int:
        """Close the pipe. Returns how many messages are lost: those in there, too, unless somebody has it open."""
        if self._writer is None:
            return 0
        unread, unsent = self._writer.unread, self._writer.unsent
        writer, last = self._writer, os.open(f"/proc/self/fd/{self._fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.close()
        looking = select.poll()
        looking.register(last, 0)
        is_read = not any(found & select.POLLERR for _, found in looking.poll(0))  # by somebody who is slow
        os.close(last)
        lost = writer.count(unsent if is_read else unread)
        self._lose(lost)
        return lost

    # ---- running -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        try:
            if self._reader is not None:
                self._reader.start()
            self.room()
            await self._serve()
            if self.failure is not None:
                raise self.failure
        finally:
            self.drained = True
            self.close()
            self.room()

    async def _serve(self) -> None:
        silent_s, unread = 0.0, 0
        while self.failure is None:
            if self.drained and not self._unread:
                return
            within_s = LOOK_S if self.drained else _WATCH_S
            if (self.pipe.ending or self.pipe.whole is not None) and (self.drained or self.blocked):
                within_s = LOOK_S
                before, unread = unread, self._unread
                silent_s = silent_s + LOOK_S if unread >= before else 0.0
                over = self.pipe.ending or self.drained  # else it is a router that waits
                if over and silent_s > (DRAIN_S if self.pipe.ending else STAY_S):
                    if lost := self._let_go():
                        raise PassingError(f"nobody reads {self.options.path}: {lost} messages in it are lost")
                    return
            if not await self.wait(within_s) and self._is_gone():
                gone = f"{self.options.path} was removed, or another one put in its place"
                raise StageError(f"{gone}: {self._let_go()} messages in it are lost")
        if lost := self._let_go():
            self.pipe.log.warn(f"{lost} messages in the pipe are lost", self)

    def _is_gone(self) -> bool:
        """Whether nobody can open the pipe any more."""
        try:
            return not os.path.samestat(os.stat(self.options.path), os.fstat(self._fd))  # noqa: PTH116
        except OSError:
            return True

    def close(self) -> None:
        super().close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
