"""Where records end, in files that were broken off."""

from __future__ import annotations

import pytest
from lines import lines

from bgpipe import formats
from bgpipe._codec import Buffer
from bgpipe.formats.records import whole


def encoded(form: str, count: int) -> bytes:
    out = Buffer()
    formats.encoder(form).encode(formats.decoder("json").feed(lines(count).encode()), out)
    return bytes(out)


@pytest.mark.parametrize("form", formats.FORMATS)
@pytest.mark.parametrize("rest", [b"", b"\0" * 5, b"\0" * 4096, b"\0" * 100 + b"\n" * 5])
def test_whole_records(form: str, rest: bytes) -> None:
    """What is cut off at whichever octet is none, nor are zeros, which a crash may leave in place of records."""
    data, last = encoded(form, 3), encoded(form, 1)
    assert whole(form)(data + rest) == (len(data), 3)
    for count in range(len(last)):
        assert whole(form)(data + last[:count]) == (len(data), 3)
