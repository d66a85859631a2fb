"""Edits on the wire are the obvious edits of the JSON form, which oracle.py takes apart and puts together again."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import oracle
from bgpipe._codec import RawDecoder
from bgpipe._edit import Editor
from bgpipe._view import Msg, SessionContext
from bgpipe.names import ATTRIBUTES
from property import strategies

Json = Any
Segments = list[tuple[str, list[int]]]
slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
WIDTHS = {8: 4, 16: 8, 32: 12}
FLAGS = {2: "T", 3: "T", 4: "O", 5: "T", 8: "OT", 16: "OT", 17: "OT", 18: "OT", 32: "OT"}
CODES = {name: code for code, name in ATTRIBUTES.items()}


def code_of(name: str) -> int:
    return CODES[name] if name in CODES else int(name.removeprefix("ATTR_"))


def put(attrs: dict[str, Json], code: int, value: Json, segments: list[int] | None = None) -> None:
    """In place of the value there is, or behind the last attribute of a lower code."""
    entry = {"value": value} | ({} if segments is None else {"segments": segments})
    name = ATTRIBUTES[code]
    if name in attrs:
        attrs[name] = {"flags": attrs[name]["flags"], **entry}
        return
    names = list(attrs)
    place = max((at for at, known in enumerate(names, 1) if code_of(known) < code), default=0)
    entries = [*attrs.items()]
    entries.insert(place, (name, {"flags": FLAGS[code], **entry}))
    attrs.clear()
    attrs.update(entries)


def to_segments(entry: Json) -> Segments:
    hops = entry["value"]
    counts = list(entry.get("segments") or oracle.usual_sequences(hops))
    found: Segments = []
    for run in oracle.path_runs(hops):
        if isinstance(run[0], int):
            while run:
                found.append(("seq", run[: counts[0]]))
                run = run[counts.pop(0) :]
        elif isinstance(run[0], list):
            found.append(("set", run[0]))
        else:
            ((kind, members),) = run[0].items()
            found.append((kind, members))
    return found


def put_path(attrs: dict[str, Json], code: int, segments: Segments) -> None:
    hops: list[Json] = []
    for kind, members in segments:
        hops += members if kind == "seq" else [members] if kind == "set" else [{kind: members}]
    put(attrs, code, hops, [len(members) for kind, members in segments if kind == "seq"])


def prepended(asns: list[int], segments: Segments) -> Segments:
    """One AS number after the other, the last one first, as a speaker does it (RFC 4271 section 5.1.2)."""
    for asn in reversed(asns):
        if segments and segments[0][0] == "seq" and len(segments[0][1]) < 255:
            segments = [("seq", [asn, *segments[0][1]]), *segments[1:]]
        else:
            segments = [("seq", [asn]), *segments]
    return segments


def length(segments: Segments) -> int:
    return sum(len(members) if kind == "seq" else kind == "set" for kind, members in segments)


def whole_path(path: Segments, as4: Segments) -> Segments:
    """RFC 6793 section 4.2.3."""
    if length(path) < length(as4):
        as4 = []
    leading, found = length(path) - length(as4), []
    for kind, members in path:
        if kind == "set" and leading:
            leading -= 1
            found.append((kind, members))
        elif kind == "seq" and leading:
            found.append((kind, members[:leading]))
            leading -= len(found[-1][1])
    return found + as4


def next_hop(entry: Json, hop4: bytes, hop6: bytes) -> Json:
    hop = {"IPV4": hop4, "IPV6": hop6}.get(entry["af"].partition("/")[0], b"")
    if not hop or entry["af"].partition("/")[2] not in ("UNICAST", "MULTICAST"):
        return entry
    text = oracle.ip_text(hop[:16])
    if len(hop) != 32 and entry.get("nexthop") == text:
        return entry
    local = {"link-local": oracle.ip_text(hop[16:])} if len(hop) == 32 else {}
    return {"af": entry["af"], "nexthop": text, **local, "prefixes": entry["prefixes"]}


def changed(data: Json, plan: dict[str, Json], as_size: int) -> Json:
    """The edit, on the JSON of an UPDATE."""
    data = json.loads(json.dumps(data))
    attrs = data.get("attrs", {})
    mp = attrs.get("MP_REACH", {}).get("value")
    assume(not isinstance(mp, str))
    if not data.get("reach") and not (mp and (mp.get("prefixes") or mp.get("data"))):
        return data
    dropped = {code: plan["drop"].get(code, b"") for code in WIDTHS}
    if plan["prepend"]:
        asns = plan["prepend"]
        path = to_segments(attrs.get("ASPATH", {"value": []}))
        if as_size == 2 and max(asns) > 0xFFFF and 2 not in plan["drop_attrs"]:
            known = to_segments(attrs.get("AS4PATH", {"value": []}))
            put_path(attrs, 17, prepended(asns, whole_path(path, known)))
        put_path(attrs, 2, prepended([asn if asn <= 0xFFFF or as_size == 4 else 23456 for asn in asns], path))
    if data.get("reach") and plan["hop4"]:
        put(attrs, 3, oracle.ip_text(plan["hop4"]))
    if mp:
        attrs["MP_REACH"]["value"] = next_hop(mp, plan["hop4"], plan["hop6"])
    for code, key in ((4, "med"), (5, "local_pref")):
        if plan[key] is not None:
            put(attrs, code, plan[key])
    for code in WIDTHS:
        held = attrs.get(ATTRIBUTES[code], {"value": []})["value"]
        added, out = texts(code, plan["add"].get(code, b"")), dropped[code]
        values = [] if out is None else [value for value in held if value not in texts(code, out)]
        for value in added:
            if out is not None and value not in texts(code, out) and value not in values:
                values.append(value)
        if values:
            put(attrs, code, values)
        else:
            attrs.pop(ATTRIBUTES[code], None)
    for code in plan["drop_attrs"]:
        attrs.pop(oracle.attribute_name(code), None)
    data["attrs"] = attrs
    return data


def texts(code: int, octets: bytes) -> list[Json]:
    return oracle.attribute_json(code, octets, oracle.Context())["value"] if octets else []


def few(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(values, max_size=3).map(b"".join)


asns = st.sampled_from([1, 23456, 64512, 65535, 65536, 0xFFFFFFFF])


@st.composite
def plans(draw: st.DrawFn, wire: bytes) -> dict[str, Json]:
    """Options of an edit; communities among those that the message has, more often than not."""

    def communities(code: int) -> bytes:
        width = WIDTHS[code]
        held = b"".join(value for _, known, value in attributes(wire) if known == code)
        start = draw(st.integers(0, 20)) % max(1, len(held) // width) * width
        one = held[start : start + width] if len(held) >= width else b""
        return draw(few(st.binary(min_size=width, max_size=width))) + one

    def maybe(values: st.SearchStrategy[Any], nothing: Any) -> Any:
        return draw(values) if draw(st.integers(0, 2)) == 0 else nothing

    return {
        "hop4": maybe(strategies.ipv4s, b""),
        "hop6": maybe(strategies.ipv6s | st.binary(min_size=32, max_size=32), b""),
        "add": {code: communities(code) for code in maybe(st.lists(st.sampled_from([8, 16, 32]), unique=True), [])},
        "drop": {
            code: draw(st.sampled_from([None, communities(code), communities(code)]))
            for code in maybe(st.lists(st.sampled_from([8, 16, 32]), unique=True), [])
        },
        "med": maybe(strategies.u32s, None),
        "local_pref": maybe(strategies.u32s, None),
        "prepend": maybe(st.lists(asns, max_size=3) | st.lists(asns, min_size=1, max_size=1).map(lambda x: x * 255), []),
        "drop_attrs": maybe(st.lists(st.sampled_from([1, 2, 3, 4, 8, 17, 22, 32, 200, 255]), unique=True), []),
    }


def attributes(wire: bytes) -> list[tuple[int, int, bytes]]:
    body = oracle.Reader(wire[19:])
    try:
        body.take(body.number(2))
        return oracle.split_attributes(body.take(body.number(2)))
    except oracle.Malformed:
        return []


@st.composite
def edits(draw: st.DrawFn) -> tuple[int, bool, bytes, dict[str, Json]]:
    as_size, addpath = draw(strategies.contexts)
    wire = draw(strategies.updates(as_size, addpath))
    return as_size, addpath, wire, draw(plans(wire))


def run(wire: bytes, plan: dict[str, Json], as_size: int, addpath: bool) -> tuple[list[bytes], list[int]]:
    batch = RawDecoder(as_size=as_size, addpath=addpath).read(BytesIO(wire))
    assert batch is not None
    hops = {key: (plan[key], plan[key]) for key in ("hop4", "hop6")}
    after, short = Editor(**{**plan, **hops}).edit(batch, 3)
    return [msg.wire for msg in after], short


EVERY_FAMILY = [(afi, safi) for afi in (1, 2, 25) for safi in range(256)]


def context(as_size: int, addpath: bool) -> SessionContext:
    return SessionContext(as_size=as_size, addpath=EVERY_FAMILY if addpath else ())


@slow
@given(edit=edits())
def test_as_in_json(edit: tuple[int, bool, bytes, dict[str, Json]]) -> None:
    as_size, addpath, wire, plan = edit
    found, _ = run(wire, plan, as_size, addpath)
    if Msg(wire, context=context(as_size, addpath)).error is not None:
        assert found == []
        return
    kind, data = oracle.decode_message(wire, as_size, addpath)
    assume(not isinstance(data, str))
    expected = oracle.encode_message(kind, changed(data, plan, as_size), as_size)
    assume(len(expected) <= 4096)
    assert found == [expected]


def prefixes_of(data: Json) -> list[tuple[str, Json]]:
    mp = data.get("attrs", {}).get("MP_REACH", {}).get("value", {})
    away = data.get("attrs", {}).get("MP_UNREACH", {}).get("value", {})
    return [
        *(("-", prefix) for prefix in (*data.get("unreach", []), *away.get("prefixes", []))),
        *(("+", prefix) for prefix in (*mp.get("prefixes", []), *data.get("reach", []))),
    ]


@st.composite
def long_updates(draw: st.DrawFn) -> tuple[bool, bytes]:
    """Messages that are nearly as long as they may be."""
    addpath = draw(st.booleans())

    def many(afi: int) -> bytes:
        some = draw(strategies.joined(strategies.prefixes(afi, addpath), least=1, most=5))
        return some * (draw(st.integers(1, 4000)) // len(some))

    flag = draw(st.integers(0, 15))
    withdrawn = many(1) if flag & 1 else b""
    values = [(1, b"\0"), (2, b"\2\1\0\0\0\1"), (3, b"\x0a\0\0\1")]
    if flag & 2:
        values.append((14, bytes.fromhex("00020110") + bytes(15) + b"\1\0" + many(2)))
    if flag & 4:
        values.append((15, bytes.fromhex("000201") + many(2)))
    values = draw(st.permutations(values))
    blob = b"".join(b"\x50" + bytes([code]) + strategies.be16(len(value)) + value for code, value in values)
    wire = strategies.message(2, strategies.be16(len(withdrawn)) + withdrawn + strategies.be16(len(blob)) + blob + (many(1) if flag & 8 else b""))
    missing = 4096 - len(wire) - draw(st.integers(0, 20)) - 4
    assume(missing >= 0)
    filler = bytes([0xD0, 99]) + strategies.be16(missing) + bytes(missing)
    at = 19 + 2 + len(withdrawn)
    body = wire[19:at] + strategies.be16(len(blob) + len(filler)) + blob + filler + wire[at + 2 + len(blob) :]
    return addpath, strategies.message(2, body)


@slow
@given(message=long_updates(), count=st.integers(1, 300))
def test_division(message: tuple[bool, bytes], count: int) -> None:
    """Every prefix once, in order, with all attributes, in messages that are not too long; unless none can be long enough."""
    addpath, wire = message
    added = b"".join(number.to_bytes(4) for number in range(count))
    plan: dict[str, Json] = dict.fromkeys(("hop4", "hop6"), b"") | {"add": {8: added}}
    found, short = run(wire, plan, 4, addpath)
    _, before = oracle.decode_message(wire, 4, addpath)
    after = [oracle.decode_message(part, 4, addpath)[1] for part in found]
    wanted = prefixes_of(before)
    assert max(map(len, found), default=0) <= 4096
    got = [prefix for data in after for prefix in prefixes_of(data)]
    if short:
        assert len(got) < len(wanted)
        assert all(prefix in wanted for prefix in got)
        assert [prefix for prefix in got if prefix[0] == "-"] == [prefix for prefix in wanted if prefix[0] == "-"]
    else:
        assert got == wanted
    rest = {name: entry for name, entry in before.get("attrs", {}).items() if not name.startswith("MP_")}
    for data in after:
        if any(sign == "+" for sign, _ in prefixes_of(data)):
            attrs = {name: entry for name, entry in data["attrs"].items() if not name.startswith("MP_")}
            assert attrs.pop("COMMUNITY")["value"] == texts(8, added)
            assert attrs == rest
            if not short and "MP_REACH" in data["attrs"]:
                assert data["attrs"]["MP_REACH"]["value"]["nexthop"] == "::1"
