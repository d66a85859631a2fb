"""Where messages end in the bytes of a format: for transports that carry them in frames."""

from bgpipe._codec import Buffer

def frames(data: Buffer, form: str, most: int) -> list[tuple[bytes, int]]:
    """What an encoder of this format (formats.WRITTEN) has put into `data`, in frames: (bytes, messages in it) of each.

    There is one message in each, or as many as take up no more than `most` octets: 0 for one always. JSON goes without
    the last newline.
    """

def whole(data: bytes, form: str) -> int:
    """How many octets at the front of `data` are whole messages; for JSON all, since the end of a frame ends a line."""
