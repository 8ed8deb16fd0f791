from vines._core.table cimport Table as _Table


cdef class Collecting:
    cdef public object rounds
    cdef public object complete
    cdef public double _interval
    cdef public bytes _id
    cdef public object _clock
    cdef public _Table _control
    cdef public _Table _data
    cdef public object _members
    cdef public bytes _source
    cdef public object _stamp
    cdef public object _mine
    cdef public object _cut
    cdef public object _passed
    cdef public double _again
    cdef public double _doubt
    cdef public object _pass
    cdef public object _waited
    cdef public bint _behind
    cdef public double _phase
    cdef public double _pause
    cdef public double _begin
    cdef public double _look

    cpdef double due(self) except? -1.0
