"""What is known of sources that are retired, in memory: of each its id and its last positions."""

from libc.stdint cimport uint8_t, uint64_t

from vines._core.vector cimport VersionVector

cdef enum:
    RELEASED_BIT = 48           # of a word: it has no slot in that table, and is left out there
    FATE_SHIFT = 49             # of its author there, while it has no slot
    FATE_BITS = 3
    LISTED_BIT = 51             # of the first word: a record was seen that says just this
    EARLY_SHIFT = 52            # of the first word: the lower half of its time
    LATE_SHIFT = 51             # of the second: the upper one
    TIME_BITS = 12              # of each half
    KEPT_BIT = 63               # of the second word: a record was seen that stays until then

cdef struct Retired:
    uint8_t[16] id
    uint64_t[2] words           # for each table the last position, below what is said above

cdef class RetiredSources:
    cdef Retired* entries       # in the order of their ids
    cdef size_t count
    cdef Retired* latest        # the same of those that came lately, and are not among them yet
    cdef size_t latest_count
    cdef size_t[2] released     # how many have no slot in either table, and are left out there
    cdef VersionVector control  # what the tables cover: whether a source has a slot there
    cdef VersionVector data
    cdef readonly size_t forgotten  # so many so far
    cdef readonly uint64_t until    # the time of what is heard of now, once nothing names it

    cdef Retired* find(self, const uint8_t* id) noexcept
    cdef Retired* place(self, const uint8_t* id) except NULL
    cdef int settle(self) except -1
    cdef size_t memory(self) noexcept
    cdef size_t fading(self, unsigned which) noexcept
    cdef bint is_idle(self, const Retired* entry) noexcept
    cdef bint fades(self, const Retired* entry) noexcept
    cdef size_t age_all(self, Retired* entries, size_t count, uint64_t clock) noexcept
    cdef const Retired* at(self, size_t place) noexcept


cdef inline uint64_t last_of(const Retired* entry, unsigned which) noexcept nogil:
    return entry.words[which] & ((<uint64_t>1 << RELEASED_BIT) - 1)


cdef inline bint is_released(const Retired* entry, unsigned which) noexcept nogil:
    return entry.words[which] >> RELEASED_BIT & 1


cdef inline uint64_t time_of(const Retired* entry) noexcept nogil:
    """When it may be forgotten; 0: that is not known."""
    cdef uint64_t most = (<uint64_t>1 << TIME_BITS) - 1
    return (
        entry.words[0] >> EARLY_SHIFT & most
        | (entry.words[1] >> LATE_SHIFT & most) << TIME_BITS)


cdef inline void set_time(Retired* entry, uint64_t time) noexcept nogil:
    cdef uint64_t most = (<uint64_t>1 << TIME_BITS) - 1
    entry.words[0] = entry.words[0] & ~(most << EARLY_SHIFT) | (time & most) << EARLY_SHIFT
    entry.words[1] = (
        entry.words[1] & ~(most << LATE_SHIFT) | (time >> TIME_BITS & most) << LATE_SHIFT)


cdef inline void set_unlisted(Retired* entry) noexcept nogil:
    """No record says it."""
    entry.words[0] &= ~(<uint64_t>1 << LISTED_BIT)
    entry.words[1] &= ~(<uint64_t>1 << KEPT_BIT)


cdef inline bint is_told(const Retired* entry) noexcept nogil:
    """Whether others may be told of it: that is over where it is in no record any more, and is
    kept for no other reason than that its time is not."""
    return time_of(entry) == 0 or entry.words[0] >> LISTED_BIT & 1
