from vines.protocol.elections.messages cimport Definition, Terms


cpdef dict fields_of_definition(Definition definition)
cpdef Definition read_definition(object values)
cdef tuple _roll(object values)
