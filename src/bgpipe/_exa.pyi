from typing import final

from bgpipe._codec import Encoder

@final
class ExaEncoder(Encoder):
    """Batches -> ExaBGP's text, a line a prefix (docs/formats.md).

    What has no such form, wholly or in part, becomes a comment, and counts as skipped.
    """
