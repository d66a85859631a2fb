"""Decompresses ordinary bzip2 blocks, a third faster than the library that Python comes with."""

from typing import final

@final
class Runs:
    """A block without its last step: what read() gives is expanded and checked on the way.

    eof: all of it has been read.
    """

    @property
    def eof(self) -> bool: ...
    def read(self, limit: int) -> bytes:
        """Up to `limit` bytes. OSError with the last ones if the checksum is not theirs."""

@final
class Decoder:
    """Decodes blocks, one after the other; holds the 3.6 MB that it takes."""

    def decode(self, data: bytes, first: int, bits: int) -> Runs | None:
        """The Runs of the block in these bits, from its magic to what is behind it; None if it is unusual or wrong."""
