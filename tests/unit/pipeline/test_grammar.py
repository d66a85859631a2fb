"""The grammar of the command line, rule by rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgpipe.errors import UsageError
from bgpipe.pipeline.grammar import Help, Version, parse, shortcut


def shape(*words: str) -> list[tuple[str, str]]:
    """(name, path) of each stage."""
    _, stages = parse(words)
    return [(stage.name, getattr(stage.options, "path", "")) for stage in stages]


class TestStages:
    def test_two_dashes_end_a_stage(self) -> None:
        assert shape("read", "a", "--", "write", "b") == [("read", "a"), ("write", "b")]

    def test_two_dashes_in_front(self) -> None:
        assert shape("--", "read", "a", "--", "write", "b", "--") == [("read", "a"), ("write", "b")]

    def test_words_left_over_start_the_next_stage(self) -> None:
        assert shape("read", "a", "write", "b", "stdout") == [("read", "a"), ("write", "b"), ("stdout", "")]

    def test_empty_stages_are_skipped(self) -> None:
        _, stages = parse(["--", "--", "read", "a", "--", "--", "--", "write", "b", "--", "--"])
        assert [(stage.number, stage.name) for stage in stages] == [(1, "read"), (2, "write")]

    def test_options_come_in_front_of_arguments(self) -> None:
        _, (stage,) = parse(["read", "--pardon", "--format", "mrt", "a"])
        assert (stage.options.pardon, stage.options.format, stage.options.path) == (True, "mrt", "a")  # type: ignore[attr-defined]

    def test_no_interspersing(self) -> None:
        with pytest.raises(UsageError, match="stage 2: '--pardon' is an option, where a stage was expected"):
            parse(["read", "a", "--pardon"])

    def test_global_options_come_first(self) -> None:
        options, stages = parse(["-o", "-l", "debug", "read", "a"])
        assert (options.stdout, options.log, len(stages)) == (True, "debug", 1)

    def test_global_options_behind_the_stages_are_none(self) -> None:
        with pytest.raises(UsageError, match="stage 1: '-o' is an option"):
            parse(["--", "-o", "read", "a"])

    def test_argument_missing(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 1 \(read\): PATH is missing: file, "):
            parse(["read"])
        with pytest.raises(UsageError, match=r"^stage 2 \(write\): PATH is missing"):
            parse(["stdin", "--", "write", "--", "stdout"])

    def test_unknown_option(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 2 \(write\): unknown option --apend; did you mean --append\?$"):
            parse(["read", "a", "--", "write", "--apend", "b"])

    def test_unknown_global_option(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 1 \(connect\): unknown option --hold; it is one of speaker$"):
            parse(["connect", "--hold", "10", "192.0.2.1"])
        with pytest.raises(UsageError, match=r"unknown option --events; it stands in front of the first stage$"):
            parse(["read", "--events", "all", "x"])
        with pytest.raises(UsageError, match=r"^unknown option --explian; did you mean --explain\?$"):
            parse(["--explian", "read", "a"])

    def test_bad_value(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 1 \(read\): --format 'mtr': expected one of .*; did you mean mrt\?$"):
            parse(["read", "--format", "mtr", "a"])

    def test_unknown_command(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 2: unknown command 'wirte'; did you mean write\?$"):
            parse(["read", "a", "--", "wirte", "b"])
        with pytest.raises(UsageError, match=r"^stage 1: unknown command 'zzz'$"):
            parse(["zzz"])

    @pytest.mark.parametrize(
        ("stage", "told"),
        [
            ("@g grep as_origin == 64497", "unknown command '=='; stage 2 (g: grep) ends in front of it: a filter with spaces goes in quotes"),
            ("tag --src --if as_origin = 64497", "unknown command '='; stage 2 (tag) ends in front of it: a filter with spaces goes in quotes"),
            ("grep prefix 10.0.0.0/8", "there is no file and no command '10.0.0.0/8'; stage 2 (grep) ends in front of it: a filter with spaces"),
            ("head 3", "unknown command '3'; stage 2 (head) ends in front of it: -n 3 is the option"),
            ("metrics ipv4", "unknown command 'ipv4'; stage 2 (metrics) ends in front of it: more arguments take -A in front of the first, as in metrics -A"),
            ("update --drop-com 1:2", "unknown command '1:2'; stage 2 (update) ends in front of it: a value of --drop-com stands behind =, as in --drop-com=1:2"),
            ("grep ipv4 --keep", "'--keep' is an option, where a stage was expected; stage 2 (grep) ends in front of it: its options stand in front"),
            ("tag --add a=b c", "unknown command 'c'; stage 2 (tag) ends in front of it: a value with spaces goes in quotes"),
            ("grep ipv4 raed x", "unknown command 'raed'; did you mean read?"),
            ("exec jq -c .", "'-c' is an option, where a stage was expected; stage 2 (exec) ends in front of it: more arguments take -A in front of the first, as in exec -A jq -c"),
            ("exec --write ./store --every 1h", "'--every' is an option, where a stage was expected; stage 2 (exec) ends in front of it: more arguments take -A"),
            ("exec ./store --write", "'--write' is an option, where a stage was expected; stage 2 (exec) ends in front of it: its options stand in front of its arguments"),
            ("python rpki.py vrps.json", "there is no file and no command 'vrps.json'; stage 2 (python) ends in front of it: more arguments take -A in front of the first, as in python -A rpki.py vrps.json"),
        ],
    )
    def test_words_that_were_meant_for_the_stage_in_front(self, stage: str, told: str) -> None:
        with pytest.raises(UsageError) as raised:
            parse(["--", "read", "a", "--", *stage.split()])
        assert str(raised.value).startswith(f"stage 3: {told}")

    def test_a_file_for_a_program_is_not_read_by_chance(self, tmp_path: Path) -> None:
        """Without -A it would be the next stage, since it is there."""
        file = tmp_path / "policy.py"
        file.touch()
        with pytest.raises(UsageError) as raised:
            parse(["read", "a", "exec", "python3", str(file)])
        cure = f"more arguments take -A in front of the first, as in exec -A python3 {file}; -- makes it one to read"
        assert str(raised.value) == f"stage 3: {file} is a file; stage 2 (exec) ends in front of it: {cure}"
        assert [spec.cls.command for spec in parse(["exec", "cat", "--", str(file)])[1]] == ["exec", "read"]

    def test_behind_the_end_of_a_stage_no_word_was_meant_for_it(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 3: unknown command '=='$"):
            parse(["--", "read", "a", "--", "grep", "ipv4", "--", "=="])

    def test_nothing(self) -> None:
        assert parse([])[1] == []
        assert parse(["--", "--"])[1] == []


class TestNames:
    def test_name(self) -> None:
        assert shape("@in", "read", "a", "--", "@out", "write", "b") == [("in", "a"), ("out", "b")]

    def test_name_without_dashes_in_between(self) -> None:
        assert shape("read", "a", "@out", "write", "b") == [("read", "a"), ("out", "b")]

    def test_errors_tell_name_and_command(self) -> None:
        with pytest.raises(UsageError, match=r"^stage 1 \(in: read\): unknown option -z$"):
            parse(["@in", "read", "-z", "a"])

    @pytest.mark.parametrize("word", ["@", "@a/b", "@a,b"])
    def test_no_name(self, word: str) -> None:
        with pytest.raises(UsageError, match="is no name for a stage"):
            parse([word, "read", "a"])

    @pytest.mark.parametrize("words", [["@in"], ["@in", "--", "read", "a"]])
    def test_nothing_named(self, words: list[str]) -> None:
        with pytest.raises(UsageError, match="stage 1: nothing follows the name @in"):
            parse(words)


class TestArgs:
    def test_takes_words_up_to_two_dashes(self) -> None:
        _, stages = parse(["read", "-A", "a", "--", "write", "b"])
        assert [stage.args for stage in stages] == [(), ()]

    def test_nobody_here_has_a_use_for_them(self) -> None:
        with pytest.raises(UsageError, match=r"stage 1 \(read\): it takes no further arguments, such as 'b'"):
            parse(["read", "-A", "a", "b", "c", "--", "stdout"])


class TestShortcuts:
    @pytest.mark.parametrize(
        ("word", "command"),
        [
            ("192.0.2.1", "connect"),
            ("192.0.2.1:179", "connect"),
            ("2001:db8::1", "connect"),
            ("fe80::1%eth0", "connect"),
            ("[2001:db8::1]:1790", "connect"),
            ("localhost", "connect"),
            ("localhost:1790", "connect"),
            (":179", "listen"),
            ("https://example.com/updates.gz", "read"),
            ("s3://bucket/key", "read"),
            ("192.0.2", ""),
            ("192.0.2.1:", ""),
            ("192.0.2.1:x", ""),
            ("192.0.2.1:123456", ""),
            ("[192.0.2.1]:179", ""),
            ("example.com:179", ""),
            (":x", ""),
            ("reed", ""),
        ],
    )
    def test_shortcut(self, word: str, command: str) -> None:
        assert shortcut(word) == command

    def test_path_of_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "updates.mrt"
        path.touch()
        assert shape(str(path), "write", "b") == [("read", str(path)), ("write", "b")]

    def test_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="stage 1: there is no file and no command"):
            parse([str(tmp_path / "updates.mrt")])

    def test_command_wins_over_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "read").touch()
        monkeypatch.chdir(tmp_path)
        assert shape("read", "a") == [("read", "a")]

    def test_url(self) -> None:
        assert shape("@feed", "http://example.com/x.gz", "stdout") == [
            ("feed", "http://example.com/x.gz"),
            ("stdout", ""),
        ]


class TestHelpAndVersion:
    @pytest.mark.parametrize("words", [["-h"], ["--help"], ["help"], ["-o", "help"], ["-oh"], ["--", "help", "--"]])
    def test_help(self, words: list[str]) -> None:
        with pytest.raises(Help) as asked:
            parse(words)
        assert asked.value.command == ""

    @pytest.mark.parametrize(
        "words", [["read", "-h"], ["read", "--help"], ["help", "read"], ["stdin", "--", "read", "--pardon", "-h", "x"]]
    )
    def test_help_on_a_stage(self, words: list[str]) -> None:
        with pytest.raises(Help) as asked:
            parse(words)
        assert asked.value.command == "read"

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["kafka", "topic"], "stage 1: kafka is not built yet; bgpipe -h tells which stages there are"),
            (["help", "ris-live"], "stage 1: ris-live is not built yet; bgpipe -h tells which stages there are"),
            (["--config", "x"], "--config is not built yet"),
            (["--rpki-retry=10m", "read", "x"], "--rpki-retry is not built yet"),
        ],
    )
    def test_what_is_to_come(self, words: list[str], told: str) -> None:
        with pytest.raises(UsageError) as raised:
            parse(words)
        assert str(raised.value) == told

    def test_help_on_nothing(self) -> None:
        with pytest.raises(UsageError, match="unknown command 'raed'; did you mean read"):
            parse(["help", "raed"])

    @pytest.mark.parametrize("words", [["-v"], ["--version"], ["version"], ["-ov"], ["--", "version"]])
    def test_version(self, words: list[str]) -> None:
        with pytest.raises(Version):
            parse(words)

    def test_a_path_may_be_called_help(self) -> None:
        assert shape("read", "help") == [("read", "help")]
        assert shape("write", "version", "stdout") == [("write", "version"), ("stdout", "")]
