"""What two ends of a session agree on, from the OPENs that they sent each other (RFC 5492 section 3).

The end that sent `local` and received `remote` looks at it here. A proxy has two such ends, and what a message means
on its way in may differ from what it means on its way out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bgpipe._attributes import family_name
from bgpipe._view import SessionContext
from bgpipe.bgp import capabilities as caps
from bgpipe.bgp.causes import (
    BAD_HOLD_TIME,
    BAD_IDENTIFIER,
    BAD_LENGTH,
    BAD_PARAMETER,
    BAD_PEER_AS,
    BAD_VERSION,
    HEADER_ERROR,
    HEADER_SIZE,
    OPEN,
    OPEN_ERROR,
    ROLE_MISMATCH,
    Cause,
    message,
)
from bgpipe.bgp.open import AS_TRANS, FIXED_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgpipe.bgp.capabilities import Capability

Family = tuple[int, int]

VERSION = 4
SHORTEST_HOLD_S = 3  # RFC 4271 section 4.2: 0 for none, or no less than this
ROUTE_REFRESH = 2
ENHANCED_ROUTE_REFRESH = 70
IPV4_UNICAST: Family = (1, 1)
ODD_AS4 = "an AS4 capability that has not four octets"
RECEIVE, SEND = 1, 2  # RFC 7911 section 4; 3 is both

# Which role the other side may have (RFC 9234 section 4.2).
COUNTERPARTS = {"PROVIDER": "CUSTOMER", "CUSTOMER": "PROVIDER", "RS": "RS-CLIENT", "RS-CLIENT": "RS", "PEER": "PEER"}


@dataclass(frozen=True, slots=True)
class Offer:
    """What one OPEN says (RFC 4271 section 4.2).

    my_as: the field of two octets. hold_time: seconds. id: the BGP identifier as a number. capabilities: (code, octets)
    in their order. others: whether it has optional parameters other than capabilities.
    """

    my_as: int
    hold_time: int
    id: int
    capabilities: tuple[Capability, ...] = ()
    others: bool = False

    def __str__(self) -> str:
        offered = ", ".join(f"{name}: {value}" for name, value in caps.to_object(list(self.capabilities)).items())
        return f"AS {self.asn}, id {self.address}, hold time {self.hold_time} s, capabilities {{{offered}}}"

    @property
    def address(self) -> str:
        """The BGP identifier as text: "192.0.2.1"."""
        return address(self.id)

    @classmethod
    def parse(cls, body: bytes) -> Offer | Cause:
        """What an OPEN's body offers, or why it does not parse (RFC 4271 section 6.2)."""
        if len(body) < FIXED_SIZE:
            length = HEADER_SIZE + len(body)
            return Cause(HEADER_ERROR, BAD_LENGTH, length.to_bytes(2), f"an OPEN of {length} octets")
        if body[0] != VERSION:
            return Cause(OPEN_ERROR, BAD_VERSION, VERSION.to_bytes(2), f"version {body[0]} of the protocol")
        parameters = body[FIXED_SIZE:]
        found = caps.parse_parameters(parameters)
        if found is None or (len(parameters) != body[9] and not caps.is_extended(parameters)):
            return Cause(OPEN_ERROR, reason="optional parameters that do not parse")
        my_as, hold_time, identifier = (int.from_bytes(body[start:end]) for start, end in ((1, 3), (3, 5), (5, 9)))
        return cls(my_as, hold_time, identifier, tuple(found[0]), not found[1])

    @property
    def wire(self) -> bytes:
        """The OPEN message, with one optional parameter."""
        fixed = (VERSION.to_bytes(1), self.my_as.to_bytes(2), self.hold_time.to_bytes(2), self.id.to_bytes(4))
        return message(OPEN, b"".join(fixed) + caps.encode_parameters(list(self.capabilities)))

    def values(self, code: int) -> list[bytes]:
        """The octets of each capability with this code."""
        return [value for found, value in self.capabilities if found == code]

    @property
    def as4(self) -> int | None:
        """The AS number of the AS4 capability (RFC 6793 section 3), or None."""
        return next((int.from_bytes(value) for value in self.values(caps.AS4) if len(value) == 4), None)

    @property
    def asn(self) -> int:
        """The sender's AS number (RFC 6793 section 4.1)."""
        return self.my_as if self.as4 is None else self.as4

    @property
    def families(self) -> tuple[Family, ...]:
        """(AFI, SAFI) of each family offered: IPv4 unicast where none is named (RFC 4760 section 8)."""
        found = dict.fromkeys((int.from_bytes(v[:2]), v[3]) for v in self.values(caps.MP) if len(v) == 4)
        return tuple(found) or (IPV4_UNICAST,)

    @property
    def addpath(self) -> dict[Family, int]:
        """RECEIVE, SEND or both for each family with path ids (RFC 7911 section 4); any other value is ignored."""
        tuples = (value[i : i + 4] for value in self.values(caps.ADDPATH) for i in range(0, len(value) - 3, 4))
        return {(int.from_bytes(t[:2]), t[2]): t[3] for t in tuples if t[3] in (RECEIVE, SEND, RECEIVE | SEND)}

    @property
    def unclear(self) -> Cause | None:
        """Why nobody beside the two speakers can know what they make of it, or None.

        No RFC says what a capability means that is there twice and differs, and speakers do not agree: some take the
        last value of ADD-PATH, some all of them; some take the lower bits of a value that RFC 7911 has them ignore.
        """
        as4 = set(self.values(caps.AS4))
        if any(len(value) != 4 for value in as4):
            return Cause(OPEN_ERROR, reason=ODD_AS4)
        if len(as4) > 1:
            return Cause(OPEN_ERROR, reason="AS4 capabilities with different AS numbers")
        ways: dict[bytes, int] = {}
        for value in self.values(caps.ADDPATH):
            if len(value) % 4:
                return Cause(OPEN_ERROR, reason="an ADD-PATH capability whose length is no multiple of four")
            for start in range(0, len(value), 4):
                family, way = value[start : start + 3], value[start + 3]
                name = family_name(int.from_bytes(family[:2]), family[2])
                if way > RECEIVE | SEND:
                    return Cause(OPEN_ERROR, reason=f"value {way} for {name} in the ADD-PATH capability")
                if ways.setdefault(family, way) != way:
                    return Cause(OPEN_ERROR, reason=f"two different values for {name} in ADD-PATH capabilities")
        return None

    @property
    def extended_nexthop(self) -> tuple[str, ...]:
        """Families with another next hop, as in JSON: "IPV4/UNICAST/IPV6" (RFC 8950 section 4)."""
        return tuple(
            name for value in self.values(caps.EXTENDED_NEXTHOP) for name in caps.parse_extended_nexthop(value) or ()
        )

    @property
    def roles(self) -> set[str | int | None]:
        """Each role it claims (RFC 9234); there is to be one."""
        return {caps.parse_role(value) for value in self.values(caps.ROLE)}

    def refusal(self, local: Offer, *, asn: int = -1, shortest_hold: int = 0) -> Cause | None:
        """Why the speaker that sends `local` cannot take this OPEN (RFC 4271 section 6.2), or None.

        asn: the AS number that the other side must have, -1 for any. shortest_hold: the least hold time in seconds that
        it may offer, 0 for any; no hold time at all is then too little as well.
        """
        if self.others:
            return Cause(OPEN_ERROR, BAD_PARAMETER, reason="an optional parameter other than capabilities")
        if any(len(value) != 4 for value in self.values(caps.AS4)):
            return Cause(OPEN_ERROR, reason=ODD_AS4)
        if self.my_as not in (AS_TRANS, self.asn):  # RFC 6793 section 4.1
            return Cause(OPEN_ERROR, BAD_PEER_AS, reason=f"AS {self.my_as}, but {self.asn} in its AS4 capability")
        if self.asn == 0 or asn not in (-1, self.asn):  # RFC 7607 section 2
            return Cause(OPEN_ERROR, BAD_PEER_AS, reason=f"AS {self.asn}{f', expected {asn}' if asn > 0 else ''}")
        # RFC 6286 section 2.2: not zero, and within one AS not our own
        if self.id == 0 or (self.id == local.id and self.asn == local.asn):
            return Cause(OPEN_ERROR, BAD_IDENTIFIER, reason=f"BGP identifier {address(self.id)}")
        if 0 < self.hold_time < SHORTEST_HOLD_S or self.hold_time < shortest_hold:
            return Cause(OPEN_ERROR, BAD_HOLD_TIME, reason=f"a hold time of {self.hold_time} s")
        if local.roles and self.roles and self.roles != {COUNTERPARTS.get(str(role)) for role in local.roles}:
            theirs, ours = (" and ".join(sorted(map(str, offer.roles))) for offer in (self, local))
            return Cause(OPEN_ERROR, ROLE_MISMATCH, reason=f"role {theirs}, ours is {ours}")
        return None


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both ends have agreed on, as the one that sent `local` sees it.

    hold_time: seconds, the lower of the two, 0 for no hold timer. families: names, in the order of `local`. send,
    receive: what decoding the messages depends on that `local` sends and receives. extended_nexthop: as in JSON,
    "IPV4/UNICAST/IPV6". graceful_restart: what `remote` says of it (RFC 4724), or None unless both offer it.
    role, remote_role: RFC 9234, None where there is none.
    """

    local: Offer
    remote: Offer
    hold_time: int
    families: tuple[str, ...]
    send: SessionContext
    receive: SessionContext
    extended_nexthop: tuple[str, ...]
    route_refresh: bool
    enhanced_route_refresh: bool
    graceful_restart: Any
    role: str | int | None
    remote_role: str | int | None

    @classmethod
    def of(cls, local: Offer, remote: Offer) -> Negotiated:
        """From the OPEN that was sent and the one that was received."""
        common = {code for code, _ in local.capabilities} & {code for code, _ in remote.capabilities}
        families = [family for family in local.families if family in remote.families]
        restarts = remote.values(caps.GRACEFUL_RESTART) if caps.GRACEFUL_RESTART in common else ()
        return cls(
            local=local,
            remote=remote,
            hold_time=min(local.hold_time, remote.hold_time),
            families=tuple(family_name(*family) for family in families),
            send=_context(local, remote),
            receive=_context(remote, local),
            extended_nexthop=tuple(name for name in local.extended_nexthop if name in remote.extended_nexthop),
            route_refresh=ROUTE_REFRESH in common,
            enhanced_route_refresh=ENHANCED_ROUTE_REFRESH in common,
            graceful_restart=next((caps.parse_graceful_restart(value) for value in restarts), None),
            role=next(iter(local.roles), None),
            remote_role=next(iter(remote.roles), None),
        )

    @property
    def internal(self) -> bool:
        """Whether both ends are of one AS."""
        return self.local.asn == self.remote.asn

    @property
    def capabilities(self) -> dict[str, Any]:
        """What has been agreed on, by name, in the form that an OPEN has in JSON.

        Of capabilities that are not settled by both ends (AS4, GRACEFUL_RESTART, ROLE, ...) it is what `remote` says.
        """
        theirs = caps.to_object(list(self.remote.capabilities))
        common = {caps.name(code) for code, _ in self.local.capabilities} & theirs.keys()
        sends, receives = self.send.addpath, self.receive.addpath
        settled: dict[str, Any] = {
            "MP": list(self.families),
            "ADDPATH": [
                f"{family}/{'BIDIR' if family in sends & receives else 'SEND' if family in sends else 'RECEIVE'}"
                for family in sorted(sends | receives)
            ],
            "EXTENDED_NEXTHOP": list(self.extended_nexthop),
        }
        agreed = {"MP": settled["MP"]} | {name: settled.get(name, theirs[name]) for name in theirs if name in common}
        return {name: value for name, value in agreed.items() if value != []}


def _context(sender: Offer, receiver: Offer) -> SessionContext:
    """What decoding the messages from `sender` to `receiver` depends on.

    AS numbers of four octets where both say so (RFC 6793 section 4.1). Path ids where one sends and the other receives
    them (RFC 7911 section 4). Extended messages where the receiver takes them, whatever the sender does (RFC 8654
    section 4).
    """
    takes = receiver.addpath
    return SessionContext(
        as_size=2 if sender.as4 is None or receiver.as4 is None else 4,
        addpath=[family for family, ways in sender.addpath.items() if ways & SEND and takes.get(family, 0) & RECEIVE],
        extended_messages=bool(receiver.values(caps.EXTENDED_MESSAGE)),
    )


def address(identifier: int) -> str:
    """A BGP identifier as text: "192.0.2.1"."""
    return ".".join(map(str, identifier.to_bytes(4)))
