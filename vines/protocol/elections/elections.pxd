cimport cython

from vines.protocol.elections.call cimport Call
from vines.protocol.elections.matter cimport Matter
from vines.protocol.elections.matters cimport Matters, same_voters
from vines.protocol.elections.messages cimport Definition, defined
from vines.protocol.elections.outcomes cimport Decision


cdef class Elections(Matters):
    @cython.locals(matter=Matter, known=Decision)
    cpdef object call(self, str topic, Call call, double now)
    @cython.locals(matter=Matter)
    cpdef bint _calls_for(self, tuple key, long long later_than=*) except -1
    @cython.locals(matter=Matter, definition=Definition, deadline=double)
    cpdef object _begin(self, tuple key, Call call, double now)
    cpdef object _require_disk(self)
    @cython.locals(matter=Matter)
    cpdef bint vote(self, str topic, int choice, double now) except -1
