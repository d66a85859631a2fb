"""Functions of users on the way of messages: Pipeline.on_message."""

from __future__ import annotations

import asyncio
import functools
import json
import operator
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from lines import bad_line, line, lines, read_lines, right, write_lines

import bgpipe
from bgpipe._codec import Batch
from bgpipe._view import Msg
from bgpipe.errors import StageError, UsageError
from bgpipe.pipeline.callback import CallbackEvent
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.events import Event, ParseEvent

MANY = 6_000  # lines: half a dozen blocks


@pytest.fixture
def source(tmp_path: Path) -> str:
    return write_lines(tmp_path / "source.json", lines(3))


def pipeline(*words: str | Path) -> Pipeline:
    return Pipeline([str(word) for word in words])


class TestCalls:
    def test_identity(self, threads: str, tmp_path: Path, target: Path) -> None:
        pipe = pipeline(threads, "--", "read", write_lines(tmp_path / "source.json", lines(MANY)), "--", "write", target)
        pipe.on_message(lambda msg: msg)
        pipe.run_sync()
        assert target.read_text() == lines(MANY)

    def test_in_order_with_and_without_an_event_loop(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY))

        def sync(msg: Msg) -> Msg:
            seen.append(msg.seq)
            return msg

        async def later(msg: Msg) -> Msg:
            if msg.seq % 1000 == 0:
                await asyncio.sleep(0)
            return sync(msg)

        for function in (sync, later):
            seen: list[int] = []
            pipe = pipeline(threads, "--", "read", source, "--", "write", target)
            pipe.on_message(function)
            pipe.run_sync()
            assert seen == list(range(1, MANY + 1))
            assert target.read_text() == lines(MANY)

    def test_run_in_a_loop_that_runs(self, source: str, target: Path) -> None:
        for function in (lambda msg: msg if msg.seq > 1 else None, self.later):
            pipe = pipeline("read", source, "write", target)
            pipe.on_message(function)
            asyncio.run(pipe.run())
            assert read_lines(target) == right(2, 3)

    async def later(self, msg: Msg) -> Msg | None:
        await asyncio.sleep(0)
        return msg if msg.seq > 1 else None

    @pytest.mark.parametrize("kind", ["generator", "async generator", "partial", "object", "method"])
    def test_any_kind_of_function(self, kind: str, source: str, target: Path) -> None:
        def generator(msg: Msg) -> Iterator[Msg]:
            yield msg
            yield msg

        async def async_generator(msg: Msg) -> AsyncIterator[Msg]:
            await asyncio.sleep(0)
            yield msg
            yield msg

        async def twice(times: int, msg: Msg) -> list[Msg]:
            return [msg] * times

        class Double:
            async def __call__(self, msg: Msg) -> list[Msg]:
                return [msg, msg]

            def method(self, msg: Msg) -> list[Msg]:
                return [msg, msg]

        functions: dict[str, Any] = {
            "generator": generator,
            "async generator": async_generator,
            "partial": functools.partial(functools.partial(twice), 2),
            "object": Double(),
            "method": Double().method,
        }
        pipe = pipeline("read", source, "write", target)
        pipe.on_message(functions[kind])
        assert pipe.live == (kind not in ("generator", "method"))
        pipe.run_sync()
        assert read_lines(target) == right(1, 1, 2, 2, 3, 3)

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_batches(self, asynchronous: bool, threads: str, tmp_path: Path, target: Path) -> None:
        sizes = []

        def odd(batch: Batch) -> list[Msg]:
            sizes.append(len(batch))
            return [msg for msg in batch if msg.seq % 2]

        async def later(batch: Batch) -> list[Msg]:
            await asyncio.sleep(0)
            return odd(batch)

        pipe = pipeline(threads, "--", "read", write_lines(tmp_path / "source.json", lines(MANY)), "--", "write", target)
        pipe.on_message(batch=True)(later if asynchronous else odd)
        pipe.run_sync()
        assert read_lines(target) == right(*range(1, MANY, 2))
        assert sum(sizes) == MANY
        assert 1 < len(sizes) < MANY / 100

    def test_emitted_messages_pass_what_is_behind(self, threads: str, source: str, target: Path) -> None:
        pipe = pipeline(threads, "--", "read", source, "--", "tag", "--add", "x=y", "--", "write", target)

        @pipe.on_message(before="tag")
        def more(msg: Msg) -> list[Msg]:
            return [msg, Msg.from_json(line(msg.seq + 10))]

        pipe.run_sync()
        assert read_lines(target) == right(1, 11, 2, 12, 3, 13)
        assert all(json.loads(text)[5] == {"x": "y"} for text in target.read_text().splitlines())

    def test_kept_views_after_the_end(self, threads: str, tmp_path: Path, target: Path) -> None:
        kept: list[Msg] = []
        source = write_lines(tmp_path / "source.json", lines(MANY))
        pipe = pipeline(threads, "--", "read", source, "--", "write", target)
        pipe.on_message(lambda msg: kept.append(msg) or msg)
        pipe.run_sync()
        del pipe
        assert [str(msg.update.as_path) for msg in kept if msg.update] == [str(n) for n in range(1, MANY + 1)]


class TestWhichMessages:
    @pytest.fixture
    def mixed(self, tmp_path: Path) -> str:
        return write_lines(tmp_path / "mixed.json", line(1) + line(1, "L") + line(2) + line(2, "L"))

    def called(self, words: list[str | Path], **options: Any) -> list[tuple[str, int]]:
        pipe = pipeline(*words)
        seen: list[tuple[str, int]] = []
        pipe.on_message(**options)(lambda msg: seen.append((msg.dir, msg.seq)) or msg)
        pipe.run_sync()
        return seen

    def test_filter(self, threads: str, source: str, target: Path) -> None:
        assert self.called([threads, "read", source, "write", target], filter="seq in [1, 3]") == right(1, 3)
        assert read_lines(target) == right(1, 2, 3)

    def test_filter_and_drop(self, source: str, target: Path) -> None:
        pipe = pipeline("read", source, "write", target)
        pipe.on_message("seq == 2")(lambda msg: None)
        pipe.run_sync()
        assert read_lines(target) == right(1, 3)

    def test_types(self, tmp_path: Path, target: Path) -> None:
        keepalive = '["R",2,"2025-01-01T00:00:00.000","KEEPALIVE",null,{}]\n'
        source = write_lines(tmp_path / "some.json", line(1) + keepalive + line(3))
        assert self.called(["read", source, "write", target], types=["KEEPALIVE"]) == right(2)
        assert self.called(["read", source, "write", target], types=["update", 1]) == right(1, 3)

    def test_directions(self, mixed: str, tmp_path: Path) -> None:
        words: list[str | Path] = ["--", "write", tmp_path / "l", "--", "read", "-LR", mixed, "--", "write", tmp_path / "r"]
        assert self.called(words, direction="R") == right(1, 2)
        assert self.called(words, direction="L") == [("L", 1), ("L", 2)]
        assert self.called(words, direction="LR") == self.called(words) == [("R", 1), ("L", 1), ("R", 2), ("L", 2)]

    def test_no_outputs_at_all(self, mixed: str) -> None:
        words = ["--stdout", "--log=disabled", "--", "read", "-LR", mixed]
        assert self.called(words) == [("R", 1), ("L", 1), ("R", 2), ("L", 2)]  # type: ignore[arg-type]


class TestPlace:
    """A function that tags messages shows in which files it had been called before."""

    def places(self, tmp_path: Path, source: str, before: str | None, *words: str) -> dict[str, bool]:
        given = [word.replace("FILE", source).replace("TO/", f"{tmp_path}/") for word in words]
        pipe = pipeline("--", *given)

        def tag(msg: Msg) -> Msg:
            msg.tags["seen"] = "yes"
            return msg

        pipe.on_message(before=before)(tag)
        pipe.run_sync()
        found = {}
        for path in tmp_path.glob("*.out"):
            found[path.name[:-4]] = all(json.loads(text)[5] == {"seen": "yes"} for text in path.read_text().splitlines())
            path.unlink()
        return found

    @pytest.mark.parametrize(
        ("before", "expected"),
        [(None, {"a": True, "b": True}), ("2", {"a": True, "b": True}), ("@b", {"a": False, "b": True}), ("b", {"a": False, "b": True})],
    )
    def test_in_front_of_the_first_that_writes(
        self, before: str | None, expected: dict[str, bool], tmp_path: Path, source: str
    ) -> None:
        words = ["read", "FILE", "--", "@a", "write", "TO/a.out", "--", "@b", "write", "TO/b.out"]
        assert self.places(tmp_path, source, before, *words) == expected

    def test_to_the_left(self, tmp_path: Path, source: str) -> None:
        words = ["@a", "write", "-L", "TO/a.out", "--", "@b", "write", "-L", "TO/b.out", "--", "read", "-L", "FILE"]
        assert self.places(tmp_path, source, None, *words) == {"a": True, "b": True}
        assert self.places(tmp_path, source, "a", *words) == {"a": True, "b": False}

    def test_behind_stages_that_change(self, tmp_path: Path, source: str, target: Path) -> None:
        pipe = pipeline("read", source, "tag", "--add", "a=b", "tag", "--add", "c=d", "write", target)
        seen = []
        pipe.on_message(lambda msg: seen.append(dict(msg.tags)) or msg)
        pipe.run_sync()
        assert seen == [{"a": "b", "c": "d"}] * 3

    def test_writers_that_no_message_reaches_do_not_count(self, tmp_path: Path, source: str) -> None:
        words = ["write", "-R", "TO/a.out", "--", "read", "FILE", "--", "tag", "--add", "seen=yes", "--", "write", "TO/b.out"]
        assert self.places(tmp_path, source, None, *words) == {"b": True}

    def test_at_the_end_where_nothing_writes(self, source: str) -> None:
        pipe = pipeline("--", "read", source, "--", "tag", "--add", "a=b", "--", "head", "-n", "9")
        seen = []
        pipe.on_message(lambda msg: seen.append(dict(msg.tags)) or msg)
        pipe.run_sync()
        assert seen == [{"a": "b"}] * 3

    def test_in_front_of_stdout(self, source: str, capfd: pytest.CaptureFixture[str]) -> None:
        pipe = pipeline("-o", "--", "read", source)
        pipe.on_message(lambda msg: None)
        pipe.run_sync()
        assert capfd.readouterr().out == ""

    def test_in_the_order_of_registration(self, source: str, target: Path) -> None:
        pipe = pipeline("read", source, "write", target)
        seen: list[str] = []
        pipe.on_message(lambda msg: seen.append("a") or msg)
        pipe.on_message(lambda msg: seen.append("b") or msg)
        pipe.run_sync()
        assert "".join(seen) == "aaabbb"  # a batch at a time

    def test_unknown(self, source: str) -> None:
        with pytest.raises(UsageError, match=r"there is no stage 'writ'; did you mean write\?"):
            pipeline("--", "read", source, "write", "x").on_message(before="writ")(print)
        with pytest.raises(UsageError, match="stages 2, 3 are called 'write': take a number"):
            pipeline("--", "read", source, "write", "x", "write", "y").on_message(before="write")(print)

    def test_explain(self, source: str, target: Path) -> None:
        from bgpipe.pipeline.explain import explain

        pipe = pipeline("read", source, "write", target)

        @pipe.on_message(direction="R")
        def guard(msg: Msg) -> Msg:
            return msg

        text = explain(pipe)
        assert "  on_message(TestPlace.test_explain.<locals>.guard)\n    handles  messages of direction R from stage 1 (read)\n" in text
        assert text.index("stage 1") < text.index("on_message") < text.index("stage 2")


class TestTheOtherDirection:
    def words(self, tmp_path: Path, threads: str, *between: str) -> list[str | Path]:
        source = write_lines(tmp_path / "source.json", lines(MANY))
        return [threads, "--", "write", tmp_path / "left.json", "--", "read", source, *between, "--", "write", tmp_path / "right.json"]

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_it_flows_back_from_there(self, asynchronous: bool, threads: str, tmp_path: Path) -> None:
        pipe = pipeline(*self.words(tmp_path, threads))

        def answer(msg: Msg) -> list[Msg]:
            return [msg, Msg.from_json(line(msg.seq, "L"))] if msg.seq % 100 == 0 else [msg]

        async def later(msg: Msg) -> list[Msg]:
            return answer(msg)

        pipe.on_message(direction="R")(later if asynchronous else answer)
        pipe.run_sync()
        assert read_lines(tmp_path / "right.json") == right(*range(1, MANY + 1))
        assert read_lines(tmp_path / "left.json") == [("L", n) for n in range(100, MANY + 1, 100)]

    def test_it_passes_the_stages_on_its_way_and_no_others(self, threads: str, tmp_path: Path) -> None:
        between = ["--", "tag", "-L", "--add", "near=1", "--", "@here", "tag", "--add", "r=1", "--", "tag", "-L", "--add", "far=1"]
        pipe = pipeline(*self.words(tmp_path, threads, *between))
        pipe.on_message("seq == 7", before="here", direction="R")(lambda msg: [msg, Msg.make("KEEPALIVE", direction="L")])
        pipe.run_sync()
        (text,) = (tmp_path / "left.json").read_text().splitlines()
        assert json.loads(text)[0] == "L"
        assert json.loads(text)[1] == 1  # the first of its direction
        assert json.loads(text)[5] == {"near": "1"}

    def test_it_never_comes_back_to_the_function(self, threads: str, tmp_path: Path) -> None:
        pipe = pipeline(*self.words(tmp_path, threads))
        seen = []

        @pipe.on_message
        def both(msg: Msg) -> list[Msg]:
            seen.append(msg.dir)
            return [msg, Msg.make("KEEPALIVE", direction="L")] if msg.seq == 1 else [msg]

        pipe.run_sync()
        assert seen == ["R"] * MANY
        assert len(read_lines(tmp_path / "left.json")) == 1

    @pytest.mark.parametrize("batches", [False, True])
    @pytest.mark.parametrize("end", ["head -R -n 1234", "@end grep -R --keep --kill-match 'seq == 1235'"])
    @pytest.mark.parametrize("before", ["3", "4"])
    def test_the_end_lets_through_what_came_of_messages_in_front_of_it(
        self, before: str, end: str, batches: bool, threads: str, tmp_path: Path
    ) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY))
        left, right_ = tmp_path / "left.json", tmp_path / "right.json"
        pipe = Pipeline(f"--log=disabled {threads} -- write {left} -- read {source} -- {end} -- write {right_}")

        def answer(msg: Msg) -> list[Msg]:
            return [msg, msg.copy(), Msg.from_json(line(msg.seq, "L"))] if msg.seq % 2 else [msg]

        def answers(batch: Batch) -> list[Msg]:
            return [found for msg in batch for found in answer(msg)]

        pipe.on_message(direction="R", batch=batches, before=before)(answers if batches else answer)
        pipe.execute()
        passed = [number for _, number in read_lines(right_)]
        assert read_lines(left) == [("L", number) for number in range(1, passed[-1] + 1, 2)]

    def test_what_comes_back_to_head_behind_its_end(self, threads: str, tmp_path: Path) -> None:
        pipe = pipeline(*self.words(tmp_path, threads, "--", "head", "-LR", "-n", "100"))
        pipe.on_message(direction="R")(lambda msg: [msg, Msg.from_json(line(msg.seq, "L"))])
        pipe.run_sync()
        assert read_lines(tmp_path / "right.json") == right(*range(1, 101))
        assert not (tmp_path / "left.json").exists()

    def test_another_function_sees_it(self, threads: str, tmp_path: Path) -> None:
        pipe = pipeline(*self.words(tmp_path, threads))
        seen = []
        pipe.on_message("seq == 1", direction="R")(lambda msg: [msg, Msg.make("KEEPALIVE", direction="L")])
        pipe.on_message(direction="L")(lambda msg: seen.append(msg.type))
        pipe.run_sync()
        assert seen == ["KEEPALIVE"]
        assert not (tmp_path / "left.json").exists()


class TestFailures:
    def failing(self, *numbers: int) -> Any:
        def check(msg: Msg) -> Msg:
            msg.tags["seen"] = "yes"
            if msg.seq in numbers:
                raise ValueError(f"no {msg.seq}")
            return msg

        return check

    @pytest.mark.parametrize("asynchronous", [False, True])
    @pytest.mark.parametrize(("on_error", "expected"), [("pass", [1, 2, 3]), ("drop", [1, 3])])
    def test_fates(self, on_error: str, expected: list[int], asynchronous: bool, source: str, target: Path) -> None:
        pipe = pipeline("--log=disabled", "--", "read", source, "write", target)
        function = self.failing(2)

        async def later(msg: Msg) -> Msg:
            await asyncio.sleep(0)
            return function(msg)

        pipe.on_message(on_error=on_error)(later if asynchronous else function)
        pipe.run_sync()
        assert read_lines(target) == right(*expected)
        assert [json.loads(text)[5] for text in target.read_text().splitlines()] == [{} if n == 2 else {"seen": "yes"} for n in expected]

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_stop(self, asynchronous: bool, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY))
        pipe = pipeline("--log=disabled", threads, "--", "read", source, "write", target)
        function = self.failing(4321)

        async def later(msg: Msg) -> Msg:
            return function(msg)

        pipe.on_message(on_error="stop")(later if asynchronous else function)
        with pytest.raises(StageError, match=r"^stopped by .*: ValueError: no 4321$") as raised:
            pipe.run_sync()
        assert isinstance(raised.value.__cause__, ValueError)
        assert pipe.exit_code == 1
        assert read_lines(target) == right(*range(1, 4321))

    def test_stop_behind_messages_that_were_put_in(self, threads: str, source: str, target: Path, tmp_path: Path) -> None:
        pipe = pipeline("--log=disabled", threads, "--", "read", source, "write", tmp_path / "first.json", "write", target)

        @pipe.on_message(on_error="stop", before="3")
        def check(msg: Msg) -> list[Msg]:
            if msg.seq == 3:
                raise ValueError
            return [msg, msg, msg]

        pipe.execute()
        assert read_lines(target) == right(1, 1, 1, 2, 2, 2)
        assert read_lines(tmp_path / "first.json") == right(1, 2)

    @pytest.mark.parametrize(("on_error", "expected"), [("pass", [1, 2, 3]), ("drop", [2]), ("stop", [])])
    def test_batches(self, on_error: str, expected: list[int], source: str, target: Path) -> None:
        pipe = pipeline("--log=disabled", "--", "read", source, "write", target)

        @pipe.on_message("seq in [1, 3]", batch=True, on_error=on_error)
        def check(batch: Batch) -> Batch:
            for msg in batch:
                msg.tags["seen"] = "yes"
            raise ValueError

        pipe.execute()
        if expected:
            assert read_lines(target) == right(*expected)
            assert '"seen"' not in target.read_text()
        else:
            assert not target.exists()

    def test_event(self, threads: str, source: str, target: Path) -> None:
        pipe = pipeline("--log=disabled", threads, "--", "read", source, "write", target)

        @pipe.on_message
        def check(msg: Msg) -> list[Msg]:
            if msg.seq == 2:
                raise KeyError("x")
            return [msg, msg]

        seen = []

        @pipe.on_event("on_message/error")
        def failed(event: Event) -> None:
            assert isinstance(event, CallbackEvent)
            assert event.batch is not None
            message = bgpipe._view.message_at(event.batch, event.index)  # type: ignore[attr-defined]
            seen.append((str(event), event.function, repr(event.error), event.index, message.seq, event.describe()))

        pipe.run_sync()
        name = check.__qualname__
        assert seen == [("on_message/error", name, "KeyError('x')", 2, 2, f"{name}(): KeyError: 'x', at message 2 (R, UPDATE) of 2025-01-01T00:00:00: 192.0.2.0/24")]

    def test_a_handler_may_end_it_there(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY))
        script = tmp_path / "check.py"
        script.write_text("def process(msg):\n    return 1 / (msg.seq - 4000) and msg\n")
        pipe = pipeline("--log=disabled", "--kill", "python/error", threads, "--", "read", source, "--", "python", script, "--", "write", target)
        pipe.execute()
        assert pipe.exit_code == 1
        assert str(pipe.failure) == "killed by event python/error"
        assert read_lines(target) == right(*range(1, 4000))

    def test_one_traceback_for_each_place(self, threads: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY))
        pipe = pipeline(threads, "--", "read", source, "--", "write", tmp_path / "x")

        def inner(number: int) -> None:
            if number % 2:
                raise ValueError("odd\n")
            {}["even"]

        @pipe.on_message
        def check(msg: Msg) -> None:
            inner(msg.seq)

        pipe.run_sync()
        found = capfd.readouterr().err.splitlines()
        name, first = check.__qualname__, inner.__code__.co_firstlineno
        label = f"bgpipe: on_message({name}): {name}()"
        assert found == [
            f"{label}: ValueError: odd\\n",
            f'  File "{__file__}", line {check.__code__.co_firstlineno + 2}, in check',
            "    inner(msg.seq)",
            f'  File "{__file__}", line {first + 2}, in inner',
            '    raise ValueError("odd\\\\n")'.replace("\\\\", "\\"),
            f"{label}: KeyError: 'even'",
            f'  File "{__file__}", line {check.__code__.co_firstlineno + 2}, in check',
            "    inner(msg.seq)",
            f'  File "{__file__}", line {first + 3}, in inner',
            '    {}["even"]',
            f"{label}: {MANY // 2} times ValueError at {__file__}:{first + 2}",
            f"{label}: {MANY // 2} times KeyError at {__file__}:{first + 3}",
        ]

    def test_frames_of_ours_behind_the_users_are_left_out(
        self, source: str, target: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Two places that call the same method of ours are two, and the mistake is shown where it can be mended."""
        pipe = pipeline("--", "read", source, "--", "write", target)

        @pipe.on_message
        def check(msg: Msg) -> None:
            assert msg.update is not None
            if msg.seq == 1:
                msg.update.communities.add("x")
            msg.update.communities.add("x")

        pipe.run_sync()
        found = capfd.readouterr().err.splitlines()
        first = check.__code__.co_firstlineno
        for at, number in ((0, first + 4), (3, first + 5)):
            assert "FieldError" in found[at]
            assert found[at + 1] == f'  File "{__file__}", line {number}, in check'
            assert found[at + 2].strip() == 'msg.update.communities.add("x")'
        assert found[6].endswith(f"2 times FieldError at {__file__}:{first + 5}")
        assert len(found) == 7

    def test_a_function_without_a_place(self, source: str, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        pipe = pipeline("--", "read", source, "--", "write", target)
        pipe.on_message(operator.attrgetter("none"))
        pipe.run_sync()
        label = "bgpipe: on_message(attrgetter): attrgetter()"
        assert capfd.readouterr().err.splitlines() == [
            f"{label}: AttributeError: 'bgpipe._view.Msg' object has no attribute 'none'",
            f"{label}: 3 times AttributeError",
        ]

    def test_the_log_is_bounded(self, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        pipe = pipeline("--", "read", write_lines(tmp_path / "source.json", lines(500)), "--", "write", target)

        @pipe.on_message
        def check(msg: Msg) -> None:
            exec(compile("\n" * msg.seq + "1/0", "made.py", "exec"))

        pipe.run_sync()
        found = capfd.readouterr().err.splitlines()
        assert len(found) < 500
        assert found[-1].endswith("400 times exceptions at other places")

    def test_what_is_no_message(self, source: str, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        pipe = pipeline("--", "read", source, "--", "write", target)

        @pipe.on_message
        def check(msg: Msg) -> int:
            return 5

        pipe.run_sync()
        found = capfd.readouterr().err.splitlines()
        name = check.__qualname__
        text = "it returned 5 (int): expected the message, None to drop it, or several messages"
        assert found[0] == f"bgpipe: on_message({name}): {name}(): TypeError: {text}"
        assert found[1] == f'  File "{__file__}", line {check.__code__.co_firstlineno}'
        assert found[-1].endswith(f"3 times TypeError at {__file__}:{check.__code__.co_firstlineno}")
        assert read_lines(target) == right(1, 2, 3)

    def test_log_for_machines(self, source: str, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        pipe = pipeline("--log-format=json", "--", "read", source, "--", "write", target)
        pipe.on_message(self.failing(2))
        pipe.run_sync()
        (text,) = capfd.readouterr().err.splitlines()
        found = json.loads(text)
        assert found["level"] == "error"
        assert found["detail"][1].strip() == 'raise ValueError(f"no {msg.seq}")'

    @pytest.mark.parametrize("kind", ["function", "coroutine", "batch"])
    def test_sys_exit_is_a_stop(self, kind: str, threads: str, source: str, target: Path) -> None:
        def leave(msg: Msg) -> Msg:
            return msg if msg.seq == 1 else sys.exit()

        async def later(msg: Msg) -> Msg:
            return leave(msg)

        def leave_all(batch: Batch) -> None:
            sys.exit(0)

        functions: dict[str, Any] = {"function": leave, "coroutine": later, "batch": leave_all}
        pipe = pipeline("--log=disabled", threads, "--", "read", source, "--", "write", target)
        pipe.on_message(batch=kind == "batch")(functions[kind])
        with pytest.raises(StageError, match=r"^stopped by .*: SystemExit"):
            pipe.run_sync()
        assert pipe.exit_code == 1
        assert (read_lines(target) if target.exists() else []) == ([] if kind == "batch" else right(1))

    @pytest.mark.parametrize(("on_error", "expected"), [("pass", [1, 2, 3]), ("drop", [1, 3]), ("stop", [1])])
    def test_something_that_it_waited_for_was_cancelled(
        self, on_error: str, expected: list[int], source: str, target: Path
    ) -> None:
        pipe = pipeline("--log=disabled", "--", "read", source, "--", "write", target)
        errors = []

        @pipe.on_message(on_error=on_error)
        async def wait(msg: Msg) -> Msg:
            if msg.seq == 2:
                child = asyncio.ensure_future(asyncio.sleep(60))
                child.cancel()
                await child
            return msg

        @pipe.on_event("on_message/error")
        def failed(event: Event) -> None:
            assert isinstance(event, CallbackEvent)
            errors.append(type(event.error))

        pipe.execute()
        assert errors == [asyncio.CancelledError]
        assert pipe.exit_code == (on_error == "stop")
        assert read_lines(target) == right(*expected)

    def test_a_function_that_cancels_its_own_task(
        self, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        pipe = pipeline("--", "read", write_lines(tmp_path / "source.json", lines(MANY)), "--", "write", target)

        @pipe.on_message
        async def cancel(msg: Msg) -> Msg:
            if msg.seq == 4321:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await asyncio.sleep(0)
            return msg

        with pytest.raises(StageError, match="it was cancelled"):
            pipe.run_sync()
        assert pipe.exit_code == 1
        assert "it was cancelled" in capfd.readouterr().err

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_functions_that_answer_each_other(
        self, asynchronous: bool, threads: str, source: str, target: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        pipe = pipeline(threads, "--", "read", source, "--", "write", target)
        calls = 0

        def answer(msg: Msg) -> list[Msg]:
            nonlocal calls
            calls += 1
            return [msg, Msg.from_json(line(msg.seq, "L" if msg.dir == "R" else "R"))]

        async def later(msg: Msg) -> list[Msg]:
            return answer(msg)

        for direction in ("R", "L"):
            pipe.on_message(direction=direction)(later if asynchronous else answer)
        with pytest.raises(StageError, match="answer each other without end"):
            pipe.run_sync()
        assert 1000 < calls < 5000
        assert "messages have turned round 1000 times" in capfd.readouterr().err

    def test_a_task_that_calls_sys_exit(self, source: str, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        pipe = pipeline("--", "read", source, "--", "write", target)

        async def leave() -> None:
            sys.exit(0)

        @pipe.on_message
        async def start(msg: Msg) -> Msg:
            await asyncio.ensure_future(leave())
            return msg

        with pytest.raises(SystemExit):
            pipe.run_sync()
        assert not target.exists()
        assert "sys.exit() was called" in capfd.readouterr().err

    @pytest.mark.parametrize("asynchronous", [False, True])
    @pytest.mark.parametrize(("on_error", "expected"), [("pass", [3]), ("drop", []), ("stop", [])])
    @pytest.mark.parametrize("end", ["head -n 4", "@end grep --keep --kill-match 'seq == 5'"])
    def test_behind_what_ends_the_pipeline(
        self, end: str, on_error: str, expected: list[int], asynchronous: bool, tmp_path: Path, target: Path
    ) -> None:
        """Messages that get out have been before the function, also behind one on which it raised."""
        source = write_lines(tmp_path / "source.json", lines(10))
        pipe = Pipeline(f"--log=disabled -- read {source} -- {end} -- write {target}")
        seen = []

        def none(msg: Msg) -> None:
            seen.append(msg.seq)
            if msg.seq == 3:
                raise ValueError

        async def later(msg: Msg) -> None:
            none(msg)

        pipe.on_message(on_error=on_error)(later if asynchronous else none)
        pipe.execute()
        assert seen == ([1, 2, 3] if on_error == "stop" else [1, 2, 3, 4])
        assert pipe.exit_code == (on_error == "stop" or "kill" in end)
        assert (read_lines(target) if target.exists() else []) == right(*expected)

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_an_exception_without_a_text(
        self, asynchronous: bool, source: str, target: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        class Silent(Exception):
            def __str__(self) -> str:
                raise ValueError

        def check(msg: Msg) -> Msg:
            raise Silent

        async def later(msg: Msg) -> Msg:
            return check(msg)

        pipe = pipeline("read", source, "--", "write", target)
        pipe.on_message(later if asynchronous else check)
        pipe.run_sync()
        assert read_lines(target) == right(1, 2, 3)
        assert "Silent: (its text cannot be had: ValueError)" in capfd.readouterr().err

    def test_messages_that_do_not_parse_are_passed_to_it(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", line(1) + bad_line(2) + line(3))
        pipe = pipeline("--log=disabled", "--", "read", source, "--", "write", target)
        seen, events = [], []

        @pipe.on_message
        def check(msg: Msg) -> list[Msg]:
            seen.append(msg.error is None)
            return [msg.copy(), msg]

        @pipe.on_event("PARSE")
        def bad(event: Event) -> None:
            assert isinstance(event, ParseEvent)
            events.append(event.index)

        pipe.run_sync()
        assert seen == [True, False, True]
        assert events == [2, 3]  # each of them


class TestRegistering:
    def test_mistakes(self, source: str) -> None:
        pipe = pipeline("--", "read", source)
        for options, text in (
            ({"on_error": "ignore"}, "on_error 'ignore': expected pass, drop, stop"),
            ({"direction": "X"}, 'direction \'X\': expected "R", "L" or "LR"'),
            ({"types": ["UPDAET"]}, "types: expected message types"),
            ({"types": 5.5}, "types: expected message types"),
            ({"filter": "prefix ="}, "prefix"),
            ({"filter": 5, "batch": True}, "the filter is 5, expected text such as"),
        ):
            with pytest.raises(UsageError, match=text):
                pipe.on_message(**options)(print)
        with pytest.raises(UsageError, match="on_message: 5 cannot be called"):
            pipe.on_message()(5)  # type: ignore[type-var]
        with pytest.raises(UsageError, match=r"on_message: dict is a class; a function, or a method, is called"):
            pipe.on_message(dict)

    def test_too_late(self, source: str, target: Path) -> None:
        pipe = pipeline("read", source, "write", target)
        pipe.run_sync()
        with pytest.raises(RuntimeError, match="the pipeline runs already"):
            pipe.on_message(print)

    def test_a_function_that_nothing_reaches(self, source: str, target: Path) -> None:
        pipe = pipeline("read", source, "write", target)
        pipe.on_message(direction="L")(print)
        assert [text for _, text in pipe.warnings()] == [
            "no stage sends messages to it in direction L: is -L, -R or -LR missing?"
        ]


class TestOf:
    def words(self, folder: Path, source: str, *options: str) -> list[str | Path]:
        script = folder / "more.py"
        script.write_text(
            "from bgpipe import Msg\n"
            "def process(msg):\n    return [msg, Msg.make('KEEPALIVE'), msg.copy(), Msg.make('KEEPALIVE', direction='L')]\n"
            "def all(batch):\n    return [new for msg in batch for new in process(msg)]\n"
        )
        return ["--", "write", folder / "left.json", "--", "read", source, "--", "python", *options, f"{script}:{'all' if '--batch' in options else 'process'}"]

    @pytest.mark.parametrize("options", [[], ["--batch"]])
    def test_what_a_function_puts_in(self, options: list[str], tmp_path: Path, source: str, target: Path) -> None:
        """Of what it makes only what matches; what it passes is not what it makes."""
        pipe = pipeline(*self.words(tmp_path, source, *options), "--", "write", target)
        pipe.run_sync()
        assert [json.loads(text)[3][0] for text in target.read_text().splitlines()] == list("UKU") * 3
        assert len(read_lines(tmp_path / "left.json")) == 3
        for of, kinds, back in (("keepalive", "UK" * 3, 3), ("update", "UU" * 3, 0), ("dir == R && keepalive", "UK" * 3, 0)):
            (tmp_path / "left.json").unlink(missing_ok=True)
            pipe = pipeline(*self.words(tmp_path, source, "--of", of, *options), "--", "write", target)
            assert pipe.warnings() == []
            pipe.run_sync()
            assert "".join(json.loads(text)[3][0] for text in target.read_text().splitlines()) == kinds
            assert (len(read_lines(tmp_path / "left.json")) if back else 0) == back


class TestStage:
    def test_by_name_and_number(self, source: str) -> None:
        pipe = pipeline("-o", "--", "@in", "read", source, "--", "write", "x", "--", "@1", "tag", "--add", "a=b")
        names = ("in", "@in", "2", 2, "write", "stdout", "@1")
        assert [pipe.stage(name).command for name in names] == ["read", "read", "write", "write", "write", "stdout", "tag"]
        with pytest.raises(UsageError, match="there is no stage 9"):
            pipe.stage(9)


class TestSignals:
    def test_while_a_function_runs(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY * 10))
        pipe = pipeline("--log=disabled", threads, "--", "read", source, "--", "write", target)
        waiting = threading.Event()

        @pipe.on_message
        def slow(msg: Msg) -> Msg:
            if msg.seq == 10:
                os.kill(os.getpid(), signal.SIGINT)
                while not pipe.ending:
                    waiting.wait(0.001)
            return msg

        assert pipe.execute(signals=True) == 0
        found = read_lines(target)
        assert found == right(*range(1, len(found) + 1))
        assert 10 < len(found) < MANY * 10
