# cython: language_level=3
"""JSON lines -> batches of messages. The code and its theory are in _json_reader.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from bgpipe._json_update cimport draft_t
from bgpipe._lines cimport LineDecoder
from bgpipe._message cimport peer_t

# State of the native reader between lines, and what it made of the last one.
cdef struct reader_t:
    draft_t draft
    uint64_t second_text[3]      # the text of the last second and its point, as three overlapping words
    int64_t second               # and what it is since 1970
    uint64_t seq
    int64_t time
    uint16_t flags
    uint8_t type
    const uint8_t* meta          # borrowed from the line; NULL where the line is not understood
    uint32_t meta_len
    const peer_t* recent[256]    # of the decoder's table of peers, by a cheap hash of their text

cdef class JsonDecoder(LineDecoder):
    cdef reader_t reader
    cdef object parse            # bgpipe.formats.json.parse_line, once it was needed
