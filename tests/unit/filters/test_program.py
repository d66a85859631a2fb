"""What filters say of messages: each attribute, operator and index, once where it holds and once where it does not."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from bgpipe import Batch, Filter, FilterError, Msg, SessionContext, Update
from bgpipe._codec import RawDecoder
from bgpipe._prefixset import PrefixSet
from bgpipe._view import collect
from bgpipe.filters import compiler, parser
from bgpipe.filters.regex import Pattern

RIGHT, LEFT, BOTH = 1, 2, 3

ROUTE = Update(
    announce=["192.0.2.0/24", "198.51.100.0/25", "2001:db8::/32"],
    withdraw=["203.0.113.0/24", "2001:db8:ffff::/48"],
    next_hop=["192.0.2.1", "2001:db8::1"],
    as_path="64500 64501 64501 {64502,64503} 15169",
    origin="EGP",
    med=100,
    local_pref=4294967295,
    otc=64500,
    communities=["65000:1", "NO_EXPORT"],
    ext_communities=["TARGET:65000:7", "0x4702112233445566"],
    large_communities=["1:2:3", "4:5:6"],
    direction="L",
    time=1672574405_678000000,
    tags={"PEER_AS": "64500", "empty": ""},
).msg
ROUTE.seq = 42
KEEPALIVE = Msg.make("KEEPALIVE", tags={"PEER_AS": "64501"}, time=1672574405_678900000)
OPEN = Msg.make("OPEN", bytes.fromhex("04fde8005ac000020100"))
EMPTY = Update().msg  # End-of-RIB


def plain(**options: Any) -> Msg:
    """An UPDATE of one route."""
    return Update(announce=["192.0.2.0/24"], next_hop="192.0.2.1", **options).msg


def same(text: str, msg: Msg) -> bool:
    """Whether a message matches; alone and in a batch alike."""
    wanted = Filter(text)
    found = wanted.match(msg)
    assert wanted.program.matches(collect([msg])) == bytes([found])
    return found


HOLDS = """
update                              type == 2               type != open            type in [open, update]
!open                               !keepalive              ipv6                    af == IPV6
af == UNICAST                       af in [ipv4, IPV6/UNICAST]                      af != FLOWSPEC
prefix == 192.0.2.0/24              prefix == 2001:db8::/32  prefix == 203.0.113.0/24
reach == 198.51.100.0/25            reach != 203.0.113.0/24  unreach == 203.0.113.0/24
unreach == 2001:db8:ffff::/48       prefix ~ 192.0.0.0/8    prefix ~ 192.0.2.7      prefix ~ 192.0.2.0/24
prefix ~ ::/0                       prefix !~ 10.0.0.0/8    prefix < 192.0.0.0/16   prefix <= 192.0.2.0/24
prefix > 192.0.2.128/25             prefix >= 192.0.2.0/24  prefix > 2001:db8:1:2:3:4:5:6
reach < 2001::/16                   prefix[*] != 10.0.0.0/8  prefix in [10.0.0.0/8, 192.0.2.0/24]
reach in [2001:db8::/32]            nexthop                 nh == 2001:db8::1       nh != 192.0.2.1
nh ~ 2001:db8::/64                  nh < 2001:db8::2        nh >= 2001:db8::1       nh <= 2001:db8::1
nh > 2001:db8::0                    nh in [1.2.3.4,2001:db8::1]
aspath                              aspath == 64501         aspath == 64503         aspath[0] == 64500
aspath[1] == 64501                  aspath[3] == 64502      aspath[3] == 64503      aspath[-1] == 15169
aspath[-2] == 64503                 aspath[-5] == 64500     aspath[4]               aspath[7] != 1
as_origin == 15169                  as_origin != 1          as_upstream == 64502    as_peer == 64500
as_origin in [1,15169]              aspath < 15170          aspath > 64502          as_peer >= 64500
as_peer <= 64500                    aspath ~ ^64500,64501   aspath ~ ",\\\\[64502,64503\\\\],15169$"
aspath !~ ^15169                    aspath == "64500,64501,64501,[64502,64503],15169"
aspath != "64500"                   aspath_len == 5         aspath_hops == 4        aspath_len > 4
aspath_len in [4,5]                 origin == e             origin != igp           origin in [0,1]
med                                 med == 100              metric != 99            med < 101
med <= 100                          med > 99                med >= 100              med in [5,100]
local_pref == 4294967295            localpref >= 4294967295  local_pref == 0xffffffff
otc == 64500                        only_to_customer        com                     com == 65000:1
com == no_export                    com != 65000:2          com ~ ^"65000:1",       com !~ 9:9
com in [1:1,65000:1]                ext_com == target:65000:7                       ext_com ~ TARGET
ext_com == 0x4702112233445566       ext_com ~ "\\"type\\":\\"0x4702\\",\\"value\\":\\"0x112233445566\\",\\"nontransitive\\":true}$"
large_com == 4:5:6                  large_com ~ "^\\"1:2:3\\",\\"4:5:6\\"$"         large_com in [4:5:6]
tag                                 tag[PEER_AS]            tag[PEER_AS] == 64500   tag[PEER_AS] != 1
tag == 64500                        tag ~ ^645              tag[PEER_AS] ~ 500$     tag[empty] == ""
tag[empty]                          tag in [a,64500]        dir == L                dir != R
dir in [L,R]                        dir                     seq == 42               seq > 41
seq in [1,42]                       time == 2023-01-01T12:00:05.678                 time > 2023-01-01
time < 2024-01-01                   time ~ T12:00:05.678$   time in [2023-01-01T12:00:05.678]
json[reach.0] == 192.0.2.0/24       json[reach.1]           json[attrs.MED.value] == 100
json[attrs.MED.value] < 100.5       json[attrs.MED.flags] != X                      json[attrs.ASPATH.value.3.1] == 64503
json[attrs.ASPATH.value.3] ~ ^.64502,                       attr[med] == 100        attr[MED] >= 100
attr[aspath.0] in [1,64500]         attr[community.0] ~ 65000                       attr[MED] == "100"
attr[aspath.0] != 0xfbf4            json[attrs.EXT_COMMUNITY.value.1.value] == 0x112233445566
!(med == 5)                         !(com == 1:2)           !med == 5               !(aspath[9])
med == 100 && otc                   med == 5 || otc         !(med == 5 || com == 1:2) && update
"""

FAILS = """
open                                type != update          type in [open]          !update
ipv4                                af == IPV4              af != IPV6/UNICAST      af == FLOWSPEC
prefix == 192.0.2.0/25              prefix == 192.0.3.0/24  reach == 203.0.113.0/24  unreach == 192.0.2.0/24
prefix != 192.0.2.0/24              prefix !~ 192.0.2.0/24  prefix ~ 193.0.0.0/8    prefix ~ 2001:db9::/32
prefix < 192.0.2.0/24               prefix > 203.0.113.0/24  prefix <= 192.0.2.0/25  prefix >= 192.0.2.0/23
prefix[*] ~ 192.0.0.0/8             prefix[*] == 192.0.2.0/24                       prefix in [192.0.2.0/25]
prefix == ::ffff:192.0.2.0/120      nh == 192.0.2.1         nh ~ 2001:db9::/32      nh != 2001:db8::1
nh < 2001:db8::1                    nh > 1.2.3.4            nh < 255.255.255.255    nh in [1.2.3.4]
aspath == 1                         aspath[0] == 64501      aspath[5] == 15169      aspath[5]
aspath[-6]                          aspath[3] == 15169      as_origin != 15169      as_origin == 64503
as_origin in [1,2]                  aspath > 64503          aspath ~ ^64501         aspath !~ 15169
aspath == "64500,64501"             aspath_len == 4         aspath_hops == 5        origin == igp
origin != egp                       med == 99               med < 100               med > 100
med in [1,2]                        local_pref < 4294967295  otc == 1                com == 65000:2
com != 65000:1                      com ~ 65001             com in [1:1]            ext_com == target:65000:8
ext_com !~ TARGET                   large_com == 1:2:4      tag[nothing]            tag[nothing] != 1
tag[PEER_AS] == 64501               tag == 64501            tag ~ x                 dir == R
seq == 43                           seq < 42                time == 2023-01-01T12:00:05
time < 2023-01-01                   time ~ ^2024            json[nothing]           json[reach.9]
json[attrs.MED.value] > 100         attr[origin] == IGP     attr[aggregator]        attr[aggregator] != 1
json[reach] < 5                     !(med == 100)           med == 5 && otc         !(med)
!(update)                           json[reach.0] < 5       json[reach.x]           json[attrs.MED.value.0]
"""


def cells(table: str) -> list[str]:
    """Filters of a table: two spaces or more between them."""
    return [cell.strip() for line in table.strip().splitlines() for cell in line.split("  ") if cell.strip()]


@pytest.mark.parametrize("text", cells(HOLDS))
def test_holds(text: str) -> None:
    assert same(text, ROUTE)


@pytest.mark.parametrize("text", cells(FAILS))
def test_fails(text: str) -> None:
    assert not same(text, ROUTE)


@pytest.mark.parametrize("attribute", ["med", "local_pref", "otc", "com", "ext_com", "large_com", "nh", "aspath"])
def test_without_the_attribute_no_comparison_matches(attribute: str) -> None:
    value = {"com": "1:2", "ext_com": "target:1:2", "large_com": "1:2:3", "nh": "1.2.3.4"}.get(attribute, "5")
    assert not same(attribute, EMPTY)
    assert not same(f"{attribute} == {value}", EMPTY)
    assert not same(f"{attribute} != {value}", EMPTY)
    assert not same(f"!{attribute} == {value}", EMPTY)
    assert not same(f"!{attribute} in [{value}]", EMPTY)
    assert same(f"!{attribute}", EMPTY)
    assert same(f"!({attribute} == {value})", EMPTY)


@pytest.mark.parametrize(
    ("text", "keepalive"),
    [
        ("med", False),
        ("!med", False),
        ("!(com == 1:2)", False),
        ("!(med && !(otc || com))", False),
        ("attr[MED]", False),
        ("!prefix", False),
        ("af == IPV4", False),
        ("keepalive", True),
        ("!update", True),
        ("update", False),
        ("tag[PEER_AS] == 64501", True),
        ("dir == R", True),
        ("time ~ 05.678900$", True),
        ("json[reach]", False),
        ("!json[reach]", True),
        ("!(med && update)", True),
        ("med || keepalive", True),
        ("!med && keepalive", False),
        ("!(med || open)", True),
    ],
)
def test_other_types(text: str, keepalive: bool) -> None:
    """A test of an UPDATE attribute is false on them, and so is any group of such tests alone."""
    assert same(text, KEEPALIVE) == keepalive


def test_open_in_json() -> None:
    assert same("json[asn] == 65000 && json[hold] >= 90 && open", OPEN)
    assert not same("json[hold] > 90", OPEN)


def test_what_does_not_parse_matches_nothing() -> None:
    broken = Msg.make("UPDATE", bytes.fromhex("0000 0004 40010109 18c00002"))  # ORIGIN 9
    for text in ("update", "!open", "prefix", "!(med)", "origin in [?]", "json[reach.0]", "dir == R", "origin"):
        assert Filter(text).program.matches(collect([broken])) == b"\0"
    batch = collect([broken])
    Filter("update").program.matches(batch)
    assert len(batch.failures()) == 1  # so that the event PARSE comes
    cut = Msg.make("UPDATE", bytes.fromhex("ffff0000"))
    assert not same("!prefix", cut)
    assert not same("!(prefix || med)", cut)


class TestPaths:
    """AS_PATH merged with AS4_PATH (RFC 6793 section 4.2.3)."""

    CONTEXT = SessionContext(as_size=2)

    def msg(self, path: str, as4_path: str | None, **options: Any) -> Msg:
        return plain(as_path=path, as4_path=as4_path, context=self.CONTEXT, **options)

    def test_merged(self) -> None:
        msg = self.msg("64500 23456 23456", "4200000001 4200000002")
        assert same('aspath == "64500,4200000001,4200000002"', msg)
        assert same("as_origin == 4200000002", msg)
        assert same("aspath[0] == 64500", msg)
        assert same("aspath[1] == 4200000001", msg)
        assert same("aspath_len == 3", msg)
        assert not same("aspath == 23456", msg)
        assert same("aspath ~ ,4200000001,", msg)

    def test_longer_than_the_path(self) -> None:
        assert same('aspath == "23456"', self.msg("23456", "1 2"))

    def test_in_four_octet_contexts_it_is_ignored(self) -> None:
        assert same('aspath == "64500,23456"', plain(as_path="64500 23456", as4_path="1 2"))

    def test_aggregated_by_an_as_that_knows_two_octets_alone(self) -> None:
        attrs = {"AS4AGGREGATOR": bytes(8)}
        assert same("as_origin == 23456", self.msg("64500 23456", "1 2", aggregator=(5, "192.0.2.1"), attrs=attrs))
        assert same("as_origin == 2", self.msg("64500 23456", "1 2", aggregator=(23456, "192.0.2.1"), attrs=attrs))

    def test_confederation_segments_are_no_hops(self) -> None:
        msg = plain(as_path=[{"confed_seq": [1, 2]}, 3, {"confed_set": [4]}, 5])
        assert same('aspath == "3,5" && aspath_len == 2 && as_peer == 3 && !(aspath == 1)', msg)

    def test_empty(self) -> None:
        msg = plain(as_path="")
        assert same('aspath && aspath == "" && aspath_len == 0 && as_origin != 5 && !as_origin', msg)
        assert not same("as_origin == 5 || as_origin < 5", msg)

    def test_memory_tells_contexts_apart(self) -> None:
        """The same octets are another path where AS numbers take two octets."""
        long = plain(attrs={"ASPATH": bytes.fromhex("020100010203")})
        short = plain(attrs={"ASPATH": bytes.fromhex("020200010203")}, context=self.CONTEXT)
        wanted = Filter("aspath ~ ^1,515$")
        assert wanted.match(short)
        assert not wanted.match(long)
        assert Filter("aspath ~ ^66051$").program.matches(collect([short, long])) == b"\0\1"


def test_add_path() -> None:
    context = SessionContext(addpath=["IPV4/UNICAST", "IPV6/UNICAST"])
    msg = Update(announce=["#7#192.0.2.0/24", "#9#2001:db8::/32"], next_hop=["1.2.3.4", "::1"], context=context).msg
    assert same("prefix == 192.0.2.0/24 && prefix == 2001:db8::/32", msg)
    assert not same("prefix ~ 0.0.0.0/5", msg)


def test_bits_behind_the_length_do_not_count() -> None:
    msg = Msg.make("UPDATE", bytes.fromhex("0000 0000 0cc00f"))  # 192.15/12
    for text in ("prefix == 192.0.0.0/12", "prefix in [192.0.0.0/12]", "prefix ~ 192.0.0.0/12", "prefix[*] <= 192.0.0.0/8"):
        assert same(text, msg)


def test_next_hops() -> None:
    mapped = plain()
    mapped.update.mp_reach = {"af": "IPV6/UNICAST", "nexthop": "::ffff:192.0.2.9", "prefixes": ["2001:db8::/32"]}
    assert same("nh == 192.0.2.9 && nh ~ 192.0.2.0/24 && nh == ::ffff:192.0.2.9", mapped)
    both = Update(
        mp_reach={"af": "IPV6/UNICAST", "nexthop": "2001:db8::1", "link-local": "fe80::1", "prefixes": ["2001:db8::/32"]}
    ).msg
    assert same("nh == 2001:db8::1", both)
    flow = plain(attrs={"MP_REACH": bytes.fromhex("0001850000")})  # a next hop of no octets
    assert same("nh == 192.0.2.1 && af == IPV4/FLOWSPEC", flow)


def test_tags_of_a_message_stand_before_those_of_its_peer() -> None:
    msg = KEEPALIVE.copy()
    msg.tags["PEER_AS"] = "5"
    assert same("tag[PEER_AS] == 5 && !(tag == 64501)", msg)
    del msg.tags["PEER_AS"]
    assert same("!tag[PEER_AS] && !tag", msg)


def test_directions_and_messages_that_are_not_looked_at() -> None:
    program = Filter("update").program
    batch = collect([ROUTE, EMPTY, KEEPALIVE, OPEN])  # L, R, R, R
    assert program.verdicts(batch, RIGHT) == b"\2\1\0\0"
    assert program.verdicts(batch, LEFT) == b"\1\2\2\2"
    assert program.keep(batch, RIGHT) == b"\2\1\0\0"
    assert [msg.type for msg in batch] == ["UPDATE", "UPDATE"]
    assert program.verdicts(batch, BOTH) == b"\1\1\2\2"
    program.keep(batch, LEFT, True)
    assert [msg.dir for msg in batch] == ["R"]
    program.hide(batch, BOTH)
    Filter("open").program.hide(batch, BOTH)
    assert batch.visible(BOTH) == 0


def many(paths: int) -> Batch:
    return collect([plain(as_path=[64500, 70000 + number % paths]) for number in range(3 * paths)])


def test_answers_are_remembered_per_question() -> None:
    batch = many(100)
    wanted = Filter("aspath ~ 00$ || aspath ~ 01$ || com ~ x")
    for _ in range(2):
        found = wanted.program.matches(batch)
        assert [i for i, octet in enumerate(found) if octet] == [0, 1, 100, 101, 200, 201]


def test_more_than_is_remembered() -> None:
    wanted = Filter("tag[x] ~ 7$").program
    for start in range(0, 300_000, 50_000):
        batch = collect([Msg.make("KEEPALIVE", tags={"x": str(n)}) for n in range(start, start + 50_000, 100)])
        assert wanted.matches(batch).count(1) == 0
    long = Msg.make("KEEPALIVE", tags={"x": "1" * 5000 + "7"})
    assert wanted.match(long)


def test_threads_share_a_program() -> None:
    wanted = Filter("aspath ~ 00$ && json[reach.0] ~ 192").program
    batches = [many(50) for _ in range(4)]
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda b=batch: found.append(wanted.matches(b))) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [bytes(number % 50 == 0 for number in range(150))] * 4


class TestPatterns:
    def test_each_is_compiled_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        compiled: list[str] = []
        compile_pattern = parser.compile_pattern

        def count(text: str) -> Pattern:
            compiled.append(text)
            return compile_pattern(text)

        monkeypatch.setattr(parser, "compile_pattern", count)
        assert Filter('aspath ~ "^1" || tag ~ "a" && time !~ "^1" || json[x] ~ "a"').program
        assert compiled == ["^1", "a"]

    def test_how_much_they_take(self) -> None:
        wanted = " || ".join(f'aspath ~ ".{{999}}{number}"' for number in range(200))
        with pytest.raises(FilterError, match="expected 1000000 at most in a filter") as caught:
            Filter(wanted)
        assert caught.value.text[: caught.value.position].count("aspath") > 100
        assert Filter(" || ".join(['aspath ~ ".{999}"'] * 200))


class TestPrefixFile:
    def test_members(self, tmp_path: Path) -> None:
        path = tmp_path / "list.txt"
        path.write_text("# ours\n192.0.2.0/24\r\n\n 2001:db8::/32 # all of it\n198.51.100.1\n10.1.2.3/8")
        assert same(f"prefix in file({path})", ROUTE)
        assert same(f"reach in file({path}) && !(unreach in file({path}))", ROUTE)
        assert not same(f"prefix[*] in file({path})", ROUTE)
        assert same(f'prefix in file("{path}")', Update(withdraw=["10.0.0.0/8"]).msg)
        assert not same(f"prefix in file({path})", Update(withdraw=["10.0.0.0/9", "198.51.100.0/24"]).msg)

    @pytest.mark.parametrize(
        "line", ["192.0.2.0/33", "192.0.2/24", "2001:db8::/129", "host", "1.2.3.4/", "1.2.3.4/8/8", "1.2.3.4/2x", "x" * 99]
    )
    def test_errors_name_file_and_line(self, line: str, tmp_path: Path) -> None:
        path = tmp_path / "list.txt"
        path.write_text(f"192.0.2.0/24\n\n{line}\n10.0.0.0/8\n")
        with pytest.raises(FilterError, match=r"list.txt, line 3: expected a prefix") as caught:
            _ = Filter(f"med || prefix in file({path})").program
        assert caught.value.position == 17

    def test_errors_do_not_show_what_is_in_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "shadow"
        path.write_text("root:$6$secret:19000:0:99999:7:::\n")
        with pytest.raises(FilterError, match="line 1: expected a prefix") as caught:
            _ = Filter(f"prefix in file({path})").program
        assert "secret" not in str(caught.value)

    def test_errors_point_at_the_file(self) -> None:
        with pytest.raises(FilterError) as raised:
            _ = Filter("med || prefix in  file(/nowhere/at/all)").program
        assert raised.value.position == 18

    def test_no_file(self) -> None:
        with pytest.raises(FilterError, match="No such file"):
            _ = Filter("prefix in file(/nowhere/at/all)").program

    @pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
    def test_no_name_of_a_file(self, name: str) -> None:
        with pytest.raises(FilterError) as caught:
            _ = Filter(f'prefix in file("{name}")').program
        assert str(caught.value).isprintable()

    def test_endless_ones(self, tmp_path: Path) -> None:
        """Nor does it wait for somebody to open the other end of a pipe."""
        os.mkfifo(tmp_path / "pipe")
        for path in ("/dev/zero", str(tmp_path / "pipe")):
            with pytest.raises(FilterError, match="expected a regular file"):
                _ = Filter(f"prefix in file({path})").program
        with pytest.raises(FilterError, match="Is a directory"):
            _ = Filter(f"prefix in file({tmp_path})").program

    @pytest.mark.parametrize("limit", ["MAX_OCTETS", "MAX_LINES"])
    def test_how_much(self, limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """All files of a filter together, each counted once."""
        text = "10.0.0.0/8\n10.0.0.0/9\n"
        paths = [tmp_path / "one", tmp_path / "other"]
        for path in paths:
            path.write_text(text)
        wanted = " || ".join(f"prefix in file({path})" for path in (*paths, *paths))
        monkeypatch.setattr(compiler, limit, 2 * len(text) if limit == "MAX_OCTETS" else 4)
        assert Filter(wanted).program.match(Update(withdraw=["10.0.0.0/9"]).msg)
        monkeypatch.setattr(compiler, limit, getattr(compiler, limit) - 1)
        with pytest.raises(FilterError, match=f"{tmp_path}/(one|other): expected .* at most in the files of a filter"):
            _ = Filter(wanted).program

    def test_size(self) -> None:
        """As the issue asks: at most 64 octets a prefix; here far less."""
        text = "".join(f"10.{n >> 8 & 255}.{n & 255}.0/24\n" for n in range(60_000))
        text += "".join(f"2001:db8:{n:x}::/48\n" for n in range(60_000))
        found = PrefixSet(text.encode())
        assert len(found) == 120_000
        assert found.__sizeof__() < 24 * len(found)

    def test_every_member_and_no_other(self, tmp_path: Path) -> None:
        path = tmp_path / "list.txt"
        path.write_text("".join(f"10.{n >> 8}.{n & 255}.0/24\n2001:db8:{n:x}:8000::/49\n" for n in range(0, 4000, 7)))
        program = Filter(f"prefix in file({path})").program
        for network in ("10.{0}.{1}.0/24", "2001:db8:{2:x}:8000::/49"):
            msgs = [Update(withdraw=[network.format(n >> 8, n & 255, n)]).msg for n in range(4000)]
            assert program.matches(collect(msgs)) == bytes(n % 7 == 0 for n in range(4000))


def test_raw_batches_of_the_core_are_fine() -> None:
    data = ROUTE.wire + KEEPALIVE.wire

    class Source:
        left = data

        def readinto(self, buffer: memoryview) -> int:
            piece, self.left = self.left[: len(buffer)], self.left[len(buffer) :]
            buffer[: len(piece)] = piece
            return len(piece)

    batch = RawDecoder().read(Source())
    assert batch is not None
    assert Filter("as_origin == 15169").program.matches(batch) == b"\1\0"


def test_a_message_that_json_shows_as_hex() -> None:
    """Bits behind the length of a prefix: the octets say what it announces, the JSON does not."""
    wire = Update(announce=["10.0.0.0/8"], next_hop="192.0.2.1", as_path="64500").msg.wire
    msg = Msg.make("UPDATE", wire[19:-2] + b"\x07\x0b")
    assert '"UPDATE","0x' in msg.to_json()
    assert Filter("prefix == 10.0.0.0/7 && as_origin == 64500").match(msg)
    assert not Filter("json[reach]").match(msg)
    assert not Filter("attr[ORIGIN]").match(msg)
