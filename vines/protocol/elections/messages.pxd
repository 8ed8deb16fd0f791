from vines.protocol.elections.criteria cimport Criteria
from vines.protocol.elections.electorate cimport Voters
from vines.protocol.elections.facts cimport Facts, Known


cdef class Said(Facts):
    pass


cdef int FEW


cdef class Followed(Known):
    cdef Criteria _criteria
    cdef bytes _ending
    cdef Voters _voters
    cdef readonly object attempt
    cdef readonly bytes coordinator
    cdef public bytes packed
    cdef readonly tuple passing


cdef class Terms(Followed):
    cdef readonly tuple roll
    cdef readonly bytes signup
    cdef readonly long long council
    cdef readonly bint tiebreak
    cdef readonly tuple choices
    cdef readonly long long least
    cdef readonly bint plurality
    cdef readonly long long remaining_ms

    cpdef Criteria criteria(self)
    cpdef Voters voters(self)
    cpdef bytes ending(self, long long round)


cdef class Definition(Said):
    cdef readonly str topic
    cdef readonly long long round
    cdef readonly Terms terms


cdef class Sign(Said):
    cdef readonly Definition definition


cdef class Cancel(Said):
    pass


cdef class Unknown(Said):
    pass


cdef class Vote(Said):
    cdef readonly long long sequence
    cdef readonly int choice
    cdef readonly bytes digest
    cdef readonly bint willing


cdef class Signed(Said):
    cdef readonly Vote vote


cdef class Formed(Said):
    cdef readonly long long sequence


cdef class VoteAck(Said):
    cdef readonly long long sequence


cdef class Prepare(Said):
    cdef readonly long long ballot


cdef class Promise(Said):
    cdef readonly long long ballot
    cdef readonly long long accepted
    cdef readonly bytes value
    cdef readonly tuple votes
    cdef readonly bytes digest
    cdef readonly bint willing


cdef class Accept(Said):
    cdef readonly long long ballot
    cdef readonly bytes value
    cdef readonly bint fresh


cdef class Accepted(Said):
    cdef readonly long long ballot
    cdef readonly bytes digest


cdef class Nack(Said):
    cdef readonly long long ballot
    cdef readonly long long promised
    cdef readonly bint conflict


cdef class Refusal(Said):
    pass


cdef class Decided(Said):
    cdef readonly bytes value
