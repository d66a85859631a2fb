"""What is wrong with an UPDATE, and what a speaker is to do about it (RFC 7606)."""

from typing import Final, NamedTuple

from bgpipe._codec import Batch
from bgpipe._view import Msg

ACTIONS: Final[tuple[str, ...]]
CLASSES: Final[dict[tuple[int | None, int], tuple[int, str]]]
"""The one table: (where, what) -> (index into ACTIONS, where that is said). None: all other attributes."""
FIELDS: Final[dict[int, str]]
WORDS: Final[dict[int, str]]

class Malformation(NamedTuple):
    """One thing that is wrong with an UPDATE."""

    field: str
    """Name of the attribute, or "withdrawn routes", "NLRI", "lengths", "message"."""
    problem: str
    """What is wrong, in words."""
    action: str
    """What a speaker does about it (RFC 7606 section 2): "session-reset", "treat-as-withdraw", "attribute-discard"."""
    offset: int
    """In the message, of the attribute's value; of what would come next, where something is missing."""
    source: str
    """Where that is said, such as "RFC 7606 section 7.1"."""

def malformations(msg: Msg) -> tuple[tuple[Malformation, ...], str]:
    """What is wrong with a message, the first 64 of it, and the strongest action; (), "" if nothing is."""

def tag_malformed(batch: Batch, directions: int) -> None:
    """Tag the messages of these directions (bit 0: R, bit 1: L) that have something wrong.

    error/action: the strongest action; error/fields: where, separated by commas.
    """
