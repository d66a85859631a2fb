"""--rate-limit and --rate-sample, on a clock that only sleeping moves."""

from __future__ import annotations

from pathlib import Path

import pytest
from lines import lines, read_lines, right, write_lines

from bgpipe.errors import UsageError
from bgpipe.formats import decoder
from bgpipe.pipeline import rate, threads
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.rate import Bucket


class Clock:
    """Stands for the module time."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.slept_s += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rate, "time", clock)
    monkeypatch.setattr(threads, "time", clock)
    return clock


def run(*words: str | Path) -> Pipeline:
    pipe = Pipeline([str(word) for word in words])
    assert pipe.execute() == 0
    return pipe


class TestBucket:
    def test_starts_full(self) -> None:
        assert Bucket(2.5).available() == 3

    def test_fills_with_time_and_no_further(self, clock: Clock) -> None:
        bucket = Bucket(10)
        bucket.take(10)
        assert bucket.available() == 0
        clock.sleep(0.55)
        assert bucket.available() == 5
        clock.sleep(60)
        assert bucket.available() == 10

    def test_less_than_one_a_second(self, clock: Clock) -> None:
        bucket = Bucket(0.1)
        bucket.take(1)
        clock.sleep(9.9)
        assert bucket.available() == 0
        clock.sleep(0.2)
        assert bucket.available() == 1

    def test_debt(self, clock: Clock) -> None:
        bucket = Bucket(4)
        bucket.take(6)
        assert bucket.debt_s() == pytest.approx(0.5)
        clock.sleep(0.5)
        assert bucket.debt_s() == pytest.approx(0)


class TestLimit:
    def test_a_producer_waits(self, tmp_path: Path, clock: Clock) -> None:
        source = write_lines(tmp_path / "a.json", lines(500))
        run("--", "read", "--rate-limit", "100", source, "--", "write", tmp_path / "b.json")
        assert read_lines(tmp_path / "b.json") == right(*range(1, 501))
        assert clock.slept_s == pytest.approx(4, abs=0.06)

    def test_a_stage_that_looks_waits(self, tmp_path: Path, clock: Clock) -> None:
        source = write_lines(tmp_path / "a.json", lines(500))
        run("--", "read", source, "--", "write", "--rate-limit", "50", tmp_path / "b.json")
        assert (tmp_path / "b.json").read_text() == lines(500)
        assert clock.slept_s == pytest.approx(9, abs=0.06)

    def test_several_producers_wait_each_for_itself(self, tmp_path: Path, clock: Clock) -> None:
        fast = write_lines(tmp_path / "a.json", lines(300))
        slow = write_lines(tmp_path / "b.json", lines(300, first=301))
        out = tmp_path / "out.json"
        run("--", "read", fast, "--", "read", "--rate-limit", "100", slow, "--", "write", out)
        numbers = [number for _, number in read_lines(out)]
        assert sorted(numbers) == list(range(1, 601))
        assert [number for number in numbers if number > 300] == list(range(301, 601))
        assert clock.slept_s == pytest.approx(2, abs=0.06)

    def test_nobody_waits_once_it_ends(
        self, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = write_lines(tmp_path / "a.json", lines(500))
        pipe = Pipeline(["--", "read", "--rate-limit", "10", source, "--", "write", str(tmp_path / "b.json")])
        sleep = clock.sleep

        def end_amid(seconds: float) -> None:
            sleep(seconds)
            pipe.end()

        monkeypatch.setattr(clock, "sleep", end_amid)
        assert pipe.execute() == 0
        assert (tmp_path / "b.json").read_text() == lines(500)  # what was read goes out
        assert 0 < clock.slept_s <= 0.1


class TestSample:
    def test_what_is_beyond_passes_the_stage_by(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "a.json", lines(400))
        some, everything = tmp_path / "some.json", tmp_path / "all.json"
        run("--", "read", source, "--", "write", "--rate-sample", "25", some, "--", "write", everything)
        assert everything.read_text() == lines(400)
        numbers = [number for _, number in read_lines(some)]
        assert len(numbers) == 25
        assert numbers == sorted(set(numbers))

    @pytest.mark.parametrize("end", ["head -n 250", "@end grep --keep --kill-match 'seq == 251'"])
    def test_what_was_chosen_stays_chosen_where_the_batch_is_cut(self, end: str, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "a.json", lines(400))
        some, everything = tmp_path / "some.json", tmp_path / "all.json"
        Pipeline(
            f"--log=disabled -- read {source} -- write --rate-sample 300 {some} -- {end} -- write {everything}"
        ).execute()
        assert everything.read_text() == lines(250)
        numbers = [number for _, number in read_lines(some)]
        assert 150 <= len(numbers) <= 250
        assert numbers == sorted(set(numbers))

    def test_more_tokens_than_a_batch_can_have_messages(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "a.json", lines(400))
        for number in ("5e9", "1e300"):
            for option in ("--rate-sample", "--rate-limit"):
                words = ("read", option, number, source, "--", "write", option, number, tmp_path / "b.json")
                run(*words)
                assert len(read_lines(tmp_path / "b.json")) == 400

    def test_what_a_producer_makes_beyond_is_dropped(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "a.json", lines(400))
        run("--", "read", "--rate-sample", "24.5", source, "--", "write", tmp_path / "b.json")
        assert len(read_lines(tmp_path / "b.json")) == 25

    def test_all_are_as_likely(self) -> None:
        seen = [0] * 20
        for _ in range(4000):
            batch = next_batch(lines(20))
            batch.sample(5)
            assert batch.visible() == 5
            batch.sample(0, drop=True)
            for msg in batch:
                seen[msg.seq - 1] += 1
        assert sum(seen) == 4000 * 15  # what was hidden stayed
        assert all(2700 < count < 3300 for count in seen)  # 3000, give or take eleven standard deviations

    def test_directions_are_sampled_apart(self) -> None:
        batch = next_batch(lines(10) + lines(10, "L"))
        batch.sample(3, 2)
        assert (batch.visible(1), batch.visible(2), batch.visible()) == (10, 3, 13)
        batch.reveal()
        assert batch.visible() == 20


def next_batch(text: str):  # type: ignore[no-untyped-def]
    import io

    batch = decoder("json").read(io.BytesIO(text.encode()))
    assert batch is not None
    return batch


class TestOptions:
    def test_one_or_the_other(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"stage 1 \(read\): --rate-limit and --rate-sample exclude each other"):
            Pipeline(["read", "--rate-limit", "5", "--rate-sample", "5", "x"])

    @pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "many"])
    def test_bad_rates(self, value: str) -> None:
        with pytest.raises(UsageError, match=f"--rate-limit '{value}': expected a number above 0"):
            Pipeline(["read", f"--rate-limit={value}", "x"])
