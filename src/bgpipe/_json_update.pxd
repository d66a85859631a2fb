# cython: language_level=3
"""JSON of an UPDATE -> wire, as our own writer spells it. The functions look ahead as those of _scan.pxd do."""

from libc.stdint cimport uint8_t, uint32_t
from bgpipe._message cimport ctx_t

cdef enum:
    HEADER_LEN = 19
    MAX_MESSAGE = 65535
    ROOM = 64                    # more than any item of a list takes on the wire
    WORK_SIZE = MAX_MESSAGE + ROOM

# A message in the making.
cdef struct draft_t:
    uint8_t* wire                # owned, WORK_SIZE bytes: header, withdrawn routes and attributes
    uint8_t* reach               # owned, WORK_SIZE bytes: the NLRI, which JSON gives first and the wire last
    uint32_t wire_len, reach_len
    bint as2                     # AS size of the last UPDATE: the next one's is guessed to be the same
    bint wide                    # an AS number took more than 2 bytes where as2 was guessed
    ctx_t addpath, plain         # families whose prefixes came with path ids, and without
    ctx_t ctx

# The data of an UPDATE from behind the opening brace to behind the closing one: into the draft, all but the header.
cdef const uint8_t* take_typed_update(draft_t* d, const uint8_t* p) noexcept nogil
# "0x..", or "" for no bytes; `most` bytes at most.
cdef const uint8_t* take_bytes_text(const uint8_t* p, uint8_t** at, const uint8_t* stop, size_t most) noexcept nogil
