"""Tags of whole batches."""

from collections.abc import Iterable, Mapping

from bgpipe._codec import Batch

class Tagger:
    """What is to become of tags: first those named by `drop` go, all of them for "*", then those of `add` are set.

    InputError for tags that are too long. It may be used by several threads.
    """

    def __init__(self, add: Mapping[str, str], drop: Iterable[str]) -> None: ...
    def apply(self, batch: Batch, directions: int) -> None:
        """Change the tags of the messages of these directions (bit 0: R, bit 1: L) that a stage gets to see."""
