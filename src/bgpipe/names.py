"""Numbers and names of the protocol: the one table that every part of bgpipe takes them from.

The spelling is that of the JSON form and of filters. Numbers are IANA's ("Border Gateway Protocol (BGP)
Parameters", "Address Family Numbers", "SAFI Namespace"). What has no name here is shown as a number.
"""

from __future__ import annotations

MESSAGE_TYPES = {1: "OPEN", 2: "UPDATE", 3: "NOTIFY", 4: "KEEPALIVE", 5: "REFRESH"}

ATTRIBUTES = {
    1: "ORIGIN",  # RFC 4271
    2: "ASPATH",  # RFC 4271
    3: "NEXTHOP",  # RFC 4271
    4: "MED",  # RFC 4271
    5: "LOCALPREF",  # RFC 4271
    6: "AGGREGATE",  # RFC 4271 ATOMIC_AGGREGATE
    7: "AGGREGATOR",  # RFC 4271
    8: "COMMUNITY",  # RFC 1997
    9: "ORIGINATOR",  # RFC 4456
    10: "CLUSTER_LIST",  # RFC 4456
    14: "MP_REACH",  # RFC 4760
    15: "MP_UNREACH",  # RFC 4760
    16: "EXT_COMMUNITY",  # RFC 4360
    17: "AS4PATH",  # RFC 6793
    18: "AS4AGGREGATOR",  # RFC 6793
    22: "PMSI_TUNNEL",  # RFC 6514
    23: "TUNNEL",  # RFC 9012
    24: "TRAFFIC_ENG",  # RFC 5543
    25: "IPV6_EXT_COMMUNITY",  # RFC 5701
    26: "AIGP",  # RFC 7311
    27: "PE_DISTING",  # RFC 6514
    29: "BGP_LS",  # RFC 9552
    32: "LARGE_COMMUNITY",  # RFC 8092
    33: "BGPSEC_PATH",  # RFC 8205
    35: "OTC",  # RFC 9234
    36: "DPATH",  # RFC 10039
    37: "SFP_ATTR",  # RFC 9015
    38: "BFD_DISCRIMINATOR",  # RFC 9026
    39: "RCA",  # draft-ietf-idr-nhc, which has come from draft-ietf-idr-entropy-label
    40: "PREFIX_SID",  # RFC 8669
    128: "SET",  # RFC 6368 ATTR_SET
}

# IANA "Capability Codes". 66, an older form of DYNAMIC, is deprecated and has no name.
CAPABILITIES = {
    1: "MP",  # RFC 4760
    2: "ROUTE_REFRESH",  # RFC 2918
    3: "OUTBOUND_FILTERING",  # RFC 5291
    4: "MULTIPLE_ROUTES",  # RFC 3107, deprecated by RFC 8277
    5: "EXTENDED_NEXTHOP",  # RFC 8950
    6: "EXTENDED_MESSAGE",  # RFC 8654
    7: "BGPSEC",  # RFC 8205
    8: "MULTIPLE_LABELS",  # RFC 8277
    9: "ROLE",  # RFC 9234
    64: "GRACEFUL_RESTART",  # RFC 4724
    65: "AS4",  # RFC 6793
    67: "DYNAMIC",  # draft-ietf-idr-dynamic-cap
    68: "MULTISESSION",  # draft-ietf-idr-bgp-multisession
    69: "ADDPATH",  # RFC 7911
    70: "ENHANCED_ROUTE_REFRESH",  # RFC 7313
    71: "LLGR",  # RFC 9494
    72: "ROUTING_POLICY",  # draft-ietf-idr-rpd
    73: "FQDN",  # draft-walton-bgp-hostname-capability
    74: "BFD",  # draft-ietf-idr-bgp-bfd-strict-mode
    75: "VERSION",  # draft-abraitis-bgp-version-capability
    76: "PATHS_LIMIT",  # draft-abraitis-idr-addpath-paths-limit
    77: "LINK_LOCAL_NEXTHOP",  # draft-ietf-idr-linklocal-capability
    128: "PRE_ROUTE_REFRESH",  # RFC 8810: Cisco, before RFC 2918
    129: "PRE_ROUTING_POLICY",  # RFC 8810: before draft-ietf-idr-rpd; once another form of ORF
    130: "PRE_OUTBOUND_FILTERING",  # RFC 8810: Cisco, before RFC 5291
    131: "PRE_MULTISESSION",  # RFC 8810: Cisco, before draft-ietf-idr-bgp-multisession
    184: "PRE_FQDN",  # RFC 8810: before draft-walton-bgp-hostname-capability got its code
    185: "PRE_OPERATIONAL",  # RFC 8810: draft-ietf-idr-operational-message
}

AFIS = {
    1: "IPV4",
    2: "IPV6",
    25: "L2VPN",
    26: "MPLS_SECTION",
    27: "MPLS_LSP",
    28: "MPLS_PSEUDOWIRE",
    29: "MT_IPV4",
    30: "MT_IPV6",
    31: "SFC",
    16388: "LS",
    16398: "ROUTING_POLICY",
    16399: "MPLS_NAMESPACES",
}

SAFIS = {
    1: "UNICAST",
    2: "MULTICAST",
    4: "MPLS",
    5: "MCAST_VPN",
    6: "PLACEMENT_MSPW",
    8: "MCAST_VPLS",
    9: "SFC",
    64: "TUNNEL",
    65: "VPLS",
    66: "MDT",
    67: "4OVER6",
    68: "6OVER4",
    69: "L1VPN_DISCOVERY",
    70: "EVPNS",
    71: "LS",
    72: "LS_VPN",
    73: "SR_TE_POLICY",
    74: "SD_WAN_CAPABILITIES",
    75: "ROUTING_POLICY",
    76: "CLASSFUL_TRANSPORT",
    77: "TUNNELED_FLOWSPEC",
    78: "MCAST_TREE",
    79: "DPS",
    80: "LS_SPF",
    83: "CAR",
    84: "VPN_CAR",
    85: "MUP",
    128: "MPLS_VPN",
    129: "MULTICAST_VPNS",
    132: "ROUTE_TARGET",
    133: "FLOWSPEC",
    134: "L3VPN_FLOWSPEC",
    140: "VPN_DISCOVERY",
}

# ExaBGP's words for families in its text; the first of several for a number is the one that is written.
EXA_AFIS = {"ipv4": 1, "ipv6": 2, "l2vpn": 25, "bgp-ls": 16388}
EXA_SAFIS = {
    "unicast": 1,
    "multicast": 2,
    "nlri-mpls": 4,
    "labeled-unicast": 4,
    "mcast-vpn": 5,
    "vpls": 65,
    "evpn": 70,
    "bgp-ls": 71,
    "bgp-ls-vpn": 72,
    "sr-policy": 73,
    "mup": 85,
    "mpls-vpn": 128,
    "rtc": 132,
    "flow": 133,
    "flow-vpn": 134,
}

# Types of routes: IANA "EVPN Route Types" and "BGP MCAST-VPN Route Types".
EVPN_ROUTES = {
    1: "ETHERNET_AD",  # RFC 7432
    2: "MAC_IP",  # RFC 7432
    3: "INCLUSIVE_MULTICAST",  # RFC 7432
    4: "ETHERNET_SEGMENT",  # RFC 7432
    5: "IP_PREFIX",  # RFC 9136
    6: "SELECTIVE_MULTICAST",  # RFC 9251
    7: "MEMBERSHIP_REPORT_SYNCH",  # RFC 9251
    8: "LEAVE_SYNCH",  # RFC 9251
    9: "PER_REGION_I_PMSI_AD",  # RFC 9572
    10: "S_PMSI_AD",  # RFC 9572
    11: "LEAF_AD",  # RFC 9572
}
MCAST_VPN_ROUTES = {
    1: "INTRA_AS_I_PMSI_AD",  # RFC 6514
    2: "INTER_AS_I_PMSI_AD",  # RFC 6514
    3: "S_PMSI_AD",  # RFC 6514
    4: "LEAF_AD",  # RFC 6514
    5: "SOURCE_ACTIVE_AD",  # RFC 6514
    6: "SHARED_TREE_JOIN",  # RFC 6514
    7: "SOURCE_TREE_JOIN",  # RFC 6514
}

ORIGINS = {0: "IGP", 1: "EGP", 2: "INCOMPLETE"}  # RFC 4271 section 5.1.1
ROLES = {0: "PROVIDER", 1: "RS", 2: "RS-CLIENT", 3: "CUSTOMER", 4: "PEER"}  # RFC 9234 section 4.1
ADDPATH_DIRECTIONS = {1: "RECEIVE", 2: "SEND", 3: "BIDIR"}  # RFC 7911 section 4, RFC 5291 section 5
BGPSEC_DIRECTIONS = {0: "RECEIVE", 1: "SEND"}  # RFC 8205 section 2.1

REFRESH_SUBTYPES = {0: "REQUEST", 1: "BORR", 2: "EORR"}  # RFC 2918, RFC 7313 section 3.2

# IANA "BGP Outbound Route Filtering (ORF) Types"
ORF_TYPES = {
    64: "ADDRESS_PREFIX",  # RFC 5292
    65: "CP_ORF",  # RFC 7543
    128: "PRE_ADDRESS_PREFIX",  # Cisco, before RFC 5292 and of the same form
}
ORF_REFRESHES = {1: "IMMEDIATE", 2: "DEFER"}  # RFC 5291 section 4
ORF_ACTIONS = {0: "ADD", 1: "REMOVE", 2: "REMOVE_ALL"}  # RFC 5291 section 4
ORF_MATCHES = {0: "PERMIT", 1: "DENY"}  # RFC 5291 section 4

# Type and subtype of an extended community, the nontransitive bit 0x4000 taken off (RFC 4360, RFC 8955).
EXT_COMMUNITIES = {
    0x0002: "TARGET",
    0x0102: "IP4_TARGET",
    0x0202: "AS4_TARGET",
    0x0003: "ORIGIN",
    0x0103: "IP4_ORIGIN",
    0x0203: "AS4_ORIGIN",
    0x8006: "FLOW_RATE_BYTES",
    0x800C: "FLOW_RATE_PACKETS",
    0x8007: "FLOW_ACTION",
    0x8008: "FLOW_REDIRECT_AS2",
    0x8108: "FLOW_REDIRECT_IP4",
    0x8208: "FLOW_REDIRECT_AS4",
    0x0800: "FLOW_REDIRECT_NH",
    0x8009: "FLOW_DSCP",
    0x0004: "LINK_BANDWIDTH",  # draft-ietf-idr-link-bandwidth
    0x0005: "OSPF_DOMAIN_ID",  # RFC 4577
    0x0105: "IP4_OSPF_DOMAIN_ID",  # RFC 4577
    0x0205: "AS4_OSPF_DOMAIN_ID",  # RFC 4577
    0x0107: "OSPF_ROUTER_ID",  # RFC 4577
    0x0306: "OSPF_ROUTE_TYPE",  # RFC 4577
    0x0008: "DATA_COLLECTION",  # RFC 4384
    0x0208: "AS4_DATA_COLLECTION",  # RFC 4384
    0x0009: "SOURCE_AS",  # RFC 6514
    0x0209: "AS4_SOURCE_AS",  # RFC 6514
    0x010B: "VRF_ROUTE_IMPORT",  # RFC 6514
    0x0112: "P2MP_NEXT_HOP",  # RFC 7524
    0x000A: "L2VPN_IDENTIFIER",  # RFC 6074
    0x010A: "IP4_L2VPN_IDENTIFIER",  # RFC 6074
    0x0010: "VPN_DISTINGUISHER",  # Cisco
    0x0110: "IP4_VPN_DISTINGUISHER",  # Cisco
    0x0210: "AS4_VPN_DISTINGUISHER",  # Cisco
    0x0300: "VALIDATION_STATE",  # RFC 8097
    0x0301: "COST",  # draft-ietf-idr-custom-decision
    0x0304: "EXTRANET_SOURCE",  # RFC 7900
    0x0305: "EXTRANET_SEPARATION",  # RFC 7900
    0x0307: "PMSI_TUNNEL_FLAGS",  # RFC 7902
    0x0308: "CONTEXT_LABEL_SPACE",  # RFC 9573
    0x030B: "COLOR",  # RFC 9012
    0x030C: "ENCAPSULATION",  # RFC 9012
    0x030D: "DEFAULT_GATEWAY",  # RFC 7432
    0x0600: "MAC_MOBILITY",  # RFC 7432
    0x0601: "ESI_LABEL",  # RFC 7432
    0x0602: "ES_IMPORT",  # RFC 7432
    0x0603: "ROUTERS_MAC",  # RFC 9135
    0x0604: "LAYER2_ATTRIBUTES",  # RFC 8214
    0x0605: "ETREE",  # RFC 8317
    0x0606: "DF_ELECTION",  # RFC 8584
    0x0607: "I_SID",  # an early version of draft-sajassi-bess-evpn-virtual-eth-segment; reserved since
    0x0608: "ARP_ND",  # RFC 9047
    0x0609: "MULTICAST_FLAGS",  # RFC 9251
    0x060A: "EVI_RT_TYPE_0",  # RFC 9251
    0x060B: "EVI_RT_TYPE_1",  # RFC 9251
    0x060C: "EVI_RT_TYPE_2",  # RFC 9251
    0x060D: "EVI_RT_TYPE_3",  # RFC 9251
    0x060E: "ATTACHMENT_CIRCUIT",  # draft-sajassi-bess-evpn-ac-aware-bundling
    0x060F: "SERVICE_CARVING",  # RFC 9722
    0x0610: "EVPN_LINK_BANDWIDTH",  # draft-ietf-bess-evpn-unequal-lb
    0x800A: "LAYER2_INFO",  # RFC 4761
    0x800B: "ETREE_INFO",  # RFC 7796
}

# IANA "Flow Spec Component Types": RFC 8955 section 4.2.2, 13 RFC 8956 section 3.7.
FLOW_COMPONENTS = {
    1: "DST",
    2: "SRC",
    3: "PROTO",
    4: "PORT",
    5: "PORT_DST",
    6: "PORT_SRC",
    7: "ICMP_TYPE",
    8: "ICMP_CODE",
    9: "TCP_FLAGS",
    10: "PKTLEN",
    11: "DSCP",
    12: "FRAG",
    13: "LABEL",
}
FLOW_NUMERIC = {0: "false", 1: "==", 2: ">", 3: ">=", 4: "<", 5: "<=", 6: "!=", 7: "true"}  # section 4.2.1.1
FLOW_BITMASK = {0: "ANY", 1: "ALL", 2: "NONE", 3: "NOT-ALL"}  # section 4.2.1.2

# The same of an IPv6 address specific extended community (RFC 5701).
IPV6_EXT_COMMUNITIES = {
    0x0002: "TARGET",  # RFC 5701
    0x0003: "ORIGIN",  # RFC 5701
    0x000B: "VRF_ROUTE_IMPORT",  # RFC 6515
    0x000C: "FLOW_REDIRECT_NH",  # draft-ietf-idr-flowspec-redirect-ip
    0x000D: "FLOW_REDIRECT",  # RFC 8956
    0x0010: "VPN_DISTINGUISHER",  # Cisco
    0x0012: "P2MP_NEXT_HOP",  # RFC 7524
}

VALIDATION_STATES = {0: "VALID", 1: "NOT_FOUND", 2: "INVALID"}  # RFC 8097 section 2

# IANA "BGP Tunnel Encapsulation Attribute Tunnel Types".
TUNNEL_TYPES = {
    1: "L2TPV3",  # RFC 9012
    2: "GRE",  # RFC 9012
    3: "TUNNEL_ENDPOINT",  # RFC 5566
    4: "IPSEC_TUNNEL_MODE",  # RFC 5566
    5: "IP_IN_IP_IPSEC",  # RFC 5566
    6: "MPLS_IN_IP_IPSEC",  # RFC 5566
    7: "IP_IN_IP",  # RFC 9012
    8: "VXLAN",  # RFC 8365
    9: "NVGRE",  # RFC 8365
    10: "MPLS",  # RFC 8365
    11: "MPLS_IN_GRE",  # RFC 8365
    12: "VXLAN_GPE",  # RFC 8365
    13: "MPLS_IN_UDP",  # RFC 7510
    14: "IPV6_TUNNEL",  # Djernaes
    15: "SR_POLICY",  # RFC 9830
    16: "BARE",  # Sheth
    17: "SR_TUNNEL",  # deprecated by RFC 9125
    18: "CLOUD_SECURITY",  # Yakkala
    19: "GENEVE",  # RFC 8926
    20: "ANY_ENCAPSULATION",  # draft-ietf-bess-bgp-multicast-controller
    21: "GTP",  # Patel, Murakami
    22: "DPS",  # Arista
    23: "ORIGINATING_PE",  # draft-heitz-bess-evpn-option-b
    24: "DPS_POLICY",  # Arista
    25: "SDWAN_HYBRID",  # draft-ietf-idr-sdwan-edge-discovery
    26: "X_OVER_UDP",  # Haas
}

# IANA "BGP Tunnel Encapsulation Attribute Sub-TLVs".
TUNNEL_TLVS = {
    1: "ENCAPSULATION",  # RFC 9012
    2: "PROTOCOL_TYPE",  # RFC 9012
    3: "IPSEC_AUTHENTICATOR",  # RFC 5566
    4: "COLOR",  # RFC 9012
    5: "LOAD_BALANCING_BLOCK",  # RFC 5640
    6: "EGRESS_ENDPOINT",  # RFC 9012
    7: "DS_FIELD",  # RFC 9012
    8: "UDP_DESTINATION_PORT",  # RFC 9012
    9: "EMBEDDED_LABEL",  # RFC 9012
    10: "MPLS_LABEL_STACK",  # RFC 9012
    11: "PREFIX_SID",  # RFC 9012
    12: "PREFERENCE",  # RFC 9830
    13: "BINDING_SID",  # RFC 9830
    14: "ENLP",  # RFC 9830
    15: "PRIORITY",  # RFC 9830
    16: "SPI_SI",  # RFC 9015
    20: "SRV6_BINDING_SID",  # RFC 9830
    128: "SEGMENT_LIST",  # RFC 9830
    129: "CANDIDATE_PATH_NAME",  # RFC 9830
    130: "POLICY_NAME",  # RFC 9830
}

# Sub-TLVs of a segment list (RFC 9830, RFC 9831).
SEGMENT_TLVS = {1: "A", 9: "WEIGHT", 13: "B"}

# P-Multicast Service Interface tunnel types.
PMSI_TUNNELS = {
    0: "NO_TUNNEL",  # RFC 6514
    1: "RSVP_TE_P2MP",  # RFC 6514
    2: "MLDP_P2MP",  # RFC 6514
    3: "PIM_SSM",  # RFC 6514
    4: "PIM_SM",  # RFC 6514
    5: "BIDIR_PIM",  # RFC 6514
    6: "INGRESS_REPLICATION",  # RFC 6514
    7: "MLDP_MP2MP",  # RFC 6514
    8: "TRANSPORT_TUNNEL",  # RFC 7524
    10: "ASSISTED_REPLICATION",  # RFC 9574
    11: "BIER",  # RFC 8556
}

PREFIX_SID_TLVS = {
    1: "LABEL_INDEX",  # RFC 8669
    3: "ORIGINATOR_SRGB",  # RFC 8669
    5: "SRV6_L3_SERVICE",  # RFC 9252
    6: "SRV6_L2_SERVICE",  # RFC 9252
}
SRV6_SERVICE_TLVS = {1: "SID_INFORMATION"}  # RFC 9252 section 3.1
SRV6_SID_TLVS = {1: "SID_STRUCTURE"}  # RFC 9252 section 3.2.1

# SRv6 endpoint behaviors (RFC 8986 section 10.2); those of services also with the NEXT-CSID flavor (RFC 9800).
SRV6_BEHAVIORS = {
    1: "END",
    5: "END_X",
    9: "END_T",
    14: "END_B6_ENCAPS",
    15: "END_BM",
    16: "END_DX6",
    17: "END_DX4",
    18: "END_DT6",
    19: "END_DT4",
    20: "END_DT46",
    21: "END_DX2",
    22: "END_DX2V",
    23: "END_DT2U",
    24: "END_DT2M",
    60: "END_DX6_NEXT_CSID",
    61: "END_DX4_NEXT_CSID",
    62: "END_DT6_NEXT_CSID",
    63: "END_DT4_NEXT_CSID",
    64: "END_DT46_NEXT_CSID",
    65: "END_DX2_NEXT_CSID",
    66: "END_DX2V_NEXT_CSID",
    67: "END_DT2U_NEXT_CSID",
    68: "END_DT2M_NEXT_CSID",
}

AIGP_TLVS = {1: "AIGP"}  # RFC 7311 section 3
BFD_MODES = {1: "P2MP"}  # RFC 9026 section 3.1.6
BFD_TLVS = {1: "SOURCE"}  # RFC 9026 section 3.1.6


# Code -> (name, {subcode: name}): IANA "BGP Error (Notification) Codes" and the registries of subcodes.
NOTIFICATIONS: dict[int, tuple[str, dict[int, str]]] = {
    1: (
        "MESSAGE_HEADER_ERROR",  # RFC 4271 section 6.1
        {1: "CONNECTION_NOT_SYNCHRONIZED", 2: "BAD_MESSAGE_LENGTH", 3: "BAD_MESSAGE_TYPE"},
    ),
    2: (
        "OPEN_MESSAGE_ERROR",  # RFC 4271 section 6.2; 5 and 8 to 10 are deprecated
        {
            1: "UNSUPPORTED_VERSION_NUMBER",
            2: "BAD_PEER_AS",
            3: "BAD_BGP_IDENTIFIER",
            4: "UNSUPPORTED_OPTIONAL_PARAMETER",
            6: "UNACCEPTABLE_HOLD_TIME",
            7: "UNSUPPORTED_CAPABILITY",  # RFC 5492
            11: "ROLE_MISMATCH",  # RFC 9234
        },
    ),
    3: (
        "UPDATE_MESSAGE_ERROR",  # RFC 4271 section 6.3; 7 is deprecated
        {
            1: "MALFORMED_ATTRIBUTE_LIST",
            2: "UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE",
            3: "MISSING_WELL_KNOWN_ATTRIBUTE",
            4: "ATTRIBUTE_FLAGS_ERROR",
            5: "ATTRIBUTE_LENGTH_ERROR",
            6: "INVALID_ORIGIN_ATTRIBUTE",
            8: "INVALID_NEXT_HOP_ATTRIBUTE",
            9: "OPTIONAL_ATTRIBUTE_ERROR",
            10: "INVALID_NETWORK_FIELD",
            11: "MALFORMED_AS_PATH",
        },
    ),
    4: ("HOLD_TIMER_EXPIRED", {}),  # RFC 4271 section 6.5
    5: (
        "FINITE_STATE_MACHINE_ERROR",  # RFC 6608
        {
            1: "UNEXPECTED_MESSAGE_IN_OPENSENT",
            2: "UNEXPECTED_MESSAGE_IN_OPENCONFIRM",
            3: "UNEXPECTED_MESSAGE_IN_ESTABLISHED",
        },
    ),
    6: (
        "CEASE",  # RFC 4486
        {
            1: "MAXIMUM_PREFIXES_REACHED",
            2: "ADMIN_SHUTDOWN",
            3: "PEER_DECONFIGURED",
            4: "ADMIN_RESET",
            5: "CONNECTION_REJECTED",
            6: "OTHER_CONFIGURATION_CHANGE",
            7: "CONNECTION_COLLISION_RESOLUTION",
            8: "OUT_OF_RESOURCES",
            9: "HARD_RESET",  # RFC 8538
            10: "BFD_DOWN",  # RFC 9384
        },
    ),
    7: ("ROUTE_REFRESH_MESSAGE_ERROR", {1: "INVALID_MESSAGE_LENGTH"}),  # RFC 7313
    8: ("SEND_HOLD_TIMER_EXPIRED", {}),  # RFC 9687
    9: ("LOSS_OF_LSDB_SYNCHRONIZATION", {}),  # RFC 9815
}

# IANA "BGP Well-known Communities".
WELL_KNOWN_COMMUNITIES = {
    0xFFFF0000: "GRACEFUL_SHUTDOWN",  # RFC 8326
    0xFFFF0001: "ACCEPT_OWN",  # RFC 7611
    0xFFFF0002: "ROUTE_FILTER_TRANSLATED_V4",  # draft-l3vpn-legacy-rtc
    0xFFFF0003: "ROUTE_FILTER_V4",  # draft-l3vpn-legacy-rtc
    0xFFFF0004: "ROUTE_FILTER_TRANSLATED_V6",  # draft-l3vpn-legacy-rtc
    0xFFFF0005: "ROUTE_FILTER_V6",  # draft-l3vpn-legacy-rtc
    0xFFFF0006: "LLGR_STALE",  # RFC 9494
    0xFFFF0007: "NO_LLGR",  # RFC 9494
    0xFFFF0008: "ACCEPT_OWN_NEXTHOP",  # draft-agrewal-idr-accept-own-nexthop
    0xFFFF0009: "STANDBY_PE",  # RFC 9026
    0xFFFF029A: "BLACKHOLE",  # RFC 7999
    0xFFFFFF01: "NO_EXPORT",  # RFC 1997
    0xFFFFFF02: "NO_ADVERTISE",  # RFC 1997
    0xFFFFFF03: "NO_EXPORT_SUBCONFED",  # RFC 1997
    0xFFFFFF04: "NOPEER",  # RFC 3765
}
