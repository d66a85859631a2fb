"""A speaker and peers that break the rules: the NOTIFICATION of RFC 4271 section 6, octet by octet, and then the end.

Each is a whole pipeline on a connection over loopback.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass

import pytest
from live import KEEPALIVE, Live, Remote, Server, run, update

from bgpipe.bgp.causes import Cause, message
from bgpipe.errors import StageError

MARKER = b"\xff" * 16
USUAL = (1, b"\0\1\0\1"), (2, b""), (65, b"\0\0\xfd\xe9")
EXTENDED = (6, b"")
# How far a session has come. Of a passive speaker the OPEN is waited for, and none has been sent.
PHASES = ("passive", "OpenSent", "OpenConfirm", "Established")


def hello(
    *, version: int = 4, asn: int = 65001, hold: int = 90, id: bytes = b"\xc0\0\2\1", parameters: bytes = b"\0"  # noqa: A002
) -> bytes:
    """An OPEN (section 4.2). parameters: with their length in front."""
    return message(1, bytes((version,)) + asn.to_bytes(2) + hold.to_bytes(2) + id + parameters)


def capabilities(*pairs: tuple[int, bytes]) -> bytes:
    """One optional parameter with them, and the length (RFC 5492)."""
    found = b"".join(bytes((code, len(value))) + value for code, value in pairs)
    return bytes((len(found) + 2, 2, len(found))) + found


async def meet(server: Server, phase: str, *, extended: bool = False) -> tuple[Live, Remote]:
    """A speaker of AS 65055 that wants AS 65001, and its peer, as far as this phase."""
    words = ["speaker", "--asn", "65055", "--remote-asn", "65001", *(["--active"] if phase != "passive" else [])]
    live = Live("--", *words, "--", "connect", f"127.0.0.1:{server.port}")
    remote = await server.accept()
    if phase != "passive":
        assert (await remote.message())[18] == 1
    if phase in ("OpenConfirm", "Established"):
        remote.send(hello(parameters=capabilities(*USUAL, *([EXTENDED] if extended else []))))
        assert await remote.message() == KEEPALIVE
    if phase == "Established":
        remote.send(KEEPALIVE)
        await live.until("ESTABLISHED")
    return live, remote


async def refused(live: Live, remote: Remote, body: bytes, *, behind: int = 0) -> None:
    """It sends exactly this NOTIFICATION, behind so many other messages, and closes; the pipeline fails, with the reason."""
    for _ in range(behind):
        assert (await remote.message())[18] in (1, 4)
    assert (await remote.rest()).hex(" ") == message(3, body).hex(" ")
    remote.close()
    failure = await live.task
    assert isinstance(failure, StageError)
    cause = Cause.parse(body)
    assert cause is not None and cause.name in str(failure)


@dataclass(frozen=True)
class Wrong:
    """What the peer sends, and the body of the NOTIFICATION for it."""

    octets: bytes
    body: str


HEADERS = {
    "marker": Wrong(b"\0" * 19, "01 01"),
    "marker, last octet": Wrong(b"\xff" * 15 + b"\xfe" + KEEPALIVE[16:], "01 01"),
    "ASCII": Wrong(b"GET / HTTP/1.1\r\nHost: router\r\n\r\n", "01 01"),
    "TLS": Wrong(bytes.fromhex("16030100f8010000f40303") + bytes(40), "01 01"),
    "length 0": Wrong(MARKER + b"\0\0\4", "01 02 00 00"),
    "length 18": Wrong(MARKER + b"\0\x12\4", "01 02 00 12"),
    "OPEN of 28": Wrong(message(1, bytes(9)), "01 02 00 1c"),
    "UPDATE of 22": Wrong(message(2, bytes(3)), "01 02 00 16"),
    "NOTIFICATION of 20": Wrong(message(3, b"\6"), "01 02 00 14"),
    "KEEPALIVE with a body": Wrong(message(4, b"x"), "01 02 00 14"),
    "type 0": Wrong(message(0), "01 03 00"),
    "type 6": Wrong(message(6, b"x"), "01 03 06"),
    "type 255": Wrong(message(255, bytes(50)), "01 03 ff"),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", HEADERS)
def test_headers_section_6_1(phase: str, name: str) -> None:
    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, phase)
            remote.send(HEADERS[name].octets)
            await refused(live, remote, bytes.fromhex(HEADERS[name].body))

    run(test())


@pytest.mark.parametrize("phase", ["passive", "OpenSent"])
@pytest.mark.parametrize("length", [4097, 65535])
def test_a_message_that_is_too_long(phase: str, length: int) -> None:
    """Its header is enough. Behind the OPENs it may be so long, as we have offered that (RFC 8654 section 4)."""

    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, phase)
            remote.send(MARKER + length.to_bytes(2) + b"\2")
            await refused(live, remote, b"\1\2" + length.to_bytes(2))

    run(test())


OPENS = {
    "version 3": (hello(version=3), "02 01 00 04"),
    "version 5": (hello(version=5), "02 01 00 04"),
    "another AS": (hello(asn=65002), "02 02"),
    "AS 0 (RFC 7607)": (hello(asn=0), "02 02"),
    "AS 0 in the capability": (hello(parameters=capabilities((65, bytes(4)))), "02 02"),
    "another AS in the capability": (hello(parameters=capabilities((65, b"\0\1\0\1"))), "02 02"),
    "identifier 0 (RFC 6286)": (hello(id=bytes(4)), "02 03"),
    "authentication, which is no more": (hello(parameters=b"\3\1\1\0"), "02 04"),
    "unknown parameter": (hello(parameters=b"\3\x63\1\0"), "02 04"),
    "hold time 1": (hello(hold=1), "02 06"),
    "hold time 2": (hello(hold=2), "02 06"),
    "parameters shorter than they say": (hello(parameters=b"\x09\2\2\x02\0"), "02 00"),
    "parameters longer than they say": (hello(parameters=b"\0\2\2\x02\0"), "02 00"),
    "a parameter longer than all": (hello(parameters=b"\4\2\xfe\x02\0"), "02 00"),
    "a capability longer than its parameter": (hello(parameters=b"\4\2\2\x41\4"), "02 00"),
    "half a capability": (hello(parameters=b"\3\2\1\x41"), "02 00"),
    "AS4 of 3 octets": (hello(parameters=capabilities((65, bytes(3)))), "02 00"),
    "extended parameters cut short (RFC 9072)": (hello(parameters=b"\xff\xff\0\x09\2\0"), "02 00"),
}


@pytest.mark.parametrize("phase", ["passive", "OpenSent"])
@pytest.mark.parametrize("name", OPENS)
def test_opens_section_6_2(phase: str, name: str) -> None:
    octets, body = OPENS[name]
    # A passive speaker answers with its OPEN where it could read the other one: then both sides know of each other.
    parses = not body.startswith(("02 01", "02 00")) or name.startswith("AS4")

    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, phase)
            remote.send(octets)
            await refused(live, remote, bytes.fromhex(body), behind=1 if phase == "passive" and parses else 0)

    run(test())


def test_opens_that_are_odd_but_good() -> None:
    """Capabilities that nobody knows, that are there twice, empty, or do not say what they should: they are ignored."""
    odd = capabilities((200, b"x" * 100), (1, b""), (1, b"\0\1\0\1"), (1, b"\0\1\0\1"), (69, b"\0\1\1"), (64, b""), (5, b"x"), (9, b"99"))

    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, "OpenSent")
            remote.send(hello(parameters=odd))
            assert await remote.message() == KEEPALIVE
            remote.send(KEEPALIVE)
            await live.until("ESTABLISHED")
            await live.stop()
            remote.close()

    run(test())


@pytest.mark.parametrize(
    ("phase", "octets", "body"),
    [
        ("passive", KEEPALIVE, "05 01 04"),
        ("passive", update(1), "05 01 02"),
        ("OpenSent", KEEPALIVE, "05 01 04"),
        ("OpenSent", update(1), "05 01 02"),
        ("OpenSent", message(5, b"\0\1\0\1"), "05 01 05"),
        ("OpenConfirm", hello(), "05 02 01"),
        ("OpenConfirm", update(1), "05 02 02"),
        ("OpenConfirm", message(5, b"\0\1\0\1"), "05 02 05"),
        ("Established", hello(), "05 03 01"),
    ],
)
def test_unexpected_messages_rfc_6608(phase: str, octets: bytes, body: str) -> None:
    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, phase)
            remote.send(octets)
            await refused(live, remote, bytes.fromhex(body))

    run(test())


def test_two_opens_in_one_segment() -> None:
    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, "OpenSent")
            remote.send(hello() + hello())
            await refused(live, remote, bytes.fromhex("05 02 01"), behind=1)

    run(test())


GOOD = bytes.fromhex("40010100 40020602010000fde9 400304c0000201")  # ORIGIN, AS_PATH, NEXT_HOP


def attributes(*parts: str | bytes, withdrawn: bytes = b"", routes: bytes = b"\x18\xc6\x33\x64") -> bytes:
    """An UPDATE that has these attributes."""
    found = b"".join(part if isinstance(part, bytes) else bytes.fromhex(part) for part in parts)
    return message(2, len(withdrawn).to_bytes(2) + withdrawn + len(found).to_bytes(2) + found + routes)


# RFC 4271 section 6.3 as RFC 7606 has it: routes that are not known to be meant end the session, and nothing else does.
UPDATES: dict[str, tuple[bytes, str | None]] = {
    "withdrawn routes longer than all": (message(2, b"\0\x05\0\0"), "03 01"),
    "attributes longer than all": (message(2, b"\0\0\0\x05"), "03 01"),
    "a withdrawn prefix of 33 bits": (attributes(withdrawn=b"\x21\1\2\3\4\5", routes=b""), "03 0a"),
    "a prefix of 33 bits": (attributes(GOOD, routes=b"\x21\1\2\3\4\5"), "03 0a"),
    "a prefix cut short": (attributes(GOOD, routes=b"\x18\xc6\x33"), "03 0a"),
    "MP_REACH cut short": (attributes("800e020001"), "03 09 80 0e 02 00 01"),
    "MP_UNREACH cut short": (attributes("800f0100"), "03 09 80 0f 01 00"),
    "MP_REACH twice": (attributes("800e0700020100000000" * 2), "03 01"),
    "an attribute longer than all": (attributes("400105"), None),
    "an attribute twice": (attributes(GOOD, "40010100"), None),
    "flags of ORIGIN": (attributes("c0010100", GOOD[4:]), None),
    "ORIGIN 3": (attributes("40010103", GOOD[4:]), None),
    "ORIGIN of no octets": (attributes("400100", GOOD[4:]), None),
    "AS_PATH cut short": (attributes(GOOD[:4], "4002040203fde9", GOOD[13:]), None),
    "AS_PATH with segment type 9": (attributes(GOOD[:4], "40020609010000fde9", GOOD[13:]), None),
    "NEXT_HOP of 3 octets": (attributes(GOOD[:13], "400303c00002"), None),
    "NEXT_HOP 0.0.0.0": (attributes(GOOD[:13], "40030400000000"), None),
    "MED of 3 octets": (attributes(GOOD, "800403000001"), None),
    "LOCAL_PREF of 5": (attributes(GOOD, "4005050000000001"), None),
    "ATOMIC_AGGREGATE with a body": (attributes(GOOD, "40060100"), None),
    "AGGREGATOR of 7": (attributes(GOOD, "c0070700000000000000"), None),
    "COMMUNITIES of 3": (attributes(GOOD, "c00803000000"), None),
    "no ORIGIN": (attributes(GOOD[4:]), None),
    "a well-known attribute that nobody knows": (attributes(GOOD, "40630100"), None),
    "no attributes, but a prefix": (attributes(), None),
}


@pytest.mark.parametrize("name", UPDATES)
def test_updates_section_6_3(name: str) -> None:
    octets, body = UPDATES[name]

    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, "Established")
            remote.send(octets)
            if body is not None:
                await refused(live, remote, bytes.fromhex(body))
                return
            remote.send(update(1))
            await live.until("UPDATE")
            await alive(live, remote)

    run(test())


async def alive(live: Live, remote: Remote) -> None:
    """The session is still there: a Cease is what it gets at the end, and nothing before."""
    await asyncio.sleep(0.05)
    live.pipe.end()
    assert str(Cause.parse((await remote.rest())[19:])) == "CEASE/ADMIN_SHUTDOWN: bgpipe was stopped"
    remote.close()
    assert await live.task is None


@pytest.mark.parametrize(
    "octets",
    [
        message(5, b"\0\1\0\1"),
        message(5, b"\xff\xff\xff\xff"),  # of a family that was not agreed on
        message(5, b"\0\1\1\1"),  # begin and end of a refresh, though that was not offered
        message(5, b"\0\1\2\1"),
        message(5, b"\0\1\x63\1"),  # a subtype that does not exist is ignored
        message(5, b"\0\1\0\1\1\3\x80\0\0"),  # with an outbound route filter (RFC 5291)
    ],
)
def test_route_refresh(octets: bytes) -> None:
    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, "Established")
            remote.send(octets)
            await alive(live, remote)

    run(test())


def test_extended_messages_rfc_8654() -> None:
    """Where both have said so, an UPDATE may have 65535 octets, and nothing else more than 4096."""
    long = attributes(GOOD, b"\xd0\x63\xff\x00" + bytes(0xFF00))
    assert 65000 < len(long) < 65536

    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, "Established", extended=True)
            remote.send(long)
            await live.until("UPDATE")
            remote.send(message(1, bytes(5000)))
            await refused(live, remote, bytes.fromhex("01 02 13 9b"))

    run(test())


@pytest.mark.parametrize("body", [b"\6\2", b"\6\2\xff", b"\6\2\x03b\xffe", b"\0\0", b"\xff\xff" + bytes(4000), b"\6\2\x06\r\n\x1b[2J"])
@pytest.mark.parametrize("phase", PHASES)
def test_a_notification_is_never_answered(phase: str, body: bytes) -> None:
    """Section 6.4, whatever it holds."""

    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, phase)
            remote.send(message(3, body))
            assert await remote.rest() == b""
            remote.close()
            assert (await live.task is None) == (body[0] == 6)

    run(test())


@pytest.mark.parametrize("phase", PHASES)
def test_reset_at_any_time(phase: str) -> None:
    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, phase)
            remote.writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER
            remote.reset()
            failure = await live.task
            assert failure is None or "broke" in str(failure)

    run(test())


@pytest.mark.parametrize("phase", PHASES)
def test_closed_at_any_time(phase: str) -> None:
    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, phase)
            remote.send(MARKER + b"\0\x30")  # amid a header
            remote.close()
            assert await live.task is None

    run(test())


@pytest.mark.parametrize("phase", PHASES)
def test_silence_section_6_5(phase: str) -> None:
    """Four minutes for an OPEN (section 8.2.2), then the hold time that was agreed on. Octets that are no message do not count."""

    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, phase)
            agreed = phase in ("OpenConfirm", "Established")
            await live.later((90 if agreed else 240) - 1)
            if agreed:
                assert await remote.message() == KEEPALIVE
            remote.send(MARKER)
            await live.later(1.5)
            await refused(live, remote, b"\4\0")

    run(test())


def test_octet_by_octet() -> None:
    """A whole session, each octet in a segment of its own."""

    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, "OpenSent")
            for octet in hello() + KEEPALIVE + update(1) + message(5, b"\0\1\0\1") + update(2) + message(9):
                remote.send(bytes((octet,)))
                await asyncio.sleep(0.001)
            assert await remote.message() == KEEPALIVE
            assert "UPDATE" in live.names
            await refused(live, remote, b"\1\3\x09")

    run(test())


def test_garbage_without_end_and_never_reading() -> None:
    """Nobody waits for such a peer, nor keeps what it sends."""

    async def test() -> None:
        async with Server() as server:
            live, remote = await meet(server, "Established")
            remote.reader._transport.pause_reading()  # type: ignore[attr-defined]
            remote.send(b"\xff" * 16 + bytes(50_000_000))
            assert "CONNECTION_NOT_SYNCHRONIZED" in str(await live.task) or "BAD_MESSAGE_LENGTH" in str(await live.task)
            remote.reset()

    run(test())
