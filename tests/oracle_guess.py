"""What records do not say of a peer's messages, found out slowly and obviously: the twin of _guess.pyx.

Written apart from the package, as the oracle is, whose reading of bytes it uses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import Enum

import oracle
from bgpipe import names

Family = tuple[int, int]
FAMILIES = [(1, 1), (1, 2), (2, 1), (2, 2)]
WEAK_SIGNS = 4
AGAINST = 4


class Sign(Enum):
    EITHER = "reads both ways"
    PLAIN = "reads without path ids alone"
    NOTHING = "reads neither way, or hardly"
    WEAK = "reads with path ids alone"
    STRONG = "the same, and no accident"


def read(data: bytes, afi: int, ids: bool) -> list[tuple[int, int, bytes]] | None:
    """Path id, length and octets of each prefix; None where the list does not parse."""
    reader, found = oracle.Reader(data), []
    try:
        while reader.left():
            path_id = reader.number(4) if ids else 0
            bits = reader.number(1)
            if bits > (32 if afi == 1 else 128):
                return None
            found.append((path_id, bits, reader.take((bits + 7) // 8)))
    except oracle.Malformed:
        return None
    return found


def has_host_bits(entries: list[tuple[int, int, bytes]]) -> bool:
    return any(int.from_bytes(octets, "big") % (1 << (8 * len(octets) - bits)) for _, bits, octets in entries)


def sign(data: bytes, afi: int) -> Sign:
    plain, ids = read(data, afi, False), read(data, afi, True)
    defaults = sum(bits == 0 for _, bits, _ in plain or [])
    sane = plain is not None and defaults < 2
    if ids is None or has_host_bits(ids):
        return Sign.PLAIN if sane and plain is not None and not has_host_bits(plain) else Sign.NOTHING
    if sane and plain is not None:
        return Sign.NOTHING if has_host_bits(plain) else Sign.EITHER
    if any(path_id > 65535 for path_id, _, _ in ids) or not any(data):
        return Sign.WEAK
    return Sign.STRONG


def lists(wire: bytes) -> list[tuple[Family, bytes]]:
    """The lists of prefixes of an UPDATE that are not empty; those of RFC 4271 come first."""
    reader = oracle.Reader(wire[19:])
    try:
        withdrawn = reader.take(reader.number(2))
        attributes = oracle.split_attributes(reader.take(reader.number(2)))
    except oracle.Malformed:
        return []
    found = [((1, 1), withdrawn), ((1, 1), reader.rest())]
    for _, code, value in attributes:
        if code in (14, 15) and len(value) > 3:
            family = int.from_bytes(value[:2], "big"), value[2]
            found.append((family, value[5 + value[3] :] if code == 14 else value[3:]))
    return [(family, data) for family, data in found if data and family in FAMILIES]


class Session:
    """One direction of it."""

    def __init__(self) -> None:
        self.plain: set[Family] = set()
        self.ids: set[Family] = set()
        self.kept: set[Family] = set()  # declared, and there
        self.missing: set[Family] = set()  # declared, and not there
        self.weak: Counter[Family] = Counter()
        self.as_size = 0
        self.against = 0

    def path_ids(self, wire: bytes, declared: oracle.AddPath, doubts: bool) -> list[Family]:
        """The families of which another thing holds than is declared."""
        found = lists(wire)
        is_ipv4 = int.from_bytes(wire[19:21], "big") or 23 + int.from_bytes(wire[21:23], "big") < len(wire)
        if not self.ids and not self.missing and ((1, 1) if is_ipv4 else (2, 1)) in self.plain | self.kept:
            return []
        here = []
        for family in FAMILIES:
            signs = {sign(data, family[0]) for of, data in found if of == family}
            if signs and oracle.addpath_in(declared, family):
                if doubts and family not in self.kept:
                    self._doubt(family, signs)
                if doubts and family in self.missing:
                    here.append(family)
                continue
            if not signs or family in self.plain:
                continue
            self._judge(family, signs)
            if family in self.ids:
                here.append(family)
        return here

    def _doubt(self, family: Family, signs: set[Sign]) -> None:
        signs = signs - {Sign.EITHER}
        if signs == {Sign.PLAIN}:
            self.missing.add(family)
        elif signs and signs <= {Sign.WEAK, Sign.STRONG}:
            self.kept.add(family)
            self.missing.discard(family)

    def _judge(self, family: Family, signs: set[Sign]) -> None:
        if Sign.PLAIN in signs:
            self.plain.add(family)
            self.ids.discard(family)
        elif Sign.NOTHING not in signs and family not in self.ids:
            self.weak[family] += Sign.WEAK in signs and Sign.STRONG not in signs
            if Sign.STRONG in signs or self.weak[family] == WEAK_SIGNS:
                self.ids.add(family)

    def size_of_as(self, wire: bytes, declared: int) -> int:
        sizes = [size for size in (2, 4) if path_parses(wire, size)]
        if len(sizes) == 1:
            if sizes[0] == self.as_size:
                self.against = 0
            else:
                self.against += 1
                if self.as_size == 0 or self.against == AGAINST:
                    self.as_size, self.against = sizes[0], 0
        return self.as_size or declared


def path_parses(wire: bytes, as_size: int) -> bool:
    for value in paths(wire):
        try:
            oracle.path_json(value, as_size)
        except oracle.Malformed:
            return False
        return True
    return False


def paths(wire: bytes) -> Iterator[bytes]:
    """AS_PATHs in front of whatever does not parse."""
    reader = oracle.Reader(wire[19:])
    try:
        reader.take(reader.number(2))
        attributes = oracle.Reader(reader.take(reader.number(2)))
        while attributes.left():
            flags, code = attributes.number(1), attributes.number(1)
            value = attributes.take(attributes.number(2 if flags & 0x10 else 1))
            if code == 2:
                yield value
    except oracle.Malformed:
        return


class Guesser:
    """All sessions of an archive, each by the header that its records have."""

    def __init__(self, asn: bool, addpath: bool, doubts: bool = False) -> None:
        self.asn = asn
        self.addpath = addpath
        self.doubts = doubts  # of path ids that are declared
        self.sessions: dict[tuple[bytes, bool], Session] = {}

    def forget(self, header: bytes) -> None:
        for is_local in (False, True):
            self.sessions.pop((header, is_local), None)

    def read(
        self, header: bytes, is_local: bool, wire: bytes, as_size: int, addpath: oracle.AddPath
    ) -> tuple[int, oracle.AddPath, dict[str, str]]:
        """How a message is to be read, and the tags that say so."""
        tags: dict[str, str] = {}
        if wire[18] in (1, 3):
            self.forget(header)
        if wire[18] != 2:
            return as_size, addpath, tags
        session = self.sessions.setdefault((header, is_local), Session())
        if self.addpath and (families := session.path_ids(wire, addpath, self.doubts)):
            addpath = set(families) ^ (set() if isinstance(addpath, bool) else addpath)
            found = [("" if family in addpath else "not ", names.AFIS[family[0]], names.SAFIS[family[1]]) for family in families]
            tags["ADDPATH"] = "guessed " + ",".join(f"{no}{afi}/{safi}" for no, afi, safi in found)
        if self.asn and (size := session.size_of_as(wire, as_size)) != as_size:
            as_size = size
            tags["AS_SIZE"] = f"guessed {size}"
        return as_size, addpath, tags
