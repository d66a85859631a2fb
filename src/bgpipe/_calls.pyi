"""Functions of users, called with the messages of a batch, and what comes of the batch then."""

from collections.abc import Callable, Iterable

from bgpipe._codec import Batch
from bgpipe._view import Msg

class Calls:
    """The messages of a batch that a function is called with, and what it makes of them.

    directions: bit 0: R, bit 1: L. types: as Decoder.types. matches: an octet a message; 0: it is not meant.
    of: says of a message that the function puts in whether it may be; one that may not is left out.
    batch: as it came. turned: messages that were returned and flow the other way.

    One by one: `next` and `settle` in turn, or `each`, which is the same without a wait. Or together: `chosen` and
    `replace`. A function passes a message that it returns, or returns True for; it drops it with None or False; several
    messages take the place of the one. What was returned without a number has that of the message whose place it takes.
    """

    batch: Batch
    turned: list[Msg]  # that flow the other way
    origins: list[int]  # of each of them: so many of the messages that Batch.came() counts had come then

    def __init__(
        self,
        batch: Batch,
        directions: int = 3,
        types: int = 0xFFFFFFFF,
        matches: bytes | None = None,
        of: Callable[[Msg], bool] | None = None,
    ) -> None: ...
    def each(self, function: Callable[[Msg], object], failed: Callable[[BaseException], bool]) -> None:
        """Call it with each of them. `failed` gets what it raises, and says whether to go on, or raises it."""
    def next(self) -> Msg | None:
        """The next one, or None."""
    def settle(self, result: object) -> None:
        """What a function returned for the message that next() gave.

        TypeError where it is nothing that can be put in its place.
        """
    def restore(self) -> None:
        """The message under way is again what it was before the call."""
    def drop(self) -> None:
        """Drop the message under way."""
    def chosen(self) -> Batch | None:
        """A batch of them; what happens to it is seen here when replace() is called. None: there are none."""
    def replace(self, result: object) -> None:
        """What a function returned for the batch that chosen() gave. TypeError as settle().

        Messages of that batch stay in their places among those that the function did not get, as far as their order
        allows; others go behind the one that they follow.
        """
    def drop_chosen(self) -> None:
        """Drop the messages that chosen() gave."""
    def place(self) -> tuple[Batch, int]:
        """(batch, index) of the message under way, or the first one chosen, in the batch that goes on."""
    def finish(self) -> Batch | None:
        """The batch that goes on in place of the one that came; None: the same does."""

def gather(messages: Iterable[Msg]) -> Batch:
    """A batch of messages from here and there: copies, without what kept them from being seen."""
