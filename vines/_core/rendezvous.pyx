"""Rendezvous: the order of names under a key that all who know both find alike.

Each name has a hash that is keyed by what it is ordered for, so every key orders them anew, and a
name that is taken away leaves the others in their order (Thaler and Ravishankar, "A name-based
mapping scheme for rendezvous", 1996).
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport qsort

cdef extern from "hash.h" nogil:
    ctypedef struct vines_key:
        uint64_t k0
        uint64_t k1
    vines_key vines_load_key(const uint8_t* at)
    uint64_t vines_sip(vines_key key, const uint8_t* data, size_t count)

cdef enum:
    KEY_SIZE = 16
    FEW = 16                    # names up to which they are put in order in place

KEY_BYTES = KEY_SIZE

cdef struct Place:
    uint64_t hash
    size_t number               # of the name among those given


cdef inline bint is_before(const Place* one, const Place* other) noexcept nogil:
    """By hash; of two names that have the same the one that was given first."""
    return one.hash < other.hash or (one.hash == other.hash and one.number < other.number)


cdef int compare(const void* one, const void* other) noexcept nogil:
    return -1 if is_before(<const Place*>one, <const Place*>other) else 1


cdef void sort(Place* places, size_t count) noexcept nogil:
    cdef size_t at, back
    cdef Place moved
    if count > FEW:
        qsort(places, count, sizeof(Place), &compare)
        return
    for at in range(1, count):
        moved = places[at]
        back = at
        while back > 0 and is_before(&moved, &places[back - 1]):
            places[back] = places[back - 1]
            back -= 1
        places[back] = moved


def ranked(bytes key not None, tuple names not None, bytes first=None):
    cdef Py_ssize_t count = len(names)
    cdef Py_ssize_t at
    cdef size_t chosen = 0
    cdef Place few[FEW]
    cdef Place* places = few
    cdef vines_key loaded
    if PyBytes_GET_SIZE(key) != KEY_SIZE:
        raise ValueError(f"a key is {KEY_SIZE} bytes")
    for name in names:
        if type(name) is not bytes:
            raise TypeError(f"a name is bytes, not {type(name).__name__}")
    loaded = vines_load_key(<const uint8_t*>PyBytes_AS_STRING(key))
    if count > FEW:
        places = <Place*>PyMem_Malloc(<size_t>count * sizeof(Place))
        if places == NULL:
            raise MemoryError
    try:
        for at in range(count):
            places[at].hash = vines_sip(
                loaded,
                <const uint8_t*>PyBytes_AS_STRING(names[at]),
                <size_t>PyBytes_GET_SIZE(names[at]))
            places[at].number = <size_t>at
            if first is not None and first == names[at]:
                places[at] = places[0]
                places[0].number = <size_t>at
                chosen = 1
        sort(places + chosen, <size_t>count - chosen)
        return tuple([names[places[at].number] for at in range(count)])
    finally:
        if places != few:
            PyMem_Free(places)
