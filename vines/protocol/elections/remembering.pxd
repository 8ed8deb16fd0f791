cdef class Remembered:
    cdef object _function
    cdef Py_ssize_t _few
    cdef Py_ssize_t _results
    cdef dict _short
    cdef dict _long
    cdef tuple _last

    cpdef tuple sizes(self)
