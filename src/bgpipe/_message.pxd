# cython: language_level=3
"""Messages, their peers and contexts: the records that all compiled modules work on. Header only."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from bgpipe._wire cimport be16

# ---- session context: what decoding a message depends on, as one value ------------------------------------------
# Bit 0: AS numbers take 2 bytes (RFC 4271), else 4 (RFC 6793). Bit 1: extended messages (RFC 8654).
# From bit 8: prefixes of family index n carry a path id (RFC 7911), n as family() gives it.
ctypedef uint64_t ctx_t

cdef enum:
    CTX_AS2 = 1
    CTX_EXTENDED = 2
    CTX_ADDPATH_SHIFT = 8
    FAMILY_IPV4_UNICAST = 0
    FAMILY_IPV4_MULTICAST = 1
    FAMILY_IPV6_UNICAST = 2
    FAMILY_IPV6_MULTICAST = 3
    FAMILY_OTHER = 55

cdef inline ctx_t addpath_all() noexcept nogil:
    return ~<ctx_t>0 << CTX_ADDPATH_SHIFT

cdef inline bint has_addpath(ctx_t ctx, uint32_t family) noexcept nogil:
    return (ctx >> (CTX_ADDPATH_SHIFT + family)) & 1

# ---- peers: what the messages of one peer share -----------------------------------------------------------------
cdef enum:
    ACTION_NONE = 0
    ACTION_DROP = 1
    ACTION_ACCEPT = 2

cdef struct view_t:                        # which RIB of a router the messages of a peer are of (RFC 7854 section 4.2); zeros where nothing tells
    uint8_t rd[8]                          # distinguisher of the peer or the instance
    uint8_t id[4]                          # BGP identifier of the peer
    uint8_t kind                           # the peer type of BMP: 3 is Loc-RIB (RFC 9069)
    uint8_t flags                          # those of BMP that tell RIBs apart: VIEW_*
    uint16_t unused                        # zero

cdef enum:
    VIEW_POST = 0x40                       # behind the policy (RFC 7854 section 4.2)
    VIEW_OUT = 0x10                        # Adj-RIB-Out (RFC 8671 section 4)
    VIEW_LOC = 3                           # view_t.kind

cdef struct peer_t:
    uint32_t index
    uint32_t peer_as, local_as, ifindex
    uint8_t peer_ip_len, local_ip_len      # 0, 4 or 16 bytes
    uint8_t action                         # ACTION_*: what an "ACTION" tag of the input asked for
    uint8_t reset                          # the decoder's own: its next message gets MSG_RESET
    uint8_t peer_ip[16]
    uint8_t local_ip[16]
    view_t view
    const uint8_t* up                      # what the BMP Peer Up message of its session said behind the per-peer header; else NULL
    uint32_t up_len
    const uint8_t* json                    # the tags as a JSON object, braces included
    uint32_t json_len
    uint32_t pairs_len
    const uint8_t* pairs                   # the tags: (uint16 key length, uint16 value length, key, value)..., host order, UTF-8
    const uint8_t* ends                    # packed as `pairs`: where the addresses and AS numbers come from that no tags tell of; else NULL
    uint32_t ends_len
    const uint8_t* key                     # what it was interned under
    uint32_t key_len
    uint64_t hash

# ---- messages -----------------------------------------------------------------------------------------------------
cdef enum:
    TYPE_OPEN = 1
    TYPE_UPDATE = 2
    TYPE_NOTIFICATION = 3
    TYPE_KEEPALIVE = 4
    TYPE_ROUTE_REFRESH = 5

cdef enum:                                  # msg_t.flags
    MSG_LEFT = 1                            # direction L, else R
    MSG_DROPPED = 2
    MSG_EDITED = 4                          # the wire bytes are not those that came
    MSG_LOCAL = 8                           # from a _LOCAL MRT record (RFC 6396 section 4.4)
    MSG_ACCEPTED = 16                       # past all other stages
    MSG_REPORTED = 32                       # its parse error has been taken by Batch.failures()
    MSG_HIDDEN = 64                         # passes the stage by that has the batch now (--if, --rate-sample)
    MSG_EXTRA = 128                         # put behind another message by a stage: not of the batch that came
    MSG_RESET = 256                         # the session of its peer went down or came up in front of it
    MSG_RIB = 512                           # routes of a table dump: nobody sent it so
    MSG_UNSEEN = MSG_DROPPED | MSG_ACCEPTED | MSG_HIDDEN    # what a stage that looks is to leave alone

cdef enum:                                  # msg_t.status; what is above STATUS_OK does not parse
    STATUS_UNKNOWN = 0                      # nobody has looked yet
    STATUS_OK = 1
    ERR_HEADER = 2                          # marker or length
    ERR_OPEN = 3
    ERR_NOTIFICATION = 4
    ERR_KEEPALIVE = 5
    ERR_ROUTE_REFRESH = 6
    ERR_WITHDRAWN_LENGTH = 7
    ERR_ATTRIBUTES_LENGTH = 8
    ERR_ATTRIBUTE_HEADER = 9
    ERR_ATTRIBUTE_TWICE = 10
    ERR_ATTRIBUTE_VALUE = 11
    ERR_WITHDRAWN = 12
    ERR_NLRI = 13

cdef struct attr_t:                         # one attribute of an UPDATE
    const uint8_t* value
    uint16_t length
    uint8_t code
    uint8_t flags

# The attribute at p[0], which moves behind it (RFC 4271 section 4.3); False, and p[0] stays, where it does not end before `end`.
cdef inline bint next_attr(const uint8_t** p, const uint8_t* end, attr_t* found) noexcept nogil:
    cdef const uint8_t* at = p[0]
    if end - at < 3:
        return False
    found.flags = at[0]
    found.code = at[1]
    if at[0] & 0x10:
        if end - at < 4:
            return False
        found.length = be16(at + 2)
        at += 4
    else:
        found.length = at[2]
        at += 3
    if end - at < found.length:
        return False
    found.value = at
    p[0] = at + found.length
    return True

cdef struct attrs_t:                        # the attribute index, made at most once a message
    const uint8_t* unreach                  # withdrawn routes
    const uint8_t* attrs                    # path attributes
    const uint8_t* reach                    # NLRI
    uint32_t unreach_len, attrs_len, reach_len
    uint32_t count
    attr_t attr[1]                          # `count` of them, in wire order

cdef struct msg_t:                          # 64 bytes, one cache line
    const uint8_t* wire                     # the whole message, its 19 bytes of header included; owned by what Batch.keep or its arena holds
    int64_t time                            # ns since 1970, UTC
    uint64_t seq                            # 0: not numbered yet
    const peer_t* peer                      # never NULL; owned by a PeerTable in Batch.keep
    ctx_t ctx
    const uint8_t* tags                     # tags of this message alone: packed like peer_t.pairs behind a uint32 of their bytes; NULL if none. Same key: these win; an empty value of length 0xFFFF: tag removed
    attrs_t* attrs                          # index, or NULL where not made yet
    uint32_t len                            # bytes of wire
    uint16_t flags
    uint8_t type
    uint8_t status

cdef struct error_t:                        # where a message does not parse; filled at the edge
    uint8_t status
    uint8_t attr                            # attribute code, where it is an attribute
    uint32_t offset                         # from the start of the message
    uint8_t code, subcode                   # RFC 4271 section 6

cdef inline bint wanted_type(uint32_t types, uint8_t t) noexcept nogil:
    return (types >> (t if t < 32 else 0)) & 1
