from vines.protocol.elections.electorate cimport Electorate
from vines.protocol.elections.messages cimport Definition
from vines.protocol.elections.records cimport decision_key
from vines.protocol.elections.signup cimport electorate_of


cdef class Outcomes:
    cdef public object _control
    cdef public dict _last

    cpdef object of(self, str topic)
    cpdef bint covers(self, tuple key) except -1
    cpdef bint knows(self, tuple key, bytes election) except -1
    cpdef bint settle(self, object outcome) except -1
    cpdef bint note(self, object outcome) except -1
    cpdef object publish(self, bytes election, Definition definition, bytes value)
    cpdef object withdraw(self, tuple key)
    cpdef tuple value(self, tuple key)
    cpdef bytes _held(self, tuple key)


cpdef object outcome_of(
    Definition definition, bytes election, bytes value, Electorate electorate=*
)
