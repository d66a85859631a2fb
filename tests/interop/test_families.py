"""Labels, VPNs, EVPN and flow specification between two routers: what one has arrives at the other, edited, and is in our log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

import pytest

import gobgp
from interop.between import LEFT_ASN, RIGHT_ASN, proxy
from interop.daemons import GoBgp
from interop.world import US, World, until

Json = Any
T = TypeVar("T")
# Not route targets: it would send VPN routes to nobody who has not said which it wants.
FAMILIES = {family: names for family, names in gobgp.FAMILIES.items() if family not in ("IPV4/UNICAST", "IPV4/ROUTE_TARGET")}
MARK = 65000 << 16 | 99


def in_order(found: Iterable[T]) -> list[T]:
    return sorted(found, key=lambda entry: json.dumps(entry, sort_keys=True))


class Provider(GoBgp):
    families: ClassVar[tuple[str, ...]] = ("ipv4-unicast", "ipv6-unicast", *(name for name, _ in FAMILIES.values()))

    def routes(self, *where: str) -> list[tuple[str, Json, list[int]]]:
        """Family, NLRI and communities of all routes of FAMILIES in a table."""
        found = []
        for family, (_, name) in FAMILIES.items():
            for paths in self.ask_json("gobgp", "-u", self.address, *where, "-a", name, "-j").values():
                for path in paths:
                    communities = next((attr["communities"] for attr in path["attrs"] if attr["type"] == 8), [])
                    found.append((family, path["nlri"], communities))
        return in_order(found)

    @property
    def own_routes(self) -> list[tuple[str, Json, list[int]]]:
        return self.routes("global", "rib")

    @property
    def received(self) -> list[tuple[str, Json, list[int]]]:
        return self.routes("neighbor", self.peering.peer, "adj-in")


def logged(messages: list[Any]) -> list[tuple[str, Json]]:
    """Family and NLRI of all routes of FAMILIES that the left router has announced."""
    updates = [message[4] for message in messages if message[0] == "R" and message[3] == "UPDATE"]
    parts = [update["attrs"]["MP_REACH"]["value"] for update in updates if "MP_REACH" in update.get("attrs", {})]
    listed = [(part["af"], nlri) for part in parts for nlri in part.get("nlri") or part.get("rules") or ()]
    return in_order(entry for entry in listed if entry[0] in FAMILIES)


@pytest.mark.needs("gobgp")
@pytest.mark.long
def test_other_families(world: World) -> None:
    left, right = Provider(world, 0, LEFT_ASN), Provider(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True)
    bgpipe = proxy(world, right, "update --add-com 65000:99")
    left.start(RIGHT_ASN, passive=False, peer=US)
    for family, words, _, _ in gobgp.COMMANDS:
        left.control("global", "rib", "add", "-a", FAMILIES[family][1], *words.split())
    until(lambda: len(left.own_routes) == len(gobgp.COMMANDS), "the left router has its routes")
    expected = in_order((family, nlri, [*communities, MARK]) for family, nlri, communities in left.own_routes)
    until(lambda: right.received == expected, "the right router has the routes, each with another community")
    assert logged(bgpipe.messages()) == in_order((family, nlri) for family, _, nlri, _ in gobgp.COMMANDS)

    for family, words, _, _ in gobgp.COMMANDS:
        left.control("global", "rib", "del", "-a", FAMILIES[family][1], *words.split())
    until(lambda: right.received == [], "the right router has none of them any more")
    assert "PARSE" not in bgpipe.log()
    assert bgpipe.stop() == 0
