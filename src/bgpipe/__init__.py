"""bgpipe: a pipeline for BGP messages.

    for msg in bgpipe.read("updates.20251107.2300.gz"):
        if msg.update is not None:
            print(msg.datetime, msg.update.announced, msg.update.as_path)

    with bgpipe.write("updates.json.zst") as out:
        for batch in bgpipe.read("updates.20251107.2300.gz").batches():
            out.write(batch)

    bgpipe.Pipeline("read updates.20251107.2300.gz -- write updates.mrt.zst").run_sync()

Names are imported when they are first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgpipe._attributes import ExtCommunity, Prefix
    from bgpipe._codec import Batch
    from bgpipe._update import AsPath, Update
    from bgpipe._view import Msg, SessionContext
    from bgpipe.bgp.messages import Notification, Open, RouteRefresh
    from bgpipe.errors import (
        BgpipeError,
        BmpError,
        ClosedOutput,
        FieldError,
        FilterError,
        InputError,
        JsonError,
        MessageError,
        MrtError,
        PassingError,
        RecordError,
        StageError,
        UsageError,
    )
    from bgpipe.files import Reader, Writer, read, write
    from bgpipe.filters import Filter
    from bgpipe.pipeline.engine import Pipeline
    from bgpipe.pipeline.events import Event

__version__ = "0.1.0"

_HOMES = {
    "AsPath": "_update",
    "Batch": "_codec",
    "BgpipeError": "errors",
    "BmpError": "errors",
    "ClosedOutput": "errors",
    "Event": "pipeline.events",
    "ExtCommunity": "_attributes",
    "FieldError": "errors",
    "Filter": "filters",
    "FilterError": "errors",
    "InputError": "errors",
    "JsonError": "errors",
    "MessageError": "errors",
    "MrtError": "errors",
    "Msg": "_view",
    "Notification": "bgp.messages",
    "Open": "bgp.messages",
    "PassingError": "errors",
    "Pipeline": "pipeline.engine",
    "Prefix": "_attributes",
    "Reader": "files",
    "RecordError": "errors",
    "RouteRefresh": "bgp.messages",
    "SessionContext": "_view",
    "StageError": "errors",
    "Update": "_update",
    "UsageError": "errors",
    "Writer": "files",
    "read": "files",
    "write": "files",
}

__all__ = [
    "AsPath",
    "Batch",
    "BgpipeError",
    "BmpError",
    "ClosedOutput",
    "Event",
    "ExtCommunity",
    "FieldError",
    "Filter",
    "FilterError",
    "InputError",
    "JsonError",
    "MessageError",
    "MrtError",
    "Msg",
    "Notification",
    "Open",
    "PassingError",
    "Pipeline",
    "Prefix",
    "Reader",
    "RecordError",
    "RouteRefresh",
    "SessionContext",
    "StageError",
    "Update",
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
