"""The NOTIFICATION for each error: RFC 4271 section 6, RFC 7606, RFC 9003."""

from __future__ import annotations

import pytest

from bgpipe._view import Msg
from bgpipe.bgp import causes
from bgpipe.bgp.causes import Cause, header_error, message_error, resets
from bgpipe.bgp.notifications import ADMIN_RESET, ADMIN_SHUTDOWN

MARKER = "ff" * 16


@pytest.mark.parametrize(
    ("header", "extended", "notification"),
    [
        ("00" + "ff" * 15 + "001304", False, "0101"),  # marker
        ("ff" * 15 + "fe" + "ffff" + "63", False, "0101"),  # and that first
        (MARKER + "001204", False, "0102 0012"),  # less than 19
        (MARKER + "000004", False, "0102 0000"),
        (MARKER + "100102", False, "0102 1001"),  # more than 4096
        (MARKER + "ffff03", False, "0102 ffff"),
        (MARKER + "100102", True, None),
        (MARKER + "ffff03", True, None),
        (MARKER + "ffff05", True, None),
        (MARKER + "100101", True, "0102 1001"),  # OPEN and KEEPALIVE are never extended (RFC 8654 section 4)
        (MARKER + "100104", True, "0102 1001"),
        (MARKER + "001c01", False, "0102 001c"),  # less than their type takes
        (MARKER + "001602", False, "0102 0016"),
        (MARKER + "001403", False, "0102 0014"),
        (MARKER + "001404", False, "0102 0014"),  # a KEEPALIVE has 19
        (MARKER + "001300", False, "0103 00"),  # types
        (MARKER + "001306", False, "0103 06"),
        (MARKER + "0013ff", False, "0103 ff"),
        (MARKER + "001206", False, "0102 0012"),
        (MARKER + "001d01", False, None),
        (MARKER + "100001", False, None),
        (MARKER + "001702", False, None),
        (MARKER + "100002", False, None),
        (MARKER + "001503", False, None),
        (MARKER + "001304", False, None),
        (MARKER + "001705", False, None),
        ("", False, "0101"),
        (MARKER, False, "0102"),
        (MARKER + "0013", False, "0103"),
    ],
)
def test_headers_of_section_6_1(header: str, extended: bool, notification: str | None) -> None:
    found = header_error(bytes.fromhex(header), extended=extended)
    assert (None if found is None else found.wire[19:]) == (None if notification is None else bytes.fromhex(notification))


def update(body: str) -> Msg:
    return Msg.make("UPDATE", bytes.fromhex(body.replace(" ", "")))


@pytest.mark.parametrize(
    ("body", "notification", "resets_session"),
    [
        ("0005 0000", "0301", True),  # withdrawn routes longer than the message
        ("0000 0005", "0301", True),  # attributes longer than the message
        ("0001 21 0000", "030a", True),  # a prefix of 33 bits, withdrawn
        ("0000 0000 21", "030a", True),  # and announced
        ("0000 0003 400105", "0301", False),  # an attribute longer than all of them
        ("0000 0008 40010100 40010100", "0301", False),  # twice
        ("0000 000c 800f03000101 800f03000101", "0301", True),  # twice, and it holds routes
        ("0000 0004 40010103", "0306 40010103", False),  # ORIGIN
        ("0000 0003 400100", "0306 400100", False),  # of no octets
        ("0000 000b 400101 00 40030401020304 21", "030a", True),
        ("0000 000d 40010100 500300050102030405", "0308 500300050102030405", False),  # NEXT_HOP, extended length
        ("0000 0007 4002040201 0001", "030b", False),  # AS_PATH
        ("0000 0005 8004020001", "0305 8004020001", False),  # MULTI_EXIT_DISC
        ("0000 0006 c0080300 0000", "0309 c00803000000", False),  # COMMUNITIES
        ("0002 0801 0006 c0080300 0000", "0309 c00803000000", False),  # behind withdrawn routes
        ("0000 0005 800e020001", "0309 800e020001", True),  # MP_REACH
        ("0000 0004 800f0100", "0309 800f0100", True),  # MP_UNREACH
    ],
)
def test_updates_of_section_6_3(body: str, notification: str, resets_session: bool) -> None:
    msg = update(body)
    assert msg.error is not None
    assert message_error(msg.error, msg.wire).wire[19:].hex() == notification.replace(" ", "")
    assert resets(msg.error) is resets_session


@pytest.mark.parametrize(
    ("kind", "body", "notification"),
    [
        ("KEEPALIVE", "00", "0102 0014"),
        ("NOTIFICATION", "06", "0102 0014"),
        ("ROUTE_REFRESH", "000100", "0701" + MARKER + "001605 000100"),  # RFC 7313 section 5
        ("OPEN", "04", "0102 0014"),
    ],
)
def test_other_messages_that_do_not_parse(kind: str, body: str, notification: str) -> None:
    msg = Msg.make(kind, bytes.fromhex(body))
    assert msg.error is not None
    assert message_error(msg.error, msg.wire).wire[19:] == bytes.fromhex(notification)
    assert resets(msg.error)


def test_a_notification_fits_4096_octets() -> None:
    wire = Cause(3, 9, b"x" * 60000).wire
    assert len(wire) == 4096
    assert Msg(wire).error is None
    assert len(Cause(3, 9, b"x" * 4075).wire) == 4096


def test_cease() -> None:
    assert causes.cease("bye").wire[19:] == b"\x06\x02\x03bye"
    assert causes.cease("bye", ADMIN_RESET).wire[19:] == b"\x06\x04\x03bye"
    assert causes.cease().wire[19:] == b"\x06\x02"
    assert causes.cease("bye", 5).wire[19:] == b"\x06\x05"
    assert str(causes.cease("bye", 5)) == "CEASE/CONNECTION_REJECTED: bye"
    long = causes.cease("é" * 200).wire[19:]
    assert long == b"\x06\x02\xfe" + "é".encode() * 127
    assert causes.cease("a\ud800").wire[19:] == b"\x06\x02\x02a?"


def test_a_cause_of_what_came() -> None:
    found = Cause.parse(b"\x06\x02\x03bye")
    assert found == Cause(6, ADMIN_SHUTDOWN, b"\x03bye", "bye")
    assert str(found) == "CEASE/ADMIN_SHUTDOWN: bye"
    assert str(Cause.parse(b"\x04\x00")) == "HOLD_TIMER_EXPIRED"
    assert Cause.parse(b"\x04") is None
    assert Cause.parse(found.wire[19:]) == found
