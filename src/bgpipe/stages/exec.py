"""exec: messages through a program that runs beside us."""

from __future__ import annotations

import asyncio
import os
import signal

from bgpipe.errors import StageError
from bgpipe.pipeline.log import Throttle
from bgpipe.pipeline.options import argument, option
from bgpipe.stages.external import DRAIN_S, LOOK_S, STAY_S, ExternalOptions, Piped
from bgpipe.transport.backoff import LONGEST_S, Backoff
from bgpipe.transport.process import Process

_LAST_S = 0.5  # for a program that has closed a pipe to end, and for what it started to close the other
_LINES = 1000  # of its standard error that a minute may have in the log
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
    _died_with = 0  # messages that programs had when they ended

    def attach(self) -> None:
        super().attach()
        if not self.options.program:
            raise self.error("COMMAND is missing: a program")
        if self.options.keep_stdout and (self.options.write or self.options.read):
            raise self.error("--keep-stdout has no meaning with --read or --write")
        self._words = (os.path.expanduser(self.options.program), *self.args)  # noqa: PTH111
        self._kept: list[tuple[bytes, int]] = []  # for the next one, with the messages in it

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
        self.open(process.stdin, process.stdout, holds=True)
        self._began_s = asyncio.get_running_loop().time()
        kept, self._kept = self._kept, []
        for data, messages in kept:
            self.send(data, messages)

    def _said(self, line: str) -> None:
        if self._lines.admits():
            self.pipe.log.info(line, self)

    # ---- bytes -------------------------------------------------------------------------------------------------

    def send(self, data: bytes, messages: int = 0) -> None:
        if self._writer is None:
            self._kept.append((data, messages))
        super().send(data, messages)

    # ---- running -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        try:
            await self._run()
        finally:
            self.swallowed(sum(messages for _, messages in self._kept))
            self._lines.close()
            self.drained = True
            self.room()

    async def _run(self) -> None:
        await self._work()
        if self._died_with:
            text = f"{self._died_with} messages are lost in all, which {self._words[0]} had read when it ended"
            if self.pipe.session is None:
                raise StageError(text)
            self.pipe.log.warn(text, self)

    async def _work(self) -> None:
        """Have programs do it, one after the other."""
        backoff = Backoff(_FIRST_S)
        while problem := await self._through(backoff):
            while problem:
                if not self.options.restart or self.pipe.ending:
                    raise StageError(problem)
                wait_s = backoff.next_s()
                self.pipe.log.warn(f"{problem}; it is started again in {wait_s:.1f} s", self)
                await self._pause(wait_s)
                if self.pipe.ending:
                    raise StageError(problem)
                if self._idle:
                    return
                problem = self._start_again()

    def _start_again(self) -> str:
        """Returns why that cannot be, if so: it may be that there is another version of it in a moment."""
        try:
            self._start()
        except StageError as error:
            return str(error)
        self.emit("restart")
        return ""

    async def _through(self, backoff: Backoff) -> str:
        """Have the program do its work. Returns why it did not do all of it, if so. Raises InputError."""
        reader = self._reader
        if reader is not None:
            reader.start()
        self.room()
        self._partly = False
        problem = await self._serve()
        cut = reader is not None and reader.cut
        if self.back or asyncio.get_running_loop().time() - self._began_s > LONGEST_S:
            backoff.reset()
        self.blocked = True  # until there is another one
        await self._end()
        kept = self._take_back() if problem and self.options.restart and not self.pipe.ending else 0
        self.given -= kept
        lost = self.lost
        if problem or self.failure is not None or self._partly or not self.diverts:
            self.part()
        if problem:
            self._died_with += self.lost - lost
        self.given += kept
        self.close()
        failure, self.failure = self.failure, None
        if failure is not None and not (cut and problem):
            failure.args = (f"what {self._words[0]} writes does not parse: {failure}",)
            raise failure
        return problem

    def _take_back(self) -> int:
        """Keep what nobody has read for the next one. Returns how many messages that are."""
        if self._writer is not None:  # what repeats in BMP is not in there again: it is no use without its beginning
            self._kept = self._writer.take_back(all_or_nothing=self._repeats is not None)
        return sum(messages for _, messages in self._kept)

    async def _pause(self, wait_s: float) -> None:
        end_s = asyncio.get_running_loop().time() + wait_s
        while not (self._idle or self.pipe.ending) and (left_s := end_s - asyncio.get_running_loop().time()) > 0:
            await self.wait(min(left_s, LOOK_S))

    @property
    def _idle(self) -> bool:
        """Whether there is nothing for a program, nor will be."""
        return self.drained and not self._kept

    @property
    def _misspoke(self) -> bool:
        """Whether what it writes does not parse, for another reason than that it ends amid a message."""
        return self.failure is not None and not (self._reader is not None and self._reader.cut)

    async def _serve(self) -> str:
        """Until there is nothing more to do with the program. Returns what is wrong with that, or nothing."""
        process, reader, writer = self._process, self._reader, self._writer
        assert process is not None
        told_s = 0.0
        while not self._misspoke:
            if self.drained:
                return await self._drain(process)
            if process.exit_code is not None:
                await self._read_out(_LAST_S)
                return "" if self.options.read and process.exit_code == 0 else process.fate
            for name, closed, keep in (
                ("output", reader is not None and reader.over, self.options.keep_stdout),
                ("input", writer is not None and writer.broken, self.options.keep_stdin),
            ):
                self._partly = self._partly or closed
                if closed and not keep:
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
        return ""

    async def _drain(self, process: Process) -> str:
        """All that the program was to have, it has: take what it still writes."""
        reader, writer = self._reader, self._writer
        if writer is not None:
            writer.close()
        silent_s = asked_s = 0.0
        before: tuple[int, int] | None = None
        while process.exit_code is None:
            if self._misspoke:
                return ""
            if await self.wait(LOOK_S):
                continue
            if self.pipe.ending or self.pipe.whole is not None:  # else nobody waits for it but who started us
                now = self.back, writer.unsent if writer is not None else 0
                goes_on = (now != before or (reader is not None and reader.waits)) and not self.pipe.ending
                silent_s = 0.0 if goes_on else silent_s + LOOK_S
                before = now
                if silent_s > (DRAIN_S if self.pipe.ending else STAY_S):
                    asked_s += LOOK_S
                    process.end(signal.SIGTERM if asked_s <= DRAIN_S / 2 else signal.SIGKILL)
        await self._read_out(DRAIN_S)
        if asked_s:
            self._partly = True
            self.pipe.log.warn(f"it did not end when its standard input did; {process.fate}", self)
            return ""
        if process.exit_code:
            return process.fate
        if writer is not None and (writer.broken or writer.unread):
            self._partly = True
            if not self.options.keep_stdin:
                return f"{process.name} ended before it had read all"
        return ""

    async def _read_out(self, moment_s: float) -> None:
        """The program has ended: take what it has written, and what others write that it started, while they do."""
        reader, silent_s, before = self._reader, 0.0, -1
        while reader is not None and not reader.over:
            if await self.wait(LOOK_S):
                continue
            goes_on = (self.back != before or reader.waits) and not self.pipe.ending
            silent_s, before = 0.0 if goes_on else silent_s + LOOK_S, self.back
            if silent_s > moment_s:
                reader.abort()

    async def _end(self) -> None:
        """Have the program end, if it has not."""
        process, self._process = self._process, None
        assert process is not None
        for number in (signal.SIGTERM, signal.SIGKILL):
            process.end(number)
            for _ in range(int(DRAIN_S / LOOK_S)):
                if process.exit_code is None:
                    await self.wait(LOOK_S)
        process.close()

    def abort(self) -> None:
        super().abort()
        if self._process is not None:
            self._process.abandon()
