"""Bell: how one thread gets another out of its sleep.

Who wakes takes the interpreter's lock first. With a lock of `threading` that one is held by the
thread that rings, so whoever is woken sleeps at once again, and is woken a second time: two more
changes of threads for each ring. `call` gives the interpreter's lock up before it rings. Who goes
on after that mostly has it back before the other thread is up, and so do others that want it:
`lead` waits until it is.
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


cdef long long as_microseconds(double seconds) except -2:
    """What the system waits for; -1, without end, for less than 0."""
    if seconds >= 0.0:
        return <long long>(min(seconds, <double>SECONDS_MOST) * 1e6)
    if not seconds < 0.0:
        raise ValueError("no number of seconds")
    return -1


cdef class Bell:
    cdef PyThread_type_lock lock
    cdef bint rung              # the lock is free, or will be in a moment
    cdef PyThread_type_lock up  # free once who was led has the interpreter's lock
    cdef bint led               # somebody waits for that

    def __cinit__(self):
        self.lock = PyThread_allocate_lock()
        self.up = PyThread_allocate_lock()
        if self.lock == NULL or self.up == NULL:
            raise MemoryError
        with nogil:
            PyThread_acquire_lock_timed(self.lock, -1, 0)
            PyThread_acquire_lock_timed(self.up, -1, 0)

    def __dealloc__(self):
        if self.lock != NULL:
            if not self.rung:
                PyThread_release_lock(self.lock)
            PyThread_free_lock(self.lock)
        if self.up != NULL:
            PyThread_release_lock(self.up)
            PyThread_free_lock(self.up)

    @cython.critical_section
    def ring(self):
        if not self.rung:
            self.rung = True
            PyThread_release_lock(self.lock)

    def call(self):
        if self.take_turn():
            with nogil:
                PyThread_release_lock(self.lock)

    def lead(self, double seconds):
        cdef long long microseconds = as_microseconds(seconds)
        cdef PyLockStatus status
        if not self.take_turn():
            return False
        if self.led:
            with nogil:
                PyThread_release_lock(self.lock)
            return False
        self.led = True
        with nogil:
            PyThread_release_lock(self.lock)
            status = PyThread_acquire_lock_timed(self.up, microseconds, 0)
        if status == PY_LOCK_ACQUIRED:
            return True
        if self.led:
            self.led = False
            return False
        # It was up just as the time was.
        PyThread_acquire_lock_timed(self.up, 0, 0)
        return True

    @cython.critical_section
    cdef bint take_turn(self):
        """Whether it is this thread that rings: two must not free the lock."""
        if self.rung:
            return False
        self.rung = True
        return True

    def sleep(self, double seconds=-1.0):
        cdef long long microseconds = as_microseconds(seconds)
        cdef PyLockStatus status
        with nogil:
            status = PyThread_acquire_lock_timed(self.lock, microseconds, 0)
        if status == PY_LOCK_ACQUIRED:
            self.rung = False
            if self.led:
                self.led = False
                PyThread_release_lock(self.up)
        return status == PY_LOCK_ACQUIRED
