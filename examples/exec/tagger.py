#!/usr/bin/env python3
"""Adds a community to the routes of some neighbours, by AS number.

    bgpipe -- listen :179 -- exec -A ./tagger.py 64496=64511:100 65536=64511:200 -- connect --wait listen 192.0.2.1
"""

import json
import sys

try:
    communities = {int(asn): community for asn, community in (word.split("=") for word in sys.argv[1:])}
except ValueError:
    sys.exit("usage: tagger.py AS=COMMUNITY..., such as 64496=64511:100")


def neighbour_of(path):
    first = path[0] if path else None
    if isinstance(first, list) and len(first) == 1:  # an AS_SET of one
        first = first[0]
    return first if isinstance(first, int) else None


for line in sys.stdin:
    message = json.loads(line)
    update = message[4]
    if message[3] == "UPDATE" and isinstance(update, dict) and "ASPATH" in update.get("attrs", {}):
        path = update["attrs"]["ASPATH"]["value"]
        community = communities.get(neighbour_of(path)) if isinstance(path, list) else None
        if community is not None:
            there = update["attrs"].setdefault("COMMUNITY", {"flags": "OT", "value": []})["value"]
            if isinstance(there, list) and community not in there:
                there.append(community)
                line = json.dumps(message, separators=(",", ":")) + "\n"
    sys.stdout.write(line)
    sys.stdout.flush()
