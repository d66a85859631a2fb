#!/usr/bin/env python3
"""Takes routes out of UPDATEs: those within prefixes that are refused, and those longer than /24 or /48.

    bgpipe -- listen :179 -- exec -A ./prefix_filter.py 10.0.0.0/8 2001:db8::/32 -- connect --wait listen 192.0.2.1
"""

import json
import sys
from ipaddress import ip_network

LONGEST = {4: 24, 6: 48}
try:
    refused = [ip_network(word) for word in sys.argv[1:]]
except ValueError as error:
    sys.exit(f"{error}; usage: prefix_filter.py [PREFIX...]")


def is_good(text):
    prefix = ip_network(text.rpartition("#")[2])  # "#42#192.0.2.0/24" has a path id
    if prefix.prefixlen > LONGEST[prefix.version]:
        return False
    return not any(other.version == prefix.version and prefix.subnet_of(other) for other in refused)


def check(update):
    """Returns whether anything is left of it."""
    attrs = update.get("attrs", {})
    if "reach" in update:
        update["reach"] = [prefix for prefix in update["reach"] if is_good(prefix)]
    mp = attrs.get("MP_REACH", {}).get("value")
    if isinstance(mp, dict) and "prefixes" in mp:
        mp["prefixes"] = [prefix for prefix in mp["prefixes"] if is_good(prefix)]
        if not mp["prefixes"]:
            del attrs["MP_REACH"]
    announces = bool(update.get("reach")) or "MP_REACH" in attrs
    withdraws = "unreach" in update or "MP_UNREACH" in attrs
    if not announces:  # the other attributes are those of no route
        update["attrs"] = {name: attrs[name] for name in attrs if name == "MP_UNREACH"}
    return announces or withdraws


for line in sys.stdin:
    message = json.loads(line)
    update = message[4]
    if message[3] == "UPDATE" and isinstance(update, dict) and ("reach" in update or "MP_REACH" in line):
        if not check(update):
            continue
        line = json.dumps(message, separators=(",", ":")) + "\n"
    sys.stdout.write(line)
    sys.stdout.flush()
