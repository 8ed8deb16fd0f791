"""Slots: the places of an object that does not change any more, filled in one step.

A class that refuses to be changed has to set what it holds behind its own back, which takes Python
a call for each.
"""

cimport cython
from cpython.object cimport PyObject_GenericSetAttr
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_SET_ITEM

cdef extern from "Python.h":
    bint PyType_IsSubtype(type kind, type base)
    object PyType_GenericAlloc(type kind, Py_ssize_t count)


cdef int put(object one, tuple names, tuple values) except -1:
    cdef Py_ssize_t at
    if len(names) != len(values):
        raise ValueError(f"{len(values)} values for {len(names)} names")
    for at in range(len(names)):
        PyObject_GenericSetAttr(one, names[at], values[at])
    return 0


def fill(object one, tuple names not None, tuple values not None):
    put(one, names, values)


cpdef object filled(object kind, tuple values):
    cdef object made
    if values is None or not (isinstance(kind, type) and PyType_IsSubtype(<type>kind, Filled)):
        raise TypeError("only what is Filled can be made so")
    if kind._places != len(values):
        raise TypeError(f"{kind.__name__} takes {kind._places} values by place")
    made = PyType_GenericAlloc(<type>kind, 0)
    put(made, kind.fields, values)
    if kind._checked:
        made.__post_init__()
    return made


cpdef object named(object kind, tuple values):
    cdef object made, value
    cdef Py_ssize_t at
    if values is None or not (isinstance(kind, type) and PyType_IsSubtype(<type>kind, tuple)):
        raise TypeError("only a tuple can be made so")
    made = PyType_GenericAlloc(<type>kind, len(values))
    for at in range(len(values)):
        value = values[at]
        Py_INCREF(value)
        PyTuple_SET_ITEM(made, at, value)
    return made


@cython.auto_pickle(False)
cdef class Filled:
    def __init__(self, *values, **named):
        if named or len(values) != self._places:
            self._fill(values, named)
        else:
            put(self, self.fields, values)
        if self._checked:
            self.__post_init__()
