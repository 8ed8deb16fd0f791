from vines.protocol.machine cimport Outbox
from vines.protocol.members.answering cimport Answering as _Answering
from vines.protocol.members.post cimport Post as _Post
from vines.protocol.members.probing cimport Probing as _Probing


cdef class World:
    cdef public object candidates
    cdef public object dial
    cdef public object heard
    cdef public object stream
    cdef public object bury
    cdef public object differs
    cdef public object meet
    cdef public object suspected


cdef class Detector:
    cdef dict __dict__
    cdef public object suspicion
    cdef public object accusations
    cdef public _Probing probing
    cdef public long long ignored
    cdef public object _identity
    cdef public object _members
    cdef public object _control
    cdef public Outbox _outbox
    cdef public _Post _post
    cdef public _Answering _answering
    cdef public World _world
    cdef public object _reaches
    cdef public dict _lags
