"""The stage pipe: named pipes with other programs at their ends."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from pathlib import Path

import pytest
from lines import lines, read_lines, right, write_lines
from live import KEEPALIVE, Live, Server, dial, free_port, open_message, update
from live import run as in_loop

from bgpipe.errors import StageError
from bgpipe.formats.records import whole
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.events import LostEvent
from bgpipe.stages.messages import MessageReader
from bgpipe.stages.pipe import Pipe

COUNT = 5000  # more than fit into a pipe


@pytest.fixture
def source(tmp_path: Path) -> str:
    return write_lines(tmp_path / "source.json", lines(COUNT))


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def run(*words: str | Path) -> None:
    Pipeline([str(word) for word in words]).run_sync()


@pytest.mark.parametrize("form", ["json", "mrt", "raw"])
def test_there_and_back(form: str, source: str, fifo: Path, tmp_path: Path) -> None:
    """Through a program behind it: we end when all is read, and messages stay on their way."""
    back, direct = tmp_path / "back.raw", tmp_path / "direct.raw"
    second = tmp_path / "second"
    os.mkfifo(second)
    with subprocess.Popen(["sh", "-c", f"cat {fifo} > {second}"]) as program:

        async def test() -> None:
            words = ["pipe", "--read", "--format", form, str(second), "--", "head", "-n", str(COUNT), "--", "write", str(back)]
            there = Live("--", *words)
            await there.until("pipe/START")
            here = Live("--", "read", source, "--", "pipe", "--write", "--format", form, str(fifo), "--", "write", str(direct))
            assert await here.task is None
            assert await there.task is None

        in_loop(test())
        program.wait(5)
    assert back.read_bytes() == direct.read_bytes()


def test_both_directions(fifo: Path, tmp_path: Path) -> None:
    """Through one program, to the right and to the left at once."""
    second = tmp_path / "second"
    os.mkfifo(second)
    sources = [write_lines(tmp_path / f"{way}.json", lines(COUNT, way)) for way in "RL"]
    ends = [tmp_path / f"{way}.out" for way in "RL"]
    with subprocess.Popen(["sh", "-c", f"cat {fifo} > {second}"]) as program:

        async def test() -> None:
            outs = "--", "write", "-L", str(ends[1]), "--", "pipe", "-LR", "--read", str(second), "--", "write", "-R", str(ends[0])
            there = Live(*outs)
            await there.until("pipe/START")
            here = Live("--", "read", sources[0], "--", "pipe", "-LR", "--write", str(fifo), "--", "read", sources[1])
            assert await here.task is None
            stage = there.pipe.stages[1]
            assert isinstance(stage, Pipe)
            while stage.back < 2 * COUNT:
                await asyncio.sleep(0.01)
            await there.stop()

        in_loop(test())
        program.wait(5)
    for source, end in zip(sources, ends, strict=True):
        assert end.read_text() == Path(source).read_text()


def test_who_reads_may_come_late(source: str, fifo: Path, tmp_path: Path) -> None:
    """The pipe is full long before: the source waits, and we do until all is read."""
    got = tmp_path / "got.json"
    with subprocess.Popen(["sh", "-c", f"sleep 0.3; exec cat {fifo} > {got}"]) as program:
        run("--", "read", source, "--", "pipe", "--write", fifo)
        program.wait(5)
    assert read_lines(got) == right(*range(1, COUNT + 1))


def test_writers_come_and_go(source: str, fifo: Path, tmp_path: Path) -> None:
    async def test() -> None:
        live = Live("--", "pipe", "--read", str(fifo), "--", "head", "-n", str(2 * COUNT), "--", "write", str(tmp_path / "out.json"))
        await live.until("pipe/START")
        with subprocess.Popen(["sh", "-c", f"cat {source} > {fifo}; sleep 0.1; cat {source} > {fifo}"]):
            assert await live.task is None

    in_loop(test())
    assert read_lines(tmp_path / "out.json") == right(*range(1, COUNT + 1)) * 2


@pytest.mark.parametrize(
    ("form", "count", "read"),
    [("json", 100, 0), ("json", 30_000, 0), *((form, COUNT, 30_000) for form in ("json", "mrt", "raw"))],
)
def test_nobody_reads(form: str, count: int, read: int, fifo: Path, tmp_path: Path) -> None:
    """That is told, and how many messages it was, to the message; not before we are asked to end."""
    source = write_lines(tmp_path / "source.json", lines(count))

    async def test() -> None:
        live = Live("--", "read", source, "--", "pipe", "--write", "--format", form, str(fifo))
        await live.until("pipe/START")
        first = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        await asyncio.sleep(0.3)
        data = os.read(first, read) if read else b""
        os.close(first)
        error = await live.stop()
        lost = sum(event.count for event in live.events if isinstance(event, LostEvent))
        stage = live.pipe.stages[0]
        assert isinstance(stage, MessageReader)
        assert lost + whole(form)(data)[1] == stage.messages
        assert "nobody reads" in str(error)
        assert str(fifo) in str(error)

    in_loop(test())


def test_who_is_slow_gets_what_is_in_the_pipe(fifo: Path, tmp_path: Path) -> None:
    """We end, since it takes nothing for a while; what it still has is not counted as lost."""
    source = write_lines(tmp_path / "source.json", lines(COUNT * 4))

    async def test() -> None:
        live = Live("--", "read", source, "--", "pipe", "--write", str(fifo))
        await live.until("pipe/START")
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        await asyncio.sleep(0.2)
        await live.stop()
        lost = sum(event.count for event in live.events if isinstance(event, LostEvent))
        stage = live.pipe.stages[0]
        assert isinstance(stage, MessageReader)
        found = 0
        while data := os.read(reader, 1 << 20):
            found += data.count(b"\n")
        os.close(reader)
        assert lost > 0
        assert found + lost == stage.messages

    in_loop(test())


@pytest.mark.parametrize("number", [20, 30_000])
def test_the_next_session_does_not_wait_for_a_reader(
    number: int, fifo: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Once both routers have gone, it has some time, and no more; what is lost is counted."""
    monkeypatch.setattr("bgpipe.stages.pipe.STAY_S", 0.5)

    async def test() -> None:
        async with Server() as server:
            port = free_port()
            ends = f"listen --reconnect 127.0.0.1:{port}", f"connect --wait listen 127.0.0.1:{server.port}"
            live = Live("--", *f"{ends[0]} -- pipe --write {fifo} -- {ends[1]}".split())
            for _ in range(2):
                left, right = await dial(port), await server.accept()
                left.send(open_message(65001))
                right.send(open_message(65002), KEEPALIVE)
                await left.message()
                left.send(KEEPALIVE, *(update(number) for number in range(number)))
                got = asyncio.ensure_future(right.rest())
                await asyncio.sleep(0.5)
                left.close()
                right.writer.write_eof()
                passed = (await got).count(b"\xff" * 16)
                right.close()
                while not (lost := sum(event.count for event in live.events if isinstance(event, LostEvent))):
                    await asyncio.sleep(0.01)
                assert lost >= passed > 20
                live.events.clear()
            await live.stop()

    in_loop(test())


def test_it_is_removed_meanwhile(fifo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could get to it any more: that is no reason to wait for ever."""
    monkeypatch.setattr("bgpipe.stages.pipe._WATCH_S", 0.05)

    async def test() -> None:
        for new in (False, True):
            if not fifo.exists():
                os.mkfifo(fifo)
            live = Live("--", "pipe", "--read", str(fifo), "--", "stdout")
            await live.until("pipe/START")
            fifo.unlink()
            if new:
                os.mkfifo(fifo)
            assert "was removed, or another one put in its place" in str(await live.task)

    in_loop(test())


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda _: None, "does not exist; mkfifo"),
        (lambda path: path.write_text(""), "is no named pipe; `read` and `write` take files"),
        (lambda path: path.mkdir(), "is no named pipe"),
        (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "is no named pipe"),
        (lambda path: path.symlink_to("/dev/null"), "is no named pipe"),
        (lambda path: path.symlink_to(path), "too many levels of symbolic links"),
    ],
)
def test_no_pipe(make, error: str, source: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "fifo"
    make(path)
    with pytest.raises(StageError, match=error):
        run("--", "read", source, "--", "pipe", path)
