cimport cython

from vines.protocol.elections.decree cimport Record
from vines.protocol.elections.facts cimport Facts
from vines.protocol.elections.messages cimport Definition
from vines.protocol.elections.records cimport decision_key
from vines.protocol.elections.signup cimport Enrolment
from vines.protocol.wire.definition cimport pack_definition


cdef class Part(Facts):
    cdef readonly Enrolment enrolment
    cdef readonly Record record
    cdef readonly bint finished


cdef class Shelf:
    cdef public bytes _parts
    cdef public bytes _rolls
    cdef public object _outbox
    cdef public dict _bound

    cpdef bint has_roll(self, tuple key, bytes election) except -1
    @cython.locals(place=tuple, bound=bytes, before=bytes)
    cpdef long long put(
        self, tuple key, Part part, Definition roll, bint can_wait=*
    ) except -1
    cpdef object remove(self, tuple key)


cpdef bytes pack_part(Part part)
@cython.locals(last=tuple)
cdef bytes _pack_passed(tuple passed)
cdef tuple _last_passed
