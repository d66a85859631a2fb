"""Pipelines from start to end: directions, events, stopping, failing. Mostly run with one thread and with more."""

from __future__ import annotations

import _thread
import asyncio
import os
import signal
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

import pytest
from lines import bad_line, line, lines, read_lines, right, run, write_lines

from bgpipe._codec import Batch
from bgpipe.cli import main
from bgpipe.errors import FilterError, InputError, StageError, UsageError
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.events import Event, ParseEvent
from bgpipe.pipeline.stage import ProducerOptions, Stage
from bgpipe.stages import STAGES

MANY = 6_000  # lines: half a dozen blocks


@pytest.fixture
def source(tmp_path: Path) -> str:
    return write_lines(tmp_path / "source.json", lines(3))


def events(pipe: Pipeline) -> list[str]:
    seen: list[str] = []
    pipe.on_event()(lambda event: seen.append(str(event)))
    return seen


class TestOrder:
    def test_small(self, threads: str, source: str, target: Path) -> None:
        assert run(threads, "--", "read", source, "--", "write", target).exit_code == 0
        assert target.read_text() == lines(3)

    def test_many_blocks(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY))
        other = tmp_path / "other.json"
        assert run(threads, "--", "read", source, "--", "write", target, "--", "write", other).exit_code == 0
        assert target.read_text() == other.read_text() == lines(MANY)

    def test_new_numbers(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY, first=77))
        run(threads, "--", "read", "--no-seq", source, "--", "write", target)
        assert read_lines(target) == right(*range(1, MANY + 1))

    def test_several_producers(self, threads: str, tmp_path: Path, target: Path) -> None:
        first = write_lines(tmp_path / "a.json", lines(MANY))
        second = write_lines(tmp_path / "b.json", lines(MANY, first=MANY + 1))
        run(threads, "--", "read", first, "--", "read", second, "--", "write", target)
        numbers = [number for _, number in read_lines(target)]
        assert [number for number in numbers if number <= MANY] == list(range(1, MANY + 1))
        assert [number for number in numbers if number > MANY] == list(range(MANY + 1, 2 * MANY + 1))

    def test_several_producers_are_numbered_as_they_come(self, tmp_path: Path, target: Path) -> None:
        first = write_lines(tmp_path / "a.json", lines(MANY))
        second = write_lines(tmp_path / "b.json", lines(MANY))
        run("--", "read", "--no-seq", first, "--", "read", "--no-seq", second, "--", "write", target)
        assert read_lines(target) == right(*range(1, 2 * MANY + 1))


class TestDirections:
    @pytest.fixture
    def mixed(self, tmp_path: Path) -> str:
        return write_lines(tmp_path / "mixed.json", line(1) + line(1, "L") + line(2) + line(2, "L"))

    def test_default_is_right_whatever_the_data_say(self, mixed: str, target: Path) -> None:
        run("read", mixed, "write", target)
        assert read_lines(target) == right(1, 1, 2, 2)

    def test_left_first_stage(self, mixed: str, target: Path) -> None:
        run("write", target, "read", mixed)
        assert read_lines(target) == [("L", 1), ("L", 1), ("L", 2), ("L", 2)]

    def test_both_ways(self, mixed: str, tmp_path: Path) -> None:
        run("--", "write", tmp_path / "l.json", "--", "read", "-LR", mixed, "--", "write", tmp_path / "r.json")
        assert read_lines(tmp_path / "r.json") == right(1, 2)
        assert read_lines(tmp_path / "l.json") == [("L", 1), ("L", 2)]

    def test_the_last_stage_works_to_the_left_if_it_produces(self, mixed: str, tmp_path: Path) -> None:
        pipe = Pipeline(["read", mixed, "write", str(tmp_path / "x"), "read", mixed])
        assert [stage.directions for stage in pipe.stages] == [1, 1, 2]

    def test_the_first_stage_works_to_the_left_if_it_does_not_produce(self, mixed: str, tmp_path: Path) -> None:
        pipe = Pipeline(["write", str(tmp_path / "x"), "write", str(tmp_path / "y"), "read", mixed])
        assert [stage.directions for stage in pipe.stages] == [2, 1, 2]

    def test_given_directions_win(self, mixed: str, tmp_path: Path) -> None:
        words = ["write", "-R", "x", "write", "-L", "y", "read", "-R", mixed, "write", "-LR", "z"]
        assert [stage.directions for stage in Pipeline(words).stages] == [1, 2, 1, 3]

    def test_a_two_way_last_stage_takes_what_flows_right(self, mixed: str, target: Path) -> None:
        run("--", "read", "-LR", "--new", "first", mixed, "--", "write", "-LR", target)
        assert read_lines(target) == right(1, 2)

    def test_a_two_way_first_stage_takes_what_flows_left(self, mixed: str, target: Path) -> None:
        run("--", "write", "-LR", target, "--", "read", "-LR", "--new", "first", mixed)
        assert read_lines(target) == [("L", 1), ("L", 2)]

    def test_a_two_way_stage_amid_takes_both(self, mixed: str, target: Path, tmp_path: Path) -> None:
        run("--", "read", mixed, "--", "write", "-LR", target, "--", "read", mixed)
        assert sorted(read_lines(target)) == [("L", n) for n in (1, 1, 2, 2)] + [("R", n) for n in (1, 1, 2, 2)]

    @pytest.mark.parametrize(
        ("new", "expected"), [("next", "cd"), ("here", "cd"), ("first", "abcd"), ("last", ""), ("1", "bcd"), ("@b", "cd"), ("4", "d")]
    )
    def test_new(self, new: str, expected: str, source: str, tmp_path: Path) -> None:
        words = ["--", "@a", "write", "-R", tmp_path / "a", "--", "@b", "write", tmp_path / "b"]
        words += ["--", "read", "--new", new, source, "--", "@c", "write", tmp_path / "c", "--", "@d", "write", tmp_path / "d"]
        run(*words)
        assert "".join(name for name in "abcd" if (tmp_path / name).exists()) == expected

    def test_new_to_the_left(self, source: str, tmp_path: Path) -> None:
        words = ["--", "write", tmp_path / "a", "--", "write", "-L", tmp_path / "b", "--", "write", "-L", tmp_path / "c"]
        run(*words, "--", "read", "--new", "3", source)
        assert [name for name in "abc" if (tmp_path / name).exists()] == ["a", "b"]

    @pytest.mark.parametrize("new", ["5", "0", "@nobody", "nxet", "read"])
    def test_new_nowhere(self, new: str, source: str) -> None:
        with pytest.raises(UsageError, match=rf"stage 1 \(read\): --new '{new}': expected next, here, first"):
            Pipeline(["read", "--new", new, source, "stdout"])


class TestTaps:
    def test_stdout_sees_both_directions_in_the_order_of_their_source(
        self, threads: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        text = "".join(line(seq, "RL"[seq % 3 == 0]) for seq in range(1, MANY))
        run(threads, "-o", "--", "read", "-LR", write_lines(tmp_path / "mixed.json", text))
        assert capfd.readouterr().out == text

    def test_stdout_comes_behind_all_stages(self, source: str, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        run("-o", "read", "--new", "last", source, "write", target)
        assert capfd.readouterr().out == lines(3)
        assert not target.exists()

    def test_stdin_comes_in_front_of_all_stages(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_lines(tmp_path / "stdin.json", line(1) + line(2, "L") + line(3))
        with (tmp_path / "stdin.json").open() as stdin:
            saved = os.dup(0)
            os.dup2(stdin.fileno(), 0)
            try:
                run("-i", "--", "write", tmp_path / "l.json", "--", "write", tmp_path / "r.json")
            finally:
                os.dup2(saved, 0)
                os.close(saved)
        assert read_lines(tmp_path / "r.json") == right(1, 3)
        assert read_lines(tmp_path / "l.json") == [("L", 2)]

    def test_they_do_not_count_as_first_or_last(self, source: str) -> None:
        pipe = Pipeline(["-io", "read", source])
        assert [(stage.name, stage.directions) for stage in pipe.stages] == [("stdin", 3), ("read", 2), ("stdout", 3)]

    @pytest.mark.parametrize(
        ("words", "taps"),
        [
            (["read", "x"], ["stdout"]),
            (["read", "-"], []),
            (["write", "-"], []),
            (["stdin"], []),
            (["stdout"], []),
            (["-i", "write", "x"], ["stdin"]),
            (["-I", "read", "x"], ["stdin"]),
            (["-o", "read", "x"], ["stdout"]),
            (["-O", "read", "x"], ["stdout"]),
            (["read", "x", "write", "y"], []),
            (["-io"], ["stdin", "stdout"]),
        ],
    )
    def test_which_there_are(self, words: list[str], taps: list[str]) -> None:
        assert [stage.name for stage in Pipeline(words).stages if stage.tap] == taps

    def test_waiting_taps(self) -> None:
        pipe = Pipeline(["-IO", "read", "x"])
        assert [stage.start_on for stage in pipe.stages] == [("bgpipe/ESTABLISHED",), ("bgpipe/START",), ("bgpipe/EOR",)]


class TestEvents:
    def test_order(self, source: str, target: Path) -> None:
        pipe = Pipeline(["@in", "read", source, "@out", "write", str(target)])
        seen = events(pipe)
        pipe.run_sync()
        assert seen == [
            "bgpipe/START",
            *("in/PREPARE", "in/READY", "out/PREPARE", "out/READY"),
            *("in/START", "out/START", "in/STOP", "out/STOP"),
            "bgpipe/STOP",
        ]

    def test_wait_for_a_stage(self, tmp_path: Path, target: Path) -> None:
        first = write_lines(tmp_path / "a.json", lines(3))
        second = write_lines(tmp_path / "b.json", lines(3, first=11))
        run("@a", "read", "--wait", "b/STOP", first, "@b", "read", second, "write", target)
        assert read_lines(target) == right(11, 12, 13, 1, 2, 3)

    def test_start_is_a_barrier(self, source: str, target: Path) -> None:
        pipe = Pipeline(["read", source, "@x", "read", "--wait", "read", source, "@y", "write", "-W", "read", str(target)])
        seen = events(pipe)
        pipe.run_sync()
        names = ["x/PREPARE", "x/READY", "y/PREPARE", "y/READY", "x/START", "y/START"]
        assert [name for name in seen if name in names] == names

    def test_waiting_for_what_never_comes(self, source: str, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        pipe = run("read", source, "read", "--wait", "ESTABLISHED,EOR", source, "write", target)
        assert pipe.exit_code == 0
        assert read_lines(target) == right(1, 2, 3)
        assert capfd.readouterr().err == "bgpipe: warning: stage 2 (read): never started: ESTABLISHED or EOR did not happen\n"

    def test_a_tap_that_waits_for_what_never_comes(self, source: str, capfd: pytest.CaptureFixture[str]) -> None:
        assert run("-O", "read", source).exit_code == 0
        assert capfd.readouterr() == ("", "bgpipe: warning: --stdout: never started: EOR did not happen\n")

    def test_a_stage_that_has_not_started_is_passed_by(self, source: str, tmp_path: Path) -> None:
        words = ["@a", "read", source, "write", "--wait", "a/STOP", tmp_path / "late", "write", tmp_path / "all"]
        run(*words, "--", "@b", "read", "-R", "--new", "first", "--wait", "a/STOP", source)
        assert len(read_lines(tmp_path / "late")) == 3
        assert len(read_lines(tmp_path / "all")) == 6

    def test_a_stopped_stage_is_passed_by(self, source: str, tmp_path: Path) -> None:
        words = ["@a", "read", source, "write", "--stop", "a", tmp_path / "early", "write", tmp_path / "all"]
        run(*words, "--", "@b", "read", "-R", "--new", "first", "--wait", "a/STOP", source)
        assert len(read_lines(tmp_path / "early")) == 3
        assert len(read_lines(tmp_path / "all")) == 6

    @pytest.mark.parametrize("at", [1, MANY // 2, MANY])
    def test_stop_an_output_at_a_message(self, threads: str, tmp_path: Path, target: Path, at: int) -> None:
        text = lines(at - 1) + bad_line(at) + lines(MANY - at, first=at + 1)
        source = write_lines(tmp_path / "x.json", text)
        other = tmp_path / "other.json"
        words = ["-l", "disabled", "read", source, "@a", "write", "--stop", "PARSE", target, "write", "--stop", "a", other]
        pipe = Pipeline([threads, *map(str, words)])
        seen = events(pipe)
        pipe.run_sync()
        assert [number for _, number in read_lines(target)] == list(range(1, at + 1))
        assert other.read_text().startswith(target.read_text())
        assert seen.index("bgpipe/PARSE") < seen.index("a/STOP") < seen.index("write/STOP") < seen.index("read/STOP")

    def test_an_output_that_starts_amid_the_messages(self, threads: str, tmp_path: Path, target: Path) -> None:
        text = bad_line(1) + lines(MANY - 1, first=2)
        source = write_lines(tmp_path / "x.json", text)
        run(threads, "-l", "disabled", "read", source, "write", "--wait", "PARSE", target)
        numbers = [number for _, number in read_lines(target)]
        assert numbers == list(range(numbers[0], MANY + 1))
        assert numbers[0] < 3000  # from the second block on, whoever had taken that before the first was through

    def test_stop_a_producer(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "many.json", lines(MANY))
        pipe = run("read", "--stop", "read/START", source, "write", target)
        assert pipe.exit_code == 0
        assert not target.exists()

    def test_stop_a_producer_at_a_message(self, threads: str, tmp_path: Path, target: Path) -> None:
        at = MANY // 2
        text = lines(at - 1) + bad_line(at) + lines(MANY, first=at + 1)
        pipe = run(threads, "-e", "EOR", "read", "--stop", "PARSE", write_lines(tmp_path / "x.json", text), "write", target)
        assert pipe.exit_code == 0
        assert [number for _, number in read_lines(target)] == list(range(1, at + 1))

    @pytest.mark.parametrize("stopped", ["read", "write", "both"])
    def test_an_event_that_stops_and_kills(self, stopped: str, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", lines(9) + bad_line(10) + lines(9, first=11))
        stop = ("--stop", "PARSE")
        reader, writer = (stop if stopped in (name, "both") else () for name in ("read", "write"))
        words = ["--log=disabled", threads, "--kill", "PARSE", "read", *reader, source, "write", *writer, target]
        assert run(*words).exit_code == 1
        assert target.read_text() == lines(9)

    @pytest.mark.parametrize("at", [1, 2, MANY // 2, MANY])
    def test_kill_at_a_message(self, threads: str, tmp_path: Path, target: Path, at: int) -> None:
        text = lines(at - 1) + bad_line(at) + lines(MANY - at, first=at + 1)
        source = write_lines(tmp_path / "source.json", text)
        other = tmp_path / "other.mrt"
        pipe = run(threads, "-l", "disabled", "--kill", "PARSE", "read", source, "write", other, "write", target)
        assert pipe.exit_code == 1
        assert (target.read_text() if at > 1 else "") == lines(at - 1)
        if at > 1:
            back = tmp_path / "back.json"
            run("read", other, "write", back)
            assert len(read_lines(back)) == at - 1
        else:
            assert not target.exists()
            assert not other.exists()

    def test_kill_by_a_stage(self, source: str, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        pipe = run("-k", "read", "read", source, "write", target)
        assert pipe.exit_code == 1
        assert capfd.readouterr().err == "bgpipe: killed by event read/STOP\n"
        assert target.read_text() == lines(3)
        with pytest.raises(StageError, match="killed by event read/STOP"):
            Pipeline(["-k", "read", "-l", "disabled", "read", source, "write", str(target)]).run_sync()

    def test_unparsed_messages_stay_on_their_way(
        self, threads: str, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        text = "".join(bad_line(seq) if seq % 300 == 0 else line(seq) for seq in range(1, MANY + 1))
        pipe = run(threads, "read", write_lines(tmp_path / "x.json", text), "write", target)
        assert pipe.exit_code == 0
        assert target.read_text() == text
        *first, last = capfd.readouterr().err.splitlines()
        one = "bgpipe: warning: PARSE: withdrawn routes length does not parse at octet 19 (session-reset): 0x" + "ff" * 16 + "001702ffff0000"
        assert first == [one] * 10
        assert last == "bgpipe: warning: PARSE: 20 messages do not parse in all, 10 of them not shown"

    def test_parse_event(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", line(1) + bad_line(2))
        pipe = Pipeline(["-e", "EOR", "read", source, "write", str(target)])
        seen: list[tuple[int, int, int, bytes]] = []

        @pipe.on_event("PARSE")
        def handler(event: Event) -> None:
            assert isinstance(event, ParseEvent)
            seen.append((event.index, event.error.code, event.error.subcode, event.wire))

        pipe.run_sync()
        assert seen == [(1, 3, 1, bytes.fromhex("ff" * 16 + "001702ffff0000"))]

    def test_who_waits_for_parse_has_raw_output_checked(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", line(1) + bad_line(2) + line(3))
        raw = tmp_path / "x.raw"
        assert run("-l", "disabled", "read", source, "write", raw).exit_code == 0
        assert run("-l", "disabled", "-k", "PARSE", "read", raw, "write", tmp_path / "y.raw").exit_code == 1
        assert raw.read_bytes().startswith((tmp_path / "y.raw").read_bytes())

    def test_unknown_event(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 1 \(read\): --wait: unknown event 'STRAT'; did you mean START\?$"):
            Pipeline(["read", "--wait", "STRAT", "x", "stdout"])
        with pytest.raises(UsageError, match=r"^--kill: unknown event 'nix'$"):
            Pipeline(["--kill", "nix", "read", "x"])

    def test_names_are_unique(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 2 \(a: write\): the name @a is taken$"):
            Pipeline(["@a", "read", "x", "@a", "write", "y"])
        with pytest.raises(UsageError, match="the name @bgpipe is taken"):
            Pipeline(["@bgpipe", "read", "x"])

    def test_handlers_that_raise(self, threads: str, tmp_path: Path, source: str, target: Path) -> None:
        pipe = Pipeline([threads, "read", source, "write", str(target)])

        @pipe.on_event("read/STOP")
        def handler(event: Event) -> None:
            raise ZeroDivisionError("mine")

        with pytest.raises(ZeroDivisionError, match="mine"):
            pipe.run_sync()
        assert list(tmp_path.iterdir()) == [Path(source)]

    def test_handlers_that_exit(
        self, threads: str, tmp_path: Path, source: str, target: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        pipe = Pipeline([threads, "read", source, "write", str(target)])

        @pipe.on_event("read/STOP")
        def handler(event: Event) -> None:
            sys.exit(0)

        with pytest.raises(SystemExit):
            pipe.run_sync()
        assert list(tmp_path.iterdir()) == [Path(source)]
        assert "sys.exit() was called by a handler of events" in capfd.readouterr().err

    def test_handlers_that_raise_while_the_source_waits(self, threads: str, tmp_path: Path, target: Path) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        pipe = Pipeline([threads, "-l", "disabled", "read", "--format", "json", str(fifo), "write", str(target)])
        source = os.open(fifo, os.O_RDWR)
        os.write(source, lines(1).encode())

        @pipe.on_event("PARSE")
        def handler(event: Event) -> None:
            raise ZeroDivisionError("mine")

        def follow() -> None:
            while not (tmp_path / "target.json.tmp").exists() or not (tmp_path / "target.json.tmp").stat().st_size:
                time.sleep(0.01)
            os.write(source, bad_line(2).encode())

        writer = threading.Thread(target=follow)
        writer.start()
        with pytest.raises(ZeroDivisionError, match="mine"):
            pipe.run_sync()
        writer.join()
        os.close(source)
        assert list(tmp_path.iterdir()) == [fifo]

    def test_handlers_that_raise_amid_a_batch(self, threads: str, tmp_path: Path, target: Path) -> None:
        text = lines(MANY) + bad_line(MANY + 1) + lines(MANY)
        source = write_lines(tmp_path / "x.json", text)
        pipe = Pipeline([threads, "-l", "disabled", "read", source, "write", str(target)])

        @pipe.on_event("PARSE")
        def handler(event: Event) -> None:
            raise ZeroDivisionError("mine")

        with pytest.raises(ZeroDivisionError, match="mine"):
            pipe.run_sync()
        assert list(tmp_path.iterdir()) == [Path(source)]

    @pytest.mark.parametrize("others", [[], ["read", "--wait", "EOR", "x"]], ids=["one producer", "two"])
    def test_keyboard_interrupt(self, threads: str, others: list[str], tmp_path: Path, target: Path) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        words = [threads, "read", "--format", "json", str(fifo), *others, "write", str(target)]
        source = os.open(fifo, os.O_RDWR)
        os.write(source, lines(1).encode())

        def follow() -> None:
            while not (tmp_path / "target.json.tmp").exists() or not (tmp_path / "target.json.tmp").stat().st_size:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        interrupter = threading.Thread(target=follow)
        interrupter.start()
        with pytest.raises(KeyboardInterrupt):
            Pipeline(words).run_sync()
        interrupter.join()
        os.close(source)
        assert list(tmp_path.iterdir()) == [fifo]

    def test_explaining_runs_nothing(self, source: str, tmp_path: Path, target: Path) -> None:
        pipe = Pipeline(["-n", "read", source, "write", str(target)])
        with pytest.raises(UsageError, match="--explain asks what a pipeline would do"):
            pipe.run_sync()
        with pytest.raises(UsageError, match="--explain"):
            asyncio.run(Pipeline(["-n", "read", source, "write", str(target)]).run())
        assert list(tmp_path.iterdir()) == [Path(source)]

    def test_one_file_after_the_other(self, threads: str, source: str, tmp_path: Path, target: Path) -> None:
        """As the help of read says."""
        more = write_lines(tmp_path / "more.json", lines(3, first=4))
        run(threads, "@a", "read", source, "--", "read", "--wait", "a/STOP", more, "--", "write", target)
        assert read_lines(target) == right(1, 2, 3, 4, 5, 6)

    def test_runs_once(self, source: str, target: Path) -> None:
        pipe = Pipeline(["read", source, "write", str(target)])
        pipe.run_sync()
        with pytest.raises(RuntimeError, match="runs once"):
            pipe.run_sync()


class TestActions:
    def test_drop_and_accept(self, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        text = line(1) + line(2, tags={"ACTION": "DROP"}) + line(3, tags={"ACTION": "ACCEPT"}) + line(4)
        run("-o", "read", write_lines(tmp_path / "x.json", text), "write", target)
        assert read_lines(target) == right(1, 4)
        assert [text[5] for text in capfd.readouterr().out.splitlines()] == ["1", "3", "4"]


class TestFailures:
    def test_damage(self, threads: str, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        source = write_lines(tmp_path / "x.json", lines(MANY) + "[nonsense\n" + lines(1))
        pipe = run(threads, "read", source, "write", target)
        assert pipe.exit_code == 1
        assert isinstance(pipe.failure, InputError)
        assert pipe.failure.record == MANY + 1
        assert target.read_text() == lines(MANY)
        err = capfd.readouterr().err
        assert err.startswith(f"bgpipe: stage 1 (read): line {MANY + 1} at offset ")
        assert err.count("\n") == 1

    def test_pardon(self, threads: str, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        text = (line(1) + "[nonsense\n") * 12 + line(2)
        pipe = run(threads, "read", "--pardon", write_lines(tmp_path / "x.json", text), "write", target)
        assert pipe.exit_code == 0
        assert read_lines(target) == right(*[1] * 12, 2)
        *first, last = capfd.readouterr().err.splitlines()
        assert len(first) == 10
        assert first[0].startswith("bgpipe: warning: stage 1 (read): skipped: line 2 at offset ")
        assert last == "bgpipe: warning: stage 1 (read): 12 places in the input skipped in all, 2 of them not shown"

    def test_run_sync_raises(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", lines(2) + "[nonsense\n")
        with pytest.raises(InputError, match="line 3"):
            Pipeline(["-l", "disabled", "read", source, "write", str(target)]).run_sync()
        assert target.read_text() == lines(2)

    def test_disk_full(self, threads: str, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        source = write_lines(tmp_path / "x.json", lines(MANY))
        pipe = run(threads, "read", source, "write", "/dev/full", "write", target)
        assert pipe.exit_code == 1
        err = capfd.readouterr().err
        assert err.startswith("bgpipe: stage 2 (write): cannot write /dev/full: no space left")
        assert err.count("\n") == 1
        assert lines(MANY).startswith(target.read_text())  # what was read went to the other one
        assert target.read_text().endswith("\n")

    @pytest.mark.parametrize("place", ["/dev/full", "/proc/self/fd/{closed}"])
    def test_the_other_output_has_all_that_was_read(self, threads: str, place: str, tmp_path: Path, target: Path) -> None:
        """Whatever ends a pipeline, a file that could be written holds all up to there, and has its name."""
        source = write_lines(tmp_path / "x.json", lines(MANY) + "[nonsense\n")
        read_end, write_end = os.pipe()
        os.close(read_end)
        pipe = Pipeline(["-l", "disabled", threads, "read", source, "write", str(target), "write", place.format(closed=write_end)])
        assert pipe.execute() == 1
        os.close(write_end)
        written = read_lines(target)
        assert written == right(*range(1, len(written) + 1))
        assert 0 < len(written) <= MANY
        assert isinstance(pipe.failure, StageError)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["target.json", "x.json"]

    def test_a_closed_standard_output_beside_another_output(
        self, threads: str, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        source = write_lines(tmp_path / "x.json", lines(MANY))
        saved = os.dup(1)
        read_end, write_end = os.pipe()
        os.close(read_end)
        os.dup2(write_end, 1)
        try:
            pipe = run(threads, "read", source, "write", target, "stdout")
        finally:
            os.dup2(saved, 1)
            os.close(saved)
            os.close(write_end)
        assert pipe.exit_code == 0
        written = read_lines(target)
        assert written == right(*range(1, len(written) + 1))
        told = "standard output was closed by its reader: what was read until then goes to the other stages"
        assert capfd.readouterr().err == f"bgpipe: stage 3 (stdout): {told}\n"

    def test_threads_that_cannot_start(
        self, threads: str, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Those at work do without."""

        def start_new_thread(*arguments: object) -> int:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(_thread, "start_new_thread", start_new_thread)
        source = write_lines(tmp_path / "x.json", lines(MANY))
        assert run(threads, "read", source, "write", target).exit_code == 0
        assert target.read_text() == lines(MANY)

    @pytest.mark.parametrize("others", [0, 1])
    def test_producers_without_a_thread(
        self, others: int, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        real = _thread.start_new_thread
        count = 0

        def start_new_thread(*arguments: Any) -> int:
            nonlocal count
            count += 1
            if count > others:
                raise RuntimeError("can't start new thread")
            return real(*arguments)

        monkeypatch.setattr(_thread, "start_new_thread", start_new_thread)
        source = write_lines(tmp_path / "x.json", lines(3))
        pipe = run("read", source, "--", "read", source, "--", "write", target)
        assert pipe.exit_code == 1
        assert isinstance(pipe.failure, StageError)
        number = others + 1
        expected = f"bgpipe: stage {number} (read): no thread for stage {number} (read): can't start new thread\n"
        assert capfd.readouterr().err == expected
        assert not (tmp_path / "target.json.tmp").exists()

    def test_timers_without_a_thread(self, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def start_new_thread(*arguments: object) -> int:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(_thread, "start_new_thread", start_new_thread)
        pipe = Pipeline(["-l", "disabled", "read", source, "write", "--every", "1h", f"{tmp_path}/x.$TIME.json"])
        with pytest.raises(StageError, match="no thread to wait in: can't start new thread"):
            pipe.run_sync()
        assert list(tmp_path.iterdir()) == [Path(source)]

    def test_a_failed_prepare_starts_nothing(self, source: str, tmp_path: Path, target: Path) -> None:
        pipe = Pipeline(["-l", "disabled", "read", source, "write", str(target), "write", f"{source}/x"])
        seen = events(pipe)
        assert pipe.execute() == 1
        assert "read/START" not in seen
        assert seen[-1] == "bgpipe/STOP"
        assert list(tmp_path.iterdir()) == [Path(source)]

    def test_unknown_content(self, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        source = tmp_path / "x"
        source.write_bytes(b"\x00\x01\x02\x03" * 10)
        assert run("read", source, "write", target).exit_code == 1
        err = f"bgpipe: stage 1 (read): cannot tell the format of {source}: give one of json, raw, mrt, bmp, obmp, exa\n"
        assert capfd.readouterr().err == err

    def test_empty_input(self, tmp_path: Path, target: Path) -> None:
        (tmp_path / "x").touch()
        assert run("read", tmp_path / "x", "write", target).exit_code == 0
        assert not target.exists()


class TestWarnings:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["read", "x", "write", "y"], []),
            (["read", "x", "write", "-L", "y", "stdout"], [(2, "no stage sends messages to it in direction L")]),
            (["write", "x", "read", "-R", "y", "stdout"], [(1, "no stage sends messages to it in direction L")]),
            (["read", "-L", "x", "write", "-LR", "y", "stdout"], [
                (1, "no stage looks at its messages"),
                (2, "no stage sends messages to it in direction LR"),
                (3, "no stage sends messages to it in direction R"),
            ]),
            (["read", "x", "write", "-LR", "y", "stdout"], []),
            (["-o", "--", "read", "-LR", "x", "--", "head", "-LR"], [(2, "no stage sends messages to it in direction L")]),
            (["-o", "--", "read", "-LR", "--new", "first", "x", "--", "head", "-LR"], []),
            (["-o", "--", "read", "x", "--", "head", "-LR"], []),
            (["read", "-"], [(1, "no stage looks at its messages")]),
            (["read", "x"], []),
        ],
    )  # fmt: skip
    def test_warnings(self, words: list[str], expected: list[tuple[int, str]]) -> None:
        found = Pipeline(words).warnings()
        assert [(stage.number, text.partition(":")[0]) for stage, text in found] == expected

    def test_of_messages_that_enter_behind(self) -> None:
        ((_, text),) = Pipeline("-o -- read -LR x -- @b tag -LR --src").warnings()
        assert text.endswith("direction L: those of stage 1 (read) enter behind it; --new first has them pass all stages")

    @pytest.mark.parametrize(
        ("words", "silent"),
        [
            ("read x -- grep ipv6", True),
            ("read x -- limit -s 1", True),
            ("read x -- metrics", True),
            ("read x -- head -- tag --src", True),
            ("read x -- metrics --output m.prom", False),
            ("-o read x -- metrics", False),
            ("read x -- grep --kill-match ipv6", False),
            ("--kill limit/long -- read x -- limit -M 24", False),
            ("--events limit/long -- read x -- limit -M 24", False),
            ("read x -- stdout -- head", False),
            ("speaker -- grep ipv6 -- 192.0.2.1", False),
            ("read x", False),
        ],
    )
    def test_a_command_that_nothing_comes_of(self, words: str, silent: bool) -> None:
        """A program may still look at what its stages have found."""
        pipe = Pipeline(words)
        text = "nothing leaves this pipeline; -o prints what passes it"
        assert text not in dict(pipe.warnings()).values()
        pipe.commanded = True
        assert (text in [found for _, found in pipe.warnings()]) == silent

    def test_a_function_may_do_anything(self, source: str, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text("def process(msg):\n    pass\n")
        pipe = Pipeline(["--", "read", source, "--", "python", str(tmp_path / "a.py")])
        pipe.commanded = True
        assert pipe.warnings() == []

    def test_they_are_logged(self, source: str, capfd: pytest.CaptureFixture[str]) -> None:
        run("read", source, "stdout", "-L")
        err = capfd.readouterr().err
        assert "bgpipe: warning: stage 2 (stdout): no stage sends messages to it in direction L: is -L, -R or" in err


class TestWithinALoop:
    def test_run(self, source: str, target: Path) -> None:
        asyncio.run(Pipeline(["read", source, "write", str(target)]).run())
        assert target.read_text() == lines(3)

    def test_failure(self, tmp_path: Path, target: Path) -> None:
        with pytest.raises(StageError, match="no such file"):
            asyncio.run(Pipeline(["-l", "disabled", "read", str(tmp_path / "x"), "write", str(target)]).run())

    def test_cancelled(self, tmp_path: Path, target: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        pipe = Pipeline(["read", "--format", "json", str(tmp_path / "fifo"), "write", str(target)])

        async def main() -> None:
            task = asyncio.create_task(pipe.run())
            writer = await asyncio.to_thread(open, tmp_path / "fifo", "w")
            with writer:
                writer.write(lines(2))
                writer.flush()
                while not (tmp_path / "target.json.tmp").exists() or not (tmp_path / "target.json.tmp").stat().st_size:
                    await asyncio.sleep(0.01)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

        asyncio.run(main())
        assert target.read_text() == lines(2)

    def test_async_handlers(self, source: str, target: Path) -> None:
        pipe = Pipeline(["read", source, "write", str(target)])
        seen = []

        @pipe.on_event("read/START", "STOP")
        async def handler(event: Event) -> None:
            await asyncio.sleep(0)
            seen.append(str(event))

        pipe.run_sync()
        assert target.read_text() == lines(3)
        assert seen == ["read/START", "bgpipe/STOP"]


class Completing(Stage):
    """Makes batches with completions."""

    command = "completing"
    options_class = ProducerOptions
    produces = True
    done: list[int] = []  # noqa: RUF012

    def prepare(self) -> None:
        from bgpipe._json_reader import JsonDecoder

        self.left = 3
        self.decoder = JsonDecoder

    def read(self) -> Batch | None:
        import io

        if not self.left:
            return None
        self.left -= 1
        batch = self.decoder().read(io.BytesIO(lines(2).encode()))
        assert batch is not None
        number = self.left
        batch.completion = lambda _: self.done.append(number)
        return batch


class TestCompletion:
    @pytest.fixture
    def done(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        module = types.ModuleType("bgpipe.stages.completing")
        module.Completing = Completing  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(STAGES, "completing", ("completing", "Completing"))
        monkeypatch.setattr(Completing, "done", [])
        return Completing.done

    def test_called_when_all_is_written(self, threads: str, done: list[int], target: Path) -> None:
        run(threads, "completing", "write", target)
        assert done == [2, 1, 0]
        assert len(read_lines(target)) == 6

    def test_not_called_for_what_was_not_written(self, done: list[int], target: Path) -> None:
        run("-l", "disabled", "--kill", "write/START", "completing", "write", target)
        assert done == []
        assert not target.exists()


class TestFilters:
    """--if and --of."""

    def test_if_lets_messages_pass_the_stage_by(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY))
        some = tmp_path / "some.json"
        wanted = ["--if", "seq >= 100", "--if", "seq < 5000 && !(seq == 200)"]
        assert run(threads, "--", "read", source, "--", "write", *wanted, some, "--", "write", target).exit_code == 0
        assert read_lines(some) == right(*(n for n in range(100, 5000) if n != 200))
        assert target.read_text() == lines(MANY)

    def test_if_of_a_stage_that_drops(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY))
        run(threads, "--", "read", source, "--", "drop", "--if", "seq > 10", "as_origin < 100", "--", "write", target)
        assert read_lines(target) == right(*range(1, 11), *range(100, MANY + 1))

    def test_of_drops_what_a_producer_makes(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY))
        run(threads, "--", "read", "--of", "seq > 17", "--of", "seq < 21", source, "--", "write", target)
        assert read_lines(target) == right(18, 19, 20)

    def test_filters_where_they_have_no_effect(self, source: str, target: Path) -> None:
        pipe = Pipeline(["--", "read", "--if", "seq < 2", source, "--", "write", "--of", "seq < 2", str(target)])
        assert [text for _, text in pipe.warnings()] == [
            "--if has no effect: it looks at no messages",
            "--of has no effect: it makes no messages",
        ]

    def test_mixed_operators_are_warned_about(self, source: str, target: Path) -> None:
        pipe = Pipeline(["--", "read", source, "--", "write", "--if", "seq == 1 && ipv4 || ipv6", str(target)])
        assert any("&&" in text for _, text in pipe.warnings())

    @pytest.mark.parametrize(
        "words", ["read --of FILTER x", "write --if FILTER x", "grep FILTER", "metrics -A FILTER", "metrics --if FILTER"]
    )
    def test_a_file_of_prefixes_that_is_not_there(
        self, words: str, source: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        found = ["prefix in file(/no/such/file)" if word == "FILTER" else word for word in words.split()]
        assert main(["--", "read", source, "--", *found]) == 2
        text = capfd.readouterr().err
        assert text.startswith(f"bgpipe: stage 2 ({words.split()[0]}): ")
        assert text.count("\n") == 1
        assert "/no/such/file: No such file or directory" in text
        with pytest.raises(FilterError, match="/no/such/file"):
            Pipeline(["read", source]).on_message("prefix in file(/no/such/file)")(lambda msg: msg)

    def test_a_filter_that_is_wrong(self, source: str, target: Path) -> None:
        with pytest.raises(UsageError, match=r"stage 2 \(write\): --if: .*position 0"):
            Pipeline(["--", "read", source, "--", "write", "--if", "sequel == 1", str(target)])


class TestStartAndStopAtAMessage:
    """--wait and --stop on an event that a message causes, somewhere in a batch."""

    EVENT = ("grep", "--keep", "--event-match", "hit")

    @pytest.mark.parametrize("at", [2, 500, MANY - 3])
    @pytest.mark.parametrize("option", ["--wait", "--stop"])
    def test_a_stage_behind(self, threads: str, tmp_path: Path, target: Path, at: int, option: str) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY))
        event = [*self.EVENT, f"seq == {at}"]
        run(threads, "--", "read", source, "--", *event, "--", "drop", option, "grep/hit", "update", "--", "write", target)
        kept = range(1, at) if option == "--wait" else range(at + 1, MANY + 1)
        assert read_lines(target) == right(*kept)

    @pytest.mark.parametrize("in_front", [False, True])
    @pytest.mark.parametrize("at", [2, 500, MANY - 3])
    def test_a_stage_that_writes(self, threads: str, tmp_path: Path, target: Path, at: int, in_front: bool) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY))
        early = tmp_path / "early.json"
        outputs = [["write", "--wait", "grep/hit", str(target)], ["write", "--stop", "grep/hit", str(early)]]
        event = [[*self.EVENT, f"seq == {at}"]]
        words = ["--", "read", source]
        for stage in (*outputs, *event) if in_front else (*event, *outputs):
            words += ["--", *stage]
        run(threads, *words)
        assert read_lines(target) == right(*range(at, MANY + 1))
        assert read_lines(early) == right(*range(1, at + 1))
