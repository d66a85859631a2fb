"""What is said where TLS does not come about: with two ends that are really there."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from bgpipe.errors import StageError
from bgpipe.transport import tls


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good.pem and other.pem, for 127.0.0.1 and for router.example, each with its key in good.key and other.key."""
    tool = shutil.which("openssl")
    if tool is None:
        pytest.skip("openssl makes the certificates")
    path = tmp_path_factory.mktemp("tls")
    for name, host in (("good", "IP:127.0.0.1"), ("other", "DNS:router.example")):
        words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        words += ["-subj", "/CN=test", "-addext", f"subjectAltName={host}", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run([tool, *words], check=True, capture_output=True, cwd=path)
    return path


def meet(client: ssl.SSLContext, server: ssl.SSLContext | bytes) -> tuple[OSError | None, OSError | None]:
    """What the two find wrong, each. server: or what it says instead."""
    found: list[OSError | None] = [None, None]
    near, far = socket.socketpair()

    def serve() -> None:
        try:
            if isinstance(server, bytes):
                far.recv(1)
                far.sendall(server)
            else:
                server.wrap_socket(far, server_side=True).close()
        except OSError as error:
            found[1] = error
        finally:
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(near, server_hostname="127.0.0.1") as here:
            here.recv(1)
    except OSError as error:
        found[0] = error
    near.close()
    thread.join()
    return found[0], found[1]


def contexts(folder: Path, name: str = "good", known: str | None = None) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client that trusts the certificate `known`, and a server that has this one."""
    client = ssl.create_default_context(cafile=str(folder / f"{known}.pem") if known else None)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load(server, str(folder / f"{name}.pem"), str(folder / f"{name}.key"))
    return client, server


class TestWhy:
    def test_nobody_vouches(self, folder: Path) -> None:
        error, theirs = meet(*contexts(folder))
        assert error is not None
        assert theirs is not None
        file = "the environment variable SSL_CERT_FILE names a file with those to trust"
        expected = f"nobody known here vouches for the certificate of 127.0.0.1 (self-signed certificate): {file}"
        assert tls.why(error, "127.0.0.1") == expected
        assert tls.why(error, "127.0.0.1", insecure=True) == f"{expected}, or --insecure takes any certificate"
        assert tls.why(theirs) == "the other side does not accept our certificate (unknown ca)"

    def test_another_name(self, folder: Path) -> None:
        error, theirs = meet(*contexts(folder, "other", "other"))
        assert error is not None
        assert theirs is not None
        assert tls.why(error, "127.0.0.1") == "the certificate of 127.0.0.1 is for another name: use one that it is for"
        assert tls.why(theirs).startswith("the other side does not accept our certificate (")

    @pytest.mark.parametrize(
        ("code", "text"),
        [
            (10, "the certificate of x has expired: a new one is wanted there"),
            (9, "the certificate of x is not valid yet: is the clock right?"),
            (23, "the certificate of x is not valid: certificate revoked"),
        ],
    )
    def test_other_certificates(self, code: int, text: str) -> None:
        error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
        error.verify_code, error.verify_message = code, "certificate revoked"
        assert tls.why(error, "x") == text

    def test_no_version_in_common(self, folder: Path) -> None:
        client, server = contexts(folder)
        client.minimum_version = ssl.TLSVersion.TLSv1_3
        server.maximum_version = ssl.TLSVersion.TLSv1_2
        for error in meet(client, server):
            assert error is not None
            assert tls.why(error).startswith("the two sides have no version of TLS, or no cipher, in common (")

    def test_a_certificate_of_ours_is_wanted(self, folder: Path) -> None:
        client, server = contexts(folder, "good", "good")
        server.verify_mode = ssl.CERT_REQUIRED
        error, _ = meet(client, server)
        assert error is not None
        assert tls.why(error) == "the other side wants a certificate of ours"

    @pytest.mark.parametrize("says", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 16 + b"\0\x13\4", b"220 ready\r\n"])
    def test_no_tls(self, says: bytes, folder: Path) -> None:
        error, _ = meet(contexts(folder)[0], says)
        assert error is not None
        assert tls.why(error) == "what comes from there is no TLS: does the other side speak it?"

    def test_closed(self, folder: Path) -> None:
        error, _ = meet(contexts(folder)[0], b"")
        assert error is not None
        assert tls.why(error) in ("the other side closed the connection", "connection reset by peer")
        assert tls.why(ConnectionResetError()) == "the other side closed the connection"

    def test_anything_else(self) -> None:
        assert tls.why(ssl.SSLError(1, "[SSL: ODD] odd thing (_ssl.c:1)")) == "TLS fails: odd thing"
        assert tls.why(ConnectionRefusedError(111, "Connect call failed")) == "connection refused"


class TestLoad:
    @pytest.mark.parametrize(
        ("cert", "key", "problem"),
        [
            ("none.pem", "good.key", "no such file or directory"),
            ("good.pem", "other.key", "the key is that of another certificate"),
            ("good.pem", "", "expected a certificate and its key, as PEM"),
            ("good.key", "good.pem", "expected a certificate and its key, as PEM"),
        ],
    )
    def test_what_cannot_be_used(self, cert: str, key: str, problem: str, folder: Path) -> None:
        files = [str(folder / name) if name else "" for name in (cert, key)]
        with pytest.raises(StageError) as raised:
            tls.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), *files)
        assert str(raised.value) == f"cannot use {' and '.join(filter(None, files))}: {problem}"
