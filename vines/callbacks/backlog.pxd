cimport cython

from vines._core.changes cimport Changes as _Changes


cdef class Batch:
    cdef public _Changes changes
    cdef public long long writes
    cdef public Py_ssize_t memory


cdef class Backlog:
    cdef public Py_ssize_t _keys_max
    cdef public object _arrived
    cdef public long long _bytes
    cdef public dict _merged
    cdef public Py_ssize_t _dropped
    cdef public object _lock

    cpdef bint waits(self)
    @cython.locals(batch=Batch)
    cpdef object add(self, _Changes changes, long long writes=*)
    @cython.locals(merged=dict, arrived=list, dropped=Py_ssize_t)
    cpdef tuple take(self)
