"""head: exactly the first messages get anywhere, whoever makes them, and the pipeline ends in good order."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from pathlib import Path

import pytest
from lines import bad_line, line, lines, read_lines, right, run, write_lines

from bgpipe.errors import UsageError
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.events import Event

MANY = 6_000  # lines: half a dozen blocks


class TestCount:
    @pytest.mark.parametrize("count", [1, 9, 10, 2000, MANY - 1, MANY, MANY + 1])
    def test_exact(self, threads: str, count: int, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", lines(MANY))
        before = tmp_path / "before.json"
        words = ["read", source, "--", "write", before, "--", "head", "-n", str(count), "--", "write", target]
        assert run(threads, "--", *words).exit_code == 0
        assert target.read_text() == before.read_text() == lines(min(count, MANY))

    def test_ten_unless_told_otherwise(self, tmp_path: Path, target: Path) -> None:
        run("read", write_lines(tmp_path / "x.json", lines(30)), "head", "write", target)
        assert read_lines(target) == right(*range(1, 11))

    @pytest.mark.parametrize("count", ["0", "-1", "ten"])
    def test_no_count(self, count: str) -> None:
        with pytest.raises(UsageError, match=rf"^stage 1 \(head\): --count|-n '{count}': expected a whole number from 1"):
            Pipeline(["head", "-n", count])

    def test_across_producers(self, tmp_path: Path, target: Path) -> None:
        first = write_lines(tmp_path / "a.json", lines(MANY))
        second = write_lines(tmp_path / "b.json", lines(MANY, first=MANY + 1))
        run("--", "read", first, "--", "read", second, "--", "head", "-n", "3333", "--", "write", target)
        numbers = [number for _, number in read_lines(target)]
        assert len(numbers) == 3333
        for start in (1, MANY + 1):
            own = [number for number in numbers if start <= number < start + MANY]
            assert own == list(range(start, start + len(own)))

    def test_only_what_it_sees_counts(self, threads: str, tmp_path: Path, target: Path) -> None:
        """Messages of the other direction pass it by, up to the last one that it passes, and no further."""
        text = "".join(line(seq, "RL"[seq % 3 == 0]) for seq in range(1, MANY))
        words = ["-o", "--", "read", "-LR", "--new", "first", write_lines(tmp_path / "x.json", text)]
        run(threads, *words, "--", "head", "-R", "-n", "2000", "--", "write", "-LR", target)
        assert read_lines(target) == right(*(seq for seq in range(1, 3000) if seq % 3))

    def test_two_ways_count_together_in_their_order(
        self, threads: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        text = [line(seq, "RL"[seq % 3 == 0]) for seq in range(1, MANY)]
        words = ["-o", "--", "read", "-LR", "--new", "first", write_lines(tmp_path / "x.json", "".join(text))]
        run(threads, *words, "--", "head", "-LR", "-n", "2501")
        assert capfd.readouterr().out == "".join(text[:2501])

    def test_two_ways_beside_functions(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """They too would see both ways together, but an exact count comes first."""
        text = [line(seq, "RL"[seq % 2]) for seq in range(1, 101)]
        function = tmp_path / "same.py"
        function.write_text("def run(msg):\n    return msg\n")
        words = ["-o", "--", "read", "-LR", "--new", "first", write_lines(tmp_path / "x.json", "".join(text))]
        run(*words, "--", "python", "-LR", f"{function}:run", "--", "head", "-LR", "-n", "11")
        assert capfd.readouterr().out == "".join(text[:11])

    def test_what_comes_in_front_counts_once(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Stages around it on the two ways see their part before and behind."""
        text = [line(seq, "RL"[seq % 2]) for seq in range(1, 101)]
        words = ["-o", "--", "read", "-LR", "--new", "first", write_lines(tmp_path / "x.json", "".join(text))]
        one, other = tmp_path / "one.json", tmp_path / "other.json"
        run(*words, "--", "write", "-LR", one, "--", "head", "-LR", "-n", "11", "--", "write", "-LR", other)
        assert capfd.readouterr().out == "".join(text[:11])
        assert sorted(number for _, number in read_lines(one)) == list(range(1, 12))
        assert read_lines(other) == right(2, 4, 6, 8, 10)  # as the last stage it takes no others

    def test_what_changes_messages_does_not_reach_back(self, threads: str, tmp_path: Path, target: Path) -> None:
        """Output in front of a change is made once more where a message ends the pipeline, as it was there."""
        source = write_lines(tmp_path / "x.json", lines(MANY))
        before = tmp_path / "before.json"
        words = ["read", source, "--", "write", before, "--", "tag", "--add", "a=1", "--", "head", "-n", "1500"]
        run(threads, "--", *words, "--", "write", target)
        assert before.read_text() == lines(1500)
        assert target.read_text() == lines(1500).replace("{}]", '{"a":"1"}]')

    def test_two_of_them(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", lines(MANY))
        between = tmp_path / "between.json"
        run(threads, "--", "read", source, "--", "head", "-n", "20", "--", "write", between, "--", "head", "--", "write", target)
        assert target.read_text() == between.read_text() == lines(10)


class TestEnd:
    def test_unparsed_behind_the_end_is_not_told(
        self, threads: str, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        source = write_lines(tmp_path / "x.json", lines(10) + bad_line(11) + "[nonsense")
        pipe = run(threads, "--kill", "PARSE", "--", "read", source, "--", "head", "--", "write", target)
        assert pipe.exit_code == 0
        assert capfd.readouterr().err == ""
        assert target.read_text() == lines(10)

    def test_live(self, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """With an event loop."""
        source = write_lines(tmp_path / "x.json", lines(MANY) + "[nonsense")
        pipe = Pipeline(["read", source, "head", "-n", "2000", "write", str(target)])
        seen: list[str] = []

        @pipe.on_event("*")
        async def handler(event: Event) -> None:
            seen.append(str(event))

        assert pipe.execute() == 0
        assert capfd.readouterr().err == ""
        assert target.read_text() == lines(2000)
        assert seen[-1] == "bgpipe/STOP"

    def test_a_pipe_that_does_not_end(self, threads: str, tmp_path: Path, target: Path) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        source = os.open(fifo, os.O_RDWR)
        os.write(source, lines(30).encode())
        pipe = Pipeline([threads, "--", "read", "--format", "json", str(fifo), "--", "head", "--", "write", str(target)])
        work = threading.Thread(target=pipe.execute)
        work.start()
        work.join(30)
        assert not work.is_alive()
        os.close(source)
        assert pipe.exit_code == 0
        assert target.read_text() == lines(10)

    @pytest.mark.parametrize("ends", [False, True], ids=["sends on and on", "sends nothing more"])
    def test_a_url_that_does_not_end(self, threads: str, ends: bool, target: Path) -> None:
        over = threading.Event()

        def serve(server: socket.socket) -> None:
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):  # it goes away
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + lines(30).encode())
                while not ends and not over.is_set():
                    client.sendall(lines(100).encode())
                over.wait(60)

        with socket.create_server(("127.0.0.1", 0)) as server:
            sender = threading.Thread(target=serve, args=(server,))
            sender.start()
            url = f"http://127.0.0.1:{server.getsockname()[1]}/x.json"
            pipe = Pipeline([threads, "--", "read", url, "--", "head", "--", "write", str(target)])
            work = threading.Thread(target=pipe.execute)
            work.start()
            work.join(60)
            over.set()
            sender.join()
        assert not work.is_alive()
        assert pipe.exit_code == 0
        assert target.read_text() == lines(10)

    def test_a_pipe_that_waits_beside_another(self, tmp_path: Path, target: Path) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        source = os.open(fifo, os.O_RDWR)
        words = ["--", "read", "--format", "json", str(fifo), "--", "read", write_lines(tmp_path / "x.json", lines(30))]
        pipe = Pipeline([*words, "--", "head", "--", "write", str(target)])
        work = threading.Thread(target=pipe.execute)
        work.start()
        work.join(30)
        assert not work.is_alive()
        os.close(source)
        assert pipe.exit_code == 0
        assert target.read_text() == lines(10)
