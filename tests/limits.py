"""The stage limit, slow and obvious: a dictionary of sets that is counted anew for each prefix. And messages to try it on."""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from bgpipe._attributes import Prefix
from bgpipe._codec import Batch
from bgpipe._mrt import MrtDecoder
from bgpipe._table import Limiter
from bgpipe._view import Msg, message_at

if TYPE_CHECKING:
    from bgpipe._table import Hit, Origin

FAMILIES = ("IPV4/UNICAST", "IPV4/MULTICAST", "IPV6/UNICAST", "IPV6/MULTICAST")
MOST_ORIGINS = 64


@dataclass
class Limits:
    """Those of a Limiter, by the same names."""

    families: int = 15
    min_length: int = 0
    max_length: int = 128
    session: int = 0
    origin: int = 0
    block: int = 0
    ipv4_block: int = 16
    ipv6_block: int = 32
    permanent: bool = False


class Left(NamedTuple):
    """What is left of an UPDATE: whether any of it, then its prefixes; events."""

    dropped: bool
    unreach: list[Prefix]
    mp_unreach: list[Prefix]
    mp_reach: list[Prefix]
    reach: list[Prefix]
    hits: list[Hit]


Session = tuple[str | None, str | None]


@dataclass
class Model:
    limits: Limits
    # session -> (direction, family, prefix) -> origins
    sessions: dict[Session, dict[tuple[str, str, Prefix], set[Origin]]] = field(default_factory=dict)

    def origin_of(self, msg: Msg) -> Origin:
        assert msg.update is not None
        hops = msg.update.full_as_path.hops
        if not hops:
            return None
        last = hops[-1]
        members = sorted(set(last)) if isinstance(last, tuple) else [last]
        return members[0] if len(members) == 1 else tuple(members)

    def block_of(self, prefix: Prefix) -> object:
        bits = self.limits.ipv4_block if prefix.afi == 1 else self.limits.ipv6_block
        return ipaddress.ip_network((prefix.packed, bits), strict=False)

    def of_origin(self, origin: Origin) -> int:
        return sum(origin in origins for routes in self.sessions.values() for origins in routes.values())

    def in_block(self, block: object) -> int:
        return sum(self.block_of(prefix) == block for routes in self.sessions.values() for _, _, prefix in routes)

    def look(self, msg: Msg, reset: bool = False) -> Left | None:
        """What becomes of a message, and count it; None where it stays as it is. reset: its session began anew before."""
        limits = self.limits
        session = (msg.tags.get("PEER_AS"), msg.tags.get("PEER_IP"))
        if (reset or msg.type in ("OPEN", "NOTIFY")) and not limits.permanent:
            self.sessions.pop(session, None)
        update = msg.update
        if update is None:
            return None
        hits: list[Hit] = []
        counted = bool(limits.session or limits.origin or limits.block)

        def wanted(family: str) -> bool:
            return family in FAMILIES and bool(limits.families >> FAMILIES.index(family) & 1)

        def withdraw(family: str, prefixes: Iterable[Prefix]) -> list[Prefix]:
            left = []
            for prefix in prefixes:
                if wanted(family):
                    if not limits.min_length <= prefix.length <= limits.max_length:
                        continue
                    if not limits.permanent:
                        self.sessions.get(session, {}).pop((msg.dir, family, prefix), None)
                left.append(prefix)
            return left

        def judge(family: str, prefix: Prefix, origin: Origin) -> tuple[str, int]:
            if prefix.length < limits.min_length:
                return "short", 0
            if prefix.length > limits.max_length:
                return "long", 0
            if not counted:
                return "", 0
            routes = self.sessions.setdefault(session, {})
            key = (msg.dir, family, prefix)
            known = routes.get(key)
            if known is None:
                if limits.session and len(routes) >= limits.session:
                    return "session", len(routes)
            elif not limits.origin or origin in known:
                return "", 0
            elif len(known) == MOST_ORIGINS:
                return "origin", MOST_ORIGINS
            if limits.origin and self.of_origin(origin) >= limits.origin:
                return "origin", self.of_origin(origin)
            if known is None and limits.block and self.in_block(self.block_of(prefix)) >= limits.block:
                return "block", self.in_block(self.block_of(prefix))
            routes.setdefault(key, set()).add(origin)
            return "", 0

        def announce(family: str, prefixes: Iterable[Prefix]) -> list[Prefix]:
            left = []
            for prefix in prefixes:
                reason, count = judge(family, prefix, self.origin_of(msg)) if wanted(family) else ("", 0)
                if reason:
                    hits.append((reason, prefix, self.origin_of(msg), count))
                else:
                    left.append(prefix)
            return left

        before = [list(update.unreach), [], [], list(update.reach)]
        others = False
        if update.mp_unreach is not None:
            before[1] = list(update.mp_unreach.prefixes)
            others = others or bool(not before[1] and update.mp_unreach.data)
        if update.mp_reach is not None:
            before[2] = list(update.mp_reach.prefixes)
            others = others or bool(not before[2] and update.mp_reach.data)
        unreach = withdraw("IPV4/UNICAST", before[0])
        mp_unreach = withdraw(update.mp_unreach.af, before[1]) if update.mp_unreach is not None else []
        mp_reach = announce(update.mp_reach.af, before[2]) if update.mp_reach is not None else []
        reach = announce("IPV4/UNICAST", before[3])
        if not self.sessions.get(session, True):
            del self.sessions[session]
        left = [unreach, mp_unreach, mp_reach, reach]
        if left == before:
            return None
        return Left(not (any(left) or others), unreach, mp_unreach, mp_reach, reach, hits)


def check(limiter: Limiter, model: Model, batch: Batch, resets: Container[int] = (), directions: int = 3) -> None:
    """Run a batch through both: they agree on each message, on the events, and on what is counted then.

    resets: indexes of messages in front of which their session began anew.
    """
    copies = [message_at(batch, index).copy() for index in range(len(batch))]
    hits: dict[int, list[Hit]] = {}
    at = 0
    limiter.wanted = 31
    while at < len(batch):
        at = limiter.run(batch, directions, at)
        if limiter.found:
            hits[at - 1] = limiter.found
    for index, before in enumerate(copies):
        msg = message_at(batch, index)
        left = model.look(before, index in resets) if directions >> (before.dir == "L") & 1 else None
        assert hits.get(index, []) == (left.hits if left else [])
        if left is None:
            assert msg.wire == before.wire
            assert not msg.edited and not msg.dropped
            continue
        assert msg.dropped == left.dropped
        if not left.dropped:
            check_left(msg, before, left)
    check_counts(limiter, model)


def check_left(msg: Msg, before: Msg, left: Left) -> None:
    update, whole = msg.update, before.update
    assert update is not None and whole is not None
    assert msg.error is None and msg.edited
    assert update.end_of_rib is None
    assert list(update.unreach) == left.unreach
    assert list(update.reach) == left.reach
    assert list(update.mp_unreach.prefixes if update.mp_unreach else []) == left.mp_unreach
    assert list(update.mp_reach.prefixes if update.mp_reach else []) == left.mp_reach
    for one, other in ((update.mp_reach, whole.mp_reach), (update.mp_unreach, whole.mp_unreach)):
        assert one is None or (other is not None and one.af == other.af and one.data)
    if update.mp_reach is not None and whole.mp_reach is not None:
        assert update.mp_reach.nh == whole.mp_reach.nh
    names = [name for name in whole.attrs if name not in ("MP_REACH", "MP_UNREACH")]
    if whole.announced and not update.announced and not (update.mp_reach and update.mp_reach.data):
        names = []
    assert [name for name in update.attrs if name not in ("MP_REACH", "MP_UNREACH")] == names
    for name in names:
        assert update.attrs[name].octets == whole.attrs[name].octets
        assert update.attrs[name].flags == whole.attrs[name].flags


def check_counts(limiter: Limiter, model: Model) -> None:
    """The table holds the routes of the model, and its counts are what they add up to."""
    table, limits = limiter.table, model.limits
    routes = table.routes()
    found = sorted((asn, direction, FAMILIES[family], str(prefix)) for _, asn, _, direction, family, prefix, _ in routes)
    assert found == sorted(
        (int(asn or 0), direction, family, str(prefix))
        for (asn, _), held in model.sessions.items()
        for direction, family, prefix in held
    )
    assert len(table) == len(routes)
    totals = table.totals()
    for what, limit in (("session", limits.session), ("origin", limits.origin), ("block", limits.block)):
        numbers = sorted(number for (kind, _), number in totals.items() if kind == what)
        expected: list[int] = []
        if limit and what == "session":
            expected = [len(held) for held in model.sessions.values()]
        elif limit and what == "origin":
            origins = {origin for held in model.sessions.values() for seen in held.values() for origin in seen}
            expected = [model.of_origin(origin) for origin in origins]
            for origin in origins:
                if not isinstance(origin, tuple):
                    assert totals["origin", origin] == model.of_origin(origin)
        elif limit:
            blocks = {model.block_of(prefix) for held in model.sessions.values() for _, _, prefix in held}
            expected = [model.in_block(block) for block in blocks]
        assert numbers == sorted(expected)
        assert not limit or all(number <= limit for number in numbers)


# ---- messages -----------------------------------------------------------------------------------------------------
MARKER = b"\xff" * 16


class Item(NamedTuple):
    """A BGP message of a peer (0 to 255) in an archive; `wire` b"": its session changes state."""

    wire: bytes
    peer: int = 0
    direction: str = "R"
    as_size: int = 4
    addpath: bool = False


def message(kind: int, body: bytes = b"") -> bytes:
    return MARKER + (19 + len(body)).to_bytes(2) + bytes([kind]) + body


def nlri(*prefixes: str) -> bytes:
    """Prefixes as they stand in a message: "192.0.2.0/24", with a path id "#1#192.0.2.0/24"; host bits may be set."""
    out = b""
    for text in prefixes:
        if text.startswith("#"):
            path_id, _, text = text[1:].partition("#")
            out += int(path_id).to_bytes(4)
        address, _, length = text.partition("/")
        out += bytes([int(length)]) + ipaddress.ip_address(address).packed[: (int(length) + 7) // 8]
    return out


def attribute(code: int, value: bytes, flags: int = 0x40) -> bytes:
    if len(value) > 255 or flags & 0x10:
        return bytes([flags | 0x10, code]) + len(value).to_bytes(2) + value
    return bytes([flags, code, len(value)]) + value


def segment(kind: int, asns: Iterable[int], as_size: int = 4) -> bytes:
    numbers = b"".join(asn.to_bytes(as_size) for asn in asns)
    return bytes([kind, len(numbers) // as_size]) + numbers


def path(*hops: int | tuple[int, ...], as_size: int = 4) -> bytes:
    """An AS_PATH's value; an AS_SET is a tuple."""
    return b"".join(
        segment(1, hop, as_size) if isinstance(hop, tuple) else segment(2, [hop], as_size) for hop in hops
    )


def update(
    *reach: str,
    withdraw: Iterable[str] = (),
    mp: bytes = b"",
    hops: Iterable[int | tuple[int, ...]] = (64496,),
    attrs: bytes | None = None,
    as_size: int = 4,
) -> bytes:
    """An UPDATE. mp: attributes behind the usual ones, which stand there where it announces something."""
    if attrs is None:
        attrs = attribute(1, b"\0") + attribute(2, path(*hops, as_size=as_size)) if reach or mp[1:2] == b"\x0e" else b""
        attrs += attribute(3, b"\xc0\0\2\1") if reach else b""
    attrs += mp
    unreach = nlri(*withdraw)
    return message(2, len(unreach).to_bytes(2) + unreach + len(attrs).to_bytes(2) + attrs + nlri(*reach))


def mp_reach(*prefixes: str, afi: int = 2, safi: int = 1, flags: int = 0x80) -> bytes:
    return attribute(14, bytes([0, afi, safi, 16]) + bytes(15) + b"\1\0" + nlri(*prefixes), flags)


def mp_unreach(*prefixes: str, afi: int = 2, safi: int = 1, flags: int = 0x80) -> bytes:
    return attribute(15, bytes([0, afi, safi]) + nlri(*prefixes), flags)


OPEN = message(1, bytes.fromhex("04fbf0005ac000020100"))
CEASE = message(3, b"\6\2")


def record(item: Item) -> bytes:
    """A BGP4MP record (RFC 6396 section 4.4, RFC 8050 section 3)."""
    numbers = b"".join(asn.to_bytes(item.as_size) for asn in (64512 + item.peer, 64511))
    head = numbers + b"\0\0\0\1" + bytes([192, 0, 2, item.peer]) + b"\xc0\0\2\xff"
    as4 = item.as_size == 4
    if not item.wire:
        subtype, body = 5 if as4 else 0, b"\0\6\0\1"
    else:
        subtype, body = (9 if as4 else 8) if item.addpath else (4 if as4 else 1), item.wire
    return b"\0\0\0\1\0\x10" + subtype.to_bytes(2) + (len(head) + len(body)).to_bytes(4) + head + body


def batches(items: Iterable[Item]) -> Iterator[tuple[Batch, set[int]]]:
    """The messages in batches, a new one where the direction changes; which of them come behind a state change."""
    decoders = {direction: MrtDecoder(direction=direction) for direction in "RL"}
    held = dict.fromkeys("RL", b"")  # no messages yet
    changed: set[tuple[str, int, int]] = set()
    for direction, group in groupby(items, lambda item: item.direction):
        given = list(group)
        resets: set[int] = set()
        count = 0
        for item in given:
            key = (direction, item.peer, item.as_size)
            if not item.wire:
                changed.add(key)
                continue
            if key in changed:
                resets.add(count)
            changed.discard(key)
            count += 1
        data = held[direction] + b"".join(map(record, given))
        held[direction] = b"" if count else data
        if not count:
            continue
        batch = decoders[direction].read(BytesIO(data))
        assert batch is not None and batch.error is None and len(batch) == count
        yield batch, resets
