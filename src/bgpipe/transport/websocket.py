"""WebSocket connections (RFC 6455) on aiohttp: frames out of a queue, and in to a decoder; connecting, and letting in.

Links of a server share the frames that wait for several of them. Who sends is to look at `full`; what was read waits
for whoever takes it, and the far end's pings are answered meanwhile as long as its messages are not too many.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import logging
import socket
import struct
from collections import Counter, deque
from functools import partial

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web

from bgpipe._frames import whole
from bgpipe.errors import InputError, StageError
from bgpipe.formats import TEXTS
from bgpipe.transport import tcp
from bgpipe.transport.http import why
from bgpipe.transport.receipts import Receipt, parse, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any, Protocol

    from bgpipe._codec import Batch, Decoder

    Socket = aiohttp.ClientWebSocketResponse | web.WebSocketResponse
    Frame = tuple[bytes, int]  # the octets, and how many messages they are

    class Keeper(Protocol):
        """Who has the links, and looks after them."""

        def moved(self, link: Link) -> None:
            """Something has happened that matters outside, as full, failure and receipt tell."""

        def skipped(self, error: InputError) -> None:
            """A part of what came was skipped."""

        def when_written(self, function: Callable[[], None]) -> None:
            """Call a function once all that came by now is written."""

        async def taken(self, link: Link, name: str) -> int | None:
            """How many frames came over an earlier connection; nothing more does. None: it is not known."""

        def told(self, link: Link, name: str, frames: int | None) -> None:
            """The far end has taken so many frames of an earlier connection; or it does not know."""

FULL = 256 << 10  # octets that wait, beside those in the transport, until there should come no more
LONGEST = 4 << 20  # octets of a frame that comes: two lines of JSON that are as long as lines may be
_DEFLATE = 15  # permessage-deflate with the usual window (RFC 7692 section 7.1.2)
_QUIET_S = 30.0  # nothing heard for so long: are you there?
_ANSWER_S = 30.0  # and so long for the answer
_ASK_SIZE = 256 << 10  # octets, behind which the far end is asked whether it has them
_ASK_S = 0.5  # and how often, where there are fewer
_KNOWN_S = 0.5  # how long messages wait for the far end to know the name of the connection
_MOST_ANSWERS = 1000  # that wait to be written
_FAREWELL_S = 2.0  # for the other side's close frame, where it is an error that ends the connection
_GREETINGS = 256  # clients at once that have connected, and not asked properly yet
_GRACE_S = 1.0  # how long they may take for that where others wait
_UNFINISHED = 1 << 20  # octets of a client's message that is not whole; so much may wait where nothing is taken
_ALL_UNFINISHED = 64 << 20  # and what all clients together may have beyond that
_BACKLOG = 1024
_BROKEN = 1006  # RFC 6455 section 7.1.5: the connection ended without a close frame

# What aiohttp says is for its developers, and may show what a client sent.
_SILENT = logging.getLogger("bgpipe.websocket")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class Link:
    """A connection that is open.

    remote: the far end's address. take: gets each batch of what comes that is not empty; it returns what to wait for
    before there are more. Without a decoder, messages that come are not looked at.

    unsent: octets that wait. code: that of the far end's close frame, or 1006. fate: how it ended. failure: what came
    does not parse. receipt: of what went out, where that is to be confirmed. theirs: what the far end calls the
    connection, where it asks for that; frames: how many came.
    """

    def __init__(
        self,
        ws: Socket,
        transport: asyncio.Transport,
        keeper: Keeper,
        *,
        form: str,
        decoder: Decoder | None,
        take: Callable[[Batch], Awaitable[None] | None],
        receipt: Receipt | None,
    ) -> None:
        self._ws = ws
        self._transport = transport
        self._keeper = keeper
        self._form = form
        self.decoder = decoder
        self._take = take
        self.receipt = receipt
        self.theirs = ""
        self._loop = asyncio.get_running_loop()
        self.remote = remote_of(transport)
        self._queue: deque[Frame] = deque()
        self._news = asyncio.Event()  # for what writes
        self._came: list[bytes] = []
        self._came_size = 0
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._taking = False
        self.frames = 0
        self._held = 0  # frames, those that are not taken yet included
        self._mark: tuple[int, bytes] | None = None  # an answer that is due behind so many frames
        self._words: deque[tuple[bytes, WSMsgType]] = deque()  # pings and pongs that wait
        self._unasked = 0  # octets, since the far end was asked whether it has them
        self._asks_s = self._loop.time()  # when it was, or is to be
        self._asked_s: float | None = None  # a ping is due, or on its way
        self._farewell: bytes | None = None
        self._told = False  # our close frame is out
        self._silent = False  # nothing more comes
        self._begun = receipt is None  # messages may go out
        self._sending = 0  # octets of the frame that is on its way to the transport
        self.unsent = 0
        self.code = _BROKEN
        self.fate = "the connection broke"
        self.failure: InputError | None = None
        self.heard_s = self._moved_s = self._loop.time()
        self._sent = self._sent_before = 0
        self._unwritten = 0  # answers that wait until messages are written
        protocol = transport.get_protocol()
        self._visitor = protocol if isinstance(protocol, _Visitor) else None

    # ---- writing -----------------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether to send no more until there is room."""
        return self.unsent > FULL

    def send(self, frames: Sequence[Frame], size: int) -> None:
        """Send these, `size` octets, behind all that came before."""
        if not self.unsent:
            self._moved_s = self._loop.time()
        self._queue.extend(frames)
        self.unsent += size
        self._news.set()

    def left(self) -> list[Frame]:
        """Take back what has not been sent."""
        left = list(self._queue)
        self._queue.clear()
        self.unsent = self._sending
        return left

    def inquire(self, data: bytes) -> None:
        """Send a ping with these words, in front of what waits."""
        self._say(data, WSMsgType.PING)

    def confirm(self, *answers: bytes) -> None:
        """Send pongs, likewise."""
        for data in answers:
            self._say(data, WSMsgType.PONG)

    def _say(self, data: bytes, kind: WSMsgType) -> None:
        if len(self._words) < _MOST_ANSWERS:
            self._words.append((data, kind))
            self._news.set()

    def ask(self, *, at_once: bool = False) -> None:
        """Ask the far end what it has, as often as that is due."""
        if self.receipt is not None and self.receipt.due and (at_once or self._loop.time() - self._asks_s >= _ASK_S):
            self._ask(self.receipt)

    def _ask(self, receipt: Receipt) -> None:
        self._unasked = 0
        self._asks_s = self._loop.time()
        self.inquire(receipt.ask())

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame behind what waits; the far end answers it by one of its own."""
        if self._farewell is None:
            self._farewell = struct.pack(">H", code) + reason[:100].encode("ascii", "replace")  # at most 125 octets
            self._news.set()

    def abort(self) -> None:
        """Break it off."""
        self._transport.abort()

    @property
    def active(self) -> bool:
        """Whether messages went either way."""
        return self._sent + self.frames > 0

    def stuck_s(self) -> float:
        """For how long nothing of what waits has been taken, as far as it was asked now and then."""
        if self._sent != self._sent_before or not self.unsent:
            self._sent_before = self._sent
            self._moved_s = self._loop.time()
        return self._loop.time() - self._moved_s

    def silent_s(self) -> float:
        """For how long nothing has come; what came before is taken."""
        return 0.0 if self._came or self._taking else self._loop.time() - self.heard_s

    def dead(self) -> bool:
        """Whether the far end is silent for too long, though it was asked for a sign of life, which is done here."""
        now_s = self._loop.time()
        if self._asked_s is None or self.heard_s >= self._asked_s:
            self._asked_s = None
            if now_s - self.heard_s > _QUIET_S and not self.unsent:
                self._asked_s = now_s
                self._news.set()
        elif now_s - self._asked_s > _ANSWER_S and not (self._came or self._taking):
            self.fate = f"it has not answered a ping within {_ANSWER_S:g} s"
            return True
        return False

    async def _write(self) -> None:
        queue, receipt, send = self._queue, self.receipt, self._ws.send_frame
        asked_s: float | None = None
        if receipt is not None:
            self._ask(receipt)  # in front of all, or it will not be able to tell what it has
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):  # what reads finds out why
            while True:
                while self._words or (queue and self._begun):
                    if self._words:
                        await send(*self._words.popleft())
                        continue
                    if self.failure is not None or self._transport.is_closing():
                        break
                    was_full = self.full
                    data, messages = queue.popleft()
                    self._sending = len(data)
                    if receipt is not None:
                        receipt.sent(messages)
                        self._unasked += self._sending
                    await send(data, WSMsgType.BINARY)
                    self.unsent -= self._sending
                    self._sending = 0
                    self._sent += 1
                    if self._unasked > _ASK_SIZE:
                        self.ask(at_once=True)
                    if was_full and not self.full:
                        self._keeper.moved(self)
                self._keeper.moved(self)
                if self._farewell is not None:
                    await send(self._farewell, WSMsgType.CLOSE)
                    self._told = True
                    return
                if self._asked_s is not None and self._asked_s != asked_s:
                    asked_s = self._asked_s
                    await self._ws.ping()
                self._news.clear()
                await self._news.wait()

    # ---- reading -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write and read until it is over."""
        writing = self._loop.create_task(self._write())
        taking = self._loop.create_task(self._take_all())
        beginning = self._loop.call_later(_KNOWN_S, self._begin)
        try:
            await self._read()
            self._silent = True
            self._some.set()
            await taking
            if self.code != _BROKEN and not self._told:
                await self._agree()
        finally:
            writing.cancel()
            taking.cancel()
            beginning.cancel()
            if self.code == _BROKEN:
                self._transport.abort()
            else:
                self._transport.close()
                self._loop.call_later(_FAREWELL_S, self._transport.abort)  # for who does not read what is still to go
            self._keeper.moved(self)

    async def _read(self) -> None:
        while True:
            message = await self._ws.receive()
            kind, data = message.type, message.data
            self.heard_s = self._loop.time()
            if kind is WSMsgType.BINARY or kind is WSMsgType.TEXT:
                if self._visitor is not None and self._visitor.unfinished:
                    self._visitor.finish()
                self._keep(data if type(data) is bytes else data.encode(), kind is WSMsgType.TEXT)
                while self._came_size > FULL and self.failure is None:
                    self._room.clear()
                    await self._room.wait()
            elif kind is WSMsgType.PING:
                await self._on_ping(data)
            elif kind is WSMsgType.PONG:
                self._on_pong(data)
            elif kind is WSMsgType.CLOSE:
                self.code = data or WSCloseCode.OK
                reason = f": {message.extra}" if message.extra else ""
                self.fate = f"it was closed (code {self.code}{reason})"
                return
            elif kind is WSMsgType.ERROR:
                if isinstance(data, aiohttp.WebSocketError):
                    self.fate = f"what came breaks the protocol: {data} (code {data.code})"
                elif data is not None:
                    self.fate = f"the connection broke: {why(data)}"
                return
            else:
                return

    def _begin(self) -> None:
        self._begun = True
        self._news.set()

    async def _on_ping(self, data: bytes) -> None:
        asked = parse(data)
        if asked is None:
            with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                await self._ws.pong(data)
            return
        name, frames = asked
        if frames is None:
            before = await self._keeper.taken(self, name)
            answers = (data,) if before is None else (words(name, before), data)
            self._confirm_when_written(*answers)
        elif self.decoder is not None:  # else nothing is taken
            self.theirs = name
            self._mark = self._held, data
            self._some.set()

    def _confirm_when_written(self, *answers: bytes) -> None:
        def confirm() -> None:
            self._unwritten -= 1
            self.confirm(*answers)

        if self._unwritten < _MOST_ANSWERS:
            self._unwritten += 1
            self._keeper.when_written(confirm)

    def _on_pong(self, data: bytes) -> None:
        said = parse(data)
        if said is None:
            return
        name, frames = said
        if self.receipt is None or name != self.receipt.name:
            self._keeper.told(self, name, frames)
        elif frames is not None:
            self.receipt.confirm(frames)
            self._begin()
            self._keeper.moved(self)

    def _keep(self, data: bytes, text: bool) -> None:
        if self.decoder is None or self.failure is not None:
            return
        if text and self._form not in TEXTS:
            self._fail(InputError(f"a text frame, though the format is {self._form}"), WSCloseCode.UNSUPPORTED_DATA)
            return
        self._came.append(data.rstrip(b"\n") if self._form in TEXTS else data)
        self._came_size += len(data)
        self._held += 1
        self._some.set()

    def _fail(self, error: InputError, code: int = WSCloseCode.INVALID_TEXT) -> None:
        """What came is none of our messages: there is no sense in going on (RFC 6455 section 7.4.1)."""
        self.failure = error
        self.close(code, str(error))
        self._loop.call_later(_FAREWELL_S, self.abort)
        self._room.set()
        self._keeper.moved(self)

    async def _take_all(self) -> None:
        while self.failure is None:
            if self._mark is not None and self._mark[0] <= self.frames:
                self._confirm_when_written(self._mark[1])
                self._mark = None
            if self._came:
                frames, self._came, self._came_size = self._came, [], 0
                self._room.set()
                self._taking = True
                await self._bring_frames(frames)
                self._taking = False
            elif self._silent:
                await self._bring(b"", eof=True)
                return
            else:
                self._some.clear()
                await self._some.wait()

    async def _bring_frames(self, frames: list[bytes]) -> None:
        if self._form in TEXTS:
            self.frames += len(frames)
            frames.append(b"")
            await self._bring(b"\n".join(frames))
            return
        good: list[bytes] = []
        for data in frames:
            self.frames += 1
            size = whole(data, self._form)
            if size == len(data):
                good.append(data)
                continue
            await self._bring(b"".join(good))
            good.clear()
            await self._bring_torn(data, size)
        await self._bring(b"".join(good))

    async def _bring_torn(self, data: bytes, size: int) -> None:
        assert self.decoder is not None
        problem = InputError(f"frame {self.frames} ends amid a message: {len(data) - size} octets of it are there")
        if self.decoder.pardon:
            await self._bring(data[:size])
            self._keeper.skipped(problem)
            return
        await self._bring(data)  # the decoder may know better what is wrong
        if self.failure is None:
            self._fail(problem)

    async def _bring(self, data: bytes, eof: bool = False) -> None:
        if self.decoder is None or self.failure is not None:
            return
        while True:
            batch = self.decoder.feed(data, eof)
            error, batch.error = batch.error, None
            waiting = self._take(batch) if len(batch) else None
            if isinstance(error, InputError):
                self._fail(error)
            if waiting is not None:
                await waiting
            if error is not None or not self.decoder.paused:
                return
            data = b""

    async def _agree(self) -> None:
        """Close as the far end asks for, so far as it still listens."""
        with contextlib.suppress(TimeoutError, ConnectionError, aiohttp.ClientError):
            async with asyncio.timeout(_FAREWELL_S):
                await self._ws.send_frame(struct.pack(">H", WSCloseCode.OK), WSMsgType.CLOSE)


# ---- as a client -----------------------------------------------------------------------------------------------------

async def dial(
    url: str,
    *,
    timeout_s: float,
    headers: Sequence[tuple[str, str]],
    context: ssl.SSLContext | None,
    compress: bool,
    longest: int,
) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse, asyncio.Transport]:
    """Connect. The session is to be closed when the connection is over. StageError, without what is secret."""
    redirect = aiohttp.TraceConfig()
    redirect.on_request_redirect.append(_refuse_redirect)
    session = aiohttp.ClientSession(
        trust_env=True,
        timeout=aiohttp.ClientTimeout(total=None),
        trace_configs=[redirect],
        ws_response_class=_Client,
    )
    try:
        async with asyncio.timeout(timeout_s or None):
            ws = await session.ws_connect(
                url,
                headers=[("User-Agent", "bgpipe"), *headers],
                ssl=context if context is not None else True,
                compress=_DEFLATE if compress else 0,
                max_msg_size=longest,
                autoping=False,
                autoclose=False,
                timeout=aiohttp.ClientWSTimeout(ws_close=_FAREWELL_S),
            )
        transport = ws.transport if isinstance(ws, _Client) else None
        if transport is None:
            raise StageError("the server closed the connection")
        return session, ws, transport
    except TimeoutError:
        problem = f"no answer within {timeout_s:g} s"
    except aiohttp.WSServerHandshakeError as error:
        problem = f"the server answers {error.status}" if error.status != 101 else f"no WebSocket: {error.message}"
        problem += ": wrong --auth, or none" if error.status == 401 else ""
    except (aiohttp.ClientError, OSError, ValueError) as error:
        problem = why(error, insecure=True)
    except StageError as error:
        problem = str(error)
    except BaseException:
        await session.close()
        raise
    await session.close()
    raise StageError(problem)


class _Client(aiohttp.ClientWebSocketResponse):
    """One that keeps the transport, to break it off where it takes nothing any more."""

    def __init__(
        self, reader: Any, writer: Any, protocol: Any, response: aiohttp.ClientResponse, *more: Any, **named: Any
    ) -> None:
        connection = response.connection
        self.transport = connection.transport if connection is not None else None
        super().__init__(reader, writer, protocol, response, *more, **named)


async def _refuse_redirect(*_: object) -> None:
    """What is secret in the request is for this server alone."""
    raise StageError("the server redirects to another address: give that one")


# ---- as a server -----------------------------------------------------------------------------------------------------

class Server:
    """Lets clients in that ask for a WebSocket at `path` and know the password, if there is one.

    auth: "user:password". serve: what is done with each client; its connection is closed when that has returned.
    crowded: asked whether there is no room for another one. say: gets a line for each that is refused. pauses: gets one
    when nobody is let in for a while.

    Where too many are at the door, who has been there for a second makes room for others: the oldest of the address
    with the most of them. The messages that clients have begun and not finished have a bounded room, too: who holds
    most of it goes.
    """

    def __init__(
        self,
        listening: socket.socket,
        serve: Callable[[web.WebSocketResponse, asyncio.Transport], Awaitable[None]],
        *,
        path: str,
        auth: str | None,
        context: ssl.SSLContext | None,
        timeout_s: float,
        compress: bool,
        longest: int,
        crowded: Callable[[], bool],
        say: Callable[[str], None],
        pauses: Callable[[str], None],
    ) -> None:
        self._listening = listening
        self._serve = serve
        self._path = path
        self._auth = _basic(auth).encode() if auth is not None else None
        self._context = context
        self._timeout_s = timeout_s
        self._compress = compress
        self._longest = longest
        self._crowded = crowded
        self._say = say
        self._pauses = pauses
        self._loop = asyncio.get_running_loop()
        self._greetings: dict[asyncio.Task[None], tuple[str, float]] = {}  # address, since when; the oldest first
        self._greeted = asyncio.Event()  # one of them is over
        self._senders: set[_Visitor] = set()  # those with more than _UNFINISHED
        self._unfinished = 0  # octets, of those, beyond that

    async def run(self) -> None:
        """Accept until it is cancelled."""
        try:
            while True:
                client, address = await tcp.accept(self._listening, self._pauses)
                try:
                    await self._make_room()
                except asyncio.CancelledError:
                    client.close()
                    raise
                task = self._loop.create_task(self._greet(client))
                self._greetings[task] = address[0], self._loop.time()
                task.add_done_callback(self._forget)
        finally:
            for task in self._greetings:
                task.cancel()
            self._listening.close()

    def _forget(self, greeting: asyncio.Task[None]) -> None:
        del self._greetings[greeting]
        self._greeted.set()

    async def _make_room(self) -> None:
        while len(self._greetings) >= _GREETINGS:
            crowds = Counter(address for address, _ in self._greetings.values())
            most = max(crowds.values())
            oldest = next(task for task, (address, _) in self._greetings.items() if crowds[address] == most)
            left_s = self._greetings[oldest][1] + _GRACE_S - self._loop.time()
            if left_s <= 0:
                self._say(f"{self._greetings[oldest][0]} has not asked for a WebSocket yet, and others wait")
                oldest.cancel()
            self._greeted.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(left_s, 0) or None):
                    await self._greeted.wait()

    async def _greet(self, client: socket.socket) -> None:
        """Until it has asked for what there is; whoever takes his time for it is sent away."""
        visit = _Visit(self._answer, self.weigh)
        handshake_s = self._timeout_s if self._context is not None and self._timeout_s else None
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                visit, client, ssl=self._context, ssl_handshake_timeout=handshake_s
            )
        except OSError as error:  # those of TLS among them
            self._say(f"a client was lost: {why(error)}")
            client.close()
            return
        try:
            async with asyncio.timeout(self._timeout_s or None):
                await visit.settled
        except TimeoutError:
            self._say(f"{remote_of(transport)} has not asked for a WebSocket within {self._timeout_s:g} s")
            transport.abort()
        except asyncio.CancelledError:
            transport.abort()
            raise

    def weigh(self, visitor: _Visitor, before: int) -> None:
        """What this one has not finished was `before` octets until now."""
        self._unfinished += max(visitor.unfinished - _UNFINISHED, 0) - max(before - _UNFINISHED, 0)
        if visitor.unfinished <= _UNFINISHED:
            self._senders.discard(visitor)
            return
        self._senders.add(visitor)
        while self._unfinished > _ALL_UNFINISHED:
            most = max(self._senders, key=lambda sender: sender.unfinished)
            self._say(f"{most.remote} is cut off: {most.unfinished >> 10} KiB of a message, and others have as much")
            if most.transport is not None:
                most.transport.abort()
            most.finish()

    async def _answer(self, visit: _Visit, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        remote = remote_of(transport)
        status = 0
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if self._auth is not None and not hmac.compare_digest(given, self._auth):
            status, reason = 401, "wrong password" if given else "no password"
        elif request.path != self._path:
            status, reason = 404, f"asks for {request.path[:100]!r}"
        elif self._crowded():
            status, reason = 503, "there are too many clients already (--max-clients)"
        if status:
            self._say(f"{remote} is refused: {reason}")
            response = web.Response(status=status)
            if status == 401:
                response.headers["WWW-Authenticate"] = 'Basic realm="bgpipe", charset="UTF-8"'
            response.force_close()
            return response
        ws = web.WebSocketResponse(
            autoping=False,
            autoclose=False,
            timeout=_FAREWELL_S,
            compress=self._compress,
            max_msg_size=self._longest,
        )
        await ws.prepare(request)
        visit.settle()
        await self._serve(ws, transport)
        return ws


class _Visit(web.Server):
    """The web server of one connection. settled: done when it became a WebSocket, or ended before."""

    def __init__(
        self,
        answer: Callable[[_Visit, web.BaseRequest], Awaitable[web.StreamResponse]],
        weigh: Callable[[_Visitor, int], None],
    ) -> None:
        super().__init__(partial(answer, self))
        self._weigh = weigh
        self.settled = asyncio.get_running_loop().create_future()

    def __call__(self) -> _Visitor:
        return _Visitor(self, self._weigh)

    def settle(self) -> None:
        if not self.settled.done():
            self.settled.set_result(None)

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self.settle()
        del self.request_handler  # or all that belongs to the client waits for the garbage collector


class _Visitor(web.RequestHandler):
    """The connection of a client. unfinished: octets that came since its last whole message.

    weigh: told when that changes, and what it was.
    """

    __slots__ = ("_weigh", "unfinished")

    def __init__(self, visit: _Visit, weigh: Callable[[_Visitor, int], None]) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(visit, loop=loop, access_log=None, logger=_SILENT)  # type: ignore[arg-type]
        self._weigh = weigh
        self.unfinished = 0

    @property
    def remote(self) -> str:
        return remote_of(self.transport) if self.transport is not None else "a client that has gone"

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        before = self.unfinished
        self.unfinished += len(data)
        if self.unfinished > _UNFINISHED:
            self._weigh(self, before)

    def finish(self) -> None:
        """A message is whole, or nothing more comes."""
        before, self.unfinished = self.unfinished, 0
        if before > _UNFINISHED:
            self._weigh(self, before)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.finish()


def remote_of(transport: asyncio.BaseTransport) -> str:
    """The address of the far end."""
    peer = transport.get_extra_info("peername")
    return tcp.show(peer) if isinstance(peer, tuple) else "a client that has gone"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; on all addresses where the host is "". OSError."""
    both = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both or ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    listening.setblocking(False)
    return listening


def authorization(auth: str) -> tuple[str, str]:
    """The header for "user:password" (RFC 7617)."""
    return "Authorization", _basic(auth)


def _basic(auth: str) -> str:
    return "Basic " + base64.b64encode(auth.encode()).decode()
