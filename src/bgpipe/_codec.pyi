"""The batch core: batches of messages and framing."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Protocol, TypedDict, Unpack

from bgpipe._view import Msg
from bgpipe.errors import InputError, MessageError, StageError

class Source(Protocol):
    """Where a decoder takes its bytes from."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the front of `buffer`; return how many bytes, 0 at the end."""

COMPILER: str
"""Name and version of the C compiler that this was built with."""

def keep_memory() -> None:
    """Have the process keep up to 16 MiB of freed memory: blocks and batches then cost fewer page faults."""

def type_mask(names: Iterable[int]) -> int:
    """Bit mask of message types for decoders and encoders: bit n for type n, bit 0 for all types that have no name."""

def json_string(text: str) -> bytes:
    """`text` as a JSON string in quotes: one line whatever it holds; control characters, lone surrogates escaped."""

class Buffer:
    """Bytes that grow. `memoryview(buffer)` shows them; while such a view lives, it cannot move or be cleared."""

    def __init__(self, capacity: int = 0) -> None: ...
    @property
    def messages(self) -> int:
        """How many of them encoders have put here since clear(); those that came with extend() and take() count."""
    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def clear(self) -> None:
        """Forget the bytes, keep the room. BufferError while a view is exported."""
    def take(self, room: int = 0) -> Buffer:
        """The bytes in a buffer of their own, which are not copied; this one is empty then, with room for so many."""
    def extend(self, more: bytes | bytearray | memoryview | Buffer) -> None:
        """Append bytes."""

class PeerTable:
    """Interns what the messages of one peer share: tags, their JSON, addresses."""

    def __len__(self) -> int: ...

class Batch:
    """A bundle of messages in order, with all that their bytes live in.

    len(batch): messages, dropped ones included.
    error: the InputError or StageError that ended the input behind these messages, or None.
    completion: called with the batch once all that came of it is written; or None.
    failed: messages found not to parse that failures() has not given yet.

    `with batch` goes around what works on it without the GIL: what another thread does with its messages waits until
    that is done.
    """

    error: InputError | StageError | None
    completion: Any

    @property
    def n(self) -> int: ...
    @property
    def failed(self) -> int: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Msg]:
        """Its messages in order, without those that were dropped."""
    def number(self, next_right: int, next_left: int) -> tuple[int, int]:
        """Give sequence numbers, counting per direction, to messages that have none; return the next ones."""
    def cut(self, k: int) -> None:
        """Forget the messages from index k on."""
    def cut_like(self, other: Batch, count: int) -> None:
        """Cut this batch where `other`, a batch that stages made of it, is cut by cut(count)."""
    def __enter__(self) -> Batch: ...
    def __exit__(self, *failure: object) -> None: ...
    def came(self, count: int) -> int:
        """How many of the first `count` messages came with the batch, and were put in by no stage on its way."""
    def part(self, start: int, stop: int) -> Batch:
        """The messages of index start up to stop, as a batch of its own; what is changed there is not changed here."""
    def visible(self, directions: int = 3) -> int:
        """How many messages of these directions (bit 0: R, bit 1: L) a stage that looks gets to see."""
    def find(self, interest: int, directions: int = 3) -> list[int]:
        """Indices of messages of these directions and this interest (bgp/watch.py), without dropped and hidden ones."""
    def behind(self, count: int, directions: int = 3) -> int:
        """The index behind the `count`th of the messages that visible() counts, or behind all where there are fewer."""
    def sample(self, count: int, directions: int = 3, *, drop: bool = False) -> None:
        """Leave `count` of the visible messages of these directions, any as likely as any other.

        The others pass the stage by that has the batch, or (drop) are gone.
        """
    def take_off(self, types: int = 0xFFFFFFFF, directions: int = 3) -> int:
        """Drop the visible messages of these directions and types (`type_mask`), and return how many there were."""
    def hide_outside(self, start: int, stop: int) -> None:
        """Let messages in front of index `start`, and those from `stop` on, pass the stage by that has the batch."""
    def reveal(self) -> None:
        """The stage is done with the batch that messages were hidden from."""
    def count(self, direction: str = "") -> int:
        """Messages that are not dropped, of direction "R", "L" or (by default) both."""
    def check(self) -> int:
        """Check all messages that nobody has looked at; return how many of the batch do not parse."""
    def failures(self) -> list[tuple[int, MessageError]]:
        """Messages found not to parse and not given before: a list of (index, MessageError)."""
    def wire(self, index: int) -> bytes:
        """The bytes of message `index`, header included. IndexError."""

class _DecoderOptions(TypedDict, total=False):
    """What all decoders take: see Decoder."""

    direction: str
    pardon: bool
    no_seq: bool
    no_time: bool
    no_tags: bool
    types: int
    block_size: int
    on_skip: Callable[[InputError], object] | None

class Decoder:
    """Bytes -> batches.

    direction: "R" or "L", of messages whose input does not say. types: bit mask of wanted message types (`type_mask`).
    pardon: skip what does not parse instead of ending there. on_skip: called with an InputError for each thing skipped.
    no_seq, no_time, no_tags: take new sequence numbers, the time now, no tags. block_size: bytes read at a time.
    """

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
    types: int
    pardon: bool
    no_seq: bool
    no_time: bool
    no_tags: bool
    on_skip: Callable[[InputError], object] | None
    @property
    def offset(self) -> int:
        """Of the next byte to decode, in the decompressed stream."""
    @property
    def records(self) -> int:
        """Records, lines or messages seen."""
    @property
    def skipped(self) -> int:
        """Of them, skipped as damaged."""
    def read(self, source: Source) -> Batch | None:
        """The next batch, or None at the end. Blocks as long as the source does."""
    @property
    def paused(self) -> bool:
        """Whether the last batch ended in front of more that is there already."""
    def feed(self, data: bytes | bytearray | memoryview, eof: bool = False) -> Batch:
        """In place of read(), for bytes that come by themselves: the batch of what is whole now, which may be empty.

        eof: nothing comes behind them. While `paused` is true, there is more of it: feed(b"") goes on. Behind an
        `error` of a batch, nothing more is decoded.
        """
    def rest(self, most: int) -> bytes:
        """The first octets, at most so many, of those that came and are not decoded."""
    def flush(self) -> Batch | None:
        """For who stops reading before the end: what is held back (routes of a RIB), or None. No more is read then."""

class Encoder:
    """Batches -> bytes. types: bit mask of the message types to take (`type_mask`). directions: "R", "L" or "RL".

    accepted: whether to take messages that are past all other stages (an ACTION tag of their input said so). on_skip:
    called with an InputError for each message that the format cannot say.

    part: octets behind which a format stops in which few octets can make any amount of text; 0 for never. The batch is
    `unfinished` then, and go_on() has the next part of it. divides: whether the format is one that does so.
    """

    divides: ClassVar[bool]

    def __init__(
        self,
        *,
        types: int = 0xFFFFFFFF,
        directions: str = "RL",
        on_skip: Callable[[InputError], object] | None = None,
    ) -> None: ...
    types: int
    directions: int
    accepted: bool
    part: int
    on_skip: Callable[[InputError], object] | None
    @property
    def skipped(self) -> int:
        """Messages that the format cannot say; they are left out, or said in part."""
    @property
    def written(self) -> int:
        """Messages encoded."""
    @property
    def unfinished(self) -> bool:
        """Whether there is more of the batch that was encoded last."""
    def encode(self, b: Batch, out: Buffer) -> int:
        """Append the messages of `b` that are wanted and not dropped to `out`; return 0."""
    def go_on(self, b: Batch, out: Buffer) -> int:
        """Append the next part of a batch that is `unfinished`, the same one as encode() was given; return 0."""

class RawDecoder(Decoder):
    """BGP messages back to back, as on a TCP connection (RFC 4271 section 4.1). They get the time now.

    as_size: 2 or 4, octets of an AS number. addpath: prefixes of all families carry path ids. context: more bits of
    a session context (ctx_t of _codec.pxd).
    ctx: that of the messages to come. cut: behind each message of this interest (bgp/watch.py) a batch ends.
    longest: octets of a message at most; a longer one is damage, before the rest of it comes.
    """

    ctx: int
    cut: int
    longest: int
    def come_from(self, tags: dict[str, str], shown: bool) -> None:
        """Whose messages follow: PEER_AS, PEER_IP, LOCAL_AS, LOCAL_IP, as tags; not `shown`, for MRT alone."""
    def __init__(
        self,
        *,
        as_size: int = 4,
        addpath: bool = False,
        context: int = 0,
        **options: Unpack[_DecoderOptions],
    ) -> None: ...

class RawEncoder(Encoder):
    """Batches -> BGP messages back to back, the very bytes that came where nothing edited them."""
