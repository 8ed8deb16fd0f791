cimport cython

from vines._core.table cimport Progress as _Progress, Table as _Table


cdef class Channel:
    cdef public bint announce_owed
    cdef public bint awaiting
    cdef public Py_ssize_t budget
    cdef public bint caught_up
    cdef public bint complete_owed
    cdef public double confirmed
    cdef public long long differed
    cdef public object digest_owed
    cdef public bint direct
    cdef public bint eager
    cdef public bint floor_owed
    cdef public bint floor_told
    cdef public object floors
    cdef public object floors_owed
    cdef public bint graft_owed
    cdef public dict grafts
    cdef public bint healed
    cdef public double heard
    cdef public bint join_asked
    cdef public object join_owed
    cdef public bint joinable
    cdef public bint joining
    cdef public int number
    cdef public bint owing
    cdef public object page_next
    cdef public object page_owed
    cdef public object pages
    cdef public long pages_marks
    cdef public long long patience
    cdef public _Progress progress
    cdef public bint prune_owed
    cdef public bint pruned
    cdef public bint pulling
    cdef public bint recounted
    cdef public dict pulls
    cdef public long long sequence
    cdef public long long served
    cdef public bint spent
    cdef public _Table table
    cdef public object telling

    @cython.locals(sequence="long long", everything=bint, progress=_Progress, table=_Table)
    cpdef bytes news(self)
    cpdef bytes frame(self)
    @cython.locals(sequence="long long", everything=bint)
    cpdef bytes _delta(self)
