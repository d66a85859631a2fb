"""tag: tags of messages, those of their peers and their own."""

from __future__ import annotations

import gc
import json
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

import pytest
from lines import bad_line, line, lines, run, write_lines

from bgpipe._codec import Batch, Buffer, RawDecoder
from bgpipe._json_reader import JsonDecoder
from bgpipe._mrt import MrtDecoder, MrtEncoder
from bgpipe._tag import Tagger
from bgpipe.bgp.causes import message
from bgpipe.errors import InputError, UsageError
from bgpipe.pipeline.engine import Pipeline

PEER = {"PEER_AS": "64496", "PEER_IP": "192.0.2.1", "COLLECTOR": "a"}


def tags_in(path: Path) -> list[dict[str, str]]:
    return [json.loads(text)[5] for text in path.read_text().splitlines()]


def batch_of(text: str) -> Batch:
    batch = JsonDecoder(block_size=4 << 20).read(BytesIO(text.encode()))
    assert batch is not None
    return batch


def tags_of(batch: Batch) -> list[dict[str, str]]:
    return [dict(msg.tags) for msg in batch]


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (["--add", "a=1"], PEER | {"a": "1"}),
            (["--add", "a=1,b=2", "--add", "c="], PEER | {"a": "1", "b": "2", "c": ""}),
            (["--add", "a=b=c"], PEER | {"a": "b=c"}),
            (["--add", "PEER_IP=::1"], PEER | {"PEER_IP": "::1"}),
            (["--drop", "COLLECTOR"], {"PEER_AS": "64496", "PEER_IP": "192.0.2.1"}),
            (["--drop", "COLLECTOR,PEER_AS", "--drop", "none"], {"PEER_IP": "192.0.2.1"}),
            (["--drop", "*"], {}),
            (["--drop", "*", "--add", "a=1"], {"a": "1"}),
            (["--drop", "a", "--add", "a=1"], PEER | {"a": "1"}),
            (["--src"], PEER | {"SRC": "read"}),
        ],
    )
    def test_each(self, options: list[str], expected: dict[str, str], tmp_path: Path) -> None:
        source = write_lines(tmp_path / "x.json", line(1, tags=PEER))
        run("--", "read", source, "--", "tag", *options, "--", "write", tmp_path / "y.json")
        (found,) = tags_in(tmp_path / "y.json")
        assert found == expected

    @pytest.mark.parametrize("text", ["a", "=1", "a=1,b"])
    def test_no_tag(self, text: str) -> None:
        with pytest.raises(UsageError, match=rf"^stage 1 \(tag\): --add '{text}': expected KEY=VALUE$"):
            Pipeline(["tag", "--add", text])

    def test_too_long(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 1 \(tag\): tag 'a' is longer than 65534 bytes$"):
            Pipeline(["tag", "--add", "a=" + "x" * 65535])

    def test_nothing_to_do(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 1 \(tag\): nothing to do: --add, --drop, --src or --errors is missing$"):
            Pipeline(["tag"])


class TestSource:
    def test_name_of_the_stage(self, tmp_path: Path) -> None:
        first = write_lines(tmp_path / "a.json", lines(2000))
        second = write_lines(tmp_path / "b.json", lines(2000, first=2001))
        run("--", "@a", "read", first, "--", "@b", "read", second, "--", "tag", "--src", "--", "write", tmp_path / "y.json")
        for text in (tmp_path / "y.json").read_text().splitlines():
            message = json.loads(text)
            assert message[5] == {"SRC": "a" if message[1] <= 2000 else "b"}

    def test_one_producer_needs_no_order(self) -> None:
        assert Pipeline(["read", "x", "tag", "--src"]).stages[1].pure
        assert not Pipeline(["read", "x", "read", "y", "tag", "--src"]).stages[2].pure


class TestMessages:
    @pytest.mark.parametrize("count", [1, 4])
    def test_many(self, count: int, tmp_path: Path) -> None:
        """More peers than the cache has slots, and several blocks of them."""
        peers = [PEER | {"PEER_AS": str(number)} for number in range(1, 701)]
        text = "".join(line(seq, tags=peers[seq % 700]) for seq in range(1, 4001))
        source = write_lines(tmp_path / "x.json", text)
        run(f"--threads={count}", "--", "read", source, "--", "tag", "--drop", "COLLECTOR", "--add", "x=1", "--", "write", tmp_path / "y.json")
        expected = [dict(PEER, PEER_AS=str(seq % 700 + 1), x="1") for seq in range(1, 4001)]
        for tags in expected:
            del tags["COLLECTOR"]
        assert tags_in(tmp_path / "y.json") == expected

    def test_directions(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "x.json", line(1) + line(2, "L"))
        run("--", "read", "-LR", "--new", "first", source, "--", "tag", "-L", "--add", "a=1", "--", "write", "-LR", tmp_path / "y.json")
        run("--", "write", "-LR", tmp_path / "z.json", "--", "tag", "-L", "--add", "a=1", "--", "read", "-LR", "--new", "first", source)
        assert tags_in(tmp_path / "y.json") == [{}]
        assert tags_in(tmp_path / "z.json") == [{"a": "1"}]

    def test_without_any(self) -> None:
        batch = batch_of(lines(2))
        Tagger({"a": "1"}, []).apply(batch, 3)
        assert tags_of(batch) == [{"a": "1"}] * 2

    def test_own_ones(self) -> None:
        """They stand in front of those of the peer, and must not hide what is added, nor show what is dropped."""
        batch = batch_of(line(1, tags=PEER) * 6)
        one, two, three, four, five, _ = batch
        one.tags["a"] = "own"
        two.tags["COLLECTOR"] = "own"
        two.tags["b"] = "own"
        del three.tags["PEER_IP"]
        del four.tags["COLLECTOR"]
        five.tags = {"z": "own"}
        Tagger({"a": "1"}, ["COLLECTOR"]).apply(batch, 3)
        rest = {"PEER_AS": "64496", "PEER_IP": "192.0.2.1", "a": "1"}
        assert tags_of(batch) == [
            rest,
            rest | {"b": "own"},
            {"PEER_AS": "64496", "a": "1"},
            rest,
            {"z": "own", "a": "1"},
            rest,
        ]
        assert [json.loads(msg.to_json())[5] for msg in batch] == tags_of(batch)
        Tagger({"c": "2"}, ["*"]).apply(batch, 3)
        assert tags_of(batch) == [{"c": "2"}] * 6

    def test_a_copy_outlives_the_batch(self) -> None:
        batch = batch_of(line(1, tags=PEER))
        Tagger({"a": "1"}, []).apply(batch, 3)
        (msg,) = (msg.copy() for msg in batch.part(0, 1))
        del batch
        assert msg.tags == PEER | {"a": "1"}

    def test_unseen_ones_keep_theirs(self) -> None:
        batch = batch_of(line(1) + line(2))
        next(iter(batch)).dropped = True
        Tagger({"a": "1"}, []).apply(batch, 3)
        next(iter(batch)).dropped = False
        assert tags_of(batch)[-1] == {"a": "1"}

    def test_peers_without_end(self) -> None:
        """Its table does not grow for ever."""
        tagger = Tagger({"a": "1"}, [])
        for block in range(0, 69_000, 3_000):
            batch = batch_of("".join(line(1, tags={"n": str(seq)}) for seq in range(block, block + 3_000)))
            tagger.apply(batch, 3)
            assert tags_of(batch) == [{"n": str(seq), "a": "1"} for seq in range(block, block + 3_000)]

    def test_lanes_that_come_in_between(self) -> None:
        """Wherever objects are made, another thread may have its turn: here, the collector stands for it."""
        tagger = Tagger({"a": "1"}, [])
        batch = batch_of("".join(line(1, tags={"n": str(seq)}) for seq in range(400)))
        value = "x" * 60_000
        between = 0

        def another(phase: str, info: dict[str, int]) -> None:
            nonlocal between
            if phase == "start" and between < 100:
                between += 1
                tags = ({"other": f"{between} {number} {value}"} for number in range(13))
                tagger.apply(batch_of("".join(line(1, tags=each) for each in tags)), 3)

        threshold = gc.get_threshold()
        gc.callbacks.append(another)
        gc.set_threshold(10)
        try:
            tagger.apply(batch, 3)
        finally:
            gc.set_threshold(*threshold)
            gc.callbacks.remove(another)
        assert between
        junk = [bytes([255]) * size for size in range(1, 300) for _ in range(100)]  # into memory that was freed
        assert tags_of(batch) == [{"n": str(seq), "a": "1"} for seq in range(400)]
        assert junk

    def test_too_long(self) -> None:
        with pytest.raises(InputError, match="longer than 65534 bytes"):
            Tagger({"a" * 65535: ""}, [])


class TestErrors:
    def test_those_that_parse_and_those_that_do_not(self, tmp_path: Path) -> None:
        """A filter matches what parses alone, so that grep wants --on-parse-error to show all that is tagged."""
        without_origin = '{"reach":["192.0.2.0/24"],"attrs":{"ASPATH":[64496],"NEXTHOP":"192.0.2.1"}}\n'
        source = write_lines(tmp_path / "x.json", line(1) + without_origin + bad_line(3))
        found = []
        for options in ([], ["--on-parse-error", "pass"]):
            stages = ["tag", "--errors", "--", "grep", *options, "tag[error/action]"]
            run("--", "read", source, "--", *stages, "--", "write", tmp_path / "y.json")
            found.append(tags_in(tmp_path / "y.json"))
        wrong = {"error/action": "treat-as-withdraw", "error/fields": "ORIGIN"}
        assert found == [[wrong], [wrong, {"error/action": "session-reset", "error/fields": "lengths"}]]


class TestSessions:
    """Addresses that no tags tell of, as the messages of a session have them."""

    ENDS = MappingProxyType({"PEER_IP": "192.0.2.1", "PEER_AS": "65001", "LOCAL_IP": "192.0.2.9", "LOCAL_AS": "65002"})

    @pytest.mark.parametrize(
        ("steps", "in_mrt"),
        [
            ([({"a": "b"}, ()), ({"c": "d"}, ("a",))], ENDS),
            ([({"a": "b"}, ()), ({}, ("*",))], ENDS),
            ([({"a": "b"}, ()), ({"PEER_AS": "5"}, ())], {"PEER_AS": "5"}),
        ],
    )
    def test_stay_unless_a_tag_says_otherwise(
        self, steps: list[tuple[dict[str, str], tuple[str, ...]]], in_mrt: dict[str, str]
    ) -> None:
        decoder = RawDecoder()
        decoder.come_from(dict(self.ENDS), False)
        taggers = [Tagger(add, drop) for add, drop in steps]
        for _ in range(2):  # what a peer becomes is found out once
            batch = decoder.feed(message(4))
            expected: dict[str, str] = {}
            for tagger, (add, drop) in zip(taggers, steps, strict=True):
                tagger.apply(batch, 3)
                expected = {key: value for key, value in expected.items() if not {key, "*"} & set(drop)} | add
            assert tags_of(batch) == [expected]
            out = Buffer()
            MrtEncoder().encode(batch, out)
            again = MrtDecoder().read(BytesIO(bytes(out)))
            assert again is not None
            assert tags_of(again) == [in_mrt]

    def test_different_tags_at_the_same_end(self) -> None:
        """Messages of one peer that have come by different ways stay apart."""
        decoder = RawDecoder()
        decoder.come_from(dict(self.ENDS), False)
        one, other = decoder.feed(message(4)), decoder.feed(message(4))
        Tagger({"way": "one"}, ()).apply(one, 3)
        both = Tagger({"both": "yes"}, ())
        both.apply(one, 3)
        both.apply(other, 3)
        assert tags_of(one) + tags_of(other) == [{"way": "one", "both": "yes"}, {"both": "yes"}]
