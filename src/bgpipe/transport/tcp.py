"""TCP for BGP: addresses as users write them, and what the kernel is asked for on a socket."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import select
import socket
import struct
import threading
from concurrent.futures import Future
from pathlib import Path

from bgpipe.errors import StageError, UsageError, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Found = list[tuple[socket.AddressFamily, Any]]

PORT = 179  # RFC 4271 section 8

# Of accept(2): there is no room now, for another descriptor or another buffer. How soon to accept again then.
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_S = 0.5

# <linux/in.h>, <linux/in6.h>, <linux/tcp.h>: those that the socket module does not name everywhere
_IP_MINTTL = 21
_IPV6_MINHOPCOUNT = 73
_IP_TRANSPARENT = 19
_IPV6_TRANSPARENT = 75
_TCP_MD5SIG = 14
_TCP_MD5SIG_EXT = 32
_MD5_PREFIX = 1
_MD5_LONGEST = 80

# <linux/snmp.h>: segments that are dropped without a word, by the names that nstat puts TcpExt in front of, and why.
MD5_DROPS = {
    "TCPMD5NotFound": "not signed",
    "TCPMD5Failure": "signed with another key",
    "TCPMD5Unexpected": "signed where no key is known",
}
TTL_DROPS = {"TCPMinTTLDrop": "with a lower TTL"}
_COUNTERS = Path("/proc/thread-self/net/netstat")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_asked: dict[tuple[str, int, int], Future[Found]] = {}  # what name servers were asked and have not answered yet


def endpoint(text: str, port: int = PORT) -> tuple[str, int]:
    """Host and port of HOST, HOST:PORT, [V6], [V6]:PORT, V6 or :PORT; the host is "" in the last. Raises UsageError."""
    host, number = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise UsageError(f"{text!r} is no address: expected [IPV6]:PORT")
        number = rest[1:]
        if not _is_v6(host) or (rest and not number):
            raise UsageError(f"{text!r} is no address: expected [IPV6]:PORT")
    elif text.count(":") == 1:
        host, _, number = text.partition(":")
        if not number:
            raise UsageError(f"{text!r} is no address: there is no port behind the colon")
    elif ":" in text and not _is_v6(text):
        raise UsageError(f"{text!r} is no address: expected HOST, HOST:PORT or [IPV6]:PORT")
    if number:
        if not (number.isascii() and number.isdigit() and 0 < int(number[:6]) < 65536):
            raise UsageError(f"{text!r}: {number!r} is no port: expected 1 to 65535")
        port = int(number)
    return host, port


def show(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """An address as a user would write it: 192.0.2.1:179, [2001:db8::1]:179."""
    host, port = unmapped(address[0]), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def unmapped(host: str) -> str:
    """An address as the socket module gives it; IPv4, where a socket of both families shows that as ::ffff:a.b.c.d."""
    mapped = ipaddress.IPv6Address(host).ipv4_mapped if host.startswith("::ffff:") else None
    return host if mapped is None else str(mapped)


async def resolve(host: str, port: int, family: int) -> Found:
    """Families and addresses of a host, as sockets take them. OSError.

    It asks in a thread that nobody waits for in the end: a name server that does not answer holds nothing up. Whoever
    wants to know the same meanwhile waits for the same answer.
    """
    with contextlib.suppress(socket.gaierror):  # it is a name
        return _addresses(host, port, family, socket.AI_NUMERICHOST)
    wanted = host, port, family
    answer = _asked.get(wanted)
    if answer is None:
        answer = _asked[wanted] = Future()
        answer.set_running_or_notify_cancel()  # who waits no more does not take it from the others
        threading.Thread(target=_ask, args=(wanted, answer), name=f"bgpipe resolves {host}", daemon=True).start()
    return await asyncio.wrap_future(answer)


def _addresses(host: str, port: int, family: int, flags: int = 0) -> Found:
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=flags)
    return [(kind, address) for kind, _, _, _, address in found]


def _ask(wanted: tuple[str, int, int], answer: Future[Found]) -> None:
    try:
        found = _addresses(*wanted)
    except Exception as error:
        del _asked[wanted]
        answer.set_exception(error)
    else:
        del _asked[wanted]
        answer.set_result(found)


def _is_v6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def key(text: str) -> bytes:
    """A TCP-MD5 key (RFC 2385). Raises ValueError."""
    data = text.encode()
    if not 0 < len(data) <= _MD5_LONGEST:
        raise ValueError(f"a key of 1 to {_MD5_LONGEST} octets")
    return data


def set_md5(sock: socket.socket, peers: Network, secret: bytes) -> None:
    """Sign with this key, and take only what is signed with it, whatever goes to and comes from these peers (RFC 2385).

    A socket that listens hands it on to the connections that it accepts. Raises StageError.
    """
    try:
        sock.setsockopt(socket.IPPROTO_TCP, *_md5(sock, peers, secret))
    except OSError as error:
        raise StageError(f"TCP-MD5 for {peers}: {reason(error)}; does this kernel have CONFIG_TCP_MD5SIG?") from None


def _md5(sock: socket.socket, peers: Network, secret: bytes) -> tuple[int, bytes]:
    address, length = peers.network_address, peers.prefixlen
    whole = length == address.max_prefixlen
    if sock.family == socket.AF_INET6:
        if isinstance(address, ipaddress.IPv4Address):  # a socket of both families knows IPv4 peers as ::ffff:a.b.c.d
            address = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)  # and the length as that of IPv4
        peer = struct.pack("=HHI", socket.AF_INET6, 0, 0) + address.packed + bytes(4)
    else:
        peer = struct.pack("=HH", socket.AF_INET, 0) + address.packed
    packed = peer.ljust(128, b"\0")  # struct tcp_md5sig
    packed += struct.pack("=BBHi", 0 if whole else _MD5_PREFIX, 0 if whole else length, len(secret), 0)
    return _TCP_MD5SIG if whole else _TCP_MD5SIG_EXT, packed + secret.ljust(_MD5_LONGEST, b"\0")


def set_ttl(sock: socket.socket, ttl: int) -> None:
    """The TTL, or hop limit, of what is sent. Raises StageError."""
    _set_hops(sock, ttl, socket.IP_TTL, socket.IPV6_UNICAST_HOPS, "TTL")


def set_least_ttl(sock: socket.socket, ttl: int) -> None:
    """Have the kernel drop what comes with a lower TTL: GTSM (RFC 5082). Raises StageError."""
    _set_hops(sock, ttl, _IP_MINTTL, _IPV6_MINHOPCOUNT, "least TTL")


def _set_hops(sock: socket.socket, ttl: int, v4: int, v6: int, what: str) -> None:
    try:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, v6, ttl)
        sock.setsockopt(socket.IPPROTO_IP, v4, ttl)  # of IPv4 peers of a socket of both families, too
    except OSError as error:
        raise StageError(f"{what} {ttl}: {reason(error)}") from None


def set_transparent(sock: socket.socket) -> None:
    """Take connections to, and make them from, addresses that are not this machine's. Raises StageError."""
    try:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
    except OSError as error:
        raise StageError(f"--transparent: {reason(error)}; it takes the capability CAP_NET_ADMIN") from None


async def accept(listening: socket.socket, pauses: Callable[[str], None]) -> tuple[socket.socket, Any]:
    """The next client, and its address. Waits for descriptors, where there are none; `pauses` tells that once."""
    said = False
    while True:
        try:
            return await asyncio.get_running_loop().sock_accept(listening)
        except OSError as error:
            if error.errno in _NO_ROOM:
                if not said:
                    pauses(f"nobody is let in for now: {reason(error)}")
                said = True
                await asyncio.sleep(_PAUSE_S)
            # else it was the client's connection that broke


def has_left(sock: socket.socket) -> bool:
    """Whether the other side has sent its last, or is gone; known also while nothing is read."""
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP)
    return bool(poll.poll(0))


def set_keepalive(sock: socket.socket, interval_s: float) -> None:
    """Have the kernel probe a silent peer that often, and give it up behind three probes without an answer; 0: not."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1 if interval_s else 0)
    if interval_s:
        seconds = max(1, round(interval_s))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


class Drops:
    """What the kernel drops for the sake of an option of ours, from now on: neither side ever hears of it.

    reasons: the counters to look at, MD5_DROPS or TTL_DROPS: those of the network namespace, not of one socket.
    """

    def __init__(self, reasons: dict[str, str], option: str, counters: str) -> None:
        self._reasons = reasons
        self._option = option
        self._look = f"nstat -az {counters}"
        self._before = self._count()

    def take(self) -> str:
        """What has been dropped since it was asked last, and where to look; "" for nothing."""
        before, self._before = self._before, self._count()
        found = []
        for name, why in self._reasons.items():
            number = self._before.get(name, 0) - before.get(name, 0)
            if number > 0:
                found.append(f"{number} segment{'s' if number > 1 else ''} {why}")
        return f"{self._option}: the kernel has dropped {', '.join(found)} ({self._look})" if found else ""

    def explain(self) -> str:
        """The same, for a connection that never came to be: if nothing was dropped here, it may have been there."""
        silent = f"{self._option}: nothing was dropped here; if the other side drops, it counts there: {self._look}"
        return self.take() or silent

    def _count(self) -> dict[str, int]:
        try:
            lines = _COUNTERS.read_text().splitlines()
        except OSError:
            return {}
        for names, numbers in zip(lines[::2], lines[1::2], strict=False):
            if names.startswith("TcpExt:"):
                found = dict(zip(names.split()[1:], map(int, numbers.split()[1:]), strict=False))
                return {name: found[name] for name in self._reasons if name in found}
        return {}
