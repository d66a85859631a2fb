"""The compiled core says of every real file what the oracle says, tags and order of keys included."""

from __future__ import annotations

import json

import pytest

import corpus
from conversion import CORE, ORACLE, Converter

LIMIT = 500_000  # bytes of a file that are compared: the oracle is slow


@pytest.mark.parametrize("name", corpus.names("mrt"))
def test_core_equals_oracle(name: str) -> None:
    data = corpus.start_of_mrt(corpus.read(corpus.folder() / "mrt" / name), LIMIT)
    ours, theirs = CORE.read(data, None, False), ORACLE.read(data, None, False)
    for found, expected in zip(ours.messages, theirs.messages, strict=True):
        assert json.dumps(found) == json.dumps(expected)
    assert ours.damaged == theirs.damaged


def test_a_torn_file(converter: Converter) -> None:
    """Ten bytes are left of its fifth record: what was before it is delivered, and the error says where."""
    data = corpus.read(corpus.folder() / "mrt" / "torn.updates.20000325.0345.gz")
    conversion = converter.read(data, None, False)
    assert conversion.damaged == [(5, 188)]
    assert [message[3] for message in conversion.messages] == ["UPDATE", "KEEPALIVE", "UPDATE", "UPDATE"]
