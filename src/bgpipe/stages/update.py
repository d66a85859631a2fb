"""update: rewrites the attributes of UPDATEs."""

from __future__ import annotations

from bgpipe._attributes import attribute_code, encode_attribute, pack_address
from bgpipe._edit import Editor
from bgpipe.errors import FieldError, JsonError, StageError, UsageError
from bgpipe.pipeline.log import Tally
from bgpipe.pipeline.options import Kind, fields, option
from bgpipe.pipeline.stage import LEFT, RIGHT, LookerOptions, Stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bgpipe._codec import Batch
    from bgpipe.pipeline.events import Event

COMMUNITY = 8
EXT_COMMUNITY = 16
LARGE_COMMUNITY = 32
MP_ATTRIBUTES = (14, 15)
ALL = "*"
_MOST = 0xFFFFFFFF
_MOST_PREPENDED = 255
_MOST_ADDED = 4096  # octets of communities; a message that may not be longer holds no more


# ---- values of options ---------------------------------------------------------------------------------------------


def _next_hop4(text: str) -> bytes:
    try:
        return pack_address(text, 32)
    except FieldError:
        raise ValueError("an IPv4 address") from None


def _next_hop6(text: str) -> bytes:
    address, comma, link_local = text.partition(",")
    try:
        return pack_address(address, 128) + (pack_address(link_local, 128) if comma else b"")
    except FieldError:
        raise ValueError("an IPv6 address, or one and a link-local one behind a comma") from None


def _show_hop(octets: bytes) -> str:
    from ipaddress import ip_address

    return ",".join(str(ip_address(octets[at : at + 16])) for at in range(0, len(octets), 16))


def _octets(code: int, text: str) -> bytes:
    """A community on the wire, from its text or JSON. Raises UsageError."""
    from bgpipe.formats.json import load

    try:
        return encode_attribute(code, [load(text.encode()) if text[0] == "{" else text], 4, {})
    except (FieldError, JsonError) as error:
        raise UsageError(str(error).removeprefix("[0]: ")) from None


def _entries(text: str) -> list[str]:
    """The items of a list with commas or of JSON, which may lack its brackets; objects as JSON again. UsageError."""
    import json

    from bgpipe.formats.json import load

    text = text.strip()
    if text[:1] not in ("[", "{"):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        found = load((text if text[0] == "[" else f"[{text}]").encode())
    except JsonError as error:
        raise UsageError(str(error)) from None
    return [item if isinstance(item, str) and item else json.dumps(item) for item in found]


def _communities(code: int, and_all: bool = False) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        entries = _entries(text)
        for entry in entries:
            if not (and_all and entry == ALL):
                _octets(code, entry)
        return tuple(entries)

    return read


def _added(code: int) -> Kind:
    return Kind("LIST", _communities(code), many=True)


def _dropped(code: int) -> Kind:
    return Kind("LIST", _communities(code, and_all=True), many=True, bare=(ALL,))


def _prepend(text: str) -> tuple[tuple[int, int], ...]:
    found = []
    for word in text.split(","):
        number, x, times = word.strip().upper().removeprefix("AS").partition("X")
        if not (number.isascii() and number.isdigit() and 0 < int(number) <= _MOST):
            raise ValueError("AS numbers, such as 65000, or 65000x3 for three times")
        if x and not (times.isascii() and times.isdigit() and 0 < int(times) <= _MOST_PREPENDED):
            raise ValueError(f"how often an AS number goes there from 1 to {_MOST_PREPENDED}, as in 65000x3")
        found.append((int(number), int(times or 1)))
    return tuple(found)


def _show_prepend(item: tuple[int, int]) -> str:
    number, times = item
    return f"{number}x{times}" if times > 1 else str(number)


def _attributes(text: str) -> tuple[int, ...]:
    try:
        codes = tuple(attribute_code(word.strip()) for word in text.split(",") if word.strip())
    except FieldError as error:
        raise UsageError(str(error)) from None
    if any(code in MP_ATTRIBUTES for code in codes):
        raise ValueError("attributes that hold no prefixes")
    return codes


def _show_attribute(code: int) -> str:
    from bgpipe.names import ATTRIBUTES

    return ATTRIBUTES.get(code, str(code))


def _u32(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _MOST):
        raise ValueError(f"a whole number up to {_MOST}")
    return int(text)


U32 = Kind("N", _u32)
HOP4 = Kind("ADDRESS", _next_hop4, show=lambda octets: ".".join(map(str, octets)))
HOP6 = Kind("ADDRESS", _next_hop6, show=_show_hop)
PREPEND = Kind("ASN[xN]", _prepend, many=True, show=_show_prepend)
ATTRIBUTES = Kind("LIST", _attributes, many=True, show=_show_attribute)


class UpdateOptions(LookerOptions):
    """Options of update."""

    nexthop4: bytes | None = option("--nexthop4", "next hop of IPv4 prefixes", kind=HOP4)
    nexthop6: bytes | None = option(
        "--nexthop6", "next hop of IPv6 prefixes; a link-local address may follow behind a comma", kind=HOP6
    )
    nexthop_self: bool = option(
        "--nexthop-self", "as next hop, our own address on the connection that messages leave through"
    )
    add_com: tuple[str, ...] = option("--add-com", "add communities, such as 65000:1", kind=_added(COMMUNITY))
    add_com_ext: tuple[str, ...] = option(
        "--add-com-ext",
        'add extended communities, such as {"type":"TARGET","value":"65000:1"} or TARGET:65000:1',
        kind=_added(EXT_COMMUNITY),
        metavar="JSON",
    )
    add_com_large: tuple[str, ...] = option(
        "--add-com-large", "add large communities, such as 65000:1:2", kind=_added(LARGE_COMMUNITY)
    )
    drop_com: tuple[str, ...] = option("--drop-com", "drop communities, all or these", kind=_dropped(COMMUNITY))
    drop_com_ext: tuple[str, ...] = option(
        "--drop-com-ext", "drop extended communities, all or these", kind=_dropped(EXT_COMMUNITY), metavar="JSON"
    )
    drop_com_large: tuple[str, ...] = option(
        "--drop-com-large", "drop large communities, all or these", kind=_dropped(LARGE_COMMUNITY)
    )
    set_med: int | None = option("--set-med", "set MED", kind=U32)
    set_local_pref: int | None = option("--set-local-pref", "set LOCALPREF", kind=U32)
    prepend: tuple[tuple[int, int], ...] = option(
        "--prepend", "put AS numbers in front of ASPATH; 65000x3 is 65000 three times", kind=PREPEND
    )
    drop_attr: tuple[int, ...] = option(
        "--drop-attr", "leave these attributes out, by name or code", kind=ATTRIBUTES
    )


class Update(Stage):
    """Edits UPDATEs."""

    command = "update"
    summary = "rewrite UPDATEs that announce something"
    text = (
        "Rewrites the attributes of UPDATEs that announce something; other messages pass as they are. What is "
        "dropped is not there afterwards, even if it is added as well. A message that gets too long is divided; "
        "prefixes that fit into no message together with their attributes are left out, which is an event."
    )
    options_class = UpdateOptions
    options: UpdateOptions
    looks = True
    pure = True
    events = ("too_long",)
    _editor: Editor | None

    def attach(self) -> None:
        options = self.options
        if {field.attribute for field in options.changed()} <= {field.attribute for field in fields(LookerOptions)}:
            raise self.error("nothing to do: an option that says what to change is missing")
        self._prepend = [number for number, times in options.prepend for _ in range(times)]
        if len(self._prepend) > _MOST_PREPENDED:
            raise self.error(f"--prepend: {len(self._prepend)} AS numbers, {_MOST_PREPENDED} is the most")
        self._add = {
            code: b"".join(_octets(code, text) for text in given)
            for code, given in (
                (COMMUNITY, options.add_com),
                (EXT_COMMUNITY, options.add_com_ext),
                (LARGE_COMMUNITY, options.add_com_large),
            )
        }
        if sum(map(len, self._add.values())) > _MOST_ADDED:
            raise self.error(f"communities to add of more than {_MOST_ADDED} octets: no message has room for them")

    def prepare(self) -> None:
        self._too_long = Tally(self.pipe.log, "messages have prefixes that do not fit", self, "too_long")
        self.pure = not self.pipe.hears(self, "too_long")
        if self.options.nexthop_self and any(stage.consumes for stage in self.pipe.stages):
            self._editor = None  # its addresses are known when messages come
            self._check_connections()
            self.pipe.on_event("ESTABLISHED")(self._check_families)
        else:
            self._editor = self._make_editor()

    def _make_editor(self) -> Editor:
        options = self.options
        hops = [self._next_hops(direction) for direction in (RIGHT, LEFT)]
        return Editor(
            hop4=(hops[0][0], hops[1][0]),
            hop6=(hops[0][1], hops[1][1]),
            add=self._add,
            drop={
                code: None if ALL in given else b"".join(_octets(code, text) for text in given)
                for code, given in (
                    (COMMUNITY, options.drop_com),
                    (EXT_COMMUNITY, options.drop_com_ext),
                    (LARGE_COMMUNITY, options.drop_com_large),
                )
            },
            med=options.set_med,
            local_pref=options.set_local_pref,
            prepend=self._prepend,
            drop_attrs=options.drop_attr,
        )

    def process(self, batch: Batch, directions: int) -> Batch | None:
        if self._editor is None:
            self._editor = self._make_editor()
        with batch:
            after, short = self._editor.edit(batch, directions, keep_bad=self.options.on_parse_error == "pass")
        if short:
            self._tell(after, short)
        return None if after is batch else after

    def finish(self) -> None:
        self._too_long.close()

    def _check_connections(self) -> None:
        for direction in (RIGHT, LEFT):
            if self.directions & direction and not any(s.consumes and s.takes(direction) for s in self.pipe.stages):
                self._next_hops(direction)

    def _check_families(self, event: Event) -> None:
        """Warn of next hops that stay, in families of the session that we have no address of on a connection."""
        from bgpipe.bgp.events import Established
        from bgpipe.pipeline.session import SessionEvent

        assert isinstance(event, SessionEvent) and isinstance(event.seen, Established)
        agreed = {family.partition("/")[0] for family in event.seen.negotiated.families}
        for direction, side in ((RIGHT, "right"), (LEFT, "left")):
            if not any(stage.consumes and stage.takes(direction) for stage in self.pipe.stages):
                continue
            for hop, family in zip(self._next_hops(direction), ("IPv4", "IPv6"), strict=True):
                if self.directions & direction and not hop and family.upper() in agreed:
                    text = f"on the connection to the {side} we have no {family} address: {family} prefixes keep their"
                    self.pipe.log.warn(f"--nexthop-self: {text} next hops, unless --nexthop{family[-1]} says one", self)

    def _next_hops(self, direction: int) -> tuple[bytes, bytes]:
        """For IPv4 and for IPv6. StageError where our own address is not known."""
        hop4, hop6 = self.options.nexthop4 or b"", self.options.nexthop6 or b""
        if self.options.nexthop_self and self.directions & direction:
            name = "L_LOCAL" if direction == LEFT else "R_LOCAL"
            if name not in self.pipe.values:
                raise StageError(f"--nexthop-self: no connection has told our address on it ({name})")
            own = pack_address(self.pipe.values[name].rpartition(":")[0].strip("[]"))
            if len(own) == 4:
                hop4 = hop4 or own
            else:
                hop6 = hop6 or own
        return hop4, hop6

    def _tell(self, batch: Batch, indices: list[int]) -> None:
        from bgpipe._view import message_at

        with self.pipe.lock:
            for index in indices:
                seq = message_at(batch, index).seq
                self._too_long.count(f"prefixes of message {seq} are left out: they do not fit with their attributes")
                if not self.pure:
                    self.emit("too_long", batch, index)
