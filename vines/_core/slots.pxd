"""Slots; slots.pyi says what each does."""

cdef class Filled:
    pass


cpdef object filled(object kind, tuple values)
cpdef object named(object kind, tuple values)
