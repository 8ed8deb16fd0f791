cimport cython

from vines._core.changes cimport Changes as _Changes
from vines._core.table cimport Table as _Table
from vines.callbacks.backlog cimport Backlog as _Backlog, Batch as _Batch
from vines.callbacks.listeners cimport Audience as _Audience
from vines.callbacks.telling cimport Teller as _Teller


cdef class Dispatcher:
    cdef dict __dict__
    cdef public _Audience audience
    cdef public bint wants_keys
    cdef public object acted
    cdef public _Table _table
    cdef public long long _writes
    cdef public _Teller _teller
    cdef public object _name
    cdef public _Backlog _backlog
    cdef public object _events
    cdef public object _decisions
    cdef public Py_ssize_t _events_dropped
    cdef public object _replays
    cdef public object _settling
    cdef public Py_ssize_t _dropped
    cdef public object _lock
    cdef public object _thread
    cdef public object _bell
    cdef public bint _asleep
