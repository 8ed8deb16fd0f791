"""Slots: the places of an object that does not change any more, filled in one step.

A class that refuses to be changed has to set what it holds behind its own back, which takes Python
a call for each.
"""

cimport cython
from cpython.object cimport PyObject_GenericSetAttr


def fill(object one, tuple names not None, tuple values not None):
    cdef Py_ssize_t at
    if len(names) != len(values):
        raise ValueError(f"{len(values)} values for {len(names)} names")
    for at in range(len(names)):
        PyObject_GenericSetAttr(one, names[at], values[at])


@cython.auto_pickle(False)
cdef class Filled:
    def __init__(self, *values, **named):
        cdef Py_ssize_t at
        cdef tuple fields
        if named or len(values) != self._places:
            self._fill(values, named)
        else:
            fields = self.fields
            if len(fields) != len(values):
                raise ValueError(f"{len(values)} values for {len(fields)} names")
            for at in range(len(fields)):
                PyObject_GenericSetAttr(self, fields[at], values[at])
        if self._checked:
            self.__post_init__()
