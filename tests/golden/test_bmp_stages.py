"""BMP and OpenBMP from the command line: files, programs, named pipes and WebSockets say what the stream of a router says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lines import run
from live import Live, free_port
from live import run as in_loop

import bgpipe
import corpus
from bgpipe.bgp.causes import message
from bgpipe.stages.messages import MessageReader
from conversion import CORE, Message, parse_lines

STREAMS = [name for name in corpus.names("bmp") if name != "stats-6.bmp"]  # which holds no routes
LIMIT = 100_000  # octets of an archive
FORMS = ["bmp", "obmp"]


def messages(path: Path) -> list[Message]:
    return parse_lines(path.read_bytes())


def said(path: Path) -> list[Message]:
    """Time, type, data and tags: numbers are new where messages come back."""
    return [message[2:] for message in messages(path)]


def source(name: str) -> str:
    return str(corpus.folder() / "bmp" / name)


def converted(*words: str | Path) -> None:
    pipe = run("-l", "disabled", *words)
    assert pipe.failure is None, pipe.failure


@pytest.fixture(params=STREAMS)
def routes(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A stream, and its messages as JSON."""
    path = tmp_path / "routes.json"
    converted("--", "read", source(request.param), "--", "write", path)
    assert messages(path)
    return source(request.param), path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", STREAMS)
def test_files(form: str, name: str, tmp_path: Path) -> None:
    """Straight from the stream, and by way of JSON."""
    text, direct, by_json = tmp_path / "routes.json", tmp_path / f"direct.{form}", tmp_path / f"json.{form}.gz"
    converted("--", "read", "--tags", source(name), "--", "write", text)
    converted("--", "read", source(name), "--", "write", direct)
    converted("--", "read", text, "--", "write", by_json)
    for path in (direct, by_json):
        converted("--", "read", "--tags", path, "--", "write", tmp_path / "again.json")
        assert messages(tmp_path / "again.json") == messages(text)


@pytest.mark.parametrize("form", FORMS)
def test_exec(form: str, routes: tuple[str, Path], tmp_path: Path) -> None:
    stream, path = routes
    converted("--", "read", stream, "--", "exec", "--format", form, "-A", "cat", "--", "write", tmp_path / "there.json")
    assert said(tmp_path / "there.json") == said(path)


@pytest.mark.parametrize("form", FORMS)
def test_pipe(form: str, routes: tuple[str, Path], tmp_path: Path) -> None:
    stream, path = routes
    fifos = [tmp_path / "first", tmp_path / "second"]
    for fifo in fifos:
        os.mkfifo(fifo)
    with subprocess.Popen(["sh", "-c", f"cat {fifos[0]} > {fifos[1]}"]) as program:

        async def test() -> None:
            count = len(messages(path))
            words = ["pipe", "--read", "--format", form, str(fifos[1]), "--", "head", "-n", str(count)]
            there = Live("--", *words, "--", "write", str(tmp_path / "there.json"))
            await there.until("pipe/START")
            here = Live("--", "read", stream, "--", "pipe", "--write", "--format", form, str(fifos[0]))
            assert await here.task is None
            assert await there.task is None

        in_loop(test())
        program.wait(5)
    assert said(tmp_path / "there.json") == said(path)


@pytest.mark.parametrize("words", [[], ["--batch"]], ids=["a-message-a-frame", "batch"])
@pytest.mark.parametrize("form", FORMS)
def test_websocket(form: str, words: list[str], routes: tuple[str, Path], tmp_path: Path) -> None:
    stream, path = routes
    port = free_port()
    url = f"ws://127.0.0.1:{port}/bgp"

    async def test() -> None:
        taken = Live("--", "websocket", "--listen", "--read", "--format", form, url, "--", "write", str(tmp_path / "there.json"))
        await taken.until("websocket/START")
        sent = Live("--", "read", stream, "--", "websocket", "--write", "--format", form, *words, url)
        assert await sent.task is None
        await taken.stop()

    in_loop(test())
    remote = "websocket/remote"
    assert [[*head, {key: text for key, text in tags.items() if key != remote}] for *head, tags in said(tmp_path / "there.json")] == said(path)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_lost_is_said(form: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """OPENs, KEEPALIVEs and ROUTE-REFRESHs of an archive have no place; all else comes back, with its AS sizes."""
    data = corpus.start_of_mrt(corpus.read(corpus.folder() / "mrt" / "updates.20160811.1600.gz"), LIMIT)
    archive, path, again = tmp_path / "start.mrt", tmp_path / f"routes.{form}", tmp_path / "again.json"
    archive.write_bytes(data)
    expected = CORE.read(data, None, False, guess=True).messages
    told = [message for message in expected if message[3] in ("UPDATE", "NOTIFY")]
    assert 0 < len(told) < len(expected)
    run("--", "read", archive, "--", "write", path)
    text = capfd.readouterr().err
    assert text.count("BMP has no place for type KEEPALIVE") == len(expected) - len(told) <= 10, "each by itself, as long as they are few"
    converted("--", "read", "--all", "--skip", "OPEN", path, "--", "write", again)
    assert [message[2:5] for message in messages(again)] == [message[2:5] for message in told]
    assert [message[5]["PEER_IP"] for message in messages(again)] == [message[5]["PEER_IP"] for message in told]


@pytest.mark.parametrize("form", FORMS)
def test_standard_streams(form: str, tmp_path: Path) -> None:
    stream, command = source("evpn.bmp"), f"{sys.executable} -m bgpipe -l disabled --"
    line = f"{command} read {stream} -- stdout --format {form} | {command} stdin --format {form} -- write {tmp_path}/there.json"
    environment = {**os.environ, "PYTHONPATH": str(corpus.REPOSITORY / "src")}
    subprocess.run(["sh", "-c", line], check=True, timeout=60, env=environment)
    converted("--", "read", stream, "--", "write", tmp_path / "direct.json")
    assert said(tmp_path / "there.json") == said(tmp_path / "direct.json")


def wrapped_update(nlri: str) -> bytes:
    """A Route Monitoring message of a peer of which nothing is known."""
    update = message(2, bytes(4) + bytes.fromhex(nlri))
    return b"\3" + (48 + len(update)).to_bytes(4) + b"\0" + bytes(26) + (65001).to_bytes(4) + bytes(12) + update


@pytest.mark.parametrize(("words", "ids"), [([], True), (["--no-guess-addpath"], False)])
def test_path_ids_that_nothing_declares(words: list[str], ids: bool, tmp_path: Path) -> None:
    """From the command line, there and back, and in Python."""
    path = tmp_path / "x.bmp"
    path.write_bytes(wrapped_update("0000000718c00002"))
    converted(*words, "--", "read", path, "--", "write", tmp_path / "x.json")
    ((*_, data, tags),) = messages(tmp_path / "x.json")
    assert (data == {"reach": ["#7#192.0.2.0/24"]}, tags.get("ADDPATH")) == (ids, "guessed IPV4/UNICAST" if ids else None)
    with bgpipe.read(path, guess_addpath=ids) as reader:
        assert [found.tags.get("ADDPATH") for found in reader] == [tags.get("ADDPATH")]


def test_damage_in_python(tmp_path: Path) -> None:
    path = tmp_path / "x.bmp"
    path.write_bytes(wrapped_update("18c00002") + b"?" * 20 + wrapped_update("18c00003"))
    lost: list[bgpipe.InputError] = []
    with bgpipe.read(path, recover=True, on_skip=lost.append) as reader:
        assert len(list(reader)) == 2
    assert len(lost) == 1


def test_count_of_kinds_is_logged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pipe = run("--", "read", source("evpn.bmp"), "--", "write", tmp_path / "x.json")
    assert isinstance(pipe.stages[0], MessageReader)
    assert "BMP messages: 137 route monitoring, 1 peer down, 2 peer up" in capfd.readouterr().err
