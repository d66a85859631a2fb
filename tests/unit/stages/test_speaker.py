"""speaker: sessions with a peer that plays a part."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from live import KEEPALIVE, Live, Remote, Server, free_port, open_message, run, update

from bgpipe.bgp.causes import Cause, message
from bgpipe.bgp.negotiation import Offer
from bgpipe.bgp.session import CAPABILITIES


async def accept(server: Server, *options: str) -> tuple[Live, Remote]:
    live = Live("--", "speaker", *options, "--", "connect", f"127.0.0.1:{server.port}")
    return live, await server.accept()


def test_two_of_us() -> None:
    async def test() -> None:
        place = f"127.0.0.1:{free_port()}"
        passive = Live("-o", "--", "listen", place, "--", "speaker", "--asn", "65001")
        await asyncio.sleep(0.05)
        active = Live("--", "speaker", "--active", "--asn", "65055", "--", place)
        await asyncio.gather(passive.until("ESTABLISHED"), active.until("ESTABLISHED"))
        assert sorted(name for name in active.names if "/" not in name) == ["ALIVE", "ALIVE", "ESTABLISHED", "OPEN", "OPEN", "START"]
        assert await active.stop() is None
        assert await passive.task is None

    run(test())


def test_active() -> None:
    async def test() -> None:
        async with Server() as server:
            live, remote = await accept(server, "--active", "--asn", "65055", "--id", "192.0.2.1", "--hold", "30")
            offer = Offer.parse((await remote.message())[19:])
            assert isinstance(offer, Offer)
            assert (offer.asn, offer.hold_time, offer.id) == (65055, 30, 0xC0000201)
            assert [code for code, _ in offer.capabilities] == [code for code, _ in CAPABILITIES]
            remote.send(open_message(65001))
            assert await remote.message() == KEEPALIVE
            remote.send(KEEPALIVE)
            await live.until("ESTABLISHED")
            live.pipe.end()
            assert str(Cause.parse((await remote.rest())[19:])) == "CEASE/ADMIN_SHUTDOWN: bgpipe was stopped"
            remote.close()
            assert await live.task is None

    run(test())


def test_passive() -> None:
    async def test() -> None:
        async with Server() as server:
            live, remote = await accept(server)
            remote.send(open_message(65001, 9))
            offer = Offer.parse((await remote.message())[19:])
            assert isinstance(offer, Offer)
            assert (offer.asn, offer.id) == (65001, 8)
            assert await remote.message() == KEEPALIVE
            remote.send(KEEPALIVE, update(1), message(5, b"\0\1\0\1"))
            await live.until("UPDATE")
            remote.close()
            assert await live.task is None
            assert "speaker/STOP" in live.names

    run(test())


@pytest.mark.parametrize(
    ("octets", "cause"),
    [
        (open_message(65002), "OPEN_MESSAGE_ERROR/BAD_PEER_AS"),
        (message(1, b"\5" + open_message(65001)[20:]), "OPEN_MESSAGE_ERROR/UNSUPPORTED_VERSION_NUMBER"),
        (open_message(65001, hold_time=1), "OPEN_MESSAGE_ERROR/UNACCEPTABLE_HOLD_TIME"),
        (KEEPALIVE, "FINITE_STATE_MACHINE_ERROR/UNEXPECTED_MESSAGE_IN_OPENSENT"),
        (b"\xff" * 15 + b"\xfe" + KEEPALIVE[16:], "MESSAGE_HEADER_ERROR/CONNECTION_NOT_SYNCHRONIZED"),
        (b"\xff" * 16 + b"\0\2\4", "MESSAGE_HEADER_ERROR/BAD_MESSAGE_LENGTH"),
        (message(4, b"x"), "MESSAGE_HEADER_ERROR/BAD_MESSAGE_LENGTH"),
        (message(9, b""), "MESSAGE_HEADER_ERROR/BAD_MESSAGE_TYPE"),
        (open_message(65001) + KEEPALIVE + message(2, b"\0\7\0"), "UPDATE_MESSAGE_ERROR/MALFORMED_ATTRIBUTE_LIST"),
        (open_message(65001) + KEEPALIVE + open_message(65001), "FINITE_STATE_MACHINE_ERROR/UNEXPECTED_MESSAGE_IN_ESTABLISHED"),
    ],
)
def test_what_a_peer_may_not_say(octets: bytes, cause: str) -> None:
    async def test() -> None:
        async with Server() as server:
            live, remote = await accept(server, "--active", "--asn", "65055", "--remote-asn", "65001")
            remote.send(octets)
            while (wire := await remote.message())[18] != 3:
                pass
            assert str(Cause.parse(wire[19:])).startswith(cause)
            assert await remote.rest() == b""
            remote.close()
            assert cause in str(await live.task)

    run(test())


def test_a_peer_that_says_no() -> None:
    async def test() -> None:
        async with Server() as server:
            live, remote = await accept(server, "--active", "--asn", "65055")
            await remote.message()
            remote.send(Cause(2, 2).wire)
            assert await remote.rest() == b""
            remote.close()
            await live.task

    run(test())


def test_replay(tmp_path: Path) -> None:
    """Messages of a file go out once the session is there."""
    updates = [update(number) for number in range(5000)]
    (tmp_path / "x.raw").write_bytes(b"".join(updates))

    async def test() -> None:
        async with Server() as server:
            words = ["read", "--wait", "ESTABLISHED", str(tmp_path / "x.raw")]
            live = Live("--", "speaker", "--active", "--asn", "1", "--", *words, "--", "connect", f"127.0.0.1:{server.port}")
            remote = await server.accept()
            await remote.message()
            remote.send(open_message(65001))
            assert await remote.message() == KEEPALIVE
            remote.send(KEEPALIVE)
            assert [await remote.message() for _ in updates] == updates
            await live.until("read/STOP")
            remote.close()
            assert await live.task is None

    run(test())
