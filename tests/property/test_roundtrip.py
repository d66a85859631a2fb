"""Wire -> JSON -> wire is the identity, and the compiled core says what the oracle says."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings

import conversion
from conversion import Codec
from property.strategies import sessions

Session = tuple[int, bool, list[bytes]]
slow = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@slow
@given(session=sessions())
def test_identity(codec: Codec, session: Session) -> None:
    as_size, addpath, wires = session
    messages = codec.decode(wires, as_size, addpath)
    assert len(messages) == len(wires)
    assert codec.encode(json.loads(json.dumps(messages))) == wires


@slow
@given(session=sessions())
def test_core_equals_oracle(session: Session) -> None:
    """Key order too: attributes stand in the order of the wire."""
    as_size, addpath, wires = session
    theirs, ours = (codec.decode(wires, as_size, addpath) for codec in conversion.CODECS)
    for wire, expected, found in zip(wires, theirs, ours, strict=True):
        assert json.dumps(found) == json.dumps(expected), wire.hex()
