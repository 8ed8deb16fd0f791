"""What became current in a table, as rows of pointers into bytes that are kept alive with them."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef struct Changed:
    const uint8_t* key
    const uint8_t* value
    const uint8_t* origin       # 16 bytes, or NULL: written here, whoever is told looks it up
    uint64_t stamp
    uint32_t value_length
    uint16_t key_length
    uint8_t family
    uint8_t flags

cdef class Changes:
    cdef Changed* rows
    cdef size_t count
    cdef size_t capacity
    cdef list owners            # the bytes that rows point into
    cdef uint8_t* free          # what is not yet used of the last of them, if it was made here
    cdef size_t room
    cdef size_t kept            # bytes of all owners

    cdef int own(self, bytes owner) except -1
    cdef int borrow(self, Changes other) except -1
    cdef int reserve(self) except -1
    cdef Changed* add(self) noexcept
    cdef const uint8_t* keep(self, const uint8_t* data, size_t size) except? NULL
    cdef int copy(self, const Changed* row) except -1
    cdef const Changed* row(self, Py_ssize_t at) except NULL
    cpdef int family(self, Py_ssize_t at) except -1
    cpdef int flags(self, Py_ssize_t at) except -1
    cpdef bytes key(self, Py_ssize_t at)
    cpdef bytes value(self, Py_ssize_t at)
    cpdef bytes origin(self, Py_ssize_t at)
    cpdef size_t memory(self) noexcept
    cpdef Changes select(self, uint8_t family, object keys, tuple prefixes)
    cpdef list events(
        self, size_t start, size_t stop, type gossip, type delete, type lapse, object local,
        object unpack)
