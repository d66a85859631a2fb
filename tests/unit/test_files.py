"""read() and write(), batch by batch."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path

import pytest
from lines import line, lines, read_lines, right, write_lines

import bgpipe
from bgpipe.errors import StageError


@pytest.fixture
def source(tmp_path: Path) -> str:
    return write_lines(tmp_path / "source.json", lines(5_000))


def convert(source: str | Path, target: Path, **options: object) -> None:
    with bgpipe.read(source, **options) as reader, bgpipe.write(target) as writer:  # type: ignore[arg-type]
        for batch in reader.batches():
            writer.write(batch)


def test_there_and_back(source: str, tmp_path: Path) -> None:
    convert(source, tmp_path / "x.mrt.gz")
    convert(tmp_path / "x.mrt.gz", tmp_path / "x.json")
    assert [number for _, number in read_lines(tmp_path / "x.json")] == list(range(1, 5_001))
    assert gzip.decompress((tmp_path / "x.mrt.gz").read_bytes())[:4] == bytes.fromhex("67748580")


def test_messages_get_numbers(tmp_path: Path) -> None:
    text = line(0) + line(0, "L") + line(0) + line(7) + line(0)
    convert(write_lines(tmp_path / "source.json", text), tmp_path / "x.json")
    assert read_lines(tmp_path / "x.json") == [("R", 1), ("L", 1), ("R", 2), ("R", 7), ("R", 3)]


def test_what_comes_before_damage(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "source.json", lines(4) + "[nonsense\n")
    seen = 0
    with bgpipe.read(source) as reader, pytest.raises(bgpipe.JsonError, match="line 5"):
        for batch in reader.batches():
            seen += len(batch)
    assert seen == 4


def test_pardon(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "source.json", lines(4) + "[nonsense\n" + lines(1))
    skipped: list[bgpipe.InputError] = []
    with bgpipe.read(source, pardon=True, on_skip=skipped.append) as reader:
        assert sum(map(len, reader.batches())) == 5
        assert reader.skipped == 1
    assert [error.record for error in skipped] == [5]


def test_what_bmp_has_beside_updates(tmp_path: Path) -> None:
    """Of other formats the same options ask for nothing."""
    tags = {"PEER_AS": "64496", "PEER_IP": "192.0.2.1"}
    source = write_lines(tmp_path / "source.json", line(1, tags=tags))
    convert(source, tmp_path / "x.bmp")
    for options, types, names in (
        ({}, ["UPDATE"], tags.keys()),
        ({"tags": True}, ["UPDATE"], {*tags, "RIB"}),
        ({"all": True}, ["OPEN", "OPEN", "UPDATE"], tags.keys()),
    ):
        found = list(bgpipe.read(tmp_path / "x.bmp", **options))
        assert [msg.type for msg in found] == types
        assert dict(found[-1].tags).keys() == names
    assert [msg.type for msg in bgpipe.read(source, tags=True, all=True)] == ["UPDATE"]


@pytest.mark.parametrize(("types", "count"), [(None, 3), (["UPDATE"], 2), ("UPDATE", 2), (4, 1), (["keepalive", 77], 1), ([2, "4"], 3), ([], 0)])
def test_types(types: str | int | list[str | int] | None, count: int, tmp_path: Path) -> None:
    keepalive = '["R",9,"2025-01-01T00:00:00.000","KEEPALIVE",null,{}]\n'
    source = write_lines(tmp_path / "source.json", lines(2) + keepalive)
    with bgpipe.read(source, types=types) as reader:
        assert sum(map(len, reader.batches())) == count
    with bgpipe.read(source) as reader, bgpipe.write(tmp_path / "x.json", types=types) as writer:
        for batch in reader.batches():
            writer.write(batch)
        assert writer.written == count


def test_bad_options(source: str, tmp_path: Path) -> None:
    with pytest.raises(bgpipe.UsageError, match="format 'xml': expected auto, json, raw, mrt"):
        bgpipe.read(source, format="xml")
    with pytest.raises(bgpipe.UsageError, match="format 'xml'"):
        bgpipe.write(tmp_path / "x", format="xml")
    with pytest.raises(bgpipe.UsageError, match="types: expected message types: OPEN, UPDATE"):
        bgpipe.read(source, types=["UPDATES"])
    for types in (["UPDATES"], "UPDATES", 256, 5.5, [-1], [2.0], [None]):
        with pytest.raises(bgpipe.UsageError, match="types: expected message types: OPEN, UPDATE"):
            bgpipe.read(source, types=types)  # type: ignore[arg-type]
    for wanted in (5, ["ipv4"], b"ipv4"):
        with pytest.raises(bgpipe.UsageError, match=r"the filter is .*, expected text"):
            bgpipe.read(source, filter=wanted)  # type: ignore[arg-type]
    with bgpipe.write(tmp_path / "x.json") as out, pytest.raises(TypeError, match="expected a Msg or a Batch to write, not 'foo'"):
        out.write("foo")  # type: ignore[arg-type]
    with pytest.raises(bgpipe.StageError, match="no such file"):
        bgpipe.read(tmp_path / "none")


def test_no_file_where_the_block_raises(source: str, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), bgpipe.write(tmp_path / "x.json") as writer:
        with bgpipe.read(source) as reader:
            writer.write(next(reader.batches()))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == [Path(source)]


def test_append_and_create(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "source.json", lines(1))
    target = tmp_path / "x.json"
    for append in (False, True):
        with bgpipe.read(source) as reader, bgpipe.write(target, append=append) as writer:
            for batch in reader.batches():
                writer.write(batch)
    assert read_lines(target) == right(1, 1)
    with pytest.raises(bgpipe.StageError, match="exists"):
        bgpipe.write(target, create=True)


def test_names_are_found_and_others_not() -> None:
    for name in bgpipe.__all__:
        assert getattr(bgpipe, name) is not None
    assert dir(bgpipe) == sorted(bgpipe.__all__)
    with pytest.raises(AttributeError, match="no attribute 'raed'"):
        bgpipe.raed  # type: ignore[attr-defined] # noqa: B018


def test_version_is_that_of_the_project() -> None:
    import tomllib

    project = Path(__file__).parents[2] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == bgpipe.__version__


def test_a_writer_that_is_closed(tmp_path: Path) -> None:
    message = bgpipe.Msg.make("KEEPALIVE")
    with bgpipe.write(tmp_path / "x.json") as out:
        out.write(message)
        out.close()
        with pytest.raises(bgpipe.StageError, match=r"^cannot write .*x\.json: it is closed already$"):
            out.write(message)
    assert (tmp_path / "x.json").read_text().count("\n") == 1


def test_a_writer_on_a_full_disk(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a `with` there is no file, and no descriptor; close() may be called again."""

    def fsync(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    message = next(iter(bgpipe.read(source))).copy()
    before = len(list(Path("/proc/self/fd").iterdir()))
    Path(source).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(StageError, match="no space left"), bgpipe.write(tmp_path / "x.mrt") as out:
            out.write(message)
        assert (list(tmp_path.iterdir()), len(list(Path("/proc/self/fd").iterdir()))) == ([], before)
        out = bgpipe.write(tmp_path / "x.mrt")
        out.write(message)
        with pytest.raises(StageError, match="no space left"):
            out.close()
    out.close()
    assert len(list(bgpipe.read(tmp_path / "x.mrt"))) == 1
