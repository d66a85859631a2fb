"""ExaBGP's own messages, commands and JSON (shared/data/exabgp) against what is made of them here."""

from __future__ import annotations

import gzip
import io
import ipaddress
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import corpus
from bgpipe._attributes import ExtCommunity, family_name
from bgpipe._codec import Buffer
from bgpipe._exa import ExaEncoder
from bgpipe._mrt import MrtDecoder
from bgpipe._view import Msg, SessionContext, collect
from bgpipe.errors import ExaError
from bgpipe.formats.exa import parse_line
from bgpipe.names import EXA_AFIS, EXA_SAFIS


class Pair(NamedTuple):
    """A message and what ExaBGP 6.0.0 says of it."""

    source: str
    wire: bytes
    kind: str
    json: str
    command: str


def pairs() -> list[Pair]:
    rows = (corpus.folder() / "exabgp" / "pairs.tsv").read_text().splitlines()[1:]
    found = [row.split("\t") for row in rows]
    return [Pair(source, whole(bytes.fromhex(octets)), kind, json, cmd) for source, octets, kind, json, cmd in found]


def whole(octets: bytes) -> bytes:
    """Some are the body of an UPDATE alone."""
    marker = b"\xff" * 16
    return octets if octets.startswith(marker) else marker + (19 + len(octets)).to_bytes(2) + b"\2" + octets


# ---- commands --------------------------------------------------------------------------------------------------------

LOCAL_PREFERENCE_100 = bytes.fromhex("40050400000064")

# Commands that give other octets, by a part of them.
OTHER = {
    "next-hop self": "our address on the session is not known to a file: 0.0.0.0, which `update --nexthop-self` replaces",
}
# Commands that are no messages here, by a part of them.
REFUSED = {
    " flow ": "flow routes are not built yet",
    " mup ": "mobile user plane is not built yet",
    " mcast-vpn ": "multicast VPN is not built yet",
    " vpls ": "VPLS is not built yet",
    " rd ": "VPN routes are not built yet",
    "bgp-prefix-sid": "prefix SIDs are not built yet",
}


def reason(command: str, known: dict[str, str]) -> str | None:
    return next((text for part, text in known.items() if part in command), None)


def test_commands_give_the_same_octets() -> None:
    same, other, refused = [], [], []
    for pair in pairs():
        command = pair.command
        if not command:
            continue
        # What ExaBGP adds in sessions within an AS; its commands of flow routes do not say it.
        if LOCAL_PREFERENCE_100 in pair.wire and "local-preference" not in command and not command.startswith("withdraw"):
            command += " local-preference 100"
        try:
            found = [wire for wire, _, _ in parse_line(command.encode())]
        except ExaError as error:
            assert reason(command, REFUSED), f"{command}: {error}"
            refused.append(command)
            continue
        if found == [pair.wire]:
            same.append(command)
        else:
            assert reason(command, OTHER), f"{command}: {pair.wire.hex()} {[wire.hex() for wire in found]}"
            other.append(command)
    assert len(same) >= 102
    assert len(same) + len(other) + len(refused) == 172


# ---- JSON ------------------------------------------------------------------------------------------------------------

# What is compared: ({(announce or withdraw, family, next hop, NLRI as text)}, {attribute: value}).
Said = tuple[set[tuple[str, str, str, str]], dict[str, Any]]

LATER = "hex until there is a later issue for it"
# Families whose NLRI are hex here, and attributes: nothing is compared of them but that they are there.
FAMILIES_IN_HEX = {
    "IPV4/MUP": LATER,
    "IPV6/MUP": LATER,
    "L2VPN/VPLS": LATER,
    "LS/LS": LATER,
    "IPV4/SR_TE_POLICY": LATER,
    "IPV4/MPLS": "not built yet",
    "IPV4/MPLS_VPN": "not built yet",
    "IPV6/MPLS_VPN": "not built yet",
    "IPV4/MCAST_VPN": "not built yet",
    "IPV6/MCAST_VPN": "not built yet",
    "L2VPN/EVPNS": "not built yet",
    "IPV4/FLOWSPEC": "not built yet",
    "IPV6/FLOWSPEC": "not built yet",
    "IPV4/L3VPN_FLOWSPEC": "not built yet",
}
ATTRIBUTES_IN_HEX = {
    "BGP_LS": LATER,
    "PREFIX_SID": "not built yet",
    "TUNNEL": "not built yet",
    "IPV6_EXT_COMMUNITY": "not built yet",
}


def plain(address: str) -> str:
    return str(ipaddress.ip_address(address)) if address else ""


def family_of(name: str) -> str:
    afi, _, safi = name.partition(" ")
    return family_name(EXA_AFIS[afi], EXA_SAFIS[safi])


def path_id(nlri: dict[str, Any]) -> str:
    found = nlri.get("path-information")
    return "" if found is None else f"#{int(ipaddress.ip_address(found))}#"


def theirs(pair: Pair) -> Said:
    """What ExaBGP's JSON says."""
    message = update_of(pair)
    routes = set()
    for side in ("announce", "withdraw"):
        for name, found in message.get(side, {}).items():
            family = family_of(name)
            for hop, listed in found.items() if side == "announce" else (("", found),):
                if family in FAMILIES_IN_HEX:
                    routes.add((side, family, "", "hex"))
                else:
                    address = plain(hop.replace("no-nexthop", ""))
                    routes |= {(side, family, address, their_nlri(family, nlri)) for nlri in listed}
    return routes, dict(their_attributes(message.get("attribute", {})))


def update_of(pair: Pair) -> dict[str, Any]:
    whole = json.loads(pair.json)
    found: dict[str, Any] = whole.get("neighbor", whole)["message"]["update"]
    return found


def their_attributes(found: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in found.items():
        if name.startswith("attribute-0x"):
            code, flags = (int(part, 16) for part in name.removeprefix("attribute-").split("-"))
            yield f"ATTR_{code}", (flags, value)
            continue
        ours, convert = THEIR_ATTRIBUTES[name]
        yield ours, convert(value)


def joined(value: list[list[int]]) -> list[str]:
    return [":".join(map(str, parts)) for parts in value]


def their_path(value: dict[str, Any]) -> list[Any]:
    segments = [(segment["element"], segment["value"]) for _, segment in sorted(value.items())]
    assert all(kind == "as-sequence" for kind, _ in segments)
    return [asn for _, members in segments for asn in members]


def octets_of(size: int) -> Callable[[list[dict[str, Any]]], list[str]]:
    return lambda value: [entry["value"].to_bytes(size).hex() for entry in value]


def same(value: Any) -> Any:
    return value


# Their name -> (ours, what makes our value of theirs).
THEIR_ATTRIBUTES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "origin": ("ORIGIN", str.upper),
    "as-path": ("ASPATH", their_path),
    "next-hop": ("NEXTHOP", same),
    "med": ("MED", same),
    "local-preference": ("LOCALPREF", same),
    "atomic-aggregate": ("AGGREGATE", same),
    "aggregator": ("AGGREGATOR", same),
    "community": ("COMMUNITY", joined),
    "originator-id": ("ORIGINATOR", same),
    "cluster-list": ("CLUSTER_LIST", same),
    "extended-community": ("EXT_COMMUNITY", octets_of(8)),
    "extended-community-ipv6": ("IPV6_EXT_COMMUNITY", octets_of(20)),
    "large-community": ("LARGE_COMMUNITY", joined),
    "bgp-prefix-sid": ("PREFIX_SID", same),
    "tunnel-encap": ("TUNNEL", same),
    "bgp-ls": ("BGP_LS", same),
}


def their_nlri(family: str, nlri: dict[str, Any]) -> str:
    text = path_id(nlri) + str(ipaddress.ip_network(nlri["nlri"]))
    if "rd" in nlri:
        text += f" rd {nlri['rd']}"
    if "label" in nlri:
        text += f" labels {[label for label, _ in nlri['label']]}"
    return text


def ours(pair: Pair) -> Said:
    """What our JSON says."""
    families = [
        family_of(family)
        for side in ("announce", "withdraw")
        for family, found in update_of(pair).get(side, {}).items()
        if "path-information" in json.dumps(found)
    ]
    message = Msg(pair.wire, context=SessionContext(addpath=families))
    assert message.error is None
    assert message.update is not None
    data = json.loads(message.to_json())[4]
    attrs: dict[str, Any] = data.get("attrs", {})
    values = {name: entry["value"] for name, entry in attrs.items()}
    hop = values.get("NEXTHOP", "")
    routes = {("announce", "IPV4/UNICAST", hop, prefix) for prefix in data.get("reach", [])}
    routes |= {("withdraw", "IPV4/UNICAST", "", prefix) for prefix in data.get("unreach", [])}
    reach, unreach = values.pop("MP_REACH", None), values.pop("MP_UNREACH", None)
    for side, mp in (("announce", reach), ("withdraw", unreach)):
        if mp is not None:
            if mp["af"] in FAMILIES_IN_HEX:
                routes.add((side, mp["af"], "", "hex"))
            else:
                routes |= {(side, mp["af"], plain(mp.get("nexthop", "")), nlri) for nlri in our_nlri(mp)}
    found = {}
    for name, value in values.items():
        if name.startswith("ATTR_"):
            found[name] = (message.update.attrs[name].flags, value)
        elif name == "EXT_COMMUNITY":
            found[name] = [ExtCommunity(entry).octets.hex() for entry in value]
        elif name == "AGGREGATOR":
            found[name] = f"{value['asn']}:{value['addr']}"
        else:
            found[name] = value
    return routes, found


def our_nlri(mp: dict[str, Any]) -> Iterator[str]:
    assert "data" not in mp
    yield from mp.get("prefixes", [])
    for nlri in mp.get("nlri", []):
        yield f"#{nlri['path_id']}#" * ("path_id" in nlri) + f"{nlri['prefix']} rd {nlri['rd']} labels {nlri['labels']}"


def test_their_json_says_the_same() -> None:
    compared = 0
    for pair in pairs():
        if pair.kind == "decoding:nlri bgp-ls bgp-ls":
            continue  # an NLRI alone
        (their_routes, their_values), (our_routes, our_values) = theirs(pair), ours(pair)
        # What ExaBGP leaves out: an empty path, and the next hop where routes say it.
        if our_values.get("ASPATH") == []:
            del our_values["ASPATH"]
        if "NEXTHOP" not in their_values:
            our_values.pop("NEXTHOP", None)
        assert our_routes == their_routes, pair
        assert our_values.keys() == their_values.keys(), pair
        for name, value in our_values.items():
            assert name in ATTRIBUTES_IN_HEX or value == their_values[name], pair
        compared += 1
    assert compared == 187


# ---- what ExaBGP makes of our lines ----------------------------------------------------------------------------------

PYTHON = "/usr/bin/python3"  # Debian's, which Debian's ExaBGP is for
SCRIPT = Path(__file__).with_name("exabgp_sends.py")


def sent_by_exabgp(lines: list[str]) -> list[list[bytes]]:
    """The messages that ExaBGP sends for each line."""
    try:
        found = subprocess.run([PYTHON, "-c", "import exabgp.reactor"], check=False, cwd="/", capture_output=True).returncode
    except OSError:
        found = 1
    if found:
        pytest.skip("no ExaBGP: apt install exabgp")
    done = subprocess.run(
        [PYTHON, SCRIPT], input="".join(line + "\n" for line in lines), capture_output=True, text=True, check=True, cwd="/"
    )
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines), done.stderr
    return [[bytes.fromhex(octets) for octets in answer.split(" ") if octets != "-"] for answer in answers]


def spread(message: Msg) -> list[tuple[str, str, dict[str, Any]]]:
    """A route each: (announce or withdraw, prefix, attributes)."""
    data = json.loads(message.to_json())[4]
    values = {name: entry["value"] for name, entry in data.get("attrs", {}).items()}
    reach, unreach = values.pop("MP_REACH", {}), values.pop("MP_UNREACH", {})
    hop = values.pop("NEXTHOP", "")
    found = [("withdraw", prefix, {}) for prefix in (*data.get("unreach", []), *unreach.get("prefixes", []))]
    found += [("announce", prefix, values | {"hop": hop}) for prefix in data.get("reach", [])]
    return found + [("announce", prefix, values | {"hop": reach["nexthop"]}) for prefix in reach.get("prefixes", [])]


ARCHIVES = ("routeviews.sample.mrt", "updates.20020722.2238", "updates.20160811.1600", "rib6.20151101.0600.aligned.mrt")


def archived() -> Iterator[Msg]:
    """UPDATEs of routers of many makes, with AS numbers of two octets and of four."""
    for name in ARCHIVES:
        decoder = MrtDecoder()
        source = io.BytesIO(gzip.decompress((corpus.folder() / "mrt" / f"{name}.gz").read_bytes())[:80_000])
        while (batch := decoder.read(source)) is not None:
            for message in batch:
                if message.type == "UPDATE" and message.error is None and '"UPDATE","0x' not in message.to_json():
                    yield message.copy()


def test_exabgp_sends_what_our_lines_say() -> None:
    given = [Msg(pair.wire) for pair in pairs() if ' unicast":' in pair.json and "path-information" not in pair.json]
    lines: list[str] = []
    wanted = []
    for message in (*given, *archived()):
        out, encoder = Buffer(), ExaEncoder()
        encoder.encode(collect([message]), out)
        made = bytes(out).decode().splitlines()
        if encoder.unsaid or "eor" in made[0]:
            continue
        lines += made
        wanted += spread(message)
    answers = sent_by_exabgp(lines)
    assert len(wanted) > 500
    for line, answer, (side, prefix, values) in zip(lines, answers, wanted, strict=True):
        assert len(answer) == 1, line
        [(their_side, their_prefix, their_values)] = spread(Msg(answer[0]))
        assert (their_side, their_prefix) == (side, prefix), line
        if side == "announce":
            # Within an AS, ExaBGP fills it in.
            their_values.setdefault("LOCALPREF", 100)
            values.setdefault("LOCALPREF", 100)
            assert their_values == values, line
