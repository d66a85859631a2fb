"""What is found out about a session, as typed values. `name` is that of the pipeline's event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from bgpipe.bgp.causes import Cause
from bgpipe.bgp.negotiation import Negotiated, Offer


@dataclass(frozen=True, slots=True)
class Opened:
    """The OPEN of a direction ("L" or "R")."""

    name: ClassVar[str] = "OPEN"
    direction: str
    offer: Offer


@dataclass(frozen=True, slots=True)
class Alive:
    """The first KEEPALIVE of a direction: its sender has accepted the other side's OPEN."""

    name: ClassVar[str] = "ALIVE"
    direction: str


@dataclass(frozen=True, slots=True)
class Updated:
    """The first UPDATE of a direction."""

    name: ClassVar[str] = "UPDATE"
    direction: str


@dataclass(frozen=True, slots=True)
class Established:
    """OPEN and KEEPALIVE have gone both ways."""

    name: ClassVar[str] = "ESTABLISHED"
    negotiated: Negotiated


@dataclass(frozen=True, slots=True)
class EndOfRib:
    """The first End-of-RIB of a family in a direction (RFC 4724 section 2)."""

    name: ClassVar[str] = "EOR_AF"
    direction: str
    family: str


@dataclass(frozen=True, slots=True)
class EndOfRibs:
    """The End-of-RIB of each family that was agreed on has come in a direction."""

    name: ClassVar[str] = "EOR"
    direction: str
    families: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """A session of our own is over.

    by: whose NOTIFICATION `cause` is; "connection" where that just went away, without one.
    """

    by: Literal["us", "peer", "connection"]
    cause: Cause | None


Seen = Opened | Alive | Updated | Established | EndOfRib | EndOfRibs
