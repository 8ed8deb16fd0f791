from vines.protocol.elections.matter cimport Matter
from vines.protocol.elections.messages cimport Definition


cpdef bint is_named(bytes voter) except -1


cdef class Who:
    cdef public bytes _me
    cdef public str _name
    cdef public object _members
    cdef public object _disputes
    cdef public bint _durable
    cdef public bytes _voice
    cdef public tuple mine

    cpdef bytes speaks(self, Matter matter, bytes member, bint taking_part=*)
    cpdef bytes called(self, bytes member)
    cpdef bytes member(self, Matter matter, bytes voter)
