"""OPEN, NOTIFICATION and ROUTE-REFRESH messages as Python sees them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpipe._view import Msg
from bgpipe.bgp.messages import Notification, Open, RouteRefresh
from bgpipe.errors import FieldError, MessageError

# ---- OPEN


def opened() -> Open:
    return Open(asn=70000, id="192.0.2.1", capabilities={"MP": ["IPV4/UNICAST"], "ROUTE_REFRESH": True})


def test_open_fields() -> None:
    view = opened()
    assert (view.version, view.asn, view.my_as, view.hold_time, view.id) == (4, 70000, 23456, 90, "192.0.2.1")
    assert dict(view.capabilities) == {"MP": ["IPV4/UNICAST"], "ROUTE_REFRESH": True, "AS4": 70000}
    assert view.msg.body.hex(" ") == (
        "04 5b a0 00 5a c0 00 02 01 10 02 0e 01 04 00 01 00 01 02 00 41 04 00 01 11 70"
    )
    assert repr(view) == "<Open, AS 70000, 192.0.2.1>"
    assert view.msg.open is not None
    assert view.msg.open.asn == 70000
    small = Open(asn=65000, id=1, hold_time=0, version=3, direction="L", time=5, tags={"A": "b"})
    assert (small.asn, small.my_as, small.hold_time, small.id, small.version) == (65000, 65000, 0, "0.0.0.1", 3)
    assert (small.msg.dir, small.msg.time, dict(small.msg.tags), len(small.capabilities)) == ("L", 5, {"A": "b"}, 0)


def test_open_edits() -> None:
    view = opened()
    view.version, view.hold_time, view.id = 5, 180, "10.0.0.1"
    assert view.msg.body[:10].hex(" ") == "05 5b a0 00 b4 0a 00 00 01 10"
    view.asn = 65000
    assert (view.asn, view.my_as, view.capabilities["AS4"]) == (65000, 65000, 65000)
    del view.capabilities["AS4"]
    view.asn = 64999
    assert (view.asn, view.my_as, "AS4" in view.capabilities) == (64999, 64999, False)
    view.asn = 4294967295
    assert (view.asn, view.my_as, view.capabilities["AS4"]) == (4294967295, 23456, 4294967295)
    for name, value in (("version", 256), ("hold_time", -1), ("id", "::1"), ("asn", 2**32)):
        before = view.msg.wire
        with pytest.raises(FieldError):
            setattr(view, name, value)
        assert view.msg.wire == before


def test_capabilities() -> None:
    caps = opened().capabilities
    caps["ROLE"] = "PEER"
    caps["MP"] = ["IPV6/UNICAST", "IPV4/UNICAST"]
    caps["cap_99"] = b"\x01\x02"
    assert dict(caps) == {
        "MP": ["IPV6/UNICAST", "IPV4/UNICAST"], "ROUTE_REFRESH": True, "AS4": 70000, "ROLE": "PEER", "CAP_99": "0x0102",
    }  # fmt: skip
    assert caps.pairs()[0] == (1, b"\0\x02\0\x01")
    assert (caps["as4"], caps[65], caps.get("FQDN"), "role" in caps, 99 in caps, 2.5 in caps) == (70000, 70000, None, True, True, False)
    del caps["MP"]
    assert list(caps) == ["ROUTE_REFRESH", "AS4", "ROLE", "CAP_99"]
    with pytest.raises(KeyError):
        del caps["MP"]
    with pytest.raises(KeyError):
        caps["MP"]
    with pytest.raises(FieldError, match='ROLE: "BOSS"'):
        caps["ROLE"] = "BOSS"
    assert caps["ROLE"] == "PEER"
    assert repr(caps).startswith("Capabilities({'ROUTE_REFRESH': True")


def test_capabilities_in_several_parameters() -> None:
    msg = Msg.make("OPEN", bytes.fromhex("04 fde8 005a c0000201 10 0206 0104 0001 0001 0101aa 0203 6301 05".replace(" ", "")))
    view = msg.open
    assert view is not None
    assert dict(view.capabilities) == {"MP": ["IPV4/UNICAST"], "CAP_99": "0x05"}
    view.capabilities["ROLE"] = 1
    assert dict(view.capabilities) == {"MP": ["IPV4/UNICAST"], "CAP_99": "0x05", "ROLE": "RS"}
    assert view.msg.body[9:].hex() == "0e020c" + "010400010001" + "630105" + "090101"


def test_capabilities_set_at_once() -> None:
    view = opened()
    view.capabilities = {"AS4": 5}
    assert dict(view.capabilities) == {"AS4": 5}
    many = {f"CAP_{n}": "0x" + "ab" * 100 for n in (200, 201, 202)}
    view.capabilities = many
    assert dict(view.capabilities) == many
    assert view.msg.error is None
    with pytest.raises(MessageError, match="4096 is the most"):
        view.capabilities = {f"CAP_{n}": "0x" + "ab" * 255 for n in range(200, 220)}
    assert dict(view.capabilities) == many


def test_open_that_does_not_parse() -> None:
    view = Msg.make("OPEN", bytes(9)).open
    assert view is not None
    for look in (lambda: view.asn, lambda: view.hold_time, lambda: dict(view.capabilities)):
        with pytest.raises(MessageError):
            look()
    with pytest.raises(MessageError):
        view.hold_time = 5
    with pytest.raises(MessageError):
        view.capabilities = {}


values = st.fixed_dictionaries(
    {},
    optional={
        "MP": st.lists(st.sampled_from(["IPV4/UNICAST", "IPV6/UNICAST"]), min_size=1, unique=True),
        "AS4": st.integers(0, 2**32 - 1),
        "ROUTE_REFRESH": st.just(True),
        "ROLE": st.sampled_from(["PROVIDER", "RS", "RS-CLIENT", "CUSTOMER", "PEER"]),
        "CAP_99": st.binary(min_size=1, max_size=100).map(lambda octets: "0x" + octets.hex()),
        "CAP_98": st.binary(min_size=1, max_size=255).map(lambda octets: "0x" + octets.hex()),
    },
)


@given(values, values)
def test_capabilities_do_as_a_dict_does(first: dict[str, object], then: dict[str, object]) -> None:
    view = Open(asn=5, id="1.2.3.4", capabilities=first)
    model = dict(first)
    for key, value in then.items():
        view.capabilities[key] = model[key] = value
    assert dict(view.capabilities) == model
    assert list(view.capabilities) == list(model)
    again = Msg(view.msg.wire).open
    assert again is not None
    assert dict(again.capabilities) == model


# ---- NOTIFICATION


def test_notification_fields() -> None:
    view = Notification(6, 2, text="bye é", direction="L", time=5, tags={"A": "b"})
    assert (view.code, view.subcode, view.name, view.text) == (6, 2, "CEASE/ADMIN_SHUTDOWN", "bye é")
    assert view.data == b"\x06bye \xc3\xa9"
    assert (view.msg.dir, view.msg.time, dict(view.msg.tags)) == ("L", 5, {"A": "b"})
    assert repr(view) == "<Notification, CEASE/ADMIN_SHUTDOWN>"
    assert Notification("CEASE/HARD_RESET").msg.body == b"\x06\x09"
    assert Notification("CEASE", 9, b"abc").msg.body == b"\x06\x09abc"
    assert Notification(4).text is None
    with pytest.raises(FieldError):
        Notification("CEASE/FOO")
    with pytest.raises(FieldError, match="text: goes with CEASE/ADMIN_SHUTDOWN, CEASE/ADMIN_RESET"):
        Notification(6, 1, text="bye")


def test_notification_details() -> None:
    """What the data say, as in JSON."""
    reset = Notification("CEASE/HARD_RESET", detail={"reason": {"name": "CEASE/ADMIN_SHUTDOWN", "text": "bye"}})
    assert reset.data == b"\x06\x02\x03bye"
    assert reset.detail == {"reason": {"code": 6, "subcode": 2, "name": "CEASE/ADMIN_SHUTDOWN", "text": "bye"}}
    assert reset.text is None
    view = Notification(2, 1, b"\0\4")
    assert view.detail == {"version": 4}
    view.detail = {"version": 5}
    assert view.data == b"\0\5"
    assert Notification(2, 7, detail={"caps": {"AS4": 1}}).data == b"\x41\x04\0\0\0\1"
    assert Notification(6, 3, b"x").detail == {}
    assert Notification(6, 2, b"\1\xff").detail == {}
    with pytest.raises(FieldError, match="version: goes with OPEN_MESSAGE_ERROR/UNSUPPORTED_VERSION_NUMBER"):
        Notification(6, 1, detail={"version": 4})


def test_notification_edits() -> None:
    view = Notification(1)
    with pytest.raises(FieldError, match="data: 8, expected hex digits"):  # not eight zeros
        view.data = 8  # type: ignore[assignment]
    view.code, view.subcode, view.data = 6, 4, b"\x01x"
    assert view.msg.body == b"\x06\x04\x01x"
    assert view.text == "x"
    view.text = "shorter or longer"
    assert view.data == b"\x11shorter or longer"
    view.subcode = 1
    with pytest.raises(FieldError):
        view.text = "no"
    with pytest.raises(FieldError):
        view.code = 256
    with pytest.raises(FieldError):
        view.subcode = -1
    assert view.msg.body == b"\x06\x01\x11shorter or longer"


def test_notification_that_does_not_parse() -> None:
    view = Msg.make("NOTIFICATION", b"\x06").notification
    assert view is not None
    with pytest.raises(MessageError):
        view.code  # noqa: B018


# ---- ROUTE-REFRESH


def test_route_refresh() -> None:
    view = RouteRefresh("IPV6/UNICAST", direction="L", time=5, tags={"A": "b"})
    assert view.msg.body == b"\0\x02\0\x01"
    assert (view.af, view.subtype, view.data) == ("IPV6/UNICAST", 0, b"")
    assert repr(view) == "<RouteRefresh, IPV6/UNICAST>"
    view.subtype = 2
    view.af = (1, 128)
    assert view.msg.body == b"\0\x01\x02\x80"
    assert view.af == "IPV4/MPLS_VPN"
    assert RouteRefresh((1, 1), 0, b"orf").data == b"orf"
    assert RouteRefresh((1, 1), "EORR").subtype == 2
    with pytest.raises(FieldError):
        view.subtype = 256
    with pytest.raises(FieldError):
        view.af = "IPV4"
    with pytest.raises(FieldError):
        RouteRefresh("IPV4/UNICAST", 256)
    more = RouteRefresh((1, 1), 1, b"orf")  # RFC 7313 section 5: nothing behind the begin of a refresh
    assert more.msg.error is not None
    assert (more.msg.error.code, more.msg.error.subcode) == (7, 1)
    bad = Msg.make("ROUTE_REFRESH", b"\0\x01\0").refresh
    assert bad is not None
    with pytest.raises(MessageError):
        bad.af  # noqa: B018


ENTRY = {"action": "ADD", "match": "DENY", "seq": 5, "min": 0, "max": 24, "prefix": "10.0.0.0/8"}


def test_route_refresh_filters() -> None:
    """RFC 5291, RFC 5292."""
    orfs = [{"type": "ADDRESS_PREFIX", "entries": [{"action": "REMOVE_ALL"}, ENTRY]}]
    view = RouteRefresh("IPV4/UNICAST", when="DEFER", orfs=orfs)
    assert view.data == bytes.fromhex("02 40 000a 80 20 00000005 00 18 08 0a")
    assert (view.when, view.orfs) == ("DEFER", orfs)
    view.orfs = [{"type": 99, "data": "0x01"}]
    assert (view.when, view.data) == ("DEFER", bytes.fromhex("02 63 0001 01"))
    view.orfs = []
    assert (view.when, view.orfs, view.data) == (None, [], b"")
    assert RouteRefresh("IPV4/UNICAST", data=b"\1\x40\0").orfs == []
    assert RouteRefresh("L2VPN/EVPNS", data=b"\1\x40\0\0").orfs == [{"type": "ADDRESS_PREFIX", "data": "0x"}]


@pytest.mark.parametrize(
    ("orf", "message"),
    [
        (5, "[0]: 5, expected an object of type, entries, data"),
        ({"type": "FOO"}, '[0].type: "FOO", expected ADDRESS_PREFIX, CP_ORF, PRE_ADDRESS_PREFIX (0 to 255)'),
        ({"type": "CP_ORF", "entries": []}, '[0].data: null, expected "0x..", as CP_ORF has no other form'),
        ({"type": 64, "entries": 5}, "[0].entries: 5, expected a list"),
        ({"type": 64, "entries": [{}]}, "[0].entries[0].action: null, expected ADD, REMOVE, REMOVE_ALL (0 to 2)"),
        ({"type": 64, "entries": [{**ENTRY, "match": 2}]}, "[0].entries[0].match: 2, expected PERMIT, DENY (0 to 1)"),
        ({"type": 64, "entries": [{**ENTRY, "max": 256}]}, "[0].entries[0].max: 256, expected a prefix length (0 to 255)"),
        ({"type": 64, "entries": [{**ENTRY, "prefix": "::/0"}]}, '[0].entries[0].prefix: "::/0", expected a prefix of the family'),
        ({"type": 64, "data": "0x" + "00" * 65536}, "[0]: 65536 octets, expected 65535 at most"),
    ],
)  # fmt: skip
def test_wrong_filters(orf: Any, message: str) -> None:
    with pytest.raises(FieldError) as caught:
        RouteRefresh("IPV4/UNICAST", orfs=[orf])
    assert str(caught.value).startswith("orfs" + message)
