from vines.protocol.members.post cimport Post as _Post


cdef class Attempt:
    cdef public bytes member
    cdef public double asking_at
    cdef public double end
    cdef public dict tokens
    cdef public int asked
    cdef public set nacks


cdef class Probing:
    cdef dict __dict__
    cdef public object health
    cdef public object rounds
    cdef public object ring
    cdef public bint active
    cdef public long long failures
    cdef public long long streamed
    cdef public object _config
    cdef public object _rng
    cdef public _Post _post
    cdef public object _everybody
    cdef public object _address
    cdef public object _word
    cdef public object _stream
    cdef public object _failed
    cdef public double _next_due
    cdef public double _round_due
    cdef public dict _attempts
    cdef public dict _tokens
