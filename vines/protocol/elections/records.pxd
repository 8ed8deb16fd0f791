cimport cython


cpdef bytes call_key(bytes member, tuple key)
cpdef tuple read_call(bytes key, bytes value)
cpdef bytes call_value(long long total)
cpdef bytes decision_key(tuple key)
cpdef tuple read_decision_key(bytes key)
@cython.locals(at=Py_ssize_t)
cdef unsigned long long _number(bytes data, Py_ssize_t size) except? 0
