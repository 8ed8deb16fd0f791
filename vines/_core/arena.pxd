"""Memory for many small blocks of a table, cut one behind another from chunks: no block pays for a
header, or for being rounded up by the C library.

Sizes are counted in units of eight bytes, and whoever gives a block back says what size it has. It
goes to the next who asks for that size; chunks are freed all together. They grow with the table up
to a limit, so that a small table is small and what a large one has not yet used does not matter.
"""

from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc

cdef extern from "poison.h" nogil:
    void VINES_POISON(const void* at, size_t size)
    void VINES_UNPOISON(const void* at, size_t size)
    const size_t GAP "VINES_GAP"

cdef enum:
    UNIT = 8
    UNITS_MAX = 255             # of one block
    CHUNK_MIN = 1024
    CHUNK_MAX = 32768           # below what the C library asks the system for piece by piece

cdef struct Block:              # one that was given back
    Block* next

cdef struct Chunk:
    Chunk* next

cdef struct Arena:
    Chunk* chunks
    uint8_t* at                 # what is left of the newest of them
    uint8_t* end
    size_t memory               # of all chunks
    Block* given[UNITS_MAX + 1]  # back, by size


cdef inline size_t units_of(size_t size) noexcept nogil:
    return (size + UNIT - 1) / UNIT


cdef inline void arena_give(Arena* arena, void* at, size_t units) noexcept nogil:
    """Take a block back."""
    cdef Block* block = <Block*>at
    block.next = arena.given[units]
    arena.given[units] = block
    VINES_POISON(at, units * UNIT)


cdef inline int arena_grow(Arena* arena) noexcept nogil:
    cdef size_t size = min(max(arena.memory, <size_t>CHUNK_MIN), <size_t>CHUNK_MAX)
    cdef Chunk* chunk = <Chunk*>malloc(size)
    cdef size_t left = <size_t>(arena.end - arena.at)
    if chunk == NULL:
        return -1
    if left >= UNIT + GAP:
        left = min((left - GAP) / UNIT, <size_t>UNITS_MAX)
        VINES_UNPOISON(arena.at, left * UNIT)
        arena_give(arena, arena.at, left)
    chunk.next = arena.chunks
    arena.chunks = chunk
    arena.memory += size
    arena.at = <uint8_t*>chunk + UNIT
    arena.end = <uint8_t*>chunk + size
    VINES_POISON(arena.at, size - UNIT)
    return 0


cdef inline void* arena_take(Arena* arena, size_t units) noexcept nogil:
    """A block of 1 to UNITS_MAX units, its content undefined; NULL if memory ran out."""
    cdef Block* block = arena.given[units]
    cdef size_t size = units * UNIT
    if block != NULL:
        VINES_UNPOISON(block, size)
        arena.given[units] = block.next
        return block
    while <size_t>(arena.end - arena.at) < size + GAP:
        if arena_grow(arena) < 0:
            return NULL
    block = <Block*>arena.at
    arena.at += size + GAP
    VINES_UNPOISON(block, size)
    return block


cdef inline void arena_close(Arena* arena) noexcept nogil:
    """Free all blocks at once."""
    cdef Chunk* chunk = arena.chunks
    while chunk != NULL:
        arena.chunks = chunk.next
        free(chunk)
        chunk = arena.chunks
