"""TPROXY: two routers in namespaces of their own, which see each other's real addresses, and not us in between."""

from __future__ import annotations

import subprocess

import pytest

from interop.between import LEFT_ASN, RIGHT_ASN, exchanged
from interop.conftest import needs
from interop.daemons import Bird, GoBgp
from interop.world import World, until

# As in docs/live.md.
RULES = """
table inet bgpipe {{
    chain divert {{
        type filter hook prerouting priority mangle; policy accept;
        tcp sport 179 socket transparent 1 meta mark set 1 accept
        tcp dport 179 socket transparent 1 meta mark set 1 accept
        {ip} saddr {left} tcp dport 179 tproxy {ip} to :1790 meta mark set 1 accept
    }}
}}
"""


def divert(world: World, left: str) -> None:
    """Have the kernel hand us what comes from the left router, and the packets of connections that there are."""
    v6 = ":" in left
    rules = world.folder / "rules"
    rules.write_text(RULES.format(ip="ip6" if v6 else "ip", left=left))
    try:
        world.run("nft", "-f", rules)
    except subprocess.CalledProcessError as error:
        text = error.stderr.strip().splitlines()[0]
        needs(False, f"nft refuses a rule with tproxy: {text}; does the kernel have CONFIG_NFT_TPROXY and CONFIG_NFT_SOCKET?")
    way = ["-6"] if v6 else []
    world.ip("-n", world.namespace, *way, "rule", "add", "fwmark", "1", "lookup", "100")
    world.ip("-n", world.namespace, *way, "route", "add", "local", "default", "dev", "lo", "table", "100")
    for name in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0"):
        world.run("sysctl", "-q", name)


@pytest.mark.apart
@pytest.mark.needs("bird", "gobgp", "nft")
@pytest.mark.parametrize(
    ("v6", "password"),
    [
        pytest.param(False, "", id="ipv4"),
        pytest.param(True, "", id="ipv6", marks=pytest.mark.long),
        pytest.param(False, "secret", id="md5", marks=pytest.mark.long),
    ],
)
def test_two_routers(world: World, v6: bool, password: str) -> None:
    left, right = Bird(world, 0, LEFT_ASN), GoBgp(world, 1, RIGHT_ASN)
    addresses = [router.address6 if v6 else router.address for router in world.routers]
    divert(world, addresses[0])
    options = ["--transparent", *(["--md5", password] if password else [])]
    bgpipe = world.bgpipe("-o", "--", "listen", *options, ":1790", "--", "connect", *options, "--wait", "listen", "0.0.0.0")
    until(lambda: "listening" in bgpipe.log(), "we listen")
    right.start(LEFT_ASN, passive=True, peer=addresses[0], password=password)
    until(lambda: right.control("neighbor"), "it runs")
    left.start(RIGHT_ASN, passive=False, peer=addresses[1], password=password)
    exchanged(left, right)

    shown = [f"[{address}]" if v6 else address for address in addresses]
    assert f"with {shown[1]}:179" in bgpipe.log()
    assert f"{shown[1]}:179 is connected, with {shown[0]}:" in bgpipe.log()
    for router, own, other in zip(world.routers, addresses, reversed(addresses), strict=True):
        (connection,) = world.run("ss", "-tnH", "state", "established", "( sport = :179 or dport = :179 )", at=router).splitlines()
        ends = [end.rpartition(":")[0].strip("[]") for end in connection.split()[2:4]]
        assert ends == [own, other]
    left.announce()
    until(lambda: right.rib == left.announces(extra=True), "announcements go through")
    assert bgpipe.stop() == 0
