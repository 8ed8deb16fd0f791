cdef class Pusher:
    cdef dict __dict__
    cdef public Py_ssize_t _window
    cdef public Py_ssize_t _reserve
    cdef public object _control
    cdef public object _data
    cdef public object _frame
    cdef public object _news
    cdef public object _write
    cdef public object _is_urgent
    cdef public long long _control_sequence
    cdef public long long _data_sequence
    cdef public dict _ready

    cpdef bint _is_plain(self, object link)
