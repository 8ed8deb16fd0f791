cimport cython

from vines._core.table cimport Table as _Table
from vines._core.pieces cimport begins
from vines.protocol.links.links cimport Link as _Link, Links as _Links
from vines.protocol.machine cimport Outbox
from vines.protocol.machinery cimport Machinery as _Machinery


cdef class Node:
    cdef dict __dict__
    cdef public object config
    cdef public object id
    cdef public Outbox outbox
    cdef public _Table control
    cdef public _Table data
    cdef public _Machinery _parts
    cdef public _Links _links
    cdef public dict _numbers
    cdef public double _due
    cdef public double _probes_due
    cdef public double _fullness
    cdef public bint _stale
    cdef public bint _probed

    @cython.locals(stream=_Link, parts=_Machinery, kind=int)
    cpdef object receive(self, bytes frame, object link, double now)
    cpdef object _heard(self, _Link stream, bytes frame, double now, bint silent)
    @cython.locals(stream=_Link)
    cpdef object sent(self, object link, Py_ssize_t count, double now)
    @cython.locals(parts=_Machinery, late=double, fullness=double, lapsed=bint)
    cpdef object advance(self, double now)
    @cython.locals(parts=_Machinery, due=double)
    cpdef object deadline(self)
