"""websocket: messages to and from far away, over WebSocket connections."""

from __future__ import annotations

import asyncio
import contextlib
import math
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from bgpipe._frames import frames
from bgpipe._tag import Tagger
from bgpipe.errors import InputError, PassingError, StageError, UsageError
from bgpipe.pipeline.events import Event, UnconfirmedEvent
from bgpipe.pipeline.log import Throttle
from bgpipe.pipeline.options import DURATION, Kind, argument, integer, option, secret
from bgpipe.pipeline.service import raise_limit
from bgpipe.pipeline.stage import BOTH, StageOptions
from bgpipe.stages.external import DRAIN_S, LOOK_S, External, ExternalOptions
from bgpipe.stages.messages import PATH
from bgpipe.transport import tcp, tls
from bgpipe.transport.backoff import Backoff
from bgpipe.transport.receipts import Receipt, Receipts, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    import aiohttp
    from aiohttp import web

    from bgpipe._codec import Batch, Buffer
    from bgpipe.pipeline.engine import Pipeline
    from bgpipe.transport.websocket import Frame, Link, Server, Socket

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_FRAME_SIZE = 64 << 10  # octets of a frame of several messages; what others take by default is 1 MiB
_MOST_BEHIND = 8 << 20  # octets that a client may be behind the fastest one
_UNREAD = 64 << 10  # octets of a frame that comes where nothing is to come
_TICK_S = 1.0
_FIRST_S = 0.1  # how long to wait until it is tried again, the first time
_LONGEST_S = 10.0  # for who goes on sending though he was told to stop
_LINGER_S = 2.0  # for a client that is too slow, to hear of that
_SETTLE_S = 300.0  # for who was connected, to come back and say what had arrived
_LATEST = 8  # connections that a server is told of, what we took over them
_NORMAL, _AWAY, _TRY_LATER = 1000, 1001, 1013  # RFC 6455 section 7.4.1, and its registry


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - it is looked at here
    except ValueError as error:
        raise UsageError(f"not a URL: {error}") from None
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise UsageError(f"{_shown(text)!r}: expected ws://HOST:PORT/PATH or wss://...")
    return text


def _is_local(host: str) -> bool:
    """Whether nobody gets there from another machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _shown(url: str) -> str:
    """A URL without its password."""
    before, at, behind = url.rpartition("@")
    return f"{before.partition('://')[0]}://{behind}" if at else url


def _auth(text: str) -> str:
    found = secret(text)
    if ":" not in found or "\n" in found:
        raise UsageError("expected USER:PASSWORD, $VARIABLE or /FILE that has it")
    return found


def _header(text: str) -> tuple[tuple[str, str], ...]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not name.strip().replace("-", "").isalnum() or not value.strip().isprintable():
        raise UsageError("expected 'NAME: VALUE'")
    return ((name.strip(), value.strip()),)


URL = Kind("URL", _url, show=_shown)
AUTH = Kind("AUTH", _auth, show=lambda _: "***")
HEADERS = Kind("HEADER", _header, many=True, show=lambda header: f"{header[0]}: ***")


class WebsocketOptions(ExternalOptions):
    """Options of websocket."""

    listen: bool = option("--listen", "be the server: clients connect to URL, and each of them gets every message")
    batch: bool = option("--batch", "put several messages into a frame, as they come; reading takes such frames always")
    compress: bool = option("--compress", "compress, if the other side agrees (permessage-deflate, RFC 7692)")
    auth: str | None = option(
        "--auth", "USER:PASSWORD, $VARIABLE or /FILE that has them: what we send, or a client must", kind=AUTH
    )
    cert: str = option("--cert", "our certificate, a PEM file; the server must have one for wss", kind=PATH, default="")
    key: str = option("--key", "the key of --cert", kind=PATH, default="")
    insecure: bool = option("--insecure", "take any certificate of the server")
    header: tuple[tuple[str, str], ...] = option("--header", "send 'NAME: VALUE' with the request", kind=HEADERS)
    timeout_s: float = option(
        "--timeout",
        "how long connecting may take, and how long who only gets copies may take nothing; 0 for any time",
        kind=DURATION,
        default=10.0,
    )
    retry: bool = option("--retry", "connect again, later and later, when that fails or the connection is lost")
    retry_max: int = option(
        "--retry-max", "with --retry: give up after so many failures in a row, 0 for never", kind=integer(0), default=0
    )
    max_clients: int = option(
        "--max-clients",
        "with --listen: refuse more than so many at once, 0 for any number",
        kind=integer(0),
        default=1000,
    )
    url: str = argument(
        "URL",
        "ws://HOST[:PORT][/PATH] or wss://..., or http and https for them; with --listen, HOST may be missing",
        kind=URL,
    )


class Websocket(External):
    """A client, or a server with its clients: one link, or many."""

    command = "websocket"
    summary = "exchange messages over WebSocket connections"
    text = (
        "Connects to URL, sends messages there, and takes those that come back: whoever is there decides what becomes "
        "of them. With --copy, messages also stay on their way; with --write they are only sent, with --read only "
        "taken. With --listen it is the server of URL for any number of clients. A frame is one message, without "
        "newline. What comes is tagged websocket/remote, with the address of the other side."
    )
    options_class = WebsocketOptions
    options: WebsocketOptions
    events = ("connected", "disconnected", "lost", "unconfirmed")
    awaited = ("connected",)

    def __init__(
        self, pipe: Pipeline, number: int, name: str, options: StageOptions, args: tuple[str, ...] = ()
    ) -> None:
        super().__init__(pipe, number, name, options, args)
        self.links: list[Link] = []  # those that get messages
        self._running: dict[Link, asyncio.Task[None]] = {}
        self._crash: BaseException | None = None
        self._kept: list[Frame] = []  # for the next one
        self._met = False  # somebody was there
        self._receipts = Receipts()
        self._end_s: float | None = None
        self._looked_s = -math.inf  # when the links were looked after
        self._absent = 0  # messages that nobody was there for
        self._new: Link | None = None  # of a client, to be started
        self._session: aiohttp.ClientSession | None = None
        self._server: Server | None = None
        self.single = self.options.listen

    def attach(self) -> None:
        super().attach()
        options = self.options
        self._parts = urlsplit(options.url)
        self._secure = _SCHEMES[self._parts.scheme] == "wss"
        self._auth = options.auth
        if self._parts.username is not None:
            if options.auth is not None:
                raise self.error("--auth and a password in the URL exclude each other")
            self._auth = f"{unquote(self._parts.username)}:{unquote(self._parts.password or '')}"
        host = self._parts.netloc.rpartition("@")[2]
        query = f"?{self._parts.query}" if self._parts.query else ""
        self._target = f"{_SCHEMES[self._parts.scheme]}://{host}{self._parts.path}{query}"
        if (options.cert or options.key) and not (options.cert and options.key and self._secure):
            raise self.error("--cert and --key go together, and with wss")
        if options.listen:
            if self._secure and not options.cert:
                raise self.error("a server of wss takes --cert and --key")
            given = (("--insecure", options.insecure), ("--header", options.header), ("--retry", options.retry))
            for flag, value in given:
                if value:
                    raise self.error(f"{flag} is for clients, not for --listen")
        elif not self._parts.hostname:
            raise self.error("the URL has no host to connect to")
        if options.retry_max and not options.retry:
            raise self.error("--retry-max is for --retry")
        if options.insecure and not self._secure:
            raise self.error("--insecure is for wss")

    def doubts(self) -> tuple[str, ...]:
        if _is_local(self._parts.hostname or ""):
            return ()
        if self._auth is None and self.options.listen:
            gets = ["gets all messages"] if self.looks else []
            may = ["may send messages"] if self.produces else []
            return (f"anybody who reaches {self.place} {' and '.join(gets + may)}; --auth asks for a password",)
        if self._auth is not None and not self._secure:
            return ("the password can be read on its way; wss:// hides it",)
        return ()

    @property
    def place(self) -> str:
        """The URL as it may be shown."""
        return _shown(self.options.url)

    def reads(self) -> str:
        return f"{self.options.format} from {'clients of ' if self.options.listen else ''}{self.place}"

    def writes(self) -> str:
        if not self.looks:
            return ""
        return f"{self.options.format} to {'clients of ' if self.options.listen else ''}{self.place}"

    # ---- beginning ---------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        self._context = self._make_context() if self._secure else None
        self._refused = Throttle(self.pipe.log, "clients were refused or lost", self)
        self._guests = Throttle(self.pipe.log, "clients have come or gone", self)
        self._paused = Throttle(self.pipe.log, "times nobody was let in", self, 1)
        if self.options.listen:
            self._open()
            self.blocked = self.diverts
            return
        self._backoff, self._tries = Backoff(_FIRST_S), 0
        while not await self._try() and (self.produces or self.diverts):
            await asyncio.sleep(self._wait_s)

    def _make_context(self) -> ssl.SSLContext:
        import ssl

        options = self.options
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH if options.listen else ssl.Purpose.SERVER_AUTH)
        if options.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if options.cert:
            tls.load(context, options.cert, options.key)
        return context

    def _open(self) -> None:
        from bgpipe.transport.websocket import Server, listen

        options = self.options
        port = self._parts.port or (443 if self._secure else 80)
        try:
            listening = listen(self._parts.hostname or "", port)
        except OSError as error:
            raise StageError(f"cannot listen on {self.place}: {error.strerror or error}") from None
        raise_limit()
        self.pipe.log.info(f"listening on {tcp.show(listening.getsockname())}", self)
        self._server = Server(
            listening,
            self._welcome,
            path=self._parts.path or "/",
            auth=self._auth,
            context=self._context,
            timeout_s=options.timeout_s,
            compress=options.compress,
            longest=self._longest,
            crowded=lambda: 0 < options.max_clients <= len(self._running),
            say=self._refused.count,
            pauses=self._paused.count,
        )

    async def _try(self) -> bool:
        """Connect. Where that failed, and is to be tried again, `_wait_s` says when. StageError."""
        from bgpipe.transport.websocket import authorization, dial

        options = self.options
        auth = (authorization(self._auth),) if self._auth is not None else ()
        try:
            self._session, ws, transport = await dial(
                self._target,
                timeout_s=options.timeout_s,
                headers=(*options.header, *auth),
                context=self._context,
                compress=options.compress,
                longest=self._longest,
            )
        except StageError as error:
            self._tries += 1
            self._trouble = f"cannot connect to {self.place}: {error}"
            if not options.retry:
                raise PassingError(self._trouble) from None
            if self._tries == options.retry_max or self.pipe.ending:
                raise StageError(self._trouble) from None
            self._warn_of_trouble()
            return False
        self._tries, self._met = 0, True
        self._new = self._link(ws, transport)
        self.pipe.log.info(f"connected to {self.place}, {self._new.remote}", self)
        return True

    @property
    def _longest(self) -> int:
        from bgpipe.transport.websocket import LONGEST

        return LONGEST if self.produces else _UNREAD

    # ---- links -------------------------------------------------------------------------------------------------

    def _link(self, ws: Socket, transport: asyncio.Transport) -> Link:
        from bgpipe.transport.websocket import Link

        def take(batch: Batch) -> Awaitable[None] | None:
            with batch:
                tagger.apply(batch, BOTH)
            return self.took(batch)

        decoder = self.decoder() if self.produces else None
        link = Link(
            ws,
            transport,
            self,
            form=self.options.format,
            decoder=decoder,
            take=take,
            receipt=Receipt() if self.looks and not self.diverts else None,  # else what comes back is the receipt
        )
        tagger = Tagger({f"{self.name}/remote": link.remote}, ())
        return link

    def _start(self, link: Link) -> asyncio.Task[None]:
        """Have the link run; it gets what was kept, and all that comes from now on."""
        self._running[link] = task = asyncio.get_running_loop().create_task(link.run())
        task.add_done_callback(lambda _: self._ended(link, task))
        if self._absent:
            self.pipe.log.info(f"{self._absent} messages are lost that came while nobody was there", self)
            self._absent = 0
        if self.looks:
            self.links.append(link)
            if self._kept:
                kept, self._kept = self._kept, []
                self._send(kept)
        if not self.options.listen:
            self._ask_and_tell(link)
        self.emit("connected")
        self._pace()
        return task

    async def _welcome(self, ws: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        if self.drained:
            return
        link = self._link(ws, transport)
        if self._guests.admits():
            self.pipe.log.info(f"{link.remote} is connected", self)
        await asyncio.wait((self._start(link),))
        if link.failure is not None:
            self._refused.count(f"{link.remote} is sent away: what it sends does not parse: {link.failure}")
        elif self._guests.admits():
            self.pipe.log.info(f"{link.remote} has gone: {link.fate}", self)

    def _ended(self, link: Link, task: asyncio.Task[None]) -> None:
        del self._running[link]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._crash = error
        elif link.theirs and link.failure is None and not task.cancelled():
            self._receipts.take(link.theirs, link.frames)
        if link in self.links:
            self._dismiss(link)
        if link.receipt is not None and link.receipt.open:
            self._keep_receipt(link, link.receipt)
        if not self.links:
            self.part()
        self._pace()
        self.emit("disconnected")
        self.changed.set()

    def _dismiss(self, link: Link) -> None:
        """It gets no more messages."""
        self.links.remove(link)
        self._forgo(link)

    def _forgo(self, link: Link) -> None:
        """What the link has not sent is kept for the next one where it has to pass, or lost."""
        left = link.left()
        count = sum(messages for _, messages in left)
        if self.diverts and not self.links and not self.failure:
            self._kept = left + self._kept
            self.given -= count
        elif count:
            self.pipe.log.warn(f"{count} messages have not reached {link.remote}: they are lost", self)
            self._lose(count)

    def _look(self, link: Link) -> None:
        """See to one that is gone without a word, or takes nothing."""
        link.ask()
        if link.dead():
            link.abort()
        elif not self.diverts and 0 < self.options.timeout_s < link.stuck_s() and link in self.links:
            self._drop(link, f"it has taken nothing for {self.options.timeout_s:g} s")
            self._pace()

    def _drop(self, link: Link, reason: str) -> None:
        link.fate = reason
        self._refused.count(f"{link.remote} is too slow: {reason}")
        self._dismiss(link)
        link.close(_TRY_LATER, "too slow")
        asyncio.get_running_loop().call_later(_LINGER_S if self.options.listen else 0, link.abort)

    # ---- what a link calls -------------------------------------------------------------------------------------

    def moved(self, link: Link) -> None:
        if link.failure is not None and link in self.links:
            self._dismiss(link)
        if self.blocked and not link.full:
            self._pace()
        self.changed.set()

    def skipped(self, error: InputError) -> None:
        self._on_skip(error)

    def when_written(self, function: Callable[[], None]) -> None:
        assert self.pipe.driver is not None
        self.pipe.driver.when_written(function)

    async def taken(self, link: Link, name: str) -> int | None:
        for other, task in tuple(self._running.items()):
            if other.theirs == name and other is not link:  # it broke, and only the far end knows
                other.abort()
                await asyncio.wait((task,))
        return self._receipts.taken(name)

    def told(self, link: Link, name: str, frames: int | None) -> None:
        receipt = self._receipts.pop(name)
        if receipt is not None:
            if frames is not None:
                receipt.settle(frames)
            self._settle(receipt)
            return
        for other in self._running:
            if frames is not None and other is not link and other.receipt is not None and other.receipt.name == name:
                other.receipt.settle(frames)
                other.abort()

    # ---- what has arrived --------------------------------------------------------------------------------------

    def _ask_and_tell(self, link: Link) -> None:
        """To a server, about connections with it that broke: see transport/receipts.py."""
        def tell() -> None:
            for name, count in taken:
                link.confirm(words(name, count))

        if taken := self._receipts.latest(_LATEST):
            self.when_written(tell)
        for name in self._receipts.open:
            link.inquire(words(name, None))

    def _keep_receipt(self, link: Link, receipt: Receipt) -> None:
        if receipt.settled:
            self._settle(receipt)
            return
        text = f"{receipt.open} messages have gone to {link.remote}, which has not confirmed them"
        self.pipe.log.warn(text, self)
        for old in self._receipts.push(receipt, asyncio.get_running_loop().time()):
            self._settle(old)

    def _settle(self, receipt: Receipt) -> None:
        if not receipt.settled:
            self.pipe.log.warn(f"whether {receipt.open} messages that were sent have arrived is not to be known", self)
            self.pipe.emit(UnconfirmedEvent(self, receipt.open))
        elif receipt.open:
            self.pipe.log.warn(f"{receipt.open} messages that were sent have not arrived: they are lost", self)
            self._lose(receipt.open)
        else:
            self.pipe.log.info("all messages have arrived that were not confirmed", self)

    def tune(self) -> None:
        self._decoders += [link.decoder for link in self._running if link.decoder is not None]
        super().tune()
        self._decoders.clear()

    # ---- what goes out -----------------------------------------------------------------------------------------

    def write(self, data: Buffer) -> None:
        made = frames(data, self.options.format, _FRAME_SIZE if self.options.batch else 0)
        if self.links:
            self._send(made)
        elif self.diverts or self._new is not None:
            self._kept += made
        else:
            if not self._absent:
                self.pipe.log.warn("nobody is there: messages are lost until somebody is", self)
            self._absent += data.messages
            self._lose(data.messages)

    def _send(self, made: list[Frame]) -> None:
        size = sum(len(frame) for frame, _ in made)
        self.given += sum(messages for _, messages in made)
        for link in self.links:
            link.send(made, size)
        self._weigh()

    def _weigh(self) -> None:
        """The fastest of them sets the pace; who stays behind too far is dropped."""
        least = min((link.unsent for link in self.links), default=0)
        for link in [link for link in self.links if link.unsent > least + _MOST_BEHIND]:
            self._drop(link, f"it is {link.unsent >> 20} MiB behind")
        self._pace()

    def _pace(self) -> None:
        was_blocked = self.blocked
        self.blocked = all(link.full for link in self.links) if self.links else self.diverts and not self.drained
        if was_blocked and not self.blocked:
            self.room()

    # ---- running -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        try:
            await (self._serve() if self._server is not None else self._talk())
        finally:
            self.drained = True
            self._lose_kept()
            self._cut_off()
            if self._running:
                await asyncio.wait(self._running.values(), timeout=DRAIN_S)
            self._settle_before(math.inf)
            if self._session is not None:
                await self._session.close()
            self.room()

    def _sum_up(self, event: Event) -> None:
        super()._sum_up(event)
        if self.lost:
            self.pipe.log.warn(f"{self.lost} messages are lost, all in all", self)

    def _settle_before(self, time_s: float) -> None:
        for receipt in self._receipts.before(time_s):
            self._settle(receipt)

    def _lose_kept(self) -> None:
        count = sum(messages for _, messages in self._kept)
        self._kept = []
        if count:
            self.pipe.log.warn(f"{count} messages had nobody to go to: they are lost", self)
            self._lose(count)

    async def _pause(self) -> None:
        """Wait for something to happen, or for the time to look after the links."""
        if self._crash is not None:
            raise self._crash
        now_s = asyncio.get_running_loop().time()
        within_s = LOOK_S if self.drained or self.pipe.ending or self.blocked else _TICK_S
        if now_s >= self._looked_s + within_s:  # not whenever one of thousands has news
            self._looked_s = now_s
            self._look_after_all(now_s)
        await self.wait(self._looked_s + within_s - now_s)

    def _look_after_all(self, now_s: float) -> None:
        for link in tuple(self._running):
            if self.pipe.ending and link.stuck_s() > DRAIN_S:
                link.fate = "it takes no more"
                link.abort()
            else:
                self._look(link)
        self._settle_before(now_s - _SETTLE_S)

    async def _serve(self) -> None:
        assert self._server is not None
        accepting = asyncio.ensure_future(self._server.run())
        accepting.add_done_callback(lambda _: self.changed.set())
        try:
            while not self.drained or self._kept:
                if accepting.done():
                    accepting.result()
                if self.pipe.ending and self.diverts and not self.links:
                    break  # what is on its way cannot get there
                await self._pause()
            await self._leave()
        finally:
            accepting.cancel()

    async def _talk(self) -> None:
        while True:
            if self._new is None:
                if not await self._again():
                    return
                continue
            link, self._new = self._new, None
            task, lost = self._start(link), self.lost
            while not (task.done() or self.drained):
                await self._pause()
            done = not task.done() and await self._leave()
            may_end = self.drained or (self.looks and not self.options.retry)
            if may_end and link.code in (_NORMAL, _AWAY) and await self._at_once(lost):
                done = not self._kept
            if self._crash is not None:
                raise self._crash
            if self._session is not None:
                await self._session.close()
            if link.failure is not None:
                raise InputError(f"what {self.place} sends does not parse: {link.failure}")
            if done or (link.code == _NORMAL and not self.looks):
                return
            self._trouble = f"{self.place}: {link.fate}"
            if not self.options.retry or self.pipe.ending:
                raise StageError(self._trouble)
            if link.active:
                self._backoff.reset()
            self._warn_of_trouble()

    async def _at_once(self, lost: int) -> bool:
        """The other side has closed: whether both did, since there is nothing more for it, nor soon will be."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while not self.drained and self.lost == lost:
                    await self.wait(LOOK_S)
        return self.drained and self.lost == lost

    def _warn_of_trouble(self) -> None:
        self._wait_s = self._backoff.next_s()
        self.pipe.log.warn(f"{self._trouble}; next try in {self._wait_s:.1f} s", self)

    async def _again(self) -> bool:
        """Connect once more, when it is time; whether there is still a reason to. StageError."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._wait_s
        while (left_s := end_s - loop.time()) > 0:
            idle = self.drained and not self._kept
            if self.pipe.ending or (idle and not self._met):
                raise StageError(self._trouble)
            if idle:
                return False
            await self.wait(min(left_s, LOOK_S))
        await self._try()
        return True

    async def _leave(self) -> bool:
        """All is with the links: see it out, take what comes back, and close. Whether there was anybody to see it."""
        loop = asyncio.get_running_loop()
        while any(link.unsent for link in self.links) and not self._late:
            await self._pause()
        since_s = loop.time()
        while not self._late and any(self._unconfirmed(link, since_s) for link in self.links):
            for link in self.links:
                link.ask(at_once=True)
            await self._pause()
        since_s = loop.time()
        if self.looks and self.produces:
            while self._running and self.back < self.given and not (self._silent(since_s) or self._late):
                await self._pause()
        if not self._late:
            await self._confirm()
        tasks = {*self._running.values()}
        met = bool(tasks)
        since_s = loop.time()
        for link in self._running:
            link.close(_AWAY if self.pipe.ending else _NORMAL)
        while tasks:
            _, tasks = await asyncio.wait(tasks, timeout=LOOK_S)
            if self._late:
                for task in tasks:
                    task.cancel()
            elif self._silent(since_s) or loop.time() - since_s > _LONGEST_S:
                self._cut_off()
        return met

    async def _confirm(self) -> None:
        """Say what was taken by now without being asked: there may be no time for questions any more."""
        taken = [(link, words(link.theirs, link.frames)) for link in self._running if link.theirs]
        if taken:
            written = asyncio.Event()
            self.when_written(written.set)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    await written.wait()
                for link, data in taken:
                    link.confirm(data)

    def _unconfirmed(self, link: Link, since_s: float) -> bool:
        """Whether the far end may still confirm something."""
        if link.receipt is None or not link.receipt.open:
            return False
        patience_s = (self.options.timeout_s or math.inf) if link.receipt.answered else DRAIN_S
        return asyncio.get_running_loop().time() - max(since_s, link.heard_s) < patience_s

    @property
    def _late(self) -> bool:
        """Whether the pipeline was told to end, and that is too long ago."""
        now_s = asyncio.get_running_loop().time()
        if self._end_s is None and self.pipe.ending:
            self._end_s = now_s + 2 * DRAIN_S
        return self._end_s is not None and now_s > self._end_s

    def _silent(self, since_s: float) -> bool:
        """Whether nothing has come since then, and for a while, from any of them."""
        silent_s = asyncio.get_running_loop().time() - since_s
        return min((link.silent_s() for link in self._running), default=silent_s) > DRAIN_S < silent_s

    def _cut_off(self) -> None:
        for link in self._running:
            link.abort()

    def finish(self) -> None:
        super().finish()
        self._let_go()

    def abort(self) -> None:
        super().abort()
        self._cut_off()
        self._let_go()

    def _let_go(self) -> None:
        if self._session is not None and not self._session.closed and self.pipe.driver is not None:
            self.pipe.driver.spawn(self._session.close())  # it never came to run()
        self._hush()

    def _hush(self) -> None:
        if hasattr(self, "_refused"):
            for throttle in (self._refused, self._guests, self._paused):
                throttle.close()
