"""A record of a table in memory: where its key and its value are, and the room that they have.

The header is packed, and what bounds its fields is checked where it is defined: sizes by the wire,
the number of sources by the table, `mark` by the most records a delta can have. Log entries and the
index point at a record: one that moves leaves behind in its old block a *stub*, which says where it
is, until no log entry points there any more.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from vines._core.arena cimport UNIT, Arena, arena_give, arena_take, units_of

cdef extern from "hash.h" nogil:
    uint64_t vines_read64(const uint8_t* at)
    void vines_write64(uint8_t* at, uint64_t word)
    uint64_t vines_read_tail(const uint8_t* at, size_t count)

cdef extern from "record.h" nogil:
    ctypedef struct vines_record:
        uint64_t stamp
        uint64_t state
        uint64_t counter
        uint64_t flags
        uint64_t units
        uint64_t key_length
        uint64_t value_length
        uint64_t mark
        uint64_t family
        uint64_t ill_formed
        uint64_t dropped
        uint64_t met
        uint64_t apart
        uint64_t source
        uint64_t origin
        uint64_t references

cdef enum:
    INLINE_MAX = 960            # larger values have a block of their own, until they shrink
    ADDRESS_BYTES = 6           # of such a block
    CAPACITY_BYTES = 8          # at its beginning
    MALLOC_BYTES = 16           # of the C library, beside such a block
    REFERENCES_MAX = 65535
    SOURCES_MAX = 16777216

cdef extern from *:
    """
    #define VINES_POINTER_MASK 0xffffffffffffULL
    """
    const uint64_t POINTER_MASK "VINES_POINTER_MASK"


cdef inline vines_record* pointed(uint64_t slot) noexcept nogil:
    """The record of a slot: its address is in the lower 48 bits, something else above it."""
    return <vines_record*><size_t>(slot & POINTER_MASK)


cdef inline uint8_t* key_of(const vines_record* record) noexcept nogil:
    return <uint8_t*>record + sizeof(vines_record)


cdef inline uint8_t* behind_key(const vines_record* record) noexcept nogil:
    return key_of(record) + record.key_length


cdef inline uint8_t* value_of(const vines_record* record) noexcept nogil:
    if record.apart:
        return <uint8_t*><size_t>vines_read_tail(behind_key(record), ADDRESS_BYTES)
    return behind_key(record)


cdef inline size_t size_apart(const vines_record* record) noexcept nogil:
    """Memory of the block that a value has of its own; 0 without one."""
    if not record.apart:
        return 0
    return <size_t>vines_read64(value_of(record) - CAPACITY_BYTES) + CAPACITY_BYTES + MALLOC_BYTES


cdef inline void free_apart(vines_record* record) noexcept nogil:
    """Free the block that a value has of its own; the record has no value then."""
    if record.apart:
        free(value_of(record) - CAPACITY_BYTES)
        record.apart = 0


cdef inline int move_apart(vines_record* record, size_t length) noexcept nogil:
    """Give the value a new block of its own; -1 if memory ran out, nothing changed."""
    cdef uint8_t address[8]
    cdef uint8_t* block = <uint8_t*>malloc(length + CAPACITY_BYTES)
    if block == NULL or <uint64_t><size_t>block > POINTER_MASK - CAPACITY_BYTES:
        free(block)
        return -1
    free_apart(record)
    vines_write64(block, length)
    vines_write64(address, <uint64_t><size_t>(block + CAPACITY_BYTES))
    memcpy(behind_key(record), address, ADDRESS_BYTES)
    record.apart = 1
    return 0


cdef inline int fit_value(vines_record* record, size_t length) noexcept nogil:
    """Room for a value of `length` bytes: in a block of its own where it outgrows the record's,
    which is given back when the value shrinks to less than half. The old value is lost; -1 if
    memory ran out, nothing changed."""
    cdef size_t capacity
    if record.apart:
        capacity = <size_t>vines_read64(value_of(record) - CAPACITY_BYTES)
        if capacity // 2 <= length <= capacity:
            return 0
    if length > record.units * UNIT - sizeof(vines_record) - record.key_length:
        return move_apart(record, length)
    free_apart(record)
    return 0


cdef inline vines_record* record_new(
    Arena* arena, uint8_t family, size_t key_length, size_t length
) noexcept nogil:
    """A record with room for a key and a value; NULL if memory ran out."""
    cdef size_t room = max(length, <size_t>ADDRESS_BYTES)
    if length > INLINE_MAX:
        room = ADDRESS_BYTES
    cdef size_t units = units_of(sizeof(vines_record) + key_length + room)
    cdef vines_record* record = <vines_record*>arena_take(arena, units)
    if record == NULL:
        return NULL
    memset(record, 0, sizeof(vines_record))
    record.units = units
    record.key_length = key_length
    record.family = family
    if <uint64_t><size_t>record > POINTER_MASK or fit_value(record, length) < 0:
        arena_give(arena, record, units)
        return NULL
    return record


cdef inline void record_free(Arena* arena, vines_record* record) noexcept nogil:
    free_apart(record)
    arena_give(arena, record, record.units)


cdef inline void refer(vines_record* record) noexcept nogil:
    """One more log entry points at the record. At the limit they are no longer counted, and it is
    freed with the table only."""
    if record.references < REFERENCES_MAX:
        record.references += 1


cdef inline void unrefer(vines_record* record) noexcept nogil:
    if record.references < REFERENCES_MAX:
        record.references -= 1


cdef inline vines_record* moved_to(const vines_record* record) noexcept nogil:
    """Where a stub says that its record is now; NULL for what was dropped for good."""
    return <vines_record*><size_t>record.state


cdef inline vines_record* record_move(Arena* arena, vines_record* record) noexcept nogil:
    """Move a record to another block; what is left of the old one is a stub if log entries point
    there. NULL if memory ran out or as these are no longer counted, or would not be with the
    stub's own, nothing changed."""
    cdef size_t units = record.units
    cdef vines_record* moved
    if record.references >= REFERENCES_MAX - 1:
        return NULL
    moved = <vines_record*>arena_take(arena, units)
    if moved == NULL or <uint64_t><size_t>moved > POINTER_MASK:
        if moved != NULL:
            arena_give(arena, moved, units)
        return NULL
    memcpy(moved, record, units * UNIT)
    moved.references = 0
    record.apart = 0
    if record.references == 0:
        record_free(arena, record)
        return moved
    record.value_length = 0
    record.dropped = 1
    record.state = <uint64_t><size_t>moved
    refer(moved)
    return moved
