cpdef object bit(object rank)
cpdef bytes instance_id(
    bytes namespace,
    str topic,
    object round,
    object roll,
    bytes signup=*,
    object council=*,
    bint tiebreak=*,
)


cdef class Electorate:
    cdef public bytes iid
    cdef public object roll
    cdef public long long total
    cdef public tuple voters
    cdef public long acceptors
    cdef public tuple strengths
    cdef public long long _half
    cdef public dict _ranks

    cpdef long rank(self, bytes voter)
    cpdef bint is_quorum(self, long long strength)
    cpdef bint is_lost_without(self, object ranks)
    cpdef long long strength(self, object ranks)
