from bgpipe._codec import Encoder

class BgpdumpEncoder(Encoder):
    """Batches -> the lines of `bgpdump -m`: one a prefix that an UPDATE announces or withdraws (docs/formats.md).

    Routes of a RIB say TABLE_DUMP2 or TABLE_DUMP and B, all others BGP4MP and A or W, with `_ET` where the time has
    microseconds, `_LOCAL` for what came from a record of that kind, and `_AP` where prefixes have path ids. Families
    other than IPv4 and IPv6 unicast and multicast have no lines, nor have messages of other types, nor those whose
    prefixes do not parse. `Buffer.messages` counts lines. Skipped are UPDATEs whose lines would take more than 8 MiB.
    """
