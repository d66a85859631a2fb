"""Whatever the text, a filter is one or a FilterError that points into the text."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bgpipe import Filter, FilterError

WORDS = """
    prefix reach unreach nh aspath as_origin as-peer aspath_len origin med com ext_com large_com tag dir seq time json
    attr af type update ipv6 otc in file not and or == = != =! < <= > >= ~ !~ ~! && || & | ! ( ) [ ] , * " \\ . - + 0 1
    -1 0x10 1.5 1e9 10.0.0.0/8 2001:db8::/32 192.0.2.1 :: 65000:1 1:2:3 TARGET:1:2 65536 4294967296 true null igp ? L
    IPV4/UNICAST AFI(7)/SAFI(9) 2023-01-01T12:00 ^1,2$ [0-9]+ (a|b) (?=x) "a b" "\\"" \x00 \ud800 é ٣ \u2028
"""
texts = st.lists(st.sampled_from(re.split(" +", WORDS.strip())) | st.text(max_size=3), max_size=12).flatmap(
    lambda words: st.sampled_from(["", " "]).map(lambda space: space.join(words))
)


@given(text=texts)
def test_any_text(text: str) -> None:
    try:
        wanted = Filter(text)
    except FilterError as error:
        assert 0 <= error.position <= len(text)
        assert error.text == text
        assert str(error).isprintable()
    else:
        assert str(wanted) == text
        assert all(warning.isprintable() for warning in wanted.warnings)
        assert Filter(text).tree == wanted.tree
