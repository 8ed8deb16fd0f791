from vines.protocol.elections.messages cimport Definition, Terms


cpdef bytes pack_definition(Definition definition, bytes value=*)
cdef bytes _pack_about(Definition definition)
cpdef Definition unpack_definition(bytes data)
cdef tuple _topic_of(bytes data)
cpdef Definition read_definition(object values)
cdef tuple _roll(object values)
