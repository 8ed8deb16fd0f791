from vines._core.pieces cimport number4
from vines.protocol.elections.criteria cimport Criteria
from vines.protocol.elections.electorate cimport Electorate
from vines.protocol.elections.facts cimport Facts

cdef int _COMMIT
cdef int _OWNER


cdef class Value(Facts):
    cdef readonly int kind
    cdef readonly int choice
    cdef readonly long owner
    cdef readonly bytes digest
    cdef readonly int winnable
    cdef readonly bint plurality
    cdef readonly long long least
    cdef readonly str label
    cdef readonly bytes votes
    cdef readonly tuple versions

    cpdef bytes encode(self)


cpdef bint names(bytes value, long rank) except -1
cpdef str fault(bytes value, Electorate electorate)
cpdef bytes commit(int choice, long owner, Criteria criteria, bytes votes, tuple versions)
cpdef bytes abort(long owner, Criteria criteria, bytes votes, tuple versions)
cpdef bytes expired(long owner, Criteria criteria, bytes votes, tuple versions)
