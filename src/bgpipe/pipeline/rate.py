"""How many messages a second a stage takes."""

from __future__ import annotations

import math
import time

_MOST = 0xFFFFFFFF


class Bucket:
    """A token bucket that starts full, holds the tokens of a second, and may be overdrawn.

    rate: tokens a second; its burst is the next whole number.
    """

    __slots__ = ("_at_s", "_burst", "_level", "rate")

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._burst = math.ceil(rate)
        self._level: float = self._burst
        self._at_s = time.monotonic()

    def available(self) -> int:
        """Tokens there are now, no more than a batch can have messages."""
        now_s = time.monotonic()
        self._level = min(self._burst, self._level + (now_s - self._at_s) * self.rate)
        self._at_s = now_s
        return max(0, math.floor(min(self._level, _MOST)))

    def take(self, count: int) -> None:
        """Take tokens, there or not."""
        self._level -= count

    def debt_s(self) -> float:
        """How long it takes until nothing is overdrawn any more, to the microsecond."""
        self.available()
        return max(0.0, round(-self._level / self.rate, 6))
