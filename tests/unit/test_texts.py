"""Texts that people read, as golden files: help, --explain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bgpipe.cli import main
from bgpipe.stages import STAGES

GOLDEN = Path(__file__).parent.parent / "golden" / "cli"
DOCS = Path(__file__).parents[2] / "docs"

HELP = {"help": ["-h"], **{f"help-{command}": [command, "-h"] for command in STAGES}}
EXPLAIN = {
    "one-stage": ["updates.gz"],
    "convert": ["--", "read", "updates.mrt.gz", "--", "write", "updates.json.zst"],
    "taps": ["-io", "--", "write", "--type", "UPDATE,OPEN", "x.mrt"],
    "waiting-taps": ["-I", "-O", "--", "@out", "write", "--append", "x.raw"],
    "both-ways": [
        *("--kill", "PARSE", "--log", "debug", "-g", "--threads", "1"),
        *("--", "@in", "read", "-LR", "--pardon", "--recover", "--skip", "KEEPALIVE,130", "updates.20251107.2300.bz2"),
        *("--", "write", "--every", "1h", "--time-format", "%Y%m%d.%H%M", "archive.$TIME.mrt.gz"),
        *("--", "stdout", "--format", "raw", "-L", "-S", "in"),
        *("--", "@late", "read", "--wait", "in/STOP,EOR", "--new", "@in", "-"),
    ],
    "head-tag": ["--", "read", "x.mrt", "--", "tag", "--add", "a=1,b=2", "--drop", "*", "--src", "--", "head", "-LR", "-n", "3"],
    "update": [
        *("--", "read", "x.mrt", "--", "update", "--nexthop4", "192.0.2.1", "--nexthop6", "2001:db8::1,fe80::1"),
        *("--add-com", "65000:1,1:2", "--drop-com-large", "--drop-com=1:1,2:2", "--prepend", "65000x3,1"),
        *("--drop-attr", "MED,99", "--set-local-pref", "0", "--add-com-ext", '{"type":"TARGET","value":"1:2"}'),
    ],
    "session": [
        *("-o", "--", "listen", "--md5", "secret", "--peer", "192.0.2.0/24", ":1790", "--", "limit", "--session", "100"),
        *("--", "connect", "--wait", "listen", "--bind", "192.0.2.9", "192.0.2.1"),
    ],
    "speaker": ["--", "speaker", "--active", "--asn", "65055", "--", "read", "--wait", "ESTABLISHED", "x.mrt", "--", ":1790"],
    "mistakes": ["--", "read", "-L", "x.mrt", "--", "write", "y.json", "--", "stdout", "-L"],
}


def same(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("BGPIPE_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", HELP)
def test_help(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(HELP[name]) == 0
    out, err = capfd.readouterr()
    assert out == ""
    same(name, err)


@pytest.mark.parametrize("command", STAGES)
def test_page(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    """docs/ has a page for each stage, which gives its options as the help does."""
    assert main([command, "-h"]) == 0
    own = capfd.readouterr().err.partition("\nOptions of every stage")[0]
    block = f"## Options\n\n```text\n{own}```\n"
    page = DOCS / f"{command}.md"
    text = page.read_text()
    if os.environ.get("BGPIPE_GOLDEN") == "write":
        before, _, behind = text.partition("## Options\n\n```text\n")
        text = before + block + behind.partition("```\n")[2]
        page.write_text(text)
    assert block in text
    assert f"({command}.md)" in (DOCS / "stages.md").read_text()


def test_bgpipe_alone_prints_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out, err = capfd.readouterr()
    assert out == ""
    same("help", err)


@pytest.mark.parametrize("name", EXPLAIN)
def test_explain(name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "updates.gz").touch()
    assert main(["--explain", *EXPLAIN[name]]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    same(f"explain-{name}", out)
    assert [path.name for path in tmp_path.iterdir()] == ["updates.gz"]  # nothing was run


def test_every_golden_file_is_used() -> None:
    names = {"README.md", *(f"{name}.txt" for name in HELP), *(f"explain-{name}.txt" for name in EXPLAIN)}
    assert {path.name for path in GOLDEN.iterdir()} == names
