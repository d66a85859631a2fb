"""The compiled core reads any MRT archive as the oracle does: messages, order, times, tags, and where the damage is."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import oracle
from bgpipe._codec import Buffer, Decoder
from bgpipe._json_reader import JsonDecoder
from bgpipe._mrt import MrtDecoder, MrtEncoder
from conversion import CORE, ORACLE, Conversion, Message, batches, compact
from property.archives import archives

slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slow
@given(data=archives(), pardon=st.booleans())
def test_core_equals_oracle(data: bytes, pardon: bool) -> None:
    ours, theirs = (converter.read(data, None, pardon) for converter in (CORE, ORACLE))
    assert [json.dumps(message) for message in ours.messages] == [json.dumps(message) for message in theirs.messages]
    assert ours.damaged == theirs.damaged


def core_write(decoder: Decoder, data: bytes) -> bytes:
    encoder, out = MrtEncoder(), Buffer()
    for batch in batches(decoder, data):
        encoder.encode(batch, out)
    assert encoder.skipped == 0
    return bytes(out)


def without_zeros(message: Message) -> Message:
    """A RIB has tags for an AS 0 and an address of zeros, a session does not."""
    tags = {key: text for key, text in message[5].items() if text not in ("0", "0.0.0.0", "::")}
    return [*message[:5], tags]


@slow
@given(data=archives())
def test_written_again(data: bytes) -> None:
    """MRT -> MRT keeps every message, its time, its tags and how it is read."""
    messages = [without_zeros(message) for message in ORACLE.read(data, None, True).messages]
    written = core_write(MrtDecoder(pardon=True), data)
    for converter in (CORE, ORACLE):
        assert converter.read(written, None, False) == Conversion(messages)


def unclear_path_ids(message: Message) -> bool:
    """Path ids beside an attribute of unicast or multicast that does not parse: its hex does not say whether it has some."""
    attrs = message[4].get("attrs", {}) if isinstance(message[4], dict) else {}
    values = [attrs[name]["value"] for name in ("MP_REACH", "MP_UNREACH") if name in attrs]
    return oracle.has_path_ids(message[4]) and any(oracle.is_hex(value) for value in values)


@slow
@given(data=archives())
def test_core_writes_what_the_oracle_writes(data: bytes) -> None:
    """JSON -> MRT."""
    messages = [message for message in ORACLE.read(data, None, True).messages if not unclear_path_ids(message)]
    lines = "".join(compact(message) + "\n" for message in messages)
    assert core_write(JsonDecoder(), lines.encode()) == oracle.write_mrt(messages)
