# cython: language_level=3
"""What Python sees of messages; the code and who owns what are in _view.pyx."""

from libc.stdint cimport uint8_t, uint32_t
from bgpipe._codec cimport Batch
from bgpipe._message cimport attrs_t, ctx_t, msg_t


cdef class SessionContext:
    cdef ctx_t ctx


cdef class Msg:
    cdef readonly Batch batch               # kept alive; what the message's bytes live in
    cdef readonly uint32_t index
    cdef dict cache                         # decoded values by slot, of the bytes at `seen`; NULL and None: none yet
    cdef const uint8_t* seen
    cdef uint32_t moves                     # of the batch, at that time
    cdef msg_t* record(self) except NULL
    cdef attrs_t* attributes(self) except NULL
    cdef object cached(self, int slot)
    cdef bint fresh(self) except -1
    cdef int keep(self, dict cache) except -1
    cdef int remember(self, int slot, object value) except -1
    cdef int put_body(self, bytes body) except -1


cdef Msg view(Batch batch, uint32_t index)
cdef SessionContext context_of(ctx_t ctx)
cdef Batch small_batch(size_t wire_len)
# Have a copied record's octets and tags in the arena of the batch that it is to be in.
cdef int own_octets(Batch batch, msg_t* m) except -1
# Keep the peers that records of another batch refer to.
cdef int share_peers(Batch batch, Batch other) except -1
