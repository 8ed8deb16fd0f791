cdef class Lag:
    cdef double _since
    cdef double _now
    cdef double _before

    cpdef object note(self, double seconds, double now)
    cpdef long milliseconds(self, double now) except -1
    cdef object _turn(self, double now)
