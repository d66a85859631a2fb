"""Programs that were written for ExaBGP, in a pipeline: examples/exec/service.py, and one that gets what it gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgpipe.pipeline.engine import Pipeline

SERVICE = Path(__file__).parents[1] / "examples" / "exec" / "service.py"


def test_a_service_is_announced_as_long_as_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flag, target = tmp_path / "flag", tmp_path / "out.exa"
    flag.touch()
    monkeypatch.setenv("SERVICE_EVERY", "0.05")
    # What checks the service takes it away.
    program = ["-A", str(SERVICE), "192.0.2.53/32", "rm", str(flag)]
    words = ["-l", "disabled", "exec", "--read", "--format", "exa", *program, "--", "head", "-n", "2"]
    Pipeline([*words, "--", "write", str(target)]).run_sync()
    assert target.read_text().splitlines() == [
        "announce route 192.0.2.53/32 next-hop 0.0.0.0 origin igp as-path [ ]",
        "withdraw route 192.0.2.53/32",
    ]


def test_commands_go_through_a_program_and_come_back(tmp_path: Path) -> None:
    source, target = tmp_path / "in.exa", tmp_path / "out.exa"
    lines = [
        "announce route 10.0.0.0/8 next-hop 192.0.2.1 origin igp as-path [ 65001 ]",
        "announce route 2001:db8::/32 next-hop 2001:db8::1 origin egp as-path [ 65001 ]",
        "withdraw route 10.0.0.0/8",
        "announce eor ipv6 unicast",
    ]
    source.write_text("".join(line + "\n" for line in lines))
    through = ["exec", "--format", "exa", "-A", "grep", "--line-buffered", "-v", "2001"]
    Pipeline(["-l", "disabled", "read", str(source), "--", *through, "--", "write", str(target)]).run_sync()
    assert target.read_text().splitlines() == [lines[0], *lines[2:]]
