"""Slots: the places of an object that does not change any more, filled in one step.

A class that refuses to be changed has to set what it holds behind its own back, which takes Python
a call for each.
"""

cimport cython
from cpython.object cimport PyObject_GenericSetAttr


cdef int put(object one, tuple names, tuple values) except -1:
    cdef Py_ssize_t at
    if len(names) != len(values):
        raise ValueError(f"{len(values)} values for {len(names)} names")
    for at in range(len(names)):
        PyObject_GenericSetAttr(one, names[at], values[at])
    return 0


def fill(object one, tuple names not None, tuple values not None):
    put(one, names, values)


@cython.auto_pickle(False)
cdef class Filled:
    def __init__(self, *values, **named):
        if named or len(values) != self._places:
            self._fill(values, named)
        else:
            put(self, self.fields, values)
        if self._checked:
            self.__post_init__()
