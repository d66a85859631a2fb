"""Hold timer, keepalive timer and send hold timer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpipe.bgp.timers import Timer, Timers


def timers(hold_s: float = 90, jitter: float = 0) -> Timers:
    found = Timers(1000, jitter=lambda: jitter)
    found.agree(hold_s, 1000)
    return found


def test_the_hold_timer_goes_off_after_the_hold_time() -> None:
    found = timers()
    assert found.next_deadline() == 1090
    assert found.tick(1089.9) is None
    assert found.tick(1090) is Timer.HOLD


def test_what_is_heard_puts_it_off() -> None:
    found = timers()
    found.heard(1050)
    assert found.tick(1090) is None
    assert found.next_deadline() == 1140


def test_a_margin_is_for_the_hold_timer_alone() -> None:
    found = Timers(1000, hold_s=90, margin_s=2, jitter=lambda: 0)
    assert found.next_deadline() == 1092
    found.keeping(True)
    assert found.next_deadline() == 1030
    assert Timers(1000, hold_s=0, margin_s=2).next_deadline() is None


def test_it_stands_still_while_we_do_not_read() -> None:
    found = timers()
    found.reading(False, 1080)
    assert found.next_deadline() is None
    assert found.tick(5000) is None
    found.reading(True, 5000)
    assert found.next_deadline() == 5090


def test_until_hold_times_are_agreed_on_it_goes_on_all_the_same() -> None:
    found = Timers(1000, hold_s=170, jitter=lambda: 0)
    found.reading(False, 1080)
    assert found.next_deadline() == 1250
    assert found.tick(1250) is Timer.HOLD
    found.agree(90, 1000)
    assert found.next_deadline() is None
    found.opening(240, 2000)
    assert found.next_deadline() == 2240


def test_being_late_is_forgiven_once() -> None:
    found = timers()
    assert found.tick(1200) is None
    assert found.next_deadline() == 1201
    assert found.tick(1201) is Timer.HOLD
    heard = timers()
    assert heard.tick(1200) is None
    heard.heard(1200.5)
    assert heard.next_deadline() == 1290.5
    assert heard.tick(1400) is None  # once each time
    assert heard.next_deadline() == 1401
    assert heard.tick(1500) is Timer.HOLD


@pytest.mark.parametrize(
    ("hold_s", "jitter", "interval"),
    [(90, 0, 30), (90, 1, 22.5), (180, 0.5, 52.5), (3, 0, 1), (3, 1, 1), (4, 1, 1), (1, 0, 1)],
)
def test_keepalives_come_each_third_of_the_hold_time(hold_s: float, jitter: float, interval: float) -> None:
    """RFC 4271 section 4.4: no more than one a second; section 10: a quarter of it is random."""
    found = timers(hold_s, jitter)
    found.keeping(True)
    for n in range(1, 4):
        found.heard(1000 + n * interval)
        assert found.next_deadline() == 1000 + n * interval
        assert found.tick(1000 + n * interval) is Timer.KEEPALIVE
        assert found.tick(1000 + n * interval) is None


def test_what_is_sent_puts_keepalives_off() -> None:
    found = timers()
    found.keeping(True)
    found.sent(1020)
    assert found.next_deadline() == 1050


def test_a_keepalive_is_due_at_once_when_nothing_was_sent_for_long() -> None:
    found = timers()
    found.heard(1045)
    found.keeping(True)
    assert found.tick(1045) is Timer.KEEPALIVE
    found.keeping(False)
    assert found.next_deadline() == 1135


@pytest.mark.parametrize(("hold_s", "send_hold_s"), [(90, 480), (240, 480), (300, 600), (3, 480)])
def test_the_send_hold_timer(hold_s: float, send_hold_s: float) -> None:
    """RFC 9687 section 3.3: 8 minutes, or twice the hold time if that is more."""
    found = timers(hold_s)
    found.reading(False, 1000)
    found.keeping(True)
    found.writing(False, 1010)
    assert found.next_deadline() == 1010 + send_hold_s  # no KEEPALIVE: it could not be written
    found.sent(1100)
    assert found.next_deadline() == 1100 + send_hold_s
    assert found.tick(1100 + send_hold_s) is Timer.SEND_HOLD
    found.writing(True, 1100)
    assert found.next_deadline() == 1100 + hold_s / 3


def test_no_hold_time_no_timers() -> None:
    """RFC 4271 section 4.2, RFC 9687 section 3.2."""
    found = timers(0)
    found.keeping(True)
    found.writing(False, 1000)
    assert found.next_deadline() is None
    assert found.tick(1e9) is None


def test_another_hold_time() -> None:
    found = timers(240)
    found.keeping(True)
    found.agree(30, 1010)
    assert found.next_deadline() == 1010
    assert found.tick(1010) is Timer.KEEPALIVE
    assert found.next_deadline() == 1020
    found.keeping(False)
    assert found.next_deadline() == 1040


happenings = st.sampled_from(["heard", "sent", "reading", "not reading", "writing", "not writing", "keeping", "not keeping", "agree"])


@given(
    st.sampled_from([0.0, 1.0, 3.0, 90.0, 65535.0]),
    st.lists(st.tuples(happenings, st.floats(0, 1000)), max_size=30),
    st.floats(0, 1),
)
def test_a_tick_leaves_nothing_due(hold_s: float, history: list[tuple[str, float]], jitter: float) -> None:
    """Whoever calls tick at each deadline does not do so forever at one moment, and hears of the end of a silent peer."""
    found, now = timers(hold_s, jitter), 1000.0
    for what, later in history:
        now += later
        word, on = what.removeprefix("not "), not what.startswith("not ")
        match word:
            case "heard":
                found.heard(now)
            case "sent":
                found.sent(now)
            case "reading":
                found.reading(on, now)
            case "writing":
                found.writing(on, now)
            case "keeping":
                found.keeping(on)
            case "agree":
                found.agree(hold_s / 2, now)
        if found.tick(now) in (Timer.HOLD, Timer.SEND_HOLD):
            return
        deadline = found.next_deadline()
        assert deadline is None or deadline > now
    found.reading(True, now)
    ends, ticks = [], 0
    while (deadline := found.next_deadline()) is not None and not ends:
        assert deadline > now or ticks == 0
        now = max(now, deadline)
        ends = [timer for timer in [found.tick(now)] if timer in (Timer.HOLD, Timer.SEND_HOLD)]
        ticks += 1
        assert ticks < 100
    assert ends or found.hold_s == 0
