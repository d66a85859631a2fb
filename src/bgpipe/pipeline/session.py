"""The BGP session that passes through a live pipeline, between what is at its two ends.

It is there when a stage speaks BGP (connect, listen, speaker). As a stage that the command line does not have it stands
behind all others on both lines, sees the messages that matter to the session as they leave (bgp/watch.py), and tells
the events OPEN, ALIVE, UPDATE, ESTABLISHED, EOR_AF and EOR. The stages at the ends are its members: they learn from it
in which context to decode, when there is something to send that no stage has made, and when one of them ends.
"""

from __future__ import annotations

import asyncio

from bgpipe._view import message_at
from bgpipe.bgp import events as found
from bgpipe.bgp.causes import NOTIFICATION, OPEN, Cause, cease
from bgpipe.bgp.notifications import ADMIN_RESET, ADMIN_SHUTDOWN, CEASE
from bgpipe.bgp.watch import Watch
from bgpipe.pipeline.events import PIPE, Event
from bgpipe.pipeline.options import duration
from bgpipe.pipeline.stage import BOTH, DIRECTION_NAMES, LEFT, RIGHT, Stage, StageOptions
from bgpipe.transport.tcp import endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgpipe._codec import Batch
    from bgpipe._view import Msg
    from bgpipe.bgp.watch import End
    from bgpipe.pipeline.engine import Pipeline

_BEHIND = 0.75  # all stages of the command line, and on_message; in front of the tap that -o adds


class SessionEvent(Event):
    """Something happened to the session.

    seen: what, one of those of bgpipe.bgp.events: Opened, Alive, Updated, Established, EndOfRib, EndOfRibs.
    """

    __slots__ = ("seen",)

    def __init__(self, seen: found.Seen, batch: Batch, index: int) -> None:
        super().__init__(PIPE, seen.name, batch, index)
        self.seen = seen

    def describe(self) -> str:
        seen = self.seen
        if isinstance(seen, found.Opened):
            offer = seen.offer
            return f"{seen.direction}: AS {offer.asn}, id {offer.address}, hold time {offer.hold_time} s"
        if isinstance(seen, found.Established):
            left, right = seen.negotiated.local, seen.negotiated.remote
            families = ", ".join(seen.negotiated.families) or "no family"
            return f"AS {left.asn} and AS {right.asn}, hold time {seen.negotiated.hold_time} s, {families}"
        if isinstance(seen, found.EndOfRib):
            return f"{seen.direction}: {seen.family}"
        return seen.direction


class Member:
    """What a stage at an end of the session is told.

    calls: it makes a connection, to where nobody may be. judges: it ends the session itself for what must not come.
    """

    calls = False
    judges = False

    def tune(self) -> None:
        """What its messages are to be decoded and encoded for may have changed."""

    def progress(self, now: float) -> None:
        """Tell the timers whether the peer has taken something of what waits to be sent."""

    def listening(self, on: bool) -> None:
        """Whether what another member's peer says is read; it may be saying something when it is not."""

    def settle(self) -> None:
        """There may be something to send, and it may be the last."""

    def ended(self) -> None:
        """Another member has ended: what it sent is through, and no more comes."""


class Session(Stage):
    """The session of a pipeline: `watch`, and its members."""

    command = "session"
    options_class = StageOptions
    looks = True
    live = True  # it has nothing to wait for
    changes = False

    def __init__(self, pipe: Pipeline) -> None:
        options = StageOptions(left=True, right=True, args=False, wait=(), stop=())
        super().__init__(pipe, 0, self.command, options)
        self.label = self.command
        self.directions = BOTH
        self.places = dict.fromkeys((RIGHT, LEFT), pipe.count + _BEHIND)
        self.start_on = (f"{PIPE}/START",)
        self.watch = Watch()
        self.members: list[Member] = []
        self.failures: dict[End, Cause] = {}  # ends with peers that cannot go on
        self.said: dict[End, Cause | None] = {}  # the NOTIFICATION that the peer at an end had us end with
        self.connected_s: float | None = None  # since when there is a connection, in the time of the loop
        self.given_up = False  # one peer went before the other one was there
        self.tags = False  # whether tags tell who sent a message
        self.established_s: float | None = None  # since when it is up, in the time of the loop
        self._look()
        self._timer: asyncio.TimerHandle | None = None
        self._settling = False
        self._goodbye = False  # peers are told, and so is the log
        self._waiting = {RIGHT: 0, LEFT: 0}  # batches

    @classmethod
    def of(cls, pipe: Pipeline) -> Session:
        """The one of this pipeline."""
        if pipe.session is None:
            pipe.session = cls(pipe)
            pipe.stages.append(pipe.session)
        return pipe.session

    def end(self, side: int) -> End:
        """The end at that side, LEFT or RIGHT."""
        return self.watch.left if side == LEFT else self.watch.right

    def ends(self, side: int, *, ours: bool) -> dict[str, str]:
        """As tags, who sends on the connection at that side, and who gets it (RFC 6396 section 4.4.2).

        The peer is who sent a message, the local end who it came to. ours: what we send there, else what comes.
        """
        end, name = self.end(side), "L" if side == LEFT else "R"
        ends = [(self.pipe.values.get(f"{name}_REMOTE"), end.theirs), (self.pipe.values.get(f"{name}_LOCAL"), end.ours)]
        found = {}
        for which, (place, offer) in zip(("PEER", "LOCAL"), reversed(ends) if ours else ends, strict=True):
            if place is not None:
                found[f"{which}_IP"] = endpoint(place)[0].partition("%")[0]
            if offer is not None:
                found[f"{which}_AS"] = str(offer.asn)
        return found

    def cut(self, direction: int) -> int:
        """Which messages of a direction are to end the batch that they come in."""
        return self._cut[direction]

    # ---- what happens ------------------------------------------------------------------------------------------

    def connected(self, now: float) -> None:
        """There is a connection."""
        if self.connected_s is None:
            self.connected_s = now

    def waiting(self, directions: int, on: bool) -> None:
        """A batch of these directions waits on its way to a peer, or does so no more."""
        for direction in (RIGHT, LEFT):
            if direction & directions:
                self._waiting[direction] += 1 if on else -1
                if self._waiting[direction] == on:  # the first to wait, or the last one no more
                    self.end(direction).waiting(on)
                    self.changed()

    def came(self, batch: Batch) -> Cause | None:
        """The last message of a batch is of interest: it came from a peer. Returns why it does not pass; see fail()."""
        msg = message_at(batch, len(batch) - 1)
        end = self.end(LEFT if msg.dir == "R" else RIGHT)
        if msg.type_code == NOTIFICATION and not end.over:
            self.said[end] = Cause.parse(msg.body)
        wrong = self.watch.came(msg, asyncio.get_running_loop().time())
        self._tune(msg.type_code == OPEN)
        judged = len(self.members) == 2 and any(member.judges for member in self.members)
        return None if judged else wrong

    def process(self, batch: Batch, directions: int) -> None:
        for direction in (RIGHT, LEFT):
            if direction & directions:
                for index in batch.find(self._interest[direction], direction):
                    self._see(message_at(batch, index), batch)

    def _see(self, msg: Msg, batch: Batch) -> None:
        now = asyncio.get_running_loop().time()
        seen = self.watch.went(msg, now)
        if any(isinstance(event, found.Established) for event in seen):
            self.established_s = now
        self._tune(msg.type_code == OPEN or bool(seen))
        for event in seen:
            if not self.pipe.closed:
                self.pipe.emit(SessionEvent(event, batch, msg.index))

    def _tune(self, differs: bool) -> None:
        before = self._cut
        self._look()
        if differs or before != self._cut:
            for member in self.members:
                member.tune()
        self.changed()

    def _look(self) -> None:
        self._interest = {way: self.watch.interest(DIRECTION_NAMES[way]) for way in (RIGHT, LEFT)}
        self._cut = {way: self.watch.cut(DIRECTION_NAMES[way]) for way in (RIGHT, LEFT)}

    def changed(self) -> None:
        """Timers may run otherwise than before, and there may be something to send."""
        if not self._settling:
            self._settling = True
            asyncio.get_running_loop().call_soon(self._settle)

    def _settle(self) -> None:
        self._settling = False
        for member in self.members:
            member.settle()
        when = self.watch.next_deadline()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._tick) if when is not None else None

    def _tick(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for member in self.members:
            member.progress(now)
        ends = [end for end in (self.watch.left, self.watch.right) if not end.over]
        self.watch.tick(now)
        for end in ends:
            if end.over and end.cause is not None and end.cause.code != CEASE:
                self.failures[end] = end.cause
        self._settle()

    # ---- the end -----------------------------------------------------------------------------------------------

    def member_ended(self, member: Member) -> None:
        """All that it sent is through."""
        for other in self.members:
            if other is not member:
                other.ended()

    def fail(self, end: End, cause: Cause) -> None:
        """The peer at this end cannot go on, for this reason: the other one is told, too."""
        other = self.watch.right if end is self.watch.left else self.watch.left
        self.failures[end] = cause
        end.end(cause)
        other.end(cease(f"the other side of the proxy: {cause}", ADMIN_RESET))
        self._settle()

    def stopped(self) -> None:
        """A member was told to stop: without it there is no session, so that all others have to end, too."""
        if not self.pipe.ending:
            self.pipe.end()

    def goodbye(self) -> Cause:
        """What a peer is told when the pipeline ends."""
        failure = self.pipe.failure or (self.pipe.whole.failure if self.pipe.whole is not None else None)
        cause = cease("bgpipe was stopped", ADMIN_SHUTDOWN)
        if failure is not None:
            cause = cease(f"bgpipe: {failure}", ADMIN_RESET)
        if not self._goodbye:
            self._goodbye = True
            self.pipe.log.info(f"we end the session: {cause}")
        return cause

    def report(self) -> None:
        """Once all is over: tell how long the session lasted, if there was one, and what flowed."""
        if self.connected_s is not None:
            lasted = duration(round(asyncio.get_running_loop().time() - self.connected_s, 1))
            right, left = self.pipe.counts
            self.pipe.log.info(f"the session is over after {lasted}: {right} messages to the right, {left} to the left")

    def finish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        self.finish()
