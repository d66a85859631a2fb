"""The timers of one BGP connection (RFC 4271 section 8, RFC 9687). Times are seconds of a clock that never goes back.

Whoever owns the connection says what happened and when, and calls `tick` at `next_deadline`. What happens often costs
an assignment: a timer that was put off is looked at when it would have gone off, and waited for again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum

OPEN_HOLD_S = 240.0  # RFC 4271 section 8.2.2: until hold times are agreed on
SEND_HOLD_S = 480.0  # RFC 9687 section 3.3: this, or twice the hold time if that is more
KEEPALIVE_S = 1.0  # RFC 4271 section 4.4: no more than one a second
LATE_S = 1.0
GRACE_S = 1.0


class Timer(Enum):
    """Which one went off."""

    HOLD = "hold timer"
    SEND_HOLD = "send hold timer"
    KEEPALIVE = "keepalive timer"


class Timers:
    """Hold timer, keepalive timer and send hold timer.

    hold_s: the hold time, 0 for none of the three. margin_s: how much later than it the hold timer goes off. now:
    seconds. jitter: gives numbers from 0 to 1 (RFC 4271 section 10).
    """

    __slots__ = (
        *("_agreed", "_gap", "_heard", "_jitter", "_keeping", "_late", "_margin", "_reading", "_sent", "_stuck"),
        "hold_s",
    )

    def __init__(
        self,
        now: float,
        *,
        hold_s: float = OPEN_HOLD_S,
        margin_s: float = 0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._jitter = jitter
        self._margin = margin_s
        self._reading = True
        self._keeping = False
        self._stuck: float | None = None
        self._sent = now
        self.opening(hold_s, now)

    def opening(self, hold_s: float, now: float) -> None:
        """How long, in seconds, to wait from now on for a session to come about. It counts whether we read or not."""
        self._agreed = False
        self._hold_for(hold_s, now)

    def agree(self, hold_s: float, now: float) -> None:
        """The hold time, in seconds, from now on."""
        self._agreed = True
        self._hold_for(hold_s, now)

    def _hold_for(self, hold_s: float, now: float) -> None:
        self.hold_s = hold_s
        self._heard = now
        # What had been heard last when we were late, and until when that is forgiven.
        self._late: tuple[float | None, float] = (None, 0.0)
        self._gap = self._interval()

    # ---- what happens ------------------------------------------------------------------------------------------

    def heard(self, now: float) -> None:
        """A whole message has come, or several: once a read will do."""
        self._heard = now

    def sent(self, now: float) -> None:
        """The kernel has taken something of what was written."""
        self._sent = now

    def reading(self, on: bool, now: float) -> None:
        """Whether we read what the peer sends. The hold timer stands still while we do not, and then starts anew.

        Not so before hold times are agreed on: who waits for us is not to wait for ever.
        """
        self._reading = on
        self._heard = now

    def writing(self, on: bool, now: float) -> None:
        """Whether the kernel takes what we write. While it does not, the send hold timer runs."""
        if on or self._stuck is None:
            self._stuck = None if on else now

    def keeping(self, on: bool) -> None:
        """Whether KEEPALIVEs are to be sent when nothing else is."""
        self._keeping = on

    # ---- what is due -------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When to call `tick`, or None. What happens may put it off; `keeping`, `reading`, `writing` may move it up."""
        deadlines = (self._hold(), self._send_hold(), self._keepalive())
        return min((when for when in deadlines if when is not None), default=None)

    def tick(self, now: float) -> Timer | None:
        """The timer that has gone off, if one has. HOLD and SEND_HOLD are the end; KEEPALIVE is started anew.

        A hold timer that we look at late may be our own fault, with the peer's messages waiting to be read: the first
        time, it is given another second.
        """
        hold, send_hold, keepalive = self._hold(), self._send_hold(), self._keepalive()
        if hold is not None and now >= hold:
            if now - hold <= LATE_S or self._late[0] == self._heard:
                return Timer.HOLD
            self._late = (self._heard, now + GRACE_S)
        if send_hold is not None and now >= send_hold:
            return Timer.SEND_HOLD
        if keepalive is not None and now >= keepalive:
            self._sent = now
            self._gap = self._interval()
            return Timer.KEEPALIVE
        return None

    def _hold(self) -> float | None:
        if not self.hold_s or (self._agreed and not self._reading):
            return None
        heard, until = self._late
        return until if heard == self._heard else self._heard + self.hold_s + self._margin

    def _send_hold(self) -> float | None:
        if not self.hold_s or self._stuck is None:
            return None
        return max(self._stuck, self._sent) + max(SEND_HOLD_S, 2 * self.hold_s)

    def _keepalive(self) -> float | None:
        """None while nothing can be written: a KEEPALIVE would wait behind what does."""
        return self._sent + self._gap if self._keeping and self.hold_s and self._stuck is None else None

    def _interval(self) -> float:
        """A third of the hold time (RFC 4271 section 4.4), less up to a quarter of it (section 10)."""
        return max(KEEPALIVE_S, self.hold_s / 3 * (1 - self._jitter() / 4))
