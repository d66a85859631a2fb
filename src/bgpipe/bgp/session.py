"""Our own end of a BGP session: the state machine of RFC 4271 section 8, from a connection on.

    IDLE  --connected, active-->  OPEN_SENT  --OPEN-->  OPEN_CONFIRM  --KEEPALIVE-->  ESTABLISHED
      \\---connected, passive-->  ACTIVE  ----OPEN--------^                               |
                                     any of them  --error, NOTIFICATION, timer-->  CLOSED

An active speaker sends its OPEN first; a passive one waits for the other's, takes from it what it was not told (its AS
number, its identifier), and answers with OPEN and KEEPALIVE. Connecting, retrying and collisions (sections 6.8 and
8.2.1) are the business of whoever has the connections; after CLOSED it takes a new speaker.

Nothing here does input or output, or looks at a clock: messages and times come in, `take` gives what to send and
`events` what happened. Whatever comes in, nothing is raised; at most one NOTIFICATION is sent, and nothing behind it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Literal

from bgpipe._attributes import at, expected, number
from bgpipe._view import Msg
from bgpipe.bgp import capabilities as caps
from bgpipe.bgp.causes import (
    BAD_LENGTH,
    HEADER_ERROR,
    HOLD_TIMER_EXPIRED,
    KEEPALIVE,
    KEEPALIVE_MESSAGE,
    LONGEST,
    NOTIFICATION,
    OPEN,
    ROUTE_REFRESH,
    SEND_HOLD_TIMER_EXPIRED,
    UPDATE,
    Cause,
    cease,
    header_error,
    message_error,
    resets,
    unexpected,
)
from bgpipe.bgp.events import Ended, Established
from bgpipe.bgp.negotiation import SHORTEST_HOLD_S, Negotiated, Offer
from bgpipe.bgp.notifications import ADMIN_SHUTDOWN
from bgpipe.bgp.open import AS_TRANS, HOLD_TIME_S, encode_identifier
from bgpipe.bgp.timers import OPEN_HOLD_S, Timer, Timers
from bgpipe.errors import FieldError, MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgpipe.bgp.capabilities import Capability

ALL_TYPES = 0xFFFFFFFF
WITHOUT_STATE = 1 << UPDATE | 1 << KEEPALIVE | 1 << ROUTE_REFRESH
CAPABILITIES: tuple[Capability, ...] = tuple(
    caps.from_object(
        {
            "MP": ["IPV4/UNICAST", "IPV6/UNICAST", "IPV4/FLOWSPEC", "IPV6/FLOWSPEC"],
            "ROUTE_REFRESH": True,
            "EXTENDED_MESSAGE": True,
            "AS4": 0,
        }
    )
)


class State(Enum):
    """RFC 4271 section 8.2.2. ACTIVE: connected, and waiting for the other side's OPEN before ours is sent."""

    IDLE = "Idle"
    ACTIVE = "Active"
    OPEN_SENT = "OpenSent"
    OPEN_CONFIRM = "OpenConfirm"
    ESTABLISHED = "Established"
    CLOSED = "Closed"


# The subcode for a message that a state does not expect (RFC 6608). ACTIVE waits for an OPEN as OPEN_SENT does.
UNEXPECTED = {State.ACTIVE: 1, State.OPEN_SENT: 1, State.OPEN_CONFIRM: 2, State.ESTABLISHED: 3}


class Speaker:
    """One speaker, one connection.

    active: send the OPEN first. asn: our AS number, -1 for that of the peer. id: our BGP identifier, an address or a
    number; None: 0.0.0.1 if active, else the one below the peer's. hold_time: seconds, 0 for none. remote_asn: the AS
    number that the peer must have, -1 for any. remote_hold: the least hold time it may offer, in seconds, 0 for any.
    capabilities: what we offer, (code, octets) each; the AS number of AS4 is filled in, and AS4 added where the AS
    number needs it. tolerant: end the session for a malformed UPDATE only where RFC 7606 does, not for each (RFC 4271
    section 6.3). jitter: gives a number from 0 to 1. FieldError for what does not fit.

    state, negotiated (from OPEN_CONFIRM on), timers (while there is a connection) and cause (when CLOSED by a
    NOTIFICATION) are to be looked at.
    """

    def __init__(
        self,
        *,
        active: bool = False,
        asn: int = -1,
        id: str | int | None = None,  # noqa: A002
        hold_time: int = HOLD_TIME_S,
        remote_asn: int = -1,
        remote_hold: int = 0,
        capabilities: Iterable[Capability] = CAPABILITIES,
        tolerant: bool = True,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._active = active
        self._remote_asn = remote_asn if remote_asn == -1 else _field("remote_asn", remote_asn, 1, 0xFFFFFFFF)
        self._asn = asn if asn != -1 else self._remote_asn
        if self._asn != -1:
            _field("asn", self._asn, 1, 0xFFFFFFFF)
        elif active:
            raise expected(-1, "an AS number: who sends the OPEN first cannot take that of the peer").under("asn")
        self._id = None if id is None else int.from_bytes(at("id", encode_identifier, id))
        if self._id == 0:
            raise expected(id, "a BGP identifier other than zero (RFC 6286)").under("id")
        self._hold_time = _field("hold_time", hold_time, 0, 0xFFFF)
        if 0 < self._hold_time < SHORTEST_HOLD_S:
            raise expected(hold_time, "3 seconds at least, or 0 for no hold time (RFC 4271)").under("hold_time")
        self._remote_hold = _field("remote_hold", remote_hold, 0, 0xFFFF)
        self._capabilities = tuple(capabilities)
        if (size := len(self._offer(0xFFFFFFFF, 1).wire)) > LONGEST:
            raise FieldError(f"an OPEN of {size} octets, {LONGEST} is the most (RFC 8654 section 4)", "capabilities")
        self._tolerant = tolerant
        self._jitter = jitter
        self._local: Offer | None = None
        self._out: list[bytes] = []
        self._events: list[Established | Ended] = []
        self._states: list[State] = []
        self.state = State.IDLE
        self.negotiated: Negotiated | None = None
        self.timers: Timers | None = None
        self.cause: Cause | None = None

    # ---- what happens ------------------------------------------------------------------------------------------

    def connected(self, now: float) -> None:
        """There is a connection, `now`, in seconds."""
        if self.state is not State.IDLE:
            return
        self.timers = Timers(now, hold_s=OPEN_HOLD_S, jitter=self._jitter)
        self._enter(State.ACTIVE)
        if self._active:
            self._send_open(self._offer(self._asn, self._id or 1))
            self._enter(State.OPEN_SENT)

    @property
    def interest(self) -> int:
        """Which messages to `receive`: bit n for type n, bit 0 for types without a name.

        When ESTABLISHED, UPDATEs, KEEPALIVEs and ROUTE-REFRESHs need not: `heard` is enough, and `malformed` for what
        does not parse.
        """
        if self.state is State.CLOSED:
            return 0
        return ALL_TYPES & ~WITHOUT_STATE if self.state is State.ESTABLISHED else ALL_TYPES

    def heard(self, now: float) -> None:
        """Messages have come: once for all of a read will do. Of messages that others send, tell `timers.sent`."""
        if self.timers is not None:
            self.timers.heard(now)

    def receive(self, wire: bytes, now: float) -> None:
        """One message, header included; of one whose header is wrong, its 19 octets will do."""
        if self.state in (State.IDLE, State.CLOSED):
            return
        extended = self.negotiated is not None and self.negotiated.receive.extended_messages
        wrong = header_error(wire, extended=extended)
        if wrong is None and int.from_bytes(wire[16:18]) != len(wire):
            wrong = Cause(HEADER_ERROR, BAD_LENGTH, wire[16:18], f"{len(wire)} octets")
        if wrong is not None:
            self._end("us", wrong)
            return
        self.heard(now)
        kind, body = wire[18], wire[19:]
        if kind == NOTIFICATION:
            self._end("peer", Cause.parse(body))
        elif kind == OPEN and self.state in (State.ACTIVE, State.OPEN_SENT):
            self._opened(body, now)
        elif kind == KEEPALIVE and self.state is State.OPEN_CONFIRM and self.negotiated is not None:
            self._enter(State.ESTABLISHED)
            self._events.append(Established(self.negotiated))
        elif kind == OPEN or self.state is not State.ESTABLISHED:
            self._end("us", unexpected(kind, UNEXPECTED[self.state], self.state.value))
        elif kind != KEEPALIVE and self.negotiated is not None:
            error = Msg(wire, context=self.negotiated.receive).error
            if error is not None:
                self.malformed(error, wire)

    def malformed(self, error: MessageError, wire: bytes) -> None:
        """A message that does not parse (`Batch.failures`), and its octets. Whether it is the end: see `tolerant`."""
        if not self._tolerant or resets(error):
            self._end("us", header_error(wire, extended=True) or message_error(error, wire))

    def close(self, text: str = "", subcode: int = ADMIN_SHUTDOWN) -> None:
        """End the session with a Cease, and a text for the operator of the other side (RFC 9003)."""
        self._end("us", cease(text, subcode))

    def fail(self, cause: Cause) -> None:
        """End the session for this reason."""
        self._end("us", cause)

    def lost(self) -> None:
        """The connection is gone."""
        self._end("connection", None)

    # ---- what is due -------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When to call `tick`, in seconds, or None."""
        return self.timers.next_deadline() if self.timers is not None else None

    def tick(self, now: float) -> None:
        """Do what is due."""
        match self.timers.tick(now) if self.timers is not None else None:
            case Timer.KEEPALIVE:
                self._out.append(KEEPALIVE_MESSAGE)
            case Timer.HOLD:
                self._end("us", Cause(HOLD_TIMER_EXPIRED, reason="the peer has gone silent"))
            case Timer.SEND_HOLD:
                self._end("us", Cause(SEND_HOLD_TIMER_EXPIRED, reason="the peer has stopped reading"))

    def take(self) -> list[bytes]:
        """Messages to send. When CLOSED these are the last: close the connection behind them."""
        out, self._out = self._out, []
        return out

    def events(self) -> list[Established | Ended]:
        """What has happened since it was asked last."""
        events, self._events = self._events, []
        return events

    def entered(self) -> list[State]:
        """The states that it came to since it was asked last, in order."""
        states, self._states = self._states, []
        return states

    # ---- how -----------------------------------------------------------------------------------------------------

    def _offer(self, asn: int, identifier: int) -> Offer:
        """Our OPEN. AS numbers of four octets: RFC 6793 section 4.1."""
        pairs = [(code, asn.to_bytes(4) if code == caps.AS4 else value) for code, value in self._capabilities]
        if asn > 0xFFFF and not any(code == caps.AS4 for code, _ in pairs):
            pairs.append((caps.AS4, asn.to_bytes(4)))
        return Offer(asn if asn <= 0xFFFF else AS_TRANS, self._hold_time, identifier, tuple(pairs))

    def _send_open(self, offer: Offer) -> None:
        self._local = offer
        self._out.append(offer.wire)

    def _opened(self, body: bytes, now: float) -> None:
        remote = Offer.parse(body)
        if isinstance(remote, Cause):
            self._end("us", remote)
            return
        local = self._local
        if local is None:
            below = remote.id - 1 if remote.id > 1 else 2
            local = self._offer(remote.asn if self._asn == -1 else self._asn, below if self._id is None else self._id)
            if local.asn:  # even if theirs is refused: before an OPEN, some routers do not expect a NOTIFICATION
                self._send_open(local)
        wrong = remote.refusal(local, asn=self._remote_asn, shortest_hold=self._remote_hold)
        if wrong is not None:
            self._end("us", wrong)
            return
        self._out.append(KEEPALIVE_MESSAGE)
        self.negotiated = Negotiated.of(local, remote)
        self._enter(State.OPEN_CONFIRM)
        if self.timers is not None:
            self.timers.agree(self.negotiated.hold_time, now)
            self.timers.sent(now)
            self.timers.keeping(True)

    def _enter(self, state: State) -> None:
        self.state = state
        self._states.append(state)

    def _end(self, by: Literal["us", "peer", "connection"], cause: Cause | None) -> None:
        if self.state is State.CLOSED:
            return
        if by == "us" and cause is not None and self.state is not State.IDLE:
            self._out.append(cause.wire)
        self._enter(State.CLOSED)
        self.timers = None
        self.cause = cause
        self._events.append(Ended(by, cause))


def _field(name: str, value: object, least: int, most: int) -> int:
    """`value` as a number within bounds, or the FieldError that names it."""
    found = at(name, lambda given: number(given, most, "a number"), value)
    if found < least:
        raise expected(value, f"a number ({least} to {most})").under(name)
    return found
