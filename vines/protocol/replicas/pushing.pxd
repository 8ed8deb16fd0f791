cimport cython

from vines._core.table cimport Table as _Table
from vines.protocol.links.links cimport Link as _Link
from vines.protocol.replicas.channel cimport Channel as _Channel
from vines.protocol.writing cimport Writing as _Writing


cdef class Pusher:
    cdef public Py_ssize_t _window
    cdef public Py_ssize_t _reserve
    cdef public _Table _control
    cdef public _Table _data
    cdef public long long _control_sequence
    cdef public long long _data_sequence
    cdef public _Writing _writing
    cdef public dict _ready

    cpdef object sent(self, _Link link)
    cpdef bint _is_plain(self, _Link link)
    cpdef Py_ssize_t _room(self, _Link link) except -1
    cpdef bint takes(self, _Link link)
    cpdef bint has_more(self)
    @cython.locals(
        link=_Link, channel=_Channel, writing=_Writing, control=bint, data=bint, changed=bint, written=int, room=bint,
        news=bytes, frame=bytes, control_sequence="long long", data_sequence="long long",
    )
    cpdef bint push(self, list links) except -1
