"""How long to wait until the next try."""

from __future__ import annotations

from bgpipe.transport.backoff import FIRST_S, LONGEST_S, Backoff


def test_longer_and_longer() -> None:
    waits = Backoff()
    for most_s in (1, 2, 4, 8, 16, 32, 60, 60):
        assert 0.75 * most_s <= waits.next_s() <= most_s
    assert (FIRST_S, LONGEST_S) == (1, 60)
    waits.reset()
    assert waits.next_s() <= 1


def test_not_all_at_the_same_time() -> None:
    assert len({Backoff().next_s() for _ in range(50)}) > 40
