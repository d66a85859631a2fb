"""exec: messages through a program that runs beside us."""

from __future__ import annotations

import asyncio
import os
import signal

from bgpipe.errors import StageError
from bgpipe.pipeline.log import Throttle
from bgpipe.pipeline.options import argument, option
from bgpipe.stages.external import DRAIN_S, LOOK_S, ExternalOptions, Piped
from bgpipe.transport.backoff import LONGEST_S, Backoff
from bgpipe.transport.pipes import Reader
from bgpipe.transport.process import Process

_LAST_S = 0.5  # for a program that has closed a pipe to end, and for what it started to close the other
_LINES = 1000  # of its standard error that a minute may have in the log
_STAY_S = 10.0  # how long a program may say nothing, nor take anything, once the session that it was for is over
_FIRST_S = 0.1  # how long to wait until it is started again, the first time


class ExecOptions(ExternalOptions):
    """Options of exec."""

    keep_stdin: bool = option("--keep-stdin", "go on when the program closes its standard input")
    keep_stdout: bool = option("--keep-stdout", "go on when the program closes its standard output")
    restart: bool = option("--restart", "start the program again, later and later, when it ends")
    program: str = argument("COMMAND", "the program; with -A, the words behind it are its arguments")


class Exec(Piped):
    """Runs a program."""

    command = "exec"
    summary = "send messages through a program of yours"
    text = (
        "Runs COMMAND, writes messages to its standard input, and takes those that it writes to its standard output: "
        "it decides what becomes of them. With --copy, messages also stay on their way; with --write the program only "
        "gets them, and with --read it only makes some. What it writes to its standard error goes to the log. When "
        "nothing more comes, its standard input is closed, and all that it still writes is taken. When it ends before, "
        "that is an error, unless with --restart; meanwhile messages wait."
    )
    options_class = ExecOptions
    options: ExecOptions
    extra_arguments = True
    events = ("lost", "restart")
    _process: Process | None = None

    def attach(self) -> None:
        super().attach()
        if not self.options.program:
            raise self.error("COMMAND is missing: a program")
        if self.options.keep_stdout and (self.options.write or self.options.read):
            raise self.error("--keep-stdout has no meaning with --read or --write")
        self._words = (os.path.expanduser(self.options.program), *self.args)  # noqa: PTH111
        self._kept: list[bytes] = []  # for the next one

    def reads(self) -> str:
        return f"{self.options.format} from {self.options.program}"

    def writes(self) -> str:
        return f"{self.options.format} to {self.options.program}" if self.looks else ""

    async def begin(self) -> None:
        self._lines = Throttle(self.pipe.log, f"lines of {self._words[0]} were left out", self, _LINES)
        self._start()

    def _start(self) -> None:
        self._process = process = Process(
            self._words,
            reads=self.looks,
            writes=self.produces,
            say=self._said,
            changed=self.changed.set,
        )
        self.open(process.stdin, process.stdout)
        self._began_s = asyncio.get_running_loop().time()
        kept, self._kept = self._kept, []
        for data in kept:
            self.send(data)

    def _said(self, line: str) -> None:
        if self._lines.admits():
            self.pipe.log.info(line, self)

    # ---- bytes -------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        if self._writer is None:
            self._kept.append(data)
        super().send(data)

    # ---- running -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        try:
            await self._run()
        finally:
            self._lines.close()
            self.drained = True
            self.room()

    async def _run(self) -> None:
        backoff = Backoff(_FIRST_S)
        while True:
            if self._reader is not None:
                self._reader.start()
            self.room()
            problem = await self._serve()
            cut = self._reader is not None and self._reader.cut
            if self.back or asyncio.get_running_loop().time() - self._began_s > LONGEST_S:
                backoff.reset()
            await self._leave()
            if problem or self.failure is not None:
                self.part()
            failure, self.failure = self.failure, None
            if failure is not None and not (cut and problem):
                failure.args = (f"what {self._words[0]} writes does not parse: {failure}",)
                raise failure
            if not problem:
                break
            if not self.options.restart or self.pipe.ending:
                raise StageError(problem)
            wait_s = backoff.next_s()
            self.pipe.log.warn(f"{problem}; it is started again in {wait_s:.1f} s", self)
            await self._pause(wait_s)
            if self.pipe.ending:
                raise StageError(problem)
            if self.drained and not self._kept:
                break
            self._start()
            self.emit("restart")

    async def _pause(self, wait_s: float) -> None:
        end_s = asyncio.get_running_loop().time() + wait_s
        while not (self.drained or self.pipe.ending) and (left_s := end_s - asyncio.get_running_loop().time()) > 0:
            await self.wait(min(left_s, LOOK_S))

    async def _serve(self) -> str:
        """Until there is nothing more to do with the program. Returns what is wrong with that, or nothing."""
        process, reader, writer = self._process, self._reader, self._writer
        assert process is not None
        told_s = 0.0
        while True:
            if self.failure is not None and not (reader is not None and reader.cut):
                return ""
            if self.drained:
                return await self._drain(process)
            if process.exit_code is not None:
                await self._rest(_LAST_S)
                return "" if self.options.read and process.exit_code == 0 else process.fate
            for pipe, name, keep in (
                (reader, "output", self.options.keep_stdout),
                (writer, "input", self.options.keep_stdin),
            ):
                if pipe is not None and not keep and (pipe.over if isinstance(pipe, Reader) else pipe.broken):
                    while process.exit_code is None and await self.wait(_LAST_S):
                        pass
                    if process.exit_code is None:
                        return f"{process.name} closed its standard {name}"
                    break
            if process.exit_code is not None:
                continue
            if self.pipe.ending and self.blocked:
                # What is on its way cannot get there, and so nothing ends before this does.
                told_s += LOOK_S
                if told_s > 2 * DRAIN_S:
                    return f"{process.name} takes no more"
            await self.wait(LOOK_S if self.pipe.ending or self.blocked else None)

    async def _drain(self, process: Process) -> str:
        """All that the program was to have, it has: take what it still writes."""
        if self._writer is not None:
            self._writer.close()
        silent_s = asked_s = 0.0
        before: tuple[int, int] | None = None
        while process.exit_code is None or (self._reader is not None and not self._reader.over):
            if self.failure is not None and self._reader is not None and not self._reader.cut:
                return ""
            if await self.wait(LOOK_S):
                continue
            if process.exit_code is not None:
                silent_s += LOOK_S
                if silent_s > DRAIN_S and self._reader is not None:  # what it started has its output, and says nothing
                    self._reader.abort()
            elif self.pipe.ending or self.pipe.whole is not None:  # else nobody waits for it but who started us
                now = self.back, self._writer.unsent if self._writer is not None else 0
                silent_s = 0.0 if now != before and not self.pipe.ending else silent_s + LOOK_S
                before = now
                if silent_s > (DRAIN_S if self.pipe.ending else _STAY_S):
                    asked_s += LOOK_S
                    process.end(signal.SIGTERM if asked_s <= DRAIN_S / 2 else signal.SIGKILL)
        if asked_s:
            self.pipe.log.warn(f"it did not end when its standard input did; {process.fate}", self)
            return ""
        return process.fate if process.exit_code else ""

    async def _rest(self, within_s: float) -> None:
        """The program has ended: take what it has written before."""
        while self._reader is not None and not self._reader.over and await self.wait(within_s):
            pass

    async def _leave(self) -> None:
        """Let go of the program."""
        process, self._process = self._process, None
        if self._writer is not None:
            self._writer.abort()
        self.blocked = True  # until there is another one
        if process is not None and process.exit_code is None:
            process.end(signal.SIGTERM)
            for _ in range(int(DRAIN_S / LOOK_S)):
                if process.exit_code is None:
                    await self.wait(LOOK_S)
            process.end(signal.SIGKILL)
        self.close()

    def abort(self) -> None:
        super().abort()
        if self._process is not None:
            self._process.end(signal.SIGTERM)
