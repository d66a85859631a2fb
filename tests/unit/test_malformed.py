"""What is wrong with an UPDATE, and what a speaker does about it: a message for each line of the table."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bgpipe import Msg, Pipeline, SessionContext
from bgpipe._malformed import ACTIONS, CLASSES, FIELDS, WORDS
from bgpipe.names import ATTRIBUTES
from bgpipe.pipeline.events import Event, ParseEvent

ORIGIN = bytes.fromhex("40010100")
AS_PATH = bytes.fromhex("4002060201") + (64496).to_bytes(4)
NEXT_HOP = bytes.fromhex("400304c0000201")
LOCAL_PREF = bytes.fromhex("40050400000064")
PREFIX = bytes.fromhex("18c00002")
EXTERNAL = {"PEER_AS": "64496", "LOCAL_AS": "64497"}
INTERNAL = {"PEER_AS": "64496", "LOCAL_AS": "64496"}


def update(attributes: bytes, reach: bytes = b"", unreach: bytes = b"") -> bytes:
    return len(unreach).to_bytes(2) + unreach + len(attributes).to_bytes(2) + attributes + reach


def message(body: bytes, *, kind: int = 2, tags: dict[str, str] | None = None, as_size: int = 4) -> Msg:
    wire = b"\xff" * 16 + (19 + len(body)).to_bytes(2) + bytes((kind,)) + body
    return Msg(wire, tags=tags or {}, context=SessionContext(as_size=as_size))


def route(*attributes: bytes, tags: dict[str, str] | None = None, as_size: int = 4) -> Msg:
    """An announcement of a prefix with these attributes and, in front, those that must be there and are not among them."""
    codes = {attribute[1] for attribute in attributes}
    usual = [one for one in (ORIGIN, AS_PATH, NEXT_HOP) if one[1] not in codes]
    return message(update(b"".join((*usual, *attributes)), PREFIX), tags=tags, as_size=as_size)


def attribute(code: int, value: bytes, flags: int) -> bytes:
    return bytes((flags, code, len(value))) + value


# A message for each line, with what else is wrong with it left out.
EXAMPLES: dict[tuple[str, str], Msg] = {
    ("message", "BAD_LENGTH"): message(b"\0", kind=4),
    ("lengths", "OVERRUN"): message(b"\xff\xff\0\0"),
    ("withdrawn routes", "BAD_NLRI"): message(update(b"", unreach=b"\x18\xc0")),
    ("NLRI", "BAD_NLRI"): message(update(ORIGIN + AS_PATH + NEXT_HOP, b"\x21\xc0\0\2\1\0")),
    ("any", "OVERRUN"): route(b"\xc0\x08\x04\0"),
    ("any", "TWICE"): route(ORIGIN, ORIGIN),
    ("any", "BAD_FLAGS"): route(attribute(8, bytes(4), 0x80)),
    ("any", "UNRECOGNIZED"): route(attribute(99, b"", 0x40)),
    ("ORIGIN", "BAD_LENGTH"): route(attribute(1, b"\0\0", 0x40)),
    ("ORIGIN", "BAD_VALUE"): route(attribute(1, b"\3", 0x40)),
    ("ORIGIN", "MISSING"): message(update(AS_PATH + NEXT_HOP, PREFIX)),
    ("ASPATH", "BAD_SEGMENT"): route(attribute(2, b"\5\1\0\0\0\1", 0x40)),
    ("ASPATH", "ZERO_AS"): route(attribute(2, b"\2\2\0\0\0\1\0\0\0\0", 0x40)),
    ("ASPATH", "MISSING"): message(update(ORIGIN + NEXT_HOP, PREFIX)),
    ("NEXTHOP", "BAD_LENGTH"): route(attribute(3, b"\1\2\3", 0x40)),
    ("NEXTHOP", "MISSING"): message(update(ORIGIN + AS_PATH, PREFIX)),
    ("MED", "BAD_LENGTH"): route(attribute(4, b"\1\2\3", 0x80)),
    ("LOCALPREF", "BAD_LENGTH"): route(attribute(5, b"\1\2\3", 0x40), tags=INTERNAL),
    ("LOCALPREF", "MISSING"): route(tags=INTERNAL),
    ("LOCALPREF", "FOREIGN"): route(attribute(5, b"\1\2\3", 0x40), tags=EXTERNAL),
    ("AGGREGATE", "BAD_LENGTH"): route(attribute(6, b"\1", 0x40)),
    ("AGGREGATE", "BAD_FLAGS"): route(attribute(6, b"", 0xC0)),
    ("AGGREGATOR", "BAD_LENGTH"): route(attribute(7, bytes(6), 0xC0)),
    ("AGGREGATOR", "BAD_FLAGS"): route(attribute(7, b"\0\0\0\1" + bytes(4), 0x40)),
    ("AGGREGATOR", "ZERO_AS"): route(attribute(7, bytes(8), 0xC0)),
    ("COMMUNITY", "BAD_LENGTH"): route(attribute(8, b"", 0xC0)),
    ("ORIGINATOR", "BAD_LENGTH"): route(attribute(9, b"\1", 0x80)),
    ("ORIGINATOR", "FOREIGN"): route(attribute(9, bytes(4), 0x80), tags=EXTERNAL),
    ("CLUSTER_LIST", "BAD_LENGTH"): route(attribute(10, b"", 0x80)),
    ("CLUSTER_LIST", "FOREIGN"): route(attribute(10, bytes(4), 0x80), tags=EXTERNAL),
    ("MP_REACH", "BAD_LENGTH"): route(attribute(14, b"\0\2\1\x20", 0x80)),
    ("MP_REACH", "BAD_NEXT_HOP"): route(attribute(14, b"\0\2\1\4" + bytes(5), 0x80)),
    ("MP_REACH", "BAD_NLRI"): route(attribute(14, b"\0\2\1\x10" + bytes(16) + b"\0\x40\1", 0x80)),
    ("MP_REACH", "TWICE"): route(*[attribute(14, b"\0\2\1\x10" + bytes(16) + b"\0", 0x80)] * 2),
    ("MP_UNREACH", "BAD_LENGTH"): route(attribute(15, b"\0\2", 0x80)),
    ("MP_UNREACH", "BAD_NLRI"): route(attribute(15, b"\0\2\1\x81", 0x80)),
    ("MP_UNREACH", "TWICE"): route(*[attribute(15, b"\0\2\1", 0x80)] * 2),
    ("EXT_COMMUNITY", "BAD_LENGTH"): route(attribute(16, bytes(7), 0xC0)),
    ("AS4PATH", "BAD_SEGMENT"): route(attribute(17, b"\2\0", 0xC0)),
    ("AS4PATH", "ZERO_AS"): route(attribute(17, b"\2\1\0\0\0\0", 0xC0)),
    ("AS4AGGREGATOR", "BAD_LENGTH"): route(attribute(18, bytes(6), 0xC0)),
    ("AS4AGGREGATOR", "ZERO_AS"): route(attribute(18, bytes(8), 0xC0)),
    ("PMSI_TUNNEL", "BAD_LENGTH"): route(attribute(22, b"\0\1", 0xC0)),
    ("TUNNEL", "BAD_PARTS"): route(attribute(23, b"\0\x08\0\x05\1", 0xC0)),
    ("TRAFFIC_ENG", "BAD_LENGTH"): route(attribute(24, b"", 0x80)),
    ("IPV6_EXT_COMMUNITY", "BAD_LENGTH"): route(attribute(25, bytes(19), 0xC0)),
    ("AIGP", "BAD_PARTS"): route(attribute(26, b"\1\0\x0c" + bytes(8), 0x80)),
    ("AIGP", "BAD_FLAGS"): route(attribute(26, b"\1\0\x0b" + bytes(8), 0xC0)),
    ("PE_DISTING", "BAD_LENGTH"): route(attribute(27, bytes(6), 0xC0)),
    ("BGP_LS", "BAD_PARTS"): route(attribute(29, b"\4\1\0\2\0", 0x80)),
    ("BGPSEC_PATH", "BAD_PARTS"): route(attribute(33, b"\0\x09\1\0\0\0\0\1", 0x80)),
    ("DPATH", "BAD_PARTS"): route(attribute(36, b"\1\0\0\0\1\0\1", 0xC0)),
    ("BFD_DISCRIMINATOR", "BAD_PARTS"): route(attribute(38, b"\1\0\0\0\1\1\5\0", 0xC0)),
    ("PREFIX_SID", "BAD_PARTS"): route(attribute(40, b"\1\0\x08" + bytes(7), 0xC0)),
    ("PREFIX_SID", "BAD_SERVICE"): route(attribute(40, b"\5\0\5\0\1\0\x10\0", 0xC0)),
    ("SET", "BAD_LENGTH"): route(attribute(128, bytes(3), 0xC0)),
    ("SET", "BAD_PARTS"): route(attribute(128, b"\0\0\0\1\x40\1\2\0", 0xC0)),
    ("LARGE_COMMUNITY", "BAD_LENGTH"): route(attribute(32, bytes(11), 0xC0)),
    ("OTC", "BAD_LENGTH"): route(attribute(35, bytes(3), 0xC0)),
}
PROBLEM_NAMES = [
    *("FINE", "BAD_LENGTH", "BAD_VALUE", "BAD_SEGMENT", "BAD_NEXT_HOP", "BAD_NLRI", "BAD_PARTS", "BAD_FLAGS"),
    *("TWICE", "MISSING", "OVERRUN", "ZERO_AS", "FOREIGN", "UNRECOGNIZED"),
    "BAD_SERVICE",
]
TABLE = {
    ("any" if place is None else ATTRIBUTES.get(place) or FIELDS[place], PROBLEM_NAMES[problem]): (problem, *row)
    for (place, problem), row in CLASSES.items()
}


def test_each_line_of_the_table_has_a_message() -> None:
    assert sorted(EXAMPLES) == sorted(TABLE)


@pytest.mark.parametrize("line", EXAMPLES, ids="/".join)
def test_each_line_of_the_table(line: tuple[str, str]) -> None:
    problem, action, source = TABLE[line]
    found = EXAMPLES[line].errors
    assert [(error.problem, error.action, error.source) for error in found] == [(WORDS[problem], ACTIONS[action], source)]
    assert line[0] in ("any", found[0].field)
    assert EXAMPLES[line].error_action == ACTIONS[action]


@pytest.mark.parametrize(("value", "good"), [("02 0000000a000246 0000000b000380 01 0000000c000400", True), ("", False), ("00", False)])
def test_domain_paths(value: str, good: bool) -> None:
    """Segments of at least one domain, and at least one segment."""
    assert (route(attribute(36, bytes.fromhex(value), 0xC0)).errors == ()) is good


@pytest.mark.parametrize(
    ("family", "good", "bad"),
    [
        ("0001 01", (4, 16, 32), (0, 5)),
        ("0002 02", (16, 32), (0, 4)),
        ("0001 04", (4, 16, 32), (0, 12)),
        ("0001 80", (12, 24, 48), (0, 3, 4, 16)),
        ("0002 80", (24, 48), (0, 12, 16)),
        ("0002 81", (24, 48), (0, 16)),
        ("0019 46", (4, 16), (0, 2, 24)),
        ("0002 05", (4, 16), (0, 12)),
        ("0001 84", (4, 16), (0, 3)),
        ("0001 85", (0, 4, 16, 9), ()),
        ("4004 47", (0, 4, 16, 9), ()),
    ],
)
def test_next_hops_have_the_length_of_their_family(family: str, good: tuple[int, ...], bad: tuple[int, ...]) -> None:
    def problems(size: int) -> list[str]:
        value = bytes.fromhex(family) + bytes([size]) + bytes(size + 1)
        return [error.problem for error in route(attribute(14, value, 0x80)).errors]

    assert [size for size in good if problems(size)] == []
    assert [problems(size) for size in bad] == [[WORDS[TABLE["MP_REACH", "BAD_NEXT_HOP"][0]]]] * len(bad)


def test_the_table_is_in_the_docs() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "malformed.md").read_text()
    for (field, _), (problem, action, source) in TABLE.items():
        assert f"| {field} | {WORDS[problem]} | {ACTIONS[action]} | {source} |" in docs


def test_most_messages_have_no_errors() -> None:
    for msg in (route(), route(LOCAL_PREF, tags=INTERNAL), message(b"\0\0\0\0"), message(b"", kind=4)):
        assert msg.errors == ()
        assert msg.error_action == ""


def test_an_error_says_where_it_is() -> None:
    msg = route(attribute(4, b"\1\2\3", 0x80))
    assert msg.wire[msg.errors[0].offset :].startswith(b"\1\2\3")


def test_all_errors_are_found_and_the_strongest_action_holds() -> None:
    msg = route(attribute(1, b"\7", 0x40), attribute(6, b"\1", 0x40), attribute(4, b"", 0x80))
    assert {(error.field, error.action) for error in msg.errors} == {
        ("ORIGIN", "treat-as-withdraw"),
        ("AGGREGATE", "attribute-discard"),
        ("MED", "treat-as-withdraw"),
    }
    assert msg.error_action == "treat-as-withdraw"


def test_without_routes_nobody_knows_what_to_withdraw() -> None:
    """RFC 7606 section 5.2: attributes, an error and no route that is announced."""
    bad_origin = attribute(1, b"\7", 0x40)
    assert message(update(bad_origin + AS_PATH)).error_action == "session-reset"
    assert message(update(attribute(6, b"\1", 0x40))).error_action == "attribute-discard"
    withdrawal = attribute(15, b"\0\2\1" + bytes.fromhex("2020010db8"), 0xC0)
    assert message(update(withdrawal)).error_action == "treat-as-withdraw"


def test_a_second_one_of_an_attribute_is_not_looked_at() -> None:
    assert [error.problem for error in route(ORIGIN, attribute(1, b"\7", 0x40)).errors] == [WORDS[8]]


def test_as_numbers_have_the_size_of_the_session() -> None:
    path = attribute(2, b"\2\1" + (64496).to_bytes(2), 0x40)
    assert route(path, as_size=2).errors == ()
    assert route(path).error_action == "treat-as-withdraw"


def test_what_parses_has_errors_too() -> None:
    msg = EXAMPLES["any", "BAD_FLAGS"]
    assert msg.error is None
    assert msg.error_action == "treat-as-withdraw"


@pytest.mark.parametrize("code", sorted(ATTRIBUTES))
def test_whatever_is_in_an_attribute_has_a_class(code: int) -> None:
    for seed in range(300):
        octets = random.Random(seed)
        value = octets.randbytes(octets.choice((0, 1, 2, 3, 4, 5, 8, 11, 20, 40)))
        for error in route(attribute(code, value, octets.choice((0x40, 0x80, 0xC0)))).errors:
            assert error.action
            assert error.source.startswith("RFC ")


def test_no_more_than_64_errors_are_told() -> None:
    msg = route(*[attribute(code, b"", 0) for code in range(100, 190)])
    assert len(msg.errors) == 64
    assert msg.error_action == "session-reset"


def test_a_stage_tags_them(tmp_path: Path) -> None:
    source = tmp_path / "in.raw"
    source.write_bytes(route().wire + route(attribute(1, b"\7", 0x40), attribute(4, b"", 0x80)).wire)
    pipe = Pipeline(["--", "read", str(source), "--", "tag", "--errors", "--add", "a=b"])
    seen = []
    pipe.on_message(lambda msg: seen.append(dict(msg.tags)))
    pipe.run_sync()
    wrong = {"a": "b", "error/action": "treat-as-withdraw", "error/fields": "ORIGIN,MED"}
    assert seen == [{"a": "b"}, wrong]


def test_the_event_knows_them(tmp_path: Path) -> None:
    source = tmp_path / "in.raw"
    source.write_bytes(route(attribute(1, b"\7", 0x40)).wire)
    pipe = Pipeline(["--", "read", str(source)])
    events: list[Event] = []
    pipe.on_event("PARSE")(events.append)
    pipe.run_sync()
    (event,) = events
    assert isinstance(event, ParseEvent)
    assert event.action == "treat-as-withdraw"
    assert [error.field for error in event.errors] == ["ORIGIN"]
    assert "(treat-as-withdraw)" in event.describe()
