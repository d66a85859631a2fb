"""live.py [OPTION...] COMMAND...: a session through the proxy, beside a direct connection and socat in the same run.

Source and sink are processes apart from the proxy that send and take octets which were made before; they open a session
first, as two routers would. All cases run in turn, round after round, and the median counts. A round in front, which
is not timed, sees to it that each case brings over what was sent, to the last octet. Then many sessions at once,
through one process: what they take of memory while nothing happens, and whether all of them keep up.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import random
import resource
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from prepare import ROOT, UPDATES, archives

import bgpipe
from bgpipe.bgp.causes import KEEPALIVE_MESSAGE, message
from bgpipe.bgp.negotiation import Offer
from bgpipe.bgp.session import CAPABILITIES

PATIENCE_S = 30
CROWD_RATE = 5000  # messages a second
TICK_S = 0.02
SIOCOUTQ = 0x5411  # octets that were sent and not acknowledged yet
# Looks at the AS path of each message, and lets all of them pass.
CHECKS = ["grep", "type != UPDATE || !(as_path == 4199999999)", "--"]
CHECKS += ["limit", "-46", "--session", "100000000", "--permanent", "--"]
TARGETS = {"bgpipe": "0.35 of direct", "bgpipe, grep and limit": "2.5 M/s", "bgpipe, JSON to a file": "2 M/s"}
END_OF_RIBS = message(2, bytes(4)) + b"".join(
    message(2, b"\0\0\0\6\x80\x0f\3" + family) for family in (b"\0\2\1", b"\0\1\x85", b"\0\2\x85")
)

Way = Callable[[int, int], list[str]]  # the ports to listen at and to connect to -> what to run between them


def hello(asn: int) -> bytes:
    pairs = [(code, asn.to_bytes(4) if code == 65 else value) for code, value in CAPABILITIES]
    return Offer(asn, 90, asn, tuple(pairs)).wire


def take(sock: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = sock.recv(size - len(found))
        if not more:
            raise EOFError("the connection was closed")
        found += more
    return found


def meet(sock: socket.socket, mine: int, other: int) -> None:
    """OPEN, KEEPALIVE and the End-of-RIB of each family, both ways."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(PATIENCE_S)
    for said, heard in ((hello(mine), hello(other)), (KEEPALIVE_MESSAGE,) * 2, (END_OF_RIBS,) * 2):
        sock.sendall(said)
        take(sock, len(heard))


def dial(port: int) -> socket.socket:
    late = time.monotonic() + PATIENCE_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if time.monotonic() > late:
                raise
            time.sleep(0.02)


def apart(work: Callable[[], object]) -> Callable[[], list[float]]:
    """Have this done in a process of its own. Returns what waits for its result."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)

    def result() -> list[float]:
        with open(reading, "rb") as file:
            said = file.read()
        os.waitpid(pid, 0)
        if not said:
            sys.exit("the sink got no session, or lost it")
        found: list[float] = json.loads(said)
        return found

    return result


@dataclass
class Use:
    """What the proxy took of the machine while it was measured; its start is left out."""

    cpu_s: float = 0.0
    peak_mib: float = 0.0


@dataclass
class Session:
    """One that is up, or several by way of one process. sources: the sockets of the routers that send."""

    sources: list[socket.socket]
    use: Use
    pid: int
    sunk: Callable[[], list[float]]

    def cpu_s(self) -> float:
        """Of all threads of the proxy: its clock, see clock_getcpuclockid(3)."""
        return time.clock_gettime(~self.pid << 3 | 2) if self.pid else 0.0

    def result(self) -> list[float]:
        """What the sink found, once it has got all."""
        self.use.cpu_s = self.cpu_s() - self.use.cpu_s
        if self.pid:
            status = Path(f"/proc/{self.pid}/status").read_text()
            self.use.peak_mib = int(status.partition("VmHWM:")[2].split()[0]) / 1024
        for source in self.sources:
            source.sendall(KEEPALIVE_MESSAGE)
        return self.sunk()


@contextmanager
def session(way: Way | None, sink: Callable[[list[socket.socket]], object], count: int = 1) -> Iterator[Session]:
    """A session, or several, from here to a sink, directly or by way of a proxy."""
    with tempfile.TemporaryFile() as said, socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as opened:
        port = sink_port = server.getsockname()[1]

        def work() -> object:
            socks = []
            for _ in range(count):
                sock, _ = server.accept()
                meet(sock, 65002, 65001)
                socks.append(sock)
            found = sink(socks)
            for sock in socks:
                take(sock, len(KEEPALIVE_MESSAGE))  # stays until it is told
            return found

        sunk = apart(work)
        server.close()
        proxy = None
        if way is not None:
            port = free_port()
            proxy = subprocess.Popen(way(port, sink_port), stderr=said)
        try:
            sources = []
            for _ in range(count):
                sources.append(opened.enter_context(dial(port)))
                meet(sources[-1], 65001, 65002)
            up = Session(sources, Use(), proxy.pid if proxy is not None else 0, sunk)
            up.use.cpu_s = up.cpu_s()
            yield up
            opened.close()
            if proxy is not None:
                if count > 1:
                    proxy.terminate()
                proxy.wait(PATIENCE_S)
        except OSError as error:
            said.seek(0)
            sys.exit(f"the session broke, {error}; the proxy said: {said.read().decode()}")
        finally:
            if proxy is not None:
                proxy.kill()
                proxy.wait()


def free_port() -> int:
    """One to listen at, which no connection of others gets by chance."""
    while True:
        port = random.randrange(20000, 32000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def stream(way: Way | None, data: bytes, *, check: bool = False) -> tuple[float, Use]:
    """Seconds until all of it is at the sink. check: whether it is what was sent; that takes its time."""

    def sink(socks: list[socket.socket]) -> list[float]:
        [sock] = socks
        left, buffer, digest = len(data), bytearray(1 << 18), hashlib.sha1()
        while left:
            size = sock.recv_into(buffer, min(left, len(buffer)))
            if not size:
                raise EOFError("the connection was closed")
            left -= size
            if check:
                digest.update(memoryview(buffer)[:size])
        return [time.monotonic(), digest.digest() == hashlib.sha1(data).digest() if check else True]

    with session(way, sink) as up:
        start = time.monotonic()
        [source] = up.sources
        source.sendall(data)
        while int.from_bytes(fcntl.ioctl(source, SIOCOUTQ, bytes(4)), sys.byteorder):
            time.sleep(0.001)
        end, same = up.result()
        if not same:
            sys.exit("what came is not what was sent")
        return end - start, up.use


def trickle(way: Way | None, rate: int, seconds: float) -> tuple[tuple[float, float], Use]:
    """How long messages take that come one by one: median and 99th percentile, in seconds."""
    count = max(1, int(rate * seconds))

    def sink(socks: list[socket.socket]) -> list[float]:
        found = []
        for _ in range(count):
            wire = take(socks[0], 33)
            found.append(time.monotonic() - int.from_bytes(wire[22:26] + wire[27:31]) / 1e9)
        found.sort()
        return [found[count // 2], found[count * 99 // 100]]

    with session(way, sink) as up:
        start = time.monotonic()
        for number in range(count):
            while (early := start + number / rate - time.monotonic()) > 0:
                time.sleep(early)
            stamp = time.monotonic_ns().to_bytes(8)  # as two withdrawn prefixes
            up.sources[0].sendall(message(2, b"\0\x0a\x20" + stamp[:4] + b"\x20" + stamp[4:] + b"\0\0"))
        middle, late = up.result()
        return (middle, late), up.use


def idle(way: Way, count: int) -> Use:
    """So many sessions, and nothing happens."""
    with session(way, lambda socks: [], count) as up:
        time.sleep(1)
        up.result()
        return up.use


def crowd(way: Way, count: int, chunks: list[bytes]) -> tuple[float, float, float, Use]:
    """So many sessions that get a chunk each every TICK_S: seconds until the last is sent, and from then on until all
    is at the sink, and how many of them got all of it.
    """
    size, right = sum(map(len, chunks)), zlib.crc32(b"".join(chunks))

    def sink(socks: list[socket.socket]) -> list[float]:
        sums, left = dict.fromkeys(socks, 0), dict.fromkeys(socks, size)
        with selectors.DefaultSelector() as selector:
            for at, sock in enumerate(socks):
                selector.register(sock, selectors.EVENT_READ, at)
            while selector.get_map() and (ready := selector.select(PATIENCE_S)):
                for key, _ in ready:
                    sock = socks[key.data]
                    data = sock.recv(min(left[sock], 1 << 18))
                    sums[sock] = zlib.crc32(data, sums[sock])
                    left[sock] -= len(data)
                    if not data or not left[sock]:
                        selector.unregister(sock)
        return [time.monotonic(), sum(found == right for found in sums.values())]

    with session(way, sink, count) as up:
        start = time.monotonic()
        for number, chunk in enumerate(chunks):
            time.sleep(max(0.0, start + number * TICK_S - time.monotonic()))
            for source in up.sources:
                source.sendall(chunk)
        sent = time.monotonic()
        while any(int.from_bytes(fcntl.ioctl(source, SIOCOUTQ, bytes(4)), sys.byteorder) for source in up.sources):
            time.sleep(0.01)
        end, good = up.result()
        return sent - start, end - sent, good, up.use


def between(command: list[str], listen: list[str], stages: list[str]) -> Way:
    def found(port: int, sink: int) -> list[str]:
        ends = ["listen", *listen, f"127.0.0.1:{port}"], ["connect", "--wait", "listen", f"127.0.0.1:{sink}"]
        return [*command, "--", *ends[0], "--", *stages, *ends[1]]

    return found


def ways(command: list[str], folder: str) -> dict[str, Way | None]:
    def through(*stages: str) -> Way:
        return between(command, [], list(stages))

    found: dict[str, Way | None] = {"direct": None}
    if (socat := shutil.which("socat")) is not None:
        found["socat"] = lambda port, sink: [
            *(socat, "-b65536", f"TCP-LISTEN:{port},nodelay"),
            f"TCP:127.0.0.1:{sink},nodelay",
        ]
    found["bgpipe"] = through()
    found["bgpipe, grep and limit"] = through(*CHECKS)
    found["bgpipe, JSON to a file"] = through("write", "-LR", "--append", f"{folder}/session.json", "--")
    return found


def updates() -> list[bytes]:
    """UPDATEs with AS numbers of four octets: those of the corpus, else those that samples/ has."""
    folder = archives()
    paths = [folder / name for name in UPDATES] if folder.is_dir() else [ROOT / "samples" / "session.mrt"]
    return [
        msg.wire
        for path in paths
        for msg in bgpipe.read(path, types=["UPDATE"])
        if msg.context.as_size == 4 and len(msg.wire) <= 4096
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=600_000, help="how many are sent at once")
    parser.add_argument("--rate", type=int, default=2000, help="messages a second, for latency")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long that goes on")
    parser.add_argument("--idle", type=int, default=1000, help="sessions in which nothing happens")
    parser.add_argument("--crowd", type=int, default=200, help="sessions at once, each with 5000 messages a second")
    parser.add_argument("--only", default="", help="the cases that have this in their name, and direct")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="how bgpipe is started")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    wires = list(islice(cycle(updates()), options.messages))
    data = b"".join(wires)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:

        def clear() -> None:
            for path in Path(folder).iterdir():
                path.unlink()

        cases = {
            name: way for name, way in ways(options.command, folder).items() if options.only in name or way is None
        }
        streams: dict[str, list[tuple[float, Use]]] = {name: [] for name in cases}
        trickles: dict[str, list[tuple[tuple[float, float], Use]]] = {name: [] for name in cases}
        for way in cases.values():
            stream(way, data, check=True)
            clear()
        for _ in range(options.rounds):
            for name, way in cases.items():
                streams[name].append(stream(way, data))
                clear()
                trickles[name].append(trickle(way, options.rate, options.seconds))
                clear()
    show_streams(wires, streams)
    print(f"\n{options.rate} messages a second, and how long each takes   (targets: 40 and 500 us over direct)")
    show_trickles(trickles)
    show_many(options, list(islice(cycle(wires), int(CROWD_RATE * options.seconds))))


def show_streams(wires: list[bytes], found: dict[str, list[tuple[float, Use]]]) -> None:
    millions, size = len(wires) / 1e6, sum(map(len, wires))
    print(f"{len(wires)} UPDATEs, {size / 1e6:.0f} MB, from a source to a sink on loopback")
    print(f"\n  {'':24} {'messages/s':>11} {'least':>7} {'most':>7} {'of direct':>10}", end="")
    print(f" {'CPU':>7} {'a CPU second':>13} {'peak':>9}   target")
    direct = statistics.median(seconds for seconds, _ in found["direct"])
    for name, rounds in found.items():
        times = [seconds for seconds, _ in rounds]
        seconds = statistics.median(times)
        print(f"  {name:24} {millions / seconds:9.2f} M", end="")
        print(f" {millions / max(times):7.2f} {millions / min(times):7.2f} {direct / seconds:10.2f}", end="")
        cpu_s, peak_mib = statistics.median(use.cpu_s for _, use in rounds), max(use.peak_mib for _, use in rounds)
        if cpu_s:
            print(f" {cpu_s:5.2f} s {millions / cpu_s:11.2f} M {peak_mib:5.0f} MiB", end="")
        print(f"   {TARGETS[name]}" if name in TARGETS else "")


def show_trickles(found: dict[str, list[tuple[tuple[float, float], Use]]]) -> None:
    print(f"\n  {'':24} {'p50':>9} {'over':>9} {'p99':>9} {'over':>9} {'CPU':>7}")
    base = [statistics.median(delays[at] for delays, _ in found["direct"]) for at in (0, 1)]
    for name, rounds in found.items():
        print(f"  {name:24}", end="")
        for at in (0, 1):
            delay = statistics.median(delays[at] for delays, _ in rounds)
            print(f" {delay * 1e6:6.0f} us {(delay - base[at]) * 1e6:6.0f} us", end="")
        cpu_s = statistics.median(use.cpu_s for _, use in rounds)
        print(f" {cpu_s:5.2f} s" if cpu_s else "")


def show_many(options: argparse.Namespace, wires: list[bytes]) -> None:
    print("\nSessions through listen --multi and connect, in one process\n")
    way = between(options.command, ["--multi", "--max-sessions", "0"], [])
    if options.idle:
        use = idle(way, options.idle)
        print(f"  {options.idle} idle: {use.peak_mib:.0f} MiB   (target of 1000: 150 MiB)")
    if options.crowd:
        each = int(CROWD_RATE * TICK_S)
        chunks = [b"".join(wires[at : at + each]) for at in range(0, len(wires), each)]
        sending_s, late_s, good, use = crowd(way, options.crowd, chunks)
        print(f"  {options.crowd} at {CROWD_RATE} messages/s each: {good:.0f} of them got all", end="")
        print(f"   (target of 200: all)\n    {len(wires) * options.crowd / sending_s / 1e6:.2f} M/s were sent,", end="")
        print(f" the last was there {late_s * 1e3:.0f} ms later; CPU {use.cpu_s / sending_s:.2f} of a core,", end="")
        print(f" peak {use.peak_mib:.0f} MiB")


if __name__ == "__main__":
    main()
