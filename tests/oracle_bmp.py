"""BMP streams (RFC 7854, 8671, 9069, 9736) and OpenBMP messages (version 1.7), read slowly and obviously: the twin of _bmp.pyx.

Written apart from the package, as the oracle is, whose reading of bytes it uses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import oracle
import oracle_nlri
from oracle import Family, Malformed, Message, Reader
from oracle_guess import Guesser, path_parses

KINDS = ["route_monitoring", "statistics_report", "peer_down", "peer_up", "initiation", "termination", "route_mirroring"]
MONITORING, STATISTICS, DOWN, UP, INITIATION, TERMINATION, MIRRORING = range(7)
LONGEST = 1 << 20
LOC_RIB = 3  # RFC 9069 section 4.1
RAW_BMP = 12  # the type of OpenBMP messages that hold BMP messages
# RFC 7854 section 4.8: 32-bit counters and 64-bit gauges; those of a family have it in front. RFC 8671 section 6.2.
COUNTERS = dict.fromkeys((0, 1, 2, 3, 4, 5, 6, 11, 12, 13), 4) | dict.fromkeys((7, 8, 14, 15), 8) | dict.fromkeys((9, 10, 16, 17), 11)
REASONS = {
    1: "the router closed the session with a NOTIFICATION",
    2: "the router closed the session without a NOTIFICATION",
    3: "the peer closed the session with a NOTIFICATION",
    4: "the peer closed the session without a NOTIFICATION",
    5: "the router does not monitor it any more",
    6: "the Loc-RIB is not monitored any more",
}
Event = tuple[str, dict[str, str], str]


@dataclass
class Record:
    """What became of one BMP message, or OpenBMP message. `number` counts from 1, `offset` is where it begins."""

    number: int
    offset: int
    messages: list[Message] = field(default_factory=list)
    error: str | None = None


@dataclass
class Head:
    """A per-peer header (RFC 7854 section 4.2)."""

    kind: int
    flags: int
    rd: bytes
    address: bytes
    asn: int
    id: bytes
    time: int  # us

    @property
    def is_loc(self) -> bool:
        return self.kind == LOC_RIB

    @property
    def is_out(self) -> bool:
        return bool(self.flags & 0x10) and not self.is_loc

    @property
    def is_short(self) -> bool:
        """AS_PATHs have AS numbers of two octets. In a Loc-RIB the bit is no flag (RFC 9069 section 4.2)."""
        return bool(self.flags & 0x20) and not self.is_loc

    @property
    def session(self) -> bytes:
        """What peers are told apart by."""
        return bytes([self.kind]) + self.rd + self.address

    @property
    def view(self) -> bytes:
        """What a RIB of a peer is told apart by, all that is in its tags included."""
        flags = self.flags if self.is_loc else self.flags & ~0x20
        return self.session + bytes([flags]) + oracle.u32(self.asn) + self.id

    def tags(self, all_of_it: bool) -> dict[str, str]:
        # The address of a Loc-RIB is zeros; the F flag has the bit of the V flag, and makes it IPv6's.
        tags = {"PEER_AS": str(self.asn), "PEER_IP": oracle.ip_text(self.address if self.flags & 0x80 else self.address[12:])}
        if not all_of_it:
            return tags
        if self.id != bytes(4):
            tags["PEER_ID"] = oracle.ip_text(self.id)
        if self.rd != bytes(8):
            tags["PEER_RD"] = oracle_nlri.rd_json(self.rd)
        if self.kind:
            tags["PEER_TYPE"] = str(self.kind)
        side, policy = ("out" if self.flags & 0x10 else "in"), ("post" if self.flags & 0x40 else "pre")
        tags["RIB"] = "loc" if self.is_loc else f"{side}-{policy}"
        return tags


@dataclass
class Offer:
    """What an OPEN offers (RFC 6793, 7911)."""

    long_as: bool = False
    sends: set[Family] = field(default_factory=set)
    receives: set[Family] = field(default_factory=set)


@dataclass
class Session:
    """What is known of a peer: what its Peer Up message said, b"" while it is down, and how often that changed."""

    said: bytes = b""
    changes: int = 0
    sent: Offer = field(default_factory=Offer)
    received: Offer = field(default_factory=Offer)

    def path_ids(self, head: Head) -> set[Family]:
        if head.is_loc:  # both OPENs are made up (RFC 9069 section 5.3)
            return self.sent.sends | self.sent.receives | self.received.sends | self.received.receives
        if head.is_out:
            return self.sent.sends & self.received.receives
        return self.received.sends & self.sent.receives


def bgp_message(reader: Reader) -> bytes:
    if reader.data[reader.at : reader.at + 16] != oracle.MARKER:
        raise Malformed("no marker")
    size = int.from_bytes(reader.data[reader.at + 16 : reader.at + 18], "big")
    if size < 19:
        raise Malformed("no length")
    return reader.take(size)


def offer(wire: bytes) -> Offer:
    """What an OPEN offers that parses to its last octet."""
    if wire[18] != oracle.OPEN:
        raise Malformed("no OPEN")
    body = Reader(wire[19:])
    body.take(9)
    rest = body.rest()
    extended = len(rest) >= 4 and rest[:2] == b"\xff\xff"  # RFC 9072 section 2
    parameters = Reader(rest[2:] if extended else rest)
    if parameters.number(2 if extended else 1) != parameters.left():
        raise Malformed("the length of the parameters does not fit")
    found = Offer()
    while parameters.left():
        kind = parameters.number(1)
        value = parameters.take(parameters.number(2 if extended else 1))
        for code, data in oracle.capability_list(value) if kind == 2 else ():
            found.long_as |= code == 65 and len(data) == 4
            for at in range(0, len(data) - 3, 4) if code == 69 else ():
                family = int.from_bytes(data[at : at + 2], "big"), data[at + 2]
                if data[at + 3] in (1, 3):
                    found.receives.add(family)
                if data[at + 3] in (2, 3):
                    found.sends.add(family)
    return found


def tlvs(data: bytes) -> list[tuple[int, bytes]]:
    """RFC 7854 section 4.4; RFC 9736 has those of Peer Up be the same."""
    reader, found = Reader(data), []
    while reader.left():
        kind = reader.number(2)
        found.append((kind, reader.take(reader.number(2))))
    return found


@dataclass
class Router:
    """What sends the messages. One whose connection has ended is another one."""

    tags: dict[str, str]
    key: bytes
    connection: int = 0
    sessions: dict[bytes, Session] = field(default_factory=dict)


class BmpReader:
    """Keeps what lasts from one message to the next."""

    def __init__(self, *, peer_tags: bool, everything: bool, guesser: Guesser | None) -> None:
        self.peer_tags = peer_tags
        self.everything = everything
        self.guesser = guesser
        self.seq = 0
        self.kinds: Counter[str] = Counter()
        self.events: list[Event] = []
        self.routers: dict[bytes, Router] = {b"": Router({}, b"")}
        self.router = self.routers[b""]
        self.collected = 0
        self.out: list[Message] = []

    # ---- OpenBMP ----------------------------------------------------------------------------------------------------

    def openbmp(self, header: bytes, body: bytes) -> None:
        """header: all of it."""
        if header[13] != RAW_BMP:
            self.kinds["unknown"] += 1
            return
        reader = Reader(header[14:])
        seconds, microseconds = reader.number(4), reader.number(4)
        start = reader.at
        reader.take(16)
        collector = reader.take(reader.number(2))
        reader.take(16)
        address = reader.take(16)
        name = reader.take(reader.number(2))
        key = bytes([header[12] & 0x40]) + reader.data[start : reader.at]
        reader.take(4)
        self.collected = seconds * 1_000_000 + microseconds
        tags = {"COLLECTOR": collector[:1024].decode(errors="replace"), "ROUTER": name[:1024].decode(errors="replace")}
        if not name and address != bytes(16):
            short = address[:4] if any(address[:4]) else address[12:]
            tags["ROUTER"] = oracle.ip_text(address if header[12] & 0x40 else short)
        if key not in self.routers:
            self.routers[key] = Router({tag: text for tag, text in tags.items() if text}, key)
        self.router = self.routers[key]
        inner = Reader(body)
        while inner.left():
            kind, data = self.framed(inner)
            self.message(kind, data)

    def framed(self, reader: Reader) -> tuple[int, bytes]:
        """Type and body of the BMP message that is next (RFC 7854 section 4.1)."""
        if reader.data[reader.at] != 3:
            raise Malformed("version")
        reader.take(1)
        size = reader.number(4)
        kind = reader.number(1)
        if not 6 <= size <= LONGEST:
            raise Malformed("length")
        return kind, reader.take(size - 6)

    # ---- messages ---------------------------------------------------------------------------------------------------

    def message(self, kind: int, body: bytes) -> None:
        """Raises Malformed if it is damaged."""
        reader = Reader(body)
        if kind == INITIATION:
            tlvs(body)
        elif kind == TERMINATION:
            if any(code == 1 and len(value) != 2 for code, value in tlvs(body)):
                raise Malformed("a reason of two octets")
            self.router.sessions = {}
            self.router.connection += 1
        elif kind < len(KINDS):
            head = self.head(reader)
            [self.monitoring, self.statistics, self.down, self.up, None, None, self.mirroring][kind](head, reader)  # type: ignore[misc]
        self.kinds[KINDS[kind] if kind < len(KINDS) else "unknown"] += 1

    def head(self, reader: Reader) -> Head:
        kind, flags = reader.number(1), reader.number(1)
        rd, address, asn, identifier = reader.take(8), reader.take(16), reader.number(4), reader.take(4)
        seconds, microseconds = reader.number(4), reader.number(4)
        return Head(kind, flags, rd, address, asn, identifier, seconds * 1_000_000 + microseconds)

    def monitoring(self, head: Head, reader: Reader) -> None:
        """RFC 7854 section 4.6. Several UPDATEs in one message are taken, too."""
        wires = [bgp_message(reader)]
        while reader.left():
            wires.append(bgp_message(reader))
        for wire in wires:
            self.send(head, wire)

    def statistics(self, head: Head, reader: Reader) -> None:
        """RFC 7854 section 4.8."""
        count = reader.number(4)
        found = tlvs(reader.rest())
        if len(found) != count or any(COUNTERS.get(kind, len(value)) != len(value) for kind, value in found):
            raise Malformed("counters")

    def up(self, head: Head, reader: Reader) -> None:
        """RFC 7854 section 4.10."""
        said = reader.data[reader.at :]
        reader.take(20)
        sent, received = bgp_message(reader), bgp_message(reader)
        offers = offer(sent), offer(received)
        tlvs(reader.rest())
        session = self.router.sessions.setdefault(head.session, Session())
        if session.said != said:  # else it is told once more, as to a station that has connected anew
            session.said, session.changes = said, session.changes + 1
            session.sent, session.received = offers
            self.event("peer_up", head, "")
        if self.everything:
            self.send(head, sent)
            self.send(head, received)

    def down(self, head: Head, reader: Reader) -> None:
        """RFC 7854 section 4.9, RFC 9069 section 5.3."""
        reason = reader.number(1)
        data = reader.rest()
        if reason in (1, 3):
            notification = Reader(data)
            if bgp_message(notification)[18:19] != bytes([oracle.NOTIFY]) or notification.left() or len(data) < 21:
                raise Malformed("no NOTIFICATION")
            if self.everything:
                self.send(head, data)
        elif len(data) != {2: 2, 4: 0, 5: 0}.get(reason, len(data)):
            raise Malformed("the length of the reason")
        elif reason == 6:
            tlvs(data)
        session = self.router.sessions.setdefault(head.session, Session())
        self.router.sessions[head.session] = Session(changes=session.changes + 1)
        self.event("peer_down", head, REASONS.get(reason, f"reason {reason}"))

    def mirroring(self, head: Head, reader: Reader) -> None:
        """RFC 7854 section 4.7: what a TLV of type 0 holds may be no message at all."""
        found = tlvs(reader.rest())
        if any(kind == 1 and len(value) != 2 for kind, value in found):
            raise Malformed("information of two octets")
        for kind, value in found if self.everything else ():
            inner = Reader(value)
            try:
                wire = bgp_message(inner)
            except Malformed:
                continue
            if kind == 0 and not inner.left():
                self.send(head, wire, mirrored=True)

    # ---- what comes of them -----------------------------------------------------------------------------------------

    def send(self, head: Head, wire: bytes, mirrored: bool = False) -> None:
        session = self.router.sessions.get(head.session, Session(said=b"-", sent=Offer(True), received=Offer(True)))
        as_size = 2 if head.is_short else 4
        addpath: oracle.AddPath = session.path_ids(head)
        tags = head.tags(self.peer_tags) | self.router.tags
        agreed_on_two = bool(session.said) and not (session.sent.long_as and session.received.long_as)
        asks = self.guesser is not None and self.guesser.asn
        if wire[18] == oracle.UPDATE and as_size == 4 and agreed_on_two and not head.is_loc and not asks:
            as_size = 2 if path_parses(wire, 2) and not path_parses(wire, 4) else 4
        if wire[18] == oracle.UPDATE and self.guesser is not None:
            place = self.router.key + oracle.u32(self.router.connection) + oracle.u32(session.changes) + head.view
            place += b"as it came" * mirrored
            as_size, addpath, found = self.guesser.read(place, head.is_short, wire, as_size, addpath)
            tags |= found
        kind, data = oracle.decode_message(wire, as_size, addpath)
        self.seq += 1
        self.out.append(["R", self.seq, oracle.time_text(head.time or self.collected), kind, data, tags])

    def event(self, name: str, head: Head, text: str) -> None:
        self.events.append((name, head.tags(True) | self.router.tags, text))


def read_bmp(data: bytes, reader: BmpReader | None = None, *, openbmp: bool = False, pardon: bool = False) -> Iterator[Record]:
    """Every message in turn, or OpenBMP message. A damaged one has `error` set; without `pardon` it is the last.

    What BMP messages in front of the damage in an OpenBMP message hold has come out.
    """
    state = reader or BmpReader(peer_tags=False, everything=False, guesser=None)
    offset = number = 0
    while offset < len(data):
        if openbmp and data[offset] == 0x0A:
            offset += 1
            continue
        number += 1
        record = Record(number, offset)
        state.out = record.messages
        end = 0  # where it ends, as far as that can be
        try:
            start = Reader(data[offset:])
            if openbmp:
                if data[offset : offset + 4] != b"OBMP"[: len(data) - offset] or data[offset + 4 : offset + 5] not in (b"", b"\1"):
                    raise Malformed("magic")
                start.take(6)
                size, more = start.number(2), start.number(4)
                if size < 22 or more > LONGEST:
                    raise Malformed("length")
                end = offset + size + more
                whole = Reader(data[offset:]).take(size + more)
                state.openbmp(whole[:size], whole[size:])
            else:
                kind, body = state.framed(start)
                end = offset + 6 + len(body)
                state.message(kind, body)
        except Malformed as error:
            record.error = str(error)
        yield record
        is_cut = not end or end > len(data)
        if record.error and (not pardon or (is_cut and not cut_short(data[offset:], openbmp))):
            break
        offset = len(data) if is_cut else end


def cut_short(data: bytes, openbmp: bool) -> bool:
    """Whether these octets can be the start of a message."""
    if openbmp:
        head = Reader(data.ljust(12, b"\0"))
        usual = data[:5] == b"OBMP\1"[: len(data)]
        head.take(6)
        return usual and (len(data) < 12 or (head.number(2) >= 22 and head.number(4) <= LONGEST))
    return data[:1] == b"\3" and (len(data) < 6 or 6 <= int.from_bytes(data[1:5], "big") <= LONGEST)
