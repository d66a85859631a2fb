"""HTTP and HTTPS sources: a GET that streams.

aiohttp runs in a thread with an event loop of its own, so that a URL reads like a file from any thread,
whether or not the caller runs a loop. Nothing is queued between the two: while nobody asks, the connection is
not read, and the kernel's buffer reads ahead. Memory is bounded, and a broken connection loses nothing that
had come.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from concurrent.futures import CancelledError

import aiohttp
import yarl

from bgpipe.errors import InputError, StageError
from bgpipe.transport import tls
from bgpipe.transport.source import Interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    T = TypeVar("T")

_PATIENCE_S = 60.0  # for an answer, and then for each next byte
_REDIRECTS = 10
_RESUMES = 5  # tries to go on, without a byte between them
_IDENTITY = ("ETag", "Last-Modified")
_FAILURES = (aiohttp.ClientError, OSError, ValueError)


class HttpInput:
    """The body of a URL as it is stored, as an input of Source.

    Proxies come from http_proxy, https_proxy and no_proxy, passwords from the URL or ~/.netrc. A connection
    that breaks is taken up again where it broke, if the server can do that and says that the file is the
    same. label: the URL after redirects, without a password.
    """

    def __init__(self, url: str) -> None:
        self.label = url
        self.name = ""
        self.position = 0
        self.size: int | None = None
        self.file: tuple[int, int] | None = None
        self._url = url
        self._chunk = memoryview(b"")
        self._session: aiohttp.ClientSession | None = None
        self._response: aiohttp.ClientResponse | None = None
        self._refusal = ""  # why there is no going on, for the end of a message
        self._interrupted = False
        self._task: asyncio.Task[Any] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="http", daemon=True)
        self._thread.start()
        try:
            self._run(self._open())
        except BaseException:
            self.close()
            raise

    def readinto(self, buffer: memoryview) -> int:
        if not self._chunk:
            self._chunk = memoryview(self._run(self._read()))
        count = min(len(buffer), len(self._chunk))
        buffer[:count] = self._chunk[:count]
        self._chunk = self._chunk[count:]
        self.position += count
        return count

    def rewind(self) -> bool:
        return False

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self._interrupted = False
        self._run(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def interrupt(self) -> None:
        self._interrupted = True
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._break_off)

    def _break_off(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(self._follow(work), self._loop)
        try:
            return future.result()
        except CancelledError:
            raise Interrupted(f"reading {self.label} was broken off") from None
        except BaseException:
            future.cancel()
            raise

    async def _follow(self, work: Coroutine[Any, Any, T]) -> T:
        self._task = asyncio.current_task()
        try:
            if self._interrupted:
                self._break_off()
            return await work
        finally:
            self._task = None

    async def _open(self) -> None:
        try:
            self.label = str(yarl.URL(self._url).with_user(None))
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_PATIENCE_S),
                trust_env=True,
                auto_decompress=False,  # the content says what it is, whatever its headers say
                headers={"Accept-Encoding": "identity", "User-Agent": "bgpipe"},
            )
            self._response = await self._get({})
        except _FAILURES as error:
            raise StageError(f"cannot read {self.label}: {why(error)}") from None
        if self._response.status != 200:
            answer = f"{self._response.status} {self._response.reason or ''}".strip()
            raise StageError(f"cannot read {self.label}: the server answers {answer}")
        self.label = str(self._response.url.with_user(None))
        self.name = self._response.url.name
        self.size = self._response.content_length

    async def _get(self, headers: dict[str, str]) -> aiohttp.ClientResponse:
        assert self._session is not None
        async with asyncio.timeout(_PATIENCE_S):
            response = await self._session.get(self._url, headers=headers, max_redirects=_REDIRECTS)
        _let_read(response, False)
        return response

    async def _read(self) -> bytes:
        for tries in range(_RESUMES + 1):
            assert self._response is not None
            self._refusal = ""
            try:
                _let_read(self._response, True)
                async with asyncio.timeout(_PATIENCE_S):
                    chunk = await self._response.content.readany()
                _let_read(self._response, False)
                if chunk or self.size in (None, self.position):
                    return chunk
                reason = "the server gives no more"  # of what it went on with
            except (*_FAILURES, RuntimeError) as error:  # RuntimeError: what a broken chunk leaves behind
                reason = why(error)
            if tries == _RESUMES or not await self._resume(0.5 * 2**tries):
                break
        size = "" if self.size is None else f" of {self.size}"
        raise InputError(f"{self.label} is cut short at byte {self.position}{size}: {reason}{self._refusal}")

    async def _resume(self, delay_s: float) -> bool:
        """Ask for the rest. False if there is no hope of getting it, or not of the same file.

        If-Range asks for the rest of the same file alone, but not every server minds it: the answer has to agree in
        what identifies the file, and in its size.
        """
        assert self._response is not None
        headers = self._response.headers
        validator = headers.get("ETag", "W/")
        if validator.startswith("W/"):  # RFC 9110 section 13.1.5: a weak one does not do
            validator = headers.get("Last-Modified", "")
        if not validator:
            self._refusal = "; the rest cannot be asked for"
            return False
        await asyncio.sleep(delay_s)
        try:
            response = await self._get({"Range": f"bytes={self.position}-", "If-Range": validator})
        except _FAILURES:
            return True  # reading from the old response fails once more, which counts as a try
        if response.status >= 500:
            response.close()
            return True
        begin, _, total = response.headers.get("Content-Range", "").partition("/")
        size = int(total) if total.isascii() and total.isdigit() else None  # *: the server does not know
        both = [name for name in _IDENTITY if name in headers and name in response.headers]
        if any(headers[name] != response.headers[name] for name in both) or not _agree(size, self.size):
            self._refusal = "; the file there has changed since"
        elif response.status != 206 or not begin.startswith(f"bytes {self.position}-"):
            self._refusal = "; the server does not go on from there"
        if self._refusal:
            response.close()
            return False
        self.size = self.size or size
        self._response.close()
        self._response = response
        return True

    async def _shut(self) -> None:
        if self._response is not None:
            self._response.close()
        if self._session is not None:
            await self._session.close()


def _agree(size: int | None, other: int | None) -> bool:
    return size is None or other is None or size == other


def _let_read(response: aiohttp.ClientResponse, on: bool) -> None:
    """Go on or stop reading from the connection: what is in aiohttp's own buffer when that breaks is lost."""
    transport = response.connection.transport if response.connection is not None else None
    if transport is None:
        return
    if on:
        transport.resume_reading()
    else:
        transport.pause_reading()


def why(error: BaseException, *, insecure: bool = False) -> str:
    """An error of aiohttp in a few words. insecure: as in tls.why."""
    if isinstance(error, TimeoutError):
        return f"nothing came for {_PATIENCE_S:.0f} s"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return tls.why(error.certificate_error, error.host, insecure=insecure)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"host {error.host} is not found"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answers {error.status} {error.message}"
    if isinstance(error, aiohttp.TooManyRedirects):
        return f"it redirects more than {_REDIRECTS} times"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the answer is not valid HTTP: {error.message.partition(chr(10))[0].rstrip(':')}"
    if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return f"not a valid URL: {error}"
    if isinstance(error, RuntimeError):
        return "what the server sends is not valid HTTP"
    if isinstance(error, (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
        return "the server closed the connection"
    if isinstance(error, aiohttp.ClientConnectorError):
        place = f"{error.host}:{error.port}"
        return f"{place}: {why(error.os_error)}"
    if isinstance(error, aiohttp.ClientOSError) and isinstance(error.__cause__, ssl.SSLError):
        return tls.why(error.__cause__)
    if isinstance(error, (ssl.SSLError, ConnectionResetError)):
        return tls.why(error)
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
