"""The command line as a whole: exit codes, what is printed where, endings."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lines import lines, read_lines, right

from bgpipe import __version__
from bgpipe.cli import main
from bgpipe.pipeline.engine import Pipeline


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.json"
    path.write_text(lines(3))
    return path


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        yield listening


def start(*words: str | Path, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bgpipe", *map(str, words)]
    return subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True, **options)  # type: ignore[call-overload,no-any-return]


class TestMain:
    def test_file_to_stdout(self, source: Path, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["--", "read", str(source), "--", "stdout"]) == 0
        out, err = capfd.readouterr()
        assert (out, err) == (lines(3), "")

    def test_file_to_file(self, source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        target = tmp_path / "a" / "b" / "target.json"
        assert main(["read", str(source), "write", str(target)]) == 0
        assert target.read_text() == lines(3)
        assert list(target.parent.iterdir()) == [target]
        assert capfd.readouterr() == ("", "")

    def test_garbage_of_users_is_collected(self, source: Path, tmp_path: Path) -> None:
        (tmp_path / "own.py").write_text("import gc\ndef f(msg):\n    print(gc.isenabled(), gc.get_freeze_count() > 1000)\n")
        process = start("--", "read", source, "--", "python", tmp_path / "own.py:f")
        out, err = process.communicate(timeout=60)
        assert (out, err) == (3 * "True True\n", "")

    def test_one_stage_gets_stdout(self, source: Path, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["read", str(source)]) == 0
        assert capfd.readouterr() == (lines(3).replace('["R"', '["L"'), "")

    def test_usage(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["reed", "x"]) == 2
        assert capfd.readouterr() == ("", "bgpipe: stage 1: unknown command 'reed'; did you mean read?\n")

    @pytest.mark.parametrize("word", ["nofile.gz", "folder/read"])
    def test_no_such_file_or_command(self, word: str, capfd: pytest.CaptureFixture[str]) -> None:
        assert main([word]) == 2
        assert capfd.readouterr() == ("", f"bgpipe: stage 1: there is no file and no command {word!r}\n")

    @pytest.mark.parametrize(("number", "code"), [("-1", 2), ("65", 2), ("9" * 30, 2), ("64", 0), ("0", 0)])
    def test_threads(self, number: str, code: int, source: Path, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["--threads", number, "--", "read", str(source)]) == code
        assert ("--threads" in capfd.readouterr().err) == (code == 2)

    @pytest.mark.parametrize(
        ("text", "threads"),
        [("3", 3), ("0", 1), ("1000", 64), ("9" * 5000, 0), ("\N{SUPERSCRIPT TWO}", 0), ("\N{ARABIC-INDIC DIGIT THREE}", 0)],
    )
    def test_threads_of_the_environment(self, text: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BGPIPE_THREADS", text)
        usual = min(2, len(os.sched_getaffinity(0)))
        assert Pipeline(["read", "x"]).threads == (threads or usual)

    def test_a_slow_pipe_is_shown_at_once(self) -> None:
        with start("-o", "--", "read", "-") as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(lines(1))
            process.stdin.flush()
            assert process.stdout.readline() == lines(1, "L")
            process.stdin.close()
            assert process.wait(20) == 0

    def test_words_that_steer_the_terminal(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["\x1b[2J"]) == 2
        assert "\x1b" not in capfd.readouterr().err
        assert main(["-n", "--", "read", "\x1b[2J\n", "--", "write", "--time-format", "\x1b%Y", "\x1b.$TIME"]) == 0
        assert "\x1b" not in capfd.readouterr().out

    def test_no_such_file(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        missing = tmp_path / "missing.json"
        target = tmp_path / "target.json"
        assert main(["--", "read", str(missing), "--", "write", str(target)]) == 1
        err = f"bgpipe: stage 1 (read): cannot read {missing}: no such file or directory\n"
        assert capfd.readouterr() == ("", err)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("line", ['["R",1,"2020-01-01T00:00:00.000","UPDATE",{bad,{}]', "hello", '["R",1'])
    def test_no_json_in_a_process_of_its_own(self, line: str) -> None:
        with start("stdin", "--format", "json", "--", "stdout") as process:
            out, err = process.communicate(lines(1) + line + "\n", timeout=20)
        assert process.returncode == 1
        assert out == lines(1)
        assert err.startswith("bgpipe: stage 1 (stdin): line 2 at offset ")
        assert err.count("\n") == 1

    @pytest.mark.parametrize(
        ("caps", "what"),
        [
            ("{bad", "not JSON"),
            ('{"MP":3}', "MP: 3, expected an address family"),
            ("@/no/such/file", "a file that can be read (No such file or directory)"),
        ],
    )
    def test_bad_capabilities(self, caps: str, what: str, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["--caps", caps, "--", "read", "x"]) == 2
        assert what in capfd.readouterr().err

    def test_capabilities_of_raw_input(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        raw = tmp_path / "x.raw"
        raw.write_bytes(b"\xff" * 16 + bytes.fromhex("001f 02 0000 0000 00000007 180a0001"))
        caps = tmp_path / "caps.json"
        caps.write_text('{"ADDPATH": ["IPV4/UNICAST/BIDIR"]}\n')
        assert main(["--caps", f"@{caps}", "--", "read", str(raw)]) == 0
        assert '{"reach":["#7#10.0.1.0/24"]}' in capfd.readouterr().out

    def test_no_stages(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["--", "--"]) == 2
        assert capfd.readouterr() == ("", "bgpipe: no stages; bgpipe -h tells which there are\n")

    def test_version(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["--version"]) == 0
        out, err = capfd.readouterr()
        assert err == ""
        first, python, compiler, libraries = out.splitlines()
        assert first == f"bgpipe {__version__}"
        assert python == f"Python {sys.version.split()[0]}"
        assert compiler.startswith(("compiler gcc ", "compiler clang "))
        assert "uvloop " in libraries


class TestProgress:
    @pytest.mark.parametrize(("words", "drawn"), [(["write", "target.json"], True), (["stdout"], False)])
    def test_on_a_terminal(self, words: list[str], drawn: bool, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo.json")
        ours, theirs = os.openpty()
        command = [sys.executable, "-m", "bgpipe", "--", "read", "fifo.json", "--", *words]
        environment = os.environ | {"TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, cwd=tmp_path, stdout=theirs, stderr=theirs, env=environment) as process:
            os.close(theirs)
            with (tmp_path / "fifo.json").open("w", buffering=1) as fifo:
                fifo.write(lines(1))
                time.sleep(1.0)  # in the first half of a second it draws nothing
                fifo.write(lines(1, first=2))
            shown = b""
            try:
                while chunk := os.read(ours, 10_000):
                    shown += chunk
            except OSError:  # the other end of a terminal is closed
                pass
        os.close(ours)
        assert process.returncode == 0
        assert (b"messages/s" in shown) == drawn
        assert (b'["R",2,' in shown) == (not drawn)


class TestStandardDescriptors:
    """What a file opens as must not be one of 0, 1 and 2, whoever left these closed."""

    @staticmethod
    def run(closed: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "bgpipe", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def test_log_lines_do_not_get_into_the_output(self, source: Path, tmp_path: Path) -> None:
        target = tmp_path / "target.json"
        for closed in ("2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
            for stages in (["read", source, "--", "write", target], ["write", target, "--", "read", source]):
                done = self.run(closed, "-e", "all", "--", *stages)
                assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
                assert target.read_text().replace('"L"', '"R"') == lines(3)

    def test_a_closed_standard_output_is_no_place_for_messages(self, source: Path, tmp_path: Path) -> None:
        target = tmp_path / "target.json"
        done = self.run(">&-", "-o", "write", target, "--", "read", source)
        assert done.returncode == 1
        assert done.stderr.startswith("bgpipe: --stdout: cannot write standard output: ")
        assert done.stderr.count("\n") == 1
        assert target.read_text() == lines(3, "L")

    def test_a_closed_standard_input_holds_nothing(self, tmp_path: Path) -> None:
        done = self.run("<&-", "stdin", "--", "write", tmp_path / "target.json")
        assert done.returncode == 1
        assert done.stderr.startswith("bgpipe: stage 1 (stdin): cannot read standard input: ")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("redirection", [">>", "1<>"])
    def test_standard_output_is_the_input(self, redirection: str, source: Path) -> None:
        done = self.run(f"{redirection} {source}", "read", source)
        assert done.returncode == 1
        told = "cannot write standard output: it is the file that is being read; write to another one"
        assert done.stderr == f"bgpipe: --stdout: {told}\n"
        assert source.read_text() == lines(3)


class TestEndings:
    def test_reader_goes_away(self, source: Path, tmp_path: Path) -> None:
        source.write_text(lines(20_000))
        with start("read", source) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline().startswith('["L",1,')
            process.stdout.close()
            assert process.stderr.read() == ""
        assert process.returncode == 0

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signal(self, tmp_path: Path, number: signal.Signals) -> None:
        target = tmp_path / "target.json"
        with start("-e", "all", "--", "stdin", "--", "write", target) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write(lines(2))
            process.stdin.flush()
            while "write): START" not in process.stderr.readline():
                pass
            temporary = tmp_path / "target.json.tmp"
            while not temporary.stat().st_size:
                time.sleep(0.01)
            process.send_signal(number)
            rest = process.stderr.read()
        assert process.returncode == 0
        assert "stopping" in rest
        assert target.read_text() == lines(2)
        assert list(tmp_path.iterdir()) == [target]

    @pytest.mark.parametrize(("ignored", "code"), [(False, -signal.SIGINT), (True, 0)])
    def test_interrupted_while_it_loads(self, ignored: bool, code: int) -> None:
        """It is over without a word, whichever import that hits."""
        program = f"""
import os, signal, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == "bgpipe.pipeline.engine":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
if {ignored}:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
from bgpipe.__main__ import start
sys.exit(start())
"""
        done = subprocess.run([sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (code, "")

    def test_signal_while_routes_are_held_back(self, tmp_path: Path) -> None:
        """A RIB's routes wait for others that fit their UPDATE; those that were read get out all the same."""
        rib = Path(__file__).parents[2] / "samples" / "rib.mrt"
        whole, target, fifo = tmp_path / "whole.json", tmp_path / "target.json", tmp_path / "fifo"
        assert main(["read", str(rib), "write", str(whole)]) == 0
        os.mkfifo(fifo)
        with start("read", fifo, "write", target) as process, fifo.open("wb", buffering=0) as pipe:
            pipe.write(rib.read_bytes())
            while fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)) != bytes(4):
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        assert target.read_text() == whole.read_text()

    def test_pardon_goes_on_behind_a_line_of_brackets(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        source = tmp_path / "source.json"
        deep = '["R",1,null,"UPDATE",{"attrs":{"MED":' + "[" * 30_000 + "]" * 30_000 + "}}]\n"
        source.write_text(lines(1) + deep + lines(2))
        assert main(["--", "read", "--pardon", str(source), "--", "stdout"]) == 0
        out, err = capfd.readouterr()
        assert out == lines(1) + lines(2)
        where = f"skipped: line 2 at offset {len(lines(1))}"
        assert err == f"bgpipe: warning: stage 1 (read): {where}: not JSON: nested too deeply\n"

    def test_signal_while_nobody_writes(self, tmp_path: Path) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        with start("-e", "all", "--", "read", fifo, "--", "write", tmp_path / "target.json") as process:
            assert process.stderr is not None
            while "write): START" not in process.stderr.readline():
                pass
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        assert list(tmp_path.iterdir()) == [fifo]

    def test_signal_while_nobody_reads(self, source: Path, tmp_path: Path) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        with start("-e", "all", "--", "read", source, "--", "write", fifo) as process:
            assert process.stderr is not None
            while "write): PREPARE" not in process.stderr.readline():
                pass
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        assert fifo.is_fifo()

    def test_signal_while_a_server_keeps_us_waiting(self, server: socket.socket, tmp_path: Path) -> None:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.json"
        with start("read", url, "--", "write", tmp_path / "target.json") as process:
            connection, _ = server.accept()
            with connection:
                connection.recv(10_000)
                process.send_signal(signal.SIGINT)
                assert process.wait(20) == 0
        assert list(tmp_path.iterdir()) == []

    def test_signal_while_a_server_stalls(self, server: socket.socket, tmp_path: Path) -> None:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.json"
        target = tmp_path / "target.json"
        with start("read", url, "--", "write", target) as process:
            connection, _ = server.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + lines(3).encode() + b'["R",')
                temporary = tmp_path / "target.json.tmp"
                while not temporary.exists() or not temporary.stat().st_size:
                    assert process.poll() is None
                    time.sleep(0.01)
                process.send_signal(signal.SIGINT)
                assert process.wait(20) == 0
        assert read_lines(target) == right(1, 2, 3)

    @pytest.mark.parametrize("order", [("read", "stdin"), ("stdin", "read")])
    def test_a_waiting_producer_does_not_hold_the_others_up(self, order: tuple[str, str], source: Path, tmp_path: Path) -> None:
        target = tmp_path / "target.json"
        producers: dict[str, list[str | Path]] = {"read": ["read", source], "stdin": ["stdin"]}
        with start(*producers[order[0]], "--", *producers[order[1]], "--", "write", target) as process:
            assert process.stdin is not None
            temporary = tmp_path / "target.json.tmp"
            while not temporary.exists() or not temporary.stat().st_size:
                assert process.poll() is None
                time.sleep(0.01)
            process.stdin.write(lines(1, first=4))
            process.stdin.close()
            assert process.wait(20) == 0
        assert read_lines(target) == right(1, 2, 3, 4)

    def test_second_signal(self, tmp_path: Path) -> None:
        target = tmp_path / "target.json"
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(write_end, b"x" * 4096)
        source = tmp_path / "source.json"
        source.write_text(lines(100))
        words = ("--", "read", source, "--", "write", target, "--", "stdout")
        os.set_blocking(write_end, True)
        command = [sys.executable, "-m", "bgpipe", *map(str, words)]
        with subprocess.Popen(command, stdout=write_end, stderr=-1, text=True) as process:
            os.close(write_end)
            assert process.stderr is not None
            temporary = tmp_path / "target.json.tmp"
            while not temporary.exists() or not temporary.stat().st_size:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            while "stopping" not in process.stderr.readline():
                pass
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 1
        os.close(read_end)
        assert list(tmp_path.iterdir()) == [source]
