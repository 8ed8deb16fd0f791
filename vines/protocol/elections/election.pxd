from vines.protocol.elections cimport value as values
from vines.protocol.elections.criteria cimport Criteria
from vines.protocol.elections.decree cimport Decree, Effects, Record
from vines.protocol.elections.electorate cimport Electorate, bit
from vines.protocol.elections.messages cimport Decided, Promise, Vote, vote_of

cdef int ABSTAIN
cdef int LOST
cdef int NONE
cdef int PENDING
cdef int REFUSE
cdef long long NEVER
cdef int PROPOSING


cpdef object tally_of(Electorate electorate, Criteria criteria)


cdef class Election(Decree):
    cdef public Criteria criteria
    cdef public object _tally
    cdef public long long sequence
    cdef public object willing
    cdef public object dead
    cdef public object suspected
    cdef public object _agreeing
    cdef public dict _others
    cdef public unsigned char called
    cdef public unsigned char late

    cpdef object _votes(self)
    cpdef bint has_votes(self) except -1
    cpdef long long sequence_of(self, long rank) except -1
    cpdef Vote cast(self, int choice)
    cpdef Vote vote(self)
    cpdef bint heard_vote(self, long rank, Vote message) except -1
    cpdef object on_vote(self, long rank, Vote message, Effects out)
    cpdef bint _proposes(self) except -1
    cpdef object pass_deadline(self, Effects out)
    cpdef object call(self, Criteria criteria)
    cpdef object _recount(self, Criteria criteria)
    cpdef bint decided_by_votes(self) except -1
    cpdef bint is_agreed(self) except -1
    cpdef bint may_be_agreed(self) except -1
    cpdef bint differs(self, long rank) except -1
    cpdef object differing(self)
    cpdef object heard_criteria(self, long rank, bytes digest)
    cpdef long _owner(self)
    cpdef bytes _digest(self)
    cpdef object _note(self, long rank, bytes digest, bint willing)
    cpdef object _agree(self, long rank, bytes theirs, bytes mine)
    cpdef bint _counts(self, int choice) except -1
