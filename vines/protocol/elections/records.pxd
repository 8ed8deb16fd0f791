cimport cython

from vines._core.pieces cimport begins, piece
from vines.protocol.elections.messages cimport Definition
from vines.protocol.wire.definition cimport pack_definition

cdef int ID_BYTES
cdef unsigned long long NUMBER_MAX
cdef long long _LATEST
cdef int _ROUND_BYTES
cdef int _TOTAL_BYTES

cpdef bytes call_key(bytes member, tuple key)
cpdef tuple read_call(bytes key, bytes value)
cpdef bytes call_value(long long total)
cpdef bytes decision_key(tuple key)
cpdef tuple read_decision_key(bytes key)
cpdef bytes pack_decision(bytes election, Definition definition, bytes value)
cpdef long long decision_stamp(bytes election) except -1
@cython.locals(start=Py_ssize_t, number="unsigned long long")
cdef tuple _read_about(bytes key, Py_ssize_t at)
@cython.locals(at=Py_ssize_t, number="unsigned long long")
cdef unsigned long long _number(bytes data, Py_ssize_t start, Py_ssize_t end) except? 0
