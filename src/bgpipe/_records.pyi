from typing import Unpack

from bgpipe._codec import Decoder, _DecoderOptions

class RecordDecoder(Decoder):
    """Records -> batches: what decoders of MRT and BMP have in common.

    Damage ends the input with a RecordError in `Batch.error` that names the record's number and its offset in the
    decompressed stream, behind all messages before it. With `pardon` a damaged record whose length is possible is
    skipped; with `recover` the next plausible record is searched, and what was passed over is reported to `on_skip` and
    in `lost`.

    `guess_asn`, `guess_addpath`: what records do not say of a peer is found out; tags AS_SIZE and ADDPATH tell of it.
    """

    recover: bool
    guess_asn: bool
    guess_addpath: bool
    @property
    def lost(self) -> list[tuple[int, int]]:
        """Byte ranges (start, end) that `recover` passed over, the first 1,000 of them."""
    @property
    def lost_bytes(self) -> int:
        """Bytes in all ranges that `recover` passed over."""
    def __init__(
        self,
        *,
        recover: bool = False,
        guess_asn: bool = False,
        guess_addpath: bool = False,
        **options: Unpack[_DecoderOptions],
    ) -> None: ...
