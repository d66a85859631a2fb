"""Edits of UPDATEs on the wire, option by option, in octets written by hand."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from bgpipe._codec import Batch, RawDecoder
from bgpipe._edit import Editor
from bgpipe._view import Msg, message_at

MARKER = b"\xff" * 16
EXTENDED_MESSAGES = 2  # of a session context
PREFIX = "18 c00002"  # 192.0.2.0/24
ORIGIN = "40 01 01 00"
PATH = "40 02 06 0201 0000fde8"
HOP = "40 03 04 c0000201"
MP6 = "80 0e 1a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8"


def octets(*parts: str | bytes) -> bytes:
    return b"".join(part if isinstance(part, bytes) else bytes.fromhex(part) for part in parts)


def update(*attrs: str | bytes, reach: str | bytes = PREFIX, unreach: str | bytes = "") -> bytes:
    """A whole message."""
    withdrawn, blob = octets(unreach), octets(*attrs)
    body = len(withdrawn).to_bytes(2) + withdrawn + len(blob).to_bytes(2) + blob + octets(reach)
    return MARKER + (19 + len(body)).to_bytes(2) + b"\2" + body


def batch_of(*wires: bytes, **options: Any) -> Batch:
    batch = RawDecoder(block_size=1 << 20, **options).read(BytesIO(b"".join(wires)))
    assert batch is not None
    return batch


def edit_all(editor: Editor, *wires: bytes, keep_bad: bool = False, **options: Any) -> tuple[list[bytes], list[int]]:
    """What goes on of messages, each of which parses, and where prefixes did not fit."""
    after, short = editor.edit(batch_of(*wires, **options), 3, keep_bad=keep_bad)
    for msg in after:
        assert keep_bad or Msg(msg.wire, context=msg.context).error is None
    return [msg.wire for msg in after], short


def edited(wire: bytes, editor: Editor, **options: Any) -> bytes:
    (found,), short = edit_all(editor, wire, **options)
    assert short == []
    return found


def communities(*values: str) -> bytes:
    return b"".join(int(a).to_bytes(2) + int(b).to_bytes(2) for a, b in (value.split(":") for value in values))


def sequence(count: int, size: int = 4, first: int = 1) -> bytes:
    return b"\2" + bytes([count]) + b"".join(number.to_bytes(size) for number in range(first, first + count))


class TestCommunities:
    ADD = Editor(add={8: communities("65000:1", "65000:2")})

    def test_into_those_there_are(self) -> None:
        before = update(ORIGIN, PATH, HOP, "c0 08 04 00010002", "80 09 04 01020304")
        after = update(ORIGIN, PATH, HOP, "c0 08 0c 00010002 fde80001 fde80002", "80 09 04 01020304")
        assert edited(before, self.ADD) == after

    def test_what_is_there_is_not_added_again(self) -> None:
        before = update(ORIGIN, PATH, HOP, "c0 08 0c fde80002 fde80002 00010002")
        assert edited(before, self.ADD) == update(ORIGIN, PATH, HOP, "c0 08 10 fde80002 fde80002 00010002 fde80001")

    @pytest.mark.parametrize(
        ("before", "place"),
        [
            ([ORIGIN, PATH, HOP], 3),
            ([ORIGIN, PATH, HOP, "80 09 04 01020304"], 3),
            ([MP6, ORIGIN, PATH, HOP], 4),
            ([ORIGIN, "c0 63 01 00", PATH, HOP, MP6], 4),
            (["c0 63 01 00"], 0),
            ([], 0),
        ],
    )
    def test_a_new_attribute_goes_behind_those_of_lower_codes(self, before: list[str], place: int) -> None:
        after = [*before[:place], "c0 08 08 fde80001 fde80002", *before[place:]]
        assert edited(update(*before), self.ADD) == update(*after)

    def test_several_new_ones(self) -> None:
        editor = Editor(add={8: octets("fde80001"), 16: octets("0002fde800000001"), 32: octets("000000010000000200000003")})
        new = ["c0 08 04 fde80001", "c0 10 08 0002fde800000001", "c0 20 0c 000000010000000200000003"]
        assert edited(update(ORIGIN, PATH, HOP, "c0 63 00"), editor) == update(ORIGIN, PATH, HOP, *new, "c0 63 00")

    def test_length_of_two_octets_where_one_is_too_few(self) -> None:
        values = [f"1:{number}" for number in range(62)]
        before = update(ORIGIN, PATH, HOP, b"\xc0\x08\xf8" + communities(*values))
        after = b"\xd0\x08\x01\x00" + communities(*values, "65000:1", "65000:2")
        assert edited(before, self.ADD) == update(ORIGIN, PATH, HOP, after)

    def test_flags_stay(self) -> None:
        """PARTIAL, two octets of length without need, and bits without meaning."""
        before = update(ORIGIN, PATH, HOP, "f5 08 0004 00010002")
        assert edited(before, self.ADD) == update(ORIGIN, PATH, HOP, "f5 08 000c 00010002 fde80001 fde80002")

    def test_drop_some(self) -> None:
        editor = Editor(drop={8: communities("1:1", "9:9")})
        before = update(ORIGIN, PATH, HOP, "c0 08 10 00010001 00010002 00010001 00010003")
        assert edited(before, editor) == update(ORIGIN, PATH, HOP, "c0 08 08 00010002 00010003")

    def test_drop_the_last(self) -> None:
        editor = Editor(drop={8: communities("1:1")})
        assert edited(update(ORIGIN, PATH, HOP, "c0 08 04 00010001"), editor) == update(ORIGIN, PATH, HOP)

    @pytest.mark.parametrize("code", [8, 16, 32])
    def test_drop_all(self, code: int) -> None:
        editor = Editor(drop={code: None}, add={code: bytes(48)})
        held = octets("c0", bytes([code]), "30", bytes(48))
        assert edited(update(ORIGIN, PATH, HOP, held), editor) == update(ORIGIN, PATH, HOP)
        assert edited(update(ORIGIN, PATH, HOP), editor) == update(ORIGIN, PATH, HOP)

    def test_dropping_beats_adding(self) -> None:
        editor = Editor(drop={8: communities("1:1")}, add={8: communities("1:1", "1:2")})
        assert edited(update(ORIGIN, PATH, HOP), editor) == update(ORIGIN, PATH, HOP, "c0 08 04 00010002")
        assert edited(update(ORIGIN, PATH, HOP), Editor(drop_attrs=[8], add={8: communities("1:1")})) == update(ORIGIN, PATH, HOP)

    @pytest.mark.parametrize(("code", "width"), [(8, 4), (16, 8), (32, 12)])
    def test_widths(self, code: int, width: int) -> None:
        value, other = bytes([1] * width), bytes([2] * width)
        held = octets("c0", bytes([code, 2 * width]), value, other)
        editor = Editor(drop={code: value}, add={code: bytes([3] * width)})
        after = octets("c0", bytes([code, 2 * width]), other, bytes([3] * width))
        assert edited(update(ORIGIN, PATH, HOP, held), editor) == update(ORIGIN, PATH, HOP, after)
        with pytest.raises(ValueError, match=f"values of attribute {code} take {width} octets each"):
            Editor(add={code: bytes(width + 1)})


class TestNumbers:
    @pytest.mark.parametrize(("option", "code", "flags"), [("med", 4, "80"), ("local_pref", 5, "40")])
    def test_set(self, option: str, code: int, flags: str) -> None:
        editor = Editor(**{option: 300})  # type: ignore[arg-type]
        new = f"{flags} {code:02x} 04 0000012c"
        assert edited(update(ORIGIN, PATH, HOP, "c0 63 00"), editor) == update(ORIGIN, PATH, HOP, new, "c0 63 00")
        held = f"f0 {code:02x} 0004 00000001"
        assert edited(update(ORIGIN, PATH, HOP, held), editor) == update(ORIGIN, PATH, HOP, f"f0 {code:02x} 0004 0000012c")


class TestNextHop:
    EDITOR = Editor(hop4=(octets("0a000001"),) * 2, hop6=(octets("20010db8", bytes(11), "99"),) * 2)

    def test_classic(self) -> None:
        assert edited(update(ORIGIN, PATH, HOP), self.EDITOR) == update(ORIGIN, PATH, "40 03 04 0a000001")
        assert edited(update(ORIGIN, PATH), self.EDITOR) == update(ORIGIN, PATH, "40 03 04 0a000001")

    def test_ipv6(self) -> None:
        after = "80 0e 1a 0002 01 10 20010db8000000000000000000000099 00 20 20010db8"
        assert edited(update(MP6, ORIGIN, PATH, reach=""), self.EDITOR) == update(after, ORIGIN, PATH, reach="")

    def test_next_hop_without_prefixes_of_its_own_stays(self) -> None:
        """RFC 4760 section 3: it means nothing there."""
        found = edited(update(HOP, MP6, reach=""), self.EDITOR)
        assert found.count(octets(HOP)) == 1

    def test_both(self) -> None:
        after = "80 0e 1a 0002 01 10 20010db8000000000000000000000099 00 20 20010db8"
        assert edited(update(HOP, MP6), self.EDITOR) == update("40 03 04 0a000001", after)

    def test_a_link_local_one_goes_with_its_router(self) -> None:
        """RFC 2545 section 3."""
        before = octets("90 0e 002a 0002 01 20 20010db8", bytes(11), "01 fe80", bytes(13), "01 00 20 20010db8")
        after = "90 0e 001a 0002 01 10 20010db8000000000000000000000099 00 20 20010db8"
        assert edited(update(before, reach=""), self.EDITOR) == update(after, reach="")

    def test_a_link_local_one_of_the_same_router_stays(self) -> None:
        before = update(octets("80 0e 2a 0002 01 20 20010db8", bytes(11), "99 fe80", bytes(13), "01 00 20 20010db8"), reach="")
        assert edited(before, self.EDITOR) == before

    def test_with_a_link_local_one(self) -> None:
        both = octets("20010db8", bytes(11), "99 fe80", bytes(13), "99")
        after = octets("80 0e 2a 0002 01 20", both, "00 20 20010db8")
        assert edited(update(MP6, reach=""), Editor(hop6=(both, both))) == update(after, reach="")

    def test_ipv4_in_mp_reach(self) -> None:
        """With a next hop of IPv6 too (RFC 8950): the family of the prefixes decides."""
        after = "80 0e 0d 0001 02 04 0a000001 00 18 c00002"
        for hop in ("04 c0000201", "10 0a000001 000000000000000000000001"):
            value = octets("0001 02", hop, "00 18 c00002")
            assert edited(update(octets("80 0e", bytes([len(value)]), value), reach=""), self.EDITOR) == update(after, reach="")

    @pytest.mark.parametrize(
        ("family", "nlri"),
        [
            ("0001 80", "58 000641 0000fde800000001"),
            ("0002 80", "58 000641 0000fde800000001"),
            ("0001 04", "18 000641"),
            ("0002 85", "03 c00002"),
            ("0019 46", "18 02 c002"),
            ("0003 01", "18 c00002"),
        ],
    )
    def test_other_families_keep_theirs(self, family: str, nlri: str) -> None:
        value = octets(family, "04 c0000201 00", nlri)
        wire = update(octets("80 0e", bytes([len(value)]), value), reach="")
        assert edited(wire, self.EDITOR) == wire

    def test_one_family_alone(self) -> None:
        before = update(HOP, MP6)
        assert edited(before, Editor(hop4=self.HOPS4)) == update("40 03 04 0a000001", MP6)
        assert edited(before, Editor(hop6=self.HOPS6)).startswith(before[:30])

    HOPS4 = (octets("0a000001"),) * 2
    HOPS6 = (octets("20010db8", bytes(11), "99"),) * 2

    def test_directions(self) -> None:
        editor = Editor(hop4=(b"", octets("0a000001")))
        assert edited(update(HOP), editor, direction="R") == update(HOP)
        assert edited(update(HOP), editor, direction="L") == update("40 03 04 0a000001")

    def test_no_next_hop(self) -> None:
        with pytest.raises(ValueError, match="a next hop of 5 octets"):
            Editor(hop4=(bytes(5), b""))


class TestPrepend:
    """RFC 4271 section 5.1.2."""

    def test_to_a_sequence(self) -> None:
        editor = Editor(prepend=[70000, 1])
        assert edited(update(PATH), editor) == update("40 02 0e 0203 00011170 00000001 0000fde8")

    @pytest.mark.parametrize("held", ["", "0101 00000005", "0301 00000005", "0401 00000005 0201 00000006"])
    def test_in_front_of_anything_else(self, held: str) -> None:
        path = octets("40 02", bytes([len(octets(held))]), held)
        after = octets("40 02", bytes([len(octets(held)) + 6]), "0201 00000007", held)
        assert edited(update(path), Editor(prepend=[7])) == update(after)

    def test_where_there_is_none(self) -> None:
        assert edited(update(ORIGIN, HOP), Editor(prepend=[7])) == update(ORIGIN, "40 02 06 0201 00000007", HOP)

    @pytest.mark.parametrize(("held", "added"), [(254, 1), (254, 2), (255, 1), (255, 255), (1, 255), (200, 100)])
    def test_a_segment_holds_255(self, held: int, added: int) -> None:
        path = sequence(held)
        joining = min(added, 255 - held)
        rest = b"".join(number.to_bytes(4) for number in range(501, 501 + added))
        first = bytes([2, held + joining]) + rest[4 * (added - joining) :] + path[2:]
        if added > joining:
            first = bytes([2, added - joining]) + rest[: 4 * (added - joining)] + first
        before = update(b"\x50\x02" + len(path).to_bytes(2) + path)
        assert edited(before, Editor(prepend=range(501, 501 + added))) == update(b"\x50\x02" + len(first).to_bytes(2) + first)

    def test_no_more_than_a_segment(self) -> None:
        with pytest.raises(ValueError, match="255"):
            Editor(prepend=[1] * 256)

    def test_dropped_as_well(self) -> None:
        before = update(ORIGIN, "40 02 04 0201 0001")
        assert edited(before, Editor(prepend=[70000], drop_attrs=[2]), as_size=2) == update(ORIGIN)


class TestTwoOctets:
    """RFC 6793 section 4.2.2: AS_PATH in two octets, and AS4_PATH where these are too few."""

    WIDE = Editor(prepend=[70000, 8])

    def test_mappable(self) -> None:
        """AS4_PATH stays: what AS_PATH has more is in front of it."""
        rest = "c0 11 06 0201 00011170"
        before = update("40 02 04 0201 5ba0", rest)
        assert edited(before, Editor(prepend=[7, 8]), as_size=2) == update("40 02 08 0203 0007 0008 5ba0", rest)

    def test_first_wide_one(self) -> None:
        before = update("40 02 0a 0202 0001 0002 0101 0003")
        after = update("40 02 0e 0204 5ba0 0008 0001 0002 0101 0003", "c0 11 18 0204 00011170 00000008 00000001 00000002 0101 00000003")
        assert edited(before, self.WIDE, as_size=2) == after

    def test_where_there_is_no_path(self) -> None:
        assert edited(update(), self.WIDE, as_size=2) == update("40 02 06 0202 5ba0 0008", "c0 11 0a 0202 00011170 00000008")

    def test_what_is_in_front_of_as4_path_goes_into_it(self) -> None:
        before = update("40 02 08 0203 0001 5ba0 0003", "e0 11 0a 0202 00011171 00000003")
        path = "40 02 0c 0205 5ba0 0008 0001 5ba0 0003"
        as4 = "e0 11 18 0203 00011170 00000008 00000001 0202 00011171 00000003"
        assert edited(before, self.WIDE, as_size=2) == update(path, as4)

    def test_a_set_counts_once(self) -> None:
        before = update("40 02 0c 0102 0001 0002 0202 5ba0 0003", "c0 11 0a 0202 00011171 00000003")
        path = "40 02 12 0202 5ba0 0008 0102 0001 0002 0202 5ba0 0003"
        as4 = "c0 11 1e 0202 00011170 00000008 0102 00000001 00000002 0202 00011171 00000003"
        assert edited(before, self.WIDE, as_size=2) == update(path, as4)

    def test_confederations_do_not_count_nor_get_in(self) -> None:
        before = update("40 02 0a 0302 0001 0002 0201 5ba0", "c0 11 06 0201 00011171")
        path = "40 02 10 0202 5ba0 0008 0302 0001 0002 0201 5ba0"
        assert edited(before, self.WIDE, as_size=2) == update(path, "c0 11 0e 0203 00011170 00000008 00011171")

    def test_as4_path_that_is_longer_means_nothing(self) -> None:
        before = update("40 02 04 0201 0001", "c0 11 0a 0202 00011171 00000003")
        after = update("40 02 08 0203 5ba0 0008 0001", "c0 11 0e 0203 00011170 00000008 00000001")
        assert edited(before, self.WIDE, as_size=2) == after

    def test_as4_path_is_void_where_an_old_speaker_aggregated(self) -> None:
        """RFC 6793 section 4.2.3. AS4_AGGREGATOR goes: it would void what is written now."""
        old, new = "c0 07 06 0007 c0000201", "c0 12 08 00011172 c0000201"
        path, as4 = "40 02 06 0202 0001 0002", "c0 11 06 0201 00011171"
        after = "40 02 0a 0204 5ba0 0008 0001 0002", old, "c0 11 12 0204 00011170 00000008 00000001 00000002"
        assert edited(update(path, old, as4, new), self.WIDE, as_size=2) == update(*after)
        assert edited(update(path, old, new), self.WIDE, as_size=2) == update(*after)
        mappable = Editor(prepend=[8])
        assert edited(update(path, old, as4, new), mappable, as_size=2) == update("40 02 08 0203 0008 0001 0002", old, as4, new)

    @pytest.mark.parametrize(
        "aggregators",
        [
            ["c0 07 06 5ba0 c0000201", "c0 12 08 00011172 c0000201"],
            ["c0 07 06 0007 c0000201"],
            ["c0 12 08 00011172 c0000201"],
        ],
    )
    def test_aggregators_that_void_nothing(self, aggregators: list[str]) -> None:
        before = update("40 02 06 0202 0001 5ba0", "c0 11 06 0201 00011171", *aggregators)
        as4 = "c0 11 14 0203 00011170 00000008 00000001 0201 00011171"
        after = update("40 02 0a 0204 5ba0 0008 0001 5ba0", as4, *aggregators)
        assert edited(before, self.WIDE, as_size=2) == after

    def test_as4_path_in_four_octets_is_nobodys_business(self) -> None:
        before = update(PATH, "c0 11 06 0201 00011171")
        assert edited(before, self.WIDE) == update("40 02 0e 0203 00011170 00000008 0000fde8", "c0 11 06 0201 00011171")


class TestAttributes:
    def test_drop(self) -> None:
        before = update(ORIGIN, "c0 63 01 00", PATH, HOP, "80 04 04 00000001")
        assert edited(before, Editor(drop_attrs=[99, 4, 200])) == update(ORIGIN, PATH, HOP)

    @pytest.mark.parametrize("code", [14, 15])
    def test_none_with_prefixes(self, code: int) -> None:
        with pytest.raises(ValueError, match="hold prefixes"):
            Editor(drop_attrs=[code])


class TestMessages:
    EDITOR = Editor(add={8: communities("1:1")}, med=5, prepend=[7], hop4=(bytes(4),) * 2, drop_attrs=[1])

    @pytest.mark.parametrize(
        "wire",
        [
            update(reach="", unreach=PREFIX),
            update(reach=""),
            update("80 0f 03 0002 01", reach=""),
            update("80 0f 08 0002 01 20 20010db8", ORIGIN, reach="", unreach=PREFIX),
            update(ORIGIN, "80 0e 15 0002 01 10 20010db8000000000000000000000001 00", reach=""),
            MARKER + bytes.fromhex("0013 04"),
            MARKER + bytes.fromhex("0014 02 00")[:2] + b"\x63\0",
        ],
        ids=["withdrawn", "end of RIB", "end of RIB, IPv6", "withdrawn, IPv6", "MP_REACH of nothing", "KEEPALIVE", "type 99"],
    )
    def test_what_announces_nothing_passes(self, wire: bytes) -> None:
        batch = batch_of(wire)
        after, short = self.EDITOR.edit(batch, 3)
        assert after is batch
        assert short == []
        assert not message_at(batch, 0).edited
        assert batch.wire(0) == wire

    def test_where_nothing_applies(self) -> None:
        """Not even copied."""
        editor = Editor(drop={8: communities("1:1"), 16: None}, drop_attrs=[99], med=1, hop4=(octets("c0000201"),) * 2)
        batch = batch_of(update(ORIGIN, PATH, HOP, "80 04 04 00000001", "c0 08 04 00010002"))
        assert editor.edit(batch, 3) == (batch, [])
        assert not message_at(batch, 0).edited
        assert not message_at(batch, 0).dropped
        assert Editor(add={8: communities("1:2")}).edit(batch, 3) == (batch, [])
        assert not message_at(batch, 0).edited

    def test_withdrawn_routes_stay(self) -> None:
        before = update(ORIGIN, PATH, "80 0f 08 0002 01 20 20010db8", unreach="10 0a00")
        assert edited(before, Editor(med=1)) == update(ORIGIN, PATH, "80 04 04 00000001", "80 0f 08 0002 01 20 20010db8", unreach="10 0a00")

    def test_what_does_not_parse(self) -> None:
        bad = [update("40 01 01 09"), update(ORIGIN, reach="ff"), update("40 01"), update(ORIGIN, ORIGIN)]
        assert edit_all(self.EDITOR, *bad)[0] == []
        assert edit_all(self.EDITOR, *bad, keep_bad=True)[0] == bad

    def test_unparsed_ones_are_reported_though_dropped(self) -> None:
        batch = batch_of(update("40 01 01 09"))
        self.EDITOR.edit(batch, 3)
        assert batch.failed == 1

    def test_only_what_it_sees(self) -> None:
        batch = batch_of(update(HOP), update(HOP), direction="L")
        message_at(batch, 0).dropped = True
        self.EDITOR.edit(batch, 1)
        assert batch.wire(1) == update(HOP)
        self.EDITOR.edit(batch, 2)
        assert batch.wire(0) == update(HOP)
        assert batch.wire(1) != update(HOP)

    def test_what_was_decoded_before_is_decoded_anew(self) -> None:
        batch = batch_of(update(PATH, HOP))
        (msg,) = batch
        assert msg.update is not None
        assert msg.update.med is None
        self.EDITOR.edit(batch, 3)
        assert msg.update.med == 5
        assert list(msg.update.as_path) == [7, 65000]


def prefixes(count: int, path_ids: bool = False) -> bytes:
    ids = (number.to_bytes(4) if path_ids else b"" for number in range(count))
    return b"".join(one + b"\x20\x0a" + number.to_bytes(3) for number, one in enumerate(ids))


def prefixes6(count: int) -> bytes:
    return b"".join(b"\x40\x20\x01\x0d\xb8" + number.to_bytes(4) for number in range(count))


def mp_reach6(nlri: bytes) -> bytes:
    value = octets("0002 01 10 20010db8", bytes(11), "01 00", nlri)
    return b"\x90\x0e" + len(value).to_bytes(2) + value


class TestDivision:
    """A message that gets longer than it may be becomes several."""

    EDITOR = Editor(add={8: communities("1:1")})
    COMMUNITY = "c0 08 04 00010001"

    def test_as_long_as_it_may_be(self) -> None:
        """4,096 octets, and one more."""
        free = 4096 - len(update(ORIGIN, PATH, HOP, self.COMMUNITY, "c0 63 00", reach=prefixes(780)))
        for filler, lengths in ((free, [4096]), (free + 1, [4092, 23 + 20 + 7 + 3 + free + 1 + 5])):
            attrs = [ORIGIN, PATH, HOP, octets("c0 63", bytes([filler]), bytes(filler))]
            found, short = edit_all(self.EDITOR, update(*attrs, reach=prefixes(780)))
            assert list(map(len, found)) == lengths
            assert short == []

    @pytest.mark.parametrize(("path_ids", "count"), [(False, 800), (True, 445)])
    def test_prefixes(self, path_ids: bool, count: int) -> None:
        nlri = prefixes(count, path_ids)
        before = update(ORIGIN, PATH, HOP, reach=nlri)
        filler = 4096 - len(before)
        before = update(ORIGIN, PATH, HOP, octets("c0 63", bytes([filler - 3]), bytes(filler - 3)), reach=nlri)
        assert len(before) == 4096
        found, short = edit_all(self.EDITOR, before, addpath=path_ids)
        assert short == []
        attrs = octets(ORIGIN, PATH, HOP, self.COMMUNITY, "c0 63", bytes([filler - 3]), bytes(filler - 3))
        size = 9 if path_ids else 5
        fit = (4096 - 23 - len(attrs)) // size * size
        assert found == [update(attrs, reach=nlri[:fit]), update(attrs, reach=nlri[fit:])]

    def test_mp_prefixes(self) -> None:
        nlri = prefixes6(448)
        before = update(mp_reach6(nlri), ORIGIN, PATH, reach="")
        assert 4096 - len(before) < 7
        found, short = edit_all(self.EDITOR, before)
        assert short == []
        fit = (4096 - 23 - 4 - 21 - len(octets(ORIGIN, PATH, self.COMMUNITY))) // 9 * 9
        first = update(mp_reach6(nlri[:fit]), ORIGIN, PATH, self.COMMUNITY, reach="")
        assert found == [first, update(mp_reach6(nlri[fit:]), ORIGIN, PATH, self.COMMUNITY, reach="")]

    def test_what_is_withdrawn_goes_first(self) -> None:
        """Then MP_REACH, then the rest, each with all attributes but those of the others."""
        mp_unreach = "80 0f 08 0002 01 20 20010db8"
        reach, reach6 = prefixes(500), prefixes6(160)
        before = update(ORIGIN, mp_unreach, PATH, mp_reach6(reach6), HOP, reach=reach, unreach="10 0a00")
        found, short = edit_all(Editor(prepend=[1] * 25), before)
        assert short == []
        path = octets("40 02 6a 021a", b"\0\0\0\1" * 25, "0000fde8")
        assert found == [
            update(mp_unreach, reach="", unreach="10 0a00"),
            update(ORIGIN, path, mp_reach6(reach6), HOP, reach=""),
            update(ORIGIN, path, HOP, reach=reach),
        ]

    @pytest.mark.parametrize("family", ["0002 01", "0001 01", "4004 47"])
    def test_no_end_of_rib_is_made(self, family: str) -> None:
        """RFC 4724 section 2: an MP_UNREACH without prefixes says it, once it stands alone."""
        empty = octets("80 0f 03", family)
        before = update(empty, ORIGIN, PATH, HOP, reach=prefixes(800))
        found, short = edit_all(Editor(prepend=[1] * 25), before)
        assert short == []
        path = octets("40 02 6a 021a", b"\0\0\0\1" * 25, "0000fde8")
        fit = (4096 - 23 - len(octets(ORIGIN, path, HOP))) // 5 * 5
        nlri = prefixes(800)
        assert found == [update(ORIGIN, path, HOP, reach=part) for part in (nlri[:fit], nlri[fit:])]

    def test_extended_messages(self) -> None:
        """RFC 8654."""
        long = update(ORIGIN, PATH, HOP, reach=prefixes(810))
        assert len(long) > 4090
        (found,), _ = edit_all(self.EDITOR, long, context=EXTENDED_MESSAGES)
        assert len(found) > 4096
        found2, _ = edit_all(self.EDITOR, update(ORIGIN, PATH, HOP, reach=prefixes(13_098)), context=EXTENDED_MESSAGES)
        assert len(found2) == 2
        assert len(found2[0]) in range(65531, 65536)

    @pytest.mark.parametrize(
        ("family", "one"),
        [
            ("0001 80", "70 000011 0000000100000002 0a0102"),
            ("0002 04", "38 000011 20010db8"),
            ("0019 46", "02 05 0102030405"),
            ("0001 85", "05 01 18 c00002"),
            ("0002 85", "f005 01 20 00 20 01"),
            ("0001 84", "60 0000fde8 0002fde800000001"),
            ("0019 41", "0011 0000000100000002 0003 0004 0005 000011"),
            ("4004 47", "0001 0004 01020304"),
            ("0001 05", "01 05 0102030405"),
        ],
    )
    def test_other_families(self, family: str, one: str) -> None:
        nlri = octets(one) * (4000 // len(octets(one)))
        value = octets(family, "00 00", nlri)
        filler = bytes(4096 - 23 - len(octets(ORIGIN)) - 4 - len(value) - 4)
        base = octets(ORIGIN, b"\xd0\x63" + len(filler).to_bytes(2), filler)
        before = update(octets("90 0e", len(value).to_bytes(2), value), base, reach="")
        assert len(before) == 4096
        found, short = edit_all(self.EDITOR, before)
        assert short == []
        assert len(found) == 2
        parts = b""
        for wire in found:
            size = int.from_bytes(wire[25:27])
            parts += wire[27:][5:size]
            assert wire.endswith(octets(ORIGIN, self.COMMUNITY, base[4:]))
        assert parts == nlri

    def test_not_even_one(self) -> None:
        """What is withdrawn goes on all the same."""
        filler = b"\xd0\x63" + (4000).to_bytes(2) + bytes(4000)
        before = update(ORIGIN, PATH, HOP, filler, reach=PREFIX, unreach="10 0a00")
        editor = Editor(prepend=[1] * 30)
        assert edit_all(editor, before) == ([update(reach="", unreach="10 0a00")], [0])
        assert edit_all(editor, update(ORIGIN, PATH, HOP, filler)) == ([], [0])

    def test_some_fit_and_others_do_not(self) -> None:
        values = communities("1:1", "1:2", "1:3", "1:4")
        added = octets("c0 08 10", values)
        room = 4096 - len(update(ORIGIN, PATH, HOP, added, b"\xd0\x63\0\0", reach="")) - 3
        filler = b"\xd0\x63" + room.to_bytes(2) + bytes(room)
        before = update(ORIGIN, PATH, HOP, filler, reach="10 0a00 20 0a000001 00 08 0b 18 c00002")
        attrs = octets(ORIGIN, PATH, HOP, added, filler)
        expected = [update(attrs, reach="10 0a00"), update(attrs, reach="00 08 0b")]
        assert edit_all(Editor(add={8: values}), before) == (expected, [0])

    def test_an_attribute_of_more_than_65535_octets(self) -> None:
        value = bytes(65532 - 120)
        before = update(b"\xd0\x20" + (65400).to_bytes(2) + bytes(65400), reach=PREFIX, unreach="10 0a00")
        editor = Editor(add={32: b"".join(number.to_bytes(12) for number in range(1, 20))})
        assert len(value) > 65400
        assert edit_all(editor, before, context=EXTENDED_MESSAGES) == ([update(reach="", unreach="10 0a00")], [0])

    def test_amid_others(self) -> None:
        """Order, sequence numbers and tags; where it did not fit, by index in the batch that goes on."""
        long = update(ORIGIN, PATH, HOP, reach=prefixes(810))
        filler = b"\xd0\x63" + (4062).to_bytes(2) + bytes(4062)
        bad = update(filler, reach=PREFIX)
        assert len(bad) <= 4096
        batch = batch_of(update(HOP), long, bad, MARKER + bytes.fromhex("0013 04"), long, update("40 01 01 09"))
        batch.number(7, 1)
        for msg in batch:
            msg.tags["n"] = str(msg.seq)
        after, short = self.EDITOR.edit(batch, 3, keep_bad=True)
        assert [(msg.seq, msg.tags["n"]) for msg in after] == [(n, str(n)) for n in (7, 8, 8, 10, 11, 11, 12)]
        assert short == [3]
        assert message_at(after, 3).dropped
        assert after.failed == 1
        assert [error.offset for _, error in after.failures()] == [26]
        del batch
        assert [msg.update is not None and msg.update.communities == ["1:1"] for msg in after][:3] == [True] * 3

    def test_cut_like(self) -> None:
        """Where the batch that goes on is cut, so is the one that came."""
        long = update(ORIGIN, PATH, HOP, reach=prefixes(810))
        for count, left in ((0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4)):
            batch = batch_of(update(HOP), long, long, update(HOP))
            seen = batch.part(0, 4)
            after, _ = self.EDITOR.edit(batch, 3)
            assert len(after) == 6
            seen.cut_like(after, count)
            assert len(seen) == left
            again = after.part(0, 6)
            again.cut_like(after, count)
            assert len(again) == count
