from collections.abc import Callable

from bgpipe._lines import LineDecoder
from bgpipe.errors import InputError

class JsonDecoder(LineDecoder):
    """JSON lines -> batches, one message a line. Errors are JsonErrors, with the path in the line."""

    def __init__(
        self,
        *,
        direction: str = "R",
        pardon: bool = False,
        no_seq: bool = False,
        no_time: bool = False,
        no_tags: bool = False,
        types: int = 0xFFFFFFFF,
        block_size: int = 262144,
        on_skip: Callable[[InputError], object] | None = None,
    ) -> None: ...
