cimport cython

from vines._core.changes cimport Changes as _Changes
from vines._core.slots cimport filled
from vines._core.table cimport Table as _Table
from vines.protocol.links.links cimport Link as _Link
from vines.protocol.machine cimport Outbox
from vines.protocol.replicas.catching cimport Catching as _Catching
from vines.protocol.replicas.channel cimport Channel as _Channel
from vines.protocol.replicas.spreading cimport Spreading as _Spreading


cdef class Replication:
    cdef public bint watching
    cdef public object joined
    cdef public object agrees
    cdef public object unlike
    cdef public object joins
    cdef public object _joins
    cdef public _Spreading spreading
    cdef public _Catching catching
    cdef public object exchanges
    cdef public object visits
    cdef public long long pulls
    cdef public object _config
    cdef public object _rng
    cdef public tuple _tables
    cdef public Outbox _outbox
    cdef public object _wake
    cdef public object _links
    cdef public object _visit
    cdef public bint _polling
    cdef public double _comparing
    cdef public double _compared_at
    cdef public object _differing
    cdef public object _stranger
    cdef public object _stranger_at
    cdef public long long _agreed
    cdef public long long _comparisons
    cdef public bint _synced
    cdef public bint _state_conflict

    @cython.locals(channel=_Channel, changes=_Changes)
    cpdef object take(self, _Link link, bytes frame, double now, unsigned long long limit)
    @cython.locals(table=_Table, refused=list)
    cpdef object _apply(
        self, _Link link, _Channel channel, bytes body, Py_ssize_t offset, unsigned long long limit,
        _Changes changes, double now)
