"""A linear sketch of a version vector: cells of which a few tell what differs between two replicas.

Each source has a key k below the prime p = 2^32 - 5, a keyed hash of its id, and k alone says in
which cells the source is: in the first, and in cell i with a density of 2 / (i + 2). A cell is the
sums, modulo p, of c, c * k and c * k * k over its sources, c the counter. Cells of two replicas are
subtracted one from the other; what is equal at both is gone from the result, so a cell's content
depends on the sources that differ, and on nothing else. A counter that rises is added to its
source's cells where they are.

The density is that of Yang, Gilad and Alizadeh, "Practical Rateless Set Reconciliation", SIGCOMM
2024, section 4; sums of powers in place of keys and check sums are those of Prony and of every
syndrome decoder since. Both sides draw the cells of a source with integers only, so that they draw
the same on every machine."""

from libc.math cimport sqrt
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from vines._core.vector cimport vines_key
from vines._core.wire cimport ID_BYTES

cdef extern from "hash.h" nogil:
    uint64_t vines_sip(vines_key key, const uint8_t* data, size_t count)

cdef enum:
    CELLS = 256                 # kept: 3 KB say what differs at 150 sources; more is for vectors
    CELL_BYTES = 12             # on the wire
    PLACES = 22                 # cells a source is in at most; ten on average, more once in 10^4
    WORDS = 4                   # of a cell here: three sums, and one that rounds up its size
    KEY_SUFFIX = 3              # what is hashed behind the id, as 1 and 2 are for the lanes

cdef extern from *:
    """
    #define VINES_FIELD 4294967291ULL
    #define VINES_STEP 0x9e3779b97f4a7c15ULL
    #define VINES_GAINED_MAX 0xffffU
    #define VINES_ADDITIONS_MAX 0xffffU
    """
    const uint64_t FIELD "VINES_FIELD"
    const uint64_t STEP "VINES_STEP"
    # What a counter rises by is mostly so small that a product with a residue has 48 bits; of such
    # so many go into a sum of 64 before it has to be reduced.
    const uint32_t GAINED_MAX "VINES_GAINED_MAX"
    const uint32_t ADDITIONS_MAX "VINES_ADDITIONS_MAX"

cdef struct Row:                # of a source; half a line of the processor's cache
    uint32_t key
    uint32_t square             # of it
    uint8_t shared              # another source has this key, too: it does not tell which
    uint8_t used                # 0: the slot has no source
    uint8_t[PLACES] places      # ascending

cdef struct Sketch:
    Row* rows                   # by the slot of the source
    size_t count
    size_t capacity
    uint32_t* index             # slot + 1 of a key, or 0; open addressing, at most half full
    unsigned bits               # of the size of the index
    uint64_t secret             # of the index, unknown to peers; odd
    uint64_t* sums              # CELLS of WORDS
    uint32_t additions          # since all sums were reduced


cdef inline uint64_t mixed(uint64_t state) noexcept nogil:
    """The output function of SplitMix64: Steele, Lea and Flood, OOPSLA 2014."""
    state = (state ^ (state >> 30)) * <uint64_t>0xbf58476d1ce4e5b9
    state = (state ^ (state >> 27)) * <uint64_t>0x94d049bb133111eb
    return state ^ (state >> 31)


cdef inline uint32_t sketch_key(vines_key key, const uint8_t* id) noexcept nogil:
    """The key of a source, the same on every node of a cluster."""
    cdef uint8_t[ID_BYTES + 1] suffixed
    memcpy(suffixed, id, ID_BYTES)
    suffixed[ID_BYTES] = KEY_SUFFIX
    return <uint32_t>(vines_sip(key, suffixed, ID_BYTES + 1) % FIELD)


cdef inline void draw_row(uint32_t key, Row* row) noexcept nogil:
    """The cells of a key. From cell i the next is the least m with
    (m + 1) (m + 2) u > (i + 1) (i + 2) 2^32, u drawn from 1 to 2^32: whether a cell is skipped is
    then independent of all others."""
    cdef uint64_t state = key, cell = 0, bound
    cdef uint64_t root
    row.key = key
    row.square = <uint32_t>(<uint64_t>key * key % FIELD)
    row.shared = 0
    row.used = 1
    row.places[0] = 0
    while row.used < PLACES:
        state += STEP
        bound = ((cell + 1) * (cell + 2) << 32) // ((mixed(state) >> 32) + 1)
        if bound >= <uint64_t>CELLS * (CELLS + 1):
            return
        root = <uint64_t>sqrt(<double>bound)
        cell = root - 1 if root * (root + 1) > bound else root
        row.places[row.used] = <uint8_t>cell
        row.used += 1


cdef inline size_t home_of(const Sketch* sketch, uint32_t key) noexcept nogil:
    return <size_t>((key * sketch.secret) >> (64 - sketch.bits))


cdef inline Py_ssize_t sketch_find(const Sketch* sketch, uint32_t key) noexcept nogil:
    """The slot of a key, or -1. Of a key that several have it is the first."""
    cdef size_t position = home_of(sketch, key)
    while sketch.index[position]:
        if sketch.rows[sketch.index[position] - 1].key == key:
            return <Py_ssize_t>sketch.index[position] - 1
        position = (position + 1) & ((<size_t>1 << sketch.bits) - 1)
    return -1


cdef inline void index_row(Sketch* sketch, size_t slot) noexcept nogil:
    """Make a key findable; of one that another source has, that one is found."""
    cdef size_t position = home_of(sketch, sketch.rows[slot].key)
    cdef Row* other
    while sketch.index[position]:
        other = &sketch.rows[sketch.index[position] - 1]
        if other.key == sketch.rows[slot].key:
            other.shared = 1
            return
        position = (position + 1) & ((<size_t>1 << sketch.bits) - 1)
    sketch.index[position] = <uint32_t>(slot + 1)


cdef inline unsigned index_bits(size_t capacity) noexcept nogil:
    """Of an index of so many slots, which is at most half full."""
    cdef unsigned bits = 1
    while (<size_t>1 << bits) < 2 * capacity:
        bits += 1
    return bits


cdef inline void index_anew(Sketch* sketch, uint32_t* index, size_t capacity) noexcept nogil:
    """Put all slots that have a source into this index, in place of the one before."""
    cdef size_t slot
    free(sketch.index)
    sketch.index = index
    sketch.bits = index_bits(capacity)
    sketch.capacity = capacity
    for slot in range(sketch.count):
        if sketch.rows[slot].used:
            index_row(sketch, slot)


cdef inline int sketch_reserve(Sketch* sketch, size_t count) noexcept nogil:
    """Make room for `count` sources; -1 without memory, and nothing has changed."""
    cdef size_t capacity = max(2 * sketch.capacity, <size_t>256)
    if count <= sketch.capacity:
        return 0
    capacity = max(capacity, count)
    if sketch.sums == NULL:
        sketch.sums = <uint64_t*>calloc(CELLS * WORDS, sizeof(uint64_t))
    cdef uint32_t* index = <uint32_t*>calloc(<size_t>1 << index_bits(capacity), sizeof(uint32_t))
    cdef Row* rows = <Row*>realloc(sketch.rows, capacity * sizeof(Row))
    if rows != NULL:
        sketch.rows = rows
    if sketch.sums == NULL or index == NULL or rows == NULL:
        free(index)
        return -1
    index_anew(sketch, index, capacity)
    return 0


cdef inline void sketch_shrink(Sketch* sketch, size_t count, size_t capacity) noexcept nogil:
    """Give up the slots from `count` on, none of which has a source, and memory for more than so
    many; without memory to do so it stays."""
    sketch.count = min(sketch.count, count)
    if capacity >= sketch.capacity:     # as where there is none
        return
    cdef uint32_t* index = <uint32_t*>calloc(<size_t>1 << index_bits(capacity), sizeof(uint32_t))
    if index == NULL:
        return
    cdef Row* rows = <Row*>realloc(sketch.rows, capacity * sizeof(Row))
    if rows != NULL:
        sketch.rows = rows
    index_anew(sketch, index, capacity)


cdef inline void sketch_append(Sketch* sketch, uint32_t key) noexcept nogil:
    """The next slot is that of a source with this key; room was reserved."""
    draw_row(key, &sketch.rows[sketch.count])
    index_row(sketch, sketch.count)
    sketch.count += 1


cdef inline void sketch_replace(Sketch* sketch, size_t slot, uint32_t key) noexcept nogil:
    """A slot that had no source has one with this key."""
    draw_row(key, &sketch.rows[slot])
    index_row(sketch, slot)


cdef inline void unindex_row(Sketch* sketch, size_t position) noexcept nogil:
    """Empty a place of the index; what was put past it moves up, no further than its home."""
    cdef size_t mask = (<size_t>1 << sketch.bits) - 1, at = position, home
    while True:
        at = (at + 1) & mask
        if sketch.index[at] == 0:
            break
        home = home_of(sketch, sketch.rows[sketch.index[at] - 1].key)
        if ((at - home) & mask) >= ((at - position) & mask):
            sketch.index[position] = sketch.index[at]
            position = at
    sketch.index[position] = 0


cdef inline void sketch_remove(Sketch* sketch, size_t slot) noexcept nogil:
    """A slot has no source any more; of that one nothing is in the sums."""
    cdef uint32_t key = sketch.rows[slot].key
    cdef size_t position = home_of(sketch, key), found, other
    sketch.rows[slot].used = 0
    found = sketch.index[position] - 1
    while sketch.rows[found].key != key:
        position = (position + 1) & ((<size_t>1 << sketch.bits) - 1)
        found = sketch.index[position] - 1
    if found == slot:
        unindex_row(sketch, position)
        if not sketch.rows[slot].shared:
            return
    else:
        sketch.rows[found].shared = 0
    # Two sources of one key are one pair in 2^32: of those that are left one is found.
    for other in range(sketch.count):
        if sketch.rows[other].used and sketch.rows[other].key == key and other != found:
            index_row(sketch, other)


cdef inline void sketch_settle(Sketch* sketch) noexcept nogil:
    """Reduce all sums."""
    cdef size_t at
    for at in range(CELLS * WORDS):
        sketch.sums[at] %= FIELD
    sketch.additions = 0


cdef inline void sketch_add(Sketch* sketch, size_t slot, uint64_t gained) noexcept nogil:
    """The counter of a source rose by so much."""
    cdef Row row = sketch.rows[slot]    # a copy, which no store to the sums can change
    cdef uint64_t[WORDS] terms
    cdef uint64_t* sums
    cdef size_t at, word
    terms[0] = gained if gained <= GAINED_MAX else gained % FIELD
    terms[1] = terms[0] * row.key
    terms[2] = terms[0] * row.square
    terms[3] = 0
    if gained > GAINED_MAX:
        terms[1] %= FIELD
        terms[2] %= FIELD
    if sketch.additions == ADDITIONS_MAX:
        sketch_settle(sketch)
    sketch.additions += 1
    for at in range(row.used):
        sums = sketch.sums + WORDS * <size_t>row.places[at]
        for word in range(WORDS):
            sums[word] += terms[word]


cdef inline size_t sketch_memory(const Sketch* sketch) noexcept nogil:
    if sketch.sums == NULL:
        return 0
    return (
        sketch.capacity * sizeof(Row) + (sizeof(uint32_t) << sketch.bits)
        + CELLS * WORDS * sizeof(uint64_t)
    )


cdef inline void sketch_close(Sketch* sketch) noexcept nogil:
    free(sketch.rows)
    free(sketch.index)
    free(sketch.sums)
    sketch.rows = NULL
    sketch.index = NULL
    sketch.sums = NULL
    sketch.count = sketch.capacity = 0
    sketch.additions = 0
