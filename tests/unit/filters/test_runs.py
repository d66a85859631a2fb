"""One program over many messages: what it remembers of some must not show in others, whatever they share."""

from __future__ import annotations

import io
import re
import struct
import threading

import pytest

from bgpipe import Filter, Msg, SessionContext
from bgpipe._codec import Batch, RawDecoder
from bgpipe._view import collect

AS_PATH, COMMUNITY, EXT_COMMUNITY, AS4_PATH = 2, 8, 16, 17


def update(*attributes: tuple[int, str], as_size: int = 4) -> Msg:
    """An UPDATE of these attributes: code, value in hex."""
    blob = b""
    for code, value in attributes:
        octets = bytes.fromhex(value)
        blob += bytes([0xC0, code, len(octets)]) + octets
    body = struct.pack(">HH", 0, len(blob)) + blob
    return Msg.make("UPDATE", body, context=SessionContext(as_size=as_size))


def matching(text: str, *msgs: Msg) -> list[int]:
    return list(Filter(text).program.matches(collect(msgs)))


# With 4 octets an AS number [65538, 33619971], with 2 of them [1, 2, 3].
BOTH_WAYS = "0202 00010002 02010003"


@pytest.mark.parametrize("text", ["aspath ~ ^1,", 'aspath == "1,2,3"', "as_origin == 3", "aspath == 2", "aspath_len == 3"])
def test_equal_octets_of_sessions_that_differ_in_as_size(text: str) -> None:
    old, new = update((AS_PATH, BOTH_WAYS), as_size=2), update((AS_PATH, BOTH_WAYS), as_size=4)
    assert matching(text, old, new, old, new) == [1, 0, 1, 0]
    assert matching(text, new, old, new) == [0, 1, 0]


@pytest.mark.parametrize("text", ["aspath ~ 70000$", 'aspath == "1,70000"', "as_origin == 70000", "aspath == 70000"])
def test_equal_paths_that_differ_in_as4_path(text: str) -> None:
    path = (AS_PATH, "0202 0001 5ba0")
    plain = update(path, as_size=2)
    first, second = (update(path, (AS4_PATH, f"0201 {asn:08x}"), as_size=2) for asn in (70000, 80000))
    assert matching(text, first, second, plain, second, first) == [1, 0, 0, 0, 1]
    assert matching(text, plain, first) == [0, 1]


def test_equal_octets_of_attributes_that_differ() -> None:
    """As communities 2:65000 0:1, as an extended one TARGET:65000:1."""
    octets = "0002fde8 00000001"
    both, plain, extended = update((COMMUNITY, octets), (EXT_COMMUNITY, octets)), update((COMMUNITY, octets)), update((EXT_COMMUNITY, octets))
    assert matching("com ~ TARGET || ext_com ~ ^.2:", both, plain, extended) == [0, 0, 0]
    assert matching("com ~ ^.2: && ext_com ~ TARGET", both, plain, extended) == [1, 0, 0]
    assert matching("ext_com ~ TARGET || com ~ TARGET", plain, both, extended) == [0, 1, 1]
    assert matching("com ~ ^.2: || ext_com ~ ^.2:", extended, both, plain) == [0, 1, 1]


def test_two_expressions_for_one_attribute() -> None:
    paths = [update((AS_PATH, f"0202 {first:08x} {last:08x}")) for first in (1, 2) for last in (1, 2)]
    assert matching("aspath ~ ^1, && aspath ~ ,2$", *paths, *paths) == [0, 1, 0, 0] * 2
    assert matching("aspath ~ ^1, || aspath !~ ,2$", *paths, *paths) == [1, 1, 1, 0] * 2


def wires(count: int) -> bytes:
    """UPDATEs with paths of two hops, each of which comes again and again among the others."""
    parts = []
    for number in range(count):
        path = struct.pack(">BBII", 2, 2, number % 7, number * 7919 % 50021)
        body = struct.pack(">HHBBB", 0, 3 + len(path), 0x40, AS_PATH, len(path)) + path
        parts.append(b"\xff" * 16 + struct.pack(">HB", 19 + len(body), 2) + body)
    return b"".join(parts)


def batches(data: bytes) -> list[Batch]:
    decoder, source, found = RawDecoder(), io.BytesIO(data), []
    while (batch := decoder.read(source)) is not None:
        found.append(batch)
    return found


PATTERN = "[13]7$"
COUNT = 200_000


def expected() -> list[bool]:
    return [bool(re.search(PATTERN, f"{number % 7},{number * 7919 % 50021}")) for number in range(COUNT)]


def test_more_paths_than_are_remembered() -> None:
    program = Filter(f"aspath ~ {PATTERN}").program
    data = wires(COUNT)
    for _ in range(2):
        assert [bool(octet) for batch in batches(data) for octet in program.matches(batch)] == expected()


def test_threads_share_a_program() -> None:
    program = Filter(f"aspath ~ {PATTERN} || as_origin in [5, 7919] || json[attrs.ASPATH.value.1] == 5").program
    data = wires(COUNT // 10)
    alone = [program.matches(batch) for batch in batches(data)]
    found: list[list[bytes]] = []

    def run() -> None:
        found.append([program.matches(batch) for batch in batches(data)])

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 4
    assert any(map(any, alone))


def test_a_change_is_seen() -> None:
    msg = update((AS_PATH, "0201 00000005"))
    assert msg.update is not None
    wanted = Filter("as_origin == 5 && !med || med == 7 && aspath ~ ^6 && tag[x] == y")
    assert wanted.match(msg)
    msg.update.med = 7
    assert not wanted.match(msg)
    msg.update.as_path.prepend(6)
    assert not wanted.match(msg)
    msg.tags["x"] = "y"
    assert wanted.match(msg)
    msg.tags["x"] = "z"
    assert not wanted.match(msg)
    del msg.tags["x"]
    assert not wanted.match(msg)


def test_own_tags_stand_in_front_of_those_of_the_peer() -> None:
    """Peers share tags; a message may have others, or be rid of some."""
    batch = collect([Msg.make("KEEPALIVE", tags={"PEER_AS": "1", "b": "2"}) for _ in range(3)])
    first, second, _ = batch
    first.tags["PEER_AS"] = "3"
    del second.tags["PEER_AS"]
    assert list(Filter("tag[PEER_AS] == 1").program.matches(batch)) == [0, 0, 1]
    assert list(Filter("tag == 1").program.matches(batch)) == [0, 0, 1]
    assert list(Filter("tag ~ 3").program.matches(batch)) == [1, 0, 0]
    assert list(Filter("tag[PEER_AS]").program.matches(batch)) == [1, 0, 1]
    assert list(Filter("tag[b] == 2").program.matches(batch)) == [1, 1, 1]
    del second.tags["b"]
    assert list(Filter("tag").program.matches(batch)) == [1, 0, 1]
