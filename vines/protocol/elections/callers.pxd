cdef class Callers:
    cdef public bytes _me
    cdef public object _control
    cdef public long long _calls
    cdef public dict _known

    cpdef object announce(self, tuple key, long long total)
    cpdef set learn(self, object changes)
    cpdef object _note(self, tuple key, dict calls)
    cpdef object forget(self, tuple key)
    cpdef Py_ssize_t count(self, tuple key) except -1
    cpdef bint calling(self, tuple key) except -1
    cpdef frozenset candidates(self, tuple key, long long total, frozenset alive)
    cpdef frozenset others(self, tuple key, long long total, frozenset alive)
    cpdef bint anybody(self, tuple key) except -1
