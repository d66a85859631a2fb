"""speaker: a BGP speaker of our own, which opens and keeps a session."""

from __future__ import annotations

import asyncio

from bgpipe._codec import RawDecoder
from bgpipe._view import message_at
from bgpipe.bgp import session
from bgpipe.bgp.events import Ended
from bgpipe.errors import FieldError, StageError
from bgpipe.pipeline.events import ParseEvent, StageEvent
from bgpipe.pipeline.options import TEXT, integer, option
from bgpipe.pipeline.session import Member, Session
from bgpipe.pipeline.stage import BOTH, LEFT, ProducerOptions, Stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgpipe._codec import Batch
    from bgpipe.bgp.causes import Cause

_ASN = integer(-1, most=0xFFFFFFFF)


class StateEvent(StageEvent):
    """The session came to another state (RFC 4271 section 8.2.2). state: which. cause: why it was Closed, if known."""

    __slots__ = ("cause", "state")

    def __init__(self, stage: Stage, state: session.State, cause: Cause | None) -> None:
        super().__init__(stage, "state")
        self.state = state
        self.cause = cause

    def describe(self) -> str:
        return f"{self.state.value}{f': {self.cause}' if self.cause is not None else ''}"


class SpeakerOptions(ProducerOptions):
    """Options of speaker."""

    active: bool = option("--active", "send the OPEN first; else it answers that of the peer")
    asn: int = option("--asn", "our AS number, -1 for that of the peer", kind=_ASN, default=-1)
    id: str | None = option("--id", "our BGP identifier; else 0.0.0.1, or the one below the peer's", kind=TEXT)
    hold: int = option("--hold", "hold time in seconds, 0 for none", kind=integer(0, most=65535), default=90)
    remote_asn: int = option("--remote-asn", "AS number that the peer must have, -1 for any", kind=_ASN, default=-1)
    remote_hold: int = option(
        "--remote-hold", "least hold time in seconds that the peer may offer", kind=integer(0, most=65535), default=0
    )


class Speaker(Stage, Member):
    """Speaks BGP."""

    command = "speaker"
    summary = "speak BGP: open a session and keep it"
    text = (
        "Opens a BGP session with the peer at the other end of the pipeline, and keeps it: OPEN, KEEPALIVEs, hold "
        "timer, and the right NOTIFICATION where something is wrong. It offers IPv4 and IPv6, unicast and flowspec, AS "
        "numbers of 4 octets, route refresh and extended messages. Routes are the business of other stages."
    )
    options_class = SpeakerOptions
    options: SpeakerOptions
    produces = True
    looks = True
    live = True
    judges = True
    events = ("state",)

    def attach(self) -> None:
        if self.options.left and self.options.right:
            raise self.error("it speaks to one side: -L or -R")
        options = self.options
        try:
            self._speaker = session.Speaker(
                active=options.active,
                asn=options.asn,
                id=options.id,
                hold_time=options.hold,
                remote_asn=options.remote_asn,
                remote_hold=options.remote_hold,
            )
        except FieldError as error:
            raise self.error(f"--{str(error).replace('_time', '').replace('_', '-')}") from None
        self._framing = RawDecoder(direction="L" if self.directions == LEFT else "R")
        self.session = Session.of(self.pipe)
        self.session.members.append(self)

    def takes(self, direction: int) -> bool:
        return direction == BOTH - self.directions

    def prepare(self) -> None:
        self._changed = asyncio.Event()

    def reads(self) -> str:
        return "nothing: it speaks for itself"

    # ---- messages of the peer ----------------------------------------------------------------------------------

    def process(self, batch: Batch, directions: int) -> None:
        now = self._begin()
        speaker = self._speaker
        for index in batch.find(speaker.interest, directions):
            speaker.receive(message_at(batch, index).wire, now)
        if speaker.state is session.State.ESTABLISHED:
            speaker.heard(now)
            if batch.check():
                for index, error in batch.failures():
                    self.pipe.emit(ParseEvent(batch, index, error))
                    speaker.malformed(error, batch.wire(index))
        answer = self._said()
        if answer is not None:
            self.pipe.turn(self, self.directions, answer)
        self._tell()
        self._changed.set()

    def _tell(self) -> None:
        speaker = self._speaker
        for state in speaker.entered():
            self.pipe.emit(StateEvent(self, state, speaker.cause if state is session.State.CLOSED else None))

    def _begin(self) -> float:
        """There is a connection, since stages are started when it is there. Returns the time."""
        now = asyncio.get_running_loop().time()
        self._speaker.connected(now)
        return now

    def _said(self) -> Batch | None:
        said = self._speaker.take()
        return self._framing.feed(b"".join(said)) if said else None

    def tune(self) -> None:
        self._framing.come_from(self.session.ends(self.directions, ours=True), self.session.tags)

    # ---- running -----------------------------------------------------------------------------------------------

    def listening(self, on: bool) -> None:
        timers = self._speaker.timers
        if timers is not None:
            timers.reading(on, asyncio.get_running_loop().time())
            self._changed.set()

    def ended(self) -> None:
        self._speaker.lost()
        if self.state != 0:
            self._changed.set()

    async def run(self) -> None:
        try:
            await self._speak()
        except asyncio.CancelledError:
            self.session.stopped()
            raise

    async def _speak(self) -> None:
        speaker = self._speaker
        self._begin()
        self.tune()
        while speaker.state is not session.State.CLOSED:
            said = self._said()
            if said is not None:
                await self.pipe.put(self, said)
            self._tell()
            await self._due()
        self._tell()
        said = self._said()
        if said is not None:
            await self.pipe.put(self, said)
        self.session.member_ended(self)
        for event in speaker.events():
            if isinstance(event, Ended) and event.by == "us":
                raise StageError(f"ended the session: {event.cause}")

    async def _due(self) -> None:
        """Wait until something is to be done, and do it."""
        self._changed.clear()
        when = self._speaker.next_deadline()
        try:
            async with asyncio.timeout_at(when):
                await self._changed.wait()
        except TimeoutError:
            self._speaker.tick(asyncio.get_running_loop().time())
