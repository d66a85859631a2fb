"""Programs of filters, run over batches. bgpipe.Filter is the face that people use."""

from collections.abc import Callable
from typing import Any, Final

from bgpipe._codec import Batch
from bgpipe._prefixset import PrefixSet
from bgpipe._view import Msg

ACCEPT: Final[int]
REJECT: Final[int]

class Program:
    """A list of tests of a message, and where to go from each. Once begin() was called, any thread may run it."""

    def add(
        self,
        code: str,
        yes: int,
        no: int,
        *,
        how: str = "",
        which: int = 0,
        invert: bool = False,
        all: bool = False,  # noqa: A002
        index: int = 0,
        function: PrefixSet | Callable[[Any], object] | None = None,
        network: tuple[int, bytes, int] | None = None,
        low: int = 0,
        high: int = 0,
        shortest: int = 0,
        longest: int = 128,
        items: bytes | None = None,
        width: int = 0,
    ) -> int:
        """Add a test; return its number.

        yes, no: the number of the test to go on with, ACCEPT or REJECT. code, how: what is compared with what, and how.
        network: family, octets, length. items: octets, `width` each, sorted. function: a PrefixSet, or what answers
        an "ask" test: octets (ask message: Msg) -> whether it holds, None where there is no such value.
        """
    def begin(self, update: int, other: int) -> None:
        """Where to begin with an UPDATE, and with other messages: the number of a test, ACCEPT or REJECT."""
    def matches(self, b: Batch) -> bytes:
        """One octet a message: 1 where it matches, else 0."""
    def match(self, msg: Msg) -> bool:
        """Whether a message matches."""
    def hide(self, b: Batch, directions: int) -> None:
        """Hide what does not match from the stage that has the batch now. directions: bit 0: R, bit 1: L."""
    def verdicts(self, b: Batch, directions: int) -> bytes:
        """One octet a message: 1 where it matches, 0 where it does not, 2 where it is not looked at.

        directions: bit 0: R, bit 1: L.
        """
    def keep(self, b: Batch, directions: int, invert: bool = False, unparsed: bool | None = None) -> bytes:
        """Drop what does not match; with invert, what does. Returns what verdicts() does, of before.

        unparsed: whether to drop what does not parse; None: as what does not match.
        """
