from vines.protocol.links.links cimport Link as _Link


cdef class Catching:
    cdef public _Link active
    cdef public int _table
    cdef public object _wake
    cdef public dict _waiting
    cdef public double _heard
    cdef public double _since

    cpdef object heard(self, _Link link, double now)
