"""A program that runs beside us, with pipes for its standard input, output and error."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess

from bgpipe.errors import StageError
from bgpipe.transport import pipes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Process:
    """The program.

    stdin: a descriptor to write to, stdout: one to read from; -1 for none. say: gets each line of its standard error.
    changed: called when it has ended. It has a session of its own, so that an interrupt of the terminal is not for it.

    exit_code: as subprocess has it; None while it runs, 255 where somebody else has waited for it, or SIGCHLD is
    ignored. Raises StageError where it cannot be started.

    Once it has ended it is kept, as a zombie, until close(): as long as that is so, nobody else can have its number, to
    whom signals for what it started would go.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        reads: bool,
        writes: bool,
        say: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self.name = words[0]
        self._changed = changed
        self.exit_code: int | None = None
        self._abandoned = False  # nobody is going to close it
        ours: list[int] = []
        theirs: list[int] = []
        try:
            self.stdin = self._pipe(ours, theirs, to_it=True) if reads else -1
            self.stdout = self._pipe(ours, theirs, to_it=False) if writes else -1
            stderr = self._pipe(ours, theirs, to_it=False)
            self._popen = subprocess.Popen(
                words,
                stdin=theirs[0] if reads else subprocess.DEVNULL,
                stdout=theirs[-2] if writes else subprocess.DEVNULL,
                stderr=theirs[-1],
                start_new_session=True,
            )
            self._pidfd = self._watch()
        except (OSError, ValueError) as error:
            for fd in ours:
                os.close(fd)
            raise StageError(f"cannot run {self.name}: {_advice(error)}") from None
        finally:
            for fd in theirs:
                os.close(fd)
        self._lines = pipes.Lines(stderr, say)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._pidfd, self._ended)

    @staticmethod
    def _pipe(ours: list[int], theirs: list[int], *, to_it: bool) -> int:
        reading, writing = os.pipe()
        pipes.widen(reading)
        ours.append(writing if to_it else reading)
        theirs.append(reading if to_it else writing)
        return ours[-1]

    def _watch(self) -> int:
        try:
            return os.pidfd_open(self._popen.pid)
        except OSError:  # no descriptors are left
            self._popen.kill()
            self._popen.wait()
            raise

    def _ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        try:
            found = os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            self.exit_code = self._popen.returncode = 255  # its number may be that of somebody else by now
        else:
            assert found is not None
            self.exit_code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
        self._changed()
        if self._abandoned:
            self.close()

    def close(self) -> None:
        """Hear no more of it. If it has ended, what it has started and left behind is to end, too."""
        self._abandoned = True
        if self.exit_code is not None and self._popen.returncode is None:
            self._signal(signal.SIGTERM)
            self._popen.wait()
        self._lines.close()

    def abandon(self) -> None:
        """Have it end, and hear no more of it."""
        self.end()
        self.close()

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it, and what it started, a signal."""
        if self.exit_code is None:
            self._signal(number)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)

    @property
    def fate(self) -> str:
        """How it ended, for people."""
        code = self.exit_code
        if code is None:
            return f"{self.name} still runs"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"{self.name} was killed by {signal.Signals(-code).name}"
            return f"{self.name} was killed by signal {-code}"
        return f"{self.name} ended with exit code {code}"


def _advice(error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "there is no such program; give its path, or put its folder into PATH"
    if isinstance(error, PermissionError):
        return "permission denied; is it executable (chmod +x)?"
    if error.strerror == "Exec format error":
        return "it is no program; does its first line say what runs it (#!/usr/bin/env python3)?"
    return (error.strerror or str(error)).lower()
