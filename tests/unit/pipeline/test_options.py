"""Declarations, values, and how the words of options are read."""

from __future__ import annotations

from typing import Any

import pytest

from bgpipe.pipeline.options import (
    DURATION,
    TEXT,
    WORDS,
    BadOption,
    HelpAsked,
    Options,
    argument,
    choice,
    duration,
    fields,
    integer,
    option,
    parse,
    seconds,
)


class Base(Options):
    left: bool = option("-L --left", "left")
    right: bool = option("-R --right", "right")
    words: tuple[str, ...] = option("-w --words", "words", kind=WORDS)


class Derived(Base):
    every_s: float = option("--every", "a duration", kind=DURATION, default=0.0)
    how: str = option("-x --how", "a choice", kind=choice("HOW", "slow", "fast"), default="slow")
    number: int = option("-n --number", "a number", kind=integer(1), default=5)
    text: str = option("-t --text", "a text", kind=TEXT, default="")
    path: str = argument("PATH", "a path")


def read(*words: str) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    at = parse(fields(Derived), words, 0, values)
    return values, list(words[at:])


class TestDeclaration:
    def test_defaults(self) -> None:
        options = Derived(path="p")
        assert (options.left, options.words, options.every_s, options.how, options.path) == (False, (), 0.0, "slow", "p")

    def test_missing_argument(self) -> None:
        with pytest.raises(TypeError, match="path"):
            Derived()  # type: ignore[call-arg]

    def test_unknown_name(self) -> None:
        with pytest.raises(TypeError, match="colour"):
            Derived(path="p", colour="red")  # type: ignore[call-arg]

    def test_frozen(self) -> None:
        options = Derived(path="p")
        with pytest.raises(AttributeError, match="cannot be changed"):
            options.path = "q"  # type: ignore[misc]
        assert options.path == "p"

    def test_equality(self) -> None:
        assert Derived(path="p") == Derived(path="p", left=False)
        assert Derived(path="p") != Derived(path="q")
        assert Derived(path="p") != "p"

    def test_repr_shows_what_is_not_default(self) -> None:
        assert repr(Derived(path="p", number=7)) == "Derived(number=7, path='p')"

    def test_inherited_fields_come_first(self) -> None:
        names = [field.attribute for field in fields(Derived)]
        assert names == ["left", "right", "words", "every_s", "how", "number", "text", "path"]

    def test_redeclared_field_keeps_its_place(self) -> None:
        class Again(Derived):
            right: bool = option("-R --to-the-right", "again")

        assert [field.attribute for field in fields(Again)] == [field.attribute for field in fields(Derived)]
        assert fields(Again)[1].flags == ("-R", "--to-the-right")

    def test_changed(self) -> None:
        assert [field.attribute for field in Derived(path="p", left=True).changed()] == ["left", "path"]


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("90s", 90.0),
            ("1h30m", 5400.0),
            ("250ms", 0.25),
            ("1.5h", 5400.0),
            ("0", 0.0),
            ("0s", 0.0),
            ("2h45m30s", 9930.0),
            ("10us", 1e-5),
            ("10µs", 1e-5),
            ("7ns", 7e-9),
            (".5s", 0.5),
        ],
    )
    def test_good(self, text: str, expected: float) -> None:
        assert seconds(text) == pytest.approx(expected)

    @pytest.mark.parametrize("text", ["1h30m", "250ms", "1m1s", "7ns", "24h", "1s500ms", "0s", "10us"])
    def test_there_and_back(self, text: str) -> None:
        assert duration(seconds(text)) == text

    @pytest.mark.parametrize("text", ["", "90", "s", "1d", "1h 30m", "-5s", "1..5s", ".s", "1h30", "5s0", "1hm", "1s x"])
    def test_bad(self, text: str) -> None:
        with pytest.raises(ValueError, match="a duration such as 90s"):
            seconds(text)


class TestParse:
    def test_long(self) -> None:
        assert read("--text", "a b", "--number=7", "rest") == ({"text": "a b", "number": 7}, ["rest"])

    def test_value_may_look_like_an_option(self) -> None:
        assert read("--text", "-L", "x") == ({"text": "-L"}, ["x"])

    def test_equals_keeps_what_follows(self) -> None:
        assert read("--text=a=b") == ({"text": "a=b"}, [])

    def test_empty_value(self) -> None:
        assert read("--text=") == ({"text": ""}, [])

    def test_bundle(self) -> None:
        assert read("-LR") == ({"left": True, "right": True}, [])

    def test_bundle_ends_in_a_value(self) -> None:
        assert read("-Ltabc", "x") == ({"left": True, "text": "abc"}, ["x"])
        assert read("-Lt", "abc", "x") == ({"left": True, "text": "abc"}, ["x"])
        assert read("-t=abc") == ({"text": "abc"}, [])

    def test_flag_with_value(self) -> None:
        assert read("--left=false", "-R=true") == ({"left": False, "right": True}, [])

    def test_flag_takes_no_word(self) -> None:
        assert read("--left", "true") == ({"left": True}, ["true"])

    def test_bad_flag_value(self) -> None:
        with pytest.raises(BadOption, match="--left 'maybe': expected true or false"):
            read("--left=maybe")

    def test_lists_repeat_and_take_commas(self) -> None:
        assert read("-w", "a,b", "--words", " c ,,d", "-we") == ({"words": ("a", "b", "c", "d", "e")}, [])

    def test_last_one_wins(self) -> None:
        assert read("-n", "1", "-n", "2") == ({"number": 2}, [])

    @pytest.mark.parametrize("stop", ["x", "--", "-"])
    def test_stops_at_the_first_word_that_is_no_option(self, stop: str) -> None:
        assert read("-L", stop, "-R") == ({"left": True}, [stop, "-R"])

    @pytest.mark.parametrize("words", [["--text"], ["-t"], ["-Lt"], ["--text", "--", "x"]])
    def test_value_missing(self, words: list[str]) -> None:
        with pytest.raises(BadOption, match=r"needs a value: .*TEXT"):
            read(*words)

    def test_unknown(self) -> None:
        with pytest.raises(BadOption, match=r"^unknown option --zzz$"):
            read("--zzz")
        with pytest.raises(BadOption, match=r"^unknown option -z$"):
            read("-Lz")

    def test_unknown_but_near(self) -> None:
        with pytest.raises(BadOption, match=r"unknown option --numbr; did you mean --number\?"):
            read("--numbr=4")

    def test_choice(self) -> None:
        assert read("-x", "fast") == ({"how": "fast"}, [])
        with pytest.raises(BadOption, match=r"-x 'fats': expected one of slow, fast; did you mean fast\?"):
            read("-x", "fats")

    @pytest.mark.parametrize(("text", "value"), [("1", 1), ("0x10", 16), ("12", 12)])
    def test_integer(self, text: str, value: int) -> None:
        assert read("-n", text) == ({"number": value}, [])

    @pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", ""])
    def test_not_an_integer(self, text: str) -> None:
        with pytest.raises(BadOption, match=f"-n '{text}': expected a whole number from 1"):
            read("-n", text)

    @pytest.mark.parametrize("words", [["-h"], ["--help"], ["-Lh"], ["-L", "--help"]])
    def test_help(self, words: list[str]) -> None:
        with pytest.raises(HelpAsked):
            read(*words)

    def test_help_as_a_value(self) -> None:
        assert read("--text", "-h") == ({"text": "-h"}, [])
