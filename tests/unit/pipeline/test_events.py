"""Names of events as users write them, and the bus."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from unittest.mock import Mock

import pytest

from bgpipe.errors import UsageError
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.events import Bus, Event, is_async, resolve

ALL = ("START", "STOP", "READY", "PREPARE")


@pytest.fixture
def pipe() -> Pipeline:
    return Pipeline("@left read a.mrt -- @Big read b.mrt -- write c.mrt")


class TestResolve:
    @pytest.mark.parametrize(
        "word", ["established", "ESTABLISHED", "Established", "pipe.established", "bgpfix/pipe.ESTABLISHED", "bgpipe/ESTABLISHED"]
    )
    def test_one_event_has_many_spellings(self, pipe: Pipeline, word: str) -> None:
        assert resolve([word], pipe.stages, ALL) == ("bgpipe/ESTABLISHED",)

    @pytest.mark.parametrize("word", ["all", "*"])
    def test_all(self, pipe: Pipeline, word: str) -> None:
        assert resolve([word], pipe.stages, ALL) == ("*",)

    def test_stage_alone(self, pipe: Pipeline) -> None:
        assert resolve(["left"], pipe.stages, ALL) == ("left/START", "left/STOP", "left/READY", "left/PREPARE")
        assert resolve(["write"], pipe.stages, ("START",)) == ("write/START",)
        assert resolve(["Big"], pipe.stages, ("STOP",)) == ("Big/STOP",)

    def test_command_of_a_named_stage_is_no_name(self, pipe: Pipeline) -> None:
        with pytest.raises(UsageError, match="unknown event 'read'"):
            resolve(["read"], pipe.stages, ALL)

    def test_stage_event(self, pipe: Pipeline) -> None:
        assert resolve(["left/READY", "write/stop"], pipe.stages, ALL) == ("left/READY", "write/STOP")

    def test_each_once(self, pipe: Pipeline) -> None:
        assert resolve(["EOR", "eor", "left/START", "left"], pipe.stages, ("START",)) == ("bgpipe/EOR", "left/START")

    def test_upper_case_is_the_pipeline_event_though_a_stage_has_that_name(self) -> None:
        pipe = Pipeline("@eor read a.mrt -- @STOP read b.mrt -- write c.mrt")
        assert resolve(["eor"], pipe.stages, ("START",)) == ("eor/START",)
        assert resolve(["EOR"], pipe.stages, ("START",)) == ("bgpipe/EOR",)
        assert resolve(["STOP"], pipe.stages, ("START",)) == ("bgpipe/STOP",)

    def test_unknown(self, pipe: Pipeline) -> None:
        with pytest.raises(UsageError, match=r"unknown event 'establish'; did you mean ESTABLISHED\?"):
            resolve(["establish"], pipe.stages, ALL)
        with pytest.raises(UsageError, match=r"unknown event 'lefd'; did you mean left\?"):
            resolve(["lefd"], pipe.stages, ALL)
        with pytest.raises(UsageError, match="there is no stage 'limit' for the event limit/session"):
            resolve(["limit/session"], pipe.stages, ALL)
        with pytest.raises(UsageError, match=r"unknown event 'left/stat'; did you mean left/START\?"):
            resolve(["left/stat"], pipe.stages, ALL)
        with pytest.raises(UsageError, match=r"there is no stage 'lefd' .*; did you mean left\?"):
            resolve(["lefd/START"], pipe.stages, ALL)

    @pytest.mark.parametrize(
        ("word", "told"),
        [
            ("limit/foo", "; limit has block, long, origin, session, short, PREPARE, READY, START, STOP"),
            ("limit/sesion", "; did you mean limit/session?"),
            ("session", "; did you mean limit/session?"),
            ("grep/match", "; --event-match, --event-fail, --kill-match and --kill-fail make others"),
        ],
    )
    def test_events_of_stages(self, word: str, told: str) -> None:
        stages = Pipeline("-o -- read a.mrt -- limit -s 1 -- grep ipv4").stages
        with pytest.raises(UsageError) as raised:
            resolve([word], stages, ALL)
        assert str(raised.value).startswith(f"unknown event {word!r}; ")
        assert str(raised.value).endswith(told)


class TestBus:
    def test_exact_name_or_star(self) -> None:
        bus = Bus()
        seen: list[str] = []
        bus.subscribe("a/X", lambda event: seen.append(f"exact {event}"))
        bus.subscribe("*", lambda event: seen.append(f"any {event}"))
        bus.emit(Event("a", "X"))
        bus.emit(Event("a", "Y"))
        assert seen == ["exact a/X", "any a/X", "any a/Y"]

    def test_knows_of_coroutine_functions(self) -> None:
        bus = Bus()

        async def handler(event: Event) -> None: ...

        assert not bus.asynchronous
        bus.subscribe("a/X", handler)
        assert bus.asynchronous
        (coroutine,) = bus.emit(Event("a", "X"))
        coroutine.close()


def test_on_event_without_its_brackets(pipe: Pipeline) -> None:
    with pytest.raises(UsageError, match=r"^<function .* is no name of an event; on_event\(\) takes all of them$"):
        pipe.on_event(lambda event: None)  # type: ignore[arg-type]


def test_is_async() -> None:
    async def coroutine(event: Event) -> None: ...

    async def generator(event: Event) -> AsyncIterator[Event]:
        yield event

    class Object:
        async def __call__(self, event: Event) -> None: ...

        async def method(self, event: Event) -> None: ...

        def sync(self, event: Event) -> None: ...

    partial = functools.partial(functools.partial(coroutine))
    for function in (coroutine, generator, Object(), Object().method, partial):
        assert is_async(function)
    for function in (print, Object().sync, Object, functools.partial(print), Mock(), lambda event: coroutine(event), None):
        assert not is_async(function)
