"""Route distinguishers (RFC 4364 section 4.2): eight octets, and their text."""

from __future__ import annotations

SIZE = 8


def to_text(octets: bytes) -> str:
    """ "65000:1", "192.0.2.1:1", "70000:1" by type, "2:65000:1" for an AS number of type 2 below 65536; else "0x..".

    from_text() makes the same octets of it.
    """
    kind, value = int.from_bytes(octets[:2]), octets[2:]
    if kind == 0:
        return f"{int.from_bytes(value[:2])}:{int.from_bytes(value[2:])}"
    if kind == 1:
        return f"{'.'.join(map(str, value[:4]))}:{int.from_bytes(value[4:])}"
    if kind == 2:
        asn = int.from_bytes(value[:4])
        return f"{'2:' if asn < 1 << 16 else ''}{asn}:{int.from_bytes(value[4:])}"
    return f"0x{octets.hex()}"


def from_text(text: str) -> bytes | None:
    """The octets of such a text, None where it is none."""
    try:
        if text.startswith("0x"):
            octets = bytes.fromhex(text[2:])
            return octets if len(octets) == SIZE else None
        *head, number = text.split(":")
        if len(head) == 2 and head[0] == "2":
            return b"\0\2" + int(head[1]).to_bytes(4) + int(number).to_bytes(2)
        (administrator,) = head
        if "." in administrator:
            first, second, third, fourth = administrator.split(".")
            return b"\0\1" + bytes(map(int, (first, second, third, fourth))) + int(number).to_bytes(2)
        if int(administrator) < 1 << 16:
            return b"\0\0" + int(administrator).to_bytes(2) + int(number).to_bytes(4)
        return b"\0\2" + int(administrator).to_bytes(4) + int(number).to_bytes(2)
    except (ValueError, OverflowError):
        return None
