"""What the reference tool prints for real files, against ours.

Lines are matched by direction and seq. Where the two differ, one of EXPLAINED must say why ours is right.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest

import corpus
import oracle
from conversion import ORACLE, Converter
from oracle_bmp import read_bmp

MISSING = "<missing>"
Json = Any
Message = oracle.Message


class Difference(NamedTuple):
    path: str
    theirs: Json
    ours: Json


def differences(theirs: Json, ours: Json, path: str = "") -> Iterator[Difference]:
    """Where two messages differ, no finer than the whole value of an attribute."""
    if isinstance(theirs, dict) and isinstance(ours, dict) and not path.endswith(".value"):
        for key in {**theirs, **ours}:
            yield from differences(theirs.get(key, MISSING), ours.get(key, MISSING), f"{path}.{key}")
    elif theirs != ours:
        yield Difference(path, theirs, ours)


def message_differences(theirs: Message, ours: Message) -> Iterator[Difference]:
    for index, part in enumerate(("dir", "seq", "time", "type", "data", "tags")):
        yield from differences(theirs[index], ours[index], part)


def cut_time(path: str, theirs: Json, ours: Json) -> bool:
    return path == "time" and len(ours) == len(theirs) + 3 and bool(ours.startswith(theirs))


def as_size(path: str, theirs: Json, ours: Json) -> bool:
    return path == "data.as_size" and theirs == MISSING and ours == 2


def notify_data(path: str, theirs: Json, ours: Json) -> bool:
    if path != "data" or not isinstance(ours, dict) or "code" not in ours:
        return False
    return oracle.encode_message("NOTIFY", ours)[21:] == str(theirs).encode()


def segments(path: str, theirs: Json, ours: Json) -> bool:
    return path in ("data.attrs.ASPATH.segments", "data.attrs.AS4PATH.segments") and theirs == MISSING


def params(path: str, theirs: Json, ours: Json) -> bool:
    return path == "data.params" and theirs == MISSING


def no_caps(path: str, theirs: Json, ours: Json) -> bool:
    return path == "data.caps" and theirs == {} and ours == MISSING


def refresh(path: str, theirs: Json, ours: Json) -> bool:
    if path != "data" or not isinstance(ours, dict) or "subtype" not in ours:
        return False
    return oracle.refresh_bytes(ours) == oracle.unhex(theirs)


def capability(path: str, theirs: Json, ours: Json) -> bool:
    code = {"data.caps.GRACEFUL_RESTART": 64, "data.caps.LLGR": 71}.get(path)
    return code is not None and oracle.unhex(theirs) == oracle.capability_bytes(code, ours)


def other_families(path: str, theirs: Json, ours: Json) -> bool:
    encode = {
        "data.attrs.MP_REACH.value": oracle.mp_reach_bytes,
        "data.attrs.MP_UNREACH.value": oracle.mp_unreach_bytes,
    }.get(path)
    return encode is not None and "data" in theirs and "data" not in ours and encode(theirs) == encode(ours)


def named_communities(path: str, theirs: Json, ours: Json) -> bool:
    if path != "data.attrs.EXT_COMMUNITY.value":
        return False
    return list(map(oracle.ext_community_bytes, theirs)) == list(map(oracle.ext_community_bytes, ours))


def typed_attribute(path: str, theirs: Json, ours: Json) -> bool:
    name = path.removeprefix("data.attrs.").removesuffix(".value")
    if name not in ("SET", "RCA", "PREFIX_SID"):
        return False
    code = oracle.ATTRIBUTE_NUMBERS[name]
    return oracle.unhex(theirs) == oracle.attribute_bytes(code, {"value": ours}, oracle.Context())


def unspecified_nexthop(path: str, theirs: Json, ours: Json) -> bool:
    return path == "data.attrs.MP_REACH.value" and {**theirs, "nexthop": "::"} == ours


def extended_length(path: str, theirs: Json, ours: Json) -> bool:
    return path == "data.attrs.MP_REACH.flags" and theirs == "O" and ours == "OX"


def undeclared_addpath(path: str, theirs: Json, ours: Json) -> bool:
    return path == "data.reach" and "0.0.0.0/0" in theirs and all(text.startswith("#") for text in ours)


def guessed(path: str, theirs: Json, ours: Json) -> bool:
    return path == "tags.ADDPATH" and theirs == MISSING


class Explanation(NamedTuple):
    holds: Callable[[str, Json, Json], bool]
    reason: str
    files: str = ""  # only in files whose names begin so


EXPLAINED = [
    Explanation(cut_time, "the reference cuts microseconds off"),
    Explanation(as_size, "the reference does not say how long AS numbers are"),
    Explanation(notify_data, "the reference loses code and subcode of a NOTIFICATION"),
    Explanation(segments, "the reference joins AS_SEQUENCE segments; ours keep how they were split"),
    Explanation(params, "the reference loses how capabilities are split into parameters"),
    Explanation(no_caps, "an OPEN without optional parameters has no caps here"),
    Explanation(refresh, "ROUTE-REFRESH is hex there"),
    Explanation(capability, "GRACEFUL_RESTART and LLGR are hex there"),
    Explanation(other_families, "multicast, labelled, VPN, EVPN and other families are hex there"),
    Explanation(named_communities, "of extended communities, the reference names those of flows and routes alone"),
    Explanation(typed_attribute, "attributes of TLVs and of customers are hex there"),
    Explanation(unspecified_nexthop, "the reference leaves out the next hop ::"),
    Explanation(extended_length, "an MP_REACH longer than 255 bytes needs the flag", "rib6."),
    Explanation(undeclared_addpath, "path ids read as nonsense prefixes with host bits", "routeviews.sample"),
    Explanation(guessed, "the reference does not find out whose prefixes carry path ids", "routeviews.sample"),
]


def unreadable_route(message: Message) -> bool:
    """A route that the reference does not take from a RIB."""
    data = message[4]
    attrs = data.get("attrs", {})
    mp_reach = attrs.get("MP_REACH", {"value": {}})["value"]
    if oracle.has_path_ids(data) or "data" in mp_reach or "nlri" in mp_reach:
        return True
    return oracle.is_hex(attrs.get("AGGREGATOR", {"value": 0})["value"])


def has_untyped(message: Message) -> bool:
    """Whether the reference could not parse a message: something in it does not parse here either, or takes a guess."""
    data = message[4]
    if isinstance(data, str) or "ADDPATH" in message[5]:
        return True
    known = ("ASPATH", "MP_REACH", "MP_UNREACH", "AGGREGATOR")
    return any(oracle.is_hex(data["attrs"][name]["value"]) for name in known if name in data["attrs"])


def readable_rib(messages: list[Message]) -> list[Message]:
    """A RIB without what the reference cannot read: ADD-PATH, generic, an AGGREGATOR of the wrong length."""
    kept = [message for message in messages if not unreadable_route(message)]
    return [[message[0], seq, *message[2:]] for seq, message in enumerate(kept, 1)]


def golden(name: str) -> list[Message]:
    path = corpus.folder() / "golden" / f"{name}.json.gz"
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def first_messages(name: str, count: int, converter: Converter) -> list[Message]:
    return converter.read(corpus.read(corpus.folder() / "mrt" / name), count, False, guess=True).messages[:count]


def check(name: str, theirs: list[Message], ours: list[Message]) -> set[Explanation]:
    """Returns the explanations that it took."""
    taken = set()
    by_seq = {tuple(message[:2]): message for message in ours}
    for message in theirs:
        for found in message_differences(message, by_seq.pop(tuple(message[:2]))):
            holding = [item for item in EXPLAINED if name.startswith(item.files) and item.holds(*found)]
            assert holding, f"{name}: message {message[1]}: {found}"
            taken.update(holding)
    for extra in by_seq.values():
        assert has_untyped(extra), f"{name}: message {extra[1]} is not in the reference's output"
    return taken


@cache
def compare(name: str, converter: Converter) -> set[Explanation]:
    theirs = golden(name)
    if name.endswith(".bmp"):
        return check(name, theirs, [message for record in read_bmp((corpus.folder() / "bmp" / name).read_bytes()) for message in record.messages])
    if name.startswith("mrtparse.") and "_rib" in name:
        return check(name, theirs, readable_rib(first_messages(name, 1000, converter)))
    return check(name, theirs, first_messages(name, theirs[-1][1], converter))


@pytest.mark.parametrize("name", [name for name in corpus.golden_names() if not name.endswith(".bmp")])
def test_equals_the_reference(name: str, converter: Converter) -> None:
    compare(name, converter)


@pytest.mark.parametrize("name", [name for name in corpus.golden_names() if not name.endswith((".gz", ".bz2"))])
def test_bmp_equals_the_reference(name: str) -> None:
    compare(name, ORACLE)


def test_every_explanation_is_needed() -> None:
    corpus.folder()
    assert set().union(*(compare(name, ORACLE) for name in corpus.golden_names())) == set(EXPLAINED)
