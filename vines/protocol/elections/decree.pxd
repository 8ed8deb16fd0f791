cimport cython

from vines.protocol.elections.ballots cimport ballot, is_ballot, number_of, rank_of
from vines.protocol.elections.electorate cimport Electorate, bit
from vines.protocol.elections.facts cimport Facts
from vines.protocol.elections.messages cimport (
    Accept,
    Accepted,
    Decided,
    Nack,
    Prepare,
    Promise,
    Refusal,
    Said,
    Vote,
    accept_of,
    accepted_of,
    decided_of,
)

cdef long long BEYOND_FIRST
cdef long long FIRST
cdef long long NEVER
cdef long long NUMBER_MAX
cdef int IDLE
cdef int PREPARING
cdef int HOLDING
cdef int PROPOSING


cdef class Record(Facts):
    cdef readonly long long promised
    cdef readonly long long accepted
    cdef readonly bytes value
    cdef readonly bint foreign
    cdef readonly bint refused
    cdef readonly bytes outcome
    cdef readonly bint fired


@cython.locals(made=Record)
cdef Record _kept(
    long long promised,
    long long accepted,
    bytes value,
    bint foreign,
    bint refused=*,
    bytes outcome=*,
    bint fired=*,
)


cdef class Effects:
    cpdef long long persist(self, Record record) except? -1
    cpdef long long persist_later(self, Record record) except? -1
    cpdef object send(self, long rank, Said message, long long after)
    cpdef object publish(self, Vote vote)
    cpdef object decided(self, bytes value, bint fire, long long after)
    cpdef object violated(self, str text)


@cython.no_gc
cdef class Decree:
    cdef public Electorate electorate
    cdef public Record record
    cdef public long long ticket
    cdef public object refusals
    cdef public long long ballot
    cdef public long long outbid
    cdef public object replied
    cdef public long long strength
    cdef public long long best
    cdef public bytes best_value
    cdef public int me
    cdef public unsigned char counted
    cdef public unsigned char listening
    cdef public unsigned char frozen
    cdef public unsigned char phase

    cpdef object _enter(self, Electorate electorate, long me, Record record)
    cpdef bytes fresh_value(self)
    cpdef str fault(self, bytes value)
    cpdef bint objects(self, bytes value) except -1
    cpdef Promise promise(self)
    cpdef object heard(self, long rank, Promise promise)
    cpdef bint is_mine(self, bytes value) except -1
    cpdef object claim(self, Effects out)
    cpdef object proceed(self, Effects out)
    cpdef bytes recovered(self)
    cpdef object again(self, Effects out)
    cpdef object give_up(self)
    cpdef object _begin(self, int phase, long long one)
    cpdef object _propose(self, bytes value, bint fresh, Effects out)
    cpdef object _count(self, long rank)
    cpdef object on_prepare(self, long rank, Prepare message, Effects out)
    cpdef object _bind(self, long long one, Effects out)
    cpdef object on_promise(self, long rank, Promise message, Effects out)
    cpdef object on_accept(self, long rank, Accept message, Effects out)
    cpdef long long accept_from(self)
    cpdef object _accept(self, Accept message, long rank, Effects out)
    cpdef object on_accepted(self, long rank, Accepted message, Effects out)
    cpdef object on_nack(self, long rank, Nack message, Effects out)
    cpdef object on_refusal(self, long rank, Refusal message, Effects out)
    cpdef object on_decided(self, Decided message, Effects out)
    cpdef bint refuse(self, Effects out) except -1
    cpdef object resume(self)
    cpdef object stop(self)
    cpdef object listen(self, Effects out)
    cpdef object _learn(self, bytes value, Effects out, bint tell)
    cpdef object _close(self, bytes value, bint fire, Effects out)
    cpdef bint _answered(self, long rank, Effects out) except -1
    cpdef bint _is_answer(self, long long one, int phase) except -1
    cpdef object _keep(self, Record record, Effects out)
    cpdef object _freeze(self, str text, Effects out)
    cpdef object _say_to_acceptors(self, Said message, long long after, Effects out)
