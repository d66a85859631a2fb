from collections.abc import Callable
from typing import Unpack

from bgpipe._codec import Buffer, Encoder, _DecoderOptions
from bgpipe._records import RecordDecoder
from bgpipe.errors import InputError

class BmpDecoder(RecordDecoder):
    """BMP messages -> batches (RFC 7854, 8671, 9069), with `openbmp` each in an OpenBMP message (version 1.7).

    UPDATEs of Route Monitoring messages point into the block that was read; they carry the tags PEER_AS and PEER_IP, of
    OpenBMP also COLLECTOR and ROUTER, and with `peer_tags` PEER_ID, PEER_RD, PEER_TYPE and RIB. Times are ns, from
    microseconds. All other kinds are checked to their last octet and counted in `kinds`; with `everything`, OPENs of
    Peer Up, NOTIFICATIONs of Peer Down and what Route Mirroring holds become messages, too, those that the router sent
    as of a _LOCAL record. `guess_asn`, `guess_addpath`: find out, for the messages of each peer, how long AS numbers
    are, and which prefixes carry path ids (RFC 7911), where its messages and OPENs do not say so, or say otherwise.
    Messages that are read otherwise than declared have a tag AS_SIZE or ADDPATH. Without asking, and without a tag, an
    AS_PATH that does not parse with four octets, but does with two, is read so where the OPENs agreed on two.

    Errors are BmpErrors.
    """

    @property
    def kinds(self) -> dict[str, int]:
        """BMP messages of each kind: "route_monitoring", "peer_up" ...; "unknown" for all others."""
    @property
    def events(self) -> list[tuple[str, dict[str, str], str]]:
        """Those that take_events() will return."""
    @property
    def events_lost(self) -> int:
        """How many more there were than take_events() has room for."""
    def take_events(self) -> list[tuple[str, dict[str, str], str]]:
        """What happened to peers since it was asked last, the first 1,000 events: (name, tags, text).

        The name is "peer_up" or "peer_down", the tags are those that its messages get with `peer_tags`, the text is why
        it went down.
        """
    def __init__(
        self,
        *,
        openbmp: bool = False,
        peer_tags: bool = False,
        everything: bool = False,
        guess_asn: bool = False,
        guess_addpath: bool = False,
        context: int = 0,
        recover: bool = False,
        **options: Unpack[_DecoderOptions],
    ) -> None: ...

class BmpEncoder(Encoder):
    """Batches -> BMP messages, with `openbmp` each in an OpenBMP message.

    An UPDATE is a Route Monitoring message, a NOTIFICATION a Peer Down message; in front of the first message of each
    peer in a batch stands a Peer Up message, so that the bytes of each batch can be read by themselves. `Repeats` takes
    out what was said before.
    """

    def __init__(
        self,
        *,
        openbmp: bool = False,
        on_skip: Callable[[InputError], object] | None = None,
        types: int = 0xFFFFFFFF,
        directions: str = "RL",
    ) -> None: ...

class Repeats:
    """Takes Peer Up messages out of one stream of what BmpEncoders made that say what was said there before.

    It also puts an Initiation message in front of it all, where that is BMP by itself.
    """

    def __init__(self, *, openbmp: bool = False) -> None: ...
    def take_out(self, data: Buffer) -> None:
        """Change what is in `data`, the next part of the stream. BufferError: somebody looks at it."""
    def restart(self) -> None:
        """What follows is another stream, or some of this one was lost."""
