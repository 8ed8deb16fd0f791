"""The log of one source: its positions in ascending order, each with the record its key has now.

An entry is eight bytes: the address of the record in the lower 48 bits and above it how far its
counter is above that of its leaf. Leaves are arrays that are never moved. Each has twice the room
of what the one before it holds, up to a limit, so that a log of few entries is small, one of many
leaves next to nothing unused, and one whose counters lie far apart (a leaf ends where a counter is
out of reach) takes a small leaf for each. The last leaf, the tail, is at hand without a look at the
others. Where leaves are listed takes memory for at most four times as many as there are.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memmove, memset

from vines._core.record cimport pointed, vines_record

cdef enum:
    LEAF_MIN = 4                # entries
    LEAF_MAX = 1024
    REACH = 65535               # of the counters of a leaf, from its first
    OFFSET_SHIFT = 48

cdef struct Leaf:
    uint64_t base               # the counter of its first entry
    uint64_t* entries
    uint32_t used
    uint32_t room

cdef struct Log:
    Leaf tail                   # the newest entries; without room at first
    uint32_t gone               # entries dropped of the oldest leaf
    uint32_t leaf_count         # of those before the tail
    uint32_t first              # of them in `leaves`
    uint32_t capacity
    Leaf* leaves
    size_t count                # entries
    uint64_t last               # the highest counter, if there are any

cdef struct Cursor:             # before an entry of a log
    const Log* log
    const Leaf* leaf
    const uint64_t* at
    const uint64_t* end         # of the entries of the leaf


cdef inline void enter_leaf(Cursor* cursor, const Leaf* leaf, size_t skipped) noexcept nogil:
    cursor.leaf = leaf
    cursor.at = leaf.entries + skipped
    cursor.end = leaf.entries + leaf.used


cdef inline const Leaf* leaf_at(const Log* log, size_t number) noexcept nogil:
    if number < log.leaf_count:
        return log.leaves + log.first + number
    return &log.tail


cdef inline bint cursor_holds(Cursor* cursor) noexcept nogil:
    """Whether there is an entry; moves on to the leaf it is in."""
    while cursor.at == cursor.end:
        if cursor.leaf == &cursor.log.tail:
            return False
        enter_leaf(cursor, leaf_at(
            cursor.log, <size_t>(cursor.leaf - cursor.log.leaves) - cursor.log.first + 1), 0)
    return True


cdef inline uint64_t cursor_counter(const Cursor* cursor) noexcept nogil:
    return cursor.leaf.base + (cursor.at[0] >> OFFSET_SHIFT)


cdef inline void log_begin(const Log* log, Cursor* cursor) noexcept nogil:
    """A cursor before the oldest entry."""
    cursor.log = log
    enter_leaf(cursor, leaf_at(log, 0), log.gone)


cdef inline void log_seek(const Log* log, uint64_t counter, Cursor* cursor) noexcept nogil:
    """A cursor before the first entry above `counter`, which is mostly in the tail."""
    cursor.log = log
    if log.tail.used == 0 or counter < log.tail.base:
        seek_leaf(log, counter, cursor)
    else:
        enter_leaf(cursor, &log.tail, 0 if log.leaf_count else log.gone)
    if cursor.leaf.base <= counter:
        seek_in_leaf(cursor, counter - cursor.leaf.base)


cdef inline void seek_leaf(const Log* log, uint64_t counter, Cursor* cursor) noexcept nogil:
    """A cursor at the beginning of the leaf before the tail that reaches up to `counter`, by
    galloping from the end, then bisecting; of the oldest if that begins above."""
    cdef const Leaf* leaves = log.leaves + log.first
    cdef size_t low = 0, high = log.leaf_count, step = 1, middle
    # Leaf `high`, the tail at first, begins above the counter; `low` does not, if any leaf does.
    while step < high:
        if leaves[high - step].base <= counter:
            low = high - step
            break
        high -= step
        step *= 2
    while low + 1 < high:
        middle = (low + high) // 2
        if leaves[middle].base <= counter:
            low = middle
        else:
            high = middle
    enter_leaf(cursor, leaf_at(log, low), 0 if low else log.gone)


cdef inline void seek_in_leaf(Cursor* cursor, uint64_t offset) noexcept nogil:
    cdef const uint64_t* entries = cursor.at
    cdef size_t low = 0, high = <size_t>(cursor.end - cursor.at), step = 1, middle
    # Entries from `high` on are above, those below `low` are not.
    while step <= high:
        if entries[high - step] >> OFFSET_SHIFT <= offset:
            low = high - step + 1
            break
        high -= step
        step *= 2
    while low < high:
        middle = (low + high) // 2
        if entries[middle] >> OFFSET_SHIFT > offset:
            high = middle
        else:
            low = middle + 1
    cursor.at = entries + low


cdef inline int leaves_grow(Log* log) noexcept nogil:
    """Make sure that one more leaf fits."""
    cdef uint32_t capacity
    cdef Leaf* leaves
    if log.first + log.leaf_count < log.capacity:
        return 0
    if log.first > log.capacity // 2:
        memmove(log.leaves, log.leaves + log.first, log.leaf_count * sizeof(Leaf))
        log.first = 0
        return 0
    capacity = log.capacity + log.capacity // 2 + 1
    leaves = <Leaf*>realloc(log.leaves, capacity * sizeof(Leaf))
    if leaves == NULL:
        return -1
    log.leaves = leaves
    log.capacity = capacity
    return 0


cdef inline int leaf_add(Log* log, uint64_t counter) noexcept nogil:
    """Begin a tail at this position; the one before is kept as it is."""
    cdef Leaf* tail = &log.tail
    cdef uint64_t* entries
    cdef size_t room = min(max(2 * <size_t>tail.used, <size_t>LEAF_MIN), <size_t>LEAF_MAX)
    if tail.room == 0 or tail.used:
        if tail.used and leaves_grow(log) < 0:
            return -1
        entries = <uint64_t*>malloc(room * sizeof(uint64_t))
        if entries == NULL:
            return -1
        if tail.used:
            log.leaves[log.first + log.leaf_count] = tail[0]
            log.leaf_count += 1
        tail.entries = entries
        tail.used = 0
        tail.room = <uint32_t>room
    tail.base = counter
    return 0


cdef inline int log_reserve(Log* log, uint64_t counter) noexcept nogil:
    """Make sure that an entry for this position fits; -1 if memory ran out."""
    cdef const Leaf* tail = &log.tail
    if log.count and counter <= log.last:
        return 0
    if tail.used and tail.used < tail.room and counter - tail.base <= REACH:
        return 0
    return leaf_add(log, counter)


cdef inline bint log_add(Log* log, uint64_t counter, vines_record* record) noexcept nogil:
    """Point a position at a record; False if one as high is logged already. Room was reserved for
    just this position."""
    cdef Leaf* tail = &log.tail
    if log.count and counter <= log.last:
        return False
    tail.entries[tail.used] = (counter - tail.base) << OFFSET_SHIFT | <uint64_t><size_t>record
    tail.used += 1
    log.last = counter
    log.count += 1
    return True


cdef inline void leaves_shrink(Log* log) noexcept nogil:
    """Give back what is not needed of the list of leaves, once that is three quarters of it."""
    cdef uint32_t capacity = 2 * log.leaf_count
    cdef Leaf* leaves
    if log.leaf_count >= log.capacity // 4:
        return
    if capacity == 0:
        free(log.leaves)
        log.leaves = NULL
    else:
        memmove(log.leaves, log.leaves + log.first, log.leaf_count * sizeof(Leaf))
        leaves = <Leaf*>realloc(log.leaves, capacity * sizeof(Leaf))
        if leaves == NULL:
            capacity = log.capacity
        else:
            log.leaves = leaves
    log.first = 0
    log.capacity = capacity


cdef inline void log_drop_first(Log* log) noexcept nogil:
    """Drop the oldest entry; there is one."""
    cdef const Leaf* leaf = leaf_at(log, 0)
    log.gone += 1
    log.count -= 1
    if log.gone < leaf.used:
        return
    log.gone = 0
    free(leaf.entries)
    if log.leaf_count:
        log.first += 1
        log.leaf_count -= 1
        leaves_shrink(log)
    else:
        memset(&log.tail, 0, sizeof(Leaf))


cdef inline bint log_remove(Log* log, uint64_t counter, const vines_record* record) noexcept nogil:
    """Drop the entry of a position, if it points at this record, and is not the only one of its
    leaf: no leaf is empty but the tail of an empty log."""
    cdef Cursor cursor
    cdef Leaf* leaf
    log_seek(log, counter - 1, &cursor)
    if not cursor_holds(&cursor) or cursor_counter(&cursor) != counter:
        return False
    leaf = <Leaf*>cursor.leaf
    if pointed(cursor.at[0]) != record or leaf.used - (
        log.gone if leaf == leaf_at(log, 0) else 0
    ) < 2:
        return False
    memmove(<uint64_t*>cursor.at, cursor.at + 1,
            <size_t>(cursor.end - cursor.at - 1) * sizeof(uint64_t))
    leaf.used -= 1
    log.count -= 1
    return True


cdef inline size_t log_memory(const Log* log) noexcept nogil:
    cdef size_t size = log.capacity * sizeof(Leaf), at, leaves = log.leaf_count
    for at in range(leaves + 1):
        size += leaf_at(log, at).room * sizeof(uint64_t)
    return size


cdef inline void log_close(Log* log) noexcept nogil:
    """Free the log, not the records."""
    cdef size_t at, leaves = log.leaf_count
    for at in range(leaves + 1):
        free(leaf_at(log, at).entries)
    free(log.leaves)
