from vines.protocol.elections.criteria cimport Criteria
from vines.protocol.elections.messages cimport Terms


cdef class Call:
    cdef readonly Criteria criteria
    cdef readonly long long total
    cdef readonly double seconds
    cdef readonly tuple roll
    cdef readonly long long council
    cdef readonly bint tiebreak

    cdef public Terms _terms

    cpdef Terms terms(self)
