from vines.protocol.machine cimport Outbox
from vines.protocol.machinery cimport Machinery as _Machinery


cdef class Node:
    cdef dict __dict__
    cdef public object config
    cdef public object id
    cdef public Outbox outbox
    cdef public object control
    cdef public object data
    cdef public _Machinery _parts
    cdef public object _links
    cdef public dict _numbers
    cdef public double _due
    cdef public double _probes_due
    cdef public double _fullness
    cdef public bint _stale
    cdef public bint _probed
