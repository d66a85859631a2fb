"""Signals that end a pipeline in good order."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]

HANGUP: int = _signal.SIGHUP


def that_end() -> tuple[int, ...]:
    """SIGINT, SIGTERM, and SIGHUP where it is not ignored: that is what nohup asks for."""
    hangup = () if _signal.getsignal(HANGUP) == _signal.SIG_IGN else (HANGUP,)
    return _signal.SIGINT, _signal.SIGTERM, *hangup


def handlers() -> dict[int, object]:
    """Those that they have, for `restore`."""
    return {number: _signal.getsignal(number) for number in that_end()}


def restore(before: dict[int, object]) -> None:
    """Give them back the handlers that they had."""
    for number, handler in before.items():
        if handler is not None:  # None: not set from Python
            _signal.signal(number, handler)
