cimport cython

from vines._core.changes cimport Changes as _Changes
from vines._core.table cimport Table as _Table
from vines.callbacks.listeners cimport Audience as _Audience, Hearers, Listener


cdef class Teller:
    cdef public _Audience audience
    cdef public bint stopped
    cdef public Py_ssize_t told
    cdef public Py_ssize_t failed
    cdef public Py_ssize_t superseded
    cdef public Py_ssize_t unreadable
    cdef public _Table _table
    cdef public set _sources
    cdef public dict _complained

    cpdef object event(self, object event)
    cpdef object tell_one(self, Listener listener, object event)
    @cython.locals(last=Py_ssize_t, current=_Changes)
    cpdef object changes(self, _Changes changes, long long writes=*, Py_ssize_t start=*, object stop=*)
    @cython.locals(events=list)
    cpdef object _tell(self, _Changes changes, Py_ssize_t start, Py_ssize_t stop, Listener listener=*)
    cpdef object _call(self, Listener listener, object argument)


@cython.locals(
    audience=_Audience, gossip=Hearers, delete=Hearers, lapse=Hearers, hearers=Hearers, listeners=tuple,
    listener=Listener, told=Py_ssize_t,
)
cdef object _tell_each(Teller teller, list events, tuple only)
