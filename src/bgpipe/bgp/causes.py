"""Why a session ends: the NOTIFICATION for each error (RFC 4271 section 6), its data octets included.

Codes and subcodes are those of `bgpipe.names.NOTIFICATIONS`.
"""

from __future__ import annotations

from dataclasses import dataclass

from bgpipe.bgp import notifications
from bgpipe.bgp.notifications import ADMIN_SHUTDOWN, CEASE, encode_text
from bgpipe.errors import MessageError

MARKER = b"\xff" * 16
HEADER_SIZE = 19
LONGEST = 4096
LONGEST_EXTENDED = 65535  # RFC 8654

OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5
SHORTEST = {OPEN: 29, UPDATE: 23, NOTIFICATION: 21, KEEPALIVE: 19, ROUTE_REFRESH: 19}

HEADER_ERROR = 1
NOT_SYNCHRONIZED, BAD_LENGTH, BAD_TYPE = 1, 2, 3
OPEN_ERROR = 2
BAD_VERSION, BAD_PEER_AS, BAD_IDENTIFIER, BAD_PARAMETER = 1, 2, 3, 4
BAD_HOLD_TIME, ROLE_MISMATCH = 6, 11  # RFC 9234 section 4.2
UPDATE_ERROR = 3
HOLD_TIMER_EXPIRED = 4
FSM_ERROR = 5
ROUTE_REFRESH_ERROR = 7
SEND_HOLD_TIMER_EXPIRED = 8  # RFC 9687 section 3.3

# Subcodes of UPDATE errors whose data is the attribute: its flags, length, optional, ORIGIN, next hop (section 6.3).
WITH_ATTRIBUTE = frozenset((4, 5, 6, 8, 9))
# Where one of these does not parse, nobody can tell which routes are meant (RFC 7606 sections 3 and 5.3).
ROUTE_FIELDS = frozenset(
    ("withdrawn routes length", "total path attribute length", "withdrawn routes", "NLRI", "MP_REACH", "MP_UNREACH")
)


def message(kind: int, body: bytes = b"") -> bytes:
    """A whole message with its header (RFC 4271 section 4.1)."""
    return MARKER + (HEADER_SIZE + len(body)).to_bytes(2) + bytes((kind,)) + body


KEEPALIVE_MESSAGE = message(KEEPALIVE)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a session ends, as its NOTIFICATION says it.

    code, subcode, data: RFC 4271 section 4.5. reason: for logs, in words; it is not sent.
    """

    code: int
    subcode: int = 0
    data: bytes = b""
    reason: str = ""

    @classmethod
    def parse(cls, body: bytes) -> Cause | None:
        """What the body of a NOTIFICATION says; None if it is too short for one."""
        if len(body) < 2:
            return None
        code, subcode, data = body[0], body[1], body[2:]
        return cls(code, subcode, data, notifications.describe(code, subcode, data))

    @property
    def name(self) -> str:
        """Code and subcode by name, such as "CEASE/ADMIN_SHUTDOWN"."""
        return notifications.name(self.code, self.subcode)

    @property
    def wire(self) -> bytes:
        """The NOTIFICATION message. Data that does not fit 4096 octets is cut: RFC 8654 may not have been agreed on."""
        return message(NOTIFICATION, (bytes((self.code, self.subcode)) + self.data)[: LONGEST - HEADER_SIZE])

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}" if self.reason else self.name


def header_error(header: bytes, *, extended: bool = False) -> Cause | None:
    """What is wrong with the 19 octets that a message starts with (RFC 4271 section 6.1), or None.

    extended: messages may have 65535 octets; OPEN and KEEPALIVE never have more than 4096 (RFC 8654 section 4).
    """
    if header[:16] != MARKER:
        return Cause(HEADER_ERROR, NOT_SYNCHRONIZED, reason="the marker is not all ones")
    length = int.from_bytes(header[16:18])
    kind = int.from_bytes(header[18:19])
    longest = LONGEST_EXTENDED if extended and kind != OPEN else LONGEST
    if kind == KEEPALIVE:
        longest = HEADER_SIZE
    if not SHORTEST.get(kind, HEADER_SIZE) <= length <= longest:
        return Cause(HEADER_ERROR, BAD_LENGTH, header[16:18], f"a message of type {kind} with {length} octets")
    if kind not in SHORTEST:
        return Cause(HEADER_ERROR, BAD_TYPE, header[18:19], f"no message has type {kind}")
    return None


def message_error(error: MessageError, wire: bytes) -> Cause:
    """The NOTIFICATION for a message that does not parse: `Msg.error`, or what `Batch.failures` gives."""
    data = b""
    if error.code == HEADER_ERROR and error.subcode == BAD_LENGTH:
        data = wire[16:18]
    elif error.code == UPDATE_ERROR and error.subcode in WITH_ATTRIBUTE:
        data = _attribute(wire, error.offset or 0)
    elif error.code == ROUTE_REFRESH_ERROR:
        data = wire  # RFC 7313 section 5
    return Cause(error.code, error.subcode, data, str(error))


def resets(error: MessageError) -> bool:
    """Whether a session cannot go on behind such a message, as nobody can tell which routes it was about (RFC 7606)."""
    return error.code != UPDATE_ERROR or error.field in ROUTE_FIELDS


def _attribute(wire: bytes, value: int) -> bytes:
    """The path attribute of an UPDATE whose value starts there: flags, type, length, value."""
    start = HEADER_SIZE + 2 + int.from_bytes(wire[19:21]) + 2
    while start < len(wire):
        first = start + (4 if wire[start] & 0x10 else 3)
        end = first + int.from_bytes(wire[start + 2 : first])
        if first == value:
            return wire[start:end]
        start = end
    return b""


def unexpected(kind: int, subcode: int, state: str) -> Cause:
    """A message that cannot come in this state: RFC 6608 (subcode: 1 OpenSent, 2 OpenConfirm, 3 Established)."""
    return Cause(FSM_ERROR, subcode, bytes((kind,)), f"a message of type {kind} in {state}")


def cease(text: str = "", subcode: int = ADMIN_SHUTDOWN) -> Cause:
    """A Cease (RFC 4486) with a text for the operator of the other side (RFC 9003).

    At most 255 octets of the text are sent, and none with subcodes that take none.
    """
    if not text or not notifications.takes_text(CEASE, subcode):
        return Cause(CEASE, subcode, reason=text)
    fitting = text.encode(errors="replace")[:255].decode(errors="ignore")
    return Cause(CEASE, subcode, encode_text(fitting), text)
