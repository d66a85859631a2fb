"""Where records end, in bytes that bgpipe wrote itself: enough to cut a file that was broken off.

Where a machine went down, or a disk was full, file systems may leave zeros in place of what did not get there.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # How many octets of the data are whole records, from its start, and how many records these are.
    Whole = Callable[[bytes], tuple[int, int]]

_MRT_HEADER = 12  # RFC 6396 section 2; its last four octets are the length of what follows
_BMP_HEADER = 6  # RFC 7854 section 4.1: version, length of it all, type
_OBMP_HEADER = 12  # its own length is in octets 6 and 7, that of what follows in the last four
_MESSAGES = (0, 2)  # BMP types that a message becomes: Route Monitoring and Peer Down
_BGP_HEADER = 19  # RFC 4271 section 4.1; the length, of all of it, is in octets 16 and 17


def counts(form: str) -> bool:
    """Whether a record is a message; in other formats several records may be of one message."""
    return form in ("json", "mrt", "raw")


def whole(form: str) -> Whole:
    """What counts the records of this format. It stops at what cannot be one."""
    lines = dict.fromkeys(("json", "exa", "bgpdump"), _lines)
    return {"mrt": _mrt, "raw": _raw, "bmp": _bmp, "obmp": _obmp, **lines}[form]


def _lines(data: bytes) -> tuple[int, int]:
    hole = data.find(b"\0")
    end = data.rfind(b"\n", 0, hole if hole >= 0 else len(data)) + 1
    return end, data.count(b"\n", 0, end)


def _mrt(data: bytes) -> tuple[int, int]:
    place = count = 0
    while place + _MRT_HEADER <= len(data):
        size = int.from_bytes(data[place + 8 : place + 12], "big")
        if not size or place + _MRT_HEADER + size > len(data):
            break
        place += _MRT_HEADER + size
        count += 1
    return place, count


def _raw(data: bytes) -> tuple[int, int]:
    place = count = 0
    while place + _BGP_HEADER <= len(data):
        size = int.from_bytes(data[place + 16 : place + 18], "big")
        if size < _BGP_HEADER or place + size > len(data):
            break
        place += size
        count += 1
    return place, count


def _bmp(data: bytes) -> tuple[int, int]:
    at = place = count = 0
    while at + _BMP_HEADER <= len(data):
        size = int.from_bytes(data[at + 1 : at + 5], "big")
        if size < _BMP_HEADER or at + size > len(data):
            break
        at += size
        if data[at - size + 5] in _MESSAGES:  # what stands in front of one is nothing without it
            place = at
            count += 1
    return place, count


def _obmp(data: bytes) -> tuple[int, int]:
    at = place = count = 0
    while at + _OBMP_HEADER <= len(data):
        head = int.from_bytes(data[at + 6 : at + 8], "big")
        behind = at + head + int.from_bytes(data[at + 8 : at + 12], "big")
        if head < _OBMP_HEADER or behind > len(data):
            break
        messages = _bmp(data[at + head : behind])[1]
        at = behind
        if messages:
            place = at
            count += messages
    return place, count
