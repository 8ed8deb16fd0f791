cimport cython

from vines._core.changes cimport Changes
from vines.protocol.elections.asked cimport Asked
from vines.protocol.elections.callers cimport Callers, total_of
from vines.protocol.elections.delivery cimport Delivery
from vines.protocol.elections.endings cimport Endings
from vines.protocol.elections.keeping cimport Keeping
from vines.protocol.elections.matter cimport Matter
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
)
from vines.protocol.elections.office cimport Office
from vines.protocol.elections.outcomes cimport Decision, Outcomes
from vines.protocol.elections.published cimport Published
from vines.protocol.elections.schedule cimport Schedule
from vines.protocol.elections.shelf cimport Part
from vines.protocol.elections.signup cimport SignUp, electorate_of, id_of
from vines.protocol.elections.voters cimport Who
from vines.protocol.machine cimport Outbox

cdef double inf
cdef int CALL
cdef int DECISION
cdef int TOMBSTONE
cdef int VOTE


cdef class Matters(Office):
    cdef public bytes me
    cdef public str failure
    cdef public bint listening
    cdef public Outbox _outbox
    cdef public object _members
    cdef public Delivery _delivery
    cdef public frozenset _alive
    cdef public Callers _callers
    cdef public object _disputes
    cdef public Who _who
    cdef public Outcomes _outcomes
    cdef public Keeping _keeping
    cdef public Asked _asked
    cdef public Published _published
    cdef public dict _matters
    cdef public dict _elections
    cdef public object _released
    cdef public Schedule _schedule
    cdef public Endings _endings
    cdef public long long _heard
    cdef public double _counted

    cpdef Matter _open(self, tuple key, Definition definition, long long total, double deadline)
    cpdef object _keep_choice(self, Matter matter, tuple before, tuple now)
    cpdef object receive(self, bytes member, tuple ballots, double now)
    @cython.locals(matter=Matter, bound=bint)
    cpdef object _receive(self, bytes member, bytes election, Said said, double now)
    @cython.locals(matter=Matter, definition=Definition)
    cpdef object _receive_defined(self, bytes member, bytes election, Said said, double now)
    @cython.locals(matter=Matter)
    cpdef Matter _join(self, tuple key, bytes election, Definition definition, double now)
    cpdef bint _has_room(self, long long voters, double now) except -1
    @cython.locals(calls=dict, at=Py_ssize_t, family=int, flags=int)
    cpdef object learn(self, Changes changes, double now)
    cpdef Matter _of(self, bytes election)
    @cython.locals(matter=Matter, calls=frozenset)
    cpdef object _learn_calls(self, tuple about, object members, double now)
    @cython.locals(matter=Matter, before=bint)
    cpdef object advance(self, double now)
    @cython.locals(due=double, ending=double)
    cpdef double deadline(self) except? -1
    @cython.locals(matter=Matter)
    cpdef object _look(self, tuple key, double now, frozenset calls=*)
    @cython.locals(signup=SignUp, callers=frozenset)
    cpdef object _look_at(self, Matter matter, double now, frozenset calls=*)
    cpdef object _note(self, Matter matter, double now)
    @cython.locals(matter=Matter, election=bytes, vote=Vote)
    cpdef object _learn_vote(self, bytes about, bytes packed, bytes origin, double now)
    cpdef object _say(self, bytes member, bytes election, Said said, long long after)


cpdef bint same_voters(Terms these, Terms those) except -1
