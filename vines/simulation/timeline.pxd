cimport cython

from vines._core.agenda cimport Agenda


cdef Py_ssize_t UNHASHED_MAX
cdef Py_ssize_t TAIL_LENGTH


cdef class Timeline:
    cdef readonly double now
    cdef readonly long long steps
    cdef Agenda _due
    cdef list _together
    cdef long long _order
    cdef object _hash
    cdef list _tail
    cdef list _unhashed
    cdef dict _words

    cpdef object push(self, double when, object action, tuple arguments)
    cpdef object next(self)
    @cython.locals(due=Agenda, taken=tuple, entry=tuple)
    cpdef object run(self, double until)
    @cython.locals(taken=tuple)
    cdef object _gather(self, tuple entry)
    cpdef object record(self, str what, str who, bytes data=*)
    @cython.locals(parts=list, words=bytes)
    cdef object _digest(self)
