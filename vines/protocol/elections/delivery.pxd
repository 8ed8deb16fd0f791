cimport cython

from vines.protocol.elections.messages cimport Said
from vines.protocol.machine cimport Outbox
from vines.protocol.wire.ballot cimport pack

cdef int HELD_BYTES


cdef class Delivery:
    cdef public Outbox _outbox
    cdef public object _send
    cdef public long long _held
    cdef public dict _holding
    cdef public bytes _about
    cdef public bytes _packed
    cdef public Said _said

    cpdef object say(self, bytes member, bytes election, Said said, long long after)
    @cython.locals(size=Py_ssize_t, held=list)
    cpdef object _hold(self, bytes member, bytes packed, long long after)
    @cython.locals(member=bytes, packed=bytes)
    cpdef object _let_go(self, long long ticket)
    cpdef object stop(self)
