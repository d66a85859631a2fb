"""A filter's text and its tree say the same, and the compiled program does what the oracle does."""

from __future__ import annotations

import os
import random
from functools import cache
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import filter_oracle
import filter_sample
from bgpipe import Batch, Filter, Msg, SessionContext
from bgpipe._view import collect
from bgpipe.filters.tree import And, Not, Or, Test
from filter_oracle import Message, Node
from property.strategies import sessions

FILTERS = int(os.environ.get("BGPIPE_FILTERS", "3000"))  # how many random ones


class Written(NamedTuple):
    tree: Node
    text: str

    def inside(self, *kinds: type[Node]) -> str:
        """As part of something else: in parentheses if it is one of `kinds`."""
        return f"({self.text})" if type(self.tree) in kinds else self.text


def join(kind: type[And], parts: list[Written], bits: int) -> Written:
    """&& binds closer than ||, so in an Or the parentheses of an And are for the eye: bit 0. Bit 1: spaces."""
    kinds = (And, Or) if kind is And or bits & 1 else (Or,)
    sign = {And: "&&", Or: "||"}[kind]
    sign = f" {sign} " if bits & 2 else sign
    return Written(kind([part.tree for part in parts]), sign.join(part.inside(*kinds) for part in parts))


def negate(part: Written) -> Written:
    """In parentheses, but for what is no comparison: otherwise it would be the operator that is negated."""
    bare = isinstance(part.tree, Test) and not part.tree.operator
    return Written(Not(part.tree), f"!{part.text}" if bare else f"!({part.text})")


def build(numbers: list[int]) -> Written:
    """A filter of any shape, in reverse Polish: most numbers are a comparison, the others work on those before them.

    Of strategies that draw trees, the drawing alone takes longer than all else.
    """
    stack: list[Written] = []
    for number in numbers:
        number, step = divmod(number, 8)
        if step == 5 and stack:
            stack.append(negate(stack.pop()))
        elif step in (6, 7) and len(stack) > 1:
            count = 2 + number // 4 % (len(stack) - 1)
            stack[-count:] = [join(And if step == 6 else Or, stack[-count:], number)]
        else:
            comparisons = filter_sample.comparisons()
            stack.append(Written(*comparisons[number % len(comparisons)]))
    return join(And, stack, 0) if len(stack) > 1 else stack[0]


filters = st.lists(st.integers(0, 2**20), min_size=1, max_size=12).map(build)


@cache
def batch() -> Batch:
    return collect(filter_sample.messages())


UNKNOWN = 2


class Remembered:
    """What the oracle found of single tests: those of all filters are the same few thousand."""

    def __init__(self) -> None:
        self.places = {id(message): place for place, message in enumerate(filter_sample.read_messages())}
        self.found = {
            id(test): bytearray([UNKNOWN]) * len(self.places) for test, _ in filter_sample.comparisons()
        }

    def __call__(self, test: Test, message: Message) -> bool:
        found, place = self.found[id(test)], self.places[id(message)]
        if found[place] == UNKNOWN:
            found[place] = filter_oracle.holds(test, message)
        return bool(found[place])


remembered = cache(Remembered)


def expected(tree: Node) -> bytes:
    """An octet a message, as Program.matches() gives."""
    holds = remembered()
    return bytes(filter_oracle.matches(tree, message, holds) for message in filter_sample.read_messages())


def check(written: Written) -> None:
    wanted = Filter(written.text)
    assert wanted.tree == written.tree
    ours, theirs = wanted.program.matches(batch()), expected(written.tree)
    if ours != theirs:
        place = next(place for place in range(len(ours)) if ours[place] != theirs[place])
        raise AssertionError(f"{written.text}: {ours[place]}, not {theirs[place]}: {filter_sample.read_messages()[place]}")


def test_single_comparisons() -> None:
    for test, text in filter_sample.comparisons():
        check(Written(test, text))


slow = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(slow, max_examples=FILTERS, database=None)
@given(written=filters)
def test_random_filters(written: Written) -> None:
    check(written)


@settings(slow, max_examples=max(50, FILTERS // 100))
@given(session=sessions(), chance=st.randoms(use_true_random=False))
def test_random_messages(session: tuple[int, bool, list[bytes]], chance: random.Random) -> None:
    """Odd and broken ones, which archives lack."""
    as_size, addpath, wires = session
    context = SessionContext(as_size=as_size, addpath=filter_sample.ANY_FAMILY if addpath else ())
    msgs = [Msg(wire, time=1, seq=1, context=context) for wire in wires]
    messages = [Message.of(msg) for msg in msgs]
    for test, text in filter_sample.Comparisons(messages, 2, chance).all():
        wanted = Filter(text)
        assert wanted.tree == test
        ours, theirs = wanted.program.matches(collect(msgs)), [filter_oracle.matches(test, message) for message in messages]
        assert list(ours) == theirs, (text, messages)
