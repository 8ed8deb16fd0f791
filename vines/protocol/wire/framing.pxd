cimport cython

from vines._core.pieces cimport framed, number4, piece


cdef class Framer:
    cdef bytearray _buffer
    cdef Py_ssize_t _wanted
    cdef Py_ssize_t _cap
    cdef public bint partial

    @cython.locals(
        source=bytes, frames=list, length=Py_ssize_t, position=Py_ssize_t, size=Py_ssize_t,
        start=Py_ssize_t,
    )
    cpdef list feed(self, bytes data)


cpdef bytes frame(int kind, bytes payload)
