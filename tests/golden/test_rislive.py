"""Messages of RIS Live: what we read in their octets ("raw") is what RIPE's server says beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import corpus
from conversion import core_decode, oracle_decode

# What says where a message came from, and when.
ENVELOPE = {"timestamp", "peer", "peer_asn", "id", "raw", "host", "direction"}
DAMAGED = 1  # lines; a brace is missing in the last one


def feed(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The messages that have octets, and how many lines are no JSON."""
    found, damaged = [], 0
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line)["data"])
        except json.JSONDecodeError:
            damaged += 1
    return [data for data in found if "raw" in data], damaged


def update(data: dict[str, Any]) -> dict[str, Any]:
    """An UPDATE in their form: routes by next hop, sets in paths as lists."""
    attrs = {name: entry["value"] for name, entry in data.get("attrs", {}).items()}
    said: dict[str, Any] = {}
    if "ASPATH" in attrs:
        said["path"] = attrs["ASPATH"]
    if "ORIGIN" in attrs:
        said["origin"] = attrs["ORIGIN"].lower()
    if "MED" in attrs:
        said["med"] = attrs["MED"]
    if "COMMUNITY" in attrs:
        said["community"] = [list(map(int, text.split(":"))) for text in attrs["COMMUNITY"]]
    reach = attrs.get("MP_REACH")
    routes = [(attrs.get("NEXTHOP"), data.get("reach")), (reach and reach["nexthop"], reach and reach["prefixes"])]
    announced = [{"next_hop": hop, "prefixes": prefixes} for hop, prefixes in routes if prefixes]
    withdrawn = data.get("unreach", []) + attrs.get("MP_UNREACH", {}).get("prefixes", [])
    return said | ({"announcements": announced} if announced else {}) | ({"withdrawals": withdrawn} if withdrawn else {})


def opened(data: dict[str, Any]) -> dict[str, Any]:
    caps: dict[str, Any] = {}
    for name, value in data["caps"].items():
        if name == "MP":
            caps["1"] = {"name": "multiprotocol", "families": [family.lower() for family in value]}
        else:
            assert name == "AS4"
            caps["65"] = {"name": "asn4", "asn4": value}
    said = {"version": data["bgp"], "asn": data["asn"], "hold_time": data["hold"], "router_id": data["id"]}
    return said | {"capabilities": caps}


def told(kind: str | int, data: Any, wire: bytes) -> dict[str, Any]:
    """A message as RIS Live says it, without its envelope. Its NOTIFICATIONs have code and subcode among the data."""
    if kind == "NOTIFY":
        said = {"code": data["code"], "subcode": data["subcode"], "data": wire[19:].hex()}
        return {"type": "NOTIFICATION", "notification": said}
    said = {"UPDATE": update, "OPEN": opened}[str(kind)](data) if data is not None else {}
    return {"type": kind} | said


@pytest.mark.parametrize("name", corpus.names("rislive"))
@pytest.mark.parametrize("decode", [core_decode, oracle_decode], ids=["core", "oracle"])
def test_raw_is_what_is_said_of_it(name: str, decode: Any) -> None:
    messages, damaged = feed(corpus.folder() / "rislive" / name)
    assert messages
    assert damaged == DAMAGED
    for said in messages:
        wire = bytes.fromhex(said["raw"])
        ((kind, data),) = decode([wire], 4, False)
        assert told(kind, data, wire) == {key: value for key, value in said.items() if key not in ENVELOPE}
