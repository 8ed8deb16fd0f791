cimport cython


cdef class Link:
    cdef public object number
    cdef public object attempt
    cdef public double since
    cdef public double heard
    cdef public double established
    cdef public bint errand
    cdef public bint spare
    cdef public bint need_owed
    cdef public double said
    cdef public double urgent
    cdef public long long unsent
    cdef public bint blocked
    cdef public bint spent
    cdef public object serial
    cdef public object hello
    cdef public tuple channels
    cdef public bint ping
    cdef public object pinged
    cdef public object pong
    cdef public object ack
    cdef public object asked
    cdef public double asking_after
    cdef public object answer
    cdef public dict held


cdef class Links:
    cdef public object _own
    cdef public dict numbers
    cdef public dict _members
    cdef public dict _places
    cdef public Py_ssize_t _errands

    cpdef Link get(self, object number)
    cpdef Link to(self, object member)
    cpdef list established(self)
