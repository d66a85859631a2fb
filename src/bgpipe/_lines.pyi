from bgpipe._codec import Decoder

class LineDecoder(Decoder):
    """What the readers of formats of lines share: a native one for usual lines, one in Python for all others.

    native: False leaves every line to the one in Python (for tests). fallbacks: lines that the native one did not
    understand. Batch.error and what on_skip gets say line number, byte offset, what was read and what was expected.
    """

    native: bool
    @property
    def fallbacks(self) -> int: ...
