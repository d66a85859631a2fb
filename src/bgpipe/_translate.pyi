"""Messages for a peer, in the context of its session."""

from collections.abc import Callable

from bgpipe._codec import RawEncoder
from bgpipe.errors import InputError

class PeerEncoder(RawEncoder):
    """Batches -> BGP messages for one peer, as it has agreed to take them; those that it takes as they are, unchanged.

    context: what it takes, as the number of a SessionContext; None while nothing is agreed on, for no change at all.
    UPDATEs of another AS size or with other path ids are encoded anew (RFC 6793 section 4.2, RFC 7911): a path id that
    is to be there and is not becomes 0. Those that are too long are divided by their prefixes; what does not fit with
    its attributes is withdrawn (RFC 8654 section 4). What cannot be had in this context is left out.
    Such messages, and those of which prefixes are withdrawn, are `skipped`.
    """

    def __init__(
        self,
        context: int | None = None,
        *,
        types: int = 0xFFFFFFFF,
        directions: str = "RL",
        on_skip: Callable[[InputError], object] | None = None,
    ) -> None: ...
    context: int | None
