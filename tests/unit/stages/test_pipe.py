"""The stage pipe: named pipes with other programs at their ends."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from lines import lines, read_lines, right, write_lines
from live import Live
from live import run as in_loop

from bgpipe.errors import StageError
from bgpipe.pipeline.engine import Pipeline

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


def test_nobody_reads(source: str, fifo: Path) -> None:
    """That is told, and how much it was; not before we are asked to end."""

    async def test() -> None:
        live = Live("--", "read", source, "--", "pipe", "--write", str(fifo))
        await live.until("read/STOP")
        error = await live.stop()
        assert "nobody reads" in str(error)
        assert str(fifo) in str(error)

    in_loop(test())


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda _: None, "does not exist; mkfifo"),
        (lambda path: path.write_text(""), "is no named pipe; `read` and `write` take files"),
        (lambda path: path.mkdir(), "is no named pipe"),
    ],
)
def test_no_pipe(make, error: str, source: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "fifo"
    make(path)
    with pytest.raises(StageError, match=error):
        run("--", "read", source, "--", "pipe", path)
