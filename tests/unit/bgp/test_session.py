"""Our own end of a session: the state machine of RFC 4271 section 8, its errors and timers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from bgpipe._view import Msg
from bgpipe.bgp import capabilities
from bgpipe.bgp.causes import Cause
from bgpipe.bgp.events import Ended, Established
from bgpipe.bgp.messages import Open
from bgpipe.bgp.negotiation import Offer
from bgpipe.bgp.session import CAPABILITIES, Speaker, State
from bgpipe.errors import FieldError

MARKER = "ff" * 16
KEEPALIVE = Msg.make("KEEPALIVE").wire
CAPS = {"MP": ["IPV4/UNICAST"], "AS4": 65002, "EXTENDED_MESSAGE": True}


def peer_open(*, asn: int = 65002, hold: int = 30, caps: dict[str, Any] | None = None, id: str = "192.0.2.2") -> bytes:  # noqa: A002
    return Open(asn=asn, id=id, hold_time=hold, capabilities={**CAPS, "AS4": asn} if caps is None else caps).msg.wire


def speaker(state: State, **options: Any) -> Speaker:
    """A speaker that has got this far at 1000, with nothing left to send or tell."""
    found = Speaker(**{"active": state is not State.ACTIVE, "asn": 65001, "jitter": lambda: 0, **options})
    if state is State.IDLE:
        return found
    found.connected(1000)
    if state in (State.OPEN_CONFIRM, State.ESTABLISHED):
        found.receive(peer_open(), 1000)
    if state is State.ESTABLISHED:
        found.receive(KEEPALIVE, 1000)
    found.take()
    found.events()
    assert found.state is state
    return found


def notification(found: Speaker, *before: int) -> str:
    """Code, subcode and data of the NOTIFICATION that it sends at its end, behind messages of these types."""
    assert found.state is State.CLOSED
    *others, wire = found.take()
    assert [other[18] for other in others] == list(before)
    assert wire[18] == 3
    assert found.next_deadline() is None
    (event,) = found.events()
    assert event == Ended("us", found.cause)
    return wire[19:].hex(" ", 1) if len(wire) > 21 else wire[19:].hex()


def opened(wire: bytes) -> Open:
    found = Msg(wire).open
    assert found is not None
    return found


# ---- the usual way


def test_it_needs_no_event_loop_and_no_sockets() -> None:
    program = "import sys, bgpipe.bgp.session, bgpipe.bgp.watch; print({'asyncio', 'socket', 'selectors'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"set()\n"


def test_active() -> None:
    found = Speaker(active=True, asn=65001, hold_time=90, jitter=lambda: 0)
    assert (found.state, found.take(), found.next_deadline(), found.interest) == (State.IDLE, [], None, 0xFFFFFFFF)
    found.connected(1000)
    assert found.state is State.OPEN_SENT
    (first,) = found.take()
    sent = opened(first)
    assert (sent.asn, sent.hold_time, sent.id, sent.version) == (65001, 90, "0.0.0.1", 4)
    assert dict(sent.capabilities) == {
        "MP": ["IPV4/UNICAST", "IPV6/UNICAST", "IPV4/FLOWSPEC", "IPV6/FLOWSPEC"],
        "ROUTE_REFRESH": True, "EXTENDED_MESSAGE": True, "AS4": 65001,
    }  # fmt: skip
    assert found.next_deadline() == 1240  # a large hold time, section 8.2.2
    found.receive(peer_open(), 1001)
    assert (found.state, found.take()) == (State.OPEN_CONFIRM, [KEEPALIVE])
    assert found.negotiated is not None
    assert (found.negotiated.hold_time, found.next_deadline()) == (30, 1011)
    found.receive(KEEPALIVE, 1002)
    assert (found.state, found.take()) == (State.ESTABLISHED, [])
    assert found.events() == [Established(found.negotiated)]
    assert found.interest == 0xFFFFFFFF & ~(1 << 2 | 1 << 4 | 1 << 5)


def test_passive() -> None:
    found = Speaker(asn=65001, id="10.0.0.1", hold_time=9)
    found.connected(1000)
    assert (found.state, found.take()) == (State.ACTIVE, [])
    found.receive(peer_open(), 1001)
    first, second = found.take()
    assert (opened(first).asn, opened(first).id, second, found.state) == (65001, "10.0.0.1", KEEPALIVE, State.OPEN_CONFIRM)
    found.receive(KEEPALIVE, 1001)
    assert found.negotiated is not None
    assert (found.state, found.negotiated.hold_time) == (State.ESTABLISHED, 9)


@pytest.mark.parametrize(
    ("asn", "id_of_peer", "mine"),
    [(65002, "192.0.2.2", "192.0.2.1"), (70000, "0.0.0.1", "0.0.0.2"), (4294967295, "255.255.255.255", "255.255.255.254")],
)  # fmt: skip
def test_passive_mirrors_the_peer(asn: int, id_of_peer: str, mine: str) -> None:
    found = Speaker()
    found.connected(1000)
    found.receive(peer_open(asn=asn, id=id_of_peer), 1000)
    sent = opened(found.take()[0])
    assert (sent.asn, sent.id, found.state) == (asn, mine, State.OPEN_CONFIRM)


def test_active_takes_the_as_number_the_peer_must_have() -> None:
    found = Speaker(active=True, remote_asn=70000)
    found.connected(1000)
    assert opened(found.take()[0]).asn == 70000


def test_a_peer_without_as4() -> None:
    found = speaker(State.OPEN_SENT)
    found.receive(peer_open(caps={}), 1000)
    assert found.negotiated is not None
    assert found.negotiated.receive.as_size == 2
    assert not found.negotiated.send.extended_messages


def test_two_octets_alone() -> None:
    """Without AS4 among what is offered; it is there all the same when the AS number needs it."""
    caps = [pair for pair in CAPABILITIES if pair[0] != capabilities.AS4]
    for asn, has in ((65001, False), (70000, True)):
        found = Speaker(active=True, asn=asn, capabilities=caps)
        found.connected(1000)
        assert ("AS4" in opened(found.take()[0]).capabilities) is has


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"active": True}, "asn: -1, expected an AS number: who sends the OPEN first cannot take that of the peer"),
        ({"asn": 0}, "asn: 0, expected a number (1 to 4294967295)"),
        ({"asn": 2**32}, "asn: 4294967296, expected a number (0 to 4294967295)"),
        ({"remote_asn": 0}, "remote_asn: 0, expected a number (1 to 4294967295)"),
        ({"id": "0.0.0.0"}, 'id: "0.0.0.0", expected a BGP identifier other than zero (RFC 6286)'),
        ({"id": "::1"}, 'id: "::1", expected an IPv4 address'),
        ({"hold_time": 2}, "hold_time: 2, expected 3 seconds at least, or 0 for no hold time (RFC 4271)"),
        ({"hold_time": 65536}, "hold_time: 65536, expected a number (0 to 65535)"),
        ({"remote_hold": -1}, "remote_hold: -1, expected a number (0 to 65535)"),
        ({"capabilities": [(99, bytes(255))] * 17}, "capabilities: an OPEN of 4410 octets, 4096 is the most (RFC 8654 section 4)"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError) as caught:
        Speaker(**options)
    assert str(caught.value) == message


# ---- errors


OPEN_STATES = [State.ACTIVE, State.OPEN_SENT, State.OPEN_CONFIRM, State.ESTABLISHED]


@pytest.mark.parametrize("state", OPEN_STATES)
@pytest.mark.parametrize(
    ("wire", "sent"),
    [
        ("00" * 19, "01 01"),
        (MARKER + "001204", "01 02 00 12"),
        (MARKER + "001e04", "01 02 00 1e"),
        (MARKER + "001502", "01 02 00 15"),
        (MARKER + "001363", "01 03 63"),
        (MARKER + "ffff01", "01 02 ff ff"),
        (MARKER + "001704 00", "01 02 00 17"),
        ("", "01 01"),
        ("ff", "01 01"),
    ],
)
def test_header_errors_section_6_1(state: State, wire: str, sent: str) -> None:
    found = speaker(state)
    found.receive(bytes.fromhex(wire), 1001)
    assert notification(found) == (sent if len(sent) > 5 else sent.replace(" ", ""))


def test_extended_messages_where_we_offered_them() -> None:
    long = bytes.fromhex(MARKER + "100102 0000 0fea") + bytes.fromhex("d0ff0fe6") + bytes(0xFE6)
    found = speaker(State.ESTABLISHED)
    found.receive(long, 1001)
    assert found.state is State.ESTABLISHED
    plain = speaker(State.ESTABLISHED, capabilities=[])
    plain.receive(long, 1001)
    assert notification(plain) == "01 02 10 01"


def test_a_message_of_another_length_than_it_says() -> None:
    found = speaker(State.ESTABLISHED)
    found.receive(bytes.fromhex(MARKER + "001702 0000"), 1001)
    assert notification(found) == "01 02 00 17"


@pytest.mark.parametrize("state", [State.ACTIVE, State.OPEN_SENT])
@pytest.mark.parametrize(
    ("options", "wire", "sent"),
    [
        ({}, Msg.make("OPEN", bytes.fromhex("03fdea005ac000020200")).wire, "02 01 00 04"),
        ({}, Msg.make("OPEN", bytes.fromhex("04fdea005ac0000202020101")).wire, "0200"),
        ({}, Msg.make("OPEN", bytes.fromhex("04fdea005ac000020203010100")).wire, "0204"),
        ({"remote_asn": 65003}, peer_open(), "0202"),
        ({}, peer_open(id="0.0.0.0"), "0203"),
        ({"asn": 65002, "id": "192.0.2.2"}, peer_open(), "0203"),
        ({}, peer_open(hold=1), "0206"),
        ({}, peer_open(hold=2), "0206"),
        ({"remote_hold": 60}, peer_open(hold=30), "0206"),
        ({"capabilities": capabilities.from_object({"ROLE": "PEER"})}, peer_open(caps={"ROLE": "CUSTOMER"}), "020b"),
    ],
)
def test_open_errors_section_6_2(state: State, options: dict[str, Any], wire: bytes, sent: str) -> None:
    found = speaker(state, **options)
    found.receive(wire, 1001)
    parses = isinstance(Offer.parse(wire[19:]), Offer)
    assert notification(found, *[1] if state is State.ACTIVE and parses else []) == sent
    assert found.negotiated is None


def test_an_as_number_of_zero_is_not_mirrored() -> None:
    """RFC 7607."""
    found = Speaker()
    found.connected(1000)
    found.receive(Msg.make("OPEN", bytes.fromhex("040000005ac000020200")).wire, 1000)
    assert notification(found) == "0202"


@pytest.mark.parametrize(
    ("state", "kinds", "subcode"),
    [
        (State.ACTIVE, (2, 4, 5), 1),
        (State.OPEN_SENT, (2, 4, 5), 1),
        (State.OPEN_CONFIRM, (1, 2, 5), 2),
        (State.ESTABLISHED, (1,), 3),
    ],
)
def test_unexpected_messages_rfc_6608(state: State, kinds: tuple[int, ...], subcode: int) -> None:
    wires = {1: peer_open(), 2: Msg.make("UPDATE", bytes(4)).wire, 4: KEEPALIVE, 5: Msg.make("REFRESH", b"\0\1\0\1").wire}
    for kind in kinds:
        found = speaker(state)
        found.receive(wires[kind], 1001)
        assert notification(found) == f"05 {subcode:02x} {kind:02x}"


@pytest.mark.parametrize(
    ("body", "strict", "tolerant"),
    [
        ("0000 0004 40010103", "03 06 40 01 01 03", None),
        ("0000 0003 400105", "0301", None),
        ("0005 0000", "0301", "0301"),
        ("0000 0000 21", "030a", "030a"),
        ("0000 0005 800e020001", "03 09 80 0e 02 00 01", "03 09 80 0e 02 00 01"),
    ],
)
def test_update_errors_section_6_3(body: str, strict: str, tolerant: str | None) -> None:
    """As RFC 7606 revises them, unless asked for the letter of RFC 4271."""
    msg = Msg.make("UPDATE", bytes.fromhex(body))
    assert msg.error is not None
    for option, sent in ((False, strict), (True, tolerant)):
        for way in ("receive", "malformed"):
            found = speaker(State.ESTABLISHED, tolerant=option)
            found.receive(msg.wire, 1001) if way == "receive" else found.malformed(msg.error, msg.wire)
            if sent is None:
                assert (found.state, found.take()) == (State.ESTABLISHED, [])
            else:
                assert notification(found) == sent


def test_route_refresh_is_no_harm() -> None:
    """RFC 2918 section 4: a request that cannot be served is ignored."""
    found = speaker(State.ESTABLISHED)
    for body in ("00010001", "ffffff63", "00010001 ff", "00010201"):
        found.receive(Msg.make("REFRESH", bytes.fromhex(body)).wire, 1001)
    assert (found.state, found.take(), found.events()) == (State.ESTABLISHED, [], [])


@pytest.mark.parametrize("state", OPEN_STATES)
def test_a_notification_is_not_answered(state: State) -> None:
    found = speaker(state)
    found.receive(Msg.make("NOTIFICATION", b"\x06\x02\x03bye").wire, 1001)
    assert (found.state, found.take()) == (State.CLOSED, [])
    assert found.events() == [Ended("peer", Cause(6, 2, b"\x03bye", "bye"))]


@pytest.mark.parametrize("state", OPEN_STATES)
def test_nothing_follows_the_end(state: State) -> None:
    found = speaker(state)
    found.close("bye")
    assert notification(found) == "06 02 03 62 79 65"
    for wire in (peer_open(), KEEPALIVE, b"", Msg.make("NOTIFICATION", b"\x01\x01").wire):
        found.receive(wire, 1001)
    found.connected(1002)
    found.close()
    found.lost()
    found.heard(1002)
    found.tick(5000)
    assert (found.state, found.take(), found.events(), found.interest, found.next_deadline()) == (State.CLOSED, [], [], 0, None)


@pytest.mark.parametrize("state", OPEN_STATES)
def test_a_connection_that_is_gone(state: State) -> None:
    found = speaker(state)
    found.lost()
    assert (found.state, found.take(), found.events()) == (State.CLOSED, [], [Ended("connection", None)])


def test_a_close_before_there_is_a_connection() -> None:
    found = speaker(State.IDLE)
    found.receive(KEEPALIVE, 1000)
    found.heard(1000)
    found.tick(1000)
    assert (found.state, found.take()) == (State.IDLE, [])
    found.close("bye")
    assert (found.state, found.take()) == (State.CLOSED, [])


def test_any_other_reason() -> None:
    found = speaker(State.ESTABLISHED)
    found.fail(Cause(6, 8, reason="out of memory"))
    assert notification(found) == "0608"
    assert str(found.cause) == "CEASE/OUT_OF_RESOURCES: out of memory"


# ---- timers


@pytest.mark.parametrize(("state", "hold"), [(State.ACTIVE, 240), (State.OPEN_SENT, 240), (State.OPEN_CONFIRM, 30), (State.ESTABLISHED, 30)])
def test_hold_timer_section_6_5(state: State, hold: int) -> None:
    found = speaker(state)
    now = 1000.0
    while (deadline := found.next_deadline()) is not None:
        now = deadline
        found.tick(now)
        while found.state is not State.CLOSED and found.take():
            pass
    assert now == 1000 + hold
    assert notification(found) == "0400"


def test_keepalives() -> None:
    found = speaker(State.ESTABLISHED)
    for now in (1010, 1020, 1030):
        found.heard(now - 1)
        assert found.next_deadline() == now
        found.tick(now)
        assert found.take() == [KEEPALIVE]
    assert found.timers is not None
    found.timers.sent(1035)
    assert found.next_deadline() == 1045


def test_no_hold_time() -> None:
    found = speaker(State.OPEN_SENT)
    found.receive(peer_open(hold=0), 1000)
    found.receive(KEEPALIVE, 1000)
    assert (found.state, found.next_deadline()) == (State.ESTABLISHED, None)


def test_a_peer_that_stops_reading() -> None:
    """RFC 9687."""
    found = speaker(State.ESTABLISHED)
    assert found.timers is not None
    found.timers.writing(False, 1000)
    now: float = 1000
    while found.state is State.ESTABLISHED:
        deadline = found.next_deadline()
        assert deadline is not None
        now = deadline
        found.heard(now)
        found.tick(now)
    assert now == 1480
    assert notification(found) == "0800"
