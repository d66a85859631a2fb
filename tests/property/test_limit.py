"""limit does what the slow and obvious model of tests/limits.py says, whatever comes in which order."""

from __future__ import annotations

from dataclasses import asdict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from limits import (
    CEASE,
    OPEN,
    Item,
    Limits,
    Model,
    attribute,
    batches,
    check,
    message,
    mp_reach,
    mp_unreach,
    path,
    update,
)

from bgpipe._table import Limiter, RouteTable

# Few of each, so that they meet.
IPV4 = ["10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16", "10.1.128.0/17", "10.1.2.0/24", "10.1.3.0/24", "10.1.3.1/24", "10.1.2.3/32"]
IPV6 = ["2000::/3", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:2::/48", "2001:db9::/33", "2001:db8:2::1/128"]
HOPS: list[int | tuple[int, ...]] = [1, 2, 70000, (1, 2), (2, 1, 1), (3, 3)]
numbers = st.sampled_from([0, 0, 1, 2, 3, 5, 1000])
limits = st.builds(
    Limits,
    families=st.sampled_from([1, 4, 5, 15]),
    min_length=st.sampled_from([0, 0, 9, 24]),
    max_length=st.sampled_from([24, 48, 128, 128]),
    session=numbers,
    origin=numbers,
    block=numbers,
    ipv4_block=st.sampled_from([1, 8, 16, 24, 32]),
    ipv6_block=st.sampled_from([3, 32, 33, 48, 64]),
    permanent=st.sampled_from([False, False, True]),
)


@st.composite
def paths(draw: DrawFn, as_size: int) -> bytes:
    """AS_PATH and AS4_PATH, or neither."""
    hops = draw(st.lists(st.sampled_from(HOPS), max_size=3))
    if as_size == 4:
        return attribute(2, path(*hops)) if hops or draw(st.booleans()) else b""
    short = [hop if isinstance(hop, tuple) else min(hop, 23456) for hop in hops]
    attrs = attribute(2, path(*short, as_size=2))
    if draw(st.booleans()):
        confed = b"\3\1\0\0\0\7" if draw(st.booleans()) else b""
        attrs += attribute(17, confed + path(*draw(st.lists(st.sampled_from(HOPS), max_size=3))), 0xC0)
    return attrs


@st.composite
def items(draw: DrawFn) -> Item:
    addpath = draw(st.booleans())
    as_size = draw(st.sampled_from([2, 4, 4]))

    def prefixes(pool: list[str]) -> SearchStrategy[list[str]]:
        some = st.sampled_from(pool)
        return st.lists(st.builds("#{}#{}".format, st.integers(1, 2), some) if addpath else some, max_size=4)

    kind = draw(st.sampled_from(["update"] * 12 + ["open", "cease", "keepalive", "state"]))
    wire = {"open": OPEN, "cease": CEASE, "keepalive": message(4), "state": b""}.get(kind, b"")
    if kind == "update":
        attrs = attribute(1, b"\0") + draw(paths(as_size))
        flags = draw(st.sampled_from([0x80, 0x90]))
        families = [(1, 1, IPV4), (2, 1, IPV6), (2, 1, IPV6), (1, 2, IPV4), (2, 2, IPV6), (2, 128, [])]
        for make in draw(st.permutations([mp_reach, mp_unreach])):
            if draw(st.booleans()):
                afi, safi, pool = draw(st.sampled_from(families))
                attrs += make(*(draw(prefixes(pool)) if pool else ()), afi=afi, safi=safi, flags=flags)
        attrs += attribute(5, b"\0\0\0\1") if draw(st.booleans()) else b""
        wire = update(*draw(prefixes(IPV4)), withdraw=draw(prefixes(IPV4)), attrs=attrs)
    direction = draw(st.sampled_from("RRL"))
    return Item(wire, draw(st.integers(0, 2)), direction, as_size, addpath)


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(limits=limits, sequence=st.lists(items(), max_size=40), directions=st.sampled_from([1, 3, 3]))
def test_limit_equals_model(limits: Limits, sequence: list[Item], directions: int) -> None:
    limiter, model = Limiter(RouteTable(), **asdict(limits)), Model(limits)
    for batch, resets in batches(sequence):
        check(limiter, model, batch, resets, directions)
    limiter.forget()
    assert len(limiter.table) == 0
    assert not limiter.table.totals()
