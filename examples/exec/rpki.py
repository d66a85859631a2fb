#!/usr/bin/env python3
"""Turns routes that RPKI says are invalid (RFC 6811) into withdrawals.

    bgpipe -- listen :179 -- exec -A ./rpki.py vrps.json -- connect --wait listen 192.0.2.1

vrps.json is what `rpki-client -j` and `routinator vrps --format json` write: {"roas":[{"prefix","maxLength","asn"}]}.
A route that is refused takes the place of one that was good before: so it is withdrawn, and not only left out.
"""

import json
import sys
from ipaddress import ip_network

vrps = {}  # (version, length) -> network as a number -> [(longest, AS)]


def load(path):
    with open(path) as file:
        for roa in json.load(file)["roas"]:
            prefix = ip_network(roa["prefix"])
            table = vrps.setdefault((prefix.version, prefix.prefixlen), {})
            asn = int(str(roa["asn"]).removeprefix("AS"))
            table.setdefault(int(prefix.network_address), []).append((roa["maxLength"], asn))


if len(sys.argv) != 2:
    sys.exit("usage: rpki.py VRPS, a JSON file of rpki-client or routinator")
try:
    load(sys.argv[1])
except OSError as error:
    sys.exit(f"rpki.py: {error}")
except (KeyError, TypeError, ValueError) as error:
    sys.exit(f"rpki.py: {sys.argv[1]} is no JSON file of rpki-client or routinator: {error!r}")


def is_invalid(text, origin):
    prefix = ip_network(text.rpartition("#")[2])  # "#42#192.0.2.0/24" has a path id
    number, width = int(prefix.network_address), prefix.max_prefixlen
    covered = False
    for length in range(prefix.prefixlen + 1):
        table = vrps.get((prefix.version, length))
        if table is None:
            continue
        for longest, asn in table.get(number >> (width - length) << (width - length), ()):
            covered = True
            if asn == origin and asn and prefix.prefixlen <= longest:
                return False
    return covered


def origin_of(path):
    last = path[-1] if path else None
    if isinstance(last, list) and len(last) == 1:  # an AS_SET of one
        last = last[0]
    return last if isinstance(last, int) else None


def check(update):
    attrs = update["attrs"]
    path = attrs.get("ASPATH", {}).get("value")
    origin = origin_of(path) if isinstance(path, list) else None
    reach = update.pop("reach", [])
    invalid = [prefix for prefix in reach if is_invalid(prefix, origin)]
    if invalid:
        update["unreach"] = update.get("unreach", []) + invalid
        reach = [prefix for prefix in reach if prefix not in invalid]
    if reach:
        update["reach"] = reach
    mp = attrs.get("MP_REACH", {}).get("value")
    if isinstance(mp, dict) and "prefixes" in mp:
        invalid = [prefix for prefix in mp["prefixes"] if is_invalid(prefix, origin)]
        mp["prefixes"] = [prefix for prefix in mp["prefixes"] if prefix not in invalid]
        if invalid:
            gone = attrs.setdefault("MP_UNREACH", {"flags": "O", "value": {"af": mp["af"], "prefixes": []}})
            gone["value"]["prefixes"] += invalid
        if not mp["prefixes"]:
            del attrs["MP_REACH"]
    if not reach and "MP_REACH" not in attrs:  # the other attributes are those of no route
        update["attrs"] = {name: attrs[name] for name in attrs if name == "MP_UNREACH"}


for line in sys.stdin:
    message = json.loads(line)
    update = message[4]
    if message[3] == "UPDATE" and isinstance(update, dict) and ("reach" in update or "MP_REACH" in line):
        check(update)
        line = json.dumps(message, separators=(",", ":")) + "\n"
    sys.stdout.write(line)
    sys.stdout.flush()
