from vines.simulation.network cimport Network
from vines.simulation.stream cimport End


cdef class Sockets:
    cdef public Network network
    cdef dict _ends
    cdef readonly dict busy
    cdef dict _framers
    cdef long long _links

    cpdef object add(self, End end)
    cpdef list read(self, End end, bytes data)
    cpdef bint write(self, long long link, bytes frame) except -1
    cpdef object close(self, long long link)
    cpdef bint forget(self, End end) except -1
    cpdef Py_ssize_t pump(self, object sent) except -1
