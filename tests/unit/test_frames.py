"""Where messages end: frames of what encoders put together, and whether a frame ends with a message."""

from __future__ import annotations

import pytest

from bgpipe._codec import Buffer
from bgpipe._frames import frames, whole
from bgpipe.bgp.causes import KEEPALIVE_MESSAGE, message

RECORD = bytes(8) + (5).to_bytes(4) + b"hello"
UPDATE = message(2, bytes(4))


def buffer(data: bytes) -> Buffer:
    made = Buffer()
    made.extend(data)
    return made


@pytest.mark.parametrize(
    ("form", "messages"),
    [("json", [b"[1]\n", b"[22]\n", b"\n"]), ("exa", [b"withdraw route ::/0\n"] * 2), ("raw", [KEEPALIVE_MESSAGE, UPDATE]), ("mrt", [RECORD, RECORD + b"", bytes(12)])],
)
def test_one_in_each(form: str, messages: list[bytes]) -> None:
    found = frames(buffer(b"".join(messages)), form, 0)
    assert found == [(data.removesuffix(b"\n") if form in ("json", "exa") else data, 1) for data in messages]


def test_several() -> None:
    assert frames(buffer(b"1\n22\n333\n4444\n"), "json", 6) == [(b"1\n22", 2), (b"333", 1), (b"4444", 1)]
    assert frames(buffer(b"1\n22\n333\n"), "json", 100) == [(b"1\n22\n333", 3)]
    assert frames(buffer(b""), "json", 100) == []


@pytest.mark.parametrize(("form", "data"), [("json", b"[1]"), ("raw", KEEPALIVE_MESSAGE[:18]), ("raw", bytes(19)), ("mrt", RECORD[:16])])
def test_what_is_not_whole(form: str, data: bytes) -> None:
    with pytest.raises(ValueError, match="octets at the end are no whole message"):
        frames(buffer(data), form, 0)


@pytest.mark.parametrize(("form", "message_"), [("raw", UPDATE), ("mrt", RECORD)])
def test_whole(form: str, message_: bytes) -> None:
    for size in range(2 * len(message_) + 1):
        assert whole((2 * message_)[:size], form) == size // len(message_) * len(message_)


def test_the_end_of_a_frame_ends_a_line() -> None:
    assert whole(b"[1]\n[2]", "json") == 7
