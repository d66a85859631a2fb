"""websocket.py [--rounds N] COMMAND: messages from a client to a server over loopback, a process each.

The client reads MRT and sends; the server takes, and ends when it has got all: `head` counts. What is timed goes from
the connection to the end of both, so that starting Python is left out.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

PATIENCE_S = 120

DATA = Path(__file__).parent / "data"
# Options of both sides, messages, and the project's target for its development machine, in messages a second.
CASES = {
    "JSON, several a frame": (["--batch"], 2_000_000, 500_000),
    "JSON, one a frame": ([], 500_000, 100_000),
    "MRT, several a frame": (["--format", "mrt", "--batch"], 2_000_000, 0),
    "MRT, one a frame": (["--format", "mrt"], 500_000, 0),
    "JSON, several a frame, compressed": (["--batch", "--compress"], 500_000, 0),
}


def once(bgpipe: str, options: list[str], count: int) -> float:
    """Seconds for so many messages."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        url = f"ws://127.0.0.1:{sock.getsockname()[1]}/"
    number = ["head", "-n", str(count)]
    taking = [bgpipe, "--", "websocket", "--read", "--listen", *options, url, "--", *number]
    sending = [bgpipe, "--", "read", str(DATA / "updates.mrt"), "--", *number, "--", "websocket", "--write"]
    sending += [*options, url]
    server = subprocess.Popen(taking, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    while "listening" not in (said := server.stderr.readline()):
        if not said:
            sys.exit("the server did not begin")
    client = subprocess.Popen(sending, stderr=subprocess.DEVNULL)
    while "is connected" not in server.stderr.readline():
        pass
    began_s = time.monotonic()
    if server.wait(PATIENCE_S) or client.wait(PATIENCE_S):
        sys.exit("it failed")
    return time.monotonic() - began_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("bgpipe")
    args = parser.parse_args()
    rates: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(args.rounds):
        for name, (options, count, _) in CASES.items():
            rates[name].append(count / once(args.bgpipe, options, count))
    print(f"{'websocket, client to server':<36} {'messages/s':>12} {'least':>12} {'most':>12}  target")
    for name, (_, _, target) in CASES.items():
        found = rates[name]
        figures = " ".join(f"{value:12,.0f}" for value in (statistics.median(found), min(found), max(found)))
        print(f"{name:<36} {figures}" + (f"  {target:,}" if target else ""))


main()
