from vines._core.slots cimport named


cdef class Outbox:
    cdef readonly list _effects
    cdef dict _records
    cdef bint _pressing
    cdef readonly bint urgent
    cdef readonly dict _waiting
    cdef readonly long long _ticket
    cdef readonly long long _persisted

    cpdef object write(self, object link, bytes frame)
    cpdef object send(self, tuple address, bytes data)
    cpdef object dial(self, long long ticket, tuple address)
    cpdef object close(self, object link, str reason)
    cpdef object emit(self, object event)
    cpdef object act(self, object event)
