"""The index of a table's records: extendible hashing, so that growing never costs more than one
small segment.

The top bits of a keyed hash choose a segment through a directory; inside a segment lie
open-addressing slots of eight bytes, a pointer with 16 bits of the hash above it. A full segment
grows by a third, one of the largest size splits in two; nothing else moves. One that has become
empty shrinks, and joins its lower neighbour once both are. Fagin, Nievergelt, Pippenger, Strong,
"Extendible hashing", ACM TODS 1979.

The lower half of the hash, as a fraction, is where in a segment a record is looked for first: so a
segment may have any size, and between half and four fifths of the slots are used. """

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp

from vines._core.record cimport POINTER_MASK, key_of, pointed, vines_record
from vines._core.vector cimport vines_key

cdef extern from "hash.h" nogil:
    uint64_t vines_sip_with_head(
        vines_key key, uint64_t head, size_t head_count, const uint8_t* data, size_t count)
    void VINES_PREFETCH(const void* address)

cdef enum:
    SEGMENT_MIN = 8
    DIRECTORY_BITS_MAX = 24     # beyond it segments grow instead of splitting

cdef struct Segment:
    uint64_t* slots
    uint32_t size
    uint32_t used
    uint32_t depth              # leading hash bits that all its records share

cdef struct Index:
    vines_key key
    Segment** directory
    uint32_t depth              # the directory has 2**depth entries
    size_t split_at             # slots of a segment that splits when it is full; less in tests
    size_t count
    size_t memory


cdef inline uint64_t hash_key(
    const Index* index, uint8_t family, const uint8_t* key, size_t length
) noexcept nogil:
    return vines_sip_with_head(index.key, family, 1, key, length)


cdef inline uint64_t hash_record(const Index* index, const vines_record* record) noexcept nogil:
    return hash_key(index, <uint8_t>record.family, key_of(record), record.key_length)


cdef inline Segment* segment_of(const Index* index, uint64_t hashed) noexcept nogil:
    return index.directory[hashed >> (64 - index.depth) if index.depth else 0]


cdef inline size_t home(const Segment* segment, uint64_t hashed) noexcept nogil:
    return <size_t>(<uint64_t><uint32_t>hashed * segment.size >> 32)


cdef inline size_t next_slot(const Segment* segment, size_t position) noexcept nogil:
    return position + 1 if position + 1 < segment.size else 0


cdef inline size_t slots_between(
    const Segment* segment, size_t start, size_t stop
) noexcept nogil:
    return stop - start if stop >= start else stop + segment.size - start


cdef inline Segment* segment_new(size_t size, uint32_t depth) noexcept nogil:
    cdef Segment* segment = <Segment*>malloc(sizeof(Segment))
    if segment == NULL:
        return NULL
    segment.slots = <uint64_t*>calloc(size, sizeof(uint64_t))
    if segment.slots == NULL:
        free(segment)
        return NULL
    segment.size = <uint32_t>size
    segment.used = 0
    segment.depth = depth
    return segment


cdef inline size_t segment_memory(const Segment* segment) noexcept nogil:
    return sizeof(Segment) + segment.size * sizeof(uint64_t)


cdef inline void segment_put(Segment* segment, uint64_t hashed, uint64_t slot) noexcept nogil:
    cdef size_t position = home(segment, hashed)
    while segment.slots[position]:
        position = next_slot(segment, position)
    segment.slots[position] = slot
    segment.used += 1


cdef inline int index_open(Index* index, vines_key key, size_t split_at) noexcept nogil:
    index.key = key
    index.split_at = max(split_at, <size_t>SEGMENT_MIN)
    index.depth = 0
    index.count = 0
    index.directory = <Segment**>malloc(sizeof(Segment*))
    if index.directory == NULL:
        return -1
    index.directory[0] = segment_new(SEGMENT_MIN, 0)
    if index.directory[0] == NULL:
        return -1
    index.memory = segment_memory(index.directory[0]) + sizeof(Segment*)
    return 0


cdef inline void index_close(Index* index) noexcept nogil:
    """Free the index, not the records."""
    cdef size_t at = 0
    cdef Segment* segment
    if index.directory == NULL:
        return
    while at < (<size_t>1) << index.depth:
        segment = index.directory[at]
        if segment != NULL:
            at += (<size_t>1) << (index.depth - segment.depth)
            free(segment.slots)
            free(segment)
        else:
            at += 1
    free(index.directory)
    index.directory = NULL


cdef inline void index_prefetch(const Index* index, uint64_t hashed) noexcept nogil:
    cdef const Segment* segment = segment_of(index, hashed)
    VINES_PREFETCH(segment.slots + home(segment, hashed))


cdef inline void index_prefetch_record(const Index* index, uint64_t hashed) noexcept nogil:
    """Ask for the memory of the record that is most likely meant."""
    cdef const Segment* segment = segment_of(index, hashed)
    cdef uint64_t slot = segment.slots[home(segment, hashed)]
    cdef const char* at = <const char*>pointed(slot)
    if slot:
        VINES_PREFETCH(at)
        VINES_PREFETCH(at + 64)
        VINES_PREFETCH(at + 128)


cdef inline vines_record* index_find(
    const Index* index, uint64_t hashed, uint8_t family, const uint8_t* key, size_t length
) noexcept nogil:
    cdef const Segment* segment = segment_of(index, hashed)
    cdef size_t position = home(segment, hashed)
    cdef uint64_t slot, tag = hashed << 48
    cdef vines_record* record
    while True:
        slot = segment.slots[position]
        if slot == 0:
            return NULL
        if (slot ^ tag) <= POINTER_MASK:
            record = pointed(slot)
            if (
                record.key_length == length
                and record.family == family
                and memcmp(key_of(record), key, length) == 0
            ):
                return record
        position = next_slot(segment, position)


cdef inline void prefetch_slot(const Segment* segment, size_t at) noexcept nogil:
    """Ask for the key of a record a few slots ahead of the one being hashed again."""
    cdef const char* record
    if at + 8 < segment.size:
        record = <const char*>pointed(segment.slots[at + 8])
        VINES_PREFETCH(record)
        VINES_PREFETCH(record + 64)


cdef inline int segment_grow(Index* index, Segment* segment) noexcept nogil:
    cdef size_t size = <size_t>segment.size + segment.size // 3, at
    cdef Segment grown
    grown.slots = <uint64_t*>calloc(size, sizeof(uint64_t))
    if grown.slots == NULL:
        return -1
    grown.size = <uint32_t>size
    grown.used = 0
    grown.depth = segment.depth
    for at in range(segment.size):
        prefetch_slot(segment, at)
        if segment.slots[at]:
            segment_put(&grown, hash_record(index, pointed(segment.slots[at])), segment.slots[at])
    free(segment.slots)
    index.memory += (size - segment.size) * sizeof(uint64_t)
    segment[0] = grown
    return 0


cdef inline void segment_shrink(Index* index, Segment* segment) noexcept nogil:
    """Give back slots of a segment once three of four are empty; not if memory has run out."""
    cdef size_t size = max(2 * <size_t>segment.used, <size_t>SEGMENT_MIN), at
    cdef Segment shrunk
    if 4 * <size_t>segment.used >= segment.size or size >= segment.size:
        return
    shrunk.slots = <uint64_t*>calloc(size, sizeof(uint64_t))
    if shrunk.slots == NULL:
        return
    shrunk.size = <uint32_t>size
    shrunk.used = 0
    shrunk.depth = segment.depth
    for at in range(segment.size):
        if segment.slots[at]:
            segment_put(&shrunk, hash_record(index, pointed(segment.slots[at])), segment.slots[at])
    free(segment.slots)
    index.memory -= (segment.size - size) * sizeof(uint64_t)
    segment[0] = shrunk


cdef inline Segment* segment_join(Index* index, Segment* segment, uint64_t hashed) noexcept nogil:
    """Join a segment, the one `hashed` falls into, with the neighbour it was once split from, if
    that lies below it and there is little in both, far from where it would split again; the segment
    that `hashed` falls into then. A pass in the order of hashes may do so with each segment it is
    done with, and go on after it; another pass that has come as far as `hashed` meets again what
    lies below."""
    cdef size_t span, first, at
    cdef Segment* low
    cdef Segment* joined
    cdef uint64_t slot
    while segment.depth:
        span = (<size_t>1) << (index.depth - segment.depth)
        first = (<size_t>(hashed >> (64 - index.depth))) & ~(span - 1)
        if not first & span:
            break
        low = index.directory[first - span]
        if (
            low.depth != segment.depth
            or 4 * (<size_t>low.used + segment.used) > index.split_at
        ):
            break
        joined = segment_new(
            max(2 * (<size_t>low.used + segment.used), <size_t>SEGMENT_MIN), segment.depth - 1)
        if joined == NULL:
            break
        for at in range(low.size):
            slot = low.slots[at]
            if slot:
                segment_put(joined, hash_record(index, pointed(slot)), slot)
        for at in range(segment.size):
            slot = segment.slots[at]
            if slot:
                segment_put(joined, hash_record(index, pointed(slot)), slot)
        for at in range(2 * span):
            index.directory[first - span + at] = joined
        index.memory += segment_memory(joined)
        index.memory -= segment_memory(low) + segment_memory(segment)
        free(low.slots)
        free(low)
        free(segment.slots)
        free(segment)
        segment = joined
    return segment


cdef inline void directory_halve(Index* index) noexcept nogil:
    """Give back what of the directory says everything twice, and more."""
    cdef size_t size, at
    cdef Segment** directory
    while index.depth:
        size = (<size_t>1) << (index.depth - 1)
        for at in range(size):
            if index.directory[2 * at] != index.directory[2 * at + 1]:
                return
        for at in range(size):
            index.directory[at] = index.directory[2 * at]
        index.depth -= 1
        index.memory -= size * sizeof(Segment*)
        directory = <Segment**>realloc(index.directory, size * sizeof(Segment*))
        if directory != NULL:
            index.directory = directory


cdef inline int directory_double(Index* index) noexcept nogil:
    cdef size_t size = (<size_t>1) << index.depth, at = size
    cdef Segment** directory = <Segment**>realloc(index.directory, 2 * size * sizeof(Segment*))
    if directory == NULL:
        return -1
    while at > 0:
        at -= 1
        directory[2 * at + 1] = directory[at]
        directory[2 * at] = directory[at]
    index.directory = directory
    index.depth += 1
    index.memory += size * sizeof(Segment*)
    return 0


cdef inline int segment_split(Index* index, Segment* segment, uint64_t hashed) noexcept nogil:
    """Divide a full segment, the one `hashed` falls into, by the next bit of the hash."""
    cdef size_t at, first, span
    cdef uint64_t slot, each
    if segment.depth == index.depth and directory_double(index) < 0:
        return -1
    # Of some keys all may agree in the next bit: there has to be room for them in either.
    cdef size_t half = max(index.split_at // 4 * 3, <size_t>segment.used + 1)
    cdef Segment* low = segment_new(half, segment.depth + 1)
    cdef Segment* high = segment_new(half, segment.depth + 1)
    if low == NULL or high == NULL:
        if low != NULL:
            free(low.slots)
            free(low)
        if high != NULL:
            free(high.slots)
            free(high)
        return -1
    for at in range(segment.size):
        prefetch_slot(segment, at)
        slot = segment.slots[at]
        if slot:
            each = hash_record(index, pointed(slot))
            segment_put(high if (each >> (63 - segment.depth)) & 1 else low, each, slot)
    span = (<size_t>1) << (index.depth - segment.depth)
    first = (<size_t>(hashed >> (64 - index.depth))) & ~(span - 1)
    for at in range(span):
        index.directory[first + at] = low if at < span // 2 else high
    index.memory += segment_memory(low) + segment_memory(high)
    index.memory -= segment_memory(segment)
    free(segment.slots)
    free(segment)
    return 0


cdef inline int index_insert(Index* index, uint64_t hashed, vines_record* record) noexcept nogil:
    """Add a record whose key is not there yet; -1 if memory ran out, nothing changed."""
    cdef Segment* segment = segment_of(index, hashed)
    while 5 * (<size_t>segment.used + 1) > 4 * <size_t>segment.size:
        if segment.size < index.split_at or segment.depth >= DIRECTORY_BITS_MAX:
            if segment_grow(index, segment) < 0:
                return -1
        elif segment_split(index, segment, hashed) < 0:
            return -1
        segment = segment_of(index, hashed)
    segment_put(segment, hashed, (hashed << 48) | <uint64_t><size_t>record)
    index.count += 1
    return 0


cdef inline void index_remove(Index* index, uint64_t hashed, vines_record* record) noexcept nogil:
    """Take out a record that is there, closing the gap it leaves in its probe sequence."""
    cdef Segment* segment = segment_of(index, hashed)
    cdef size_t hole = home(segment, hashed), at, wanted
    while pointed(segment.slots[hole]) != record:
        hole = next_slot(segment, hole)
    at = next_slot(segment, hole)
    while segment.slots[at]:
        wanted = home(segment, hash_record(index, pointed(segment.slots[at])))
        if slots_between(segment, wanted, at) >= slots_between(segment, hole, at):
            segment.slots[hole] = segment.slots[at]
            hole = at
        at = next_slot(segment, at)
    segment.slots[hole] = 0
    segment.used -= 1
    index.count -= 1
