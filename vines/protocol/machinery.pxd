cimport cython

from vines._core.table cimport Table as _Table
from vines.protocol.links.handshake cimport Handshake as _Handshake
from vines.protocol.links.links cimport Link as _Link
from vines.protocol.machine cimport Outbox
from vines.protocol.members.answering cimport Answering as _Answering
from vines.protocol.members.detector cimport Detector as _Detector
from vines.protocol.members.lag cimport Lag as _Lag
from vines.protocol.members.post cimport Post as _Post
from vines.protocol.replicas.channel cimport Channel as _Channel
from vines.protocol.replicas.collecting cimport Collecting as _Collecting
from vines.protocol.replicas.pushing cimport Pusher as _Pusher
from vines.protocol.replicas.replication cimport Replication as _Replication
from vines.protocol.replicas.spreading cimport Spreading as _Spreading
from vines.protocol.traffic cimport Traffic as _Traffic
from vines.protocol.writing cimport Writing as _Writing


cdef class Machinery:
    cdef public double now
    cdef public bint stirred
    cdef public object _config
    cdef public object _rng
    cdef public object _clock
    cdef public tuple _tables
    cdef public _Table _control
    cdef public _Table _data
    cdef public Outbox _outbox
    cdef public object _memory
    cdef public _Traffic traffic
    cdef public object identity
    cdef public _Handshake handshake
    cdef public object linking
    cdef public _Pusher pusher
    cdef public _Replication replication
    cdef public _Spreading spreading
    cdef public object flushes
    cdef public object quotas
    cdef public _Lag lag
    cdef public _Post post
    cdef public _Answering answering
    cdef public _Detector detector
    cdef public object dialogue
    cdef public _Collecting collecting
    cdef public _Writing writing
    cdef public object elections
    cdef public object _mail
    cdef public object _read_ballots
    cdef public object patrol
    cdef public object agreement
    cdef public object retiring

    @cython.locals(control=_Table, data=_Table)
    cpdef object take(self, _Link link, bytes frame, double now)
    cpdef object hear(self, _Link link, bytes frame, double now)
    cpdef object elect_on(self, double now)
    @cython.locals(links=list, changed=bint)
    cpdef object spread(self, double now)
