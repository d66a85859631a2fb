"""The driver of live stages, with stages made for the purpose."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from lines import bad_line, line, lines, read_lines, right, write_lines

from bgpipe._codec import Batch, Buffer, Encoder
from bgpipe._json import JsonEncoder
from bgpipe._json_reader import JsonDecoder
from bgpipe._view import Msg
from bgpipe.errors import StageError
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.stage import Output, ProducerOptions, Stage
from bgpipe.stages import STAGES


def batch_of(text: str) -> Batch:
    batch = JsonDecoder().read(io.BytesIO(text.encode()))
    assert batch is not None
    return batch


class Ticker(Stage):
    """Makes `count` messages, one a batch, without a pause."""

    command = "ticker"
    options_class = ProducerOptions
    produces = True
    live = True
    count: ClassVar[int] = 20
    made = 0

    async def run(self) -> None:
        while self.made < self.count:
            await self.made_one()
            self.made += 1
            await self.pipe.put(self, batch_of(line(self.made)))

    async def made_one(self) -> None:
        await asyncio.sleep(0)


class Pushing(Ticker):
    """Does not wait for what it made to get through."""

    command = "pushing"

    async def run(self) -> None:
        while self.made < self.count:
            self.made += 1
            self.pipe.push(self, batch_of(line(self.made)))
            await asyncio.sleep(0)


class Failing(Ticker):
    """Fails after five messages."""

    command = "failing"

    async def made_one(self) -> None:
        if self.made == 5:
            raise StageError("the other end went away")


class Endless(Ticker):
    """Never ends."""

    command = "endless"
    count = 1 << 60


class Signalling(Endless):
    """Sends the process a signal after five messages."""

    command = "signalling"

    async def made_one(self) -> None:
        if self.made == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.001)


class Waiting(Ticker):
    """Waits for a peer that never comes."""

    command = "waiting"

    async def waits(self) -> None:
        asyncio.get_running_loop().call_later(0.02, os.kill, os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    def prepare(self) -> asyncio.Future[None]:  # type: ignore[override]
        return asyncio.ensure_future(self.waits())


class Meeting(Ticker):
    """Is prepared when another one of its kind is being prepared, too."""

    command = "meeting"
    count = 1
    here: ClassVar[list[Stage]] = []

    async def meet(self) -> None:
        self.here.append(self)
        while len(self.here) < 2:
            await asyncio.sleep(0.001)

    def prepare(self) -> asyncio.Future[None]:  # type: ignore[override]
        return asyncio.ensure_future(self.meet())


class Slow(Output):
    """Takes its time to write, and to finish."""

    command = "slow"
    live = True
    seen: ClassVar[list[str]] = []
    ahead: ClassVar[list[int]] = []

    def encoder(self) -> Encoder:
        return JsonEncoder()

    def write(self, data: Buffer) -> None:
        time.sleep(0.002)
        self.seen.append(bytes(data).decode())
        producers = (stage for stage in self.pipe.stages if isinstance(stage, Ticker))
        self.ahead.append(sum(stage.made for stage in producers) - len(self.seen))

    async def finishes(self) -> None:
        await asyncio.sleep(0.01)
        self.seen.append("finished")

    def finish(self) -> asyncio.Future[None]:  # type: ignore[override]
        return asyncio.ensure_future(self.finishes())


@pytest.fixture(autouse=True)
def stages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for cls in (Ticker, Pushing, Failing, Endless, Signalling, Waiting, Meeting, Slow):
        module = types.ModuleType(f"bgpipe.stages.{cls.command}")
        setattr(module, cls.__name__, cls)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(STAGES, cls.command, (cls.command, cls.__name__))
    monkeypatch.setattr(Slow, "seen", [])
    monkeypatch.setattr(Slow, "ahead", [])
    monkeypatch.setattr(Meeting, "here", [])
    handlers = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    for number, handler in handlers:
        signal.signal(number, handler)


def run(*words: str | Path) -> Pipeline:
    pipe = Pipeline([str(word) for word in words])
    assert pipe.live
    pipe.execute(signals=True)
    return pipe


def test_live_producer_to_a_file(tmp_path: Path) -> None:
    assert run("ticker", "write", tmp_path / "x.json").exit_code == 0
    assert read_lines(tmp_path / "x.json") == right(*range(1, 21))


def test_within_a_running_loop(tmp_path: Path) -> None:
    asyncio.run(Pipeline(["ticker", "write", str(tmp_path / "x.json")]).run())
    assert read_lines(tmp_path / "x.json") == right(*range(1, 21))


def test_a_slow_output_holds_the_producer_up() -> None:
    assert run("ticker", "slow").exit_code == 0
    assert "".join(Slow.seen) == lines(20) + "finished"
    assert Slow.ahead == [0] * 20


def test_a_slow_output_holds_all_producers_up() -> None:
    run("@a", "ticker", "@b", "ticker", "slow")
    assert len(Slow.seen) == 41
    assert max(Slow.ahead) <= 1  # each producer waits with the batch that it made


def test_files_and_live_stages_together(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "source.json", lines(6_000))
    assert run("read", source, "--", "ticker", "--", "write", tmp_path / "x.json").exit_code == 0
    numbers = [number for _, number in read_lines(tmp_path / "x.json")]
    assert sorted(numbers) == sorted([*range(1, 6_001), *range(1, 21)])


def test_damage_in_a_file(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "source.json", lines(3) + "[nonsense\n")
    pipe = run("-l", "disabled", "read", source, "--", "slow", "--", "write", tmp_path / "x.json")
    assert pipe.exit_code == 1
    assert read_lines(tmp_path / "x.json") == right(1, 2, 3)
    assert Slow.seen == [lines(3), "finished"]


def test_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pipe = run("failing", "write", tmp_path / "x.json")
    assert pipe.exit_code == 1
    assert read_lines(tmp_path / "x.json") == right(1, 2, 3, 4, 5)
    assert capfd.readouterr().err == "bgpipe: stage 1 (failing): the other end went away\n"


def test_a_failed_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pipe = run("endless", "write", "/dev/full", "write", tmp_path / "x.json")
    assert pipe.exit_code == 1
    numbers = [number for _, number in read_lines(tmp_path / "x.json")]
    assert numbers == list(range(1, len(numbers) + 1))
    err = capfd.readouterr().err
    assert err.startswith("bgpipe: stage 2 (write): cannot write /dev/full: ")
    assert err.count("\n") == 1


def test_signal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pipe = run("signalling", "write", tmp_path / "x.json", "slow")
    assert pipe.exit_code == 0
    numbers = [number for _, number in read_lines(tmp_path / "x.json")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 5
    assert len(Slow.seen) == len(numbers) + 1
    assert "stopping" in capfd.readouterr().err


def test_signal_while_being_prepared(tmp_path: Path) -> None:
    pipe = Pipeline(["-l", "disabled", "waiting", "write", str(tmp_path / "x.json")])
    seen: list[str] = []
    pipe.on_event()(lambda event: seen.append(str(event)))
    assert pipe.execute(signals=True) == 0
    assert "write/READY" in seen
    assert "write/START" not in seen
    assert list(tmp_path.iterdir()) == []


def test_stages_are_prepared_together(tmp_path: Path) -> None:
    run("@a", "meeting", "@b", "meeting", "write", tmp_path / "x.json")
    assert len(read_lines(tmp_path / "x.json")) == 2


def test_stop_by_an_event(tmp_path: Path) -> None:
    assert run("@a", "ticker", "--stop", "a/START", "write", tmp_path / "x.json").exit_code == 0
    assert not (tmp_path / "x.json").exists()


def test_stop_outputs_at_a_message(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "source.json", lines(3) + bad_line(4) + lines(2, first=5))
    words = ["read", source, "slow", "--stop", "PARSE", "write", tmp_path / "x.json"]
    assert run("-l", "disabled", *words).exit_code == 0
    assert Slow.seen == [lines(3) + bad_line(4), "finished"]
    assert read_lines(tmp_path / "x.json") == right(1, 2, 3, 4, 5, 6)


def test_wait_for_a_stage(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "source.json", lines(3, first=101))
    run("@a", "read", "--wait", "ticker/STOP", source, "ticker", "write", tmp_path / "x.json")
    assert read_lines(tmp_path / "x.json") == right(*range(1, 21), 101, 102, 103)


def test_call_later(tmp_path: Path) -> None:
    pipe = Pipeline(["endless", "write", str(tmp_path / "x.json")])
    called: list[bool] = []

    def later() -> None:
        called.append(True)
        pipe.end()

    pipe.on_event("endless/START")(lambda event: pipe.call_later(pipe.stages[0], 0.01, later))
    pipe.execute()
    assert called == [True]
    assert read_lines(tmp_path / "x.json")[0] == ("R", 1)


def test_handlers_that_raise(tmp_path: Path) -> None:
    pipe = Pipeline(["endless", "write", str(tmp_path / "x.json")])

    @pipe.on_event("endless/START")
    async def handler(event: object) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        pipe.execute()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("producer", ["ticker", "pushing"])
def test_a_function_that_cancels_the_task_it_is_called_in(producer: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What was on its way in that task is lost, and it is said."""
    pipe = Pipeline([producer, "write", str(tmp_path / "x.json")])

    @pipe.on_message
    def cancel(msg: Msg) -> Msg:
        task = asyncio.current_task()
        assert task is not None
        if msg.seq == 10:
            task.cancel()
        return msg

    @pipe.on_message
    async def wait(msg: Msg) -> Msg:
        await asyncio.sleep(0)
        return msg

    with pytest.raises((StageError, RuntimeError), match="was cancelled"):
        pipe.run_sync()
