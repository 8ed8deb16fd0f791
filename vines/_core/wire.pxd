"""Bounded reading and writing of bytes: every varint and every bounds check of the core.

A Reader never reads at or past `end`; a function that meets the end, or a form the protocol does
not allow, returns -1 and leaves it to the caller to refuse the whole. A write function does not
check: its caller has made sure of room. """

from libc.stdint cimport uint8_t, uint64_t

cdef extern from "hash.h" nogil:
    uint64_t vines_read64(const uint8_t* at)
    void vines_write64(uint8_t* at, uint64_t word)

cdef extern from "varint.h" nogil:
    int vines_read_varint(const uint8_t** at, const uint8_t* end, uint64_t* out)

cdef enum:
    KEY_MAX = 1024
    VALUE_MAX = 1048576
    ID_BYTES = 16
    VARINT_BYTES = 10

cdef extern from *:
    """
    #define VINES_COUNTER_LIMIT 0xffffffffffffULL
    #define VINES_STAMP_LIMIT 0x7fffffffffffffffULL
    """
    const uint64_t COUNTER_LIMIT "VINES_COUNTER_LIMIT"
    const uint64_t STAMP_LIMIT "VINES_STAMP_LIMIT"

cdef struct Reader:
    const uint8_t* at
    const uint8_t* end


cdef inline size_t left(const Reader* reader) noexcept nogil:
    return <size_t>(reader.end - reader.at)


cdef inline int read_byte(Reader* reader, uint8_t* out) noexcept nogil:
    if reader.at >= reader.end:
        return -1
    out[0] = reader.at[0]
    reader.at += 1
    return 0


cdef inline int read_long_varint(Reader* reader, uint64_t* out) noexcept nogil:
    """An unsigned LEB128 number of up to 64 bits in its shortest form."""
    return vines_read_varint(&reader.at, reader.end, out)


cdef inline int read_varint(Reader* reader, uint64_t* out, uint64_t limit) noexcept nogil:
    """A varint of at most `limit`."""
    if reader.at < reader.end and reader.at[0] < 0x80:
        out[0] = reader.at[0]
        reader.at += 1
    elif read_long_varint(reader, out) < 0:
        return -1
    return 0 if out[0] <= limit else -1


cdef inline const uint8_t* read_bytes(Reader* reader, size_t count) noexcept nogil:
    """The next `count` bytes in place, or NULL if there are fewer."""
    cdef const uint8_t* at = reader.at
    if left(reader) < count:
        return NULL
    reader.at += count
    return at


cdef inline uint64_t unzigzag(uint64_t value) noexcept nogil:
    return (value >> 1) ^ (0 - (value & 1))


cdef inline uint64_t zigzag(uint64_t difference) noexcept nogil:
    return (difference << 1) ^ (0 - (difference >> 63))


cdef inline uint8_t* write_varint(uint8_t* at, uint64_t value) noexcept nogil:
    while value >= 0x80:
        at[0] = <uint8_t>(value | 0x80)
        value >>= 7
        at += 1
    at[0] = <uint8_t>value
    return at + 1


cdef inline size_t varint_size(uint64_t value) noexcept nogil:
    cdef size_t size = 1
    while value >= 0x80:
        value >>= 7
        size += 1
    return size
