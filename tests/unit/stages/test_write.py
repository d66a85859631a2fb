"""The stage write on the clock, and on disks that are full."""

from __future__ import annotations

import calendar
import contextlib
import errno
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lines import lines, write_lines
from live import KEEPALIVE, open_message, proxy, update
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
            with pytest.raises(StageError, match=rf"no space left .*: {written.stage.lost} messages are lost$"):
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
        told = re.search(r"write elsewhere: (\d+) messages are lost$", err.strip())
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
