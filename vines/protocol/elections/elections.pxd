from vines.protocol.elections.callers cimport Callers
from vines.protocol.elections.matter cimport Matter, Office
from vines.protocol.elections.messages cimport (
    Decided,
    Definition,
    Formed,
    Refusal,
    Said,
    Sign,
    Signed,
    Unknown,
    Vote,
)
from vines.protocol.elections.voters cimport Who


cdef class Elections(Office):
    cdef public bytes me
    cdef public str failure
    cdef public bint listening
    cdef public bytes _namespace
    cdef public object _control
    cdef public object _outbox
    cdef public object _rng
    cdef public object _members
    cdef public object _send
    cdef public frozenset _alive
    cdef public object _boot
    cdef public Who _who
    cdef public object _shelf
    cdef public Callers _callers
    cdef public object _outcomes
    cdef public dict _matters
    cdef public dict _elections
    cdef public dict _rounds
    cdef public dict _seen
    cdef public dict _calls
    cdef public set _voted
    cdef public list _interrupted
    cdef public set _crowded
    cdef public list _unpublished
    cdef public dict _strays
    cdef public dict _early
    cdef public double _now
    cdef public list _due
    cdef public long long _held
    cdef public bytes _about
    cdef public bytes _packed
    cdef public Said _said

    cpdef object _receive(self, bytes member, bytes election, Said said, double now)
    cpdef object _receive_defined(self, bytes member, bytes election, Said said, double now)
    cpdef Matter _join(self, tuple key, bytes election, Definition definition, double now)
    cpdef Matter _open(self, tuple key, Definition definition, long long total, double deadline)
    cpdef object _keep_choice(self, Matter matter, tuple before, tuple now)
    cpdef object _set_round(self, tuple key)
    cpdef object _look(self, tuple key, double now)
    cpdef object _count(self, tuple key, Matter matter, frozenset callers)
    cpdef object _note(self, tuple key, Matter matter, double now)
    cpdef object _schedule(self, tuple key, Matter matter)
    cpdef bint _is_owed(self, Matter matter) except -1
    cpdef object _close(self, tuple key)
    cpdef object _say(self, bytes member, bytes election, Said said, long long after)
    cpdef object _settle(self, Matter matter, bytes value, bint fire, bint decided_here)
