"""Files that follow the clock."""

from __future__ import annotations

import calendar
import gzip
from pathlib import Path

import pytest

from bgpipe.errors import StageError, UsageError
from bgpipe.transport.rotation import RotatingSink

T = calendar.timegm((2025, 3, 7, 9, 4, 5))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_follow_the_clock(tmp_path: Path) -> None:
    sink = RotatingSink(f"{tmp_path}/${{2006}}/u.$TIME", 300, T)
    assert sink.next_s == calendar.timegm((2025, 3, 7, 9, 5, 0))
    sink.write(b"a")
    assert not sink.rotate(T + 54.9)
    sink.write(b"b")
    assert sink.rotate(T + 55)
    assert files(tmp_path) == {"2025/u.20250307.0900": b"ab", "2025/u.20250307.0905.tmp": b""}
    assert sink.rotate(T + 55 + 300)  # nothing was written, so nothing is left
    sink.write(b"c")
    assert sink.rotate(T + 3600)  # hours may pass
    sink.write(b"d")
    assert not sink.rotate(T)  # and clocks go back
    sink.finish()
    assert files(tmp_path) == {
        "2025/u.20250307.0900": b"ab",
        "2025/u.20250307.0910": b"c",
        "2025/u.20250307.1000": b"d",
    }
    assert sink.bytes_written == 4
    assert sink.path == f"{tmp_path}/2025/u.20250307.1000"


def test_restart_replaces_nothing(tmp_path: Path) -> None:
    for data, now_s in ((b"a", T), (b"b", T + 30), (b"c", T + 55)):
        sink = RotatingSink(f"{tmp_path}/$TIME", 300, now_s)
        sink.write(data)
        sink.finish()
    expected = {"20250307.0900": b"a", "20250307.0904": b"b", "20250307.0905": b"c"}
    assert files(tmp_path) == expected


@pytest.mark.parametrize("name", ["$TIME.json.gz", "${2006}/x.json.gz", "${2006-01-02}.json.gz"])
def test_restarts_within_a_minute_replace_nothing(name: str, tmp_path: Path) -> None:
    """Nor do those of a day, where names hold nothing but that; nor does a file of a clock that was ahead."""
    day = 86400 * 366
    for number in range(12):
        sink = RotatingSink(f"{tmp_path}/{name}", day, T + number)
        sink.write(b"%d\n" % number)
        if number == 11:
            sink.rotate(sink.next_s)
            sink.write(b"next\n")
        sink.finish()
    sink = RotatingSink(f"{tmp_path}/{name}", day, T + 20)
    sink.write(b"12\n")
    sink.rotate(sink.next_s)
    sink.write(b"behind\n")
    sink.finish()
    found = [gzip.decompress(data) for data in files(tmp_path).values()]
    assert sorted(found) == sorted([*(b"%d\n" % number for number in range(13)), b"next\n", b"behind\n"])
    assert all(path.endswith(".json.gz") for path in files(tmp_path))


def test_what_a_crash_left_of_a_restart_is_found(tmp_path: Path) -> None:
    for number in ("", "-2", "-37"):
        (tmp_path / f"20240101.0000{number}.json.tmp").write_bytes(b"[1]\n")
    (tmp_path / "20240101.0000-a.json.tmp").write_bytes(b"not ours")
    sink = RotatingSink(f"{tmp_path}/$TIME.json", 3600, T)
    sink.abort()
    assert sorted(files(tmp_path)) == [
        "20240101.0000-2.json.partial",
        "20240101.0000-37.json.partial",
        "20240101.0000-a.json.tmp",
        "20240101.0000.json.partial",
    ]


def test_restart_with_append_goes_on(tmp_path: Path) -> None:
    for data, now_s in ((b"a", T), (b"b", T + 30)):
        sink = RotatingSink(f"{tmp_path}/$TIME.gz", 300, now_s, append=True)
        sink.write(data)
        sink.finish()
    assert gzip.decompress((tmp_path / "20250307.0900.gz").read_bytes()) == b"ab"


def test_create_fails_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "20250307.0900").write_bytes(b"old")
    (tmp_path / "20250307.0910").write_bytes(b"old")
    with pytest.raises(StageError, match="exists already"):
        RotatingSink(f"{tmp_path}/$TIME", 300, T, create=True)
    sink = RotatingSink(f"{tmp_path}/$TIME", 300, T + 60, create=True)
    sink.write(b"new")
    with pytest.raises(StageError, match="exists already"):
        sink.rotate(T + 360)
    sink.abort()
    assert files(tmp_path) == {"20250307.0900": b"old", "20250307.0905": b"new", "20250307.0910": b"old"}


def test_abort_takes_the_last_file_alone(tmp_path: Path) -> None:
    sink = RotatingSink(f"{tmp_path}/$TIME", 60, T)
    sink.write(b"a")
    sink.rotate(T + 60)
    sink.write(b"b")
    sink.flush()
    sink.abort()
    assert files(tmp_path) == {"20250307.0904": b"a"}


@pytest.mark.parametrize(
    ("template", "every_s", "time_format", "message"),
    [
        ("x.$TIME", 59, "20060102.1504", "at least 60s"),
        ("x", 60, "20060102.1504", "needs a time"),
        ("x.${2006}", 3600, "20060102.1504", "needs a time"),
        ("x.$TIME", 60, "15", "needs a time"),
        ("x.${", 60, "15", "without"),
    ],
)
def test_usage(tmp_path: Path, template: str, every_s: float, time_format: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RotatingSink(f"{tmp_path}/{template}", every_s, T, time_format=time_format)
    assert not files(tmp_path)
