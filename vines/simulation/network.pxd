cimport cython

from vines.simulation.timeline cimport Timeline


cdef class Network:
    cdef public Timeline timeline
    cdef public object rng
    cdef public object counts
    cdef public object conditions
    cdef public dict hosts
    cdef public dict streams
    cdef public dict slow
    cdef public dict _blocked
    cdef public long long _numbers
    cdef object _arriving

    cpdef object count(self, str name)
    cpdef bint blocked(self, object source, object target) except -1
    cpdef double latency(self, object pipe) except -1
    cpdef double transfer_time(self, Py_ssize_t length) except -1
    @cython.locals(when=double, delay=double)
    cpdef object post(self, object source, tuple address, bytes data)
    cpdef object _arrive(self, object source, object target, bytes data)
    cpdef double _hop(self) except -1
