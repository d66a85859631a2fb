"""The words of a filter. What a word is depends on where it stands, so the parser asks for what it wants."""

from __future__ import annotations

from bgpipe.errors import FilterError

MAX_LENGTH = 1 << 20  # characters

# In the order in which they are tried; the spelling that the tree uses.
OPERATORS = (
    ("==", "=="),
    ("=!", "!="),
    ("!=", "!="),
    ("!~", "!~"),
    ("~!", "!~"),
    ("<=", "<="),
    (">=", ">="),
    ("=", "=="),
    ("<", "<"),
    (">", ">"),
    ("~", "~"),
)
MISSPELT = (("=>", ">="), ("=<", "<="))


class Lexer:
    """A filter's text and a position in it."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        if len(text) > MAX_LENGTH:
            raise self.error(f"{len(text)} characters, expected {MAX_LENGTH} at most", 0)

    def error(self, problem: str, position: int = -1) -> FilterError:
        """What is wrong at `position`, by default here."""
        return FilterError(problem, self.text, self.at if position < 0 else position)

    def skip_space(self) -> None:
        text = self.text
        while self.at < len(text) and text[self.at].isspace():
            self.at += 1

    def rest(self) -> str:
        """What stands here, for a message."""
        rest = self.text[self.at :].split(maxsplit=1)
        if not rest:
            return "the end"
        return quote(rest[0])

    def take(self, word: str) -> bool:
        """Whether `word` stands here; then it is passed."""
        self.skip_space()
        if self.text.startswith(word, self.at):
            self.at += len(word)
            return True
        return False

    def peek(self, word: str) -> bool:
        self.skip_space()
        return self.text.startswith(word, self.at)

    def ended(self) -> bool:
        self.skip_space()
        return self.at == len(self.text)

    def name(self) -> str:
        """A name in lower case, `-` as `_`; "" if there is none here."""
        self.skip_space()
        start = self.at
        text = self.text
        while self.at < len(text) and (text[self.at].isalnum() or text[self.at] in "_-"):
            self.at += 1
        return text[start : self.at].lower().replace("-", "_")

    def index(self) -> str | None:
        """What stands in brackets right here, or None."""
        if not self.text.startswith("[", self.at):
            return None
        opened = self.at
        self.at += 1
        if self.peek('"'):
            index = self.quoted()
            self.skip_space()
            closed = self.at if self.peek("]") else -1
        else:
            closed = self.text.find("]", self.at)
            index = self.text[self.at : closed].strip()
        if closed < 0:
            raise self.error("[ is not closed: expected ]", opened)
        if not index:
            raise self.error("nothing between [ and ]", opened)
        self.at = closed + 1
        return index

    def operator(self) -> str:
        """An operator, as the tree spells it; "" if there is none here."""
        self.skip_space()
        for spelling, operator in MISSPELT:
            if self.text.startswith(spelling, self.at):
                raise self.error(f"{quote(spelling)} is written {operator}")
        for spelling, operator in OPERATORS:
            if self.text.startswith(spelling, self.at):
                self.at += len(spelling)
                return operator
        behind = self.text[self.at + 2 : self.at + 3]
        if self.text[self.at : self.at + 2].lower() == "in" and not (behind.isalnum() or behind in ("_", "-")):
            self.at += 2
            return "in"
        return ""

    def value(self, in_list: bool = False) -> tuple[str, bool]:
        """A value, and whether it was quoted."""
        self.skip_space()
        if self.text.startswith('"', self.at):
            return self.quoted(), True
        start = self.at
        text = self.text
        stop = "),]" if in_list else ")"
        while self.at < len(text):
            ch = text[self.at]
            if ch.isspace() or ch in stop or (ch in "&|" and text.startswith(ch, self.at + 1)):
                break
            self.at += 1
        return text[start : self.at], False

    def quoted(self) -> str:
        """A string in quotes; behind \\ stands a character that is meant as it is."""
        opened = self.at
        text = self.text
        parts: list[str] = []
        at = start = opened + 1
        while at < len(text) and text[at] != '"':
            if text[at] == "\\":
                parts.append(text[start:at])
                at = start = at + 1
            at += 1
        if at >= len(text):
            raise self.error('" is not closed', opened)
        parts.append(text[start:at])
        self.at = at + 1
        return "".join(parts)


def quote(word: str) -> str:
    """`word` for a message: in quotes, one line, not too long."""
    shown = word.encode("unicode_escape").decode()
    return f'"{shown[:37]}..."' if len(shown) > 40 else f'"{shown}"'
