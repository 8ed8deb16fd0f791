cdef class Remembered:
    cdef object _function
    cdef Py_ssize_t _few
    cdef Py_ssize_t _results
    cdef dict _short
    cdef dict _long

    cpdef tuple sizes(self)
