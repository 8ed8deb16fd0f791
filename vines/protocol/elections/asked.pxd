from vines.protocol.elections.call cimport Call


cdef class Asked:
    cdef public dict _rounds
    cdef public dict _seen
    cdef public dict _calls
    cdef public set _voted
    cdef public dict _early

    cpdef object round(self, str topic)
    cpdef object enter(self, tuple key)
    cpdef object see(self, tuple key)
    cpdef Call call(self, str topic)
    cpdef object called(self, str topic, Call call)
    cpdef object take_vote(self, str topic)
    cpdef object voted(self, tuple key)
    cpdef bint has_voted(self, tuple key) except -1
    cpdef object forget(self, tuple key)
