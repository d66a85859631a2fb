# cython: language_level=3
"""The batch core: batches of messages, their peers, and framing.

Nothing here knows a file format, a session or a stage. Kernels work on `msg_t` records and wire bytes without the GIL; errors
are status codes until somebody asks for them (`Batch.failures`).
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from cpython.memoryview cimport PyMemoryView_FromObject
from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memmove, memset
from posix.unistd cimport usleep
from bgpipe._check cimport check, message_error
from bgpipe._message cimport (
    ACTION_ACCEPT, ACTION_DROP, ACTION_NONE, CTX_AS2, ERR_ATTRIBUTE_VALUE, MSG_ACCEPTED, MSG_DROPPED, MSG_EXTRA,
    MSG_HIDDEN, MSG_REPORTED, MSG_UNSEEN, STATUS_UNKNOWN, TYPE_UPDATE, VIEW_LOC, VIEW_OUT, VIEW_POST, addpath_all,
    attr_t, next_attr, view_t, wanted_type,
)
from bgpipe._wire cimport ASAN, be16, be32, be64, poison, unpoison

from os import urandom

from bgpipe.errors import InputError, StageError

cdef extern from "<arpa/inet.h>" nogil:
    enum: AF_INET
    enum: AF_INET6
    int inet_pton(int af, const char* src, void* dst)

cdef extern from *:
    """
    #if defined(__clang__)
    #define BGPIPE_COMPILER "clang " __clang_version__
    #elif defined(__GNUC__)
    #define BGPIPE_COMPILER "gcc " __VERSION__
    #else
    #define BGPIPE_COMPILER "unknown"
    #endif
    """
    const char* BGPIPE_COMPILER

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    enum: CLOCK_REALTIME
    int clock_gettime(int clock, timespec* t)

cdef extern from *:
    """
    #if defined(__GLIBC__)
    #include <malloc.h>
    static void bgpipe_keep_memory(void) { mallopt(M_MMAP_THRESHOLD, 8 << 20); mallopt(M_TRIM_THRESHOLD, 16 << 20); }
    #else
    static void bgpipe_keep_memory(void) {}
    #endif
    """
    void set_thresholds "bgpipe_keep_memory"() noexcept nogil

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030E0000
    #define bgpipe_siphash Py_HashBuffer
    #else
    extern Py_hash_t _Py_HashBytes(const void *, Py_ssize_t);
    #define bgpipe_siphash _Py_HashBytes
    #endif
    """
    Py_hash_t siphash "bgpipe_siphash"(const void* p, Py_ssize_t n) noexcept nogil

cdef enum:
    HEADER_LEN = 19
    CHUNK = 64 * 1024
    MAX_PEERS = 65536
    MAX_PEER_BYTES = 2 << 20
    MAX_LEFT = 8 << 20
    WAIT_US = 100               # how soon a thread sees that a kernel is done
    EDITS = 1 << 20             # octets that edits may leave behind in an arena
    REMOVED = 0xFFFF            # length of a tag's value that says: not this one of the peer's


COMPILER: str = (<bytes>BGPIPE_COMPILER).decode().strip()


def keep_memory() -> None:
    """Have the process keep up to 16 MiB of freed memory, so that blocks and batches do not cost page faults again and again.

    It is the process's own matter, and so called by the command line, not on import.
    """
    set_thresholds()


def type_mask(names: object) -> int:
    """Bit mask of message types for `Decoder.types` and `Encoder.types`: bit n for type n, bit 0 for all types that have no name."""
    mask = 0
    for number in names:
        mask |= 1 << (number if number < 32 else 0)
    return mask


cdef int64_t now_ns() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_REALTIME, &t)
    return <int64_t>t.tv_sec * 1000000000 + t.tv_nsec


# ---- bytes that grow ------------------------------------------------------------------------------------------------

cdef class Buffer:
    """Bytes that grow. `memoryview(buffer)` shows them; while such a view lives, the buffer cannot move or be cleared."""

    def __cinit__(self, Py_ssize_t capacity=0):
        if capacity > 0:
            self.reserve(capacity)

    def __dealloc__(self):
        free(self.data)

    def __len__(self):
        return self.len

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.data if self.data != NULL else <void*>b"", self.len, 1, flags)
        self.exports += 1

    def __releasebuffer__(self, Py_buffer* view):
        self.exports -= 1

    def __bytes__(self):
        return PyBytes_FromStringAndSize(<char*>self.data, self.len)

    def clear(self):
        """Forget the bytes, keep the room. BufferError while a view is exported."""
        if self.exports:
            raise BufferError("a view of the buffer is in use")
        self.len = 0
        self.messages = 0

    def take(self, Py_ssize_t room=0):
        """The bytes in a buffer of their own, which are not copied; this one is empty then, with room for so many."""
        cdef Buffer taken
        if self.exports:
            raise BufferError("a view of the buffer is in use")
        taken = Buffer()
        taken.data, taken.len, taken.cap = self.data, self.len, self.cap
        taken.messages = self.messages
        self.data = NULL
        self.len = self.cap = 0
        self.messages = 0
        if room > 0:
            self.reserve(room)
        return taken

    def extend(self, more):
        """Append the bytes of an object that exposes some; the messages of a buffer count as put here."""
        cdef Py_buffer view  # a typed memoryview would cost every start of the program 2 ms of imports
        PyObject_GetBuffer(more, &view, PyBUF_SIMPLE)
        try:
            self.append(view.buf, view.len)
        finally:
            PyBuffer_Release(&view)
        if isinstance(more, Buffer):
            self.messages += (<Buffer>more).messages

    cdef int reserve(self, Py_ssize_t more) except -1 nogil:
        cdef Py_ssize_t want
        cdef uint8_t* data
        if self.cap - self.len >= more:
            if ASAN:
                unpoison(self.data + self.len, more)
                poison(self.data + self.len + more, self.cap - self.len - more)
            return 0
        if self.exports:
            with gil:
                raise BufferError("a view of the buffer is in use")
        want = self.len + more
        if want < self.cap + self.cap // 2:
            want = self.cap + self.cap // 2
        data = <uint8_t*>realloc(self.data, want)
        if data == NULL:
            with gil:
                raise MemoryError()
        self.data = data
        self.cap = want
        poison(self.data + self.len + more, self.cap - self.len - more)
        return 0

    cdef int append(self, const void* p, Py_ssize_t n) except -1 nogil:
        if n > 0:
            self.reserve(n)
            memcpy(self.data + self.len, p, n)
            self.len += n
        return 0


@cython.final
cdef class Room:
    """The room behind the bytes of a buffer, for others to write to. While a view of it lives, the buffer cannot move."""

    cdef Buffer buffer
    cdef Py_ssize_t size

    def __cinit__(self, Buffer buffer not None, Py_ssize_t size):
        if not 0 <= size <= buffer.cap - buffer.len:
            raise ValueError(f"no room for {size} bytes")
        self.buffer = buffer
        self.size = size

    def __getbuffer__(self, Py_buffer* view, int flags):
        if self.size > self.buffer.cap - self.buffer.len:
            raise BufferError("the room is taken")
        PyBuffer_FillInfo(view, self, self.buffer.data + self.buffer.len, self.size, 0, flags)
        self.buffer.exports += 1

    def __releasebuffer__(self, Py_buffer* view):
        self.buffer.exports -= 1


# ---- peers ------------------------------------------------------------------------------------------------------------

cdef peer_t EMPTY_PEER
memset(&EMPTY_PEER, 0, sizeof(peer_t))
EMPTY_PEER.json = <const uint8_t*>b"{}"
EMPTY_PEER.json_len = 2
EMPTY_PEER.pairs = <const uint8_t*>b""
EMPTY_PEER.key = <const uint8_t*>b""


cdef const peer_t* no_peer() noexcept nogil:
    return &EMPTY_PEER


def json_string(text: str) -> bytes:
    """`text` as a JSON string in quotes: one line whatever it holds, control characters and lone surrogates escaped."""
    out = ['"']
    for ch in text:
        code = ord(ch)
        if ch == '"' or ch == "\\":
            out.append("\\" + ch)
        elif code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or code in (0x2028, 0x2029):
            out.append(f"\\u{code:04x}")
        else:
            out.append(ch)
    out.append('"')
    return "".join(out).encode()


cdef bytes pack_pairs(dict tags):
    out = bytearray()
    for key, value in tags.items():
        try:
            k = key.encode()
            v = b"" if value is None else value.encode()
        except UnicodeEncodeError:
            raise InputError(f"tag {key[:40]!r} has lone surrogates, which are no text") from None
        if len(k) >= REMOVED or len(v) >= REMOVED:
            raise InputError(f"tag {key[:40]!r} is longer than {REMOVED - 1} bytes")
        out += len(k).to_bytes(2, "little")
        out += (REMOVED if value is None else len(v)).to_bytes(2, "little")
        out += k
        out += v
    return bytes(out)


cdef dict unpack_pairs(const uint8_t* p, uint32_t n):
    cdef uint32_t i = 0
    cdef uint16_t kl, vl
    tags = {}
    while i + 4 <= n:
        memcpy(&kl, p + i, 2)
        memcpy(&vl, p + i + 2, 2)
        i += 4
        key = PyBytes_FromStringAndSize(<const char*>p + i, kl).decode()
        i += kl
        if vl == REMOVED:
            tags[key] = None
            continue
        tags[key] = PyBytes_FromStringAndSize(<const char*>p + i, vl).decode()
        i += vl
    return tags


cdef uint64_t hash_bytes(const uint8_t* p, uint32_t n) noexcept nogil:
    return <uint64_t>siphash(p, n)


cdef uint32_t tag_number(dict tags, str name):
    value = tags.get(name)
    if value and len(value) <= 10 and value.isascii() and value.isdigit() and int(value) <= 0xFFFFFFFF:
        return int(value)
    return 0


cdef uint8_t tag_address(dict tags, str name, uint8_t* out):
    value = tags.get(name)
    if value:
        text = value.encode("utf-8", "replace")
        if inet_pton(AF_INET, text, out) == 1:
            return 4
        if inet_pton(AF_INET6, text, out) == 1:
            return 16
    return 0


cdef int set_ends(peer_t* peer, dict tags) except -1:
    peer.peer_as = tag_number(tags, "PEER_AS")
    peer.local_as = tag_number(tags, "LOCAL_AS")
    peer.ifindex = tag_number(tags, "INTERFACE")
    peer.peer_ip_len = tag_address(tags, "PEER_IP", peer.peer_ip)
    peer.local_ip_len = tag_address(tags, "LOCAL_IP", peer.local_ip)
    if "RIB" in tags or "PEER_ID" in tags or "PEER_RD" in tags or "PEER_TYPE" in tags:
        set_view(&peer.view, tags)
    return 0


cdef int set_view(view_t* view, dict tags) except -1:
    # As _bmp makes them of a per-peer header.
    from bgpipe.bgp.distinguisher import from_text

    cdef uint8_t id[16]
    cdef bytes rd = from_text(tags.get("PEER_RD") or "")
    cdef str rib = tags.get("RIB") or ""
    if rd is not None:
        memcpy(view.rd, PyBytes_AS_STRING(rd), sizeof(view.rd))
    if tag_address(tags, "PEER_ID", id) == sizeof(view.id):
        memcpy(view.id, id, sizeof(view.id))
    view.kind = <uint8_t>min(tag_number(tags, "PEER_TYPE"), 255)
    if view.kind != VIEW_LOC:
        view.flags = (VIEW_OUT if rib.startswith("out") else 0) | (VIEW_POST if rib.endswith("-post") else 0)
    return 0


@cython.final
cdef class PeerTable:
    """Interns what the messages of one peer share: tags, their JSON, addresses."""

    def __cinit__(self):
        self.owned = []
        self.mask = 63
        self.slots = <peer_t**>calloc(64, sizeof(peer_t*))
        if self.slots == NULL:
            raise MemoryError()

    def __dealloc__(self):
        cdef uint32_t i
        if self.slots != NULL:
            for i in range(self.mask + 1):
                free(self.slots[i])
        free(self.slots)

    def __len__(self):
        return self.size

    cdef bint full(self) noexcept nogil:
        return self.size >= MAX_PEERS or self.bytes_used > MAX_PEER_BYTES

    cdef peer_t* get(self, const uint8_t* key, uint32_t key_len) noexcept nogil:
        cdef uint64_t h = hash_bytes(key, key_len)
        cdef uint32_t i = <uint32_t>h & self.mask
        cdef peer_t* peer
        while True:
            peer = self.slots[i]
            if peer == NULL:
                return NULL
            if peer.hash == h and peer.key_len == key_len and memcmp(peer.key, key, key_len) == 0:
                return peer
            i = (i + 1) & self.mask

    cdef int grow(self) except -1:
        cdef uint32_t size = (self.mask + 1) * 2
        cdef uint32_t i, j
        cdef peer_t** slots = <peer_t**>calloc(size, sizeof(peer_t*))
        if slots == NULL:
            raise MemoryError()
        for i in range(self.mask + 1):
            if self.slots[i] != NULL:
                j = <uint32_t>self.slots[i].hash & (size - 1)
                while slots[j] != NULL:
                    j = (j + 1) & (size - 1)
                slots[j] = self.slots[i]
        free(self.slots)
        self.slots = slots
        self.mask = size - 1
        return 0

    cdef peer_t* add(self, const uint8_t* key, uint32_t key_len, dict tags) except NULL:
        cdef bytes key_bytes = PyBytes_FromStringAndSize(<const char*>key, key_len)
        cdef bytes pairs = pack_pairs(tags)
        cdef bytes json = b"{" + b",".join([json_string(k) + b":" + json_string(v) for k, v in tags.items()]) + b"}"
        cdef peer_t* peer
        cdef uint32_t i
        if self.size * 2 > self.mask:
            self.grow()
        peer = <peer_t*>calloc(1, sizeof(peer_t))
        if peer == NULL:
            raise MemoryError()
        self.owned.append((key_bytes, pairs, json))
        peer.index = self.size
        peer.key = <const uint8_t*>PyBytes_AS_STRING(key_bytes)
        peer.key_len = key_len
        peer.hash = hash_bytes(peer.key, key_len)
        peer.pairs = <const uint8_t*>PyBytes_AS_STRING(pairs)
        peer.pairs_len = <uint32_t>PyBytes_GET_SIZE(pairs)
        peer.json = <const uint8_t*>PyBytes_AS_STRING(json)
        peer.json_len = <uint32_t>PyBytes_GET_SIZE(json)
        set_ends(peer, tags)
        action = tags.get("ACTION")
        peer.action = ACTION_DROP if action == "DROP" else ACTION_ACCEPT if action == "ACCEPT" else ACTION_NONE
        i = <uint32_t>peer.hash & self.mask
        while self.slots[i] != NULL:
            i = (i + 1) & self.mask
        self.slots[i] = peer
        self.size += 1
        self.bytes_used += sizeof(peer_t) + key_len + peer.pairs_len + peer.json_len + 400
        return peer

    cdef peer_t* quiet(self, dict tags, dict ends) except NULL:
        cdef bytes packed = pack_pairs(ends)
        cdef uint32_t n = <uint32_t>PyBytes_GET_SIZE(packed)
        cdef bytes key = b"\xff\xff" + n.to_bytes(4, "little") + packed + pack_pairs(tags)  # no tag's key is that long
        cdef peer_t* peer = self.get(<const uint8_t*>PyBytes_AS_STRING(key), <uint32_t>PyBytes_GET_SIZE(key))
        if peer == NULL:
            peer = self.add(<const uint8_t*>PyBytes_AS_STRING(key), <uint32_t>PyBytes_GET_SIZE(key), tags)
            set_ends(peer, ends)
            peer.ends = peer.key + 6
            peer.ends_len = n
        return peer


cdef PeerTable next_table(PeerTable full, Batch b):
    cdef PeerTable table = PeerTable()
    b.keep.append(table)
    b.made += full.bytes_used
    return table


# ---- batches -----------------------------------------------------------------------------------------------------------

@cython.final
cdef class Batch:
    """A bundle of messages in order, with all that their bytes live in.

    len(batch): messages, dropped ones included. error: the InputError or StageError that ended the input behind these messages, or None.
    completion: called with the batch once all that came of it is written; or None.

    `with batch` goes around what works on it without the GIL: what another thread does with its messages waits until that is done.
    """

    def __cinit__(self):
        self.keep = []

    def __dealloc__(self):
        free(self.msgs)
        self.free_arena()

    cdef void free_arena(self) noexcept:
        cdef chunk_t* c = self.arena
        cdef chunk_t* after
        while c != NULL:
            after = c.next
            free(c)
            c = after
        self.arena = NULL
        self.made = 0

    def __len__(self):
        return self.n

    cdef int grow(self) except -1 nogil:
        return self.reserve(1024 if self.cap == 0 else self.cap * 2)

    cdef int reserve(self, uint32_t cap) except -1 nogil:
        cdef msg_t* msgs
        if cap <= self.cap:
            return 0
        msgs = <msg_t*>realloc(self.msgs, cap * sizeof(msg_t))
        if msgs == NULL:
            with gil:
                raise MemoryError()
        self.msgs = msgs
        self.cap = cap
        return 0

    cdef uint8_t* alloc(self, size_t n) except NULL nogil:
        cdef chunk_t* c = self.arena
        cdef uint8_t* p
        cdef size_t cap
        if not ASAN:
            n = (n + 7) & ~<size_t>7
        if c == NULL or c.cap - c.used < n:
            cap = CHUNK if n <= CHUNK and not ASAN else n
            c = <chunk_t*>malloc(sizeof(chunk_t) + cap)
            if c == NULL:
                with gil:
                    raise MemoryError()
            c.cap = cap
            c.used = 0
            c.next = self.arena
            self.arena = c
            self.made += cap
        p = <uint8_t*>c + sizeof(chunk_t) + c.used
        c.used += n
        return p

    cdef void tidy(self) noexcept nogil:
        cdef chunk_t* old = self.arena
        cdef chunk_t* c
        cdef msg_t* m
        cdef uint32_t i, tags
        cdef size_t size = 0
        if self.tidy_at == 0:
            self.tidy_at = 2 * self.made + EDITS
        if self.made <= self.tidy_at or self.lent or self.held:
            return
        for i in range(self.n):
            size += tidy_size(&self.msgs[i], old)
        c = <chunk_t*>malloc(sizeof(chunk_t) + size)
        if c == NULL:
            return
        c.cap = size
        c.used = 0
        c.next = NULL
        self.arena = c
        for i in range(self.n):
            m = self.msgs + i
            m.attrs = NULL
            if within(old, m.wire):
                m.wire = copy_to(c, m.wire, m.len)
            if m.tags != NULL and within(old, m.tags):
                memcpy(&tags, m.tags, 4)
                m.tags = copy_to(c, m.tags, 4 + tags)
        while old != NULL:
            c = old.next
            free(old)
            old = c
        self.made = size
        self.tidy_at = 2 * size + EDITS
        self.moves += 1

    def __enter__(self):
        self.settled()
        self.worker = PyThread_get_thread_ident()
        self.working += 1
        return self

    def __exit__(self, *failure):
        self.working -= 1

    cdef int wait(self) except -1:
        while self.working:
            with nogil:
                usleep(WAIT_US)
            PyErr_CheckSignals()
        return 0

    cdef int clear(self) except -1:
        self.n = 0
        self.free_arena()
        self.keep.clear()
        self.error = None
        self.completion = None
        self.failed = 0
        return 0

    def __iter__(self):
        """Its messages in order, without those that were dropped."""
        from bgpipe._view import messages
        return messages(self)

    def number(self, uint64_t next_right, uint64_t next_left):
        """Give sequence numbers, counting per direction, to messages that have none; return the next ones."""
        cdef msg_t* m = self.msgs
        cdef msg_t* end = m + self.n
        while m < end:
            if m.seq == 0:
                if m.flags & MSG_LEFT:
                    m.seq = next_left
                    next_left += 1
                else:
                    m.seq = next_right
                    next_right += 1
            m += 1
        return next_right, next_left

    def cut(self, uint32_t k):
        """Forget the messages from index k on."""
        if k < self.n:
            self.n = k

    def part(self, uint32_t start, uint32_t stop):
        """The messages of index start up to stop, as a batch of its own; what is changed there is not changed here."""
        cdef Batch b = Batch()
        cdef uint32_t i
        stop = min(stop, self.n)
        b.keep_batch(self)
        for i in range(start, stop):
            b.add_copy(self.msgs + i)
            if self.msgs[i].status > STATUS_OK and not self.msgs[i].flags & MSG_REPORTED:
                b.failed += 1
        return b

    cdef int keep_batch(self, Batch other) except -1:
        other.lent = True
        # Its peers by themselves too: a message that is copied once more takes along no more than those.
        self.keep.append(other)
        self.keep.extend([owner for owner in other.keep if isinstance(owner, PeerTable)])
        return 0

    def cut_like(self, Batch other not None, uint32_t count):
        """Cut this batch where `other`, a batch that stages made of it, is cut by cut(count)."""
        cdef uint32_t i, left
        if self.n == other.n:  # nothing was put in between
            self.cut(count)
            return
        left = other.came(count)
        for i in range(self.n):
            if self.msgs[i].flags & MSG_EXTRA:
                continue
            if left == 0:
                self.n = i
                return
            left -= 1

    def came(self, uint32_t count):
        """How many of the first `count` messages came with the batch, and were put in by no stage on its way."""
        cdef uint32_t i, n = 0
        for i in range(min(count, self.n)):
            n += not self.msgs[i].flags & MSG_EXTRA
        return n

    def find(self, uint64_t interest, uint32_t directions=3):
        """Indices of messages of these directions and this interest (bgp/watch.py), without dropped and hidden ones."""
        cdef uint32_t i
        cdef msg_t* m
        found = []
        for i in range(self.n):
            m = self.msgs + i
            if of_interest(m, interest) and not m.flags & (MSG_DROPPED | MSG_HIDDEN) and (directions >> (m.flags & MSG_LEFT)) & 1:
                found.append(i)
        return found

    def behind(self, uint32_t count, uint32_t directions=3):
        """The index behind the `count`th of the messages that visible() counts, or behind all where there are fewer."""
        cdef uint32_t i
        for i in range(self.n):
            if count == 0:
                return i
            count -= not self.msgs[i].flags & MSG_UNSEEN and (directions >> (self.msgs[i].flags & MSG_LEFT)) & 1
        return self.n

    def visible(self, uint32_t directions=3):
        """How many messages of these directions (bit 0: R, bit 1: L) a stage that looks gets to see."""
        cdef uint32_t i, n = 0
        for i in range(self.n):
            n += not self.msgs[i].flags & MSG_UNSEEN and (directions >> (self.msgs[i].flags & MSG_LEFT)) & 1
        return n

    def sample(self, uint32_t count, uint32_t directions=3, *, bint drop=False):
        """Leave `count` of the visible messages of these directions, any as likely as any other.

        The others pass the stage by that has the batch, or (drop) are gone.
        """
        cdef uint32_t left = self.visible(directions)
        cdef uint16_t flag = MSG_DROPPED if drop else MSG_HIDDEN
        cdef uint64_t state = int.from_bytes(urandom(8), "little") | 1
        cdef msg_t* m
        for m in self.msgs[:self.n]:
            if m.flags & MSG_UNSEEN or not (directions >> (m.flags & MSG_LEFT)) & 1:
                continue
            # Selection sampling: of those that are left, `count` are still to be taken.
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            if (state >> 32) * left >> 32 < count:
                count -= 1
            else:
                m.flags |= flag
            left -= 1

    def take_off(self, uint32_t types=0xFFFFFFFF, uint32_t directions=3):
        """Drop the visible messages of these directions and types (`type_mask`), and return how many there were."""
        cdef uint32_t count = 0
        cdef msg_t* m
        for m in self.msgs[:self.n]:
            if not m.flags & MSG_UNSEEN and (directions >> (m.flags & MSG_LEFT)) & 1 and wanted_type(types, m.type):
                m.flags |= MSG_DROPPED
                count += 1
        return count

    def hide_outside(self, uint32_t start, uint32_t stop):
        """Let messages in front of index `start`, and those from `stop` on, pass the stage by that has the batch."""
        cdef uint32_t i
        for i in range(self.n):
            if i < start or i >= stop:
                self.msgs[i].flags |= MSG_HIDDEN

    def reveal(self):
        """The stage is done with the batch that messages were hidden from."""
        cdef uint32_t i
        for i in range(self.n):
            self.msgs[i].flags &= <uint16_t>~MSG_HIDDEN

    def count(self, str direction=""):
        """Messages that are not dropped, of direction "R", "L" or (by default) both."""
        cdef uint32_t i, n = 0
        cdef uint32_t dirs = 1 if direction == "R" else 2 if direction == "L" else 3
        for i in range(self.n):
            if not self.msgs[i].flags & MSG_DROPPED and (dirs >> (self.msgs[i].flags & MSG_LEFT)) & 1:
                n += 1
        return n

    def check(self):
        """Check all messages that nobody has looked at; return how many of the batch do not parse."""
        cdef uint32_t i, bad = 0
        cdef msg_t* m
        with nogil:
            for i in range(self.n):
                m = self.msgs + i
                if m.status == STATUS_UNKNOWN and check(m, NULL) > STATUS_OK:
                    self.failed += 1
                if m.status > STATUS_OK:
                    bad += 1
        return bad

    def failures(self):
        """Messages found not to parse and not given before: a list of (index, MessageError)."""
        cdef uint32_t i
        cdef msg_t* m
        out = []
        for i in range(self.n):
            m = self.msgs + i
            if m.status > STATUS_OK and not m.flags & MSG_REPORTED:
                m.flags |= MSG_REPORTED
                out.append((i, message_error(m)))
        self.failed = 0
        return out

    def wire(self, uint32_t index):
        """The bytes of message `index`, header included. IndexError."""
        if index >= self.n:
            raise IndexError(index)
        return PyBytes_FromStringAndSize(<const char*>self.msgs[index].wire, self.msgs[index].len)


cdef bint within(const chunk_t* c, const uint8_t* p) noexcept nogil:
    while c != NULL:
        if <const uint8_t*>c < p < <const uint8_t*>c + sizeof(chunk_t) + c.cap:
            return True
        c = c.next
    return False


cdef size_t tidy_size(const msg_t* m, const chunk_t* arena) noexcept nogil:
    # Octets that a message has in an arena, each part rounded up as copy_to does.
    cdef size_t size = 0
    cdef uint32_t tags
    if within(arena, m.wire):
        size += (m.len + 7) & ~<size_t>7
    if m.tags != NULL and within(arena, m.tags):
        memcpy(&tags, m.tags, 4)
        size += (4 + tags + 7) & ~<size_t>7
    return size


cdef uint8_t* copy_to(chunk_t* c, const uint8_t* p, size_t n) noexcept nogil:
    cdef uint8_t* out = <uint8_t*>c + sizeof(chunk_t) + c.used
    memcpy(out, p, n)
    c.used += (n + 7) & ~<size_t>7
    return out


# ---- decoders and encoders ------------------------------------------------------------------------------------------------

cdef class Decoder:
    """Bytes -> batches.

    direction: "R" or "L", of messages whose input does not say. types: bit mask of wanted message types (`type_mask`).
    pardon: skip what does not parse instead of ending there. on_skip: called with an InputError for each thing skipped.
    no_seq, no_time, no_tags: take new sequence numbers, the time now, no tags.
    one_way: all messages are of this direction, whatever the input says.
    """

    def __cinit__(self, *args, **options):
        self.block = Buffer()
        self.peers = PeerTable()
        self.block_size = 256 * 1024

    def __init__(self, *, str direction="R", bint pardon=False, bint no_seq=False, bint no_time=False, bint no_tags=False,
                 bint one_way=False, uint32_t types=0xFFFFFFFF, Py_ssize_t block_size=256 * 1024, on_skip=None):
        self.direction = MSG_LEFT if direction == "L" else 0
        self.pardon = pardon
        self.no_seq = no_seq
        self.no_time = no_time
        self.no_tags = no_tags
        self.one_way = one_way
        self.types = types
        self.block_size = max(block_size, 64)
        self.on_skip = on_skip

    cpdef Batch read(self, source):
        """The next batch from `source.readinto(memoryview) -> int`, or None at the end. Blocks as long as the source does."""
        cdef Batch b
        cdef Py_ssize_t used
        if self.finished:
            return None
        b = Batch()
        b.reserve(self.usual)
        b.keep.append(self.peers)
        while not self.ended:
            if not self.paused:
                self.fill(b, source)
                if self.ended:
                    break
            self.paused = False
            self.need = 0
            used = self.frame(b, self.block.data + self.at, self.block.len - self.at, self.eof)
            if self.borrowed and b.n:
                b.keep.append(self.block)
            if b.error is not None:
                self.ended = True
                break
            self.at += used
            self.offset += used
            self.ended = self.eof and not self.paused
            if b.n:
                break
        if self.ended:
            self.close(b)
        self.override(b)
        self.usual = b.n
        return b if b.n or b.error is not None or not self.finished else None

    def feed(self, data, bint eof=False):
        """In place of read(), for bytes that come by themselves: the batch of what is whole now, which may be empty.

        eof: nothing comes behind them. While `paused` is true, there is more of it: feed(b"") goes on. Behind an `error` of a
        batch, nothing more is decoded.
        """
        cdef Batch b = Batch()
        cdef Py_buffer view
        cdef Py_ssize_t used
        b.keep.append(self.peers)
        self.eof = self.eof or eof
        if not self.ended:
            PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
            try:
                if view.len and not self.make_room(b, view.len):
                    return b
                self.block.append(view.buf, view.len)
            finally:
                PyBuffer_Release(&view)
            b.reserve(min(self.usual, <uint32_t>(self.block.len - self.at) // HEADER_LEN + 1))
            self.paused = False
            self.need = 0
            used = self.frame(b, self.block.data + self.at, self.block.len - self.at, self.eof)
            if self.borrowed and b.n:
                b.keep.append(self.block)
            self.at += used
            self.offset += used
            self.ended = b.error is not None or (self.eof and not self.paused)
        if self.ended and self.eof and not self.finished:
            self.close(b)
            self.paused = not self.finished
        self.override(b)
        self.usual = b.n
        return b

    def rest(self, Py_ssize_t most):
        """The first octets, at most so many, of those that came and are not decoded."""
        if self.block is None:
            return b""
        return PyBytes_FromStringAndSize(<char*>self.block.data + self.at, min(most, self.block.len - self.at))

    cdef bint make_room(self, Batch b, Py_ssize_t room) except -1:
        # Behind the bytes that are left, which go to the front of a block. Not where they are too many: b.error.
        cdef Buffer block = self.block
        if self.filling:
            raise RuntimeError("the decoder is waiting for its source already: it is used by one at a time")
        cdef Py_ssize_t left = block.len - self.at
        if self.borrowed:
            block = Buffer(left + room)
            block.append(self.block.data + self.at, left)
            self.block = block
            self.borrowed = False
        else:
            if self.at:
                memmove(block.data, block.data + self.at, left)
                block.len = left
            if left > MAX_LEFT:
                b.error = InputError(f"no record ends within {left} bytes at offset {self.offset}", offset=self.offset)
                self.ended = True
                return False
            block.reserve(room)
        self.at = 0
        return True

    cdef int fill(self, Batch b, source) except -1:
        # More bytes behind those that are left.
        cdef Py_ssize_t n, left = self.block.len - self.at
        cdef Py_ssize_t room = max(self.block_size, self.need - left)
        cdef Buffer block
        if not self.make_room(b, room):
            return 0
        block = self.block
        unpoison(block.data + left, room)
        self.filling = True
        try:
            n = source.readinto(PyMemoryView_FromObject(Room(block, room)))
        except (InputError, StageError) as e:
            # What was whole before the damage has been framed already; a record that it cut is lost.
            b.error = e
            self.ended = True
            return 0
        finally:
            self.filling = False
        if n < 0 or n > room:
            raise ValueError(f"readinto() says {n} bytes, into {room}")
        self.eof = n == 0
        block.len += n
        if block.exports:
            # The source has kept what it was given, and may write to it: what is checked here is to stay as it is.
            self.block = Buffer(block.len)
            self.block.append(block.data, block.len)
            return 0
        poison(block.data + block.len, block.cap - block.len)
        return 0

    cdef int close(self, Batch b) except -1:
        # What is held back, as far as it fits; behind all of it, what ended the input.
        if b.error is not None:
            self.pending_error = b.error
        self.block = None
        self.finished = not self.finish(b)
        b.error = self.pending_error if self.finished else None
        return 0

    def flush(self):
        """For who stops reading before the end: what is held back (routes of a RIB), or None; then the rest of it. No more is read."""
        cdef Batch b
        if self.filling:
            raise RuntimeError("the decoder is waiting for its source: what it holds back is not settled before")
        if self.finished:
            return None
        self.ended = True
        b = Batch()
        b.keep.append(self.peers)
        self.close(b)
        self.override(b)
        return b if b.n else None

    cdef int override(self, Batch b) except -1:
        cdef msg_t* m = b.msgs
        cdef msg_t* end = m + b.n
        cdef int64_t now
        if not (self.no_seq or self.no_time or self.no_tags or self.one_way):
            return 0
        now = now_ns()
        while m < end:
            if self.no_seq:
                m.seq = 0
            if self.no_time:
                m.time = now
            if self.no_tags:
                m.peer = &EMPTY_PEER
                m.tags = NULL
            if self.one_way:
                m.flags = m.flags & ~MSG_LEFT | self.direction
            m += 1
        return 0

    cdef Py_ssize_t frame(self, Batch b, const uint8_t* p, Py_ssize_t n, bint eof) except -1:
        raise TypeError("a Decoder is used through its subclasses")

    cdef int finish(self, Batch b) except -1:
        return 0

    cdef int skip(self, error) except -1:
        self.skipped += 1
        if self.on_skip is not None:
            self.on_skip(error)
        return 0


cdef class Encoder:
    """Batches -> bytes. types: bit mask of the message types to take (`type_mask`). directions: "R", "L" or "RL".

    accepted: whether to take messages that are past all other stages (an ACTION tag of their input said so). on_skip: called with an
    InputError for each message that the format cannot say.

    part: octets behind which a format stops in which few octets can make any amount of text; 0 for never. The batch is `unfinished`
    then, and go_on() has the next part of it. divides: whether the format is one that does so.
    """

    divides = False

    def __cinit__(self, *args, **options):
        self.unwanted = MSG_DROPPED | MSG_HIDDEN

    @property
    def accepted(self):
        return not self.unwanted & MSG_ACCEPTED

    @accepted.setter
    def accepted(self, bint accepted):
        self.unwanted = MSG_DROPPED | MSG_HIDDEN | (0 if accepted else MSG_ACCEPTED)

    def __init__(self, *, uint32_t types=0xFFFFFFFF, str directions="RL", on_skip=None):
        self.types = types
        self.directions = ("R" in directions) | ("L" in directions) << 1
        self.on_skip = on_skip

    cpdef int encode(self, Batch b, Buffer out) except -1:
        """Append the messages of `b` that are wanted and not dropped to `out`."""
        raise TypeError("an Encoder is used through its subclasses")

    @property
    def unfinished(self):
        return self.next != 0

    cpdef int go_on(self, Batch b, Buffer out) except -1:
        """Append the next part of a batch that is `unfinished`, the same one as it was given to encode()."""
        raise TypeError("all of the batch is there")

    cdef int skip(self, error) except -1:
        self.skipped += 1
        if self.on_skip is not None:
            self.on_skip(error)
        return 0


cdef class RawDecoder(Decoder):
    """BGP messages back to back, as on a TCP connection (RFC 4271 section 4.1). They get the time now.

    as_size: 2 or 4, octets of an AS number. addpath: prefixes of all families carry path ids. context: more bits of ctx_t.
    cut: behind each message of this interest (bgp/watch.py) a batch ends: what follows may be decoded otherwise.
    longest: octets of a message at most; a longer one is damage, before the rest of it comes.
    """

    cdef const peer_t* peer                 # in `peers`, or the one without tags

    cdef public ctx_t ctx
    cdef public uint32_t longest
    cdef public uint64_t cut
    cdef bint lost                          # behind damage: looking for the next message

    def __init__(self, *, uint32_t as_size=4, bint addpath=False, ctx_t context=0, **options):
        super().__init__(**options)
        self.ctx = (CTX_AS2 if as_size == 2 else 0) | (addpath_all() if addpath else 0) | context
        self.longest = 0xFFFF
        self.peer = &EMPTY_PEER

    def come_from(self, dict tags not None, bint shown):
        """Whose messages follow: PEER_AS, PEER_IP, LOCAL_AS, LOCAL_IP, as tags; not `shown`, for MRT alone."""
        cdef bytes key = pack_pairs(tags)
        if not shown:
            self.peer = self.peers.quiet({}, tags)
            return
        self.peer = self.peers.get(<const uint8_t*>PyBytes_AS_STRING(key), <uint32_t>PyBytes_GET_SIZE(key))
        if self.peer == NULL:
            self.peer = self.peers.add(<const uint8_t*>PyBytes_AS_STRING(key), <uint32_t>PyBytes_GET_SIZE(key), tags)

    cdef Py_ssize_t frame(self, Batch b, const uint8_t* p, Py_ssize_t n, bint eof) except -1:
        cdef Py_ssize_t i = 0
        cdef uint32_t length
        cdef msg_t* m
        cdef int64_t now = now_ns()
        while n - i >= HEADER_LEN:
            if self.lost:
                i = next_marker(p, i, n)
                if n - i < HEADER_LEN:
                    break
                # A run of ones may be longer than the marker at its end.
                if be16(p + i + 16) >= 0xFF00 or be16(p + i + 16) < HEADER_LEN:
                    i += 1
                    continue
                self.lost = False
            length = be16(p + i + 16)
            if (be64(p + i) != 0xFFFFFFFFFFFFFFFFULL or be64(p + i + 8) != 0xFFFFFFFFFFFFFFFFULL
                    or not HEADER_LEN <= length <= self.longest):
                what = "marker is not all ones"
                if length < HEADER_LEN:
                    what = "length below 19"
                elif length > self.longest:
                    what = f"length above {self.longest}"
                error = InputError(
                    f"message {self.records + 1} at offset {self.offset + i} is no BGP message: {what}",
                    offset=self.offset + i, record=self.records + 1,
                )
                if not self.pardon:
                    b.error = error
                    return i
                self.records += 1
                self.skip(error)
                self.lost = True
                i += 1
                continue
            if n - i < length:
                break
            self.records += 1
            if wanted_type(self.types, p[i + 18]):
                self.borrowed = True
                m = b.add()
                m.wire = p + i
                m.len = length
                m.peer = self.peer
                m.type = p[i + 18]
                m.time = now
                m.ctx = self.ctx
                m.flags = self.direction
                if of_interest(m, self.cut):
                    self.paused = True
                    return i + length
            i += length
        if eof and self.lost:
            return n
        if eof and i < n:
            error = InputError(
                f"message {self.records + 1} at offset {self.offset + i} is cut short: {n - i} bytes are left",
                offset=self.offset + i, record=self.records + 1,
            )
            if self.pardon:
                self.skip(error)
                return n
            b.error = error
        return i


cdef inline bint of_interest(const msg_t* m, uint64_t interest) noexcept nogil:
    if (interest >> (m.type if m.type < 32 else 0)) & 1:
        return True
    return m.type == TYPE_UPDATE and (interest >> 32) & 1 and is_end_of_rib(m.wire, m.len)


cdef inline bint is_end_of_rib(const uint8_t* wire, uint32_t length) noexcept nogil:
    # Nothing at all, or an MP_UNREACH without prefixes, its length in one octet or two (RFC 4724 section 2).
    if length == 23:
        return be32(wire + 19) == 0
    if length == 29:
        return be32(wire + 19) == 6 and not wire[23] & 0x10 and be16(wire + 24) == 0x0F03
    return length == 30 and be32(wire + 19) == 7 and wire[23] & 0x10 and wire[24] == 0x0F and be16(wire + 25) == 3


cdef Py_ssize_t next_marker(const uint8_t* p, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # The first place from i on where 16 octets of ones stand, or where they may begin at the end.
    cdef Py_ssize_t run = 0
    while i < n:
        if p[i] == 0xFF:
            run += 1
            if run == 16:
                return i - 15
        else:
            run = 0
        i += 1
    return n - run


cdef class RawEncoder(Encoder):
    """Batches -> BGP messages back to back, the very bytes that came where nothing edited them."""

    def __cinit__(self, *args, **options):
        self.limit = 0xFFFFFFFF

    cdef int put_other(self, const msg_t* m, Buffer out) except -1 nogil:
        return 0

    cdef Py_ssize_t size_of(self, const msg_t* m, const msg_t* end) noexcept nogil:
        cdef Py_ssize_t n = 0
        while m < end:
            n += m.len if self.wanted(m) else 0
            m += 1
        return n

    cpdef int encode(self, Batch b, Buffer out) except -1:
        cdef msg_t* m
        cdef msg_t* end
        cdef const uint8_t* start
        cdef Py_ssize_t n
        cdef uint64_t count = 0
        cdef bint counted = False
        if b is None or out is None:
            raise TypeError("encode() takes a Batch and a Buffer")
        m = b.msgs
        end = m + b.n
        with nogil:
            while m < end:
                start = m.wire
                n = 0
                while m < end and m.wire == start + n and self.passes(m):  # they came one behind the other
                    n += m.len
                    count += 1
                    m += 1
                if n:
                    if m < end and not counted:  # room for the rest, too, at once
                        counted = True
                        out.reserve(n + self.size_of(m, end))
                    out.append(start, n)
                    continue
                if self.wanted(m):
                    self.put_other(m, out)
                m += 1
        self.written += count
        out.messages += count
        return 0


# ---- the index of an UPDATE ---------------------------------------------------------------------------------------------------

cdef attrs_t* index_attrs(Batch b, msg_t* m) except? NULL nogil:
    cdef const uint8_t* p
    cdef const uint8_t* stop
    cdef const uint8_t* end
    cdef attrs_t* index
    cdef attr_t found[256]
    cdef uint32_t count = 0
    cdef attrs_t at
    if m.attrs != NULL:
        return m.attrs
    if m.type != TYPE_UPDATE:
        return NULL
    if m.status == STATUS_UNKNOWN and check(m, NULL) > STATUS_OK:
        b.failed += 1
    # Attributes whose value alone does not parse are indexed all the same; whoever reads one checks it.
    if m.status > STATUS_OK and m.status != ERR_ATTRIBUTE_VALUE:
        return NULL
    p = m.wire + HEADER_LEN
    end = m.wire + m.len
    at.unreach_len = be16(p)
    at.unreach = p + 2
    p += 2 + at.unreach_len
    if end - p < 2:
        return NULL
    at.attrs_len = be16(p)
    at.attrs = p + 2
    if at.attrs_len > end - p - 2:
        return NULL
    p += 2
    stop = p + at.attrs_len
    while p < stop:
        if count == 256 or not next_attr(&p, stop, &found[count]):
            return NULL
        count += 1
    at.reach = stop
    at.reach_len = <uint32_t>(end - stop)
    index = <attrs_t*>b.alloc(sizeof(attrs_t) + count * sizeof(attr_t))
    index[0] = at
    index.count = count
    memcpy(index.attr, found, count * sizeof(attr_t))
    m.attrs = index
    return index
