"""Counters of the stage metrics."""

from collections.abc import Iterable
from typing import Any

from bgpipe._codec import Buffer, Encoder

class CountEncoder(Encoder):
    """Batches -> counts: 2 x 256 of direction and type, then one for each program of a filter, all of 64 bits.

    Nothing for a batch without messages that are wanted.
    """

    def __init__(self, programs: Iterable[Any] = (), *, types: int = 0xFFFFFFFF, directions: str = "RL") -> None: ...

class Counters:
    """Totals of what CountEncoder makes. They may be read while another thread adds to them."""

    def __init__(self, rules: int = 0) -> None: ...
    def add(self, counts: Buffer) -> None:
        """Add what a CountEncoder for as many rules has put into a buffer."""
    def messages(self) -> dict[tuple[str, int], int]:
        """Messages by ("R" or "L", number of the type), those that there were."""
    def matches(self) -> tuple[int, ...]:
        """Messages that matched, a number for each rule."""
