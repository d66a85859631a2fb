"""bgpipe between two daemons of a world."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from interop.daemons import DAEMONS, Daemon
from interop.world import US, Process, World, until

LEFT_ASN, RIGHT_ASN = 4_200_000_001, 4_200_000_002


def pairs(short: Callable[[type[Daemon], type[Daemon]], bool]) -> list[object]:
    """Each two different daemons; make test runs the `short` ones."""
    return [
        pytest.param(left, right, id=f"{left.name}-{right.name}", marks=[] if short(left, right) else pytest.mark.long)
        for left, right in itertools.permutations(DAEMONS, 2)
    ]


def proxy(
    world: World,
    right: Daemon,
    *stages: str,
    listen: tuple[str, ...] = (),
    connect: tuple[str, ...] = (),
    log: tuple[str, ...] = ("-o",),
) -> Process:
    """bgpipe that waits for the left router, and connects to the right one then. listen, connect: more options."""
    words = ["listen", *listen, f"{US}:179", "--", *(word for stage in stages for word in (*stage.split(), "--"))]
    words += ["connect", "--wait", "listen", "--retry", "--bind", US, *connect, right.peering.local]
    process = world.bgpipe(*log, "--", *words)
    until(lambda: "listening" in process.log(), "we listen")
    return process


def exchanged(left: Daemon, right: Daemon) -> None:
    """Each has what the other one announces, and nothing else."""
    until(lambda: left.rib == right.announces(), f"{left.name} has the routes of {right.name}")
    until(lambda: right.rib == left.announces(), f"{right.name} has the routes of {left.name}")
