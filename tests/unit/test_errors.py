"""How errors of the system are told."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from bgpipe.errors import reason


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "connection reset by peer"),
        (OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"), "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "name or service not known"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "wrong version number"),
        (TimeoutError(), "TimeoutError"),
        (OSError("IP is missing"), "IP is missing"),
    ],
)
def test_reason(error: Exception, text: str) -> None:
    assert reason(error) == text
