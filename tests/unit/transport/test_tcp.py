"""Addresses, and socket options as the kernel sees them."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpipe.errors import StageError, UsageError
from bgpipe.transport import tcp

ALL4 = ipaddress.ip_network("127.0.0.0/8")
ONE4 = ipaddress.ip_network("127.0.0.1/32")
ONE6 = ipaddress.ip_network("::1/128")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 179)),
        ("192.0.2.1:1790", ("192.0.2.1", 1790)),
        ("2001:db8::1", ("2001:db8::1", 179)),
        ("[2001:db8::1]", ("2001:db8::1", 179)),
        ("[2001:db8::1]:1790", ("2001:db8::1", 1790)),
        ("rs1.example.net", ("rs1.example.net", 179)),
        ("rs1.example.net:65535", ("rs1.example.net", 65535)),
        (":1", ("", 1)),
    ],
)
def test_endpoint(text: str, expected: tuple[str, int]) -> None:
    assert tcp.endpoint(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("192.0.2.1:", "there is no port behind the colon"),
        ("192.0.2.1:0", "'0' is no port: expected 1 to 65535"),
        ("192.0.2.1:65536", "'65536' is no port"),
        ("192.0.2.1:99999999999", "is no port"),
        ("192.0.2.1:bgp", "'bgp' is no port"),
        ("192.0.2.1:٣", "is no port"),
        ("[192.0.2.1]:1", r"expected \[IPV6\]:PORT"),
        ("[2001:db8::1", r"expected \[IPV6\]:PORT"),
        ("[2001:db8::1]1", r"expected \[IPV6\]:PORT"),
        ("[2001:db8::1]:", r"expected \[IPV6\]:PORT"),
        ("2001:db8::1::2", r"expected HOST, HOST:PORT or \[IPV6\]:PORT"),
    ],
)
def test_bad_endpoints(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        tcp.endpoint(text)


def test_show() -> None:
    assert tcp.show(("::ffff:192.0.2.1", 179, 0, 0)) == "192.0.2.1:179"
    assert tcp.show(("::fffe:0:1", 179)) == "[::fffe:0:1]:179"
    assert tcp.show(("192.0.2.1", 179)) == "192.0.2.1:179"
    assert tcp.show(("2001:db8::1", 179, 0, 0)) == "[2001:db8::1]:179"


@contextlib.contextmanager
def listening(host: str, family: int = socket.AF_INET) -> Iterator[socket.socket]:
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.bind((host, 0))
        sock.listen()
        yield sock


def answers(server: socket.socket, client: socket.socket) -> bool:
    client.settimeout(0.3)
    try:
        client.connect(server.getsockname()[:2])
    except TimeoutError:
        return False
    server.settimeout(5)
    taken, _ = server.accept()
    with taken:
        client.sendall(b"x")
        return taken.recv(1) == b"x"


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        yield sock


class Names:
    """A name server that answers when it is told to."""

    ANSWER = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 179))

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.error: Exception | None = None
        self.asked = 0

    def __call__(self, host: str, *_: Any, flags: int = 0, **__: Any) -> list[Any]:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "it is a name")
        self.asked += 1
        self.answers.wait()
        if self.error is not None:
            raise self.error
        return [self.ANSWER]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    found = Names()
    monkeypatch.setattr(tcp.socket, "getaddrinfo", found)
    yield found
    found.answers.set()


class TestResolve:
    def test_an_address(self) -> None:
        """It is known without a thread, and without a name server."""
        found = asyncio.run(tcp.resolve("2001:db8::1", 179, socket.AF_UNSPEC))
        assert [address[:2] for _, address in found] == [("2001:db8::1", 179)]
        assert not tcp._asked

    def test_a_server_that_does_not_answer(self, names: Names) -> None:
        """Who waits for it can be stopped, and the process does not wait for it; nor does who still waits notice."""

        async def test() -> None:
            waiting = [asyncio.ensure_future(tcp.resolve("router.example", 179, socket.AF_INET)) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting[0]
            names.answers.set()
            for other in waiting[1:]:
                assert await other == [(socket.AF_INET, ("192.0.2.1", 179))]
            assert names.asked == 1
            assert not tcp._asked

        asyncio.run(test())

    def test_the_loop_is_gone_when_it_answers(self, names: Names) -> None:
        async def test() -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(tcp.resolve("router.example", 179, socket.AF_INET), 0.001)

        asyncio.run(test())
        thread = next(thread for thread in threading.enumerate() if "router.example" in thread.name)
        assert thread.daemon
        names.answers.set()
        thread.join()

    def test_no_such_name(self, names: Names) -> None:
        names.error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        names.answers.set()
        with pytest.raises(socket.gaierror, match="not known"):
            asyncio.run(tcp.resolve("router.example", 179, socket.AF_INET))
        assert not tcp._asked


class TestMd5:
    """Signed segments over loopback: RFC 2385 as the kernel does it."""

    @pytest.fixture(autouse=True)
    def supported(self) -> None:
        with socket.socket() as sock:
            try:
                tcp.set_md5(sock, ONE4, b"x")
            except StageError as error:
                pytest.skip(str(error))

    @pytest.mark.parametrize("peers", [ONE4, ALL4], ids=str)
    def test_same_key(self, client: socket.socket, peers: ipaddress.IPv4Network) -> None:
        with listening("127.0.0.1") as server:
            tcp.set_md5(server, peers, b"secret")
            tcp.set_md5(client, ONE4, b"secret")
            assert answers(server, client)

    def test_other_key(self, client: socket.socket) -> None:
        with listening("127.0.0.1") as server:
            tcp.set_md5(server, ONE4, b"secret")
            tcp.set_md5(client, ONE4, b"secrets")
            assert not answers(server, client)

    def test_no_key(self, client: socket.socket) -> None:
        with listening("127.0.0.1") as server:
            tcp.set_md5(server, ALL4, b"secret")
            assert not answers(server, client)

    def test_ipv6(self) -> None:
        with listening("::1", socket.AF_INET6) as server, socket.socket(socket.AF_INET6) as client:
            tcp.set_md5(server, ONE6, b"k" * 80)
            tcp.set_md5(client, ONE6, b"k" * 80)
            assert answers(server, client)

    def test_ipv4_peer_of_a_socket_of_both_families(self, client: socket.socket) -> None:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as server:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            server.bind(("::", 0))
            server.listen()
            tcp.set_md5(server, ONE4, b"secret")
            tcp.set_md5(client, ONE4, b"secret")
            client.settimeout(5)
            client.connect(("127.0.0.1", server.getsockname()[1]))

    @pytest.mark.parametrize("text", ["", "k" * 81, "\xfc" * 41])
    def test_keys(self, text: str) -> None:
        with pytest.raises(ValueError, match="a key of 1 to 80 octets"):
            tcp.key(text)


class TestTtl:
    def test_of_what_is_sent(self, client: socket.socket) -> None:
        tcp.set_ttl(client, 255)
        assert client.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 255

    def test_gtsm(self, client: socket.socket) -> None:
        """RFC 5082: what comes from further away than a neighbour is dropped by the kernel."""
        with listening("127.0.0.1") as server:
            tcp.set_least_ttl(server, 255)
            assert not answers(server, client)  # sent with 64
        with listening("127.0.0.1") as server, socket.socket() as near:
            tcp.set_least_ttl(server, 255)
            tcp.set_ttl(near, 255)
            tcp.set_ttl(server, 255)
            assert answers(server, near)

    def test_ipv6(self) -> None:
        with socket.socket(socket.AF_INET6) as sock:
            tcp.set_ttl(sock, 254)
            tcp.set_least_ttl(sock, 254)
            assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) == 254

    def test_out_of_range(self, client: socket.socket) -> None:
        with pytest.raises(StageError, match="TTL 256: invalid argument"):
            tcp.set_ttl(client, 256)


def test_keepalive(client: socket.socket) -> None:
    tcp.set_keepalive(client, 15.0)
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15
    tcp.set_keepalive(client, 0)
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


NETSTAT = """\
TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Failure TCPMinTTLDrop
TcpExt: 0 {0} {1} {2}
IpExt: InNoRoutes TCPMD5NotFound
IpExt: 77 99
"""


class TestDrops:
    @pytest.fixture
    def counters(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        path = tmp_path / "netstat"
        monkeypatch.setattr(tcp, "_COUNTERS", path)
        return path

    def test_what_was_dropped_since(self, counters: Path) -> None:
        counters.write_text(NETSTAT.format(1000, 5, 1))
        md5 = tcp.Drops(tcp.MD5_DROPS, "TCP-MD5", "'TcpExtTCPMD5*'")
        ttl = tcp.Drops(tcp.TTL_DROPS, "--ttl-min", "TcpExtTCPMinTTLDrop")
        assert md5.take() == ttl.take() == ""
        counters.write_text(NETSTAT.format(1001, 7, 4))
        assert md5.take() == (
            "TCP-MD5: the kernel has dropped 1 segment not signed, 2 segments signed with another key (nstat -az 'TcpExtTCPMD5*')"
        )
        assert ttl.explain() == "--ttl-min: the kernel has dropped 3 segments with a lower TTL (nstat -az TcpExtTCPMinTTLDrop)"
        assert md5.take() == ""
        assert "nothing was dropped here; if the other side drops" in md5.explain()

    def test_no_counters(self, counters: Path) -> None:
        assert tcp.Drops(tcp.MD5_DROPS, "TCP-MD5", "x").take() == ""


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_transparent(family: int) -> None:
    with socket.socket(family) as sock:
        try:
            tcp.set_transparent(sock)
        except StageError as error:
            assert "CAP_NET_ADMIN" in str(error)
            return
        host = "192.0.2.77" if family == socket.AF_INET else "2001:db8::77"
        sock.bind((host, 0))  # not an address of this machine
