"""Messages as Python sees them."""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from datetime import datetime as _datetime
from typing import final

from bgpipe._codec import Batch
from bgpipe._malformed import Malformation
from bgpipe._update import Update
from bgpipe.bgp.messages import Notification, Open, RouteRefresh
from bgpipe.errors import MessageError

@final
class SessionContext:
    """What decoding a message depends on. Immutable, hashable.

    as_size: octets of an AS number, 4 (RFC 6793) or 2. addpath: families whose prefixes carry path ids (RFC 7911), as
    "IPV6/UNICAST" or (AFI, SAFI). extended_messages: up to 65535 octets (RFC 8654). FieldError.
    """

    def __init__(
        self, *, as_size: int = 4, addpath: Iterable[str | tuple[int, int]] = (), extended_messages: bool = False
    ) -> None: ...
    @property
    def as_size(self) -> int:
        """Octets of an AS number: 4 or 2."""
    @property
    def addpath(self) -> frozenset[str]:
        """Names of the families whose prefixes carry path ids."""
    @property
    def extended_messages(self) -> bool:
        """Messages may have 65535 octets, not 4096."""
    def __int__(self) -> int:
        """As one value: ctx_t of _codec.pxd."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...

@final
class Msg:
    """One BGP message: a view of a message of a batch.

    It keeps its batch alive, with every byte that the batch was cut from: `copy` a message that is to stay. Changes are
    the batch's, too, and every other view of the message sees them.

    wire: all octets, the header of 19 included; MessageError where the header's length says otherwise.
    direction: "R" or "L". time: ns since 1970 (UTC), now if not given. seq: number in its direction, 0 for none yet.
    tags: text by name. context: what its decoding depends on.
    """

    batch: Batch
    index: int
    seq: int
    time: int
    def __init__(
        self,
        wire: bytes,
        *,
        direction: str = "R",
        time: int | None = None,
        seq: int = 0,
        tags: Mapping[str, str] | None = None,
        context: SessionContext | None = None,
    ) -> None: ...
    @staticmethod
    def make(
        kind: str | int,
        body: bytes = b"",
        *,
        direction: str = "R",
        time: int | None = None,
        seq: int = 0,
        tags: Mapping[str, str] | None = None,
        context: SessionContext | None = None,
    ) -> Msg:
        """A new message of a type (name or number) with the octets behind the header: Msg.make("KEEPALIVE").

        FieldError; MessageError above 65535 octets.
        """
    @staticmethod
    def from_json(line: str | bytes) -> Msg:
        """The message of one line of JSON. JsonError with the path of what is wrong."""
    def to_json(self) -> str:
        """The JSON form, one line without its end."""
    def copy(self) -> Msg:
        """The same message in a batch of its own, so that the one it came in can go."""
    @property
    def dir(self) -> str:
        """ "R" or "L": the direction it travels in."""
    @property
    def datetime(self) -> _datetime:
        """When it came, in UTC, cut to microseconds."""
    @property
    def type(self) -> str:
        """Name of the message type: OPEN, UPDATE, NOTIFY, KEEPALIVE, REFRESH; digits where it has none."""
    @property
    def type_code(self) -> int:
        """Number of the message type (RFC 4271 section 4.1)."""
    @property
    def wire(self) -> bytes:
        """All octets, those of the header too."""
    @property
    def body(self) -> bytes:
        """The octets behind the header. Assigning puts others in their place; MessageError if they are too many."""
    @body.setter
    def body(self, value: bytes) -> None: ...
    @property
    def context(self) -> SessionContext:
        """What its decoding depends on."""
    @property
    def edited(self) -> bool:
        """Whether its octets are others than those that came."""
    @property
    def dropped(self) -> bool:
        """Whether it is out of the pipeline: no stage and no output sees it any more."""
    @dropped.setter
    def dropped(self, value: bool) -> None: ...
    @property
    def tags(self) -> Tags:
        """Its tags: text by name, to read and to change. Assigning a mapping replaces all of them."""
    @tags.setter
    def tags(self, value: Mapping[str, str]) -> None: ...
    @property
    def error(self) -> MessageError | None:
        """Why it does not parse (RFC 4271 section 6), or None if it does."""
    @property
    def errors(self) -> tuple[Malformation, ...]:
        """All that is wrong with an UPDATE, and what a speaker does about each (RFC 7606); () for nearly all.

        What parses can have errors, too: flags that are not those of the attribute's type, what is missing or there
        twice. Errors of routes and lengths are "session-reset".
        """
    @property
    def error_action(self) -> str:
        """What a speaker does about all its errors (RFC 7606 section 3 h), the strongest: "session-reset",
        "treat-as-withdraw", "attribute-discard", or ""."""
    @property
    def update(self) -> Update | None:
        """The message as an UPDATE, or None if it is none."""
    @property
    def open(self) -> Open | None:
        """The message as an OPEN, or None if it is none."""
    @property
    def notification(self) -> Notification | None:
        """The message as a NOTIFICATION, or None if it is none."""
    @property
    def refresh(self) -> RouteRefresh | None:
        """The message as a ROUTE-REFRESH, or None if it is none."""

class Tags(MutableMapping[str, str]):
    """Tags of one message, text by name: those of its peer and its own.

    A change is the message's alone: its own tags stand in front of those that it shares with the other messages of its
    peer. FieldError for what is no text, or too long (65534 octets of UTF-8).
    """

    def __init__(self, msg: Msg) -> None: ...
    def __getitem__(self, key: str) -> str: ...
    def __setitem__(self, key: str, value: str) -> None: ...
    def __delitem__(self, key: str) -> None: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...

def messages(batch: Batch, *, dropped: bool = False) -> Iterator[Msg]:
    """The messages of a batch in order; dropped: those that were dropped, too."""

def message_at(batch: Batch, index: int) -> Msg:
    """Message `index` of a batch, dropped or not. IndexError."""

def collect(messages: Iterable[Msg]) -> Batch:
    """A new batch with a copy of each message, in this order. It shares the peers, nothing else."""
