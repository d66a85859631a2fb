"""BMP streams of real routers beside what tshark reads in them, and what we write as tshark reads it."""

from __future__ import annotations

import collections
import io
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

import corpus
from bgpipe._bmp import BmpDecoder, BmpEncoder, Repeats
from bgpipe._codec import Buffer
from bgpipe._mrt import MrtDecoder

PORT = 11019
TYPES = (
    *("route_monitoring", "statistics_report", "peer_down", "peer_up", "initiation", "termination", "route_mirroring"),
    "unknown",
)

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")


def capture(stream: bytes) -> bytes:
    """A pcap of a TCP connection that carries these octets to PORT; without handshake and checksums.

    Each message has a segment of its own: tshark gives up on the rest of one where an UPDATE does not parse.
    """
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 17, 101)]  # 101: packets begin with IP
    at = 0
    while at < len(stream):
        data = stream[at : at + int.from_bytes(stream[at + 1 : at + 5], "big")]
        tcp = struct.pack(">HHIIBBHHH", 40000, PORT, 1 + at, 1, 0x50, 0x18, 65535, 0, 0)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 0, 0, 64, 6, 0, b"\xc0\0\2\1", b"\xc0\0\2\2")
        parts.append(struct.pack("<IIII", len(parts), 0, 40 + len(data), 40 + len(data)) + ip + tcp + data)
        at += len(data)
    return b"".join(parts)


def dissected(stream: bytes, folder: Path, *fields: str) -> list[list[str]]:
    """The values of these fields in each frame, as tshark reads them."""
    path = folder / "bmp.pcap"
    path.write_bytes(capture(stream))
    command = ["tshark", "-r", str(path), "-d", f"tcp.port=={PORT},bmp", "-o", "tcp.desegment_tcp_streams:TRUE"]
    command += ["-T", "fields", "-E", "occurrence=a", "-E", "aggregator=;"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def counts(stream: bytes, folder: Path) -> dict[str, int]:
    found: collections.Counter[str] = collections.Counter()
    for (types,) in dissected(stream, folder, "bmp.type"):
        found.update(TYPES[int(number)] for number in types.split(";") if number)
    return dict(found)


@pytest.mark.parametrize("name", corpus.names("bmp"))
def test_kinds_are_those_of_tshark(name: str, tmp_path: Path) -> None:
    stream = (corpus.folder() / "bmp" / name).read_bytes()
    decoder, source = BmpDecoder(), io.BytesIO(stream)
    while (batch := decoder.read(source)) is not None:
        assert batch.error is None
    assert decoder.kinds == counts(stream, tmp_path)


def test_what_is_written_is_read_by_tshark(tmp_path: Path) -> None:
    """An archive as BMP: all messages, those that are made up included, without a complaint."""
    data = corpus.read(corpus.folder() / "mrt" / "updates.20160811.1600.gz")
    decoder, encoder, once, out, made = MrtDecoder(), BmpEncoder(), Repeats(), Buffer(), b""
    source = io.BytesIO(data)
    while len(made) < 1 << 20 and (batch := decoder.read(source)) is not None:
        out.clear()
        encoder.encode(batch, out)
        once.take_out(out)
        made += bytes(out)
    kinds = counts(made, tmp_path)
    assert kinds["route_monitoring"] + kinds.get("peer_down", 0) == encoder.written
    assert kinds["initiation"] == 1
    assert kinds["peer_up"] > 1
    complaints = {text for (text,) in dissected(made, tmp_path, "_ws.malformed") if text}
    assert not complaints
