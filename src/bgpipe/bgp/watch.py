"""A session that passes through a proxy, between two speakers that are not ours.

    left peer  --came R-->  [left end]   stages   [right end]  --went R-->  right peer
    left peer  <--went L--  [left end]   stages   [right end]  <--came L--  right peer

Each `End` is one TCP connection. Its peer knows the OPEN that it sent and the one that it got from us; stages may have
changed either, so each end comes to an agreement of its own, and what one peer sends has to be decoded by one and
encoded by the other. An end's timers see to it that a peer that is gone is noticed, and that one that has to wait is
kept. Whether to accept an OPEN is for the two speakers, and collisions (RFC 4271 section 6.8) are theirs as well. But
what nobody between them can be sure to read as they do does not pass, and is the end: an OPEN that does not parse or is
not clear, a second one, and routes before there is an agreement. No speaker that keeps to the RFCs says such a thing.

A `Watch` has both ends and tells the events of the session, each at the message that causes it, on its way out. It sees
only messages that it has an interest in: once a session is up and its tables are through, none but OPENs and
NOTIFICATIONs.

Nothing here does input or output. An end collects what is to be sent to its peer (`take`), and says when it is `over`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from bgpipe._view import Msg, SessionContext
from bgpipe.bgp.causes import (
    HEADER_SIZE,
    HOLD_TIMER_EXPIRED,
    KEEPALIVE,
    KEEPALIVE_MESSAGE,
    NOTIFICATION,
    OPEN,
    ROUTE_REFRESH,
    SEND_HOLD_TIMER_EXPIRED,
    UPDATE,
    Cause,
    cease,
    header_error,
    unexpected,
)
from bgpipe.bgp.events import Alive, EndOfRib, EndOfRibs, Established, Opened, Seen, Updated
from bgpipe.bgp.negotiation import Negotiated, Offer
from bgpipe.bgp.notifications import ADMIN_RESET, ADMIN_SHUTDOWN
from bgpipe.bgp.timers import OPEN_HOLD_S, Timer, Timers

# Who is behind us has a hold timer as well, and its NOTIFICATION is the better one: both peers see the same.
MARGIN_S = 2.0
END_OF_RIB = 1 << 32  # in an interest, beside a bit for each message type
MOST_CUTS = 1000  # batches of a direction that end behind a message for the sake of events
MOST_IDLE = 1000  # End-of-RIBs that nobody waits for, until no others are looked for
ROUTES = 1 << UPDATE | 1 << ROUTE_REFRESH


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
        self._alive = False  # a KEEPALIVE has gone to it
        self._confirmed = False  # and one has come from it
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

    @property
    def interest(self) -> int:
        """Which messages from the peer `came` has to see."""
        mask = 1 << OPEN | 1 << NOTIFICATION
        if self.negotiated is None:
            mask |= ROUTES
        return mask if self._confirmed else mask | 1 << KEEPALIVE

    def came(self, msg: Msg, now: float) -> Cause | None:
        """A message from the peer, as it came. Returns why the session cannot go on: it is not to pass then."""
        kind = msg.type_code
        if kind == NOTIFICATION:
            self._ended(msg)
        elif kind == OPEN and self.theirs is None:
            return self._opened(msg, now)
        elif kind == OPEN or (ROUTES >> kind & 1 and self.negotiated is None):
            return header_error(msg.wire[:HEADER_SIZE]) or unexpected(kind, *self._state)
        elif kind == KEEPALIVE and self.theirs is not None:
            self._confirmed = True
        return None

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

    @property
    def _state(self) -> tuple[int, str]:
        """The state that the session with the peer is in, and its number in RFC 6608."""
        if self.theirs is None:
            return 1, "OpenSent"
        return (3, "Established") if self.negotiated is not None and self._confirmed else (2, "OpenConfirm")

    def _opened(self, msg: Msg, now: float) -> Cause | None:
        found = Offer.parse(msg.body)
        wrong = found.unclear if isinstance(found, Offer) else found
        if wrong is not None or not isinstance(found, Offer):
            return wrong
        self.theirs = found
        self._agree(now)
        if self.negotiated is None and self.timers is not None:  # no sooner than it can be answered
            self.timers.opening(OPEN_HOLD_S, now)
        return None

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

    came() takes messages in `cut` where they come in, went() those in `interest` where they go out, in their order.
    Both are masks of what is wanted: bit n for type n, END_OF_RIB for UPDATEs that are one. They change with what was
    shown. An end that is no connection (a speaker of ours, a file) is left alone, and has no timers.
    """

    def __init__(self, *, jitter: Callable[[], float] = random.random) -> None:
        self.left = End("left", jitter)
        self.right = End("right", jitter)
        self.negotiated: Negotiated | None = None
        self._agreed: Negotiated | None = None
        self._ways = {"L": _Way("L"), "R": _Way("R")}

    def cut(self, direction: str) -> int:
        """Behind which messages of a direction a batch has to end: what follows may be decoded otherwise, or is seen by
        a stage that an event starts. A peer cannot have that done for ever.
        """
        way = self._ways[direction]
        return self._from(direction).interest | (way.interest if way.cuts < MOST_CUTS else 0)

    def interest(self, direction: str) -> int:
        """Which messages of a direction to show where they go out."""
        return self._ways[direction].interest

    def came(self, msg: Msg, now: float) -> Cause | None:
        """A message that came in at one end, before any stage saw it; see End.came()."""
        self._ways[msg.dir].cuts += 1
        return self._from(msg.dir).came(msg, now)

    def went(self, msg: Msg, now: float) -> list[Seen]:
        """A message that goes out at the other end, behind all stages; what that means for the session."""
        (self.right if msg.dir == "R" else self.left).went(msg, now)
        found = self._ways[msg.dir].see(msg)
        if self._agreed is None:
            self._agree()
        if self.negotiated is None and self._agreed is not None and all(way.alive for way in self._ways.values()):
            self.negotiated = self._agreed
            found.append(Established(self.negotiated))
            for way in self._ways.values():
                found += way.all_ribs()
        elif self.negotiated is not None:
            found += self._ways[msg.dir].all_ribs()
        return found

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

    def _from(self, direction: str) -> End:
        return self.left if direction == "R" else self.right

    def _agree(self) -> None:
        right, left = self._ways["R"], self._ways["L"]
        if right.offer is not None and left.offer is not None:
            self._agreed = Negotiated.of(right.offer, left.offer)
            right.families = left.families = self._agreed.families


class _Way:
    """What went out in one direction."""

    def __init__(self, direction: str) -> None:
        self.direction = direction
        self.offer: Offer | None = None
        self.alive = False
        self.updated = False
        self.families: tuple[str, ...] = ()  # agreed on: no others are looked for
        self.ribs: set[str] = set()
        self.complete = False
        self.cuts = 0
        self.idle = 0  # End-of-RIBs that nobody waits for

    @property
    def interest(self) -> int:
        mask = 1 << OPEN | 1 << NOTIFICATION
        if not self.alive:
            mask |= 1 << KEEPALIVE
        if not self.updated:
            mask |= 1 << UPDATE
        if self.families and not self.complete and self.idle < MOST_IDLE:
            mask |= END_OF_RIB
        return mask

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
        if family in self.families and family not in self.ribs:
            self.ribs.add(family)
            found.append(EndOfRib(self.direction, family))
        elif family is not None:
            self.idle += 1
        return found

    def all_ribs(self) -> list[Seen]:
        if self.complete or not self.families or len(self.ribs) < len(self.families):
            return []
        self.complete = True
        return [EndOfRibs(self.direction, self.families)]


def _offer(msg: Msg) -> Offer | None:
    found = Offer.parse(msg.body)
    return found if isinstance(found, Offer) else None
