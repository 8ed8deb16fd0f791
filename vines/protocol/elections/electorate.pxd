cimport cython

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


cdef tuple _last_begun
@cython.locals(last=tuple, text=bytes)
cpdef bytes id_with(bytes namespace, str topic, bytes ending)


cdef class Strength(Facts):
    cdef readonly object roll
    cdef readonly long acceptors
    cdef readonly tuple strengths
    cdef readonly long long half


cdef class Voters(Facts):
    cdef readonly tuple names
    cdef readonly dict weights
    cdef readonly Strength equal


cdef class Electorate:
    cdef public tuple voters
    cdef public Strength shared
    cdef public dict _ranks

    cpdef object _stand(self, tuple order, Strength shared)
    cpdef long rank(self, bytes voter)
    cpdef bint is_quorum(self, long long strength)
    cpdef bint is_lost_without(self, object ranks)
    cpdef long long strength(self, object ranks)


cdef dict _electorates
@cython.locals(order=tuple, shared=Strength, known=Electorate, made=Electorate)
cpdef Electorate among(
    bytes iid, Voters voters, bytes first, long long council, bint tiebreak
)
cdef Strength _shared(Voters voters, tuple order, long long council, bint tiebreak)
cdef tuple _last_equal
@cython.locals(last=tuple)
cpdef tuple equal_roll(frozenset voters)
