cimport cython


cdef class Waiting:
    cdef list packed
    cdef Py_ssize_t size


cdef class Mail:
    cdef public object _room
    cdef public object _send
    cdef public dict _waiting

    @cython.locals(waiting=Waiting, size=Py_ssize_t)
    cpdef object add(self, bytes member, bytes packed)
    @cython.locals(waiting=Waiting, packed=list, begun=Py_ssize_t, end=Py_ssize_t, leaving=list)
    cpdef object leave(self)


@cython.locals(size=Py_ssize_t, end=Py_ssize_t, one=bytes)
cdef Py_ssize_t _end_of_frame(list waiting, Py_ssize_t begun) except -1
