"""Agenda: what is to be done, the earliest first, without an object for each entry.

A heap of times in an array of their own, four children a parent: what a level compares is then
next to each other, and there are half as many levels as with two. What a time is for stands at the
same place of a list, for it may be any object: the collector sees a list's references and can cut
them, those in an array it would not. The list alone says how many entries there are, so it may be
emptied by the collector at any time.

Only times are compared, so nothing of anybody else runs while entries move. It can run where a
reference is dropped and where a tuple is made; then everything is in its place.
"""

cimport cython
from cpython.list cimport PyList_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.math cimport INFINITY, isfinite

cdef extern from "Python.h":
    ctypedef struct PyObject
    PyObject** PySequence_Fast_ITEMS(list sequence)

cdef enum:
    CHILDREN = 4
    CAPACITY_MIN = 16


@cython.final
@cython.no_gc_clear             # any way round leads through the list, which is cut
cdef class Agenda:

    def __cinit__(self):
        self.whats = []

    def __init__(self):
        pass                            # which refuses arguments, as __cinit__ would not

    def __dealloc__(self):
        PyMem_Free(self.whens)

    def __len__(self):
        return PyList_GET_SIZE(self.whats)

    @cython.critical_section
    cpdef object put(self, double when, object what):
        self.add(when, what)
        self.rise(PyList_GET_SIZE(self.whats) - 1)

    cpdef double next(self) noexcept:
        return self.whens[0] if PyList_GET_SIZE(self.whats) else INFINITY

    @cython.critical_section
    cpdef tuple take(self, double now):
        cdef tuple entry
        cdef object when, what, last
        if not self.is_due(now):
            return None
        entry = PyTuple_New(2)
        if not self.is_due(now):        # any more: making a tuple may collect garbage
            return None
        when = self.whens[0]
        last = self.whats.pop()         # the last that may fail
        what = last
        if PyList_GET_SIZE(self.whats):
            what = self.whats[0]
            self.whats[0] = last
            self.whens[0] = self.whens[PyList_GET_SIZE(self.whats)]
            self.sink(0)
        self.shrink()
        Py_INCREF(when)
        PyTuple_SET_ITEM(entry, 0, when)
        Py_INCREF(what)
        PyTuple_SET_ITEM(entry, 1, what)
        return entry

    @cython.critical_section
    cpdef object keep(self, object entries):
        cdef Agenda kept = Agenda.__new__(Agenda)
        cdef Py_ssize_t at
        for when, what in entries:
            kept.add(when, what)
        for at in range(PyList_GET_SIZE(kept.whats) // CHILDREN, -1, -1):
            kept.sink(at)
        self.whens, kept.whens = kept.whens, self.whens
        self.whats, kept.whats = kept.whats, self.whats
        self.capacity, kept.capacity = kept.capacity, self.capacity

    @property
    def memory(self):
        return (
            object.__sizeof__(self) + self.whats.__sizeof__()
            + self.capacity * <Py_ssize_t>sizeof(double))

    cdef bint is_due(self, double now) noexcept:
        return PyList_GET_SIZE(self.whats) > 0 and self.whens[0] <= now

    cdef int add(self, double when, object what) except -1:
        """One more at the end, wherever it belongs."""
        cdef Py_ssize_t count = PyList_GET_SIZE(self.whats)
        if not isfinite(when):
            raise ValueError(f"a time is a finite number of seconds, not {when}")
        if count >= self.capacity:
            self.reserve(max(count + 1, self.capacity + self.capacity // 2))
        self.whats.append(what)
        self.whens[count] = when
        return 0

    cdef int reserve(self, Py_ssize_t count) except -1:
        """Make room for so many times."""
        cdef Py_ssize_t capacity = max(count, <Py_ssize_t>CAPACITY_MIN)
        cdef void* whens = PyMem_Realloc(self.whens, <size_t>capacity * sizeof(double))
        if whens == NULL:
            raise MemoryError
        self.whens = <double*>whens
        self.capacity = capacity
        return 0

    cdef void shrink(self) noexcept:
        """Give half of the room back, if a quarter is enough."""
        cdef Py_ssize_t capacity = max(self.capacity // 2, <Py_ssize_t>CAPACITY_MIN)
        cdef void* whens
        if capacity < self.capacity and PyList_GET_SIZE(self.whats) <= self.capacity // 4:
            whens = PyMem_Realloc(self.whens, <size_t>capacity * sizeof(double))
            if whens != NULL:
                self.whens = <double*>whens
                self.capacity = capacity

    cdef void rise(self, Py_ssize_t at) noexcept:
        """Move an entry up to where no parent is later."""
        cdef PyObject** whats = PySequence_Fast_ITEMS(self.whats)
        cdef double when = self.whens[at]
        cdef PyObject* what = whats[at]
        cdef Py_ssize_t parent
        while at > 0:
            parent = (at - 1) // CHILDREN
            if self.whens[parent] <= when:
                break
            self.whens[at] = self.whens[parent]
            whats[at] = whats[parent]
            at = parent
        self.whens[at] = when
        whats[at] = what

    cdef void sink(self, Py_ssize_t at) noexcept:
        """Move an entry down to where no child is earlier; there may be none at `at`."""
        cdef Py_ssize_t count = PyList_GET_SIZE(self.whats)
        cdef PyObject** whats = PySequence_Fast_ITEMS(self.whats)
        cdef double when
        cdef PyObject* what
        cdef Py_ssize_t first, child, earliest
        if at >= count:
            return
        when = self.whens[at]
        what = whats[at]
        first = at * CHILDREN + 1
        while first < count:
            earliest = first
            for child in range(first + 1, min(first + CHILDREN, count)):
                if self.whens[child] < self.whens[earliest]:
                    earliest = child
            if when <= self.whens[earliest]:
                break
            self.whens[at] = self.whens[earliest]
            whats[at] = whats[earliest]
            at = earliest
            first = at * CHILDREN + 1
        self.whens[at] = when
        whats[at] = what
