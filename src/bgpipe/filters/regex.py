"""Regular expressions of filters, as RE2 reads them: linear in time whatever the pattern, so that no filter hangs."""

from __future__ import annotations

from bgpipe.errors import FieldError
from bgpipe.filters.lexer import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def compile_pattern(pattern: str) -> Callable[[bytes], object]:
    """A function that finds `pattern` in UTF-8 text: true if it is there. FieldError."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        search: Callable[[bytes], object] = re2.compile(pattern.encode("utf-8", "surrogatepass"), options).search
    except re2.error as error:
        problem = error.args[0] if error.args else ""
        text = problem.decode("utf-8", "replace") if isinstance(problem, bytes) else str(problem)
        what, _, where = text.partition(": ")
        raise FieldError(f"no regular expression that RE2 takes: {what}{where and f': {quote(where)}'}") from None
    return search
