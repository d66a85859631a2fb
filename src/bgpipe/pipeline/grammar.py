"""The words of a command line -> global options and stages. No stage is made here, and no file touched but by name."""

from __future__ import annotations

import os

from bgpipe.errors import UsageError, hint
from bgpipe.pipeline import options
from bgpipe.pipeline.log import LEVELS
from bgpipe.pipeline.options import (
    FILTER,
    FILTERS,
    FLAG,
    WORDS,
    BadOption,
    HelpAsked,
    Kind,
    Options,
    UnknownOption,
    choice,
    fields,
    integer,
    option,
)
from bgpipe.stages import NOT_BUILT_YET, STAGES, stage_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from bgpipe.pipeline.stage import Stage, StageOptions


def _capabilities(text: str) -> int:
    """JSON as in "caps" of an OPEN, or @FILE that holds it -> the session context that such capabilities make."""
    from bgpipe.bgp.capabilities import context, from_object
    from bgpipe.errors import FieldError, JsonError
    from bgpipe.formats.json import load

    try:
        if text.startswith("@"):
            with open(text[1:], "rb") as file:
                data = file.read(1 << 20)
        else:
            data = os.fsencode(text)
        return context(from_object(load(data.strip())))
    except (FieldError, JsonError) as error:
        raise ValueError(f"capabilities as in the JSON of an OPEN ({error})") from None
    except OSError as error:
        raise ValueError(f"a file that can be read ({error.strerror})") from None


_NOT_BUILT_YET = ("--config", "--http", "--pprof", "--rpki")  # and what begins with one, such as --rpki-retry
MOST_THREADS = 64  # each holds a batch, and more cores than that are not kept busy
CAPABILITIES = Kind("JSON", _capabilities, show=lambda value: "" if value == 0 else f"0x{value:x}")


class GlobalOptions(Options):
    """Options in front of the first stage."""

    version: bool = option("-v --version", "print the versions of bgpipe, Python and the libraries, and exit")
    explain: bool = option("-n --explain", "print the pipeline as configured, both directions, and exit")
    log: str = option(
        "-l --log", "debug, info, warn, error or disabled", kind=choice("LEVEL", *LEVELS), default="info"
    )
    log_format: str = option(
        "--log-format", "text for people, json for machines", kind=choice("FORM", "text", "json"), default="text"
    )
    events: tuple[str, ...] = option(
        "-e --events", "log these events, or all", kind=WORDS, default=("PARSE", "ESTABLISHED", "EOR")
    )
    kill: tuple[str, ...] = option("-k --kill", "end with exit code 1 on any of these events", kind=WORDS)
    stdin: bool = option("-i --stdin", "read messages from standard input, for both directions, at their start")
    stdout: bool = option("-o --stdout", "write messages of both directions to standard output, at their end")
    stdin_wait: bool = option("-I --stdin-wait", "like --stdin, but start on ESTABLISHED")
    stdout_wait: bool = option("-O --stdout-wait", "like --stdout, but start on EOR")
    short_asn: bool = option(
        "-2 --short-asn", "AS numbers of raw input take 2 bytes, not 4; other formats tell by themselves"
    )
    guess_asn: bool = option("-g --guess-asn", "mrt, bmp, obmp: find out per peer whether AS numbers take 2 or 4 bytes")
    no_guess_addpath: bool = option(
        "--no-guess-addpath", "mrt, bmp, obmp: do not find out whose prefixes carry path ids that nothing declares"
    )
    caps: int = option(
        "--caps",
        "take these BGP capabilities for agreed on, where the input does not tell: "
        "JSON as in an OPEN, or @FILE",
        kind=CAPABILITIES,
        default=0,
    )
    threads: int = option(
        "--threads", "threads for files; 0: one a core, at most 2", kind=integer(0, most=MOST_THREADS), default=0
    )


class Help(UsageError):
    """The words ask for help, on a stage if `command` is not empty."""

    def __init__(self, command: str = "") -> None:
        super().__init__("this asks for help, and is no pipeline")
        self.command = command


class Version(UsageError):
    """The words ask for the version."""


class StageSpec:
    """One stage as it was asked for. name: what `@name` says, else the command."""

    __slots__ = ("args", "cls", "label", "name", "number", "options")

    def __init__(
        self, number: int, name: str, cls: type[Stage], stage_options: StageOptions, args: tuple[str, ...]
    ) -> None:
        self.number = number
        self.name = name
        self.label = f"stage {number} ({name})" if name == cls.command else f"stage {number} ({name}: {cls.command})"
        self.cls = cls
        self.options = stage_options
        self.args = args


def parse(words: Sequence[str]) -> tuple[GlobalOptions, list[StageSpec]]:
    """Understand a command line. Raises UsageError; Help and Version where it asks for them."""
    values: dict[str, Any] = {}
    try:
        at = options.parse(fields(GlobalOptions), words, 0, values)
    except UnknownOption as error:
        planned = error.name.startswith(_NOT_BUILT_YET)
        raise UsageError(f"{error.name} is not built yet" if planned else str(error)) from None
    except BadOption as error:
        raise UsageError(str(error)) from None
    except HelpAsked:
        raise Help from None
    if values.get("version"):
        raise Version("this asks for the version, and is no pipeline")
    stages: list[StageSpec] = []
    before: StageSpec | None = None  # the stage that ended by itself right in front
    while at < len(words):
        if words[at] == "--":
            at += 1
            before = None
        elif words[at] == "version":
            raise Version("this asks for the version, and is no pipeline")
        elif words[at] == "help":
            topic = words[at + 1] if at + 1 < len(words) and words[at + 1] != "--" else ""
            raise Help(_known(topic, len(stages) + 1) if topic else "")
        else:
            before, at = _stage(words, at, len(stages) + 1, before)
            stages.append(before)
    return GlobalOptions(**values), stages


def _stage(words: Sequence[str], at: int, number: int, before: StageSpec | None) -> tuple[StageSpec, int]:
    name = ""
    if words[at].startswith("@"):
        name = words[at][1:]
        if not name or "/" in name or "," in name:
            raise UsageError(f"stage {number}: {words[at]!r} is no name for a stage")
        at += 1
        if at == len(words) or words[at] == "--":
            raise UsageError(f"stage {number}: nothing follows the name @{name}")
    command = words[at]
    if command in STAGES:
        at += 1
    else:
        found = shortcut(command)
        if found == "read" and "://" not in command and before is not None and before.cls.extra_arguments:
            raise UsageError(f"stage {number}: {command} is a file{_cure(command, before)}; -- makes it one to read")
        command = _known(found or command, number, before)  # the word itself is the stage's first argument
    cls = stage_class(command)
    label = f"stage {number} ({command})" if not name else f"stage {number} ({name}: {command})"
    declared = fields(cls.options_class)
    values: dict[str, Any] = {}
    try:
        at = options.parse(declared, words, at, values)
        for field in declared:
            if field.flags:
                continue
            if at < len(words) and words[at] != "--":
                values[field.attribute] = options.read_value(field, field.metavar, words[at])
                at += 1
            elif field.required:
                raise BadOption(f"{field.metavar} is missing: {field.help}")
    except UnknownOption as error:
        raise UsageError(f"{label}: unknown option {error.name}{_owner(error.name) or error.near}") from None
    except BadOption as error:
        raise UsageError(f"{label}: {error}") from None
    except HelpAsked:
        raise Help(command) from None
    args: tuple[str, ...] = ()
    if values.get("args"):
        end = at
        while end < len(words) and words[end] != "--":
            end += 1
        args = tuple(words[at:end])
        at = end
        if args and not cls.extra_arguments:
            raise UsageError(f"{label}: it takes no further arguments, such as {args[0]!r}")
    return StageSpec(number, name or command, cls, cls.options_class(**values), args), at


def _owner(flag: str) -> str:
    """Who has such a long option, for the end of a message; "" for nobody, or too many to tell."""
    if not flag.startswith("--"):
        return ""
    if any(flag in field.flags for field in fields(GlobalOptions)):
        return "; it stands in front of the first stage"
    options_of = {command: fields(stage_class(command).options_class) for command in STAGES}
    found = [command for command, declared in options_of.items() if any(flag in field.flags for field in declared)]
    return f"; it is one of {' and '.join(found)}" if 0 < len(found) < 4 else ""


def _known(command: str, number: int, before: StageSpec | None = None) -> str:
    """A word in place of a command, if it is one. before: the stage whose words end in front of it. UsageError."""
    if command in STAGES:
        return command
    if command in NOT_BUILT_YET:
        raise UsageError(f"stage {number}: {command} is not built yet; bgpipe -h tells which stages there are")
    meant = (not command.startswith("-") and hint(command, STAGES)) or _cure(command, before)
    if command.startswith("-"):
        raise UsageError(f"stage {number}: {command!r} is an option, where a stage was expected{meant}")
    if "." in command or "/" in command:
        raise UsageError(f"stage {number}: there is no file and no command {command!r}{meant}")
    raise UsageError(f"stage {number}: unknown command {command!r}{meant}")


def _cure(word: str, before: StageSpec | None) -> str:
    """How a word becomes part of the stage in front of it, for the end of a message."""
    if before is None:
        return ""
    declared = fields(before.cls.options_class)
    set_here = [field for field in declared if getattr(before.options, field.attribute) != field.default]
    bare = [field.spelling for field in set_here if field.kind is not FLAG and field.kind.bare is not None]
    counts = [field.flags[0] for field in declared if field.flags[:1] == ("-n",)]
    takes_more = before.cls.extra_arguments
    if word.startswith("-") and not (takes_more and all(word not in field.flags for field in declared)):
        cure = "its options stand in front of its arguments"
    elif bare:
        cure = f"a value of {bare[-1]} stands behind =, as in {bare[-1]}={word}"
    elif any(field.kind in (FILTER, FILTERS) for field in set_here):
        cure = "a filter with spaces goes in quotes"
    elif counts and word.isdigit():
        cure = f"{counts[0]} {word} is the option"
    elif takes_more:
        given = [getattr(before.options, field.attribute) for field in declared if not field.flags]
        first = given[0] if given and isinstance(given[0], str) else "..."
        cure = f"more arguments take -A in front of the first, as in {before.cls.command} -A {first} {word}"
    else:
        cure = "a value with spaces goes in quotes"
    return f"; {before.label} ends in front of it: {cure}"


def shortcut(word: str) -> str:
    """The command that a word stands for which is none: an address, a URL or a file; "" for nothing."""
    if "://" in word:
        return "read"
    host, colon, port = word.rpartition(":")
    if colon and port.isascii() and port.isdigit() and len(port) <= 5:
        if not host:
            return "listen"
        if host == "localhost" or _is_ip(host, v6=False):
            return "connect"
        if host[0] == "[" and host[-1] == "]" and _is_ip(host[1:-1], v4=False):
            return "connect"
    if word == "localhost" or _is_ip(word):
        return "connect"
    return "read" if os.path.exists(word) else ""  # noqa: PTH110


def _is_ip(text: str, *, v4: bool = True, v6: bool = True) -> bool:
    import socket

    for family, wanted in ((socket.AF_INET, v4), (socket.AF_INET6, v6)):
        if wanted:
            try:
                socket.inet_pton(family, text.partition("%")[0])
            except (OSError, ValueError):
                continue
            return True
    return False
