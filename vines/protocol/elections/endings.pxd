cimport cython

from vines._core.pieces cimport begins
from vines.protocol.elections.asked cimport Asked
from vines.protocol.elections.callers cimport Callers
from vines.protocol.elections.election cimport Election
from vines.protocol.elections.electorate cimport Electorate
from vines.protocol.elections.keeping cimport Keeping
from vines.protocol.elections.matter cimport Matter
from vines.protocol.elections.messages cimport Definition
from vines.protocol.elections.office cimport Office
from vines.protocol.elections.outcomes cimport Decision, Outcomes, decision_of, outcome_of
from vines.protocol.elections.published cimport Published
from vines.protocol.elections.records cimport decision_key, read_decision_key
from vines.protocol.elections.signup cimport id_of
from vines.protocol.elections.voters cimport Who
from vines.protocol.machine cimport Outbox

cdef double inf
cdef int PROPOSING


cdef class Endings:
    cdef public Office _office
    cdef public Outbox _outbox
    cdef public Outcomes _outcomes
    cdef public dict _matters
    cdef public dict _elections
    cdef public Who _who
    cdef public Callers _callers
    cdef public Asked _asked
    cdef public object _disputes
    cdef public Published _published
    cdef public Keeping _keeping
    cdef public list interrupted
    cdef public list decided
    cdef public object _unseen
    cdef public object _left

    @cython.locals(matter=Matter, definition=Definition, decision=Decision)
    cpdef object learn(self, bytes about, bytes record, bint at_once=*)
    @cython.locals(value=bytes, bound=bytes)
    cpdef bint _waits_for_disk(self, Matter matter, bytes record) except -1
    cpdef object _look_again(self, tuple key)
    @cython.locals(before=Decision)
    cpdef object tell(self, Decision decision, Electorate electorate=*)
    cpdef bint _is_owed(self, Matter matter) except -1
    @cython.locals(matter=Matter, known=Decision)
    cpdef object close(self, tuple key)
    @cython.locals(part=Election, here=bint)
    cpdef object settled(self, Matter matter, bytes value, bint fire, long long after)
    @cython.locals(part=Election, definition=Definition, decision=Decision)
    cpdef object settle(self, Matter matter, bytes value, bint fire, bint decided_here)
    cpdef object advance(self, double now)
    @cython.locals(due=double, first=double)
    cpdef double next(self) except? -1
