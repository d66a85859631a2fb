# cython: language_level=3
"""Reading bytes that others sent: every bounds check there is.

A cursor borrows its bytes (pointer, end); it never owns them and must not outlive them. Each `take_` checks what is left and
returns False, changing nothing, if that is too little. `take_cursor` cuts a sub-cursor, so that a parser cannot run
out of the attribute it was given. The bare `be..` loads are for bytes whose presence was checked already.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from *:
    """
    #include <string.h>
    #include <stdint.h>
    static inline uint16_t bgpipe_be16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return __builtin_bswap16(v); }
    static inline uint32_t bgpipe_be32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return __builtin_bswap32(v); }
    static inline uint64_t bgpipe_be64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return __builtin_bswap64(v); }
    static inline void bgpipe_put16(uint8_t *p, uint16_t v) { v = __builtin_bswap16(v); memcpy(p, &v, 2); }
    static inline void bgpipe_put32(uint8_t *p, uint32_t v) { v = __builtin_bswap32(v); memcpy(p, &v, 4); }
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "bgpipe is built for little-endian machines"
    #endif
    /* Builds with AddressSanitizer keep no room behind bytes that may be touched unseen. */
    #if defined(__SANITIZE_ADDRESS__)
    #define BGPIPE_ASAN 1
    #elif defined(__has_feature)
    #if __has_feature(address_sanitizer)
    #define BGPIPE_ASAN 1
    #endif
    #endif
    #ifdef BGPIPE_ASAN
    #include <sanitizer/asan_interface.h>
    #else
    #define BGPIPE_ASAN 0
    #define ASAN_POISON_MEMORY_REGION(p, n) ((void)0)
    #define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)0)
    #endif
    """
    enum: ASAN "BGPIPE_ASAN"
    void poison "ASAN_POISON_MEMORY_REGION"(const void *p, size_t n) noexcept nogil
    void unpoison "ASAN_UNPOISON_MEMORY_REGION"(const void *p, size_t n) noexcept nogil
    uint16_t be16 "bgpipe_be16"(const uint8_t *p) noexcept nogil
    uint32_t be32 "bgpipe_be32"(const uint8_t *p) noexcept nogil
    uint64_t be64 "bgpipe_be64"(const uint8_t *p) noexcept nogil
    void put16 "bgpipe_put16"(uint8_t *p, uint16_t v) noexcept nogil
    void put32 "bgpipe_put32"(uint8_t *p, uint32_t v) noexcept nogil
    bint likely "__builtin_expect"(bint cond, long expected) noexcept nogil


cdef struct cursor_t:
    const uint8_t* p
    const uint8_t* end


cdef inline cursor_t cursor(const uint8_t* p, size_t n) noexcept nogil:
    cdef cursor_t c
    c.p = p
    c.end = p + n
    return c


cdef inline size_t left(const cursor_t* c) noexcept nogil:
    return <size_t>(c.end - c.p)


cdef inline bint take_u8(cursor_t* c, uint8_t* out) noexcept nogil:
    if c.end - c.p < 1:
        return False
    out[0] = c.p[0]
    c.p += 1
    return True


cdef inline bint take_u16(cursor_t* c, uint16_t* out) noexcept nogil:
    if c.end - c.p < 2:
        return False
    out[0] = be16(c.p)
    c.p += 2
    return True


cdef inline bint take_u32(cursor_t* c, uint32_t* out) noexcept nogil:
    if c.end - c.p < 4:
        return False
    out[0] = be32(c.p)
    c.p += 4
    return True


cdef inline bint take_bytes(cursor_t* c, size_t n, const uint8_t** out) noexcept nogil:
    if <size_t>(c.end - c.p) < n:
        return False
    out[0] = c.p
    c.p += n
    return True


cdef inline bint take_cursor(cursor_t* c, size_t n, cursor_t* out) noexcept nogil:
    if <size_t>(c.end - c.p) < n:
        return False
    out.p = c.p
    out.end = c.p + n
    c.p += n
    return True
