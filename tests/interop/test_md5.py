"""TCP-MD5 (RFC 2385): with each daemon, on one side of the proxy, on both, and with keys that do not fit."""

from __future__ import annotations

import pytest

from interop.between import LEFT_ASN, RIGHT_ASN, exchanged, proxy
from interop.daemons import DAEMONS, Bird, Daemon, GoBgp
from interop.routes import standing
from interop.test_speaker import ASN, EXPECTED, PEER_ASN, WAYS, speak
from interop.world import PATIENCE_S, US, World, until


@pytest.mark.parametrize(("us", "active"), WAYS)
@pytest.mark.parametrize("cls", [pytest.param(cls, marks=[] if cls is Bird else pytest.mark.long, id=cls.name) for cls in DAEMONS])
def test_speaker(world: World, cls: type[Daemon], active: bool, us: str) -> None:
    if active and not cls.accepts_md5:
        pytest.skip(f"on Linux, {cls.name} has no key for connections that it accepts")
    daemon = cls(world, 0, PEER_ASN)
    bgpipe = speak(world, daemon, active=active, options=("--md5", "secret"), peer=us, password="secret")
    until(lambda: daemon.rib == EXPECTED, f"{daemon.name} has our routes")
    until(lambda: standing(bgpipe.messages(), "L" if active else "R") == daemon.announces(), "we have its routes")
    assert bgpipe.stop() == 0


@pytest.mark.needs("bird", "gobgp")
@pytest.mark.parametrize(
    ("left_key", "right_key"),
    [
        pytest.param("", "secret", id="right"),
        pytest.param("secret", "", id="left", marks=pytest.mark.long),
        pytest.param("one", "another", id="both", marks=pytest.mark.long),
    ],
)
def test_proxy(world: World, left_key: str, right_key: str) -> None:
    """Each side has a key of its own, or none."""
    left, right = Bird(world, 0, LEFT_ASN), GoBgp(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True, password=right_key)
    listen, connect = (("--md5", key) if key else () for key in (left_key, right_key))
    bgpipe = proxy(world, right, listen=listen, connect=connect)
    left.start(RIGHT_ASN, passive=False, password=left_key)
    exchanged(left, right)
    assert bgpipe.stop() == 0


@pytest.mark.needs("gobgp")
@pytest.mark.long
@pytest.mark.parametrize("key", ["another", ""], ids=["another", "none"])
def test_a_daemon_with_another_key(world: World, key: str) -> None:
    """No connection is made, and the log says what the kernel has dropped, and where to look."""
    right = GoBgp(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True, password="secret")
    until(lambda: right.control("neighbor"), "it runs")
    options = ["--md5", key] if key else []
    connect = ["connect", *options, "--timeout", "3s", "--bind", US, right.address]
    bgpipe = world.bgpipe("--", "speaker", "--active", "--asn", str(ASN), "--", *connect)
    assert bgpipe.popen.wait(PATIENCE_S) == 1
    assert f"cannot connect: {right.address}:179: no answer within 3 s" in bgpipe.log()
    if key:
        assert "signed with another key (nstat -az 'TcpExtTCPMD5*')" in bgpipe.log()


@pytest.mark.needs("bird")
@pytest.mark.parametrize(
    ("key", "dropped"),
    [
        pytest.param("another", "signed with another key", id="another"),
        pytest.param("", "not signed", id="none", marks=pytest.mark.long),
    ],
)
def test_a_daemon_that_connects_with_another_key(world: World, key: str, dropped: str) -> None:
    """Nobody hears of it but the kernel, and so listen asks that."""
    bgpipe = world.bgpipe("--", "listen", "--md5", "secret", f"{US}:179", "--", "speaker", "--asn", str(ASN))
    until(lambda: "listening" in bgpipe.log(), "we listen")
    Bird(world, 0, PEER_ASN).start(ASN, passive=False, password=key)
    until(lambda: "nobody has connected yet; TCP-MD5: the kernel has dropped" in bgpipe.log(), "a warning")
    assert f"{dropped} (nstat -az 'TcpExtTCPMD5*')" in bgpipe.log()
    assert "is connected" not in bgpipe.log()
