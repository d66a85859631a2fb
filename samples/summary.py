"""Reads messages as JSON lines, shows the first few and counts them all:

    bgpipe read samples/session.mrt | python samples/summary.py
"""

from __future__ import annotations

import json
import sys
from collections import Counter

FIRST = 3


def main() -> None:
    types: Counter[str] = Counter()
    routes: Counter[str] = Counter()
    peers: Counter[str] = Counter()
    first, last = "", ""
    for number, line in enumerate(sys.stdin):
        if number < FIRST:
            print(line, end="")
        _, _, time, kind, data, tags = json.loads(line)
        first, last = first or time, time
        types[str(kind)] += 1
        peers[f"AS{tags.get('PEER_AS', '?')} {tags.get('PEER_IP', '?')}"] += 1
        if kind == "UPDATE" and isinstance(data, dict):
            attributes = data.get("attrs", {})
            for what, attribute in (("reach", "MP_REACH"), ("unreach", "MP_UNREACH")):
                value = attributes.get(attribute, {}).get("value", {})
                routes[what] += len(data.get(what, [])) + len(value.get("prefixes", []))
    print(f"\n{sum(types.values())} messages from {first} to {last}")
    print("by type: " + ", ".join(f"{count} {kind}" for kind, count in types.most_common()))
    print(f"routes: {routes['reach']} announced, {routes['unreach']} withdrawn")
    for peer, count in sorted(peers.items()):
        print(f"  {count:6} from {peer}")


if __name__ == "__main__":
    main()
