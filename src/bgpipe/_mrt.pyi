from typing import Unpack

from bgpipe._codec import Encoder, _DecoderOptions
from bgpipe._records import RecordDecoder

class MrtDecoder(RecordDecoder):
    """MRT records -> batches (RFC 6396, RFC 8050, and type 5 of the archives before 2001).

    BGP4MP and BGP4MP_ET messages point into the block that was read; they carry the tags PEER_AS, PEER_IP, LOCAL_AS,
    LOCAL_IP and INTERFACE, each left out where zero. Routes of RIBs become UPDATEs with PEER_AS and PEER_IP,
    neighbouring prefixes with equal attributes of one peer bundled. Times are ns, from seconds, of _ET records from
    microseconds.

    Errors are MrtErrors. `guess_asn`, `guess_addpath`: find out, for the messages of each peer, how long AS numbers
    are, and which prefixes carry path ids (RFC 7911), where BGP4MP records do not say so. Messages that are read
    otherwise than their records say have a tag AS_SIZE or ADDPATH.
    """

    @property
    def state_changes(self) -> int:
        """STATE_CHANGE records, which hold no message."""
    @property
    def unknown(self) -> int:
        """Records of types and subtypes that hold neither messages nor routes."""
    def __init__(
        self,
        *,
        recover: bool = False,
        guess_asn: bool = False,
        guess_addpath: bool = False,
        context: int = 0,
        **options: Unpack[_DecoderOptions],
    ) -> None: ...

class MrtEncoder(Encoder):
    """Batches -> BGP4MP_ET records of the subtype that fits each message (RFC 6396 section 4.5, RFC 8050 section 3).

    Skipped are UPDATEs that mix families with and without path ids.
    """
