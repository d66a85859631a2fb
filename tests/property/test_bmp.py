"""The compiled core reads any BMP stream, bare or of OpenBMP, as the oracle does, and what it writes says the same again."""

from __future__ import annotations

import io
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import oracle
from bgpipe._bmp import BmpDecoder, BmpEncoder, Repeats
from bgpipe._codec import Batch, Buffer
from bgpipe._json import JsonEncoder
from bgpipe._json_reader import JsonDecoder
from conversion import Message, batches, parse_lines
from oracle_bmp import BmpReader, Event, Record, read_bmp
from oracle_guess import Guesser
from property import bmp

slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Pieces(io.BytesIO):
    """Gives no more than so many octets at once, in turn."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        super().__init__(data)
        self._sizes = sizes
        self._turn = 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._turn += 1
        return super().readinto(buffer[: self._sizes[self._turn % len(self._sizes)]])


def core_read(data: bytes, sizes: list[int], **options: bool) -> tuple[list[Message], list[tuple[int | None, int | None]], dict[str, int], list[Event]]:
    """Messages, number and offset of what is damaged, kinds, events."""
    damaged: list[tuple[int | None, int | None]] = []
    decoder = BmpDecoder(on_skip=lambda error: damaged.append((error.record, error.offset)), block_size=64, **options)
    encoder, out, source, following, events = JsonEncoder(), Buffer(), Pieces(data, sizes), (1, 1), []
    while (batch := decoder.read(source)) is not None:
        following = batch.number(*following)
        encoder.encode(batch, out)
        events += decoder.take_events()
        if batch.error is not None:
            damaged.append((batch.error.record, batch.error.offset))
    return parse_lines(bytes(out)), damaged, decoder.kinds, events + decoder.take_events()


def messages_of(records: list[Record]) -> list[Message]:
    return [message for record in records for message in record.messages]


@slow
@given(
    wrapped=st.booleans(),
    data=st.data(),
    sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=4),
    pardon=st.booleans(),
    peer_tags=st.booleans(),
    everything=st.booleans(),
    guess=st.sampled_from([None, (False, True), (True, False), (True, True)]),
)
def test_core_equals_oracle(
    wrapped: bool, data: st.DataObject, sizes: list[int], pardon: bool, peer_tags: bool, everything: bool, guess: tuple[bool, bool] | None
) -> None:
    """Any stream, well formed or not, and however its reads are cut."""
    stream = data.draw(bmp.wrapped() if wrapped else bmp.streams())
    asn, addpath = guess or (False, False)
    reader = BmpReader(peer_tags=peer_tags, everything=everything, guesser=Guesser(asn, addpath, doubts=True) if guess else None)
    records = list(read_bmp(stream, reader, openbmp=wrapped, pardon=pardon))
    ours, damaged, kinds, events = core_read(
        stream, sizes, openbmp=wrapped, pardon=pardon, peer_tags=peer_tags, everything=everything, guess_asn=asn, guess_addpath=addpath
    )
    assert [json.dumps(message) for message in ours] == [json.dumps(message) for message in messages_of(records)]
    assert damaged == [(record.number, record.offset) for record in records if record.error]
    assert kinds == dict(reader.kinds)
    assert events == reader.events


def written(found: list[Batch], openbmp: bool) -> tuple[bytes, BmpEncoder]:
    encoder, once, out, made = BmpEncoder(openbmp=openbmp), Repeats(openbmp=openbmp), Buffer(), b""
    for batch in found:
        out.clear()
        encoder.encode(batch, out)
        once.take_out(out)
        made += bytes(out)
    return made, encoder


def said(message: Message, wrapped: bool, typed: bool) -> str:
    """What of a message BMP has a place for. Not typed: its octets, since not all that JSON has says how to read them."""
    tags = {key: text for key, text in message[5].items() if wrapped or key not in ("COLLECTOR", "ROUTER")}
    tags = {key: text for key, text in tags.items() if key not in ("ADDPATH", "AS_SIZE")}
    data = message[4] if typed else oracle.encode_message(*message[3:5]).hex()
    return json.dumps([*message[2:4], data, tags])


def stays(message: Message) -> bool:
    """Not those that BMP has no place for."""
    is_loc = message[5].get("PEER_TYPE") == "3"
    return message[3] == "UPDATE" and not (is_loc and isinstance(message[4], dict) and message[4].get("as_size") == 2)


@slow
@given(wrapped=st.booleans(), to_wrapped=st.booleans(), data=st.data(), guess=st.booleans(), by_json=st.booleans(), piece=st.sampled_from([64, 1 << 18]))
def test_what_is_written_says_the_same(wrapped: bool, to_wrapped: bool, data: st.DataObject, guess: bool, by_json: bool, piece: int) -> None:
    """The oracle reads what the core has written, straight from BMP or by way of JSON, as what was read at first."""
    stream = data.draw(bmp.wrapped(damage=False) if wrapped else bmp.streams(damage=False))
    decoder = BmpDecoder(openbmp=wrapped, peer_tags=True, guess_asn=guess, guess_addpath=guess, block_size=piece)
    found = list(batches(decoder, stream))
    lines = Buffer()
    encoder, following = JsonEncoder(), (1, 1)
    for batch in found:
        following = batch.number(*following)
        encoder.encode(batch, lines)
    expected = [message for message in parse_lines(bytes(lines)) if stays(message)]
    if by_json:
        found = list(batches(JsonDecoder(), bytes(lines)))
    made, writer = written(found, to_wrapped)
    records = list(read_bmp(made, BmpReader(peer_tags=True, everything=False, guesser=None), openbmp=to_wrapped))
    assert [record.error for record in records if record.error] == []
    again = [message for message in messages_of(records) if message[3] == "UPDATE"]
    names = wrapped and to_wrapped
    assert [said(message, names, not by_json) for message in again] == [said(message, names, not by_json) for message in expected]
    assert writer.written + writer.skipped == sum(map(len, found))
