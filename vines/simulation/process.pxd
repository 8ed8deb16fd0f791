cimport cython

from vines.protocol.node cimport Node as _Node
from vines.simulation.host cimport Host as _Host
from vines.simulation.network cimport Network
from vines.simulation.sockets cimport Sockets
from vines.simulation.stream cimport End
from vines.simulation.timeline cimport Timeline


cdef double TURN_SECONDS
cdef int IDLE_TURNS_MAX
cdef int DATAGRAMS_MAX
cdef Py_ssize_t CONTROL_SLACK


cdef class Process:
    cdef public _Host host
    cdef public str name
    cdef public Timeline timeline
    cdef public Network network
    cdef public bint running
    cdef public double rate
    cdef public double _origin
    cdef public object disk
    cdef public _Node node
    cdef public object follower
    cdef public tuple watches
    cdef public Sockets sockets
    cdef list _inbox
    cdef Py_ssize_t _datagrams
    cdef public long long datagram_bytes
    cdef public long long stream_bytes
    cdef public long long dials
    cdef double _wanted
    cdef list _calls
    cdef int _idle_turns
    cdef bint _hasty
    cdef double _reads_at
    cdef tuple _checked
    cdef object _control_sequence
    cdef object _data_sequence

    cdef double _clock(self) except? -1
    cpdef object arrived(self, bytes data, tuple source)
    cpdef object wake(self)
    cpdef object _turn_at(self, double when)
    cpdef object _called(self)
    @cython.locals(inbox=list, arguments=tuple, effects=Py_ssize_t, moved=Py_ssize_t, node=_Node)
    @cython.locals(checking=bint)
    cpdef object _turn(self)
    cdef list _not_read_yet(self, list inbox)
    cpdef object check(self)
    cdef object _count_behind(self)
    cdef object _check_queues(self)
    @cython.locals(effects=list, address=tuple, data=bytes)
    cdef Py_ssize_t _drain(self) except -1
    cpdef object _receive(self, End end, bytes data)
    cpdef object _datagram(self, bytes data, tuple source)
    cdef object _write(self, object link, bytes frame)
    cdef object _send(self, tuple address, bytes data)
    cdef object _record(self, str what, bytes data)
