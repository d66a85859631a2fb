"""Fixtures that every test can take."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import conversion

# Whoever started the tests in the background had them ignore it (POSIX shells do); tests that interrupt would hang.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=conversion.CODECS, ids=lambda codec: codec.name)
def codec(request: pytest.FixtureRequest) -> conversion.Codec:
    """The oracle and the compiled core in turn: BGP messages to JSON and back."""
    found: conversion.Codec = request.param
    return found


@pytest.fixture(params=conversion.CONVERTERS, ids=lambda converter: converter.name)
def converter(request: pytest.FixtureRequest) -> conversion.Converter:
    """The oracle and the compiled core in turn: MRT files to JSON."""
    found: conversion.Converter = request.param
    return found


@pytest.fixture(params=[1, 4], ids=["1 thread", "4 threads"])
def threads(request: pytest.FixtureRequest) -> str:
    """The global option of a pipeline that runs in so many threads."""
    return f"--threads={request.param}"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file to write to."""
    return tmp_path / "target.json"
