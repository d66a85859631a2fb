"""What `from bgpipe import *` gives says what it is: help() works without the source."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import bgpipe

NAMES = [name for name in bgpipe.__all__ if name != "__version__"]
COMPILED = {"_view": ["Msg", "SessionContext"], "_update": ["AsPath", "Update"], "_attributes": ["ExtCommunity", "Prefix"]}


@pytest.mark.parametrize("name", NAMES)
def test_docstrings(name: str) -> None:
    thing = getattr(bgpipe, name)
    assert inspect.getdoc(thing)
    if inspect.isclass(thing):
        methods = {key: value for key, value in vars(thing).items() if not key.startswith("_") and callable(value)}
        assert [key for key, value in methods.items() if not inspect.getdoc(value)] == []


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in COMPILED.items() for name in names])
def test_signatures_of_compiled_classes(module: str, name: str) -> None:
    """As the .pyi says: names, order, defaults, and what takes its keyword only."""
    thing = getattr(bgpipe, name)
    tree = ast.parse((Path(bgpipe.__file__).parent / f"{module}.pyi").read_text())
    (declared,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    (init,) = (node for node in declared.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    del init.args.args[0]
    for argument in (*init.args.args, *init.args.kwonlyargs):
        argument.annotation = None
    assert str(inspect.signature(thing)) == f"({ast.unparse(init.args)})"
    assert not thing.__doc__.startswith(name + "(")
    assert not any((inspect.getdoc(value) or "").startswith(f"{name}.") for value in vars(thing).values())
