cimport cython

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
    cdef int _can_win
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
    cpdef bint can_win(self) except -1
    cpdef Voters voters(self)
    cpdef bytes ending(self, long long round)


@cython.final
cdef class Definition(Said):
    cdef readonly str topic
    cdef readonly long long round
    cdef readonly Terms terms


@cython.final
cdef class Sign(Said):
    cdef readonly Definition definition


@cython.final
cdef class Cancel(Said):
    pass


@cython.final
cdef class Unknown(Said):
    pass


@cython.final
cdef class Vote(Said):
    cdef readonly long long sequence
    cdef readonly int choice
    cdef readonly bytes digest
    cdef readonly bint willing


@cython.final
cdef class Signed(Said):
    cdef readonly Vote vote


@cython.final
cdef class Formed(Said):
    cdef readonly long long sequence


@cython.final
cdef class VoteAck(Said):
    cdef readonly long long sequence
    cdef readonly bytes digest


@cython.final
cdef class Prepare(Said):
    cdef readonly long long ballot


@cython.final
cdef class Promise(Said):
    cdef readonly long long ballot
    cdef readonly long long accepted
    cdef readonly bytes value
    cdef readonly tuple votes
    cdef readonly bytes digest
    cdef readonly bint willing


@cython.final
cdef class Accept(Said):
    cdef readonly long long ballot
    cdef readonly bytes value
    cdef readonly bint fresh


@cython.final
cdef class Accepted(Said):
    cdef readonly long long ballot
    cdef readonly bytes digest


@cython.final
cdef class Nack(Said):
    cdef readonly long long ballot
    cdef readonly long long promised
    cdef readonly bint conflict


@cython.final
cdef class Refusal(Said):
    pass


@cython.final
cdef class Decided(Said):
    cdef readonly bytes value


@cython.locals(made=Definition)
cpdef Definition defined(str topic, long long round, Terms terms)
@cython.locals(made=Vote)
cpdef Vote vote_of(long long sequence, int choice, bytes digest, bint willing)
@cython.locals(made=Sign)
cpdef Sign sign_of(Definition definition)
@cython.locals(made=Signed)
cpdef Signed signed_with(Vote vote)
@cython.locals(made=Accept)
cpdef Accept accept_of(long long ballot, bytes value, bint fresh)
@cython.locals(made=Accepted)
cpdef Accepted accepted_of(long long ballot, bytes digest)
@cython.locals(made=Decided)
cpdef Decided decided_of(bytes value)
