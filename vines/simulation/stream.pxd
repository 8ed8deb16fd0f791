from vines.simulation.network cimport Network


cdef class End:
    cdef public object process
    cdef public long long link
    cdef public bint open
    cdef public bint closing
    cdef public Py_ssize_t losing
    cdef public object unsent
    cdef public Py_ssize_t waiting
    cdef public Stream stream
    cdef public Pipe outgoing
    cdef public Pipe incoming

    cpdef object write(self, bytes frame)


cdef class Pipe:
    cdef public Network network
    cdef public End source
    cdef public End target
    cdef public object flight
    cdef public Py_ssize_t room
    cdef public double last
    cdef public double free
    cdef public long long arrivals
    cdef public bint reading
    cdef public bint edge
    cdef public bint missed
    cdef public Py_ssize_t unacknowledged
    cdef public bint clogged
    cdef public bint severed
    cdef public bint finished
    cdef public Py_ssize_t cut_after

    cpdef Py_ssize_t pump(self) except -1
    cpdef object finish(self)
    cpdef object arrive(self, long long number)
    cpdef object acknowledge(self, Py_ssize_t length)
    cpdef object unclog(self)
    cdef object _lose(self)
    cdef object _carry(self, bytes data, bint whole)
    cdef object _expect(self)


cdef class Stream:
    cdef public long long number
    cdef public tuple ends
    cdef public tuple pipes
    cdef public bint broken
