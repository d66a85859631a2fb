"""The stage exec: messages through programs, good ones and bad ones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from lines import bad_line, line, lines, read_lines, right, write_lines
from live import KEEPALIVE, Live, open_message, proxy, update
from live import run as in_loop

import bgpipe
import corpus
from bgpipe.bgp.causes import message
from bgpipe.cli import main
from bgpipe.errors import BgpipeError, InputError, StageError, UsageError
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.events import LostEvent
from bgpipe.stages.messages import MessageReader

LIMIT = int(os.environ.get("BGPIPE_LIMIT", "100000"))  # octets of an archive that go there and back
CYCLES = int(os.environ.get("BGPIPE_FAULTS", "10"))  # `make faults` has a hundred


@pytest.fixture
def source(tmp_path: Path) -> str:
    return write_lines(tmp_path / "source.json", lines(1000))


def program(folder: Path, text: str, name: str = "program.py") -> str:
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}")
    path.chmod(0o755)
    return str(path)


def start_of(name: str, folder: Path) -> str:
    """The start of an archive, as a file."""
    path = folder / "start.mrt"
    path.write_bytes(corpus.start_of_mrt(corpus.read(corpus.folder() / "mrt" / name), LIMIT))
    return str(path)


def run(*words: str | Path) -> Pipeline:
    pipe = Pipeline([str(word) for word in words])
    pipe.run_sync()
    return pipe


def failing(*words: str | Path) -> tuple[BgpipeError, list[int]]:
    """What it fails with, and the counts of messages that it says are lost."""
    pipe = Pipeline([str(word) for word in words])
    lost: list[int] = []

    @pipe.on_event("exec/lost")
    def _(event: LostEvent) -> None:
        lost.append(event.count)

    with pytest.raises(BgpipeError) as caught:
        pipe.run_sync()
    return caught.value, lost


class TestThrough:
    @pytest.mark.parametrize("form", ["json", "mrt", "raw"])
    def test_cat(self, form: str, source: str, tmp_path: Path) -> None:
        """It ends by itself, with nothing missing."""
        run("--", "read", source, "--", "exec", "--format", form, "-A", "cat", "--", "write", tmp_path / "there.raw")
        run("--", "read", source, "--", "write", tmp_path / "direct.raw")
        assert (tmp_path / "there.raw").read_bytes() == (tmp_path / "direct.raw").read_bytes()

    @pytest.mark.parametrize("form", ["exa", "bmp"])
    def test_what_a_format_has_no_place_for_passes_by(self, form: str, target: Path, tmp_path: Path) -> None:
        kinds = [message(1, bytes.fromhex("04fbf0005ac000020100")), message(4), message(3, b"\6\2")]
        (tmp_path / "in.raw").write_bytes(b"".join(kinds))
        run("--", "read", tmp_path / "in.raw", "--", "exec", "--format", form, "-A", "cat", "--", "write", target)
        assert [line.split(",")[3] for line in target.read_text().splitlines()] == ['"OPEN"', '"KEEPALIVE"', '"NOTIFY"']

    def test_what_a_format_cannot_say_is_lost(self, tmp_path: Path, target: Path) -> None:
        """No MRT record has path ids in one family and none in another: in = out + lost."""
        mixed = {"af": "IPV6/UNICAST", "nexthop": "2001:db8::1", "prefixes": ["2001:db8::/32"]}
        updates = [{"reach": ["10.0.0.0/8"]}, {"reach": ["#1#10.0.0.0/8"], "attrs": {"MP_REACH": mixed}}, {"reach": ["11.0.0.0/8"]}]
        (tmp_path / "in.json").write_text("".join(json.dumps(update) + "\n" for update in updates))
        lost = []
        pipe = Pipeline(["--", "read", str(tmp_path / "in.json"), "--", "exec", "--format", "mrt", "-A", "cat", "--", "write", str(target)])
        pipe.on_event("exec/lost")(lambda event: lost.append(event.count))
        pipe.run_sync()
        assert (len(target.read_text().splitlines()), lost) == (2, [1])

    def test_the_corpus(self, tmp_path: Path) -> None:
        """All of a real archive, with its times, sequence numbers and tags."""
        archive = corpus.folder() / "mrt" / "legacy.updates.20000102.2014.gz"
        run("--", "read", archive, "--", "exec", "-A", "cat", "--", "write", tmp_path / "there.json")
        run("--", "read", archive, "--", "write", tmp_path / "direct.json")
        assert (tmp_path / "there.json").read_bytes() == (tmp_path / "direct.json").read_bytes()

    @pytest.mark.parametrize("name", [name for name in corpus.names("mrt") if not name.startswith("torn.")])
    @pytest.mark.parametrize("form", ["json", "mrt", "raw"])
    def test_every_archive_both_ways(self, form: str, name: str, tmp_path: Path) -> None:
        """To the right and to the left at once; BGPIPE_LIMIT octets of it."""
        source = start_of(name, tmp_path)
        ends = [str(tmp_path / f"{end}.{'json' if form == 'json' else 'raw'}") for end in "LR"]
        words = ["exec", "-LR" if form == "json" else "-R", "--format", form, "-A", "cat"]
        if form != "json":
            words += ["--", "exec", "-L", "--format", form, "-A", "cat"]
        run("-l", "disabled", "--", "read", source, "--", "write", "-L", ends[0], "--", *words, "--", "write", "-R", ends[1], "--", "read", source)
        direct = [str(tmp_path / f"direct.{Path(end).name}") for end in ends]
        run("-l", "disabled", "--", "read", source, "--", "write", "-L", direct[0], "--", "write", "-R", direct[1], "--", "read", source)
        for end, expected in zip(map(Path, ends), map(Path, direct), strict=True):
            assert end.exists() == expected.exists()
            assert not end.exists() or end.read_bytes() == expected.read_bytes()

    def test_the_program_decides(self, source: str, target: Path, tmp_path: Path) -> None:
        text = """
            import json, sys
            for line in sys.stdin:
                message = json.loads(line)
                if message[1] % 2:
                    message[5]["seen"] = "yes"
                    print(json.dumps(message))
        """
        run("--", "read", source, "--", "exec", "-A", program(tmp_path, text), "--", "write", target)
        assert read_lines(target) == right(*range(1, 1001, 2))
        assert {msg.tags["seen"] for msg in bgpipe.read(target)} == {"yes"}

    def test_arguments(self, source: str, target: Path) -> None:
        run("--", "read", source, "--", "exec", "-A", "sed", "-n", "2,3p", "--", "write", target)
        assert read_lines(target) == right(2, 3)

    def test_more_than_it_was_asked(self, target: Path, tmp_path: Path) -> None:
        """A megabyte in front of what it reads: neither side waits for the other."""
        text = f"""
            import sys
            line = {line(7)!r}
            for text in sys.stdin:
                sys.stdout.write(2000 * line)
        """
        source = write_lines(tmp_path / "source.json", lines(20))
        run("--", "read", source, "--", "exec", "-A", program(tmp_path, text), "--", "write", target)
        assert read_lines(target) == right(*[7] * 40_000)

    def test_it_reads_late(self, source: str, target: Path, tmp_path: Path) -> None:
        text = "import sys, time; time.sleep(0.3); sys.stdout.write(sys.stdin.read())"
        big = write_lines(tmp_path / "big.json", lines(20_000))
        run("--", "read", big, "--", "exec", "-A", program(tmp_path, text), "--", "write", target)
        assert read_lines(target) == right(*range(1, 20_001))

    def test_after_another(self, source: str, target: Path) -> None:
        """Each gets its end of file when the one in front of it has ended."""
        words = ["exec", "-A", "cat"]
        run("--", "read", source, "--", *words, "--", *words, "--", *words, "--", "write", target)
        assert read_lines(target) == right(*range(1, 1001))

    def test_a_filter_in_front(self, source: str, target: Path) -> None:
        """What does not match skips the program. Its order among the others is not kept: those went another way."""
        run("--", "read", source, "--", "exec", "--if", "as_origin < 500", "-A", "sed", "d", "--", "write", target)
        assert read_lines(target) == right(*range(500, 1001))

    def test_types(self, source: str, target: Path) -> None:
        run("--", "read", source, "--", "exec", "--skip", "UPDATE", "-A", "sed", "d", "--", "write", target)
        assert read_lines(target) == right(*range(1, 1001))

    def test_started_late(self, source: str, target: Path) -> None:
        """Until then messages pass it by, and where it is on its way they wait."""
        ten = ["grep", "--keep", "--event-match", "ten", "as_origin == 10"]
        words = ["exec", "--wait", "grep/ten", "-A", "sed", "d"]
        run("--", "read", source, "--", *ten, "--", *words, "--", "write", target)
        assert read_lines(target)[:9] == right(*range(1, 10))

    def test_what_does_not_parse(self, target: Path, tmp_path: Path) -> None:
        """As docs/exec.md says: it skips a program with --if, unless there is a grep in front."""
        source = write_lines(tmp_path / "source.json", line(1) + bad_line(2))
        words = ["exec", "--if", "prefix ~ 0.0.0.0/0", "-A", "sed", "d", "--", "write", target]
        run("-l", "disabled", "--", "read", source, "--", *words)
        assert read_lines(target) == right(2)
        run("-l", "disabled", "--", "read", source, "--", "grep", "type", "--", *words)
        assert not target.exists() or read_lines(target) == right(2)

    def test_both_directions(self, target: Path, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "source.json", line(1) + line(1, "L") + line(2))
        words = ["read", "-LR", source, "--", "exec", "-LR", "-A", "cat", "--", "write", "-LR", target]
        run("--", "read", "-LR", "--new", "first", source, "--", *words[4:])
        assert sorted(read_lines(target)) == [("R", 1), ("R", 2)]  # what goes to the left does not get to the last stage

    def test_a_session(self) -> None:
        """Both ways, from OPEN to the NOTIFICATION at the end."""
        rightward = [open_message(65001, 1), KEEPALIVE, *(update(number) for number in range(2000))]
        leftward = [open_message(65002, 2), KEEPALIVE, *(update(number, 300) for number in range(1000))]
        last = message(3, b"\6\2\5adieu")

        async def test() -> None:
            async with proxy("exec -LR -A cat") as (live, left, far):
                left.send(rightward.pop(0))
                far.send(leftward.pop(0))
                assert (await left.message())[18] == (await far.message())[18] == 1
                left.send(*rightward)
                far.send(*leftward)
                for expected in leftward:
                    assert await left.message() == expected
                left.send(last)
                for expected in (*rightward, last):
                    assert await far.message() == expected
                left.close()
                far.close()
                await live.task

        in_loop(test())

    def test_the_last_words_of_a_session(self) -> None:
        """A program that thinks for a while still has the NOTIFICATION delivered."""
        hello, last = open_message(65001, 1), message(3, b"\6\2\5adieu")

        async def test() -> None:
            async with proxy("exec -LR -A sed -u s/left/right/") as (live, left, far):
                left.send(hello)
                assert await far.message() == hello
                left.send(last)
                left.close()
                assert await far.rest() == last
                far.close()
                await live.task

        in_loop(test())


class TestOneWay:
    def test_write(self, source: str, target: Path, tmp_path: Path) -> None:
        """The program gets a copy, and what it says is not read."""
        copy = tmp_path / "copy.json"
        words = ["exec", "--write", "-A", "sh", "-c", f"tee {copy}"]
        run("--", "read", source, "--", *words, "--", "write", target)
        assert read_lines(copy) == read_lines(target) == right(*range(1, 1001))

    def test_read(self, source: str, target: Path) -> None:
        run("--", "exec", "--read", "-A", "cat", source, "--", "write", target)
        assert read_lines(target) == right(*range(1, 1001))

    def test_read_beside_others(self, source: str, target: Path) -> None:
        """It gets nothing, not even the end of the others, and ends when it does."""
        words = ["exec", "--read", "-A", "sh", "-c", f"sleep 0.3; head -n 2 {source}"]
        run("--", "read", source, "--", *words, "--", "write", target)
        assert read_lines(target) == right(*range(1, 1001), 1, 2)

    def test_copy(self, source: str, target: Path) -> None:
        """Messages stay on their way, and others come beside them."""
        run("--", "read", source, "--", "exec", "--copy", "-A", "sed", "-n", "1,5p", "--", "write", target)
        assert sorted(read_lines(target)) == sorted(right(*range(1, 1001), *range(1, 6)))

    def test_as_the_first_stage(self, source: str, target: Path) -> None:
        """Nobody sends to it: its standard input stays open until it has said all."""
        text = f"cat {source}; read -t 0.2 x; test $? -gt 128 && head -n 1 {source}"
        run("--", "exec", "-A", "bash", "-c", text, "--", "head", "-n", "1001", "--", "write", target)
        assert read_lines(target) == right(*range(1, 1001), 1)


class TestEnd:
    def test_it_dies(self, source: str, target: Path) -> None:
        """What it has brought back gets out; the rest is lost, counted, and does not pass by."""
        error, lost = failing("--", "read", source, "--", "exec", "-A", "sh", "-c", "head -n 3; exit 7", "--", "write", target)
        assert isinstance(error, StageError)
        assert str(error) == "sh ended with exit code 7"
        assert read_lines(target) == right(1, 2, 3)
        assert sum(lost) == 997

    def test_killed(self, source: str, target: Path) -> None:
        error, lost = failing("--", "read", source, "--", "exec", "-A", "sh", "-c", "read x; kill -9 $$", "--", "write", target)
        assert str(error) == "sh was killed by SIGKILL"
        assert sum(lost) == 1000
        assert not target.exists()

    def test_it_fails_at_the_end(self, source: str, target: Path) -> None:
        error, _ = failing("--", "read", source, "--", "exec", "-A", "sh", "-c", "cat; exit 3", "--", "write", target)
        assert str(error) == "sh ended with exit code 3"
        assert read_lines(target) == right(*range(1, 1001))

    def test_it_closes_its_output(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(20_000))
        error, _ = failing("--", "read", source, "--", "exec", "-A", "sh", "-c", "exec 1>&-; sleep 20", "--", "write", target)
        assert str(error) == "sh closed its standard output"

    def test_it_closes_its_input(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(20_000))
        error, lost = failing("--", "read", source, "--", "exec", "-A", "sh", "-c", "exec 0<&-; sleep 20", "--", "write", target)
        assert str(error) == "sh closed its standard input"
        assert sum(lost) > 0

    def test_keep_stdout(self, source: str, target: Path, tmp_path: Path) -> None:
        got = tmp_path / "got.json"
        words = ["exec", "--keep-stdout", "--copy", "-A", "sh", "-c", f"exec 1>&-; cat > {got}"]
        run("--", "read", source, "--", *words, "--", "write", target)
        assert read_lines(got) == read_lines(target) == right(*range(1, 1001))

    def test_keep_stdin(self, source: str, target: Path) -> None:
        words = ["exec", "--keep-stdin", "--copy", "-A", "sh", "-c", f"exec 0<&-; sleep 0.3; head -n 2 {source}"]
        run("--", "read", source, "--", *words, "--", "write", target)
        assert sorted(read_lines(target)) == sorted(right(*range(1, 1001), 1, 2))

    @pytest.mark.parametrize(
        ("output", "error"),
        [
            ("echo hello", "line 1 at offset 0: not JSON"),
            (f"printf %s '{line(1).strip()[:40]}'", "line 1 at offset 0: not JSON: unterminated"),
            (f"echo '{line(1).strip()}'; echo '[5]'", 'line 2 at offset 199: $[0]: 5, expected "L" or "R"'),
        ],
    )
    def test_what_it_says_does_not_parse(self, output: str, error: str, source: str, target: Path) -> None:
        caught, _ = failing("--", "read", source, "--", "exec", "-A", "sh", "-c", f"{output}; cat > /dev/null", "--", "write", target)
        assert isinstance(caught, InputError)
        assert str(caught).startswith(f"what sh writes does not parse: {error}")

    @pytest.mark.parametrize("form", ["json", "mrt", "raw"])
    @pytest.mark.parametrize("garbage", ["head -c 3000000 /dev/urandom", "head -c 3000000 /dev/zero"])
    def test_garbage(self, form: str, garbage: str, source: str, target: Path) -> None:
        words = ["exec", "--format", form, "-A", "sh", "-c", f"{garbage}; cat > /dev/null"]
        caught, lost = failing("--", "read", source, "--", *words, "--", "write", target)
        assert isinstance(caught, InputError)
        assert str(caught).startswith("what sh writes does not parse: ")
        assert sum(lost) in (0, 1000)  # it may be over before the others are read

    def test_a_line_without_an_end(self, target: Path) -> None:
        """It gets no further than a line may be long, and takes no more memory than that."""
        caught, _ = failing("--", "exec", "--read", "-A", "sh", "-c", "while :; do head -c 100000 /dev/zero | tr '\\0' 1; done", "--", "write", target)
        assert "is longer than 2097152 bytes" in str(caught)
        assert children() == []

    def test_long_lines_are_skipped(self, source: str, target: Path) -> None:
        words = ["exec", "--pardon", "-A", "sh", "-c", "head -c 9000000 /dev/zero | tr '\\0' '['; echo; cat"]
        run("-l", "disabled", "--", "read", source, "--", *words, "--", "write", target)
        assert read_lines(target) == right(*range(1, 1001))

    def test_pardon(self, source: str, target: Path) -> None:
        words = ["exec", "--pardon", "-A", "sh", "-c", "echo hello; cat"]
        run("-l", "disabled", "--", "read", source, "--", *words, "--", "write", target)
        assert read_lines(target) == right(*range(1, 1001))

    @pytest.mark.parametrize(
        ("words", "error"),
        [
            (["no-such-program"], "cannot run no-such-program: there is no such program"),
            (["/etc/passwd"], "cannot run /etc/passwd: permission denied; is it executable"),
            (["/"], "cannot run /: permission denied"),
        ],
    )
    def test_no_program(self, words: list[str], error: str, source: str, target: Path) -> None:
        caught, _ = failing("--", "read", source, "--", "exec", "-A", *words, "--", "write", target)
        assert error in str(caught)

    def test_what_it_says_on_standard_error(self, source: str, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        words = ["@mine", "exec", "-A", "sh", "-c", r"printf 'one\ntwo\033[2J\n' >&2; head -c 9000 /dev/zero | tr '\0' x >&2; cat"]
        assert main(["--", "read", source, "--", *words, "--", "write", str(target)]) == 0
        said = capfd.readouterr().err.splitlines()
        assert said[:2] == ["bgpipe: stage 2 (mine: exec): one", "bgpipe: stage 2 (mine: exec): two\\x1b[2J"]
        assert max(map(len, said)) < 5000

    def test_it_says_too_much(self, source: str, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Of a flood the log has the beginning, and how much there was."""
        words = ["exec", "-A", "sh", "-c", "cat; seq 100000 >&2"]
        assert main(["--", "read", source, "--", *words, "--", "write", str(target)]) == 0
        said = capfd.readouterr().err.splitlines()
        assert len(said) == 1001
        assert said[999] == "bgpipe: stage 2 (exec): 1000"
        assert said[1000] == "bgpipe: warning: stage 2 (exec): 99000 more lines of sh were left out"
        assert read_lines(target) == right(*range(1, 1001))

    def test_a_line_of_what_it_says_without_an_end(self, source: str, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        words = ["exec", "-A", "sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x >&2; cat"]
        assert main(["--", "read", source, "--", *words, "--", "write", str(target)]) == 0
        assert capfd.readouterr().err == f"bgpipe: stage 2 (exec): {4096 * 'x'}\n"

    def test_its_children_have_its_output(self, source: str, target: Path) -> None:
        """Who holds the pipe open without a word does not hold us up."""
        run("--", "read", source, "--", "exec", "-A", "sh", "-c", "cat; sleep 20 &", "--", "write", target)
        assert read_lines(target) == right(*range(1, 1001))

    def test_stop(self, source: str, target: Path) -> None:
        """Behind the message that stops it, messages pass it by."""
        ten = ["grep", "--keep", "--event-match", "ten", "as_origin == 10"]
        words = ["exec", "--stop", "grep/ten", "-A", "sed", "d"]
        run("--", "read", source, "--", *ten, "--", *words, "--", "write", target)
        assert read_lines(target) == right(*range(11, 1001))

    @pytest.mark.parametrize("text", ["cat", "trap '' TERM; cat; sleep 60", "sleep 60", "exec 0<&-; sleep 60"])
    def test_sigterm(self, text: str, tmp_path: Path) -> None:
        """It ends within three seconds, whatever the program does."""
        feed = tmp_path / "feed"
        os.mkfifo(feed)
        words = ["--", "pipe", "--read", feed, "--", "exec", "-A", "bash", "-c", text, "--", "write", tmp_path / "out.json"]
        process = subprocess.Popen(
            [sys.executable, "-m", "bgpipe", *words], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        with feed.open("w") as file:
            file.write(lines(3000))
            file.flush()
            try:
                process.wait(0.7)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
            process.wait(3.5)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()

    def test_two_and_an_end_of_file(self, tmp_path: Path) -> None:
        """Programs that send to each other end, too."""
        source = write_lines(tmp_path / "source.json", lines(10))
        words = ["exec", "-LR", "-A", "cat"]
        run("--", "read", source, "--", *words, "--", *words, "--", "write", tmp_path / "out.json")
        assert read_lines(tmp_path / "out.json") == right(*range(1, 11))


class TestOddOrders:
    """Whatever a program does with its pipes: what went in has come out, or is told to be lost. None is left over."""

    COUNT = 10_000  # more than fit into the pipes

    @pytest.fixture
    def big(self, tmp_path: Path) -> str:
        return write_lines(tmp_path / "big.json", lines(self.COUNT))

    @staticmethod
    def check(source: str, target: Path, text: str, *options: str) -> tuple[str, int, int, int]:
        """The error, how many messages came out, how many are lost, and how many were read, in a run with this program."""
        pipe = Pipeline(["-l", "disabled", "--", "read", source, "--", "exec", *options, "-A", program(target.parent, text), "--", "write", str(target)])
        lost: list[int] = []
        pipe.on_event("exec/lost")(lambda event: lost.append(event.count))
        pipe.execute()
        assert children() == []
        found = [number for _, number in read_lines(target)] if target.exists() else []
        assert found == sorted(found)
        stage = pipe.stages[0]
        assert isinstance(stage, MessageReader)
        return str(pipe.failure or ""), len(found), sum(lost), stage.messages

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("for n in range(100): print(sys.stdin.readline(), end='')\nsys.stdout.flush(); os.close(1); sys.stdin.read(); time.sleep(60)", "closed its standard output"),
            ("for n in range(100): print(sys.stdin.readline(), end='')\nos.close(0); time.sleep(0.3); sys.stdout.flush(); time.sleep(60)", "closed its standard input"),
            ("for n in range(100): print(sys.stdin.readline(), end='')\nsys.stdout.flush(); os.close(0); os.close(1); time.sleep(60)", "closed its standard"),
            ("for n in range(100): print(sys.stdin.readline(), end='')\nsys.stdout.flush(); os._exit(0)", " ended "),  # with exit code 0, or before it had read all: whatever is seen first
            ("for n in range(100): print(sys.stdin.readline(), end='')\nsys.stdout.flush(); os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
            ("sys.stdin.read(1000); time.sleep(0.2); os.abort()", "was killed by SIGABRT"),
            ("", " ended "),
        ],
    )  # fmt: skip
    def test_it_leaves_early(self, text: str, problem: str, big: str, target: Path) -> None:
        error, found, lost, given = self.check(big, target, f"import os, sys, time\n{text}")
        assert problem in error
        assert found == (100 if "100" in text.split("read(")[0] else 0)
        assert found + lost == given

    @pytest.mark.parametrize(("option", "fd"), [("--keep-stdin", 0), ("--keep-stdout", 1)])
    def test_it_may_close_one(self, option: str, fd: int, big: str, target: Path) -> None:
        """What it had been given is lost then, too, and counted."""
        text = f"for n in range(100): print(sys.stdin.readline(), end='')\nsys.stdout.flush(); os.close({fd}); time.sleep(0.5)"
        if fd:
            text += "; sys.stdin.read(); os._exit(0)"
        error, found, lost, given = self.check(big, target, f"import os, sys, time\n{text}", option)
        assert (found, found + lost) == (100, given)
        assert not error or fd == 0  # it has ended too early in any case

    @pytest.mark.parametrize(
        "text",
        [
            "os.close(2)",
            "sys.stdin = open(0, closefd=False); data = sys.stdin.read(); sys.stdout.write(data); os._exit((sys.stdout.flush(), 0)[1])",
            "os.set_blocking(0, False); os.set_blocking(0, True)",
            "time.sleep(0.5)",
            "if os.fork(): os._exit((os.wait(), 0)[1])",
            "if os.fork(): os.close(0); os.close(1); os.wait(); os._exit(0)",
            "if os.fork() == 0: os.setsid(); time.sleep(0.2); os._exit(0)",
            "if os.fork() == 0: signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        ],
    )
    def test_nothing_is_missing(self, text: str, big: str, target: Path) -> None:
        """Two that read share what there is: neither may cut a line of the other."""
        if "setsid" not in text and text.endswith("SIG_IGN)"):
            text += "; time.sleep(2); os._exit(0)"
        code = f"import os, sys, time, signal\n{text}\nfor line in sys.stdin: sys.stdout.write(line)\n"
        assert self.check(big, target, code, "--keep-stdin", "--keep-stdout") == ("", self.COUNT, 0, self.COUNT)

    def test_what_it_started_goes_on(self, tmp_path: Path, target: Path) -> None:
        """The program has ended, and somebody else writes still what it had read: that is taken as long as it comes."""
        text = """
            import os, sys, time
            data = sys.stdin.readlines()
            if os.fork() == 0:
                for line in data:
                    print(line, end="", flush=True)
                    time.sleep(0.05)
        """
        source = write_lines(tmp_path / "source.json", lines(40))
        assert self.check(source, target, text) == ("", 40, 0, 40)

    def test_what_it_started_ends_with_it(self, source: str, target: Path) -> None:
        """No process is left over that is silent, unless it has a session of its own."""
        pid = target.with_suffix(".pid")
        text = f"import subprocess, sys; open({str(pid)!r}, 'w').write(str(subprocess.Popen(['sleep', '61']).pid)); sys.stdout.write(sys.stdin.read())"
        assert self.check(source, target, text) == ("", 1000, 0, 1000)
        state = Path(f"/proc/{pid.read_text()}/stat")
        assert not state.exists() or state.read_text().split()[2] == "Z"

    @pytest.mark.parametrize("form", ["json", "mrt", "raw"])
    def test_it_dies_amid_a_message(self, form: str, big: str, target: Path) -> None:
        text = "import os; data = os.read(0, 5000); os.write(1, data); os.kill(os.getpid(), 9)"
        error, found, lost, given = self.check(big, target, text, "--format", form)
        assert "was killed by SIGKILL" in error
        assert found + lost == given
        assert 0 < found < 200

    @pytest.mark.parametrize("form", ["json", "mrt", "raw"])
    def test_half_a_message_at_the_end(self, form: str, source: str, target: Path) -> None:
        text = "import os, sys; data = sys.stdin.buffer.read(); os.write(1, data[:-20])"
        error, found, lost, given = self.check(source, target, text, "--format", form)
        assert "what" in error and "does not parse" in error
        assert (found, lost, given) == (999, 1, 1000)

    def test_a_hundred_times(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(1000))
        error, found, lost, given = self.check(source, target, "import sys\nfor line in sys.stdin: sys.stdout.write(100 * line)")
        assert (error, found, lost, given) == ("", 100_000, 0, 1000)

    def test_zeros_between_lines(self, source: str, target: Path) -> None:
        text = "import sys\nfor line in sys.stdin: sys.stdout.write(line + 10 * chr(0) + chr(10))"
        assert self.check(source, target, text, "--pardon") == ("", 1000, 0, 1000)

    def test_a_line_of_a_gibibyte(self, source: str, target: Path) -> None:
        """It is skipped, in no more memory than any other, and what comes behind it is there."""
        text = "import sys\nfor n in range(1024): sys.stdout.write('x' * (1 << 20))\nprint(); sys.stdout.write(sys.stdin.read())"
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert self.check(source, target, text, "--pardon") == ("", 1000, 0, 1000)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10

    def test_stopped_and_continued(self, big: str, target: Path) -> None:
        text = """
            import os, signal, sys
            for number, line in enumerate(sys.stdin):
                sys.stdout.write(line)
                if number in (0, 3000, 9999) and os.fork() == 0:
                    os.kill(os.getppid(), signal.SIGSTOP)
                    os.system("sleep 0.2")
                    os.kill(os.getppid(), signal.SIGCONT)
                    os._exit(0)
        """
        assert self.check(big, target, text) == ("", self.COUNT, 0, self.COUNT)

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ("", "time.sleep(60)"),
            ("--write", "sys.stdin.read(5000); time.sleep(60)"),
            ("--restart", "os.kill(os.getpid(), signal.SIGSTOP)"),
            ("--keep-stdin --keep-stdout", "os.close(0); os.close(1); time.sleep(60)"),
            ("", "signal.signal(signal.SIGTERM, signal.SIG_IGN); sys.stdin.read(); [time.sleep(60) for _ in range(9)]"),
            ("", "signal.signal(signal.SIGTERM, signal.SIG_IGN); [print(line, end='', flush=True) for line in sys.stdin]; time.sleep(60)"),
        ],
    )
    def test_it_does_not_want_to_end(self, options: str, text: str, tmp_path: Path, target: Path) -> None:
        """Behind a signal it is killed, and what it had is counted."""
        feed = tmp_path / "feed"
        os.mkfifo(feed)
        words = ["exec", *options.split(), "-A", program(tmp_path, f"import os, signal, sys, time\n{text}")]

        async def test() -> None:
            live = Live("--", "read", "--format", "json", str(feed), "--", *words, "--", "write", str(target))
            with await asyncio.to_thread(feed.open, "w") as file:
                giving = asyncio.ensure_future(asyncio.to_thread(file.write, lines(500)))
                await giving
                await asyncio.to_thread(file.flush)
                stage = live.pipe.stages[0]
                assert isinstance(stage, MessageReader)
                while stage.messages < 500:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.3)
                live.pipe.signalled = True
                await live.stop()
            lost = sum(event.count for event in live.events if isinstance(event, LostEvent))
            found = len(read_lines(target)) if target.exists() else 0
            if options == "--write":
                assert found == 500
                assert lost <= 500
            else:
                assert found + lost == 500
            assert children() == []

        in_loop(test())

    def test_what_a_recorder_has_not_read_is_counted(self, big: str, target: Path) -> None:
        """Messages go on without it; of those that it was to have, it has got the others."""
        got = target.with_suffix(".got")
        text = f"import os; open({str(got)!r}, 'wb').write(b''.join(os.read(0, 1000) for _ in range(500))); os.abort()"
        error, found, lost, given = self.check(big, target, text, "--write")
        assert "was killed by SIGABRT" in error
        assert found == given
        assert got.read_bytes().count(b"\n") + lost == found


def descriptors() -> set[str]:
    return {file.name for file in Path("/proc/self/fd").iterdir()}


def children() -> list[int]:
    """Those that this process has, ended ones that nobody has waited for included."""
    return [int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]


class TestWhatItInherits:
    TEXT = """
        import json, os, signal, sys
        status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
        def numbers(name):
            return [bit + 1 for bit in range(64) if int(status[name], 16) >> bit & 1]
        fds = [fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")]
        # Python itself ignores SIGPIPE and SIGXFSZ, but for programs that it starts: its own does not show.
        child = os.popen("cat /proc/self/status").read()
        ignored = [int(line.split()[1], 16) for line in child.splitlines() if line.startswith("SigIgn")]
        ignored = [mask & ~(3 << 31) for mask in ignored]  # 32 and 33 are the C library's, and come from whoever started the test
        found = {"fds": sorted(fds), "blocked": numbers("SigBlk"), "ignored": ignored, "leads": os.getsid(0) == os.getpid()}
        with open(sys.argv[1], "w") as file:
            json.dump(found | {"variable": os.environ.get("OF_OURS"), "folder": os.getcwd()}, file)
        sys.stdout.write(sys.stdin.read())
    """

    @pytest.mark.parametrize("ignored", ["PIPE", "CHLD"])
    def test_by_a_command(self, ignored: str, source: str, target: Path, tmp_path: Path) -> None:
        """Three descriptors whatever we have, no signal blocked or ignored, all variables, a session of its own."""
        words = ["read", source, "--", "exec", "-A", program(tmp_path, self.TEXT), str(tmp_path / "found"), "--", "write", str(target)]
        code = f"import os, signal, sys; signal.signal(signal.SIG{ignored}, signal.SIG_IGN); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
        reading, writing = os.pipe()
        subprocess.run(
            [sys.executable, "-c", code, "-m", "bgpipe", *words],
            env=os.environ | {"OF_OURS": "yes"},
            pass_fds=(reading, writing),
            timeout=100,
            check=True,
        )
        os.close(reading)
        os.close(writing)
        found = json.loads((tmp_path / "found").read_text())
        expected = {"fds": ["0", "1", "2"], "blocked": [], "ignored": [0], "leads": True, "variable": "yes", "folder": str(Path.cwd())}
        assert found == expected
        assert read_lines(target) == right(*range(1, 1001))

    def test_somebody_else_waits_for_it(self, source: str, target: Path) -> None:
        """As a program does that uses us and ignores SIGCHLD: how ours ended is not known then."""
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            error, _ = failing("--", "read", source, "--", "exec", "-A", "cat", "--", "write", target)
        finally:
            signal.signal(signal.SIGCHLD, before)
        assert str(error) == "cat ended with exit code 255"
        assert read_lines(target) == right(*range(1, 1001))


@pytest.fixture
def looped() -> None:
    """The first event loop of a process keeps a pair of descriptors for signals."""
    bgpipe.Pipeline(["-l", "disabled", "exec", "--read", "true"]).execute()
    in_loop(asyncio.sleep(0))


@pytest.mark.usefixtures("looped")
class TestRestart:
    @pytest.mark.parametrize("form", ["json", "raw"])
    def test_nothing_missing_but_what_is_told(
        self, form: str, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Killed time and again: in = out + lost, exactly. No descriptor and no process is left over.

        One that is killed before it brings anything back is started again later and later, which is not what is shown.
        """
        monkeypatch.setattr("bgpipe.transport.backoff.LONGEST_S", 0.2)
        feed, pids = tmp_path / "feed", tmp_path / "pids"
        os.mkfifo(feed)
        lost: list[int] = []
        killed = given = 0
        words = ["exec", "--restart", "--format", form, "-A", "sh", "-c", f"echo $$ >> {pids}; exec cat"]
        pipe = Pipeline(["-l", "disabled", "--", "read", "--format", "json", str(feed), "--", *words, "--", "write", str(target)])
        pipe.on_event("exec/lost")(lambda event: lost.append(event.count))
        before = descriptors()

        def give() -> None:
            """Messages as fast as they are taken, until the program was killed often enough."""
            nonlocal given
            with feed.open("w") as file:
                while killed < CYCLES:
                    file.write(lines(50, first=given + 1))
                    file.flush()
                    given += 50
                    time.sleep(0.005)

        async def kill() -> None:
            nonlocal killed
            dice, seen = random.Random(5), 0
            while killed < CYCLES:
                await asyncio.sleep(dice.uniform(0.0, 0.05))
                known = pids.read_text().splitlines(keepends=True) if pids.exists() else []
                if len(known) > seen and known[-1].endswith("\n"):
                    seen = len(known)
                    os.kill(int(known[-1]), signal.SIGKILL)
                    killed += 1

        async def test() -> None:
            giver = asyncio.ensure_future(asyncio.to_thread(give))
            killer = asyncio.ensure_future(kill())
            with contextlib.suppress(StageError):
                await pipe.run()
            await killer
            await giver

        in_loop(test(), patience_s=30.0 + CYCLES)
        found = [number for _, number in read_lines(target)]
        if form == "json":
            assert found == sorted(set(found))
        assert len(found) + sum(lost) == given
        assert (pipe.failure is not None) == bool(lost)
        assert len(pids.read_text().split()) >= CYCLES
        assert children() == []
        assert descriptors() <= before

    @staticmethod
    def first_and_then(folder: Path, text: str) -> str:
        """A program that does this when it is run first, and what cat does from then on."""
        seen = folder / "seen"
        code = f"import os, sys, time\nif os.path.exists({str(seen)!r}): os.execvp('cat', ['cat'])\nopen({str(seen)!r}, 'w').close()\n"
        return program(folder, code + textwrap.dedent(text))

    @pytest.mark.parametrize("form", ["json", "mrt", "raw", "exa", "bmp"])
    @pytest.mark.parametrize("count", [10, 10_000], ids=["all is with it", "more than the pipe holds"])
    @pytest.mark.parametrize("text", ["", "time.sleep(0.3); sys.exit(1)", "os.close(0); time.sleep(0.3)"], ids=["at once", "late", "closed"])
    def test_what_it_has_not_read_is_for_the_next(self, text: str, count: int, form: str, tmp_path: Path, target: Path) -> None:
        """Nothing is lost, and the order is kept, also by a program that was given all, and its end."""
        source = write_lines(tmp_path / "source.json", lines(count))
        words = ["exec", "--restart", "--format", form, "-A", self.first_and_then(tmp_path, text)]
        pipe = run("-l", "disabled", "--", "read", source, "--", *words, "--", "write", target)
        assert read_lines(target) == right(*range(1, count + 1))
        assert pipe.failure is None

    @pytest.mark.parametrize("count", [200, 10_000])
    @pytest.mark.parametrize("form", ["json", "mrt", "raw"])
    def test_half_a_message_is_not_read(self, form: str, count: int, tmp_path: Path, target: Path) -> None:
        """It dies amid one, and has answered all in front of it."""
        text = "data = os.read(0, 5000); os.write(1, data); os.kill(os.getpid(), 9)"
        source = write_lines(tmp_path / "source.json", lines(count))
        words = ["exec", "--restart", "--format", form, "-A", self.first_and_then(tmp_path, text)]
        run("-l", "disabled", "--", "read", source, "--", *words, "--", "write", target)
        assert [number for _, number in read_lines(target)] == [*range(1, count + 1)]

    def test_a_recorder_misses_nothing(self, source: str, target: Path, tmp_path: Path) -> None:
        words = ["sh", "-c", f"exec {self.first_and_then(tmp_path, 'os.write(1, os.read(0, 70_000))')} > {tmp_path}/got.$$"]
        run("-l", "disabled", "--", "read", source, "--", "exec", "--write", "--restart", "-A", *words, "--", "write", target)
        got = [file.read_text() for file in tmp_path.glob("got.*")]
        assert len(got) == 2
        whole = [json.loads(text)[1] for one in got for text in one.splitlines(keepends=True) if text.endswith("\n")]
        assert sorted(whole) == [*range(1, 1001)]
        assert read_lines(target) == right(*range(1, 1001))

    @pytest.mark.parametrize("form", ["json", "exa", "bmp"])
    def test_what_it_had_read_is_lost(self, form: str, source: str, target: Path, tmp_path: Path) -> None:
        """That is an error in the end: somebody who converts a file is to know. In = out + lost."""
        text = "sys.stdin.buffer.raw.read(5000); sys.exit()"
        words = ["exec", "--restart", "--format", form, "-A", self.first_and_then(tmp_path, text)]
        error, lost = failing("-l", "disabled", "--", "read", source, "--", *words, "--", "write", target)
        name = tmp_path / "program.py"
        assert str(error) == f"{sum(lost)} messages are lost in all, which {name} had read when it ended"
        found = [number for _, number in read_lines(target)] if target.exists() else []
        assert found == [*range(1001 - len(found), 1001)]
        assert len(found) + sum(lost) == 1000
        assert lost

    def test_it_ends_well_but_has_not_read_all(self, tmp_path: Path, target: Path) -> None:
        """Whether all of it fits into the pipe or not."""
        source = write_lines(tmp_path / "source.json", lines(5))
        words = ["exec", "-A", "sh", "-c", "sleep 0.5"]
        error, lost = failing("--", "read", source, "--", *words, "--", "write", target)
        assert (str(error), lost) == ("sh ended before it had read all", [5])
        words.insert(1, "--keep-stdin")
        run("-l", "disabled", "--", "read", source, "--", *words, "--", "write", target)

    def test_it_never_runs(self, source: str, target: Path) -> None:
        """A program that is not there is no reason to try again."""
        error, _ = failing("--", "read", source, "--", "exec", "--restart", "-A", "no-such-program", "--", "write", target)
        assert "no such program" in str(error)

    def test_signalled_between_two_starts(self, tmp_path: Path) -> None:
        async def test() -> None:
            feed = tmp_path / "feed"
            os.mkfifo(feed)
            live = Live("--", "pipe", "--read", str(feed), "--", "exec", "--restart", "-A", "false", "--", "write", str(tmp_path / "o"))
            for _ in range(3):
                await live.until("exec/restart")
            error = await live.stop()
            assert str(error) == "false ended with exit code 1"

        in_loop(test())


@pytest.mark.usefixtures("looped")
class TestInALoop:
    """As a part of somebody's program."""

    def test_two_beside_each_other(self, source: str, tmp_path: Path) -> None:
        async def work() -> None:
            pipes = [
                Pipeline(["--", "read", source, "--", "exec", "-A", "cat", "--", "write", str(tmp_path / f"{number}.json")])
                for number in range(2)
            ]
            await asyncio.gather(*(pipe.run() for pipe in pipes))

        before = descriptors()
        for loop_factory in (asyncio.new_event_loop, None):
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(work())
            for number in range(2):
                assert read_lines(tmp_path / f"{number}.json") == right(*range(1, 1001))
        assert (descriptors() - before, children()) == (set(), [])

    def test_cancelled(self, source: str, tmp_path: Path) -> None:
        """The program goes with it, though it does not want to."""

        async def work() -> None:
            words = ["exec", "-A", "sh", "-c", "trap '' TERM; echo here >&2; while :; do sleep 1; done"]
            pipe = Pipeline(["-l", "disabled", "--", "read", source, "--", *words, "--", "write", str(tmp_path / "out.json")])
            task = asyncio.ensure_future(pipe.run())
            await asyncio.sleep(0.3)
            assert len(children()) == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert children() == []

        before = descriptors()
        asyncio.run(work())
        assert descriptors() <= before


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["exec", "--read", "--write", "cat"], "--read and --write exclude each other"),
        (["exec", "--read", "--copy", "cat"], "--read and --copy exclude each other"),
        (["exec", "--write", "--keep-stdout", "cat"], "--keep-stdout has no meaning"),
        (["exec", ""], "COMMAND is missing"),
        (["exec"], "COMMAND is missing"),
    ],
)
def test_usage(words: list[str], error: str) -> None:
    with pytest.raises(UsageError, match=error):
        Pipeline(["--", "read", "x", "--", *words])
