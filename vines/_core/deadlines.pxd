"""When the expiring records of a table lapse: a heap of deadlines, the earliest first.

Four children a parent, as in agenda.pyx. A record in the heap keeps its place there, in the lower
half of the field that is its part of the state fingerprint otherwise (the upper half is of
bound.pxd), because an expiring record has no part in it: so its deadline is found, brought forward
and taken out without a search, and a record without one pays nothing.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, realloc

from vines._core.record cimport vines_record

cdef enum:
    CHILDREN = 4
    CAPACITY_MIN = 16
    HEAP_MAX = 0x7fffffff

cdef struct Due:
    uint64_t when
    vines_record* record

cdef struct Deadlines:
    Due* heap                   # none is later than its CHILDREN
    size_t count
    size_t capacity


cdef inline void deadlines_close(Deadlines* deadlines) noexcept nogil:
    free(deadlines.heap)
    deadlines.heap = NULL


cdef inline size_t deadlines_memory(const Deadlines* deadlines) noexcept nogil:
    return deadlines.capacity * sizeof(Due)


cdef inline int deadlines_resize(Deadlines* deadlines, size_t capacity) noexcept nogil:
    cdef void* heap = realloc(deadlines.heap, capacity * sizeof(Due))
    if heap == NULL:
        return -1
    deadlines.heap = <Due*>heap
    deadlines.capacity = capacity
    return 0


cdef inline int deadlines_reserve(Deadlines* deadlines) noexcept nogil:
    """Make sure that one more fits; -1 if memory ran out, nothing changed."""
    if deadlines.count < deadlines.capacity:
        return 0
    if deadlines.capacity >= HEAP_MAX // 2:
        return -1
    return deadlines_resize(
        deadlines, max(deadlines.capacity + deadlines.capacity // 2, <size_t>CAPACITY_MIN))


cdef inline void put(Deadlines* deadlines, size_t place, Due due) noexcept nogil:
    deadlines.heap[place] = due
    due.record.state = due.record.state >> 32 << 32 | place


cdef inline void rise(Deadlines* deadlines, size_t place, Due due) noexcept nogil:
    """Put an entry at a place or above it, where no parent is later."""
    cdef size_t parent
    while place > 0:
        parent = (place - 1) // CHILDREN
        if deadlines.heap[parent].when <= due.when:
            break
        put(deadlines, place, deadlines.heap[parent])
        place = parent
    put(deadlines, place, due)


cdef inline void sink(Deadlines* deadlines, size_t place, Due due) noexcept nogil:
    """Put an entry at a place or below it, where no child is earlier."""
    cdef size_t first = place * CHILDREN + 1, child, earliest
    while first < deadlines.count:
        earliest = first
        for child in range(first + 1, min(first + CHILDREN, deadlines.count)):
            if deadlines.heap[child].when < deadlines.heap[earliest].when:
                earliest = child
        if due.when <= deadlines.heap[earliest].when:
            break
        put(deadlines, place, deadlines.heap[earliest])
        place = earliest
        first = place * CHILDREN + 1
    put(deadlines, place, due)


cdef inline size_t heap_place(const vines_record* record) noexcept nogil:
    return <uint32_t>record.state


cdef inline uint64_t deadline_of(
    const Deadlines* deadlines, const vines_record* record
) noexcept nogil:
    """When a record in the heap lapses."""
    return deadlines.heap[heap_place(record)].when


cdef inline void deadlines_add(
    Deadlines* deadlines, vines_record* record, uint64_t when
) noexcept nogil:
    """One more; room was reserved."""
    cdef Due due
    due.when = when
    due.record = record
    deadlines.count += 1
    rise(deadlines, deadlines.count - 1, due)


cdef inline void deadlines_hasten(
    Deadlines* deadlines, vines_record* record, uint64_t when
) noexcept nogil:
    """Bring the deadline of a record in the heap forward; a later one changes nothing."""
    cdef Due due
    if when < deadline_of(deadlines, record):
        due.when = when
        due.record = record
        rise(deadlines, heap_place(record), due)


cdef inline void deadlines_remove(Deadlines* deadlines, vines_record* record) noexcept nogil:
    """Take out a record that is there. Memory goes back once a quarter of it is in use."""
    cdef size_t place = heap_place(record), parent
    cdef Due last
    deadlines.count -= 1
    last = deadlines.heap[deadlines.count]
    if place < deadlines.count:
        parent = (place - 1) // CHILDREN if place else 0
        if place and last.when < deadlines.heap[parent].when:
            rise(deadlines, place, last)
        else:
            sink(deadlines, place, last)
    record.state = record.state >> 32 << 32
    if deadlines.capacity > CAPACITY_MIN and deadlines.count <= deadlines.capacity // 4:
        deadlines_resize(deadlines, max(deadlines.capacity // 2, <size_t>CAPACITY_MIN))
