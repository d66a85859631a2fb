"""tshark, the dissector of Wireshark: what it reads in messages, a packet each."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

RAW_IP = 101  # link type: packets begin with their IP header
LARGEST = 65535 - 40
Packet = dict[str, list[str]]


def needed() -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def pcap(messages: Iterable[bytes], port: int = 179) -> bytes:
    """A capture in which each message is a TCP segment of a connection of its own."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP)]
    for number, message in enumerate(messages):
        assert len(message) <= LARGEST
        tcp = struct.pack(">HHIIBBHHH", 1024 + number % 60000, port, 1, 1, 0x50, 0x18, 65535, 0, 0)
        address = bytes((10, number >> 16 & 255, number >> 8 & 255, number & 255))
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(message), 0, 0, 64, 6, 0, address, bytes((10, 255, 255, 255)))
        packet = head + tcp + message
        out += [struct.pack("<IIII", number, 0, len(packet), len(packet)), packet]
    return b"".join(out)


def dissect(messages: Sequence[bytes], fields: Sequence[str], *options: str, port: int = 179) -> list[Packet]:
    """For each message the values of these fields (tshark -G fields), each a list in the order of the message."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "messages.pcap"
        path.write_bytes(pcap(messages, port))
        words = ["tshark", "-r", str(path), "-n", "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=;", *options]
        for field in fields:
            words += ["-e", field]
        run = subprocess.run(words, capture_output=True, text=True, check=True)
    rows = run.stdout.split("\n")[:-1]
    assert len(rows) == len(messages)
    return [
        {field: text.split(";") if text else [] for field, text in zip(fields, row.split("\t"), strict=True)}
        for row in rows
    ]
