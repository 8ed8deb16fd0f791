cimport cython

from vines._core.agenda cimport Agenda
from vines._core.changes cimport Changes
from vines._core.pieces cimport begins
from vines.protocol.elections.callers cimport Callers, total_of
from vines.protocol.elections.delivery cimport Delivery
from vines.protocol.elections.election cimport Election
from vines.protocol.elections.electorate cimport Electorate
from vines.protocol.elections.matter cimport Call, Matter, Office
from vines.protocol.elections.messages cimport (
    Accepted,
    Decided,
    Definition,
    Formed,
    Refusal,
    Said,
    Sign,
    Signed,
    Terms,
    Unknown,
    Vote,
    defined,
)
from vines.protocol.elections.outcomes cimport Decision, Outcomes, decision_of, outcome_of
from vines.protocol.elections.records cimport decision_key, read_decision_key
from vines.protocol.elections.shelf cimport Part, Shelf
from vines.protocol.elections.signup cimport SignUp, electorate_of, id_of
from vines.protocol.elections.voters cimport Who
from vines.protocol.machine cimport Outbox
from vines.protocol.wire.ballot cimport pack, unpack

cdef double inf
cdef int CALL
cdef int _PASSED_MAX
cdef int DECISION
cdef int PROPOSING
cdef int TOMBSTONE
cdef int VOTE


cdef class Elections(Office):
    cdef public bytes me
    cdef public str failure
    cdef public bint listening
    cdef public object _control
    cdef public Outbox _outbox
    cdef public object _members
    cdef public Delivery _delivery
    cdef public frozenset _alive
    cdef public Who _who
    cdef public Shelf _shelf
    cdef public Callers _callers
    cdef public Outcomes _outcomes
    cdef public dict _matters
    cdef public dict _elections
    cdef public dict _rounds
    cdef public dict _seen
    cdef public dict _calls
    cdef public set _voted
    cdef public list _interrupted
    cdef public set _crowded
    cdef public list _decided
    cdef public object _unseen
    cdef public object _left
    cdef public dict _strays
    cdef public dict _early
    cdef public Agenda _due

    @cython.locals(matter=Matter, known=Decision)
    cpdef object call(self, str topic, Call call, double now)
    @cython.locals(matter=Matter)
    cpdef bint _calls_for(self, tuple key, long long later_than=*) except -1
    @cython.locals(matter=Matter, definition=Definition, deadline=double)
    cpdef object _begin(self, tuple key, Call call, double now)
    cpdef Matter _open(self, tuple key, Definition definition, long long total, double deadline)
    cpdef object _keep_choice(self, Matter matter, tuple before, tuple now)
    cpdef object _set_round(self, tuple key)
    cpdef object _require_disk(self)
    @cython.locals(matter=Matter)
    cpdef bint vote(self, str topic, int choice, double now) except -1
    cpdef object receive(self, bytes member, tuple ballots, double now)
    @cython.locals(matter=Matter, bound=bint)
    cpdef object _receive(self, bytes member, bytes election, Said said, double now)
    @cython.locals(matter=Matter, definition=Definition)
    cpdef object _receive_defined(self, bytes member, bytes election, Said said, double now)
    @cython.locals(matter=Matter)
    cpdef Matter _join(self, tuple key, bytes election, Definition definition, double now)
    @cython.locals(calls=dict, at=Py_ssize_t, family=int, flags=int)
    cpdef object learn(self, Changes changes, double now)
    cpdef Matter _of(self, bytes election)
    @cython.locals(matter=Matter, calls=frozenset)
    cpdef object _learn_calls(self, tuple about, object members, double now)
    @cython.locals(matter=Matter, when=double, before=bint)
    cpdef object advance(self, double now)
    @cython.locals(due=double, first=double)
    cpdef double deadline(self) except? -1
    @cython.locals(matter=Matter)
    cpdef object _look(self, tuple key, double now, frozenset calls=*)
    @cython.locals(signup=SignUp, callers=frozenset)
    cpdef object _look_at(self, Matter matter, double now, frozenset calls=*)
    cpdef object _count(self, tuple key, Matter matter, frozenset callers)
    cpdef object _clash(self, tuple key, str text)
    cpdef object _note(self, Matter matter, double now)
    cpdef object _schedule(self, Matter matter)
    @cython.locals(matter=Matter)
    cpdef object _drop_passed(self)
    @cython.locals(matter=Matter, definition=Definition, decision=Decision)
    cpdef object _learn_decision(self, bytes about, bytes record, bint at_once=*)
    @cython.locals(value=bytes, bound=bytes)
    cpdef bint _waits_for_disk(self, Matter matter, bytes record) except -1
    cpdef object _look_again(self, tuple key)
    @cython.locals(before=Decision)
    cpdef object _tell(self, Decision decision, Electorate electorate=*)
    cpdef bint _is_owed(self, Matter matter) except -1
    @cython.locals(matter=Matter, known=Decision)
    cpdef object _close(self, tuple key)
    cpdef object _say(self, bytes member, bytes election, Said said, long long after)
    @cython.locals(part=Election, definition=Definition, decision=Decision)
    cpdef object _settle(self, Matter matter, bytes value, bint fire, bint decided_here)


cdef bint _same_voters(Terms these, Terms those) except -1
