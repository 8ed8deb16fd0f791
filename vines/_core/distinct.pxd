"""Telling the keys of maps apart, within bounds that no choice of keys can push.

The offsets of the keys of every open map are kept, the outermost map's first, and a map's are let
go when it closes. While they ascend a look at the last one is enough; otherwise they are sorted,
because equal keys meet in a sort. Sorting needs no hash, so no peer can choose keys that collide,
and no secret. A merge sort from the bottom up: no recursion, at most count * log2(count)
comparisons, and with what it needs to merge at most four times the bytes of the input in memory.

The keys have been scanned: they are whole, and in their shortest form, so equal keys are equal
bytes, and as its head tells a key's length none is the beginning of another.
"""

from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from vines._core.reason cimport DUPLICATE_KEY, NO_MEMORY, WELL_FORMED

cdef enum:
    NEARBY = 32         # keys kept without an allocation
    RUN = 16            # keys sorted by insertion before runs are merged

cdef struct Keys:
    const uint8_t* data
    const uint8_t* end
    uint32_t* offsets           # from `data`
    uint32_t count
    uint32_t room
    uint64_t words              # of eight bytes compared so far
    uint32_t nearby[NEARBY]


cdef inline void begin_keys(Keys* keys, const uint8_t* data, size_t size) noexcept nogil:
    keys.data = data
    keys.end = data + size
    keys.offsets = keys.nearby
    keys.count = 0
    keys.room = NEARBY
    keys.words = 0


cdef inline void end_keys(Keys* keys) noexcept nogil:
    if keys.offsets != keys.nearby:
        PyMem_RawFree(keys.offsets)


cdef inline int reserve_keys(Keys* keys, uint64_t count) noexcept nogil:
    """Room for the keys of a map that opens. A key and its value take two bytes of the input at
    least, and the caller has seen that they are there: so this is bounded by the input."""
    if keys.count + count <= keys.room:
        return WELL_FORMED
    return more_room(keys, keys.count + count)


cdef inline int more_room(Keys* keys, uint64_t needed) noexcept nogil:
    cdef uint64_t most = <uint64_t>(keys.end - keys.data) >> 1
    cdef uint64_t room = max(needed, min(<uint64_t>keys.room << 1, most))
    cdef bint first = keys.offsets == keys.nearby
    cdef void* grown = PyMem_RawRealloc(NULL if first else keys.offsets, room * sizeof(uint32_t))
    if grown == NULL:
        return NO_MEMORY
    if first:
        memcpy(grown, keys.nearby, keys.count * sizeof(uint32_t))
    keys.offsets = <uint32_t*>grown
    keys.room = <uint32_t>room
    return WELL_FORMED


cdef inline void remember_key(
    Keys* keys, const uint8_t* head, uint32_t first, bint* ascending
) noexcept nogil:
    """Keep the key at `head`, of the map whose keys begin at `first`."""
    cdef uint32_t key = <uint32_t>(head - keys.data)
    if ascending[0] and keys.count > first:
        ascending[0] = compare_keys(keys, keys.offsets[keys.count - 1], key) < 0
    keys.offsets[keys.count] = key
    keys.count += 1


cdef inline int tell_apart(Keys* keys, uint32_t first, bint ascending) noexcept nogil:
    """A map closes: let go of its keys, once they have been found to differ."""
    cdef uint32_t count = keys.count - first
    keys.count = first
    return WELL_FORMED if ascending else sort_keys(keys, keys.offsets + first, count)


cdef inline int sort_keys(Keys* keys, uint32_t* offsets, uint32_t count) noexcept nogil:
    cdef uint32_t* scratch
    cdef uint64_t start = 0
    cdef uint64_t width = RUN
    cdef int reason = WELL_FORMED
    while start < count and reason == WELL_FORMED:
        reason = sort_run(keys, offsets + start, min(<uint64_t>RUN, count - start))
        start += RUN
    if reason != WELL_FORMED or count <= RUN:
        return reason
    scratch = <uint32_t*>PyMem_RawMalloc(count * sizeof(uint32_t))
    if scratch == NULL:
        return NO_MEMORY
    while width < count and reason == WELL_FORMED:
        reason = merge_all(keys, offsets, width, count, scratch)
        width <<= 1
    PyMem_RawFree(scratch)
    return reason


cdef inline int merge_all(
    Keys* keys, uint32_t* offsets, uint64_t width, uint64_t count, uint32_t* scratch
) noexcept nogil:
    cdef uint64_t start = 0
    cdef uint64_t size
    cdef int reason = WELL_FORMED
    while start + width < count and reason == WELL_FORMED:
        size = min(width << 1, count - start)
        reason = merge_runs(keys, offsets + start, width, size, scratch)
        start += size
    return reason


cdef inline int sort_run(Keys* keys, uint32_t* run, uint64_t count) noexcept nogil:
    cdef uint64_t index
    cdef uint64_t place
    cdef uint32_t key
    cdef int order
    for index in range(1, count):
        key = run[index]
        place = index
        while place:
            order = compare_keys(keys, run[place - 1], key)
            if order == 0:
                return DUPLICATE_KEY
            if order < 0:
                break
            run[place] = run[place - 1]
            place -= 1
        run[place] = key
    return WELL_FORMED


cdef inline int merge_runs(
    Keys* keys, uint32_t* runs, uint64_t width, uint64_t count, uint32_t* scratch
) noexcept nogil:
    """Merge the sorted runs runs[:width] and runs[width:count] in place."""
    cdef uint64_t lower = 0
    cdef uint64_t upper = width
    cdef uint64_t place = 0
    cdef int order = compare_keys(keys, runs[width - 1], runs[width])
    if order < 0:
        return WELL_FORMED
    memcpy(scratch, runs, width * sizeof(uint32_t))
    while lower < width and upper < count:
        order = compare_keys(keys, scratch[lower], runs[upper])
        if order == 0:
            return DUPLICATE_KEY
        if order < 0:
            runs[place] = scratch[lower]
            lower += 1
        else:
            runs[place] = runs[upper]
            upper += 1
        place += 1
    memcpy(runs + place, scratch + lower, (width - lower) * sizeof(uint32_t))
    return WELL_FORMED


cdef inline int compare_keys(Keys* keys, uint32_t one, uint32_t other) noexcept nogil:
    """The order of two keys as bytes, 0 if they agree for as long as the first one is."""
    cdef const uint8_t* first = keys.data + one
    cdef const uint8_t* second = keys.data + other
    cdef size_t size = key_size(first)
    cdef uint64_t mine
    cdef uint64_t theirs
    keys.words += 1 + (size >> 3)
    if keys.end - max(first, second) < 8:
        return memcmp(first, second, min(size, key_size(second)))
    mine = big_endian(first, 8)
    theirs = big_endian(second, 8)
    if size < 8:
        mine >>= 64 - 8 * size
        theirs >>= 64 - 8 * size
    if mine != theirs:
        return -1 if mine < theirs else 1
    return memcmp(first + 8, second + 8, size - 8) if size > 8 else 0


cdef inline size_t key_size(const uint8_t* key) noexcept nogil:
    cdef uint8_t tag = key[0]
    if tag <= 0x7f or tag >= 0xe0:
        return 1
    if tag <= 0xbf:
        return 1 + (tag & 0x1f)
    if tag <= 0xd3:
        return 1 + (<size_t>1 << (tag & 3))
    if tag == 0xd9:
        return 2 + key[1]
    if tag == 0xda:
        return 3 + <size_t>big_endian(key + 1, 2)
    return 5 + <size_t>big_endian(key + 1, 4)


cdef inline uint64_t big_endian(const uint8_t* at, size_t width) noexcept nogil:
    cdef uint64_t number = 0
    cdef size_t index
    for index in range(width):
        number = number << 8 | at[index]
    return number
