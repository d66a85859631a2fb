"""What two OPENs agree on, and which OPENs are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import corpus
from bgpipe._view import Msg, SessionContext
from bgpipe.bgp import capabilities
from bgpipe.bgp.causes import Cause
from bgpipe.bgp.negotiation import Negotiated, Offer
from property import strategies


def offer(caps: dict[str, Any] | None = None, *, asn: int = 65001, hold: int = 90, id: int = 1) -> Offer:  # noqa: A002
    return Offer(min(asn, 23456) if asn > 65535 else asn, hold, id, tuple(capabilities.from_object(caps or {})))


def agreed(local: dict[str, Any], remote: dict[str, Any]) -> Negotiated:
    return Negotiated.of(offer(local), offer(remote, id=2))


# ---- what is clear to all who read it


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        ([(65, b"\0\0\0\1"), (65, b"\0\0\0\2")], "AS4 capabilities with different AS numbers"),
        ([(65, b"\0\1")], "an AS4 capability that has not four octets"),
        ([(69, b"\0\1\1")], "an ADD-PATH capability whose length is no multiple of four"),
        ([(69, b"\0\1\1\3"), (69, b"\0\1\1\1")], "two different values for IPV4/UNICAST in ADD-PATH capabilities"),
        ([(69, b"\0\2\1\1\0\2\1\0")], "two different values for IPV6/UNICAST in ADD-PATH capabilities"),
        ([(69, b"\0\1\1\7")], "value 7 for IPV4/UNICAST in the ADD-PATH capability"),
    ],
)
def test_what_speakers_take_differently(pairs: list[tuple[int, bytes]], why: str) -> None:
    """RFC 5492 section 4 leaves it to each capability what several instances of it mean."""
    assert str(Offer(65001, 90, 1, tuple(pairs)).unclear) == f"OPEN_MESSAGE_ERROR: {why}"


def test_what_is_said_twice() -> None:
    """The same again, other families, and no path ids at all: there is but one way to take it."""
    pairs = ((65, b"\0\0\0\1"), (65, b"\0\0\0\1"), (69, b"\0\1\1\3\0\2\1\1"), (69, b"\0\1\1\3"), (69, b"\0\1\4\0"), (69, b""))
    assert Offer(65001, 90, 1, pairs).unclear is None


# ---- negotiation


@pytest.mark.parametrize(
    ("local", "remote", "as_size"),
    [({"AS4": 65001}, {"AS4": 65001}, 4), ({"AS4": 65001}, {}, 2), ({}, {"AS4": 65001}, 2), ({}, {}, 2), ({"AS4": "0x01"}, {"AS4": 1}, 2)],
)  # fmt: skip
def test_as_numbers_of_four_octets_rfc_6793(local: dict[str, Any], remote: dict[str, Any], as_size: int) -> None:
    found = agreed(local, remote)
    assert (found.send.as_size, found.receive.as_size) == (as_size, as_size)


V4, V6 = "IPV4/UNICAST", "IPV6/UNICAST"


@pytest.mark.parametrize(
    ("local", "remote", "send", "receive"),
    [
        (["BIDIR"], ["BIDIR"], [V4], [V4]),
        (["SEND"], ["RECEIVE"], [V4], []),
        (["RECEIVE"], ["SEND"], [], [V4]),
        (["BIDIR"], ["SEND"], [], [V4]),
        (["BIDIR"], ["RECEIVE"], [V4], []),
        (["SEND"], ["SEND"], [], []),
        (["RECEIVE"], ["RECEIVE"], [], []),
        (["0"], ["BIDIR"], [], []),
        (["BIDIR"], ["7"], [], []),
        (["SEND", "RECEIVE"], ["BIDIR"], [], [V4]),
    ],
)
def test_add_path_rfc_7911(local: list[str], remote: list[str], send: list[str], receive: list[str]) -> None:
    """Each direction by itself: its sender sends, its receiver receives. The last word on a family counts."""
    ours, theirs = ({"ADDPATH": [f"{V4}/{way}" for way in ways]} for ways in (local, remote))
    found = agreed(ours, theirs)
    assert (found.send.addpath, found.receive.addpath) == (set(send), set(receive))


def test_add_path_takes_the_same_family_and_is_cut_to_whole_tuples() -> None:
    assert agreed({"ADDPATH": [f"{V4}/BIDIR"]}, {"ADDPATH": [f"{V6}/BIDIR"]}).send == SessionContext(as_size=2)
    assert agreed({"ADDPATH": "0x00010103000201"}, {"ADDPATH": [f"{V4}/BIDIR", f"{V6}/BIDIR"]}).send.addpath == {V4}
    assert agreed({}, {"ADDPATH": [f"{V4}/BIDIR"]}).receive.addpath == set()


@pytest.mark.parametrize(
    ("local", "remote"),
    [(True, True), (True, False), (False, True), (False, False)],
)
def test_extended_messages_rfc_8654(local: bool, remote: bool) -> None:
    """Whoever advertises it takes them."""
    found = agreed(*({"EXTENDED_MESSAGE": True} if has else {} for has in (local, remote)))
    assert (found.send.extended_messages, found.receive.extended_messages) == (remote, local)


@pytest.mark.parametrize(
    ("local", "remote", "families"),
    [
        ([V6, V4], [V4, V6], (V6, V4)),
        ([V4, V6], [V6], (V6,)),
        ([V6], [V4], ()),
        (None, None, (V4,)),  # none named: IPv4 unicast
        (None, [V4, V6], (V4,)),
        ([V6], None, ()),
        ([V4, V4], [V4], (V4,)),
        (["0x00010001", "0x01"], [V4], (V4,)),
        (["0x0001ff01"], [V4], (V4,)),  # the reserved octet is ignored
        (["IPV4/FLOWSPEC", "L2VPN/EVPNS"], ["L2VPN/EVPNS"], ("L2VPN/EVPNS",)),
    ],
)
def test_families_rfc_4760(local: list[str] | None, remote: list[str] | None, families: tuple[str, ...]) -> None:
    assert agreed(*({} if mp is None else {"MP": mp} for mp in (local, remote))).families == families


def test_what_else_is_recorded() -> None:
    restart = {"flags": "R", "time": 120, "families": [{"af": V4, "flags": "F"}]}
    common = {"ROUTE_REFRESH": True, "ENHANCED_ROUTE_REFRESH": True}
    ours = {"ROLE": "CUSTOMER", "EXTENDED_NEXTHOP": [f"{V4}/IPV6"], "GRACEFUL_RESTART": {}, **common}
    theirs = {"ROLE": "PROVIDER", "EXTENDED_NEXTHOP": [f"{V4}/IPV6", f"{V6}/IPV4"], "GRACEFUL_RESTART": restart, **common}
    found = agreed(ours, theirs)
    assert found.extended_nexthop == (f"{V4}/IPV6",)
    assert (found.route_refresh, found.enhanced_route_refresh) == (True, True)
    assert found.graceful_restart == restart
    assert (found.role, found.remote_role) == ("CUSTOMER", "PROVIDER")
    assert found.internal
    alone = agreed(ours, {})
    assert (alone.extended_nexthop, alone.route_refresh, alone.enhanced_route_refresh) == ((), False, False)
    assert (alone.graceful_restart, alone.role, alone.remote_role) == (None, "CUSTOMER", None)


@pytest.mark.parametrize(("local", "remote", "hold"), [(90, 180, 90), (180, 90, 90), (0, 90, 0), (90, 0, 0)])
def test_the_lower_hold_time_holds(local: int, remote: int, hold: int) -> None:
    assert Negotiated.of(offer(hold=local), offer(hold=remote)).hold_time == hold


def test_capabilities_in_readable_form() -> None:
    ours = {
        "MP": [V4, V6], "AS4": 65001, "ROUTE_REFRESH": True, "FQDN": {"host": "a"}, "ROLE": "PEER",
        "ADDPATH": [f"{V4}/BIDIR", f"{V6}/SEND"], "EXTENDED_NEXTHOP": [f"{V4}/IPV6"],
    }  # fmt: skip
    theirs = {
        "AS4": 70000, "MP": [V6], "ROUTE_REFRESH": True, "LLGR": [{"af": V4}], "FQDN": {"host": "b", "domain": ""},
        "ADDPATH": [f"{V4}/SEND", f"{V6}/BIDIR"], "EXTENDED_NEXTHOP": [f"{V6}/IPV4"],
    }  # fmt: skip
    found = agreed(ours, theirs)
    assert found.capabilities == {
        "MP": [V6], "AS4": 70000, "ROUTE_REFRESH": True, "FQDN": {"host": "b", "domain": ""},
        "ADDPATH": [f"{V4}/RECEIVE", f"{V6}/SEND"],
    }  # fmt: skip
    assert agreed({}, {}).capabilities == {"MP": [V4]}


def test_the_as_number_is_that_of_the_capability() -> None:
    assert offer({"AS4": 70000}, asn=70000).asn == 70000
    assert offer({"AS4": 70000}, asn=70000).my_as == 23456
    assert offer({"AS4": "0x01"}).asn == 65001


# ---- OPENs that are refused: RFC 4271 section 6.2


@pytest.mark.parametrize(
    ("body", "notification"),
    [
        ("04 fde9 005a c0000201", "0102 001c"),  # too short
        ("03 fde9 005a c0000201 00", "0201 0004"),
        ("05 fde9 005a c0000201 00", "0201 0004"),
        ("04 fde9 005a c0000201 01", "0200"),  # parameters longer or shorter than their length says
        ("04 fde9 005a c0000201 00 0200", "0200"),
        ("04 fde9 005a c0000201 03 0202 02", "0200"),
        ("04 fde9 005a c0000201 04 0202 0201", "0200"),
        ("04 fde9 005a c0000201 ff ff 0003 02 0001", "0200"),
    ],
)
def test_opens_that_do_not_parse(body: str, notification: str) -> None:
    found = Offer.parse(bytes.fromhex(body))
    assert isinstance(found, Cause)
    assert found.wire[19:] == bytes.fromhex(notification)


LOCAL = offer({"AS4": 65001})


@pytest.mark.parametrize(
    ("body", "notification"),
    [
        ("04 fdea 005a c0000201 00", None),
        ("04 fdea 0000 c0000201 00", None),
        ("04 fdea 0003 c0000201 00", None),
        ("04 0000 005a c0000201 00", "0202"),  # AS 0: RFC 7607
        ("04 5ba0 005a c0000201 08 0206 4104 00000000", "0202"),
        ("04 0000 005a c0000201 08 0206 4104 00011170", "0202"),
        ("04 fdea 005a c0000201 08 0206 4104 00011170", "0202"),  # two AS numbers
        ("04 fdea 005a c0000201 08 0206 4104 0000fdea", None),
        ("04 5ba0 005a c0000201 08 0206 4104 0000fdea", None),
        ("04 5ba0 005a c0000201 07 0205 4103 00fdea", "0200"),  # AS4 of three octets
        ("04 fdea 005a 00000000 00", "0203"),
        ("04 fdea 005a 00000001 00", None),  # our identifier in another AS: RFC 6286
        ("04 fde9 005a 00000001 00", "0203"),  # and in our own
        ("04 fdea 0001 c0000201 00", "0206"),
        ("04 fdea 0002 c0000201 00", "0206"),
        ("04 fdea 005a c0000201 03 0101 00", "0204"),  # authentication, gone since RFC 4271
        ("04 fdea 005a c0000201 02 6300", "0204"),
        ("04 fdea 005a c0000201 ff ff 0005 02 0002 0200", None),  # RFC 9072
        ("04 fdea 005a c0000201 0a 0203 6301 05 0203 6301 06", None),  # capabilities that nobody knows: RFC 5492
    ],
)
def test_opens_that_are_refused(body: str, notification: str | None) -> None:
    remote = Offer.parse(bytes.fromhex(body))
    assert isinstance(remote, Offer)
    found = remote.refusal(LOCAL)
    assert (None if found is None else found.wire[19:]) == (None if notification is None else bytes.fromhex(notification))


def test_what_an_operator_asks_for() -> None:
    remote = offer({"AS4": 70000}, asn=70000, hold=30, id=5)
    assert remote.refusal(LOCAL, asn=70000, shortest_hold=30) is None
    assert str(remote.refusal(LOCAL, asn=65000)) == "OPEN_MESSAGE_ERROR/BAD_PEER_AS: AS 70000, expected 65000"
    assert str(remote.refusal(LOCAL, shortest_hold=31)) == "OPEN_MESSAGE_ERROR/UNACCEPTABLE_HOLD_TIME: a hold time of 30 s"
    assert offer(asn=5, hold=0).refusal(LOCAL, shortest_hold=31) is not None


@pytest.mark.parametrize(
    ("ours", "theirs", "fits"),
    [
        ("PROVIDER", "CUSTOMER", True), ("CUSTOMER", "PROVIDER", True), ("RS", "RS-CLIENT", True), ("RS-CLIENT", "RS", True),
        ("PEER", "PEER", True), ("PROVIDER", "PROVIDER", False), ("PEER", "CUSTOMER", False), ("RS", "CUSTOMER", False),
        ("PEER", 9, False), ("PEER", ["PEER", "PEER"], True), ("PEER", ["PEER", "CUSTOMER"], False),
        (None, "PEER", True), ("PEER", None, True),
    ],
)  # fmt: skip
def test_roles_rfc_9234(ours: Any, theirs: Any, fits: bool) -> None:
    local, remote = (offer({} if role is None else {"ROLE": role}, id=n) for n, role in enumerate((ours, theirs), 5))
    found = remote.refusal(local)
    assert fits is (found is None)
    if found is not None:
        assert found.name == "OPEN_MESSAGE_ERROR/ROLE_MISMATCH"
        assert found.wire[19:] == b"\2\x0b"  # RFC 9234 section 4.2


# ---- all kinds of OPENs


def test_an_offer_becomes_the_open_it_came_from() -> None:
    sent = offer({"MP": [V4, V6], "AS4": 70000, "CAP_99": "0x" + "05" * 250}, asn=70000, hold=180, id=0xC0000201)
    assert Msg(sent.wire).error is None
    assert Offer.parse(sent.wire[19:]) == sent


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.opens, strategies.opens)
def test_any_two_opens(one: bytes, other: bytes) -> None:
    """What one end sends is what the other receives, whatever is in the OPENs."""
    parsed = [Offer.parse(wire[19:]) for wire in (one, other)]
    for wire, found in zip((one, other), parsed, strict=True):
        assert isinstance(found, Offer) is (Msg(wire).error is None and wire[19] == 4)
    local, remote = parsed
    if isinstance(local, Offer) and isinstance(remote, Offer):
        here, there = Negotiated.of(local, remote), Negotiated.of(remote, local)
        assert (here.send, here.receive) == (there.receive, there.send)
        assert (set(here.families), here.hold_time) == (set(there.families), there.hold_time)
        assert set(here.extended_nexthop) == set(there.extended_nexthop)
        assert set(here.capabilities) <= {"MP", *capabilities.to_object(list(remote.capabilities))}
        remote.refusal(local)


def test_real_opens() -> None:
    opens = [message.wire for message in corpus.messages() if message.wire[18] == 1]
    assert opens
    for wire in opens:
        found = Offer.parse(wire[19:])
        assert isinstance(found, Offer) is (Msg(wire).error is None and wire[19] == 4), wire.hex()
