"""The command line on every real file: what the library reads is what it prints, and an archive it wrote reads the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import corpus
from conversion import CORE, Message, compact, parse_lines

LIMIT = int(os.environ.get("BGPIPE_LIMIT", "2000000"))  # bytes of a file that are read


def bgpipe(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "bgpipe", *words],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(corpus.REPOSITORY / "src")},
    )


def session_lines(messages: list[Message]) -> list[str]:
    """Without what is not in an archive of ours: an AS 0 and an address of zeros, which a RIB says, and what was guessed,
    which ours declares.
    """
    lines = []
    for message in messages:
        tags = {
            key: text
            for key, text in message[5].items()
            if text not in ("0", "0.0.0.0", "::") and not text.startswith("guessed ")
        }
        lines.append(compact([*message[:5], tags]))
    return lines


@pytest.mark.parametrize("name", corpus.names("mrt"))
def test_there_and_back(name: str, tmp_path: Path) -> None:
    path = corpus.folder() / "mrt" / name
    data = corpus.read(path)
    if len(data) > LIMIT:
        data = corpus.start_of_mrt(data, LIMIT)
        path = tmp_path / "start.mrt"
        path.write_bytes(data)
    read = bgpipe("--", "read", str(path), "--", "stdout")
    conversion = CORE.read(data, None, False, guess=True)
    assert read.returncode == bool(conversion.damaged), read.stderr.decode()
    messages = parse_lines(read.stdout)
    assert messages == conversion.messages
    archive = tmp_path / "again.mrt"
    written = bgpipe("--", "stdin", "--", "write", str(archive), stdin=read.stdout)
    assert written.returncode == 0, written.stderr.decode()
    again = bgpipe("--", "read", str(archive), "--", "stdout")
    assert again.returncode == 0, again.stderr.decode()
    assert again.stdout.decode().splitlines() == session_lines(messages)


def test_damage_is_told_once() -> None:
    path = corpus.folder() / "mrt" / "torn.updates.20000325.0345.gz"
    read = bgpipe("--", "read", str(path), "--", "stdout")
    assert read.returncode == 1
    assert len(read.stdout.splitlines()) == 4
    (line,) = read.stderr.decode().splitlines()
    assert "record 5 at offset 188" in line


def test_json_has_one_spelling() -> None:
    """What Python's json writes of a line, without spaces, is the line."""
    path = corpus.folder() / "mrt" / "updates.20160811.1600.gz"
    lines = bgpipe("--", "read", str(path), "--", "stdout").stdout.decode().splitlines()
    assert len(lines) == 17384
    assert [json.dumps(json.loads(line), separators=(",", ":")) for line in lines] == lines
