cimport cython

from vines._core.pieces cimport begins, piece
from vines.protocol.elections.messages cimport Definition, Terms, defined


cdef tuple _BYTES
cdef int _LONGER
cdef int _ROUND_MAX
cdef int _SHORT
cdef int _SHORT_MAX


@cython.locals(about=bytes, terms=bytes, size=Py_ssize_t)
cpdef bytes pack_definition(Definition definition, bytes value=*)
@cython.locals(topic=bytes, size=Py_ssize_t, number="long long")
cdef bytes _pack_about(Definition definition)
cdef bytes _pack_terms(Terms terms)
@cython.locals(end=Py_ssize_t, at=Py_ssize_t)
cpdef Definition unpack_definition(bytes data)
@cython.locals(start=Py_ssize_t, size=Py_ssize_t)
cdef tuple _topic_of(bytes data)
cpdef Definition read_definition(object values)
cdef tuple _roll(object values)
