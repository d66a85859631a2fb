"""Interoperability with real daemons: what there is to have, and a world for each test.

`make interop` runs all of it. `make test` runs what is not marked `long`, and skips daemons that are not installed. With
CI=true a missing one is a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.daemons import DAEMONS
from interop.world import World

TOOLS = {"ip": "iproute2", "nft": "nftables", "tshark": "tshark", "openssl": "openssl", "bgpdump": "bgpdump"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("BGPIPE_INTEROP") == "all":
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="make interop runs it"))


def needs(condition: bool, text: str) -> None:
    if not condition:
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A World for a test, which says with the marker `needs` what else it takes: daemons, or tools."""
    needs(os.geteuid() == 0, "network namespaces take root")
    wanted = {"ip", *(name for mark in request.node.iter_markers("needs") for name in mark.args)}
    parameters = request.node.callspec.params.values() if hasattr(request.node, "callspec") else ()
    wanted |= {value.name for value in parameters if isinstance(value, type)}
    for name in sorted(wanted):
        cls = next((cls for cls in DAEMONS if cls.name == name), None)
        there = cls.installed() if cls is not None else shutil.which(name) is not None
        needs(there, f"{name} is missing: apt install {TOOLS[name] if cls is None else cls.package}")
    tmp_path.chmod(0o755)
    made = World(tmp_path, apart=request.node.get_closest_marker("apart") is not None)
    try:
        yield made
    finally:
        made.close()
        print(made.report())  # shown where the test failed
