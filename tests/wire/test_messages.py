"""Whole BGP messages from the tests of many other implementations: each has a JSON form, and comes back."""

from __future__ import annotations

import json

import pytest

import corpus
import oracle
from conversion import Codec

CONTEXTS = [(4, False), (4, True), (2, False), (2, True)]


def framed(wire: bytes) -> bool:
    """Whether a message has a header that frames it: not all of them are well-formed."""
    return wire[:16] == oracle.MARKER and int.from_bytes(wire[16:18], "big") == len(wire) >= 19


@pytest.mark.parametrize(("as_size", "addpath"), CONTEXTS)
def test_round_trip(codec: Codec, as_size: int, addpath: bool) -> None:
    found = [message for message in corpus.messages() if framed(message.wire)]
    messages = codec.decode([message.wire for message in found], as_size, addpath)
    for source, message in zip(found, messages, strict=True):
        assert json.dumps(message) == json.dumps(oracle.decode_message(source.wire, as_size, addpath)), source
    for source, wire in zip(found, codec.encode(messages), strict=True):
        assert wire == source.wire, source.source


def test_most_are_typed() -> None:
    """The fallback to hex is for what is malformed or undeclared, not for what nobody got round to."""
    updates = [oracle.decode_message(message.wire) for message in corpus.messages() if framed(message.wire)]
    bodies = [data for kind, data in updates if kind in ("OPEN", "UPDATE", "NOTIFY")]
    assert sum(isinstance(data, dict) for data in bodies) >= 0.9 * len(bodies)
