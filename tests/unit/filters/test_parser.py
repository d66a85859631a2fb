"""The language of filters: what each text means, and what is said about those that mean nothing."""

from __future__ import annotations

import pytest

from bgpipe import Filter, FilterError, Update, UsageError
from bgpipe.filters.lexer import MAX_LENGTH
from bgpipe.filters.parser import ALIASES, COMPARISONS, KINDS, MAX_DEPTH
from bgpipe.filters.tree import And, Not, Or, Prefix, PrefixFile, Test

COM = Test("community")
MED = Test("med")
OTC = Test("otc")


def tree(text: str) -> object:
    return Filter(text).tree


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("med", MED),
        ("!med", Not(MED)),
        ("! med", Not(MED)),
        ("(med)", MED),
        ("!(med)", Not(MED)),
        ("med && otc && com", And([MED, OTC, COM])),
        ("med||otc||com", Or([MED, OTC, COM])),
        ("med && otc || com", Or([And([MED, OTC]), COM])),
        ("med || otc && com", Or([MED, And([OTC, COM])])),
        ("(med || otc) && com", And([Or([MED, OTC]), COM])),
        ("!(med||!otc)&&com", And([Not(Or([MED, Not(OTC)])), COM])),
        ("med==5&&otc==6", And([Test("med", None, "==", 5), Test("otc", None, "==", 6)])),
    ],
)
def test_terms_and_what_binds_closer(text: str, meaning: object) -> None:
    assert tree(text) == meaning


@pytest.mark.parametrize(
    ("spelling", "operator"),
    [("==", "=="), ("=", "=="), ("!=", "!="), ("=!", "!="), ("<", "<"), ("<=", "<="), (">", ">"), (">=", ">=")],
)
@pytest.mark.parametrize("space", ["", " ", "  ", "\t"])
def test_operators_with_and_without_spaces(spelling: str, operator: str, space: str) -> None:
    assert tree(f"med{space}{spelling}{space}5") == Test("med", None, operator, 5)


@pytest.mark.parametrize(("spelling", "operator"), [("~", "~"), ("!~", "!~"), ("~!", "!~")])
def test_match_operators(spelling: str, operator: str) -> None:
    assert tree(f"com {spelling} ^1") == Test("community", None, operator, "^1")


def test_a_negated_comparison_negates_its_operator() -> None:
    """So it does not match messages without the attribute, as in the reference."""
    assert tree("!med == 5") == Test("med", None, "!=", 5)
    assert tree("!med != 5") == Test("med", None, "==", 5)
    assert tree("!com ~ x") == Test("community", None, "!~", "x")
    assert tree("!aspath[0] < 5") == And([Test("aspath"), Not(Test("aspath", 0, "<", 5))])
    assert tree("!prefix[*] < 10.0.0.0/8") == And(
        [Test("prefix"), Not(Test("prefix", "*", "<", Prefix(4, b"\x0a\0\0\0", 8)))]
    )
    assert tree("!aspath_len in [1]") == And([Test("aspath"), Not(Test("aspath_len", None, "in", [1]))])
    assert tree("!(med == 5)") == Not(Test("med", None, "==", 5))
    assert tree("!update") == Not(Test("type", None, "==", 2))


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("type == UPDATE", Test("type", None, "==", 2)),
        ("type = notification", Test("type", None, "==", 3)),
        ("type == 77", Test("type", None, "==", 77)),
        ("af == IPV6/UNICAST", Test("af", None, "==", (2, 1))),
        ("af == ipv4", Test("af", None, "==", (1, None))),
        ("af == flowspec", Test("af", None, "==", (None, 133))),
        ("af == 25/70", Test("af", None, "==", (25, 70))),
        ("ipv6", Test("af", None, "==", (2, 1))),
        ("prefix ~ 192.0.2.0/24", Test("prefix", None, "~", Prefix(4, b"\xc0\0\2\0", 24))),
        ("prefix == 8.8.8.8", Test("prefix", None, "==", Prefix(4, b"\x08\x08\x08\x08", 32))),
        ("reach[*] <= ::/0", Test("reach", "*", "<=", Prefix(6, bytes(16), 0))),
        ("nh == 192.0.2.1", Test("nexthop", None, "==", b"\xc0\0\2\1")),
        ("nh == ::ffff:192.0.2.1", Test("nexthop", None, "==", b"\xc0\0\2\1")),
        ("nexthop ~ ::ffff:192.0.2.0/120", Test("nexthop", None, "~", Prefix(4, b"\xc0\0\2\0", 24))),
        ("nexthop ~ 192.0.2.1", Test("nexthop", None, "~", Prefix(4, b"\xc0\0\2\1", 32))),
        ("as_path == 5", Test("aspath", None, "==", 5)),
        ("aspath[*] == 5", Test("aspath", None, "==", 5)),
        ("aspath[-3] >= 0x10", Test("aspath", -3, ">=", 16)),
        ('aspath == "1, [02,3],4"', Test("aspath", None, "==", "1,[2,3],4")),
        ('aspath == "5"', Test("aspath", None, "==", "5")),
        ('aspath == ""', Test("aspath", None, "==", "")),
        ("as-origin == 15169", Test("aspath", -1, "==", 15169)),
        ("as_origin == AS15169", Test("aspath", -1, "==", 15169)),
        ("aspath in [as1, 2]", Test("aspath", None, "in", [1, 2])),
        ('aspath == "AS1,[AS2,3]"', Test("aspath", None, "==", "1,[2,3]")),
        ("otc > AS5", Test("otc", None, ">", 5)),
        ("as_origin == AS", None),
        ("as_origin == AS-1", None),
        ("as_origin == ASAS1", None),
        ("aspath_len == AS1", None),
        ("AS_Upstream != 1", Test("aspath", -2, "!=", 1)),
        ("as_peer", Test("aspath", 0)),
        ("as_origin in [1, 2 ,3]", Test("aspath", -1, "in", [1, 2, 3])),
        ("aspath_len > 5", Test("aspath_len", None, ">", 5)),
        ("origin == i", Test("origin", None, "==", 0)),
        ("origin == Incomplete", Test("origin", None, "==", 2)),
        ("com == 65000:1", Test("community", None, "==", b"\xfd\xe8\0\1")),
        ("com == blackhole", Test("community", None, "==", b"\xff\xff\x02\x9a")),
        ("com_ext == target:65000:1", Test("ext_community", None, "==", b"\0\2\xfd\xe8\0\0\0\1")),
        ("com-large == 1:2:3", Test("large_community", None, "==", b"\0\0\0\1\0\0\0\2\0\0\0\3")),
        ("tag[PEER_AS] == 65000", Test("tag", "PEER_AS", "==", "65000")),
        ('tag["a]b"] ~ x', Test("tag", "a]b", "~", "x")),
        ("tags", Test("tag")),
        ("dir == l", Test("dir", None, "==", "L")),
        ("seq == 18446744073709551615", Test("seq", None, "==", 2**64 - 1)),
        ("time > 2023-01-01T12:00", Test("time", None, ">", 1672574400 * 10**9)),
        ("time == 2023-01-01T12:00:00.000000001Z", Test("time", None, "==", 1672574400 * 10**9 + 1)),
        ('time < "2023-01-01 14:00+02:00"', Test("time", None, "<", 1672574400 * 10**9)),
        ("time <= 1672574400.5", Test("time", None, "<=", 16725744005 * 10**8)),
        ("time ~ T12:", Test("time", None, "~", "T12:")),
        ("json[attrs.MED.value] > 1.5", Test("json", "attrs.MED.value", ">", 1.5)),
        ('json[hold] == "90"', Test("json", "hold", "==", "90")),
        ("json[a.0] == true", Test("json", "a.0", "==", True)),
        ("attr[local-pref]", None),
        ("attr[aspath.0] == null", Test("attr", "ASPATH.0", "==", None)),
        ("attr[ATTR_99]", Test("attr", "ATTR_99")),
        ('prefix in file("a b")', Test("prefix", None, "in", PrefixFile("a b"))),
        ("prefix in file( a.txt )", Test("prefix", None, "in", PrefixFile("a.txt"))),
    ],
)
def test_attributes_and_their_values(text: str, meaning: object) -> None:
    if meaning is None:
        with pytest.raises(FilterError):
            Filter(text)
    else:
        assert tree(text) == meaning
        assert Filter(text).warnings == ()


def test_quoted_strings_have_escapes() -> None:
    assert tree(r'tag[x] == "a \"b\" \\ ) && c"') == Test("tag", "x", "==", r'a "b" \ ) && c')


def test_bare_words_end_at_spaces_parentheses_and_connectives() -> None:
    assert tree("(tag[x] == a(b)") == Test("tag", "x", "==", "a(b")
    assert tree("tag[x] == a&b||med") == Or([Test("tag", "x", "==", "a&b"), MED])


def test_every_name_is_known_in_every_case_and_with_dashes() -> None:
    for name in (*KINDS, *ALIASES):
        index = "[MED]" if name in ("json", "attr") else ""
        assert isinstance(tree(name + index), Test)
        assert tree(name.upper().replace("_", "-") + index) == tree(name + index)
    for name in COMPARISONS:
        assert isinstance(tree(name), Test)


def test_nodes_know_where_they_stand() -> None:
    node = tree(" med == 5  && !( otc || com ) ")
    assert isinstance(node, And)
    first, second = node.terms
    assert (node.start, node.end) == (1, 29)
    assert (first.start, first.end) == (1, 9)
    assert (second.start, second.end) == (14, 29)


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("", 0, "the filter is empty"),
        ("  ", 2, "the filter is empty"),
        ("as_orign == 5", 0, '"as_orign" is no attribute; did you mean as_origin?'),
        ("med && ", 7, "the end, expected an attribute"),
        ("!!med", 1, "expected an attribute"),
        ("med otc", 4, '"otc", expected an operator, && or ||'),
        ("med == 5 otc", 9, '"otc", expected && or ||'),
        ("(med", 0, "( is not closed"),
        ("med)", 3, "there is no ("),
        ("()", 1, "expected an attribute"),
        ("med ==", 6, "the end, expected a value"),
        ("med == x", 7, '"x", expected a number, 0 to 4294967295'),
        ("med == 4294967296", 7, "expected a number, 0 to 4294967295"),
        ("aspath_len == -1", 14, '"-1", expected a number'),
        ("med ~ 5", 4, "med takes == != in < <= > >="),
        ("type ~ UPDATE", 5, "type takes == != in"),
        ("type == updat", 8, "did you mean UPDATE?"),
        ("update == 1", 0, "it means type == UPDATE"),
        ("af == ipv5", 6, "expected an address family"),
        ("prefix == 10.0.0.0/33", 10, "expected a prefix length of 0 to 32"),
        ("prefix == ten", 10, "expected a prefix such as"),
        ("prefix[0] == 10.0.0.0/8", 6, "expected prefix or prefix[*]"),
        ("prefix in 10.0.0.0/8", 10, "prefix <= NETWORK"),
        ("prefix in [10.0.0.0/8", 21, "the end, expected , or ]"),
        ("com in []", 8, "expected a value"),
        ("med[0] == 5", 3, "med takes no index"),
        ("as_origin[0] == 5", 9, "as_origin takes no index"),
        ("aspath[] == 5", 6, "nothing between [ and ]"),
        ("aspath[0 == 5", 6, "[ is not closed"),
        ("aspath[x] == 5", 6, "expected a number, such as 0 or -1, or *"),
        ("aspath[0] ~ 5", 10, "regular expressions look at the whole aspath"),
        ('as_origin == "1,2"', 13, "expected an AS number"),
        ("aspath == 1,[2", 10, "expected ] at the end of the set"),
        ("origin == bogus", 10, "igp, egp or incomplete"),
        ("com == 65536:1", 7, "expected a community"),
        ("com ~ [", 6, "no regular expression"),
        ("aspath ~ (1|2)", 9, "a value with ) in it goes in quotes"),
        ('com ~ "1', 6, '" is not closed'),
        ("json == 5", 4, "json needs a path"),
        ("json[a..b]", 4, "expected names and numbers"),
        ("json[a] < b", 10, "expected a number"),
        ("attr[comunity]", 4, "did you mean COMMUNITY?"),
        ("time > noon", 7, "expected a time such as"),
        ("dir == up", 7, "expected L or R"),
    ],
)
def test_errors_say_where_and_what(text: str, position: int, said: str) -> None:
    with pytest.raises(FilterError) as caught:
        Filter(text)
    assert said in str(caught.value)
    assert f"at position {position}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (caught.value.position, caught.value.text) == (position, text)
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("med && otc || com", "med && otc"),
        ("med || otc && com || ipv4", "med || (otc && com)"),
        ("med && otc || com && ipv4", "med && otc && com && ipv4"),
        ("med && otc || com || ipv4 && ipv6", "med && otc && (com || (ipv4 && ipv6))"),
        ("!(med && otc || com)", "med && otc"),
    ],
)
def test_mixed_connectives_warn_with_the_reading_of_the_reference(text: str, there: str) -> None:
    (warning,) = Filter(text).warnings
    assert warning.endswith(f"; there: {there}")


def test_parentheses_silence_the_warning() -> None:
    assert Filter("(med && otc) || com").warnings == ()
    assert Filter("med && (otc || com)").warnings == ()


def test_no_warning_where_both_read_the_same() -> None:
    assert Filter("ipv6 || ipv4 && keepalive").warnings == ()
    assert Filter("med || otc || ipv4 && com && ipv6").warnings == ()


def test_other_doubts() -> None:
    (warning,) = Filter("prefix ~ 10.1.0.0/8").warnings
    assert "bits set behind its length" in warning
    (warning,) = Filter(r'aspath ~ "\d"').warnings
    assert r"\d is d alone" in warning
    assert Filter(r"aspath ~ \d").warnings == Filter(r'aspath ~ "\\d"').warnings == ()


def test_quotes_of_other_languages() -> None:
    (warning,) = Filter("tag[x] == 'a'").warnings
    assert warning == "'a' is looked for with its quotes; those of a filter are \""
    assert Filter("tag[x] == \"a\" && tag[y] == it's").warnings == ()
    with pytest.raises(FilterError, match=r'; the quotes of a filter are "$'):
        Filter("community == '1:2'")


def test_all_communities_of_an_as() -> None:
    with pytest.raises(FilterError) as raised:
        Filter("com == 3356:*")
    cure = str(raised.value).partition("; for all of an AS, ")[2]
    assert cure == r'community ~ "\"3356:"'
    assert Filter(cure).match(Update(announce=["10.0.0.0/8"], next_hop="192.0.2.1", communities=["3356:7"]).msg)
    assert not Filter(cure).match(Update(announce=["10.0.0.0/8"], next_hop="192.0.2.1", communities=["13356:7"]).msg)


def test_no_text_is_too_deep_or_too_long() -> None:
    Filter("(" * MAX_DEPTH + "med" + ")" * MAX_DEPTH)
    with pytest.raises(FilterError, match="parentheses in each other"):
        Filter("(" * 100_000)
    with pytest.raises(FilterError, match="characters, expected"):
        Filter("m" * (MAX_LENGTH + 1))
    many = Filter(" && ".join(["med || otc"] * 20_000))
    assert len(str(many.warnings)) < 1000
    assert len(Filter(f"as_origin in [{','.join(map(str, range(100_000)))}]").tree.value) == 100_000  # type: ignore[attr-defined]


def test_a_filter_is_its_text() -> None:
    assert str(Filter("med ==  5")) == "med ==  5"
    assert repr(Filter("med")) == "Filter('med')"
    assert Filter("med") == Filter("med") != Filter("otc")
    assert len({Filter("med"), Filter("med")}) == 1
