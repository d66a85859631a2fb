"""The fuzz targets on what is known: the seeds, and what fuzzers found (regressions/). Needs no fuzzer."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


targets, seeds = module("targets"), module("seeds")


@pytest.mark.parametrize("target", targets.TARGETS)
def test_replay(target: str) -> None:
    if seeds.corpus() is None and os.environ.get("CI") == "true":
        pytest.fail("no corpus: set BGPIPE_CORPUS, or put it at ../shared/data")
    count = 0
    for count, data in enumerate(seeds.seeds(target), 1):
        try:
            targets.TARGETS[target](data)
        except Exception as error:
            error.add_note(f"input {count}: {data.hex()}")
            raise
    assert count > 0
