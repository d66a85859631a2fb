"""A session that passes through a proxy, between two speakers that are not ours.

    left peer  --came R-->  [left end]   stages   [right end]  --went R-->  right peer
    left peer  <--went L--  [left end]   stages   [right end]  <--came L--  right peer

Each `End` is one TCP connection. Its peer knows the OPEN that it sent and the one that it got from us; stages may have
changed either, so each end comes to an agreement of its own, and what one peer sends has to be decoded by one and
encoded by the other. An end's timers see to it that a peer that is gone is noticed, and that one that has to wait is
kept. OPENs are not judged: the two speakers do that, and collisions (RFC 4271 section 6.8) are theirs as well.

A `Watch` has both ends and tells the events of the session, each at the message that causes it, on its way out. It sees
only messages that it has an interest in: once a session is up and its tables are through, none but OPENs and
NOTIFICATIONs. An UPDATE that could be an End-of-RIB is told by its length.

Nothing here does input or output. An end collects what is to be sent to its peer (`take`), and says when it is `over`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from bgpipe._view import Msg, SessionContext
from bgpipe.bgp.causes import (
    HOLD_TIMER_EXPIRED,
    KEEPALIVE,
    KEEPALIVE_MESSAGE,
    NOTIFICATION,
    OPEN,
    SEND_HOLD_TIMER_EXPIRED,
    UPDATE,
    Cause,
    cease,
)
from bgpipe.bgp.events import Alive, EndOfRib, EndOfRibs, Established, Opened, Seen, Updated
from bgpipe.bgp.negotiation import Negotiated, Offer
from bgpipe.bgp.notifications import ADMIN_RESET, ADMIN_SHUTDOWN
from bgpipe.bgp.timers import OPEN_HOLD_S, Timer, Timers

# Octets of an UPDATE that may be an End-of-RIB: nothing at all, or an MP_UNREACH without prefixes, short or extended.
END_OF_RIB_LENGTHS = (23, 29, 30)
# Who is behind us has a hold timer as well, and its NOTIFICATION is the better one: both peers see the same.
MARGIN_S = 2.0
END_OF_RIB = 1 << 32  # in an interest, beside a bit for each message type


class End:
    """One TCP connection of a proxy, and the peer behind it.

    name: "left" or "right". theirs, ours: the OPEN that its peer sent, and the one that it got, or None. negotiated:
    what the peer has agreed on with us, or None. timers: those of the connection, None while there is none. cause: why
    it ends, if there was a NOTIFICATION. over: nothing is to be sent any more once `take` has given what is left; close
    the connection.
    """

    def __init__(self, name: str, jitter: Callable[[], float]) -> None:
        self.name = name
        self.negotiated: Negotiated | None = None
        self.timers: Timers | None = None
        self.cause: Cause | None = None
        self.over = False
        self._jitter = jitter
        self.theirs: Offer | None = None
        self.ours: Offer | None = None
        self._alive = False
        self._waiting = False
        self._out: list[bytes] = []

    @property
    def receive(self) -> SessionContext:
        """What decoding the messages from this peer depends on."""
        return self.negotiated.receive if self.negotiated is not None else SessionContext()

    @property
    def send(self) -> SessionContext:
        """What the messages for this peer have to be encoded for."""
        return self.negotiated.send if self.negotiated is not None else SessionContext()

    def connected(self, now: float) -> None:
        """There is a connection."""
        self.timers = Timers(now, margin_s=MARGIN_S, jitter=self._jitter)

    def closed(self) -> None:
        """The connection is gone."""
        self.over = True

    def came(self, msg: Msg, now: float) -> None:
        """A message from the peer, as it came."""
        if msg.type_code == OPEN:
            self.theirs = self.theirs or _offer(msg)
            self._agree(now)
            if self.negotiated is None and self.timers is not None:  # no sooner than it can be answered
                self.timers.opening(OPEN_HOLD_S, now)
        elif msg.type_code == NOTIFICATION:
            self._ended(msg)

    def went(self, msg: Msg, now: float) -> None:
        """A message for the peer, as it leaves."""
        if msg.type_code == OPEN:
            self.ours = self.ours or _offer(msg)
            self._agree(now)
        elif msg.type_code == KEEPALIVE:
            self._alive = True
            self.waiting(self._waiting)
        elif msg.type_code == NOTIFICATION:
            self._ended(msg)

    def waiting(self, on: bool) -> None:
        """Whether messages for this peer are held up behind us: KEEPALIVEs of our own then keep its session.

        Not before one of the other speaker has gone to it: it accepts an OPEN, and that is not for us to do.
        """
        self._waiting = on
        if self.timers is not None:
            self.timers.keeping(on and self._alive)

    def end(self, cause: Cause) -> None:
        """End the session with this peer: a NOTIFICATION, unless there has been one or there is no connection."""
        if not self.over and self.timers is not None:
            self.cause = cause
            self._out.append(cause.wire)
        self.over = True

    def take(self) -> list[bytes]:
        """Messages of our own to send now, behind whatever has been written."""
        out, self._out = self._out, []
        return out

    def next_deadline(self) -> float | None:
        """When to call `tick`, in seconds, or None."""
        return self.timers.next_deadline() if self.timers is not None and not self.over else None

    def tick(self, now: float) -> bool:
        """Do what is due. Returns whether the session came to its end."""
        if self.timers is None or self.over:
            return False
        match self.timers.tick(now):
            case Timer.KEEPALIVE:
                self._out.append(KEEPALIVE_MESSAGE)
            case Timer.HOLD:
                silence = f"nothing came from the {self.name} for {self.timers.hold_s:g} s"
                if self.negotiated is None:
                    silence = f"there is no session with the {self.name} after {self.timers.hold_s:g} s"
                self.end(Cause(HOLD_TIMER_EXPIRED, reason=silence))
            case Timer.SEND_HOLD:
                self.end(Cause(SEND_HOLD_TIMER_EXPIRED, reason=f"the {self.name} has stopped reading"))
        return self.over

    def _agree(self, now: float) -> None:
        if self.negotiated is None and self.ours is not None and self.theirs is not None:
            self.negotiated = Negotiated.of(self.ours, self.theirs)
            if self.timers is not None:
                self.timers.agree(self.negotiated.hold_time, now)

    def _ended(self, msg: Msg) -> None:
        self.cause = self.cause or Cause.parse(msg.body)
        self.over = True


class Watch:
    """Follows one session through a proxy: `left` and `right` are its ends.

    came() and went() take the messages of a batch whose type is in `interest`, in their order, where they come in and
    where they go out. An end that is no connection (a speaker of ours, a file) is left alone, and has no timers.
    """

    def __init__(self, *, jitter: Callable[[], float] = random.random) -> None:
        self.left = End("left", jitter)
        self.right = End("right", jitter)
        self.negotiated: Negotiated | None = None
        self._ways = {"L": _Way("L"), "R": _Way("R")}

    def interest(self, direction: str) -> int:
        """Which messages of a direction to show: bit n for type n, END_OF_RIB for UPDATEs of one of its lengths.

        It changes with what was shown. A batch has to end behind such a message: what follows may be decoded otherwise.
        """
        return self._ways[direction].interest

    def came(self, msg: Msg, now: float) -> None:
        """A message that came in at one end, before any stage saw it."""
        (self.left if msg.dir == "R" else self.right).came(msg, now)

    def went(self, msg: Msg, now: float) -> list[Seen]:
        """A message that goes out at the other end, behind all stages; what that means for the session."""
        (self.right if msg.dir == "R" else self.left).went(msg, now)
        way = self._ways[msg.dir]
        found = way.see(msg)
        if self.negotiated is None:
            return found + self._establish() if found else found
        return found + way.all_ribs(self.negotiated.families)

    def next_deadline(self) -> float | None:
        """When to call `tick`, in seconds, or None."""
        return min((when for end in (self.left, self.right) if (when := end.next_deadline()) is not None), default=None)

    def tick(self, now: float) -> None:
        """Do what is due: KEEPALIVEs for a peer that waits; the end, for both peers, where one is gone."""
        for end, other in ((self.left, self.right), (self.right, self.left)):
            if end.tick(now):
                other.end(cease(f"the other side of the proxy: {end.cause}", ADMIN_RESET))

    def end(self, text: str = "", subcode: int = ADMIN_SHUTDOWN) -> None:
        """A Cease to both peers (RFC 9003)."""
        self.left.end(cease(text, subcode))
        self.right.end(cease(text, subcode))

    def _establish(self) -> list[Seen]:
        right, left = self._ways["R"], self._ways["L"]
        if right.offer is None or left.offer is None or not (right.alive and left.alive):
            return []
        agreed = self.negotiated = Negotiated.of(right.offer, left.offer)
        return [Established(agreed), *right.all_ribs(agreed.families), *left.all_ribs(agreed.families)]


class _Way:
    """What went out in one direction."""

    def __init__(self, direction: str) -> None:
        self.direction = direction
        self.offer: Offer | None = None
        self.alive = False
        self.updated = False
        self.ribs: list[str] = []
        self.complete = False

    @property
    def interest(self) -> int:
        mask = 1 << OPEN | 1 << NOTIFICATION
        if not self.alive:
            mask |= 1 << KEEPALIVE
        if not self.updated:
            mask |= 1 << UPDATE
        return mask if self.complete else mask | END_OF_RIB

    def see(self, msg: Msg) -> list[Seen]:
        kind = msg.type_code
        if kind == OPEN and self.offer is None:
            self.offer = _offer(msg)
            return [] if self.offer is None else [Opened(self.direction, self.offer)]
        if kind == KEEPALIVE and not self.alive:
            self.alive = True
            return [Alive(self.direction)]
        if msg.update is None:
            return []
        found: list[Seen] = [] if self.updated else [Updated(self.direction)]
        self.updated = True
        family = msg.update.end_of_rib if msg.error is None else None
        if family is not None and family not in self.ribs:
            self.ribs.append(family)
            found.append(EndOfRib(self.direction, family))
        return found

    def all_ribs(self, families: tuple[str, ...]) -> list[Seen]:
        if self.complete or not families or not set(families) <= set(self.ribs):
            return []
        self.complete = True
        return [EndOfRibs(self.direction, families)]


def _offer(msg: Msg) -> Offer | None:
    found = Offer.parse(msg.body)
    return found if isinstance(found, Offer) else None
