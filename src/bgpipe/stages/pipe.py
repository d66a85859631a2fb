"""pipe: messages through a named pipe."""

from __future__ import annotations

import fcntl
import os
import stat
import termios

from bgpipe.errors import StageError
from bgpipe.pipeline.options import argument
from bgpipe.stages.external import DRAIN_S, LOOK_S, ExternalOptions, Piped
from bgpipe.stages.messages import PATH
from bgpipe.transport.pipes import widen


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
            if not stat.S_ISFIFO(os.stat(path).st_mode):  # noqa: PTH116
                raise StageError(f"{path} is no named pipe; `read` and `write` take files and devices")
            self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise StageError(f"{path} does not exist; mkfifo {path} makes it") from None
        except OSError as error:
            raise StageError(f"cannot open {path}: {(error.strerror or str(error)).lower()}") from None
        widen(self._fd)
        self.open(os.dup(self._fd) if self.looks else -1, os.dup(self._fd) if self.produces else -1)

    @property
    def _unread(self) -> int:
        """Octets that nobody has taken, those in the pipe included."""
        count = fcntl.ioctl(self._fd, termios.FIONREAD, bytes(4))
        return int.from_bytes(count, "little") + (self._writer.unsent if self._writer is not None else 0)

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
            if self.drained and (self._writer is None or not self._unread):
                return
            if self.pipe.ending and (self.drained or self.blocked):
                before, unread = unread, self._unread
                silent_s = silent_s + LOOK_S if unread >= before else 0.0
                if silent_s > DRAIN_S:
                    raise StageError(f"nobody reads {self.options.path}: {unread} octets of messages in it are lost")
            await self.wait(LOOK_S if self.drained or self.pipe.ending or self.blocked else None)

    def close(self) -> None:
        super().close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
