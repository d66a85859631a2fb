"""Adds a community to the routes of some neighbours, by AS number.

    bgpipe -- listen :179 -- python -A tagger.py 64496=64511:100 65536=64511:200 -- connect --wait listen 192.0.2.1
"""

communities = {}


def setup(args):
    try:
        communities.update((int(asn), community) for asn, community in (word.split("=") for word in args))
    except ValueError:
        raise ValueError("usage: tagger.py AS=COMMUNITY..., such as 64496=64511:100") from None


def process(msg):
    if msg.update is not None:
        community = communities.get(msg.update.as_path.peer)
        if community is not None:
            msg.update.communities.add(community)
    return msg
