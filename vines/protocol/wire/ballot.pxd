cimport cython

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
)

from vines.protocol.wire.definition cimport pack_definition, unpack_definition


cdef int ID_BYTES


@cython.locals(
    start=Py_ssize_t, end=Py_ssize_t, about=Py_ssize_t, size=Py_ssize_t, slot="long long", word=int
)
cpdef tuple unpack(bytes data, Py_ssize_t at=*)
@cython.locals(number="long long")
cdef long long _number_at(bytes data, Py_ssize_t at) except -1
cpdef bytes pack(bytes election, long long slot, Said said)
cpdef bytes frame_of(list packed)
cdef Said _read(int word, bytes body)
cdef bytes _write(Said said)
cdef bytes _write_promise(Promise promise)
cdef object _number(bytes body)
cdef object _ballot(object number)
cdef object _sequence(object number)
cdef bint _truth(int byte) except -1
cdef bytes _decision(bytes value)
cdef Vote _read_vote(bytes body)
cdef VoteAck _read_ack(bytes body)
cdef Promise _read_promise(bytes body)
cdef tuple _testimony(bytes data)
cdef Accept _read_accept(bytes body)
cdef Accepted _read_accepted(bytes body)
cdef Nack _read_nack(bytes body)
cdef Signed _read_signed(bytes body)
cdef Formed _read_formed(bytes body)
