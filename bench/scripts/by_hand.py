"""What `look` of function.py does, as a program of its own between two bgpipes: JSON lines in, JSON lines out."""

from __future__ import annotations

import json
import sys

for line in sys.stdin:
    message = json.loads(line)
    if message[3] == "UPDATE" and message[4].get("attrs", {}).get("ASPATH", {}).get("value", [])[-1:] == [64512]:
        message[5]["private"] = "yes"
        line = json.dumps(message) + "\n"
    sys.stdout.write(line)
