"""The benchmark of sessions works, and each case brings over what was sent; what it measures is for people."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LIVE = Path(__file__).parent.parent / "bench" / "live.py"
CASES = ["direct", "bgpipe", "bgpipe, grep and limit", "bgpipe, JSON to a file"]


def test_sessions_of_the_benchmark() -> None:
    short = ["--rounds", "1", "--messages", "2000", "--rate", "100", "--seconds", "0.1", "--idle", "3", "--crowd", "2"]
    done = subprocess.run(
        [sys.executable, LIVE, *short, sys.executable, "-m", "bgpipe"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("2000 UPDATEs, ")
    named = [line.split("  ")[1] for line in lines if line.startswith("  ") and line[2] != " "]
    assert [name for name in named if name != "socat"][: 2 * len(CASES)] == CASES * 2
    assert "  2 at 5000 messages/s each: 2 of them got all" in done.stdout
