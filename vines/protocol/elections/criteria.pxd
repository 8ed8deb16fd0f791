from vines.protocol.elections.facts cimport Known


cdef class Digested(Known):
    cdef bytes _digest


cdef class Criteria(Digested):
    cdef readonly tuple choices
    cdef readonly long long least
    cdef readonly bint plurality

    cpdef int winnable(self)
    cpdef str label(self, int choice)
    cpdef bytes digest(self)
