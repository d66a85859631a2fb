"""Turns routes that RPKI says are invalid (RFC 6811) into withdrawals.

    bgpipe -- listen :179 -- python -A rpki.py vrps.json -- connect --wait listen 192.0.2.1

vrps.json is what `rpki-client -j` and `routinator vrps --format json` write: {"roas":[{"prefix","maxLength","asn"}]}.
A route that is refused takes the place of one that was good before: so it is withdrawn, and not only left out.
"""

import json

from bgpipe import Prefix

vrps = {}  # (AFI, length) -> network as a number -> [(longest, AS)]


def setup(args):
    if len(args) != 1:
        raise ValueError("usage: rpki.py VRPS, a JSON file of rpki-client or routinator")
    with open(args[0]) as file:
        for roa in json.load(file)["roas"]:
            prefix = Prefix(roa["prefix"])
            table = vrps.setdefault((prefix.afi, prefix.length), {})
            asn = int(str(roa["asn"]).removeprefix("AS"))
            table.setdefault(int.from_bytes(prefix.packed), []).append((roa["maxLength"], asn))


def is_invalid(prefix, origin):
    number, width = int.from_bytes(prefix.packed), prefix.bits
    covered = False
    for length in range(prefix.length + 1):
        table = vrps.get((prefix.afi, length))
        if table is None:
            continue
        for longest, asn in table.get(number >> (width - length) << (width - length), ()):
            covered = True
            if asn == origin and asn and prefix.length <= longest:
                return False
    return covered


def process(msg):
    update = msg.update
    if update is None or not update.announced:
        return msg
    origin = update.as_path.origin
    invalid = [prefix for prefix in update.announced if is_invalid(prefix, origin)]
    if not invalid:
        return msg
    mp = update.mp_reach
    if mp is not None and (gone := [prefix for prefix in mp.prefixes if prefix in invalid]):
        before = update.mp_unreach.prefixes if update.mp_unreach is not None else []
        update.mp_unreach = {"af": mp.af, "prefixes": [*before, *gone]}
        good = [prefix for prefix in mp.prefixes if prefix not in invalid]
        if good:
            update.mp_reach.prefixes = good
        else:
            update.mp_reach = None
    update.unreach = [*update.unreach, *(prefix for prefix in update.reach if prefix in invalid)]
    update.reach = [prefix for prefix in update.reach if prefix not in invalid]
    if not update.announced:
        for name in list(update.attrs):  # they are those of no route
            if name != "MP_UNREACH":
                del update.attrs[name]
    return msg
