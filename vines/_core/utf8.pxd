"""UTF-8 as RFC 3629 section 4 has it: no surrogates, no overlong forms, nothing past U+10FFFF."""

from libc.stdint cimport uint8_t, uint64_t

from vines._core.wire cimport vines_read64


cdef inline bint is_ascii(const uint8_t* at, size_t count) noexcept nogil:
    cdef uint64_t bits = 0
    cdef size_t index = 0
    if count < 8:
        for index in range(count):
            bits |= at[index]
        return bits < 0x80
    while index + 8 < count:
        bits |= vines_read64(at + index)
        index += 8
    return (bits | vines_read64(at + count - 8)) & 0x8080808080808080ULL == 0


cdef inline bint is_utf8(const uint8_t* at, size_t count) noexcept nogil:
    cdef const uint8_t* end = at + count
    cdef size_t size
    while at < end:
        if at[0] < 0x80:
            size = 1
        else:
            size = character_size(at, end - at)
            if size == 0:
                return False
        at += size
    return True


cdef inline size_t character_size(const uint8_t* at, size_t count) noexcept nogil:
    """The bytes of the character outside ASCII that begins here, 0 if it is ill-formed."""
    cdef uint8_t low = 0x80
    cdef uint8_t high = 0xbf
    cdef size_t size
    if 0xc2 <= at[0] <= 0xdf:
        size = 2
    elif 0xe0 <= at[0] <= 0xef:
        size = 3
        if at[0] == 0xe0:
            low = 0xa0          # less is overlong
        elif at[0] == 0xed:
            high = 0x9f         # more is a surrogate
    elif 0xf0 <= at[0] <= 0xf4:
        size = 4
        if at[0] == 0xf0:
            low = 0x90          # less is overlong
        elif at[0] == 0xf4:
            high = 0x8f         # more is beyond U+10FFFF
    else:
        return 0
    if count < size or not low <= at[1] <= high:
        return 0
    if size > 2 and at[2] & 0xc0 != 0x80 or size > 3 and at[3] & 0xc0 != 0x80:
        return 0
    return size
