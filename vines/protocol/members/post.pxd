from vines.protocol.machine cimport Outbox


cdef Py_ssize_t _VERSION_AT


cdef class Letter:
    cdef readonly bytes sender
    cdef readonly tuple source
    cdef readonly object token
    cdef readonly object word


cdef class Post:
    cdef dict __dict__
    cdef public bytes _cluster
    cdef public object _identity
    cdef public Outbox _outbox
    cdef public object _epoch
    cdef public unsigned long long _counter
    cdef public set _hosts
    cdef public object _in
    cdef public object _out
    cdef public object _rejected
    cdef public object _bytes_in
    cdef public object _bytes_out
