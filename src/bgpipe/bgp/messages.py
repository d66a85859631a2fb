"""OPEN, NOTIFICATION and ROUTE-REFRESH messages as Python sees them: views of a `Msg`, to read and to change.

Each takes its fields from the message's octets and writes them back; nothing is kept beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

from bgpipe._attributes import at, family_name, number, parse_family, unhex
from bgpipe._view import Msg
from bgpipe.bgp import capabilities as caps
from bgpipe.bgp import notifications, refresh
from bgpipe.bgp.open import AS_TRANS, FIXED_SIZE, HOLD_TIME_S, encode_identifier, encode_open

Self = TypeVar("Self", bound="Body")


class Body:
    """The fields of one message, by their place behind the header."""

    __slots__ = ("msg",)
    msg: Msg

    @classmethod
    def of(cls: type[Self], msg: Msg) -> Self:
        """The view of a message of this type."""
        self = cls.__new__(cls)
        self.msg = msg
        return self

    def octets(self, start: int = 0, end: int | None = None) -> bytes:
        """Octets of the body. MessageError if the message does not parse."""
        if self.msg.error is not None:
            raise self.msg.error
        return self.msg.body[start:end]

    def _put(self, start: int, octets: bytes) -> None:
        body = self.octets()
        self.msg.body = body[:start] + octets + body[start + len(octets) :]


class Capabilities(MutableMapping[str, Any]):
    """Capabilities of an OPEN by name ("AS4", "CAP_99"), as JSON has them, in their order.

    A change writes all of them into one optional parameter (RFC 5492 section 4). What does not fit raises FieldError.
    """

    __slots__ = ("_msg",)

    def __init__(self, msg: Msg) -> None:
        self._msg = msg

    def pairs(self) -> list[tuple[int, bytes]]:
        """(code, octets) of each, as they stand. MessageError if the message does not parse."""
        found = caps.parse_parameters(Body.of(self._msg).octets(FIXED_SIZE))
        return found[0] if found is not None else []

    def _put(self, pairs: list[tuple[int, bytes]]) -> None:
        self._msg.body = self._msg.body[: FIXED_SIZE - 1] + caps.encode_parameters(pairs)

    def __getitem__(self, key: str | int) -> Any:
        return caps.to_object(self.pairs())[_name(key)]

    def __setitem__(self, key: str | int, value: Any) -> None:
        new = caps.from_object({_name(key): value})
        pairs = self.pairs()
        code = caps.code_of(key)
        place = next((i for i, pair in enumerate(pairs) if pair[0] == code), len(pairs))
        kept = [pair for pair in pairs[place:] if pair[0] != code]
        self._put(pairs[:place] + new + kept)

    def __delitem__(self, key: str | int) -> None:
        if key not in self:
            raise KeyError(key)
        code = caps.code_of(key)
        self._put([pair for pair in self.pairs() if pair[0] != code])

    def __contains__(self, key: object) -> bool:
        return isinstance(key, (str, int)) and any(code == caps.code_of(key) for code, _ in self.pairs())

    def __iter__(self) -> Iterator[str]:
        return iter(caps.to_object(self.pairs()))

    def __len__(self) -> int:
        return len(caps.to_object(self.pairs()))

    def __repr__(self) -> str:
        return f"Capabilities({caps.to_object(self.pairs())})"


def _name(key: str | int) -> str:
    return caps.name(caps.code_of(key))


class Open(Body):
    """An OPEN message (RFC 4271 section 4.2). What does not parse raises MessageError, what does not fit FieldError.

    asn: the sender's AS number; above 65535 it goes into the AS4 capability. id: BGP identifier, address or number.
    hold_time: seconds. capabilities: by name, as in JSON: {"MP": ["IPV4/UNICAST"], "ROUTE_REFRESH": True}.
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        asn: int,
        id: str | int,  # noqa: A002
        hold_time: int = HOLD_TIME_S,
        version: int = 4,
        capabilities: Mapping[str, Any] | None = None,
        direction: str = "R",
        time: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        fields = {"bgp": version, "asn": asn, "id": id, "hold": hold_time}
        body = encode_open({**fields, "caps": None if capabilities is None else dict(capabilities)})
        self.msg = Msg.make("OPEN", body, direction=direction, time=time, tags=tags)

    @property
    def version(self) -> int:
        """Version of the protocol: 4."""
        return self.octets(0, 1)[0]

    @version.setter
    def version(self, value: int) -> None:
        self._put(0, number(value, 255, "a version").to_bytes(1))

    @property
    def asn(self) -> int:
        """AS number of the sender: that of the AS4 capability, else the two-octet field (RFC 6793 section 4.1)."""
        for code, value in self.capabilities.pairs():
            if code == caps.AS4 and len(value) == 4:
                return int.from_bytes(value)
        return self.my_as

    @asn.setter
    def asn(self, value: int) -> None:
        asn = number(value, 0xFFFFFFFF, "an AS number")
        if asn > 0xFFFF or "AS4" in self.capabilities:
            self.capabilities["AS4"] = asn
        self._put(1, (asn if asn <= 0xFFFF else AS_TRANS).to_bytes(2))

    @property
    def my_as(self) -> int:
        """The two-octet field My Autonomous System as it stands: 23456 for an AS number that does not fit."""
        return int.from_bytes(self.octets(1, 3))

    @property
    def hold_time(self) -> int:
        """Hold time in seconds."""
        return int.from_bytes(self.octets(3, 5))

    @hold_time.setter
    def hold_time(self, value: int) -> None:
        self._put(3, number(value, 0xFFFF, "seconds").to_bytes(2))

    @property
    def id(self) -> str:
        """BGP identifier, as an IPv4 address."""
        return ".".join(str(octet) for octet in self.octets(5, 9))

    @id.setter  # noqa: A003
    def id(self, value: str | int) -> None:
        self._put(5, encode_identifier(value))

    @property
    def capabilities(self) -> Capabilities:
        """What the sender is capable of (RFC 5492), by name."""
        return Capabilities(self.msg)

    @capabilities.setter
    def capabilities(self, value: Mapping[str, Any]) -> None:
        self.octets()
        Capabilities(self.msg)._put(caps.from_object(dict(value)))

    def __repr__(self) -> str:
        return f"<Open, AS {self.asn}, {self.id}>"


class Notification(Body):
    """A NOTIFICATION message (RFC 4271 section 4.5). What does not parse raises MessageError.

    code: number, or a name such as "CEASE/ADMIN_SHUTDOWN" that gives the subcode too. In place of data, text: for
    administrative shutdown and reset (RFC 9003); detail: what else data can say, as in JSON, such as
    {"reason": {"code": 6, "subcode": 2, "text": "bye"}} of a hard reset (RFC 8538).
    """

    __slots__ = ()

    def __init__(
        self,
        code: int | str,
        subcode: int | None = None,
        data: bytes = b"",
        *,
        text: str | None = None,
        detail: Mapping[str, Any] | None = None,
        direction: str = "R",
        time: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        said = {"text": text} if text is not None else detail
        fields = {"code": code, "subcode": subcode, **({"data": data} if said is None else said)}
        body = notifications.encode_notification(fields)
        self.msg = Msg.make("NOTIFICATION", body, direction=direction, time=time, tags=tags)

    @property
    def code(self) -> int:
        """Error code."""
        return self.octets(0, 1)[0]

    @code.setter
    def code(self, value: int) -> None:
        self._put(0, number(value, 255, "a NOTIFICATION code").to_bytes(1))

    @property
    def subcode(self) -> int:
        """Error subcode, 0 for none."""
        return self.octets(1, 2)[0]

    @subcode.setter
    def subcode(self, value: int) -> None:
        self._put(1, number(value, 255, "a NOTIFICATION subcode").to_bytes(1))

    @property
    def name(self) -> str:
        """Code and subcode by name, such as "CEASE/ADMIN_SHUTDOWN"."""
        return notifications.name(self.code, self.subcode)

    @property
    def data(self) -> bytes:
        """What follows code and subcode."""
        return self.octets(2)

    @data.setter
    def data(self, value: bytes) -> None:
        self.msg.body = self.octets(0, 2) + at("data", unhex, value)

    @property
    def text(self) -> str | None:
        """The text of an administrative shutdown or reset (RFC 9003), or None."""
        return notifications.parse_text(self.code, self.subcode, self.data)

    @text.setter
    def text(self, value: str) -> None:
        self.data = notifications.encode_notification({"code": self.code, "subcode": self.subcode, "text": value})[2:]

    @property
    def detail(self) -> dict[str, Any]:
        """What the data say beyond octets, under its key as in JSON: {"version": 4}; {} if nothing."""
        return notifications.parse_detail(self.code, self.subcode, self.data)

    @detail.setter
    def detail(self, value: Mapping[str, Any]) -> None:
        self.data = notifications.encode_notification({"code": self.code, "subcode": self.subcode, **value})[2:]

    def __repr__(self) -> str:
        return f"<Notification, {self.name}>"


class RouteRefresh(Body):
    """A ROUTE-REFRESH message (RFC 2918, RFC 7313). What does not parse raises MessageError, what does not fit
    FieldError.

    af: "IPV6/UNICAST" or (AFI, SAFI). subtype: 0 or "REQUEST", 1 or "BORR", 2 or "EORR", begin and end of a refresh.
    when, orfs: "IMMEDIATE" or "DEFER", and filters as in JSON (RFC 5291); data: the octets of both.
    """

    __slots__ = ()

    def __init__(
        self,
        af: str | tuple[int, int],
        subtype: int | str = 0,
        data: bytes = b"",
        *,
        when: str | int | None = None,
        orfs: Iterable[Mapping[str, Any]] = (),
        direction: str = "R",
        time: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        fields: dict[str, Any] = {"af": af, "subtype": subtype, "when": when, "orfs": list(orfs)}
        body = refresh.encode_refresh(fields | ({"data": data} if data else {}))
        self.msg = Msg.make("ROUTE_REFRESH", body, direction=direction, time=time, tags=tags)

    @property
    def af(self) -> str:
        """Name of the family."""
        octets = self.octets(0, 4)
        return family_name(int.from_bytes(octets[:2]), octets[3])

    @af.setter
    def af(self, value: str | tuple[int, int]) -> None:
        afi, safi = parse_family(value)
        self._put(0, bytes((afi >> 8, afi & 255, self.subtype, safi)))

    @property
    def subtype(self) -> int:
        """0: a request; 1, 2: begin and end of a refresh (RFC 7313 section 3.2)."""
        return self.octets(2, 3)[0]

    @subtype.setter
    def subtype(self, value: int | str) -> None:
        self._put(2, refresh.encode_subtype(value).to_bytes(1))

    @property
    def data(self) -> bytes:
        """What follows the family: ORF entries (RFC 5291 section 4)."""
        return self.octets(4)

    @property
    def when(self) -> str | int | None:
        """When to send the routes again: "IMMEDIATE", "DEFER" or a number; None without filters."""
        when: str | int | None = refresh.parse_refresh(self.octets()).get("when")
        return when

    @property
    def orfs(self) -> list[dict[str, Any]]:
        """Filters of outbound routes, as in JSON; [] where there are none, and where they do not parse."""
        orfs: list[dict[str, Any]] = refresh.parse_refresh(self.octets()).get("orfs", [])
        return orfs

    @orfs.setter
    def orfs(self, value: Iterable[Mapping[str, Any]]) -> None:
        head = self.octets(0, 4)
        orfs = list(value)
        self.msg.body = head + refresh.encode_filters(int.from_bytes(head[:2]), self.when if orfs else None, orfs)

    def __repr__(self) -> str:
        return f"<RouteRefresh, {self.af}>"
