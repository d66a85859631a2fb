"""A monitoring station: what a router sends it over BMP, and what we read in that."""

from __future__ import annotations

import io
import socket
import threading
from typing import Any

from bgpipe._bmp import BmpDecoder
from bgpipe._codec import Buffer
from bgpipe._json import JsonEncoder
from conversion import parse_lines


class Station(threading.Thread):
    """Takes what a router sends, until it goes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(60)
        self.port = self._listener.getsockname()[1]
        self.data = b""
        self.news = threading.Condition()

    def run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while part := connection.recv(1 << 16):
                with self.news:
                    self.data += part
                    self.news.notify_all()

    def wait_for(self, **counts: int) -> None:
        """Until there are so many messages of these kinds."""
        with self.news:
            assert self.news.wait_for(lambda: all(kinds(self.data).get(kind, 0) >= count for kind, count in counts.items()), 60), kinds(self.data)


def kinds(data: bytes) -> dict[str, int]:
    return decoded(data)[0].kinds


def decoded(data: bytes) -> tuple[BmpDecoder, list[Any]]:
    decoder, encoder, out, source = BmpDecoder(everything=True, peer_tags=True, pardon=True, guess_addpath=True), JsonEncoder(), Buffer(), io.BytesIO(data)
    while (batch := decoder.read(source)) is not None:
        encoder.encode(batch, out)
    return decoder, parse_lines(bytes(out))
