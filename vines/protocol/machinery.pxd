from vines.protocol.machine cimport Outbox
from vines.protocol.members.answering cimport Answering as _Answering
from vines.protocol.members.detector cimport Detector as _Detector
from vines.protocol.members.lag cimport Lag as _Lag
from vines.protocol.members.post cimport Post as _Post
from vines.protocol.replicas.pushing cimport Pusher as _Pusher


cdef class Machinery:
    cdef dict __dict__
    cdef public double now
    cdef public bint stirred
    cdef public object _config
    cdef public object _rng
    cdef public object _clock
    cdef public tuple _tables
    cdef public object _control
    cdef public object _data
    cdef public Outbox _outbox
    cdef public object _memory
    cdef public object _body
    cdef public object _framed
    cdef public object traffic
    cdef public object identity
    cdef public object handshake
    cdef public object linking
    cdef public _Pusher pusher
    cdef public object replication
    cdef public object spreading
    cdef public object flushes
    cdef public object quotas
    cdef public _Lag lag
    cdef public _Post post
    cdef public _Answering answering
    cdef public _Detector detector
    cdef public object dialogue
    cdef public object elections
    cdef public object _mail
    cdef public object _read_ballots
    cdef public object patrol
