"""The corpus against tshark's dissector: type, attributes, prefixes, path, communities, next hops of each message.

The corpus: archives, routers that speak BMP, and messages of other implementations' tests. Families without plain prefixes are in
test_tshark_nlri.py.

tshark reads each message by itself: it does not know the session. It is told the size of AS numbers; whether prefixes carry path
ids it guesses, and is right for all that is here.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import bgpipe
import corpus
import tshark
from bgpipe import Msg, SessionContext
from bgpipe.names import ATTRIBUTES, ORIGINS

pytestmark = tshark.needed()

LONGEST = 4096  # it takes no longer messages
MESSAGES = int(os.environ.get("BGPIPE_MESSAGES", "1500"))  # of each file
A = "bgp.update.path_attribute"
PREFIXES = {
    "unreach": "bgp.withdrawn_prefix",
    "reach": "bgp.nlri_prefix",
    ("MP_REACH", "IPV4"): "bgp.mp_reach_nlri_ipv4_prefix",
    ("MP_REACH", "IPV6"): "bgp.mp_reach_nlri_ipv6_prefix",
    ("MP_UNREACH", "IPV4"): "bgp.mp_unreach_nlri_ipv4_prefix",
    ("MP_UNREACH", "IPV6"): "bgp.mp_unreach_nlri_ipv6_prefix",
}
NEXT_HOPS = f"{A}.mp_reach_nlri.next_hop"
FIELDS = [
    *("bgp.type", "bgp.prefix_length", "bgp.nlri_path_id", f"{A}.type_code", f"{A}.origin", f"{A}.next_hop"),
    *(f"{A}.as_path_segment.as2", f"{A}.as_path_segment.as4", f"{A}.multi_exit_disc", f"{A}.local_pref"),
    *(f"{A}.community_as", f"{A}.community_value", f"{A}.aggregator_as", f"{A}.aggregator_origin"),
    *(f"{A}.originator_id", "bgp.path_attribute.cluster_id", f"{NEXT_HOPS}.ipv4", f"{NEXT_HOPS}.ipv6"),
    *("bgp.large_communities.ga", "bgp.large_communities.ldp1", "bgp.large_communities.ldp2"),
    *PREFIXES.values(),
]
ALL_MALFORMED = {"updates.long_withdrawal.gz", "updates.nlri_mask_trailing_bits.gz"}  # or longer than LONGEST
NO_PLAIN_ROUTES = {"evpn.bmp", "stats-6.bmp"}
CODES = {name: code for code, name in ATTRIBUTES.items()}
ORIGIN_NUMBERS = {name: number for number, name in ORIGINS.items()}


def flat(path: list[Any]) -> Iterator[str]:
    """The AS numbers of a path, whatever segments they are in."""
    for hop in path:
        if isinstance(hop, int):
            yield str(hop)
        else:
            yield from flat(hop if isinstance(hop, list) else next(iter(hop.values())))


def expected(msg: Msg, as_size: int) -> dict[str, list[str]]:
    """What tshark is to say of a message, by what its JSON says."""
    found: dict[str, list[str]] = {field: [] for field in FIELDS}
    found["bgp.type"] = [str(msg.type_code)]
    if msg.update is None:
        return found
    data = json.loads(msg.to_json())[4]

    def put(texts: list[str], field: str) -> None:
        for text in texts:
            path_id, _, prefix = text.lstrip("#").rpartition("#")
            address, _, length = prefix.partition("/")
            found[field].append(address)
            found["bgp.prefix_length"].append(length)
            found["bgp.nlri_path_id"] += [path_id] if path_id else []

    put(data.get("unreach", []), PREFIXES["unreach"])
    for name, attribute in data.get("attrs", {}).items():
        put_attribute(found, name, attribute["value"], as_size, put)
    if "attrs" in data:  # where there are none, it does not look at the routes
        put(data.get("reach", []), PREFIXES["reach"])
    return found


def put_attribute(
    found: dict[str, list[str]], name: str, value: Any, as_size: int, put: Callable[[list[str], str], None]
) -> None:
    found[f"{A}.type_code"].append(str(CODES.get(name) or name.removeprefix("ATTR_")))
    match name:
        case "ORIGIN":
            found[f"{A}.origin"].append(str(ORIGIN_NUMBERS[value]))
        case "ASPATH" | "AS4PATH":
            size = as_size if name == "ASPATH" else 4
            found[f"{A}.as_path_segment.as{size}"] += flat(value)
        case "NEXTHOP":
            found[f"{A}.next_hop"].append(value)
        case "MED":
            found[f"{A}.multi_exit_disc"].append(str(value))
        case "LOCALPREF":
            found[f"{A}.local_pref"].append(str(value))
        case "ORIGINATOR":
            found[f"{A}.originator_id"].append(value)
        case "CLUSTER_LIST":
            found["bgp.path_attribute.cluster_id"] += value
        case "AGGREGATOR" | "AS4AGGREGATOR":
            found[f"{A}.aggregator_as"].append(str(value["asn"]))
            found[f"{A}.aggregator_origin"].append(value["addr"])
        case "COMMUNITY":
            for asn, number in (text.split(":") for text in value):
                if asn not in ("0", "65535"):  # it calls these reserved, and well-known
                    found[f"{A}.community_as"].append(asn)
                    found[f"{A}.community_value"].append(number)
        case "LARGE_COMMUNITY":
            for parts in (text.split(":") for text in value):
                for field, part in zip(("ga", "ldp1", "ldp2"), parts, strict=True):
                    found[f"bgp.large_communities.{field}"].append(part)
        case "MP_REACH" | "MP_UNREACH" if "prefixes" in value:
            if "nexthop" in value:
                found[f"{NEXT_HOPS}.ipv{6 if ':' in value['nexthop'] else 4}"].append(value["nexthop"])
            put(value["prefixes"], PREFIXES[name, value["af"].partition("/")[0]])


def comparable(msg: Msg) -> bool:
    if msg.error is not None or len(msg.wire) > LONGEST or ',"0x' in msg.to_json():
        return False
    update = msg.update
    families = [mp.af for mp in (update.mp_reach, update.mp_unreach) if mp is not None] if update is not None else []
    return all(family.endswith(("/UNICAST", "/MULTICAST")) for family in families)


def differences(messages: list[Msg], as_size: int) -> list[tuple[Msg, str, list[str], list[str]]]:
    options = ("-o", f"bgp.asn_len:{as_size} octet")
    found = []
    for msg, packet in zip(messages, tshark.dissect([msg.wire for msg in messages], FIELDS, *options), strict=True):
        for field, values in expected(msg, as_size).items():
            if packet[field] != values:
                found.append((msg, field, values, packet[field]))
    return found


def check(messages: Iterator[Msg]) -> bool:
    """Compare those that can be; whether there is one."""
    chosen = [msg for msg in messages if comparable(msg)]
    for as_size in (2, 4):
        same_size = [msg for msg in chosen if msg.context.as_size == as_size]
        assert not same_size or differences(same_size, as_size) == []
    return bool(chosen)


@pytest.mark.parametrize("name", corpus.names("mrt"))
def test_archives(name: str) -> None:
    messages = bgpipe.read(str(corpus.folder() / "mrt" / name), pardon=True, recover=True)
    assert check(itertools.islice(messages, MESSAGES)) or name in ALL_MALFORMED


@pytest.mark.parametrize("name", corpus.names("bmp"))
def test_routers_that_speak_bmp(name: str) -> None:
    messages = bgpipe.read(str(corpus.folder() / "bmp" / name), pardon=True)
    assert check(itertools.islice(messages, MESSAGES)) or name in NO_PLAIN_ROUTES


def of_others() -> Iterator[Msg]:
    """Messages of the tests of other implementations. Where a default comes again and again, they carry path ids."""
    for _, wire in corpus.messages():
        if int.from_bytes(wire[16:18]) != len(wire):
            continue
        message = Msg(wire)
        if message.error is None and message.update is not None and message.update.reach[:2] == ["0.0.0.0/0"] * 2:
            message = Msg(wire, context=SessionContext(addpath=["IPV4/UNICAST"]))
        # tshark takes the length of a CLUSTER_LIST for one octet.
        if '"CLUSTER_LIST":{"flags":"OX"' not in message.to_json():
            yield message


def test_messages_of_others() -> None:
    assert check(of_others())
