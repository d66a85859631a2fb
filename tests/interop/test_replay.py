"""An archive's UPDATEs into a router: it has what the archive leaves standing, as bgpdump reads it."""

from __future__ import annotations

import ipaddress
import re
import subprocess

import pytest

import corpus
from interop.daemons import Bird, Daemon, Frr
from interop.world import US, World, until

ASN = 65055
Standing = dict[str, tuple[str, str]]  # path and next hop by prefix


def canonical(prefix: str) -> str:
    return str(ipaddress.ip_network(prefix))


def left_standing(archive: str, asn: int) -> Standing:
    """Of each prefix the last state, without those whose path has the router's own AS number `asn` in it."""
    lines = subprocess.run(["bgpdump", "-m", archive], check=True, capture_output=True, text=True).stdout.splitlines()
    found: Standing = {}
    for line in lines:
        kind, prefix, *rest = line.split("|")[2:3] + line.split("|")[5:]
        if kind not in ("A", "W"):
            continue
        found.pop(canonical(prefix), None)
        if kind == "A" and str(asn) not in re.findall(r"\d+", rest[0]):
            found[canonical(prefix)] = rest[0], rest[2]
    return found


def rib(router: Daemon) -> Standing:
    return {canonical(route.prefix): (route.path, route.hop) for route in router.rib}


# FRR refuses the link-local addresses that IPv6 routes of an exchange point have beside the global one, unless it knows
# the interface, and goes on to misread such an UPDATE (version 8.4).
HOP6 = "2001:db8:9::99"


@pytest.mark.needs("bgpdump")
@pytest.mark.parametrize(
    ("archive", "asn", "cls", "active"),
    [
        pytest.param("updates.20160811.1600.gz", 6939, Bird, False, id="2016-bird", marks=pytest.mark.long),
        pytest.param("updates.20160811.1600.gz", 6939, Frr, True, id="2016-frr", marks=pytest.mark.long),
        # AS numbers of two octets, which the session does not have
        pytest.param("updates.20071015.1505.gz", 3356, Bird, True, id="2007-bird", marks=pytest.mark.long),
        pytest.param("updates.20100227.1600.gz", 3356, Frr, False, id="2010-frr", marks=pytest.mark.long),
    ],
)
def test_replay(world: World, archive: str, asn: int, cls: type[Daemon], active: bool) -> None:
    """The router is of an AS that many paths of the archive go through, so that it sees loops."""
    source = str(corpus.folder() / "mrt" / archive)
    expected = left_standing(source, asn)
    if cls is Frr:
        expected = {prefix: (path, HOP6 if ":" in prefix else hop) for prefix, (path, hop) in expected.items()}
    else:  # BIRD takes no next hop of zeros, which some archives have
        expected = {prefix: route for prefix, route in expected.items() if route[1] != "::"}
    assert len(expected) > 1000
    assert len(left_standing(source, 0)) > len(expected)
    router = cls(world, 0, asn)
    router.own = ()
    speaker = ["speaker", "--active", "--asn", str(ASN), "--id", US]
    read = ["read", "--wait", "ESTABLISHED", "--type", "UPDATE", source, *(["--", "update", "--nexthop6", HOP6] if cls is Frr else [])]
    if active:
        router.start(ASN, passive=True)
        process = world.bgpipe("--", *speaker, "--", *read, "--", "connect", "--retry", "--bind", US, router.address)
    else:
        process = world.bgpipe("--", *speaker, "--", *read, "--", "listen", f"{US}:179")
        until(lambda: "listening" in process.log(), "we listen")
        router.start(ASN, passive=False)
    until(lambda: rib(router).keys() == expected.keys(), f"{cls.name} has the prefixes")
    until(lambda: rib(router) == expected, f"{cls.name} has all of it")
    assert process.stop() == 0
