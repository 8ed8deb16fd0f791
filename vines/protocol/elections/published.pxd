from vines.protocol.elections.messages cimport Vote
from vines.protocol.elections.voters cimport Who
from vines.protocol.wire.ballot cimport pack, unpack

cdef int TOMBSTONE
cdef int VOTE


cdef class Published:
    cdef public object _control
    cdef public object _members
    cdef public Who _who
    cdef public dict strays

    cpdef object publish(self, bytes voter, bytes election, Vote vote)
    cpdef object withdraw(self, bytes voter, bytes election)
    cpdef Vote read(self, bytes about, bytes packed, bytes origin)
    cpdef object keep(self, bytes about, bytes packed, bytes origin)
    cpdef dict take(self, bytes election)
    cpdef object forget(self, bytes about)
