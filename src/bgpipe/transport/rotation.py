"""A sink that starts a new file at every full period of the clock."""

from __future__ import annotations

import os

from bgpipe.errors import UsageError
from bgpipe.transport.sink import Remains, open_sink, see_to_remains
from bgpipe.transport.timepath import DEFAULT_FORMAT, expand_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bgpipe.transport.sink import Sink
    from bgpipe.transport.source import FileId

SHORTEST_S = 60


class RotatingSink:
    """Bytes go to one file a period, named by the period's start in UTC.

    A period begins where the clock, in seconds since 1970, is a multiple of every_s. A file whose name is taken
    is named by the time at which it is begun, and where that is taken as well, it gets a number, so that neither
    a restart nor a clock that is set back replaces anything; with append it goes on with the period's file. A
    period in which nothing was written leaves no file.

    Times are handed in, in seconds since 1970. inputs tells, each time a file is opened, which are being read.
    remains: what is done with that which a run left behind, of this period or another one.
    """

    def __init__(
        self,
        template: str,
        every_s: float,
        now_s: float,
        *,
        time_format: str = DEFAULT_FORMAT,
        compress: str = "auto",
        append: bool = False,
        create: bool = False,
        threads: int = 1,
        inputs: Callable[[], Collection[FileId | None]] = tuple,
        remains: Remains | None = None,
    ) -> None:
        """Open the first file. Raises StageError, and UsageError for a path that not every period changes."""
        if every_s < SHORTEST_S:
            raise UsageError(f"--every must be at least {SHORTEST_S}s")
        self._template = template
        self._every_s = every_s
        self._time_format = time_format
        self._compress = compress
        self._append = append
        self._create = create
        self._threads = threads
        self._inputs = inputs
        self._remains = remains or Remains(compress=compress)
        self._finished_bytes = self._finished_lost = 0
        start = now_s - now_s % every_s
        if self._path(start) == self._path(start + every_s):
            raise UsageError(f"{template}: with --every the path needs a time that differs from file to file")
        for left in self._left_behind():
            see_to_remains(left, self._remains)
        self._next_s = start + every_s
        self._sink = self._open(start, now_s)
        self._between = False  # one file is finished, and the next one not open yet

    @property
    def path(self) -> str:
        """The file that is being written."""
        return self._sink.path

    @property
    def file(self) -> FileId | None:
        """As that of Sink."""
        return self._sink.file

    @property
    def next_s(self) -> float:
        """When the next file is due."""
        return self._next_s

    @property
    def bytes_written(self) -> int:
        """As that of Sink, over all files."""
        return self._finished_bytes + self._sink.bytes_written

    @property
    def lost(self) -> int:
        """As that of Sink, over all files."""
        return self._finished_lost + self._sink.lost

    def rotate(self, now_s: float) -> bool:
        """Finish the file and open the next one if it is time for that: whether it was. Raises StageError.

        DiskFull: it comes again before anything is written.
        """
        if now_s < self._next_s:
            return False
        start = now_s - now_s % self._every_s
        if not self._between:
            self._sink.finish()
            self._between = True
        sink = self._open(start, now_s)
        self._finished_bytes += self._sink.bytes_written
        self._finished_lost += self._sink.lost
        self._next_s = start + self._every_s
        self._sink, self._between = sink, False
        return True

    def write(self, buffer: bytes | bytearray | memoryview, messages: int = 0) -> None:
        self._sink.write(buffer, messages)

    def retry(self) -> None:
        self._sink.retry()

    def cut(self) -> None:
        if not self._between:
            self._sink.cut()

    def flush(self) -> None:
        self._sink.flush()

    def finish(self) -> None:
        self._sink.finish()

    def abort(self) -> None:
        """Give up the file that is being written. Those before it stay."""
        self._sink.abort()

    def _path(self, time_s: float, number: int = 1) -> str:
        return expand_path(self._template, time_s, self._time_format, number)

    def _open(self, start: float, now_s: float) -> Sink:
        path = self._path(start)
        if not (self._append or self._create):
            number = 1
            while os.path.lexists(path):
                path = self._path(now_s, number)
                number += 1
        return open_sink(
            path,
            compress=self._compress,
            append=self._append,
            create=self._create,
            threads=self._threads,
            inputs=self._inputs(),
            remains=self._remains,
        )

    def _left_behind(self) -> list[str]:
        """Paths of this template, at whatever time, of which there is a temporary file."""
        import glob

        found: list[str] = []
        for numbers in (range(1, 2), range(2, 10), range(10, 100)):
            # Times in which each digit of a date differs: these may be any digit, all else stays.
            shapes = [self._path(day * 86400.0 * 137 + day * 4271, numbers[day % len(numbers)]) for day in range(200)]
            if len({len(shape) for shape in shapes}) > 1:
                return []
            pattern = ""
            for column in zip(*shapes, strict=True):
                seen = set(column)
                pattern += "[0-9]" if len(seen) > 1 and "".join(seen).isdigit() else glob.escape(min(seen))
            found += (path.removesuffix(".tmp") for path in glob.glob(f"{pattern}.tmp"))  # noqa: PTH207
        return sorted(found)
