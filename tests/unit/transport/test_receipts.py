"""What was sent, and what of that is confirmed."""

from __future__ import annotations

import pytest

from bgpipe.transport import receipts
from bgpipe.transport.receipts import Receipt, Receipts, parse, words


def sent(*messages: int) -> Receipt:
    receipt = Receipt()
    for count in messages:
        receipt.sent(count)
    return receipt


def test_words() -> None:
    assert parse(words("abc", 12)) == ("abc", 12)
    assert parse(words("abc", None)) == ("abc", None)
    assert len(words(Receipt().name, 1 << 64)) <= 125
    assert Receipt().name != Receipt().name


@pytest.mark.parametrize(
    "data",
    [b"", b"bgpipe", b"bgpipe a", b"bgpipe a b", b"bgpipe a 1 ", b"bgpipe  1", b"bgpipe a -1", b"BGPIPE a 1", b"bgpipe a\xff 1", b"bgpipe a 1" * 20],
)
def test_words_of_others(data: bytes) -> None:
    assert parse(data) is None


def test_confirmed() -> None:
    receipt = sent(3, 1, 2)
    assert receipt.open == 6 and not receipt.answered
    assert receipt.due
    assert parse(receipt.ask()) == (receipt.name, 3)
    assert not receipt.due  # one question at a time
    receipt.sent(5)
    receipt.confirm(3)
    assert receipt.open == 5 and receipt.answered and not receipt.settled
    assert receipt.due
    receipt.confirm(1)  # it knew more before
    receipt.confirm(100)  # more than there were
    assert receipt.open == 0


def test_settled() -> None:
    receipt = sent(3, 1, 2)
    receipt.settle(2)
    assert receipt.settled
    assert receipt.open == 2


def test_who_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes no memory, and what it has is never known."""
    monkeypatch.setattr(receipts, "_MOST_FRAMES", 10)
    receipt = sent(*range(100))
    assert receipt.due
    assert len(receipt._frames) == 0
    receipt.sent(50)
    receipt.settle(70)
    assert receipt.open == sum(range(100)) + 50
    assert not receipt.settled


def test_connections_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "_MOST", 2)
    known = Receipts()
    first, second, third = sent(1), sent(1), sent(1)
    assert known.push(first, 1.0) == known.push(second, 2.0) == []
    assert known.push(third, 3.0) == [first]
    assert known.open == [second.name, third.name]
    assert known.pop(first.name) is None
    assert known.before(2.5) == [second]
    assert known.pop(third.name) is third
    assert known.open == []
    for number in range(5):
        known.take(str(number), number)
    assert known.latest(5) == [("3", 3), ("4", 4)]
    assert (known.taken("4"), known.taken("0")) == (4, None)
