cimport cython

from vines._core.pieces cimport entry, number4, number8, piece
from vines.protocol.elections.messages cimport (
    Accept,
    Accepted,
    Decided,
    Definition,
    Formed,
    Nack,
    Prepare,
    Promise,
    Said,
    Sign,
    Signed,
    Vote,
    VoteAck,
    accept_of,
    accepted_of,
    decided_of,
    sign_of,
    signed_with,
    vote_of,
)

from vines.protocol.wire.definition cimport pack_definition, unpack_definition


cdef int DIGEST_BYTES
cdef int _ENTRIES_MAX
cdef int ID_BYTES
cdef int NONE
cdef unsigned long long NUMBER_MAX
cdef int _ACCEPT_BYTES
cdef int _ACCEPTED_BYTES
cdef int _ENTRY_BYTES
cdef int _VOTE_BYTES


@cython.locals(
    start=Py_ssize_t, end=Py_ssize_t, about=Py_ssize_t, size=Py_ssize_t, slot="long long", word=int
)
cpdef tuple unpack(bytes data, Py_ssize_t at=*)
cpdef bytes pack(bytes election, unsigned int slot, Said said)
cpdef bytes frame_of(list packed)
cdef int _KINDS
cdef int SHORT_BYTES
cdef list _last_read
cdef tuple _last_vote
cdef tuple _last_accept
cdef tuple _last_accepted
@cython.locals(last=tuple, said=Said)
cdef Said _read(int word, bytes body)
cdef Said _read_new(int word, bytes body)
@cython.locals(last=tuple, same=Vote)
cdef bytes _write_vote(Vote vote)
@cython.locals(last=tuple, same=Accept)
cdef bytes _write_accept(Accept accept)
@cython.locals(last=tuple, same=Accepted)
cdef bytes _write_accepted(Accepted accepted)
cdef bytes _write_sign(Sign sign)
cdef bytes _write_signed(Signed signed)
cdef bytes _value_of(Decided decided)
cdef bytes _write(Said said)
cdef bytes _write_promise(Promise promise)
cdef long long _number(bytes body) except -1
cdef unsigned long long _eight(bytes body) except? 0
cdef long long _ballot(unsigned long long number) except -1
cdef long long _sequence(unsigned long long number) except -1
cdef bint _truth(int byte) except -1
cdef bytes _decision(bytes value)
@cython.locals(size=Py_ssize_t, choice=int, sequence="long long")
cdef Vote _read_vote(bytes body)
cdef VoteAck _read_ack(bytes body)
cdef Promise _read_promise(bytes body)
cdef tuple _testimony(bytes data)
cdef Accept _read_accept(bytes body)
cdef Accepted _read_accepted(bytes body)
cdef Nack _read_nack(bytes body)
cdef Signed _read_signed(bytes body)
cdef Formed _read_formed(bytes body)
