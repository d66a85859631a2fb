"""Takes routes out of UPDATEs: those within prefixes that are refused, and those longer than /24 or /48.

    bgpipe -- listen :179 -- python -A prefix_filter.py 10.0.0.0/8 2001:db8::/32 -- connect --wait listen 192.0.2.1
"""

from bgpipe import Prefix

LONGEST = {1: 24, 2: 48}
refused = []


def setup(args):
    refused.extend(Prefix(word) for word in args)


def is_good(prefix):
    return prefix.length <= LONGEST[prefix.afi] and not any(prefix in other for other in refused)


def process(msg):
    update = msg.update
    if update is None or not update.announced:
        return msg
    update.reach = filter(is_good, update.reach)
    mp = update.mp_reach
    if mp is not None and mp.prefixes:
        good = [prefix for prefix in mp.prefixes if is_good(prefix)]
        if good:
            mp.prefixes = good
        else:
            update.mp_reach = None
    if update.reach or update.mp_reach is not None:
        return msg
    for name in list(update.attrs):  # they are those of no route
        if name != "MP_UNREACH":
            del update.attrs[name]
    return msg if update.unreach or update.mp_unreach is not None else None
