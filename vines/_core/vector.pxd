"""A version vector in memory: ids and counters as two arrays in order of arrival, and an index
from id to place."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "hash.h" nogil:
    ctypedef struct vines_key:
        uint64_t k0
        uint64_t k1
    vines_key vines_load_key(const uint8_t* data)

cdef struct Located:            # a row of a vector page, and where its id is listed here
    const uint8_t* id
    uint64_t counter
    Py_ssize_t place

cdef class VersionVector:
    cdef vines_key secret       # of the index; shared by copies, unknown to peers
    cdef uint8_t* ids           # 16 bytes each
    cdef uint64_t* counters
    cdef size_t count           # places, holes among them
    cdef size_t capacity
    cdef uint32_t* holes        # places whose id was taken out, a heap: the lowest is filled first
    cdef size_t hole_count
    cdef size_t hole_capacity
    cdef uint32_t* index        # place + 1, or 0; open addressing, at most half full
    cdef size_t index_mask
    cdef uint64_t order         # a keyed chain over the ids in order: equal means aligned

    cdef Py_ssize_t find(self, const uint8_t* id) noexcept
    cdef Py_ssize_t find_from(self, size_t position, const uint8_t* id) noexcept
    cdef Py_ssize_t find_near(self, const uint8_t* id, size_t guess) noexcept
    cdef Py_ssize_t place(self, const uint8_t* id) except -1
    cdef int reserve_holes(self, size_t more) except -1
    cdef void take_out(self, size_t place) noexcept
    cdef void follow(self, const uint8_t* id, size_t length) noexcept
    cdef bint lists(self, size_t place) noexcept
    cdef Located* locate(self, bytes page, size_t offset, size_t* count, uint8_t* mark) except NULL
    cdef int grow(self, size_t capacity) except -1
    cdef void shrink(self, size_t count, size_t capacity) noexcept
    cdef void index_anew(self, uint32_t* index, size_t size) noexcept
    cdef void sift_up(self, size_t at, uint32_t place) noexcept
    cdef size_t lowest_hole(self) noexcept
    cdef bint aligned(self, VersionVector other) noexcept

cdef const uint8_t* id_of(object source) except NULL
cdef void maximum(uint64_t* into, const uint64_t* other, size_t count) noexcept nogil
cdef size_t first_above(
    const uint64_t* a, const uint64_t* b, size_t start, size_t count
) noexcept nogil
