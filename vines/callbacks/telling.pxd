cimport cython

from vines.callbacks.listeners cimport Hearers, Listener


@cython.locals(
    gossip=Hearers, delete=Hearers, lapse=Hearers, hearers=Hearers, listeners=tuple,
    listener=Listener, told=Py_ssize_t,
)
cdef object _tell_each(object teller, list events, tuple only)
