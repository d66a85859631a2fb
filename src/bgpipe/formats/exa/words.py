"""The words of a command of ExaBGP, and numbers among them. Each error names the column of its word."""

from __future__ import annotations

import re

from bgpipe._attributes import Prefix, expected, number
from bgpipe.errors import ExaError, FieldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    T = TypeVar("T")

MOST_ITEMS = 65535  # of a list: a message has no room for more


class Words:
    """The words of a line, one after the other. word: the one that comes next, "" at the end. start: where it is.

    divided: prefixes that `split` has made so far. made: octets of the messages.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._found: Iterator[re.Match[str]] = re.finditer(r"[\[\](){};,]|[^\s\[\](){};,]+", text)
        self._place = self.start = 0
        self.divided = self.made = 0
        self.word = ""
        self._step()

    def _step(self) -> None:
        match = next(self._found, None)
        self._place = self.start
        self.word, self.start = (match[0], match.start()) if match else ("", len(self.text))

    def take(self) -> str:
        """The next word. Errors are from now on about it."""
        word = self.word
        self._step()
        return word

    def skip(self, word: str) -> bool:
        """Whether the next word is this one, which is then behind us."""
        if self.word != word:
            return False
        self._step()
        return True

    def want(self, word: str) -> None:
        if not self.skip(word):
            raise self.unexpected(f'"{word}"')

    def unexpected(self, what: str) -> ExaError:
        """The error for the next word, where something else has to stand."""
        return self.refuse(self.take(), what)

    def refuse(self, word: str, what: str) -> ExaError:
        """The error for the word that was taken last, where something else has to stand."""
        return self.wrong(str(expected(word, what)) if word else f"the line ends, expected {what}")

    def wrong(self, problem: str) -> ExaError:
        """The error for the word that was taken last."""
        column = self._place + 1
        return ExaError(f"column {column}: {problem}", column=column)

    def value(self, parse: Callable[[str], T]) -> T:
        """What `parse` makes of the next word."""
        word = self.take()
        try:
            return parse(word)
        except FieldError as error:
            if not word:
                raise self.refuse(word, error.problem.partition(", expected ")[2]) from None
            raise self.wrong(error.problem) from None

    def values(self, parse: Callable[[str], T]) -> list[T]:
        """Of the words in brackets, or of the one that stands alone."""
        if not self.skip("["):
            return [self.value(parse)]
        found: list[T] = []
        while not self.skip("]"):
            if self.skip(",") and found:
                continue
            found.append(self.value(parse))
            if len(found) > MOST_ITEMS:
                raise self.wrong(f"item {len(found)} of a list, expected {MOST_ITEMS} at most")
        if not found:
            raise self.wrong("an empty list, expected one item or more")
        return found


def prefix_of(word: str) -> Prefix:
    """A prefix, or an address; path ids have a word of their own. FieldError."""
    if word and "/" not in word:
        word += "/128" if ":" in word else "/32"
    prefix = Prefix(word)
    if prefix.path_id is not None:
        raise expected(word, "a prefix, and path-information for its path id")
    return prefix


def number_of(word: str, most: int, what: str) -> int:
    """Of decimal digits, or of 0x and hex ones. FieldError."""
    if not (word.isascii() and (word.isdigit() or word[:2] in ("0x", "0X"))):
        raise expected(word, f"{what} (0 to {most})")
    return number(word, most, what)
