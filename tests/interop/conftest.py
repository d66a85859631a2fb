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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("BGPIPE_INTEROP") == "all":
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="make interop runs it"))


def missing() -> list[str]:
    """What has to be installed for all of the tests, as Debian calls it."""
    return [cls.package for cls in DAEMONS if not cls.installed()] + ([] if shutil.which("ip") else ["iproute2"])


def needs(condition: bool, text: str) -> None:
    if not condition:
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    needs(os.geteuid() == 0, "network namespaces take root")
    needs(shutil.which("ip") is not None, "ip is missing: apt install iproute2")
    for value in getattr(request.node, "callspec", None).params.values() if hasattr(request.node, "callspec") else ():
        if isinstance(value, type):
            needs(value.installed(), f"{value.name} is missing: apt install {value.package}")
    tmp_path.chmod(0o755)
    made = World(tmp_path)
    try:
        yield made
    finally:
        made.close()
        print(made.report())  # shown where the test failed
