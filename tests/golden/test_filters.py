"""grep on every real archive passes as many messages as a plain script finds in the JSON.

The script below knows the JSON form and what the language is said to mean, and nothing else: no module of the package,
not even the oracles of the other tests.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pytest

import corpus

# -- What a message has ----------------------------------------------------------------------------------------

NAMES = """
    ORIGIN ASPATH NEXTHOP MED LOCALPREF AGGREGATOR COMMUNITY ORIGINATOR CLUSTER_LIST MP_REACH MP_UNREACH EXT_COMMUNITY
    AS4PATH AS4AGGREGATOR LARGE_COMMUNITY OTC
"""
TYPED = frozenset(NAMES.split())  # what is hex in these does not parse


def is_hex(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("0x")


class Message:
    """One line of JSON."""

    def __init__(self, line: bytes) -> None:
        self.dir, self.seq, self.time, self.type, self.data, tags = json.loads(line)
        self.tags = tags or {}
        self.update = self.type == "UPDATE"
        attributes = self.data.get("attrs", {}) if self.update else {}
        self.attrs = {name: entry["value"] for name, entry in attributes.items()}
        self.parses = not any(is_hex(value) for name, value in self.attrs.items() if name in TYPED)
        if self.update and self.parses:
            self.mp_reach, self.mp_unreach = self.attrs.get("MP_REACH"), self.attrs.get("MP_UNREACH")
            self.reach = prefixes(self.data.get("reach", []), self.mp_reach)
            self.unreach = prefixes(self.data.get("unreach", []), self.mp_unreach)
            self.prefix = self.reach + self.unreach
            self.af = (self.mp_reach or self.mp_unreach or {"af": "IPV4/UNICAST"})["af"]
        else:
            self.reach = self.unreach = self.prefix = []
            self.af = None

    @cached_property
    def path(self) -> list[Any] | None:
        """Hops, an AS_SET as a list; None where there is no AS_PATH."""
        if "ASPATH" not in self.attrs:
            return None
        old, new = hops(self.attrs["ASPATH"]), hops(self.attrs.get("AS4PATH", []))
        if self.data.get("as_size") != 2 or "AS4PATH" not in self.attrs or len(new) > len(old):
            return old
        if "AS4AGGREGATOR" in self.attrs and self.attrs.get("AGGREGATOR", {"asn": 23456})["asn"] != 23456:
            return old
        return old[: len(old) - len(new)] + new

    @cached_property
    def path_text(self) -> str:
        return compact(self.path)[1:-1]

    def hop(self, index: int) -> list[int]:
        """The AS numbers at a place: none, one, or the members of an AS_SET."""
        try:
            found = (self.path or [])[index]
        except IndexError:
            return []
        return found if isinstance(found, list) else [found]

    @cached_property
    def asns(self) -> list[int]:
        return [asn for hop in self.path or [] for asn in (hop if isinstance(hop, list) else [hop])]

    @cached_property
    def nexthop(self) -> str | None:
        mp = self.mp_reach or {} if self.update else {}
        found: str | None = mp.get("nexthop", self.attrs.get("NEXTHOP"))
        return found

    def text(self, name: str) -> str:
        """A list without its brackets."""
        return compact(self.attrs[name])[1:-1]


def prefixes(plain: list[str], mp: Any) -> list[str]:
    texts = plain + (mp.get("prefixes", []) if mp else [])
    if mp and mp["af"].endswith(("/MPLS", "/MPLS_VPN", "/MULTICAST_VPNS")):
        texts += [nlri["prefix"] for nlri in mp.get("nlri", [])]
    return [text.split("#")[-1] for text in texts]


def hops(path: list[Any]) -> list[Any]:
    return [hop for hop in path if not isinstance(hop, dict)]


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def without_prepending(path: list[Any]) -> int:
    return len([hop for hop, before in zip(path, [None, *path], strict=False) if hop != before])


network = lru_cache(None)(ipaddress.ip_network)
address = lru_cache(None)(ipaddress.ip_address)


@lru_cache(None)
def inside(text: str, other: str) -> bool:
    inner: Any = network(text)
    outer: Any = network(other)
    return inner.version == outer.version and bool(inner.subnet_of(outer))


def overlaps(text: str, other: str) -> bool:
    return inside(text, other) or inside(other, text)


def near(text: str | None, other: str) -> bool:
    return text is not None and address(text) in network(other)


# -- The filters, and what each is said to mean ----------------------------------------------------------------

Predicate = Callable[[Message], Any]

FILTERS: list[tuple[str, Predicate]] = [
    ("update", lambda m: m.update),
    ("!update", lambda m: not m.update),
    ("keepalive || notify", lambda m: m.type in ("KEEPALIVE", "NOTIFY")),
    ("type == OPEN && json[hold] == 180", lambda m: m.type == "OPEN" and m.data["hold"] == 180),
    ("ipv6", lambda m: m.af == "IPV6/UNICAST"),
    ("af == MULTICAST", lambda m: m.update and m.af.endswith("/MULTICAST")),
    ("!ipv6 && !ipv4", lambda m: m.update and m.af not in ("IPV4/UNICAST", "IPV6/UNICAST")),
    ("unreach", lambda m: m.unreach),
    ("reach && unreach", lambda m: m.reach and m.unreach),
    ("update && !prefix", lambda m: m.update and not m.prefix),
    ("prefix ~ 8.0.0.0/8", lambda m: any(overlaps(p, "8.0.0.0/8") for p in m.prefix)),
    ("prefix !~ 0.0.0.0/1", lambda m: m.prefix and not any(overlaps(p, "0.0.0.0/1") for p in m.prefix)),
    ("unreach ~ 2001::/16", lambda m: any(overlaps(p, "2001::/16") for p in m.unreach)),
    ("reach[*] < 192.0.0.0/3", lambda m: m.reach and all(inside(p, "192.0.0.0/3") and p != "192.0.0.0/3" for p in m.reach)),
    ("prefix >= 84.205.64.0/24", lambda m: any(inside("84.205.64.0/24", p) for p in m.prefix)),
    ("prefix > 2001:200:e000::/35", lambda m: any(inside("2001:200:e000::/35", p) and p != "2001:200:e000::/35" for p in m.prefix)),
    ("reach in [84.205.64.0/24, 2001:200::/32]", lambda m: {"84.205.64.0/24", "2001:200::/32"} & set(m.reach)),
    ("nexthop ~ 193.203.0.0/16", lambda m: near(m.nexthop, "193.203.0.0/16")),
    ("nh == 2a03:b0c0::2", lambda m: m.nexthop == "2a03:b0c0::2"),
    ("aspath == 3356", lambda m: 3356 in m.asns),
    ("aspath != 3356", lambda m: m.path is not None and 3356 not in m.asns),
    ("aspath > 64511 && aspath < 65536", lambda m: m.asns and max(m.asns) > 64511 and min(m.asns) < 65536),
    ("aspath > 131071", lambda m: m.asns and max(m.asns) > 131071),
    ("aspath[1] == 2914", lambda m: m.hop(1) == [2914]),
    (r"aspath ~ ,174,[0-9]+$", lambda m: m.path and re.search(",174,[0-9]+$", m.path_text)),
    (r'aspath ~ "\\["', lambda m: m.path and any(isinstance(hop, list) for hop in m.path)),
    ("as_path !~ ^1853,", lambda m: m.path is not None and not m.path_text.startswith("1853,")),
    ("as_origin == 12654", lambda m: 12654 in m.hop(-1)),
    ("as_origin in [3257, 27867, 20940]", lambda m: {3257, 27867, 20940} & set(m.hop(-1))),
    ("as_upstream != 7018", lambda m: m.path is not None and 7018 not in m.hop(-2)),
    ("!(as_peer == 1853)", lambda m: m.update and 1853 not in m.hop(0)),
    ("aspath_len > 8", lambda m: len(m.path or []) > 8),
    ("aspath_hops <= 2", lambda m: m.path is not None and without_prepending(m.path) <= 2),
    ("origin == incomplete || origin == e", lambda m: m.attrs.get("ORIGIN") in ("INCOMPLETE", "EGP")),
    ("med > 1000 && med <= 5000", lambda m: 1000 < m.attrs.get("MED", 0) <= 5000),
    ("!med || local-pref = 100", lambda m: m.update and ("MED" not in m.attrs or m.attrs.get("LOCALPREF") == 100)),
    ("community == 2914:3000", lambda m: "2914:3000" in m.attrs.get("COMMUNITY", [])),
    ("com != 2914:3000", lambda m: "COMMUNITY" in m.attrs and "2914:3000" not in m.attrs["COMMUNITY"]),
    ("!(com == 2914:3000)", lambda m: m.update and "2914:3000" not in m.attrs.get("COMMUNITY", [])),
    ("com == NO_EXPORT", lambda m: "65535:65281" in m.attrs.get("COMMUNITY", [])),
    (r'com ~ "^\"(209|7018):"', lambda m: "COMMUNITY" in m.attrs and re.match('"(209|7018):', m.text("COMMUNITY"))),
    ("ext_com ~ TARGET.*:300", lambda m: "EXT_COMMUNITY" in m.attrs and re.search("TARGET.*:300", m.text("EXT_COMMUNITY"))),
    ("com_large ~ 24115:100[0-2]:", lambda m: any(re.match("24115:100[0-2]:", c) for c in m.attrs.get("LARGE_COMMUNITY", []))),
    ("tag[PEER_AS] == 3356", lambda m: m.tags.get("PEER_AS") == "3356"),
    ("tag[PEER_IP] ~ : && !open", lambda m: ":" in m.tags.get("PEER_IP", "") and m.type != "OPEN"),
    ("time >= 2014-05-23T06:00 && time < 2016-01-01", lambda m: "2014-05-23T06:00" <= m.time < "2016"),
    ("json[attrs.AGGREGATOR.value.asn] == 7018", lambda m: m.attrs.get("AGGREGATOR", {}).get("asn") == 7018),
    ("attr[MED] >= 100", lambda m: m.attrs.get("MED", 0) >= 100),
    (
        "!ipv6 && (as_origin == 3257 || as_upstream == 3257) && !(med < 10)",
        lambda m: m.update and m.af != "IPV6/UNICAST" and {3257} & {*m.hop(-1), *m.hop(-2)} and m.attrs.get("MED", 10) >= 10,
    ),
]


# -- Counting --------------------------------------------------------------------------------------------------


LIMIT = int(os.environ.get("BGPIPE_LIMIT", "5000000"))  # bytes of an archive that are read


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The start of all archives in one; behind the torn one not everything is found again, so that comes last."""
    files = sorted((corpus.folder() / "mrt").iterdir(), key=lambda path: (path.name.startswith("torn"), path.name))
    together = tmp_path_factory.mktemp("archives") / "all.mrt"
    together.write_bytes(b"".join(corpus.start_of_mrt(corpus.read(path), LIMIT) for path in files))
    return together


def lines(archive: Path, *stage: str) -> Iterator[bytes]:
    """What the command line prints, less the UPDATEs that are hex as a whole: these do not show what is in them."""
    stages = [["read", "--recover", str(archive)], stage, ["stdout"]]
    words = [word for words in stages if words for word in ("--", *words)]
    command = [sys.executable, "-m", "bgpipe", "--log", "error", *words]
    env = {**os.environ, "PYTHONPATH": str(corpus.REPOSITORY / "src")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        yield from (line for line in process.stdout if b'"UPDATE","0x' not in line)
    assert process.returncode == 0


def count_by_grep(archive: Path) -> dict[str, int]:
    return {text: sum(1 for _ in lines(archive, "grep", text)) for text, _ in FILTERS}


def count_in_json(archive: Path) -> tuple[int, dict[str, int]]:
    """All messages, and those of each filter."""
    counts = dict.fromkeys((text for text, _ in FILTERS), 0)
    total = 0
    for line in lines(archive):
        total += 1
        message = Message(line)
        if message.parses:
            for text, predicate in FILTERS:
                if predicate(message):
                    counts[text] += 1
    return total, counts


def test_counts(archive: Path) -> None:
    with ThreadPoolExecutor(1) as beside:
        grep = beside.submit(count_by_grep, archive)
        total, expected = count_in_json(archive)
    assert total > 200_000
    assert all(0 < count < total for count in expected.values()), "each filter takes some and leaves some"
    assert grep.result() == expected
