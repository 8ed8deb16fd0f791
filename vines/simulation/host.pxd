cdef class Host:
    cdef dict __dict__
    cdef public object simulation
    cdef public long number
    cdef public str name
    cdef public tuple address
    cdef public object config
    cdef public object process
    cdef public list past
    cdef public bint powered
    cdef public bint paused
    cdef public bint datagrams_blocked
    cdef public double skew
    cdef public double rate
    cdef public double slowness
    cdef public double lateness
    cdef public object disk
    cdef public list events
    cdef public set seeds
    cdef dict _flushes
