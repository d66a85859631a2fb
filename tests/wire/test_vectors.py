"""Each rule of the JSON form, on bytes written by hand."""

from __future__ import annotations

import json

import pytest

import oracle
from bgpipe.errors import MessageError
from bgpipe.names import MESSAGE_TYPES
from conversion import Codec
from wire.vectors import VECTORS, Vector


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_vector(codec: Codec, vector: Vector) -> None:
    kind = MESSAGE_TYPES.get(vector.kind, vector.kind)
    found = codec.decode([vector.wire], vector.as_size, vector.addpath)
    assert json.dumps(found) == json.dumps([[kind, vector.data]])
    assert codec.encode([(kind, vector.data)]) == [vector.wire]


@pytest.mark.parametrize(
    "wire",
    [
        bytes.fromhex("fe" + "ff" * 15 + "001304"),
        bytes.fromhex("ff" * 16 + "001404"),
        bytes.fromhex("ff" * 16 + "001204"),
        bytes.fromhex("ff" * 16 + "0013"),
        b"",
    ],
)
def test_oracle_refuses_a_bad_header(wire: bytes) -> None:
    with pytest.raises(MessageError):
        oracle.decode_message(wire)
