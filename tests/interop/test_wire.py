"""What tshark sees on both sides of the proxy: the same messages, octet for octet, in the same order."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from interop.between import LEFT_ASN, RIGHT_ASN, exchanged, pairs, proxy
from interop.daemons import Bird, Daemon, OpenBgpd
from interop.world import US, Process, World, until

OPEN, UPDATE, NOTIFICATION = 1, 2, 3
MARK = 9999  # a port


def capture(world: World) -> tuple[Process, Path]:
    path = world.folder / "capture.pcap"
    process = world.start("tshark", "tshark", "-i", "lo", "-f", "tcp port 179", "-w", path)
    until(lambda: "Capturing on" in process.log() and path.exists() and path.stat().st_size, "tshark captures")
    return process, path


def finish(world: World, tshark: Process, capture: Path) -> None:
    """End the capture when it has a packet that comes behind all others: the kernel hands them over in blocks."""
    knock = f"import socket; s = socket.socket(); s.bind(('{US}', {MARK})); s.connect_ex(('{US}', 179))"
    world.run(sys.executable, "-c", knock)

    def there() -> bool:
        words = ["tshark", "-r", str(capture), "-Y", f"tcp.srcport == {MARK}"]
        return bool(subprocess.run(words, capture_output=True).stdout)  # an error, while the file grows

    until(there, "the capture has all")
    tshark.stop(signal.SIGINT)


def streams(world: World, capture: Path) -> dict[str, tuple[list[bytes], list[bytes]]]:
    """By router the messages that it sent, and those that it got, as tshark puts the octets of its connection together."""
    found = {}
    ends = world.run("tshark", "-r", capture, "-Y", "bgp.type == 1", "-T", "fields", "-e", "tcp.stream", "-e", "ip.src", "-e", "ip.dst")
    for line in set(ends.splitlines()):
        number, source, target = line.split()
        router = target if source == US else source
        text = world.run("tshark", "-r", capture, "-q", "-z", f"follow,tcp,raw,{number}")
        first = next(row for row in text.splitlines() if row.startswith("Node 0:")).split()[2].rpartition(":")[0]
        rows = [row for row in text.splitlines() if row.strip() and set(row.strip()) <= set("0123456789abcdef")]
        sides = [b"".join(bytes.fromhex(row) for row in rows if row.startswith("\t") is back) for back in (False, True)]
        sent, got = sides if first == router else reversed(sides)
        found[router] = split(sent), split(got)
    return found


def split(data: bytes) -> list[bytes]:
    messages = []
    while data:
        length = int.from_bytes(data[16:18])
        assert data[:16] == b"\xff" * 16 and 19 <= length <= len(data)
        messages.append(data[:length])
        data = data[length:]
    return messages


def kinds(messages: list[bytes]) -> list[int]:
    return [message[18] for message in messages]


@pytest.mark.needs("tshark")
@pytest.mark.parametrize(("left_cls", "right_cls"), pairs(lambda left, right: (left, right) == (Bird, OpenBgpd)))
def test_the_same_on_both_sides(world: World, left_cls: type[Daemon], right_cls: type[Daemon]) -> None:
    """A whole session, from OPEN to the end that the left router puts to it."""
    tshark, path = capture(world)
    left, right = left_cls(world, 0, LEFT_ASN), right_cls(world, 1, RIGHT_ASN)
    right.start(LEFT_ASN, passive=True)
    bgpipe = proxy(world, right)
    left.start(RIGHT_ASN, passive=False)
    exchanged(left, right)
    for daemon, other in ((left, right), (right, left)):
        daemon.announce()
        until(lambda d=daemon, o=other: o.rib == d.announces(extra=True), "announcements go through")
        daemon.withdraw()
        until(lambda d=daemon, o=other: o.rib == d.announces(), "withdrawals go through")
    left.process.stop()
    assert bgpipe.popen.wait(20) == 0
    finish(world, tshark, path)

    seen = streams(world, path)
    left_sent, left_got = seen[left.address]
    right_sent, right_got = seen[right.address]
    if kinds(left_sent).count(NOTIFICATION) > 1:  # FRR says two reasons: the session ended with the first
        del left_sent[kinds(left_sent).index(NOTIFICATION) + 1 :]
    if kinds(left_sent)[-1] == kinds(right_sent)[-1] == NOTIFICATION:
        right_sent.pop()  # an answer to a NOTIFICATION: nobody listens any more (RFC 4271 section 6.4)
    assert right_got == left_sent
    assert left_got == right_sent
    assert kinds(left_sent).count(OPEN) == kinds(right_sent).count(OPEN) == 1
    assert kinds(left_sent).count(UPDATE) >= 4 and kinds(right_sent).count(UPDATE) >= 4
    if left_cls in (Bird, OpenBgpd):  # the others may go without a word
        assert kinds(left_sent)[-1] == NOTIFICATION
    written = [message for message in bgpipe.messages() if message[0] == "R"]
    assert len(written) == len(left_sent)
