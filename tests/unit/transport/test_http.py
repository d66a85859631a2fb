"""URLs as sources, against servers on the loopback that behave and misbehave."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import lzma
import os
import random
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from bgpipe.errors import InputError, StageError
from bgpipe.transport import http
from bgpipe.transport.source import Source, open_source

DATA = random.Random(2).randbytes(3_000_000)

Handler = Callable[[socket.socket, str, dict[str, str]], None]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Server:
    """Answers each request by a function, which gets the connection, the path and the headers."""

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._handler = handler
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._listener.getsockname())
        self.url = f"http{'s' if context else ''}://{self.address}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as lines:
                while request := lines.readline():
                    path = request.decode().split()[1]
                    headers = {}
                    while line := lines.readline().strip():
                        name, _, value = line.decode().partition(":")
                        headers[name.lower()] = value.strip()
                    self.requests.append((path, headers))
                    self._handler(connection, path, headers)
        except OSError:
            pass  # the client went away

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@contextmanager
def serve(handler: Handler, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    with closing(Server(handler, context)) as server:
        yield server


def answer(connection: socket.socket, status: str, body: bytes = b"", **headers: str) -> None:
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if "Content_Length" not in headers and "Transfer_Encoding" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def serve_data(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
    answer(connection, "200 OK", DATA)


def drain(source: Source, size: int = 50_000) -> bytes:
    buffer = memoryview(bytearray(size))
    result = bytearray()
    while count := source.readinto(buffer):
        result += buffer[:count]
    return bytes(result)


def drain_to_error(source: Source) -> tuple[bytes, str]:
    buffer = memoryview(bytearray(50_000))
    result = bytearray()
    with pytest.raises(InputError) as caught:
        while count := source.readinto(buffer):
            result += buffer[:count]
    with pytest.raises(InputError):
        source.readinto(buffer)
    return bytes(result), str(caught.value)


def http_threads() -> int:
    return sum(thread.name == "http" for thread in threading.enumerate())


def test_body_of_known_length() -> None:
    with serve(serve_data) as server:
        with open_source(server.url + "/archive/updates.20160811.1600?x=1") as source:
            assert (source.name, source.raw_size) == ("updates.20160811.1600", len(DATA))
            assert drain(source) == DATA
            assert source.raw_pos == len(DATA)
            assert source.readinto(memoryview(bytearray(1))) == 0
        assert http_threads() == 0
        source.close()
    assert server.requests[0][1]["accept-encoding"] == "identity"


def test_body_in_chunks_and_body_to_the_end() -> None:
    def handler(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        if path == "/chunked":
            answer(connection, "200 OK", Transfer_Encoding="chunked")
            for place in range(0, len(DATA), 7777):
                piece = DATA[place : place + 7777]
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            connection.sendall(b"0\r\n\r\n")
        else:
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + DATA)
            connection.shutdown(socket.SHUT_RDWR)

    with serve(handler) as server:
        for path in ("/chunked", "/to-the-end"):
            with open_source(server.url + path) as source:
                assert source.raw_size is None
                assert drain(source) == DATA


@pytest.mark.parametrize("header", ["", "gzip", "x-gzip"])
def test_compressed_files_whatever_their_headers_say(header: str) -> None:
    body = gzip.compress(DATA[:100_000], 1) + gzip.compress(DATA[100_000:], 1)

    def handler(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        if header:
            answer(connection, "200 OK", body, Content_Encoding=header)
        else:
            answer(connection, "200 OK", body)

    with serve(handler) as server, open_source(server.url + "/latest-update.gz") as source:
        assert source.raw_size == len(body)
        assert source.peek(10) == DATA[:10]
        assert drain(source) == DATA
        assert source.raw_pos == len(body)


def test_bzip2_in_parallel() -> None:
    def handler(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        answer(connection, "200 OK", bz2.compress(DATA, 1))

    with serve(handler) as server, open_source(server.url + "/rib.bz2", threads=2) as source:
        assert drain(source) == DATA


def test_redirects() -> None:
    def handler(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        if path == "/round":
            answer(connection, "302 Found", Location="/round")
        elif path == "/away":
            answer(connection, "302 Found", Location="ftp://127.0.0.1/x")
        elif path == "/deep/bview.20200101.0000.gz":
            answer(connection, "200 OK", gzip.compress(b"hello"))
        else:
            answer(connection, "301 Moved Permanently", Location="/deep/bview.20200101.0000.gz")

    with serve(handler) as server:
        with open_source(server.url + "/latest-bview.gz") as source:
            assert source.name == "bview.20200101.0000.gz"
            assert drain(source) == b"hello"
        with pytest.raises(StageError, match="/round: it redirects more than 10 times"):
            open_source(server.url + "/round")
        with pytest.raises(StageError, match="/away: not a valid URL"):
            open_source(server.url + "/away")
        assert http_threads() == 0


def test_refusals() -> None:
    def handler(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        if path == "/garbage":
            connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")
        elif path == "/nothing":
            connection.shutdown(socket.SHUT_RDWR)
        else:
            answer(connection, path[1:].replace("-", " "), b"<html>sorry</html>")

    with serve(handler) as server:
        for status in ("404 Not Found", "403 Forbidden", "500 Oops", "410 Gone"):
            with pytest.raises(StageError, match=f"cannot read .*: the server answers {status}$"):
                open_source(f"{server.url}/{status.replace(' ', '-')}")
        with pytest.raises(StageError, match="the answer is not valid HTTP"):
            open_source(server.url + "/garbage")
        with pytest.raises(StageError, match="the server closed the connection"):
            open_source(server.url + "/nothing")
    with pytest.raises(StageError, match=f"cannot read {server.url}/x: 127.0.0.1:[0-9]+: connection refused"):
        open_source(server.url + "/x")
    with pytest.raises(StageError, match=r"host .*invalid is not found"):
        open_source("http://no-such-host.invalid/x")
    with pytest.raises(StageError, match="cannot read http://"):
        open_source("http://[::1/x")
    assert http_threads() == 0


def test_password_goes_to_the_server_and_nowhere_else() -> None:
    def handler(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        known = headers.get("authorization") == "Basic dXNlcjpzZWNyZXQ="
        answer(connection, "200 OK" if known and path == "/x" else "403 Forbidden", b"hello")

    with serve(handler) as server:
        url = server.url.replace("://", "://user:secret@")
        with open_source(url + "/x") as source:
            assert drain(source) == b"hello"
        with pytest.raises(StageError) as caught:
            open_source(url + "/y")
        assert "secret" not in str(caught.value)
    with pytest.raises(StageError) as caught:
        open_source(url + "/x")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("chunked", [False, True])
def test_cut_short_and_no_way_to_go_on(chunked: bool) -> None:
    """All that came is given first: the server says nothing by which the rest could be asked for."""

    def handler(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        if chunked:
            answer(connection, "200 OK", Transfer_Encoding="chunked")
            connection.sendall(b"%x\r\n%b\r\n" % (2_000_000, DATA[:2_000_000]))
        else:
            answer(connection, "200 OK", DATA[:2_000_000], Content_Length=str(len(DATA)))
        connection.shutdown(socket.SHUT_RDWR)

    with serve(handler) as server, open_source(server.url + "/x") as source:
        time.sleep(0.1)  # the connection is closed before anything is read
        given, message = drain_to_error(source)
    assert given == DATA[:2_000_000]
    size = "" if chunked else f" of {len(DATA)}"
    assert message == f"{server.url}/x is cut short at byte 2000000{size}: {CLOSED}; the rest cannot be asked for"
    assert len(server.requests) == 1


def test_broken_chunk() -> None:
    def handler(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        answer(connection, "200 OK", Transfer_Encoding="chunked")
        connection.sendall(b"%x\r\n%b\r\n" % (200_000, DATA[:200_000]) + b"zzz\r\nhello\r\n")
        connection.recv(1)

    with serve(handler) as server, open_source(server.url + "/x") as source:
        given, message = drain_to_error(source)
    assert given == DATA[:200_000]
    reason = "what the server sends is not valid HTTP; the rest cannot be asked for"
    assert message == f"{server.url}/x is cut short at byte 200000: {reason}"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress, lz4.frame.compress])
@pytest.mark.parametrize("threads", [1, 2])
def test_compressed_body_cut_short(pack: Callable[[bytes], bytes], threads: int) -> None:
    body = pack(DATA)

    def handler(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        answer(connection, "200 OK", body[:1_000_000], Content_Length=str(len(body)))
        connection.shutdown(socket.SHUT_RDWR)

    with serve(handler) as server, open_source(server.url + "/x", threads=threads) as source:
        given, message = drain_to_error(source)
    assert DATA.startswith(given)
    assert len(given) > 840_000  # whole blocks: one of bzip2, and zstd's of 128 KiB
    assert f"is cut short at byte 1000000 of {len(body)}: the server closed the connection" in message


class Flaky:
    """Drops each connection after so many bytes, and gives the rest to who asks for it properly."""

    def __init__(self, size: int, **headers: str) -> None:
        self.size = size
        self.headers = headers
        self.refusals = 0

    def __call__(self, connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        begin = 0
        status = "200 OK"
        more = dict(self.headers)
        if "range" in headers:
            if self.refusals:
                self.refusals -= 1
                answer(connection, "503 Service Unavailable")
                return
            if headers.get("if-range") in (self.headers.get("ETag"), self.headers.get("Last_Modified")):
                begin = int(headers["range"].removeprefix("bytes=").removesuffix("-"))
                status = "206 Partial Content"
                more["Content_Range"] = f"bytes {begin}-{len(DATA) - 1}/{len(DATA)}"
        answer(connection, status, b"", Content_Length=str(len(DATA) - begin), **more)
        connection.sendall(DATA[begin : begin + self.size])
        connection.shutdown(socket.SHUT_RDWR)


CLOSED = "the server closed the connection"
DATE = "Thu, 11 Aug 2016 16:05:00 GMT"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make waiting between tries take no time; gives what would have been waited."""
    waits: list[float] = []
    real = asyncio.sleep

    async def sleep(delay: float) -> None:
        waits.append(delay)
        await real(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waits


@pytest.mark.parametrize("headers", [{"ETag": '"1a2b"'}, {"Last_Modified": DATE, "ETag": 'W/"1"'}])
def test_goes_on_where_the_connection_broke(headers: dict[str, str], quick: list[float]) -> None:
    with serve(Flaky(400_000, **headers)) as server, open_source(server.url + "/x") as source:
        assert drain(source) == DATA
        assert source.raw_pos == source.raw_size == len(DATA)
    assert [request.get("range") for _, request in server.requests[:2]] == [None, "bytes=400000-"]
    assert len(server.requests) == 8
    assert set(quick) == {0.5}


def test_goes_on_after_a_server_that_was_overloaded(quick: list[float]) -> None:
    flaky = Flaky(2_000_000, ETag='"1a2b"')
    flaky.refusals = 3
    with serve(flaky) as server, open_source(server.url + "/x") as source:
        assert drain(source) == DATA
    assert quick == [0.5, 1, 2, 4]


def test_gives_up_after_some_tries(quick: list[float]) -> None:
    flaky = Flaky(2_000_000, ETag='"1a2b"')
    flaky.refusals = 1000
    with serve(flaky) as server, open_source(server.url + "/x") as source:
        given, message = drain_to_error(source)
    assert given == DATA[:2_000_000]
    assert "is cut short at byte 2000000 of 3000000" in message
    assert quick == [0.5, 1, 2, 4, 8]


def test_does_not_go_on_with_another_file(quick: list[float]) -> None:
    flaky = Flaky(2_000_000, ETag='"old"')
    with serve(flaky) as server, open_source(server.url + "/x") as source:
        flaky.headers = {"ETag": '"new"'}
        given, message = drain_to_error(source)
    assert given == DATA[:2_000_000]
    assert message.endswith("is cut short at byte 2000000 of 3000000: " + CLOSED + "; the file there has changed since")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "headers", "refusal"),
    [
        ("206 Partial Content", {"ETag": '"new"'}, "; the file there has changed since"),
        ("206 Partial Content", {"Last_Modified": DATE.replace("11", "12")}, "; the file there has changed since"),
        ("206 Partial Content", {"Content_Range": "bytes 2000000-2999999/3000001"}, "; the file there has changed since"),
        ("416 Range Not Satisfiable", {"Content_Range": "bytes */1000"}, "; the file there has changed since"),
        ("206 Partial Content", {"Content_Range": "bytes 2000001-2999999/3000000"}, "; the server does not go on from there"),
        ("206 Partial Content", {}, "; the server does not go on from there"),
        ("200 OK", {"ETag": '"old"', "Last_Modified": DATE}, "; the server does not go on from there"),
    ],
)
def test_servers_that_go_on_with_something_else(
    status: str, headers: dict[str, str], refusal: str, quick: list[float]
) -> None:
    """They do not mind If-Range."""

    def handler(connection: socket.socket, path: str, asked: dict[str, str]) -> None:
        if "range" in asked:
            answer(connection, status, DATA[2_000_000:], **headers)
            return
        answer(connection, "200 OK", DATA[:2_000_000], Content_Length=str(len(DATA)), ETag='"old"', Last_Modified=DATE)
        connection.shutdown(socket.SHUT_RDWR)

    with serve(handler) as server, open_source(server.url + "/x") as source:
        given, message = drain_to_error(source)
    assert given == DATA[:2_000_000]
    assert message == f"{server.url}/x is cut short at byte 2000000 of 3000000: {CLOSED}{refusal}"


@pytest.mark.parametrize("total", ["3000000", "*"])
def test_goes_on_piece_by_piece(total: str, quick: list[float]) -> None:
    """A server need not send all of the rest at once."""

    def handler(connection: socket.socket, path: str, asked: dict[str, str]) -> None:
        begin = int(asked.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        piece = DATA[begin : begin + 700_000]
        if begin:
            content_range = f"bytes {begin}-{begin + len(piece) - 1}/{total}"
            answer(connection, "206 Partial Content", piece, ETag='"1"', Content_Range=content_range)
        else:
            answer(connection, "200 OK", piece, Content_Length=str(len(DATA)), ETag='"1"')
            connection.shutdown(socket.SHUT_RDWR)

    with serve(handler) as server, open_source(server.url + "/x") as source:
        assert drain(source) == DATA


def test_silent_server(monkeypatch: pytest.MonkeyPatch, quick: list[float]) -> None:
    def handler(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        if path == "/body":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        connection.recv(1)

    monkeypatch.setattr(http, "_PATIENCE_S", 0.6)
    with serve(handler) as server:
        with pytest.raises(StageError, match="nothing came for 1 s"):
            open_source(server.url + "/head")
        with open_source(server.url + "/body") as source:
            given, message = drain_to_error(source)
    assert given == b"hello"
    assert "is cut short at byte 5 of 10: nothing came for" in message


def test_slow_consumer_is_not_a_silent_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_PATIENCE_S", 0.6)
    with serve(serve_data) as server, open_source(server.url + "/x") as source:
        assert source.peek(1)
        time.sleep(1)
        assert drain(source) == DATA


def test_memory_is_bounded() -> None:
    """A server that could send any amount gets rid of no more than the buffers on the way hold."""
    sent = 0

    def handler(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        while True:
            sent += connection.send(bytes(1 << 16))

    with serve(handler) as server, open_source(server.url + "/x") as source:
        assert source.peek(10) == bytes(10)
        before = -1
        while sent != before:
            before = sent
            time.sleep(0.2)
        assert sent < 64 << 20
        for _ in range(1000):
            assert source.readinto(memoryview(bytearray(1000)))


def test_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    def proxy(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        answer(connection, "200 OK", b"by proxy: " + path.encode())

    with serve(proxy) as server, serve(serve_data) as origin:
        monkeypatch.setenv("http_proxy", server.url)
        with open_source("http://archive.example/x") as source:
            assert drain(source) == b"by proxy: http://archive.example/x"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with open_source(origin.url + "/x") as source:
            assert drain(source) == DATA


def test_works_where_a_loop_is_running() -> None:
    async def main(url: str) -> bytes:
        with open_source(url) as source:
            return drain(source)

    with serve(serve_data) as server:
        assert asyncio.run(main(server.url + "/x")) == DATA


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that is signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", "key.pem", "-out", "cert.pem"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl command to make a certificate with")
    return folder


def fetch(url: str, certificate: Path) -> tuple[bytes, str]:
    """What a process that trusts the certificate gets from url, and the error it ends with."""
    code = """
import sys
from bgpipe.errors import BgpipeError
from bgpipe.transport.source import open_source
buffer = memoryview(bytearray(50_000))
try:
    with open_source(sys.argv[1]) as source:
        while count := source.readinto(buffer):
            sys.stdout.buffer.write(buffer[:count])
except BgpipeError as error:
    print(error, file=sys.stderr)
"""
    environment = os.environ | {"SSL_CERT_FILE": str(certificate / "cert.pem")}
    command = [sys.executable, "-c", code, url]
    result = subprocess.run(command, env=environment, capture_output=True, check=True)
    return result.stdout, result.stderr.decode()


def test_tls(certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with serve(serve_data, context) as server:
        with pytest.raises(StageError, match=r"nobody known here vouches for the certificate of 127\.0\.0\.1 \(self-signed"):
            open_source(server.url + "/x")
        assert fetch(server.url + "/x", certificate) == (DATA, "")


def test_tls_cut_short(certificate: Path) -> None:
    def handler(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        answer(connection, "200 OK", DATA[:2_000_000], Content_Length=str(len(DATA)))
        connection.shutdown(socket.SHUT_RDWR)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with serve(handler, context) as server:
        given, message = fetch(server.url + "/x", certificate)
    assert given == DATA[:2_000_000]
    assert "is cut short at byte 2000000 of 3000000" in message
