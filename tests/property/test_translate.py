"""What a peer gets in its context means what came in another: compared as JSON, which oracle.py reads and writes."""

from __future__ import annotations

import gzip
import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import corpus
import oracle
from bgpipe._codec import Buffer, RawDecoder
from bgpipe._mrt import MrtDecoder
from bgpipe._translate import PeerEncoder
from bgpipe._view import Msg, SessionContext
from property import strategies
from property.test_edit import Segments, context, length, prefixes_of, put, put_path, slow, to_segments

Json = Any
AS_TRANS = 23456
PLAIN = ("seq", "set")


def send(wires: list[bytes], was: SessionContext, to: SessionContext) -> tuple[list[bytes], int]:
    """What a peer gets, and how many messages it does not get as they were."""
    batch = RawDecoder(context=int(was), block_size=1 << 20).read(BytesIO(b"".join(wires)))
    assert batch is not None
    encoder, out = PeerEncoder(int(to)), Buffer()
    encoder.encode(batch, out)
    found, stream = [], bytes(out)
    while stream:
        size = int.from_bytes(stream[16:18])
        found.append(stream[:size])
        stream = stream[size:]
    assert [msg.wire for msg in batch] == wires
    return found, encoder.skipped


def narrowed(attrs: Json) -> None:
    """RFC 6793 section 4.2.2."""
    for name in ("AS4PATH", "AS4AGGREGATOR"):
        attrs.pop(name, None)
    if "ASPATH" in attrs:
        path = to_segments(attrs["ASPATH"])
        put_path(attrs, 2, [(kind, [asn if asn <= 0xFFFF else AS_TRANS for asn in asns]) for kind, asns in path])
        plain = [(kind, asns) for kind, asns in path if kind in PLAIN]
        if any(asn > 0xFFFF for _, asns in plain for asn in asns):
            put_path(attrs, 17, plain)
    if "AGGREGATOR" in attrs:
        whole = attrs["AGGREGATOR"]["value"]
        if whole["asn"] > 0xFFFF:
            put(attrs, 7, {**whole, "asn": AS_TRANS})
            put(attrs, 18, whole)


def widened(attrs: Json) -> None:
    """RFC 6793 section 4.2.3."""
    as4_path = attrs.pop("AS4PATH", None)
    as4_aggregator = attrs.pop("AS4AGGREGATOR", None)
    if "AGGREGATOR" in attrs and as4_aggregator:
        if attrs["AGGREGATOR"]["value"]["asn"] == AS_TRANS:
            put(attrs, 7, as4_aggregator["value"])
        else:
            as4_path = None
    if "ASPATH" in attrs and as4_path:
        back = [(kind, asns) for kind, asns in to_segments(as4_path) if kind in PLAIN]
        put_path(attrs, 2, merged(to_segments(attrs["ASPATH"]), back))


def merged(path: Segments, back: Segments) -> Segments:
    """As many as `back` lacks, from the front, then that; and what is of a confederation beside what stays."""
    if length(back) > length(path):
        return path
    more, found = length(path) - length(back), []
    for kind, asns in path:
        if kind in PLAIN and more == 0:
            break
        taken = asns[:more] if kind == "seq" else asns
        found.append((kind, taken))
        more -= len(taken) if kind == "seq" else kind == "set"
        if len(taken) < len(asns):
            break
    return found + back


def with_ids(texts: list[str], ids: bool) -> list[str]:
    return [text if text.startswith("#") == ids else f"#0#{text}" if ids else text.split("#")[2] for text in texts]


def translated(data: Json, was: tuple[int, bool], to: tuple[int, bool]) -> Json:
    """The same UPDATE, for who takes another AS size, or path ids in all families or in none."""
    data = json.loads(json.dumps(data))
    attrs = data.get("attrs", {})
    data.pop("as_size", None)
    if was[0] != to[0]:
        (narrowed if to[0] == 2 else widened)(attrs)
    for holder in (data, attrs.get("MP_REACH", {}).get("value", {}), attrs.get("MP_UNREACH", {}).get("value", {})):
        for key in ("reach", "unreach", "prefixes"):
            if key in holder:
                holder[key] = with_ids(holder[key], to[1])
        for key in ("nlri", "rules"):
            for route in holder.get(key, ()):
                if to[1]:
                    route.setdefault("path_id", 0)
                else:
                    route.pop("path_id", None)
    return data


def typed(data: Json) -> bool:
    """Whether all that may change is shown as what it is, and not as hex."""
    if isinstance(data, str):
        return False
    attrs = data.get("attrs", {})
    values = [attrs[name]["value"] for name in ("ASPATH", "AS4PATH", "AGGREGATOR", "AS4AGGREGATOR", "MP_REACH", "MP_UNREACH") if name in attrs]
    return not any(isinstance(value, str) or "data" in value for value in values)


@st.composite
def updates(draw: st.DrawFn, as_size: int, addpath: bool) -> bytes:
    """Any, or one of what may have to be changed, as it should be."""
    if draw(st.booleans()):
        return draw(strategies.updates(as_size, addpath))
    chosen = draw(st.lists(st.sampled_from([2, 2, 7, 17, 18, 14, 15, 1, 32]), min_size=1, max_size=6, unique=True))
    blob = b""
    for code in chosen:
        value = draw(as_paths(4 if code == 17 else as_size) if code in (2, 17) else strategies.values(code, as_size, addpath))
        if code == 7:
            value = draw(strategies.asns(as_size)) + value[-4:]
        blob += bytes([strategies.USUAL_FLAGS[code] | 0x10, code]) + strategies.be16(len(value)) + value
    prefixes = strategies.joined(strategies.prefixes(1, addpath), most=3)
    withdrawn = draw(prefixes)
    body = strategies.be16(len(withdrawn)) + withdrawn + strategies.be16(len(blob)) + blob + draw(prefixes)
    return strategies.message(2, body)


@st.composite
def as_paths(draw: st.DrawFn, as_size: int) -> bytes:
    """Few numbers, AS_TRANS and large ones among them."""
    numbers = st.sampled_from([1, 2, AS_TRANS, 65535, *([65536, 4_200_000_000] if as_size == 4 else [AS_TRANS])])
    path = b""
    for kind in draw(st.lists(st.sampled_from([1, 2, 2, 2, 3, 4]), max_size=4)):
        path += oracle.segment(kind, draw(st.lists(numbers, min_size=1, max_size=4)), as_size)
    return path


@slow
@given(data=st.data(), was=strategies.contexts, to=strategies.contexts)
def test_as_in_json(data: st.DataObject, was: tuple[int, bool], to: tuple[int, bool]) -> None:
    wire = data.draw(updates(*was))
    assume(len(wire) <= 4096)
    found, lost = send([wire], context(*was), context(*to))
    if was == to:
        assert (found, lost) == ([wire], 0)
        return
    if Msg(wire, context=context(*was)).error is not None:
        assert (found, lost) == ([], 1)
        return
    kind, before = oracle.decode_message(wire, *was)
    assume(typed(before))
    expected = oracle.encode_message(kind, translated(before, was, to), to[0])
    assume(len(expected) <= 4096)
    assert lost == 0
    # Where attributes are in no order, it is open where others go among them.
    assert [oracle.decode_message(part, *to) for part in found] == [oracle.decode_message(expected, *to)]
    assert [len(part) for part in found] == [len(expected)]


@slow
@given(data=st.data())
def test_there_and_back(data: st.DataObject) -> None:
    """Between two speakers of four octets, one of two loses nothing but numbers of a confederation; nor do path ids of 0."""
    wire = data.draw(updates(4, False))
    assume(Msg(wire).error is None)
    _, before = oracle.decode_message(wire, 4, False)
    assume(typed(before))
    attrs = before.get("attrs", {})
    assume(not attrs.keys() & {"AS4PATH", "AS4AGGREGATOR"})
    path = to_segments(attrs.get("ASPATH", {"value": []}))
    assume(all(kind in PLAIN or (at == 0 and max(asns) <= 0xFFFF) for at, (kind, asns) in enumerate(path)))
    there, lost = send([wire], context(4, False), context(2, True))
    assert lost == 0
    (back,), lost = send(there, context(2, True), context(4, False))
    assert lost == 0
    assert oracle.decode_message(back) == ("UPDATE", before)


@slow
@given(data=st.data(), addpath=st.booleans())
def test_division(data: st.DataObject, addpath: bool) -> None:
    """Of a message that is too long every prefix arrives, with all attributes, or is withdrawn."""

    def many(afi: int) -> bytes:
        some = data.draw(strategies.joined(strategies.prefixes(afi, addpath), least=1, most=5))
        return some * (data.draw(st.integers(1, 15000)) // len(some))

    flag = data.draw(st.integers(1, 15))
    size = data.draw(st.integers(0, 100) | st.integers(4000, 4040))
    values = [(1, b"\0"), (3, b"\x0a\0\0\1"), (99, bytes(size))]
    if flag & 1:
        values.append((14, bytes.fromhex("00020110") + bytes(15) + b"\1\0" + many(2)))
    if flag & 2:
        values.append((15, bytes.fromhex("000201") + many(2)))
    values = data.draw(st.permutations(values))
    blob = b"".join(b"\x50" + bytes([code]) + strategies.be16(len(value)) + value for code, value in values)
    withdrawn, announced = many(1) if flag & 4 else b"", many(1) if flag & 8 else b""
    wire = strategies.message(2, strategies.be16(len(withdrawn)) + withdrawn + strategies.be16(len(blob)) + blob + announced)
    ids = data.draw(st.booleans())
    assume(len(wire) > 4096)
    found, lost = send([wire], context(4, addpath), context(4, ids))
    assert all(len(part) <= 4096 for part in found)
    before = oracle.decode_message(wire, 4, addpath)[1]
    after = [oracle.decode_message(part, 4, ids)[1] for part in found]
    wanted = prefixes_of(translated(before, (4, addpath), (4, ids)))
    got = [prefix for part in after for prefix in prefixes_of(part)]
    if lost:
        assert sorted(text for _, text in got) == sorted(text for _, text in wanted)
        assert not {prefix for prefix in got if prefix[0] == "+"} - set(wanted)
    else:
        assert got == wanted
    rest = {name: entry for name, entry in before["attrs"].items() if not name.startswith("MP_")}
    for part in after:
        if any(sign == "+" for sign, _ in prefixes_of(part)):
            assert {name: entry for name, entry in part["attrs"].items() if not name.startswith("MP_")} == rest


ARCHIVES = [
    *("updates.20020722.2238.gz", "updates.20070211.0141.gz", "updates.20071015.1505.gz", "updates.20100227.1600.gz"),
    *("updates.20100722.2015.gz", "updates.20160811.1600.gz", "mrtparse.bird-mrtdump_bgp.mrt.gz", "mrtparse.quagga_bgp.mrt.gz"),
]


@pytest.mark.parametrize("name", ARCHIVES)
def test_real_messages(name: str) -> None:
    """Those of four octets arrive as they were, through a peer of two; those of two, with the paths that they tell of."""
    checked = 0
    with gzip.open(corpus.folder() / "mrt" / name) as file:
        decoder = MrtDecoder()
        while checked < 3000 and (batch := decoder.read(file)) is not None:
            for msg in batch:
                if msg.update is None or msg.error is not None:
                    continue
                was, to = msg.context, SessionContext(as_size=4, addpath=msg.context.addpath)
                if was.as_size == 2:
                    ((found,), lost) = send([msg.wire], was, to)
                    after = Msg(found, context=to).update
                    assert after is not None
                    assert after.as_path == msg.update.full_as_path
                    assert not after.attrs.keys() & {"AS4PATH", "AS4AGGREGATOR"}
                else:
                    between = SessionContext(as_size=2, addpath=[] if was.addpath else ["IPV4/UNICAST", "IPV6/UNICAST"])
                    there, lost = send([msg.wire], was, between)
                    ((found,), lost_back) = send(there, between, was)
                    assert lost_back == 0
                    if not was.addpath and not msg.update.attrs.keys() & {"AS4PATH", "AS4AGGREGATOR"}:
                        assert oracle.decode_message(found) == oracle.decode_message(msg.wire)
                assert lost == 0
                checked += 1
    assert checked
