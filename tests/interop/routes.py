"""What a router has of its peer, in a form that those of all daemons come down to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Route:
    """One path to a prefix. path: AS numbers, "65001 {1,2}". Communities are "1:2" and "1:2:3", in order."""

    prefix: str
    path: str
    hop: str
    communities: tuple[str, ...] = ()
    large: tuple[str, ...] = ()


def in_order(communities: Iterable[Iterable[object]]) -> tuple[str, ...]:
    """As in Route, from the numbers of each."""
    return tuple(sorted(":".join(map(str, numbers)) for numbers in communities))


def as_path(text: str) -> str:
    """As in Route: each daemon writes AS_SETs in its own way."""
    return re.sub(r"\{[^}]*\}", lambda found: as_set(map(int, re.findall(r"\d+", found[0]))), text)


def as_set(numbers: Iterable[int]) -> str:
    return "{" + ",".join(map(str, sorted(numbers))) + "}"


def standing(messages: list[Any], direction: str) -> set[Route]:
    """What the UPDATEs of a direction leave announced, from our own JSON."""
    found: dict[str, Route] = {}
    for message in messages:
        if message[0] != direction or message[3] != "UPDATE":
            continue
        update = message[4]
        attrs = {name: attr["value"] for name, attr in update.get("attrs", {}).items()}
        reach, unreach = attrs.get("MP_REACH", {}), attrs.get("MP_UNREACH", {})
        for prefix in (*update.get("unreach", ()), *unreach.get("prefixes", ())):
            found.pop(prefix, None)
        path = " ".join(as_set(part) if isinstance(part, list) else str(part) for part in attrs.get("ASPATH", ()))
        lists = (tuple(sorted(attrs.get(name, ()))) for name in ("COMMUNITY", "LARGE_COMMUNITY"))
        communities, large = lists
        for hop, prefixes in ((attrs.get("NEXTHOP"), update.get("reach", ())), (reach.get("nexthop"), reach.get("prefixes", ()))):
            for prefix in prefixes:
                found[prefix] = Route(re.sub("^#.*#", "", prefix), path, hop, communities, large)
    return set(found.values())
