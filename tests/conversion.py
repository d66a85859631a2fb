"""The ways to turn real input into JSON messages and back: the oracle, and the compiled core.

Tests take them as the fixtures `codec` and `converter`, so that the same test holds for both.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import oracle
from bgpipe._codec import Batch, Buffer, Decoder, RawDecoder
from bgpipe._json import JsonEncoder
from bgpipe._json_reader import JsonDecoder
from bgpipe._mrt import MrtDecoder
from bgpipe.errors import InputError
from oracle_guess import Guesser

Message = oracle.Message
Json = oracle.Json


@dataclass(frozen=True)
class Codec:
    """Between whole BGP messages and their type and data.

    decode: wire bytes, bytes of an AS number, ADD-PATH for all families -> type and data of each.
    encode: type and data of each -> wire bytes.
    """

    name: str
    decode: Callable[[list[bytes], int, bool], list[tuple[str | int, Json]]]
    encode: Callable[[list[tuple[str | int, Json]]], list[bytes]]


@dataclass
class Conversion:
    """What came out, and of each damaged record the number, from 1, and the offset."""

    messages: list[Message]
    damaged: list[tuple[int | None, int | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Converter:
    """From MRT data to messages: all of them, or the first `count` at least. With `pardon` past damaged records.

    guess: path ids that records do not declare are found out.
    """

    name: str
    _read: Callable[[bytes, int | None, bool, bool], Conversion]

    def read(self, mrt: bytes, count: int | None, pardon: bool, guess: bool = False) -> Conversion:
        return self._read(mrt, count, pardon, guess)


def oracle_decode(wires: list[bytes], as_size: int, addpath: bool) -> list[tuple[str | int, Json]]:
    return [oracle.decode_message(wire, as_size, addpath) for wire in wires]


def oracle_encode(messages: list[tuple[str | int, Json]]) -> list[bytes]:
    return [oracle.encode_message(kind, data) for kind, data in messages]


def oracle_read(mrt: bytes, count: int | None, pardon: bool, guess: bool) -> Conversion:
    """Slow, so it stops at `count`."""
    conversion = Conversion([])
    for record in oracle.read_mrt(mrt, pardon, Guesser(asn=False, addpath=guess)):
        conversion.messages += record.messages
        if record.error is not None:
            conversion.damaged.append((record.number, record.offset))
        if count is not None and len(conversion.messages) >= count:
            break
    return conversion


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    assert len(found) == len(pairs), f"a key comes twice: {[key for key, _ in pairs]}"
    return found


def parse_lines(text: bytes) -> list[Message]:
    return [json.loads(line, object_pairs_hook=unique_keys) for line in text.split(b"\n") if line]


def batches(decoder: Decoder, data: bytes) -> Iterator[Batch]:
    source = io.BytesIO(data)
    while (batch := decoder.read(source)) is not None:
        yield batch


def good_batches(decoder: Decoder, data: bytes) -> Iterator[Batch]:
    for batch in batches(decoder, data):
        if batch.error is not None:
            raise batch.error
        yield batch


def core_decode(wires: list[bytes], as_size: int, addpath: bool) -> list[tuple[str | int, Json]]:
    encoder, out = JsonEncoder(), Buffer()
    for batch in good_batches(RawDecoder(as_size=as_size, addpath=addpath), b"".join(wires)):
        encoder.encode(batch, out)
    return [(message[3], message[4]) for message in parse_lines(bytes(out))]


def compact(message: Message) -> str:
    """As bgpipe itself writes it, which its native reader understands."""
    return json.dumps(message, separators=(",", ":"))


def core_encode(messages: list[tuple[str | int, Json]]) -> list[bytes]:
    lines = [compact(["R", 1, "2026-01-01T00:00:00.000", *message, {}]) + "\n" for message in messages]
    found = good_batches(JsonDecoder(), "".join(lines).encode())
    return [batch.wire(index) for batch in found for index in range(len(batch))]


def core_read(mrt: bytes, count: int | None, pardon: bool, guess: bool) -> Conversion:
    damaged: list[tuple[int | None, int | None]] = []

    def skipped(error: InputError) -> None:
        damaged.append((error.record, error.offset))

    encoder, out = JsonEncoder(), Buffer()
    following = 1, 1
    for batch in batches(MrtDecoder(pardon=pardon, guess_addpath=guess, on_skip=skipped), mrt):
        following = batch.number(*following)
        encoder.encode(batch, out)
        if batch.error is not None:
            skipped(batch.error)
        if count is not None and encoder.written >= count:
            break
    return Conversion(parse_lines(bytes(out)), damaged)


CODECS = [Codec("oracle", oracle_decode, oracle_encode), Codec("core", core_decode, core_encode)]

ORACLE = Converter("oracle", oracle_read)
CORE = Converter("core", core_read)
CONVERTERS = [ORACLE, CORE]
