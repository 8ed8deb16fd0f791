"""Records bound to the life of their author: for each source two lists of its ephemeral records, of
those that are shown and of those that are hidden.

Lists rather than a mark at the source alone, because a member may have more records than one turn
can tell of: what is in the wrong list is still to be turned, and no cursor has to survive what
happens in between. The entries of all lists are in one array without holes. A record keeps its
place there, and whether it is hidden, in the upper half of the field that is its part of the state
fingerprint otherwise (the lower half is of deadlines.pxd), so one that is not ephemeral pays
nothing.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, realloc

from vines._core.record cimport vines_record

cdef enum:
    BOUND_CAPACITY_MIN = 16
    BOUND_MAX = 0x7fffffff
    PLACE_SHIFT = 32
    HIDDEN_SHIFT = 63

    # What is known of the author of records, as the fate of its source.
    UNDECIDED = 0               # nobody has asked yet: the source has had no ephemeral record
    HIDDEN_FATE = 1             # held dead, or not known
    SHOWN_FATE = 2              # alive
    ENDED_FATE = 3              # gone for good: it left, or was started anew

cdef struct Bound:
    vines_record* record
    uint32_t before             # places in the array plus 1; 0: there is none
    uint32_t after

cdef struct Bounds:
    Bound* entries
    size_t count
    size_t capacity


cdef inline bint is_hidden(const vines_record* record) noexcept nogil:
    """Whether an ephemeral record that lives is hidden."""
    return record.state >> HIDDEN_SHIFT != 0


cdef inline size_t bound_place(const vines_record* record) noexcept nogil:
    return <size_t>(record.state >> PLACE_SHIFT & BOUND_MAX)


cdef inline void bounds_close(Bounds* bounds) noexcept nogil:
    free(bounds.entries)
    bounds.entries = NULL


cdef inline size_t bounds_memory(const Bounds* bounds) noexcept nogil:
    return bounds.capacity * sizeof(Bound)


cdef inline int bounds_resize(Bounds* bounds, size_t capacity) noexcept nogil:
    cdef void* entries = realloc(bounds.entries, capacity * sizeof(Bound))
    if entries == NULL:
        return -1
    bounds.entries = <Bound*>entries
    bounds.capacity = capacity
    return 0


cdef inline int bounds_reserve(Bounds* bounds) noexcept nogil:
    """Make sure that one more fits; -1 if memory ran out, nothing changed."""
    if bounds.count < bounds.capacity:
        return 0
    if bounds.capacity >= BOUND_MAX // 2:
        return -1
    return bounds_resize(
        bounds, max(bounds.capacity + bounds.capacity // 2, <size_t>BOUND_CAPACITY_MIN))


cdef inline void bounds_put(Bounds* bounds, size_t place, Bound entry, bint hidden) noexcept nogil:
    bounds.entries[place] = entry
    entry.record.state = (
        <uint64_t>hidden << HIDDEN_SHIFT | <uint64_t>place << PLACE_SHIFT
        | <uint32_t>entry.record.state)


cdef inline void bounds_add(
    Bounds* bounds, uint32_t* head, vines_record* record, bint hidden
) noexcept nogil:
    """One more at the head of a list; room was reserved."""
    cdef Bound entry
    entry.record = record
    entry.before = 0
    entry.after = head[0]
    bounds_put(bounds, bounds.count, entry, hidden)
    bounds.count += 1
    if entry.after:
        bounds.entries[entry.after - 1].before = <uint32_t>bounds.count
    head[0] = <uint32_t>bounds.count


cdef inline vines_record* bounds_remove(
    Bounds* bounds, uint32_t* head, vines_record* record
) noexcept nogil:
    """Take a record out of its list. Returns one that is the head of its own list and has another
    place now, which its list has to be told; NULL if there is none. Memory goes back once a quarter
    of it is in use."""
    cdef size_t place = bound_place(record), last
    cdef Bound gone = bounds.entries[place], moved
    cdef vines_record* told = NULL
    if gone.before:
        bounds.entries[gone.before - 1].after = gone.after
    else:
        head[0] = gone.after
    if gone.after:
        bounds.entries[gone.after - 1].before = gone.before
    record.state = <uint32_t>record.state
    bounds.count -= 1
    last = bounds.count
    if place != last:
        moved = bounds.entries[last]
        bounds_put(bounds, place, moved, is_hidden(moved.record))
        if moved.after:
            bounds.entries[moved.after - 1].before = <uint32_t>(place + 1)
        if moved.before:
            bounds.entries[moved.before - 1].after = <uint32_t>(place + 1)
        else:
            told = moved.record
    if bounds.capacity > BOUND_CAPACITY_MIN and bounds.count <= bounds.capacity // 4:
        bounds_resize(bounds, max(bounds.capacity // 2, <size_t>BOUND_CAPACITY_MIN))
    return told
