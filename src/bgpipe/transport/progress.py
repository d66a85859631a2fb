"""How far a long job on a terminal is: bytes of its source, messages a second, and when it will be done."""

from __future__ import annotations

import os
import time

from bgpipe.errors import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from bgpipe.transport.source import Source

_PATIENCE_S = 0.5  # rich takes 75 ms to import, which a short job does not have
_INTERVAL_S = 0.1


def open_progress(source: Source) -> Progress | None:
    """A progress bar on standard error if that is a terminal. If messages go there too, the caller knows."""
    return Progress(source) if os.isatty(2) else None


class Progress:
    """Draws nothing before the job has run for half a second, and leaves nothing behind."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._begin_s = time.monotonic()
        self._due_s = self._begin_s + _PATIENCE_S

    def update(self, messages: int) -> None:
        """Draw anew, if a while has passed. messages: how many have been read so far."""
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + _INTERVAL_S
        if self._bar is None:
            self._bar = self._start()
        assert self._task is not None
        rate = f"{messages / (now_s - self._begin_s):,.0f} messages/s"
        self._bar.update(self._task, completed=self._source.raw_pos, rate=rate)
        self._bar.refresh()

    def close(self) -> None:
        """Take the bar off the terminal; update() draws it anew."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _start(self) -> Bar:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
        )
        self._task = bar.add_task(visible(self._source.name) or "-", total=self._source.raw_size, rate="")
        bar.start()
        return bar
