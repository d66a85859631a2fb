"""Limits over tables of routes: what is taken out of messages, what is left of them, and what counts."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

import pytest
from limits import (
    CEASE,
    OPEN,
    Item,
    Limits,
    Model,
    attribute,
    batches,
    check,
    message,
    mp_reach,
    mp_unreach,
    path,
    record,
    segment,
    update,
)

from bgpipe._codec import Batch
from bgpipe._mrt import MrtDecoder
from bgpipe._table import Limiter, RouteTable
from bgpipe._view import Msg, message_at


def limiter(**limits: Any) -> Limiter:
    return Limiter(RouteTable(), **limits)


def passed(to: Limiter, *items: Item | bytes) -> list[Msg]:
    """What is left of messages behind a limiter, dropped ones included."""
    found: list[Msg] = []
    for batch, _ in batches(item if isinstance(item, Item) else Item(item) for item in items):
        assert to.run(batch) == len(batch)
        found += (message_at(batch, index) for index in range(len(batch)))
    return found


def reach(messages: Iterable[Msg]) -> list[list[str]]:
    """The prefixes that each announces."""
    return [[] if msg.dropped or not msg.update else [str(prefix) for prefix in msg.update.announced] for msg in messages]


def body(msg: Msg) -> bytes:
    return msg.wire[19:]


V6 = ["2001:db8:1::/48", "2001:db8:2::/48", "2001:db8:3::/48"]


class TestWhatIsLeft:
    def test_nothing_taken_out_is_the_same_bytes(self) -> None:
        wire = update("10.0.0.0/8", withdraw=["11.0.0.0/8"], mp=mp_reach(*V6) + mp_unreach("2001:db8:9::/48"))
        [msg] = passed(limiter(families=5, session=10, origin=10, block=10), wire)
        assert msg.wire == wire
        assert not msg.edited

    def test_one_of_several(self) -> None:
        [msg] = passed(limiter(max_length=24), update("10.0.0.0/8", "10.0.0.0/25", "10.1.0.0/16"))
        assert msg.wire == update("10.0.0.0/8", "10.1.0.0/16")
        assert msg.edited

    def test_nothing_left(self) -> None:
        [msg] = passed(limiter(max_length=24), update("10.0.0.0/25", "10.0.0.128/25"))
        assert msg.dropped

    def test_withdrawals_stay_without_the_attributes_of_what_went(self) -> None:
        [msg] = passed(limiter(max_length=24), update("10.0.0.0/25", withdraw=["11.0.0.0/8"]))
        assert msg.wire == update(withdraw=["11.0.0.0/8"])

    def test_superfluous_attributes_of_withdrawals_stay(self) -> None:
        attrs = attribute(1, b"\0")
        [msg] = passed(limiter(max_length=24), update(withdraw=["10.0.0.0/25", "11.0.0.0/8"], attrs=attrs))
        assert msg.wire == update(withdraw=["11.0.0.0/8"], attrs=attrs)

    @pytest.mark.parametrize("flags", [0x80, 0x90])
    def test_mp_reach(self, flags: int) -> None:
        wire = update(mp=mp_reach("2001:db8::/32", *V6, flags=flags))
        [msg] = passed(limiter(families=4, max_length=32), wire)
        assert msg.wire == update(mp=mp_reach("2001:db8::/32", flags=flags))

    def test_mp_reach_goes_where_classic_routes_stay(self) -> None:
        wire = update("10.0.0.0/8", mp=mp_reach(*V6) + attribute(5, b"\0\0\0\1"))
        [msg] = passed(limiter(families=5, max_length=32), wire)
        assert msg.wire == update("10.0.0.0/8", mp=attribute(5, b"\0\0\0\1"))

    def test_mp_unreach_goes_where_routes_stay(self) -> None:
        wire = update(mp=mp_reach("2001:db8::/32") + mp_unreach(*V6))
        [msg] = passed(limiter(families=4, max_length=32), wire)
        assert msg.wire == update(mp=mp_reach("2001:db8::/32"))

    def test_mp_withdrawals_stay_alone(self) -> None:
        wire = update(mp=mp_reach(*V6) + mp_unreach("2001:db8::/32"))
        [msg] = passed(limiter(families=4, max_length=32), wire)
        assert msg.wire == update(mp=mp_unreach("2001:db8::/32"))

    def test_other_families_stay(self) -> None:
        vpn = attribute(14, bytes.fromhex("0001800c") + bytes(12) + b"\0" + bytes.fromhex("58000011") + bytes(8), 0x80)
        [msg] = passed(limiter(families=5, max_length=24), update("10.0.0.0/25", mp=vpn))
        assert msg.update is not None
        assert list(msg.update.attrs) == ["ORIGIN", "ASPATH", "NEXTHOP", "MP_REACH"]
        assert not msg.update.reach

    def test_extended_message(self) -> None:
        prefixes = [f"10.{i >> 8}.{i & 255}.0/{length}" for i in range(4000) for length in (24, 32)]
        [msg] = passed(limiter(max_length=24), update(*prefixes))
        assert msg.wire == update(*prefixes[::2])

    def test_each_reason_is_counted(self) -> None:
        to = limiter(min_length=8, max_length=24, session=2)
        passed(to, update("10.0.0.0/7", "10.0.0.0/25", "10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"))
        assert to.taken_out == {"short": 1, "long": 1, "session": 1}


class TestEndOfRib:
    """RFC 4724 section 2: a message without prefixes says something, and must not be made by accident."""

    @pytest.mark.parametrize("wire", [update(), update(mp=mp_unreach()), update(mp=mp_unreach(safi=2))])
    def test_passes(self, wire: bytes) -> None:
        [msg] = passed(limiter(families=15, min_length=48, max_length=24, session=1), wire)
        assert msg.wire == wire
        assert not msg.dropped

    @pytest.mark.parametrize(
        "wire",
        [
            update("10.0.0.0/25"),
            update(withdraw=["10.0.0.0/25"]),
            update(mp=mp_reach(*V6)),
            update(mp=mp_unreach(*V6)),
            update(mp=mp_reach(*V6) + mp_unreach()),
            update("10.0.0.0/25", mp=mp_unreach()),
            update("10.0.0.0/25", mp=mp_unreach(*V6), withdraw=["10.0.0.0/32"]),
        ],
    )
    def test_is_not_made(self, wire: bytes) -> None:
        [msg] = passed(limiter(families=15, max_length=24), wire)
        assert msg.dropped

    def test_an_empty_mp_unreach_does_not_stay_behind(self) -> None:
        [msg] = passed(limiter(families=15, max_length=24), update("10.0.0.0/25", withdraw=["10.0.0.0/8"], mp=mp_unreach()))
        assert msg.wire == update(withdraw=["10.0.0.0/8"])

    def test_attributes_alone_pass_as_they_came(self) -> None:
        wire = update(attrs=attribute(1, b"\0"))
        [msg] = passed(limiter(max_length=24), wire)
        assert msg.wire == wire


class TestCounts:
    def test_session(self) -> None:
        to = limiter(session=2)
        found = passed(to, update("10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"), update("13.0.0.0/8"), update("11.0.0.0/8"))
        assert reach(found) == [["10.0.0.0/8", "11.0.0.0/8"], [], ["11.0.0.0/8"]]

    def test_each_peer_is_a_session(self) -> None:
        to = limiter(session=1)
        found = passed(to, *(Item(update("10.0.0.0/8", "11.0.0.0/8"), peer) for peer in range(3)))
        assert reach(found) == [["10.0.0.0/8"]] * 3

    def test_as_sizes_and_directions_of_a_peer_are_one_session(self) -> None:
        to = limiter(session=2)
        found = passed(
            to,
            Item(update("10.0.0.0/8")),
            Item(update("11.0.0.0/8", as_size=2), as_size=2),
            Item(update("12.0.0.0/8"), direction="L"),
        )
        assert reach(found) == [["10.0.0.0/8"], ["11.0.0.0/8"], []]

    def test_directions_share_counts_but_not_routes(self) -> None:
        to = limiter(session=2)
        left = Item(update("10.0.0.0/8"), direction="L")
        passed(to, update("10.0.0.0/8"), left)
        assert len(to.table) == 2
        passed(to, Item(update(withdraw=["10.0.0.0/8"]), direction="L"))
        assert [route[3] for route in to.table.routes()] == ["R"]

    def test_withdrawals_give_room(self) -> None:
        to = limiter(session=1, origin=1, block=1)
        found = passed(
            to,
            update("10.0.0.0/16"),
            update("10.0.0.0/17"),
            update(withdraw=["10.0.0.0/16"]),
            update("10.0.0.0/17"),
            update("10.0.0.0/16"),
        )
        assert reach(found) == [["10.0.0.0/16"], [], [], ["10.0.0.0/17"], []]

    def test_withdrawals_count_before_what_is_announced_beside_them(self) -> None:
        to = limiter(session=1)
        found = passed(to, update("10.0.0.0/8"), update("11.0.0.0/8", withdraw=["10.0.0.0/8"]))
        assert reach(found) == [["10.0.0.0/8"], ["11.0.0.0/8"]]

    def test_withdrawals_of_what_never_passed_pass(self) -> None:
        to = limiter(session=1)
        found = passed(to, update("10.0.0.0/8"), update("11.0.0.0/8"), update(withdraw=["11.0.0.0/8"]))
        assert found[2].wire == update(withdraw=["11.0.0.0/8"])
        assert len(to.table) == 1

    def test_permanent(self) -> None:
        to = limiter(session=1, permanent=True)
        found = passed(to, update("10.0.0.0/8"), update(withdraw=["10.0.0.0/8"]), update("11.0.0.0/8"), update("10.0.0.0/8"))
        assert reach(found) == [["10.0.0.0/8"], [], [], ["10.0.0.0/8"]]
        assert found[1].wire == update(withdraw=["10.0.0.0/8"])

    def test_host_bits_make_no_other_prefix(self) -> None:
        to = limiter(session=1)
        found = passed(to, update("10.0.0.0/9"), update("10.0.0.1/9"), update("10.64.0.0/9"), update("10.128.0.0/9"))
        assert [msg.dropped for msg in found] == [False, False, False, True]

    def test_path_ids(self) -> None:
        to = limiter(session=2, block=2)
        found = passed(
            to,
            Item(update("#1#10.0.0.0/16", "#2#10.0.0.0/16", "#3#10.0.0.0/16"), addpath=True),
            Item(update(withdraw=["#3#10.0.0.0/16"]), addpath=True),
            Item(update("#3#10.0.0.0/16"), addpath=True),
            Item(update(withdraw=["#1#10.0.0.0/16"]), addpath=True),
            Item(update("#3#10.0.0.0/16"), addpath=True),
        )
        assert [msg.dropped for msg in found] == [False, False, True, False, False]
        assert found[0].wire == update("#1#10.0.0.0/16", "#2#10.0.0.0/16")

    def test_families_have_tables_of_their_own(self) -> None:
        to = limiter(families=15, session=4)
        multicast = mp_reach("10.0.0.0/8", afi=1, safi=2)
        passed(to, update("10.0.0.0/8", mp=multicast), update(mp=mp_reach("a00::/8")), update(mp=mp_reach("a00::/8", safi=2)))
        assert sorted(route[4] for route in to.table.routes()) == [0, 1, 2, 3]

    def test_classic_and_multiprotocol_ipv4_are_one_family(self) -> None:
        to = limiter(session=1)
        passed(to, update("10.0.0.0/8"), update(mp=mp_unreach("10.0.0.0/8", afi=1)))
        assert len(to.table) == 0

    @pytest.mark.parametrize(("families", "expected"), [(1, 1), (4, 2), (5, 3), (3, 2), (12, 3)])
    def test_families(self, families: int, expected: int) -> None:
        to = limiter(families=families, session=100)
        mp = [mp_reach("10.0.0.0/8", afi=1, safi=2), mp_reach(*V6[:2]), mp_reach(*V6[:1], safi=2), mp_reach("0.0.0.0/0", safi=128)]
        passed(to, update("10.0.0.0/8"), *(update(mp=attr) for attr in mp))
        assert len(to.table) == expected

    def test_block(self) -> None:
        to = limiter(families=5, block=1)
        found = passed(
            to,
            update("10.1.0.0/24", "10.1.1.0/24", "10.2.0.0/24", "10.0.0.0/8"),
            update(mp=mp_reach("2001:db8::/48", "2001:db8:1::/48", "2001:db9::/48", "a01::/32")),
        )
        assert reach(found) == [["10.1.0.0/24", "10.2.0.0/24", "10.0.0.0/8"], ["2001:db8::/48", "2001:db9::/48", "a01::/32"]]

    def test_nothing_is_kept_where_nothing_is_counted(self) -> None:
        to = limiter(min_length=8, max_length=24)
        passed(to, update("10.0.0.0/8"))
        assert len(to.table) == 0

    def test_limiters_of_one_table(self) -> None:
        table = RouteTable()
        one, other = (Limiter(table, owner=owner, session=2, shared=True) for owner in (1, 2))
        assert reach(passed(one, update("10.0.0.0/8"))) == [["10.0.0.0/8"]]
        assert reach(passed(other, update("10.0.0.0/8", "11.0.0.0/8"))) == [["10.0.0.0/8"]]
        passed(other, OPEN)
        assert len(table) == 1
        assert reach(passed(one, update("11.0.0.0/8"))) == [["11.0.0.0/8"]]
        one.forget()
        assert len(table) == 0

    def test_blocks_that_cannot_be(self) -> None:
        for lengths in ({"ipv4_block": 33}, {"ipv6_block": 65}, {"ipv4_block": 0}):
            with pytest.raises(ValueError, match="from 1 to 32"):
                limiter(**lengths)


class TestOrigins:
    def test_limit(self) -> None:
        to = limiter(origin=1)
        found = passed(to, update("10.0.0.0/8"), update("11.0.0.0/8"), update("11.0.0.0/8", hops=[64496, 2]))
        assert reach(found) == [["10.0.0.0/8"], [], ["11.0.0.0/8"]]

    def test_counts_for_each_it_was_seen_with(self) -> None:
        to = limiter(origin=1)
        found = passed(
            to,
            update("10.0.0.0/8", hops=[1]),
            update("10.0.0.0/8", hops=[2]),
            update("11.0.0.0/8", hops=[1]),
            update("11.0.0.0/8", hops=[2]),
            update(withdraw=["10.0.0.0/8"]),
            update("11.0.0.0/8", hops=[1]),
        )
        assert [msg.dropped for msg in found] == [False, False, True, True, False, False]
        assert to.table.totals() == {("origin", 1): 1}

    def test_another_origin_over_the_limit_is_taken_out(self) -> None:
        to = limiter(origin=1)
        found = passed(to, update("10.0.0.0/8", hops=[1]), update("11.0.0.0/8", hops=[2]), update("11.0.0.0/8", hops=[1]))
        assert [msg.dropped for msg in found] == [False, False, True]

    def test_a_route_with_ever_more_origins(self) -> None:
        to = limiter(origin=10)
        found = passed(to, *(update("10.0.0.0/8", hops=[n]) for n in range(1, 101)))
        assert [msg.dropped for msg in found] == [False] * 64 + [True] * 36
        assert len(to.table.totals()) == 64
        passed(to, update(withdraw=["10.0.0.0/8"]))
        assert not to.table.totals()

    @pytest.mark.parametrize(
        ("hops", "origin"),
        [
            ([1, 2, 3], 3),
            ([1, (2,)], 2),
            ([1, (2, 2)], 2),
            ([], None),
            ([(1, 2), 3], 3),
        ],
    )
    def test_origin(self, hops: list[int | tuple[int, ...]], origin: int | None) -> None:
        to = limiter(origin=1)
        passed(to, update("10.0.0.0/8", hops=hops))
        assert to.table.totals() == {("origin", origin): 1}

    def test_a_set_is_one_origin(self) -> None:
        to = limiter(origin=1)
        found = passed(
            to,
            update("10.0.0.0/8", hops=[9, (1, 2)]),
            update("11.0.0.0/8", hops=[8, (2, 1, 2)]),
            update("11.0.0.0/8", hops=[8, (1, 2, 3)]),
            update("12.0.0.0/8", hops=[1]),
        )
        assert [msg.dropped for msg in found] == [False, True, False, False]

    def test_confederations_are_no_hops(self) -> None:
        to = limiter(origin=1)
        attrs = attribute(2, path(7) + segment(3, [65001]) + segment(4, [65002]))
        passed(to, update("10.0.0.0/8", attrs=attrs))
        assert to.table.totals() == {("origin", 7): 1}

    @pytest.mark.parametrize(
        ("short", "as4", "origin"),
        [
            (path(1, 23456, as_size=2), path(70000), 70000),
            (path(1, 23456, as_size=2), path(1, 70000), 70000),
            (path(23456, as_size=2), path(1, 70000), 23456),  # longer than AS_PATH: not to be looked at
            (path(1, 2, as_size=2), segment(3, [70000]), 2),
            (segment(2, [1, 23456], 2), path((70000, 70000)), 70000),
        ],
    )
    def test_as4_path(self, short: bytes, as4: bytes, origin: int) -> None:
        """RFC 6793 section 4.2.3."""
        to = limiter(origin=1)
        passed(to, Item(update("10.0.0.0/8", attrs=attribute(2, short) + attribute(17, as4, 0xC0)), as_size=2))
        assert to.table.totals() == {("origin", origin): 1}

    @pytest.mark.parametrize(
        ("aggregator", "as4_aggregator", "origin"),
        [(64999, True, 64500), (64999, False, 200000), (23456, True, 200000), (None, True, 200000)],
    )
    def test_an_old_aggregator_voids_as4_path(self, aggregator: int | None, as4_aggregator: bool, origin: int) -> None:
        """RFC 6793 section 4.2.3: else an origin could be put on where others look at the real one."""
        to = limiter(origin=1)
        attrs = attribute(2, path(65001, 64500, as_size=2))
        if aggregator is not None:
            attrs += attribute(7, aggregator.to_bytes(2) + bytes(4), 0xC0)
        attrs += attribute(17, path(100000, 200000), 0xC0)
        if as4_aggregator:
            attrs += attribute(18, bytes(8), 0xC0)
        passed(to, Item(update("10.0.0.0/8", attrs=attrs), as_size=2))
        assert to.table.totals() == {("origin", origin): 1}

    def test_as4_path_beside_long_numbers_is_nothing(self) -> None:
        to = limiter(origin=1)
        passed(to, update("10.0.0.0/8", attrs=attribute(2, path(5)) + attribute(17, path(6), 0xC0)))
        assert to.table.totals() == {("origin", 5): 1}


class TestResets:
    @pytest.mark.parametrize("wire", [OPEN, CEASE, b""], ids=["OPEN", "NOTIFICATION", "state change"])
    def test_empties_the_session(self, wire: bytes) -> None:
        to = limiter(session=1, origin=1, block=1)
        found = passed(to, update("10.0.0.0/16"), Item(wire, 1), update("11.0.0.0/16"), Item(wire), update("10.1.0.0/16"))
        updates = [msg for msg in found if msg.update]
        assert reach(updates) == [["10.0.0.0/16"], [], ["10.1.0.0/16"]]
        assert len(to.table) == 1

    def test_permanent(self) -> None:
        to = limiter(session=1, permanent=True)
        passed(to, update("10.0.0.0/8"), OPEN, CEASE, b"", update("11.0.0.0/8"))
        assert [str(route[5]) for route in to.table.routes()] == ["10.0.0.0/8"]

    def test_one_that_does_not_parse_is_dropped_and_resets_nothing(self) -> None:
        """Else who wanted room would send one: the other end never sees it."""
        to = limiter(session=1)
        found = passed(to, update("10.0.0.0/8"), message(3, b"\6"), OPEN[:-1] + b"\7", update("11.0.0.0/8"))
        assert [msg.dropped for msg in found] == [False, True, True, True]

    def test_both_directions(self) -> None:
        to = limiter(session=2)
        passed(to, update("10.0.0.0/8"), Item(update("10.0.0.0/8"), direction="L"), Item(OPEN, direction="L"))
        assert len(to.table) == 0


class TestUnparsed:
    BAD = (update()[:19] + b"\xff\xff\0\0", message(4, b"x"))

    def test_dropped(self) -> None:
        assert [msg.dropped for msg in passed(limiter(), *self.BAD)] == [True, True]

    def test_passed(self) -> None:
        found = passed(limiter(drop_unparsed=False, session=1), *self.BAD)
        assert [msg.dropped for msg in found] == [False, False]

    def test_is_told_once(self) -> None:
        [(batch, _)] = batches([Item(wire) for wire in self.BAD])
        limiter().run(batch)
        assert batch.failed == 2


class TestWhatIsFound:
    def run(self, to: Limiter, batch: Batch) -> list[tuple[int, str, str, object, int]]:
        found = []
        at = 0
        while at < len(batch):
            at = to.run(batch, 3, at)
            found += [(at - 1, reason, str(prefix), origin, count) for reason, prefix, origin, count in to.found]
        return found

    def test_in_order(self) -> None:
        to = limiter(families=5, min_length=8, max_length=48, session=4, origin=2, block=1)
        to.wanted = 31
        [(batch, _)] = batches(
            Item(wire)
            for wire in (
                update("0.0.0.0/0", "10.0.0.0/16", "10.0.0.0/24", "11.0.0.0/16", "12.0.0.0/16"),
                message(4),
                update(mp=mp_reach("2001:db8::1/128", "2001:db8::/32"), hops=[1, (3, 2)]),
                update("14.0.0.0/16", "15.0.0.0/16", attrs=b""),
            )
        )
        assert self.run(to, batch) == [
            (0, "short", "0.0.0.0/0", 64496, 0),
            (0, "block", "10.0.0.0/24", 64496, 1),
            (0, "origin", "12.0.0.0/16", 64496, 2),
            (2, "long", "2001:db8::1/128", (2, 3), 0),
            (3, "session", "15.0.0.0/16", None, 4),
        ]

    def test_only_what_is_wanted(self) -> None:
        to = limiter(max_length=24, session=1)
        to.wanted = 1 << 2
        [(batch, _)] = batches([Item(update("10.0.0.0/25")), Item(update("10.0.0.0/8")), Item(update("11.0.0.0/8"))])
        assert self.run(to, batch) == [(2, "session", "11.0.0.0/8", 64496, 1)]

    def test_path_ids(self) -> None:
        to = limiter(max_length=24)
        to.wanted = 31
        [(batch, _)] = batches([Item(update("#7#10.0.0.0/25"), addpath=True)])
        assert self.run(to, batch) == [(0, "long", "#7#10.0.0.0/25", 64496, 0)]


def test_growth() -> None:
    """Whatever the number of routes, what comes next finds all of them."""
    for count in range(1, 200):
        to = limiter(session=1000, origin=1000, block=1000)
        prefixes = [f"10.{n}.0.0/16" for n in range(count)]
        for wire in (update(*prefixes), update(*prefixes, hops=[2]), update(withdraw=prefixes[::2], hops=[2])):
            passed(to, wire)
        assert to.table.totals().get(("origin", 2), 0) == count // 2
        passed(to, update(withdraw=prefixes[1::2]))
        assert not to.table.totals()


def test_churn() -> None:
    """Many come and go in every order; what is left over is nothing."""
    limits = Limits(session=50, origin=30, block=10, ipv4_block=12)
    to, model = Limiter(RouteTable(), session=50, origin=30, block=10, ipv4_block=12), Model(limits)
    items = []
    for n in range(600):
        prefixes = [f"10.{(n * 7 + i * 13) % 64}.0.0/16" for i in range(4)]
        wire = update(withdraw=prefixes) if n % 3 == 2 else update(*prefixes, hops=[n % 5])
        items.append(Item(wire, n % 4))
    for batch, resets in batches(items):
        check(to, model, batch, resets)


def test_flood() -> None:
    """More-specific IPv6 prefixes, spread over so many sessions and origins that neither has many: blocks bound them."""
    to = limiter(families=4, session=1000, origin=1000, block=100)
    good = ["2001:db8:aaaa::/48", "2a00::/32", "2a01::/32"]
    records = [record(Item(update(mp=mp_reach(*good))))]
    for n in range(20_000):
        wire = update(mp=mp_reach(f"2001:db{n % 10}:{n // 10:x}::/48"), hops=[64512 + n % 200, 100_000 + n % 5000])
        records.append(record(Item(wire, n % 200)))
    decoder, source = MrtDecoder(), BytesIO(b"".join(records))
    while (batch := decoder.read(source)) is not None:
        to.run(batch)
    assert len(to.table) == 2 + 10 * 100
    assert to.taken_out == {"block": 20_000 - 999}
    totals = to.table.totals()
    assert max(count for (what, _), count in totals.items() if what == "block") == 100
    assert {str(route[5]) for route in to.table.routes()} > set(good)
