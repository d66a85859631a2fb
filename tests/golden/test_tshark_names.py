"""The table of names against tshark's own tables: the same numbers stand for the same things.

tshark says them in other words, which are listed beside ours, to be read by eyes. What came later than its version 4.0 has been
compared with IANA's registries; what we have no names for is deprecated, or a vendor's.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict

import pytest

import tshark
from bgpipe import names

pytestmark = tshark.needed()

A, TUNNEL, SRV6 = "bgp.update.path_attribute", "bgp.update.encaps_tunnel", "bgp.prefix_sid.srv6_l3vpn"
FIELDS = {
    "MESSAGE_TYPES": "bgp.type",
    "ATTRIBUTES": f"{A}.type_code",
    "CAPABILITIES": "bgp.cap.type",
    "AFIS": "bgp.cap.mp.afi",
    "SAFIS": "bgp.cap.mp.safi",
    "EVPN_ROUTES": "bgp.evpn.nlri.rt",
    "MCAST_VPN_ROUTES": "bgp.mcast_vpn_nlri_route_type",
    "ORIGINS": f"{A}.origin",
    "ADDPATH_DIRECTIONS": "bgp.cap.ap.sendreceive",
    "BGPSEC_DIRECTIONS": "bgp.cap.bgpsec.sendreceive",
    "REFRESH_SUBTYPES": "bgp.route_refresh.subtype",
    "ORF_TYPES": "bgp.route_refresh.orf.type",
    "ORF_REFRESHES": "bgp.route_refresh.orf.flag",
    "ORF_ACTIONS": "bgp.route_refresh.orf.entry.action",
    "ORF_MATCHES": "bgp.route_refresh.orf.entry.match",
    "EXT_COMMUNITIES": "",
    "FLOW_COMPONENTS": "bgp.flowspec_nlri.filter_type",
    "TUNNEL_TYPES": f"{TUNNEL}_tlv_type",
    "TUNNEL_TLVS": f"{TUNNEL}_subtlv_type",
    "SEGMENT_TLVS": f"{TUNNEL}_tlv_subtlv.segment_list.subtlv.type",
    "PMSI_TUNNELS": f"{A}.pmsi.tunnel.type",
    "PREFIX_SID_TLVS": "bgp.prefix_sid.type",
    "SRV6_SERVICE_TLVS": f"{SRV6}.sub_tlv.type",
    "SRV6_SID_TLVS": f"{SRV6}.sub_sub_tlv.type",
    "SRV6_BEHAVIORS": f"{SRV6}.srv6_endpoint_behavior",
    "AIGP_TLVS": "bgp.update.attribute.aigp.type",
    "WELL_KNOWN_COMMUNITIES": f"{A}.community_wellknown",
    "NOTIFICATIONS": "bgp.notify.major_error",
    "NOTIFICATIONS 1": "bgp.notify.minor_error",
    "NOTIFICATIONS 2": "bgp.notify.minor_error_open",
    "NOTIFICATIONS 3": "bgp.notify.minor_error_update",
    "NOTIFICATIONS 5": "bgp.notify.minor_error_state",
    "NOTIFICATIONS 6": "bgp.notify.minor_error_cease",
}
# The high octet of extended communities, the bit for those that are not transitive among them: their table.
SUBTYPES = {
    0x00: "tr_as2",
    0x01: "tr_IP4",
    0x02: "tr_as4",
    0x03: "tr_opaque",
    0x06: "tr_evpn",
    0x40: "ntr_as2",
    0x42: "ntr_as4",
    0x43: "ntr_opaque",
    0x80: "tr_exp",
    0x81: "tr_exp_2",
    0x82: "tr_exp_3",
}
# Our name, and tshark's words where they are others.
WORDS: dict[str, dict[str, str]] = {
    "MESSAGE_TYPES": {
        "OPEN": "OPEN Message",
        "UPDATE": "UPDATE Message",
        "NOTIFY": "NOTIFICATION Message",
        "KEEPALIVE": "KEEPALIVE Message",
        "REFRESH": "ROUTE-REFRESH Message",
    },
    "ATTRIBUTES": {
        "ASPATH": "AS_PATH",
        "NEXTHOP": "NEXT_HOP",
        "MED": "MULTI_EXIT_DISC",
        "LOCALPREF": "LOCAL_PREF",
        "AGGREGATE": "ATOMIC_AGGREGATE",
        "COMMUNITY": "COMMUNITIES",
        "ORIGINATOR": "ORIGINATOR_ID",
        "MP_REACH": "MP_REACH_NLRI",
        "MP_UNREACH": "MP_UNREACH_NLRI",
        "EXT_COMMUNITY": "EXTENDED_COMMUNITIES",
        "AS4PATH": "AS4_PATH",
        "AS4AGGREGATOR": "AS4_AGGREGATOR",
        "PMSI_TUNNEL": "PMSI_TUNNEL_ATTRIBUTE",
        "TUNNEL": "TUNNEL_ENCAPSULATION_ATTRIBUTE",
        "TRAFFIC_ENG": "Traffic Engineering",
        "IPV6_EXT_COMMUNITY": "IPv6 Address Specific Extended Community",
        "PE_DISTING": "PE Distinguisher Labels",
        "BGP_LS": "BGP-LS Attribute",
        "DPATH": "D_PATH",
        "PREFIX_SID": "BGP Prefix-SID",
        "SET": "ATTR_SET",
    },
    "CAPABILITIES": {
        "MP": "Multiprotocol extensions capability",
        "ROUTE_REFRESH": "Route refresh capability",
        "OUTBOUND_FILTERING": "Cooperative route filtering capability",
        "MULTIPLE_ROUTES": "Multiple routes to a destination capability",
        "EXTENDED_NEXTHOP": "Extended Next Hop Encoding",
        "EXTENDED_MESSAGE": "BGP-Extended Message",
        "BGPSEC": "BGPsec capability",
        "MULTIPLE_LABELS": "Multiple Labels capability",
        "ROLE": "BGP Role",
        "GRACEFUL_RESTART": "Graceful Restart capability",
        "AS4": "Support for 4-octet AS number capability",
        "DYNAMIC": "Support for Dynamic capability",
        "MULTISESSION": "Multisession BGP Capability",
        "ADDPATH": "Support for Additional Paths",
        "ENHANCED_ROUTE_REFRESH": "Enhanced route refresh capability",
        "LLGR": "Long-Lived Graceful Restart (LLGR) Capability",
        "ROUTING_POLICY": "CP-ORF Capability",
        "FQDN": "FQDN Capability",
        "PRE_ROUTE_REFRESH": "Route refresh capability (Cisco)",
        "PRE_OUTBOUND_FILTERING": "Cooperative route filtering capability (Cisco)",
        "PRE_MULTISESSION": "Multisession BGP Capability (Cisco)",
    },
    "AFIS": {
        "L2VPN": "Layer-2 VPN",
        "MPLS_SECTION": "MPLS-TP Section Endpoint Identifier",
        "MPLS_LSP": "MPLS-TP LSP Endpoint Identifier",
        "MPLS_PSEUDOWIRE": "MPLS-TP Pseudowire Endpoint Identifier",
        "MT_IPV4": "MT IP: Multi-Topology IP version 4",
        "MT_IPV6": "MT IPv6: Multi-Topology IP version 6",
        "LS": "BGP-LS",
    },
    "SAFIS": {
        "MPLS": "Labeled Unicast",
        "PLACEMENT_MSPW": "Multi-Segment Pseudowires",
        "TUNNEL": "Tunnel (Deprecated)",
        "MDT": "Cisco MDT",
        "L1VPN_DISCOVERY": "Layer-1 VPN",
        "EVPNS": "EVPN",
        "LS": "BGP-LS",
        "LS_VPN": "BGP-LS-VPN",
        "SR_TE_POLICY": "SR Policy",
        "SD_WAN_CAPABILITIES": "SD-WAN",
        "ROUTING_POLICY": "Routing Policy Distribution",
        "CLASSFUL_TRANSPORT": "Classful Transport Planes",
        "TUNNELED_FLOWSPEC": "Tunneled Traffic Flowspec",
        "MPLS_VPN": "Labeled VPN Unicast",
        "MULTICAST_VPNS": "Labeled VPN Multicast",
        "ROUTE_TARGET": "Route Target Filter",
        "FLOWSPEC": "Flow Spec Filter",
        "L3VPN_FLOWSPEC": "Flow Spec Filter VPN",
        "VPN_DISCOVERY": "Layer-3 VPN (Deprecated)",
    },
    "EVPN_ROUTES": {
        "ETHERNET_AD": "Ethernet AD Route",
        "MAC_IP": "MAC Advertisement Route",
        "INCLUSIVE_MULTICAST": "Inclusive Multicast Route",
        "ETHERNET_SEGMENT": "Ethernet Segment Route",
        "IP_PREFIX": "IP Prefix route",
        "SELECTIVE_MULTICAST": "Selective Multicast Ethernet Tag Route",
        "MEMBERSHIP_REPORT_SYNCH": "IGMP Join Synch Route",
        "LEAVE_SYNCH": "IGMP Leave Synch Route",
        "S_PMSI_AD": "S-PMSI A-D Route",
    },
    "MCAST_VPN_ROUTES": {
        "INTRA_AS_I_PMSI_AD": "Intra-AS I-PMSI A-D route",
        "INTER_AS_I_PMSI_AD": "Inter-AS I-PMSI A-D route",
        "S_PMSI_AD": "S-PMSI A-D route",
        "LEAF_AD": "Leaf A-D route",
        "SOURCE_ACTIVE_AD": "Source Active A-D route",
        "SHARED_TREE_JOIN": "Shared Tree Join route",
        "SOURCE_TREE_JOIN": "Source Tree Join route",
    },
    "ADDPATH_DIRECTIONS": {
        "BIDIR": "Both",
    },
    "REFRESH_SUBTYPES": {
        "REQUEST": "Normal route refresh request [RFC2918] with/without ORF [RFC5291]",
        "BORR": "Demarcation of the beginning of a route refresh",
        "EORR": "Demarcation of the ending of a route refresh",
    },
    "ORF_TYPES": {
        "PRE_ADDRESS_PREFIX": "Cisco PrefixList ORF-Type",
    },
    "ORF_ACTIONS": {
        "REMOVE_ALL": "RemoveAll",
    },
    "EXT_COMMUNITIES": {
        "TARGET": "Route Target",
        "IP4_TARGET": "Route Target",
        "AS4_TARGET": "Route Target",
        "ORIGIN": "Route Origin",
        "IP4_ORIGIN": "Route Origin",
        "AS4_ORIGIN": "Route Origin",
        "FLOW_RATE_BYTES": "Flow spec traffic-rate",
        "FLOW_ACTION": "Flow spec traffic-action",
        "FLOW_REDIRECT_AS2": "Flow spec redirect AS 2 bytes",
        "FLOW_REDIRECT_IP4": "Flow spec redirect IPv4 format",
        "FLOW_REDIRECT_AS4": "Flow spec redirect AS-4byte format",
        "FLOW_DSCP": "Flow spec traffic-remarking",
        "OSPF_DOMAIN_ID": "OSPF Domain Identifier",
        "IP4_OSPF_DOMAIN_ID": "OSPF Domain Identifier",
        "AS4_OSPF_DOMAIN_ID": "OSPF Domain Identifier",
        "DATA_COLLECTION": "BGP Data Collection",
        "AS4_DATA_COLLECTION": "BGP Data Collection",
        "AS4_SOURCE_AS": "Source AS",
        "P2MP_NEXT_HOP": "Inter-area P2MP Segmented Next-Hop",
        "IP4_L2VPN_IDENTIFIER": "L2VPN Identifier",
        "VPN_DISTINGUISHER": "Cisco VPN-Distinguisher",
        "IP4_VPN_DISTINGUISHER": "Cisco VPN-Distinguisher",
        "AS4_VPN_DISTINGUISHER": "Cisco VPN Identifier",
        "VALIDATION_STATE": "BGP Origin Validation state",
        "ESI_LABEL": "ESI MPLS Label",
        "ROUTERS_MAC": "EVPN Router's MAC",
        "LAYER2_ATTRIBUTES": "Layer 2 Attributes",
        "ETREE": "E-Tree",
        "ARP_ND": "ND",
        "MULTICAST_FLAGS": "Multicast Flags Extended Community",
        "EVI_RT_TYPE_0": "EVI-RT Type 0 Extended Community",
        "EVI_RT_TYPE_1": "EVI-RT Type 1 Extended Community",
        "EVI_RT_TYPE_2": "EVI-RT Type 2 Extended Community",
        "EVI_RT_TYPE_3": "EVI-RT Type 3 Extended Community",
        "ATTACHMENT_CIRCUIT": "EVPN Attachment Circuit",
        "ETREE_INFO": "E-Tree Info",
    },
    "FLOW_COMPONENTS": {
        "DST": "Destination prefix filter",
        "SRC": "Source prefix filter",
        "PROTO": "Protocol / Next Header filter",
        "PORT": "Port filter",
        "PORT_DST": "Destination port filter",
        "PORT_SRC": "Source port filter",
        "ICMP_TYPE": "ICMP type filter",
        "ICMP_CODE": "ICMP code filter",
        "TCP_FLAGS": "TCP flags filter",
        "PKTLEN": "Packet Length filter",
        "DSCP": "DSCP marking filter",
        "FRAG": "IP fragment filter",
    },
    "TUNNEL_TYPES": {
        "L2TPV3": "L2TPv2 over IP",
        "TUNNEL_ENDPOINT": "Transmit tunnel endpoint",
        "IPSEC_TUNNEL_MODE": "IPsec in Tunnel-mode",
        "IP_IN_IP_IPSEC": "IP in IP tunnel with IPsec Transport Mode",
        "MPLS_IN_IP_IPSEC": "MPLS-in-IP tunnel with IPsec Transport Mode",
        "VXLAN": "VXLAN Encapsulation",
        "NVGRE": "NVGRE Encapsulation",
        "MPLS": "MPLS Encapsulation",
        "MPLS_IN_GRE": "MPLS in GRE Encapsulation",
        "VXLAN_GPE": "VXLAN GPE Encapsulation",
        "MPLS_IN_UDP": "MPLS in UDP Encapsulation",
        "SR_POLICY": "SR TE Policy Type",
    },
    "TUNNEL_TLVS": {
        "IPSEC_AUTHENTICATOR": "IPsec Tunnel Authenticator",
        "LOAD_BALANCING_BLOCK": "LOAD_BALANCE",
        "EGRESS_ENDPOINT": "Tunnel Egress Endpoint",
        "DS_FIELD": "IPv4 DS Field",
        "EMBEDDED_LABEL": "Embedded Label Handling",
        "CANDIDATE_PATH_NAME": "Policy Name",
    },
    "SEGMENT_TLVS": {
        "A": "Type A MPLS SID sub-TLV",
        "WEIGHT": "Weight sub-TLV",
    },
    "PMSI_TUNNELS": {
        "NO_TUNNEL": "Type is not present",
        "RSVP_TE_P2MP": "RSVP-TE P2MP LSP",
        "MLDP_P2MP": "mLDP P2MP LSP",
        "PIM_SSM": "PIM SSM Tree",
        "PIM_SM": "PIM SM Tree",
        "BIDIR_PIM": "BIDIR-PIM Tree",
        "MLDP_MP2MP": "mLDP MP2MP LSP",
    },
    "SRV6_SERVICE_TLVS": {
        "SID_INFORMATION": "SRv6 SID Information",
    },
    "SRV6_SID_TLVS": {
        "SID_STRUCTURE": "SRv6 SID Structure",
    },
    "SRV6_BEHAVIORS": {
        "END_DX6_NEXT_CSID": "End.DX6 with NEXT-CSID",
        "END_DX4_NEXT_CSID": "End.DX4 with NEXT-CSID",
        "END_DT6_NEXT_CSID": "End.DT6 with NEXT-CSID",
        "END_DT4_NEXT_CSID": "End.DT4 with NEXT-CSID",
        "END_DT46_NEXT_CSID": "End.DT46 with NEXT-CSID",
        "END_DX2_NEXT_CSID": "End.DX2 with NEXT-CSID",
        "END_DX2V_NEXT_CSID": "End.DX2V with NEXT-CSID",
        "END_DT2U_NEXT_CSID": "End.DT2U with NEXT-CSID",
        "END_DT2M_NEXT_CSID": "End.DT2M with NEXT-CSID",
    },
    "AIGP_TLVS": {
        "AIGP": "Type AIGP TLV",
    },
    "NOTIFICATIONS": {
        "ROUTE_REFRESH_MESSAGE_ERROR": "CAPABILITY Message Error",
    },
    "NOTIFICATIONS 5": {
        "UNEXPECTED_MESSAGE_IN_OPENSENT": "Receive Unexpected Message in OpenSent State",
        "UNEXPECTED_MESSAGE_IN_OPENCONFIRM": "Receive Unexpected Message in OpenConfirm State",
        "UNEXPECTED_MESSAGE_IN_ESTABLISHED": "Receive Unexpected Message in Established State",
    },
    "NOTIFICATIONS 6": {
        "MAXIMUM_PREFIXES_REACHED": "Maximum Number of Prefixes Reached",
        "ADMIN_SHUTDOWN": "Administratively Shutdown",
        "PEER_DECONFIGURED": "Peer De-configured",
        "ADMIN_RESET": "Administratively Reset",
    },
}
# Names for what is not in its tables.
LATER: dict[str, set[str]] = {
    "ATTRIBUTES": {"OTC", "SFP_ATTR", "BFD_DISCRIMINATOR", "RCA"},
    "CAPABILITIES": {
        "BFD",
        "VERSION",
        "PATHS_LIMIT",
        "LINK_LOCAL_NEXTHOP",
        "PRE_ROUTING_POLICY",
        "PRE_FQDN",
        "PRE_OPERATIONAL",
    },
    "AFIS": {"SFC", "ROUTING_POLICY", "MPLS_NAMESPACES"},
    "SAFIS": {"SFC", "DPS", "LS_SPF", "CAR", "VPN_CAR", "MUP"},
    "EVPN_ROUTES": {"PER_REGION_I_PMSI_AD", "LEAF_AD"},
    "ORF_TYPES": {"ADDRESS_PREFIX", "CP_ORF"},
    "EXT_COMMUNITIES": {
        "FLOW_RATE_PACKETS",
        "FLOW_REDIRECT_NH",
        "EXTRANET_SOURCE",
        "EXTRANET_SEPARATION",
        "PMSI_TUNNEL_FLAGS",
        "CONTEXT_LABEL_SPACE",
        "SERVICE_CARVING",
        "EVPN_LINK_BANDWIDTH",
    },
    "FLOW_COMPONENTS": {"LABEL"},
    "TUNNEL_TYPES": {
        "CLOUD_SECURITY",
        "GENEVE",
        "ANY_ENCAPSULATION",
        "GTP",
        "DPS",
        "ORIGINATING_PE",
        "DPS_POLICY",
        "SDWAN_HYBRID",
        "X_OVER_UDP",
    },
    "TUNNEL_TLVS": {"SPI_SI", "SRV6_BINDING_SID", "POLICY_NAME"},
    "SEGMENT_TLVS": {"B"},
    "PMSI_TUNNELS": {"TRANSPORT_TUNNEL", "ASSISTED_REPLICATION", "BIER"},
    "WELL_KNOWN_COMMUNITIES": {
        "ROUTE_FILTER_TRANSLATED_V4",
        "ROUTE_FILTER_V4",
        "ROUTE_FILTER_TRANSLATED_V6",
        "ROUTE_FILTER_V6",
        "LLGR_STALE",
        "NO_LLGR",
        "ACCEPT_OWN_NEXTHOP",
        "STANDBY_PE",
    },
    "NOTIFICATIONS": {"SEND_HOLD_TIMER_EXPIRED", "LOSS_OF_LSDB_SYNCHRONIZATION"},
    "NOTIFICATIONS 2": {"ROLE_MISMATCH"},
    "NOTIFICATIONS 6": {"BFD_DOWN"},
}
# Its numbers that we have no names for.
UNNAMED: dict[str, set[int]] = {
    "MESSAGE_TYPES": {6, 128},  # of draft-ietf-idr-dynamic-cap, and Cisco's
    "ATTRIBUTES": {11, 12, 13, 19, 20, 21, 28, 30, 31, 99, 129, 241, 242, 243},  # deprecated; 99 was never IANA's
    "CAPABILITIES": {0, 66},  # reserved, deprecated
    "SAFIS": {0, 3, 7, 130},  # reserved, deprecated
    "ORF_TYPES": {2, 3, 129, 130, 131},  # of drafts, and Cisco's
    # Of drafts and vendors; 0x8000, 0x8001 and 0x8005 deprecated forms of OSPF's.
    "EXT_COMMUNITIES": {0x80, 0x204, 0x213, 0x8000, 0x8001, 0x8004, 0x8005, 0x8084, 0x8085, 0x8204, 0x8284, 0x8285},
    "SEGMENT_TLVS": {2, 3, 4, 5, 6, 7, 8, 10, 11, 12},  # those of RFC 9831, some by the numbers of its drafts
    "PREFIX_SID_TLVS": {2, 4},  # deprecated
    "NOTIFICATIONS 2": {5, 8},  # deprecated; 8 is Cisco's
    "NOTIFICATIONS 3": {7},  # deprecated
}
SOME = ("AFIS", "SRV6_BEHAVIORS")  # tables of more than what BGP has, or its services


Table = dict[int, str]


@pytest.fixture(scope="module")
def theirs() -> dict[str, Table]:
    """Tables of the fields of its BGP dissector."""
    found: dict[str, Table] = defaultdict(dict)
    listed = subprocess.run(["tshark", "-G", "values"], capture_output=True, check=True).stdout
    for line in listed.decode(errors="replace").splitlines():
        if line.startswith("V\tbgp."):
            _, field, number, words = line.split("\t")[:4]
            found[field][int(number, 0)] = words
    for high, name in SUBTYPES.items():
        for low, words in found[f"bgp.ext_com.stype_{name}"].items():
            found[""].setdefault((high & ~0x40) << 8 | low, words)
    return found


def ours(table: str) -> Table:
    name, _, code = table.partition(" ")
    found: Table = getattr(names, name)
    if code:
        return names.NOTIFICATIONS[int(code)][1]
    return {number: text for number, (text, _) in names.NOTIFICATIONS.items()} if name == "NOTIFICATIONS" else found


def as_name(words: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", words.upper()).strip("_")


@pytest.mark.parametrize("table", FIELDS)
def test_the_same_numbers(theirs: dict[str, Table], table: str) -> None:
    mine, other = ours(table), theirs[FIELDS[table]]
    assert {name for number, name in mine.items() if number not in other} == LATER.get(table, set())
    words = {name: other[number].strip() for number, name in mine.items() if number in other}
    assert {name: text for name, text in words.items() if as_name(text) != name} == WORDS.get(table, {})
    if table not in SOME:
        assert other.keys() - mine.keys() == UNNAMED.get(table, set())
