cimport cython


cdef class Count:
    cdef public long long frames
    cdef public long long size


cdef class Traffic:
    cdef list _in
    cdef list _out
    cdef object _rejected
    cdef object _reasons

    @cython.locals(count=Count)
    cpdef object received(self, bytes frame)
    @cython.locals(count=Count)
    cpdef object written(self, bytes frame)
