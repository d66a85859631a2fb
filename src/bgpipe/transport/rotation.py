"""A sink that starts a new file at every full period of the clock."""

from __future__ import annotations

import os

from bgpipe.errors import UsageError
from bgpipe.transport.sink import open_sink
from bgpipe.transport.timepath import DEFAULT_FORMAT, expand_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bgpipe.transport.sink import Sink
    from bgpipe.transport.source import FileId

SHORTEST_S = 60


class RotatingSink:
    """Bytes go to one file a period, named by the period's start in UTC.

    A period begins where the clock, in seconds since 1970, is a multiple of every_s. The first file of a run
    that starts amid a period is named by the time of that where the period's own name is taken, so that a
    restart replaces nothing; with append it goes on with the period's file. A period in which nothing was
    written leaves no file.

    Times are handed in, in seconds since 1970. inputs tells, each time a file is opened, which are being read.
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
        self._finished_bytes = 0
        start = now_s - now_s % every_s
        path = self._path(start)
        if path == self._path(start + every_s):
            raise UsageError(f"{template}: with --every the path needs a time that differs from file to file")
        if os.path.lexists(path) and not append and not create:
            path = self._path(now_s)
        self._next_s = start + every_s
        self._sink = self._open(path)

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

    def rotate(self, now_s: float) -> bool:
        """Finish the file and open the next one if it is time for that: whether it was. Raises StageError."""
        if now_s < self._next_s:
            return False
        start = now_s - now_s % self._every_s
        self._sink.finish()
        self._finished_bytes += self._sink.bytes_written
        self._next_s = start + self._every_s
        self._sink = self._open(self._path(start))
        return True

    def write(self, buffer: bytes | bytearray | memoryview) -> None:
        self._sink.write(buffer)

    def flush(self) -> None:
        self._sink.flush()

    def finish(self) -> None:
        self._sink.finish()

    def abort(self) -> None:
        """Give up the file that is being written. Those before it stay."""
        self._sink.abort()

    def _path(self, time_s: float) -> str:
        return expand_path(self._template, time_s, self._time_format)

    def _open(self, path: str) -> Sink:
        return open_sink(
            path,
            compress=self._compress,
            append=self._append,
            create=self._create,
            threads=self._threads,
            inputs=self._inputs(),
        )
