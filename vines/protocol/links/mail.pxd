cdef class Mail:
    cdef public object _room
    cdef public object _send
    cdef public dict _waiting
    cdef public dict _sizes

    cpdef object add(self, bytes member, bytes packed)
    cpdef object leave(self)
