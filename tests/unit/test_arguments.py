"""Compiled classes and functions in the hands of who mistakes their arguments: exceptions, never a crash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bgpipe

MODULES = sorted(path.stem for path in Path(bgpipe.__file__).parent.glob("_*.pyi"))

# A crash ends the process that runs this; what it said last was the call.
EACH = """
import importlib, itertools, sys
from io import BytesIO

import bgpipe
from bgpipe._codec import Buffer, RawDecoder

UPDATE = bytes.fromhex("ff" * 16 + "002f 02 0000 0014 40010100 4002060201 0000fde8 400304c0000201 18c00002")
NOTIFICATION = bytes.fromhex("ff" * 16 + "0015 03 0604")

def batch():
    return RawDecoder().read(BytesIO(2 * UPDATE + NOTIFICATION))

def arguments():
    return [None, 1, b"", batch(), Buffer(), bgpipe.Msg(UPDATE)]

def attempt(function):
    try:
        function()
    except Exception:
        pass

def call(what, function_of):
    print(what, flush=True)
    for count in range(4):
        for places in itertools.product(range(len(arguments())), repeat=count):
            attempt(lambda: function_of()(*[arguments()[place] for place in places]))

def objects(cls):
    yield "__new__", lambda: cls.__new__(cls)
    for given in ((), (b"",), (UPDATE,), ("10.0.0.0/8",), ({}, ()), (batch(),), (bgpipe.Msg(UPDATE),)):
        try:
            cls(*given)
        except Exception:
            continue
        yield given, lambda: cls(*given)

module = importlib.import_module("bgpipe." + sys.argv[1])
for name, thing in list(vars(module).items()):
    if getattr(thing, "__module__", None) != module.__name__ or not callable(thing):
        continue
    call(name, lambda: thing)
    if not isinstance(thing, type):
        continue
    for how, make in objects(thing):
        try:
            make()
        except Exception:
            continue
        for attribute in vars(thing):
            if attribute in ("__new__", "__doc__", "__getstate__"):
                continue
            where = f"{name} of {how}: {attribute}"
            print(where, flush=True)
            attempt(lambda: getattr(make(), attribute))
            attempt(lambda: setattr(make(), attribute, None))
            if callable(getattr(thing, attribute)):
                call(where, lambda: getattr(make(), attribute))
"""


@pytest.mark.parametrize("module", MODULES)
def test_no_call_crashes(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", EACH, module], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, (done.stdout.splitlines()[-1:], done.stderr[-2000:])
