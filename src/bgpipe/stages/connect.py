"""connect: a session with a BGP peer that we connect to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from weakref import WeakSet

from bgpipe.errors import PassingError, StageError, UsageError, reason
from bgpipe.pipeline.options import DURATION, Kind, argument, integer, option
from bgpipe.pipeline.stage import RIGHT
from bgpipe.stages.peer import Peer, PeerOptions
from bgpipe.transport import tcp, tls
from bgpipe.transport.backoff import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bgpipe.transport.connection import Connection


def _source(text: str) -> str:
    try:
        ipaddress.ip_address(tcp.endpoint(text)[0])
    except (UsageError, ValueError):
        raise ValueError("an address of this machine: IP, IP:PORT or [IPV6]:PORT") from None
    return text


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


_NO_KEY = "a peer that wants a TCP-MD5 key drops what is not signed, without a word (--md5)"
SOURCE = Kind("IP[:PORT]", _source)


_reaching: WeakSet[socket.socket] = WeakSet()  # connections to where others wanted to go, which may be our own address


def _ours() -> set[str]:
    return {tcp.show(sock.getsockname()) for sock in _reaching if sock.fileno() >= 0}


class ConnectOptions(PeerOptions):
    """Options of connect."""

    bind: str | None = option("--bind", "connect from this address", kind=SOURCE)
    insecure: bool = option("--insecure", "with --tls: take any certificate")
    no_ipv6: bool = option("--no-ipv6", "of a name, take IPv4 addresses only")
    timeout_s: float = option("--timeout", "how long one try may take, 0 for any time", kind=DURATION, default=15.0)
    retry: bool = option("--retry", "try again, later and later, until there is a connection")
    retry_max: int = option(
        "--retry-max", "with --retry: give up after so many tries, 0 for never", kind=integer(0), default=0
    )
    reconnect: bool = option(
        "--reconnect", "when the session is over, begin another one, through all stages anew; --retry goes with it"
    )
    address: str = argument(
        "ADDR",
        "HOST, HOST:PORT or [IPV6]:PORT (port 179); with --transparent 0.0.0.0: where the other peer wanted to go",
    )


class Connect(Peer):
    """Connects to a peer."""

    command = "connect"
    summary = "connect to a BGP peer"
    text = (
        "Connects to a BGP speaker, as the first stage or the last. What it sends flows to the other end of the "
        "pipeline, and what comes from there it gets. The session is that of whoever is there: another connection, or "
        "the stage speaker."
    )
    options_class = ConnectOptions
    options: ConnectOptions
    calls = True

    def attach(self) -> None:
        super().attach()
        try:
            self._host, self._port = tcp.endpoint(self.options.address)
        except UsageError as error:
            raise self.error(str(error)) from None
        if self._host and set(self._host) <= set("0123456789.") and not _is_address(self._host):
            raise self.error(f"{self.options.address!r}: {self._host} is no IP address to connect to")
        if not self._host:
            raise self.error(f"{self.options.address!r} is no address to connect to: the host is missing")
        self.serves = self.options.reconnect
        self._retries = self.options.retry or self.options.reconnect
        if self.options.retry_max and not self._retries:
            raise self.error("--retry-max is for --retry and --reconnect")

    @property
    def _captured(self) -> bool:
        """Whether the peer to connect to is the one that the other peer wanted to reach."""
        return self.options.transparent and self._host in ("0.0.0.0", "::")

    @property
    def _other(self) -> str:
        """The side of the other peer, as the values of the pipeline have it."""
        return "L" if self.side == RIGHT else "R"

    def place(self) -> str:
        if self._captured:
            return "the peer that the other one wanted to reach"
        return tcp.show((self._host, self._port))

    async def open(self) -> Connection:
        if self._captured and (client := self.pipe.values.get(f"{self._other}_REMOTE")) in _ours():
            raise StageError(f"{client} is a connection of our own, to where we listen: there is no router")
        tries, backoff = 0, Backoff()
        while True:
            tries += 1
            try:
                return await self._try()
            except PassingError as error:
                if not self._retries:
                    raise
                if tries == self.options.retry_max:
                    raise StageError(str(error)) from None
                wait_s = backoff.next_s()
                self.pipe.log.warn(f"{error}; next try in {wait_s:.1f} s", self)
                await asyncio.sleep(wait_s)

    def _route(self) -> tuple[str, int, tuple[str, int] | None]:
        """Host and port to connect to, and the address to connect from."""
        options = self.options
        source = tcp.endpoint(options.bind, 0) if options.bind is not None else None
        if not self._captured:
            return self._host, self._port, source
        side = self._other
        if f"{side}_LOCAL" not in self.pipe.values:
            raise StageError(f"{options.address} is where the other peer wanted to go: begin with it, --wait listen")
        host, port = tcp.endpoint(self.pipe.values[f"{side}_LOCAL"])
        source = source or (tcp.endpoint(self.pipe.values[f"{side}_REMOTE"])[0], 0)
        return host, tcp.endpoint(options.address, port)[1], source

    async def _try(self) -> Connection:
        host, port, source = self._route()
        family = socket.AF_INET if self.options.no_ipv6 else socket.AF_UNSPEC
        if source is not None:
            family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
        try:
            found = await tcp.resolve(host, port, family)
        except OSError as error:
            raise PassingError(f"cannot find {host}: {reason(error)}") from None
        problems, explanations = [], []
        drops = self.drops()
        for kind, address in found:
            try:
                async with asyncio.timeout(self.options.timeout_s or None):
                    return await self.join(await self._reach(kind, address, source))
            except TimeoutError:
                problem = f"no answer within {self.options.timeout_s:g} s"
                explanations = [drop.explain() for drop in drops]
                if self.options.md5 is None:
                    explanations.append(_NO_KEY)
            except OSError as error:
                problem = tls.why(error, host, insecure=True)
            problems.append(f"{tcp.show((str(address[0]), int(address[1])))}: {problem}")
        raise PassingError("; ".join((f"cannot connect: {', '.join(problems)}", *explanations)))

    async def _reach(self, family: socket.AddressFamily, address: Any, source: tuple[str, int] | None) -> socket.socket:
        options = self.options
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if options.transparent:
                tcp.set_transparent(sock)
            if source is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(source)
            if self._captured:
                _reaching.add(sock)
            if options.md5 is not None:
                tcp.set_md5(sock, ipaddress.ip_network(address[0].partition("%")[0]), options.md5)
            if options.ttl is not None:
                tcp.set_ttl(sock, options.ttl)
            if options.ttl_min is not None:
                tcp.set_least_ttl(sock, options.ttl_min)
            await asyncio.get_running_loop().sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise
        return sock

    async def begin(self, sock: socket.socket, connection: Connection) -> None:
        if not self.options.tls:
            await super().begin(sock, connection)
            return
        import ssl

        context = ssl.create_default_context()
        if self.options.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        await asyncio.get_running_loop().create_connection(
            lambda: connection, sock=sock, ssl=context, server_hostname=self._host
        )
