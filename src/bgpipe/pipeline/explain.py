"""--explain: the pipeline as configured, one direction after the other."""

from __future__ import annotations

from bgpipe.errors import visible
from bgpipe.pipeline.events import PIPE
from bgpipe.pipeline.options import FILTERS, FLAG, Field, Options
from bgpipe.pipeline.stage import DIRECTION_NAMES, LEFT, RIGHT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgpipe.pipeline.engine import Pipeline
    from bgpipe.pipeline.stage import Stage

_SHOWN_ELSEWHERE = ("left", "right", "args", "wait", "stop", "new")


def explain(pipe: Pipeline) -> str:
    """The text that --explain prints."""
    parts: list[tuple[str, ...]] = []
    for direction, title in ((RIGHT, "Messages to the right (R)"), (LEFT, "Messages to the left (L)")):
        stages = [s for s in pipe.stages if s is not pipe.session and _works(s, direction)]
        stages.sort(key=lambda stage: pipe.rank(stage, direction))
        lines = [line for stage in stages for line in _stage(pipe, stage, direction)]
        parts.append((f"{title}:", *(lines or ["  none"])))
    settings = [_setting(pipe.options, field) for field in pipe.options.changed() if field.attribute != "explain"]
    if settings:
        parts.append(("Options:", *(f"  {setting}" for setting in settings)))
    warnings = [f"  {stage.label}: {text}" for stage, text in pipe.warnings()]
    if warnings:
        parts.append(("Warnings:", *warnings))
    return "\n\n".join("\n".join(map(visible, part)) for part in parts) + "\n"


def _works(stage: Stage, direction: int) -> bool:
    return bool(stage.directions & direction) or (stage.looks and stage.takes(direction))


def _stage(pipe: Pipeline, stage: Stage, direction: int) -> list[str]:
    lines = [f"  {stage.label}"]
    if stage.produces and stage.directions & direction:
        lines.append(f"    reads    {stage.reads()}")
        lines.append(f"    enters   {_entry(stage)}")
    if stage.looks and (stage.takes(direction) or not stage.produces):
        handles = f"messages of direction {DIRECTION_NAMES[direction]}"
        senders = [s.label for s in pipe.stages if s.produces and _meets(pipe, s, stage, direction)]
        lines.append(f"    handles  {handles} from {', '.join(senders) if senders else 'no stage'}")
        if stage.writes():
            lines.append(f"    writes   {stage.writes()}")
    for word, events in (("starts", stage.start_on), ("stops", stage.stop_on)):
        if events and events != (f"{PIPE}/START",):
            lines.append(f"    {word:<8} on {', '.join(name.removeprefix(PIPE + '/') for name in events)}")
    if given := _arguments(stage):
        lines.append(f"    given    {given}")
    own = [f for f in stage.options.changed() if f.flags and f.attribute not in _SHOWN_ELSEWHERE]
    if own:
        lines.append("    options  " + " ".join(_setting(stage.options, field) for field in own))
    return lines


def _meets(pipe: Pipeline, producer: Stage, stage: Stage, direction: int) -> bool:
    from bgpipe.pipeline.line import path

    return bool(producer.directions & direction) and stage in path(pipe, producer, direction)


def _entry(stage: Stage) -> str:
    target = getattr(stage.options, "new", "next")
    if stage.tap or target == "first":
        return "at the start of the line"
    if target == "last":
        return "at the end of the line"
    return "behind this stage" if target in ("next", "here") else f"behind stage {target}"


def _arguments(stage: Stage) -> str:
    """The arguments of a stage, save a place that it reads or writes: that is told already."""
    from shlex import quote

    named = [field for field in stage.options.changed() if not field.flags and not (stage.reads() or stage.writes())]
    words = [f"{field.metavar} {quote(field.kind.show(getattr(stage.options, field.attribute)))}" for field in named]
    return " ".join((*words, *(("-A", *map(quote, stage.args)) if stage.args else ())))


def _setting(options: Options, field: Field) -> str:
    value = getattr(options, field.attribute)
    if field.kind is FLAG:
        return field.spelling
    if field.kind is FILTERS:
        return " ".join(f"{field.spelling} '{text}'" for text in value)
    items: Sequence[object] = value if isinstance(value, tuple) else (value,)
    between = " " if field.kind.bare is None else "="
    return f"{field.spelling}{between}{','.join(map(field.kind.show, items))}"


