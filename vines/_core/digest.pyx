"""Digests: how two replicas find out, cheaply, whether and where they differ.

The ladder of forms has two rungs so far: the fingerprint, which says whether, and the full vector,
which says where. A rung decides what is said, never what is believed: a received digest is a hint
about what to send. """

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memcmp, memcpy

from vines._core.table cimport Table
from vines._core.vector cimport id_of
from vines._core.wire cimport COUNTER_LIMIT, ID_BYTES, write_varint

from vines.errors import WireError

FINGERPRINT_BYTES = 32

cdef enum:
    VECTOR_FORMAT = 3
    FIRST = 1
    LAST = 2
    ROW = 23            # the most a source takes in a page
    VECTOR_PART = 24    # roster and vector come first in a fingerprint, the state last


def vector_pages(Table table not None, size_t budget):
    cdef list pages = []
    cdef size_t slot = 0, room = max(budget, <size_t>64)
    cdef bytes page
    cdef uint8_t* start
    cdef uint8_t* at
    while True:
        page = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>room)
        start = <uint8_t*>PyBytes_AS_STRING(page)
        start[0] = VECTOR_FORMAT
        start[1] = 0 if pages else FIRST
        at = start + 2
        while slot < table.source_count and <size_t>(at - start) + ROW <= room:
            if table.known.counters[slot]:
                memcpy(at, table.known.ids + slot * ID_BYTES, ID_BYTES)
                at = write_varint(at + ID_BYTES, table.known.counters[slot])
            slot += 1
        if slot == table.source_count:
            start[1] |= LAST
        pages.append(page[:at - start])
        if slot == table.source_count:
            return pages


def pull_page(list wanted not None):
    cdef bytes page = PyBytes_FromStringAndSize(NULL, 2 + ROW * len(wanted))
    cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(page)
    cdef uint8_t* at = start + 2
    start[0] = VECTOR_FORMAT
    start[1] = FIRST | LAST
    for source, counter in wanted:
        if not 0 <= counter <= COUNTER_LIMIT:
            raise ValueError("a counter is at least 0 and below 2**48")
        memcpy(at, id_of(source), ID_BYTES)
        at = write_varint(at + ID_BYTES, counter)
    return page[:at - start]


cdef const uint8_t* fingerprint_at(bytes data, size_t offset) except NULL:
    if offset > <size_t>PyBytes_GET_SIZE(data) or PyBytes_GET_SIZE(data) - offset < 32:
        raise WireError("a fingerprint has 32 bytes")
    return <const uint8_t*>PyBytes_AS_STRING(data) + offset


def same_vector(bytes mine not None, bytes theirs not None, size_t offset=0):
    return memcmp(fingerprint_at(mine, 0), fingerprint_at(theirs, offset), VECTOR_PART) == 0


def same_state(bytes mine not None, bytes theirs not None, size_t offset=0):
    return memcmp(
        fingerprint_at(mine, 0) + VECTOR_PART, fingerprint_at(theirs, offset) + VECTOR_PART, 8,
    ) == 0
