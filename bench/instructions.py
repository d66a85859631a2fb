"""instructions.py [KERNEL...]: instructions that each kernel takes per message, counted by valgrind's callgrind.

Unlike times they hardly change from run to run, nor with what else the machine does. A kernel runs over all
messages once and over the same twice; the difference is without what is done once, the start of the interpreter
above all.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
DATA = HERE / "data"

FILTERS = {
    "match-type": "open",
    "match-prefix": "prefix ~ 192.0.0.0/10",
    "match-origin": "as_origin == 15169",
    "match-regex": "aspath ~ ,15169$",
    "match-file": "prefix in file(prefixes.txt)",
}

# name: (what it does, input of N, input of 2N, kernel whose instructions are in it too)
KERNELS = {
    "framing": ("MRT records to messages", "pass.mrt", "passtwice.mrt", ""),
    "check": ("checking messages to the last octet", "pass.mrt", "passtwice.mrt", "framing"),
    "json": ("messages to JSON, checks included", "pass.mrt", "passtwice.mrt", "framing"),
    "mrt": ("messages to MRT", "pass.mrt", "passtwice.mrt", "framing"),
    "bgpdump": ("messages to lines of bgpdump -m, three each", "pass.mrt", "passtwice.mrt", "framing"),
    "bmp": ("BMP messages to messages", "pass.bmp", "passtwice.bmp", ""),
    "bmp-json": ("the same to JSON", "pass.bmp", "passtwice.bmp", ""),
    "json-decode": ("JSON to messages", "pass.json", "passtwice.json", ""),
    "match-type": (f"grep {FILTERS['match-type']}", "pass.mrt", "passtwice.mrt", "framing"),
    "match-prefix": (f"grep {FILTERS['match-prefix']}", "pass.mrt", "passtwice.mrt", "framing"),
    "match-origin": (f"grep {FILTERS['match-origin']}", "pass.mrt", "passtwice.mrt", "framing"),
    "match-regex": (f"grep {FILTERS['match-regex']}, remembered", "pass.mrt", "passtwice.mrt", "framing"),
    "match-file": (f"grep {FILTERS['match-file']}", "pass.mrt", "passtwice.mrt", "framing"),
    "edit": ("update --add-com, checks included", "pass.mrt", "passtwice.mrt", "framing"),
    "peer": ("messages to a peer that takes them as they are", "pass.mrt", "passtwice.mrt", "framing"),
    "translate": ("to one of two-octet AS numbers (59% have four)", "pass.mrt", "passtwice.mrt", "framing"),
    "limit": ("limit -46 --session, routes that it knows", "pass.mrt", "passtwice.mrt", "check"),
    "rib": ("TABLE_DUMP_V2 to messages, per route", "ribpass.mrt", "ribtwice.mrt", ""),
    "rib-json": ("TABLE_DUMP_V2 to JSON, per route", "ribpass.mrt", "ribtwice.mrt", ""),
}


def work(kernel: str, path: Path) -> None:
    """What valgrind runs."""
    from bgpipe._codec import Buffer, Decoder, Encoder

    decoder: Decoder
    encoder: Encoder | None = None
    program = editor = limiter = None
    if kernel in FILTERS:
        from bgpipe.filters import Filter

        os.chdir(DATA)
        program = Filter(FILTERS[kernel]).program
    elif kernel == "edit":
        from bgpipe._edit import Editor

        editor = Editor(add={8: b"\xfd\xe8\0\1"})
    elif kernel == "limit":
        from bgpipe._table import Limiter, RouteTable

        limiter = Limiter(RouteTable(), session=100_000_000)
    if path.suffix == ".json":
        from bgpipe._json_reader import JsonDecoder

        decoder = JsonDecoder()
    elif path.suffix == ".bmp":
        from bgpipe._bmp import BmpDecoder

        decoder = BmpDecoder(guess_addpath=True)
    else:
        from bgpipe._mrt import MrtDecoder

        decoder = MrtDecoder(guess_addpath=True)
    if kernel in ("json", "rib-json", "bmp-json"):
        from bgpipe._json import JsonEncoder

        encoder = JsonEncoder()
    elif kernel == "bgpdump":
        from bgpipe._bgpdump import BgpdumpEncoder

        encoder = BgpdumpEncoder()
    elif kernel == "mrt":
        from bgpipe._mrt import MrtEncoder

        encoder = MrtEncoder()
    elif kernel in ("peer", "translate"):
        from bgpipe._translate import PeerEncoder

        encoder = PeerEncoder(1 if kernel == "translate" else None)
    out = Buffer()
    with open(path, "rb", buffering=0) as source:
        while (batch := decoder.read(source)) is not None:
            if program is not None:
                program.keep(batch, 3)
            elif editor is not None:
                editor.edit(batch, 3)
            elif kernel in ("check", "limit"):
                batch.check()
            if limiter is not None:
                limiter.run(batch)
            if encoder is not None:
                encoder.encode(batch, out)
                out.clear()


def instructions(kernel: str, path: Path) -> int:
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={DATA / 'callgrind.out'}"]
    command += [sys.executable, __file__, "--work", kernel, str(path)]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or found is None:
        sys.exit(done.stderr)
    return int(found[1])


def main() -> None:
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], Path(sys.argv[3]))
        return
    counts = json.loads((DATA / "counts.json").read_text())
    total: dict[str, float] = {}
    print(f"{'kernel':12} {'instructions':>12}  per message")
    for kernel, (what, once, twice, under) in KERNELS.items():
        if sys.argv[1:] and kernel not in sys.argv[1:]:
            continue
        units = counts[twice] - counts[once]
        total[kernel] = (instructions(kernel, DATA / twice) - instructions(kernel, DATA / once)) / units
        if under and under not in total:
            _, once, twice, _ = KERNELS[under]
            total[under] = (instructions(under, DATA / twice) - instructions(under, DATA / once)) / units
        print(f"{kernel:12} {total[kernel] - total.get(under, 0):12.0f}  {what}", flush=True)


if __name__ == "__main__":
    main()
