"""What is known of sources that are retired, in memory: of each its id and its last positions."""

from libc.stdint cimport uint8_t, uint64_t

cdef enum:
    RELEASED_BIT = 48           # of a word: it has no slot in that table, and is left out there
    FATE_SHIFT = 49             # of its author there, while it has no slot
    FATE_BITS = 3
    LISTED_BIT = 51             # of the first word: a record was seen that says just this

cdef struct Retired:
    uint8_t[16] id
    uint64_t[2] words           # for each table the last position, below what is said above

cdef class RetiredSources:
    cdef Retired* entries       # in the order of their ids
    cdef size_t count
    cdef Retired* latest        # the same of those that came lately, and are not among them yet
    cdef size_t latest_count

    cdef Retired* find(self, const uint8_t* id) noexcept
    cdef Retired* place(self, const uint8_t* id) except NULL
    cdef int settle(self) except -1
    cdef size_t memory(self) noexcept
    cdef const Retired* at(self, size_t place) noexcept


cdef inline uint64_t last_of(const Retired* entry, unsigned which) noexcept nogil:
    return entry.words[which] & ((<uint64_t>1 << RELEASED_BIT) - 1)


cdef inline bint is_released(const Retired* entry, unsigned which) noexcept nogil:
    return entry.words[which] >> RELEASED_BIT & 1
