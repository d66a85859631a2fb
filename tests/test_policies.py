"""examples/: each policy as a program and as a function does the same, and what it says."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lines import bad_line, write_lines

import bgpipe
import corpus
from bgpipe.cli import main

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


def through(how: str, name: str, args: list[str], source: str | Path, target: Path) -> list[Any]:
    """What comes of the messages of a file."""
    command = str(EXAMPLES / how / f"{name}.py")
    bgpipe.Pipeline(["-l", "disabled", "read", str(source), "--", how, "-A", command, *args, "--", "write", str(target)]).run_sync()
    return [json.loads(text) for text in target.read_text().splitlines()] if target.exists() else []


def both(name: str, args: list[str], source: str | Path, folder: Path) -> list[Any]:
    """The same for both forms, which have to agree but for the order of attributes."""
    by_program = through("exec", name, args, source, folder / "exec.json")
    assert by_program == through("python", name, args, source, folder / "python.json")
    return by_program


def update(seq: int, data: dict[str, Any] | str) -> str:
    return json.dumps(["R", seq, "2025-01-01T00:00:00.000", "UPDATE", data, {}], separators=(",", ":")) + "\n"


def attrs(*path: int | list[int], **others: Any) -> dict[str, Any]:
    known = {"ORIGIN": {"flags": "T", "value": "IGP"}, "ASPATH": {"flags": "T", "value": list(path)}}
    return known | {"NEXTHOP": {"flags": "T", "value": "192.0.2.1"}} | others


def mp(*prefixes: str) -> dict[str, Any]:
    return {"flags": "O", "value": {"af": "IPV6/UNICAST", "nexthop": "2001:db8::1", "prefixes": list(prefixes)}}


def mp_gone(*prefixes: str) -> dict[str, Any]:
    return {"flags": "O", "value": {"af": "IPV6/UNICAST", "prefixes": list(prefixes)}}


def data_of(messages: list[Any]) -> dict[int, Any]:
    return {message[1]: message[4] for message in messages}


VRPS = {
    "metadata": {"roas": 4},
    "roas": [
        {"prefix": "203.0.113.0/24", "maxLength": 24, "asn": "AS64500", "ta": "test"},
        {"prefix": "198.51.100.0/23", "maxLength": 24, "asn": 64501, "ta": "test"},
        {"prefix": "2001:db8::/32", "maxLength": 48, "asn": "AS64500", "ta": "test"},
        {"prefix": "192.0.2.0/24", "maxLength": 24, "asn": "AS0", "ta": "test"},
    ],
}


@pytest.fixture
def vrps(tmp_path: Path) -> str:
    path = tmp_path / "vrps.json"
    path.write_text(json.dumps(VRPS))
    return str(path)


def test_prefix_filter(tmp_path: Path) -> None:
    left = attrs(64496)
    source = write_lines(
        tmp_path / "source.json",
        update(1, {"reach": ["10.1.0.0/16", "203.0.113.0/24"], "attrs": left})
        + update(2, {"reach": ["10.0.0.0/8"], "attrs": left})
        + update(3, {"reach": ["203.0.113.0/25"], "unreach": ["10.2.0.0/16"], "attrs": left})
        + update(4, {"attrs": attrs(1, MP_REACH=mp("2001:db8:1::/48", "2600::/32"))})
        + update(5, {"attrs": attrs(1, MP_REACH=mp("2001:db8:1::/48"), MP_UNREACH=mp_gone("2600:1::/32"))})
        + update(6, {"unreach": ["10.2.0.0/16"]})
        + update(7, {})
        + bad_line(8),
    )
    found = data_of(both("prefix_filter", ["10.0.0.0/8", "2001:db8::/32"], source, tmp_path))
    assert found == {
        1: {"reach": ["203.0.113.0/24"], "attrs": left},
        3: {"unreach": ["10.2.0.0/16"]},
        4: {"attrs": attrs(1, MP_REACH=mp("2600::/32"))},
        5: {"attrs": {"MP_UNREACH": mp_gone("2600:1::/32")}},
        6: {"unreach": ["10.2.0.0/16"]},
        7: {},
        8: "0xffff0000",
    }


def test_rpki(vrps: str, tmp_path: Path) -> None:
    source = write_lines(
        tmp_path / "source.json",
        update(1, {"reach": ["203.0.113.0/24", "1.0.0.0/24"], "attrs": attrs(1, 64500)})
        + update(2, {"reach": ["203.0.113.0/24", "1.0.0.0/24"], "attrs": attrs(1, 64501)})
        + update(3, {"reach": ["203.0.113.128/25"], "unreach": ["1.0.0.0/24"], "attrs": attrs(1, 64500)})
        + update(4, {"reach": ["198.51.101.0/24"], "attrs": attrs(1, [64501])})
        + update(5, {"reach": ["198.51.101.0/24"], "attrs": attrs(1, [64501, 64502])})
        + update(6, {"attrs": attrs(64500, MP_REACH=mp("2001:db8:1::/48", "2001:db8:1:2::/64"))})
        + update(7, {"attrs": attrs(64501, MP_REACH=mp("2001:db8:1::/48"))})
        + update(8, {"reach": ["192.0.2.0/24"], "attrs": attrs(0)})
        + bad_line(9),
    )
    found = data_of(both("rpki", [vrps], source, tmp_path))
    partly = attrs(64500, MP_REACH=mp("2001:db8:1::/48"), MP_UNREACH=mp_gone("2001:db8:1:2::/64"))
    assert found == {
        1: {"reach": ["203.0.113.0/24", "1.0.0.0/24"], "attrs": attrs(1, 64500)},
        2: {"reach": ["1.0.0.0/24"], "unreach": ["203.0.113.0/24"], "attrs": attrs(1, 64501)},
        3: {"unreach": ["1.0.0.0/24", "203.0.113.128/25"]},
        4: {"reach": ["198.51.101.0/24"], "attrs": attrs(1, [64501])},
        5: {"unreach": ["198.51.101.0/24"]},
        6: {"attrs": partly},
        7: {"attrs": {"MP_UNREACH": mp_gone("2001:db8:1::/48")}},
        8: {"unreach": ["192.0.2.0/24"]},
        9: "0xffff0000",
    }


def test_tagger(tmp_path: Path) -> None:
    there = {"flags": "OT", "value": ["64511:1"]}
    source = write_lines(
        tmp_path / "source.json",
        update(1, {"reach": ["1.0.0.0/24"], "attrs": attrs(64496, 2)})
        + update(2, {"reach": ["1.0.0.0/24"], "attrs": attrs(64496, COMMUNITY=there)})
        + update(3, {"reach": ["1.0.0.0/24"], "attrs": attrs(64497, 64496)})
        + update(4, {"unreach": ["1.0.0.0/24"]})
        + bad_line(5),
    )
    found = data_of(both("tagger", ["64496=64511:100", "65536=64511:200"], source, tmp_path))
    assert found == {
        1: {"reach": ["1.0.0.0/24"], "attrs": attrs(64496, 2, COMMUNITY={"flags": "OT", "value": ["64511:100"]})},
        2: {"reach": ["1.0.0.0/24"], "attrs": attrs(64496, COMMUNITY={"flags": "OT", "value": ["64511:1", "64511:100"]})},
        3: {"reach": ["1.0.0.0/24"], "attrs": attrs(64497, 64496)},
        4: {"unreach": ["1.0.0.0/24"]},
        5: "0xffff0000",
    }


@pytest.mark.parametrize("how", ["exec", "python"])
@pytest.mark.parametrize(
    ("name", "args", "problem"),
    [
        ("prefix_filter", ["10.0.0.0/33"], r"10\.0\.0\.0/33"),
        ("rpki", [], r"usage: rpki\.py VRPS"),
        ("rpki", ["no-such-file"], "No such file .*no-such-file"),
        ("tagger", ["64496"], r"usage: tagger\.py AS=COMMUNITY"),
        ("tagger", ["x=64511:100"], r"usage: tagger\.py AS=COMMUNITY"),
    ],
)
def test_wrong_arguments(
    how: str, name: str, args: list[str], problem: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A line that says how it is used, and no traceback."""
    source = write_lines(tmp_path / "source.json", bad_line(1))
    command = str(EXAMPLES / how / f"{name}.py")
    assert main(["--", "read", source, "--", how, "-A", command, *args, "--", "write", str(tmp_path / "out.json")]) == 1
    err = capfd.readouterr().err
    assert re.search(problem, err)
    assert "Traceback" not in err


def test_a_service_without_arguments() -> None:
    done = subprocess.run([EXAMPLES / "exec" / "service.py", "192.0.2.53/32"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "usage: service.py PREFIX COMMAND [ARGUMENT...]\n")


def test_vrps_that_are_none(tmp_path: Path) -> None:
    for number, text in enumerate(("{}", "[]", "x", '{"roas": [{"prefix": "1.0.0.0/33", "maxLength": 24, "asn": 1}]}')):
        path = tmp_path / str(number)
        path.write_text(text)
        done = subprocess.run([EXAMPLES / "exec" / "rpki.py", path], capture_output=True, text=True, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        assert done.stderr.startswith(f"rpki.py: {path} is no JSON file of rpki-client or routinator: ")


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("prefix_filter", ["192.0.0.0/9", "203.0.113.0/28", "2001:db8:3f20::/44", "2001::/16"]),
        ("rpki", []),
        ("tagger", ["64496=64511:100", "65536=64511:200"]),
    ],
)
@pytest.mark.parametrize("archive", ["samples/session.mrt", "mrt/legacy.updates.20000102.2014.gz"])
def test_archives(name: str, args: list[str], archive: str, vrps: str, tmp_path: Path) -> None:
    """Both forms agree on what there is."""
    source = ROOT / archive if archive.startswith("samples") else corpus.folder() / archive
    assert both(name, args or [vrps], source, tmp_path)
