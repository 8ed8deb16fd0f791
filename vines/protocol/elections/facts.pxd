cdef class Facts:
    pass
