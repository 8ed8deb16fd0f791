"""Slots: the places of an object that does not change any more, filled in one step.

A class that refuses to be changed has to set what it holds behind its own back, which takes Python
a call for each.
"""

from cpython.object cimport PyObject_GenericSetAttr


def fill(object one, tuple names not None, tuple values not None):
    cdef Py_ssize_t at
    if len(names) != len(values):
        raise ValueError(f"{len(values)} values for {len(names)} names")
    for at in range(len(names)):
        PyObject_GenericSetAttr(one, names[at], values[at])
