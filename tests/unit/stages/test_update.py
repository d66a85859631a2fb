"""update: its options, and what it does in a pipeline. The edits themselves are in ../test_edit.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lines import TIME, bad_line, line, lines, read_lines, right, run, write_lines

from bgpipe.errors import StageError, UsageError
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.events import Event
from bgpipe.stages.update import Update

TARGET = '{"type":"TARGET","value":"65000:1"}'


def long_line(seq: int, prefixes: int = 800, octets: int = 10) -> str:
    """An UPDATE that has hardly any room left."""
    attrs = {
        "ORIGIN": {"flags": "T", "value": "IGP"},
        "ASPATH": {"flags": "T", "value": [seq]},
        "ATTR_99": {"flags": "OTX", "value": "0x" + "00" * octets},
    }
    reach = [f"10.{number // 256}.{number % 256}.0/32" for number in range(prefixes)]
    return json.dumps(["R", seq, TIME, "UPDATE", {"reach": reach, "attrs": attrs}, {}], separators=(",", ":")) + "\n"


def attrs_in(path: Path) -> list[dict[str, Any]]:
    messages = map(json.loads, path.read_text().splitlines())
    return [{name: entry["value"] for name, entry in message[4]["attrs"].items()} for message in messages]


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (["--nexthop4", "10.0.0.1"], {"NEXTHOP": "10.0.0.1"}),
            (["--add-com", "65000:1"], {"COMMUNITY": ["65000:1"]}),
            (["--add-com", "65000:1,BLACKHOLE", "--add-com", '["1:2"]'], {"COMMUNITY": ["65000:1", "65535:666", "1:2"]}),
            (["--add-com-ext", TARGET], {"EXT_COMMUNITY": [json.loads(TARGET)]}),
            (["--add-com-ext", f"[{TARGET}]"], {"EXT_COMMUNITY": [json.loads(TARGET)]}),
            (["--add-com-ext", "TARGET:65000:1"], {"EXT_COMMUNITY": [json.loads(TARGET)]}),
            (["--add-com-large", "1:2:3,4:5:6"], {"LARGE_COMMUNITY": ["1:2:3", "4:5:6"]}),
            (["--set-med", "0"], {"MED": 0}),
            (["--set-local-pref", "4294967295"], {"LOCALPREF": 4294967295}),
            (["--prepend", "AS65000x2,as5"], {"ASPATH": [65000, 65000, 5, 1]}),
            (["--prepend", "65000x3"], {"ASPATH": [65000, 65000, 65000, 1]}),
            (["--prepend", "65000,1x2", "--prepend", "70000"], {"ASPATH": [65000, 1, 1, 70000, 1]}),
            (["--add-com", "1:1", "--drop-com"], {}),
            (["--add-com", "1:1,1:2", "--drop-com=1:1"], {"COMMUNITY": ["1:2"]}),
            (["--add-com-large", "1:1:1", "--drop-com-large=*"], {}),
            (["--add-com-ext", TARGET, "--drop-com-ext=TARGET:65000:1"], {}),
        ],
    )
    def test_each(self, options: list[str], expected: dict[str, Any], tmp_path: Path, target: Path) -> None:
        run("--", "read", write_lines(tmp_path / "x.json", line(1)), "--", "update", *options, "--", "write", target)
        (found,) = attrs_in(target)
        assert found == {"ORIGIN": "IGP", "ASPATH": [1], "NEXTHOP": "192.0.2.1"} | expected

    def test_drop_attributes(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", line(1))
        run("--", "read", source, "--", "update", "--drop-attr", "origin,3", "--drop-attr", "ATTR_99", "--", "write", target)
        assert attrs_in(target) == [{"ASPATH": [1]}]

    def test_what_may_stand_alone_takes_no_word(self) -> None:
        """As in the reference, where it is a flag."""
        words = ["update", "--drop-com", "--drop-com-ext", "--drop-com-large", "head"]
        pipe = Pipeline(words)
        assert [stage.command for stage in pipe.stages] == ["update", "head"]

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            (["--nexthop4", "::1"], "--nexthop4 '::1': expected an IPv4 address"),
            (["--nexthop6", "10.0.0.1"], "--nexthop6 '10.0.0.1': expected an IPv6 address, or one and a link-local one behind a comma"),
            (["--nexthop6", "::1,::2,::3"], "--nexthop6 '::1,::2,::3': expected an IPv6 address, or one and"),
            (["--add-com", "1:1,65000"], '--add-com: "65000", expected a community such as "65000:1"'),
            (["--add-com", "*"], '--add-com: "*", expected a community'),
            (["--add-com", "[1"], "--add-com: not JSON"),
            (["--add-com", "[1]"], '--add-com: "1", expected a community'),
            (["--add-com-ext", '{"type":1}'], "--add-com-ext: "),
            (["--add-com-large", "1:2"], '--add-com-large: "1:2", expected'),
            (["--drop-com=x"], '--drop-com: "x", expected a community'),
            (["--set-med", "4294967296"], "--set-med '4294967296': expected a whole number up to 4294967295"),
            (["--set-med", "-1"], "--set-med '-1': expected a whole number up to 4294967295"),
            (["--prepend", "0"], "--prepend '0': expected AS numbers, such as 65000, or 65000x3 for three times"),
            (["--prepend", "x3"], "--prepend 'x3': expected AS numbers"),
            (["--prepend", "1x"], "--prepend '1x': expected how often"),
            (["--prepend", "1x256"], "--prepend '1x256': expected how often an AS number goes there from 1 to 255, as in 65000x3"),
            (["--prepend", "1x200,2x56"], "--prepend: 256 AS numbers, 255 is the most"),
            (["--drop-attr", "MP_REACH"], "--drop-attr 'MP_REACH': expected attributes that hold no prefixes"),
            (["--drop-attr", "15"], "--drop-attr '15': expected attributes that hold no prefixes"),
            (["--drop-attr", "MEDD"], "--drop-attr: "),
            (["--add-com", ",".join(f"1:{n}" for n in range(1025))], "communities to add of more than 4096 octets: no message has room"),
            ([], "nothing to do: an option that says what to change is missing"),
            (["-LR", "--on-parse-error", "pass"], "nothing to do"),
        ],
    )
    def test_mistakes(self, options: list[str], text: str) -> None:
        with pytest.raises(UsageError) as caught:
            Pipeline(["update", *options])
        assert str(caught.value).startswith(f"stage 1 (update): {text}")


class TestNextHopSelf:
    def test_no_connection(self, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        pipe = run("read", write_lines(tmp_path / "x.json", line(1)), "update", "--nexthop-self", "write", target)
        assert pipe.exit_code == 1
        assert isinstance(pipe.failure, StageError)
        text = "bgpipe: stage 2 (update): --nexthop-self: no connection has told our address on it (R_LOCAL)\n"
        assert capfd.readouterr().err == text

    @pytest.mark.parametrize(("address", "expected"), [("10.0.0.9:179", "10.0.0.9"), ("[2001:db8::9]:41234", "192.0.2.1")])
    def test_by_direction(self, address: str, expected: str, tmp_path: Path, target: Path) -> None:
        pipe = Pipeline(["read", write_lines(tmp_path / "x.json", line(1)), "update", "--nexthop-self", "write", str(target)])
        pipe.values["R_LOCAL"] = address
        pipe.run_sync()
        assert [attrs["NEXTHOP"] for attrs in attrs_in(target)] == [expected]

    def test_a_given_one_wins(self, tmp_path: Path, target: Path) -> None:
        words = ["read", write_lines(tmp_path / "x.json", line(1)), "update", "--nexthop-self", "--nexthop4", "10.0.0.1"]
        pipe = Pipeline([*words, "write", str(target)])
        pipe.values["R_LOCAL"] = "10.0.0.9:179"
        pipe.run_sync()
        assert [attrs["NEXTHOP"] for attrs in attrs_in(target)] == ["10.0.0.1"]


class TestPipeline:
    def test_many(self, threads: str, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "x.json", lines(6000))
        before = tmp_path / "before.json"
        run(threads, "--", "read", source, "--", "write", before, "--", "update", "--set-med", "5", "--", "write", target)
        assert before.read_text() == lines(6000)
        assert [(attrs["ASPATH"], attrs["MED"]) for attrs in attrs_in(target)] == [([seq], 5) for seq in range(1, 6001)]

    @pytest.mark.parametrize(("fate", "left"), [("drop", [1, 3]), ("pass", [1, 2, 3])])
    def test_what_does_not_parse(
        self, fate: str, left: list[int], tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        source = write_lines(tmp_path / "x.json", line(1) + bad_line(2) + line(3))
        words = ["--", "read", source, "--", "update", "--on-parse-error", fate, "--set-med", "5", "--", "write", target]
        assert run(*words).exit_code == 0
        assert read_lines(target) == right(*left)
        assert capfd.readouterr().err.count("PARSE") == 1

    def test_divided(self, threads: str, tmp_path: Path, target: Path) -> None:
        """In place, and with the number and the tags of the one that came."""
        text = "".join(long_line(seq) if seq % 40 == 0 else line(seq) for seq in range(1, 1001))
        source = write_lines(tmp_path / "x.json", text)
        run(threads, "--", "read", source, "--", "update", "--prepend", "1x30", "--", "write", target)
        expected = [seq for seq in range(1, 1001) for _ in range(2 if seq % 40 == 0 else 1)]
        assert read_lines(target) == right(*expected)
        prefixes = [prefix for text in target.read_text().splitlines() for prefix in json.loads(text)[4]["reach"]]
        assert prefixes == [prefix for text in text.splitlines() for prefix in json.loads(text)[4]["reach"]]

    def test_an_end_behind_a_division(self, threads: str, tmp_path: Path, target: Path) -> None:
        """Output in front of it ends at the same message, whole as it came there."""
        source = write_lines(tmp_path / "x.json", lines(4) + long_line(5) + lines(5, first=6))
        before = tmp_path / "before.json"
        words = ["--", "read", source, "--", "write", before, "--", "update", "--prepend", "1x30"]
        for count, left in ((4, [1, 2, 3, 4]), (5, [1, 2, 3, 4, 5]), (6, [1, 2, 3, 4, 5, 5]), (7, [1, 2, 3, 4, 5, 5, 6])):
            run(threads, *words, "--", "head", "-n", str(count), "--", "write", target)
            assert read_lines(target) == right(*left)
            assert read_lines(before) == right(*dict.fromkeys(left))

    def test_too_long(self, threads: str, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        source = write_lines(tmp_path / "x.json", line(1) + long_line(2, 1, 4000) + line(3))
        pipe = Pipeline([threads, "--", "read", source, "--", "update", "--prepend", "1x60", "--", "write", str(target)])
        seen: list[tuple[str, int]] = []

        @pipe.on_event("update/too_long")
        def handler(event: Event) -> None:
            seen.append((str(event), event.index))

        assert pipe.execute() == 0
        assert seen == [("update/too_long", 1)]
        assert read_lines(target) == right(1, 3)
        text = "prefixes of message 2 are left out: they do not fit with their attributes"
        assert capfd.readouterr().err == f"bgpipe: warning: stage 2 (update): too_long: {text}\n"

    def test_killed_where_it_is_too_long(self, threads: str, tmp_path: Path, target: Path) -> None:
        text = lines(2) + long_line(3) + long_line(4, 1, 4000) + line(5)
        words = ["-l", "disabled", "--kill", "update/too_long", "--", "read", write_lines(tmp_path / "x.json", text)]
        before = tmp_path / "before.json"
        pipe = run(threads, *words, "--", "write", before, "--", "update", "--prepend", "1x60", "--", "write", target)
        assert pipe.exit_code == 1
        assert read_lines(target) == right(1, 2, 3, 3)
        assert read_lines(before) == right(1, 2, 3)

    def test_many_too_long(self, tmp_path: Path, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
        text = "".join(long_line(seq, 1, 4000) for seq in range(1, 14))
        run("--", "read", write_lines(tmp_path / "x.json", text), "--", "update", "--prepend", "1x60", "--", "write", target)
        *first, last = capfd.readouterr().err.splitlines()
        assert len(first) == 10
        assert last.endswith("too_long: 13 messages have prefixes that do not fit in all, 3 of them not shown")
        assert not target.exists()

    @pytest.mark.parametrize(
        ("words", "pure"),
        [([], True), (["--events", "all"], False), (["--kill", "update/too_long"], False), (["--kill", "PARSE"], True)],
    )
    def test_order_is_kept_only_for_events_that_someone_hears(self, words: list[str], pure: bool, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "x.json", line(1))
        pipe = run("-l", "disabled", *words, "--", "read", source, "--", "update", "--set-med", "1", "--", "write", tmp_path / "y.json")
        (stage,) = (stage for stage in pipe.stages if isinstance(stage, Update))
        assert stage.pure is pure
