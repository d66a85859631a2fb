"""Log lines on standard error: one line each, for people, or as JSON for machines."""

from __future__ import annotations

import os

from bgpipe.errors import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgpipe.pipeline.stage import Stage

LEVELS = ("debug", "info", "warn", "error", "disabled")
_PREFIX = ("debug: ", "", "warning: ", "")


_PIECE = 4096  # octets that a pipe takes at once if it takes any (PIPE_BUF)
_PATIENCE_S = 1.0


class _Drain:
    """Where the lines go. Who does not read them holds nothing up for longer than a moment, once.

    stuck: nobody takes any. left_out: lines that were not taken since it was told last.
    """

    __slots__ = ("_fd", "left_out", "stuck")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.stuck = False
        self.left_out = 0

    def write(self, data: bytes) -> None:
        import select

        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while data:
            if not poll.poll(0 if self.stuck else _PATIENCE_S * 1000):
                self.stuck = True
                self.left_out += 1
                return
            data = data[os.write(self._fd, data[:_PIECE]) :]
        self.stuck = False


class Log:
    """Writes lines of `level` and above.

    before: called in front of each line (a progress bar takes itself off the screen there).
    """

    __slots__ = ("_admits", "_drain", "_json", "_least", "_peer", "before", "fd")

    def __init__(self, level: str = "info", form: str = "text", fd: int = 2) -> None:
        self._least = LEVELS.index(level)
        self._json = form == "json"
        self._peer = ""
        self._admits: Callable[[], bool] | None = None
        self.fd = fd
        self._drain = _Drain(fd)
        self.before: Callable[[], object] | None = None

    def of(self, peer: str, admits: Callable[[], bool] | None) -> Log:
        """One whose lines name this peer, where there are many. admits: whether one more is to be written."""
        log = Log(LEVELS[self._least], "json" if self._json else "text", self.fd)
        log._drain = self._drain
        log._peer = peer
        log._admits = admits
        return log

    def debug(self, text: str, stage: Stage | None = None, event: str = "") -> None:
        self._write(0, text, stage, event)

    def info(self, text: str, stage: Stage | None = None, event: str = "") -> None:
        self._write(1, text, stage, event)

    def warn(self, text: str, stage: Stage | None = None, event: str = "") -> None:
        self._write(2, text, stage, event)

    def error(self, text: str, stage: Stage | None = None, event: str = "", detail: Sequence[str] = ()) -> None:
        """detail: lines below the first one, such as a traceback; for machines they are a list."""
        self._write(3, text, stage, event, detail)

    def _write(self, level: int, text: str, stage: Stage | None, event: str, detail: Sequence[str] = ()) -> None:
        if level < self._least or (self._admits is not None and not self._admits()):
            return
        if self._json:
            line = _json_line(level, self._peer, text, stage, event, detail)
        else:
            where = f"{self._peer}: " if self._peer else ""
            where += f"{stage.label}: " if stage is not None else ""
            line = visible(f"bgpipe: {_PREFIX[level]}{where}{event}{': ' if event and text else ''}{text}") + "\n"
            line += "".join(f"  {visible(more)}\n" for more in detail)
        if self.before is not None:
            self.before()
        try:
            self._drain.write(line.encode("utf-8", "backslashreplace"))
        except OSError:  # nobody reads our log: that is no reason to stop the work
            return
        if self._drain.left_out and not self._drain.stuck:
            left_out, self._drain.left_out = self._drain.left_out, 0
            self._write(3, f"{left_out} lines in front of the last one found no reader, and are lost", None, "")


def _json_line(
    level: int, peer: str, text: str, stage: Stage | None, event: str, detail: Sequence[str]
) -> str:
    import json
    import time

    now = time.time_ns()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1_000_000_000))
    fields: dict[str, object] = {"time": f"{stamp}.{now // 1_000_000 % 1000:03d}Z", "level": LEVELS[level]}
    if peer:
        fields["peer"] = peer
    if stage is not None:
        fields["stage"] = stage.label
    if event:
        fields["event"] = event
    if text:
        fields["message"] = text
    if detail:
        fields["detail"] = detail
    return json.dumps(fields) + "\n"


class Tally:
    """Counts mishaps that may be many: the first LINES get a line each, then close() tells how many there were.

    what: what is counted, for the summary: "messages that do not parse".
    """

    LINES = 10
    __slots__ = ("_event", "_log", "_stage", "_what", "total")

    def __init__(self, log: Log, what: str, stage: Stage | None = None, event: str = "") -> None:
        self._log = log
        self._what = what
        self._stage = stage
        self._event = event
        self.total = 0

    @property
    def full(self) -> bool:
        """Whether further ones get no line, so that none need be made."""
        return self.total >= self.LINES

    def count(self, text: str) -> None:
        if not self.full:
            self._log.warn(text, self._stage, self._event)
        self.total += 1

    def close(self) -> None:
        if self.total > self.LINES:
            more = self.total - self.LINES
            self._log.warn(f"{self.total} {self._what} in all, {more} of them not shown", self._stage, self._event)


class Allowance:
    """So many lines a minute."""

    PERIOD_S = 60.0
    __slots__ = ("_left", "_lines", "_since_s")

    def __init__(self, lines: int) -> None:
        self._lines = self._left = lines
        self._since_s = 0.0

    def admits(self) -> bool:
        """Whether one more is to be written."""
        import time

        now_s = time.monotonic()
        if now_s - self._since_s >= self.PERIOD_S:
            self.close()
            self._since_s, self._left = now_s, self._lines
        self._left -= 1
        return self._left >= 0

    def close(self) -> None:
        """The minute is over."""


class Throttle(Allowance):
    """Of lines that may come for years, so many of a minute are written; the next one tells how many were not.

    what: what is counted: "clients were refused". total: how many there were.
    """

    __slots__ = ("_log", "_stage", "_untold", "_what", "total")

    def __init__(self, log: Log, what: str, stage: Stage | None = None, lines: int = 10) -> None:
        super().__init__(lines)
        self._log = log
        self._what = what
        self._stage = stage
        self._untold = self.total = 0

    def admits(self) -> bool:
        self.total += 1
        admitted = super().admits()
        self._untold += not admitted
        return admitted

    @property
    def silent(self) -> bool:
        """Whether the last one was not written."""
        return self._left < 0

    def count(self, text: str) -> None:
        if self.admits():
            self._log.warn(text, self._stage)

    def close(self) -> None:
        """Tell how many were not written."""
        if self._untold:
            self._log.warn(f"{self._untold} more {self._what}", self._stage)
        self._untold = 0
