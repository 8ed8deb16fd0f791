cimport cython

from vines._core.agenda cimport Agenda
from vines.protocol.elections.matter cimport Matter

cdef double inf
cdef int _PASSED_MAX


cdef class Schedule:
    cdef public dict _matters
    cdef public Agenda _due

    @cython.locals(due=double)
    cpdef object put(self, Matter matter)
    @cython.locals(entry=tuple, when=double, matter=Matter)
    cpdef Matter take(self, double now)
    cpdef double next(self) except? -1
    @cython.locals(matter=Matter)
    cpdef object _drop_passed(self)
