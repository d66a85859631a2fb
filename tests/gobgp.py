"""GoBGP's daemon on 127.0.0.1, with one neighbor: whoever tests."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

import oracle
from bgpipe import Msg
from bgpipe.bgp.messages import Open

ASN, PEER = 65002, 65001  # its number, and ours
CONFIGURATION = """
[global.config]
as = {asn}
router-id = "192.0.2.2"
port = {port}
local-address-list = ["127.0.0.1"]
[[neighbors]]
[neighbors.config]
neighbor-address = "127.0.0.1"
peer-as = {peer}
[neighbors.transport.config]
passive-mode = true
"""


def needed() -> pytest.MarkDecorator:
    there = shutil.which("gobgpd") and shutil.which("gobgp")
    return pytest.mark.skipif(not there, reason="GoBGP is not installed")


def family(name: str) -> str:
    """The part of the neighbor's configuration that has a family, by GoBGP's name for it."""
    return f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "{name}"\n'


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Daemon:
    """A context manager. folder: where its configuration goes; neighbor: what that has more of the neighbor."""

    def __init__(self, folder: Path, neighbor: str) -> None:
        self.port, self.api = free_port(), free_port()
        path = folder / "gobgp.toml"
        path.write_text(CONFIGURATION.format(asn=ASN, peer=PEER, port=self.port) + neighbor)
        words = ["gobgpd", "-f", str(path), "--api-hosts", f"127.0.0.1:{self.api}", "--pprof-disable"]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.connection: socket.socket | None = None

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.connection is not None:
            self.connection.close()
        self.process.terminate()
        self.process.wait()

    def establish(self, capabilities: dict[str, Any]) -> Open:
        """Set up a session, offering these; its own OPEN."""
        self.connection = self._connected()
        self.send(Open(asn=PEER, id="192.0.2.1", capabilities=capabilities).msg)
        theirs = self.receive().open
        assert theirs is not None
        self.connection.sendall(oracle.with_header(oracle.KEEPALIVE, b""))
        assert self.receive().type == "KEEPALIVE"
        return theirs

    def _connected(self) -> socket.socket:
        for _ in range(300):
            with contextlib.suppress(ConnectionRefusedError):
                return socket.create_connection(("127.0.0.1", self.port), timeout=30)
            time.sleep(0.1)
        raise AssertionError("gobgpd does not listen")

    def send(self, msg: Msg) -> None:
        assert self.connection is not None
        self.connection.sendall(msg.wire)

    def receive(self) -> Msg:
        """Its next message."""
        head = self._octets(19)
        return Msg(head + self._octets(int.from_bytes(head[16:18]) - 19))

    def _octets(self, count: int) -> bytes:
        assert self.connection is not None
        found = b""
        while len(found) < count:
            part = self.connection.recv(count - len(found))
            assert part, "gobgpd has gone"
            found += part
        return found

    def ask(self, *words: str) -> Any:
        """What its command line tool answers, as JSON."""
        return json.loads(self.run(*words, "-j") or "null")

    def run(self, *words: str) -> str:
        command = ["gobgp", "-u", "127.0.0.1", "-p", str(self.api), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    def received(self, family: str, count: int) -> dict[str, Any]:
        """Its routes of a family from us, by their name, when there are so many. A family as its command has it."""
        for _ in range(100):
            found: dict[str, Any] = self.ask("neighbor", "127.0.0.1", "adj-in", "-a", family)
            if len(found) >= count:
                break
            time.sleep(0.1)
        assert len(found) == count, family
        return found
