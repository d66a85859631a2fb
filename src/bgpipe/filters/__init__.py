"""Filters: which messages are meant.

    wanted = Filter("as_origin == 15169 && prefix ~ 8.8.0.0/16")
    wanted.match(msg)

lexer.py and parser.py make a tree of the text (tree.py says what it means), compiler.py makes a program of that, which
_match.pyx runs.
"""

from __future__ import annotations

from bgpipe.errors import UsageError
from bgpipe.filters.parser import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgpipe._match import Program
    from bgpipe._view import Msg
    from bgpipe.filters.tree import Node

__all__ = ["Filter"]


class Filter:
    """A filter, as docs/filters.md describes them. FilterError says where the text is wrong.

    text: as it was given. tree: what it says. warnings: what its author may not have meant.
    """

    __slots__ = ("_program", "text", "tree", "warnings")

    text: str
    tree: Node
    warnings: tuple[str, ...]

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise UsageError(f"the filter is {text!r:.60}, expected text such as 'as_origin == 15169'")
        self.text = text
        self.tree, self.warnings = parse(text)
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        """What runs over batches; made when it is first wanted. FilterError: a file of prefixes cannot be used."""
        return self.compile()

    def compile(self) -> Program:
        """Make the program now, where it is not there yet. FilterError, as above."""
        if self._program is None:
            from bgpipe.filters.compiler import compile_filter

            self._program = compile_filter(self.tree, self.text)
        return self._program

    def match(self, msg: Msg) -> bool:
        """Whether a message matches. One that does not parse never does."""
        return self.program.match(msg)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Filter({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)
