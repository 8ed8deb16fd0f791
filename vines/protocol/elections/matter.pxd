from vines.protocol.elections.call cimport Call
from vines.protocol.elections.decree cimport Effects, Record
from vines.protocol.elections.election cimport Election
from vines.protocol.elections.messages cimport (
    Accepted,
    Decided,
    Definition,
    Formed,
    Nack,
    Promise,
    Said,
    Vote,
    VoteAck,
)
from vines.protocol.elections.electorate cimport Electorate, bit
from vines.protocol.elections.office cimport Office
from vines.protocol.elections.pacing cimport Pacer
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
    cdef public set _told
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
