"""Times in paths."""

from __future__ import annotations

import calendar
import datetime
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpipe.errors import UsageError
from bgpipe.transport.timepath import expand_path, holds_time

T = calendar.timegm((2025, 3, 7, 9, 4, 5))  # a Friday, day 66 of the year
PM = calendar.timegm((2025, 11, 27, 21, 34, 56))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain.json", "plain.json"),
        ("updates.$TIME.gz", "updates.20250307.0904.gz"),
        ("$TIME", "20250307.0904"),
        ("${TIME}x", "20250307.0904x"),
        ("$TIME-$TIME/${2006}", "20250307.0904-20250307.0904/2025"),
        ("$TIMES/$TIME_/$TIME1", "$TIMES/$TIME_/$TIME1"),
        ("$time $ $$TIME $", "$time $ $20250307.0904 $"),
        ("${2006/01/02}/rrc00.${150405}.mrt", "2025/03/07/rrc00.090405.mrt"),
        ("${2006-01-02T15:04:05Z07:00}", "2025-03-07T09:04:05Z"),
        ("${Mon, 02 Jan 2006 15:04:05 -0700}", "Fri, 07 Mar 2025 09:04:05 +0000"),
        ("${Monday January _2 3:04PM 06 MST}", "Friday March  7 9:04AM 25 UTC"),
        ("${2006.002}", "2025.066"),
        ("${2006.__2}", "2025. 66"),
        ("${1/2 3:4:5 pm}", "3/7 9:4:5 am"),
        ("${x_2006_01}", "x_2025_03"),
        ("${Janet 2006 Month}", "Janet 2025 Month"),
        ("${%Y%m%d-%H%M%S}", "20250307-090405"),
        ("${%j%%}", "066%"),
        ("%Y/$TIME", "%Y/20250307.0904"),
    ],
)
def test_expand(template: str, expected: str) -> None:
    assert expand_path(template, T) == expected
    assert holds_time(template) == (expected != template)


def test_afternoon() -> None:
    assert expand_path("${03 3 15 PM pm}", PM) == "09 9 21 PM pm"


def test_fractions_are_cut() -> None:
    assert expand_path("${05}", T + 0.999) == "05"


@pytest.mark.parametrize("time_format", ["%H%M", "1504"])
def test_time_format(time_format: str) -> None:
    assert expand_path("$TIME.${2006}", T, time_format) == "0904.2025"


def test_local_time_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert expand_path("$TIME ${15 MST -07} ${%H %z}", T) == "20250307.0904 09 UTC +00 09 +0000"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("template", ["${", "x/${2006", "${}", "${HOME}/x", "${x-y}"])
def test_not_a_time(template: str) -> None:
    with pytest.raises(UsageError):
        expand_path(template, T)


def test_time_format_without_time() -> None:
    with pytest.raises(UsageError, match="'now' holds no time"):
        expand_path("$TIME", T, "now")


@settings(deadline=None)
@given(st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(9999, 12, 31)))
def test_layout_says_what_strftime_says(moment: datetime.datetime) -> None:
    time_s = calendar.timegm(moment.timetuple())
    layout = "2006 01 02 15 04 05 06 002 03 PM Jan January Mon Monday"
    pattern = "%Y %m %d %H %M %S %y %j %I %p %b %B %a %A"
    assert expand_path(f"${{{layout}}}", time_s) == moment.strftime(pattern)
    assert expand_path(f"${{{pattern}}}", time_s) == moment.strftime(pattern)


@settings(deadline=None)
@given(st.text(st.characters(blacklist_characters="$")), st.text(st.characters(blacklist_characters="$}")))
def test_what_is_no_time_stays(before: str, behind: str) -> None:
    assert expand_path(f"{before}${{2006}}{behind}", T) == f"{before}2025{behind}"
