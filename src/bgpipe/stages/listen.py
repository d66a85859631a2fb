"""listen: a session with a BGP peer that connects to us."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket

from bgpipe.bgp.causes import Cause
from bgpipe.bgp.notifications import CEASE, OUT_OF_RESOURCES
from bgpipe.bgp.timers import OPEN_HOLD_S
from bgpipe.errors import PassingError, StageError, UsageError, reason
from bgpipe.pipeline.log import Throttle
from bgpipe.pipeline.options import DURATION, Kind, argument, integer, option
from bgpipe.pipeline.service import Gate
from bgpipe.stages.messages import PATH
from bgpipe.stages.peer import Peer, PeerOptions
from bgpipe.transport import tcp, tls
from bgpipe.transport.connection import RECEIVE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from bgpipe.transport.connection import Connection


def _networks(text: str) -> tuple[tcp.Network, ...]:
    try:
        return tuple(ipaddress.ip_network(word.strip()) for word in text.split(","))
    except ValueError:
        raise ValueError("addresses or prefixes") from None


NETWORKS = Kind("PREFIX", _networks, many=True)
_FIRST_S, _LONGEST_S = 5.0, 320.0  # between warnings of what is dropped
_BACKLOG = 1024  # clients that the kernel lets wait until they are accepted
_HANDSHAKE_S = 60.0  # the longest that one of TLS may take
_KEPT_BACKLOG = 1  # those that wait for a session to end: the router that reconnects, hardly anybody else
_HANDSHAKE_ALONE_S = 10.0  # the same where all others have to wait for it
_FAREWELL_S = 1.0  # how long a client that is refused may take to hear of it
_ANYBODY = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


class ListenOptions(PeerOptions):
    """Options of listen."""

    peer: tuple[tcp.Network, ...] = option("--peer", "take connections of these peers only", kind=NETWORKS)
    cert: str = option("--cert", "with --tls: our certificate, a PEM file", kind=PATH, default="")
    key: str = option("--key", "with --tls: its key, if it is not in the same file", kind=PATH, default="")
    timeout_s: float = option("--timeout", "how long to wait for a peer, 0 for any time", kind=DURATION, default=0.0)
    open_timeout_s: float = option(
        "--open-timeout", "how long the peer may take to send its OPEN", kind=DURATION, default=OPEN_HOLD_S
    )
    multi: bool = option("--multi", "let many peers connect: each has a session of its own, through stages of its own")
    max_sessions: int = option(
        "--max-sessions",
        "with --multi: refuse more than so many at once, 0 for any number",
        kind=integer(0),
        default=1000,
    )
    max_sessions_per_peer: int = option(
        "--max-sessions-per-peer",
        "with --multi: refuse more than so many of one address at once, 0 for any number",
        kind=integer(0),
        default=0,
    )
    reconnect: bool = option("--reconnect", "when the session is over, begin another one, through all stages anew")
    address: str = argument("ADDR", "IP, IP:PORT, [IPV6]:PORT or :PORT (default :179)", default=":179")


class Listen(Peer, Gate):
    """Waits for a peer."""

    command = "listen"
    summary = "wait for a BGP peer to connect"
    text = (
        "Waits, as the first stage or the last, until a BGP speaker connects, and listens no more then. What it sends "
        "flows to the other end of the pipeline, and what comes from there it gets. The session is that of whoever is "
        "there: another connection, or the stage speaker. With --multi it goes on listening, and each speaker that "
        "connects has a session, and all stages, to itself."
    )
    options_class = ListenOptions
    options: ListenOptions
    _context: ssl.SSLContext | None = None
    _listening: socket.socket | None = None
    _telling: asyncio.Future[None] | None = None

    def attach(self) -> None:
        super().attach()
        options = self.options
        try:
            host, self._port = tcp.endpoint(options.address)
            self._host = str(ipaddress.ip_address(host)) if host else ""
        except UsageError as error:
            raise self.error(str(error)) from None
        except ValueError:
            raise self.error(f"{options.address!r}: {host} is no IP address to listen on") from None
        if options.tls and not options.cert:
            raise self.error("--tls takes a certificate: --cert")
        if (options.cert or options.key) and not options.tls:
            raise self.error("--cert and --key are for --tls")
        if options.multi and options.timeout_s:
            raise self.error("with --multi there is no --timeout: it waits as long as it runs")
        if options.multi and options.reconnect:
            raise self.error("--multi and --reconnect exclude each other")
        if options.max_sessions_per_peer and not options.multi:
            raise self.error("--max-sessions-per-peer is for --multi")
        self.multi, self.most, self.most_each = options.multi, options.max_sessions, options.max_sessions_per_peer
        self.serves = options.multi or options.reconnect
        self.open_hold_s = options.open_timeout_s
        self._strangers = Throttle(self.pipe.log, "have connected, and were not of --peer", self)
        self._broken_off = Throttle(self.pipe.log, "connections came to nothing", self)
        self._paused = Throttle(self.pipe.log, "times nobody was let in", self, 1)

    def place(self) -> str:
        return f"the peer that connects to {tcp.show((self._host, self._port))}"

    async def open(self) -> Connection:
        gate = self._gate
        if self.client is not None:
            self._context = gate._context
            try:
                return await self.join(self.client)
            except OSError as error:
                raise PassingError(f"the connection broke before it was used: {tls.why(error)}") from None
        drops = self.drops()
        gate.open_gate()
        self._context = gate._context
        try:
            async with asyncio.timeout(self.options.timeout_s or None):
                return await self._first(gate)
        except TimeoutError:
            text = f"nobody has connected within {self.options.timeout_s:g} s"
            raise StageError("; ".join((text, *(drop.explain() for drop in drops)))) from None
        finally:
            gate.rest()
            if gate is self:
                self.close_gate()

    async def _first(self, gate: Listen) -> Connection:
        while True:
            client, peer = await gate.admit()
            try:
                return await self.join(client)
            except OSError as error:
                gate._broken_off.count(f"{peer} has connected, and that came to nothing: {tls.why(error)}")

    @property
    def _keeps(self) -> bool:
        """Whether it goes on listening while there is a session, for the next one."""
        return not self.multi and self.pipe.serves

    @property
    def _gate(self) -> Listen:
        """Who listens: of the pipelines of a service, one for all."""
        if self.pipe.whole is None:
            return self
        stage = self.pipe.whole.stages[self.pipe.stages.index(self)]
        assert isinstance(stage, Listen)
        return stage

    def open_gate(self) -> None:
        if self._listening is None:
            self._load()
            self._listening = self._listen()
        self._telling = asyncio.ensure_future(self._tell(self.drops()))

    def rest(self) -> None:
        """Nobody is waited for any more; the kernel lets them connect, if it is not closed."""
        if self._telling is not None:
            self._telling.cancel()

    def close_gate(self) -> None:
        self.rest()
        if self._listening is not None:
            self._listening.close()
        for throttle in (self._strangers, self._broken_off, self._paused):
            throttle.close()

    async def admit(self) -> tuple[socket.socket, str]:
        assert self._listening is not None
        while True:
            client, address = await tcp.accept(self._listening, self._paused.count)
            host = ipaddress.ip_address(tcp.unmapped(address[0]).partition("%")[0])
            if self.options.peer and not any(host in network for network in self.options.peer):
                self._strangers.count(f"{host} has connected, and is not of --peer")
            elif self._keeps and tcp.has_left(client):  # it grew tired of waiting
                self.pipe.log.info(f"{tcp.show(address)} had connected, and has left before its turn", self)
            elif _is_connected(client):
                return client, tcp.show(address)
            client.close()

    async def refuse(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with client, contextlib.suppress(OSError):
            if self.options.tls:
                return
            async with asyncio.timeout(_FAREWELL_S):
                await loop.sock_sendall(client, Cause(CEASE, OUT_OF_RESOURCES).wire)
                client.shutdown(socket.SHUT_WR)
                while await loop.sock_recv(client, RECEIVE_SIZE):  # what is not read would have the kernel reset it
                    pass

    async def _tell(self, drops: list[tcp.Drops]) -> None:
        """Warn of what the kernel drops while we listen, ever more rarely: peers try again and again."""
        delay_s = _FIRST_S
        while drops:
            await asyncio.sleep(delay_s)
            for problem in filter(None, [drop.take() for drop in drops]):
                self.pipe.log.warn(problem if self.multi else f"nobody has connected yet; {problem}", self)
                delay_s = min(2 * delay_s, _LONGEST_S)

    def _load(self) -> None:
        if not self.options.tls:
            return
        import ssl

        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load(self._context, self.options.cert, self.options.key)

    def _listen(self) -> socket.socket:
        options = self.options
        both = not self._host and socket.has_dualstack_ipv6()
        host = self._host or ("::" if both else "0.0.0.0")
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
            if options.transparent:
                tcp.set_transparent(sock)
            if options.md5 is not None:
                for network in options.peer or _ANYBODY:
                    if both or (network.version == 6) == (sock.family == socket.AF_INET6):
                        tcp.set_md5(sock, network, options.md5)
            if options.ttl is not None:
                tcp.set_ttl(sock, options.ttl)
            if options.ttl_min is not None:
                tcp.set_least_ttl(sock, options.ttl_min)
            sock.bind((host, self._port))
            sock.listen(_KEPT_BACKLOG if self._keeps else _BACKLOG)
        except BaseException as error:
            sock.close()
            if isinstance(error, OSError):
                raise StageError(f"cannot listen on {tcp.show((self._host, self._port))}: {reason(error)}") from None
            raise
        self.pipe.log.info(f"listening on {tcp.show(sock.getsockname())}", self)
        return sock

    async def begin(self, sock: socket.socket, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        if self._context is None:
            await loop.connect_accepted_socket(lambda: connection, sock)
            return
        most_s = _HANDSHAKE_S if self.client is not None else _HANDSHAKE_ALONE_S
        within_s = min(self.options.open_timeout_s or most_s, most_s)
        await loop.connect_accepted_socket(
            lambda: connection, sock, ssl=self._context, ssl_handshake_timeout=within_s
        )


def _is_connected(sock: socket.socket) -> bool:
    """Whether the peer has not gone again before it was accepted: it may have been a scanner of ports."""
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
