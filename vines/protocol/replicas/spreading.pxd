cimport cython

from vines.protocol.links.links cimport Link as _Link
from vines.protocol.replicas.channel cimport Channel as _Channel


cdef class Spreading:
    cdef public double due
    cdef public object grafts
    cdef public object prunes
    cdef public double _interval
    cdef public Py_ssize_t _window
    cdef public object _rng
    cdef public tuple _tables
    cdef public object _wake
    cdef public bint _mesh
    cdef public double _announcing
    cdef public double _announceable
    cdef public tuple _gaps
    cdef public dict _slow

    @cython.locals(link=_Link, channel=_Channel)
    cpdef object changed(self, list links, double now)
