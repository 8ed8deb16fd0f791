"""The bodies that carry records, as they are read: deltas (ranges of positions) and pages (records
of a join).

Bodies are streams without counts, so nothing is ever allocated because a peer said how much is to
come. Reading is done twice: once to prove that the whole is well-formed (`check_delta`,
`check_records`), once to merge it. Functions return
-1 where the bytes are not what docs/wire.md says.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from vines._core.wire cimport (
    COUNTER_LIMIT, ID_BYTES, KEY_MAX, STAMP_LIMIT, VALUE_MAX, Reader, left, read_byte, read_bytes,
    read_long_varint, read_varint, unzigzag,
)

cdef enum:
    DELTA_FORMAT = 1
    PAGE_FORMAT = 2
    FLOOR_FORMAT = 4

    REPEAT = 0x01
    ELSEWHERE = 0x02
    ORIGIN = 0x04
    FAMILY = 0x08
    FLAGS = 0x10
    LEFT = 0x20
    PAGE_HEADS = 0x3c
    ENTRY_HEADS = 0x3e

    TOMBSTONE_FLAG = 1
    EXPIRING_FLAG = 2
    EPHEMERAL_FLAG = 4
    FADING_FLAGS = 6    # of records that end by themselves: with the first, of what is left of them

    ENTRY_ROOM = 80     # the most an entry takes beside key and value, and the end of its range
    RANGE_ROOM = 32     # the most the beginning and the end of a range take

cdef extern from *:
    """
    #define VINES_LEFT_LIMIT 315576000000ULL
    """
    const uint64_t LEFT_LIMIT "VINES_LEFT_LIMIT"    # ms, ten years: the longest time to live

cdef struct Body:               # what the bytes read so far have established
    Reader reader
    const uint8_t** ids         # ids named so far, NULL while only checking
    uint64_t stamp              # of the record before
    uint32_t named
    uint32_t written            # records in full

cdef struct Item:               # one record as it stands in a body
    uint64_t counter            # of the entry
    uint64_t own_counter
    uint64_t stamp
    uint64_t hashed
    const uint8_t* key
    const uint8_t* value
    uint32_t own_source         # numbers in the body
    uint32_t origin
    uint32_t key_length
    uint32_t value_length
    uint32_t back               # of a repeated record, else 0
    uint64_t left               # ms until it lapses; 0: it does not, or has
    uint8_t family
    uint8_t flags


cdef inline bint expires(uint8_t flags) noexcept nogil:
    """Whether a record of these flags has a time at which it lapses, and has not lapsed."""
    return flags & (EXPIRING_FLAG | TOMBSTONE_FLAG) == EXPIRING_FLAG


cdef inline bint depends(uint8_t flags) noexcept nogil:
    """Whether a record of these flags is bound to the life of its author, and has not ended."""
    return flags & (EPHEMERAL_FLAG | TOMBSTONE_FLAG) == EPHEMERAL_FLAG


cdef inline bint faded(uint8_t flags) noexcept nogil:
    """Whether these are the flags of what is left of a record that ended by itself."""
    return flags & TOMBSTONE_FLAG and flags & FADING_FLAGS


cdef inline int read_source(Body* body, uint32_t* number) noexcept nogil:
    cdef uint64_t reference
    cdef const uint8_t* id
    if read_varint(&body.reader, &reference, body.named) < 0:
        return -1
    if reference:
        number[0] = <uint32_t>(reference - 1)
        return 0
    id = read_bytes(&body.reader, ID_BYTES)
    if id == NULL:
        return -1
    if body.ids != NULL:
        body.ids[body.named] = id
    number[0] = body.named
    body.named += 1
    return 0


cdef inline int read_record(Body* body, uint8_t head, Item* item) noexcept nogil:
    """What follows a record's own position: origin, family, flags, time left, stamp, key and
    value."""
    cdef uint64_t number
    item.left = 0
    item.origin = item.own_source
    item.family = 0
    item.flags = 0
    if head & ORIGIN and read_source(body, &item.origin) < 0:
        return -1
    if head & FAMILY and (read_byte(&body.reader, &item.family) < 0 or item.family == 0):
        return -1
    if head & FLAGS and (read_byte(&body.reader, &item.flags) < 0 or item.flags == 0):
        return -1
    if expires(item.flags) != (head & LEFT != 0):
        return -1
    if head & LEFT:
        if read_varint(&body.reader, &item.left, LEFT_LIMIT) < 0 or item.left == 0:
            return -1
    if read_long_varint(&body.reader, &number) < 0:
        return -1
    body.stamp += unzigzag(number)
    if body.stamp > STAMP_LIMIT:
        return -1
    item.stamp = body.stamp
    if read_varint(&body.reader, &number, KEY_MAX) < 0 or number == 0:
        return -1
    item.key_length = <uint32_t>number
    item.key = read_bytes(&body.reader, item.key_length)
    if item.key == NULL:
        return -1
    if read_varint(&body.reader, &number, VALUE_MAX) < 0:
        return -1
    item.value_length = <uint32_t>number
    item.value = read_bytes(&body.reader, item.value_length)
    if item.value == NULL:
        return -1
    item.back = 0
    body.written += 1
    return 0


cdef inline int read_own_position(Body* body, Item* item) noexcept nogil:
    if read_source(body, &item.own_source) < 0:
        return -1
    if read_varint(&body.reader, &item.own_counter, COUNTER_LIMIT) < 0 or item.own_counter == 0:
        return -1
    return 0


cdef inline int read_entry(
    Body* body, uint32_t source, uint64_t* counter, Item* item
) noexcept nogil:
    """The next entry of a range: 1, or 0 at the end of its entries."""
    cdef uint64_t step
    cdef uint8_t head
    if read_varint(&body.reader, &step, COUNTER_LIMIT) < 0:
        return -1
    if step == 0:
        return 0
    counter[0] += step
    if counter[0] > COUNTER_LIMIT or read_byte(&body.reader, &head) < 0:
        return -1
    item.counter = counter[0]
    if head == REPEAT:
        if read_varint(&body.reader, &step, body.written) < 0 or step == 0:
            return -1
        item.back = <uint32_t>step
        return 1
    if head & ~<uint8_t>ENTRY_HEADS:
        return -1
    item.own_source = source
    item.own_counter = item.counter
    if head & ELSEWHERE and read_own_position(body, item) < 0:
        return -1
    return 1 if read_record(body, head, item) == 0 else -1


cdef inline int read_range_end(Body* body, uint64_t counter, uint64_t* stop) noexcept nogil:
    cdef uint64_t tail
    if read_varint(&body.reader, &tail, COUNTER_LIMIT) < 0:
        return -1
    stop[0] = counter + tail
    return 0 if stop[0] <= COUNTER_LIMIT else -1


cdef inline int check_range(Body* body) noexcept nogil:
    """Prove that `body` goes on with a range."""
    cdef uint32_t source
    cdef uint64_t start, counter, stop
    cdef Item item
    cdef int more = 1
    if read_source(body, &source) < 0:
        return -1
    if read_varint(&body.reader, &start, COUNTER_LIMIT) < 0:
        return -1
    counter = start
    while more:
        more = read_entry(body, source, &counter, &item)
        if more < 0:
            return -1
    if read_range_end(body, counter, &stop) < 0 or stop == start:
        return -1
    return 0


cdef inline int check_delta(Body* body) noexcept nogil:
    """Prove that the rest of `body` is ranges and nothing else."""
    while left(&body.reader):
        if check_range(body) < 0:
            return -1
    return 0


cdef inline int read_page_record(Body* body, Item* item) noexcept nogil:
    cdef uint8_t head
    if read_byte(&body.reader, &head) < 0 or head & ~<uint8_t>PAGE_HEADS:
        return -1
    if read_own_position(body, item) < 0:
        return -1
    return read_record(body, head, item)


cdef inline int check_records(Body* body) noexcept nogil:
    """Prove that the rest of `body` is records of a page and nothing else."""
    cdef Item item
    while left(&body.reader):
        if read_page_record(body, &item) < 0:
            return -1
    return 0
