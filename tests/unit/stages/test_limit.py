"""limit: its options, its events, and whom it shares its counts with. What counts how: tests/unit/test_table.py."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from lines import bad_line, run, write_lines

from bgpipe.errors import UsageError
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.events import Event
from bgpipe.stages import limit as module
from bgpipe.stages.limit import LimitEvent

TIME = "2025-01-01T00:00:00.000"
READ = ["--", "read", "-LR"]


def line(*reach: str, unreach: tuple[str, ...] = (), hops: tuple[object, ...] = (1,), dir_: str = "R", peer: int = 0) -> str:
    """An UPDATE as JSON; IPv6 prefixes go into MP_REACH."""
    data: dict[str, object] = {"unreach": list(unreach)} if unreach else {}
    ipv4 = [prefix for prefix in reach if ":" not in prefix]
    ipv6 = [prefix for prefix in reach if ":" in prefix]
    if ipv4:
        data["reach"] = ipv4
    if reach:
        attrs: dict[str, object] = {"ORIGIN": {"flags": "T", "value": "IGP"}, "ASPATH": {"flags": "T", "value": hops}}
        if ipv6:
            value = {"af": "IPV6/UNICAST", "nexthop": "2001:db8::1", "prefixes": ipv6}
            attrs["MP_REACH"] = {"flags": "O", "value": value}
        data["attrs"] = attrs
    tags = {"PEER_AS": str(peer), "PEER_IP": f"192.0.2.{peer}"} if peer else {}
    return json.dumps([dir_, 0, TIME, "UPDATE", data, tags]) + "\n"


def keepalive() -> str:
    return f'["R",0,"{TIME}","KEEPALIVE",null,{{}}]\n'


def announced(path: Path) -> list[str]:
    """The prefixes of a file of messages."""
    found = []
    for text in path.read_text().splitlines() if path.exists() else ():
        data = json.loads(text)[4] or {}
        found += data.get("reach", [])
        found += data.get("attrs", {}).get("MP_REACH", {}).get("value", {}).get("prefixes", [])
    return found


def limited(tmp_path: Path, text: str, *options: str) -> list[str]:
    source, target = write_lines(tmp_path / "source.json", text), tmp_path / "target.json"
    assert run(*READ, source, "--", "limit", "-LR", *options, "--", "write", "-LR", target).exit_code == 0
    return announced(target)


MIXED = line("9.0.0.0/8", "10.0.0.0/7", "10.0.0.0/24", "10.0.0.0/25") + line("2000::/3", "2001:db8::/32", "2001:db8:1::/48")
IPV6 = ["2000::/3", "2001:db8::/32", "2001:db8:1::/48"]
IPV4 = ["9.0.0.0/8", "10.0.0.0/7", "10.0.0.0/24", "10.0.0.0/25"]


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ("", IPV4 + IPV6),
            ("-m 8", ["9.0.0.0/8", "10.0.0.0/24", "10.0.0.0/25", *IPV6]),
            ("--min-length 8 --ipv4", ["9.0.0.0/8", "10.0.0.0/24", "10.0.0.0/25", *IPV6]),
            ("-M 0 -s 0 -o 0 -b 0", IPV4 + IPV6),
            ("-M 24", ["9.0.0.0/8", "10.0.0.0/7", "10.0.0.0/24", *IPV6]),
            ("-6 --max-length 24", [*IPV4, "2000::/3"]),
            ("-46 -m 8 -M 24", ["9.0.0.0/8", "10.0.0.0/24"]),
            ("-s 2", [*IPV4[:2], *IPV6]),
            ("--session 0", IPV4 + IPV6),
            ("-6 --session 1", [*IPV4, IPV6[0]]),
            ("-46 -s 5", [*IPV4, IPV6[0]]),
            ("--multicast -s 1", [IPV4[0], *IPV6]),
            ("-o 3", [*IPV4[:3], *IPV6]),
            ("-46 --origin 5", [*IPV4, IPV6[0]]),
            ("-b 1", ["9.0.0.0/8", "10.0.0.0/7", *IPV6]),
            ("-6b 1", [*IPV4, "2000::/3", "2001:db8::/32"]),
            ("-6 -b 1 -B 48", [*IPV4, "2000::/3", "2001:db8::/32", "2001:db8:1::/48"]),
            ("-46 --block 1 --block-length 2", ["9.0.0.0/8", "2000::/3"]),
            ("-b 1 -B 64", ["9.0.0.0/8", "10.0.0.0/7", *IPV6]),
        ],
    )
    def test_each(self, options: str, expected: list[str], tmp_path: Path) -> None:
        assert limited(tmp_path, MIXED, *options.split()) == expected

    def test_permanent(self, tmp_path: Path) -> None:
        text = line("10.0.0.0/8") + line(unreach=("10.0.0.0/8",)) + line("11.0.0.0/8")
        assert limited(tmp_path, text, "-s", "1") == ["10.0.0.0/8", "11.0.0.0/8"]
        assert limited(tmp_path, text, "-s", "1", "--permanent") == ["10.0.0.0/8"]

    @pytest.mark.parametrize(
        ("options", "why"),
        [
            ("-m 129", "a prefix length from 0 to 128"),
            ("-M x", "a prefix length from 0 to 128"),
            ("-B 65", "a prefix length from 1 to 64"),
            ("-B 0", "a prefix length from 1 to 64"),
            ("-M " + "9" * 5000, "a prefix length from 0 to 128"),
            ("-s -1", "a whole number from 0"),
            ("--scope host", "one of pipeline, process"),
            ("-m 24 -M 8", "no prefix has --min-length 24 and --max-length 8"),
        ],
    )
    def test_mistakes(self, options: str, why: str) -> None:
        with pytest.raises(UsageError, match=why):
            Pipeline(["read", "x", "--", "limit", *options.split()])

    @pytest.mark.parametrize(
        ("options", "doubts"),
        [
            ("", ["it limits nothing"]),
            ("--permanent -s 0", ["it limits nothing"]),
            ("-M 24 --permanent", ["--permanent has no effect without --session"]),
            ("-M 24 --scope process", ["--scope has no effect without --session"]),
            ("-s 5 -B 24", ["--block-length has no effect without --block"]),
            ("-M 33", ["--max-length 33 has no effect"]),
            ("-46 -M 33", []),
            ("-m 33", ["--min-length 33 takes out all that it looks at"]),
            ("-6 -m 33 -M 48", []),
            ("-M 24 -s 1 --permanent --scope process", []),
            ("-b 1 -B 24", []),
        ],
    )
    def test_options_without_effect(self, options: str, doubts: list[str]) -> None:
        found = Pipeline(["-o", "--", "read", "x", "--", "limit", *options.split()]).warnings()
        assert [text.startswith(doubt) for (_, text), doubt in zip(found, doubts, strict=True)] == [True] * len(doubts)

    def test_parse_error(self, tmp_path: Path, target: Path) -> None:
        source = write_lines(tmp_path / "source.json", bad_line(1) + line("10.0.0.0/8"))
        run("--", "read", source, "--", "limit", "-s", "1", "--", "write", target)
        assert len(target.read_text().splitlines()) == 1
        run("--", "read", source, "--", "limit", "-s", "1", "--on-parse-error", "pass", "--", "write", target)
        assert len(target.read_text().splitlines()) == 2

    def test_messages_of_the_other_direction_pass(self, tmp_path: Path, target: Path) -> None:
        text = line("10.0.0.0/8") + line("10.0.0.0/9", dir_="L") + line("11.0.0.0/8") + keepalive()
        source = write_lines(tmp_path / "source.json", text)
        run(*READ, source, "--", "limit", "-s", "1", "--", "stdout", "-L", "--", "write", target)
        assert announced(target) == ["10.0.0.0/8"]

    def test_peers_are_sessions(self, tmp_path: Path) -> None:
        text = "".join(line("10.0.0.0/8", "11.0.0.0/8", peer=peer) for peer in (1, 2, 0))
        assert limited(tmp_path, text, "-s", "1") == ["10.0.0.0/8"] * 3

    def test_what_skips_the_stage_does_not_count(self, tmp_path: Path) -> None:
        text = line("10.0.0.0/8", hops=(2,)) + line("11.0.0.0/8") + line("12.0.0.0/8")
        assert limited(tmp_path, text, "-s", "1", "--if", "as_origin == 1") == ["10.0.0.0/8", "11.0.0.0/8"]


class TestEvents:
    TEXT = line("10.0.0.0/8", hops=(5, 6)) + keepalive() + line("11.0.0.0/8", hops=((8, 7),)) + line("12.0.0.0/25", hops=())

    def test_what_they_say(self, tmp_path: Path) -> None:
        source = write_lines(tmp_path / "source.json", self.TEXT)
        pipe = Pipeline(["--", "read", source, "--", "@guard", "limit", "-M", "24", "-s", "1"])
        seen: list[tuple[str, int, str, object, int]] = []

        @pipe.on_event("guard/session", "guard/long")
        def taken_out(event: Event) -> None:
            assert isinstance(event, LimitEvent)
            seen.append((str(event), event.index, str(event.prefix), event.origin, event.count))

        pipe.run_sync()
        assert seen == [
            ("guard/session", 2, "11.0.0.0/8", (7, 8), 1),
            ("guard/long", 3, "12.0.0.0/25", None, 0),
        ]

    def test_log(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        source = write_lines(tmp_path / "source.json", self.TEXT + line("13.0.0.0/8", hops=(9,)))
        run("-e", "limit/session,limit/long", "--", "read", source, "--", "limit", "-M", "24", "-s", "1")
        assert capfd.readouterr().err.splitlines() == [
            "bgpipe: warning: stage 2 (limit): session: 11.0.0.0/8 from AS_SET {7,8}, 1 in the session already",
            "bgpipe: warning: stage 2 (limit): long: 12.0.0.0/25 from an empty path",
            "bgpipe: warning: stage 2 (limit): session: 13.0.0.0/8 from AS9, 1 in the session already",
            "bgpipe: stage 2 (limit): prefixes taken out: 1 too long, 2 over --session",
        ]

    def test_withdrawals_are_counted_and_no_events(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Nothing that was taken out is missing in the summary. Who ends at too long prefixes, means announced ones."""
        text = line(unreach=("10.0.0.0/25", "10.0.0.0/24", "8.0.0.0/7")) + line("11.0.0.0/25", unreach=("12.0.0.0/25",))
        source = write_lines(tmp_path / "source.json", text)
        words = ["--", "read", source, "--", "limit", "-m", "8", "-M", "24", "--", "write", tmp_path / "x"]
        assert run("--kill", "limit/short", *words).exit_code == 0
        told = "prefixes taken out: 1 too long, 3 withdrawn that were too short or too long"
        assert capfd.readouterr().err == f"bgpipe: stage 2 (limit): {told}\n"
        assert [json.loads(text)[4] for text in (tmp_path / "x").read_text().splitlines()] == [{"unreach": ["10.0.0.0/24"]}]

    def test_many_do_not_flood_the_log(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        text = "".join(line(f"10.{n}.0.0/16") for n in range(100))
        source = write_lines(tmp_path / "source.json", text)
        run("-e", "limit/session", "--", "read", source, "--", "limit", "-s", "1")
        lines = capfd.readouterr().err.splitlines()
        assert len(lines) == 12
        assert "99 prefixes were taken out in all, 89 of them not shown" in lines[-1]

    def test_silent_where_nobody_asks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(module, "LimitEvent", None)  # making one would fail
        source = write_lines(tmp_path / "source.json", self.TEXT)
        assert run("--kill", "limit/block", "--", "read", source, "--", "limit", "-s", "1").exit_code == 0
        assert capfd.readouterr().err == "bgpipe: stage 2 (limit): prefixes taken out: 2 over --session\n"

    @pytest.mark.parametrize("threads", ["1", "3"])
    def test_kill(self, threads: str, tmp_path: Path, target: Path) -> None:
        text = "".join(line(f"10.{n >> 8}.{n & 255}.0/24") for n in range(6000)) + keepalive()
        source = write_lines(tmp_path / "source.json", text)
        words = ["--kill", "limit/session", "--threads", threads, "--", "read", source, "--", "limit", "-s", "4000", "--", "write"]
        assert run(*words, target).exit_code == 1
        assert announced(target) == [f"10.{n >> 8}.{n & 255}.0/24" for n in range(4000)]

    def test_stop(self, tmp_path: Path, target: Path) -> None:
        """What is behind the message that stops its source has never been counted."""
        source = write_lines(tmp_path / "source.json", "".join(line(f"10.{n}.0.0/16") for n in range(9)))
        pipe = Pipeline(["--", "read", "-S", "limit/session", source, "--", "limit", "-s", "3", "--", "write", str(target)])
        seen: list[str] = []

        @pipe.on_event("limit/session")
        def taken_out(event: Event) -> None:
            assert isinstance(event, LimitEvent)
            seen.append(str(event.prefix))

        pipe.run_sync()
        assert seen == ["10.3.0.0/16"]
        assert announced(target) == ["10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16"]

    def test_unknown(self) -> None:
        with pytest.raises(UsageError, match="unknown event 'limit/sessions'; did you mean limit/session"):
            Pipeline(["--kill", "limit/sessions", "--", "read", "x", "--", "limit"])


class TestScope:
    def pipe(self, tmp_path: Path, number: int, *options: str) -> tuple[Pipeline, Path]:
        text = "".join(line(f"{number}.{n}.0.0/16") for n in range(200)) + line("192.0.2.0/24")
        source = write_lines(tmp_path / f"{number}.json", text)
        target = tmp_path / f"{number}.out.json"
        return Pipeline(["--", "read", source, "--", "limit", *options, "--", "write", str(target)]), target

    def together(self, *pipes: Pipeline) -> None:
        """Run pipelines side by side: none ends before all have begun and counted all that is theirs."""
        barrier = threading.Barrier(len(pipes))

        for pipe in pipes:

            @pipe.on_event("read/STOP")
            def wait(event: Event) -> None:
                barrier.wait(30)

        threads = [threading.Thread(target=pipe.execute) for pipe in pipes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def test_process(self, tmp_path: Path) -> None:
        pipes, targets = zip(*(self.pipe(tmp_path, n, "--scope", "process", "-s", "300") for n in range(1, 5)), strict=True)
        self.together(*pipes)
        assert sum(len(announced(target)) for target in targets) == 300
        assert not module._shared

    def test_origins_and_blocks_too(self, tmp_path: Path) -> None:
        pipes, targets = zip(*(self.pipe(tmp_path, n, "--scope", "process", "-o", "300") for n in (1, 2)), strict=True)
        self.together(*pipes)
        assert sum(len(announced(target)) for target in targets) == 300
        pipes, targets = zip(*(self.pipe(tmp_path, n, "--scope", "process", "-b", "1") for n in (1, 2)), strict=True)
        self.together(*pipes)
        assert sum(announced(target).count("192.0.2.0/24") for target in targets) == 1

    def test_pipelines_count_apart(self, tmp_path: Path) -> None:
        pipes, targets = zip(*(self.pipe(tmp_path, n, "-s", "150") for n in (1, 2)), strict=True)
        self.together(*pipes)
        assert [len(announced(target)) for target in targets] == [150, 150]

    def test_other_limits_count_apart(self, tmp_path: Path) -> None:
        one, other = (self.pipe(tmp_path, n, "--scope", "process", "-s", str(149 + n)) for n in (1, 2))
        self.together(one[0], other[0])
        assert [len(announced(one[1])), len(announced(other[1]))] == [150, 151]

    def test_what_has_ended_counts_no_more(self, tmp_path: Path) -> None:
        """A pipeline is there all the time; the sessions of those that come and go leave nothing behind."""
        lasting, _ = self.pipe(tmp_path, 1, "--scope", "process", "-s", "201")
        passing, target = self.pipe(tmp_path, 2, "--scope", "process", "-s", "201")

        @lasting.on_event("limit/START")
        def first(event: Event) -> None:
            passing.execute()

        lasting.execute()
        assert len(announced(target)) == 201
        assert len(announced(tmp_path / "1.out.json")) == 201
        assert not module._shared


def test_the_command_of_the_handbook(tmp_path: Path) -> None:
    text = "".join(line(f"10.{n}.0.0/16", f"10.{n}.0.0/28") for n in range(200))
    source, target = write_lines(tmp_path / "updates.json", text), tmp_path / "ok.json"
    words = f"limit -LR -4 -m 8 -M 24 --session {{}} --origin 5000 --block 10000 -- write {target}"
    pipe = run("--kill", "limit/session", "--", "read", source, "--", *words.format(1000000).split())
    assert pipe.exit_code == 0
    assert len(announced(target)) == 200
    pipe = run("--kill", "limit/session", "--", "read", source, "--", *words.format(100).split())
    assert pipe.exit_code == 1
    assert len(announced(target)) == 100
