from collections.abc import Callable

from bgpipe._codec import Decoder
from bgpipe.errors import InputError

class JsonDecoder(Decoder):
    """JSON lines -> batches, one message a line.

    native: False leaves every line to the lenient reader in Python (for tests). fallbacks: lines that the
    native reader did not understand. Batch.error and what on_skip gets are JsonErrors: line number, byte
    offset, path, what was read and what was expected.
    """

    native: bool
    @property
    def fallbacks(self) -> int: ...
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
