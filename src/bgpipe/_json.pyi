"""Wire -> JSON, in one pass a batch without the GIL (docs/json.md)."""

from bgpipe._codec import Batch, Buffer, Encoder

class JsonEncoder(Encoder):
    """Batches -> JSON, one message a line (docs/json.md)."""

    def encode(self, b: Batch, out: Buffer) -> int:
        """Append the messages of `b` that are wanted and not dropped to `out`, a line each; return 0.

        Messages that do not parse go as hex and are counted in `b.failed`.
        """

def attribute_text(code: int, value: bytes, context: int = 0) -> str | None:
    """The JSON of the value of an attribute that Python has no type of its own for; None if it has no typed form.

    context: int() of the message's SessionContext.
    """
