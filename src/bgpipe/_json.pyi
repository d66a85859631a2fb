"""Wire -> JSON, in one pass a batch without the GIL (docs/json.md)."""

from bgpipe._codec import Batch, Buffer, Encoder

class JsonEncoder(Encoder):
    """Batches -> JSON, one message a line (docs/json.md)."""

    def encode(self, b: Batch, out: Buffer) -> int:
        """Append the messages of `b` that are wanted and not dropped to `out`, a line each; return 0.

        Messages that do not parse go as hex and are counted in `b.failed`.
        """

def attribute_text(code: int, value: bytes | bytearray | memoryview, as_size: int = 4) -> str | None:
    """The JSON of an attribute's value, without what stands beside it; None if it has no typed form.

    as_size: octets of an AS number in AS_PATH and AGGREGATOR, 2 or 4.
    """
