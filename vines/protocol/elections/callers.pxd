from vines.protocol.elections.records cimport call_key, call_value, read_call

cdef int TOMBSTONE


cdef class Callers:
    cdef public bytes _me
    cdef public object _control
    cdef public long long _calls
    cdef public dict _known

    cpdef object announce(self, tuple key, long long total)
    cpdef object read(self, bytes key, bytes value, int flags, dict calls)
    cpdef object note(self, tuple key, dict calls)
    cpdef object forget(self, tuple key)
    cpdef frozenset of(self, tuple key)
    cpdef frozenset others(self, tuple key, long long total, frozenset alive)
    cpdef bint anybody(self, tuple key) except -1
