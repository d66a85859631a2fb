"""Regular expressions of filters, as RE2 reads them: linear in time whatever the pattern, so that no filter hangs."""

from __future__ import annotations

from bgpipe.errors import FieldError
from bgpipe.filters.lexer import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


_MOST_MEMORY = 8 << 20  # octets of one while it runs: its program, and what it remembers of texts that it saw


class Pattern(str):
    """A regular expression. search: finds it in UTF-8 text, true if it is there. size: instructions of its program."""

    __slots__ = ("search", "size")

    search: Callable[[bytes], object]
    size: int


def compile_pattern(text: str) -> Pattern:
    """The regular expression that a text is. FieldError."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MOST_MEMORY
    try:
        compiled = re2.compile(text.encode("utf-8", "surrogatepass"), options)
    except re2.error as error:
        problem = error.args[0] if error.args else ""
        said = problem.decode("utf-8", "replace") if isinstance(problem, bytes) else str(problem)
        what, _, where = said.partition(": ")
        raise FieldError(f"no regular expression that RE2 takes: {what}{where and f': {quote(where)}'}") from None
    pattern = Pattern(text)
    pattern.search = compiled.search
    pattern.size = compiled.programsize
    return pattern
