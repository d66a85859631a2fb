"""TLS: two proxies with TLS between them, and a router at each end."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop.between import LEFT_ASN, RIGHT_ASN, exchanged
from interop.daemons import Bird, OpenBgpd
from interop.world import PATIENCE_S, US, World, until

PORT = 1790


def certificate(world: World) -> tuple[Path, Path]:
    """A certificate for our address, and its key."""
    paths = world.folder / "cert.pem", world.folder / "key.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bgpipe", "-addext"]
    world.run("openssl", *words, f"subjectAltName=IP:{US}", "-out", paths[0], "-keyout", paths[1])
    return paths


@pytest.mark.needs("bird", "openbgpd", "openssl")
@pytest.mark.parametrize(
    "trusted", [pytest.param(True, id="trusted"), pytest.param(False, id="insecure", marks=pytest.mark.long)]
)
def test_between_two_proxies(world: World, trusted: bool) -> None:
    cert, key = certificate(world)
    left, right = Bird(world, 0, LEFT_ASN), OpenBgpd(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True)
    listen = ["listen", "--tls", "--cert", cert, "--key", key, f"{US}:{PORT}"]
    far = world.bgpipe("--", *listen, "--", "connect", "--wait", "listen", "--retry", "--bind", US, right.address)
    until(lambda: "listening" in far.log(), "the far proxy listens")
    options = [] if trusted else ["--insecure"]
    connect = ["connect", "--wait", "listen", "--tls", *options, f"{US}:{PORT}"]
    near = world.bgpipe("-o", "--", "listen", f"{US}:179", "--", *connect, SSL_CERT_FILE=str(cert) if trusted else "")
    until(lambda: "listening" in near.log(), "the near proxy listens")
    left.start(RIGHT_ASN, passive=False)
    exchanged(left, right)
    left.announce()
    until(lambda: right.rib == left.announces(extra=True), "announcements go through")
    left.process.stop()
    assert near.popen.wait(PATIENCE_S) == 0
    assert far.popen.wait(PATIENCE_S) == 0
    until(lambda: not right.rib, "the routes are gone")


@pytest.mark.needs("openssl")
def test_a_certificate_that_nobody_vouches_for(world: World) -> None:
    """Without --insecure there is no session."""
    cert, key = certificate(world)
    listen = ["listen", "--tls", "--cert", cert, "--key", key, f"{US}:{PORT}"]
    far = world.bgpipe("--", *listen, "--", "speaker", "--asn", str(RIGHT_ASN))
    until(lambda: "listening" in far.log(), "the far one listens")
    near = world.bgpipe("--", "speaker", "--active", "--asn", str(LEFT_ASN), "--", "connect", "--tls", f"{US}:{PORT}")
    assert near.popen.wait(PATIENCE_S) == 1
    assert "nobody known here vouches for the certificate" in near.log()
