"""The stage metrics: what it counts, and the text that Prometheus reads."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from lines import bad_line, line, lines, read_lines, write_lines
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import corpus
from bgpipe._codec import Batch, Buffer
from bgpipe._metrics import CountEncoder, Counters
from bgpipe._view import Msg
from bgpipe.errors import StageError, UsageError
from bgpipe.pipeline.engine import Pipeline
from bgpipe.stages.metrics import Metrics

MANY = 6_000  # lines: half a dozen blocks
KEEPALIVE = '["{}",{},"2025-01-01T00:00:00.000","KEEPALIVE",null,{{}}]\n'

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(params=[1, 2], ids=["1 thread", "2 threads"])
def threads(request: pytest.FixtureRequest) -> str:
    return f"--threads={request.param}"


@pytest.fixture
def mixed(tmp_path: Path) -> str:
    text = line(1) + line(1, "L") + KEEPALIVE.format("R", 2) + line(3) + KEEPALIVE.format("L", 2)
    return write_lines(tmp_path / "mixed.json", text)


def run(*words: str | Path) -> Pipeline:
    pipe = Pipeline([str(word) for word in words])
    pipe.run_sync()
    return pipe


def metrics(pipe: Pipeline, name: str = "metrics") -> Metrics:
    stage = pipe.stage(name)
    assert isinstance(stage, Metrics)
    return stage


def samples(text: str) -> Samples:
    """What a Prometheus server makes of it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Matching:
    """In place of the program of a filter."""

    def __init__(self, matches: bytes) -> None:
        self._matches = matches

    def matches(self, batch: Batch) -> bytes:
        return self._matches


class TestCounters:
    def counts(self, *matches: bytes) -> Buffer:
        out = Buffer()
        CountEncoder(map(Matching, matches)).encode(Msg.from_json(line(1)).batch, out)
        return out

    def test_matches_of_another_batch(self) -> None:
        with pytest.raises(ValueError, match="matches of 0 messages, for a batch of 1"):
            self.counts(b"")

    def test_counts_of_other_rules(self) -> None:
        with pytest.raises(ValueError, match="octets are no counts of 2 rules"):
            Counters(2).add(self.counts(b"\1"))

    def test_they_add_up(self) -> None:
        counters = Counters(2)
        for _ in range(3):
            counters.add(self.counts(b"\1", b"\0"))
        assert counters.messages() == {("R", 2): 3}
        assert counters.matches() == (3, 0)

    def test_nothing_for_no_messages(self) -> None:
        out = Buffer()
        CountEncoder([], directions="L").encode(Msg.from_json(line(1)).batch, out)
        assert len(out) == 0


class TestCounts:
    def test_directions_and_types(self, threads: str, mixed: str) -> None:
        pipe = run(threads, "--stdout", "--log=disabled", "--", "read", "-LR", "--new", "first", mixed, "--", "metrics", "-LR")
        assert metrics(pipe).messages == {("R", "UPDATE"): 2, ("R", "KEEPALIVE"): 1, ("L", "UPDATE"): 1, ("L", "KEEPALIVE"): 1}

    def test_only_its_directions(self, mixed: str, tmp_path: Path) -> None:
        pipe = run("--", "read", "-LR", "--new", "first", mixed, "--", "metrics", "--", "write", tmp_path / "x")
        assert metrics(pipe).messages == {("R", "UPDATE"): 2, ("R", "KEEPALIVE"): 1}
        assert metrics(pipe).matches == {}

    def test_many_blocks(self, threads: str, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY) + bad_line(MANY + 1))
        pipe = run("--log=disabled", threads, "--", "read", source, "--", "metrics", "--", "write", tmp_path / "x")
        assert metrics(pipe).messages == {("R", "UPDATE"): MANY + 1}

    def test_rules(self, threads: str, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY) + bad_line(MANY + 1) + KEEPALIVE.format("R", MANY + 2))
        rules = ["ipv4", "seven: as_origin == 7", "few: as_origin < 100"]
        pipe = run(threads, "--log=disabled", "--", "read", source, "--", "metrics", "-A", *rules, "--", "write", tmp_path / "x")
        assert metrics(pipe).matches == {"ipv4": MANY, "seven": 1, "few": 99}

    def test_what_was_dropped_or_skips_the_stage_is_not_counted(self, threads: str, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY))
        drop = tmp_path / "drop.py"
        drop.write_text("def process(msg):\n    return msg.seq % 2 == 1\n")
        words = ["--", "read", source, "--", "python", drop, "--", "metrics", "-A", "few: as_origin < 100", "--"]
        pipe = run(threads, *words, "@if", "metrics", "--if", "as_origin < 11", "--", "write", tmp_path / "x")
        assert metrics(pipe).messages == {("R", "UPDATE"): MANY // 2}
        assert metrics(pipe).matches == {"few": 50}
        assert metrics(pipe, "if").messages == {("R", "UPDATE"): 5}

    def test_sampled(self, threads: str, tmp_path: Path) -> None:
        """Messages beyond the rate pass by: they are neither counted nor lost, nor do rules match them."""
        source = write_lines(tmp_path / "source.json", lines(MANY))
        words = ["--", "read", source, "--", "metrics", "--rate-sample", "1000", "-A", "all: type == update", "none: type == open"]
        pipe = run(threads, *words, "--", "@behind", "metrics", "--", "write", tmp_path / "x")
        count = metrics(pipe).messages["R", "UPDATE"]
        assert 1000 <= count < MANY
        assert metrics(pipe).matches == {"all": count, "none": 0}
        assert metrics(pipe, "behind").messages == {("R", "UPDATE"): MANY}
        assert len(read_lines(tmp_path / "x")) == MANY

    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (["--kill=PARSE", "--", "READ", "--", "metrics", "-A", "all: seq > 0"], 1),
            (["--", "READ", "--", "metrics", "-A", "all: seq > 0", "--", "head", "-n", "100"], 0),
            (["--", "READ", "--", "metrics", "-A", "all: seq > 0", "--", "grep", "--kill-match", "seq == 102"], 1),
            (["--", "READ", "--", "metrics", "--stop", "PARSE", "-A", "all: seq > 0"], 0),
        ],
    )
    def test_where_a_message_ends_it(self, words: list[str], code: int, threads: str, tmp_path: Path) -> None:
        """What was read ahead, or stands behind that message in its batch, never got there and is not counted."""
        source = write_lines(tmp_path / "source.json", lines(100) + bad_line(101) + lines(MANY, first=102))
        at = words.index("READ")
        words = ["--log=disabled", threads, *words[:at], "read", source, *words[at + 1 :], "--", "write", str(tmp_path / "x")]
        pipe = Pipeline(words)
        assert pipe.execute() == code
        assert metrics(pipe).messages == {("R", "UPDATE"): 101 if {"--stop", "grep"} & {*words} else 100}
        assert metrics(pipe).matches == {"all": 100}

    @pytest.mark.parametrize("name", ["updates.20160811.1600.gz", "updates.example.bz2"])
    def test_real_messages(self, threads: str, name: str, tmp_path: Path) -> None:
        """The numbers are those that Python finds in the JSON."""
        rules = ["as_origin == 15169", "six: af == ipv6", "long: aspath_len > 5", "withdrawn: unreach"]
        path = corpus.folder() / "mrt" / name
        out = tmp_path / "m.prom"
        run(threads, "--", "read", path, "--", "metrics", "--output", out, "-A", *rules, "--", "write", tmp_path / "x.json")
        messages = [json.loads(text) for text in (tmp_path / "x.json").read_text().splitlines()]
        expected: Samples = {("bgpipe_metrics_messages_total", ()): len(messages)}
        for kind in ("open", "update", "notify", "keepalive", "refresh"):
            expected["bgpipe_metrics_messages_total", (("dir", "right"), ("type", kind))] = 0
        for kind, count in Counter(message[3].lower() for message in messages).items():
            expected["bgpipe_metrics_messages_total", (("dir", "right"), ("type", kind))] = count
        updates = [message[4] for message in messages if message[3] == "UPDATE"]
        for label, test in (
            ("as_origin == 15169", lambda update: path_of(update)[-1:] == [15169]),
            ("six", lambda update: any("IPV6" in update.get("attrs", {}).get(a, {}).get("value", {}).get("af", "") for a in ("MP_REACH", "MP_UNREACH"))),
            ("long", lambda update: len(path_of(update)) > 5),
            ("withdrawn", lambda update: bool(update.get("unreach")) or "MP_UNREACH" in update.get("attrs", {})),
        ):
            expected["bgpipe_metrics_match", (("filter", label),)] = sum(map(test, updates))
        assert samples(out.read_text()) == expected


def path_of(update: dict[str, object]) -> list[object]:
    """AS numbers of the path, a set as a list."""
    found = update.get("attrs", {}).get("ASPATH", {}).get("value", [])  # type: ignore[attr-defined]
    return found if isinstance(found, list) else []


class TestText:
    def test_whole(self, mixed: str, tmp_path: Path) -> None:
        out = tmp_path / "sub" / "m.prom"
        run("--", "read", "-LR", "--new", "first", mixed, "--", "metrics", "-LR", "--output", out, "-A", "four: ipv4", "--", "write", tmp_path / "x")
        label = "stage 2 (metrics)"
        expected = f"# HELP bgpipe_metrics_messages_total Messages that {label} has seen.\n# TYPE bgpipe_metrics_messages_total counter\n"
        expected += "bgpipe_metrics_messages_total 5.0\n"
        counts = {("right", "update"): 2, ("right", "keepalive"): 1, ("left", "update"): 1, ("left", "keepalive"): 1}
        for way in ("right", "left"):
            for kind in ("open", "update", "notify", "keepalive", "refresh"):
                expected += f'bgpipe_metrics_messages_total{{dir="{way}",type="{kind}"}} {float(counts.get((way, kind), 0))}\n'
        expected += f"# HELP bgpipe_metrics_match Messages that match a filter of {label}.\n# TYPE bgpipe_metrics_match untyped\n"
        expected += 'bgpipe_metrics_match{filter="four"} 3.0\n'
        assert out.read_text() == expected

    def test_labels_are_escaped(self, mixed: str, tmp_path: Path) -> None:
        out = tmp_path / "m.prom"
        label = 'a "quoted" \\ label\nof two lines'
        run("--", "read", mixed, "--", "metrics", "--output", out, "-A", f"{label}: ipv4", 'community == "1:2"', "--", "write", tmp_path / "x")
        found = [labels for name, labels in samples(out.read_text()) if name.endswith("match")]
        assert found == [(("filter", label),), (("filter", 'community == "1:2"'),)]

    def test_the_label_ends_at_the_first_colon_with_a_space(self, mixed: str) -> None:
        pipe = Pipeline(["--", "read", mixed, "--", "metrics", "-A", "a:b: ipv4", "x: tag[x] == \"y: z\""])
        assert list(metrics(pipe).matches) == ["a:b", "x"]

    def test_other_types(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "a.json", '["R",1,"2025-01-01T00:00:00.000","99","0x00",{}]\n')
        out = tmp_path / "m.prom"
        run("--", "read", source, "--", "metrics", "--output", out, "--", "write", tmp_path / "x")
        assert samples(out.read_text())["bgpipe_metrics_messages_total", (("dir", "right"), ("type", "99"))] == 1

    def test_names(self, mixed: str) -> None:
        words = ["metrics", "--", "@my-own", "metrics", "--", "metrics", "--", "@my_own", "metrics", "--", "@ünï", "metrics"]
        pipe = Pipeline(["-o", "--", "read", mixed, "--", *words])
        prefixes = [stage.prefix for stage in pipe.stages if isinstance(stage, Metrics)]
        assert prefixes == ["bgpipe_metrics", "bgpipe_my_own", "bgpipe_metrics_4", "bgpipe_my_own_5", "bgpipe__n_"]

    def test_a_stage_is_a_collector(self, mixed: str, tmp_path: Path) -> None:
        pipe = run("--", "read", mixed, "--", "metrics", "--", "write", tmp_path / "x")
        registry = CollectorRegistry()
        registry.register(metrics(pipe))
        assert samples(generate_latest(registry).decode())["bgpipe_metrics_messages_total", ()] == 5


class TestOutput:
    def test_it_appears_when_it_is_complete(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "source.json", lines(MANY))
        out = tmp_path / "m.prom"
        out.write_text("of the last run")
        pipe = Pipeline(["--", "read", source, "--", "metrics", "--output", str(out), "--", "write", str(tmp_path / "x")])
        seen = set()
        pipe.on_message(lambda msg: seen.add(out.read_text()) or msg)
        pipe.run_sync()
        assert seen == {"of the last run"}
        assert samples(out.read_text())["bgpipe_metrics_messages_total", ()] == MANY
        assert sorted(path.name for path in tmp_path.iterdir()) == ["m.prom", "source.json", "x"]

    def test_functions_are_called_in_front_of_outputs_and_not_of_counters(self, mixed: str, tmp_path: Path) -> None:
        pipe = Pipeline(["--", "read", mixed, "--", "metrics", "--", "write", str(tmp_path / "x")])
        pipe.on_message(lambda msg: None)
        pipe.run_sync()
        assert sum(metrics(pipe).messages.values()) == 5

    def test_in_an_event_loop(self, mixed: str, tmp_path: Path) -> None:
        pipe = Pipeline(["--", "read", mixed, "--", "metrics", "--", "write", str(tmp_path / "x")])

        @pipe.on_message
        async def later(msg: Msg) -> Msg:
            return msg

        pipe.run_sync()
        assert sum(metrics(pipe).messages.values()) == 5

    def test_without_messages(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "none.json", "")
        run("--", "read", source, "--", "metrics", "--output", tmp_path / "m.prom", "--", "write", tmp_path / "x")
        assert samples((tmp_path / "m.prom").read_text())["bgpipe_metrics_messages_total", ()] == 0

    def test_standard_output(self, mixed: str) -> None:
        words = ["read", mixed, "--", "metrics", "--output", "-"]
        done = subprocess.run([sys.executable, "-m", "bgpipe", "--", *words], capture_output=True, text=True, check=True)
        assert samples(done.stdout)["bgpipe_metrics_messages_total", ()] == 5

    def test_where_nothing_can_be_written(self, mixed: str, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StageError, match="file"):
            run("--log=disabled", "--", "read", mixed, "--", "metrics", "--output", tmp_path / "file" / "m.prom", "--", "write", tmp_path / "x")
        assert not (tmp_path / "x").exists()  # it is found out before anything is read

    def test_what_is_read_is_not_overwritten(self, mixed: str, tmp_path: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to(mixed)
        before = Path(mixed).read_text()
        with pytest.raises(UsageError, match=r"^stage 2 \(metrics\): stage 1 \(read\) reads .*/link"):
            run("-o", "--", "read", mixed, "--", "metrics", "--output", link)
        with open(mixed) as file:
            words = [sys.executable, "-m", "bgpipe", "--", "stdin", "--", "metrics", "--output", link]
            done = subprocess.run(words, stdin=file, capture_output=True, text=True, check=False)
        assert "it is the file that is being read" in done.stderr
        assert done.returncode == 1
        assert Path(mixed).read_text() == before
        assert not list(tmp_path.glob("*.tmp"))

    def test_nothing_is_left_where_another_stage_fails(self, mixed: str, tmp_path: Path) -> None:
        with pytest.raises(StageError):
            run("--log=disabled", "--", "read", mixed, "--", "metrics", "--output", tmp_path / "m", "--", "write", "/dev/null/x")
        assert [path.name for path in tmp_path.iterdir()] == ["mixed.json"]

    def test_a_fifo_stays_one(self, mixed: str, tmp_path: Path) -> None:
        path = tmp_path / "fifo"
        os.mkfifo(path)
        found: list[str] = []
        reader = threading.Thread(target=lambda: found.append(path.read_text()))
        reader.start()
        run("--", "read", mixed, "--", "metrics", "--output", path, "--", "write", tmp_path / "x")
        reader.join()
        assert samples(found[0])["bgpipe_metrics_messages_total", ()] == 5
        assert stat.S_ISFIFO(path.stat().st_mode)


class TestMistakes:
    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (["metrics", "-A", "a: ipv4", "a: ipv6"], "stage 2 (metrics): two filters have the label 'a'"),
            (["metrics", "-A", "a: ipv5"], "stage 2 (metrics): the filter 'a': "),
            (["metrics", "ipv4"], "stage 3: unknown command 'ipv4'"),
            (["metrics", "-A", " : ipv4"], "stage 2 (metrics): the filter ' : ipv4' has no label in front of its colon"),
            (["metrics", "-A", "a : ipv4", "a: ipv6"], "stage 2 (metrics): two filters have the label 'a'"),
            (["metrics", "-A"], "stage 2 (metrics): nothing follows -A, which takes filters"),
            (["metrics", "--output", "", "-A", "ipv4"], "stage 2 (metrics): --output '': expected a path"),
            (["metrics", "--output", "-A", "--", "tag"], "stage 2 (metrics): --output -A: expected a file; ./-A is one"),
            (["metrics", "--output", "m", "--", "metrics", "--output", "m"], "stage 3 (metrics): stage 2 (metrics) writes m already"),
            (["metrics", "--output", "m", "--", "write", "./m"], "stage 3 (write): stage 2 (metrics) writes ./m already"),
            (["write", "m", "--", "metrics", "--output", "m"], "stage 3 (metrics): stage 2 (write) writes m already"),
        ],
    )
    def test_mistakes(self, words: list[str], text: str, mixed: str) -> None:
        with pytest.raises(UsageError) as raised:
            Pipeline(["-o", "--", "read", mixed, "--", *words])
        assert str(raised.value).startswith(text)

    def test_a_label_without_a_space_behind_it(self, mixed: str) -> None:
        for text, told in (("google:as_origin == 15169", True), ("community == x:1", False), ("a:b: as_origin", False)):
            with pytest.raises(UsageError) as raised:
                Pipeline(["-o", "--", "read", mixed, "--", "metrics", "-A", text.replace("as_origin", "as_orig")])
            assert str(raised.value).endswith("; where google is to be a label, a space belongs behind its colon") == told
