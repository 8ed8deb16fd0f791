"""What is to be done, and when: a heap of times, and beside it what each of them is for."""

cdef class Agenda:
    cdef double* whens              # a heap: none is later than its CHILDREN
    cdef list whats                 # what they are for, at the same places; as many as there are
    cdef Py_ssize_t capacity        # of the times

    # A time, and what to hand back then.
    cpdef object put(self, double when, object what)
    # The earliest time; infinity if there is none.
    cpdef double next(self) noexcept
    # The earliest (when, what) that is due, which is held no longer; None if none is.
    cpdef tuple take(self, double now)
    # Hold these pairs, and nothing else.
    cpdef object keep(self, object entries)

    cdef bint is_due(self, double now) noexcept
    cdef int add(self, double when, object what) except -1
    cdef int reserve(self, Py_ssize_t count) except -1
    cdef void shrink(self) noexcept
    cdef void rise(self, Py_ssize_t at) noexcept
    cdef void sink(self, Py_ssize_t at) noexcept
