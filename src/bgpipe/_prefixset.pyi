"""Sets of prefixes: what `prefix in file(...)` looks them up in."""

class PrefixSet:
    """Prefixes to look up, 12 to 14 octets an IPv4 prefix, 35 to 37 an IPv6 prefix.

    text: one a line; blank lines and what stands behind # do not count, nor do bits behind the length; an address
    without a length stands for itself alone. ValueError(line number) for what is no prefix.
    """

    def __init__(self, text: bytes) -> None: ...
    def __len__(self) -> int: ...
    def __sizeof__(self) -> int: ...
