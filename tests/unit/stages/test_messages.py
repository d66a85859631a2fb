"""Options of read, write, stdin and stdout, and what they do to the messages."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path

import pytest
from lines import TIME, line, lines, read_lines, right, run, write_lines

import bgpipe
from bgpipe._codec import Buffer
from bgpipe.errors import UsageError
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.events import Event
from bgpipe.stages import write as write_module
from bgpipe.stages.messages import type_number
from bgpipe.stages.read import StateChanges

KEEPALIVE = f'["R",9,"{TIME}","KEEPALIVE",null,{{}}]\n'
REFRESH = f'["R",9,"{TIME}","REFRESH","0x00010001",{{}}]\n'
ODD = f'["R",9,"{TIME}",77,"0x",{{}}]\n'


def types_in(path: Path) -> list[object]:
    return [json.loads(text)[3] for text in path.read_text().splitlines()] if path.exists() else []


class TestTypes:
    @pytest.mark.parametrize(
        ("word", "number"),
        [("UPDATE", 2), ("open", 1), ("Notify", 3), ("notification", 3), ("REFRESH", 5), ("route_refresh", 5), ("77", 77)],
    )
    def test_names(self, word: str, number: int) -> None:
        assert type_number(word) == number

    @pytest.mark.parametrize("word", ["", "updates", "256", "-1", "x1"])
    def test_no_names(self, word: str) -> None:
        with pytest.raises(ValueError, match="message types: OPEN, UPDATE, NOTIFY, KEEPALIVE, REFRESH, or numbers"):
            type_number(word)

    @pytest.mark.parametrize("where", ["read", "write"])
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ([], ["UPDATE", "KEEPALIVE", "REFRESH", 77]),
            (["--type", "UPDATE"], ["UPDATE"]),
            (["--type", "update,77"], ["UPDATE", 77]),
            (["--type", "UPDATE", "--type", "REFRESH"], ["UPDATE", "REFRESH"]),
            (["--skip", "UPDATE,KEEPALIVE"], ["REFRESH", 77]),
            (["--type", "UPDATE,REFRESH", "--skip", "UPDATE"], ["REFRESH"]),
        ],
    )
    def test_only_and_skip(self, where: str, options: list[str], expected: list[object], tmp_path: Path) -> None:
        source = write_lines(tmp_path / "source.json", line(1) + KEEPALIVE + REFRESH + ODD)
        words = {"read": ["read", source], "write": ["write", str(tmp_path / "x.json")]}
        words[where][1:1] = options
        run(*words["read"], *words["write"])
        assert types_in(tmp_path / "x.json") == expected

    def test_bad(self) -> None:
        with pytest.raises(UsageError, match=r"stage 1 \(read\): --type 'UPDATES': expected message types"):
            Pipeline(["read", "--type", "UPDATES", "x"])


class TestRead:
    def test_no_seq_no_time_no_tags(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "source.json", line(7, tags={"A": "b"}) + line(9, tags={"A": "b"}))
        run("read", "--no-seq", "--no-time", "--no-tags", source, "write", tmp_path / "x.json")
        messages = [json.loads(text) for text in (tmp_path / "x.json").read_text().splitlines()]
        assert [message[1] for message in messages] == [1, 2]
        assert all(message[2] > TIME for message in messages)
        assert [message[5] for message in messages] == [{}, {}]

    def test_they_stay_otherwise(self, tmp_path: Path) -> None:
        text = line(7, tags={"A": "b"})
        run("read", write_lines(tmp_path / "source.json", text), "write", tmp_path / "x.json")
        assert (tmp_path / "x.json").read_text() == text

    def test_recover_is_for_records(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 1 \(read\): --recover is for the formats mrt, bmp and obmp$"):
            Pipeline(["read", "--recover", "--format", "json", "x"])

    def test_short_as_numbers(self, tmp_path: Path) -> None:
        attributes = bytes.fromhex("4001010040020402 01fde8400304c0000201")
        body = b"\0\0" + len(attributes).to_bytes(2, "big") + attributes + bytes.fromhex("18c00002")
        wire = b"\xff" * 16 + (19 + len(body)).to_bytes(2, "big") + b"\2" + body
        (tmp_path / "x.raw").write_bytes(wire)
        run("-2", "read", tmp_path / "x.raw", "write", tmp_path / "x.json")
        data = json.loads((tmp_path / "x.json").read_text())[4]
        assert data["attrs"]["ASPATH"]["value"] == [65000]
        assert data["as_size"] == 2

    def test_state_changes(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        header = bytes.fromhex("67748580 0010 0000 00000014")
        body = bytes.fromhex("fde8fde9 0000 0001 c0000201 c0000202 0003 0001")
        (tmp_path / "x.mrt").write_bytes((header + body) * 3)
        pipe = Pipeline(["-e", "read/state_change", "read", str(tmp_path / "x.mrt"), "write", str(tmp_path / "x.json")])
        seen: list[Event] = []
        pipe.on_event("read/state_change")(seen.append)
        pipe.run_sync()
        assert [event.count for event in seen] == [3]  # type: ignore[attr-defined]
        assert capfd.readouterr().err == "bgpipe: stage 1 (read): state_change: 3\n"

    def test_recover(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        source = write_lines(tmp_path / "x.json", lines(3))
        run("read", source, "write", tmp_path / "x.mrt")
        data = (tmp_path / "x.mrt").read_bytes()
        (tmp_path / "x.mrt").write_bytes(data + b"\xee" * 50 + data)
        assert run("read", "--recover", tmp_path / "x.mrt", "write", tmp_path / "y.json").exit_code == 0
        assert len(read_lines(tmp_path / "y.json")) == 6
        first, last = capfd.readouterr().err.splitlines()
        assert first.startswith("bgpipe: warning: stage 1 (read): skipped: MRT record 4 at offset ")
        assert last == "bgpipe: warning: stage 1 (read): 50 bytes of the input are lost in all"


def state_change(time_s: int) -> bytes:
    body = struct.pack("!HHHH4s4sHH", 64500, 64501, 0, 1, bytes(4), bytes(4), 6, 1)
    return struct.pack("!IHHI", time_s, 16, 0, len(body)) + body


class TestStateChanges:
    @pytest.fixture
    def archive(self, tmp_path: Path) -> Path:
        """Half a dozen blocks of messages, with two state changes behind the first 100, and one at the end."""
        source = write_lines(tmp_path / "x.json", lines(100))
        run("read", source, "--", "write", tmp_path / "part.mrt")
        part = (tmp_path / "part.mrt").read_bytes()
        path = tmp_path / "x.mrt"
        path.write_bytes(part + state_change(1) + state_change(2) + part * 150 + state_change(3))
        return path

    @pytest.mark.parametrize("threads", [1, 4])
    def test_in_order(self, threads: int, archive: Path, tmp_path: Path) -> None:
        target = tmp_path / "target.json"
        pipe = Pipeline(["--threads", str(threads), "read", str(archive), "--", "write", str(target)])
        seen: list[tuple[str, int]] = []

        @pipe.on_event("read/state_change")
        def changed(event: Event) -> None:
            assert isinstance(event, StateChanges)
            written = (tmp_path / "target.json.tmp").read_text().count("\n")
            seen.append((event.describe(), written))

        assert pipe.execute() == 0
        (first, early), (last, late) = seen
        assert (first, last) == ("2", "1")
        assert 100 <= early < late == 15_100

    @pytest.mark.parametrize("threads", [1, 4])
    def test_kill(self, threads: int, archive: Path, tmp_path: Path) -> None:
        """What came in one block with the change goes out, and nothing behind it, however far reading got."""
        target = tmp_path / "target.json"
        words = ["-l", "disabled", "--kill", "read/state_change", "--threads", str(threads)]
        assert run(*words, "read", archive, "--", "write", target).exit_code == 1
        with bgpipe.read(archive) as reader:
            first = next(iter(reader.batches()))
        assert len(read_lines(target)) == len(first)


class TestWrite:
    def test_append(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(1))
        for _ in range(2):
            run("read", source, "write", "--append", tmp_path / "x.json")
        assert read_lines(tmp_path / "x.json") == right(1, 1)

    def test_create(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        source = write_lines(tmp_path / "source.json", lines(1))
        assert run("read", source, "write", "--create", tmp_path / "x.json").exit_code == 0
        assert run("read", source, "write", "--create", tmp_path / "x.json").exit_code == 1
        assert capfd.readouterr().err.startswith(f"bgpipe: stage 2 (write): cannot write {tmp_path / 'x.json'}: it exists")

    @pytest.mark.parametrize(("name", "begin"), [("x.json", b'["R"'), ("x.mrt", b"\x67\x74"), ("x.raw", b"\xff" * 16), ("x", b'["R"')])
    def test_format_by_name(self, name: str, begin: bytes, tmp_path: Path) -> None:
        run("read", write_lines(tmp_path / "source.json", lines(1)), "write", tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(begin)

    def test_format_and_compression_given(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(1))
        run("read", source, "write", "--format", "raw", "--compress", "none", tmp_path / "x.json.gz")
        assert (tmp_path / "x.json.gz").read_bytes().startswith(b"\xff" * 16)

    def test_time_in_the_path(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(1))
        run("read", source, "write", "--time-format", "%Y", tmp_path / "$TIME.${2006}.json")
        (made,) = (path.name for path in tmp_path.iterdir() if path.name != "source.json")
        assert made in {f"{year}.{year}.json" for year in (time.gmtime().tm_year - 1, time.gmtime().tm_year)}

    @pytest.mark.parametrize(
        ("words", "error"),
        [
            (["--append", "--create", "x"], "--append and --create exclude each other"),
            (["--every", "0", "x.$TIME"], "at least 60s"),
            (["http://192.0.2.1/x.json"], "http://192.0.2.1/x.json is a URL: those can be read, not written"),
            (["x.parquet"], "parquet is not built yet"),
            (["--every", "59s", "x.$TIME"], "at least 60s"),
            (["--every", "1h", "x"], "with --every, PATH must hold a time"),
            (["--every", "1h", "--time-format", "2006", "x.$TIME"], "with --every, PATH must hold a time"),
            (["--every", "1h", "x.${FOO}"], "'FOO' holds no time"),
            (["--every", "soon", "x.$TIME"], "--every 'soon': expected a duration such as 90s, 1h30m or 250ms"),
        ],
    )
    def test_bad_options(self, words: list[str], error: str) -> None:
        with pytest.raises(UsageError) as caught:
            Pipeline(["stdin", "--", "write", *words])
        assert str(caught.value).startswith("stage 2 (write): ")
        assert error in str(caught.value)

    def test_urls_that_cannot_be_read(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 1 \(read\): s3://a/b: of URLs, http and https can be read; s3 is not built"):
            Pipeline(["s3://a/b"])

    @pytest.mark.parametrize("words", [["write", "x\0y"], ["write", ""], ["read", ""], ["read", "\0"]])
    def test_what_is_no_path(self, words: list[str]) -> None:
        with pytest.raises(UsageError, match=r"PATH '.*': expected a path"):
            Pipeline(["stdin", "--", *words, "--", "stdout"])

    def test_two_writers_of_one_file(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(1))
        (tmp_path / "link").symlink_to("x.json")
        for name in ("x.json", "./x.json", "link"):
            words = ["read", source, "--", "write", f"{tmp_path}/x.json", "--", "write", "--append", f"{tmp_path}/{name}"]
            with pytest.raises(UsageError, match=r"^stage 3 \(write\): stage 2 \(write\) writes .* already$"):
                Pipeline(words)
        run("read", source, "--", "write", "/dev/null", "--", "write", "/dev/null")
        assert run("read", source, "--", "write", "-", "--", "write", "-").exit_code == 0

    def test_appending_to_what_is_read(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        source = write_lines(tmp_path / "x.json", lines(1))
        (tmp_path / "y.json").hardlink_to(source)
        assert run("read", source, "--", "write", "--append", tmp_path / "y.json").exit_code == 1
        error = "it is the file that is being read; write to another one"
        assert capfd.readouterr().err == f"bgpipe: stage 2 (write): cannot write {tmp_path}/y.json: {error}\n"
        assert run("write", "-L", "--append", tmp_path / "y.json", "--", "read", "-L", source).exit_code == 1
        error = "stage 1 (write) writes to it; read another file"
        assert capfd.readouterr().err == f"bgpipe: stage 2 (read): cannot read {source}: {error}\n"
        assert Path(source).read_text() == lines(1)

    def test_reading_a_left_over_temporary_file(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        source = write_lines(tmp_path / "x.json.tmp", lines(1))
        assert run("read", source, "--", "write", tmp_path / "x.json").exit_code == 1
        assert "it is the file that is being read" in capfd.readouterr().err
        assert Path(source).read_text() == lines(1)

    def test_in_place_of_what_is_read(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "x.json", lines(3))
        assert run("read", source, "--", "write", "--skip", "OPEN", source).exit_code == 0
        assert read_lines(Path(source)) == right(1, 2, 3)

    def test_every(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        class Clock:
            now_s = 100 * 3600.0 + 10

            def time(self) -> float:
                return self.now_s

            monotonic = time

        clock = Clock()
        timers: list[tuple[float, object]] = []
        monkeypatch.setattr(write_module, "time", clock)
        pipe = Pipeline(["stdin", "--", "write", "--every", "1h", str(tmp_path / "x.$TIME.raw")])
        monkeypatch.setattr(pipe, "call_later", lambda stage, delay_s, function: timers.append((delay_s, function)))
        stage = pipe.stages[1]
        assert isinstance(stage, write_module.Write)
        stage.prepare()
        data = Buffer()
        data.extend(b"first")
        stage.write(data)
        delay_s, rotate = timers.pop()
        assert 3590 < delay_s < 3591
        clock.now_s += delay_s
        rotate()  # type: ignore[operator]
        assert 3599 < timers[0][0] < 3601
        data.clear()
        data.extend(b"second")
        stage.write(data)
        stage.finish()
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert files == {"x.19700105.0400.raw": b"first", "x.19700105.0500.raw": b"second"}


class TestStdout:
    def test_formats(self, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        source = write_lines(tmp_path / "source.json", lines(2))
        run("read", source, "stdout", "--format", "raw")
        first = capfdbinary.readouterr().out
        run("read", source, "write", "--format", "raw", "-")
        assert capfdbinary.readouterr().out == first
        assert first.count(b"\xff" * 16) == 2
