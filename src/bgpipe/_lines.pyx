# cython: language_level=3
"""Lines of text -> batches of messages: where lines end, and which of two readers gets them.

A format of lines has two readers. The native one knows the spelling that programs print, and little else; it works on whole blocks
without the GIL. A line that it does not recognise to its last byte it leaves, as if it had never looked, to the lenient one
in Python, which knows all of the format and says what is wrong with a bad line. So there is one place that decides what a line
means, and the native reader only has to agree with it on what both read.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcpy, memset
from bgpipe._codec cimport Batch, Decoder, next_table
from bgpipe._message cimport msg_t, peer_t
from bgpipe._scan cimport SLACK

cdef enum:                         # what run() stopped at
    BLOCK_DONE = 0
    LINE_LEFT = 1                  # a line for the lenient reader
    LINE_LONG = 2


cdef class LineDecoder(Decoder):
    """Lines -> batches; see the module. native: False leaves every line to the reader in Python. fallbacks: lines that the
    native one did not understand.
    """

    def __cinit__(self, *args, **options):
        self.native = True

    def __dealloc__(self):
        free(self.line)

    cdef Py_ssize_t frame(self, Batch b, const uint8_t* p, Py_ssize_t n, bint eof) except -1:
        cdef Py_ssize_t at = 0, size = 0
        cdef int stopped
        cdef const uint8_t* feed
        if self.discard:
            feed = <const uint8_t*>memchr(p, c"\n", n)
            if feed == NULL:
                return n
            self.discard = False
            at = feed - p + 1
        while b.error is None:
            with nogil:
                stopped = self.run(b, p, n, eof, &at, &size)
            if stopped == BLOCK_DONE:
                break
            if stopped == LINE_LEFT:
                self.lenient(b, p + at, size, self.offset + at)
            else:
                self.damaged(b, f" is longer than {self.longest} bytes", self.offset + at)
                if at + size == n:
                    self.discard = not eof
            at = min(at + size + 1, n)
            self.scanned = 0
        return at

    cdef int run(self, Batch b, const uint8_t* p, Py_ssize_t n, bint eof, Py_ssize_t* at, Py_ssize_t* size) except -1 nogil:
        """Decode lines from p[at], which moves on, until one is not for the native reader: p[at:at + size]."""
        cdef const uint8_t* line
        cdef const uint8_t* feed
        cdef Py_ssize_t length
        cdef uint8_t* copy
        cdef bint known
        while at[0] < n:
            if b.full():
                self.paused = True
                break
            line = p + at[0]
            feed = NULL
            if self.scanned < n - at[0]:
                feed = <const uint8_t*>memchr(line + self.scanned, c"\n", n - at[0] - self.scanned)
            length = feed - line if feed != NULL else n - at[0]
            size[0] = length
            if feed == NULL and not eof and length <= self.longest:
                self.scanned = length
                break
            self.scanned = 0
            self.records += 1
            if length > self.longest:
                return LINE_LONG
            if length == 0:
                at[0] += 1
                continue
            if line + length + SLACK > p + n:
                if self.line_cap < length + SLACK + 1:
                    copy = <uint8_t*>realloc(self.line, length + SLACK + 1)
                    if copy == NULL:
                        with gil:
                            raise MemoryError()
                    self.line = copy
                    self.line_cap = length + SLACK + 1
                memcpy(self.line, line, length)
                memset(self.line + length, c"\n", SLACK + 1)
                line = self.line
            if not (self.native and self.take(line, line + length)):
                return LINE_LEFT
            if not self.deliver(b):
                with gil:
                    known = self.settle(b)
                if not known:
                    return LINE_LEFT
                self.deliver(b)
            at[0] = min(at[0] + length + 1, n)
        return BLOCK_DONE

    cdef bint take(self, const uint8_t* p, const uint8_t* end) noexcept nogil:
        return False

    cdef int deliver(self, Batch b) except -1 nogil:
        return 1

    cdef bint settle(self, Batch b) except -1:
        return False

    cdef int lenient(self, Batch b, const uint8_t* p, Py_ssize_t n, uint64_t offset) except -1:
        raise TypeError("a LineDecoder is used through its subclasses")

    cdef int damaged(self, Batch b, str problem, uint64_t offset) except -1:
        error = self.error_type(f"line {self.records} at offset {offset}{problem}", offset=offset, record=self.records)
        if self.pardon:
            self.skip(error)
        else:
            b.error = error
        return 0

    cdef msg_t* put(self, Batch b, bytes wire) except NULL:
        cdef uint8_t* copy = b.alloc(PyBytes_GET_SIZE(wire))
        cdef msg_t* m
        memcpy(copy, PyBytes_AS_STRING(wire), PyBytes_GET_SIZE(wire))
        m = b.add()
        m.wire = copy
        m.len = <uint32_t>PyBytes_GET_SIZE(wire)
        m.type = copy[18]
        return m

    cdef const peer_t* intern(self, Batch b, const uint8_t* key, uint32_t key_len, dict tags) except NULL:
        cdef const peer_t* peer = self.peers.get(key, key_len)
        if peer == NULL:
            if self.peers.full():
                self.peers = next_table(self.peers, b)
                self.forget_peers()
            peer = self.peers.add(key, key_len, tags)
        return peer

    cdef void forget_peers(self) noexcept:
        pass
