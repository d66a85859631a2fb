"""The stage write on the clock, and on disks that are full."""

from __future__ import annotations

import asyncio
import calendar
import contextlib
import errno
import itertools
import os
import random
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lines import lines, write_lines
from live import KEEPALIVE, Live, Server, dial, free_port, open_message, proxy, update
from live import run as in_loop

import bgpipe
from bgpipe import formats
from bgpipe._codec import Buffer
from bgpipe.errors import StageError
from bgpipe.pipeline.engine import Driver, Pipeline
from bgpipe.pipeline.events import Event, LostEvent
from bgpipe.pipeline.writer import Writers
from bgpipe.stages import write as write_module
from bgpipe.stages.write import Write

CYCLES = int(os.environ.get("BGPIPE_FAULTS", "10"))  # `make faults` has a hundred
SUFFIXES = ["json", "mrt", "raw", "json.gz", "mrt.gz", "json.zst", "mrt.zst"]


def numbers(path: Path) -> list[int]:
    """The sequence numbers of the messages in a file: their AS paths."""
    return [msg.update.as_path[0] for msg in bgpipe.read(str(path))] if path.exists() else []


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Disk:
    """A disk that has room for so many octets, and after it has said `patience` times that it is full, for more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int = 0, most: int = 0, seed: int = 1) -> None:
        self.room = room
        self.most = most
        self.cycles = 0
        self._random = random.Random(seed)
        self._left = 3
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, fd: int, data: memoryview | bytes) -> int:
        if fd <= 2:
            return self._write(fd, data)
        if not self.room:
            self._left -= 1
            if self._left < 0 and self.most:
                self.room, self._left = self._random.randrange(self.most), self._random.randrange(4)
                self.cycles += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        count = self._write(fd, memoryview(data)[: self.room])
        self.room -= count
        return count


class Keeper(Driver):
    """In place of a driver: keeps the events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def ending(self) -> None:
        pass

    @property
    def lost(self) -> int:
        return sum(event.count for event in self.events if isinstance(event, LostEvent))


class Written:
    """A stage that is given batches of some messages, and what came of it."""

    def __init__(self, path: Path, *options: str) -> None:
        self.path = path
        self.pipe = Pipeline(["-l", "disabled", "stdin", "--", "write", *options, str(path)])
        stage = self.pipe.stages[1]
        assert isinstance(stage, Write)
        self.stage = stage
        self.driver = self.pipe.driver = Keeper()
        self.given = 0
        self._decoder = formats.decoder("json")
        self._encoder = stage.encoder()
        self._encoder.directions = 1
        stage.prepare()

    def write(self, count: int) -> None:
        batch = self._decoder.feed(lines(count, first=self.given + 1).encode())
        self.given += count
        buffer = Buffer()
        with batch:
            self._encoder.encode(batch, buffer)
        assert buffer.messages == count
        if (turn := self.stage.turn()) is not None:
            turn()
        self.stage.write(buffer)
        buffer.clear()  # nobody holds on to it


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_module, "_LOOK_S", 0.0)


@pytest.mark.usefixtures("quick")
class TestFullDisk:
    """Full time and again: each message is in the file, or was told to be lost."""

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_pause(self, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        disk = Disk(monkeypatch, most=700)
        written = Written(tmp_path / f"x.{suffix}", "--on-full", "pause")
        rng = random.Random(2)
        while disk.cycles < CYCLES:
            written.write(rng.randrange(1, 300))
        written.stage.finish()
        assert numbers(written.path) == list(range(1, written.given + 1))
        assert (written.stage.lost, written.driver.events) == (0, [])

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_drop(self, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        disk = Disk(monkeypatch, most=1500)
        written = Written(tmp_path / f"x.{suffix}", "--on-full", "drop")
        rng = random.Random(2)
        while disk.cycles < CYCLES:
            written.write(rng.randrange(1, 300))
        disk.room = 1 << 20
        written.stage.finish()
        found = numbers(written.path)
        assert len(found) + written.stage.lost == written.given
        assert written.driver.lost == written.stage.lost > 0
        assert found == sorted(set(found))
        assert found

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_stop(self, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file keeps what is whole, and the pipeline ends."""
        monkeypatch.setattr("bgpipe.transport.sink.MEMBER", 20_000)
        rng = random.Random(2)
        disk = Disk(monkeypatch)
        for number in range(CYCLES):
            disk.room = rng.randrange(20_000 if suffix in ("json", "mrt", "raw") else 3_000)
            written = Written(tmp_path / f"{number}.{suffix}", "--on-full", "stop")
            while not written.pipe.ending:
                written.write(rng.randrange(1, 300))
            written.write(10)  # these were on their way
            with pytest.raises(StageError, match=rf"no space left .*: {written.stage.lost} messages are lost, and the input was not read any further$"):
                written.stage.finish()
            found = numbers(written.path)
            assert found == list(range(1, len(found) + 1))
            assert len(found) + written.stage.lost == written.given
            assert written.driver.lost == written.stage.lost >= 10
            assert not list(tmp_path.glob("*.tmp"))

    @pytest.mark.parametrize("how", ["pause", "drop"])
    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_the_end_while_it_is_full(
        self, how: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A signal ends the pause; what had no room is counted."""
        monkeypatch.setattr("bgpipe.transport.sink.MEMBER", 20_000)
        rng = random.Random(3)
        disk = Disk(monkeypatch)
        for number in range(20):
            disk.room = rng.randrange(5_000)
            written = Written(tmp_path / f"{number}.{suffix}", "--on-full", how)
            written.pipe.signalled = True
            for _ in range(40):
                written.write(rng.randrange(1, 200))
            if how == "pause":
                with pytest.raises(StageError, match=r"no space left .*messages are lost$"):
                    written.stage.finish()
            else:
                written.stage.finish()
            assert len(numbers(written.path)) + written.driver.lost == written.given

    def test_what_is_there_stays_where_appending_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "x.json"
        path.write_text(lines(5))
        disk = Disk(monkeypatch, 500)
        written = Written(path, "--on-full", "stop", "--append")
        written.write(100)
        with pytest.raises(StageError):
            written.stage.finish()
        found = numbers(path)
        assert found == [*range(1, 6), *range(1, 101 - written.stage.lost)]
        assert disk.room < 150  # octets, which is less than a message takes

    def test_other_errors_stop_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def write(fd: int, data: bytes) -> int:
            raise OSError(errno.EIO, "Input/output error")

        written = Written(tmp_path / "x.json", "--on-full", "pause")
        monkeypatch.setattr(os, "write", write)
        with pytest.raises(StageError, match="input/output error"):
            written.write(1)
        written.stage.abort()
        assert list(tmp_path.iterdir()) == []

    def test_no_room_for_the_next_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What belongs in it waits, or is dropped, until it can be made."""
        now_s = 3600.0 * 1000
        real_open, fails = os.open, 3

        def no_room(path: str, flags: int, *arguments: Any, **options: Any) -> int:
            nonlocal fails
            if flags & os.O_CREAT and fails:
                fails -= 1
                raise OSError(errno.ENOSPC, "No space left on device")
            return real_open(path, flags, *arguments, **options)

        monkeypatch.setattr(write_module.time, "time", lambda: now_s)
        monkeypatch.setattr(Pipeline, "call_later", lambda *arguments: None)
        for how, expected in (("pause", [3, 3]), ("drop", [3])):
            written = Written(tmp_path / how / "$TIME.json", "--every", "1h", "--on-full", how)
            written.write(3)
            now_s += 3600
            fails = 3
            monkeypatch.setattr(os, "open", no_room)
            written.write(3)
            monkeypatch.setattr(os, "open", real_open)
            written.stage.finish()
            assert [len(numbers(path)) for path in sorted((tmp_path / how).iterdir())] == expected
            assert written.driver.lost == (3 if how == "drop" else 0)

    def test_the_log(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """It tells once that it waits, each minute that it still does, and when it goes on."""
        disk = Disk(monkeypatch)
        written = Written(tmp_path / "x.json", "--on-full", "drop")
        log = Pipeline(["stdin", "--", "stdout"]).log
        written.pipe.log = written.stage._told._log = log
        now_s = 1000.0
        monkeypatch.setattr(write_module.time, "monotonic", lambda: now_s)
        for _ in range(100):
            written.write(1)
            now_s += 1.0
        disk.room = 1 << 20
        written.write(1)
        written.stage.finish()
        told = capfd.readouterr().err.splitlines()
        no_room = f"stage 2 (write): cannot write {tmp_path}/x.json: no space left on the device; free some, or write elsewhere"
        assert told == [
            f"bgpipe: warning: {no_room}; until then messages are dropped",
            f"bgpipe: warning: {no_room}; for 1m now, 59 messages are lost",
            "bgpipe: stage 2 (write): there is room again after 1m40s; 99 messages are lost in all",
            "bgpipe: warning: stage 2 (write): 99 messages are lost",
        ]

    @pytest.mark.parametrize(
        ("words", "how"),
        [
            ("read a -- write x", "pause"),
            ("speaker -- write x -- listen :1", "pause"),
            ("listen :1 -- write x -- connect 192.0.2.1", "drop"),
            ("listen :1 -- write --on-full stop x -- connect 192.0.2.1", "stop"),
        ],
    )
    def test_which_is_the_default(self, words: str, how: str) -> None:
        """Two routers are not to wait for each other because a disk is full."""
        stage = next(stage for stage in Pipeline(words).stages if isinstance(stage, Write))
        assert stage._on_full == how


class LateDisk:
    """A disk that finds out at fsync that it is full, so many times, or as long as a file is longer than `room`.

    hole: it then forgets some of the file.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int = 0, room: int = 1 << 40, *, hole: bool = False) -> None:
        self.times = times
        self.room = room
        self.hole = hole
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, fd: int) -> None:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and (self.times or status.st_size > self.room):
            self.times = max(0, self.times - 1)
            if self.hole:
                os.ftruncate(fd, status.st_size * 2 // 3)
                os.ftruncate(fd, status.st_size)
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        self._fsync(fd)


@pytest.mark.usefixtures("quick")
class TestFoundLate:
    """Full at fsync, rename or close: the same holds."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bgpipe.transport.sink.MEMBER", 20_000)
        monkeypatch.setattr("bgpipe.transport.sink._MARK", 1_000)

    @pytest.mark.parametrize("append", [(), ("--append",)])
    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_pause(self, suffix: str, append: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        written = Written(tmp_path / f"x.{suffix}", "--on-full", "pause", *append)
        for _ in range(20):
            written.write(100)
        LateDisk(monkeypatch, 5)
        written.stage.finish()
        assert numbers(written.path) == list(range(1, 2001))
        assert (written.stage.lost, written.driver.events, names(tmp_path)) == (0, [], [f"x.{suffix}"])

    @pytest.mark.parametrize("append", [(), ("--append",)])
    @pytest.mark.parametrize("suffix", SUFFIXES)
    @pytest.mark.parametrize(("how", "room"), [("pause", 2.0), ("pause", 0.5), ("drop", 0.5), ("stop", 0.5), ("drop", 0.0)])
    def test_what_it_forgets_is_counted(
        self, how: str, room: float, suffix: str, append: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also where a file that is shorter would have room."""
        written = Written(tmp_path / f"x.{suffix}", "--on-full", how, *append)
        for _ in range(20):
            written.write(100)
        size = sum(path.stat().st_size for path in tmp_path.iterdir())
        LateDisk(monkeypatch, 1, int(room * size), hole=True)
        gives_up = room < 1
        written.pipe.signalled = gives_up
        if gives_up and how != "drop":
            with pytest.raises(StageError, match=r"disk quota is used up.*: \d+ messages are lost$"):
                written.stage.finish()
        else:
            written.stage.finish()
        found = numbers(written.path)
        assert found == list(range(1, len(found) + 1))
        assert len(found) + written.stage.lost == 2000
        assert written.driver.lost == written.stage.lost > 0
        assert bool(found) == (room > 0)
        assert names(tmp_path) == ([f"x.{suffix}"] if found else [])

    @pytest.mark.parametrize("how", ["pause", "drop"])
    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_between_two_files(self, how: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        now_s = 3600.0 * 1000
        monkeypatch.setattr(write_module.time, "time", lambda: now_s)
        monkeypatch.setattr(Pipeline, "call_later", lambda *arguments: None)
        written = Written(tmp_path / f"$TIME.{suffix}", "--every", "1h", "--on-full", how)
        disk = LateDisk(monkeypatch)
        rng = random.Random(4)
        for _ in range(CYCLES):
            written.write(rng.randrange(100))
            now_s += 3600
            disk.times = rng.randrange(4)
            disk.hole = rng.random() < 0.3
        disk.times = 0
        written.stage.finish()
        found = sorted(number for path in tmp_path.iterdir() for number in numbers(path))
        assert found == sorted(set(found))
        assert len(found) + written.stage.lost == written.given
        assert written.driver.lost == written.stage.lost

    @pytest.mark.parametrize("call", ["rename", "close", "unlink", "folder"])
    @pytest.mark.parametrize("how", ["pause", "stop"])
    @pytest.mark.parametrize("append", [(), ("--append",)])
    def test_the_last_steps(
        self, call: str, how: str, append: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing of a file is lost that is on the disk."""
        written = Written(tmp_path / "x.json", "--on-full", how, *append)
        written.write(100)
        name = "fsync" if call == "folder" else call
        real = getattr(os, name)
        fails = 1

        file = written.stage._sink._output.fd  # type: ignore[union-attr]

        def full(what: Any, *arguments: Any) -> Any:
            nonlocal fails
            fits = {"close": lambda: what == file, "folder": lambda: stat.S_ISDIR(os.fstat(what).st_mode)}
            if call == "close":
                real(what)
            if fails and fits.get(call, lambda: True)():
                fails -= 1
                raise OSError(errno.ENOSPC, "No space left on device")
            return None if call == "close" else real(what, *arguments)

        monkeypatch.setattr(os, name, full)
        try:
            written.stage.finish()
        except StageError as error:
            assert how == "stop"
            assert str(error).endswith(": 0 messages are lost")
        monkeypatch.setattr(os, name, real)
        assert written.stage.lost == 0
        assert numbers(written.path) == list(range(1, 101))

    def test_no_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that cannot get its name is lost, and says so."""

        def full(*arguments: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        written = Written(tmp_path / "x.json", "--on-full", "stop")
        written.write(100)
        monkeypatch.setattr(os, "rename", full)
        with pytest.raises(StageError, match=": 100 messages are lost"):
            written.stage.finish()
        assert names(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid():
        pytest.skip("to mount a small file system takes root")
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


class TestSmallDisk:
    """A file system that is really full."""

    @pytest.mark.parametrize("name", ["x.json", "x.mrt", "x.mrt.gz", "x.json.zst"])
    def test_pause_in_a_job_of_files(self, name: str, small_disk: Path, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(1000))
        ballast = small_disk / "ballast"
        size = 256 << 10
        fd = os.open(ballast, os.O_WRONLY | os.O_CREAT)
        with contextlib.suppress(OSError):
            while True:
                os.write(fd, bytes(4096))
        os.close(fd)
        pipe = Pipeline(["-l", "disabled", "read", source, "write", str(small_disk / name)])
        thread = threading.Thread(target=pipe.execute)
        thread.start()
        while thread.is_alive():
            time.sleep(0.02)
            size = max(0, size - 10_000)
            os.truncate(ballast, min(size, ballast.stat().st_size))
        assert pipe.exit_code == 0
        assert numbers(small_disk / name) == list(range(1, 1001))

    @pytest.mark.parametrize("how", ["pause", "stop"])
    def test_sigterm(self, how: str, small_disk: Path, tmp_path: Path) -> None:
        """What is whole gets its name; the exit code says that something is missing, the log how much."""
        source = write_lines(tmp_path / "source.json", lines(5000))
        command = [sys.executable, "-m", "bgpipe", "read", source, "write", "--on-full", how, str(small_disk / "x.json")]
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert child.stderr is not None
        if how == "pause":
            assert "messages wait" in child.stderr.readline()
            child.send_signal(signal.SIGTERM)
        err = child.communicate(timeout=60)[1]
        assert child.returncode == 1
        found = numbers(small_disk / "x.json")
        assert found == list(range(1, len(found) + 1))
        unread = ", and the input was not read any further" if how == "stop" else ""
        told = re.search(rf"write elsewhere: (\d+) messages are lost{unread}$", err.strip())
        assert told is not None
        assert len(found) < len(found) + int(told[1]) <= 5000

    @pytest.mark.parametrize("how", ["pause", "drop"])
    def test_beside_an_event_loop(self, how: str, small_disk: Path) -> None:
        """Between two routers: what fits into the queue passes on, and the count is exact."""

        async def work() -> None:
            async with proxy(f"write --on-full {how} {small_disk}/x.raw") as (live, left, right):
                left.send(open_message(65001))
                right.send(open_message(65002))
                await left.message()
                left.send(KEEPALIVE, *(update(number, 80) for number in range(4000)))
                last = update(3999, 80)
                while await right.message() != last:
                    pass
                live.pipe.signalled = True
                failure = await live.stop()
                lost = sum(event.count for event in live.events if isinstance(event, LostEvent))
                found = len(list(bgpipe.read(f"{small_disk}/x.raw")))
                assert lost > 0
                assert found + lost == live.pipe.counts[0] == 4002
                assert (failure is not None) == (how == "pause")

        in_loop(work())

    @pytest.mark.parametrize("how", ["pause", "drop"])
    @pytest.mark.parametrize("end", ["SIGTERM", "pipe.end()", "room"])
    def test_beside_many_sessions(self, how: str, end: str, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A signal ends the pause at once, any other end after a while, or when there is room: all is told."""
        path = small_disk / "x.raw"
        monkeypatch.setattr(write_module, "_LONGER_S", 0.3 if end == "pipe.end()" else 60.0)

        async def work() -> None:
            async with Server() as server:
                port = free_port()
                ends = f"listen --multi 127.0.0.1:{port}", f"connect --wait listen 127.0.0.1:{server.port}"
                live = Live("--", *f"{ends[0]} -- write --on-full {how} {path} -- {ends[1]}".split())
                pairs = [(await dial(port), await server.accept()) for _ in range(3)]
                for left, right in pairs:
                    left.send(open_message(65001))
                    right.send(open_message(65002))
                    await left.message()
                    await right.message()
                    left.send(KEEPALIVE, *(update(number, 80) for number in range(4000)))
                passed = [asyncio.ensure_future(right.rest()) for _, right in pairs]
                while not any(isinstance(stage, Write) and stage._again is not None for stage in live.pipe.stages):
                    await asyncio.sleep(0.01)
                live.pipe.signalled = end == "SIGTERM"
                stopped = asyncio.ensure_future(live.stop())
                if end == "room":
                    await asyncio.sleep(0.3)
                    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
                failure = await stopped
                given = sum(data.count(b"\xff" * 16) for data in await asyncio.gather(*passed))  # a Cease for the OPEN
                lost = sum(event.count for event in live.events if isinstance(event, LostEvent))
                assert len(list(bgpipe.read(str(path)))) + lost == given
                assert (lost > 0) == (how == "drop" or end != "room")
                assert (failure is not None) == (how == "pause" and end != "room")
                for remote in itertools.chain(*pairs):
                    remote.close()

        in_loop(work())


class TestClock:
    def test_each_message_is_in_the_file_of_its_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """However late the thread that writes is."""
        now_s = 3600.0 * 1000
        monkeypatch.setattr(write_module.time, "time", lambda: now_s)
        times: dict[int, int] = {}
        gate = threading.Event()
        write = Write.write

        def slow(self: Write, data: Buffer) -> None:
            gate.wait()
            write(self, data)

        monkeypatch.setattr(Write, "write", slow)
        pipe = Pipeline(["-l", "disabled", "stdin", "--", "write", "--every", "1m", f"{tmp_path}/$TIME.json"])
        stage = pipe.stages[1]
        assert isinstance(stage, Write)
        monkeypatch.setattr(pipe, "call_later", lambda *arguments: None)
        stage.prepare()

        async def through() -> None:
            nonlocal now_s
            writers = Writers(lambda: None, lambda stage, error: pytest.fail(str(error)))
            decoder, encoder = formats.decoder("json"), stage.encoder()
            encoder.directions = 1
            rng = random.Random(7)
            for number in range(1, 2000):
                batch = decoder.feed(lines(1, first=number).encode())
                buffer = Buffer()
                with batch:
                    encoder.encode(batch, buffer)
                times[number] = int(now_s // 60)
                writers.put(stage, buffer)
                now_s += rng.choice((0.0, 0.0, 0.001, 0.5, 7.0, 30.0))
                if number == 1000:
                    gate.set()
            finishing = writers.finish(stage, None)
            assert finishing is not None
            await finishing

        in_loop(through())
        found: dict[int, int] = {}
        for path in tmp_path.iterdir():
            period = calendar.timegm(time.strptime(path.name, "%Y%m%d.%H%M.json")) // 60
            for number in numbers(path):
                assert number not in found
                found[number] = period
        assert found == times


class TestCrash:
    @pytest.mark.parametrize("suffix", ["json", "mrt", "mrt.gz"])
    def test_killed_while_it_appends(self, suffix: str, tmp_path: Path) -> None:
        """Whatever it was at: the next run goes on behind what is whole, and nothing that got there goes away."""
        source = write_lines(tmp_path / "source.json", lines(100_000))
        path = tmp_path / f"x.{suffix}"
        rate = "60000" if suffix == "mrt.gz" else "5000"
        command = [sys.executable, "-m", "bgpipe", "read", "--rate-limit", rate, source, "write", "--append", str(path)]
        dice = random.Random(9)

        def grows(since_ns: int) -> bool:
            """Whether the run that began then has made its note, and written something behind the octet in it."""
            note = tmp_path / f"{path.name}.tmp"
            try:
                begin = int(note.read_bytes().split()[-1])
                return note.stat().st_mtime_ns > since_ns and path.stat().st_size > begin
            except (FileNotFoundError, ValueError, IndexError):
                return False

        for _ in range(CYCLES):
            began_ns = time.time_ns()
            child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            while child.poll() is None and not grows(began_ns):
                time.sleep(0.005)
            time.sleep(dice.uniform(0.0, 0.1))
            assert child.poll() is None, "it was done before it could be killed"
            child.kill()
            child.wait()
        assert (tmp_path / f"{path.name}.tmp").read_bytes().startswith(b"bgpipe appends behind octet ")
        last = write_lines(tmp_path / "last.json", lines(3))
        Pipeline(["-l", "disabled", "read", last, "write", "--append", str(path)]).run_sync()
        found = numbers(path)
        assert found[-3:] == [1, 2, 3]
        starts = [index for index, number in enumerate(found) if number == 1] + [len(found)]
        for first, behind in itertools.pairwise(starts):
            assert found[first:behind] == list(range(1, behind - first + 1))
        aside = len(list(tmp_path.glob("*.partial*")))
        assert aside + len(starts) - 2 == CYCLES
        assert (aside > 0) == (suffix == "mrt.gz")

    def test_killed_while_it_writes(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """What was begun gets a name of its own, also where the next run writes another period."""
        source = write_lines(tmp_path / "source.json", lines(20_000))
        template = f"{tmp_path}/a/$TIME.json"
        words = ["read", "--rate-limit", "5000", source, "write", "--every", "1h", template]
        child = subprocess.Popen([sys.executable, "-m", "bgpipe", *words])
        while not any(file.stat().st_size for file in tmp_path.glob("a/*.tmp")):
            time.sleep(0.01)
        child.kill()
        child.wait()
        (left,) = tmp_path.glob("a/*.tmp")
        old = left.with_name("20250101.0000.json.tmp")
        left.rename(old)
        other = left.with_name("20250101.0000.notes.tmp")
        other.write_text("somebody else's")
        Pipeline(["read", "--type", "OPEN", source, "write", "--every", "1h", template]).run_sync()
        aside = left.with_name("20250101.0000.json.partial")
        assert sorted(left.parent.iterdir()) == [aside, other]
        assert f"{old} was left behind by a run that did not end: it is now {aside}" in capfd.readouterr().err
        assert numbers(aside) == list(range(1, len(numbers(aside)) + 1))
