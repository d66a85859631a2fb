# cython: language_level=3
"""OPEN, NOTIFICATION and ROUTE-REFRESH as JSON."""

from libc.stdint cimport uint8_t
from bgpipe._message cimport msg_t

cdef uint8_t* put_open(uint8_t* out, msg_t* m) noexcept nogil
cdef uint8_t* put_notification(uint8_t* out, msg_t* m) noexcept nogil
cdef uint8_t* put_refresh(uint8_t* out, msg_t* m) noexcept nogil
