"""What has arrived of that which went out over WebSocket connections, by their pings (RFC 6455 section 5.5). No I/O.

What the kernel takes may never get there, and nobody says so. Hence who sends puts pings in between, with the words
`bgpipe NAME N`: of the connection NAME, N frames came before this. Every WebSocket answers with the same words, behind
those frames; a bgpipe does so when their messages are written. Where a connection breaks, what was not confirmed may
have arrived or not. If both ends live on, and are bgpipe, the next connection brings it to light. The client opens it

- with a pong `bgpipe NAME N` for each connection over which it was taking: it took N frames, and takes no more of them;
- with a ping `bgpipe NAME ?` for each one over which it was sending: the server breaks off what it still holds for
  this connection, takes what had come over it, and says how much that was by such a pong. Then it answers the ping, as
  all do: who gets this answer alone does not learn it from there.

A NAME is known to its two ends, and random: nobody else can ask or tell.
"""

from __future__ import annotations

import os
from collections import deque

_WORD = b"bgpipe"
_LONGEST = 125  # RFC 6455 section 5.5
_MOST_FRAMES = 1_000_000  # that are not confirmed: more than any buffers on the way hold
_MOST = 1000  # connections that are remembered


def words(name: str, frames: int | None) -> bytes:
    """What a ping or pong says. frames: None asks how many there were."""
    return b"%s %s %s" % (_WORD, name.encode(), b"?" if frames is None else b"%d" % frames)


def parse(data: bytes) -> tuple[str, int | None] | None:
    """The name and number of these words; None where they are somebody else's."""
    parts = bytes(data).split(b" ")
    if len(data) > _LONGEST or len(parts) != 3 or parts[0] != _WORD or not (parts[1].isalnum() and parts[1].isascii()):
        return None
    if parts[2] == b"?":
        return parts[1].decode(), None
    return (parts[1].decode(), int(parts[2])) if parts[2].isdigit() else None


class Receipt:
    """Of a connection: what has gone out, and what is open, that is, not confirmed.

    name: what both ends call the connection. open: messages. answered: the far end has ever confirmed something.
    settled: the far end takes no more of what is open.
    """

    __slots__ = ("_asked", "_confirmed", "_frames", "_sent", "answered", "name", "open", "settled")

    def __init__(self) -> None:
        self.name = os.urandom(16).hex()
        self.open = 0
        self.answered = self.settled = False
        self._frames: deque[int] = deque()  # how many messages there are in each that is open
        self._sent = self._confirmed = 0  # frames
        self._asked = False

    def sent(self, messages: int) -> None:
        """A frame with so many messages goes out."""
        self._frames.append(messages)
        self._sent += 1
        self.open += messages

    @property
    def due(self) -> bool:
        """Whether there is something to ask, and no question on its way."""
        if len(self._frames) > _MOST_FRAMES:  # nobody answers: it is not to be known any more
            self._frames = deque(maxlen=0)
        return not self._asked and self._sent > self._confirmed

    def ask(self) -> bytes:
        """The ping behind all that went out by now."""
        self._asked = True
        return words(self.name, self._sent)

    def confirm(self, frames: int) -> None:
        """The far end has taken so many."""
        self.answered, self._asked = True, False
        while self._frames and self._confirmed < frames:
            self.open -= self._frames.popleft()
            self._confirmed += 1

    def settle(self, frames: int) -> None:
        """The far end has taken so many, and that is all. Where this was not to be known, it stays so."""
        self.confirm(frames)
        self.settled = self._confirmed + len(self._frames) == self._sent


class Receipts:
    """Those of connections that are over, for the next ones: what is open, and how many frames were taken.

    Of each there is a bounded number.
    """

    def __init__(self) -> None:
        self._open: dict[str, tuple[Receipt, float]] = {}
        self._taken: dict[str, int] = {}

    def push(self, receipt: Receipt, now_s: float) -> list[Receipt]:
        """Keep one; what there is no room for any more."""
        self._open[receipt.name] = receipt, now_s
        return [self._open.pop(next(iter(self._open)))[0]] if len(self._open) > _MOST else []

    def pop(self, name: str) -> Receipt | None:
        return self._open.pop(name, (None, 0.0))[0]

    def before(self, time_s: float) -> list[Receipt]:
        """Take those that have been here since before this time."""
        old = [receipt for receipt, since_s in self._open.values() if since_s < time_s]
        for receipt in old:
            del self._open[receipt.name]
        return old

    @property
    def open(self) -> list[str]:
        return list(self._open)

    def take(self, name: str, frames: int) -> None:
        """So many came over a connection of somebody else's."""
        self._taken[name] = frames
        if len(self._taken) > _MOST:
            del self._taken[next(iter(self._taken))]

    def taken(self, name: str) -> int | None:
        return self._taken.get(name)

    def latest(self, count: int) -> list[tuple[str, int]]:
        """The last ones that were taken."""
        return list(self._taken.items())[-count:]
