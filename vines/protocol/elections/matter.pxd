from vines.protocol.elections.criteria cimport Criteria
from vines.protocol.elections.decree cimport Effects, Record
from vines.protocol.elections.election cimport Election
from vines.protocol.elections.facts cimport Facts
from vines.protocol.elections.messages cimport (
    Accepted,
    Decided,
    Definition,
    Formed,
    Nack,
    Promise,
    Said,
    Terms,
    Vote,
    VoteAck,
)
from vines.protocol.elections.electorate cimport Electorate, bit
from vines.protocol.elections.pacing cimport Pace, Pacer
from vines.protocol.elections.signup cimport (
    Enrolment,
    SignUp,
    Surroundings,
    electorate_of,
    id_of,
)
from vines.protocol.elections.topic cimport receive as hear

cdef double inf
cdef long long NEVER
cdef int IDLE
cdef int PROPOSING


cdef class Call:
    cdef readonly Criteria criteria
    cdef readonly long long total
    cdef readonly double seconds
    cdef readonly tuple roll
    cdef readonly long long council
    cdef readonly bint tiebreak

    cdef public Terms _terms

    cpdef Terms terms(self)


cdef class Office:
    cdef public bytes namespace
    cdef public double now
    cdef public object rng
    cdef public object boot
    cdef public Pace pace
    cdef public frozenset suspects

    cpdef object say(
        self, Matter matter, bytes voter, bytes election, Said said, long long after
    )
    cpdef object publish(self, bytes voter, bytes election, Vote vote)
    cpdef object bound(self, Matter matter, bytes election)
    cpdef object released(self, Matter matter, bytes election)
    cpdef long long keep(self, Matter matter, bint can_wait=*) except? -1
    cpdef object settled(self, Matter matter, bytes value, bint fire, long long after)
    cpdef object suspected(self, Matter matter, str text)


cdef class Matter(Surroundings):
    cdef public tuple key
    cdef public Call asked
    cdef public double deadline
    cdef public SignUp signup
    cdef public Pacer pacer
    cdef public object choice
    cdef public bytes value
    cdef public double scheduled
    cdef public dict members
    cdef public frozenset _told
    cdef public dict _defined
    cdef public Office _office
    cdef public double _repeat_at
    cdef public double _paused
    cdef public frozenset _alive
    cdef public int _repeats
    cdef public unsigned char listening
    cdef public unsigned char queued
    cdef public unsigned char told
    cdef public unsigned char told_timeout
    cdef public unsigned char voted
    cdef public unsigned char finished
    cdef public unsigned char published
    cdef public unsigned char _asks

    cpdef Election begin(self, bytes election, Definition definition, Record record=*)
    cpdef object call(self, Call call, double deadline)
    cpdef object take(self)
    cpdef bint vote(self, int choice, double now) except -1
    cpdef object consider(self, frozenset candidates, frozenset alive, double now)
    cpdef object listen(self, bint wanted)
    cpdef object met(self, bytes member, double now)
    cpdef bint _is_among(self, object members) except -1
    cpdef object _leave_what_is_dead(self, Election election, object dead)
    cpdef object receive(self, bytes sender, bytes election, Said said, double now)
    cpdef object forgotten(self, bytes voter, double now)
    cpdef object conclude(self, bytes election, bytes value)
    cpdef object advance(self, double now)
    cpdef double due(self) except? -1
    cpdef object _go_on(self, double now)
    cpdef bint _waits(self, Election part) except -1
    cpdef Pacer _pacer_of(self, Election part, double now)
    cpdef double _pause(self) except? -1


cdef object _dead(Election election, frozenset alive)
