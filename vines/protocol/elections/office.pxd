from vines.protocol.elections.messages cimport Said, Vote
from vines.protocol.elections.pacing cimport Pace


cdef class Office:
    cdef public bytes namespace
    cdef public double now
    cdef public object rng
    cdef public object boot
    cdef public Pace pace
    cdef public frozenset suspects

    cpdef object say(
        self, object matter, bytes voter, bytes election, Said said, long long after
    )
    cpdef object publish(self, bytes voter, bytes election, Vote vote)
    cpdef object bound(self, object matter, bytes election)
    cpdef object released(self, object matter, bytes election)
    cpdef long long keep(self, object matter, bint can_wait=*) except? -1
    cpdef object settled(self, object matter, bytes value, bint fire, long long after)
    cpdef object suspected(self, object matter, str text)
