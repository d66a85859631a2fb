# cython: language_level=3
"""Decompresses ordinary bzip2 blocks, a third faster than the library that Python comes with.

Where anything in a block is unusual or wrong, decode() gives None: the library then takes the block, and says what is wrong with it.

The format has no specification but its programs: magic of 48 bits, checksum, origin, the byte values in use, Huffman tables that take turns every
50 symbols, symbols: run lengths in base 2, places in a move-to-front list.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove, memset
from bgpipe._wire cimport be32, be64, likely

cdef enum:
    LONGEST = 900_000                       # bytes that a block stands for, before its runs are expanded
    TABLES = 6
    SYMBOLS = 258
    GROUP = 50
    SELECTORS = 18002                       # those of a block of LONGEST symbols; more are never used
    LONGEST_CODE = 20
    QUICK = 10                              # codes of up to so many bits take one look
    GUARD = 256                             # zeros behind the input: a group of symbols may be read before its end is checked

cdef struct table_t:
    uint16_t quick[1 << QUICK]              # symbol << 5 | length; 0: a longer code, or none
    uint32_t first[LONGEST_CODE + 2]        # first code of each length
    uint32_t count[LONGEST_CODE + 2]
    uint32_t offset[LONGEST_CODE + 2]       # in `symbol`, of the first code's
    uint16_t symbol[SYMBOLS]

cdef struct block_t:
    const uint8_t* p                        # owned by the caller, GUARD zeros behind it
    uint64_t at, end                        # bits
    uint32_t* links                         # LONGEST of them: next << 8 | byte
    uint8_t* out
    uint32_t n                              # of both
    uint32_t first                          # where the walk begins
    uint32_t crc

cdef uint32_t CRC[8][256]


cdef int make_crc() noexcept:
    cdef uint32_t i, k, c
    for i in range(256):
        c = i << 24
        for k in range(8):
            c = c << 1 ^ (0x04C11DB7 if c & 0x80000000U else 0)
        CRC[0][i] = c
    for i in range(256):
        for k in range(1, 8):
            CRC[k][i] = CRC[k - 1][i] << 8 ^ CRC[0][CRC[k - 1][i] >> 24]
    return 0


make_crc()


cdef uint32_t crc_of(uint32_t crc, const uint8_t* p, size_t n) noexcept nogil:
    cdef uint32_t b
    while n >= 8:
        crc ^= be32(p)
        b = be32(p + 4)
        crc = (
            CRC[7][crc >> 24] ^ CRC[6][crc >> 16 & 255] ^ CRC[5][crc >> 8 & 255] ^ CRC[4][crc & 255]
            ^ CRC[3][b >> 24] ^ CRC[2][b >> 16 & 255] ^ CRC[1][b >> 8 & 255] ^ CRC[0][b & 255]
        )
        p += 8
        n -= 8
    while n > 0:
        crc = crc << 8 ^ CRC[0][crc >> 24 ^ p[0]]
        p += 1
        n -= 1
    return crc


cdef inline uint32_t peek(const block_t* b, uint32_t bits) noexcept nogil:
    return <uint32_t>(be64(b.p + (b.at >> 3)) << (b.at & 7) >> (64 - bits))


cdef inline uint32_t take(block_t* b, uint32_t bits) noexcept nogil:
    cdef uint32_t v = peek(b, bits)
    b.at += bits
    return v


cdef bint read_table(block_t* b, table_t* t, uint32_t symbols) noexcept nogil:
    cdef uint8_t length[SYMBOLS]
    cdef uint32_t i, n, code, fill
    n = take(b, 5)
    for i in range(symbols):
        while True:
            if n < 1 or n > LONGEST_CODE or b.at > b.end:
                return False
            if not take(b, 1):
                break
            if take(b, 1):
                n -= 1
            else:
                n += 1
        length[i] = <uint8_t>n
    memset(t, 0, sizeof(table_t))
    for i in range(symbols):
        t.count[length[i]] += 1
    code = 0
    fill = 0
    for n in range(1, LONGEST_CODE + 1):
        t.first[n] = code
        t.offset[n] = fill
        code += t.count[n]
        fill += t.count[n]
        if code > <uint32_t>1 << n:
            return False
        code <<= 1
    # In the order of their codes: by length, then by symbol.
    for n in range(1, LONGEST_CODE + 1):
        fill = t.offset[n]
        code = t.first[n]
        for i in range(symbols):
            if length[i] != n:
                continue
            t.symbol[fill] = <uint16_t>i
            fill += 1
            if n <= QUICK:
                put_quick(t, code << (QUICK - n), 1 << (QUICK - n), <uint16_t>(i << 5 | n))
            code += 1
    return True


cdef void put_quick(table_t* t, uint32_t first, uint32_t count, uint16_t entry) noexcept nogil:
    cdef uint32_t i
    for i in range(first, first + count):
        t.quick[i] = entry


cdef uint32_t long_code(block_t* b, const table_t* t) noexcept nogil:
    # The symbol of a code of more than QUICK bits; SYMBOLS where there is none.
    cdef uint32_t v = peek(b, LONGEST_CODE)
    cdef uint32_t n, code
    for n in range(QUICK + 1, LONGEST_CODE + 1):
        code = (v >> (LONGEST_CODE - n)) - t.first[n]
        if code < t.count[n]:
            b.at += n
            return t.symbol[t.offset[n] + code]
    return SYMBOLS


cdef bint read_symbols(block_t* b, table_t* tables, uint8_t* selectors) noexcept nogil:
    # Everything of a block up to its links, which then hold the bytes in their low octets, in no order yet.
    cdef uint8_t front[256]
    cdef uint8_t order[TABLES]
    cdef uint32_t count[256]
    cdef uint32_t i, k, n, used, sets, groups, chosen, symbol, last, left, run, shift
    cdef uint32_t sum_ = 0, group = 0
    cdef uint32_t* links = b.links
    cdef const table_t* t = NULL
    cdef uint16_t entry
    cdef uint8_t c
    if take(b, 24) != 0x314159 or take(b, 24) != 0x265359:
        return False
    b.crc = take(b, 32)
    if take(b, 1):                          # randomised: versions before 0.9.5 of 1999
        return False
    b.first = take(b, 24)
    sets = take(b, 16)
    used = 0
    for i in range(16):
        if sets >> (15 - i) & 1:
            chosen = take(b, 16)
            for k in range(16):
                if chosen >> (15 - k) & 1:
                    front[used] = <uint8_t>(i << 4 | k)
                    used += 1
    groups = take(b, 3)
    chosen = take(b, 15)
    if used == 0 or groups < 2 or groups > TABLES or chosen == 0 or chosen > SELECTORS or b.at > b.end:
        return False
    for i in range(groups):
        order[i] = <uint8_t>i
    for i in range(chosen):
        k = 0
        while take(b, 1):
            k += 1
            if k >= groups:
                return False
        if b.at > b.end:
            return False
        c = order[k]
        memmove(order + 1, order, k)
        order[0] = c
        selectors[i] = c
    for i in range(groups):
        if not read_table(b, tables + i, used + 2):
            return False
    memset(count, 0, sizeof(count))
    last = used + 1
    n = left = run = shift = 0
    while True:
        if left == 0:
            if group == chosen or b.at > b.end:
                return False
            t = tables + selectors[group]
            group += 1
            left = GROUP
        left -= 1
        entry = t.quick[peek(b, QUICK)]
        if likely(entry, 1):
            b.at += entry & 31
            symbol = entry >> 5
        else:
            symbol = long_code(b, t)
            if symbol == SYMBOLS:
                return False
        if symbol <= 1:
            run += (symbol + 1) << shift
            shift += 1
            if run > LONGEST:
                return False
            continue
        if run:
            if run > LONGEST - n:
                return False
            c = front[0]
            count[c] += run
            for i in range(n, n + run):
                links[i] = c
            n += run
            run = shift = 0
        if symbol == last:
            break
        if n == LONGEST:
            return False
        k = symbol - 1
        c = front[k]
        if k < 16:
            while k > 0:
                front[k] = front[k - 1]
                k -= 1
        else:
            memmove(front + 1, front, k)
        front[0] = c
        count[c] += 1
        links[n] = c
        n += 1
    if b.at != b.end or b.first >= n:
        return False
    b.n = n
    for i in range(256):
        k = count[i]
        count[i] = sum_
        sum_ += k
    for i in range(n):
        c = <uint8_t>links[i]
        links[count[c]] |= i << 8
        count[c] += 1
    b.first = links[b.first] >> 8
    return True


cdef void walk(block_t* b) noexcept nogil:
    # Undoes the transform: the links in their order give the bytes.
    cdef const uint32_t* links = b.links
    cdef uint8_t* out = b.out
    cdef uint32_t i, link = b.first
    for i in range(b.n):
        link = links[link]
        out[i] = <uint8_t>link
        link >>= 8


@cython.auto_pickle(False)
cdef class Runs:
    """A block without its last step: what read() gives is expanded and checked on the way. eof: all of it has been read."""

    cdef uint8_t* bytes
    cdef uint32_t n, at
    cdef uint32_t crc, expected
    cdef uint32_t run                       # equal bytes in a row; behind four a byte says how many more
    cdef uint32_t more                      # of them that are still due
    cdef int last
    cdef readonly bint eof

    def __dealloc__(self):
        free(self.bytes)

    def read(self, Py_ssize_t limit):
        """Up to `limit` bytes, at least 1. OSError behind the last ones if the checksum is not theirs."""
        cdef bytes out
        cdef Py_ssize_t n
        # Most blocks hardly grow.
        cdef Py_ssize_t room = min(limit, self.n - self.at + (self.n >> 2) + self.more + 256)
        cdef uint8_t* to = <uint8_t*>malloc(max(room, 1))
        if to == NULL:
            raise MemoryError()
        with nogil:
            n = self.expand(to, room)
            self.crc = crc_of(self.crc, to, n)
        out = PyBytes_FromStringAndSize(<char*>to, n)
        free(to)
        self.eof = self.at == self.n and self.more == 0
        if self.eof and ~self.crc != self.expected:
            raise OSError("checksum")
        return out

    cdef Py_ssize_t expand(self, uint8_t* to, Py_ssize_t room) noexcept nogil:
        cdef const uint8_t* p = self.bytes + self.at
        cdef const uint8_t* end = self.bytes + self.n
        cdef uint8_t* out = to
        cdef uint8_t* out_end = to + room
        cdef uint32_t run = self.run
        cdef uint32_t n
        cdef int last = self.last
        while True:
            if self.more:
                n = <uint32_t>min(<Py_ssize_t>self.more, out_end - out)
                memset(out, last, n)
                out += n
                self.more -= n
                if self.more:
                    break
                last = -1
            if p == end or out == out_end:
                break
            if run == 4:
                run = 0
                self.more = p[0]
                if self.more == 0:
                    last = -1
                p += 1
                continue
            run = run + 1 if p[0] == last else 1
            last = p[0]
            out[0] = p[0]
            out += 1
            p += 1
        self.run = run
        self.last = last
        self.at = <uint32_t>(p - self.bytes)
        return out - to


cdef class Decoder:
    """Decodes blocks, one after the other; holds the 3.6 MB that it takes."""

    cdef uint32_t* links

    def __cinit__(self):
        self.links = <uint32_t*>malloc(LONGEST * sizeof(uint32_t))
        if self.links == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.links)

    def decode(self, bytes data not None, size_t first, size_t bits):
        """The Runs of the block in these bits, from its magic to what is behind it; None if it is unusual or wrong."""
        cdef table_t tables[TABLES]
        cdef uint8_t selectors[SELECTORS]
        cdef block_t b
        cdef bytes padded
        cdef Runs runs
        cdef bint good
        if first > 8 * <size_t>len(data) or bits > 8 * <size_t>len(data) - first:
            raise ValueError("the bits are not in the bytes")
        padded = data + bytes(GUARD)
        b.p = <const uint8_t*>PyBytes_AS_STRING(padded)
        b.at = first
        b.end = first + bits
        b.links = self.links
        b.out = NULL
        with nogil:
            good = read_symbols(&b, tables, selectors)
            if good:
                b.out = <uint8_t*>malloc(b.n)
                if b.out != NULL:
                    walk(&b)
        if not good:
            return None
        if b.out == NULL:
            raise MemoryError()
        runs = Runs()
        runs.bytes = b.out
        runs.n = b.n
        runs.expected = b.crc
        runs.crc = 0xFFFFFFFFU
        runs.last = -1
        return runs
