"""speaker: sessions with a peer that plays a part."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from live import KEEPALIVE, Live, Remote, Server, free_port, open_message, run, update

import corpus
from bgpipe._mrt import MrtDecoder
from bgpipe._view import Msg, SessionContext
from bgpipe.bgp.causes import Cause, message
from bgpipe.bgp.negotiation import Offer
from bgpipe.bgp.session import CAPABILITIES
from bgpipe.stages.speaker import StateEvent

Capability = tuple[int, bytes]


def announce(attributes: str) -> bytes:
    """An UPDATE for 192.0.2.0/24."""
    octets = bytes.fromhex("400101004003040a000001" + attributes)
    return message(2, b"\0\0" + len(octets).to_bytes(2) + octets + b"\x18\xc0\0\2")


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


@pytest.mark.parametrize(
    ("options", "states", "cause"),
    [
        (["--active", "--asn", "65055"], ["Active", "OpenSent", "OpenConfirm", "Established", "Closed"], "CEASE"),
        (["--asn", "65055"], ["Active", "OpenConfirm", "Established", "Closed"], "CEASE"),
        (["--asn", "65055", "--remote-asn", "65002"], ["Active", "Closed"], "OPEN_MESSAGE_ERROR/BAD_PEER_AS"),
    ],
)
def test_states(options: list[str], states: list[str], cause: str) -> None:
    async def test() -> None:
        async with Server() as server:
            live, remote = await accept(server, *options)
            remote.send(open_message(65001), KEEPALIVE)
            if "Established" in states:
                await live.until("ESTABLISHED")
                remote.send(message(3, b"\6\2"))
            await live.task
            found = [event for event in live.events if isinstance(event, StateEvent)]
            assert [event.state.value for event in found] == states
            assert str(found[-1].cause).startswith(cause)
            remote.close()

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
        (open_message(65001) + KEEPALIVE + message(2, b"\0\7\0\0"), "UPDATE_MESSAGE_ERROR/MALFORMED_ATTRIBUTE_LIST"),
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


@pytest.mark.parametrize(("ours", "theirs", "agreed"), [(90, 30, 30), (30, 90, 30), (3, 3, 3)])
def test_the_lower_hold_time_holds(ours: int, theirs: int, agreed: int) -> None:
    """KEEPALIVEs go out each third of it, and the peer that falls silent hears so after it (RFC 4271 section 4.2, 6.5)."""

    async def test() -> None:
        async with Server() as server:
            live, remote = await accept(server, "--active", "--asn", "65055", "--hold", str(ours))
            await remote.establish(open_message(65001, hold_time=theirs))
            await live.until("ESTABLISHED")
            await live.later(agreed / 3)
            assert await remote.message() == KEEPALIVE
            await live.later(agreed * 2 / 3)
            while (wire := await remote.message()) == KEEPALIVE:
                pass
            assert wire == message(3, b"\4\0")
            remote.close()
            assert "HOLD_TIMER_EXPIRED" in str(await live.task)

    run(test())


@pytest.mark.parametrize(("ours", "theirs"), [(0, 90), (90, 0), (0, 0)])
def test_no_hold_time(ours: int, theirs: int) -> None:
    """Nothing has to be said, nor is it (section 4.4)."""

    async def test() -> None:
        async with Server() as server:
            live, remote = await accept(server, "--active", "--asn", "65055", "--hold", str(ours))
            await remote.establish(open_message(65001, hold_time=theirs))
            await live.until("ESTABLISHED")
            for _ in range(3):
                await live.later(86400)
            live.pipe.end()
            assert str(Cause.parse((await remote.rest())[19:])) == "CEASE/ADMIN_SHUTDOWN: bgpipe was stopped"
            remote.close()
            assert await live.task is None

    run(test())


def test_a_hold_time_that_is_too_short() -> None:
    async def test() -> None:
        async with Server() as server:
            live, remote = await accept(server, "--active", "--asn", "65055", "--remote-hold", "60")
            assert (await remote.message())[18] == 1
            remote.send(open_message(65001, hold_time=30))
            assert await remote.rest() == message(3, b"\2\6")
            remote.close()
            assert "a hold time of 30 s" in str(await live.task)

    run(test())


def test_a_passive_one_takes_what_it_was_told() -> None:
    """And the AS number of four octets, where it was not told another one (RFC 6793)."""

    async def test() -> None:
        async with Server() as server:
            for words, asn, identifier in (("--id 192.0.2.9 --hold 0", 4200000000, 0xC0000209), ("--asn 65002", 65002, 6)):
                live, remote = await accept(server, *words.split())
                remote.send(open_message(23456, capabilities=((65, (4200000000).to_bytes(4)),)))
                wire = await remote.message()
                offer = Offer.parse(wire[19:])
                assert isinstance(offer, Offer)
                assert (offer.asn, offer.id, offer.hold_time) == (asn, identifier, 0 if "hold" in words else 90)
                assert offer.my_as == (23456 if asn > 65535 else asn)
                assert await remote.message() == KEEPALIVE
                remote.close()
                await live.task

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


@asynccontextmanager
async def replay(path: Path, *capabilities: Capability) -> AsyncIterator[tuple[Live, Remote]]:
    """An archive goes out to a peer once the session with it is there."""
    async with Server() as server:
        words = ["read", "--wait", "ESTABLISHED", "--type", "UPDATE", str(path)]
        live = Live("--", "speaker", "--active", "--asn", "1", "--", *words, "--", "connect", f"127.0.0.1:{server.port}")
        remote = await server.accept()
        await remote.message()
        remote.send(open_message(65001, capabilities=capabilities))
        assert await remote.message() == KEEPALIVE
        remote.send(KEEPALIVE)
        yield live, remote
        await live.until("read/STOP")
        remote.close()
        assert await live.task is None


def test_replay(tmp_path: Path) -> None:
    """Messages of a file go out once the session is there."""
    updates = [update(number) for number in range(5000)]
    (tmp_path / "x.raw").write_bytes(b"".join(updates))

    async def test() -> None:
        async with replay(tmp_path / "x.raw") as (_, remote):
            assert [await remote.message() for _ in updates] == updates

    run(test())


AS4 = (65, (65001).to_bytes(4))
IDS = (69, b"\0\1\1\1")  # takes path ids for IPv4
MESSAGE, MESSAGE_AS4, MESSAGE_ADDPATH = 1, 4, 8  # subtypes of BGP4MP (RFC 6396 section 4.4, RFC 8050 section 3)
NARROW = announce("40020602025ba0fdea" + "c0110a0202000100010000fdea")
WIDE = announce("40020a0202000100010000fdea")


def record(subtype: int, wire: bytes) -> bytes:
    """An MRT record of a message, of a session between AS 1 and AS 2."""
    asns = b"\0\1\0\2" if subtype != MESSAGE_AS4 else b"\0\0\0\1\0\0\0\2"
    body = asns + b"\0\0\0\1" + bytes([192, 0, 2, 1, 192, 0, 2, 2]) + wire
    return (1_700_000_000).to_bytes(4) + b"\0\x10" + subtype.to_bytes(2) + len(body).to_bytes(4) + body


@pytest.mark.parametrize(
    ("subtype", "wire", "capabilities", "expected"),
    [
        (MESSAGE, NARROW, [AS4], WIDE),
        (MESSAGE, NARROW, [], NARROW),
        (MESSAGE_AS4, WIDE, [], NARROW),
        (MESSAGE_AS4, WIDE, [AS4, IDS], WIDE),  # the speaker does not offer to send them
        (MESSAGE_ADDPATH, NARROW[:-4] + bytes(3) + b"\7" + NARROW[-4:], [AS4], WIDE),
    ],
)
def test_replay_of_another_session(
    tmp_path: Path, subtype: int, wire: bytes, capabilities: list[Capability], expected: bytes
) -> None:
    """What an archive has in another form arrives in that of the session."""
    length = len(wire).to_bytes(2)
    (tmp_path / "x.mrt").write_bytes(3 * record(subtype, wire[:16] + length + wire[18:]))

    async def test() -> None:
        async with replay(tmp_path / "x.mrt", *capabilities) as (_, remote):
            assert [await remote.message() for _ in range(3)] == [expected] * 3

    run(test())


def test_replay_of_a_whole_session(tmp_path: Path) -> None:
    """What is behind an OPEN is encoded as it has been agreed on by that, though both come in one batch."""
    whole = [open_message(1, 1), KEEPALIVE, WIDE, WIDE]
    (tmp_path / "x.mrt").write_bytes(b"".join(record(MESSAGE_AS4, wire) for wire in whole))

    async def test() -> None:
        async with Server() as server:
            live = Live("--", "read", "--wait", "OPEN", str(tmp_path / "x.mrt"), "--", "connect", f"127.0.0.1:{server.port}")
            remote = await server.accept()
            remote.send(open_message(65001, capabilities=[AS4]))
            assert [await remote.message() for _ in whole] == [*whole[:2], NARROW, NARROW]
            remote.close()
            assert await live.task is None

    run(test())


@pytest.mark.parametrize(
    ("name", "capabilities"),
    [
        ("updates.20100227.1600.gz", [AS4]),
        ("updates.20100227.1600.gz", []),
        ("updates.20100722.2015.gz", [AS4]),
        ("mrtparse.bird-mrtdump_bgp.mrt.gz", []),
        ("updates.long_withdrawal.gz", [AS4]),
    ],
)
def test_replay_of_real_archives(name: str, capabilities: list[Capability]) -> None:
    """Paths and prefixes of AS numbers of two and of four octets, with path ids and without, arrive as what they are."""
    path = corpus.folder() / "mrt" / name
    known = list[object]()
    with gzip.open(path) as file:
        decoder = MrtDecoder()
        while (batch := decoder.read(file)) is not None:
            for msg in batch:
                assert msg.error is None
                known += routes(msg)
    context = SessionContext(as_size=4 if capabilities else 2)

    async def test() -> None:
        async with replay(path, *capabilities) as (_, remote):
            arrived = list[object]()
            while len(arrived) < len(known):
                wire = await remote.message()
                assert len(wire) <= 4096
                arrived += routes(Msg(wire, context=context))
            assert arrived == known

    run(test())


def routes(msg: Msg) -> list[object]:
    """Each prefix with its path as it really is."""
    if msg.update is None:
        return []
    path = str(msg.update.full_as_path)
    found = [(path, (prefix.packed, prefix.length)) for prefix in msg.update.reach]
    return [*(("", (prefix.packed, prefix.length)) for prefix in msg.update.unreach), *found]
