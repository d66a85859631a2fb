"""Network namespaces with addresses of their own, and the processes of one scenario in them.

Usually there is one, with US for bgpipe and addresses for some routers. A world that is `apart` has three: each
router is alone, with bgpipe between them as their gateway. Everything that runs in it is ended when the test is, and
what it said is shown where the test failed.
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
from typing import Any, NamedTuple

US = "10.9.0.1"
US6 = "2001:db8:9::1"
PATIENCE_S = 30.0  # for what never happens, if there is a bug

_numbers = itertools.count()


class Router(NamedTuple):
    """Where a router is: its namespace, and its addresses there."""

    namespace: str
    address: str
    address6: str


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
    """Namespaces, folder and processes of a test. routers: where they are, two of them if apart. apart: see above."""

    def __init__(self, folder: Path, *, apart: bool = False) -> None:
        self.folder = folder
        self.namespace = f"bgpipe-{os.getpid()}-{next(_numbers)}"
        self.namespaces = [self.namespace]
        self.processes: list[Process] = []
        if apart:
            self.routers = [Router(f"{self.namespace}-{n}", f"10.9.{n}.2", f"2001:db8:9:{n}::2") for n in (1, 2)]
            self.namespaces += [router.namespace for router in self.routers]
        else:
            self.routers = [Router(self.namespace, f"10.9.0.{n}", f"2001:db8:9::{n}") for n in range(2, 6)]
        for namespace in self.namespaces:
            self.ip("netns", "add", namespace)
            self.ip("-n", namespace, "link", "set", "lo", "up")
        for number, router in enumerate(self.routers, 1):
            if apart:
                self._wire(router, number)
            else:
                self._address(self.namespace, "lo", router.address, router.address6)
        if not apart:
            self._address(self.namespace, "lo", US, US6)

    def _wire(self, router: Router, number: int) -> None:
        """A network between us and a router, which takes us for its gateway."""
        ours, gateway, gateway6 = f"router{number}", f"10.9.{number}.1", f"2001:db8:9:{number}::1"
        self.ip("-n", self.namespace, "link", "add", ours, "type", "veth", "peer", "eth0", "netns", router.namespace)
        self._address(self.namespace, ours, gateway, gateway6)
        self._address(router.namespace, "eth0", router.address, router.address6)
        self.ip("-n", router.namespace, "route", "add", "default", "via", gateway)
        self.ip("-n", router.namespace, "-6", "route", "add", "default", "via", gateway6)

    def _address(self, namespace: str, device: str, address: str, address6: str) -> None:
        self.ip("-n", namespace, "link", "set", device, "up")
        self.ip("-n", namespace, "addr", "add", f"{address}/24", "dev", device)
        self.ip("-n", namespace, "addr", "add", f"{address6}/64", "dev", device, "nodad")

    def ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)

    def run(self, *command: str | Path, at: Router | None = None) -> str:
        """Run a command to its end, where bgpipe is or at a router; what it printed."""
        words = ["ip", "netns", "exec", at.namespace if at is not None else self.namespace, *map(str, command)]
        return subprocess.run(words, check=True, capture_output=True, text=True, timeout=PATIENCE_S).stdout

    def start(self, name: str, *command: str | Path, at: Router | None = None, **env: str) -> Process:
        # ip becomes the command: signals reach it.
        words = ["ip", "netns", "exec", at.namespace if at is not None else self.namespace, *map(str, command)]
        process = Process(f"{len(self.processes)}-{name}", words, self.folder, env)
        self.processes.append(process)
        return process

    def bgpipe(self, *words: str | Path, **env: str) -> Process:
        return self.start("bgpipe", sys.executable, "-m", "bgpipe", *words, **env)

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
        for namespace in self.namespaces:
            words = ["ip", "netns", "pids", namespace]
            for pid in subprocess.run(words, capture_output=True, text=True).stdout.split():
                os.kill(int(pid), signal.SIGKILL)
            self.ip("netns", "del", namespace)

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
