from collections.abc import Callable
from typing import final

from bgpipe._codec import Encoder
from bgpipe.errors import InputError

@final
class ExaEncoder(Encoder):
    """Batches -> ExaBGP's text, a line a prefix (docs/formats.md).

    What has no such form becomes a comment. unsaid: messages of which that is so, wholly or in part; on_skip is called
    with an InputError for each of them.
    """

    unsaid: int
    def __init__(
        self,
        *,
        types: int = 0xFFFFFFFF,
        directions: int = 3,
        on_skip: Callable[[InputError], object] | None = None,
    ) -> None: ...
