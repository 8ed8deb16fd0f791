from vines.protocol.elections.ballots cimport rank_of
from vines.protocol.elections.decree cimport Effects
from vines.protocol.elections.election cimport Election
from vines.protocol.elections.electorate cimport bit
from vines.protocol.elections.messages cimport Vote, VoteAck

cdef double inf
cdef long long FIRST
cdef long long NEVER
cdef int HOLDING
cdef int IDLE


cdef class Pace:
    cdef public double _smoothed
    cdef public double grace
    cdef public double retry
    cdef public double rtt
    cdef public double take


cdef class Pacer:
    cdef public Election election
    cdef public double deadline
    cdef public Pace pace
    cdef public object _rng
    cdef public Vote _vote
    cdef public double _vote_at
    cdef public long _vote_ranks
    cdef public long _vote_said
    cdef public object _acked
    cdef public double _due
    cdef public long _attempt
    cdef public long _failures
    cdef public long long _given_up
    cdef public long long _seen_promised
    cdef public long long _seen_accepted
    cdef public bint standing
    cdef public bint timed_out
    cdef public int _seen_phase

    cpdef bint cast(self, int choice, double now, Effects out) except -1
    cpdef Vote cast_early(self, int choice)
    cpdef object stand(self, double now)
    cpdef bint held(self, long rank, long long sequence) except -1
    cpdef object acknowledged(self, long rank, VoteAck said, double now, Effects out)
    cpdef object say_again(self, long rank, double now, Effects out)
    cpdef object _say_vote(self, double now, Effects out)
    cpdef object _say_on(self, double now, Effects out)
    cpdef list _unheard(self)
    cpdef list _lowest(self, long count)
    cpdef object look(self, double now, Effects out)
    cpdef bint _wants(self) except -1
    cpdef bint _could_propose(self) except -1
    cpdef object _before(self)
    cpdef double _wait(self) except? -1
    cpdef object _begin(self, double now, Effects out)
    cpdef object answered_late(self, long long ballot)
    cpdef object failed(self, double now, Effects out)
    cpdef object _fail(self)
    cpdef object advance(self, double now, Effects out)
    cpdef double next(self) except? -1
    cpdef object lost(self, object dead, double now, Effects out)
    cpdef object suspect(self, object suspected, double now, Effects out)
    cpdef object _see(self)
