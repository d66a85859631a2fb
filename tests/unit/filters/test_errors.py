"""What is said about filters that mean nothing: errors.txt has each with its message, as people see them.

To have it written anew, run this with BGPIPE_GOLDEN=write. A filter to add is a line without indentation.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bgpipe import Filter, FilterError

GOLDEN = Path(__file__).parent / "errors.txt"
FILTERS = [line for line in GOLDEN.read_text().splitlines() if not line.startswith("    ")]


def message(text: str) -> str:
    with pytest.raises(FilterError) as raised:
        Filter(text)
    assert 0 <= raised.value.position <= len(text)
    whole = str(raised.value)
    head = f'filter "{text}", '
    assert whole.startswith(head)
    return whole.removeprefix(head)


def test_messages() -> None:
    found = "".join(f"{text}\n    {message(text)}\n" for text in FILTERS)
    if os.environ.get("BGPIPE_GOLDEN") == "write":
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


def test_a_line_of_a_file_of_prefixes_is_shown_without_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "prefixes"
    path.write_bytes(b"10.0.0.0/8\n\x00\x1b[31m\n")
    with pytest.raises(FilterError, match="line 2: ") as raised:
        Filter(f"prefix in file({path})").program  # noqa: B018
    assert str(raised.value).isprintable()
