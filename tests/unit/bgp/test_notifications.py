"""Names and texts of NOTIFICATION messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpipe.bgp import notifications


@pytest.mark.parametrize(
    ("code", "subcode", "name"),
    [
        (6, 2, "CEASE/ADMIN_SHUTDOWN"),
        (6, 0, "CEASE"),
        (6, 99, "CEASE/99"),
        (4, 0, "HOLD_TIMER_EXPIRED"),
        (4, 1, "HOLD_TIMER_EXPIRED/1"),
        (99, 0, "99"),
        (99, 1, "99/1"),
    ],
)
def test_names(code: int, subcode: int, name: str) -> None:
    assert notifications.name(code, subcode) == name


@given(st.integers(0, 255), st.integers(0, 255))
def test_names_round_trip(code: int, subcode: int) -> None:
    assert notifications.parse_name(notifications.name(code, subcode)) == (code, subcode)


def test_as_many_capabilities_as_json_shows() -> None:
    assert notifications.parse_detail(2, 7, b"\x41\0" * 512) == {"caps": {"AS4": [True] * 512}}
    assert notifications.parse_detail(2, 7, b"\x41\0" * 513) == {}


def test_texts() -> None:
    assert notifications.parse_text(6, 2, b"\x03bye") == "bye"
    assert notifications.parse_text(6, 4, b"\x00") == ""
    for data in (b"", b"\x04bye", b"\x02bye", b"\x01\xff"):
        assert notifications.parse_text(6, 2, data) is None
    assert notifications.parse_text(6, 1, b"\x03bye") is None
    assert notifications.parse_text(3, 2, b"\x03bye") is None


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_texts_round_trip(text: str) -> None:
    assert notifications.parse_text(6, 2, notifications.encode_text(text)) == text


@pytest.mark.parametrize(
    ("code", "subcode", "data", "text"),
    [
        (6, 2, "03627965", "bye"),
        (6, 9, "0602 03627965", "CEASE/ADMIN_SHUTDOWN: bye"),
        (6, 9, "0400", "HOLD_TIMER_EXPIRED"),
        (6, 9, "06", ""),
        (6, 3, "03627965", ""),
    ],
)
def test_what_logs_say(code: int, subcode: int, data: str, text: str) -> None:
    assert notifications.describe(code, subcode, bytes.fromhex(data)) == text


@given(st.sampled_from(sorted(notifications.KEYS)), st.binary(max_size=12))
def test_details_round_trip(place: tuple[int, int], data: bytes) -> None:
    detail = notifications.parse_detail(*place, data)
    if detail:
        body = notifications.encode_notification({"code": place[0], "subcode": place[1], **detail})
        assert body == bytes(place) + data
