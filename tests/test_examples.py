"""The examples of README.md, docs/library.md and examples/README.md do what stands below them. In CI they run against a clean install, too."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

import bgpipe

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("page", ["README.md", "docs/library.md", "examples/README.md"])
def test_examples(page: str) -> None:
    spec = importlib.util.spec_from_file_location("examples", ROOT / ".ci" / "examples.py")
    assert spec is not None and spec.loader is not None
    examples = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(examples)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "PYTHONPATH": str(Path(bgpipe.__file__).parents[1])}
    assert examples.run(ROOT / page, env) > 0
