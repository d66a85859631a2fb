# cython: language_level=3, nonecheck=True
"""Where messages end in the bytes of a format: for transports that carry them in frames."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memchr
from bgpipe._codec cimport Buffer
from bgpipe._wire cimport be16, be32

cdef enum:
    LINES
    RAW
    MRT
    BMP
    OBMP
    HEADER_LEN = 19                         # RFC 4271 section 4.1
    RECORD_LEN = 12                         # RFC 6396 section 2
    BMP_LEN = 6                             # RFC 7854 section 4.1
    PEER_UP = 3

cdef dict FORMATS = {"json": LINES, "exa": LINES, "bgpdump": LINES, "raw": RAW, "mrt": MRT, "bmp": BMP, "obmp": OBMP}


cdef Py_ssize_t message_end(const uint8_t* p, Py_ssize_t n, int form) noexcept nogil:
    # Octets of the message at p; 0 where not all of it is among the n that there are.
    cdef Py_ssize_t size
    cdef const uint8_t* newline
    if form == LINES:
        newline = <const uint8_t*>memchr(p, c"\n", n)
        return newline - p + 1 if newline != NULL else 0
    if form == RAW:
        size = be16(p + 16) if n >= HEADER_LEN else 0
        return size if HEADER_LEN <= size <= n else 0
    if form == BMP or form == OBMP:
        return bmp_end(p, n, form == OBMP)
    size = RECORD_LEN + <Py_ssize_t>be32(p + 8) if n >= RECORD_LEN else 0
    return size if size <= n else 0


cdef Py_ssize_t bmp_end(const uint8_t* p, Py_ssize_t n, bint is_wrapped) noexcept nogil:
    # What an encoder made of one message: a Peer Up message may stand in front.
    cdef Py_ssize_t at = 0, head = 0, size
    cdef uint8_t kind
    while n - at >= (RECORD_LEN if is_wrapped else BMP_LEN):
        if is_wrapped:
            head = be16(p + at + 6)
            if head < RECORD_LEN:
                return 0
            size = head + <Py_ssize_t>be32(p + at + 8)
        else:
            size = be32(p + at + 1)
        if size < head + BMP_LEN or size > n - at:
            return 0
        kind = p[at + head + 5]
        at += size
        if kind != PEER_UP:
            return at
    return 0


def frames(Buffer data not None, form: str, Py_ssize_t most) -> list:
    """What an encoder of this format has put into `data`, in frames: a list of (bytes, messages in it).

    There is one message in each, or as many as take up no more than `most` octets. Lines go without the last newline.
    """
    cdef int code = FORMATS[form]
    cdef const uint8_t* p = data.data
    cdef const uint8_t* end = p + data.len
    cdef const uint8_t* start
    cdef Py_ssize_t size, count
    cdef Py_ssize_t newline = 1 if code == LINES else 0
    made = []
    while p < end:
        start = p
        count = 0
        with nogil:
            while p < end:
                size = message_end(p, end - p, code)
                if size == 0 or (count and p + size - start > most):
                    break
                p += size
                count += 1
        if count == 0:
            raise ValueError(f"{end - p} octets at the end are no whole message")
        made.append((PyBytes_FromStringAndSize(<char*>start, p - start - newline), count))
    return made


def whole(bytes data not None, form: str) -> int:
    """How many octets at the front of `data` are whole messages; for lines all, since the end of a frame ends a line."""
    cdef int code = FORMATS[form]
    cdef const uint8_t* p = <const uint8_t*>PyBytes_AS_STRING(data)
    cdef Py_ssize_t n = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t size
    if code == LINES:
        return n
    while at < n:
        size = message_end(p + at, n - at, code)
        if size == 0:
            break
        at += size
    return at
