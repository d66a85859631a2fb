"""grep and drop: what passes, events in order, and the messages at which they end a pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lines import TIME, bad_line, line, lines, read_lines, right, run, write_lines

import bgpipe
from bgpipe.errors import FilterError, UsageError
from bgpipe.pipeline.engine import Pipeline

MANY = 6_000  # lines: half a dozen blocks
KEEPALIVE = json.dumps(["R", 3, TIME, "KEEPALIVE", None, {}], separators=(",", ":")) + "\n"


class TestWhatPasses:
    def test_grep(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", lines(MANY))
        run(threads, "--", "read", source, "--", "grep", "as_origin <= 7 || aspath ~ ^5999", "--", "write", target)
        assert read_lines(target) == right(*range(1, 8), 5999)

    def test_drop(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", lines(MANY))
        run(threads, "--", "read", source, "--", "drop", "as_origin > 7", "--", "write", target)
        assert read_lines(target) == right(*range(1, 8))

    def test_other_types_go_unless_the_filter_speaks_of_them(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", line(1) + KEEPALIVE)
        run("read", source, "grep", "!med", "write", target)
        assert read_lines(target) == right(1)
        run("read", source, "grep", "keepalive || med", "write", target)
        assert read_lines(target) == right(3)
        run("read", source, "drop", "!med", "write", target)
        assert read_lines(target) == right(3)

    def test_the_other_direction_passes(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", line(1) + line(2, "L"))
        run("--", "read", "-LR", "--new", "first", source, "--", "grep", "-L", "as_origin == 1", "--", "write", "-LR", target)
        assert ("R", 1) in read_lines(target)
        assert ("L", 2) not in read_lines(target)

    def test_skipped_by_if(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", lines(9))
        run("--", "read", source, "--", "grep", "--if", "as_origin > 5", "as_origin == 7", "--", "write", target)
        assert read_lines(target) == right(1, 2, 3, 4, 5, 7)


class TestWhatDoesNotParse:
    @pytest.mark.parametrize(
        ("words", "numbers"),
        [
            (["grep", "as_origin == 1"], [1]),
            (["grep", "update"], [1, 3]),
            (["grep", "--on-parse-error", "pass", "as_origin == 1"], [1, 2]),
            (["drop", "as_origin == 1"], [2, 3]),
            (["drop", "update"], [2]),
            (["drop", "--on-parse-error", "drop", "as_origin == 1"], [3]),
        ],
    )
    def test_fate(self, words: list[str], numbers: list[int], threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", line(1) + bad_line(2) + line(3))
        run(threads, "--", "read", source, "--", *words, "--", "write", target)
        assert read_lines(target) == right(*numbers)


class TestEvents:
    def test_in_order(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", lines(MANY))
        words = ["grep", "--event-match", "found", "--event-fail", "other", "as_origin > 10"]
        pipe = Pipeline([threads, "--", "read", source, "--", *words, "--", "write", str(target)])
        seen: list[tuple[str, int]] = []
        pipe.on_event("grep/found", "grep/other")(lambda e: seen.append((e.name, e.index)))
        pipe.execute()
        assert [name for name, _ in seen] == ["other"] * 10 + ["found"] * (MANY - 10)
        assert len(read_lines(target)) == MANY - 10

    def test_log(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """A line says which message it is, for those who look for it in the archive; many do not flood the log."""
        withdrawal = '["R",4,"2025-01-01T00:00:01.500","UPDATE",{"unreach":["10.0.0.0/8","11.0.0.0/8"]},{"PEER_IP":"192.0.2.9"}]\n'
        keepalive = '["R",3,"2025-01-01T00:00:00.000","KEEPALIVE",null,{"PEER_AS":"64500","PEER_IP":"192.0.2.9"}]\n'
        source = write_lines(tmp_path / "x.json", line(1) + bad_line(2) + keepalive + withdrawal + lines(96, first=5))
        run("--events", "grep/m,grep/f", "--", "read", source, "--", "grep", "--event-match", "m", "--event-fail", "f", "seq < 99 && prefix")
        told = capfd.readouterr().err.splitlines()
        assert told[:4] == [
            "bgpipe: warning: stage 2 (grep): m: message 1 (R, UPDATE) of 2025-01-01T00:00:00: 192.0.2.0/24",
            "bgpipe: warning: stage 2 (grep): f: message 2 (R, UPDATE) of 2025-01-01T00:00:00",
            "bgpipe: warning: stage 2 (grep): f: message 3 (R, KEEPALIVE) of 2025-01-01T00:00:00 from AS64500 192.0.2.9",
            "bgpipe: warning: stage 2 (grep): m: message 4 (R, UPDATE) of 2025-01-01T00:00:01.500000 from 192.0.2.9: "
            "10.0.0.0/8 withdrawn and 1 more",
        ]
        assert len(told) == 10 + 4 + 1
        assert told[-1] == "bgpipe: warning: stage 2 (grep): m: 96 messages in all, 86 of them not shown"

    def test_keep(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", lines(9))
        pipe = Pipeline(["read", source, "grep", "--keep", "--event-match", "x", "as_origin == 4", "write", str(target)])
        seen: list[str] = []
        pipe.on_event("grep/x")(lambda e: seen.append(str(e)))
        pipe.execute()
        assert seen == ["grep/x"]
        assert len(read_lines(target)) == 9

    @pytest.mark.parametrize(
        ("words", "numbers"),
        [
            (["grep", "--keep", "--kill-match", "as_origin == 5000"], range(1, 5000)),
            (["drop", "--kill-match", "as_origin == 5000"], range(1, 5000)),
            (["grep", "--kill-fail", "as_origin < 5000"], range(1, 5000)),
            (["grep", "--kill-match", "--event-match", "x", "as_origin == 7777"], []),
        ],
    )
    def test_kill(self, words: list[str], numbers: range, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", lines(MANY))
        pipe = run(threads, "--", "read", source, "--", *words, "--", "write", target)
        assert pipe.exit_code == (1 if numbers else 0)
        assert (read_lines(target) if target.exists() else []) == right(*numbers)

    def test_stop_a_stage_at_a_match(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", lines(MANY))
        words = ["read", source, "--", "grep", "--keep", "--event-match", "x", "as_origin == 50", "--"]
        run(threads, "--", *words, "write", "--stop", "grep/x", target)
        assert read_lines(target) == right(*range(1, 51))

    @pytest.mark.parametrize("name", ["START", "ready", "a/b", ""])
    def test_names(self, name: str) -> None:
        with pytest.raises(UsageError, match="a word for an event"):
            Pipeline(["grep", "--event-match", name, "med"])


class TestMistakes:
    def test_errors_name_the_stage(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 2 \(grep\): .*position 0.*did you mean as_origin\?"):
            Pipeline(["--", "read", "x.json", "--", "grep", "as_orign == 5"])

    def test_a_file_that_is_not_there(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 1 \(grep\): FILTER: .*position 10.*No such file"):
            Pipeline(["grep", "prefix in file(/nowhere)"])
        with pytest.raises(UsageError, match=r"^stage 1 \(grep\): --if: .*position 10.*No such file"):
            Pipeline(["grep", "--if", "prefix in file(/nowhere)", "ipv4"])

    def test_warnings(self) -> None:
        pipe = Pipeline(["grep", "med && otc || com"])
        assert any("mixed without parentheses" in text for _, text in pipe.warnings())


def test_read(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "x.json", lines(20))
    assert [msg.seq for msg in bgpipe.read(source, filter="as_origin == 7")] == [7]
    wanted = bgpipe.Filter("as_origin > 18")
    with bgpipe.read(source, filter=wanted) as reader, bgpipe.write(tmp_path / "y.json") as writer:
        for batch in reader.batches():
            writer.write(batch)
    assert read_lines(tmp_path / "y.json") == right(19, 20)
    with pytest.raises(FilterError):
        bgpipe.read(source, filter="nonsense")
