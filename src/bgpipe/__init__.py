"""bgpipe: a pipeline for BGP messages.

    with bgpipe.write("updates.json.zst") as out:
        for batch in bgpipe.read("updates.20251107.2300.gz").batches():
            out.write(batch)

    bgpipe.Pipeline("read updates.20251107.2300.gz -- write updates.mrt.zst").run_sync()

Names are imported when they are first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgpipe._codec import Batch
    from bgpipe.errors import (
        BgpipeError,
        ClosedOutput,
        InputError,
        JsonError,
        MessageError,
        MrtError,
        StageError,
        UsageError,
    )
    from bgpipe.files import Reader, Writer, read, write
    from bgpipe.pipeline.engine import Pipeline
    from bgpipe.pipeline.events import Event

__version__ = "0.1.0"

_HOMES = {
    "Batch": "_codec",
    "BgpipeError": "errors",
    "ClosedOutput": "errors",
    "Event": "pipeline.events",
    "InputError": "errors",
    "JsonError": "errors",
    "MessageError": "errors",
    "MrtError": "errors",
    "Pipeline": "pipeline.engine",
    "Reader": "files",
    "StageError": "errors",
    "UsageError": "errors",
    "Writer": "files",
    "read": "files",
    "write": "files",
}

__all__ = [
    "Batch",
    "BgpipeError",
    "ClosedOutput",
    "Event",
    "InputError",
    "JsonError",
    "MessageError",
    "MrtError",
    "Pipeline",
    "Reader",
    "StageError",
    "UsageError",
    "Writer",
    "__version__",
    "read",
    "write",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(__import__(f"{__name__}.{_HOMES[name]}", fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
