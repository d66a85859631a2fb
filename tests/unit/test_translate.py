"""Messages for a peer that wants them otherwise, in octets written by hand from the RFCs."""

from __future__ import annotations

from typing import Any

import pytest
from unit.test_edit import HOP, MARKER, MP6, ORIGIN, PREFIX, batch_of, octets, sequence, update

from bgpipe._codec import Buffer
from bgpipe._translate import PeerEncoder
from bgpipe._view import Msg, SessionContext, message_at

AS4, AS2 = SessionContext(), SessionContext(as_size=2)
EXTENDED = SessionContext(extended_messages=True)
IPV4_IDS = SessionContext(addpath=["IPV4/UNICAST"])
IPV6_IDS = SessionContext(addpath=["IPV6/UNICAST"])
ALL_IDS = {"addpath": True}  # of a decoder: every family carries path ids
UPDATE = 2


def send(*wires: bytes, to: SessionContext, **options: Any) -> tuple[list[bytes], list[str]]:
    """What a peer with this context gets, and what is said of messages that it does not get."""
    said: list[str] = []
    out = Buffer()
    encoder = PeerEncoder(int(to), on_skip=lambda error: said.append(str(error)))
    batch = batch_of(*wires, **options)
    encoder.encode(batch, out)
    assert encoder.skipped == len(said)
    assert [msg.wire for msg in batch] == list(wires), "the batch stays as it is"
    found = list(split(bytes(out)))
    assert encoder.written == len(found)
    for wire in found:
        if wire[18] == UPDATE and wire not in wires:
            assert Msg(wire, context=to).error is None
    return found, said


def split(stream: bytes) -> Any:
    while stream:
        length = int.from_bytes(stream[16:18])
        yield stream[:length]
        stream = stream[length:]


def sent(wire: bytes, *, to: SessionContext, **options: Any) -> bytes:
    (found,), said = send(wire, to=to, **options)
    assert said == []
    return found


class TestNothingToDo:
    def test_nothing_agreed_on(self) -> None:
        """Without a context all leaves as it is, even what no peer could take."""
        wires = [update(ORIGIN), MARKER + b"\0\x13\4", MARKER + b"\x20\0\2" + bytes(8192 - 19)]
        out = Buffer()
        encoder = PeerEncoder()
        encoder.encode(batch_of(*wires, as_size=2, addpath=True), out)
        assert bytes(out) == b"".join(wires)
        assert encoder.context is None
        assert encoder.written == 3

    @pytest.mark.parametrize("to", [AS4, EXTENDED])
    def test_same_context(self, to: SessionContext) -> None:
        wires = [update(ORIGIN, HOP), MARKER + b"\0\x13\4", update("40 02 01 00"), MARKER + b"\0\x15\3\6\2", update()]
        assert send(*wires, to=to) == (wires, [])

    def test_dropped_messages_are_left_out(self) -> None:
        wires = [update(ORIGIN), update(HOP), update(ORIGIN, HOP), update()]
        batch = batch_of(*wires)
        message_at(batch, 1).dropped = True
        out = Buffer()
        PeerEncoder(int(AS4)).encode(batch, out)
        assert list(split(bytes(out))) == [wires[0], *wires[2:]]

    def test_other_types(self) -> None:
        wires = [MARKER + b"\0\x13\4", MARKER + b"\0\x17\5\0\1\0\1", MARKER + b"\0\x15\x4d\6\2"]
        assert send(*wires, to=AS2, **ALL_IDS) == (wires, [])

    def test_what_has_nothing_of_the_kind(self) -> None:
        """UPDATEs without AS numbers and prefixes of the families that differ."""
        wires = [update(ORIGIN, "d0 63 0001 07", HOP), update(reach="", unreach="18 c00002"), update(reach="")]
        assert send(*wires, to=AS2) == (wires, [])
        assert send(*wires, to=IPV6_IDS) == (wires, [])


class TestTwoOctets:
    """RFC 6793 section 4.2.2."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (["40 02 0a 0202 0000fde8 0000fde9"], ["40 02 06 0202 fde8 fde9"]),
            (["40 02 00"], ["40 02 00"]),
            (["50 02 0006 0201 0000fde8"], ["50 02 0004 0201 fde8"]),
            (
                ["40 02 10 0202 0000fde8 00010000 0101 00000001"],
                ["40 02 0a 0202 fde8 5ba0 0101 0001", "c0 11 10 0202 0000fde8 00010000 0101 00000001"],
            ),
            (  # a confederation's own segments are not for AS4_PATH
                ["40 02 12 0301 0000fde8 0201 00010000 0401 00010001"],
                ["40 02 0c 0301 fde8 0201 5ba0 0401 5ba0", "c0 11 06 0201 00010000"],
            ),
            (["40 02 0c 0301 00010001 0201 00000001"], ["40 02 08 0301 5ba0 0201 0001"]),
            (["c0 07 08 0000fde8 c0000201"], ["c0 07 06 fde8 c0000201"]),
            (["c0 07 08 00010000 c0000201"], ["c0 07 06 5ba0 c0000201", "c0 12 08 00010000 c0000201"]),
            (["c0 11 06 0201 00000001", "c0 12 08 00000001 c0000201"], []),  # not between such speakers (section 6)
            (  # in the order of codes
                ["40 02 06 0201 00010000", "c0 07 08 00010000 c0000201", "c0 08 04 00010002", "c0 20 0c 000000010000000200000003"],
                [
                    *("40 02 04 0201 5ba0", "c0 07 06 5ba0 c0000201", "c0 08 04 00010002"),
                    *("c0 11 06 0201 00010000", "c0 12 08 00010000 c0000201", "c0 20 0c 000000010000000200000003"),
                ],
            ),
        ],
    )
    def test_attributes(self, before: list[str], after: list[str]) -> None:
        assert sent(update(ORIGIN, *before), to=AS2) == update(ORIGIN, *after)

    def test_long_paths(self) -> None:
        path = sequence(255) + sequence(100, first=70000)
        short = sequence(255, 2) + b"\2\x64" + b"\x5b\xa0" * 100
        before = update(octets("50 02", len(path).to_bytes(2), path))
        after = update(octets("50 02", len(short).to_bytes(2), short), octets("d0 11", len(path).to_bytes(2), path))
        assert sent(before, to=AS2) == after


class TestFourOctets:
    """RFC 6793 section 4.2.3."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (["40 02 06 0202 fde8 fde9"], ["40 02 0a 0202 0000fde8 0000fde9"]),
            (["40 02 04 0201 5ba0"], ["40 02 06 0201 00005ba0"]),
            (["40 02 06 0202 fde8 5ba0", "c0 11 06 0201 00010000"], ["40 02 0c 0201 0000fde8 0201 00010000"]),
            (["c0 11 06 0201 00010000", "40 02 04 0201 5ba0"], ["40 02 06 0201 00010000"]),
            # One that is longer says nothing.
            (["40 02 04 0201 5ba0", "c0 11 0a 0202 00010000 00010001"], ["40 02 06 0201 00005ba0"]),
            # A set counts once, a confederation not at all.
            (["40 02 0a 0102 0001 0002 0201 5ba0", "c0 11 06 0201 00010000"], ["40 02 10 0102 00000001 00000002 0201 00010000"]),
            (["40 02 08 0301 fde8 0201 5ba0", "c0 11 06 0201 00010000"], ["40 02 0c 0301 0000fde8 0201 00010000"]),
            (["40 02 04 0201 5ba0", "c0 11 0c 0301 00000009 0201 00010000"], ["40 02 06 0201 00010000"]),
            (
                ["40 02 0c 0201 0007 0301 fde8 0201 5ba0", "c0 11 06 0201 00010000"],
                ["40 02 12 0201 00000007 0301 0000fde8 0201 00010000"],
            ),
            (["c0 07 06 fde8 c0000201"], ["c0 07 08 0000fde8 c0000201"]),
            (["c0 07 06 5ba0 c0000201", "c0 12 08 00010000 c0000202"], ["c0 07 08 00010000 c0000202"]),
            (["c0 07 06 5ba0 c0000201"], ["c0 07 08 00005ba0 c0000201"]),
            (["c0 12 08 00010000 c0000202"], []),
            (  # a speaker without AS numbers of four octets has aggregated since: both are void
                ["40 02 04 0201 5ba0", "c0 07 06 fde8 c0000201", "c0 11 06 0201 00010000", "c0 12 08 00010000 c0000202"],
                ["40 02 06 0201 00005ba0", "c0 07 08 0000fde8 c0000201"],
            ),
            (["c0 11 06 0201 00010000"], []),
        ],
    )
    def test_attributes(self, before: list[str], after: list[str]) -> None:
        assert sent(update(ORIGIN, *before), to=AS4, as_size=2) == update(ORIGIN, *after)

    def test_a_header_grows(self) -> None:
        """A value of more than 255 octets needs a length of two."""
        path = sequence(100)
        assert sent(update(octets("40 02 ca", sequence(100, 2))), to=AS4, as_size=2) == update(octets("50 02 0192", path))


class TestPathIds:
    """RFC 7911 section 3."""

    MP6_ID = "80 0e 1e 0002 01 10 20010db8000000000000000000000001 00 00000007 20 20010db8"
    AWAY6 = "80 0f 08 0002 01 20 20010db8"
    AWAY6_ID = "80 0f 0c 0002 01 00000007 20 20010db8"

    def test_taken_out(self) -> None:
        before = update(self.MP6_ID, ORIGIN, self.AWAY6_ID, reach="00000001 18 c00002 00000002 18 c00002", unreach="00000001 10 0a00 ffffffff 00")
        after = update(MP6, ORIGIN, self.AWAY6, reach="18 c00002 18 c00002", unreach="10 0a00 00")
        assert sent(before, to=AS4, **ALL_IDS) == after

    def test_put_in(self) -> None:
        before = update(MP6, ORIGIN, self.AWAY6, reach="18 c00002", unreach="10 0a00 00")
        after = update(MP6, ORIGIN, self.AWAY6, reach="00000000 18 c00002", unreach="00000000 10 0a00 00000000 00")
        assert sent(before, to=IPV4_IDS) == after
        after = update(self.MP6_ID.replace("07", "00"), ORIGIN, self.AWAY6_ID.replace("07", "00"), reach="18 c00002", unreach="10 0a00 00")
        assert sent(before, to=IPV6_IDS) == after

    def test_per_family(self) -> None:
        before = update(self.MP6_ID, ORIGIN, reach="00000001 18 c00002")
        assert sent(before, to=IPV4_IDS, **ALL_IDS) == update(MP6, ORIGIN, reach="00000001 18 c00002")
        assert sent(before, to=IPV6_IDS, **ALL_IDS) == update(self.MP6_ID, ORIGIN)

    @pytest.mark.parametrize(
        ("family", "prefix"),
        [
            ("0001 04", "38 000011 0a0000 00"),  # with a label
            ("0001 80", "58 000011 0000000000000001"),  # VPN
            ("0019 46", "03 02 0102"),  # EVPN
            ("0001 85", "05 01180a0000"),  # flow specification
            ("4004 47", "0001 0003 010203"),  # BGP-LS
        ],
    )
    def test_other_layouts(self, family: str, prefix: str) -> None:
        def away(nlri: str) -> str:
            value = octets(family, nlri)
            return octets("80 0f", len(value).to_bytes(1), value).hex()

        before, after = away(f"00000001 {prefix} 00000002 {prefix}"), away(f"{prefix} {prefix}")
        assert sent(update(before, reach=""), to=AS4, **ALL_IDS) == update(after, reach="")

    def test_an_end_of_rib(self) -> None:
        wires = [update(reach=""), update("80 0f 03 0002 01", reach=""), update("90 0f 0003 0002 01", reach="")]
        assert send(*wires, to=AS4, **ALL_IDS) == (wires, [])

    def test_unknown_layouts(self) -> None:
        wires = [update("80 0f 05 0001 c8 0000", reach=""), update(ORIGIN, reach="")]
        found, said = send(*wires, to=AS4, **ALL_IDS)
        assert found == wires[1:]
        assert said == ["message 0 is left out: of prefixes of its family it is not known where path identifiers belong"]


class TestLength:
    """RFC 8654."""

    @staticmethod
    def many(count: int, path_id: str = "") -> bytes:
        return b"".join(octets(path_id) + b"\x20" + number.to_bytes(4) for number in range(count))

    def test_divided(self) -> None:
        attrs = ORIGIN, "40 02 06 0201 0000fde8", HOP
        found, said = send(update(*attrs, reach=self.many(2000), unreach=self.many(1000)), to=AS4)
        assert said == []
        assert all(3000 < len(wire) <= 4096 for wire in found[:1] + found[2:4])
        assert b"".join(wire[21 : 21 + int.from_bytes(wire[19:21])] for wire in found) == self.many(1000)
        for wire in found[2:]:
            assert wire[19:].startswith(update(*attrs, reach="")[19:])
        front = len(update(*attrs, reach=""))
        assert b"".join(wire[front:] for wire in found[2:]) == self.many(2000)

    @pytest.mark.parametrize(
        ("family", "nlri"),
        [
            ("0001 04", "38 000641 {:08x}"),
            ("0001 80", "78 000641 0000fde800000001 {:08x}"),
            ("0001 05", "02 0c 0000fde800000001 {:08x}"),
            ("0001 84", "40 {:08x} 0002fde8"),
            ("0019 46", "03 11 0000fde800000001 {:08x} 20 c0000201"),
        ],
    )
    def test_divided_between_nlri(self, family: str, nlri: str) -> None:
        """Path ids are taken out, and no NLRI is cut."""
        count = 600
        ids = b"".join(number.to_bytes(4) + octets(nlri.format(number)) for number in range(count))
        plain = b"".join(octets(nlri.format(number)) for number in range(count))
        value = octets(family, ids)
        found, said = send(update(octets("90 0f", len(value).to_bytes(2), value), reach=""), to=AS4, **ALL_IDS)
        assert said == []
        assert len(found) > 1
        assert b"".join(wire[30:] for wire in found) == plain
        assert all(len(wire) <= 4096 for wire in found)

    def test_as_long_as_it_takes(self) -> None:
        wire = update(ORIGIN, reach=self.many(2000))
        assert sent(wire, to=EXTENDED) == wire
        assert sent(wire, to=EXTENDED, context=2) == wire

    def test_path_ids_make_it_long(self) -> None:
        found, said = send(update(ORIGIN, reach=self.many(800)), to=IPV4_IDS)
        assert said == []
        assert len(found) == 2
        assert b"".join(wire[27:] for wire in found) == self.many(800, "00000000")

    def test_more_than_any_attribute_holds(self) -> None:
        """Path ids for 30,000 prefixes of one octet and an MP attribute that cannot be."""
        value = octets("0002 01", bytes(30000))
        found, said = send(update(octets("90 0f", len(value).to_bytes(2), value), reach=""), to=SessionContext(addpath=["IPV6/UNICAST"], extended_messages=True))
        assert said == []
        assert b"".join(wire[30:] for wire in found) == bytes(5 * 30000)
        assert len(found) == 3

    def test_what_does_not_fit_is_withdrawn(self) -> None:
        """The peer is not to keep an older route for it (RFC 8654 section 4)."""
        attrs = ORIGIN, octets("d0 63 0fdd", bytes(4061)), MP6  # which leaves four octets
        found, said = send(update(*attrs, reach="20 01020304 08 0a 20 05060708 18 010203", unreach="08 0b"), to=AS4)
        assert found == [
            update(reach="", unreach="08 0b"),
            update("80 0f 08 0002 01 20 20010db8", reach=""),
            update(reach="", unreach="20 01020304"),
            update(*attrs[:2], reach="08 0a"),
            update(reach="", unreach="20 05060708"),
            update(*attrs[:2], reach="18 010203"),
        ]
        assert said == ["prefixes of message 0 are withdrawn: with their attributes they take more than 4096 octets"]

    def test_a_path_that_no_attribute_holds(self) -> None:
        path = sequence(255, 2) * 80
        wire = update(octets("50 02", len(path).to_bytes(2), path))
        found, said = send(wire, to=EXTENDED, as_size=2)
        assert (found, len(said)) == ([update(reach="", unreach=PREFIX)], 1)

    def test_other_types(self) -> None:
        wires = [MARKER + b"\x20\0\5" + bytes(8192 - 19), MARKER + b"\0\x13\4"]
        assert send(*wires, to=AS4) == (wires[1:], ["message 0, of type 5 and 8192 octets, is left out: the peer takes 4096"])
        assert send(*wires, to=EXTENDED) == (wires, [])

    def test_attributes_without_prefixes(self) -> None:
        found, said = send(update(ORIGIN, octets("d0 63 2000", bytes(8192)), reach=""), to=AS4)
        assert found == []
        assert len(said) == 1


class TestWhatDoesNotParse:
    WIRE = update("40 02 05 0201 0000fd", HOP)

    def test_it_is_left_out(self) -> None:
        found, said = send(self.WIRE, update(ORIGIN), to=AS2)
        assert found == [update(ORIGIN)]
        assert said == [
            "message 0 is left out: the peer wants it in another form, and it does not parse: "
            "path attribute ASPATH does not parse at octet 26"
        ]

    def test_unless_nothing_is_to_be_done(self) -> None:
        assert send(self.WIRE, to=EXTENDED) == ([self.WIRE], [])

    def test_nobody_asks(self) -> None:
        encoder, out = PeerEncoder(int(AS2)), Buffer()
        encoder.encode(batch_of(self.WIRE), out)
        assert (bytes(out), encoder.skipped) == (b"", 1)

    def test_it_remains_to_be_told(self) -> None:
        """The encoder may see a batch more than once, and leaves what it finds out for others."""
        batch = batch_of(self.WIRE)
        encoder = PeerEncoder(int(AS2))
        for _ in range(2):
            encoder.encode(batch, Buffer())
        assert batch.check() == 1
        assert len(batch.failures()) == 1
