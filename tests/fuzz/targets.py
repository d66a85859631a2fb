"""What the fuzzers run, a function a target; test_replay.py runs the same on known inputs without a fuzzer.

Each takes bytes and returns, or raises where an invariant does not hold: the code under test gives a result
or an InputError, never anything else, whatever the bytes and however they are cut into reads; and what it
gives turns back into the bytes that it came from. The first byte or two of an input choose options.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from bgpipe._attributes import USUAL_FLAGS
from bgpipe._bgpdump import BgpdumpEncoder
from bgpipe._bmp import BmpDecoder, BmpEncoder, Repeats
from bgpipe._bunzip2 import Decoder as Decompressor
from bgpipe._codec import Batch, Buffer, Decoder, Encoder, RawDecoder, RawEncoder
from bgpipe._edit import Editor
from bgpipe._exa import ExaEncoder
from bgpipe._exa_reader import ExaDecoder
from bgpipe._frames import frames, whole
from bgpipe._json import JsonEncoder, attribute_text
from bgpipe._json_reader import JsonDecoder
from bgpipe._layouts import attribute_problem
from bgpipe._malformed import ACTIONS, WORDS, tag_malformed
from bgpipe._mrt import MrtDecoder, MrtEncoder
from bgpipe._prefixset import PrefixSet
from bgpipe._table import Limiter, RouteTable
from bgpipe._translate import PeerEncoder
from bgpipe._update import Aggregator, MpReach, MpUnreach, Update, attribute_name
from bgpipe._view import Msg, SessionContext, collect, message_at, messages
from bgpipe.bgp.attributes import LAYOUTS
from bgpipe.bgp.causes import HEADER_SIZE, LONGEST, LONGEST_EXTENDED, cease, header_error
from bgpipe.bgp.events import Seen
from bgpipe.bgp.messages import RouteRefresh
from bgpipe.bgp.session import Speaker, State
from bgpipe.bgp.watch import End, Watch
from bgpipe.errors import FieldError, FilterError, InputError, MessageError
from bgpipe.filters import Filter
from bgpipe.names import ATTRIBUTES
from bgpipe.transport.bzip2 import _Block, _Library

MARKER = b"\xff" * 16
BLOCK = 1 << 13  # for reading: large blocks are slow to get and to give back under AddressSanitizer


class Pieces:
    """A source that gives its bytes `size` at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = memoryview(data)
        self._size = size

    def readinto(self, buffer: memoryview) -> int:
        n = min(self._size, len(buffer), len(self._data))
        buffer[:n] = self._data[:n]
        self._data = self._data[n:]
        return n


def decode(decoder: Decoder, data: bytes, piece: int = 1 << 20) -> tuple[list[Batch], InputError | None]:
    """All batches of `data`, and the error that ended them."""
    found = []
    source = Pieces(data, piece)
    while (batch := decoder.read(source)) is not None:
        found.append(batch)
        if batch.error is not None:
            assert isinstance(batch.error, InputError), batch.error
            assert decoder.read(source) is None, "nothing follows an error"
            return found, batch.error
    return found, None


def encode(encoder: Encoder, found: list[Batch]) -> bytes:
    out = Buffer()
    for batch in found:
        encoder.encode(batch, out)
    return bytes(out)


def wires(found: list[Batch]) -> list[bytes]:
    return [batch.wire(i) for batch in found for i in range(len(batch))]


def checked(found: list[Batch]) -> None:
    """The check of each message agrees with the errors that are given for it."""
    for batch in found:
        bad = batch.check()
        failures = batch.failures()
        assert len(failures) == bad
        for index, error in failures:
            assert isinstance(error, MessageError)
            assert error.offset is not None and error.offset <= len(batch.wire(index)), error


def lines(found: list[Batch]) -> list[bytes]:
    """The JSON of each message: one line, valid, and no longer than the encoder has room for."""
    texts = encode(JsonEncoder(), found).split(b"\n")
    assert texts.pop() == b""
    messages = wires(found)
    assert len(texts) == len(messages)
    for text, message in zip(texts, messages, strict=True):
        value = json.loads(text)
        assert len(text.decode().splitlines()) == 1
        tags = len(json.dumps(value[5]))
        assert len(text) <= 26 * len(message) + 1024 + 6 * tags, "more text than the encoder has room for"
    return texts


def behind_time(line: bytes) -> bytes:
    return line.split(b",", 3)[3]


def kept_in_mrt(line: bytes) -> tuple[bytes, bytes]:
    """Time, but for one that MRT cuts to what it can say; type and data."""
    _, _, time, rest = line.split(b",", 3)
    return time if b'"1971' <= time < b'"2106' else b"", rest.rpartition(b",{")[0]


def back_from_json(found: list[Batch], readers: tuple[bool, ...] = (True, False)) -> None:
    """The JSON of `found` gives the very messages again, and their JSON is the same; by both readers."""
    text = lines(found)
    for native in readers:
        decoder = JsonDecoder(block_size=BLOCK)
        decoder.native = native
        again, error = decode(decoder, b"".join(line + b"\n" for line in text))
        assert error is None, error
        assert wires(again) == wires(found)
        same = encode(JsonEncoder(), again).split(b"\n")[:-1]
        # Hex says nothing of the context (ADD-PATH, AS size) in which it did not parse; in the usual one it may.
        assert all(line == other for line, other in zip(text, same, strict=True) if b'"0x' not in line)


def back_from_mrt(found: list[Batch]) -> None:
    """MRT gives the very messages again, of the same time and context; peers may lack what BGP4MP leaves out."""
    encoder = MrtEncoder()
    records = encode(encoder, found)
    again, error = decode(MrtDecoder(block_size=BLOCK), records)
    assert error is None, error
    if encoder.skipped == 0:
        assert wires(again) == wires(found)
        one, other = (encode(JsonEncoder(), batches).split(b"\n")[:-1] for batches in (found, again))
        assert [kept_in_mrt(line) for line in one] == [kept_in_mrt(line) for line in other]


def framing(data: bytes) -> None:
    """Raw messages: byte 0 says how, byte 1 in which pieces, the rest is the stream."""
    how, piece, stream = *(data[:2] + b"\0\0")[:2], data[2:]

    def run(piece: int) -> tuple[list[bytes], str]:
        decoder = RawDecoder(
            as_size=2 if how & 1 else 4, addpath=bool(how & 2), pardon=bool(how & 4), block_size=64
        )
        found, error = decode(decoder, stream, piece)
        assert error is None or not how & 4, "what is pardoned is no error"
        checked(found)
        messages = wires(found)
        assert encode(RawEncoder(), found) == b"".join(messages)
        return messages, str(error)

    for form in ("raw", "mrt", "bmp", "obmp"):
        framed(stream[: whole(stream, form)], form, piece)
    messages, error = run(len(stream) + 1)
    assert (messages, error) == run(piece + 1), "how the reads are cut must not matter"
    if not how & 4:
        assert stream.startswith(b"".join(messages))


def framed(data: bytes, form: str, most: int) -> None:
    """Whole messages of a format can be cut into frames, which are whole."""
    buffer = Buffer()
    buffer.extend(data)
    cut = frames(buffer, form, most)
    assert b"".join(octets for octets, _ in cut) == data
    assert all(count >= 1 and (len(octets) <= most or count == 1) and whole(octets, form) == len(octets) for octets, count in cut)


def monitored(found: list[Batch], openbmp: bool) -> None:
    """What is written as BMP is read again."""
    encoder, once, out = BmpEncoder(openbmp=openbmp), Repeats(openbmp=openbmp), Buffer()
    made = b""
    for batch in found:
        out.clear()
        encoder.encode(batch, out)
        framed(bytes(out), "obmp" if openbmp else "bmp", 100)
        once.take_out(out)
        made += bytes(out)
    again, error = decode(BmpDecoder(openbmp=openbmp, everything=True, block_size=BLOCK), made)
    assert error is None, error
    told = (2, 3)  # an OPEN that was made up comes back, too
    expected = [wire for wire in wires(found) if wire[18] in told and (wire[18] == 2 or len(wire) > 20)]
    back = [wire for wire in wires(again) if wire[18] in told]
    if not encoder.skipped:
        assert back == expected, "what is written is read again"


def dumped(found: list[Batch]) -> bytes:
    """Lines as bgpdump prints them."""
    text = encode(BgpdumpEncoder(), found)
    for line in text.splitlines(keepends=True):
        assert line.startswith((b"BGP4MP", b"TABLE_DUMP")) and line.endswith(b"\n") and line[:-1].decode().isprintable(), line
    return text


CARRIED = {attribute_name(code) for code in (22, 23, 24, 25, 26, 27, 29, 33, 36, 38, 39, 40, 128)}  # whatever is in them
BESIDES = {WORDS[problem] for problem in (7, 9, 11, 12, 13)}  # that do not keep a message from parsing
TWICE, OVERRUN = WORDS[8], WORDS[10]
FOREIGN = WORDS[12]  # whatever is in it
HOP_LENGTH = WORDS[4]  # hinders in some families


def classed(found: list[Batch]) -> None:
    """What is wrong with messages: what keeps one from parsing is among it, and tags say the same."""
    for batch in found:
        tag_malformed(batch, 3)
        for msg in messages(batch):
            errors, action = msg.errors, msg.error_action
            strongest = max([ACTIONS.index(error.action) for error in errors], default=0)
            assert action == ACTIONS[strongest] or (errors and action == "session-reset")
            assert all(error.action and error.source and error.offset <= len(msg.wire) for error in errors)
            assert msg.tags.get("error/action", "") == action
            assert msg.tags.get("error/fields", "") == ",".join(dict.fromkeys(error.field for error in errors))
            if len(errors) < 64:
                problems = {error.problem for error in errors}
                hindering = {
                    error.problem
                    for error in errors
                    if error.problem in (TWICE, OVERRUN) or (error.problem not in BESIDES and error.field not in CARRIED)
                }
                assert msg.error is None or hindering or FOREIGN in problems
                assert msg.error is not None or hindering <= {HOP_LENGTH}
                assert msg.error is None or msg.update is None or msg.error.offset in {error.offset for error in errors}


def exclusive(text: str) -> tuple[Any, Any]:
    return Filter(text).program, Filter(f"!({text})").program


ASKED = [
    exclusive("prefix[*] in [10.0.0.0/8, 2001:db8::/32] || aspath ~ 64496 || as_origin == 65001 || nh ~ 192.0.2.0/24"),
    exclusive("com ~ 65535 || large_com == 1:2:3 || ext_com ~ TARGET || af == IPV4/FLOWSPEC || otc > 5 || med || origin == egp"),
    exclusive("attr[SET] || json[attrs.TUNNEL.value.0.type] || aspath_len > 4 || local_pref < 9 || reach[*] < 10.0.0.0/8"),
]


def asked(found: list[Batch]) -> None:
    """Filters: of an UPDATE that parses either one is true or its opposite."""
    for batch in found:
        for program, opposite in ASKED:
            for msg, one, other in zip(messages(batch), program.matches(batch), opposite.matches(batch), strict=True):
                assert msg.type_code != 2 or bool(one) + bool(other) == (msg.error is None)


def everywhere(found: list[Batch], openbmp: bool) -> None:
    """In all formats but JSON, through filters, and by the table of errors, which comes last: it tags them."""
    back_from_mrt(found)
    commands(found)
    dumped(found)
    monitored(found, openbmp)
    asked(found)
    classed(found)


def message(kind: int, data: bytes) -> None:
    """One BGP message of type `kind`: byte 0 says how, the rest is its body."""
    how, body = (data[:1] + b"\0")[0], data[1 : 65536 - 19]
    wire = MARKER + (19 + len(body)).to_bytes(2) + bytes([kind]) + body

    def read() -> list[Batch]:
        found, error = decode(RawDecoder(as_size=2 if how & 1 else 4, addpath=bool(how & 2), block_size=len(wire)), wire)
        assert error is None
        return found

    fresh, known = read(), read()
    checked(known)
    (line,), (again,) = lines(fresh), lines(known)
    assert behind_time(line) == behind_time(again), "a message that was checked before encodes the same"
    back_from_json(fresh)
    everywhere(fresh, openbmp=bool(how & 4))


def update(data: bytes) -> None:
    message(2, data)


def spoken(kind: int, body: bytes) -> None:
    """Python has the values of OPEN, NOTIFICATION and ROUTE-REFRESH that JSON has, and they encode to the same octets."""
    msg = Msg.make(kind, body[: 65535 - HEADER_SIZE])
    shown = json.loads(msg.to_json())[4]
    if msg.error is not None or not isinstance(shown, dict):
        return
    if msg.open is not None and "caps" in shown:
        assert dict(msg.open.capabilities) == shown["caps"]
        if "params" not in shown:
            msg.open.capabilities = shown["caps"]
    elif msg.notification is not None:
        detail = msg.notification.detail
        assert shown == {key: value for key, value in shown.items() if key in ("code", "subcode", "name", "data")} | detail
        assert not detail or "data" not in shown
        if detail:
            msg.notification.detail = detail
    elif msg.refresh is not None:
        assert (msg.refresh.when, msg.refresh.orfs) == (shown.get("when"), shown.get("orfs", []))
        assert RouteRefresh(**shown | {"data": msg.refresh.data if "data" in shown else b""}).msg.body == msg.body
    assert msg.body == body[: 65535 - HEADER_SIZE]


FAMILIES = [(1, 4), (2, 4), (1, 128), (2, 128), (1, 129), (2, 129), (1, 5), (2, 5), (25, 70), (1, 132)]


def nlri(data: bytes) -> None:
    """NLRI of a family without plain prefixes: byte 0 says which and how, the rest is what stands behind the family."""
    how, value = (data[:1] + b"\0")[0], data[1 : 65535 - 30]
    reach, addpath = how & 1, bool(how & 2)
    afi, safi = FAMILIES[(how >> 2) % len(FAMILIES)]
    octets = afi.to_bytes(2) + bytes([safi]) + value
    attribute = bytes([0x90, 15 - reach]) + len(octets).to_bytes(2) + octets
    body = b"\0\0" + len(attribute).to_bytes(2) + attribute
    message(2, bytes([how & 2]) + body)
    wire = MARKER + (19 + len(body)).to_bytes(2) + b"\2" + body
    (batch,), error = decode(RawDecoder(addpath=addpath, block_size=len(wire)), wire)
    assert error is None
    sent(batch)
    msg = Msg(wire, context=SessionContext(addpath=[f"{afi}/{safi}"] if addpath else ()))
    if msg.error is not None or msg.update is None:
        return
    mp = msg.update.mp_reach if reach else msg.update.mp_unreach
    assert mp is not None
    shown = json.loads(msg.to_json())[4]["attrs"]["MP_REACH" if reach else "MP_UNREACH"]["value"]
    if isinstance(shown, dict):  # else its reserved octet is not zero
        assert mp.nlri == shown.get("nlri")
    if mp.nlri is not None:
        mp.nlri = mp.nlri
    if isinstance(mp, MpReach) and mp.next_hop is not None:
        mp.next_hop = mp.next_hop
    assert msg.wire == wire


CODES = sorted(ATTRIBUTES)
ORIGIN, AS_PATH, NEXT_HOP = 1, 2, 3


def attribute(data: bytes) -> None:
    """One attribute: byte 0 says how it stands there, byte 1 which it is, the rest is its value."""
    how, which, value = *(data[:2] + b"\0\0")[:2], data[2 : 65535 - 60]
    code = CODES[which % len(CODES)] if which < 240 else which
    as_size, addpath, extended = 2 if how & 1 else 4, bool(how & 2), how & 4 or len(value) > 255
    alone = bool(how & 8)
    flags = USUAL_FLAGS.get(code, 0xC0) ^ (how & 0x30) << 2 | (0x10 if extended else 0)
    octets = bytes([flags, code]) + len(value).to_bytes(2 if extended else 1) + value
    usual = {ORIGIN: b"\x40\1\1\0", AS_PATH: b"\x40\2\0", NEXT_HOP: b"\x40\3\4\xc0\0\2\1"}
    others = b"" if alone else b"".join(found for one, found in usual.items() if one != code)
    prefix = b"" if alone else b"\0\0\0\7" * addpath + b"\x18\xc0\0\2"
    body = b"\0\0" + len(others + octets).to_bytes(2) + others + octets + prefix
    message(2, bytes([how & 7]) + body)
    wire = MARKER + (19 + len(body)).to_bytes(2) + b"\2" + body
    (batch,), error = decode(RawDecoder(as_size=as_size, addpath=addpath, block_size=len(wire)), wire)
    assert error is None
    sent(batch)
    msg = message_at(batch, 0)
    if msg.error is not None or msg.update is None:
        return
    found = msg.update.attrs[code]
    assert (found.octets, found.flags) == (value, flags)
    entry = json.loads(msg.to_json())[4]["attrs"][found.name]
    shown = entry["value"]
    if code in LAYOUTS and value:
        text = attribute_text(code, value)
        assert (text is None) == (attribute_problem(code, value, strict=False) != 0)
        assert shown == (f"0x{value.hex()}" if text is None else json.loads(text))
    ways = [value, found.value, shown]
    if "segments" in entry:
        ways.pop()
    if isinstance(found.value, MpUnreach):  # see nlri
        del ways[1]
    else:
        assert as_json(found.value) == shown
    for way in ways:
        found.value = way
        assert msg.wire == wire


def as_json(value: object) -> object:
    """The value of an attribute as Python has it, as JSON has it."""
    if isinstance(value, bytes):
        return f"0x{value.hex()}" if value else True
    if isinstance(value, Aggregator):
        return {"asn": value.asn, "addr": value.address}
    return value


def open_message(data: bytes) -> None:
    message(1, data)
    spoken(1, data[1:])


def other(data: bytes) -> None:
    """Messages of the other types: byte 0 is the type."""
    kind = (data[:1] + b"\0")[0]
    message(kind, data[1:])
    if kind in (3, 5):
        spoken(kind, data[2:])


def json_input(data: bytes) -> None:
    """Lines of JSON: byte 0 says how, byte 1 in which pieces, the rest is the text."""
    how, piece, text = *(data[:2] + b"\0\0")[:2], data[2:]

    def run(piece: int, native: bool) -> tuple[list[Batch], object]:
        decoder = JsonDecoder(pardon=bool(how & 1), direction="L" if how & 2 else "R", block_size=64)
        decoder.native = native
        found, error = decode(decoder, text, piece)
        assert error is None or not how & 1, "what is pardoned is no error"
        checked(found)
        return found, (wires(found), str(error), decoder.records, decoder.skipped)

    found, result = run(len(text) + 1, True)
    assert run(piece + 1, True)[1] == result, "how the reads are cut must not matter"
    assert run(len(text) + 1, False)[1] == result, "both readers agree"
    found = [batch for batch in found if batch.count() == len(batch)]
    back_from_json(found)
    everywhere(found, openbmp=bool(how & 4))


def exa(data: bytes) -> None:
    """ExaBGP's text: byte 0 says how, byte 1 in which pieces, the rest is commands; or, of an UPDATE, the body."""
    how, piece, text = *(data[:2] + b"\0\0")[:2], data[2:]

    def run(text: bytes, piece: int, native: bool) -> tuple[list[Batch], object]:
        decoder = ExaDecoder(pardon=bool(how & 1), direction="L" if how & 2 else "R", block_size=64)
        decoder.native = native
        found, error = decode(decoder, text, piece)
        assert error is None or not how & 1, "what is pardoned is no error"
        checked(found)
        return found, (wires(found), str(error), decoder.records, decoder.skipped)

    if how & 4:
        wire = MARKER + (19 + len(text)).to_bytes(2) + b"\2" + text
        decoder = RawDecoder(as_size=2 if how & 8 else 4, addpath=bool(how & 16))
        found, _ = decode(decoder, wire)
    else:
        found, result = run(text, len(text) + 1, True)
        if sum(map(len, wires(found))) > 1 << 17:
            return  # some words, `split`, make very many prefixes: all that follows takes seconds
        assert run(text, piece + 1, True)[1] == result, "how the reads are cut must not matter"
        assert run(text, len(text) + 1, False)[1] == result, "both readers agree"
        back_from_json(found, readers=(True,))
    # What is written is read, and says the same again once attributes stand in their order and routes each in a message.
    said, _ = commands(found)
    again, result = run(said, 1 << 20, True)
    assert result[1:] == ("None", said.count(b"\n"), 0), result[1:]  # type: ignore[index]
    assert run(said, 1 << 20, False)[1] == result, "both readers agree"
    once, unsaid = commands(again)
    assert unsaid == 0 or b" attribute [" in said, "what can be said stays so"
    assert once.count(b"\n") >= said.count(b"\n") - said.count(b"#"), "no route is lost"
    twice, _ = commands(run(once, 1 << 20, True)[0])
    assert twice == once


def commands(found: list[Batch]) -> tuple[bytes, int]:
    """The lines of messages, and how many of these cannot be said; nothing but commands and harmless comments."""
    encoder = ExaEncoder()
    text = encode(encoder, found)
    for line in text.splitlines(keepends=True):
        assert line.endswith(b"\n") and line.isascii() and line[:-1].decode().isprintable(), line
        assert line.startswith((b"announce ", b"withdraw ", b"# ")), line
        assert not line.startswith(b"#") or (b"announce" not in line and b"withdraw" not in line), line
    return text, encoder.skipped


def mrt(data: bytes) -> None:
    """MRT records: byte 0 says how, byte 1 in which pieces, the rest is the file."""
    how, piece, file = *(data[:2] + b"\0\0")[:2], data[2:]

    def run(piece: int) -> tuple[list[Batch], object]:
        decoder = MrtDecoder(pardon=bool(how & 1), recover=bool(how & 2), guess_asn=bool(how & 4), guess_addpath=bool(how & 8), block_size=64)
        found, error = decode(decoder, file, piece)
        assert error is None or not how & 2, "what is recovered from is no error"
        checked(found)
        assert decoder.lost_bytes == sum(end - start for start, end in decoder.lost[:999]) or len(decoder.lost) > 999
        counts = decoder.records, decoder.skipped, decoder.state_changes, decoder.unknown, decoder.lost
        return found, (wires(found), encode(JsonEncoder(), found), dumped(found), str(error), counts)

    found, result = run(len(file) + 1)
    assert run(max(piece + 1, len(file) // 64))[1] == result, "how the reads are cut must not matter"
    back_from_json(found, readers=(True,))
    everywhere(found, openbmp=bool(how & 16))


def bmp_stream(data: bytes, openbmp: bool) -> None:
    how, piece, stream = *(data[:2] + b"\0\0")[:2], data[2:]

    def run(piece: int) -> tuple[list[Batch], object]:
        decoder = BmpDecoder(
            openbmp=openbmp,
            pardon=bool(how & 1),
            recover=bool(how & 2),
            guess_asn=bool(how & 4),
            everything=bool(how & 8),
            peer_tags=bool(how & 16),
            guess_addpath=bool(how & 32),
            block_size=64,
        )
        found, error = decode(decoder, stream, piece)
        assert error is None or not how & 2, "what is recovered from is no error"
        checked(found)
        counts = decoder.records, decoder.skipped, decoder.kinds, decoder.take_events(), decoder.lost
        return found, (wires(found), encode(JsonEncoder(), found), str(error), counts)

    found, result = run(len(stream) + 1)
    assert run(max(piece + 1, len(stream) // 64))[1] == result, "how the reads are cut must not matter"
    back_from_json(found, readers=(True,))
    everywhere(found, openbmp)


def bmp(data: bytes) -> None:
    """BMP messages: byte 0 says how, byte 1 in which pieces, the rest is the stream."""
    bmp_stream(data, False)


def obmp(data: bytes) -> None:
    """The same in OpenBMP messages."""
    bmp_stream(data, True)


def first_flags(update: Update) -> None:
    attribute = next(iter(update.attrs.values()), None)
    if attribute is not None:
        attribute.flags ^= 0x10


def more_prefixes(update: Update) -> None:
    if update.mp_reach is not None:
        update.mp_reach.prefixes.append("2001:db8::/32")
    if update.mp_unreach is not None:
        update.mp_unreach.prefixes.clear()


EDITS: list[Callable[[Update], object]] = [
    lambda update: setattr(update, "med", 5),
    lambda update: setattr(update, "med", None),
    lambda update: update.communities.add("64496:1"),
    lambda update: update.communities.clear(),
    lambda update: update.as_path.prepend(64496, 200),
    lambda update: setattr(update, "as_path", [64496, [64497, 65551]]),
    lambda update: update.reach.append("192.0.2.0/24"),
    lambda update: update.reach.clear(),
    lambda update: setattr(update, "unreach", ["198.51.100.0/24", "#7#203.0.113.0/24"]),
    lambda update: update.attrs.__setitem__("ATTR_99", b"x" * 300),
    lambda update: update.attrs.pop(next(iter(update.attrs), "MED"), None),
    first_flags,
    more_prefixes,
    lambda update: setattr(update, "next_hop", "2001:db8::9"),
    lambda update: setattr(update, "large_communities", ["1:2:3"] * 400),
    lambda update: setattr(update.msg, "body", update.msg.body[:-1]),
]


def look(view: object) -> None:
    """Read all there is to read: a value, or a MessageError."""
    for name in dir(type(view)):
        if isinstance(getattr(type(view), name), property) or type(getattr(type(view), name)).__name__ == "getset_descriptor":
            try:
                value = getattr(view, name)
                if isinstance(value, Iterable):
                    list(value)
                repr(value)
            except MessageError:
                pass


def view(data: bytes) -> None:
    """A message in Python: byte 0 says how, byte 1 which two edits, byte 2 the type, the rest is the body."""
    how, edits, kind, body = *(data[:3] + b"\0\0\0")[:3], data[3 : 65536 - 16]
    families = ("IPV4/UNICAST", "IPV6/UNICAST") if how & 2 else ()
    context = SessionContext(as_size=2 if how & 1 else 4, addpath=families, extended_messages=bool(how & 4))
    msg = Msg.make(kind, body, context=context)
    for part in (msg, msg.update, msg.open, msg.notification, msg.refresh):
        if part is not None:
            look(part)
    if msg.update is None:
        return
    for attribute in msg.update.attrs.values() if msg.error is None else ():
        look(attribute)
    for edit in (EDITS[edits >> 4], EDITS[edits & 15]):
        before, parsed = msg.wire, msg.error is None
        try:
            edit(msg.update)
        except (FieldError, MessageError):
            assert msg.wire == before, "an edit that fails changes nothing"
            continue
        assert msg.error is None or not parsed or edit is EDITS[15], msg.error
        assert int.from_bytes(msg.wire[16:18]) == len(msg.wire)
        again = Msg(msg.wire, context=msg.context, time=msg.time)
        assert again.to_json() == msg.to_json() == msg.copy().to_json()
        look(msg.update)


def bunzip2(data: bytes) -> None:
    """A block of bzip2: byte 0 says at which bit it begins and how many are left over, the rest are its octets."""
    how, octets = (data[:1] + b"\0")[0], data[1:]
    first, size = how & 7, 8 * len(octets) - (how & 7) - (how >> 3 & 7)
    if size < 128:
        return
    block = _Block(octets, first, size, size, None)
    try:
        expected = _Library(block).read(1 << 18)
    except (OSError, EOFError, ValueError):
        expected = b""
    runs = Decompressor().decode(octets, first, size)
    if runs is None:  # left to the library
        return
    got = b""
    try:
        while not runs.eof and len(got) < 1 << 18:
            got += runs.read(100 + (how << 8))
    except OSError:
        assert not expected or len(expected) == 1 << 18, "the library takes it"
        return
    assert got[: 1 << 18] == expected


HOP4, HOP6 = (b"\xc0\0\2\1",) * 2, (b"\x20\1\x0d\xb8" + bytes(11) + b"\1",) * 2
MANY = b"".join(number.to_bytes(4) for number in range(900))
EDITORS = [
    Editor(add={8: MANY[4:12], 16: b"\0\2" + MANY[:6], 32: MANY[:24]}),
    Editor(add={8: MANY}),
    Editor(add={32: MANY, 16: MANY}, drop={8: None}),
    Editor(drop={8: MANY, 16: MANY[:8], 32: None}, drop_attrs=[1, 3, 63, 64, 255]),
    Editor(med=1, local_pref=2, hop4=HOP4, hop6=HOP6),
    Editor(hop4=HOP4, hop6=(HOP6[0] * 2,) * 2, prepend=[1]),
    Editor(prepend=[70000] * 255),
    Editor(prepend=range(65530, 65540), add={8: MANY}, hop6=HOP6),
]
WORN = frozenset((5, 6, 7))  # of these: do something else when run again


def attributes(wire: bytes) -> list[tuple[int, bytes]]:
    """Code and value of each attribute of an UPDATE that parses."""
    at = 23 + int.from_bytes(wire[19:21])
    end = at + int.from_bytes(wire[at - 2 : at])
    found = []
    while at < end:
        start = at + (4 if wire[at] & 0x10 else 3)
        size = int.from_bytes(wire[at + 2 : start])
        found.append((wire[at + 1], wire[start : start + size]))
        at = start + size
    assert at == end
    return found


def routes(wires: list[bytes]) -> tuple[bytes, ...]:
    """All octets of prefixes: withdrawn, announced, and both in MP attributes."""
    withdrawn = announced = mp_reach = mp_unreach = b""
    for wire in wires:
        size = int.from_bytes(wire[19:21])
        withdrawn += wire[21 : 21 + size]
        announced += wire[23 + size + int.from_bytes(wire[21 + size : 23 + size]) :]
        for code, value in attributes(wire):
            if code == 14:
                mp_reach += value[5 + value[3] :]
            elif code == 15:
                mp_unreach += value
    return withdrawn, announced, mp_reach, mp_unreach


PEERS = [
    SessionContext(),
    SessionContext(as_size=2, addpath=["IPV4/UNICAST"]),
    SessionContext(addpath=["IPV4/UNICAST", "IPV6/UNICAST", "IPV4/FLOWSPEC"], extended_messages=True),
    SessionContext(as_size=2, extended_messages=True),
]


def sent(batch: Batch) -> None:
    """An UPDATE for peers that want it otherwise: what they get parses, is not too long, and has all prefixes or says so."""
    (wire,) = wires([batch])
    for context in PEERS:
        said: list[InputError] = []
        encoder = PeerEncoder(int(context), on_skip=said.append)
        stream = encode(encoder, [batch])
        assert stream == encode(encoder, [batch])
        assert len(said) == encoder.skipped in (0, 2)
        (after,), error = decode(RawDecoder(context=int(context), block_size=len(stream)), stream) if stream else ([Batch()], None)
        assert error is None
        assert len(after) == encoder.written / 2
        for part in after:
            assert part.wire == wire or part.error is None
            assert len(part.wire) <= (65535 if context.extended_messages else 4096)
        assert len(after) or said
    assert wires([batch]) == [wire]


def edit(data: bytes) -> None:
    """An UPDATE that is edited: byte 0 says how it is read, byte 1 by which editor, the rest is its body."""
    how, which, body = *(data[:2] + b"\0\0")[:2], data[2 : 65536 - 19]
    wire = MARKER + (19 + len(body)).to_bytes(2) + b"\2" + body
    which %= len(EDITORS)
    limit = 65535 if how & 4 or len(wire) > 4096 else 4096

    def run(wires: list[bytes]) -> tuple[list[bytes], list[int]]:
        stream = b"".join(wires)
        (batch,), error = decode(
            RawDecoder(as_size=2 if how & 1 else 4, addpath=bool(how & 2), context=how & 4 and 2, block_size=len(stream)), stream
        )
        assert error is None
        if len(wires) == 1:
            sent(batch)
        bad = batch.check()
        after, short = EDITORS[which].edit(batch, 3)
        assert after.check() == bad
        assert len(after.failures()) == bad
        encode(JsonEncoder(), [after])
        return [msg.wire for msg in after], short

    found, short = run([wire])
    assert all(len(part) <= limit for part in found)
    if not found:
        return
    if not short:
        assert routes(found) == routes([wire])
        if which not in WORN:
            again, short = run(found)
            assert again == found
            assert not short
    else:
        assert routes(found)[::3] == routes([wire])[::3], "what is withdrawn goes on"
def recount(table: RouteTable, limits: dict[str, Any]) -> None:
    """What the counts say is what the routes add up to, and no more than there may be."""
    routes = table.routes()
    assert len(routes) == len(table)
    origins: Counter[object] = Counter(origin for *_, found in routes for origin in found)
    blocks: Counter[object] = Counter()
    sessions: Counter[object] = Counter()
    for owner, asn, address, _, _, prefix, found in routes:
        assert len(found) == len(set(found)) <= 64
        bits = 16 if prefix.afi == 1 else 32
        first = int.from_bytes(prefix.packed[:8].ljust(8, b"\0")) >> (64 - bits) << (64 - bits)
        blocks[prefix.bits, first] += 1
        sessions[owner, asn, address] += 1
    totals = table.totals()
    for what, counted in (("origin", origins), ("block", blocks)):
        assert {key: count for (kind, key), count in totals.items() if kind == what} == (counted if limits[what] else {})
    held = sorted(count for (kind, _), count in totals.items() if kind == "session")
    assert held == (sorted(sessions.values()) if limits["session"] else [])
    for (what, _), count in totals.items():
        assert 0 < count <= limits[what]


def limited(data: bytes) -> None:
    """Messages through a limiter: bytes 0 and 1 say which limits and what the rest is, archive or bare messages."""
    how, many, stream = *(data[:2] + b"\0\0")[:2], data[2:]
    limits: dict[str, Any] = {"session": many & 7, "origin": many >> 3 & 3, "block": many >> 5}
    lengths: dict[str, Any] = {"min_length": 9, "max_length": 40} if how & 8 else {}
    families = 15 if how & 16 else 5

    def run(wanted: int) -> list[Batch]:
        if how & 1:
            found, _ = decode(MrtDecoder(pardon=True), stream, 500)
        else:
            found, _ = decode(RawDecoder(addpath=bool(how & 2), as_size=2 if how & 4 else 4, pardon=True), stream, 500)
        table = RouteTable()
        limiter = Limiter(table, families=families, permanent=bool(how & 32), drop_unparsed=not how & 64, **limits, **lengths)
        limiter.wanted = wanted
        for batch in found:
            before = wires([batch])
            at = 0
            while at < len(batch):
                at = limiter.run(batch, 3, at)
                assert not limiter.found or message_at(batch, at - 1).wire != before[at - 1] or message_at(batch, at - 1).dropped
            recount(table, limits)
            for index, wire in enumerate(before):
                msg = message_at(batch, index)
                assert msg.edited == (msg.wire != wire)
                if msg.edited:
                    assert msg.error is None and msg.update is not None and msg.update.end_of_rib is None
                    assert len(msg.wire) == int.from_bytes(msg.wire[16:18]) < len(wire)
                if lengths and msg.update is not None and not msg.dropped and msg.error is None:
                    for prefix in (*msg.update.reach, *msg.update.unreach):
                        assert 9 <= prefix.length <= 40
        limiter.forget()
        assert not table.totals() and not len(table)
        return found

    one, other = run(0), run(31)
    assert wires(one) == wires(other)
    assert [msg.dropped for batch in one for msg in messages(batch, dropped=True)] == [
        msg.dropped for batch in other for msg in messages(batch, dropped=True)
    ]


def filters(data: bytes) -> None:
    """A filter and a message: byte 0 says in which context, byte 1 of which type, then the filter's text, a zero, the body."""
    how, kind, rest = *(data[:2] + b"\0\0")[:2], data[2 : 65536 - 64]
    text, _, body = rest.partition(b"\0")
    if how & 8:
        try:
            len(PrefixSet(text + body))
        except ValueError as error:
            assert 1 <= error.args[0] <= (text + body).count(b"\n") + 1
    families = ("IPV4/UNICAST", "IPV6/UNICAST") if how & 2 else ()
    context = SessionContext(as_size=2 if how & 1 else 4, addpath=families)
    try:
        wanted = Filter(text.decode("utf-8", "surrogateescape"))
        if "file" in wanted.text:
            return
        program = wanted.program
        opposite = Filter(f"!({wanted.text})")
    except FilterError as error:
        assert 0 <= error.position <= len(error.text)
        assert len(str(error)) < 400 and len(str(error).splitlines()) == 1, str(error)
        return
    msg = Msg.make(kind, body, context=context, tags={"PEER_AS": "64500", "x": ""}, direction="RL"[how >> 2 & 1])
    other = Msg.make("UPDATE", body, context=context)
    found = program.matches(collect([msg, other, msg]))
    assert list(found) == [program.match(one) for one in (msg, other, msg)]
    for one in (msg, other):
        if one.error is not None:
            assert not program.match(one) and not opposite.match(one)
        elif one.update is not None:
            assert program.match(one) != opposite.match(one)


class Line:
    """What comes from one peer of a proxy: framed as the transport does, in the context that the session has by then."""

    def __init__(self, direction: str, watch: Watch, end: End, other: End) -> None:
        self._decoder = RawDecoder(direction=direction)
        self._direction = direction
        self._watch, self._end, self._other = watch, end, other
        self._broken = False
        self._opens = 0
        self.seen: list[Seen] = []

    def feed(self, data: bytes, now: float, also: OwnEnd | None) -> None:
        while not self._broken:
            receive = self._end.receive
            self._decoder.ctx = int(receive)
            self._decoder.longest = LONGEST_EXTENDED if receive.extended_messages else LONGEST
            self._decoder.cut = self._watch.cut(self._direction)
            batch = self._decoder.feed(data)
            if self._end.timers is not None and (len(batch) or batch.error is not None):
                self._end.timers.heard(now)
            wrong = self._watch.came(message_at(batch, len(batch) - 1), now) if self._decoder.paused else None
            if wrong is not None:
                self._broken = True
                batch.cut(len(batch) - 1)
                self._end.end(wrong)
                self._other.end(cease(f"the other side of the proxy: {wrong}"))
            for msg in messages(batch):
                assert self._end.negotiated is not None or msg.type_code not in (2, 5), "routes in a context that is a guess"
                assert msg.type_code != 2 or msg.context == self._end.receive
                self._opens += msg.type_code == 1
            assert self._opens <= 1
            if also is not None:
                also.take(batch, now)
            for index in batch.find(self._watch.interest(self._direction), 3):
                self.seen += self._watch.went(message_at(batch, index), now)
            left = self._decoder.rest(1 << 20)
            if batch.error is not None:
                self._broken = True
                cause = header_error(left[:HEADER_SIZE], extended=receive.extended_messages)
                assert cause is not None, "what is no message has a NOTIFICATION"
                self._end.end(cause)
                self._other.end(cease(f"the other side of the proxy: {cause}"))
            elif not self._decoder.paused:
                assert len(left) < LONGEST_EXTENDED
            if not self._decoder.paused:
                return
            data = b""


class OwnEnd:
    """A speaker that gets the same, as the stage would give it."""

    def __init__(self, speaker: Speaker) -> None:
        self.speaker = speaker

    def take(self, batch: Batch, now: float) -> None:
        speaker = self.speaker
        for index in batch.find(speaker.interest, 3):
            speaker.receive(message_at(batch, index).wire, now)
        if speaker.state is State.ESTABLISHED and len(batch):
            speaker.heard(now)
            if batch.check():
                for index, error in batch.failures():
                    speaker.malformed(error, batch.wire(index))


def said(found: list[bytes]) -> None:
    """What one end has sent: whole messages, one OPEN, one NOTIFICATION, and nothing behind that."""
    kinds = [wire[18] for wire in found]
    assert all(header_error(wire) is None and len(wire) == int.from_bytes(wire[16:18]) for wire in found)
    assert kinds.count(1) <= 1
    assert 3 not in kinds[:-1]


def session(data: bytes) -> None:
    """Two peers and time: byte 0 says which, then steps of two octets (kind, length or amount) and what is said.

    Through a proxy; and what the left one says goes to a speaker of our own, too.
    """
    how, steps = (data[:1] + b"\0")[0], data[1:]

    def run(piece: int) -> object:
        now = 1000.0
        watch = Watch(jitter=lambda: 0.5)
        watch.left.connected(now)
        watch.right.connected(now)
        speaker = Speaker(
            active=bool(how & 1), asn=65055 if how & 1 else -1, hold_time=30 if how & 2 else 0,
            remote_asn=65001 if how & 4 else -1, tolerant=not how & 8, jitter=lambda: 0.5,
        )  # fmt: skip
        speaker.connected(now)
        lines = Line("R", watch, watch.left, watch.right), Line("L", watch, watch.right, watch.left)
        sent: dict[str, list[bytes]] = {"left": [], "right": [], "speaker": []}
        at = 0
        while at + 2 <= len(steps):
            what, amount = steps[at] & 3, (steps[at] >> 2) << 8 | steps[at + 1]
            at += 2
            if what < 2:
                octets = steps[at : at + amount]
                at += len(octets)
                for start in range(0, len(octets), piece):
                    lines[what].feed(octets[start : start + piece], now, OwnEnd(speaker) if what == 0 else None)
            elif what == 2:
                now += amount / 16
                for timed in (watch, speaker):
                    timed.tick(now)
                    deadline = timed.next_deadline()
                    assert deadline is None or deadline > now, "what was due is done"
            else:
                end = watch.right if amount & 1 else watch.left
                on = bool(amount & 2)
                if amount & 4:
                    end.waiting(on)
                elif amount & 8 and end.timers is not None:
                    end.timers.writing(on, now)
                elif amount & 16 and end.timers is not None:
                    end.timers.reading(on, now)
                elif amount & 32:
                    watch.end("bye")
                    speaker.close("bye")
            for end in (watch.left, watch.right):
                sent[end.name] += end.take()
            sent["speaker"] += speaker.take()
        for found in sent.values():
            said(found)
        assert speaker.state is not State.CLOSED or speaker.next_deadline() is None
        seen = [(event.name, getattr(event, "direction", ""), getattr(event, "family", "")) for line in lines for event in line.seen]
        assert len(seen) == len(set(seen)), "each event comes once"
        return sent, seen, speaker.state

    assert run(1 << 16) == run(1 + how * 7), "how what comes is cut must not matter"


TARGETS = {
    "edit": edit,
    "framing": framing,
    "update": update,
    "nlri": nlri,
    "attributes": attribute,
    "open": open_message,
    "other": other,
    "json": json_input,
    "exa": exa,
    "mrt": mrt,
    "bmp": bmp,
    "obmp": obmp,
    "view": view,
    "bunzip2": bunzip2,
    "filters": filters,
    "limit": limited,
    "session": session,
}
