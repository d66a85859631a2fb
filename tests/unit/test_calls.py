"""Functions called with the messages of a batch, and the batch that comes of it."""

from __future__ import annotations

import gc
import io
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest
from lines import bad_line, line, lines

from bgpipe._calls import Calls, gather
from bgpipe._codec import Batch, Buffer
from bgpipe._json import JsonEncoder
from bgpipe._json_reader import JsonDecoder
from bgpipe._view import Msg


def batch_of(text: str) -> Batch:
    batch = JsonDecoder().read(io.BytesIO(text.encode()))
    assert batch is not None
    return batch


def encoded(batch: Batch) -> str:
    out = Buffer()
    JsonEncoder().encode(batch, out)
    return bytes(out).decode()


def numbers(batch: Batch) -> list[int]:
    return [msg.seq for msg in batch]


def fail(error: Exception) -> bool:
    raise AssertionError("it is not to raise") from error


def called(function: Callable[[Msg], object], batch: Batch, *wanted: object) -> Batch:
    """What goes on for a batch whose messages a function was called with, one by one."""
    calls = Calls(batch, *wanted)  # type: ignore[arg-type]
    calls.each(function, fail)
    assert not calls.turned
    return calls.finish() or batch


def together(function: Callable[[Batch], object], batch: Batch, *wanted: object) -> Batch:
    """The same for a function that takes them together."""
    calls = Calls(batch, *wanted)  # type: ignore[arg-type]
    chosen = calls.chosen()
    assert chosen is not None
    calls.replace(function(chosen))
    assert not calls.turned
    return calls.finish() or batch


class TestWhichAreMeant:
    def seen(self, batch: Batch, *wanted: object) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        called(lambda msg: found.append((msg.dir, msg.seq)) or msg, batch, *wanted)
        return found

    def test_all_but_those_that_no_stage_sees(self) -> None:
        batch = batch_of(lines(3) + line(4, tags={"ACTION": "ACCEPT"}))
        next(iter(batch)).dropped = True
        assert self.seen(batch) == [("R", 2), ("R", 3)]

    def test_hidden_ones_stay_where_they_are(self) -> None:
        batch = batch_of(lines(9))
        batch.sample(2)
        assert len(self.seen(batch)) == 2
        after = called(lambda msg: (msg, msg), batch)
        after.reveal()
        assert sorted(set(numbers(after))) == list(range(1, 10))
        assert len(after) == 11

    def test_directions(self) -> None:
        batch = batch_of(line(1) + line(2, "L") + line(3))
        assert self.seen(batch, 1) == [("R", 1), ("R", 3)]
        assert self.seen(batch, 2) == [("L", 2)]

    def test_types(self) -> None:
        batch = batch_of(line(1) + '["R",2,"2025-01-01T00:00:00.000","KEEPALIVE",null,{}]\n')
        assert self.seen(batch, 3, 1 << 4) == [("R", 2)]

    def test_matches(self) -> None:
        assert self.seen(batch_of(lines(4)), 3, 0xFFFFFFFF, b"\0\1\0\1") == [("R", 2), ("R", 4)]

    def test_matches_of_another_batch(self) -> None:
        with pytest.raises(ValueError, match="matches of 3 messages, for a batch of 4"):
            Calls(batch_of(lines(4)), 3, 0xFFFFFFFF, b"\1\1\1")


class TestOneByOne:
    def test_what_is_passed_is_the_same_batch(self) -> None:
        batch = batch_of(lines(3))
        for function in (lambda msg: msg, lambda msg: True, lambda msg: [msg], lambda msg: (m for m in [msg])):
            assert called(function, batch) is batch
        assert encoded(batch) == lines(3)

    def test_another_view_of_the_same_message_is_the_same_message(self) -> None:
        batch = batch_of(lines(3))
        assert called(lambda msg: list(batch)[msg.index], batch) is batch
        assert len(batch) == 3

    @pytest.mark.parametrize("nothing", [None, False, [], ()])
    def test_drop(self, nothing: object) -> None:
        batch = batch_of(lines(4))
        assert called(lambda msg: msg if msg.seq % 2 else nothing, batch) is batch
        assert numbers(batch) == [1, 3]

    def test_dropped_by_itself(self) -> None:
        def drop(msg: Msg) -> Msg:
            msg.dropped = True
            return msg

        assert numbers(called(drop, batch_of(lines(3)))) == []

    def test_edited(self) -> None:
        def prepend(msg: Msg) -> Msg:
            msg.update.as_path.prepend(65000)
            msg.tags["seen"] = "yes"
            return msg

        after = called(prepend, batch_of(lines(2)))
        assert [(str(msg.update.as_path), msg.tags["seen"]) for msg in after if msg.update] == [("65000 1", "yes"), ("65000 2", "yes")]

    def test_replaced_by_a_new_one(self) -> None:
        after = called(lambda msg: Msg.from_json(line(msg.seq + 100)) if msg.seq == 2 else msg, batch_of(lines(3)))
        assert encoded(after) == line(1) + line(102) + line(3)

    def test_several_in_place(self) -> None:
        def around(msg: Msg) -> Iterator[Msg]:
            yield Msg.from_json(line(msg.seq * 10))
            yield msg
            yield Msg.from_json(line(msg.seq * 10 + 1))

        assert numbers(called(around, batch_of(lines(3)))) == [10, 1, 11, 20, 2, 21, 30, 3, 31]

    def test_one_twice(self) -> None:
        after = called(lambda msg: [msg, msg], batch_of(lines(2)))
        assert numbers(after) == [1, 1, 2, 2]
        first, second, *_ = after
        first.update.as_path.prepend(65000)  # type: ignore[union-attr]
        assert (str(first.update.as_path), str(second.update.as_path)) == ("65000 1", "1")  # type: ignore[union-attr]

    def test_edited_and_put_twice(self) -> None:
        def double(msg: Msg) -> list[Msg]:
            copy = msg.copy()
            copy.update.as_path.prepend(65001)
            msg.update.as_path.prepend(65000)
            return [copy, msg]

        after = called(double, batch_of(line(7)))
        assert [str(msg.update.as_path) for msg in after if msg.update] == ["65001 7", "65000 7"]

    def test_of_other_batches(self) -> None:
        kept: list[Msg] = []

        def swap(msg: Msg) -> Msg | None:
            kept.append(msg)
            return kept[-2] if len(kept) > 1 else None

        assert numbers(called(swap, batch_of(lines(3)))) == [1, 2]
        assert numbers(called(swap, batch_of(lines(3, first=4)))) == [3, 4, 5]

    def test_one_of_the_same_batch_that_comes_later(self) -> None:
        def ahead(msg: Msg) -> list[Msg]:
            return [msg, list(msg.batch)[-1]] if msg.seq == 1 else [msg]

        assert numbers(called(ahead, batch_of(lines(3)))) == [1, 3, 2, 3]

    def test_a_batch(self) -> None:
        assert numbers(called(lambda msg: batch_of(lines(2, first=8)), batch_of(lines(2)))) == [8, 9, 8, 9]

    def test_without_a_number_it_has_that_of_the_message_whose_place_it_takes(self) -> None:
        after = called(lambda msg: [msg, Msg.make("KEEPALIVE")], batch_of(lines(2, first=5)))
        assert [(msg.type, msg.seq) for msg in after] == [("UPDATE", 5), ("KEEPALIVE", 5), ("UPDATE", 6), ("KEEPALIVE", 6)]

    def test_the_other_direction(self) -> None:
        calls = Calls(batch_of(lines(2)), 1)
        calls.each(lambda msg: [msg, Msg.make("KEEPALIVE", direction="L")], fail)
        assert calls.finish() is None
        assert [(msg.dir, msg.type) for msg in gather(calls.turned)] == [("L", "KEEPALIVE")] * 2

    def test_both_directions_are_in_place_where_both_are_seen(self) -> None:
        after = called(lambda msg: [msg, Msg.make("KEEPALIVE", direction="L")], batch_of(line(1)), 3)
        assert [msg.dir for msg in after] == ["R", "L"]

    def test_what_does_not_parse_is_told_once(self) -> None:
        batch = batch_of(line(1) + bad_line(2) + bad_line(3))
        batch.check()
        after = called(lambda msg: Msg.make("KEEPALIVE") if msg.seq == 2 else [msg, msg] if msg.seq == 1 else msg, batch)
        assert after.failed == 2
        assert [index for index, _ in after.failures()] == [2, 4]

    def test_a_message_that_is_cut_off_meanwhile(self) -> None:
        def cut(msg: Msg) -> Msg:
            if msg.seq == 2:
                msg.batch.cut(1)
            return msg

        assert numbers(called(cut, batch_of(lines(3)))) == [1]

    def test_the_tags_of_its_peer_stay(self) -> None:
        kept: list[Msg] = []
        called(lambda msg: kept.append(msg) or msg, batch_of(line(1, tags={"PEER_AS": "64500"})))
        gc.collect()
        after = called(lambda msg: [msg, *kept], batch_of(line(2)))
        kept[0] = kept[0].copy()
        gc.collect()
        assert [dict(msg.tags) for msg in after] == [{}, {"PEER_AS": "64500"}]
        assert dict(kept[0].tags) == {"PEER_AS": "64500"}


class TestFailures:
    def test_it_is_as_it_came(self) -> None:
        raised: list[Exception] = []

        def half(msg: Msg) -> Msg:
            msg.update.as_path.prepend(65000)
            msg.tags["half"] = "done"
            if msg.seq == 2:
                raise ValueError("never mind")
            return msg

        batch = batch_of(lines(3))
        Calls(batch).each(half, lambda error: bool(raised.append(error)) or True)
        assert [str(error) for error in raised] == ["never mind"]
        assert [str(msg.update.as_path) for msg in batch if msg.update] == ["65000 1", "2", "65000 3"]
        assert [dict(msg.tags) for msg in batch] == [{"half": "done"}, {}, {"half": "done"}]

    def test_it_is_over_where_failed_says_so(self) -> None:
        seen: list[int] = []

        def broken(msg: Msg) -> Msg:
            seen.append(msg.seq)
            raise KeyError

        Calls(batch_of(lines(3))).each(broken, lambda error: False)
        assert seen == [1]

    def test_an_iterator_that_fails_puts_nothing(self) -> None:
        def one_then_none(msg: Msg) -> Iterator[Msg]:
            yield msg.copy()
            raise ValueError

        batch = batch_of(lines(2))
        calls = Calls(batch)
        calls.each(one_then_none, lambda error: True)
        assert calls.finish() is None
        assert encoded(batch) == lines(2)

    @pytest.mark.parametrize(
        ("result", "text"),
        [
            (5, r"it returned 5 \(int\): expected the message, None to drop it, or several messages"),
            ("text", r"it returned 'text' \(str\)"),
            (b"", r"it returned b'' \(bytes\)"),
            ({}, r"it returned {} \(dict\)"),
            ([1], r"among what it returned is 1 \(int\): expected messages"),
            (["x" * 90], r"among what it returned is 'x{56}\.\.\. \(str\)"),
        ],
    )
    def test_what_is_no_message(self, result: object, text: str) -> None:
        for take in (Calls.settle, Calls.replace):
            calls = Calls(batch_of(lines(1)))
            calls.chosen() if take is Calls.replace else calls.next()
            with pytest.raises(TypeError, match=text):
                take(calls, result)
            assert calls.finish() is None

    def test_a_coroutine(self) -> None:
        async def later(msg: Msg) -> Msg:
            return msg

        calls = Calls(batch_of(lines(1)))
        coroutine = later(calls.next())  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="declare it with async def"):
            calls.settle(coroutine)
        coroutine.close()

    def test_what_is_raised_again_comes_through(self) -> None:
        def interrupt(msg: Msg) -> Msg:
            raise KeyboardInterrupt

        def again(error: BaseException) -> bool:
            raise error

        with pytest.raises(KeyboardInterrupt):
            Calls(batch_of(lines(1))).each(interrupt, again)

    def test_it_is_as_it_came_after_any_number_of_edits(self) -> None:
        """What edits leave behind in a batch goes between the calls, and not before one is over."""

        def edit(msg: Msg) -> Msg:
            for number in range(2_000):
                msg.tags = {"long": f"{number}" * 1000}
                msg.update.med = number
            if msg.seq % 2:
                raise ValueError
            return msg

        for asynchronous in (False, True):
            batch = batch_of(lines(6, first=1))
            calls = Calls(batch)
            if not asynchronous:
                calls.each(edit, lambda error: True)
            while asynchronous and (msg := calls.next()) is not None:
                try:
                    calls.settle(edit(msg))
                except ValueError:
                    calls.restore()
            assert calls.finish() is None
            assert encoded(batch).splitlines()[::2] == lines(6).splitlines()[::2]
            assert {len(msg.tags["long"]) for msg in batch if msg.seq % 2 == 0} == {4000}

    def test_place(self) -> None:
        batch = batch_of(lines(3))
        calls = Calls(batch)
        calls.next()
        assert calls.place() == (batch, 0)
        calls.settle([Msg.make("KEEPALIVE"), *batch][:2])
        calls.next()
        after, index = calls.place()
        assert index == 2
        assert list(after)[2].seq == 2
        assert calls.finish() is after


class TestTogether:
    def test_the_same_batch(self) -> None:
        for function in (lambda batch: batch, lambda batch: True, list):
            assert encoded(together(function, batch_of(lines(3)))) == lines(3)

    @pytest.mark.parametrize("nothing", [None, False, []])
    def test_nothing(self, nothing: object) -> None:
        assert numbers(together(lambda batch: nothing, batch_of(lines(3)), 3, 0xFFFFFFFF, b"\1\0\1")) == [2]

    def test_edited_and_dropped(self) -> None:
        def change(batch: Batch) -> Batch:
            for msg in batch:
                msg.update.as_path.prepend(65000)
                msg.dropped = msg.seq == 3
            return batch

        after = together(change, batch_of(lines(4)), 3, 0xFFFFFFFF, b"\1\0\1\1")
        assert [str(msg.update.as_path) for msg in after if msg.update] == ["65000 1", "2", "65000 4"]

    def test_only_those_that_are_meant(self) -> None:
        batch = batch_of(lines(4))
        calls = Calls(batch, 3, 0xFFFFFFFF, b"\0\1\0\1")
        chosen = calls.chosen()
        assert chosen is not None
        assert numbers(chosen) == [2, 4]
        assert Calls(batch, 3, 0xFFFFFFFF, b"\0\0\0\0").chosen() is None

    def test_others_stay_in_their_places(self) -> None:
        extra = Msg.from_json(line(77))

        def some(batch: Batch) -> list[Msg]:
            return [extra, *list(batch)[1:], extra]

        assert numbers(together(some, batch_of(lines(7)), 3, 0xFFFFFFFF, b"\0\1\0\1\0\1\0")) == [77, 1, 3, 4, 5, 6, 77, 7]

    def test_another_order(self) -> None:
        assert numbers(together(lambda batch: list(batch)[::-1], batch_of(lines(3)))) == [3, 2, 1]
        after = together(lambda batch: list(batch)[::-1], batch_of(lines(5)), 3, 0xFFFFFFFF, b"\0\1\0\1\0")
        assert numbers(after) == [1, 3, 4, 2, 5]

    def test_one_twice(self) -> None:
        assert numbers(together(lambda batch: [msg for msg in batch for _ in "ab"], batch_of(lines(2)))) == [1, 1, 2, 2]

    def test_the_other_direction(self) -> None:
        calls = Calls(batch_of(lines(2)), 1)
        chosen = calls.chosen()
        assert chosen is not None
        calls.replace([*chosen, Msg.make("KEEPALIVE", direction="L")])
        after = calls.finish()
        assert after is not None
        assert numbers(after) == [1, 2]
        assert [msg.dir for msg in calls.turned] == ["L"]

    def test_edits_are_not_there_where_it_failed(self) -> None:
        batch = batch_of(lines(2))
        calls = Calls(batch)
        for msg in calls.chosen() or ():
            msg.update.as_path.prepend(65000)  # type: ignore[union-attr]
        assert calls.finish() is None
        assert encoded(batch) == lines(2)

    def test_dropped_where_it_failed(self) -> None:
        batch = batch_of(lines(3))
        calls = Calls(batch, 3, 0xFFFFFFFF, b"\1\0\1")
        calls.chosen()
        calls.drop_chosen()
        assert calls.finish() is None
        assert numbers(batch) == [2]

    def test_cut(self) -> None:
        def shorter(batch: Batch) -> Batch:
            batch.cut(1)
            return batch

        assert numbers(together(shorter, batch_of(lines(4)), 3, 0xFFFFFFFF, b"\1\0\1\1")) == [1, 2]


class TestWhatIsKept:
    def test_views_stay_valid(self) -> None:
        kept: list[Msg] = []
        after = called(lambda msg: kept.append(msg) or [msg, msg.copy()], batch_of(lines(500)))
        together(lambda batch: kept.extend(batch) or batch, after)
        del after
        gc.collect()
        assert [msg.seq for msg in kept[:500]] == list(range(1, 501))
        assert {str(msg.update.as_path) for msg in kept if msg.update} == {str(n) for n in range(1, 501)}

    def test_no_batch_outlives_its_messages(self) -> None:
        class Owner:
            def __call__(self, batch: Batch) -> None:
                """As Batch.completion: something of the batch that can be watched."""

        gc.disable()
        try:
            for keep in (together, called):
                batch = batch_of(lines(3))
                batch.completion = owner = Owner()
                watch = weakref.ref(owner)
                del owner
                after = keep(lambda some: [*some] if isinstance(some, Batch) else [some, some], batch)
                del batch
                assert watch() is not None
                del after
                assert watch() is None  # without the collector: there is no cycle
        finally:
            gc.enable()

    @pytest.mark.parametrize(
        "look",
        [
            lambda msg: setattr(msg, "body", b"\0" * 4),
            lambda msg: setattr(msg, "tags", {"a": "b"}),
            lambda msg: setattr(msg.update, "med", 5),
            lambda msg: msg.update.as_path,
            lambda msg: msg.copy(),
        ],
    )
    def test_other_threads_wait_while_a_kernel_works_on_it(self, look: Callable[[Msg], object]) -> None:
        batch = batch_of(lines(2))
        (msg, _), before = list(batch), encoded(batch)
        done: list[bool] = []

        def work() -> None:
            look(msg)
            done.append(True)

        thread = threading.Thread(target=work)
        with batch:
            thread.start()
            thread.join(0.1)
            assert not done
            assert encoded(batch) == before
            assert msg.update is not None  # whoever works on it waits for nobody
            with batch:
                msg.time = 5
            assert not done
        thread.join()
        assert done

    def test_what_is_kept_and_put_in_again_keeps_no_batch(self) -> None:
        """Each batch gets a message of the one before; when the last one is made, no other one is left."""

        class Owner:
            def __call__(self, batch: Batch) -> None:
                """As above."""

        kept: list[Msg] = []
        watched: list[weakref.ref[Owner]] = []
        for number in range(5):
            batch = called(lambda msg: [msg, *kept] if msg.seq % 2 else msg, batch_of(lines(2, first=2 * number + 1)))
            before = kept[0].seq if kept else None
            assert [msg.seq for msg in batch] == [2 * number + 1, *([before] if before else []), 2 * number + 2]
            assert [str(msg.update.as_path) for msg in batch if msg.update] == [str(msg.seq) for msg in batch]
            kept[:] = [list(batch)[-1]]
            batch.completion = owner = Owner()
            watched.append(weakref.ref(owner))
            del owner
        del batch
        assert [owner() is not None for owner in watched] == [False] * 4 + [True]
