"""Sinks: files that appear when complete, and everything that is not a file."""

from __future__ import annotations

import errno
import gzip
import os
import random
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from bgpipe.errors import ClosedOutput, InputError, StageError
from bgpipe.formats.records import counts, whole
from bgpipe.transport import sink as sink_module
from bgpipe.transport.sink import DiskFull, Remains, Sink, open_sink
from bgpipe.transport.source import Interrupted, open_source

DATA = random.Random(3).randbytes(300_000) + bytes(300_000)
SUFFIXES = ["", ".gz", ".bz2", ".zst", ".zstd", ".xz", ".lz4"]
TOOLS = {".gz": "gzip", ".bz2": "bzip2", ".zst": "zstd", ".xz": "xz", ".lz4": "lz4"}


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def fill(sink: Sink, *parts: bytes) -> None:
    for part in parts:
        sink.write(part)
    sink.finish()


def read_back(path: Path) -> bytes:
    with open_source(str(path)) as source:
        return source.peek(10_000_000)


def run(code: str, *arguments: str | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run code in a process of its own, which has open_sink, and prints a StageError by its class and text."""
    lines = "\n    ".join(code.strip().splitlines())
    code = f"""
import os, sys
from bgpipe.errors import StageError
from bgpipe.transport.sink import open_sink
try:
    {lines}
except StageError as error:
    print(type(error).__name__, error, file=sys.stderr)
"""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=True, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload, no-any-return]


def test_file_appears_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "x.json"
    sink = open_sink(str(path))
    sink.write(b"one\n")
    sink.write(memoryview(bytearray(b"two\n")))
    sink.write(b"")
    assert names(path.parent) == ["x.json.tmp"]
    sink.finish()
    assert names(path.parent) == ["x.json"]
    assert path.read_bytes() == b"one\ntwo\n"
    assert (sink.path, sink.bytes_written) == (str(path), 8)


def test_relative_path_and_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_bytes(b"old")
    (tmp_path / "x").chmod(0o777)
    umask = os.umask(0o027)
    try:
        fill(open_sink("x"), b"new")
    finally:
        os.umask(umask)
    assert (tmp_path / "x").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_abort_leaves_what_was(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    sink = open_sink(str(path))
    sink.write(b"new")
    sink.abort()
    sink.abort()
    assert (names(tmp_path), path.read_bytes()) == (["x"], b"old")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("append", [False, True])
def test_nothing_written_leaves_no_file(tmp_path: Path, suffix: str, append: bool) -> None:
    sink = open_sink(str(tmp_path / f"x{suffix}"), append=append)
    sink.write(b"")
    sink.flush()
    sink.finish()
    assert names(tmp_path) == []
    (tmp_path / "y").write_bytes(b"old")
    open_sink(str(tmp_path / "y"), append=append).finish()
    assert (names(tmp_path), (tmp_path / "y").read_bytes()) == (["y"], b"old")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("threads", [1, 2])
def test_compression_by_name(tmp_path: Path, suffix: str, threads: int) -> None:
    path = tmp_path / f"x{suffix}"
    sink = open_sink(str(path), threads=threads)
    fill(sink, *(DATA[place : place + 77_777] for place in range(0, len(DATA), 77_777)))
    assert sink.bytes_written == path.stat().st_size
    assert (path.stat().st_size < 310_000) == bool(suffix)
    assert read_back(path) == DATA


@pytest.mark.parametrize("suffix", TOOLS)
def test_the_usual_tools_read_it(tmp_path: Path, suffix: str) -> None:
    if shutil.which(TOOLS[suffix]) is None:
        pytest.skip(f"there is no {TOOLS[suffix]} command to read it with")
    path = tmp_path / f"x{suffix}"
    sink = open_sink(str(path))
    sink.write(DATA)
    sink.flush()
    fill(sink, b"more")
    command = [TOOLS[suffix], "-dc", str(path)]
    assert subprocess.run(command, capture_output=True, check=True).stdout == DATA + b"more"


def test_compression_by_order(tmp_path: Path) -> None:
    fill(open_sink(str(tmp_path / "x.gz"), compress="none"), b"hello")
    assert (tmp_path / "x.gz").read_bytes() == b"hello"
    for name in ("gz", "bzip2", "zstd", "xz", "lz4"):
        fill(open_sink(str(tmp_path / "x"), compress=name), b"hello" * 100)
        assert (tmp_path / "x").stat().st_size < 100
        assert read_back(tmp_path / "x") == b"hello" * 100


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_flush_lets_a_reader_see_all(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    sink = open_sink(str(path), append=True)
    for part in (b"first", b"second"):
        sink.write(part)
        sink.flush()
        sink.flush()
        with open_source(str(path)) as source:
            assert source.peek(1000).endswith(part)
    size = path.stat().st_size
    sink.flush()
    assert path.stat().st_size == size
    sink.finish()
    assert read_back(path) == b"firstsecond"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_append(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    for part in (b"one", b"two"):
        sink = open_sink(str(path), append=True)
        assert names(tmp_path) == [path.name, f"{path.name}.tmp"]
        fill(sink, part)
        assert names(tmp_path) == [path.name]
    assert read_back(path) == b"onetwo"
    sink = open_sink(str(path), append=True)
    sink.write(b"three")
    sink.flush()
    with pytest.raises(StageError, match="another process is writing it"):
        open_sink(str(path), append=True)
    sink.abort()
    assert read_back(path) == b"onetwo"


def test_append_aborted_leaves_no_new_file(tmp_path: Path) -> None:
    sink = open_sink(str(tmp_path / "x"), append=True)
    sink.write(b"one")
    sink.abort()
    assert names(tmp_path) == []


def test_create(tmp_path: Path) -> None:
    path = tmp_path / "x"
    fill(open_sink(str(path), create=True), b"1")
    with pytest.raises(StageError, match=f"cannot write {path}: it exists already, and --create asks"):
        open_sink(str(path), create=True)
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(StageError, match="exists already"):
        open_sink(str(tmp_path / "link"), create=True)
    assert path.read_bytes() == b"1"


@pytest.mark.parametrize("links", [True, False])
def test_create_with_a_file_that_appears_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    """With hard links and on file systems without them."""

    def no_link(source: str, target: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", no_link)
    fill(open_sink(str(tmp_path / "y"), create=True), b"1")
    sink = open_sink(str(tmp_path / "x"), create=True)
    sink.write(b"ours")
    (tmp_path / "x").write_bytes(b"theirs")
    with pytest.raises(StageError, match="it has appeared since, and --create asks"):
        sink.finish()
    assert (names(tmp_path), (tmp_path / "x").read_bytes()) == (["x", "y"], b"theirs")


def test_two_writers(tmp_path: Path) -> None:
    first = open_sink(str(tmp_path / "x"))
    with pytest.raises(StageError, match=r"cannot write .*x.tmp: another process is writing it"):
        open_sink(str(tmp_path / "x"))
    fill(first, b"1")
    fill(open_sink(str(tmp_path / "x")), b"2")
    assert (tmp_path / "x").read_bytes() == b"2"


def test_many_writers_at_once(tmp_path: Path) -> None:
    """Whoever gets to write writes a whole file, whatever the others do meanwhile."""

    def work(number: int) -> None:
        part = b"%d" % number * 10_000
        for _ in range(50):
            try:
                fill(open_sink(str(tmp_path / "x")), part, part)
            except StageError as error:
                refused.append(str(error))

    refused: list[str] = []
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    data = (tmp_path / "x").read_bytes()
    assert len(data) == 20_000
    assert len(set(data)) == 1
    assert names(tmp_path) == ["x"]
    assert all("another process is writing it" in message for message in refused)


def crash(path: Path, data: bytes, append: bool = False) -> None:
    """What a run leaves behind that is killed when it has written this, without flushing its compressor."""
    code = f"sink = open_sink(sys.argv[1], append={append})\nsink.write({data!r})\nos._exit(0)"
    run(code, path)


class TestRemains:
    """What a run left behind that did not come to its end."""

    def remains(self, told: list[str], form: str = "json") -> Remains:
        return Remains(whole(form), told.append)

    def test_a_temporary_file_gets_a_name_of_its_own(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        told: list[str] = []
        for number in range(3):
            crash(path, b"[%d]\n[2" % number)
            open_sink(str(path), remains=self.remains(told)).abort()
        assert names(tmp_path) == ["x.partial", "x.partial.2", "x.partial.3"]
        assert (tmp_path / "x.partial").read_bytes() == b"[0]\n"
        assert (tmp_path / "x.partial.3").read_bytes() == b"[2]\n"
        assert told[0] == (
            f"{path}.tmp was left behind by a run that did not end: it is now {path}.partial, "
            "without the 2 octets of a message at its end that is not whole"
        )

    def test_of_another_format_than_thought(self, tmp_path: Path) -> None:
        """No length in it makes sense: it stays as it is, as long as it could not be a record."""
        (tmp_path / "x.tmp").write_bytes(bytes(20_000_000))
        open_sink(str(tmp_path / "x"), remains=self.remains([], "raw")).abort()
        assert (tmp_path / "x.partial").stat().st_size == 20_000_000

    def test_compressed(self, tmp_path: Path) -> None:
        path = tmp_path / "x.gz"
        data = random.Random(1).randbytes(1_000_000)
        code = "import random\nsink = open_sink(sys.argv[1])\nsink.write(random.Random(1).randbytes(1_000_000))\nos._exit(0)"
        run(code, path)
        fill(open_sink(str(path)), b"new")
        assert names(tmp_path) == ["x.gz", "x.gz.partial"]
        assert gzip.decompress(path.read_bytes()) == b"new"
        good = b""
        buffer = memoryview(bytearray(10_000))
        with open_source(str(tmp_path / "x.gz.partial")) as source, pytest.raises(InputError):
            while size := source.readinto(buffer):
                good += buffer[:size]
        assert good == data[: len(good)]
        assert len(good) > 900_000

    def test_appending_goes_on_behind_the_last_whole_message(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        fill(open_sink(str(path), append=True), b"[1]\n")
        crash(path, b"[2]\n[3", append=True)
        assert names(tmp_path) == ["x", "x.tmp"]
        assert path.read_bytes() == b"[1]\n[2]\n[3"
        told: list[str] = []
        fill(open_sink(str(path), append=True, remains=self.remains(told)), b"[4]\n")
        assert (names(tmp_path), path.read_bytes()) == (["x"], b"[1]\n[2]\n[4]\n")
        assert told == [
            f"{path}: a run that appended did not end, without the 2 octets of a message at its end that is not whole"
        ]

    @pytest.mark.parametrize("suffix", [".gz", ".zst", ".xz", ".bz2", ".lz4"])
    def test_appending_to_a_compressed_file(self, suffix: str, tmp_path: Path) -> None:
        """The stream that is not whole is moved away: behind it nothing could be read."""
        path = tmp_path / f"x{suffix}"
        fill(open_sink(str(path), append=True), b"[1]\n")
        size = path.stat().st_size
        code = "sink = open_sink(sys.argv[1], append=True)\nsink.write(os.urandom(2_000_000))\nos._exit(0)"
        run(code, path)
        torn = path.read_bytes()[size:]
        assert torn
        told: list[str] = []
        fill(open_sink(str(path), append=True, remains=self.remains(told)), b"[4]\n")
        assert read_back(path) == b"[1]\n[4]\n"
        assert (tmp_path / f"x{suffix}.partial").read_bytes() == torn
        assert "which a run appended that did not end, are now in" in told[0]

    def test_appending_was_complete_but_for_the_note(self, tmp_path: Path) -> None:
        path = tmp_path / "x.gz"
        fill(open_sink(str(path), append=True), b"[1]\n")
        (tmp_path / "x.gz.tmp").write_bytes(b"bgpipe appends behind octet 0\n")
        told: list[str] = []
        fill(open_sink(str(path), append=True, remains=self.remains(told)), b"[2]\n")
        assert (names(tmp_path), read_back(path), told) == (["x.gz"], b"[1]\n[2]\n", [])

    @pytest.mark.parametrize("how", ["new", "create", "append", "append behind", "replace"])
    @pytest.mark.parametrize("suffix", ["", ".gz"])
    def test_ended_at_each_step(self, how: str, suffix: str, tmp_path: Path) -> None:
        """As by kill -9 before any call to the system, or right behind it: what was there stays, and the next run works.

        A message of the run that was ended is in the file, or in one whose name says that it is a part, never in both.
        """
        code = """
from pathlib import Path
from bgpipe.formats.records import whole
from bgpipe.transport.sink import Remains
folder, how, suffix = sys.argv[1:]
calls = "open", "write", "fsync", "rename", "link", "unlink", "close", "ftruncate", "fchmod"
real = {name: getattr(os, name) for name in calls}
def work(path, data, append, create=False):
    sink = open_sink(path, append=append, create=create, remains=Remains(whole("json")))
    sink.write(data)
    sink.finish()
def ends(at, name, behind):
    def call(*arguments, **options):
        global step
        step += 1
        if step == at and not behind:
            os._exit(9)
        result = real[name](*arguments, **options)
        if step == at:
            os._exit(9)
        return result
    return call
append = how.startswith("append")
for behind in False, True:
    at = status = 1
    while status:
        path = f"{folder}/{behind}{at}/x{suffix}"
        os.mkdir(os.path.dirname(path))
        if how in ("append behind", "replace"):
            work(path, b"[1]\\n", False)
        if (pid := os.fork()) == 0:
            step = 0
            for name in calls:
                setattr(os, name, ends(at, name, behind))
            work(path, b"[2]\\n", append, how == "create")
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        work(path, b"[3]\\n", append)
        at += 1
"""
        assert not run(code, tmp_path, how, suffix).stderr
        folders = list(tmp_path.iterdir())
        assert len(folders) > 10
        for folder in folders:
            path = folder / f"x{suffix}"
            aside = folder / f"x{suffix}.partial"
            assert set(folder.iterdir()) <= {path, aside}
            found = read_back(path)
            if how.startswith("append"):
                assert found in (b"[3]\n", b"[2]\n[3]\n") if how == "append" else found in (b"[1]\n[3]\n", b"[1]\n[2]\n[3]\n")
            else:
                assert found == b"[3]\n"
            if aside.exists() and not suffix:
                assert aside.read_bytes() == b"[2]\n"

    def test_a_note_that_is_not_whole(self, tmp_path: Path) -> None:
        """Nothing had been written then."""
        path = tmp_path / "x"
        path.write_bytes(b"[1]\n")
        (tmp_path / "x.tmp").write_bytes(b"bgpipe appends beh")
        fill(open_sink(str(path), append=True), b"[2]\n")
        assert path.read_bytes() == b"[1]\n[2]\n"


class Disk:
    """A disk that has room for so many octets more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, fd: int, data: memoryview | bytes) -> int:
        if fd <= 2:
            return self._write(fd, data)
        if data and not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = self._write(fd, memoryview(data)[: self.room])
        self.room -= count
        return count


class TestFullDisk:
    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_nothing_is_lost_when_there_is_room_again(
        self, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / f"x{suffix}"
        disk = Disk(monkeypatch, 0)
        rng = random.Random(5)
        sink = open_sink(str(path))
        parts = [rng.randbytes(rng.randrange(100_000)) for _ in range(100)]
        times = 0
        for part in parts:
            try:
                sink.write(part)
            except DiskFull:
                while True:
                    times += 1
                    disk.room = rng.randrange(30_000)
                    try:
                        sink.retry()
                        break
                    except DiskFull as error:
                        assert str(error).startswith(f"cannot write {path}: no space left on the device")
        while True:
            try:
                sink.finish()
                break
            except DiskFull:
                times += 1
                disk.room = 1
        assert times > 100
        disk.room = 1 << 30
        with open_source(str(path)) as source:
            assert source.peek(10_000_000) == b"".join(parts)

    @pytest.mark.parametrize("suffix", SUFFIXES)
    @pytest.mark.parametrize("append", [False, True])
    def test_cut(self, suffix: str, append: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each message is in the file, or told to be lost."""
        monkeypatch.setattr(sink_module, "MEMBER", 100_000)
        path = tmp_path / f"x{suffix}"
        disk = Disk(monkeypatch, 0)
        kept = 0
        for seed in range(20):
            path.unlink(missing_ok=True)
            rng = random.Random(seed)
            disk.room = 1000
            if append:
                fill(open_sink(str(path), append=True), b"first\n")
            sink = open_sink(str(path), append=append, remains=Remains(whole("json")))
            disk.room = rng.randrange(600_000)
            given = 0
            lost = -1
            for _ in range(100):
                count = rng.randrange(1, 200)
                given += count
                try:
                    sink.write(b"".join(b"%s\n" % rng.randbytes(40).hex().encode() for _ in range(count)), count)
                except DiskFull:
                    sink.cut()
                    lost = sink.lost
                    break
            else:
                try:
                    sink.finish()
                    lost = 0
                except DiskFull:
                    sink.cut()
                    lost = sink.lost
            sink.finish()
            sink.abort()
            found = read_back(path).decode().splitlines() if path.exists() else []
            assert all(line == "first" or len(line) == 80 for line in found)
            assert len(found) - append + lost == given
            if not suffix:
                assert lost < 200
            kept += len(found)
        assert kept > 20_000


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_messages_of_several_lines(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of one is left, and the count is right, though lines do not tell what belongs together."""
    disk = Disk(monkeypatch, 30_000)
    sink = open_sink(str(tmp_path / f"x{suffix}"), remains=Remains(whole("bgpdump"), counts=counts("bgpdump")))
    given = 0
    with pytest.raises(DiskFull):
        while True:
            given += 10
            sink.write(b"".join(b"%s\n" % os.urandom(20).hex().encode() for _ in range(30)), 10)
    sink.cut()
    assert disk.room >= 0
    path = tmp_path / f"x{suffix}"
    found = len(read_back(path).splitlines()) if path.exists() else 0
    assert found == 3 * (given - sink.lost)


def test_something_else_has_the_temporary_name(tmp_path: Path) -> None:
    (tmp_path / "x.tmp").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "y.tmp")
    (tmp_path / "z.tmp").mkdir()
    for name in ("x", "y", "z"):
        with pytest.raises(StageError, match=rf"{name}.tmp: it exists and is not a regular file; remove it"):
            open_sink(str(tmp_path / name))


class TestAFolderForAll:
    """Where others may write, too."""

    @pytest.mark.parametrize("append", [False, True])
    @pytest.mark.parametrize("content", [b"", b"[1]\n[2", b"bgpipe appends behind octet 2\n"])
    def test_a_file_of_somebody_else(self, content: bytes, append: bool, tmp_path: Path) -> None:
        """Who has prepared it could read and change what gets there, or have us cut off something."""
        if os.geteuid():
            pytest.skip("to give a file away takes root")
        (tmp_path / "x").write_bytes(b"[1]\n[2]\n[3")
        (tmp_path / "x.tmp").write_bytes(content)
        os.chown(tmp_path / "x.tmp", 65534, 65534)
        with pytest.raises(StageError, match=r"x.tmp: it belongs to another user; remove it$"):
            open_sink(str(tmp_path / "x"), append=append, remains=Remains(whole("json")))
        assert ((tmp_path / "x").read_bytes(), (tmp_path / "x.tmp").read_bytes()) == (b"[1]\n[2]\n[3", content)
        os.chown(tmp_path, 65534, 65534)  # the owner of the folder can do so anyway
        fill(open_sink(str(tmp_path / "x"), append=append), b"[4]\n")

    @pytest.mark.parametrize("content", [b"", b"[1]\n[2"])
    def test_another_name_of_a_file(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(content)
        os.link(tmp_path / "secret", tmp_path / "x.tmp")
        with pytest.raises(StageError, match=r"x.tmp: the file has another name as well; remove this one$"):
            open_sink(str(tmp_path / "x"), remains=Remains(whole("json")))
        assert (tmp_path / "secret").read_bytes() == content

    def test_a_link_that_appears_at_the_last_moment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"[1]\n")
        real = os.open

        def late(path: str, flags: int, *mode: int) -> int:
            if flags & os.O_RDWR and not os.path.lexists(path):
                Path(path).symlink_to(secret)
            return real(path, flags, *mode)

        monkeypatch.setattr(os, "open", late)
        for append in (False, True):
            with pytest.raises(StageError, match=r"^cannot write "):
                open_sink(str(tmp_path / f"x{append}"), append=append)
        monkeypatch.undo()
        assert secret.read_bytes() == b"[1]\n"

    def test_what_replaces_a_private_file_is_private_from_the_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "x").write_bytes(b"old")
        (tmp_path / "x").chmod(0o600)
        modes = []
        real = os.fchmod

        def note(fd: int, mode: int) -> None:
            modes.append(stat.S_IMODE(os.fstat(fd).st_mode))
            real(fd, mode)

        monkeypatch.setattr(os, "fchmod", note)
        fill(open_sink(str(tmp_path / "x")), b"new")
        assert modes == [0o600]


def test_symbolic_link_stays(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("folder/real")
    (tmp_path / "dangling").symlink_to("deeper/new")
    for name in ("link", "dangling"):
        fill(open_sink(str(tmp_path / name)), b"new")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / name).read_bytes() == b"new"
    assert names(tmp_path) == ["dangling", "deeper", "folder", "link"]
    assert names(tmp_path / "folder") == ["real"]
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(StageError, match="too many levels"):
        open_sink(str(tmp_path / "round"))


def test_fifo_and_device_stay(tmp_path: Path) -> None:
    path = tmp_path / "fifo.gz"
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    fill(open_sink(str(path)), DATA)
    reader.join()
    assert gzip.decompress(got[0]) == DATA
    assert path.is_fifo()
    fill(open_sink("/dev/null"), DATA)
    assert Path("/dev/null").is_char_device()
    open_sink(str(tmp_path / "new")).abort()
    assert names(tmp_path) == ["fifo.gz"]


def test_fifo_whose_reader_comes_late(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    asked = 0
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))

    def given_up() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            reader.start()
        return False

    fill(open_sink(str(path), given_up=given_up), DATA)
    reader.join()
    assert got == [DATA]
    with pytest.raises(Interrupted, match=r"waiting for a reader of .*fifo was broken off"):
        open_sink(str(path), given_up=lambda: True)


def test_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("", "a\0b"):
        with pytest.raises(StageError, match=r"^cannot write '.*': that is no path$"):
            open_sink(path)
    with pytest.raises(StageError, match="it is a folder; name a file in it"):
        open_sink("new/")
    name = "x" * 252
    with pytest.raises(StageError, match=f"cannot write {name}: the name is too long; while it grows, .*and .tmp$"):
        open_sink(name)
    fill(open_sink(name[1:]), b"1")
    fill(open_sink(name, append=True), b"1")
    assert names(tmp_path) == [name[1:], name]


def test_after_the_end(tmp_path: Path) -> None:
    sink = open_sink(str(tmp_path / "x"))
    fill(sink, b"1")
    with pytest.raises(StageError, match=f"^cannot write {tmp_path}/x: it is closed already$"):
        sink.write(b"2")
    sink.finish()
    sink.abort()
    assert (tmp_path / "x").read_bytes() == b"1"


def test_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        sink = open_sink(str(path))
        fill(sink, b"hello")
        with listener.accept()[0] as connection:
            assert connection.makefile("rb").read() == b"hello"
    assert path.is_socket()
    with pytest.raises(StageError, match="nobody listens on that socket"):
        open_sink(str(path))


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output(tmp_path: Path, name: str) -> None:
    code = "sink = open_sink(sys.argv[1])\nsink.write(b'hello')\nsink.finish()\nos.write(1, b' more')"
    with open(tmp_path / "x", "wb") as file:
        run(code, name, stdout=file)
    assert (names(tmp_path), (tmp_path / "x").read_bytes()[-5:]) == (["x"], b" more")
    assert run(code, name, stdout=subprocess.PIPE).stdout == b"hello more"


def test_standard_output_that_is_closed() -> None:
    code = "sink = open_sink('-')\nos.close(1)\nsink.write(b'hello')"
    message = run(code, stdout=subprocess.DEVNULL).stderr.decode()
    assert message == "StageError cannot write standard output: bad file descriptor\n"


def test_nobody_reads_standard_output() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    message = run("sink = open_sink('-')\nsink.write(b'hello')", stdout=writer).stderr.decode()
    os.close(writer)
    assert message == "ClosedOutput standard output was closed by its reader\n"


def test_descriptor_that_does_not_block() -> None:
    code = "os.set_blocking(1, False)\nsink = open_sink('-')\nsink.write(bytes(3_000_000))\nsink.finish()"
    assert run(code, stdout=subprocess.PIPE).stdout == bytes(3_000_000)


def test_closed_fifo(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sink = open_sink(str(path))
    os.close(reader)
    with pytest.raises(ClosedOutput):
        sink.write(b"1")
    sink.abort()
    assert path.is_fifo()


@pytest.mark.parametrize("compress", ["none", "gz", "zstd"])
def test_disk_full(compress: str) -> None:
    sink = open_sink("/dev/full", compress=compress)
    with pytest.raises(StageError, match=r"^cannot write /dev/full: no space left on the device; free some"):
        fill(sink, DATA)
    sink.abort()


@pytest.mark.parametrize("name", ["x", "x.zst", "x.xz"])
@pytest.mark.parametrize("append", [False, True])
def test_file_gets_too_large(tmp_path: Path, name: str, append: bool) -> None:
    """As good as a full disk: what was begun goes away, what was there stays."""
    (tmp_path / name).write_bytes(b"old")
    code = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
sink = open_sink(sys.argv[1], append=sys.argv[2] == "True")
try:
    sink.write(os.urandom(300_000))
    sink.finish()
finally:
    sink.abort()
"""
    message = run(code, tmp_path / name, str(append)).stderr.decode()
    assert (
        message
        == f"StageError cannot write {tmp_path / name}: the file would get larger than is allowed; see ulimit -f\n"
    )
    assert (names(tmp_path), (tmp_path / name).read_bytes()) == ([name], b"old")


def test_failing_to_make_it_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    sink = open_sink(str(tmp_path / "x"))
    sink.write(b"hello")
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StageError, match=r"cannot write .*: input/output error"):
        sink.finish()
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["x", "x.gz"])
def test_folder_that_is_removed_meanwhile(tmp_path: Path, name: str) -> None:
    sink = open_sink(f"{tmp_path}/folder/{name}")
    sink.write(DATA)
    shutil.rmtree(tmp_path / "folder")
    with pytest.raises(StageError, match=rf"^cannot write {tmp_path}/folder/{name}: no such file or directory$"):
        sink.finish()
    assert names(tmp_path) == []


def test_folder_and_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StageError, match="it is a folder; name a file in it"):
        open_sink(str(tmp_path))
    for path in ("file/x", "file/folder/x"):
        with pytest.raises(StageError, match=f"cannot write {tmp_path}/{path}: a part of the path is not a folder"):
            open_sink(str(tmp_path / path))


def test_folder_without_permission() -> None:
    """Root may write everywhere, so it steps down for this."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        for path in ("x", "folder/x"):
            with pytest.raises(StageError, match=f"cannot write {folder}/{path}: permission denied; check"):
                open_sink(str(folder / path))
    finally:
        if root:
            os.seteuid(0)
        folder.rmdir()


def test_read_only_file_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def read_only(*arguments: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(StageError, match=f"cannot write {tmp_path}/x: the file system is read-only"):
        open_sink(str(tmp_path / "x"))


def test_locks_that_the_file_system_does_not_have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import fcntl

    def flock(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    fill(open_sink(str(tmp_path / "x")), b"hello")
    assert (names(tmp_path), (tmp_path / "x").read_bytes()) == (["x"], b"hello")


def test_what_replaces_a_private_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(0o600)
    sink = open_sink(str(path))
    sink.write(b"new")
    sink.finish()
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
