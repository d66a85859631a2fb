"""A session that passes through: events, contexts of each end, timers."""

from __future__ import annotations

from typing import Any

import pytest

from bgpipe._view import Msg, SessionContext, collect
from bgpipe.bgp.events import Alive, EndOfRib, EndOfRibs, Established, Opened, Updated
from bgpipe.bgp.messages import Notification, Open
from bgpipe.bgp.negotiation import Offer
from bgpipe.bgp.watch import END_OF_RIB, MOST_CUTS, MOST_IDLE, End, Watch

V4, V6 = "IPV4/UNICAST", "IPV6/UNICAST"
CAPS: dict[str, Any] = {"MP": [V4, V6], "AS4": 65001, "EXTENDED_MESSAGE": True, "ADDPATH": [f"{V4}/BIDIR"]}
KEEPALIVE_WIRE = Msg.make("KEEPALIVE").wire


def opened(direction: str, caps: dict[str, Any] | None = None, hold: int = 90) -> Msg:
    caps = CAPS if caps is None else caps
    return Open(asn=65001, id=1 if direction == "R" else 2, hold_time=hold, capabilities=caps, direction=direction).msg


def keepalive(direction: str) -> Msg:
    return Msg.make("KEEPALIVE", direction=direction)


def update(direction: str, body: str = "0000 0000") -> Msg:
    return Msg.make("UPDATE", bytes.fromhex(body), direction=direction)


EOR_V6 = "0000 0006 800f03 000201"


def watch() -> Watch:
    found = Watch(jitter=lambda: 0)
    found.left.connected(1000)
    found.right.connected(1000)
    return found


def passes(found: Watch, *messages: Msg, now: float = 1000) -> list[object]:
    """Messages through a proxy that does not change them."""
    seen: list[object] = []
    for msg in messages:
        found.came(msg, now)
        seen += found.went(msg, now)
    return seen


def established(**options: Any) -> Watch:
    found = watch()
    passes(found, opened("R", **options), opened("L", **options), keepalive("L"), keepalive("R"))
    assert found.negotiated is not None
    return found


# ---- events


def test_a_session_comes_up() -> None:
    found = watch()
    right, left = opened("R"), opened("L", hold=30)
    (event,) = passes(found, right)
    assert isinstance(event, Opened)
    assert (event.name, event.direction, event.offer.id) == ("OPEN", "R", 1)
    assert [type(event) for event in passes(found, left, keepalive("R"))] == [Opened, Alive]
    assert found.negotiated is None
    alive, up = passes(found, keepalive("L"))
    assert alive == Alive("L")
    assert isinstance(up, Established)
    assert (up.name, up.negotiated.hold_time, up.negotiated.families) == ("ESTABLISHED", 30, (V4, V6))
    assert (up.negotiated.local.id, up.negotiated.remote.id) == (1, 2)
    assert up.negotiated is found.negotiated


@pytest.mark.parametrize("order", ["RrLl", "RLrl", "RLlr", "LRrl", "LlRr"])
def test_established_in_any_order(order: str) -> None:
    found = watch()
    messages = [opened(c) if c.isupper() else keepalive(c.upper()) for c in order]
    seen = [passes(found, msg) for msg in messages]
    assert [any(isinstance(event, Established) for event in events) for events in seen] == [False, False, False, True]


def test_each_event_comes_once() -> None:
    found = established()
    assert passes(found, keepalive("R"), keepalive("L"), opened("R"), opened("L")) == []
    assert passes(found, update("R", "0000 0000 08 0a"), update("R"), update("R"), update("L", EOR_V6)) == [
        Updated("R"), EndOfRib("R", V4), Updated("L"), EndOfRib("L", V6),
    ]  # fmt: skip


def test_end_of_rib_of_all_families_that_were_agreed_on() -> None:
    """RFC 4724 section 2, in each direction by itself."""
    found = established()
    assert passes(found, update("R", EOR_V6)) == [Updated("R"), EndOfRib("R", V6)]
    assert passes(found, update("L")) == [Updated("L"), EndOfRib("L", V4)]
    assert passes(found, update("R")) == [EndOfRib("R", V4), EndOfRibs("R", (V4, V6))]
    assert passes(found, update("L", "0000 0007 900f0003 000201")) == [EndOfRib("L", V6), EndOfRibs("L", (V4, V6))]


def test_end_of_rib_of_families_that_were_not_agreed_on() -> None:
    """It is none, however many there are."""
    found = established()
    passes(found, update("R", "0000 0000 08 0a"))
    for family in range(3, 5000):
        assert passes(found, update("R", f"0000 0006 800f03 {family:04x}01")) == []
    assert not found.interest("R") & END_OF_RIB
    assert found.interest("L") & END_OF_RIB


@pytest.mark.parametrize("body", ["00000000", EOR_V6, "0000 0007 900f0003 000201"])
def test_end_of_rib_is_of_interest(body: str) -> None:
    assert collect([update("R", body), update("R", body + "08 0a")]).find(END_OF_RIB) == [0]


def test_not_every_short_update_is_an_end_of_rib() -> None:
    bodies = ("0006 100a00 100b00 0000", "0000 0006 400103 000000", "0000 0006 800e03 000201", "0007 18 0a0000 10 0a00 0000")
    assert collect([update("R", body) for body in bodies]).find(END_OF_RIB) == []


def test_a_peer_cannot_have_batches_cut_for_ever() -> None:
    """A stage that drops all KEEPALIVEs: none goes out, and each that comes might be the first."""
    found = watch()
    passes(found, opened("R"), opened("L"))
    for _ in range(MOST_CUTS - 1):
        assert found.cut("R") & 1 << 4
        found.came(keepalive("R"), 1000)
    assert found.cut("R") == 1 << 1 | 1 << 3
    assert found.interest("R") & 1 << 4
    assert found.cut("L") & 1 << 4


def test_a_peer_cannot_have_end_of_ribs_looked_at_for_ever() -> None:
    found = established()
    passes(found, *[update("R")] * (MOST_IDLE + 1))
    assert not found.interest("R") & END_OF_RIB


def test_end_of_rib_before_the_last_keepalive() -> None:
    found = watch()
    passes(found, opened("R"), opened("L"), keepalive("R"), update("L"), update("L", EOR_V6), update("R"), update("R", EOR_V6))
    assert [event.name for event in found.went(keepalive("L"), 1000)] == ["ALIVE", "ESTABLISHED", "EOR", "EOR"]


def test_end_of_rib_without_a_session() -> None:
    """In an archive there is no OPEN: nothing has been agreed on."""
    found = Watch()
    assert found.went(update("R"), 1000) == [Updated("R")]
    assert found.went(update("R", EOR_V6), 1000) == []


def test_updates_that_are_no_end_of_rib() -> None:
    found = established()
    for body in ("0001 08", "0004 18 0a0000 0000", "0007 18 0a0000 10 0a00 0000", "0000 0006 800f03 0002", "0000 0006 8004020001ff"):
        assert [event for event in passes(found, update("R", body)) if not isinstance(event, Updated)] == []


def test_opens_that_a_stage_spoils_are_no_event() -> None:
    found = watch()
    for body in (b"\x04", b"\x05" + bytes(9)):
        assert found.went(Msg.make("OPEN", body, direction="R"), 1000) == []
    assert passes(found, opened("L"), keepalive("R"), keepalive("L"))[-1] == Alive("L")
    assert found.negotiated is None


def test_interest_shrinks_to_what_can_still_happen() -> None:
    rare = 1 << 1 | 1 << 3
    found = watch()
    assert found.interest("R") == found.interest("L") == rare | 1 << 2 | 1 << 4
    assert found.cut("R") == found.cut("L") == rare | 1 << 2 | 1 << 4 | 1 << 5
    passes(found, opened("R"), opened("L"))
    assert found.interest("R") == found.cut("R") == rare | 1 << 2 | 1 << 4 | END_OF_RIB
    passes(found, keepalive("R"), keepalive("L"))
    assert found.interest("R") == found.interest("L") == rare | 1 << 2 | END_OF_RIB
    passes(found, update("R", "0000 0000 08 0a"))
    assert found.interest("R") == rare | END_OF_RIB
    passes(found, update("R"), update("R", EOR_V6))
    assert (found.interest("R"), found.interest("L")) == (rare, rare | 1 << 2 | END_OF_RIB)


# ---- contexts


def test_before_the_opens_nothing_is_known() -> None:
    found = watch()
    passes(found, opened("R"))
    assert found.left.negotiated is None
    assert found.left.receive == found.right.send == SessionContext()


def test_both_ends_agree_when_nothing_is_changed() -> None:
    found = established()
    for end in (found.left, found.right):
        for context in (end.receive, end.send):
            assert (context.as_size, context.extended_messages, context.addpath) == (4, True, {V4})


def test_an_end_is_what_its_peer_agreed_on() -> None:
    """Capabilities taken out on their way to the right: the left peer still uses them, the right one does not."""
    found = watch()
    sent, passed, back = opened("R"), opened("R", {"MP": [V4]}), opened("L")
    found.came(sent, 1000)
    found.went(passed, 1000)
    passes(found, back)
    left, right = found.left, found.right
    assert left.receive == left.send == SessionContext(addpath=[V4], extended_messages=True)
    assert right.receive == SessionContext(as_size=2)
    assert right.send == SessionContext(as_size=2, extended_messages=True)


def test_the_first_open_counts() -> None:
    """Of those that stages let go out; of those that come, there is only one."""
    found = watch()
    passes(found, opened("R"))
    found.went(opened("R", {}, hold=3), 1000)
    passes(found, opened("L"))
    for end in (found.left, found.right):
        assert end.receive.as_size == 4


def test_path_ids_each_way() -> None:
    found = watch()
    passes(found, opened("R", {"AS4": 1, "ADDPATH": [f"{V4}/SEND"]}), opened("L", {"AS4": 1, "ADDPATH": [f"{V4}/RECEIVE"]}))
    with_ids, without = SessionContext(addpath=[V4]), SessionContext()
    assert (found.left.receive, found.right.send) == (with_ids, with_ids)  # R
    assert (found.right.receive, found.left.send) == (without, without)  # L


def test_one_end_alone() -> None:
    """A speaker of ours at the left: nothing comes in there, and what goes out goes nowhere."""
    found = Watch(jitter=lambda: 0)
    found.right.connected(1000)
    ours, theirs = opened("R"), opened("L")
    found.went(ours, 1000)
    found.came(theirs, 1000)
    found.went(theirs, 1000)
    found.went(keepalive("R"), 1000)
    found.came(keepalive("L"), 1000)
    assert [type(event) for event in found.went(keepalive("L"), 1000)] == [Alive, Established]
    assert found.left.negotiated is None
    assert found.right.receive.extended_messages
    assert found.next_deadline() == 1092
    found.tick(1092)
    assert (found.left.take(), found.left.cause) == ([], None)
    assert found.right.take()[0][19:] == b"\x04\x00"


# ---- what cannot be read as the two speakers do

REFRESH = Msg.make("ROUTE_REFRESH", b"\0\1\0\1", direction="R")


@pytest.mark.parametrize("msg", [update("R"), REFRESH], ids=["update", "refresh"])
def test_routes_before_there_is_an_agreement(msg: Msg) -> None:
    """RFC 6608: nobody has told in which context to decode them."""
    found = watch()
    assert found.cut("R") >> msg.type_code & 1
    assert str(found.came(msg, 1000)).startswith("FINITE_STATE_MACHINE_ERROR/UNEXPECTED_MESSAGE_IN_OPENSENT")
    passes(found, opened("R"))
    assert str(found.came(msg, 1000)).startswith("FINITE_STATE_MACHINE_ERROR/UNEXPECTED_MESSAGE_IN_OPENCONFIRM")
    found.came(opened("L"), 1000)
    assert str(found.came(msg, 1000)).startswith("FINITE_STATE_MACHINE_ERROR/UNEXPECTED_MESSAGE_IN_OPENCONFIRM")
    found.went(opened("L"), 1000)  # now the peer knows all that we do
    assert found.came(msg, 1000) is None
    assert found.right.negotiated is not None


def test_a_second_open() -> None:
    found = watch()
    passes(found, opened("R"))
    assert str(found.came(opened("R"), 1000)).startswith("FINITE_STATE_MACHINE_ERROR/UNEXPECTED_MESSAGE_IN_OPENCONFIRM")
    passes(found, opened("L"), keepalive("R"))
    assert str(found.came(opened("R"), 1000)).startswith("FINITE_STATE_MACHINE_ERROR/UNEXPECTED_MESSAGE_IN_ESTABLISHED")


@pytest.mark.parametrize(
    ("body", "name"),
    [(b"\x04", "MESSAGE_HEADER_ERROR/BAD_MESSAGE_LENGTH"), (b"\x05" + bytes(9), "OPEN_MESSAGE_ERROR/UNSUPPORTED_VERSION"), (b"\x04" + bytes(10), "OPEN_MESSAGE_ERROR")],
)  # fmt: skip
def test_an_open_that_does_not_parse(body: bytes, name: str) -> None:
    assert str(watch().came(Msg.make("OPEN", body, direction="R"), 1000)).startswith(name)


def test_an_open_that_is_not_clear() -> None:
    found = watch()
    offer = Offer(65001, 90, 1, ((69, b"\0\1\1\3"), (69, b"\0\1\1\1")))
    assert str(found.came(Msg(offer.wire, direction="R"), 1000)) == (
        "OPEN_MESSAGE_ERROR: two different values for IPV4/UNICAST in ADD-PATH capabilities"
    )
    assert found.left.negotiated is None


# ---- timers


def test_a_peer_that_says_nothing() -> None:
    """RFC 4271 section 8.2.2: four minutes until its OPEN is there."""
    found = watch()
    assert found.next_deadline() == 1242
    found.tick(1242)
    for end in (found.left, found.right):
        assert end.over


def end_of(found: Watch) -> list[list[bytes]]:
    return [[wire[19:] for wire in end.take()] for end in (found.left, found.right)]


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_peer_that_has_gone_silent(side: str) -> None:
    """RFC 4271 section 6.5, but its peer may tell it first. The other side is told with a Cease."""
    found = established()
    silent, other = (found.left, found.right) if side == "left" else (found.right, found.left)
    assert silent.timers is not None
    assert other.timers is not None
    other.timers.heard(1085)
    assert found.next_deadline() == 1092
    found.tick(1091)
    assert end_of(found) == [[], []]
    found.tick(1092)
    assert [wire[19:] for wire in silent.take()] == [b"\x04\x00"]
    (cease,) = other.take()
    assert cease[19:21] == b"\x06\x04"
    assert f"nothing came from the {side} for 90 s".encode() in cease
    assert str(silent.cause) == f"HOLD_TIMER_EXPIRED: nothing came from the {side} for 90 s"
    assert silent.over
    assert other.over
    assert found.next_deadline() is None
    found.tick(2000)
    found.end()
    assert end_of(found) == [[], []]


def test_each_end_has_its_own_hold_time() -> None:
    found = watch()
    found.came(opened("R", hold=90), 1000)
    found.went(opened("R", hold=30), 1000)
    passes(found, opened("L", hold=90))
    assert found.left.timers is not None
    assert found.right.timers is not None
    assert (found.left.timers.hold_s, found.right.timers.hold_s) == (90, 30)


def test_keepalives_of_our_own_for_a_peer_that_waits() -> None:
    found = established()
    assert found.right.timers is not None
    assert found.left.timers is not None
    found.right.waiting(True)
    found.right.timers.sent(1010)
    assert found.next_deadline() == 1040
    found.tick(1040)
    assert (found.left.take(), found.right.take()) == ([], [KEEPALIVE_WIRE])
    found.left.timers.heard(1050)
    found.right.timers.heard(1050)
    found.tick(1070)
    assert found.right.take() == [KEEPALIVE_WIRE]
    found.right.waiting(False)
    assert found.next_deadline() == 1142


def test_no_keepalive_where_none_of_the_other_speaker_has_been() -> None:
    """It would accept an OPEN in its place."""
    found = watch()
    passes(found, opened("R"), opened("L"))
    found.right.waiting(True)
    found.tick(1080)
    assert found.right.take() == []
    found.went(keepalive("R"), 1080)
    found.tick(1080)
    assert found.right.take() == [KEEPALIVE_WIRE]


def test_a_direction_that_is_blocked() -> None:
    """The right peer does not read: the left one is not read either, and not blamed for it."""
    found = established()
    left, right = found.left.timers, found.right.timers
    assert left is not None
    assert right is not None
    left.reading(False, 1010)
    right.writing(False, 1010)
    for now in range(1020, 1480, 20):
        right.heard(now)
        found.tick(now)
    assert end_of(found) == [[], []]
    right.heard(1485)
    found.tick(1490)
    assert found.right.take()[0][19:] == b"\x08\x00"  # RFC 9687
    assert found.left.take()[0][19:21] == b"\x06\x04"
    assert str(found.right.cause) == "SEND_HOLD_TIMER_EXPIRED: the right has stopped reading"


def test_no_hold_time() -> None:
    found = established(hold=0)
    found.left.waiting(True)
    assert found.next_deadline() is None


# ---- the end


def test_a_notification_that_passes_is_the_last_word() -> None:
    found = established()
    cease = Notification("CEASE/ADMIN_SHUTDOWN", text="bye", direction="R").msg
    assert passes(found, cease) == []
    assert found.left.over
    assert found.right.over
    assert str(found.left.cause) == str(found.right.cause) == "CEASE/ADMIN_SHUTDOWN: bye"
    found.end("too late")
    assert end_of(found) == [[], []]
    assert found.next_deadline() is None


def test_a_notification_that_a_stage_drops_ends_one_side() -> None:
    found = established()
    found.came(Notification(6, 2, direction="R").msg, 1000)
    found.end("bye")
    assert end_of(found) == [[], [b"\x06\x02\x03bye"]]


def test_a_cease_to_both() -> None:
    found = established()
    found.end("maintenance")
    found.end("again")
    assert end_of(found) == [[b"\x06\x02\x0bmaintenance"]] * 2


def test_no_connection_no_notification() -> None:
    found = Watch()
    found.right.connected(1000)
    found.right.closed()
    found.end("bye")
    assert end_of(found) == [[], []]
    lonely = End("left", lambda: 0)
    lonely.waiting(True)
    assert (lonely.next_deadline(), lonely.tick(5)) == (None, False)
