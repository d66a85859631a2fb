"""The stage python: files that load or do not, and what their functions are called with."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from lines import line, lines, read_lines, right, write_lines

from bgpipe.cli import main
from bgpipe.errors import StageError, UsageError
from bgpipe.pipeline.engine import Pipeline


@pytest.fixture
def source(tmp_path: Path) -> str:
    return write_lines(tmp_path / "source.json", lines(4))


def script(folder: Path, text: str, name: str = "script.py") -> str:
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return str(path)


def run(*words: str | Path) -> Pipeline:
    pipe = Pipeline([str(word) for word in words])
    pipe.run_sync()
    return pipe


class TestFunctions:
    TEXT = """
        import asyncio

        def process(msg):
            return msg if msg.seq != 1 else None

        def check(msg):
            return msg.seq > 2

        async def later(msg):
            await asyncio.sleep(0)
            yield msg
            yield msg

        def batch(batch):
            return list(batch)[1:]

        class Counter:
            total = 0

            def __call__(self, msg):
                self.total += 1
                msg.tags["n"] = str(self.total)
                return msg

        counter = Counter()
        """

    @pytest.mark.parametrize("threads", ["--threads=1", "--threads=4"])
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ([""], [2, 3, 4]),
            ([":process"], [2, 3, 4]),
            ([":check"], [3, 4]),
            ([":later"], [1, 1, 2, 2, 3, 3, 4, 4]),
            (["--batch", ":batch"], [2, 3, 4]),
            (["-I", "type == update", ":process"], [2, 3, 4]),
        ],
    )
    def test_results(self, words: list[str], expected: list[int], threads: str, tmp_path: Path, source: str, target: Path) -> None:
        words = [*words[:-1], script(tmp_path, self.TEXT) + words[-1]]
        run(threads, "--", "read", source, "--", "python", *words, "--", "write", target)
        assert read_lines(target) == right(*expected)

    def test_an_object(self, tmp_path: Path, source: str, target: Path) -> None:
        run("--", "read", source, "--", "python", script(tmp_path, self.TEXT) + ":counter", "--", "write", target)
        assert '{"n":"4"}' in target.read_text()

    def test_both_directions(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "mixed.json", line(1) + line(1, "L") + line(2))
        words = ["-o", "--", "read", "-LR", "--new", "first", source, "--", "python", "-LR", script(tmp_path, self.TEXT) + ":counter"]
        done = subprocess.run([sys.executable, "-m", "bgpipe", *words], capture_output=True, text=True, check=True)
        assert [text.split(",")[0] + text[-10:] for text in done.stdout.splitlines()] == ['["R"{"n":"1"}]', '["L"{"n":"2"}]', '["R"{"n":"3"}]']

    def test_on_error(self, tmp_path: Path, source: str, target: Path) -> None:
        path = script(tmp_path, "def process(msg):\n    return 1 / (msg.seq - 2) and msg\n")
        for fate, expected in (("pass", [1, 2, 3, 4]), ("drop", [1, 3, 4])):
            run("--log=disabled", "--", "read", source, "--", "python", "--on-error", fate, path, "--", "write", target)
            assert read_lines(target) == right(*expected)
        with pytest.raises(StageError, match=r"^stopped by process\(\): ZeroDivisionError: division by zero$"):
            run("--log=disabled", "--", "read", source, "--", "python", "--on-error", "stop", path, "--", "write", target)
        assert read_lines(target) == right(1)

    def test_each_stage_has_a_module_of_its_own(self, tmp_path: Path, source: str, target: Path) -> None:
        path = script(tmp_path, "n = 0\ndef process(msg):\n    global n\n    n += 1\n    msg.tags['n'] = str(n)\n    return msg\n")
        run("--", "read", source, "--", "python", path, "--", "python", path, "--", "write", target)
        assert '{"n":"4"}' in target.read_text()
        assert '{"n":"8"}' not in target.read_text()

    def test_modules_beside_it_and_data_classes(self, tmp_path: Path, source: str, target: Path) -> None:
        script(tmp_path, "LEAST = 3\n", "beside_the_script.py")
        path = script(
            tmp_path,
            """
            from __future__ import annotations

            from dataclasses import dataclass

            from beside_the_script import LEAST

            @dataclass
            class Limit:
                least: int

            limit = Limit(LEAST)

            def process(msg):
                return msg.seq >= limit.least

            if __name__ == "__main__":
                raise SystemExit("by hand")
            """,
        )
        run("--", "read", source, "--", "python", path, "--", "write", target)
        assert read_lines(target) == right(3, 4)


class TestSetup:
    def test_arguments(self, tmp_path: Path, source: str, target: Path) -> None:
        path = script(
            tmp_path,
            """
            def setup(args):
                global least
                least = int(args[0])

            def process(msg):
                return msg.seq >= least
            """,
        )
        run("--", "read", source, "--", "python", "-A", path, "3", "--", "write", target)
        assert read_lines(target) == right(3, 4)

    def test_coroutine(self, tmp_path: Path, source: str, target: Path) -> None:
        path = script(
            tmp_path,
            """
            import asyncio

            async def setup(args):
                global ready
                await asyncio.sleep(0)
                ready = args == []

            def process(msg):
                return ready
            """,
        )
        run("--", "read", source, "--", "python", path, "--", "write", target)
        assert read_lines(target) == right(1, 2, 3, 4)

    @pytest.mark.parametrize("word", ["", "async "])
    def test_failure(self, word: str, tmp_path: Path, source: str, target: Path) -> None:
        path = script(tmp_path, f"{word}def setup(args):\n    raise ValueError('no args')\ndef process(msg):\n    return msg\n")
        with pytest.raises(StageError) as raised:
            run("--log=disabled", "--", "read", source, "--", "python", path, "--", "write", target)
        assert str(raised.value) == f"setup(): {path}, line 2: ValueError: no args"
        assert not target.exists()

    @pytest.mark.parametrize("word", ["", "async "])
    @pytest.mark.parametrize("error", ["SystemExit", "asyncio.CancelledError"])
    def test_what_would_end_it_unseen(self, error: str, word: str, tmp_path: Path, source: str, target: Path) -> None:
        text = f"import asyncio\n{word}def setup(args):\n    raise {error}\ndef process(msg):\n    return msg\n"
        with pytest.raises(StageError, match=rf"^setup\(\): .*, line 3: {error.rpartition('.')[2]}$"):
            run("--log=disabled", "--", "read", source, "--", "python", script(tmp_path, text), "--", "write", target)
        assert not target.exists()

    def test_arguments_without_it(self, tmp_path: Path, source: str) -> None:
        path = script(tmp_path, "def process(msg):\n    return msg\n")
        with pytest.raises(UsageError, match="has no function setup that would take the words behind -A"):
            Pipeline(["--", "read", source, "--", "python", "-A", path, "x"])


class TestMistakes:
    def problem(self, word: str) -> str:
        with pytest.raises(UsageError) as raised:
            Pipeline(["--", "read", "x", "--", "python", word])
        return str(raised.value).removeprefix("stage 2 (python): ")

    def test_no_such_file(self, tmp_path: Path) -> None:
        path = str(tmp_path / "none.py")
        assert self.problem(path) == self.problem(path + ":check") == f"cannot read {path}: No such file or directory"
        assert self.problem(str(tmp_path)) == f"cannot read {tmp_path}: Is a directory"

    def test_no_such_function(self, tmp_path: Path) -> None:
        path = script(tmp_path, "def check(msg):\n    return msg\n")
        assert self.problem(path) == f"{path} has no function process; another one is FILE:FUNCTION"
        assert self.problem(path + ":chekc") == f"{path} has no function chekc; did you mean check?"

    def test_no_function(self, tmp_path: Path) -> None:
        path = script(tmp_path, "check = 5\n")
        assert self.problem(path + ":check") == f"check in {path} is no function, but 5"

    def test_a_class(self, tmp_path: Path) -> None:
        path = script(tmp_path, "class Check:\n    pass\n")
        assert self.problem(path + ":Check") == f"Check in {path} is a class; for a method, write NAME = Check().METHOD there"

    def test_explain_runs_nothing(self, tmp_path: Path) -> None:
        """It tells what would be done, and finds what cannot be read or is no Python."""
        path = script(tmp_path, "raise SystemExit('it ran')\n")
        Pipeline(["--explain", "-o", "--", "read", "x", "--", "python", path])
        for text, error in (("def check(:\n", f"{path}, line 1: SyntaxError: invalid syntax"), (None, f"cannot read {path}: No such file or directory")):
            if text is None:
                Path(path).unlink()
            else:
                Path(path).write_text(text)
            with pytest.raises(UsageError) as raised:
                Pipeline(["--explain", "-o", "--", "read", "x", "--", "python", path])
            assert str(raised.value) == f"stage 2 (python): {error}"

    def test_syntax(self, tmp_path: Path) -> None:
        path = script(tmp_path, "def check(msg):\n    return msg\n\ndef broken(:\n")
        assert self.problem(path) == f"{path}, line 4: SyntaxError: invalid syntax"

    @pytest.mark.parametrize("text", [b"x = 'a\0b'\n", b"# coding: klingon\n", b"x = '\xff'\n"])
    def test_no_python_at_all(self, text: bytes, tmp_path: Path) -> None:
        path = tmp_path / "binary.py"
        path.write_bytes(text)
        assert self.problem(str(path)).startswith(f"{path}")

    def test_what_it_raises(self, tmp_path: Path) -> None:
        path = script(tmp_path, "import sys\n\ndef start():\n    import no_such_module_here\n\nstart()\n")
        assert self.problem(path) == f"{path}, line 4: ModuleNotFoundError: No module named 'no_such_module_here'"
        path = script(tmp_path, "raise SystemExit('not today')\n")
        assert self.problem(path) == f"{path}, line 1: SystemExit: not today"

    def test_exit_code(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        path = script(tmp_path, "def check(:\n")
        assert main(["--", "read", "x", "--", "python", path]) == 2
        assert capfd.readouterr().err == f"bgpipe: stage 2 (python): {path}, line 1: SyntaxError: invalid syntax\n"


class TestSignals:
    def start(self, tmp_path: Path, function: str) -> subprocess.Popen[bytes]:
        source = write_lines(tmp_path / "many.json", lines(3000))
        path = script(tmp_path, f"import asyncio, sys, time\n\n{function}")
        words = ["--", "read", source, "--", "python", path, "--", "write", str(tmp_path / "out.json")]
        process = subprocess.Popen([sys.executable, "-m", "bgpipe", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"called\n"
        return process

    @pytest.mark.parametrize("body", ["while True: pass", "time.sleep(1000)", "await asyncio.sleep(1000)"])
    def test_a_function_that_does_not_end(self, body: str, tmp_path: Path) -> None:
        kind = "async def" if "await" in body else "def"
        process = self.start(tmp_path, f"{kind} process(msg):\n    print('called', flush=True)\n    {body}\n")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"bgpipe: stopping")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 1
        process.communicate()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["many.json", "script.py"]

    def test_one_that_takes_its_time(self, tmp_path: Path) -> None:
        process = self.start(
            tmp_path, "def process(msg):\n    if msg.seq == 1:\n        print('called', flush=True)\n        time.sleep(0.2)\n    return msg\n"
        )
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        found = read_lines(tmp_path / "out.json")
        assert found == right(*range(1, len(found) + 1))
