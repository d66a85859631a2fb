"""ExaBGP's own messages, commands and JSON (shared/data/exabgp) against what is made of them here."""

from __future__ import annotations

from typing import NamedTuple

import corpus
from bgpipe.errors import ExaError
from bgpipe.formats.exa import parse_line


class Pair(NamedTuple):
    """A message and what ExaBGP 6.0.0 says of it."""

    source: str
    wire: bytes
    kind: str
    json: str
    command: str


def pairs() -> list[Pair]:
    rows = (corpus.folder() / "exabgp" / "pairs.tsv").read_text().splitlines()[1:]
    found = [row.split("\t") for row in rows]
    return [Pair(source, bytes.fromhex(octets), kind, json, cmd) for source, octets, kind, json, cmd in found]


# ---- commands --------------------------------------------------------------------------------------------------------

LOCAL_PREFERENCE_100 = bytes.fromhex("40050400000064")

# Commands that give other octets, by a part of them.
OTHER = {
    "next-hop self": "our address on the session is not known to a file: 0.0.0.0, which `update --nexthop-self` replaces",
}
# Commands that are no messages here, by a part of them.
REFUSED = {
    " flow ": "flow routes are not built yet",
    " mup ": "mobile user plane is not built yet",
    " mcast-vpn ": "multicast VPN is not built yet",
    " vpls ": "VPLS is not built yet",
    " rd ": "VPN routes are not built yet",
    "bgp-prefix-sid": "prefix SIDs are not built yet",
}


def reason(command: str, known: dict[str, str]) -> str | None:
    return next((text for part, text in known.items() if part in command), None)


def test_commands_give_the_same_octets() -> None:
    same, other, refused = [], [], []
    for pair in pairs():
        command = pair.command
        if not command:
            continue
        # What ExaBGP adds in sessions within an AS; its commands of flow routes do not say it.
        if LOCAL_PREFERENCE_100 in pair.wire and "local-preference" not in command and not command.startswith("withdraw"):
            command += " local-preference 100"
        try:
            found = [wire for wire, _, _ in parse_line(command.encode())]
        except ExaError as error:
            assert reason(command, REFUSED), f"{command}: {error}"
            refused.append(command)
            continue
        if found == [pair.wire]:
            same.append(command)
        else:
            assert reason(command, OTHER), f"{command}: {pair.wire.hex()} {[wire.hex() for wire in found]}"
            other.append(command)
    assert (len(same), len(other), len(refused)) == (102, 1, 69)
    for known, commands in ((OTHER, other), (REFUSED, refused)):
        unused = [part for part in known if not any(reason(command, {part: ""}) is not None for command in commands)]
        assert not unused, "these reasons are no longer needed"
