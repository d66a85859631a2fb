"""Every error that bgpipe raises on purpose.

    BgpipeError                anything below
    ├── UsageError             a command line, option or argument that is wrong     (exit code 2)
    │   └── FilterError        a filter: says where in its text
    ├── StageError             a stage could not start or go on                     (exit code 1)
    │   ├── ClosedOutput       whoever read our output went away, as `| head` does  (exit code 0 on stdout)
    │   └── PassingError       it did not work out this time: --retry and --reconnect try again
    ├── FieldError             a value that cannot stand where it was put; a ValueError, too
    └── InputError             input that does not parse: says what and where       (exit code 1)
        ├── RecordError        a record of a binary format: offset and record number
        │   ├── MrtError       an MRT record
        │   └── BmpError       a BMP or OpenBMP message
        ├── JsonError          a JSON line: line number and path
        ├── ExaError           a line of ExaBGP's text: line number and column
        └── MessageError       a BGP message: code, subcode, offset and field (RFC 4271 section 6)
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_WORD = 40
_MOST_HINTS = 256
# Input with the same mistake in every line is not compared with all names each time; functools takes 2 ms to import.
_hints: dict[tuple[str, tuple[str, ...]], str] = {}


def visible(text: str) -> str:
    """Text that cannot steer a terminal, nor break a line: file names, URLs and input may hold any character."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def reason(error: BaseException) -> str:
    """What is wrong, in the words of the system: "connection reset by peer"."""
    text = getattr(error, "strerror", None) or str(error)
    number = getattr(error, "errno", None)
    if type(error).__module__ == "ssl":  # of ssl, whose numbers are its own
        text = text.rpartition("] ")[2].partition(" (_ssl.c")[0]
    elif number is not None and number > 0:  # what is raised by asyncio has a text of its own
        text = os.strerror(number)
    return (text if text[1:2].isupper() else text[:1].lower() + text[1:]) or type(error).__name__


def hint(word: str, known: Iterable[str]) -> str:
    """What was probably meant, for the end of a message; "" where nothing is near."""
    if len(word) > _LONGEST_WORD:
        return ""
    key = word, tuple(known)
    found = _hints.get(key)
    if found is None:
        import difflib

        spellings = {spelling.lower(): spelling for spelling in key[1]}
        near = difflib.get_close_matches(word.lower(), spellings, 1)
        found = f"; did you mean {spellings[near[0]]}?" if near else ""
        if len(_hints) >= _MOST_HINTS:
            _hints.clear()
        _hints[key] = found
    return found


class BgpipeError(Exception):
    """Base of all errors that bgpipe raises on purpose."""


class UsageError(BgpipeError):
    """A command line, option or argument that cannot be used."""


class FilterError(UsageError):
    """A filter that cannot be used.

    problem: what was read and what was expected. text: the filter. position: characters in front of the place.
    """

    def __init__(self, problem: str, text: str, position: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.text = text
        self.position = position

    def __str__(self) -> str:
        line = self.text.encode("unicode_escape").decode()
        if len(line) > 60 or len(line) != len(self.text):
            near = self.text[self.position : self.position + 30].encode("unicode_escape").decode()
            return f'filter, at position {self.position}, "{near}": {self.problem}'
        return f'filter "{line}", at position {self.position}: {self.problem}'


class StageError(BgpipeError):
    """A stage could not start or could not go on."""


class ClosedOutput(StageError):
    """The other end of an output pipe or socket was closed (EPIPE)."""


class PassingError(StageError):
    """A stage could not start for what is outside of us, and may be otherwise the next time: nobody answers, say."""


class FieldError(BgpipeError, ValueError):
    """A value that cannot stand where it was put.

    path: where, below what was assigned, such as "value[2]"; "" for the value itself.
    problem: what was read and what was expected.
    """

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem

    def under(self, step: str | int) -> FieldError:
        """Self, one level further in: `step` is an index or a key, of which the path has what fits a line."""
        if isinstance(step, int):
            step = f"[{step}]"
        elif not isinstance(step, str):  # a key that Python code has put there
            step = type(step).__name__
        elif len(step) > 40 or not step.isprintable():
            shown = step[:40].encode("unicode_escape").decode()
            step = shown if len(step) <= 40 else shown[:37] + "..."
        separator = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{step}{separator}{self.path}"
        return self


class InputError(BgpipeError):
    """Input that does not parse.

    offset: bytes from the start of the (decompressed) input, or None where not known.
    record: number of the record or line, from 1, or None.
    """

    def __init__(self, message: str, *, offset: int | None = None, record: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset
        self.record = record


class RecordError(InputError):
    """A record that is damaged, cut short or of an impossible size.

    cut_short: the input ends within the record, so that nothing can be behind it.
    """

    cut_short = False


class MrtError(RecordError):
    """An MRT record (RFC 6396)."""


class BmpError(RecordError):
    """A BMP message (RFC 7854), or an OpenBMP message around it."""


class JsonError(InputError):
    """A line that is not the JSON form of a message."""


class ExaError(InputError):
    """A line that is no command of ExaBGP's text API.

    column: of the word that is wrong, from 1, or None where the whole line is.
    """

    def __init__(
        self, message: str, *, offset: int | None = None, record: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(message, offset=offset, record=record)
        self.column = column


class MessageError(InputError):
    """A BGP message that does not parse.

    code, subcode: those of the NOTIFICATION that RFC 4271 section 6 asks for.
    field: what did not parse, for example "MP_REACH" or "withdrawn routes".
    """

    def __init__(
        self, message: str, *, code: int, subcode: int, offset: int | None = None, field: str = ""
    ) -> None:
        super().__init__(message, offset=offset)
        self.code = code
        self.subcode = subcode
        self.field = field
