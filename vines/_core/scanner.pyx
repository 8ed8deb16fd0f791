"""The msgpack scanner: whether bytes from a peer are exactly one value, before a library sees them.

It knows nothing of what a value means. What it lets through has one encoding only, the one that
msgpack's Packer makes, so equal values are equal bytes; and it is small in every direction: eight
levels deep, a bounded number of containers, no length that the bytes left could not fill.

How: one pass with a stack of the open containers and no recursion. `owed` counts the items that
open containers have declared and that have not begun; each takes a byte at least, so a container
that owes more than is left is refused where it begins, however its lengths are nested (a library
that believes each of them allocates gigabytes for kilobytes). Equal keys are found by distinct.pxd.

Only the functions for Python take the GIL, and they keep it: a scan is shorter than the packing or
unpacking it stands beside, and a GIL given up may take 5 ms to come back.
"""

from cpython.bytearray cimport PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_Check, PyMemoryView_GET_BUFFER
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from vines._core.distinct cimport (
    Keys, begin_keys, big_endian, end_keys, remember_key, reserve_keys, tell_apart,
)
from vines._core.reason cimport (
    CONTAINERS, CUT_SHORT, DEPTH, DUPLICATE_KEY, EXTENSION, INTEGER, KEY_TYPE, LENGTH, NO_MEMORY,
    NOT_A_MAP, NOT_FINITE, NOT_SHORTEST, NOT_UTF8, RESERVED, SINGLE_FLOAT, STRING_LENGTH,
    TIMESTAMP, TOO_LARGE, TRAILING, WELL_FORMED,
)
from vines._core.utf8 cimport is_ascii, is_utf8
from vines._core.wire cimport Reader, left, read_byte, read_bytes

from vines.errors import WireError

cdef enum:
    LEVELS = 8                  # what people send seldom nests deeper than five
    VALUE_CONTAINERS = 65536    # empty dicts of 4 MiB in memory
    MESSAGE_CONTAINERS = 1024   # empty dicts of 64 KiB in memory
    MESSAGE_ITEMS = 4096        # the largest message has a few dozen
    MESSAGE_STRING = 65536

DEPTH_MAX = LEVELS
CONTAINERS_MAX = VALUE_CONTAINERS
MESSAGE_CONTAINERS_MAX = MESSAGE_CONTAINERS
MESSAGE_ITEMS_MAX = MESSAGE_ITEMS
STRING_BYTES_MAX = MESSAGE_STRING

# The years 1 to 9999 of a datetime, in seconds of Unix time.
cdef const int64_t SECONDS_MIN = -62135596800LL
cdef const int64_t SECONDS_MAX = 253402300799LL

cdef struct Level:
    uint64_t owed       # items of this container that have not ended
    uint32_t first      # where its keys begin among those of all open maps
    bint is_map
    bint ascending      # whether its keys have come in order so far

cdef struct Walk:
    Reader reader
    const uint8_t* head     # the item being looked at: what an error points at
    bint message
    int depth
    uint64_t owed           # items declared by the open containers that have not begun
    uint64_t containers
    uint64_t items
    Keys keys
    Level levels[LEVELS]


cdef dict SENTENCES = {
    CUT_SHORT: "the bytes end inside a value",
    TRAILING: "bytes follow the value",
    LENGTH: "more is declared than there are bytes left",
    RESERVED: "0xc1 begins nothing",
    NOT_SHORTEST: "a number or length is not in its shortest form",
    SINGLE_FLOAT: "a float of 32 bits",
    NOT_FINITE: "a float that is not finite",
    NOT_UTF8: "a str that is not UTF-8",
    KEY_TYPE: "a map key of a type that no key may have",
    DUPLICATE_KEY: "a map with two equal keys",
    DEPTH: f"containers nested deeper than {LEVELS}",
    CONTAINERS: "too many containers or items",
    EXTENSION: "an extension type that is not known here",
    TIMESTAMP: "a timestamp that no datetime holds, or not in its shortest form",
    NOT_A_MAP: "a message that is not a map",
    INTEGER: "an int of 2^63 or more",
    STRING_LENGTH: f"a str of more than {MESSAGE_STRING} bytes",
    TOO_LARGE: "more than 4 GiB",
}


cdef int scan(const unsigned char* data, size_t size, bint message) noexcept nogil:
    cdef Walk walk
    return scan_whole(&walk, data, size, message)


def scan_value(bytes data not None):
    """Check that `data` is exactly one user value. Raises WireError."""
    check(data, 0, False)


def is_value(bytes data not None):
    """Whether `data` is exactly one user value."""
    cdef Walk walk
    return scan_bytes(&walk, data, 0, False) == WELL_FORMED


def scan_message(bytes data not None, Py_ssize_t offset=0):
    """Check that `data[offset:]` is exactly one control message. Raises WireError."""
    if not 0 <= offset <= PyBytes_GET_SIZE(data):
        raise WireError(f"no message: it would begin at byte {offset} of {len(data)}")
    check(data, offset, True)


def key_work(bytes data not None):
    """The words of eight bytes compared to tell the map keys of `data` apart."""
    cdef Walk walk
    scan_bytes(&walk, data, 0, False)
    return walk.keys.words


def outgrows(value, Py_ssize_t limit):
    """Whether packing `value` is sure to take more than `limit` bytes or to nest too deep."""
    return weigh(value, LEVELS, &limit) < 0


cdef inline int check(bytes data, Py_ssize_t offset, bint message) except -1:
    cdef Walk walk
    cdef int reason = scan_bytes(&walk, data, offset, message)
    if reason == WELL_FORMED:
        return 0
    what = "message" if message else "value"
    raise WireError(f"not a {what}: {SENTENCES[reason]} (at byte {walk.head - walk.keys.data})")


cdef inline int scan_bytes(Walk* walk, bytes data, Py_ssize_t offset, bint message) except -1:
    cdef const uint8_t* start = <const uint8_t*><const char*>data + offset
    cdef size_t size = <size_t>(PyBytes_GET_SIZE(data) - offset)
    cdef int reason = scan_whole(walk, start, size, message)
    if reason == NO_MEMORY:
        raise MemoryError
    return reason


cdef int scan_whole(Walk* walk, const uint8_t* data, size_t size, bint message) noexcept nogil:
    cdef int reason
    walk.reader.at = walk.head = data
    walk.reader.end = data + size
    walk.message = message
    walk.depth = 0
    walk.owed = walk.containers = walk.items = 0
    begin_keys(&walk.keys, data, size)
    if size > 0xffffffffULL:
        return TOO_LARGE
    reason = scan_items(walk)
    end_keys(&walk.keys)
    return reason


cdef inline int scan_items(Walk* walk) noexcept nogil:
    cdef Level* level = NULL
    cdef bint is_key = False
    cdef uint8_t tag = 0
    cdef int depth
    cdef int reason
    while True:
        walk.head = walk.reader.at
        if read_byte(&walk.reader, &tag) < 0:
            return CUT_SHORT
        if is_key and not may_be_key(tag, walk.message):
            return KEY_TYPE
        if level == NULL and walk.message and not is_map(tag):
            return NOT_A_MAP
        depth = walk.depth
        reason = scan_item(walk, tag)
        if reason != WELL_FORMED:
            return reason
        if is_key:
            remember_key(&walk.keys, walk.head, level.first, &level.ascending)
        if walk.depth == depth:
            reason = end_item(walk)
            if reason != WELL_FORMED:
                return reason
            if walk.depth == 0:
                walk.head = walk.reader.at
                return WELL_FORMED if left(&walk.reader) == 0 else TRAILING
        level = &walk.levels[walk.depth - 1]
        is_key = level.is_map and not level.owed & 1
        walk.owed -= 1


cdef inline int end_item(Walk* walk) noexcept nogil:
    """One item has ended, and with it every container that it was the last item of."""
    cdef Level* level
    cdef int reason
    while walk.depth:
        level = &walk.levels[walk.depth - 1]
        level.owed -= 1
        if level.owed:
            return WELL_FORMED
        if level.is_map:
            reason = tell_apart(&walk.keys, level.first, level.ascending)
            if reason != WELL_FORMED:
                return reason
        walk.depth -= 1
    return WELL_FORMED


# One item: a scalar, or the head of a container.

cdef inline bint is_map(uint8_t tag) noexcept nogil:
    return tag & 0xf0 == 0x80 or tag == 0xde or tag == 0xdf


cdef inline bint may_be_key(uint8_t tag, bint message) noexcept nogil:
    if 0xa0 <= tag <= 0xbf or 0xd9 <= tag <= 0xdb:
        return True
    return not message and (
        tag <= 0x7f or tag >= 0xe0 or 0xcc <= tag <= 0xcf or 0xd0 <= tag <= 0xd3
    )


cdef inline int scan_item(Walk* walk, uint8_t tag) noexcept nogil:
    if tag <= 0x7f or tag >= 0xe0:
        return WELL_FORMED
    if tag <= 0x8f:
        return open_container(walk, tag & 0x0f, True)
    if tag <= 0x9f:
        return open_container(walk, tag & 0x0f, False)
    if tag <= 0xbf:
        return scan_text(walk, tag & 0x1f)
    return scan_tagged(walk, tag)


cdef inline int scan_tagged(Walk* walk, uint8_t tag) noexcept nogil:
    cdef Reader* reader = &walk.reader
    cdef uint64_t number = 0
    cdef int reason
    if tag == 0xc0 or tag == 0xc2 or tag == 0xc3:
        return WELL_FORMED
    elif tag == 0xc4:
        reason = read_number(reader, 1, 0, 0xff, &number)
        return reason if reason else skip(reader, number)
    elif tag == 0xc5:
        reason = read_number(reader, 2, 0x100, 0xffff, &number)
        return reason if reason else skip(reader, number)
    elif tag == 0xc6:
        reason = read_number(reader, 4, 0x10000, 0xffffffffULL, &number)
        return reason if reason else skip(reader, number)
    elif tag == 0xc7 or tag == 0xd6 or tag == 0xd7:
        return EXTENSION if walk.message else scan_timestamp(reader, tag)
    elif tag == 0xca:
        return SINGLE_FLOAT
    elif tag == 0xcb:
        reason = read_number(reader, 8, 0, 0xffffffffffffffffULL, &number)
        if reason == WELL_FORMED and number >> 52 & 0x7ff == 0x7ff:
            return NOT_FINITE
        return reason
    elif tag == 0xcc:
        return read_number(reader, 1, 0x80, 0xff, &number)
    elif tag == 0xcd:
        return read_number(reader, 2, 0x100, 0xffff, &number)
    elif tag == 0xce:
        return read_number(reader, 4, 0x10000, 0xffffffffULL, &number)
    elif tag == 0xcf:
        reason = read_number(reader, 8, 0x100000000ULL, 0xffffffffffffffffULL, &number)
        if reason == WELL_FORMED and walk.message and number >> 63:
            return INTEGER
        return reason
    elif tag == 0xd0:
        return read_number(reader, 1, 0x80, 0xdf, &number)
    elif tag == 0xd1:
        return read_number(reader, 2, 0x8000, 0xff7f, &number)
    elif tag == 0xd2:
        return read_number(reader, 4, 0x80000000, 0xffff7fff, &number)
    elif tag == 0xd3:
        return read_number(reader, 8, 0x8000000000000000ULL, 0xffffffff7fffffffULL, &number)
    elif tag == 0xd9:
        reason = read_number(reader, 1, 0x20, 0xff, &number)
        return reason if reason else scan_text(walk, number)
    elif tag == 0xda:
        reason = read_number(reader, 2, 0x100, 0xffff, &number)
        return reason if reason else scan_text(walk, number)
    elif tag == 0xdb:
        reason = read_number(reader, 4, 0x10000, 0xffffffffULL, &number)
        return reason if reason else scan_text(walk, number)
    elif tag == 0xdc:
        reason = read_number(reader, 2, 0x10, 0xffff, &number)
        return reason if reason else open_container(walk, number, False)
    elif tag == 0xdd:
        reason = read_number(reader, 4, 0x10000, 0xffffffffULL, &number)
        return reason if reason else open_container(walk, number, False)
    elif tag == 0xde:
        reason = read_number(reader, 2, 0x10, 0xffff, &number)
        return reason if reason else open_container(walk, number, True)
    elif tag == 0xdf:
        reason = read_number(reader, 4, 0x10000, 0xffffffffULL, &number)
        return reason if reason else open_container(walk, number, True)
    elif tag == 0xc1:
        return RESERVED
    else:
        return EXTENSION


cdef inline int read_number(
    Reader* reader, size_t width, uint64_t low, uint64_t high, uint64_t* out
) noexcept nogil:
    """A big-endian number of `width` bytes; outside low..high a shorter form would have held it."""
    cdef const uint8_t* at = read_bytes(reader, width)
    if at == NULL:
        return CUT_SHORT
    out[0] = big_endian(at, width)
    return WELL_FORMED if low <= out[0] <= high else NOT_SHORTEST


cdef inline int skip(Reader* reader, uint64_t length) noexcept nogil:
    return LENGTH if read_bytes(reader, length) == NULL else WELL_FORMED


cdef inline int scan_text(Walk* walk, uint64_t length) noexcept nogil:
    cdef const uint8_t* at = read_bytes(&walk.reader, length)
    if at == NULL:
        return LENGTH
    if walk.message and length > MESSAGE_STRING:
        return STRING_LENGTH
    return WELL_FORMED if is_ascii(at, length) or is_utf8(at, length) else NOT_UTF8


cdef inline int scan_timestamp(Reader* reader, uint8_t tag) noexcept nogil:
    """The shortest of the three forms, and nothing that a datetime must round or cannot reach."""
    cdef const uint8_t* at
    cdef uint64_t nanoseconds = 0
    cdef uint64_t word
    cdef int64_t seconds
    cdef size_t width = 4 if tag == 0xd6 else 8 if tag == 0xd7 else 13
    at = read_bytes(reader, width + 1)
    if at == NULL:
        return CUT_SHORT
    if tag == 0xc7:
        if at[0] != 12:
            return EXTENSION
        at += 1
    if at[0] != 0xff:
        return EXTENSION
    if tag == 0xd6:
        return WELL_FORMED
    if tag == 0xd7:
        word = big_endian(at + 1, 8)
        nanoseconds = word >> 34
        if word < 0x100000000ULL:
            return TIMESTAMP
    else:
        nanoseconds = big_endian(at + 1, 4)
        word = big_endian(at + 5, 8)
        seconds = <int64_t>word
        if word < 0x400000000ULL or not SECONDS_MIN <= seconds <= SECONDS_MAX:
            return TIMESTAMP
    if nanoseconds >= 1000000000 or nanoseconds % 1000:
        return TIMESTAMP
    return WELL_FORMED


cdef inline int open_container(Walk* walk, uint64_t count, bint is_map) noexcept nogil:
    cdef Level* level
    cdef uint64_t owed = count << is_map
    cdef uint64_t containers_max = MESSAGE_CONTAINERS if walk.message else VALUE_CONTAINERS
    if walk.depth == LEVELS:
        return DEPTH
    walk.containers += 1
    walk.items += owed
    if walk.owed + owed > left(&walk.reader):
        return LENGTH
    if walk.containers > containers_max or walk.message and walk.items > MESSAGE_ITEMS:
        return CONTAINERS
    if owed == 0:
        return WELL_FORMED
    walk.owed += owed
    level = &walk.levels[walk.depth]
    level.owed = owed
    level.is_map = is_map
    level.first = walk.keys.count
    level.ascending = True
    walk.depth += 1
    return reserve_keys(&walk.keys, count) if is_map else WELL_FORMED


# What a Python value would pack to, at the least.

cdef int weigh(value, int levels, Py_ssize_t* limit) noexcept:
    """Take the least that `value` packs to from the limit; -1 once that or the depth is passed."""
    limit[0] -= 1
    if isinstance(value, str):
        limit[0] -= len(<str>value)
    elif isinstance(value, bytes):
        limit[0] -= PyBytes_GET_SIZE(value)
    elif isinstance(value, bytearray):
        limit[0] -= PyByteArray_GET_SIZE(value)
    elif PyMemoryView_Check(value):
        limit[0] -= PyMemoryView_GET_BUFFER(value).len
    elif isinstance(value, (list, tuple, dict)):
        return weigh_items(value, levels - 1, limit)
    return -1 if limit[0] < 0 else 0


cdef int weigh_items(value, int levels, Py_ssize_t* limit) noexcept:
    if levels < 0 or limit[0] < 0:
        return -1
    if isinstance(value, dict):
        for key, item in (<dict>value).items():
            if weigh(key, 0, limit) < 0 or weigh(item, levels, limit) < 0:
                return -1
    elif isinstance(value, list):
        for item in <list>value:
            if weigh(item, levels, limit) < 0:
                return -1
    else:
        for item in <tuple>value:
            if weigh(item, levels, limit) < 0:
                return -1
    return 0
