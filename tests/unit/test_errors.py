"""How errors of the system are told."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from bgpipe._attributes import parse_family
from bgpipe.errors import FieldError, hint, reason


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


@pytest.mark.parametrize(
    ("word", "expected"),
    [("as_path", "; did you mean ASPATH?"), ("XYZ", ""), ("ASPATH" * 10, "")],
)
def test_hint(word: str, expected: str) -> None:
    assert hint(word, {"ASPATH": 2, "NEXTHOP": 3}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("L2VPN/EVPN", "; did you mean L2VPN/EVPNS?"), ("IP4/MPLS_VPN", "; did you mean IPV4/MPLS_VPN?"), ("EVPN", ""), ("x/y", "")],
)
def test_hint_of_a_family(text: str, expected: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse_family(text)
    assert str(caught.value) == f'"{text}", expected an address family such as "IPV6/UNICAST"{expected}'
