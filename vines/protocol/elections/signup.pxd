cimport cython

from vines.protocol.elections.decree cimport Effects
from vines.protocol.elections.election cimport Election
from vines.protocol.elections.electorate cimport Electorate, among, equal_roll, id_with
from vines.protocol.elections.facts cimport Facts
from vines.protocol.elections.messages cimport (
    Definition,
    Formed,
    Said,
    Sign,
    Signed,
    Terms,
    Vote,
    defined,
    sign_of,
    signed_with,
)


cdef class Enrolment(Facts):
    cdef readonly bytes bound
    cdef readonly bint formed
    cdef readonly long long attempt
    cdef readonly tuple passed


@cython.locals(made=Enrolment)
cdef Enrolment _enrolled(bytes bound, bint formed, long long attempt, tuple passed)


cdef class Surroundings(Effects):
    cpdef long long enrol(self, Enrolment enrolment) except? -1
    cpdef object say(self, bytes voter, bytes election, Said message, long long after)
    cpdef Election begin(self, bytes election, Definition definition)
    cpdef Effects effects(self, bytes election)
    cpdef bytes name_of(self, Definition definition)
    cpdef Vote cast(self)
    cpdef bint stands(self) except -1
    cpdef object drop(self, bytes election)


cdef class SignUp:
    cdef public bytes me
    cdef public tuple key
    cdef public Terms terms
    cdef public Enrolment enrolment
    cdef public frozenset candidates
    cdef public Election election
    cdef public Terms roll
    cdef public frozenset signed
    cdef public tuple _asked
    cdef public long long ticket
    cdef public int total
    cdef public unsigned char calling

    cpdef object resume(self, Definition roll, Election election)
    cpdef bint coordinates(self) except -1
    cpdef bytes coordinator(self)
    cpdef bint is_named(self) except -1
    cpdef object take(self, bytes election, Definition definition, Surroundings out)
    cpdef object consider(self, frozenset candidates, Surroundings out)
    cpdef bint _is_free(self) except -1
    cpdef bint gathers(self) except -1
    cpdef object _gather(self, Surroundings out)
    cpdef bytes _first(self)
    cpdef object repeat(self, Surroundings out)
    cpdef object withdraw(self, Surroundings out)
    cpdef object cancel(self, Surroundings out)
    cpdef object refuse(self, Surroundings out)
    cpdef object on_sign(self, bytes sender, bytes election, Sign message, Surroundings out)
    cpdef object decline(
        self, bytes sender, bytes election, Definition definition, Surroundings out
    )
    cpdef object _sign_asked(self, Surroundings out)
    cpdef Definition _with(self, Terms terms)
    cpdef Definition bound(self)
    cpdef object _say_signed(self, bytes coordinator, Surroundings out)
    cpdef object on_signed(self, bytes sender, bytes election, Signed message, Surroundings out)
    cpdef object _form(self, Surroundings out)
    cpdef object _say_formed(self, Surroundings out)
    cpdef Formed _formed_for(self, long rank)
    cpdef object _stand(self, Surroundings out)
    cpdef object on_formed(self, bytes election, Surroundings out)
    cpdef object on_cancel(self, bytes sender, bytes election, Surroundings out)
    cpdef object on_refusal(self, bytes sender, bytes election, Surroundings out)
    cpdef bint _is_bound(self, bytes election) except -1
    cpdef object _bind(
        self, bytes election, Definition definition, long long attempt, Surroundings out
    )
    cpdef bint _passed(self, Definition definition) except -1
    cpdef tuple _passing(self, Definition definition)
    cpdef object _release_if_hopeless(self, Surroundings out)
    cpdef bytes _release(self, Surroundings out)
    cpdef object _say_after_release(self, Said message, Surroundings out)
    cpdef object _say_to_all(self, Said message, Surroundings out, object after=*)
    cpdef object _keep(self, Enrolment enrolment, Surroundings out)


cpdef Electorate electorate_of(bytes election, Definition definition)
cpdef bytes id_of(bytes namespace, Definition definition)
cpdef bytes coordinator_of(Definition definition)
cpdef object attempt_of(Definition definition)
