from vines.protocol.elections.facts cimport Known


cdef class Criteria(Known):
    cdef readonly tuple choices
    cdef readonly long long least
    cdef readonly bint plurality

    cpdef int winnable(self)
    cpdef str label(self, int choice)
    cpdef bytes digest(self)
