cimport cython

from vines.protocol.elections.records cimport call_key, call_value, read_call

cdef int TOMBSTONE


cdef class Callers:
    cdef public bytes _me
    cdef public object _control
    cdef public long long _calls
    cdef public dict _known
    cdef public frozenset _before
    cdef public frozenset _after
    cdef public bytes _member
    cdef public long long _total
    cdef public tuple _one
    cdef public frozenset _calling
    cdef public long long _among
    cdef public frozenset _alive
    cdef public frozenset _found

    cpdef object announce(self, tuple key, long long total)
    @cython.locals(about=tuple, member=bytes, said="long long", one=tuple)
    cpdef object read(self, bytes key, bytes value, int flags, dict calls)
    @cython.locals(known=frozenset, after=frozenset, one=tuple)
    cpdef frozenset note(self, tuple key, object calls)
    cpdef frozenset _with_one(self, frozenset known, bytes member, long long total)
    cpdef object _set(self, tuple key, frozenset callers)
    cpdef frozenset candidates(self, frozenset known, long long total, frozenset alive)
    cpdef object forget(self, tuple key)
    cpdef frozenset of(self, tuple key)
    cpdef frozenset others(self, tuple key, long long total, frozenset alive)


cpdef long long total_of(bytes member, object calls) except -1
