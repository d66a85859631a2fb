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
from bgpipe import Update
from bgpipe._attributes import ExtCommunity, family_name
from bgpipe._codec import Buffer
from bgpipe._exa import ExaEncoder
from bgpipe._mrt import MrtDecoder
from bgpipe._view import Msg, SessionContext, collect
from bgpipe.formats.exa import parse_line
from bgpipe.names import EXA_AFIS, EXA_SAFIS, IPV6_EXT_COMMUNITIES


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
    "withdraw ipv": "ExaBGP sends attributes with what it withdraws",
    "withdraw vpls": "ExaBGP sends attributes with what it withdraws",
    "source-ipv6 ::1/128/120": "ExaBGP sends the bits in front of the offset, too, against RFC 8956 section 3.1",
}


def test_commands_give_the_same_octets() -> None:
    same, other = 0, []
    for pair in pairs():
        command = pair.command
        if not command:
            continue
        # What ExaBGP adds in sessions within an AS; its commands of flow routes do not say it.
        if LOCAL_PREFERENCE_100 in pair.wire and "local-preference" not in command and not command.startswith("withdraw"):
            command += " local-preference 100"
        found = [wire for wire, _, _ in parse_line(command.encode())]
        if found == [pair.wire]:
            same += 1
            continue
        reasons = [part for part in OTHER if part in command]
        assert reasons, f"{command}: {pair.wire.hex()} {[wire.hex() for wire in found]}"
        other += reasons
    assert (same, len(other)) == (163, 9)
    assert set(other) == set(OTHER), "these reasons are no longer needed"


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
}
ATTRIBUTES_IN_HEX = {"BGP_LS": LATER}
# What is in the wire and not in ExaBGP's JSON: a bit of binding SIDs without a meaning in RFC 9830 section 2.4.2, and that a
# label stands alone.
BINDING_UNSAID = {"flags": "16", "tc": 0, "s": 1, "ttl": 0}

# Commands of messages whose routes differ.
DIFFERENT = {
    "announce ipv6 flow destination-ipv6 2a02:b80:15:0:7aca:39ff:feae:a87a/128/0 source-ipv6 ::1/128/120 next-header =udp "
    "traffic-class =101 flow-label =2013 extended-community [rate-limit:0]": "ExaBGP's prefixes with an offset have more "
    "octets than RFC 8956 section 3.1 says, and so no typed form",
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


def their_sids(value: dict[str, Any]) -> list[dict[str, Any]]:
    """PREFIX_SID; reserved octets and flags that are zero are not in their JSON."""
    found: list[dict[str, Any]] = []
    for word, said in value.items():
        match word:
            case "sr-label-index":
                found.append({"type": "LABEL_INDEX", "value": said})
            case "sr-srgbs":
                ranges = [{"base": base, "size": size} for base, size in said]
                found.append({"type": "ORIGINATOR_SRGB", "value": {"flags": "", "ranges": ranges}})
            case "l3-service":
                found.append({"type": "SRV6_L3_SERVICE", "value": [their_sid(service) for service in said]})
    return found


def their_sid(service: dict[str, Any]) -> dict[str, Any]:
    assert service["flags"] == 0
    found = {"sid": service["sid"], "flags": "", "behavior": service["endpoint_behavior"]}
    structure = {OUR_LENGTHS[word]: number for word, number in service["structure"].items()}
    return {"type": "SID_INFORMATION", "value": found | {"tlvs": [{"type": "SID_STRUCTURE", "value": structure}]}}


OUR_LENGTHS = {
    "locator-block-length": "block",
    "locator-node-length": "node",
    "function-length": "function",
    "argument-length": "argument",
    "transposition-length": "transposition_length",
    "transposition-offset": "transposition_offset",
}


def their_tunnels(value: dict[str, Any]) -> list[dict[str, Any]]:
    """TUNNEL of an SR policy."""
    policy = value["sr-policy"]
    assert policy["binding-sid"]["type"] == "mpls"
    found: list[dict[str, Any]] = [
        {"type": "PREFERENCE", "value": {"flags": "", "preference": policy["preference"]}},
        {"type": "BINDING_SID", "value": BINDING_UNSAID | {"label": policy["binding-sid"]["label"]}},
    ]
    for listed in policy["segment-lists"]:
        segments: list[dict[str, Any]] = [{"type": "WEIGHT", "value": {"flags": "", "weight": listed["weight"]}}]
        for segment in listed["segments"]:
            entry = {name: int(segment[name]) for name in ("label", "tc", "s", "ttl")}
            segments.append({"type": segment["type"], "value": {"flags": "", "entry": entry}})
        found.append({"type": "SEGMENT_LIST", "value": segments})
    return [{"type": "SR_POLICY", "value": found}]


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
    "bgp-prefix-sid": ("PREFIX_SID", their_sids),
    "tunnel-encap": ("TUNNEL", their_tunnels),
    "bgp-ls": ("BGP_LS", same),
}


def their_nlri(family: str, nlri: dict[str, Any]) -> str:
    if family.endswith("FLOWSPEC"):
        return rule_text({THEIR_COMPONENTS[word]: tests for word, tests in nlri.items() if word in THEIR_COMPONENTS}, nlri.get("rd"))
    if family.endswith("MCAST_VPN"):
        about = [nlri.get("source-as", ""), nlri["source"], nlri["group"]]
        return f"{nlri['code']} {nlri['rd']} {' '.join(about)}"
    if family == "L2VPN/EVPNS":
        if not nlri["parsed"]:
            return str(nlri["raw"]).lower()
        esi = nlri["esi"].replace("-", "00:00:00:00:00:00:00:00:00:00")
        labels = [label for label, in nlri["label"]]
        about = [nlri["rd"], esi, nlri["ethernet-tag"], nlri["mac"].lower(), nlri.get("ip"), labels]
        return f"{nlri['code']} {' '.join(map(str, about))}"
    text = path_id(nlri) + str(ipaddress.ip_network(nlri["nlri"]))
    if "label" in nlri:
        text += f" rd {nlri.get('rd')} labels {[label for label, _ in nlri['label']]}"
    return text


THEIR_COMPONENTS = {
    "destination-ipv4": "DST",
    "destination-ipv6": "DST",
    "source-ipv4": "SRC",
    "source-ipv6": "SRC",
    "protocol": "PROTO",
    "next-header": "PROTO",
    "port": "PORT",
    "destination-port": "PORT_DST",
    "source-port": "PORT_SRC",
    "icmp-type": "ICMP_TYPE",
    "icmp-code": "ICMP_CODE",
    "tcp-flags": "TCP_FLAGS",
    "packet-length": "PKTLEN",
    "dscp": "DSCP",
    "traffic-class": "DSCP",
    "fragment": "FRAG",
    "flow-label": "LABEL",
}
# What numbers are called there.
THEIR_NUMBERS = {
    "PROTO": {"tcp": 6, "udp": 17},
    "ICMP_TYPE": {"unreachable": 3, "echo-request": 8, "echo-reply": 0},
    "ICMP_CODE": {"host-unreachable": 1, "network-unreachable": 0},
    "TCP_FLAGS": {"fin": 1, "rst": 4, "push": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128},
    "FRAG": {"is-fragment": 2, "first-fragment": 4, "last-fragment": 8},
}
SIGNS = {"ANY": "", "ALL": "=", "NONE": "!", "NOT-ALL": "!=", "==": "="}


def rule_text(components: dict[str, list[str]], rd: str | None) -> str:
    """Of ExaBGP's words, with numbers in place of names."""
    parts = [f"rd {rd}"] if rd else []
    for name, tests in sorted(components.items()):
        if name in ("DST", "SRC"):
            address, length, *offset = tests[0].split("/")
            start = "" if offset in ([], ["0"]) else f"{offset[0]}-"
            parts.append(f"{name} {address}/{start}{length}")
            continue
        numbers = THEIR_NUMBERS.get(name, {})
        shown = []
        for test in (part for text in tests for part in and_parts(text)):
            sign = test[: len(test) - len(test.lstrip("&=<>!"))]
            value = sum(numbers[part] if part in numbers else int(part) for part in test[len(sign) :].split("+"))
            shown.append(f"{sign}{value}")
        parts.append(f"{name} {' '.join(shown)}")
    return "; ".join(parts)


def and_parts(text: str) -> list[str]:
    first, *others = text.split("&")
    return [first, *("&" + other for other in others)]


def our_rule_text(rule: dict[str, Any]) -> str:
    parts = [f"rd {rule.pop('rd')}"] if "rd" in rule else []
    for name, tests in sorted(rule.items()):
        if isinstance(tests, str):
            parts.append(f"{name} {tests}")
            continue
        shown = [
            "&" * test.get("and", False) + SIGNS.get(test["op"], test["op"]) + str(int(str(test["val"]), 0)) for test in tests
        ]
        parts.append(f"{name} {' '.join(shown)}")
    return "; ".join(parts)


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
        elif name == "IPV6_EXT_COMMUNITY":
            found[name] = [ipv6_community(entry) for entry in value]
        elif name == "AGGREGATOR":
            found[name] = f"{value['asn']}:{value['addr']}"
        else:
            found[name] = value
    return routes, found


IPV6_COMMUNITIES = {name: code for code, name in IPV6_EXT_COMMUNITIES.items()}


def ipv6_community(entry: dict[str, str]) -> str:
    """Its octets (RFC 5701 section 2)."""
    address, _, number = entry["value"].rpartition(":")
    return f"{IPV6_COMMUNITIES[entry['type']]:04x}{ipaddress.ip_address(address).packed.hex()}{int(number):04x}"


MCAST_VPN_CODES = {"SOURCE_ACTIVE_AD": 5, "SHARED_TREE_JOIN": 6, "SOURCE_TREE_JOIN": 7}


def our_nlri(mp: dict[str, Any]) -> Iterator[str]:
    yield from mp.get("prefixes", [])
    for rule in mp.get("rules", []):
        yield our_rule_text(rule)
    for nlri in mp.get("nlri", []):
        if mp["af"].endswith("MCAST_VPN"):
            about = [str(nlri.get("source_as", "")), nlri["source"], nlri["group"]]
            yield f"{MCAST_VPN_CODES[nlri['type']]} {nlri['rd']} {' '.join(about)}"
        elif nlri.get("type") == "MAC_IP":
            labels = [int(str(label), 0) for label in nlri["labels"]]
            about = [nlri["rd"], nlri["esi"], nlri["etag"], nlri["mac"], nlri.get("ip"), labels]
            yield f"2 {' '.join(map(str, about))}"
        elif "type" in nlri:
            assert nlri["type"] == 8, "LEAVE_SYNCH, which ExaBGP does not fill as RFC 9251 section 9.3 does"
            yield f"08{len(nlri['value']) // 2 - 1:02x}{nlri['value'][2:]}"
        else:
            path_id = f"#{nlri['path_id']}#" if "path_id" in nlri else ""
            yield f"{path_id}{nlri['prefix']} rd {nlri.get('rd')} labels {nlri['labels']}"
    if "data" in mp:
        yield "data " + mp["data"]


def test_their_json_says_the_same() -> None:
    compared, different = 0, set()
    for pair in pairs():
        if pair.kind == "decoding:nlri bgp-ls bgp-ls":
            continue  # an NLRI alone
        (their_routes, their_values), (our_routes, our_values) = theirs(pair), ours(pair)
        # What ExaBGP leaves out: an empty path, and the next hop where routes say it.
        if our_values.get("ASPATH") == []:
            del our_values["ASPATH"]
        if "NEXTHOP" not in their_values:
            our_values.pop("NEXTHOP", None)
        if our_routes != their_routes:
            assert pair.command in DIFFERENT, f"{pair.command}: {our_routes} {their_routes}"
            different.add(pair.command)
        assert our_values.keys() == their_values.keys(), pair
        for name, value in our_values.items():
            assert name in ATTRIBUTES_IN_HEX or value == their_values[name], pair
        compared += 1
    assert compared == 187
    assert different == set(DIFFERENT), "these reasons are no longer needed"


# ---- what ExaBGP makes of our lines ----------------------------------------------------------------------------------

PYTHON = "/usr/bin/python3"  # Debian's, which Debian's ExaBGP is for
SCRIPT = Path(__file__).with_name("exabgp_sends.py")


def answers_of_exabgp(*words: str | Path, lines: list[str]) -> list[str]:
    """What its Python says to each line."""
    try:
        found = subprocess.run([PYTHON, "-c", "import exabgp.reactor"], check=False, cwd="/", capture_output=True).returncode
    except OSError:
        found = 1
    if found:
        pytest.skip("no ExaBGP: apt install exabgp")
    text = "".join(line + "\n" for line in lines)
    done = subprocess.run([PYTHON, *words], input=text, capture_output=True, text=True, check=True, cwd="/")
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines), done.stderr
    return answers


def sent_by_exabgp(lines: list[str]) -> list[list[bytes]]:
    """The messages that ExaBGP sends for each line."""
    answers = answers_of_exabgp(SCRIPT, lines=lines)
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
        if encoder.skipped or "eor" in made[0]:
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


def test_exabgp_sends_the_routes_of_other_families() -> None:
    """Labelled, of VPNs, and flow routes with their actions: ExaBGP 4.2 has no words for the others."""
    lines, wanted = [], []
    for pair in pairs():
        if not pair.command.startswith("announce") or " unicast" in pair.json:
            continue
        message = Msg(pair.wire, context=SessionContext(addpath=["IPV4/MPLS_VPN"] if "path-information" in pair.json else []))
        out = Buffer()
        ExaEncoder().encode(collect([message]), out)
        for line in bytes(out).decode().splitlines():
            if line.split()[1] in ("route", "flow"):
                lines.append(line)
                wanted.append(message)
    assert len(lines) > 35
    for line, answer, message in zip(lines, sent_by_exabgp(lines), wanted, strict=True):
        assert len(answer) == 1, line
        sent = Msg(answer[0], context=message.context)
        theirs, ours = (json.loads(each.to_json())[4]["attrs"] for each in (sent, message))
        for name in ("MP_REACH", "COMMUNITY", "EXT_COMMUNITY"):
            assert theirs.get(name, {}).get("value") == ours.get(name, {}).get("value"), line


# ---- route targets: it alone knows the default -----------------------------------------------------------------------

ROUTE_TARGETS = """
import sys
from exabgp.bgp.message.update.nlri.rtc import RTC
from exabgp.protocol.family import AFI, SAFI
for line in sys.stdin:
    nlri, rest = RTC.unpack_nlri(AFI.ipv4, SAFI.rtc, bytes.fromhex(line), None, None)
    print(str(nlri).replace("L", ""), rest.hex())
"""
TARGETS: list[tuple[dict[str, Any], str]] = [
    ({"length": 0}, "rtc wildcard"),
    ({"origin": 65000, "target": "65000:4294967295"}, "rtc 65000:target:65000:4294967295"),
    ({"origin": 4200000000, "target": "192.0.2.1:7"}, "rtc 4200000000:target:192.0.2.1:7"),
    ({"origin": 65000, "target": "70000:1"}, "rtc 65000:target:70000:1"),
]


def test_route_targets_as_exabgp_reads_them() -> None:
    wires = []
    for nlri, _ in TARGETS:
        unreach = Update(mp_unreach={"af": "IPV4/ROUTE_TARGET", "nlri": [nlri]}).msg.wire
        wires.append(unreach[unreach.index(b"\0\1\x84") + 3 :])
    answers = answers_of_exabgp("-c", ROUTE_TARGETS, lines=[wire.hex() for wire in wires])
    assert [answer.rstrip() for answer in answers] == [text for _, text in TARGETS]
