cimport cython

from vines.protocol.elections.decree cimport Record
from vines.protocol.elections.election cimport Election
from vines.protocol.elections.matter cimport Matter
from vines.protocol.elections.outcomes cimport Decision, Outcomes
from vines.protocol.elections.shelf cimport Part, Shelf
from vines.protocol.elections.signup cimport Enrolment, SignUp


cdef class Keeping:
    cdef public Shelf _shelf
    cdef public Outcomes _outcomes
    cdef public bint durable
    cdef public bint failed

    @cython.locals(signup=SignUp, election=Election, bound=bytes, record=Record, known=bint)
    cpdef long long keep(self, Matter matter, bint can_wait) except? -1
    cpdef object keep_foreign(self, Decision decision)
    cpdef object forget(self, tuple key)
    @cython.locals(known=Decision, held=Decision)
    cpdef bint keep_last(self, str topic) except -1
