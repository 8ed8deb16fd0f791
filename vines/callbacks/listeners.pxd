cimport cython

from vines._core.changes cimport Changes as _Changes


cdef class Listener:
    cdef public object event
    cdef public object pattern
    cdef public bytes key
    cdef public str beginning
    cdef public bint exact
    cdef public bint wants_value
    cdef public object callback
    cdef public object tell
    cdef public bint active
    cdef public dict elections
    cdef public Py_ssize_t replays
    cdef public dict seen

    @cython.locals(seen=dict)
    cpdef bint is_news(self, object key, tuple mark) except? -1
    @cython.locals(known=dict)
    cpdef bint remember_end(self, bytes election) except? -1


cdef class Hearers:
    cdef public str beginning
    cdef public bint everybody
    cdef public tuple prefixed
    cdef public dict with_key

    @cython.locals(one=Listener, found=tuple)
    cpdef tuple of_key(self, str key)


cdef class Audience:
    cdef public tuple listeners
    cdef public dict others
    cdef public Hearers gossip
    cdef public Hearers delete
    cdef public Hearers lapse
    cdef public object _keys
    cdef public tuple _prefixes
    cdef public bint wants_keys

    cpdef bint wants(self, bytes key) except -1
    cpdef _Changes wanted(self, _Changes changes)
