"""Bell: how one thread gets another out of its sleep.

Who wakes takes the interpreter's lock first. With a lock of `threading` that one is held by the
thread that rings, so whoever is woken sleeps at once again, and is woken a second time: two more
changes of threads for each ring. `call` gives the interpreter's lock up before it rings.
"""

cimport cython
from cpython.pythread cimport (
    PY_LOCK_ACQUIRED,
    PyLockStatus,
    PyThread_allocate_lock,
    PyThread_free_lock,
    PyThread_release_lock,
    PyThread_type_lock,
)

cdef extern from "Python.h":
    PyLockStatus PyThread_acquire_lock_timed(
        PyThread_type_lock lock, long long microseconds, int interrupted) nogil

cdef enum:
    SECONDS_MOST = 3600         # of one sleep: a second is a million of what the system counts


cdef class Bell:
    cdef PyThread_type_lock lock
    cdef bint rung              # the lock is free, or will be in a moment

    def __cinit__(self):
        self.lock = PyThread_allocate_lock()
        if self.lock == NULL:
            raise MemoryError
        with nogil:
            PyThread_acquire_lock_timed(self.lock, -1, 0)

    def __dealloc__(self):
        if self.lock != NULL:
            if not self.rung:
                PyThread_release_lock(self.lock)
            PyThread_free_lock(self.lock)

    @cython.critical_section
    def ring(self):
        if not self.rung:
            self.rung = True
            PyThread_release_lock(self.lock)

    def call(self):
        if self.take_turn():
            with nogil:
                PyThread_release_lock(self.lock)

    @cython.critical_section
    cdef bint take_turn(self):
        """Whether it is this thread that rings: two must not free the lock."""
        if self.rung:
            return False
        self.rung = True
        return True

    def sleep(self, double seconds=-1.0):
        cdef long long microseconds = -1
        cdef PyLockStatus status
        if seconds >= 0.0:
            microseconds = <long long>(min(seconds, <double>SECONDS_MOST) * 1e6)
        elif not seconds < 0.0:
            raise ValueError("no number of seconds")
        with nogil:
            status = PyThread_acquire_lock_timed(self.lock, microseconds, 0)
        if status == PY_LOCK_ACQUIRED:
            self.rung = False
        return status == PY_LOCK_ACQUIRED
