"""What connect and listen share: a stage at an end of the pipeline with a TCP connection to a BGP peer."""

from __future__ import annotations

import asyncio
import contextlib

from bgpipe._codec import RawDecoder
from bgpipe._translate import PeerEncoder
from bgpipe.bgp.causes import HEADER_SIZE, LONGEST, LONGEST_EXTENDED, header_error
from bgpipe.bgp.notifications import CEASE
from bgpipe.bgp.timers import OPEN_HOLD_S
from bgpipe.errors import StageError, UsageError
from bgpipe.pipeline.log import Tally
from bgpipe.pipeline.options import DURATION, Kind, integer, option, secret
from bgpipe.pipeline.session import Member, Session
from bgpipe.pipeline.stage import BOTH, LEFT, NEW, RIGHT, RUNNING, STARTING, Output, ProducerOptions
from bgpipe.transport import tcp, tls
from bgpipe.transport.connection import Connection
from bgpipe.transport.tcp import Drops

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable

    from bgpipe._codec import Batch, Buffer, Encoder

_COPIED = 16 << 10  # octets; what is longer is worth a buffer of its own
_MOMENT_S = 0.5  # how long a peer may hold up the end of the pipeline, at each step
_LOOK_S = 0.1  # the least between two looks whether a peer that is not read has left
_LONG_S = 30.0  # how long a peer that reads slowly may take for what is left when its session has ended


def _key(text: str) -> bytes:
    try:
        return tcp.key(secret(text))
    except ValueError as error:
        raise UsageError(f"expected {error}, or $VARIABLE or /FILE that has it") from None


KEY = Kind("KEY", _key, show=lambda _: "***")
HOPS = integer(1, most=255)


class PeerOptions(ProducerOptions):
    """Options of stages that have a connection to a peer."""

    md5: bytes | None = option(
        "--md5",
        "sign with this key, $VARIABLE or /FILE that has it, and take only what is signed so (RFC 2385)",
        kind=KEY,
    )
    ttl: int | None = option("--ttl", "TTL, or hop limit, of what is sent", kind=HOPS)
    ttl_min: int | None = option(
        "--ttl-min", "take only what comes with at least this TTL, 255 from a neighbour (RFC 5082)", kind=HOPS
    )
    transparent: bool = option("--transparent", "use addresses that are not this machine's (IP_TRANSPARENT)")
    tls: bool = option("--tls", "speak TLS")
    tags: bool = option("--tags", "tag messages with PEER_IP, PEER_AS, LOCAL_IP and LOCAL_AS; MRT has them anyway")
    closed_timeout_s: float = option(
        "--closed-timeout", "how long the peer may go on once one side has closed", kind=DURATION, default=1.0
    )
    keepalive_s: float = option(
        "--keepalive",
        "how often TCP asks whether a silent peer is still there, 0 for never",
        kind=DURATION,
        default=15.0,
    )


class Peer(Output, Member):
    """A stage with a connection. A subclass says in open() how it comes to be.

    As the first stage it sends what comes from its peer to the right, and its peer gets what flows to the left; as the
    last one the other way round.
    """

    produces = True
    consumes = True
    live = True
    options: PeerOptions
    open_hold_s = OPEN_HOLD_S  # how long the peer may take until its OPEN, once it is read; 0: any time
    _connection: Connection | None = None
    _told = False  # the other side has ended
    _mute = False  # nothing is written any more
    _broken: Exception | None = None
    _unsent = 0  # octets, when it was looked last

    async def open(self) -> Connection:
        """The connection: what `join` made of a socket. StageError."""
        raise AssertionError(f"{self.command} connects to nothing")

    async def join(self, sock: socket.socket) -> Connection:
        """Take a socket that is connected for the connection with the peer. OSError: it broke, and is closed."""
        connection = Connection(self.decoder, self)
        try:
            tcp.set_keepalive(sock, self.options.keepalive_s)
            self.local, self.remote = tcp.show(sock.getsockname()), tcp.show(sock.getpeername())
            await self.begin(sock, connection)
        except BaseException:
            sock.close()
            raise
        return connection

    def drops(self) -> list[Drops]:
        """What the kernel drops without a word for the sake of our options, from now on."""
        found = []
        if self.options.md5 is not None:
            found.append(Drops(tcp.MD5_DROPS, "TCP-MD5", "'TcpExtTCPMD5*'"))
        if self.options.ttl_min is not None:
            found.append(Drops(tcp.TTL_DROPS, "--ttl-min", "TcpExtTCPMinTTLDrop"))
        return found

    async def begin(self, sock: socket.socket, connection: Connection) -> None:
        """Have the loop take care of a connection; TLS is there at the end. OSError."""
        await asyncio.get_running_loop().create_connection(lambda: connection, sock=sock)

    def attach(self) -> None:
        mine = LEFT if self.last else RIGHT
        if (self.options.left or self.options.right) and self.directions != mine:
            end, way = ("last", "-L") if self.last else ("first", "-R")
            raise self.error(f"as the {end} stage it works in direction {way}, and takes what comes the other way")
        self.directions = mine
        self.side = BOTH - mine
        self.session = Session.of(self.pipe)
        self.session.members.append(self)
        self.session.tags = self.session.tags or self.options.tags
        self.end = self.session.end(self.side)
        self._lost = Tally(self.pipe.log, "messages did not reach the peer as they were", self)
        self._encoder = PeerEncoder(on_skip=lambda error: self._lost.count(str(error)))
        self._over = asyncio.Event()  # it is time to leave
        self.silent = asyncio.Event()  # nothing more comes from the peer
        self.left = asyncio.Event()  # its connection is closed

    def takes(self, direction: int) -> bool:
        return direction == self.side

    def encoder(self) -> Encoder:
        return self._encoder

    @property
    def full(self) -> bool:
        return self.blocked or (self.state in (NEW, STARTING) and not self.pipe.ending)

    # ---- beginning ---------------------------------------------------------------------------------------------

    def prepare(self) -> Awaitable[None]:
        return self._prepare()

    async def _prepare(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.decoder = RawDecoder(direction="L" if self.directions == LEFT else "R")
        connection = await self.open()
        side = "L" if self.side == LEFT else "R"
        self.pipe.values |= {f"{side}_LOCAL": self.local, f"{side}_REMOTE": self.remote}
        self._connection = connection
        self.session.connected(self._loop.time())
        self.end.connected(self._loop.time())
        self.tune()
        self.session.changed()
        self.pipe.log.info(f"{self.remote} is connected, with {self.local}", self)
        self._loop.call_later(max(self.options.closed_timeout_s, _LOOK_S), self._watch)

    # ---- what the session tells --------------------------------------------------------------------------------

    def tune(self) -> None:
        if self._connection is not None:
            receive = self.end.receive
            self.decoder.ctx = int(receive)
            self.decoder.longest = LONGEST_EXTENDED if receive.extended_messages else LONGEST
            self._encoder.context = int(self.end.send) if self.end.negotiated is not None else None
            self.decoder.cut = self.session.cut(self.directions)
            self.decoder.come_from(self.session.ends(self.side, ours=False), self.session.tags)

    def progress(self, now: float) -> None:
        if self.blocked and self._connection is not None and self.end.timers is not None:
            before, self._unsent = self._unsent, self._connection.unsent
            if self._unsent < before:
                self.end.timers.sent(now)

    def settle(self) -> None:
        for message in self.end.take():
            self._send(message)
        if self.end.over and self._connection is not None:
            self._mute = True
            self._over.set()
            if self.state == STARTING:  # others are still being prepared
                self._give_up()
                if (cause := self.session.failures.get(self.end)) is not None:  # once the peer has been told
                    self._loop.call_soon(self.pipe.fail, self, StageError(f"{self.remote}: {cause}"))

    def ended(self) -> None:
        self._told = True
        self._over.set()

    # ---- what the connection tells -----------------------------------------------------------------------------

    def came(self, batch: Batch) -> Awaitable[None] | None:
        if self.end.timers is not None:
            self.end.timers.heard(self._loop.time())
        waiting = wrong = None
        if len(batch) and self.decoder.paused:
            wrong = self.session.came(batch)
            if wrong is not None:
                batch.cut(len(batch) - 1)
            if (wrong is not None or self.end.over) and self._connection is not None:  # nothing comes behind it
                self._connection.forget()
                if (said := self.session.said.get(self.end)) is not None and said.code == CEASE:
                    self.pipe.log.info(f"{self._who} ended the session: {said}", self)
        if len(batch):
            waiting = self.pipe.push(self, batch)
        if wrong is not None:
            self.session.fail(self.end, wrong)
        if batch.error is not None:
            head = self.decoder.rest(HEADER_SIZE)
            cause = header_error(head, extended=self.end.receive.extended_messages)
            assert cause is not None, head
            self.session.fail(self.end, cause)
        return waiting

    def reading(self, on: bool) -> None:
        if self.end.timers is not None:
            self.end.timers.reading(on, asyncio.get_running_loop().time())
        for member in self.session.members:
            if member is not self:
                member.listening(on)
        self.session.changed()

    def writing(self, on: bool) -> None:
        self.blocked = not on
        if self._connection is not None:
            self._unsent = self._connection.unsent
        if self.end.timers is not None:
            self.end.timers.writing(on, asyncio.get_running_loop().time())
        self.session.changed()
        if on:
            self.pipe.room()

    def eof(self) -> None:
        if not (self._over.is_set() or self.end.over or self._mute):
            self.pipe.log.info(f"{self._who} closed the connection", self)
        if self._mute:
            self.end.closed()
        self.silent.set()
        self._over.set()

    def lost(self, error: Exception | None) -> None:
        if not self._over.is_set():
            self._broken = error
        self._mute = True
        self.blocked = False
        self.pipe.room()
        if self.state == RUNNING:  # what has come may have to wait, but not for long: there may be no room for it
            self._loop.call_later(self.options.closed_timeout_s, self.eof)

    # ---- running, and the end ----------------------------------------------------------------------------------

    def write(self, data: Buffer) -> None:
        self._send(bytes(data) if len(data) < _COPIED else memoryview(data.take()))

    def _send(self, data: bytes | memoryview) -> None:
        if self._connection is not None and not self._mute:
            self._connection.write(data)
            if self.end.timers is not None and not self.blocked:
                self.end.timers.sent(self._loop.time())

    async def run(self) -> None:
        assert self._connection is not None and self.pipe.driver is not None
        linger_s = self.options.closed_timeout_s
        self.pipe.room()  # who has something for us may have been waiting for the start
        if self.end.timers is not None:
            self.end.timers.opening(self.open_hold_s, self._loop.time())
            self.session.changed()
        self._connection.start()
        try:
            await self._over.wait()
            self.session.member_ended(self)
            if self.silent.is_set() and not self._mute:  # the peer may still want to hear what the other one says
                await self._others("silent", linger_s)
            await self._leave(linger_s, max(linger_s, _LONG_S))
            self._give_up()
            await self._others("left", None)  # a failure of ours would cut them short
        except asyncio.CancelledError:  # perhaps when it was leaving already
            self._connection.stop()
            self.session.stopped()
            if not (self._told or self.silent.is_set()):
                await self.pipe.driver.quiet(_MOMENT_S)
                self.end.end(self.session.goodbye())
                self.settle()
            await self._leave(min(linger_s, _MOMENT_S), 2 * _MOMENT_S)
        if self.end in self.session.failures:
            raise StageError(f"{self.remote}: {self.session.failures[self.end]}")
        if self.end in self.session.said:
            cause = self.session.said[self.end]
            if cause is None or cause.code != CEASE:
                raise StageError(f"{self._who} ended the session: {cause or 'no reason given'}")
        elif self._broken is not None:
            raise StageError(f"the connection with {self._who} broke: {tls.why(self._broken)}")

    def _watch(self) -> None:
        """While another peer is not there yet, nothing may be read: ask whether this one still is."""
        assert self._connection is not None
        others = (member for member in self.session.members if isinstance(member, Peer) and member is not self)
        if self._over.is_set() or all(other.state not in (NEW, STARTING) for other in others):
            return
        if not self._connection.left:
            self._loop.call_later(max(self.options.closed_timeout_s, _LOOK_S), self._watch)
            return
        self.eof()
        if self.state == STARTING:
            self._give_up()

    def _give_up(self) -> None:
        """Who is not there yet need not come any more."""
        if any(isinstance(member, Peer) and member.state == STARTING for member in self.session.members):
            self.session.given_up = True
            self.pipe.end()

    async def _leave(self, linger_s: float, most_s: float) -> None:
        """Close the connection, behind what is on its way to the peer, and when that has closed it, too.

        It may take so long for each of the two; and so long in all for what is left to send then.
        """
        assert self._connection is not None and self.pipe.driver is not None
        if not self._mute:
            await self.pipe.driver.quiet(linger_s)
        self._mute = True
        self._connection.write_eof()
        await _wait(self.silent, linger_s)
        await self._connection.close(min(linger_s, _MOMENT_S), most_s)
        self.left.set()

    async def _others(self, what: str, within_s: float | None) -> None:
        for other in self.session.members:
            if isinstance(other, Peer) and other is not self and other._connection is not None:
                await _wait(getattr(other, what), within_s)

    @property
    def _who(self) -> str:
        return f"the {self.end.name} ({self.remote})"

    def finish(self) -> None:
        self._lost.close()

    def abort(self) -> None:
        if self._connection is not None:
            self._connection.abort()

    def reads(self) -> str:
        return f"BGP from {self.place()}"

    def writes(self) -> str:
        return f"BGP to {self.place()}"

    def place(self) -> str:
        """What --explain calls the peer."""
        raise AssertionError(f"{self.command} connects to nothing")


async def _wait(event: asyncio.Event, within_s: float | None) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
