"""Every MRT file of the corpus against `bgpdump -m`, route by route.

bgpdump is another, independent reader, and reads what the reference does not: ADD-PATH, generic RIBs, the
legacy type. It prints a line a route; here the messages are spread into the same lines.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import corpus
import oracle
from conversion import Converter

LIMITS = {"oracle": 500_000, "core": int(os.environ.get("BGPIPE_LIMIT", "1500000"))}  # bytes of a file that are compared: the oracle is slow
RIBS = {oracle.TABLE_DUMP, oracle.TABLE_DUMP_V2}

# What bgpdump prints by name (RFC 1997).
WELL_KNOWN = {"65535:65281": "no-export", "65535:65282": "no-advertise", "65535:65283": "local-AS"}


class Route(NamedTuple):
    """A line of bgpdump: withdrawn routes have no attributes."""

    kind: str  # A or W
    time: int  # seconds; 0 in a RIB, where the messages bundle routes of several records
    peer_ip: str
    peer_as: str
    path_id: str
    prefix: str
    attributes: tuple[str, ...] = ()


@functools.cache
def plain_ip(text: str) -> str:
    """bgpdump shortens other runs of zeros than RFC 5952 does."""
    return str(ipaddress.ip_address(text)) if text else ""


def plain_prefix(text: str) -> str:
    address, bits = text.split("/")
    return f"{plain_ip(address)}/{bits}"


def hop_text(hop: Any) -> str:
    if isinstance(hop, list):
        return "{" + ",".join(map(str, hop)) + "}"
    return str(hop)


def merged_path(values: dict[str, Any], as_size: int) -> list[Any]:
    """RFC 6793 section 4.2.3."""
    path: list[Any] = values.get("ASPATH", [])
    path4: list[Any] = values.get("AS4PATH", [])
    if as_size == 4 or len(path4) > len(path):
        return path
    return path[: len(path) - len(path4)] + path4


def aggregator_text(values: dict[str, Any]) -> str:
    value = values.get("AGGREGATOR")
    if not isinstance(value, dict):
        return ""
    if value["asn"] == 23456:
        value = values.get("AS4AGGREGATOR", value)
    return f"{value['asn']} {value['addr']}"


def routes_of(messages: Iterable[oracle.Message], timed: bool) -> Iterator[Route]:
    for _, _, time, kind, data, tags in messages:
        if kind != "UPDATE" or not isinstance(data, dict):
            continue
        seconds = oracle.time_microseconds(time) // 1_000_000 if timed else 0
        peer = seconds, plain_ip(tags.get("PEER_IP", "0.0.0.0")), tags.get("PEER_AS", "0")
        values = {name: entry["value"] for name, entry in data.get("attrs", {}).items()}
        reach, unreach = ({"prefixes": []} | prefixes_of(values, name) for name in ("MP_REACH", "MP_UNREACH"))
        for text in data.get("unreach", []) + unreach["prefixes"]:
            yield Route("W", *peer, *split_path_id(text))
        shared = (
            str(values.get("LOCALPREF", 0)),
            str(values.get("MED", 0)),
            " ".join(WELL_KNOWN.get(text, text) for text in values.get("COMMUNITY", [])),
            "AG" if "AGGREGATE" in values else "NAG",
            aggregator_text(values),
        )
        path = " ".join(map(hop_text, merged_path(values, data.get("as_size", 4))))
        classic = values.get("NEXTHOP", "")
        nexthops = [(text, classic) for text in data.get("reach", [])]
        nexthops += [(text, reach.get("nexthop", classic)) for text in reach["prefixes"]]
        for text, nexthop in nexthops:
            attributes = (path, values.get("ORIGIN", ""), plain_ip(nexthop), *shared)
            yield Route("A", *peer, *split_path_id(text), attributes)


def prefixes_of(values: dict[str, Any], name: str) -> dict[str, Any]:
    value = values.get(name)
    return value if isinstance(value, dict) else {}


def split_path_id(text: str) -> tuple[str, str]:
    _, path_id, prefix = text.split("#") if text.startswith("#") else ("", "", text)
    return path_id, plain_prefix(prefix)


def routes_in(lines: Iterable[str], timed: bool) -> Iterator[Route]:
    for line in lines:
        fields = line.split("|")
        form, time, kind = fields[:3]
        if kind == "STATE":
            continue
        seconds = int(float(time)) if timed else 0
        peer = seconds, plain_ip(fields[3]), fields[4]
        path_id = fields.pop(6) if form.endswith("_AP") else ""
        prefix = plain_prefix(fields[5])
        if kind == "W":
            yield Route("W", *peer, path_id, prefix)
            continue
        path, origin, nexthop, *rest = fields[6:14]
        if form == "BGP":
            rest = [*rest[:2], "", *rest[2:4]]  # the legacy type has no communities there
        if nexthop == "255.255.255.255":  # its way of saying that there is none
            nexthop = ""
            origin = origin.replace("INCOMPLETE", "") if not path else origin
        yield Route("A", *peer, path_id, prefix, (path, origin, plain_ip(nexthop), *rest))


class Different(NamedTuple):
    """How many routes are only here and only there, and why."""

    only_ours: int
    only_theirs: int
    reason: str


UNDECLARED = "undeclared ADD-PATH: bgpdump reads path ids as nonsense prefixes, ours is hex"
DIFFERENT = {
    "mrtparse.bird_bgp.mrt.gz": Different(0, 24, UNDECLARED),
    "mrtparse.bird6_bgp.mrt.gz": Different(0, 32, UNDECLARED),
    "routeviews.sample.mrt.gz": Different(0, 96, UNDECLARED),
    "updates.nlri_mask_trailing_bits.gz": Different(0, 1, "host bits are set: bgpdump masks them, ours is hex"),
    "mrtparse.openbgpd_rib_table-mp.mrt.gz": Different(31, 0, "bgpdump does not read BGP4MP_ENTRY"),
    "mrtparse.openbgpd_rib_table.mrt.gz": Different(
        1, 1, "an AGGREGATOR of 8 bytes where AS numbers have 2: bgpdump makes up an address, ours is hex"
    ),
}


def without_withdrawn_prefixes(routes: Counter[Route]) -> Counter[Route]:
    return Counter(route if route.kind == "A" else route._replace(prefix="") for route in routes.elements())


def bgpdump(path: Path) -> list[str]:
    if shutil.which("bgpdump") is None:
        pytest.skip("bgpdump is not installed")
    done = subprocess.run(["bgpdump", "-q", "-m", str(path)], capture_output=True, check=True, timeout=120)
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize("name", [name for name in corpus.names("mrt") if not name.startswith("torn")])
def test_same_routes_as_bgpdump(name: str, converter: Converter, tmp_path: Path) -> None:
    data = corpus.start_of_mrt(corpus.read(corpus.folder() / "mrt" / name), LIMITS[converter.name])
    path = tmp_path / "start.mrt"
    path.write_bytes(data)
    conversion = converter.read(data, None, False)
    assert not conversion.damaged
    timed = int.from_bytes(data[4:6], "big") not in RIBS
    ours = Counter(routes_of(conversion.messages, timed))
    theirs = Counter(routes_in(bgpdump(path), timed))
    if name.startswith("legacy"):  # for a withdrawal of the legacy type it prints the peer's address
        ours, theirs = (without_withdrawn_prefixes(side) for side in (ours, theirs))
    only_ours, only_theirs = ours - theirs, theirs - ours
    expected = DIFFERENT.get(name, Different(0, 0, ""))
    found = only_ours.total(), only_theirs.total()
    assert found == expected[:2], f"{list(only_ours)[:5]} {list(only_theirs)[:5]}"
