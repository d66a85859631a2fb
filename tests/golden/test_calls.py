"""Functions that pass what they get change nothing: every real file comes out as it went in, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import corpus
from bgpipe._calls import Calls
from bgpipe._codec import Batch, Buffer, Encoder, RawEncoder
from bgpipe._json import JsonEncoder
from bgpipe._mrt import MrtDecoder, MrtEncoder
from bgpipe.pipeline.engine import Pipeline
from conversion import batches


def failed(error: Exception) -> bool:
    raise AssertionError("it is not to raise") from error


def as_it_is(batch: Batch) -> Batch:
    calls = Calls(batch)
    calls.each(lambda msg: msg, failed)
    assert calls.finish() is None
    return batch


def put_again(batch: Batch) -> Batch:
    """Each message in place of itself, with a copy in front that is dropped again."""
    calls = Calls(batch)
    calls.each(lambda msg: [msg.copy(), msg], failed)
    after = calls.finish() or batch
    calls = Calls(after)
    seen = set()

    def once(index: int) -> bool:
        return index % 2 == 1 or bool(seen.add(index))

    calls.each(lambda msg: msg if once(msg.index) else None, failed)
    return calls.finish() or after


def together(batch: Batch) -> Batch:
    calls = Calls(batch)
    if (chosen := calls.chosen()) is None:
        return batch
    calls.replace(list(chosen))
    return calls.finish() or batch


def every_third(batch: Batch) -> Batch:
    calls = Calls(batch, 3, 0xFFFFFFFF, bytes(i % 3 == 0 for i in range(len(batch))))
    if (chosen := calls.chosen()) is None:
        return batch
    calls.replace(chosen)
    return calls.finish() or batch


def encoded(batch: Batch, encoders: list[Encoder]) -> Iterator[bytes]:
    for encoder in encoders:
        out = Buffer()
        encoder.encode(batch, out)
        yield bytes(out)


@pytest.mark.parametrize("name", corpus.names("mrt"))
def test_batches(name: str) -> None:
    data = corpus.start_of_mrt(corpus.read(corpus.folder() / "mrt" / name), 4_000_000)
    encoders: list[Encoder] = [JsonEncoder(), RawEncoder(), MrtEncoder()]
    for batch in batches(MrtDecoder(pardon=True), data):
        expected = list(encoded(batch, encoders))
        for function in (as_it_is, together, every_third, put_again):
            assert list(encoded(function(batch), encoders)) == expected, function.__name__


@pytest.mark.parametrize("threads", ["--threads=1", "--threads=2"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_pipeline(asynchronous: bool, threads: str, tmp_path: object) -> None:
    async def later(msg: object) -> object:
        if msg.seq % 1000 == 0:  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        return msg

    path = corpus.folder() / "mrt" / "updates.20160811.1600.gz"
    Pipeline([threads, "--", "read", str(path), "--", "write", f"{tmp_path}/expected.mrt"]).run_sync()
    pipe = Pipeline([threads, "--", "read", str(path), "--", "write", f"{tmp_path}/found.mrt"])
    pipe.on_message(later if asynchronous else lambda msg: msg)
    pipe.run_sync()
    found, expected = (open(f"{tmp_path}/{name}.mrt", "rb").read() for name in ("found", "expected"))  # noqa: SIM115
    assert found == expected
