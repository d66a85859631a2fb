"""The progress bar, on a terminal of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bgpipe.transport.progress import open_progress
from bgpipe.transport.source import open_source

CODE = """
import sys, time
from bgpipe.transport.progress import open_progress
from bgpipe.transport.source import open_source
with open_source(sys.argv[1]) as source:
    progress = open_progress(source)
    source.readinto(memoryview(bytearray(1000)))
    for count in range(int(sys.argv[2])):
        progress.update(1000 * count)
        time.sleep(0.1)
    progress.close()
print("rich" in sys.modules)
"""


def on_terminal(path: Path, rounds: int) -> tuple[str, str]:
    """Standard output, and what a terminal as standard error gets."""
    ours, theirs = os.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    command = [sys.executable, "-c", CODE, str(path), str(rounds)]
    with subprocess.Popen(command, stderr=theirs, stdout=subprocess.PIPE, text=True, env=environment) as job:
        os.close(theirs)
        drawn = b""
        try:
            while piece := os.read(ours, 65536):
                drawn += piece
        except OSError:  # which is how a terminal ends
            pass
        assert job.stdout is not None
        output = job.stdout.read()
    os.close(ours)
    assert job.returncode == 0
    return output, drawn.decode()


def test_bar(tmp_path: Path) -> None:
    path = tmp_path / "updates.mrt"
    path.write_bytes(bytes(4000))
    output, drawn = on_terminal(path, 8)
    assert output == "True\n"
    assert "updates.mrt" in drawn
    assert "1.0/4.0 kB" in drawn
    assert "messages/s" in drawn


def test_name_that_steers_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "\x1b]0;title\x07\nx.mrt"
    path.write_bytes(bytes(4000))
    _, drawn = on_terminal(path, 8)
    assert "\x1b]0" not in drawn
    assert "\x07" not in drawn
    assert r"\x1b]0;title\x07\nx.mrt" in drawn


def test_short_job_draws_nothing(tmp_path: Path) -> None:
    path = tmp_path / "updates.mrt"
    path.write_bytes(bytes(4000))
    assert on_terminal(path, 1) == ("False\n", "")


def test_none_when_piped(tmp_path: Path) -> None:
    path = tmp_path / "updates.mrt"
    path.write_bytes(bytes(4000))
    saved = os.dup(2)
    reader, writer = os.pipe()
    os.dup2(writer, 2)
    try:
        with open_source(str(path)) as source:
            assert open_progress(source) is None
    finally:
        os.dup2(saved, 2)
        for fd in (saved, reader, writer):
            os.close(fd)
