"""Sessions with each daemon that do not carry routes in the form that they are in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interop.daemons import DAEMONS, Bird, Daemon
from interop.test_speaker import ASN, OURS, PEER_ASN
from interop.world import US, World, announced, until

# How the speaker's OPEN is to be changed.
TWO_OCTETS = 'del capabilities["AS4"]'
PATH_IDS = 'capabilities["ADDPATH"] = ["IPV4/UNICAST/SEND", "IPV6/UNICAST/SEND"]'
EACH = [pytest.param(cls, marks=[] if cls is Bird else pytest.mark.long, id=cls.name) for cls in DAEMONS]


@pytest.mark.parametrize("cls", EACH)
@pytest.mark.parametrize("change", [TWO_OCTETS, PATH_IDS], ids=["two octets", "path ids"])
def test_another_form(world: World, tmp_path: Path, cls: type[Daemon], change: str) -> None:
    routes, script = tmp_path / "ours.json", tmp_path / "change.py"
    routes.write_text(OURS)
    script.write_text(
        "def process(msg):\n"
        "    if msg.open is not None:\n"
        "        capabilities = msg.open.capabilities\n"
        f"        {change}\n"
        "    return msg\n"
    )
    daemon = cls(world, 0, PEER_ASN)
    daemon.path_ids = change == PATH_IDS
    daemon.start(ASN, passive=True)
    speaker = ["speaker", "--active", "--asn", str(ASN), "--id", US, "--", "python", script, "--"]
    bgpipe = world.bgpipe(
        *("-o", "--", *speaker, "read", "--wait", "ESTABLISHED", routes, "--"),
        *("connect", "--retry", "--bind", US, daemon.address),
    )
    ours = {"10.99.1.0/24", "10.99.2.0/24", "2001:db8:99::/48"}
    until(lambda: daemon.routes() == ours, f"{daemon.name} has our routes")
    assert "4200000009" in daemon.details("10.99.2.0/24")
    until(lambda: announced(bgpipe.messages(), "L") >= set(daemon.own), f"we have those of {daemon.name}")
    offers = [json.dumps(message[4]) for message in bgpipe.messages() if message[0] == "L" and message[3] == "OPEN"]
    assert change != PATH_IDS or any("/RECEIVE" in offer or "/BIDIR" in offer for offer in offers), offers
    assert bgpipe.stop() == 0
    assert "PARSE" not in bgpipe.log()
