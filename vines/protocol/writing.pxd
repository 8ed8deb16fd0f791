cimport cython

from vines.protocol.links.links cimport Link as _Link
from vines.protocol.machine cimport Outbox as _Outbox
from vines.protocol.replicas.channel cimport Channel as _Channel
from vines.protocol.traffic cimport Traffic as _Traffic


cdef class Writing:
    cdef public object dialogue
    cdef public double now
    cdef Py_ssize_t _bulk
    cdef _Outbox _outbox
    cdef _Traffic _traffic
    cdef dict _flushing
    cdef bytes _body
    cdef bytes _framed

    cpdef object write(self, _Link link, bytes frame)
    cpdef bytes frame(self, _Link link, bint room)
    @cython.locals(channel=_Channel, body=bytes)
    cpdef bytes news(self, _Link link)
    cpdef object forget(self)
    cpdef bint is_urgent(self, _Link link)
    @cython.locals(channel=_Channel)
    cdef _Channel _allow(self, _Link link)
