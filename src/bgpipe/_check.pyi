"""Whether messages parse."""

def family_index(afi: int, safi: int) -> int:
    """Index of an address family in a session context (see _message.pxd)."""
