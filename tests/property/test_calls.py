"""Whatever a function returns: what it did not get stays where it was, and what it returned is there, in its order."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from bgpipe._calls import Calls
from bgpipe._codec import Batch, RawDecoder
from bgpipe._view import Msg

MOST = 12


def batch_of(count: int) -> Batch:
    """KEEPALIVEs with the numbers 1 to `count`."""
    batch = RawDecoder().read(io.BytesIO((b"\xff" * 16 + b"\x00\x13\x04") * count))
    assert batch is not None
    batch.number(1, 1)
    return batch


def numbers(batch: Batch) -> list[int]:
    return [msg.seq for msg in batch]


def never(error: Exception) -> bool:
    raise AssertionError("it is not to raise") from error


# What to return for a message: itself (0), new messages (above 0).
answers = st.lists(st.none() | st.lists(st.integers(0, 3), max_size=4), min_size=MOST, max_size=MOST)


@given(count=st.integers(1, MOST), answers=answers, wanted=st.lists(st.booleans(), min_size=MOST, max_size=MOST))
def test_one_by_one(count: int, answers: list[list[int] | None], wanted: list[bool]) -> None:
    batch = batch_of(count)
    expected = []
    for i in range(count):
        answer = answers[i] if wanted[i] else [0]
        expected += [i + 1 if item == 0 else 1000 * item + i for item in answer or ()]

    def answered(msg: Msg) -> list[Msg] | None:
        answer = answers[msg.index]
        if answer is None:
            return None
        return [msg if item == 0 else Msg.make("KEEPALIVE", seq=1000 * item + msg.index) for item in answer]

    calls = Calls(batch, 3, 0xFFFFFFFF, bytes(wanted))
    calls.each(answered, never)
    after = calls.finish() or batch
    assert numbers(after) == expected
    assert is_whole(after, count)


@given(
    count=st.integers(1, MOST),
    wanted=st.lists(st.booleans(), min_size=MOST, max_size=MOST),
    picks=st.lists(st.integers(-1, MOST), max_size=2 * MOST),
)
def test_together(count: int, wanted: list[bool], picks: list[int]) -> None:
    """picks: a message of the batch by its index, or a new one for -1."""
    batch = batch_of(count)
    calls = Calls(batch, 3, 0xFFFFFFFF, bytes(wanted))
    chosen = calls.chosen()
    mine = [i + 1 for i in range(count) if wanted[i]]
    others = [i + 1 for i in range(count) if not wanted[i]]
    assert (numbers(chosen) if chosen is not None else []) == mine
    if chosen is None:
        return
    given = list(chosen)
    returned = [given[pick % len(given)] if pick >= 0 else Msg.make("KEEPALIVE", seq=1000) for pick in picks]
    calls.replace(returned)
    after = calls.finish() or batch
    assert [number for number in numbers(after) if number in others] == others
    assert [number for number in numbers(after) if number not in others] == [msg.seq for msg in returned]
    assert is_whole(after, count)
    if picks == sorted(set(picks)) and -1 not in picks and picks and picks[-1] < len(given):
        assert numbers(after) == sorted(numbers(after))


def is_whole(after: Batch, count: int) -> bool:
    """Whether all messages that came go on, dropped ones included: where one batch is cut, others are cut like it."""
    came = batch_of(count)
    came.cut_like(after, len(after))
    return len(came) == count
