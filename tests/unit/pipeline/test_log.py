"""Log lines, for people and for machines."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

import pytest

from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.log import LEVELS, Log, Tally, Throttle


@pytest.mark.parametrize("level", LEVELS)
def test_levels(level: str, capfd: pytest.CaptureFixture[str]) -> None:
    log = Log(level)
    log.debug("d")
    log.info("i")
    log.warn("w")
    log.error("e")
    expected = ["bgpipe: debug: d", "bgpipe: i", "bgpipe: warning: w", "bgpipe: e"][LEVELS.index(level) :]
    assert capfd.readouterr().err.splitlines() == expected


def test_stage_and_event(capfd: pytest.CaptureFixture[str]) -> None:
    stage = Pipeline(["@in", "read", "x"]).stages[0]
    log = Log()
    log.info("text", stage, "READY")
    log.info("", event="START")
    assert capfd.readouterr().err == "bgpipe: stage 1 (in: read): READY: text\nbgpipe: START\n"


def test_one_line_whatever_the_text(capfd: pytest.CaptureFixture[str]) -> None:
    Log().error("a\nb\x1b[2Jc\ud800é\u2028")
    assert capfd.readouterr().err == "bgpipe: a\\nb\\x1b[2Jc\\ud800é\\u2028\n"


def test_names_cannot_steer_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    stage = Pipeline(["@a\x1b]0;x\x07", "read", "x"]).stages[0]
    Log().error("text", stage, "a\rb")
    assert capfd.readouterr().err == "bgpipe: stage 1 (a\\x1b]0;x\\x07: read): a\\rb: text\n"


def test_json(capfd: pytest.CaptureFixture[str]) -> None:
    stage = Pipeline(["read", "x"]).stages[0]
    log = Log("debug", "json")
    log.warn('a "b"\n\x1b', stage, "PARSE")
    log.debug("c")
    lines = capfd.readouterr().err
    assert lines.count("\n") == 2
    assert "\x1b" not in lines
    first, second = map(json.loads, lines.splitlines())
    assert datetime.fromisoformat(first.pop("time")).tzinfo is not None
    assert first == {"level": "warn", "stage": "stage 1 (read)", "event": "PARSE", "message": 'a "b"\n\x1b'}
    assert second.keys() == {"time", "level", "message"}


def test_before_each_line(capfd: pytest.CaptureFixture[str]) -> None:
    log = Log()
    log.before = lambda: os.write(2, b"<")
    log.info("a")
    log.debug("b")
    assert capfd.readouterr().err == "<bgpipe: a\n"


def test_nobody_reads(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    Log(fd=write_end).error("x")
    os.close(write_end)


@pytest.mark.parametrize(("count", "shown", "summary"), [(0, 0, False), (1, 1, False), (10, 10, False), (12, 10, True)])
def test_tally(count: int, shown: int, summary: bool, capfd: pytest.CaptureFixture[str]) -> None:
    tally = Tally(Log(), "mishaps")
    for number in range(count):
        tally.count(f"number {number}")
    tally.close()
    lines = [f"bgpipe: warning: number {number}" for number in range(shown)]
    lines += [f"bgpipe: warning: {count} mishaps in all, {count - shown} of them not shown"] * summary
    assert capfd.readouterr().err.splitlines() == lines
    assert tally.total == count


def test_lines_that_may_come_for_years(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A minute has ten lines; the next one begins with how many more there were."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    path = tmp_path / "log"
    with path.open("wb") as file:
        throttle = Throttle(Log(fd=file.fileno()), "clients were refused")
        for number in range(25):
            throttle.count(f"client {number}")
        now[0] += 61
        throttle.count("client 25")
        throttle.close()
    lines = path.read_text().splitlines()
    assert lines[9:] == [
        "bgpipe: warning: client 9",
        "bgpipe: warning: 15 more clients were refused",
        "bgpipe: warning: client 25",
    ]
    assert throttle.total == 26


def test_lines_of_peers(tmp_path: Path) -> None:
    """They name the peer; what all of them may write is bounded."""
    path = tmp_path / "log"
    for form in ("text", "json"):
        with path.open("wb") as file:
            log = Log(form=form, fd=file.fileno())
            all_of_them = Throttle(log, "lines of sessions were left out", lines=3)
            peers = [log.of(f"192.0.2.{number}:179", all_of_them.admits) for number in range(2)]
            for peer in peers:
                peer.debug("not seen, and not counted")
                peer.info("one")
                peer.warn("two")
            all_of_them.close()
        lines = path.read_text().splitlines()
        if form == "text":
            assert lines == [
                "bgpipe: 192.0.2.0:179: one",
                "bgpipe: warning: 192.0.2.0:179: two",
                "bgpipe: 192.0.2.1:179: one",
                "bgpipe: warning: 1 more lines of sessions were left out",
            ]
        else:
            assert [json.loads(line).get("peer") for line in lines] == ["192.0.2.0:179"] * 2 + ["192.0.2.1:179", None]


def test_the_reader_is_stuck() -> None:
    """One line waits a moment, no further one does; who reads again is told how many are lost."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    log = Log(fd=writing)
    count = 0
    while count < 2000:  # 64 KiB
        log.info("x" * 100)
        count += 1
    taken = os.read(reading, 1 << 20).count(b"\n")
    assert 0 < taken < count
    log.of("192.0.2.1", None).info("y")
    found = os.read(reading, 1 << 20).decode().splitlines()
    assert found[-2:] == [
        "bgpipe: 192.0.2.1: y",
        f"bgpipe: 192.0.2.1: {count - taken} lines in front of the last one found no reader, and are lost",
    ]
    os.close(reading)
    os.close(writing)
