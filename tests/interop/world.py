"""A network namespace with addresses of its own, and the processes of one scenario in it.

US is where bgpipe is, ADDRESSES[0] and [1] are routers. Everything that runs in it is ended when the test is, and what
it said is shown where the test failed.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

US = "10.9.0.1"
US6 = "2001:db8:9::1"
ADDRESSES = ("10.9.0.2", "10.9.0.3")
PATIENCE_S = 40.0  # for what never happens, if there is a bug

_numbers = itertools.count()


class Process:
    """One process. out, err: files with what it says."""

    def __init__(self, name: str, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self.name = name
        self.out = folder / f"{name}.out"
        self.err = folder / f"{name}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.popen = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=os.environ | env)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end. Returns the exit code."""
        self.popen.send_signal(number)
        return self.popen.wait(PATIENCE_S)

    def log(self) -> str:
        return self.err.read_text(errors="replace")

    def messages(self) -> list[Any]:
        """What it has written as JSON lines, so far."""
        return [json.loads(line) for line in self.out.read_text().splitlines(keepends=True) if line.endswith("\n")]


class World:
    """Namespace, folder and processes of a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.namespace = f"bgpipe-{os.getpid()}-{next(_numbers)}"
        self.processes: list[Process] = []
        self._ip("netns", "add", self.namespace)
        for words in (
            "link set lo up",
            *(f"addr add {address}/24 dev lo" for address in (US, *ADDRESSES)),
            *(f"addr add 2001:db8:9::{number}/64 dev lo" for number in (1, 2, 3)),
        ):
            self._ip("-n", self.namespace, *words.split())

    def _ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)

    def run(self, *command: str | Path) -> str:
        """Run a command to its end; what it printed."""
        words = ["ip", "netns", "exec", self.namespace, *map(str, command)]
        return subprocess.run(words, check=True, capture_output=True, text=True, timeout=PATIENCE_S).stdout

    def start(self, name: str, *command: str | Path, **env: str) -> Process:
        # ip becomes the command: signals reach it.
        words = ["ip", "netns", "exec", self.namespace, *map(str, command)]
        process = Process(f"{len(self.processes)}-{name}", words, self.folder, env)
        self.processes.append(process)
        return process

    def bgpipe(self, *words: str | Path) -> Process:
        return self.start("bgpipe", sys.executable, "-m", "bgpipe", *words)

    def close(self) -> None:
        for process in reversed(self.processes):
            if process.popen.poll() is None:
                process.popen.terminate()
        for process in self.processes:
            try:
                process.popen.wait(5)
            except subprocess.TimeoutExpired:
                process.popen.kill()
                process.popen.wait()
        # Daemons have children of their own.
        for pid in subprocess.run(["ip", "netns", "pids", self.namespace], capture_output=True, text=True).stdout.split():
            os.kill(int(pid), signal.SIGKILL)
        self._ip("netns", "del", self.namespace)

    def report(self) -> str:
        """What the processes have said, for a test that failed."""
        parts = []
        for path in sorted(self.folder.iterdir()):
            if path.suffix in (".err", ".out", ".log") and path.stat().st_size:
                lines = path.read_text(errors="replace").splitlines()[-40:]
                parts.append("\n".join((f"---- {path.name}", *(line[:300] for line in lines))))
        return "\n".join(parts)


def until(what: Callable[[], object], problem: str) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, f"never: {problem}"
        time.sleep(0.1)


def announced(messages: list[list[object]], direction: str) -> set[str]:
    """Prefixes that stand, in the messages of a direction."""
    found: set[str] = set()
    for message in messages:
        if message[0] != direction or message[3] != "UPDATE" or not isinstance(message[4], dict):
            continue
        update = message[4]
        attrs = {name: attr["value"] for name, attr in update.get("attrs", {}).items()}
        found -= {*update.get("unreach", ()), *attrs.get("MP_UNREACH", {}).get("prefixes", ())}
        found |= {*update.get("reach", ()), *attrs.get("MP_REACH", {}).get("prefixes", ())}
    return found
