"""OPENs, NOTIFICATIONs and ROUTE-REFRESHs as others read them: tshark's dissector, ExaBGP's own classes, gobgpd.

The messages are those of the corpus and of tests/wire/vectors.py. What the JSON form says is put into their words.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import corpus
import gobgp
import tshark
from bgpipe import Msg, names
from bgpipe._attributes import parse_family
from bgpipe.bgp import capabilities
from bgpipe.bgp.messages import RouteRefresh
from wire.vectors import NOTIFICATIONS, OPENS, REFRESHES

Json = Any
CAP, REFRESH, NOTIFY = "bgp.cap", "bgp.route_refresh", "bgp.notify"
DIRECTIONS = {name: code for code, name in names.ADDPATH_DIRECTIONS.items()}
AFIS = {name: code for code, name in names.AFIS.items()}
ORFS = {name: code for code, name in names.ORF_TYPES.items()}


def wires(kind: int, *, vectors: bool = True) -> list[bytes]:
    """Well-formed messages of a type."""
    made = [vector.wire for vector in (*OPENS, *NOTIFICATIONS, *REFRESHES) if vectors and vector.kind == kind]
    found = [message.wire for message in corpus.messages() if len(message.wire) > 18 and message.wire[18] == kind]
    whole = [wire for wire in (*found, *made) if int.from_bytes(wire[16:18]) == len(wire) >= 19]
    return [wire for wire in whole if Msg(wire).error is None]


def data(wire: bytes) -> Json:
    return json.loads(Msg(wire).to_json())[4]


# ---- tshark ------------------------------------------------------------------------------------------------
def numbers(table: dict[str, int], text: str) -> str:
    return str(table.get(text, text))


def each(value: Json, code: int) -> list[Json]:
    """The value of each appearance of a capability."""
    return value if isinstance(value, list) and (code not in capabilities.LISTS or isinstance(value[0], list)) else [value]


def put_capability(found: dict[str, list[str]], code: int, value: Json) -> None:
    """The fields of one capability. tshark has none for those that came later than itself."""

    def put(field: str, *values: object) -> None:
        found[f"{CAP}.{field}"] += [str(value) for value in values]

    match code:
        case 1:
            afi, safi = parse_family(value)
            put("mp.afi", afi)
            put("mp.safi", safi)
        case 3 | 130:
            for entry in value:
                afi, safi = parse_family(entry["af"])
                put("orf.afi", afi)
                put("orf.safi", safi)
                put("orf.number", len(entry["orfs"]))
                for text in entry["orfs"]:
                    kind, direction = text.split("/")
                    put("orf.type", numbers(ORFS, kind))
                    put("orf.sendreceive", numbers(DIRECTIONS, direction))
        case 5:
            for text in value:
                family, nexthop = text.rsplit("/", 1)
                afi, safi = parse_family(family)
                put("enh.afi", afi)
                put("enh.safi", safi)
                put("enh.nhafi", AFIS.get(nexthop) or nexthop.strip("AFI()"))
        case 64:
            put("gr.timers.restart_time", value["time"])
            put("gr.timers.restart_flag", int("R" in value["flags"]))
            put("gr.timers.notification_flag", int("N" in value["flags"]))
            for family in value["families"]:
                afi, safi = parse_family(family["af"])
                put("gr.afi", afi)
                put("gr.safi", safi)
                put("gr.flag.pfs", int("F" in family["flags"]))
        case 65:
            put("4as", value)
        case 69:
            for text in value:
                family, direction = text.rsplit("/", 1)
                afi, safi = parse_family(family)
                put("ap.afi", afi)
                put("ap.safi", safi)
                put("ap.sendreceive", numbers(DIRECTIONS, direction))
        case 73:
            put("orf.fqdn.hostname", *([value["host"]] if value["host"] else []))
            put("orf.fqdn.domain_name", *([value["domain"]] if value["domain"] else []))


OPEN_FIELDS = [
    *("bgp.open.version", "bgp.open.myas", "bgp.open.holdtime", "bgp.open.identifier", f"{CAP}.type"),
    *(f"{CAP}.{field}" for field in ("mp.afi", "mp.safi", "enh.afi", "enh.safi", "enh.nhafi", "4as")),
    *(f"{CAP}.orf.{field}" for field in ("afi", "safi", "number", "type", "sendreceive")),
    *(f"{CAP}.gr.{field}" for field in ("timers.restart_time", "timers.restart_flag", "timers.notification_flag")),
    *(f"{CAP}.gr.{field}" for field in ("afi", "safi", "flag.pfs")),
    *(f"{CAP}.{field}" for field in ("ap.afi", "ap.safi", "ap.sendreceive")),
    *(f"{CAP}.orf.fqdn.{field}" for field in ("hostname", "domain_name")),
]


def expected_open(wire: bytes) -> dict[str, list[str]]:
    shown = data(wire)
    found: dict[str, list[str]] = {field: [] for field in OPEN_FIELDS}
    for field, key in (("version", "bgp"), ("myas", "asn"), ("holdtime", "hold"), ("identifier", "id")):
        found[f"bgp.open.{field}"] = [str(shown[key])]
    for name, value in shown.get("caps", {}).items():
        code = capabilities.code_of(name)
        for item in each(value, code):
            found[f"{CAP}.type"].append(str(code))
            put_capability(found, code, item)
    return found


def plain(wire: bytes) -> bool:
    """Whether tshark can be asked: not of an odd order, nor of values that do not parse, nor of text beyond ASCII.

    It reads the parameters of RFC 9072 as those of RFC 4271, and one family of OUTBOUND_FILTERING.
    """
    shown = data(wire)
    if not isinstance(shown, dict) or ("caps" not in shown and "params" in shown) or wire[28:30] == b"\xff\xff":
        return False
    text = json.dumps(shown.get("caps", {}))
    grouped = capabilities.parse_parameters(wire[29:])
    assert grouped is not None
    ordered = capabilities.grouped(grouped[0]) == grouped[0]
    odd = any(code in capabilities.CODECS and not value for code, value in grouped[0])  # has the wrong length to it
    filters = shown.get("caps", {}).get("OUTBOUND_FILTERING", [])
    return ordered and not odd and len(filters) < 2 and '"0x' not in text and "\\" not in text


@tshark.needed()
def test_opens_as_tshark_reads_them() -> None:
    asked = [wire for wire in wires(1) if plain(wire)]
    assert len(asked) > 60
    for wire, found in zip(asked, tshark.dissect(asked, OPEN_FIELDS), strict=True):
        assert found == expected_open(wire), wire.hex()


SUBCODES = {1: "", 2: "_open", 3: "_update", 4: "_expired", 5: "_state", 6: "_cease"}
NOTIFY_FIELDS = [
    f"{NOTIFY}.major_error",
    *(f"{NOTIFY}.minor_error{tail}" for tail in (*SUBCODES.values(), "_unknown")),
    f"{NOTIFY}.communication",
]


def expected_notification(wire: bytes) -> dict[str, list[str]]:
    shown = data(wire)
    found: dict[str, list[str]] = {field: [] for field in NOTIFY_FIELDS}
    found[f"{NOTIFY}.major_error"] = [str(shown["code"])]
    found[f"{NOTIFY}.minor_error{SUBCODES.get(shown['code'], '_unknown')}"] = [str(shown["subcode"])]
    if "text" in shown:
        found[f"{NOTIFY}.communication"] = [shown["text"]]
    return found


@tshark.needed()
def test_notifications_as_tshark_reads_them() -> None:
    asked = [wire for wire in wires(3) if "\\" not in json.dumps(data(wire)) and '"data"' not in json.dumps(data(wire))]
    assert len(asked) > 20
    for wire, found in zip(asked, tshark.dissect(asked, NOTIFY_FIELDS), strict=True):
        assert found == expected_notification(wire), wire.hex()


REFRESH_FIELDS = [
    *(f"{REFRESH}.{field}" for field in ("afi", "subtype", "safi", "orf.flag", "orf.type")),
    *(f"{REFRESH}.orf.entry.{field}" for field in ("action", "match", "sequence", "prefixmask_lower", "prefixmask_upper", "ip")),
]


def expected_refresh(wire: bytes) -> dict[str, list[str]]:
    shown = data(wire)
    found: dict[str, list[str]] = {field: [] for field in REFRESH_FIELDS}
    afi, safi = parse_family(shown["af"])
    subtype = {name: code for code, name in names.REFRESH_SUBTYPES.items()}.get(shown["subtype"], shown["subtype"])
    for field, value in (("afi", afi), ("safi", safi), ("subtype", subtype)):
        found[f"{REFRESH}.{field}"] = [str(value)]
    if "when" in shown:
        whens = {name: code for code, name in names.ORF_REFRESHES.items()}
        found[f"{REFRESH}.orf.flag"] = [numbers(whens, shown["when"])]
    for orf in shown.get("orfs", []):
        found[f"{REFRESH}.orf.type"].append(numbers(ORFS, orf["type"]))
        for entry in orf["entries"]:
            if orf["type"] == "ADDRESS_PREFIX":
                continue  # it knows no filters but Cisco's
            values = {"action": {"ADD": 0, "REMOVE": 1, "REMOVE_ALL": 2}[entry["action"]]}
            if "prefix" in entry:
                values |= {"match": int(entry["match"] == "DENY"), "sequence": entry["seq"]}
                values |= {"prefixmask_lower": entry["min"], "prefixmask_upper": entry["max"]}
                values |= {"ip": entry["prefix"].partition("/")[0]}
            for field, value in values.items():
                found[f"{REFRESH}.orf.entry.{field}"].append(str(value))
    return found


@tshark.needed()
def test_refreshes_as_tshark_reads_them() -> None:
    """It knows filters of IPv4 prefixes alone, and only by Cisco's type."""
    asked = [wire for wire in wires(5) if not (shown := json.dumps(data(wire))).count('"data"') and "IPV6" not in shown]
    for shown in [shown for wire in asked if "orfs" in (shown := data(wire))]:
        orfs = [orf | {"type": "PRE_ADDRESS_PREFIX"} for orf in shown["orfs"]]
        asked.append(RouteRefresh(shown["af"], when=shown["when"], orfs=orfs).msg.wire)
    assert len(asked) > 8
    for wire, found in zip(asked, tshark.dissect(asked, REFRESH_FIELDS), strict=True):
        assert found == expected_refresh(wire), wire.hex()


# ---- ExaBGP ------------------------------------------------------------------------------------------------
EXABGP = """
import sys, json
from exabgp.bgp.message.open import Open
from exabgp.bgp.message.notification import Notify
for line in sys.stdin:
    body = bytes.fromhex(line)
    try:
        found = Open.unpack_message(body)
    except Notify as error:
        print(json.dumps([error.code, error.subcode]))
        continue
    caps = {}
    for code, capability in found.capabilities.items():
        if code == 1:
            value = sorted([int(afi), int(safi)] for afi, safi in capability)
        elif code == 65:
            value = int(capability)
        elif code == 69:
            value = sorted([int(afi), int(safi), way] for (afi, safi), way in capability.items())
        elif code == 5:
            value = sorted([int(afi), int(safi), int(nexthop)] for afi, safi, nexthop in capability)
        elif code == 64:
            families = sorted([int(afi), int(safi), flags & 128] for (afi, safi), flags in capability.items())
            value = [capability.restart_flag, capability.restart_time, families]
        else:
            value = None
        caps[int(code)] = value
    print(json.dumps([found.version, found.asn, found.hold_time, str(found.router_id), caps]))
"""


def exabgp(bodies: list[bytes]) -> list[Json]:
    """What ExaBGP's classes make of the bodies of OPENs; skips where they are not there."""
    try:
        run = subprocess.run(
            ["/usr/bin/python3", "-c", EXABGP],
            input="\n".join(body.hex() for body in bodies),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("there is no Python that could have ExaBGP")
    if run.returncode and "No module named 'exabgp'" in run.stderr:
        pytest.skip("ExaBGP is not installed")
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def as_exabgp(shown: Json) -> Json:
    caps: dict[str, Json] = {}
    for name, value in shown.get("caps", {}).items():
        code = capabilities.code_of(name)
        match code:
            case 1:
                found: Json = sorted(list(parse_family(text)) for text in value)
            case 65:
                found = value
            case 69:
                split = [text.rsplit("/", 1) for text in value]
                found = sorted([*parse_family(family), int(numbers(DIRECTIONS, way))] for family, way in split)
            case 5:
                split = [text.rsplit("/", 1) for text in value]
                found = sorted([*parse_family(family), AFIS[nexthop]] for family, nexthop in split)
            case 64:
                flags = 8 * ("R" in value["flags"]) + 4 * ("N" in value["flags"]) + int(value["flags"].strip("RN") or 0)
                families = [[*parse_family(f["af"]), 128 * ("F" in f["flags"])] for f in value["families"]]
                found = [flags, value["time"], sorted(families)]
            case _:
                found = None
        caps[str(code)] = found
    return [shown["bgp"], shown["asn"], shown["hold"], shown["id"], caps]


def readable_by_exabgp() -> Iterator[bytes]:
    """Version 4, each capability once, of families that it knows."""
    for wire in wires(1):
        if not plain(wire) or wire[19] != 4:
            continue
        shown = data(wire)
        text = json.dumps(shown)
        repeated = any(
            isinstance(value, list) and code != 1 and (code not in capabilities.LISTS or isinstance(value[0], list))
            for code, value in ((capabilities.code_of(name), value) for name, value in shown.get("caps", {}).items())
        )
        if not repeated and "AFI(" not in text:
            yield wire


def test_opens_as_exabgp_reads_them() -> None:
    asked = list(readable_by_exabgp())
    assert len(asked) > 60
    for wire, found in zip(asked, exabgp([wire[19:] for wire in asked]), strict=True):
        assert found == as_exabgp(data(wire)), wire.hex()


# ---- GoBGP -------------------------------------------------------------------------------------------------
GOBGP = (
    "[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = 100\n"
    + gobgp.family("ipv6-unicast")
    + "[neighbors.afi-safis.add-paths.config]\nreceive = true\n"
)
OFFERED: dict[str, Json] = {
    "MP": ["IPV4/UNICAST", "IPV6/UNICAST"],
    "ROUTE_REFRESH": True,
    "EXTENDED_NEXTHOP": ["IPV4/UNICAST/IPV6"],
    "MULTIPLE_LABELS": ["IPV4/MPLS/3"],
    "GRACEFUL_RESTART": {"flags": "RN", "time": 120, "families": [{"af": "IPV4/UNICAST", "flags": "F"}]},
    "AS4": 65001,
    "ADDPATH": ["IPV4/UNICAST/BIDIR", "IPV6/UNICAST/RECEIVE"],
    "ENHANCED_ROUTE_REFRESH": True,
    "LLGR": [{"af": "IPV6/UNICAST", "flags": "F", "time": 3600}],
    "FQDN": {"host": "r1", "domain": "example.net"},
    "VERSION": "x/1",
    "PATHS_LIMIT": ["IPV4/UNICAST/3"],
    "CAP_200": "0x0102",
}
V4, V6 = {1: [1], 2: [1]}, {1: [2], 2: [1]}
# What its API (api/capability.proto) says of that: name, and values by number of the field.
AS_GOBGP = [
    ("MultiProtocol", {1: [V4]}),
    ("MultiProtocol", {1: [V6]}),
    ("RouteRefresh", {}),
    ("ExtendedNexthop", {1: [{1: [V4], 2: [V6]}]}),
    ("GracefulRestart", {1: [0xC], 2: [120], 3: [{1: [V4], 2: [0x80]}]}),
    ("FourOctetASN", {1: [65001]}),
    ("AddPath", {1: [{1: [V4], 2: [3]}, {1: [V6], 2: [1]}]}),
    ("EnhancedRouteRefresh", {}),
    ("LongLivedGracefulRestart", {1: [{1: [V6], 2: [0x80], 3: [3600]}]}),
    ("Fqdn", {1: [b"r1"], 2: [b"example.net"]}),
    ("Unknown", {1: [8], 2: [b"\0\1\4\3"]}),
    ("Unknown", {1: [75], 2: [b"\3x/1"]}),
    ("Unknown", {1: [76], 2: [b"\0\1\1\0\3"]}),
    ("Unknown", {1: [200], 2: [b"\1\2"]}),
]
TEXTS = ("Fqdn", "Unknown")


def protobuf(octets: bytes, texts: bool) -> dict[int, list[Json]]:
    """Fields by number: varints, and messages, or `texts` in their place."""
    found: dict[int, list[Json]] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            value |= (octets[at] & 0x7F) << shift
            shift += 7
            at += 1
            if octets[at - 1] < 0x80:
                return value

    while at < len(octets):
        tag = varint()
        value: Json = varint()
        if tag & 7 == 2:
            at, value = at + value, octets[at : at + value]
            value = value if texts else protobuf(value, texts)
        found.setdefault(tag >> 3, []).append(value)
    return found


@gobgp.needed()
def test_opens_as_gobgp_reads_them(tmp_path: Path) -> None:
    with gobgp.Daemon(tmp_path, GOBGP) as daemon:
        theirs = daemon.establish(OFFERED)
        told = daemon.ask("neighbor", "127.0.0.1")
    found = []
    for capability in told["state"]["remote_cap"]:
        name = capability["type_url"].rpartition(".")[2].removesuffix("Capability")
        found.append((name, protobuf(base64.b64decode(capability.get("value", "")), name in TEXTS)))
    assert sorted(found, key=repr) == sorted(AS_GOBGP, key=repr)
    assert theirs.capabilities["ADDPATH"] == ["IPV6/UNICAST/RECEIVE"]
    assert theirs.capabilities["GRACEFUL_RESTART"] == {"flags": "", "time": 100, "families": []}
    assert set(theirs.capabilities["FQDN"]) == {"host", "domain"}
