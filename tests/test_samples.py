"""The samples that ship are what their generator makes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SAMPLES = Path(__file__).parent.parent / "samples"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("samples_generate", SAMPLES / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["session.mrt", "rib.mrt"])
def test_file_is_what_the_generator_makes(generator: ModuleType, name: str) -> None:
    assert (SAMPLES / name).read_bytes() == generator.SAMPLES[name](generator.SEED)


def test_seed_decides(generator: ModuleType) -> None:
    assert generator.session(1) == generator.session(1) != generator.session(2)
