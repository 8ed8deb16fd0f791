from vines.protocol.elections.facts cimport Facts


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


cdef class Strength(Facts):
    cdef readonly object roll
    cdef readonly long acceptors
    cdef readonly tuple strengths
    cdef readonly long long half


cdef class Electorate:
    cdef public tuple voters
    cdef public Strength shared
    cdef public dict _ranks

    cpdef long rank(self, bytes voter)
    cpdef bint is_quorum(self, long long strength)
    cpdef bint is_lost_without(self, object ranks)
    cpdef long long strength(self, object ranks)
