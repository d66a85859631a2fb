"""How long to wait until something is tried again: longer and longer, and not all at the same time."""

from __future__ import annotations

import random

FIRST_S, LONGEST_S = 1.0, 60.0


class Backoff:
    """Doubles from `first_s` (FIRST_S) up to LONGEST_S; each wait is up to a quarter less, by chance (RFC 4271 §10)."""

    __slots__ = ("_first_s", "_next_s")

    def __init__(self, first_s: float = 0.0) -> None:
        self._first_s = self._next_s = first_s or FIRST_S

    def next_s(self) -> float:
        """How long to wait this time, in seconds."""
        wait_s = self._next_s * random.uniform(0.75, 1)
        self._next_s = min(2 * self._next_s, LONGEST_S)
        return wait_s

    def reset(self) -> None:
        """It went well: begin anew."""
        self._next_s = self._first_s
