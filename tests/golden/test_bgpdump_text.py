"""The format bgpdump against `bgpdump -m` itself, byte for byte, on every MRT file of the corpus.

Its STATE lines are left out: state changes are no messages, and events here. RIBs are compared without the order of their lines:
the routes of a peer are bundled. BGPIPE_LIMIT is how much of a file is compared, in bytes.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

import corpus
from bgpipe._bgpdump import BgpdumpEncoder
from bgpipe._codec import Buffer
from bgpipe._mrt import MrtDecoder

LIMIT = int(os.environ.get("BGPIPE_LIMIT", "3000000"))


def ours(data: bytes) -> str:
    decoder, encoder, source, out = MrtDecoder(), BgpdumpEncoder(), io.BytesIO(data), Buffer()
    while (batch := decoder.read(source)) is not None:
        assert batch.error is None
        encoder.encode(batch, out)
    return bytes(out).decode()


def theirs(path: Path) -> str:
    if shutil.which("bgpdump") is None:
        pytest.skip("bgpdump is not installed")
    done = subprocess.run(["bgpdump", "-q", "-m", str(path)], capture_output=True, check=True, timeout=120)
    return "".join(line for line in done.stdout.decode().splitlines(keepends=True) if "|STATE|" not in line)


class Different(NamedTuple):
    """How many lines are only here and only there, and why."""

    only_ours: int
    only_theirs: int
    reason: str


UNDECLARED = "path ids that no record declares: bgpdump reads them as nonsense prefixes, ours as no prefixes"
SMALL = {
    "mrtparse.bird_bgp.mrt.gz": Different(0, 24, UNDECLARED),
    "mrtparse.bird6_bgp.mrt.gz": Different(0, 32, UNDECLARED),
    "mrtparse.openbgpd_rib_table-mp.mrt.gz": Different(31, 0, "bgpdump does not read BGP4MP_ENTRY"),
    "mrtparse.openbgpd_rib_table.mrt.gz": Different(1, 1, "an AGGREGATOR of 8 bytes where AS numbers have 2: bgpdump makes up an address"),
    "updates.nlri_mask_trailing_bits.gz": Different(0, 1, "a prefix is cut short: bgpdump prints those in front of it"),
}


def without_time(line: str) -> str:
    form, _, rest = line.split("|", 2)
    return f"{form}|{rest}"


def as_legacy(line: str) -> str:
    fields = line.split("|")
    if fields[2] == "W":
        fields[5] = ""
    elif fields[0] == "BGP4MP":
        del fields[11]
    return "|".join(["BGP", *fields[1:]])


# What is left away from the lines of a file, and why.
APART = {
    "bview.20020722.2337.gz": (without_time, "bundled routes have the time of the first of them"),
    "legacy.updates.20000102.2014.gz": (
        as_legacy,
        "for type 5 bgpdump has a form without communities, and the peer's address in place of prefixes that are withdrawn",
    ),
}


@pytest.mark.parametrize("name", [name for name in corpus.names("mrt") if not name.startswith("torn")])
def test_equals_bgpdump(name: str, tmp_path: Path) -> None:
    data = corpus.start_of_mrt(corpus.read(corpus.folder() / "mrt" / name), LIMIT)
    path = tmp_path / "start.mrt"
    path.write_bytes(data)
    found, expected = ours(data), theirs(path)
    if not {name} & {*SMALL, *APART} and not found.startswith("TABLE_DUMP"):
        assert found == expected
        return
    shown, _ = APART.get(name, (str, ""))
    sides = [Counter(map(shown, side.splitlines())) for side in (found, expected)]
    only_ours, only_theirs = sides[0] - sides[1], sides[1] - sides[0]
    counts = only_ours.total(), only_theirs.total()
    assert counts == SMALL.get(name, Different(0, 0, ""))[:2], f"{list(only_ours)[:3]} {list(only_theirs)[:3]}"
