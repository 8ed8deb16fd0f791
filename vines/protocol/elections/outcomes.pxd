cimport cython

from vines._core.pieces cimport begins
from vines.protocol.elections cimport value as values
from vines.protocol.elections.electorate cimport Electorate
from vines.protocol.elections.facts cimport Facts
from vines.protocol.elections.messages cimport Definition
from vines.protocol.elections.records cimport decision_key, decision_stamp, pack_decision
from vines.protocol.elections.signup cimport electorate_of
from vines.protocol.elections.value cimport fault


cdef class Decision(Facts):
    cdef readonly bytes election
    cdef readonly Definition definition
    cdef readonly bytes value

    cpdef tuple key(self)


@cython.locals(made=Decision)
cpdef Decision decision_of(bytes election, Definition definition, bytes value)


cdef class Outcomes:
    cdef public object _control
    cdef public dict _last

    cpdef object of(self, str topic)
    cpdef Decision last(self, str topic)
    cpdef bint covers(self, tuple key) except -1
    cpdef bint knows(self, tuple key, bytes election) except -1
    @cython.locals(known=Decision, value=bytes)
    cpdef bint is_in(self, str topic, bytes record) except -1
    cpdef bint settle(self, Decision decision) except -1
    cpdef bint note(self, Decision decision) except -1
    cpdef object publish(self, Decision decision)
    cpdef object withdraw(self, tuple key)
    cpdef Decision find(self, tuple key)
    cpdef bytes record(self, tuple key)


cpdef object outcome_of(Decision decision, Electorate electorate=*)
