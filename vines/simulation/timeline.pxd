cimport cython


cdef Py_ssize_t UNHASHED_MAX


cdef class Timeline:
    cdef readonly double now
    cdef readonly long long steps
    cdef object _tail
    cdef list _due
    cdef long long _order
    cdef object _hash
    cdef list _unhashed
    cdef dict _words

    cpdef object push(self, double when, object action, tuple arguments)
    cpdef object next(self)
    @cython.locals(due=list, first=tuple)
    cpdef object run(self, double until)
    @cython.locals(words=bytes)
    cpdef object record(self, str what, str who, bytes data=*)
    cdef object _digest(self)
