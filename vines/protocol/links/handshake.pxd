cdef class Handshake:
    cdef public object serial
    cdef public object refusals
    cdef public object _identity
    cdef public object _clock
    cdef public object _outbox
    cdef public bytes _cluster
    cdef public dict _told

    cpdef unsigned long long stamp_limit(self) except? 0
