"""A soak: sessions through proxies that stay, for as long as is asked, cut off again and again.

    python tests/soak/soak.py [SECONDS]        (default $SOAK_SECONDS, or 20 minutes)

    source --left--> proxy --right--> sink     and the same from right to left, in each session

Each of the proxies (`listen --multi`, with different STAGES) has SESSIONS at a time, some with a slow reader, a fast
writer, or both, and each session is ended after some seconds, in one of several ways.

Each message has the number of its session, its direction, its own number, and a checksum. What holds of each direction:

- The messages of a session arrive in the order of their numbers from 0 on: none is lost, doubled, altered, or of another
  session. So what has arrived is at any time the beginning of what was sent.
- Where the sender ends the session itself, with a NOTIFICATION or by closing its side, all that it sent arrives.
- Where a connection is reset, it may be cut off at the end, never elsewhere: TCP throws away what was on its way.
- Each session comes to its end on both sides, whoever ended it.

Of each proxy: between sessions it has as many descriptors in the end as after a warm-up, and no more memory but for what
the allocator and the garbage collector keep; while sessions run its memory is bounded. It ends with exit code 0 on
SIGTERM, and has nothing to say on standard error.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import os
import random
import shlex
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from bgpipe.bgp.causes import KEEPALIVE_MESSAGE, NOTIFICATION, UPDATE, cease, message
from bgpipe.bgp.negotiation import Offer

STAGES = ("", "metrics --", "limit -LR --session 100000000 --", "grep --keep 'com == 1:1' --", "-o")
SESSIONS = 2
PATIENCE_S = 60.0  # for what is to happen soon
RSS_GROWTH = 1.10, 12 << 20  # between sessions: by this factor and so many octets at most
MOST_RSS = 100 << 20  # amid sessions

_STAMP = struct.Struct("!IBQ")  # session, direction, number
_ATTRIBUTES = b"\x40\1\1\0" + b"\x40\2\0" + b"\x40\3\4\xc0\0\2\1"  # ORIGIN, AS_PATH, NEXT_HOP
_FILLING = random.Random(1).randbytes(1 << 14)

Result = TypeVar("Result")


class Failed(Exception):
    """Something that must hold does not."""


# ---- what is sent and what arrives ----------------------------------------------------------------------------------


def numbered(session: int, direction: int, number: int) -> bytes:
    """An UPDATE with an attribute that has all this in it, of a size that its number chooses, and a prefix to announce."""
    size = 3800 if number % 97 == 0 else number % 61
    stamp = _STAMP.pack(session, direction, number) + _FILLING[number % 10_000 : number % 10_000 + size]
    value = stamp + zlib.crc32(stamp).to_bytes(4)
    attributes = _ATTRIBUTES + b"\xd0\x63" + len(value).to_bytes(2) + value
    return message(UPDATE, b"\0\0" + len(attributes).to_bytes(2) + attributes + b"\x18\x0a" + (number & 0xFFF).to_bytes(2))


class Sink:
    """Checks what arrives. count: messages so far. ended: whether a NOTIFICATION has come, and which."""

    def __init__(self, session: int, direction: int) -> None:
        self._expected = session, direction
        self._rest = b""
        self.count = 0
        self.ended = b""

    def take(self, data: bytes) -> None:
        data = self._rest + data
        at = 0
        while len(data) - at >= 19:
            end = at + int.from_bytes(data[at + 16 : at + 18])
            if len(data) < end:
                break
            if self.ended:
                raise Failed(f"something comes behind a NOTIFICATION: {data[at:end].hex()}")
            if data[at + 18] == UPDATE:
                self._check(data[at:end])
            elif data[at + 18] == NOTIFICATION:
                self.ended = data[at:end]
            elif data[at:end] != KEEPALIVE_MESSAGE:
                raise Failed(f"nobody has sent this: {data[at:end].hex()}")
            at = end
        self._rest = data[at:]

    def _check(self, wire: bytes) -> None:
        start = 19 + 4 + len(_ATTRIBUTES) + 4
        stamp, checksum = wire[start:-8], wire[-8:-4]
        session, direction, number = _STAMP.unpack_from(stamp)
        if (session, direction, number) != (*self._expected, self.count):
            raise Failed(f"expected message {self.count} of {self._expected}, got {number} of {session, direction}")
        if zlib.crc32(stamp) != int.from_bytes(checksum) or wire != numbered(session, direction, number):
            raise Failed(f"message {number} of {self._expected} has changed: {wire.hex()}")
        self.count += 1


class Side:
    """One end of a session: sends its messages, checks those of the other.

    pause_s: how long to wait behind each piece that was written. nap_s: behind each piece that was read.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: int, direction: int) -> None:
        self.reader, self.writer = reader, writer
        self.session, self.direction = session, direction
        self.sink = Sink(session, 1 - direction)
        self.sent = 0
        self.pause_s = self.nap_s = 0.0
        self.stopped = False

    async def hello(self) -> None:
        """OPEN and KEEPALIVE, as a speaker that says both at once."""
        self.writer.write(Offer(65001 + self.direction, 90, self.direction + 1, ((1, b"\0\1\0\1"),)).wire + KEEPALIVE_MESSAGE)
        head = await self.reader.readexactly(19)
        await self.reader.readexactly(int.from_bytes(head[16:18]) - 19)

    async def send(self) -> None:
        dice = random.Random(self.session * 2 + self.direction)
        with contextlib.suppress(OSError):
            while not (self.stopped or self.writer.transport.is_closing()):
                count = dice.choice((1, 1, 10, 300))
                self.writer.write(b"".join(numbered(self.session, self.direction, self.sent + i) for i in range(count)))
                self.sent += count
                await self.writer.drain()
                await asyncio.sleep(self.pause_s * dice.random())

    async def receive(self) -> None:
        with contextlib.suppress(OSError):
            while data := await self.reader.read(1 << 16):
                self.sink.take(data)
                if self.nap_s:
                    await asyncio.sleep(self.nap_s)

    def reset(self) -> None:
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


# ---- sessions -------------------------------------------------------------------------------------------------------


class Line:
    """A proxy, and both of its ends."""

    process: Process

    def __init__(self, stages: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            self.port = sock.getsockname()[1]
        self.stages = stages
        self._dialing = asyncio.Lock()
        self._accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def begin(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        # What arrives is read in small pieces: it is not for the kernel to keep it.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self.server = await asyncio.start_server(lambda *ends: self._accepted.put_nowait(ends), sock=listening)
        tap, between = ("-o ", "") if self.stages == "-o" else ("", self.stages)
        linger = f"--closed-timeout {PATIENCE_S:g}s"
        left = f"listen --multi {linger} 127.0.0.1:{self.port}"
        right = f"connect --wait listen {linger} 127.0.0.1:{listening.getsockname()[1]}"
        self.process = Process(shlex.split(f"-l disabled {tap}-- {left} -- {between} {right}"))

    async def session(self, number: int, seconds: float, counts: collections.Counter[str]) -> None:
        """One session of about so many seconds, from connecting to the end of both connections."""
        dice = random.Random(number)
        async with self._dialing:  # so that the two belong together
            left = Side(*await soon(self._dial(), "nobody listens"), number, 0)
            right = Side(*await soon(self._accepted.get(), "nobody connects"), number, 1)
        sides = left, right
        await soon(asyncio.gather(left.hello(), right.hello()), "the OPENs do not arrive")
        for side in sides:
            side.pause_s = dice.choice((0.0, 0.002, 0.02))  # a fast writer, and churn
            side.nap_s = dice.choice((0.0, 0.0, 0.03))  # a slow reader
        sending = [asyncio.ensure_future(side.send()) for side in sides]
        receiving = [asyncio.ensure_future(side.receive()) for side in sides]
        await asyncio.wait(receiving, timeout=seconds * dice.uniform(0.3, 1.0), return_when=asyncio.FIRST_COMPLETED)
        if any(task.done() for task in receiving):
            await asyncio.gather(*(task for task in receiving if task.done()))
            raise Failed("the proxy has ended a session by itself")
        one, other = dice.sample(sides, 2)
        how = dice.choice(("reset", "reset", "NOTIFICATION", "end of file"))
        counts[how] += 1
        if how == "reset":
            one.reset()
        else:
            one.stopped = True
            other.nap_s = 0.0  # so that this does not take minutes
            await soon(sending[one.direction], "the sender is held up for ever")
            one.writer.write(cease("soak").wire if how == "NOTIFICATION" else b"")
            one.writer.write_eof()
        await soon(receiving[other.direction], f"the other side is not told of a {how}")
        other.stopped = True
        other.writer.close()
        one.nap_s = 0.0
        await soon(receiving[one.direction], f"who has said the end ({how}) does not get it")
        one.stopped = True
        one.writer.close()
        await soon(asyncio.gather(*sending), "senders do not end")
        if how != "reset" and other.sink.count != one.sent:
            raise Failed(f"{how}: of {one.sent} messages sent before, {other.sink.count} have arrived")
        if other.sink.ended != (cease("soak").wire if how == "NOTIFICATION" else b""):
            raise Failed(f"{how}: the NOTIFICATION is {other.sink.ended.hex() or 'missing'}")
        counts["sessions"] += 1
        for sender, receiver in ((one, other), (other, one)):
            if receiver.sink.count > sender.sent:
                raise Failed(f"{sender.sent} messages were sent, {receiver.sink.count} have arrived")
            counts["messages"] += receiver.sink.count
            counts["cut off"] += sender.sent - receiver.sink.count

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                return await asyncio.open_connection("127.0.0.1", self.port)
            await asyncio.sleep(0.01)


async def soon(work: Coroutine[Any, Any, Result] | asyncio.Future[Result], otherwise: str) -> Result:
    try:
        return await asyncio.wait_for(work, PATIENCE_S)
    except TimeoutError:
        raise Failed(f"{otherwise} (within {PATIENCE_S:g} s)") from None


# ---- the processes ---------------------------------------------------------------------------------------------------


class Process:
    """A proxy, watched from outside."""

    def __init__(self, words: list[str]) -> None:
        command = [sys.executable, "-m", "bgpipe", *words]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._folder = Path("/proc", str(self._process.pid))
        self.samples: list[int] = []

    @property
    def rss(self) -> int:
        """Octets in memory."""
        return int((self._folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    @property
    def descriptors(self) -> int:
        return len(list((self._folder / "fd").iterdir()))

    async def watch(self) -> None:
        """Take a sample each second."""
        while True:
            self.samples.append(self.rss)
            await asyncio.sleep(1)

    async def quiet(self) -> tuple[int, int]:
        """Memory and descriptors between sessions: once these have stopped changing."""
        seen: list[int] = []
        while len(seen) < 5 or len(set(seen[-5:])) > 1:
            if len(seen) > 10 * PATIENCE_S:
                raise Failed(f"descriptors do not settle: {seen[-5:]}")
            await asyncio.sleep(0.1)
            seen.append(self.descriptors)
        return self.rss, seen[-1]

    async def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            _, said = await soon(asyncio.to_thread(self._process.communicate), "SIGTERM does not end it")
        finally:
            self._process.kill()
        if self._process.returncode or said:
            raise Failed(f"exit code {self._process.returncode}: {said.decode(errors='replace')}")


async def soak(seconds: float) -> None:
    lines = [Line(stages) for stages in STAGES]
    for line in lines:
        await line.begin()
    numbers = itertools.count()
    longest = min(5.0, seconds / 6)
    warming = min(180.0, seconds / 3)
    counts: collections.Counter[str] = collections.Counter()
    watching = [asyncio.ensure_future(line.process.watch()) for line in lines]

    async def run(line: Line, until: float) -> None:
        while time.monotonic() < until:
            await line.session(next(numbers), longest, counts)

    async def phase(length: float) -> list[tuple[int, int]]:
        until = time.monotonic() + length
        await asyncio.gather(*(run(line, until) for line in lines for _ in range(SESSIONS)))
        return [await line.process.quiet() for line in lines]

    try:
        warm = await phase(warming)
        end = await phase(seconds - warming)
    finally:
        for task in watching:
            task.cancel()
        stopped = await asyncio.gather(*(line.process.stop() for line in lines), return_exceptions=True)
        print("\n".join(report(counts)))
    problems = [str(failure) for failure in stopped if failure is not None]
    print("  stages                               KiB between sessions     most KiB  descriptors")
    for line, before, after in zip(lines, warm, end, strict=True):
        most = max(line.process.samples)
        memory = f"{before[0] >> 10:8} -> {after[0] >> 10:<8}"
        print(f"  {line.stages:<36} {memory:24} {most >> 10:<8}  {before[1]} -> {after[1]}")
        if after[1] != before[1]:
            problems.append(f"{line.stages}: descriptors leak")
        if after[0] > before[0] * RSS_GROWTH[0] + RSS_GROWTH[1]:
            problems.append(f"{line.stages}: memory grows")
        if most > MOST_RSS:
            problems.append(f"{line.stages}: memory is not bounded")
    if problems:
        raise Failed("; ".join(problems))


def report(counts: collections.Counter[str]) -> Iterator[str]:
    yield f"{counts['sessions']} sessions, {counts['messages']} messages arrived in order, {counts['cut off']} were cut off"
    yield "  ended by " + ", ".join(f"{how}: {counts[how]}" for how in ("reset", "NOTIFICATION", "end of file"))


def main() -> None:
    seconds = float(sys.argv[1] if sys.argv[1:] else os.environ.get("SOAK_SECONDS", "1200"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(soak(seconds))
        except Failed as failure:
            sys.exit(f"soak: {failure}")


if __name__ == "__main__":
    main()
