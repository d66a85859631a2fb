"""WebSockets over a network that is gone time and again: BGPIPE_FAULTS times."""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from pathlib import Path

import pytest
from lines import lines, read_lines

from interop.world import World, until

CYCLES = int(os.environ.get("BGPIPE_FAULTS", "5"))  # `make faults` has a hundred

# Says what happens, and what was lost. It gives up silent connections within a second, not within a minute.
PROGRAM = """
import collections, json, sys
import bgpipe.stages.websocket, bgpipe.transport.websocket
from bgpipe import Pipeline

bgpipe.transport.websocket._QUIET_S = bgpipe.transport.websocket._ANSWER_S = 0.3
bgpipe.stages.websocket._TICK_S = 0.1
counts = collections.Counter()
pipe = Pipeline(sys.argv[1:])

@pipe.on_event()
def see(event):
    if event.name in ("connected", "disconnected", "lost", "unconfirmed"):
        counts[event.name] += getattr(event, "count", 1)
        print(json.dumps(counts), flush=True)

pipe.run_sync(signals=True)
"""


@pytest.mark.apart
@pytest.mark.parametrize("sender", ["client", "server"])
def test_link_down(sender: str, world: World, tmp_path: Path) -> None:
    """Both ends live on, so nothing stays unknown: in = out + lost, exactly."""
    program, feed, target = tmp_path / "program.py", tmp_path / "feed", tmp_path / "target.json"
    program.write_text(PROGRAM)
    os.mkfifo(feed)
    router = world.routers[0]
    words = {"client": ["--retry", f"ws://{'10.9.1.1' if sender == 'server' else router.address}:8080/"]}
    words["server"] = ["--listen", "ws://:8080/"]
    taker = "server" if sender == "client" else "client"
    ended, given = threading.Event(), 0

    def give() -> None:
        nonlocal given
        with feed.open("w") as file:
            while not ended.is_set():
                file.write(lines(20, first=given + 1))
                file.flush()
                given += 20
                time.sleep(0.005)

    giver = threading.Thread(target=give)
    giver.start()
    source = ["read", "--format", "json", str(feed)]
    sending = world.start("sends", sys.executable, program, *source, "--", "websocket", "--write", "--timeout", "300ms", *words[sender])
    taking = world.start("takes", sys.executable, program, "--", "websocket", "--read", *words[taker], "--", "write", target, at=router)

    def count(name: str) -> int:
        return max((said.get(name, 0) for said in sending.messages()), default=0)

    dice = random.Random(5)
    for cycle in range(CYCLES + 1):
        until(lambda cycle=cycle: count("connected") > cycle, "there is a connection")
        time.sleep(dice.uniform(0.0, 0.3))
        if cycle < CYCLES:
            world.ip("-n", world.namespace, "link", "set", "router1", "down")
            until(lambda cycle=cycle: count("disconnected") > cycle, "the connection is given up")
            world.ip("-n", world.namespace, "link", "set", "router1", "up")
    ended.set()
    giver.join()
    assert sending.popen.wait(30) == 0
    if sender == "client":
        taking.popen.terminate()
    assert taking.popen.wait(30) == 0
    found = [number for _, number in read_lines(target)]
    assert found == sorted(set(found))
    assert count("unconfirmed") == 0
    assert len(found) + count("lost") == given
    assert 0 < len(found) < given
    print(json.dumps({"cycles": CYCLES, "in": given, "out": len(found), "lost": count("lost")}))
