cimport cython

from vines.protocol.elections.messages cimport Definition, Said, Terms
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
    cdef public bytes _defined
    cdef public bytes _definition
    cdef public Terms _terms

    @cython.locals(packed=bytes)
    cpdef object say(self, bytes member, bytes election, Said said, long long after)
    cpdef bytes _define(self, bytes election, Definition definition)
    @cython.locals(size=Py_ssize_t, held=list)
    cpdef object _hold(self, bytes member, bytes packed, long long after)
    @cython.locals(member=bytes, packed=bytes)
    cpdef object _let_go(self, long long ticket)
    cpdef object stop(self)
