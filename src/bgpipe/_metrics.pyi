"""Counters of the stage metrics."""

from bgpipe._codec import Batch

class Counters:
    """Messages by direction and type, and those that match rules. Several threads may add at once."""

    def __init__(self, rules: int = 0) -> None: ...
    def add(self, batch: Batch, directions: int, matches: list[bytes]) -> None:
        """Count the messages of these directions that a stage gets to see.

        directions: bit 0: R, bit 1: L. matches: for each rule an octet a message.
        """
    def messages(self) -> dict[tuple[str, int], int]:
        """Messages by ("R" or "L", number of the type), those that there were."""
    def matches(self) -> tuple[int, ...]:
        """Messages that matched, a number for each rule."""
