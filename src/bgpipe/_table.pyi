"""Routes that sessions have announced, what they add up to, and limits on that."""

from typing import TypeAlias, final

from bgpipe._attributes import Prefix
from bgpipe._codec import Batch

Origin: TypeAlias = int | tuple[int, ...] | None
"""The last hop of an AS path: an AS number, the members of an AS_SET of several, None for an empty path."""

Hit: TypeAlias = tuple[str, Prefix, Origin, int]
"""A prefix that was taken out: the reason (one of REASONS), itself, its origin, how many counted there already."""

REASONS: tuple[str, ...]
"""Why a prefix is taken out, by bit number in `Limiter.wanted`: "short", "long", "session", "origin", "block"."""

@final
class RouteTable:
    """The routes of sessions, and how many there are by origin, block and session. len(table): routes.

    No locks: whoever shares one among threads holds one around each call of a Limiter.
    """

    def __len__(self) -> int: ...
    def routes(self) -> list[tuple[int, int, bytes, str, int, Prefix, list[object]]]:
        """All routes: (owner, peer AS, peer address as octets, direction, family index, prefix, origins)."""
    def totals(self) -> dict[tuple[str, object], int]:
        """All counts: {(what, key): routes}, what being "origin", "block" or "session".

        Keys: an AS number, ("set", a hash), or None for an empty path; (bits of an address, first 64 of them) of a
        block; a hash.
        """

@final
class Limiter:
    """The limits of one stage, over the routes of a table.

    owner: tells its sessions from those of other limiters of the table. families: bit mask of family indexes 0 to 3
    (IPv4 unicast, multicast, IPv6 unicast, multicast). min_length, max_length: of prefixes that pass. session, origin,
    block: how many routes there may be; 0: any. ipv4_block, ipv6_block: prefix lengths of blocks, up to 32 and 64.
    permanent: what counts, counts for ever. shared: sessions of the same peer under several owners have one limit.
    drop_unparsed: drop messages that do not parse. Raises ValueError.

    wanted: bit mask of reasons (`REASONS`) that run() stops for. found: what it stopped for.
    """

    wanted: int
    def __init__(
        self,
        table: RouteTable,
        *,
        owner: int = 0,
        families: int = 1,
        min_length: int = 0,
        max_length: int = 128,
        session: int = 0,
        origin: int = 0,
        block: int = 0,
        ipv4_block: int = 16,
        ipv6_block: int = 32,
        permanent: bool = False,
        shared: bool = False,
        drop_unparsed: bool = True,
    ) -> None: ...
    @property
    def table(self) -> RouteTable: ...
    @property
    def found(self) -> list[Hit]: ...
    @property
    def taken_out(self) -> dict[str, int]:
        """How many announced prefixes were taken out, for each reason that there was."""
    @property
    def withdrawals_taken_out(self) -> int:
        """How many prefixes were taken out that were withdrawn, and too short or too long."""
    def run(self, b: Batch, directions: int = 3, start: int = 0) -> int:
        """Look at the messages of these directions from index `start` on, changing and dropping them.

        Stops behind the first message that lost a prefix for a reason of `wanted`, and returns the index behind it;
        else the number of messages.
        """
    def forget(self) -> None:
        """Take the routes that came through this limiter out of the table: its sessions are over."""
