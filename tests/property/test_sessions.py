"""Sessions under any bytes, in any order, at any time: defined states, one NOTIFICATION at most, and nothing raised."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpipe._view import Msg
from bgpipe.bgp import capabilities
from bgpipe.bgp.causes import header_error
from bgpipe.bgp.events import Ended, Established, Seen
from bgpipe.bgp.session import Speaker, State
from bgpipe.bgp.watch import Watch
from property import strategies

slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

identifiers = st.integers(1, 0xFFFFFFFF)
hold_times = st.just(0) | st.integers(3, 65535) | st.integers(3, 9)
as_numbers = st.integers(1, 0xFFFFFFFF) | st.sampled_from([1, 65535, 65536, 0xFFFFFFFF])
families = st.sampled_from(["IPV4/UNICAST", "IPV6/UNICAST", "IPV4/FLOWSPEC", "L2VPN/EVPNS"])
offers = st.fixed_dictionaries(
    {},
    optional={
        "MP": st.lists(families, unique=True),
        "AS4": st.just(0),
        "ROUTE_REFRESH": st.just(True),
        "EXTENDED_MESSAGE": st.just(True),
        "ADDPATH": st.lists(st.builds("{}/{}".format, families, st.sampled_from(["SEND", "RECEIVE", "BIDIR"])), unique_by=lambda one: one.rpartition("/")[0]),
        "CAP_200": st.sampled_from(["0x" + "ab" * 255]),
    },
).map(capabilities.from_object)
speakers = st.fixed_dictionaries(
    {"active": st.booleans(), "asn": as_numbers, "hold_time": hold_times, "capabilities": offers, "tolerant": st.booleans()},
    optional={"id": identifiers, "remote_asn": as_numbers, "remote_hold": st.integers(0, 9)},
)


def frames(stream: bytes, extended: bool) -> list[bytes]:
    """Messages of a stream, up to the first header that is wrong, which is the last of them."""
    found = []
    while len(stream) >= 19:
        if header_error(stream[:19], extended=extended) is not None:
            return [*found, stream[:19]]
        length = int.from_bytes(stream[16:18], "big")
        if len(stream) < length:
            break
        found.append(stream[:length])
        stream = stream[length:]
    return found


def check(speaker: Speaker, sent: list[bytes]) -> None:
    """What holds for a speaker at all times."""
    assert isinstance(speaker.state, State)
    assert (speaker.negotiated is not None) >= (speaker.state in (State.OPEN_CONFIRM, State.ESTABLISHED))
    kinds = [wire[18] for wire in sent]
    assert all(header_error(wire) is None and Msg(wire).error is None for wire in sent)
    assert kinds.count(3) <= 1
    assert kinds.count(1) <= 1
    assert 3 not in kinds[:-1]
    assert 3 not in kinds or speaker.state is State.CLOSED


steps = st.one_of(
    strategies.messages(4, False),
    strategies.mutated(4, False),
    strategies.opens,
    st.just(strategies.message(4, b"")),
    st.binary(max_size=60),
    st.floats(0, 500),
    st.sampled_from(["tick", "close", "lost", "connected", "heard", "error"]),
)


@slow
@given(speakers, st.lists(steps, max_size=20))
def test_a_speaker_stands_anything(options: dict[str, Any], history: list[bytes | float | str]) -> None:
    speaker = Speaker(**options)
    sent: list[bytes] = []
    now = 1000.0
    speaker.connected(now)
    for step in history:
        match step:
            case bytes():
                extended = speaker.negotiated is not None and speaker.negotiated.receive.extended_messages
                for wire in frames(step, extended) or [step]:
                    speaker.receive(wire, now)
            case float():
                now += step
            case "tick":
                speaker.tick(now)
                deadline = speaker.next_deadline()
                assert deadline is None or deadline > now
            case "close":
                speaker.close("bye")
            case "lost":
                speaker.lost()
            case "connected":
                speaker.connected(now)
            case "heard":
                speaker.heard(now)
            case "error":
                broken = Msg.make("UPDATE", b"\0\0\0\4\x40\1\1\3")
                assert broken.error is not None
                speaker.malformed(broken.error, broken.wire)
        sent += speaker.take()
        check(speaker, sent)
    events = speaker.events()
    assert [type(event) for event in events] in ([], [Established], [Established, Ended], [Ended])


@slow
@given(st.lists(st.binary(max_size=40), max_size=8), st.booleans())
def test_any_stream(chunks: list[bytes], marker: bool) -> None:
    speaker = Speaker(active=True, asn=65001)
    speaker.connected(0)
    stream = (b"\xff" * 16 if marker else b"") + b"".join(chunks)
    for wire in frames(stream, False):
        speaker.receive(wire, 0)
    check(speaker, speaker.take())


def talk(left: Speaker, right: Speaker, now: float) -> None:
    """Bring what each says to the other until neither has anything to say."""
    while True:
        said = left.take(), right.take()
        if not any(said):
            return
        for wire in said[0]:
            right.receive(wire, now)
        for wire in said[1]:
            left.receive(wire, now)


@slow
@given(speakers, speakers)
def test_two_speakers(one: dict[str, Any], other: dict[str, Any]) -> None:
    """They get on with each other, unless one asks for what the other is not, or both wait."""
    left, right = Speaker(**one), Speaker(**other)
    left.connected(1000)
    right.connected(1000)
    talk(left, right, 1000)
    if not (one["active"] or other["active"]):
        assert (left.state, right.state) == (State.ACTIVE, State.ACTIVE)
        return
    wanted = all(
        mine.get("remote_asn", theirs["asn"]) == theirs["asn"] and mine.get("remote_hold", 0) <= theirs["hold_time"]
        for mine, theirs in ((one, other), (other, one))
    )
    identifiers = [options.get("id", 1 if options["active"] else 0) for options in (one, other)]
    if wanted and (one["asn"] != other["asn"] or identifiers[0] != identifiers[1]):
        assert (left.state, right.state) == (State.ESTABLISHED, State.ESTABLISHED)
        assert left.negotiated is not None
        assert right.negotiated is not None
        assert (left.negotiated.send, left.negotiated.receive) == (right.negotiated.receive, right.negotiated.send)
        assert left.negotiated.hold_time == right.negotiated.hold_time == min(one["hold_time"], other["hold_time"])
        assert left.negotiated.remote.asn == other["asn"]
    else:
        assert (left.state, right.state) == (State.CLOSED, State.CLOSED)
        assert sorted(event.by for speaker in (left, right) for event in speaker.events() if isinstance(event, Ended)) in (
            ["peer", "us"], ["us", "us"],
        )  # fmt: skip


def relay(watch: Watch, left: Speaker, right: Speaker, hidden: set[str]) -> list[Seen]:
    """Bring what each says to the other through a proxy that takes capabilities out of OPENs on their way to the right."""
    seen: list[Seen] = []
    while True:
        said = [(wire, "R", right) for wire in left.take()] + [(wire, "L", left) for wire in right.take()]
        if not said:
            return seen
        for wire, direction, receiver in said:
            watch.came(Msg(wire, direction=direction), 1000)
            changed = Msg(wire, direction=direction)
            if changed.open is not None and direction == "R":
                for name in hidden & set(changed.open.capabilities):
                    del changed.open.capabilities[name]
            seen += watch.went(changed, 1000)
            receiver.receive(changed.wire, 1000)


@slow
@given(speakers, speakers, st.sets(st.sampled_from(["MP", "ADDPATH", "EXTENDED_MESSAGE", "ROUTE_REFRESH", "CAP_200"])))
def test_two_speakers_through_a_proxy(one: dict[str, Any], other: dict[str, Any], hidden: set[str]) -> None:
    """Each end of a proxy knows what its peer takes the session for, whatever it does to the OPENs."""
    for options, identifier in ((one, 1), (other, 2)):
        options.update(active=True, id=identifier, remote_asn=-1, remote_hold=0)
    left, right, watch = Speaker(**one), Speaker(**other), Watch()
    for there in (watch.left, watch.right, left, right):
        there.connected(1000)
    seen = relay(watch, left, right, hidden)
    assert (left.state, right.state) == (State.ESTABLISHED, State.ESTABLISHED)
    assert sorted(event.name for event in seen) == ["ALIVE", "ALIVE", "ESTABLISHED", "OPEN", "OPEN"]
    for speaker, end in ((left, watch.left), (right, watch.right)):
        assert speaker.negotiated is not None
        assert end.negotiated is not None
        assert (end.receive, end.send) == (speaker.negotiated.send, speaker.negotiated.receive)
        assert end.negotiated.hold_time == speaker.negotiated.hold_time


@slow
@given(speakers, speakers, st.lists(st.floats(0, 1), min_size=1), st.integers(1, 300))
def test_keepalives_keep_a_session(one: dict[str, Any], other: dict[str, Any], jitter: list[float], ticks: int) -> None:
    """Two that tick on time never lose each other, and never in a loop at one moment."""
    numbers = iter(jitter * 10000)
    for options, asn in ((one, 1), (other, 2)):
        options.update(active=True, asn=asn, id=asn, remote_asn=-1, remote_hold=0, jitter=lambda: next(numbers))
    left, right = Speaker(**one), Speaker(**other)
    left.connected(1000)
    right.connected(1000)
    talk(left, right, 1000)
    now = 1000.0
    for _ in range(ticks):
        deadlines = [when for speaker in (left, right) if (when := speaker.next_deadline()) is not None]
        if not deadlines:
            assert min(one["hold_time"], other["hold_time"]) == 0
            break
        assert min(deadlines) > now
        now = min(deadlines)
        left.tick(now)
        right.tick(now)
        talk(left, right, now)
    assert (left.state, right.state) == (State.ESTABLISHED, State.ESTABLISHED)


watched = st.one_of(
    strategies.messages(4, False), strategies.mutated(4, False), strategies.opens, st.just(strategies.message(4, b""))
)
passing = st.tuples(watched, st.sampled_from("LR"), st.sampled_from(["came", "went", "both", "both"]), st.floats(0, 300))
switches = st.tuples(st.sampled_from(["reading", "writing", "waiting"]), st.booleans(), st.sampled_from(["left", "right"]))


@slow
@given(st.lists(passing | switches | st.floats(0, 500), max_size=20), st.booleans())
def test_a_watch_stands_anything(history: list[Any], both: bool) -> None:
    """Each event once a direction, one NOTIFICATION of ours an end at most, nothing after it, and time goes on."""
    watch = Watch()
    watch.right.connected(1000)
    if both:
        watch.left.connected(1000)
    now, seen = 1000.0, []
    sent: dict[str, list[bytes]] = {"left": [], "right": []}
    for step in history:
        if isinstance(step, float):
            now += step
            watch.tick(now)
            deadline = watch.next_deadline()
            assert deadline is None or deadline > now
        elif len(step) == 3:
            what, on, side = step
            end = getattr(watch, side)
            if what == "waiting":
                end.waiting(on)
            elif end.timers is not None:
                getattr(end.timers, what)(on, now)
        else:
            wire, direction, where, later = step
            now += later
            msg = Msg(wire, direction=direction)
            if where != "went":
                watch.came(msg, now)
            if where != "came":
                seen += watch.went(msg, now)
        for end in (watch.left, watch.right):
            sent[end.name] += end.take()
    for wires in sent.values():
        kinds = [wire[18] for wire in wires]
        assert kinds.count(3) <= 1
        assert 3 not in kinds[:-1]
    keys = [(event.name, getattr(event, "direction", ""), getattr(event, "family", "")) for event in seen]
    assert len(keys) == len(set(keys))
