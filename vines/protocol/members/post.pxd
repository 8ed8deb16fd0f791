cimport cython

from vines.protocol.machine cimport Outbox
from vines.protocol.wire.datagram cimport pack, unpack
from vines.protocol.wire.probe cimport decode_word


cdef Py_ssize_t _VERSION_AT
cdef Py_ssize_t HEAD_BYTES
cdef unsigned long long TOKEN_MASK


cdef class Letter:
    cdef readonly bytes sender
    cdef readonly tuple source
    cdef readonly object token
    cdef readonly object word


cdef class Post:
    cdef dict __dict__
    cdef public bytes _cluster
    cdef public object _identity
    cdef public bytes _own
    cdef public Outbox _outbox
    cdef public object _epoch
    cdef public unsigned long long _counter
    cdef public set _hosts
    cdef public list _in
    cdef public list _out
    cdef public list _bytes_in
    cdef public list _bytes_out
    cdef public object _rejected

    @cython.locals(data=bytes, kind=int)
    cpdef object send(self, tuple address, object word)
    @cython.locals(kind=int)
    cpdef object open(self, bytes data, tuple source)
    @cython.locals(kind=int, sender=bytes, payload=bytes, tag=bytes)
    cpdef object _open(self, bytes data, tuple source)
    cpdef bint _is_host(self, tuple source) except -1
