"""Edits of UPDATEs on the wire."""

from collections.abc import Collection, Iterable, Mapping

from bgpipe._codec import Batch

class Editor:
    """What is to become of UPDATEs that announce something. It may be used by several threads.

    hop4, hop6: next hops of IPv4 and IPv6 unicast and multicast prefixes for the messages of direction R and L: 4 and
    16 octets, 32 with a link-local address behind (RFC 2545 section 3); none for b"".
    add, drop: octets of communities by attribute code (8, 16, 32); to drop None means all of them. Dropping beats
    adding. prepend: AS numbers to put in front of AS_PATH, 255 at most. drop_attrs: codes of attributes to leave out,
    though neither MP_REACH nor MP_UNREACH. ValueError.
    """

    def __init__(
        self,
        *,
        hop4: tuple[bytes, bytes] = (b"", b""),
        hop6: tuple[bytes, bytes] = (b"", b""),
        add: Mapping[int, bytes] | None = None,
        drop: Mapping[int, bytes | None] | None = None,
        med: int | None = None,
        local_pref: int | None = None,
        prepend: Collection[int] = (),
        drop_attrs: Iterable[int] = (),
    ) -> None: ...
    def edit(self, b: Batch, directions: int, *, keep_bad: bool = False) -> tuple[Batch, list[int]]:
        """Edit the messages of these directions (bit 0: R, bit 1: L) that a stage gets to see.

        Those that do not parse are dropped, unless keep_bad. One that gets longer than it may be is divided by its
        prefixes. Returns the batch that goes on, another one where messages were divided; and the indices, in that
        one, of messages with prefixes that do not fit into any together with their attributes, and are left out.
        """
