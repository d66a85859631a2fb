"""Help texts, from the declarations of options and stages."""

from __future__ import annotations

import textwrap

from bgpipe.pipeline.grammar import GlobalOptions
from bgpipe.pipeline.options import FLAG, Field, Options, fields
from bgpipe.pipeline.stage import ProducerOptions, StageOptions
from bgpipe.stages import STAGES, stage_class

_WIDTH = 100
_COLUMN = 26

_INTRO = """\
bgpipe moves BGP messages through a pipeline of stages: reads, filters, changes, converts and writes them.

Usage: bgpipe [OPTIONS] [--] STAGE [OPTIONS] [ARGS] [--] STAGE ...
       bgpipe STAGE -h

A stage is its command, its options, then its arguments; -- ends it, and may be left out where it ends by itself.
Messages flow to the right (R), through the stages in order, or to the left (L), in reverse order. @NAME in front of
a command names the stage. In place of a command, a file or URL stands for read, an address such as 192.0.2.1 for
connect, and :179 for listen."""

_EXAMPLES = """\
Examples:
  bgpipe read updates.20251107.2300.gz
  bgpipe -- read rib.20251107.2200.bz2 -- write rib.json.zst
  cat session.json | bgpipe -- stdin -- write session.mrt.gz
  bgpipe -o -- speaker --active --asn 65055 -- 192.0.2.1
  bgpipe -- listen :179 -- write -LR session.mrt -- connect --wait listen 192.0.2.1"""


def main_help() -> str:
    """What `bgpipe -h` prints."""
    stages = []
    for command in STAGES:
        cls = stage_class(command)
        stages.append(_row(" ".join((command, *_arguments(cls.options_class))), cls.summary))
    return "\n".join(
        (
            _INTRO,
            "",
            "Options:",
            *map(_option, fields(GlobalOptions)),
            _row("-h, --help", "print this"),
            "",
            "Stages:",
            *stages,
            "",
            _EXAMPLES,
            "",
        )
    )


def stage_help(command: str) -> str:
    """What `bgpipe STAGE -h` prints."""
    cls = stage_class(command)
    common = fields(ProducerOptions if cls.produces else StageOptions)
    own = [field for field in fields(cls.options_class) if field not in common]
    lines = [" ".join(("Usage: bgpipe", command, "[OPTIONS]", *_arguments(cls.options_class))), ""]
    lines += textwrap.wrap(cls.text, _WIDTH)
    if any(not field.flags for field in own):
        lines += ["", "Arguments:", *(_row(field.metavar, field.help) for field in own if not field.flags)]
    if any(field.flags for field in own):
        lines += ["", "Options:", *(_option(field) for field in own if field.flags)]
    if cls.events:
        lines += ["", "Events:", *(f"  {command}/{name}" for name in cls.events)]
    lines += ["", "Options of every stage that makes messages:" if cls.produces else "Options of every stage:"]
    lines += [*map(_option, common), _row("-h, --help", "print this"), ""]
    return "\n".join(lines)


def _arguments(options: type[Options]) -> list[str]:
    return [
        field.metavar if field.required else f"[{field.metavar}]" for field in fields(options) if not field.flags
    ]


def _option(field: Field) -> str:
    value = "" if field.kind is FLAG else f" {field.metavar}" if field.kind.bare is None else f"[={field.metavar}]"
    left = ", ".join(field.flags) + value
    if not field.flags[0].startswith("--"):
        return _row(left, field.help + _default(field))
    return _row("    " + left, field.help + _default(field))


def _default(field: Field) -> str:
    if field.kind is FLAG or field.default in (None, "", (), 0):
        return ""
    value = ",".join(field.default) if isinstance(field.default, tuple) else field.kind.show(field.default)
    return f" (default {value})"


def _row(left: str, right: str) -> str:
    wrapped = textwrap.wrap(right, _WIDTH - _COLUMN - 2)
    first = f"  {left:<{_COLUMN - 2}}"
    if len(left) > _COLUMN - 4:
        return "\n".join((f"  {left}", *(" " * _COLUMN + line for line in wrapped)))
    return "\n".join((first + wrapped[0], *(" " * _COLUMN + line for line in wrapped[1:])))
