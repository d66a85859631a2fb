#!/usr/bin/env python3
"""Announces an address as long as the service behind it answers: a program as people write them for ExaBGP.

    bgpipe -- speaker --active --asn 65001 -- \\
        exec --read --format exa --wait ESTABLISHED -A ./service.py 192.0.2.53/32 nc -z 127.0.0.1 53 -- \\
        update --nexthop-self --prepend 65001 -- connect 198.51.100.1

The first argument is the prefix, the others are the command that says by its exit code whether the service is there.
"""

import os
import subprocess
import sys
import time

if len(sys.argv) < 3:
    sys.exit("usage: service.py PREFIX COMMAND [ARGUMENT...]")
prefix, check = sys.argv[1], sys.argv[2:]
every_s = float(os.environ.get("SERVICE_EVERY", "5"))
announced = False

while True:
    there = subprocess.run(check, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False).returncode == 0
    if there != announced:
        print(f"announce route {prefix} next-hop self" if there else f"withdraw route {prefix}", flush=True)
        announced = there
    time.sleep(every_s)
