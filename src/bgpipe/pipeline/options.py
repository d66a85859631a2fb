"""Options and arguments, declared once: the command line, --help and --explain all come from the declaration.

    class Greet(Options):
        name: str = argument("NAME", "whom to greet")
        loud: bool = option("-l --loud", "with an exclamation mark")
        every_s: float = option("--every", "again after this long", kind=DURATION, default=0.0)

    Greet(name="x").loud        # False; an instance is frozen

A kind turns the text of a value into the value. A class inherits the fields of its bases, theirs first;
one that it declares anew keeps its place.
"""

from __future__ import annotations

import os

from bgpipe.errors import UsageError, hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, dataclass_transform

    from bgpipe.filters import Filter
else:

    def dataclass_transform(**_: object) -> object:
        return lambda cls: cls


class Kind:
    """How the text of a value is read.

    metavar: what help calls the value; "" for a flag.
    read: text -> value; ValueError says what was expected, UsageError all that there is to say.
    many: the option may be repeated; read gives a tuple, and the tuples are joined.
    show: a value, of many each, -> text.
    bare: what the option gives by itself, or None; if it may stand by itself, a value follows only behind `=`.
    """

    __slots__ = ("bare", "many", "metavar", "read", "show")

    def __init__(
        self,
        metavar: str,
        read: Callable[[str], Any],
        many: bool = False,
        show: Callable[[Any], str] = str,
        bare: Any = None,
    ) -> None:
        self.metavar = metavar
        self.read = read
        self.many = many
        self.show = show
        self.bare = bare


def _flag(text: str) -> bool:
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise ValueError("true or false")


_LONGEST_SECRET = 4096  # characters
_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """A duration such as 90s, 1h30m or 250ms, in seconds."""
    total = 0.0
    rest = text
    while rest and rest != "0":
        number = len(rest) - len(rest.lstrip("0123456789."))
        unit = number + len(rest[number:]) - len(rest[number:].lstrip("nuµμmsh"))
        factor = _UNITS_S.get(rest[number:unit])
        if factor is None or rest[:number].count(".") > 1 or not rest[:number].strip("."):
            break
        total += float(rest[:number]) * factor
        rest = rest[unit:]
    if not text or rest not in ("", "0") or (rest == "0" and text != "0"):
        raise ValueError("a duration such as 90s, 1h30m or 250ms")
    return total


def duration(value_s: float) -> str:
    """Seconds as a duration such as 1h30m, to the nanosecond."""
    if not value_s:
        return "0s"
    text = ""
    rest_ns = round(value_s * 1e9)
    for unit in ("h", "m", "s", "ms", "us", "ns"):
        count, rest_ns = divmod(rest_ns, round(_UNITS_S[unit] * 1e9))
        text += f"{count}{unit}" if count else ""
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for part in text.split(",") if (word := part.strip()))


def secret(text: str) -> str:
    """What the text says, or the variable ($NAME) or the first line of the file (/PATH) that it names.

    Raises UsageError, which does not show it.
    """
    if text.startswith("$"):
        if (found := os.environ.get(text[1:])) is None:
            raise UsageError(f"there is no environment variable {text[1:]}")
        return found
    if not text.startswith("/"):
        return text
    try:
        with open(text, encoding="utf-8") as file:
            return file.readline(_LONGEST_SECRET).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {text}: {getattr(error, 'strerror', None) or 'it is no text'}") from None


FLAG = Kind("", _flag, bare=True)
TEXT = Kind("TEXT", str)
DURATION = Kind("D", seconds, show=duration)
WORDS = Kind("LIST", _words, many=True)


def integer(least: int, metavar: str = "N", most: int | None = None) -> Kind:
    """A whole number, decimal or 0x..., not below `least`, not above `most`."""

    def read(text: str) -> int:
        try:
            value = int(text, 0)
        except ValueError:
            value = least - 1
        if value < least or (most is not None and value > most):
            raise ValueError(f"a whole number from {least}" + (f" to {most}" if most is not None else ""))
        return value

    return Kind(metavar, read)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError("a number above 0")
    return value


RATE = Kind("N", _positive, show=lambda value: f"{value:g}")


def _filter(text: str) -> tuple[Filter, ...]:
    from bgpipe.filters import Filter

    return (Filter(text),)


FILTERS = Kind("FILTER", _filter, many=True)
FILTER = Kind("FILTER", lambda text: _filter(text)[0])


def choice(metavar: str, *values: str) -> Kind:
    """One of `values`; help lists them."""

    def read(text: str) -> str:
        if text not in values:
            raise ValueError("one of " + ", ".join(values) + hint(text, values))
        return text

    return Kind(metavar, read)


class Field:
    """One declared option or argument.

    flags: "-l", "--loud", the short one first; () for an argument.
    required: an argument that cannot be left out.
    """

    __slots__ = ("attribute", "default", "flags", "help", "kind", "metavar", "required")

    def __init__(
        self, flags: tuple[str, ...], help_text: str, kind: Kind, default: Any, metavar: str, required: bool
    ) -> None:
        self.attribute = ""
        self.flags = flags
        self.help = help_text
        self.kind = kind
        self.default = default
        self.metavar = metavar or kind.metavar
        self.required = required

    def __set_name__(self, owner: type, name: str) -> None:
        self.attribute = name

    @property
    def spelling(self) -> str:
        """The name that messages use: the long flag, or an argument's metavar."""
        return self.flags[-1] if self.flags else self.metavar


def option(flags: str, help_text: str, *, kind: Kind = FLAG, default: Any = None, metavar: str = "") -> Any:
    """Declare an option, `flags` being its spellings. Without a default: False, an empty tuple, or None."""
    if default is None and kind is FLAG:
        default = False
    elif default is None and kind.many:
        default = ()
    return Field(tuple(flags.split()), help_text, kind, default, metavar, False)


def argument(metavar: str, help_text: str, *, kind: Kind = TEXT, default: Any = None) -> Any:
    """Declare an argument; one with a default may be left out in front of `--` and at the end."""
    return Field((), help_text, kind, default, metavar, default is None)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(option, argument))
class Options:
    """Base of all declarations. Instances are made from keywords and cannot be changed."""

    _fields: tuple[Field, ...] = ()

    def __init_subclass__(cls) -> None:
        declared: dict[str, Field] = {}
        for base in cls.__bases__:
            declared.update((field.attribute, field) for field in getattr(base, "_fields", ()))
        declared.update((name, value) for name, value in cls.__dict__.items() if type(value) is Field)
        cls._fields = tuple(declared.values())

    def __init__(self, **values: Any) -> None:
        mine = self.__dict__
        for field in self._fields:
            if field.attribute in values:
                mine[field.attribute] = values.pop(field.attribute)
            elif field.required:
                raise TypeError(f"{type(self).__name__}: {field.attribute} is missing")
            else:
                mine[field.attribute] = field.default
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(values)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __repr__(self) -> str:
        changed = (f"{f.attribute}={getattr(self, f.attribute)!r}" for f in self.changed())
        return f"{type(self).__name__}({', '.join(changed)})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def changed(self) -> Iterator[Field]:
        """The fields whose values are not the default."""
        return (f for f in self._fields if f.required or getattr(self, f.attribute) != f.default)


def fields(options: type[Options]) -> tuple[Field, ...]:
    """What a class declares, inherited fields first."""
    return options._fields


class BadOption(ValueError):
    """Words that do not fit a declaration; the text says why."""


class UnknownOption(BadOption):
    """An option that is not declared. name: as it was written. near: what was probably meant, for the end of a text."""

    def __init__(self, name: str, near: str) -> None:
        super().__init__(f"unknown option {name}{near}")
        self.name = name
        self.near = near


class HelpAsked(Exception):
    """-h or --help, where no such option is declared."""


def parse(declared: Sequence[Field], words: Sequence[str], at: int, values: dict[str, Any]) -> int:
    """Take options from words[at:] into `values`; return the index of the first word that is none.

    Long options are `--name value` or `--name=value`; short ones may be bundled, the last one with its value
    attached (`-LR`, `-tUPDATE`). What may stand by itself takes a value only behind `=`. Raises BadOption and
    HelpAsked.
    """
    while at < len(words):
        word = words[at]
        if len(word) < 2 or word[0] != "-" or word == "--":
            break
        at += 1
        if word.startswith("--"):
            name, equals, text = word.partition("=")
            field = _find(declared, name)
            if equals:
                _take(field, name, text, values)
            elif field.kind.bare is not None:
                _put(field, field.kind.bare, values)
            else:
                at = _take_next(field, name, words, at, values)
            continue
        letters = word[1:]
        while letters:
            name = "-" + letters[0]
            letters = letters[1:]
            field = _find(declared, name)
            if letters[:1] == "=":
                _take(field, name, letters[1:], values)
                break
            if field.kind.bare is not None:
                _put(field, field.kind.bare, values)
            elif letters:
                _take(field, name, letters, values)
                break
            else:
                at = _take_next(field, name, words, at, values)
    return at


def read_value(field: Field, name: str, text: str) -> Any:
    """The value that `text` stands for. Raises BadOption."""
    try:
        return field.kind.read(text)
    except ValueError as error:
        raise BadOption(f"{name} {text!r}: expected {error}") from None
    except UsageError as error:
        raise BadOption(f"{name}: {error}") from None


def _take(field: Field, name: str, text: str, values: dict[str, Any]) -> None:
    _put(field, read_value(field, name, text), values)


def _put(field: Field, value: Any, values: dict[str, Any]) -> None:
    if field.kind.many:
        value = (*values.get(field.attribute, ()), *value)
    values[field.attribute] = value


def _take_next(field: Field, name: str, words: Sequence[str], at: int, values: dict[str, Any]) -> int:
    if at == len(words) or words[at] == "--":
        raise BadOption(f"{name} needs a value: {name} {field.metavar}")
    _take(field, name, words[at], values)
    return at + 1


def _find(declared: Sequence[Field], name: str) -> Field:
    for field in declared:
        if name in field.flags:
            return field
    if name in ("-h", "--help"):
        raise HelpAsked
    known = [flag for field in declared for flag in field.flags if flag.startswith("--") and len(name) > 2]
    raise UnknownOption(name, hint(name, known))


