"""What ExaBGP 4.2 sends for commands: lines on standard input, and for each a line of hex, messages apart by spaces, or "-".

For the Python that ExaBGP is installed for, as a library; test_exabgp.py starts it.
"""

import sys

from exabgp.configuration.setup import environment

environment.setup("")

from exabgp.bgp.message import OUT, Open, Update  # noqa: E402
from exabgp.bgp.message.open import ASN, HoldTime, RouterID, Version  # noqa: E402
from exabgp.bgp.message.open.capability import Capabilities, Capability, Negotiated  # noqa: E402
from exabgp.bgp.message.update.attribute import NextHop  # noqa: E402
from exabgp.bgp.message.update.nlri import NLRI  # noqa: E402
from exabgp.bgp.neighbor import Neighbor  # noqa: E402
from exabgp.protocol.ip import IPv4, NoNextHop  # noqa: E402
from exabgp.reactor.api import API  # noqa: E402


def negotiated(with_ids):
    """A session within an AS, of all families, with path ids (RFC 7911) or without."""
    neighbor = Neighbor()
    neighbor.router_id = RouterID("192.0.2.1")
    neighbor.local_address = IPv4.create("192.0.2.1")
    neighbor.peer_address = IPv4.create("192.0.2.2")
    neighbor.local_as = neighbor.peer_as = ASN(65000)
    neighbor.hold_time = HoldTime(180)
    neighbor.asn4 = neighbor.extended_message = neighbor.nexthop = True
    neighbor.multisession = False
    for family in NLRI.known_families():
        neighbor.add_family(family)
    capabilities = Capabilities().new(neighbor, False)
    if with_ids:
        capabilities[Capability.CODE.ADD_PATH] = dict.fromkeys(NLRI.known_families(), 3)
    session = Negotiated(neighbor)
    session.sent(Open(Version(4), ASN(65000), HoldTime(180), RouterID("192.0.2.1"), capabilities))
    session.received(Open(Version(4), ASN(65000), HoldTime(180), RouterID("192.0.2.2"), capabilities))
    return session


def main():
    sessions = {with_ids: negotiated(with_ids) for with_ids in (False, True)}
    api = API(None)
    parsers = {"route": api.api_route, "flow": api.api_flow, "attributes": lambda command: api.api_attributes(command, [])}
    for line in sys.stdin:
        verb, kind = line.split()[:2]
        sent = []
        for change in parsers[kind](line.strip()):
            change.nlri.action = OUT.ANNOUNCE if verb == "announce" else OUT.WITHDRAW
            if verb == "withdraw" and change.nlri.nexthop is NoNextHop:
                change.nlri.nexthop = NextHop("0.0.0.0")
            update = Update([change.nlri], change.attributes)
            sent += [message.hex() for message in update.messages(sessions["path-information" in line])]
        print(" ".join(sent) or "-", flush=True)


main()
