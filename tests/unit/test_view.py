"""Messages as Python sees them: fields, tags, JSON, contexts, and what keeps what alive."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bgpipe
from bgpipe._codec import Batch, RawDecoder
from bgpipe._json_reader import JsonDecoder
from bgpipe._update import Update
from bgpipe._view import Msg, SessionContext, Tags, collect, message_at, messages
from bgpipe.errors import FieldError, JsonError, MessageError

MARKER = b"\xff" * 16
KEEPALIVE = MARKER + b"\0\x13\x04"
UPDATE = MARKER + b"\0\x17\x02\0\0\0\0"


class Bytes:
    """A source of the bytes given."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def readinto(self, buffer: memoryview, /) -> int:
        n = min(len(buffer), len(self.data))
        buffer[:n] = self.data[:n]
        self.data = self.data[n:]
        return n


def raw(data: bytes) -> Batch:
    batch = RawDecoder().read(Bytes(data))
    assert batch is not None
    return batch


def json_batch(*lines: str) -> Batch:
    batch = JsonDecoder().read(Bytes("".join(line + "\n" for line in lines).encode()))
    assert batch is not None
    return batch


LINE = '["L",7,"2023-01-02T03:04:05.678901","UPDATE",{"reach":["10.0.0.0/8"]},{"PEER_AS":"65000","X":"é"}]'


def test_fields() -> None:
    msg = message_at(json_batch(LINE), 0)
    assert (msg.dir, msg.seq, msg.type, msg.type_code) == ("L", 7, "UPDATE", 2)
    assert msg.time == 1_672_628_645_678_901_000
    assert msg.datetime == datetime(2023, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert msg.wire == MARKER + b"\0\x19\x02" + msg.body
    assert msg.body == b"\0\0\0\0\x08\x0a"
    assert msg.error is None
    assert not msg.edited
    assert not msg.dropped
    assert dict(msg.tags) == {"PEER_AS": "65000", "X": "é"}
    assert repr(msg) == "<Msg L 7 UPDATE, 25 octets>"
    assert msg.to_json() == LINE


def test_settable_fields() -> None:
    batch = json_batch(LINE)
    msg = message_at(batch, 0)
    msg.seq = 2**64 - 1
    msg.time = 5
    msg.dropped = True
    again = message_at(batch, 0)
    assert (again.seq, again.time, again.dropped) == (2**64 - 1, 5, True)
    again.dropped = False
    assert not msg.dropped
    for value in (-1, 2**64):
        with pytest.raises(OverflowError):
            msg.seq = value
    with pytest.raises(AttributeError):
        msg.dir = "R"  # type: ignore[misc]


def test_body() -> None:
    msg = message_at(json_batch(LINE), 0)
    update = msg.update
    assert update is not None
    assert update.reach == ["10.0.0.0/8"]
    msg.body = b"\0\0\0\0\x08\x0b"
    assert update.reach == ["11.0.0.0/8"]
    assert msg.wire == MARKER + b"\0\x19\x02" + b"\0\0\0\0\x08\x0b"
    assert msg.edited
    with pytest.raises(MessageError, match="4097 octets, 4096 is the most without extended messages") as caught:
        msg.body = bytes(4097 - 19)
    assert (caught.value.code, caught.value.subcode, caught.value.field) == (1, 2, "length")
    assert update.reach == ["11.0.0.0/8"]


def test_types() -> None:
    batch = raw(b"".join(Msg.make(kind).wire for kind in (1, 2, 3, 4, 5, 77)))
    assert [msg.type for msg in batch] == ["OPEN", "UPDATE", "NOTIFY", "KEEPALIVE", "REFRESH", "77"]
    for msg in batch:
        faces = (msg.open, msg.update, msg.notification, msg.refresh)
        assert [face is not None for face in faces] == [msg.type_code == code for code in (1, 2, 3, 5)]


def test_errors() -> None:
    good, bad = raw(Msg.make("UPDATE", bytes(4)).wire + Msg.make("UPDATE", bytes(3)).wire)
    assert good.error is None
    assert isinstance(bad.error, MessageError)
    assert (bad.error.code, bad.error.subcode) == (3, 1)
    assert bad.batch.failed == 1
    assert bad.update is not None
    with pytest.raises(MessageError):
        len(bad.update.reach)
    bad.body = bytes(4)
    assert bad.error is None


# ---- making messages


def test_made_from_octets() -> None:
    msg = Msg(KEEPALIVE, direction="L", time=5, seq=6, tags={"A": "b"}, context=SessionContext(as_size=2))
    assert msg.to_json() == '["L",6,"1970-01-01T00:00:00.000","KEEPALIVE",null,{"A":"b"}]'
    assert msg.context == SessionContext(as_size=2)
    assert not msg.edited
    before = datetime.now(UTC)
    assert abs((Msg(KEEPALIVE).datetime - before).total_seconds()) < 60
    for octets in (b"", KEEPALIVE[:18], KEEPALIVE + b"\0", MARKER + b"\0\x12\x04"):
        with pytest.raises(MessageError, match="no BGP message"):
            Msg(octets)
    with pytest.raises(FieldError, match='direction: "X", expected'):
        Msg(KEEPALIVE, direction="X")


def test_made_from_type_and_body() -> None:
    assert Msg.make("KEEPALIVE").wire == KEEPALIVE
    assert Msg.make("notification", b"\x06\x02", direction="L", time=5).notification is not None
    assert Msg.make(77, b"abc").wire == MARKER + b"\0\x16\x4dabc"
    with pytest.raises(FieldError):
        Msg.make("FOO")
    with pytest.raises(MessageError, match="65536 octets, 65535 is the most"):
        Msg.make(77, bytes(65536 - 19))
    assert Msg.make(77, bytes(65535 - 19)).context.extended_messages


def test_made_from_json() -> None:
    for line in (LINE, LINE.encode(), LINE + "\n"):
        assert Msg.from_json(line).to_json() == LINE
    assert Msg.from_json("[]").type == "KEEPALIVE"
    two = '["R",1,"2023-01-02T03:04:05.000","UPDATE",{"attrs":{"ASPATH":{"flags":"T","value":[1,2]}},"as_size":2},{}]'
    assert Msg.from_json(two).context.as_size == 2
    assert Msg.from_json(two).to_json() == two
    ids = '["R",1,"2023-01-02T03:04:05.000","UPDATE",{"reach":["#5#10.0.0.0/8"]},{}]'
    assert Msg.from_json(ids).context.addpath == {"IPV4/UNICAST"}
    assert Msg.from_json(ids).to_json() == ids
    with pytest.raises(JsonError, match="no message on the line"):
        Msg.from_json("# nothing")
    with pytest.raises(JsonError, match=r"\$\[4\]\.reach\[0\]"):
        Msg.from_json('["R",1,null,"UPDATE",{"reach":["x"]}]')


# ---- contexts


def test_contexts() -> None:
    plain = SessionContext()
    assert (plain.as_size, plain.addpath, plain.extended_messages) == (4, frozenset(), False)
    full = SessionContext(as_size=2, addpath=["IPV6/UNICAST", (1, 128)], extended_messages=True)
    assert (full.as_size, full.addpath, full.extended_messages) == (2, {"IPV6/UNICAST", "IPV4/MPLS_VPN"}, True)
    assert full == SessionContext(as_size=2, addpath=[(1, 128), "2/1"], extended_messages=True)
    assert len({plain, full, SessionContext()}) == 2
    assert plain != full
    assert plain != 5
    assert repr(full) == "SessionContext(as_size=2, addpath=['IPV4/MPLS_VPN', 'IPV6/UNICAST'], extended_messages=True)"
    with pytest.raises(FieldError, match="as_size"):
        SessionContext(as_size=3)
    with pytest.raises(FieldError):
        SessionContext(addpath=["nonsense"])
    with pytest.raises(AttributeError):
        plain.as_size = 2  # type: ignore[misc]


# ---- tags


def test_tags_are_the_messages_own() -> None:
    line = '["R",{},null,"KEEPALIVE",null,{{"PEER_AS":"1","X":"y"}}]'
    batch = json_batch(line.format(1), line.format(2))
    one, other = batch
    one.tags["X"] = "z"
    one.tags["NEW"] = "é"
    del one.tags["PEER_AS"]
    assert dict(one.tags) == {"X": "z", "NEW": "é"}
    assert one.to_json().endswith('{"X":"z","NEW":"é"}]')
    assert dict(other.tags) == {"PEER_AS": "1", "X": "y"}
    del one.tags["NEW"]
    one.tags["PEER_AS"] = "5"
    assert dict(one.tags) == {"PEER_AS": "5", "X": "z"}
    one.tags = {"ONLY": "1"}
    assert dict(message_at(batch, 0).tags) == {"ONLY": "1"}
    one.tags = other.tags
    assert one.tags == other.tags
    one.tags.clear()
    assert len(one.tags) == 0
    assert one.to_json().endswith("{}]")


def test_tags_are_a_mapping() -> None:
    tags = Msg(KEEPALIVE, tags={"A": "1", "B": "2"}).tags
    assert isinstance(tags, Tags)
    assert (tags["A"], tags.get("C"), "B" in tags, list(tags)) == ("1", None, True, ["A", "B"])
    assert tags.pop("A") == "1"
    assert repr(tags) == "Tags({'B': '2'})"
    with pytest.raises(KeyError):
        tags["A"]
    with pytest.raises(KeyError):
        del tags["A"]
    del tags["B"]
    assert dict(tags) == {}
    with pytest.raises(FieldError, match="A: 5, expected text"):
        tags["A"] = 5  # type: ignore[assignment]
    with pytest.raises(FieldError, match="tag 'A' is longer than 65534 bytes"):
        tags["A"] = "x" * 65535
    with pytest.raises(FieldError, match="tag 'A' has lone surrogates"):
        tags["A"] = "\ud800"
    assert dict(tags) == {}
    tags["A"] = "x" * 65534
    assert tags["A"] == "x" * 65534


def test_json_from_many_threads_at_once() -> None:
    """One encoder serves all messages; it remembers seconds and next hops, and lets go of the GIL.

    Where two threads had it at once, some of a million texts were mixed of two messages, in most runs.
    """
    reach = ",".join(['"10.0.0.0/8"'] * 20)
    lines = [
        f'["R",{n + 1},"2023-01-02T03:04:{n:02}.000","UPDATE",{{"reach":[{reach}],'
        f'"attrs":{{"NEXTHOP":{{"flags":"T","value":"192.0.2.{n}"}}}}}},{{"PEER_AS":"{n}"}}]'
        for n in range(8)
    ]
    messages = list(json_batch(*lines))
    barrier = threading.Barrier(8)
    wrong: list[str] = []
    finished = []

    def work(first: int) -> None:
        barrier.wait()
        for turn in range(150_000):
            n = (first + turn * 3) % len(lines)
            if (text := messages[n].to_json()) != lines[n]:
                wrong.append(text)
        finished.append(first)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []
    assert len(finished) == 8


def resident_pages() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.parametrize("part", ["attribute", "tags", "body"])
def test_edits_of_one_message_do_not_pile_up(part: str) -> None:
    def edit(msg: Msg, n: int) -> None:
        assert msg.update is not None
        if part == "attribute":
            msg.update.attrs["77"] = n.to_bytes(2000)
        elif part == "tags":
            msg.tags["A"] = f"{n}" + "x" * 2000
        else:
            msg.body = n.to_bytes(2000)

    batch = raw(UPDATE + UPDATE + KEEPALIVE)
    first, second, _ = batch
    second.tags["B"] = "2"
    edit(first, 0)
    before = resident_pages()
    for n in range(20_000):
        edit(first, n)
    assert resident_pages() - before < 4000  # 16 MB, where 40 MB were written
    # Whatever was moved meanwhile is what it was, for views and values from before, too.
    assert (second.wire, dict(second.tags)) == (UPDATE, {"B": "2"})
    assert first.update is not None
    if part == "attribute":
        assert first.update.attrs["77"].value == (19_999).to_bytes(2000)
    elif part == "tags":
        assert first.tags["A"] == "19999" + "x" * 2000
    else:
        assert first.body == (19_999).to_bytes(2000)


def test_parts_of_a_batch_keep_their_octets_while_it_is_edited() -> None:
    batch = raw(UPDATE)
    msg = message_at(batch, 0)
    msg.body = bytes(3000)
    part = batch.part(0, 1)
    for n in range(1000):
        msg.body = n.to_bytes(3000)
    assert part.wire(0)[19:] == bytes(3000)
    assert msg.body == (999).to_bytes(3000)


def test_views_see_edits_of_each_other_however_many() -> None:
    """What a view has decoded is never that of octets which stood in the same place before."""
    batch = raw(UPDATE)
    first, second = message_at(batch, 0), message_at(batch, 0)
    assert first.update is not None
    assert second.update is not None
    for n in range(30_000):
        first.update.communities = [f"{n & 0xFFFF}:{k}" for k in range(30)]
        if n % 7 == 0:
            assert second.update.communities[0] == f"{n & 0xFFFF}:0"


def test_what_was_never_made_whole_does_not_crash() -> None:
    """Objects made without __init__: all that can be done to them raises, or is nothing."""
    code = """
import importlib, io
for name in ["_codec", "_json", "_json_reader", "_mrt", "_update", "_view", "_attributes"]:
    module = importlib.import_module("bgpipe." + name)
    for cls in list(vars(module).values()):
        if not isinstance(cls, type) or cls.__module__ != module.__name__:
            continue
        for attribute in set(dir(cls)) - {"__class__", "__new__", "__init__", "__init_subclass__", "__subclasshook__"}:
            for arguments in [(), (None,), (1,), (b"",), (io.BytesIO(bytes(100)),), (None, None), (1, 2)]:
                try:
                    made = cls.__new__(cls)
                    found = getattr(made, attribute)
                    repr(found(*arguments)) if callable(found) else setattr(made, attribute, *arguments)
                except Exception:
                    pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


texts = st.text(max_size=20)


@given(st.dictionaries(texts, texts, max_size=5), st.lists(st.tuples(texts, texts | st.none()), max_size=5))
def test_tags_do_as_a_dict_does(first: dict[str, str], steps: list[tuple[str, str | None]]) -> None:
    msg = Msg(KEEPALIVE, tags=first)
    model = dict(first)
    for key, value in steps:
        if value is not None:
            msg.tags[key] = model[key] = value
        elif key in model:
            del msg.tags[key], model[key]
    assert dict(msg.tags) == model
    assert dict(Msg.from_json(msg.to_json()).tags) == model


# ---- batches


def test_iteration() -> None:
    batch = raw(KEEPALIVE * 3)
    message_at(batch, 1).dropped = True
    assert [msg.index for msg in batch] == [0, 2]
    assert [msg.index for msg in messages(batch, dropped=True)] == [0, 1, 2]
    for index in (-1, 3):
        with pytest.raises(IndexError):
            message_at(batch, index)
    last = message_at(batch, 2)
    batch.cut(2)
    with pytest.raises(IndexError, match="cut off"):
        last.type  # noqa: B018
    assert [msg.index for msg in batch] == [0]


def watched(line: str) -> tuple[Msg, weakref.ref[object]]:
    """The message of a line, and a reference to something that lives as long as its batch does."""

    class Witness:
        pass

    batch = json_batch(line)
    batch.completion = Witness()
    return message_at(batch, 0), weakref.ref(batch.completion)


def test_a_view_keeps_its_batch_and_a_copy_does_not() -> None:
    msg, witness = watched(LINE)
    update = msg.update
    assert update is not None
    reach = update.reach
    copy = msg.copy()
    del msg, update
    gc.collect()
    assert witness() is not None
    assert reach == ["10.0.0.0/8"]
    del reach
    assert witness() is None
    assert copy.to_json() == LINE
    assert copy.seq == 7


def test_views_free_their_batch_without_the_collector() -> None:
    gc.disable()
    try:
        msg, witness = watched(LINE)
        update = msg.update
        assert update is not None
        update.communities.add("1:2")
        update.as_path.prepend(5)
        kept = [update.attrs, update.communities, update.as_path, update.reach, update.attrs["COMMUNITY"], msg.tags]
        del msg, update, kept
        assert witness() is None
    finally:
        gc.enable()


def test_a_copy_is_another_message() -> None:
    msg = Msg.from_json(LINE)
    msg.tags["MINE"] = "1"
    copy = msg.copy()
    assert copy.to_json() == msg.to_json()
    assert copy.update is not None
    copy.update.reach = ["11.0.0.0/8"]
    copy.tags["MINE"] = "2"
    assert msg.update is not None
    assert msg.update.reach == ["10.0.0.0/8"]
    assert msg.tags["MINE"] == "1"


def test_collecting_messages() -> None:
    first = json_batch(LINE, '["R",8,"2023-01-02T03:04:05.678","KEEPALIVE",null,{"PEER_AS":"65000"}]')
    made = Update(announce=["192.0.2.0/24"], next_hop="192.0.2.1", time=0).msg
    made.tags["A"] = "b"
    lines = [msg.to_json() for msg in (*first, made)]
    batch = collect([*first, made])
    del first, made
    gc.collect()
    assert [msg.to_json() for msg in batch] == lines
    assert len(collect([])) == 0


def test_many_collected_messages() -> None:
    batch = collect([Msg(KEEPALIVE, seq=i, tags={"N": str(i)}) for i in range(3000)])
    assert [msg.tags["N"] for msg in batch] == [str(i) for i in range(3000)]
    assert [msg.seq for msg in batch] == list(range(3000))


# ---- the library


def test_messages_of_a_file_one_by_one(tmp_path: Path) -> None:
    lines = [LINE, LINE.replace(",7,", ",8,").replace("10.0.0.0/8", "11.0.0.0/8")]
    (tmp_path / "in.json").write_text("\n".join(lines))
    with bgpipe.write(tmp_path / "out.json") as out, bgpipe.read(tmp_path / "in.json") as messages_in:
        for msg in messages_in:
            assert msg.update is not None
            if msg.update.reach == ["11.0.0.0/8"]:
                msg.update.communities.add("65000:666")
                out.write(msg)
        assert out.written == 1
    (written,) = (tmp_path / "out.json").read_text().splitlines()
    assert written == lines[1].replace(
        '"]}', '"],"attrs":{"COMMUNITY":{"flags":"OT","value":["65000:666"]}}}'
    )


def test_public_names() -> None:
    for name in bgpipe.__all__:
        assert getattr(bgpipe, name) is not None
    assert bgpipe.Msg is Msg
    assert bgpipe.Update is Update


def test_copy_and_pickle():
    import copy
    import pickle

    msg = Msg.make("UPDATE", b"\0\0\0\0\x08\x0a", tags={"PEER_AS": "1"}, seq=3, time=10**9)
    for again in (copy.copy(msg), copy.deepcopy(msg), pickle.loads(pickle.dumps(msg))):
        assert again.to_json() == msg.to_json()
        assert again.batch is not msg.batch
    assert pickle.loads(pickle.dumps(msg.update)).msg.wire == msg.wire
    with pytest.raises(TypeError, match="hops"):
        pickle.dumps(msg.update.as_path)


def test_what_was_never_made_raises():
    for cls in (Msg, Update):
        with pytest.raises(AttributeError):
            repr(cls.__new__(cls))
