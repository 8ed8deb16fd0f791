cdef class Facts:
    pass


cdef class Known(Facts):
    cdef Py_hash_t _hash
