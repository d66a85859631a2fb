"""Signals, as a program or the command gets them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from live import free_port

from bgpipe.pipeline.engine import Pipeline

PROGRAM = """
import os, signal, sys
import bgpipe

signal.signal(signal.SIGHUP, signal.{hangup})
pipe = bgpipe.Pipeline(sys.argv[1:])

@pipe.on_event({event!r})
def ready(event):
    os.kill(os.getpid(), signal.{number})
    os.kill(os.getpid(), signal.{again})

pipe.run_sync(signals=True)
print("after it", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""


def waiting(options: str = "") -> str:
    return f"listen {options} 127.0.0.1:{free_port()} -- speaker --asn 1"


def program(words: str, event: str, number: str, again: str = "SIGHUP", hangup: str = "SIG_DFL") -> subprocess.CompletedProcess[str]:
    text = PROGRAM.format(event=event, number=number, again=again, hangup=hangup)
    return subprocess.run([sys.executable, "-c", text, *words.split()], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("live", [True, False])
def test_a_program_that_asks_for_it(live: bool, number: str, tmp_path: Path) -> None:
    """It ends in good order, also where the terminal says so twice, and has its own handlers again then."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    words, event = (waiting(), "listen/PREPARE") if live else (f"read {fifo} -- head", "read/PREPARE")
    done = program(words, event, number)
    assert (done.returncode, done.stdout) == (0, "after it True\n"), done.stderr
    assert done.stderr.count("stopping") == 1


def test_a_second_signal_ends_it_at_once() -> None:
    done = program(waiting(), "listen/PREPARE", "SIGTERM", "SIGTERM")
    assert (done.returncode, done.stdout) == (1, "")


def test_nohup() -> None:
    """A hangup that is ignored stays so."""
    done = program(waiting("--timeout 100ms"), "listen/PREPARE", "SIGHUP", hangup="SIG_IGN")
    assert done.returncode == 1
    assert "stopping" not in done.stderr
    assert "nobody has connected" in done.stderr


def test_a_program_that_does_not_ask_has_its_own() -> None:
    before = signal.getsignal(signal.SIGTERM)
    pipe = Pipeline("-l disabled read /dev/null")
    found = []
    pipe.on_event("START")(lambda event: found.append(signal.getsignal(signal.SIGTERM)))
    pipe.run_sync()
    assert found == [before]
