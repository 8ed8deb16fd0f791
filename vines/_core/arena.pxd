"""Memory for many small blocks of a table, cut one behind another from chunks: no block pays for a
header, or for being rounded up by the C library.

Sizes are counted in units of eight bytes, and whoever gives a block back says what size it has. It
goes to the next who asks for that size. A chunk comes from the system and goes back there, for
which nothing in it may be in use or wait for somebody to ask for it: so when much is unused, chunks
of which little is in use are *closed*. Blocks of a closed chunk are given to nobody any more;
whoever has some moves them elsewhere, and once it is empty it can go: a few at a time, as the
system takes a while for each. As in the cleaning of Rosenblum, Ousterhout, "The design and
implementation of a log-structured file system", ACM TOCS 1992.
"""

from libc.stdint cimport uint8_t

cdef extern from "poison.h" nogil:
    void VINES_POISON(const void* at, size_t size)
    void VINES_UNPOISON(const void* at, size_t size)
    const size_t GAP "VINES_GAP"

cdef extern from "chunk.h" nogil:
    const size_t CHUNK_SIZE "VINES_CHUNK"
    void* vines_map_chunk()
    bint vines_unmap_chunk(void* at)

cdef enum:
    UNIT = 8
    UNITS_MAX = 255             # of one block
    STEP = 4096                 # in which a chunk is used: a page of most systems

cdef struct Block:              # one that was given back
    Block* next

cdef struct Chunk:              # its beginning
    Chunk* next
    Chunk* before
    size_t used                 # units of blocks somebody has
    size_t cut                  # bytes that were ever touched
    bint closed

cdef struct Arena:
    Chunk* chunks
    Chunk* empty                # those that can go, not among the others
    Chunk* newest               # blocks are cut from; NULL: there is none
    uint8_t* at                 # what is left of what it has touched
    uint8_t* end
    size_t spare                # chunks; unused memory of so many is not worth a pass
    size_t memory               # of all chunks, but for what was never touched
    size_t used                 # units of all of them
    bint kept                   # the system took back none of the empty ones when it was asked last
    size_t given_up             # units given back since chunks were closed last
    size_t sorting              # the size whose blocks are being sorted, 0 if none are
    Block* sorted               # those of that size not looked at yet
    Block* given[UNITS_MAX + 1]  # back, by size


cdef inline size_t units_of(size_t size) noexcept nogil:
    return (size + UNIT - 1) // UNIT


cdef inline Chunk* chunk_of(const void* at) noexcept nogil:
    return <Chunk*>(<size_t>at & ~(CHUNK_SIZE - 1))


cdef inline void chunk_let_go(Arena* arena, Chunk* chunk) noexcept nogil:
    if chunk.before != NULL:
        chunk.before.next = chunk.next
    else:
        arena.chunks = chunk.next
    if chunk.next != NULL:
        chunk.next.before = chunk.before
    chunk.next = arena.empty
    arena.empty = chunk


cdef inline Chunk* chunk_new(Arena* arena) noexcept nogil:
    """One more chunk, of which nothing is cut yet; NULL if memory ran out."""
    cdef Chunk* chunk = arena.empty
    if chunk != NULL:
        arena.empty = chunk.next
        arena.memory -= chunk.cut
    else:
        chunk = <Chunk*>vines_map_chunk()
        if chunk == NULL:
            return NULL
    chunk.next = arena.chunks
    chunk.before = NULL
    chunk.used = 0
    chunk.cut = 0
    chunk.closed = False
    if arena.chunks != NULL:
        arena.chunks.before = chunk
    arena.chunks = chunk
    return chunk


cdef inline void keep_block(Arena* arena, void* at, size_t units) noexcept nogil:
    """For the next who asks for its size."""
    cdef Block* block = <Block*>at
    block.next = arena.given[units]
    arena.given[units] = block
    VINES_POISON(at, units * UNIT)


cdef inline void arena_give(Arena* arena, void* at, size_t units) noexcept nogil:
    """Take a block back."""
    cdef Chunk* chunk = chunk_of(at)
    chunk.used -= units
    arena.used -= units
    arena.given_up += units
    if not chunk.closed:
        keep_block(arena, at, units)
        return
    VINES_POISON(at, units * UNIT)
    # While blocks are sorted some of this chunk may still wait in their lists.
    if chunk.used == 0 and arena.sorting == 0:
        chunk_let_go(arena, chunk)


cdef inline int arena_grow(Arena* arena) noexcept nogil:
    """More to cut blocks from: of the newest chunk, or of one more."""
    cdef Chunk* chunk = arena.newest
    cdef size_t left = <size_t>(arena.end - arena.at)
    if chunk == NULL or chunk.cut == CHUNK_SIZE:
        if left >= UNIT + GAP:
            left = min((left - GAP) // UNIT, <size_t>UNITS_MAX)
            VINES_UNPOISON(arena.at, left * UNIT)
            keep_block(arena, arena.at, left)
        chunk = chunk_new(arena)
        if chunk == NULL:
            arena.at = arena.end
            return -1
        arena.newest = chunk
        arena.at = <uint8_t*>chunk + units_of(sizeof(Chunk)) * UNIT
        VINES_POISON(arena.at, CHUNK_SIZE - units_of(sizeof(Chunk)) * UNIT)
    chunk.cut += STEP
    arena.memory += STEP
    arena.end = <uint8_t*>chunk + chunk.cut
    return 0


cdef inline void* arena_take(Arena* arena, size_t units) noexcept nogil:
    """A block of 1 to UNITS_MAX units, its content undefined; NULL if memory ran out."""
    cdef Block* block = arena.given[units]
    cdef size_t size = units * UNIT
    if block != NULL:
        VINES_UNPOISON(block, size)
        arena.given[units] = block.next
    else:
        while <size_t>(arena.end - arena.at) < size + GAP:
            if arena_grow(arena) < 0:
                return NULL
        block = <Block*>arena.at
        arena.at += size + GAP
        VINES_UNPOISON(block, size)
    chunk_of(block).used += units
    arena.used += units
    return block


cdef inline bint arena_is_loose(const Arena* arena) noexcept nogil:
    """Whether it is worth closing chunks: a quarter of the memory is unused, and half of that was
    given back since they were closed last."""
    cdef size_t unused = arena.memory - arena.used * UNIT
    return (
        unused > arena.memory // 4 and unused > arena.spare * CHUNK_SIZE
        and arena.given_up * UNIT > arena.memory // 8
    )


cdef inline void arena_close_sparse(Arena* arena) noexcept nogil:
    """Close chunks of which less than three quarters are in use. Then all blocks that wait have to
    be sorted."""
    cdef Chunk* chunk = arena.chunks
    while chunk != NULL:
        if chunk.used * UNIT < CHUNK_SIZE // 4 * 3:
            chunk.closed = True
        chunk = chunk.next
    if arena.newest != NULL and arena.newest.closed:
        arena.newest = NULL
        arena.at = arena.end = NULL
    arena.given_up = 0
    arena.sorting = 1
    arena.sorted = arena.given[1]
    arena.given[1] = NULL


cdef inline bint arena_sort(Arena* arena, size_t most) noexcept nogil:
    """Forget the blocks of closed chunks that wait, looking at so many at most; whether there are
    more."""
    cdef Block* block
    cdef Chunk* chunk
    cdef Chunk* next
    while arena.sorting:
        while arena.sorted != NULL:
            if most == 0:
                return True
            most -= 1
            block = arena.sorted
            VINES_UNPOISON(block, sizeof(Block))
            arena.sorted = block.next
            if chunk_of(block).closed:
                VINES_POISON(block, sizeof(Block))
            else:
                keep_block(arena, block, arena.sorting)
        if arena.sorting == UNITS_MAX:
            break
        arena.sorting += 1
        arena.sorted = arena.given[arena.sorting]
        arena.given[arena.sorting] = NULL
    arena.sorting = 0
    chunk = arena.chunks
    while chunk != NULL:
        next = chunk.next
        if chunk.closed and chunk.used == 0:
            chunk_let_go(arena, chunk)
        chunk = next
    return False


cdef inline bint arena_waits(const Arena* arena) noexcept nogil:
    """Whether there are empty chunks that the system may take back."""
    return arena.empty != NULL and not arena.kept


cdef inline bint arena_free(Arena* arena, size_t most) noexcept nogil:
    """Give back chunks that are empty, so many at most; whether there are more. What the system
    does not take back stays for who needs one, and is offered again with the next call."""
    cdef Chunk* chunk
    cdef Chunk* next
    cdef size_t cut
    arena.kept = False
    while most and arena.empty != NULL:
        chunk = arena.empty
        next = chunk.next
        cut = chunk.cut
        VINES_UNPOISON(chunk, CHUNK_SIZE)
        if not vines_unmap_chunk(chunk):
            arena.kept = True
            break
        arena.empty = next
        arena.memory -= cut
        most -= 1
    return arena_waits(arena)


cdef inline void arena_close(Arena* arena) noexcept nogil:
    """Free all blocks at once."""
    while arena.chunks != NULL:
        chunk_let_go(arena, arena.chunks)
    arena_free(arena, arena.memory)
