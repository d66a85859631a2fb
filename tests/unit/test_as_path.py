"""The path that AS_PATH and AS4_PATH are together: all that look at it agree, and with RFC 6793 section 4.2.3."""

from __future__ import annotations

import random
import struct
from io import BytesIO

from bgpipe._bgpdump import BgpdumpEncoder
from bgpipe._codec import Buffer, RawDecoder
from bgpipe._translate import PeerEncoder
from bgpipe.filters import Filter

SET, SEQUENCE, CONFED_SEQUENCE, CONFED_SET = 1, 2, 3, 4
TRANS = 23456
AS2 = 1  # a session context

Path = list[tuple[int, list[int]]]


def hops(path: Path) -> int:
    return sum(len(members) if kind == SEQUENCE else kind == SET for kind, members in path)


def merged(path: Path, as4: Path | None, aggregator: int | None, as4_aggregator: bool) -> Path:
    """By hops that stand one by one. Those of a sequence that belong together are put together again at the end."""
    if as4 is None or not hops(as4) or hops(as4) > hops(path) or (aggregator not in (None, TRANS) and as4_aggregator):
        return path
    lead, found = hops(path) - hops(as4), []
    for kind, members in path:
        if kind in (SET, SEQUENCE):
            if not lead:
                break
            taken = members[:lead] if kind == SEQUENCE else members
            lead -= len(taken) if kind == SEQUENCE else 1
            found.append((kind, taken))
            if len(taken) < len(members):
                break
        else:
            found.append((kind, members))
    return found + [(kind, members) for kind, members in as4 if kind in (SET, SEQUENCE)]


def octets(path: Path, size: int) -> bytes:
    form = "H" if size == 2 else "I"
    return b"".join(struct.pack(f">BB{len(members)}{form}", kind, len(members), *members) for kind, members in path)


def attribute(code: int, value: bytes, flags: int = 0xC0) -> bytes:
    return bytes((flags, code, len(value))) + value


def as_bgpdump(path: Path) -> str:
    marks = {SET: ("{", ",", "}"), SEQUENCE: ("", " ", ""), CONFED_SEQUENCE: ("(", " ", ")"), CONFED_SET: ("[", ",", "]")}
    return " ".join(marks[kind][0] + marks[kind][1].join(map(str, members)) + marks[kind][2] for kind, members in path)


def test_all_agree() -> None:
    dice = random.Random(6793)

    def make(kinds: list[int], most: int) -> Path:
        return [(dice.choice(kinds), [dice.randint(1, most) for _ in range(dice.randint(1, 3))]) for _ in range(dice.randint(0, 4))]

    joined = 0
    for _ in range(3000):
        path, as4 = make([SET, SEQUENCE, SEQUENCE, CONFED_SEQUENCE, CONFED_SET], 0xFFFF), make([SET, SEQUENCE, SEQUENCE, CONFED_SEQUENCE], 0xFFFFFFFF)
        aggregator = dice.choice([None, None, TRANS, 65001])
        whole = merged(path, as4 or None, aggregator, as4_aggregator := dice.random() < 0.5)
        joined += whole != path
        attrs = attribute(1, b"\0", 0x40) + attribute(2, octets(path, 2), 0x40) + attribute(3, bytes((192, 0, 2, 1)), 0x40)
        attrs += attribute(7, struct.pack(">HI", aggregator, 1)) if aggregator is not None else b""
        attrs += attribute(17, octets(as4, 4)) if as4 else b""
        attrs += attribute(18, struct.pack(">II", 70000, 1)) if as4_aggregator else b""
        body = bytes(2) + struct.pack(">H", len(attrs)) + attrs + b"\x08\x0a"
        wire = b"\xff" * 16 + struct.pack(">HB", 19 + len(body), 2) + body
        batch = RawDecoder(context=AS2).read(BytesIO(wire))
        assert batch is not None
        (msg,) = batch
        assert msg.error is None
        plain = [(kind, tuple(members)) for kind, members in whole]
        names = {"AS_SET": SET, "AS_SEQUENCE": SEQUENCE, "AS_CONFED_SEQUENCE": CONFED_SEQUENCE, "AS_CONFED_SET": CONFED_SET}
        assert [(names[name], members) for name, members in msg.update.full_as_path.segments] == plain
        assert Filter(f"aspath_len == {hops(whole)}").match(msg)
        text, wide = Buffer(), Buffer()
        BgpdumpEncoder().encode(batch, text)
        assert bytes(text).decode().split("|")[6] == as_bgpdump(whole)
        PeerEncoder(0).encode(batch, wide)
        there = RawDecoder().read(BytesIO(bytes(wide)))
        assert there is not None
        assert [(names[name], members) for name, members in next(iter(there)).update.as_path.segments] == plain
    assert joined > 300
