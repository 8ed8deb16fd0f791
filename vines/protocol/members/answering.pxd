from vines.protocol.members.lag cimport Lag as _Lag
from vines.protocol.members.post cimport Post as _Post


cdef class Relay:
    cdef public tuple asker
    cdef public object token
    cdef public bytes member
    cdef public double due
    cdef public bint known
    cdef public bint nacked


cdef class Answering:
    cdef dict __dict__
    cdef public double _timeout
    cdef public object _reaches
    cdef public object _identity
    cdef public tuple _tables
    cdef public object _members
    cdef public _Post _post
    cdef public _Lag _lag
    cdef public object _differs
    cdef public dict _relays
    cdef public bytes _prints
    cdef public bytes _digest
