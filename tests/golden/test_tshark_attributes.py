"""Made path attributes of every typed form against tshark's dissector: each field as it shows it.

What it does not read, or reads as drafts once had it, is in `UNREAD` with the reason, by form; where it reads such a form the way we
do, a test says that the reason is no longer needed.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import tshark
from bgpipe import Update, names
from chance import Chance

pytestmark = tshark.needed()

Json = Any
Fields = dict[str, list[Any]]
Form = Callable[[Chance], tuple[str, Json, Fields]]
MESSAGES = 6  # of each form

A, EXT, TLV = "bgp.update.path_attribute", "bgp.ext_com", "bgp.update.encaps_tunnel_tlv_subtlv"
SEGMENT, PMSI, SID = f"{TLV}.segment_list_subtlv", f"{A}.pmsi", "bgp.prefix_sid"
LABEL = f"{A}.mpls_label_value_20bits"
PROBLEM = "_ws.expert.severity"
UNKNOWN = "bgp.update.path_attributes.unknown"


def code_of(table: dict[int, str], name: str) -> int:
    return next(code for code, text in table.items() if text == name)


# ---- extended communities --------------------------------------------------------------------------------------------

EXPERIMENTAL = {0x80: "exp", 0x81: "exp_2", 0x82: "exp_3"}
SUBTYPES = {0x00: "as2", 0x01: "IP4", 0x02: "as4", 0x03: "opaque", 0x06: "evpn"} | EXPERIMENTAL
RAW = f"{EXT}.value_raw"


def raw(octets: str) -> Fields:
    return {RAW: [int(octets, 16)]}


def as2(chance: Chance) -> tuple[str, Fields]:
    asn, number = chance.randrange(2**16), chance.randrange(2**32)
    return f"{asn}:{number}", {f"{EXT}.value_as2": [asn], f"{EXT}.value_an4": [number]}


def ip4(chance: Chance) -> tuple[str, Fields]:
    address, number = chance.ip(1), chance.randrange(2**16)
    return f"{address}:{number}", {f"{EXT}.value_IP4": [address], f"{EXT}.value_an2": [number]}


def as4(chance: Chance) -> tuple[str, Fields]:
    asn, number = chance.randrange(2**32), chance.randrange(2**16)
    return f"{asn}:{number}", {f"{EXT}.value_as4": [asn], f"{EXT}.value_an2": [number]}


def bandwidth(chance: Chance) -> tuple[str, Fields]:
    asn, rate = chance.randrange(2**16), chance.randrange(2**20) * 1000
    (rate,) = struct.unpack(">f", struct.pack(">f", rate))
    return f"{asn}:{int(rate)}", {f"{EXT}.value_as2": [asn], f"{EXT}.value_link_bw": [rate]}


def ospf_router(chance: Chance) -> tuple[str, Fields]:
    address = chance.ip(1)
    return f"{address}:0", {f"{EXT}.value_ospf_rid": [address]}


def ospf_route(chance: Chance) -> tuple[str, Fields]:
    area, kind, options = chance.ip(1), chance.randrange(256), chance.randrange(256)
    found: Fields = {f"{EXT}.value_ospf_rtype.area": [area], f"{EXT}.value_ospf_rtype.type": [kind]}
    return f"{area}:{kind}:{options}", found | {f"{EXT}.value_ospf_rtype.options": [options]}


def cost(chance: Chance) -> tuple[str, Fields]:
    point, number, value = chance.randrange(256), chance.randrange(256), chance.randrange(2**32)
    found: Fields = {f"{EXT}_cost.poi": [point], f"{EXT}_cost.cid": [number], f"{EXT}_cost.cost": [value]}
    return f"{point}:{number}:{value}", found


def color(chance: Chance) -> tuple[str, Fields]:
    number, bits = chance.randrange(2**32), chance.randrange(4)
    return f"{bits}:{number}" if bits else str(number), raw(f"{bits << 14:04x}{number:08x}")


def encapsulation(chance: Chance) -> tuple[str, Fields]:
    code = chance.choice(list(names.TUNNEL_TYPES))
    return names.TUNNEL_TYPES[code], {f"{EXT}.tunnel_type": [code]}


def validation(chance: Chance) -> tuple[str, Fields]:
    code = chance.choice(list(names.VALIDATION_STATES))
    return names.VALIDATION_STATES[code], raw(f"{code:x}")


def mobility(chance: Chance) -> tuple[str, Fields]:
    sticky, number = chance.randrange(2), chance.randrange(2**32)
    found: Fields = {f"{EXT}_evpn.mmac.flags.sticky": [sticky], f"{EXT}_evpn.mmac.seq": [number]}
    return f"STICKY:{number}" if sticky else str(number), found


def esi_label(chance: Chance) -> tuple[str, Fields]:
    single, label = chance.randrange(2), chance.randrange(2**20)
    kind = "SINGLE_ACTIVE" if single else "ALL_ACTIVE"
    return f"{kind}:{label}", {f"{EXT}_l2.esi_label_flag": [single], LABEL: [label]}


def mac(field: str) -> Callable[[Chance], tuple[str, Fields]]:
    def made(chance: Chance) -> tuple[str, Fields]:
        address = chance.octets(6)
        return address, {f"{EXT}_evpn.esi.{field}": [address]}

    return made


def flow_rate(chance: Chance) -> tuple[str, Fields]:
    asn, rate = chance.randrange(2**16), float(chance.randrange(2**20))
    text = f"0x{asn << 32 | int.from_bytes(struct.pack('>f', rate)):x}"
    return text, {f"{EXT}.value_as2": [asn], f"{EXT}_flow.rate_limit": [rate]}


def flow_action(chance: Chance) -> tuple[str, Fields]:
    bits = chance.randrange(4)
    return f"0x{bits:x}", {f"{EXT}_flow.sample": [bits >> 1], f"{EXT}_flow.traff_act": [bits & 1]}


def flow_dscp(chance: Chance) -> tuple[str, Fields]:
    number = chance.randrange(64)
    return f"0x{number:x}", {f"{EXT}.value_fs_dscp": [number]}


def layer2(chance: Chance) -> tuple[str, Fields]:
    flags, mtu = chance.randrange(32), chance.randrange(2**16)
    found: Fields = {f"{EXT}_evpn.l2attr.flags": [flags], f"{EXT}_evpn.l2attr.l2_mtu": [mtu]}
    return f"0x{flags << 32 | mtu << 16:x}", found


def etree(chance: Chance) -> tuple[str, Fields]:
    leaf, label = chance.randrange(2), chance.randrange(2**20)
    text = f"0x{leaf << 40 | label << 4:x}"
    return text, {f"{EXT}_evpn.etree.flag_l": [leaf], LABEL: [label]}


def layer2_info(chance: Chance) -> tuple[str, Fields]:
    kind, flags, mtu = chance.randrange(256), chance.randrange(256), chance.randrange(2**16)
    found: Fields = {f"{EXT}_l2.encaps_type": [kind], f"{EXT}_l2.c_flags": [flags], f"{EXT}_l2.l2_mtu": [mtu]}
    return f"0x{kind << 40 | flags << 32 | mtu << 16:x}", found


def etree_info(chance: Chance) -> tuple[str, Fields]:
    root, leaf, flags = chance.randrange(2**12), chance.randrange(2**12), chance.randrange(4)
    found: Fields = {f"{EXT}_etree.{name}_vlan": [vlan] for name, vlan in (("root", root), ("leaf", leaf))}
    return f"0x{root << 32 | leaf << 16 | flags:x}", found | {f"{EXT}_etree.flags": [flags]}


def six_octets(chance: Chance) -> tuple[str, Fields]:
    number = chance.randrange(2**48)
    return f"0x{number:x}", raw(f"{number:x}")


def target_of_instance(low: int, address: bool = False) -> Callable[[Chance], tuple[str, Fields]]:
    def made(chance: Chance) -> tuple[str, Fields]:
        head, number = chance.randrange(256 ** (6 - low)), chance.randrange(256**low)
        text = str(ipaddress.ip_address(head)) if address else str(head)
        return f"{text}:{number}", raw(f"{head << 8 * low | number:x}")

    return made


FAMILIES = {0x00: as2, 0x01: ip4, 0x02: as4}
VALUES: dict[str, Callable[[Chance], tuple[str, Fields]]] = {
    "FLOW_REDIRECT_AS2": as2,
    "FLOW_REDIRECT_IP4": ip4,
    "FLOW_REDIRECT_AS4": as4,
    "LINK_BANDWIDTH": bandwidth,
    "OSPF_ROUTER_ID": ospf_router,
    "OSPF_ROUTE_TYPE": ospf_route,
    "COST": cost,
    "COLOR": color,
    "ENCAPSULATION": encapsulation,
    "VALIDATION_STATE": validation,
    "MAC_MOBILITY": mobility,
    "ESI_LABEL": esi_label,
    "ES_IMPORT": mac("rt"),
    "ROUTERS_MAC": mac("router_mac"),
    "EVI_RT_TYPE_0": target_of_instance(4),
    "EVI_RT_TYPE_1": target_of_instance(2, address=True),
    "EVI_RT_TYPE_2": target_of_instance(2),
    "FLOW_RATE_BYTES": flow_rate,
    "FLOW_ACTION": flow_action,
    "FLOW_DSCP": flow_dscp,
    "LAYER2_ATTRIBUTES": layer2,
    "ETREE": etree,
    "LAYER2_INFO": layer2_info,
    "ETREE_INFO": etree_info,
}
# Those that it knows by the type with the bit for "not transitive" alone.
NONTRANSITIVE = ("LINK_BANDWIDTH", "VALIDATION_STATE")


def community(kind: int, name: str) -> Form:
    def made(chance: Chance) -> tuple[str, Json, Fields]:
        text, found = VALUES.get(name, FAMILIES.get(kind >> 8, six_octets))(chance)
        value = {"type": name, "value": text}
        high = kind >> 8
        subtype = f"{EXT}.stype_tr_{SUBTYPES[high]}" if high in SUBTYPES else ""
        if name in NONTRANSITIVE:
            value |= {"nontransitive": True}
            high |= 0x40
            subtype = subtype.replace("_tr_", "_ntr_")
        found = found | {f"{EXT}.type": [high]} | ({subtype: [kind & 0xFF]} if subtype else {})
        return "EXT_COMMUNITY", [value], found

    return made


# ---- others ----------------------------------------------------------------------------------------------------------


def segments(name: str) -> Form:
    def made(chance: Chance) -> tuple[str, Json, Fields]:
        runs = [[chance.randrange(2**32) for _ in range(chance.randrange(1, 5))] for _ in range(4)]
        value = [*runs[0], {"confed_seq": runs[1]}, {"confed_set": runs[2]}, runs[3]]
        found: Fields = {f"{A}.as_path_segment.type": [2, 3, 4, 1], f"{A}.as_path_segment.as4": [*itertools.chain(*runs)]}
        return name, value, found

    return made


def large(chance: Chance) -> tuple[str, Json, Fields]:
    parts = [[chance.randrange(2**32) for _ in range(3)] for _ in range(3)]
    found = {f"bgp.large_communities.{name}": [part[i] for part in parts] for i, name in enumerate(("ga", "ldp1", "ldp2"))}
    return "LARGE_COMMUNITY", [":".join(map(str, part)) for part in parts], found


def aigp(chance: Chance) -> tuple[str, Json, Fields]:
    metric = chance.randrange(2**64)
    return "AIGP", metric, {"bgp.update.attribute.aigp.type": [1], "bgp.update.attribute.aigp.accu_igp_metric": [metric]}


def pmsi(kind: str, identifier: Callable[[Chance], tuple[Json, Fields]]) -> Form:
    def made(chance: Chance) -> tuple[str, Json, Fields]:
        shown, found = identifier(chance)
        label, leaf = chance.randrange(2**20), chance.randrange(2)
        value = {"flags": "L" if leaf else "", "type": kind, "label": label, "vni": label << 4}
        if shown is not None:
            value["id"] = shown
        code = code_of(names.PMSI_TUNNELS, kind)
        found = found | {f"{PMSI}.tunnel.flags": [leaf], f"{PMSI}.tunnel.type": [code], LABEL: [label]}
        return "PMSI_TUNNEL", value, found

    return made


def no_identifier(chance: Chance) -> tuple[Json, Fields]:
    return None, {}


def rsvp(chance: Chance) -> tuple[Json, Fields]:
    """RFC 6514 section 5 has the parts in this order; tshark calls them by that of RFC 4875 section 19.1.1: P2MP ID first."""
    extended, tunnel, number = chance.ip(1), chance.randrange(2**16), chance.ip(1)
    found: Fields = {f"{PMSI}.rsvp.id": [extended], f"{PMSI}.rsvp.tunnel_id": [tunnel]}
    found |= {f"{PMSI}.rsvp.ext_tunnel_idv4": [number]}
    return {"extended_tunnel": extended, "tunnel": tunnel, "p2mp": int(ipaddress.ip_address(number))}, found


def mldp(fec: int, afi: int) -> Callable[[Chance], tuple[Json, Fields]]:
    def made(chance: Chance) -> tuple[Json, Fields]:
        root, number = chance.ip(afi), chance.randrange(2**32)
        found: Fields = {f"{PMSI}.mldp.fec.type": [fec], f"{PMSI}.mldp.fec.root_nodev{2 + 2 * afi}": [root]}
        found |= {f"{PMSI}.mldp.fec.opaque_value_unique_id_rn": [number]}
        return {"fec": fec, "root": root, "opaque": f"0x010004{number:08x}"}, found

    return made


def pim(source: str, group: str, afi: int = 1) -> Callable[[Chance], tuple[Json, Fields]]:
    def made(chance: Chance) -> tuple[Json, Fields]:
        addresses = {"source": chance.ip(afi), "group": chance.ip(afi)}
        return addresses, {f"{PMSI}.{source}": [addresses["source"]], f"{PMSI}.{group}": [addresses["group"]]}

    return made


def endpoint(afi: int) -> Callable[[Chance], tuple[Json, Fields]]:
    def made(chance: Chance) -> tuple[Json, Fields]:
        address = chance.ip(afi)
        return address, {f"{PMSI}.ingress_rep_ip": [address]}

    return made


def bier(chance: Chance) -> tuple[Json, Fields]:
    return {"subdomain": chance.randrange(256), "bfr": chance.randrange(2**16), "prefix": chance.ip(1)}, {}


def tunnel(kind: str, sub: str, made: Callable[[Chance], tuple[Json, Fields]]) -> Form:
    def whole(chance: Chance) -> tuple[str, Json, Fields]:
        value, found = made(chance)
        found = found | {"bgp.update.encaps_tunnel_tlv_type": [code_of(names.TUNNEL_TYPES, kind)]}
        found |= {"bgp.update.encaps_tunnel_subtlv_type": [code_of(names.TUNNEL_TLVS, sub)]}
        return "TUNNEL", [{"type": kind, "value": [{"type": sub, "value": value}]}], found

    return whole


def session_and_cookie(chance: Chance) -> tuple[Json, Fields]:
    session, cookie = chance.randrange(2**32), chance.octets(8).replace(":", "")
    found: Fields = {f"{TLV}_session_id": [session], f"{TLV}_cookie": [cookie]}
    return {"session": session, "cookie": f"0x{cookie}"}, found


def key(chance: Chance) -> tuple[Json, Fields]:
    number = chance.randrange(2**32)
    return number, {f"{TLV}_gre_key": [number]}


def virtual_network(field: str) -> Callable[[Chance], tuple[Json, Fields]]:
    def made(chance: Chance) -> tuple[Json, Fields]:
        bits, vni, address = chance.randrange(4), chance.randrange(2**24), chance.octets(6)
        found: Fields = {f"{TLV}.{field}.flags": [bits << 6], f"{TLV}.{field}.vnid": [vni], f"{TLV}.{field}.mac": [address]}
        return {"flags": "V" * (bits >> 1) + "M" * (bits & 1), "vni": vni, "mac": address}, found

    return made


def number(bits: int, field: str = f"{TLV}.value") -> Callable[[Chance], tuple[Json, Fields]]:
    def made(chance: Chance) -> tuple[Json, Fields]:
        value = chance.randrange(2**bits)
        return value, {field: [value.to_bytes(bits // 8).hex() if field.endswith("value") else value]}

    return made


def tunnel_color(chance: Chance) -> tuple[Json, Fields]:
    value = chance.randrange(2**32)
    return value, {f"{TLV}_color_value": [value]}


def tunnel_endpoint(chance: Chance) -> tuple[Json, Fields]:
    afi = chance.choice([1, 2])
    address = chance.ip(afi)
    return address, {f"{TLV}.value": [f"00000000{afi:04x}{ipaddress.ip_address(address).packed.hex()}"]}


def label_entry(chance: Chance) -> tuple[Json, str]:
    label, tc, bottom, ttl = chance.randrange(2**20), chance.randrange(8), chance.randrange(2), chance.randrange(256)
    return {"label": label, "tc": tc, "s": bottom, "ttl": ttl}, f"{label << 12 | tc << 9 | bottom << 8 | ttl:08x}"


def label_stack(chance: Chance) -> tuple[Json, Fields]:
    entries = [label_entry(chance) for _ in range(3)]
    return [entry for entry, _ in entries], {f"{TLV}.value": ["".join(octets for _, octets in entries)]}


def nested_sid(chance: Chance) -> tuple[Json, Fields]:
    index = chance.randrange(2**32)
    return [{"type": "LABEL_INDEX", "value": index}], {f"{TLV}.value": [f"010007000000{index:08x}"]}


def preference(chance: Chance) -> tuple[Json, Fields]:
    value, flags = chance.randrange(2**32), chance.randrange(1, 256)
    found: Fields = {f"{TLV}.pref.flags": [flags], f"{TLV}.pref.preference": [f"{value:08x}"]}
    return {"flags": str(flags), "preference": value}, found


def binding_label(chance: Chance) -> tuple[Json, Fields]:
    entry, octets = label_entry(chance)
    found: Fields = {f"{TLV}.binding_sid.flags.specified": [1], f"{TLV}.binding_sid.flags.invalid": [0]}
    return {"flags": "S"} | entry, found | {f"{TLV}.binding_sid.sid": [octets]}


def binding_sid(chance: Chance) -> tuple[Json, Fields]:
    sid = chance.ip(2)
    found: Fields = {f"{TLV}.binding_sid.flags.specified": [0], f"{TLV}.binding_sid.flags.invalid": [1]}
    return {"flags": "I", "sid": sid}, found | {f"{TLV}.binding_sid.sid": [ipaddress.ip_address(sid).packed.hex()]}


def entropy(chance: Chance) -> tuple[Json, Fields]:
    value = chance.randrange(256)
    return {"flags": "", "enlp": value}, {f"{TLV}.enlp.flags": [0], f"{TLV}.enlp.preference": [value]}


def priority(chance: Chance) -> tuple[Json, Fields]:
    value = chance.randrange(256)
    return {"priority": value}, {f"{TLV}.priority.priority": [value]}


def service_path(chance: Chance) -> tuple[Json, Fields]:
    spi, si = chance.randrange(2**24), chance.randrange(256)
    return {"spi": spi, "si": si}, {f"{TLV}.value": [f"{spi:06x}{si:02x}"]}


def structure(chance: Chance) -> dict[str, int]:
    return {name: chance.randrange(128) for name in ("block", "node", "function", "argument")}


def srv6_binding(chance: Chance) -> tuple[Json, Fields]:
    sid, lengths = chance.ip(2), structure(chance)
    octets = f"4000{ipaddress.ip_address(sid).packed.hex()}00130000{bytes(lengths.values()).hex()}"
    return {"flags": "I", "sid": sid, "structure": {"behavior": "END_DT4"} | lengths}, {f"{TLV}.value": [octets]}


def text(chance: Chance) -> tuple[Json, Fields]:
    name = "".join(chance.choice("abcxyz") for _ in range(8))
    return {"name": name}, {f"{TLV}.policy_name.name": [name]}


def segment_list(chance: Chance) -> tuple[Json, Fields]:
    weight = chance.randrange(2**32)
    value: Json = [{"type": "WEIGHT", "value": {"flags": "", "weight": weight}}]
    found: Fields = {f"{TLV}.segment_list.subtlv.type": [9], f"{TLV}.segment_list.subtlv.data": [f"0000{weight:08x}"]}
    fields = ("flags.verification", "flags.algorithm", "traffic_class", "bottom_stack", "ttl")
    found |= {f"{SEGMENT}.{field}": [] for field in fields}
    for _ in range(3):
        entry, _octets = label_entry(chance)
        bits = chance.randrange(4)
        value.append({"type": "A", "value": {"flags": "V" * (bits >> 1) + "A" * (bits & 1), "entry": entry}})
        found[f"{TLV}.segment_list.subtlv.type"].append(1)
        shown = (bits >> 1, bits & 1, entry["tc"], entry["s"], entry["ttl"])
        for field, part in zip(fields, shown, strict=True):
            found[f"{SEGMENT}.{field}"].append(part)
    return value, found


def srv6_segments(chance: Chance) -> tuple[Json, Fields]:
    sid, lengths = chance.ip(2), structure(chance)
    octets = f"8000{ipaddress.ip_address(sid).packed.hex()}00130000{bytes(lengths.values()).hex()}"
    value = {"flags": "V", "sid": sid, "structure": {"behavior": "END_DT4"} | lengths}
    found: Fields = {f"{TLV}.segment_list.subtlv.type": [13], f"{TLV}.segment_list.subtlv.data": [octets]}
    return [{"type": "B", "value": value}], found


def label_index(chance: Chance) -> tuple[str, Json, Fields]:
    index, flags = chance.randrange(2**32), chance.randrange(1, 2**16)
    value = {"flags": str(flags), "index": index}
    found: Fields = {f"{SID}.type": [1], f"{SID}.label_index.value": [index], f"{SID}.label_index.flags": [flags]}
    return "PREFIX_SID", [{"type": "LABEL_INDEX", "value": value}], found


def global_block(chance: Chance) -> tuple[str, Json, Fields]:
    ranges = [{"base": chance.randrange(2**24), "size": chance.randrange(2**24)} for _ in range(3)]
    found: Fields = {f"{SID}.type": [3], f"{SID}.originator_srgb_base": [r["base"] for r in ranges]}
    found |= {f"{SID}.originator_srgb_range": [r["size"] for r in ranges]}
    return "PREFIX_SID", [{"type": "ORIGINATOR_SRGB", "value": {"flags": "", "ranges": ranges}}], found


LENGTHS = ("locator_block_len", "locator_node_len", "func_len", "arg_len", "trans_len", "trans_offset")


def srv6_service(layer: int) -> Form:
    def made(chance: Chance) -> tuple[str, Json, Fields]:
        code, sid = chance.choice(list(names.SRV6_BEHAVIORS)), chance.ip(2)
        lengths = structure(chance) | {f"transposition_{part}": chance.randrange(128) for part in ("length", "offset")}
        at = f"{SID}.srv6_l{layer}vpn"
        found: Fields = {f"{SID}.type": [8 - layer], f"{at}.sub_tlv.type": [1], f"{at}.sub_sub_tlv.type": [1]}
        found |= {f"{at}.sid_value": [sid], f"{at}.srv6_endpoint_behavior": [code], f"{at}.sid_flags": [0]}
        found |= {f"{at}.sid.{name}": [length] for name, length in zip(LENGTHS, lengths.values(), strict=True)}
        value = {"sid": sid, "flags": "", "behavior": names.SRV6_BEHAVIORS[code]}
        value |= {"tlvs": [{"type": "SID_STRUCTURE", "value": lengths}]}
        service = [{"type": "SID_INFORMATION", "value": value}]
        return "PREFIX_SID", [{"type": f"SRV6_L{layer}_SERVICE", "value": service}], found

    return made


def attributes_of_others(chance: Chance) -> tuple[str, Json, Fields]:
    asn, path, med = chance.randrange(2**32), [chance.randrange(2**32) for _ in range(3)], chance.randrange(2**32)
    attrs = {"ASPATH": {"flags": "T", "value": path}, "MED": {"flags": "O", "value": med}}
    found: Fields = {f"{A}.attr_set.origin_as": [asn], f"{A}.as_path_segment.as4": path, f"{A}.multi_exit_disc": [med]}
    return "SET", {"asn": asn, "attrs": attrs}, found


def signed_path(chance: Chance) -> tuple[str, Json, Fields]:
    asns, flags = [chance.randrange(2**32) for _ in range(2)], [chance.randrange(2) for _ in range(2)]
    counts = [chance.randrange(256) for _ in range(2)]
    path = [{"pcount": n, "flags": "C" * f, "asn": a} for n, f, a in zip(counts, flags, asns, strict=True)]
    keys, signatures = ([chance.octets(size).replace(":", "") for _ in range(2)] for size in (20, 70))
    parts = [{"ski": f"0x{k}", "signature": f"0x{s}"} for k, s in zip(keys, signatures, strict=True)]
    at = f"{A}.bgpsec"
    found: Fields = {f"{at}.sps.pcount": counts, f"{at}.sps.flags": [f << 7 for f in flags], f"{at}.sps.as": asns}
    found |= {f"{at}.sb.algo_id": [1], f"{at}.ss.ski": keys, f"{at}.ss.sig": signatures}
    return "BGPSEC_PATH", {"path": path, "signatures": [{"algorithm": 1, "segments": parts}]}, found


def domains(count: int) -> Form:
    def made(chance: Chance) -> tuple[str, Json, Fields]:
        parts = [{"asn": chance.randrange(2**32), "id": chance.randrange(2**16), "safi": "EVPNS"} for _ in range(count)]
        at = "bgp.update.attribute.dpath"
        found: Fields = {f"{at}.ga": [part["asn"] for part in parts], f"{at}.la": [part["id"] for part in parts]}
        return "DPATH", [parts], found | {f"{at}.isf.safi": [70] * count}

    return made


def not_known(name: str, value: Callable[[Chance], Json]) -> Form:
    return lambda chance: (name, value(chance), {UNKNOWN: []})


def ipv6_community(name: str) -> Form:
    return not_known("IPV6_EXT_COMMUNITY", lambda chance: [{"type": name, "value": f"{chance.ip(2)}:{chance.randrange(2**16)}"}])


TUNNELS = {
    ("L2TPV3", "ENCAPSULATION"): session_and_cookie,
    ("GRE", "ENCAPSULATION"): key,
    ("MPLS_IN_GRE", "ENCAPSULATION"): key,
    ("VXLAN", "ENCAPSULATION"): virtual_network("vxlan"),
    ("NVGRE", "ENCAPSULATION"): virtual_network("nvgre"),
    ("GRE", "PROTOCOL_TYPE"): number(16, f"{TLV}_gre_key"),
    ("VXLAN", "COLOR"): tunnel_color,
    ("MPLS", "LOAD_BALANCING_BLOCK"): number(16, f"{TLV}_lb_block_length"),
    ("VXLAN", "EGRESS_ENDPOINT"): tunnel_endpoint,
    ("GRE", "DS_FIELD"): number(8),
    ("VXLAN", "UDP_DESTINATION_PORT"): number(16),
    ("VXLAN", "EMBEDDED_LABEL"): number(8),
    ("ANY_ENCAPSULATION", "MPLS_LABEL_STACK"): label_stack,
    ("MPLS_IN_UDP", "PREFIX_SID"): nested_sid,
    ("SR_POLICY", "PREFERENCE"): preference,
    ("SR_POLICY", "BINDING_SID"): binding_label,
    ("SR_POLICY", "ENLP"): entropy,
    ("SR_POLICY", "PRIORITY"): priority,
    ("GENEVE", "SPI_SI"): service_path,
    ("SR_POLICY", "SRV6_BINDING_SID"): srv6_binding,
    ("SR_POLICY", "SEGMENT_LIST"): segment_list,
    ("SR_POLICY", "CANDIDATE_PATH_NAME"): text,
    ("SR_POLICY", "POLICY_NAME"): text,
}
FORMS: dict[str, Form] = {
    "ASPATH": segments("ASPATH"),
    "AS4PATH": segments("AS4PATH"),
    "LARGE_COMMUNITY": large,
    "AIGP": aigp,
    "PMSI_TUNNEL NO_TUNNEL": pmsi("NO_TUNNEL", no_identifier),
    "PMSI_TUNNEL RSVP_TE_P2MP": pmsi("RSVP_TE_P2MP", rsvp),
    "PMSI_TUNNEL MLDP_P2MP": pmsi("MLDP_P2MP", mldp(6, 1)),
    "PMSI_TUNNEL MLDP_P2MP IPv6": pmsi("MLDP_P2MP", mldp(6, 2)),
    "PMSI_TUNNEL MLDP_MP2MP": pmsi("MLDP_MP2MP", mldp(8, 1)),
    "PMSI_TUNNEL PIM_SSM": pmsi("PIM_SSM", pim("pimssm.root_node", "pimssm.pmulticast_group")),
    "PMSI_TUNNEL PIM_SM": pmsi("PIM_SM", pim("pimsm.sender_address", "pimsm.pmulticast_group")),
    "PMSI_TUNNEL PIM_SM IPv6": pmsi("PIM_SM", pim("pimsm.sender_address", "pimsm.pmulticast_group", 2)),
    "PMSI_TUNNEL BIDIR_PIM": pmsi("BIDIR_PIM", pim("bidir_pim_tree.sender", "bidir_pim_tree.pmulticast_group")),
    "PMSI_TUNNEL INGRESS_REPLICATION": pmsi("INGRESS_REPLICATION", endpoint(1)),
    "PMSI_TUNNEL INGRESS_REPLICATION IPv6": pmsi("INGRESS_REPLICATION", endpoint(2)),
    "PMSI_TUNNEL ASSISTED_REPLICATION": pmsi("ASSISTED_REPLICATION", endpoint(1)),
    "PMSI_TUNNEL BIER": pmsi("BIER", bier),
    **{f"TUNNEL {kind} {sub}": tunnel(kind, sub, made) for (kind, sub), made in TUNNELS.items()},
    "TUNNEL SR_POLICY BINDING_SID IPv6": tunnel("SR_POLICY", "BINDING_SID", binding_sid),
    "TUNNEL SR_POLICY SEGMENT_LIST SRv6": tunnel("SR_POLICY", "SEGMENT_LIST", srv6_segments),
    "PREFIX_SID LABEL_INDEX": label_index,
    "PREFIX_SID ORIGINATOR_SRGB": global_block,
    "PREFIX_SID SRV6_L3_SERVICE": srv6_service(3),
    "PREFIX_SID SRV6_L2_SERVICE": srv6_service(2),
    "SET": attributes_of_others,
    "BGPSEC_PATH": signed_path,
    "DPATH": domains(1),
    "DPATH of two": domains(2),
    "OTC": not_known("OTC", lambda chance: chance.randrange(2**32)),
    "PE_DISTING": not_known("PE_DISTING", lambda chance: [{"pe": chance.ip(1), "label": 5, "vni": 80}]),
    "BFD_DISCRIMINATOR": not_known("BFD_DISCRIMINATOR", lambda chance: {"mode": "P2MP", "discriminator": 5}),
    "RCA": not_known("RCA", lambda chance: {"af": "IPV4/UNICAST", "nexthop": chance.ip(1), "capabilities": []}),
    **{f"IPV6_EXT_COMMUNITY {name}": ipv6_community(name) for name in names.IPV6_EXT_COMMUNITIES.values()},
    **{f"EXT_COMMUNITY {name}": community(kind, name) for kind, name in names.EXT_COMMUNITIES.items()},
}
NOT_KNOWN = "it does not know the attribute"
IPV4_ALONE = "it reads IPv4 addresses alone"
UNREAD = {
    "OTC": NOT_KNOWN,
    "PE_DISTING": NOT_KNOWN,
    "BFD_DISCRIMINATOR": NOT_KNOWN,
    "RCA": NOT_KNOWN,
    **{f"IPV6_EXT_COMMUNITY {name}": NOT_KNOWN for name in names.IPV6_EXT_COMMUNITIES.values()},
    "PMSI_TUNNEL MLDP_P2MP IPv6": "it takes an IPv6 address out of four octets",
    "PMSI_TUNNEL PIM_SM IPv6": IPV4_ALONE,
    "PMSI_TUNNEL INGRESS_REPLICATION IPv6": IPV4_ALONE,
    "PMSI_TUNNEL ASSISTED_REPLICATION": "it does not know the type of tunnel",
    "PMSI_TUNNEL BIER": "it does not know the type of tunnel",
    "TUNNEL VXLAN COLOR": "it takes four octets; RFC 9012 section 3.4.2 has a whole extended community",
    "TUNNEL MPLS LOAD_BALANCING_BLOCK": "it takes four octets; RFC 5640 section 4 has two",
    "TUNNEL SR_POLICY POLICY_NAME": "it does not know the type, 130",
    "DPATH of two": "it has one SAFI behind all domains; the draft has one behind each",
}


def says(text: str, value: Any) -> bool:
    """Whether tshark's text is this value."""
    if isinstance(value, int):
        return int(text, 0) == value
    return text.replace(" ", "") == (f"{value:g}" if isinstance(value, float) else value)


def same(packet: tshark.Packet, found: Fields) -> bool:
    if packet[PROBLEM]:
        return False
    return all(
        len(packet[field]) == len(values) and all(map(says, packet[field], values)) for field, values in found.items()
    )


def made() -> Iterator[tuple[str, bytes, Fields]]:
    """(form, message, what tshark is to say of it)."""
    for form, make in FORMS.items():
        chance = Chance(form)
        for _ in range(MESSAGES):
            name, value, found = make(chance)
            message = Update(attrs={name: value}).msg
            assert json.loads(message.to_json())[4]["attrs"][name]["value"] == value, form
            yield form, message.wire, found


def test_each_field() -> None:
    messages = list(made())
    fields = sorted({field for _, _, found in messages for field in found} | {PROBLEM})
    read: dict[str, list[bool]] = {}
    for (form, wire, found), packet in zip(messages, tshark.dissect([wire for _, wire, _ in messages], fields), strict=True):
        agreed = same(packet, found)
        assert agreed or form in UNREAD, (form, wire.hex(), found, {field: packet[field] for field in (*found, PROBLEM)})
        read.setdefault(form, []).append(agreed)
    assert {form for form, agreed in read.items() if not all(agreed)} == set(UNREAD), "these reasons are no longer needed"


def test_all_names_have_a_form() -> None:
    """But for those whose values are hex."""
    hexes = {"PMSI_TUNNEL TRANSPORT_TUNNEL"}
    for table, attribute in ((names.PMSI_TUNNELS, "PMSI_TUNNEL"), (names.PREFIX_SID_TLVS, "PREFIX_SID")):
        assert {f"{attribute} {name}" for name in table.values()} - set(FORMS) <= hexes
    assert set(names.TUNNEL_TLVS.values()) - {sub for _, sub in TUNNELS} == {"IPSEC_AUTHENTICATOR"}
